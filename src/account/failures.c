#include "account/failures.h"

#include <assert.h>
#include <sodium.h>

#include "account/bans.h"

static_assert(sizeof((struct failures *)0)->key == crypto_shorthash_KEYBYTES, "a key of SipHash");
static_assert((FAILURES_COUNT & (FAILURES_COUNT - 1)) == 0, "places are masked");

void failures_init(struct failures *failures, const uint8_t key[16])
{
    memset(failures, 0, sizeof *failures);
    memcpy(failures->key, key, sizeof failures->key);
}

static bool is_over(const struct failures_of *item, uint64_t window_ms, uint64_t now_ms)
{
    /* A clock that stepped back must not make a window endless. */
    return item->ip.family == 0 || now_ms < item->since_ms || now_ms - item->since_ms >= window_ms;
}

/* The address's item, or NULL; *spare is the one to use for it then. */
static struct failures_of *find(struct failures *failures, const struct ip_address *ip,
                                uint64_t window_ms, uint64_t now_ms, struct failures_of **spare)
{
    uint64_t hash;
    uint8_t bytes[crypto_shorthash_BYTES];
    crypto_shorthash(bytes, ip->bytes, sizeof ip->bytes, failures->key);
    memcpy(&hash, bytes, sizeof hash);
    *spare = NULL;
    for (unsigned i = 0; i < FAILURES_PROBES; i++) {
        struct failures_of *item = &failures->items[(hash + i) & (FAILURES_COUNT - 1)];
        if (is_over(item, window_ms, now_ms)) *item = (struct failures_of){.since_ms = 0};
        if (item->ip.family != 0 && ip_equal(&item->ip, ip)) return item;
        if (*spare == NULL || item->since_ms < (*spare)->since_ms) *spare = item;
    }
    return NULL;
}

uint64_t failures_of_ip(struct failures *failures, struct text ip, uint64_t window_ms,
                        uint64_t now_ms)
{
    struct ip_address address;
    struct failures_of *spare;
    if (!ban_address(ip, &address)) return 0;
    const struct failures_of *item = find(failures, &address, window_ms, now_ms, &spare);
    return item == NULL ? 0 : item->count;
}

uint64_t failures_add(struct failures *failures, struct text ip, uint64_t window_ms,
                      uint64_t now_ms)
{
    struct ip_address address;
    struct failures_of *spare;
    if (!ban_address(ip, &address)) return 0;
    struct failures_of *item = find(failures, &address, window_ms, now_ms, &spare);
    if (item == NULL) {
        *spare = (struct failures_of){.ip = address, .since_ms = now_ms};
        item = spare;
    }
    return ++item->count;
}

void failures_forget(struct failures *failures, struct text ip)
{
    struct ip_address address;
    struct failures_of *spare;
    if (!ban_address(ip, &address)) return;
    struct failures_of *item = find(failures, &address, UINT64_MAX, UINT64_MAX, &spare);
    if (item != NULL) *item = (struct failures_of){.since_ms = 0};
}
