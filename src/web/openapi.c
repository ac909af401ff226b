/* The document's frame, its errors, and the route that gives it out. See openapi.h. */
#include "web/openapi.h"

#include <stdio.h>

#include "core/router.h"
#include "core/step.h"

static const char about[] =
    "Accounts and dynamic DNS for self-hosters, one program.\n\n"
    "Success is `{\"code\":0,\"message\":\"success\",\"data\":...}`; a failure has the fitting status and "
    "`{\"code\":N,\"message\":\"...\",\"data\":null,\"request_id\":\"...\"}`. With 422, `data.errors` names every "
    "bad field. Ids are decimal strings, times RFC 3339 in UTC. Lists take `limit` and `cursor`. Lengths of "
    "texts are counted in bytes of UTF-8. HEAD works wherever GET does.\n\n"
    "Requests are limited by address and by user, and routes that passwords can be guessed at by address once "
    "more: their answers say how much is left in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`. "
    "Without any left the answer is 429 with `Retry-After`. An address with too many failed sign-ins is banned: "
    "its sign-ins get 403006, what it asks with a valid token or key is answered.\n\n"
    "API keys carry scopes: `read` and `write` for everything, or one family's, such as `ddns:write`; "
    "`x-scope` names what an operation asks for, `x-roles` the roles that may call it. Another user's object "
    "answers 404.\n";

/* ---- errors --------------------------------------------------------------------------------------- */

enum other_form { FORM_NONE, FORM_DYNDNS, FORM_HEALTH, FORM_OAUTH, FORM_LIMITED };

static void headers_of_status(struct json *json, unsigned status, enum other_form form)
{
    /* Every form of OAuth 2 stands on a limited route. A ban says how long, where a ban can be met. */
    bool is_limited = form == FORM_LIMITED || form == FORM_OAUTH;
    bool is_ban = status == 403 && (form == FORM_LIMITED || form == FORM_DYNDNS);
    openapi_open(json, "headers", '{');
    openapi_raw(json, "X-Request-Id", "{\"$ref\":\"#/components/headers/RequestId\"}");
    if (status == 401)
        openapi_raw(json, "WWW-Authenticate", "{\"$ref\":\"#/components/headers/Authenticate\"}");
    if (status == 429 || status == 503 || is_ban)
        openapi_raw(json, "Retry-After", "{\"$ref\":\"#/components/headers/RetryAfter\"}");
    if (status == 429 || is_limited) openapi_limit_headers(json);
    json_close(json, '}');
}

static void error_example(struct json *json, const struct err_info *info)
{
    json_key(json, text_of(info->name));
    json_open(json, '{');
    json_member(json, "summary", info->sentence);
    openapi_open(json, "value", '{');
    json_key(json, TEXT("code"));
    json_number(json, info->code);
    json_member(json, "message", info->sentence);
    json_key(json, TEXT("data"));
    if (info->code == 422000) {
        json_value(json, TEXT("{\"errors\":[{\"field\":\"name\",\"reason\":\"is missing\"}]}"));
    } else {
        json_null(json);
    }
    openapi_text(json, "request_id", "0c8e1f7d2b9a4e63");
    json_close(json, '}');
    json_close(json, '}');
}

/* {"schema":...,"examples":...} of one status: the envelope, with the codes that it can have. */
static void error_media(struct json *json, unsigned status)
{
    json_open(json, '{');
    json_key(json, TEXT("schema"));
    json_value(json, TEXT("{\"allOf\":[{\"$ref\":\"#/components/schemas/Error\"},"
                          "{\"type\":\"object\",\"properties\":{\"code\":{\"enum\":["));
    json->has_member = false;
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        if (err_info((enum err)e)->status == status) json_number(json, err_info((enum err)e)->code);
    }
    json_raw(json, TEXT("]}}}]}"));
    openapi_open(json, "examples", '{');
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        if (err_info((enum err)e)->status == status) error_example(json, err_info((enum err)e));
    }
    json_close(json, '}');
    json_close(json, '}');
}

/* One answer for a status. Health tells its state with the same status that says "too busy"; the dyndns2
 * route answers in that protocol's words when it can, and in ours when the gate refuses before; so does the
 * one that speaks OAuth 2. */
static void error_response(struct json *json, unsigned status, enum other_form form)
{
    static const char *const prefixes[] = {"Error", "Dyndns", "Health", "Oauth", "Limited"};
    char name[32], code[16], description[2048] = "";
    size_t n = 0;
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        if (info->status != status || n >= sizeof description) continue;
        snprintf(code, sizeof code, "%u", info->code);
        n += (size_t)snprintf(description + n, sizeof description - n, "%s%s: %.*s",
                              n == 0 ? "" : "; ", code, TEXT_ARGS(info->sentence));
    }
    snprintf(name, sizeof name, "%s%u", prefixes[form], status);
    openapi_open(json, name, '{');
    openapi_text(json, "description", description);
    headers_of_status(json, status, form);
    openapi_open(json, "content", '{');
    json_key(json, TEXT("application/json"));
    if (form == FORM_HEALTH) {
        json_value(json, TEXT("{\"schema\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/Health\"},"
                              "{\"$ref\":\"#/components/schemas/Error\"}]}}"));
    } else if (form == FORM_OAUTH) {
        json_value(json,
                   TEXT("{\"schema\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/OauthError\"},"
                        "{\"$ref\":\"#/components/schemas/Error\"}]}}"));
    } else {
        error_media(json, status);
    }
    if (form == FORM_DYNDNS) {
        openapi_raw(
            json, "text/plain",
            "{\"schema\":{\"type\":\"string\"},\"examples\":{\"badauth\":{\"value\":\"badauth\"}}}");
    }
    json_close(json, '}');
    json_close(json, '}');
}

