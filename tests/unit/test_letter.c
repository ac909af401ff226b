/* notify/: the life of a letter by whole turns over a store, with mail server and SMS service played by the test.
 * Above all: whatever fails or dies in between, no letter leaves a second time that may have arrived. */
#include "unit.h"

#include "core/actor.h"
#include "core/http_call.h"
#include "core/router.h"
#include "notify/notify.h"
#include "store/store_memory.h"
#include "task/task.h"

#define CODE "738201"
#define LINK "http://nas.lan:8080/reset?token=veryverysecret"

static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox inbox, outbox;
static struct arena arena; /* of the test */
static uint64_t now_ms;
static uint8_t turns;

/* What the last turns gave out. */
static struct {
    unsigned posts, answers, status;
    struct text answer;
    struct outside_call call;
} got;

/* ---- the stage ------------------------------------------------------------------------------------ */

static void set(const char *key, const char *value)
{
    struct config_error error;
    if (!CHECK(config_set(&config, text_of(key), text_of(value), ORIGIN_FILE, &error))) puts(error.text);
}

static struct turn_input input(void)
{
    return (struct turn_input){.now_ms = now_ms, .seed = {++turns}};
}

static void gather(void)
{
    for (const struct message *m = outbox.first; m != NULL; m = m->next) {
        if (m->name == MESSAGE_post) {
            const struct outside_call *copy = contents_copy(&arena, &outside_call_type, m->contents);
            got.posts++;
            got.call = *copy;
        }
        if (m->name != MESSAGE_reply) continue;
        const struct answer *answer = m->contents;
        got.answers++;
        got.status = answer->status;
        got.answer = arena_text(&arena, answer->body);
    }
    mailbox_reset(&outbox);
}

static enum err turn(void)
{
    struct turn_input in = input();
    enum err e = turn_run(core, &in, &inbox, &outbox).commit;
    mailbox_reset(&inbox);
    gather();
    return e;
}

static void start_core(void)
{
    core = core_open(store, &config, &secrets);
    struct turn_input in = input();
    CHECK(core_start(core, &in, &outbox).commit == OK);
    gather();
}

/* The process dies and starts again. */
static void crash(void)
{
    core_close(core);
    start_core();
}

static void stage(void)
{
    uint8_t root[32] = {7};
    now_ms = 1772352551000;
    arena_init(&arena, 64 << 20);
    mailbox_init(&inbox, 16 << 20);
    mailbox_init(&outbox, 16 << 20);
    config_init(&config);
    set("smtp.url", "smtp://localhost:587");
    set("smtp.from", "homeport <homeport@example.com>");
    set("sms.access_key_id", "LTAI5tExampleKeyId00001");
    set("sms.access_key_secret", "ExampleSecret0000000000000000001");
    set("sms.sign_name", "示例签名");
    set("sms.template_code", "SMS_123456789");
    secrets_derive(&secrets, root);
    store = store_open_memory();
    start_core();
    memset(&got, 0, sizeof got);
}

static void strike(void)
{
    core_close(core);
    store_close(store);
    config_free(&config);
    mailbox_free(&inbox);
    mailbox_free(&outbox);
    arena_free(&arena);
}

static enum err decide_letter(struct step *step, void *context)
{
    return letter_send(step, context);
}

/* A letter is asked for; nothing has left yet. */
static enum err ask(const struct letter_ask *wanted)
{
    enum err decided;
    struct turn_input in = input();
    turn_decide(core, &in, &outbox, decide_letter, (void *)(uintptr_t)wanted, &decided);
    gather();
    return decided;
}

static struct letter_ask reset_mail(void)
{
    return (struct letter_ask){.template = letter_template_password_reset,
                               .channel = letter_channel_mail,
                               .to = TEXT("you@example.test"),
                               .user_id = 5,
                               .link = TEXT(LINK),
                               .minutes = 30,
                               .exchange = 77,
                               .request_id = TEXT("r-1"),
                               .route = route_named(TEXT("user_logout"))};
}

static struct letter_ask code_sms(void)
{
    struct letter_ask wanted = reset_mail();
    wanted.template = letter_template_sms_code;
    wanted.channel = letter_channel_sms;
    wanted.to = TEXT("+8613800000000");
    wanted.code = TEXT(CODE);
    wanted.link = TEXT_NONE;
    wanted.minutes = 5;
    return wanted;
}

