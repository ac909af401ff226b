#include "account/gate_auth.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "account/checks.h"
#include "account/token_keys.h"

enum {
    PROBES = 8,                 /* places a credential may have */
    CREDENTIAL_BYTES_MAX = 512, /* longer ones are verified each time; ours have about 330 */
    BASIC_BYTES_MAX = 512,
    USED_KEYS_MAX = 256,
    USED_EVERY_MS = 60000
};

struct auth_entry {
    struct caller caller;
    uint64_t expires_ms; /* of the token or key, or of its session or signing key when earlier */
    uint64_t key_number; /* tokens: of the key that signed it */
    uint64_t generation; /* of the store in which the rows behind it were seen to be in order */
    uint64_t used_ms;
    uint64_t noted_ms; /* keys: when last_used_at was, or was asked to be, written */
    size_t bytes;
    char credential[CREDENTIAL_BYTES_MAX];
};

struct auth_cache {
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
    struct key_ring ring;
    uint64_t ring_generation;      /* of the store that the ring was read from */
    const struct secrets *secrets; /* whose keys the ring holds; NULL: it was not read yet */
    uint32_t mfa_roles;            /* a bit for each role that must have a second factor */
    unsigned mask;
    uint64_t *hashes; /* 0: free */
    struct auth_entry *entries;
    uint64_t used_keys[USED_KEYS_MAX];
    unsigned used_first, used_count;
};

struct auth_cache *auth_cache_new(unsigned capacity)
{
    assert(capacity >= PROBES && (capacity & (capacity - 1)) == 0);
    struct auth_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) return NULL;
    cache->mask = capacity - 1;
    cache->hashes = calloc(capacity, sizeof *cache->hashes);
    cache->entries = calloc(capacity, sizeof *cache->entries);
    if (cache->hashes == NULL || cache->entries == NULL) {
        auth_cache_free(cache);
        return NULL;
    }
    randombytes_buf(cache->hash_key, sizeof cache->hash_key);
    return cache;
}

void auth_cache_free(struct auth_cache *cache)
{
    if (cache->entries != NULL) {
        sodium_memzero(cache->entries, (cache->mask + 1) * sizeof *cache->entries);
    }
    free(cache->entries);
    free(cache->hashes);
    sodium_memzero(cache, sizeof *cache);
    free(cache);
}

void auth_cache_require_mfa(struct auth_cache *cache, struct text roles)
{
    cache->mfa_roles = 0;
    while (roles.bytes > 0 && roles.data != NULL) {
        uint32_t role = choice_number(&role_choice, text_cut(&roles, '\n'));
        if (role != 0) cache->mfa_roles |= 1u << role;
    }
}

/* ---- the headers ---------------------------------------------------------------------------------- */

static bool is_key(struct text credential)
{
    return text_starts(credential, TEXT("hp_"));
}

/* True when `value` starts with the scheme's name; what follows it is left in *rest. */
static bool scheme_take(struct text value, struct text scheme, struct text *rest)
{
    *rest = text_trim(value);
    struct text name = text_cut(rest, ' ');
    if (!text_equal_fold(name, scheme)) return false;
    *rest = text_trim(*rest);
    return true;
}

static enum err credential_of(struct text authorization, struct text x_api_key,
                              struct text *credential)
{
    struct text bearer, key = text_trim(x_api_key);
    if (authorization.bytes == 0 && key.bytes == 0) return ERR_NOT_SIGNED_IN;
    if (key.bytes > 0 && !is_key(key)) return ERR_KEY_INVALID;
    *credential = key;
    if (authorization.bytes == 0) return OK;
    if (!scheme_take(authorization, TEXT("Bearer"), &bearer)) {
        return key.bytes > 0 ? ERR_BAD_REQUEST : ERR_NOT_SIGNED_IN;
    }
    if (key.bytes > 0 && !secret_equal(bearer, key)) return ERR_BAD_REQUEST;
    *credential = bearer;
    return bearer.bytes > 0 ? OK : ERR_TOKEN_MALFORMED;
}

