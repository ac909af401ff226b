#include "edge/fetch_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    METHOD_BYTES_MAX = 16,
    FIELD_BYTES_MAX = 16384,
    CONNECT_MS_MAX = 15000,
    CALL_MS_MAX = 24 * 3600 * 1000
};

static void call_refuse(struct fetch_call *call, enum call_fault fault, const char *error)
{
    call->fault = fault;
    snprintf(call->error, sizeof call->error, "%s", error);
}

/* Copies text with a closing zero byte to *place and moves it on. */
static struct text text_place(struct text text, char **place)
{
    char *start = *place;
    if (text.bytes > 0) memcpy(start, text.data, text.bytes);
    start[text.bytes] = '\0';
    *place += text.bytes + 1;
    return (struct text){start, text.bytes};
}

static bool method_is_good(struct text method)
{
    if (method.bytes == 0 || method.bytes > METHOD_BYTES_MAX) return false;
    for (size_t i = 0; i < method.bytes; i++) {
        if (method.data[i] < 'A' || method.data[i] > 'Z') return false;
    }
    return true;
}

/* curl sends field lines as they are, so a stray CR or NUL would be a second field or a second
 * request. */
static bool fields_are_good(struct text fields)
{
    while (fields.data != NULL && fields.bytes > 0) {
        struct text line = text_cut(&fields, '\n');
        const char *colon = line.bytes == 0 ? NULL : memchr(line.data, ':', line.bytes);
        if (colon == NULL || colon == line.data || line.bytes > FIELD_BYTES_MAX) return false;
        for (size_t i = 0; i < line.bytes; i++) {
            unsigned char c = (unsigned char)line.data[i];
            if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
        }
    }
    return true;
}

/* Reads scheme, host and port of the URL the way curl will, into `origin`. */
static bool origin_read(struct fetch_call *call)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *url = curl_url();
    bool is_good =
        url != NULL &&
        curl_url_set(url, CURLUPART_URL, call->call.url.data, CURLU_PATH_AS_IS) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (is_good) {
        bool is_mail = call->call.is_mail;
        bool is_secure = strcmp(scheme, is_mail ? "smtps" : "https") == 0;
        bool is_known = is_secure || strcmp(scheme, is_mail ? "smtp" : "http") == 0;
        call->is_tls = is_secure || (is_mail && !call->call.is_plain);
        int bytes = snprintf(call->origin, sizeof call->origin, "%s://%s:%s", scheme, host, port);
        is_good = is_known && bytes > 0 && (size_t)bytes < sizeof call->origin;
        call->host = call->origin + strlen(scheme) + strlen("://");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return is_good;
}

/* True for "192.0.2.1:443" and "[2001:db8::1]:443"; curl has brought other spellings into these
 * forms. */
static bool host_is_literal(const char *host)
{
    struct ip_address ip;
    const char *colon = strrchr(host, ':');
    assert(colon != NULL);
    return host[0] == '[' || ip_parse((struct text){host, (size_t)(colon - host)}, &ip);
}

static void call_check(struct fetch_call *call)
{
    const struct http_call *in = &call->call;
    if (memchr(in->url.data, '\0', in->url.bytes) != NULL || !origin_read(call)) {
        call_refuse(
            call, FAULT_URL,
            in->is_mail
                ? "The URL of the mail server cannot be used: it must be smtp://host:587 or smtps://host:465."
                : "The URL cannot be used: it must start with http:// or https:// and name a host.");
        return;
    }
    if (in->is_mail && !mail_check(call)) return;
    if (!in->is_mail && !method_is_good(in->method)) {
        call_refuse(call, FAULT_OTHER,
                    "The method of an HTTP call must be a word of capital letters.");
        return;
    }
    if (!fields_are_good(in->fields)) {
        call_refuse(call, FAULT_OTHER,
                    "The header fields of an HTTP call must be lines of the form \"Name: value\" "
                    "without control characters.");
        return;
    }
    if (call->is_tls && host_is_literal(call->host)) {
        call->fault = FAULT_TLS;
        snprintf(call->error, sizeof call->error,
                 "The certificate of %s cannot be checked, as homeport's TLS knows names only "
                 "and the URL has an IP address: use a host name that the certificate is for.",
                 call->origin);
    }
}

struct fetch_call *fetch_call_new(const struct http_call *in, const struct fetch_settings *settings)
{
    size_t text_bytes = in->method.bytes + in->url.bytes + in->fields.bytes + in->body.bytes +
                        in->interface.bytes + in->user.bytes + in->password.bytes +
                        in->sender.bytes + in->recipient.bytes + 9;
    struct fetch_call *call = calloc(1, sizeof *call + text_bytes);
    if (call == NULL) return NULL;
    call->block_bytes = sizeof *call + text_bytes;
    call->settings = settings;
    call->call = *in;

