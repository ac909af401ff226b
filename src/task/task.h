/* Tasks: everything that happens outside, or later, as a row in the store.
 *
 * A product makes a task in the same step as the change that wants it: task_new(). When it is due and its
 * lane has room the scheduler marks it processing, counts the attempt, and calls <kind>_run() of the product.
 * That either emits a call and returns OK, and ends the task when the answer comes; or ends it at once:
 *
 *     pending ──run──► processing ──task_complete──► completed
 *        ▲                 │ ├───────task_fail─────► failed
 *        └──task_retry─────┘ └───────task_cancel───► cancelled
 *        ├──task_again (recurring; no failure counted)
 *        └──task_refused (a long wait, ended early by task_wake_refused)
 *
 * A task keeps nothing in memory but its place in a lane. After a crash it is due again, attempt counted. */
#ifndef HOMEPORT_TASK_TASK_H
#define HOMEPORT_TASK_TASK_H

#include "core/step.h"

/* Lanes of work that belongs to no thing with an id; such ids are far greater. */
enum { LANE_SWEEP = 1, LANE_KEYS, LANE_MAIL, LANE_SMS };

/* Every kind's start: called with the task already marked processing and put. */
#define CHOICE(...)
#define OPTION(choice, word, number, sentence) TASK_RUN_##choice(word)
#define END_CHOICE(...)
#define TASK_RUN_task_kind(kind) enum err kind##_run(struct step *step, struct task *task);
#define TASK_RUN_task_status(kind)
#define RECORD(...)
#define FIELD(...)
#define END(...)
#define INDEX(...)
#define COUNTED(...)
#include "task.def"
#undef CHOICE
#undef OPTION
#undef END_CHOICE
#undef TASK_RUN_task_kind
#undef TASK_RUN_task_status
#undef RECORD
#undef FIELD
#undef END
#undef INDEX
#undef COUNTED

/* Told when somebody calls a task off; written by the product whose kinds there are. */
void task_on_cancelled(struct step *step, const struct task *task);
void letter_on_cancelled(struct step *step, const struct task *task); /* of letters */

/* Makes it pending, due at due_ms; fills in id and created_at. kind, target_id, lane_id, user_id are the
 * caller's. */
void task_new(struct step *step, struct task *task, uint64_t due_ms);
/* Moves a pending task's time; nothing when it is running. */
void task_due(struct step *step, struct task *task, uint64_t due_ms);
void task_complete(struct step *step, struct task *task, struct text message);
void task_fail(struct step *step, struct task *task, struct text error);
/* One that runs is called off at once for its owner, but keeps its place among those that run: its call is still
 * out, and what it says may still be carried out. */
void task_cancel(struct step *step, struct task *task);
/* The answer of a call came, or never will: a task that was called off gives up its place. */
void task_landed(struct step *step, struct task *task);
/* Again after a wait: wait_ms, or with -1 the back-off of tasks.retry_base doubled for each failure in a
 * row up to tasks.retry_max, less up to a quarter by chance. Returns the wait. */
uint64_t task_retry(struct step *step, struct task *task, struct text error, int64_t wait_ms);
/* The same for a task that cannot succeed before somebody changes something: a long wait, or until
 * task_wake_refused(). */
void task_refused(struct step *step, struct task *task, struct text error, uint64_t wait_ms);
/* Makes such tasks of the lane due now, some behind *cursor, which moves on; true when there may be more. */
bool task_wake_refused(struct step *step, uint64_t lane_id, uint64_t *cursor);
void task_again(struct step *step, struct task *task, uint64_t due_ms);
bool task_is_open(const struct task *task); /* pending or processing */
/* Holds the whole lane back until then: the other side asked for fewer calls. */
void lane_hold(struct step *step, uint64_t lane_id, uint64_t until_ms);

/* How long the lane's next call has to wait when it may make `calls_per_second` in the long run (0: any
 * number) and `burst` at once; takes that place. */
uint64_t lane_delay_ms(struct step *step, uint64_t lane_id, unsigned calls_per_second, unsigned burst);

#endif
