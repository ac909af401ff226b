/* A generic HTTP callback: one request of the user's own making for every change.
 *
 *   credentials  url, method, headers (an object of texts), body
 *   PUSH         one call; any 2xx is success
 *   REMOVE       nothing to call, so nothing is sent
 *   CHECK, IMPORT   cannot be asked of a callback
 *
 * These placeholders stand in url, header values and body; anything else in braces stays as it is:
 *
 *   {name} owner, "@" or "www"    {fqdn} full name   {zone}   {type} "AAAA"   {value}   {ttl}
 *
 * A value is always written for the place where it lands, so no record can break out of it:
 * percent-encoded in the URL and in a form body, as the inside of a JSON string in a body that
 * begins with { or [. Header values take it as it is but refuse control characters. */
#include "ddns/provider.h"

#include <assert.h>

#include "cloud/cloud_json.h"
#include "cloud/percent.h"

enum { ANSWER_BYTES_MAX = 64 * 1024, HEADERS_MAX = 32, CHECK_ARENA_BYTES_MAX = 1024 * 1024 };

enum context { IN_URL, IN_FORM, IN_JSON, IN_HEADER };

/* ---- placeholders ---- */

static const struct text placeholders[] = {
    TEXT_INIT("{name}"), TEXT_INIT("{fqdn}"),  TEXT_INIT("{zone}"),
    TEXT_INIT("{type}"), TEXT_INIT("{value}"), TEXT_INIT("{ttl}"),
};

enum { PLACEHOLDER_COUNT = sizeof(placeholders) / sizeof(placeholders[0]) };

static struct text placeholder_value(const struct dns_job *job, unsigned index)
{
    switch (index) {
    case 0: return job->owner;
    case 1: return provider_full_name(job);
    case 2: return job->zone;
    case 3: return text_of(dns_type_name(job->type));
    case 4: break;
    case 5: return arena_print(job->arena, "%u", (unsigned)job->ttl);
    default: assert(!"a placeholder without a value");
    }
    bool has_priority = job->type == DNS_MX || job->type == DNS_SRV;
    if (!has_priority) return job->value;
    return arena_print(job->arena, "%u %.*s", job->priority, TEXT_ARGS(job->value));
}

/* The inside of a JSON string (RFC 8259 section 7). */
static struct text json_escape(struct arena *arena, struct text t)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(arena, 6 * t.bytes + 1);
    if (out == NULL) return TEXT_NONE;
    char *to = out;
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char byte = (unsigned char)t.data[i];
        if (byte < ' ') {
            memcpy(to, "\\u00", 4);
            to[4] = digits[byte >> 4];
            to[5] = digits[byte & 15];
            to += 6;
            continue;
        }
        if (byte == '"' || byte == '\\') *to++ = '\\';
        *to++ = (char)byte;
    }
    return (struct text){out, (size_t)(to - out)};
}

static struct text escape(struct arena *arena, enum context context, struct text value)
{
    if (context == IN_HEADER) return value;
    return context == IN_JSON ? json_escape(arena, value) : percent_encode(arena, value);
}

/* The index of the placeholder that t begins with; PLACEHOLDER_COUNT when none. */
static unsigned placeholder_at(struct text t)
{
    unsigned index = 0;
    while (index < PLACEHOLDER_COUNT && !text_starts(t, placeholders[index])) index++;
    return index;
}

static struct text tail(struct text t, size_t bytes)
{
    return (struct text){t.data + bytes, t.bytes - bytes};
}

/* The template with every placeholder replaced once: what a value brings in is not looked at again.
 */
static struct text fill_in(const struct dns_job *job, enum context context, struct text template)
{
    struct text values[PLACEHOLDER_COUNT];
    for (unsigned i = 0; i < PLACEHOLDER_COUNT; i++) {
        values[i] = escape(job->arena, context, placeholder_value(job, i));
    }
    size_t out_bytes = 0;
    for (size_t i = 0; i < template.bytes;) {
        unsigned index = placeholder_at(tail(template, i));
        out_bytes += index < PLACEHOLDER_COUNT ? values[index].bytes : 1;
        i += index < PLACEHOLDER_COUNT ? placeholders[index].bytes : 1;
    }
    char *out = arena_alloc(job->arena, out_bytes + 1);
    if (out == NULL) return TEXT_NONE;
    char *to = out;
    for (size_t i = 0; i < template.bytes;) {
        unsigned index = placeholder_at(tail(template, i));
        struct text piece =
            index < PLACEHOLDER_COUNT ? values[index] : (struct text){template.data + i, 1};
        if (piece.bytes > 0) memcpy(to, piece.data, piece.bytes);
        to += piece.bytes;
        i += index < PLACEHOLDER_COUNT ? placeholders[index].bytes : 1;
    }
    assert((size_t)(to - out) == out_bytes);
    return (struct text){out, out_bytes};
}

/* ---- the credentials ---- */

static bool has_control(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char byte = (unsigned char)t.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 127) return true;
    }
    return false;
}

/* RFC 9110 section 5.6.2. */
static bool is_header_name(struct text name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = ascii_lower(name.data[i]);
        bool is_token = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                        (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        if (!is_token) return false;
    }
    return name.bytes > 0;
}

