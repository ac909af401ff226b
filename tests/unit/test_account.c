/* The account family's handlers, run by whole turns over a store: setup, registration, sign-in, refresh,
 * sign-out, the own account, API keys, another password, administration. The hasher is played by the test: the hash of P is "H:P". */
#include "unit.h"

#include "account/account.h"
#include "account/token_keys.h"
#include "core/actor.h"
#include "core/router.h"

#include <sodium.h>
#include <unistd.h>

static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox inbox, outbox;
static struct arena arena; /* of the test: what answers and bodies are kept in */
static uint64_t now_ms = 1772352551000;
static uint64_t exchanges = 1;
static char folder[] = "/tmp/homeport-account-XXXXXX";

/* ---- asking --------------------------------------------------------------------------------------- */

struct got {
    unsigned status;
    struct text body;
    struct text etag;
};

static struct circumstances {
    struct caller caller;
    uint64_t id;
    struct text if_match, ip;
    const char *query;
    unsigned limit;
    uint64_t after;
    bool is_busy, is_outdated;
    struct hash_call hashed; /* the last that was asked for */
} with;

static void with_nothing(void)
{
    with = (struct circumstances){.ip = TEXT("192.0.2.1"), .limit = 20};
}

/* A request as the gate would pass it on; its exchange. A bad body gives 0. */
static uint64_t post(const char *operation, const char *body)
{
    struct field_errors errors = {.arena = &inbox.arena};
    struct call *call = arena_new(&inbox.arena, struct call);
    size_t offset;
    *call = (struct call){
        .route = route_named(text_of(operation)),
        .exchange = ++exchanges,
        .id = with.id,
        .caller = with.caller,
        .page = {.limit = with.limit, .after = with.after},
        .if_match = with.if_match,
        .request_id = TEXT("r-1"),
        .ip = with.ip,
        .user_agent = TEXT("test"),
    };
    if (call->route->takes != NULL) {
        void *in = arena_alloc(&inbox.arena, call->route->takes->bytes);
        if (json_read(call->route->takes, text_of(body), call->route->purpose, in, &call->given, &errors, &offset,
                      &inbox.arena) != OK) {
            return 0;
        }
        call->body = in;
    }
    CHECK(mailbox_add_own(&inbox, MESSAGE_request, call));
    return call->exchange;
}

/* What the hasher would answer. */
static void hash(const struct hash_call *ask, struct mailbox *into)
{
    struct text made = arena_print(&arena, "H:%.*s", TEXT_ARGS(ask->password));
    bool makes = ask->expected.bytes == 0 || with.is_outdated;
    struct hash_answer answer = {
        .purpose = ask->purpose,
        .exchange = ask->exchange,
        .user_id = ask->user_id,
        .username = ask->username,
        .email = ask->email,
        .phone_number = ask->phone_number,
        .role = ask->role,
        .ip = ask->ip,
        .user_agent = ask->user_agent,
        .request_id = ask->request_id,
        .next_password = ask->next_password,
        .session_id = ask->session_id,
        .expected = ask->expected,
        .is_busy = with.is_busy,
        .is_match = text_equal(made, ask->expected),
        .hash = makes ? made : TEXT_NONE,
    };
    with.hashed = *ask;
    with.hashed.expected = arena_text(&arena, ask->expected);
    CHECK(mailbox_add(into, MESSAGE_hash_done, &answer));
}

/* Runs turns until nothing is left to be hashed; answers by exchange, the first being `first`. */
static void run(uint64_t first, struct got *got, unsigned count)
{
    struct turn_input input = {.now_ms = now_ms, .seed = {(uint8_t)exchanges, (uint8_t)(exchanges >> 8)}};
    for (unsigned turns = 0; turns < 8 && inbox.count > 0; turns++) {
        CHECK(turn_run(core, &input, &inbox, &outbox).commit == OK);
        input.seed[2]++;
        mailbox_reset(&inbox);
        for (const struct message *m = outbox.first; m != NULL; m = m->next) {
            if (m->name == MESSAGE_hash) hash(m->contents, &inbox);
            if (m->name != MESSAGE_reply) continue;
            const struct answer *answer = m->contents;
            uint64_t index = answer->exchange - first;
            if (!CHECK(index < count)) continue;
            got[index] = (struct got){answer->status, arena_text(&arena, answer->body),
                                      arena_text(&arena, answer->etag)};
        }
        mailbox_reset(&outbox);
    }
}

