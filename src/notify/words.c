#include "notify/words.h"

enum { LANGUAGE_en, LANGUAGE_zh, LANGUAGES };

/* Of a template: the subject (its %.*s is the site's name), what the letter is about, and what to do when one
 * did not ask for it. */
static const struct template_words {
    const char *subject, *about, *otherwise;
} templates[][LANGUAGES] = {
    [letter_template_mail_verify] =
        {{"%.*s: confirm your mail address", "Please confirm that this mail address is yours.",
          "If you did not ask for this, ignore this mail: nothing will change."},
         {"%.*s：请确认您的邮箱", "请确认这个邮箱地址属于您。",
          "如果这不是您本人的操作，请忽略此邮件，一切都不会改变。"}},
    [letter_template_password_reset] =
        {{"%.*s: choose a new password",
          "Somebody, hopefully you, wants to choose a new password for your account.",
          "If it was not you, ignore this mail: your password stays as it is."},
         {"%.*s：重置密码", "有人（希望是您本人）请求为您的账户设置新密码。",
          "如果不是您本人，请忽略此邮件，您的密码不会改变。"}},
    [letter_template_sms_code] =
        {{"%.*s: your code", "Here is the code you asked for.",
          "If you did not ask for it, ignore this mail and tell nobody the code."},
         {"%.*s：您的验证码", "这是您请求的验证码。",
          "如果这不是您本人的操作，请忽略此邮件，不要将验证码告诉任何人。"}},
    [letter_template_mail_moved] =
        {{"%.*s: your mail address was changed",
          "The mail address of your account was changed: its mail, also links for a new password, goes to another "
          "address from now on.",
          "If it was not you, change your password while you can sign in, and tell whoever runs this homeport."},
         {"%.*s：您的邮箱地址已更改",
          "您账户的邮箱地址已被更改，今后的邮件（包括重置密码的链接）将发送到另一个地址。",
          "如果这不是您本人的操作，请趁仍能登录时立即修改密码，并联系此 homeport 的管理者。"}},
    [letter_template_test] =
        {{"%.*s: a test letter", "This letter shows that mail can be sent with these settings.",
          "Somebody with access to this homeport has sent it; there is nothing to do."},
         {"%.*s：测试邮件", "收到这封邮件，说明邮件设置可以正常使用。",
          "这是由此 homeport 的管理者发出的，无需任何操作。"}},
};

static const struct {
    const char *hello, *code, *link, *minutes, *hours, *sign;
} common[LANGUAGES] = {
    {"Hello,", "Code: %.*s", "Open this page:\n%.*s", "It is good for %llu minutes, once.",
     "It is good for %llu hours, once.",
     "%.*s (this mail was sent by a program; nobody reads answers)"},
    {"您好：", "验证码：%.*s", "请打开此页面：\n%.*s", "%llu 分钟内有效，只能使用一次。",
     "%llu 小时内有效，只能使用一次。", "%.*s（本邮件由程序自动发送，请勿回复）"},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats are the tables' above */

static struct text with_text(struct arena *arena, const char *format, struct text t)
{
    return arena_print(arena, format, TEXT_ARGS(t));
}

static struct text with_number(struct arena *arena, const char *format, uint64_t number)
{
    return arena_print(arena, format, (unsigned long long)number);
}

#pragma GCC diagnostic pop

static void add(struct arena *arena, struct text *body, struct text paragraph)
{
    if (paragraph.bytes == 0) return;
    *body = arena_print(arena, "%.*s%s%.*s\n", TEXT_ARGS(*body), body->bytes > 0 ? "\n" : "",
                        TEXT_ARGS(paragraph));
}

static struct text validity(const struct letter_job *job, unsigned language)
{
    uint64_t minutes = job->letter.minutes;
    if (job->code.bytes == 0 && job->link.bytes == 0) return TEXT_NONE;
    if (minutes >= 120 && minutes % 60 == 0)
        return with_number(job->arena, common[language].hours, minutes / 60);
    return with_number(job->arena, common[language].minutes, minutes);
}

struct letter_words letter_words(const struct letter_job *job)
{
    struct arena *arena = job->arena;
    struct text body = TEXT(""), site = job->config->notify_site_name;
    unsigned language = text_equal(job->letter.language, TEXT("zh")) ? LANGUAGE_zh : LANGUAGE_en;
    const struct template_words *words = &templates[job->letter.template][language];
    add(arena, &body, text_of(common[language].hello));
    add(arena, &body, text_of(words->about));
    if (job->code.bytes > 0) add(arena, &body, with_text(arena, common[language].code, job->code));
    if (job->link.bytes > 0) add(arena, &body, with_text(arena, common[language].link, job->link));
    add(arena, &body, validity(job, language));
    add(arena, &body, text_of(words->otherwise));
    add(arena, &body, with_text(arena, common[language].sign, site));
    return (struct letter_words){.subject = with_text(arena, words->subject, site), .body = body};
}
