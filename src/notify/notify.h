/* Letters: mail and SMS, as tasks.
 *
 * Whoever wants somebody told makes a letter in the step whose change wants it:
 *
 *     if (!notify_has_mail(step->config)) return ERR_MAIL_OFF;
 *     enum err e = letter_send(step, &(struct letter_ask){
 *         .template = letter_template_mail_verify, .channel = letter_channel_mail, .to = user.email,
 *         .user_id = user.id, .code = code, .link = link, .minutes = 30,
 *         .exchange = call->exchange, .request_id = call->request_id, .route = call->route});
 *     return e == OK ? LATER : e;
 *
 * The row `letter` keeps code and link sealed until the letter has been sent or given up; its task letter_send
 * hands it to the channel that the settings name:
 *
 *     letter_send ► row + task ─same turn─► letter_send_run ► left_at noted, emit_post ──commit──► outside
 *                                  ▲                                                                 │
 *                                  └── refused just now: back-off till expires_at ◄── verdict ◄──────┘
 *                                       sent, refused for good, too old, unknown: the letter ends
 *
 * Never twice. That a letter is about to leave is committed before it leaves (left_at). Only an answer that says
 * so, or a fault before anything left, takes that note back. When nothing is known (the mail server was silent
 * after the whole message, the SMS service after the request, homeport stopped in between), the letter ends as
 * `unknown` and is not sent again: who waits for it asks for a new code.
 *
 * A letter of a code that has expired is not sent any more. Letters that ended go after tasks.result_ttl. */
#ifndef HOMEPORT_NOTIFY_NOTIFY_H
#define HOMEPORT_NOTIFY_NOTIFY_H

#include "core/step.h"

struct letter_ask {
    enum letter_template template;
    enum letter_channel channel;
    struct text to; /* mail address, or phone number with + and country code; already checked */
    struct text language; /* "zh" or "en"; anything else: notify.language */
    uint64_t user_id;     /* whose letter; 0: nobody's who has an account */
    struct text code;     /* secret; SMS needs one */
    struct text link;     /* secret; whole, see notify_link() */
    uint64_t
        minutes; /* how long code and link are good: told in the letter, and its end; 1 to 10080 */
    /* exchange != 0: that request is answered when the first try has ended, by the route's status without
     * data, or by 503 MAIL_DOWN or SMS_DOWN (the letter may still be tried again). The handler returns LATER. */
    uint64_t exchange;
    struct text request_id;
    const struct route *route;
};

/* Whether the settings are there. */
bool notify_has_mail(const struct config *config);
bool notify_has_sms(const struct config *config);

/* Makes the letter. ERR_MAIL_OFF, ERR_SMS_OFF: not set up. ERR_OVERLOADED: too many wait already. */
enum err letter_send(struct step *step, const struct letter_ask *ask);

/* A page of this homeport for people outside: notify.public_url (or http:// and http.listen), and `path`,
 * which begins with a slash. */
struct text notify_link(const struct config *config, struct text path, struct arena *arena);

#endif
