/* One operation for each row of routes.def: parameters, body, and every answer it can give. See openapi.h. */
#include "web/openapi.h"

#include <stdio.h>

#include "core/router.h"

/* ---- families ------------------------------------------------------------------------------------- */

static const struct family_path {
    const char *start, *tag;
} families[] = {
    {"/api/v1/setup", "accounts"},
    {"/api/v1/auth/", "accounts"},
    {"/api/v1/users", "accounts"},
    {"/api/v1/user/", "accounts"},
    {"/api/v1/api-keys", "accounts"},
    {"/api/v1/sessions", "accounts"},
    {"/api/v1/bans", "accounts"},
    {"/api/v1/domains", "ddns"},
    {"/api/v1/records", "ddns"},
    {"/api/v1/ddns", "ddns"},
    {"/nic/", "ddns"},
    {"/api/v1/tasks", "tasks"},
    {"/", "operations"},
};

struct text openapi_tag(struct text path)
{
    size_t i = 0;
    while (!text_starts(path, text_of(families[i].start)))
        i++; /* the last row is the start of every path */
    return text_of(families[i].tag);
}

bool openapi_has_etag(const struct route *route)
{
    if (route->method != METHOD_GET) return false;
    if (route->gives == GIVES_ONE) return route->given->table != 0;
    return text_equal(route->operation, TEXT("openapi"));
}

static bool has_id(const struct route *route)
{
    return memchr(route->path.data, '{', route->path.bytes) != NULL;
}

/* The same rule as idempotency_applies(). */
static bool takes_idempotency_key(const struct route *route)
{
    return route->method == METHOD_POST && (route->status == 201 || route->status == 202);
}

static bool takes_if_match(const struct route *route)
{
    return route->method == METHOD_PATCH || route->method == METHOD_PUT ||
           route->method == METHOD_DELETE;
}

/* ---- rate limits ---------------------------------------------------------------------------------- */

/* The operations of limits.def. */
static const char *const limited[] = {
#define BUCKET(name, setting, seconds, sentence)
#define LIMITED(operation, bucket, banned) #operation,
#define FREE(operation)
#include "limits.def"
#undef LIMITED
#undef FREE
};
static const char *const unlimited[] = {
#define LIMITED(operation, bucket, banned)
#define FREE(operation) #operation,
#include "limits.def"
#undef BUCKET
#undef LIMITED
#undef FREE
};

static bool is_among(const struct route *route, const char *const *operations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(route->operation, text_of(operations[i]))) return true;
    }
    return false;
}

static bool is_limited(const struct route *route)
{
    return is_among(route, limited, sizeof limited / sizeof *limited);
}

/* All others are refused before: by the listener, or for the name that the request gives this host. */
bool openapi_tells_limit(unsigned status)
{
    switch (status) {
    case 400:
    case 401:
    case 403:
    case 404:
    case 409:
    case 415:
    case 422:
    case 500:
    case 503:
    case 507: return true;
    default: return false;
    }
}

void openapi_limit_headers(struct json *json)
{
    openapi_raw(json, "RateLimit-Limit", "{\"$ref\":\"#/components/headers/RateLimitLimit\"}");
    openapi_raw(json, "RateLimit-Remaining",
                "{\"$ref\":\"#/components/headers/RateLimitRemaining\"}");
    openapi_raw(json, "RateLimit-Reset", "{\"$ref\":\"#/components/headers/RateLimitReset\"}");
}

/* ---- parameters ----------------------------------------------------------------------------------- */

static const struct parameter {
    const char *name, *schema, *sentence;
} parameters[] = {
    {"at_provider", "{\"type\":\"boolean\",\"default\":false}",
     "true: also remove at the provider what homeport made there"},
    {"hostname", "{\"type\":\"string\",\"maxLength\":4096}",
     "Full names of dynamic records, with commas between them"},
    {"myip", "{\"type\":\"string\",\"maxLength\":256}",
     "The address, IPv4 or IPv6 or both with a comma; left out: the caller's"},
    {"myipv6", "{\"type\":\"string\",\"maxLength\":256}", "An IPv6 address besides myip"},
    {"q", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":254}",
     "Only accounts whose user name, mail address or phone number begins so, whatever the case of its letters; "
     "in the order of these, not together with role. total is then counted up to 1000: at 1000 there may be "
     "more. A page may hold fewer than limit, or none, and still have a next_cursor"},
    {"role", "{\"type\":\"string\",\"enum\":[\"user\",\"operator\",\"admin\",\"super_admin\"]}",
     "Only accounts of this role"},
};

