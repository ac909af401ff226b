/* What Alibaba Cloud DNS answers, read for provider_alidns.c: the code of a refusal becomes a class
 * and a sentence with advice, a list of records becomes records as homeport has them.
 *
 * The codes are Alibaba's own and say more than the HTTP status, which counts only for those that
 * are not in the table. A body that is no JSON is not Alibaba's: a portal or a proxy in between. */
#ifndef HOMEPORT_DDNS_PROVIDER_ALIDNS_ANSWER_H
#define HOMEPORT_DDNS_PROVIDER_ALIDNS_ANSWER_H

#include <yyjson.h>

#include "ddns/provider_plan.h"

struct alidns_reply {
    enum call_class class;
    struct text code;
    const char *advice; /* goes on from the code in the detail */
    struct text message;
    yyjson_val *root;
};

struct alidns_reply alidns_reply_read(const struct dns_job *job, const struct http_result *result);

/* Ends a job with the class as a verdict, and everything that helps to put it right. */
enum provider_next alidns_end_badly(const struct dns_job *job, const struct http_result *result,
                                    const struct alidns_reply *reply, struct dns_verdict *verdict);
/* Ends a job that has worked, or had nothing to do. id: of our record, or empty. */
enum provider_next alidns_end_well(const struct dns_job *job, const struct dns_memo *memo,
                                   enum call_class class, struct text id,
                                   struct dns_verdict *verdict);

/* The records of an answer: all of them for IMPORT, else those of the job's name and type. What
 * homeport has no type for is left out. NULL when there is no room. */
struct provider_record *alidns_records_read(const struct dns_job *job, yyjson_val *list,
                                            unsigned *count);

#endif
