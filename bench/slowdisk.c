/* A slow disk for homeport-slowdisk: every fdatasync() takes BENCH_SYNC_US (5,000) longer.
 *
 * 5 ms is what a NAS with a turning disk needs. Linked in front of libc's own (musl's archive has it in a
 * member of its own, which is then not taken), so that the rest of the program is byte for byte the one
 * that is given out. LMDB syncs its data pages by fdatasync() and then writes the meta page through
 * O_DSYNC: one delay for each commit. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_US = 5000 };

static uint64_t delay_us(void)
{
    const char *given = getenv("BENCH_SYNC_US");
    return given != NULL ? strtoull(given, NULL, 10) : SYNC_US;
}

int fdatasync(int fd)
{
    struct timespec until;
    uint64_t us = delay_us();
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += (time_t)(us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    while (us > 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
    return (int)syscall(SYS_fdatasync, fd);
}
