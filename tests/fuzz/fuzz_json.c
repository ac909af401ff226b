/* Any bytes as a body of any type and as a stored record: refused, or taken and written out again. */
#include "core/json.h"

#include <stdlib.h>
#include <yyjson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static _Alignas(16) char record[4096], again[4096];
static struct arena arena;

static void write_out(const struct record_type *type, unsigned shown)
{
    struct json json;
    json_init(&json, 1 << 20);
    json_record(&json, type, record, shown);
    if (!json.overflowed) {
        yyjson_doc *doc = yyjson_read(json.data, json.bytes, 0);
        if (doc == NULL) abort();
        yyjson_doc_free(doc);
    }
    json_free(&json);
}

static void store_and_load(const struct record_type *type)
{
    const struct field *fields = type->fields();
    struct text stored = record_encode(type, record, TEXT_NONE, &arena);
    if (arena_overflowed(&arena)) return;
    if (record_decode(type, stored, again) != OK) abort();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (!field_equal(&fields[i], record, again)) abort();
    }
}

static void try_body(const struct record_type *type, struct text input, enum shown purpose)
{
    struct field_errors errors = {0};
    uint64_t given;
    size_t offset = 0;
    arena_reset(&arena);
    memset(record, 0, sizeof record);
    enum err e = json_read(type, input, purpose, record, &given, &errors, &offset, &arena);
    if (e == ERR_BAD_JSON && offset > input.bytes) abort();
    if (e == ERR_INVALID && errors.count == 0) abort();
    if (e != OK) return;
    write_out(type, CREATE | UPDATE | READ);
    store_and_load(type);
}

/* Stored objects are JSON, which damage does not keep: only what has none is written out. */
static bool has_object(const struct record_type *type)
{
    for (unsigned i = 0; i < type->field_count; i++) {
        if (type->fields()[i].kind == KIND_object) return true;
    }
    return false;
}

static void try_stored(const struct record_type *type, struct text input)
{
    arena_reset(&arena);
    if (record_decode(type, input, record) != OK) return;
    if (!has_object(type)) write_out(type, CREATE | UPDATE | READ);
    store_and_load(type);
    struct text kept = record_encode(type, record, input, &arena);
    if (!arena_overflowed(&arena) && record_decode(type, kept, again) != OK) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool is_started;
    if (!is_started) {
        records_start();
        arena_init(&arena, 1 << 20);
        is_started = true;
    }
    if (bytes < 1) return 0;
    const struct record_type *type = record_type_at(data[0] >> 1);
    struct text input = {(const char *)data + 1, bytes - 1};
    if (type == NULL || type->bytes > sizeof record) return 0;
    try_stored(type, input);
    try_body(type, input, data[0] & 1 ? CREATE : UPDATE);
    return 0;
}
