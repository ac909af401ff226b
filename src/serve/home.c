#include "serve/home.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config_form.h"
#include "core/reader.h"

enum { PATH_BYTES = 4096, FILE_BYTES_MAX = 1 << 20, KEY_BYTES = 32 };

extern char **environ;

static bool fail(struct home *home, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct home *home, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(home->why, sizeof home->why, format, arguments);
    va_end(arguments);
    return false;
}

/* A whole small file; false with errno when it cannot be read. */
static bool read_file(const char *path, char *out, size_t size, size_t *bytes)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) return false;
    *bytes = fread(out, 1, size, file);
    bool is_whole = !ferror(file) && *bytes < size;
    fclose(file);
    if (!is_whole) errno = EFBIG;
    return is_whole;
}

/* ---- settings ------------------------------------------------------------------------------------- */

static bool read_config_file(struct home *home, const char *path, bool must_exist)
{
    struct config_error error;
    size_t bytes = 0;
    char *text = malloc(FILE_BYTES_MAX);
    if (text == NULL) return fail(home, "not enough memory");
    bool is_read = read_file(path, text, FILE_BYTES_MAX, &bytes);
    bool is_good = true;
    if (!is_read && (must_exist || errno != ENOENT)) {
        is_good = fail(home, "the configuration file %s cannot be read: %s", path, strerror(errno));
    } else if (is_read) {
        is_good = config_read(&home->config, (struct text){text, bytes}, text_of(path), &error);
        if (!is_good) fail(home, "%s", error.text);
        if (is_good) home->config.file = arena_text(&home->config.arena, text_of(path));
    }
    free(text);
    return is_good;
}

static bool find_config_file(struct home *home, const struct home_flags *flags)
{
    char path[PATH_BYTES];
    const char *given = flags->config_file != NULL ? flags->config_file : getenv("HOMEPORT_CONFIG");
    if (given != NULL) return read_config_file(home, given, true);
    snprintf(path, sizeof path, "%.*s/homeport.conf", TEXT_ARGS(home->config.data));
    if (!read_config_file(home, path, false)) return false;
    if (home->config.file.bytes > 0) return true;
    return read_config_file(home, "/etc/homeport/homeport.conf", false);
}

bool home_config(struct home *home, const struct home_flags *flags)
{
    struct config_error error;
    const char *data = flags->data != NULL ? flags->data : getenv("HOMEPORT_DATA");
    *home = (struct home){.lock_fd = -1};
    config_init(&home->config);
    home->config.data =
        arena_text(&home->config.arena, text_of(data != NULL && data[0] != 0 ? data : "data"));
    if (!find_config_file(home, flags)) return false;
    if (!config_read_environment(&home->config, environ, &error))
        return fail(home, "%s", error.text);
    bool is_good = flags->listen == NULL || config_set(&home->config, TEXT("http.listen"),
                                                       text_of(flags->listen), ORIGIN_FLAG, &error);
    if (is_good) is_good = config_form_is_whole(&home->config, &error);
    return is_good || fail(home, "%s", error.text);
}

/* ---- the key file --------------------------------------------------------------------------------- */

static bool write_key(struct home *home, const char *path, const char *hex)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fail(home, "the key file %s cannot be made: %s", path, strerror(errno));
    size_t bytes = strlen(hex);
    bool is_written = write(fd, hex, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    close(fd);
    if (is_written) return true;
    unlink(path);
    return fail(home, "the key file %s cannot be written: %s", path, strerror(errno));
}

static bool make_key(struct home *home, const char *path, uint8_t root[KEY_BYTES])
{
    char hex[KEY_BYTES * 2 + 2];
    randombytes_buf(root, KEY_BYTES);
    sodium_bin2hex(hex, sizeof hex, root, KEY_BYTES);
    memcpy(hex + KEY_BYTES * 2, "\n", 2);
    bool is_made = write_key(home, path, hex);
    sodium_memzero(hex, sizeof hex);
    return is_made;
}

static bool take_key(struct home *home, const char *path, uint8_t root[KEY_BYTES])
{
    char hex[256];
    size_t bytes = 0, decoded = 0;
    if (!read_file(path, hex, sizeof hex, &bytes)) {
        if (errno == ENOENT) return make_key(home, path, root);
        return fail(home, "the key file %s cannot be read: %s", path, strerror(errno));
    }
    bool is_key = sodium_hex2bin(root, KEY_BYTES, hex, bytes, "\r\n ", &decoded, NULL) == 0 &&
                  decoded == KEY_BYTES;
    sodium_memzero(hex, sizeof hex);
    return is_key ? true : fail(home, "the key file %s does not hold 64 hex digits", path);
}

