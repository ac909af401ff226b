#include "core/config_form.h"

#include <stdio.h>

#include "core/address.h"
#include "core/record.h"
#include "core/url.h"

static bool is_listen_address(struct text t)
{
    struct host_port at;
    struct ip_address address;
    return host_port_read(t, &at) && at.has_port && ip_parse(at.host, &address) &&
           address.family == (at.is_bracketed ? 6 : 4);
}

static bool takes_prefix(struct text *t, struct text prefix)
{
    if (!text_starts(*t, prefix)) return false;
    t->data += prefix.bytes;
    t->bytes -= prefix.bytes;
    return true;
}

static bool is_url_of(struct text t, bool may_have_path)
{
    if (!takes_prefix(&t, TEXT("http://")) && !takes_prefix(&t, TEXT("https://"))) return false;
    if (t.bytes == 0 || t.data[0] == '/' || t.data[0] == ':') return false;
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#@?", c) != NULL) return false;
        if (c == '/' && !may_have_path) return false;
    }
    return true;
}

static bool is_base_url(struct text t)
{
    return t.bytes == 0 || is_url_of(t, true);
}

static bool is_origin(struct text t)
{
    return text_equal(t, TEXT("*")) || is_url_of(t, false);
}

static bool is_host_name(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        char c = ascii_lower(t.data[i]);
        bool is_letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_letter_or_digit && c != '.' && c != '-' && c != '_') return false;
    }
    return t.bytes > 0 && t.bytes <= 253 && t.data[0] != '.' && t.data[0] != '-';
}

/* Goes into a header field, between separators. */
static bool is_key_id(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c <= ' ' || c >= 0x7f || c == ',' || c == '/' || c == '=') return false;
    }
    return true;
}

/* smtp://host:587 or smtps://host:465: a host and perhaps a port, nothing more. User and password are settings of
 * their own. */
static bool is_mail_url(struct text t)
{
    if (t.bytes == 0) return true;
    if (!takes_prefix(&t, TEXT("smtp://")) && !takes_prefix(&t, TEXT("smtps://"))) return false;
    struct host_port at;
    struct ip_address ip;
    if (!host_port_read(t, &at) || (at.has_port && at.port == 0)) return false;
    return at.is_bracketed ? ip_parse(at.host, &ip) && ip.family == 6 : is_host_name(at.host);
}

static bool is_bare_address(struct text t)
{
    struct text domain = t;
    struct text local = text_cut(&domain, '@');
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("<>()[]\\,;:\"@", c) != NULL) {
            if (c != '@' || t.data + i != local.data + local.bytes) return false;
        }
    }
    return local.bytes > 0 && is_host_name(domain);
}

/* a@b.c, or Name <a@b.c> */
static bool is_sender(struct text t)
{
    if (t.bytes == 0) return true;
    if (t.data[t.bytes - 1] != '>') return is_bare_address(t);
    struct text address = {t.data, t.bytes - 1};
    text_cut(&address, '<');
    return address.data != NULL && is_bare_address(address);
}

static bool is_mail_way(struct text t)
{
    return t.bytes == 0 || text_equal(t, TEXT("smtp")) || text_equal(t, TEXT("directmail"));
}

static bool is_language(struct text t)
{
    return text_equal(t, TEXT("en")) || text_equal(t, TEXT("zh"));
}

/* Of a cloud's access key: goes into header fields, and is pasted with line ends and blanks at times. */
static bool is_printable_word(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c <= ' ' || c >= 0x7f) return false;
    }
    return true;
}

static bool is_log_level(struct text t)
{
    static const struct text levels[] = {TEXT_INIT("debug"), TEXT_INIT("info"), TEXT_INIT("warning"),
                                         TEXT_INIT("error")};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (text_equal(t, levels[i])) return true;
    }
    return false;
}

static bool is_role(struct text t)
{
    return choice_number(&role_choice, t) != 0;
}

