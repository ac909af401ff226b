#include "notify/channel.h"

enum { SAID_BYTES_MAX = 200 };

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
