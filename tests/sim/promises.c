/* The oracle's look at what users were told, and at what the provider holds in the end. */
#include <assert.h>

#include "core/reader.h"
#include "ddns/ddns.h"
#include "oracle.h"

#define ID(id) (unsigned long long)(id)

/* ---- (a) ------------------------------------------------------------------------------------------ */

static void check_record(struct world *world, const struct reader *reader, const struct shadow_record *told)
{
    struct dns_record is;
    bool is_there = dns_record_get(reader, told->id, &is) == OK;
    if (is_there == told->is_dead) {
        world_break(world, "(a) record %llu is %s", ID(told->id), is_there ? "back" : "lost");
        return;
    }
    if (!is_there) return;
    bool is_same = text_equal(is.name, told->name) && is.type == (uint32_t)told->type && is.ttl == told->ttl &&
                   is.is_active == told->is_active && is.dynamic == told->dynamic && is.source_id == told->source_id &&
                   (told->source_id != 0 || text_equal(is.value, told->value));
    if (is_same) return;
    world_break(world, "(a) record %llu is %.*s ttl %llu active %d value %.*s, told was %.*s ttl %llu active %d value %.*s",
                ID(told->id), TEXT_ARGS(is.name), ID(is.ttl), is.is_active, TEXT_ARGS(is.value), TEXT_ARGS(told->name),
                ID(told->ttl), told->is_active, TEXT_ARGS(told->value));
}

void oracle_shadow(struct world *world)
{
    struct store_txn *txn;
    struct domain domain;
    struct source source;
    enum err e = store_snapshot(world->store, &txn);
    assert(e == OK);
    struct reader reader = {.txn = txn};
    for (unsigned i = 0; i < world->record_count; i++) check_record(world, &reader, &world->records[i]);
    for (unsigned i = 0; i < world->domain_count; i++) {
        const struct shadow_domain *told = &world->domains[i];
        bool is_there = domain_get(&reader, told->id, &domain) == OK;
        if (is_there == told->is_dead) world_break(world, "(a) domain %llu is %s", ID(told->id), is_there ? "back" : "lost");
    }
    for (unsigned i = 0; i < world->source_count; i++) {
        const struct shadow_source *told = &world->sources[i];
        bool is_there = source_get(&reader, told->id, &source) == OK;
        if (is_there == told->is_dead) world_break(world, "(a) source %llu is %s", ID(told->id), is_there ? "back" : "lost");
        if (!is_there || text_equal(source.address, told->address)) continue;
        world_break(world, "(a) source %llu has %.*s, told was %.*s", ID(told->id), TEXT_ARGS(source.address),
                    TEXT_ARGS(told->address));
    }
    store_release(txn);
}

/* ---- (h) ------------------------------------------------------------------------------------------ */

void oracle_flight(struct world *world, struct flight *flight)
{
    struct store_txn *txn;
    struct task task;
    enum err e = store_snapshot(world->store, &txn);
    assert(e == OK);
    struct reader reader = {.txn = txn};
    if (task_get(&reader, flight->call.task_id, &task) != OK) {
        world_break(world, "(h) a call of task %llu, which is not there", ID(flight->call.task_id));
    }
    flight->user_id = task.user_id;
    flight->lane_id = task.lane_id;
    flight->place = task.place;
    flight->is_push = task.kind == task_kind_dns_push;
    store_release(txn);
    for (unsigned i = 0; flight->place != 0 && i < world->flight_count; i++) {
        const struct flight *other = &world->flights[i];
        if (other->lane_id != flight->lane_id || other->place != flight->place) continue;
        world_break(world, "(h) task %llu has a call out where task %llu has one", ID(flight->call.task_id),
                    ID(other->call.task_id));
    }
}

/* ---- (b) ------------------------------------------------------------------------------------------ */

static void check_followed(struct world *world, const struct reader *reader, const struct dns_record *record)
{
    struct source source;
    if (!record->dynamic || record->source_id == 0 || source_get(reader, record->source_id, &source) != OK) return;
    if (text_equal(source.address, record->value)) return;
    world_break(world, "(b) record %llu has %.*s, its source %.*s", ID(record->id), TEXT_ARGS(record->value),
                TEXT_ARGS(source.address));
}

/* A provider with ids holds what somebody else made or changed under the record's name: then homeport may find that it
 * cannot tell which record to change, and says so. */
