#include "account/code.h"

#include <sodium.h>

#include "account/account.h"

enum {
    DIGITS = 6,
    TRIES_MAX = 5,
    TOKEN_BYTES = 32,
    NONCE_BYTES = 24,
    MINUTE_MS = 60000,
    HOUR_MS = 3600000,
    DAY_MS = 86400000,
    HOUR_MAX = 4,
    DAY_MAX = 9,
    STALE_LOOKS = 8
};

/* ---- making --------------------------------------------------------------------------------------- */

/* Without a bias: numbers from the end that does not fill a million are drawn again. */
static struct text digits_make(struct step *s)
{
    uint32_t chance;
    do {
        step_random(s, &chance, sizeof chance);
    } while (chance >= UINT32_MAX / 1000000 * 1000000);
    return arena_print(s->arena, "%06u", (unsigned)(chance % 1000000));
}

static struct text token_text(struct step *s, uint64_t code_id, struct text *hash)
{
    uint8_t chance[TOKEN_BYTES];
    char hex[2 * TOKEN_BYTES + 1], hashed[SECRET_HASH_BYTES];
    step_random(s, chance, sizeof chance);
    sodium_bin2hex(hex, sizeof hex, chance, sizeof chance);
    secret_hash((struct text){hex, sizeof hex - 1}, hashed);
    *hash = arena_text(s->arena, (struct text){hashed, sizeof hashed});
    struct text token = arena_print(s->arena, "%llu.%s", (unsigned long long)code_id, hex);
    sodium_memzero(chance, sizeof chance);
    sodium_memzero(hex, sizeof hex);
    return token;
}

/* A clock that stepped back begins a new window: nobody is locked out by it. */
static void window_begin(uint64_t *since, uint64_t *count, uint64_t length_ms, uint64_t now_ms)
{
    if (now_ms >= *since && now_ms - *since < length_ms) return;
    *since = now_ms;
    *count = 0;
}

static bool may_send(struct code *code, uint64_t now_ms)
{
    window_begin(&code->hour_since, &code->hour_count, HOUR_MS, now_ms);
    window_begin(&code->day_since, &code->day_count, DAY_MS, now_ms);
    bool is_soon = now_ms >= code->sent_at && now_ms - code->sent_at < MINUTE_MS;
    if (is_soon || code->hour_count >= HOUR_MAX || code->day_count >= DAY_MAX) return false;
    code->hour_count++;
    code->day_count++;
    code->sent_at = now_ms;
    return true;
}

/* Each new code clears away a few that nobody counts any more. */
static void remove_stale(struct step *s)
{
    struct walk walk;
    struct code code;
    uint64_t id;
    walk_begin_ordered(&walk, &s->read, &code_by_sent, NULL);
    for (unsigned i = 0; i < STALE_LOOKS && walk_next(&walk, &id); i++) {
        if (code_get(&s->read, id, &code) != OK) continue;
        bool is_over = code.expires_at <= s->now_ms && code.sent_at + DAY_MS <= s->now_ms;
        if (!is_over) break;
        code_remove(s, id);
    }
    walk_end(&walk);
}

static enum err code_of(struct step *s, enum code_purpose purpose, struct text target,
                        struct code *code)
{
    *code = (struct code){.purpose = purpose, .target = arena_text_folded(s->arena, target)};
    return record_find(&s->read, &code_by_target, code, code);
}

enum err code_make(struct step *s, enum code_purpose purpose, struct text target, uint64_t user_id,
                   uint64_t life_ms, struct text *secret)
{
    struct code code;
    uint8_t nonce[NONCE_BYTES];
    enum err e = code_of(s, purpose, target, &code);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    remove_stale(s);
    if (!may_send(&code, s->now_ms)) return ERR_TOO_MANY;
    if (e == ERR_NOT_FOUND) code.id = step_id(s);
    code.user_id = user_id;
    code.expires_at = s->now_ms + life_ms;
    code.tries = 0;
    code.is_seen = false;
    if (purpose == code_purpose_sms) {
        *secret = digits_make(s);
        step_random(s, nonce, sizeof nonce);
        code.secret = secrets_seal(s->secrets, nonce, code.id, *secret, s->arena);
    } else {
        *secret = token_text(s, code.id, &code.secret);
    }
    code_put(s, &code);
    return OK;
}

/* ---- judging -------------------------------------------------------------------------------------- */

static bool is_in_force(const struct code *code, uint64_t now_ms)
{
    return code->secret.bytes > 0 && now_ms < code->expires_at && code->tries < TRIES_MAX;
}

enum err code_check(struct step *s, enum code_purpose purpose, struct text target,
                    struct text digits, struct code *code)
{
    struct text expected;
    enum err e = code_of(s, purpose, target, code);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_CODE_WRONG : e;
    if (!is_in_force(code, s->now_ms)) return ERR_CODE_WRONG;
    if (!secrets_open(s->secrets, code->id, code->secret, s->arena, &expected))
        return ERR_CODE_WRONG;
    if (secret_equal(digits, expected)) return OK;
    code->tries++;
    code_put(s, code);
    return ERR_CODE_WRONG;
}

enum err code_find(const struct reader *reader, uint64_t now_ms, enum code_purpose purpose,
                   struct text token, struct code *code)
{
    uint64_t id = 0;
    char hash[SECRET_HASH_BYTES];
    struct text rest = token, digits = text_cut(&rest, '.');
    if (!text_to_u64(digits, INT64_MAX, &id) || id == 0) return ERR_CODE_WRONG;
    enum err e = code_get(reader, id, code);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_CODE_WRONG : e;
    secret_hash(rest, hash);
    bool is_it = code->purpose == purpose && is_in_force(code, now_ms) &&
                 secret_equal((struct text){hash, sizeof hash}, code->secret);
    return is_it ? OK : ERR_CODE_WRONG;
}

enum err code_spend(struct step *s, uint64_t code_id)
{
    struct code code;
    enum err e = code_get(&s->read, code_id, &code);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_CODE_WRONG : e;
    if (!is_in_force(&code, s->now_ms)) return ERR_CODE_WRONG;
    code.secret = TEXT_NONE;
    code_put(s, &code);
    return OK;
}
