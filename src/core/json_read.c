/* JSON in: an object's members become a record's fields. */
#include "core/json.h"

#include <assert.h>
#include <stdlib.h>
#include <yyjson.h>

bool field_errors_have(const struct field_errors *errors, struct text field)
{
    for (const struct field_error *error = errors->first; error != NULL; error = error->next) {
        if (text_equal(error->field, field)) return true;
    }
    return false;
}

void field_errors_add(struct field_errors *errors, struct text field, struct text reason)
{
    struct field_error *error = arena_new(errors->arena, struct field_error);
    if (error == NULL) return;
    *error = (struct field_error){arena_text(errors->arena, field),
                                  arena_text(errors->arena, reason), NULL};
    if (errors->last != NULL) {
        errors->last->next = error;
    } else {
        errors->first = error;
    }
    errors->last = error;
    errors->count++;
}

static void wrong(struct field_errors *errors, const struct field *field, struct text reason)
{
    field_errors_add(errors, field->name, reason);
}

static struct text choice_words(const struct choice *choice, struct arena *arena)
{
    struct text words = TEXT("must be one of");
    for (unsigned i = 0; i < choice->count; i++) {
        words = arena_print(arena, "%.*s%s %.*s", TEXT_ARGS(words), i == 0 ? "" : ",",
                            TEXT_ARGS(choice->options[i].word));
    }
    return words;
}

static void check_length(const struct field *field, struct text value, struct field_errors *errors)
{
    struct text reason = TEXT_NONE;
    bool fits = !field->has_length || (value.bytes >= field->least && value.bytes <= field->most);
    if (!fits) {
        wrong(errors, field,
              arena_print(errors->arena, "must have %llu to %llu bytes",
                          (unsigned long long)field->least, (unsigned long long)field->most));
        return;
    }
    if (!text_is_clean_utf8(value)) {
        wrong(errors, field, TEXT("must be UTF-8 without control characters"));
        return;
    }
    if (value.bytes > 0 && !check_value(field->check, value, &reason)) wrong(errors, field, reason);
}

static void take_text(const struct field *field, yyjson_val *value, void *record,
                      struct field_errors *errors)
{
    if (!yyjson_is_str(value)) {
        wrong(errors, field, TEXT("must be a string"));
        return;
    }
    struct text t =
        arena_text(errors->arena, (struct text){yyjson_get_str(value), yyjson_get_len(value)});
    check_length(field, t, errors);
    field_set_text(field, record, t);
}

static void take_choice(const struct field *field, yyjson_val *value, void *record,
                        struct field_errors *errors)
{
    struct text word = {yyjson_get_str(value), yyjson_get_len(value)};
    uint32_t number = yyjson_is_str(value) ? choice_number(field->choice, word) : 0;
    if (number == 0) {
        wrong(errors, field, choice_words(field->choice, errors->arena));
        return;
    }
    field_set_number(field, record, number);
}

static void take_number(const struct field *field, yyjson_val *value, void *record,
                        struct field_errors *errors)
{
    uint64_t number = yyjson_get_uint(value);
    bool is_in_range = !field->has_range || (number >= field->least && number <= field->most);
    if (!yyjson_is_uint(value) || !is_in_range) {
        wrong(errors, field,
              field->has_range
                  ? arena_print(errors->arena, "must be a whole number from %llu to %llu",
                                (unsigned long long)field->least, (unsigned long long)field->most)
                  : TEXT("must be a whole number, not negative"));
        return;
    }
    field_set_number(field, record, number);
}

static void take_id(const struct field *field, yyjson_val *value, void *record,
                    struct field_errors *errors)
{
    uint64_t id = 0;
    struct text digits = {yyjson_get_str(value), yyjson_get_len(value)};
    if (!yyjson_is_str(value) || !text_to_u64(digits, INT64_MAX, &id) || id == 0) {
        wrong(errors, field, TEXT("must be an id: digits in a string"));
        return;
    }
    field_set_number(field, record, id);
}

static void take_time(const struct field *field, yyjson_val *value, void *record,
                      struct field_errors *errors)
{
    uint64_t ms = 0;
    struct text t = {yyjson_get_str(value), yyjson_get_len(value)};
    if (!yyjson_is_str(value) || !time_from_text(t, &ms)) {
        wrong(errors, field, TEXT("must be a time such as 2026-03-01T08:00:00Z, or a date"));
        return;
    }
    field_set_number(field, record, ms);
}

