#include "core/config_name.h"

#include <assert.h>

#include "core/address.h"

static const struct text keys[SETTING_COUNT] = {
#define CONFIG(member, key, kind, initial, least, most, unit, sentence) TEXT_INIT(key),
#include "config.def"
#undef CONFIG
};

char config_name_letter(char c)
{
    if (c == '.') return '_';
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static bool is_name_of(struct text key, struct text name, bool is_variable)
{
    if (key.bytes != name.bytes) return false;
    for (size_t i = 0; i < key.bytes; i++) {
        if ((is_variable ? config_name_letter(key.data[i]) : key.data[i]) != name.data[i])
            return false;
    }
    return true;
}

enum setting config_name_find(struct text name, bool is_variable)
{
    unsigned i = 0;
    while (i < SETTING_COUNT && !is_name_of(keys[i], name, is_variable)) i++;
    return (enum setting)i;
}

/* Letters to be added, dropped or changed to come from one to the other; upper case and dots do not count. */
static unsigned distance(struct text key, struct text name)
{
    unsigned row[SETTING_KEY_BYTES_MAX + 1];
    assert(key.bytes <= SETTING_KEY_BYTES_MAX);
    for (unsigned i = 0; i <= key.bytes; i++) row[i] = i;
    for (size_t j = 0; j < name.bytes; j++) {
        unsigned corner = row[0];
        row[0]++;
        for (size_t i = 0; i < key.bytes; i++) {
            unsigned changed =
                corner + (config_name_letter(key.data[i]) != config_name_letter(name.data[j]));
            corner = row[i + 1];
            unsigned moved = 1 + (row[i] < corner ? row[i] : corner);
            row[i + 1] = changed < moved ? changed : moved;
        }
    }
    return row[key.bytes];
}

enum setting config_name_nearest(struct text name)
{
    unsigned nearest = SETTING_COUNT, least = 4; /* more than three slips are another word */
    for (unsigned i = 0; i < SETTING_COUNT && name.bytes <= SETTING_KEY_BYTES_MAX; i++) {
        unsigned slips = distance(keys[i], name);
        if (slips >= least || slips * 3 > name.bytes) continue;
        least = slips;
        nearest = i;
    }
    return (enum setting)nearest;
}

bool config_name_is_path(struct text name, bool is_variable)
{
    if (name.bytes <= 5) return false;
    struct text end = {name.data + name.bytes - 5, 5};
    return text_equal(end, TEXT("_FILE")) || (!is_variable && text_equal(end, TEXT("_file")));
}

bool config_name_may_be_secret(struct text name)
{
    return text_ends_fold(name, TEXT("token")) || text_ends_fold(name, TEXT("secret")) ||
           text_ends_fold(name, TEXT("password")) || text_ends_fold(name, TEXT("key"));
}

/* ---- Kubernetes ----------------------------------------------------------------------------------- */

static bool is_port(struct text t)
{
    uint64_t port;
    return text_to_u64(t, 65535, &port);
}

static bool is_ip(struct text t)
{
    struct ip_address ip;
    return ip_parse(t, &ip);
}

static bool is_url(struct text t)
{
    return text_starts(t, TEXT("tcp://")) || text_starts(t, TEXT("udp://")) ||
           text_starts(t, TEXT("sctp://"));
}

/* What stands behind PORT_: a number, TCP or UDP or SCTP, and perhaps which part of the address it is. */
static bool is_of_port(struct text rest, struct text value)
{
    struct text number = text_cut(&rest, '_');
    struct text protocol = text_cut(&rest, '_');
    bool is_known = text_equal(protocol, TEXT("TCP")) || text_equal(protocol, TEXT("UDP")) ||
                    text_equal(protocol, TEXT("SCTP"));
    if (!is_port(number) || !is_known) return false;
    if (rest.data == NULL) return is_url(value);
    if (text_equal(rest, TEXT("PROTO"))) return text_equal_fold(value, protocol);
    if (text_equal(rest, TEXT("PORT"))) return is_port(value);
    return text_equal(rest, TEXT("ADDR")) && is_ip(value);
}

/* A name from one of its words on. */
static bool is_of_service(struct text rest, struct text value)
{
    if (text_equal(rest, TEXT("SERVICE_HOST"))) return is_ip(value);
    if (text_equal(rest, TEXT("SERVICE_PORT"))) return is_port(value);
    if (text_starts(rest, TEXT("SERVICE_PORT_")) && rest.bytes > 13) return is_port(value);
    if (text_equal(rest, TEXT("PORT"))) return is_url(value);
    if (!text_starts(rest, TEXT("PORT_"))) return false;
    return is_of_port((struct text){rest.data + 5, rest.bytes - 5}, value);
}

/* The service may be called homeport, or homeport-web: then words stand in front. */
bool config_name_is_of_kubernetes(struct text name, struct text value)
{
    while (name.bytes > 0) {
        if (is_of_service(name, value)) return true;
        text_cut(&name, '_');
    }
    return false;
}
