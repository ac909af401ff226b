/* Bodies become records only when every rule of every field holds, and records become the JSON that the
 * schema promises. */
#include "core/json.h"

#include <time.h>
#include <yyjson.h>

#include "unit.h"

/* The checks of products are not under test here: this one refuses a word that no rule refuses. */
static bool is_allowed(struct text value, struct text *reason)
{
    *reason = TEXT("must be something else");
    return !text_ends_fold(value, TEXT("refuse-me"));
}
#define CHECKER(name, where, pattern) \
    bool check_##name(struct text value, struct text *reason); \
    __attribute__((weak)) bool check_##name(struct text value, struct text *reason) \
    { \
        return is_allowed(value, reason); \
    }
#include "checks.def"
#undef CHECKER

enum { BODY_SIZE = 64 << 10 };

static struct arena arena;
static _Alignas(16) char record[4096];
static uint64_t given;
static struct field_errors errors;
static size_t offset;

/* The body is copied to where the sanitizer sees a byte too far. */
static enum err read_body(const struct record_type *type, struct text body, enum shown purpose)
{
    char *copy = malloc(body.bytes == 0 ? 1 : body.bytes);
    if (body.bytes > 0) memcpy(copy, body.data, body.bytes);
    arena_reset(&arena);
    errors = (struct field_errors){0};
    offset = SIZE_MAX;
    memset(record, 0, sizeof record);
    enum err e = json_read(type, (struct text){copy, body.bytes}, purpose, record, &given, &errors, &offset, &arena);
    free(copy); /* nothing may point into it afterwards */
    return e;
}

/* Exactly one field is wrong, this one, for this reason (a part of it). */
static bool refused(enum err e, struct text field, const char *reason)
{
    bool is_so = e == ERR_INVALID && errors.count == 1 && text_equal(errors.first->field, field) &&
                 memmem(errors.first->reason.data, errors.first->reason.bytes, reason, strlen(reason)) != NULL;
    if (is_so) return true;
    printf("    %.*s: wanted \"%s\", got %d with %u errors\n", TEXT_ARGS(field), reason, (int)e, errors.count);
    for (struct field_error *error = errors.first; error != NULL; error = error->next) {
        printf("    %.*s %.*s\n", TEXT_ARGS(error->field), TEXT_ARGS(error->reason));
    }
    return false;
}

/* ---- every field of every type ---- */

static void letters(char *out, size_t count)
{
    out[0] = '"';
    memset(out + 1, 'a', count);
    memcpy(out + 1 + count, "\"", 2);
}

/* A value that all rules of the field allow. */
static const char *good_value(const struct field *field)
{
    static char out[300];
    switch (field->kind) {
    case KIND_id: return "\"7214839201836032\"";
    case KIND_time: return "\"2026-03-01T08:09:10.123Z\"";
    case KIND_flag: return "true";
    case KIND_object: return "{}";
    case KIND_number:
        snprintf(out, sizeof out, "%llu", field->has_range ? (unsigned long long)field->most : 5);
        return out;
    case KIND_choice:
        snprintf(out, sizeof out, "\"%.*s\"", TEXT_ARGS(field->choice->options[0].word));
        return out;
    case KIND_text:
        letters(out, field->has_length && field->least > 1 ? field->least : 1);
        return out;
    case KIND_list: return "[\"a\",\"b/c\"]";
    }
    return "";
}

/* A body with every field that `purpose` may give; `special` has `value` instead (NULL: left out). */
static struct text body_with(const struct record_type *type, enum shown purpose, const struct field *special,
                             const char *value)
{
    static char body[BODY_SIZE];
    const struct field *fields = type->fields();
    size_t n = 0;
    body[n++] = '{';
    for (unsigned i = 0; i < type->field_count; i++) {
        bool is_special = special == &fields[i];
        if (!is_special && (fields[i].shown & purpose) == 0) continue;
        const char *is = is_special ? value : good_value(&fields[i]);
        if (is == NULL) continue;
        n += (size_t)snprintf(body + n, sizeof body - n, "%s%.*s%s", n > 1 ? ", " : "",
                              fields[i].json_key_bytes, fields[i].json_key + 1, is);
    }
    body[n++] = '}';
    return (struct text){body, n};
}

