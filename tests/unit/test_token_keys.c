/* account/token_keys.c: signing keys over years of a clock of our own. */
#include "unit.h"

#include "account/token_keys.h"
#include "core/turn.h"

#include <sodium.h>
#include <unistd.h>

static const uint64_t day_ms = 86400000;
static uint64_t now_ms = 1772352551000;
static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox inbox, outbox;
static char folder[] = "/tmp/homeport-keys-XXXXXX";

static void turn(void)
{
    struct turn_input input = {.now_ms = now_ms};
    mailbox_reset(&outbox);
    CHECK(turn_run(core, &input, &inbox, &outbox).commit == OK);
}

/* Opens the core over the store as it is. */
static void open_core(uint64_t rotation_s)
{
    struct turn_input input = {.now_ms = now_ms};
    if (core != NULL) core_close(core);
    config.auth_key_rotation = rotation_s;
    core = core_open(store, &config, &secrets);
    CHECK(core != NULL);
    mailbox_reset(&outbox);
    CHECK(core_start(core, &input, &outbox).commit == OK);
}

static enum err rotate_step(struct step *s, void *context)
{
    struct token_key made;
    uint64_t again_ms;
    return token_keys_rotate(s, context != NULL, &made, &again_ms);
}

static enum err rotate(bool revoke_old)
{
    enum err decided;
    struct turn_input input = {.now_ms = now_ms};
    mailbox_reset(&outbox);
    turn_decide(core, &input, &outbox, rotate_step, revoke_old ? &inbox : NULL, &decided);
    return decided;
}

static struct key_ring ring(void)
{
    struct store_txn *txn;
    struct key_ring ring = {.count = 0};
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader reader = {.txn = txn};
    CHECK(key_ring_read(&ring, &reader, &secrets, now_ms) == OK);
    store_release(txn);
    return ring;
}

static uint64_t rows(void)
{
    struct store_txn *txn;
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader reader = {.txn = txn};
    uint64_t count = record_count_all(&reader, &token_key_type);
    store_release(txn);
    return count;
}

/* The key before stays for the longest life of a token, to the millisecond, whatever the settings say of it. */
static void test_life(void)
{
    CHECK(ring().count == 1 && ring().keys[0].number == 1 && rows() == 1);
    CHECK(rotate(false) == OK);
    CHECK(ring().count == 2 && ring().keys[0].number == 2 && ring().keys[0].ends_ms == 0);
    CHECK(ring().keys[1].number == 1 && ring().keys[1].ends_ms == now_ms + 7 * day_ms);
    config.auth_refresh_ttl = 30 * 86400;
    now_ms += day_ms;
    CHECK(rotate(false) == OK);
    CHECK(ring().keys[1].number == 2 && ring().keys[1].ends_ms == now_ms + 30 * day_ms);
    CHECK(ring().keys[2].ends_ms == now_ms + 6 * day_ms); /* as was promised */
    now_ms += 6 * day_ms - 1;
    CHECK(ring().count == 3);
    now_ms++;
    CHECK(ring().count == 2 && rows() == 3);
    CHECK(rotate(false) == OK && rows() == 3); /* what had ended is gone */
    config.auth_refresh_ttl = 7 * 86400;
}

/* An emergency leaves one key; numbers are never given twice. */
static void test_emergency(void)
{
    uint64_t number = ring().keys[0].number;
    CHECK(rotate(true) == OK && ring().count == 1 && ring().keys[0].number == number + 1);
    CHECK(rotate(true) == OK && ring().count == 1 && ring().keys[0].number == number + 2 && rows() == 2);
}

/* On schedule: when it is due and not before, counted from the last rotation, whoever did it. */
static void test_schedule(void)
{
    open_core(90 * 86400);
    uint64_t number = ring().keys[0].number, made_ms = now_ms;
    now_ms = made_ms + 90 * day_ms - 1;
    turn();
    CHECK(ring().keys[0].number == number);
    now_ms++;
    turn();
    CHECK(ring().keys[0].number == number + 1 && ring().count == 2);
    now_ms += 60 * day_ms;
    CHECK(rotate(false) == OK);
    now_ms += 30 * day_ms; /* the task wakes up and sees that somebody was there before it */
    turn();
    CHECK(ring().keys[0].number == number + 2);
    now_ms += 60 * day_ms;
    turn();
    CHECK(ring().keys[0].number == number + 3);
    open_core(0);
    now_ms += 1000 * day_ms;
    turn();
    CHECK(ring().keys[0].number == number + 3);
    open_core(90 * 86400); /* overdue: at once */
    turn();
    CHECK(ring().keys[0].number == number + 4);
}

/* A schedule that is faster than tokens die waits, and goes on when the first key has ended. */
static void test_too_fast(void)
{
    CHECK(rotate(true) == OK);
    open_core(3600);
    uint64_t number = ring().keys[0].number;
    for (unsigned i = 0; i < 100; i++) {
        now_ms += 3600000;
        turn();
    }
    CHECK(ring().count == KEY_RING_MAX && ring().keys[0].number == number + KEY_RING_MAX - 1);
    CHECK(rotate(false) == ERR_CONFLICT);
    now_ms = ring().keys[KEY_RING_MAX - 1].ends_ms;
    turn();
    CHECK(ring().count == KEY_RING_MAX && ring().keys[0].number == number + KEY_RING_MAX);
    CHECK(rows() <= 2 * KEY_RING_MAX);
}

int main(void)
{
    const char *why = "";
    static const uint8_t root[32] = {7};
    char file[64];
    if (sodium_init() < 0 || mkdtemp(folder) == NULL) return EXIT_FAILURE;
    records_start();
    config_init(&config);
    secrets_derive(&secrets, root);
    mailbox_init(&inbox, 1 << 20);
    mailbox_init(&outbox, 1 << 20);
    if (store_open_lmdb(folder, 64 << 20, &store, &why) != OK) {
        printf("no store: %s\n", why);
        return EXIT_FAILURE;
    }
    open_core(0);
    test_life();
    test_emergency();
    test_schedule();
    test_too_fast();
    core_close(core);
    store_close(store);
    mailbox_free(&inbox);
    mailbox_free(&outbox);
    config_free(&config);
    snprintf(file, sizeof file, "%s/data.mdb", folder);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", folder);
    unlink(file);
    rmdir(folder);
    return unit_end();
}
