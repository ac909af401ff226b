/* A place is a name and type of a domain: what one set of values at the provider hangs on.
 *
 * One task at a time works at a place. A push may tell the whole set, or go by what it has just listed, so two
 * under way at once could overwrite each other. The later one waits; task.place says who was first.
 *
 * What leaves is written down before it leaves. `tried_value` of a record says: a call that writes this value has
 * left, and nobody knows what it did. It is noted in the step that emits the call, so it is on disk before the
 * call is on the wire, and it goes when the answer comes:
 *
 *     ── list ──► nothing noted        the provider had the value before us: it stays somebody else's
 *     ── write ─► tried_value = value ─┬─ written ──────────► pushed_value, is_ours; tried_value empty
 *                                      ├─ refused ──────────► tried_value empty: nothing happened
 *                                      └─ no answer, crash ─► stays: found again, the value is ours; the record
 *                                                             deleted, it is looked for and taken away; another
 *                                                             value written, it is taken away behind that */
#ifndef HOMEPORT_DDNS_PLACE_H
#define HOMEPORT_DDNS_PLACE_H

#include "ddns/ddns.h"

bool place_is_same(const struct dns_record *a, const struct dns_record *b);
/* Whether another task is at work at the record's place; then this one comes again, without counting it as a try. */
bool place_is_taken(struct step *step, struct task *task, const struct dns_record *record);

/* A call is about to leave that writes the record as it was when its push began (and with is_whole_set the values
 * of its siblings). False, with the task ended or started again, when the record has gone from there meanwhile.
 * *was_tried: an earlier push has tried this value already. */
bool place_write_leaves(struct step *step, struct task *task, const struct domain *domain,
                        const struct dns_record *pushed, bool is_whole_set, bool *was_tried);
/* The record, still as it was before, has another value at the provider now, perhaps without a write: the one it had stands
 * for the sibling that wants it, if one does. */
void place_value_left(struct step *step, const struct domain *domain,
                      const struct dns_record *record);
/* The provider has refused it, so that nothing has come of it. */
void place_write_refused(struct step *step, const struct dns_record *pushed);
/* The provider's record of this id stands for this record from now on, and for no other one. */
void place_has_id(struct step *step, const struct dns_record *record);

/* Whether another record wants the very value that is to be taken away: from now on that one answers for it. */
bool place_wants_again(struct step *step, const struct domain *domain,
                       const struct dns_record *gone);

#endif
