/* Another password for oneself, in three turns, since both hashes take their time:
 *
 *     user_password_change ► verify the old one ► is_match ► hash the new one ► put, end the other sessions
 *
 * The new password travels with the first question. Each turn checks again what may have changed. */
#include "account/account.h"
#include "account/password.h"
#include "account/session.h"
#include "account/sign_in.h"
#include "core/router.h"

enum err user_password_change(struct step *s, const struct call *call, struct reply *reply)
{
    const struct password_change_input *in = call->body;
    struct text reason;
    struct user user;
    if (call->caller.session_id == 0) return account_refuse_key(reply, call);
    enum err e = login_may_try(s, call->ip);
    if (e == OK) e = user_get(&s->read, call->caller.user_id, &user);
    if (e != OK) return e;
    if (!password_check(in->new_password, user.username, &reason)) {
        return reply_error_field(reply, ERR_INVALID, TEXT("new_password"), reason,
                                 call->request_id);
    }
    struct hash_call ask = {
        .purpose = hash_purpose_rehash,
        .password = in->old_password,
        .expected =
            user.password_hash.bytes > 0 ? user.password_hash : password_dummy(s->config, s->arena),
        .next_password = in->new_password,
        .user_id = user.id,
        .session_id = call->caller.session_id,
    };
    return hash_ask(s, call, &ask);
}

static void new_password_hash(struct step *s, const struct hash_answer *answer)
{
    emit_hash(s, &(struct hash_call){
                     .purpose = hash_purpose_rehash,
                     .exchange = answer->exchange,
                     .password = answer->next_password,
                     .user_id = answer->user_id,
                     .session_id = answer->session_id,
                     .ip = answer->ip,
                     .user_agent = answer->user_agent,
                     .request_id = answer->request_id,
                 });
}

/* The sign-in that asked must still stand: it may have been signed out, or ended by another change. */
static enum err new_password_put(struct step *s, const struct hash_answer *answer)
{
    struct user user;
    struct session session;
    enum err e = session_get(&s->read, answer->session_id, &session);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_SIGNED_OUT : e;
    e = user_get(&s->read, answer->user_id, &user);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_TOKEN_REVOKED : e;
    if (session.user_id != user.id) return ERR_TOKEN_REVOKED;
    if (!user.is_active) return ERR_USER_INACTIVE;
    if (answer->hash.bytes == 0) return ERR_OVERLOADED;

    s->caller.user_id = user.id;
    user.password_hash = answer->hash;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    session_end_all(s, user.id, session.id);
    return OK;
}

void change_on_hashed(struct account *self, struct step *s, const struct hash_answer *answer)
{
    const struct route *route = route_named(TEXT("user_password_change"));
    bool is_verified = answer->next_password.bytes == 0; /* the second of the two answers */
    if (!answer->is_busy && !is_verified && answer->is_match) {
        new_password_hash(s, answer);
        return;
    }
    struct reply *reply = reply_later_begin(s, route);
    enum err e = answer->is_busy ? ERR_OVERLOADED
                 : is_verified   ? new_password_put(s, answer)
                                 : login_failed(self, s, answer);
    if (e == OK) {
        reply_no_data(reply);
    } else if (e == ERR_WRONG_PASSWORD) { /* no 401: the sign-in itself is in order */
        reply_error_field(reply, ERR_INVALID, TEXT("old_password"), TEXT("is wrong"),
                          answer->request_id);
    } else {
        reply_error(reply, e, NULL, answer->request_id);
    }
    reply_later_end(s, answer->exchange, route, answer->request_id);
}
