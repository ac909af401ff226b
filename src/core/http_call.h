/* A call to somebody else's HTTP server or DNS server, and what came of it: the plain data that pass
 * between the core, which decides, and the edges, which do. */
#ifndef HOMEPORT_CORE_HTTP_CALL_H
#define HOMEPORT_CORE_HTTP_CALL_H

#include "core/text.h"

struct http_call {
    struct text method; /* "GET" */
    struct text url;    /* absolute; may hold a secret: never logged */
    struct text
        fields;       /* header fields, "Name: value" lines each ending with \n; sent as they are */
    struct text body; /* with an empty method-fitting body no Content-Type is sent by itself */
    uint64_t timeout_ms;     /* whole call */
    size_t answer_bytes_max; /* a longer answer fails the call */
    unsigned family;         /* 4, 6, or 0 for either: what the connection must use */
    struct text interface;   /* bind to this network interface; empty: any */
    bool is_guarded; /* refuse private, loopback and other special addresses after resolution,
                                 but for net.allow_private */

    /* Or a mail by SMTP. Then url is smtp://host:587 (STARTTLS must succeed) or smtps://host:465, body is the
     * whole message with CR LF, of the above timeout_ms and answer_bytes_max count, and these: */
    bool is_mail;
    struct text user, password;    /* AUTH; without a user there is none */
    struct text sender, recipient; /* bare addresses */
    bool is_plain; /* smtp:// without STARTTLS: only to an address that is loopback */
};

/* Why there was no answer. */
enum call_fault {
    FAULT_NONE,
    FAULT_RESOLVE, /* the name has no address (of the family asked for), or no resolver answered */
    FAULT_CONNECT,
    FAULT_TLS, /* certificate, protocol or handshake */
    FAULT_TIMEOUT,
    FAULT_CUT,      /* the connection ended or broke in the middle of the answer */
    FAULT_TOO_LONG, /* the answer is longer than the caller takes */
    FAULT_ADDRESS,  /* the address is one that guarded calls may not reach */
    FAULT_URL, /* malformed URL or a scheme other than http and https (smtp and smtps for mail) */
    FAULT_UNSAFE, /* mail: no STARTTLS, or a certificate that does not hold; later will be the same */
    FAULT_REFUSED, /* mail: the server said no, see status */
    FAULT_OTHER
};

struct http_result {
    enum call_fault fault;
    struct text error; /* for a person, with what to do where we know it; empty when answered */
    unsigned
        status; /* 0 when not answered; of a mail the last SMTP reply code, and body is that reply */
    struct text body;
    uint64_t date_ms; /* the Date field as epoch milliseconds; 0 without one */
    int64_t
        retry_after_ms; /* Retry-After (seconds or date) or x-acs-retry-after (ms); -1 without one */
    uint64_t duration_ms;
    /* There is no answer, but the request (of a mail: all of its message) had left, or part of it: what it asks
     * for may have been done. */
    bool may_have_arrived;
};

struct dns_call {
    struct text server;  /* "host:port", "[v6]:port"; the port may be left out: 53 */
    struct text message; /* one DNS message, without the TCP length prefix */
    bool by_tcp;         /* at once over TCP; else UDP first (if at most 512 bytes): 3 tries of
                                timeout_ms / 5 each, then TCP with the rest of the time; TCP also when
                                the answer has the TC bit */
    uint64_t timeout_ms; /* whole exchange */
    /* For zone transfers: says whether these answers, each with its 2-byte length in front, are all of
     * them. NULL: one answer is all. */
    bool (*is_complete)(struct text answers);
    size_t answer_bytes_max; /* over all messages */
};

struct dns_result {
    enum call_fault fault;
    struct text error;
    struct text
        answers; /* one message without prefix; with is_complete all of them, each with its prefix */
    uint64_t duration_ms;
};

#endif
