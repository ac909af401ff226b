/* One table of promises, held against both stores: what is true of LMDB is true of the store in memory. */
#include "unit.h"

#include "store/store_memory.h"

#include <unistd.h>

static struct store *store;
static bool is_memory;

static void put(struct store_txn *txn, const char *key, const char *value)
{
    CHECK(store_put(txn, text_of(key), text_of(value)) == OK);
}

/* The keys of a walk from `from`, run together; values must be the keys in small letters' place: see fill(). */
static struct text walk(struct store_txn *txn, const char *from, bool backwards)
{
    static char seen[256];
    struct store_cursor *cursor;
    struct text key, value;
    size_t bytes = 0;
    if (!CHECK(store_seek(txn, text_of(from), backwards, &cursor) == OK)) return TEXT_NONE;
    while (bytes < 200 && store_next(cursor, &key, &value)) {
        memcpy(seen + bytes, key.data, key.bytes);
        bytes += key.bytes;
        seen[bytes++] = ' ';
        CHECK(value.bytes == 0 || text_equal(key, value));
    }
    CHECK(!store_next(cursor, &key, &value)); /* the end stays the end */
    store_done(cursor);
    return (struct text){seen, bytes};
}

static void fill(void)
{
    struct store_txn *txn;
    CHECK(store_begin(store, &txn) == OK);
    put(txn, "d", "d");
    put(txn, "b", "b");
    put(txn, "bb", "");
    put(txn, "f", "wrong");
    put(txn, "f", "f");
    CHECK(store_commit(txn) == OK);
}

/* A walk begins at the nearest key in its direction and takes all from there, in byte order. */
static void test_seek(void)
{
    static const struct row {
        const char *from, *up, *down;
    } rows[] = {
        {"a", "b bb d f ", ""},      {"b", "b bb d f ", "b "},     {"ba", "bb d f ", "b "},
        {"bb", "bb d f ", "bb b "},  {"c", "d f ", "bb b "},       {"f", "f ", "f d bb b "},
        {"fa", "", "f d bb b "},     {"\xff", "", "f d bb b "},    {"\x01", "b bb d f ", ""},
    };
    struct store_txn *write, *read;
    CHECK(store_begin(store, &write) == OK);
    CHECK(store_snapshot(store, &read) == OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_TEXT(walk(write, rows[i].from, false), rows[i].up);
        CHECK_TEXT(walk(write, rows[i].from, true), rows[i].down);
        CHECK_TEXT(walk(read, rows[i].from, false), rows[i].up);
        CHECK_TEXT(walk(read, rows[i].from, true), rows[i].down);
    }
    store_release(read);
    store_abort(write);
}

/* An empty value is a value; an absent key is not; removing it is fine; the longest key works. */
static void test_values(void)
{
    struct store_txn *txn;
    struct text value;
    char longest[STORE_KEY_BYTES_MAX];
    struct text key = {longest, sizeof longest};
    memset(longest, 0xfe, sizeof longest);
    CHECK(store_begin(store, &txn) == OK);
    CHECK(store_get(txn, TEXT("bb"), &value) == OK && value.bytes == 0);
    CHECK(store_get(txn, TEXT("x"), &value) == ERR_NOT_FOUND);
    CHECK(store_get(txn, TEXT("bbb"), &value) == ERR_NOT_FOUND);
    CHECK(store_remove(txn, TEXT("x")) == OK);
    CHECK(store_put(txn, key, TEXT("1\0002")) == OK);
    CHECK(store_get(txn, key, &value) == OK && text_equal(value, TEXT("1\0002")));
    CHECK(store_remove(txn, TEXT("d")) == OK && store_get(txn, TEXT("d"), &value) == ERR_NOT_FOUND);
    CHECK(store_remove(txn, key) == OK);
    CHECK_TEXT(walk(txn, "a", false), "b bb f ");
    store_abort(txn);
}

/* What was aborted never was. */
static void test_abort(void)
{
    struct store_txn *txn;
    CHECK(store_begin(store, &txn) == OK);
    put(txn, "a", "a");
    CHECK(store_remove(txn, TEXT("b")) == OK);
    store_abort(txn);
    CHECK(store_begin(store, &txn) == OK);
    CHECK_TEXT(walk(txn, "a", false), "b bb d f ");
    store_abort(txn);
}

/* A snapshot sees one committed state, whatever happens beside it, and says which by its generation. */
static void test_snapshot(void)
{
    struct store_txn *write, *read;
    CHECK(store_begin(store, &write) == OK);
    put(write, "e", "e");
    CHECK(store_remove(write, TEXT("b")) == OK);
    CHECK(store_snapshot(store, &read) == OK);
    uint64_t before = store_generation(read);
    CHECK_TEXT(walk(read, "a", false), "b bb d f ");
    CHECK(store_commit(write) == OK);
    CHECK_TEXT(walk(read, "a", false), "b bb d f ");
    CHECK(store_generation(read) == before);
    store_release(read);

    CHECK(store_snapshot(store, &read) == OK);
    CHECK_TEXT(walk(read, "a", false), "bb d e f ");
    uint64_t after = store_generation(read);
    CHECK(after > before);
    store_release(read);

    CHECK(store_begin(store, &write) == OK);
    put(write, "z", "z");
    store_abort(write);
    CHECK(store_snapshot(store, &read) == OK);
    CHECK(store_generation(read) == after);
    store_release(read);

    CHECK(store_begin(store, &write) == OK); /* as fill() left it */
    put(write, "b", "b");
    CHECK(store_remove(write, TEXT("e")) == OK);
    CHECK(store_commit(write) == OK);
}

