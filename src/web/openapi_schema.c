/* Schemas of records, for bodies (with all limits) and for answers (exact: no other members). See openapi.h. */
#include "web/openapi.h"

#include <assert.h>
#include <stdio.h>

#include "core/router.h"
#include "ddns/provider.h"

#define ID_PATTERN "^[0-9]{1,19}$"

/* What an `object` field of an answer or body holds, where LIKE() does not say it. */
static const struct object_form {
    const char *type, *field, *schema;
} object_forms[] = {
    {"audit_entry", "before", "\"type\":[\"object\",\"null\"],\"additionalProperties\":true"},
    {"audit_entry", "after", "\"type\":[\"object\",\"null\"],\"additionalProperties\":true"},
    {"ddns_status", "sources",
     "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Source\"}"},
    {"ddns_status", "records", "\"$ref\":\"#/components/schemas/RecordCounts\""},
    {"provider_info", "fields",
     "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/ProviderField\"}"},
};

static const char provider_field_schema[] =
    "{\"type\":\"object\",\"description\":\"A field of a provider's credentials\","
    "\"additionalProperties\":false,\"required\":[\"name\",\"title\",\"format\",\"required\",\"secret\"],"
    "\"properties\":{"
    "\"name\":{\"type\":\"string\",\"description\":\"Name in the credentials object\"},"
    "\"title\":{\"type\":\"string\",\"description\":\"Name for people\"},"
    "\"format\":{\"type\":\"string\",\"pattern\":\"^(text|url|host_port|base64|map|choice:[^,]+(,[^,]+)*)$\","
    "\"description\":\"text, url, host_port, base64, map (an object of strings) or choice:a,b\"},"
    "\"required\":{\"type\":\"boolean\",\"description\":\"Must be given\"},"
    "\"secret\":{\"type\":\"boolean\",\"description\":\"Never to be shown\"}}}";

static const char error_schema[] =
    "{\"type\":\"object\",\"description\":\"Every failure\",\"additionalProperties\":false,"
    "\"required\":[\"code\",\"message\",\"data\",\"request_id\"],\"properties\":{"
    "\"code\":{\"type\":\"integer\",\"minimum\":400000,\"maximum\":599999,"
    "\"description\":\"HTTP status * 1000 + a number that never changes once given out\"},"
    "\"message\":{\"type\":\"string\",\"minLength\":1,\"description\":\"What is wrong, for people\"},"
    "\"data\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"required\":[\"errors\"],"
    "\"description\":\"With 422 every bad field at once\",\"properties\":{\"errors\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"field\",\"reason\"],"
    "\"properties\":{\"field\":{\"type\":\"string\"},\"reason\":{\"type\":\"string\",\"minLength\":1}}}}}},"
    "\"request_id\":{\"type\":\"string\",\"description\":\"The same as X-Request-Id; finds it in the log\"}}}";

/* RFC 6749, 5.2. */
static const char oauth_error_schema[] =
    "{\"type\":\"object\",\"description\":\"A refusal of OAuth 2\",\"additionalProperties\":false,"
    "\"required\":[\"error\",\"error_description\"],\"properties\":{"
    "\"error\":{\"type\":\"string\",\"enum\":[\"invalid_request\",\"invalid_grant\",\"unsupported_grant_type\"]},"
    "\"error_description\":{\"type\":\"string\",\"description\":\"What is wrong, for people\"}}}";

#define PART(states, more, also) \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"status\"" more \
    "],\"properties\":{" \
    "\"status\":{\"type\":\"string\",\"enum\":[" states "]}" also "}}"

static const char health_schema[] =
    "{\"type\":\"object\",\"description\":\"How homeport is, part by part\",\"additionalProperties\":false,"
    "\"required\":[\"status\",\"timestamp\",\"version\",\"components\"],\"properties\":{"
    "\"status\":{\"type\":\"string\",\"enum\":[\"healthy\",\"unhealthy\"]},"
    "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"version\":{\"type\":\"string\"},"
    "\"components\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"store\",\"core\",\"scheduler\",\"providers\"],\"properties\":{"
    "\"store\":" PART("\"up\",\"degraded\",\"down\"", ",\"latency_ms\"", ",\"latency_ms\":{\"type\":\"number\",\"minimum\":0,\"description\":\"Of one read\"}") ",\"core\":" PART(
        "\"up\",\"degraded\",\"down\"", "",
        "") ",\"scheduler\":" PART("\"up\",\"degraded\",\"down\"", "",
                                   "") ",\"providers\":" PART("\"up\",\"degraded\",\"down\"", "",
                                                              "") "}}}}";

