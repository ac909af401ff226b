#include "core/times.h"

const uint64_t times_bounds_us[TIMES_BUCKETS - 1] = {
    50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 250000, 1000000, 5000000};

void times_add(struct times *times, uint64_t us)
{
    unsigned bucket = 0;
    while (bucket < TIMES_BUCKETS - 1 && us > times_bounds_us[bucket]) bucket++;
    times->buckets[bucket]++;
    times->count++;
    times->sum_us += us;
}
