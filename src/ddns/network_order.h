/* Numbers as DNS has them on the wire: most significant byte first, at any address. A writer gives
 * back where the next byte goes. The caller has seen that the bytes are there. */
#ifndef HOMEPORT_DDNS_NETWORK_ORDER_H
#define HOMEPORT_DDNS_NETWORK_ORDER_H

#include <stdint.h>

static inline unsigned get_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static inline uint64_t get_u48(const uint8_t *p)
{
    return (uint64_t)get_u16(p) << 32 | get_u32(p + 2);
}

static inline uint8_t *set_u16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

static inline uint8_t *set_u48(uint8_t *p, uint64_t value)
{
    p = set_u16(p, (unsigned)(value >> 32 & 0xffff));
    p = set_u16(p, (unsigned)(value >> 16 & 0xffff));
    return set_u16(p, (unsigned)(value & 0xffff));
}

#endif
