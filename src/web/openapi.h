/* The OpenAPI 3.1 document, written from the tables that route and validate: schema/routes.def, the records,
 * choices, checks and errors. A new row there is in the document by itself; what the rows cannot say (the
 * form of an `object` field, an answer that is no record) stands in tables of openapi_schema.c.
 *
 *     openapi_write ── info, servers, tags, security
 *                   ├─ paths                       openapi_path.c: one operation for each route
 *                   └─ components                  openapi_schema.c: schemas; openapi.c: errors by status
 *
 * The same program writes the same bytes, whatever its settings are. */
#ifndef HOMEPORT_WEB_OPENAPI_H
#define HOMEPORT_WEB_OPENAPI_H

#include "core/call.h"

/* Room for the document: about twice what it takes. */
enum { OPENAPI_BYTES_MAX = 1024 * 1024 };

/* The whole document as one JSON value. Look at json->overflowed afterwards. */
void openapi_write(struct json *json);

/* ---- the parts, private to openapi*.c ---- */

/* The routes' object: paths. */
void openapi_paths_write(struct json *json);
/* The family a path belongs to: the name of one of the tags. */
struct text openapi_tag(struct text path);
/* Whether a role may call a route; 0: somebody who is not signed in. */
bool openapi_may(const struct route *route, enum role role);
/* Rate limits, from schema/limits.def: whether an answer of this status can come from behind a limited route's
 * bucket, and the three header fields. */
bool openapi_tells_limit(unsigned status);
void openapi_limit_headers(struct json *json);
/* Whether GET answers of a route carry an ETag (and so may be 304). */
bool openapi_has_etag(const struct route *route);

/* All schemas, as members of components/schemas. */
void openapi_schemas_write(struct json *json);
/* {"$ref":"#/components/schemas/<Type>"}, for what a route takes (CREATE, UPDATE) or gives (READ). */
void openapi_schema_ref(struct json *json, const struct record_type *type, enum shown purpose);
/* The schema of an answer that is no record: by operation, else by content type. */
void openapi_other_schema(struct json *json, const struct route *route);

/* "key": "literal" and "key": {raw JSON}. */
void openapi_text(struct json *json, const char *key, const char *value);
void openapi_raw(struct json *json, const char *key, const char *raw);
/* Opens an object or array as the member `key`. */
void openapi_open(struct json *json, const char *key, char bracket);

#endif
