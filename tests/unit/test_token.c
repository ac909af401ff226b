/* account/token.c: JSON Web Tokens, made and read. Vectors are those of protocols/vectors/standards.json. */
#include "unit.h"

#include "account/token.h"

#include <time.h>

static const uint64_t now_ms = 1772352551000;
static struct signing_key key;
static struct key_ring ring;
static struct arena arena;

static struct text signed_with(struct text header, struct text claims)
{
    return token_sign(&key, header, claims, &arena);
}

/* A token as we head it, with these claims. */
static struct text headed(const char *claims)
{
    return signed_with(TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"}"), text_of(claims));
}

/* A token whose header is good, with these claims. */
static struct text with_claims(const char *claims)
{
    return signed_with(TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), text_of(claims));
}

static enum err verify(struct text token)
{
    struct token_claims claims;
    return token_verify(&key, token, now_ms, &claims);
}

/* jwt.hs256: what we sign is what the vectors' maker signed, byte for byte. */
static void test_vectors_made(void)
{
    CHECK_TEXT(with_claims("{\"sub\":\"user-0001\",\"iat\":1772352550,\"exp\":1772356150,\"jti\":\"0001\"}"),
               "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTAwMDEiLCJpYXQiOjE3NzIzNTI1NTAsImV4cCI6"
               "MTc3MjM1NjE1MCwianRpIjoiMDAwMSJ9.Tn3QlnquEUAPvii7y_4icBlNcrna7T2k6l2PtIk8Nl4");
    CHECK_TEXT(with_claims("{\"sub\":\"\u7528\u6237\",\"scope\":[\"dns:write\",\"docker:read\"],\"exp\":1772356150}"),
               "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiLnlKjmiLciLCJzY29wZSI6WyJkbnM6d3JpdGUiLCJkb2Nr"
               "ZXI6cmVhZCJdLCJleHAiOjE3NzIzNTYxNTB9.1uf4xqqtvzicRtARwxz1nIWsfTgS3mC4XCI3T7jk7zc");
}

/* jwt.reject: the good one passes, each bad one does not. */
static void test_vectors_read(void)
{
#define HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define CLAIMS "eyJzdWIiOiJ1c2VyLTAwMDEiLCJpYXQiOjE3NzIzNTI1NTAsImV4cCI6MTc3MjM1NjE1MH0"
#define MAC "fPcVfQ7_dTl5v9yzpF9AddXd_qtyFZBxSTfQ9Ux53UU"
    struct token_claims claims;
    struct text good = TEXT(HEADER "." CLAIMS "." MAC);
    CHECK(token_verify(&key, good, now_ms, &claims) == OK);
    CHECK(claims.issued_ms == 1772352550000 && claims.expires_ms == 1772356150000);
    CHECK(claims.user_id == 0 && claims.type == TOKEN_NO_TYPE);
    CHECK(token_verify(&key, good, 1772356149999, &claims) == OK);
    CHECK(token_verify(&key, good, 1772356150000, &claims) == ERR_TOKEN_EXPIRED);
    CHECK(token_read(&ring, good, now_ms, &claims) == ERR_TOKEN_MALFORMED); /* not one of ours */

    CHECK(verify(TEXT("eyJhbGciOiJub25lIn0." CLAIMS ".")) == ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT("eyJhbGciOiJIUzUxMiJ9." CLAIMS ".qZNk-7Nqm6OvJxSU5qPZqVH-B7ydhRhTMMTRVZRg6DKfjrrQQzbIEfy4"
                      "RNq8zgEJKsORmBpGJuybo5aWfKHQOQ")) == ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT("eyJhbGciOiJIUzI1NiJ9." CLAIMS ".a7h318rey4ibJ6MTAXg7Q8zy2r90zNYUsfjVE6N8EgA")) ==
          ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT(HEADER "." CLAIMS ".fPcVfQ7_dTl5v9yzpF9AddXd_qtyFZBxSTfQ9Ux53U")) == ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT(HEADER "." CLAIMS "." MAC "=")) == ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT(HEADER "." CLAIMS)) == ERR_TOKEN_MALFORMED);

    /* The same value written otherwise: another last letter whose extra bits differ, the other alphabet. */
    CHECK(verify(TEXT(HEADER "." CLAIMS ".fPcVfQ7_dTl5v9yzpF9AddXd_qtyFZBxSTfQ9Ux53UV")) == ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT(HEADER "." CLAIMS ".fPcVfQ7/dTl5v9yzpF9AddXd/qtyFZBxSTfQ9Ux53UU")) == ERR_TOKEN_MALFORMED);
