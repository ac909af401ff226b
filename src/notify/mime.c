#include "notify/mime.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

enum {
    WORD_BYTES_MAX =
        39, /* of UTF-8 in one encoded word: 52 of base64 and 12 around it; with "Subject: " in front
                            still a line of 76 (RFC 2047, 2) */
    BODY_LINE_BYTES = 57 /* 76 of base64 */
};

bool mime_address(struct text t, struct text *name, struct text *address)
{
    t = text_trim(t);
    *name = TEXT_NONE;
    *address = t;
    if (t.bytes > 0 && t.data[t.bytes - 1] == '>') {
        struct text rest = {t.data, t.bytes - 1};
        struct text before = text_cut(&rest, '<');
        if (rest.data == NULL) return false;
        *name = text_trim(before);
        *address = rest;
        bool is_quoted =
            name->bytes >= 2 && name->data[0] == '"' && name->data[name->bytes - 1] == '"';
        if (is_quoted) *name = (struct text){name->data + 1, name->bytes - 2};
    }
    struct text domain = *address;
    struct text local = text_cut(&domain, '@');
    for (size_t i = 0; i < address->bytes; i++) {
        unsigned char c = (unsigned char)address->data[i];
        if (c <= ' ' || c >= 0x7f || strchr("<>()[]\\,;:\"", c) != NULL) return false;
    }
    return local.bytes > 0 && domain.bytes > 0 && memchr(domain.data, '@', domain.bytes) == NULL;
}

static bool is_plain(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c < ' ' || c >= 0x7f) return false;
    }
    return true;
}

static struct text base64(struct arena *arena, struct text t)
{
    enum { VARIANT = sodium_base64_VARIANT_ORIGINAL };
    size_t size = sodium_base64_ENCODED_LEN(t.bytes, VARIANT);
    char *out = arena_alloc(arena, size);
    if (out == NULL) return TEXT_NONE;
    sodium_bin2base64(out, size, (const unsigned char *)t.data, t.bytes, VARIANT);
    return text_of(out);
}

/* Never through the middle of a letter (RFC 2047, 5). */
static size_t word_bytes(struct text t)
{
    size_t bytes = utf8_front(t, WORD_BYTES_MAX).bytes;
    return bytes > 0 ? bytes : 1; /* no UTF-8 at all: on it goes */
}

static struct text encoded_words(struct arena *arena, struct text t)
{
    struct text out = TEXT("");
    while (t.bytes > 0) {
        size_t bytes = word_bytes(t);
        struct text word = base64(arena, (struct text){t.data, bytes});
        out = arena_print(arena, "%.*s%s=?utf-8?B?%.*s?=", TEXT_ARGS(out),
                          out.bytes > 0 ? "\r\n " : "", TEXT_ARGS(word));
        t = (struct text){t.data + bytes, t.bytes - bytes};
    }
    return out;
}

/* Text as a header shows it. What is not plain, or too long for one line, goes as encoded words: there even a
 * line end is harmless. */
static struct text unstructured(struct arena *arena, struct text t)
{
    return is_plain(t) && t.bytes <= 60 ? t : encoded_words(arena, t);
}

static struct text mailbox(struct arena *arena, struct text name, struct text address)
{
    if (name.bytes == 0) return address;
    bool is_quotable = is_plain(name) && name.bytes <= 40 &&
                       memchr(name.data, '"', name.bytes) == NULL &&
                       memchr(name.data, '\\', name.bytes) == NULL;
    if (is_quotable)
        return arena_print(arena, "\"%.*s\"\r\n <%.*s>", TEXT_ARGS(name), TEXT_ARGS(address));
    return arena_print(arena, "%.*s\r\n <%.*s>", TEXT_ARGS(encoded_words(arena, name)),
                       TEXT_ARGS(address));
}

/* "Sun, 01 Mar 2026 08:09:10 +0000" */
static struct text date_text(struct arena *arena, uint64_t ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) return TEXT("Thu, 01 Jan 1970 00:00:00 +0000");
    return arena_print(arena, "%s, %02d %s %d %02d:%02d:%02d +0000", days[utc.tm_wday], utc.tm_mday,
                       months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

/* With the line ends that text has in mail (RFC 2046, 4.1.1). */
static struct text with_crlf(struct arena *arena, struct text t)
{
    char *out = arena_alloc(arena, 2 * t.bytes + 1), *to = out;
    if (out == NULL) return TEXT_NONE;
    for (size_t i = 0; i < t.bytes; i++) {
        if (t.data[i] == '\n') *to++ = '\r';
        if (t.data[i] != '\r') *to++ = t.data[i];
    }
    return (struct text){out, (size_t)(to - out)};
}

static struct text body_text(struct arena *arena, struct text body)
{
    struct text lines = TEXT("");
    struct text rest = with_crlf(arena, body);
    while (rest.bytes > 0) {
        size_t bytes = rest.bytes < BODY_LINE_BYTES ? rest.bytes : BODY_LINE_BYTES;
        struct text line = base64(arena, (struct text){rest.data, bytes});
        lines = arena_print(arena, "%.*s%.*s\r\n", TEXT_ARGS(lines), TEXT_ARGS(line));
        rest = (struct text){rest.data + bytes, rest.bytes - bytes};
    }
    return lines;
}

struct text mime_write(struct arena *arena, const struct mime_letter *letter)
{
    return arena_print(arena,
                       "Date: %.*s\r\n"
                       "From: %.*s\r\n"
                       "To: %.*s\r\n"
                       "Subject: %.*s\r\n"
                       "Message-ID: <%.*s>\r\n"
                       "MIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Transfer-Encoding: base64\r\n"
                       "Auto-Submitted: auto-generated\r\n"
                       "\r\n"
                       "%.*s",
                       TEXT_ARGS(date_text(arena, letter->date_ms)),
                       TEXT_ARGS(mailbox(arena, letter->from_name, letter->from)),
                       TEXT_ARGS(letter->to), TEXT_ARGS(unstructured(arena, letter->subject)),
                       TEXT_ARGS(letter->message_id), TEXT_ARGS(body_text(arena, letter->body)));
}
