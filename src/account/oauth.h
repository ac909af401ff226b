/* OAuth 2 the small way: POST /api/v1/auth/token with a user's password or a refresh token (RFC 6749, 4.3
 * and 6), for generated clients and the Authorize button of /docs. There are no registered clients, so a
 * client's own credentials are neither asked for nor looked at. */
#ifndef HOMEPORT_ACCOUNT_OAUTH_H
#define HOMEPORT_ACCOUNT_OAUTH_H

#include "core/call.h"

/* Refuses in the words of RFC 6749, 5.2: {"error":...,"error_description":...} with status 400. The
 * description is in ASCII without quotes and backslashes. Returns an error for the handler to return. */
enum err oauth_refuse(struct reply *reply, const struct route *route, const char *error,
                      struct text description);

#endif
