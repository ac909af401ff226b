/* edge/dns_client.c and dns_transport.c: questions to small DNS servers on this machine. */
#include "edge/dns_client.h"
#include "loopback.h"
#include "unit.h"

enum { ANSWERS_SIZE = 8192, ERROR_SIZE = 600, OUTCOMES_MAX = 8, GUARD_MS = 20000 };

/* What a server does with one question. */
enum habit {
    HABIT_ANSWER,
    HABIT_SILENT,
    HABIT_THIRD,     /* silent twice */
    HABIT_TRUNCATED, /* TC bit */
    HABIT_FOREIGN,   /* another id, no QR bit, too short; then the answer */
    HABIT_ODD_ONLY,  /* the same without the answer */
    HABIT_LONG,
    HABIT_HALF,     /* TCP: ends in the middle */
    HABIT_TRANSFER, /* TCP: three messages in odd pieces, a foreign one among them */
    HABIT_ENDLESS   /* TCP: messages for ever */
};

static const uint8_t question[] = {0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0,
                                   0,    0,    1,    'a',  0, 0, 1, 0, 1};
static uv_loop_t *loop;
static struct dns_client *client;
static enum habit udp_habit, tcp_habit;

struct outcome {
    bool is_done;
    enum call_fault fault;
    char error[ERROR_SIZE];
    char answers[ANSWERS_SIZE];
    size_t answers_bytes;
    uint64_t duration_ms;
};

static struct outcome outcomes[OUTCOMES_MAX];
static unsigned started_count, done_count;
static bool is_starting;

static void on_done(void *context, uint64_t ref, const struct dns_result *result)
{
    struct outcome *o = &outcomes[ref];
    CHECK(context == outcomes && !is_starting && !o->is_done);
    CHECK((result->fault == FAULT_NONE) == (result->error.bytes == 0));
    o->is_done = true;
    o->fault = result->fault;
    o->duration_ms = result->duration_ms;
    text_to_zero_ended(result->error, o->error, sizeof o->error);
    o->answers_bytes = result->answers.bytes;
    if (result->answers.bytes > 0 && result->answers.bytes <= ANSWERS_SIZE) {
        memcpy(o->answers, result->answers.data, result->answers.bytes);
    }
    done_count++;
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    CHECK(!"the test came to its end in time");
    exit(unit_end());
}

static struct dns_call call_to(const char *host, unsigned port)
{
    static char server[128];
    snprintf(server, sizeof server, "%s:%u", host, port);
    return (struct dns_call){.server = text_of(server),
                             .message = {(const char *)question, sizeof question},
                             .timeout_ms = 1000,
                             .answer_bytes_max = ANSWERS_SIZE};
}

static struct outcome *start(const struct dns_call *call)
{
    is_starting = true;
    CHECK(dns_ask(client, started_count, call, on_done, outcomes));
    is_starting = false;
    return &outcomes[started_count++];
}

static void run_until_done(void)
{
    uv_timer_t guard;
    uv_timer_init(loop, &guard);
    uv_timer_start(&guard, on_guard, GUARD_MS, 0);
    while (done_count < started_count) uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(loop, UV_RUN_DEFAULT); /* everything of the exchanges is closed, or this hangs */
}

static void begin(void)
{
    memset(outcomes, 0, sizeof outcomes);
    started_count = done_count = 0;
}

static struct outcome *ask(struct dns_call call)
{
    begin();
    struct outcome *o = start(&call);
    run_until_done();
    return o;
}

static size_t answer_to(const char *asked, char *answer, size_t bytes)
{
    memset(answer, 'x', bytes);
    memcpy(answer, asked, 12);
    answer[2] = (char)(answer[2] | 0x80);
    return bytes;
}

