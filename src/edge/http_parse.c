/* From bytes to requests: llhttp cuts, this file decides what may pass.
 *
 * llhttp runs without any lenient flag and by itself refuses bare CR and LF, obs-fold, blanks
 * before a colon, NUL and other control bytes, Content-Length that is not one plain number,
 * Content-Length together with Transfer-Encoding, and malformed chunks. The rules it does not
 * have, or has too kindly, stand here: one blank between the parts of the request line, at most
 * one blank line before it, HTTP/1.0 and 1.1 only, exactly "chunked", one Host that is well
 * formed, the forms of a target, fields that may stand only once, and the limits.
 *
 * Everything is kept as offsets, because a request that takes several reads moves to a buffer of
 * its own. Bodies are put together in place: each chunk's bytes move down over the framing in
 * front of them, so a chunked body takes no more memory than a plain one and ends up as one
 * span. */
#include "edge/http_private.h"

#include <assert.h>
#include <stdlib.h>

static const struct text method_names[] = {
#define METHOD_ROW(number, name, string) [number] = TEXT_INIT(#string),
    HTTP_METHOD_MAP(METHOD_ROW)
#undef METHOD_ROW
};

static const struct text field_names[HTTP_FIELD_COUNT] = {
#define NAME_ROW(name, field) [HTTP_FIELD_##name] = TEXT_INIT(field),
    HTTP_FIELDS(NAME_ROW, NAME_ROW)
#undef NAME_ROW
        [HTTP_FIELD_expect] = TEXT_INIT("expect"),
    [HTTP_FIELD_transfer_encoding] = TEXT_INIT("transfer-encoding"),
};

#define FIELD_BIT(name)            | UINT32_C(1) << HTTP_FIELD_##name
#define FIELD_BIT_ROW(name, field) FIELD_BIT(name)
#define FIELD_NO_ROW(name, field)
static const uint32_t fields_single =
    0 HTTP_FIELDS(FIELD_NO_ROW, FIELD_BIT_ROW) FIELD_BIT(expect) FIELD_BIT(transfer_encoding);

/* A bit for each length that a field name can have: most unknown names end here. */
#define LENGTH_BIT_ROW(name, field) | UINT64_C(1) << (sizeof(field) - 1)
static const uint64_t field_lengths = 0 HTTP_FIELDS(LENGTH_BIT_ROW, LENGTH_BIT_ROW) |
                                      UINT64_C(1) << (sizeof("expect") - 1) |
                                      UINT64_C(1) << (sizeof("transfer-encoding") - 1);

_Static_assert(HTTP_FIELD_COUNT <= 32, "fields_seen has a bit for each");

/* `lower` against as many token bytes of any case. Setting one bit makes capitals small, and no
 * other byte that may stand in a token becomes a letter or '-' by it. */
static bool is_same_name(const char *lower, const char *token, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((token[i] | 0x20) != lower[i]) return false;
    }
    return true;
}

static enum http_field field_of(struct text name)
{
    if (name.bytes >= 64 || !(field_lengths >> name.bytes & 1)) return HTTP_FIELD_OTHER;
    for (unsigned i = 0; i < HTTP_FIELD_COUNT; i++) {
        if (field_names[i].bytes != name.bytes) continue;
        if (is_same_name(field_names[i].data, name.data, name.bytes)) return (enum http_field)i;
    }
    return HTTP_FIELD_OTHER;
}

static struct text span_text(const char *base, struct http_span span)
{
    return span.bytes == 0 ? TEXT_NONE : (struct text){base + span.begin, span.bytes};
}

static bool has_field(const struct http_parser *p, enum http_field field)
{
    return p->fields_seen >> field & 1;
}

static int refuse(struct http_parser *p, enum err why)
{
    assert(why != OK);
    if (p->why == OK) p->why = why;
    return -1;
}

/* ---- request line ---- */

