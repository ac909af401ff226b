/* An address of a network interface of this machine, as the kernel tells it. */
#ifndef HOMEPORT_CORE_INTERFACE_H
#define HOMEPORT_CORE_INTERFACE_H

#include "core/address.h"

enum { INTERFACE_NAME_SIZE = 16 /* IFNAMSIZ */ };

enum interface_address_flag {
    ADDRESS_TEMPORARY = 1,  /* IPv6 privacy address */
    ADDRESS_DEPRECATED = 2,
    ADDRESS_TENTATIVE = 4   /* duplicate address detection is not through, or failed */
};

struct interface_address {
    char interface[INTERFACE_NAME_SIZE];
    struct ip_address address;
    uint8_t prefix_bits;
    uint8_t flags; /* enum interface_address_flag */
};

#endif
