/* What a DNS server's refusal means, for provider_rfc2136.c: its rcode or TSIG error as a class, and
 * as a sentence that says which line of named.conf or knot.conf to look at.
 *
 * Each ends the job; the caller has settled before how far the answer can be believed. A wrong
 * clock is not among them: provider_rfc2136.c asks once more before it complains of that. */
#ifndef HOMEPORT_DDNS_PROVIDER_RFC2136_REFUSAL_H
#define HOMEPORT_DDNS_PROVIDER_RFC2136_REFUSAL_H

#include "ddns/dns_tsig.h"
#include "ddns/provider.h"

/* What one step works with. */
struct rfc2136_exchange {
    struct text server;
    struct text key_name;
    bool has_key;
    struct dns_tsig_key key; /* wiped at the end of the step */
    uint64_t now_s;          /* by the server's clock once it is known */
    struct text name;        /* full name */
};

/* A proven rcode, or one of a server that takes unsigned requests. */
enum provider_next rfc2136_end_rcode(const struct dns_job *job, const struct rfc2136_exchange *x,
                                     unsigned rcode, struct dns_verdict *verdict);
/* The server does not take our key or our signature. */
enum provider_next rfc2136_end_tsig_error(const struct dns_job *job,
                                          const struct rfc2136_exchange *x, unsigned error,
                                          struct dns_verdict *verdict);
/* An answer whose signature does not prove it: only what it hints at can be told. */
enum provider_next rfc2136_end_untrusted(const struct dns_job *job,
                                         const struct rfc2136_exchange *x, enum dns_trust trust,
                                         unsigned rcode, unsigned tsig_error,
                                         struct dns_verdict *verdict);
/* Not a DNS answer to what was asked. */
enum provider_next rfc2136_end_malformed(const struct dns_job *job,
                                         const struct rfc2136_exchange *x,
                                         struct dns_verdict *verdict);

#endif
