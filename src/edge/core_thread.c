#include "edge/core_thread.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LINGER_SHARE = 16, LINGER_LEAST_NS = 10000, CORE_NICE = 5 };

struct outbox {
    struct mailbox mailbox;
    struct turn_result result;
    bool is_full; /* waits to be delivered, or is being delivered */
};

struct core_thread {
    uv_loop_t *loop;
    uv_async_t delivery;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t news; /* a message came in, an outbox was emptied, or the end was asked for */
    struct core *core;
    struct core_thread_settings settings;
    core_deliver deliver;
    void *context;
    void (*stopped)(void *context);
    void *stopped_context;
    struct mailbox inboxes[2];
    unsigned filling; /* the inbox that the loop fills */
    struct outbox outboxes[2];
    unsigned next_out,
        next_in; /* outbox to be filled next by the core, delivered next by the loop */
    bool is_waiting, is_ending, has_ended;
    unsigned last_count; /* messages of the last turn */
    uint64_t last_ns;    /* time it took */
    struct times times;
};

/* ---- on the core's thread ------------------------------------------------------------------------- */

static uint64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct turn_input fresh_input(void)
{
    struct turn_input input = {.now_ms = real_ms()};
    randombytes_buf(input.seed, sizeof input.seed);
    return input;
}

static void note_time(struct core_thread *self, uint64_t started_ns)
{
    self->last_ns = uv_hrtime() - started_ns;
    times_add(&self->times, self->last_ns / 1000);
}

/* An empty outbox, when the loop has one for us. */
static struct outbox *take_outbox(struct core_thread *self)
{
    struct outbox *outbox = &self->outboxes[self->next_out];
    uv_mutex_lock(&self->lock);
    while (outbox->is_full) uv_cond_wait(&self->news, &self->lock);
    uv_mutex_unlock(&self->lock);
    self->next_out ^= 1;
    mailbox_reset(&outbox->mailbox);
    return outbox;
}

static void hand_over(struct core_thread *self, struct outbox *outbox)
{
    uv_mutex_lock(&self->lock);
    outbox->is_full = true;
    uv_mutex_unlock(&self->lock);
    uv_async_send(&self->delivery);
}

/* Waits for messages and swaps the inboxes; NULL at the end. */
static struct mailbox *take_inbox(struct core_thread *self)
{
    struct mailbox *inbox = NULL;
    uv_mutex_lock(&self->lock);
    while (self->inboxes[self->filling].count == 0 && !self->is_ending) {
        self->is_waiting = true;
        uv_cond_wait(&self->news, &self->lock);
    }
    uint64_t linger_ns = self->last_ns / LINGER_SHARE;
    if (linger_ns >= LINGER_LEAST_NS && !self->is_ending) {
        uint64_t until = uv_hrtime() + linger_ns, now = 0;
        while (self->inboxes[self->filling].count < self->last_count &&
               (now = uv_hrtime()) < until) {
            self->is_waiting = true;
            uv_cond_timedwait(&self->news, &self->lock, until - now);
        }
    }
    self->is_waiting = false;
    if (self->inboxes[self->filling].count > 0) {
        inbox = &self->inboxes[self->filling];
        self->filling ^= 1;
        mailbox_reset(&self->inboxes[self->filling]);
    }
    uv_mutex_unlock(&self->lock);
    return inbox;
}

static void run_turns(struct core_thread *self, const struct mailbox *inbox)
{
    struct message *rest = inbox->first;
    self->last_count = inbox->count;
    while (rest != NULL) {
        /* A part of the inbox that borrows its messages. */
        struct mailbox part = {.first = rest};
        for (; rest != NULL && part.count < self->settings.batch_max; part.count++) {
            part.last = rest;
            rest = rest->next;
        }
        part.last->next = NULL;
        struct outbox *outbox = take_outbox(self);
        struct turn_input input = fresh_input();
        uint64_t started_ns = uv_hrtime();
        outbox->result = turn_run(self->core, &input, &part, &outbox->mailbox);
        note_time(self, started_ns);
        hand_over(self, outbox);
    }
}

