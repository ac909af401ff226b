/* Keeping records and their push tasks in step: every change that the provider must learn passes here. */
#include "ddns/ddns.h"

#include <assert.h>

enum { FAN_RECORDS_MAX = 100 };

bool ddns_may(const struct caller *caller, uint64_t owner_id)
{
    return caller->user_id == owner_id || caller->role >= role_operator;
}

enum err domain_of(const struct reader *reader, const struct caller *caller, uint64_t id,
                   struct domain *domain)
{
    enum err e = domain_get(reader, id, domain);
    if (e != OK) return e;
    return ddns_may(caller, domain->user_id) ? OK : ERR_NOT_FOUND;
}

enum err dns_record_of(const struct reader *reader, const struct caller *caller, uint64_t id,
                       struct dns_record *record)
{
    enum err e = dns_record_get(reader, id, record);
    if (e != OK) return e;
    return ddns_may(caller, record->user_id) ? OK : ERR_NOT_FOUND;
}

enum err source_of(const struct reader *reader, const struct caller *caller, uint64_t id,
                   struct source *source)
{
    enum err e = source_get(reader, id, source);
    if (e != OK) return e;
    return ddns_may(caller, source->user_id) ? OK : ERR_NOT_FOUND;
}

struct text name_folded(struct text name, struct arena *arena)
{
    struct text folded = arena_text_folded(arena, name);
    if (folded.bytes > 1 && folded.data[folded.bytes - 1] == '.') folded.bytes--;
    return folded;
}

/* ---- pushing -------------------------------------------------------------------------------------- */

/* An address that flaps is sent at most once in a cool-down: the second of two changes in a row waits.
 * Everything a person asks for, and the first change after it, goes at once. */
static uint64_t due_ms(const struct step *step, const struct dns_record *record,
                       enum change_reason reason, enum change_reason last_reason)
{
    uint64_t earliest = record->synced_at + step->config->ddns_cooldown * 1000;
    bool is_flapping = reason == change_reason_address && last_reason == change_reason_address;
    return is_flapping && earliest > step->now_ms ? earliest : step->now_ms;
}

static bool open_task_of(const struct step *step, const struct dns_record *record,
                         struct task *task)
{
    if (record->task_id == 0 || task_get(&step->read, record->task_id, task) != OK) return false;
    return task_is_open(task);
}

/* A push under way is let run to its answer, though nobody waits for it: what follows at the same place must not
 * overtake it. */
static void drop_task(struct step *step, struct dns_record *record)
{
    struct task task;
    if (open_task_of(step, record, &task) && task.status == task_status_pending)
        task_cancel(step, &task);
    record->task_id = 0;
}

static void make_due(struct step *step, struct dns_record *record, uint64_t due)
{
    struct task task;
    if (open_task_of(step, record, &task)) {
        /* A push under way goes on with the old value; when it ends, it finds the record grown on. */
        task.failures = 0;
        task_due(step, &task, due);
        return;
    }
    task = (struct task){.kind = task_kind_dns_push,
                         .user_id = record->user_id,
                         .target_id = record->id,
                         .lane_id = record->domain_id};
    task_new(step, &task, due);
    record->task_id = task.id;
}

void record_wants(struct step *step, struct dns_record *record, const struct domain *domain,
                  enum change_reason reason)
{
    bool is_kept = record->is_active && domain->is_active && record->value.bytes > 0;
    uint64_t due = due_ms(step, record, reason, (enum change_reason)record->reason);
    record->updated_at = step->now_ms;
    record->changed_at = step->now_ms;
    record->reason = reason;
    record->generation++;
    if (is_kept) {
        record->sync_status = sync_status_pending;
        make_due(step, record, due);
    } else {
        record->sync_status = sync_status_paused;
        drop_task(step, record);
    }
    dns_record_put(step, record);
}

