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

struct text channel_said(struct arena *arena, struct text t)
{
    t = text_trim(t);
    size_t bytes = t.bytes < SAID_BYTES_MAX ? t.bytes : SAID_BYTES_MAX;
    while (bytes < t.bytes && bytes > 0 && ((unsigned char)t.data[bytes] & 0xc0) == 0x80) bytes--;
    struct text cut = {t.data, bytes};
    char *out = arena_alloc(arena, bytes + 1);
    if (out == NULL) return TEXT_NONE;
    bool is_utf8 = text_is_clean_utf8(cut);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)cut.data[i];
        out[i] = c < ' ' || c == 0x7f || (c >= 0x80 && !is_utf8) ? '?' : cut.data[i];
    }
    return (struct text){out, bytes};
}

static bool has_within(struct text said, struct text secret)
{
    return secret.bytes >= SECRET_BYTES_MIN &&
           memmem(said.data, said.bytes, secret.data, secret.bytes) != NULL;
}

static bool has_in_base64(struct arena *arena, struct text said, struct text secret)
{
    size_t size = sodium_base64_ENCODED_LEN(secret.bytes, sodium_base64_VARIANT_ORIGINAL);
    char *coded = arena_alloc(arena, size);
    if (coded == NULL) return true;
    sodium_bin2base64(coded, size, (const uint8_t *)secret.data, secret.bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    return has_within(said, text_of(coded));
}

/* AUTH sends the password in Base64, alone or behind zero, name, zero (RFC 4616), and servers repeat lines they dislike. */
static bool has_password(const struct letter_job *job, struct text said)
{
    struct text user = job->config->smtp_user, password = job->config->smtp_password;
    if (password.bytes == 0) return false;
    struct text plain =
        arena_print(job->arena, "%c%.*s%c%.*s", 0, TEXT_ARGS(user), 0, TEXT_ARGS(password));
    return has_within(said, password) || has_in_base64(job->arena, said, password) ||
           has_in_base64(job->arena, said, plain);
}

/* Filters that refuse a mail like to quote what they disliked, and that may be the link. */
static bool repeats_secret(const struct letter_job *job, struct text said)
{
    static const char mark[] = "token=";
    const char *at =
        job->link.bytes > 0 ? memmem(job->link.data, job->link.bytes, mark, sizeof mark - 1) : NULL;
    struct text token = TEXT_NONE;
    if (at != NULL)
        token = (struct text){at + sizeof mark - 1,
                              job->link.bytes - (size_t)(at - job->link.data) - (sizeof mark - 1)};
    return has_password(job, said) || has_within(said, job->config->directmail_access_key_secret) ||
           has_within(said, job->config->sms_access_key_secret) || has_within(said, job->code) ||
           has_within(said, token);
}

void channel_judge(const struct channel *channel, const struct letter_job *job,
                   const struct outside_answer *answer, struct letter_verdict *verdict)
{
    channel->judge(job, answer, verdict);
    if (verdict->detail.bytes == 0 || !repeats_secret(job, verdict->detail)) return;
    verdict->detail =
        arena_print(job->arena, "%.*s gave a reason that repeats a secret, so it is not shown.",
                    TEXT_ARGS(channel->name));
}
