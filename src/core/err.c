#include "core/err.h"

#include <assert.h>

static const struct err_info infos[ERR_COUNT] = {
#define ERR(name_, status_, number, sentence_) \
    [ERR_##name_] = {.name = #name_, .status = status_, .code = status_ * 1000 + number, .sentence = TEXT_INIT(sentence_)},
#include "errors.def"
#undef ERR
};

const struct err_info *err_info(enum err e)
{
    assert(e > OK && e < ERR_COUNT);
    return &infos[e];
}
