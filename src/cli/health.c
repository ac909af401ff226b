/* homeport health: asks the running server, as any client would, and knows nothing but its listen address. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <uv.h>

#include "cli/cli.h"
#include "core/address.h"
#include "core/url.h"

enum { LIMIT_MS = 3000, ANSWER_BYTES = 4096, READS_MAX = 64, WHERE_BYTES = 300 };

struct place {
    struct sockaddr_storage address;
    socklen_t bytes;
};

/* "127.0.0.1:8080", "[::]:8080": a wildcard is reached by its family's loopback. The settings have checked the form. */
static bool place_of(struct text listen, struct place *place)
{
    struct ip_address ip;
    struct host_port at;
    if (!host_port_read(listen, &at) || !ip_parse(at.host, &ip)) return false;

    bool is_any = ip_class(&ip) == IP_UNSPECIFIED;
    *place = (struct place){.bytes = 0};
    if (ip.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)&place->address;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(at.port)};
        memcpy(&in->sin_addr, ip.bytes, 4);
        if (is_any) in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        place->bytes = sizeof *in;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&place->address;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(at.port)};
        memcpy(&in6->sin6_addr, ip.bytes, 16);
        if (is_any) in6->sin6_addr = in6addr_loopback;
        place->bytes = sizeof *in6;
    }
    return true;
}

/* How long the socket may still take for its next step. False when the time is over. */
static bool limit(int fd, uint64_t until_ms)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    if (now_ms >= until_ms) {
        errno = EAGAIN;
        return false;
    }
    uint64_t left_ms = until_ms - now_ms;
    struct timeval left = {.tv_sec = (time_t)(left_ms / 1000),
                           .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) == 0;
}

/* The answer's first bytes, at least its first line. 0 with errno when there was none. */
static size_t ask(int fd, const struct place *place, uint64_t until_ms, char *out, size_t size)
{
    static const char request[] =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    size_t bytes = 0;
    if (!limit(fd, until_ms) ||
        connect(fd, (const struct sockaddr *)&place->address, place->bytes) != 0)
        return 0;
    if (!limit(fd, until_ms) ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        return 0;
    for (unsigned i = 0; i < READS_MAX && bytes < size && memchr(out, '\n', bytes) == NULL; i++) {
        if (!limit(fd, until_ms)) return 0;
        ssize_t count = recv(fd, out + bytes, size - bytes, 0);
        if (count < 0) return 0;
        if (count == 0) break;
        bytes += (size_t)count;
    }
    errno = EPROTO;
    return memchr(out, '\n', bytes) == NULL ? 0 : bytes;
}

static int check(struct text listen)
{
    struct place place;
    char answer[ANSWER_BYTES], where[WHERE_BYTES];
    if (!place_of(listen, &place)) return cli_fail("http.listen is no address that can be asked");
    snprintf(where, sizeof where, "http://%.*s/health", TEXT_ARGS(listen));
    int fd = socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return cli_fail("%s: no socket: %s", where, strerror(errno));
    size_t bytes = ask(fd, &place, uv_hrtime() / 1000000 + LIMIT_MS, answer, sizeof answer);
    int error = errno;
    close(fd);
    bool is_late = error == EAGAIN || error == EWOULDBLOCK || error == EINPROGRESS;
    if (bytes == 0 && is_late)
        return cli_fail("%s does not answer within %d s", where, LIMIT_MS / 1000);
    if (bytes == 0) return cli_fail("%s does not answer: %s", where, strerror(error));

    /* "HTTP/1.1 200 OK" */
    struct text rest = {answer, bytes};
    text_cut(&rest, ' ');
    struct text status = text_cut(&rest, ' ');
    if (!text_starts((struct text){answer, bytes}, TEXT("HTTP/1.")) || status.bytes != 3) {
        return cli_fail("%s answers, but not as homeport does", where);
    }
    if (!text_equal(status, TEXT("200")))
        return cli_fail("%s answers %.*s: not well", where, TEXT_ARGS(status));
    printf("healthy: %s answers 200\n", where);
    return 0;
}

int command_health(const struct cli *cli)
{
    struct home home;
    bool is_read = home_config(&home, &cli->home);
    int exit_code = is_read ? check(home.config.http_listen) : cli_fail("%s", home.why);
    home_close(&home);
    return exit_code;
}
