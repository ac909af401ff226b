#include "account/device.h"

#include "account/account.h"
#include "account/mfa.h"
#include "account/session.h"
#include "core/actor.h"

enum { HOUR_MS = 3600000 };

/* Folded to small letters, as all names to sign in with are. */
static struct text device_hash(struct step *s, struct text device_id)
{
    char hash[SECRET_HASH_BYTES];
    secret_hash(arena_text_folded(s->arena, text_trim(device_id)), hash);
    return arena_text(s->arena, (struct text){hash, sizeof hash});
}

static struct user user_new(struct step *s, struct text hash, struct text nickname)
{
    struct user user = {
        .id = step_id(s),
        .nickname = nickname,
        .role = role_user,
        .is_active = true,
        .device_hash = hash,
        .created_at = s->now_ms,
        .updated_at = s->now_ms,
    };
    s->caller.user_id = user.id;
    user_put(s, &user);
    points_account_put(s, &(struct points_account){.id = user.id, .created_at = s->now_ms});
    return user;
}

static enum err signed_in(struct step *s, const struct call *call, const struct user *user,
                          struct reply *reply)
{
    struct tokens tokens;
    enum err e = session_open(s, user, true, call->ip, call->user_agent, &tokens);
    if (e == OK) reply_one(reply, &tokens_type, &tokens);
    return e;
}

/* An account at first sight is a registration, and as many are allowed. The gate cannot count it: it does not know
 * which devices are new. */
static bool may_make(struct step *s, struct text ip)
{
    struct failures *made = &core_account(s->core)->devices_made;
    uint64_t most = s->config->limits_register;
    if (!s->config->limits_enabled || most == 0) return true;
    return failures_add(made, ip, HOUR_MS, s->now_ms) <= most;
}

enum err device_login(struct step *s, const struct call *call, struct reply *reply)
{
    const struct login_input *in = call->body;
    struct user user = {.device_hash = device_hash(s, in->device_id)};
    enum err e = record_find(&s->read, &user_by_device, &user, &user);
    if (e == ERR_NOT_FOUND) {
        if (!s->config->auth_register_open) return ERR_REGISTER_CLOSED;
        if (!may_make(s, call->ip)) return ERR_TOO_MANY;
        user = user_new(s, device_hash(s, in->device_id), in->nickname);
        return signed_in(s, call, &user, reply);
    }
    if (e != OK) return e;
    if (!user.is_active) return ERR_USER_INACTIVE;
    if (user.role > role_user) return ERR_FORBIDDEN;

    s->caller.user_id = user.id;
    e = mfa_check(s, &user, in->totp);
    if (e == OK) return signed_in(s, call, &user, reply);
    reply_error(reply, e, NULL, call->request_id);
    return OK; /* the try is kept */
}

enum err device_refresh(struct step *s, const struct call *call, struct reply *reply)
{
    struct session session;
    struct tokens tokens;
    if (call->caller.session_id == 0) {
        return call->refused != OK ? call->refused : ERR_NOT_SIGNED_IN;
    }
    enum err e = session_get(&s->read, call->caller.session_id, &session);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_SIGNED_OUT : e;
    if (!session.is_device) {
        return reply_error_field(reply, ERR_INVALID, TEXT("refresh_token"), TEXT("is missing"),
                                 call->request_id);
    }
    e = session_continue(s, &session, call, &tokens);
    if (e == OK) reply_one(reply, &tokens_type, &tokens);
    return e;
}
