/* core/arena.c: growth, the limit, what a reset keeps. */
#include "unit.h"

#include "core/arena.h"

/* Pieces of any size come zeroed, aligned and apart from each other. */
static void test_alloc(void)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned char *pieces[200];
    for (unsigned i = 0; i < 200; i++) {
        pieces[i] = arena_alloc(&arena, i * 7);
        if (!CHECK(pieces[i] != NULL)) {
            arena_free(&arena);
            return;
        }
        bool is_zero = true;
        for (unsigned j = 0; j < i * 7; j++) {
            is_zero = is_zero && pieces[i][j] == 0;
        }
        CHECK(is_zero && (uintptr_t)pieces[i] % _Alignof(max_align_t) == 0);
        memset(pieces[i], (int)i + 1, i * 7);
    }
    bool is_apart = true;
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned j = 0; j < i * 7; j++) {
            is_apart = is_apart && pieces[i][j] == (unsigned char)(i + 1);
        }
    }
    CHECK(is_apart);
    CHECK(!arena_overflowed(&arena));
    arena_free(&arena);
    CHECK(arena.first == NULL && arena.used_bytes == 0 && arena.max_bytes == 1 << 20);
}

/* The limit holds, and once over it nothing more comes out, however small, until the reset. */
static void test_overflow(void)
{
    struct arena arena;
    arena_init(&arena, 10000);
    CHECK(arena_alloc(&arena, 9000) != NULL);
    CHECK(arena_alloc(&arena, 2000) == NULL);
    CHECK(arena_overflowed(&arena));
    CHECK(arena_alloc(&arena, 1) == NULL);
    CHECK(arena_text(&arena, TEXT("a")).bytes == 0);
    CHECK(arena_print(&arena, "%d", 7).bytes == 0);
    CHECK(arena.used_bytes <= 10000);

    arena_reset(&arena);
    CHECK(!arena_overflowed(&arena) && arena.used_bytes == 0);
    CHECK(arena_alloc(&arena, 9000) != NULL);
    CHECK(arena_alloc(&arena, SIZE_MAX) == NULL);
    CHECK(arena_overflowed(&arena));
    arena_free(&arena);

    arena_init(&arena, 64);
    for (unsigned i = 0; i < 64 / _Alignof(max_align_t); i++) {
        CHECK(arena_alloc(&arena, 1) != NULL);
    }
    CHECK(arena_alloc(&arena, 1) == NULL);
    arena_free(&arena);
    arena_free(&arena);
}

/* A reset keeps one block, and memory used before comes zeroed again. */
static void test_reset(void)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    arena_reset(&arena);
    CHECK(arena.first == NULL);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 100; i++) {
            unsigned char *piece = arena_alloc(&arena, 1000);
            if (!CHECK(piece != NULL)) break;
            CHECK(piece[0] == 0 && piece[999] == 0);
            memset(piece, 0xff, 1000);
        }
        /* The newest block is the largest: in the end it takes all of a round. */
        if (round == 2) CHECK(arena.first == arena.last);
        struct arena_block *kept = arena.last;
        arena_reset(&arena);
        CHECK(arena.first == kept && arena.last == kept);
    }
    arena_free(&arena);
}

/* Texts are copied whole, zero bytes within them too, and closed with one. */
static void test_text(void)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct text copy = arena_text(&arena, TEXT("a\0b"));
    CHECK(copy.bytes == 3 && memcmp(copy.data, "a\0b", 4) == 0);
    copy = arena_text(&arena, TEXT_NONE);
    CHECK(copy.bytes == 0 && copy.data != NULL && copy.data[0] == '\0');

    struct text printed = arena_print(&arena, "%s-%05d-%.*s", "x", 42, TEXT_ARGS(TEXT("tail")));
    CHECK_TEXT(printed, "x-00042-tail");
    CHECK(printed.data[printed.bytes] == '\0');
    printed = arena_print(&arena, "%9000d", 1);
    CHECK(printed.bytes == 9000 && printed.data[8999] == '1' && printed.data[9000] == '\0');
    CHECK_TEXT(arena_print(&arena, "%s", ""), "");
    arena_free(&arena);
}

int main(void)
{
    test_alloc();
    test_overflow();
    test_reset();
    test_text();
    return unit_end();
}
