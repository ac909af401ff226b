/* libFuzzer: reading tokens. The first byte chooses what the rest is:
 *   even  a token as somebody might send it
 *   odd   a header and claims with a line feed between, signed here, so that what stands behind the
 *         signature is reached too
 * Besides not crashing: what is accepted is signed, unexpired, and the only way to write that token. */
#include "account/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void demand(bool truth)
{
    if (!truth) abort();
}

/* What is taken must fall apart into three parts that sign to themselves. */
static void accepted(const struct signing_key *key, struct text token, uint64_t now_ms,
                     const struct token_claims *claims)
{
    struct token_claims again;
    char changed[TOKEN_BYTES_MAX];
    demand(claims->expires_ms > now_ms);
    demand(token.bytes <= sizeof changed);
    memcpy(changed, token.data, token.bytes);
    changed[token.bytes - 1] = changed[token.bytes - 1] == 'A' ? 'B' : 'A';
    demand(token_verify(key, (struct text){changed, token.bytes}, now_ms, &again) != OK);
    demand(token_verify(key, token, claims->expires_ms, &again) != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint64_t now_ms = 1772352551000;
    static struct key_ring ring;
    struct signing_key *key = &ring.keys[0];
    struct token_claims claims;
    struct arena arena;
    if (bytes == 0) return 0;
    arena_init(&arena, 1 << 20);
    if (ring.count == 0) {
        signing_key_init(&ring.keys[0], 1, (const uint8_t *)"0123456789abcdef0123456789abcdef", 32);
        signing_key_init(&ring.keys[1], 2, (const uint8_t *)"another key another key another!", 32);
        ring.count = 2;
    }
    struct text token = {(const char *)data + 1, bytes - 1};
    if (data[0] & 1) {
        struct text rest = token;
        struct text header = text_cut(&rest, '\n');
        token = token_sign(key, header, rest, &arena);
    }
    if (token_verify(key, token, now_ms, &claims) == OK) accepted(key, token, now_ms, &claims);
    if (token_read(&ring, token, now_ms, &claims) == OK) {
        demand(claims.user_id != 0 && claims.session_id != 0 && claims.type != TOKEN_NO_TYPE);
        demand(claims.key_number == 1); /* nobody can sign with the other */
    }
    arena_free(&arena);
    return 0;
}