static void take_list(const struct field *field, yyjson_val *value, void *record,
                      struct field_errors *errors)
{
    struct text lines = TEXT_NONE, reason = TEXT_NONE;
    size_t index, count;
    yyjson_val *item;
    size_t items = yyjson_arr_size(value);
    if (!yyjson_is_arr(value) || items < field->least || items > field->most) {
        wrong(errors, field,
              arena_print(errors->arena, "must be a list of %llu to %llu strings",
                          (unsigned long long)field->least, (unsigned long long)field->most));
        return;
    }
    yyjson_arr_foreach(value, index, count, item)
    {
        struct text t = {yyjson_get_str(item), yyjson_get_len(item)};
        bool is_line = yyjson_is_str(item) && t.bytes > 0 && t.bytes <= 1024 &&
                       text_is_clean_utf8(t) && memchr(t.data, '\n', t.bytes) == NULL;
        if (!is_line) {
            wrong(errors, field, TEXT("must hold strings of 1 to 1024 bytes, one line each"));
            return;
        }
        lines = index == 0
                    ? arena_text(errors->arena, t)
                    : arena_print(errors->arena, "%.*s\n%.*s", TEXT_ARGS(lines), TEXT_ARGS(t));
    }
    if (lines.bytes > 0 && !check_value(field->check, lines, &reason)) wrong(errors, field, reason);
    field_set_text(field, record, lines);
}

static void take_object(const struct field *field, yyjson_val *value, void *record,
                        struct field_errors *errors)
{
    size_t bytes = 0;
    if (!yyjson_is_obj(value)) {
        wrong(errors, field, TEXT("must be an object"));
        return;
    }
    char *written = yyjson_val_write(value, 0, &bytes);
    if (written == NULL || bytes > field->most) {
        wrong(errors, field, TEXT("is too long"));
    } else {
        field_set_text(field, record, arena_text(errors->arena, (struct text){written, bytes}));
    }
    free(written);
}

static void take(const struct field *field, yyjson_val *value, void *record,
                 struct field_errors *errors)
{
    if (yyjson_is_null(value)) {
        if (!field->is_nullable) {
            wrong(errors, field, TEXT("must not be null"));
        } else if (field->kind >= KIND_text) {
            field_set_text(field, record, TEXT_NONE);
        } else {
            field_set_number(field, record, 0);
        }
        return;
    }
    switch (field->kind) {
    case KIND_id: take_id(field, value, record, errors); break;
    case KIND_number: take_number(field, value, record, errors); break;
    case KIND_time: take_time(field, value, record, errors); break;
    case KIND_choice: take_choice(field, value, record, errors); break;
    case KIND_text: take_text(field, value, record, errors); break;
    case KIND_list: take_list(field, value, record, errors); break;
    case KIND_object: take_object(field, value, record, errors); break;
    case KIND_flag:
        if (!yyjson_is_bool(value)) wrong(errors, field, TEXT("must be true or false"));
        field_set_number(field, record, yyjson_get_bool(value));
        break;
    }
}

static void fill_in(const struct record_type *type, void *record, uint64_t given,
                    struct field_errors *errors)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (given & FIELD_BIT(i)) continue;
        if (fields[i].shown & NEEDED) wrong(errors, &fields[i], TEXT("is missing"));
        if (fields[i].has_default) field_set_number(&fields[i], record, fields[i].default_value);
    }
}

static void take_members(const struct record_type *type, yyjson_val *object, enum shown purpose,
                         void *record, uint64_t *given, struct field_errors *errors)
{
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, index, count, key, value)
    {
        struct text name = {yyjson_get_str(key), yyjson_get_len(key)};
        unsigned number = record_field_number(type, name);
        const struct field *field = number < type->field_count ? &type->fields()[number] : NULL;
        if (field == NULL || (field->shown & purpose) == 0) {
            bool is_shown = field != NULL && field->shown & (READ | CREATE | UPDATE);
            name.bytes = name.bytes > 64 ? 64 : name.bytes;
            field_errors_add(errors, name,
                             is_shown ? TEXT("cannot be set here")
                                      : TEXT("is not a field of this"));
        } else if (*given & FIELD_BIT(number)) {
            wrong(errors, field, TEXT("stands twice"));
        } else {
            *given |= FIELD_BIT(number);
            take(field, value, record, errors);
        }
        if (errors->count >= 64) return; /* enough said */
    }
}

enum err json_read(const struct record_type *type, struct text body, enum shown purpose,
                   void *record, uint64_t *given, struct field_errors *errors, size_t *offset,
                   struct arena *arena)
{
    yyjson_read_err bad = {0};
    *given = 0;
    errors->arena = arena;
    /* yyjson wants a char * but does not write to it without YYJSON_READ_INSITU. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)body.data, body.bytes, YYJSON_READ_NOFLAG, NULL, &bad);
    if (doc == NULL) {
        *offset = bad.pos;
        return bad.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? ERR_OVERLOADED : ERR_BAD_JSON;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root)) {
        field_errors_add(errors, TEXT("body"), TEXT("must be an object"));
    } else {
        take_members(type, root, purpose, record, given, errors);
        if (purpose == CREATE) fill_in(type, record, *given, errors);
    }
    yyjson_doc_free(doc);
    if (arena_overflowed(arena)) return ERR_OVERLOADED; /* texts and errors may be missing */
    return errors->count > 0 ? ERR_INVALID : OK;
}
