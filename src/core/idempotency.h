/* Idempotency-Key: the same key and body gives the first answer again. Private to the core.
 *
 * The answer is kept, sealed, in the transaction of the change it belongs to; so there is never a change
 * whose answer is forgotten. A request still waiting for its answer is known in memory: a crash ends it
 * without a change, and then the key is free again, as it should be. */
#ifndef HOMEPORT_CORE_IDEMPOTENCY_H
#define HOMEPORT_CORE_IDEMPOTENCY_H

#include "core/call.h"
#include "core/step.h"

enum { SCOPE_HASH_BYTES = 64, IN_FLIGHT_MAX = 128 };

/* Who asks for what with which key, and with which body: hashes in hex, keyed by the key file. */
struct idempotent_key {
    char scope[SCOPE_HASH_BYTES + 1];
    char body[SCOPE_HASH_BYTES + 1];
};

struct idempotent_wait {
    uint64_t exchange; /* 0: free */
    struct idempotent_key key;
};

struct idempotent_waits {
    struct idempotent_wait items[IN_FLIGHT_MAX];
};

/* True when the call has a key and its route honours it. */
bool idempotency_applies(const struct secrets *secrets, const struct call *call, struct idempotent_key *key);
/* ERR_NOT_FOUND: go on and do it. OK: reply holds the first answer. Else the refusal. */
enum err idempotency_find(struct step *step, const struct idempotent_waits *waits,
                          const struct idempotent_key *key, struct reply *reply);
/* Stages the answer to be kept. */
void idempotency_keep(struct step *step, const struct idempotent_key *key,
                      const struct reply *reply);
/* The request waits for a later turn. False: too many do. */
bool idempotency_wait(struct idempotent_waits *waits, uint64_t exchange,
                      const struct idempotent_key *key);
/* It waits no longer; the key it came with, if any. */
bool idempotency_done(struct idempotent_waits *waits, uint64_t exchange,
                      struct idempotent_key *key);

#endif
