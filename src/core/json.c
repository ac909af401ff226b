#include "core/json.h"

#include <assert.h>
#include <stdlib.h>
#include <yyjson.h>

/* ---- out ------------------------------------------------------------------------------------------ */

enum { ROOM_FIRST = 1024, SHORT_BYTES_MAX = TIME_TEXT_BYTES + 2 };

void json_init(struct json *json, size_t max)
{
    *json = (struct json){.max = max};
}

void json_free(struct json *json)
{
    free(json->data);
    *json = (struct json){.max = json->max};
}

void json_reset(struct json *json)
{
    json->bytes = 0;
    json->overflowed = false;
    json->has_member = false;
}

/* Room for `bytes` more, or NULL. */
static char *reserve(struct json *json, size_t bytes)
{
    if (json->overflowed) return NULL;
    if (json->room - json->bytes >= bytes) return json->data + json->bytes;
    size_t room = json->room == 0 ? ROOM_FIRST : json->room;
    bool fits = json->bytes <= json->max && bytes <= json->max - json->bytes;
    while (fits && room - json->bytes < bytes) room *= 2;
    char *data = fits ? realloc(json->data, room) : NULL;
    if (data == NULL) {
        json->overflowed = true;
        return NULL;
    }
    json->data = data;
    json->room = room;
    return data + json->bytes;
}

void json_raw(struct json *json, struct text t)
{
    if (t.bytes == 0) return;
    char *out = reserve(json, t.bytes);
    if (out == NULL) return;
    memcpy(out, t.data, t.bytes);
    json->bytes += t.bytes;
}

/* Takes one byte and, when one is due, the comma before it. */
static void put(struct json *json, char c, bool takes_comma)
{
    char *out = reserve(json, 2);
    if (out == NULL) return;
    if (takes_comma && json->has_member) {
        *out++ = ',';
        json->bytes++;
    }
    *out = c;
    json->bytes++;
}

static void comma(struct json *json)
{
    if (json->has_member) json_raw(json, TEXT(","));
    json->has_member = true;
}

void json_open(struct json *json, char bracket)
{
    put(json, bracket, true);
    json->has_member = false;
}

void json_close(struct json *json, char bracket)
{
    put(json, bracket, false);
    json->has_member = true;
}

static void quoted(struct json *json, struct text value);

void json_key(struct json *json, struct text name)
{
    if (json->has_member) json_raw(json, TEXT(","));
    quoted(json, name);
    json_raw(json, TEXT(":"));
    json->has_member = false;
}

void json_string(struct json *json, struct text value)
{
    comma(json);
    quoted(json, value);
}

/* Length of the well-formed UTF-8 sequence at data, 0 when there is none. */
static size_t utf8_sequence(const unsigned char *data, size_t bytes)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = data[0] < 0x80 ? 1 : data[0] >= 0xf0 ? 4 : data[0] >= 0xe0 ? 3 : 2;
    if (n == 1) return 1;
    if (data[0] < 0xc2 || data[0] > 0xf4 || n > bytes) return 0;
    uint32_t point = data[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((data[i] & 0xc0) != 0x80) return 0;
        point = point << 6 | (data[i] & 0x3f);
    }
    bool is_surrogate = point >= 0xd800 && point < 0xe000;
    return point < least[n] || point > 0x10ffff || is_surrogate ? 0 : n;
}

static size_t escape_byte(unsigned char c, char *out)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn\0fr"; /* \b \t \n (none) \f \r */
    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = (char)c;
        return 2;
    }
    if (c >= 8 && c <= 13 && letters[c - 8] != 0) {
        out[1] = letters[c - 8];
        return 2;
    }
    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Bytes that a text may take: one each when all are plain. */
static size_t quoted_bytes_max(const unsigned char *in, size_t bytes)
{
    size_t most = bytes;
    for (size_t i = 0; i < bytes; i++) {
        if (!is_plain(in[i])) most += in[i] < 0x80 ? 5 : 2; /* \u00xx, or U+FFFD for a stray byte */
    }
    return most;
}

