/* The turn: one write transaction around a batch of steps.
 *
 *     begin ► for each message: step (handler, then apply what it staged) ► start due tasks ► commit
 *
 * A step that refuses leaves nothing behind. A failing store (full, broken) ends the whole turn: the
 * transaction is dropped, every request in the batch is told so, and the actors start anew from the
 * records, which is also what happens after a crash: one way back for everything. */
#include "core/turn.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/actor.h"
#include "core/apply.h"
#include "core/idempotency.h"
#include "core/log.h"
#include "core/router.h"

enum {
    STEP_BYTES_MAX = 64 << 20,     /* a step's arena; a fan-out or an import is the largest */
    ANSWER_BYTES_MAX = 4 << 20,
    CARRIED_BYTES_MAX = 16 << 20,
    RETRY_AFTER_FAILURE_MS = 5000,
    TASK_STARTS_MAX = 256,         /* in one turn; the rest is started by the next */
    ID_SEQUENCE_BITS = 12,
    ID_MACHINE_BITS = 10
};
static const uint64_t id_epoch_ms = 1577836800000; /* 2020-01-01T00:00:00Z */

struct core {
    struct store *store;
    const struct config *config;
    const struct secrets *secrets;
    struct account *account;
    struct ddns *ddns;
    struct notify *notify;
    struct scheduler *scheduler;
    struct arena arena; /* of the step that runs */
    struct reply reply; /* of the step that runs */
    struct idempotent_waits waits;
    struct mailbox carried; /* messages of turns whose commit failed: they come again first in the next */
    struct core_figures figures;
    /* of the turn that runs */
    const struct turn_input *input;
    struct mailbox *outbox;
    struct store_txn *txn;
    struct audit_head audit, audit_before;
    uint64_t last_id, last_id_before;
    uint64_t random_count;
    bool has_applied;
    enum err broken; /* the store has failed: the turn cannot be kept */
};

struct account *core_account(struct core *core)
{
    return core->account;
}

struct ddns *core_ddns(struct core *core)
{
    return core->ddns;
}

struct notify *core_notify(struct core *core)
{
    return core->notify;
}

struct scheduler *core_scheduler(struct core *core)
{
    return core->scheduler;
}

struct core_figures *core_figures(struct core *core)
{
    return &core->figures;
}

struct core *core_open(struct store *store, const struct config *config, const struct secrets *secrets)
{
    struct core *core = calloc(1, sizeof *core);
    if (core == NULL) return NULL;
    *core = (struct core){.store = store, .config = config, .secrets = secrets};
    core->figures.last_commit_ok = core->figures.last_push_ok = true;
    arena_init(&core->arena, STEP_BYTES_MAX);
    json_init(&core->reply.body, ANSWER_BYTES_MAX);
    mailbox_init(&core->carried, CARRIED_BYTES_MAX);
    core->account = account_new();
    core->ddns = ddns_new();
    core->notify = notify_new();
    core->scheduler = scheduler_new();
    bool has_all = core->account != NULL && core->ddns != NULL && core->notify != NULL && core->scheduler != NULL;
    if (has_all) return core;
    core_close(core);
    return NULL;
}

void core_close(struct core *core)
{
    if (core->account != NULL) account_free(core->account);
    if (core->ddns != NULL) ddns_free(core->ddns);
    if (core->notify != NULL) notify_free(core->notify);
    if (core->scheduler != NULL) scheduler_free(core->scheduler);
    arena_free(&core->arena);
    json_free(&core->reply.body);
    mailbox_free(&core->carried);
    free(core);
}

/* ---- what a step may do --------------------------------------------------------------------------- */

uint64_t step_id(struct step *step)
{
    struct core *core = step->core;
    uint64_t fresh = (step->now_ms - id_epoch_ms) << (ID_SEQUENCE_BITS + ID_MACHINE_BITS);
    /* The sequence runs over into the milliseconds when it is full, and goes on from the last id when the
     * clock has stepped back: ids only ever grow. The machine number is 0: there is one homeport a store. */
    if (fresh > core->last_id) {
        core->last_id = fresh;
    } else if ((core->last_id & ((1u << ID_SEQUENCE_BITS) - 1)) == (1u << ID_SEQUENCE_BITS) - 1) {
        uint64_t ms = (core->last_id >> (ID_SEQUENCE_BITS + ID_MACHINE_BITS)) + 1;
        core->last_id = ms << (ID_SEQUENCE_BITS + ID_MACHINE_BITS);
    } else {
        core->last_id++;
    }
    return core->last_id;
}

