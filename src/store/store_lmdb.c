/* The store on LMDB: one file, one B+tree, read through a memory map.
 *
 * All keys live in LMDB's unnamed database: the table is the key's first byte, so that a transaction that
 * touches ten tables still opens one tree. Commits are LMDB's own: pages, fdatasync, then the meta page
 * through a descriptor opened with O_DSYNC; a power cut leaves the last whole commit. MDB_NOTLS lets one
 * reader slot be kept and renewed by the loop; MDB_NORDAHEAD keeps a big store from filling a small NAS's
 * memory with pages nobody asked for. */
#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store.h"

enum {
    IS_NARROW = sizeof(void *) == 4, /* 32-bit */
    NARROW_MAP_BYTES_MAX = 1 << 30,
    NARROW_MAP_BYTES_MIN = 64 << 20,
};

struct lmdb_txn {
    struct store_txn base;
    MDB_txn *txn;
    bool is_open;
};

struct lmdb_store {
    struct store base;
    MDB_env *env;
    MDB_dbi dbi;
    struct lmdb_txn write, read; /* one of each at a time */
};

struct lmdb_cursor {
    struct store_cursor base;
    MDB_cursor *cursor;
    bool is_backwards, is_placed;
    struct text first; /* where to begin; the bytes are in room */
    char room[STORE_KEY_BYTES_MAX];
};

static const struct store_ops lmdb_ops;

static struct lmdb_store *store_of(struct store_txn *txn)
{
    return (struct lmdb_store *)txn->store;
}

static MDB_txn *handle_of(struct store_txn *txn)
{
    return ((struct lmdb_txn *)txn)->txn;
}

static MDB_val val_of(struct text t)
{
    return (MDB_val){t.bytes, (void *)(uintptr_t)t.data};
}

static struct text text_of_val(MDB_val val)
{
    return (struct text){val.mv_data, val.mv_size};
}

static enum err err_of(int code)
{
    if (code == MDB_SUCCESS) return OK;
    if (code == MDB_NOTFOUND) return ERR_NOT_FOUND;
    if (code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT) return ERR_STORE_FULL;
    if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND) return ERR_STORE_CORRUPT;
    return ERR_STORE;
}

/* The order of memcmp(), as without it: the file is the same. LMDB calls memcmp(), which in the static build goes
 * byte by byte; this takes eight bytes at a step. */
static int key_compare(const MDB_val *a, const MDB_val *b)
{
    const char *left = a->mv_data, *right = b->mv_data;
    size_t bytes = a->mv_size < b->mv_size ? a->mv_size : b->mv_size, i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t l = big_endian_u64(left + i), r = big_endian_u64(right + i);
        if (l != r) return l < r ? -1 : 1;
    }
    for (; i < bytes; i++) {
        if (left[i] != right[i]) return (uint8_t)left[i] < (uint8_t)right[i] ? -1 : 1;
    }
    return a->mv_size < b->mv_size ? -1 : a->mv_size > b->mv_size;
}

static enum err lmdb_begin(struct store *base, struct store_txn **txn)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    assert(!store->write.is_open);
    int code = mdb_txn_begin(store->env, NULL, 0, &store->write.txn);
    if (code == MDB_MAP_RESIZED) { /* another process has opened it with a larger map */
        mdb_env_set_mapsize(store->env, 0);
        code = mdb_txn_begin(store->env, NULL, 0, &store->write.txn);
    }
    if (code != 0) return err_of(code);
    store->write.base.store = base;
    store->write.is_open = true;
    *txn = &store->write.base;
    return OK;
}

static enum err lmdb_commit(struct store_txn *txn)
{
    store_of(txn)->write.is_open = false;
    return err_of(mdb_txn_commit(handle_of(txn)));
}

static void lmdb_abort(struct store_txn *txn)
{
    store_of(txn)->write.is_open = false;
    mdb_txn_abort(handle_of(txn));
}

static enum err lmdb_snapshot(struct store *base, struct store_txn **txn)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    assert(!store->read.is_open);
    int code = store->read.txn == NULL
                   ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->read.txn)
                   : mdb_txn_renew(store->read.txn);
    if (code != 0) return err_of(code);
    store->read.base.store = base;
    store->read.is_open = true;
    *txn = &store->read.base;
    return OK;
}

static void lmdb_release(struct store_txn *txn)
{
    store_of(txn)->read.is_open = false;
    mdb_txn_reset(handle_of(txn));
}

static uint64_t lmdb_generation(struct store_txn *txn)
{
    return mdb_txn_id(handle_of(txn));
}

static enum err lmdb_get(struct store_txn *txn, struct text key, struct text *value)
{
    MDB_val k = val_of(key), v;
    int code = mdb_get(handle_of(txn), store_of(txn)->dbi, &k, &v);
    if (code != 0) return err_of(code);
    *value = text_of_val(v);
    return OK;
}

static enum err lmdb_put(struct store_txn *txn, struct text key, struct text value)
{
    assert(key.bytes > 0 && key.bytes <= STORE_KEY_BYTES_MAX);
    MDB_val k = val_of(key), v = val_of(value);
    return err_of(mdb_put(handle_of(txn), store_of(txn)->dbi, &k, &v, 0));
}

static enum err lmdb_remove(struct store_txn *txn, struct text key)
{
    MDB_val k = val_of(key);
    int code = mdb_del(handle_of(txn), store_of(txn)->dbi, &k, NULL);
    return code == MDB_NOTFOUND ? OK : err_of(code);
}

