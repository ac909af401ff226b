/* homeport user add, passwd, role, disable, enable: the same rules as for a registration, in one step of the core. A
 * running server sees the change with its next request, since the store's generation has moved.
 *
 *     check what was given ► hash ► open the folder ► turn_decide(): look up, refuse, put ► say what was done */
#include <sodium.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "account/account.h"
#include "account/password.h"
#include "account/session.h"
#include "cli/cli.h"
#include "edge/hasher.h"

enum { PASSWORD_ROOM = 1024, SHOWN_BYTES = 300 };

/* What shall be so, and what a decision says about it. */
struct order {
    struct text name, email;
    uint32_t role;
    struct hash_result hashed;
    char why[CLI_WHY_BYTES];
};

/* ---- what was given ------------------------------------------------------------------------------- */

/* A value against its row in account.def, as POST /api/v1/auth/register has it. */
static bool is_good(const char *name, struct text value)
{
    const struct field *field = record_field(&register_input_type, text_of(name));
    struct text reason = TEXT_NONE;
    if (value.bytes < field->least || value.bytes > field->most) {
        cli_fail("%s must have %llu to %llu bytes", name, (unsigned long long)field->least,
                 (unsigned long long)field->most);
        return false;
    }
    if (!text_is_clean_utf8(value)) {
        cli_fail("%s must be UTF-8 text without control characters", name);
        return false;
    }
    if (check_value(field->check, value, &reason)) return true;
    cli_fail("%s %.*s", name, TEXT_ARGS(reason));
    return false;
}

static bool role_read(const char *word, uint32_t *role)
{
    char shown[SHOWN_BYTES];
    *role = choice_number(&role_choice, text_of(word));
    if (*role != 0) return true;
    cli_shown(text_of(word), shown, sizeof shown);
    cli_fail("there is no role %s: it must be user, operator, admin or super_admin", shown);
    return false;
}

/* The first line of standard input, read byte by byte so that no buffer but ours ever holds it. */
static size_t line_read(char *out, size_t size)
{
    size_t bytes = 0;
    while (bytes < size && read(STDIN_FILENO, out + bytes, 1) == 1 && out[bytes] != '\n') bytes++;
    if (bytes > 0 && bytes < size && out[bytes - 1] == '\r') bytes--;
    return bytes;
}

