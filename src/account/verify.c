#include "account/verify.h"

#include "account/account.h"
#include "account/captcha.h"
#include "account/code.h"
#include "core/log.h"
#include "core/router.h"
#include "notify/notify.h"

enum { MOVED_MINUTES = 3 * 24 * 60 }; /* a mail server may be down for a weekend */

static enum err refuse_email(const struct call *call, struct reply *reply, struct text reason)
{
    return reply_error_field(reply, ERR_INVALID, TEXT("email"), reason, call->request_id);
}

/* ---- phone numbers -------------------------------------------------------------------------------- */

enum err sms_code_send(struct step *s, const struct sms_send_input *in, uint64_t exchange,
                       struct text request_id)
{
    struct text digits;
    enum err e = code_make(s, code_purpose_sms, in->phone_number, 0,
                           s->config->auth_code_ttl * 1000, &digits);
    if (e != OK) return e;
    return letter_send(s, &(struct letter_ask){
                              .template = letter_template_sms_code,
                              .channel = letter_channel_sms,
                              .to = in->phone_number,
                              .language = in->language,
                              .code = digits,
                              .minutes = (s->config->auth_code_ttl + 59) / 60,
                              .exchange = exchange,
                              .request_id = request_id,
                              .route = route_named(TEXT("sms_send")),
                          });
}

enum err sms_send(struct step *s, const struct call *call, struct reply *reply)
{
    const struct sms_send_input *in = call->body;
    (void)reply;
    if (!notify_has_sms(s->config)) return ERR_SMS_OFF;
    if (captcha_is_on(s->config)) {
        return captcha_guard(s, call, in->captcha_ticket, in->captcha_randstr, captcha_next_sms,
                             &sms_send_input_type, in);
    }
    enum err e = sms_code_send(s, in, call->exchange, call->request_id);
    return e == OK ? LATER : e;
}

/* A page may check the code before it asks for the rest. That is good once; registering still takes it. */
enum err sms_verify(struct step *s, const struct call *call, struct reply *reply)
{
    const struct sms_verify_input *in = call->body;
    struct code code;
    if (!notify_has_sms(s->config)) return ERR_SMS_OFF;
    enum err e = code_check(s, code_purpose_sms, in->phone_number, in->code, &code);
    if (e == OK && code.is_seen) e = ERR_CODE_WRONG;
    if (e == ERR_CODE_WRONG) {
        reply_error(reply, e, NULL, call->request_id);
        return OK; /* the try is kept */
    }
    if (e != OK) return e;
    code.is_seen = true;
    code_put(s, &code);
    reply_no_data(reply);
    return OK;
}

/* ---- mail addresses ------------------------------------------------------------------------------- */

static enum err link_send(struct step *s, const struct call *call, const struct user *user,
                          bool is_waiting)
{
    const struct email_send_input *in = call->body;
    struct text token;
    enum err e = code_make(s, code_purpose_email, user->email, user->id,
                           s->config->auth_verify_ttl * 1000, &token);
    if (e != OK) return e;
    struct text path =
        arena_print(s->arena, "/api/v1/auth/email/verify?token=%.*s", TEXT_ARGS(token));
    return letter_send(s, &(struct letter_ask){
                              .template = letter_template_mail_verify,
                              .channel = letter_channel_mail,
                              .to = user->email,
                              .language = in->language,
                              .user_id = user->id,
                              .link = notify_link(s->config, path, s->arena),
                              .minutes = (s->config->auth_verify_ttl + 59) / 60,
                              .exchange = is_waiting ? call->exchange : 0,
                              .request_id = call->request_id,
                              .route = call->route,
                          });
}

static enum err own_email_send(struct step *s, const struct call *call, struct reply *reply)
{
    const struct email_send_input *in = call->body;
    struct user user;
    enum err e = user_get(&s->read, call->caller.user_id, &user);
    if (e != OK) return e;
    if (user.email.bytes == 0)
        return refuse_email(call, reply, TEXT("this account has none: set it first"));
    if (in->email.bytes > 0 && !text_equal_fold(in->email, user.email))
        return refuse_email(call, reply, TEXT("is not this account's address"));
    if (user.email_verified) {
        return reply_error_saying(reply, ERR_CONFLICT, TEXT("This address is confirmed already"),
                                  call->request_id);
    }
    e = link_send(s, call, &user, true);
    return e == OK ? LATER : e;
}

/* Who is not signed in gets the same answer whether there is such an account or not. */
enum err email_send(struct step *s, const struct call *call, struct reply *reply)
{
    const struct email_send_input *in = call->body;
    struct user user = {.email = in->email};
    if (!notify_has_mail(s->config)) return ERR_MAIL_OFF;
    if (call->caller.user_id != 0) return own_email_send(s, call, reply);
    if (in->email.bytes == 0) return refuse_email(call, reply, TEXT("is missing"));
    enum err e = record_find(&s->read, &user_by_email, &user, &user);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    if (e == OK && !user.email_verified && user.is_active) {
        e = link_send(s, call, &user, false);
    } else {
        /* A row is written all the same: so both cases take as long. */
        struct text unsent;
        e = code_make(s, code_purpose_email, in->email, 0, s->config->auth_verify_ttl * 1000,
                      &unsent);
    }
    if (e != OK && e != ERR_TOO_MANY)
        log_line(LOG_WARNING, "a link for a mail address was not sent", LOG_ERR(e), LOG_END);
    reply_no_data(reply);
    return OK;
}

enum err email_verify(struct step *s, const struct call *call, struct reply *reply)
{
    struct code code;
    struct user user;
    struct text token = call_query(call, TEXT("token"), s->arena);
    enum err e = code_find(&s->read, s->now_ms, code_purpose_email, token, &code);
    if (e == OK) e = user_get(&s->read, code.user_id, &user);
    if (e == ERR_NOT_FOUND) e = ERR_CODE_WRONG;
    if (e != OK) return e;
    /* Sent to the address that the account had then. */
    if (!text_equal_fold(user.email, code.target)) return ERR_CODE_WRONG;
    e = code_spend(s, code.id);
    if (e != OK) return e;

    s->caller.user_id = user.id;
    user.email_verified = true;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    reply_one(reply, &email_verified_type,
              &(struct email_verified){.email = user.email, .email_verified = true});
    return OK;
}

/* Links for a new password go to the mail address, and a session may move it without the password. So whoever had it is
 * told, though not where it is now: an address that was never confirmed may be a stranger's. Older links are worthless from
 * here on (see password_reset.c). */
enum err email_moved(struct step *s, struct text old, struct user *user)
{
    struct text unsent;
    user->email_verified = false;
    if (old.bytes == 0 || !notify_has_mail(s->config)) return OK;
    /* Counted like links, so that moving to and fro floods no mailbox; the first of them always leaves. */
    enum err e = code_make(s, code_purpose_moved, old, user->id, 0, &unsent);
    if (e != OK) return e == ERR_TOO_MANY ? OK : e;
    return letter_send(s, &(struct letter_ask){
                              .template = letter_template_mail_moved,
                              .channel = letter_channel_mail,
                              .to = old,
                              .user_id = user->id,
                              .minutes = MOVED_MINUTES,
                          });
}
