/* A step: one message, one handler, one decision; all that a handler can see and do.
 *
 * Puts, removals and messages are staged. When the handler returns OK (or ERR_LATER) they are applied; on
 * any other result they are forgotten, so a refused request has changed nothing. Later steps of the same
 * turn see the changes of earlier ones. A step sees its own changes by id, but not along indexes. */
#ifndef HOMEPORT_CORE_STEP_H
#define HOMEPORT_CORE_STEP_H

#include "core/call.h"
#include "core/config.h"
#include "core/message.h"
#include "core/reader.h"
#include "core/secrets.h"

struct core;

/* What a handler returns when the answer comes in a later turn, by reply_later(). */
#define LATER ((enum err)ERR_COUNT)

struct step {
    struct reader read;
    struct arena *arena;           /* emptied when the step ends; replies and messages are copied out */
    uint64_t now_ms;               /* the turn's single reading of the clock */
    struct caller caller;          /* who; nobody for messages that are not requests */
    struct text ip, request_id;    /* for the audit log */
    const struct config *config;
    const struct secrets *secrets;
    struct core *core;             /* private, as is all below */
    struct message *emitted, *emitted_last;
};

/* What a reading handler gets instead: it cannot put or emit. */
struct view {
    struct reader read;
    struct arena *arena;           /* emptied after the call */
    uint64_t now_ms;
    struct caller caller;
    const struct config *config;
    const struct secrets *secrets;
};

/* A new id: time, machine, sequence; never given twice, also when the clock steps back. */
uint64_t step_id(struct step *step);
/* Bytes that nobody can guess. Deterministic for a turn's seed, so that a test can repeat a run. */
void step_random(struct step *step, void *out, size_t bytes);

/* The record is copied (its texts are not: they must live as long as the arena). */
void record_put(struct step *step, const struct record_type *type, const void *record);
void record_remove(struct step *step, const struct record_type *type, uint64_t id);

/* Answers a request whose handler returned LATER. type NULL: without data. */
void reply_later(struct step *step, uint64_t exchange, const struct route *route, enum err e,
                 const struct record_type *type, const void *record, struct text request_id);
/* The same for an answer of any other form: what is written into the reply between the two is sent. Not for
 * routes that honour an Idempotency-Key. */
/* A refusal with a message of its own instead of the error's sentence. */
void reply_later_saying(struct step *step, uint64_t exchange, const struct route *route, enum err e,
                        struct text message, struct text request_id);
struct reply *reply_later_begin(struct step *step, const struct route *route);
void reply_later_end(struct step *step, uint64_t exchange, const struct route *route, struct text request_id);

#define RECORD(name, table, flags, sentence) \
    static inline void name##_put(struct step *step, const struct name *record) \
    { \
        record_put(step, &name##_type, record); \
    } \
    static inline void name##_remove(struct step *step, uint64_t id) \
    { \
        record_remove(step, &name##_type, id); \
    }
#define SHAPE(...)
#define CHOICE(...)
#define OPTION(...)
#define END_CHOICE(...)
#define FIELD(...)
#define END(...)
#define INDEX(...)
#define COUNTED(...)
#define UNIQUE(...)
#include "records.def"
#undef RECORD
#undef SHAPE
#undef CHOICE
#undef OPTION
#undef END_CHOICE
#undef FIELD
#undef END
#undef INDEX
#undef COUNTED
#undef UNIQUE

/* emit_<name>(step, contents) for each CALL and EFFECT; contents are copied. */
void emit(struct step *step, enum message_name name, const void *contents);
#define EVENT(from, to, name, carries, sentence)
#define CALL(from, to, name, carries, answers, sentence) \
    static inline void emit_##name(struct step *step, const struct carries *contents) \
    { \
        emit(step, MESSAGE_##name, contents); \
    }
#define EFFECT(from, to, name, carries, sentence) \
    static inline void emit_##name(struct step *step, const struct carries *contents) \
    { \
        emit(step, MESSAGE_##name, contents); \
    }
#include "messages.def"
#undef EVENT
#undef CALL
#undef EFFECT

#endif
