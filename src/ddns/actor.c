/* The ddns actor: hands what comes back from outside to the part that asked, keeps what the kernel told. */
#include <stdlib.h>

#include "core/actor.h"
#include "core/log.h"
#include "ddns/ddns.h"

enum { INTERFACE_ADDRESSES_MAX = 512, SWEEP_MAX = 500 };
static const uint64_t sweep_interval_ms = 600000, day_ms = 86400000;

struct ddns {
    struct probes *probes;
    unsigned interface_count;
    struct interface_address interfaces[INTERFACE_ADDRESSES_MAX];
};

struct ddns *ddns_new(void)
{
    struct ddns *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    self->probes = probes_new();
    if (self->probes != NULL) return self;
    free(self);
    return NULL;
}

void ddns_free(struct ddns *self)
{
    probes_free(self->probes);
    free(self);
}

const struct interface_address *ddns_interfaces(struct ddns *self, unsigned *count)
{
    *count = self->interface_count;
    return self->interfaces;
}

/* Makes sure that there is one sweep in the queue. */
enum err ddns_start(struct ddns *self, struct step *step)
{
    struct walk walk;
    uint64_t id;
    (void)self;
    walk_begin_ordered(&walk, &step->read, &task_by_lane,
                       &(struct task){.waiting_lane = LANE_SWEEP});
    bool is_waiting = walk_next(&walk, &id);
    walk_end(&walk);
    bool is_running =
        record_count(&step->read, &task_by_running, &(struct task){.running_lane = LANE_SWEEP}) > 0;
    if (is_waiting || is_running) return OK;
    struct task task = {.kind = task_kind_sweep, .lane_id = LANE_SWEEP};
    task_new(step, &task, step->now_ms + sweep_interval_ms);
    return OK;
}

enum err ddns_on_interfaces_changed(struct ddns *self, struct step *step,
                                    const struct interface_list *list)
{
    struct walk walk;
    struct source source;
    uint64_t id;
    size_t count = list->addresses.bytes / sizeof(struct interface_address);
    if (count > INTERFACE_ADDRESSES_MAX) count = INTERFACE_ADDRESSES_MAX;
    self->interface_count = (unsigned)count;
    memcpy(self->interfaces, list->addresses.data, count * sizeof(struct interface_address));
    walk_begin(&walk, &step->read, &source_by_kind, &(struct source){.kind = source_kind_interface},
               0, false);
    while (walk_next(&walk, &id)) {
        if (source_get(&step->read, id, &source) == OK) source_read_interface(step, &source);
    }
    walk_end(&walk);
    return OK;
}

enum err ddns_on_ask_done(struct ddns *self, struct step *step, const struct outside_answer *answer)
{
    struct task task;
    if (task_get(&step->read, answer->task_id, &task) != OK) return OK; /* its target was removed */
    if (task.status != task_status_processing) {
        task_landed(step, &task); /* called off meanwhile */
        return OK;
    }
    if (task.kind == task_kind_source_check)
        return probe_answered(self->probes, step, &task, answer);
    return push_answered(step, &task, answer);
}

/* ---- the sweep ------------------------------------------------------------------------------------ */

/* Removes records from the front of a walk while they are older than `before`. */
static unsigned sweep_tasks(struct step *step, uint64_t before)
{
    struct walk walk;
    uint64_t id;
    unsigned count = 0;
    walk_begin_ordered(&walk, &step->read, &task_by_finished, NULL);
    while (count < SWEEP_MAX && walk_next(&walk, &id) && walk.order < before) {
        task_remove(step, id);
        count++;
    }
    walk_end(&walk);
    return count;
}

static unsigned sweep_idempotency(struct step *step, uint64_t before)
{
    struct walk walk;
    struct idempotency first;
    uint64_t id;
    unsigned count = 0;
    walk_begin_all(&walk, &step->read, &idempotency_type, 0, false);
    while (count < SWEEP_MAX && walk_next(&walk, &id)) {
        if (idempotency_get(&step->read, id, &first) == OK && first.created_at >= before) break;
        idempotency_remove(step, id);
        count++;
    }
    walk_end(&walk);
    return count;
}

static unsigned sweep_sessions(struct step *step)
{
    struct walk walk;
    struct session session;
    uint64_t id;
    unsigned seen = 0, count = 0;
    walk_begin_all(&walk, &step->read, &session_type, 0, false);
    while (seen++ < SWEEP_MAX && walk_next(&walk, &id)) {
        if (session_get(&step->read, id, &session) != OK || session.expires_at > step->now_ms)
            continue;
        session_remove(step, id);
        count++;
    }
    walk_end(&walk);
    return count;
}

/* History whose record is gone goes oldest first; a record's own is cut when a push adds to it. */
static unsigned sweep_history(struct step *step)
{
    struct walk walk;
    struct dns_history line;
    struct dns_record record;
    uint64_t id;
    unsigned seen = 0, count = 0;
    walk_begin_all(&walk, &step->read, &dns_history_type, 0, false);
    while (seen++ < SWEEP_MAX && walk_next(&walk, &id)) {
        if (dns_history_get(&step->read, id, &line) != OK) continue;
        if (dns_record_get(&step->read, line.record_id, &record) == OK) {
            struct dns_history like = {.record_id = line.record_id};
            if (record_count(&step->read, &dns_history_by_record, &like) <=
                step->config->ddns_history_max)
                continue;
        }
        dns_history_remove(step, id);
        count++;
    }
    walk_end(&walk);
    return count;
}

enum err sweep_run(struct step *step, struct task *task)
{
    unsigned count = sweep_tasks(step, step->now_ms - step->config->tasks_result_ttl * 1000);
    count += sweep_idempotency(step, step->now_ms - day_ms);
    count += sweep_sessions(step);
    count += sweep_history(step);
    task_again(step, task, step->now_ms + (count >= SWEEP_MAX ? 1000 : sweep_interval_ms));
    return OK;
}
