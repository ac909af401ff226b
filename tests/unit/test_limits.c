/* Rate limits: the arithmetic of the buckets, their table when it is crowded, and the rows of limits.def. */
#include "unit.h"

#include "core/router.h"
#include "gate/limits.h"

#include <sodium.h>
#include <string.h>

enum { KIND = 7 };
static const uint64_t second = 1000000000;
static const uint8_t key[BUCKETS_KEY_BYTES] = {1, 2, 3};
static struct buckets table;

static bool take(const struct bucket_rule *rule, uint64_t owner, uint64_t now_ns, struct rate *rate)
{
    uint64_t missing_ns;
    bool has_token = bucket_take(&table, rule, KIND, owner, now_ns, &missing_ns);
    *rate = bucket_rate(rule, missing_ns);
    return has_token;
}

static unsigned take_all(const struct bucket_rule *rule, uint64_t owner, uint64_t now_ns)
{
    struct rate rate;
    unsigned count = 0;
    while (count < 100000 && take(rule, owner, now_ns, &rate)) count++;
    return count;
}

/* A full bucket gives all its tokens at once and not one more; what is told counts down with it. */
static void test_burst(void)
{
    const struct bucket_rule rule = bucket_rule_of(60, 60);
    struct rate rate;
    CHECK(buckets_init(&table, 64, key));
    for (unsigned i = 1; i <= 60; i++) {
        CHECK(take(&rule, 1, second, &rate));
        CHECK(rate.limit == 60 && rate.remaining == 60 - i && rate.reset_s == 1);
    }
    CHECK(!take(&rule, 1, second, &rate));
    CHECK(rate.limit == 60 && rate.remaining == 0 && rate.reset_s == 1);
    CHECK(take(&rule, 2, second, &rate)); /* somebody else's is another */
    uint64_t missing_ns;
    CHECK(bucket_take(&table, &rule, KIND + 1, 1, second, &missing_ns)); /* another kind too */
    buckets_free(&table);
}

/* Tokens come back one by one, evenly, never above the brim, and a refused try costs nothing. */
static void test_refill(void)
{
    const struct bucket_rule rule = bucket_rule_of(6, 60); /* one in ten seconds */
    struct rate rate;
    uint64_t now = 5 * second;
    CHECK(buckets_init(&table, 64, key));
    CHECK(take_all(&rule, 1, now) == 6);
    for (unsigned i = 0; i < 1000; i++) CHECK(!take(&rule, 1, now, &rate));
    CHECK(rate.reset_s == 10);
    CHECK(!take(&rule, 1, now + 10 * second - 1, &rate) && rate.reset_s == 1);
    CHECK(take(&rule, 1, now + 10 * second, &rate) && rate.remaining == 0 && rate.reset_s == 10);
    CHECK(!take(&rule, 1, now + 10 * second, &rate));
    CHECK(take_all(&rule, 1, now + 45 * second) == 3); /* 3.5 came back; the half is not lost */
    CHECK(take(&rule, 1, now + 50 * second, &rate));
    CHECK(take_all(&rule, 1, now + 5000 * second) == 6);
    CHECK(take_all(&rule, 1, UINT64_MAX / 2) == 6);
    buckets_free(&table);
}

/* Rates from the slowest to the fastest that settings allow: the right count in a window, no overflow. */
static void test_rates(void)
{
    static const struct {
        uint64_t tokens, seconds;
    } rates[] = {{1, 3600}, {1, 1}, {7, 60}, {30, 3600}, {6000, 60}, {1000000, 3600}, {100000000, 60}};
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
        const struct bucket_rule rule = bucket_rule_of(rates[i].tokens, rates[i].seconds);
        struct rate rate;
        CHECK(buckets_init(&table, 8, key));
        CHECK(rule.interval_ns > 0);
        CHECK(take(&rule, 1, second, &rate));
        CHECK(rate.limit == rates[i].tokens && rate.remaining == rates[i].tokens - 1);
        CHECK(rate.reset_s >= 1 && rate.reset_s <= rates[i].seconds);
        if (rates[i].tokens <= 6000) CHECK(take_all(&rule, 2, second) == rates[i].tokens);
        uint64_t whole = rates[i].seconds * second;
        CHECK(take_all(&rule, 2, second + whole) >= (rates[i].tokens < 100000 ? rates[i].tokens : 100000));
        buckets_free(&table);
    }
    CHECK(bucket_rule_of(0, 60).tokens == 0);
}

