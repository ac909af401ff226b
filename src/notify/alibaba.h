/* What SMS and DirectMail have in common: one operation of Alibaba Cloud, signed (ACS3), and what its answer says. */
#ifndef HOMEPORT_NOTIFY_ALIBABA_H
#define HOMEPORT_NOTIFY_ALIBABA_H

#include "cloud/signer.h"
#include "notify/channel.h"

struct alibaba_operation {
    struct text endpoint; /* base URL, without a slash at its end */
    const char *action, *version;
    struct text key_id, secret;
    const struct signer_field *query,
        *form; /* the parameters' places are the operation's; no form, no body */
    unsigned query_count, form_count;
};

/* Fills in method, url, fields and body. */
void alibaba_write(const struct letter_job *job, const struct alibaba_operation *operation,
                   struct outside_call *call);

/* Sorts an operation's own codes. A row's code is a prefix when it ends in "*". */
struct alibaba_code {
    const char *code;
    enum call_class class;
    const char *advice;
};

/* *is_told: the operation's own `Code`, or that there is none in an answer that is a success. `service` is for
 * a person. Codes are looked for in `own` first, then in those of the gateway. */
void alibaba_judge(const struct letter_job *job, const struct outside_answer *answer,
                   struct text service, const struct alibaba_code *own, unsigned own_count,
                   struct letter_verdict *verdict);

#endif
