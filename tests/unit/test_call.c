/* Answers have the promised envelope; tags, cursors and queries mean what they say. */
#include "core/call.h"

#include <yyjson.h>

#include "unit.h"

/* The checks of products are not under test here. */
#define CHECKER(name, where, pattern) \
    bool check_##name(struct text value, struct text *reason); \
    __attribute__((weak)) bool check_##name(struct text value, struct text *reason) \
    { \
        (void)value, (void)reason; \
        return true; \
    }
#include "checks.def"
#undef CHECKER

static struct arena arena;

static const struct route route = {.gives = GIVES_ONE, .status = 201};
static const struct route route_of_text = {.gives = GIVES_OTHER, .status = 200, .content_type = TEXT_INIT("text/plain")};

static const struct domain a_domain = {
    .id = 7214839201836032,
    .name = TEXT_INIT("example.com"),
    .provider = TEXT_INIT("cloudflare"),
    .credentials = TEXT_INIT("sealed-canary"),
    .user_id = 5,
    .is_active = true,
    .on_drift = on_drift_correct,
    .created_at = 1772352550123,
    .updated_at = 1772352550123,
};

static bool is_json(const struct reply *reply)
{
    yyjson_doc *doc = yyjson_read(reply->body.data, reply->body.bytes, 0);
    yyjson_doc_free(doc);
    return doc != NULL && !reply->body.overflowed;
}

static void test_answers(struct reply *reply)
{
    reply_start(reply, &route_of_text);
    CHECK_TEXT(reply->content_type, "text/plain");
    reply_start(reply, &route);
    CHECK_TEXT(reply->content_type, "application/json");
    CHECK(reply->status == 201 && reply->etag[0] == '\0' && reply->body.bytes == 0);
    reply_one(reply, &domain_type, &a_domain);
    struct json data;
    json_init(&data, 4096);
    json_record(&data, &domain_type, &a_domain, READ);
    struct text wanted = arena_print(&arena, "{\"code\":0,\"message\":\"success\",\"data\":%.*s}", TEXT_ARGS(json_text(&data)));
    CHECK(text_equal(json_text(&reply->body), wanted));
    CHECK(strstr(wanted.data, "canary") == NULL);
    json_free(&data);
    CHECK(strlen(reply->etag) == 35);

    reply_start(reply, &route);
    CHECK(reply->etag[0] == '\0');
    reply_no_data(reply);
    CHECK_TEXT(json_text(&reply->body), "{\"code\":0,\"message\":\"success\",\"data\":null}");

    struct tokens tokens = {.access_token = TEXT("a"), .refresh_token = TEXT("b"), .token_type = TEXT("Bearer"),
                            .expires_in = 1800, .user = TEXT("{\"id\":\"1\"}")};
    reply_start(reply, &route);
    reply_one(reply, &tokens_type, &tokens);
    CHECK(reply->etag[0] == '\0');
    CHECK_TEXT(json_text(&reply->body),
               "{\"code\":0,\"message\":\"success\",\"data\":{\"access_token\":\"a\",\"refresh_token\":\"b\","
               "\"token_type\":\"Bearer\",\"expires_in\":1800,\"user\":{\"id\":\"1\"}}}");

    reply_start(reply, &route);
    reply_data_begin(reply);
    json_open(&reply->body, '[');
    json_number(&reply->body, 1);
    json_number(&reply->body, 2);
    json_close(&reply->body, ']');
    reply_data_end(reply);
    CHECK_TEXT(json_text(&reply->body), "{\"code\":0,\"message\":\"success\",\"data\":[1,2]}");
}

static void test_lists(struct reply *reply)
{
    struct sync_result item = {.records = 3};
    reply_start(reply, &route);
    reply_list_begin(reply);
    reply_list_end(reply, 0, false, 0);
    CHECK_TEXT(json_text(&reply->body),
               "{\"code\":0,\"message\":\"success\",\"data\":{\"items\":[],\"next_cursor\":null,\"total\":0}}");
    reply_start(reply, &route);
    reply_list_begin(reply);
    reply_item(reply, &sync_result_type, &item);
    item.task_id = 9;
    reply_item(reply, &sync_result_type, &item);
    reply_list_end(reply, 9, true, 40);
    char wanted[300], cursor[CURSOR_BYTES];
    cursor_text(9, cursor);
    snprintf(wanted, sizeof wanted,
             "{\"code\":0,\"message\":\"success\",\"data\":{\"items\":[{\"records\":3,\"task_id\":null},"
             "{\"records\":3,\"task_id\":\"9\"}],\"next_cursor\":\"%.*s\",\"total\":40}}", CURSOR_BYTES, cursor);
    CHECK_TEXT(json_text(&reply->body), wanted);
}

