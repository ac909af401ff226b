/* enum err: what a function that can fail returns. OK is zero; every other value is a row of
 * schema/errors.def, which also gives it its HTTP status, its stable code and its sentence. */
#ifndef HOMEPORT_CORE_ERR_H
#define HOMEPORT_CORE_ERR_H

#include "core/text.h"

enum err {
    OK = 0,
#define ERR(name, status, number, sentence) ERR_##name,
#include "errors.def"
#undef ERR
    ERR_COUNT
};

struct err_info {
    const char *name;     /* the row's name, "TOKEN_EXPIRED" */
    unsigned status;      /* HTTP status */
    unsigned code;        /* status * 1000 + number: never changes once given out */
    struct text sentence; /* what the caller reads */
};

/* e must not be OK. */
const struct err_info *err_info(enum err e);

#endif
