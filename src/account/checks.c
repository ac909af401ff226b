#include "account/checks.h"

#include "account/bans.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool all_digits(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        if (!is_digit(t.data[i])) return false;
    }
    return true;
}

/* Never what a mail address (@), a phone number (+) or an id (digits) looks like, so that an account's
 * name says by itself which of them it is. ASCII alone: look-alike letters would make look-alike people. */
bool check_username(struct text value, struct text *reason)
{
    *reason = TEXT("may hold letters, digits, dot, dash and underscore, and not only digits");
    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.data[i];
        if (!is_letter(c) && !is_digit(c) && memchr(".-_", c, 3) == NULL) return false;
    }
    return !all_digits(value);
}

/* The part before the @: RFC 5322's dot-atom. */
static bool is_local_part(struct text local)
{
    if (local.bytes == 0 || local.bytes > 64) return false;
    while (local.data != NULL) {
        struct text atom = text_cut(&local, '.');
        if (atom.bytes == 0) return false;
        for (size_t i = 0; i < atom.bytes; i++) {
            char c = atom.data[i];
            if (c == '\0') return false;
            if (!is_letter(c) && !is_digit(c) && strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL) {
                return false;
            }
        }
    }
    return true;
}

static bool is_label(struct text label)
{
    if (label.bytes == 0 || label.bytes > 63) return false;
    if (label.data[0] == '-' || label.data[label.bytes - 1] == '-') return false;
    for (size_t i = 0; i < label.bytes; i++) {
        char c = label.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '-') return false;
    }
    return true;
}

static bool is_mail_domain(struct text domain)
{
    unsigned labels = 0;
    struct text last = TEXT_NONE;
    if (domain.bytes == 0 || domain.bytes > 253) return false;
    while (domain.data != NULL) {
        last = text_cut(&domain, '.');
        if (!is_label(last)) return false;
        labels++;
    }
    return labels >= 2 && !all_digits(last);
}

bool check_email(struct text value, struct text *reason)
{
    *reason = TEXT("must be a mail address such as name@example.com");
    struct text domain = value;
    struct text local = text_cut(&domain, '@');
    return domain.data != NULL && is_local_part(local) && is_mail_domain(domain);
}

/* E.164: at most 15 digits, the first of a country code is no zero. */
bool check_phone(struct text value, struct text *reason)
{
    *reason = TEXT("must be + and 7 to 15 digits, country code first");
    if (value.bytes < 8 || value.bytes > 16 || value.data[0] != '+') return false;
    struct text digits = {value.data + 1, value.bytes - 1};
    return digits.data[0] != '0' && all_digits(digits);
}

/* Names are shown in lists, logs and letters, a line each. */
bool check_line(struct text value, struct text *reason)
{
    *reason = TEXT("must be one line without tabs");
    return memchr(value.data, '\n', value.bytes) == NULL &&
           memchr(value.data, '\t', value.bytes) == NULL;
}

bool check_ban_ip(struct text value, struct text *reason)
{
    struct ip_address ip;
    *reason = TEXT("must be an address, or a network of 64 bits such as 2001:db8::/64");
    return ban_address(value, &ip);
}

/* As a mail domain, but with underscores; a name with one label would be a whole zone's top. */
static bool is_host(struct text host)
{
    unsigned labels = 0;
    struct text label = TEXT_NONE;
    if (host.bytes == 0 || host.bytes > 253) return false;
    while (host.data != NULL) {
        label = text_cut(&host, '.');
        if (label.bytes == 0 || label.bytes > 63) return false;
        if (label.data[0] == '-' || label.data[label.bytes - 1] == '-') return false;
        for (size_t i = 0; i < label.bytes; i++) {
            char c = label.data[i];
            if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_') return false;
        }
        labels++;
    }
    return labels >= 2 && !all_digits(label);
}

bool check_hosts(struct text value, struct text *reason)
{
    *reason = TEXT("must be full host names such as home.example.com, without a dot at the end");
    while (value.data != NULL) {
        if (!is_host(text_cut(&value, '\n'))) return false;
    }
    return true;
}

static const struct {
    struct text word;
    uint32_t rights;
} scopes[] = {
#define FAMILY(name) \
    {TEXT_INIT(#name ":read"), (uint32_t)1 << (2 + 2 * SCOPE_##name)}, \
    { \
        TEXT_INIT(#name ":write"), (uint32_t)3 << (2 + 2 * SCOPE_##name) \
    }
    {TEXT_INIT("read"), RIGHT_READ},
    {TEXT_INIT("write"), RIGHT_READ | RIGHT_WRITE},
    FAMILY(accounts),
    FAMILY(ddns),
    FAMILY(tasks),
#undef FAMILY
};
enum { SCOPES_COUNT = sizeof scopes / sizeof *scopes };

static uint32_t rights_of_scope(struct text word)
{
    for (unsigned i = 0; i < SCOPES_COUNT; i++) {
        if (text_equal(scopes[i].word, word)) return scopes[i].rights;
    }
    return 0;
}

bool check_scopes(struct text value, struct text *reason)
{
    *reason = TEXT("may hold read, write, accounts:read, accounts:write, ddns:read, ddns:write, "
                   "tasks:read and tasks:write");
    while (value.data != NULL) {
        if (rights_of_scope(text_cut(&value, '\n')) == 0) return false;
    }
    return true;
}

uint32_t scopes_to_rights(struct text lines)
{
    uint32_t rights = 0;
    while (lines.data != NULL) rights |= rights_of_scope(text_cut(&lines, '\n'));
    return rights;
}
