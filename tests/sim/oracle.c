/* The oracle's look at the store alone: ids, the audit log, indexes and counts. See promises.c for the rest. */
#include "oracle.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/apply.h"
#include "core/reader.h"
#include "ddns/ddns.h"

enum { ORACLE_ARENA_BYTES = 16 << 20 };

/* Whether a key is a record's. */
static bool is_record(struct text key)
{
    return (uint8_t)key.data[0] < SPACE_INDEX && key.bytes == 9;
}

/* ---- ids ------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ids of all records of all tables; audit entries have numbers instead. */
static size_t read_ids(const struct world *world, uint64_t **ids)
{
    struct store_txn *txn;
    struct store_cursor *cursor;
    struct text key, value;
    size_t count = 0, room = 0;
    enum err e = store_snapshot(world->store, &txn);
    if (e == OK) e = store_seek(txn, TEXT("\1"), false, &cursor);
    assert(e == OK);
    *ids = NULL;
    while (store_next(cursor, &key, &value) && (uint8_t)key.data[0] < SPACE_INDEX) {
        if (!is_record(key) || (uint8_t)key.data[0] == audit_entry_type.table) continue;
        if (count == room) {
            room = room == 0 ? 256 : room * 2;
            *ids = realloc(*ids, room * sizeof **ids);
            assert(*ids != NULL);
        }
        (*ids)[count++] = key_last_u64(key);
    }
    store_done(cursor);
    store_release(txn);
    qsort(*ids, count, sizeof **ids, by_number);
    return count;
}

/* An id that was not there before must be greater than every id that ever was. */
void oracle_ids(struct world *world)
{
    uint64_t *ids, most = world->id_most;
    size_t count = read_ids(world, &ids);
    for (size_t i = 0, before = 0; i < count; i++) {
        while (before < world->id_count && world->ids[before] < ids[i]) before++;
        bool was_there = before < world->id_count && world->ids[before] == ids[i];
        if (!was_there && ids[i] <= world->id_most) {
            world_break(world, "(c) id %llu came after %llu", (unsigned long long)ids[i],
                        (unsigned long long)world->id_most);
        }
        if (i > 0 && ids[i] == ids[i - 1]) world_break(world, "(c) id %llu was given twice", (unsigned long long)ids[i]);
        if (ids[i] > most) most = ids[i];
    }
    free(world->ids);
    world->ids = ids;
    world->id_count = count;
    world->id_most = most;
}

/* ---- the audit log -------------------------------------------------------------------------------- */

static void check_audit(struct world *world, struct store_txn *txn, struct arena *arena)
{
    struct audit_head head;
    struct audit_entry entry;
    struct walk walk;
    struct reader reader = {.txn = txn};
    uint64_t id, number = 0;
    uint8_t hash[AUDIT_HASH_BYTES] = {0};
    char hex[AUDIT_HASH_BYTES * 2 + 1];
    walk_begin_all(&walk, &reader, &audit_entry_type, 0, false);
    while (walk_next(&walk, &id)) {
        if (id != ++number) world_break(world, "(d) entry %llu follows %llu", (unsigned long long)id,
                                        (unsigned long long)number - 1);
        if (audit_entry_get(&reader, id, &entry) != OK || !audit_hash(&entry, hash, hash, arena)) {
            world_break(world, "(d) entry %llu cannot be read", (unsigned long long)id);
            break;
        }
        sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
        if (!text_equal(entry.hash, text_of(hex))) world_break(world, "(d) entry %llu is not chained", (unsigned long long)id);
        arena_reset(arena);
    }
    walk_end(&walk);
    if (audit_head_read(txn, &head) != OK || head.number != number || memcmp(head.hash, hash, sizeof hash) != 0) {
        world_break(world, "(d) the head stands at %llu, the log at %llu", (unsigned long long)head.number,
                    (unsigned long long)number);
    }
}

/* ---- indexes and counts --------------------------------------------------------------------------- */

static void count_up(struct store_txn *txn, const struct key *key)
{
    struct text value;
    struct key number = {.count = 0};
    uint64_t count = store_get(txn, key_text(key), &value) == OK ? key_last_u64(value) : 0;
    key_add_u64(&number, count + 1);
    store_put(txn, key_text(key), key_text(&number));
}

/* What the record's place in the indexes ought to be, written into a store of its own. */
static void place(struct store_txn *wanted, const struct record_type *type, uint64_t id, const void *record)
{
    const struct record_index *index;
    struct key key, number = {.count = 0}, table = key_of_table_count(type);
    if (type == &audit_entry_type) return; /* numbered without gaps: its newest number is its count */
    key_add_u64(&number, id);
    count_up(wanted, &table);
    for (unsigned i = 0; (index = record_index_at(type, i)) != NULL; i++) {
        if (!key_of_index(index, record, &key)) continue;
        struct key entry = key;
        if (index->kind != INDEX_UNIQUE) key_add_u64(&entry, id);
        store_put(wanted, key_text(&entry), index->kind == INDEX_UNIQUE ? key_text(&number) : TEXT_NONE);
        key.bytes[0] = SPACE_COUNT;
        if (index->kind == INDEX_COUNTED) count_up(wanted, &key);
    }
}

