/* homeport serve: settings, lock, folder, loop. */
#include "serve/serve.h"

#include <signal.h>

#include "cli/cli.h"

int command_serve(const struct cli *cli)
{
    struct home home;
    int exit_code = 1;
    cli_guard(SIGBUS);
    if (home_config(&home, &cli->home) && home_lock(&home) && home_open(&home)) {
        exit_code = serve_run(&home);
    } else {
        cli_fail("%s", home.why);
    }
    home_close(&home);
    return exit_code;
}
