/* The simulator's providers with record ids: Cloudflare and Alibaba Cloud DNS as far as homeport speaks to them,
 * over the zone's values. An id is a value's number in the zone. */
#ifndef HOMEPORT_TESTS_SIM_VENDOR_H
#define HOMEPORT_TESTS_SIM_VENDOR_H

#include "core/message.h"
#include "zone.h"

#define CLOUDFLARE_URL "https://cloudflare.example"
#define ALIDNS_URL     "https://alidns.example"

/* Carries a call out. False when it is for nobody here. */
bool vendor_http(struct zone *zone, const struct outside_call *call, unsigned *status, struct text *body);
/* Refuses a call that came to one of the two, as for a key that is not right. */
void vendor_refuse(const struct outside_call *call, struct arena *arena, unsigned *status, struct text *body);

#endif
