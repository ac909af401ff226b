/* The audit log as an administrator reads it; it is written by core/apply.c and by nobody else. */
#include <sodium.h>

#include "core/apply.h"
#include "core/step.h"

enum err audit_list(struct view *view, const struct call *call, struct reply *reply)
{
    struct walk walk;
    struct audit_entry entry;
    uint64_t id, last = 0, newest = 0;
    unsigned count = 0;
    bool has_more = false;
    walk_begin_all(&walk, &view->read, &audit_entry_type, 0, true);
    if (walk_next(&walk, &id)) newest = id; /* numbers have no gaps: the newest is the count */
    walk_end(&walk);
    reply_list_begin(reply);
    walk_begin_all(&walk, &view->read, &audit_entry_type, call->page.after, true);
    while (walk_next(&walk, &id)) {
        has_more = count == call->page.limit;
        if (has_more || audit_entry_get(&view->read, id, &entry) != OK) break;
        reply_item(reply, &audit_entry_type, &entry);
        last = id;
        count++;
    }
    walk_end(&walk);
    reply_list_end(reply, last, has_more, newest);
    return OK;
}

enum err audit_head_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct audit_head head;
    char hex[AUDIT_HASH_BYTES * 2 + 1];
    (void)call;
    enum err e = audit_head_read(view->read.txn, &head);
    if (e != OK) return e;
    sodium_bin2hex(hex, sizeof hex, head.hash, sizeof head.hash);
    reply_one(reply, &audit_state_type,
              &(struct audit_state){.entries = head.number, .hash = text_of(hex)});
    return OK;
}
