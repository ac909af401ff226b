/* Commands that change something: one step of the core, in a transaction of its own. A running server waits for
 * its turn, and sees the change with its next request, since the store's generation has moved. */
#include <sodium.h>

#include "cli/cli.h"
#include "core/turn.h"
#include "serve/serve.h"

enum { OUTBOX_BYTES_MAX = 1 << 20 };

static enum err run(struct home *home, cli_decision decide, void *context)
{
    struct mailbox outbox;
    enum err decided = ERR_OVERLOADED;
    struct turn_input input = {.now_ms = serve_now_ms()};
    struct core *core = core_open(home->store, &home->config, &home->secrets);
    if (core == NULL) return decided;
    randombytes_buf(input.seed, sizeof input.seed);
    mailbox_init(&outbox, OUTBOX_BYTES_MAX);
    turn_decide(core, &input, &outbox, decide, context, &decided);
    mailbox_free(&outbox);
    core_close(core);
    return decided;
}

int cli_decide(const struct cli *cli, cli_decision decide, void *context, const char *why,
               bool must_exist)
{
    struct home home;
    int exit_code = 1;
    if (cli_open(cli, &home, must_exist)) {
        enum err e = run(&home, decide, context);
        if (e == OK) {
            exit_code = 0;
        } else if (why[0] != 0) {
            cli_fail("%s", why);
        } else {
            cli_fail("nothing was changed: %.*s", TEXT_ARGS(err_info(e)->sentence));
        }
    }
    home_close(&home);
    return exit_code;
}
