/* libFuzzer: answers of the captcha service. The first two bytes are the HTTP status, the rest the body.
 * Besides not crashing: nobody is human without saying so in the one way there is, and what goes into logs
 * is short and plain. */
#include "account/captcha_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void demand(bool truth)
{
    if (!truth) abort();
}

static bool holds(struct text t, struct text part)
{
    for (size_t i = 0; i + part.bytes <= t.bytes; i++) {
        if (memcmp(t.data + i, part.data, part.bytes) == 0) return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct arena arena;
    if (bytes < 2) return 0;
    arena_init(&arena, 4 << 20);
    const struct http_result result = {
        .status = (unsigned)(data[0] << 8 | data[1]) % 600,
        .body = {(const char *)data + 2, bytes - 2},
        .retry_after_ms = -1,
    };
    struct captcha_said said = captcha_answer_read(&arena, &result);
    demand(said.reason.bytes > 0 && said.reason.bytes < 128);
    demand(text_is_clean_utf8(said.reason));
    if (said.verdict == CAPTCHA_HUMAN) {
        demand(result.status >= 200 && result.status < 300);
        /* A name may also be written with escapes. */
        demand(holds(result.body, TEXT("1")));
        demand(holds(result.body, TEXT("CaptchaCode")) || holds(result.body, TEXT("\\u")));
    }
    arena_free(&arena);
    return 0;
}
