/* notify/: letters as bytes. Requests to Alibaba Cloud against the vendor's vectors (acs3-sms and acs3-mail-form
 * of protocols/vectors/alibaba-acs3.json), mail messages as RFC 5322 and RFC 2047 have them, and the words. */
#include "unit.h"

#include <sodium.h>

#include "notify/alibaba.h"
#include "notify/channel.h"
#include "notify/mime.h"
#include "notify/words.h"

static struct arena arena;
static struct config config;

static struct letter_job job_of(enum letter_channel channel, const char *to)
{
    struct letter_job job = {.config = &config,
                             .arena = &arena,
                             .now_ms = 1772352550000, /* 2026-03-01T08:09:10Z */
                             .letter = {.id = 4711,
                                        .channel = channel,
                                        .template = letter_template_sms_code,
                                        .recipient = text_of(to),
                                        .language = TEXT("en"),
                                        .message_id = TEXT("4711.x@example.com"),
                                        .minutes = 5},
                             .code = TEXT("012345")};
    static const uint8_t nonce[16] = {0x3f, 0x0c, 0x6a, 0xd2, 0xb1, 0xe9, 0x4f, 0x7d,
                                      0x8c, 0x5a, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55};
    memcpy(job.nonce, nonce, sizeof nonce);
    return job;
}

static void set(const char *key, const char *value)
{
    struct config_error error;
    CHECK(config_set(&config, text_of(key), text_of(value), ORIGIN_FILE, &error));
}

static struct text header(const struct outside_call *call, const char *name)
{
    struct text rest = call->fields;
    while (rest.data != NULL) {
        struct text value = text_cut(&rest, '\n');
        if (text_equal_fold(text_cut(&value, ':'), text_of(name))) return text_trim(value);
    }
    return TEXT_NONE;
}

static bool has(struct text t, const char *part)
{
    size_t bytes = strlen(part);
    for (size_t at = 0; at + bytes <= t.bytes; at++) {
        if (memcmp(t.data + at, part, bytes) == 0) return true;
    }
    return false;
}

/* ---- the vendor's vectors ------------------------------------------------------------------------- */

static const struct alibaba_operation vector_operation = {
    .key_id = TEXT_INIT("LTAI5tExampleKeyId00001"),
    .secret = TEXT_INIT("ExampleSecret0000000000000000001")};

static void test_sms_vector(void)
{
    const struct signer_field query[] = {{TEXT("PhoneNumbers"), TEXT("13800000000")},
                                         {TEXT("SignName"), TEXT("示例签名")},
                                         {TEXT("TemplateCode"), TEXT("SMS_123456789")},
                                         {TEXT("TemplateParam"), TEXT("{\"code\":\"012345\"}")},
                                         {TEXT("OutId"), TEXT("evt-1")}};
    struct letter_job job = job_of(letter_channel_sms, "+8613800000000");
    struct alibaba_operation operation = vector_operation;
    struct outside_call call, own;
    operation.endpoint = TEXT("https://dysmsapi.aliyuncs.com");
    operation.action = "SendSms";
    operation.version = "2017-05-25";
    operation.query = query;
    operation.query_count = 5;
    alibaba_write(&job, &operation, &call);
    CHECK_TEXT(
        call.url,
        "https://dysmsapi.aliyuncs.com/?OutId=evt-1&PhoneNumbers=13800000000&SignName=%E7%A4%BA%E4%BE%8B%E7"
        "%AD%BE%E5%90%8D&TemplateCode=SMS_123456789&TemplateParam=%7B%22code%22%3A%22012345%22%7D");
    CHECK(call.body.bytes == 0 && header(&call, "content-type").bytes == 0);
    CHECK_TEXT(
        header(&call, "authorization"),
        "ACS3-HMAC-SHA256 Credential=LTAI5tExampleKeyId00001,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature=07cef0611f87899068a7721f13f427bac6e09abe15864ae2bc5bdea0782b39d4");
    /* What the channel itself writes is the same, but for its OutId. */
    channel_sms.write(&job, &own);
    size_t at = strlen("https://dysmsapi.aliyuncs.com/?OutId=");
    CHECK(text_equal((struct text){own.url.data + at + 4, own.url.bytes - at - 4},
                     (struct text){call.url.data + at + 5, call.url.bytes - at - 5}));
    CHECK(text_starts((struct text){own.url.data + at, own.url.bytes - at}, TEXT("4711&")));
}