/* The removal carries all it needs: neither the record nor, perhaps, its domain will be in the store. */
static void remove_pushed(struct step *step, const struct dns_record *record,
                          const struct domain *domain)
{
    struct text zone = record_encode(&domain_type, domain, TEXT_NONE, step->arena);
    struct text gone = record_encode(&dns_record_type, record, TEXT_NONE, step->arena);
    char *args = arena_alloc(step->arena, 4 + zone.bytes + gone.bytes);
    if (args == NULL) return;
    uint32_t zone_bytes = (uint32_t)zone.bytes;
    memcpy(args, &zone_bytes, 4);
    memcpy(args + 4, zone.data, zone.bytes);
    memcpy(args + 4 + zone.bytes, gone.data, gone.bytes);
    struct task task = {.kind = task_kind_dns_remove,
                        .user_id = record->user_id,
                        .target_id = record->id,
                        .lane_id = record->domain_id,
                        .args = {args, 4 + zone.bytes + gone.bytes}};
    task_new(step, &task, step->now_ms);
}

void record_unwants_tried(struct step *step, const struct dns_record *record,
                          const struct domain *domain)
{
    struct dns_record tried = *record;
    /* With an id it may have been written once more, as another record than the one of that id. */
    bool is_pushed = record->is_ours && record->provider_id.bytes == 0 &&
                     record->tried_priority == record->pushed_priority &&
                     text_equal(record->tried_value, record->pushed_value);
    if (record->tried_value.bytes == 0 || is_pushed) return;
    tried.pushed_value = record->tried_value;
    tried.pushed_priority = record->tried_priority;
    tried.is_ours = true;
    tried.provider_id =
        TEXT_NONE; /* looked for by its value: the record of that id may be another one */
    remove_pushed(step, &tried, domain);
}

void record_unwants(struct step *step, const struct dns_record *record, const struct domain *domain)
{
    if (record->is_ours && record->pushed_value.bytes > 0) remove_pushed(step, record, domain);
    record_unwants_tried(step, record, domain);
}

void record_delete(struct step *step, const struct dns_record *record, const struct domain *domain,
                   bool at_provider)
{
    struct dns_record gone = *record;
    drop_task(step, &gone);
    if (at_provider) record_unwants(step, record, domain);
    dns_record_remove(step, record->id);
}

void task_on_cancelled(struct step *step, const struct task *task)
{
    struct dns_record record;
    if (task->kind != task_kind_dns_push ||
        dns_record_get(&step->read, task->target_id, &record) != OK)
        return;
    record.sync_status = sync_status_error;
    record.last_error =
        TEXT("The push was called off; change the record or ask for a sync to try again");
    record.task_id = 0;
    dns_record_put(step, &record);
}

/* ---- following an address ------------------------------------------------------------------------- */

struct text record_value_of(const struct dns_record *record, struct text address,
                            struct arena *arena)
{
    struct ip_address ip;
    char out[IP_TEXT_SIZE];
    uint8_t family = record->type == dns_record_type_A      ? 4
                     : record->type == dns_record_type_AAAA ? 6
                                                            : 0;
    if (!ip_parse(address, &ip) || ip.family != family) return TEXT_NONE;
    if (record->ipv6_suffix.bytes > 0 && !ip_prefix_combine(&ip, record->ipv6_suffix, &ip))
        return TEXT_NONE;
    return arena_text(arena, ip_format(&ip, out));
}

void record_follow(struct step *step, struct dns_record *record, struct text address)
{
    struct domain domain;
    struct text value = record_value_of(record, address, step->arena);
    if (value.bytes == 0 || text_equal(value, record->value)) return;
    if (domain_get(&step->read, record->domain_id, &domain) != OK) return;
    record->value = value;
    record_wants(step, record, &domain, change_reason_address);
}

/* ---- all records of a source, of a domain ---------------------------------------------------------- */

