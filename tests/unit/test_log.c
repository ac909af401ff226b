/* A log line is one JSON object in one write, whatever it is given. */
#include "core/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <yyjson.h>

#include "unit.h"

/* The checks of products are not under test here. */
#define CHECKER(name, where, pattern) \
    bool check_##name(struct text value, struct text *reason); \
    __attribute__((weak)) bool check_##name(struct text value, struct text *reason) \
    { \
        (void)value, (void)reason; \
        return true; \
    }
#include "checks.def"
#undef CHECKER

enum { THREADS = 4, LINES = 200 };

static char output[1 << 20];
static int stdout_before, output_pipe[2];

static void capture_begin(void)
{
    fflush(stdout);
    stdout_before = dup(STDOUT_FILENO);
    CHECK(pipe(output_pipe) == 0);
    dup2(output_pipe[1], STDOUT_FILENO);
    close(output_pipe[1]);
}

/* What was written since; it must fit into a pipe, or somebody must read meanwhile. */
static struct text capture_end(void)
{
    size_t bytes = 0;
    ssize_t n;
    dup2(stdout_before, STDOUT_FILENO);
    close(stdout_before);
    while ((n = read(output_pipe[0], output + bytes, sizeof output - bytes)) > 0) bytes += (size_t)n;
    close(output_pipe[0]);
    return (struct text){output, bytes};
}

static const char *member(yyjson_doc *doc, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), key));
}

static void test_a_line(void)
{
    capture_begin();
    log_line(LOG_INFO, "store \"opened\"", LOG_TEXT("path", TEXT("/data/\n\xff")), LOG_NUMBER("records", 12),
             LOG_ID("id", 7214839201836032), LOG_FLAG("is_new", true), LOG_ERR(ERR_STORE), LOG_STRING("none", NULL), LOG_END);
    log_line(LOG_DEBUG, "not shown", LOG_END);
    log_line_of(LOGGER_ACCESS, LOG_ERROR, "shown", LOG_END);
    struct text rest = capture_end(), line = text_cut(&rest, '\n');
    yyjson_doc *doc = yyjson_read(line.data, line.bytes, 0);
    if (!CHECK(doc != NULL)) return;
    CHECK_TEXT(text_of(member(doc, "level")), "info");
    CHECK_TEXT(text_of(member(doc, "logger")), "app");
    CHECK_TEXT(text_of(member(doc, "message")), "store \"opened\"");
    CHECK_TEXT(text_of(member(doc, "path")), "/data/\n\xef\xbf\xbd");
    CHECK_TEXT(text_of(member(doc, "id")), "7214839201836032");
    CHECK_TEXT(text_of(member(doc, "error")), "STORE");
    CHECK_TEXT(text_of(member(doc, "none")), "");
    CHECK(strlen(member(doc, "time")) == 24 && member(doc, "time")[23] == 'Z');
    CHECK(yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), "records")) == 12);
    CHECK(yyjson_get_bool(yyjson_obj_get(yyjson_doc_get_root(doc), "is_new")));
    yyjson_doc_free(doc);
    line = text_cut(&rest, '\n');
    CHECK(line.bytes > 0 && memmem(line.data, line.bytes, "\"logger\":\"access\"", 17) != NULL);
    CHECK(rest.bytes == 0);
}

static void test_levels(void)
{
    enum log_level level = LOG_INFO;
    CHECK(log_level_read(TEXT("debug"), &level) && level == LOG_DEBUG);
    CHECK(log_level_read(TEXT("error"), &level) && level == LOG_ERROR);
    CHECK(!log_level_read(TEXT("loud"), &level) && level == LOG_ERROR);
    log_level_set(LOG_ERROR);
    CHECK(log_is_on(LOG_ERROR) && !log_is_on(LOG_WARNING));
    log_level_set(LOG_DEBUG);
    CHECK(log_is_on(LOG_DEBUG));
    log_level_set(LOG_INFO);
}

/* Long texts are cut and what does not fit is left out; the line stays an object. */
static void test_long_lines(void)
{
    static char many[6000];
    for (size_t bytes = 0; bytes < sizeof many; bytes += 53) {
        memset(many, bytes % 2 == 0 ? 'a' : 1, sizeof many);
        struct text t = {many, bytes};
        capture_begin();
        log_line(LOG_INFO, "long", LOG_TEXT("a", t), LOG_TEXT("b", t), LOG_TEXT("c", t), LOG_TEXT("d", t),
                 LOG_NUMBER("last", 1), LOG_END);
        struct text rest = capture_end(), line = text_cut(&rest, '\n');
        yyjson_doc *doc = yyjson_read(line.data, line.bytes, 0);
        CHECK(doc != NULL && rest.data != NULL && rest.bytes == 0 && line.bytes < 4096);
        CHECK(yyjson_obj_get(yyjson_doc_get_root(doc), "last") != NULL);
        yyjson_doc_free(doc);
    }
}

static void *write_lines(void *number)
{
    for (uint64_t i = 0; i < LINES; i++) {
        log_line(LOG_INFO, "line", LOG_NUMBER("thread", *(unsigned *)number), LOG_NUMBER("i", i), LOG_END);
    }
    return NULL;
}

static void *read_lines(void *unused)
{
    size_t bytes = 0;
    ssize_t n;
    (void)unused;
    while ((n = read(output_pipe[0], output + bytes, sizeof output - bytes)) > 0) bytes += (size_t)n;
    return (void *)(uintptr_t)bytes;
}

/* Threads do not cut into each other's lines. */
static void test_threads(void)
{
    pthread_t threads[THREADS], reader;
    unsigned numbers[THREADS], good = 0;
    void *bytes;
    capture_begin();
    pthread_create(&reader, NULL, read_lines, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, write_lines, &numbers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    dup2(stdout_before, STDOUT_FILENO);
    close(stdout_before);
    pthread_join(reader, &bytes);
    close(output_pipe[0]);
    struct text rest = {output, (size_t)(uintptr_t)bytes};
    while (rest.bytes > 0) {
        struct text line = text_cut(&rest, '\n');
        yyjson_doc *doc = yyjson_read(line.data, line.bytes, 0);
        good += doc != NULL;
        yyjson_doc_free(doc);
    }
    CHECK(good == THREADS * LINES);
}

int main(void)
{
    test_a_line();
    test_levels();
    test_long_lines();
    test_threads();
    return unit_end();
}
