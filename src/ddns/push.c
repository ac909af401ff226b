/* Pushes and removals: one question to a provider after the other until it gives its verdict.
 *
 * Between two questions nothing waits in memory: the provider's memo and the record as it was when the push
 * began travel with the call and come back with its answer. So an edit in the middle of a push cannot mix
 * old and new values: the push ends with the old one, sees that the record has grown on, and goes again. */
#include "ddns/ddns.h"

#include <assert.h>

#include "core/outside.h"
#include "core/turn.h"
#include "core/url.h"
#include "ddns/place.h"

enum {
    SIBLINGS_MAX = 64,
    ANSWER_BYTES_MAX = 1 << 20,
    TRANSFER_BYTES_MAX = 8 << 20,
    REFUSED_WAIT_MS = 6 * 3600 * 1000,
    REFUSED_DAYS = 30
};
static const uint64_t day_ms = 86400000;

/* ---- the job -------------------------------------------------------------------------------------- */

static struct text endpoint_of(const struct config *config, struct text provider)
{
    struct text base = TEXT_NONE;
    if (text_equal(provider, TEXT("alidns"))) base = config->ddns_alidns_endpoint;
    if (text_equal(provider, TEXT("cloudflare"))) base = config->ddns_cloudflare_endpoint;
    return url_base(base);
}

/* Other active records of the same name and type: what stands beside our value in the set. */
static void add_siblings(const struct job_context *context, const struct dns_record *record,
                         struct dns_job *job)
{
    struct walk walk;
    struct dns_record other;
    uint64_t id;
    struct text *values = arena_array(context->arena, struct text, SIBLINGS_MAX);
    struct text *ids = arena_array(context->arena, struct text, SIBLINGS_MAX);
    if (values == NULL || ids == NULL) return;
    walk_begin(&walk, context->read, &dns_record_by_name, record, 0, false);
    while (job->sibling_count < SIBLINGS_MAX && walk_next(&walk, &id)) {
        if (dns_record_get(context->read, id, &other) != OK) continue;
        /* What is to be removed has left its record, so that one counts as well. */
        if (id == record->id && job->action != DNS_REMOVE) continue;
        if (other.type != record->type || !other.is_active || other.value.bytes == 0) continue;
        values[job->sibling_count] = other.value;
        ids[job->sibling_count++] = other.provider_id;
    }
    walk_end(&walk);
    job->sibling_values = values;
    job->sibling_ids = ids;
}

bool job_prepare(const struct job_context *context, enum dns_action action,
                 const struct domain *domain, const struct dns_record *record, struct dns_job *job)
{
    struct user owner;
    bool is_known = user_get(context->read, domain->user_id, &owner) == OK;
    *job = (struct dns_job){
        .action = action,
        .arena = context->arena,
        .now_ms = context->now_ms,
        .zone = domain->name,
        .endpoint = endpoint_of(context->config, domain->provider),
        .mark = context->config->ddns_mark,
        .user_agent = TEXT("homeport/" HOMEPORT_VERSION),
        .timeout_ms = context->config->net_timeout * 1000,
        .allow_private = is_known && owner.role >= role_admin,
    };
    memcpy(job->nonce, context->nonce, sizeof job->nonce);
    if (!secrets_open(context->secrets, domain->id, domain->credentials, context->arena,
                      &job->credentials))
        return false;
    if (record == NULL) return true;
    job->owner = record->name;
    job->type = (enum dns_type)record->type;
    job->value = action == DNS_REMOVE ? record->pushed_value : record->value;
    job->priority = (uint16_t)(action == DNS_REMOVE ? record->pushed_priority : record->priority);
    job->ttl = (uint32_t)record->ttl;
    job->proxied = record->proxied;
    job->previous_value = record->is_ours ? record->pushed_value : TEXT_NONE;
    job->previous_priority = (uint16_t)record->pushed_priority;
    job->tried_value = action == DNS_PUSH ? record->tried_value : TEXT_NONE;
    job->tried_priority = (uint16_t)record->tried_priority;
    job->provider_id = record->provider_id;
    job->is_ours = record->is_ours;
    add_siblings(context, record, job);
    /* What we had before may be what another record has now: then it is not ours to take away. */
    for (unsigned i = 0; i < job->sibling_count; i++) {
        if (rdata_equal(job->type, job->sibling_values[i], job->previous_value)) {
            job->previous_value = TEXT_NONE;
        }
    }
    return true;
}

/* ---- a round -------------------------------------------------------------------------------------- */