static enum err lmdb_seek(struct store_txn *txn, struct text key, bool backwards,
                          struct store_cursor **cursor)
{
    assert(key.bytes > 0 && key.bytes <= STORE_KEY_BYTES_MAX);
    struct lmdb_cursor *c = calloc(1, sizeof *c);
    if (c == NULL) return ERR_OVERLOADED;
    int code = mdb_cursor_open(handle_of(txn), store_of(txn)->dbi, &c->cursor);
    if (code != 0) {
        free(c);
        return err_of(code);
    }
    c->base.txn = txn;
    c->is_backwards = backwards;
    memcpy(c->room, key.data, key.bytes);
    c->first = (struct text){c->room, key.bytes};
    *cursor = &c->base;
    return OK;
}

/* The cursor's place for its first step: MDB_SET_RANGE finds the first key not below; going backwards the
 * wanted one is that key if equal, else the one before it. */
static int place(struct lmdb_cursor *c, MDB_val *k, MDB_val *v)
{
    *k = val_of(c->first);
    int code = mdb_cursor_get(c->cursor, k, v, MDB_SET_RANGE);
    if (!c->is_backwards) return code;
    if (code == MDB_NOTFOUND) return mdb_cursor_get(c->cursor, k, v, MDB_LAST);
    if (code != 0 || text_equal(text_of_val(*k), c->first)) return code;
    return mdb_cursor_get(c->cursor, k, v, MDB_PREV);
}

static bool lmdb_next(struct store_cursor *cursor, struct text *key, struct text *value)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)cursor;
    MDB_val k, v;
    int code = c->is_placed
                   ? mdb_cursor_get(c->cursor, &k, &v, c->is_backwards ? MDB_PREV : MDB_NEXT)
                   : place(c, &k, &v);
    c->is_placed = true;
    if (code != 0) return false;
    *key = text_of_val(k);
    *value = text_of_val(v);
    return true;
}

static void lmdb_done(struct store_cursor *cursor)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)cursor;
    mdb_cursor_close(c->cursor);
    free(c);
}

static void lmdb_close(struct store *base)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    assert(!store->write.is_open && !store->read.is_open);
    if (store->read.txn != NULL) mdb_txn_abort(store->read.txn);
    mdb_env_close(store->env);
    free(store);
}

static const struct store_ops lmdb_ops = {
    .begin = lmdb_begin,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .snapshot = lmdb_snapshot,
    .release = lmdb_release,
    .generation = lmdb_generation,
    .get = lmdb_get,
    .put = lmdb_put,
    .remove = lmdb_remove,
    .seek = lmdb_seek,
    .next = lmdb_next,
    .done = lmdb_done,
    .close = lmdb_close,
};

static int open_env(struct lmdb_store *store, const char *folder, size_t map_bytes)
{
    MDB_txn *txn;
    int code = mdb_env_create(&store->env);
    if (code != 0) return code;
    code = mdb_env_set_mapsize(store->env, map_bytes);
    if (code == 0) code = mdb_env_open(store->env, folder, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (code == 0) code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) return code;
    code = mdb_dbi_open(txn, NULL, 0, &store->dbi);
    if (code == 0) code = mdb_set_compare(txn, store->dbi, key_compare);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* A 32-bit process has 2 or 3 GiB of addresses. The map gets one of them at most; where that is not to be had in one
 * piece, half of it, and so on: a house's records take a few MiB. */
static int open_env_that_fits(struct lmdb_store *store, const char *folder, uint64_t map_bytes)
{
    if (IS_NARROW && map_bytes > NARROW_MAP_BYTES_MAX) map_bytes = NARROW_MAP_BYTES_MAX;
    int code = open_env(store, folder, (size_t)map_bytes);
    while (IS_NARROW && code == ENOMEM && map_bytes / 2 >= NARROW_MAP_BYTES_MIN) {
        map_bytes /= 2;
        if (store->env != NULL) mdb_env_close(store->env);
        store->env = NULL;
        code = open_env(store, folder, (size_t)map_bytes);
    }
    return code;
}

/* LMDB's file follows the width of the program's words: a page's head has 12 bytes here and 16 there. The first page
 * says LMDB's magic number behind its head. */
static bool is_of_other_width(const char *folder)
{
    enum { HEAD_NARROW = 12, HEAD_WIDE = 16 };
    static const uint32_t magic = 0xBEEFC0DE;
    char path[4096];
    uint32_t words[HEAD_WIDE / 4 + 1] = {0};
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) return false;
    bool is_read = fread(words, sizeof words, 1, file) == 1;
    fclose(file);
    return is_read && words[(IS_NARROW ? HEAD_WIDE : HEAD_NARROW) / 4] == magic;
}

static const char *reason(int code, const char *folder)
{
    if (code == ENOMEM) {
        return "there is not enough address space for its map; set store.map_mib lower, or raise the limit "
               "(ulimit -v, LimitAS=)";
    }
    if (code == ENOSYS)
        return "the kernel, or what emulates it (qemu-user?), has no robust futexes";
    if (code == MDB_INVALID && is_of_other_width(folder)) {
        return IS_NARROW
                   ? "it was written by a 64-bit homeport, which alone can read it; this one is 32-bit"
                   : "it was written by a 32-bit homeport (armv7), which alone can read it; this one is 64-bit";
    }
    return mdb_strerror(code);
}

enum err store_open_lmdb(const char *folder, uint64_t map_bytes, struct store **out,
                         const char **why)
{
    struct lmdb_store *store = calloc(1, sizeof *store);
    if (store == NULL) return ERR_OVERLOADED;
    store->base.ops = &lmdb_ops;
    int code = open_env_that_fits(store, folder, map_bytes);
    if (code == 0) {
        *out = &store->base;
        return OK;
    }
    *why = reason(code, folder);
    if (store->env != NULL) mdb_env_close(store->env);
    free(store);
    return err_of(code);
}

void store_lmdb_usage(struct store *base, uint64_t *used, uint64_t *most)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    *used = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
    *most = info.me_mapsize;
}
