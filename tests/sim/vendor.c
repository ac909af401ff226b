#include "vendor.h"

#include <assert.h>
#include <stdlib.h>

#include "cloud/cloud_json.h"

enum { NO_PRIORITY = 0 };

/* What a write asks for; fields that it does not name keep what they were. */
struct wish {
    struct text name, value, remark;
    enum dns_type type;
    uint16_t priority;
    uint32_t ttl;
};

struct said {
    unsigned status;
    struct text body;
};

/* ---- the records ---------------------------------------------------------------------------------- */

static struct zone_value *by_id(struct zone *zone, struct text id)
{
    uint64_t number;
    if (!text_starts(id, TEXT("v"))) return NULL;
    bool is_number = text_to_u64((struct text){id.data + 1, id.bytes - 1}, ZONE_VALUES_MAX, &number);
    if (!is_number || number >= zone->count || zone->values[number].is_gone) return NULL;
    return &zone->values[number];
}

static struct text id_of(const struct zone *zone, const struct zone_value *v)
{
    return arena_print(zone->arena, "v%u", (unsigned)(v - zone->values));
}

/* Writes the wish into v, or makes a record of it. NULL: there is such a record already. */
static struct zone_value *write(struct zone *zone, struct zone_value *v, const struct wish *wish)
{
    struct zone_value *same = zone_find(zone, wish->name, wish->type, wish->priority, wish->value);
    if (same != NULL && same != v) return NULL;
    if (v == NULL) v = zone_new(zone, wish->name, wish->type, wish->priority, wish->value);
    /* A single address that was made by hand is taken over, as ddns/provider_plan.h tells; nothing else is. */
    bool is_takeable = v->type == DNS_A || v->type == DNS_AAAA;
    bool is_same = rdata_equal(v->type, v->value, wish->value);
    if (v->is_foreign && !is_takeable) zone->foreign_lost = v;
    v->has_id = true;
    v->is_foreign = v->is_foreign && is_same;
    v->is_excused = false;
    v->value = arena_text(zone->arena, wish->value);
    v->priority = wish->priority;
    v->ttl = wish->ttl;
    return v;
}

static struct text normal_text(struct zone *zone, enum dns_type type, struct text value)
{
    char *out = arena_alloc(zone->arena, RDATA_VALUE_SIZE);
    struct text normal;
    assert(out != NULL);
    return rdata_normalise(type, value, out, RDATA_VALUE_SIZE, &normal) ? normal : value;
}

/* ---- Cloudflare ----------------------------------------------------------------------------------- */

static struct said cloudflare_ok(struct zone *zone, struct text result)
{
    return (struct said){200, arena_print(zone->arena, "{\"success\":true,\"errors\":[],\"result\":%.*s}",
                                           TEXT_ARGS(result))};
}

static struct said cloudflare_no(struct arena *arena, unsigned status, unsigned code)
{
    return (struct said){status, arena_print(arena, "{\"success\":false,\"errors\":[{\"code\":%u,\"message\":\"m\"}],"
                                                     "\"result\":null}", code)};
}

static struct text cloudflare_shown(struct zone *zone, const struct zone_value *v)
{
    const char *quote = v->type == DNS_TXT ? "\\\"" : "";
    return arena_print(zone->arena, "{\"id\":\"%.*s\",\"name\":\"%.*s\",\"type\":\"%s\",\"content\":\"%s%.*s%s\","
                                    "\"ttl\":%u,\"priority\":%u,\"proxied\":false,\"comment\":\"%.*s\"}",
                       TEXT_ARGS(id_of(zone, v)), TEXT_ARGS(v->name), dns_type_name(v->type), quote, TEXT_ARGS(v->value),
                       quote, v->ttl, v->priority, TEXT_ARGS(v->remark));
}

/* "name.exact=www.z1.example&type=A" */
static struct said cloudflare_list(struct zone *zone, struct text query)
{
    struct text name, items = TEXT_NONE;
    enum dns_type type;
    text_cut(&query, '=');
    bool is_read = percent_decode(text_cut(&query, '&'), false, zone->arena, &name);
    text_cut(&query, '=');
    is_read = is_read && dns_type_from_name(query, &type);
    assert(is_read);
    for (unsigned i = 0; i < zone->count; i++) {
        const struct zone_value *v = &zone->values[i];
        if (v->is_gone || v->type != type || !dns_name_equal(v->name, name)) continue;
        items = arena_print(zone->arena, "%.*s%s%.*s", TEXT_ARGS(items), items.bytes > 0 ? "," : "",
                            TEXT_ARGS(cloudflare_shown(zone, v)));
    }
    return cloudflare_ok(zone, arena_print(zone->arena, "[%.*s]", TEXT_ARGS(items)));
}

