#include "core/reader.h"

#include <assert.h>

/* ---- keys ----------------------------------------------------------------------------------------- */

static void key_add_byte(struct key *key, uint8_t byte)
{
    assert(key->count < sizeof key->bytes);
    key->bytes[key->count++] = byte;
}

void key_add_u64(struct key *key, uint64_t value)
{
    for (unsigned shift = 64; shift > 0; shift -= 8)
        key_add_byte(key, (uint8_t)(value >> (shift - 8)));
}

uint64_t key_last_u64(struct text key)
{
    uint64_t value = 0;
    assert(key.bytes >= 8);
    for (size_t i = key.bytes - 8; i < key.bytes; i++) value = value << 8 | (uint8_t)key.data[i];
    return value;
}

static void key_add_folded(struct key *key, struct text value)
{
    size_t bytes = value.bytes < 300 ? value.bytes : 300;
    for (size_t i = 0; i < bytes; i++) key_add_byte(key, (uint8_t)ascii_lower(value.data[i]));
}

/* Folded, closed with a zero byte so that no value is the beginning of another; control bytes do not occur
 * in checked text. Cut at 300 bytes: longer values are told apart by the record itself where it matters. */
static void key_add_text(struct key *key, struct text value)
{
    key_add_folded(key, value);
    key_add_byte(key, 0);
}

struct key key_of_record(const struct record_type *type, uint64_t id)
{
    struct key key;
    key.count = 0;
    key_add_byte(&key, type->table);
    key_add_u64(&key, id);
    return key;
}

struct key key_of_meta(const char *name)
{
    struct key key;
    key.count = 0;
    key_add_byte(&key, SPACE_META);
    key_add_text(&key, text_of(name));
    return key;
}

struct key key_of_table_count(const struct record_type *type)
{
    struct key key;
    key.count = 0;
    key_add_byte(&key, SPACE_COUNT);
    key_add_byte(&key, 0); /* no index has this number */
    key_add_byte(&key, type->table);
    return key;
}

static void key_add_field(struct key *key, const struct field *field, const void *record)
{
    if (field->kind >= KIND_text) {
        key_add_text(key, field_text(field, record));
    } else {
        key_add_u64(key, field_number(field, record));
    }
}

/* With `first_only` the prefix that all records with this first value share. */
static bool index_prefix(const struct record_index *index, const void *record, bool first_only,
                         struct key *key)
{
    key->count = 0;
    if (field_is_empty(index->fields[0], record)) return false;
    key_add_byte(key, SPACE_INDEX);
    key_add_byte(key, index->number);
    key_add_field(key, index->fields[0], record);
    if (index->fields[1] != NULL && !first_only) key_add_field(key, index->fields[1], record);
    return true;
}

bool key_of_index(const struct record_index *index, const void *record, struct key *key)
{
    return index_prefix(index, record, false, key);
}

/* ---- one record ----------------------------------------------------------------------------------- */

enum err record_get(const struct reader *reader, const struct record_type *type, uint64_t id,
                    void *record)
{
    struct text stored;
    for (const struct staged *s = reader->staged; s != NULL; s = s->next) {
        if (s->type != type || s->id != id) continue;
        if (s->record == NULL) return ERR_NOT_FOUND;
        memcpy(record, s->record, type->bytes);
        return OK;
    }
    struct key key = key_of_record(type, id);
    enum err e = store_get(reader->txn, key_text(&key), &stored);
    if (e != OK) return e;
    if (reader->arena != NULL) {
        size_t bytes = stored.bytes;
        stored = arena_text(reader->arena, stored);
        if (stored.bytes != bytes) return ERR_OVERLOADED;
    }
    return record_decode(type, stored, record);
}

enum err record_find(const struct reader *reader, const struct record_index *index,
                     const void *like, void *record)
{
    struct key key;
    struct text value;
    assert(index->kind == INDEX_UNIQUE);
    if (!key_of_index(index, like, &key)) return ERR_NOT_FOUND;
    enum err e = store_get(reader->txn, key_text(&key), &value);
    if (e != OK) return e;
    if (value.bytes != 8) return ERR_STORE_CORRUPT;
    return record_get(reader, index->type, key_last_u64(value), record);
}

static uint64_t counter(const struct reader *reader, const struct key *key)
{
    struct text value;
    enum err e = store_get(reader->txn, key_text(key), &value);
    return e == OK && value.bytes == 8 ? key_last_u64(value) : 0;
}

