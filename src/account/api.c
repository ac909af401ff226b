/* The own account, and the own API keys. */
#include <sodium.h>

#include "account/account.h"
#include "account/checks.h"
#include "account/verify.h"
#include "core/actor.h"
#include "core/listing.h"

enum { HOUR_MS = 3600000 };

/* ---- the account ---------------------------------------------------------------------------------- */

enum err user_me(struct view *view, const struct call *call, struct reply *reply)
{
    struct user user;
    enum err e = user_get(&view->read, call->caller.user_id, &user);
    if (e != OK) return e;
    reply_one(reply, &user_type, &user);
    return OK;
}

/* "Taken" says that somebody has an account: it is told as often as to who registers. When that is used up nothing
 * is told, taken or not. */
static enum err taken_check(struct step *s, const struct call *call, const struct user *user,
                            struct reply *reply)
{
    struct failures *taken = &core_account(s->core)->names_taken;
    uint64_t most = s->config->limits_register;
    bool is_limited = s->config->limits_enabled && most > 0;
    if (is_limited && failures_of_ip(taken, call->ip, HOUR_MS, s->now_ms) >= most)
        return ERR_TOO_MANY;
    struct text sentence = account_taken(&s->read, user, user->id);
    if (sentence.bytes == 0) return OK;
    failures_add(taken, call->ip, HOUR_MS, s->now_ms);
    return reply_error_saying(reply, ERR_TAKEN, sentence, call->request_id);
}

enum err user_me_update(struct step *s, const struct call *call, struct reply *reply)
{
    struct user user;
    enum err e = user_get(&s->read, call->caller.user_id, &user);
    if (e != OK) return e;
    e = call_guard(call, &user_type, &user);
    if (e != OK) return e;

    struct text email_before = user.email, phone_before = user.phone_number;
    account_take_given(&user_type, call->given, call->body, &user_type, &user);
    /* A link for a new password goes there: a key that moves it would be as good as a sign-in. */
    bool has_moved = !text_equal_fold(user.email, email_before);
    if (has_moved && call->caller.session_id == 0) return account_refuse_key(reply, call);
    if (has_moved || !text_equal(user.phone_number, phone_before))
        e = taken_check(s, call, &user, reply);
    if (e != OK) return e;

    if (has_moved) e = email_moved(s, email_before, &user);
    if (e != OK) return e;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    reply_one(reply, &user_type, &user);
    return OK;
}

/* ---- API keys ------------------------------------------------------------------------------------- */

enum { KEY_SECRET_BYTES = 32, KEYS_MAX = 200 /* of one user */ };

enum err api_key_list(struct view *view, const struct call *call, struct reply *reply)
{
    const struct api_key like = {.user_id = view->caller.user_id};
    return reply_listing(view, call, reply,
                         &(struct listing){&api_key_type, &api_key_by_user, &like, false});
}

/* hp_<id>_<secret>. The secret stands only here; its hash is what is stored. */
static struct text key_secret_make(struct step *s, struct api_key *key)
{
    uint8_t secret[KEY_SECRET_BYTES];
    char hex[2 * KEY_SECRET_BYTES + 1], hash[SECRET_HASH_BYTES];
    step_random(s, secret, sizeof secret);
    sodium_bin2hex(hex, sizeof hex, secret, sizeof secret);
    secret_hash((struct text){hex, sizeof hex - 1}, hash);
    key->secret_hash = arena_text(s->arena, (struct text){hash, sizeof hash});
    struct text whole = arena_print(s->arena, "hp_%llu_%s", (unsigned long long)key->id, hex);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(hex, sizeof hex);
    return whole;
}

/* What the fields' own rules cannot say. */
static bool key_is_good(const struct step *s, const struct api_key *in, struct field_errors *errors)
{
    uint32_t to_update = RIGHT_WRITE | right_of(SCOPE_ddns, true);
    if (in->expires_at != 0 && in->expires_at <= s->now_ms) {
        field_errors_add(errors, TEXT("expires_at"), TEXT("must be in the future"));
    }
    if (in->hosts.bytes > 0 && (scopes_to_rights(in->scopes) & to_update) == 0) {
        field_errors_add(errors, TEXT("scopes"), TEXT("must hold ddns:write when hosts are given"));
    }
    return errors->count == 0;
}

/* When there are too many, the oldest that does not work any more is forgotten. False: all of them work. */
static bool make_room(struct step *s, uint64_t user_id)
{
    struct walk walk;
    struct api_key key;
    const struct api_key like = {.user_id = user_id};
    uint64_t id;
    bool has_room = record_count(&s->read, &api_key_by_user, &like) < KEYS_MAX;
    if (has_room) return true;
    walk_begin(&walk, &s->read, &api_key_by_user, &like, 0, false);
    while (!has_room && walk_next(&walk, &id)) {
        if (api_key_get(&s->read, id, &key) != OK) continue;
        has_room = key.is_revoked || (key.expires_at != 0 && key.expires_at <= s->now_ms);
        if (has_room) api_key_remove(s, id);
    }
    walk_end(&walk);
    return has_room;
}

enum err api_key_create(struct step *s, const struct call *call, struct reply *reply)
{
    const struct api_key *in = call->body;
    struct field_errors errors = {.arena = s->arena};
    if (call->caller.session_id == 0) return account_refuse_key(reply, call);
    if (!key_is_good(s, in, &errors))
        return reply_error(reply, ERR_INVALID, &errors, call->request_id);
    if (!make_room(s, call->caller.user_id)) {
        return reply_error_saying(reply, ERR_CONFLICT,
                                  TEXT("There are 200 API keys already: withdraw one first"),
                                  call->request_id);
    }
    struct api_key key = {
        .id = step_id(s),
        .user_id = call->caller.user_id,
        .name = in->name,
        .scopes = in->scopes,
        .expires_at = in->expires_at,
        .created_at = s->now_ms,
        .hosts = in->hosts,
    };
    struct api_key_made made = {
        .id = key.id,
        .key = key_secret_make(s, &key),
        .name = key.name,
        .scopes = key.scopes,
        .expires_at = key.expires_at,
        .created_at = key.created_at,
        .hosts = key.hosts,
    };
    api_key_put(s, &key);
    reply_one(reply, &api_key_made_type, &made);
    return OK;
}

/* Revoked keys stay in the list: they say until when a program had access. */
enum err api_key_delete(struct step *s, const struct call *call, struct reply *reply)
{
    struct api_key key;
    enum err e = api_key_get(&s->read, call->id, &key);
    if (e != OK) return e;
    if (key.user_id != call->caller.user_id) return ERR_NOT_FOUND;
    e = call_guard(call, &api_key_type, &key);
    if (e != OK) return e;

    if (!key.is_revoked) {
        key.is_revoked = true;
        api_key_put(s, &key);
    }
    reply_no_data(reply);
    return OK;
}
