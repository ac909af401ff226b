/* The keys that sign tokens: which there are, and putting another in force.
 *
 *     token_key rows ──► key_ring_read() ──► token_make(), token_read()
 *          ▲
 *     token_keys_rotate() ◄── the route, `homeport keys rotate`, the task key_rotate (auth.key_rotation)
 *
 * Of a key only its number is stored; the secret is derived from the key file and that number. The newest row
 * is the key in force. When another follows it, it stays good for the longest life that a token made with it
 * can have, or ends at once when its secret may be known. A store without rows has key 1 in force. */
#ifndef HOMEPORT_ACCOUNT_TOKEN_KEYS_H
#define HOMEPORT_ACCOUNT_TOKEN_KEYS_H

#include "account/token.h"
#include "core/step.h"

/* Makes *ring hold the keys whose tokens count now. It holds others before, of the same secrets, or none; keys
 * are only derived anew when they are others. On an error it is empty. Wipe with key_ring_wipe(). */
enum err key_ring_read(struct key_ring *ring, const struct reader *reader,
                       const struct secrets *secrets, uint64_t now_ms);
void key_ring_wipe(struct key_ring *ring);

/* The key of that number; it does not end. */
void signing_key_of(const struct secrets *secrets, uint64_t number, struct signing_key *key);
/* The key in force, for making tokens. Wipe with signing_key_wipe(). */
enum err signing_key_now(struct step *s, struct signing_key *key);

/* Another key signs from now on; *made is its row. With revoke_old all tokens of the keys before are refused
 * from now on. ERR_CONFLICT when KEY_RING_MAX keys are good already; *again_ms is when the next of them ends. */
enum err token_keys_rotate(struct step *s, bool revoke_old, struct token_key *made,
                           uint64_t *again_ms);

/* At the start: the first key's row, and the task that rotates on schedule. */
enum err token_keys_start(struct step *s);

#endif
