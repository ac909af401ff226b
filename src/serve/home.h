/* The data folder: settings, key file, store and lock, opened in that order by every command.
 *
 *     homeport.conf   settings (optional)
 *     homeport.key    32 bytes in hex, 0600: seals credentials and signs tokens; keep it apart from backups
 *     homeport.lock   held by the running server
 *     data.mdb        the store (and lock.mdb beside it) */
#ifndef HOMEPORT_SERVE_HOME_H
#define HOMEPORT_SERVE_HOME_H

#include "core/config.h"
#include "core/secrets.h"
#include "store/store.h"

struct home {
    struct config config;
    struct secrets secrets;
    struct store *store;
    int lock_fd;
    char why[512]; /* what went wrong, for a person */
};

/* --config, --data and --listen as given; NULL when not. */
struct home_flags {
    const char *config_file, *data, *listen;
};

/* Settings: defaults, the file, the environment, flags. False with home->why. */
bool home_config(struct home *home, const struct home_flags *flags);
/* Makes the folder when it is not there, reads or makes the key file, opens the store, and checks that the
 * two belong together. */
bool home_open(struct home *home);
/* One server a folder. False when another holds the lock. */
bool home_lock(struct home *home);
void home_close(struct home *home);

#endif
