#include "core/apply.h"

#include <assert.h>
#include <sodium.h>

/* ---- indexes -------------------------------------------------------------------------------------- */

static struct text big_endian(uint64_t value, struct key *room)
{
    room->count = 0;
    key_add_u64(room, value);
    return key_text(room);
}

static enum err count_by(struct store_txn *txn, const struct key *key, int by)
{
    struct text value;
    struct key room;
    enum err e = store_get(txn, key_text(key), &value);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    uint64_t count = e == OK ? key_last_u64(value) : 0;
    assert(by > 0 || count > 0);
    count = by > 0 ? count + 1 : count - 1;
    return count == 0 ? store_remove(txn, key_text(key))
                      : store_put(txn, key_text(key), big_endian(count, &room));
}

static enum err table_count_by(struct store_txn *txn, const struct record_type *type, int by)
{
    struct key key = key_of_table_count(type);
    return count_by(txn, &key, by);
}

/* An entry's key is the fields' values and, but for UNIQUE, the id; UNIQUE has the id as value. */
static enum err index_entry(struct store_txn *txn, const struct record_index *index,
                            const struct key *fields, uint64_t id, bool is_put)
{
    struct key key = *fields, room;
    if (index->kind != INDEX_UNIQUE) key_add_u64(&key, id);
    struct text value = index->kind == INDEX_UNIQUE ? big_endian(id, &room) : TEXT_NONE;
    enum err e = is_put ? store_put(txn, key_text(&key), value) : store_remove(txn, key_text(&key));
    if (e != OK || index->kind != INDEX_COUNTED) return e;
    key = *fields;
    key.bytes[0] = SPACE_COUNT;
    return count_by(txn, &key, is_put ? 1 : -1);
}

/* Either record may be NULL: not there before, or not any more. */
static enum err index_move(struct store_txn *txn, const struct record_index *index,
                           const void *before, const void *after, uint64_t id)
{
    struct key from, to;
    enum err e = OK;
    bool was_in = before != NULL && key_of_index(index, before, &from);
    bool is_in = after != NULL && key_of_index(index, after, &to);
    if (was_in && is_in && text_equal(key_text(&from), key_text(&to))) return OK;
    if (was_in) e = index_entry(txn, index, &from, id, false);
    if (e == OK && is_in) e = index_entry(txn, index, &to, id, true);
    return e;
}

enum err apply_check(const struct step *step)
{
    struct key key;
    struct text value;
    const struct record_index *index;
    for (const struct staged *s = step->read.staged; s != NULL; s = s->next) {
        for (unsigned i = 0; s->record != NULL && (index = record_index_at(s->type, i)) != NULL;
             i++) {
            if (index->kind != INDEX_UNIQUE || !key_of_index(index, s->record, &key)) continue;
            enum err e = store_get(step->read.txn, key_text(&key), &value);
            if (e == OK && key_last_u64(value) != s->id) return ERR_TAKEN;
            if (e != OK && e != ERR_NOT_FOUND) return e;
        }
    }
    return OK;
}

/* ---- the audit log -------------------------------------------------------------------------------- */

static bool is_told(const struct field *field)
{
    return field->shown != HIDDEN || field->is_secret;
}

/* Whether anything changed that the log tells of. */
static bool is_worth_telling(const struct record_type *type, const void *before, const void *after)
{
    const struct field *fields = type->fields();
    if (before == NULL || after == NULL) return true;
    for (unsigned i = 0; i < type->field_count; i++) {
        if (is_told(&fields[i]) && !fields[i].is_quiet && !field_equal(&fields[i], before, after))
            return true;
    }
    return false;
}

/* The told fields of one side that differ from the other, as JSON; secrets as "***". */
static struct text changed_fields(const struct record_type *type, const void *side,
                                  const void *other, struct arena *arena)
{
    struct json json;
    const struct field *fields = type->fields();
    if (side == NULL) return TEXT_NONE;
    json_init(&json, 1 << 20);
    json_open(&json, '{');
    for (unsigned i = 0; i < type->field_count; i++) {
        if (!is_told(&fields[i])) continue;
        if (other != NULL ? field_equal(&fields[i], side, other) : field_is_empty(&fields[i], side))
            continue;
        json_key(&json, fields[i].name);
        json_field(&json, &fields[i], side, true);
    }
    json_close(&json, '}');
    struct text result = arena_text(arena, json_text(&json));
    json_free(&json);
    return result;
}

static uint64_t owner_of(const struct record_type *type, const void *record)
{
    if (type == &user_type || type == &points_account_type) return record_id(type, record);
    const struct field *field = record_field(type, TEXT("user_id"));
    return field != NULL ? field_number(field, record) : 0;
}

bool audit_hash(const struct audit_entry *entry, const uint8_t before[AUDIT_HASH_BYTES],
                uint8_t hash[AUDIT_HASH_BYTES], struct arena *arena)
{
    struct audit_entry bare = *entry;
    crypto_generichash_state state;
    bare.hash = TEXT_NONE;
    struct text stored = record_encode(&audit_entry_type, &bare, TEXT_NONE, arena);
    if (stored.bytes == 0) return false;
    crypto_generichash_init(&state, NULL, 0, AUDIT_HASH_BYTES);
    crypto_generichash_update(&state, before, AUDIT_HASH_BYTES);
    crypto_generichash_update(&state, (const unsigned char *)stored.data, stored.bytes);
    crypto_generichash_final(&state, hash, AUDIT_HASH_BYTES);
    return true;
}

