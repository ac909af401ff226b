/* What requests that wait for a password's hash share: asking the hasher, and what a wrong password costs.
 * Private to this folder.
 *
 *     hash_ask ► (the hasher) ► account_on_hash_done ─┬─ setup, register, login       sign_in.c
 *                                                     ├─ token ► token_on_hashed      oauth.c
 *                                                     └─ rehash ► change_on_hashed    password_change.c */
#ifndef HOMEPORT_ACCOUNT_SIGN_IN_H
#define HOMEPORT_ACCOUNT_SIGN_IN_H

#include "account/account.h"

/* Sends it, with where the call came from; for a handler to return. */
enum err hash_ask(struct step *s, const struct call *call, struct hash_call *ask);

/* ERR_BANNED, or ERR_TOO_MANY, when this address has failed too often. */
enum err login_may_try(struct step *s, struct text ip);
/* LATER: the password is being verified against that account's, or against nobody's. */
enum err login_ask(struct step *s, const struct call *call, enum hash_purpose purpose,
                   struct text account, struct text password);
/* Signs in who has the right password. */
enum err login_done(struct account *self, struct step *s, const struct hash_answer *answer,
                    struct tokens *tokens);
/* Counts a wrong password; what to answer. */
enum err login_failed(struct account *self, struct step *s, const struct hash_answer *answer);

/* Each answers the request. */
void token_on_hashed(struct account *self, struct step *s, const struct hash_answer *answer);
void change_on_hashed(struct account *self, struct step *s, const struct hash_answer *answer);

#endif
