#include "core/call.h"

#include <assert.h>

/* ---- answers -------------------------------------------------------------------------------------- */

static const struct text content_type_json = TEXT_INIT("application/json");

void reply_start(struct reply *reply, const struct route *route)
{
    reply->status = route->status;
    reply->content_type = route->gives == GIVES_OTHER ? route->content_type : content_type_json;
    reply->etag[0] = '\0';
    json_reset(&reply->body);
}

void reply_data_begin(struct reply *reply)
{
    json_raw(&reply->body, TEXT("{\"code\":0,\"message\":\"success\",\"data\":"));
    reply->body.has_member = false;
}

void reply_data_end(struct reply *reply)
{
    json_close(&reply->body, '}');
}

void reply_one(struct reply *reply, const struct record_type *type, const void *record)
{
    /* What is only passed around (tokens, counts) has no state that a later request could refer to. */
    if (type->table != 0) etag_of(type, record, reply->etag);
    reply_data_begin(reply);
    json_record(&reply->body, type, record, READ);
    reply_data_end(reply);
}

void reply_no_data(struct reply *reply)
{
    reply_data_begin(reply);
    json_null(&reply->body);
    reply_data_end(reply);
}

void reply_list_begin(struct reply *reply)
{
    reply_data_begin(reply);
    json_open(&reply->body, '{');
    json_key(&reply->body, TEXT("items"));
    json_open(&reply->body, '[');
}

void reply_item(struct reply *reply, const struct record_type *type, const void *record)
{
    json_record(&reply->body, type, record, READ);
}

void reply_list_end(struct reply *reply, uint64_t last_id, bool has_more, uint64_t total)
{
    struct json *body = &reply->body;
    char cursor[CURSOR_BYTES];
    assert(!has_more || last_id != 0);
    json_close(body, ']');
    json_key(body, TEXT("next_cursor"));
    if (has_more) {
        cursor_text(last_id, cursor);
        json_string(body, (struct text){cursor, sizeof cursor});
    } else {
        json_null(body);
    }
    json_key(body, TEXT("total"));
    json_number(body, total);
    json_close(body, '}');
    reply_data_end(reply);
}

static enum err reply_failure(struct reply *reply, enum err e, struct text message,
                              const struct field_errors *errors, struct text request_id)
{
    const struct err_info *info = err_info(e);
    struct json *body = &reply->body;
    reply->status = info->status;
    reply->content_type = content_type_json;
    reply->etag[0] = '\0';
    json_reset(body);
    json_open(body, '{');
    json_key(body, TEXT("code"));
    json_number(body, info->code);
    json_member(body, "message", message);
    json_key(body, TEXT("data"));
    if (errors == NULL || errors->first == NULL) {
        json_null(body);
    } else {
        json_open(body, '{');
        json_key(body, TEXT("errors"));
        json_open(body, '[');
        for (const struct field_error *error = errors->first; error != NULL; error = error->next) {
            json_open(body, '{');
            json_member(body, "field", error->field);
            json_member(body, "reason", error->reason);
            json_close(body, '}');
        }
        json_close(body, ']');
        json_close(body, '}');
    }
    json_member(body, "request_id", request_id);
    json_close(body, '}');
    return e;
}

enum err reply_error(struct reply *reply, enum err e, const struct field_errors *errors,
                     struct text request_id)
{
    return reply_failure(reply, e, err_info(e)->sentence, errors, request_id);
}

enum err reply_error_field(struct reply *reply, enum err e, struct text field, struct text reason,
                           struct text request_id)
{
    struct field_error error = {field, reason, NULL};
    return reply_error(
        reply, e, &(struct field_errors){.first = &error, .last = &error, .count = 1}, request_id);
}

enum err reply_error_saying(struct reply *reply, enum err e, struct text message,
                            struct text request_id)
{
    return reply_failure(reply, e, message, NULL, request_id);
}

/* ---- entity tags ---------------------------------------------------------------------------------- */

static char *hex_put(char *out, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) *out++ = digits[value >> shift & 15];
    return out;
}

enum { ETAG_PART = 16, ETAG_EDIT_END = 1 + ETAG_PART, ETAG_BYTES = 3 + 2 * ETAG_PART };

void etag_of(const struct record_type *type, const void *record, char etag[ETAG_SIZE])
{
    const struct field *fields = type->fields();
    uint64_t edit = type->table, rest = type->table;
    static_assert((int)ETAG_BYTES < (int)ETAG_SIZE, "a tag and its closing zero byte");
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct field *field = &fields[i];
        bool is_edited = field->shown & UPDATE || field->is_key;
        if (!is_edited && (field->shown & READ) == 0) continue;
        uint64_t sum = is_edited ? edit : rest;
        sum = field_is_textual(field) ? mix_text(sum, field_text(field, record))
                                      : mix(sum, field_number(field, record));
        *(is_edited ? &edit : &rest) = sum;
    }
    char *out = etag;
    *out++ = '"';
    out = hex_put(out, edit);
    *out++ = '-';
    out = hex_put(out, mix(edit, rest));
    *out++ = '"';
    *out = '\0';
    assert(out - etag == ETAG_BYTES);
}

