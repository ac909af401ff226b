/* account/gate_auth.c: who is asking, from the header to the rows of the store, and what they may do. */
#include "unit.h"

#include "account/checks.h"
#include "account/gate_auth.h"
#include "account/token_keys.h"

#include <sodium.h>
#include <time.h>
#include <unistd.h>

enum { USER = 100, OTHER = 101, SESSION = 200, KEY_ID = 300, JTI = 400 };
static const uint64_t now_ms = 1772352551000;
static const char key_secret[] = "0123_4567";

static struct store *store;
static struct arena arena;
static struct secrets secrets;
static struct auth_cache *cache;
static char folder[] = "/tmp/homeport-auth-XXXXXX";

/* ---- a store with a user, a sign-in and a key ----------------------------------------------------- */

static void put(const struct record_type *type, const void *record)
{
    struct store_txn *txn;
    struct key key = key_of_record(type, record_id(type, record));
    CHECK(store_begin(store, &txn) == OK);
    CHECK(store_put(txn, key_text(&key), record_encode(type, record, TEXT_NONE, &arena)) == OK);
    CHECK(store_commit(txn) == OK);
}

static void take_away(const struct record_type *type, uint64_t id)
{
    struct store_txn *txn;
    struct key key = key_of_record(type, id);
    CHECK(store_begin(store, &txn) == OK);
    CHECK(store_remove(txn, key_text(&key)) == OK);
    CHECK(store_commit(txn) == OK);
}

static struct user user_row(void)
{
    return (struct user){.id = USER, .username = TEXT("anna"), .role = role_admin, .is_active = true};
}

static struct session session_row(void)
{
    return (struct session){
        .id = SESSION,
        .user_id = USER,
        .refresh_id = JTI,
        .refreshed_at = now_ms,
        .expires_at = now_ms + 7 * 86400000,
    };
}

static struct api_key key_row(void)
{
    char hash[SECRET_HASH_BYTES];
    secret_hash(text_of(key_secret), hash);
    return (struct api_key){
        .id = KEY_ID,
        .user_id = USER,
        .name = TEXT("router"),
        .scopes = TEXT("ddns:write\ntasks:read"),
        .secret_hash = arena_text(&arena, (struct text){hash, sizeof hash}),
    };
}

