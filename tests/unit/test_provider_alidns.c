/* ddns/provider_alidns.c: what it does with what the account holds, answer by answer. */
#include "provider_case.h"

#define HOST     "https://alidns.aliyuncs.com"
#define LIST_URL HOST "/?PageSize=100&SubDomain=home.example.com&Type=A"
#define RECORD_OF(id, rr, type, value, more) \
    "{\"RecordId\":\"" id "\",\"RR\":\"" rr "\",\"Type\":\"" type "\",\"Value\":\"" value \
    "\",\"TTL\":600" more "}"
#define RECORD(id, value) \
    RECORD_OF(id, "home", "A", value, ",\"Line\":\"default\",\"Status\":\"ENABLE\"")
#define TXT_RECORD(id, value) RECORD_OF(id, "home", "TXT", value, ",\"Line\":\"default\"")
#define LIST(total, records) \
    "{\"TotalCount\":" total ",\"DomainRecords\":{\"Record\":[" records "]}}"
#define WRITTEN(id)          "{\"RequestId\":\"R\",\"RecordId\":\"" id "\"}"
#define REFUSED(code)        "{\"RequestId\":\"R\",\"Code\":\"" code "\",\"Message\":\"m\"}"
#define WRITE(fields, value) HOST "/?" fields "&TTL=600&Type=A&Value=" value

static const char credentials[] =
    "{\"access_key_id\":\"LTAI\",\"access_key_secret\":\"ExampleSecret01\"}";

static struct play begin(void)
{
    return play_of("alidns", HOST, credentials);
}

/* Starts a push to home A and answers its first list. */
static void listed(struct play *p, const char *list)
{
    play_start(p);
    if (p->job.type == DNS_A) CHECK(play_is_sent(p, "POST", LIST_URL));
    play_answer(p, 200, list);
}

static void check_add(struct play *p)
{
    CHECK(
        play_is_sent(p, "POST", WRITE("DomainName=example.com&Line=default&RR=home", "192.0.2.2")));
    CHECK_TEXT(play_header(p, "x-acs-action"), "AddDomainRecord");
}

static void check_change(struct play *p, const char *id)
{
    char url[256];
    snprintf(url, sizeof(url),
             HOST "/?Line=default&RR=home&RecordId=%s&TTL=600&Type=A&Value=192.0.2.2", id);
    CHECK(play_is_sent(p, "POST", url));
    CHECK_TEXT(play_header(p, "x-acs-action"), "UpdateDomainRecord");
}

static void check_delete(struct play *p, const char *id)
{
    char url[256];
    snprintf(url, sizeof(url), HOST "/?RecordId=%s", id);
    CHECK(play_is_sent(p, "POST", url));
    CHECK_TEXT(play_header(p, "x-acs-action"), "DeleteDomainRecord");
}

/* With nothing there a record is added; its mark comes after, and a mark that fails spoils nothing.
 */
static void test_new(void)
{
    struct play p = begin();
    listed(&p, LIST("0", ""));
    check_add(&p);
    play_answer(&p, 200, WRITTEN("77"));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.has_written);
    CHECK_TEXT(p.verdict.provider_id, "77");
    CHECK_TEXT(p.verdict.answer, "200 RecordId 77");

    p.job.mark = TEXT("managed by homeport");
    listed(&p, LIST("0", ""));
    play_answer(&p, 200, WRITTEN("78"));
    CHECK(play_is_sent(&p, "POST", HOST "/?RecordId=78&Remark=managed%20by%20homeport"));
    CHECK_TEXT(play_header(&p, "x-acs-action"), "UpdateDomainRecordRemark");
    play_answer(&p, 403, REFUSED("Forbidden.RAM"));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.has_written);
    CHECK_TEXT(p.verdict.provider_id, "78");
    play_end(&p);
}

