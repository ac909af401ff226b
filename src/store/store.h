/* Where homeport's data rest: ordered keys and values, snapshots for reading, one writer at a time.
 *
 * Two implementations keep this contract: store_lmdb.c (the real one) and store_memory.c (for tests: loses
 * what was not committed, and fails on request).
 *
 *     write:  store_begin ► get, put, remove, seek ... ► store_commit or store_abort
 *     read:   store_snapshot ► get, seek ... ► store_release
 *
 * store_commit returns OK only when the changes are on disk (synced). A write transaction belongs to the
 * thread that began it; other processes on the same folder wait their turn. A snapshot sees one committed
 * state and holds no lock.
 *
 * Spans given out: in a snapshot they point into the memory map and are good until store_release(); in a
 * write transaction they are good until the next change. Keys have 1 to STORE_KEY_BYTES_MAX bytes. */
#ifndef HOMEPORT_STORE_STORE_H
#define HOMEPORT_STORE_STORE_H

#include "core/err.h"
#include "core/text.h"

enum { STORE_KEY_BYTES_MAX = 500 };

struct store;
struct store_txn; /* a write transaction or a snapshot */
struct store_cursor;

struct store_ops {
    enum err (*begin)(struct store *store, struct store_txn **txn);
    enum err (*commit)(struct store_txn *txn);
    void (*abort)(struct store_txn *txn);
    enum err (*snapshot)(struct store *store, struct store_txn **txn);
    void (*release)(struct store_txn *txn);
    uint64_t (*generation)(struct store_txn *txn);
    enum err (*get)(struct store_txn *txn, struct text key, struct text *value);
    enum err (*put)(struct store_txn *txn, struct text key, struct text value);
    enum err (*remove)(struct store_txn *txn, struct text key);
    enum err (*seek)(struct store_txn *txn, struct text key, bool backwards,
                     struct store_cursor **cursor);
    bool (*next)(struct store_cursor *cursor, struct text *key, struct text *value);
    void (*done)(struct store_cursor *cursor);
    void (*close)(struct store *store);
};

struct store { /* the first member of each implementation's own struct */
    const struct store_ops *ops;
};

struct store_txn { /* the same */
    struct store *store;
};

struct store_cursor { /* the same */
    struct store_txn *txn;
};

/* Opens or makes the store in a folder that exists. map_bytes is the most it may grow to; in a 32-bit process
 * that is 1 GiB at most, and less where the address space has no room for it (store_lmdb_usage() tells).
 * ERR_STORE when the folder cannot be used; *why then says so for a person (static text or strerror). */
enum err store_open_lmdb(const char *folder, uint64_t map_bytes, struct store **store,
                         const char **why);
/* Bytes in use and bytes at most, for metrics. */
void store_lmdb_usage(struct store *store, uint64_t *used, uint64_t *most);
/* An empty store in memory. */
struct store *store_open_memory(void);

static inline enum err store_begin(struct store *store, struct store_txn **txn)
{
    return store->ops->begin(store, txn);
}

/* OK: durable. ERR_STORE_FULL or ERR_STORE: nothing of the transaction stays. Ends txn either way. */
static inline enum err store_commit(struct store_txn *txn)
{
    return txn->store->ops->commit(txn);
}

static inline void store_abort(struct store_txn *txn)
{
    txn->store->ops->abort(txn);
}

/* At most one snapshot per thread at a time is cheap: it is kept and renewed. */
static inline enum err store_snapshot(struct store *store, struct store_txn **txn)
{
    return store->ops->snapshot(store, txn);
}

static inline void store_release(struct store_txn *txn)
{
    txn->store->ops->release(txn);
}

/* Grows with every commit of any process: equal generations see equal data. */
static inline uint64_t store_generation(struct store_txn *txn)
{
    return txn->store->ops->generation(txn);
}

/* ERR_NOT_FOUND when the key has no value. */
static inline enum err store_get(struct store_txn *txn, struct text key, struct text *value)
{
    return txn->store->ops->get(txn, key, value);
}

static inline enum err store_put(struct store_txn *txn, struct text key, struct text value)
{
    return txn->store->ops->put(txn, key, value);
}

/* OK also when there was nothing. */
static inline enum err store_remove(struct store_txn *txn, struct text key)
{
    return txn->store->ops->remove(txn, key);
}

/* A walk from the first key not below `key` upwards, or from the last key not above it downwards. Changes
 * to the transaction end the walk: collect first, then change. store_done() ends it. */
static inline enum err store_seek(struct store_txn *txn, struct text key, bool backwards,
                                  struct store_cursor **cursor)
{
    return txn->store->ops->seek(txn, key, backwards, cursor);
}

static inline bool store_next(struct store_cursor *cursor, struct text *key, struct text *value)
{
    return cursor->txn->store->ops->next(cursor, key, value);
}

static inline void store_done(struct store_cursor *cursor)
{
    cursor->txn->store->ops->done(cursor);
}

static inline void store_close(struct store *store)
{
    store->ops->close(store);
}

#endif
