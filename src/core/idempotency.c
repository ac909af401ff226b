#include "core/idempotency.h"

#include <sodium.h>

/* Keyed, for a body may hold a password: from a plain hash of it the password could be guessed faster than from the
 * Argon2id string that stands beside it in the store. */
static void hash_hex(const struct secrets *secrets, char out[SCOPE_HASH_BYTES + 1],
                     const struct text *parts, unsigned count)
{
    uint8_t hash[SCOPE_HASH_BYTES / 2];
    crypto_generichash_state state;
    crypto_generichash_init(&state, secrets->hash_key, sizeof secrets->hash_key, sizeof hash);
    for (unsigned i = 0; i < count; i++) {
        uint64_t bytes =
            parts[i].bytes; /* in front of each part, so that parts cannot run together */
        crypto_generichash_update(&state, (const unsigned char *)&bytes, sizeof bytes);
        crypto_generichash_update(&state, (const unsigned char *)parts[i].data, parts[i].bytes);
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_memzero(&state, sizeof state);
    sodium_bin2hex(out, SCOPE_HASH_BYTES + 1, hash, sizeof hash);
}

bool idempotency_applies(const struct secrets *secrets, const struct call *call,
                         struct idempotent_key *key)
{
    const struct route *route = call->route;
    bool creates = route->method == METHOD_POST && (route->status == 201 || route->status == 202);
    if (call->idempotency_key.bytes == 0 || !creates) return false;
    /* An API key is somebody else than its owner: it must not be shown what a sign-in has made. */
    struct text who[] = {
        {(const char *)&call->caller.user_id, sizeof call->caller.user_id},
        {(const char *)&call->caller.key_id, sizeof call->caller.key_id},
        call->caller.user_id == 0 ? call->ip : TEXT_NONE,
        route->operation,
        {(const char *)&call->id, sizeof call->id},
        call->idempotency_key,
    };
    hash_hex(secrets, key->scope, who, sizeof who / sizeof *who);
    hash_hex(secrets, key->body, &call->body_raw, 1);
    return true;
}

enum err idempotency_find(struct step *step, const struct idempotent_waits *waits,
                          const struct idempotent_key *key, struct reply *reply)
{
    struct idempotency first;
    struct text body;
    for (unsigned i = 0; i < IN_FLIGHT_MAX; i++) {
        const struct idempotent_wait *wait = &waits->items[i];
        if (wait->exchange == 0 || memcmp(wait->key.scope, key->scope, SCOPE_HASH_BYTES) != 0)
            continue;
        bool is_same = memcmp(wait->key.body, key->body, SCOPE_HASH_BYTES) == 0;
        return is_same ? ERR_IN_FLIGHT : ERR_IDEMPOTENCY_MISMATCH;
    }
    enum err e = record_find(&step->read, &idempotency_by_scope,
                             &(struct idempotency){.scope = text_of(key->scope)}, &first);
    if (e != OK) return e;
    if (!text_equal(first.body_hash, text_of(key->body))) return ERR_IDEMPOTENCY_MISMATCH;
    if (!secrets_open(step->secrets, first.id, first.answer, step->arena, &body))
        return ERR_STORE_CORRUPT;
    json_reset(&reply->body);
    json_raw(&reply->body, body);
    reply->status = (unsigned)first.status;
    text_to_zero_ended(first.etag, reply->etag, sizeof reply->etag);
    return OK;
}

void idempotency_keep(struct step *step, const struct idempotent_key *key,
                      const struct reply *reply)
{
    uint8_t nonce[24];
    uint64_t id = step_id(step);
    step_random(step, nonce, sizeof nonce);
    idempotency_put(step, &(struct idempotency){
                              .id = id,
                              .scope = arena_text(step->arena, text_of(key->scope)),
                              .body_hash = arena_text(step->arena, text_of(key->body)),
                              .status = reply->status,
                              .answer = secrets_seal(step->secrets, nonce, id,
                                                     json_text(&reply->body), step->arena),
                              .created_at = step->now_ms,
                              .etag = arena_text(step->arena, text_of(reply->etag)),
                          });
}

bool idempotency_wait(struct idempotent_waits *waits, uint64_t exchange,
                      const struct idempotent_key *key)
{
    for (unsigned i = 0; i < IN_FLIGHT_MAX; i++) {
        if (waits->items[i].exchange != 0) continue;
        waits->items[i] = (struct idempotent_wait){exchange, *key};
        return true;
    }
    return false;
}

bool idempotency_done(struct idempotent_waits *waits, uint64_t exchange, struct idempotent_key *key)
{
    for (unsigned i = 0; i < IN_FLIGHT_MAX; i++) {
        if (waits->items[i].exchange != exchange || exchange == 0) continue;
        *key = waits->items[i].key;
        waits->items[i].exchange = 0;
        return true;
    }
    return false;
}
