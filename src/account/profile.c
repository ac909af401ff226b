/* The own profile: the part of an account that its user sees and decorates, with what the other families keep of
 * him (membership and points). */
#include "account/account.h"
#include "core/call.h"

static enum err profile_of(const struct reader *read, uint64_t user_id, struct user *user,
                           struct profile *profile)
{
    struct points_account points = {.balance = 0};
    enum err e = user_get(read, user_id, user);
    if (e != OK) return e;
    e = points_account_get(read, user_id, &points);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    *profile = (struct profile){
        .id = user->id,
        .nickname = user->nickname,
        .username = user->username,
        .is_vip = user->is_vip,
        .vip_type = user->vip_type,
        .vip_expire_time = user->vip_expire_time,
        .points_balance = points.balance,
    };
    return OK;
}

/* A profile is a thing of its own to its readers, though it is stored in parts. */
static void reply_profile(struct reply *reply, const struct profile *profile)
{
    reply_one(reply, &profile_type, profile);
    etag_of(&profile_type, profile, reply->etag);
}

enum err profile_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct user user;
    struct profile profile;
    enum err e = profile_of(&view->read, call->caller.user_id, &user, &profile);
    if (e == OK) reply_profile(reply, &profile);
    return e;
}

enum err profile_put(struct step *s, const struct call *call, struct reply *reply)
{
    const struct profile_input *in = call->body;
    struct user user;
    struct profile profile;
    enum err e = profile_of(&s->read, call->caller.user_id, &user, &profile);
    if (e == OK) e = call_guard(call, &profile_type, &profile);
    if (e != OK) return e;

    user.nickname = in->nickname;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    profile.nickname = in->nickname;
    reply_profile(reply, &profile);
    return OK;
}
