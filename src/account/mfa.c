#include "account/mfa.h"

#include <assert.h>
#include <sodium.h>

#include "account/account.h"
#include "account/totp.h"
#include "core/log.h"

enum {
    TRIES = 5,
    FIRST_WAIT_MS = 30000,
    DOUBLINGS_MAX = 7, /* of the wait: at most about an hour */
    NONCE_BYTES = 24,
    RECOVERY_BYTES = 10, /* 80 bits: nobody needs a slow hash to keep them */
    CODE_BYTES_MAX = 32
};

/* ---- codes ---------------------------------------------------------------------------------------- */

/* As people type them: blanks and dashes do not count, nor does the case of letters. */
static struct text code_plain(struct text code, char out[CODE_BYTES_MAX])
{
    size_t bytes = 0;
    for (size_t i = 0; i < code.bytes && bytes < CODE_BYTES_MAX; i++) {
        if (code.data[i] == ' ' || code.data[i] == '-') continue;
        out[bytes++] = ascii_lower(code.data[i]);
    }
    return (struct text){out, bytes};
}

static bool is_digits(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        if (t.data[i] < '0' || t.data[i] > '9') return false;
    }
    return true;
}

static bool totp_fits(struct step *s, struct user *user, struct text code)
{
    struct text key;
    if (!secrets_open(s->secrets, user->id, user->mfa_secret, s->arena, &key)) return false;
    uint64_t step =
        totp_step_of((const uint8_t *)key.data, key.bytes, code, s->now_ms, user->mfa_last_step);
    if (step == 0) return false;
    user->mfa_last_step = step;
    return true;
}

/* A code that fits is taken out of the list. All are compared, so that time says nothing of its place. */
static bool recovery_fits(struct step *s, struct user *user, struct text code)
{
    char hash[SECRET_HASH_BYTES];
    struct text rest = user->recovery_hashes, left = TEXT("");
    bool fits = false;
    secret_hash(code, hash);
    while (rest.bytes > 0 && rest.data != NULL) {
        struct text line = text_cut(&rest, '\n');
        if (!fits && secret_equal(line, (struct text){hash, sizeof hash})) {
            fits = true;
            continue;
        }
        left = arena_print(s->arena, "%.*s%s%.*s", TEXT_ARGS(left), left.bytes > 0 ? "\n" : "",
                           TEXT_ARGS(line));
    }
    if (!fits) return false;
    user->recovery_hashes = left;
    log_line(LOG_WARNING, "a recovery code was used instead of a second factor",
             LOG_ID("user_id", user->id), LOG_END);
    return true;
}

/* Ends with a put in any case: a try that is not counted is a try for nothing. */
static enum err code_try(struct step *s, struct user *user, struct text given, bool may_recover)
{
    char plain[CODE_BYTES_MAX];
    struct text code = code_plain(given, plain);
    if (s->now_ms < user->mfa_wait_until) return ERR_TOO_MANY;
    bool is_totp = code.bytes == TOTP_DIGITS && is_digits(code);
    bool fits = is_totp ? totp_fits(s, user, code) : may_recover && recovery_fits(s, user, code);
    sodium_memzero(plain, sizeof plain);
    if (fits) {
        user->mfa_failures = 0;
        user->mfa_wait_until = 0;
        user_put(s, user);
        return OK;
    }
    user->mfa_failures++;
    if (user->mfa_failures >= TRIES) {
        uint64_t doublings = user->mfa_failures - TRIES;
        if (doublings > DOUBLINGS_MAX) doublings = DOUBLINGS_MAX;
        user->mfa_wait_until = s->now_ms + ((uint64_t)FIRST_WAIT_MS << doublings);
    }
    user_put(s, user);
    return ERR_MFA_WRONG;
}

enum err mfa_check(struct step *s, struct user *user, struct text code)
{
    if (!user->mfa_enabled) return OK;
    if (text_trim(code).bytes == 0) return ERR_MFA_NEEDED;
    return code_try(s, user, code, true);
}

void mfa_forget(struct user *user)
{
    user->mfa_enabled = false;
    user->mfa_secret = TEXT_NONE;
    user->recovery_hashes = TEXT_NONE;
    user->mfa_failures = 0;
    user->mfa_wait_until = 0;
    /* mfa_last_step stays: a code that was used with the key before is not good with the next either. */
}

/* ---- handlers ------------------------------------------------------------------------------------- */

/* The own account, for somebody who is signed in: a key changes nothing here. */
static enum err own_user(struct step *s, const struct call *call, struct user *user,
                         struct reply *reply)
{
    if (call->caller.session_id == 0) return account_refuse_key(reply, call);
    return user_get(&s->read, call->caller.user_id, user);
}

