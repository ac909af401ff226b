/* Small servers on threads for the tests of the edges: raw TCP and UDP on 127.0.0.1, any port. A
 * server's function is called once for each connection or datagram; what it keeps goes into
 * `seen`, under the lock. */
#ifndef HOMEPORT_TESTS_LOOPBACK_H
#define HOMEPORT_TESTS_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOPBACK_CONNECTIONS_MAX = 64, LOOPBACK_SEEN_MAX = 65536 };

struct loopback;
typedef void (*loopback_serve)(struct loopback *server, int socket);

struct loopback {
    int fd;
    unsigned port;
    loopback_serve serve;
    pthread_t thread;
    pthread_mutex_t lock;
    struct {
        struct loopback *server;
        int fd;
        pthread_t thread;
    } connections[LOOPBACK_CONNECTIONS_MAX];
    unsigned connection_count;    /* all that there ever were */
    char seen[LOOPBACK_SEEN_MAX]; /* the newest request */
    size_t seen_bytes;
    unsigned seen_count;
};

static inline int loopback_bind(int kind, unsigned port, unsigned *bound)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) abort();
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) abort();
    *bound = ntohs(address.sin_port);
    return fd;
}

/* A port on which nobody listens (until another socket happens to get it). */
static inline unsigned loopback_free_port(void)
{
    unsigned port = 0;
    close(loopback_bind(SOCK_STREAM, 0, &port));
    return port;
}

static inline void loopback_keep(struct loopback *server, const char *data, size_t bytes)
{
    pthread_mutex_lock(&server->lock);
    server->seen_bytes = bytes < sizeof server->seen ? bytes : sizeof server->seen;
    memcpy(server->seen, data, server->seen_bytes);
    server->seen_count++;
    pthread_mutex_unlock(&server->lock);
}

static inline unsigned loopback_seen_count(struct loopback *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned count = server->seen_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static inline void loopback_send(int fd, const void *data, size_t bytes)
{
    const char *from = data;
    while (bytes > 0) {
        ssize_t sent = send(fd, from, bytes, MSG_NOSIGNAL);
        if (sent <= 0) return;
        from += sent;
        bytes -= (size_t)sent;
    }
}

/* Until the other side closes, or the test ends. */
static inline void loopback_hang(int fd)
{
    char drop[512];
    while (recv(fd, drop, sizeof drop, 0) > 0) {
    }
}

static inline void *loopback_connection(void *context)
{
    struct loopback *server = ((void **)context)[0];
    int fd = *(int *)((void **)context)[1];
    free(context);
    server->serve(server, fd);
    shutdown(fd, SHUT_RDWR); /* closed by loopback_stop(), so that the number is not used again */
    return NULL;
}

static inline void *loopback_accept(void *context)
{
    struct loopback *server = context;
    for (int fd; (fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        pthread_mutex_lock(&server->lock);
        unsigned index = server->connection_count++;
        if (index >= LOOPBACK_CONNECTIONS_MAX) abort();
        server->connections[index].fd = fd;
        void **pair = malloc(2 * sizeof *pair);
        if (pair == NULL) abort();
        pair[0] = server;
        pair[1] = &server->connections[index].fd;
        if (pthread_create(&server->connections[index].thread, NULL, loopback_connection, pair) !=
            0)
            abort();
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static inline void *loopback_datagrams(void *context)
{
    struct loopback *server = context;
    server->serve(server, server->fd);
    return NULL;
}

static inline struct loopback *loopback_start(int kind, unsigned port, loopback_serve serve)
{
    struct loopback *server = calloc(1, sizeof *server);
    if (server == NULL) abort();
    server->serve = serve;
    pthread_mutex_init(&server->lock, NULL);
    server->fd = loopback_bind(kind, port, &server->port);
    if (kind == SOCK_STREAM && listen(server->fd, 64) != 0) abort();
    void *(*run)(void *) = kind == SOCK_STREAM ? loopback_accept : loopback_datagrams;
    if (pthread_create(&server->thread, NULL, run, server) != 0) abort();
    return server;
}

static inline void loopback_stop(struct loopback *server)
{
    /* Wakes accept() and recvfrom(). A UDP socket must be connected for shutdown() to work. */
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
    self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (shutdown(server->fd, SHUT_RDWR) != 0) {
        connect(server->fd, (struct sockaddr *)&self, sizeof self);
        shutdown(server->fd, SHUT_RDWR);
    }
    pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < server->connection_count; i++) {
        shutdown(server->connections[i].fd, SHUT_RDWR);
        pthread_join(server->connections[i].thread, NULL);
        close(server->connections[i].fd);
    }
    close(server->fd);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* Reads one HTTP request with its body, up to size. 0 when the connection has ended. */
static inline size_t loopback_http_read(int fd, char *data, size_t size)
{
    size_t bytes = 0;
    for (;;) {
        data[bytes] = '\0';
        const char *end = strstr(data, "\r\n\r\n");
        if (end != NULL) {
            const char *length = strstr(data, "Content-Length: ");
            size_t body = length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
            if (bytes >= (size_t)(end + 4 - data) + body) return bytes;
        }
        ssize_t got = recv(fd, data + bytes, size - 1 - bytes, 0);
        if (got <= 0) return 0;
        bytes += (size_t)got;
    }
}

#endif