/* Rows as they were, and nothing remembered. */
static void start_afresh(void)
{
    struct user user = user_row();
    struct session session = session_row();
    struct api_key key = key_row();
    put(&user_type, &user);
    put(&session_type, &session);
    put(&api_key_type, &key);
    if (cache != NULL) auth_cache_free(cache);
    cache = auth_cache_new(64);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static struct caller caller;

static enum err ask_at(uint64_t at_ms, struct text authorization, struct text api_key, bool is_basic)
{
    struct store_txn *txn;
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader snapshot = {.txn = txn};
    enum err e = (is_basic ? auth_check_basic : auth_check)(cache, &snapshot, store_generation(txn), at_ms,
                                                            &secrets, authorization, api_key, &caller);
    store_release(txn);
    return e;
}

static enum err ask(struct text authorization)
{
    return ask_at(now_ms, authorization, TEXT_NONE, false);
}

static uint64_t signing_number = 1;

static struct text bearer_of(struct token_claims claims)
{
    struct signing_key key;
    signing_key_of(&secrets, signing_number, &key);
    return arena_print(&arena, "Bearer %.*s", TEXT_ARGS(token_make(&key, &claims, &arena)));
}

static struct token_claims claims_ok(void)
{
    return (struct token_claims){
        .user_id = USER,
        .issued_ms = now_ms - 1000,
        .expires_ms = now_ms + 1800000,
        .token_id = JTI,
        .type = TOKEN_ACCESS,
        .role = role_user,
        .session_id = SESSION,
    };
}

static struct text good_key(void)
{
    return arena_print(&arena, "hp_%d_%s", KEY_ID, key_secret);
}

/* A good token tells who it is, with the role of the store and not that of the token. */
static void test_token(void)
{
    start_afresh();
    for (unsigned i = 0; i < 3; i++) {
        CHECK(ask(bearer_of(claims_ok())) == OK);
        CHECK(caller.user_id == USER && caller.session_id == SESSION && caller.key_id == 0);
        CHECK(caller.role == role_admin && caller.rights == UINT32_MAX);
    }
    struct token_claims claims = claims_ok();
    claims.type = TOKEN_REFRESH;
    CHECK(ask(bearer_of(claims)) == ERR_TOKEN_MALFORMED);
    CHECK(caller.user_id == 0);
    claims = claims_ok();
    claims.user_id = OTHER;
    CHECK(ask(bearer_of(claims)) == ERR_TOKEN_REVOKED);
    claims = claims_ok();
    claims.session_id = SESSION + 1;
    CHECK(ask(bearer_of(claims)) == ERR_SIGNED_OUT);
}

/* The words of the headers, right and wrong. */
static void test_headers(void)
{
    struct text key = good_key(), token = bearer_of(claims_ok());
    struct text key_bearer = arena_print(&arena, "bearer   %.*s ", TEXT_ARGS(key));
    start_afresh();
    CHECK(ask(TEXT_NONE) == ERR_NOT_SIGNED_IN);
    CHECK(ask(TEXT("Bearer")) == ERR_TOKEN_MALFORMED);
    CHECK(ask(TEXT("Bearer x")) == ERR_TOKEN_MALFORMED);
    CHECK(ask(TEXT("Bearer hp_")) == ERR_KEY_INVALID);
    CHECK(ask(TEXT("Bearer hp_300")) == ERR_KEY_INVALID);
    CHECK(ask(TEXT("Bearer hp_300_")) == ERR_KEY_INVALID);
    CHECK(ask(TEXT("Bearer hp__0123_4567")) == ERR_KEY_INVALID);
    CHECK(ask(TEXT("Bearer hp_300_0123_4568")) == ERR_KEY_INVALID);
    CHECK(ask(TEXT("Bearer hp_301_0123_4567")) == ERR_KEY_INVALID);
    CHECK(ask(TEXT("Basic YTpi")) == ERR_NOT_SIGNED_IN);
    CHECK(ask(key_bearer) == OK && caller.key_id == KEY_ID);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == OK && caller.user_id == USER);
    CHECK(ask_at(now_ms, key_bearer, key, false) == OK);
    CHECK(ask_at(now_ms, token, key, false) == ERR_BAD_REQUEST);
    CHECK(ask_at(now_ms, TEXT("Basic YTpi"), key, false) == ERR_BAD_REQUEST);
    CHECK(ask_at(now_ms, TEXT_NONE, TEXT("secret"), false) == ERR_KEY_INVALID);
}

/* Routers: any name, the key as password; the other ways work too. */
static void test_basic(void)
{
    char plain[100], encoded[200];
    start_afresh();
    int n = snprintf(plain, sizeof plain, "anybody:%.*s", TEXT_ARGS(good_key()));
    sodium_bin2base64(encoded, sizeof encoded, (uint8_t *)plain, (size_t)n, sodium_base64_VARIANT_ORIGINAL);
    struct text basic = arena_print(&arena, "Basic %s", encoded);
    CHECK(ask_at(now_ms, basic, TEXT_NONE, true) == OK && caller.key_id == KEY_ID);
    CHECK(ask_at(now_ms, basic, TEXT_NONE, true) == OK && caller.key_id == KEY_ID);
    CHECK(ask_at(now_ms, basic, good_key(), true) == ERR_BAD_REQUEST);
    CHECK(ask_at(now_ms, bearer_of(claims_ok()), TEXT_NONE, true) == OK && caller.session_id == SESSION);
    CHECK(ask_at(now_ms, TEXT("Basic YTpi"), TEXT_NONE, true) == ERR_KEY_INVALID);
    CHECK(ask_at(now_ms, TEXT("Basic YWI="), TEXT_NONE, true) == ERR_KEY_INVALID);
    CHECK(ask_at(now_ms, TEXT("Basic !"), TEXT_NONE, true) == ERR_KEY_INVALID);
    CHECK(ask_at(now_ms, TEXT("Basic"), TEXT_NONE, true) == ERR_NOT_SIGNED_IN);
    CHECK(ask_at(now_ms, TEXT_NONE, TEXT_NONE, true) == ERR_NOT_SIGNED_IN);
}