static void refuses(const struct record_type *type, enum shown purpose, const struct field *field,
                    const char *value, const char *reason)
{
    struct text body = body_with(type, purpose, field, value);
    if (!CHECK(refused(read_body(type, body, purpose), field->name, reason))) {
        printf("    %.*s.%.*s = %.60s\n", TEXT_ARGS(type->name), TEXT_ARGS(field->name), value);
    }
}

static void takes(const struct record_type *type, enum shown purpose, const struct field *field, const char *value)
{
    enum err e = read_body(type, body_with(type, purpose, field, value), purpose);
    if (!CHECK(e == OK)) {
        refused(e, field->name, "nothing");
        printf("    %.*s.%.*s = %.60s\n", TEXT_ARGS(type->name), TEXT_ARGS(field->name), value);
    }
}

static void test_other_kinds(const struct record_type *type, enum shown purpose, const struct field *field)
{
    static const char *const values[] = {"true", "{\"a\":1}", "[\"x\"]", "1", "1.5", "-1", "\"x y\""};
    static const bool fits[][7] = {
        [KIND_id] = {false},
        [KIND_number] = {[3] = true},
        [KIND_time] = {false},
        [KIND_flag] = {[0] = true},
        [KIND_choice] = {false},
        [KIND_text] = {[6] = true},
        [KIND_list] = {[2] = true},
        [KIND_object] = {[1] = true},
    };
    for (unsigned i = 0; i < 7; i++) {
        if (!fits[field->kind][i]) refuses(type, purpose, field, values[i], "must be ");
    }
    if (field->is_nullable) {
        takes(type, purpose, field, "null");
        CHECK(field_is_empty(field, record));
        CHECK(given & FIELD_BIT((unsigned)(field - type->fields())));
    } else {
        refuses(type, purpose, field, "null", "must not be null");
    }
}

static void test_text_rules(const struct record_type *type, enum shown purpose, const struct field *field)
{
    static char value[BODY_SIZE / 2];
    static const char *const controls[] = {"\\u0000", "\\u001b", "\\u007f", "\\u0085", "\\r"};
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        size_t n = field->least;
        letters(value, n);
        sprintf(value + 1 + n, "%s\"", controls[i]);
        refuses(type, purpose, field, value, "control characters");
    }
    if (field->has_length) {
        letters(value, field->most);
        takes(type, purpose, field, value);
        CHECK(field_text(field, record).bytes == field->most);
        letters(value, field->most + 1);
        refuses(type, purpose, field, value, "must have ");
        letters(value, field->least);
        takes(type, purpose, field, value);
        if (field->least > 0) {
            letters(value, field->least - 1);
            refuses(type, purpose, field, value, "must have ");
        }
    }
    if (field->check != CHECK_none) refuses(type, purpose, field, "\"refuse-me\"", "something else");
}

static void test_number_rules(const struct record_type *type, enum shown purpose, const struct field *field)
{
    char value[32];
    refuses(type, purpose, field, "18446744073709551616", "whole number");
    refuses(type, purpose, field, "-9223372036854775808", "whole number");
    refuses(type, purpose, field, "1e3", "whole number");
    refuses(type, purpose, field, "5.0", "whole number");
    refuses(type, purpose, field, "\"5\"", "whole number");
    if (!field->has_range) return;
    snprintf(value, sizeof value, "%llu", (unsigned long long)field->least);
    takes(type, purpose, field, value);
    CHECK(field_number(field, record) == field->least);
    snprintf(value, sizeof value, "%llu", (unsigned long long)field->most + 1);
    refuses(type, purpose, field, value, "whole number from");
    snprintf(value, sizeof value, "%lld", (long long)field->least - 1);
    refuses(type, purpose, field, value, "whole number from");
}

