/* Bans: addresses whose sign-ins are refused, because too many of them failed or because an administrator says so.
 *
 *     login_failed, setup ► ban_note_failure ► failures.c counts ─ too many ► a record of type ban
 *     POST /api/v1/bans ────────────────────────────────────────────────────►
 *     gate_check, login_may_try ► ban_find ► one look at the index by address
 *
 * A ban is a record and nothing else: it counts from the commit that made it and not after the one that lifted it,
 * restarts or not. It refuses what could be a guess at a password; whoever brings a valid token or API key passes,
 * for a house behind one address must not be locked out by one wrong gadget in it.
 *
 * IPv6 addresses are banned by /64. An expired ban counts no more; it is removed when its address fails again, or
 * by the sweep. */
#ifndef HOMEPORT_ACCOUNT_BANS_H
#define HOMEPORT_ACCOUNT_BANS_H

#include "core/address.h"
#include "core/step.h"

enum { BAN_TEXT_SIZE = IP_TEXT_SIZE + 4 };

/* The ban of this address that is in effect: OK, ERR_NOT_FOUND, or the store's error. */
enum err ban_find(const struct reader *reader, const struct ip_address *ip, uint64_t now_ms,
                  struct ban *ban);
/* Seconds that it still lasts, at least 1; 0: until it is lifted. */
uint64_t ban_seconds(const struct ban *ban, uint64_t now_ms);

/* Whether a password of this address is looked at: OK, ERR_BANNED, or ERR_TOO_MANY while it has to wait. */
enum err ban_may_try(struct step *s, struct text ip);

/* Counts a wrong password or setup token of this address, and bans it when that was one too many. What to
 * answer: `usual`, ERR_BANNED or ERR_TOO_MANY. The step must be kept. */
enum err ban_note_failure(struct step *s, struct text ip, enum err usual);

/* "192.0.2.7", or "2001:db8::7" and "2001:db8::/64" as that network. False for any other. */
bool ban_address(struct text t, struct ip_address *ip);
/* As records hold it: of IPv6 the network. */
struct text ban_text(const struct ip_address *ip, char out[BAN_TEXT_SIZE]);

#endif
