/* What Cloudflare answers, read for provider_cloudflare.c: the number of a refusal becomes a class
 * and a sentence with advice, a list of records becomes records as homeport has them.
 *
 * The answer's own "success" counts, whatever the status; but a status that says "later" says more
 * than any number. A body that is no such JSON is not Cloudflare's: a portal or a proxy in
 * between. */
#ifndef HOMEPORT_DDNS_PROVIDER_CLOUDFLARE_ANSWER_H
#define HOMEPORT_DDNS_PROVIDER_CLOUDFLARE_ANSWER_H

#include <yyjson.h>

#include "ddns/provider_plan.h"

struct cloudflare_reply {
    enum call_class class;
    unsigned code; /* 0: none */
    const char *advice;
    struct text message;
    yyjson_val *root;
    yyjson_val *result;
};

struct cloudflare_reply cloudflare_reply_read(const struct dns_job *job,
                                              const struct http_result *result);

/* Ends a job with the class as a verdict, and everything that helps to put it right. */
enum provider_next cloudflare_end_badly(const struct dns_job *job, const struct http_result *result,
                                        const struct cloudflare_reply *reply,
                                        struct dns_verdict *verdict);
/* Ends a job that has worked, or had nothing to do. id: of our record, or empty. */
enum provider_next cloudflare_end_well(const struct dns_job *job, enum call_class class,
                                       struct text id, struct dns_verdict *verdict);

/* The records of an answer: all of them for IMPORT, else those of the job's name and type. What
 * homeport has no type for is left out. NULL when there is no room. */
struct provider_record *cloudflare_records_read(const struct dns_job *job, yyjson_val *list,
                                                unsigned *count);

#endif
