/* Tasks as their owners see them: listed, shown, called off. */
#include "core/listing.h"
#include "core/turn.h"
#include "task/task.h"

static bool may_see(const struct caller *caller, const struct task *task)
{
    return task->user_id == caller->user_id || caller->role >= role_operator;
}

enum err task_list(struct view *view, const struct call *call, struct reply *reply)
{
    const struct task like = {.user_id = view->caller.user_id};
    return reply_listing(view, call, reply,
                         &(struct listing){&task_type, &task_by_user, &like, true});
}

enum err task_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct task task;
    if (task_get(&view->read, call->id, &task) != OK || !may_see(&view->caller, &task))
        return ERR_NOT_FOUND;
    reply_one(reply, &task_type, &task);
    return OK;
}

enum err task_cancel_request(struct step *step, const struct call *call, struct reply *reply)
{
    struct task task;
    if (task_get(&step->read, call->id, &task) != OK || !may_see(&step->caller, &task))
        return ERR_NOT_FOUND;
    if (!task_is_open(&task)) return ERR_CONFLICT;
    task_cancel(step, &task);
    if (task.kind == task_kind_letter_send) {
        letter_on_cancelled(step, &task);
    } else {
        task_on_cancelled(step, &task);
    }
    reply_one(reply, &task_type, &task);
    return OK;
}
