#include "core/record.h"

#include <assert.h>

/* ---- tables made from the rows ------------------------------------------------------------------ */

#define NOTHING(...)
#define CHOICE(name, sentence) static const struct option name##_options[] = {
#define OPTION(choice, word, number, sentence) {TEXT_INIT(#word), number, sentence},
#define END_CHOICE(name) };
#define RECORD NOTHING
#define SHAPE NOTHING
#define FIELD NOTHING
#define END NOTHING
#define INDEX NOTHING
#define COUNTED NOTHING
#define UNIQUE NOTHING
#include "records.def"
#undef CHOICE
#undef OPTION
#undef END_CHOICE
#define CHOICE(name, sentence) \
    const struct choice name##_choice = {#name, sentence, name##_options, sizeof name##_options / sizeof *name##_options};
#define OPTION NOTHING
#define END_CHOICE NOTHING
#include "records.def"
#undef CHOICE
#undef OPTION
#undef END_CHOICE
#undef RECORD
#undef SHAPE
#undef FIELD
#undef END

/* A field's offset needs its struct's name, which the FIELD row does not repeat: so each table stands in a
 * function of its own, where `self` names the struct. */
#define CHOICE NOTHING
#define OPTION NOTHING
#define END_CHOICE NOTHING
#define LEN(low, high) .has_length = true, .least = low, .most = high,
#define RANGE(low, high) .has_range = true, .least = low, .most = high,
#define ONE_OF(name) .choice = &name##_choice,
#define REF(record) .refers = #record,
#define LIKE(record) .like = #record,
#define CHECKED(name) .check = CHECK_##name,
#define DEFAULT(value) .has_default = true, .default_value = value,
#define KEY .is_key = true,
#define SECRET .is_secret = true,
#define NULLABLE .is_nullable = true,
#define QUIET .is_quiet = true,
#define RECORD(name, table, flags, sentence) SHAPE(name, sentence)
#define SHAPE(name, sentence) \
    static const struct field *name##_fields(void) \
    { \
        typedef struct name self; \
        static const struct field table[] = {
#define FIELD(kind_, name_, tag_, shown_, rules, sentence_) \
    {.name = TEXT_INIT(#name_), .json_key = ",\"" #name_ "\":", .json_key_bytes = sizeof #name_ + 2, .kind = KIND_##kind_, .tag = tag_, \
     .shown = shown_, .offset = offsetof(self, name_), .sentence = sentence_, rules},
#define END(name) \
        }; \
        return table; \
    }
#include "records.def"
#undef RECORD
#undef SHAPE
#undef FIELD
#undef END

#define RECORD(name_, table_, flags, sentence_) \
    const struct record_type name_##_type = {.name = TEXT_INIT(#name_), .table = table_, .is_audited = flags, \
        .bytes = sizeof(struct name_), .sentence = sentence_, .fields = name_##_fields, .field_count = 0
#define SHAPE(name_, sentence_) RECORD(name_, 0, PLAIN, sentence_)
#define FIELD(kind, name, tag, shown, rules, sentence) + 1
#define END(name) };
#include "records.def"
#undef RECORD
#undef SHAPE
#undef FIELD
#undef END
#undef INDEX
#undef COUNTED
#undef UNIQUE

#define RECORD NOTHING
#define SHAPE NOTHING
#define FIELD NOTHING
#define END NOTHING
#define AN_INDEX(record, name_, number_, kind_, first, second) \
    struct record_index record##_##name_ = {.type = &record##_type, .name = TEXT_INIT(#name_), .number = number_, \
        .kind = kind_, .field_names = {TEXT_INIT(#first), TEXT_INIT(#second)}};
#define INDEX(record, name, number, first, second) AN_INDEX(record, name, number, INDEX_MANY, first, second)
#define COUNTED(record, name, number, first, second) AN_INDEX(record, name, number, INDEX_COUNTED, first, second)
#define UNIQUE(record, name, number, first, second) AN_INDEX(record, name, number, INDEX_UNIQUE, first, second)
#include "records.def"
#undef INDEX
#undef COUNTED
#undef UNIQUE

static struct record_index *const indexes[] = {
#define INDEX(record, name, number, first, second) &record##_##name,
#define COUNTED INDEX
#define UNIQUE INDEX
#include "records.def"
};
#undef RECORD
#undef SHAPE
#undef END
#undef INDEX
#undef COUNTED
#undef UNIQUE

static const struct record_type *const types[] = {
#define RECORD(name, table, flags, sentence) &name##_type,
#define SHAPE(name, sentence) &name##_type,
#define END NOTHING
#define INDEX NOTHING
#define COUNTED NOTHING
#define UNIQUE NOTHING
#include "records.def"
};

static const char *const patterns[CHECK_COUNT] = {
    [CHECK_none] = "",
#define CHECKER(name, where, pattern) [CHECK_##name] = pattern,
#include "checks.def"
#undef CHECKER
};

#define CHECKER(name, where, pattern) bool check_##name(struct text value, struct text *reason);
#include "checks.def"
#undef CHECKER

enum { TYPE_COUNT = sizeof types / sizeof *types, INDEX_COUNT = sizeof indexes / sizeof *indexes };

/* ---- looking things up ---------------------------------------------------------------------------- */

const struct record_type *record_type_at(unsigned index)
{
    return index < TYPE_COUNT ? types[index] : NULL;
}

const struct record_type *record_type_find(struct text name)
{
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        if (text_equal(types[i]->name, name)) return types[i];
    }
    return NULL;
}

const struct record_type *record_type_of_table(uint8_t table)
{
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        if (types[i]->table == table && table != 0) return types[i];
    }
    return NULL;
}

const struct record_index *record_index_at(const struct record_type *type, unsigned index)
{
    for (unsigned i = 0; i < INDEX_COUNT; i++) {
        if (indexes[i]->type == type && index-- == 0) return indexes[i];
    }
    return NULL;
}

unsigned record_field_number(const struct record_type *type, struct text name)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (text_equal(fields[i].name, name)) return i;
    }
    return type->field_count;
}