static void test_mail_vector(void)
{
    const struct signer_field form[] = {{TEXT("AccountName"), TEXT("noreply@mail.example.com")},
                                        {TEXT("AddressType"), TEXT("1")},
                                        {TEXT("ReplyToAddress"), TEXT("false")},
                                        {TEXT("ToAddress"), TEXT("user@example.com")},
                                        {TEXT("Subject"), TEXT("Your code")},
                                        {TEXT("HtmlBody"), TEXT("<p>Code: <b>012345</b></p>")},
                                        {TEXT("FromAlias"), TEXT("homeport")}};
    struct letter_job job = job_of(letter_channel_mail, "user@example.com");
    struct alibaba_operation operation = vector_operation;
    struct outside_call call;
    operation.endpoint = TEXT("https://dm.aliyuncs.com");
    operation.action = "SingleSendMail";
    operation.version = "2015-11-23";
    operation.form = form;
    operation.form_count = 7;
    alibaba_write(&job, &operation, &call);
    CHECK_TEXT(call.url, "https://dm.aliyuncs.com/");
    CHECK_TEXT(
        call.body,
        "AccountName=noreply%40mail.example.com&AddressType=1&FromAlias=homeport&HtmlBody=%3Cp%3ECode%3A%20%3Cb%3E012345"
        "%3C%2Fb%3E%3C%2Fp%3E&ReplyToAddress=false&Subject=Your%20code&ToAddress=user%40example.com");
    CHECK_TEXT(header(&call, "content-type"), "application/x-www-form-urlencoded");
    CHECK_TEXT(
        header(&call, "authorization"),
        "ACS3-HMAC-SHA256 Credential=LTAI5tExampleKeyId00001,SignedHeaders=content-type;host;x-acs-action;x-acs-content-sha256;"
        "x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=57c6db76af8d3913bf1221c18fdf94611bd5df582198ee3bcc33715360f52c8a");
}

/* ---- classes -------------------------------------------------------------------------------------- */

static struct letter_verdict judged(const struct channel *channel, unsigned status,
                                    const char *body)
{
    struct letter_verdict verdict;
    struct letter_job job = job_of(letter_channel_sms, "+8613800000000");
    channel->judge(&job, &(struct outside_answer){.status = status, .body = text_of(body)},
                   &verdict);
    return verdict;
}

static void test_classes(void)
{
    static const struct {
        const struct channel *channel;
        unsigned status;
        const char *code;
        enum call_class class;
    } rows[] = {
        {&channel_sms, 200, "OK", CLASS_OK},
        {&channel_sms, 200, "isv.BUSINESS_LIMIT_CONTROL", CLASS_THROTTLED},
        {&channel_sms, 200, "isv.DAY_LIMIT_CONTROL", CLASS_THROTTLED},
        {&channel_sms, 200, "isp.GATEWAY_ERROR", CLASS_RETRY},
        {&channel_sms, 200, "isv.ACCOUNT_NOT_EXISTS", CLASS_AUTH},
        {&channel_sms, 200, "isp.RAM_PERMISSION_DENY", CLASS_AUTH},
        {&channel_sms, 200, "isv.BLACK_KEY_CONTROL_LIMIT", CLASS_FATAL},
        {&channel_sms, 200, "isv.ANYTHING", CLASS_FATAL},
        {&channel_sms, 400, "Throttling.User", CLASS_THROTTLED},
        {&channel_sms, 400, "SignatureNonceUsed", CLASS_RETRY},
        {&channel_sms, 400, "SignatureDoesNotMatch", CLASS_AUTH},
        {&channel_sms, 404, "InvalidAccessKeyId.NotFound", CLASS_AUTH},
        {&channel_sms, 400, "InvalidTimeStamp.Format", CLASS_CLOCK},
        {&channel_sms, 403, "Anything", CLASS_AUTH},
        {&channel_sms, 500, "InternalError", CLASS_RETRY},
        {&channel_sms, 503, "ServiceUnavailable", CLASS_RETRY},
        {&channel_sms, 404, "InvalidAction.NotFound", CLASS_FATAL},
        {&channel_directmail, 404, "InvalidMailAddress.NotFound", CLASS_FATAL},
        {&channel_directmail, 400, "InvalidMailAddressDomain.Suspended", CLASS_FATAL},
        {&channel_directmail, 400, "InvalidToAddress.Spam", CLASS_FATAL},
        {&channel_directmail, 400, "InvalidSendMail.Spam", CLASS_FATAL},
        {&channel_directmail, 400, "ExceedDayQuota", CLASS_THROTTLED},
        {&channel_directmail, 400, "SendFrequencyLimit", CLASS_THROTTLED},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"Code\":\"%s\",\"Message\":\"m\",\"RequestId\":\"R\"}",
                 rows[i].code);
        struct letter_verdict verdict = judged(rows[i].channel, rows[i].status, body);
        if (!CHECK(verdict.class == rows[i].class && !verdict.is_unknown)) puts(rows[i].code);
    }
    CHECK(judged(&channel_directmail, 200, "{\"EnvId\":\"6\",\"RequestId\":\"R\"}").class ==
          CLASS_OK);
    /* Small letters, as some gateways have them. */
    CHECK(judged(&channel_sms, 400, "{\"code\":\"Throttling\",\"message\":\"m\"}").class ==
          CLASS_THROTTLED);
    CHECK(judged(&channel_sms, 200, "").is_unknown &&
          judged(&channel_directmail, 200, "{}").is_unknown);
    CHECK(judged(&channel_sms, 504, "").is_unknown && judged(&channel_sms, 200, "[1").is_unknown);
    CHECK(!judged(&channel_sms, 413, "").is_unknown &&
          judged(&channel_sms, 413, "").class == CLASS_FATAL);
    /* What others say goes into messages: no control characters, and not pages of it. */
    struct letter_verdict verdict =
        judged(&channel_sms, 200, "{\"Code\":\"isv.X\",\"Message\":\"a\\u001b[31m\\nb\"}");
    CHECK(has(verdict.detail, "a?[31m?b"));
}

