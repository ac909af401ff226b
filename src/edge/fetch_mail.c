/* Mail by SMTP.
 *
 * Why on a thread of its own: curl waits for the answer to the end of DATA, and for the one to QUIT, in a blocking
 * loop, also in a multi handle (smtp_done and smtp_disconnect of 8.14.1). A mail server that is slow to look at a
 * mail would stop our loop for as long. libuv's pool is no place for that either: four slow mails would keep
 * passwords and names waiting. There are few mails, and a thread costs little.
 *
 * While a thread runs, its fetch_call belongs to it, but for what `lock` guards: the sockets, so that the loop
 * can cut them off when the mail is overdue or the program stops. Everything else (CAs, limits, order, errors) is as
 * for other calls.
 *
 * What became of it. The message has left for good when curl has been given its last byte: from then on only the
 * server's reply to it counts, and without one the mail may have arrived. Before that the server cannot have
 * all of it and a fault is a fault. After that reply nothing more is read from the server (see reply_arrived), so
 * that a server which forgets to answer QUIT keeps nobody waiting. */
#include "edge/fetch_private.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SOCKETS_MAX = 8, /* of one call at once: curl tries IPv6 and IPv4 side by side */
    STACK_BYTES = 512 << 10,
    LATE_MS = 100,
    SAID_SIZE = 256,
    ADDRESS_BYTES_MAX = 320
};

struct mail_run {
    uv_thread_t thread;
    uv_mutex_t lock;
    curl_socket_t sockets[SOCKETS_MAX];
    bool is_cut;
    atomic_bool has_ended, is_cancelled;
    uint64_t late_ms; /* on the loop's clock */
    struct mailer *mailer;
    struct fetch_call *next; /* in mailer->first */
    struct curl_slist *recipients;
    size_t read_bytes;   /* of the message, by curl */
    bool is_read;        /* all of it */
    unsigned reply_code; /* of the reply to the whole message; 0: none */
    unsigned last_code;  /* of any reply */
    char said[SAID_SIZE];
};

/* ---- what can be sent ----------------------------------------------------------------------------- */

static bool is_bare_address(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c <= ' ' || c >= 0x7f || c == '<' || c == '>') return false;
    }
    return t.bytes > 0 && t.bytes <= ADDRESS_BYTES_MAX && memchr(t.data, '@', t.bytes) != NULL;
}

static bool has_zero(struct text t)
{
    return t.bytes > 0 && memchr(t.data, '\0', t.bytes) != NULL;
}

bool mail_check(struct fetch_call *call)
{
    const struct http_call *in = &call->call;
    const char *wrong = NULL;
    if (!is_bare_address(in->sender) || !is_bare_address(in->recipient))
        wrong = "The mail's sender or recipient is no address.";
    if (in->body.bytes == 0 || has_zero(in->user) || has_zero(in->password))
        wrong = "The mail has no message, or its user or password cannot be sent.";
    if (wrong == NULL) return true;
    call->fault = FAULT_OTHER;
    snprintf(call->error, sizeof call->error, "%s", wrong);
    return false;
}

/* ---- on the thread: curl's callbacks -------------------------------------------------------------- */

/* CURLOPT_OPENSOCKETFUNCTION */
static curl_socket_t socket_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch_call *call = context;
    struct mail_run *run = call->mail;
    curl_socket_t socket = CURL_SOCKET_BAD;
    uv_mutex_lock(&run->lock);
    for (unsigned i = 0; i < SOCKETS_MAX && !run->is_cut; i++) {
        if (run->sockets[i] != CURL_SOCKET_BAD) continue;
        socket = run->sockets[i] = fetch_socket_open(context, purpose, address);
        break;
    }
    uv_mutex_unlock(&run->lock);
    return socket;
}

/* CURLOPT_CLOSESOCKETFUNCTION */
static int socket_close(void *context, curl_socket_t socket)
{
    struct fetch_call *call = context;
    struct mail_run *run = call->mail;
    uv_mutex_lock(&run->lock);
    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        if (run->sockets[i] == socket) run->sockets[i] = CURL_SOCKET_BAD;
    }
    int result = close(socket);
    uv_mutex_unlock(&run->lock);
    return result;
}

static void sockets_shut(struct mail_run *run, int how)
{
    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        if (run->sockets[i] != CURL_SOCKET_BAD) shutdown(run->sockets[i], how);
    }
}

/* CURLOPT_READFUNCTION: the message, for curl to send. */
static size_t message_wanted(char *to, size_t size, size_t count, void *context)
{
    struct fetch_call *call = context;
    struct mail_run *run = call->mail;
    size_t bytes = call->call.body.bytes - run->read_bytes;
    if (bytes > size * count) bytes = size * count;
    memcpy(to, call->call.body.data + run->read_bytes, bytes);
    run->read_bytes += bytes;
    if (run->read_bytes == call->call.body.bytes) run->is_read = true;
    return bytes;
}

