#include "core/router.h"

#include <assert.h>

/* ---- the rows ------------------------------------------------------------------------------------- */

#define ROUTE_READ(operation_) .lane = LANE_READ, .read = operation_,
#define ROUTE_TURN(operation_) .lane = LANE_TURN, .turn = operation_,
#define NO_BODY
#define BODY(purpose_, type)      .takes = &type##_type, .purpose = purpose_,
#define BODY_FORM(purpose_, type) BODY(purpose_, type).is_form = true,
#define QUERY(names)              .query = names,
#define PAGE(done, failed)        .page_done = TEXT_INIT(done), .page_failed = TEXT_INIT(failed),
#define ONE(type)                 .gives = GIVES_ONE, .given = &type##_type,
#define LIST(type)                .gives = GIVES_LIST, .given = &type##_type,
#define NO_DATA                   .gives = GIVES_NO_DATA,
#define OTHER(type)               .gives = GIVES_OTHER, .content_type = TEXT_INIT(type),
#define BARE(type)                .given = &type##_type, OTHER("application/json")

static const struct route routes[] = {
#define ROUTE(method_, path_, operation_, lane_, access_, scope_, takes_, gives_, status_, \
              sentence_) \
    {.method = METHOD_##method_, \
     .path = TEXT_INIT(path_), \
     .operation = TEXT_INIT(#operation_), \
     .access = ACCESS_##access_, \
     .scope = SCOPE_##scope_, \
     .status = status_, \
     .sentence = sentence_, \
     ROUTE_##lane_(operation_) takes_ gives_},
#include "routes.def"
#undef ROUTE
};

enum { ROUTE_COUNT = sizeof routes / sizeof *routes };

static const struct text methods[METHOD_COUNT] = {
    [METHOD_GET] = TEXT_INIT("GET"),       [METHOD_POST] = TEXT_INIT("POST"),
    [METHOD_PUT] = TEXT_INIT("PUT"),       [METHOD_PATCH] = TEXT_INIT("PATCH"),
    [METHOD_DELETE] = TEXT_INIT("DELETE"),
};

const struct route *route_at(unsigned index)
{
    return index < ROUTE_COUNT ? &routes[index] : NULL;
}

const struct route *route_named(struct text operation)
{
    for (unsigned i = 0; i < ROUTE_COUNT; i++) {
        if (text_equal(routes[i].operation, operation)) return &routes[i];
    }
    return NULL;
}

struct text method_name(enum method method)
{
    assert(method < METHOD_COUNT);
    return methods[method];
}

/* ---- shapes --------------------------------------------------------------------------------------- */

enum { SHAPE_BYTES_MAX = 128, ID_DIGITS_MAX = 19 };

struct shape {
    char data[SHAPE_BYTES_MAX];
    size_t bytes;
    uint32_t hash;
    uint64_t id;
};

static bool is_id(struct text segment, uint64_t *id)
{
    if (segment.bytes > ID_DIGITS_MAX) return false;
    if (segment.data[0] == '0' && segment.bytes > 1) return false;
    return text_to_u64(segment, INT64_MAX, id);
}

static uint32_t hash_of(struct text t)
{
    return (uint32_t)mix_text(0, t);
}

/* False when the path is longer than any route's, or has a segment that could pass for {id}. */
static bool shape_of(struct text path, struct shape *shape)
{
    size_t n = 0, i = 0;
    shape->id = 0;
    if (path.bytes == 0 || path.bytes > SHAPE_BYTES_MAX || path.data[0] != '/') return false;
    while (i < path.bytes) { /* a segment each time, from its slash */
        size_t from = n;
        do shape->data[n++] = path.data[i++];
        while (i < path.bytes && path.data[i] != '/');
        struct text segment = {shape->data + from + 1, n - from - 1};
        if (segment.bytes == 0) continue;
        if (segment.data[0] == '{') return false;
        if (segment.data[0] > '9' || !is_id(segment, &shape->id)) continue;
        if (from + sizeof "/{id}" - 1 + path.bytes - i > SHAPE_BYTES_MAX) return false;
        memcpy(shape->data + from, "/{id}", sizeof "/{id}" - 1);
        n = from + sizeof "/{id}" - 1;
    }
    shape->bytes = n;
    shape->hash = hash_of((struct text){shape->data, n});
    return true;
}

/* ---- the table ------------------------------------------------------------------------------------ */

/* At most half full, so that a search ends soon: open addressing, next slot on a collision. */
enum { SLOT_COUNT = 256 };

/* In a slot's mask of methods, beside those of enum method. */
enum { HEAD_BIT = 1u << METHOD_COUNT };

static struct slot {
    struct text shape; /* empty: free */
    uint32_t hash;
    unsigned allowed; /* bits of methods */
    const struct route *routes[METHOD_COUNT];
} slots[SLOT_COUNT];

/* The slot of a shape, or the free one where it belongs. */
static struct slot *slot_of(struct text shape, uint32_t hash)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &slots[(hash + i) % SLOT_COUNT];
        if (slot->shape.bytes == 0) return slot;
        if (slot->hash == hash && text_equal(slot->shape, shape)) return slot;
    }
    assert(false); /* never full, see router_start() */
    return slots;
}

