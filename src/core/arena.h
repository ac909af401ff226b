/* An arena: memory with one lifetime, taken piece by piece, given back all at once.
 *
 * An arena grows in blocks up to a fixed limit. When the limit is reached it overflows and stays
 * overflowed until reset: later allocations return NULL, so whoever owns the arena looks once at
 * arena_overflowed() before anything built in it is let out. arena_reset() keeps one block for reuse. */
#ifndef HOMEPORT_CORE_ARENA_H
#define HOMEPORT_CORE_ARENA_H

#include "core/text.h"

struct arena_block;

struct arena {
    struct arena_block *first; /* private */
    struct arena_block *last;
    size_t used_bytes; /* over all blocks */
    size_t max_bytes;
    bool overflowed;
};

void arena_init(struct arena *arena, size_t max_bytes);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);
/* Overwrites what was handed out, for secrets; to be reset or freed next. */
void arena_wipe(struct arena *arena);

/* Zeroed and aligned for any type; NULL once the arena has overflowed. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* A copy with a closing zero byte behind it; an empty text when there is no room. */
struct text arena_text(struct arena *arena, struct text t);
/* The same in small letters (ASCII), as names are compared. */
struct text arena_text_folded(struct arena *arena, struct text t);
/* As printf; an empty text when there is no room. The result has a closing zero byte. */
struct text arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool arena_overflowed(const struct arena *arena)
{
    return arena->overflowed;
}

#define arena_new(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

#endif