/* Every error has its envelope, also after half an answer was written. */
static void test_failures(struct reply *reply)
{
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        reply_start(reply, &route);
        reply_list_begin(reply);
        reply_error(reply, (enum err)e, NULL, TEXT("request-1"));
        CHECK(is_json(reply) && reply->status == err_info((enum err)e)->status);
        CHECK(err_info((enum err)e)->code / 1000 == reply->status);
    }
    reply_one(reply, &domain_type, &a_domain);
    reply_error(reply, ERR_TOKEN_EXPIRED, NULL, TEXT("r\"1"));
    CHECK(reply->etag[0] == '\0');
    CHECK_TEXT(json_text(&reply->body),
               "{\"code\":401001,\"message\":\"Token expired\",\"data\":null,\"request_id\":\"r\\\"1\"}");
    struct field_errors errors = {.arena = &arena};
    reply_error(reply, ERR_INVALID, &errors, TEXT("r"));
    CHECK_TEXT(json_text(&reply->body),
               "{\"code\":422000,\"message\":\"Some fields are wrong\",\"data\":null,\"request_id\":\"r\"}");
    field_errors_add(&errors, TEXT("name"), TEXT("is missing"));
    field_errors_add(&errors, TEXT("a\xff\"b"), TEXT("is not a field of this"));
    reply_error(reply, ERR_INVALID, &errors, TEXT("r"));
    CHECK_TEXT(json_text(&reply->body),
               "{\"code\":422000,\"message\":\"Some fields are wrong\",\"data\":{\"errors\":["
               "{\"field\":\"name\",\"reason\":\"is missing\"},"
               "{\"field\":\"a\xef\xbf\xbd\\\"b\",\"reason\":\"is not a field of this\"}]},\"request_id\":\"r\"}");
    reply_error_saying(reply, ERR_BAD_JSON, TEXT("The body is not valid JSON at byte 7"), TEXT("r"));
    CHECK(reply->status == 400);
    CHECK_TEXT(json_text(&reply->body),
               "{\"code\":400001,\"message\":\"The body is not valid JSON at byte 7\",\"data\":null,\"request_id\":\"r\"}");
}

static void etag_after(void (*change)(struct domain *domain), char etag[ETAG_SIZE])
{
    struct domain domain = a_domain;
    change(&domain);
    etag_of(&domain_type, &domain, etag);
}

static void change_nothing(struct domain *domain)
{
    (void)domain;
}

static void change_status(struct domain *domain)
{
    domain->updated_at++;
}

static void change_edited(struct domain *domain)
{
    domain->registrar = TEXT("one");
}

static void change_secret(struct domain *domain)
{
    domain->credentials = TEXT("sealed-other");
}

static void change_hidden(struct domain *domain)
{
    domain->check_task = 99;
}

static void change_id(struct domain *domain)
{
    domain->id++;
}

/* E moves with what callers edit, S with what is shown, neither with what is hidden. */
static void test_etags(void)
{
    char base[ETAG_SIZE], etag[ETAG_SIZE];
    etag_after(change_nothing, base);
    CHECK(base[0] == '"' && base[17] == '-' && base[34] == '"' && base[35] == '\0');
    CHECK(strspn(base + 1, "0123456789abcdef") == 16 && strspn(base + 18, "0123456789abcdef") == 16);
    etag_after(change_nothing, etag);
    CHECK(strcmp(base, etag) == 0);
    etag_after(change_hidden, etag);
    CHECK(strcmp(base, etag) == 0);
    etag_after(change_status, etag);
    CHECK(memcmp(base, etag, 18) == 0 && strcmp(base, etag) != 0);
    CHECK(etag_matches(text_of(base), etag, true) && !etag_matches(text_of(base), etag, false));
    void (*const edits[])(struct domain *domain) = {change_edited, change_secret, change_id};
    for (unsigned i = 0; i < 3; i++) {
        etag_after(edits[i], etag);
        CHECK(memcmp(base, etag, 18) != 0 && strcmp(base + 17, etag + 17) != 0);
        CHECK(!etag_matches(text_of(base), etag, true) && !etag_matches(text_of(base), etag, false));
    }
}

