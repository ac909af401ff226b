/* Bans, as decisions of whole turns over a store: what is counted, what makes a ban, when it is in effect. */
#include "unit.h"

#include "account/account.h"
#include "account/bans.h"
#include "core/actor.h"
#include "core/router.h"
#include "store/store_memory.h"

#include <sodium.h>

static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox outbox;
static uint64_t now_ms;

/* ---- deciding ------------------------------------------------------------------------------------- */

static void decide(enum err (*what)(struct step *s, void *context), void *context)
{
    static uint8_t turns;
    enum err decided = OK;
    struct turn_input input = {.now_ms = now_ms, .seed = {++turns}};
    CHECK(turn_decide(core, &input, &outbox, what, context, &decided).commit == OK && decided == OK);
    mailbox_reset(&outbox);
}

struct asking {
    const char *ip;
    enum err answer;
};

static enum err note(struct step *s, void *context)
{
    struct asking *asking = context;
    asking->answer = ban_note_failure(s, text_of(asking->ip), ERR_WRONG_PASSWORD);
    return OK;
}

static enum err may(struct step *s, void *context)
{
    struct asking *asking = context;
    asking->answer = ban_may_try(s, text_of(asking->ip));
    return OK;
}

/* A turn that nobody asks for: it starts what is due, the sweep among it. */
static void wake(void)
{
    struct mailbox inbox;
    struct turn_input input = {.now_ms = now_ms, .seed = {77}};
    mailbox_init(&inbox, 1 << 20);
    CHECK(turn_run(core, &input, &inbox, &outbox).commit == OK);
    mailbox_reset(&outbox);
    mailbox_free(&inbox);
}

static enum err fail(const char *ip)
{
    struct asking asking = {.ip = ip};
    decide(note, &asking);
    return asking.answer;
}

static enum err fail_times(const char *ip, unsigned times)
{
    enum err e = OK;
    for (unsigned i = 0; i < times; i++) e = fail(ip);
    return e;
}

static enum err may_try(const char *ip)
{
    struct asking asking = {.ip = ip};
    decide(may, &asking);
    return asking.answer;
}

/* How many are stored; the address's own is in *ban when it is in effect. */
static unsigned stored(const char *ip, struct ban *ban)
{
    struct store_txn *txn;
    struct ip_address address;
    static char room[64];
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader reader = {.txn = txn};
    *ban = (struct ban){.id = 0};
    CHECK(ip_parse(text_of(ip), &address));
    if (ban_find(&reader, &address, now_ms, ban) != OK) ban->id = 0;
    text_to_zero_ended(ban->ip, room, sizeof room);
    ban->ip = text_of(room);
    unsigned count = (unsigned)record_count_all(&reader, &ban_type);
    store_release(txn);
    return count;
}

static void begin(void)
{
    static const uint8_t root[32] = {9};
    struct turn_input input = {.seed = {1}};
    now_ms = input.now_ms = 1772352551000;
    config_init(&config);
    secrets_derive(&secrets, root);
    store = store_open_memory();
    core = core_open(store, &config, &secrets);
    CHECK(core != NULL && core_start(core, &input, &outbox).commit == OK);
    mailbox_reset(&outbox);
}

static void end(void)
{
    core_close(core);
    store_close(store);
    config_free(&config);
}

/* ---- cases ---------------------------------------------------------------------------------------- */

