/* The store in memory: a version is a sorted list of entries that never change. A write transaction works on
 * a copy of the newest list; commit puts it in the newest one's place, and snapshots hold on to theirs. */
#include "store/store_memory.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    unsigned holders; /* versions it is in */
    size_t key_bytes, value_bytes;
    char data[]; /* key, then value */
};

struct version {
    unsigned holders; /* the store, while it is the newest, and each snapshot or transaction */
    uint64_t generation;
    size_t count, room;
    struct entry **entries; /* by key */
};

struct memory_txn {
    struct store_txn base;
    struct version *version;
    uint64_t change_count; /* ends walks */
    bool is_write;
};

struct fault {
    unsigned left; /* 0: none is wanted */
    enum err e;
};

struct memory_store {
    struct store base;
    struct version *newest;
    struct fault commit_fault, put_fault;
    unsigned open_count;
    bool is_writing;
};

struct memory_cursor {
    struct store_cursor base;
    uint64_t change_count;
    size_t next; /* index; going backwards one more than it */
    bool is_backwards;
};

static struct memory_store *store_of(struct store_txn *txn)
{
    return (struct memory_store *)txn->store;
}

static struct version *version_of(struct store_txn *txn)
{
    return ((struct memory_txn *)txn)->version;
}

/* ---- entries and versions ------------------------------------------------------------------------- */

static struct text key_of(const struct entry *entry)
{
    return (struct text){entry->data, entry->key_bytes};
}

static struct text value_of(const struct entry *entry)
{
    return (struct text){entry->data + entry->key_bytes, entry->value_bytes};
}

static struct entry *entry_new(struct text key, struct text value)
{
    struct entry *entry = malloc(sizeof *entry + key.bytes + value.bytes);
    if (entry == NULL) return NULL;
    *entry = (struct entry){1, key.bytes, value.bytes};
    memcpy(entry->data, key.data, key.bytes);
    if (value.bytes > 0) memcpy(entry->data + key.bytes, value.data, value.bytes);
    return entry;
}

static void entry_drop(struct entry *entry)
{
    assert(entry->holders > 0);
    if (--entry->holders == 0) free(entry);
}

