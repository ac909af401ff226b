/* Reads the vendors' vectors, kept in $HOMEPORT_SHARED/protocols/vectors (default ../shared). Include it once; the
 * program gives vectors_arena its bytes and frees it at its end. */
#ifndef HOMEPORT_TESTS_VECTORS_H
#define HOMEPORT_TESTS_VECTORS_H

#include "cloud/cloud_json.h"
#include "unit.h"

enum { VECTORS_FILE_BYTES_MAX = 4 * 1024 * 1024 };

static struct arena vectors_arena;

/* The list of a file's vectors; NULL, and a failed check, when there is none. */
static inline yyjson_val *vectors_of(const char *service)
{
    const char *shared = getenv("HOMEPORT_SHARED");
    struct text path = arena_print(&vectors_arena, "%s/protocols/vectors/%s.json",
                                   shared == NULL ? "../shared" : shared, service);
    FILE *file = fopen(path.data, "rb");
    if (!CHECK(file != NULL)) return NULL;
    char *data = arena_alloc(&vectors_arena, VECTORS_FILE_BYTES_MAX);
    size_t bytes = fread(data, 1, VECTORS_FILE_BYTES_MAX, file);
    fclose(file);
    yyjson_val *root = cloud_json_read(&vectors_arena, (struct text){data, bytes});
    yyjson_val *vectors = cloud_json_member(root, "vectors");
    CHECK(yyjson_arr_size(vectors) > 0);
    return vectors;
}

/* A member reached by its path, "expect.http.body". */
static inline yyjson_val *at(yyjson_val *value, const char *path)
{
    struct text rest = text_of(path);
    while (rest.data != NULL) {
        struct text name = text_cut(&rest, '.');
        value = yyjson_obj_getn(value, name.data, name.bytes);
    }
    return value;
}

static inline struct text text_at(yyjson_val *value, const char *path)
{
    return cloud_json_text(&vectors_arena, at(value, path));
}

#endif