static struct said cloudflare_write(struct zone *zone, struct zone_value *v, struct text body)
{
    yyjson_val *root = cloud_json_read(zone->arena, body);
    struct wish wish = {
        .name = cloud_json_member_text(zone->arena, root, "name"),
        .ttl = (uint32_t)cloud_json_number(cloud_json_member(root, "ttl"), UINT32_MAX, 1),
        .priority = (uint16_t)cloud_json_number(cloud_json_member(root, "priority"), UINT16_MAX, NO_PRIORITY),
        .remark = cloud_json_member_text(zone->arena, root, "comment"),
    };
    bool is_type = dns_type_from_name(cloud_json_member_text(zone->arena, root, "type"), &wish.type);
    assert(is_type && wish.name.bytes > 0);
    wish.value = normal_text(zone, wish.type, cloud_json_member_text(zone->arena, root, "content"));
    bool is_new = v == NULL;
    v = write(zone, v, &wish);
    if (v == NULL) return cloudflare_no(zone->arena, 400, 81058);
    if (is_new) v->remark = arena_text(zone->arena, wish.remark);
    return cloudflare_ok(zone, cloudflare_shown(zone, v));
}

/* "/zones?name=z1.example", "/zones/z1.example/dns_records?...", "/zones/z1.example/dns_records/v5": a zone's id is its
 * name. */
static struct said cloudflare(struct zone *zone, struct text method, struct text path, struct text body)
{
    struct text query = path;
    path = text_cut(&query, '?');
    if (text_equal(path, TEXT("/zones"))) {
        text_cut(&query, '=');
        return cloudflare_ok(zone, arena_print(zone->arena, "[{\"id\":\"%.*s\",\"name\":\"%.*s\"}]", TEXT_ARGS(query),
                                               TEXT_ARGS(query)));
    }
    for (unsigned i = 0; i < 4; i++) text_cut(&path, '/');
    struct zone_value *v = path.bytes > 0 ? by_id(zone, path) : NULL;
    if (path.bytes > 0 && v == NULL) return cloudflare_no(zone->arena, 404, 81044);
    if (text_equal(method, TEXT("GET"))) return cloudflare_list(zone, query);
    if (!text_equal(method, TEXT("DELETE"))) return cloudflare_write(zone, v, body);
    assert(v != NULL);
    zone_take_away(zone, v);
    return cloudflare_ok(zone, arena_print(zone->arena, "{\"id\":\"%.*s\"}", TEXT_ARGS(path)));
}

/* ---- Alibaba Cloud DNS ---------------------------------------------------------------------------- */

/* A parameter of the query, decoded; empty when it is not there. */
static struct text param(struct zone *zone, struct text query, const char *name)
{
    while (query.data != NULL) {
        struct text value = text_cut(&query, '&'), decoded;
        if (!text_equal(text_cut(&value, '='), text_of(name))) continue;
        bool is_decoded = percent_decode(value, false, zone->arena, &decoded);
        assert(is_decoded);
        return decoded;
    }
    return TEXT_NONE;
}

static struct said alidns_no(struct arena *arena, unsigned status, const char *code)
{
    return (struct said){status, arena_print(arena, "{\"RequestId\":\"r\",\"Code\":\"%s\",\"Message\":\"m\"}", code)};
}

static struct said alidns_ok(struct zone *zone, struct text id)
{
    return (struct said){200, arena_print(zone->arena, "{\"RequestId\":\"r\",\"RecordId\":\"%.*s\"}", TEXT_ARGS(id))};
}