static struct got ask(const char *operation, const char *body)
{
    struct got got = {.status = 0};
    uint64_t exchange = post(operation, body);
    if (exchange == 0) return (struct got){.status = 422};
    run(exchange, &got, 1);
    return got;
}

static bool says(struct got got, const char *part)
{
    struct text t = got.body;
    size_t bytes = strlen(part);
    for (size_t i = 0; i + bytes <= t.bytes; i++) {
        if (memcmp(t.data + i, part, bytes) == 0) return true;
    }
    return false;
}

static bool is_error(struct got got, unsigned code)
{
    struct text start = arena_print(&arena, "{\"code\":%u,", code);
    bool is = got.status == code / 1000 && text_starts(got.body, start);
    if (!is) printf("    got %u %.*s\n", got.status, TEXT_ARGS(got.body));
    return is;
}

/* A string member's value. */
static struct text member(struct got got, const char *name)
{
    struct text key = arena_print(&arena, "\"%s\":\"", name);
    for (size_t i = 0; i + key.bytes < got.body.bytes; i++) {
        if (memcmp(got.body.data + i, key.data, key.bytes) != 0) continue;
        struct text rest = {got.body.data + i + key.bytes, got.body.bytes - i - key.bytes};
        return text_cut(&rest, '"');
    }
    return TEXT_NONE;
}

static struct token_claims claims_of(struct text token)
{
    struct key_ring ring = {.count = 1};
    struct token_claims claims = {.user_id = 0};
    signing_key_of(&secrets, 1, &ring.keys[0]);
    CHECK(token_read(&ring, token, now_ms, &claims) == OK);
    return claims;
}

/* From now on requests come from who got these tokens. */
static void be(struct got got)
{
    struct token_claims claims = claims_of(member(got, "access_token"));
    with.caller = (struct caller){
        .user_id = claims.user_id,
        .session_id = claims.session_id,
        .role = claims.role,
        .rights = UINT32_MAX,
    };
}

static bool has_session(uint64_t id)
{
    struct store_txn *txn;
    struct session session;
    CHECK(store_snapshot(store, &txn) == OK);
    struct reader reader = {.txn = txn};
    bool has = session_get(&reader, id, &session) == OK;
    store_release(txn);
    return has;
}

static struct got view(read_handler handler)
{
    struct reply reply = {.status = 0};
    struct call call = {
        .id = with.id,
        .query = text_of(with.query),
        .caller = with.caller,
        .page = {.limit = with.limit, .after = with.after},
        .request_id = TEXT("r-1"),
    };
    struct view view = {.arena = &arena, .now_ms = now_ms, .caller = with.caller, .config = &config};
    CHECK(store_snapshot(store, &view.read.txn) == OK);
    json_init(&reply.body, 1 << 20);
    reply.status = 200;
    enum err e = handler(&view, &call, &reply);
    if (e != OK) reply_error(&reply, e, NULL, call.request_id);
    struct got got = {reply.status, arena_text(&arena, json_text(&reply.body)), TEXT_NONE};
    json_free(&reply.body);
    store_release(view.read.txn);
    return got;
}

/* ---- setup ---------------------------------------------------------------------------------------- */

#define SETUP(token, password) \
    "{\"token\":\"" token "\",\"username\":\"admin\",\"email\":\"admin@example.com\",\"password\":\"" password "\"}"