#undef HEADER
#undef CLAIMS
#undef MAC
}

static struct token_claims ours(void)
{
    return (struct token_claims){
        .user_id = 7341512345678901248,
        .issued_ms = 1772352550000,
        .expires_ms = 1772354350000,
        .token_id = 7341512345678901250,
        .type = TOKEN_ACCESS,
        .role = role_super_admin,
        .session_id = 7341512345678901249,
    };
}

/* What we write is what we read; header and members are those that the issue names, in order. */
static void test_own(void)
{
    struct token_claims made = ours(), read;
    struct text token = token_make(&key, &made, &arena);
    struct text same = signed_with(
        TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"}"),
        TEXT("{\"sub\":\"7341512345678901248\",\"iat\":1772352550,\"exp\":1772354350,"
             "\"jti\":\"7341512345678901250\",\"type\":\"access\",\"role\":\"super_admin\","
             "\"sid\":\"7341512345678901249\"}"));
    CHECK(text_equal(token, same));
    CHECK(token_read(&ring, token, now_ms, &read) == OK);
    made.key_number = 1;
    CHECK(memcmp(&made, &read, sizeof made) == 0);
    made.type = TOKEN_REFRESH;
    made.role = role_user;
    CHECK(token_read(&ring, token_make(&key, &made, &arena), now_ms, &read) == OK);
    CHECK(read.type == TOKEN_REFRESH && read.role == role_user);
}

/* Any one bit of a token turned, any byte cut or added: refused. */
static void test_every_byte(void)
{
    struct token_claims made = ours();
    struct text token = token_make(&key, &made, &arena);
    char copy[1024];
    unsigned accepted = 0;
    for (size_t i = 0; i < token.bytes; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(copy, token.data, token.bytes);
            copy[i] = (char)(copy[i] ^ (1 << bit));
            accepted += verify((struct text){copy, token.bytes}) == OK;
        }
        accepted += verify((struct text){token.data, i}) == OK;
    }
    CHECK(accepted == 0);
    memcpy(copy, token.data, token.bytes);
    for (unsigned c = 0; c < 256; c++) {
        copy[token.bytes] = (char)c;
        accepted += verify((struct text){copy, token.bytes + 1}) == OK;
    }
    CHECK(accepted == 0);
    CHECK(verify(TEXT_NONE) == ERR_TOKEN_MALFORMED);
    CHECK(verify(TEXT("..")) == ERR_TOKEN_MALFORMED);
    CHECK(verify(arena_print(&arena, "%.*s.x", TEXT_ARGS(token))) == ERR_TOKEN_MALFORMED);
    CHECK(verify(arena_print(&arena, "%.*s.", TEXT_ARGS(token))) == ERR_TOKEN_MALFORMED);
    CHECK(verify(arena_print(&arena, ".%.*s", TEXT_ARGS(token))) == ERR_TOKEN_MALFORMED);
    CHECK(verify(arena_print(&arena, " %.*s", TEXT_ARGS(token))) == ERR_TOKEN_MALFORMED);
}

/* Headers signed with the right key that must not be taken all the same. */
static void test_headers(void)
{
    static const char *const bad[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\"HS256\\u0000\"}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":[0,0,0,0,0]}", /* as many members as the word has letters */
        "{\"alg\":{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0}}",
        "{\"alg\":\"HS256\",\"typ\":[0,0,0]}",
        "{\"alg\":\"HS256\",\"kid\":[0]}",
        "{\"alg\":\"HS256\",\"kid\":{\"a\":0}}",
        "{\"alg\":null}",
        "{\"typ\":\"JWT\"}",
        "{}",
        "[]",
        "\"HS256\"",
        "null",
        "",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"alg\":\"none\",\"\\u0061lg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\",\"typ\":\"jwt+x\"}",
        "{\"alg\":\"HS256\",\"typ\":1}",
        "{\"alg\":\"HS256\",\"kid\":\"2\"}",
        "{\"alg\":\"HS256\",\"kid\":1}",
        "{\"alg\":\"HS256\"} x",
        "{\"alg\":\"HS256\",}",
        "{alg:\"HS256\"}",
        "{\"alg\":\"HS256\"",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
    };
    struct text claims = TEXT("{\"exp\":1772356150}");
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK(verify(signed_with(text_of(bad[i]), claims)) == ERR_TOKEN_MALFORMED)) {
            printf("    %s\n", bad[i]);
        }
    }
    CHECK(verify(signed_with(TEXT("{\"alg\":\"HS256\"}"), claims)) == OK);
    CHECK(verify(signed_with(TEXT(" { \"kid\" : \"1\", \"alg\" : \"HS256\" } "), claims)) == OK);
}

