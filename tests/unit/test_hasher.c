/* edge/hasher.c: password hashes made and verified, on the pool and at once. */
#include "edge/hasher.h"
#include "unit.h"

#include <sodium.h>

enum { OUTCOMES_MAX = 16 };

/* The least that libsodium allows, so that the tests are quick. */
static const struct hasher_settings settings = {
    .running_max = 2, .waiting_max = 3, .passes = 1, .memory_bytes = 8192 * 2};
static uv_loop_t *loop;
static struct hasher *hasher;
static struct hash_result outcomes[OUTCOMES_MAX];
static unsigned done_count, order[OUTCOMES_MAX];
static bool is_starting;

static void on_done(void *context, uint64_t ref, const struct hash_result *result)
{
    CHECK(context == outcomes && !is_starting);
    outcomes[ref] = *result;
    order[done_count++] = (unsigned)ref;
}

static bool start(uint64_t ref, const char *password, const char *expected)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", password);
    is_starting = true;
    bool is_started = hash_start(hasher, ref, text_of(copy), text_of(expected), on_done, outcomes);
    is_starting = false;
    memset(copy, 'x', sizeof copy); /* the hasher has its own */
    return is_started;
}

/* A hash matches its password and no other, and is told as made by these settings. */
static void test_match(void)
{
    done_count = 0;
    CHECK(start(0, "correct horse", ""));
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(done_count == 1 && !outcomes[0].failed && !outcomes[0].is_match);
    CHECK(text_starts(text_of(outcomes[0].hash), TEXT("$argon2id$v=19$m=16,t=1,p=1$")));
    char hash[128];
    memcpy(hash, outcomes[0].hash, sizeof hash);

    CHECK(start(1, "correct horse", hash) && start(2, "Correct horse", hash) && start(3, "", hash));
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(done_count == 4);
    CHECK(outcomes[1].is_match && !outcomes[1].is_outdated && !outcomes[1].failed &&
          outcomes[1].hash[0] == '\0');
    CHECK(!outcomes[2].is_match && !outcomes[2].is_outdated && !outcomes[2].failed &&
          outcomes[2].hash[0] == '\0');
    CHECK(!outcomes[3].is_match && !outcomes[3].failed);
}

/* A hash of other settings still matches, and a fresh one comes along; a wrong password gets
 * none. */
static void test_outdated(void)
{
    struct hasher_settings old = settings;
    struct hash_result made, verified;
    old.passes = 2;
    hash_now(&old, TEXT("secret"), TEXT_NONE, &made);
    CHECK(!made.failed && made.hash[0] != '\0');
    hash_now(&settings, TEXT("secret"), text_of(made.hash), &verified);
    CHECK(verified.is_match && verified.is_outdated && !verified.failed);
    CHECK(text_starts(text_of(verified.hash), TEXT("$argon2id$v=19$m=16,t=1,p=1$")));
    hash_now(&settings, TEXT("wrong"), text_of(made.hash), &made);
    CHECK(!made.is_match && !made.is_outdated && made.hash[0] == '\0');
    hash_now(&settings, TEXT("secret"), text_of(verified.hash), &made);
    CHECK(made.is_match && !made.is_outdated);
}

#define REST "$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

/* What is no Argon2id string, or asks for more memory than a machine has, matches nothing. */
static void test_odd_hashes(void)
{
    static const char *const hashes[] = {
        "x",
        "secret",
        "$argon2id$",
        "$argon2id$v=19$m=16,t=1,p=1$",
        "$argon2id$v=19$m=,t=1,p=1" REST,
        "$argon2id$v=19$m=4194304,t=1,p=1" REST,
        "$argon2i$v=19$m=16,t=3,p=1" REST,
        "$2b$12$abcdefghijklmnopqrstuv",
    };
    struct hash_result result;
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        hash_now(&settings, TEXT("secret"), text_of(hashes[i]), &result);
        CHECK(!result.is_match && !result.is_outdated && !result.failed && result.hash[0] == '\0');
    }
    char longer[300];
    memset(longer, 'a', sizeof longer);
    hash_now(&settings, TEXT("secret"), (struct text){longer, sizeof longer}, &result);
    CHECK(!result.is_match);
}

/* bcrypt strings of imports match their password alone, and an Argon2id string of these settings comes along.
 * The vectors are Openwall's: crypt_blowfish, wrapper.c. */
