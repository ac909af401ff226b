/* Who is asking: the gate's answer to an Authorization or X-API-Key header, on the loop thread.
 *
 * A credential is verified in full once and then remembered: the usual cost of a request is one keyed hash
 * over the credential and one comparison. What was remembered holds for one generation of the store; when
 * anything at all has been written since, the rows behind it (session or key, and user) are read again. So
 * a sign-out, a withdrawn key, another role or a switched-off account counts from the very next request,
 * and no list of revoked tokens is needed.
 *
 * The cache has a fixed size; where it is crowded, what was used longest ago gives way. Order of calls:
 * auth_cache_new ► auth_check or auth_check_basic, then access_check, for each request ► auth_cache_free. */
#ifndef HOMEPORT_ACCOUNT_GATE_AUTH_H
#define HOMEPORT_ACCOUNT_GATE_AUTH_H

#include "core/call.h"
#include "core/reader.h"
#include "core/secrets.h"

struct auth_cache;

/* capacity: a power of two, 8 at least; about 600 bytes each. NULL when memory is short. */
struct auth_cache *auth_cache_new(unsigned capacity);
/* Roles, one a line, that must have a second factor. Before the first check. */
void auth_cache_require_mfa(struct auth_cache *cache, struct text roles);
void auth_cache_free(struct auth_cache *cache);

/* The headers' values are as sent, empty when absent. OK: *caller is filled in. Else:
 *   ERR_NOT_SIGNED_IN    nothing that could be a credential was sent
 *   ERR_BAD_REQUEST      both headers, with different credentials
 *   ERR_TOKEN_MALFORMED  not a token of ours, or not an access token
 *   ERR_TOKEN_EXPIRED    its time, or that of its session, is over
 *   ERR_SIGNED_OUT       its session was ended
 *   ERR_TOKEN_REVOKED    its user is no more, or its session is somebody else's
 *   ERR_KEY_INVALID      unknown, revoked or expired API key
 *   ERR_USER_INACTIVE    the account is switched off
 * or the store's error. `snapshot` must be of the generation given; `secrets` the same in every call. */
enum err auth_check(struct auth_cache *cache, const struct reader *snapshot,
                    uint64_t store_generation, uint64_t now_ms, const struct secrets *secrets,
                    struct text authorization, struct text x_api_key, struct caller *caller);

/* The same for routers that speak dyndns2: also takes Basic with any user name and the key as password. */
enum err auth_check_basic(struct auth_cache *cache, const struct reader *snapshot,
                          uint64_t store_generation, uint64_t now_ms, const struct secrets *secrets,
                          struct text authorization, struct text x_api_key, struct caller *caller);

/* A key whose last_used_at is older than a minute and that was used since: see account_key_used(). False
 * when there is none waiting. */
bool auth_take_used_key(struct auth_cache *cache, uint64_t *key_id);

/* The matrix of roles and scopes: ERR_NOT_SIGNED_IN, ERR_FORBIDDEN (role) or ERR_SCOPE_MISSING (key). */
enum err access_check(const struct caller *caller, const struct route *route);

#endif
