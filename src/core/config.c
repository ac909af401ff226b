/* See config.h. Every row of config.def becomes a row of settings[]; a value from wherever goes through
 * take(), which checks it and puts it into struct config. */
#include "core/config.h"

#include "core/config_form.h"
#include "core/config_name.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum kind { KIND_OF_text, KIND_OF_list, KIND_OF_secret, KIND_OF_number, KIND_OF_bool, KIND_OF_networks };

struct setting_row {
    struct text key, initial;
    enum kind kind;
    const char *kind_name;
    size_t offset;
    uint64_t least, most;
    const char *unit, *sentence;
};

static const struct setting_row settings[SETTING_COUNT] = {
#define CONFIG(member, key_, kind_, initial_, least_, most_, unit_, sentence_) \
    {TEXT_INIT(key_), TEXT_INIT(initial_), KIND_OF_##kind_, #kind_, offsetof(struct config, member), \
     least_, most_, unit_, sentence_},
#include "config.def"
#undef CONFIG
};

enum { VALUE_BYTES_MAX = 4096, SHOWN_BYTES_MAX = 120, CONFIG_ARENA_BYTES = 4 << 20 };

/* ---- errors --------------------------------------------------------------------------------------- */

/* What is set, from where, and what the person gets to read when it is wrong. */
struct attempt {
    const struct setting_row *row;
    struct text name;  /* as it was written: with _FILE when the value is a path */
    struct text shown; /* the value as it was written: the path for _FILE */
    enum config_origin origin;
    struct config_error *error;
};

/* A wrong value goes to a terminal: no escape sequences, and not pages of it. */
static struct text printable(struct text t, char out[SHOWN_BYTES_MAX + 3])
{
    size_t bytes = t.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : t.bytes;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        out[i] = c < 0x20 || c >= 0x7f ? '?' : t.data[i];
    }
    if (bytes == t.bytes) return (struct text){out, bytes};
    memcpy(out + bytes, "...", 3);
    return (struct text){out, bytes + 3};
}

static bool refuse(const struct attempt *attempt, const char *allowed)
{
    char name[SHOWN_BYTES_MAX + 3], value[SHOWN_BYTES_MAX + 3];
    bool is_path = !text_equal(attempt->name, attempt->row->key);
    bool is_hidden = attempt->row->kind == KIND_OF_secret && !is_path;
    struct text name_text = printable(attempt->name, name);
    struct text value_text = is_hidden ? TEXT("***") : printable(attempt->shown, value);
    snprintf(attempt->error->text, sizeof attempt->error->text, "%.*s = %.*s: %s%s",
             TEXT_ARGS(name_text), TEXT_ARGS(value_text), is_path ? "what is in that file " : "", allowed);
    return false;
}

static bool refuse_range(const struct attempt *attempt)
{
    char allowed[128];
    const struct setting_row *row = attempt->row;
    bool is_number = row->kind == KIND_OF_number;
    snprintf(allowed, sizeof allowed, "must %s %llu to %llu%s%s",
             is_number ? "be a whole number from" : "be text of", (unsigned long long)row->least,
             (unsigned long long)row->most, is_number && *row->unit != '\0' ? " " : "",
             is_number ? row->unit : " bytes on one line");
    return refuse(attempt, allowed);
}

/* Behind the sentence: "(homeport.conf:3)", or the variable's name. */
static void add_place(struct config_error *error, struct text place, unsigned line)
{
    char name[SHOWN_BYTES_MAX + 3], number[16] = "";
    size_t at = strlen(error->text);
    if (line > 0) snprintf(number, sizeof number, ":%u", line);
    snprintf(error->text + at, sizeof error->text - at, " (%.*s%s)",
             TEXT_ARGS(printable(place, name)), number);
}

/* ---- one value ------------------------------------------------------------------------------------ */

static enum setting setting_of(const struct attempt *attempt)
{
    return (enum setting)(attempt->row - settings);
}

static bool take_number(const struct attempt *attempt, struct text value, uint64_t *member)
{
    uint64_t number;
    const struct setting_row *row = attempt->row;
    if (!text_to_u64(value, row->most, &number) || number < row->least) return refuse_range(attempt);
    *member = number;
    return true;
}

