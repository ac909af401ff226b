/* The settings, from schema/config.def: defaults, then the file, then the environment, then flags. */
#ifndef HOMEPORT_CORE_CONFIG_H
#define HOMEPORT_CORE_CONFIG_H

#include "core/address.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/text.h"

struct networks {
    struct ip_network *items;
    unsigned count;
};

/* One number for each row of config.def, in its order. */
enum setting {
#define CONFIG(member, key, kind, initial, least, most, unit, sentence) SETTING_##member,
#include "config.def"
#undef CONFIG
    SETTING_COUNT
};

enum config_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

struct config {
#define CONFIG_TYPE_text struct text
#define CONFIG_TYPE_list struct text /* lines */
#define CONFIG_TYPE_secret struct text
#define CONFIG_TYPE_number uint64_t
#define CONFIG_TYPE_bool bool
#define CONFIG_TYPE_networks struct networks
#define CONFIG(member, key, kind, initial, least, most, unit, sentence) CONFIG_TYPE_##kind member;
#include "config.def"
#undef CONFIG
    struct text data;      /* folder, from --data or HOMEPORT_DATA */
    struct text file;      /* configuration file that was read; empty: none */
    struct arena arena;    /* private: holds the texts */
    uint8_t origins[SETTING_COUNT]; /* private: enum config_origin, see config_row_at() */
    char ignored[512];     /* variables that Kubernetes made, with blanks between; as many as fit */
};

/* What a wrong setting is answered with. */
struct config_error {
    char text[512];
};

/* Fills in the defaults. */
void config_init(struct config *config);
void config_free(struct config *config);
/* Sets one. False with the key, the value and what is allowed in *error; a secret's value is never shown.
 * A key with _FILE (or _file) behind it takes the value from the file at that path, without its last line
 * end: for texts and secrets. Commas separate the items of lists and networks. */
bool config_set(struct config *config, struct text key, struct text value, enum config_origin origin,
                struct config_error *error);
/* A whole file's text: `key = value` lines. A # at the start of a line or behind a blank starts a comment. */
bool config_read(struct config *config, struct text file, struct text file_name, struct config_error *error);
/* All HOMEPORT_* of the environment; an unknown one is an error, unless it is one of those that Kubernetes gives
 * to every container for a service called homeport: these are ignored. HOMEPORT_DATA and HOMEPORT_CONFIG are
 * left to the caller, who needs them before there is a file to read. */
bool config_read_environment(struct config *config, char **environment, struct config_error *error);

/* Rows for `config show` and the docs: false past the end. value is in the arena, secrets as "***". */
struct config_row {
    struct text key, value, initial, unit, sentence;
    const char *kind;
    uint64_t least, most;
    enum config_origin origin;
};
bool config_row_at(const struct config *config, unsigned index, struct arena *arena, struct config_row *row);

#endif
