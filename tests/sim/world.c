#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/actor.h"
#include "core/http_call.h"
#include "ddns/dns_message.h"
#include "oracle.h"
#include "store/store_memory.h"
#include "vendor.h"

enum { SEED_BYTES_MAX = 64 << 20, MAILBOX_BYTES_MAX = 16 << 20 };
static const uint64_t start_ms = 1772352551000, second_ms = 1000;

/* ---- chance and words ----------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t next_chance(struct world *world)
{
    uint64_t z = world->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t world_chance(struct world *world, uint64_t below)
{
    assert(below > 0);
    return next_chance(world) % below;
}

bool world_percent(struct world *world, unsigned percent)
{
    return world_chance(world, 100) < percent;
}

void world_trace(const struct world *world, const char *format, ...)
{
    va_list args;
    if (!world->is_traced) return;
    printf("%10llu  ", (unsigned long long)world->now_ms - start_ms);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* The first broken promise counts; what follows from it says little. */
void world_break(struct world *world, const char *format, ...)
{
    va_list args;
    if (world->broken[0] != '\0') return;
    va_start(args, format);
    vsnprintf(world->broken, sizeof world->broken, format, args);
    va_end(args);
    world_trace(world, "BROKEN: %s", world->broken);
}

/* ---- the outside world ---------------------------------------------------------------------------- */

static void take_off(struct world *world, const struct outside_call *call)
{
    assert(world->flight_count < FLIGHTS_MAX);
    const struct outside_call *copy = contents_copy(&world->arena, &outside_call_type, call);
    assert(copy != NULL);
    uint64_t sent_ms = world->now_ms + call->delay_ms;
    uint64_t apply_ms = sent_ms + world_chance(world, world_percent(world, 20) ? 4000 : 200);
    struct flight flight = {.call = *copy, .apply_ms = apply_ms, .answer_ms = apply_ms + world_chance(world, 100)};
    oracle_flight(world, &flight);
    world->flights[world->flight_count++] = flight;
    world_trace(world, "  ask of task %llu, applied in %llu ms", (unsigned long long)call->task_id,
                (unsigned long long)(apply_ms - world->now_ms));
}

static void apply_http(struct world *world, const struct outside_call *call, bool is_refusing, bool is_failing,
                       struct outside_answer *answer)
{
    unsigned status = is_refusing ? 403 : is_failing ? 503 : 200;
    bool is_hook = text_starts(call->url, TEXT("https://hook.example/"));
    if (is_hook) {
        if (status == 200 && !zone_told(&world->zone, call->body)) status = 400;
    } else if (is_refusing) {
        vendor_refuse(call, &world->arena, &status, &answer->body);
    } else if (!is_failing) {
        bool is_known = vendor_http(&world->zone, call, &status, &answer->body);
        assert(is_known);
    }
    answer->status = status;
    world_trace(world, "  %.*s %.*s %.*s -> %u %.*s", TEXT_ARGS(call->method), TEXT_ARGS(call->url), TEXT_ARGS(call->body),
                status, TEXT_ARGS(answer->body));
}

/* The call reaches the other side, or does not; its answer comes back, or does not. */
static void apply(struct world *world, struct flight *flight)
{
    bool is_lost = world->has_faults && world_percent(world, 6);
    bool is_unheard = world->has_faults && world_percent(world, 6);
    bool is_failing = world->failing_until_ms > world->now_ms, is_refusing = world->refusing_until_ms > world->now_ms;
    struct outside_answer *answer = &flight->answer;
    unsigned rcode = is_refusing ? DNS_RCODE_REFUSED : is_failing ? DNS_RCODE_SERVFAIL : DNS_RCODE_OK;
    *answer = (struct outside_answer){.task_id = flight->call.task_id, .part = flight->call.part,
                                      .memo = flight->call.memo, .is_dns = flight->call.is_dns};
    flight->is_applied = true;
    if (is_lost) {
        /* nothing arrives */
    } else if (flight->call.is_dns) {
        bool is_read = zone_dns(&world->zone, flight->call.body, rcode, &answer->body);
        assert(is_read);
    } else {
        apply_http(world, &flight->call, is_refusing, is_failing, answer);
        /* It has been done, but somebody on the way back says otherwise. */
        if (is_unheard && world_percent(world, 50)) {
            is_unheard = false;
            answer->status = 502;
            answer->body = TEXT("<html>bad gateway</html>");
        }
    }
    if (is_lost || is_unheard) {
        answer->fault = FAULT_TIMEOUT;
        answer->error = TEXT("no answer in time");
        answer->body = TEXT_NONE;
        answer->status = 0;
        flight->answer_ms = world->now_ms + 10 * second_ms;
    }
    world_trace(world, "  task %llu applied: %s rcode %u status %llu", (unsigned long long)flight->call.task_id,
                is_lost ? "lost" : is_unheard ? "unheard" : "heard", rcode, (unsigned long long)answer->status);
}

