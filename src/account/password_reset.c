/* A new password for who has forgotten the old one:
 *
 *     user_password_forgot ► code ► letter with a link        the same answer for every account
 *     user_password_reset  ► hash ► reset_on_hashed           the link is spent, all sign-ins end
 *
 * A second factor stays asked for. A change of the account makes older links worthless: the mailbox that one
 * went to may have become somebody else's. */
#include "account/code.h"
#include "account/password.h"
#include "account/session.h"
#include "account/sign_in.h"
#include "core/log.h"
#include "core/router.h"
#include "notify/notify.h"

enum err user_password_forgot(struct step *s, const struct call *call, struct reply *reply)
{
    const struct password_forgot_input *in = call->body;
    struct text account = text_trim(in->account.bytes > 0 ? in->account : in->email), token;
    struct user user;
    if (!notify_has_mail(s->config)) return ERR_MAIL_OFF;
    if (account.bytes == 0) {
        return reply_error_field(reply, ERR_INVALID, TEXT("account"), TEXT("is missing"),
                                 call->request_id);
    }
    enum err e = account_find(&s->read, account, &user);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    bool is_known = e == OK && user.is_active && user.email.bytes > 0;
    reply_no_data(reply);

    /* A row is written for accounts that do not exist, too: so both cases take as long. */
    e = code_make(s, code_purpose_password, account, is_known ? user.id : 0,
                  s->config->auth_reset_ttl * 1000, &token);
    if (e == ERR_TOO_MANY) return OK;
    if (e != OK || !is_known) return e;
    struct text path = arena_print(s->arena, "/#reset?token=%.*s", TEXT_ARGS(token));
    e = letter_send(s, &(struct letter_ask){
                           .template = letter_template_password_reset,
                           .channel = letter_channel_mail,
                           .to = user.email,
                           .language = in->language,
                           .user_id = user.id,
                           .link = notify_link(s->config, path, s->arena),
                           .minutes = (s->config->auth_reset_ttl + 59) / 60,
                       });
    /* Told to the log, not to the caller: it would say that there is such an account. */
    if (e != OK)
        log_line(LOG_WARNING, "a link for a new password was not sent", LOG_ERR(e), LOG_END);
    return OK;
}

enum err user_password_reset(struct step *s, const struct call *call, struct reply *reply)
{
    const struct password_reset_input *in = call->body;
    struct code code;
    struct user user;
    struct text reason;
    enum err e = code_find(&s->read, s->now_ms, code_purpose_password, in->token, &code);
    if (e == OK) e = user_get(&s->read, code.user_id, &user);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_CODE_WRONG : e;
    if (!user.is_active || user.updated_at > code.sent_at) return ERR_CODE_WRONG;
    if (!password_check(in->new_password, user.username, &reason)) {
        return reply_error_field(reply, ERR_INVALID, TEXT("new_password"), reason,
                                 call->request_id);
    }
    struct hash_call ask = {
        .purpose = hash_purpose_reset,
        .password = in->new_password,
        .user_id = user.id,
        .code_id = code.id,
    };
    return hash_ask(s, call, &ask);
}

/* The account may have been closed or changed meanwhile, the link used by somebody faster. */
static enum err password_put(struct step *s, const struct hash_answer *answer)
{
    struct user user;
    struct code code;
    if (answer->is_busy || answer->hash.bytes == 0) return ERR_OVERLOADED;
    enum err e = user_get(&s->read, answer->user_id, &user);
    if (e == OK) e = code_get(&s->read, answer->code_id, &code);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_CODE_WRONG : e;
    if (!user.is_active || user.updated_at > code.sent_at) return ERR_CODE_WRONG;
    e = code_spend(s, answer->code_id);
    if (e != OK) return e;

    s->caller.user_id = user.id;
    user.password_hash = answer->hash;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    session_end_all(s, user.id, 0);
    return OK;
}

void reset_on_hashed(struct step *s, const struct hash_answer *answer)
{
    const struct route *route = route_named(TEXT("user_password_reset"));
    enum err e = password_put(s, answer);
    struct reply *reply = reply_later_begin(s, route);
    if (e == OK) {
        reply_no_data(reply);
    } else {
        reply_error(reply, e, NULL, answer->request_id);
    }
    reply_later_end(s, answer->exchange, route, answer->request_id);
}
