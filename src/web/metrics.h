/* Figures for /metrics: requests are counted here as they are answered, everything else is read from its
 * owner when somebody asks. On the loop's thread only; the core's figures are aligned words that it alone
 * writes. Labels are routes and statuses, never names, addresses or ids (S37). */
#ifndef HOMEPORT_WEB_METRICS_H
#define HOMEPORT_WEB_METRICS_H

#include "core/call.h"
#include "core/times.h"
#include "core/turn.h"

/* What the listener counts, under names of our own: web/ does not know edge/. */
struct metrics_http {
    uint64_t connections_open, streams_open, connections_total, connections_refused, timeouts_total,
        bytes_in, bytes_out;
    uint64_t rate_limited, ban_refused; /* by the gate */
};
struct metrics_outside {
    uint64_t calls, faults, open;
};

/* Where the figures are. Pointers stay good until metrics_sources_set(NULL). */
struct metrics_sources {
    void *context;
    void (*collect)(void *context, struct metrics_http *http, uint64_t *store_used,
                    uint64_t *store_most);
    const struct core_figures *core;
    const struct metrics_outside *outside;
    const struct times *turns; /* time of a turn, commit included */
    const struct times
        *loop; /* time the loop was busy between two waits: what others had to wait */
    uint64_t started_ms;
};
void metrics_sources_set(const struct metrics_sources *sources);
const struct metrics_sources *metrics_sources(void);

/* An answer has been given. route NULL: none was found. us 0: not timed. */
void metrics_answered(const struct route *route, unsigned status, uint64_t us);

#endif
