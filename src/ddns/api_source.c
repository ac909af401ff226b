/* Sources, the status, and the list of providers: what a caller may see and do. */
#include "core/listing.h"
#include "ddns/ddns.h"

/* ---- reading -------------------------------------------------------------------------------------- */

enum err source_list(struct view *view, const struct call *call, struct reply *reply)
{
    const struct source like = {.user_id = view->caller.user_id};
    return reply_listing(view, call, reply,
                         &(struct listing){&source_type, &source_by_user, &like, false});
}

enum err source_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct source source;
    enum err e = source_of(&view->read, &view->caller, call->id, &source);
    if (e != OK) return e;
    reply_one(reply, &source_type, &source);
    return OK;
}

static void write_sources(struct view *view, struct json *json)
{
    struct walk walk;
    struct source source;
    uint64_t id;
    json_open(json, '[');
    walk_begin(&walk, &view->read, &source_by_user,
               &(struct source){.user_id = view->caller.user_id}, 0, false);
    while (walk_next(&walk, &id)) {
        if (source_get(&view->read, id, &source) == OK)
            json_record(json, &source_type, &source, READ);
    }
    walk_end(&walk);
    json_close(json, ']');
}

enum err ddns_status(struct view *view, const struct call *call, struct reply *reply)
{
    struct json *json = &reply->body;
    (void)call;
    reply_data_begin(reply);
    json_open(json, '{');
    json_key(json, TEXT("sources"));
    write_sources(view, json);
    json_key(json, TEXT("records"));
    json_open(json, '{');
    for (unsigned i = 0; i < sync_status_choice.count; i++) {
        const struct option *option = &sync_status_choice.options[i];
        json_key(json, option->word);
        json_number(json, record_count(&view->read, &dns_record_by_status,
                                       &(struct dns_record){.user_id = view->caller.user_id,
                                                            .sync_status = option->number}));
    }
    json_close(json, '}');
    json_close(json, '}');
    reply_data_end(reply);
    return OK;
}

static void write_fields(const struct provider *provider, struct json *json)
{
    json_open(json, '[');
    for (unsigned i = 0; i < provider->field_count; i++) {
        const struct provider_field *field = &provider->fields[i];
        json_open(json, '{');
        json_member(json, "name", field->name);
        json_member(json, "title", field->title);
        json_member(json, "format", field->format);
        json_key(json, TEXT("required"));
        json_bool(json, field->is_required);
        json_key(json, TEXT("secret"));
        json_bool(json, field->is_secret);
        json_close(json, '}');
    }
    json_close(json, ']');
}

enum err provider_list(struct view *view, const struct call *call, struct reply *reply)
{
    const struct provider *provider;
    struct json fields;
    unsigned count = 0;
    (void)view;
    (void)call;
    json_init(&fields, 1 << 16);
    reply_list_begin(reply);
    for (; (provider = provider_at(count)) != NULL; count++) {
        json_reset(&fields);
        write_fields(provider, &fields);
        reply_item(reply, &provider_info_type,
                   &(struct provider_info){.name = provider->name,
                                           .title = provider->title,
                                           .fields = json_text(&fields),
                                           .can_import = provider->can_list});
    }
    json_free(&fields);
    reply_list_end(reply, 0, false, count);
    return OK;
}

/* ---- changing ------------------------------------------------------------------------------------- */

/* What each kind needs, and what it has no use for. */
static void check_source(struct source *source, struct field_errors *errors)
{
    struct text reason = TEXT_NONE;
    bool is_http = source->kind == source_kind_http,
         is_interface = source->kind == source_kind_interface;
    bool is_valued = source->kind == source_kind_fixed || source->kind == source_kind_pushed;
    if (is_http && source->urls.bytes == 0)
        field_errors_add(errors, TEXT("urls"), TEXT("is missing"));
    if (!is_http && source->urls.bytes > 0)
        field_errors_add(errors, TEXT("urls"), TEXT("goes with http sources only"));
    if (is_interface && source->interface.bytes == 0)
        field_errors_add(errors, TEXT("interface"), TEXT("is missing"));
    if (is_valued && source->interface.bytes > 0) {
        field_errors_add(errors, TEXT("interface"),
                         TEXT("goes with interface and http sources only"));
    }
    if (source->kind == source_kind_fixed && source->value.bytes == 0) {
        field_errors_add(errors, TEXT("value"), TEXT("is missing"));
    }
    if (source->value.bytes == 0) return;
    if (!is_valued) {
        field_errors_add(errors, TEXT("value"), TEXT("goes with fixed and pushed sources only"));
    } else if (!source_takes(source, source->value, &source->value, &reason, errors->arena)) {
        field_errors_add(errors, TEXT("value"), reason);
    }
}

void check_whole_source(const struct source *in, const struct field_errors *known,
                        struct field_errors *more)
{
    struct source source = *in;
    (void)known;
    if (source.kind != 0 && source.family != 0) check_source(&source, more);
}

static enum err accept(struct step *step, const struct call *call, struct reply *reply,
                       struct source *source)
{
    struct field_errors errors = {.arena = step->arena};
    check_source(source, &errors);
    if (errors.count == 0) return OK;
    return reply_error(reply, ERR_INVALID, &errors, call->request_id);
}

enum err source_create(struct step *step, const struct call *call, struct reply *reply)
{
    struct source source = *(const struct source *)call->body;
    enum err e = accept(step, call, reply, &source);
    if (e != OK) return e;
    source.id = step_id(step);
    source.user_id = step->caller.user_id;
    source.created_at = source.updated_at = step->now_ms;
    source_put(step, &source);
    source_check_now(step, &source);
    reply_one(reply, &source_type, &source);
    return OK;
}

enum err source_update(struct step *step, const struct call *call, struct reply *reply)
{
    const struct source *in = call->body;
    struct source source;
    enum err e = source_of(&step->read, &step->caller, call->id, &source);
    if (e == OK) e = call_guard(call, &source_type, &source);
    if (e != OK) return e;
    const struct field *fields = source_type.fields();
    for (unsigned i = 0; i < source_type.field_count; i++) {
        if ((call->given & FIELD_BIT(i)) == 0) continue;
        if (fields[i].kind >= KIND_text) {
            field_set_text(&fields[i], &source, field_text(&fields[i], in));
        } else {
            field_set_number(&fields[i], &source, field_number(&fields[i], in));
        }
    }
    e = accept(step, call, reply, &source);
    if (e != OK) return e;
    source.updated_at = step->now_ms;
    source_put(step, &source);
    source_check_now(step, &source);
    reply_one(reply, &source_type, &source);
    return OK;
}

enum err source_delete(struct step *step, const struct call *call, struct reply *reply)
{
    struct walk walk;
    struct source source;
    struct task task;
    uint64_t id;
    enum err e = source_of(&step->read, &step->caller, call->id, &source);
    if (e == OK) e = call_guard(call, &source_type, &source);
    if (e != OK) return e;
    walk_begin(&walk, &step->read, &dns_record_by_source,
               &(struct dns_record){.source_id = source.id}, 0, false);
    bool is_followed = walk_next(&walk, &id);
    walk_end(&walk);
    if (is_followed) {
        return reply_error_saying(reply, ERR_CONFLICT,
                                  TEXT("Records follow this source; give them another first"),
                                  call->request_id);
    }
    if (source.task_id != 0 && task_get(&step->read, source.task_id, &task) == OK &&
        task_is_open(&task)) {
        task_cancel(step, &task);
    }
    source_remove(step, source.id);
    reply_no_data(reply);
    return OK;
}
