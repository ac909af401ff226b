/* The simulator's provider: a DNS server that carries out RFC 2136 updates on a zone of plain values, answers
 * queries, and takes callbacks. What it holds is what homeport is measured by. */
#ifndef HOMEPORT_TESTS_SIM_ZONE_H
#define HOMEPORT_TESTS_SIM_ZONE_H

#include "core/arena.h"
#include "ddns/dns_name.h"
#include "ddns/rdata.h"

enum { ZONE_VALUES_MAX = 2048, ZONE_ANSWER_BYTES_MAX = 4096 };

struct zone_value {
    struct text name; /* full */
    enum dns_type type;
    struct text value;
    struct text remark; /* at providers with ids */
    uint16_t priority;
    uint32_t ttl;     /* the same */
    bool has_id;      /* is at such a provider */
    bool is_foreign;  /* somebody else's: homeport may never take it away */
    bool is_told;     /* by a callback: nothing there can be removed */
    bool is_excused;  /* somebody has put it in the place of homeport's, which need not know what it was */
    bool is_gone;
};

struct zone {
    struct arena *arena; /* of the seed */
    struct zone_value values[ZONE_VALUES_MAX];
    unsigned count;
    const struct zone_value *foreign_lost; /* a foreign value that was taken away or written over; NULL: none */
};

void zone_init(struct zone *zone, struct arena *arena);
void zone_add(struct zone *zone, struct text name, enum dns_type type, uint16_t priority, struct text value);
void zone_add_foreign(struct zone *zone, struct text name, enum dns_type type, struct text value, uint32_t ttl);
/* NULL when there is none such. Priorities of types without one do not count. */
struct zone_value *zone_find(struct zone *zone, struct text name, enum dns_type type, uint16_t priority,
                             struct text value);
struct zone_value *zone_new(struct zone *zone, struct text name, enum dns_type type, uint16_t priority,
                            struct text value);
void zone_take_away(struct zone *zone, struct zone_value *v);
/* Somebody changes what homeport wrote: the first value under the name is another now. */
void zone_meddle(struct zone *zone, struct text name, enum dns_type type, struct text value);
bool zone_has(const struct zone *zone, struct text name, enum dns_type type, uint16_t priority, struct text value);

/* A DNS message comes in: carries it out unless rcode says otherwise, and writes the answer into *answer. False when it
 * is no message. */
bool zone_dns(struct zone *zone, struct text message, unsigned rcode, struct text *answer);
/* A callback's body comes in: "fqdn|type|value", percent-encoded. */
bool zone_told(struct zone *zone, struct text body);

#endif
