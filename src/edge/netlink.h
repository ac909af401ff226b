/* The kernel's news of interface addresses (rtnetlink, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR): told,
 * not polled. At the start and after every change (changes within 20 ms gathered into one) the whole list
 * is reported, loopback included; news that change nothing in it are not. Works without privileges. */
#ifndef HOMEPORT_EDGE_NETLINK_H
#define HOMEPORT_EDGE_NETLINK_H

#include <uv.h>

#include "core/interface.h"

struct netlink;

typedef void (*netlink_report)(void *context, const struct interface_address *addresses,
                               unsigned count);

/* NULL when the kernel gives no netlink socket. `report` is called on the loop, never from within,
 * and may close it; the list is good until it returns. */
struct netlink *netlink_open(uv_loop_t *loop, netlink_report report, void *context);
void netlink_close(struct netlink *netlink);

#endif