/* Fields that frame the message belong to the HTTP client. */
static bool is_framing_header(struct text name)
{
    static const struct text framing[] = {
        TEXT_INIT("host"),       TEXT_INIT("content-length"), TEXT_INIT("transfer-encoding"),
        TEXT_INIT("connection"), TEXT_INIT("upgrade"),        TEXT_INIT("te"),
        TEXT_INIT("trailer"),    TEXT_INIT("expect"),
    };
    for (unsigned i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
        if (text_equal_fold(framing[i], name)) return true;
    }
    return false;
}

static bool is_method(struct text method)
{
    static const struct text methods[] = {
        TEXT_INIT("GET"),   TEXT_INIT("POST"),   TEXT_INIT("PUT"),
        TEXT_INIT("PATCH"), TEXT_INIT("DELETE"),
    };
    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (text_equal(methods[i], method)) return true;
    }
    return false;
}

/* "{ip}" and the like: surely meant as a placeholder, and surely not replaced. */
static bool has_unknown_placeholder(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        if (t.data[i] != '{' || placeholder_at(tail(t, i)) < PLACEHOLDER_COUNT) continue;
        size_t end = i + 1;
        while (end < t.bytes && t.data[end] >= 'a' && t.data[end] <= 'z') end++;
        if (end > i + 1 && end < t.bytes && t.data[end] == '}') return true;
    }
    return false;
}

static const char *check_url(struct text url)
{
    struct text rest = url;
    if (text_starts(url, TEXT("https://"))) {
        rest = tail(url, 8);
    } else if (text_starts(url, TEXT("http://"))) {
        rest = tail(url, 7);
    } else {
        return "must begin with https:// or http://";
    }
    for (size_t i = 0; i < url.bytes; i++) {
        if (url.data[i] <= ' ' || url.data[i] > '~') {
            return "must be ASCII without blanks; write %20 for a blank";
        }
    }
    size_t host_bytes = 0;
    while (host_bytes < rest.bytes && strchr("/?#", rest.data[host_bytes]) == NULL) host_bytes++;
    if (host_bytes == 0) return "must name a host";
    if (memchr(rest.data, '{', host_bytes) != NULL) return "must have no placeholder in the host";
    return NULL;
}

static const char *check_headers(struct arena *arena, yyjson_val *headers)
{
    if (headers == NULL) return NULL;
    if (!yyjson_is_obj(headers)) return "must be an object of texts";
    if (yyjson_obj_size(headers) > HEADERS_MAX) return "must have at most 32 members";
    yyjson_obj_iter members = yyjson_obj_iter_with(headers);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct text name = cloud_json_text(arena, key);
        if (!yyjson_is_str(value)) return "must be an object of texts";
        if (!is_header_name(name)) return "must have names of letters, digits and hyphens";
        if (is_framing_header(name)) {
            return "must not set Host, Content-Length or another field of the connection";
        }
        if (has_control(cloud_json_text(arena, value))) return "must have values on one line";
    }
    return NULL;
}

static bool callback_check(struct text credentials, struct text *field, struct text *reason)
{
    struct arena arena;
    arena_init(&arena, CHECK_ARENA_BYTES_MAX);
    yyjson_val *root = cloud_json_read(&arena, credentials);
    struct text method = cloud_json_member_text(&arena, root, "method");
    struct text url = cloud_json_member_text(&arena, root, "url");
    struct text body = cloud_json_member_text(&arena, root, "body");
    static const char unknown[] =
        "must use no placeholders but {name}, {fqdn}, {zone}, {type}, {value} and {ttl}";

    const char *at_fault = "url";
    const char *why = check_url(url);
    if (why == NULL && has_unknown_placeholder(url)) why = unknown;
    if (why == NULL) {
        at_fault = "method";
        if (method.bytes > 0 && !is_method(method)) why = "must be GET, POST, PUT, PATCH or DELETE";
    }
    if (why == NULL) {
        at_fault = "headers";
        why = check_headers(&arena, cloud_json_member(root, "headers"));
    }
    if (why == NULL) {
        at_fault = "body";
        if (has_unknown_placeholder(body)) why = unknown;
        if (body.bytes > 0 && text_equal(method, TEXT("GET"))) {
            why = "must be empty for the method GET";
        }
    }
    arena_free(&arena);
    if (why == NULL) return true;
    *field = text_of(at_fault);
    *reason = text_of(why);
    return false;
}

/* ---- the call ---- */

/* The user's header lines, then what is missing of ours; false when a value would break its line.
 */
