/* Other people's accounts: what administrators see and change of them.
 *
 *     who          may touch                      may give and take
 *     admin        users and operators            user, operator
 *     super_admin  everybody                      all roles
 *
 * Somebody who can is always left: the last active super_admin stays what it is. Switching off ends all sign-ins for
 * good; API keys rest, for routers and scripts with them are set up again only by walking there. A closed account
 * is a switched-off one whose keys are withdrawn, too; its record, and all that points to it, stays. */
#include "account/account.h"
#include "account/mfa.h"
#include "account/session.h"
#include "account/user_search.h"
#include "account/verify.h"
#include "core/listing.h"

/* ---- reading -------------------------------------------------------------------------------------- */

static enum err bad_query(const struct call *call, struct reply *reply, struct text name,
                          struct text reason)
{
    return reply_error_field(reply, ERR_BAD_QUERY, name, reason, call->request_id);
}

enum err user_list(struct view *view, const struct call *call, struct reply *reply)
{
    struct text word = call_query(call, TEXT("role"), view->arena);
    struct text q = call_query(call, TEXT("q"), view->arena);
    const struct user like = {.role = choice_number(&role_choice, word)};
    if (word.data != NULL && like.role == 0) {
        return bad_query(call, reply, TEXT("role"),
                         TEXT("must be one of user, operator, admin, super_admin"));
    }
    if (q.data != NULL && (q.bytes == 0 || q.bytes > SEARCH_BYTES_MAX)) {
        return bad_query(call, reply, TEXT("q"), TEXT("must have 1 to 254 bytes"));
    }
    if (q.data != NULL && word.data != NULL) {
        return bad_query(call, reply, TEXT("q"), TEXT("cannot be given together with role"));
    }
    if (q.data != NULL) return user_search(view, call, reply, q);
    const struct record_index *of_role = like.role != 0 ? &user_by_role : NULL;
    return reply_listing(view, call, reply, &(struct listing){&user_type, of_role, &like, false});
}

enum err user_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct user user;
    enum err e = user_get(&view->read, call->id, &user);
    if (e != OK) return e;
    reply_one(reply, &user_type, &user);
    return OK;
}

/* ---- who may -------------------------------------------------------------------------------------- */

static bool may_touch(const struct caller *caller, const struct user *user)
{
    return caller->role == role_super_admin || caller->role > user->role;
}

static bool may_move(const struct caller *caller, uint32_t from, uint32_t to)
{
    return caller->role == role_super_admin || (from < role_admin && to < role_admin);
}

/* Links for a new password go to the mail address: a key that moves that of its owner, or of an equal, would be as
 * good as a sign-in, and could give roles after all. */
static bool may_move_mail(const struct caller *caller, const struct user *user)
{
    return caller->session_id != 0 || caller->role > user->role;
}

/* If-Match, for the whole of the tag: role and is_active are edited here, though not by their owner. */
static enum err user_guard(const struct call *call, const struct user *user)
{
    char etag[ETAG_SIZE];
    enum err e = call_guard(call, &user_type, user);
    if (e != OK || call->if_match.bytes == 0) return e;
    etag_of(&user_type, user, etag);
    return etag_matches(call->if_match, etag, false) ? OK : ERR_ETAG_MISMATCH;
}

static enum err user_open(struct step *s, const struct call *call, struct user *user)
{
    enum err e = user_get(&s->read, call->id, user);
    if (e != OK) return e;
    if (!may_touch(&call->caller, user)) return ERR_FORBIDDEN;
    return user_guard(call, user);
}

static bool is_active_super(const struct user *user)
{
    return user->role == role_super_admin && user->is_active;
}

/* Bounded by how many people have the highest role. */
enum err account_is_last_super(struct step *s, const struct user *user, bool *is_last)
{
    struct walk walk;
    struct user other;
    uint64_t id;
    enum err e = OK;
    *is_last = is_active_super(user);
    if (!*is_last) return OK;
    walk_begin(&walk, &s->read, &user_by_role, &(struct user){.role = role_super_admin}, 0, false);
    while (e == OK && *is_last && walk_next(&walk, &id)) {
        if (id == user->id) continue;
        e = user_get(&s->read, id, &other);
        *is_last = e != OK || !is_active_super(&other);
    }
    walk_end(&walk);
    return e;
}

