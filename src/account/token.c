#include "account/token.h"

#include <assert.h>
#include <stdio.h>
#include <yyjson.h>

enum {
    MAC_BYTES = crypto_auth_hmacsha256_BYTES,
    MAC_TEXT_BYTES = 43, /* 32 bytes in base64url */
    JSON_BYTES_MAX = TOKEN_BYTES_MAX / 4 * 3 + 2,
    MEMBERS_MAX = 32,
    /* yyjson's own bound for a document of JSON_BYTES_MAX, see yyjson_read_max_memory_usage(). */
    POOL_BYTES = JSON_BYTES_MAX * 13 + 512
};
static_assert(MAC_BYTES == 32, "HS256 signatures have 32 bytes");

#define HEADER_FORMAT "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%llu\"}"

static void sign(const struct signing_key *key, struct text message, uint8_t mac[MAC_BYTES])
{
    crypto_auth_hmacsha256_state state = key->state;
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)message.data, message.bytes);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

/* ---- making --------------------------------------------------------------------------------------- */

static size_t part_put(char *out, const void *bytes, size_t count)
{
    size_t size = sodium_base64_encoded_len(count, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(out, size, bytes, count, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return size - 1;
}

void signing_key_init(struct signing_key *key, uint64_t number, const uint8_t *bytes, size_t count)
{
    char header[TOKEN_HEADER_MAX];
    assert(count > 0 && number > 0);
    *key = (struct signing_key){.number = number};
    crypto_auth_hmacsha256_init(&key->state, bytes, count);
    int n = snprintf(header, sizeof header, HEADER_FORMAT, (unsigned long long)number);
    assert(n > 0 && (size_t)n * 4 / 3 + 2 < sizeof key->header);
    key->header_bytes = part_put(key->header, header, (size_t)n);
}

void signing_key_wipe(struct signing_key *key)
{
    sodium_memzero(key, sizeof *key);
}

const struct signing_key *key_ring_find(const struct key_ring *ring, uint64_t number,
                                        uint64_t now_ms)
{
    for (unsigned i = 0; i < ring->count; i++) {
        const struct signing_key *key = &ring->keys[i];
        if (key->number == number) return key->ends_ms == 0 || now_ms < key->ends_ms ? key : NULL;
    }
    return NULL;
}

struct text token_sign(const struct signing_key *key, struct text header, struct text claims,
                       struct arena *arena)
{
    uint8_t mac[MAC_BYTES];
    size_t room = (header.bytes + claims.bytes) / 3 * 4 + 16 + MAC_TEXT_BYTES;
    char *out = arena_alloc(arena, room);
    if (out == NULL) return TEXT_NONE;
    size_t n = part_put(out, header.data, header.bytes);
    out[n++] = '.';
    n += part_put(out + n, claims.data, claims.bytes);
    sign(key, (struct text){out, n}, mac);
    out[n++] = '.';
    n += part_put(out + n, mac, sizeof mac);
    assert(n < room);
    return (struct text){out, n};
}

struct text token_make(const struct signing_key *key, const struct token_claims *claims,
                       struct arena *arena)
{
    assert(claims->user_id != 0 && claims->token_id != 0 && claims->session_id != 0);
    assert(claims->type != TOKEN_NO_TYPE && claims->expires_ms > claims->issued_ms);
    struct text role = choice_word(&role_choice, claims->role);
    struct text header = arena_print(arena, HEADER_FORMAT, (unsigned long long)key->number);
    struct text json = arena_print(
        arena,
        "{\"sub\":\"%llu\",\"iat\":%llu,\"exp\":%llu,\"jti\":\"%llu\",\"type\":\"%s\","
        "\"role\":\"%.*s\",\"sid\":\"%llu\"}",
        (unsigned long long)claims->user_id, (unsigned long long)claims->issued_ms / 1000,
        (unsigned long long)claims->expires_ms / 1000, (unsigned long long)claims->token_id,
        claims->type == TOKEN_ACCESS ? "access" : "refresh", TEXT_ARGS(role),
        (unsigned long long)claims->session_id);
    if (header.bytes == 0 || json.bytes == 0) return TEXT_NONE;
    return token_sign(key, header, json, arena);
}

/* ---- reading -------------------------------------------------------------------------------------- */

/* Value of each base64url letter plus one; 0: not a letter. */
/* clang-format off */
static const uint8_t letter_values[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};
/* clang-format on */

/* No padding, no other alphabet, no bits left over behind the last byte: one text for one value. What is
 * read is known to who sent it, so this need not take constant time as libsodium's does, ten times slower. */
static bool part_read(struct text part, uint8_t *out, size_t room, size_t *count)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    *count = 0;
    if (part.bytes == 0 || part.bytes % 4 == 1 || part.bytes / 4 * 3 + 2 > room) return false;
    for (size_t i = 0; i < part.bytes; i++) {
        uint32_t value = letter_values[(uint8_t)part.data[i]];
        if (value == 0) return false;
        bits = bits << 6 | (value - 1);
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        out[(*count)++] = (uint8_t)(bits >> bit_count);
    }
    return (bits & ((1u << bit_count) - 1)) == 0;
}

static bool has_duplicates(yyjson_val *object)
{
    const char *names[MEMBERS_MAX];
    size_t bytes[MEMBERS_MAX];
    size_t index, count;
    yyjson_val *name, *value;
    yyjson_obj_foreach(object, index, count, name, value)
    {
        names[index] = yyjson_get_str(name);
        bytes[index] = yyjson_get_len(name);
        for (size_t i = 0; i < index; i++) {
            if (bytes[i] == bytes[index] && memcmp(names[i], names[index], bytes[i]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The object that a part holds, built in the pool; NULL when it is anything else. */
static yyjson_val *part_object(struct text part, char pool[POOL_BYTES])
{
    uint8_t json[JSON_BYTES_MAX];
    size_t bytes;
    yyjson_alc allocator;
    if (!part_read(part, json, sizeof json, &bytes)) return NULL;
    if (!yyjson_alc_pool_init(&allocator, pool, POOL_BYTES)) return NULL;
    yyjson_doc *doc = yyjson_read_opts((char *)json, bytes, YYJSON_READ_NOFLAG, &allocator, NULL);
    yyjson_val *root = doc == NULL ? NULL : yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root) || yyjson_obj_size(root) > MEMBERS_MAX) return NULL;
    return has_duplicates(root) ? NULL : root;
}

/* Of a string only: yyjson_get_len() tells the members of an array or object too, for which
 * yyjson_get_str() has no text, so that {"kid":[0]} would be one byte at NULL. */
static struct text word_of(yyjson_val *value)
{
    if (!yyjson_is_str(value)) return TEXT_NONE;
    return (struct text){yyjson_get_str(value), yyjson_get_len(value)};
}

/* Zero unless it is a number's one way of being written, as a string. */
static uint64_t id_read(yyjson_val *value)
{
    uint64_t id = 0;
    struct text digits = word_of(value);
    if (digits.bytes == 0 || digits.data[0] == '0') return 0;
    return text_to_u64(digits, INT64_MAX, &id) ? id : 0;
}

/* False: no header of an HS256 token. *kid is 0 when there is none. */
static bool header_read(struct text part, uint64_t *kid, char pool[POOL_BYTES])
{
    yyjson_val *header = part_object(part, pool);
    if (header == NULL || yyjson_obj_get(header, "crit") != NULL) return false;
    yyjson_val *typ = yyjson_obj_get(header, "typ"), *given = yyjson_obj_get(header, "kid");
    if (typ != NULL && !text_equal(word_of(typ), TEXT("JWT"))) return false;
    *kid = id_read(given);
    if (given != NULL && *kid == 0) return false;
    return text_equal(word_of(yyjson_obj_get(header, "alg")), TEXT("HS256"));
}

static bool is_own_header(const struct signing_key *key, struct text part)
{
    return text_equal(part, (struct text){key->header, key->header_bytes});
}

/* Seconds, whole or not, as milliseconds. False: not a number, or out of all reason. */
static bool time_read(yyjson_val *value, uint64_t *ms)
{
    if (!yyjson_is_num(value)) return false;
    double seconds = yyjson_get_num(value);
    if (!(seconds >= 0 && seconds < 1e13)) return false;
    *ms = (uint64_t)(seconds * 1000);
    return true;
}

static enum token_type type_read(yyjson_val *value)
{
    if (text_equal(word_of(value), TEXT("access"))) return TOKEN_ACCESS;
    if (text_equal(word_of(value), TEXT("refresh"))) return TOKEN_REFRESH;
    return TOKEN_NO_TYPE;
}

/* The claims that say when a token is good. Other people's clocks may be ahead, but exp means exp. */
static enum err times_read(yyjson_val *object, uint64_t now_ms, struct token_claims *claims)
{
    uint64_t not_before_ms = 0;
    yyjson_val *iat = yyjson_obj_get(object, "iat"), *nbf = yyjson_obj_get(object, "nbf");
    if (!time_read(yyjson_obj_get(object, "exp"), &claims->expires_ms)) return ERR_TOKEN_MALFORMED;
    if (iat != NULL && !time_read(iat, &claims->issued_ms)) return ERR_TOKEN_MALFORMED;
    if (nbf != NULL && !time_read(nbf, &not_before_ms)) return ERR_TOKEN_MALFORMED;
    if (claims->issued_ms > now_ms + TOKEN_LEEWAY_MS) return ERR_TOKEN_MALFORMED;
    if (not_before_ms > now_ms + TOKEN_LEEWAY_MS) return ERR_TOKEN_MALFORMED;
    return now_ms < claims->expires_ms ? OK : ERR_TOKEN_EXPIRED;
}

static enum err claims_read(struct text part, uint64_t now_ms, struct token_claims *claims,
                            char pool[POOL_BYTES])
{
    yyjson_val *object = part_object(part, pool);
    if (object == NULL) return ERR_TOKEN_MALFORMED;
    /* A token for an audience is not for us: homeport has no audience configured. */
    if (yyjson_obj_get(object, "aud") != NULL) return ERR_TOKEN_MALFORMED;
    struct text role = word_of(yyjson_obj_get(object, "role"));
    *claims = (struct token_claims){
        .user_id = id_read(yyjson_obj_get(object, "sub")),
        .token_id = id_read(yyjson_obj_get(object, "jti")),
        .type = type_read(yyjson_obj_get(object, "type")),
        .role = choice_number(&role_choice, role),
        .session_id = id_read(yyjson_obj_get(object, "sid")),
    };
    return times_read(object, now_ms, claims);
}

/* The expected signature is written as text and compared as text: only the canonical form can be equal. */
static bool signature_is_good(const struct signing_key *key, struct text message, struct text given)
{
    uint8_t mac[MAC_BYTES];
    char expected[MAC_TEXT_BYTES + 1];
    if (given.bytes != MAC_TEXT_BYTES) return false;
    sign(key, message, mac);
    size_t bytes = part_put(expected, mac, sizeof mac);
    assert(bytes == MAC_TEXT_BYTES);
    return sodium_memcmp(expected, given.data, MAC_TEXT_BYTES) == 0;
}

struct parts {
    struct text header, body, signature, message;
};

static bool parts_take(struct text token, struct parts *parts)
{
    if (token.bytes > TOKEN_BYTES_MAX) return false;
    struct text rest = token;
    parts->header = text_cut(&rest, '.');
    parts->body = text_cut(&rest, '.');
    parts->signature = text_cut(&rest, '.');
    parts->message = (struct text){token.data, parts->header.bytes + 1 + parts->body.bytes};
    return parts->header.bytes > 0 && parts->body.bytes > 0 && rest.data == NULL;
}

/* What comes after the header. */
static enum err body_read(const struct signing_key *key, const struct parts *parts, uint64_t now_ms,
                          struct token_claims *claims, char pool[POOL_BYTES])
{
    if (!signature_is_good(key, parts->message, parts->signature)) return ERR_TOKEN_MALFORMED;
    return claims_read(parts->body, now_ms, claims, pool);
}

enum err token_verify(const struct signing_key *key, struct text token, uint64_t now_ms,
                      struct token_claims *claims)
{
    _Alignas(16) char pool[POOL_BYTES];
    struct parts parts;
    uint64_t kid = 0;
    if (!parts_take(token, &parts)) return ERR_TOKEN_MALFORMED;
    if (!is_own_header(key, parts.header)) {
        if (!header_read(parts.header, &kid, pool)) return ERR_TOKEN_MALFORMED;
        if (kid != 0 && kid != key->number) return ERR_TOKEN_MALFORMED;
    }
    return body_read(key, &parts, now_ms, claims, pool);
}

/* Headers as we write them need no reading: they are compared. */
static const struct signing_key *key_of(const struct key_ring *ring, struct text header,
                                        uint64_t now_ms, char pool[POOL_BYTES])
{
    uint64_t kid = 0;
    for (unsigned i = 0; i < ring->count && kid == 0; i++) {
        if (is_own_header(&ring->keys[i], header)) kid = ring->keys[i].number;
    }
    if (kid == 0 && !header_read(header, &kid, pool)) return NULL;
    return kid == 0 ? NULL : key_ring_find(ring, kid, now_ms);
}

enum err token_read(const struct key_ring *ring, struct text token, uint64_t now_ms,
                    struct token_claims *claims)
{
    _Alignas(16) char pool[POOL_BYTES];
    struct parts parts;
    if (!parts_take(token, &parts)) return ERR_TOKEN_MALFORMED;
    const struct signing_key *key = key_of(ring, parts.header, now_ms, pool);
    if (key == NULL) return ERR_TOKEN_MALFORMED;
    enum err e = body_read(key, &parts, now_ms, claims, pool);
    if (e != OK) return e;
    claims->key_number = key->number;
    bool is_whole = claims->user_id != 0 && claims->token_id != 0 && claims->session_id != 0 &&
                    claims->issued_ms != 0 && claims->type != TOKEN_NO_TYPE && claims->role != 0;
    return is_whole ? OK : ERR_TOKEN_MALFORMED;
}
