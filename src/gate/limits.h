/* Rate limits of requests: schema/limits.def and the settings limits.* over buckets.
 *
 * On the loop's thread, by the loop's clock, in memory alone: a restart fills every bucket. IPv4 addresses are
 * counted whole, IPv6 ones by /64. Order of calls: limits_new ► limit_address and limit_user for each request,
 * limit_route for those of a row ► limits_free. */
#ifndef HOMEPORT_GATE_LIMITS_H
#define HOMEPORT_GATE_LIMITS_H

#include "core/address.h"
#include "core/call.h"
#include "core/config.h"
#include "gate/buckets.h"

struct limits;

/* NULL when memory is short. The settings are read here, once. */
struct limits *limits_new(const struct config *config, const uint8_t key[BUCKETS_KEY_BYTES]);
void limits_free(struct limits *limits);

/* What limits.def says of a route. NULL: a request that has none takes from its address's bucket too. */
bool limits_is_free(const struct limits *limits, const struct route *route);
bool limits_has_row(const struct limits *limits, const struct route *route);
/* The gate looks for a ban of the address, for all of it. */
bool limits_guards(const struct limits *limits, const struct route *route);

/* Each takes a token: OK, or ERR_TOO_MANY with *rate. limit_route() fills in *rate always. */
enum err limit_address(struct limits *limits, const struct ip_address *ip, uint64_t now_us,
                       struct rate *rate);
enum err limit_user(struct limits *limits, uint64_t user_id, uint64_t now_us, struct rate *rate);
enum err limit_route(struct limits *limits, const struct route *route, const struct ip_address *ip,
                     uint64_t now_us, struct rate *rate);

#endif
