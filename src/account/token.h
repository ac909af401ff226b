/* JSON Web Tokens, HS256 and nothing else (RFC 7519, 7515, 8725).
 *
 * token_make() writes ours; token_read() takes back only what token_make() could have written, apart from
 * the order of members. token_verify() is the part of it that any HS256 token must pass: three parts,
 * canonical base64url, the header (alg HS256 byte for byte, no crit), then the signature in constant time,
 * and only then the claims. Nothing is allocated; a token over TOKEN_BYTES_MAX is refused unread. */
#ifndef HOMEPORT_ACCOUNT_TOKEN_H
#define HOMEPORT_ACCOUNT_TOKEN_H

#include <sodium.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/record.h"
#include "core/text.h"

enum { TOKEN_BYTES_MAX = 2048, TOKEN_LEEWAY_MS = 60000 };

enum token_type { TOKEN_NO_TYPE, TOKEN_ACCESS, TOKEN_REFRESH };

/* The signing key, with the part of the HMAC that is the same for every token done already. */
struct token_key {
    crypto_auth_hmacsha256_state state; /* private */
};

/* A claim that is absent, or not of our form, is zero. */
struct token_claims {
    uint64_t user_id;    /* sub */
    uint64_t issued_ms;  /* iat */
    uint64_t expires_ms; /* exp */
    uint64_t token_id;   /* jti */
    enum token_type type;
    enum role role;
    uint64_t session_id; /* sid */
};

/* At least 32 bytes of chance. Wipe with token_key_wipe(). */
void token_key_init(struct token_key *key, const uint8_t *bytes, size_t count);
void token_key_wipe(struct token_key *key);

/* header.claims.signature of two JSON texts as they are; empty when the arena is full. */
struct text token_sign(const struct token_key *key, struct text header, struct text claims,
                       struct arena *arena);
/* One of ours. Times are cut to whole seconds. */
struct text token_make(const struct token_key *key, const struct token_claims *claims,
                       struct arena *arena);

/* ERR_TOKEN_MALFORMED or ERR_TOKEN_EXPIRED; *claims is good only when OK. */
enum err token_verify(const struct token_key *key, struct text token, uint64_t now_ms,
                      struct token_claims *claims);
/* The same, and every claim that ours have is there. */
enum err token_read(const struct token_key *key, struct text token, uint64_t now_ms,
                    struct token_claims *claims);

#endif
