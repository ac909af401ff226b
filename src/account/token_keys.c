#include "account/token_keys.h"

#include "account/account.h"
#include "core/listing.h"
#include "core/log.h"
#include "task/task.h"

enum { ROWS_MAX = 2 * KEY_RING_MAX };

/* ---- rows ----------------------------------------------------------------------------------------- */

/* Newest first. There are never more: a rotation takes away what had ended before it. */
struct rows {
    unsigned count;
    struct token_key items[ROWS_MAX];
};

static enum err rows_read(const struct reader *reader, struct rows *rows)
{
    struct walk walk;
    uint64_t id;
    enum err e = OK;
    rows->count = 0;
    walk_begin_all(&walk, reader, &token_key_type, 0, true);
    while (e == OK && rows->count < ROWS_MAX && walk_next(&walk, &id)) {
        e = token_key_get(reader, id, &rows->items[rows->count++]);
    }
    walk_end(&walk);
    return e;
}

static bool has_ended(const struct token_key *row, uint64_t now_ms)
{
    return row->retires_at != 0 && row->retires_at <= now_ms;
}

/* ---- the ring ------------------------------------------------------------------------------------- */

void signing_key_of(const struct secrets *secrets, uint64_t number, struct signing_key *key)
{
    uint8_t secret[32];
    secrets_token_key(secrets, number, secret);
    signing_key_init(key, number, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
}

/* The rows whose keys are good, at most KEY_RING_MAX; the first key when there are no rows yet. */
static unsigned rows_good(struct rows *rows, uint64_t now_ms)
{
    unsigned count = 0;
    if (rows->count == 0) rows->items[rows->count++] = (struct token_key){.number = 1};
    for (unsigned i = 0; i < rows->count && count < KEY_RING_MAX; i++) {
        if (!has_ended(&rows->items[i], now_ms)) rows->items[count++] = rows->items[i];
    }
    return count;
}

static bool holds(const struct key_ring *ring, const struct rows *rows, unsigned count)
{
    bool is_same = ring->count == count;
    for (unsigned i = 0; i < count && is_same; i++)
        is_same = ring->keys[i].number == rows->items[i].number;
    return is_same;
}

enum err key_ring_read(struct key_ring *ring, const struct reader *reader,
                       const struct secrets *secrets, uint64_t now_ms)
{
    struct rows rows;
    enum err e = rows_read(reader, &rows);
    unsigned count = e == OK ? rows_good(&rows, now_ms) : 0;
    if (!holds(ring, &rows, count)) {
        key_ring_wipe(ring);
        for (unsigned i = 0; i < count; i++)
            signing_key_of(secrets, rows.items[i].number, &ring->keys[i]);
        ring->count = count;
    }
    for (unsigned i = 0; i < count; i++) ring->keys[i].ends_ms = rows.items[i].retires_at;
    return e;
}

void key_ring_wipe(struct key_ring *ring)
{
    sodium_memzero(ring, sizeof *ring);
}

enum err signing_key_now(struct step *s, struct signing_key *key)
{
    struct rows rows;
    enum err e = rows_read(&s->read, &rows);
    if (e != OK) return e;
    signing_key_of(s->secrets, rows.count > 0 ? rows.items[0].number : 1, key);
    return OK;
}

/* ---- another key ---------------------------------------------------------------------------------- */

/* From now on, how long a token lives that was made just now. */
static uint64_t longest_life_ms(const struct config *config)
{
    uint64_t longest_s = config->auth_device_ttl;
    if (config->auth_access_ttl > longest_s) longest_s = config->auth_access_ttl;
    if (config->auth_refresh_ttl > longest_s) longest_s = config->auth_refresh_ttl;
    return longest_s * 1000;
}

static struct token_key first_key(struct step *s)
{
    return (struct token_key){.id = step_id(s), .number = 1, .created_at = s->now_ms};
}

/* How many are good, and when the first of them ends. */
static unsigned good_count(const struct rows *rows, uint64_t now_ms, uint64_t *first_end_ms)
{
    unsigned count = 0;
    *first_end_ms = UINT64_MAX;
    for (unsigned i = 0; i < rows->count; i++) {
        if (has_ended(&rows->items[i], now_ms)) continue;
        uint64_t end_ms = rows->items[i].retires_at;
        if (end_ms != 0 && end_ms < *first_end_ms) *first_end_ms = end_ms;
        count++;
    }
    return count;
}

/* Takes away what had ended before, and lets the others end. */
static void rows_retire(struct step *s, struct rows *rows, bool revoke_old)
{
    for (unsigned i = 0; i < rows->count; i++) {
        struct token_key *row = &rows->items[i];
        if (has_ended(row, s->now_ms)) {
            token_key_remove(s, row->id);
            continue;
        }
        if (!revoke_old && row->retires_at != 0) continue;
        row->retires_at = revoke_old ? s->now_ms : s->now_ms + longest_life_ms(s->config);
        token_key_put(s, row);
    }
}

enum err token_keys_rotate(struct step *s, bool revoke_old, struct token_key *made,
                           uint64_t *again_ms)
{
    struct rows rows;
    enum err e = rows_read(&s->read, &rows);
    if (e != OK) return e;
    if (rows.count == 0) rows.items[rows.count++] = first_key(s);
    bool is_full = good_count(&rows, s->now_ms, again_ms) >= KEY_RING_MAX;
    if (is_full && !revoke_old) return ERR_CONFLICT;

    *made = (struct token_key){.number = rows.items[0].number + 1, .created_at = s->now_ms};
    rows_retire(s, &rows, revoke_old);
    made->id = step_id(s);
    token_key_put(s, made);
    return OK;
}

static void log_rotation(const struct token_key *made, bool revoke_old)
{
    log_line(LOG_INFO, "another key signs tokens", LOG_NUMBER("number", made->number),
             LOG_FLAG("revoke_old", revoke_old), LOG_END);
}

/* ---- the schedule --------------------------------------------------------------------------------- */

static bool schedule_find(struct step *s, struct task *task)
{
    struct walk walk;
    uint64_t id;
    walk_begin_ordered(&walk, &s->read, &task_by_lane, &(struct task){.waiting_lane = LANE_KEYS});
    bool has_one = walk_next(&walk, &id) && task_get(&s->read, id, task) == OK;
    walk_end(&walk);
    return has_one;
}

static bool is_rotating(struct step *s)
{
    const struct task like = {.running_lane = LANE_KEYS};
    return record_count(&s->read, &task_by_running, &like) > 0;
}

enum err token_keys_start(struct step *s)
{
    struct rows rows;
    struct task task;
    enum err e = rows_read(&s->read, &rows);
    if (e != OK) return e;
    if (rows.count == 0) {
        rows.items[rows.count++] = first_key(s);
        token_key_put(s, &rows.items[0]);
    }
    if (is_rotating(s)) return OK;

    uint64_t due_ms = rows.items[0].created_at + s->config->auth_key_rotation * 1000;
    bool is_wanted = s->config->auth_key_rotation > 0, is_there = schedule_find(s, &task);
    if (is_there && !is_wanted) task_cancel(s, &task);
    if (is_there && is_wanted && task.run_at != due_ms) task_due(s, &task, due_ms);
    if (is_there || !is_wanted) return OK;
    task = (struct task){.kind = task_kind_key_rotate, .lane_id = LANE_KEYS};
    task_new(s, &task, due_ms);
    return OK;
}

/* When somebody has rotated by command since it was made, there is nothing to do yet. */
enum err key_rotate_run(struct step *s, struct task *task)
{
    struct rows rows;
    struct token_key made;
    uint64_t age_ms = s->config->auth_key_rotation * 1000, again_ms;
    enum err e = rows_read(&s->read, &rows);
    if (e != OK) return e;
    if (age_ms == 0) {
        task_complete(s, task, TEXT("Keys rotate by command only (auth.key_rotation)"));
        return OK;
    }
    uint64_t due_ms = rows.count > 0 ? rows.items[0].created_at + age_ms : s->now_ms;
    if (due_ms > s->now_ms) {
        task_again(s, task, due_ms);
        return OK;
    }
    e = token_keys_rotate(s, false, &made, &again_ms);
    if (e != OK && e != ERR_CONFLICT) return e;
    if (e == OK) {
        log_rotation(&made, false);
        again_ms = s->now_ms + age_ms;
    } else {
        log_line(LOG_WARNING, "the key that signs tokens stays: too many older ones are still good",
                 LOG_END);
    }
    task_again(s, task, again_ms);
    return OK;
}

/* ---- routes --------------------------------------------------------------------------------------- */

enum err token_key_list(struct view *view, const struct call *call, struct reply *reply)
{
    return reply_listing(view, call, reply, &(struct listing){&token_key_type, NULL, NULL, true});
}

enum err token_key_rotate(struct step *s, const struct call *call, struct reply *reply)
{
    const struct token_key_rotate_input *in = call->body;
    struct token_key made;
    uint64_t again_ms;
    bool revoke_old = in != NULL && in->revoke_old;
    if (call->caller.session_id == 0) return account_refuse_key(reply, call);
    enum err e = token_keys_rotate(s, revoke_old, &made, &again_ms);
    if (e == ERR_CONFLICT) {
        return reply_error_saying(
            reply, e,
            TEXT("Eight keys are good already: wait until one retires, or use revoke_old"),
            call->request_id);
    }
    if (e != OK) return e;
    log_rotation(&made, revoke_old);
    reply_one(reply, &token_key_type, &made);
    return OK;
}
