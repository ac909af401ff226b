/* The simulator: whole lives of homeport's core on one thread, with a store, a clock and a provider that fail.
 *
 *     homeport-sim --seeds N        seeds 1 to N; --from N begins elsewhere
 *     homeport-sim --seed N         that one, with a trace
 *
 * Each seed is run twice, as the second run must end with the same store. A seed that fails is a finished bug
 * report: it prints the promise that was broken (see oracle.h), and --seed shows how. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/router.h"
#include "ddns/ddns.h"
#include "oracle.h"

enum { TURNS = 80, SETTLE_TURNS_MAX = 3000 };
static const uint64_t second_ms = 1000, hour_ms = 3600000;

static struct world world; /* too large for a stack */

/* src/serve has this one; nobody listens here. */
enum err events(struct view *view, const struct call *call, struct reply *reply)
{
    (void)view;
    (void)call;
    (void)reply;
    return ERR_NOT_FOUND;
}

/* ---- trouble -------------------------------------------------------------------------------------- */

static void pass_time(void)
{
    uint64_t next = world_next_ms(&world);
    unsigned how = (unsigned)world_chance(&world, 100);
    if (how < 45) {
        world.now_ms += world_chance(&world, 400);
    } else if (how < 80 && next != UINT64_MAX && next > world.now_ms) {
        world.now_ms = next;
    } else if (how < 97) {
        world.now_ms += world_chance(&world, 20 * second_ms);
    } else {
        world.now_ms += world_chance(&world, 2 * hour_ms);
    }
    if (world_percent(&world, 1)) world.now_ms -= world_chance(&world, 120 * second_ms);
}

static void trouble_provider(void)
{
    if (world_percent(&world, 4)) world.failing_until_ms = world.now_ms + world_chance(&world, 60 * second_ms);
    if (world_percent(&world, 2)) world.refusing_until_ms = world.now_ms + world_chance(&world, 20 * second_ms);
    if (!world.has_drift || world.record_count == 0 || !world_percent(&world, 3)) return;
    /* Somebody changes at the provider what homeport wrote there. */
    const struct zone *zone = &world.zone;
    const struct zone_value *v = zone->count > 0 ? &zone->values[world_chance(&world, zone->count)] : NULL;
    if (v == NULL || v->is_gone) return;
    zone_meddle(&world.zone, v->name, v->type, v->type == DNS_A ? TEXT("198.51.100.99") : TEXT("2001:db8:99::9"));
}

static void live(void)
{
    for (unsigned turn = 0; turn < TURNS && world.broken[0] == '\0'; turn++) {
        pass_time();
        trouble_provider();
        for (uint64_t i = world_chance(&world, 4); i > 0; i--) request_at_random(&world);
        world_turn(&world);
        if (world_percent(&world, 3)) world_crash(&world);
    }
}

/* ---- peace ---------------------------------------------------------------------------------------- */

/* Goes from event to event until only what comes again for ever is left. A push may wait for another record that was
 * called off or refused: so the first time it need not come to an end. */
static void settle(bool is_last)
{
    for (unsigned turn = 0; turn < SETTLE_TURNS_MAX && world.broken[0] == '\0'; turn++) {
        uint64_t next = world_next_ms(&world);
        if (world.flight_count == 0 && oracle_open_tasks(&world) == 0) return;
        if (next == UINT64_MAX) break;
        if (next > world.now_ms) world.now_ms = next;
        world_turn(&world);
    }
    if (!is_last) return;
    world_break(&world, "(b) %u tasks are still open, %u calls under way, next at %llu", oracle_open_tasks(&world),
                world.flight_count, (unsigned long long)world_next_ms(&world));
}

static void pass(uint64_t ms)
{
    uint64_t until = world.now_ms + ms;
    for (unsigned turn = 0; turn < SETTLE_TURNS_MAX && world.broken[0] == '\0'; turn++) {
        uint64_t next = world_next_ms(&world);
        if (next == UINT64_MAX || next > until) return;
        if (next > world.now_ms) world.now_ms = next;
        world_turn(&world);
    }
}

