/* What a setting must look like where a length or a range cannot say: addresses, URLs, host names, words.
 * For core/config.c; the last for who reads them all. */
#ifndef HOMEPORT_CORE_CONFIG_FORM_H
#define HOMEPORT_CORE_CONFIG_FORM_H

#include "core/config.h"

/* A text, or one item of a list. False sets *allowed to "must be ...", with static storage. */
bool config_form_fits(enum setting setting, struct text value, const char **allowed);

/* Settings that only work together are all there, or none of them is. Once, when all have been read. */
bool config_form_is_whole(const struct config *config, struct config_error *error);

#endif