/* ---- full verification ---------------------------------------------------------------------------- */

static enum err user_check(const struct auth_cache *cache, const struct reader *snapshot,
                           struct caller *caller)
{
    struct user user;
    enum err e = user_get(snapshot, caller->user_id, &user);
    if (e == ERR_NOT_FOUND) return ERR_TOKEN_REVOKED;
    if (e != OK) return e;
    if (!user.is_active) return ERR_USER_INACTIVE;
    caller->role = user.role;
    caller->must_enroll = !user.mfa_enabled && (cache->mfa_roles >> user.role & 1) != 0;
    return OK;
}

/* A sign-in that is not there any more: the token's user may have been switched off, which ends them all and is
 * the better thing to say. */
static enum err ended_check(const struct auth_cache *cache, const struct reader *snapshot,
                            struct caller *caller)
{
    enum err e = user_check(cache, snapshot, caller);
    return e == OK || e == ERR_TOKEN_REVOKED ? ERR_SIGNED_OUT : e;
}

static enum err session_check(const struct auth_cache *cache, const struct reader *snapshot,
                              uint64_t now_ms, struct auth_entry *entry)
{
    struct session session;
    enum err e = session_get(snapshot, entry->caller.session_id, &session);
    if (e == ERR_NOT_FOUND) return ended_check(cache, snapshot, &entry->caller);
    if (e != OK) return e;
    if (session.user_id != entry->caller.user_id) return ERR_TOKEN_REVOKED;
    if (session.expires_at <= now_ms) return ERR_TOKEN_EXPIRED;
    if (session.expires_at < entry->expires_ms) entry->expires_ms = session.expires_at;
    return user_check(cache, snapshot, &entry->caller);
}

/* The parts of hp_<id>_<secret>. The secret is the rest: it may hold underscores. */
static bool key_parts(struct text credential, uint64_t *id, struct text *secret)
{
    struct text rest = {credential.data + 3, credential.bytes - 3};
    struct text digits = text_cut(&rest, '_');
    *secret = rest;
    bool is_padded = digits.bytes > 0 && digits.data[0] == '0'; /* one key has one spelling */
    return !is_padded && rest.bytes > 0 && text_to_u64(digits, INT64_MAX, id) && *id != 0;
}

static enum err key_check(const struct auth_cache *cache, const struct reader *snapshot,
                          uint64_t now_ms, struct text credential, struct auth_entry *entry)
{
    struct api_key key;
    struct text secret;
    uint64_t id = 0;
    char hash[SECRET_HASH_BYTES];
    if (!key_parts(credential, &id, &secret)) return ERR_KEY_INVALID;
    enum err e = api_key_get(snapshot, id, &key);
    if (e == ERR_NOT_FOUND) return ERR_KEY_INVALID;
    if (e != OK) return e;
    secret_hash(secret, hash);
    if (!secret_equal((struct text){hash, sizeof hash}, key.secret_hash)) return ERR_KEY_INVALID;
    if (key.is_revoked || (key.expires_at != 0 && key.expires_at <= now_ms)) return ERR_KEY_INVALID;
    entry->caller = (struct caller){
        .user_id = key.user_id,
        .key_id = id,
        .rights = scopes_to_rights(key.scopes),
        .is_host_bound = key.hosts.bytes > 0,
    };
    entry->expires_ms = key.expires_at != 0 ? key.expires_at : UINT64_MAX;
    if (key.last_used_at > entry->noted_ms) entry->noted_ms = key.last_used_at;
    e = user_check(cache, snapshot, &entry->caller);
    return e == ERR_TOKEN_REVOKED ? ERR_KEY_INVALID : e;
}

