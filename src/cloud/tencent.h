/* What all of Tencent Cloud's API 3.0 answers have in common: HTTP 200 also for faults, a Response
 * around everything, an Error in it with a code of words. */
#ifndef HOMEPORT_CLOUD_TENCENT_H
#define HOMEPORT_CLOUD_TENCENT_H

#include <yyjson.h>

#include "cloud/call_class.h"
#include "core/arena.h"

struct tencent_answer {
    enum call_class class;
    struct text code;     /* of the Error; empty: none, or no answer in this format */
    yyjson_val *response; /* with CLASS_OK: never NULL */
};

/* Texts and values live as long as the arena. */
struct tencent_answer tencent_answer_read(struct arena *arena, const struct http_result *result);

#endif
