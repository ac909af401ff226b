/* ddns/provider_cloudflare.c: what it does with what the zone holds, answer by answer. */
#include "provider_case.h"

#define HOST           "https://api.cloudflare.com/client/v4"
#define RECORDS_URL    HOST "/zones/zone1/dns_records"
#define LIST_URL       RECORDS_URL "?name.exact=home.example.com&type=A"
#define RESULT(result) "{\"success\":true,\"errors\":[],\"result\":" result "}"
#define ZONE           RESULT("[{\"id\":\"zone1\",\"name\":\"example.com\"}]")
#define RECORD_OF(id, name, type, content, more) \
    "{\"id\":\"" id "\",\"name\":\"" name "\",\"type\":\"" type "\",\"content\":\"" content \
    "\"" more "}"
#define RECORD(id, content) \
    RECORD_OF(id, "home.example.com", "A", content, ",\"ttl\":600,\"proxied\":false")
#define TXT_RECORD(id, content) \
    RECORD_OF(id, "home.example.com", "TXT", "\\\"" content "\\\"", ",\"ttl\":600")
#define LIST(records) RESULT("[" records "]")
#define WRITTEN(id)   RESULT("{\"id\":\"" id "\"}")
#define REFUSED(code) \
    "{\"success\":false,\"errors\":[{\"code\":" code ",\"message\":\"m\"}],\"result\":null}"
#define BODY(content, more) \
    "{\"name\":\"home.example.com\",\"ttl\":600,\"type\":\"A\",\"content\":\"" content "\"" more "}"

static struct play begin(void)
{
    return play_of("cloudflare", HOST, "{\"api_token\":\"cf-example-token-0001\"}");
}

/* Starts a job and answers its zone and its first list. */
static void listed(struct play *p, const char *list)
{
    play_start(p);
    CHECK(play_is_sent(p, "GET", HOST "/zones?name=example.com"));
    play_answer(p, 200, ZONE);
    if (p->job.type == DNS_A) CHECK(play_is_sent(p, "GET", LIST_URL));
    play_answer(p, 200, list);
}

static void check_body(struct play *p, const char *method, const char *url, const char *body)
{
    CHECK(play_is_sent(p, method, url));
    CHECK_TEXT(p->call.http.body, body);
}

/* With nothing there a record is created, with its mark and always with its proxy setting. */
static void test_new(void)
{
    struct play p = begin();
    listed(&p, LIST(""));
    check_body(&p, "POST", RECORDS_URL, BODY("192.0.2.2", ",\"proxied\":false"));
    CHECK_TEXT(play_header(&p, "Authorization"), "Bearer cf-example-token-0001");
    CHECK_TEXT(play_header(&p, "Content-Type"), "application/json");
    play_answer(&p, 200, WRITTEN("r7"));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.has_written);
    CHECK_TEXT(p.verdict.provider_id, "r7");

    p.job.mark = TEXT("managed by homeport");
    p.job.proxied = true;
    listed(&p, LIST(""));
    check_body(&p, "POST", RECORDS_URL,
               "{\"name\":\"home.example.com\",\"ttl\":1,\"type\":\"A\",\"content\":\"192.0.2.2\","
               "\"proxied\":true,"
               "\"comment\":\"managed by homeport\"}");

    p.job = begin().job;
    p.job.owner = TEXT("*");
    p.job.ttl = 30;
    play_start(&p);
    play_answer(&p, 200, ZONE);
    CHECK(play_is_sent(&p, "GET", RECORDS_URL "?name.exact=%2A.example.com&type=A"));
    play_answer(&p, 200, LIST(""));
    CHECK(text_has(p.call.http.body, "\"ttl\":60,"));
    play_end(&p);
}

/* A change sends what homeport decides and leaves the rest; a proxied record's TTL of 1 is no
 * difference. */