/* Our record and a single foreign one are changed, a right one is left in peace. */
static void test_change(void)
{
    struct play p = begin();
    listed(&p, LIST("1", RECORD("5", "192.0.2.1")));
    check_change(&p, "5");
    play_answer(&p, 200, WRITTEN("5"));
    CHECK(play_is_ended(&p, CLASS_OK));
    CHECK_TEXT(p.verdict.provider_id, "5");

    p.job.provider_id = TEXT("6");
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.9")));
    check_change(&p, "6");

    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED) && !p.verdict.has_written && p.sent_count == 1);
    CHECK_TEXT(p.verdict.provider_id, "6");

    p.job.ttl = 120;
    listed(&p, LIST("1", RECORD("6", "192.0.2.2")));
    CHECK(play_is_sent(&p, "POST",
                       HOST "/?Line=default&RR=home&RecordId=6&TTL=120&Type=A&Value=192.0.2.2"));
    play_end(&p);
}

/* Of several records none of which is known, none is touched, and the user learns why. */
static void test_foreign(void)
{
    struct play p = begin();
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.9")));
    CHECK(play_is_ended(&p, CLASS_FATAL) && p.sent_count == 1);
    CHECK(text_has(p.verdict.detail, "2 A records for home.example.com"));

    p.job.previous_value = TEXT("192.0.2.9");
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.9")));
    check_change(&p, "6");

    /* Records of other names, types and lines are not ours to count. */
    p.job.previous_value = TEXT_NONE;
    listed(&p,
           LIST("3", RECORD_OF("7", "home", "A", "192.0.2.1", ",\"Line\":\"unicom\"") "," RECORD_OF(
                         "8", "house", "A", "192.0.2.1", "") "," RECORD_OF("9", "home", "AAAA",
                                                                           "2001:db8::1", "")));
    check_add(&p);

    p.job.provider_id = TEXT("7");
    listed(&p, LIST("1", RECORD_OF("7", "home", "A", "192.0.2.1", ",\"Line\":\"unicom\"")));
    CHECK(play_is_sent(&p, "POST",
                       HOST "/?Line=unicom&RR=home&RecordId=7&TTL=600&Type=A&Value=192.0.2.2"));

    p.job.provider_id = TEXT("5");
    listed(&p, LIST("1", RECORD_OF("5", "home", "A", "192.0.2.1", ",\"Status\":\"DISABLE\"")));
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "switched off"));
    play_end(&p);
}