    char *place = call->bytes;
    call->call.method = text_place(in->method, &place);
    call->call.url = text_place(in->url, &place);
    call->call.fields = text_place(in->fields, &place);
    call->call.body = text_place(in->body, &place);
    call->call.interface = text_place(in->interface, &place);
    call->call.user = text_place(in->user, &place);
    call->call.password = text_place(in->password, &place);
    call->call.sender = text_place(in->sender, &place);
    call->call.recipient = text_place(in->recipient, &place);
    assert(place == call->bytes + text_bytes);
    if (call->call.timeout_ms == 0) call->call.timeout_ms = 1;
    if (call->call.timeout_ms > CALL_MS_MAX) call->call.timeout_ms = CALL_MS_MAX;

    call_check(call);
    return call;
}

/* CURLOPT_WRITEFUNCTION: bytes of the answer's body. */
static size_t body_arrived(char *data, size_t size, size_t count, void *context)
{
    struct fetch_call *call = context;
    size_t bytes = size * count;
    if (bytes > call->call.answer_bytes_max - call->body_bytes) {
        call->is_too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (bytes > call->body_size - call->body_bytes) {
        size_t size_next = call->body_size == 0 ? ANSWER_BYTES_FIRST : call->body_size;
        while (size_next - call->body_bytes < bytes) size_next *= 2;
        char *grown = realloc(call->body, size_next);
        if (grown == NULL) {
            call->is_memory_short = true;
            return CURL_WRITEFUNC_ERROR;
        }
        call->body = grown;
        call->body_size = size_next;
    }
    memcpy(call->body + call->body_bytes, data, bytes);
    call->body_bytes += bytes;
    return bytes;
}

/* CURLOPT_SSL_CTX_FUNCTION: our trust and suites for a connection that is about to shake hands. */
static CURLcode tls_begins(CURL *easy, void *client, void *context)
{
    struct fetch_call *call = context;
    (void)easy;
    assert(call->trust != NULL);
    /* A second time when curl had to open another connection for this call; the first is gone
     * then. */
    if (call->verifier == NULL) call->verifier = malloc(sizeof *call->verifier);
    if (call->verifier == NULL) return CURLE_OUT_OF_MEMORY;
    trust_apply(call->trust, call->verifier, client);
    return CURLE_OK;
}

static bool field_add(struct fetch_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->fields, line);
    if (longer == NULL) return false;
    call->fields = longer;
    return true;
}

/* To curl "Name:" means to leave that field out and "Name;" to send it empty. */
static bool field_add_given(struct fetch_call *call, struct text line)
{
    char copy[FIELD_BYTES_MAX + 1];
    assert(line.bytes < sizeof copy);
    line = text_trim(line);
    memcpy(copy, line.data, line.bytes);
    copy[line.bytes] = '\0';
    if (line.bytes > 0 && memchr(line.data, ':', line.bytes) == line.data + line.bytes - 1) {
        copy[line.bytes - 1] = ';';
    }
    bool is_added = field_add(call, copy);
    explicit_bzero(copy, line.bytes);
    return is_added;
}

static bool fields_add(struct fetch_call *call)
{
    bool has_content_type = false;
    for (struct text rest = call->call.fields; rest.data != NULL && rest.bytes > 0;) {
        struct text line = text_cut(&rest, '\n');
        struct text left = line;
        if (text_equal_fold(text_cut(&left, ':'), TEXT("Content-Type"))) has_content_type = true;
        if (!field_add_given(call, line)) return false;
    }
    /* curl would call every body a form, and ask permission (100-continue) before a large one,
     * which costs a second with servers that do not know it. */
    if (!has_content_type && !field_add(call, "Content-Type:")) return false;
    return field_add(call, "Expect:");
}

/* POST and PATCH may do their work twice when sent twice, so they never go out on a kept
 * connection: when the server has just closed that, curl sends the request again without asking
 * (RFC 9110, 9.2.2). A handshake costs less than a message sent twice. */
static bool is_safe_to_repeat(struct text method)
{
    return !text_equal(method, TEXT("POST")) && !text_equal(method, TEXT("PATCH"));
}

static bool has_length_without_body(struct text method)
{
    return text_equal(method, TEXT("POST")) || text_equal(method, TEXT("PUT")) ||
           text_equal(method, TEXT("PATCH"));
}

static bool set_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

