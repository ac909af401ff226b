#include "gate/gate.h"

#include <sodium.h>
#include <stdlib.h>

#include "account/bans.h"
#include "account/oauth.h"
#include "core/router.h"
#include "core/url.h"

enum { AUTH_CACHE_ENTRIES = 4096, LIMIT_DEFAULT = 20, LIMIT_MAX = 100, FORWARDED_HOPS_MAX = 32 };

struct gate *gate_new(const struct config *config, const struct secrets *secrets)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL) return NULL;
    gate->config = config;
    gate->secrets = secrets;
    gate->auth = auth_cache_new(AUTH_CACHE_ENTRIES);
    if (gate->auth == NULL) {
        free(gate);
        return NULL;
    }
    auth_cache_require_mfa(gate->auth, config->auth_mfa_required_roles);
    randombytes_buf(gate->id_seed, sizeof gate->id_seed);
    uint8_t key[BUCKETS_KEY_BYTES];
    randombytes_buf(key, sizeof key);
    gate->limits = limits_new(config, key);
    if (gate->limits != NULL) return gate;
    gate_free(gate);
    return NULL;
}

void gate_free(struct gate *gate)
{
    if (gate->auth != NULL) auth_cache_free(gate->auth);
    if (gate->limits != NULL) limits_free(gate->limits);
    free(gate);
}

/* ---- request id ----------------------------------------------------------------------------------- */

