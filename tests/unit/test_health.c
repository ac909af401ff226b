/* web/health.c: what is well, what is not, and that a provider that is down fails nothing. */
#include "unit.h"

#include "core/router.h"
#include "core/step.h"
#include "core/turn.h"
#include "store/store_memory.h"
#include "web/metrics.h"

#include <stdlib.h>

static const uint64_t now_ms = 1772352551000;
static struct core_figures figures;
static struct reply reply;

static bool tells(unsigned status, const char *part)
{
    struct store *store = store_open_memory();
    struct store_txn *txn;
    struct key key = key_of_meta("store"); /* its form; written when a data folder is made */
    struct arena arena;
    struct call call = {.route = route_named(TEXT("health"))};
    arena_init(&arena, 1 << 16);
    if (store_begin(store, &txn) != OK || store_put(txn, key_text(&key), TEXT("1")) != OK) abort();
    if (store_commit(txn) != OK || store_snapshot(store, &txn) != OK) abort();
    struct view view = {.read = {.txn = txn}, .arena = &arena, .now_ms = now_ms};
    reply_start(&reply, call.route);
    CHECK(health(&view, &call, &reply) == OK);
    struct text body = json_text(&reply.body);
    bool has = reply.status == status && memmem(body.data, body.bytes, part, strlen(part)) != NULL;
    if (!has) printf("    %u %.*s lacks %u %s\n", reply.status, TEXT_ARGS(body), status, part);
    store_release(txn);
    store_close(store);
    arena_free(&arena);
    return has;
}

int main(void)
{
    struct metrics_sources sources = {.core = &figures};
    json_init(&reply.body, 1 << 16);
    metrics_sources_set(&sources);
    figures = (struct core_figures){.last_commit_ok = true, .last_push_ok = true};
    CHECK(tells(200, "\"scheduler\":{\"status\":\"up\"}"));

    figures.wake_ms = now_ms + 1;
    CHECK(tells(200, "\"scheduler\":{\"status\":\"up\"}"));
    figures.wake_ms = now_ms - 60 * 1000; /* the clock was set, and the loop has not looked again */
    CHECK(tells(200, "\"scheduler\":{\"status\":\"up\"}"));
    figures.wake_ms = now_ms - 120 * 1000;
    CHECK(tells(503, "\"scheduler\":{\"status\":\"down\"}") && tells(503, "\"status\":\"unhealthy\""));
    figures.wake_ms = 0;

    figures.last_push_ok = false;
    CHECK(tells(200, "\"providers\":{\"status\":\"degraded\"}") && tells(200, "\"status\":\"healthy\""));
    figures.last_commit_ok = false;
    CHECK(tells(503, "\"core\":{\"status\":\"down\"}"));
    json_free(&reply.body);
    return unit_end();
}
