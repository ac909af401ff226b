/* Setup, registration and sign-in: requests that wait for a password's hash. The first half of each checks what
 * can be checked at once and asks the hasher; account_on_hash_done() is the second half, in a later turn, and
 * checks again whatever another request may have changed in between. */
#include "account/sign_in.h"

#include <assert.h>

#include "account/bans.h"
#include "account/code.h"
#include "account/device.h"
#include "account/failed_sign_in.h"
#include "account/mfa.h"
#include "account/password.h"
#include "account/session.h"
#include "core/actor.h"
#include "core/log.h"
#include "core/router.h"
#include "notify/notify.h"

enum { IP_BYTES_MAX = 64, USER_AGENT_BYTES_MAX = 256 };

static void hash_prepare(const struct call *call, struct hash_call *ask)
{
    ask->exchange = call->exchange;
    ask->ip = account_text_cut(call->ip, IP_BYTES_MAX);
    ask->user_agent = account_text_cut(call->user_agent, USER_AGENT_BYTES_MAX);
    ask->request_id = call->request_id;
}

enum err hash_ask(struct step *s, const struct call *call, struct hash_call *ask)
{
    hash_prepare(call, ask);
    emit_hash(s, ask);
    return LATER;
}

/* Once that captcha is passed. */
static enum err hash_ask_guarded(struct step *s, const struct call *call,
                                 struct captcha_solved solved, struct hash_call *ask)
{
    hash_prepare(call, ask);
    return captcha_guard(s, call, solved.ticket, solved.randstr, captcha_next_hash, &hash_call_type,
                         ask);
}

static enum err password_refuse(const struct call *call, struct reply *reply,
                                const struct hash_call *ask)
{
    struct text reason;
    if (password_check(ask->password, ask->username, &reason)) return OK;
    return reply_error_field(reply, ERR_INVALID, TEXT("password"), reason, call->request_id);
}

/* The part that setup and registration share. */
static enum err account_ask(struct step *s, const struct call *call, struct reply *reply,
                            struct hash_call *ask)
{
    const struct user like = {
        .username = ask->username,
        .email = ask->email,
        .phone_number = ask->phone_number,
    };
    enum err e = password_refuse(call, reply, ask);
    if (e != OK) return e;
    struct text taken = account_taken(&s->read, &like, 0);
    if (taken.bytes == 0) return hash_ask(s, call, ask);
    return reply_error_saying(reply, ERR_TAKEN, taken, call->request_id);
}

enum err setup_state(struct view *view, const struct call *call, struct reply *reply)
{
    (void)call;
    if (account_has_admin(&view->read)) return ERR_NOT_FOUND;
    reply_no_data(reply);
    return OK;
}

enum err setup(struct step *s, const struct call *call, struct reply *reply)
{
    const struct setup_input *in = call->body;
    struct hash_call ask = {
        .purpose = hash_purpose_setup,
        .role = role_super_admin,
        .username = in->username,
        .email = in->email,
        .password = in->password,
    };
    if (account_has_admin(&s->read)) return ERR_NOT_FOUND;
    if (!account_try_setup_token(core_account(s->core), in->token, s->now_ms)) {
        log_line(LOG_WARNING, "a wrong setup token", LOG_TEXT("ip", call->ip),
                 LOG_TEXT("request_id", call->request_id), LOG_END);
        /* Kept, not refused: it may have been one failure too many, and made a ban. */
        enum err e = ban_note_failure(s, call->ip, ERR_SETUP_TOKEN);
        reply_error(reply, e, NULL, call->request_id);
        return OK;
    }
    return account_ask(s, call, reply, &ask);
}

/* Where SMS is set up, the phone number has to be one's own. After a wrong code the reply says so and OK is
 * returned, since the try has to be kept. */
static enum err sms_code_check(struct step *s, const struct call *call, struct reply *reply,
                               uint64_t *code_id)
{
    const struct register_input *in = call->body;
    struct field_errors errors = {.arena = s->arena};
    struct code code;
    if (in->phone_number.bytes == 0)
        field_errors_add(&errors, TEXT("phone_number"), TEXT("is missing"));
    if (in->sms_code.bytes == 0) field_errors_add(&errors, TEXT("sms_code"), TEXT("is missing"));
    enum err e = errors.count > 0
                     ? ERR_INVALID
                     : code_check(s, code_purpose_sms, in->phone_number, in->sms_code, &code);
    if (e == ERR_CODE_WRONG) {
        field_errors_add(&errors, TEXT("sms_code"),
                         TEXT("is wrong, was used before or has expired"));
    }
    if (errors.count > 0) {
        reply_error(reply, ERR_INVALID, &errors, call->request_id);
        return e == ERR_CODE_WRONG ? OK : e;
    }
    *code_id = code.id;
    return e;
}