/* Many keys in any order come out in byte order. */
static void test_many(void)
{
    struct store_txn *txn;
    struct store_cursor *cursor;
    struct text key, value;
    char name[8];
    unsigned count = 0, next = 0;
    CHECK(store_begin(store, &txn) == OK);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "m%04u", i * 377 % 1000);
        put(txn, name, name);
    }
    CHECK(store_commit(txn) == OK);
    CHECK(store_begin(store, &txn) == OK);
    CHECK(store_seek(txn, TEXT("m"), false, &cursor) == OK);
    while (store_next(cursor, &key, &value)) {
        snprintf(name, sizeof name, "m%04u", next++);
        count += text_equal(key, text_of(name)) && text_equal(key, value);
    }
    store_done(cursor);
    CHECK(count == 1000 && next == 1000);
    store_abort(txn);
}

/* Keys stand in the order of their bytes, a beginning of another before it, wherever they first differ. */
static void test_order(void)
{
    static const char alphabet[] = {0, 1, 0x7f, (char)0x80, (char)0xff};
    struct store_txn *txn;
    struct store_cursor *cursor;
    struct text key, value, last = TEXT_NONE;
    unsigned seed = 7, count = 0, wrong = 0, put_count = 0;
    CHECK(store_begin(store, &txn) == OK);
    for (unsigned i = 0; i < 2000; i++) {
        char bytes[24] = "seven..";
        size_t length = 7 + i % 17;
        for (size_t at = 7; at < length; at++) {
            seed = seed * 1103515245 + 12345;
            bytes[at] = (seed >> 16) % 8 < 5 ? alphabet[(seed >> 16) % 8] : 0x40;
        }
        struct text name = {bytes, length};
        put_count += store_get(txn, name, &value) == ERR_NOT_FOUND;
        CHECK(store_put(txn, name, name) == OK);
        CHECK(store_get(txn, name, &value) == OK && text_equal(name, value));
    }
    CHECK(store_seek(txn, TEXT("seven.."), false, &cursor) == OK);
    while (store_next(cursor, &key, &value)) {
        size_t least = last.bytes < key.bytes ? last.bytes : key.bytes;
        int order = last.data == NULL ? -1 : memcmp(last.data, key.data, least);
        wrong += order > 0 || (order == 0 && last.bytes >= key.bytes);
        last = key;
        count++;
    }
    store_done(cursor);
    CHECK(wrong == 0 && count == put_count && count > 1000);
    store_abort(txn);
}

/* Only the store in memory: the nth commit or put fails as asked, once, and keeps nothing. */
static void test_faults(void)
{
    struct store_txn *txn;
    struct text value;
    store_memory_fail_commit(store, 2, ERR_STORE_FULL);
    for (unsigned i = 1; i <= 3; i++) {
        char name[] = {'y', (char)('0' + i), '\0'};
        CHECK(store_begin(store, &txn) == OK);
        put(txn, name, name);
        CHECK(store_commit(txn) == (i == 2 ? ERR_STORE_FULL : OK));
    }
    store_memory_fail_put(store, 1, ERR_STORE);
    CHECK(store_begin(store, &txn) == OK);
    CHECK(store_get(txn, TEXT("y1"), &value) == OK && store_get(txn, TEXT("y3"), &value) == OK);
    CHECK(store_get(txn, TEXT("y2"), &value) == ERR_NOT_FOUND);
    CHECK(store_put(txn, TEXT("y4"), TEXT("y4")) == ERR_STORE);
    CHECK(store_put(txn, TEXT("y4"), TEXT("y4")) == OK);
    store_abort(txn);
}

static void test_all(void)
{
    fill();
    test_seek();
    test_values();
    test_abort();
    test_snapshot();
    test_many();
    test_order();
    if (is_memory) test_faults();
    store_close(store);
}

/* No 64-bit machine maps 16 PiB; a 32-bit one is content with what it can have. */
static void test_map_too_large(const char *folder)
{
    const char *why = "";
    uint64_t used, most;
    enum err e = store_open_lmdb(folder, (uint64_t)1 << 54, &store, &why);
    if (sizeof(void *) == 8) {
        CHECK(e == ERR_STORE && strstr(why, "store.map_mib") != NULL);
    } else if (CHECK(e == OK)) {
        store_lmdb_usage(store, &used, &most);
        CHECK(most >= 64 << 20 && most <= 1 << 30);
        store_close(store);
    }
}

/* The file of a program with words of another width is refused by name: its magic number stands elsewhere. */
static void test_other_width(const char *folder, const char *file)
{
    const char *why = "", *wanted = sizeof(void *) == 8 ? "32-bit homeport (armv7)" : "64-bit homeport";
    uint32_t page[1024] = {0};
    page[sizeof(void *) == 8 ? 3 : 4] = 0xBEEFC0DE;
    FILE *out = fopen(file, "wb");
    if (!CHECK(out != NULL)) return;
    CHECK(fwrite(page, sizeof page, 1, out) == 1);
    fclose(out);
    CHECK(store_open_lmdb(folder, 16 << 20, &store, &why) == ERR_STORE && strstr(why, wanted) != NULL);
}

int main(void)
{
    const char *why = "";
    char folder[] = "/tmp/homeport-store-XXXXXX", file[64];
    if (mkdtemp(folder) == NULL) return EXIT_FAILURE;
    snprintf(file, sizeof file, "%s/data.mdb", folder);
    if (CHECK(store_open_lmdb(folder, 16 << 20, &store, &why) == OK)) test_all();
    test_map_too_large(folder);
    test_other_width(folder, file);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", folder);
    unlink(file);
    rmdir(folder);
    is_memory = true;
    store = store_open_memory();
    if (CHECK(store != NULL)) test_all();
    return unit_end();
}
