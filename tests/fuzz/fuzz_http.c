/* libFuzzer over edge/http_parse.c: any bytes, cut anywhere, never break what the edge relies
 * on.
 *
 * The first byte seeds the cuts, the rest is what a client sends. It is parsed three times, as
 * the connection would do it: whole, byte by byte, and cut at random, each piece in a buffer of
 * its own size so that the sanitizer sees one byte too far. All three must find the same
 * requests, the same refusal and the same body bytes, and every span must lie in the buffer.
 * (Which of two faults is named may differ.) */
#include <assert.h>
#include <stdlib.h>

#include "edge/http_private.h"

enum { HEAD_MAX = 512, FIELDS_MAX = 12, BODY_MAX = 256 };

/* What one way of cutting found, put together from everything a handler would see. */
struct finding {
    uint64_t hash;
    unsigned request_count;
    enum err why;
};

static size_t body_bytes_max(void *context, struct text method, struct text path)
{
    (void)context;
    assert(method.bytes > 0 && path.bytes > 0);
    return BODY_MAX;
}

static void hash_add(struct finding *found, struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        found->hash = (found->hash ^ (uint8_t)t.data[i]) * UINT64_C(1099511628211);
    }
    found->hash = (found->hash ^ t.bytes) * UINT64_C(1099511628211);
}

static void check_within(struct text t, const char *request, size_t bytes)
{
    if (t.bytes == 0) return;
    assert(t.data >= request && t.data + t.bytes <= request + bytes);
}

/* Everything that on_request may take for granted. */
static void check_request(const struct http_parser *p, const struct http_request *rq,
                          const char *request, size_t bytes)
{
    bool has_length = p->llhttp.flags & F_CONTENT_LENGTH;
    bool has_coding = p->fields_seen >> HTTP_FIELD_transfer_encoding & 1;
    assert(!(has_length && has_coding));
    assert(p->llhttp.http_major == 1 && p->llhttp.http_minor <= 1);
    assert(rq->host.bytes > 0 || p->llhttp.http_minor == 0);
    assert(rq->method.bytes > 0 && rq->path.bytes > 0 && rq->body.bytes <= BODY_MAX);
    assert(rq->path.data[0] == '/' || text_equal(rq->path, TEXT("*")));
    assert(p->head_bytes - p->line_begin <= HEAD_MAX && p->field_count <= FIELDS_MAX);
    assert(memchr(rq->path.data, '\0', rq->path.bytes) == NULL);
    if (!text_equal(rq->path, TEXT("/"))) check_within(rq->path, request, bytes);
    check_within(rq->query, request, bytes);
    check_within(rq->body, request, bytes);
    if (p->forwarded_for == NULL) check_within(rq->forwarded_for, request, bytes);
#define FIELD_CHECK(name, field) \
    assert(memchr(rq->name.bytes > 0 ? rq->name.data : "x", '\n', rq->name.bytes) == NULL);
    HTTP_FIELDS(FIELD_CHECK, FIELD_CHECK)
#undef FIELD_CHECK
}

static void request_take(const struct http_parser *p, struct finding *found, const char *request,
                         size_t bytes)
{
    struct http_request rq;
    http_parser_request(p, request, &rq);
    check_request(p, &rq, request, bytes);
    found->request_count++;
    hash_add(found, rq.method);
    hash_add(found, rq.path);
    hash_add(found, rq.query);
    hash_add(found, rq.body);
#define FIELD_ADD(name, field) hash_add(found, rq.name);
    HTTP_FIELDS(FIELD_ADD, FIELD_ADD)
#undef FIELD_ADD
}

/* As connection_parse() does it. False when the connection would close. What is left goes to
 * *kept. */
static bool feed(struct http_parser *p, struct finding *found, char **kept, size_t *kept_bytes,
                 const uint8_t *piece, size_t piece_bytes)
{
    size_t begin = 0, parsed = *kept_bytes, end = *kept_bytes + piece_bytes;
    char *input = malloc(end);
    if (*kept_bytes > 0) memcpy(input, *kept, *kept_bytes);
    memcpy(input + *kept_bytes, piece, piece_bytes);
    free(*kept);
    *kept = NULL;
    *kept_bytes = 0;
    bool is_open = true;
    while (is_open && begin + parsed < end) {
        enum http_progress progress = http_parse(p, input + begin, &parsed, end - begin);
        assert(progress == HTTP_REFUSED || parsed <= end - begin);
        if (progress == HTTP_MORE) {
            *kept_bytes = parsed;
            break;
        }
        if (progress == HTTP_REFUSED) {
            struct http_request rq;
            http_parser_request(p, input + begin, &rq);
            found->why = p->why;
            assert(found->why != OK);
            is_open = false;
            break;
        }
        request_take(p, found, input + begin, parsed);
        is_open = p->is_keep_alive;
        http_parser_reset(p);
        begin += parsed;
        parsed = 0;
    }
    if (*kept_bytes > 0) {
        *kept = malloc(*kept_bytes);
        memcpy(*kept, input + begin, *kept_bytes);
    }
    assert(*kept_bytes <= HEAD_MAX + BODY_MAX + piece_bytes);
    free(input);
    return is_open;
}

static uint32_t chance(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* longest: of a piece; 1 is byte by byte. */
static struct finding run(const uint8_t *bytes, size_t count, size_t longest, uint32_t seed)
{
    static const struct http_settings settings = {.head_bytes_max = HEAD_MAX,
                                                  .fields_max = FIELDS_MAX};
    static const struct http_handlers handlers = {.body_bytes_max = body_bytes_max};
    struct finding found = {.hash = UINT64_C(14695981039346656037)};
    struct http_parser p;
    char *kept = NULL;
    size_t kept_bytes = 0;
    http_parser_init(&p, &settings, &handlers);
    while (count > 0) {
        size_t piece = seed == 0 ? longest : 1 + chance(&seed) % longest;
        if (piece > count) piece = count;
        if (!feed(&p, &found, &kept, &kept_bytes, bytes, piece)) break;
        bytes += piece;
        count -= piece;
    }
    http_parser_free(&p);
    free(kept);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 2) return 0;
    uint32_t seed = bytes[0] + 1u;
    struct finding whole = run(bytes + 1, count - 1, count, 0);
    struct finding single = run(bytes + 1, count - 1, 1, 0);
    struct finding cut = run(bytes + 1, count - 1, 24, seed);
    assert(whole.request_count == single.request_count && whole.request_count == cut.request_count);
    assert(whole.hash == single.hash && whole.hash == cut.hash);
    assert((whole.why == OK) == (single.why == OK) && (whole.why == OK) == (cut.why == OK));
    return 0;
}