static void query_parameter(struct json *json, struct text name)
{
    const struct parameter *known = NULL;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (text_equal(name, text_of(parameters[i].name))) known = &parameters[i];
    }
    json_open(json, '{');
    json_member(json, "name", name);
    openapi_text(json, "in", "query");
    openapi_raw(json, "schema", known != NULL ? known->schema : "{\"type\":\"string\"}");
    if (known != NULL) openapi_text(json, "description", known->sentence);
    json_close(json, '}');
}

static void shared_parameter(struct json *json, const char *name)
{
    char ref[80];
    snprintf(ref, sizeof ref, "#/components/parameters/%s", name);
    json_open(json, '{');
    openapi_text(json, "$ref", ref);
    json_close(json, '}');
}

static void parameters_write(struct json *json, const struct route *route)
{
    struct text rest = text_of(route->query);
    openapi_open(json, "parameters", '[');
    if (has_id(route)) shared_parameter(json, "Id");
    if (route->gives == GIVES_LIST) shared_parameter(json, "Limit");
    if (route->gives == GIVES_LIST) shared_parameter(json, "Cursor");
    while (rest.data != NULL) query_parameter(json, text_cut(&rest, ','));
    if (takes_idempotency_key(route)) shared_parameter(json, "IdempotencyKey");
    if (takes_if_match(route)) shared_parameter(json, "IfMatch");
    if (openapi_has_etag(route)) shared_parameter(json, "IfNoneMatch");
    if (text_starts(route->content_type, TEXT("text/event-stream")))
        shared_parameter(json, "LastEventId");
    json_close(json, ']');
}

static void body_write(struct json *json, const struct route *route)
{
    if (route->takes == NULL) return;
    bool is_required = route->purpose == UPDATE;
    for (unsigned i = 0; i < route->takes->field_count; i++) {
        if (route->takes->fields()[i].shown & NEEDED) is_required = true;
    }
    openapi_open(json, "requestBody", '{');
    json_key(json, TEXT("required"));
    json_bool(json, is_required);
    openapi_open(json, "content", '{');
    openapi_open(json, route->is_form ? "application/x-www-form-urlencoded" : "application/json",
                 '{');
    json_key(json, TEXT("schema"));
    openapi_schema_ref(json, route->takes, route->purpose);
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
}

/* ---- who may -------------------------------------------------------------------------------------- */

static enum role role_least(enum access access)
{
    switch (access) {
    case ACCESS_SUPER: return role_super_admin;
    case ACCESS_ADMIN: return role_admin;
    case ACCESS_OPERATOR: return role_operator;
    case ACCESS_PUBLIC:
    case ACCESS_OPTIONAL:
    case ACCESS_METRICS:
    case ACCESS_DYNDNS:
    case ACCESS_USER: break;
    }
    return role_user;
}

bool openapi_may(const struct route *route, enum role role)
{
    return role >= (route->access < ACCESS_DYNDNS ? 0 : role_least(route->access));
}

static void access_write(struct json *json, const struct route *route)
{
    static const char *const scope_names[SCOPE_COUNT] = {
#define SCOPE(name) [SCOPE_##name] = #name
        SCOPE(none),
        SCOPE(accounts),
        SCOPE(ddns),
        SCOPE(tasks),
#undef SCOPE
    };
    char scope[40];
    bool is_write =
        route->method != METHOD_GET || route->lane == LANE_TURN; /* as in access_check() */
    if (route->access < ACCESS_DYNDNS) {
        openapi_raw(json, "security",
                    route->access == ACCESS_PUBLIC     ? "[]"
                    : route->access == ACCESS_OPTIONAL ? "[{},{\"bearer\":[]},{\"apiKey\":[]}]"
                                                       : "[{\"metricsToken\":[]},{}]");
        return;
    }
    openapi_raw(json, "security",
                route->access == ACCESS_DYNDNS
                    ? "[{\"basicKey\":[]},{\"bearer\":[]},{\"apiKey\":[]}]"
                    : "[{\"bearer\":[]},{\"apiKey\":[]},{\"password\":[]}]");
    openapi_open(json, "x-roles", '[');
    for (unsigned i = 0; i < role_choice.count; i++) {
        if (openapi_may(route, role_choice.options[i].number))
            json_string(json, role_choice.options[i].word);
    }
    json_close(json, ']');
    snprintf(scope, sizeof scope, "%s%s%s",
             route->scope == SCOPE_none ? "" : scope_names[route->scope],
             route->scope == SCOPE_none ? "" : ":", is_write ? "write" : "read");
    openapi_text(json, "x-scope", scope);
}