/* A clock that steps back locks nobody out: far back the bucket is full, a little back it waits a filling at most. */
static void test_clock_back(void)
{
    const struct bucket_rule rule = bucket_rule_of(60, 60);
    struct rate rate;
    CHECK(buckets_init(&table, 64, key));
    CHECK(take_all(&rule, 1, 1000000 * second) == 60);
    CHECK(take(&rule, 1, 5 * second, &rate) && rate.remaining == 59);
    CHECK(take_all(&rule, 2, 1000 * second) == 60);
    CHECK(take(&rule, 2, 990 * second, &rate)); /* 70 seconds away: more than a filling */
    CHECK(take_all(&rule, 3, 1000 * second) == 60);
    CHECK(take(&rule, 3, 1000 * second - 1, &rate)); /* the same, by a nanosecond */
    CHECK(take_all(&rule, 4, 1000 * second) == 60);
    CHECK(take(&rule, 4, 1030 * second, &rate) && rate.remaining == 29);
    CHECK(take(&rule, 4, 1010 * second, &rate) && rate.remaining == 8);
    CHECK(take(&rule, 4, 0, &rate)); /* whatever it says */
    buckets_free(&table);
}

/* The table holds what it holds: a newcomer takes the place of a bucket that is full soonest, so an emptied one
 * outlives thousands that took one token, and memory never grows. */
static void test_eviction(void)
{
    const struct bucket_rule rule = bucket_rule_of(60, 60);
    struct rate rate;
    unsigned guessers_left = 0;
    CHECK(buckets_init(&table, 1024, key));
    for (uint64_t owner = 1; owner <= 20; owner++) CHECK(take_all(&rule, owner, second) == 60);
    for (uint64_t owner = 1000; owner < 21000; owner++) CHECK(take(&rule, owner, second, &rate));
    for (uint64_t owner = 1; owner <= 20; owner++) guessers_left += !take(&rule, owner, second, &rate);
    CHECK(guessers_left == 20);
    unsigned used = 0;
    for (unsigned i = 0; i < 1024; i++) used += table.items[i].hash != 0;
    CHECK(used > 900);
    /* Only emptied ones: the oldest of a place's eight give way to whom is seen last. */
    for (uint64_t owner = 30000; owner < 50000; owner++) CHECK(take_all(&rule, owner, owner * second) == 60);
    CHECK(!take(&rule, 49999, 49999 * second, &rate));
    CHECK(take(&rule, 1, 50000 * second, &rate));
    buckets_free(&table);
}

/* Another key, other places: nobody outside can tell who shares one. */
static void test_key(void)
{
    const struct bucket_rule rule = bucket_rule_of(60, 60);
    static const uint8_t other_key[BUCKETS_KEY_BYTES] = {9};
    uint64_t hashes[2];
    for (unsigned i = 0; i < 2; i++) {
        struct rate rate;
        CHECK(buckets_init(&table, 8, i == 0 ? key : other_key));
        CHECK(take(&rule, 5, second, &rate));
        for (unsigned j = 0; j < 8; j++) {
            if (table.items[j].hash != 0) hashes[i] = table.items[j].hash;
        }
        buckets_free(&table);
    }
    CHECK(hashes[0] != hashes[1]);
}

/* ---- limits --------------------------------------------------------------------------------------- */

static struct ip_address ip(const char *t)
{
    struct ip_address address;
    CHECK(ip_parse(text_of(t), &address));
    return address;
}

