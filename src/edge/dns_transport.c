#include "edge/dns_private.h"

#include <assert.h>
#include <stdlib.h>

enum { ANSWERS_BYTES_FIRST = 2048 };

static const struct sockaddr *address_of(const struct dns_exchange *exchange)
{
    assert(exchange->address_index < exchange->address_count);
    return (const struct sockaddr *)&exchange->addresses[exchange->address_index];
}

static void udp_closed(uv_handle_t *handle)
{
    struct dns_exchange *exchange = handle->data;
    free(handle);
    dns_pending_done(exchange);
}

static void tcp_closed(uv_handle_t *handle)
{
    struct dns_exchange *exchange = handle->data;
    free(handle);
    dns_pending_done(exchange);
}

static void udp_stop(struct dns_exchange *exchange)
{
    if (exchange->udp == NULL) return;
    uv_close((uv_handle_t *)exchange->udp, udp_closed);
    exchange->udp = NULL;
}

static void tcp_stop(struct dns_exchange *exchange)
{
    if (exchange->tcp == NULL) return;
    uv_close((uv_handle_t *)exchange->tcp, tcp_closed);
    exchange->tcp = NULL;
}

void dns_transport_stop(struct dns_exchange *exchange)
{
    udp_stop(exchange);
    tcp_stop(exchange);
}

/* The answer to our question: the same id, and the QR bit. */
static bool is_answer(const struct dns_exchange *exchange, const uint8_t *message, size_t bytes)
{
    return bytes >= DNS_HEADER_BYTES && message[0] == exchange->message[0] &&
           message[1] == exchange->message[1] && (message[2] & 0x80) != 0;
}

static bool is_truncated(const uint8_t *message)
{
    return (message[2] & 0x02) != 0;
}

static void answer_too_long(struct dns_exchange *exchange)
{
    dns_end_failed(exchange, FAULT_TOO_LONG,
                   "The answer of the DNS server %s is longer than the %zu bytes taken.",
                   exchange->server, exchange->answer_bytes_max);
}

static void on_udp_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    *buffer = uv_buf_init(dns_udp_buffer(handle->data), DNS_UDP_ANSWER_BYTES_MAX);
}

/* The socket is connected, so the kernel has already dropped what others sent, and it brings the
 * ICMP news that nobody listens at the port (ECONNREFUSED): no use in waiting then. */
static void on_udp(uv_udp_t *udp, ssize_t bytes, const uv_buf_t *buffer,
                   const struct sockaddr *from, unsigned flags)
{
    struct dns_exchange *exchange = udp->data;
    if (exchange->is_ended || exchange->udp != udp || (bytes == 0 && from == NULL)) return;
    if (bytes < 0) {
        dns_tcp_begin(exchange);
        return;
    }
    const uint8_t *message = (const uint8_t *)buffer->base;
    if (!is_answer(exchange, message, (size_t)bytes)) {
        return; /* somebody guesses, or an old answer: wait on */
    }
    if ((flags & UV_UDP_PARTIAL) != 0 || is_truncated(message)) {
        dns_tcp_begin(exchange);
    } else if ((size_t)bytes > exchange->answer_bytes_max) {
        answer_too_long(exchange);
    } else {
        dns_end_answered(exchange, (struct text){buffer->base, (size_t)bytes});
    }
}

/* All tries use one socket, so that a late answer to the first still counts. */
static void udp_try(uv_timer_t *timer)
{
    struct dns_exchange *exchange = timer->data;
    if (exchange->try_count == DNS_TRIES) {
        exchange->is_udp_silent = true;
        dns_tcp_begin(exchange);
        return;
    }
    exchange->try_count++;
    dns_timer_set(exchange, exchange->try_ms, udp_try);
    uv_buf_t question = uv_buf_init((char *)exchange->message, (unsigned)exchange->message_bytes);
    /* A full send buffer is a lost packet like any other; anything else will not get better. */
    int sent = uv_udp_try_send(exchange->udp, &question, 1, NULL);
    if (sent < 0 && sent != UV_EAGAIN) dns_tcp_begin(exchange);
}

/* A socket of its own, connected, for this exchange: the kernel gives it a random port. */
static bool udp_open(struct dns_exchange *exchange)
{
    uv_udp_t *udp = malloc(sizeof *udp);
    if (udp == NULL) return false;
    if (uv_udp_init(dns_loop(exchange), udp) != 0) {
        free(udp);
        return false;
    }
    udp->data = exchange;
    exchange->udp = udp;
    exchange->pending++;
    if (uv_udp_connect(udp, address_of(exchange)) == 0 &&
        uv_udp_recv_start(udp, on_udp_buffer, on_udp) == 0) {
        return true;
    }
    udp_stop(exchange);
    return false;
}

void dns_udp_begin(struct dns_exchange *exchange)
{
    /* An address without a route (IPv6 on a network that has none) fails right here. */
    for (exchange->address_index = 0; exchange->address_index < exchange->address_count;
         exchange->address_index++) {
        if (udp_open(exchange)) {
            udp_try(&exchange->timer);
            return;
        }
    }
    dns_tcp_begin(exchange);
}

static void tcp_next(struct dns_exchange *exchange, int error);

/* Looks at the messages that have come in whole. True when the exchange has ended. Foreign ones are
 * dropped by closing the gap. */
