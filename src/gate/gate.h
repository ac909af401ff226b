/* The gate: what every request passes before a handler sees it, in this order, each refusal with its code:
 *
 *     peer address ► Host ► route ► address: ban, limits ► who is asking ► may they ► user: limit ► query ► body
 *
 * It runs on the loop and touches no socket: it turns an http_request into a call, or into a reply that
 * refuses it. */
#ifndef HOMEPORT_GATE_GATE_H
#define HOMEPORT_GATE_GATE_H

#include "account/gate_auth.h"
#include "core/call.h"
#include "core/config.h"
#include "core/reader.h"
#include "core/request.h"
#include "core/secrets.h"
#include "gate/limits.h"

enum { REQUEST_ID_BYTES_MAX = 64 };

struct gate {
    const struct config *config;
    const struct secrets *secrets;
    struct auth_cache *auth;
    uint8_t id_seed[16]; /* for request ids */
    uint64_t id_count;
    char known_host[256]; /* the last Host that was found good: most requests bring the same */
    size_t known_host_bytes;
    struct limits *limits;
    uint64_t limited_count, ban_refused_count; /* requests that were refused, for metrics */
};

/* What a request is judged by. */
struct gate_view {
    struct reader read; /* a snapshot, spans into the store */
    uint64_t generation, now_ms;
    struct arena *arena; /* bodies and decoded texts */
};

/* What was learnt of a request, also when it is refused. */
struct gate_result {
    struct call call;
    struct text allow;        /* for 405 */
    bool wants_basic;         /* 401 on a route for routers: they speak Basic */
    struct ip_address client; /* behind trusted proxies: the right-most untrusted hop */
    char ip[IP_TEXT_SIZE];    /* the same as text; filled in on demand by gate_ip() */
    char request_id[REQUEST_ID_BYTES_MAX + 1];
    bool is_limited;  /* its route has a row in limits.def: the core's answer gets fields too */
    struct rate rate; /* for the answer's RateLimit fields; limit 0: none */
    uint64_t retry_after_s; /* of a refusal; 0: nothing is known */
};

/* NULL when memory is short. */
struct gate *gate_new(const struct config *config, const struct secrets *secrets);
void gate_free(struct gate *gate);

/* First of all, and for refused requests too: the caller's id if it sent a sane one, else a new one. */
void gate_identify(struct gate *gate, const struct http_request *rq, struct gate_result *result);
/* Peer and Host. */
enum err gate_admit(struct gate *gate, const struct http_request *rq, struct gate_result *result);
/* The rest. On a refusal that names fields or an offset, reply holds it already (status >= 400). */
enum err gate_check(struct gate *gate, const struct http_request *rq, const struct gate_view *view,
                    struct gate_result *result, struct reply *reply);
/* For files and answers to OPTIONS, which need no gate_check(): takes from the address's bucket. */
enum err gate_count(struct gate *gate, struct gate_result *result);
/* Seconds that this address is banned for yet; 0: it is not, or until the ban is lifted. */
uint64_t gate_banned_s(const struct gate *gate, const struct gate_view *view,
                       const struct ip_address *client);
/* Largest body that a method and path take. */
size_t gate_body_max(const struct gate *gate, struct text method, struct text path);
/* Whether browsers may call from this origin. */
bool gate_origin(const struct gate *gate, struct text origin);
struct text gate_ip(struct gate_result *result);

#endif
