/* edge/fetch_mail.c against a mail server of few words: what counts as taken, refused, and not known; that a slow
 * server never stops the loop; that closing in the middle leaves nothing behind. TLS and AUTH: tests/wire/test_mail.py. */
#include "edge/fetch_private.h"
#include "loopback.h"
#include "unit.h"

enum { TIMEOUT_MS = 600, GUARD_MS = 20000, LARGE_BYTES = 8 << 20 };

static uv_loop_t *loop;
static struct fetcher *fetcher;
static struct loopback *server;

/* What the server says to each command; NULL: nothing any more, "" : it hangs up. */
static struct script {
    const char *greeting, *ehlo, *mail, *rcpt, *data, *end, *quit;
    unsigned end_wait_ms;
} script;

static const struct script good = {
    "220 hello\r\n", "250-sink\r\n250 SIZE 0\r\n", "250 ok\r\n",  "250 ok\r\n",
    "354 go on\r\n", "250 2.0.0 taken\r\n",        "221 bye\r\n", 0};

static struct {
    bool is_done;
    struct http_result result;
    char error[1024], body[512];
    uint64_t at_ms;
} got;

/* ---- the server ----------------------------------------------------------------------------------- */

/* False: the conversation is over. */
static bool say(int fd, const char *words)
{
    if (words == NULL) loopback_hang(fd);
    if (words == NULL || words[0] == '\0') return false;
    loopback_send(fd, words, strlen(words));
    return true;
}

static const char *answer_to(const char *line)
{
    if (strncmp(line, "EHLO", 4) == 0 || strncmp(line, "HELO", 4) == 0) return script.ehlo;
    if (strncmp(line, "MAIL", 4) == 0) return script.mail;
    if (strncmp(line, "RCPT", 4) == 0) return script.rcpt;
    if (strncmp(line, "DATA", 4) == 0) return script.data;
    return strncmp(line, "QUIT", 4) == 0 ? script.quit : "500 what?\r\n";
}

static unsigned message_lines_max; /* then it hangs up; 0: it reads to the end */

static bool take_message(struct loopback *self, int fd, FILE *in)
{
    unsigned lines = 0;
    static char message[LOOPBACK_SEEN_MAX];
    char line[2048];
    size_t bytes = 0;
    for (;;) {
        if (fgets(line, sizeof line, in) == NULL || ++lines == message_lines_max) return false;
        if (strcmp(line, ".\r\n") == 0) break;
        size_t length = strlen(line);
        if (bytes + length < sizeof message) memcpy(message + bytes, line, length);
        bytes += length;
    }
    loopback_keep(self, message, bytes < sizeof message ? bytes : 0);
    usleep(script.end_wait_ms * 1000);
    return say(fd, script.end);
}

static void serve_smtp(struct loopback *self, int fd)
{
    char line[2048];
    FILE *in = fdopen(dup(fd), "r");
    if (in == NULL) abort();
    bool goes_on = say(fd, script.greeting);
    while (goes_on && fgets(line, sizeof line, in) != NULL) {
        goes_on = say(fd, answer_to(line));
        if (goes_on && strncmp(line, "DATA", 4) == 0 && strncmp(script.data, "354", 3) == 0)
            goes_on = take_message(self, fd, in);
        if (strncmp(line, "QUIT", 4) == 0) break;
    }
    fclose(in);
}

/* ---- calls ---------------------------------------------------------------------------------------- */

static void on_done(void *context, uint64_t ref, const struct http_result *result)
{
    (void)context, (void)ref;
    CHECK(!got.is_done);
    CHECK((result->fault == FAULT_NONE) == (result->error.bytes == 0));
    got.is_done = true;
    got.result = *result;
    text_to_zero_ended(result->error, got.error, sizeof got.error);
    text_to_zero_ended(result->body, got.body, sizeof got.body);
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    CHECK(!"the test came to its end in time");
    exit(unit_end());
}

static struct http_call mail_of(char *url, size_t size)
{
    snprintf(url, size, "smtp://127.0.0.1:%u", server->port);
    return (struct http_call){.is_mail = true,
                              .is_plain = true,
                              .url = text_of(url),
                              .sender = TEXT("a@example.com"),
                              .recipient = TEXT("b@example.com"),
                              .body = TEXT("Subject: x\r\n\r\nHello\r\n.hidden\r\n"),
                              .timeout_ms = TIMEOUT_MS,
                              .answer_bytes_max = 1000};
}

