/* Sign-ins: opening one, its tokens, and ending it.
 *
 * A session holds the number (jti) of the one refresh token in force. Using that token gives a new number
 * and a new pair of tokens; a number that is neither in force nor the one just spent was used twice, so
 * somebody has copied it, and the session ends for both. Tokens are made from the session alone (times and
 * numbers), so that the same state always gives the same pair: parallel tabs that refresh at once all get
 * the same successor, and nothing of a token is stored. An access token has the number of the refresh
 * token it was made with. */
#ifndef HOMEPORT_ACCOUNT_SESSION_H
#define HOMEPORT_ACCOUNT_SESSION_H

#include "core/step.h"

/* Signs a user in; *tokens is in the step's arena. A device gets one long-lived access token and no refresh
 * token: it renews the one it has. */
enum err session_open(struct step *s, const struct user *user, bool is_device, struct text ip,
                      struct text user_agent, struct tokens *tokens);

/* A new token for a device that is signed in. */
enum err session_continue(struct step *s, struct session *session, const struct call *call,
                          struct tokens *tokens);

/* A new pair for a refresh token. After ERR_REFRESH_REUSED the step must be kept, not refused: it ends the
 * sign-in. */
enum err session_refresh(struct step *s, const struct call *call, struct text token,
                         struct tokens *tokens);

/* All of a user's sessions but `kept_id` (0: none is kept). */
void session_end_all(struct step *s, uint64_t user_id, uint64_t kept_id);

#endif
