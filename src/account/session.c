#include "account/session.h"

#include "account/account.h"
#include "account/device.h"
#include "account/token_keys.h"
#include "core/listing.h"
#include "core/log.h"

enum { IP_BYTES_MAX = 64, USER_AGENT_BYTES_MAX = 256, USER_JSON_MAX = 16384, STALE_LOOKS = 16 };
enum { SESSIONS_MAX = 200 }; /* of one user */

/* What is shown of a user, as JSON in the arena. */
static struct text user_json(const struct user *user, struct arena *arena)
{
    struct json json;
    json_init(&json, USER_JSON_MAX);
    json_record(&json, &user_type, user, READ);
    struct text shown = json.overflowed ? TEXT("null") : arena_text(arena, json_text(&json));
    json_free(&json);
    return shown;
}

static enum err tokens_make(struct step *s, const struct session *session, const struct user *user,
                            struct tokens *tokens)
{
    struct signing_key key;
    uint64_t issued_s = session->refreshed_at / 1000;
    uint64_t access_ttl =
        session->is_device ? s->config->auth_device_ttl : s->config->auth_access_ttl;
    struct token_claims claims = {
        .user_id = user->id,
        .issued_ms = issued_s * 1000,
        .expires_ms = (issued_s + access_ttl) * 1000,
        .token_id = session->refresh_id,
        .type = TOKEN_ACCESS,
        .role = user->role,
        .session_id = session->id,
    };
    enum err e = signing_key_now(s, &key);
    if (e != OK) return e;
    *tokens = (struct tokens){
        .access_token = token_make(&key, &claims, s->arena),
        .token_type = TEXT("Bearer"),
        .expires_in =
            claims.expires_ms > s->now_ms ? (claims.expires_ms - s->now_ms + 999) / 1000 : 0,
        .user = user_json(user, s->arena),
    };
    claims.type = TOKEN_REFRESH;
    claims.expires_ms = (issued_s + s->config->auth_refresh_ttl) * 1000;
    if (!session->is_device) tokens->refresh_token = token_make(&key, &claims, s->arena);
    signing_key_wipe(&key);
    return arena_overflowed(s->arena) ? ERR_OVERLOADED : OK;
}

/* A new refresh token for the session, from now on the only one in force. */
static void session_renew(struct step *s, struct session *session, struct text ip,
                          struct text user_agent)
{
    session->previous_id = session->refresh_id;
    session->refresh_id = step_id(s);
    session->refreshed_at = s->now_ms;
    session->expires_at = s->now_ms + 1000 * (session->is_device ? s->config->auth_device_ttl
                                                                 : s->config->auth_refresh_ttl);
    session->ip = account_text_cut(ip, IP_BYTES_MAX);
    session->user_agent = account_text_cut(user_agent, USER_AGENT_BYTES_MAX);
}

/* Each sign-in clears away what it finds over among the user's oldest, so that they do not pile up. */
static void remove_stale(struct step *s, uint64_t user_id)
{
    struct walk walk;
    struct session session;
    uint64_t id;
    walk_begin(&walk, &s->read, &session_by_user, &(struct session){.user_id = user_id}, 0, false);
    for (unsigned i = 0; i < STALE_LOOKS && walk_next(&walk, &id); i++) {
        if (session_get(&s->read, id, &session) != OK) continue;
        if (session.expires_at <= s->now_ms) session_remove(s, id);
    }
    walk_end(&walk);
}

/* Who has as many as that has a program that never signs out: the one that was used longest ago ends. */
static void make_room(struct step *s, uint64_t user_id)
{
    struct walk walk;
    struct session session;
    const struct session like = {.user_id = user_id};
    uint64_t id, oldest_id = 0, oldest_ms = UINT64_MAX;
    if (record_count(&s->read, &session_by_user, &like) < SESSIONS_MAX) return;
    walk_begin(&walk, &s->read, &session_by_user, &like, 0, false);
    for (unsigned i = 0; i < SESSIONS_MAX && walk_next(&walk, &id); i++) {
        if (session_get(&s->read, id, &session) != OK || session.refreshed_at >= oldest_ms)
            continue;
        oldest_id = id;
        oldest_ms = session.refreshed_at;
    }
    walk_end(&walk);
    if (oldest_id != 0) session_remove(s, oldest_id);
}

enum err session_open(struct step *s, const struct user *user, bool is_device, struct text ip,
                      struct text user_agent, struct tokens *tokens)
{
    struct session session = {
        .id = step_id(s), .user_id = user->id, .is_device = is_device, .created_at = s->now_ms};
    remove_stale(s, user->id);
    make_room(s, user->id);
    session_renew(s, &session, ip, user_agent);
    session_put(s, &session);
    return tokens_make(s, &session, user, tokens);
}

