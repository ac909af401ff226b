/* Records: what a caller may do with them. */
#include "core/listing.h"
#include "ddns/ddns.h"
#include "ddns/dns_name.h"

/* ---- reading -------------------------------------------------------------------------------------- */

enum err dns_record_list(struct view *view, const struct call *call, struct reply *reply)
{
    struct domain domain;
    const struct dns_record like = {.domain_id = call->id};
    enum err e = domain_of(&view->read, &view->caller, call->id, &domain);
    if (e != OK) return e;
    return reply_listing(view, call, reply,
                         &(struct listing){&dns_record_type, &dns_record_by_domain, &like, false});
}

enum err dns_record_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct dns_record record;
    enum err e = dns_record_of(&view->read, &view->caller, call->id, &record);
    if (e != OK) return e;
    reply_one(reply, &dns_record_type, &record);
    return OK;
}

enum err dns_history_list(struct view *view, const struct call *call, struct reply *reply)
{
    struct dns_record record;
    const struct dns_history like = {.record_id = call->id};
    enum err e = dns_record_of(&view->read, &view->caller, call->id, &record);
    if (e != OK) return e;
    return reply_listing(view, call, reply,
                         &(struct listing){&dns_history_type, &dns_history_by_record, &like, true});
}

/* ---- what makes a record right -------------------------------------------------------------------- */

static bool is_address_type(uint32_t type)
{
    return type == dns_record_type_A || type == dns_record_type_AAAA;
}

/* The name with its zone: short enough for DNS, and not with the zone's name twice, which nobody means. */
static void check_full_name(const struct dns_record *record, const struct domain *domain,
                            struct field_errors *errors)
{
    char full[DNS_NAME_SIZE];
    struct text owner;
    if (dns_name_join(record->name, domain->name, full).bytes == 0) {
        field_errors_add(errors, TEXT("name"),
                         TEXT("must have at most 253 letters together with the zone's name"));
    } else if (dns_name_split(record->name, domain->name, &owner)) {
        field_errors_add(errors, TEXT("name"),
                         arena_print(errors->arena,
                                     "must be the part before the zone's name: %.*s, not %.*s",
                                     TEXT_ARGS(owner), TEXT_ARGS(record->name)));
    }
}

/* A CNAME that names itself leads nowhere (RFC 1034 section 3.6.2). */
static bool names_itself(const struct dns_record *record, const struct domain *domain)
{
    char full[DNS_NAME_SIZE];
    return record->type == dns_record_type_CNAME &&
           dns_name_equal(dns_name_join(record->name, domain->name, full), record->value);
}

/* The rules that take more than one field to check. Leaves source filled when the record has one. */
static void check_record(struct step *step, const struct dns_record *record,
                         const struct domain *domain, struct source *source,
                         struct field_errors *errors)
{
    struct text reason = TEXT_NONE;
    const struct provider *provider = provider_find(domain->provider);
    if (record->value.bytes > 0 &&
        !rdata_check((enum dns_type)record->type, record->value, &reason)) {
        field_errors_add(errors, TEXT("value"), reason);
    } else if (names_itself(record, domain)) {
        field_errors_add(errors, TEXT("value"), TEXT("must be another name than the record's own"));
    }
    if (record->value.bytes == 0 && !record->dynamic)
        field_errors_add(errors, TEXT("value"), TEXT("is missing"));
    if (record->dynamic && !is_address_type(record->type)) {
        field_errors_add(errors, TEXT("dynamic"),
                         TEXT("only A and AAAA records can follow an address"));
    }
    if (record->type == dns_record_type_CNAME && text_equal(record->name, TEXT("@"))) {
        field_errors_add(errors, TEXT("name"),
                         TEXT("a zone's own name cannot be a CNAME (RFC 1034 section 3.6.2)"));
    }
    if (record->ipv6_suffix.bytes > 0 && record->type != dns_record_type_AAAA) {
        field_errors_add(errors, TEXT("ipv6_suffix"), TEXT("goes with AAAA records only"));
    }
    if (record->proxied &&
        (!text_equal(domain->provider, TEXT("cloudflare")) ||
         (!is_address_type(record->type) && record->type != dns_record_type_CNAME))) {
        field_errors_add(errors, TEXT("proxied"),
                         TEXT("goes with A, AAAA and CNAME records at Cloudflare only"));
    }
    if (provider != NULL && record->ttl < provider->ttl_min) {
        field_errors_add(errors, TEXT("ttl"),
                         arena_print(errors->arena, "%.*s takes no less than %u",
                                     TEXT_ARGS(provider->title), (unsigned)provider->ttl_min));
    }
    if (record->source_id == 0) return;
    if (!record->dynamic)
        field_errors_add(errors, TEXT("source_id"), TEXT("goes with dynamic records only"));
    if (source_of(&step->read, &step->caller, record->source_id, source) != OK) {
        field_errors_add(errors, TEXT("source_id"), TEXT("is not one of your sources"));
    } else if (source->family != (record->type == dns_record_type_AAAA ? (uint32_t)family_ipv6
                                                                       : (uint32_t)family_ipv4)) {
        field_errors_add(errors, TEXT("source_id"),
                         TEXT("the source's addresses are of the other family"));
    }
}