const struct field *record_field(const struct record_type *type, struct text name)
{
    unsigned number = record_field_number(type, name);
    return number < type->field_count ? &type->fields()[number] : NULL;
}

static void assert_rows(const struct record_type *type)
{
    const struct field *fields = type->fields();
    assert(type->field_count > 0 && type->field_count <= 64);
    assert(type->table == 0 || fields[0].is_key);
    for (unsigned i = 0; i < type->field_count; i++) {
        assert(fields[i].tag > 0 && fields[i].tag < 128);
        assert(fields[i].json_key_bytes < JSON_KEY_ROOM);
        assert(i == 0 || fields[i].tag > fields[i - 1].tag);
        assert((fields[i].kind == KIND_choice) == (fields[i].choice != NULL));
    }
}

void records_start(void)
{
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        assert_rows(types[i]);
        assert(types[i]->table == 0 || record_type_of_table(types[i]->table) == types[i]);
    }
    for (unsigned i = 0; i < INDEX_COUNT; i++) {
        struct record_index *index = indexes[i];
        for (unsigned j = 0; j < i; j++) assert(indexes[j]->number != index->number);
        index->fields[0] = record_field(index->type, index->field_names[0]);
        assert(index->fields[0] != NULL);
        bool is_single = text_equal(index->field_names[0], index->field_names[1]);
        index->fields[1] = is_single ? NULL : record_field(index->type, index->field_names[1]);
        assert(is_single || index->fields[1] != NULL);
    }
}

/* ---- one field of one record ---------------------------------------------------------------------- */

uint64_t record_id(const struct record_type *type, const void *record)
{
    return field_number(&type->fields()[0], record);
}

void field_set_number(const struct field *field, void *record, uint64_t value)
{
    char *at = (char *)record + field->offset;
    assert(!field_is_textual(field));
    if (field->kind == KIND_flag) {
        *(bool *)(void *)at = value != 0;
    } else if (field->kind == KIND_choice) {
        *(uint32_t *)(void *)at = (uint32_t)value;
    } else {
        *(uint64_t *)(void *)at = value;
    }
}

void field_set_text(const struct field *field, void *record, struct text value)
{
    assert(field_is_textual(field));
    *(struct text *)(void *)((char *)record + field->offset) = value;
}

bool field_equal(const struct field *field, const void *a, const void *b)
{
    if (field_is_textual(field)) return text_equal(field_text(field, a), field_text(field, b));
    return field_number(field, a) == field_number(field, b);
}

/* ---- the stored form ------------------------------------------------------------------------------ */

/* A stored record is a row of items, tags ascending. An item is one byte, tag * 2 + 1 when bytes follow a
 * length and tag * 2 when only a number follows, and then that number, seven bits a byte, low bits first. */

enum { VARINT_BYTES_MAX = 10 };

static size_t varint_put(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    for (; value >= 128; value >>= 7) out[n++] = (uint8_t)(value | 128);
    out[n++] = (uint8_t)value;
    return n;
}

/* The low seven bits of each of eight bytes, joined. */
static inline uint64_t sevens_join(uint64_t word)
{
    word = (word & 0x007f007f007f007fu) | (word & 0x7f007f007f007f00u) >> 1;
    word = (word & 0x00003fff00003fffu) | (word & 0x3fff00003fff0000u) >> 2;
    return (word & 0x000000000fffffffu) | (word & 0x0fffffff00000000u) >> 4;
}

/* The place behind the number that begins at `at`; NULL when it is not whole. Ids and times have six bytes and
 * more: the first eight are taken at once where there are eight. */
static inline const char *varint_take(const char *at, const char *end, uint64_t *value)
{
    uint64_t result = 0, word;
    unsigned shift = 0;
    if (at < end && (uint8_t)*at < 128) {
        *value = (uint8_t)*at;
        return at + 1;
    }
    if (end - at >= 8) {
        word = little_endian_u64(at);
        uint64_t ends = ~word & 0x8080808080808080u;
        if (ends != 0) {
            *value = sevens_join(word & (ends ^ (ends - 1))); /* up to the first end */
            return at + (unsigned)__builtin_ctzll(ends) / 8 + 1;
        }
        result = sevens_join(word);
        shift = 56;
        at += 8;
    }
    for (; shift < 7 * VARINT_BYTES_MAX && at < end; shift += 7) {
        uint8_t byte = (uint8_t)*at++;
        result |= (uint64_t)(byte & 127) << shift;
        if (byte >= 128) continue;
        *value = result;
        return at;
    }
    return NULL;
}