static void assert_row(const struct route *route)
{
    unsigned ids = 0;
    assert(route->path.bytes > 0 && route->path.bytes <= SHAPE_BYTES_MAX);
    assert(route->path.data[0] == '/');
    for (size_t i = 0; i < route->path.bytes; i++) ids += route->path.data[i] == '{';
    assert(ids <= 1); /* struct call has one id */
    assert((route->read != NULL) == (route->lane == LANE_READ));
    assert((route->turn != NULL) == (route->lane == LANE_TURN));
    assert(route->method != METHOD_GET || route->takes == NULL);
    assert(route->takes == NULL || route->purpose == CREATE || route->purpose == UPDATE);
    for (unsigned i = 0; route->is_form && i < route->takes->field_count; i++) {
        assert(route->takes->fields()[i].kind == KIND_text); /* a form's values are texts */
    }
}

void router_start(void)
{
    static_assert(ROUTE_COUNT * 2 <= SLOT_COUNT, "the table is at most half full");
    memset(slots, 0, sizeof slots);
    for (unsigned i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];
        assert_row(route);
        uint32_t hash = hash_of(route->path);
        struct slot *slot = slot_of(route->path, hash);
        assert(slot->routes[route->method] == NULL);
        slot->shape = route->path;
        slot->hash = hash;
        slot->routes[route->method] = route;
        slot->allowed |= 1u << route->method;
        if (route->method == METHOD_GET && route->lane == LANE_READ) slot->allowed |= HEAD_BIT;
    }
}

static unsigned method_of(struct text name)
{
    unsigned method = METHOD_GET;
    if (text_equal(name, TEXT("HEAD"))) return METHOD_GET;
    while (method < METHOD_COUNT && !text_equal(methods[method], name)) method++;
    return method;
}

const struct route *route_match(struct text method, struct text path, uint64_t *id, enum err *why,
                                unsigned *allowed_methods)
{
    struct shape shape;
    *id = 0;
    *allowed_methods = 0;
    *why = ERR_NOT_FOUND;
    if (!shape_of(path, &shape)) return NULL;
    const struct slot *slot = slot_of((struct text){shape.data, shape.bytes}, shape.hash);
    if (slot->shape.bytes == 0) return NULL;
    *allowed_methods = slot->allowed;
    *why = ERR_METHOD;
    unsigned number = method_of(method);
    if (number == METHOD_COUNT || slot->routes[number] == NULL) return NULL;
    bool is_head = number == METHOD_GET && text_equal(method, TEXT("HEAD"));
    if (is_head && (slot->allowed & HEAD_BIT) == 0) return NULL; /* this GET changes things */
    *why = OK;
    *id = shape.id;
    return slot->routes[number];
}

struct text route_allow(unsigned allowed_methods, struct arena *arena)
{
    struct text out = TEXT_NONE;
    for (unsigned i = 0; i < METHOD_COUNT; i++) {
        if ((allowed_methods & 1u << i) == 0) continue;
        out = arena_print(arena, "%.*s%.*s%s, ", TEXT_ARGS(out), TEXT_ARGS(methods[i]),
                          i == METHOD_GET && (allowed_methods & HEAD_BIT) != 0 ? ", HEAD" : "");
    }
    return arena_print(arena, "%.*sOPTIONS", TEXT_ARGS(out));
}