static void test_list_rules(const struct record_type *type, enum shown purpose, const struct field *field)
{
    static char value[BODY_SIZE / 2];
    const char *const bad[] = {"[\"a\",1]", "[null]", "[\"\"]", "[\"a\\nb\"]", "[\"a\\u0000\"]", "[[\"a\"]]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuses(type, purpose, field, bad[i], "must hold strings");
    memcpy(value, "[\"", 2);
    memset(value + 2, 'a', 1024);
    memcpy(value + 2 + 1024, "\"]", 3);
    takes(type, purpose, field, value);
    memcpy(value + 2 + 1024, "a\"]", 4);
    refuses(type, purpose, field, value, "must hold strings");
    for (unsigned extra = 0; extra < 2; extra++) {
        size_t n = 0;
        for (unsigned i = 0; i < field->most + extra; i++) n += (size_t)sprintf(value + n, "%s\"i%u\"", i == 0 ? "[" : ",", i);
        memcpy(value + n, "]", 2);
        if (extra == 0) takes(type, purpose, field, value);
        if (extra == 1) refuses(type, purpose, field, value, "must be a list of");
    }
    if (field->least > 0) refuses(type, purpose, field, "[]", "must be a list of");
    if (field->check != CHECK_none) refuses(type, purpose, field, "[\"a\",\"refuse-me\"]", "something else");
}

static void test_other_rules(const struct record_type *type, enum shown purpose, const struct field *field)
{
    static char value[BODY_SIZE / 2];
    static const char *const bad_ids[] = {"\"\"", "\"0\"", "\"-1\"", "\"1a\"", "\" 1\"", "\"9223372036854775808\"", "5"};
    static const char *const bad_times[] = {"\"\"", "\"yesterday\"", "\"2026-02-29T00:00:00Z\"", "1772352550123"};
    for (size_t i = 0; field->kind == KIND_id && i < 7; i++) refuses(type, purpose, field, bad_ids[i], "must be an id");
    for (size_t i = 0; field->kind == KIND_time && i < 4; i++) refuses(type, purpose, field, bad_times[i], "must be a time");
    if (field->kind == KIND_choice) {
        refuses(type, purpose, field, "\"\"", "must be one of ");
        refuses(type, purpose, field, "\"nothing-like-it\"", "must be one of ");
        for (unsigned i = 0; i < field->choice->count; i++) {
            snprintf(value, sizeof value, "\"%.*s\"", TEXT_ARGS(field->choice->options[i].word));
            takes(type, purpose, field, value);
            CHECK(field_number(field, record) == field->choice->options[i].number);
        }
    }
    if (field->kind == KIND_object) {
        takes(type, purpose, field, " { \"a\" : [ 1.5e1 , null ] } ");
        CHECK_TEXT(field_text(field, record), "{\"a\":[15.0,null]}");
        memcpy(value, "{\"a\":\"", 6);
        memset(value + 6, 'a', field->most);
        memcpy(value + 6 + field->most, "\"}", 3);
        refuses(type, purpose, field, value, "too long");
    }
}

static void test_field(const struct record_type *type, enum shown purpose, const struct field *field)
{
    unsigned number = (unsigned)(field - type->fields());
    if ((field->shown & purpose) == 0) {
        refuses(type, purpose, field, good_value(field), field->shown == HIDDEN ? "is not a field" : "cannot be set here");
        return;
    }
    test_other_kinds(type, purpose, field);
    if (field->kind == KIND_text) test_text_rules(type, purpose, field);
    if (field->kind == KIND_number) test_number_rules(type, purpose, field);
    if (field->kind == KIND_list) test_list_rules(type, purpose, field);
    test_other_rules(type, purpose, field);
    if (purpose == CREATE && field->shown & NEEDED) {
        CHECK(refused(read_body(type, body_with(type, purpose, field, NULL), purpose), field->name, "is missing"));
    } else {
        CHECK(read_body(type, body_with(type, purpose, field, NULL), purpose) == OK);
        CHECK((given & FIELD_BIT(number)) == 0);
        bool has_default = purpose == CREATE && field->has_default;
        if (has_default) CHECK(field_number(field, record) == field->default_value);
        if (!has_default) CHECK(field_is_empty(field, record));
    }
}

/* One wrong input for each rule of each row, one right one for each bound. */
static void test_every_field(enum shown purpose)
{
    const struct record_type *type;
    unsigned tested = 0;
    for (unsigned i = 0; (type = record_type_at(i)) != NULL; i++) {
        const struct field *fields = type->fields();
        uint64_t all = 0;
        for (unsigned j = 0; j < type->field_count; j++) all |= fields[j].shown & purpose ? FIELD_BIT(j) : 0;
        if (all == 0) continue;
        CHECK(type->bytes <= sizeof record);
        CHECK(read_body(type, body_with(type, purpose, NULL, NULL), purpose) == OK && given == all);
        for (unsigned j = 0; j < type->field_count; j++) test_field(type, purpose, &fields[j]);
        tested++;
    }
    CHECK(tested > 2);
}

/* ---- bodies ---- */

/* All that is wrong is said at once. */
static void test_all_at_once(void)
{
    struct text body = TEXT("{\"nmae\":1,\"name\":\"\",\"provider\":5,\"id\":\"1\",\"name\":\"x\",\"name\":\"y\"}");
    CHECK(read_body(&domain_type, body, CREATE) == ERR_INVALID);
    static const char *const wanted[][2] = {
        {"nmae", "is not a field of this"}, {"name", "must have 1 to 253 bytes"}, {"provider", "must be a string"},
        {"id", "cannot be set here"}, {"name", "stands twice"}, {"name", "stands twice"}, {"credentials", "is missing"},
    };
    struct field_error *error = errors.first;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!CHECK(error != NULL)) return;
        CHECK_TEXT(error->field, wanted[i][0]);
        CHECK_TEXT(error->reason, wanted[i][1]);
        error = error->next;
    }
    CHECK(error == NULL);
}