static const struct form {
    enum setting setting;
    bool (*fits)(struct text t);
    const char *allowed;
} forms[] = {
    {SETTING_http_listen, is_listen_address,
     "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"},
    {SETTING_http_hosts, is_host_name,
     "must be host names without scheme and port, with commas between"},
    {SETTING_http_cors_origins, is_origin,
     "must be origins such as https://app.example.com, with commas between"},
    {SETTING_ddns_alidns_endpoint, is_base_url,
     "must be an http:// or https:// address"},
    {SETTING_ddns_cloudflare_endpoint, is_base_url,
     "must be an http:// or https:// address"},
    {SETTING_auth_mfa_required_roles, is_role,
     "must be roles with commas between: user, operator, admin, super_admin"},
    {SETTING_captcha_secret_id, is_key_id, "must be a key id without blanks"},
    {SETTING_captcha_endpoint, is_base_url, "must be an http:// or https:// address"},
    {SETTING_notify_mail, is_mail_way, "must be smtp or directmail"},
    {SETTING_notify_language, is_language, "must be en or zh"},
    {SETTING_notify_public_url, is_base_url, "must be an http:// or https:// address"},
    {SETTING_smtp_url, is_mail_url,
     "must be smtp://host:587 or smtps://host:465, without user or password"},
    {SETTING_smtp_from, is_sender,
     "must be a mail address, or a name and a mail address: homeport <homeport@example.com>"},
    {SETTING_directmail_access_key_id, is_printable_word, "must be printable ASCII without blanks"},
    {SETTING_directmail_access_key_secret, is_printable_word, "must be printable ASCII without blanks"},
    {SETTING_directmail_endpoint, is_base_url, "must be an http:// or https:// address"},
    {SETTING_sms_access_key_id, is_printable_word, "must be printable ASCII without blanks"},
    {SETTING_sms_access_key_secret, is_printable_word, "must be printable ASCII without blanks"},
    {SETTING_sms_endpoint, is_base_url, "must be an http:// or https:// address"},
    {SETTING_log_level, is_log_level, "must be debug, info, warning or error"},
};

bool config_form_fits(enum setting setting, struct text value, const char **allowed)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].setting != setting || forms[i].fits(value)) continue;
        *allowed = forms[i].allowed;
        return false;
    }
    return true;
}

/* Settings that mean nothing without each other. */
struct set_part {
    const char *key;
    bool is_set;
};

static bool is_whole(const struct set_part *parts, size_t count, struct config_error *error)
{
    const char *missing = NULL, *given = NULL;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].is_set && given == NULL) given = parts[i].key;
        if (!parts[i].is_set && missing == NULL) missing = parts[i].key;
    }
    if (missing == NULL || given == NULL) return true;
    int n = snprintf(error->text, sizeof error->text,
                     "%s is missing, though %s is set; they belong together:", missing, given);
    for (size_t i = 0; i < count && n > 0 && (size_t)n < sizeof error->text; i++) {
        n += snprintf(error->text + n, sizeof error->text - (size_t)n, " %s", parts[i].key);
    }
    return false;
}

bool config_form_is_whole(const struct config *config, struct config_error *error)
{
    const struct set_part captcha[] = {
        {"captcha.secret_id", config->captcha_secret_id.bytes > 0},
        {"captcha.secret_key", config->captcha_secret_key.bytes > 0},
        {"captcha.app_id", config->captcha_app_id > 0},
        {"captcha.app_secret", config->captcha_app_secret.bytes > 0},
    };
    const struct set_part smtp[] = {
        {"smtp.url", config->smtp_url.bytes > 0},
        {"smtp.from", config->smtp_from.bytes > 0},
    };
    const struct set_part directmail[] = {
        {"directmail.access_key_id", config->directmail_access_key_id.bytes > 0},
        {"directmail.access_key_secret", config->directmail_access_key_secret.bytes > 0},
        {"directmail.account_name", config->directmail_account_name.bytes > 0},
    };
    const struct set_part sms[] = {
        {"sms.access_key_id", config->sms_access_key_id.bytes > 0},
        {"sms.access_key_secret", config->sms_access_key_secret.bytes > 0},
        {"sms.sign_name", config->sms_sign_name.bytes > 0},
        {"sms.template_code", config->sms_template_code.bytes > 0},
    };
#define WHOLE(parts) is_whole(parts, sizeof parts / sizeof *parts, error)
    return WHOLE(captcha) && WHOLE(smtp) && WHOLE(directmail) && WHOLE(sms);
#undef WHOLE
}
