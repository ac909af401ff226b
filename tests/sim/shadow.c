/* What users were told: a request that was answered with a 2xx changes the shadow, no other does. */
#include <assert.h>

#include "world.h"

static uint64_t id_in(struct text body)
{
    static const char key[] = "\"id\":\"";
    uint64_t id = 0;
    for (size_t i = 0; i + sizeof key < body.bytes; i++) {
        if (memcmp(body.data + i, key, sizeof key - 1) != 0) continue;
        struct text rest = {body.data + i + sizeof key - 1, body.bytes - i - sizeof key + 1};
        if (text_to_u64(text_cut(&rest, '"'), UINT64_MAX, &id)) return id;
    }
    return 0;
}

static struct shadow_source *source_by(struct world *world, uint64_t id)
{
    for (unsigned i = 0; i < world->source_count; i++) {
        if (world->sources[i].id == id) return &world->sources[i];
    }
    return NULL;
}

static void domain_ended(struct world *world, const struct request *request)
{
    for (unsigned i = 0; i < world->domain_count; i++) {
        if (world->domains[i].id == request->domain.id) world->domains[i] = request->domain;
        if (world->domains[i].id == request->domain.id) world->domains[i].is_dead = true;
    }
    for (unsigned i = 0; i < world->record_count; i++) {
        if (world->records[i].domain_id == request->domain.id) world->records[i].is_dead = true;
    }
}

/* Several changes of one record may stand in one turn: only what this one asked for is taken over. */
static void record_changed(struct world *world, const struct request *request)
{
    for (unsigned i = 0; i < world->record_count; i++) {
        struct shadow_record *record = &world->records[i];
        if (record->id != request->record.id) continue;
        if (request->kind == REQUEST_RECORD_DELETE) {
            record->is_dead = true;
            continue;
        }
        switch (request->changed) {
        case CHANGED_VALUE: record->value = request->record.value; break;
        case CHANGED_TTL: record->ttl = request->record.ttl; break;
        case CHANGED_NAME: record->name = request->record.name; break;
        case CHANGED_ACTIVE: record->is_active = request->record.is_active; break;
        }
    }
}

/* The name stands for the caller's dynamic records of that name and family. */
static void nic_updated(struct world *world, const struct request *request, struct text answer)
{
    bool is_taken = text_starts(answer, TEXT("good ")) || text_starts(answer, TEXT("nochg "));
    bool is_refused = text_starts(answer, TEXT("nohost")) || text_starts(answer, TEXT("notfqdn")); /* a wildcard */
    enum dns_type type = memchr(request->address.data, ':', request->address.bytes) != NULL ? DNS_AAAA : DNS_A;
    if (!is_taken && !is_refused) world_break(world, "(a) nic_update says %.*s", TEXT_ARGS(answer));
    for (unsigned i = 0; is_taken && i < world->record_count; i++) {
        struct shadow_record *record = &world->records[i];
        bool is_meant = !record->is_dead && record->dynamic && record->type == type &&
                        record->domain_id == request->record.domain_id &&
                        text_equal(record->name, request->record.name);
        if (!is_meant) continue;
        struct shadow_source *source = record->source_id != 0 ? source_by(world, record->source_id) : NULL;
        if (source == NULL) record->value = request->address;
        if (source != NULL && source->is_pushed) source->address = request->address;
    }
}

static void granted(struct world *world, struct request *request, const struct answer *answer)
{
    struct shadow_source *source = source_by(world, request->source.id);
    switch (request->kind) {
    case REQUEST_DOMAIN_CREATE:
        request->domain.id = id_in(answer->body);
        world->domains[world->domain_count++] = request->domain;
        break;
    case REQUEST_DOMAIN_DELETE: domain_ended(world, request); break;
    case REQUEST_SOURCE_CREATE:
        request->source.id = id_in(answer->body);
        world->sources[world->source_count++] = request->source;
        break;
    case REQUEST_SOURCE_UPDATE: source->address = request->source.address; break;
    case REQUEST_SOURCE_DELETE: source->is_dead = true; break;
    case REQUEST_RECORD_CREATE:
        request->record.id = id_in(answer->body);
        world->records[world->record_count++] = request->record;
        break;
    case REQUEST_RECORD_UPDATE:
    case REQUEST_RECORD_DELETE: record_changed(world, request); break;
    case REQUEST_NIC_UPDATE: nic_updated(world, request, answer->body); break;
    case REQUEST_DOMAIN_UPDATE:
    case REQUEST_OTHER: break;
    }
}

void request_answered(struct world *world, const struct answer *answer)
{
    world_trace(world, "  #%llu answered %u %.*s", (unsigned long long)answer->exchange, answer->status,
                (int)(answer->body.bytes < 160 ? answer->body.bytes : 160), answer->body.data);
    for (unsigned i = 0; i < world->request_count; i++) {
        struct request *request = &world->requests[i];
        if (request->exchange != answer->exchange) continue;
        world->answered_count++;
        if (answer->status >= 200 && answer->status < 300) granted(world, request, answer);
        if (answer->status == 500) {
            world_break(world, "(a) request %llu was answered %.*s", (unsigned long long)answer->exchange,
                        TEXT_ARGS(answer->body));
        }
        return;
    }
    world_break(world, "(a) an answer to a request that nobody made: %llu", (unsigned long long)answer->exchange);
}