static void test_roots(void)
{
    static const char *const roots[] = {"[]", "1", "\"x\"", "null", "true", "[{\"name\":\"x\"}]", " \n[]\t"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        CHECK(refused(read_body(&domain_type, text_of(roots[i]), CREATE), TEXT("body"), "must be an object"));
        CHECK(given == 0);
    }
    CHECK(read_body(&logout_input_type, TEXT("{}"), CREATE) == OK && given == 0);
    CHECK(read_body(&logout_input_type, TEXT(" {\"all\" :\ttrue}\r\n"), CREATE) == OK && given == 1);
}

/* What is no JSON is told with the byte where it ends to be. */
static void test_bad_json(void)
{
    static const struct {
        struct text body;
        size_t offset;
    } rows[] = {
        {TEXT_INIT(""), 0}, {TEXT_INIT("x"), 0}, {TEXT_INIT("{\"all\":tru}"), 7}, {TEXT_INIT("{\"all\":true}x"), 12},
        {TEXT_INIT("{\"all\":true,}"), 11}, {TEXT_INIT("{'all':true}"), 1}, {TEXT_INIT("{all:true}"), 1},
        {TEXT_INIT("{\"all\":01}"), 7}, {TEXT_INIT("{\"all\":+1}"), 7}, {TEXT_INIT("{\"all\":NaN}"), 7},
        {TEXT_INIT("{\"all\":Infinity}"), 7}, {TEXT_INIT("{\"all\":.5}"), 7}, {TEXT_INIT("{\"all\":true}{}"), 12},
        {TEXT_INIT("//\n{}"), 0}, {TEXT_INIT("{\"all\":\"\n\"}"), 8}, {TEXT_INIT("{\"all\":\"a\0b\"}"), 9},
        {TEXT_INIT("\xef\xbb\xbf{}"), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!CHECK(read_body(&logout_input_type, rows[i].body, CREATE) == ERR_BAD_JSON)) printf("    %.*s\n", TEXT_ARGS(rows[i].body));
        if (!CHECK(offset <= rows[i].body.bytes)) printf("    %.*s\n", TEXT_ARGS(rows[i].body));
        if (!CHECK(offset >= rows[i].offset && offset <= rows[i].offset + 3)) {
            printf("    %.*s: at %zu\n", TEXT_ARGS(rows[i].body), offset);
        }
    }
    CHECK(read_body(&logout_input_type, TEXT_NONE, CREATE) == ERR_BAD_JSON && offset == 0);
}

