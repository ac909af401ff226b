/* Percent-encoding by RFC 3986, the one that every signed or templated request here uses: letters,
 * digits and - _ . ~ stay, every other byte becomes %XX with capital digits. A blank is %20, never
 * "+". */
#ifndef HOMEPORT_CLOUD_PERCENT_H
#define HOMEPORT_CLOUD_PERCENT_H

#include "core/arena.h"

/* In the arena, with a closing zero byte; an empty text when there is no room. */
struct text percent_encode(struct arena *arena, struct text t);

#endif
