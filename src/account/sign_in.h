/* What requests that wait for a password's hash share: asking the hasher, and what a wrong password costs.
 * Private to this folder.
 *
 *     hash_ask ► (the hasher) ► account_on_hash_done ─┬─ setup, register, login       sign_in.c
 *                                                     ├─ token ► token_on_hashed      oauth.c
 *                                                     ├─ rehash ► change_on_hashed    password_change.c
 *                                                     └─ reset ► reset_on_hashed      password_reset.c */
#ifndef HOMEPORT_ACCOUNT_SIGN_IN_H
#define HOMEPORT_ACCOUNT_SIGN_IN_H

#include "account/captcha.h"

/* Sends it, with where the call came from; for a handler to return. */
enum err hash_ask(struct step *s, const struct call *call, struct hash_call *ask);

/* The user of a name, mail address or phone number. */
enum err account_find(const struct reader *reader, struct text account, struct user *user);
/* ERR_BANNED, or ERR_TOO_MANY, when this address has failed too often. */
enum err login_may_try(struct step *s, struct text ip);
/* What came with a try to sign in. */
struct login_try {
    struct text account, password, totp;
    struct captcha_solved solved;
};
/* LATER: the password is being verified against that account's, or against nobody's, once a captcha is passed
 * where one is asked for. */
enum err login_ask(struct step *s, const struct call *call, enum hash_purpose purpose,
                   const struct login_try *try);
/* Signs in who has the right password, and the second factor where there is one. */
enum err login_done(struct account *self, struct step *s, const struct hash_answer *answer,
                    struct tokens *tokens);
/* Counts a wrong password; what to answer. */
enum err login_failed(struct account *self, struct step *s, const struct hash_answer *answer);

/* Each answers the request. */
void token_on_hashed(struct account *self, struct step *s, const struct hash_answer *answer);
void change_on_hashed(struct account *self, struct step *s, const struct hash_answer *answer);
void reset_on_hashed(struct step *s, const struct hash_answer *answer);

#endif