/* Cut short anywhere, a body is no JSON. */
static void test_truncated(void)
{
    struct text body = body_with(&dns_record_type, CREATE, NULL, NULL);
    for (size_t bytes = 0; bytes < body.bytes; bytes++) {
        CHECK(read_body(&dns_record_type, (struct text){body.data, bytes}, CREATE) == ERR_BAD_JSON);
        CHECK(offset <= bytes);
    }
}

static void test_utf8(void)
{
    static const char *const bad[] = {
        "\x80", "\xff", "\xc0\xaf", "\xc3", "\xc3(", "\xe2\x82", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\\ud800", "\\udc00", "\\ud800\\u0041", "\\u12", "\\x41", "\\",
    };
    char body[100];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(body, sizeof body, "{\"account\":\"%s\",\"password\":\"x\"}", bad[i]);
        if (!CHECK(read_body(&login_input_type, text_of(body), CREATE) == ERR_BAD_JSON)) printf("    %s\n", body);
        snprintf(body, sizeof body, "{\"%s\":1}", bad[i]);
        CHECK(read_body(&login_input_type, text_of(body), CREATE) == ERR_BAD_JSON);
    }
    CHECK(read_body(&login_input_type,
                    TEXT("{\"\\u0061ccount\":\"\\u00e9\xc3\xa9\\ud83d\\ude00\\/\\\\\\\"\",\"password\":\"\\t\\n\"}"), CREATE) == OK);
    CHECK_TEXT(((struct login_input *)(void *)record)->account, "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80/\\\"");
    CHECK_TEXT(((struct login_input *)(void *)record)->password, "\t\n");
}

/* Depth and size of what is refused or passed on do not matter to the stack. */
static void test_deep_and_huge(void)
{
    static char body[400000];
    size_t n;
    for (unsigned depth = 10; depth <= 100000; depth *= 10) {
        n = (size_t)sprintf(body, "{\"all\":");
        memset(body + n, '[', depth);
        memset(body + n + depth, ']', depth);
        body[n + 2 * depth] = '}';
        CHECK(refused(read_body(&logout_input_type, (struct text){body, n + 2 * depth + 1}, CREATE), TEXT("all"), "true or false"));
        CHECK(read_body(&logout_input_type, (struct text){body, n + 2 * depth - 1}, CREATE) == ERR_BAD_JSON);
        n = 0;
        for (unsigned i = 0; i < depth && i < 20000; i++) n += (size_t)sprintf(body + n, "{\"credentials\":");
        CHECK(read_body(&domain_type, (struct text){body, n}, UPDATE) == ERR_BAD_JSON);
    }
    n = (size_t)sprintf(body, "{\"credentials\":{\"a\":");
    memset(body + n, '[', 3000);
    memset(body + n + 3000, ']', 3000);
    memcpy(body + n + 6000, "}}", 3);
    CHECK(read_body(&domain_type, text_of(body), UPDATE) == OK);
    n = (size_t)sprintf(body, "{\"all\":1");
    memset(body + n, '0', 100000);
    memcpy(body + n + 100000, "}", 2);
    enum err e = read_body(&logout_input_type, text_of(body), CREATE);
    CHECK(e == ERR_BAD_JSON || e == ERR_INVALID);
    CHECK(read_body(&logout_input_type, TEXT("{\"all\":1e400}"), CREATE) != OK);
    CHECK(read_body(&logout_input_type, TEXT("{\"all\":-1e-400}"), CREATE) == ERR_INVALID);
}

