#include "task/task.h"

#include <assert.h>

#include "core/turn.h"
#include "task/lanes.h"

enum { WAKE_MAX = 100 };

static void put(struct step *step, const struct task *task)
{
    task_put(step, task);
    scheduler_touch(core_scheduler(step->core), task->lane_id);
}

bool task_is_open(const struct task *task)
{
    return task->status == task_status_pending || task->status == task_status_processing;
}

static void make_pending(struct task *task, uint64_t due_ms)
{
    task->status = task_status_pending;
    task->waiting_lane = task->lane_id;
    task->running_lane = 0;
    task->run_at = due_ms;
}

void task_new(struct step *step, struct task *task, uint64_t due_ms)
{
    assert(task->kind != 0 && task->lane_id != 0);
    task->id = step_id(step);
    task->created_at = step->now_ms;
    make_pending(task, due_ms);
    put(step, task);
}

void task_due(struct step *step, struct task *task, uint64_t due_ms)
{
    if (task->status != task_status_pending) return;
    make_pending(task, due_ms);
    put(step, task);
}

static void end(struct step *step, struct task *task, enum task_status status)
{
    assert(task_is_open(task));
    bool is_under_way = status == task_status_cancelled && task->status == task_status_processing;
    task->status = status;
    task->waiting_lane = task->refused_lane = 0;
    if (!is_under_way) task->running_lane = 0;
    task->run_at = 0;
    task->finished_at = step->now_ms;
    put(step, task);
}

void task_complete(struct step *step, struct task *task, struct text message)
{
    core_figures(step->core)->tasks_completed++;
    task->message = message;
    task->error_message = TEXT_NONE;
    end(step, task, task_status_completed);
}

void task_fail(struct step *step, struct task *task, struct text error)
{
    core_figures(step->core)->tasks_failed++;
    task->error_message = error;
    end(step, task, task_status_failed);
}

void task_cancel(struct step *step, struct task *task)
{
    end(step, task, task_status_cancelled);
}

void task_landed(struct step *step, struct task *task)
{
    if (task_is_open(task) || task->running_lane == 0) return;
    task->running_lane = 0;
    put(step, task);
}

/* The doubling wait, less up to a quarter, so that a crowd that failed together does not come back together. */
static uint64_t back_off_ms(struct step *step, uint64_t failures)
{
    uint32_t chance;
    uint64_t wait = step->config->tasks_retry_base;
    for (uint64_t i = 1; i < failures && wait < step->config->tasks_retry_max; i++) wait *= 2;
    if (wait > step->config->tasks_retry_max) wait = step->config->tasks_retry_max;
    step_random(step, &chance, sizeof chance);
    return wait - (wait / 4) * chance / UINT32_MAX;
}

uint64_t task_retry(struct step *step, struct task *task, struct text error, int64_t wait_ms)
{
    core_figures(step->core)->tasks_retried++;
    task->failures++;
    task->error_message = error;
    uint64_t wait = wait_ms >= 0 ? (uint64_t)wait_ms : back_off_ms(step, task->failures);
    make_pending(task, step->now_ms + wait);
    put(step, task);
    return wait;
}

void task_refused(struct step *step, struct task *task, struct text error, uint64_t wait_ms)
{
    task->refused_lane = task->lane_id;
    task_retry(step, task, error, (int64_t)wait_ms);
}

bool task_wake_refused(struct step *step, uint64_t lane_id, uint64_t *cursor)
{
    struct walk walk;
    struct task task;
    uint64_t ids[WAKE_MAX];
    unsigned count = 0;
    walk_begin(&walk, &step->read, &task_by_refused, &(struct task){.refused_lane = lane_id}, *cursor, false);
    while (count < WAKE_MAX && walk_next(&walk, &ids[count])) count++;
    walk_end(&walk);
    for (unsigned i = 0; i < count; i++) {
        *cursor = ids[i];
        if (task_get(&step->read, ids[i], &task) != OK || task.refused_lane == 0) continue;
        task.refused_lane = 0;
        task.failures = 0;
        task_due(step, &task, step->now_ms);
    }
    return count == WAKE_MAX;
}

void task_again(struct step *step, struct task *task, uint64_t due_ms)
{
    task->failures = 0;
    task->error_message = TEXT_NONE;
    make_pending(task, due_ms);
    put(step, task);
}

void lane_hold(struct step *step, uint64_t lane_id, uint64_t until_ms)
{
    scheduler_hold(core_scheduler(step->core), lane_id, until_ms);
}

uint64_t lane_delay_ms(struct step *step, uint64_t lane_id, unsigned calls_per_second,
                       unsigned burst)
{
    if (calls_per_second == 0) return 0;
    uint64_t interval_ms = 1000 / calls_per_second;
    return scheduler_slot(core_scheduler(step->core), lane_id, step->now_ms, interval_ms, burst) -
           step->now_ms;
}