/* What has come by now: server work first, then answers, in an order of chance. */
static void land(struct world *world)
{
    unsigned first = world->flight_count > 0 ? (unsigned)world_chance(world, world->flight_count) : 0;
    for (unsigned i = 0; i < world->flight_count; i++) {
        struct flight *flight = &world->flights[(first + i) % world->flight_count];
        if (!flight->is_applied && flight->apply_ms <= world->now_ms) apply(world, flight);
    }
    for (unsigned i = 0; i < world->flight_count;) {
        struct flight *flight = &world->flights[i];
        if (!flight->is_applied || flight->answer_ms > world->now_ms) {
            i++;
            continue;
        }
        bool is_added = mailbox_add(&world->inbox, MESSAGE_ask_done, &flight->answer);
        assert(is_added);
        *flight = world->flights[--world->flight_count];
    }
}

uint64_t world_next_ms(const struct world *world)
{
    uint64_t next = world->wake_ms != 0 ? world->wake_ms : UINT64_MAX;
    for (unsigned i = 0; i < world->flight_count; i++) {
        const struct flight *flight = &world->flights[i];
        uint64_t at = flight->is_applied ? flight->answer_ms : flight->apply_ms;
        if (at < next) next = at;
    }
    return next;
}

/* ---- turns ---------------------------------------------------------------------------------------- */

static struct turn_input input_of(struct world *world)
{
    struct turn_input input = {.now_ms = world->now_ms};
    for (unsigned i = 0; i < sizeof input.seed; i += 8) {
        uint64_t chance = next_chance(world);
        memcpy(input.seed + i, &chance, 8);
    }
    return input;
}

static void deliver(struct world *world)
{
    for (const struct message *m = world->outbox.first; m != NULL; m = m->next) {
        if (m->name == MESSAGE_reply) request_answered(world, m->contents);
        if (m->name == MESSAGE_ask) take_off(world, m->contents);
        if (m->name == MESSAGE_wake) world->wake_ms = ((const struct wake_call *)m->contents)->at;
    }
    mailbox_reset(&world->outbox);
}

/* Everybody who asked must have had an answer, and after a failed commit nothing else may leave. */
static void check_outbox(struct world *world, struct turn_result result)
{
    for (const struct message *m = world->outbox.first; m != NULL; m = m->next) {
        const struct answer *answer = m->contents;
        if (m->name == MESSAGE_reply && result.commit != OK && answer->status < 500) {
            world_break(world, "(a) a request was answered %u although nothing was kept", answer->status);
        }
        if (m->name == MESSAGE_ask && result.commit != OK) world_break(world, "(a) a call left a turn that was not kept");
    }
}

static void wish_faults(struct world *world)
{
    store_memory_fail_commit(world->store, 0, OK);
    store_memory_fail_put(world->store, 0, OK);
    if (!world->has_faults) return;
    enum err e = world_percent(world, 50) ? ERR_STORE_FULL : ERR_STORE;
    if (world_percent(world, 4)) store_memory_fail_commit(world->store, 1, e);
    if (world_percent(world, 3)) store_memory_fail_put(world->store, 1 + (unsigned)world_chance(world, 30), e);
}

