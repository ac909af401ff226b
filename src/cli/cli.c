/* Reads the command line: words and flags in any order, then the command that the words begin with, then
 * whether that command takes these flags. Which flags have a value is known from all commands together, so
 * `homeport --listen ADDR:PORT serve` reads as well as `homeport serve --listen=ADDR:PORT`. */
#include "cli/cli.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HELP_WIDTH = 24 };

static const char global_flags[] = "config=FILE data=DIR help";

static const struct command commands[] = {
#define COMMAND(name, operation, words, word_count, flags, sentence) \
    {name, words, word_count, flags, command_##operation, sentence},
#include "commands.def"
#undef COMMAND
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const struct {
    const char *name, *sentence;
} flag_sentences[] = {
    {"config", "Settings file (default: homeport.conf in the data folder, then /etc/homeport/)"},
    {"data", "Data folder (default: HOMEPORT_DATA, then ./data)"},
    {"help", "What the command does and takes"},
    {"listen", "Address and port of the server, before http.listen of the settings"},
    {"email", "Mail address of the account"},
    {"role", "user, operator, admin or super_admin"},
    {"password-stdin", "The password is the first line of standard input"},
    {"hash-stdin", "Instead of a password its hash: Argon2id ($argon2id$...) or bcrypt ($2b$...)"},
    {"now-only", "Refuse the tokens of all keys before at once; everybody signs in again"},
};

/* ---- saying no ------------------------------------------------------------------------------------ */

static void say(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void say(const char *format, va_list arguments)
{
    fputs("homeport: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int cli_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return 1;
}

static bool refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return false;
}

/* ---- flags ---------------------------------------------------------------------------------------- */

/* Finds a flag's name in a row such as "email=E password-stdin". *has_value: it stands there with a =. */
static bool row_has(const char *row, struct text name, bool *has_value)
{
    struct text rest = text_of(row);
    while (rest.bytes > 0) {
        struct text value = text_cut(&rest, ' ');
        struct text flag = text_cut(&value, '=');
        if (!text_equal(flag, name)) continue;
        *has_value = value.data != NULL;
        return true;
    }
    return false;
}

static bool is_a_flag(struct text name, bool *has_value)
{
    if (row_has(global_flags, name, has_value)) return true;
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (row_has(commands[i].flags, name, has_value)) return true;
    }
    return false;
}

static bool add_word(struct cli *cli, const char *word)
{
    if (cli->word_count == CLI_WORDS_MAX) return refuse("too many words, from \"%s\" on; see homeport --help", word);
    cli->words[cli->word_count++] = word;
    return true;
}

/* The name as the table has it: *name is followed by the value when the two came as one argument. */
static const char *name_kept(struct text name)
{
    for (size_t i = 0; i < sizeof flag_sentences / sizeof *flag_sentences; i++) {
        if (text_equal(text_of(flag_sentences[i].name), name)) return flag_sentences[i].name;
    }
    assert(!"a flag without a sentence");
    return "";
}

/* Takes argv[*at], "--flag" or "--flag=value", and the argument behind it when that is the value. */
static bool add_flag(struct cli *cli, int argc, char **argv, int *at)
{
    bool has_value = false;
    struct text value = text_of(argv[*at] + 2);
    struct text name = text_cut(&value, '=');
    if (!is_a_flag(name, &has_value)) return refuse("there is no flag --%.*s; see homeport --help", TEXT_ARGS(name));
    if (!has_value && value.data != NULL) return refuse("--%.*s takes no value", TEXT_ARGS(name));
    if (has_value && value.data == NULL) {
        if (*at + 1 >= argc) return refuse("--%.*s needs a value behind it", TEXT_ARGS(name));
        value = text_of(argv[++*at]);
    }
    const char *kept = name_kept(name);
    if (cli_flag(cli, kept) != NULL) return refuse("--%s is given twice", kept);
    if (has_value && value.bytes == 0) return refuse("--%s needs a value that is not empty", kept);
    if (cli->flag_count == CLI_FLAGS_MAX) return refuse("too many flags");
    cli->flags[cli->flag_count].name = kept;
    cli->flags[cli->flag_count++].value = has_value ? value.data : "";
    return true;
}

const char *cli_flag(const struct cli *cli, const char *name)
{
    for (unsigned i = 0; i < cli->flag_count; i++) {
        if (strcmp(cli->flags[i].name, name) == 0) return cli->flags[i].value;
    }
    return NULL;
}

/* ---- help ----------------------------------------------------------------------------------------- */

static void print_flags(const char *row)
{
    struct text rest = text_of(row);
    while (rest.bytes > 0) {
        char shown[HELP_WIDTH];
        struct text value = text_cut(&rest, ' ');
        struct text flag = text_cut(&value, '=');
        snprintf(shown, sizeof shown, "--%.*s%s%.*s", TEXT_ARGS(flag), value.bytes > 0 ? " " : "", TEXT_ARGS(value));
        for (size_t i = 0; i < sizeof flag_sentences / sizeof *flag_sentences; i++) {
            if (!text_equal(text_of(flag_sentences[i].name), flag)) continue;
            printf("  %-*s %s\n", HELP_WIDTH, shown, flag_sentences[i].sentence);
        }
    }
}

static void print_one(const struct command *command)
{
    printf("homeport %s%s%s: %s.\n", command->name, command->words[0] != 0 ? " " : "", command->words,
           command->sentence);
    if (command->flags[0] != 0) printf("\nFlags of this command:\n");
    print_flags(command->flags);
    printf("\nFlags everywhere:\n");
    print_flags(global_flags);
}

/* Whether a command's name begins with these words: all of them, or as many as the name has. */
static unsigned words_matched(const struct command *command, const struct cli *cli, bool *is_whole)
{
    struct text rest = text_of(command->name);
    unsigned count = 0;
    while (rest.bytes > 0 && count < cli->word_count) {
        if (!text_equal(text_cut(&rest, ' '), text_of(cli->words[count]))) return 0;
        count++;
    }
    *is_whole = rest.bytes == 0;
    return count;
}

static void print_table(const struct cli *cli)
{
    bool is_whole;
    char shown[HELP_WIDTH];
    printf("homeport %s: accounts, dynamic DNS and tasks in one program.\n\n"
           "  homeport [--config FILE] [--data DIR] COMMAND [WORD ...] [--FLAG VALUE ...]\n\nCommands:\n",
           HOMEPORT_VERSION);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &commands[i];
        if (cli->word_count > 0 && words_matched(command, cli, &is_whole) == 0) continue;
        snprintf(shown, sizeof shown, "%s%s%s", command->name, command->words[0] != 0 ? " " : "", command->words);
        printf("  %-*s %s\n", HELP_WIDTH, shown, command->sentence);
    }
    printf("\nFlags everywhere:\n");
    print_flags(global_flags);
    printf("\n`homeport COMMAND --help` tells of one command; `homeport config show` prints every setting.\n"
           "Exit codes: 0 done, 1 not done, 2 the command line was not understood.\n");
}

static bool refuse_command(const struct cli *cli)
{
    bool is_whole;
    if (cli->word_count == 0) return refuse("which command? homeport --help lists them");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        struct text rest = text_of(commands[i].name);
        struct text group = text_cut(&rest, ' ');
        if (rest.data == NULL || !text_equal(group, text_of(cli->words[0]))) continue;
        if (words_matched(&commands[i], cli, &is_whole) > 0) {
            return refuse("%s what? homeport %s --help lists its commands", cli->words[0], cli->words[0]);
        }
        if (i + 1 == COMMAND_COUNT || strncmp(commands[i].name, commands[i + 1].name, group.bytes + 1) != 0) {
            return refuse("there is no command \"%s %s\"; homeport %s --help lists what there is", cli->words[0],
                          cli->words[1], cli->words[0]);
        }
    }
    return refuse("there is no command \"%s\"; homeport --help lists them", cli->words[0]);
}

