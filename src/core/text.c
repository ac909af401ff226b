#include "core/text.h"

/* Eight bytes at a step: memcmp() of the static build goes byte by byte. */
bool text_equal(struct text a, struct text b)
{
    uint64_t left, right;
    size_t i = 0;
    if (a.bytes != b.bytes) return false;
    for (; i + sizeof left <= a.bytes; i += sizeof left) {
        memcpy(&left, a.data + i, sizeof left);
        memcpy(&right, b.data + i, sizeof right);
        if (left != right) return false;
    }
    for (; i < a.bytes; i++) {
        if (a.data[i] != b.data[i]) return false;
    }
    return true;
}

uint64_t mix_text(uint64_t sum, struct text t)
{
    uint64_t word;
    sum = mix(sum, t.bytes);
    for (; t.bytes >= sizeof word; t.data += sizeof word, t.bytes -= sizeof word) {
        memcpy(&word, t.data, sizeof word);
        sum = mix(sum, word);
    }
    if (t.bytes == 0) return sum;
    word = 0;
    memcpy(&word, t.data, t.bytes);
    return mix(sum, word);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text t)
{
    while (t.bytes > 0 && is_blank(t.data[0])) {
        t.data++;
        t.bytes--;
    }
    while (t.bytes > 0 && is_blank(t.data[t.bytes - 1])) {
        t.bytes--;
    }
    return t;
}

struct text text_cut(struct text *rest, char separator)
{
    const char *at = rest->bytes == 0 ? NULL : memchr(rest->data, separator, rest->bytes);
    struct text part = *rest;
    if (at == NULL) {
        *rest = TEXT_NONE;
        return part;
    }
    part.bytes = (size_t)(at - rest->data);
    rest->data = at + 1;
    rest->bytes -= part.bytes + 1;
    return part;
}

bool text_to_u64(struct text t, uint64_t max, uint64_t *value)
{
    if (t.bytes == 0) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned digit = (unsigned)(unsigned char)t.data[i] - '0';
        if (digit > 9) return false;
        /* 18 digits fit in any case. */
        if (i >= 18 && (sum > UINT64_MAX / 10 || sum * 10 > UINT64_MAX - digit)) return false;
        sum = sum * 10 + digit;
    }
    if (sum > max) return false;
    *value = sum;
    return true;
}

bool text_to_zero_ended(struct text t, char *out, size_t size)
{
    if (size == 0) return false;
    out[0] = '\0';
    if (t.bytes >= size) return false;
    if (t.bytes > 0) memcpy(out, t.data, t.bytes);
    out[t.bytes] = '\0';
    return true;
}

/* The table of Unicode 15, 3-7. */
size_t utf8_sequence_bytes(struct text t)
{
    const unsigned char *p = (const unsigned char *)t.data;
    if (t.bytes == 0) return 0;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t bytes = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (t.bytes < bytes) return 0;

    /* The second byte's range shuts out overlong forms, surrogates and all beyond U+10FFFF. */
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < bytes; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) return 0;
    }
    return bytes;
}

/* 10xxxxxx goes on with a character that began before. */
static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t utf8_count(struct text t)
{
    size_t count = 0;
    for (size_t i = 0; i < t.bytes; i++) count += begins_character(t.data[i]);
    return count;
}

struct text utf8_front(struct text t, size_t bytes_max)
{
    if (t.bytes <= bytes_max) return t;
    t.bytes = bytes_max;
    while (t.bytes > 0 && !begins_character(t.data[t.bytes])) t.bytes--;
    return t;
}

/* C0, DEL and C1. */
static bool is_control(const unsigned char *p)
{
    if (p[0] == '\t' || p[0] == '\n') return false;
    if (p[0] < 0x20 || p[0] == 0x7f) return true;
    return p[0] == 0xc2 && p[1] < 0xa0;
}

bool text_is_clean_utf8(struct text t)
{
    while (t.bytes > 0) {
        size_t bytes = utf8_sequence_bytes(t);
        if (bytes == 0 || is_control((const unsigned char *)t.data)) return false;
        t = (struct text){t.data + bytes, t.bytes - bytes};
    }
    return true;
}
