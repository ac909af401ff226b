/* A histogram of durations: counts by bucket, for /metrics. */
#ifndef HOMEPORT_CORE_TIMES_H
#define HOMEPORT_CORE_TIMES_H

#include <stdint.h>

enum { TIMES_BUCKETS = 14 };

struct times {
    uint64_t count, sum_us, buckets[TIMES_BUCKETS];
};

/* Upper bounds of the buckets in microseconds; the last bucket has none. */
extern const uint64_t times_bounds_us[TIMES_BUCKETS - 1];

void times_add(struct times *times, uint64_t us);

#endif
