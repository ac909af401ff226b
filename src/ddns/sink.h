/* A bounded buffer to write into; all zero but for data and size at the start. What does not fit is
 * left out and marks the sink as full, so a writer goes on and its caller looks once, at the end. */
#ifndef HOMEPORT_DDNS_SINK_H
#define HOMEPORT_DDNS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sink {
    uint8_t *data;
    size_t size;
    size_t bytes;
    bool is_full; /* something did not fit: what is there is not to be used */
};

static inline void sink_bytes(struct sink *s, const void *bytes, size_t count)
{
    if (count > s->size - s->bytes) {
        s->is_full = true;
        return;
    }
    if (count > 0) memcpy(s->data + s->bytes, bytes, count);
    s->bytes += count;
}

static inline void sink_byte(struct sink *s, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    sink_bytes(s, &byte, 1);
}

/* A byte as \DDD (RFC 1035 section 5.1). */
static inline void sink_escape(struct sink *s, unsigned byte)
{
    sink_byte(s, '\\');
    sink_byte(s, '0' + byte / 100);
    sink_byte(s, '0' + byte / 10 % 10);
    sink_byte(s, '0' + byte % 10);
}

#endif
