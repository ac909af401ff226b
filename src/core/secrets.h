/* The keys that homeport makes at its first start and keeps in one file outside the store: what seals
 * credentials and what signs tokens. Both are derived from the file's 32 bytes. */
#ifndef HOMEPORT_CORE_SECRETS_H
#define HOMEPORT_CORE_SECRETS_H

#include "core/arena.h"
#include "core/err.h"
#include "core/text.h"

struct secrets {
    uint8_t seal_key[32];
    uint8_t token_key[32]; /* signs nothing itself: see secrets_token_key() */
    uint8_t hash_key[32];  /* for hashes of what may be guessed */
    uint8_t fingerprint[8]; /* tells whether the file is the one that this store was sealed with */
};

/* From the 32 bytes of the key file. */
void secrets_derive(struct secrets *secrets, const uint8_t root[32]);

/* The signing key of that number: BLAKE2b of the number, keyed with secrets->token_key. Numbers start at 1. */
void secrets_token_key(const struct secrets *secrets, uint64_t number, uint8_t key[32]);


/* Sealing (XSalsa20-Poly1305): nonce, tag and cipher text in base64 without padding. `about` must be the
 * same when opening, so that a sealed text cannot be moved to another record. */
struct text secrets_seal(const struct secrets *secrets, const uint8_t nonce[24], uint64_t about,
                         struct text plain, struct arena *arena);
/* False: not sealed with this key, for this `about`, or changed since. */
bool secrets_open(const struct secrets *secrets, uint64_t about, struct text sealed,
                  struct arena *arena, struct text *plain);

/* SHA-256 in hex, of what has enough chance in it to need no slow hash. */
enum { SECRET_HASH_BYTES = 64 };
void secret_hash(struct text secret, char out[SECRET_HASH_BYTES]);
/* In constant time for texts of one length. */
bool secret_equal(struct text a, struct text b);

#endif
