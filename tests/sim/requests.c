/* What users ask for, as the gate would post it, and what of it they were granted. */
#include <assert.h>
#include <stdio.h>

#include "core/json.h"
#include "core/router.h"
#include "world.h"

enum { BODY_SIZE = 512, RECORDS_LIVE_MAX = 24, DOMAINS_LIVE_MAX = 4, SOURCES_LIVE_MAX = 6 };

/* ---- posting -------------------------------------------------------------------------------------- */

static struct request *post(struct world *world, const char *operation, uint64_t user_id, uint64_t id,
                            const char *query, const char *body)
{
    struct field_errors errors = {.arena = &world->inbox.arena};
    struct arena *arena = &world->inbox.arena;
    struct call *call = arena_new(arena, struct call);
    size_t offset;
    assert(world->request_count < REQUESTS_MAX);
    *call = (struct call){
        .route = route_named(text_of(operation)), .exchange = ++world->exchange, .id = id,
        .caller = {.user_id = user_id, .role = role_user, .rights = UINT32_MAX}, .query = arena_text(arena, text_of(query)),
        .request_id = TEXT("sim"), .ip = TEXT("192.0.2.1"), .user_agent = TEXT("sim"),
    };
    assert(call->route != NULL);
    if (call->route->takes != NULL) {
        void *in = arena_alloc(arena, call->route->takes->bytes);
        call->body_raw = arena_text(arena, text_of(body));
        enum err e = json_read(call->route->takes, call->body_raw, call->route->purpose, in, &call->given, &errors,
                               &offset, arena);
        if (e != OK) printf("%s %s\n", operation, body);
        assert(e == OK);
        call->body = in;
    }
    bool is_added = mailbox_add_own(&world->inbox, MESSAGE_request, call);
    assert(is_added);
    world_trace(world, "#%llu %s %llu %s%s", (unsigned long long)call->exchange, operation, (unsigned long long)id, query,
                body);
    struct request *request = &world->requests[world->request_count++];
    *request = (struct request){.exchange = call->exchange, .kind = REQUEST_OTHER};
    return request;
}

/* ---- picking -------------------------------------------------------------------------------------- */

#define PICK(world, list, count_of, is_fit) \
    unsigned live = 0, chosen = 0; \
    for (unsigned i = 0; i < (world)->count_of; i++) live += (is_fit((world)->list[i])); \
    if (live == 0) return NULL; \
    chosen = (unsigned)world_chance(world, live); \
    for (unsigned i = 0; i < (world)->count_of; i++) { \
        if ((is_fit((world)->list[i])) && chosen-- == 0) return &(world)->list[i]; \
    } \
    return NULL

static const struct shadow_domain *some_domain(struct world *world)
{
#define IS_LIVE(thing) (!(thing).is_dead)
    PICK(world, domains, domain_count, IS_LIVE);
}

static const struct shadow_record *some_record(struct world *world)
{
    PICK(world, records, record_count, IS_LIVE);
}

static const struct shadow_source *some_source(struct world *world, uint64_t user_id, unsigned family)
{
#define IS_USERS(thing) \
    (!(thing).is_dead && (user_id == 0 || (thing).user_id == user_id) && (family == 0 || (thing).family == family))
    PICK(world, sources, source_count, IS_USERS);
}

static struct text some_value(struct world *world, enum dns_type type)
{
    unsigned n = 1 + (unsigned)world_chance(world, 5);
    switch (type) {
    case DNS_A: return arena_print(&world->arena, "203.0.113.%u", n);
    case DNS_AAAA: return arena_print(&world->arena, "2001:db8::%u", n);
    case DNS_MX: return arena_print(&world->arena, "mail%u.example.net", n);
    default: return arena_print(&world->arena, "text %u", n);
    }
}

static struct text some_name(struct world *world)
{
    static const struct text names[] = {TEXT_INIT("@"), TEXT_INIT("www"), TEXT_INIT("a"), TEXT_INIT("b.c"), TEXT_INIT("*")};
    return names[world_chance(world, sizeof names / sizeof *names)];
}

static enum dns_type some_type(struct world *world)
{
    static const enum dns_type types[] = {DNS_A, DNS_A, DNS_A, DNS_AAAA, DNS_AAAA, DNS_TXT, DNS_TXT, DNS_MX};
    return types[world_chance(world, sizeof types / sizeof *types)];
}

