#include "core/url.h"

bool host_port_read(struct text t, struct host_port *out)
{
    struct text rest = t;
    uint64_t port = 0;
    *out = (struct host_port){.is_bracketed = text_starts(t, TEXT("["))};
    if (out->is_bracketed) {
        rest = (struct text){t.data + 1, t.bytes - 1};
        out->host = text_cut(&rest, ']');
        if (rest.data == NULL) return false;
        if (rest.bytes == 0) return true;
        if (text_cut(&rest, ':').bytes > 0) return false;
    } else {
        out->host = text_cut(&rest, ':');
        if (rest.bytes > 0 && memchr(rest.data, ':', rest.bytes) != NULL) {
            out->host = t;
            return true;
        }
    }
    out->has_port = rest.data != NULL;
    if (out->has_port && !text_to_u64(rest, UINT16_MAX, &port)) return false;
    out->port = (uint16_t)port;
    return true;
}

struct text url_base(struct text url)
{
    while (url.bytes > 0 && url.data[url.bytes - 1] == '/') url.bytes--;
    return url;
}

struct text url_authority(struct text url)
{
    if (text_starts(url, TEXT("https://"))) {
        url = (struct text){url.data + 8, url.bytes - 8};
    } else if (text_starts(url, TEXT("http://"))) {
        url = (struct text){url.data + 7, url.bytes - 7};
    }
    return text_cut(&url, '/');
}

struct text url_host_field(struct text url)
{
    struct text host = url_authority(url);
    struct text port = text_starts(url, TEXT("http://")) ? TEXT(":80") : TEXT(":443");
    if (text_ends_fold(host, port)) host.bytes -= port.bytes;
    return host;
}
