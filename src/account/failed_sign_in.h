/* Failed sign-ins in the audit log: who was tried, from where, when. Whoever guesses makes thousands, so only the
 * first of an address, an account and an hour is written down, and no more than a thousand an hour in all; a ban
 * says how many there were, and each is in the log. Private to this folder. */
#ifndef HOMEPORT_ACCOUNT_FAILED_SIGN_IN_H
#define HOMEPORT_ACCOUNT_FAILED_SIGN_IN_H

#include "core/step.h"

/* user_id 0: there is no such account. The step must be kept. */
void failed_sign_in_note(struct step *s, struct text ip, uint64_t user_id);
/* Removes those of the hour before, a bounded number; the audit log keeps them. */
void failed_sign_in_sweep(struct step *s);

#endif