static bool is_sane_id(struct text id)
{
    if (id.bytes == 0 || id.bytes > REQUEST_ID_BYTES_MAX) return false;
    for (size_t i = 0; i < id.bytes; i++) {
        char c = id.data[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
        if (!is_good) return false;
    }
    return true;
}

/* Unique and not to be guessed, without asking the kernel for chance each time. */
static void make_id(struct gate *gate, char out[REQUEST_ID_BYTES_MAX + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[crypto_shorthash_BYTES];
    gate->id_count++;
    crypto_shorthash(hash, (const unsigned char *)&gate->id_count, sizeof gate->id_count,
                     gate->id_seed);
    for (size_t i = 0; i < sizeof hash; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[2 * sizeof hash] = 0;
}

void gate_identify(struct gate *gate, const struct http_request *rq, struct gate_result *result)
{
    result->ip[0] = 0;
    result->client = rq->peer;
    result->is_limited = false;
    result->rate.limit = 0;
    result->retry_after_s = 0;
    if (is_sane_id(rq->request_id)) {
        text_to_zero_ended(rq->request_id, result->request_id, sizeof result->request_id);
    } else {
        make_id(gate, result->request_id);
    }
    result->call.request_id = text_of(result->request_id);
}

struct text gate_ip(struct gate_result *result)
{
    if (result->ip[0] == 0) ip_format(&result->client, result->ip);
    return text_of(result->ip);
}

/* ---- peer and host -------------------------------------------------------------------------------- */

static bool is_in(const struct networks *networks, const struct ip_address *ip)
{
    for (unsigned i = 0; i < networks->count; i++) {
        if (ip_network_has(&networks->items[i], ip)) return true;
    }
    return false;
}

/* From right to left: who spoke to a trusted proxy is believed by that proxy, and so by us. What is no
 * address ends the walk at the last hop that was known. */
static struct ip_address client_of(const struct gate *gate, const struct http_request *rq)
{
    struct ip_address client = rq->peer;
    struct text rest = rq->forwarded_for;
    for (unsigned hop = 0; hop < FORWARDED_HOPS_MAX; hop++) {
        struct ip_address next;
        if (rest.bytes == 0 || !is_in(&gate->config->http_trusted_proxies, &client)) return client;
        size_t at = rest.bytes;
        while (at > 0 && rest.data[at - 1] != ',') at--;
        struct text last = text_trim((struct text){rest.data + at, rest.bytes - at});
        if (!ip_parse(last, &next)) return client;
        client = ip_unmap(&next);
        rest.bytes = at > 0 ? at - 1 : 0;
    }
    return client;
}

static bool is_near(const struct ip_address *ip)
{
    enum ip_class class_of_ip = ip_class(ip);
    return class_of_ip == IP_LOOPBACK || class_of_ip == IP_PRIVATE || class_of_ip == IP_LINK_LOCAL;
}

/* A page of somebody else whose name was made to point at us (DNS rebinding) still says its own name. */
static bool is_our_host(const struct gate *gate, struct text host)
{
    struct ip_address ip;
    struct host_port at;
    struct text list = gate->config->http_hosts;
    if (text_ends_fold(host, TEXT(":"))) host.bytes--; /* an empty port is allowed there */
    if (!host_port_read(host, &at)) return false;
    struct text name = at.host;
    if (ip_parse(name, &ip)) {
        if (is_near(&ip)) return true;
    } else if (text_equal_fold(name, TEXT("localhost")) ||
               text_ends_fold(name, TEXT(".localhost"))) {
        return true;
    }
    while (list.bytes > 0 && list.data != NULL) {
        struct text ours = text_cut(&list, '\n');
        if (text_equal_fold(ours, name) || text_equal_fold(ours, host)) return true;
    }
    return false;
}

enum err gate_admit(struct gate *gate, const struct http_request *rq, struct gate_result *result)
{
    if (rq->forwarded_for.bytes > 0) result->client = client_of(gate, rq);
    if (!gate->config->http_allow_public && !is_near(&result->client)) return ERR_PUBLIC_REFUSED;
    if (rq->host.bytes == 0) return OK; /* HTTP/1.0; no browser */
    if (text_equal(rq->host, (struct text){gate->known_host, gate->known_host_bytes})) return OK;
    if (!is_our_host(gate, rq->host)) return ERR_WRONG_HOST;
    if (text_to_zero_ended(rq->host, gate->known_host, sizeof gate->known_host))
        gate->known_host_bytes = rq->host.bytes;
    return OK;
}

bool gate_origin(const struct gate *gate, struct text origin)
{
    struct text list = gate->config->http_cors_origins;
    while (list.bytes > 0 && list.data != NULL) {
        if (text_equal(text_cut(&list, '\n'), origin)) return true;
    }
    return false;
}

size_t gate_body_max(const struct gate *gate, struct text method, struct text path)
{
    uint64_t id;
    enum err why;
    unsigned allowed;
    const struct route *route = route_match(method, path, &id, &why, &allowed);
    /* A small body that nobody reads is let in, so that the refusal can say what is really wrong. */
    return route == NULL || route->takes == NULL ? 4096 : (size_t)gate->config->http_body_max;
}

/* ---- who ------------------------------------------------------------------------------------------ */

static enum err who(struct gate *gate, const struct http_request *rq, const struct gate_view *view,
                    struct call *call)
{
    const struct route *route = call->route;
    struct caller *caller = &call->caller;
    switch (route->access) {
    case ACCESS_PUBLIC: return OK;
    case ACCESS_OPTIONAL: /* programs send their old token along with everything */
        if (rq->authorization.bytes == 0 && rq->api_key.bytes == 0) return OK;
        call->refused = auth_check(gate->auth, &view->read, view->generation, view->now_ms,
                                   gate->secrets, rq->authorization, rq->api_key, caller);
        if (call->refused != OK) *caller = (struct caller){.user_id = 0};
        return OK;
    case ACCESS_METRICS: {
        struct text token = gate->config->metrics_token;
        bool is_token =
            token.bytes > 0 && text_starts(rq->authorization, TEXT("Bearer ")) &&
            secret_equal((struct text){rq->authorization.data + 7, rq->authorization.bytes - 7},
                         token);
        bool is_local = ip_class(&rq->peer) == IP_LOOPBACK && rq->forwarded_for.bytes == 0;
        return is_token || (is_local && token.bytes == 0) ? OK : ERR_NOT_SIGNED_IN;
    }
    case ACCESS_DYNDNS: {
        enum err e = auth_check_basic(gate->auth, &view->read, view->generation, view->now_ms,
                                      gate->secrets, rq->authorization, rq->api_key, caller);
        return e == OK ? access_check(caller, route) : e;
    }
    default: {
        enum err e = auth_check(gate->auth, &view->read, view->generation, view->now_ms,
                                gate->secrets, rq->authorization, rq->api_key, caller);
        return e == OK ? access_check(caller, route) : e;
    }
    }
}

/* ---- bans and limits ------------------------------------------------------------------------------ */

static enum err over_limit(struct gate *gate, struct gate_result *result)
{
    gate->limited_count++;
    result->retry_after_s = result->rate.reset_s;
    return ERR_TOO_MANY;
}

/* By the loop's clock, which does not step. */
enum err gate_count(struct gate *gate, struct gate_result *result)
{
    if (!gate->config->limits_enabled) return OK;
    enum err e =
        limit_address(gate->limits, &result->client, result->call.started_us, &result->rate);
    return e == OK ? OK : over_limit(gate, result);
}

uint64_t gate_banned_s(const struct gate *gate, const struct gate_view *view,
                       const struct ip_address *client)
{
    struct ban ban;
    if (!gate->config->limits_enabled) return 0;
    if (ban_find(&view->read, client, view->now_ms, &ban) != OK) return 0;
    return ban_seconds(&ban, view->now_ms);
}

static enum err check_ban(struct gate *gate, const struct gate_view *view,
                          struct gate_result *result)
{
    struct ban ban;
    enum err e = ban_find(&view->read, &result->client, view->now_ms, &ban);
    if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
    gate->ban_refused_count++;
    result->retry_after_s = ban_seconds(&ban, view->now_ms);
    return ERR_BANNED;
}

/* What the address may, whoever asks. The ban comes last: its refusal tells what is left as well, and who keeps
 * asking gets 429. */
static enum err check_address(struct gate *gate, const struct gate_view *view,
                              const struct route *route, struct gate_result *result)
{
    struct limits *limits = gate->limits;
    if (!gate->config->limits_enabled || limits_is_free(limits, route)) return OK;
    if (route != NULL) result->is_limited = limits_has_row(limits, route);
    enum err e = gate_count(gate, result);
    if (e != OK || !result->is_limited) return e;
    e = limit_route(limits, route, &result->client, result->call.started_us, &result->rate);
    if (e != OK) return over_limit(gate, result);
    return limits_guards(limits, route) ? check_ban(gate, view, result) : OK;
}

static enum err check_user(struct gate *gate, struct gate_result *result)
{
    const struct call *call = &result->call;
    struct limits *limits = gate->limits;
    struct rate rate;
    if (!gate->config->limits_enabled || call->caller.user_id == 0) return OK;
    if (limits_is_free(limits, call->route)) return OK;
    if (limit_user(limits, call->caller.user_id, call->started_us, &rate) == OK) return OK;
    result->rate = rate;
    return over_limit(gate, result);
}

/* ---- query ---------------------------------------------------------------------------------------- */

static bool is_named(const char *names, struct text name)
{
    struct text rest = text_of(names);
    while (rest.bytes > 0 && rest.data != NULL) {
        if (text_equal(text_cut(&rest, ','), name)) return true;
    }
    return false;
}

static enum err bad_query(struct text name, struct text reason, struct call *call,
                          struct reply *reply)
{
    if (name.bytes > 64) name.bytes = 64;
    return reply_error_field(reply, ERR_BAD_QUERY, name, reason, call->request_id);
}

static enum err take_parameter(struct text name, struct text value, struct call *call,
                               struct reply *reply)
{
    uint64_t limit;
    bool is_list = call->route->gives == GIVES_LIST;
    if (is_list && text_equal(name, TEXT("limit"))) {
        if (!text_to_u64(value, LIMIT_MAX, &limit) || limit == 0) {
            return bad_query(name, TEXT("must be a number from 1 to 100"), call, reply);
        }
        call->page.limit = (unsigned)limit;
        return OK;
    }
    if (is_list && text_equal(name, TEXT("cursor"))) return cursor_read(value, &call->page.after);
    if (is_named(call->route->query, name)) return OK;
    return bad_query(name, TEXT("is not a parameter of this"), call, reply);
}

/* A name or value that is no text: one that could not be shown, so it is told by what it belongs to. */
static bool take_text(struct text raw, const struct gate_view *view, struct text *out)
{
    return percent_decode(raw, true, view->arena, out) && text_is_clean_utf8(*out);
}

/* Whether the name comes once more: then nobody can say which of the two is meant. */
static bool comes_again(struct text name, struct text rest, const struct gate_view *view)
{
    const struct call later = {.query = rest};
    return call_query(&later, name, view->arena).data != NULL;
}

static enum err take_query(const struct gate_view *view, struct call *call, struct reply *reply)
{
    struct text rest = call->query;
    call->page.limit = LIMIT_DEFAULT;
    /* Routers send all sorts of parameters to /nic/update; pages and figures are nobody's to configure. */
    if (call->route->access == ACCESS_DYNDNS || call->route->gives == GIVES_OTHER) return OK;
    while (rest.bytes > 0 && rest.data != NULL) {
        struct text name, value, pair = text_cut(&rest, '&');
        struct text raw_name = text_cut(&pair, '=');
        if (raw_name.bytes == 0 && pair.data == NULL) continue;
        bool has_name = take_text(raw_name, view, &name);
        if (!has_name || !take_text(pair, view, &value)) {
            return bad_query(has_name ? name : TEXT("query"),
                             TEXT("must be percent-encoded UTF-8 without control characters"), call,
                             reply);
        }
        enum err e = take_parameter(name, value, call, reply);
        if (e != OK) return e;
        if (comes_again(name, rest, view))
            return bad_query(name, TEXT("stands twice"), call, reply);
    }
    return OK;
}

/* ---- body ----------------------------------------------------------------------------------------- */

static bool is_type(struct text content_type, struct text expected)
{
    return text_equal_fold(text_trim(text_cut(&content_type, ';')), expected);
}

static bool needs_nothing(const struct record_type *type)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (fields[i].shown & NEEDED) return false;
    }
    return true;
}

/* One name=value. As RFC 6749, 3.2 wants it, what has no value was not sent, and what is unknown is nobody's. */
static bool take_pair(const struct record_type *type, struct text pair, struct json *json,
                      struct field_errors *errors)
{
    struct text name, value, raw_name = text_cut(&pair, '=');
    if (!percent_decode(raw_name, true, errors->arena, &name) ||
        !percent_decode(pair, true, errors->arena, &value)) {
        return false;
    }
    const struct field *field = record_field(type, name);
    if (field == NULL || value.bytes == 0) return true;
    if (!text_is_clean_utf8(value)) { /* here: as JSON it would be mended */
        field_errors_add(errors, field->name, TEXT("must be UTF-8 without control characters"));
        return true;
    }
    json_key(json, field->name);
    json_string(json, value);
    return true;
}

/* A form is a flat object of texts: rewritten as one, it goes through the same checks as every body. */
static enum err form_read(struct text body, enum shown purpose, const struct record_type *type,
                          void *record, uint64_t *given, struct field_errors *errors)
{
    struct json json;
    size_t offset = 0;
    bool is_form = true;
    json_init(&json, 8 * body.bytes + 64); /* more than escapes can make of it */
    json_open(&json, '{');
    while (is_form && body.data != NULL)
        is_form = take_pair(type, text_cut(&body, '&'), &json, errors);
    json_close(&json, '}');
    enum err e = json.overflowed ? ERR_OVERLOADED : is_form ? OK : ERR_BAD_REQUEST;
    if (e == OK)
        e = json_read(type, json_text(&json), purpose, record, given, errors, &offset,
                      errors->arena);
    if (json.bytes > 0) sodium_memzero(json.data, json.bytes);
    json_free(&json);
    return e == OK && errors->count > 0 ? ERR_INVALID : e;
}

static enum err take_form(const struct http_request *rq, const struct gate_view *view,
                          struct call *call, struct reply *reply)
{
    struct field_errors errors = {.arena = view->arena};
    const struct route *route = call->route;
    void *record = arena_alloc(view->arena, route->takes->bytes);
    if (record == NULL) return ERR_OVERLOADED;
    call->body = record;
    call->body_raw = rq->body;
    struct text reason = TEXT("send the body as application/x-www-form-urlencoded");
    bool is_form =
        rq->body.bytes == 0 || is_type(rq->content_type, TEXT("application/x-www-form-urlencoded"));
    enum err e =
        is_form ? form_read(rq->body, route->purpose, route->takes, record, &call->given, &errors)
                : ERR_BAD_REQUEST;
    if (arena_overflowed(view->arena)) return ERR_OVERLOADED;
    if (e != ERR_INVALID && e != ERR_BAD_REQUEST) return e;
    if (errors.first != NULL) {
        reason = arena_print(view->arena, "%.*s %.*s", TEXT_ARGS(errors.first->field),
                             TEXT_ARGS(errors.first->reason));
    }
    return oauth_refuse(reply, route, "invalid_request", reason);
}

#define WHOLE(name, where) \
    void check_whole_##name(const struct name *in, const struct field_errors *known, \
                            struct field_errors *more);