uint64_t record_count(const struct reader *reader, const struct record_index *index,
                      const void *like)
{
    struct key key;
    assert(index->kind == INDEX_COUNTED);
    if (!key_of_index(index, like, &key)) return 0;
    key.bytes[0] = SPACE_COUNT;
    return counter(reader, &key);
}

uint64_t record_count_all(const struct reader *reader, const struct record_type *type)
{
    struct key key = key_of_table_count(type);
    return counter(reader, &key);
}

/* ---- walks ---------------------------------------------------------------------------------------- */

static void walk_start(struct walk *walk, const struct reader *reader, uint64_t after,
                       bool backwards)
{
    struct key from = walk->prefix;
    walk->after = after;
    walk->order_bytes = 0;
    walk->is_of_texts = false;
    key_add_u64(&from, after != 0 ? after : backwards ? UINT64_MAX : 0);
    if (store_seek(reader->txn, key_text(&from), backwards, &walk->cursor) != OK)
        walk->cursor = NULL;
}

void walk_begin(struct walk *walk, const struct reader *reader, const struct record_index *index,
                const void *like, uint64_t after, bool backwards)
{
    assert(index->kind != INDEX_UNIQUE);
    walk->cursor = NULL;
    if (!key_of_index(index, like, &walk->prefix)) return;
    walk_start(walk, reader, after, backwards);
}

void walk_begin_all(struct walk *walk, const struct reader *reader, const struct record_type *type,
                    uint64_t after, bool backwards)
{
    walk->prefix.count = 0;
    key_add_byte(&walk->prefix, type->table);
    walk_start(walk, reader, after, backwards);
}

void walk_begin_ordered(struct walk *walk, const struct reader *reader,
                        const struct record_index *index, const void *like)
{
    walk->cursor = NULL;
    walk->after = 0;
    walk->order_bytes = 8;
    walk->is_of_texts = false;
    walk->prefix.count = 0;
    key_add_byte(&walk->prefix, SPACE_INDEX);
    key_add_byte(&walk->prefix, index->number);
    if (like != NULL && index->fields[1] != NULL && !index_prefix(index, like, true, &walk->prefix))
        return;
    if (store_seek(reader->txn, key_text(&walk->prefix), false, &walk->cursor) != OK)
        walk->cursor = NULL;
}

void walk_begin_texts(struct walk *walk, const struct reader *reader,
                      const struct record_index *index, struct text prefix, struct text after)
{
    assert(index->kind == INDEX_UNIQUE && index->fields[1] == NULL);
    *walk = (struct walk){.is_of_texts = true};
    key_add_byte(&walk->prefix, SPACE_INDEX);
    key_add_byte(&walk->prefix, index->number);
    struct key from = walk->prefix;
    key_add_folded(&walk->prefix, prefix);
    if (after.bytes == 0) {
        from = walk->prefix;
    } else { /* the text's own key with a byte more: behind it, before all that it begins */
        key_add_text(&from, after);
        key_add_byte(&from, 0);
    }
    if (store_seek(reader->txn, key_text(&from), false, &walk->cursor) != OK) walk->cursor = NULL;
}

/* The next of a walk by texts: the id is the value. */
static bool next_text(struct walk *walk, uint64_t *id)
{
    struct text key, value;
    if (walk->cursor == NULL || !store_next(walk->cursor, &key, &value)) return false;
    if (!text_starts(key, key_text(&walk->prefix)) || value.bytes != 8) return false;
    *id = key_last_u64(value);
    return true;
}

bool walk_next(struct walk *walk, uint64_t *id)
{
    struct text key, value;
    if (walk->is_of_texts) return next_text(walk, id);
    while (walk->cursor != NULL && store_next(walk->cursor, &key, &value)) {
        if (key.bytes != walk->prefix.count + walk->order_bytes + 8) return false;
        if (memcmp(key.data, walk->prefix.bytes, walk->prefix.count) != 0) return false;
        *id = key_last_u64(key);
        if (walk->order_bytes > 0)
            walk->order = key_last_u64((struct text){key.data, key.bytes - 8});
        if (*id == walk->after && walk->after != 0) continue; /* the seek found it itself */
        return true;
    }
    return false;
}

void walk_end(struct walk *walk)
{
    if (walk->cursor != NULL) store_done(walk->cursor);
    walk->cursor = NULL;
}
