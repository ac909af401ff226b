/* What names and scopes of the account family may look like. The check_ functions behind the CHECKED(...)
 * of schema/account.def are declared by core/record.c's rows; here is the rest. */
#ifndef HOMEPORT_ACCOUNT_CHECKS_H
#define HOMEPORT_ACCOUNT_CHECKS_H

#include "core/call.h"

bool check_username(struct text value, struct text *reason);
bool check_email(struct text value, struct text *reason);
bool check_phone(struct text value, struct text *reason);
bool check_line(struct text value, struct text *reason);
bool check_ban_ip(struct text value, struct text *reason);
bool check_scopes(struct text value, struct text *reason);
bool check_hosts(struct text value, struct text *reason);

/* The rights (see enum right) that a list of scopes gives. To write is to read; unknown words give none. */
uint32_t scopes_to_rights(struct text lines);

#endif
