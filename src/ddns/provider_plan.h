/* What to do with the records that a provider with ids lists for one name and type: the rules of
 * ownership in one place, for all such providers.
 *
 *   own      the record with the id we kept; else, when it is nobody's, the one that already has
 *            our value or that has the value we pushed last
 *   claimed  a record of a sibling: by its id, or by its value
 *   foreign  what is left
 *
 * For A, AAAA and CNAME a single foreign record is taken over when every sibling already has a
 * record of its own there: so the first push to a name that was made by hand changes that record,
 * and two uplinks feeding one name end as exactly two records. Of several foreign ones homeport
 * cannot know which to change, and it changes none. For the other types foreign records are never
 * touched.
 *
 * Ours to take away again is what homeport wrote. A record found with our value counts as written by us
 * when it carries our mark, or when its value is job->tried_value: a call that writes it has left, and
 * nobody knows what became of it. A record that had the value before any such call left stays foreign, also
 * when homeport keeps its id from now on and changes its TTL.
 *
 * Providers refuse two equal records. When two uplinks swap their addresses, each value is taken by
 * the other's record: the first push then drops its own record and waits, so the second can move,
 * and the next try adds the first one again. Waiting alone would leave both waiting for ever.
 *
 * When two uplinks get the same address one record serves both. If then the one that has its id moves
 * on, it leaves that record to the other and adds one of its own. */
#ifndef HOMEPORT_DDNS_PROVIDER_PLAN_H
#define HOMEPORT_DDNS_PROVIDER_PLAN_H

#include <yyjson.h>

#include "ddns/provider.h"

struct provider_record {
    struct dns_found found;
    struct text line;   /* Alibaba: the resolution line, to be kept by a change */
    struct text remark; /* comment or remark: ours is job->mark */
    bool is_disabled;   /* there but not answered by the provider's servers */
    bool is_other_line; /* for a part of the world only; not ours unless the id says so */
};

enum plan_act {
    PLAN_KEEP,       /* record has value and ttl: send nothing */
    PLAN_ADD,        /* nothing of ours there */
    PLAN_CHANGE,     /* record is ours and differs */
    PLAN_DROP_STALE, /* record is ours and stale while another one has the value: delete it */
    PLAN_DISABLED,   /* record is ours, and somebody switched it off */
    PLAN_FOREIGN,    /* several records, none known as ours */
    PLAN_WAIT /* a sibling's record still has our value and is about to lose it; try again soon */
};

struct provider_plan {
    enum plan_act act;
    const struct provider_record *record; /* NULL with KEEP: as with an empty id_after */
    struct text
        id_after; /* KEEP and DROP_STALE: our record's id then; empty: a sibling's has the value, or one that is left
                     to somebody else, TTL and all */
    bool must_wait; /* DROP_STALE: as PLAN_WAIT once that is done */
    bool is_ours;   /* what has our value already, or has it after the drop, was written by us */
    bool is_same;   /* CHANGE: not of the value */
    unsigned foreign_count;
};

/* id: of our record, or empty. job->ttl and job->proxied as this provider would show them. */
struct provider_plan provider_plan_push(const struct dns_job *job, struct text id,
                                        const struct provider_record *records,
                                        unsigned record_count);
/* The verdict for an act that sends nothing more: FOREIGN, DISABLED or WAIT. */
enum provider_next provider_plan_end(const struct dns_job *job, const struct provider_plan *plan,
                                     struct text provider_title, struct dns_verdict *verdict);
/* The record to delete, or NULL when there is none of ours. */
const struct provider_record *provider_plan_remove(const struct dns_job *job,
                                                   const struct provider_record *records,
                                                   unsigned record_count);
/* Whether the record has the job's value, and priority where the type has one. */
bool provider_has_value(const struct dns_job *job, const struct provider_record *record);
/* Of a provider's list of records those that the job asks about, in the arena; NULL when it is full. `read` takes
 * one over; false: it is not one that we can use. */
struct provider_record *provider_records_read(const struct dns_job *job, yyjson_val *list,
                                              bool (*read)(const struct dns_job *job,
                                                           yyjson_val *value,
                                                           struct provider_record *record),
                                              unsigned *count);
/* The records in use, for the verdict of a CHECK. */
const struct dns_found *provider_plan_found(const struct dns_job *job,
                                            const struct provider_record *records,
                                            unsigned record_count, unsigned *found_count);

#endif
