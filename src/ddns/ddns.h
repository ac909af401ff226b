/* The ddns family's own parts, told from one another by who calls them:
 *
 *     api_domain, api_record, api_source, nic   requests: refuse, compute, put
 *        │                 │
 *        ▼                 ▼
 *     sync ◄───────────── source                what follows from a change: which records are to be pushed
 *        │                 ▲
 *        ▼                 │
 *     push, import, drift  probe                tasks: ask a provider or an echo service, learn the answer
 *
 * A change of address takes this way in one turn: source_saw() ► record_wants() ► task_new() ► (end of the
 * turn) dns_push_run() ► emit_ask(). */
#ifndef HOMEPORT_DDNS_DDNS_H
#define HOMEPORT_DDNS_DDNS_H

#include "core/interface.h"
#include "core/step.h"
#include "ddns/provider.h"
#include "task/task.h"

/* ---- who may -------------------------------------------------------------------------------------- */

bool ddns_may(const struct caller *caller, uint64_t owner_id);
/* The thing, if it exists and the caller may see it; else ERR_NOT_FOUND. */
enum err domain_of(const struct reader *reader, const struct caller *caller, uint64_t id,
                   struct domain *domain);
enum err dns_record_of(const struct reader *reader, const struct caller *caller, uint64_t id,
                       struct dns_record *record);
enum err source_of(const struct reader *reader, const struct caller *caller, uint64_t id,
                   struct source *source);

/* A name as it is kept: small letters, without a dot at the end. */
struct text name_folded(struct text name, struct arena *arena);

/* ---- checks.c --------------------------------------------------------------------------------------- */

#define WHOLE(name, where) \
    void check_whole_##name(const struct name *in, const struct field_errors *known, \
                            struct field_errors *more);
#include "wholes.def"
#undef WHOLE

/* Holds the credentials against the provider's fields; adds each bad one. */
void credentials_check(struct text provider_name, struct text credentials,
                       struct field_errors *errors);

/* ---- sync.c: keeping records and their tasks in step ---------------------------------------------- */

/* The record's push-worthy fields have changed: marks it pending and makes its push due (an address not
 * before the cool-down has passed), or marks it paused when it or its domain is switched off or it has no
 * value yet. Puts the record. */
void record_wants(struct step *step, struct dns_record *record, const struct domain *domain,
                  enum change_reason reason);
/* What homeport wrote at the provider under the record's present name and type is to be taken away. */
void record_unwants(struct step *step, const struct dns_record *record,
                    const struct domain *domain);
/* The same for a value that was sent and may or may not have arrived, unless it is the one known to be there. */
void record_unwants_tried(struct step *step, const struct dns_record *record,
                          const struct domain *domain);
/* Removes the record, its open task and, bounded by one sweep, its history. */
void record_delete(struct step *step, const struct dns_record *record, const struct domain *domain,
                   bool at_provider);
/* The value that an address gives this record; empty when the family or the suffix does not fit. */
struct text record_value_of(const struct dns_record *record, struct text address,
                            struct arena *arena);
/* Sends the address to the record if it is another than the one it has. */
void record_follow(struct step *step, struct dns_record *record, struct text address);
/* All records of a domain are looked at again, in a task, some at a time. */
void domain_fan_start(struct step *step, const struct domain *domain);
/* The records of a domain that is being removed go the same way; with at_provider also there. */
void domain_purge_start(struct step *step, const struct domain *domain, bool at_provider);

/* ---- source.c: addresses come in ------------------------------------------------------------------ */

/* The source has this address now (empty: it could not be found, and why). Puts the source; records follow. */
void source_saw(struct step *step, struct source *source, struct text address, struct text error);
/* Whether an address is one that others may be sent to: public, documentation, or of a private network. */
bool source_may_have(const struct ip_address *address);
/* Checks the form, the family and source_may_have(). */
bool source_takes(const struct source *source, struct text address, struct text *normal,
                  struct text *reason, struct arena *arena);
/* Takes the present address of an interface source from what the kernel told last. */
void source_read_interface(struct step *step, struct source *source);
/* Makes the source's check due now (http) or takes its address at once (other kinds). */
void source_check_now(struct step *step, struct source *source);

/* ---- probe.c: asking echo services ---------------------------------------------------------------- */

struct probes;
struct probes *probes_new(void);
void probes_free(struct probes *probes);
enum err probe_answered(struct probes *probes, struct step *step, struct task *task,
                        const struct outside_answer *answer);

/* ---- push.c: one question to a provider after the other -------------------------------------------- */

/* The job's own state between two answers: the provider's memo and the record as it was at the start. */
enum err push_answered(struct step *step, struct task *task, const struct outside_answer *answer);
/* Sends a provider's next call, after a wait that keeps the account's rate. */
void push_send(struct step *step, const struct task *task, const struct dns_memo *memo,
               struct text snapshot, const struct provider_call *call, uint64_t delay_ms);
/* What a job is made from: in a step, or in a snapshot by the command line. */
struct job_context {
    const struct reader *read;
    const struct config *config;
    const struct secrets *secrets;
    struct arena *arena;
    uint64_t now_ms;
    uint8_t nonce[16];
};
/* Fills a job for the record (NULL: the whole domain) as the domain's provider wants it. False when the
 * credentials cannot be opened with this key file. */
bool job_prepare(const struct job_context *context, enum dns_action action,
                 const struct domain *domain, const struct dns_record *record, struct dns_job *job);
/* A provider's verdict that is neither ok nor unchanged: tries again or gives up. True when it gave up. */
bool push_failed(struct step *step, struct task *task, const struct domain *domain,
                 const struct dns_verdict *verdict, struct text *error);

/* ---- drift.c, import.c ----------------------------------------------------------------------------- */

enum err check_finished(struct step *step, struct task *task, const struct domain *domain,
                        struct text snapshot, const struct dns_verdict *verdict);
void import_found(struct step *step, const struct domain *domain, const struct dns_found *found,
                  unsigned count, struct task *task);
void check_schedule(struct step *step, struct domain *domain);

/* ---- the actor's memory ---------------------------------------------------------------------------- */

struct ddns;
const struct interface_address *ddns_interfaces(struct ddns *self, unsigned *count);

#endif
