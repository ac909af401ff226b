/* One seed's world: a store that survives, a core that may die, a clock, and everybody outside.
 *
 * All chance comes from the seed, so the same seed gives the same store, byte for byte. What users were told
 * (2xx) is kept in a shadow, and oracle.h compares it with what the store holds. */
#ifndef HOMEPORT_TESTS_SIM_WORLD_H
#define HOMEPORT_TESTS_SIM_WORLD_H

#include "core/config.h"
#include "core/message.h"
#include "core/secrets.h"
#include "core/turn.h"
#include "zone.h"

enum { FLIGHTS_MAX = 256, SHADOWS_MAX = 512, REQUESTS_MAX = 8, USERS = 2, BROKEN_SIZE = 400 };

/* A question on its way, or its answer. */
struct flight {
    struct outside_call call; /* copied into the seed's arena */
    uint64_t apply_ms, answer_ms;
    uint64_t user_id, lane_id, place; /* of its task */
    bool is_push;
    bool is_applied;
    struct outside_answer answer;
};

enum vendor { VENDOR_RFC2136, VENDOR_CALLBACK, VENDOR_CLOUDFLARE, VENDOR_ALIDNS };

/* What a user was told: the store must say the same. */
struct shadow_domain {
    uint64_t id, user_id;
    struct text name;
    enum vendor vendor;
    bool is_dead, is_purged;
};
struct shadow_source {
    uint64_t id, user_id;
    unsigned family;
    bool is_pushed, is_dead;
    struct text address; /* empty: none yet */
};
struct shadow_record {
    uint64_t id, user_id, domain_id, source_id;
    struct text name, value; /* a record with a source has its value from there */
    enum dns_type type;
    uint64_t ttl;
    bool dynamic, is_active, is_dead;
};

enum request_kind { REQUEST_DOMAIN_CREATE, REQUEST_DOMAIN_UPDATE, REQUEST_DOMAIN_DELETE, REQUEST_SOURCE_CREATE,
                    REQUEST_SOURCE_UPDATE, REQUEST_SOURCE_DELETE, REQUEST_RECORD_CREATE, REQUEST_RECORD_UPDATE,
                    REQUEST_RECORD_DELETE, REQUEST_NIC_UPDATE, REQUEST_OTHER };

enum record_change { CHANGED_VALUE, CHANGED_TTL, CHANGED_NAME, CHANGED_ACTIVE };

/* A request in this turn's inbox, and what becomes of the shadow when it is granted. */
struct request {
    uint64_t exchange;
    enum request_kind kind;
    enum record_change changed;
    struct shadow_domain domain;
    struct shadow_source source;
    struct shadow_record record;
    struct text host, address; /* nic_update */
};

struct world {
    uint64_t seed, chance, now_ms, wake_ms, exchange;
    struct arena arena; /* of the seed: nothing in it is given back before its end */
    struct config config;
    struct secrets secrets;
    struct store *store;
    struct core *core;
    struct mailbox inbox, outbox;
    struct zone zone;
    uint64_t refusing_until_ms, failing_until_ms; /* the provider has a bad time */
    bool has_faults, has_drift, is_traced;
    uint64_t user_ids[USERS];
    struct flight flights[FLIGHTS_MAX];
    unsigned flight_count;
    struct request requests[REQUESTS_MAX];
    unsigned request_count, answered_count, zone_number;
    struct shadow_domain domains[SHADOWS_MAX];
    struct shadow_source sources[SHADOWS_MAX];
    struct shadow_record records[SHADOWS_MAX];
    unsigned domain_count, source_count, record_count, turn_count, crash_count, failed_commit_count;
    uint64_t *ids; /* of all records after the last commit, sorted */
    size_t id_count, id_room;
    uint64_t id_most;
    char broken[BROKEN_SIZE]; /* the promise that did not hold; empty: all is well */
};

/* world.c */
void world_open(struct world *world, uint64_t seed, bool is_traced);
void world_close(struct world *world);
uint64_t world_chance(struct world *world, uint64_t below); /* 0 to below - 1 */
bool world_percent(struct world *world, unsigned percent);
void world_trace(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_break(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One turn with what waits in the inbox, the answers that have come and a tick when it is time. */
void world_turn(struct world *world);
void world_crash(struct world *world);
/* When something happens next by itself; UINT64_MAX: never. */
uint64_t world_next_ms(const struct world *world);

/* requests.c */
void request_at_random(struct world *world);
void request_sync(struct world *world, uint64_t user_id, uint64_t record_id);

/* shadow.c */
/* An answer came: the shadow learns what was granted. */
void request_answered(struct world *world, const struct answer *answer);

#endif
