/* See secrets.h. `about` is bound in by the nonce: what the cipher gets as nonce is a BLAKE2b of the stored
 * nonce and `about`, so that with another `about` the tag does not fit. */
#include "core/secrets.h"

#include <assert.h>
#include <sodium.h>

enum { NONCE_BYTES = 24, SEALED_BYTES_LEAST = NONCE_BYTES + crypto_secretbox_MACBYTES };
enum { BASE64 = sodium_base64_VARIANT_ORIGINAL_NO_PADDING };

/* Numbers of derived keys: for ever, as the sealed texts are. */
enum { KEY_SEAL = 1, KEY_TOKEN = 2, KEY_FINGERPRINT = 3 };

void secrets_derive(struct secrets *secrets, const uint8_t root[32])
{
    static const char context[crypto_kdf_CONTEXTBYTES + 1] = "homeport";
    uint8_t fingerprint[crypto_kdf_BYTES_MIN];
    static_assert(crypto_kdf_KEYBYTES == 32, "the root key is a KDF key");
    static_assert(crypto_secretbox_NONCEBYTES == NONCE_BYTES,
                  "the nonce in secrets.h is the cipher's");
    crypto_kdf_derive_from_key(secrets->seal_key, sizeof secrets->seal_key, KEY_SEAL, context,
                               root);
    crypto_kdf_derive_from_key(secrets->token_key, sizeof secrets->token_key, KEY_TOKEN, context,
                               root);
    crypto_kdf_derive_from_key(fingerprint, sizeof fingerprint, KEY_FINGERPRINT, context, root);
    memcpy(secrets->fingerprint, fingerprint, sizeof secrets->fingerprint);
}

void secrets_token_key(const struct secrets *secrets, uint64_t number, uint8_t key[32])
{
    static const char context[crypto_kdf_CONTEXTBYTES + 1] = "hp-token";
    assert(number != 0);
    crypto_kdf_derive_from_key(key, 32, number, context, secrets->token_key);
}

void secrets_request_key(const struct secrets *secrets, uint8_t key[32])
{
    static const char context[crypto_kdf_CONTEXTBYTES + 1] = "hp-asked";
    crypto_kdf_derive_from_key(key, 32, 1, context, secrets->seal_key);
}

static void nonce_bind(const uint8_t nonce[NONCE_BYTES], uint64_t about, uint8_t bound[NONCE_BYTES])
{
    uint8_t both[NONCE_BYTES + 8];
    memcpy(both, nonce, NONCE_BYTES);
    for (unsigned i = 0; i < 8; i++) both[NONCE_BYTES + i] = (uint8_t)(about >> (8 * i));
    crypto_generichash(bound, NONCE_BYTES, both, sizeof both, NULL, 0);
}

struct text secrets_seal(const struct secrets *secrets, const uint8_t nonce[24], uint64_t about,
                         struct text plain, struct arena *arena)
{
    uint8_t bound[NONCE_BYTES];
    size_t bytes = SEALED_BYTES_LEAST + plain.bytes;
    size_t text_size = sodium_base64_ENCODED_LEN(bytes, BASE64); /* with a zero byte */
    uint8_t *sealed = arena_alloc(arena, bytes);
    char *text = arena_alloc(arena, text_size);
    if (sealed == NULL || text == NULL) return TEXT_NONE;
    memcpy(sealed, nonce, NONCE_BYTES);
    nonce_bind(nonce, about, bound);
    crypto_secretbox_easy(sealed + NONCE_BYTES, (const uint8_t *)plain.data, plain.bytes, bound,
                          secrets->seal_key);
    sodium_bin2base64(text, text_size, sealed, bytes, BASE64);
    return (struct text){text, text_size - 1};
}

bool secrets_open(const struct secrets *secrets, uint64_t about, struct text sealed,
                  struct arena *arena, struct text *plain)
{
    uint8_t bound[NONCE_BYTES];
    size_t bytes = 0;
    const char *end = NULL;
    *plain = TEXT_NONE;
    if (sealed.bytes == 0) return false;
    uint8_t *box = arena_alloc(arena, sealed.bytes);
    char *out =
        arena_alloc(arena, sealed.bytes); /* longer than the plain text by more than a zero byte */
    if (box == NULL || out == NULL) return false;
    int code =
        sodium_base642bin(box, sealed.bytes, sealed.data, sealed.bytes, NULL, &bytes, &end, BASE64);
    if (code != 0 || end != sealed.data + sealed.bytes || bytes < SEALED_BYTES_LEAST) return false;
    nonce_bind(box, about, bound);
    code = crypto_secretbox_open_easy((uint8_t *)out, box + NONCE_BYTES, bytes - NONCE_BYTES, bound,
                                      secrets->seal_key);
    if (code != 0) return false;
    *plain = (struct text){out, bytes - SEALED_BYTES_LEAST};
    return true;
}

void secret_hash(struct text secret, char out[SECRET_HASH_BYTES])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[SECRET_HASH_BYTES + 1];
    static_assert(2 * crypto_hash_sha256_BYTES == SECRET_HASH_BYTES, "two digits a byte");
    crypto_hash_sha256(hash, (const uint8_t *)secret.data, secret.bytes);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    memcpy(out, hex, SECRET_HASH_BYTES);
}

bool secret_equal(struct text a, struct text b)
{
    if (a.bytes != b.bytes) return false;
    return a.bytes == 0 || sodium_memcmp(a.data, b.data, a.bytes) == 0;
}
