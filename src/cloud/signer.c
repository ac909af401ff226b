/* See signer.h. The four schemes are compared column by column in the protocols page on signing. */
#include "cloud/signer.h"

#include <assert.h>
#include <sodium.h>
#include <time.h>

#include "cloud/percent.h"

struct scheme_words {
    struct text algorithm;
    const char *separator; /* between the parts of the authorization */
    bool is_scoped;        /* time and scope are signed, and a key of their own signs them */
    const char *key_start; /* what stands before the secret in the first key */
    struct text last_step; /* the last of the scope, and of the steps from the secret to the key */
};

static const struct scheme_words schemes[] = {
    [SIGNER_ACS3] = {TEXT_INIT("ACS3-HMAC-SHA256"), ",", false, "", {0}},
    [SIGNER_TC3] = {TEXT_INIT("TC3-HMAC-SHA256"), ", ", true, "TC3", TEXT_INIT("tc3_request")},
};

static int text_compare(struct text a, struct text b)
{
    size_t common_bytes = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common_bytes == 0 ? 0 : memcmp(a.data, b.data, common_bytes);
    if (order != 0) return order;
    return a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

/* Insertion sort: there are a dozen fields, and equal ones must keep their order. */
static void sort_fields(struct signer_field *fields, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct signer_field field = fields[i];
        unsigned at = i;
        while (at > 0) {
            int order = text_compare(fields[at - 1].name, field.name);
            if (order == 0) order = text_compare(fields[at - 1].value, field.value);
            if (order <= 0) break;
            fields[at] = fields[at - 1];
            at--;
        }
        fields[at] = field;
    }
}

struct text signer_query(struct arena *arena, const struct signer_field *fields,
                         unsigned field_count)
{
    assert(field_count <= SIGNER_FIELDS_MAX);
    struct signer_field sorted[SIGNER_FIELDS_MAX];
    for (unsigned i = 0; i < field_count; i++) {
        sorted[i].name = percent_encode(arena, fields[i].name);
        sorted[i].value = percent_encode(arena, fields[i].value);
    }
    /* Sorted after encoding, by bytes: "%" comes before every letter. */
    sort_fields(sorted, field_count);

    struct text query = TEXT("");
    for (unsigned i = 0; i < field_count; i++) {
        query = arena_print(arena, "%.*s%s%.*s=%.*s", TEXT_ARGS(query), i == 0 ? "" : "&",
                            TEXT_ARGS(sorted[i].name), TEXT_ARGS(sorted[i].value));
    }
    return query;
}

/* libsodium wants a pointer for no bytes too. */
static const unsigned char *bytes_of(struct text t)
{
    return (const unsigned char *)(t.data == NULL ? "" : t.data);
}

static struct text hex_text(struct arena *arena, const uint8_t *bytes, size_t count)
{
    char hex[2 * crypto_hash_sha256_BYTES + 1];
    assert(count <= crypto_hash_sha256_BYTES);
    sodium_bin2hex(hex, sizeof(hex), bytes, count);
    return arena_text(arena, text_of(hex));
}

struct text signer_hash(struct arena *arena, struct text t)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, bytes_of(t), t.bytes);
    return hex_text(arena, hash, sizeof(hash));
}

static struct text canonical_request(struct arena *arena, const struct signer_request *request,
                                     struct text *signed_names)
{
    struct signer_field sorted[SIGNER_FIELDS_MAX];
    for (unsigned i = 0; i < request->header_count; i++) {
        sorted[i] =
            (struct signer_field){request->headers[i].name, text_trim(request->headers[i].value)};
    }
    sort_fields(sorted, request->header_count);

    struct text lines = TEXT("");
    struct text names = TEXT("");
    for (unsigned i = 0; i < request->header_count; i++) {
        lines = arena_print(arena, "%.*s%.*s:%.*s\n", TEXT_ARGS(lines), TEXT_ARGS(sorted[i].name),
                            TEXT_ARGS(sorted[i].value));
        names = arena_print(arena, "%.*s%s%.*s", TEXT_ARGS(names), i == 0 ? "" : ";",
                            TEXT_ARGS(sorted[i].name));
    }
    *signed_names = names;
    /* The line end of the last header field gives the blank line. */
    return arena_print(arena, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%.*s", TEXT_ARGS(request->method),
                       TEXT_ARGS(request->path), TEXT_ARGS(request->query), TEXT_ARGS(lines),
                       TEXT_ARGS(names), TEXT_ARGS(request->body_hash));
}

