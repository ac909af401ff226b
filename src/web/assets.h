/* The files homeport serves as they are: its own pages, and those of Swagger UI and Redoc.
 *
 * They are part of the program. Ours come from src/web/ui as written; the documentation viewers come from
 * .cache/src/docs, already compressed, because unpacked they are three times the size of all our code.
 * Everything here lives as long as the program. */
#ifndef HOMEPORT_WEB_ASSETS_H
#define HOMEPORT_WEB_ASSETS_H

#include "core/text.h"

struct asset {
    const char *path; /* as asked for: "/app.js" */
    const char *content_type;
    bool is_gzip; /* the data are gzip: send Content-Encoding, or refuse a client that cannot */
    const unsigned char *data;
    size_t bytes;
    char etag[19]; /* a hash of the data in double quotes, as the ETag field wants it */
};

/* NULL when there is no such file. The path is without its query. Call from the loop's thread only: the
 * first call hashes all files (about 1 ms). */
const struct asset *asset_find(struct text path);

#endif
