/* Where a server is, as people write it: "host:port" in its forms, and the http:// and https:// addresses of
 * settings such as endpoints.
 *
 * All that is given back are parts of the text that came in: nothing is copied, and they live as long as it does. */
#ifndef HOMEPORT_CORE_URL_H
#define HOMEPORT_CORE_URL_H

#include "core/text.h"

struct host_port {
    struct text host; /* without brackets; whether it is a name or an address, or empty, is the caller's to see */
    bool is_bracketed;
    bool has_port;
    uint16_t port; /* 0 to 65535; 0 also without one */
};

/* "host", "host:port", "[v6]", "[v6]:port", and a bare "v6", whose colons cannot be told from a port's: it has none.
 * False when a bracket is not closed, or something other than a port follows; *out is then not to be used. */
bool host_port_read(struct text t, struct host_port *out);

/* Without the slashes at its end, so that a path that begins with one can be put behind it. */
struct text url_base(struct text url);
/* Host and port, as they stand there. A text without a scheme begins with its host. */
struct text url_authority(struct text url);
/* The same as HTTP clients write them into Host (RFC 9110, 7.2), and as requests are signed: the port only when it is
 * not the scheme's own. */
struct text url_host_field(struct text url);

#endif
