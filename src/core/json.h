/* JSON out and in, driven by the descriptors of core/record.h.
 *
 * Out: a growing buffer. Overflow (memory short, or over the limit) is sticky: later writes do nothing, and
 * whoever lets the text out looks once at json->overflowed.
 * In: an object's members become a record's fields; every bad field is named at once. */
#ifndef HOMEPORT_CORE_JSON_H
#define HOMEPORT_CORE_JSON_H

#include "core/arena.h"
#include "core/record.h"
#include "core/text.h"

struct json {
    char *data;
    size_t bytes, room, max;
    bool overflowed;
    bool has_member; /* a comma is due before the next member or item */
};

void json_init(struct json *json, size_t max);
void json_free(struct json *json);
void json_reset(struct json *json);
static inline struct text json_text(const struct json *json)
{
    return (struct text){json->data, json->bytes};
}

void json_raw(struct json *json, struct text t);        /* as it is, commas are the caller's */
void json_open(struct json *json, char bracket);        /* '{' or '[' */
void json_close(struct json *json, char bracket);       /* '}' or ']' */
void json_key(struct json *json, struct text name);     /* a member's name; a value must follow */
void json_string(struct json *json, struct text value); /* bytes that are not UTF-8 become U+FFFD */
void json_number(struct json *json, uint64_t value);
void json_signed(struct json *json, int64_t value);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);
void json_id(struct json *json, uint64_t id);        /* decimal string */
void json_time(struct json *json, uint64_t ms);      /* RFC 3339, UTC, milliseconds, in quotes */
void json_value(struct json *json, struct text raw); /* a value that is JSON already */
/* A string made from raw text item by item: key and string value. */
void json_member(struct json *json, const char *name, struct text value);

/* The members of a record that have one of `shown` set, as an object. */
void json_record(struct json *json, const struct record_type *type, const void *record,
                 unsigned shown);
/* One field's value. With `redact` a secret is shown as "***". */
void json_field(struct json *json, const struct field *field, const void *record, bool redact);

/* A field that is wrong, and why: for a 422's data.errors. */
struct field_error {
    struct text field, reason;
    struct field_error *next;
};

struct field_errors {
    struct arena *arena;
    struct field_error *first, *last;
    unsigned count;
};

void field_errors_add(struct field_errors *errors, struct text field, struct text reason);
bool field_errors_have(const struct field_errors *errors, struct text field);

/* Reads a body. `given` gets a bit for each field that stood in it (null counts as given and empties the
 * field). With CREATE missing NEEDED fields are errors and defaults are filled in; with UPDATE fields not
 * given are left as they are in *record, which the caller has filled or zeroed.
 * ERR_BAD_JSON: *offset is the byte at fault. ERR_INVALID: see errors.
 * ERR_OVERLOADED: the arena has overflowed. Texts are copied into the arena. */
enum err json_read(const struct record_type *type, struct text body, enum shown purpose,
                   void *record, uint64_t *given, struct field_errors *errors, size_t *offset,
                   struct arena *arena);

/* Epoch milliseconds from an RFC 3339 date and time, or a date alone. */
bool time_from_text(struct text t, uint64_t *ms);
/* Exactly 24 bytes, "2026-03-01T08:09:10.123Z", no zero byte at the end. */
enum { TIME_TEXT_BYTES = 24 };
void time_to_text(uint64_t ms, char out[TIME_TEXT_BYTES]);

#endif
