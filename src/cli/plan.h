/* What dns plan makes of one record's check at its provider. */
#ifndef HOMEPORT_CLI_PLAN_H
#define HOMEPORT_CLI_PLAN_H

#include "ddns/provider.h"

enum outcome {
    OUTCOME_CREATE,
    OUTCOME_CHANGE,
    OUTCOME_SAME,
    OUTCOME_ERROR,
    OUTCOME_UNKNOWN,
    OUTCOME_COUNT
};

struct finding {
    enum outcome outcome;
    struct text detail; /* in the job's arena */
};

/* What a push of the job would do, from the verdict of its DNS_CHECK. */
struct finding plan_compare(const struct provider *provider, const struct dns_job *job,
                            const struct dns_verdict *verdict);

#endif
