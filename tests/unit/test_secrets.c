/* Sealed texts open with the right key for the right thing and not otherwise. */
#include "core/secrets.h"

#include <sodium.h>

#include "unit.h"

static struct secrets secrets;
static struct arena arena;
static const uint8_t *const nonce = (const uint8_t *)"a nonce of 24 bytes.....";

static bool opens(uint64_t about, struct text sealed, const char *wanted)
{
    struct text plain;
    if (!secrets_open(&secrets, about, sealed, &arena, &plain)) return false;
    return wanted == NULL || CHECK_TEXT(plain, wanted);
}

/* Keys are for ever: the same file opens what an earlier release sealed. */
static void test_keys_are_stable(void)
{
    uint8_t root[32];
    char hex[80];
    for (unsigned i = 0; i < 32; i++) root[i] = (uint8_t)i;
    secrets_derive(&secrets, root);
    CHECK(memcmp(secrets.seal_key, secrets.token_key, 32) != 0);
    CHECK_TEXT(text_of(sodium_bin2hex(hex, sizeof hex, secrets.seal_key, 32)), "642793ce9d0975d3c3a4f1d8bc2fdca74b226cf86acd0a9e6d473abe989fce4f");
    CHECK_TEXT(text_of(sodium_bin2hex(hex, sizeof hex, secrets.token_key, 32)), "a556f6c0bd98c7aa5b265743ca6039a8e5c3e08963a7e3c8492099b04e0e6cb6");
    CHECK_TEXT(text_of(sodium_bin2hex(hex, sizeof hex, secrets.fingerprint, 8)), "205d9fcd2dd96e63");
    sodium_bin2hex(hex, sizeof hex, secrets.hash_key, 32);
    CHECK_TEXT(text_of(hex), "6abb9b54b8eaf8842215f09789f4e455c75956d9222f19251769de65733b41f5");
    uint8_t key[32];
    secrets_token_key(&secrets, 1, key);
    CHECK_TEXT(text_of(sodium_bin2hex(hex, sizeof hex, key, 32)), "5c313939c622dbef58c80e3fa53040db57a4a65c20aa0878b26d3fddaf4123b8");
    secrets_token_key(&secrets, 2, key);
    CHECK_TEXT(text_of(sodium_bin2hex(hex, sizeof hex, key, 32)), "439198877527e8ade8a7c9272e7dc7a3aa02150d2bd91752fe2d27e108daca4e");
    struct text sealed = secrets_seal(&secrets, nonce, 7, TEXT("hello"), &arena);
    CHECK_TEXT(sealed, "YSBub25jZSBvZiAyNCBieXRlcy4uLi4upgsdujcnJfRUTh2THvjrN4OdVOyS");
    CHECK(opens(7, sealed, "hello"));
}

static void test_round_trip(void)
{
    char plain[300];
    for (size_t bytes = 0; bytes < sizeof plain; bytes++) {
        struct text opened = TEXT_NONE;
        memset(plain, (int)('a' + bytes % 26), bytes);
        struct text sealed = secrets_seal(&secrets, nonce, bytes, (struct text){bytes == 0 ? NULL : plain, bytes}, &arena);
        CHECK(sealed.bytes == (4 * (40 + bytes) + 2) / 3);
        CHECK(secrets_open(&secrets, bytes, sealed, &arena, &opened));
        CHECK(text_equal(opened, (struct text){plain, bytes}));
        CHECK(!secrets_open(&secrets, bytes + 1, sealed, &arena, &opened) && opened.bytes == 0);
        arena_reset(&arena);
    }
}

/* Any change of one letter, any cut, anything behind: refused. */
static void test_changes_are_seen(void)
{
    static const char letters[] = "AQgw/+z9=-_ \n\t*";
    char copy[200];
    struct text sealed = secrets_seal(&secrets, nonce, 42, TEXT("{\"token\":\"abc\"}"), &arena);
    CHECK(opens(42, sealed, "{\"token\":\"abc\"}"));
    CHECK(!opens(0, sealed, NULL) && !opens(42 + ((uint64_t)1 << 63), sealed, NULL));
    for (size_t i = 0; i < sealed.bytes; i++) {
        for (size_t j = 0; j < sizeof letters; j++) {
            memcpy(copy, sealed.data, sealed.bytes);
            if (copy[i] == letters[j]) continue;
            copy[i] = letters[j];
            CHECK(!opens(42, (struct text){copy, sealed.bytes}, NULL));
        }
        CHECK(!opens(42, (struct text){sealed.data, i}, NULL));
    }
    memcpy(copy, sealed.data, sealed.bytes);
    memcpy(copy + sealed.bytes, "====", 4);
    for (size_t more = 1; more <= 4; more++) CHECK(!opens(42, (struct text){copy, sealed.bytes + more}, NULL));
    CHECK(!opens(42, TEXT_NONE, NULL));
}

static void test_another_key(void)
{
    uint8_t root[32] = {1};
    struct text plain, sealed = secrets_seal(&secrets, nonce, 1, TEXT("x"), &arena);
    struct secrets other;
    secrets_derive(&other, root);
    CHECK(!secrets_open(&other, 1, sealed, &arena, &plain));
    CHECK(memcmp(other.fingerprint, secrets.fingerprint, sizeof other.fingerprint) != 0);
}

/* Without memory sealing gives nothing and opening fails; neither writes where it must not. */
static void test_memory_short(void)
{
    struct text plain, sealed = secrets_seal(&secrets, nonce, 1, TEXT("a longer text than the arena has room for"), &arena);
    for (size_t room = 16; room < 400; room += 16) {
        struct arena small;
        arena_init(&small, room);
        struct text again = secrets_seal(&secrets, nonce, 1, TEXT("a longer text than the arena has room for"), &small);
        CHECK(arena_overflowed(&small) ? again.bytes == 0 : text_equal(again, sealed));
        arena_reset(&small);
        CHECK(secrets_open(&secrets, 1, sealed, &small, &plain) == !arena_overflowed(&small));
        arena_free(&small);
    }
}

static void test_hash_and_equal(void)
{
    char hash[SECRET_HASH_BYTES];
    secret_hash(TEXT("abc"), hash);
    CHECK_TEXT(((struct text){hash, sizeof hash}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    secret_hash(TEXT_NONE, hash);
    CHECK_TEXT(((struct text){hash, sizeof hash}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(secret_equal(TEXT("abc"), TEXT("abc")) && secret_equal(TEXT_NONE, TEXT("")));
    CHECK(!secret_equal(TEXT("abc"), TEXT("abd")) && !secret_equal(TEXT("abc"), TEXT("ab")));
}

int main(void)
{
    CHECK(sodium_init() >= 0);
    arena_init(&arena, 1 << 20);
    test_keys_are_stable();
    test_round_trip();
    test_changes_are_seen();
    test_another_key();
    test_memory_short();
    test_hash_and_equal();
    arena_free(&arena);
    return unit_end();
}