/* The setup token opens once, within its time and five tries; after the first administrator there is none. */
static void test_setup(void)
{
    struct account *account = core_account(core);
    with_nothing();
    with.ip = TEXT("192.0.2.8"); /* wrong tokens count as failed sign-ins */
    CHECK(view(setup_state).status == 200);
    CHECK(is_error(ask("setup", SETUP("right", "long enough")), 403003)); /* no token yet */

    account_set_setup_token(account, TEXT("right"), now_ms + 1000);
    now_ms += 1000;
    CHECK(is_error(ask("setup", SETUP("right", "long enough")), 403003)); /* too late */

    account_set_setup_token(account, TEXT("right"), now_ms + 1000);
    for (unsigned i = 0; i < 5; i++) CHECK(is_error(ask("setup", SETUP("wrong", "long enough")), 403003));
    CHECK(is_error(ask("setup", SETUP("right", "long enough")), 403003)); /* dead after five */

    with.ip = TEXT("192.0.2.9");
    account_set_setup_token(account, TEXT("right"), now_ms + 1000);
    for (unsigned i = 0; i < 4; i++) CHECK(is_error(ask("setup", SETUP("righ", "long enough")), 403003));
    struct got weak = ask("setup", SETUP("right", "Password123"));
    CHECK(is_error(weak, 422000) && says(weak, "\"field\":\"password\""));

    uint64_t first = post("setup", SETUP("right", "long enough"));
    post("setup", SETUP("right", "long enough"));
    struct got both[2] = {{.status = 0}};
    run(first, both, 2);
    CHECK(both[0].status == 201 && says(both[0], "\"role\":\"super_admin\""));
    CHECK(is_error(both[1], 404000));
    CHECK(is_error(ask("setup", SETUP("right", "long enough")), 404000));
    CHECK(view(setup_state).status == 404);
    CHECK(!says(both[0], "H:long"));
}

/* ---- registration --------------------------------------------------------------------------------- */

#define REGISTER(name, mail, more, password) \
    "{\"username\":\"" name "\",\"email\":\"" mail "\"," more "\"password\":\"" password "\"}"

static void test_register(void)
{
    with_nothing();
    struct got got = ask("user_register", REGISTER("Anna", "anna@example.com", "\"phone_number\":\"+4930123456\",",
                                                   "anna's secret"));
    CHECK(got.status == 201 && says(got, "\"role\":\"user\"") && says(got, "\"token_type\":\"Bearer\""));
    CHECK(says(got, "\"is_active\":true") && says(got, "\"expires_in\":1800") && !says(got, "H:"));
    CHECK(claims_of(member(got, "refresh_token")).type == TOKEN_REFRESH);

    CHECK(is_error(ask("user_register", REGISTER("aNNa", "x@example.com", "", "other secret")), 409001));
    CHECK(is_error(ask("user_register", REGISTER("anna2", "ANNA@Example.com", "", "other secret")), 409001));
    CHECK(is_error(ask("user_register", REGISTER("anna2", "x@example.com", "\"phone_number\":\"+4930123456\",",
                                                 "other secret")), 409001));
    CHECK(is_error(ask("user_register", REGISTER("annabella", "x@example.com", "", "AnnaBella")), 422000));
    CHECK(is_error(ask("user_register", REGISTER("anna2", "x@example.com", "", "QWERTY123")), 422000));
    /* four characters, eight bytes */
    CHECK(is_error(ask("user_register", REGISTER("anna2", "x@example.com", "", "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f")),
                   422000));

    /* Two at once: both pass the first half, one name is given once. */
    uint64_t first = post("user_register", REGISTER("bert", "bert@example.com", "", "bert's secret"));
    post("user_register", REGISTER("BERT", "bert2@example.com", "", "bert's secret"));
    struct got both[2] = {{.status = 0}};
    run(first, both, 2);
    CHECK(both[0].status == 201 && is_error(both[1], 409001));

    with.is_busy = true;
    CHECK(is_error(ask("user_register", REGISTER("carl", "carl@example.com", "", "carl's secret")), 503000));
    config.auth_register_open = false;
    CHECK(is_error(ask("user_register", REGISTER("carl", "carl@example.com", "", "carl's secret")), 403004));
    config.auth_register_open = true;
}

/* ---- sign-in -------------------------------------------------------------------------------------- */

#define LOGIN(account, password) "{\"account\":\"" account "\",\"password\":\"" password "\"}"

