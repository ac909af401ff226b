/* Counted bytes: the way text travels through homeport.
 *
 * A text never owns its bytes. They live in an arena, in the store's memory map, in a read buffer or in
 * the program; whoever hands a text over says for how long it is good. Nothing here ends in a zero byte
 * unless a function says so. An empty text may have a NULL pointer. */
#ifndef HOMEPORT_CORE_TEXT_H
#define HOMEPORT_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *data;
    size_t bytes;
};

/* A string literal as a text, usable in static initialisers. */
#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})
#define TEXT_INIT(literal) \
    { \
        "" literal, sizeof(literal) - 1 \
    }
#define TEXT_NONE ((struct text){NULL, 0})
/* For printf: "%.*s", TEXT_ARGS(t) */
#define TEXT_ARGS(t) (int)(t).bytes, (t).data

static inline struct text text_of(const char *zero_ended)
{
    return (struct text){zero_ended, zero_ended == NULL ? 0 : strlen(zero_ended)};
}

bool text_equal(struct text a, struct text b);

/* Eight bytes from any address. */
static inline uint64_t big_endian_u64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? word : __builtin_bswap64(word);
}

static inline uint64_t little_endian_u64(const char *at)
{
    return __builtin_bswap64(big_endian_u64(at));
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Equal but for the case of ASCII letters, as host names and header names are compared. */
static inline bool text_equal_fold(struct text a, struct text b)
{
    if (a.bytes != b.bytes) return false;
    for (size_t i = 0; i < a.bytes; i++) {
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i])) return false;
    }
    return true;
}

static inline bool text_starts(struct text t, struct text prefix)
{
    return t.bytes >= prefix.bytes && memcmp(t.data, prefix.data, prefix.bytes) == 0;
}

static inline bool text_ends_fold(struct text t, struct text suffix)
{
    if (t.bytes < suffix.bytes) return false;
    return text_equal_fold((struct text){t.data + t.bytes - suffix.bytes, suffix.bytes}, suffix);
}

/* One more number, or text, into a sum that tells two rows of them apart with near certainty: multiply and fold,
 * so that each input bit reaches all of the next product's low and, by the shift, its own high half. Not for
 * where somebody gains by a collision. No 128-bit product: armv7 has none. */
static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum ^ sum >> 32;
}
uint64_t mix_text(uint64_t sum, struct text t);

/* Without leading and trailing blanks, tabs and line ends. */
struct text text_trim(struct text t);

/* Takes the part before the first `separator` off the front of *rest and returns it; takes all when there
 * is none. Ends when *rest.data is NULL: while (rest.data != NULL) part = text_cut(&rest, ','); */
struct text text_cut(struct text *rest, char separator);

/* A decimal number of digits only, no sign, at most `max`. False when t is anything else. */
bool text_to_u64(struct text t, uint64_t max, uint64_t *value);

/* Copies at most size - 1 bytes and a closing zero byte. False when t did not fit; out is then empty. */
bool text_to_zero_ended(struct text t, char *out, size_t size);

/* Bytes of the well-formed UTF-8 sequence (RFC 3629: no surrogates, no overlong forms) at the front of t, 1 to 4; 0
 * when there is none. */
size_t utf8_sequence_bytes(struct text t);

/* Characters of well-formed UTF-8. */
size_t utf8_count(struct text t);

/* The front of t, at most bytes_max of it, ending where a character ends. */
struct text utf8_front(struct text t, size_t bytes_max);

/* True when t is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without control
 * characters other than tab and line feed. */
bool text_is_clean_utf8(struct text t);

#endif
