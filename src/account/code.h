/* Codes and links that are sent to somebody, to show that a number or address is his.
 *
 *     code_make ► a letter (notify.h) ► code_check, by whom it was sent to     six digits, five tries
 *                                     ► code_find, by the token of a link      <id>.<64 hex digits>
 *                                     ► code_spend                             good once
 *
 * One row for each target and purpose: a new code replaces the one before, and the row counts what is sent to
 * that target. The vendors' own limits are a little wider, so that we are never the ones who use them up. */
#ifndef HOMEPORT_ACCOUNT_CODE_H
#define HOMEPORT_ACCOUNT_CODE_H

#include "core/step.h"

/* A new code for `target`, in the step's arena: digits for SMS, else a link's token. ERR_TOO_MANY: too many
 * were sent to it lately; no more than one a minute, four an hour, nine a day. */
enum err code_make(struct step *s, enum code_purpose purpose, struct text target, uint64_t user_id,
                   uint64_t life_ms, struct text *secret);

/* Whether these are the digits in force for the target: OK and its row, or ERR_CODE_WRONG. A wrong one counts,
 * so the step must be kept whatever is answered. */
enum err code_check(struct step *s, enum code_purpose purpose, struct text target,
                    struct text digits, struct code *code);

/* The row of a link's token: OK or ERR_CODE_WRONG. Nothing is changed. */
enum err code_find(const struct reader *reader, uint64_t now_ms, enum code_purpose purpose,
                   struct text token, struct code *code);

/* Uses it up; what was sent stays counted. ERR_CODE_WRONG when somebody else was faster. */
enum err code_spend(struct step *s, uint64_t code_id);

#endif