static void responses_write(struct json *json)
{
    openapi_raw(json, "NotModified",
                "{\"description\":\"What you have is still right\",\"headers\":{"
                "\"X-Request-Id\":{\"$ref\":\"#/components/headers/RequestId\"},"
                "\"ETag\":{\"$ref\":\"#/components/headers/ETag\"}}}");
    openapi_raw(
        json, "Error",
        "{\"description\":\"Any other failure\",\"headers\":{"
        "\"X-Request-Id\":{\"$ref\":\"#/components/headers/RequestId\"}},"
        "\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}}");
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        unsigned status = err_info((enum err)e)->status;
        bool is_first = true;
        for (int before = OK + 1; before < e; before++) {
            if (err_info((enum err)before)->status == status) is_first = false;
        }
        if (!is_first || status == 405) continue; /* no operation described here can answer 405 */
        error_response(json, status, FORM_NONE);
        if (status != 404 && status != 409 && status != 412 && status != 415 && status != 422) {
            error_response(json, status, FORM_DYNDNS);
        }
        if (status == 503) error_response(json, status, FORM_HEALTH);
        if (status == 400) error_response(json, status, FORM_OAUTH);
        if (openapi_tells_limit(status)) error_response(json, status, FORM_LIMITED);
    }
}

static void error_table(struct json *json)
{
    openapi_open(json, "x-error-codes", '[');
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        json_open(json, '{');
        json_key(json, TEXT("code"));
        json_number(json, info->code);
        json_key(json, TEXT("status"));
        json_number(json, info->status);
        openapi_text(json, "name", info->name);
        json_member(json, "message", info->sentence);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* Who may call what: the one table that the gate judges by, for people. */
static struct text matrix_add(struct arena *arena, struct text text)
{
    text = arena_print(arena, "%.*s\n| operation | nobody signed in |", TEXT_ARGS(text));
    for (unsigned i = 0; i < role_choice.count; i++) {
        text = arena_print(arena, "%.*s %.*s |", TEXT_ARGS(text),
                           TEXT_ARGS(role_choice.options[i].word));
    }
    text = arena_print(arena, "%.*s\n|---|---|---|---|---|---|\n", TEXT_ARGS(text));
    const struct route *route;
    for (unsigned i = 0; (route = route_at(i)) != NULL; i++) {
        struct text row = arena_print(arena, "| %.*s %.*s |", TEXT_ARGS(method_name(route->method)),
                                      TEXT_ARGS(route->path));
        for (unsigned role = 0; role <= role_super_admin; role++) {
            row = arena_print(arena, "%.*s %s |", TEXT_ARGS(row),
                              openapi_may(route, role) ? "yes" : "-");
        }
        text = arena_print(arena, "%.*s%.*s\n", TEXT_ARGS(text), TEXT_ARGS(row));
    }
    return text;
}

/* ---- the frame ------------------------------------------------------------------------------------ */

static void info_write(struct json *json)
{
    struct arena arena;
    arena_init(&arena, 4 * 1024 * 1024);
    struct text text = arena_print(&arena, "%s\n| role | may |\n|---|---|\n", about);
    for (unsigned i = 0; i < role_choice.count; i++) {
        text = arena_print(&arena, "%.*s| %.*s | %s |\n", TEXT_ARGS(text),
                           TEXT_ARGS(role_choice.options[i].word), role_choice.options[i].sentence);
    }
    text = matrix_add(&arena, text);
    text = arena_print(&arena, "%.*s\n| code | meaning |\n|---|---|\n", TEXT_ARGS(text));
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        text = arena_print(&arena, "%.*s| %u | %.*s |\n", TEXT_ARGS(text), info->code,
                           TEXT_ARGS(info->sentence));
    }
    openapi_open(json, "info", '{');
    openapi_text(json, "title", "homeport");
    openapi_text(json, "version", HOMEPORT_VERSION);
    json_member(json, "description", text);
    openapi_raw(json, "license", "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
    json_close(json, '}');
    if (arena_overflowed(&arena)) json->overflowed = true;
    arena_free(&arena);
}

static const char tags[] =
    "[{\"name\":\"accounts\",\"description\":\"Users, sign-in, API keys\"},"
    "{\"name\":\"ddns\",\"description\":\"Domains, records and the addresses they follow\"},"
    "{\"name\":\"tasks\",\"description\":\"The durable queue\"},"
    "{\"name\":\"operations\",\"description\":\"Health, figures, audit log, events\"}]";

static const char parameters[] =
    "{\"Id\":{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":\"Which one\","
    "\"schema\":{\"type\":\"string\",\"pattern\":\"^[0-9]{1,19}$\"}},"
    "\"Limit\":{\"name\":\"limit\",\"in\":\"query\",\"description\":\"Most items of this page\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":20}},"
    "\"Cursor\":{\"name\":\"cursor\",\"in\":\"query\",\"description\":\"next_cursor of the page before\","
    "\"schema\":{\"type\":\"string\",\"maxLength\":64}},"
    "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":\"The same key and body "
    "within 24 hours give the first answer again\",\"schema\":{\"type\":\"string\",\"maxLength\":255}},"
    "\"IfMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"description\":\"Only when the thing still has this ETag\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"IfNoneMatch\":{\"name\":\"If-None-Match\",\"in\":\"header\",\"description\":\"304 when the thing still has "
    "this ETag\",\"schema\":{\"type\":\"string\"}},"
    "\"LastEventId\":{\"name\":\"Last-Event-ID\",\"in\":\"header\",\"description\":\"Go on behind this event\","
    "\"schema\":{\"type\":\"string\",\"pattern\":\"^[0-9]{1,19}$\"}}}";

