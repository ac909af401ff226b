/* The data folder, for commands that work beside a running server. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"

enum { PATH_BYTES = 4200 };

static void on_damage(int signal_number)
{
    static const char said[] =
        "homeport: the store's file is damaged: it is cut off, was changed by something else, "
        "or the disk is failing; restore a backup\n";
    (void)signal_number;
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0) _exit(3);
    _exit(1);
}

/* With a pipe in kernel.core_pattern the kernel does not look at the limit, but for a limit of one byte: then it writes to
 * no pipe, nor a file, which needs a page at least. PR_SET_DUMPABLE would also close /proc/PID to whoever runs homeport. */
void cli_no_core_file(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
}

void cli_guard(int signal_number)
{
    signal(signal_number, on_damage);
}

static bool is_there(const struct home *home)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.*s/data.mdb", TEXT_ARGS(home->config.data));
    return access(path, F_OK) == 0;
}

/* A damaged tree may lead LMDB anywhere, so here the other two signals count as well. The server keeps them as
 * they are: there they mean a fault of our own, and who manages it is to see how it ended. */
bool cli_open(const struct cli *cli, struct home *home, bool must_exist)
{
    cli_guard(SIGBUS);
    cli_guard(SIGSEGV);
    cli_guard(SIGABRT);
    if (!home_config(home, &cli->home)) {
        cli_fail("%s", home->why);
        return false;
    }
    if (must_exist && !is_there(home)) {
        cli_fail("there is no store in the folder %.*s; --data names another",
                 TEXT_ARGS(home->config.data));
        return false;
    }
    if (home_open(home)) return true;
    cli_fail("%s", home->why);
    return false;
}