/* More than the failures that are allowed, in the window, ban the address and it alone; the record says why. */
static void test_made(void)
{
    struct ban ban;
    begin();
    for (unsigned i = 0; i < 10; i++) CHECK(fail("2001:db8:1:2::1") == ERR_WRONG_PASSWORD);
    CHECK(may_try("2001:db8:1:2::1") == OK && stored("2001:db8:1:2::1", &ban) == 0);
    CHECK(fail("2001:db8:1:2::2") == ERR_BANNED);
    CHECK(may_try("2001:db8:1:2:ffff::") == ERR_BANNED && may_try("2001:db8:1:3::1") == OK);
    CHECK(stored("2001:db8:1:2::1", &ban) == 1 && ban.failures == 11 && ban.created_at == now_ms);
    CHECK(ban.expires_at == now_ms + 3600000);
    CHECK_TEXT(ban.ip, "2001:db8:1:2::/64");
    /* Guesses that were under way meanwhile change nothing. */
    CHECK(fail_times("2001:db8:1:2::1", 30) == ERR_BANNED);
    CHECK(stored("2001:db8:1:2::1", &ban) == 1 && ban.failures == 11);

    CHECK(fail_times("192.0.2.1", 10) == ERR_WRONG_PASSWORD);
    now_ms += 300000; /* another window */
    CHECK(fail_times("192.0.2.1", 10) == ERR_WRONG_PASSWORD && fail("::ffff:192.0.2.1") == ERR_BANNED);
    CHECK(stored("192.0.2.1", &ban) == 2);
    CHECK_TEXT(ban.ip, "192.0.2.1");
    CHECK(fail("no address") == ERR_WRONG_PASSWORD && may_try("") == OK);
    CHECK(core_figures(core)->bans_made == 2);
    end();
}

/* It ends by itself to the millisecond, the count begins anew, and what has expired leaves the store. */
static void test_expiry(void)
{
    struct ban ban;
    begin();
    CHECK(fail_times("192.0.2.1", 11) == ERR_BANNED && fail_times("192.0.2.2", 11) == ERR_BANNED);
    now_ms += 3599999;
    CHECK(may_try("192.0.2.1") == ERR_BANNED && stored("192.0.2.1", &ban) == 2 && ban_seconds(&ban, now_ms) == 1);
    wake();
    CHECK(stored("192.0.2.1", &ban) == 2 && ban.id != 0);
    now_ms += 1;
    CHECK(may_try("192.0.2.1") == OK && stored("192.0.2.1", &ban) == 2 && ban.id == 0);
    CHECK(fail("192.0.2.1") == ERR_WRONG_PASSWORD && stored("192.0.2.1", &ban) == 1);
    now_ms += 600000;
    wake();
    CHECK(stored("192.0.2.1", &ban) == 0);
    CHECK(fail_times("192.0.2.1", 10) == ERR_WRONG_PASSWORD && fail("192.0.2.1") == ERR_BANNED);

    /* Banned for less than the window: the failures that led to the ban are not held against it after. */
    config.limits_ban_time = 10;
    config.limits_login_failures = 1;
    CHECK(fail_times("192.0.2.3", 2) == ERR_BANNED);
    now_ms += 10000;
    CHECK(may_try("192.0.2.3") == OK && fail("192.0.2.3") == ERR_WRONG_PASSWORD && fail("192.0.2.3") == ERR_BANNED);
    CHECK(stored("192.0.2.3", &ban) == 2);
    end();
}

/* A clock that was years ahead when the ban was made does not make it last for years. */
static void test_clock_back(void)
{
    begin();
    now_ms += 315360000000;
    CHECK(fail_times("192.0.2.1", 11) == ERR_BANNED);
    now_ms -= 59000; /* a little is nothing */
    CHECK(may_try("192.0.2.1") == ERR_BANNED);
    now_ms -= 315359941000;
    CHECK(may_try("192.0.2.1") == OK && fail("192.0.2.1") == ERR_WRONG_PASSWORD);
    end();
}

/* limits.ban_time = 0: the address waits for the window's end. limits.enabled = false: nothing is refused; failures
 * are counted all the same, for the captcha. */