/* Of the command that the words name, of those that they begin, or of all. */
static int print_help(const struct cli *cli)
{
    bool has_some = cli->word_count == 0;
    for (unsigned i = 0; cli->word_count > 0 && i < COMMAND_COUNT; i++) {
        bool is_whole = false;
        if (words_matched(&commands[i], cli, &is_whole) == 0) continue;
        has_some = true;
        if (!is_whole) continue;
        print_one(&commands[i]);
        return 0;
    }
    if (!has_some) return refuse_command(cli) ? 0 : 2;
    print_table(cli);
    return 0;
}

static const struct command help_command = {.name = "help", .words = "", .flags = "", .run = print_help, .sentence = ""};

/* ---- the command ---------------------------------------------------------------------------------- */

/* The command whose whole name the words begin with; its name's words are taken off the front. */
static bool take_command(struct cli *cli)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        bool is_whole = false;
        unsigned count = words_matched(&commands[i], cli, &is_whole);
        if (count == 0 || !is_whole) continue;
        cli->command = &commands[i];
        cli->word_count -= count;
        memmove(cli->words, cli->words + count, cli->word_count * sizeof *cli->words);
        return true;
    }
    return refuse_command(cli);
}

static bool check_command(const struct cli *cli)
{
    bool has_value;
    const struct command *command = cli->command;
    for (unsigned i = 0; i < cli->flag_count; i++) {
        struct text name = text_of(cli->flags[i].name);
        if (row_has(global_flags, name, &has_value) || row_has(command->flags, name, &has_value)) continue;
        return refuse("%s takes no --%.*s; see homeport %s --help", command->name, TEXT_ARGS(name), command->name);
    }
    if (cli->word_count > command->word_count) {
        return refuse("%s: \"%s\" is too much; see homeport %s --help", command->name,
                      cli->words[command->word_count], command->name);
    }
    if (cli->word_count < command->word_count) {
        return refuse("%s needs %s; see homeport %s --help", command->name, command->words, command->name);
    }
    return true;
}

