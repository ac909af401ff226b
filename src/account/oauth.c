#include "account/oauth.h"

#include "account/session.h"
#include "account/sign_in.h"
#include "core/router.h"

enum err oauth_refuse(struct reply *reply, const struct route *route, const char *error,
                      struct text description)
{
    reply_start(reply, route);
    reply->status = 400;
    json_open(&reply->body, '{');
    json_member(&reply->body, "error", text_of(error));
    json_member(&reply->body, "error_description", description);
    json_close(&reply->body, '}');
    return ERR_BAD_REQUEST;
}

/* 401 would mean the client's credentials (5.2), and there are none: who is not let in has no valid grant.
 * False: an error that is none of the grant's, such as being too busy, and is told as everywhere else. */
static bool is_of_grant(enum err e)
{
    return e != OK && e != LATER && err_info(e)->status == 401;
}

static void reply_tokens(struct reply *reply, const struct tokens *tokens)
{
    const struct token_answer answer = {
        .access_token = tokens->access_token,
        .token_type = TEXT("bearer"),
        .expires_in = tokens->expires_in,
        .refresh_token = tokens->refresh_token,
    };
    json_record(&reply->body, &token_answer_type, &answer, READ);
}

static enum err grant_refresh(struct step *s, const struct call *call, struct reply *reply)
{
    const struct token_input *in = call->body;
    struct tokens tokens;
    if (in->refresh_token.bytes == 0) {
        return oauth_refuse(reply, call->route, "invalid_request",
                            TEXT("refresh_token is missing"));
    }
    enum err e = session_refresh(s, call, in->refresh_token, &tokens);
    if (is_of_grant(e)) oauth_refuse(reply, call->route, "invalid_grant", err_info(e)->sentence);
    if (e == OK) reply_tokens(reply, &tokens);
    return e == ERR_REFRESH_REUSED ? OK : e; /* the end of its sign-in must be kept */
}

static enum err grant_password(struct step *s, const struct call *call, struct reply *reply)
{
    const struct token_input *in = call->body;
    if (in->username.bytes == 0 || in->password.bytes == 0) {
        return oauth_refuse(reply, call->route, "invalid_request",
                            TEXT("username and password are needed"));
    }
    return login_ask(s, call, hash_purpose_token,
                     &(struct login_try){
                         .account = in->username,
                         .password = in->password,
                         .totp = in->totp,
                         .solved = {in->captcha_ticket, in->captcha_randstr},
                     });
}

enum err user_token(struct step *s, const struct call *call, struct reply *reply)
{
    const struct token_input *in = call->body;
    if (text_equal(in->grant_type, TEXT("password"))) return grant_password(s, call, reply);
    if (text_equal(in->grant_type, TEXT("refresh_token"))) return grant_refresh(s, call, reply);
    return oauth_refuse(reply, call->route, "unsupported_grant_type",
                        TEXT("grant_type must be password or refresh_token"));
}

void token_on_hashed(struct account *self, struct step *s, const struct hash_answer *answer)
{
    const struct route *route = route_named(TEXT("user_token"));
    struct reply *reply = reply_later_begin(s, route);
    struct tokens tokens;
    enum err e = answer->is_busy ? ERR_OVERLOADED : login_done(self, s, answer, &tokens);
    if (e == OK) {
        reply_tokens(reply, &tokens);
    } else if (is_of_grant(e)) {
        oauth_refuse(reply, route, "invalid_grant", err_info(e)->sentence);
    } else {
        reply_error(reply, e, NULL, answer->request_id);
    }
    reply_later_end(s, answer->exchange, route, answer->request_id);
}