static bool is_crowded(const struct zone *zone, const struct dns_record *record, struct text name)
{
    for (unsigned i = 0; i < zone->count; i++) {
        const struct zone_value *v = &zone->values[i];
        bool is_alien = !v->is_gone && v->has_id && (v->is_foreign || v->is_excused);
        if (is_alien && (uint32_t)v->type == record->type && dns_name_equal(v->name, name)) return true;
    }
    return false;
}

/* The record stands as it should, here and at the provider. */
static void check_settled(struct world *world, const struct reader *reader, const struct dns_record *record)
{
    struct domain domain;
    char full[DNS_NAME_SIZE];
    if (domain_get(reader, record->domain_id, &domain) != OK) {
        world_break(world, "(b) record %llu has no domain", ID(record->id));
        return;
    }
    check_followed(world, reader, record);
    bool is_kept = record->is_active && domain.is_active && record->value.bytes > 0;
    struct text name = dns_name_join(record->name, domain.name, full);
    if (record->sync_status == sync_status_error && is_crowded(&world->zone, record, name)) return;
    if (record->sync_status != (is_kept ? (uint32_t)sync_status_synced : (uint32_t)sync_status_paused)) {
        world_break(world, "(b) record %llu (%.*s) has status %u: %.*s", ID(record->id), TEXT_ARGS(record->value),
                    record->sync_status, TEXT_ARGS(record->last_error));
    }
    uint16_t priority = text_equal(domain.provider, TEXT("callback")) ? 0 : (uint16_t)record->priority;
    bool is_there = text_equal(domain.provider, TEXT("callback")) && record->type == DNS_MX; /* told with its priority */
    if (is_kept && !is_there &&
        !zone_has(&world->zone, name, (enum dns_type)record->type, priority, record->value)) {
        world_break(world, "(b) record %llu is synced, but the zone has no %.*s %s %.*s", ID(record->id), TEXT_ARGS(name),
                    dns_type_name(record->type), TEXT_ARGS(record->value));
    }
}

/* Whether a live record wants the value there, or may have left it: one that is switched off keeps what it wrote. */
static bool is_wanted(const struct reader *reader, const struct shadow_domain *domain, const struct zone_value *v)
{
    struct walk walk;
    struct dns_record record;
    struct text owner;
    uint64_t id;
    bool is = false;
    if (!dns_name_split(v->name, domain->name, &owner)) return true;
    walk_begin(&walk, reader, &dns_record_by_domain, &(struct dns_record){.domain_id = domain->id}, 0, false);
    while (!is && walk_next(&walk, &id)) {
        if (dns_record_get(reader, id, &record) != OK || record.type != (uint32_t)v->type) continue;
        if (!text_equal_fold(record.name, owner)) continue;
        is = rdata_equal(v->type, record.value, v->value) || record.sync_status == sync_status_paused;
    }
    walk_end(&walk);
    return is;
}

static void check_zone(struct world *world, const struct reader *reader, const struct zone_value *v)
{
    struct text owner;
    for (unsigned i = 0; i < world->domain_count; i++) {
        const struct shadow_domain *domain = &world->domains[i];
        if (!dns_name_split(v->name, domain->name, &owner) || (domain->is_dead && !domain->is_purged)) continue;
        if (!is_wanted(reader, domain, v)) {
            world_break(world, "(b) the zone still has %.*s %s %.*s", TEXT_ARGS(v->name), dns_type_name(v->type),
                        TEXT_ARGS(v->value));
        }
    }
}

void oracle_settled(struct world *world)
{
    struct store_txn *txn;
    struct walk walk;
    struct dns_record record;
    uint64_t id;
    enum err e = store_snapshot(world->store, &txn);
    assert(e == OK);
    struct reader reader = {.txn = txn};
    walk_begin_all(&walk, &reader, &dns_record_type, 0, false);
    while (walk_next(&walk, &id)) {
        if (dns_record_get(&reader, id, &record) == OK) check_settled(world, &reader, &record);
    }
    walk_end(&walk);
    for (unsigned i = 0; i < world->zone.count; i++) {
        const struct zone_value *v = &world->zone.values[i];
        if (!v->is_gone && !v->is_foreign && !v->is_told && !v->is_excused) check_zone(world, &reader, v);
    }
    const struct zone_value *lost = world->zone.foreign_lost;
    if (lost != NULL) {
        world_break(world, "(g) a foreign value was touched: %.*s %s %.*s", TEXT_ARGS(lost->name), dns_type_name(lost->type),
                    TEXT_ARGS(lost->value));
    }
    store_release(txn);
}