static size_t escape(const unsigned char *in, size_t bytes, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes;) {
        if (is_plain(in[i])) {
            out[n++] = (char)in[i++];
            continue;
        }
        if (in[i] < 0x80) {
            n += escape_byte(in[i++], out + n);
            continue;
        }
        size_t length = utf8_sequence(in + i, bytes - i);
        memcpy(out + n, length > 0 ? (const char *)in + i : "\xef\xbf\xbd", length > 0 ? length : 3);
        n += length > 0 ? length : 3;
        i += length > 0 ? length : 1;
    }
    return n;
}

static void quoted(struct json *json, struct text value)
{
    const unsigned char *in = (const unsigned char *)value.data;
    size_t most = quoted_bytes_max(in, value.bytes);
    char *out = reserve(json, most + 2);
    if (out == NULL) return;
    size_t n = value.bytes;
    if (most > value.bytes) {
        n = escape(in, value.bytes, out + 1);
    } else if (n > 0) {
        memcpy(out + 1, in, n);
    }
    assert(n <= most);
    out[0] = '"';
    out[n + 1] = '"';
    json->bytes += n + 2;
}

static size_t decimal(uint64_t value, char out[20])
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + first, sizeof digits - first);
    return sizeof digits - first;
}

void json_number(struct json *json, uint64_t value)
{
    char digits[20];
    comma(json);
    json_raw(json, (struct text){digits, decimal(value, digits)});
}

void json_signed(struct json *json, int64_t value)
{
    char digits[21] = "-";
    if (value >= 0) {
        json_number(json, (uint64_t)value);
        return;
    }
    comma(json);
    json_raw(json, (struct text){digits, 1 + decimal((uint64_t)0 - (uint64_t)value, digits + 1)});
}

void json_bool(struct json *json, bool value)
{
    json_value(json, value ? TEXT("true") : TEXT("false"));
}

void json_null(struct json *json)
{
    json_value(json, TEXT("null"));
}

void json_id(struct json *json, uint64_t id)
{
    char out[22];
    size_t n = decimal(id, out + 1);
    out[0] = '"';
    out[n + 1] = '"';
    json_value(json, (struct text){out, n + 2});
}

void json_time(struct json *json, uint64_t ms)
{
    char out[TIME_TEXT_BYTES + 2];
    out[0] = '"';
    time_to_text(ms, out + 1);
    out[TIME_TEXT_BYTES + 1] = '"';
    json_value(json, (struct text){out, sizeof out});
}

void json_value(struct json *json, struct text raw)
{
    comma(json);
    json_raw(json, raw);
}

void json_member(struct json *json, const char *name, struct text value)
{
    json_key(json, text_of(name));
    json_string(json, value);
}

static void json_list(struct json *json, struct text lines)
{
    json_open(json, '[');
    if (lines.bytes > 0) {
        while (lines.data != NULL) json_string(json, text_cut(&lines, '\n'));
    }
    json_close(json, ']');
}

void json_field(struct json *json, const struct field *field, const void *record, bool redact)
{
    bool is_empty = field_is_empty(field, record);
    if (is_empty && field->is_nullable) {
        json_null(json);
        return;
    }
    if (redact && field->is_secret) {
        json_string(json, is_empty ? TEXT("") : TEXT("***"));
        return;
    }
    switch (field->kind) {
    case KIND_id: json_id(json, field_number(field, record)); break;
    case KIND_number: json_number(json, field_number(field, record)); break;
    case KIND_time: json_time(json, field_number(field, record)); break;
    case KIND_flag: json_bool(json, field_number(field, record) != 0); break;
    case KIND_choice: json_string(json, choice_word(field->choice, field_number(field, record))); break;
    case KIND_text: json_string(json, field_text(field, record)); break;
    case KIND_list: json_list(json, field_text(field, record)); break;
    case KIND_object: json_value(json, is_empty ? TEXT("null") : field_text(field, record)); break;
    }
}

