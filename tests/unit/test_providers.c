/* Providers against the vendors' own vectors: what they send byte for byte, and how answers are
 * classed. The vectors are read from $HOMEPORT_SHARED/protocols/vectors (default ../shared). */
#include "provider_case.h"

#include <sodium.h>

#include "cloud/signer.h"
#include "vectors.h"

enum { VECTOR_ARENA_BYTES_MAX = 64 * 1024 * 1024 };

static void print_id(yyjson_val *vector, unsigned failed_before)
{
    if (unit_failed_count == failed_before) return;
    printf("    in vector %s\n", yyjson_get_str(cloud_json_member(vector, "id")));
}

/* ---- ACS3 ---- */

/* The signer makes the vendor's authorization, and each step before it, from query, headers and
 * body. */
static void check_signature(yyjson_val *vector)
{
    struct signer_field query[SIGNER_FIELDS_MAX];
    struct signer_field headers[SIGNER_FIELDS_MAX];
    unsigned query_count = 0, header_count = 0;
    size_t index, size;
    yyjson_val *key, *value;
    yyjson_obj_foreach(at(vector, "input.query"), index, size, key, value)
    {
        query[query_count++] = (struct signer_field){cloud_json_text(&vectors_arena, key),
                                                     cloud_json_text(&vectors_arena, value)};
    }
    yyjson_obj_foreach(at(vector, "expect.http.headers"), index, size, key, value)
    {
        struct text name = cloud_json_text(&vectors_arena, key);
        if (text_equal(name, TEXT("authorization"))) continue;
        headers[header_count++] =
            (struct signer_field){name, cloud_json_text(&vectors_arena, value)};
    }
    struct signer_request request = {
        .scheme = SIGNER_ACS3,
        .method = text_at(vector, "expect.http.method"),
        .path = TEXT("/"),
        .query = signer_query(&vectors_arena, query, query_count),
        .headers = headers,
        .header_count = header_count,
        .body_hash = signer_hash(&vectors_arena, text_at(vector, "expect.http.body")),
        .key_id = text_at(vector, "input.access_key_id"),
        .secret = text_at(vector, "input.access_key_secret"),
    };
    struct signer_result result = signer_sign(&vectors_arena, &request);
    CHECK(text_equal(request.query, text_at(vector, "expect.canonical_query")));
    CHECK(text_equal(result.canonical_request, text_at(vector, "expect.canonical_request")));
    CHECK(text_equal(result.string_to_sign, text_at(vector, "expect.string_to_sign")));
    CHECK(text_equal(result.signed_names, text_at(vector, "expect.signed_headers")));
    CHECK(text_equal(result.authorization, text_at(vector, "expect.authorization")));
}

/* The same for requests recorded from the vendor's client, which signs some headers more. */
static void check_capture(yyjson_val *vector)
{
    struct signer_field query[SIGNER_FIELDS_MAX];
    struct signer_field headers[SIGNER_FIELDS_MAX];
    unsigned query_count = 0, header_count = 0;
    size_t index, size;
    yyjson_val *key, *value, *pair;
    bool has_form = text_at(vector, "expect.http.body").bytes > 0;
    yyjson_obj_foreach(at(vector, "input.params"), index, size, key, value)
    {
        if (has_form) break;
        query[query_count++] = (struct signer_field){cloud_json_text(&vectors_arena, key),
                                                     cloud_json_text(&vectors_arena, value)};
    }
    struct text authorization = TEXT("");
    yyjson_arr_foreach(at(vector, "expect.http.headers"), index, size, pair)
    {
        struct text name = cloud_json_text(&vectors_arena, yyjson_arr_get(pair, 0));
        struct text field = cloud_json_text(&vectors_arena, yyjson_arr_get(pair, 1));
        if (text_equal(name, TEXT("Authorization"))) authorization = field;
        bool is_signed =
            !text_equal(name, TEXT("Authorization")) && !text_equal(name, TEXT("Content-Length"));
        if (is_signed) headers[header_count++] = (struct signer_field){name, field};
    }
    struct signer_request request = {
        .scheme = SIGNER_ACS3,
        .method = text_at(vector, "expect.http.method"),
        .path = TEXT("/"),
        .query = signer_query(&vectors_arena, query, query_count),
        .headers = headers,
        .header_count = header_count,
        .body_hash = signer_hash(&vectors_arena, text_at(vector, "expect.http.body")),
        .key_id = text_at(vector, "input.access_key_id"),
        .secret = text_at(vector, "input.access_key_secret"),
    };
    struct signer_result result = signer_sign(&vectors_arena, &request);
    CHECK(text_equal(result.canonical_request, text_at(vector, "expect.canonical_request")));
    CHECK(text_equal(result.string_to_sign, text_at(vector, "expect.string_to_sign")));
    CHECK(text_equal(result.authorization, authorization));
}