enum err user_register(struct step *s, const struct call *call, struct reply *reply)
{
    const struct register_input *in = call->body;
    struct hash_call ask = {
        .purpose = hash_purpose_register,
        .role = role_user,
        .username = in->username,
        .email = in->email,
        .phone_number = in->phone_number,
        .password = in->password,
    };
    if (!s->config->auth_register_open) return ERR_REGISTER_CLOSED;
    enum err e = notify_has_sms(s->config) ? sms_code_check(s, call, reply, &ask.code_id) : OK;
    if (e != OK || reply->status >= 400) return e;
    if (!captcha_is_on(s->config)) return account_ask(s, call, reply, &ask);
    /* Whether a name is taken is told (by account_made) to who has passed the captcha, not to a script. */
    e = password_refuse(call, reply, &ask);
    if (e != OK) return e;
    return hash_ask_guarded(s, call,
                            (struct captcha_solved){in->captcha_ticket, in->captcha_randstr}, &ask);
}

/* ---- sign-in -------------------------------------------------------------------------------------- */

/* A user name holds neither @ nor +, so what is meant can be told from the text. */
enum err account_find(const struct reader *reader, struct text account, struct user *user)
{
    struct user like = {.id = 0};
    if (account.bytes > 0 && memchr(account.data, '@', account.bytes) != NULL) {
        like.email = account;
        return record_find(reader, &user_by_email, &like, user);
    }
    if (text_starts(account, TEXT("+"))) {
        like.phone_number = account;
        return record_find(reader, &user_by_phone, &like, user);
    }
    like.username = account;
    return record_find(reader, &user_by_username, &like, user);
}

enum err login_may_try(struct step *s, struct text ip)
{
    return ban_may_try(s, ip);
}

enum err login_ask(struct step *s, const struct call *call, enum hash_purpose purpose,
                   const struct login_try *try)
{
    struct user user;
    enum err e = login_may_try(s, call->ip);
    if (e != OK) return e;
    e = account_find(&s->read, text_trim(try->account), &user);
    if (e != OK && e != ERR_NOT_FOUND) return e;

    bool is_known = e == OK && user.password_hash.bytes > 0;
    struct hash_call ask = {
        .purpose = purpose,
        .password = try->password,
        .next_password = try->password, /* comes back: see verify_again() */
        .totp = try->totp,
        .expected = is_known ? user.password_hash : password_dummy(s->config, s->arena),
        .user_id = is_known ? user.id : 0,
    };
    if (captcha_is_on_for_login(s, call->ip)) return hash_ask_guarded(s, call, try->solved, &ask);
    return hash_ask(s, call, &ask);
}

enum err user_login(struct step *s, const struct call *call, struct reply *reply)
{
    const struct login_input *in = call->body;
    struct field_errors errors = {.arena = s->arena};
    if (in->device_id.bytes > 0 && in->account.bytes == 0 && in->password.bytes == 0)
        return device_login(s, call, reply);
    if (in->account.bytes == 0) field_errors_add(&errors, TEXT("account"), TEXT("is missing"));
    if (in->password.bytes == 0) field_errors_add(&errors, TEXT("password"), TEXT("is missing"));
    if (in->device_id.bytes > 0)
        field_errors_add(&errors, TEXT("device_id"),
                         TEXT("stands instead of account and password"));
    if (errors.count > 0) return reply_error(reply, ERR_INVALID, &errors, call->request_id);
    return login_ask(s, call, hash_purpose_login,
                     &(struct login_try){
                         .account = in->account,
                         .password = in->password,
                         .totp = in->totp,
                         .solved = {in->captcha_ticket, in->captcha_randstr},
                     });
}

enum err login_failed(struct account *self, struct step *s, const struct hash_answer *answer)
{
    (void)self;
    log_line(LOG_INFO, "a sign-in failed", LOG_ID("user_id", answer->user_id),
             LOG_TEXT("ip", answer->ip), LOG_TEXT("request_id", answer->request_id), LOG_END);
    failed_sign_in_note(s, answer->ip, answer->user_id);
    return ban_note_failure(s, answer->ip, ERR_WRONG_PASSWORD);
}

/* ---- the second half ------------------------------------------------------------------------------ */

enum err login_done(struct account *self, struct step *s, const struct hash_answer *answer,
                    struct tokens *tokens)
{
    struct user user;
    if (answer->user_id == 0 || !answer->is_match) return login_failed(self, s, answer);
    enum err e = user_get(&s->read, answer->user_id, &user);
    if (e == ERR_NOT_FOUND) return login_failed(self, s, answer);
    if (e != OK) return e;
    if (!user.is_active) return ERR_USER_INACTIVE; /* told only to who knows the password */

