/* The notify actor: hands what comes back from outside to the letter that asked. */
#include <stdlib.h>

#include "core/actor.h"
#include "notify/letter.h"

struct notify *notify_new(void)
{
    return calloc(1, sizeof(struct notify));
}

void notify_free(struct notify *self)
{
    free(self);
}

enum err notify_start(struct notify *self, struct step *step)
{
    if (!self->has_run) step_random(step, &self->run, sizeof self->run);
    self->has_run = true;
    letters_sweep(step);
    return OK;
}

enum err notify_on_post_done(struct notify *self, struct step *step,
                             const struct outside_answer *answer)
{
    struct task task;
    (void)self;
    bool is_wanted = task_get(&step->read, answer->task_id, &task) == OK &&
                     task.status == task_status_processing && task.kind == task_kind_letter_send;
    return is_wanted ? letter_answered(step, &task, answer) : OK; /* else called off meanwhile */
}
