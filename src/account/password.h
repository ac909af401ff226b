/* What a password may be, and what unknown accounts are verified against. */
#ifndef HOMEPORT_ACCOUNT_PASSWORD_H
#define HOMEPORT_ACCOUNT_PASSWORD_H

#include "core/arena.h"
#include "core/config.h"
#include "core/text.h"

enum { PASSWORD_CHARACTERS_MIN = 8 };

/* At least eight characters, not the user's own name, not one of those that everybody tries first. */
bool password_check(struct text password, struct text username, struct text *reason);

/* An Argon2id string that no password fits, as dear to verify as a fresh one under these settings: so a
 * sign-in to an account that does not exist takes as long as one that does. */
struct text password_dummy(const struct config *config, struct arena *arena);

#endif
