/* What the captcha service said, in the words that captcha.c decides by. A pure function over bytes from
 * outside. Private to this folder.
 *
 * A ticket is worth one answer: what has been judged once is never sent again, for the second answer would
 * be "used before", and a visitor who had passed would be refused. */
#ifndef HOMEPORT_ACCOUNT_CAPTCHA_ANSWER_H
#define HOMEPORT_ACCOUNT_CAPTCHA_ANSWER_H

#include "core/arena.h"
#include "core/http_call.h"

enum captcha_verdict {
    CAPTCHA_HUMAN,
    CAPTCHA_NOT_HUMAN,
    CAPTCHA_NOT_JUDGED, /* and surely so: the same ticket may be sent again */
    CAPTCHA_CLOCK,      /* the same, for our time is off: once more with the answer's */
    CAPTCHA_NO_ANSWER,  /* it may have been judged, and we do not know how */
    CAPTCHA_SETTINGS,   /* the operator must look at the settings, nothing else helps */
    CAPTCHA_REJECTED /* the service does not take the question, maybe for what the visitor sent */
};

struct captcha_said {
    enum captcha_verdict verdict;
    struct text reason; /* for log and audit; nothing of the visitor's and no secret is in it */
};

/* The reason lives as long as the arena. */
struct captcha_said captcha_answer_read(struct arena *arena, const struct http_result *result);

#endif
