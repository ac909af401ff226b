/* What bench/run needs from within the program, with the flags of the program that is given out.
 *
 *   homeport-tool fill FOLDER FROM COUNT PASSWORD   makes users number FROM and on, as `homeport user add` does; the
 *                                                  password is hashed once for all
 *   homeport-tool find FOLDER COUNT ROUNDS         looks users 0 to COUNT - 1 up at random, as a sign-in and as a
 *                                                  registration do: CPU time in nanoseconds as KEY=VALUE
 *   homeport-tool token ROUNDS                     full verification of an access token */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/account.h"
#include "account/sign_in.h"
#include "account/token.h"
#include "core/router.h"
#include "core/turn.h"
#include "edge/hasher.h"
#include "serve/home.h"

enum { USERS_A_STEP = 2000, OUTBOX_BYTES = 1 << 20, NAME_SIZE = 64 };

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct order {
    unsigned from, count, rounds;
    struct text hash;
};

/* Scattered, so that no index is filled from left to right. bench/common.py makes the same names. */
static struct user user_number(struct step *step, unsigned number)
{
    unsigned scattered = number * 2654435761U;
    return (struct user){
        .username = arena_print(step->arena, "u%08x-%u", scattered, number),
        .email = arena_print(step->arena, "m%08x-%u@example.test", scattered, number),
        .role = role_user,
        .is_active = true,
        .created_at = step->now_ms,
        .updated_at = step->now_ms,
    };
}

static enum err fill(struct step *step, void *context)
{
    const struct order *order = context;
    for (unsigned i = 0; i < order->count; i++) {
        struct user user = user_number(step, order->from + i);
        user.id = step_id(step);
        user.password_hash = order->hash;
        user_put(step, &user);
    }
    return OK;
}

typedef bool (*look_up)(struct step *step, const struct user *like);

static bool by_name(struct step *step, const struct user *like)
{
    struct user found;
    return account_find(&step->read, like->username, &found) == OK;
}

static bool by_mail(struct step *step, const struct user *like)
{
    struct user found;
    return account_find(&step->read, like->email, &found) == OK;
}

static bool is_taken(struct step *step, const struct user *like)
{
    return account_is_taken(&step->read, like, 0);
}

/* The second time: the first one has the kernel map the pages, which happens once in the life of a server. */
static bool report(struct step *step, const char *name, look_up look_up, const struct user *likes,
                   unsigned count, bool wanted)
{
    unsigned seen = 0;
    uint64_t from = 0;
    for (unsigned round = 0; round < 2; round++) {
        from = now_ns(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < count; i++) seen += look_up(step, &likes[i]) == wanted;
    }
    printf("%s=%.0f\n", name, (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - from) / count);
    return seen == 2 * count;
}

static enum err find(struct step *step, void *context)
{
    const struct order *order = context;
    struct user *likes = arena_alloc(step->arena, order->rounds * sizeof *likes);
    if (likes == NULL) return ERR_OVERLOADED;
    for (unsigned i = 0; i < order->rounds; i++)
        likes[i] = user_number(step, randombytes_uniform(order->count));
    bool is_right = report(step, "by_name_ns", by_name, likes, order->rounds, true) &&
                    report(step, "by_mail_ns", by_mail, likes, order->rounds, true) &&
                    report(step, "taken_ns", is_taken, likes, order->rounds, true);
    for (unsigned i = 0; i < order->rounds;
         i++) { /* names beside those that are there, for a registration */
        likes[i].username = arena_print(step->arena, "%.*sx", TEXT_ARGS(likes[i].username));
        likes[i].email = arena_print(step->arena, "%.*sx", TEXT_ARGS(likes[i].email));
    }
    is_right = is_right && report(step, "free_ns", is_taken, likes, order->rounds, false);
    return is_right ? OK : ERR_INTERNAL;
}

