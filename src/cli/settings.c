/* homeport config check, homeport config show. */
#include <stdio.h>

#include "cli/cli.h"

enum { ROW_BYTES_MAX = 1 << 20 };

int command_config_check(const struct cli *cli)
{
    struct home home;
    bool is_good = home_config(&home, &cli->home);
    struct text file = home.config.file;
    if (!is_good) {
        cli_fail("%s", home.why);
    } else if (file.bytes > 0) {
        printf("configuration is good (%.*s)\n", TEXT_ARGS(file));
    } else {
        printf("configuration is good (no file; data folder %.*s)\n", TEXT_ARGS(home.config.data));
    }
    home_close(&home);
    return is_good ? 0 : 1;
}

static struct text origin_shown(const struct config *config, enum config_origin origin)
{
    switch (origin) {
    case ORIGIN_DEFAULT: return TEXT("default");
    case ORIGIN_FILE: return config->file;
    case ORIGIN_ENVIRONMENT: return TEXT("environment");
    case ORIGIN_FLAG: return TEXT("flag");
    }
    return TEXT_NONE;
}

/* A settings file again: what it prints can be read back, but for the masked secrets. */
int command_config_show(const struct cli *cli)
{
    struct home home;
    struct config_row row;
    struct arena arena;
    bool is_good = home_config(&home, &cli->home);
    if (!is_good) cli_fail("%s", home.why);
    arena_init(&arena, ROW_BYTES_MAX);
    for (unsigned i = 0; is_good && config_row_at(&home.config, i, &arena, &row); i++) {
        struct text origin = origin_shown(&home.config, row.origin);
        printf("%.*s =%s%.*s  # %.*s\n", TEXT_ARGS(row.key), row.value.bytes > 0 ? " " : "",
               TEXT_ARGS(row.value), TEXT_ARGS(origin));
        arena_reset(&arena);
    }
    arena_free(&arena);
    home_close(&home);
    return is_good ? 0 : 1;
}