/* A body full of unknown names is answered with some of them. */
static void test_many_errors(void)
{
    static char body[400000];
    size_t n = 1;
    body[0] = '{';
    for (unsigned i = 0; i < 20000; i++) n += (size_t)sprintf(body + n, "%s\"x%u\":1", i == 0 ? "" : ",", i);
    body[n++] = '}';
    CHECK(read_body(&logout_input_type, (struct text){body, n}, CREATE) == ERR_INVALID);
    CHECK(errors.count == 64);
    n = (size_t)sprintf(body, "{\"");
    memset(body + n, 'x', 5000);
    memcpy(body + n + 5000, "\":1}", 5);
    CHECK(read_body(&logout_input_type, text_of(body), CREATE) == ERR_INVALID && errors.first->field.bytes == 64);
}

/* With too little memory for it a body is not taken by half. */
static void test_memory_short(void)
{
    struct text body = body_with(&dns_record_type, CREATE, NULL, NULL);
    for (size_t room = 16; room < 2000; room += 16) {
        struct arena small;
        errors = (struct field_errors){0};
        arena_init(&small, room);
        enum err e = json_read(&dns_record_type, body, CREATE, record, &given, &errors, &offset, &small);
        CHECK(e == (arena_overflowed(&small) ? ERR_OVERLOADED : OK));
        arena_free(&small);
    }
}

/* ---- out ---- */

static void test_strings_out(void)
{
    struct json json;
    json_init(&json, 1 << 20);
    json_string(&json, TEXT("\"\\\b\f\n\r\t\v\x01\x1f\x7f/<>'\xc3\xa9\xf0\x9f\x98\x80"));
    CHECK_TEXT(json_text(&json), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u000b\\u0001\\u001f\\u007f/<>'\xc3\xa9\xf0\x9f\x98\x80\"");
    json_reset(&json);
    json_string(&json, TEXT("a\0b"));
    CHECK_TEXT(json_text(&json), "\"a\\u0000b\"");
    json_reset(&json);
    json_string(&json, TEXT_NONE);
    CHECK_TEXT(json_text(&json), "\"\"");
    /* Any bytes at all come out as JSON that reads back to what they were, where they were UTF-8. */
    uint64_t seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[12];
        for (unsigned i = 0; i < sizeof bytes; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (char)(seed >> 56);
            if (seed >> 40 & 1) bytes[i] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80"[seed >> 41 & 7];
        }
        struct text t = {bytes, seed >> 30 & 7};
        json_reset(&json);
        json_string(&json, t);
        yyjson_doc *doc = yyjson_read(json.data, json.bytes, 0);
        if (!CHECK(doc != NULL)) break;
        yyjson_val *root = yyjson_doc_get_root(doc);
        struct text back = {yyjson_get_str(root), yyjson_get_len(root)};
        if (text_is_clean_utf8(t)) CHECK(text_equal(back, t));
        yyjson_doc_free(doc);
    }
    json_free(&json);
}

static void test_values_out(void)
{
    struct json json;
    json_init(&json, 1 << 20);
    json_open(&json, '{');
    json_key(&json, TEXT("a"));
    json_open(&json, '[');
    json_number(&json, 0);
    json_number(&json, UINT64_MAX);
    json_signed(&json, INT64_MIN);
    json_signed(&json, -1);
    json_signed(&json, 1);
    json_bool(&json, true);
    json_bool(&json, false);
    json_null(&json);
    json_id(&json, UINT64_MAX);
    json_time(&json, 1);
    json_open(&json, '{');
    json_close(&json, '}');
    json_open(&json, '[');
    json_close(&json, ']');
    json_close(&json, ']');
    json_key(&json, TEXT("b"));
    json_value(&json, TEXT("{}"));
    json_member(&json, "c", TEXT("d"));
    json_close(&json, '}');
    CHECK_TEXT(json_text(&json), "{\"a\":[0,18446744073709551615,-9223372036854775808,-1,1,true,false,null,"
                                 "\"18446744073709551615\",\"1970-01-01T00:00:00.001Z\",{},[]],\"b\":{},\"c\":\"d\"}");
    json_free(&json);
}

