/* Mail by SMTP: the message is ours, the conversation is the edge's (edge/fetch_mail.c), and what became of it is
 * told by the server's reply code. */
#include "notify/channel.h"
#include "notify/mime.h"
#include "notify/words.h"

enum { REPLY_BYTES_MAX = 1024 };

static bool smtp_is_set_up(const struct config *config)
{
    return config->smtp_url.bytes > 0 && config->smtp_from.bytes > 0;
}

static void smtp_write(const struct letter_job *job, struct outside_call *call)
{
    const struct config *config = job->config;
    struct letter_words words = letter_words(job);
    struct mime_letter letter = {.to = job->letter.recipient,
                                 .message_id = job->letter.message_id,
                                 .subject = words.subject,
                                 .body = words.body,
                                 .date_ms = job->now_ms};
    mime_address(config->smtp_from, &letter.from_name,
                 &letter.from); /* looked at by config_form.c */
    *call = (struct outside_call){
        .is_mail = true,
        .url = config->smtp_url,
        .user = config->smtp_user,
        .password = config->smtp_password,
        .sender = letter.from,
        .recipient = letter.to,
        .is_plain = !config->smtp_starttls && text_starts(config->smtp_url, TEXT("smtp://")),
        .body = mime_write(job->arena, &letter),
        .timeout_ms = config->notify_timeout * 1000,
        .answer_max = REPLY_BYTES_MAX,
    };
}

/* Temporary and lasting refusals look alike to curl; the reply code tells them apart. */
static enum call_class class_of_reply(uint64_t code)
{
    if (code >= 400 && code < 500) return CLASS_RETRY;
    switch (code) {
    case 530: /* authentication required */
    case 534: /* a stronger mechanism wanted */
    case 535: /* user or password wrong */
    case 538: return CLASS_AUTH;
    default: return CLASS_FATAL;
    }
}

static void smtp_judge(const struct letter_job *job, const struct outside_answer *answer,
                       struct letter_verdict *verdict)
{
    *verdict =
        (struct letter_verdict){.class = CLASS_OK, .detail = answer->error, .retry_after_ms = -1};
    if (answer->may_have_arrived) {
        verdict->is_unknown = true;
    } else if (answer->fault == FAULT_NONE) {
        verdict->detail = channel_said(job, answer->body);
    } else if (answer->status >= 400) {
        verdict->class = class_of_reply(answer->status);
    } else {
        verdict->class =
            call_class_of(&(struct http_result){.fault = (enum call_fault)answer->fault});
    }
    if (verdict->class != CLASS_AUTH) return;
    verdict->detail = arena_print(job->arena, "%.*s Check smtp.user and smtp.password.",
                                  TEXT_ARGS(answer->error));
}

const struct channel channel_smtp = {
    .name = TEXT_INIT("the mail server"),
    .is_set_up = smtp_is_set_up,
    .write = smtp_write,
    .judge = smtp_judge,
};
