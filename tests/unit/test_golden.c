/* What must never change between releases, held against tests/golden/stored.txt: the stored form of each record with every
 * field set, the numbers of tables, indexes and options, and the codes of errors. Old data folders and clients rely on it.
 *
 * A new field, option or error adds a line: HOMEPORT_GOLDEN=write ./zigw build check rewrites the file, and the commit shows
 * what came. A line that changes or goes is a fault, or needs a step in the data folder's upgrade. */
#include "unit.h"

#include "core/record.h"

#include <stdarg.h>
#include <stdlib.h>

static const char path[] = "tests/golden/stored.txt";
static char now[1 << 18], before[1 << 18];
static size_t now_bytes;
static struct arena arena;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int n = vsnprintf(now + now_bytes, sizeof now - now_bytes, format, values);
    va_end(values);
    if (n < 0 || (size_t)n >= sizeof now - now_bytes) abort();
    now_bytes += (size_t)n;
}

/* A text holds its field's name; a number its tag, so that it has two bytes and its own value. */
static void add_field(const struct record_type *type, const struct field *field)
{
    static _Alignas(16) char record[4096];
    memset(record, 0, sizeof record);
    if (field_is_textual(field)) {
        field_set_text(field, record, field->name);
    } else {
        uint64_t some = field->kind == KIND_flag ? 1 : field->kind == KIND_choice ? field->choice->options[0].number : 1000u + field->tag;
        field_set_number(field, record, some);
    }
    struct text stored = record_encode(type, record, TEXT_NONE, &arena);
    add("field %.*s.%.*s", TEXT_ARGS(type->name), TEXT_ARGS(field->name));
    for (size_t i = 0; i < stored.bytes; i++) add("%s%02x", i == 0 ? " " : "", (uint8_t)stored.data[i]);
    add("\n");
    for (unsigned i = 0; field->kind == KIND_choice && i < field->choice->count; i++) {
        const struct option *option = &field->choice->options[i];
        add("option %.*s.%.*s %.*s %u\n", TEXT_ARGS(type->name), TEXT_ARGS(field->name), TEXT_ARGS(option->word), option->number);
    }
}

static void add_type(const struct record_type *type)
{
    const struct record_index *index;
    if (type->table == 0) return; /* only passed around */
    add("record %.*s %u\n", TEXT_ARGS(type->name), type->table);
    for (unsigned i = 0; i < type->field_count; i++) add_field(type, &type->fields()[i]);
    for (unsigned i = 0; (index = record_index_at(type, i)) != NULL; i++) {
        add("index %.*s.%.*s %u kind %u\n", TEXT_ARGS(type->name), TEXT_ARGS(index->name), index->number, (unsigned)index->kind);
    }
}

static void add_errors(void)
{
#define ERR(name, http, number, sentence) add("error %s %d\n", #name, http * 1000 + number);
#include "errors.def"
#undef ERR
}

/* Shows the first lines that differ. */
static void compare(struct text was, struct text is)
{
    unsigned shown = 0;
    while (was.data != NULL || is.data != NULL) {
        struct text a = text_cut(&was, '\n'), b = text_cut(&is, '\n');
        if (text_equal(a, b)) continue;
        printf("    was: %.*s\n    is:  %.*s\n", TEXT_ARGS(a), TEXT_ARGS(b));
        if (++shown == 3) break; /* what follows is mostly the same, shifted */
    }
}

int main(void)
{
    const char *wish = getenv("HOMEPORT_GOLDEN");
    const struct record_type *type;
    records_start();
    arena_init(&arena, 1 << 20);
    for (unsigned i = 0; (type = record_type_at(i)) != NULL; i++) add_type(type);
    add_errors();
    if (wish != NULL && strcmp(wish, "write") == 0) {
        FILE *out = fopen(path, "w");
        if (out == NULL || fwrite(now, 1, now_bytes, out) != now_bytes || fclose(out) != 0) abort();
    }
    FILE *file = fopen(path, "r");
    if (!CHECK(file != NULL)) return unit_end();
    size_t bytes = fread(before, 1, sizeof before, file);
    fclose(file);
    bool is_same = bytes == now_bytes && memcmp(before, now, bytes) == 0;
    if (!is_same) compare((struct text){before, bytes}, (struct text){now, now_bytes});
    CHECK(is_same);
    arena_free(&arena);
    return unit_end();
}