/* CURLOPT_HEADERFUNCTION: a line that the server has said. */
static size_t reply_arrived(char *data, size_t size, size_t count, void *context)
{
    struct fetch_call *call = context;
    struct mail_run *run = call->mail;
    struct text line = text_trim((struct text){data, size * count});
    uint64_t code;
    bool is_reply = line.bytes >= 3 && text_to_u64((struct text){line.data, 3}, 999, &code) &&
                    (line.bytes == 3 || line.data[3] == ' ');
    if (!is_reply || run->reply_code != 0) return size * count;
    run->last_code = (unsigned)code;
    snprintf(run->said, sizeof run->said, "%.*s", TEXT_ARGS(line));
    if (!run->is_read) return size * count;
    run->reply_code = (unsigned)code;
    uv_mutex_lock(&run->lock);
    sockets_shut(run, SHUT_RD); /* curl still says QUIT, and finds that no answer will come */
    uv_mutex_unlock(&run->lock);
    return size * count;
}

/* CURLOPT_XFERINFOFUNCTION: about once a second. */
static int is_given_up(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct fetch_call *call = context;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&call->mail->is_cancelled) ? 1 : 0;
}

static void thread_run(void *context)
{
    struct fetch_call *call = context;
    struct mail_run *run = call->mail;
    struct mailer *mailer = run->mailer;
    call->code = curl_easy_perform(call->easy);
    atomic_store(&run->has_ended, true); /* `call` is the loop's again */
    uv_async_send(&mailer->ended);
}

/* ---- on the loop ---------------------------------------------------------------------------------- */

static bool set_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

bool mail_prepare(struct fetch_call *call, uint64_t timeout_ms)
{
    CURL *easy = call->easy;
    const struct http_call *in = &call->call;
    struct mail_run *run = calloc(1, sizeof *run);
    if (run == NULL) return false;
    if (uv_mutex_init(&run->lock) != 0) {
        free(run);
        return false;
    }
    for (unsigned i = 0; i < SOCKETS_MAX; i++) run->sockets[i] = CURL_SOCKET_BAD;
    call->mail = run;
    run->recipients = curl_slist_append(NULL, in->recipient.data);
    bool has_user = in->user.bytes > 0;
    long use_ssl = in->is_plain ? CURLUSESSL_NONE : CURLUSESSL_ALL;

    bool ok =
        run->recipients != NULL && curl_easy_setopt(easy, CURLOPT_URL, in->url.data) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK;
    ok = ok && set_long(easy, CURLOPT_USE_SSL, use_ssl);
    ok = ok && (!has_user || curl_easy_setopt(easy, CURLOPT_USERNAME, in->user.data) == CURLE_OK);
    ok = ok &&
         (!has_user || curl_easy_setopt(easy, CURLOPT_PASSWORD, in->password.data) == CURLE_OK);
    ok = ok && curl_easy_setopt(easy, CURLOPT_MAIL_FROM, in->sender.data) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, run->recipients) == CURLE_OK;
    ok = ok && set_long(easy, CURLOPT_MAIL_RCPT_ALLOWFAILS, 0);
    ok = ok && set_long(easy, CURLOPT_UPLOAD, 1);
    ok = ok &&
         curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)in->body.bytes) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_READFUNCTION, message_wanted) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_READDATA, call) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, reply_arrived) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK;
    ok = ok && set_long(easy, CURLOPT_NOPROGRESS, 0);
    ok = ok && curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, is_given_up) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_close) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, call) == CURLE_OK;
    ok = ok && set_long(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT_MS, (long)timeout_ms);
    /* A connection is for one mail: one user, one conversation, nothing left over. */
    ok = ok && set_long(easy, CURLOPT_FRESH_CONNECT, 1);
    return ok && set_long(easy, CURLOPT_FORBID_REUSE, 1);
}

static void cut(struct mail_run *run)
{
    atomic_store(&run->is_cancelled, true);
    uv_mutex_lock(&run->lock);
    run->is_cut = true;
    sockets_shut(run, SHUT_RDWR);
    uv_mutex_unlock(&run->lock);
}

/* curl keeps the time limit everywhere but while it says good-bye. */
static void on_late(uv_timer_t *timer)
{
    const struct mailer *mailer = timer->data;
    uint64_t now_ms = uv_now(timer->loop), next_ms = UINT64_MAX;
    for (struct fetch_call *call = mailer->first; call != NULL; call = call->mail->next) {
        if (call->mail->late_ms <= now_ms) {
            cut(call->mail);
        } else if (call->mail->late_ms < next_ms) {
            next_ms = call->mail->late_ms;
        }
    }
    if (next_ms != UINT64_MAX) uv_timer_start(timer, on_late, next_ms - now_ms, 0);
}