/* Takes one tag off a list, its quotes included. False at the end, or where the list is malformed. */
static bool tag_take(struct text *list, struct text *tag, bool *is_weak)
{
    while (list->bytes > 0 &&
           (list->data[0] == ',' || list->data[0] == ' ' || list->data[0] == '\t')) {
        list->data++;
        list->bytes--;
    }
    *is_weak = text_starts(*list, TEXT("W/"));
    if (*is_weak) *list = (struct text){list->data + 2, list->bytes - 2};
    if (list->bytes < 2 || list->data[0] != '"') return false;
    const char *end = memchr(list->data + 1, '"', list->bytes - 1);
    if (end == NULL) return false;
    *tag = (struct text){list->data, (size_t)(end + 1 - list->data)};
    *list = (struct text){end + 1, list->bytes - tag->bytes};
    return true;
}

bool etag_matches(struct text if_match, const char *etag, bool edit_part_only)
{
    struct text is = text_of(etag), tag;
    bool is_weak;
    if_match = text_trim(if_match);
    if (text_equal(if_match, TEXT("*"))) return true;
    while (tag_take(&if_match, &tag, &is_weak)) {
        if (is_weak && edit_part_only) continue;
        bool has_parts = tag.bytes == ETAG_BYTES && is.bytes == ETAG_BYTES;
        if (edit_part_only && has_parts && memcmp(tag.data, is.data, ETAG_EDIT_END + 1) == 0)
            return true;
        if (text_equal(tag, is)) return true;
    }
    return false;
}

enum err call_guard(const struct call *call, const struct record_type *type, const void *record)
{
    char etag[ETAG_SIZE];
    if (call->if_match.bytes == 0) return OK;
    etag_of(type, record, etag);
    return etag_matches(call->if_match, etag, true) ? OK : ERR_ETAG_MISMATCH;
}

/* ---- cursors -------------------------------------------------------------------------------------- */

/* Twelve bytes in base64url: the id and four bytes that depend on it. */
enum { CURSOR_RAW_BYTES = 12 };
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void cursor_raw(uint64_t id, uint8_t raw[CURSOR_RAW_BYTES])
{
    uint64_t sum = mix(mix(0x686f6d65706f7274u, id), 0x637572736f72u); /* "homeport", "cursor" */
    for (unsigned i = 0; i < 8; i++) raw[i] = (uint8_t)(id >> (56 - 8 * i));
    for (unsigned i = 0; i < 4; i++) raw[8 + i] = (uint8_t)(sum >> (8 * i));
}

void cursor_text(uint64_t id, char out[CURSOR_BYTES])
{
    uint8_t raw[CURSOR_RAW_BYTES];
    cursor_raw(id, raw);
    for (unsigned i = 0; i < CURSOR_RAW_BYTES; i += 3, out += 4) {
        uint32_t three = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        for (unsigned j = 0; j < 4; j++) out[j] = base64url[three >> (18 - 6 * j) & 63];
    }
}

enum err cursor_read(struct text cursor, uint64_t *id)
{
    uint64_t sum = 0;
    char again[CURSOR_BYTES];
    if (cursor.bytes != CURSOR_BYTES) return ERR_BAD_CURSOR;
    for (unsigned i = 0; i < 11;
         i++) { /* eleven letters hold the eight bytes of the id, and two bits more */
        const char *letter = memchr(base64url, cursor.data[i], 64);
        if (letter == NULL) return ERR_BAD_CURSOR;
        uint64_t six = (uint64_t)(letter - base64url);
        sum = i < 10 ? sum << 6 | six : sum << 4 | six >> 2;
    }
    cursor_text(sum, again); /* one id has one cursor: the rest need not be taken apart */
    if (sum == 0 || memcmp(again, cursor.data, CURSOR_BYTES) != 0) return ERR_BAD_CURSOR;
    *id = sum;
    return OK;
}

/* ---- queries -------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(struct text t, bool is_form, struct arena *arena, struct text *out)
{
    char *data = arena_alloc(arena, t.bytes + 1);
    size_t bytes = 0;
    *out = TEXT_NONE;
    if (data == NULL) return false;
    for (size_t i = 0; i < t.bytes; i++) {
        char c = t.data[i];
        if (c == '%') {
            int high = i + 2 < t.bytes ? hex_digit(t.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(t.data[i + 2]) : -1;
            if (low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        if (c == '\0') return false;
        data[bytes++] = c;
    }
    *out = (struct text){data, bytes};
    return true;
}

struct text call_query(const struct call *call, struct text name, struct arena *arena)
{
    struct text rest = call->query, value, key;
    while (rest.data != NULL) {
        struct text pair = text_cut(&rest, '&');
        struct text raw_key = text_cut(&pair, '=');
        if (!percent_decode(raw_key, true, arena, &key) || !text_equal(key, name)) continue;
        return percent_decode(pair, true, arena, &value) ? value : TEXT_NONE;
    }
    return TEXT_NONE;
}
