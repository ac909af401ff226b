#include "notify/channel.h"

#include <sodium.h>

enum { SAID_BYTES_MAX = 200, SECRET_BYTES_MIN = 6 };

const struct channel *channel_of(const struct config *config, enum letter_channel kind)
{
    if (kind == letter_channel_sms) return channel_sms.is_set_up(config) ? &channel_sms : NULL;
    bool has_smtp = channel_smtp.is_set_up(config),
         has_directmail = channel_directmail.is_set_up(config);
    if (text_equal(config->notify_mail, TEXT("directmail")))
        return has_directmail ? &channel_directmail : NULL;
    if (text_equal(config->notify_mail, TEXT("smtp"))) return has_smtp ? &channel_smtp : NULL;
    return has_smtp ? &channel_smtp : has_directmail ? &channel_directmail : NULL;
}

/* The same text with *** wherever the secret stands. */
static struct text without(struct arena *arena, struct text said, struct text secret)
{
    if (secret.bytes < SECRET_BYTES_MIN) return said;
    const char *at;
    struct text out = TEXT_NONE;
    while ((at = memmem(said.data, said.bytes, secret.data, secret.bytes)) != NULL) {
        size_t before = (size_t)(at - said.data);
        out = arena_print(arena, "%.*s%.*s***", TEXT_ARGS(out), (int)before, said.data);
        said = (struct text){at + secret.bytes, said.bytes - before - secret.bytes};
    }
    return out.bytes == 0 ? said : arena_print(arena, "%.*s%.*s", TEXT_ARGS(out), TEXT_ARGS(said));
}

static struct text in_base64(struct arena *arena, struct text secret)
{
    size_t size = sodium_base64_ENCODED_LEN(secret.bytes, sodium_base64_VARIANT_ORIGINAL);
    char *coded = arena_alloc(arena, size);
    if (coded == NULL) return TEXT_NONE;
    sodium_bin2base64(coded, size, (const uint8_t *)secret.data, secret.bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    return text_of(coded);
}

static struct text token_of(struct text link)
{
    static const char mark[] = "token=";
    const size_t mark_bytes = sizeof mark - 1;
    const char *at = link.bytes > 0 ? memmem(link.data, link.bytes, mark, mark_bytes) : NULL;
    if (at == NULL) return TEXT_NONE;
    return (struct text){at + mark_bytes, link.bytes - (size_t)(at - link.data) - mark_bytes};
}

/* Servers repeat the line that they dislike, filters quote the mail, and Alibaba what it has the signature of, code and
 * all. AUTH sends the password in Base64, alone or behind zero, name, zero (RFC 4616). */
static struct text without_secrets(const struct letter_job *job, struct text said)
{
    const struct config *config = job->config;
    struct text password = config->smtp_password;
    struct text plain = arena_print(job->arena, "%c%.*s%c%.*s", 0, TEXT_ARGS(config->smtp_user), 0,
                                    TEXT_ARGS(password));
    bool has_password = password.bytes > 0;
    const struct text secrets[] = {
        has_password ? in_base64(job->arena, plain) : TEXT_NONE,
        has_password ? in_base64(job->arena, password) : TEXT_NONE,
        password,
        config->directmail_access_key_secret,
        config->sms_access_key_secret,
        token_of(job->link),
        job->code,
    };
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        said = without(job->arena, said, secrets[i]);
    }
    return said;
}

struct text channel_said(const struct letter_job *job, struct text t)
{
    t = without_secrets(job, text_trim(t)); /* before the cut, which may go through one */
    t = utf8_front(t, SAID_BYTES_MAX);
    char *out = arena_alloc(job->arena, t.bytes + 1);
    if (out == NULL) return TEXT_NONE;
    bool is_utf8 = text_is_clean_utf8(t);
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        out[i] = c < ' ' || c == 0x7f || (c >= 0x80 && !is_utf8) ? '?' : t.data[i];
    }
    return (struct text){out, t.bytes};
}

void channel_judge(const struct channel *channel, const struct letter_job *job,
                   const struct outside_answer *answer, struct letter_verdict *verdict)
{
    channel->judge(job, answer, verdict);
    verdict->detail = without_secrets(job, verdict->detail);
}