/* At providers with ids: just what homeport is about to be asked for, made before it by somebody else. */
static void make_by_hand(struct world *world, const struct shadow_domain *domain, const struct shadow_record *record)
{
    char full[DNS_NAME_SIZE];
    struct text name = dns_name_join(record->name, domain->name, full);
    bool is_new = domain->vendor == VENDOR_CLOUDFLARE || domain->vendor == VENDOR_ALIDNS;
    /* A value that homeport has tried before, and may still be about to take away, could be told from nobody's. */
    for (unsigned i = 0; i < world->record_count; i++) {
        if (world->records[i].domain_id == domain->id && world->records[i].type == record->type) is_new = false;
    }
    for (unsigned i = 0; i < world->request_count; i++) {
        if (domain->id != 0 && world->requests[i].record.domain_id == domain->id) is_new = false;
    }
    if (!is_new || record->type == DNS_MX || zone_has(&world->zone, name, record->type, 0, record->value)) return;
    zone_add_foreign(&world->zone, name, record->type, record->value, (uint32_t)record->ttl);
    world->zone.values[world->zone.count - 1].has_id = true;
    world_trace(world, "%.*s %s %.*s is made by hand", TEXT_ARGS(name), dns_type_name(record->type),
                TEXT_ARGS(record->value));
}

/* ---- domains -------------------------------------------------------------------------------------- */

static const struct { const char *provider, *credentials; } vendors[] = {
    [VENDOR_RFC2136] = {"rfc2136", "{\"server\":\"192.0.2.53:53\"}"},
    [VENDOR_CALLBACK] = {"callback", "{\"url\":\"https://hook.example/\",\"body\":\"{fqdn}|{type}|{value}\"}"},
    [VENDOR_CLOUDFLARE] = {"cloudflare", "{\"api_token\":\"token\"}"},
    [VENDOR_ALIDNS] = {"alidns", "{\"access_key_id\":\"id\",\"access_key_secret\":\"secret\"}"},
};

static void domain_make(struct world *world)
{
    char body[BODY_SIZE];
    unsigned live = 0;
    for (unsigned i = 0; i < world->domain_count; i++) live += !world->domains[i].is_dead;
    if (live >= DOMAINS_LIVE_MAX) return;
    uint64_t user_id = world->user_ids[world_chance(world, USERS)];
    static const enum vendor chances[] = {VENDOR_RFC2136, VENDOR_RFC2136, VENDOR_RFC2136, VENDOR_CALLBACK,
                                          VENDOR_CLOUDFLARE, VENDOR_CLOUDFLARE, VENDOR_CLOUDFLARE, VENDOR_ALIDNS,
                                          VENDOR_ALIDNS};
    enum vendor vendor = chances[world_chance(world, sizeof chances / sizeof *chances)];
    struct text name = arena_print(&world->arena, "z%u.example", ++world->zone_number);
    snprintf(body, sizeof body, "{\"name\":\"%.*s\",\"provider\":\"%s\",\"credentials\":%s}", TEXT_ARGS(name),
             vendors[vendor].provider, vendors[vendor].credentials);
    struct request *request = post(world, "domain_create", user_id, 0, "", body);
    request->kind = REQUEST_DOMAIN_CREATE;
    request->domain = (struct shadow_domain){.user_id = user_id, .name = name, .vendor = vendor};
    /* Others have been here before us, some under the very names that will be ours. */
    for (unsigned i = 0; i < 3; i++) {
        char full[DNS_NAME_SIZE];
        zone_add_foreign(&world->zone, dns_name_join(some_name(world), name, full), DNS_TXT,
                         arena_print(&world->arena, "foreign %u", i), 60);
    }
    for (unsigned i = 0; i < 3 && (vendor == VENDOR_CLOUDFLARE || vendor == VENDOR_ALIDNS); i++) {
        struct shadow_record record = {.name = some_name(world), .type = i < 2 ? DNS_TXT : DNS_A, .ttl = 60};
        record.value = some_value(world, record.type);
        make_by_hand(world, &request->domain, &record);
    }
}

