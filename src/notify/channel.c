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

/* Each place where the secret stands becomes three stars. */
static struct text masked(struct arena *arena, struct text said, struct text secret)
{
    struct text out = TEXT("");
    if (secret.bytes < SECRET_BYTES_MIN) return said;
    for (const char *at; said.bytes > 0;) {
        at = memmem(said.data, said.bytes, secret.data, secret.bytes);
        size_t before = at == NULL ? said.bytes : (size_t)(at - said.data);
        out = arena_print(arena, "%.*s%.*s%s", TEXT_ARGS(out), (int)before, said.data,
                          at == NULL ? "" : "***");
        if (at == NULL) break;
        said = (struct text){at + secret.bytes, said.bytes - before - secret.bytes};
    }
    return out;
}

static struct text masked_in_base64(struct arena *arena, struct text said, struct text secret)
{
    size_t size = sodium_base64_ENCODED_LEN(secret.bytes, sodium_base64_VARIANT_ORIGINAL);
    char *coded = arena_alloc(arena, size);
    if (coded == NULL || secret.bytes == 0) return said;
    sodium_bin2base64(coded, size, (const uint8_t *)secret.data, secret.bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    return masked(arena, said, text_of(coded));
}

/* AUTH sends the password in Base64, alone or behind zero, name, zero (RFC 4616), and servers repeat lines they
 * dislike. */
static struct text without_password(const struct letter_job *job, struct text said)
{
    struct text user = job->config->smtp_user, password = job->config->smtp_password;
    if (password.bytes == 0) return said;
    struct text plain =
        arena_print(job->arena, "%c%.*s%c%.*s", 0, TEXT_ARGS(user), 0, TEXT_ARGS(password));
    said = masked(job->arena, said, password);
    said = masked_in_base64(job->arena, said, password);
    return masked_in_base64(job->arena, said, plain);
}

/* Filters that refuse a mail like to quote what they disliked, and that may be the link. */
static struct text token_of(struct text link)
{
    static const char mark[] = "token=";
    const char *at = link.bytes > 0 ? memmem(link.data, link.bytes, mark, sizeof mark - 1) : NULL;
    if (at == NULL) return TEXT_NONE;
    size_t before = (size_t)(at - link.data) + sizeof mark - 1;
    return (struct text){link.data + before, link.bytes - before};
}

void channel_judge(const struct channel *channel, const struct letter_job *job,
                   const struct outside_answer *answer, struct letter_verdict *verdict)
{
    channel->judge(job, answer, verdict);
    struct text said = verdict->detail;
    if (said.bytes == 0) return;
    said = without_password(job, said);
    said = masked(job->arena, said, job->config->directmail_access_key_secret);
    said = masked(job->arena, said, job->config->sms_access_key_secret);
    said = masked(job->arena, said, job->code);
    verdict->detail = masked(job->arena, said, token_of(job->link));
}