/* The next piece of a span of the head. Pieces of one span follow each other without a gap. */
static int span_grow(struct http_parser *p, struct http_span *span, const char *at, size_t bytes)
{
    assert(at >= p->base);
    if (bytes == 0) return 0; /* an empty value is told of with a place behind its line */
    size_t begin = (size_t)(at - p->base);
    assert(begin >= p->head_bytes);
    p->head_bytes = begin + bytes;
    if (p->head_bytes - p->line_begin > p->settings->head_bytes_max) {
        return refuse(p, span == &p->target ? ERR_URI_TOO_LONG : ERR_HEAD_TOO_LARGE);
    }
    if (span->bytes == 0) span->begin = (uint32_t)begin;
    assert(span->begin + span->bytes == begin);
    span->bytes += (uint32_t)bytes;
    return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = llhttp->data;
    if (p->part == HTTP_PART_METHOD) {
        /* llhttp would take several blanks. */
        size_t begin = p->line_begin + method_names[llhttp->method].bytes + 1;
        if ((size_t)(at - p->base) != begin) return refuse(p, ERR_BAD_REQUEST);
        p->part = HTTP_PART_TARGET;
    }
    return span_grow(p, &p->target, at, bytes);
}

/* Everything before the first of these bytes is taken off the front of *rest. */
static struct http_span span_cut(const char *base, struct http_span *rest, const char *stops)
{
    struct http_span part = {rest->begin, 0};
    while (part.bytes < rest->bytes && strchr(stops, base[part.begin + part.bytes]) == NULL) {
        part.bytes++;
    }
    rest->begin += part.bytes;
    rest->bytes -= part.bytes;
    return part;
}

/* RFC 9112, 3.2: origin-form, absolute-form, and for OPTIONS "*". The authority is compared when
 * Host is known. */
static enum err target_split(struct http_parser *p)
{
    struct text target = span_text(p->base, p->target);
    if (target.bytes == 0 || memchr(target.data, '#', target.bytes) != NULL) return ERR_BAD_REQUEST;
    struct http_span rest = p->target;
    if (target.data[0] == '*') {
        if (target.bytes > 1 || p->llhttp.method != HTTP_OPTIONS) return ERR_BAD_REQUEST;
    } else if (target.data[0] != '/') {
        size_t scheme = 0;
        if (target.bytes > 7 && text_equal_fold((struct text){target.data, 7}, TEXT("http://")))
            scheme = 7;
        if (target.bytes > 8 && text_equal_fold((struct text){target.data, 8}, TEXT("https://")))
            scheme = 8;
        if (scheme == 0) return ERR_BAD_REQUEST;
        rest.begin += (uint32_t)scheme;
        rest.bytes -= (uint32_t)scheme;
        p->authority = span_cut(p->base, &rest, "/?");
        if (p->authority.bytes == 0) return ERR_BAD_REQUEST;
    }
    p->path = rest;
    const char *mark = memchr(p->base + rest.begin, '?', rest.bytes);
    if (mark != NULL) {
        p->path.bytes = (uint32_t)(mark - p->base) - rest.begin;
        p->query =
            (struct http_span){rest.begin + p->path.bytes + 1, rest.bytes - p->path.bytes - 1};
    }
    return OK;
}

/* The "HTTP" of "HTTP/1.1": the target is complete. */
static int on_protocol(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = llhttp->data;
    (void)bytes;
    if (p->part != HTTP_PART_TARGET) return 0;
    if ((size_t)(at - p->base) != p->target.begin + p->target.bytes + 1)
        return refuse(p, ERR_BAD_REQUEST);
    if (*at != 'H') return refuse(p, ERR_BAD_REQUEST); /* llhttp also speaks RTSP and ICE */
    if (llhttp->method == HTTP_CONNECT) return refuse(p, ERR_NOT_IMPLEMENTED);
    p->part = HTTP_PART_FIELDS;
    p->head_bytes += sizeof(" HTTP/1.1") - 1;
    enum err e = target_split(p);
    return e == OK ? 0 : refuse(p, e);
}

/* ---- header fields ---- */

/* Trailers are checked by llhttp, counted, and thrown away. */
static int extra_count(struct http_parser *p, size_t bytes)
{
    if (bytes > p->settings->head_bytes_max - p->extra_bytes) return refuse(p, ERR_HEAD_TOO_LARGE);
    p->extra_bytes += (uint32_t)bytes;
    return 0;
}

static int on_extra(llhttp_t *llhttp, const char *at, size_t bytes)
{
    (void)at;
    return extra_count(llhttp->data, bytes);
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = llhttp->data;
    if (p->part == HTTP_PART_BODY) return extra_count(p, bytes);
    if (p->part != HTTP_PART_FIELDS)
        return refuse(p, ERR_HTTP_VERSION); /* a request line of HTTP/0.9 */
    return span_grow(p, &p->name, at, bytes);
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = llhttp->data;
    if (p->part == HTTP_PART_BODY) return extra_count(p, bytes);
    return span_grow(p, &p->value, at, bytes);
}

