/* The second factor: time-based codes (totp.h), and ten recovery codes for the day the telephone is lost.
 *
 *     off ── mfa_enroll ──► key sealed in the user's row ── mfa_confirm, first code ──► on
 *      ▲                                                                                │
 *      └──────────────────────── mfa_disable, with a code ─────────────────────────────┘
 *
 * Each code is good once: the step of the last one is kept, and a recovery code's hash is taken out of the
 * row. After five wrong codes in a row the account's codes are not looked at for a while, each time longer;
 * to get there one must know the password. API keys cannot touch any of this. */
#ifndef HOMEPORT_ACCOUNT_MFA_H
#define HOMEPORT_ACCOUNT_MFA_H

#include "core/step.h"

enum { MFA_RECOVERY_CODES = 10 };

/* Whether this code lets the user in: OK (also when there is no second factor), ERR_MFA_NEEDED when `code` is
 * empty, ERR_MFA_WRONG, ERR_TOO_MANY. What it costs or proves is put into the user's row, so the step must be
 * kept whatever is answered. */
enum err mfa_check(struct step *s, struct user *user, struct text code);

/* Without a second factor again. */
void mfa_forget(struct user *user);

#endif
