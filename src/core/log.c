#include "core/log.h"

#include "core/json.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* Lines up to PIPE_BUF are whole in a pipe, whoever else writes there. */
enum { LINE_BYTES_MAX = 4096, TEXT_BYTES_MAX = 1024, WRITES_MAX = 8 };

static atomic_int least_level = LOG_INFO;

static const struct text levels[] = {
    [LOG_DEBUG] = TEXT_INIT("debug"),
    [LOG_INFO] = TEXT_INIT("info"),
    [LOG_WARNING] = TEXT_INIT("warning"),
    [LOG_ERROR] = TEXT_INIT("error"),
};

static const struct text loggers[] = {
    [LOGGER_APP] = TEXT_INIT("app"),
    [LOGGER_ACCESS] = TEXT_INIT("access"),
    [LOGGER_WORKER] = TEXT_INIT("worker"),
};

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

bool log_level_read(struct text word, enum log_level *level)
{
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (!text_equal(word, levels[i])) continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static struct text cut(struct text t)
{
    return (struct text){t.data, t.bytes > TEXT_BYTES_MAX ? TEXT_BYTES_MAX : t.bytes};
}

static void head_put(struct json *line, enum logger logger, enum log_level level,
                     const char *message)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    json_open(line, '{');
    json_key(line, TEXT("time"));
    json_time(line, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    json_member(line, "level", levels[level]);
    json_member(line, "logger", loggers[logger]);
    json_member(line, "message", cut(text_of(message)));
}

static void field_put(struct json *line, const struct log_field *field)
{
    json_key(line, text_of(field->key));
    switch (field->kind) {
    case LOG_KIND_TEXT: json_string(line, cut(field->text)); break;
    case LOG_KIND_NUMBER: json_number(line, field->number); break;
    case LOG_KIND_ID: json_id(line, field->number); break;
    case LOG_KIND_FLAG: json_bool(line, field->number != 0); break;
    case LOG_KIND_END: json_null(line); break;
    }
}

/* A full pipe that does not block (somebody else may have made it so) loses the rest of the line. */
static void line_write(struct text line)
{
    for (unsigned i = 0; i < WRITES_MAX && line.bytes > 0; i++) {
        ssize_t n = write(STDOUT_FILENO, line.data, line.bytes);
        if (n < 0 && errno != EINTR) return;
        if (n <= 0) continue;
        line.data += n;
        line.bytes -= (size_t)n;
    }
}

void log_fields(enum logger logger, enum log_level level, const char *message,
                const struct log_field *fields)
{
    char room[LINE_BYTES_MAX];
    if (!log_is_on(level)) return;
    int errno_before = errno;
    /* The line never grows: its limit is its room. Two bytes are kept for the end. */
    struct json line = {.data = room, .room = sizeof room - 2, .max = sizeof room - 2};
    head_put(&line, logger, level, message);
    for (; fields->kind != LOG_KIND_END; fields++) {
        struct json before = line;
        field_put(&line, fields);
        if (line.overflowed) line = before; /* without this field; a shorter one may fit */
    }
    line.room = line.max = sizeof room;
    json_close(&line, '}');
    json_raw(&line, TEXT("\n"));
    if (!line.overflowed) line_write(json_text(&line));
    errno = errno_before;
}
