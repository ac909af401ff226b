/* What a setting must look like where a length or a range cannot say: addresses, URLs, host names, words.
 * For core/config.c. */
#ifndef HOMEPORT_CORE_CONFIG_FORM_H
#define HOMEPORT_CORE_CONFIG_FORM_H

#include "core/config.h"

/* A text, or one item of a list. False sets *allowed to "must be ...", with static storage. */
bool config_form_fits(enum setting setting, struct text value, const char **allowed);

#endif