/* The signing keys as they are in this generation of the store. */
static enum err ring_renew(struct auth_cache *cache, const struct reader *snapshot,
                           uint64_t generation, uint64_t now_ms, const struct secrets *secrets)
{
    if (cache->secrets == secrets && cache->ring_generation == generation) return OK;
    if (cache->secrets != secrets) key_ring_wipe(&cache->ring);
    cache->secrets = NULL;
    enum err e = key_ring_read(&cache->ring, snapshot, secrets, now_ms);
    if (e != OK) return e;
    cache->secrets = secrets;
    cache->ring_generation = generation;
    return OK;
}

/* The part of a token's check that must be done again when the store has changed. */
static enum err token_recheck(const struct auth_cache *cache, const struct reader *snapshot,
                              uint64_t now_ms, struct auth_entry *entry)
{
    const struct signing_key *key = key_ring_find(&cache->ring, entry->key_number, now_ms);
    if (key == NULL) return ERR_TOKEN_MALFORMED;
    if (key->ends_ms != 0 && key->ends_ms < entry->expires_ms) entry->expires_ms = key->ends_ms;
    return session_check(cache, snapshot, now_ms, entry);
}

static enum err token_check(const struct auth_cache *cache, const struct reader *snapshot,
                            uint64_t now_ms, struct text credential, struct auth_entry *entry)
{
    struct token_claims claims;
    enum err e = token_read(&cache->ring, credential, now_ms, &claims);
    if (e != OK) return e;
    if (claims.type != TOKEN_ACCESS) return ERR_TOKEN_MALFORMED;
    entry->caller = (struct caller){
        .user_id = claims.user_id,
        .session_id = claims.session_id,
        .rights = UINT32_MAX,
    };
    entry->expires_ms = claims.expires_ms;
    entry->key_number = claims.key_number;
    return token_recheck(cache, snapshot, now_ms, entry);
}

/* ---- the cache ------------------------------------------------------------------------------------ */

/* Over the end of the credential: in a good one that is the signature, or the secret, and tells it from all
 * others; the entry found is compared whole in any case. */
static uint64_t hash_of(const struct auth_cache *cache, struct text credential)
{
    enum { END_BYTES = 16 };
    uint64_t hash;
    if (credential.bytes > END_BYTES) {
        credential = (struct text){credential.data + credential.bytes - END_BYTES, END_BYTES};
    }
    uint8_t bytes[crypto_shorthash_BYTES];
    static_assert(sizeof hash == sizeof bytes, "SipHash has 64 bits");
    crypto_shorthash(bytes, (const uint8_t *)credential.data, credential.bytes, cache->hash_key);
    memcpy(&hash, bytes, sizeof hash);
    return hash | 1; /* 0 is a free place */
}

static unsigned place_of(const struct auth_cache *cache, uint64_t hash, unsigned probe)
{
    return ((unsigned)(hash >> 32) + probe) & cache->mask;
}

/* In constant time, eight bytes at a step: libsodium's goes byte by byte, a microsecond for a token. */
static bool is_same(const char *a, const char *b, size_t bytes)
{
    uint64_t left, right, difference = 0;
    size_t i = 0;
    for (; i + sizeof left <= bytes; i += sizeof left) {
        memcpy(&left, a + i, sizeof left);
        memcpy(&right, b + i, sizeof right);
        difference |= left ^ right;
    }
    for (; i < bytes; i++) difference |= (uint64_t)(uint8_t)(a[i] ^ b[i]);
    return difference == 0;
}

/* The credential's entry, or NULL. */
static struct auth_entry *entry_find(struct auth_cache *cache, uint64_t hash,
                                     struct text credential)
{
    for (unsigned i = 0; i < PROBES; i++) {
        unsigned place = place_of(cache, hash, i);
        struct auth_entry *entry = &cache->entries[place];
        if (cache->hashes[place] != hash || entry->bytes != credential.bytes) continue;
        if (is_same(entry->credential, credential.data, credential.bytes)) return entry;
    }
    return NULL;
}

