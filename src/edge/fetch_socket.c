#include "edge/fetch_private.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An address as the kernel will use it, whatever spelling of it the URL had ("127.1",
 * "0x7f000001", a name that resolves to it). */
static bool address_read(const struct curl_sockaddr *from, struct ip_address *address)
{
    *address = (struct ip_address){0};
    if (from->family == AF_INET && from->addrlen >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, &from->addr, sizeof v4);
        address->family = 4;
        memcpy(address->bytes, &v4.sin_addr, 4);
        return true;
    }
    if (from->family == AF_INET6 && from->addrlen >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &from->addr, sizeof v6);
        address->family = 6;
        memcpy(address->bytes, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

/* An IPv6 address may stand for an IPv4 one: v4-mapped in the kernel, 64:ff9b::/96 in the NAT64
 * of networks that have IPv6 only. What counts is the address at the far end, so
 * 64:ff9b::10.0.0.1 is as private as 10.0.0.1, while a public server behind NAT64 stays
 * reachable. 6to4 and the local NAT64 prefix 64:ff9b:1::/48 are classes that ip_is_global()
 * refuses whole. */
static struct ip_address address_at_far_end(const struct ip_address *address)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (address->family != 6 || memcmp(address->bytes, nat64, sizeof nat64) != 0) {
        return ip_unmap(address);
    }
    struct ip_address v4 = {.family = 4};
    memcpy(v4.bytes, address->bytes + sizeof nat64, 4);
    return v4;
}

static bool guard_allows(const struct fetch_settings *settings, const struct ip_address *address)
{
    struct ip_address far_end = address_at_far_end(address);
    if (ip_is_global(&far_end)) return true;
    for (unsigned i = 0; i < settings->allowed_count; i++) {
        if (ip_network_has(&settings->allowed[i], address)) return true;
        if (ip_network_has(&settings->allowed[i], &far_end)) return true;
    }
    return false;
}

/* Old kernels (before 5.7) let only root bind a socket to a device. Then its own address on that
 * interface is the next best: the kernel sends from it, and with it out of that interface on any
 * usual routing. */
static int bind_to_address_of(int fd, const char *interface, int family)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) return errno;
    int error = EADDRNOTAVAIL;
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != family) continue;
        if (strcmp(i->ifa_name, interface) != 0) continue;
        socklen_t bytes =
            family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        error = bind(fd, i->ifa_addr, bytes) == 0 ? 0 : errno;
        if (error == 0) break;
    }
    freeifaddrs(list);
    return error;
}

/* curl's CURLOPT_INTERFACE is not compiled in, and would fall back to other meanings of the
 * text. */
static int bind_to_interface(int fd, struct text interface, int family)
{
    char name[IF_NAMESIZE];
    if (!text_to_zero_ended(interface, name, sizeof name)) return ENODEV;
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) == 0) {
        return 0;
    }
    if (errno != EPERM) return errno;
    return bind_to_address_of(fd, name, family);
}

static bool is_loopback(const struct ip_address *address)
{
    struct ip_address far_end = address_at_far_end(address);
    return ip_class(&far_end) == IP_LOOPBACK;
}

curl_socket_t fetch_socket_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch_call *call = context;
    struct ip_address ip;
    (void)purpose;

    if (!address_read(address, &ip)) return CURL_SOCKET_BAD;
    if (call->call.is_guarded && !guard_allows(call->settings, &ip)) {
        call->sockets_refused++;
        call->refused = ip;
        return CURL_SOCKET_BAD;
    }
    if (call->call.is_plain && !is_loopback(&ip)) {
        call->sockets_refused++;
        call->refused = ip;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        call->socket_errno = errno;
        return CURL_SOCKET_BAD;
    }
    if (call->call.interface.bytes > 0) {
        call->interface_errno = bind_to_interface(fd, call->call.interface, address->family);
        if (call->interface_errno != 0) {
            close(fd);
            return CURL_SOCKET_BAD;
        }
    }
    call->sockets_opened++;
    return fd;
}
