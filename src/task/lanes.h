/* The scheduler's memory: one lane for each domain, source or other thing whose tasks share limits.
 *
 * It is only a cache of two indexes of the task table (what is due, what runs) and may be thrown away at any
 * time. Whoever changes a task touches its lane; before the scheduler looks, touched lanes are read anew.
 * A heap keeps the lane with the next possible start on top, so a turn costs the lanes it starts something
 * in, not all lanes there are. */
#ifndef HOMEPORT_TASK_LANES_H
#define HOMEPORT_TASK_LANES_H

#include "core/step.h"

struct scheduler;

/* The lane's tasks have changed, or will when this step is applied. */
void scheduler_touch(struct scheduler *self, uint64_t lane_id);
/* No start in this lane before until_ms. */
void scheduler_hold(struct scheduler *self, uint64_t lane_id, uint64_t until_ms);

/* The next free moment for a call of this lane when calls are interval_ms apart in the long run and `burst`
 * may follow each other at once. Takes it. No task of the lane starts before the moment after it. */
uint64_t scheduler_slot(struct scheduler *self, uint64_t lane_id, uint64_t now_ms,
                        uint64_t interval_ms, unsigned burst);

#endif