static void domain_change(struct world *world)
{
    const struct shadow_domain *domain = some_domain(world);
    if (domain == NULL) return;
    if (world_percent(world, 15)) {
        bool at_provider = world_percent(world, 70);
        struct request *request = post(world, "domain_delete", domain->user_id, domain->id,
                                       at_provider ? "at_provider=true" : "", "");
        request->kind = REQUEST_DOMAIN_DELETE;
        request->domain = *domain;
        request->domain.is_purged = at_provider;
        return;
    }
    char body[BODY_SIZE];
    bool has_credentials = domain->vendor != VENDOR_CALLBACK && world_percent(world, 30);
    snprintf(body, sizeof body, "{\"credentials\":%s}", vendors[domain->vendor].credentials);
    struct request *request = post(world, "domain_update", domain->user_id, domain->id, "",
                                   has_credentials            ? body
                                   : world_percent(world, 60) ? "{\"is_active\":true}"
                                                              : "{\"is_active\":false}");
    request->kind = REQUEST_DOMAIN_UPDATE;
}

/* ---- sources -------------------------------------------------------------------------------------- */

static void source_make(struct world *world)
{
    char body[BODY_SIZE];
    unsigned live = 0;
    for (unsigned i = 0; i < world->source_count; i++) live += !world->sources[i].is_dead;
    if (live >= SOURCES_LIVE_MAX) return;
    struct shadow_source source = {.user_id = world->user_ids[world_chance(world, USERS)],
                                   .family = world_percent(world, 60) ? 4 : 6, .is_pushed = world_percent(world, 70)};
    bool has_value = !source.is_pushed || world_percent(world, 50);
    if (has_value) source.address = some_value(world, source.family == 4 ? DNS_A : DNS_AAAA);
    int used = snprintf(body, sizeof body, "{\"name\":\"line\",\"kind\":\"%s\",\"family\":\"ipv%u\"",
                        source.is_pushed ? "pushed" : "fixed", source.family);
    snprintf(body + used, sizeof body - (size_t)used, has_value ? ",\"value\":\"%.*s\"}" : "}", TEXT_ARGS(source.address));
    struct request *request = post(world, "source_create", source.user_id, 0, "", body);
    request->kind = REQUEST_SOURCE_CREATE;
    request->source = source;
}

static void source_change(struct world *world)
{
    char body[BODY_SIZE];
    const struct shadow_source *source = some_source(world, 0, 0);
    if (source == NULL) return;
    bool is_end = world_percent(world, 8);
    struct text address = some_value(world, source->family == 4 ? DNS_A : DNS_AAAA);
    snprintf(body, sizeof body, "{\"value\":\"%.*s\"}", TEXT_ARGS(address));
    struct request *request = post(world, is_end ? "source_delete" : "source_update", source->user_id, source->id, "",
                                   is_end ? "" : body);
    request->kind = is_end ? REQUEST_SOURCE_DELETE : REQUEST_SOURCE_UPDATE;
    request->source = *source;
    request->source.address = address;
}

/* ---- records -------------------------------------------------------------------------------------- */

static void record_make(struct world *world)
{
    char body[BODY_SIZE];
    unsigned live = 0;
    const struct shadow_domain *domain = some_domain(world);
    for (unsigned i = 0; i < world->record_count; i++) live += !world->records[i].is_dead;
    if (domain == NULL || live >= RECORDS_LIVE_MAX || world->record_count >= SHADOWS_MAX - REQUESTS_MAX) return;
    struct shadow_record record = {.user_id = domain->user_id, .domain_id = domain->id, .name = some_name(world),
                                   .type = some_type(world), .ttl = 60 + world_chance(world, 5), .is_active = true};
    bool is_address = record.type == DNS_A || record.type == DNS_AAAA;
    record.dynamic = is_address && world_percent(world, 60);
    int used = snprintf(body, sizeof body, "{\"name\":\"%.*s\",\"type\":\"%s\",\"ttl\":%llu", TEXT_ARGS(record.name),
                        dns_type_name(record.type), (unsigned long long)record.ttl);
    if (record.dynamic) {
        const struct shadow_source *source = some_source(world, domain->user_id, record.type == DNS_A ? 4 : 6);
        if (source != NULL && world_percent(world, 80)) record.source_id = source->id;
        used += snprintf(body + used, sizeof body - (size_t)used, ",\"dynamic\":true");
        if (record.source_id != 0) {
            used += snprintf(body + used, sizeof body - (size_t)used, ",\"source_id\":\"%llu\"",
                             (unsigned long long)record.source_id);
        }
    } else {
        record.value = some_value(world, record.type);
        used += snprintf(body + used, sizeof body - (size_t)used, ",\"value\":\"%.*s\"", TEXT_ARGS(record.value));
    }
    snprintf(body + used, sizeof body - (size_t)used, "}");
    if (record.value.bytes > 0 && world_percent(world, 40)) make_by_hand(world, domain, &record);
    struct request *request = post(world, "dns_record_create", domain->user_id, domain->id, "", body);
    request->kind = REQUEST_RECORD_CREATE;
    request->record = record;
}