static bool read_key(struct home *home)
{
    char path[PATH_BYTES];
    uint8_t root[KEY_BYTES];
    if (home->config.store_key_file.bytes > 0) {
        snprintf(path, sizeof path, "%.*s", TEXT_ARGS(home->config.store_key_file));
    } else {
        snprintf(path, sizeof path, "%.*s/homeport.key", TEXT_ARGS(home->config.data));
    }
    if (!take_key(home, path, root)) return false;
    secrets_derive(&home->secrets, root);
    sodium_memzero(root, sizeof root);
    return true;
}

/* A store is of use only with the key it was begun with: found out now, not when the first credential is
 * needed. Also the place of the store's format: a newer one is refused. */
static bool check_belonging(struct home *home)
{
    static const uint8_t format = 1;
    struct store_txn *txn;
    struct text value;
    struct key key = key_of_meta("store");
    uint8_t mine[1 + sizeof home->secrets.fingerprint] = {format};
    memcpy(mine + 1, home->secrets.fingerprint, sizeof home->secrets.fingerprint);
    enum err e = store_begin(home->store, &txn);
    if (e != OK) return fail(home, "the store cannot be written; is the disk full or read-only?");
    e = store_get(txn, key_text(&key), &value);
    if (e == ERR_NOT_FOUND) {
        e = store_put(txn, key_text(&key), (struct text){(const char *)mine, sizeof mine});
        if (e == OK)
            e = store_commit(txn);
        else
            store_abort(txn);
        return e == OK ? true
                       : fail(home, "the store cannot be written; is the disk full or read-only?");
    }
    if (e != OK) {
        store_abort(txn);
        return fail(home, "the store cannot be read: %.*s", TEXT_ARGS(err_info(e)->sentence));
    }
    bool is_ours = value.bytes == sizeof mine && memcmp(value.data, mine, sizeof mine) == 0;
    bool is_newer = value.bytes > 0 && (uint8_t)value.data[0] > format;
    store_abort(txn);
    if (is_newer)
        return fail(home, "this data folder was written by a newer homeport; use that release");
    if (is_ours) return true;
    return fail(
        home,
        "the key file does not belong to this data folder; put the right one in place (store.key_file)");
}

/* ---- the folder ----------------------------------------------------------------------------------- */

bool home_open(struct home *home)
{
    char folder[PATH_BYTES];
    const char *why = "";
    if (!text_to_zero_ended(home->config.data, folder, sizeof folder))
        return fail(home, "the data folder's name is too long");
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return fail(home, "the data folder %s cannot be made: %s", folder, strerror(errno));
    }
    if (access(folder, R_OK | W_OK | X_OK) != 0) {
        return fail(home, "the data folder %s is not usable by uid %u gid %u: %s", folder,
                    (unsigned)geteuid(), (unsigned)getegid(), strerror(errno));
    }
    if (!read_key(home)) return false;
    if (store_open_lmdb(folder, home->config.store_map_mib << 20, &home->store, &why) != OK) {
        return fail(home, "the store in %s cannot be opened: %s", folder, why);
    }
    return check_belonging(home);
}

bool home_lock(struct home *home)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.*s/homeport.lock", TEXT_ARGS(home->config.data));
    if (mkdir(home->config.data.data, 0700) != 0 && errno != EEXIST) {
        return fail(home, "the data folder %.*s cannot be made: %s", TEXT_ARGS(home->config.data),
                    strerror(errno));
    }
    home->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (home->lock_fd < 0) return fail(home, "%s cannot be opened: %s", path, strerror(errno));
    if (flock(home->lock_fd, LOCK_EX | LOCK_NB) == 0) return true;
    return fail(home, "another homeport is running on %.*s", TEXT_ARGS(home->config.data));
}

void home_close(struct home *home)
{
    if (home->store != NULL) store_close(home->store);
    if (home->lock_fd >= 0) close(home->lock_fd);
    sodium_memzero(&home->secrets, sizeof home->secrets);
    config_free(&home->config);
}