static void set_active(uint64_t user_id, bool is_active)
{
    struct store_txn *txn;
    struct user user;
    struct key key = key_of_record(&user_type, user_id);
    CHECK(store_begin(store, &txn) == OK);
    struct reader reader = {.txn = txn, .arena = &arena};
    CHECK(user_get(&reader, user_id, &user) == OK);
    user.is_active = is_active;
    CHECK(store_put(txn, key_text(&key), record_encode(&user_type, &user, TEXT_NONE, &arena)) == OK);
    CHECK(store_commit(txn) == OK);
}

static void test_login(void)
{
    with_nothing();
    struct got got = ask("user_login", LOGIN("anna", "anna's secret"));
    CHECK(got.status == 200 && says(got, "\"username\":\"Anna\""));
    CHECK(ask("user_login", LOGIN("ANNA@example.COM", "anna's secret")).status == 200);
    CHECK(ask("user_login", LOGIN("+4930123456", "anna's secret")).status == 200);
    uint64_t user_id = claims_of(member(got, "access_token")).user_id;
    CHECK(claims_of(member(got, "access_token")).token_id == claims_of(member(got, "refresh_token")).token_id);

    CHECK(is_error(ask("user_login", LOGIN("anna", "Anna's secret")), 401006));
    CHECK(with.hashed.user_id == user_id);
    /* Who does not exist is verified all the same, against what no password fits. */
    CHECK(is_error(ask("user_login", LOGIN("nobody", "anna's secret")), 401006));
    CHECK(with.hashed.user_id == 0 && text_starts(with.hashed.expected, TEXT("$argon2id$v=19$m=19456,t=2,p=1$")));

    with.is_busy = true;
    CHECK(is_error(ask("user_login", LOGIN("anna", "anna's secret")), 503000));
    with.is_busy = false;

    set_active(user_id, false);
    CHECK(is_error(ask("user_login", LOGIN("anna", "wrong secret")), 401006));
    CHECK(is_error(ask("user_login", LOGIN("anna", "anna's secret")), 401005));
    set_active(user_id, true);

    with.is_outdated = true;
    CHECK(ask("user_login", LOGIN("anna", "anna's secret")).status == 200);
    with.is_outdated = false;
    CHECK(ask("user_login", LOGIN("anna", "anna's secret")).status == 200);
}

/* More than ten failures of one address ban it, whoever it says it is; others are not. */
static void test_flood(void)
{
    with_nothing();
    with.ip = TEXT("2001:db8:1:2::1");
    for (unsigned i = 0; i < 10; i++) CHECK(is_error(ask("user_login", LOGIN("anna", "wrong")), 401006));
    CHECK(ask("user_login", LOGIN("anna", "anna's secret")).status == 200);
    CHECK(is_error(ask("user_login", LOGIN("anna", "wrong")), 403006));
    CHECK(is_error(ask("user_login", LOGIN("anna", "anna's secret")), 403006));
    with.ip = TEXT("2001:db8:1:2:ffff::1"); /* the same house */
    CHECK(is_error(ask("user_login", LOGIN("anna", "anna's secret")), 403006));
    with.ip = TEXT("2001:db8:1:3::1");
    CHECK(ask("user_login", LOGIN("anna", "anna's secret")).status == 200);
    with.ip = TEXT("2001:db8:1:2::1");
    now_ms += 3600000;
    CHECK(ask("user_login", LOGIN("anna", "anna's secret")).status == 200);
}

/* ---- tokens --------------------------------------------------------------------------------------- */

static struct got refresh_with(struct text token)
{
    return ask("user_refresh", arena_print(&arena, "{\"refresh_token\":\"%.*s\"}", TEXT_ARGS(token)).data);
}

