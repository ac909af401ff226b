#include "edge/netlink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* News are taken as a hint only: whatever they say, the whole list is asked for again 20 ms
 * later. That is one path for additions, removals, changed flags and news lost in a full socket
 * buffer (ENOBUFS), and the kernel stays the only one who keeps the list.
 *
 *   open ─► ask ─► RTM_NEWADDR ... NLMSG_DONE ─► report, if it differs from the last
 *            ▲                                          │
 *            └── 20 ms ◄── news, or a list that changed while it was read
 *
 * Routers' advertisements make the kernel announce unchanged addresses every few seconds; hence
 * the comparison with the last report. */

enum {
    GATHER_MS = 20,
    ASK_AGAIN_MS = 1000,  /* after an error of the kernel's */
    BUFFER_BYTES = 32768, /* the most that the kernel puts into one part of a list */
    ADDRESSES_FIRST = 16,
    ADDRESSES_MAX = 4096,
    READS_MAX = 64 /* in one round of the loop */
};

struct list {
    struct interface_address *items;
    unsigned count, size;
};

struct netlink {
    int fd;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles_open;
    bool is_closing;
    netlink_report report;
    void *context;

    uint32_t sequence; /* of the list being read, or the last one */
    bool is_reading;
    bool is_stale; /* it changed while it was read */
    bool has_reported;
    struct list fresh, reported;
    _Alignas(struct nlmsghdr) char buffer[BUFFER_BYTES];
};

static void ask(struct netlink *netlink);

static void on_timer(uv_timer_t *timer)
{
    ask(timer->data);
}

static void ask_later(struct netlink *netlink, uint64_t wait_ms)
{
    if (uv_is_active((uv_handle_t *)&netlink->timer)) return;
    uv_timer_start(&netlink->timer, on_timer, wait_ms, 0);
}

/* Asks for the list of all addresses, whatever is still coming of an older one. */
static void ask(struct netlink *netlink)
{
    struct {
        struct nlmsghdr head;
        struct ifaddrmsg body;
    } question = {
        .head = {.nlmsg_len = sizeof question,
                 .nlmsg_type = RTM_GETADDR,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = ++netlink->sequence},
        .body = {.ifa_family = AF_UNSPEC},
    };
    netlink->fresh.count = 0;
    netlink->is_stale = false;
    netlink->is_reading =
        send(netlink->fd, &question, sizeof question, 0) == (ssize_t)sizeof question;
    /* EBUSY: the kernel is still at the list before. */
    if (!netlink->is_reading) ask_later(netlink, errno == EBUSY ? GATHER_MS : ASK_AGAIN_MS);
}

/* Room for one more, zeroed; NULL when there is none. */
static struct interface_address *list_add(struct list *list)
{
    if (list->count == list->size) {
        unsigned size = list->size == 0 ? ADDRESSES_FIRST : list->size * 2;
        if (size > ADDRESSES_MAX) return NULL;
        struct interface_address *grown = realloc(list->items, size * sizeof grown[0]);
        if (grown == NULL) return NULL;
        list->items = grown;
        list->size = size;
    }
    struct interface_address *added = &list->items[list->count++];
    memset(added, 0, sizeof *added); /* padding too: lists are compared as bytes */
    return added;
}

static uint8_t flags_of(unsigned family, uint32_t kernel)
{
    uint8_t flags = 0;
    /* The same bit means "secondary" for IPv4. */
    if (family == AF_INET6 && (kernel & IFA_F_TEMPORARY) != 0) flags |= ADDRESS_TEMPORARY;
    if ((kernel & IFA_F_DEPRECATED) != 0) flags |= ADDRESS_DEPRECATED;
    if ((kernel & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0) flags |= ADDRESS_TENTATIVE;
    return flags;
}

static void address_read(struct netlink *netlink, const struct nlmsghdr *head)
{
    const struct ifaddrmsg *body = NLMSG_DATA(head);
    const struct rtattr *local = NULL, *address = NULL;
    uint32_t flags = body->ifa_flags; /* 8 bits of them; the attribute has all */
    size_t bytes = body->ifa_family == AF_INET ? 4 : body->ifa_family == AF_INET6 ? 16 : 0;
    int left = (int)head->nlmsg_len - (int)NLMSG_LENGTH(sizeof *body);

    for (const struct rtattr *i = IFA_RTA(body); RTA_OK(i, left); i = RTA_NEXT(i, left)) {
        if (i->rta_type == IFA_LOCAL && RTA_PAYLOAD(i) == bytes) local = i;
        if (i->rta_type == IFA_ADDRESS && RTA_PAYLOAD(i) == bytes) address = i;
        if (i->rta_type == IFA_FLAGS && RTA_PAYLOAD(i) == sizeof flags) {
            memcpy(&flags, RTA_DATA(i), sizeof flags);
        }
    }
    /* On a link to a peer IFA_ADDRESS is the other end, and IFA_LOCAL ours; IPv6 often has no
     * IFA_LOCAL. */
    const struct rtattr *ours = local != NULL ? local : address;
    if (bytes == 0 || ours == NULL) return;

    struct interface_address *added = list_add(&netlink->fresh);
    if (added == NULL) return;
    added->address.family = body->ifa_family == AF_INET ? 4 : 6;
    memcpy(added->address.bytes, RTA_DATA(ours), bytes);
    added->prefix_bits = body->ifa_prefixlen;
    added->flags = flags_of(body->ifa_family, flags);
    /* The interface may be gone by now; then news are on their way, and its addresses with it. */
    char name[IF_NAMESIZE] = "";
    if (if_indextoname(body->ifa_index, name) == NULL) {
        netlink->fresh.count--;
        return;
    }
    static_assert(sizeof name == sizeof added->interface, "both hold an interface's name");
    memcpy(added->interface, name, strlen(name));
}

static bool lists_are_equal(const struct list *a, const struct list *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof a->items[0]) == 0);
}