/* The kid picks the key: only a number in its one form, of a key that is there and has not ended. */
static void test_kids(void)
{
    static const char *const bad[] = {
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"kid\":\"0\"}",
        "{\"alg\":\"HS256\",\"kid\":\"01\"}",
        "{\"alg\":\"HS256\",\"kid\":\" 1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"1 \"}",
        "{\"alg\":\"HS256\",\"kid\":\"1\\u0000\"}",
        "{\"alg\":\"HS256\",\"kid\":\"+1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"-1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"1e0\"}",
        "{\"alg\":\"HS256\",\"kid\":\"2\"}",
        "{\"alg\":\"HS256\",\"kid\":\"../1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"9223372036854775808\"}",
        "{\"alg\":\"HS256\",\"kid\":\"18446744073709551617\"}",
        "{\"alg\":\"HS256\",\"kid\":1}",
        "{\"alg\":\"HS256\",\"kid\":1.0}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"kid\":true}",
        "{\"alg\":\"HS256\",\"kid\":[\"1\"]}",
        "{\"alg\":\"HS256\",\"kid\":{\"1\":1}}",
        "{\"alg\":\"HS256\",\"kid\":\"2\",\"kid\":\"1\"}",
    };
    struct text claims = TEXT("{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\","
                              "\"role\":\"user\",\"sid\":\"3\"}");
    struct token_claims read;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct text token = signed_with(text_of(bad[i]), claims);
        if (!CHECK(token_read(&ring, token, now_ms, &read) == ERR_TOKEN_MALFORMED)) printf("    %s\n", bad[i]);
    }
    CHECK(token_read(&ring, signed_with(TEXT("{\"kid\":\"1\",\"alg\":\"HS256\"}"), claims), now_ms, &read) == OK);
}

/* Of several keys each reads its own tokens, whatever way their header is written, until it ends. */
static void test_ring(void)
{
    struct token_claims made = ours(), read;
    struct signing_key other;
    signing_key_init(&other, 9007199254740993, (const uint8_t *)"fedcba9876543210fedcba9876543210", 32);
    struct text token = token_make(&key, &made, &arena), newer = token_make(&other, &made, &arena);
    CHECK(token_read(&ring, newer, now_ms, &read) == ERR_TOKEN_MALFORMED);
    struct key_ring both = {.count = 2, .keys = {other, key}};
    CHECK(token_read(&both, newer, now_ms, &read) == OK && read.key_number == 9007199254740993);
    CHECK(token_read(&both, token, now_ms, &read) == OK && read.key_number == 1);
    struct text mixed = token_sign(&key, TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"9007199254740993\"}"),
                                   TEXT("{\"exp\":1772356150}"), &arena);
    CHECK(token_read(&both, mixed, now_ms, &read) == ERR_TOKEN_MALFORMED);
    both.keys[1].ends_ms = now_ms + 1;
    CHECK(token_read(&both, token, now_ms, &read) == OK);
    CHECK(token_read(&both, token, now_ms + 1, &read) == ERR_TOKEN_MALFORMED);
    CHECK(token_read(&both, newer, now_ms + 1, &read) == OK);
    struct key_ring none = {.count = 0};
    CHECK(token_read(&none, token, now_ms, &read) == ERR_TOKEN_MALFORMED);
}

