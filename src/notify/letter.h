/* The life of one letter, for actor.c. */
#ifndef HOMEPORT_NOTIFY_LETTER_H
#define HOMEPORT_NOTIFY_LETTER_H

#include "task/task.h"

/* The actor: which run of the program this is, so that requests of an earlier one are not answered. */
struct notify {
    uint64_t run;
    bool has_run;
};

enum err letter_answered(struct step *step, struct task *task, const struct outside_answer *answer);
/* Removes letters that ended long ago, oldest first, a few at a time. */
void letters_sweep(struct step *step);

#endif