static void run(void)
{
    uv_timer_t guard;
    uv_timer_init(loop, &guard);
    uv_timer_start(&guard, on_guard, GUARD_MS, 0);
    while (!got.is_done) uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

static void send_call(const struct http_call *call)
{
    uint64_t begin_ns = uv_hrtime();
    memset(&got, 0, sizeof got);
    uv_update_time(loop);
    CHECK(fetch_start(fetcher, 0, call, on_done, NULL));
    run();
    got.at_ms = (uv_hrtime() - begin_ns) / 1000000;
}

static void send_with(struct script wanted)
{
    char url[64];
    script = wanted;
    struct http_call call = mail_of(url, sizeof url);
    send_call(&call);
}

static void check_got(enum call_fault fault, unsigned status, bool may_have_arrived,
                      const char *words)
{
    bool is_right = CHECK(got.result.fault == fault && got.result.status == status &&
                          got.result.may_have_arrived == may_have_arrived) &&
                    CHECK(strstr(fault == FAULT_NONE ? got.body : got.error, words) != NULL);
    if (is_right) return;
    printf("    fault %d, status %u, %s, \"%s\", \"%s\"\n", got.result.fault, got.result.status,
           got.result.may_have_arrived ? "may have arrived" : "has not arrived", got.error,
           got.body);
}

#define GOOD_BUT(member, words) ((script = good, script.member = (words), script))

/* ---- cases ---------------------------------------------------------------------------------------- */

static void test_taken(void)
{
    send_with(good);
    check_got(FAULT_NONE, 250, false, "250 2.0.0 taken");
    pthread_mutex_lock(&server->lock);
    CHECK_TEXT(((struct text){server->seen, server->seen_bytes}),
               "Subject: x\r\n\r\nHello\r\n..hidden\r\n");
    pthread_mutex_unlock(&server->lock);
    send_with(GOOD_BUT(end, "250-2.0.0 taken\r\n250-and\r\n250 kept\r\n"));
    check_got(FAULT_NONE, 250, false, "250 kept");
}

static void test_refused(void)
{
    send_with(GOOD_BUT(rcpt, "550 5.1.1 nobody\r\n"));
    check_got(FAULT_REFUSED, 550, false, "550 5.1.1 nobody");
    send_with(GOOD_BUT(rcpt, "451 4.7.1 later\r\n"));
    check_got(FAULT_REFUSED, 451, false, "451 4.7.1 later");
    send_with(GOOD_BUT(end, "554 5.7.1 spam\r\n"));
    check_got(FAULT_REFUSED, 554, false, "554 5.7.1 spam");
    send_with(GOOD_BUT(end, "421 4.3.2 closing\r\n"));
    check_got(FAULT_REFUSED, 421, false, "421 4.3.2 closing");
    send_with(GOOD_BUT(greeting, "554 go away\r\n"));
    check_got(FAULT_REFUSED, 554, false, "554 go away");
}

/* Only what comes after the whole message says what became of it. */
static void test_not_known(void)
{
    send_with(GOOD_BUT(end, NULL));
    check_got(FAULT_TIMEOUT, 0, true, "took the whole mail, and then said nothing");
    CHECK(got.at_ms >= TIMEOUT_MS - 50 && got.at_ms < TIMEOUT_MS + 1500);
    send_with(GOOD_BUT(end, ""));
    check_got(got.result.fault, 0, true, "took the whole mail, and then said nothing");
    send_with(GOOD_BUT(end, "250-taken\r\n"));
    CHECK(got.result.fault != FAULT_NONE && got.result.may_have_arrived);
}

static void test_not_arrived(void)
{
    send_with(GOOD_BUT(greeting, NULL));
    CHECK(got.result.fault == FAULT_TIMEOUT && !got.result.may_have_arrived);
    send_with(GOOD_BUT(greeting, ""));
    CHECK(got.result.fault != FAULT_NONE && !got.result.may_have_arrived);
    send_with(GOOD_BUT(mail, NULL));
    CHECK(got.result.fault == FAULT_TIMEOUT && !got.result.may_have_arrived);
    send_with(GOOD_BUT(rcpt, ""));
    CHECK(got.result.fault != FAULT_NONE && !got.result.may_have_arrived);
    send_with(GOOD_BUT(data, NULL));
    CHECK(got.result.fault == FAULT_TIMEOUT && !got.result.may_have_arrived);
}

/* Hung up on in the middle of a long message: the server cannot have its end. */
static void test_cut_in_the_middle(void)
{
    static char message[LARGE_BYTES];
    char url[64];
    memset(message, 'x', sizeof message);
    for (size_t i = 76; i + 1 < sizeof message; i += 78) memcpy(message + i, "\r\n", 2);
    script = good;
    struct http_call call = mail_of(url, sizeof url);
    call.body = (struct text){message, sizeof message};
    message_lines_max = 3;
    send_call(&call);
    message_lines_max = 0;
    CHECK(got.result.fault != FAULT_NONE && !got.result.may_have_arrived);
}

/* Its answer counts, however it says good-bye. */
static void test_goodbye(void)
{
    send_with(GOOD_BUT(quit, NULL));
    check_got(FAULT_NONE, 250, false, "250 2.0.0 taken");
    CHECK(got.at_ms < TIMEOUT_MS);
    send_with(GOOD_BUT(quit, ""));
    check_got(FAULT_NONE, 250, false, "250 2.0.0 taken");
    /* Refused, and then silence at QUIT: told when the time is over, not later. */
    script = good;
    script.rcpt = "550 no\r\n";
    script.quit = NULL;
    send_with(script);
    check_got(FAULT_REFUSED, 550, false, "550 no");
    CHECK(got.at_ms < TIMEOUT_MS + 1000 + 1000);
}

/* A server that takes its time after the message: meanwhile the loop turns. */
static uint64_t last_tick_ns, longest_ns;

static void on_tick(uv_timer_t *timer)
{
    uint64_t now_ns = uv_hrtime();
    (void)timer;
    if (now_ns - last_tick_ns > longest_ns) longest_ns = now_ns - last_tick_ns;
    last_tick_ns = now_ns;
}

static void test_loop_turns(void)
{
    uv_timer_t ticker;
    script = good;
    script.end_wait_ms = TIMEOUT_MS - 100;
    uv_timer_init(loop, &ticker);
    uv_timer_start(&ticker, on_tick, 5, 5);
    last_tick_ns = uv_hrtime();
    longest_ns = 0;
    send_with(script);
    uv_close((uv_handle_t *)&ticker, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    check_got(FAULT_NONE, 250, false, "250 2.0.0 taken");
    CHECK(got.at_ms >= TIMEOUT_MS - 100 && longest_ns < 250 * 1000000ull);
}

static void test_hostile(void)
{
    static char long_line[200000];
    static const char *const words[] = {"\r\n",       "2",         "25x ok\r\n",
                                        "999 ok\r\n", "-1 ok\r\n", "\x80\xff\x1b[31m\r\n",
                                        "250",        "000 x\r\n", long_line};
    memset(long_line, '2', sizeof long_line - 1);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        send_with(GOOD_BUT(greeting, words[i]));
        CHECK(got.result.fault != FAULT_NONE && !got.result.may_have_arrived);
        send_with(GOOD_BUT(end, words[i]));
        CHECK(got.result.fault != FAULT_NONE);
    }
}

static void check_unsendable(struct http_call call, enum call_fault fault)
{
    unsigned before = server->connection_count;
    send_call(&call);
    CHECK(got.result.fault == fault && !got.result.may_have_arrived &&
          server->connection_count == before);
}

static void test_unsendable(void)
{
    char url[64];
    struct http_call call = mail_of(url, sizeof url), bad;
    script = good;
    bad = call, bad.recipient = TEXT("b@example.com>\r\nRCPT TO:<c@example.com");
    check_unsendable(bad, FAULT_OTHER);
    bad = call, bad.sender = TEXT("");
    check_unsendable(bad, FAULT_OTHER);
    bad = call, bad.body = TEXT_NONE;
    check_unsendable(bad, FAULT_OTHER);
    bad = call, bad.url = TEXT("http://127.0.0.1/");
    check_unsendable(bad, FAULT_URL);
    bad = call, bad.url = TEXT("smtp://192.0.2.1:25");
    check_unsendable(bad, FAULT_ADDRESS);
    bad = call, bad.url = TEXT("smtps://127.0.0.1:465"), bad.is_plain = false;
    check_unsendable(bad, FAULT_TLS);
    /* And a mail's URL is none for other calls. */
    bad = call, bad.is_mail = false, bad.method = TEXT("GET");
    check_unsendable(bad, FAULT_URL);
}

/* Closing while mails hang at several places: nothing is called back, nothing is left. */
static void test_close(void)
{
    for (unsigned i = 0; i < 3; i++) {
        char url[64];
        script = good;
        if (i == 0) script.greeting = NULL;
        if (i == 1) script.end = NULL;
        if (i == 2) {
            script.rcpt = "550 no\r\n";
            script.quit = NULL;
        }
        struct http_call call = mail_of(url, sizeof url);
        call.timeout_ms = 10000;
        memset(&got, 0, sizeof got);
        for (unsigned n = 0; n < 3; n++) CHECK(fetch_start(fetcher, n, &call, on_done, NULL));
        uint64_t begin_ns = uv_hrtime();
        while (uv_hrtime() - begin_ns < 100 * 1000000ull) {
            uv_run(loop, UV_RUN_NOWAIT);
            usleep(1000);
        }
        begin_ns = uv_hrtime();
        fetcher_close(fetcher);
        CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
        CHECK(uv_hrtime() - begin_ns < 1500 * 1000000ull && !got.is_done);
        fetcher = fetcher_open(
            loop, &(struct fetch_settings){.calls_max = 8, .user_agent = "homeport/test"});
    }
}

int main(void)
{
    loop = uv_default_loop();
    script = good;
    server = loopback_start(SOCK_STREAM, 0, serve_smtp);
    fetcher =
        fetcher_open(loop, &(struct fetch_settings){.calls_max = 8, .user_agent = "homeport/test"});
    CHECK(fetcher != NULL);
    test_taken();
    test_refused();
    test_not_known();
    test_not_arrived();
    test_cut_in_the_middle();
    test_goodbye();
    test_loop_turns();
    test_hostile();
    test_unsendable();
    test_close();
    fetcher_close(fetcher);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    loopback_stop(server);
    CHECK(uv_loop_close(loop) == 0);
    return unit_end();
}