/* The newest letter; its texts in the test's arena. */
static struct letter the_letter(void)
{
    struct walk walk;
    struct letter letter = {.id = 0};
    struct reader reader = {.arena = &arena};
    uint64_t id;
    CHECK(store_snapshot(store, &reader.txn) == OK);
    walk_begin_all(&walk, &reader, &letter_type, 0, true);
    if (walk_next(&walk, &id)) CHECK(letter_get(&reader, id, &letter) == OK);
    walk_end(&walk);
    const struct letter *copy = contents_copy(&arena, &letter_type, &letter);
    store_release(reader.txn);
    return *copy;
}

static struct task the_task(void)
{
    struct task task = {.id = 0};
    struct reader reader = {.arena = &arena};
    CHECK(store_snapshot(store, &reader.txn) == OK);
    CHECK(task_get(&reader, the_letter().task_id, &task) == OK);
    const struct task *copy = contents_copy(&arena, &task_type, &task);
    store_release(reader.txn);
    return *copy;
}

/* What comes back for the call that left last. */
static void answer(struct outside_answer given)
{
    given.task_id = got.call.task_id;
    CHECK(mailbox_add(&inbox, MESSAGE_post_done, &given));
    CHECK(turn() == OK);
}

static void reply(unsigned code)
{
    bool is_good = code == 250;
    answer((struct outside_answer){.fault = is_good ? FAULT_NONE : FAULT_REFUSED,
                                   .status = code,
                                   .body = TEXT("250 2.0.0 Ok"),
                                   .error = is_good ? TEXT_NONE : TEXT("smtp://localhost:587 refused the mail: so it is")});
}

static void say(const char *json)
{
    answer((struct outside_answer){.status = 200, .body = text_of(json), .date_ms = now_ms + 3600000});
}

/* A day of turns: nothing may leave any more. */
static void check_silence(void)
{
    unsigned posts = got.posts;
    for (unsigned hours = 0; hours < 24; hours++) {
        now_ms += 3600000;
        CHECK(turn() == OK);
    }
    CHECK(got.posts == posts);
}

static void check_told(unsigned status, const char *code)
{
    CHECK(got.answers == 1 && got.status == status);
    CHECK(strstr(got.answer.data, code) != NULL);
}

static void check_end(enum letter_state state, enum task_status status)
{
    struct letter letter = the_letter();
    CHECK(letter.state == state && letter.secrets.bytes == 0 && letter.left_at == 0);
    CHECK((letter.sent_at != 0) == (state == letter_state_sent));
    CHECK(the_task().status == status && the_task().args.bytes == 0);
}

/* Asks for the usual letter and lets it leave. */
static void leave(void)
{
    struct letter_ask wanted = reset_mail();
    CHECK(ask(&wanted) == OK);
    CHECK(got.posts == 0 && got.answers == 0);
    CHECK(turn() == OK);
    CHECK(got.posts == 1 && got.answers == 0);
}

/* ---- mail ----------------------------------------------------------------------------------------- */

static void test_sent(void)
{
    stage();
    leave();
    struct letter letter = the_letter();
    CHECK(letter.left_at == now_ms && letter.state == letter_state_waiting && letter.secrets.bytes > 0);
    CHECK(got.call.is_mail && !got.call.is_plain);
    CHECK_TEXT(got.call.sender, "homeport@example.com");
    CHECK_TEXT(got.call.recipient, "you@example.test");
    CHECK(strstr(got.call.body.data, "Auto-Submitted: auto-generated\r\n") != NULL);
    reply(250);
    check_told(200, "\"data\":null");
    check_end(letter_state_sent, task_status_completed);
    CHECK(core_figures(core)->letters_sent == 1);
    check_silence();
    strike();
}

