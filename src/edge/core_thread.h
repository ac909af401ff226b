/* The core's thread, and the hand-over between it and the loop.
 *
 *     loop:  core_thread_inbox ► mailbox_add ... ► core_thread_post
 *     core:  takes the whole inbox ► turn_run ► hands the outbox back
 *     loop:  deliver(outbox), woken by uv_async
 *
 * There are two inboxes and two outboxes, swapped: while one turn runs, the next inbox fills, which is all
 * that group commit needs. On a disk whose sync is slow the thread lingers for a sixteenth of its last
 * commit when fewer messages wait than the last turn had: clients that were just answered come back within
 * that time, and one commit serves them all instead of every other one. */
#ifndef HOMEPORT_EDGE_CORE_THREAD_H
#define HOMEPORT_EDGE_CORE_THREAD_H

#include <uv.h>

#include "core/times.h"
#include "core/turn.h"

struct core_thread;

/* On the loop. The outbox is good until this returns. */
typedef void (*core_deliver)(void *context, const struct mailbox *outbox,
                             const struct turn_result *result);

struct core_thread_settings {
    unsigned batch_max;   /* messages in one turn */
    unsigned waiting_max; /* messages in one inbox */
    size_t inbox_bytes_max, outbox_bytes_max;
};

/* Starts the thread; its first turn is core_start(). NULL when memory or threads are short. */
struct core_thread *core_thread_start(uv_loop_t *loop, struct core *core,
                                      const struct core_thread_settings *settings,
                                      core_deliver deliver, void *context);

/* Locks the inbox and gives it out, or NULL when it is full (for requests it is full at half its bytes and
 * at waiting_max messages, so that answers to the core's own calls always have room). core_thread_post()
 * must follow soon. */
struct mailbox *core_thread_inbox(struct core_thread *thread, bool is_request);
void core_thread_post(struct core_thread *thread);

/* Runs what waits, delivers it, and ends the thread; `stopped` is called on the loop after that. */
void core_thread_stop(struct core_thread *thread, void (*stopped)(void *context), void *context);
/* After `stopped`, when the loop has run its close callbacks. */
void core_thread_free(struct core_thread *thread);

/* How long turns took, commit included, for metrics. */
const struct times *core_thread_times(const struct core_thread *thread);

#endif