static enum err decide(struct core *core, enum err (*what)(struct step *, void *),
                       struct order *order)
{
    struct mailbox outbox;
    struct timespec now;
    enum err decided = ERR_OVERLOADED;
    clock_gettime(CLOCK_REALTIME, &now);
    struct turn_input input = {.now_ms =
                                   (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000};
    randombytes_buf(input.seed, sizeof input.seed);
    mailbox_init(&outbox, OUTBOX_BYTES);
    turn_decide(core, &input, &outbox, what, order, &decided);
    mailbox_free(&outbox);
    return decided;
}

static int with_store(int argc, char **argv)
{
    struct home home;
    enum err e = ERR_STORE;
    struct order order = {.from = (unsigned)strtoul(argv[3], NULL, 10)};
    unsigned count = (unsigned)strtoul(argv[4], NULL, 10);
    if (!home_config(&home, &(struct home_flags){.data = argv[2]}) || !home_open(&home)) {
        fprintf(stderr, "homeport-tool: %s\n", home.why);
        return 1;
    }
    struct core *core = core_open(home.store, &home.config, &home.secrets);
    if (core != NULL && strcmp(argv[1], "find") == 0) {
        order.count = order.from;
        order.rounds = count;
        e = decide(core, find, &order);
    } else if (core != NULL && argc == 6) {
        struct hash_result hashed;
        hash_now(&(struct hasher_settings){.passes = (unsigned)home.config.auth_argon2_passes,
                                           .memory_bytes =
                                               (size_t)home.config.auth_argon2_memory_kib << 10},
                 text_of(argv[5]), TEXT_NONE, &hashed);
        order.hash = text_of(hashed.hash);
        for (unsigned left = count; left > 0; left -= order.count, order.from += order.count) {
            order.count = left < USERS_A_STEP ? left : USERS_A_STEP;
            e = decide(core, fill, &order);
            if (e != OK) break;
        }
    }
    if (e != OK) fprintf(stderr, "homeport-tool: %.*s\n", TEXT_ARGS(err_info(e)->sentence));
    core_close(core);
    home_close(&home);
    return e == OK ? 0 : 1;
}

static int token(unsigned rounds)
{
    static struct key_ring ring;
    struct arena arena;
    struct token_claims read, claims = {.user_id = 911895660498780161,
                                        .issued_ms = 1772352550000,
                                        .expires_ms = 1772354350000,
                                        .token_id = 911895660498780162,
                                        .type = TOKEN_ACCESS,
                                        .role = role_super_admin,
                                        .session_id = 911895660498780163};
    unsigned good = 0;
    arena_init(&arena, 1 << 20);
    ring.count = 1;
    signing_key_init(&ring.keys[0], 1, (const uint8_t *)"0123456789abcdef0123456789abcdef", 32);
    struct text made = token_make(&ring.keys[0], &claims, &arena);
    uint64_t from = now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < rounds; i++)
        good += token_read(&ring, made, 1772352560000, &read) == OK;
    uint64_t to = now_ns(CLOCK_THREAD_CPUTIME_ID);
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    for (unsigned i = 0; i < rounds; i++) {
        state = ring.keys[0].state;
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)made.data, made.bytes - 44);
        crypto_auth_hmacsha256_final(&state, mac);
    }
    uint64_t end = now_ns(CLOCK_THREAD_CPUTIME_ID);
    printf("bytes=%zu\ntoken_ns=%.0f\nhmac_ns=%.0f\n", made.bytes, (double)(to - from) / rounds,
           (double)(end - to) / rounds);
    arena_free(&arena);
    return good == rounds ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) return 1;
    records_start();
    router_start();
    if (argc == 3 && strcmp(argv[1], "token") == 0)
        return token((unsigned)strtoul(argv[2], NULL, 10));
    if (argc == 5 || argc == 6) return with_store(argc, argv);
    fprintf(
        stderr,
        "usage: homeport-tool fill FOLDER FROM COUNT PASSWORD | find FOLDER COUNT ROUNDS | token ROUNDS\n");
    return 2;
}