/* A value of at most SHORT_BYTES_MAX bytes, of the kinds that records have most of; 0 for the others. */
static size_t short_value(const struct field *field, const void *record, char *out)
{
    size_t n;
    switch (field->kind) {
    case KIND_number:
        return decimal(field_number(field, record), out);
    case KIND_flag:
        n = field_number(field, record) != 0 ? 4 : 5;
        memcpy(out, n == 4 ? "true" : "false", n);
        return n;
    case KIND_id:
        n = decimal(field_number(field, record), out + 1);
        break;
    case KIND_time:
        time_to_text(field_number(field, record), out + 1);
        n = TIME_TEXT_BYTES;
        break;
    default:
        return 0;
    }
    out[0] = out[n + 1] = '"';
    return n + 2;
}

/* The same as json_key() and json_field(), but with one look at the room for both: this is half of what a
 * read costs. */
static void json_record_field(struct json *json, const struct field *field, const void *record)
{
    struct text key = field->json_key;
    char *begin = reserve(json, 1 + key.bytes + SHORT_BYTES_MAX), *out = begin;
    if (out == NULL) return;
    if (json->has_member) *out++ = ',';
    memcpy(out, key.data, key.bytes);
    out += key.bytes;
    size_t n = 4;
    if (field->is_nullable && field_is_empty(field, record)) {
        memcpy(out, "null", n);
    } else {
        n = short_value(field, record, out);
    }
    json->bytes += (size_t)(out - begin) + n;
    json->has_member = n > 0;
    if (n == 0) json_field(json, field, record, false);
}

void json_record(struct json *json, const struct record_type *type, const void *record, unsigned shown)
{
    const struct field *fields = type->fields();
    json_open(json, '{');
    for (unsigned i = 0; i < type->field_count; i++) {
        if ((fields[i].shown & shown) != 0) json_record_field(json, &fields[i], record);
    }
    json_close(json, '}');
}

/* ---- in ------------------------------------------------------------------------------------------- */

void field_errors_add(struct field_errors *errors, struct text field, struct text reason)
{
    struct field_error *error = arena_new(errors->arena, struct field_error);
    if (error == NULL) return;
    *error = (struct field_error){arena_text(errors->arena, field), arena_text(errors->arena, reason), NULL};
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
        wrong(errors, field, arena_print(errors->arena, "must have %llu to %llu bytes",
                                         (unsigned long long)field->least, (unsigned long long)field->most));
        return;
    }
    if (!text_is_clean_utf8(value)) {
        wrong(errors, field, TEXT("must be UTF-8 without control characters"));
        return;
    }
    if (value.bytes > 0 && !check_value(field->check, value, &reason)) wrong(errors, field, reason);
}

