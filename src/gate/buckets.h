/* Token buckets in a table of fixed size: who may have how much, how fast.
 *
 * A bucket is one number: the moment when it will be full again. Taking a token moves that moment one interval
 * on; a bucket whose moment is a whole filling away is empty. So there is nothing to refill, and one that
 * is full again is worth no more than a free place.
 *
 *     now                  full
 *      ├────────┬────────┬───┤             two tokens and a part of one are missing
 *      0     interval              tokens * interval: empty
 *
 * A bucket is found by a keyed hash of what it belongs to, which alone is kept: with a secret key nobody can
 * aim at a place or at somebody else's bucket, and chance gives two of them one hash in 2^64. Where the table is
 * crowded, that which is full soonest gives way: it remembers least.
 *
 * Time is any clock in nanoseconds. When it steps back, a bucket is full sooner than it should be, never later
 * than a filling from now. */
#ifndef HOMEPORT_GATE_BUCKETS_H
#define HOMEPORT_GATE_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

enum { BUCKETS_PROBES = 8, BUCKETS_KEY_BYTES = 16 };

struct bucket {
    uint64_t hash; /* 0: free */
    uint64_t full_ns;
};

struct buckets {
    uint8_t key[BUCKETS_KEY_BYTES];
    unsigned mask;
    struct bucket *items;
};

/* How much a bucket holds, and how long one token takes to come back; 0 tokens: there is no limit. */
struct bucket_rule {
    uint64_t tokens, interval_ns;
};

/* What a caller is told of a bucket. */
struct rate {
    uint64_t limit, remaining,
        reset_s; /* seconds until there is one more token; limit 0: nothing to tell */
};

/* capacity: a power of two, BUCKETS_PROBES at least; 16 bytes each. False when memory is short. */
bool buckets_init(struct buckets *buckets, unsigned capacity, const uint8_t key[BUCKETS_KEY_BYTES]);
void buckets_free(struct buckets *buckets);

/* tokens within so many seconds. */
struct bucket_rule bucket_rule_of(uint64_t tokens, uint64_t seconds);

/* Takes a token from the bucket of (kind, owner). False: there was none, and nothing is taken.
 * *missing_ns: what is missing to a full bucket now. Not for a rule without a limit. */
bool bucket_take(struct buckets *buckets, const struct bucket_rule *rule, uint64_t kind,
                 uint64_t owner, uint64_t now_ns, uint64_t *missing_ns);

struct rate bucket_rate(const struct bucket_rule *rule, uint64_t missing_ns);

#endif
