#include "ddns/place.h"

enum { WAIT_MS = 250, SIBLINGS_MAX = 64 };

/* Stands for a name and type of a domain (FNV-1a); never 0. */
static uint64_t place_of(const struct dns_record *record)
{
    uint64_t place = UINT64_C(14695981039346656037) ^ record->type;
    for (size_t i = 0; i < record->name.bytes; i++) {
        place = (place ^ (uint8_t)ascii_lower(record->name.data[i])) * UINT64_C(1099511628211);
    }
    return place | 1;
}

bool place_is_same(const struct dns_record *a, const struct dns_record *b)
{
    return a->type == b->type && text_equal_fold(a->name, b->name);
}

bool place_is_taken(struct step *step, struct task *task, const struct dns_record *record)
{
    struct walk walk;
    struct task other;
    uint64_t id, place = place_of(record), failures = task->failures;
    struct text error = task->error_message;
    bool is_taken = false;
    walk_begin(&walk, &step->read, &task_by_running, &(struct task){.running_lane = task->lane_id},
               0, false);
    while (!is_taken && walk_next(&walk, &id)) {
        is_taken =
            id != task->id && task_get(&step->read, id, &other) == OK && other.place == place;
    }
    walk_end(&walk);
    task->place = place;
    task_put(step, task);
    if (!is_taken) return false;
    task->attempts--;
    task_again(step, task, step->now_ms + WAIT_MS);
    task->failures = failures;
    task->error_message = error;
    task_put(step, task);
    return true;
}

/* ---- what leaves ---------------------------------------------------------------------------------- */

static bool is_tried(const struct dns_record *record, struct text value, uint64_t priority)
{
    return record->tried_priority == priority && text_equal(record->tried_value, value);
}

/* What was sent before and never confirmed is taken away when it is another. */
static void note_tried(struct step *step, struct dns_record *record, struct text value,
                       uint64_t priority, const struct domain *domain)
{
    if (is_tried(record, value, priority)) return;
    record_unwants_tried(step, record, domain);
    record->tried_value = value;
    record->tried_priority = priority;
    dns_record_put(step, record);
}

/* A write of a whole set sends the values of the siblings as well, perhaps before they do so themselves; and a
 * value of ours that a sibling has taken over from this record is left standing for it. */
static void note_siblings(struct step *step, const struct dns_record *record,
                          const struct domain *domain, bool is_whole_set)
{
    struct walk walk;
    struct dns_record other;
    uint64_t id;
    walk_begin(&walk, &step->read, &dns_record_by_name, record, 0, false);
    for (unsigned i = 0; i < SIBLINGS_MAX && walk_next(&walk, &id);) {
        if (id == record->id || dns_record_get(&step->read, id, &other) != OK) continue;
        if (other.type != record->type || !other.is_active || other.value.bytes == 0) continue;
        i++;
        bool is_left_to_it = record->is_ours && rdata_equal((enum dns_type)record->type,
                                                            other.value, record->pushed_value);
        if (!is_whole_set && !is_left_to_it) continue;
        if (!other.is_ours || !text_equal(other.value, other.pushed_value))
            note_tried(step, &other, other.value, other.priority, domain);
    }
    walk_end(&walk);
}

bool place_write_leaves(struct step *step, struct task *task, const struct domain *domain,
                        const struct dns_record *pushed, bool is_whole_set, bool *was_tried)
{
    struct dns_record record;
    if (dns_record_get(&step->read, pushed->id, &record) != OK || record.task_id != task->id) {
        task_complete(step, task, TEXT("The record is gone"));
        return false;
    }
    if (!place_is_same(&record, pushed)) {
        task_again(step, task, step->now_ms);
        return false;
    }
    *was_tried = is_tried(&record, pushed->value, pushed->priority);
    note_tried(step, &record, pushed->value, pushed->priority, domain);
    note_siblings(step, &record, domain, is_whole_set);
    return true;
}

void place_value_left(struct step *step, const struct domain *domain,
                      const struct dns_record *record)
{
    note_siblings(step, record, domain, false);
}

void place_write_refused(struct step *step, const struct dns_record *pushed)
{
    struct dns_record record;
    bool is_noted = dns_record_get(&step->read, pushed->id, &record) == OK &&
                    place_is_same(&record, pushed) &&
                    is_tried(&record, pushed->value, pushed->priority);
    if (!is_noted) return;
    record.tried_value = TEXT_NONE;
    record.tried_priority = 0;
    dns_record_put(step, &record);
}

void place_has_id(struct step *step, const struct dns_record *record)
{
    struct walk walk;
    struct dns_record other;
    uint64_t id;
    if (record->provider_id.bytes == 0) return;
    walk_begin(&walk, &step->read, &dns_record_by_name, record, 0, false);
    while (walk_next(&walk, &id)) {
        bool is_holder = id != record->id && dns_record_get(&step->read, id, &other) == OK &&
                         other.type == record->type &&
                         text_equal(other.provider_id, record->provider_id);
        if (!is_holder) continue;
        other.provider_id = TEXT_NONE;
        other.is_ours = false;
        dns_record_put(step, &other);
    }
    walk_end(&walk);
}

/* ---- what is taken away --------------------------------------------------------------------------- */

bool place_wants_again(struct step *step, const struct domain *domain,
                       const struct dns_record *gone)
{
    struct walk walk;
    struct dns_record other;
    uint64_t id;
    bool is = false, has_priority = gone->type == DNS_MX || gone->type == DNS_SRV;
    walk_begin(&walk, &step->read, &dns_record_by_name, gone, 0, false);
    while (!is && walk_next(&walk, &id)) {
        if (dns_record_get(&step->read, id, &other) != OK || other.type != gone->type ||
            !other.is_active)
            continue;
        is = rdata_equal((enum dns_type)gone->type, other.value, gone->pushed_value) &&
             (!has_priority || other.priority == gone->pushed_priority);
    }
    walk_end(&walk);
    if (is) note_tried(step, &other, gone->pushed_value, gone->pushed_priority, domain);
    return is;
}