void step_random(struct step *step, void *out, size_t bytes)
{
    struct core *core = step->core;
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    core->random_count++;
    memcpy(nonce, &core->random_count, sizeof nonce);
    crypto_stream_chacha20(out, bytes, nonce, core->input->seed);
}

static void stage(struct step *step, const struct record_type *type, uint64_t id, const void *record)
{
    for (struct staged *s = step->read.staged; s != NULL; s = s->next) {
        if (s->type != type || s->id != id) continue;
        s->record = record;
        return;
    }
    struct staged *s = arena_new(step->arena, struct staged);
    if (s == NULL) return;
    *s = (struct staged){type, id, record, step->read.staged};
    step->read.staged = s;
}

void record_put(struct step *step, const struct record_type *type, const void *record)
{
    void *copy = arena_alloc(step->arena, type->bytes);
    if (copy == NULL) return;
    memcpy(copy, record, type->bytes);
    assert(record_id(type, copy) != 0);
    stage(step, type, record_id(type, copy), copy);
}

void record_remove(struct step *step, const struct record_type *type, uint64_t id)
{
    stage(step, type, id, NULL);
}

static void emit_own(struct step *step, enum message_name name, const void *contents)
{
    struct message *message = arena_new(step->arena, struct message);
    if (message == NULL || contents == NULL) return;
    *message = (struct message){name, contents, NULL};
    if (step->emitted_last != NULL) {
        step->emitted_last->next = message;
    } else {
        step->emitted = message;
    }
    step->emitted_last = message;
}

void emit(struct step *step, enum message_name name, const void *contents)
{
    emit_own(step, name, contents_copy(&step->core->outbox->arena, message_info(name)->carries, contents));
}

/* ---- answers -------------------------------------------------------------------------------------- */

static void emit_answer(struct step *step, const struct reply *reply, const struct call *call)
{
    struct arena *arena = &step->core->outbox->arena;
    if (call->exchange == 0) return;
    struct answer *answer = arena_new(arena, struct answer);
    if (answer == NULL) return;
    *answer = (struct answer){
        .exchange = call->exchange,
        .status = reply->status,
        .content_type = reply->content_type,
        .etag = arena_text(arena, text_of(reply->etag)),
        .body = arena_text(arena, json_text(&reply->body)),
        .request_id = arena_text(arena, call->request_id),
        .route = call->route,
        .started_us = call->started_us,
    };
    emit_own(step, MESSAGE_reply, answer);
}

void reply_later(struct step *step, uint64_t exchange, const struct route *route, enum err e,
                 const struct record_type *type, const void *record, struct text request_id)
{
    struct idempotent_key key;
    struct reply *reply = &step->core->reply;
    bool has_key = idempotency_done(&step->core->waits, exchange, &key);
    reply_start(reply, route);
    if (e == OK) {
        if (type == NULL) reply_no_data(reply);
        if (type != NULL) reply_one(reply, type, record);
        if (has_key) idempotency_keep(step, &key, reply);
    } else {
        reply_error(reply, e, NULL, request_id);
    }
    emit_answer(step, reply, &(struct call){.exchange = exchange, .route = route, .request_id = request_id});
}

void reply_later_saying(struct step *step, uint64_t exchange, const struct route *route, enum err e,
                        struct text message, struct text request_id)
{
    struct idempotent_key key;
    struct reply *reply = &step->core->reply;
    idempotency_done(&step->core->waits, exchange, &key);
    reply_start(reply, route);
    reply_error_saying(reply, e, message, request_id);
    emit_answer(step, reply, &(struct call){.exchange = exchange, .route = route, .request_id = request_id});
}

struct reply *reply_later_begin(struct step *step, const struct route *route)
{
    reply_start(&step->core->reply, route);
    return &step->core->reply;
}

void reply_later_end(struct step *step, uint64_t exchange, const struct route *route, struct text request_id)
{
    assert(route->status != 201 && route->status != 202); /* see idempotency_applies() */
    emit_answer(step, &step->core->reply, &(struct call){.exchange = exchange, .route = route, .request_id = request_id});
}