/* The same name, type and value twice makes no sense, and a CNAME stands alone (RFC 1034 section 3.6.2). */
static enum err check_neighbours(struct step *step, const struct dns_record *record)
{
    struct walk walk;
    struct dns_record other;
    uint64_t id;
    enum err e = OK;
    walk_begin(&walk, &step->read, &dns_record_by_name, record, 0, false);
    while (e == OK && walk_next(&walk, &id)) {
        if (id == record->id || dns_record_get(&step->read, id, &other) != OK) continue;
        bool is_twin = other.type == record->type && record->value.bytes > 0 &&
                       other.value.bytes > 0 &&
                       rdata_equal((enum dns_type)record->type, other.value, record->value);
        bool is_bound_twin = other.type == record->type && record->dynamic && other.dynamic &&
                             other.source_id == record->source_id &&
                             text_equal(other.ipv6_suffix, record->ipv6_suffix);
        bool is_crowd =
            (other.type == dns_record_type_CNAME || record->type == dns_record_type_CNAME) &&
            text_equal_fold(other.name, record->name);
        if (is_twin || is_bound_twin || is_crowd) e = ERR_CONFLICT;
    }
    walk_end(&walk);
    return e;
}

/* A dynamic record with a source has the source's address, whatever it was given. */
static void take_address(struct step *step, struct dns_record *record, const struct source *source)
{
    if (!record->dynamic || record->source_id == 0) return;
    struct text value = record_value_of(record, source->address, step->arena);
    if (value.bytes > 0) record->value = value;
}

/* Checks the whole and writes the refusal; OK when the record may stand. */
static enum err accept(struct step *step, const struct call *call, struct reply *reply,
                       struct dns_record *record, const struct domain *domain)
{
    struct source source = {0};
    struct field_errors errors = {.arena = step->arena};
    /* Of an imported record's name the provider was the judge. */
    if (call->given & FIELD_BIT(record_field_number(&dns_record_type, TEXT("name"))))
        check_full_name(record, domain, &errors);
    check_record(step, record, domain, &source, &errors);
    if (errors.count > 0) return reply_error(reply, ERR_INVALID, &errors, call->request_id);
    take_address(step, record, &source);
    enum err e = check_neighbours(step, record);
    if (e == ERR_CONFLICT) {
        reply_error_saying(reply, e,
                           TEXT("There is such a record already, or a CNAME stands in its way"),
                           call->request_id);
    }
    return e;
}

/* ---- changing ------------------------------------------------------------------------------------- */

enum err dns_record_create(struct step *step, const struct call *call, struct reply *reply)
{
    const struct dns_record *in = call->body;
    struct dns_record record = *in;
    struct domain domain;
    enum err e = domain_of(&step->read, &step->caller, call->id, &domain);
    if (e != OK) return e;
    record.domain_id = domain.id;
    record.user_id = domain.user_id;
    record.name = name_folded(in->name, step->arena);
    e = accept(step, call, reply, &record, &domain);
    if (e != OK) return e;
    record.id = step_id(step);
    record.created_at = step->now_ms;
    record_wants(step, &record, &domain, change_reason_created);
    reply_one(reply, &dns_record_type, &record);
    return OK;
}

static void overlay(struct dns_record *record, const struct call *call)
{
    const struct field *fields = dns_record_type.fields();
    for (unsigned i = 0; i < dns_record_type.field_count; i++) {
        if ((call->given & FIELD_BIT(i)) == 0) continue;
        if (fields[i].kind >= KIND_text) {
            field_set_text(&fields[i], record, field_text(&fields[i], call->body));
        } else {
            field_set_number(&fields[i], record, field_number(&fields[i], call->body));
        }
    }
}