/* What is withdrawn counts from the next request on, although the credential was remembered. */
static void test_withdrawn(void)
{
    struct text token = bearer_of(claims_ok()), key = good_key();
    start_afresh();
    CHECK(ask(token) == OK && ask_at(now_ms, TEXT_NONE, key, false) == OK);

    struct user user = user_row();
    user.role = role_user;
    put(&user_type, &user);
    CHECK(ask(token) == OK && caller.role == role_user);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == OK && caller.role == role_user);
    user.is_active = false;
    put(&user_type, &user);
    CHECK(ask(token) == ERR_USER_INACTIVE);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == ERR_USER_INACTIVE);
    take_away(&session_type, SESSION);
    CHECK(ask(token) == ERR_USER_INACTIVE);
    user.is_active = true;
    put(&user_type, &user);
    CHECK(ask(token) == ERR_SIGNED_OUT);
    struct session session = session_row();
    put(&session_type, &session);
    CHECK(ask(token) == OK);
    take_away(&user_type, USER);
    CHECK(ask(token) == ERR_TOKEN_REVOKED);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == ERR_KEY_INVALID);

    start_afresh();
    CHECK(ask(token) == OK && ask_at(now_ms, TEXT_NONE, key, false) == OK);
    take_away(&session_type, SESSION);
    CHECK(ask(token) == ERR_SIGNED_OUT);
    struct api_key row = key_row();
    row.scopes = TEXT("read");
    put(&api_key_type, &row);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == OK && caller.rights == RIGHT_READ);
    row.is_revoked = true;
    put(&api_key_type, &row);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == ERR_KEY_INVALID);
    CHECK(ask_at(now_ms, TEXT_NONE, key, false) == ERR_KEY_INVALID);
}

/* Time alone ends things too, without any write in between. */
static void test_expired(void)
{
    struct text token = bearer_of(claims_ok());
    start_afresh();
    CHECK(ask_at(now_ms + 1799999, token, TEXT_NONE, false) == OK);
    CHECK(ask_at(now_ms + 1800000, token, TEXT_NONE, false) == ERR_TOKEN_EXPIRED);

    struct session session = session_row();
    session.expires_at = now_ms + 1000;
    put(&session_type, &session);
    CHECK(ask_at(now_ms + 999, token, TEXT_NONE, false) == OK);
    CHECK(ask_at(now_ms + 1000, token, TEXT_NONE, false) == ERR_TOKEN_EXPIRED);

    struct api_key key = key_row();
    key.expires_at = now_ms + 1000;
    put(&api_key_type, &key);
    CHECK(ask_at(now_ms + 999, TEXT_NONE, good_key(), false) == OK);
    CHECK(ask_at(now_ms + 1000, TEXT_NONE, good_key(), false) == ERR_KEY_INVALID);
}

/* A key's use is told once a minute. */
static void test_used_keys(void)
{
    uint64_t id = 0;
    start_afresh();
    CHECK(!auth_take_used_key(cache, &id));
    for (unsigned i = 0; i < 100; i++) CHECK(ask_at(now_ms + i, TEXT_NONE, good_key(), false) == OK);
    CHECK(auth_take_used_key(cache, &id) && id == KEY_ID);
    CHECK(!auth_take_used_key(cache, &id));
    CHECK(ask_at(now_ms + 60000, TEXT_NONE, good_key(), false) == OK);
    CHECK(auth_take_used_key(cache, &id) && id == KEY_ID);
    CHECK(ask(bearer_of(claims_ok())) == OK && !auth_take_used_key(cache, &id));

    start_afresh();
    struct api_key key = key_row();
    key.last_used_at = now_ms - 30000;
    put(&api_key_type, &key);
    CHECK(ask_at(now_ms, TEXT_NONE, good_key(), false) == OK && !auth_take_used_key(cache, &id));
    CHECK(ask_at(now_ms + 30000, TEXT_NONE, good_key(), false) == OK && auth_take_used_key(cache, &id));
}

/* More credentials than places: all keep working, none is taken for another. */
static void test_crowded(void)
{
    start_afresh();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 1; i <= 300; i++) {
            struct token_claims claims = claims_ok();
            claims.token_id = i;
            if (i % 3 == 0) claims.session_id = SESSION + i;
            CHECK(ask(bearer_of(claims)) == (i % 3 == 0 ? ERR_SIGNED_OUT : OK));
        }
    }
}

