/* Domains: what a caller may do with them. */
#include "core/listing.h"
#include "ddns/ddns.h"

/* ---- credentials ---------------------------------------------------------------------------------- */

static void seal(struct step *step, struct domain *domain, struct text credentials)
{
    uint8_t nonce[24];
    step_random(step, nonce, sizeof nonce);
    domain->credentials = secrets_seal(step->secrets, nonce, domain->id, credentials, step->arena);
}

/* ---- reading -------------------------------------------------------------------------------------- */

enum err domain_list(struct view *view, const struct call *call, struct reply *reply)
{
    const struct domain like = {.user_id = view->caller.user_id};
    const struct record_index *own = view->caller.role >= role_operator ? NULL : &domain_by_user;
    return reply_listing(view, call, reply, &(struct listing){&domain_type, own, &like, false});
}

enum err domain_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct domain domain;
    enum err e = domain_of(&view->read, &view->caller, call->id, &domain);
    if (e != OK) return e;
    reply_one(reply, &domain_type, &domain);
    return OK;
}

/* ---- changing ------------------------------------------------------------------------------------- */

enum err domain_create(struct step *step, const struct call *call, struct reply *reply)
{
    const struct domain *in = call->body;
    struct domain domain = *in, other;
    struct field_errors errors = {.arena = step->arena};
    credentials_check(in->provider, in->credentials, &errors);
    if (errors.count > 0) return reply_error(reply, ERR_INVALID, &errors, call->request_id);
    domain.name = name_folded(in->name, step->arena);
    domain.user_id = step->caller.user_id;
    if (record_find(&step->read, &domain_by_name, &domain, &other) == OK) return ERR_TAKEN;
    domain.id = step_id(step);
    seal(step, &domain, in->credentials);
    domain.created_at = domain.updated_at = step->now_ms;
    check_schedule(step, &domain);
    domain_put(step, &domain);
    reply_one(reply, &domain_type, &domain);
    return OK;
}

static bool has_given(const struct call *call, const char *field)
{
    return call->given & FIELD_BIT(record_field_number(call->route->takes, text_of(field)));
}

enum err domain_update(struct step *step, const struct call *call, struct reply *reply)
{
    const struct domain *in = call->body;
    struct domain domain;
    struct field_errors errors = {.arena = step->arena};
    enum err e = domain_of(&step->read, &step->caller, call->id, &domain);
    if (e == OK) e = call_guard(call, &domain_type, &domain);
    if (e != OK) return e;
    bool was_active = domain.is_active;
    if (has_given(call, "credentials")) {
        credentials_check(domain.provider, in->credentials, &errors);
        if (errors.count > 0) return reply_error(reply, ERR_INVALID, &errors, call->request_id);
        seal(step, &domain, in->credentials);
        domain.last_error = TEXT_NONE;
    }
    if (has_given(call, "registrar")) domain.registrar = in->registrar;
    if (has_given(call, "expiry_date")) domain.expiry_date = in->expiry_date;
    if (has_given(call, "is_active")) domain.is_active = in->is_active;
    if (has_given(call, "on_drift")) domain.on_drift = in->on_drift;
    domain.updated_at = step->now_ms;
    domain_put(step, &domain);
    if (has_given(call, "credentials") || was_active != domain.is_active)
        domain_fan_start(step, &domain);
    reply_one(reply, &domain_type, &domain);
    return OK;
}

/* true or false and nothing else: what is deleted for a misspelt word cannot be brought back. */
static enum err take_at_provider(struct step *step, const struct call *call, struct reply *reply,
                                 bool *at_provider)
{
    struct text given = call_query(call, TEXT("at_provider"), step->arena);
    *at_provider = text_equal(given, TEXT("true"));
    if (*at_provider || call->query.bytes == 0 || text_equal(given, TEXT("false"))) return OK;
    return reply_error_field(reply, ERR_BAD_QUERY, TEXT("at_provider"),
                             TEXT("must be true or false"), call->request_id);
}

enum err domain_delete(struct step *step, const struct call *call, struct reply *reply)
{
    struct domain domain;
    struct task task;
    bool at_provider;
    enum err e = take_at_provider(step, call, reply, &at_provider);
    if (e == OK) e = domain_of(&step->read, &step->caller, call->id, &domain);
    if (e == OK) e = call_guard(call, &domain_type, &domain);
    if (e != OK) return e;
    domain_purge_start(step, &domain, at_provider); /* runs at the end of this same turn */
    bool has_check =
        domain.check_task != 0 && task_get(&step->read, domain.check_task, &task) == OK;
    if (has_check && task_is_open(&task)) task_cancel(step, &task);
    domain_remove(step, domain.id);
    reply_no_data(reply);
    return OK;
}

enum err domain_import(struct step *step, const struct call *call, struct reply *reply)
{
    struct domain domain;
    enum err e = domain_of(&step->read, &step->caller, call->id, &domain);
    if (e != OK) return e;
    const struct provider *provider = provider_find(domain.provider);
    if (provider == NULL || !provider->can_list) return ERR_PROVIDER_CANNOT;
    struct task task = {.kind = task_kind_dns_import,
                        .user_id = domain.user_id,
                        .target_id = domain.id,
                        .lane_id = domain.id};
    task_new(step, &task, step->now_ms);
    reply_one(reply, &sync_result_type, &(struct sync_result){.task_id = task.id});
    return OK;
}
