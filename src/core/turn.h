/* The core: takes a batch of messages, decides, commits once, hands a batch of messages back.
 *
 * turn_run() is a plain function with no thread, socket or clock in it. The program calls it on the core
 * thread (edge/loop.c), the command line calls it directly, the simulator calls it with a fake world. */
#ifndef HOMEPORT_CORE_TURN_H
#define HOMEPORT_CORE_TURN_H

#include "core/config.h"
#include "core/message.h"
#include "core/secrets.h"
#include "store/store.h"

struct core;
struct step;

/* What one turn is given besides its messages: so the same input gives the same store, byte for byte. */
struct turn_input {
    uint64_t now_ms;
    uint8_t seed[32];
};

struct turn_result {
    enum err commit;     /* OK, or why nothing of this turn was kept */
    bool has_written;    /* there was something to commit */
    uint64_t audit_head; /* number of the newest audit entry */
};

/* config, secrets and store must outlive the core. NULL when memory is short. */
struct core *core_open(struct store *store, const struct config *config,
                       const struct secrets *secrets);
void core_close(struct core *core);

/* Rebuilds what actors keep in memory from the records and takes up what a stop or crash interrupted.
 * Messages that this causes are in the outbox. To be called before the first turn. */
struct turn_result core_start(struct core *core, const struct turn_input *input,
                              struct mailbox *outbox);

/* Runs every message in the inbox to its end inside one store transaction. When the commit fails, the
 * outbox holds nothing but an error answer for each request, and the actors have started anew. */
struct turn_result turn_run(struct core *core, const struct turn_input *input,
                            struct mailbox *inbox, struct mailbox *outbox);

/* One decision that no message asks for, as a step of its own in a transaction of its own: for the command
 * line, which works beside a running server and therefore calls no core_start(). The audit log names nobody,
 * and "cli" as the request. *decided is what `decide` returned, or why nothing of it was kept. */
struct turn_result turn_decide(struct core *core, const struct turn_input *input,
                               struct mailbox *outbox,
                               enum err (*decide)(struct step *step, void *context), void *context,
                               enum err *decided);

/* Figures for /metrics; written by the turn, read by anybody (each is one aligned word). */
struct core_figures {
    uint64_t turns, messages, commits, commits_failed, audit_entries, tasks_started,
        tasks_completed, tasks_failed, tasks_retried, pushes_ok, pushes_unchanged, pushes_failed,
        letters_sent, letters_failed, letters_unknown,
        messages_in_largest_turn, captcha_checks, captcha_refused, captcha_unreachable, sign_ins_failed,
        bans_made;
    uint64_t last_commit_ok; /* truths: the store takes changes; a provider took the last push */
    uint64_t last_push_ok;
    uint64_t wake_ms; /* when the scheduler wants to be woken next; 0: not at all */
};
struct core_figures *core_figures(struct core *core);

/* Actors' own memory; each is opaque but to its file. */
struct account;
struct ddns;
struct notify;
struct scheduler;
struct account *core_account(struct core *core);
struct ddns *core_ddns(struct core *core);
struct notify *core_notify(struct core *core);
struct scheduler *core_scheduler(struct core *core);

#endif
