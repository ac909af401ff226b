#include "gate/limits.h"

#include <assert.h>
#include <stdlib.h>

#include "core/router.h"

enum { ADDRESSES = 8192, USERS = 4096, ROUTE_ADDRESSES = 8192, ROUTES_MAX = 256 };

enum bucket_name {
    BUCKET_none,
    BUCKET_address,
    BUCKET_user,
#define BUCKET(name, setting, seconds, sentence) BUCKET_##name,
#define LIMITED(operation, bucket, banned)
#define FREE(operation)
#include "limits.def"
#undef BUCKET
#undef LIMITED
#undef FREE
    BUCKET_COUNT
};

enum banned { BY_HANDLER, AT_THE_GATE };

/* Tables of their own, so that a crowd of readers does not push out what was noted of a guesser. */
struct limits {
    struct buckets addresses, users, route_addresses;
    struct bucket_rule rules[BUCKET_COUNT];
    struct {
        uint8_t bucket; /* enum bucket_name */
        bool is_guarded, is_free;
    } routes[ROUTES_MAX]; /* by their place in routes.def */
};

static size_t place_of(const struct route *route)
{
    size_t place = (size_t)(route - route_at(0));
    assert(place < ROUTES_MAX);
    return place;
}

static size_t place_named(const char *operation)
{
    const struct route *route = route_named(text_of(operation));
    assert(route != NULL); /* a row of limits.def names an operation of routes.def */
    return place_of(route);
}

struct limits *limits_new(const struct config *config, const uint8_t key[BUCKETS_KEY_BYTES])
{
    struct limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL) return NULL;
    limits->rules[BUCKET_address] = bucket_rule_of(config->limits_per_ip, 60);
    limits->rules[BUCKET_user] = bucket_rule_of(config->limits_per_user, 60);
#define BUCKET(name, setting, seconds, sentence) \
    limits->rules[BUCKET_##name] = bucket_rule_of(config->setting, seconds);
#define LIMITED(operation, bucket_, banned) \
    limits->routes[place_named(#operation)].bucket = BUCKET_##bucket_; \
    limits->routes[place_named(#operation)].is_guarded = banned == AT_THE_GATE;
#define FREE(operation) limits->routes[place_named(#operation)].is_free = true;
#include "limits.def"
#undef BUCKET
#undef LIMITED
#undef FREE
    if (buckets_init(&limits->addresses, ADDRESSES, key) &&
        buckets_init(&limits->users, USERS, key) &&
        buckets_init(&limits->route_addresses, ROUTE_ADDRESSES, key)) {
        return limits;
    }
    limits_free(limits);
    return NULL;
}

void limits_free(struct limits *limits)
{
    buckets_free(&limits->addresses);
    buckets_free(&limits->users);
    buckets_free(&limits->route_addresses);
    free(limits);
}

bool limits_is_free(const struct limits *limits, const struct route *route)
{
    return route != NULL && limits->routes[place_of(route)].is_free;
}

bool limits_has_row(const struct limits *limits, const struct route *route)
{
    return limits->routes[place_of(route)].bucket != BUCKET_none;
}

bool limits_guards(const struct limits *limits, const struct route *route)
{
    return limits->routes[place_of(route)].is_guarded;
}

/* ---- taking --------------------------------------------------------------------------------------- */

/* Four or eight bytes say who it is; the family keeps 1.2.3.4 apart from 102:304::. */
static uint64_t owner_of(const struct ip_address *ip, enum bucket_name bucket, uint64_t *kind)
{
    uint64_t owner;
    struct ip_address counted = ip_counted(ip);
    static_assert(sizeof owner == 8, "a /64");
    memcpy(&owner, counted.bytes, sizeof owner);
    *kind = (uint64_t)bucket << 8 | counted.family;
    return owner;
}

enum err limit_address(struct limits *limits, const struct ip_address *ip, uint64_t now_us,
                       struct rate *rate)
{
    const struct bucket_rule *rule = &limits->rules[BUCKET_address];
    uint64_t kind, missing_ns, owner = owner_of(ip, BUCKET_address, &kind);
    if (rule->tokens == 0) return OK;
    if (bucket_take(&limits->addresses, rule, kind, owner, now_us * 1000, &missing_ns)) return OK;
    *rate = bucket_rate(rule, missing_ns);
    return ERR_TOO_MANY;
}

enum err limit_user(struct limits *limits, uint64_t user_id, uint64_t now_us, struct rate *rate)
{
    const struct bucket_rule *rule = &limits->rules[BUCKET_user];
    uint64_t missing_ns;
    if (rule->tokens == 0) return OK;
    if (bucket_take(&limits->users, rule, BUCKET_user, user_id, now_us * 1000, &missing_ns))
        return OK;
    *rate = bucket_rate(rule, missing_ns);
    return ERR_TOO_MANY;
}

enum err limit_route(struct limits *limits, const struct route *route, const struct ip_address *ip,
                     uint64_t now_us, struct rate *rate)
{
    enum bucket_name bucket = limits->routes[place_of(route)].bucket;
    const struct bucket_rule *rule = &limits->rules[bucket];
    uint64_t kind, missing_ns, owner = owner_of(ip, bucket, &kind);
    if (rule->tokens == 0) return OK;
    bool has_token =
        bucket_take(&limits->route_addresses, rule, kind, owner, now_us * 1000, &missing_ns);
    *rate = bucket_rate(rule, missing_ns);
    return has_token ? OK : ERR_TOO_MANY;
}
