/* What the files of the DNS client share: dns_client.c opens, resolves the server's name, keeps
 * the time and ends exchanges; dns_transport.c sends and receives by UDP and TCP.
 *
 *   dns_ask ─► name lookup ─► UDP, 3 tries ─► TCP, each address in turn ─► done()
 *                                 └── answer with the TC bit, or nobody at the port ──┘
 *
 * An exchange is freed when all its handles and requests have come back after its end, and the
 * client after its last exchange. */
#ifndef HOMEPORT_EDGE_DNS_PRIVATE_H
#define HOMEPORT_EDGE_DNS_PRIVATE_H

#include <sys/socket.h>

#include "edge/dns_client.h"

enum {
    DNS_HEADER_BYTES = 12,
    DNS_MESSAGE_BYTES_MAX = 65535,
    DNS_UDP_QUESTION_BYTES_MAX = 512, /* longer questions go by TCP at once */
    DNS_UDP_ANSWER_BYTES_MAX = 4096,  /* a longer datagram is treated like one with the TC bit */
    DNS_TRIES = 3,
    DNS_TRY_PART = 5, /* a try lasts this part of the time limit */
    DNS_ADDRESSES_MAX = 4,
    DNS_SERVER_BYTES_MAX = 280,
    DNS_ERROR_SIZE = 512
};

struct dns_exchange {
    struct dns_exchange *next, *previous;
    struct dns_client *client;
    uint64_t ref;
    dns_done done;
    void *context;
    bool is_ended;
    unsigned pending;            /* open handles and running requests */
    uint64_t started_ns, due_ms; /* due_ms: uv_now() at which the time is over */

    char server[DNS_SERVER_BYTES_MAX + 1]; /* as given, for sentences */
    char host[DNS_SERVER_BYTES_MAX + 1];
    char port[6];
    uv_getaddrinfo_t lookup;
    struct sockaddr_storage addresses[DNS_ADDRESSES_MAX];
    unsigned address_count, address_index;

    uv_timer_t timer; /* end of this try, or of the exchange */
    uint64_t try_ms;
    uv_udp_t *udp;
    unsigned try_count;
    bool is_udp_silent; /* three tries went by: worth a word when TCP fails too */
    uv_tcp_t *tcp;
    uv_connect_t connecting;
    uv_write_t writing;
    uint8_t prefix[2];

    bool (*is_complete)(struct text answers);
    size_t answer_bytes_max;
    bool by_tcp;
    char *answers; /* what TCP brought, prefixes and all */
    size_t answers_bytes, answers_size;
    size_t whole_bytes; /* the part of it that is whole messages kept for the result */
    char error[DNS_ERROR_SIZE];

    size_t message_bytes;
    uint8_t message[];
};

/* dns_client.c */
char *dns_udp_buffer(
    struct dns_exchange *exchange); /* DNS_UDP_ANSWER_BYTES_MAX bytes, shared by all */
uv_loop_t *dns_loop(struct dns_exchange *exchange);
void dns_pending_done(struct dns_exchange *exchange);
void dns_timer_set(struct dns_exchange *exchange, uint64_t timeout_ms,
                   void (*late)(uv_timer_t *timer));
void dns_timer_set_end(struct dns_exchange *exchange); /* for the rest of the time limit */
void dns_end_answered(struct dns_exchange *exchange, struct text answers);
__attribute__((format(printf, 3, 4))) void dns_end_failed(struct dns_exchange *exchange,
                                                          enum call_fault fault, const char *format,
                                                          ...);

/* dns_transport.c: the addresses are known. Each ends in dns_end_...() sooner or later. */
void dns_udp_begin(struct dns_exchange *exchange);
void dns_tcp_begin(struct dns_exchange *exchange);
/* Closes the sockets. */
void dns_transport_stop(struct dns_exchange *exchange);

#endif