/* A duplicate is explained by one more look; a record that is gone is made again, once. */
static void test_duplicate_and_gone(void)
{
    struct play p = begin();
    listed(&p, LIST("0", ""));
    play_answer(&p, 400, REFUSED("DomainRecordDuplicate"));
    CHECK(play_is_sent(&p, "POST", LIST_URL));
    play_answer(&p, 200, LIST("1", RECORD("5", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    CHECK_TEXT(p.verdict.provider_id, "5");

    listed(&p, LIST("0", ""));
    play_answer(&p, 400, REFUSED("DomainRecordDuplicate"));
    play_answer(&p, 200, LIST("0", ""));
    CHECK(play_is_ended(&p, CLASS_RETRY) && text_has(p.verdict.detail, "does not list it"));

    p.job.provider_id = TEXT("5");
    listed(&p, LIST("1", RECORD("5", "192.0.2.1")));
    play_answer(&p, 400, REFUSED("DomainRecordNotBelongToUser"));
    CHECK(play_is_sent(&p, "POST", LIST_URL));
    play_answer(&p, 200, LIST("0", ""));
    check_add(&p);
    play_answer(&p, 200, WRITTEN("6"));
    CHECK(play_is_ended(&p, CLASS_OK));
    CHECK_TEXT(p.verdict.provider_id, "6");

    listed(&p, LIST("1", RECORD("5", "192.0.2.1")));
    play_answer(&p, 400, REFUSED("InvalidRecordId.NotFound"));
    play_answer(&p, 200, LIST("1", RECORD("5", "192.0.2.1")));
    play_answer(&p, 400, REFUSED("InvalidRecordId.NotFound"));
    CHECK(play_is_ended(&p, CLASS_GONE));
    play_end(&p);
}

/* A wrong clock is put right by the answer's Date, once, with a new nonce; then it is told. */
static void test_clock(void)
{
    struct play p = begin();
    struct http_result wrong = {.status = 400,
                                .body = TEXT(REFUSED("InvalidTimeStamp.Expired")),
                                .date_ms = p.job.now_ms + 3600000,
                                .retry_after_ms = -1};
    play_start(&p);
    CHECK_TEXT(play_header(&p, "x-acs-date"), "2026-03-01T08:09:10Z");
    CHECK_TEXT(play_header(&p, "x-acs-signature-nonce"), "3f0c6ad2b1e94f7d8c5a001122334455");
    play_result(&p, &wrong);
    CHECK(play_is_sent(&p, "POST", LIST_URL));
    CHECK_TEXT(play_header(&p, "x-acs-date"), "2026-03-01T09:09:10Z");
    CHECK_TEXT(play_header(&p, "x-acs-signature-nonce"), "3f0c6ad2b1e94f7d8c5a001122334456");
    play_answer(&p, 200, LIST("1", RECORD("5", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED) && text_has(p.verdict.answer, "3600 s behind"));

    wrong.date_ms = p.job.now_ms - 3600000;
    play_start(&p);
    play_result(&p, &wrong);
    play_result(&p, &wrong);
    CHECK(play_is_ended(&p, CLASS_CLOCK) && text_has(p.verdict.detail, "3600 s ahead of"));

    wrong.date_ms = 0;
    play_start(&p);
    play_result(&p, &wrong);
    CHECK(play_is_ended(&p, CLASS_CLOCK) && p.sent_count == 1);
    play_end(&p);
}

/* Faults of the way there: what to wait for, and no secret in any sentence. */
static void test_faults(void)
{
    struct play p = begin();
    play_start(&p);
    play_answer(&p, 502, "<html>bad gateway</html>");
    CHECK(play_is_ended(&p, CLASS_RETRY));
    play_start(&p);
    play_answer(&p, 200, "<html>sign in to this hotel</html>");
    CHECK(play_is_ended(&p, CLASS_RETRY) && text_has(p.verdict.detail, "sign-in page"));
    play_start(&p);
    play_answer(&p, 200, "{\"RequestId\":\"R\"}");
    CHECK(play_is_ended(&p, CLASS_RETRY));
    play_start(&p);
    play_answer(&p, 403, "");
    CHECK(play_is_ended(&p, CLASS_AUTH));
    play_start(&p);
    play_answer(&p, 400, REFUSED("SomethingNew"));
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "SomethingNew"));

    const struct http_result busy = {
        .status = 429, .body = TEXT(REFUSED("Throttling.User")), .retry_after_ms = 2000};
    play_start(&p);
    play_result(&p, &busy);
    CHECK(play_is_ended(&p, CLASS_THROTTLED) && p.verdict.retry_after_ms == 2000);

    const struct http_result silent = {
        .fault = FAULT_TIMEOUT, .error = TEXT("timed out"), .retry_after_ms = -1};
    play_start(&p);
    play_result(&p, &silent);
    CHECK(play_is_ended(&p, CLASS_RETRY));
    CHECK_TEXT(p.verdict.detail, "no answer from alidns.aliyuncs.com: timed out");

    play_start(&p);
    play_answer(
        &p, 400,
        "{\"Code\":\"SignatureDoesNotMatch\",\"Message\":\"you signed with ExampleSecret01\"}");
    CHECK(play_is_ended(&p, CLASS_AUTH) && text_has(p.verdict.detail, "repeats the credentials"));
    play_end(&p);
}

/* Only what homeport wrote is removed: by its id, or by its value when no id is known. */
static void test_remove(void)
{
    struct play p = begin();
    p.job.action = DNS_REMOVE;
    p.job.provider_id = TEXT("5");
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.2")));
    check_delete(&p, "5");
    play_answer(&p, 200, WRITTEN("5"));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.provider_id.bytes == 0);

    listed(&p, LIST("1", RECORD("6", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    listed(&p, LIST("1", RECORD("5", "192.0.2.1")));
    play_answer(&p, 400, REFUSED("DomainRecordNotExist"));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));

    p.job.provider_id = TEXT_NONE;
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.2")));
    check_delete(&p, "6");
    listed(&p, LIST("1", RECORD("5", "192.0.2.1")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    play_end(&p);
}

/* CHECK tells the values in use; IMPORT comes page by page, with each page's records. */
static void test_read(void)
{
    struct play p = begin();
    p.job.action = DNS_CHECK;
    listed(&p, LIST("3", RECORD("5", "192.0.2.1") "," RECORD("6", "192.0.2.2") "," RECORD_OF(
                             "7", "home", "A", "192.0.2.3", ",\"Status\":\"DISABLE\"")));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.found_count == 2);
    CHECK_TEXT(p.verdict.found[1].value, "192.0.2.2");
    CHECK(p.verdict.found[1].ttl == 600);

    p.job = begin().job;
    p.job.action = DNS_IMPORT;
    p.job.owner = TEXT_NONE;
    p.job.type = (enum dns_type)0;
    play_start(&p);
    CHECK(play_is_sent(&p, "POST", HOST "/?DomainName=example.com&PageNumber=1&PageSize=500"));
    play_answer(
        &p, 200,
        LIST("501",
             RECORD("5", "192.0.2.1") "," RECORD_OF(
                 "6", "@", "MX", "mail.example.com",
                 ",\"Priority\":5") "," RECORD_OF("7", "_sip._tcp", "SRV",
                                                  "10 5 5060 sip.example.com",
                                                  "") "," RECORD_OF("8", "old", "REDIRECT_URL",
                                                                    "http://x", "")));
    CHECK(play_is_sent(&p, "POST", HOST "/?DomainName=example.com&PageNumber=2&PageSize=500"));
    CHECK(p.verdict.found_count == 3);
    CHECK_TEXT(p.verdict.found[1].owner, "@");
    CHECK(p.verdict.found[1].type == DNS_MX && p.verdict.found[1].priority == 5);
    CHECK_TEXT(p.verdict.found[2].value, "5 5060 sip.example.com");
    CHECK(p.verdict.found[2].priority == 10);
    play_answer(&p, 200, LIST("501", TXT_RECORD("9", "v=spf1 -all")));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.found_count == 1);
    CHECK_TEXT(p.verdict.found[0].value, "v=spf1 -all");
    play_end(&p);
}

/* Beside other values of a TXT name only ours is exchanged. */
static void test_many_values(void)
{
    struct play p = begin();
    p.job.type = DNS_TXT;
    p.job.value = TEXT("token new");
    listed(&p, LIST("1", TXT_RECORD("5", "v=spf1 -all")));
    CHECK(play_is_sent(&p, "POST",
                       HOST "/?DomainName=example.com&Line=default&RR=home&TTL=600&Type=TXT"
                            "&Value=token%20new"));

    p.job.previous_value = TEXT("token old");
    listed(&p, LIST("2", TXT_RECORD("5", "v=spf1 -all") "," TXT_RECORD("6", "token old")));
    CHECK(play_is_sent(&p, "POST",
                       HOST "/?Line=default&RR=home&RecordId=6&TTL=600&Type=TXT"
                            "&Value=token%20new"));

    p.job.type = DNS_MX;
    p.job.value = TEXT("mail.example.com");
    p.job.previous_value = TEXT_NONE;
    p.job.priority = 20;
    listed(&p, LIST("1", RECORD_OF("5", "home", "MX", "mail.example.com.", ",\"Priority\":10")));
    CHECK(play_is_sent(&p, "POST",
                       HOST "/?DomainName=example.com&Line=default&Priority=20&RR=home&TTL=600"
                            "&Type=MX&Value=mail.example.com"));
    p.job.provider_id = TEXT("5");
    p.job.priority = 10;
    listed(&p, LIST("1", RECORD_OF("5", "home", "MX", "mail.example.com.", ",\"Priority\":10")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED));
    play_end(&p);
}

/* Two uplinks feed one name: each keeps its own record, also when addresses meet or are swapped. */
static void test_siblings(void)
{
    static const struct text sibling_values[] = {TEXT_INIT("192.0.2.50")};
    static const struct text sibling_ids[] = {TEXT_INIT("50")};
    static const struct text no_ids[] = {TEXT_INIT("")};
    struct play p = begin();
    p.job.sibling_values = sibling_values;
    p.job.sibling_ids = no_ids;
    p.job.sibling_count = 1;
    listed(&p, LIST("1", RECORD("5", "192.0.2.1")));
    check_add(&p);
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("50", "192.0.2.50")));
    check_change(&p, "5");
    p.job.sibling_ids = sibling_ids;
    listed(&p, LIST("1", RECORD("50", "192.0.2.50")));
    check_add(&p);

    /* Both have the same address: one record serves, and it stays the sibling's. */
    p.job.value = TEXT("192.0.2.50");
    listed(&p, LIST("1", RECORD("50", "192.0.2.50")));
    CHECK(play_is_ended(&p, CLASS_UNCHANGED) && p.verdict.provider_id.bytes == 0);
    p.job.provider_id = TEXT("5");
    p.job.is_ours = true;
    listed(&p, LIST("2", RECORD("5", "192.0.2.1") "," RECORD("50", "192.0.2.50")));
    check_delete(&p, "5");
    play_answer(&p, 200, WRITTEN("5"));
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.provider_id.bytes == 0);

    /* A swap: the sibling still has what we shall have. */
    p.job.value = TEXT("192.0.2.2");
    listed(&p, LIST("2", RECORD("5", "192.0.2.50") "," RECORD("50", "192.0.2.2")));
    check_delete(&p, "5");
    play_answer(&p, 200, WRITTEN("5"));
    CHECK(play_is_ended(&p, CLASS_RETRY));
    listed(&p, LIST("1", RECORD("50", "192.0.2.2")));
    CHECK(play_is_ended(&p, CLASS_RETRY) && p.sent_count == 1);
    listed(&p, LIST("1", RECORD("50", "192.0.2.50")));
    check_add(&p);
    play_end(&p);
}