static void test_records_out(void)
{
    struct json json;
    struct source source = {.id = 1, .name = TEXT("n"), .kind = source_kind_http, .family = family_ipv6, .interval = 300,
                            .urls = TEXT("http://a\nhttp://b")};
    json_init(&json, 1 << 20);
    json_record(&json, &source_type, &source, CREATE);
    CHECK_TEXT(json_text(&json), "{\"name\":\"n\",\"kind\":\"http\",\"family\":\"ipv6\",\"interval\":300,"
                                 "\"urls\":[\"http://a\",\"http://b\"],\"interface\":null,\"value\":null}");
    json_reset(&json);
    source.urls = TEXT_NONE;
    json_field(&json, record_field(&source_type, TEXT("urls")), &source, false);
    CHECK_TEXT(json_text(&json), "[]");
    struct user user = {.password_hash = TEXT("canary")};
    json_reset(&json);
    json_field(&json, record_field(&user_type, TEXT("password_hash")), &user, true);
    CHECK_TEXT(json_text(&json), "\"***\"");
    json_reset(&json);
    json_record(&json, &user_type, &user, READ);
    CHECK(memmem(json.data, json.bytes, "canary", 6) == NULL);
    json_free(&json);
}

/* At any limit the buffer holds no more than it and says so. */
static void test_overflow(void)
{
    for (size_t max = 0; max < 3000; max += 7) {
        struct json json;
        json_init(&json, max);
        json_open(&json, '[');
        for (unsigned i = 0; i < 100; i++) json_string(&json, TEXT("twenty bytes of text"));
        json_close(&json, ']');
        CHECK(json.overflowed == (json.bytes != 100 * 23 + 1));
        CHECK(json.bytes <= (max > 2048 ? 4096 : max > 1024 ? 2048 : 1024));
        json_free(&json);
    }
    struct json json;
    json_init(&json, 2000);
    json_string(&json, TEXT("1\"1234567890123456789012345678901234567890123456789012345678901234567890"));
    CHECK(!json.overflowed);
    json_free(&json);
}

/* ---- times ---- */