/* ---- small words ---------------------------------------------------------------------------------- */

void openapi_text(struct json *json, const char *key, const char *value)
{
    json_member(json, key, text_of(value));
}

void openapi_raw(struct json *json, const char *key, const char *raw)
{
    json_key(json, text_of(key));
    json_value(json, text_of(raw));
}

void openapi_open(struct json *json, const char *key, char bracket)
{
    json_key(json, text_of(key));
    json_open(json, bracket);
}

static void number_member(struct json *json, const char *key, uint64_t value)
{
    json_key(json, text_of(key));
    json_number(json, value);
}

enum { SCHEMA_NAME_SIZE = 80 };

/* dns_record and CREATE become DnsRecordCreate; a SHAPE has one form only and needs no ending. */
static struct text schema_name(const struct record_type *type, enum shown purpose,
                               char out[SCHEMA_NAME_SIZE])
{
    size_t n = 0;
    bool starts_word = true;
    assert(type->name.bytes < SCHEMA_NAME_SIZE / 2);
    for (size_t i = 0; i < type->name.bytes; i++) {
        char c = type->name.data[i];
        if (c != '_') out[n++] = starts_word && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        starts_word = c == '_';
    }
    out[n] = '\0';
    if (type->table == 0) return (struct text){out, n};
    const char *ending = purpose == CREATE ? "Create" : purpose == UPDATE ? "Update" : "";
    n += (size_t)snprintf(out + n, SCHEMA_NAME_SIZE - n, "%s", ending);
    return (struct text){out, n};
}

void openapi_schema_ref(struct json *json, const struct record_type *type, enum shown purpose)
{
    char name[SCHEMA_NAME_SIZE], ref[SCHEMA_NAME_SIZE + 32];
    schema_name(type, purpose, name);
    snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
    json_open(json, '{');
    openapi_text(json, "$ref", ref);
    json_close(json, '}');
}

/* ---- fields --------------------------------------------------------------------------------------- */

/* "type":"string", or with null where that is allowed too. */
static void type_of(struct json *json, const struct field *field, const char *name)
{
    if (!field->is_nullable) {
        openapi_text(json, "type", name);
        return;
    }
    openapi_open(json, "type", '[');
    json_string(json, text_of(name));
    json_string(json, TEXT("null"));
    json_close(json, ']');
}

static void choice_schema(struct json *json, const struct field *field)
{
    type_of(json, field, "string");
    openapi_open(json, "enum", '[');
    for (unsigned i = 0; i < field->choice->count; i++)
        json_string(json, field->choice->options[i].word);
    if (field->is_nullable) json_null(json);
    json_close(json, ']');
}

/* Answers have one form of time, bodies may also give a date alone. */
static void time_schema(struct json *json, const struct field *field, bool is_input)
{
    if (!is_input) {
        type_of(json, field, "string");
        openapi_text(json, "format", "date-time");
        return;
    }
    openapi_open(json, "anyOf", '[');
    json_value(json, TEXT("{\"type\":\"string\",\"format\":\"date-time\"}"));
    json_value(json, TEXT("{\"type\":\"string\",\"format\":\"date\"}"));
    if (field->is_nullable) json_value(json, TEXT("{\"type\":\"null\"}"));
    json_close(json, ']');
}

static void number_schema(struct json *json, const struct field *field, bool is_input)
{
    bool is_bounded = is_input && field->has_range;
    type_of(json, field, "integer");
    number_member(json, "minimum", is_bounded ? field->least : 0);
    if (is_bounded) number_member(json, "maximum", field->most);
}

/* Limits are bytes here and characters in JSON Schema: what has fewer bytes than `most` has fewer characters
 * too; and for letters beyond ASCII the document asks for a little more than `least`, which harms nobody. */
static void text_schema(struct json *json, const struct field *field, bool is_input)
{
    type_of(json, field, "string");
    if (!is_input) return;
    if (field->has_length && field->least > 0) number_member(json, "minLength", field->least);
    if (field->has_length) number_member(json, "maxLength", field->most);
    if (field->is_secret) openapi_text(json, "format", "password");
}

