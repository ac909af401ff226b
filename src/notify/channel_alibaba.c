/* Mail by Alibaba DirectMail and SMS by Alibaba Cloud. Neither takes a client token: what may have been taken is
 * not sent again. */
#include "cloud/cloud_json.h"
#include "core/url.h"
#include "notify/alibaba.h"
#include "notify/words.h"

enum { SUBJECT_LETTERS_MAX = 100 };

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* ---- DirectMail ----------------------------------------------------------------------------------- */

static bool directmail_is_set_up(const struct config *config)
{
    return config->directmail_access_key_id.bytes > 0 &&
           config->directmail_access_key_secret.bytes > 0 &&
           config->directmail_account_name.bytes > 0 && config->directmail_endpoint.bytes > 0;
}

/* So many letters of UTF-8, not bytes. */
static struct text letters_cut(struct text t, unsigned most)
{
    unsigned count = 0;
    for (size_t i = 0; i < t.bytes; i++) {
        bool is_begin = ((unsigned char)t.data[i] & 0xc0) != 0x80;
        if (is_begin && count++ == most) return (struct text){t.data, i};
    }
    return t;
}

static void directmail_write(const struct letter_job *job, struct outside_call *call)
{
    const struct config *config = job->config;
    struct letter_words words = letter_words(job);
    struct signer_field form[] = {
        {TEXT("AccountName"), config->directmail_account_name},
        {TEXT("AddressType"), TEXT("1")},
        {TEXT("ReplyToAddress"), TEXT("false")},
        {TEXT("ToAddress"), job->letter.recipient},
        {TEXT("Subject"), letters_cut(words.subject, SUBJECT_LETTERS_MAX)},
        {TEXT("TextBody"), words.body},
        {TEXT("FromAlias"), config->directmail_from_alias},
    };
    bool has_alias = config->directmail_from_alias.bytes > 0;
    alibaba_write(job,
                  &(struct alibaba_operation){.endpoint = url_base(config->directmail_endpoint),
                                              .action = "SingleSendMail",
                                              .version = "2015-11-23",
                                              .key_id = config->directmail_access_key_id,
                                              .secret = config->directmail_access_key_secret,
                                              .form = form,
                                              .form_count = COUNT(form) - (has_alias ? 0 : 1)},
                  call);
}

static const struct alibaba_code directmail_codes[] = {
    {"InvalidMailAddress.*", CLASS_FATAL, "directmail.account_name is no sender of this account"},
    {"InvalidMailAddressDomain.*", CLASS_FATAL,
     "the sender's domain is not verified in the console"},
    {"InvalidToAddress*", CLASS_FATAL, "the address is not taken"},
    {"InvalidSubject*", CLASS_FATAL, "the subject is not taken"},
    {"InvalidBody*", CLASS_FATAL, "the text is not taken"},
    {"InvalidSendMail.Spam", CLASS_FATAL, "Alibaba Cloud takes the mail for spam"},
};

static bool text_has(struct text t, struct text part)
{
    for (size_t i = 0; i + part.bytes <= t.bytes; i++) {
        if (memcmp(t.data + i, part.data, part.bytes) == 0) return true;
    }
    return false;
}

static void directmail_judge(const struct letter_job *job, const struct outside_answer *answer,
                             struct letter_verdict *verdict)
{
    alibaba_judge(job, answer, TEXT("Alibaba DirectMail"), directmail_codes,
                  COUNT(directmail_codes), verdict);
    if (verdict->is_unknown || verdict->class != CLASS_FATAL || answer->fault != FAULT_NONE) return;
    yyjson_val *root = cloud_json_read(job->arena, answer->body);
    struct text code = cloud_json_member_text(job->arena, root, "Code");
    /* The names of its quotas are not all known. */
    bool is_quota = text_has(code, TEXT("Quota")) || text_has(code, TEXT("Frequency"));
    if (is_quota) verdict->class = CLASS_THROTTLED;
}

const struct channel channel_directmail = {
    .name = TEXT_INIT("Alibaba DirectMail"),
    .is_set_up = directmail_is_set_up,
    .write = directmail_write,
    .judge = directmail_judge,
};

/* ---- SMS ------------------------------------------------------------------------------------------ */

static bool sms_is_set_up(const struct config *config)
{
    return config->sms_access_key_id.bytes > 0 && config->sms_access_key_secret.bytes > 0 &&
           config->sms_sign_name.bytes > 0 && config->sms_template_code.bytes > 0 &&
           config->sms_endpoint.bytes > 0;
}