/* ---- answers -------------------------------------------------------------------------------------- */

/* Refusals that a row's columns do not tell of. */
static const struct extra {
    const char *operation;
    unsigned status;
} extras[] = {
    {"setup", 404},      {"setup_state", 404},    {"openapi", 404},       {"metrics", 401},
    {"user_login", 401}, {"user_refresh", 401},   {"user_register", 401}, {"setup", 401},
    {"user_me", 404},    {"user_me_update", 404}, {"profile_show", 404},  {"profile_put", 404},
};

static bool is_extra(const struct route *route, unsigned status)
{
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        if (extras[i].status == status &&
            text_equal(route->operation, text_of(extras[i].operation)))
            return true;
    }
    return false;
}

/* Whether a route can be answered so. What the HTTP layer and the gate refuse can happen to every request;
 * 405 cannot happen to one that is described here. */
static bool can_fail(const struct route *route, unsigned status)
{
    bool is_turn = route->lane == LANE_TURN;
    bool is_change = route->method != METHOD_GET;
    switch (status) {
    case 401: return route->access != ACCESS_PUBLIC || is_extra(route, status);
    case 404: return has_id(route) || is_extra(route, status);
    case 405: return false;
    case 409: return is_turn && is_change && !route->is_form;
    case 412: return takes_if_match(route);
    case 415: return route->takes != NULL && !route->is_form;
    case 429: return !is_among(route, unlimited, sizeof unlimited / sizeof *unlimited);
    case 422: return is_change && route->method != METHOD_DELETE && !route->is_form;
    case 507: return is_turn;
    default: return true;
    }
}

static void shared_response(struct json *json, const struct route *route, unsigned status)
{
    char key[16], ref[64];
    const char *kind = route->access == ACCESS_DYNDNS ? "Dyndns" : "Error";
    if (is_limited(route) && openapi_tells_limit(status)) kind = "Limited";
    if (status == 503 && text_equal(route->operation, TEXT("health"))) kind = "Health";
    if (status == 400 && route->is_form) kind = "Oauth";
    snprintf(key, sizeof key, "%u", status);
    snprintf(ref, sizeof ref, "#/components/responses/%s%u", kind, status);
    openapi_open(json, key, '{');
    openapi_text(json, "$ref", ref);
    json_close(json, '}');
}

static void list_schema(struct json *json, const struct route *route)
{
    json_value(json, TEXT("{\"type\":\"object\",\"additionalProperties\":false,"
                          "\"required\":[\"items\",\"next_cursor\",\"total\"],\"properties\":{"
                          "\"items\":{\"type\":\"array\",\"maxItems\":100,\"items\":"));
    json->has_member = false;
    openapi_schema_ref(json, route->given, READ);
    json_raw(json, TEXT("},\"next_cursor\":{\"type\":[\"string\",\"null\"],"
                        "\"description\":\"cursor of the next page; null: this is the last\"},"
                        "\"total\":{\"type\":\"integer\",\"minimum\":0}}}"));
}

/* {"code":0,"message":"success","data":...} */
static void envelope_schema(struct json *json, const struct route *route)
{
    json_value(json, TEXT("{\"type\":\"object\",\"additionalProperties\":false,"
                          "\"required\":[\"code\",\"message\",\"data\"],\"properties\":{"
                          "\"code\":{\"const\":0},\"message\":{\"const\":\"success\"},\"data\":"));
    json->has_member = false;
    switch (route->gives) {
    case GIVES_ONE: openapi_schema_ref(json, route->given, READ); break;
    case GIVES_LIST: list_schema(json, route); break;
    case GIVES_NO_DATA: /* not "type":"null", at which client generators stumble */
    case GIVES_OTHER: json_value(json, TEXT("{\"const\":null}")); break;
    }
    json_raw(json, TEXT("}}"));
    json->has_member = true;
}