/* ---- one step ------------------------------------------------------------------------------------- */

static void step_begin(struct core *core, struct step *step)
{
    arena_reset(&core->arena);
    *step = (struct step){
        .read = {.txn = core->txn, .arena = &core->arena},
        .arena = &core->arena,
        .now_ms = core->input->now_ms,
        .config = core->config,
        .secrets = core->secrets,
        .core = core,
    };
}

static void deliver(struct core *core, const struct step *step)
{
    for (const struct message *m = step->emitted; m != NULL; m = m->next) {
        mailbox_add_own(core->outbox, m->name, m->contents);
    }
}

/* Applies what the step has staged. Its messages go out with the turn. */
static enum err step_end(struct core *core, struct step *step)
{
    if (arena_overflowed(step->arena) || arena_overflowed(&core->outbox->arena)) return ERR_OVERLOADED;
    enum err e = apply_check(step);
    if (e != OK) return e;
    if (step->read.staged != NULL) {
        core->has_applied = true;
        e = apply_staged(step, &core->audit);
        if (e != OK) {
            core->broken = e; /* partly written: only the end of the transaction can take that back */
            return e;
        }
    }
    deliver(core, step);
    return OK;
}

static enum err dispatch(struct core *core, struct step *step, const struct message *message)
{
    switch (message->name) {
#define EVENT(from, to, name_, carries, sentence) \
    case MESSAGE_##name_: \
        return to##_on_##name_(core->to, step, message->contents);
#define CALL(from, to, name_, carries, answers, sentence) \
    case MESSAGE_##name_##_done: \
        return from##_on_##name_##_done(core->from, step, message->contents); \
    case MESSAGE_##name_: \
        break;
#define EFFECT(from, to, name_, carries, sentence) \
    case MESSAGE_##name_: \
        break;
#include "messages.def"
#undef EVENT
#undef CALL
#undef EFFECT
    case MESSAGE_request:
    case MESSAGE_reply:
    case MESSAGE_COUNT:
        break;
    }
    assert(!"a message that never enters the core");
    return ERR_INTERNAL;
}

/* Runs the route's handler, or finds the answer that an earlier request with the same key was given. */
static enum err handle(struct core *core, struct step *step, const struct call *call)
{
    struct idempotent_key key;
    struct reply *reply = &core->reply;
    bool has_key = idempotency_applies(step->secrets, call, &key);
    reply_start(reply, call->route);
    if (has_key) {
        enum err e = idempotency_find(step, &core->waits, &key, reply);
        if (e != ERR_NOT_FOUND) return e;
    }
    enum err e = call->route->turn(step, call, reply);
    if (e == OK && has_key && reply->status < 400) idempotency_keep(step, &key, reply);
    if (e == LATER && has_key && !idempotency_wait(&core->waits, call->exchange, &key)) return ERR_OVERLOADED;
    return e;
}

static void refuse(struct core *core, struct step *step, const struct call *call, enum err e)
{
    step_begin(core, step);
    /* A handler that names bad fields has written its refusal itself. */
    if (core->reply.status < 400 || json_text(&core->reply.body).bytes == 0) {
        reply_error(&core->reply, e, NULL, call->request_id);
    }
    emit_answer(step, &core->reply, call);
    deliver(core, step);
}

static void run_request(struct core *core, const struct call *call)
{
    struct step step;
    struct idempotent_key key;
    step_begin(core, &step);
    step.caller = call->caller;
    step.ip = call->ip;
    step.request_id = call->request_id;
    enum err e = handle(core, &step, call);
    bool is_later = e == LATER, is_refused = e != OK && !is_later && e != ERR_OVERLOADED;
    if (e == OK) emit_answer(&step, &core->reply, call);
    if (e == OK || is_later) e = step_end(core, &step);
    if (e == OK) return;
    if (is_later) idempotency_done(&core->waits, call->exchange, &key);
    if (!is_refused) core->reply.status = 0; /* what the handler wrote is not about this */
    refuse(core, &step, call, e);
}

/* Whether a request waits for what comes of this message: then it must be answered, whatever happens. An
 * error looks the same on every route. */