static void hmac(struct text key, struct text message, uint8_t mac[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, bytes_of(key), key.bytes);
    crypto_auth_hmacsha256_update(&state, bytes_of(message), message.bytes);
    crypto_auth_hmacsha256_final(&state, mac);
    /* The state holds the key mixed in, which is as good as the key. */
    sodium_memzero(&state, sizeof(state));
}

/* The UTC day of the time: the clouds take no other, whatever the day is here. */
static struct text day_of(struct arena *arena, uint64_t time_s)
{
    time_t seconds = (time_t)time_s;
    struct tm utc;
    char day[16];
    if (gmtime_r(&seconds, &utc) == NULL) return TEXT("");
    size_t bytes = strftime(day, sizeof(day), "%Y-%m-%d", &utc);
    return arena_text(arena, (struct text){day, bytes});
}

/* The key for a day, a service and nothing else: each step is keyed with the raw bytes of the one
 * before. */
static void derive_key(const struct scheme_words *words, const struct signer_request *request,
                       struct text day, uint8_t key[crypto_auth_hmacsha256_BYTES])
{
    char first[8 + SIGNER_SECRET_BYTES_MAX]; /* not in the arena, which is not wiped */
    struct text start = text_of(words->key_start), secret = request->secret;
    assert(start.bytes <= 8 && secret.bytes <= SIGNER_SECRET_BYTES_MAX);
    memcpy(first, start.data, start.bytes);
    if (secret.bytes > 0) memcpy(first + start.bytes, secret.data, secret.bytes);
    hmac((struct text){first, start.bytes + secret.bytes}, day, key);
    sodium_memzero(first, sizeof(first));

    struct text made = {(const char *)key, crypto_auth_hmacsha256_BYTES};
    hmac(made, request->service, key);
    hmac(made, words->last_step, key);
}

/* Fills in string_to_sign and signature; returns what names the key in the authorization. */
static struct text sign_scoped(struct arena *arena, const struct signer_request *request,
                               struct text hash, struct signer_result *result)
{
    const struct scheme_words *words = &schemes[request->scheme];
    uint8_t key[crypto_auth_hmacsha256_BYTES], mac[crypto_auth_hmacsha256_BYTES];
    struct text day = day_of(arena, request->time_s);
    struct text scope = arena_print(arena, "%.*s/%.*s/%.*s", TEXT_ARGS(day),
                                    TEXT_ARGS(request->service), TEXT_ARGS(words->last_step));
    result->string_to_sign =
        arena_print(arena, "%.*s\n%llu\n%.*s\n%.*s", TEXT_ARGS(words->algorithm),
                    (unsigned long long)request->time_s, TEXT_ARGS(scope), TEXT_ARGS(hash));
    derive_key(words, request, day, key);
    hmac((struct text){(const char *)key, sizeof(key)}, result->string_to_sign, mac);
    sodium_memzero(key, sizeof(key));
    result->signature = hex_text(arena, mac, sizeof(mac));
    return arena_print(arena, "%.*s/%.*s", TEXT_ARGS(request->key_id), TEXT_ARGS(scope));
}

/* The same where nothing but the request is signed: the secret itself is the key. */
static struct text sign_plain(struct arena *arena, const struct signer_request *request,
                              struct text hash, struct signer_result *result)
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    result->string_to_sign = arena_print(
        arena, "%.*s\n%.*s", TEXT_ARGS(schemes[request->scheme].algorithm), TEXT_ARGS(hash));
    hmac(request->secret, result->string_to_sign, mac);
    result->signature = hex_text(arena, mac, sizeof(mac));
    return request->key_id;
}

struct signer_result signer_sign(struct arena *arena, const struct signer_request *request)
{
    assert(request->scheme < sizeof(schemes) / sizeof(schemes[0]));
    assert(request->header_count <= SIGNER_FIELDS_MAX);
    const struct scheme_words *words = &schemes[request->scheme];

    struct signer_result result = {0};
    result.canonical_request = canonical_request(arena, request, &result.signed_names);
    struct text hash = signer_hash(arena, result.canonical_request);
    struct text credential =
        (words->is_scoped ? sign_scoped : sign_plain)(arena, request, hash, &result);
    result.authorization =
        arena_print(arena, "%.*s Credential=%.*s%sSignedHeaders=%.*s%sSignature=%.*s",
                    TEXT_ARGS(words->algorithm), TEXT_ARGS(credential), words->separator,
                    TEXT_ARGS(result.signed_names), words->separator, TEXT_ARGS(result.signature));
    return result;
}
