/* The scheduler: starts what is due, lane by lane. See task/lanes.h for what it keeps in memory. */
#include <assert.h>
#include <stdlib.h>

#include "core/actor.h"
#include "task/lanes.h"
#include "task/task.h"

#define NEVER UINT64_MAX

struct lane {
    uint64_t id;
    uint64_t due_ms;      /* of its first waiting task; NEVER when none waits */
    uint64_t hold_ms;     /* no start before */
    uint64_t slot_ms;     /* when the next call would come if all were evenly spaced */
    unsigned running;
    bool is_touched;
    size_t heap_index;
};

struct scheduler {
    struct lane **heap;   /* by start_ms() */
    struct lane **table;  /* by id, open addressing; size is a power of two */
    struct lane **touched;
    size_t count, table_size, touched_count;
    uint64_t lane_max;
};

struct scheduler *scheduler_new(void)
{
    return calloc(1, sizeof(struct scheduler));
}

static void forget(struct scheduler *self)
{
    for (size_t i = 0; i < self->count; i++) free(self->heap[i]);
    free(self->heap);
    free(self->table);
    free(self->touched);
    *self = (struct scheduler){0};
}

void scheduler_free(struct scheduler *self)
{
    forget(self);
    free(self);
}

/* ---- the heap and the table ----------------------------------------------------------------------- */

/* When the lane's next task may start. */
static uint64_t start_ms(const struct scheduler *self, const struct lane *lane)
{
    if (lane->due_ms == NEVER || lane->running >= self->lane_max) return NEVER;
    return lane->due_ms > lane->hold_ms ? lane->due_ms : lane->hold_ms;
}

static void heap_set(struct scheduler *self, size_t index, struct lane *lane)
{
    self->heap[index] = lane;
    lane->heap_index = index;
}

static void heap_settle(struct scheduler *self, struct lane *lane)
{
    size_t i = lane->heap_index;
    uint64_t start = start_ms(self, lane);
    for (; i > 0 && start_ms(self, self->heap[(i - 1) / 2]) > start; i = (i - 1) / 2) {
        heap_set(self, i, self->heap[(i - 1) / 2]);
    }
    for (size_t child; (child = 2 * i + 1) < self->count; i = child) {
        bool has_right = child + 1 < self->count;
        if (has_right && start_ms(self, self->heap[child + 1]) < start_ms(self, self->heap[child])) child++;
        if (start_ms(self, self->heap[child]) >= start) break;
        heap_set(self, i, self->heap[child]);
    }
    heap_set(self, i, lane);
}

static size_t table_slot(const struct scheduler *self, uint64_t id)
{
    size_t slot = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (self->table_size - 1);
    while (self->table[slot] != NULL && self->table[slot]->id != id) slot = (slot + 1) & (self->table_size - 1);
    return slot;
}

/* Room for one lane more in all three arrays. */
static bool grow(struct scheduler *self)
{
    if (self->count * 2 < self->table_size) return true;
    size_t size = self->table_size == 0 ? 64 : self->table_size * 2;
    struct lane **heap = realloc(self->heap, size * sizeof *heap);
    if (heap != NULL) self->heap = heap;
    struct lane **touched = realloc(self->touched, size * sizeof *touched);
    if (touched != NULL) self->touched = touched;
    struct lane **table = calloc(size, sizeof *table);
    if (heap == NULL || touched == NULL || table == NULL) {
        free(table);
        return false;
    }
    free(self->table);
    self->table = table;
    self->table_size = size;
    for (size_t i = 0; i < self->count; i++) self->table[table_slot(self, heap[i]->id)] = heap[i];
    return true;
}

static struct lane *lane_of(struct scheduler *self, uint64_t id)
{
    if (self->table_size > 0 && self->table[table_slot(self, id)] != NULL) return self->table[table_slot(self, id)];
    struct lane *lane = grow(self) ? calloc(1, sizeof *lane) : NULL;
    if (lane == NULL) return NULL;
    *lane = (struct lane){.id = id, .due_ms = NEVER};
    self->table[table_slot(self, id)] = lane;
    heap_set(self, self->count++, lane);
    heap_settle(self, lane);
    return lane;
}

void scheduler_touch(struct scheduler *self, uint64_t lane_id)
{
    struct lane *lane = lane_of(self, lane_id);
    assert(lane != NULL); /* without memory for a lane nothing can be promised any more */
    if (lane->is_touched) return;
    lane->is_touched = true;
    self->touched[self->touched_count++] = lane;
}

void scheduler_hold(struct scheduler *self, uint64_t lane_id, uint64_t until_ms)
{
    struct lane *lane = lane_of(self, lane_id);
    if (lane == NULL || lane->hold_ms >= until_ms) return;
    lane->hold_ms = until_ms;
    heap_settle(self, lane);
}

/* The generic cell rate algorithm: evenly spaced moments, and a tolerance of burst - 1 of them. */
uint64_t scheduler_slot(struct scheduler *self, uint64_t lane_id, uint64_t now_ms, uint64_t interval_ms, unsigned burst)
{
    struct lane *lane = lane_of(self, lane_id);
    if (lane == NULL) return now_ms;
    uint64_t tolerance = interval_ms * (burst > 1 ? burst - 1 : 0);
    uint64_t earliest = lane->slot_ms > tolerance ? lane->slot_ms - tolerance : 0;
    uint64_t slot = earliest > now_ms ? earliest : now_ms;
    lane->slot_ms = (lane->slot_ms > slot ? lane->slot_ms : slot) + interval_ms;
    scheduler_hold(self, lane_id, lane->slot_ms > tolerance ? lane->slot_ms - tolerance : 0);
    return slot;
}

