/* Every route is found by its method and path, and nothing else is. */
#include "core/router.h"

#include "unit.h"

/* The router needs addresses of handlers and calls none. Weak, so that the real ones may be linked too. */
#define STUB_READ(operation) \
    __attribute__((weak)) enum err operation(struct view *view, const struct call *call, struct reply *reply) \
    { \
        (void)view, (void)call, (void)reply; \
        return OK; \
    }
#define STUB_TURN(operation) \
    __attribute__((weak)) enum err operation(struct step *step, const struct call *call, struct reply *reply) \
    { \
        (void)step, (void)call, (void)reply; \
        return OK; \
    }
#define ROUTE(method, path, operation, lane, access, scope, takes, gives, status, sentence) STUB_##lane(operation)
#include "routes.def"
#undef ROUTE
#define CHECKER(name, where, pattern) \
    bool check_##name(struct text value, struct text *reason); \
    __attribute__((weak)) bool check_##name(struct text value, struct text *reason) \
    { \
        (void)value, (void)reason; \
        return true; \
    }
#include "checks.def"
#undef CHECKER

static const struct route *match(const char *method, const char *path, uint64_t *id, enum err *why,
                                 unsigned *allowed)
{
    return route_match(text_of(method), text_of(path), id, why, allowed);
}

/* The path of a row with an id in its place leads back to the row. */
static void test_every_row(void)
{
    uint64_t id;
    enum err why;
    unsigned allowed, index = 0;
    for (const struct route *route; (route = route_at(index)) != NULL; index++) {
        char path[200];
        const char *brace = memchr(route->path.data, '{', route->path.bytes);
        size_t before = brace == NULL ? route->path.bytes : (size_t)(brace - route->path.data);
        snprintf(path, sizeof path, "%.*s%s%s", (int)before, route->path.data,
                 brace == NULL ? "" : "7214839201836032", brace == NULL ? "" : brace + 4);
        const struct route *found = route_match(method_name(route->method), text_of(path), &id, &why, &allowed);
        CHECK(found == route && why == OK);
        CHECK(id == (brace == NULL ? 0 : 7214839201836032u));
        CHECK((allowed & 1u << route->method) != 0);
        bool is_plain_get = route->method == METHOD_GET && route->lane == LANE_READ;
        if (route->method == METHOD_GET)
            CHECK(match("HEAD", path, &id, &why, &allowed) == (is_plain_get ? route : NULL));
        /* The shape itself is no path. */
        if (brace != NULL) {
            CHECK(route_match(method_name(route->method), route->path, &id, &why, &allowed) == NULL);
            CHECK(why == ERR_NOT_FOUND);
        }
    }
    CHECK(index > 20);
    CHECK(route_at(index + 1000) == NULL);
}

/* Ids are 1 to 19 digits without a leading zero and fit into 63 bits. */
static void test_ids(void)
{
    uint64_t id;
    enum err why;
    unsigned allowed;
    CHECK(match("GET", "/api/v1/domains/1", &id, &why, &allowed) != NULL && id == 1);
    CHECK(match("GET", "/api/v1/domains/0", &id, &why, &allowed) != NULL && id == 0);
    CHECK(match("GET", "/api/v1/domains/9223372036854775807", &id, &why, &allowed) != NULL && id == INT64_MAX);
    static const char *const bad[] = {
        "/api/v1/domains/9223372036854775808", "/api/v1/domains/18446744073709551617", "/api/v1/domains/01",
        "/api/v1/domains/00", "/api/v1/domains/-1", "/api/v1/domains/+1", "/api/v1/domains/1a",
        "/api/v1/domains/0x1", "/api/v1/domains/%31", "/api/v1/domains/1%00", "/api/v1/domains/{id}",
        "/api/v1/domains/ 1", "/api/v1/domains/1 ", "/api/v1/domains/12345678901234567890", "/api/v1/domains/1/",
        "/api/v1/domains/", "/api/v1//domains", "//health", "/health/", "health", "", "/", "*", "/HEALTH",
        "/api/v1/domains/1/records/1", "/api/v1/domains/1/2", "/api/v1/1", "/1", "/api", "/health?x", "/health/..",
        "/./health", "/healthx", "/healt", "/api/v1/domains/1/records/", "/api/v1/domains//records",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK(match("GET", bad[i], &id, &why, &allowed) == NULL)) printf("    %s\n", bad[i]);
        CHECK(why == ERR_NOT_FOUND && allowed == 0 && id == 0);
    }
}

