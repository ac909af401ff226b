/* The whole of our unit test tooling. A test program is a main() that calls its cases and returns
 * unit_end(); a failed CHECK prints where it stands and the program goes on. Include it once. */
#ifndef HOMEPORT_TESTS_UNIT_H
#define HOMEPORT_TESTS_UNIT_H

#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned unit_passed_count;
static unsigned unit_failed_count;

/* True when it held, so that a case can stop where going on makes no sense. */
static inline bool unit_check(bool holds, const char *what, const char *file, int line)
{
    if (holds) {
        unit_passed_count++;
        return true;
    }
    unit_failed_count++;
    printf("%s:%d: failed: %s\n", file, line, what);
    return false;
}

/* As unit_check() for two texts; prints both when they differ. */
static inline bool unit_check_text(struct text is, struct text wanted, const char *file, int line)
{
    if (unit_check(text_equal(is, wanted), "texts are equal", file, line)) return true;
    printf("    is     \"%.*s\"\n    wanted \"%.*s\"\n", TEXT_ARGS(is), TEXT_ARGS(wanted));
    return false;
}

/* For main(): return unit_end(); */
static inline int unit_end(void)
{
    printf("%u passed, %u failed\n", unit_passed_count, unit_failed_count);
    return unit_failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define CHECK(truth) unit_check((truth), #truth, __FILE__, __LINE__)
/* A struct text against a zero-ended string. */
#define CHECK_TEXT(is, wanted) unit_check_text((is), text_of(wanted), __FILE__, __LINE__)

#endif