/* A refresh token is good once; within the grace its reuse gives the same pair, after it ends the session. */
static void test_refresh(void)
{
    with_nothing();
    struct got zero = ask("user_login", LOGIN("anna", "anna's secret"));
    struct text spent = member(zero, "refresh_token");
    uint64_t session_id = claims_of(spent).session_id;
    CHECK(is_error(refresh_with(member(zero, "access_token")), 401002));
    CHECK(is_error(refresh_with(TEXT("nonsense")), 401002));

    now_ms += 5000;
    struct got one = refresh_with(spent);
    CHECK(one.status == 200 && claims_of(member(one, "access_token")).session_id == session_id);
    CHECK(!text_equal(member(one, "refresh_token"), spent));
    now_ms += 9999;
    struct got again = refresh_with(spent);
    CHECK(again.status == 200);
    CHECK(text_equal(member(again, "access_token"), member(one, "access_token")));
    CHECK(text_equal(member(again, "refresh_token"), member(one, "refresh_token")));

    struct got two = refresh_with(member(one, "refresh_token"));
    CHECK(two.status == 200 && has_session(session_id));
    now_ms += 10000;
    CHECK(is_error(refresh_with(member(one, "refresh_token")), 401008));
    CHECK(!has_session(session_id));
    CHECK(is_error(refresh_with(member(two, "refresh_token")), 401004));

    /* The grandparent is never in grace. */
    zero = ask("user_login", LOGIN("anna", "anna's secret"));
    one = refresh_with(member(zero, "refresh_token"));
    two = refresh_with(member(one, "refresh_token"));
    CHECK(is_error(refresh_with(member(zero, "refresh_token")), 401008));

    zero = ask("user_login", LOGIN("anna", "anna's secret"));
    set_active(claims_of(member(zero, "access_token")).user_id, false);
    CHECK(is_error(refresh_with(member(zero, "refresh_token")), 401005));
    set_active(claims_of(member(zero, "access_token")).user_id, true);
    CHECK(refresh_with(member(zero, "refresh_token")).status == 200);
    struct text late = member(ask("user_login", LOGIN("anna", "anna's secret")), "refresh_token");
    now_ms += 604800000;
    CHECK(is_error(refresh_with(late), 401001));
}

static void test_logout(void)
{
    with_nothing();
    struct got here = ask("user_login", LOGIN("anna", "anna's secret"));
    struct got there = ask("user_login", LOGIN("anna", "anna's secret"));
    struct got bert = ask("user_login", LOGIN("bert", "bert's secret"));
    be(here);
    CHECK(ask("user_logout", "{}").status == 200);
    CHECK(!has_session(with.caller.session_id));
    CHECK(is_error(refresh_with(member(here, "refresh_token")), 401004));
    be(there);
    CHECK(has_session(with.caller.session_id));
    struct got third = ask("user_login", LOGIN("anna", "anna's secret"));
    CHECK(ask("user_logout", "{\"all\":true}").status == 200);
    CHECK(!has_session(with.caller.session_id));
    CHECK(is_error(refresh_with(member(third, "refresh_token")), 401004));
    CHECK(refresh_with(member(bert, "refresh_token")).status == 200);
    with.caller.session_id = 0;
    with.caller.key_id = 5;
    CHECK(is_error(ask("user_logout", "{\"all\":true}"), 403000));
}

/* ---- the own account ------------------------------------------------------------------------------ */

static void test_user_me(void)
{
    with_nothing();
    be(ask("user_login", LOGIN("bert", "bert's secret")));
    CHECK(says(view(user_me), "\"username\":\"bert\""));
    struct got got = ask("user_me_update", "{\"nickname\":\"Bertie\",\"phone_number\":\"+4930999999\"}");
    CHECK(got.status == 200 && says(got, "\"nickname\":\"Bertie\"") && says(got, "\"email\":\"bert@example.com\""));
    with.if_match = got.etag;
    got = ask("user_me_update", "{\"nickname\":null}");
    CHECK(got.status == 200 && says(got, "\"nickname\":null") && says(got, "+4930999999"));
    CHECK(is_error(ask("user_me_update", "{\"nickname\":\"x\"}"), 412000));
    with.if_match = TEXT_NONE;
    CHECK(is_error(ask("user_me_update", "{\"email\":\"Anna@Example.com\"}"), 409001));
    CHECK(is_error(ask("user_me_update", "{\"phone_number\":\"+4930123456\"}"), 409001));
    CHECK(ask("user_me_update", "{\"email\":\"BERT@example.com\"}").status == 200);
    CHECK(ask("user_me_update", "{\"role\":\"admin\"}").status == 422);
    CHECK(ask("user_me_update", "{\"email\":null}").status == 200);
    CHECK(is_error(ask("user_login", LOGIN("bert@example.com", "bert's secret")), 401006));
    CHECK(ask("user_login", LOGIN("bert", "bert's secret")).status == 200);
}

