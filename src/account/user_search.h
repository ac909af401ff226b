/* GET /api/v1/users?q=: accounts whose user name, mail address or phone number begins so. */
#ifndef HOMEPORT_ACCOUNT_USER_SEARCH_H
#define HOMEPORT_ACCOUNT_USER_SEARCH_H

#include "core/step.h"

enum { SEARCH_BYTES_MAX = 254 };

/* The page that the call asks for. q has 1 to SEARCH_BYTES_MAX bytes. */
enum err user_search(struct view *view, const struct call *call, struct reply *reply, struct text q);

#endif
