/* What turn.c asks of the actors, by name; each function is written in the actor's own folder. Handlers of
 * messages are <receiver>_on_<name>(); a row of messages.def without its handler fails to link. */
#ifndef HOMEPORT_CORE_ACTOR_H
#define HOMEPORT_CORE_ACTOR_H

#include "core/step.h"
#include "core/turn.h"

/* NULL when memory is short. */
struct account *account_new(void);
struct ddns *ddns_new(void);
struct notify *notify_new(void);
struct scheduler *scheduler_new(void);
void account_free(struct account *self);
void ddns_free(struct ddns *self);
void notify_free(struct notify *self);
void scheduler_free(struct scheduler *self);

/* Rebuilds the actor's memory from the records: at the start, and after a commit that failed. */
enum err account_start(struct account *self, struct step *step);
enum err ddns_start(struct ddns *self, struct step *step);
enum err notify_start(struct notify *self, struct step *step);
enum err scheduler_start(struct scheduler *self, struct step *step);

/* The account family's part of a sweep: bans that have expired. */
void account_sweep(struct step *step);

/* At the start nothing is under way: what a stop or crash interrupted is due again. */
enum err scheduler_recover(struct scheduler *self, struct step *step);
/* Starts one task that is due and has room, in the step given. *is_done: there is none. */
enum err scheduler_run_one(struct scheduler *self, struct step *step, bool *is_done);
/* When the scheduler wants to be woken; 0: not at all. */
uint64_t scheduler_wake_ms(const struct scheduler *self, uint64_t now_ms);

#define EVENT(from, to, name, carries, sentence) \
    enum err to##_on_##name(struct to *self, struct step *step, const struct carries *contents);
#define CALL(from, to, name, carries, answers, sentence) \
    enum err from##_on_##name##_done(struct from *self, struct step *step, const struct answers *contents);
#define EFFECT(from, to, name, carries, sentence)
#include "messages.def"
#undef EVENT
#undef CALL
#undef EFFECT

#endif
