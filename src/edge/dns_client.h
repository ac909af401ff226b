/* One question and its answer with a DNS server: UDP with retries, then TCP. Checks that an answer comes
 * from the address asked and carries the id asked with and the QR bit; what is in it is the caller's business.
 *
 * All tries of an exchange share one UDP socket with a port of its own. A port where nobody listens is
 * known by ICMP and leads to TCP at once; so does an answer over 4096 bytes. TCP takes up to four addresses
 * of the server's name in turn. A call with is_complete goes by TCP from the start. */
#ifndef HOMEPORT_EDGE_DNS_CLIENT_H
#define HOMEPORT_EDGE_DNS_CLIENT_H

#include <uv.h>

#include "core/http_call.h"

struct dns_client;

typedef void (*dns_done)(void *context, uint64_t ref, const struct dns_result *result);

struct dns_client *dns_client_open(uv_loop_t *loop);
/* The call is copied. `done` is called once, on the loop, never from within, and may close the client; the result is good
 * until it returns. False when memory is short. */
bool dns_ask(struct dns_client *client, uint64_t ref, const struct dns_call *call, dns_done done,
             void *context);
/* Ends all exchanges without calling `done`; frees itself when its handles have closed. */
void dns_client_close(struct dns_client *client);

#endif