static bool take_bool(const struct attempt *attempt, struct text value, bool *member)
{
    static const struct text words[][2] = {
        {TEXT_INIT("false"), TEXT_INIT("true")},
        {TEXT_INIT("no"), TEXT_INIT("yes")},
        {TEXT_INIT("off"), TEXT_INIT("on")},
        {TEXT_INIT("0"), TEXT_INIT("1")},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bool is_true = text_equal_fold(value, words[i][1]);
        if (!is_true && !text_equal_fold(value, words[i][0])) continue;
        *member = is_true;
        return true;
    }
    return refuse(attempt, "must be true or false (or yes, no, on, off, 1, 0)");
}

static bool take_text(const struct attempt *attempt, struct text value, struct text *member,
                      struct arena *arena)
{
    const char *allowed = NULL;
    bool is_line = value.bytes == 0 || memchr(value.data, '\n', value.bytes) == NULL;
    if (!config_form_fits(setting_of(attempt), value, &allowed)) return refuse(attempt, allowed);
    if (!is_line || !text_is_clean_utf8(value)) return refuse_range(attempt);
    *member = arena_text(arena, value);
    return true;
}

/* Items become lines; empty items are left out. */
static bool take_list(const struct attempt *attempt, struct text value, struct text *member,
                      struct arena *arena)
{
    char *lines = arena_alloc(arena, value.bytes + 1);
    const char *allowed = NULL;
    size_t bytes = 0;
    if (lines == NULL) return true; /* take() looks at the arena */
    if (!text_is_clean_utf8(value)) return refuse_range(attempt);
    while (value.data != NULL) {
        struct text item = text_trim(text_cut(&value, ','));
        if (item.bytes == 0) continue;
        if (!config_form_fits(setting_of(attempt), item, &allowed)) return refuse(attempt, allowed);
        if (bytes > 0) lines[bytes++] = '\n';
        memcpy(lines + bytes, item.data, item.bytes);
        bytes += item.bytes;
    }
    *member = (struct text){lines, bytes};
    return true;
}

static bool take_networks(const struct attempt *attempt, struct text value, struct networks *member,
                          struct arena *arena)
{
    unsigned most = 1, count = 0;
    for (size_t i = 0; i < value.bytes; i++) most += value.data[i] == ',';
    struct ip_network *items = arena_array(arena, struct ip_network, most);
    if (items == NULL) return true; /* take() looks at the arena */
    while (value.data != NULL) {
        struct text item = text_trim(text_cut(&value, ','));
        if (item.bytes == 0) continue;
        assert(count < most);
        if (!ip_network_parse(item, &items[count++])) {
            return refuse(attempt, "must be networks such as 10.0.0.0/8, fd00::/8, with commas between "
                                   "and no bits behind the prefix");
        }
    }
    *member = (struct networks){items, count};
    return true;
}

static bool take(struct config *config, const struct attempt *attempt, struct text value)
{
    const struct setting_row *row = attempt->row;
    void *member = (char *)config + row->offset;
    bool is_number = row->kind == KIND_OF_number || row->kind == KIND_OF_bool;
    bool is_good = is_number || (value.bytes >= row->least && value.bytes <= row->most);
    if (!is_good) return refuse_range(attempt);
    switch (row->kind) {
    case KIND_OF_number: is_good = take_number(attempt, value, member); break;
    case KIND_OF_bool: is_good = take_bool(attempt, value, member); break;
    case KIND_OF_list: is_good = take_list(attempt, value, member, &config->arena); break;
    case KIND_OF_networks: is_good = take_networks(attempt, value, member, &config->arena); break;
    case KIND_OF_text:
    case KIND_OF_secret: is_good = take_text(attempt, value, member, &config->arena); break;
    }
    if (!is_good) return false;
    if (arena_overflowed(&config->arena)) return refuse(attempt, "does not fit into memory");
    config->origins[setting_of(attempt)] = (uint8_t)attempt->origin;
    return true;
}

/* ---- values in files ------------------------------------------------------------------------------ */