void push_send(struct step *step, const struct task *task, const struct dns_memo *memo,
               struct text snapshot, const struct provider_call *call, uint64_t delay_ms)
{
    size_t bytes = sizeof *memo + snapshot.bytes;
    char *carried = arena_alloc(step->arena, bytes);
    if (carried == NULL) return;
    memcpy(carried, memo, sizeof *memo);
    if (snapshot.bytes > 0) memcpy(carried + sizeof *memo, snapshot.data, snapshot.bytes);
    struct outside_call out = {.task_id = task->id,
                               .part = memo->round,
                               .memo = {carried, bytes},
                               .is_dns = call->is_dns,
                               .delay_ms = delay_ms};
    if (call->is_dns) {
        out.server = call->dns.server;
        out.body = call->dns.message;
        out.by_tcp = call->dns.by_tcp;
        out.timeout_ms = call->dns.timeout_ms;
        out.is_transfer = call->dns.is_complete != NULL;
        out.answer_max =
            call->dns.answer_bytes_max != 0 ? call->dns.answer_bytes_max : TRANSFER_BYTES_MAX;
    } else {
        out.method = call->http.method;
        out.url = call->http.url;
        out.fields = call->http.fields;
        out.body = call->http.body;
        out.timeout_ms = call->http.timeout_ms;
        out.answer_max =
            call->http.answer_bytes_max != 0 ? call->http.answer_bytes_max : ANSWER_BYTES_MAX;
        out.family = call->http.family;
        out.is_guarded = call->http.is_guarded;
    }
    emit_ask(step, &out);
}

static struct text error_of(struct step *step, const struct dns_verdict *verdict)
{
    struct text error = arena_text(
        step->arena, verdict->detail.bytes > 0 ? verdict->detail
                                               : TEXT("The provider refused without a reason"));
    return utf8_front(error, 1024);
}

bool push_failed(struct step *step, struct task *task, const struct domain *domain,
                 const struct dns_verdict *verdict, struct text *error)
{
    *error = error_of(step, verdict);
    core_figures(step->core)->pushes_failed++;
    core_figures(step->core)->last_push_ok = false;
    if (verdict->class == CLASS_AUTH || verdict->class == CLASS_FATAL) {
        task_fail(step, task, *error);
        return true;
    }
    int64_t wait = verdict->retry_after_ms;
    if (wait < 0 && verdict->class == CLASS_THROTTLED) wait = 30000;
    if (wait > 3600000) wait = 3600000;
    wait = (int64_t)task_retry(step, task, *error, wait);
    /* Who asks us to slow down means the whole account, not this one name. */
    if (verdict->class == CLASS_THROTTLED)
        lane_hold(step, domain->id, step->now_ms + (uint64_t)wait);
    return false;
}

static void add_history(struct step *step, const struct task *task, const struct dns_record *pushed,
                        enum push_result result, struct text answer, struct text error)
{
    if (answer.bytes > 256) answer.bytes = 256;
    dns_history_put(step, &(struct dns_history){
                              .id = step_id(step),
                              .record_id = pushed->id,
                              .value = pushed->value,
                              .reason = pushed->reason,
                              .result = result,
                              .decided_at = pushed->changed_at,
                              .finished_at = step->now_ms,
                              .duration_ms = step->now_ms - pushed->changed_at,
                              .attempts = task->failures + 1,
                              .answer = answer,
                              .error = error,
                          });
}

/* The provider has the value; or no longer wants to hear of it. */
static void push_succeeded(struct step *step, struct task *task, const struct domain *domain,
                           struct dns_record *record, const struct dns_record *pushed,
                           const struct dns_verdict *verdict)
{
    bool is_written = verdict->class == CLASS_OK || verdict->has_written;
    /* Renamed meanwhile: what was written under the old name has its removal waiting. */
    if (place_is_same(record, pushed)) {
        bool is_other = !text_equal(record->provider_id, verdict->provider_id);
        bool is_tried = record->tried_priority == pushed->priority &&
                        text_equal(record->tried_value, pushed->value);
        /* Nothing had to be written, and what was tried before may stand there beside it. */
        if (!is_tried) record_unwants_tried(step, record, domain);
        if (!text_equal(record->pushed_value, pushed->value))
            place_value_left(step, domain, record);
        record->is_ours =
            verdict->has_written || verdict->is_ours || (record->is_ours && !is_other);
        record->provider_id = arena_text(step->arena, verdict->provider_id);
        record->pushed_value = pushed->value;
        record->pushed_priority = pushed->priority;
        record->tried_value = TEXT_NONE;
        record->tried_priority = 0;
        place_has_id(step, record);
    }
    record->synced_at = step->now_ms;
    record->last_error = TEXT_NONE;
    add_history(step, task, pushed, is_written ? push_result_ok : push_result_unchanged,
                verdict->answer, TEXT_NONE);
    struct core_figures *figures = core_figures(step->core);
    *(is_written ? &figures->pushes_ok : &figures->pushes_unchanged) += 1;
    figures->last_push_ok = true;
    if (record->generation != pushed->generation) {
        bool is_address = record->reason == change_reason_address;
        task_again(step, task,
                   step->now_ms + (is_address ? step->config->ddns_cooldown * 1000 : 0));
    } else {
        record->sync_status = sync_status_synced;
        record->task_id = 0;
        task_complete(step, task,
                      is_written ? TEXT("Pushed") : TEXT("The provider had it already"));
    }
    dns_record_put(step, record);
}

