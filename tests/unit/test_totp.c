/* account/totp.c: the codes of a second factor. Vectors are RFC 6238's, appendix B, and those of
 * protocols/vectors/standards.json (ours have the last six of their eight digits). */
#include "unit.h"

#include "account/totp.h"

static const uint8_t rfc_key[] = "12345678901234567890";
enum { KEY_BYTES = 20 };

static bool code_is(uint64_t unix_s, const char *expected)
{
    char code[TOTP_DIGITS + 1];
    totp_code(rfc_key, KEY_BYTES, unix_s / 30, code);
    return strcmp(code, expected) == 0;
}

static void test_vectors(void)
{
    CHECK(code_is(59, "287082"));
    CHECK(code_is(1111111109, "081804"));
    CHECK(code_is(1111111111, "050471"));
    CHECK(code_is(1234567890, "005924"));
    CHECK(code_is(2000000000, "279037"));
    CHECK(code_is(20000000000, "353130"));
}

/* One step early or late is let through, two are not; what was used, or is older than that, is not. */
static void test_window(void)
{
    enum { STEP = 41152263 };
    const uint64_t now_ms = UINT64_C(1234567890) * 1000;
    for (uint64_t step = STEP - 3; step <= STEP + 3; step++) {
        char code[TOTP_DIGITS + 1];
        totp_code(rfc_key, KEY_BYTES, step, code);
        bool is_near = step >= STEP - 1 && step <= STEP + 1;
        CHECK(totp_step_of(rfc_key, KEY_BYTES, text_of(code), now_ms, 0) == (is_near ? step : 0));
        CHECK(totp_step_of(rfc_key, KEY_BYTES, text_of(code), now_ms, step) == 0);
        CHECK(totp_step_of(rfc_key, KEY_BYTES, text_of(code), now_ms, step + 1) == 0);
    }
    CHECK(totp_step_of(rfc_key, KEY_BYTES, TEXT("005924"), now_ms, 0) == STEP);
    CHECK(totp_step_of(rfc_key, KEY_BYTES, TEXT("05924"), now_ms, 0) == 0);
    CHECK(totp_step_of(rfc_key, KEY_BYTES, TEXT("0059240"), now_ms, 0) == 0);
    CHECK(totp_step_of(rfc_key, KEY_BYTES, TEXT(""), now_ms, 0) == 0);
}

/* RFC 4648, section 10, without the padding. */
static void test_base32(void)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {{"", ""},
                 {"f", "MY"},
                 {"fo", "MZXQ"},
                 {"foo", "MZXW6"},
                 {"foob", "MZXW6YQ"},
                 {"fooba", "MZXW6YTB"},
                 {"foobar", "MZXW6YTBOI"}};
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text encoded =
            base32_encode(&arena, (const uint8_t *)cases[i].plain, strlen(cases[i].plain));
        CHECK_TEXT(encoded, cases[i].encoded);
    }
    CHECK_TEXT(base32_encode(&arena, rfc_key, KEY_BYTES), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    arena_free(&arena);
}

/* What authenticators read from the QR code: names cannot break out of the address. */
static void test_uri(void)
{
    struct arena arena;
    arena_init(&arena, 4096);
    CHECK_TEXT(
        totp_uri(&arena, TEXT("home port"), TEXT("a&b:c"), TEXT("MZXW6")),
        "otpauth://totp/home%20port:a%26b%3Ac?secret=MZXW6&issuer=home%20port&digits=6&period=30"
        "&algorithm=SHA1");
    arena_free(&arena);
}

int main(void)
{
    test_vectors();
    test_window();
    test_base32();
    test_uri();
    return unit_end();
}