static void test_settings(void)
{
    struct ban ban;
    begin();
    config.limits_ban_time = 0;
    CHECK(fail_times("192.0.2.1", 10) == ERR_WRONG_PASSWORD && fail("192.0.2.1") == ERR_TOO_MANY);
    CHECK(fail("192.0.2.1") == ERR_TOO_MANY && may_try("192.0.2.1") == ERR_TOO_MANY && stored("192.0.2.1", &ban) == 0);
    now_ms += 300000;
    CHECK(may_try("192.0.2.1") == OK);

    config.limits_ban_time = 3600;
    CHECK(fail_times("192.0.2.1", 11) == ERR_BANNED);
    config.limits_enabled = false;
    CHECK(may_try("192.0.2.1") == OK && fail_times("192.0.2.2", 50) == ERR_WRONG_PASSWORD);
    CHECK(may_try("192.0.2.2") == OK && stored("192.0.2.2", &ban) == 1); /* the one from before */
    config.limits_enabled = true;
    CHECK(may_try("192.0.2.1") == ERR_BANNED && may_try("192.0.2.2") == ERR_TOO_MANY);
    end();
}

/* A hundred addresses that are not banned yet fail twice each. */
static enum err fail_hundred(struct step *s, void *context)
{
    unsigned *next = context;
    for (unsigned end = *next + 100; *next < end && *next < 9999; (*next)++) {
        struct text ip = arena_print(s->arena, "10.0.%u.%u", *next >> 8, *next & 255);
        CHECK(ban_note_failure(s, ip, ERR_WRONG_PASSWORD) == ERR_WRONG_PASSWORD);
        CHECK(ban_note_failure(s, ip, ERR_WRONG_PASSWORD) == ERR_BANNED);
    }
    return OK;
}

/* One that an administrator made, and before all others. */
static enum err ban_by_hand(struct step *s, void *context)
{
    (void)context;
    ban_put(s, &(struct ban){.id = step_id(s), .ip = TEXT("192.0.2.9"), .created_at = s->now_ms});
    return OK;
}

/* At most ten thousand: the next takes the place of that which ends first, not of one without an end. */
static void test_many(void)
{
    struct ban ban;
    unsigned next = 1;
    begin();
    config.limits_login_failures = 1;
    decide(ban_by_hand, NULL);
    CHECK(fail_times("192.0.2.1", 2) == ERR_BANNED);
    while (next < 9999) decide(fail_hundred, &next);
    CHECK(stored("192.0.2.1", &ban) == 10000 && ban.id != 0);
    CHECK(fail_times("192.0.2.2", 2) == ERR_BANNED);
    CHECK(stored("192.0.2.1", &ban) == 10000 && ban.id == 0 && may_try("10.0.0.1") == ERR_BANNED);
    CHECK(may_try("192.0.2.9") == ERR_BANNED);
    end();
}

static void test_addresses(void)
{
    static const struct {
        const char *given, *held; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"}, {"192.0.2.1/32", "192.0.2.1"}, {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:db8::7", "2001:db8::/64"}, {"2001:DB8:0:0::/64", "2001:db8::/64"}, {"::1", "::/64"},
        {"192.0.2.0/24", NULL}, {"2001:db8::/56", NULL}, {"2001:db8::1/64", NULL}, {"::ffff:0:0/64", NULL},
        {"2001:db8::/128", "2001:db8::/64"}, {"", NULL}, {"example.com", NULL}, {"192.0.2.1 ", NULL}, {"0.0.0.0/0", NULL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_address ip;
        char room[BAN_TEXT_SIZE];
        bool is_good = ban_address(text_of(cases[i].given), &ip);
        if (!CHECK(is_good == (cases[i].held != NULL))) printf("    %s\n", cases[i].given);
        if (is_good && cases[i].held != NULL) CHECK_TEXT(ban_text(&ip, room), cases[i].held);
    }
}

int main(void)
{
    if (sodium_init() < 0) return EXIT_FAILURE;
    records_start();
    router_start();
    mailbox_init(&outbox, 16 << 20);
    test_made();
    test_expiry();
    test_clock_back();
    test_settings();
    test_many();
    test_addresses();
    mailbox_free(&outbox);
    return unit_end();
}