static void push_ended(struct step *step, struct task *task, struct domain *domain,
                       const struct dns_record *pushed, const struct dns_verdict *verdict)
{
    struct dns_record record;
    struct text error;
    if (dns_record_get(&step->read, pushed->id, &record) != OK || record.task_id != task->id) {
        task_complete(step, task, TEXT("The record is gone"));
        return;
    }
    if (verdict->class == CLASS_OK || verdict->class == CLASS_UNCHANGED) {
        push_succeeded(step, task, domain, &record, pushed, verdict);
        return;
    }
    bool is_over = push_failed(step, task, domain, verdict, &error);
    record.last_error = error;
    if (is_over) {
        record.sync_status = sync_status_error;
        record.task_id = 0;
        add_history(step, task, pushed, push_result_failed, verdict->answer, error);
    }
    if (is_over && record.generation != pushed->generation)
        record_wants(step, &record, domain, record.reason);
    dns_record_put(step, &record);
    if (verdict->class == CLASS_AUTH && !text_equal(domain->last_error, error)) {
        domain->last_error = error; /* the others need not try these credentials as well */
        domain_put(step, domain);
    }
}

/* What was refused stands at the provider still, and there is no record left that somebody could sync: so the removal
 * waits until the domain has other credentials, looks by itself four times a day, and gives up after a month. */
static void remove_ended(struct step *step, struct task *task, const struct domain *domain,
                         const struct dns_verdict *verdict)
{
    struct text error;
    bool is_refused = verdict->class == CLASS_AUTH || verdict->class == CLASS_FATAL;
    if (verdict->class == CLASS_OK || verdict->class == CLASS_UNCHANGED ||
        verdict->class == CLASS_GONE) {
        task_complete(step, task, TEXT("Removed at the provider"));
    } else if (is_refused && step->now_ms < task->created_at + REFUSED_DAYS * day_ms) {
        core_figures(step->core)->pushes_failed++;
        core_figures(step->core)->last_push_ok = false;
        task_refused(step, task, error_of(step, verdict), REFUSED_WAIT_MS);
    } else {
        push_failed(step, task, domain, verdict, &error);
    }
}

/* What a task works on: its domain, and the record as it was when the work began. */
struct work {
    enum dns_action action;
    struct domain domain;
    struct dns_record record;
    struct text snapshot; /* the record's stored form, empty for an import */
};

static bool work_from_args(const struct task *task, struct work *work)
{
    uint32_t zone_bytes;
    if (task->args.bytes < 4) return false;
    memcpy(&zone_bytes, task->args.data, 4);
    if (zone_bytes > task->args.bytes - 4) return false;
    struct text zone = {task->args.data + 4, zone_bytes};
    work->snapshot = (struct text){zone.data + zone_bytes, task->args.bytes - 4 - zone_bytes};
    return record_decode(&domain_type, zone, &work->domain) == OK;
}

static bool work_of(struct step *step, const struct task *task, struct text snapshot,
                    struct work *work)
{
    static const enum dns_action actions[] = {[task_kind_dns_push] = DNS_PUSH,
                                              [task_kind_dns_remove] = DNS_REMOVE,
                                              [task_kind_dns_check] = DNS_CHECK,
                                              [task_kind_dns_import] = DNS_IMPORT};
    *work = (struct work){.action = actions[task->kind], .snapshot = snapshot};
    if (task->kind == task_kind_dns_remove) {
        struct domain now;
        if (!work_from_args(task, work)) return false;
        /* Its credentials may be others since. */
        if (domain_get(&step->read, task->lane_id, &now) == OK) work->domain = now;
    } else {
        uint64_t domain_id = task->lane_id;
        if (domain_get(&step->read, domain_id, &work->domain) != OK) return false;
    }
    return work->snapshot.bytes == 0 ||
           record_decode(&dns_record_type, work->snapshot, &work->record) == OK;
}