/* Paths of any length and content are refused without harm. */
static void test_long_paths(void)
{
    uint64_t id, seed = 1;
    enum err why;
    unsigned allowed;
    static char path[70000];
    for (size_t length = 0; length < 400; length++) {
        memset(path, '/', length);
        CHECK(route_match(TEXT("GET"), (struct text){path, length}, &id, &why, &allowed) == NULL);
        for (size_t i = 1; i < length; i += 2) path[i] = '1';
        CHECK(route_match(TEXT("GET"), (struct text){path, length}, &id, &why, &allowed) == NULL);
    }
    memset(path, 'a', sizeof path);
    path[0] = '/';
    CHECK(route_match(TEXT("GET"), (struct text){path, sizeof path}, &id, &why, &allowed) == NULL);
    for (unsigned round = 0; round < 2000; round++) {
        size_t length = round % 300;
        for (size_t i = 0; i < length; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            path[i] = "/0a{i"[seed >> 60 & 3];
        }
        route_match(TEXT("GET"), (struct text){path, length}, &id, &why, &allowed);
        CHECK(why == ERR_NOT_FOUND || why == OK);
    }
}

/* A wrong method is told apart from a wrong path, and the answer says what the path takes. */
static void test_methods(void)
{
    uint64_t id;
    enum err why;
    unsigned allowed;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    static const char *const wrong[] = {"PUT", "get", "OPTIONS", "TRACE", "", "GETT", "GE", "POST "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(match(wrong[i], "/api/v1/domains/5", &id, &why, &allowed) == NULL);
        CHECK(why == ERR_METHOD);
        CHECK(allowed == (1u << METHOD_GET | 1u << METHOD_COUNT | 1u << METHOD_PATCH |
                          1u << METHOD_DELETE));
    }
    CHECK_TEXT(route_allow(allowed, &arena), "GET, HEAD, PATCH, DELETE, OPTIONS");
    CHECK(match("GET", "/api/v1/auth/login", &id, &why, &allowed) == NULL && why == ERR_METHOD);
    CHECK_TEXT(route_allow(allowed, &arena), "POST, OPTIONS");
    CHECK(match("HEAD", "/api/v1/auth/login", &id, &why, &allowed) == NULL && why == ERR_METHOD);
    CHECK_TEXT(route_allow(0, &arena), "OPTIONS");
    arena_free(&arena);
}

/* What the macros of a row put where. */
static void test_rows(void)
{
    uint64_t id;
    enum err why;
    unsigned allowed;
    const struct route *route = match("POST", "/api/v1/domains", &id, &why, &allowed);
    CHECK(route->takes == &domain_type && route->purpose == CREATE && route->turn == domain_create);
    CHECK(route->lane == LANE_TURN && route->read == NULL && route->gives == GIVES_ONE && route->given == &domain_type);
    CHECK(route->status == 201 && route->access == ACCESS_USER && route->scope == SCOPE_ddns);
    route = match("GET", "/nic/update", &id, &why, &allowed);
    CHECK(route->takes == NULL && strcmp(route->query, "hostname,myip,myipv6") == 0);
    CHECK(route->gives == GIVES_OTHER && text_equal(route->content_type, TEXT("text/plain")));
    route = match("GET", "/api/v1/domains", &id, &why, &allowed);
    CHECK(route->gives == GIVES_LIST && route->lane == LANE_READ && route->read == domain_list && route->query == NULL);
    route = match("POST", "/api/v1/auth/logout", &id, &why, &allowed);
    CHECK(route->gives == GIVES_NO_DATA && route->given == NULL);
}

int main(void)
{
    router_start();
    test_every_row();
    test_ids();
    test_long_paths();
    test_methods();
    test_rows();
    return unit_end();
}