static const char alidns_credentials[] =
    "{\"access_key_id\":\"LTAI5tExampleKeyId00001\","
    "\"access_key_secret\":\"ExampleSecret0000000000000000001\"}";
static const char alidns_empty[] = "{\"TotalCount\":0,\"DomainRecords\":{\"Record\":[]}}";
static const char alidns_old[] =
    "{\"TotalCount\":1,\"DomainRecords\":{\"Record\":[{\"RecordId\":\"9999985\","
    "\"RR\":\"home\",\"Type\":\"A\","
    "\"Value\":\"192.0.2.1\",\"TTL\":600,\"Line\":\"default\",\"Status\":\"ENABLE\"}]}}";
static const char alidns_new[] =
    "{\"TotalCount\":1,\"DomainRecords\":{\"Record\":[{\"RecordId\":\"9999985\","
    "\"RR\":\"home\",\"Type\":\"A\","
    "\"Value\":\"192.0.2.2\",\"TTL\":600,\"Line\":\"default\",\"Status\":\"ENABLE\"}]}}";

static void check_sent_as(const struct play *p, yyjson_val *vector)
{
    struct text url = arena_print(&vectors_arena, "https://alidns.aliyuncs.com%.*s",
                                  TEXT_ARGS(text_at(vector, "expect.http.target")));
    CHECK(play_is_sent(p, "POST", url.data));
    CHECK(p->call.http.body.bytes == 0);
    size_t index, size;
    yyjson_val *key, *value;
    yyjson_obj_foreach(at(vector, "expect.http.headers"), index, size, key, value)
    {
        CHECK(text_equal(play_header(p, yyjson_get_str(key)),
                         cloud_json_text(&vectors_arena, value)));
    }
}

/* Jobs whose whole request a vector holds are sent just so. The vectors have one nonce for all. */
static void check_alidns_request(yyjson_val *vector)
{
    struct text id = text_at(vector, "id");
    struct play p = play_of("alidns", "https://alidns.aliyuncs.com", alidns_credentials);
    uint8_t nonce[16];
    memcpy(nonce, p.job.nonce, sizeof(nonce));
    if (text_equal(id, TEXT("acs3-describe-subdomain"))) {
        play_start(&p);
        check_sent_as(&p, vector);
    } else if (text_equal(id, TEXT("acs3-add-aaaa-apex"))) {
        p.job.owner = TEXT("@");
        p.job.type = DNS_AAAA;
        p.job.value = TEXT("2001:db8::1");
        play_start(&p);
        memcpy(p.job.nonce, nonce, sizeof(nonce));
        play_answer(&p, 200, alidns_empty);
        check_sent_as(&p, vector);
    } else if (text_equal(id, TEXT("acs3-delete"))) {
        p.job.action = DNS_REMOVE;
        p.job.provider_id = TEXT("9999985");
        play_start(&p);
        memcpy(p.job.nonce, nonce, sizeof(nonce));
        play_answer(&p, 200, alidns_old);
        check_sent_as(&p, vector);
    }
    play_end(&p);
}

/* ---- classes ---- */

