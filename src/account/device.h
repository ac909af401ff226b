/* Devices that sign in by themselves: an app or a box sends a device_id that only it knows, and gets an
 * account at first sight. The id is as good as a password, so only its hash is kept; and since it never
 * changes, such a sign-in never gives more than the role `user`. Private to this folder. */
#ifndef HOMEPORT_ACCOUNT_DEVICE_H
#define HOMEPORT_ACCOUNT_DEVICE_H

#include "core/step.h"

/* POST /api/v1/auth/login with a device_id. */
enum err device_login(struct step *s, const struct call *call, struct reply *reply);
/* POST /api/v1/auth/refresh with nothing but a Bearer token: a new one for a device. */
enum err device_refresh(struct step *s, const struct call *call, struct reply *reply);

#endif
