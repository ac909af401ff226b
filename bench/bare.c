/* What homeport's HTTP edge is measured against: the least that libuv and llhttp can do.
 *
 *   bare [--port N] [--bytes N]      prints its port, then serves until it is killed
 *
 * Every request gets the same answer: a JSON body of --bytes bytes behind a head as long as
 * homeport's. No header field is looked at, nothing is checked, nothing times out, a slow reader
 * is dropped. Keep it that way: it is the ceiling, not a server. */
#include <llhttp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { READ_BYTES = 65536, GATHER_BYTES = 65536 };

struct connection {
    uv_tcp_t tcp;
    llhttp_t parser;
    bool is_last;
};

static char read_bytes[READ_BYTES];
static char gather[GATHER_BYTES]; /* the answers of one read */
static size_t gather_count;
static char *answer;
static size_t answer_bytes;

static void connection_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void connection_close(struct connection *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, connection_closed);
}

static void gather_send(struct connection *c)
{
    uv_buf_t buffer = uv_buf_init(gather, (unsigned)gather_count);
    if (gather_count == 0) return;
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1);
    if (sent < 0 || (size_t)sent != gather_count) connection_close(c);
    gather_count = 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct connection *c = parser->data;
    c->is_last = !llhttp_should_keep_alive(parser);
    if (answer_bytes > GATHER_BYTES - gather_count) gather_send(c);
    memcpy(gather + gather_count, answer, answer_bytes);
    gather_count += answer_bytes;
    return 0;
}

static const llhttp_settings_t parser_settings = {.on_message_complete = on_message_complete};

static void read_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_bytes, READ_BYTES);
}

static void read_done(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    if (count == 0) return;
    if (count < 0 || llhttp_execute(&c->parser, buffer->base, (size_t)count) != HPE_OK) {
        gather_count = 0;
        connection_close(c);
        return;
    }
    gather_send(c);
    if (c->is_last) connection_close(c);
}

static void accept_waiting(uv_stream_t *listener, int status)
{
    struct connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) return;
    uv_tcp_init(listener->loop, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        connection_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    llhttp_init(&c->parser, HTTP_REQUEST, &parser_settings);
    c->parser.data = c;
    uv_read_start((uv_stream_t *)&c->tcp, read_buffer, read_done);
}

/* The fields that homeport sends with an authenticated read. */
static bool answer_make(size_t body_bytes)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n"
                               "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: %zu\r\n"
                               "X-Request-Id: 0123456789abcdef0123456789abcdef\r\n"
                               "Cache-Control: no-store\r\n"
                               "X-Content-Type-Options: nosniff\r\n"
                               "\r\n";
    size_t size = sizeof head + 20 + body_bytes;
    answer = malloc(size);
    if (answer == NULL || size > GATHER_BYTES || body_bytes < 2) return false;
    size_t head_bytes = (size_t)snprintf(answer, size, head, body_bytes);
    memset(answer + head_bytes, ' ', body_bytes);
    answer[head_bytes] = '{';
    answer[head_bytes + body_bytes - 1] = '}';
    answer_bytes = head_bytes + body_bytes;
    return true;
}

int main(int argc, char **argv)
{
    uv_tcp_t listener;
    struct sockaddr_in name;
    int port = 0, name_bytes = sizeof name;
    size_t body_bytes = 300;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) port = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--bytes") == 0) body_bytes = strtoul(argv[i + 1], NULL, 10);
    }
    if (!answer_make(body_bytes)) {
        fprintf(stderr, "bare: --bytes takes 2 to %d\n", GATHER_BYTES - 512);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    uv_ip4_addr("127.0.0.1", port, &name);
    uv_tcp_init(uv_default_loop(), &listener);
    int e = uv_tcp_bind(&listener, (const struct sockaddr *)&name, 0);
    if (e == 0) e = uv_listen((uv_stream_t *)&listener, 511, accept_waiting);
    if (e == 0) e = uv_tcp_getsockname(&listener, (struct sockaddr *)&name, &name_bytes);
    if (e != 0) {
        fprintf(stderr, "bare: cannot listen: %s\n", uv_strerror(e));
        return 1;
    }
    printf("%u\n", (unsigned)ntohs(name.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
