#include "gate/buckets.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t second_ns = 1000000000;

static_assert(BUCKETS_KEY_BYTES == crypto_shorthash_KEYBYTES, "a key of SipHash");

bool buckets_init(struct buckets *buckets, unsigned capacity, const uint8_t key[BUCKETS_KEY_BYTES])
{
    assert(capacity >= BUCKETS_PROBES && (capacity & (capacity - 1)) == 0);
    memcpy(buckets->key, key, sizeof buckets->key);
    buckets->mask = capacity - 1;
    buckets->items = calloc(capacity, sizeof *buckets->items);
    return buckets->items != NULL;
}

void buckets_free(struct buckets *buckets)
{
    free(buckets->items);
    buckets->items = NULL;
}

struct bucket_rule bucket_rule_of(uint64_t tokens, uint64_t seconds)
{
    return (struct bucket_rule){tokens, tokens == 0 ? 0 : seconds * second_ns / tokens};
}

static uint64_t hash_of(const struct buckets *buckets, uint64_t kind, uint64_t owner)
{
    uint64_t of[2] = {kind, owner}, hash;
    uint8_t bytes[crypto_shorthash_BYTES];
    static_assert(sizeof hash == sizeof bytes, "SipHash has 64 bits");
    crypto_shorthash(bytes, (const uint8_t *)of, sizeof of, buckets->key);
    memcpy(&hash, bytes, sizeof hash);
    return hash == 0 ? 1 : hash;
}

/* The bucket with this hash; else a place for it, as a full bucket. */
static struct bucket *find(struct buckets *buckets, uint64_t hash)
{
    struct bucket *chosen = &buckets->items[hash & buckets->mask];
    for (unsigned i = 0; i < BUCKETS_PROBES; i++) {
        struct bucket *bucket = &buckets->items[(hash + i) & buckets->mask];
        if (bucket->hash == hash) return bucket;
        if (bucket->full_ns < chosen->full_ns) chosen = bucket; /* 0 in a free one */
    }
    *chosen = (struct bucket){.hash = hash};
    return chosen;
}

bool bucket_take(struct buckets *buckets, const struct bucket_rule *rule, uint64_t kind,
                 uint64_t owner, uint64_t now_ns, uint64_t *missing_ns)
{
    uint64_t empty_ns = rule->tokens * rule->interval_ns;
    struct bucket *bucket = find(buckets, hash_of(buckets, kind, owner));
    assert(rule->tokens > 0);
    *missing_ns = bucket->full_ns > now_ns ? bucket->full_ns - now_ns : 0;
    /* Farther away than an empty one can be: the clock has stepped back. */
    if (*missing_ns > empty_ns) *missing_ns = 0;
    if (*missing_ns + rule->interval_ns > empty_ns) return false;
    *missing_ns += rule->interval_ns;
    bucket->full_ns = now_ns + *missing_ns;
    return true;
}

struct rate bucket_rate(const struct bucket_rule *rule, uint64_t missing_ns)
{
    uint64_t missing =
        (missing_ns + rule->interval_ns - 1) / rule->interval_ns; /* begun ones too */
    if (missing == 0) return (struct rate){.limit = rule->tokens, .remaining = rule->tokens};
    uint64_t next_ns = missing_ns - (missing - 1) * rule->interval_ns;
    return (struct rate){
        .limit = rule->tokens,
        .remaining = rule->tokens - missing,
        .reset_s = (next_ns + second_ns - 1) / second_ns,
    };
}