static struct said alidns_list(struct zone *zone, struct text query)
{
    struct text sub = param(zone, query, "SubDomain"), items = TEXT_NONE, rest = sub;
    enum dns_type type;
    unsigned count = 0;
    bool is_type = dns_type_from_name(param(zone, query, "Type"), &type);
    struct text name = text_starts(sub, TEXT("@.")) ? (struct text){sub.data + 2, sub.bytes - 2} : sub;
    /* Zones are "z1.example": two labels at the end. */
    struct text owner = {sub.data, 0};
    while (memchr(rest.data, '.', rest.bytes) != NULL && !text_equal(rest, TEXT("example"))) {
        owner.bytes = (size_t)(rest.data - sub.data);
        text_cut(&rest, '.');
    }
    owner.bytes -= owner.bytes > 0;
    assert(is_type && owner.bytes > 0);
    for (unsigned i = 0; i < zone->count; i++) {
        const struct zone_value *v = &zone->values[i];
        if (v->is_gone || v->type != type || !dns_name_equal(v->name, name)) continue;
        items = arena_print(zone->arena, "%.*s%s{\"RecordId\":\"%.*s\",\"RR\":\"%.*s\",\"Type\":\"%s\",\"Value\":\"%.*s\","
                                         "\"TTL\":%u,\"Line\":\"default\",\"Status\":\"ENABLE\",\"Priority\":%u,"
                                         "\"Remark\":\"%.*s\"}",
                            TEXT_ARGS(items), count++ > 0 ? "," : "", TEXT_ARGS(id_of(zone, v)), TEXT_ARGS(owner),
                            dns_type_name(type), TEXT_ARGS(v->value), v->ttl, v->priority, TEXT_ARGS(v->remark));
    }
    return (struct said){200, arena_print(zone->arena, "{\"TotalCount\":%u,\"DomainRecords\":{\"Record\":[%.*s]}}", count,
                                           TEXT_ARGS(items))};
}

static struct said alidns_write(struct zone *zone, struct zone_value *v, struct text query)
{
    char full[DNS_NAME_SIZE];
    uint64_t ttl = 600, priority = NO_PRIORITY;
    struct wish wish = {0};
    struct text zone_name = param(zone, query, "DomainName");
    bool is_type = dns_type_from_name(param(zone, query, "Type"), &wish.type);
    assert(is_type);
    wish.name = v != NULL ? v->name : dns_name_join(param(zone, query, "RR"), zone_name, full);
    wish.value = normal_text(zone, wish.type, param(zone, query, "Value"));
    text_to_u64(param(zone, query, "TTL"), UINT32_MAX, &ttl);
    text_to_u64(param(zone, query, "Priority"), UINT16_MAX, &priority);
    wish.ttl = (uint32_t)ttl;
    wish.priority = (uint16_t)priority;
    bool is_nothing = v != NULL && v->ttl == wish.ttl && v->priority == wish.priority &&
                      rdata_equal(v->type, v->value, wish.value);
    v = is_nothing ? NULL : write(zone, v, &wish);
    return v == NULL ? alidns_no(zone->arena, 400, "DomainRecordDuplicate") : alidns_ok(zone, id_of(zone, v));
}

static struct said alidns(struct zone *zone, struct text fields, struct text path)
{
    struct text action = TEXT_NONE, query = path;
    text_cut(&query, '?');
    while (fields.data != NULL && action.bytes == 0) {
        struct text value = text_cut(&fields, '\n');
        if (text_equal(text_cut(&value, ':'), TEXT("x-acs-action"))) action = text_trim(value);
    }
    if (text_equal(action, TEXT("DescribeSubDomainRecords"))) return alidns_list(zone, query);
    if (text_equal(action, TEXT("AddDomainRecord"))) return alidns_write(zone, NULL, query);
    struct text id = param(zone, query, "RecordId");
    struct zone_value *v = by_id(zone, id);
    if (v == NULL) return alidns_no(zone->arena, 400, "DomainRecordNotBelongToUser");
    if (text_equal(action, TEXT("UpdateDomainRecord"))) return alidns_write(zone, v, query);
    if (text_equal(action, TEXT("DeleteDomainRecord"))) zone_take_away(zone, v);
    if (text_equal(action, TEXT("UpdateDomainRecordRemark"))) v->remark = param(zone, query, "Remark");
    return alidns_ok(zone, id);
}

/* ---- both ----------------------------------------------------------------------------------------- */

bool vendor_http(struct zone *zone, const struct outside_call *call, unsigned *status, struct text *body)
{
    struct text cloudflare_url = TEXT(CLOUDFLARE_URL), alidns_url = TEXT(ALIDNS_URL);
    struct text base = text_starts(call->url, cloudflare_url) ? cloudflare_url : alidns_url;
    if (!text_starts(call->url, base)) return false;
    struct text path = {call->url.data + base.bytes, call->url.bytes - base.bytes};
    struct said said = base.data == cloudflare_url.data ? cloudflare(zone, call->method, path, call->body)
                                                          : alidns(zone, call->fields, path);
    *status = said.status;
    *body = said.body;
    return true;
}

void vendor_refuse(const struct outside_call *call, struct arena *arena, unsigned *status, struct text *body)
{
    bool is_alidns = text_starts(call->url, TEXT(ALIDNS_URL));
    struct said said = is_alidns ? alidns_no(arena, 403, "Forbidden.RAM") : cloudflare_no(arena, 403, 9109);
    *status = said.status;
    *body = said.body;
}