/* Nothing of what was written under the old name and type belongs to the record any more. */
static void let_go(struct step *step, const struct dns_record *before, struct dns_record *record,
                   const struct domain *domain)
{
    if (text_equal_fold(before->name, record->name) && before->type == record->type) return;
    record_unwants(step, before, domain);
    record->pushed_value = TEXT_NONE;
    record->pushed_priority = 0;
    record->tried_value = TEXT_NONE;
    record->tried_priority = 0;
    record->provider_id = TEXT_NONE;
    record->is_ours = false;
    record->synced_at = 0;
}

/* Whether the provider has to hear of the change. */
static bool is_news(const struct dns_record *before, const struct dns_record *after)
{
    bool is_same = text_equal_fold(before->name, after->name) && before->type == after->type &&
                   text_equal(before->value, after->value) && before->ttl == after->ttl &&
                   before->priority == after->priority && before->proxied == after->proxied &&
                   before->is_active == after->is_active;
    return !is_same || before->sync_status != sync_status_synced;
}

enum err dns_record_update(struct step *step, const struct call *call, struct reply *reply)
{
    struct dns_record record, before;
    struct domain domain;
    enum err e = dns_record_of(&step->read, &step->caller, call->id, &record);
    if (e == OK) e = call_guard(call, &dns_record_type, &record);
    if (e == OK) e = domain_get(&step->read, record.domain_id, &domain);
    if (e != OK) return e;
    before = record;
    overlay(&record, call);
    record.name = name_folded(record.name, step->arena);
    if (!record.dynamic) record.source_id = 0;
    e = accept(step, call, reply, &record, &domain);
    if (e != OK) return e;
    let_go(step, &before, &record, &domain);
    record.last_error = TEXT_NONE;
    record.updated_at = step->now_ms;
    if (is_news(&before, &record)) {
        record_wants(step, &record, &domain, change_reason_edited);
    } else {
        dns_record_put(step, &record);
    }
    reply_one(reply, &dns_record_type, &record);
    return OK;
}

enum err dns_record_delete(struct step *step, const struct call *call, struct reply *reply)
{
    struct dns_record record;
    struct domain domain;
    enum err e = dns_record_of(&step->read, &step->caller, call->id, &record);
    if (e == OK) e = call_guard(call, &dns_record_type, &record);
    if (e == OK) e = domain_get(&step->read, record.domain_id, &domain);
    if (e != OK) return e;
    record_delete(step, &record, &domain, true);
    reply_no_data(reply);
    return OK;
}

enum err dns_record_sync(struct step *step, const struct call *call, struct reply *reply)
{
    struct dns_record record;
    struct domain domain;
    enum err e = dns_record_of(&step->read, &step->caller, call->id, &record);
    if (e == OK) e = domain_get(&step->read, record.domain_id, &domain);
    if (e != OK) return e;
    if (domain.last_error.bytes > 0) {
        domain.last_error = TEXT_NONE;
        domain_put(step, &domain);
    }
    record.last_error = TEXT_NONE;
    record_wants(step, &record, &domain, change_reason_forced);
    reply_one(reply, &dns_record_type, &record);
    return OK;
}

/* All of the caller's domains and sources. */
enum err ddns_sync(struct step *step, const struct call *call, struct reply *reply)
{
    struct walk walk;
    struct domain domain;
    struct source source;
    uint64_t id, records = 0;
    (void)call;
    walk_begin(&walk, &step->read, &source_by_user,
               &(struct source){.user_id = step->caller.user_id}, 0, false);
    while (walk_next(&walk, &id)) {
        if (source_get(&step->read, id, &source) == OK) source_check_now(step, &source);
    }
    walk_end(&walk);
    walk_begin(&walk, &step->read, &domain_by_user,
               &(struct domain){.user_id = step->caller.user_id}, 0, false);
    while (walk_next(&walk, &id)) {
        if (domain_get(&step->read, id, &domain) != OK) continue;
        records +=
            record_count(&step->read, &dns_record_by_domain, &(struct dns_record){.domain_id = id});
        domain.last_error = TEXT_NONE;
        domain_put(step, &domain);
        domain_fan_start(step, &domain);
    }
    walk_end(&walk);
    reply_one(reply, &sync_result_type, &(struct sync_result){.records = records});
    return OK;
}