/* The host is signed as the HTTP client will write it, and the zone itself is asked for as "@". */
static void test_host(void)
{
    static const char *const cases[][2] = {
        {"http://127.0.0.1:8080", "127.0.0.1:8080"},
        {"https://alidns.aliyuncs.com:443", "alidns.aliyuncs.com"},
        {"http://[::1]:80", "[::1]"},
        {"https://dns.example:80", "dns.example:80"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct play p = play_of("alidns", cases[i][0], credentials);
        p.job.owner = TEXT("@");
        play_start(&p);
        CHECK_TEXT(play_header(&p, "host"), cases[i][1]);
        CHECK(text_has(p.call.http.url, "SubDomain=%40.example.com&"));
        play_end(&p);
    }
}

/* With too little memory at any point the job ends with a verdict and nothing is sent half built.
 */
static void test_memory(void)
{
    for (size_t bytes = 64; bytes < 40000; bytes = bytes * 5 / 4) {
        struct arena arena;
        struct play p = begin();
        arena_init(&arena, bytes);
        p.job.arena = &arena;
        enum provider_next next = p.provider->step(&p.job, &p.memo, NULL, &p.call, &p.verdict);
        CHECK(next == (arena_overflowed(&arena) ? PROVIDER_FINISHED : PROVIDER_SEND));
        arena_reset(&arena);
        const struct http_result list = {.status = 200,
                                         .body = TEXT(LIST("1", RECORD("5", "192.0.2.1")))};
        const struct provider_answer last = {.http = &list};
        next = p.provider->step(&p.job, &p.memo, &last, &p.call, &p.verdict);
        CHECK(next == (arena_overflowed(&arena) ? PROVIDER_FINISHED : PROVIDER_SEND));
        CHECK(next == PROVIDER_SEND || p.verdict.class == CLASS_RETRY);
        arena_free(&arena);
        play_end(&p);
    }
}

/* Keys that cannot stand in a header are refused by name. */
static void test_check(void)
{
    struct text field, reason;
    const struct provider *alidns = provider_find(TEXT("alidns"));
    CHECK(alidns->check(text_of(credentials), &field, &reason));
    CHECK(!alidns->check(TEXT("{\"access_key_id\":\"a\\nb\",\"access_key_secret\":\"c\"}"), &field,
                         &reason));
    CHECK_TEXT(field, "access_key_id");
    CHECK(!alidns->check(TEXT("{\"access_key_id\":\"a\",\"access_key_secret\":\"c \"}"), &field,
                         &reason));
    CHECK_TEXT(field, "access_key_secret");
}

int main(void)
{
    test_new();
    test_change();
    test_foreign();
    test_duplicate_and_gone();
    test_clock();
    test_faults();
    test_remove();
    test_read();
    test_many_values();
    test_siblings();
    test_host();
    test_memory();
    test_check();
    return unit_end();
}