#include "wholes.def"
#undef WHOLE

/* What the fields say of each other, in the same answer. */
static void check_whole(const struct route *route, const void *in, struct field_errors *errors)
{
    struct field_errors more = {.arena = errors->arena};
    if (route->purpose != CREATE) return;
#define WHOLE(name, where) \
    if (route->takes == &name##_type) check_whole_##name(in, errors, &more);
#include "wholes.def"
#undef WHOLE
    for (const struct field_error *error = more.first; error != NULL; error = error->next) {
        if (!field_errors_have(errors, error->field))
            field_errors_add(errors, error->field, error->reason);
    }
}

static enum err take_body(const struct http_request *rq, const struct gate_view *view,
                          struct call *call, struct reply *reply)
{
    struct field_errors errors = {.arena = view->arena};
    size_t offset = 0;
    const struct route *route = call->route;
    struct text body = rq->body;
    if (route->takes == NULL) return OK;
    if (route->is_form) return take_form(rq, view, call, reply);
    if (body.bytes > 0 && !is_type(rq->content_type, TEXT("application/json")))
        return ERR_MEDIA_TYPE;
    if (body.bytes == 0 && route->purpose == CREATE && needs_nothing(route->takes))
        body = TEXT("{}");
    void *record = arena_alloc(view->arena, route->takes->bytes);
    if (record == NULL) return ERR_OVERLOADED;
    enum err e = json_read(route->takes, body, route->purpose, record, &call->given, &errors,
                           &offset, view->arena);
    if (e == ERR_BAD_JSON) {
        reply_error_saying(reply, e,
                           arena_print(view->arena, "The body is not valid JSON: byte %zu", offset),
                           call->request_id);
    } else if (e != OK) {
        if (e == ERR_INVALID) check_whole(route, record, &errors);
        reply_error(reply, e, &errors, call->request_id);
    }
    call->body = record;
    call->body_raw = body;
    return arena_overflowed(view->arena) ? ERR_OVERLOADED : e;
}

/* dyndns2 clients know one word for every kind of wrong or missing credential. A banned address that brings a
 * wrong one is told so instead, in our words: "badauth" makes many routers give up for good. */
static enum err refuse_router(struct gate *gate, const struct gate_view *view,
                              struct gate_result *result, struct reply *reply, enum err e)
{
    unsigned status = err_info(e)->status;
    if (status != 401 && status != 403) return e;
    bool is_wrong = status == 401 && e != ERR_NOT_SIGNED_IN && gate->config->limits_enabled;
    if (is_wrong && check_ban(gate, view, result) == ERR_BANNED) return ERR_BANNED;
    reply_start(reply, result->call.route);
    reply->status = 401;
    json_raw(&reply->body, TEXT("badauth\n"));
    result->wants_basic = true;
    return e;
}

/* ---- all of it ------------------------------------------------------------------------------------ */

enum err gate_check(struct gate *gate, const struct http_request *rq, const struct gate_view *view,
                    struct gate_result *result, struct reply *reply)
{
    unsigned allowed = 0;
    enum err e = OK;
    struct call *call = &result->call;
    const struct route *route = route_match(rq->method, rq->path, &call->id, &e, &allowed);
    enum err refused = check_address(gate, view, route, result);
    if (refused != OK) {
        call->route = route;
        return refused;
    }
    if (route == NULL) {
        if (e == ERR_METHOD) result->allow = route_allow(allowed, view->arena);
        return e;
    }
    call->route = route;
    call->query = rq->query;
    call->idempotency_key = rq->idempotency_key;
    call->if_match = rq->if_match;
    call->if_none_match = rq->if_none_match;
    call->user_agent = rq->user_agent;
    e = who(gate, rq, view, call);
    if (e != OK && route->access == ACCESS_DYNDNS)
        return refuse_router(gate, view, result, reply, e);
    if (e == OK) e = check_user(gate, result);
    if (e != OK) return e;
    if (rq->idempotency_key.bytes > 255) { /* an empty one is as good as none */
        return reply_error_saying(reply, ERR_BAD_REQUEST,
                                  TEXT("The Idempotency-Key must have at most 255 bytes"),
                                  call->request_id);
    }
    if (rq->query.bytes > 0 || route->gives == GIVES_LIST) e = take_query(view, call, reply);
    if (e == OK) e = take_body(rq, view, call, reply);
    return e;
}