static void test_api_keys(void)
{
    with_nothing();
    be(ask("user_login", LOGIN("bert", "bert's secret")));
    struct got made = ask("api_key_create", "{\"name\":\"router\",\"scopes\":[\"ddns:write\",\"read\"]}");
    struct text key = member(made, "key");
    CHECK(made.status == 201 && text_starts(key, arena_print(&arena, "hp_%.*s_", TEXT_ARGS(member(made, "id")))));
    CHECK(key.bytes > 64 && says(made, "\"scopes\":[\"ddns:write\",\"read\"]") && says(made, "\"expires_at\":null"));
    CHECK(ask("api_key_create", "{\"name\":\"x\",\"scopes\":[\"root\"]}").status == 422);
    CHECK(ask("api_key_create", "{\"name\":\"x\",\"scopes\":[]}").status == 422);
    struct got late = ask("api_key_create", "{\"name\":\"x\",\"scopes\":[\"read\"],\"expires_at\":\"2020-01-01\"}");
    CHECK(is_error(late, 422000) && says(late, "\"field\":\"expires_at\""));
    struct got second = ask("api_key_create", "{\"name\":\"two\",\"scopes\":[\"read\"],\"expires_at\":\"2030-01-01\"}");
    CHECK(second.status == 201 && !text_equal(member(second, "key"), key));

    struct got list = view(api_key_list);
    CHECK(says(list, "\"total\":2") && says(list, "\"next_cursor\":null") && says(list, "\"name\":\"router\""));
    CHECK(!says(list, "secret_hash") && !says(list, "hp_"));
    with.limit = 1;
    list = view(api_key_list);
    CHECK(says(list, "\"name\":\"router\"") && !says(list, "\"name\":\"two\"") && !says(list, "\"next_cursor\":null"));
    CHECK(text_to_u64(member(made, "id"), INT64_MAX, &with.after));
    list = view(api_key_list);
    CHECK(!says(list, "\"name\":\"router\"") && says(list, "\"name\":\"two\"") && says(list, "\"next_cursor\":null"));

    with.id = with.after;
    struct caller bert = with.caller;
    be(ask("user_login", LOGIN("anna", "anna's secret")));
    CHECK(is_error(ask("api_key_delete", ""), 404000)); /* somebody else's */
    with.caller = bert;
    CHECK(ask("api_key_delete", "").status == 200 && ask("api_key_delete", "").status == 200);
    with.after = 0;
    CHECK(says(view(api_key_list), "\"is_revoked\":true"));
    with.id = 12345;
    CHECK(is_error(ask("api_key_delete", ""), 404000));
    with.caller.session_id = 0;
    with.caller.key_id = 7;
    CHECK(is_error(ask("api_key_create", "{\"name\":\"x\",\"scopes\":[\"read\"]}"), 403000));
}

#define CHANGE(old, new) "{\"old_password\":\"" old "\",\"new_password\":\"" new "\"}"