static void record_change(struct world *world)
{
    char body[BODY_SIZE];
    const struct shadow_record *record = some_record(world);
    if (record == NULL) return;
    struct shadow_record wanted = *record;
    enum record_change changed = CHANGED_VALUE;
    unsigned what = (unsigned)world_chance(world, 100);
    if (what < 50 && !record->dynamic) {
        wanted.value = some_value(world, record->type);
        snprintf(body, sizeof body, "{\"value\":\"%.*s\"}", TEXT_ARGS(wanted.value));
    } else if (what < 70) {
        changed = CHANGED_TTL;
        wanted.ttl = 60 + world_chance(world, 5);
        snprintf(body, sizeof body, "{\"ttl\":%llu}", (unsigned long long)wanted.ttl);
    } else if (what < 85) {
        changed = CHANGED_NAME;
        wanted.name = some_name(world);
        snprintf(body, sizeof body, "{\"name\":\"%.*s\"}", TEXT_ARGS(wanted.name));
    } else {
        changed = CHANGED_ACTIVE;
        wanted.is_active = world_percent(world, 60);
        snprintf(body, sizeof body, "{\"is_active\":%s}", wanted.is_active ? "true" : "false");
    }
    struct request *request = post(world, "dns_record_update", record->user_id, record->id, "", body);
    request->kind = REQUEST_RECORD_UPDATE;
    request->record = wanted;
    request->changed = changed;
}

static void record_end(struct world *world)
{
    const struct shadow_record *record = some_record(world);
    if (record == NULL) return;
    struct request *request = post(world, "dns_record_delete", record->user_id, record->id, "", "");
    request->kind = REQUEST_RECORD_DELETE;
    request->record = *record;
}

void request_sync(struct world *world, uint64_t user_id, uint64_t record_id)
{
    if (record_id != 0) {
        post(world, "dns_record_sync", user_id, record_id, "", "");
    } else {
        post(world, "ddns_sync", user_id, 0, "", "");
    }
}

static const struct shadow_domain *domain_of_record(const struct world *world, const struct shadow_record *record)
{
    for (unsigned i = 0; i < world->domain_count; i++) {
        if (world->domains[i].id == record->domain_id) return &world->domains[i];
    }
    return NULL;
}

static void nic(struct world *world)
{
    char query[BODY_SIZE], full[DNS_NAME_SIZE];
    const struct shadow_record *record = some_record(world);
    if (record == NULL) return;
    struct text host = dns_name_join(record->name, domain_of_record(world, record)->name, full);
    struct text address = some_value(world, world_percent(world, 60) ? DNS_A : DNS_AAAA);
    snprintf(query, sizeof query, "hostname=%.*s&myip=%.*s", TEXT_ARGS(host), TEXT_ARGS(address));
    struct request *request = post(world, "nic_update", record->user_id, 0, query, "");
    request->kind = REQUEST_NIC_UPDATE;
    request->host = arena_text(&world->arena, host);
    request->address = address;
    request->record = *record;
}

/* A push that has a call out is called off. A removal is not: what it leaves would be its owner's wish. */
static void push_end(struct world *world)
{
    const struct flight *flight = &world->flights[world_chance(world, world->flight_count)];
    if (flight->is_push) post(world, "task_cancel_request", flight->user_id, flight->call.task_id, "", "");
}

void request_at_random(struct world *world)
{
    unsigned what = (unsigned)world_chance(world, 100);
    if (world->flight_count > 0 && world_percent(world, 4)) {
        push_end(world);
        return;
    }
    if (what < 10 || world->domain_count == 0) {
        domain_make(world);
    } else if (what < 14) {
        domain_change(world);
    } else if (what < 22) {
        source_make(world);
    } else if (what < 36) {
        source_change(world);
    } else if (what < 60) {
        record_make(world);
    } else if (what < 77) {
        record_change(world);
    } else if (what < 84) {
        record_end(world);
    } else if (what < 95) {
        nic(world);
    } else {
        const struct shadow_record *record = some_record(world);
        if (record != NULL) request_sync(world, record->user_id, what < 98 ? record->id : 0);
    }
}