/* X-Forwarded-For is a list that each proxy makes longer, by another field if it likes. */
static enum err forwarded_for_join(struct http_parser *p, struct text value)
{
    struct text before = {p->forwarded_for, p->forwarded_for_bytes};
    if (before.data == NULL) before = span_text(p->base, p->fields[HTTP_FIELD_forwarded_for]);
    char *joined = malloc(before.bytes + 2 + value.bytes);
    if (joined == NULL) return ERR_OVERLOADED;
    if (before.bytes > 0) memcpy(joined, before.data, before.bytes);
    memcpy(joined + before.bytes, ", ", 2);
    if (value.bytes > 0) memcpy(joined + before.bytes + 2, value.data, value.bytes);
    free(p->forwarded_for);
    p->forwarded_for = joined;
    p->forwarded_for_bytes = before.bytes + 2 + value.bytes;
    return OK;
}

static enum err field_take(struct http_parser *p, enum http_field field, struct http_span value)
{
    const char *end = p->base + value.begin;
    while (value.bytes > 0 && (end[value.bytes - 1] == ' ' || end[value.bytes - 1] == '\t')) {
        value.bytes--;
    }
    if (has_field(p, field)) {
        if (fields_single >> field & 1) return ERR_BAD_REQUEST;
        if (field == HTTP_FIELD_forwarded_for)
            return forwarded_for_join(p, span_text(p->base, value));
    }
    p->fields_seen |= UINT32_C(1) << field;
    p->fields[field] = value;
    return OK;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (++p->field_count > p->settings->fields_max) return refuse(p, ERR_HEAD_TOO_LARGE);
    if (p->part == HTTP_PART_BODY) return 0;
    enum http_field field = field_of(span_text(p->base, p->name));
    struct http_span value = p->value;
    p->name = p->value = (struct http_span){0, 0};
    if (field == HTTP_FIELD_OTHER) return 0;
    enum err e = field_take(p, field, value);
    return e == OK ? 0 : refuse(p, e);
}

/* ---- end of the head ---- */

static bool is_host_byte(char c, bool is_v6)
{
    char letter = ascii_lower(c);
    if ((c >= '0' && c <= '9') || c == '.') return true;
    if (is_v6) return c == ':' || (letter >= 'a' && letter <= 'f');
    return (letter >= 'a' && letter <= 'z') || c == '-' || c == '_' || c == '~';
}

/* RFC 9110, 7.2 and RFC 3986, 3.2.2, without what nobody uses (percent-encoding, sub-delims). */
static bool is_host(struct text host)
{
    bool is_v6 = host.bytes > 0 && host.data[0] == '[';
    size_t begin = is_v6 ? 1 : 0, at = begin;
    while (at < host.bytes && is_host_byte(host.data[at], is_v6)) {
        at++;
    }
    if (at == begin) return false;
    if (is_v6 && (at == host.bytes || host.data[at++] != ']')) return false;
    if (at == host.bytes) return true;
    if (host.data[at++] != ':') return false;
    uint64_t port = 0; /* an empty port is allowed, and means none */
    return at == host.bytes ||
           text_to_u64((struct text){host.data + at, host.bytes - at}, 65535, &port);
}

static enum err host_check(const struct http_parser *p)
{
    bool is_http10 = p->llhttp.http_minor == 0;
    if (!has_field(p, HTTP_FIELD_host))
        return is_http10 && p->authority.bytes == 0 ? OK : ERR_BAD_REQUEST;
    struct text host = span_text(p->base, p->fields[HTTP_FIELD_host]);
    if (!is_host(host)) return ERR_BAD_REQUEST;
    if (p->authority.bytes == 0) return OK;
    return text_equal_fold(host, span_text(p->base, p->authority)) ? OK : ERR_BAD_REQUEST;
}

/* RFC 9112, 6.1 and 6.3. A coding that some proxy in front might read differently is not worth
 * serving, nor is Transfer-Encoding in HTTP/1.0. */
