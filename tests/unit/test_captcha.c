/* The captcha where time and failure come in, by whole turns over a store in memory: how many may wait, what
 * happens to an answer that cannot be kept or read, how long passes are kept. What a user sees is in
 * tests/peers/test_captcha.py, the service's answers are in test_signer.c. */
#include "unit.h"

#include "account/account.h"
#include "core/http_call.h"
#include "core/router.h"
#include "core/turn.h"
#include "store/store_memory.h"

#include <sodium.h>

static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox inbox, outbox;
static struct arena arena;
static uint64_t now_ms = 1772352551000;
static uint64_t exchanges = 1000;
static uint8_t seed;

/* What left in the last turn. */
static struct {
    unsigned queries, hashes, replies;
    struct outside_call query;
    struct hash_call hash;
    unsigned status;
    uint64_t exchange;
    struct text body, request_id;
} out;

static enum err turn(void)
{
    struct turn_input input = {.now_ms = now_ms, .seed = {++seed}};
    memset(&out, 0, sizeof out);
    enum err e = turn_run(core, &input, &inbox, &outbox).commit;
    mailbox_reset(&inbox);
    for (const struct message *m = outbox.first; m != NULL; m = m->next) {
        if (m->name == MESSAGE_query) {
            out.queries++;
            const struct outside_call *copy =
                contents_copy(&arena, &outside_call_type, m->contents);
            if (CHECK(copy != NULL)) out.query = *copy;
        } else if (m->name == MESSAGE_hash) {
            out.hashes++;
            const struct hash_call *copy = contents_copy(&arena, &hash_call_type, m->contents);
            if (CHECK(copy != NULL)) out.hash = *copy;
        } else if (m->name == MESSAGE_reply) {
            const struct answer *answer = m->contents;
            out.replies++;
            out.status = answer->status;
            out.exchange = answer->exchange;
            out.body = arena_text(&arena, answer->body);
            out.request_id = arena_text(&arena, answer->request_id);
        }
    }
    mailbox_reset(&outbox);
    return e;
}

static void post_register(struct text ticket)
{
    struct register_input *in = arena_new(&inbox.arena, struct register_input);
    struct call *call = arena_new(&inbox.arena, struct call);
    *in = (struct register_input){.username = TEXT("anna"),
                                  .email = TEXT("anna@example.test"),
                                  .password = TEXT("correct horse"),
                                  .captcha_ticket = ticket,
                                  .captcha_randstr = TEXT("@r")};
    *call = (struct call){.route = route_named(TEXT("user_register")),
                          .exchange = ++exchanges,
                          .body = in,
                          .request_id = TEXT("r-1"),
                          .ip = TEXT("192.0.2.1"),
                          .user_agent = TEXT("test")};
    CHECK(mailbox_add_own(&inbox, MESSAGE_request, call));
}

static void post_answer(const struct outside_call *query, struct outside_answer answer)
{
    answer.task_id = query->task_id;
    answer.memo = query->memo;
    CHECK(mailbox_add(&inbox, MESSAGE_query_done, &answer));
}

static struct outside_answer passed(void)
{
    return (struct outside_answer){.status = 200,
                                   .body = TEXT("{\"Response\":{\"CaptchaCode\":1}}")};
}

static bool is_error(unsigned code)
{
    struct text start = arena_print(&arena, "{\"code\":%u,", code);
    bool is = out.replies == 1 && out.status == code / 1000 && text_starts(out.body, start);
    if (!is) printf("    got %u of %.*s\n", out.replies, TEXT_ARGS(out.body));
    return is;
}

/* What the handler would have sent without a captcha arrives whole once it is passed. */
static void test_contents(void)
{
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1 && out.hashes == 0 && out.replies == 0);
    CHECK(out.query.task_id == exchanges && out.query.timeout_ms == config.net_timeout * 1000);
    struct outside_call query = out.query;
    post_answer(&query, passed());
    CHECK(turn() == OK && out.hashes == 1 && out.replies == 0);
    CHECK(out.hash.exchange == exchanges && out.hash.purpose == hash_purpose_register);
    CHECK_TEXT(out.hash.username, "anna");
    CHECK_TEXT(out.hash.password, "correct horse");
    CHECK_TEXT(out.hash.request_id, "r-1");
    CHECK_TEXT(out.hash.ip, "192.0.2.1");
}

/* 256 may wait; more are told to come again. An answer frees its place, and so does time without one. */
static void test_bound(void)
{
    struct outside_call query = {.timeout_ms = 0};
    for (unsigned i = 0; i < CAPTCHA_WAITS_MAX; i++) {
        post_register(TEXT("t"));
        CHECK(turn() == OK && out.queries == 1);
        if (i == 7) query = out.query;
    }
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 0 && is_error(503000));
    post_answer(&query, (struct outside_answer){.fault = FAULT_TIMEOUT});
    CHECK(turn() == OK && is_error(503007) && out.exchange == query.task_id);
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1);
    post_register(TEXT("t"));
    CHECK(turn() == OK && is_error(503000));
    now_ms += 10 * 60 * 1000;
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1);
    now_ms -=
        60 * 60 * 1000; /* the clock steps back: nobody is locked out until it has caught up */
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1);
    now_ms += 2 * 60 * 60 * 1000;
}