/* Small differences anywhere in a record give different tags. */
static void test_etags_differ(void)
{
    enum { TAGS = 3000 };
    static char tags[TAGS][ETAG_SIZE];
    char name[40];
    for (unsigned i = 0; i < TAGS; i++) {
        struct domain domain = a_domain;
        memset(name, 'a', sizeof name);
        if (i < 1000) domain.expiry_date = i;
        if (i >= 1000 && i < 2000) domain.created_at = i;
        name[i % 30]++;
        if (i >= 2000) domain.registrar = (struct text){name, 1 + i % 1000 / 30};
        if (i >= 2000) domain.updated_at = i;
        etag_of(&domain_type, &domain, tags[i]);
    }
    unsigned same = 0;
    for (unsigned i = 0; i < TAGS; i++) {
        for (unsigned j = 0; j < i; j++) same += strcmp(tags[i], tags[j]) == 0;
    }
    CHECK(same == 0);
}

static void test_etag_lists(void)
{
    const char *etag = "\"0123456789abcdef-fedcba9876543210\"";
    static const struct {
        const char *list;
        bool if_match, if_none_match;
    } rows[] = {
        {"\"0123456789abcdef-fedcba9876543210\"", true, true},
        {"\"0123456789abcdef-0000000000000000\"", true, false},
        {"\"0000000000000000-fedcba9876543210\"", false, false},
        {"W/\"0123456789abcdef-fedcba9876543210\"", false, true},
        {"w/\"0123456789abcdef-fedcba9876543210\"", false, false},
        {"*", true, true}, {" * ", true, true}, {"\"*\"", false, false}, {"**", false, false},
        {"\"zzz\", \"0123456789abcdef-fedcba9876543210\"", true, true},
        {"\"a,b\",W/\"c\" ,\t\"0123456789abcdef-fedcba9876543210\"", true, true},
        {",, ,\"0123456789abcdef-fedcba9876543210\",", true, true},
        {"0123456789abcdef-fedcba9876543210", false, false},
        {"\"0123456789abcdef-fedcba9876543210", false, false},
        {"zzz, \"0123456789abcdef-fedcba9876543210\"", false, false},
        {"\"0123456789abcdef\"", false, false}, {"\"0123456789abcdef-\"", false, false},
        {"\"\"", false, false}, {"\"", false, false}, {"W/", false, false}, {"", false, false}, {",", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = strlen(rows[i].list);
        char *copy = malloc(bytes + 1); /* of its exact size, for the sanitizer */
        memcpy(copy, rows[i].list, bytes);
        struct text list = {copy, bytes};
        if (!CHECK(etag_matches(list, etag, true) == rows[i].if_match)) printf("    %s\n", rows[i].list);
        if (!CHECK(etag_matches(list, etag, false) == rows[i].if_none_match)) printf("    %s\n", rows[i].list);
        CHECK(!etag_matches(list, "", true) || memchr(copy, '*', bytes) != NULL);
        free(copy);
    }
}

/* A cursor leads back to its id; nothing else leads anywhere. */
static void test_cursors(void)
{
    char cursor[CURSOR_BYTES];
    uint64_t id = 0;
    for (unsigned shift = 0; shift < 64; shift++) {
        uint64_t wanted = UINT64_MAX >> shift;
        cursor_text(wanted, cursor);
        CHECK(cursor_read((struct text){cursor, sizeof cursor}, &id) == OK && id == wanted);
    }
    cursor_text(7214839201836032, cursor);
    unsigned accepted = 0;
    for (unsigned i = 0; i < CURSOR_BYTES; i++) {
        for (int c = 0; c < 256; c++) {
            char copy[CURSOR_BYTES];
            memcpy(copy, cursor, sizeof copy);
            copy[i] = (char)c;
            accepted += cursor_read((struct text){copy, sizeof copy}, &id) == OK;
        }
        CHECK(cursor_read((struct text){cursor, i}, &id) == ERR_BAD_CURSOR);
    }
    CHECK(accepted == CURSOR_BYTES); /* once for each letter: itself */
    CHECK(cursor_read(TEXT("7214839201836032"), &id) == ERR_BAD_CURSOR);
    CHECK(cursor_read(TEXT("AAAAAAAAAAAAAAAA"), &id) == ERR_BAD_CURSOR);
    CHECK(cursor_read(TEXT("AAAAAAAAAAAAAAAAA"), &id) == ERR_BAD_CURSOR);
    CHECK(cursor_read(TEXT_NONE, &id) == ERR_BAD_CURSOR);
    cursor_text(0, cursor);
    CHECK(cursor_read((struct text){cursor, sizeof cursor}, &id) == ERR_BAD_CURSOR);
}

static void test_percent(void)
{
    static const struct {
        struct text in;
        const char *out; /* NULL: refused */
        bool is_form;
    } rows[] = {
        {TEXT_INIT(""), "", true}, {TEXT_INIT("abc"), "abc", true}, {TEXT_INIT("a+b"), "a b", true},
        {TEXT_INIT("a+b"), "a+b", false}, {TEXT_INIT("%41%62%2B%2f"), "Ab+/", true}, {TEXT_INIT("%25"), "%", true},
        {TEXT_INIT("%c3%A9"), "\xc3\xa9", true}, {TEXT_INIT("%ff"), "\xff", true}, {TEXT_INIT("%"), NULL, true},
        {TEXT_INIT("%4"), NULL, true}, {TEXT_INIT("a%4"), NULL, true}, {TEXT_INIT("%zz"), NULL, true},
        {TEXT_INIT("%4g"), NULL, true}, {TEXT_INIT("%00"), NULL, true}, {TEXT_INIT("a\0b"), NULL, true},
        {TEXT_INIT("%%41"), NULL, true}, {TEXT_INIT("%+1"), NULL, true}, {TEXT_INIT("%2541"), "%41", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text out;
        char *copy = malloc(rows[i].in.bytes + 1);
        memcpy(copy, rows[i].in.data, rows[i].in.bytes);
        bool is_good = percent_decode((struct text){copy, rows[i].in.bytes}, rows[i].is_form, &arena, &out);
        CHECK(is_good == (rows[i].out != NULL));
        CHECK_TEXT(out, is_good ? rows[i].out : "");
        free(copy);
    }
    struct arena small;
    struct text out;
    arena_init(&small, 16);
    CHECK(!percent_decode(TEXT("a text that is too long"), true, &small, &out) && out.bytes == 0);
    arena_free(&small);
}

static void test_queries(void)
{
    struct call call = {.query = TEXT("limit=20&cursor=a%2Bb+c&empty=&flag&limit=30&bad=%zz&a=b=c&&=x")};
    CHECK_TEXT(call_query(&call, TEXT("limit"), &arena), "20");
    CHECK_TEXT(call_query(&call, TEXT("cursor"), &arena), "a+b c");
    CHECK_TEXT(call_query(&call, TEXT("empty"), &arena), "");
    CHECK_TEXT(call_query(&call, TEXT("flag"), &arena), "");
    CHECK_TEXT(call_query(&call, TEXT("bad"), &arena), "");
    CHECK_TEXT(call_query(&call, TEXT("a"), &arena), "b=c");
    CHECK_TEXT(call_query(&call, TEXT("b"), &arena), "");
    CHECK_TEXT(call_query(&call, TEXT("limi"), &arena), "");
    CHECK_TEXT(call_query(&call, TEXT("limitx"), &arena), "");
    call.query = TEXT_NONE;
    CHECK_TEXT(call_query(&call, TEXT("limit"), &arena), "");
    call.query = TEXT("");
    CHECK_TEXT(call_query(&call, TEXT("limit"), &arena), "");
}

/* An answer that is too long is marked, at whatever length it stops, and the next one is whole. */
static void test_overflow(void)
{
    struct reply reply = {0};
    for (size_t max = 0; max < 6000; max += 97) {
        json_init(&reply.body, max);
        reply_start(&reply, &route);
        reply_list_begin(&reply);
        for (unsigned i = 0; i < 40; i++) reply_item(&reply, &domain_type, &a_domain);
        reply_list_end(&reply, 1, true, 40);
        CHECK(reply.body.overflowed == !is_json(&reply));
        reply_error(&reply, ERR_OVERLOADED, NULL, TEXT("r"));
        CHECK(max < 200 || is_json(&reply));
        json_free(&reply.body);
    }
}

int main(void)
{
    struct reply reply = {0};
    records_start();
    arena_init(&arena, 1 << 20);
    json_init(&reply.body, 1 << 20);
    test_answers(&reply);
    test_lists(&reply);
    test_failures(&reply);
    test_etags();
    test_etags_differ();
    test_etag_lists();
    test_cursors();
    test_percent();
    test_queries();
    test_overflow();
    json_free(&reply.body);
    arena_free(&arena);
    return unit_end();
}
