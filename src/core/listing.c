#include "core/listing.h"

enum err reply_listing(struct view *view, const struct call *call, struct reply *reply,
                       const struct listing *listing)
{
    struct walk walk;
    uint64_t id, last = 0, total;
    unsigned count = 0;
    bool has_more = false;
    enum err e = OK;
    void *record = arena_alloc(view->arena, listing->type->bytes);
    if (record == NULL) return ERR_OVERLOADED;
    reply_list_begin(reply);
    if (listing->index != NULL) {
        total = record_count(&view->read, listing->index, listing->like);
        walk_begin(&walk, &view->read, listing->index, listing->like, call->page.after,
                   listing->newest_first);
    } else {
        total = record_count_all(&view->read, listing->type);
        walk_begin_all(&walk, &view->read, listing->type, call->page.after, listing->newest_first);
    }
    while (e == OK && walk_next(&walk, &id)) {
        has_more = count == call->page.limit;
        if (has_more) break;
        e = record_get(&view->read, listing->type, id, record);
        if (e == OK) reply_item(reply, listing->type, record);
        last = id;
        count++;
    }
    walk_end(&walk);
    reply_list_end(reply, last, has_more, total);
    return e;
}