/* Both walks must give the same keys and values, from the first index entry to the last count. */
static void compare(struct world *world, struct store_txn *is, struct store_txn *wanted)
{
    static const char first[] = {(char)SPACE_INDEX, 0};
    struct store_cursor *a, *b;
    struct text key[2] = {TEXT_NONE, TEXT_NONE}, value[2] = {TEXT_NONE, TEXT_NONE};
    enum err e = store_seek(is, text_of(first), false, &a);
    if (e == OK) e = store_seek(wanted, text_of(first), false, &b);
    assert(e == OK);
    for (;;) {
        bool has_a = store_next(a, &key[0], &value[0]) && (uint8_t)key[0].data[0] < SPACE_META;
        bool has_b = store_next(b, &key[1], &value[1]);
        if (!has_a && !has_b) break;
        if (has_a && has_b && text_equal(key[0], key[1]) && text_equal(value[0], value[1])) continue;
        const struct text *one = has_a ? &key[0] : &key[1];
        world_break(world, "(e) %s number %u is not what the records say (%s)",
                    (uint8_t)one->data[0] == SPACE_INDEX ? "index" : "count", (uint8_t)one->data[1],
                    !has_a ? "missing" : !has_b ? "too many" : "another");
        break;
    }
    store_done(a);
    store_done(b);
}

static void check_indexes(struct world *world, struct store_txn *txn, struct arena *arena)
{
    struct store *scratch = store_open_memory();
    struct store_txn *wanted;
    struct store_cursor *cursor;
    struct text key, value;
    enum err e = store_begin(scratch, &wanted);
    if (e == OK) e = store_seek(txn, TEXT("\1"), false, &cursor);
    assert(e == OK);
    while (store_next(cursor, &key, &value) && (uint8_t)key.data[0] < SPACE_INDEX) {
        const struct record_type *type = record_type_of_table((uint8_t)key.data[0]);
        void *record = type == NULL ? NULL : arena_alloc(arena, type->bytes);
        if (record == NULL || !is_record(key) || record_decode(type, value, record) != OK ||
            record_id(type, record) != key_last_u64(key)) {
            world_break(world, "(e) a record of table %u cannot be read", (uint8_t)key.data[0]);
            continue;
        }
        place(wanted, type, key_last_u64(key), record);
    }
    store_done(cursor);
    compare(world, txn, wanted);
    store_abort(wanted);
    store_close(scratch);
}

void oracle_store(struct world *world)
{
    struct store_txn *txn;
    struct arena arena;
    enum err e = store_snapshot(world->store, &txn);
    assert(e == OK);
    arena_init(&arena, ORACLE_ARENA_BYTES);
    check_audit(world, txn, &arena);
    check_indexes(world, txn, &arena);
    arena_free(&arena);
    store_release(txn);
}

/* ---- the store as a whole ------------------------------------------------------------------------- */

void oracle_hash(const struct world *world, uint8_t hash[ORACLE_HASH_BYTES])
{
    struct store_txn *txn;
    struct store_cursor *cursor;
    struct text key, value;
    crypto_generichash_state state;
    enum err e = store_snapshot(world->store, &txn);
    if (e == OK) e = store_seek(txn, TEXT("\1"), false, &cursor);
    assert(e == OK);
    crypto_generichash_init(&state, NULL, 0, ORACLE_HASH_BYTES);
    while (store_next(cursor, &key, &value)) {
        uint64_t sizes[] = {key.bytes, value.bytes};
        crypto_generichash_update(&state, (const unsigned char *)sizes, sizeof sizes);
        crypto_generichash_update(&state, (const unsigned char *)key.data, key.bytes);
        crypto_generichash_update(&state, (const unsigned char *)value.data, value.bytes);
    }
    crypto_generichash_final(&state, hash, ORACLE_HASH_BYTES);
    store_done(cursor);
    store_release(txn);
}

unsigned oracle_open_tasks(const struct world *world)
{
    struct store_txn *txn;
    struct walk walk;
    struct task task;
    uint64_t id;
    unsigned count = 0;
    enum err e = store_snapshot(world->store, &txn);
    assert(e == OK);
    struct reader reader = {.txn = txn};
    walk_begin_all(&walk, &reader, &task_type, 0, false);
    while (walk_next(&walk, &id)) {
        bool is_read = task_get(&reader, id, &task) == OK;
        bool is_for_ever = task.kind == task_kind_sweep || task.kind == task_kind_dns_check ||
                           task.kind == task_kind_key_rotate;
        count += is_read && task_is_open(&task) && !is_for_ever;
    }
    walk_end(&walk);
    store_release(txn);
    return count;
}
