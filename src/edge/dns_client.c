#include "edge/dns_private.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/url.h"

enum { DNS_PORT = 53 };

struct dns_client {
    uv_loop_t *loop;
    struct dns_exchange *first;
    bool is_closing;
    char udp_buffer[DNS_UDP_ANSWER_BYTES_MAX];
};

char *dns_udp_buffer(struct dns_exchange *exchange)
{
    return exchange->client->udp_buffer;
}

uv_loop_t *dns_loop(struct dns_exchange *exchange)
{
    return exchange->client->loop;
}

static void exchange_free(struct dns_exchange *exchange)
{
    struct dns_client *client = exchange->client;
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        client->first = exchange->next;
    }
    if (exchange->next != NULL) exchange->next->previous = exchange->previous;
    explicit_bzero(exchange->message, exchange->message_bytes);
    free(exchange->answers);
    free(exchange);
    if (client->is_closing && client->first == NULL) free(client);
}

void dns_pending_done(struct dns_exchange *exchange)
{
    assert(exchange->pending > 0);
    if (--exchange->pending > 0) return;
    assert(exchange->is_ended);
    exchange_free(exchange);
}

static void timer_closed(uv_handle_t *handle)
{
    dns_pending_done(handle->data);
}

/* Lets go of everything; what is in flight comes back by itself. */
static void exchange_stop(struct dns_exchange *exchange)
{
    assert(!exchange->is_ended);
    exchange->is_ended = true;
    dns_transport_stop(exchange);
    uv_cancel(
        (uv_req_t *)&exchange->lookup); /* refused when it runs or never began: both are fine */
    uv_close((uv_handle_t *)&exchange->timer, timer_closed);
}

static void exchange_end(struct dns_exchange *exchange, struct dns_result *result)
{
    exchange_stop(exchange);
    result->duration_ms = (uv_hrtime() - exchange->started_ns) / 1000000;
    /* Last of all: `done` may close the client. The exchange lives until its timer has closed. */
    exchange->done(exchange->context, exchange->ref, result);
}

void dns_end_answered(struct dns_exchange *exchange, struct text answers)
{
    struct dns_result result = {.fault = FAULT_NONE, .answers = answers};
    assert(answers.bytes >= DNS_HEADER_BYTES);
    exchange_end(exchange, &result);
}

void dns_end_failed(struct dns_exchange *exchange, enum call_fault fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(exchange->error, sizeof exchange->error, format, arguments);
    va_end(arguments);
    struct dns_result result = {.fault = fault, .error = text_of(exchange->error)};
    assert(fault != FAULT_NONE);
    exchange_end(exchange, &result);
}

static void on_time_over(uv_timer_t *timer)
{
    struct dns_exchange *exchange = timer->data;
    if (exchange->address_count == 0) {
        dns_end_failed(exchange, FAULT_RESOLVE,
                       "The name of the DNS server %s could not be looked up in time: check this "
                       "machine's resolver, or give the server's IP address.",
                       exchange->server);
    } else if (exchange->answers_bytes > 0) {
        dns_end_failed(exchange, FAULT_TIMEOUT,
                       "The answer of the DNS server %s did not end in time.", exchange->server);
    } else {
        dns_end_failed(exchange, FAULT_TIMEOUT,
                       "The DNS server %s did not answer in time by %s: is it running, and does a "
                       "firewall drop packets?",
                       exchange->server, exchange->by_tcp ? "TCP" : "UDP or TCP");
    }
}

void dns_timer_set(struct dns_exchange *exchange, uint64_t timeout_ms,
                   void (*late)(uv_timer_t *timer))
{
    uint64_t now_ms = uv_now(dns_loop(exchange));
    uint64_t left_ms = now_ms < exchange->due_ms ? exchange->due_ms - now_ms : 0;
    if (timeout_ms < left_ms) {
        uv_timer_start(&exchange->timer, late, timeout_ms, 0);
    } else {
        uv_timer_start(&exchange->timer, on_time_over, left_ms, 0);
    }
}

void dns_timer_set_end(struct dns_exchange *exchange)
{
    dns_timer_set(exchange, UINT64_MAX, on_time_over);
}

static void exchange_begin(struct dns_exchange *exchange)
{
    if (exchange->by_tcp) {
        dns_tcp_begin(exchange);
    } else {
        dns_udp_begin(exchange);
    }
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct dns_exchange *exchange = lookup->data;
    if (!exchange->is_ended) {
        for (const struct addrinfo *i = list;
             i != NULL && exchange->address_count < DNS_ADDRESSES_MAX; i = i->ai_next) {
            if (i->ai_addrlen > sizeof exchange->addresses[0]) continue;
            memcpy(&exchange->addresses[exchange->address_count++], i->ai_addr, i->ai_addrlen);
        }
        if (status == 0 && exchange->address_count > 0) {
            exchange_begin(exchange);
        } else {
            dns_end_failed(exchange, FAULT_RESOLVE,
                           "The name of the DNS server %s has no address (%s): check the name and "
                           "this machine's resolver.",
                           exchange->server, uv_strerror(status));
        }
    }
    uv_freeaddrinfo(list);
    dns_pending_done(exchange);
}