enum err session_continue(struct step *s, struct session *session, const struct call *call,
                          struct tokens *tokens)
{
    struct user user;
    enum err e = user_get(&s->read, session->user_id, &user);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_TOKEN_REVOKED : e;
    if (!user.is_active) return ERR_USER_INACTIVE;
    session_renew(s, session, call->ip, call->user_agent);
    session_put(s, session);
    return tokens_make(s, session, &user, tokens);
}

/* Bounded by the sessions the user has; when they do not fit into the step, it is refused as a whole. */
void session_end_all(struct step *s, uint64_t user_id, uint64_t kept_id)
{
    struct walk walk;
    uint64_t id;
    walk_begin(&walk, &s->read, &session_by_user, &(struct session){.user_id = user_id}, 0, false);
    while (walk_next(&walk, &id)) {
        if (id != kept_id) session_remove(s, id);
    }
    walk_end(&walk);
}

/* ---- handlers ------------------------------------------------------------------------------------- */

static enum err refresh_token_read(const struct step *s, struct text token,
                                   struct token_claims *claims)
{
    struct key_ring ring = {.count = 0};
    enum err e = key_ring_read(&ring, &s->read, s->secrets, s->now_ms);
    if (e == OK) e = token_read(&ring, token, s->now_ms, claims);
    key_ring_wipe(&ring);
    if (e != OK) return e;
    return claims->type == TOKEN_REFRESH ? OK : ERR_TOKEN_MALFORMED;
}

static bool is_in_grace(const struct step *s, const struct session *session, uint64_t token_id)
{
    uint64_t until_ms = session->refreshed_at + s->config->auth_refresh_grace * 1000;
    return token_id == session->previous_id && s->now_ms < until_ms;
}

enum err session_refresh(struct step *s, const struct call *call, struct text token,
                         struct tokens *tokens)
{
    struct token_claims claims;
    struct session session;
    struct user user;
    enum err e = refresh_token_read(s, token, &claims);
    if (e != OK) return e;
    e = user_get(&s->read, claims.user_id, &user);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_TOKEN_REVOKED : e;
    e = session_get(&s->read, claims.session_id, &session);
    if (e == ERR_NOT_FOUND) return user.is_active ? ERR_SIGNED_OUT : ERR_USER_INACTIVE;
    if (e != OK) return e;
    if (session.user_id != claims.user_id) return ERR_TOKEN_REVOKED;

    s->caller.user_id =
        user.id; /* for the audit log: the token says who, though nobody is signed in */
    bool is_spent = claims.token_id != session.refresh_id;
    if (is_spent && !is_in_grace(s, &session, claims.token_id)) {
        session_remove(s, session.id);
        log_line(LOG_WARNING, "a refresh token was used twice; its sign-in is ended",
                 LOG_ID("user_id", user.id), LOG_ID("session_id", session.id),
                 LOG_TEXT("ip", call->ip), LOG_END);
        return ERR_REFRESH_REUSED;
    }
    if (!user.is_active) return ERR_USER_INACTIVE;
    if (!is_spent) {
        session_renew(s, &session, call->ip, call->user_agent);
        session_put(s, &session);
    }
    return tokens_make(s, &session, &user, tokens);
}

enum err user_refresh(struct step *s, const struct call *call, struct reply *reply)
{
    const struct refresh_input *in = call->body;
    struct tokens tokens;
    if (in->refresh_token.bytes == 0) return device_refresh(s, call, reply);
    enum err e = session_refresh(s, call, in->refresh_token, &tokens);
    if (e == ERR_REFRESH_REUSED) {
        /* An error for the caller, but a change that must be kept: so this is not a refusal. */
        reply_error(reply, e, NULL, call->request_id);
        return OK;
    }
    if (e == OK) reply_one(reply, &tokens_type, &tokens);
    return e;
}

enum err user_logout(struct step *s, const struct call *call, struct reply *reply)
{
    const struct logout_input *in = call->body;
    if (call->caller.session_id == 0) return account_refuse_key(reply, call);

    if (in != NULL && in->all) {
        session_end_all(s, call->caller.user_id, 0);
    } else {
        session_remove(s, call->caller.session_id);
    }
    reply_no_data(reply);
    return OK;
}

enum err session_list(struct view *view, const struct call *call, struct reply *reply)
{
    const struct session like = {.user_id = view->caller.user_id};
    return reply_listing(view, call, reply,
                         &(struct listing){&session_type, &session_by_user, &like, true});
}

enum err session_end(struct step *s, const struct call *call, struct reply *reply)
{
    struct session session;
    enum err e = session_get(&s->read, call->id, &session);
    if (e != OK) return e;
    if (session.user_id != call->caller.user_id) return ERR_NOT_FOUND;
    e = call_guard(call, &session_type, &session);
    if (e != OK) return e;

    session_remove(s, session.id);
    reply_no_data(reply);
    return OK;
}