/* The mail server says "later": the one who waits is told, and the same mail (its Message-ID) leaves again. */
static void test_tried_again(void)
{
    stage();
    leave();
    struct text first = got.call.body;
    reply(451);
    check_told(503, "503004");
    CHECK(the_letter().left_at == 0 && the_letter().secrets.bytes > 0);
    CHECK(the_task().status == task_status_pending);
    now_ms += 1000;
    CHECK(turn() == OK);
    CHECK(got.posts == 2);
    const char *id = strstr(first.data, "Message-ID: "), *again = strstr(got.call.body.data, "Message-ID: ");
    CHECK(id != NULL && again != NULL && memcmp(id, again, strcspn(id, "\r")) == 0);
    reply(250);
    CHECK(got.answers == 1); /* told once */
    check_end(letter_state_sent, task_status_completed);
    check_silence();
    strike();
}

/* Refused each time until the code has expired: then it is given up, and nothing secret is left. */
static void test_too_old(void)
{
    stage();
    leave();
    uint64_t made_ms = now_ms;
    while (the_letter().state == letter_state_waiting && now_ms < made_ms + 7200000) {
        if (the_letter().left_at != 0) reply(421);
        now_ms += 60000;
        CHECK(turn() == OK);
    }
    CHECK(got.posts > 3 && now_ms - made_ms >= 1800000 && now_ms - made_ms <= 1920000);
    check_end(letter_state_failed, task_status_failed);
    CHECK(core_figures(core)->letters_failed == 1);
    check_silence();
    strike();
}

static void check_refused(struct outside_answer given)
{
    stage();
    leave();
    answer(given);
    check_told(503, "503004");
    check_end(letter_state_failed, task_status_failed);
    check_silence();
    strike();
}

static void test_refused_for_good(void)
{
    check_refused((struct outside_answer){.fault = FAULT_REFUSED, .status = 550, .error = TEXT("no such user")});
    check_refused((struct outside_answer){.fault = FAULT_REFUSED, .status = 535, .error = TEXT("wrong password")});
    check_refused((struct outside_answer){.fault = FAULT_REFUSED, .status = 554, .error = TEXT("spam")});
    check_refused((struct outside_answer){.fault = FAULT_UNSAFE, .error = TEXT("no STARTTLS")});
    check_refused((struct outside_answer){.fault = FAULT_ADDRESS, .error = TEXT("not loopback")});
}

/* Silence after the whole message. */
static void test_unknown(void)
{
    stage();
    leave();
    answer((struct outside_answer){.fault = FAULT_TIMEOUT, .may_have_arrived = true, .error = TEXT("silence")});
    check_told(503, "503004");
    check_end(letter_state_unknown, task_status_failed);
    CHECK(strstr(the_task().error_message.data, "not known whether it was sent") != NULL);
    CHECK(core_figures(core)->letters_unknown == 1);
    check_silence();
    strike();
}

/* What certainly has not arrived is tried again. */
static void test_faults_before(void)
{
    static const enum call_fault faults[] = {FAULT_RESOLVE, FAULT_CONNECT, FAULT_TLS, FAULT_TIMEOUT, FAULT_CUT, FAULT_OTHER};
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
        stage();
        leave();
        answer((struct outside_answer){.fault = faults[i], .error = TEXT("a fault")});
        check_told(503, "503004");
        now_ms += 2000;
        CHECK(turn() == OK);
        CHECK(got.posts == 2);
        strike();
    }
}

/* ---- crashes -------------------------------------------------------------------------------------- */

/* Killed between the commit that lets it leave and the answer: it may have left, so it does not leave again. */
static void test_killed_under_way(void)
{
    stage();
    leave();
    crash();
    CHECK(got.posts == 1);
    CHECK(got.answers == 0); /* the number of that request means nothing in this run */
    check_end(letter_state_unknown, task_status_failed);
    /* An answer that still comes changes nothing. */
    reply(250);
    check_end(letter_state_unknown, task_status_failed);
    check_silence();
    strike();
}

/* Killed before: it leaves after the start, once, and nobody is told. */
static void test_killed_before(void)
{
    stage();
    struct letter_ask wanted = reset_mail();
    CHECK(ask(&wanted) == OK);
    crash();
    CHECK(turn() == OK);
    CHECK(got.posts == 1);
    reply(250);
    CHECK(got.answers == 0);
    check_end(letter_state_sent, task_status_completed);
    strike();
}