static const struct route get_any = {.method = METHOD_GET, .access = ACCESS_USER, .scope = SCOPE_ddns};

/* Who may do what: roles by level, keys by scope, and to write is to read. */
static void test_access(void)
{
    struct caller nobody = {.user_id = 0};
    struct caller user = {.user_id = USER, .role = role_user, .rights = UINT32_MAX};
    struct route route = {.method = METHOD_GET, .access = ACCESS_PUBLIC};
    CHECK(access_check(&nobody, &route) == OK);
    route.access = ACCESS_METRICS;
    CHECK(access_check(&nobody, &route) == OK);
    static const struct {
        enum access access;
        enum role least;
    } levels[] = {{ACCESS_DYNDNS, role_user},
                  {ACCESS_USER, role_user},
                  {ACCESS_OPERATOR, role_operator},
                  {ACCESS_ADMIN, role_admin},
                  {ACCESS_SUPER, role_super_admin}};
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
        route.access = levels[i].access;
        CHECK(access_check(&nobody, &route) == ERR_NOT_SIGNED_IN);
        for (unsigned role = role_user; role <= role_super_admin; role++) {
            user.role = role;
            CHECK(access_check(&user, &route) == (role >= levels[i].least ? OK : ERR_FORBIDDEN));
        }
    }
}

static void check_scope(const char *scopes, bool get, bool post, bool get_other, bool get_none)
{
    struct caller key = {.user_id = USER, .key_id = KEY_ID, .role = role_super_admin};
    struct route route = get_any;
    key.rights = scopes_to_rights(text_of(scopes));
    CHECK((access_check(&key, &route) == OK) == get);
    route.lane = LANE_TURN; /* /nic/update */
    CHECK((access_check(&key, &route) == OK) == post);
    route.method = METHOD_DELETE;
    CHECK((access_check(&key, &route) == OK) == post);
    route = get_any;
    route.scope = SCOPE_accounts;
    CHECK((access_check(&key, &route) == OK) == get_other);
    route.scope = SCOPE_none;
    CHECK((access_check(&key, &route) == OK) == get_none);
}

static void test_scopes(void)
{
    check_scope("read", true, false, true, true);
    check_scope("write", true, true, true, true);
    check_scope("ddns:read", true, false, false, false);
    check_scope("ddns:write", true, true, false, false);
    check_scope("tasks:write", false, false, false, false);
    check_scope("accounts:read\nddns:read", true, false, true, false);
    check_scope("read\nddns:write", true, true, true, true);
    check_scope("", false, false, false, false);
    check_scope("admin", false, false, false, false);
}

/* The forms of names, addresses, numbers and scopes. */
static void test_checks(void)
{
    struct text reason;
    static const char *const mails[] = {"a@b.co", "a.b+c@x-y.example.com", "A_1@1.de", "o'neil@example.org"};
    static const char *const no_mails[] = {"a", "a@b", "@b.co", "a@", "a@@b.co", "a b@c.de", "a@b..co", ".a@b.co",
                                           "a.@b.co", "a@-b.co", "a@b.123", "a@b.co.", "a@b_c.de", "\"a\"@b.co",
                                           "a@b.co\n", "\xc3\xa4@b.co", "a@[1.2.3.4]"};
    for (unsigned i = 0; i < sizeof mails / sizeof *mails; i++) CHECK(check_email(text_of(mails[i]), &reason));
    for (unsigned i = 0; i < sizeof no_mails / sizeof *no_mails; i++) {
        if (!CHECK(!check_email(text_of(no_mails[i]), &reason))) printf("    %s\n", no_mails[i]);
    }
    CHECK(check_username(TEXT("anna.b-c_1"), &reason) && check_username(TEXT("1a"), &reason));
    CHECK(!check_username(TEXT("12345"), &reason) && !check_username(TEXT("a@b"), &reason));
    CHECK(!check_username(TEXT("a b"), &reason) && !check_username(TEXT("+49a"), &reason));
    CHECK(!check_username(TEXT("a\0b"), &reason) && !check_username(TEXT("\xc3\xa4pfel"), &reason));
    CHECK(check_phone(TEXT("+8613800138000"), &reason) && check_phone(TEXT("+4930123"), &reason));
    CHECK(!check_phone(TEXT("13800138000"), &reason) && !check_phone(TEXT("+0123456789"), &reason));
    CHECK(!check_phone(TEXT("+49 30 12345"), &reason) && !check_phone(TEXT("+"), &reason));
    CHECK(!check_phone(TEXT("+1234567890123456"), &reason) && !check_phone(TEXT("+123456"), &reason));
    CHECK(check_scopes(TEXT("read\nddns:write"), &reason) && !check_scopes(TEXT("read\nadmin"), &reason));
    CHECK(!check_scopes(TEXT("none:read"), &reason) && !check_scopes(TEXT("Read"), &reason));
}