static void test_times_read(void)
{
    static const struct {
        const char *text;
        uint64_t ms; /* 0: refused */
    } rows[] = {
        {"2026-03-01T08:09:10.123Z", 1772352550123}, {"2026-03-01t08:09:10.123z", 1772352550123},
        {"2026-03-01 08:09:10.123Z", 1772352550123}, {"2026-03-01T08:09:10Z", 1772352550000},
        {"2026-03-01", 1772323200000}, {"2026-03-01T08:09:10.1Z", 1772352550100},
        {"2026-03-01T08:09:10.123456789Z", 1772352550123}, {"2026-03-01T08:09:10.1234567890Z", 0},
        {"2026-03-01T16:09:10.123+08:00", 1772352550123}, {"2026-03-01T00:39:10.123-07:30", 1772352550123},
        {"2026-03-01T08:09:10+00:00", 1772352550000}, {"2026-03-01T08:09:10-00:00", 1772352550000},
        {"2024-02-29", 1709164800000}, {"2023-02-29", 0}, {"2000-02-29", 951782400000}, {"2100-02-29", 0},
        {"2400-02-29", 13574563200000}, {"1970-01-01T00:00:01Z", 1000}, {"1970-01-01", 0}, {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T01:00:00+02:00", 0}, {"1969-12-31T23:59:59-01:00", 0}, {"1969-12-31", 0}, {"0000-01-01", 0},
        {"9999-12-31T23:59:59.999Z", 253402300799999}, {"9999-12-31T23:59:59-00:01", 0}, {"9999-12-31T23:59:60Z", 0},
        {"2016-12-31T23:59:60Z", 1483228800000}, {"2016-12-31T23:59:61Z", 0}, {"2026-04-31", 0}, {"2026-00-01", 0},
        {"2026-13-01", 0}, {"2026-01-00", 0}, {"2026-01-32", 0}, {"2026-03-01T24:00:00Z", 0}, {"2026-03-01T08:60:00Z", 0},
        {"2026-03-01T08:09:10", 0}, {"2026-03-01T08:09Z", 0}, {"2026-03-01T08:09:10.Z", 0}, {"2026-03-01T08:09:10,5Z", 0},
        {"2026-03-01T08:09:10+24:00", 0}, {"2026-03-01T08:09:10+08:60", 0}, {"2026-03-01T08:09:10+0800", 0},
        {"2026-03-01T08:09:10+08", 0}, {"2026-03-01T08:09:10Zx", 0}, {"2026-03-01T", 0}, {"2026-03-01Z", 0},
        {"2026-3-1", 0}, {"20260301", 0}, {"26-03-01", 0}, {"+2026-03-01", 0}, {"-2026-03-01", 0}, {"", 0}, {"2026", 0},
        {" 2026-03-01", 0}, {"2026-03-01 ", 0}, {"12026-03-01", 0}, {"2026-03-01T08:09:10.123Z ", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ms = 7;
        size_t bytes = strlen(rows[i].text);
        char *copy = malloc(bytes + 1);
        memcpy(copy, rows[i].text, bytes);
        bool is_good = time_from_text((struct text){copy, bytes}, &ms);
        if (!CHECK(is_good == (rows[i].ms != 0) && (!is_good || ms == rows[i].ms))) {
            printf("    %s: %d %llu\n", rows[i].text, is_good, (unsigned long long)ms);
        }
        /* Cut short it is refused or a date. */
        for (size_t n = 0; n < bytes; n++) {
            char *part = malloc(n + 1);
            memcpy(part, copy, n);
            is_good = time_from_text((struct text){part, n}, &ms);
            CHECK(!is_good || n >= 10);
            free(part);
        }
        free(copy);
    }
}

/* Every day of the years that have four digits goes out as the C library says, and comes back. */
static void test_every_day(void)
{
    unsigned wrong = 0;
    for (uint64_t day = 1; day < 2932897; day++) {
        uint64_t ms = day * 86400000 + day % 86400000, back = 0;
        char text[TIME_TEXT_BYTES], wanted[64];
        time_t seconds = (time_t)(ms / 1000);
        struct tm parts;
        time_to_text(ms, text);
        wrong += !time_from_text((struct text){text, sizeof text}, &back) || back != ms;
        if (day % 37 != 0) continue; /* the C library is slow */
        gmtime_r(&seconds, &parts);
        strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(wanted + 19, sizeof wanted - 19, ".%03uZ", (unsigned)(ms % 1000));
        wrong += memcmp(text, wanted, sizeof text) != 0;
    }
    CHECK(wrong == 0);
    char text[TIME_TEXT_BYTES];
    time_to_text(UINT64_MAX, text);
    CHECK_TEXT(((struct text){text, sizeof text}), "9999-12-31T23:59:59.999Z");
}

int main(void)
{
    records_start();
    arena_init(&arena, 4 << 20);
    test_every_field(CREATE);
    test_every_field(UPDATE);
    test_all_at_once();
    test_roots();
    test_bad_json();
    test_truncated();
    test_utf8();
    test_deep_and_huge();
    test_many_errors();
    test_memory_short();
    test_strings_out();
    test_values_out();
    test_records_out();
    test_overflow();
    test_times_read();
    test_every_day();
    arena_free(&arena);
    return unit_end();
}