bool mailer_start(struct mailer *mailer, struct fetch_call *call, uint64_t timeout_ms)
{
    struct mail_run *run = call->mail;
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_BYTES};
    run->mailer = mailer;
    run->late_ms = uv_now(mailer->late.loop) + timeout_ms + LATE_MS;
    if (uv_thread_create_ex(&run->thread, &options, thread_run, call) != 0) return false;
    run->next = mailer->first;
    mailer->first = call;
    uv_ref((uv_handle_t *)&mailer->ended);
    if (!uv_is_active((uv_handle_t *)&mailer->late)) {
        uv_timer_start(&mailer->late, on_late, timeout_ms + LATE_MS, 0);
    }
    return true;
}

struct fetch_call *mailer_take_ended(struct mailer *mailer)
{
    struct fetch_call **link = &mailer->first;
    while (*link != NULL && !atomic_load(&(*link)->mail->has_ended)) link = &(*link)->mail->next;
    struct fetch_call *call = *link;
    if (call == NULL) return NULL;
    *link = call->mail->next;
    uv_thread_join(&call->mail->thread);
    if (mailer->first == NULL) {
        uv_unref((uv_handle_t *)&mailer->ended);
        uv_timer_stop(&mailer->late);
    }
    return call;
}

__attribute__((format(printf, 4, 5))) static void fail(struct fetch_call *call,
                                                       struct http_result *result,
                                                       enum call_fault fault, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->error, sizeof call->error, format, arguments);
    va_end(arguments);
    result->fault = fault;
    result->error = text_of(call->error);
}

void mail_read_result(struct fetch_call *call, struct http_result *result)
{
    const struct mail_run *run = call->mail;
    if (run == NULL || call->fault != FAULT_NONE) { /* it never began */
        fetch_explain(call, result);
        return;
    }
    result->status = run->last_code;
    result->body = text_of(run->said);
    /* However the good-bye went, and whatever curl made of it: this was the answer. */
    if (run->reply_code >= 200 && run->reply_code < 300) {
        result->fault = FAULT_NONE;
    } else if (run->reply_code >= 400) {
        fail(call, result, FAULT_REFUSED, "%s refused the mail: %s", call->origin, run->said);
    } else if (run->is_read) {
        fetch_explain(call, result);
        result->may_have_arrived = true;
        result->status = 0;
        fail(call, result, result->fault == FAULT_NONE ? FAULT_CUT : result->fault,
             "%s took the whole mail, and then said nothing.", call->origin);
    } else if (call->code == CURLE_USE_SSL_FAILED) {
        fail(
            call, result, FAULT_UNSAFE,
            "%s offers no STARTTLS, and without it neither password nor mail is sent: check the port "
            "in smtp.url, or use smtps:// if it speaks TLS at once.",
            call->origin);
    } else if (run->last_code >= 400) {
        fail(call, result, FAULT_REFUSED, "%s refused the mail: %s", call->origin, run->said);
    } else {
        fetch_explain(call, result);
        if (fetch_is_certificate_fault(call)) result->fault = FAULT_UNSAFE;
        if (result->fault == FAULT_NONE)
            fail(call, result, FAULT_OTHER, "%s did not take the mail.", call->origin);
    }
}

void mail_free(struct fetch_call *call)
{
    if (call->mail == NULL) return;
    curl_slist_free_all(call->mail->recipients);
    uv_mutex_destroy(&call->mail->lock);
    free(call->mail);
    call->mail = NULL;
}

/* ---- opening and closing -------------------------------------------------------------------------- */

static void handle_closed(uv_handle_t *handle)
{
    const struct mailer *mailer = handle->data;
    fetcher_handle_closed(mailer->fetcher);
}

static void close_handles(struct mailer *mailer)
{
    uv_close((uv_handle_t *)&mailer->ended, handle_closed);
    uv_close((uv_handle_t *)&mailer->late, handle_closed);
}

static void on_ended(uv_async_t *async)
{
    struct mailer *mailer = async->data;
    if (!fetcher_is_closing(mailer->fetcher)) {
        fetcher_moved(mailer->fetcher);
        return;
    }
    for (struct fetch_call *call; (call = mailer_take_ended(mailer)) != NULL;)
        fetch_call_free(call);
    if (mailer->first == NULL) close_handles(mailer);
}

bool mailer_open(struct mailer *mailer, struct fetcher *fetcher, uv_loop_t *loop)
{
    *mailer = (struct mailer){.fetcher = fetcher};
    if (uv_async_init(loop, &mailer->ended, on_ended) != 0) return false;
    uv_timer_init(loop, &mailer->late);
    mailer->ended.data = mailer->late.data = mailer;
    uv_unref((uv_handle_t *)&mailer->ended);
    uv_unref((uv_handle_t *)&mailer->late);
    fetcher_handle_opened(fetcher);
    fetcher_handle_opened(fetcher);
    return true;
}

void mailer_close(struct mailer *mailer)
{
    for (struct fetch_call *call = mailer->first; call != NULL; call = call->mail->next)
        cut(call->mail);
    if (mailer->first == NULL) close_handles(mailer);
}