/* Claims that are signed and still refused; exp has no leeway, iat and nbf have a minute. */
static void test_claims(void)
{
    static const char *const bad[] = {
        "{}",
        "[1772356150]",
        "{\"exp\":\"1772356150\"}",
        "{\"exp\":null}",
        "{\"exp\":true}",
        "{\"exp\":-1}",
        "{\"exp\":1e300}",
        "{\"exp\":1772356150,\"exp\":1772356150}",
        "{\"exp\":1,\"e\\u0078p\":1772356150}",
        "{\"exp\":1772356150,\"iat\":\"1\"}",
        "{\"exp\":1772356150,\"nbf\":\"1\"}",
        "{\"exp\":1772356150,\"iat\":1772352612}",
        "{\"exp\":1772356150,\"nbf\":1772352612}",
        "{\"exp\":1772356150,\"aud\":\"else\"}",
        "{\"exp\":1772356150,\"sub\":\"1\",\"sub\":\"2\"}",
        "{\"exp\":NaN}",
        "{\"exp\":Infinity}",
        "{\"exp\":1772356150}{}",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK(verify(with_claims(bad[i])) == ERR_TOKEN_MALFORMED)) printf("    %s\n", bad[i]);
    }
    CHECK(verify(with_claims("{\"exp\":1772356150,\"iat\":1772352611,\"nbf\":1772352611}")) == OK);
    CHECK(verify(with_claims("{\"exp\":1772352551.5}")) == OK);
    CHECK(verify(with_claims("{\"exp\":1772352551}")) == ERR_TOKEN_EXPIRED);
    CHECK(verify(with_claims("{\"exp\":1772352550}")) == ERR_TOKEN_EXPIRED);
    CHECK(verify(with_claims("{\"exp\":0}")) == ERR_TOKEN_EXPIRED);
}

/* Ours have every claim in its one form: ids as strings without leading zeros, known words. */
static void test_whole(void)
{
    static const char *const bad[] = {
        "{\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":1,\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"01\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"0\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"-1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"9223372036854775808\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"type\":\"access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"Access\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":[0,0,0,0,0,0],\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":[0,0,0,0],\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"role\":\"user\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"root\",\"sid\":\"3\"}",
        "{\"sub\":\"1\",\"iat\":1,\"exp\":1772356150,\"jti\":\"2\",\"type\":\"access\",\"role\":\"user\"}",
    };
    struct token_claims claims;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(token_read(&ring, headed(bad[i]), now_ms, &claims) == ERR_TOKEN_MALFORMED);
    }
}

/* Long tokens are refused unread; odd ones within the limit do no harm. */
static void test_sizes(void)
{
    char claims[1400] = "{\"exp\":1772356150,\"a\":[0";
    size_t n = strlen(claims);
    while (n < sizeof claims - 3) {
        claims[n++] = ',';
        claims[n++] = '0';
    }
    memcpy(claims + n, "]}", 2);
    struct text dense = with_claims("");
    dense = signed_with(TEXT("{\"alg\":\"HS256\"}"), (struct text){claims, n + 2});
    CHECK(dense.bytes <= TOKEN_BYTES_MAX && verify(dense) == OK);

    char deep[1400];
    memset(deep, '[', sizeof deep);
    CHECK(verify(signed_with(TEXT("{\"alg\":\"HS256\"}"), (struct text){deep, sizeof deep})) ==
          ERR_TOKEN_MALFORMED);

    char longer[TOKEN_BYTES_MAX + 1];
    memset(longer, 'A', sizeof longer);
    CHECK(verify((struct text){longer, sizeof longer}) == ERR_TOKEN_MALFORMED);

    struct text many = TEXT("{\"exp\":1772356150");
    for (unsigned i = 0; i < 32; i++) many = arena_print(&arena, "%.*s,\"%u\":1", TEXT_ARGS(many), i);
    many = arena_print(&arena, "%.*s}", TEXT_ARGS(many));
    CHECK(verify(signed_with(TEXT("{\"alg\":\"HS256\"}"), many)) == ERR_TOKEN_MALFORMED);
}

/* Printed, and checked with room for slow machines: the promise is 3 microseconds on an ordinary one. */
static void test_time(void)
{
    enum { ROUNDS = 20000 };
    struct token_claims made = ours(), read;
    struct text token = token_make(&key, &made, &arena);
    struct timespec from, to;
    unsigned good = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (unsigned i = 0; i < ROUNDS; i++) good += token_read(&ring, token, now_ms, &read) == OK;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("token_read of %zu bytes: %.0f ns\n", token.bytes, ns / ROUNDS);
    CHECK(good == ROUNDS);
    CHECK(ns / ROUNDS < 100000);
}

int main(void)
{
    if (sodium_init() < 0) return EXIT_FAILURE;
    arena_init(&arena, 64 << 20);
    signing_key_init(&key, 1, (const uint8_t *)"0123456789abcdef0123456789abcdef", 32);
    ring = (struct key_ring){.count = 1, .keys = {key}};
    test_vectors_made();
    test_vectors_read();
    test_own();
    test_every_byte();
    test_headers();
    test_kids();
    test_ring();
    test_claims();
    test_whole();
    test_sizes();
    test_time();
    arena_free(&arena);
    return unit_end();
}
