/* What the files of the fetcher share.
 *
 *   fetch.c         opens and closes, keeps the calls in order, reports their ends
 *   fetch_lane.c    one curl multi handle on the loop
 *   fetch_call.c    one call: copied, given to curl in full options, its answer gathered
 *   fetch_socket.c  opens its sockets: the guard, the family, the network interface
 *   fetch_answer.c  reads the answer's fields
 *   fetch_mail.c    mail by SMTP, each on a thread of its own
 *   fetch_error.c   says why there was no answer
 *   fetch_trust.c   certificate authorities and TLS settings
 *
 * Two lanes. A connection that an open call made must never serve a guarded one, whose address
 * would then go unchecked; so guarded calls have a curl multi, with its connections and its DNS
 * cache, of their own. */
#ifndef HOMEPORT_EDGE_FETCH_PRIVATE_H
#define HOMEPORT_EDGE_FETCH_PRIVATE_H

#include <curl/curl.h>

#include "edge/fetch.h"
#include "edge/fetch_trust.h"

enum {
    ORIGIN_SIZE = 300, /* "https://" + 253 bytes of name + ":65535" and some */
    ERROR_SIZE = 768,
    ANSWER_BYTES_FIRST = 4096, /* first size of the answer's buffer; it doubles */
    CONNECTIONS_KEPT = 4,      /* idle ones in a lane: a TLS one holds 40 KiB */
    REST_MS = 30000            /* a lane without calls for this long gives everything back */
};

struct fetch_call {
    struct fetch_call *next, *previous;
    struct fetcher *fetcher;

    uint64_t ref;
    fetch_done done;
    void *context;
    uint64_t started_ms; /* uv_now() */
    uint64_t started_ns; /* uv_hrtime() */

    struct http_call call; /* its texts point into `bytes`, each with a closing zero byte */
    const struct fetch_settings *settings;
    char origin[ORIGIN_SIZE]; /* "scheme://host:port": all that an error may tell of the URL */
    const char *host;         /* in origin, behind "://", with its port */
    bool is_tls;

    CURL *easy;
    struct curl_slist *fields;
    struct trust *trust;
    br_x509_minimal_context *verifier;
    CURLcode code;         /* how it ended */
    enum call_fault fault; /* set when it failed before or beside curl; goes before `code` */

    /* Noticed by the callbacks, for the error. */
    bool is_memory_short;
    bool is_too_long;
    unsigned sockets_opened, sockets_refused;
    int socket_errno, interface_errno;
    struct ip_address refused; /* the address the guard stopped at */

    struct mail_run *mail; /* a mail's own part; see fetch_mail.c */

    char *body;
    size_t body_bytes, body_size;
    char curl_error[CURL_ERROR_SIZE];
    char error[ERROR_SIZE];
    size_t block_bytes; /* of this struct with `bytes`, for wiping */
    char bytes[];
};

/* fetch_call.c */
/* Copies. A call that cannot be made (URL, method, fields) has its `fault` and `error` set.
 * NULL: memory. */
struct fetch_call *fetch_call_new(const struct http_call *call,
                                  const struct fetch_settings *settings);
/* Makes the curl handle. False when memory is short. `trust` is used by TLS calls only. */
bool fetch_call_prepare(struct fetch_call *call, struct trust *trust, uint64_t timeout_ms);
/* Wipes and frees; the curl handle must have left its lane. */
void fetch_call_free(struct fetch_call *call);

/* fetch_socket.c: CURLOPT_OPENSOCKETFUNCTION, context is the call. */
curl_socket_t fetch_socket_open(void *context, curlsocktype purpose, struct curl_sockaddr *address);

/* fetch_answer.c: status and fields of an answer that arrived whole. */
void fetch_answer_read(struct fetch_call *call, struct http_result *result);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7, the form that is sent) as epoch
 * milliseconds, else 0. */
uint64_t fetch_date_read(const char *text);

/* fetch_error.c: fault and sentence of a call that has no answer. */
void fetch_explain(struct fetch_call *call, struct http_result *result);
/* Whether it was the certificate: then no other try will fare better. */
bool fetch_is_certificate_fault(const struct fetch_call *call);

/* fetch_mail.c */
struct mailer {
    struct fetcher *fetcher;
    uv_async_t ended;         /* a thread has ended */
    uv_timer_t late;          /* cuts off mails whose end is overdue */
    struct fetch_call *first; /* running, by call->mail */
};
bool mailer_open(struct mailer *mailer, struct fetcher *fetcher, uv_loop_t *loop);
/* Puts a mail's options on the curl handle, after those that all calls have. False: memory. */
bool mail_prepare(struct fetch_call *call, uint64_t timeout_ms);
/* Whether url, addresses and message can be sent; else fault and error are set. */
bool mail_check(struct fetch_call *call);
/* Starts its thread. False when there is no memory for one. */
bool mailer_start(struct mailer *mailer, struct fetch_call *call, uint64_t timeout_ms);
/* A mail whose thread has ended, its `code` set; NULL: none. */
struct fetch_call *mailer_take_ended(struct mailer *mailer);
/* The result of a mail that has ended. */
void mail_read_result(struct fetch_call *call, struct http_result *result);
void mail_free(struct fetch_call *call);
/* Cuts off what runs; calls are freed as their threads end, without `done`. */
void mailer_close(struct mailer *mailer);

/* fetch_lane.c */
struct fetch_lane {
    struct fetcher *fetcher;
    uv_loop_t *loop;
    CURLM *multi; /* NULL while resting */
    uv_timer_t timer;
    bool is_broken; /* curl gave up on the multi: its calls must end, then lane_rest() */
};

void lane_open(struct fetch_lane *lane, struct fetcher *fetcher, uv_loop_t *loop);
bool lane_add(struct fetch_lane *lane, struct fetch_call *call);
void lane_remove(struct fetch_lane *lane, struct fetch_call *call);
/* Takes a call that has ended out of the lane, its `code` set; NULL when there is none (any
 * more). */
struct fetch_call *lane_take_ended(struct fetch_lane *lane);
/* Gives back connections, caches and memory. No call may be in the lane. */
void lane_rest(struct fetch_lane *lane);
void lane_close(struct fetch_lane *lane);

/* fetch.c, called by lanes: curl has moved, look for ended calls; and the life of libuv handles. */
void fetcher_moved(struct fetcher *fetcher);
bool fetcher_is_closing(const struct fetcher *fetcher);
void fetcher_handle_opened(struct fetcher *fetcher);
void fetcher_handle_closed(struct fetcher *fetcher);

#endif