static bool is_waited_for(const struct message *message, struct call *waiting)
{
    *waiting = (struct call){.route = route_named(TEXT("user_login"))};
    if (message->name == MESSAGE_hash_done) {
        const struct hash_answer *answer = message->contents;
        waiting->exchange = answer->exchange;
        waiting->request_id = answer->request_id;
    } else if (message->name == MESSAGE_query_done) {
        const struct outside_answer *answer = message->contents;
        struct captcha_wait wait;
        waiting->exchange = answer->task_id;
        if (record_decode(&captcha_wait_type, answer->memo, &wait) == OK) waiting->request_id = wait.request_id;
    }
    return waiting->exchange != 0;
}

static void run_message(struct core *core, const struct message *message)
{
    struct step step;
    core->figures.messages++;
    if (message->name == MESSAGE_request) {
        run_request(core, message->contents);
        return;
    }
    step_begin(core, &step);
    enum err e = dispatch(core, &step, message);
    if (e == OK) e = step_end(core, &step);
    if (e == OK) return;
    log_line(LOG_WARNING, "a message was refused", LOG_TEXT("message", message_info(message->name)->name),
             LOG_ERR(e), LOG_END);
    struct call waiting;
    if (!is_waited_for(message, &waiting)) return;
    step_begin(core, &step);
    reply_later(&step, waiting.exchange, waiting.route, e, NULL, NULL, waiting.request_id);
    deliver(core, &step);
}

static void ask_to_wake(struct core *core, struct step *step, uint64_t at_ms)
{
    core->figures.wake_ms = at_ms;
    emit_wake(step, &(struct wake_call){.at = at_ms});
}

/* Starts what is due. A task whose start fails in our own hands is left for the next turn. */
static void start_tasks(struct core *core)
{
    struct step step;
    bool is_done = false;
    for (unsigned i = 0; i < TASK_STARTS_MAX && !is_done && core->broken == OK; i++) {
        step_begin(core, &step);
        enum err e = scheduler_run_one(core->scheduler, &step, &is_done);
        if (e == OK) e = step_end(core, &step);
        if (e != OK) {
            log_line(LOG_ERROR, "a task could not be started", LOG_ERR(e), LOG_END);
            return;
        }
    }
    step_begin(core, &step);
    ask_to_wake(core, &step, scheduler_wake_ms(core->scheduler, core->input->now_ms));
    deliver(core, &step);
}

/* ---- one turn ------------------------------------------------------------------------------------- */

static enum err load(struct core *core)
{
    struct text value;
    struct key key = key_of_meta("last_id");
    enum err e = store_get(core->txn, key_text(&key), &value);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    /* Read anew in every turn: the command line may have written in between, from another process. */
    uint64_t stored = e == OK && value.bytes == 8 ? key_last_u64(value) : 0;
    if (stored > core->last_id) core->last_id = stored;
    core->last_id_before = stored;
    e = audit_head_read(core->txn, &core->audit);
    core->audit_before = core->audit;
    return e;
}

static enum err save(struct core *core)
{
    enum err e = OK;
    if (core->last_id != core->last_id_before) {
        struct key key = key_of_meta("last_id"), value;
        value.count = 0;
        key_add_u64(&value, core->last_id);
        e = store_put(core->txn, key_text(&key), key_text(&value));
    }
    if (e == OK && core->audit.number != core->audit_before.number) e = audit_head_write(core->txn, &core->audit);
    return e;
}

static enum err begin(struct core *core, const struct turn_input *input, struct mailbox *outbox)
{
    core->input = input;
    core->outbox = outbox;
    core->random_count = 0;
    core->has_applied = false;
    core->broken = OK;
    core->figures.turns++;
    enum err e = store_begin(core->store, &core->txn);
    if (e != OK) return e;
    e = load(core);
    if (e != OK) store_abort(core->txn);
    return e;
}

static enum err finish(struct core *core)
{
    if (core->broken == OK && core->has_applied) core->broken = save(core);
    if (core->broken != OK || !core->has_applied) {
        store_abort(core->txn);
        return core->broken;
    }
    enum err e = store_commit(core->txn);
    if (e != OK) {
        core->figures.commits_failed++;
        core->figures.last_commit_ok = false;
        return e;
    }
    core->figures.commits++;
    core->figures.last_commit_ok = true;
    core->figures.audit_entries = core->audit.number;
    return OK;
}

