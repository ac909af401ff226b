#include "account/totp.h"

#include <bearssl_hmac.h>
#include <stdio.h>

#include "cloud/percent.h"
#include "core/secrets.h"

/* RFC 4226, 5.3 and 5.4. */
void totp_code(const uint8_t *key, size_t key_bytes, uint64_t step, char code[TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[br_sha1_SIZE];
    br_hmac_key_context prepared;
    br_hmac_context hmac;
    for (unsigned i = 0; i < sizeof counter; i++) counter[i] = (uint8_t)(step >> (56 - 8 * i));
    br_hmac_key_init(&prepared, &br_sha1_vtable, key, key_bytes);
    br_hmac_init(&hmac, &prepared, 0);
    br_hmac_update(&hmac, counter, sizeof counter);
    br_hmac_out(&hmac, mac);

    unsigned at = mac[sizeof mac - 1] & 15;
    uint32_t number = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
                      (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(code, TOTP_DIGITS + 1, "%06u", (unsigned)(number % 1000000));
}

uint64_t totp_step_of(const uint8_t *key, size_t key_bytes, struct text code, uint64_t now_ms,
                      uint64_t last_step)
{
    uint64_t now_step = now_ms / TOTP_STEP_MS, found = 0;
    char expected[TOTP_DIGITS + 1];
    for (uint64_t step = now_step - 1; step <= now_step + 1; step++) {
        totp_code(key, key_bytes, step, expected);
        bool is_it = secret_equal(code, (struct text){expected, TOTP_DIGITS});
        if (is_it && step > last_step && found == 0) found = step;
    }
    return found;
}

struct text base32_encode(struct arena *arena, const uint8_t *bytes, size_t count)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t length = (count * 8 + 4) / 5, n = 0;
    char *out = arena_alloc(arena, length + 1);
    uint32_t bits = 0;
    unsigned bit_count = 0;
    if (out == NULL) return TEXT_NONE;
    for (size_t i = 0; i < count; i++) {
        bits = (bits << 8 | bytes[i]) & 0xfff; /* at most 4 bits are left over from before */
        for (bit_count += 8; bit_count >= 5; bit_count -= 5) {
            out[n++] = letters[bits >> (bit_count - 5) & 31];
        }
    }
    if (bit_count > 0) out[n++] = letters[bits << (5 - bit_count) & 31];
    out[n] = '\0';
    return (struct text){out, n};
}

struct text totp_uri(struct arena *arena, struct text issuer, struct text user, struct text secret)
{
    struct text encoded = percent_encode(arena, issuer);
    return arena_print(arena,
                       "otpauth://totp/%.*s:%.*s?secret=%.*s&issuer=%.*s&digits=6&period=30"
                       "&algorithm=SHA1",
                       TEXT_ARGS(encoded), TEXT_ARGS(percent_encode(arena, user)),
                       TEXT_ARGS(secret), TEXT_ARGS(encoded));
}
