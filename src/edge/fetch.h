/* Outgoing HTTP(S) calls by libcurl multi on the loop, and mail by SMTP(S), by libcurl on threads. Only fetch*.c
 * know curl and BearSSL.
 *
 * A call is copied when it is started; its end is reported once through `done`, on the loop, never from
 * within fetch_start(). `done` may start calls and close the fetcher; the result is good until it returns.
 *
 * Limits. The time limit of a call counts from fetch_start(), waiting for other calls included. No
 * redirects are followed, no proxies are taken from the environment, TLS is 1.2 (BearSSL knows no newer)
 * and always verified, by name: an https URL with an IP address is refused.
 *
 * Errors are sentences for a person. Of the URL they hold scheme, host and port only. */
#ifndef HOMEPORT_EDGE_FETCH_H
#define HOMEPORT_EDGE_FETCH_H

#include <uv.h>

#include "core/address.h"
#include "core/http_call.h"

struct fetcher;

struct fetch_settings {
    const char *ca_file; /* PEM bundle; NULL: the first of the usual system places that exists */
    const struct ip_network *allowed; /* private networks that guarded calls may reach */
    unsigned allowed_count;
    unsigned calls_max;     /* at once, others wait in order */
    const char *user_agent; /* "homeport/0.1.0" */
};

typedef void (*fetch_done)(void *context, uint64_t ref, const struct http_result *result);

struct fetcher *fetcher_open(uv_loop_t *loop, const struct fetch_settings *settings);
/* False when memory is short; nothing is started then and `done` will not be called. */
bool fetch_start(struct fetcher *fetcher, uint64_t ref, const struct http_call *call,
                 fetch_done done, void *context);
/* The PEM bundle in use, or NULL when none was found. */
const char *fetcher_ca_file(const struct fetcher *fetcher);
/* Ends all calls without calling `done`; frees itself when its handles have closed (run the loop on). */
void fetcher_close(struct fetcher *fetcher);

#endif