static struct http_result response_of(yyjson_val *vector)
{
    yyjson_val *response = at(vector, "input.response");
    struct http_result result = {
        .status = (unsigned)cloud_json_number(cloud_json_member(response, "status"), 999, 0),
        .body = text_at(response, "body"),
        .retry_after_ms = -1,
        .date_ms = 1772352550000 + 3600000,
    };
    yyjson_val *body = cloud_json_member(response, "body_json");
    if (body != NULL) result.body = text_of(yyjson_val_write(body, YYJSON_WRITE_NOFLAG, NULL));
    uint64_t number = cloud_json_number(at(response, "headers.retry-after"), UINT32_MAX, 0);
    if (number > 0) result.retry_after_ms = (int64_t)number * 1000;
    number = cloud_json_number(at(response, "headers.x-acs-retry-after"), UINT32_MAX, 0);
    if (number > 0) result.retry_after_ms = (int64_t)number;
    return result;
}

static void check_verdict(const struct play *p, yyjson_val *vector)
{
    enum call_class class = class_of_word(text_at(vector, "expect.class"));
    CHECK(play_is_ended(p, class));
    yyjson_val *retry = at(vector, "expect.retry_after_ms");
    if (retry != NULL) CHECK(p->verdict.retry_after_ms == (int64_t)yyjson_get_uint(retry));
}

/* The answer comes to a write; lists in between show the new value when the answer says it is
 * there. */
static void check_alidns_class(yyjson_val *vector)
{
    const struct http_result response = response_of(vector);
    bool is_there = text_equal(text_at(vector, "expect.class"), TEXT("unchanged"));
    struct play p = play_of("alidns", "https://alidns.aliyuncs.com", alidns_credentials);
    bool has_answered = false;
    play_start(&p);
    for (unsigned round = 0; round < 10 && p.next == PROVIDER_SEND; round++) {
        if (text_equal(play_header(&p, "x-acs-action"), TEXT("DescribeSubDomainRecords"))) {
            play_answer(&p, 200, has_answered && is_there ? alidns_new : alidns_old);
            continue;
        }
        CHECK_TEXT(play_header(&p, "x-acs-action"), "UpdateDomainRecord");
        has_answered = true;
        play_result(&p, &response);
    }
    check_verdict(&p, vector);
    play_end(&p);
    if (at(vector, "input.response.body_json") != NULL) free((void *)(uintptr_t)response.body.data);
}

static void test_alidns_vectors(void)
{
    size_t index, size;
    yyjson_val *vector;
    yyjson_arr_foreach(vectors_of("alibaba-acs3"), index, size, vector)
    {
        unsigned failed_before = unit_failed_count;
        struct text kind = text_at(vector, "kind");
        struct text id = text_at(vector, "id");
        /* Classes of the SMS service are its sender's business. */
        if (text_starts(id, TEXT("sms-class-"))) continue;
        if (text_equal(kind, TEXT("acs3.sign"))) {
            check_signature(vector);
            check_alidns_request(vector);
        } else if (text_equal(kind, TEXT("acs3.capture"))) {
            check_capture(vector);
        } else if (text_equal(kind, TEXT("classify"))) {
            check_alidns_class(vector);
        } else {
            CHECK(!"a kind of vector that is known");
        }
        print_id(vector, failed_before);
    }
}

/* ---- Cloudflare ---- */

static const char cloudflare_credentials[] = "{\"api_token\":\"cf-example-token-0001\"}";
static const char cloudflare_zone[] =
    "{\"success\":true,\"result\":[{\"id\":\"023e105f4ecef8ad9ca31a8372d0c353\","
    "\"name\":\"example.com\"}]}";
static const char cloudflare_empty[] = "{\"success\":true,\"result\":[]}";

static struct text cloudflare_list(const char *value)
{
    return arena_print(
        &vectors_arena,
        "{\"success\":true,\"result\":[{\"id\":\"372e67954025e0ba6aaa6d586b9e0b59\","
        "\"name\":\"home.example.com\",\"type\":\"A\",\"content\":\"%s\",\"proxied\":false,"
        "\"ttl\":120}]}",
        value);
}