static enum err refuse(const struct call *call, struct reply *reply, const char *why)
{
    return reply_error_saying(reply, ERR_CONFLICT, text_of(why), call->request_id);
}

/* A wrong code is answered as a field that is wrong: the sign-in itself is in order. OK is returned, since
 * the try has to be kept. */
static enum err refuse_code(const struct call *call, struct reply *reply, enum err e)
{
    if (e == ERR_MFA_WRONG) {
        reply_error_field(reply, ERR_INVALID, TEXT("totp"), TEXT("is wrong or was used before"),
                          call->request_id);
    } else {
        reply_error(reply, e, NULL, call->request_id);
    }
    return OK;
}

static struct text name_of(const struct user *user)
{
    if (user->username.bytes > 0) return user->username;
    return user->email.bytes > 0 ? user->email : TEXT("device");
}

enum err mfa_enroll(struct step *s, const struct call *call, struct reply *reply)
{
    struct user user;
    uint8_t key[TOTP_KEY_BYTES], nonce[NONCE_BYTES];
    enum err e = own_user(s, call, &user, reply);
    if (e != OK) return e;
    if (user.mfa_enabled) return refuse(call, reply, "The second factor is on already");

    step_random(s, key, sizeof key);
    step_random(s, nonce, sizeof nonce);
    user.mfa_secret = secrets_seal(s->secrets, nonce, user.id,
                                   (struct text){(const char *)key, sizeof key}, s->arena);
    struct mfa_enrolled enrolled = {.secret = base32_encode(s->arena, key, sizeof key)};
    enrolled.otpauth_uri = totp_uri(s->arena, TEXT("homeport"), name_of(&user), enrolled.secret);
    sodium_memzero(key, sizeof key);
    user_put(s, &user);
    reply_one(reply, &mfa_enrolled_type, &enrolled);
    return OK;
}

/* "ABCD-EFGH-IJKL-MNOP", one a line; their hashes go into the user's row. */
static struct text recovery_make(struct step *s, struct user *user)
{
    struct text shown = TEXT(""), hashes = TEXT("");
    for (unsigned i = 0; i < MFA_RECOVERY_CODES; i++) {
        uint8_t chance[RECOVERY_BYTES];
        char plain[CODE_BYTES_MAX], hash[SECRET_HASH_BYTES];
        step_random(s, chance, sizeof chance);
        struct text code = base32_encode(s->arena, chance, sizeof chance);
        if (code.bytes != 16)
            return TEXT_NONE; /* the arena is full: the step is refused as a whole */
        secret_hash(code_plain(code, plain), hash);
        const char *separator = i == 0 ? "" : "\n";
        hashes = arena_print(s->arena, "%.*s%s%.*s", TEXT_ARGS(hashes), separator, (int)sizeof hash,
                             hash);
        shown = arena_print(s->arena, "%.*s%s%.4s-%.4s-%.4s-%.4s", TEXT_ARGS(shown), separator,
                            code.data, code.data + 4, code.data + 8, code.data + 12);
        sodium_memzero(chance, sizeof chance);
    }
    user->recovery_hashes = hashes;
    return shown;
}

enum err mfa_confirm(struct step *s, const struct call *call, struct reply *reply)
{
    const struct totp_input *in = call->body;
    struct user user;
    enum err e = own_user(s, call, &user, reply);
    if (e != OK) return e;
    if (user.mfa_enabled) return refuse(call, reply, "The second factor is on already");
    if (user.mfa_secret.bytes == 0) {
        return refuse(call, reply, "Begin with POST /api/v1/auth/mfa/enroll");
    }
    e = code_try(s, &user, in->totp, false);
    if (e != OK) return refuse_code(call, reply, e);

    struct mfa_confirmed confirmed = {.recovery_codes = recovery_make(s, &user)};
    user.mfa_enabled = true;
    user.updated_at = s->now_ms;
    user_put(s, &user);
    reply_one(reply, &mfa_confirmed_type, &confirmed);
    return OK;
}

enum err mfa_disable(struct step *s, const struct call *call, struct reply *reply)
{
    const struct totp_input *in = call->body;
    struct user user;
    enum err e = own_user(s, call, &user, reply);
    if (e != OK) return e;
    if (!user.mfa_enabled) return refuse(call, reply, "There is no second factor to switch off");
    e = code_try(s, &user, in->totp, true);
    if (e != OK) return refuse_code(call, reply, e);

    mfa_forget(&user);
    user.updated_at = s->now_ms;
    user_put(s, &user);
    reply_no_data(reply);
    return OK;
}
