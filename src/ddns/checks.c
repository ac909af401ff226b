/* Checks of the ddns family's fields: see schema/checks.def. */
#include "core/address.h"
#include "core/record.h"
#include "ddns/dns_name.h"
#include "ddns/provider.h"

#define CHECKER(name, where, pattern) bool check_##name(struct text value, struct text *reason);
#include "checks.def"
#undef CHECKER

bool check_zone(struct text value, struct text *reason)
{
    return dns_name_check(value, reason);
}

bool check_owner(struct text value, struct text *reason)
{
    return dns_owner_check(value, reason);
}

bool check_provider(struct text value, struct text *reason)
{
    *reason = TEXT("must be one of GET /api/v1/ddns/providers");
    return provider_find(value) != NULL;
}

bool check_ipv6_suffix(struct text value, struct text *reason)
{
    return ip_suffix_check(value, reason);
}

bool check_urls(struct text value, struct text *reason)
{
    *reason = TEXT("must be http:// or https:// addresses without user name, at most 8");
    while (value.data != NULL) {
        struct text url = text_cut(&value, '\n');
        bool is_web = text_starts(url, TEXT("http://")) || text_starts(url, TEXT("https://"));
        if (!is_web || memchr(url.data, '@', url.bytes) != NULL) return false;
        for (size_t i = 0; i < url.bytes; i++) {
            if (url.data[i] <= ' ' || url.data[i] > '~') return false;
        }
    }
    return true;
}

bool check_interface(struct text value, struct text *reason)
{
    *reason = TEXT("must be the name of a network interface, such as eth0");
    for (size_t i = 0; i < value.bytes; i++) {
        if (value.data[i] <= ' ' || value.data[i] > '~' || value.data[i] == '/') return false;
    }
    return !text_equal(value, TEXT(".")) && !text_equal(value, TEXT(".."));
}
