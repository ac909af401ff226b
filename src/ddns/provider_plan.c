#include "ddns/provider_plan.h"

#include <assert.h>

static bool type_has_priority(enum dns_type type)
{
    return type == DNS_MX || type == DNS_SRV;
}

/* Types of which a name has one set that homeport keeps whole. */
static bool type_is_set(enum dns_type type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_CNAME;
}

static bool record_equals(enum dns_type type, const struct provider_record *record,
                          struct text value, uint16_t priority)
{
    if (value.bytes == 0 || !rdata_equal(type, record->found.value, value)) return false;
    return !type_has_priority(type) || record->found.priority == priority;
}

bool provider_has_value(const struct dns_job *job, const struct provider_record *record)
{
    return record_equals(job->type, record, job->value, job->priority);
}

static bool has_id(const struct provider_record *record, struct text id)
{
    return id.bytes > 0 && text_equal(record->found.provider_id, id);
}

/* A job carries no priorities of siblings: two of one name, type and value would be the same
 * record. */
static bool is_claimed(const struct dns_job *job, const struct provider_record *record)
{
    for (unsigned i = 0; i < job->sibling_count; i++) {
        if (job->sibling_ids != NULL && has_id(record, job->sibling_ids[i])) return true;
    }
    for (unsigned i = 0; i < job->sibling_count; i++) {
        if (rdata_equal(job->type, record->found.value, job->sibling_values[i]) &&
            !type_has_priority(job->type)) {
            return true;
        }
    }
    return false;
}

static const struct provider_record *find_id(struct text id, const struct provider_record *records,
                                             unsigned record_count)
{
    for (unsigned i = 0; i < record_count; i++) {
        if (has_id(&records[i], id)) return &records[i];
    }
    return NULL;
}

static const struct provider_record *find_value(const struct dns_job *job, bool claimed,
                                                struct text value, uint16_t priority,
                                                const struct provider_record *records,
                                                unsigned record_count)
{
    for (unsigned i = 0; i < record_count; i++) {
        if (records[i].is_other_line || is_claimed(job, &records[i]) != claimed) continue;
        if (record_equals(job->type, &records[i], value, priority)) return &records[i];
    }
    return NULL;
}

/* A call that wrote this has left, or the record says itself that it is ours. */
static bool is_written_by_us(const struct dns_job *job, const struct provider_record *record)
{
    return (job->mark.bytes > 0 && text_equal(record->remark, job->mark)) ||
           record_equals(job->type, record, job->tried_value, job->tried_priority);
}

static struct provider_plan plan_own(const struct dns_job *job, const struct provider_record *own)
{
    struct provider_plan plan = {.act = PLAN_CHANGE,
                                 .record = own,
                                 .id_after = own->found.provider_id,
                                 .is_ours = is_written_by_us(job, own),
                                 .is_same = provider_has_value(job, own)};
    bool is_nothing =
        plan.is_same && own->found.ttl == job->ttl && own->found.proxied == job->proxied;
    if (own->is_disabled) {
        plan.act = PLAN_DISABLED;
    } else if (is_nothing) {
        plan.act = PLAN_KEEP;
    }
    return plan;
}

/* Somebody else's record has our value already. Of the types that are no sets it stays as it is, TTL and all, and
 * no id is kept that a later change could go by. */
static bool is_to_be_left(const struct dns_job *job, const struct provider_record *same)
{
    return !type_is_set(job->type) && !same->is_disabled && !is_written_by_us(job, same);
}

/* Another record than our own has the value: ours goes, if we wrote it. */
static struct provider_plan plan_same(const struct dns_job *job, const struct provider_record *own,
                                      const struct provider_record *same)
{
    struct provider_plan plan = {.act = PLAN_KEEP, .is_ours = is_written_by_us(job, same)};
    if (!is_to_be_left(job, same)) {
        plan.record = same;
        plan.id_after = same->found.provider_id;
    }
    if (own != NULL && job->is_ours) {
        plan.act = PLAN_DROP_STALE;
        plan.record = own;
    }
    return plan;
}

/* None of the records is known as ours. */
static struct provider_plan plan_unknown(const struct dns_job *job,
                                         const struct provider_record *records,
                                         unsigned record_count)
{
    struct provider_plan plan = {.act = PLAN_ADD};
    unsigned claimed_count = 0;
    if (!type_is_set(job->type)) return plan;
    for (unsigned i = 0; i < record_count; i++) {
        if (records[i].is_other_line) continue;
        if (is_claimed(job, &records[i])) {
            claimed_count++;
            continue;
        }
        plan.record = &records[i];
        plan.foreign_count++;
    }
    if (plan.foreign_count > 1) {
        plan.act = PLAN_FOREIGN;
        return plan;
    }
    if (plan.foreign_count == 1 && claimed_count >= job->sibling_count) {
        return plan_own(job, plan.record);
    }
    return plan;
}

/* Whether a sibling shall have this value. */
static bool is_wanted(const struct dns_job *job, struct text value)
{
    for (unsigned i = 0; i < job->sibling_count; i++) {
        if (rdata_equal(job->type, job->sibling_values[i], value)) return true;
    }
    return false;
}

/* Whether a sibling shall have our value too, so that one record serves both. */
static bool is_shared(const struct dns_job *job)
{
    return is_wanted(job, job->value);
}