/* Only who knows the password changes it, and only while the sign-in that asked still stands. */
static void test_password_change(void)
{
    with_nothing();
    ask("user_register", REGISTER("dora", "dora@example.com", "", "dora's secret"));
    uint64_t other_id = claims_of(member(ask("user_login", LOGIN("dora", "dora's secret")), "access_token")).session_id;
    be(ask("user_login", LOGIN("dora", "dora's secret")));
    struct got wrong = ask("user_password_change", CHANGE("dora's", "better secret"));
    CHECK(is_error(wrong, 422000) && says(wrong, "\"field\":\"old_password\""));
    wrong = ask("user_password_change", CHANGE("dora's secret", "QWERTY123"));
    CHECK(is_error(wrong, 422000) && says(wrong, "\"field\":\"new_password\""));
    CHECK(ask("user_password_change", CHANGE("dora's secret", "better secret")).status == 200);
    CHECK(!has_session(other_id) && has_session(with.caller.session_id));
    CHECK(is_error(ask("user_login", LOGIN("dora", "dora's secret")), 401006));
    be(ask("user_login", LOGIN("dora", "better secret")));

    /* Signed out while the hash is made: nothing is changed. */
    struct got both[2] = {{.status = 0}};
    uint64_t first = post("user_password_change", CHANGE("better secret", "third secret"));
    post("user_logout", "{}");
    run(first, both, 2);
    CHECK(is_error(both[0], 401004) && both[1].status == 200);
    CHECK(ask("user_login", LOGIN("dora", "better secret")).status == 200);
    with.caller.session_id = 0;
    CHECK(is_error(ask("user_password_change", CHANGE("better secret", "third secret")), 403000));
}

/* Two that would each leave the other as the last one, in one turn: the second is refused. */
static void test_last_super_admin(void)
{
    with_nothing();
    uint64_t dora = claims_of(member(ask("user_login", LOGIN("dora", "better secret")), "access_token")).user_id;
    be(ask("user_login", LOGIN("admin", "long enough")));
    uint64_t admin = with.caller.user_id;
    with.id = admin;
    CHECK(is_error(ask("user_update", "{\"role\":\"admin\"}"), 409000));
    CHECK(is_error(ask("user_close", ""), 409000));
    CHECK(ask("user_update", "{\"nickname\":\"Root\"}").status == 200);
    with.id = dora;
    CHECK(ask("user_update", "{\"role\":\"super_admin\"}").status == 200);
    with.query = "role=super_admin";
    CHECK(says(view(user_list), "\"total\":2"));

    struct got both[2] = {{.status = 0}};
    with.id = admin;
    uint64_t first = post("user_update", "{\"role\":\"user\"}");
    with.id = dora;
    post("user_close", "");
    run(first, both, 2);
    CHECK(both[0].status == 200 && is_error(both[1], 409000));
    CHECK(says(view(user_list), "\"total\":1"));
    with.query = "role=root";
    CHECK(is_error(view(user_list), 400002));
    with.caller.role = role_admin;
    CHECK(is_error(ask("user_update", "{\"nickname\":\"x\"}"), 403000));
    with.id = 12345;
    CHECK(is_error(ask("user_update", "{\"nickname\":\"x\"}"), 404000) && view(user_show).status == 404);
}

int main(void)
{
    const char *why = "";
    static const uint8_t root[32] = {9};
    struct turn_input input = {.now_ms = now_ms, .seed = {1}};
    char file[64];
    if (sodium_init() < 0 || mkdtemp(folder) == NULL) return EXIT_FAILURE;
    records_start();
    router_start();
    arena_init(&arena, 64 << 20);
    mailbox_init(&inbox, 16 << 20);
    mailbox_init(&outbox, 16 << 20);
    config_init(&config);
    secrets_derive(&secrets, root);
    if (store_open_lmdb(folder, 64 << 20, &store, &why) != OK) {
        printf("no store: %s\n", why);
        return EXIT_FAILURE;
    }
    core = core_open(store, &config, &secrets);
    CHECK(core != NULL && core_start(core, &input, &outbox).commit == OK);
    mailbox_reset(&outbox);
    test_setup();
    test_register();
    test_login();
    test_flood();
    test_refresh();
    test_logout();
    test_user_me();
    test_api_keys();
    test_password_change();
    test_last_super_admin();
    core_close(core);
    store_close(store);
    config_free(&config);
    mailbox_free(&inbox);
    mailbox_free(&outbox);
    arena_free(&arena);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, i == 0 ? "data.mdb" : "lock.mdb");
        unlink(file);
    }
    rmdir(folder);
    return unit_end();
}