static void take_text(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
{
    if (!yyjson_is_str(value)) {
        wrong(errors, field, TEXT("must be a string"));
        return;
    }
    struct text t = arena_text(errors->arena, (struct text){yyjson_get_str(value), yyjson_get_len(value)});
    check_length(field, t, errors);
    field_set_text(field, record, t);
}

static void take_choice(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
{
    struct text word = {yyjson_get_str(value), yyjson_get_len(value)};
    uint32_t number = yyjson_is_str(value) ? choice_number(field->choice, word) : 0;
    if (number == 0) {
        wrong(errors, field, choice_words(field->choice, errors->arena));
        return;
    }
    field_set_number(field, record, number);
}

static void take_number(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
{
    uint64_t number = yyjson_get_uint(value);
    bool is_in_range = !field->has_range || (number >= field->least && number <= field->most);
    if (!yyjson_is_uint(value) || !is_in_range) {
        wrong(errors, field, field->has_range
            ? arena_print(errors->arena, "must be a whole number from %llu to %llu",
                          (unsigned long long)field->least, (unsigned long long)field->most)
            : TEXT("must be a whole number, not negative"));
        return;
    }
    field_set_number(field, record, number);
}

static void take_id(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
{
    uint64_t id = 0;
    struct text digits = {yyjson_get_str(value), yyjson_get_len(value)};
    if (!yyjson_is_str(value) || !text_to_u64(digits, INT64_MAX, &id) || id == 0) {
        wrong(errors, field, TEXT("must be an id: digits in a string"));
        return;
    }
    field_set_number(field, record, id);
}

static void take_time(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
{
    uint64_t ms = 0;
    struct text t = {yyjson_get_str(value), yyjson_get_len(value)};
    if (!yyjson_is_str(value) || !time_from_text(t, &ms)) {
        wrong(errors, field, TEXT("must be a time such as 2026-03-01T08:00:00Z, or a date"));
        return;
    }
    field_set_number(field, record, ms);
}

static void take_list(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
{
    struct text lines = TEXT_NONE, reason = TEXT_NONE;
    size_t index, count;
    yyjson_val *item;
    size_t items = yyjson_arr_size(value);
    if (!yyjson_is_arr(value) || items < field->least || items > field->most) {
        wrong(errors, field, arena_print(errors->arena, "must be a list of %llu to %llu strings",
                                         (unsigned long long)field->least, (unsigned long long)field->most));
        return;
    }
    yyjson_arr_foreach(value, index, count, item)
    {
        struct text t = {yyjson_get_str(item), yyjson_get_len(item)};
        bool is_line = yyjson_is_str(item) && t.bytes > 0 && t.bytes <= 1024 && text_is_clean_utf8(t) &&
                       memchr(t.data, '\n', t.bytes) == NULL;
        if (!is_line) {
            wrong(errors, field, TEXT("must hold strings of 1 to 1024 bytes, one line each"));
            return;
        }
        lines = index == 0 ? arena_text(errors->arena, t)
                           : arena_print(errors->arena, "%.*s\n%.*s", TEXT_ARGS(lines), TEXT_ARGS(t));
    }
    if (lines.bytes > 0 && !check_value(field->check, lines, &reason)) wrong(errors, field, reason);
    field_set_text(field, record, lines);
}

static void take_object(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
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

static void take(const struct field *field, yyjson_val *value, void *record, struct field_errors *errors)
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

static void fill_in(const struct record_type *type, void *record, uint64_t given, struct field_errors *errors)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (given & FIELD_BIT(i)) continue;
        if (fields[i].shown & NEEDED) wrong(errors, &fields[i], TEXT("is missing"));
        if (fields[i].has_default) field_set_number(&fields[i], record, fields[i].default_value);
    }
}

static void take_members(const struct record_type *type, yyjson_val *object, enum shown purpose, void *record,
                         uint64_t *given, struct field_errors *errors)
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
            field_errors_add(errors, name, is_shown ? TEXT("cannot be set here") : TEXT("is not a field of this"));
        } else if (*given & FIELD_BIT(number)) {
            wrong(errors, field, TEXT("stands twice"));
        } else {
            *given |= FIELD_BIT(number);
            take(field, value, record, errors);
        }
        if (errors->count >= 64) return; /* enough said */
    }
}

enum err json_read(const struct record_type *type, struct text body, enum shown purpose, void *record,
                   uint64_t *given, struct field_errors *errors, size_t *offset, struct arena *arena)
{
    yyjson_read_err bad = {0};
    *given = 0;
    errors->arena = arena;
    /* yyjson wants a char * but does not write to it without YYJSON_READ_INSITU. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.data, body.bytes, YYJSON_READ_NOFLAG, NULL, &bad);
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

/* ---- times ---------------------------------------------------------------------------------------- */

#define SECONDS_END 253402300800 /* 10000-01-01T00:00:00Z */

/* Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant's civil-from-days arithmetic). */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void digits_put(char *out, unsigned width, uint64_t value)
{
    while (width-- > 0) {
        out[width] = (char)('0' + value % 10);
        value /= 10;
    }
}

void time_to_text(uint64_t ms, char out[TIME_TEXT_BYTES])
{
    int64_t year;
    unsigned month, day;
    if (ms >= SECONDS_END * 1000u) ms = SECONDS_END * 1000u - 1; /* only from a damaged record */
    uint64_t of_day = ms % 86400000;
    date_of((int64_t)(ms / 86400000), &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT_BYTES);
    digits_put(out, 4, (uint64_t)year);
    digits_put(out + 5, 2, month);
    digits_put(out + 8, 2, day);
    digits_put(out + 11, 2, of_day / 3600000);
    digits_put(out + 14, 2, of_day / 60000 % 60);
    digits_put(out + 17, 2, of_day / 1000 % 60);
    digits_put(out + 20, 3, of_day % 1000);
}

/* Takes `width` digits and then `end` (0: nothing). */
static bool digits_take(struct text *t, unsigned width, char end, uint64_t *value)
{
    if (t->bytes < width || !text_to_u64((struct text){t->data, width}, 9999, value)) return false;
    t->data += width;
    t->bytes -= width;
    if (end == 0) return true;
    if (t->bytes == 0 || t->data[0] != end) return false;
    t->data++;
    t->bytes--;
    return true;
}

static bool zone_take(struct text t, int64_t *minutes)
{
    uint64_t hour, minute;
    *minutes = 0;
    if (t.bytes == 1 && (t.data[0] == 'Z' || t.data[0] == 'z')) return true;
    if (t.bytes != 6 || (t.data[0] != '+' && t.data[0] != '-')) return false;
    int64_t sign = t.data[0] == '-' ? -1 : 1;
    t = (struct text){t.data + 1, 5};
    if (!digits_take(&t, 2, ':', &hour) || !digits_take(&t, 2, 0, &minute)) return false;
    if (hour > 23 || minute > 59) return false;
    *minutes = sign * (int64_t)(hour * 60 + minute);
    return true;
}

static bool fraction_take(struct text *t, uint64_t *ms)
{
    unsigned digits = 0;
    *ms = 0;
    if (t->bytes == 0 || t->data[0] != '.') return true;
    for (t->data++, t->bytes--; t->bytes > 0 && t->data[0] >= '0' && t->data[0] <= '9'; t->data++, t->bytes--) {
        if (digits++ < 3) *ms = *ms * 10 + (uint64_t)(t->data[0] - '0');
    }
    for (unsigned i = digits; i < 3; i++) *ms *= 10;
    return digits > 0 && digits <= 9;
}

bool time_from_text(struct text t, uint64_t *ms)
{
    static const uint8_t days_in[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t year, month, day, hour = 0, minute = 0, second = 0, part = 0;
    int64_t zone = 0;
    if (!digits_take(&t, 4, '-', &year) || !digits_take(&t, 2, '-', &month) || !digits_take(&t, 2, 0, &day)) return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in[month - 1]) return false;
    if (month == 2 && day == 29 && !is_leap) return false;
    if (t.bytes > 0) {
        if (t.data[0] != 'T' && t.data[0] != 't' && t.data[0] != ' ') return false;
        t = (struct text){t.data + 1, t.bytes - 1};
        if (!digits_take(&t, 2, ':', &hour) || !digits_take(&t, 2, ':', &minute) || !digits_take(&t, 2, 0, &second)) return false;
        if (hour > 23 || minute > 59 || second > 60 || !fraction_take(&t, &part) || !zone_take(t, &zone)) return false;
    }
    int64_t seconds = days_of((int64_t)year, (unsigned)month, (unsigned)day) * 86400 +
                      (int64_t)(hour * 3600 + minute * 60 + second) - zone * 60;
    /* Zero is "no time"; a zone or a leap second may lead out of the last year that has four digits. */
    if (seconds <= 0 || seconds >= SECONDS_END) return false;
    *ms = (uint64_t)seconds * 1000 + part;
    return true;
}
