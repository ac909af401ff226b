/* From method and path to a row of routes.def, in constant time.
 *
 * A path's shape is the path with each segment that is an id (1 to 19 digits, no leading zero, within 63
 * bits) written as {id}. Shapes stand in a hash table that router_start() builds; a shape's entry has its
 * routes by method. Nothing is decoded: a path with percent signs matches no route. */
#ifndef HOMEPORT_CORE_ROUTER_H
#define HOMEPORT_CORE_ROUTER_H

#include "core/arena.h"
#include "core/call.h"

/* Once, before any other function here. Asserts what the rows promise. */
void router_start(void);

/* HEAD finds the route of GET, but for a GET of the turn lane: that one changes things. NULL with *why:
 * ERR_NOT_FOUND, or ERR_METHOD, for which *allowed_methods has the bit of each method (1 << METHOD_GET ...)
 * that the path takes, HEAD's as METHOD_COUNT; any other method, OPTIONS too, is one that it does not take. *id is
 * 0 when the path has none. */
const struct route *route_match(struct text method, struct text path, uint64_t *id, enum err *why,
                                unsigned *allowed_methods);

/* For the Allow field: "GET, HEAD, PATCH, OPTIONS". */
struct text route_allow(unsigned allowed_methods, struct arena *arena);

/* Rows in the order of routes.def; NULL past the end. */
const struct route *route_at(unsigned index);
/* By the operation's name, "user_login"; NULL when there is none. */
const struct route *route_named(struct text operation);

/* "GET", "POST" ... */
struct text method_name(enum method method);

#endif
