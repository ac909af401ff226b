/* The log: one JSON object a line on standard output, from any thread, each line in one write.
 *
 *     log_line(LOG_INFO, "store opened", LOG_TEXT("path", path), LOG_NUMBER("records", count), LOG_END);
 *     {"time":"2026-03-01T08:09:10.123Z","level":"info","logger":"app","message":"store opened","path":...}
 *
 * Say which record and which rule; keys are words of the schema. Secrets have no business here: pass ids and
 * names. Long texts are cut, a line that cannot be written is lost, and nothing here fails. */
#ifndef HOMEPORT_CORE_LOG_H
#define HOMEPORT_CORE_LOG_H

#include "core/err.h"
#include "core/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum logger { LOGGER_APP, LOGGER_ACCESS, LOGGER_WORKER };

enum log_kind { LOG_KIND_END, LOG_KIND_TEXT, LOG_KIND_NUMBER, LOG_KIND_ID, LOG_KIND_FLAG };

struct log_field {
    enum log_kind kind;
    const char *key;
    struct text text;
    uint64_t number;
};

#define LOG_TEXT(key, value)        ((struct log_field){LOG_KIND_TEXT, (key), (value), 0})
#define LOG_STRING(key, zero_ended) LOG_TEXT(key, text_of(zero_ended))
#define LOG_NUMBER(key, value)      ((struct log_field){LOG_KIND_NUMBER, (key), TEXT_NONE, (value)})
#define LOG_ID(key, value) \
    ((struct log_field){LOG_KIND_ID, (key), TEXT_NONE, (value)}) /* decimal string */
#define LOG_FLAG(key, value) ((struct log_field){LOG_KIND_FLAG, (key), TEXT_NONE, (value)})
/* The name of an enum err that is not OK. */
#define LOG_ERR(e) LOG_STRING("error", err_info(e)->name)
#define LOG_END    ((struct log_field){LOG_KIND_END, NULL, TEXT_NONE, 0})

/* A forgotten LOG_END does no harm: there is always one more. */
#define log_line(level, message, ...) log_line_of(LOGGER_APP, level, message, __VA_ARGS__)
#define log_line_of(logger, level, message, ...) \
    log_fields(logger, level, message, (const struct log_field[]){__VA_ARGS__, LOG_END})

/* Lines below this level are dropped; LOG_INFO until it is called. */
void log_level_set(enum log_level level);
/* False when the word is none of debug, info, warning, error. */
bool log_level_read(struct text word, enum log_level *level);
/* For work that is only done to be logged. */
bool log_is_on(enum log_level level);

void log_fields(enum logger logger, enum log_level level, const char *message,
                const struct log_field *fields);

#endif