/* Bytes read, at most `size`; -1 with errno. */
static ssize_t file_take(struct text path, char *out, size_t size)
{
    char zero_ended[VALUE_BYTES_MAX];
    size_t bytes = 0;
    ssize_t n = 1;
    errno = ENAMETOOLONG;
    if (!text_to_zero_ended(path, zero_ended, sizeof zero_ended)) return -1;
    int file = open(zero_ended, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    while (n > 0 && bytes < size) {
        n = read(file, out + bytes, size - bytes);
        if (n > 0) bytes += (size_t)n;
    }
    int why = errno;
    close(file);
    errno = why;
    return n < 0 ? -1 : (ssize_t)bytes;
}

static bool take_from_file(struct config *config, const struct attempt *attempt)
{
    char content[VALUE_BYTES_MAX + 3], sentence[128];
    bool is_textual = attempt->row->kind == KIND_OF_text || attempt->row->kind == KIND_OF_secret;
    if (!is_textual) return refuse(attempt, "must be given itself: only texts and secrets can be in files");
    ssize_t bytes = file_take(attempt->shown, content, sizeof content);
    if (bytes < 0) {
        snprintf(sentence, sizeof sentence, "must be readable, but: %s", strerror(errno));
        return refuse(attempt, sentence);
    }
    struct text value = {content, (size_t)bytes};
    if (value.bytes > 0 && value.data[value.bytes - 1] == '\n') value.bytes--;
    if (value.bytes > 0 && value.data[value.bytes - 1] == '\r') value.bytes--;
    bool is_good = take(config, attempt, value);
    explicit_bzero(content, sizeof content);
    return is_good;
}

/* ---- names ---------------------------------------------------------------------------------------- */

static bool refuse_name(struct text name, struct text value, bool is_variable, struct config_error *error)
{
    char name_shown[SHOWN_BYTES_MAX + 3], value_shown[SHOWN_BYTES_MAX + 3], meant[SETTING_KEY_BYTES_MAX + 1] = "";
    enum setting found = config_name_nearest(name);
    const struct setting_row *row = found < SETTING_COUNT ? &settings[found] : NULL;
    bool may_be_secret = config_name_may_be_secret(name) || (row != NULL && row->kind == KIND_OF_secret);
    for (size_t i = 0; row != NULL && i < row->key.bytes; i++) {
        meant[i] = is_variable ? config_name_letter(row->key.data[i]) : row->key.data[i];
    }
    const char *prefix = is_variable ? "HOMEPORT_" : "";
    struct text value_text = may_be_secret ? TEXT("***") : printable(value, value_shown);
    snprintf(error->text, sizeof error->text, "%s%.*s = %.*s: is not a setting; %s%s%s%s", prefix,
             TEXT_ARGS(printable(name, name_shown)), TEXT_ARGS(value_text),
             row != NULL ? "did you mean " : "`homeport config show` lists them",
             row != NULL ? prefix : "", meant, row != NULL ? "?" : "");
    return false;
}

/* ---- from outside --------------------------------------------------------------------------------- */

static bool set(struct config *config, struct text name, bool is_variable, struct text value,
                enum config_origin origin, struct config_error *error)
{
    enum setting found = config_name_find(name, is_variable);
    struct attempt attempt = {.name = name, .shown = value, .origin = origin, .error = error};
    if (found < SETTING_COUNT) {
        attempt.row = &settings[found];
        attempt.name = attempt.row->key;
        return take(config, &attempt, value);
    }
    if (config_name_is_path(name, is_variable)) {
        found = config_name_find((struct text){name.data, name.bytes - 5}, is_variable);
    }
    if (found == SETTING_COUNT) return refuse_name(name, value, is_variable, error);
    attempt.row = &settings[found];
    return take_from_file(config, &attempt);
}

bool config_set(struct config *config, struct text key, struct text value, enum config_origin origin,
                struct config_error *error)
{
    return set(config, key, false, value, origin, error);
}

void config_init(struct config *config)
{
    struct config_error error;
    *config = (struct config){.file = TEXT_NONE};
    arena_init(&config->arena, CONFIG_ARENA_BYTES);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        bool is_good = set(config, settings[i].key, false, settings[i].initial, ORIGIN_DEFAULT, &error);
        assert(is_good);
        (void)is_good;
        assert(settings[i].key.bytes <= SETTING_KEY_BYTES_MAX);
    }
}

void config_free(struct config *config)
{
    arena_free(&config->arena);
    *config = (struct config){.file = TEXT_NONE};
}

static struct text without_comment(struct text line)
{
    for (size_t i = 0; i < line.bytes; i++) {
        bool is_after_blank = i == 0 || line.data[i - 1] == ' ' || line.data[i - 1] == '\t';
        if (line.data[i] == '#' && is_after_blank) return (struct text){line.data, i};
    }
    return line;
}