/* The commit that would let it leave fails: it has not left, so it leaves with the next. */
static void test_commit_fails(void)
{
    stage();
    struct letter_ask wanted = reset_mail();
    CHECK(ask(&wanted) == OK);
    store_memory_fail_commit(store, 1, ERR_STORE);
    CHECK(turn() == ERR_STORE);
    CHECK(got.posts == 0 && the_letter().left_at == 0);
    CHECK(turn() == OK);
    CHECK(got.posts == 1);
    /* And the commit of the answer: it comes again. */
    store_memory_fail_commit(store, 1, ERR_STORE);
    struct outside_answer good = {.task_id = got.call.task_id, .status = 250};
    CHECK(mailbox_add(&inbox, MESSAGE_post_done, &good));
    CHECK(turn() == ERR_STORE && got.answers == 0);
    CHECK(turn() == OK);
    check_told(200, "null");
    check_end(letter_state_sent, task_status_completed);
    strike();
}

/* ---- SMS ------------------------------------------------------------------------------------------ */

static void test_sms(void)
{
    stage();
    struct letter_ask wanted = code_sms();
    CHECK(ask(&wanted) == OK && turn() == OK && got.posts == 1);
    CHECK(!got.call.is_mail && strstr(got.call.url.data, "PhoneNumbers=13800000000") != NULL);
    CHECK(strstr(got.call.url.data, "TemplateParam=%7B%22code%22%3A%22" CODE "%22%7D") != NULL);
    say("{\"Code\":\"OK\",\"Message\":\"OK\",\"BizId\":\"1^0\",\"RequestId\":\"R\"}");
    check_told(200, "null");
    check_end(letter_state_sent, task_status_completed);
    check_silence();
    strike();
}

static void check_sms(const char *json, enum letter_state state, uint64_t wait_ms)
{
    stage();
    struct letter_ask wanted = code_sms();
    CHECK(ask(&wanted) == OK && turn() == OK && got.posts == 1);
    say(json);
    check_told(503, "503003");
    CHECK(the_letter().state == state);
    if (state != letter_state_waiting) check_silence();
    if (wait_ms > 0) {
        now_ms += wait_ms - 1;
        CHECK(turn() == OK && got.posts == 1);
        now_ms += 1;
        CHECK(turn() == OK && got.posts == 2);
    }
    strike();
}

static void test_sms_refusals(void)
{
    check_sms("{\"Code\":\"isv.BUSINESS_LIMIT_CONTROL\",\"Message\":\"m\"}", letter_state_waiting, 30000);
    check_sms("{\"Code\":\"isp.SYSTEM_ERROR\",\"Message\":\"m\"}", letter_state_waiting, 0);
    check_sms("{\"Code\":\"isv.AMOUNT_NOT_ENOUGH\",\"Message\":\"m\"}", letter_state_failed, 0);
    check_sms("{\"Code\":\"isv.MOBILE_NUMBER_ILLEGAL\",\"Message\":\"m\"}", letter_state_failed, 0);
    check_sms("<html>Welcome to Hotel Wi-Fi", letter_state_unknown, 0);
    check_sms("{\"RequestId\":\"R\"}", letter_state_unknown, 0);
}

/* Our clock is wrong: once more with the other side's, in the same breath; then it is given up. */
static void test_clock(void)
{
    stage();
    struct letter_ask wanted = code_sms();
    CHECK(ask(&wanted) == OK && turn() == OK && got.posts == 1);
    say("{\"Code\":\"InvalidTimeStamp.Expired\",\"Message\":\"m\"}");
    CHECK(got.posts == 2 && got.answers == 0);
    CHECK(strstr(got.call.fields.data, "x-acs-date: 2026-03-01T09:09:11Z\n") != NULL);
    say("{\"Code\":\"InvalidTimeStamp.Expired\",\"Message\":\"m\"}");
    check_told(503, "503003");
    CHECK(the_letter().state == letter_state_failed);
    check_silence();
    strike();
}

/* ---- everything else ------------------------------------------------------------------------------ */

