/* Records: what homeport keeps, takes in and gives out, described once in schema/records.def.
 *
 * From a RECORD (stored) or SHAPE (only passed around) and its FIELD rows follow: the struct, the stored
 * encoding by tag, JSON in and out with all checks, OpenAPI schemas, redaction in the audit log. A row is
 *
 *     FIELD(kind, name, tag, shown, rules, sentence)
 *
 * kind    C type       JSON                       kind    C type        JSON
 * id      uint64_t     decimal string             text    struct text   string
 * number  uint64_t     number                     list    struct text   array of strings (lines inside)
 * time    uint64_t ms  RFC 3339 string            object  struct text   any JSON, kept as text
 * flag    bool         true, false                choice  uint32_t      word of its CHOICE
 *
 * Zero and empty mean "nothing there"; they take no room in the store and show as null when NULLABLE.
 * shown: CREATE, UPDATE (may be given in a POST, a PATCH), READ (is given out), NEEDED (must be in a POST),
 * HIDDEN. Tags are for ever; unknown tags in a stored record (of a newer release) are kept by rewriting.
 *
 * A change of a QUIET field alone is neither audited nor announced.
 *
 * Indexes: INDEX (many records for a value), COUNTED (the same, with a count kept for each value), UNIQUE (one). A record
 * whose first indexed field is zero or empty is not in the index. Texts are folded to small letters. */
#ifndef HOMEPORT_CORE_RECORD_H
#define HOMEPORT_CORE_RECORD_H

#include <assert.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/text.h"

enum field_kind {
    KIND_id,
    KIND_number,
    KIND_time,
    KIND_flag,
    KIND_choice,
    KIND_text,
    KIND_list,
    KIND_object
};

enum shown { HIDDEN = 0, CREATE = 1, UPDATE = 2, READ = 4, NEEDED = 8 };

enum { PLAIN = 0, AUDITED = 1 };

struct option {
    struct text word;
    uint32_t number;
    const char *sentence;
};

struct choice {
    const char *name;
    const char *sentence;
    const struct option *options;
    unsigned count;
};

enum check {
    CHECK_none,
#define CHECKER(name, where, pattern) CHECK_##name,
#include "checks.def"
#undef CHECKER
    CHECK_COUNT
};

enum { JSON_KEY_ROOM = 24 };

struct field {
    struct text name;
    char json_key[1 + JSON_KEY_ROOM]; /* a comma, the name in quotes, a colon */
    uint8_t json_key_bytes;           /* without the comma */
    enum field_kind kind;
    uint8_t tag;
    uint8_t shown; /* enum shown */
    uint16_t offset;
    bool is_key, is_secret, is_nullable, is_quiet, has_length, has_range, has_default;
    uint64_t least, most; /* bytes of a text, items of a list, value of a number */
    uint64_t default_value;
    const struct choice *choice;
    enum check check;
    const char *refers; /* record whose id this is, or whose JSON an object is */
    const char *like;
    const char *sentence;
};

struct record_type {
    struct text name;
    uint8_t table; /* 0: a SHAPE */
    bool is_audited;
    size_t bytes; /* of the struct */
    const struct field *(*fields)(void);
    unsigned field_count;
    const char *sentence;
};

enum index_kind { INDEX_MANY, INDEX_COUNTED, INDEX_UNIQUE };

struct record_index {
    const struct record_type *type;
    struct text name;
    uint8_t number; /* for ever, as tags are */
    enum index_kind kind;
    struct text field_names[2]; /* the same twice when there is only one */
    const struct field *fields[2]; /* resolved by records_start(); fields[1] NULL when there is only one */
};

/* The structs, enums of choices, and descriptors: user, user_type, role_user, role_choice, user_by_username. */
#define NO_RULE
#define CHOICE(name, sentence) enum name {
#define OPTION(choice, word, number, sentence) choice##_##word = number,
#define END_CHOICE(name) }; extern const struct choice name##_choice;
#define RECORD(name, table, flags, sentence) struct name {
#define SHAPE(name, sentence) struct name {
#define FIELD_TYPE_id uint64_t
#define FIELD_TYPE_number uint64_t
#define FIELD_TYPE_time uint64_t
#define FIELD_TYPE_flag bool
#define FIELD_TYPE_choice uint32_t
#define FIELD_TYPE_text struct text
#define FIELD_TYPE_list struct text
#define FIELD_TYPE_object struct text
#define FIELD(kind, name, tag, shown, rules, sentence) FIELD_TYPE_##kind name;
#define END(name) }; extern const struct record_type name##_type;
#define INDEX(record, name, number, first, second) extern struct record_index record##_##name;
#define COUNTED(record, name, number, first, second) extern struct record_index record##_##name;
#define UNIQUE(record, name, number, first, second) extern struct record_index record##_##name;
#include "records.def"
#undef CHOICE
#undef OPTION
#undef END_CHOICE
#undef RECORD
#undef SHAPE
#undef FIELD
#undef END
#undef INDEX
#undef COUNTED
#undef UNIQUE

/* Once, before any other function here: binds indexes to fields and asserts what the rows promise
 * (ascending tags, key first, no table or index number twice). */
void records_start(void);

/* NULL past the end. Shapes and records, in the order of records.def. */
const struct record_type *record_type_at(unsigned index);
const struct record_type *record_type_find(struct text name);
const struct record_type *record_type_of_table(uint8_t table);
/* Indexes of a type, one after the other; NULL past the end. */
const struct record_index *record_index_at(const struct record_type *type, unsigned index);
const struct field *record_field(const struct record_type *type, struct text name);
unsigned record_field_number(const struct record_type *type, struct text name);

/* Bit of a field in a presence mask: which fields a body gave. */
#define FIELD_BIT(number) ((uint64_t)1 << (number))

static inline bool field_is_textual(const struct field *field)
{
    return field->kind >= KIND_text;
}

/* Of an id, number, time, flag or choice. Inline, as the next two: each answer asks for all fields. */
static inline uint64_t field_number(const struct field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    assert(!field_is_textual(field));
    if (field->kind == KIND_flag) return *(const bool *)(const void *)at;
    if (field->kind == KIND_choice) return *(const uint32_t *)(const void *)at;
    return *(const uint64_t *)(const void *)at;
}

/* Of a text, list or object. */
static inline struct text field_text(const struct field *field, const void *record)
{
    assert(field_is_textual(field));
    return *(const struct text *)(const void *)((const char *)record + field->offset);
}

static inline bool field_is_empty(const struct field *field, const void *record)
{
    return field_is_textual(field) ? field_text(field, record).bytes == 0 : field_number(field, record) == 0;
}

uint64_t record_id(const struct record_type *type, const void *record);
void field_set_number(const struct field *field, void *record, uint64_t value);
void field_set_text(const struct field *field, void *record, struct text value);
bool field_equal(const struct field *field, const void *a, const void *b);

/* The stored form. `kept` holds the record's earlier stored form, whose unknown tags are carried over, or
 * is empty. The result is in the arena; empty when the arena has overflowed. */
struct text record_encode(const struct record_type *type, const void *record, struct text kept, struct arena *arena);
/* Spans of *record point into `stored`. ERR_STORE_CORRUPT when it is not a stored form. */
enum err record_decode(const struct record_type *type, struct text stored, void *record);

/* The word of a number in a choice; empty when it has none. And back: 0 when unknown. */
struct text choice_word(const struct choice *choice, uint64_t number);
uint32_t choice_number(const struct choice *choice, struct text word);

/* Runs the named check. */
bool check_value(enum check check, struct text value, struct text *reason);
const char *check_pattern(enum check check);

#endif