static size_t password_read(char *out, size_t size)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0) return line_read(out, size);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs("password: ", stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    size_t bytes = line_read(out, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return bytes;
}

static bool password_hash(const struct config *config, struct text password, struct order *order)
{
    struct text reason;
    struct hasher_settings settings = {.passes = (unsigned)config->auth_argon2_passes,
                                       .memory_bytes = (size_t)config->auth_argon2_memory_kib
                                                       << 10};
    if (!is_good("password", password)) return false;
    if (!password_check(password, order->name, &reason)) {
        cli_fail("password %.*s", TEXT_ARGS(reason));
        return false;
    }
    hash_now(&settings, password, TEXT_NONE, &order->hashed);
    if (!order->hashed.failed) return true;
    cli_fail("not enough memory to hash the password (auth.argon2_memory_kib)");
    return false;
}

/* Reads the password and keeps its hash. */
static bool take_password(const struct cli *cli, struct order *order)
{
    char password[PASSWORD_ROOM];
    struct home home;
    if (cli_flag(cli, "password-stdin") == NULL) {
        cli_fail("%s needs --password-stdin: the password comes from standard input",
                 cli->command->name);
        return false;
    }
    bool is_taken = home_config(&home, &cli->home);
    if (!is_taken) cli_fail("%s", home.why);
    if (is_taken) {
        size_t bytes = password_read(password, sizeof password);
        is_taken = password_hash(&home.config, (struct text){password, bytes}, order);
        sodium_memzero(password, sizeof password);
    }
    home_close(&home);
    return is_taken;
}

/* A hash that some other program made, as it is. The first sign-in makes one of ours of it. */
static bool take_hash(struct order *order)
{
    const char *why;
    char hash[PASSWORD_ROOM];
    size_t bytes = line_read(hash, sizeof hash);
    bool is_good = hash_form((struct text){hash, bytes}, &why);
    if (is_good) {
        memcpy(order->hashed.hash, hash, bytes);
        order->hashed.hash[bytes] = 0;
    } else {
        cli_fail("the hash %s", why);
    }
    sodium_memzero(hash, sizeof hash);
    return is_good;
}

static bool take_secret(const struct cli *cli, struct order *order)
{
    bool has_hash = cli_flag(cli, "hash-stdin") != NULL;
    if (has_hash && cli_flag(cli, "password-stdin") != NULL) {
        cli_fail("--password-stdin and --hash-stdin both read standard input: give one of them");
        return false;
    }
    if (!has_hash && cli_flag(cli, "password-stdin") == NULL) {
        cli_fail(
            "user add needs --password-stdin or --hash-stdin: which of them comes from standard input?");
        return false;
    }
    return has_hash ? take_hash(order) : take_password(cli, order);
}

/* ---- one step ------------------------------------------------------------------------------------- */

static enum err user_find(struct step *s, struct order *order, struct user *user)
{
    char shown[SHOWN_BYTES];
    enum err e =
        record_find(&s->read, &user_by_username, &(struct user){.username = order->name}, user);
    if (e != ERR_NOT_FOUND) return e;
    cli_shown(order->name, shown, sizeof shown);
    snprintf(order->why, sizeof order->why, "there is no user %s", shown);
    return e;
}

/* ---- user add ------------------------------------------------------------------------------------- */

static enum err add(struct step *s, void *context)
{
    struct order *order = context;
    struct user user = {
        .username = order->name,
        .email = order->email,
        .role = order->role,
        .is_active = true,
        .password_hash = text_of(order->hashed.hash),
        .created_at = s->now_ms,
        .updated_at = s->now_ms,
    };
    if (account_is_taken(&s->read, &(struct user){.username = order->name}, 0)) {
        snprintf(order->why, sizeof order->why, "there is a user %.*s already",
                 TEXT_ARGS(order->name));
        return ERR_TAKEN;
    }
    if (account_is_taken(&s->read, &user, 0)) {
        snprintf(order->why, sizeof order->why, "another user has the mail address %.*s",
                 TEXT_ARGS(order->email));
        return ERR_TAKEN;
    }
    user.id = step_id(s);
    user_put(s, &user);
    return OK;
}

int command_user_add(const struct cli *cli)
{
    const char *email = cli_flag(cli, "email"), *role = cli_flag(cli, "role");
    struct order order = {.name = text_of(cli->words[0]), .email = text_of(email)};
    if (email == NULL || role == NULL) return cli_fail("user add needs --email E and --role R");
    bool is_understood = is_good("username", order.name) && is_good("email", order.email) &&
                         role_read(role, &order.role) && take_secret(cli, &order);
    if (!is_understood || cli_decide(cli, add, &order, order.why, false) != 0) return 1;
    printf("user %s made (%s)\n", cli->words[0], role);
    return 0;
}

/* ---- user passwd, role, disable, enable ----------------------------------------------------------- */

static void put_signed_out(struct step *s, struct user *user)
{
    user->updated_at = s->now_ms;
    user_put(s, user);
    session_end_all(s, user->id, 0);
}

static enum err set_password(struct step *s, void *context)
{
    struct order *order = context;
    struct user user;
    enum err e = user_find(s, order, &user);
    if (e != OK) return e;
    user.password_hash = text_of(order->hashed.hash);
    put_signed_out(s, &user);
    return OK;
}

/* As the API has it: somebody who may do everything is always left. */
static enum err not_the_last(struct step *s, struct order *order, const struct user *user)
{
    bool is_last;
    enum err e = account_is_last_super(s, user, &is_last);
    if (e != OK || !is_last) return e;
    snprintf(order->why, sizeof order->why,
             "%.*s is the last active super_admin: make another one first",
             TEXT_ARGS(user->username));
    return ERR_CONFLICT;
}

static enum err set_role(struct step *s, void *context)
{
    struct order *order = context;
    struct user user;
    enum err e = user_find(s, order, &user);
    if (e != OK || user.role == order->role) return e;
    e = not_the_last(s, order, &user);
    if (e != OK) return e;
    user.role = order->role;
    put_signed_out(s, &user);
    return OK;
}

static enum err disable(struct step *s, void *context)
{
    struct order *order = context;
    struct user user;
    enum err e = user_find(s, order, &user);
    if (e != OK || !user.is_active) return e;
    e = not_the_last(s, order, &user);
    if (e != OK) return e;
    user.is_active = false;
    put_signed_out(s, &user);
    return OK;
}

static enum err enable(struct step *s, void *context)
{
    struct user user;
    enum err e = user_find(s, context, &user);
    if (e != OK || user.is_active) return e;
    user.is_active = true;
    put_signed_out(s, &user); /* as the API has it */
    return OK;
}

int command_user_passwd(const struct cli *cli)
{
    struct order order = {.name = text_of(cli->words[0])};
    if (!take_password(cli, &order) || cli_decide(cli, set_password, &order, order.why, true) != 0)
        return 1;
    printf("user %s has a new password and is signed out everywhere\n", cli->words[0]);
    return 0;
}

int command_user_role(const struct cli *cli)
{
    struct order order = {.name = text_of(cli->words[0])};
    if (!role_read(cli->words[1], &order.role) ||
        cli_decide(cli, set_role, &order, order.why, true) != 0)
        return 1;
    printf("user %s is %s now\n", cli->words[0], cli->words[1]);
    return 0;
}

int command_user_disable(const struct cli *cli)
{
    struct order order = {.name = text_of(cli->words[0])};
    if (cli_decide(cli, disable, &order, order.why, true) != 0) return 1;
    printf("user %s is switched off and signed out everywhere\n", cli->words[0]);
    return 0;
}

int command_user_enable(const struct cli *cli)
{
    struct order order = {.name = text_of(cli->words[0])};
    if (cli_decide(cli, enable, &order, order.why, true) != 0) return 1;
    printf("user %s may sign in\n", cli->words[0]);
    return 0;
}