/* ---- mail ----------------------------------------------------------------------------------------- */

static void test_addresses(void)
{
    static const struct {
        const char *text, *name, *address;
    } good[] = {{"a@b.c", "", "a@b.c"},
                {" a@b.c ", "", "a@b.c"},
                {"<a@b.c>", "", "a@b.c"},
                {"homeport <a@b.c>", "homeport", "a@b.c"},
                {"\"The, house\" <a@b.c>", "The, house", "a@b.c"},
                {"小屋 <a@b.c>", "小屋", "a@b.c"}};
    static const char *const bad[] = {"",         "a",     "@",      "a@",   "@b",
                                      "a@b@c",    "a b@c", "x <a@b", "a@b>", "x <a@b> <c@d>",
                                      "a@b\r\nc", "x <>",  "a@b,c@d"};
    struct text name, address;
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        if (!CHECK(mime_address(text_of(good[i].text), &name, &address))) continue;
        CHECK_TEXT(name, good[i].name);
        CHECK_TEXT(address, good[i].address);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK(!mime_address(text_of(bad[i]), &name, &address))) puts(bad[i]);
    }
}

/* Line by line: the header ends at the first empty line, every line of it begins with a known name or a blank. */
static void check_form(struct text message)
{
    static const char *const names[] = {
        "Date: ",          "From: ",         "To: ",           "Subject: ",
        "Message-ID: ",    "MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: ",
        "Auto-Submitted: "};
    struct text rest = message;
    unsigned count = 0;
    bool is_header = true;
    CHECK(message.bytes > 2 && message.data[message.bytes - 1] == '\n');
    while (rest.bytes > 0) {
        struct text line = text_cut(&rest, '\n');
        CHECK(line.bytes >= 1 && line.bytes <= 77 && line.data[line.bytes - 1] == '\r');
        for (size_t i = 0; i + 1 < line.bytes; i++)
            CHECK(line.data[i] >= ' ' && (unsigned char)line.data[i] < 0x7f);
        if (line.bytes == 1) is_header = false;
        if (!is_header || line.data[0] == ' ') continue;
        CHECK(text_starts(line, text_of(names[count < 9 ? count : 8])));
        count++;
    }
    CHECK(count == 9 && !is_header);
}

static void test_message(void)
{
    struct mime_letter letter = {.from_name = TEXT("homeport"),
                                 .from = TEXT("a@b.c"),
                                 .to = TEXT("you@example.com"),
                                 .message_id = TEXT("1.2@b.c"),
                                 .subject = TEXT("Hello"),
                                 .body = TEXT("One.\n\nTwo.\n"),
                                 .date_ms = 1772352550000};
    CHECK_TEXT(
        mime_write(&arena, &letter),
        "Date: Sun, 01 Mar 2026 08:09:10 +0000\r\nFrom: \"homeport\"\r\n <a@b.c>\r\nTo: you@example.com\r\n"
        "Subject: Hello\r\nMessage-ID: <1.2@b.c>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
        "Auto-Submitted: auto-generated\r\n\r\nT25lLg0KDQpUd28uDQo=\r\n");
    letter.from_name = TEXT_NONE;
    CHECK(has(mime_write(&arena, &letter), "\r\nFrom: a@b.c\r\n"));
    /* Nothing from outside begins a line of the header, whoever let it come so far. */
    letter.subject = TEXT("x\r\nBcc: all@example.com");
    letter.from_name = TEXT("q\"\\\r\nX: y");
    check_form(mime_write(&arena, &letter));
    letter.subject = TEXT(
        "我家的小服务器，放在客厅的柜子里，它有一个很长很长的名字，长到一行放不下：您的验证码");
    letter.from_name = letter.subject;
    check_form(mime_write(&arena, &letter));
    letter.subject = TEXT(
        "A name of one hundred letters that are all plain ASCII, to see that long lines are folded as they should be");
    check_form(mime_write(&arena, &letter));
    letter.body = TEXT("");
    letter.subject = TEXT("");
    check_form(mime_write(&arena, &letter));
}