static void list_schema(struct json *json, const struct field *field, bool is_input)
{
    type_of(json, field, "array");
    if (!is_input) {
        openapi_raw(json, "items", "{\"type\":\"string\"}");
        return;
    }
    if (field->least > 0) number_member(json, "minItems", field->least);
    number_member(json, "maxItems", field->most);
    openapi_raw(json, "items", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":1024}");
}

static void object_schema(struct json *json, const struct record_type *type,
                          const struct field *field)
{
    char name[SCHEMA_NAME_SIZE], ref[SCHEMA_NAME_SIZE + 32];
    for (size_t i = 0; i < sizeof object_forms / sizeof *object_forms; i++) {
        const struct object_form *form = &object_forms[i];
        if (!text_equal(type->name, text_of(form->type))) continue;
        if (!text_equal(field->name, text_of(form->field))) continue;
        if (json->has_member) json_raw(json, TEXT(","));
        json_raw(json, text_of(form->schema));
        json->has_member = true;
        return;
    }
    if (field->like == NULL) {
        type_of(json, field, "object");
        openapi_raw(json, "additionalProperties", "true");
        return;
    }
    schema_name(record_type_find(text_of(field->like)), READ, name);
    snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
    openapi_text(json, "$ref", ref);
}

static void default_value(struct json *json, const struct field *field)
{
    json_key(json, TEXT("default"));
    if (field->kind == KIND_flag) {
        json_bool(json, field->default_value != 0);
    } else if (field->kind == KIND_choice) {
        json_string(json, choice_word(field->choice, field->default_value));
    } else {
        json_number(json, field->default_value);
    }
}

/* What the credentials are, provider by provider, from their own tables. */
static void credentials_description(struct arena *arena, struct text *text)
{
    const struct provider *provider;
    for (unsigned i = 0; (provider = provider_at(i)) != NULL; i++) {
        *text = arena_print(arena, "%.*s\n\n%.*s:", TEXT_ARGS(*text), TEXT_ARGS(provider->name));
        for (unsigned j = 0; j < provider->field_count; j++) {
            const struct provider_field *field = &provider->fields[j];
            *text = arena_print(arena, "%.*s%s `%.*s`%s (%.*s)", TEXT_ARGS(*text),
                                j == 0 ? "" : ",", TEXT_ARGS(field->name),
                                field->is_required ? "" : "?", TEXT_ARGS(field->title));
        }
    }
}

static void field_description(struct json *json, const struct record_type *type,
                              const struct field *field, bool is_input, struct arena *arena)
{
    struct text text = text_of(field->sentence);
    struct text pattern = text_of(check_pattern(field->check));
    bool is_credentials = type == &domain_type && text_equal(field->name, TEXT("credentials"));
    if (is_input && pattern.bytes > 0) {
        text = arena_print(arena, "%.*s (%.*s)", TEXT_ARGS(text), TEXT_ARGS(pattern));
        json_member(json, "x-pattern", pattern);
    }
    if (is_credentials) credentials_description(arena, &text);
    json_member(json, "description", text);
}

static void field_schema(struct json *json, const struct record_type *type,
                         const struct field *field, enum shown purpose, struct arena *arena)
{
    bool is_input = purpose != READ;
    json_open(json, '{');
    switch (field->kind) {
    case KIND_id:
        type_of(json, field, "string");
        openapi_text(json, "pattern", ID_PATTERN);
        break;
    case KIND_number: number_schema(json, field, is_input); break;
    case KIND_time: time_schema(json, field, is_input); break;
    case KIND_flag: type_of(json, field, "boolean"); break;
    case KIND_choice: choice_schema(json, field); break;
    case KIND_text: text_schema(json, field, is_input); break;
    case KIND_list: list_schema(json, field, is_input); break;
    case KIND_object: object_schema(json, type, field); break;
    }
    if (purpose == CREATE && field->has_default) default_value(json, field);
    if (is_input && field->is_secret) openapi_raw(json, "writeOnly", "true");
    field_description(json, type, field, is_input, arena);
    json_close(json, '}');
}

/* ---- records -------------------------------------------------------------------------------------- */