static void entry_forget(struct auth_cache *cache, struct auth_entry *entry)
{
    cache->hashes[entry - cache->entries] = 0;
    sodium_memzero(entry, sizeof *entry);
}

/* A place for the credential: a free one, else that which was used longest ago. */
static struct auth_entry *entry_make(struct auth_cache *cache, uint64_t hash)
{
    unsigned chosen = place_of(cache, hash, 0);
    for (unsigned i = 0; i < PROBES; i++) {
        unsigned place = place_of(cache, hash, i);
        if (cache->hashes[place] == 0) {
            chosen = place;
            break;
        }
        if (cache->entries[place].used_ms < cache->entries[chosen].used_ms) chosen = place;
    }
    cache->hashes[chosen] = hash;
    return &cache->entries[chosen];
}

static void use_note(struct auth_cache *cache, struct auth_entry *entry, uint64_t now_ms)
{
    entry->used_ms = now_ms;
    if (entry->caller.key_id == 0 || cache->used_count == USED_KEYS_MAX) return;
    if (now_ms < entry->noted_ms + USED_EVERY_MS) return;
    unsigned at = (cache->used_first + cache->used_count++) % USED_KEYS_MAX;
    cache->used_keys[at] = entry->caller.key_id;
    entry->noted_ms = now_ms;
}

bool auth_take_used_key(struct auth_cache *cache, uint64_t *key_id)
{
    if (cache->used_count == 0) return false;
    *key_id = cache->used_keys[cache->used_first];
    cache->used_first = (cache->used_first + 1) % USED_KEYS_MAX;
    cache->used_count--;
    return true;
}

/* Not in the cache, or expired there: verified from the ground up, and kept when it fits. */
static enum err check_anew(struct auth_cache *cache, const struct reader *snapshot,
                           uint64_t generation, uint64_t now_ms, const struct secrets *secrets,
                           struct text credential, uint64_t hash, struct caller *caller)
{
    struct auth_entry fresh = {.generation = generation, .bytes = credential.bytes};
    enum err e = is_key(credential) ? OK : ring_renew(cache, snapshot, generation, now_ms, secrets);
    if (e != OK) return e;
    e = is_key(credential) ? key_check(cache, snapshot, now_ms, credential, &fresh)
                           : token_check(cache, snapshot, now_ms, credential, &fresh);
    if (e != OK) return e;
    *caller = fresh.caller;
    if (credential.bytes > CREDENTIAL_BYTES_MAX) return OK;
    memcpy(fresh.credential, credential.data, credential.bytes);
    struct auth_entry *entry = entry_make(cache, hash);
    *entry = fresh;
    use_note(cache, entry, now_ms);
    sodium_memzero(&fresh, sizeof fresh);
    return OK;
}

static enum err check(struct auth_cache *cache, const struct reader *snapshot, uint64_t generation,
                      uint64_t now_ms, const struct secrets *secrets, struct text credential,
                      struct caller *caller)
{
    uint64_t hash = hash_of(cache, credential);
    struct auth_entry *entry = entry_find(cache, hash, credential);
    if (entry != NULL && now_ms >= entry->expires_ms) {
        entry_forget(cache, entry);
        entry = NULL;
    }
    if (entry == NULL) {
        return check_anew(cache, snapshot, generation, now_ms, secrets, credential, hash, caller);
    }
    if (entry->generation != generation) {
        enum err e = is_key(credential) ? key_check(cache, snapshot, now_ms, credential, entry)
                                        : ring_renew(cache, snapshot, generation, now_ms, secrets);
        if (e == OK && !is_key(credential)) e = token_recheck(cache, snapshot, now_ms, entry);
        if (e != OK) {
            entry_forget(cache, entry);
            return e;
        }
        entry->generation = generation;
    }
    use_note(cache, entry, now_ms);
    *caller = entry->caller;
    return OK;
}

