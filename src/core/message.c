#include "core/message.h"

#include <assert.h>

static const struct message_info infos[MESSAGE_COUNT] = {
    [MESSAGE_request] = {TEXT_INIT("request"), ACTOR_http, ACTOR_COUNT, NULL},
    [MESSAGE_reply] = {TEXT_INIT("reply"), ACTOR_COUNT, ACTOR_http, NULL},
#define EVENT(from, to, name, carries, sentence) \
    [MESSAGE_##name] = {TEXT_INIT(#name), ACTOR_##from, ACTOR_##to, &carries##_type},
#define CALL(from, to, name, carries, answers, sentence) \
    [MESSAGE_##name] = {TEXT_INIT(#name), ACTOR_##from, ACTOR_##to, &carries##_type}, \
    [MESSAGE_##name##_done] = {TEXT_INIT(#name "_done"), ACTOR_##to, ACTOR_##from, &answers##_type},
#define EFFECT EVENT
#include "messages.def"
#undef EVENT
#undef CALL
#undef EFFECT
};

const struct message_info *message_info(enum message_name name)
{
    return &infos[name];
}

void mailbox_init(struct mailbox *mailbox, size_t bytes_max)
{
    *mailbox = (struct mailbox){0};
    arena_init(&mailbox->arena, bytes_max);
}

void mailbox_reset(struct mailbox *mailbox)
{
    arena_reset(&mailbox->arena);
    mailbox->first = mailbox->last = NULL;
    mailbox->count = 0;
}

void mailbox_free(struct mailbox *mailbox)
{
    arena_free(&mailbox->arena);
    *mailbox = (struct mailbox){0};
}

void *contents_copy(struct arena *arena, const struct record_type *type, const void *contents)
{
    void *copy = arena_alloc(arena, type->bytes);
    if (copy == NULL) return NULL;
    memcpy(copy, contents, type->bytes);
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (fields[i].kind < KIND_text) continue;
        field_set_text(&fields[i], copy, arena_text(arena, field_text(&fields[i], copy)));
    }
    return arena_overflowed(arena) ? NULL : copy;
}

bool mailbox_add_own(struct mailbox *mailbox, enum message_name name, const void *contents)
{
    struct message *message = arena_new(&mailbox->arena, struct message);
    if (message == NULL) return false;
    *message = (struct message){name, contents, NULL};
    if (mailbox->last != NULL) {
        mailbox->last->next = message;
    } else {
        mailbox->first = message;
    }
    mailbox->last = message;
    mailbox->count++;
    return true;
}

bool mailbox_add(struct mailbox *mailbox, enum message_name name, const void *contents)
{
    assert(infos[name].carries != NULL);
    void *copy = contents_copy(&mailbox->arena, infos[name].carries, contents);
    return copy != NULL && mailbox_add_own(mailbox, name, copy);
}