/* The calls of each vector are the same in one of these jobs: zone, then list, then a write. */
static void check_cloudflare_request(yyjson_val *vector)
{
    struct text call = text_at(vector, "input.call");
    struct play p =
        play_of("cloudflare", "https://api.cloudflare.com/client/v4", cloudflare_credentials);
    p.job.ttl = 120;
    p.job.value = text_at(vector, "input.params.content");
    if (p.job.value.bytes == 0) p.job.value = TEXT("192.0.2.1");
    if (text_equal(call, TEXT("dns.records.delete"))) p.job.action = DNS_REMOVE;
    play_start(&p);
    if (!text_equal(call, TEXT("zones.list"))) play_answer(&p, 200, cloudflare_zone);
    if (text_equal(call, TEXT("dns.records.create"))) play_answer(&p, 200, cloudflare_empty);
    bool needs_record =
        text_equal(call, TEXT("dns.records.edit")) || text_equal(call, TEXT("dns.records.delete"));
    if (needs_record) play_answer(&p, 200, cloudflare_list("192.0.2.1").data);

    struct text url = arena_print(&vectors_arena, "https://api.cloudflare.com%.*s",
                                  TEXT_ARGS(text_at(vector, "expect.http.target")));
    CHECK(play_is_sent(&p, text_at(vector, "expect.http.method").data, url.data));
    size_t index, size;
    yyjson_val *pair;
    yyjson_arr_foreach(at(vector, "expect.http.headers"), index, size, pair)
    {
        const char *name = yyjson_get_str(yyjson_arr_get(pair, 0));
        if (strcmp(name, "Host") == 0) continue;
        CHECK_TEXT(play_header(&p, name), yyjson_get_str(yyjson_arr_get(pair, 1)));
    }
    yyjson_val *wanted = at(vector, "expect.http.body_json");
    yyjson_val *body = cloud_json_read(&vectors_arena, p.call.http.body);
    CHECK(wanted == NULL ? p.call.http.body.bytes == 0 : yyjson_equals(wanted, body));

    struct text reply =
        text_of(yyjson_val_write(at(vector, "input.reply"), YYJSON_WRITE_NOFLAG, NULL));
    unsigned status = (unsigned)cloud_json_number(at(vector, "input.reply_status"), 999, 200);
    play_answer(&p, status, reply.data);
    if (status == 403) {
        CHECK(play_is_ended(&p, CLASS_AUTH));
    } else {
        CHECK(p.next == PROVIDER_SEND || p.verdict.class == CLASS_OK ||
              p.verdict.class == CLASS_UNCHANGED);
    }
    free((void *)(uintptr_t)reply.data);
    play_end(&p);
}

static void check_cloudflare_class(yyjson_val *vector)
{
    const struct http_result response = response_of(vector);
    bool is_there = text_equal(text_at(vector, "expect.class"), TEXT("unchanged"));
    struct play p =
        play_of("cloudflare", "https://api.cloudflare.com/client/v4", cloudflare_credentials);
    p.job.ttl = 120;
    bool has_answered = false;
    play_start(&p);
    play_answer(&p, 200, cloudflare_zone);
    for (unsigned round = 0; round < 10 && p.next == PROVIDER_SEND; round++) {
        if (text_equal(p.call.http.method, TEXT("GET"))) {
            const char *value = has_answered && is_there ? "192.0.2.2" : "192.0.2.1";
            play_answer(&p, 200, cloudflare_list(value).data);
            continue;
        }
        CHECK_TEXT(p.call.http.method, "PATCH");
        has_answered = true;
        play_result(&p, &response);
    }
    check_verdict(&p, vector);
    play_end(&p);
    if (at(vector, "input.response.body_json") != NULL) free((void *)(uintptr_t)response.body.data);
}

static void test_cloudflare_vectors(void)
{
    size_t index, size;
    yyjson_val *vector;
    yyjson_arr_foreach(vectors_of("cloudflare"), index, size, vector)
    {
        unsigned failed_before = unit_failed_count;
        struct text kind = text_at(vector, "kind");
        if (text_equal(kind, TEXT("cloudflare.capture"))) {
            check_cloudflare_request(vector);
        } else if (text_equal(kind, TEXT("classify"))) {
            check_cloudflare_class(vector);
        } else {
            CHECK(!"a kind of vector that is known");
        }
        print_id(vector, failed_before);
    }
}