static void test_change(void)
{
    struct play p = begin();
    listed(&p, LIST(RECORD("r5", "192.0.2.1")));
    check_body(&p, "PATCH", RECORDS_URL "/r5", BODY("192.0.2.2", ""));
    play_answer(&p, 200, WRITTEN("r5"));
    CHECK(play_is_ended(&p, CLASS_OK));

    listed(&p, LIST(RECORD("r5", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED) && p.sent_count == 2);
    CHECK_TEXT(p.verdict.provider_id, "r5");

    listed(&p, LIST(RECORD_OF("r5", "home.example.com", "A", "192.0.2.2",
                              ",\"ttl\":600,\"proxied\":true")));
    check_body(&p, "PATCH", RECORDS_URL "/r5", BODY("192.0.2.2", ",\"proxied\":false"));

    p.job.proxied = true;
    listed(&p, LIST(RECORD_OF("r5", "home.example.com", "A", "192.0.2.2",
                              ",\"ttl\":1,\"proxied\":true")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));

    p.job.proxied = false;
    p.job.provider_id = TEXT("r6");
    listed(&p, LIST(RECORD("r5", "192.0.2.1") "," RECORD("r6", "192.0.2.9")));
    CHECK(play_is_sent(&p, "PATCH", RECORDS_URL "/r6"));

    p.job.provider_id = TEXT_NONE;
    listed(&p, LIST(RECORD("r5", "192.0.2.1") "," RECORD("r6", "192.0.2.9")));
    CHECK(play_is_ended(&p, CLASS_FATAL) &&
          text_has(p.verdict.detail, "2 A records for home.example.com"));
    play_end(&p);
}

/* "Exists already" is looked into: the value is there, or a record can be changed by its id, or
 * neither. */
static void test_exists(void)
{
    struct play p = begin();
    listed(&p, LIST(""));
    play_answer(&p, 400, REFUSED("81058"));
    CHECK(play_is_sent(&p, "GET", LIST_URL));
    play_answer(&p, 200, LIST(RECORD("r5", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    CHECK_TEXT(p.verdict.provider_id, "r5");

    listed(&p, LIST(""));
    play_answer(&p, 400, REFUSED("81057"));
    play_answer(&p, 200, LIST(RECORD("r5", "192.0.2.1")));
    CHECK(play_is_sent(&p, "PATCH", RECORDS_URL "/r5"));
    play_answer(&p, 400, REFUSED("81057"));
    CHECK(play_is_ended(&p, CLASS_FATAL));

    listed(&p, LIST(""));
    play_answer(&p, 400, REFUSED("81053"));
    play_answer(&p, 200, LIST(""));
    CHECK(play_is_ended(&p, CLASS_FATAL) &&
          text_has(p.verdict.detail, "CNAME can only stand alone"));
    play_end(&p);
}

/* A record that is gone is made again, once. */
static void test_gone(void)
{
    struct play p = begin();
    p.job.provider_id = TEXT("r5");
    listed(&p, LIST(RECORD("r5", "192.0.2.1")));
    play_answer(&p, 404, REFUSED("81044"));
    CHECK(play_is_sent(&p, "GET", LIST_URL));
    play_answer(&p, 200, LIST(""));
    CHECK(play_is_sent(&p, "POST", RECORDS_URL));
    play_answer(&p, 200, WRITTEN("r6"));
    CHECK(play_is_ended(&p, CLASS_OK));
    CHECK_TEXT(p.verdict.provider_id, "r6");

    listed(&p, LIST(RECORD("r5", "192.0.2.1")));
    play_answer(&p, 404, REFUSED("81044"));
    play_answer(&p, 200, LIST(RECORD("r5", "192.0.2.1")));
    play_answer(&p, 404, REFUSED("81044"));
    CHECK(play_is_ended(&p, CLASS_GONE));
    play_end(&p);
}

/* Faults: what to wait for, what to tell. */
static void test_faults(void)
{
    struct play p = begin();
    play_start(&p);
    play_answer(&p, 200, RESULT("[]"));
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "no zone example.com"));
    play_start(&p);
    play_answer(&p, 200, RESULT("[{\"id\":\"zone2\",\"name\":\"other.example.com\"}]"));
    CHECK(play_is_ended(&p, CLASS_FATAL));
    play_start(&p);
    play_answer(&p, 403, REFUSED("9109"));
    CHECK(play_is_ended(&p, CLASS_AUTH) && text_has(p.verdict.detail, "Zone / DNS / Edit"));
    play_start(&p);
    play_answer(&p, 502, "<html>bad gateway</html>");
    CHECK(play_is_ended(&p, CLASS_RETRY));
    play_start(&p);
    play_answer(&p, 522, "");
    CHECK(play_is_ended(&p, CLASS_RETRY));
    play_start(&p);
    play_answer(&p, 200, "<html>sign in</html>");
    CHECK(play_is_ended(&p, CLASS_RETRY) && text_has(p.verdict.detail, "sign-in page"));

    const struct http_result busy = {
        .status = 429, .body = TEXT(REFUSED("10429")), .retry_after_ms = 37000};
    play_start(&p);
    play_result(&p, &busy);
    CHECK(play_is_ended(&p, CLASS_THROTTLED) && p.verdict.retry_after_ms == 37000);
    const struct http_result cut = {
        .fault = FAULT_TLS, .error = TEXT("certificate expired"), .retry_after_ms = -1};
    play_start(&p);
    play_result(&p, &cut);
    CHECK(play_is_ended(&p, CLASS_RETRY));
    CHECK_TEXT(p.verdict.detail, "no answer from api.cloudflare.com: certificate expired");
    play_start(&p);
    play_answer(
        &p, 400,
        "{\"success\":false,\"errors\":[{\"code\":6003,\"message\":\"cf-example-token-0001?\"}]}");
    CHECK(play_is_ended(&p, CLASS_AUTH) && text_has(p.verdict.detail, "repeats the credentials"));
    play_end(&p);
}

/* Only what homeport wrote is removed. */
static void test_remove(void)
{
    struct play p = begin();
    p.job.action = DNS_REMOVE;
    p.job.provider_id = TEXT("r5");
    listed(&p, LIST(RECORD("r5", "192.0.2.1") "," RECORD("r6", "192.0.2.2")));
    CHECK(play_is_sent(&p, "DELETE", RECORDS_URL "/r5"));
    play_answer(&p, 200, WRITTEN("r5"));
    CHECK(play_is_ended(&p, CLASS_OK));
    listed(&p, LIST(RECORD("r6", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    listed(&p, LIST(RECORD("r5", "192.0.2.2")));
    play_answer(&p, 404, REFUSED("81044"));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    play_end(&p);
}

/* CHECK tells the values; IMPORT comes page by page, with values in homeport's own form. */
static void test_read(void)
{
    struct play p = begin();
    p.job.action = DNS_CHECK;
    listed(&p, LIST(RECORD("r5", "192.0.2.1") "," RECORD("r6", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.found_count == 2);
    CHECK_TEXT(p.verdict.found[1].value, "192.0.2.2");

    p.job.action = DNS_IMPORT;
    p.job.owner = TEXT_NONE;
    p.job.type = (enum dns_type)0;
    play_start(&p);
    play_answer(&p, 200, ZONE);
    CHECK(play_is_sent(&p, "GET", RECORDS_URL "?page=1&per_page=100"));
    // clang-format off
    play_answer(&p, 200,
        "{\"success\":true,\"result_info\":{\"page\":1,\"total_pages\":2},\"result\":["
        RECORD_OF("a", "example.com", "MX", "mail.example.com", ",\"ttl\":1,\"priority\":5") ","
        TXT_RECORD("b", "v=spf1 \\\\\\\"x\\\\\\\"") ","
        RECORD_OF("c", "_sip._tcp.example.com", "SRV", "5\\t5060\\tsip.example.com",
                  ",\"ttl\":300,\"data\":{\"priority\":10,\"weight\":5,\"port\":5060,"
                  "\"target\":\"sip.example.com\"}") ","
        RECORD_OF("d", "example.com", "CAA", "0 issue ca",
                  ",\"data\":{\"flags\":0,\"tag\":\"issue\",\"value\":\"ca.example\"}") ","
        RECORD_OF("e", "x.example.com", "HTTPS", "1 .", "") "]}");
    // clang-format on
    CHECK(play_is_sent(&p, "GET", RECORDS_URL "?page=2&per_page=100"));
    if (CHECK(p.verdict.found_count == 4)) {
        CHECK_TEXT(p.verdict.found[0].owner, "@");
        CHECK(p.verdict.found[0].priority == 5 && p.verdict.found[0].ttl == 1);
        CHECK_TEXT(p.verdict.found[1].value, "v=spf1 \"x\"");
        CHECK_TEXT(p.verdict.found[2].owner, "_sip._tcp");
        CHECK_TEXT(p.verdict.found[2].value, "5 5060 sip.example.com");
        CHECK(p.verdict.found[2].priority == 10);
        CHECK_TEXT(p.verdict.found[3].value, "0 issue \"ca.example\"");
    }
    play_answer(
        &p, 200,
        "{\"success\":true,\"result_info\":{\"page\":2,\"total_pages\":2},\"result\":[" RECORD(
            "f", "192.0.2.1") "]}");
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.found_count == 1);
    play_end(&p);
}

/* Values that are more than one text go where the API wants them, and only ours is exchanged. */
static void test_other_types(void)
{
    struct play p = begin();
    p.job.type = DNS_TXT;
    p.job.value = TEXT("say \"hi\" \\");
    listed(&p, LIST(TXT_RECORD("r5", "v=spf1 -all")));
    check_body(&p, "POST", RECORDS_URL,
               "{\"name\":\"home.example.com\",\"ttl\":600,\"type\":\"TXT\","
               "\"content\":\"\\\"say \\\\\\\"hi\\\\\\\" \\\\\\\\\\\"\"}");
    p.job.previous_value = TEXT("old");
    p.job.value = TEXT("new");
    listed(&p, LIST(TXT_RECORD("r5", "v=spf1 -all") "," TXT_RECORD("r6", "old")));
    CHECK(play_is_sent(&p, "PATCH", RECORDS_URL "/r6"));
    listed(&p, LIST(TXT_RECORD("r5", "v=spf1 -all") "," TXT_RECORD("r6", "new")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));

    p.job.previous_value = TEXT_NONE;
    p.job.type = DNS_MX;
    p.job.value = TEXT("mail.example.com");
    p.job.priority = 20;
    listed(&p, LIST(""));
    check_body(&p, "POST", RECORDS_URL,
               "{\"name\":\"home.example.com\",\"ttl\":600,\"type\":\"MX\","
               "\"content\":\"mail.example.com\","
               "\"priority\":20}");
    p.job.type = DNS_SRV;
    p.job.value = TEXT("5 443 host.example.com");
    listed(&p, LIST(""));
    check_body(
        &p, "POST", RECORDS_URL,
        "{\"name\":\"home.example.com\",\"ttl\":600,\"type\":\"SRV\",\"data\":{\"priority\":20,"
        "\"weight\":5,"
        "\"port\":443,\"target\":\"host.example.com\"}}");
    p.job.type = DNS_CAA;
    p.job.value = TEXT("0 issue \"ca.example\"");
    listed(&p, LIST(""));
    check_body(&p, "POST", RECORDS_URL,
               "{\"name\":\"home.example.com\",\"ttl\":600,\"type\":\"CAA\",\"data\":{\"flags\":0,"
               "\"tag\":\"issue\","
               "\"value\":\"ca.example\"}}");
    play_end(&p);
}

/* A long TXT is cut into strings of 255 bytes. */
static void test_long_txt(void)
{
    char value[600];
    memset(value, 'x', sizeof(value));
    struct play p = begin();
    p.job.type = DNS_TXT;
    p.job.value = (struct text){value, sizeof(value)};
    listed(&p, LIST(""));
    yyjson_val *body = cloud_json_read(p.job.arena, p.call.http.body);
    struct text content = cloud_json_member_text(p.job.arena, body, "content");
    CHECK(content.bytes == 600 + 2 + 2 * 3);
    CHECK(content.data[256] == '"' && content.data[258] == '"' &&
          content.data[content.bytes - 1] == '"');
    CHECK(rdata_equal(DNS_TXT, content, p.job.value));
    play_end(&p);
}

/* Two uplinks on one name: the single foreign record is taken over when the sibling has its own. */
static void test_siblings(void)
{
    static const struct text sibling_values[] = {TEXT_INIT("192.0.2.50")};
    static const struct text sibling_ids[] = {TEXT_INIT("r50")};
    struct play p = begin();
    p.job.sibling_values = sibling_values;
    p.job.sibling_ids = sibling_ids;
    p.job.sibling_count = 1;
    listed(&p, LIST(RECORD("r5", "192.0.2.1")));
    CHECK(play_is_sent(&p, "POST", RECORDS_URL));
    listed(&p, LIST(RECORD("r5", "192.0.2.1") "," RECORD("r50", "192.0.2.50")));
    CHECK(play_is_sent(&p, "PATCH", RECORDS_URL "/r5"));

    /* Our stale record goes when a record made by hand already has the value. */
    p.job.provider_id = TEXT("r4");
    p.job.is_ours = true;
    listed(&p, LIST(RECORD("r4", "192.0.2.1") "," RECORD("r5", "192.0.2.2") "," RECORD(
                   "r50", "192.0.2.50")));
    CHECK(play_is_sent(&p, "DELETE", RECORDS_URL "/r4"));
    play_answer(&p, 200, WRITTEN("r4"));
    CHECK(play_is_ended(&p, CLASS_OK));
    CHECK_TEXT(p.verdict.provider_id, "r5");
    play_end(&p);
}

int main(void)
{
    test_new();
    test_change();
    test_exists();
    test_gone();
    test_faults();
    test_remove();
    test_read();
    test_other_types();
    test_long_txt();
    test_siblings();
    return unit_end();
}