static enum err framing_check(const struct http_parser *p)
{
    if (!has_field(p, HTTP_FIELD_transfer_encoding)) return OK;
    if (p->llhttp.http_minor == 0) return ERR_BAD_REQUEST;
    struct text coding = span_text(p->base, p->fields[HTTP_FIELD_transfer_encoding]);
    if (!text_equal(coding, TEXT("chunked")) || !(p->llhttp.flags & F_CHUNKED))
        return ERR_BAD_REQUEST;
    return p->llhttp.flags & F_CONTENT_LENGTH ? ERR_BAD_REQUEST : OK;
}

/* Only HTTP/1.1 has expectations, and only one is known (RFC 9110, 10.1.1). */
static enum err expect_check(struct http_parser *p, bool has_body)
{
    if (!has_field(p, HTTP_FIELD_expect) || p->llhttp.http_minor == 0) return OK;
    struct text expect = span_text(p->base, p->fields[HTTP_FIELD_expect]);
    if (!text_equal_fold(expect, TEXT("100-continue"))) return ERR_EXPECTATION_FAILED;
    p->wants_continue = has_body;
    return OK;
}

static enum err body_check(struct http_parser *p, bool has_body)
{
    if (!has_body) return OK;
    struct text path = span_text(p->base, p->path);
    if (path.bytes == 0) path = TEXT("/");
    p->body_bytes_max =
        p->handlers->body_bytes_max(p->handlers->context, method_names[p->llhttp.method], path);
    if (p->llhttp.flags & F_CHUNKED) return OK; /* each chunk is looked at when it comes */
    return p->llhttp.content_length > p->body_bytes_max ? ERR_BODY_TOO_LARGE : OK;
}

/* Behind the last field stand blanks, its CRLF, and the CRLF that ends the head; of these llhttp
 * tells nothing. The first line feed was parsed, so it is there to be found. */
static size_t head_end(const struct http_parser *p)
{
    size_t at = p->head_bytes;
    while (p->base[at] != '\n') {
        at++;
    }
    return at + sizeof("\n\r\n") - 1;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    bool has_body = llhttp->flags & F_CHUNKED || llhttp->content_length > 0;
    if (llhttp->http_major != 1 || llhttp->http_minor > 1) return refuse(p, ERR_HTTP_VERSION);
    assert(p->part == HTTP_PART_FIELDS);
    p->head_bytes = head_end(p);
    if (p->head_bytes - p->line_begin > p->settings->head_bytes_max)
        return refuse(p, ERR_HEAD_TOO_LARGE);

    enum err e = host_check(p);
    if (e == OK) e = framing_check(p);
    if (e == OK) e = body_check(p, has_body);
    if (e == OK) e = expect_check(p, has_body);
    if (e != OK) return refuse(p, e);

    /* An offer to upgrade may be ignored (RFC 9110, 7.8); llhttp would stop behind the head. */
    llhttp->upgrade = 0;
    p->part = HTTP_PART_BODY;
    p->body_begin = p->head_bytes;
    return 0;
}

/* ---- body ---- */

/* The size of a chunk is known before its first byte. */
static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (llhttp->content_length > p->body_bytes_max - p->body_bytes)
        return refuse(p, ERR_BODY_TOO_LARGE);
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = llhttp->data;
    assert(p->part == HTTP_PART_BODY);
    assert(bytes <= p->body_bytes_max - p->body_bytes);
    if (p->body_bytes == 0) p->body_begin = (size_t)(at - p->base);
    char *to = p->base + p->body_begin + p->body_bytes;
    assert(to <= at); /* what is overwritten was parsed */
    if (to != at) memmove(to, at, bytes);
    p->body_bytes += bytes;
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    p->is_keep_alive = llhttp_should_keep_alive(llhttp);
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_url = on_url,
    .on_protocol = on_protocol,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_extra,
    .on_chunk_extension_value = on_extra,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- driving it ---- */

void http_parser_init(struct http_parser *p, const struct http_settings *settings,
                      const struct http_handlers *handlers)
{
    memset(p, 0, offsetof(struct http_parser, fields));
    p->settings = settings;
    p->handlers = handlers;
    llhttp_init(&p->llhttp, HTTP_REQUEST, &parser_settings);
    p->llhttp.data = p;
}

void http_parser_free(struct http_parser *p)
{
    free(p->forwarded_for);
    p->forwarded_for = NULL;
}

void http_parser_reset(struct http_parser *p)
{
    http_parser_free(p);
    http_parser_init(p, p->settings, p->handlers);
}