static void test_not_sendable(void)
{
    stage();
    static const char *const addresses[] = {"", "nobody", "a@b\r\nBcc: c@d", "a b@c.test", "a@b>, <c@d", "a@b@c"};
    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct letter_ask wanted = reset_mail();
        wanted.to = text_of(addresses[i]);
        CHECK(ask(&wanted) == ERR_INVALID);
    }
    struct letter_ask wanted = code_sms();
    wanted.to = TEXT("13800000000");
    CHECK(ask(&wanted) == ERR_INVALID);
    wanted = code_sms();
    wanted.code = TEXT_NONE;
    CHECK(ask(&wanted) == ERR_INVALID);
    set("smtp.url", "");
    set("sms.template_code", "");
    CHECK(!notify_has_mail(&config) && !notify_has_sms(&config));
    wanted = reset_mail();
    CHECK(ask(&wanted) == ERR_MAIL_OFF);
    wanted = code_sms();
    CHECK(ask(&wanted) == ERR_SMS_OFF);
    CHECK(turn() == OK && got.posts == 0);
    strike();
}

/* More letters than can leave soon are refused, and old ones go. */
static void test_bounds(void)
{
    stage();
    struct letter_ask wanted = reset_mail();
    wanted.exchange = 0;
    unsigned count = 0;
    while (count < 1000 && ask(&wanted) == OK) count++;
    CHECK(count == 200);
    CHECK(turn() == OK);
    CHECK(got.posts == 8); /* tasks.lane_max */
    uint64_t first_id = the_letter().id;
    now_ms += 8 * 86400000ull;
    crash();
    for (unsigned i = 0; i < 30; i++) CHECK(turn() == OK);
    for (unsigned i = 0; i < 12; i++) CHECK(ask(&wanted) == OK);
    struct reader reader = {.arena = &arena};
    struct letter letter;
    CHECK(store_snapshot(store, &reader.txn) == OK);
    CHECK(letter_get(&reader, first_id, &letter) == ERR_NOT_FOUND);
    store_release(reader.txn);
    strike();
}

/* Called off while it is under way: it may have left, and whoever waits is told. */
static void test_cancelled(void)
{
    stage();
    leave();
    struct call *call = arena_new(&inbox.arena, struct call);
    *call = (struct call){.route = route_named(TEXT("task_cancel_request")), .exchange = 78,
                          .id = got.call.task_id, .caller = {.user_id = 5, .role = role_operator}};
    CHECK(mailbox_add_own(&inbox, MESSAGE_request, call));
    CHECK(turn() == OK);
    CHECK(got.answers == 2);
    CHECK(the_letter().state == letter_state_unknown && the_letter().secrets.bytes == 0);
    reply(250);
    CHECK(the_letter().state == letter_state_unknown);
    check_silence();
    strike();
}

static void check_without_secrets(struct text t)
{
    static const char *const words[] = {CODE, "veryverysecret"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        size_t bytes = strlen(words[i]);
        for (size_t at = 0; at + bytes <= t.bytes; at++) CHECK(memcmp(t.data + at, words[i], bytes) != 0);
    }
}

/* Neither code nor link stands anywhere in the store in the clear, the audit log included. */
static void test_secrets(void)
{
    stage();
    leave();
    struct letter_ask wanted = code_sms();
    CHECK(ask(&wanted) == OK && turn() == OK);
    struct text key, value;
    struct store_cursor *cursor;
    struct store_txn *txn;
    unsigned count = 0;
    CHECK(store_snapshot(store, &txn) == OK);
    CHECK(store_seek(txn, TEXT("\x01"), false, &cursor) == OK);
    while (store_next(cursor, &key, &value)) {
        check_without_secrets(value);
        count++;
    }
    store_done(cursor);
    store_release(txn);
    CHECK(count > 6);
    strike();
}

static void test_link(void)
{
    stage();
    CHECK_TEXT(notify_link(&config, TEXT("/reset?token=x"), &arena), "http://127.0.0.1:8080/reset?token=x");
    set("notify.public_url", "https://home.example.test/base/");
    CHECK_TEXT(notify_link(&config, TEXT("/reset"), &arena), "https://home.example.test/base/reset");
    strike();
}

int main(void)
{
    records_start();
    test_sent();
    test_tried_again();
    test_too_old();
    test_refused_for_good();
    test_unknown();
    test_faults_before();
    test_killed_under_way();
    test_killed_before();
    test_commit_fails();
    test_sms();
    test_sms_refusals();
    test_clock();
    test_not_sendable();
    test_bounds();
    test_cancelled();
    test_secrets();
    test_link();
    return unit_end();
}