static void put_key(uint64_t number, uint64_t retires_ms)
{
    struct token_key row = {.id = 500 + number, .number = number, .created_at = now_ms - 1, .retires_at = retires_ms};
    put(&token_key_type, &row);
}

/* A token counts as long as its key does, remembered or not; keys that the store does not name count never. */
static void test_signing_keys(void)
{
    start_afresh();
    struct text first = bearer_of(claims_ok());
    CHECK(ask(first) == OK);
    signing_number = 2;
    struct text second = bearer_of(claims_ok());
    CHECK(ask(second) == ERR_TOKEN_MALFORMED);
    put_key(1, now_ms + 1000);
    put_key(2, 0);
    CHECK(ask(first) == OK && ask(second) == OK);
    CHECK(ask_at(now_ms + 999, first, TEXT_NONE, false) == OK);
    CHECK(ask_at(now_ms + 1000, first, TEXT_NONE, false) == ERR_TOKEN_MALFORMED);
    CHECK(ask_at(now_ms + 1000, second, TEXT_NONE, false) == OK);
    CHECK(ask(first) == OK);
    put_key(1, now_ms); /* withdrawn: from the next request on, though it is remembered */
    CHECK(ask(first) == ERR_TOKEN_MALFORMED && ask(second) == OK);
    for (uint64_t number = 3; number <= 20; number++) put_key(number, 0); /* more than ever are good */
    CHECK(ask(second) == ERR_TOKEN_MALFORMED);
    signing_number = 20;
    CHECK(ask(bearer_of(claims_ok())) == OK);
    for (uint64_t number = 1; number <= 20; number++) take_away(&token_key_type, 500 + number);
    signing_number = 1;
    CHECK(ask(first) == OK);
}

/* The usual request's cost: printed, and checked with room for slow machines. */
static void test_time(void)
{
    enum { ROUNDS = 100000 };
    struct text token = bearer_of(claims_ok());
    struct store_txn *txn;
    struct timespec from, to;
    unsigned good = 0;
    start_afresh();
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader snapshot = {.txn = txn};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (unsigned i = 0; i < ROUNDS; i++) {
        good += auth_check(cache, &snapshot, 1, now_ms, &secrets, token, TEXT_NONE, &caller) == OK;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("auth_check, remembered: %.0f ns\n", ns / ROUNDS);
    CHECK(good == ROUNDS && ns / ROUNDS < 20000);

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (unsigned i = 0; i < ROUNDS; i++) {
        good += auth_check(cache, &snapshot, i + 2, now_ms, &secrets, token, TEXT_NONE, &caller) == OK;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("auth_check, after a write: %.0f ns\n", ns / ROUNDS);
    CHECK(good == 2 * ROUNDS && ns / ROUNDS < 100000);
    store_release(txn);
}

int main(void)
{
    const char *why = "";
    static const uint8_t root[32] = {7};
    char file[64];
    if (sodium_init() < 0 || mkdtemp(folder) == NULL) return EXIT_FAILURE;
    records_start();
    arena_init(&arena, 64 << 20);
    secrets_derive(&secrets, root);
    if (store_open_lmdb(folder, 64 << 20, &store, &why) != OK) {
        printf("no store: %s\n", why);
        return EXIT_FAILURE;
    }
    test_token();
    test_headers();
    test_basic();
    test_withdrawn();
    test_expired();
    test_used_keys();
    test_crowded();
    test_access();
    test_scopes();
    test_checks();
    test_signing_keys();
    test_time();
    auth_cache_free(cache);
    store_close(store);
    arena_free(&arena);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, i == 0 ? "data.mdb" : "lock.mdb");
        unlink(file);
    }
    rmdir(folder);
    return unit_end();
}