/* Calls `each` for at most FAN_RECORDS_MAX records behind the task's cursor; ends the task at the end. */
static enum err fan(struct step *step, struct task *task, const struct record_index *index,
                    const struct dns_record *like, const void *context,
                    void (*each)(struct step *step, struct dns_record *record, const void *context))
{
    struct walk walk;
    struct dns_record record;
    uint64_t ids[FAN_RECORDS_MAX];
    unsigned count = 0;
    walk_begin(&walk, &step->read, index, like, task->cursor, false);
    while (count < FAN_RECORDS_MAX && walk_next(&walk, &ids[count])) count++;
    walk_end(&walk);
    for (unsigned i = 0; i < count; i++) {
        if (dns_record_get(&step->read, ids[i], &record) == OK) each(step, &record, context);
    }
    if (count < FAN_RECORDS_MAX) {
        task_complete(step, task, TEXT_NONE);
    } else {
        /* The rest in later turns: the first pushes go out now, and other requests are not kept waiting. */
        task->cursor = ids[count - 1];
        task_again(step, task, step->now_ms + 1);
    }
    return OK;
}

static void follow_source(struct step *step, struct dns_record *record, const void *context)
{
    const struct source *source = context;
    if (record->dynamic) record_follow(step, record, source->address);
}

enum err source_fan_run(struct step *step, struct task *task)
{
    struct source source;
    if (source_get(&step->read, task->target_id, &source) != OK) {
        task_complete(step, task, TEXT("The source is gone"));
        return OK;
    }
    return fan(step, task, &dns_record_by_source, &(struct dns_record){.source_id = source.id},
               &source, follow_source);
}

static void look_again(struct step *step, struct dns_record *record, const void *context)
{
    record->last_error = TEXT_NONE;
    record_wants(step, record, context, change_reason_forced);
}

enum err domain_fan_run(struct step *step, struct task *task)
{
    struct domain domain;
    if (domain_get(&step->read, task->target_id, &domain) != OK) {
        task_complete(step, task, TEXT("The domain is gone"));
        return OK;
    }
    /* First what the provider has refused to take away (generation 0), then the records. */
    if (task->generation == 0) {
        bool has_more = task_wake_refused(step, domain.id, &task->cursor);
        if (!has_more) {
            task->generation = 1;
            task->cursor = 0;
        }
        task_again(step, task, step->now_ms + has_more);
        return OK;
    }
    return fan(step, task, &dns_record_by_domain, &(struct dns_record){.domain_id = domain.id},
               &domain, look_again);
}

/* What a purge goes by, as the domain itself is gone: at_provider, and the domain's stored form behind it. */
static void purge(struct step *step, struct dns_record *record, const void *context)
{
    const struct text *args = context;
    struct domain domain;
    if (record_decode(&domain_type, (struct text){args->data + 1, args->bytes - 1}, &domain) != OK)
        return;
    record_delete(step, record, &domain, args->data[0] != 0);
}

enum err domain_purge_run(struct step *step, struct task *task)
{
    return fan(step, task, &dns_record_by_domain,
               &(struct dns_record){.domain_id = task->target_id}, &task->args, purge);
}

void domain_purge_start(struct step *step, const struct domain *domain, bool at_provider)
{
    struct text stored = record_encode(&domain_type, domain, TEXT_NONE, step->arena);
    char *args = arena_alloc(step->arena, 1 + stored.bytes);
    if (args == NULL) return;
    args[0] = at_provider ? 1 : 0;
    memcpy(args + 1, stored.data, stored.bytes);
    struct task task = {.kind = task_kind_domain_purge,
                        .user_id = domain->user_id,
                        .target_id = domain->id,
                        .lane_id = domain->user_id,
                        .args = {args, 1 + stored.bytes}};
    task_new(step, &task, step->now_ms);
}

/* In a lane of its own: the domain's may be full of pushes that wait for a provider that is down. */
void domain_fan_start(struct step *step, const struct domain *domain)
{
    struct task task = {
        .kind = task_kind_domain_fan, .user_id = domain->user_id, .target_id = domain->id};
    task.lane_id = domain->user_id;
    task_new(step, &task, step->now_ms);
}