static enum err audit(struct step *step, const struct record_type *type, uint64_t id,
                      const void *before, const void *after, struct audit_head *head)
{
    char hex[AUDIT_HASH_BYTES * 2 + 1];
    if (!type->is_audited || !is_worth_telling(type, before, after)) return OK;
    struct audit_entry entry = {
        .id = head->number + 1,
        .at = step->now_ms,
        .user_id = step->caller.user_id,
        .key_id = step->caller.key_id,
        .ip = step->ip,
        .action = before == NULL  ? audit_action_create
                  : after == NULL ? audit_action_remove
                                  : audit_action_update,
        .target = type->name,
        .target_id = id,
        .before = changed_fields(type, before, after, step->arena),
        .after = changed_fields(type, after, before, step->arena),
        .request_id = step->request_id,
        .owner_id = owner_of(type, after != NULL ? after : before),
    };
    if (!audit_hash(&entry, head->hash, head->hash, step->arena)) return ERR_OVERLOADED;
    head->number = entry.id;
    sodium_bin2hex(hex, sizeof hex, head->hash, AUDIT_HASH_BYTES);
    entry.hash = text_of(hex);
    struct key key = key_of_record(&audit_entry_type, entry.id);
    struct text stored = record_encode(&audit_entry_type, &entry, TEXT_NONE, step->arena);
    if (stored.bytes == 0) return ERR_OVERLOADED;
    return store_put(step->read.txn, key_text(&key), stored);
}

enum err audit_head_read(struct store_txn *txn, struct audit_head *head)
{
    struct text value;
    struct key key = key_of_meta("audit_head");
    memset(head, 0, sizeof *head);
    enum err e = store_get(txn, key_text(&key), &value);
    if (e == ERR_NOT_FOUND) return OK;
    if (e != OK) return e;
    if (value.bytes != 8 + AUDIT_HASH_BYTES) return ERR_STORE_CORRUPT;
    head->number = key_last_u64((struct text){value.data, 8});
    memcpy(head->hash, value.data + 8, AUDIT_HASH_BYTES);
    return OK;
}

enum err audit_head_write(struct store_txn *txn, const struct audit_head *head)
{
    struct key key = key_of_meta("audit_head"), value;
    value.count = 0;
    key_add_u64(&value, head->number);
    memcpy(value.bytes + value.count, head->hash, AUDIT_HASH_BYTES);
    value.count += AUDIT_HASH_BYTES;
    return store_put(txn, key_text(&key), key_text(&value));
}

/* ---- one record ----------------------------------------------------------------------------------- */

static enum err write_record(struct store_txn *txn, const struct staged *s, struct text stored,
                             bool was_there)
{
    struct key key = key_of_record(s->type, s->id);
    enum err e = s->record == NULL ? store_remove(txn, key_text(&key))
                                   : store_put(txn, key_text(&key), stored);
    if (e != OK || was_there == (s->record != NULL)) return e;
    return table_count_by(txn, s->type, was_there ? -1 : 1);
}

static enum err apply_one(struct step *step, const struct staged *s, struct audit_head *head)
{
    struct store_txn *txn = step->read.txn;
    struct text old = TEXT_NONE;
    struct key key = key_of_record(s->type, s->id);
    const struct record_index *index;
    enum err e = store_get(txn, key_text(&key), &old);
    bool was_there = e == OK;
    if (e != OK && e != ERR_NOT_FOUND) return e;
    if (!was_there && s->record == NULL) return OK;
    void *before = arena_alloc(step->arena, s->type->bytes);
    old = arena_text(step->arena, old); /* the span dies with the first change */
    if (before == NULL || arena_overflowed(step->arena)) return ERR_OVERLOADED;
    e = record_decode(s->type, old, before);
    if (e != OK) return e;
    struct text stored =
        s->record == NULL ? TEXT_NONE : record_encode(s->type, s->record, old, step->arena);
    if (arena_overflowed(step->arena)) return ERR_OVERLOADED;
    if (was_there && s->record != NULL && text_equal(old, stored)) return OK;
    e = write_record(txn, s, stored, was_there);
    for (unsigned i = 0; e == OK && (index = record_index_at(s->type, i)) != NULL; i++) {
        e = index_move(txn, index, was_there ? before : NULL, s->record, s->id);
    }
    return e != OK ? e : audit(step, s->type, s->id, was_there ? before : NULL, s->record, head);
}

enum err apply_staged(struct step *step, struct audit_head *head)
{
    const struct staged *order = NULL;
    /* The list has the newest first; turn it round in copies, as readers of the step still hold the list. */
    for (const struct staged *s = step->read.staged; s != NULL; s = s->next) {
        struct staged *copy = arena_new(step->arena, struct staged);
        if (copy == NULL) return ERR_OVERLOADED;
        *copy = *s;
        copy->next = (struct staged *)(uintptr_t)order;
        order = copy;
    }
    for (const struct staged *s = order; s != NULL; s = s->next) {
        enum err e = apply_one(step, s, head);
        if (e != OK) return e;
    }
    return OK;
}
