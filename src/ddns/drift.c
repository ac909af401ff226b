/* Drift: somebody changed a record at the provider. Import: what the provider has is brought in. */
#include "ddns/ddns.h"

/* ---- drift ---------------------------------------------------------------------------------------- */

void check_schedule(struct step *step, struct domain *domain)
{
    const struct provider *provider = provider_find(domain->provider);
    if (provider == NULL || !provider->can_list || step->config->ddns_drift_interval == 0) return;
    struct task task = {.kind = task_kind_dns_check,
                        .user_id = domain->user_id,
                        .target_id = domain->id,
                        .lane_id = domain->id};
    task_new(step, &task, step->now_ms + step->config->ddns_drift_interval * 1000);
    domain->check_task = task.id;
}

static bool has_priority(const struct dns_record *record)
{
    return record->type == dns_record_type_MX || record->type == dns_record_type_SRV;
}

/* The found one that is the record's value; NULL when there is none. */
static const struct dns_found *find_ours(const struct dns_record *record,
                                         const struct dns_verdict *verdict)
{
    for (unsigned i = 0; i < verdict->found_count; i++) {
        const struct dns_found *found = &verdict->found[i];
        if (has_priority(record) && found->priority != record->priority) continue;
        if (rdata_equal((enum dns_type)record->type, record->value, found->value)) return found;
    }
    return NULL;
}

/* What the provider has instead; empty when it has what it should. A TTL counts where it is kept as it was given,
 * on a DNS server: services with ids raise and lower it by rules of their own, and would be corrected for ever. So
 * would two records of one name that are to have different TTLs, for DNS keeps one of them (RFC 2181, 5.2). */
static struct text difference(struct step *step, const struct dns_record *record,
                              const struct dns_verdict *verdict)
{
    const struct dns_found *ours = find_ours(record, verdict);
    if (ours == NULL && verdict->found_count == 0) return TEXT("nothing");
    if (ours == NULL) {
        struct text there = verdict->found[0].value;
        if (there.bytes > 200) there.bytes = 200;
        if (!has_priority(record)) return there;
        return arena_print(step->arena, "%u %.*s", (unsigned)verdict->found[0].priority,
                           TEXT_ARGS(there));
    }
    bool is_ttl_kept = ours->provider_id.bytes == 0 && verdict->found_count == 1;
    if (!is_ttl_kept || ours->ttl == record->ttl) return TEXT_NONE;
    return arena_print(step->arena, "the TTL %u", (unsigned)ours->ttl);
}

static void drifted(struct step *step, struct dns_record *record, const struct domain *domain,
                    struct text there)
{
    if (domain->on_drift == on_drift_correct) {
        record_wants(step, record, domain, change_reason_drift);
        return;
    }
    struct text error = arena_print(
        step->arena, "The provider has %.*s; sync the record to put it right", TEXT_ARGS(there));
    if (record->sync_status == sync_status_drifted && text_equal(record->last_error, error)) return;
    record->sync_status = sync_status_drifted;
    record->last_error = error;
    dns_record_put(step, record);
}

enum err check_finished(struct step *step, struct task *task, const struct domain *domain,
                        struct text snapshot, const struct dns_verdict *verdict)
{
    struct dns_record record, checked;
    if (verdict->class != CLASS_OK && verdict->class != CLASS_UNCHANGED) {
        task_retry(step, task, arena_text(step->arena, verdict->detail), verdict->retry_after_ms);
        return OK;
    }
    bool is_same = record_decode(&dns_record_type, snapshot, &checked) == OK &&
                   dns_record_get(&step->read, checked.id, &record) == OK &&
                   record.generation == checked.generation;
    bool is_settled = is_same && (record.sync_status == sync_status_synced ||
                                  record.sync_status == sync_status_drifted);
    struct text there = is_settled ? difference(step, &record, verdict) : TEXT_NONE;
    if (there.bytes > 0) {
        drifted(step, &record, domain, there);
    } else if (is_settled && record.sync_status == sync_status_drifted) {
        record.sync_status = sync_status_synced;
        record.last_error = TEXT_NONE;
        dns_record_put(step, &record);
    }
    task_again(step, task, step->now_ms);
    return OK;
}

/* ---- import --------------------------------------------------------------------------------------- */

/* The record that stands for this one already, if there is one. */
static bool find_known(struct step *step, const struct domain *domain,
                       const struct dns_found *found, struct dns_record *known)
{
    struct walk walk;
    uint64_t id;
    bool is_known = false;
    struct dns_record like = {.domain_id = domain->id, .name = found->owner};
    walk_begin(&walk, &step->read, &dns_record_by_name, &like, 0, false);
    while (!is_known && walk_next(&walk, &id)) {
        is_known = dns_record_get(&step->read, id, known) == OK &&
                   known->type == (uint32_t)found->type &&
                   rdata_equal(found->type, known->value, found->value);
    }
    walk_end(&walk);
    return is_known;
}

static void bring_in(struct step *step, const struct domain *domain, const struct dns_found *found)
{
    struct dns_record record = {
        .id = step_id(step),
        .domain_id = domain->id,
        .user_id = domain->user_id,
        .name = arena_text(step->arena, found->owner),
        .type = (uint32_t)found->type,
        .value = arena_text(step->arena, found->value),
        .ttl = found->ttl > 0 ? found->ttl : 600,
        .priority = found->priority,
        .proxied = found->proxied,
        .is_active = true,
        .sync_status = sync_status_synced,
        .synced_at = step->now_ms,
        .created_at = step->now_ms,
        .updated_at = step->now_ms,
        .changed_at = step->now_ms,
        .reason = change_reason_imported,
        .provider_id = arena_text(step->arena, found->provider_id),
        .generation = 1,
    };
    record.pushed_value = record.value;
    record.pushed_priority = record.priority;
    dns_record_put(step, &record);
    dns_history_put(step, &(struct dns_history){
                              .id = step_id(step),
                              .record_id = record.id,
                              .value = record.value,
                              .reason = change_reason_imported,
                              .result = push_result_unchanged,
                              .decided_at = step->now_ms,
                              .finished_at = step->now_ms,
                          });
}

void import_found(struct step *step, const struct domain *domain, const struct dns_found *found,
                  unsigned count, struct task *task)
{
    struct dns_record known;
    for (unsigned i = 0; i < count; i++) {
        /* The zone's own name servers are the provider's business. */
        bool is_zone_server = found[i].type == DNS_NS && text_equal(found[i].owner, TEXT("@"));
        if (is_zone_server || !dns_type_has_rdata(found[i].type)) continue;
        if (!find_known(step, domain, &found[i], &known)) {
            bring_in(step, domain, &found[i]);
            task->cursor++; /* counts what was brought in */
        } else if (known.provider_id.bytes == 0 && found[i].provider_id.bytes > 0) {
            known.provider_id = arena_text(step->arena, found[i].provider_id);
            dns_record_put(step, &known);
        }
    }
}
