/* account/user_search.c: many accounts whose addresses begin like their names, and what a page then costs. */
#include "unit.h"

#include "account/user_search.h"
#include "core/actor.h"
#include "core/router.h"
#include "core/turn.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { A_STEP = 500 };
static unsigned users = 3000; /* HOMEPORT_USERS for another number */
static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox outbox;
static struct arena arena;
static struct reply reply;
static uint64_t now_ms = 1772352551000;
static char folder[] = "/tmp/homeport-search-XXXXXX";

static enum err add_some(struct step *s, void *context)
{
    unsigned *made = context;
    for (unsigned i = 0; i < A_STEP && *made < users; i++, (*made)++) {
        struct user user = {.id = step_id(s), .role = role_user, .is_active = true};
        user.username = arena_print(s->arena, "Same%06u", *made);
        user.email = arena_print(s->arena, "same%06u@example.test", *made);
        if (*made % 1000 == 999) user.username = arena_print(s->arena, "other%06u", *made);
        user_put(s, &user);
    }
    return OK;
}

static struct text find(struct store_txn *txn, const char *query, uint64_t after, unsigned limit)
{
    struct view view = {.read = {.txn = txn}, .arena = &arena, .now_ms = now_ms, .config = &config};
    struct call call = {.route = route_named(TEXT("user_list")), .query = text_of(query), .page = {limit, after}};
    arena_reset(&arena);
    reply_start(&reply, call.route);
    CHECK(user_list(&view, &call, &reply) == OK);
    return json_text(&reply.body);
}

static struct text behind(struct text body, const char *key)
{
    const char *at = memmem(body.data, body.bytes, key, strlen(key));
    if (at == NULL) return TEXT_NONE;
    at += strlen(key);
    return (struct text){at, (size_t)(body.data + body.bytes - at)};
}

/* Along all pages everybody is shown once; a page ends early rather than look for long. */
static void test_pages(struct store_txn *txn)
{
    uint64_t after = 0;
    unsigned shown = 0, pages = 0, empty = 0;
    double slowest_ms = 0;
    do {
        struct timespec from, to;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        struct text body = find(txn, "q=same", after, 100), rest = body;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        if (ms > slowest_ms) slowest_ms = ms;
        unsigned here = 0;
        while ((rest = behind(rest, "\"username\":")).data != NULL) here++;
        shown += here;
        empty += here == 0;
        CHECK(behind(body, "\"total\":1000").data != NULL);
        struct text cursor = behind(body, "\"next_cursor\":\"");
        after = 0;
        if (cursor.data != NULL) CHECK(cursor_read(text_cut(&cursor, '"'), &after) == OK);
    } while (after != 0 && ++pages < users);
    printf("%u of %u in %u pages, %u empty; slowest %.2f ms\n", shown, users, pages, empty, slowest_ms);
    CHECK(shown == users);
    CHECK(pages < users / 50);
    CHECK(slowest_ms < 100);
}

int main(void)
{
    const char *why = "";
    static const uint8_t root[32] = {7};
    char file[64];
    unsigned made = 0;
    struct store_txn *txn;
    if (sodium_init() < 0 || mkdtemp(folder) == NULL) return EXIT_FAILURE;
    if (getenv("HOMEPORT_USERS") != NULL) users = (unsigned)atoi(getenv("HOMEPORT_USERS"));
    records_start();
    config_init(&config);
    secrets_derive(&secrets, root);
    mailbox_init(&outbox, 1 << 20);
    arena_init(&arena, 4 << 20);
    json_init(&reply.body, 4 << 20);
    if (store_open_lmdb(folder, (uint64_t)4 << 30, &store, &why) != OK) {
        printf("no store: %s\n", why);
        return EXIT_FAILURE;
    }
    core = core_open(store, &config, &secrets);
    while (made < users) {
        enum err decided;
        struct turn_input input = {.now_ms = now_ms++};
        mailbox_reset(&outbox);
        turn_decide(core, &input, &outbox, add_some, &made, &decided);
        CHECK(decided == OK);
    }
    CHECK(store_snapshot(store, &txn) == OK);
    test_pages(txn);
    struct text few = find(txn, "q=SAME0000", 0, 100);
    CHECK(behind(few, "\"total\":100}").data != NULL && behind(few, "\"next_cursor\":null").data != NULL);
    CHECK(behind(find(txn, "q=other", 0, 100), arena_print(&arena, "\"total\":%u}", users / 1000).data).data != NULL);
    store_release(txn);
    core_close(core);
    store_close(store);
    mailbox_free(&outbox);
    config_free(&config);
    arena_free(&arena);
    json_free(&reply.body);
    snprintf(file, sizeof file, "%s/data.mdb", folder);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", folder);
    unlink(file);
    rmdir(folder);
    return unit_end();
}
