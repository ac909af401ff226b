/* Messages and the mailboxes they wait in.
 *
 * A mailbox owns an arena: a batch of messages and everything they point to live and die together. Two
 * inboxes and two outboxes are swapped every turn, so nobody ever waits for a free one. */
#ifndef HOMEPORT_CORE_MESSAGE_H
#define HOMEPORT_CORE_MESSAGE_H

#include "core/arena.h"
#include "core/call.h"
#include "core/record.h"

enum actor {
#define CORE(name, sentence) ACTOR_##name,
#define EDGE(name, sentence) ACTOR_##name,
#include "actors.def"
#undef CORE
#undef EDGE
    ACTOR_COUNT
};

enum message_name {
    MESSAGE_request, /* in: struct call, for the route's handler */
    MESSAGE_reply,   /* out: struct answer */
#define EVENT(from, to, name, carries, sentence) MESSAGE_##name,
#define CALL(from, to, name, carries, answers, sentence) MESSAGE_##name, MESSAGE_##name##_done,
#define EFFECT(from, to, name, carries, sentence) MESSAGE_##name,
#include "messages.def"
#undef EVENT
#undef CALL
#undef EFFECT
    MESSAGE_COUNT
};

struct message_info {
    struct text name;
    enum actor from, to;
    const struct record_type *carries; /* NULL for request and reply */
};
const struct message_info *message_info(enum message_name name);

struct message {
    enum message_name name;
    const void *contents;
    struct message *next;
};

/* An answer to a request, on its way out. */
struct answer {
    uint64_t exchange;
    unsigned status;
    struct text content_type, etag, body, request_id;
    const struct route *route;
    uint64_t started_us; /* as in struct call; 0: not known */
};

struct mailbox {
    struct arena arena;
    struct message *first, *last;
    unsigned count;
};

void mailbox_init(struct mailbox *mailbox, size_t bytes_max);
void mailbox_reset(struct mailbox *mailbox);
void mailbox_free(struct mailbox *mailbox);
/* Copies the contents, texts included. False when the mailbox's arena is full; nothing is added then. */
bool mailbox_add(struct mailbox *mailbox, enum message_name name, const void *contents);
/* The same for contents that live in this mailbox's arena already (or as long). */
bool mailbox_add_own(struct mailbox *mailbox, enum message_name name, const void *contents);
/* A struct of this type with all its texts copied; NULL when the arena is full. */
void *contents_copy(struct arena *arena, const struct record_type *type, const void *contents);

#endif
