#include "cloud/cloud_json.h"

static void *json_alloc(void *context, size_t bytes)
{
    return arena_alloc(context, bytes);
}

static void *json_realloc(void *context, void *old, size_t old_bytes, size_t bytes)
{
    if (bytes <= old_bytes) return old;
    void *data = arena_alloc(context, bytes);
    if (data != NULL) {
        memcpy(data, old, old_bytes);
    }
    return data;
}

static void json_free(void *context, void *data)
{
    (void)context;
    (void)data;
}

static yyjson_alc json_memory(struct arena *arena)
{
    return (yyjson_alc){
        .malloc = json_alloc, .realloc = json_realloc, .free = json_free, .ctx = arena};
}

yyjson_val *cloud_json_read(struct arena *arena, struct text t)
{
    if (t.bytes == 0) return NULL;
    yyjson_alc memory = json_memory(arena);
    /* Without YYJSON_READ_INSITU the input is copied and not written to, whatever its type says. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)t.data, t.bytes, YYJSON_READ_NOFLAG, &memory, NULL);
    return yyjson_doc_get_root(doc);
}

yyjson_val *cloud_json_member(yyjson_val *object, const char *name)
{
    return yyjson_obj_get(object, name);
}

struct text cloud_json_text(struct arena *arena, yyjson_val *value)
{
    if (yyjson_is_str(value)) return (struct text){yyjson_get_str(value), yyjson_get_len(value)};
    if (yyjson_is_uint(value)) {
        return arena_print(arena, "%llu", (unsigned long long)yyjson_get_uint(value));
    }
    return TEXT("");
}

struct text cloud_json_member_text(struct arena *arena, yyjson_val *object, const char *name)
{
    return cloud_json_text(arena, yyjson_obj_get(object, name));
}

uint64_t cloud_json_number(yyjson_val *value, uint64_t max, uint64_t otherwise)
{
    uint64_t number;
    if (yyjson_is_uint(value)) {
        number = yyjson_get_uint(value);
        return number <= max ? number : otherwise;
    }
    if (yyjson_is_str(value)) {
        struct text digits = {yyjson_get_str(value), yyjson_get_len(value)};
        if (text_to_u64(digits, max, &number)) return number;
    }
    return otherwise;
}

yyjson_mut_doc *cloud_json_begin(struct arena *arena)
{
    yyjson_alc memory = json_memory(arena);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&memory);
    yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
    return doc;
}

void cloud_json_put_text(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *name,
                         struct text t)
{
    yyjson_mut_obj_add_strn(doc, object, name, t.data == NULL ? "" : t.data, t.bytes);
}

void cloud_json_put_number(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *name,
                           uint64_t number)
{
    yyjson_mut_obj_add_uint(doc, object, name, number);
}

struct text cloud_json_end(struct arena *arena, yyjson_mut_doc *doc)
{
    yyjson_alc memory = json_memory(arena);
    size_t bytes = 0;
    char *json = yyjson_mut_write_opts(doc, YYJSON_WRITE_NOFLAG, &memory, &bytes, NULL);
    return json == NULL ? TEXT_NONE : (struct text){json, bytes};
}
