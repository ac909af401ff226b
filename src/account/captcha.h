/* A captcha before what strangers may do (Tencent, DescribeCaptchaResult), when the settings captcha.* are
 * there. A handler that wants one ends in captcha_guard(); the request waits, and what the handler would have
 * sent is sent once the captcha is passed.
 *
 * Where the service cannot be asked, the request gets 503, or goes on with captcha.fail_open: each such pass
 * is a captcha_pass record (audited, kept for 30 days) and a warning in the log. Private to this folder. */
#ifndef HOMEPORT_ACCOUNT_CAPTCHA_H
#define HOMEPORT_ACCOUNT_CAPTCHA_H

#include "account/account.h"

/* What a visitor's page was given for a solved captcha; empty: it showed none. */
struct captcha_solved {
    struct text ticket, randstr;
};

bool captcha_is_on(const struct config *config);
/* After so many failed sign-ins of this address. */
bool captcha_is_on_for_login(struct step *s, struct text ip);

/* For a handler to return: LATER, or ERR_CAPTCHA_NEEDED, ERR_CAPTCHA_WRONG, ERR_OVERLOADED. `contents`, of
 * `type`, is what `next` names. Only to be called when captcha_is_on(). */
enum err captcha_guard(struct step *s, const struct call *call, struct text ticket,
                       struct text randstr, enum captcha_next next, const struct record_type *type,
                       const void *contents);

/* Removes passes that are older than 30 days, a bounded number of them. */
void captcha_sweep(struct step *s);

#endif