/* ---- DNS UPDATE ---- */

static void check_update(yyjson_val *vector)
{
    yyjson_val *ops = at(vector, "input.ops");
    yyjson_val *first = yyjson_arr_get(ops, 0);
    yyjson_val *final = yyjson_arr_get(ops, yyjson_arr_size(ops) - 1);
    bool is_add = yyjson_equals_str(yyjson_arr_get(final, 0), "add");
    struct text credentials = arena_print(
        &vectors_arena,
        "{\"server\":\"127.0.0.1:53\",\"key_name\":\"%.*s\",\"algorithm\":\"%.*s\","
        "\"secret\":\"%.*s\"}",
        TEXT_ARGS(text_at(vector, "input.key_name")), TEXT_ARGS(text_at(vector, "input.algorithm")),
        TEXT_ARGS(text_at(vector, "input.key_base64")));
    struct play p = play_of("rfc2136", "", credentials.data);
    uint64_t id = yyjson_get_uint(at(vector, "input.msg_id"));
    p.job.nonce[0] = (uint8_t)(id >> 8);
    p.job.nonce[1] = (uint8_t)id;
    p.job.now_ms = yyjson_get_uint(at(vector, "input.time")) * 1000;
    p.job.zone = text_at(vector, "input.zone");
    p.job.owner = cloud_json_text(&vectors_arena, yyjson_arr_get(first, 1));
    p.job.action = is_add ? DNS_PUSH : DNS_REMOVE;
    if (is_add) p.job.ttl = (uint32_t)yyjson_get_uint(yyjson_arr_get(final, 2));
    dns_type_from_name(cloud_json_text(&vectors_arena, yyjson_arr_get(final, is_add ? 3 : 2)),
                       &p.job.type);
    p.job.value = cloud_json_text(&vectors_arena, yyjson_arr_get(final, is_add ? 4 : 3));
    play_start(&p);

    char hex[2048] = "";
    CHECK(p.next == PROVIDER_SEND && p.call.is_dns && !p.call.dns.by_tcp);
    if (p.call.dns.message.bytes < sizeof(hex) / 2) {
        sodium_bin2hex(hex, sizeof(hex), (const uint8_t *)p.call.dns.message.data,
                       p.call.dns.message.bytes);
    }
    CHECK(text_equal(text_of(hex), text_at(vector, "expect.signed_hex")));
    CHECK(p.memo.mac_bytes == 32);
    sodium_bin2hex(hex, sizeof(hex), p.memo.mac, p.memo.mac_bytes);
    CHECK(text_equal(text_of(hex), text_at(vector, "expect.mac_hex")));
    play_end(&p);
}

static void test_update_vectors(void)
{
    size_t index, size;
    yyjson_val *vector;
    yyjson_arr_foreach(vectors_of("dns-update"), index, size, vector)
    {
        unsigned failed_before = unit_failed_count;
        /* No job demands a value beforehand; test_dns_message.c has this vector. */
        if (text_equal(text_at(vector, "id"), TEXT("tsig-prerequisite"))) continue;
        if (CHECK(text_equal(text_at(vector, "kind"), TEXT("tsig.update")))) check_update(vector);
        print_id(vector, failed_before);
    }
}

/* Every row of providers.def is found by its name, and nothing else is. */
static void test_table(void)
{
    unsigned count = 0;
    for (const struct provider *provider; (provider = provider_at(count)) != NULL; count++) {
        CHECK(provider_find(provider->name) == provider);
        CHECK(provider->title.bytes > 0 && provider->field_count > 0 && provider->step != NULL);
    }
    CHECK(count >= 4);
    CHECK(provider_find(TEXT("rfc")) == NULL && provider_find(TEXT_NONE) == NULL);
}

int main(void)
{
    arena_init(&vectors_arena, VECTOR_ARENA_BYTES_MAX);
    test_table();
    test_alidns_vectors();
    test_cloudflare_vectors();
    test_update_vectors();
    arena_free(&vectors_arena);
    return unit_end();
}
