/* A letter as bytes for a service, and a service's answer as a verdict: pure functions, used by the task
 * (letter.c) and by `homeport notify test`.
 *
 * To add a channel, write a pair of these and name it in channel_of(). */
#ifndef HOMEPORT_NOTIFY_CHANNEL_H
#define HOMEPORT_NOTIFY_CHANNEL_H

#include "cloud/call_class.h"
#include "core/config.h"
#include "core/record.h"

/* One try. Texts are good as long as the arena. */
struct letter_job {
    const struct config *config;
    struct arena *arena;
    uint64_t now_ms;
    int64_t clock_offset_ms; /* of the other side, when it has complained of our clock */
    uint8_t nonce[16];       /* fresh for every try */
    struct letter letter;
    struct text code, link; /* opened */
};

struct letter_verdict {
    enum call_class class
        ; /* OK, RETRY, THROTTLED, CLOCK, AUTH or FATAL; says nothing when is_unknown */
    bool is_unknown;
    struct text detail; /* for a person: what the server said, what to do */
    int64_t retry_after_ms;
    uint64_t date_ms; /* the other side's clock; 0: not told */
};

struct channel {
    struct text name; /* for a person: "the mail server" */
    bool (*is_set_up)(const struct config *config);
    /* Fills in everything of the call but task_id and memo. */
    void (*write)(const struct letter_job *job, struct outside_call *call);
    /* For channel_judge(). */
    void (*judge)(const struct letter_job *job, const struct outside_answer *answer,
                  struct letter_verdict *verdict);
};

extern const struct channel channel_smtp, channel_directmail, channel_sms;

/* The one that the settings name for this kind; NULL: none is set up. */
const struct channel *channel_of(const struct config *config, enum letter_channel kind);

/* channel->judge(); passwords, codes and links that the server repeats are *** in the verdict. */
void channel_judge(const struct channel *channel, const struct letter_job *job, const struct outside_answer *answer,
                   struct letter_verdict *verdict);

/* What the other side said, fit for a task's message: one line, 200 bytes at most, UTF-8, without secrets. In the
 * job's arena. */
struct text channel_said(const struct letter_job *job, struct text t);

#endif