bool config_read(struct config *config, struct text file, struct text file_name, struct config_error *error)
{
    for (unsigned number = 1; file.data != NULL; number++) {
        struct text value = text_trim(without_comment(text_cut(&file, '\n')));
        if (value.bytes == 0) continue;
        struct text key = text_trim(text_cut(&value, '='));
        bool is_pair = value.data != NULL && key.bytes > 0;
        /* Without its text: what stands there may be half a secret. */
        if (!is_pair) snprintf(error->text, sizeof error->text, "a line must read: key = value");
        if (is_pair && set(config, key, false, text_trim(value), ORIGIN_FILE, error)) continue;
        add_place(error, file_name, number);
        return false;
    }
    return true;
}

static bool is_ignored(struct config *config, struct text name, struct text value)
{
    size_t used = strlen(config->ignored);
    if (config_name_find(name, true) < SETTING_COUNT || !config_name_is_of_kubernetes(name, value))
        return false;
    snprintf(config->ignored + used, sizeof config->ignored - used, "%sHOMEPORT_%.*s", used > 0 ? " " : "",
             TEXT_ARGS(name));
    return true;
}

bool config_read_environment(struct config *config, char **environment, struct config_error *error)
{
    for (; *environment != NULL; environment++) {
        struct text value = text_of(*environment);
        if (!text_starts(value, TEXT("HOMEPORT_"))) continue;
        struct text variable = text_cut(&value, '=');
        struct text name = {variable.data + 9, variable.bytes - 9};
        if (value.data == NULL) continue;
        if (text_equal(name, TEXT("DATA")) || text_equal(name, TEXT("CONFIG"))) continue;
        if (is_ignored(config, name, value)) continue;
        if (set(config, name, true, value, ORIGIN_ENVIRONMENT, error)) continue;
        if (!text_starts(text_of(error->text), TEXT("HOMEPORT_"))) add_place(error, variable, 0);
        return false;
    }
    return true;
}

/* ---- shown ---------------------------------------------------------------------------------------- */

static struct text networks_shown(const struct networks *networks, struct arena *arena)
{
    struct text out = TEXT_NONE;
    char address[IP_TEXT_SIZE];
    for (unsigned i = 0; i < networks->count; i++) {
        const struct ip_network *network = &networks->items[i];
        out = arena_print(arena, "%.*s%s%.*s/%u", TEXT_ARGS(out), i == 0 ? "" : ", ",
                          TEXT_ARGS(ip_format(&network->address, address)), network->prefix_bits);
    }
    return out;
}

static struct text list_shown(struct text lines, struct arena *arena)
{
    struct text out = arena_text(arena, lines);
    char *at = (char *)(uintptr_t)out.data;
    for (size_t i = 0; i < out.bytes; i++) {
        if (at[i] == '\n') at[i] = ',';
    }
    return out;
}

static struct text value_shown(const struct setting_row *row, const void *member, struct arena *arena)
{
    switch (row->kind) {
    case KIND_OF_number: return arena_print(arena, "%llu", (unsigned long long)*(const uint64_t *)member);
    case KIND_OF_bool: return *(const bool *)member ? TEXT("true") : TEXT("false");
    case KIND_OF_networks: return networks_shown(member, arena);
    case KIND_OF_list: return list_shown(*(const struct text *)member, arena);
    case KIND_OF_text: return *(const struct text *)member;
    case KIND_OF_secret: return ((const struct text *)member)->bytes > 0 ? TEXT("***") : TEXT_NONE;
    }
    return TEXT_NONE;
}

bool config_row_at(const struct config *config, unsigned index, struct arena *arena, struct config_row *row)
{
    if (index >= SETTING_COUNT) return false;
    const struct setting_row *setting = &settings[index];
    const void *member = (const char *)config + setting->offset;
    *row = (struct config_row){
        .key = setting->key,
        .value = value_shown(setting, member, arena),
        .initial = setting->initial,
        .unit = text_of(setting->unit),
        .sentence = text_of(setting->sentence),
        .kind = setting->kind_name,
        .least = setting->least,
        .most = setting->most,
        .origin = (enum config_origin)config->origins[index],
    };
    return true;
}