static void test_words(void)
{
    for (unsigned template = letter_template_mail_verify; template <= letter_template_mail_moved;
         template ++) {
        for (unsigned i = 0; i < 2; i++) {
            struct letter_job job = job_of(letter_channel_mail, "you@example.com");
            job.letter.template = template;
            job.letter.language = i == 0 ? TEXT("en") : TEXT("zh");
            job.link = TEXT("http://nas.lan:8080/x");
            struct letter_words words = letter_words(&job);
            CHECK(text_is_clean_utf8(words.subject) && text_is_clean_utf8(words.body));
            CHECK(has(words.subject, "The house") && has(words.body, "012345") &&
                  has(words.body, "http://nas.lan:8080/x\n"));
            CHECK(has(words.body, i == 0 ? "5 minutes" : "5 分钟") &&
                  has(words.body, i == 0 ? "ignore this mail" : "忽略") ==
                      (template < letter_template_test));
        }
    }
    struct letter_job job = job_of(letter_channel_mail, "you@example.com");
    job.letter.minutes = 1440;
    CHECK(has(letter_words(&job).body, "24 hours"));
    job.code = TEXT_NONE;
    CHECK(!has(letter_words(&job).body, "good for"));
}

/* A secret stands where the words are cut to 200 bytes: its first half is hidden as well. */
static void check_cut_secret(const struct letter_job *job)
{
    struct letter_verdict verdict;
    char said[240];
    memset(said, '-', sizeof said);
    memcpy(said + 180, " ExampleSecret0000000000000000001 ", 34);
    struct outside_answer answer = {
        .status = 400,
        .body = arena_print(&arena, "{\"Code\":\"Odd\",\"Message\":\"%.*s\"}", (int)sizeof said, said)};
    channel_judge(&channel_sms, job, &answer, &verdict);
    CHECK(has(verdict.detail, "- ***") && !has(verdict.detail, "Example"));
}

/* What a service says is shown to people, but not when it repeats what only the recipient or the server may know. */
static void test_secrets_are_not_repeated(void)
{
    static const struct {
        const char *said;
        bool is_hidden;
    } rows[] = {
        {"451 4.7.1 later", false},
        {"554 no link like http://nas.lan:8080/reset?token=Link.Token1 here", true},
        {"554 Link.Token1", true},
        {"554 Link.Token", false},
        {"554 code 012345 is spam", true},
        {"535 Mail-Password", true},
        {"454 AUTH LOGIN TWFpbC1QYXNzd29yZA==", true},
        {"454 AUTH PLAIN AHVzZXIATWFpbC1QYXNzd29yZA==", true},
        {"554 ExampleSecret0000000000000000001", true},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct letter_verdict verdict;
        struct letter_job job = job_of(letter_channel_mail, "you@example.com");
        job.link = TEXT("http://nas.lan:8080/reset?token=Link.Token1");
        struct outside_answer answer = {.fault = FAULT_REFUSED, .status = 554, .error = text_of(rows[i].said)};
        channel_judge(&channel_smtp, &job, &answer, &verdict);
        bool is_hidden = !text_equal(verdict.detail, answer.error);
        if (!CHECK(is_hidden == rows[i].is_hidden)) printf("%s: %.*s\n", rows[i].said, TEXT_ARGS(verdict.detail));
        CHECK(!is_hidden || has(verdict.detail, "***"));
    }
    struct letter_verdict verdict;
    struct letter_job job = job_of(letter_channel_mail, "you@example.com");
    channel_judge(&channel_smtp, &job, &(struct outside_answer){.fault = FAULT_REFUSED, .status = 554, .error = TEXT("554 012345, 012345; no")}, &verdict);
    CHECK_TEXT(verdict.detail, "554 ***, ***; no");
    check_cut_secret(&job);
}

int main(void)
{
    arena_init(&arena, 16 << 20);
    config_init(&config);
    set("notify.site_name", "The house");
    set("smtp.url", "smtp://localhost:587");
    set("smtp.user", "user");
    set("smtp.password", "Mail-Password");
    set("smtp.from", "homeport <a@b.c>");
    set("sms.access_key_id", "LTAI5tExampleKeyId00001");
    set("sms.access_key_secret", "ExampleSecret0000000000000000001");
    set("sms.sign_name", "示例签名");
    set("sms.template_code", "SMS_123456789");
    test_sms_vector();
    test_mail_vector();
    test_classes();
    test_addresses();
    test_message();
    test_words();
    test_secrets_are_not_repeated();
    config_free(&config);
    arena_free(&arena);
    return unit_end();
}