static bool tcp_scan(struct dns_exchange *exchange)
{
    while (exchange->answers_bytes - exchange->whole_bytes >= 2) {
        uint8_t *prefix = (uint8_t *)exchange->answers + exchange->whole_bytes;
        size_t bytes = (size_t)prefix[0] << 8 | prefix[1];
        if (exchange->whole_bytes + 2 + bytes > exchange->answer_bytes_max + 2) {
            answer_too_long(exchange);
            return true;
        }
        if (exchange->answers_bytes - exchange->whole_bytes < 2 + bytes) return false;
        if (!is_answer(exchange, prefix + 2, bytes)) {
            exchange->answers_bytes -= 2 + bytes;
            memmove(prefix, prefix + 2 + bytes, exchange->answers_bytes - exchange->whole_bytes);
            continue;
        }
        exchange->whole_bytes += 2 + bytes;
        if (exchange->is_complete == NULL) {
            dns_end_answered(exchange, (struct text){(char *)prefix + 2, bytes});
            return true;
        }
        struct text answers = {exchange->answers, exchange->whole_bytes};
        if (exchange->is_complete(answers)) {
            dns_end_answered(exchange, answers);
            return true;
        }
    }
    return false;
}

/* Read straight behind what is there. A buffer of no bytes makes libuv report UV_ENOBUFS. */
static void on_tcp_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct dns_exchange *exchange = handle->data;
    (void)suggested;
    if (exchange->answers_size - exchange->answers_bytes < ANSWERS_BYTES_FIRST / 2) {
        size_t size =
            exchange->answers_size == 0 ? ANSWERS_BYTES_FIRST : exchange->answers_size * 2;
        char *grown = realloc(exchange->answers, size);
        if (grown != NULL) {
            exchange->answers = grown;
            exchange->answers_size = size;
        }
    }
    *buffer =
        uv_buf_init(exchange->answers == NULL ? NULL : exchange->answers + exchange->answers_bytes,
                    (unsigned)(exchange->answers_size - exchange->answers_bytes));
}

static void on_tcp(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
    struct dns_exchange *exchange = stream->data;
    (void)buffer;
    if (exchange->is_ended || (uv_stream_t *)exchange->tcp != stream || bytes == 0) return;
    if (bytes == UV_ENOBUFS) {
        dns_end_failed(exchange, FAULT_OTHER,
                       "Memory was short for the answer of the DNS server %s.", exchange->server);
    } else if (bytes < 0) {
        dns_end_failed(exchange, FAULT_CUT,
                       "The DNS server %s ended the connection before its answer was complete.",
                       exchange->server);
    } else {
        exchange->answers_bytes += (size_t)bytes;
        tcp_scan(exchange);
    }
}

static void on_written(uv_write_t *writing, int status)
{
    struct dns_exchange *exchange = writing->data;
    (void)status; /* a broken connection shows up in reading */
    dns_pending_done(exchange);
}

static void on_connected(uv_connect_t *connecting, int status)
{
    struct dns_exchange *exchange = connecting->data;
    if (!exchange->is_ended && status != 0) {
        tcp_next(exchange, status);
    } else if (!exchange->is_ended) {
        uv_stream_t *stream = (uv_stream_t *)exchange->tcp;
        exchange->prefix[0] = (uint8_t)(exchange->message_bytes >> 8);
        exchange->prefix[1] = (uint8_t)exchange->message_bytes;
        uv_buf_t parts[2] = {
            uv_buf_init((char *)exchange->prefix, 2),
            uv_buf_init((char *)exchange->message, (unsigned)exchange->message_bytes),
        };
        exchange->writing.data = exchange;
        int error = uv_read_start(stream, on_tcp_buffer, on_tcp);
        if (error == 0) error = uv_write(&exchange->writing, stream, parts, 2, on_written);
        if (error == 0) {
            exchange->pending++;
        } else {
            tcp_next(exchange, error);
        }
    }
    dns_pending_done(exchange);
}

static int tcp_open(struct dns_exchange *exchange)
{
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    if (tcp == NULL) return UV_ENOMEM;
    int error = uv_tcp_init(dns_loop(exchange), tcp);
    if (error != 0) {
        free(tcp);
        return error;
    }
    tcp->data = exchange;
    exchange->tcp = tcp;
    exchange->pending++;
    exchange->connecting.data = exchange;
    error = uv_tcp_connect(&exchange->connecting, tcp, address_of(exchange), on_connected);
    if (error == 0) exchange->pending++;
    return error;
}

static void tcp_fail(struct dns_exchange *exchange, int error)
{
    const char *udp = exchange->is_udp_silent ? "did not answer by UDP and " : "";
    if (error == UV_ECONNREFUSED) {
        dns_end_failed(
            exchange, FAULT_CONNECT,
            "The DNS server %s %srefused the connection: is it running, and the port right?",
            exchange->server, udp);
    } else {
        dns_end_failed(exchange, FAULT_CONNECT,
                       "The DNS server %s %scould not be connected to: %s.", exchange->server, udp,
                       uv_strerror(error));
    }
}

/* The address at hand failed with `error`: takes the next one, until there is none. The connect
 * request is free to be used again: libuv calls back before the handle's close callback, and
 * tcp_open() comes only from that callback or before the first request. */
static void tcp_next(struct dns_exchange *exchange, int error)
{
    tcp_stop(exchange);
    while (++exchange->address_index < exchange->address_count) {
        error = tcp_open(exchange);
        if (error == 0) return;
        tcp_stop(exchange);
    }
    tcp_fail(exchange, error);
}

/* Begins with the address that UDP used, if any. */
void dns_tcp_begin(struct dns_exchange *exchange)
{
    assert(exchange->tcp == NULL);
    udp_stop(exchange);
    if (exchange->address_index >= exchange->address_count) exchange->address_index = 0;
    dns_timer_set_end(exchange);
    int error = tcp_open(exchange);
    if (error != 0) tcp_next(exchange, error);
}
