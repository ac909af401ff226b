/* The store for tests: the contract of store.h in memory, with faults on request.
 *
 * What was committed outlives whoever used it: a test "crashes" by forgetting its core and opening another
 * on the same store. Small by intent: every transaction copies the list of entries. */
#ifndef HOMEPORT_STORE_STORE_MEMORY_H
#define HOMEPORT_STORE_STORE_MEMORY_H

#include "store/store.h"

/* The nth commit (put) from now on fails with `e`, once; 1 is the next, 0 takes an earlier wish back. A commit
 * that fails keeps nothing; after a put that failed the caller aborts. */
void store_memory_fail_commit(struct store *store, unsigned nth, enum err e);
void store_memory_fail_put(struct store *store, unsigned nth, enum err e);

#endif