static void test_bcrypt(void)
{
    static const struct {
        const char *hash, *password;
    } good[] = {
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
        {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"},
        {"$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U"},
        {"$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
         "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored"},
        {"$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3"},
    };
    struct hash_result result;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        hash_now(&settings, text_of(good[i].password), text_of(good[i].hash), &result);
        if (!CHECK(result.is_match && result.is_outdated && !result.failed)) printf("    %s\n", good[i].hash);
        CHECK(text_starts(text_of(result.hash), TEXT("$argon2id$v=19$m=16,t=1,p=1$")));
        hash_now(&settings, TEXT("u*u"), text_of(good[i].hash), &result);
        CHECK(!result.is_match && !result.is_outdated && !result.failed && result.hash[0] == 0);
    }
    hash_now(&settings, TEXT("U*U\0x"), text_of(good[0].hash), &result); /* not seen as U*U */
    CHECK(!result.is_match && !result.failed);
    hash_now(&settings, TEXT_NONE, text_of(good[0].hash), &result);
    CHECK(!result.is_match && !result.failed);
    done_count = 0;
    CHECK(start(0, "U*U", good[0].hash) && start(1, "U*u", good[0].hash));
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(outcomes[0].is_match && outcomes[0].is_outdated && !outcomes[1].is_match);
}

/* What an import may bring: whole strings of the two kinds, and none that keeps a thread busy for minutes. */
static void test_forms(void)
{
    static const char *const good[] = {
        "$2a$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$argon2id$v=19$m=16,t=1,p=1" REST,
        "$argon2id$v=19$m=1048576,t=20,p=4" REST,
    };
    static const char *const bad[] = {
        "",
        "$",
        "$2",
        "secret",
        "$1$salt$hash",
        "$6$salt$hash",
        "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWx",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$5$$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe ",
        "$argon2id$v=19$m=16,t=1,p=1",
        "$argon2id$v=16$m=16,t=1,p=1" REST,
        "$argon2id$v=19$m=1048577,t=1,p=1" REST,
        "$argon2id$v=19$m=16,t=21,p=1" REST,
        "$argon2id$v=19$m=16,t=4294967295,p=1" REST,
        "$argon2id$v=19$m=16,t=0,p=1" REST,
        "$argon2id$v=19$t=1,m=16,p=1" REST,
        "$argon2id$v=19$m=16,t=1,p=1" REST "!",
        "$argon2i$v=19$m=16,t=3,p=1" REST,
    };
    const char *why;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!CHECK(hash_form(text_of(good[i]), &why))) printf("    %s %s\n", good[i], why);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = "";
        if (!CHECK(!hash_form(text_of(bad[i]), &why) && why[0] != 0)) printf("    %s\n", bad[i]);
    }
}

/* Settings that libsodium refuses are told as a failure, not as a hash. */
static void test_failure(void)
{
    struct hasher_settings bad = settings;
    struct hash_result result;
    bad.memory_bytes = 1;
    hash_now(&bad, TEXT("secret"), TEXT_NONE, &result);
    CHECK(result.failed && result.hash[0] == '\0');
}

/* Two run, three wait, the sixth is turned away; the waiting ones keep their order. */
static void test_full(void)
{
    done_count = 0;
    for (uint64_t i = 0; i < 5; i++) CHECK(start(i, "secret", ""));
    CHECK(!start(5, "secret", ""));
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(done_count == 5);
    CHECK(start(6, "secret", ""));
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(done_count == 6 && order[5] == 6);

    hasher_close(hasher);
    struct hasher_settings one = settings;
    one.running_max = 1;
    hasher = hasher_open(loop, &one);
    done_count = 0;
    for (uint64_t i = 0; i < 4; i++) CHECK(start(i, "secret", ""));
    uv_run(loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < 4; i++) CHECK(order[i] == i);
}

static void on_done_close(void *context, uint64_t ref, const struct hash_result *result)
{
    on_done(context, ref, result);
    hasher_close(hasher);
}

/* After the close nothing is reported, whether a job ran or waited. */
static void test_close(void)
{
    done_count = 0;
    for (uint64_t i = 0; i < 4; i++) CHECK(start(i, "secret", ""));
    hasher_close(hasher);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(done_count == 0);

    hasher = hasher_open(loop, &settings);
    CHECK(hash_start(hasher, 0, TEXT("secret"), TEXT_NONE, on_done_close, outcomes));
    for (uint64_t i = 1; i < 4; i++) {
        CHECK(hash_start(hasher, i, TEXT("secret"), TEXT_NONE, on_done_close, outcomes));
    }
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(done_count == 1);
    hasher_close(hasher_open(loop, &settings));
}

int main(void)
{
    loop = uv_default_loop();
    hasher = hasher_open(loop, &settings);
    CHECK(hasher != NULL);
    test_match();
    test_outdated();
    test_odd_hashes();
    test_bcrypt();
    test_forms();
    test_failure();
    test_full();
    test_close();
    CHECK(uv_loop_close(loop) == 0);
    return unit_end();
}