static enum err start_actors(struct core *core)
{
    struct step step;
    step_begin(core, &step);
    enum err e = scheduler_start(core->scheduler, &step);
    if (e == OK) e = account_start(core->account, &step);
    if (e == OK) e = ddns_start(core->ddns, &step);
    if (e == OK) e = notify_start(core->notify, &step);
    return e == OK ? step_end(core, &step) : e;
}

static enum err recover_tasks(struct core *core)
{
    struct step step;
    step_begin(core, &step);
    enum err e = scheduler_recover(core->scheduler, &step);
    return e == OK ? step_end(core, &step) : e;
}

struct turn_result core_start(struct core *core, const struct turn_input *input, struct mailbox *outbox)
{
    enum err e = begin(core, input, outbox);
    if (e != OK) return (struct turn_result){.commit = e};
    e = start_actors(core);
    if (e == OK) e = recover_tasks(core);
    if (e != OK) core->broken = e;
    if (e == OK) start_tasks(core);
    e = finish(core);
    return (struct turn_result){e, core->has_applied, core->audit.number};
}

/* What the outside world has told is told only once: it must not be lost with the turn. */
static void carry(struct core *core, const struct message *message)
{
    if (mailbox_add(&core->carried, message->name, message->contents)) return;
    log_line(LOG_ERROR, "a message is lost: too many wait for the store", LOG_TEXT("message", message_info(message->name)->name),
             LOG_END);
}

static void fail_request(struct core *core, struct step *step, const struct call *call, enum err why)
{
    struct idempotent_key key;
    idempotency_done(&core->waits, call->exchange, &key);
    reply_start(&core->reply, call->route);
    reply_error(&core->reply, why, NULL, call->request_id);
    emit_answer(step, &core->reply, call);
}

/* Nothing of the turn was kept: each request learns it, everything else comes again, and the actors are as
 * the records say again. */
static void fail_all(struct core *core, const struct turn_input *input, struct mailbox *inbox, struct mailbox *outbox,
                     enum err why)
{
    struct step step = {.core = core, .arena = &core->arena};
    struct call waiting;
    if (why != ERR_STORE_FULL) why = ERR_STORE;
    mailbox_reset(outbox);
    arena_reset(&core->arena);
    for (const struct message *m = inbox->first; m != NULL; m = m->next) {
        if (m->name == MESSAGE_request) {
            fail_request(core, &step, m->contents, why);
        } else if (is_waited_for(m, &waiting)) {
            fail_request(core, &step, &waiting, why);
        } else {
            carry(core, m);
        }
    }
    ask_to_wake(core, &step, input->now_ms + RETRY_AFTER_FAILURE_MS);
    deliver(core, &step);
    log_line(LOG_ERROR, "a commit failed; nothing of it was kept", LOG_ERR(why), LOG_END);
    if (begin(core, input, outbox) != OK) return;
    start_actors(core);
    store_abort(core->txn);
}

static void run_messages(struct core *core, const struct mailbox *mailbox)
{
    for (const struct message *m = mailbox->first; m != NULL && core->broken == OK; m = m->next) run_message(core, m);
}

struct turn_result turn_run(struct core *core, const struct turn_input *input, struct mailbox *inbox,
                            struct mailbox *outbox)
{
    enum err e = begin(core, input, outbox);
    if (e == OK) {
        run_messages(core, &core->carried);
        run_messages(core, inbox);
        if (core->broken == OK) start_tasks(core);
        e = finish(core);
    }
    if (inbox->count > core->figures.messages_in_largest_turn) core->figures.messages_in_largest_turn = inbox->count;
    if (e == OK) {
        mailbox_reset(&core->carried);
    } else {
        fail_all(core, input, inbox, outbox, e);
    }
    return (struct turn_result){e, e == OK && core->has_applied, core->audit.number};
}

struct turn_result turn_decide(struct core *core, const struct turn_input *input, struct mailbox *outbox,
                               enum err (*decide)(struct step *step, void *context), void *context,
                               enum err *decided)
{
    struct step step;
    enum err e = begin(core, input, outbox);
    *decided = e;
    if (e != OK) return (struct turn_result){.commit = e};
    step_begin(core, &step);
    step.request_id = TEXT("cli");
    *decided = decide(&step, context);
    if (*decided == OK) *decided = step_end(core, &step);
    e = finish(core);
    if (e != OK) *decided = e;
    return (struct turn_result){e, e == OK && core->has_applied, core->audit.number};
}
