/* Reading records: by id, by unique value, along an index. The same functions serve a step (its own staged
 * puts are seen by id, though not along indexes) and a view (one snapshot).
 *
 * In a step the spans of a record are copied into the step's arena; in a view they point into the store. */
#ifndef HOMEPORT_CORE_READER_H
#define HOMEPORT_CORE_READER_H

#include "core/arena.h"
#include "core/record.h"
#include "store/store.h"

/* A put or removal that waits for the end of its step. */
struct staged {
    const struct record_type *type;
    uint64_t id;
    const void *record; /* NULL: removed */
    struct staged *next;
};

struct reader {
    struct store_txn *txn;
    struct arena *arena;         /* copies go here; NULL: spans into the store */
    struct staged *staged; /* newest first */
};

/* What key space a first byte names. Records use their table number, at most 199. */
enum { SPACE_INDEX = 200, SPACE_COUNT = 201, SPACE_META = 202 };

/* Keys as they stand in the store; never longer than STORE_KEY_BYTES_MAX. */
struct key {
    uint8_t bytes[STORE_KEY_BYTES_MAX];
    size_t count;
};
struct key key_of_record(const struct record_type *type, uint64_t id);
struct key key_of_meta(const char *name);
struct key key_of_table_count(const struct record_type *type); /* how many records the table holds */
/* The part of an index's keys that its fields give; false: the record is not in the index. */
bool key_of_index(const struct record_index *index, const void *record, struct key *key);
void key_add_u64(struct key *key, uint64_t value); /* big endian, so that byte order is number order */
uint64_t key_last_u64(struct text key);
static inline struct text key_text(const struct key *key)
{
    return (struct text){(const char *)key->bytes, key->count};
}

enum err record_get(const struct reader *reader, const struct record_type *type, uint64_t id, void *record);
/* Through a UNIQUE index; `like` holds the values to look for in the indexed fields. ERR_NOT_FOUND. */
enum err record_find(const struct reader *reader, const struct record_index *index, const void *like, void *record);
/* How many records a COUNTED index holds for the values that `like` has in its fields. */
uint64_t record_count(const struct reader *reader, const struct record_index *index, const void *like);
/* How many records a table holds. */
uint64_t record_count_all(const struct reader *reader, const struct record_type *type);

/* A walk along an index (all records with the values of `like`), or along a whole table (index NULL).
 *
 *     struct walk walk;
 *     walk_begin(&walk, reader, &dns_record_by_domain, &(struct dns_record){.domain_id = id}, after, false);
 *     while (walk_next(&walk, &id)) ...
 *     walk_end(&walk);                                                                                   */
struct walk {
    struct store_cursor *cursor;
    struct key prefix;
    size_t order_bytes; /* of the fields between the prefix and the id: 0, or 8 for a number that orders */
    uint64_t order;     /* that number, of the record found last */
    uint64_t after;
    bool is_of_texts;   /* along a UNIQUE index: its keys end in no id */
};
/* `after`: an id to go on behind, 0 from the start. Newest first with `backwards`. */
void walk_begin(struct walk *walk, const struct reader *reader, const struct record_index *index, const void *like,
                uint64_t after, bool backwards);
void walk_begin_all(struct walk *walk, const struct reader *reader, const struct record_type *type, uint64_t after,
                    bool backwards);
/* In the order of an index's last field, a number: all records that share its first field with `like`, or,
 * when the index has only that field (or like is NULL), all that are in the index. See walk->order. */
void walk_begin_ordered(struct walk *walk, const struct reader *reader, const struct record_index *index,
                        const void *like);
/* Along a UNIQUE index of one text: all records whose text begins with `prefix`, folded, in the order of the
 * texts; behind the text `after`, or from the first when that is empty. */
void walk_begin_texts(struct walk *walk, const struct reader *reader, const struct record_index *index,
                      struct text prefix, struct text after);
bool walk_next(struct walk *walk, uint64_t *id);
void walk_end(struct walk *walk);

#define RECORD(name, table, flags, sentence) \
    static inline enum err name##_get(const struct reader *reader, uint64_t id, struct name *record) \
    { \
        return record_get(reader, &name##_type, id, record); \
    }
#define SHAPE(...)
#define CHOICE(...)
#define OPTION(...)
#define END_CHOICE(...)
#define FIELD(...)
#define END(...)
#define INDEX(...)
#define COUNTED(...)
#define UNIQUE(...)
#include "records.def"
#undef RECORD
#undef SHAPE
#undef CHOICE
#undef OPTION
#undef END_CHOICE
#undef FIELD
#undef END
#undef INDEX
#undef COUNTED
#undef UNIQUE

#endif