/* Mainland numbers without prefix, others with their country code and without "+". */
static struct text number_of(struct text phone)
{
    size_t skip = text_starts(phone, TEXT("+86")) ? 3 : text_starts(phone, TEXT("+")) ? 1 : 0;
    return (struct text){phone.data + skip, phone.bytes - skip};
}

static void sms_write(const struct letter_job *job, struct outside_call *call)
{
    struct arena *arena = job->arena;
    const struct config *config = job->config;
    yyjson_mut_doc *doc = cloud_json_begin(arena);
    cloud_json_put_text(doc, yyjson_mut_doc_get_root(doc), "code", job->code);
    bool is_english =
        text_equal(job->letter.language, TEXT("en")) && config->sms_template_code_en.bytes > 0;
    struct signer_field query[] = {
        {TEXT("PhoneNumbers"), number_of(job->letter.recipient)},
        {TEXT("SignName"), config->sms_sign_name},
        {TEXT("TemplateCode"),
         is_english ? config->sms_template_code_en : config->sms_template_code},
        {TEXT("TemplateParam"), cloud_json_end(arena, doc)},
        {TEXT("OutId"), arena_print(arena, "%llu", (unsigned long long)job->letter.id)},
    };
    alibaba_write(job,
                  &(struct alibaba_operation){.endpoint = url_base(config->sms_endpoint),
                                              .action = "SendSms",
                                              .version = "2017-05-25",
                                              .key_id = config->sms_access_key_id,
                                              .secret = config->sms_access_key_secret,
                                              .query = query,
                                              .query_count = COUNT(query)},
                  call);
}

static const struct alibaba_code sms_codes[] = {
    {"isv.BUSINESS_LIMIT_CONTROL", CLASS_THROTTLED, "too many messages to this number"},
    {"isv.DAY_LIMIT_CONTROL", CLASS_THROTTLED, "the day's limit is reached"},
    {"isv.MONTH_LIMIT_CONTROL", CLASS_THROTTLED, "the month's limit is reached"},
    {"isp.SYSTEM_ERROR", CLASS_RETRY, "a fault at Alibaba Cloud"},
    {"isp.GATEWAY_ERROR", CLASS_RETRY, "a fault at Alibaba Cloud"},
    {"isv.AMOUNT_NOT_ENOUGH", CLASS_AUTH, "the account's balance is used up"},
    {"isv.OUT_OF_SERVICE", CLASS_AUTH, "the service is suspended: is there a bill to be paid?"},
    {"isv.PRODUCT_UN_SUBSCRIPT", CLASS_AUTH, "SMS is not subscribed to in this account"},
    {"isv.ACCOUNT_*", CLASS_AUTH, "something is wrong with the account"},
    {"isp.RAM_PERMISSION_DENY", CLASS_AUTH, "give the RAM user of this key AliyunDysmsFullAccess"},
    {"isv.SMS_SIGNATURE_ILLEGAL", CLASS_AUTH,
     "sms.sign_name is no approved signature of this account"},
    {"isv.SMS_TEMPLATE_ILLEGAL", CLASS_AUTH,
     "sms.template_code is no approved template of this account"},
    {"isv.MOBILE_NUMBER_ILLEGAL", CLASS_FATAL, "the phone number is not taken"},
    {"isv.TEMPLATE_MISSING_PARAMETERS", CLASS_FATAL,
     "the template must have the one parameter code"},
    {"isv.*", CLASS_FATAL, "see the SMS service's error codes"},
};

static void sms_judge(const struct letter_job *job, const struct outside_answer *answer,
                      struct letter_verdict *verdict)
{
    alibaba_judge(job, answer, TEXT("Alibaba SMS"), sms_codes, COUNT(sms_codes), verdict);
    /* A success without its Code is none of this service's answers. */
    if (verdict->class != CLASS_OK || verdict->is_unknown) return;
    yyjson_val *root = cloud_json_read(job->arena, answer->body);
    verdict->is_unknown = !text_equal(cloud_json_member_text(job->arena, root, "Code"), TEXT("OK"));
    if (verdict->is_unknown) verdict->detail = TEXT("Alibaba SMS answered without a Code.");
}

const struct channel channel_sms = {
    .name = TEXT_INIT("Alibaba SMS"),
    .is_set_up = sms_is_set_up,
    .write = sms_write,
    .judge = sms_judge,
};
