#include "cloud/percent.h"

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

struct text percent_encode(struct arena *arena, struct text t)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t escaped_count = 0;
    for (size_t i = 0; i < t.bytes; i++) {
        if (!is_unreserved(t.data[i])) escaped_count++;
    }

    /* Each escape is two bytes longer than its byte; texts come from bounded answers and settings.
     */
    char *out = arena_alloc(arena, t.bytes + 2 * escaped_count + 1);
    if (out == NULL) return TEXT_NONE;
    char *to = out;
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char byte = (unsigned char)t.data[i];
        if (is_unreserved(t.data[i])) {
            *to++ = t.data[i];
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return (struct text){out, (size_t)(to - out)};
}