/* Whether our record has the value of a sibling that has no record of its own there. */
static bool serves_sibling(const struct dns_job *job, const struct provider_record *own,
                           const struct provider_record *records, unsigned record_count)
{
    if (type_has_priority(job->type)) return false;
    for (unsigned i = 0; i < job->sibling_count; i++) {
        struct text id = job->sibling_ids != NULL ? job->sibling_ids[i] : TEXT_NONE;
        if (rdata_equal(job->type, own->found.value, job->sibling_values[i]) &&
            find_id(id, records, record_count) == NULL) {
            return true;
        }
    }
    return false;
}

struct provider_plan provider_plan_push(const struct dns_job *job, struct text id,
                                        const struct provider_record *records,
                                        unsigned record_count)
{
    assert(job->value.bytes > 0);
    const struct provider_record *own = find_id(id, records, record_count);
    if (own != NULL && (own->is_disabled || provider_has_value(job, own))) {
        return plan_own(job, own);
    }
    bool is_left = own != NULL && serves_sibling(job, own, records, record_count);
    if (is_left) own = NULL;

    const struct provider_record *taken =
        find_value(job, true, job->value, job->priority, records, record_count);
    if (taken != NULL) {
        bool must_wait = !is_shared(job);
        bool is_stale = own != NULL && (job->is_ours || is_wanted(job, own->found.value));
        enum plan_act act = is_stale ? PLAN_DROP_STALE : must_wait ? PLAN_WAIT : PLAN_KEEP;
        return (struct provider_plan){.act = act, .record = own, .must_wait = must_wait};
    }
    const struct provider_record *same =
        find_value(job, false, job->value, job->priority, records, record_count);
    if (same != NULL && (own != NULL || is_to_be_left(job, same))) return plan_same(job, own, same);
    if (own == NULL) own = same;
    if (own == NULL && is_left) return (struct provider_plan){.act = PLAN_ADD};
    if (own == NULL) {
        own = find_value(job, false, job->previous_value, job->previous_priority, records,
                         record_count);
    }
    if (own == NULL) {
        own = find_value(job, false, job->tried_value, job->tried_priority, records, record_count);
    }
    return own != NULL ? plan_own(job, own) : plan_unknown(job, records, record_count);
}

enum provider_next provider_plan_end(const struct dns_job *job, const struct provider_plan *plan,
                                     struct text provider_title, struct dns_verdict *verdict)
{
    struct text name = provider_full_name(job);
    const char *type = dns_type_name(job->type);
    if (plan->act == PLAN_FOREIGN) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(
                job->arena,
                "%.*s has %u %s records for %.*s and none is known as homeport's, so none was "
                "changed; delete all but one there, or import the domain",
                TEXT_ARGS(provider_title), plan->foreign_count, type, TEXT_ARGS(name)));
    }
    if (plan->act == PLAN_DISABLED) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(
                job->arena,
                "the %s record %.*s is switched off at %.*s and was left alone; enable it in the "
                "console there, then sync it again",
                type, TEXT_ARGS(name), TEXT_ARGS(provider_title)));
    }
    assert(plan->act == PLAN_WAIT);
    return provider_end(verdict, CLASS_RETRY,
                        arena_print(job->arena,
                                    "another record of %.*s still has this value and changes first",
                                    TEXT_ARGS(name)));
}

const struct provider_record *provider_plan_remove(const struct dns_job *job,
                                                   const struct provider_record *records,
                                                   unsigned record_count)
{
    /* A sibling has taken it over: it stands for that one now. */
    for (unsigned i = 0; i < job->sibling_count && job->sibling_ids != NULL; i++) {
        if (job->provider_id.bytes > 0 && text_equal(job->provider_id, job->sibling_ids[i])) {
            return NULL;
        }
    }
    /* With an id only that record is ours: one made by somebody else later may have the same value.
     */
    if (job->provider_id.bytes > 0) {
        const struct provider_record *own = find_id(job->provider_id, records, record_count);
        /* A later write of ours changed it, and a sibling wants just that: that value has a removal of its own. */
        bool is_left =
            own != NULL && !provider_has_value(job, own) && is_wanted(job, own->found.value);
        return is_left ? NULL : own;
    }
    return find_value(job, false, job->value, job->priority, records, record_count);
}

struct provider_record *provider_records_read(const struct dns_job *job, yyjson_val *list,
                                              bool (*read)(const struct dns_job *job,
                                                           yyjson_val *value,
                                                           struct provider_record *record),
                                              unsigned *count)
{
    *count = 0;
    struct provider_record *records =
        arena_array(job->arena, struct provider_record, yyjson_arr_size(list) + 1);
    if (records == NULL) return NULL;
    size_t index, size;
    yyjson_val *value;
    yyjson_arr_foreach(list, index, size, value)
    {
        struct provider_record *record = &records[*count];
        if (!read(job, value, record)) continue;
        bool is_wanted =
            job->action == DNS_IMPORT ||
            (record->found.type == job->type && text_equal_fold(record->found.owner, job->owner));
        if (is_wanted) (*count)++;
    }
    return records;
}

const struct dns_found *provider_plan_found(const struct dns_job *job,
                                            const struct provider_record *records,
                                            unsigned record_count, unsigned *found_count)
{
    struct dns_found *found = arena_array(job->arena, struct dns_found, record_count + 1);
    *found_count = 0;
    if (found == NULL) return NULL;
    for (unsigned i = 0; i < record_count; i++) {
        bool is_ours = has_id(&records[i], job->provider_id);
        if (records[i].is_disabled || (records[i].is_other_line && !is_ours)) continue;
        found[(*found_count)++] = records[i].found;
    }
    return found;
}