enum err auth_check(struct auth_cache *cache, const struct reader *snapshot,
                    uint64_t store_generation, uint64_t now_ms, const struct secrets *secrets,
                    struct text authorization, struct text x_api_key, struct caller *caller)
{
    struct text credential = TEXT_NONE;
    *caller = (struct caller){.user_id = 0};
    enum err e = credential_of(authorization, x_api_key, &credential);
    if (e != OK) return e;
    return check(cache, snapshot, store_generation, now_ms, secrets, credential, caller);
}

enum err auth_check_basic(struct auth_cache *cache, const struct reader *snapshot,
                          uint64_t store_generation, uint64_t now_ms, const struct secrets *secrets,
                          struct text authorization, struct text x_api_key, struct caller *caller)
{
    struct text encoded;
    char plain[BASIC_BYTES_MAX];
    size_t bytes = 0;
    if (!scheme_take(authorization, TEXT("Basic"), &encoded)) {
        return auth_check(cache, snapshot, store_generation, now_ms, secrets, authorization,
                          x_api_key, caller);
    }
    *caller = (struct caller){.user_id = 0};
    if (x_api_key.bytes > 0) return ERR_BAD_REQUEST;
    if (encoded.bytes == 0) return ERR_NOT_SIGNED_IN;
    if (sodium_base642bin((uint8_t *)plain, sizeof plain, encoded.data, encoded.bytes, NULL, &bytes,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        return ERR_KEY_INVALID;
    }
    struct text key = {plain, bytes};
    text_cut(&key, ':');
    enum err e = !is_key(key)
                     ? ERR_KEY_INVALID
                     : check(cache, snapshot, store_generation, now_ms, secrets, key, caller);
    sodium_memzero(plain, sizeof plain);
    return e;
}

/* ---- roles and scopes ----------------------------------------------------------------------------- */

static enum role role_needed(enum access access)
{
    switch (access) {
    case ACCESS_OPERATOR: return role_operator;
    case ACCESS_ADMIN: return role_admin;
    case ACCESS_SUPER: return role_super_admin;
    case ACCESS_PUBLIC:
    case ACCESS_OPTIONAL:
    case ACCESS_METRICS:
    case ACCESS_DYNDNS:
    case ACCESS_USER: break;
    }
    return role_user;
}

/* What somebody may do whose role asks for a second factor that is not there yet: set one up, or leave. */
static bool is_open_without_mfa(const struct route *route)
{
    static const struct text open[] = {TEXT_INIT("mfa_enroll"), TEXT_INIT("mfa_confirm"),
                                       TEXT_INIT("user_me"), TEXT_INIT("profile_show"),
                                       TEXT_INIT("user_logout")};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        if (text_equal(route->operation, open[i])) return true;
    }
    return false;
}

enum err access_check(const struct caller *caller, const struct route *route)
{
    if (route->access < ACCESS_DYNDNS) return OK;
    if (caller->user_id == 0) return ERR_NOT_SIGNED_IN;
    if (caller->role < role_needed(route->access)) return ERR_FORBIDDEN;
    if (caller->must_enroll && !is_open_without_mfa(route)) return ERR_MFA_ENROLL;
    if (caller->is_host_bound && route->access != ACCESS_DYNDNS) return ERR_SCOPE_MISSING;

    /* A GET of the turn lane changes things too: /nic/update. A family of its own (SCOPE_none) is only
     * opened by the words that open all families. */
    bool is_write = route->method != METHOD_GET || route->lane == LANE_TURN;
    uint32_t opened_by = is_write ? RIGHT_WRITE : RIGHT_READ | RIGHT_WRITE;
    if (route->scope != SCOPE_none) opened_by |= right_of(route->scope, true);
    if (route->scope != SCOPE_none && !is_write) opened_by |= right_of(route->scope, false);
    return caller->rights & opened_by ? OK : ERR_SCOPE_MISSING;
}