bool cli_parse(struct cli *cli, int argc, char **argv)
{
    bool has_flags_ended = false;
    *cli = (struct cli){.command = NULL};
    for (int i = 1; i < argc; i++) {
        if (!has_flags_ended && strcmp(argv[i], "--") == 0) {
            has_flags_ended = true;
        } else if (!has_flags_ended && (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)) {
            cli->command = &help_command;
        } else if (!has_flags_ended && strncmp(argv[i], "--", 2) == 0) {
            if (!add_flag(cli, argc, argv, &i)) return false;
        } else if (!has_flags_ended && argv[i][0] == '-' && argv[i][1] != 0) {
            return refuse("there is no flag %s; see homeport --help", argv[i]);
        } else if (!add_word(cli, argv[i])) {
            return false;
        }
    }
    if (cli->command == NULL && !take_command(cli)) return false;
    if (cli->command != &help_command && !check_command(cli)) return false;
    cli->home = (struct home_flags){cli_flag(cli, "config"), cli_flag(cli, "data"), cli_flag(cli, "listen")};
    return true;
}

int cli_run(const struct cli *cli)
{
    assert(cli->command != NULL);
    return cli->command->run(cli);
}

struct text cli_shown(struct text t, char *out, size_t size)
{
    bool is_utf8 = text_is_clean_utf8(t);
    bool is_cut = t.bytes >= size;
    size_t bytes = is_cut ? size - sizeof "..." : t.bytes;
    if (is_utf8) bytes = utf8_front(t, bytes).bytes;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        bool is_c1 = c == 0xc2 && i + 1 < bytes && (unsigned char)t.data[i + 1] < 0xa0;
        out[i] = c < 0x20 || c == 0x7f || is_c1 || (c >= 0x80 && !is_utf8) ? '?' : t.data[i];
        if (is_c1) out[++i] = '?';
    }
    memcpy(out + bytes, is_cut ? "..." : "", is_cut ? sizeof "..." : 1);
    return text_of(out);
}