static unsigned route_all(struct limits *limits, const char *operation, const char *from, struct rate *rate)
{
    struct ip_address address = ip(from);
    const struct route *route = route_named(text_of(operation));
    unsigned count = 0;
    while (count < 1000 && limit_route(limits, route, &address, 1000000, rate) == OK) count++;
    return count;
}

static unsigned address_all(struct limits *limits, const char *from)
{
    struct ip_address address = ip(from);
    struct rate rate;
    unsigned count = 0;
    while (count < 1000 && limit_address(limits, &address, 1000000, &rate) == OK) count++;
    return count;
}

/* The rows: which routes are limited, guarded, free, and which share a bucket; addresses as houses. */
static void test_limits(void)
{
    struct config config;
    struct rate rate;
    config_init(&config);
    config.limits_sign_in = 5;
    config.limits_register = 3;
    config.limits_per_ip = 10;
    config.limits_per_user = 4;
    struct limits *limits = limits_new(&config, key);
    CHECK(limits != NULL);
    CHECK(route_all(limits, "user_login", "192.0.2.1", &rate) == 5 && rate.limit == 5 && rate.reset_s == 12);
    CHECK(route_all(limits, "user_token", "192.0.2.1", &rate) == 0); /* one bucket */
    CHECK(route_all(limits, "user_login", "::ffff:192.0.2.1", &rate) == 0);
    CHECK(route_all(limits, "user_refresh", "192.0.2.1", &rate) == 5);
    CHECK(route_all(limits, "user_register", "192.0.2.1", &rate) == 3 && rate.limit == 3 && rate.reset_s == 1200);
    CHECK(route_all(limits, "user_login", "192.0.2.2", &rate) == 5);
    CHECK(route_all(limits, "user_login", "2001:db8:1:2::1", &rate) == 5);
    CHECK(route_all(limits, "user_login", "2001:db8:1:2:ffff::1", &rate) == 0);
    CHECK(route_all(limits, "user_login", "2001:db8:1:3::1", &rate) == 5);
    CHECK(route_all(limits, "user_login", "c000:201::", &rate) == 5); /* the bytes of 192.0.2.1 */

    CHECK(address_all(limits, "192.0.2.1") == 10 && address_all(limits, "2001:db8:1:2::1") == 10);
    CHECK(address_all(limits, "2001:db8:1:2::2") == 0 && address_all(limits, "192.0.2.2") == 10);
    for (unsigned i = 0; i < 4; i++) CHECK(limit_user(limits, 77, 1000000, &rate) == OK);
    CHECK(limit_user(limits, 77, 1000000, &rate) == ERR_TOO_MANY && rate.limit == 4 && rate.reset_s == 15);
    CHECK(limit_user(limits, 78, 1000000, &rate) == OK);

    CHECK(limits_is_free(limits, route_named(TEXT("livez"))) && limits_is_free(limits, route_named(TEXT("events"))));
    CHECK(!limits_is_free(limits, route_named(TEXT("user_me"))) && !limits_is_free(limits, NULL));
    CHECK(limits_has_row(limits, route_named(TEXT("setup"))) && !limits_has_row(limits, route_named(TEXT("setup_state"))));
    CHECK(limits_guards(limits, route_named(TEXT("user_login"))) && !limits_guards(limits, route_named(TEXT("user_refresh"))));
    limits_free(limits);

    config.limits_sign_in = config.limits_per_ip = config.limits_per_user = 0; /* no limit */
    limits = limits_new(&config, key);
    rate = (struct rate){.limit = 0};
    CHECK(route_all(limits, "user_login", "192.0.2.1", &rate) == 1000 && rate.limit == 0);
    CHECK(address_all(limits, "192.0.2.1") == 1000 && limit_user(limits, 77, 1000000, &rate) == OK);
    limits_free(limits);
    config_free(&config);
}

int main(void)
{
    if (sodium_init() < 0) return EXIT_FAILURE;
    records_start();
    router_start();
    test_burst();
    test_refill();
    test_rates();
    test_clock_back();
    test_eviction();
    test_key();
    test_limits();
    return unit_end();
}
