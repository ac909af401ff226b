/* Mail messages as RFC 5322 and MIME have them, for SMTP: lines end in CR LF, nothing outside ASCII, no line over
 * 76 bytes, and nothing from outside can begin a line of the header. */
#ifndef HOMEPORT_NOTIFY_MIME_H
#define HOMEPORT_NOTIFY_MIME_H

#include "core/arena.h"

/* "Name <a@b.c>", "<a@b.c>" or "a@b.c". False: it is none of them. The spans point into t. */
bool mime_address(struct text t, struct text *name, struct text *address);

struct mime_letter {
    struct text from_name, from, to, message_id, subject, body; /* UTF-8; body's lines end in \n */
    uint64_t date_ms;
};

/* The whole message; an empty text when the arena is full. */
struct text mime_write(struct arena *arena, const struct mime_letter *letter);

#endif