static void run(void *argument)
{
    struct core_thread *self = argument;
    /* Where the loop and the core share one processor, the loop goes first: it has readers waiting. */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), CORE_NICE);
    struct outbox *outbox = take_outbox(self);
    struct turn_input input = fresh_input();
    outbox->result = core_start(self->core, &input, &outbox->mailbox);
    hand_over(self, outbox);
    for (struct mailbox *inbox; (inbox = take_inbox(self)) != NULL;) run_turns(self, inbox);
    uv_mutex_lock(&self->lock);
    self->has_ended = true;
    uv_mutex_unlock(&self->lock);
    uv_async_send(&self->delivery);
}

/* ---- on the loop ---------------------------------------------------------------------------------- */

static void closed(uv_handle_t *handle)
{
    struct core_thread *self = handle->data;
    self->stopped(self->stopped_context);
}

static void on_delivery(uv_async_t *async)
{
    struct core_thread *self = async->data;
    for (;;) {
        struct outbox *outbox = &self->outboxes[self->next_in];
        uv_mutex_lock(&self->lock);
        bool is_full = outbox->is_full;
        bool has_ended = self->has_ended;
        uv_mutex_unlock(&self->lock);
        if (!is_full) {
            if (!has_ended || uv_is_closing((uv_handle_t *)async)) return;
            uv_thread_join(&self->thread);
            uv_close((uv_handle_t *)async, closed);
            return;
        }
        self->deliver(self->context, &outbox->mailbox, &outbox->result);
        uv_mutex_lock(&self->lock);
        outbox->is_full = false;
        uv_cond_signal(&self->news);
        uv_mutex_unlock(&self->lock);
        self->next_in ^= 1;
    }
}

struct mailbox *core_thread_inbox(struct core_thread *self, bool is_request)
{
    uv_mutex_lock(&self->lock);
    struct mailbox *inbox = &self->inboxes[self->filling];
    bool is_half_full = inbox->count >= self->settings.waiting_max ||
                        inbox->arena.used_bytes >= self->settings.inbox_bytes_max / 2;
    bool is_full =
        arena_overflowed(&inbox->arena) || self->is_ending || (is_request && is_half_full);
    if (!is_full) return inbox;
    uv_mutex_unlock(&self->lock);
    return NULL;
}

void core_thread_post(struct core_thread *self)
{
    if (self->is_waiting) uv_cond_signal(&self->news);
    uv_mutex_unlock(&self->lock);
}

struct core_thread *core_thread_start(uv_loop_t *loop, struct core *core,
                                      const struct core_thread_settings *settings,
                                      core_deliver deliver, void *context)
{
    struct core_thread *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    *self = (struct core_thread){
        .loop = loop, .core = core, .settings = *settings, .deliver = deliver, .context = context};
    for (unsigned i = 0; i < 2; i++) {
        mailbox_init(&self->inboxes[i], settings->inbox_bytes_max);
        mailbox_init(&self->outboxes[i].mailbox, settings->outbox_bytes_max);
    }
    uv_mutex_init(&self->lock);
    uv_cond_init(&self->news);
    uv_async_init(loop, &self->delivery, on_delivery);
    self->delivery.data = self;
    /* The core's own stack stays small: it keeps its data in arenas. */
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = 512 << 10};
    int code = uv_thread_create_ex(&self->thread, &options, run, self);
    assert(code == 0); /* at the start: without a core there is nothing to go on with */
    return self;
}

void core_thread_stop(struct core_thread *self, void (*stopped)(void *context), void *context)
{
    self->stopped = stopped;
    self->stopped_context = context;
    uv_mutex_lock(&self->lock);
    self->is_ending = true;
    uv_cond_signal(&self->news);
    uv_mutex_unlock(&self->lock);
}

void core_thread_free(struct core_thread *self)
{
    for (unsigned i = 0; i < 2; i++) {
        mailbox_free(&self->inboxes[i]);
        mailbox_free(&self->outboxes[i].mailbox);
    }
    uv_cond_destroy(&self->news);
    uv_mutex_destroy(&self->lock);
    free(self);
}

const struct times *core_thread_times(const struct core_thread *self)
{
    return &self->times;
}