static void ended(struct step *step, struct task *task, struct work *work,
                  const struct dns_verdict *verdict)
{
    struct text error;
    switch (work->action) {
    case DNS_PUSH: push_ended(step, task, &work->domain, &work->record, verdict); break;
    case DNS_REMOVE: remove_ended(step, task, &work->domain, verdict); break;
    case DNS_CHECK: check_finished(step, task, &work->domain, work->snapshot, verdict); break;
    case DNS_IMPORT:
        if (verdict->class == CLASS_OK || verdict->class == CLASS_UNCHANGED) {
            import_found(step, &work->domain, verdict->found, verdict->found_count, task);
            task_complete(step, task,
                          arena_print(step->arena, "%llu records brought in",
                                      (unsigned long long)task->cursor));
        } else {
            push_failed(step, task, &work->domain, verdict, &error);
        }
        break;
    }
}

/* The write that was under way has been refused. What an earlier push tried may be there all the same. */
static void forget_write(struct step *step, const struct work *work, const struct dns_memo *memo)
{
    if (!memo->was_tried) place_write_refused(step, &work->record);
}

/* A call is about to leave. False: its record has gone from there meanwhile, and the task has been seen to. */
static bool note_call(struct step *step, struct task *task, const struct work *work,
                      struct dns_memo *memo, const struct provider_call *call)
{
    bool was_writing = memo->is_writing, was_tried;
    memo->is_writing = call->is_write;
    if (work->action != DNS_PUSH) return true;
    /* A provider that reads on after a write has been told that it was not carried out. */
    if (was_writing && !memo->is_writing) forget_write(step, work, memo);
    if (!memo->is_writing) return true;
    if (!place_write_leaves(step, task, &work->domain, &work->record, call->is_whole_set,
                            &was_tried))
        return false;
    if (!was_writing) memo->was_tried = was_tried;
    return true;
}

/* The verdict is there. A passing fault leaves open what a write did, unless the provider was not even reached. */
static void note_verdict(struct step *step, const struct work *work, const struct dns_memo *memo,
                         const struct dns_verdict *verdict, const struct provider_answer *last)
{
    bool is_good = verdict->class == CLASS_OK || verdict->class == CLASS_UNCHANGED;
    if (work->action != DNS_PUSH || !memo->is_writing || is_good) return;
    bool is_unreached = last->http != NULL &&
                        (last->http->fault == FAULT_RESOLVE || last->http->fault == FAULT_CONNECT);
    if (verdict->class != CLASS_RETRY || is_unreached) forget_write(step, work, memo);
}

/* What is to be removed is what another record wants by now, perhaps only since this removal was begun: that one gets it, to
 * answer for it. A deletion that has left already is awaited; the other record's push sees what became of it. */
static bool is_left_standing(struct step *step, struct task *task, const struct work *work,
                             const struct dns_memo *memo)
{
    bool may_leave = work->action == DNS_REMOVE && work->snapshot.bytes > 0 && !memo->is_writing;
    if (!may_leave || !place_wants_again(step, &work->domain, &work->record)) return false;
    task_complete(step, task, TEXT("Another record has that value"));
    return true;
}

/* One round: asks the provider's function what now, and does it. */
static enum err go_on(struct step *step, struct task *task, struct work *work,
                      struct dns_memo *memo, const struct provider_answer *last)
{
    struct dns_job job;
    struct provider_call call = {0};
    struct dns_verdict verdict = {.retry_after_ms = -1};
    const struct provider *provider = provider_find(work->domain.provider);
    const struct dns_record *record = work->snapshot.bytes > 0 ? &work->record : NULL;
    if (is_left_standing(step, task, work, memo)) return OK;
    struct job_context context = {.read = &step->read,
                                  .config = step->config,
                                  .secrets = step->secrets,
                                  .arena = step->arena,
                                  .now_ms = step->now_ms};
    step_random(step, context.nonce, sizeof context.nonce);
    if (provider == NULL || !job_prepare(&context, work->action, &work->domain, record, &job)) {
        verdict.class = CLASS_AUTH;
        verdict.detail = TEXT(
            "The credentials cannot be opened with this key file (store.key_file); give them again");
        ended(step, task, work, &verdict);
        return OK;
    }
    if (memo->round >= PROVIDER_ROUNDS_MAX) {
        verdict.class = CLASS_RETRY;
        verdict.detail = TEXT("The provider's answers go round in circles");
        ended(step, task, work, &verdict);
        return OK;
    }
    if (provider->step(&job, memo, last, &call, &verdict) == PROVIDER_FINISHED) {
        note_verdict(step, work, memo, &verdict, last);
        ended(step, task, work, &verdict);
        return OK;
    }
    if (!note_call(step, task, work, memo, &call)) return OK;
    if (work->action == DNS_IMPORT && verdict.found_count > 0) {
        import_found(step, &work->domain, verdict.found, verdict.found_count, task);
        task_put(step, task);
    }
    push_send(
        step, task, memo, work->snapshot, &call,
        lane_delay_ms(step, work->domain.id, provider->calls_per_second, provider->calls_burst));
    return OK;
}

