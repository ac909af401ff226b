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
        size_t length = utf8_sequence_bytes((struct text){(const char *)in + i, bytes - i});
        memcpy(out + n, length > 0 ? (const char *)in + i : "\xef\xbf\xbd",
               length > 0 ? length : 3);
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

/* Two digits at a time, from the end of `out` on; the place of the first. */
static char *decimal_before(uint64_t value, char *end)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    for (; value >= 100; value /= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (value % 100), 2);
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + 2 * value, 2);
        return end;
    }
    *--end = (char)('0' + value);
    return end;
}

static size_t decimal(uint64_t value, char out[20])
{
    char digits[40] = {0};
    const char *first = decimal_before(value, digits + 20);
    memcpy(out, first, 20); /* a fixed number of bytes is two moves, not a call */
    return (size_t)(digits + 20 - first);
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
    case KIND_choice:
        json_string(json, choice_word(field->choice, field_number(field, record)));
        break;
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
    case KIND_number: return decimal(field_number(field, record), out);
    case KIND_flag:
        n = field_number(field, record) != 0 ? 4 : 5;
        memcpy(out, n == 4 ? "true" : "false", n);
        return n;
    case KIND_id: n = decimal(field_number(field, record), out + 1); break;
    case KIND_time:
        time_to_text(field_number(field, record), out + 1);
        n = TIME_TEXT_BYTES;
        break;
    default: return 0;
    }
    out[0] = out[n + 1] = '"';
    return n + 2;
}

/* The same as json_key() and json_field(), but with one look at the room for both: this is half of what a
 * read costs. */
static void json_record_field(struct json *json, const struct field *field, const void *record)
{
    size_t comma_bytes = json->has_member ? 1 : 0;
    char *begin = reserve(json, JSON_KEY_ROOM + SHORT_BYTES_MAX), *out = begin;
    if (out == NULL) return;
    memcpy(out, field->json_key + 1 - comma_bytes,
           JSON_KEY_ROOM); /* two moves; its end is overwritten */
    out += field->json_key_bytes + comma_bytes;
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

void json_record(struct json *json, const struct record_type *type, const void *record,
                 unsigned shown)
{
    const struct field *fields = type->fields();
    json_open(json, '{');
    for (unsigned i = 0; i < type->field_count; i++) {
        if ((fields[i].shown & shown) != 0) json_record_field(json, &fields[i], record);
    }
    json_close(json, '}');
}