/* ---- reading lanes from the store ----------------------------------------------------------------- */

static void read_lane(struct scheduler *self, const struct step *step, struct lane *lane)
{
    struct walk walk;
    uint64_t id;
    lane->due_ms = NEVER;
    walk_begin_ordered(&walk, &step->read, &task_by_lane, &(struct task){.waiting_lane = lane->id});
    if (walk_next(&walk, &id)) lane->due_ms = walk.order;
    walk_end(&walk);
    lane->running = (unsigned)record_count(&step->read, &task_by_running, &(struct task){.running_lane = lane->id});
    heap_settle(self, lane);
}

static void read_touched(struct scheduler *self, const struct step *step)
{
    for (size_t i = 0; i < self->touched_count; i++) {
        self->touched[i]->is_touched = false;
        read_lane(self, step, self->touched[i]);
    }
    self->touched_count = 0;
}

/* Every lane that has open tasks, found by leaping through the index from lane to lane. */
enum err scheduler_start(struct scheduler *self, struct step *step)
{
    forget(self);
    self->lane_max = step->config->tasks_lane_max;
    for (uint64_t lane_id = 0;;) {
        struct text key, value;
        struct store_cursor *cursor;
        struct key from = {.bytes = {SPACE_INDEX, task_by_lane.number}, .count = 2};
        key_add_u64(&from, lane_id + 1);
        enum err e = store_seek(step->read.txn, key_text(&from), false, &cursor);
        if (e != OK) return e;
        bool is_lane = store_next(cursor, &key, &value) && key.bytes == 26 && memcmp(key.data, from.bytes, 2) == 0;
        if (is_lane) lane_id = key_last_u64((struct text){key.data, 10});
        store_done(cursor);
        if (!is_lane) return OK;
        scheduler_touch(self, lane_id);
    }
}

enum err scheduler_recover(struct scheduler *self, struct step *step)
{
    struct walk walk;
    struct task task;
    uint64_t id;
    walk_begin_ordered(&walk, &step->read, &task_by_running, NULL);
    while (walk_next(&walk, &id)) {
        if (task_get(&step->read, id, &task) != OK) continue;
        task_landed(step, &task);
        if (!task_is_open(&task)) continue;
        task.status = task_status_pending;
        task.waiting_lane = task.lane_id;
        task.running_lane = 0;
        task.run_at = step->now_ms;
        task_put(step, &task);
        scheduler_touch(self, task.lane_id);
    }
    walk_end(&walk);
    return OK;
}

/* ---- starting ------------------------------------------------------------------------------------- */

static enum err run(struct step *step, struct task *task)
{
    switch ((enum task_kind)task->kind) {
#define CHOICE(...)
#define OPTION(choice, word, number, sentence) TASK_RUN_##choice(word)
#define END_CHOICE(...)
#define TASK_RUN_task_kind(kind) \
    case task_kind_##kind: \
        return kind##_run(step, task);
#define TASK_RUN_task_status(kind)
#define RECORD(...)
#define FIELD(...)
#define END(...)
#define INDEX(...)
#define COUNTED(...)
#include "task.def"
    }
    task_fail(step, task, TEXT("This release does not know such tasks"));
    return OK;
}

static bool first_due(const struct step *step, uint64_t lane_id, struct task *task)
{
    struct walk walk;
    uint64_t id;
    bool is_found = false;
    walk_begin_ordered(&walk, &step->read, &task_by_lane, &(struct task){.waiting_lane = lane_id});
    if (walk_next(&walk, &id) && walk.order <= step->now_ms) is_found = task_get(&step->read, id, task) == OK;
    walk_end(&walk);
    return is_found;
}

enum err scheduler_run_one(struct scheduler *self, struct step *step, bool *is_done)
{
    struct task task;
    read_touched(self, step);
    struct lane *lane = self->count > 0 ? self->heap[0] : NULL;
    *is_done = lane == NULL || start_ms(self, lane) > step->now_ms;
    if (*is_done) return OK;
    scheduler_touch(self, lane->id);
    if (!first_due(step, lane->id, &task)) return OK;
    task.status = task_status_processing;
    task.waiting_lane = 0;
    task.running_lane = task.lane_id;
    task.refused_lane = 0;
    task.run_at = 0;
    task.attempts++;
    task_put(step, &task);
    core_figures(step->core)->tasks_started++;
    enum err e = run(step, &task);
    if (e == OK && task.kind == task_kind_sweep) account_sweep(step);
    return e;
}

uint64_t scheduler_wake_ms(const struct scheduler *self, uint64_t now_ms)
{
    uint64_t start = self->count > 0 ? start_ms(self, self->heap[0]) : NEVER;
    if (start == NEVER) return 0;
    return start > now_ms ? start : now_ms;
}

enum err scheduler_on_tick(struct scheduler *self, struct step *step, const struct nothing *contents)
{
    /* Being awake is all: the turn starts what is due at its end. */
    (void)self;
    (void)step;
    (void)contents;
    return OK;
}
