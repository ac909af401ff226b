/* What is at the provider against what homeport keeps: the same rules that a push goes by, told beforehand. */
#include "cli/plan.h"
#include "ddns/provider_plan.h"

enum { TTL_ONE_DAY = 86400, TTL_AUTOMATIC = 1, TTL_CLOUDFLARE_MIN = 60 };

static bool has_priority(enum dns_type type)
{
    return type == DNS_MX || type == DNS_SRV;
}

/* Types of which homeport keeps a name's whole set. */
static bool is_set(enum dns_type type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_CNAME;
}

static struct text value_shown(const struct dns_job *job, struct text value, uint16_t priority)
{
    if (!has_priority(job->type)) return value;
    return arena_print(job->arena, "%u %.*s", (unsigned)priority, TEXT_ARGS(value));
}

static struct finding create(const struct dns_job *job)
{
    return (struct finding){OUTCOME_CREATE, value_shown(job, job->value, job->priority)};
}

static struct finding change(const struct dns_job *job, struct text before)
{
    struct text after = value_shown(job, job->value, job->priority);
    return (struct finding){OUTCOME_CHANGE, arena_print(job->arena, "%.*s -> %.*s",
                                                        TEXT_ARGS(before), TEXT_ARGS(after))};
}

/* The value is there. Providers raise a TTL that is too short for them and lower one that is too long. */
static struct finding compare_rest(const struct provider *provider, const struct dns_job *job,
                                   const struct dns_found *found)
{
    uint32_t ttl = job->ttl;
    bool is_cloudflare = text_equal(provider->name, TEXT("cloudflare"));
    struct text value = value_shown(job, job->value, job->priority);
    uint32_t ttl_min = is_cloudflare ? TTL_CLOUDFLARE_MIN : provider->ttl_min;
    if (ttl < ttl_min && ttl != TTL_AUTOMATIC) ttl = ttl_min;
    if (ttl > TTL_ONE_DAY && found->ttl == TTL_ONE_DAY) ttl = TTL_ONE_DAY;
    if (is_cloudflare && is_set(job->type) && found->proxied != job->proxied) {
        return (struct finding){
            OUTCOME_CHANGE, arena_print(job->arena, "%.*s %s", TEXT_ARGS(value),
                                        job->proxied ? "direct -> proxied" : "proxied -> direct")};
    }
    if (found->ttl != ttl && !found->proxied) {
        return (struct finding){OUTCOME_CHANGE,
                                arena_print(job->arena, "%.*s ttl %u -> %u", TEXT_ARGS(value),
                                            (unsigned)found->ttl, (unsigned)ttl)};
    }
    return (struct finding){OUTCOME_SAME, value};
}

/* A provider with ids: its records one by one, by the rules of provider_plan.h. */
static struct finding compare_listed(const struct provider *provider, const struct dns_job *job,
                                     const struct dns_verdict *verdict)
{
    struct dns_verdict refusal = {.retry_after_ms = -1};
    struct provider_record *records =
        arena_array(job->arena, struct provider_record, verdict->found_count);
    if (records == NULL) return (struct finding){OUTCOME_ERROR, TEXT("not enough memory")};
    for (unsigned i = 0; i < verdict->found_count; i++) {
        records[i].found = verdict->found[i];
        records[i].found.ttl = job->ttl; /* compare_rest() knows better */
        records[i].found.proxied = job->proxied;
    }
    struct provider_plan plan =
        provider_plan_push(job, job->provider_id, records, verdict->found_count);
    switch (plan.act) {
    case PLAN_KEEP:
        if (plan.record == NULL) break;
        return compare_rest(provider, job, &verdict->found[plan.record - records]);
    case PLAN_CHANGE:
    case PLAN_DROP_STALE:
        return change(job, value_shown(job, plan.record->found.value, plan.record->found.priority));
    case PLAN_ADD:
    case PLAN_WAIT: return create(job);
    case PLAN_DISABLED:
    case PLAN_FOREIGN:
        provider_plan_end(job, &plan, provider->title, &refusal);
        return (struct finding){OUTCOME_ERROR, refusal.detail};
    }
    return (struct finding){OUTCOME_SAME, value_shown(job, job->value, job->priority)};
}

static bool is_a_siblings(const struct dns_job *job, const struct dns_found *found)
{
    for (unsigned i = 0; i < job->sibling_count; i++) {
        if (rdata_equal(job->type, found->value, job->sibling_values[i])) return true;
    }
    return false;
}

static bool is_value(const struct dns_job *job, const struct dns_found *found, struct text value,
                     uint16_t priority)
{
    if (value.bytes == 0 || !rdata_equal(job->type, found->value, value)) return false;
    return !has_priority(job->type) || found->priority == priority;
}

/* A DNS server knows no ids: a push makes the set of an address or alias what homeport has, and exchanges its
 * own value among those of the other types. */
static struct finding compare_set(const struct provider *provider, const struct dns_job *job,
                                  const struct dns_verdict *verdict)
{
    const struct dns_found *ours = NULL, *previous = NULL;
    struct text all = TEXT_NONE;
    unsigned others = 0;
    for (unsigned i = 0; i < verdict->found_count; i++) {
        const struct dns_found *found = &verdict->found[i];
        bool is_ours = is_value(job, found, job->value, job->priority);
        if (is_ours) ours = found;
        if (is_value(job, found, job->previous_value, job->previous_priority)) previous = found;
        if (!is_ours && is_a_siblings(job, found)) continue;
        if (!is_ours) others++;
        all = arena_print(job->arena, "%.*s%s%.*s", TEXT_ARGS(all), all.bytes > 0 ? ", " : "",
                          TEXT_ARGS(found->value));
    }
    if (is_set(job->type) && others > 0) return change(job, all);
    if (ours != NULL) return compare_rest(provider, job, ours);
    if (!is_set(job->type) && previous != NULL) {
        return change(job, value_shown(job, previous->value, previous->priority));
    }
    return create(job);
}

struct finding plan_compare(const struct provider *provider, const struct dns_job *job,
                            const struct dns_verdict *verdict)
{
    if (verdict->class != CLASS_OK && verdict->class != CLASS_UNCHANGED) {
        bool is_said = verdict->detail.bytes > 0;
        return (struct finding){OUTCOME_ERROR, is_said
                                                   ? verdict->detail
                                                   : TEXT("the provider refused without a reason")};
    }
    if (verdict->found_count == 0) return create(job);
    return verdict->found[0].provider_id.bytes > 0 ? compare_listed(provider, job, verdict)
                                                   : compare_set(provider, job, verdict);
}