/* False when it is none of the forms of host_port_read(). */
static bool server_read(struct dns_exchange *exchange, struct text server)
{
    struct host_port at;
    if (!host_port_read(server, &at) || (at.has_port && at.port == 0)) return false;
    snprintf(exchange->port, sizeof exchange->port, "%u", at.has_port ? at.port : DNS_PORT);
    return at.host.bytes > 0 && memchr(at.host.data, '\0', at.host.bytes) == NULL &&
           text_to_zero_ended(at.host, exchange->host, sizeof exchange->host);
}

/* The host is an IP address: no lookup, which might stand in line behind slow ones. */
static bool address_read(struct dns_exchange *exchange)
{
    struct sockaddr_storage *address = &exchange->addresses[0];
    int port = atoi(exchange->port);
    if (uv_ip4_addr(exchange->host, port, (struct sockaddr_in *)address) != 0 &&
        uv_ip6_addr(exchange->host, port, (struct sockaddr_in6 *)address) != 0) {
        return false;
    }
    exchange->address_count = 1;
    return true;
}

static void on_begin(uv_timer_t *timer)
{
    struct dns_exchange *exchange = timer->data;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    if (exchange->host[0] == '\0') {
        dns_end_failed(exchange, FAULT_URL,
                       "The DNS server must be given as host, host:port or "
                       "[IPv6 address]:port.");
        return;
    }
    if (exchange->message_bytes < DNS_HEADER_BYTES ||
        exchange->message_bytes > DNS_MESSAGE_BYTES_MAX) {
        dns_end_failed(exchange, FAULT_OTHER,
                       "The question for the DNS server %s is not a DNS message.",
                       exchange->server);
        return;
    }
    dns_timer_set_end(exchange);
    if (address_read(exchange)) {
        exchange_begin(exchange);
        return;
    }
    exchange->lookup.data = exchange;
    int error = uv_getaddrinfo(dns_loop(exchange), &exchange->lookup, on_lookup, exchange->host,
                               exchange->port, &hints);
    if (error != 0) {
        dns_end_failed(exchange, FAULT_RESOLVE,
                       "The name of the DNS server %s could not be looked up: %s.",
                       exchange->server, uv_strerror(error));
        return;
    }
    exchange->pending++;
}

struct dns_client *dns_client_open(uv_loop_t *loop)
{
    struct dns_client *client = calloc(1, sizeof *client);
    if (client != NULL) client->loop = loop;
    return client;
}

bool dns_ask(struct dns_client *client, uint64_t ref, const struct dns_call *call, dns_done done,
             void *context)
{
    assert(!client->is_closing);
    assert(done != NULL);
    struct dns_exchange *exchange = calloc(1, sizeof *exchange + call->message.bytes);
    if (exchange == NULL) return false;
    exchange->client = client;
    exchange->ref = ref;
    exchange->done = done;
    exchange->context = context;
    exchange->started_ns = uv_hrtime();
    exchange->due_ms = uv_now(client->loop) + call->timeout_ms;
    exchange->try_ms = call->timeout_ms / DNS_TRY_PART;
    exchange->is_complete = call->is_complete;
    exchange->answer_bytes_max = call->answer_bytes_max;
    /* Transfers are told by their many messages, which UDP does not have. */
    exchange->by_tcp = call->by_tcp || call->is_complete != NULL ||
                       call->message.bytes > DNS_UDP_QUESTION_BYTES_MAX;
    exchange->message_bytes = call->message.bytes;
    if (call->message.bytes > 0) memcpy(exchange->message, call->message.data, call->message.bytes);
    if (!text_to_zero_ended(call->server, exchange->server, sizeof exchange->server) ||
        !server_read(exchange, call->server)) {
        exchange->host[0] = '\0'; /* told from on_begin(), as `done` must not be called from here */
    }
    exchange->next = client->first;
    if (client->first != NULL) client->first->previous = exchange;
    client->first = exchange;

    uv_timer_init(client->loop, &exchange->timer);
    exchange->timer.data = exchange;
    exchange->pending = 1;
    uv_timer_start(&exchange->timer, on_begin, 0, 0);
    return true;
}

void dns_client_close(struct dns_client *client)
{
    if (client == NULL || client->is_closing) return;
    client->is_closing = true;
    if (client->first == NULL) {
        free(client);
        return;
    }
    for (struct dns_exchange *exchange = client->first; exchange != NULL;
         exchange = exchange->next) {
        if (!exchange->is_ended) exchange_stop(exchange);
    }
}