/* What gave up is asked for again, as its owner would. */
static void ask_again(void)
{
    struct store_txn *txn;
    struct dns_record record;
    uint64_t again[SHADOWS_MAX][2];
    unsigned count = 0;
    if (store_snapshot(world.store, &txn) != OK) abort();
    struct reader reader = {.txn = txn};
    for (unsigned i = 0; i < world.record_count; i++) {
        if (dns_record_get(&reader, world.records[i].id, &record) != OK) continue;
        if (record.sync_status != sync_status_error) continue;
        again[count][0] = record.user_id;
        again[count++][1] = record.id;
    }
    store_release(txn);
    for (unsigned i = 0; i < count; i++) {
        request_sync(&world, again[i][0], again[i][1]);
        world_turn(&world);
    }
}

static void rest(void)
{
    world.has_faults = false;
    world.failing_until_ms = world.refusing_until_ms = 0;
    world_trace(&world, "---- peace ----");
    settle(false);
    ask_again();
    settle(true);
    if (world.has_drift) pass(3 * hour_ms);
    settle(true);
}

/* ---- seeds ---------------------------------------------------------------------------------------- */

static bool run(uint64_t seed, bool is_traced, uint8_t hash[ORACLE_HASH_BYTES], char broken[BROKEN_SIZE])
{
    world_open(&world, seed, is_traced);
    live();
    rest();
    oracle_store(&world);
    oracle_shadow(&world);
    oracle_settled(&world);
    oracle_hash(&world, hash);
    memcpy(broken, world.broken, BROKEN_SIZE);
    if (is_traced) {
        printf("%u turns, %u crashes, %u failed commits, %u records, %u values at the provider\n", world.turn_count,
               world.crash_count, world.failed_commit_count, world.record_count, world.zone.count);
    }
    world_close(&world);
    return broken[0] == '\0';
}

static bool run_seed(uint64_t seed, bool is_traced)
{
    uint8_t first[ORACLE_HASH_BYTES], second[ORACLE_HASH_BYTES];
    char broken[BROKEN_SIZE];
    bool is_well = run(seed, is_traced, first, broken);
    if (is_well) {
        is_well = run(seed, false, second, broken);
        if (is_well && memcmp(first, second, sizeof first) != 0) {
            snprintf(broken, sizeof broken, "(f) two runs ended with different stores");
            is_well = false;
        }
    }
    if (!is_well) printf("seed %llu: %s\n", (unsigned long long)seed, broken);
    fflush(stdout);
    return is_well;
}

static uint64_t number_of(const char *word)
{
    uint64_t number = 0;
    if (word != NULL && text_to_u64(text_of(word), UINT32_MAX, &number)) return number;
    printf("usage: homeport-sim [--from N] --seeds N | --seed N\n");
    exit(2);
}

int main(int count, char **words)
{
    uint64_t from = 1, seeds = 100, one = 0, passed = 0, failed = 0;
    for (int i = 1; i < count; i += 2) {
        if (strcmp(words[i], "--seeds") == 0) {
            seeds = number_of(words[i + 1]);
        } else if (strcmp(words[i], "--from") == 0) {
            from = number_of(words[i + 1]);
        } else if (strcmp(words[i], "--seed") == 0) {
            one = number_of(words[i + 1]);
        } else {
            number_of(NULL);
        }
    }
    if (sodium_init() < 0) return 1;
    log_level_set((enum log_level)(LOG_ERROR + 1)); /* failing is what we do here */
    records_start();
    router_start();
    if (one != 0) return run_seed(one, true) ? 0 : 1;
    for (uint64_t seed = from; seed < from + seeds; seed++) *(run_seed(seed, false) ? &passed : &failed) += 1;
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}