void world_turn(struct world *world)
{
    land(world);
    if (world->wake_ms != 0 && world->wake_ms <= world->now_ms) {
        world->wake_ms = 0;
        mailbox_add(&world->inbox, MESSAGE_tick, &(struct nothing){0});
    }
    wish_faults(world);
    struct turn_input input = input_of(world);
    struct turn_result result = turn_run(world->core, &input, &world->inbox, &world->outbox);
    world->turn_count++;
    if (result.commit != OK) world->failed_commit_count++;
    if (result.commit != OK) world_trace(world, "the turn was not kept");
    mailbox_reset(&world->inbox);
    check_outbox(world, result);
    deliver(world);
    if (world->answered_count != world->request_count) {
        world_break(world, "(a) %u requests, %u answers", world->request_count, world->answered_count);
    }
    world->request_count = world->answered_count = 0;
    if (result.has_written) oracle_ids(world);
}

static void start_core(struct world *world)
{
    world->core = core_open(world->store, &world->config, &world->secrets);
    assert(world->core != NULL);
    struct turn_input input = input_of(world);
    struct turn_result result = core_start(world->core, &input, &world->outbox);
    assert(result.commit == OK);
    deliver(world);
    oracle_ids(world);
}

/* The process dies: what was under way is known to nobody any more, but may still arrive. */
void world_crash(struct world *world)
{
    world->crash_count++;
    core_close(world->core);
    for (unsigned i = 0; i < world->flight_count; i++) {
        bool arrives = !world->flights[i].is_applied && world_percent(world, 50);
        if (arrives) apply(world, &world->flights[i]);
    }
    world->flight_count = 0;
    world->wake_ms = 0;
    if (world_percent(world, 40)) world->now_ms -= world_chance(world, 600 * second_ms);
    store_memory_fail_commit(world->store, 0, OK);
    store_memory_fail_put(world->store, 0, OK);
    world_trace(world, "CRASH");
    oracle_store(world);
    start_core(world);
}

/* ---- begin and end -------------------------------------------------------------------------------- */

static enum err make_users(struct step *step, void *context)
{
    struct world *world = context;
    for (unsigned i = 0; i < USERS; i++) {
        struct user user = {.id = step_id(step), .username = arena_print(step->arena, "user%u", i), .role = role_user,
                            .is_active = true, .created_at = step->now_ms, .updated_at = step->now_ms};
        user_put(step, &user);
        world->user_ids[i] = user.id;
    }
    return OK;
}

void world_open(struct world *world, uint64_t seed, bool is_traced)
{
    uint8_t root[32] = {1};
    enum err decided;
    *world = (struct world){.seed = seed, .chance = seed * 0x2545f4914f6cdd1du + 1, .now_ms = start_ms,
                            .has_faults = true, .is_traced = is_traced};
    arena_init(&world->arena, SEED_BYTES_MAX);
    mailbox_init(&world->inbox, MAILBOX_BYTES_MAX);
    mailbox_init(&world->outbox, MAILBOX_BYTES_MAX);
    config_init(&world->config);
    world->has_drift = world_percent(world, 30);
    if (!world->has_drift) world->config.ddns_drift_interval = 0;
    world->config.ddns_cloudflare_endpoint = TEXT(CLOUDFLARE_URL);
    world->config.ddns_alidns_endpoint = TEXT(ALIDNS_URL);
    if (world_percent(world, 30)) world->config.ddns_mark = TEXT_NONE;
    secrets_derive(&world->secrets, root);
    zone_init(&world->zone, &world->arena);
    world->store = store_open_memory();
    start_core(world);
    struct turn_input input = input_of(world);
    turn_decide(world->core, &input, &world->outbox, make_users, world, &decided);
    assert(decided == OK);
    mailbox_reset(&world->outbox);
    oracle_ids(world);
}

void world_close(struct world *world)
{
    core_close(world->core);
    store_close(world->store);
    mailbox_free(&world->inbox);
    mailbox_free(&world->outbox);
    config_free(&world->config);
    arena_free(&world->arena);
    free(world->ids);
}