static void udp_send(int fd, const char *data, size_t bytes, const struct sockaddr_in *to)
{
    sendto(fd, data, bytes, MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}

static void udp_send_odd(int fd, const char *asked, const struct sockaddr_in *to)
{
    char odd[64];
    size_t bytes = answer_to(asked, odd, sizeof odd);
    odd[1] ^= 1;
    udp_send(fd, odd, bytes, to);
    answer_to(asked, odd, sizeof odd);
    odd[2] &= 0x7f;
    udp_send(fd, odd, bytes, to);
    answer_to(asked, odd, sizeof odd);
    udp_send(fd, odd, 11, to);
    udp_send(fd, odd, 0, to);
}

static void serve_udp(struct loopback *self, int fd)
{
    char asked[2048], answer[6000];
    struct sockaddr_in from;
    for (;;) {
        socklen_t from_bytes = sizeof from;
        ssize_t bytes = recvfrom(fd, asked, sizeof asked, 0, (struct sockaddr *)&from, &from_bytes);
        if (bytes < 12) return;
        loopback_keep(self, asked, (size_t)bytes);
        bool is_odd = udp_habit == HABIT_FOREIGN || udp_habit == HABIT_ODD_ONLY;
        if (is_odd) udp_send_odd(fd, asked, &from);
        if (udp_habit == HABIT_SILENT || udp_habit == HABIT_ODD_ONLY) continue;
        if (udp_habit == HABIT_THIRD && self->seen_count % 3 != 0) continue;
        size_t answer_bytes =
            answer_to(asked, answer, udp_habit == HABIT_LONG ? sizeof answer : 40);
        if (udp_habit == HABIT_TRUNCATED) answer[2] |= 2;
        udp_send(fd, answer, answer_bytes, &from);
    }
}

static void tcp_send(int fd, const char *asked, size_t bytes, uint8_t id_change)
{
    char answer[6002];
    answer_to(asked, answer + 2, bytes);
    answer[0] = (char)(bytes >> 8);
    answer[1] = (char)bytes;
    answer[3] = (char)(answer[3] ^ id_change);
    size_t first = bytes / 2; /* in two pieces */
    loopback_send(fd, answer, first);
    usleep(2000);
    loopback_send(fd, answer + first, bytes + 2 - first);
}

static void serve_tcp(struct loopback *self, int fd)
{
    char asked[2048];
    size_t bytes = 0;
    while (bytes < 2 || bytes < 2u + (size_t)(uint8_t)asked[0] * 256 + (uint8_t)asked[1]) {
        ssize_t got = recv(fd, asked + bytes, sizeof asked - bytes, 0);
        if (got <= 0) return;
        bytes += (size_t)got;
    }
    loopback_keep(self, asked, bytes);
    switch (tcp_habit) {
    case HABIT_SILENT: loopback_hang(fd); return;
    case HABIT_HALF: loopback_send(fd, "\0\100\x12\x34\x81", 5); return;
    case HABIT_FOREIGN: tcp_send(fd, asked + 2, 30, 1); break;
    case HABIT_LONG: tcp_send(fd, asked + 2, 6000, 0); return;
    case HABIT_TRANSFER:
        tcp_send(fd, asked + 2, 100, 0);
        tcp_send(fd, asked + 2, 200, 1);
        tcp_send(fd, asked + 2, 3000, 0);
        tcp_send(fd, asked + 2, 50, 0);
        return;
    case HABIT_ENDLESS:
        for (int i = 0; i < 100; i++) tcp_send(fd, asked + 2, 1000, 0);
        return;
    default: break;
    }
    tcp_send(fd, asked + 2, 60, 0);
    loopback_hang(fd);
}

static bool is_three_messages(struct text answers)
{
    return answers.bytes == 102 + 3002 + 52;
}

static void check_error(const struct outcome *o, enum call_fault fault, const char *word)
{
    bool is_right = CHECK(o->fault == fault && strstr(o->error, word) != NULL);
    if (!is_right) printf("    fault %d, \"%s\"\n", o->fault, o->error);
    CHECK(o->answers_bytes == 0);
}

static struct loopback *udp, *tcp;

/* An answer by UDP is handed over as it came; the question went out as it was given. */
static void test_udp(void)
{
    udp_habit = HABIT_ANSWER;
    struct outcome *o = ask(call_to("127.0.0.1", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 40);
    CHECK(o->answers[0] == 0x12 && o->answers[1] == 0x34 && (o->answers[2] & 0x80) != 0);
    CHECK(udp->seen_bytes == sizeof question && memcmp(udp->seen, question, sizeof question) == 0);
    o = ask(call_to("localhost", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 40);
}

/* Two lost packets are made up for, on one socket. */
static void test_udp_retries(void)
{
    udp_habit = HABIT_THIRD;
    unsigned rest = (3 - loopback_seen_count(udp) % 3) % 3;
    udp->seen_count += rest;
    unsigned before = loopback_seen_count(udp);
    struct outcome *o = ask(call_to("127.0.0.1", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 40);
    CHECK(o->duration_ms >= 390 && o->duration_ms < 600);
    CHECK(loopback_seen_count(udp) == before + 3);
}

/* Answers with another id, without the QR bit or too short do not count, and do no harm. */
static void test_udp_foreign(void)
{
    udp_habit = HABIT_FOREIGN;
    struct outcome *o = ask(call_to("127.0.0.1", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 40);
    udp_habit = HABIT_ODD_ONLY;
    tcp_habit = HABIT_ANSWER;
    o = ask(call_to("127.0.0.1", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 60); /* by TCP in the end */
    CHECK(o->duration_ms >= 590);
}

/* An answer with the TC bit, or longer than a datagram that we take, is asked for again by TCP. */
static void test_truncated(void)
{
    udp_habit = HABIT_TRUNCATED;
    tcp_habit = HABIT_ANSWER;
    struct outcome *o = ask(call_to("127.0.0.1", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 60 && o->duration_ms < 500);
    CHECK(tcp->seen_bytes == sizeof question + 2 &&
          memcmp(tcp->seen + 2, question, sizeof question) == 0);
    udp_habit = HABIT_LONG;
    tcp_habit = HABIT_LONG;
    o = ask(call_to("127.0.0.1", udp->port));
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 6000);
}

/* A server that is silent both ways costs the time limit; silent by UDP only, three fifths of
 * it. */
static void test_silent(void)
{
    udp_habit = HABIT_SILENT;
    tcp_habit = HABIT_SILENT;
    struct dns_call call = call_to("127.0.0.1", udp->port);
    call.timeout_ms = 300;
    struct outcome *o = ask(call);
    check_error(o, FAULT_TIMEOUT, "127.0.0.1:");
    CHECK(o->duration_ms >= 290 && o->duration_ms < 500);
    tcp_habit = HABIT_ANSWER;
    o = ask(call);
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 60 && o->duration_ms >= 170);
}

/* Nobody at the port is known at once, by ICMP and by TCP. */
static void test_refused(void)
{
    struct outcome *o = ask(call_to("127.0.0.1", loopback_free_port()));
    check_error(o, FAULT_CONNECT, "refused the connection");
    CHECK(o->duration_ms < 300);
}

/* TCP asked for, or a question too long for UDP, goes by TCP; what is foreign there is skipped. */
static void test_tcp(void)
{
    unsigned before = loopback_seen_count(udp);
    struct dns_call call = call_to("127.0.0.1", tcp->port);
    call.by_tcp = true;
    tcp_habit = HABIT_FOREIGN;
    struct outcome *o = ask(call);
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 60);

    char big[513] = "\x12\x34";
    call.by_tcp = false;
    call.message = (struct text){big, sizeof big};
    tcp_habit = HABIT_ANSWER;
    o = ask(call);
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 60);
    CHECK(loopback_seen_count(udp) == before);

    call = call_to("127.0.0.1", tcp->port);
    call.by_tcp = true;
    tcp_habit = HABIT_HALF;
    check_error(ask(call), FAULT_CUT, "before its answer was complete");
    tcp_habit = HABIT_SILENT;
    call.timeout_ms = 100;
    check_error(ask(call), FAULT_TIMEOUT, "by TCP");
}

/* A transfer gathers messages with their prefixes until the caller has all. */
static void test_transfer(void)
{
    struct dns_call call = call_to("127.0.0.1", tcp->port);
    call.is_complete = is_three_messages;
    tcp_habit = HABIT_TRANSFER;
    struct outcome *o = ask(call);
    CHECK(o->fault == FAULT_NONE && o->answers_bytes == 102 + 3002 + 52);
    CHECK(o->answers[0] == 0 && o->answers[1] == 100 && (uint8_t)o->answers[103] == 3000 % 256);
    CHECK(o->answers[102] == 3000 / 256 && o->answers[104] == 0x12);

    tcp_habit = HABIT_HALF;
    check_error(ask(call), FAULT_CUT, "before its answer was complete");
    tcp_habit = HABIT_ENDLESS;
    check_error(ask(call), FAULT_TOO_LONG, "8192 bytes");
}

/* One message over the limit is refused, by either way. */
static void test_too_long(void)
{
    struct dns_call call = call_to("127.0.0.1", udp->port);
    udp_habit = HABIT_ANSWER;
    call.answer_bytes_max = 39;
    check_error(ask(call), FAULT_TOO_LONG, "39 bytes");
    call.answer_bytes_max = 40;
    CHECK(ask(call)->answers_bytes == 40);
    call.by_tcp = true;
    tcp_habit = HABIT_ANSWER;
    call.answer_bytes_max = 59;
    check_error(ask(call), FAULT_TOO_LONG, "59 bytes");
    call.answer_bytes_max = 60;
    CHECK(ask(call)->answers_bytes == 60);
}

/* A server that cannot be, and a question that is none. */
static void test_malformed(void)
{
    static const char *const servers[] = {"",       ":53",  "host:",   "host:0", "host:65536",
                                          "host:x", "[::1", "[::1]53", "[]:53"};
    struct dns_call call = call_to("127.0.0.1", udp->port);
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        call.server = text_of(servers[i]);
        check_error(ask(call), FAULT_URL, "host:port");
    }
    char longer[300];
    memset(longer, 'a', sizeof longer);
    call.server = (struct text){longer, sizeof longer};
    check_error(ask(call), FAULT_URL, "host:port");
    call = call_to("127.0.0.1", udp->port);
    call.message.bytes = 11;
    check_error(ask(call), FAULT_OTHER, "not a DNS message");
    call.message = TEXT_NONE;
    check_error(ask(call), FAULT_OTHER, "not a DNS message");
    call = call_to("nonexistent.invalid", 53);
    check_error(ask(call), FAULT_RESOLVE, "nonexistent.invalid");
    call = call_to("127.0.0.1", udp->port);
    call.server =
        TEXT("::1"); /* a bare IPv6 address, port 53; nobody is there, or there is no IPv6 */
    call.timeout_ms = 200;
    CHECK(ask(call)->fault != FAULT_URL);
    call.server = TEXT("[::1]");
    CHECK(ask(call)->fault != FAULT_URL);
}

/* Exchanges run side by side. */
static void test_many(void)
{
    udp_habit = HABIT_ANSWER;
    begin();
    for (unsigned i = 0; i < OUTCOMES_MAX; i++) {
        struct dns_call call = call_to(i % 2 == 0 ? "127.0.0.1" : "localhost", udp->port);
        start(&call);
    }
    run_until_done();
    for (unsigned i = 0; i < OUTCOMES_MAX; i++) CHECK(outcomes[i].answers_bytes == 40);
}

/* A lookup that failed quickly may be told before the close; nothing is told after it. */
static void on_done_before(void *context, uint64_t ref, const struct dns_result *result)
{
    const bool *has_closed = context;
    (void)ref;
    (void)result;
    CHECK(!*has_closed);
}

static void on_done_close(void *context, uint64_t ref, const struct dns_result *result)
{
    on_done(context, ref, result);
    dns_client_close(client);
}

/* Closing ends everything in silence: at once, in a lookup, waiting by UDP and TCP, from within
 * `done`. */
static void test_close(void)
{
    udp_habit = tcp_habit = HABIT_SILENT;
    struct dns_call call = call_to("127.0.0.1", udp->port);
    for (int rounds = 0; rounds < 4; rounds++) {
        bool has_closed = false;
        client = dns_client_open(loop);
        call = call_to(rounds % 2 == 0 ? "127.0.0.1" : "nonexistent.invalid", udp->port);
        CHECK(dns_ask(client, 0, &call, on_done_before, &has_closed));
        call.by_tcp = true;
        CHECK(dns_ask(client, 0, &call, on_done_before, &has_closed));
        for (int i = 0; i < rounds * 2; i++) uv_run(loop, UV_RUN_NOWAIT);
        dns_client_close(client);
        has_closed = true;
        CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    }
    bool has_closed = true; /* as far as the second exchange is concerned: it has nothing to tell before, either */
    client = dns_client_open(loop);
    begin();
    call = call_to("127.0.0.1", udp->port);
    udp_habit = HABIT_ANSWER;
    CHECK(dns_ask(client, started_count++, &call, on_done_close, outcomes));
    call.by_tcp = true;
    CHECK(dns_ask(client, 0, &call, on_done_before, &has_closed));
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(outcomes[0].answers_bytes == 40);
    dns_client_close(dns_client_open(loop));
}

int main(void)
{
    loop = uv_default_loop();
    udp = loopback_start(SOCK_DGRAM, 0, serve_udp);
    tcp = loopback_start(SOCK_STREAM, udp->port, serve_tcp);
    client = dns_client_open(loop);
    test_udp();
    test_udp_retries();
    test_udp_foreign();
    test_truncated();
    test_silent();
    test_refused();
    test_tcp();
    test_transfer();
    test_too_long();
    test_malformed();
    test_many();
    dns_client_close(client);
    test_close();
    loopback_stop(tcp);
    loopback_stop(udp);
    CHECK(uv_loop_close(loop) == 0);
    return unit_end();
}
