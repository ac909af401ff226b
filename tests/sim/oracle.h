/* What must hold, said by world_break() when it does not:
 *
 *   (a) a change that was answered with a 2xx stays
 *   (b) when faults have stopped and time has passed, every record stands at the provider as it should, and
 *       nothing of ours stands there beside
 *   (c) no id is given twice
 *   (d) the audit log is one chain without gaps
 *   (e) indexes and counts are what the records say
 *   (f) one seed gives one store, byte for byte (sim.c compares)
 *   (g) what others put into the zone stays
 *   (h) at a name and type one task at a time has a call out, also when one was called off */
#ifndef HOMEPORT_TESTS_SIM_ORACLE_H
#define HOMEPORT_TESTS_SIM_ORACLE_H

#include "world.h"

enum { ORACLE_HASH_BYTES = 32 };

/* After every commit: (c). */
void oracle_ids(struct world *world);
/* At any time between two turns: (d), (e). */
void oracle_store(struct world *world);
/* The same: (a). */
void oracle_shadow(struct world *world);
/* Once settled: (b), (g). */
void oracle_settled(struct world *world);
/* Over all keys and values. */
void oracle_hash(const struct world *world, uint8_t hash[ORACLE_HASH_BYTES]);
/* When a call leaves: (h). Fills in what the flight has of its task. */
void oracle_flight(struct world *world, struct flight *flight);
/* Open tasks but for those that come again for ever. */
unsigned oracle_open_tasks(const struct world *world);

#endif
