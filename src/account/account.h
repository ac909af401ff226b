/* The account actor: what it keeps in memory, and what the rest of the program may ask of it.
 *
 * Everything that must survive is a record (user, session, api_key). In memory there are the setup token,
 * which is meant to die with the process, and the counts of failed sign-ins.
 *
 *     user_register, user_login, user_token ► captcha_guard ► (the captcha service) ► account_on_query_done
 *                                                                                 ► hash_call, as below
 *     setup, user_register, user_login, ► hash_call ► (the hasher's threads) ► account_on_hash_done ► answer
 *     user_token, user_password_change
 *
 * Handlers of routes.def are declared by core/call.h; account_new(), account_free(), account_start() and
 * account_on_hash_done() by core/actor.h. */
#ifndef HOMEPORT_ACCOUNT_ACCOUNT_H
#define HOMEPORT_ACCOUNT_ACCOUNT_H

#include "account/failures.h"
#include "core/step.h"

enum { SETUP_TOKEN_BYTES_MAX = 128, SETUP_WRONG_MAX = 5, CAPTCHA_WAITS_MAX = 256 };

struct account {
    char setup_token[SETUP_TOKEN_BYTES_MAX];
    size_t setup_token_bytes; /* 0: there is none, or it is dead */
    uint64_t setup_expires_ms;
    unsigned setup_wrong_count;
    bool has_failures_key;
    struct failures failures;
    struct failures devices_made; /* the same kind of counts: accounts made by a device_id */
    struct failures names_taken;  /* and own accounts that were to have somebody else's mail address or number */
    uint64_t captcha_until_ms[CAPTCHA_WAITS_MAX]; /* see captcha.c; 0: free */
};

/* Whether somebody has the highest role: then there is no setup any more. */
bool account_has_admin(const struct reader *reader);

/* What POST /api/v1/setup will ask for, from now on and until then. Copied; at most
 * SETUP_TOKEN_BYTES_MAX. On the core's thread, or before it runs. */
void account_set_setup_token(struct account *self, struct text token, uint64_t expires_ms);

/* Judges a try. Five wrong ones kill the token. */
bool account_try_setup_token(struct account *self, struct text token, uint64_t now_ms);

/* Which of user name, mail address and phone number another user than `self_id` has, in any case of letters: the
 * sentence that goes with ERR_TAKEN, or TEXT_NONE. */
struct text account_taken(const struct reader *reader, const struct user *like, uint64_t self_id);
bool account_is_taken(const struct reader *reader, const struct user *like, uint64_t self_id);

/* Whether this is the only active super_admin. It stays what it is: somebody who can is always left. */
enum err account_is_last_super(struct step *s, const struct user *user, bool *is_last);

/* For what only somebody who is signed in may do: the refusal of an API key, ERR_FORBIDDEN. */
enum err account_refuse_key(struct reply *reply, const struct call *call);

/* Takes over the fields that a body gave, by their names, which the other type has too. */
void account_take_given(const struct record_type *from_type, uint64_t given, const void *from,
                        const struct record_type *to_type, void *to);

/* As much of a text as a field of `most` bytes takes, cut between characters. */
struct text account_text_cut(struct text t, size_t most);

#endif