static void list_done(struct netlink *netlink)
{
    netlink->is_reading = false;
    if (netlink->is_stale) {
        ask_later(netlink, GATHER_MS);
        return;
    }
    if (netlink->has_reported && lists_are_equal(&netlink->fresh, &netlink->reported)) return;
    struct list old = netlink->reported;
    netlink->reported = netlink->fresh;
    netlink->fresh = old;
    netlink->has_reported = true;
    netlink->report(netlink->context, netlink->reported.items, netlink->reported.count);
}

static void message_read(struct netlink *netlink, const struct nlmsghdr *head)
{
    bool is_ours =
        netlink->is_reading && head->nlmsg_seq == netlink->sequence && head->nlmsg_pid != 0;
    if (is_ours && (head->nlmsg_flags & NLM_F_DUMP_INTR) != 0) netlink->is_stale = true;
    switch (head->nlmsg_type) {
    case NLMSG_DONE:
        if (is_ours) list_done(netlink);
        return;
    case NLMSG_ERROR:
        if (!is_ours) return;
        netlink->is_reading = false;
        ask_later(netlink, ASK_AGAIN_MS);
        return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (is_ours && (head->nlmsg_flags & NLM_F_MULTI) != 0) {
            if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg))) {
                address_read(netlink, head);
            }
        } else {
            ask_later(netlink, GATHER_MS);
        }
        return;
    default: return;
    }
}

/* True while there may be more to read. */
static bool part_read(struct netlink *netlink)
{
    struct sockaddr_nl from = {0};
    socklen_t from_bytes = sizeof from;
    ssize_t bytes = recvfrom(netlink->fd, netlink->buffer, sizeof netlink->buffer, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &from_bytes);
    if (bytes < 0) {
        int error = errno;
        if (error == EINTR) return true;
        if (error == EAGAIN) return false;
        /* ENOBUFS: news were lost, perhaps the end of the list too. */
        netlink->is_reading = false;
        ask_later(netlink, error == ENOBUFS ? GATHER_MS : ASK_AGAIN_MS);
        return error == ENOBUFS;
    }
    if (from.nl_pid != 0) {
        return true; /* other processes may send to us; only the kernel is believed */
    }
    int left = (int)bytes;
    for (const struct nlmsghdr *head = (const struct nlmsghdr *)netlink->buffer;
         NLMSG_OK(head, (unsigned)left) && !netlink->is_closing; head = NLMSG_NEXT(head, left)) {
        message_read(netlink, head);
    }
    return !netlink->is_closing;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct netlink *netlink = poll->data;
    (void)events;
    /* libuv stops watching a socket that has an error, and news lost are one. */
    if (status < 0) uv_poll_start(poll, UV_READABLE, on_poll);
    for (int i = 0; i < READS_MAX; i++) {
        if (!part_read(netlink)) return;
    }
}

static int socket_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (fd < 0) return -1;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static void handle_closed(uv_handle_t *handle)
{
    struct netlink *netlink = handle->data;
    assert(netlink->handles_open > 0);
    if (--netlink->handles_open > 0) return;
    close(netlink->fd);
    free(netlink->fresh.items);
    free(netlink->reported.items);
    free(netlink);
}

struct netlink *netlink_open(uv_loop_t *loop, netlink_report report, void *context)
{
    assert(report != NULL);
    struct netlink *netlink = calloc(1, sizeof *netlink);
    if (netlink == NULL) return NULL;
    netlink->fd = socket_open();
    if (netlink->fd < 0 || uv_poll_init_socket(loop, &netlink->poll, netlink->fd) != 0) {
        if (netlink->fd >= 0) close(netlink->fd);
        free(netlink);
        return NULL;
    }
    uv_timer_init(loop, &netlink->timer);
    netlink->poll.data = netlink->timer.data = netlink;
    netlink->handles_open = 2;
    netlink->report = report;
    netlink->context = context;
    uv_poll_start(&netlink->poll, UV_READABLE, on_poll);
    ask(netlink);
    return netlink;
}

void netlink_close(struct netlink *netlink)
{
    if (netlink == NULL || netlink->is_closing) return;
    netlink->is_closing = true;
    uv_close((uv_handle_t *)&netlink->poll, handle_closed);
    uv_close((uv_handle_t *)&netlink->timer, handle_closed);
}
