/* What letters say, in English and Chinese. */
#ifndef HOMEPORT_NOTIFY_WORDS_H
#define HOMEPORT_NOTIFY_WORDS_H

#include "notify/channel.h"

/* Subject and body (lines end in \n) in UTF-8, in the job's arena. */
struct letter_words {
    struct text subject, body;
};
struct letter_words letter_words(const struct letter_job *job);

#endif