static void success_write(struct json *json, const struct route *route)
{
    char key[16];
    struct text type = route->gives == GIVES_OTHER ? route->content_type : TEXT("application/json");
    bool has_tag = route->gives == GIVES_ONE ? route->given->table != 0 : openapi_has_etag(route);
    snprintf(key, sizeof key, "%u", route->status);
    openapi_open(json, key, '{');
    openapi_text(json, "description",
                 route->status == 202 ? "Accepted: it goes on by itself" : "Done");
    openapi_open(json, "headers", '{');
    openapi_raw(json, "X-Request-Id", "{\"$ref\":\"#/components/headers/RequestId\"}");
    if (has_tag) openapi_raw(json, "ETag", "{\"$ref\":\"#/components/headers/ETag\"}");
    if (is_limited(route)) openapi_limit_headers(json);
    json_close(json, '}');
    openapi_open(json, "content", '{');
    json_key(json, text_cut(&type, ';')); /* without its parameters */
    json_open(json, '{');
    json_key(json, TEXT("schema"));
    if (route->gives == GIVES_OTHER) {
        openapi_other_schema(json, route);
    } else {
        envelope_schema(json, route);
    }
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
}

static void page_write(struct json *json)
{
    openapi_raw(
        json, "303",
        "{\"description\":\"For who prefers text/html to application/json: a page that says what came of it\","
        "\"headers\":{\"Location\":{\"schema\":{\"type\":\"string\"}},"
        "\"X-Request-Id\":{\"$ref\":\"#/components/headers/RequestId\"}}}");
}

static void responses_write(struct json *json, const struct route *route)
{
    unsigned status = 0, next;
    openapi_open(json, "responses", '{');
    success_write(json, route);
    if (route->page_done.bytes > 0) page_write(json);
    if (openapi_has_etag(route))
        openapi_raw(json, "304", "{\"$ref\":\"#/components/responses/NotModified\"}");
    do { /* each status of errors.def once, in order */
        next = 0;
        for (int e = OK + 1; e < ERR_COUNT; e++) {
            unsigned candidate = err_info((enum err)e)->status;
            if (candidate > status && (next == 0 || candidate < next)) next = candidate;
        }
        if (next != 0 && can_fail(route, next)) shared_response(json, route, next);
        status = next;
    } while (next != 0);
    openapi_raw(json, "default", "{\"$ref\":\"#/components/responses/Error\"}");
    json_close(json, '}');
}

/* ---- operations ----------------------------------------------------------------------------------- */

static void operation_write(struct json *json, const struct route *route)
{
    char method[8] = "";
    struct text name = method_name(route->method);
    for (size_t i = 0; i < name.bytes && i + 1 < sizeof method; i++)
        method[i] = ascii_lower(name.data[i]);
    openapi_open(json, method, '{');
    json_member(json, "operationId", route->operation);
    openapi_text(json, "summary", route->sentence);
    openapi_open(json, "tags", '[');
    json_string(json, openapi_tag(route->path));
    json_close(json, ']');
    access_write(json, route);
    parameters_write(json, route);
    body_write(json, route);
    responses_write(json, route);
    json_close(json, '}');
}

/* The rows of one path, at its first row. */
static void path_write(struct json *json, unsigned first)
{
    struct text path = route_at(first)->path;
    const struct route *route;
    for (unsigned i = 0; i < first; i++) {
        if (text_equal(route_at(i)->path, path)) return;
    }
    json_key(json, path);
    json_open(json, '{');
    for (unsigned i = first; (route = route_at(i)) != NULL; i++) {
        if (text_equal(route->path, path)) operation_write(json, route);
    }
    json_close(json, '}');
}

void openapi_paths_write(struct json *json)
{
    for (unsigned i = 0; route_at(i) != NULL; i++) path_write(json, i);
}
