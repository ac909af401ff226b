/* See arena.h. Blocks come from malloc: the first has 4 KiB, each further one twice the last, and a
 * request larger than that gets a block of its own size. Bytes left at the end of a block that was
 * too small stay unused, so the process holds at most about twice max_bytes.
 *
 * A reset keeps the newest block, which is the largest: after a few rounds an arena that is used
 * again and again for the same work asks malloc for nothing. */
#include "core/arena.h"

#include <assert.h>
#include <sodium.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_FIRST_BLOCK_BYTES = 4096, ARENA_ALIGN = alignof(max_align_t) };

struct arena_block {
    struct arena_block *next;
    size_t size_bytes;
    size_t used_bytes;
    alignas(max_align_t) char data[];
};

static struct arena_block *block_new(struct arena *arena, size_t wanted_bytes)
{
    size_t size_bytes = ARENA_FIRST_BLOCK_BYTES;
    if (arena->last != NULL && arena->last->size_bytes <= SIZE_MAX / 4) {
        size_bytes = arena->last->size_bytes * 2;
    }
    /* No use in a block that the limit will never let us fill. */
    if (size_bytes > arena->max_bytes) size_bytes = arena->max_bytes;
    if (size_bytes < wanted_bytes) size_bytes = wanted_bytes;

    struct arena_block *block = malloc(sizeof(*block) + size_bytes);
    if (block == NULL) return NULL;
    *block = (struct arena_block){.size_bytes = size_bytes};
    if (arena->last == NULL) {
        arena->first = block;
    } else {
        arena->last->next = block;
    }
    arena->last = block;
    return block;
}

void arena_init(struct arena *arena, size_t max_bytes)
{
    assert(max_bytes > 0);
    assert(max_bytes <= SIZE_MAX / 2);
    *arena = (struct arena){.max_bytes = max_bytes};
}

void arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->first;
    while (block != NULL && block != arena->last) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->first = arena->last;
    if (arena->first != NULL) {
        arena->first->used_bytes = 0;
    }
    arena->used_bytes = 0;
    arena->overflowed = false;
}

void arena_wipe(struct arena *arena)
{
    for (struct arena_block *block = arena->first; block != NULL; block = block->next)
        sodium_memzero(block->data, block->used_bytes);
}

void arena_free(struct arena *arena)
{
    arena_reset(arena);
    free(arena->first);
    *arena = (struct arena){.max_bytes = arena->max_bytes};
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    assert(arena->max_bytes > 0);
    if (arena->overflowed) return NULL;
    /* An allocation of nothing still gets an address of its own. */
    if (bytes == 0) bytes = 1;
    size_t room_bytes = arena->max_bytes - arena->used_bytes;
    size_t padded_bytes =
        bytes > room_bytes ? 0 : (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (padded_bytes == 0 || padded_bytes > room_bytes) {
        arena->overflowed = true;
        return NULL;
    }

    struct arena_block *block = arena->last;
    if (block == NULL || block->size_bytes - block->used_bytes < padded_bytes) {
        block = block_new(arena, padded_bytes);
    }
    if (block == NULL) {
        arena->overflowed = true;
        return NULL;
    }
    void *data = block->data + block->used_bytes;
    block->used_bytes += padded_bytes;
    arena->used_bytes += padded_bytes;
    assert(arena->used_bytes <= arena->max_bytes);
    memset(data, 0, bytes);
    return data;
}

struct text arena_text(struct arena *arena, struct text t)
{
    if (t.bytes == SIZE_MAX) {
        arena->overflowed = true;
        return TEXT_NONE;
    }
    char *copy = arena_alloc(arena, t.bytes + 1);
    if (copy == NULL) return TEXT_NONE;
    if (t.bytes > 0) {
        memcpy(copy, t.data, t.bytes);
    }
    return (struct text){copy, t.bytes};
}

struct text arena_text_folded(struct arena *arena, struct text t)
{
    struct text copy = arena_text(arena, t);
    char *letters = (char *)(uintptr_t)copy.data; /* its own copy: nobody else has it yet */
    for (size_t i = 0; i < copy.bytes; i++) letters[i] = ascii_lower(letters[i]);
    return copy;
}

struct text arena_print(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (bytes < 0) {
        /* Longer than INT_MAX or not printable at all: to the caller the same as no room. */
        arena->overflowed = true;
        return TEXT_NONE;
    }

    char *out = arena_alloc(arena, (size_t)bytes + 1);
    if (out == NULL) return TEXT_NONE;
    va_start(arguments, format);
    int written = vsnprintf(out, (size_t)bytes + 1, format, arguments);
    va_end(arguments);
    assert(written == bytes);
    (void)written;
    return (struct text){out, (size_t)bytes};
}
