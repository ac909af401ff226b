/* Showing that a phone number or a mail address is one's own: what verify.c shares. Private to this folder. */
#ifndef HOMEPORT_ACCOUNT_VERIFY_H
#define HOMEPORT_ACCOUNT_VERIFY_H

#include "core/step.h"

/* Makes a code and its letter. The request (exchange) is answered when the SMS service has taken the letter, or
 * has not. OK, or why there is none. */
enum err sms_code_send(struct step *s, const struct sms_send_input *in, uint64_t exchange,
                       struct text request_id);

/* For who gives an account another mail address, before it is put: the new one is not confirmed yet, and `old` gets a
 * letter that says what happened. OK without a letter when there was no address, mail is not set up, or too many
 * letters of this kind went there. */
enum err email_moved(struct step *s, struct text old, struct user *user);

#endif
