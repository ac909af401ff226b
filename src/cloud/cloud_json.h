/* JSON of providers, read and written by yyjson with an arena as its memory: documents, and the
 * texts that point into them, live as long as the arena and are never freed one by one. Reading
 * takes about five times the bytes of the document.
 *
 * Readers take NULL for "not there" and answer NULL, empty or the default, so a path of members is
 * followed without a check at every step. */
#ifndef HOMEPORT_CLOUD_CLOUD_JSON_H
#define HOMEPORT_CLOUD_CLOUD_JSON_H

#include <yyjson.h>

#include "core/arena.h"

/* The root value, or NULL when t is not one whole JSON document. */
yyjson_val *cloud_json_read(struct arena *arena, struct text t);
yyjson_val *cloud_json_member(yyjson_val *object, const char *name);
/* The text of a string; a whole number is written out, since some services are not strict about
 * ids. */
struct text cloud_json_text(struct arena *arena, yyjson_val *value);
struct text cloud_json_member_text(struct arena *arena, yyjson_val *object, const char *name);
/* A whole number from 0 to max, also from a string of digits; otherwise the default. */
uint64_t cloud_json_number(yyjson_val *value, uint64_t max, uint64_t otherwise);

/* A new document with an object as its root; NULL when there is no room. */
yyjson_mut_doc *cloud_json_begin(struct arena *arena);
/* Adds a member. Bytes that are not UTF-8 fail cloud_json_end(). The text must outlive the
 * document. */
void cloud_json_put_text(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *name,
                         struct text t);
void cloud_json_put_number(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *name,
                           uint64_t number);
/* The document in its shortest form; an empty text when it cannot be written. */
struct text cloud_json_end(struct arena *arena, yyjson_mut_doc *doc);

#endif