enum err push_answered(struct step *step, struct task *task, const struct outside_answer *answer)
{
    struct work work;
    struct dns_memo memo;
    if (answer->memo.bytes < sizeof memo) return ERR_INTERNAL;
    memcpy(&memo, answer->memo.data, sizeof memo);
    struct text snapshot = {answer->memo.data + sizeof memo, answer->memo.bytes - sizeof memo};
    if (!work_of(step, task, snapshot, &work)) {
        task_complete(step, task, TEXT("The domain is gone"));
        return OK;
    }
    memo.round++;
    struct http_result http = {0};
    struct dns_result dns = {(enum call_fault)answer->fault, answer->error, answer->body,
                             answer->duration_ms};
    if (!answer->is_dns) http = outside_http_result(answer);
    struct provider_answer last = {answer->is_dns ? NULL : &http, answer->is_dns ? &dns : NULL};
    return go_on(step, task, &work, &memo, &last);
}

/* ---- the tasks' starts ---------------------------------------------------------------------------- */

static enum err begin(struct step *step, struct task *task, struct text snapshot)
{
    struct work work;
    struct dns_memo memo = {0};
    if (!work_of(step, task, snapshot, &work)) {
        task_complete(step, task, TEXT("The domain is gone"));
        return OK;
    }
    return go_on(step, task, &work, &memo, NULL);
}

enum err dns_push_run(struct step *step, struct task *task)
{
    struct dns_record record;
    struct domain domain;
    bool is_there = dns_record_get(&step->read, task->target_id, &record) == OK &&
                    record.task_id == task->id &&
                    domain_get(&step->read, record.domain_id, &domain) == OK;
    if (!is_there) {
        task_complete(step, task, TEXT("The record is gone"));
        return OK;
    }
    if (!record.is_active || !domain.is_active) {
        record.sync_status = sync_status_paused;
        record.task_id = 0;
        dns_record_put(step, &record);
        task_complete(step, task, TEXT("The record is switched off"));
        return OK;
    }
    if (domain.last_error.bytes > 0) { /* another record has found out already */
        struct dns_verdict verdict = {
            .class = CLASS_AUTH, .detail = domain.last_error, .retry_after_ms = -1};
        push_ended(step, task, &domain, &record, &verdict);
        return OK;
    }
    if (place_is_taken(step, task, &record)) return OK;
    return begin(step, task, record_encode(&dns_record_type, &record, TEXT_NONE, step->arena));
}

enum err dns_remove_run(struct step *step, struct task *task)
{
    struct work work;
    if (work_of(step, task, TEXT_NONE, &work) && work.snapshot.bytes > 0) {
        if (place_is_taken(step, task, &work.record)) return OK;
    }
    return begin(step, task, TEXT_NONE);
}

enum err dns_import_run(struct step *step, struct task *task)
{
    task->cursor = 0;
    return begin(step, task, TEXT_NONE);
}

/* One record a run: the next one behind the cursor that the provider should have. */
enum err dns_check_run(struct step *step, struct task *task)
{
    struct walk walk;
    struct dns_record record;
    struct domain domain;
    uint64_t id;
    bool is_found = false;
    if (domain_get(&step->read, task->target_id, &domain) != OK || domain.check_task != task->id) {
        task_complete(step, task, TEXT("The domain is gone"));
        return OK;
    }
    walk_begin(&walk, &step->read, &dns_record_by_domain,
               &(struct dns_record){.domain_id = task->target_id}, task->cursor, false);
    while (!is_found && domain.is_active && walk_next(&walk, &id)) {
        is_found =
            dns_record_get(&step->read, id, &record) == OK &&
            (record.sync_status == sync_status_synced || record.sync_status == sync_status_drifted);
    }
    walk_end(&walk);
    if (!is_found) {
        task->cursor = 0;
        task_again(step, task, step->now_ms + step->config->ddns_drift_interval * 1000);
        return OK;
    }
    task->cursor = id;
    task_put(step, task);
    return begin(step, task, record_encode(&dns_record_type, &record, TEXT_NONE, step->arena));
}
