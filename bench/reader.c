/* A quiet reader beside a flood: one GET at a time over one kept-alive connection, one each millisecond.
 *
 *   reader PORT PATH TOKEN SECONDS [EVERY_US]
 *
 * Prints count and percentiles in microseconds as KEY=VALUE. The answer's time is counted from the moment
 * the request was due, so that one long wait is not hidden by the requests that it held up. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_MAX = 4000000, ANSWER_BYTES = 65536 };

static uint32_t samples_us[SAMPLES_MAX];

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec until = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

static int connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    perror("reader: connect");
    exit(1);
}

/* One answer, whole; false unless its status is 200. */
static bool answer_read(int fd)
{
    static char bytes[ANSWER_BYTES];
    size_t count = 0, wanted = SIZE_MAX;
    while (count < wanted && count < sizeof bytes - 1) {
        ssize_t more = read(fd, bytes + count, sizeof bytes - 1 - count);
        if (more <= 0) return false;
        count += (size_t)more;
        bytes[count] = 0;
        const char *end = strstr(bytes, "\r\n\r\n"), *length = strcasestr(bytes, "\r\ncontent-length:");
        if (end == NULL) continue;
        wanted = (size_t)(end + 4 - bytes) + (length == NULL ? 0 : strtoul(length + 17, NULL, 10));
    }
    return count == wanted && strncmp(bytes, "HTTP/1.1 200 ", 13) == 0;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(size_t count, size_t failed)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}};
    qsort(samples_us, count, sizeof *samples_us, by_size);
    printf("count=%zu\nfailed=%zu\n", count, failed);
    for (size_t i = 0; i < sizeof points / sizeof *points && count > 0; i++) {
        printf("%s=%u\n", points[i].name, samples_us[(size_t)((double)(count - 1) * points[i].share)]);
    }
}

int main(int argc, char **argv)
{
    char request[4096];
    if (argc < 5) {
        fprintf(stderr, "usage: reader PORT PATH TOKEN SECONDS [EVERY_US]\n");
        return 2;
    }
    uint64_t every_ns = (argc > 5 ? strtoull(argv[5], NULL, 10) : 1000) * 1000;
    size_t count = 0, failed = 0;
    size_t bytes = (size_t)snprintf(request, sizeof request,
                                    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\n\r\n",
                                    argv[2], argv[1], argv[3]);
    int fd = connect_to(atoi(argv[1]));
    setpriority(PRIO_PROCESS, 0, -15); /* as root: the load beside us must not be what is measured */
    uint64_t due = now_ns(), end = due + (uint64_t)(strtod(argv[4], NULL) * 1e9);
    for (; due < end && count < SAMPLES_MAX; count++) {
        sleep_until(due);
        if (write(fd, request, bytes) != (ssize_t)bytes || !answer_read(fd)) {
            failed++;
            close(fd);
            fd = connect_to(atoi(argv[1]));
        }
        uint64_t now = now_ns();
        samples_us[count] = (uint32_t)((now - due) / 1000);
        due += every_ns;
    }
    report(count, failed);
    return 0;
}