static bool header_lines(const struct dns_job *job, yyjson_val *headers, const char *content_type,
                         struct text *lines)
{
    *lines = TEXT("");
    bool has_type = content_type == NULL;
    bool has_agent = false;
    yyjson_obj_iter members = yyjson_obj_iter_with(headers);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        struct text name = cloud_json_text(job->arena, key);
        struct text value = cloud_json_text(job->arena, yyjson_obj_iter_get_val(key));
        struct text filled = fill_in(job, IN_HEADER, value);
        if (!is_header_name(name) || is_framing_header(name) || has_control(filled)) return false;
        if (text_equal_fold(name, TEXT("content-type"))) has_type = true;
        if (text_equal_fold(name, TEXT("user-agent"))) has_agent = true;
        *lines = arena_print(job->arena, "%.*s%.*s: %.*s\n", TEXT_ARGS(*lines), TEXT_ARGS(name),
                             TEXT_ARGS(filled));
    }
    if (!has_type) {
        *lines = arena_print(job->arena, "%.*sContent-Type: %s\n", TEXT_ARGS(*lines), content_type);
    }
    if (!has_agent) {
        *lines = arena_print(job->arena, "%.*sUser-Agent: %.*s\n", TEXT_ARGS(*lines),
                             TEXT_ARGS(job->user_agent));
    }
    return true;
}

static enum provider_next send_call(const struct dns_job *job, struct provider_call *next,
                                    struct dns_verdict *verdict)
{
    yyjson_val *root = cloud_json_read(job->arena, job->credentials);
    struct text url = cloud_json_member_text(job->arena, root, "url");
    struct text body = cloud_json_member_text(job->arena, root, "body");
    struct text method = cloud_json_member_text(job->arena, root, "method");
    if (method.bytes == 0) method = body.bytes > 0 ? TEXT("POST") : TEXT("GET");

    struct text start = text_trim(body);
    bool is_json = start.bytes > 0 && (start.data[0] == '{' || start.data[0] == '[');
    const char *content_type = is_json ? "application/json" : "application/x-www-form-urlencoded";
    if (body.bytes == 0) content_type = NULL;
    struct text lines;
    if (!header_lines(job, cloud_json_member(root, "headers"), content_type, &lines)) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(job->arena,
                        "the value of %.*s holds a line end or another control character, "
                        "which cannot go into a header of the callback; put {value} into its body",
                        TEXT_ARGS(provider_full_name(job))));
    }
    *next = (struct provider_call){.is_write = true,
                                   .http = {
                                       .method = method,
                                       .url = fill_in(job, IN_URL, url),
                                       .fields = lines,
                                       .body = fill_in(job, is_json ? IN_JSON : IN_FORM, body),
                                       .timeout_ms = job->timeout_ms,
                                       .answer_bytes_max = ANSWER_BYTES_MAX,
                                       .is_guarded = !job->allow_private,
                                   }};
    return PROVIDER_SEND;
}

static enum provider_next finish(const struct dns_job *job, const struct http_result *result,
                                 struct dns_verdict *verdict)
{
    /* The settings have no endpoint for a callback: its URL is the user's. */
    struct dns_job named = *job;
    named.endpoint = TEXT("the callback");
    *verdict = provider_verdict_of(&named, result);
    verdict->has_written = verdict->class == CLASS_OK;
    /* No record can be gone here: the URL leads nowhere. */
    if (verdict->class == CLASS_GONE) verdict->class = CLASS_FATAL;
    if (verdict->class == CLASS_FATAL && result->status >= 300 && result->status < 400) {
        verdict->detail =
            arena_print(job->arena,
                        "the callback answered HTTP %u, a redirect, which homeport does not "
                        "follow; put the final address into url",
                        result->status);
    }
    return PROVIDER_FINISHED;
}

static enum provider_next callback_step(const struct dns_job *job, struct dns_memo *memo,
                                        const struct provider_answer *last,
                                        struct provider_call *next, struct dns_verdict *verdict)
{
    (void)memo;
    *verdict = (struct dns_verdict){.class = CLASS_OK, .retry_after_ms = -1};
    enum provider_next what;
    if (last != NULL) {
        assert(last->http != NULL);
        what = finish(job, last->http, verdict);
    } else if (job->action == DNS_PUSH) {
        what = send_call(job, next, verdict);
    } else if (job->action == DNS_REMOVE) {
        what = provider_end(verdict, CLASS_UNCHANGED, TEXT(""));
        verdict->answer = TEXT("a callback cannot remove");
    } else {
        what = provider_end(verdict, CLASS_FATAL,
                            TEXT("a callback cannot be asked what the provider has"));
    }
    return provider_checked(job, what, verdict);
}

static const struct provider_field callback_fields[] = {
    {TEXT_INIT("url"), TEXT_INIT("URL, with placeholders"), TEXT_INIT("url"), true, true},
    {TEXT_INIT("method"), TEXT_INIT("Method"), TEXT_INIT("choice:GET,POST,PUT,PATCH,DELETE"), false,
     false},
    {TEXT_INIT("headers"), TEXT_INIT("Header fields"), TEXT_INIT("map"), false, true},
    {TEXT_INIT("body"), TEXT_INIT("Body, with placeholders"), TEXT_INIT("text"), false, true},
};

const struct provider provider_callback = {
    .name = TEXT_INIT("callback"),
    .title = TEXT_INIT("HTTP callback"),
    .fields = callback_fields,
    .field_count = sizeof(callback_fields) / sizeof(callback_fields[0]),
    .can_list = false,
    .check = callback_check,
    .step = callback_step,
};
