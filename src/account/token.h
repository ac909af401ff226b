/* JSON Web Tokens, HS256 and nothing else (RFC 7519, 7515, 8725).
 *
 * token_make() writes ours; token_read() takes back only what token_make() could have written, apart from
 * the order of members: it picks the key that the header's kid names, which must be in the ring and not have
 * ended. token_verify() is the part of it that any HS256 token must pass: three parts, canonical base64url,
 * the header (alg HS256 byte for byte, no crit), then the signature in constant time, and only then the
 * claims. Nothing is allocated; a token over TOKEN_BYTES_MAX is refused unread. */
#ifndef HOMEPORT_ACCOUNT_TOKEN_H
#define HOMEPORT_ACCOUNT_TOKEN_H

#include <sodium.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/record.h"
#include "core/text.h"

enum { TOKEN_BYTES_MAX = 2048, TOKEN_LEEWAY_MS = 60000 };

enum token_type { TOKEN_NO_TYPE, TOKEN_ACCESS, TOKEN_REFRESH };

/* A key, with what is the same for all its tokens done already: the first part of the HMAC, and the header
 * as it stands in front of them. */
enum { TOKEN_HEADER_MAX = 96 };
struct signing_key {
    uint64_t number;                    /* kid */
    uint64_t ends_ms;                   /* from then on its tokens are refused; 0: they are not */
    crypto_auth_hmacsha256_state state; /* private, as is the rest */
    size_t header_bytes;
    char header[TOKEN_HEADER_MAX];
};

/* The keys whose tokens count, newest first: it signs. */
enum { KEY_RING_MAX = 8 };
struct key_ring {
    unsigned count;
    struct signing_key keys[KEY_RING_MAX];
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
    uint64_t key_number; /* kid; 0 after token_verify() */
};

/* At least 32 bytes of chance; it does not end. Wipe with signing_key_wipe(). */
void signing_key_init(struct signing_key *key, uint64_t number, const uint8_t *bytes, size_t count);
void signing_key_wipe(struct signing_key *key);
/* The key of that number; NULL when it is not in the ring or has ended. */
const struct signing_key *key_ring_find(const struct key_ring *ring, uint64_t number,
                                        uint64_t now_ms);

/* header.claims.signature of two JSON texts as they are; empty when the arena is full. */
struct text token_sign(const struct signing_key *key, struct text header, struct text claims,
                       struct arena *arena);
/* One of ours. Times are cut to whole seconds. */
struct text token_make(const struct signing_key *key, const struct token_claims *claims,
                       struct arena *arena);

/* ERR_TOKEN_MALFORMED or ERR_TOKEN_EXPIRED; *claims is good only when OK. A header may lack the kid here. */
enum err token_verify(const struct signing_key *key, struct text token, uint64_t now_ms,
                      struct token_claims *claims);
/* The same with the ring's key that the kid names, and every claim that ours have is there. */
enum err token_read(const struct key_ring *ring, struct text token, uint64_t now_ms,
                    struct token_claims *claims);

#endif