/* A change of the account is refused when nobody with the highest role would be left. */
static enum err super_is_left(struct step *s, const struct call *call, const struct user *before,
                              const struct user *after, struct reply *reply)
{
    bool is_last;
    if (is_active_super(after)) return OK;
    enum err e = account_is_last_super(s, before, &is_last);
    if (e != OK || !is_last) return e;
    return reply_error_saying(reply, ERR_CONFLICT,
                              TEXT("This is the last active super_admin: make another one first"),
                              call->request_id);
}

/* ---- changing ------------------------------------------------------------------------------------- */

/* Who lost telephone and recovery codes is helped by somebody who may touch the account, signed in as himself. */
static enum err mfa_update(const struct call *call, const struct user *before, struct user *user,
                           struct reply *reply)
{
    if (user->mfa_enabled == before->mfa_enabled) return OK;
    if (call->caller.session_id == 0) return account_refuse_key(reply, call);
    if (user->mfa_enabled) {
        return reply_error_field(reply, ERR_INVALID, TEXT("mfa_enabled"),
                                 TEXT("is switched on by its owner alone"), call->request_id);
    }
    mfa_forget(user);
    return OK;
}

enum err user_update(struct step *s, const struct call *call, struct reply *reply)
{
    struct user before;
    enum err e = user_open(s, call, &before);
    if (e != OK) return e;

    struct user user = before;
    account_take_given(&user_change_type, call->given, call->body, &user_type, &user);
    /* A key gives no roles, as it makes no keys: its scopes would not hold what the role opens. */
    bool has_role = user.role != before.role;
    if (has_role && call->caller.session_id == 0) return account_refuse_key(reply, call);
    if (has_role && !may_move(&call->caller, before.role, user.role)) return ERR_FORBIDDEN;
    bool has_moved = !text_equal_fold(user.email, before.email);
    if (has_moved && !may_move_mail(&call->caller, &before)) return account_refuse_key(reply, call);
    e = super_is_left(s, call, &before, &user, reply);
    if (e == OK) e = mfa_update(call, &before, &user, reply);
    if (e != OK) return e;
    struct text taken = account_taken(&s->read, &user, user.id);
    if (taken.bytes > 0) return reply_error_saying(reply, ERR_TAKEN, taken, call->request_id);

    if (has_moved) e = email_moved(s, before.email, &user);
    if (e != OK) return e;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    /* Both ways: what was signed in before an account was switched off never comes back with it. */
    if (user.is_active != before.is_active) session_end_all(s, user.id, 0);
    reply_one(reply, &user_type, &user);
    return OK;
}

/* Bounded by the keys the user has made, as session_end_all() is by the sessions. */
static enum err revoke_keys(struct step *s, uint64_t user_id)
{
    struct walk walk;
    struct api_key key;
    uint64_t id;
    enum err e = OK;
    walk_begin(&walk, &s->read, &api_key_by_user, &(struct api_key){.user_id = user_id}, 0, false);
    while (e == OK && walk_next(&walk, &id)) {
        e = api_key_get(&s->read, id, &key);
        if (e != OK || key.is_revoked) continue;
        key.is_revoked = true;
        api_key_put(s, &key);
    }
    walk_end(&walk);
    return e;
}

enum err user_close(struct step *s, const struct call *call, struct reply *reply)
{
    struct user before;
    enum err e = user_open(s, call, &before);
    if (e != OK) return e;

    struct user user = before;
    user.is_active = false;
    e = super_is_left(s, call, &before, &user, reply);
    if (e == OK) e = revoke_keys(s, user.id);
    if (e != OK) return e;

    if (before.is_active) {
        user.updated_at = s->now_ms;
        user_put(s, &user);
    }
    session_end_all(s, user.id, 0);
    reply_no_data(reply);
    return OK;
}
