/* homeport serve: where the edges meet the core. This folder wires and carries; it decides nothing.
 *
 *     run.c       opens everything in order, runs the loop, closes everything in reverse
 *     requests.c  http ► gate ► (reading handler | core) ► http
 *     events.c    commits ► clients of /api/v1/events
 *     outside.c   the core's calls ► fetch, dns_client, hasher, clock ► their answers, back to the core */
#ifndef HOMEPORT_SERVE_SERVE_H
#define HOMEPORT_SERVE_SERVE_H

#include <uv.h>

#include "core/turn.h"
#include "edge/core_thread.h"
#include "edge/dns_client.h"
#include "edge/fetch.h"
#include "edge/hasher.h"
#include "edge/http.h"
#include "edge/netlink.h"
#include "gate/gate.h"
#include "web/metrics.h"

struct event_client;
struct asked;
struct hashing;

/* What an answer from the core shall carry besides: CORS fields for a browser's origin, and the rate limit; or
 * that it shall be a page. */
struct pending {
    uint64_t exchange;
    struct ip_address client;
    bool is_limited;
    struct rate rate;
    bool wants_page;
    char origin[256]; /* empty: none */
};

struct serve {
    uv_loop_t *loop;
    const struct config *config;
    struct secrets secrets;
    struct store *store;
    struct core *core;
    struct core_thread *thread;
    struct gate *gate;
    struct http_server *http;
    struct fetcher *fetcher;
    struct dns_client *dns;
    struct netlink *netlink;
    struct hasher *hasher;
    uv_prepare_t before_sleep; /* gives the snapshot back before the loop waits */
    uv_timer_t wake, hurry, heartbeat;
    uv_signal_t signals[3];
    struct store_txn *snapshot; /* of this turn of the loop, taken at its first read */
    uint64_t snapshot_ms;       /* when */
    uint64_t answered_us;       /* when this turn's last read was answered; 0: none yet */
    struct arena arena;         /* of the request being looked at */
    struct reply reply;         /* the same */
    struct pending *pending;
    size_t pending_count, pending_room;
    struct event_client *clients;
    struct asked *asked;                      /* calls under way */
    struct asked *unsent_first, *unsent_last; /* of them: sent in the next turns of the loop */
    uv_idle_t sender;
    struct hashing *hashings; /* the same for password hashes */
    struct metrics_outside outside;
    struct metrics_sources metrics;
    struct times loop_times; /* how long the loop worked between two waits */
    uint64_t slept_at_ns,
        idle_ns;         /* when it went to wait last, and how long it had waited in all by then */
    uint64_t audit_head; /* newest entry that is committed */
    bool is_ready, is_stopping;
    int exit_code;
};

struct home;
/* The folder is open and locked. Returns the process's exit code. */
int serve_run(struct home *home);

/* requests.c */
size_t serve_body_max(void *context, struct text method, struct text path);
void serve_request(void *context, uint64_t exchange, const struct http_request *rq);
void serve_refused(void *context, uint64_t exchange, const struct http_request *rq, enum err why);
void serve_answer(struct serve *serve, const struct answer *answer);
/* The snapshot of this turn of the loop. */
enum err serve_snapshot(struct serve *serve, struct gate_view *view);
void serve_release_snapshot(struct serve *serve);
uint64_t serve_now_ms(void);
/* Posts to the core; false when its inbox is full. */
bool serve_post(struct serve *serve, enum message_name name, const void *contents);

/* events.c */
void events_begin(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                  const struct gate_result *who, struct text fields);
void events_closed(void *context, uint64_t exchange);
void events_committed(struct serve *serve);
void events_end_all(struct serve *serve);

/* outside.c */
void outside_deliver(struct serve *serve, const struct message *message);
void outside_interfaces(void *context, const struct interface_address *addresses, unsigned count);
void outside_on_wake(uv_timer_t *timer);
void outside_forget_all(struct serve *serve);

#endif