/* What a form holds besides is not looked at. */
static bool is_open(const struct record_type *type)
{
    const struct route *route;
    for (unsigned i = 0; (route = route_at(i)) != NULL; i++) {
        if (route->takes == type && route->is_form) return true;
    }
    return false;
}

static void record_schema(struct json *json, const struct record_type *type, enum shown purpose)
{
    struct arena arena;
    const struct field *fields = type->fields();
    arena_init(&arena, 1024 * 1024);
    json_open(json, '{');
    openapi_text(json, "type", "object");
    openapi_text(json, "description", type->sentence);
    openapi_raw(json, "additionalProperties", is_open(type) ? "true" : "false");
    openapi_open(json, "required", '[');
    for (unsigned i = 0; i < type->field_count; i++) {
        bool is_needed = purpose == READ || (purpose == CREATE && fields[i].shown & NEEDED);
        if (is_needed && fields[i].shown & purpose) json_string(json, fields[i].name);
    }
    json_close(json, ']');
    openapi_open(json, "properties", '{');
    for (unsigned i = 0; i < type->field_count; i++) {
        if ((fields[i].shown & purpose) == 0) continue;
        json_key(json, fields[i].name);
        field_schema(json, type, &fields[i], purpose, &arena);
    }
    json_close(json, '}');
    json_close(json, '}');
    if (arena_overflowed(&arena)) json->overflowed = true;
    arena_free(&arena);
}

/* Whether any route takes the type so, or gives it, or another type holds it. */
static bool is_used(const struct record_type *type, enum shown purpose)
{
    const struct route *route;
    const struct record_type *other;
    for (unsigned i = 0; (route = route_at(i)) != NULL; i++) {
        if (purpose == READ ? route->given == type
                            : route->takes == type && route->purpose == purpose)
            return true;
    }
    for (unsigned i = 0; purpose == READ && (other = record_type_at(i)) != NULL; i++) {
        for (unsigned j = 0; j < other->field_count; j++) {
            const char *like = other->fields()[j].like;
            if (like != NULL && text_equal(type->name, text_of(like))) return true;
        }
    }
    return false;
}

static void counts_schema(struct json *json, const struct choice *choice, const char *sentence)
{
    json_open(json, '{');
    openapi_text(json, "type", "object");
    openapi_text(json, "description", sentence);
    openapi_raw(json, "additionalProperties", "false");
    openapi_open(json, "required", '[');
    for (unsigned i = 0; i < choice->count; i++) json_string(json, choice->options[i].word);
    json_close(json, ']');
    openapi_open(json, "properties", '{');
    for (unsigned i = 0; i < choice->count; i++) {
        json_key(json, choice->options[i].word);
        json_open(json, '{');
        openapi_text(json, "type", "integer");
        number_member(json, "minimum", 0);
        openapi_text(json, "description", choice->options[i].sentence);
        json_close(json, '}');
    }
    json_close(json, '}');
    json_close(json, '}');
}

void openapi_schemas_write(struct json *json)
{
    static const enum shown purposes[] = {READ, CREATE, UPDATE};
    const struct record_type *type;
    char name[SCHEMA_NAME_SIZE];
    openapi_raw(json, "Error", error_schema);
    openapi_raw(json, "Health", health_schema);
    openapi_raw(json, "OauthError", oauth_error_schema);
    openapi_raw(json, "ProviderField", provider_field_schema);
    json_key(json, TEXT("RecordCounts"));
    counts_schema(json, &sync_status_choice, "Number of records by sync_status");
    for (unsigned i = 0; (type = record_type_at(i)) != NULL; i++) {
        for (unsigned j = 0; j < sizeof purposes / sizeof *purposes; j++) {
            if (!is_used(type, purposes[j])) continue;
            json_key(json, schema_name(type, purposes[j], name));
            record_schema(json, type, purposes[j]);
        }
    }
}

void openapi_other_schema(struct json *json, const struct route *route)
{
    if (route->given != NULL) {
        openapi_schema_ref(json, route->given, READ);
    } else if (text_equal(route->operation, TEXT("health"))) {
        json_value(json, TEXT("{\"$ref\":\"#/components/schemas/Health\"}"));
    } else if (text_starts(route->content_type, TEXT("application/json"))) {
        json_value(json, TEXT("{\"type\":\"object\"}"));
    } else {
        json_value(json, TEXT("{\"type\":\"string\"}"));
    }
}
