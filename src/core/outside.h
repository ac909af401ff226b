/* Between the messages that carry a question to the outside and its answer (schema/contents.def) and the plain structs
 * that edges and judges use (core/http_call.h). Nothing is copied but the struct: texts live as long as those of what
 * came in. */
#ifndef HOMEPORT_CORE_OUTSIDE_H
#define HOMEPORT_CORE_OUTSIDE_H

#include "core/http_call.h"
#include "core/record.h"

/* Of a call that is not is_dns. */
struct http_call outside_http_call(const struct outside_call *call);
/* What the answer says by itself; task_id, part and memo are as asked, and the caller's to fill in. */
struct outside_answer outside_http_answer(const struct http_result *result);
/* The way back, on the core's side. */
struct http_result outside_http_result(const struct outside_answer *answer);

#endif