static const char headers[] =
    "{\"RequestId\":{\"description\":\"The caller's X-Request-Id when it sent a sane one, else a new one\","
    "\"schema\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._-]{1,128}$\"}},"
    "\"ETag\":{\"description\":\"For If-Match and If-None-Match\",\"schema\":{\"type\":\"string\"}},"
    "\"RetryAfter\":{\"description\":\"Seconds to wait\",\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
    "\"Authenticate\":{\"description\":\"How to sign in\",\"schema\":{\"type\":\"string\"}},"
    "\"RateLimitLimit\":{\"description\":\"Requests that a full bucket holds\",\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
    "\"RateLimitRemaining\":{\"description\":\"Requests left\",\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
    "\"RateLimitReset\":{\"description\":\"Seconds until there is one more\",\"schema\":{\"type\":\"integer\",\"minimum\":0}}}";

static const char security_schemes[] =
    "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\","
    "\"description\":\"An access token from signing in, or an API key\"},"
    "\"apiKey\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\",\"description\":\"hp_<id>_<secret>\"},"
    "\"password\":{\"type\":\"oauth2\",\"description\":\"User name, mail address or phone number, and password\","
    "\"flows\":{\"password\":{\"tokenUrl\":\"/api/v1/auth/token\",\"refreshUrl\":\"/api/v1/auth/token\",\"scopes\":{}}}},"
    "\"basicKey\":{\"type\":\"http\",\"scheme\":\"basic\","
    "\"description\":\"dyndns2: any user name, an API key as password\"},"
    "\"metricsToken\":{\"type\":\"http\",\"scheme\":\"bearer\","
    "\"description\":\"metrics.token; without one only loopback may read\"}}";

void openapi_write(struct json *json)
{
    json_open(json, '{');
    openapi_text(json, "openapi", "3.1.0");
    info_write(json);
    openapi_raw(json, "servers", "[{\"url\":\"/\"}]");
    openapi_raw(json, "tags", tags);
    openapi_open(json, "paths", '{');
    openapi_paths_write(json);
    json_close(json, '}');
    openapi_open(json, "components", '{');
    openapi_open(json, "schemas", '{');
    openapi_schemas_write(json);
    json_close(json, '}');
    openapi_open(json, "responses", '{');
    responses_write(json);
    json_close(json, '}');
    openapi_raw(json, "parameters", parameters);
    openapi_raw(json, "headers", headers);
    openapi_raw(json, "securitySchemes", security_schemes);
    error_table(json);
    json_close(json, '}');
    json_close(json, '}');
}

/* FNV-1a: it only has to change when the document does. */
static void etag_write(struct text document, char etag[ETAG_SIZE])
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < document.bytes; i++)
        hash = (hash ^ (uint8_t)document.data[i]) * 0x100000001b3u;
    snprintf(etag, ETAG_SIZE, "\"%016llx\"", (unsigned long long)hash);
}

enum err openapi(struct view *view, const struct call *call, struct reply *reply)
{
    /* Written at the first question and kept; only the loop's thread asks. */
    static struct json document = {.max = OPENAPI_BYTES_MAX};
    static char etag[ETAG_SIZE];
    (void)call;
    if (!view->config->http_docs) return ERR_NOT_FOUND;
    if (etag[0] == '\0') {
        json_reset(&document);
        openapi_write(&document);
        if (document.overflowed) return ERR_OVERLOADED;
        etag_write(json_text(&document), etag);
    }
    memcpy(reply->etag, etag, sizeof etag);
    json_raw(&reply->body, json_text(&document));
    return reply->body.overflowed ? ERR_OVERLOADED : OK;
}