    s->caller.user_id = user.id;
    e = mfa_check(s, &user, answer->totp);
    if (e == ERR_MFA_WRONG) {
        enum err failed = login_failed(self, s, answer);
        return failed == ERR_WRONG_PASSWORD ? ERR_MFA_WRONG : failed;
    }
    if (e != OK) return e;
    if (answer->hash.bytes > 0) { /* the settings have changed since it was made */
        user.password_hash = answer->hash;
        user_put(s, &user);
    }
    return session_open(s, &user, false, answer->ip, answer->user_agent, tokens);
}

static enum err account_made(struct step *s, const struct hash_answer *answer,
                             struct tokens *tokens)
{
    if (answer->hash.bytes == 0) return ERR_OVERLOADED;
    struct user user = {
        .username = answer->username,
        .email = answer->email,
        .phone_number = answer->phone_number,
        .role = answer->role,
        .is_active = true,
        .password_hash = answer->hash,
        .created_at = s->now_ms,
        .updated_at = s->now_ms,
    };
    if (answer->role == role_super_admin && account_has_admin(&s->read)) return ERR_NOT_FOUND;
    if (account_is_taken(&s->read, &user, 0)) return ERR_TAKEN;
    enum err e = answer->code_id != 0 ? code_spend(s, answer->code_id) : OK;
    if (e != OK) return e;

    user.id = step_id(s);
    s->caller.user_id = user.id;
    user_put(s, &user);
    return session_open(s, &user, false, answer->ip, answer->user_agent, tokens);
}

static enum err answered(struct account *self, struct step *s, const struct hash_answer *answer,
                         struct tokens *tokens)
{
    if (answer->is_busy) return ERR_OVERLOADED;
    switch ((enum hash_purpose)answer->purpose) {
    case hash_purpose_login: return login_done(self, s, answer, tokens);
    case hash_purpose_register:
    case hash_purpose_setup: return account_made(s, answer, tokens);
    case hash_purpose_rehash:
    case hash_purpose_reset:
    case hash_purpose_token: break;
    }
    return ERR_INTERNAL;
}

static const struct route *route_of(enum hash_purpose purpose)
{
    switch (purpose) {
    case hash_purpose_login: return route_named(TEXT("user_login"));
    case hash_purpose_register: return route_named(TEXT("user_register"));
    case hash_purpose_setup: return route_named(TEXT("setup"));
    case hash_purpose_rehash:
    case hash_purpose_reset:
    case hash_purpose_token: break;
    }
    return NULL;
}

/* The password that was right may have been changed while it was being verified; then it is not right any more,
 * and what was made of it must not be stored. True: it is being verified against what is stored now. */
static bool verify_again(struct step *s, const struct hash_answer *answer)
{
    struct user user;
    bool is_sign_in =
        answer->purpose == hash_purpose_login || answer->purpose == hash_purpose_token;
    if (!is_sign_in || answer->is_busy || !answer->is_match) return false;
    if (user_get(&s->read, answer->user_id, &user) != OK) return false;
    if (text_equal(user.password_hash, answer->expected)) return false;
    emit_hash(s, &(struct hash_call){
                     .purpose = answer->purpose,
                     .exchange = answer->exchange,
                     .password = answer->next_password,
                     .next_password = answer->next_password,
                     .expected = user.password_hash,
                     .user_id = answer->user_id,
                     .totp = answer->totp,
                     .ip = answer->ip,
                     .user_agent = answer->user_agent,
                     .request_id = answer->request_id,
                 });
    return true;
}

static void taken_later(struct step *s, const struct hash_answer *answer, const struct route *route)
{
    const struct user like = {
        .username = answer->username, .email = answer->email, .phone_number = answer->phone_number};
    reply_later_saying(s, answer->exchange, route, ERR_TAKEN, account_taken(&s->read, &like, 0),
                       answer->request_id);
}

enum err account_on_hash_done(struct account *self, struct step *s,
                              const struct hash_answer *answer)
{
    struct tokens tokens = {.expires_in = 0};
    s->ip = answer->ip;
    s->request_id = answer->request_id;
    if (verify_again(s, answer)) return OK;
    if (answer->purpose == hash_purpose_token || answer->purpose == hash_purpose_rehash) {
        (answer->purpose == hash_purpose_token ? token_on_hashed : change_on_hashed)(self, s,
                                                                                     answer);
        return OK;
    }
    if (answer->purpose == hash_purpose_reset) {
        reset_on_hashed(s, answer);
        return OK;
    }
    const struct route *route = route_of(answer->purpose);
    assert(route != NULL);
    enum err e = answered(self, s, answer, &tokens);
    if (e == ERR_TAKEN) {
        taken_later(s, answer, route);
        return OK;
    }
    reply_later(s, answer->exchange, route, e, &tokens_type, &tokens, answer->request_id);
    return OK;
}