/* One blank line in front of a request is forgiven (RFC 9112, 2.2); llhttp would take any
 * number, and bare line feeds. Gives the first byte behind it. */
static enum err blank_line_skip(struct http_parser *p, const char **at, const char *end)
{
    for (; *at < end && (**at == '\r' || **at == '\n'); (*at)++) {
        if (p->is_after_cr != (**at == '\n') || p->blank_lines > 0) return ERR_BAD_REQUEST;
        p->is_after_cr = **at == '\r';
        if (**at == '\n') p->blank_lines++;
    }
    return p->is_after_cr && *at < end ? ERR_BAD_REQUEST : OK;
}

static bool is_token_byte(char c)
{
    return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static enum err refusal_of(const struct http_parser *p, llhttp_errno_t reason, const char *end)
{
    const char *at = llhttp_get_error_pos(&p->llhttp);
    if (p->why != OK) return p->why;
    if (reason == HPE_INVALID_VERSION) { /* also said of what follows a good version */
        return p->llhttp.http_major == 1 && p->llhttp.http_minor <= 1 ? ERR_BAD_REQUEST
                                                                      : ERR_HTTP_VERSION;
    }
    /* A method nobody has heard of is 501, but a TLS hello is only noise. */
    if (reason != HPE_INVALID_METHOD || at == NULL || at >= end) return ERR_BAD_REQUEST;
    return is_token_byte(*at) ? ERR_NOT_IMPLEMENTED : ERR_BAD_REQUEST;
}

/* All bytes were taken and the request goes on. */
static enum http_progress parsed_more(struct http_parser *p, size_t *parsed, size_t bytes)
{
    if (p->part == HTTP_PART_BODY) {
        *parsed = p->body_begin + p->body_bytes;
        return HTTP_MORE;
    }
    *parsed = bytes;
    if (bytes - p->line_begin <= p->settings->head_bytes_max) return HTTP_MORE;
    p->why = p->part == HTTP_PART_TARGET ? ERR_URI_TOO_LONG : ERR_HEAD_TOO_LARGE;
    return HTTP_REFUSED;
}

enum http_progress http_parse(struct http_parser *p, char *request, size_t *parsed, size_t bytes)
{
    assert(*parsed <= bytes && p->why == OK);
    const char *at = request + *parsed, *end = request + bytes;
    p->base = request;
    if (p->part == HTTP_PART_START) {
        p->why = blank_line_skip(p, &at, end);
        if (p->why != OK) return HTTP_REFUSED;
        if (at == end) {
            *parsed = 0;
            return HTTP_MORE;
        }
        p->part = HTTP_PART_METHOD;
        p->line_begin = (uint32_t)(at - request);
    }
    llhttp_errno_t reason = llhttp_execute(&p->llhttp, at, (size_t)(end - at));
    if (reason == HPE_OK) return parsed_more(p, parsed, bytes);
    if (reason == HPE_PAUSED) {
        *parsed = (size_t)(llhttp_get_error_pos(&p->llhttp) - request);
        assert(*parsed <= bytes && p->body_begin + p->body_bytes <= *parsed);
        return HTTP_COMPLETE;
    }
    p->why = refusal_of(p, reason, end);
    return HTTP_REFUSED;
}

void http_parser_request(const struct http_parser *p, const char *request, struct http_request *rq)
{
    *rq = (struct http_request){.method = TEXT_NONE};
    if (p->part >= HTTP_PART_TARGET) {
        rq->method = method_names[p->llhttp.method];
        rq->is_head = p->llhttp.method == HTTP_HEAD;
    }
    if (p->part >= HTTP_PART_FIELDS) {
        rq->path = p->path.bytes == 0 ? TEXT("/") : span_text(request, p->path);
        rq->query = span_text(request, p->query);
    }
    if (p->body_bytes > 0) rq->body = (struct text){request + p->body_begin, p->body_bytes};
#define REQUEST_ROW(name, field) \
    if (has_field(p, HTTP_FIELD_##name)) \
        rq->name = span_text(request, p->fields[HTTP_FIELD_##name]);
    HTTP_FIELDS(REQUEST_ROW, REQUEST_ROW)
#undef REQUEST_ROW
    if (p->forwarded_for != NULL) {
        rq->forwarded_for = (struct text){p->forwarded_for, p->forwarded_for_bytes};
    }
}