/* Byte order; of two keys of which one begins the other, the shorter comes first. */
static int compare(struct text a, struct text b)
{
    int order = memcmp(a.data, b.data, a.bytes < b.bytes ? a.bytes : b.bytes);
    if (order != 0) return order;
    return a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

/* Index of the first entry whose key is not below. */
static size_t find(const struct version *version, struct text key, bool *is_there)
{
    size_t low = 0, high = version->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(key_of(version->entries[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *is_there = low < version->count && compare(key_of(version->entries[low]), key) == 0;
    return low;
}

static struct version *version_copy(const struct version *from)
{
    struct version *version = calloc(1, sizeof *version);
    if (version == NULL) return NULL;
    version->holders = 1;
    version->generation = from->generation + 1;
    version->count = from->count;
    version->room = from->count + 64;
    version->entries = calloc(version->room, sizeof *version->entries);
    if (version->entries == NULL) {
        free(version);
        return NULL;
    }
    if (from->count > 0)
        memcpy(version->entries, from->entries, from->count * sizeof *from->entries);
    for (size_t i = 0; i < version->count; i++) version->entries[i]->holders++;
    return version;
}

static void version_drop(struct version *version)
{
    assert(version->holders > 0);
    if (--version->holders > 0) return;
    for (size_t i = 0; i < version->count; i++) entry_drop(version->entries[i]);
    free(version->entries);
    free(version);
}

static bool is_hit(struct fault *fault)
{
    if (fault->left == 0) return false;
    return --fault->left == 0;
}

/* ---- transactions --------------------------------------------------------------------------------- */

static enum err open_txn(struct memory_store *store, struct version *version, bool is_write,
                         struct store_txn **out)
{
    struct memory_txn *txn = calloc(1, sizeof *txn);
    if (txn == NULL || version == NULL) {
        free(txn);
        if (version != NULL) version_drop(version);
        return ERR_OVERLOADED;
    }
    txn->base.store = &store->base;
    txn->version = version;
    txn->is_write = is_write;
    store->open_count++;
    if (is_write) store->is_writing = true;
    *out = &txn->base;
    return OK;
}

static void close_txn(struct memory_txn *txn)
{
    struct memory_store *store = store_of(&txn->base);
    if (txn->is_write) store->is_writing = false;
    store->open_count--;
    free(txn);
}

static enum err memory_begin(struct store *base, struct store_txn **txn)
{
    struct memory_store *store = (struct memory_store *)base;
    assert(!store->is_writing);
    return open_txn(store, version_copy(store->newest), true, txn);
}

static void memory_abort(struct store_txn *txn)
{
    assert(((struct memory_txn *)txn)->is_write);
    version_drop(version_of(txn));
    close_txn((struct memory_txn *)txn);
}

static enum err memory_commit(struct store_txn *txn)
{
    struct memory_store *store = store_of(txn);
    if (is_hit(&store->commit_fault)) {
        memory_abort(txn);
        return store->commit_fault.e;
    }
    version_drop(store->newest);
    store->newest = version_of(txn);
    close_txn((struct memory_txn *)txn);
    return OK;
}

static enum err memory_snapshot(struct store *base, struct store_txn **txn)
{
    struct memory_store *store = (struct memory_store *)base;
    store->newest->holders++;
    return open_txn(store, store->newest, false, txn);
}

static void memory_release(struct store_txn *txn)
{
    assert(!((struct memory_txn *)txn)->is_write);
    version_drop(version_of(txn));
    close_txn((struct memory_txn *)txn);
}

static uint64_t memory_generation(struct store_txn *txn)
{
    return version_of(txn)->generation;
}

/* ---- keys and values ------------------------------------------------------------------------------ */

static enum err memory_get(struct store_txn *txn, struct text key, struct text *value)
{
    bool is_there;
    const struct version *version = version_of(txn);
    size_t index = find(version, key, &is_there);
    if (!is_there) return ERR_NOT_FOUND;
    *value = value_of(version->entries[index]);
    return OK;
}

/* A place for one entry more at the index; false when memory is short. */
static bool make_place(struct version *version, size_t index)
{
    if (version->count == version->room) {
        struct entry **more = realloc(version->entries, 2 * version->room * sizeof *more);
        if (more == NULL) return false;
        version->entries = more;
        version->room *= 2;
    }
    struct entry **place = version->entries + index;
    memmove(place + 1, place, (version->count - index) * sizeof *place);
    version->count++;
    return true;
}

static enum err memory_put(struct store_txn *txn, struct text key, struct text value)
{
    bool is_there;
    struct memory_store *store = store_of(txn);
    struct version *version = version_of(txn);
    assert(((struct memory_txn *)txn)->is_write);
    assert(key.bytes > 0 && key.bytes <= STORE_KEY_BYTES_MAX);
    if (is_hit(&store->put_fault)) return store->put_fault.e;
    struct entry *entry = entry_new(key, value);
    if (entry == NULL) return ERR_OVERLOADED;
    size_t index = find(version, key, &is_there);
    if (is_there) {
        entry_drop(version->entries[index]);
    } else if (!make_place(version, index)) {
        free(entry);
        return ERR_OVERLOADED;
    }
    version->entries[index] = entry;
    ((struct memory_txn *)txn)->change_count++;
    return OK;
}

static enum err memory_remove(struct store_txn *txn, struct text key)
{
    bool is_there;
    struct version *version = version_of(txn);
    assert(((struct memory_txn *)txn)->is_write);
    size_t index = find(version, key, &is_there);
    if (!is_there) return OK;
    entry_drop(version->entries[index]);
    struct entry **place = version->entries + index;
    version->count--;
    memmove(place, place + 1, (version->count - index) * sizeof *place);
    ((struct memory_txn *)txn)->change_count++;
    return OK;
}

/* ---- walks ---------------------------------------------------------------------------------------- */

static enum err memory_seek(struct store_txn *txn, struct text key, bool backwards,
                            struct store_cursor **cursor)
{
    bool is_there;
    assert(key.bytes > 0 && key.bytes <= STORE_KEY_BYTES_MAX);
    struct memory_cursor *c = calloc(1, sizeof *c);
    if (c == NULL) return ERR_OVERLOADED;
    c->base.txn = txn;
    c->is_backwards = backwards;
    c->change_count = ((struct memory_txn *)txn)->change_count;
    c->next = find(version_of(txn), key, &is_there);
    if (backwards && is_there) c->next++;
    *cursor = &c->base;
    return OK;
}

static bool memory_next(struct store_cursor *cursor, struct text *key, struct text *value)
{
    struct memory_cursor *c = (struct memory_cursor *)cursor;
    const struct version *version = version_of(cursor->txn);
    assert(c->change_count ==
           ((struct memory_txn *)cursor->txn)->change_count); /* a change has ended the walk */
    if (c->is_backwards ? c->next == 0 : c->next == version->count) return false;
    const struct entry *entry = version->entries[c->is_backwards ? --c->next : c->next++];
    *key = key_of(entry);
    *value = value_of(entry);
    return true;
}

static void memory_done(struct store_cursor *cursor)
{
    free(cursor);
}

/* ---- the store ------------------------------------------------------------------------------------ */

static void memory_close(struct store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    assert(store->open_count == 0);
    version_drop(store->newest);
    free(store);
}

static const struct store_ops memory_ops = {
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .snapshot = memory_snapshot,
    .release = memory_release,
    .generation = memory_generation,
    .get = memory_get,
    .put = memory_put,
    .remove = memory_remove,
    .seek = memory_seek,
    .next = memory_next,
    .done = memory_done,
    .close = memory_close,
};

struct store *store_open_memory(void)
{
    struct version empty = {.holders = 1};
    struct memory_store *store = calloc(1, sizeof *store);
    if (store == NULL) return NULL;
    store->base.ops = &memory_ops;
    store->newest = version_copy(&empty);
    if (store->newest != NULL) return &store->base;
    free(store);
    return NULL;
}

void store_memory_fail_commit(struct store *base, unsigned nth, enum err e)
{
    ((struct memory_store *)base)->commit_fault = (struct fault){nth, e};
}

void store_memory_fail_put(struct store *base, unsigned nth, enum err e)
{
    ((struct memory_store *)base)->put_fault = (struct fault){nth, e};
}
