/* Failed sign-ins of each address, in a table of fixed size: what slows down guessing.
 *
 * Counted in windows that begin with an address's first failure. IPv6 is counted by /64, which is what one
 * house or machine has. When the table is crowded the oldest window gives way. */
#ifndef HOMEPORT_ACCOUNT_FAILURES_H
#define HOMEPORT_ACCOUNT_FAILURES_H

#include "core/address.h"

enum { FAILURES_COUNT = 1024, FAILURES_PROBES = 8 };

struct failures_of {
    struct ip_address ip; /* family 0: free */
    uint64_t since_ms;
    uint64_t count;
};

struct failures {
    uint8_t key[16]; /* private: places cannot be foreseen */
    struct failures_of items[FAILURES_COUNT];
};

void failures_init(struct failures *failures, const uint8_t key[16]);
/* How many in the window that runs; 0 for what is no address. */
uint64_t failures_of_ip(struct failures *failures, struct text ip, uint64_t window_ms,
                        uint64_t now_ms);
/* One more; the count with it. */
uint64_t failures_add(struct failures *failures, struct text ip, uint64_t window_ms,
                      uint64_t now_ms);
/* As if there had been none; takes the text of a ban too. */
void failures_forget(struct failures *failures, struct text ip);

#endif
