/* Time-based one-time passwords: RFC 6238 with HMAC-SHA1, 30 seconds and six digits, which is what every
 * authenticator does. Plain arithmetic: who has used which code is remembered in mfa.c. */
#ifndef HOMEPORT_ACCOUNT_TOTP_H
#define HOMEPORT_ACCOUNT_TOTP_H

#include "core/arena.h"

enum { TOTP_KEY_BYTES = 20, TOTP_DIGITS = 6, TOTP_STEP_MS = 30000 };

/* The code of a step: unix time in units of 30 s. `code` has six digits, and a zero byte behind them. */
void totp_code(const uint8_t *key, size_t key_bytes, uint64_t step, char code[TOTP_DIGITS + 1]);

/* The step, no later than one after now and no earlier than one before, whose code this is; 0 when there is
 * none after `last_step`. All are compared, each in constant time. */
uint64_t totp_step_of(const uint8_t *key, size_t key_bytes, struct text code, uint64_t now_ms,
                      uint64_t last_step);

/* Base32 (RFC 4648) without padding, as authenticators take it. */
struct text base32_encode(struct arena *arena, const uint8_t *bytes, size_t count);

/* otpauth://totp/ISSUER:USER?secret=... for a QR code; names are percent-encoded. */
struct text totp_uri(struct arena *arena, struct text issuer, struct text user, struct text secret);

#endif
