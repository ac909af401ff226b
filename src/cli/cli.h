/* The commands of the command line, from schema/commands.def.
 *
 *     homeport [--config FILE] [--data DIR] COMMAND [WORD ...] [--FLAG VALUE ...]
 *
 * Flags may stand anywhere behind the program's name. Exit codes: 0 done, 1 not done (one line on stderr says
 * why), 2 the line was not understood. */
#ifndef HOMEPORT_CLI_CLI_H
#define HOMEPORT_CLI_CLI_H

#include "core/text.h"
#include "serve/home.h"

struct cli;
struct step;
typedef int (*command_run)(const struct cli *cli);

struct command {
    const char *name;     /* "user add" */
    const char *words;    /* what stands behind it, for the help: "NAME" */
    unsigned word_count;  /* how many words it takes */
    const char *flags;    /* flags of its own, "email=E role=R password-stdin"; with = they take a value */
    command_run run;
    const char *sentence;
};

enum { CLI_WORDS_MAX = 4, CLI_FLAGS_MAX = 8 };

struct cli {
    const struct command *command;
    struct home_flags home;
    const char *words[CLI_WORDS_MAX];
    unsigned word_count;
    struct {
        const char *name, *value;
    } flags[CLI_FLAGS_MAX];
    unsigned flag_count;
};

/* False when the line is not understood; says why on stderr. --help is understood everywhere. */
bool cli_parse(struct cli *cli, int argc, char **argv);
int cli_run(const struct cli *cli);
/* The value of a flag; NULL when it was not given, "" for one that takes none. */
const char *cli_flag(const struct cli *cli, const char *name);
/* Prints "homeport: why" on stderr and returns 1. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Settings, key and store, for a command that works beside a running server. False when there is something in
 * the way; it has said why then. With must_exist a folder without a store is refused, not made. home_close()
 * is due either way. */
bool cli_open(const struct cli *cli, struct home *home, bool must_exist);
/* Opens the folder and decides there, in one step of the core. Returns the exit code. When not, that is said: in
 * the words that `decide` has left in `why` (CLI_WHY_BYTES), else in the error's own. */
enum { CLI_WHY_BYTES = 512 };
typedef enum err (*cli_decision)(struct step *step, void *context);
int cli_decide(const struct cli *cli, cli_decision decide, void *context, const char *why, bool must_exist);
/* A store is read through a memory map: where its file is cut off or the disk fails, the kernel answers with
 * this signal (SIGBUS). From now on that is said in words, with exit code 1. */
void cli_guard(int signal_number);
/* However the process ends, what it had in memory (keys, passwords) is not written to a file. */
void cli_no_core_file(void);
/* What others gave, fit for a terminal: no control characters, and cut to `size` with its closing zero byte. */
struct text cli_shown(struct text t, char *out, size_t size);

#define COMMAND(name, operation, words, word_count, flags, sentence) int command_##operation(const struct cli *cli);
#include "commands.def"
#undef COMMAND

#endif
