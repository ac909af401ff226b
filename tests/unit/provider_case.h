/* Plays a DNS provider: a job, its answers one by one, and what it wants to send. Every step gets a
 * fresh arena, so a pointer that a provider kept from an earlier round is found by the sanitizers.
 */
#ifndef HOMEPORT_TESTS_PROVIDER_CASE_H
#define HOMEPORT_TESTS_PROVIDER_CASE_H

#include "unit.h"

#include "ddns/provider.h"
#include "cloud/cloud_json.h"

enum { PLAY_ARENA_BYTES_MAX = 4 * 1024 * 1024 };

struct play {
    const struct provider *provider;
    struct dns_job job;
    struct dns_memo memo;
    struct provider_call call;
    struct dns_verdict verdict;
    enum provider_next next;
    struct arena arenas[2]; /* this step's, and the last one's for answers made from its call */
    unsigned sent_count;
};

static inline void play_step(struct play *p, const struct provider_answer *last)
{
    struct arena spare = p->arenas[1];
    p->arenas[1] = p->arenas[0];
    p->arenas[0] = spare;
    arena_free(&p->arenas[0]);
    p->job.arena = &p->arenas[0];
    memset(&p->call, 0, sizeof(p->call));
    p->next = p->provider->step(&p->job, &p->memo, last, &p->call, &p->verdict);
    if (p->next == PROVIDER_SEND) p->sent_count++;
    p->job.nonce[15]++;
}

/* The defaults of all cases: home.example.com A 192.0.2.2, TTL 600, the key of the vectors. */
static inline struct play play_of(const char *provider, const char *endpoint,
                                  const char *credentials)
{
    struct play p = {.provider = provider_find(text_of(provider))};
    CHECK(p.provider != NULL);
    arena_init(&p.arenas[0], PLAY_ARENA_BYTES_MAX);
    arena_init(&p.arenas[1], PLAY_ARENA_BYTES_MAX);
    p.job = (struct dns_job){
        .action = DNS_PUSH,
        .now_ms = 1772352550000, /* 2026-03-01T08:09:10Z */
        .nonce = {0x3f, 0x0c, 0x6a, 0xd2, 0xb1, 0xe9, 0x4f, 0x7d, 0x8c, 0x5a, 0x00, 0x11, 0x22,
                  0x33, 0x44, 0x55},
        .zone = TEXT("example.com"),
        .owner = TEXT("home"),
        .type = DNS_A,
        .value = TEXT("192.0.2.2"),
        .ttl = 600,
        .credentials = text_of(credentials),
        .endpoint = text_of(endpoint),
        .user_agent = TEXT("homeport/test"),
        .timeout_ms = 10000,
    };
    return p;
}

static inline void play_start(struct play *p)
{
    p->memo = (struct dns_memo){0};
    p->sent_count = 0;
    play_step(p, NULL);
}

static inline void play_end(struct play *p)
{
    arena_free(&p->arenas[0]);
    arena_free(&p->arenas[1]);
}

static inline void play_result(struct play *p, const struct http_result *result)
{
    const struct provider_answer last = {.http = result};
    p->memo.round++;
    play_step(p, &last);
}

static inline void play_answer(struct play *p, unsigned status, const char *body)
{
    const struct http_result result = {
        .status = status, .body = text_of(body), .retry_after_ms = -1};
    play_result(p, &result);
}

static inline bool play_is_sent(const struct play *p, const char *method, const char *url)
{
    bool is_sent = p->next == PROVIDER_SEND && !p->call.is_dns &&
                   text_equal(p->call.http.method, text_of(method)) &&
                   text_equal(p->call.http.url, text_of(url));
    if (!is_sent) {
        printf("    sent %.*s %.*s\n    not  %s %s\n", TEXT_ARGS(p->call.http.method),
               TEXT_ARGS(p->call.http.url), method, url);
        if (p->next == PROVIDER_FINISHED) {
            printf("    but ended: %.*s\n", TEXT_ARGS(p->verdict.detail));
        }
    }
    return is_sent;
}

static inline bool text_has(struct text t, const char *part)
{
    size_t part_bytes = strlen(part);
    for (size_t i = 0; i + part_bytes <= t.bytes; i++) {
        if (memcmp(t.data + i, part, part_bytes) == 0) return true;
    }
    return false;
}

static inline bool play_is_ended(const struct play *p, enum call_class class)
{
    bool is_ended = p->next == PROVIDER_FINISHED && p->verdict.class == class;
    bool is_quiet = class == CLASS_OK || class == CLASS_UNCHANGED;
    /* A verdict that asks something of the user says what; a good one is silent. */
    if (is_ended) is_ended = is_quiet == (p->verdict.detail.bytes == 0);
    if (!is_ended) {
        printf("    next %d class %d detail \"%.*s\" answer \"%.*s\"\n", (int)p->next,
               (int)p->verdict.class, TEXT_ARGS(p->verdict.detail), TEXT_ARGS(p->verdict.answer));
    }
    return is_ended && !text_has(p->verdict.detail, "Secret") &&
           !text_has(p->verdict.detail, "token-0001");
}

/* The value of a header field of the call, by name in any case; empty when it is not there. */
static inline struct text play_header(const struct play *p, const char *name)
{
    struct text lines = p->call.http.fields;
    while (lines.data != NULL) {
        struct text line = text_cut(&lines, '\n');
        struct text field = text_cut(&line, ':');
        if (text_equal_fold(field, text_of(name))) return text_trim(line);
    }
    return TEXT_NONE;
}

static inline enum call_class class_of_word(struct text word)
{
    static const char *const words[] = {"ok",    "unchanged", "retry", "throttled",
                                        "clock", "gone",      "auth",  "fatal"};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (text_equal(word, text_of(words[i]))) return (enum call_class)i;
    }
    CHECK(!"a class that is known");
    return CLASS_FATAL;
}

#endif