struct item {
    uint8_t tag;
    bool has_bytes;
    uint64_t number;
    struct text bytes;
};

/* Inline, as the above: the decoding of a record's twenty items is a tenth of a read. */
static inline bool item_take(struct text *rest, struct item *item)
{
    const char *at = rest->data, *end = at + rest->bytes;
    uint8_t head = (uint8_t)*at;
    item->tag = head >> 1;
    item->has_bytes = head & 1;
    at = varint_take(at + 1, end, &item->number);
    if (at == NULL) return false;
    if (item->has_bytes) {
        if (item->number > (size_t)(end - at)) return false;
        item->bytes = (struct text){at, (size_t)item->number};
        at += item->number;
    }
    *rest = (struct text){at, (size_t)(end - at)};
    return true;
}

static size_t encoded_bytes_max(const struct record_type *type, const void *record, struct text kept)
{
    const struct field *fields = type->fields();
    size_t bytes = kept.bytes;
    for (unsigned i = 0; i < type->field_count; i++) {
        bytes += 1 + VARINT_BYTES_MAX;
        if (field_is_textual(&fields[i])) bytes += field_text(&fields[i], record).bytes;
    }
    return bytes;
}

static size_t field_encode(const struct field *field, const void *record, uint8_t *out)
{
    if (field_is_empty(field, record)) return 0;
    out[0] = (uint8_t)(field->tag << 1 | (field_is_textual(field) ? 1 : 0));
    if (!field_is_textual(field)) return 1 + varint_put(out + 1, field_number(field, record));
    struct text value = field_text(field, record);
    size_t n = 1 + varint_put(out + 1, value.bytes);
    memcpy(out + n, value.data, value.bytes);
    return n + value.bytes;
}

static bool has_tag(const struct record_type *type, uint8_t tag)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (fields[i].tag == tag) return true;
    }
    return false;
}

/* Items of a newer release stand behind the last tag we know, or between; they are kept at the end, which
 * is where decode looks for tags it does not know as well. */
static size_t keep_unknown(const struct record_type *type, struct text kept, uint8_t *out)
{
    size_t n = 0;
    struct item item;
    while (kept.bytes > 0) {
        const char *start = kept.data;
        if (!item_take(&kept, &item)) break;
        if (has_tag(type, item.tag)) continue;
        memcpy(out + n, start, (size_t)(kept.data - start));
        n += (size_t)(kept.data - start);
    }
    return n;
}

struct text record_encode(const struct record_type *type, const void *record, struct text kept, struct arena *arena)
{
    uint8_t *out = arena_alloc(arena, encoded_bytes_max(type, record, kept));
    if (out == NULL) return TEXT_NONE;
    const struct field *fields = type->fields();
    size_t n = 0;
    for (unsigned i = 0; i < type->field_count; i++) n += field_encode(&fields[i], record, out + n);
    n += keep_unknown(type, kept, out + n);
    return (struct text){(const char *)out, n};
}

enum err record_decode(const struct record_type *type, struct text stored, void *record)
{
    const struct field *const fields = type->fields(), *const end = fields + type->field_count;
    const struct field *field = fields;
    struct item item = {.tag = 0};
    memset(record, 0, type->bytes);
    while (stored.bytes > 0) {
        uint8_t tag_before = item.tag;
        if (!item_take(&stored, &item)) return ERR_STORE_CORRUPT;
        if (item.tag < tag_before) field = fields; /* kept by an older release: behind the others */
        while (field < end && field->tag < item.tag) field++;
        if (field == end || field->tag != item.tag) continue; /* a newer release's field */
        if (field_is_textual(field) != item.has_bytes) return ERR_STORE_CORRUPT;
        if (item.has_bytes) {
            field_set_text(field, record, item.bytes);
        } else {
            field_set_number(field, record, item.number);
        }
    }
    return OK;
}

/* ---- choices and checks --------------------------------------------------------------------------- */

struct text choice_word(const struct choice *choice, uint64_t number)
{
    for (unsigned i = 0; i < choice->count; i++) {
        if (choice->options[i].number == number) return choice->options[i].word;
    }
    return TEXT_NONE;
}

uint32_t choice_number(const struct choice *choice, struct text word)
{
    for (unsigned i = 0; i < choice->count; i++) {
        if (text_equal(choice->options[i].word, word)) return choice->options[i].number;
    }
    return 0;
}

bool check_value(enum check check, struct text value, struct text *reason)
{
    switch (check) {
#define CHECKER(name, where, pattern) \
    case CHECK_##name: \
        return check_##name(value, reason);
#include "checks.def"
#undef CHECKER
    case CHECK_none:
    case CHECK_COUNT:
        break;
    }
    return true;
}

const char *check_pattern(enum check check)
{
    return patterns[check];
}