/* Sent again only while the request's time lasts, and with what is left of it. */
static void test_time(void)
{
    const struct outside_answer fault = {.fault = FAULT_CONNECT};
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1);
    struct outside_call query = out.query;
    now_ms += 4000;
    post_answer(&query, fault);
    CHECK(turn() == OK && out.queries == 1 && out.replies == 0);
    CHECK(out.query.delay_ms + out.query.timeout_ms == config.net_timeout * 1000 - 4000);
    query = out.query;
    post_answer(&query, fault); /* twice is enough */
    CHECK(turn() == OK && out.queries == 0 && is_error(503007));

    for (int i = 0; i < 2; i++) { /* too late; and the clock has stepped back */
        post_register(TEXT("t"));
        CHECK(turn() == OK && out.queries == 1);
        query = out.query;
        now_ms += i == 0 ? config.net_timeout * 1000 - 100 : 0;
        now_ms -= i == 0 ? 0 : 60000;
        post_answer(&query, fault);
        CHECK(turn() == OK && out.queries == 0 && is_error(503007));
    }
}

/* Whatever goes wrong in our own hands: the request that waits is answered. */
static void test_always_answered(void)
{
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1);
    struct outside_call query = out.query;
    struct outside_call spoilt = query;
    spoilt.memo = TEXT("\xff\xff\xff");
    post_answer(&spoilt, passed());
    CHECK(turn() == OK && out.status >= 500 && out.exchange == exchanges && out.hashes == 0);

    config.captcha_fail_open = true;
    post_register(TEXT("t"));
    CHECK(turn() == OK && out.queries == 1);
    query = out.query;
    store_memory_fail_commit(store, 1, ERR_STORE);
    post_answer(&query, (struct outside_answer){.fault = FAULT_TIMEOUT});
    CHECK(turn() == ERR_STORE && out.hashes == 0 && is_error(503001));
    CHECK(out.exchange == exchanges);
    CHECK_TEXT(out.request_id, "r-1");
    CHECK(turn() == OK && out.replies == 0 && out.hashes == 0); /* it does not come again */
    config.captcha_fail_open = false;
}

static uint64_t pass_count(void)
{
    struct store_txn *txn;
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader reader = {.txn = txn, .arena = &arena};
    uint64_t count = record_count_all(&reader, &captcha_pass_type);
    store_release(txn);
    return count;
}

/* Passes are kept for 30 days: the next one, or the next start, takes older ones away. */
static void test_passes(void)
{
    uint64_t before = pass_count();
    config.captcha_fail_open = true;
    post_register(TEXT("trerror_1001"));
    CHECK(turn() == OK && out.queries == 0 && out.hashes == 1);
    CHECK(pass_count() == before + 1);
    now_ms += UINT64_C(29) * 86400000;
    post_register(TEXT("trerror_1001"));
    CHECK(turn() == OK && pass_count() == before + 2);
    now_ms += UINT64_C(2) * 86400000;
    post_register(TEXT("trerror_1001"));
    CHECK(turn() == OK && pass_count() == 2);
    now_ms += UINT64_C(31) * 86400000;
    core_close(core);
    core = core_open(store, &config, &secrets);
    CHECK(core_start(core, &(struct turn_input){.now_ms = now_ms, .seed = {77}}, &outbox).commit ==
          OK);
    mailbox_reset(&outbox);
    CHECK(pass_count() == 0);
    config.captcha_fail_open = false;
}

int main(void)
{
    static const uint8_t root[32] = {9};
    if (sodium_init() < 0) return EXIT_FAILURE;
    records_start();
    router_start();
    arena_init(&arena, 64 << 20);
    mailbox_init(&inbox, 16 << 20);
    mailbox_init(&outbox, 16 << 20);
    config_init(&config);
    config.captcha_secret_id = TEXT("id");
    config.captcha_secret_key = TEXT("key");
    config.captcha_app_id = 1;
    config.captcha_app_secret = TEXT("secret");
    secrets_derive(&secrets, root);
    store = store_open_memory();
    CHECK(store != NULL);
    core = core_open(store, &config, &secrets);
    CHECK(core_start(core, &(struct turn_input){.now_ms = now_ms, .seed = {200}}, &outbox).commit ==
          OK);
    mailbox_reset(&outbox);
    test_contents();
    test_bound();
    test_time();
    test_always_answered();
    test_passes();
    core_close(core);
    store_close(store);
    config_free(&config);
    mailbox_free(&inbox);
    mailbox_free(&outbox);
    arena_free(&arena);
    return unit_end();
}
