/* Checks of the ddns family's fields, and of bodies as a whole: see schema/checks.def and wholes.def. */
#include <yyjson.h>

#include "core/address.h"
#include "core/json.h"
#include "ddns/ddns.h"
#include "ddns/dns_name.h"

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

static bool is_among(struct text lines, struct text line)
{
    while (lines.data != NULL) {
        if (text_equal(text_cut(&lines, '\n'), line)) return true;
    }
    return false;
}

bool check_urls(struct text value, struct text *reason)
{
    *reason = TEXT(
        "must be http:// or https:// addresses with a host and without user name, at most 8, each "
        "once");
    while (value.data != NULL) {
        struct text url = text_cut(&value, '\n');
        size_t scheme = text_starts(url, TEXT("https://"))  ? 8
                        : text_starts(url, TEXT("http://")) ? 7
                                                            : 0;
        bool has_host = url.bytes > scheme && strchr("/:?#", url.data[scheme]) == NULL;
        if (scheme == 0 || !has_host || memchr(url.data, '@', url.bytes) != NULL) return false;
        if (is_among(value, url)) return false; /* one service has one vote */
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

/* ---- a domain: credentials by its provider -------------------------------------------------------- */

static const struct provider_field *field_named(const struct provider *provider, struct text name)
{
    for (unsigned i = 0; i < provider->field_count; i++) {
        if (text_equal(provider->fields[i].name, name)) return &provider->fields[i];
    }
    return NULL;
}

static void bad_member(struct field_errors *errors, struct text name, struct text reason)
{
    if (name.bytes > 64) name.bytes = 64;
    field_errors_add(errors, arena_print(errors->arena, "credentials.%.*s", TEXT_ARGS(name)),
                     reason);
}

static void check_members(const struct provider *provider, yyjson_val *object,
                          struct field_errors *errors)
{
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, index, count, key, value)
    {
        struct text name = {yyjson_get_str(key), yyjson_get_len(key)};
        const struct provider_field *field = field_named(provider, name);
        if (field == NULL) {
            bad_member(errors, name, TEXT("is not a field of this provider"));
        } else if (text_equal(field->format, TEXT("map")) ? !yyjson_is_obj(value)
                                                          : !yyjson_is_str(value)) {
            bad_member(errors, name,
                       text_equal(field->format, TEXT("map")) ? TEXT("must be an object")
                                                              : TEXT("must be a string"));
        } else if (field->is_required && yyjson_is_str(value) && yyjson_get_len(value) == 0) {
            bad_member(errors, name, TEXT("must not be empty"));
        }
    }
    for (unsigned i = 0; i < provider->field_count; i++) {
        const struct provider_field *field = &provider->fields[i];
        if (!field->is_required ||
            yyjson_obj_getn(object, field->name.data, field->name.bytes) != NULL)
            continue;
        bad_member(errors, field->name, TEXT("is missing"));
    }
}

void credentials_check(struct text provider_name, struct text credentials,
                       struct field_errors *errors)
{
    const struct provider *provider = provider_find(provider_name);
    struct text field = TEXT_NONE, reason = TEXT_NONE;
    unsigned before = errors->count;
    if (provider == NULL) return; /* refused for that */
    yyjson_doc *doc = yyjson_read(credentials.data, credentials.bytes, 0);
    if (doc == NULL) return;
    check_members(provider, yyjson_doc_get_root(doc), errors);
    yyjson_doc_free(doc);
    if (errors->count > before || provider->check == NULL) return;
    if (!provider->check(credentials, &field, &reason)) bad_member(errors, field, reason);
}

void check_whole_domain(const struct domain *in, const struct field_errors *known,
                        struct field_errors *more)
{
    if (!field_errors_have(known, TEXT("credentials")))
        credentials_check(in->provider, in->credentials, more);
}

/* ---- a record: its value by its type --------------------------------------------------------------- */

void check_whole_dns_record(const struct dns_record *in, const struct field_errors *known,
                            struct field_errors *more)
{
    struct text reason = TEXT_NONE;
    bool is_wanting =
        in->value.bytes == 0 && !in->dynamic && !field_errors_have(known, TEXT("dynamic"));
    if (is_wanting) {
        field_errors_add(more, TEXT("value"), TEXT("is missing"));
    } else if (in->value.bytes > 0 && in->type != 0 &&
               !rdata_check((enum dns_type)in->type, in->value, &reason)) {
        field_errors_add(more, TEXT("value"), reason);
    }
}