/* What every call has in common, in full: curl's defaults have moved before. */
static bool set_common(CURL *easy)
{
    static const struct {
        CURLoption option;
        long value;
    } rows[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_VERBOSE, 0},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_MAXREDIRS, 0},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_PATH_AS_IS, 1}, /* signed paths may hold "." and ".." */
        {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_HTTP_TRANSFER_DECODING, 1},
        {CURLOPT_FAILONERROR, 0},
        {CURLOPT_HTTPAUTH, CURLAUTH_BASIC},
        {CURLOPT_UNRESTRICTED_AUTH, 0},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSL_SESSIONID_CACHE, 1},
        {CURLOPT_DNS_CACHE_TIMEOUT, 60},
        {CURLOPT_MAXAGE_CONN, REST_MS / 1000},
        {CURLOPT_TCP_NODELAY, 1},
        {CURLOPT_BUFFERSIZE, 16384},
        {CURLOPT_UPLOAD_BUFFERSIZE, 16384},
        /* Without this, curl waits for its resolver thread when a call times out in the middle
         * of a name lookup, and the whole loop with it: up to half a minute with a dead DNS
         * server. */
        {CURLOPT_QUICK_EXIT, 1},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ok = ok && set_long(easy, rows[i].option, rows[i].value);
    }
    /* "": not even a proxy from the environment. */
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL) == CURLE_OK;
    return ok;
}

static bool set_request(struct fetch_call *call)
{
    CURL *easy = call->easy;
    const struct http_call *in = &call->call;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, in->url.data) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_USERAGENT, call->settings->user_agent) == CURLE_OK;
    ok = ok && fields_add(call) &&
         curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->fields) == CURLE_OK;
    if (in->body.bytes > 0 || has_length_without_body(in->method)) {
        curl_off_t bytes = (curl_off_t)in->body.bytes; /* sent from where they are, not copied */
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, bytes) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDS, in->body.data) == CURLE_OK;
    } else if (text_equal(in->method, TEXT("HEAD"))) {
        ok = ok && set_long(easy, CURLOPT_NOBODY, 1);
    } else {
        ok = ok && set_long(easy, CURLOPT_HTTPGET, 1);
    }
    return ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, in->method.data) == CURLE_OK;
}

static bool set_connection(struct fetch_call *call, uint64_t timeout_ms)
{
    static const long resolve_of[] = {
        [0] = CURL_IPRESOLVE_WHATEVER, [4] = CURL_IPRESOLVE_V4, [6] = CURL_IPRESOLVE_V6};
    CURL *easy = call->easy;
    unsigned family = call->call.family;
    assert(family == 0 || family == 4 || family == 6);
    uint64_t connect_ms = timeout_ms < CONNECT_MS_MAX ? timeout_ms : CONNECT_MS_MAX;
    /* A bound connection serves this call alone: curl knows nothing of our binding. */
    bool is_bound = call->call.interface.bytes > 0;

    bool ok = set_long(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    ok = ok && set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    ok = ok && set_long(easy, CURLOPT_IPRESOLVE, resolve_of[family]);
    ok = ok &&
         set_long(easy, CURLOPT_FRESH_CONNECT, is_bound || !is_safe_to_repeat(call->call.method));
    ok = ok && set_long(easy, CURLOPT_FORBID_REUSE, is_bound);
    ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, fetch_socket_open) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, tls_begins) == CURLE_OK;
    return ok && curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, call) == CURLE_OK;
}

bool fetch_call_prepare(struct fetch_call *call, struct trust *trust, uint64_t timeout_ms)
{
    assert(call->easy == NULL && call->fault == FAULT_NONE);
    assert(trust != NULL || !call->is_tls);
    call->easy = curl_easy_init();
    if (call->easy == NULL) return false;
    if (call->is_tls) call->trust = trust_use(trust);

    CURL *easy = call->easy;
    bool ok = set_common(easy) && (call->call.is_mail || set_request(call)) &&
              set_connection(call, timeout_ms);
    ok = ok && (!call->call.is_mail || mail_prepare(call, timeout_ms));
    ok = ok && curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_arrived) == CURLE_OK;
    return ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK;
}

void fetch_call_free(struct fetch_call *call)
{
    if (call->easy != NULL) curl_easy_cleanup(call->easy);
    for (struct curl_slist *field = call->fields; field != NULL; field = field->next) {
        explicit_bzero(field->data, strlen(field->data));
    }
    curl_slist_free_all(call->fields);
    mail_free(call);
    trust_leave(call->trust);
    free(call->verifier);
    if (call->body != NULL) explicit_bzero(call->body, call->body_bytes);
    free(call->body);
    explicit_bzero(call, call->block_bytes);
    free(call);
}
