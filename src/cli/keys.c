/* homeport keys rotate: another key signs tokens from now on. A running server sees it with its next request.
 * Takes the same way as POST /api/v1/token-keys/rotate. */
#include <stdio.h>

#include "account/token_keys.h"
#include "cli/cli.h"

struct rotation {
    bool revoke_old;
    struct token_key made;
    char why[CLI_WHY_BYTES];
};

static enum err rotate(struct step *s, void *context)
{
    struct rotation *rotation = context;
    uint64_t again_ms;
    enum err e = token_keys_rotate(s, rotation->revoke_old, &rotation->made, &again_ms);
    if (e == ERR_CONFLICT) {
        snprintf(rotation->why, sizeof rotation->why,
                 "%d keys are good already: wait until one retires, or use --now-only",
                 KEY_RING_MAX);
    }
    return e;
}

int command_keys_rotate(const struct cli *cli)
{
    struct rotation rotation = {.revoke_old = cli_flag(cli, "now-only") != NULL};
    if (cli_decide(cli, rotate, &rotation, rotation.why, true) != 0) return 1;
    printf("key %llu signs tokens now; those of the keys before %s\n",
           (unsigned long long)rotation.made.number,
           rotation.revoke_old ? "are refused, everybody has to sign in again"
                               : "stay good until they expire");
    return 0;
}
