/* The command line: finds the command, opens what it needs, and leaves the work to others. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/record.h"
#include "core/router.h"

int main(int argc, char **argv)
{
    struct cli cli;
    signal(SIGPIPE, SIG_IGN);
    cli_no_core_file();
    if (sodium_init() < 0) {
        fprintf(stderr, "homeport: no source of random numbers\n");
        return 1;
    }
    records_start();
    router_start();
    return cli_parse(&cli, argc, argv) ? cli_run(&cli) : 2;
}
