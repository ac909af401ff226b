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
    uint16_t priority;
    bool is_foreign;  /* somebody else's: homeport may never take it away */
    bool is_told;     /* by a callback: nothing there can be removed */
    bool is_excused;  /* its removal was refused for good, and homeport had to leave it */
    bool is_gone;
};

struct zone {
    struct arena *arena; /* of the seed */
    struct zone_value values[ZONE_VALUES_MAX];
    unsigned count;
    unsigned foreign_lost; /* foreign values that were taken away */
};

void zone_init(struct zone *zone, struct arena *arena);
void zone_add(struct zone *zone, struct text name, enum dns_type type, uint16_t priority, struct text value);
void zone_add_foreign(struct zone *zone, struct text name, enum dns_type type, struct text value);
/* Somebody changes what homeport wrote: the first value under the name is another now. */
void zone_meddle(struct zone *zone, struct text name, enum dns_type type, struct text value);
bool zone_has(const struct zone *zone, struct text name, enum dns_type type, uint16_t priority, struct text value);

/* A DNS message comes in: carries it out unless rcode says otherwise, and writes the answer into *answer. False when it
 * is no message. */
bool zone_dns(struct zone *zone, struct text message, unsigned rcode, struct text *answer);
/* A callback's body comes in: "fqdn|type|value", percent-encoded. */
bool zone_told(struct zone *zone, struct text body);

#endif
