/* What is stored comes back as it was, across releases, and damage never reads past its end. */
#include "core/record.h"

#include "unit.h"

/* The checks of products are not under test here. */
#define CHECKER(name, where, pattern) \
    bool check_##name(struct text value, struct text *reason); \
    __attribute__((weak)) bool check_##name(struct text value, struct text *reason) \
    { \
        *reason = TEXT(#name); \
        return text_equal(value, TEXT("good")); \
    }
#include "checks.def"
#undef CHECKER

enum { RECORD_BYTES_MAX = 4096, ROUNDS = 40 };

static struct arena arena;
static uint64_t seed = 20260301;
static volatile unsigned looked_at; /* keeps the reads of spans alive */

static uint64_t chance(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33 ^ seed << 31;
}

/* Small numbers, powers of two and their neighbours, anything. */
static uint64_t chance_number(void)
{
    switch (chance() % 4) {
    case 0: return chance() % 300;
    case 1: return ((uint64_t)1 << chance() % 64) - 1 + chance() % 3;
    case 2: return UINT64_MAX - chance() % 3;
    default: return chance();
    }
}

static struct text chance_text(void)
{
    static const size_t lengths[] = {1, 2, 127, 128, 129, 300, 16383, 16384};
    size_t bytes = chance() % 3 == 0 ? lengths[chance() % 8] : chance() % 40;
    char *data = arena_alloc(&arena, bytes);
    for (size_t i = 0; i < bytes; i++) data[i] = (char)chance();
    return (struct text){data, bytes};
}

static void fill(const struct record_type *type, void *record)
{
    const struct field *fields = type->fields();
    memset(record, 0, type->bytes);
    for (unsigned i = 0; i < type->field_count; i++) {
        if (chance() % 4 == 0) continue;
        if (fields[i].kind >= KIND_text) {
            field_set_text(&fields[i], record, chance_text());
        } else {
            field_set_number(&fields[i], record, chance_number());
        }
    }
}

static bool is_same(const struct record_type *type, const void *a, const void *b)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (!field_equal(&fields[i], a, b)) return false;
    }
    return true;
}

/* Looks at all that a decoded record points to. */
static void touch(const struct record_type *type, const void *record)
{
    const struct field *fields = type->fields();
    for (unsigned i = 0; i < type->field_count; i++) {
        if (fields[i].kind < KIND_text) {
            looked_at += (unsigned)field_number(&fields[i], record);
            continue;
        }
        struct text t = field_text(&fields[i], record);
        for (size_t j = 0; j < t.bytes; j++) looked_at += (uint8_t)t.data[j];
    }
}

/* Decodes a copy that ends where the sanitizer watches. */
static enum err decode_exact(const struct record_type *type, struct text stored, void *record)
{
    char *copy = malloc(stored.bytes == 0 ? 1 : stored.bytes);
    if (stored.bytes > 0) memcpy(copy, stored.data, stored.bytes);
    enum err e = record_decode(type, (struct text){copy, stored.bytes}, record);
    if (e == OK) touch(type, record);
    free(copy);
    return e;
}

static void test_round_trip(const struct record_type *type)
{
    static _Alignas(16) char in[RECORD_BYTES_MAX], out[RECORD_BYTES_MAX];
    CHECK(type->bytes <= RECORD_BYTES_MAX);
    for (unsigned round = 0; round < ROUNDS; round++) {
        arena_reset(&arena);
        fill(type, in);
        memset(out, 0xaa, sizeof out);
        struct text stored = record_encode(type, in, TEXT_NONE, &arena);
        CHECK(record_decode(type, stored, out) == OK);
        CHECK(is_same(type, in, out));
        CHECK(text_equal(record_encode(type, out, stored, &arena), stored));
    }
    memset(in, 0, sizeof in);
    CHECK(record_encode(type, in, TEXT_NONE, &arena).bytes == 0);
    CHECK(record_decode(type, TEXT_NONE, out) == OK && is_same(type, in, out));
}

static size_t item_put(char *out, unsigned tag, bool has_bytes, unsigned value)
{
    out[0] = (char)(tag << 1 | has_bytes);
    out[1] = (char)value;
    if (has_bytes) memset(out + 2, 'u', value);
    return 2 + (has_bytes ? value : 0);
}

/* Fields of a newer release outlive a change by this one, wherever they stood. */
static void test_unknown_tags(const struct record_type *type)
{
    static _Alignas(16) char in[RECORD_BYTES_MAX], out[RECORD_BYTES_MAX];
    char unknown[64];
    const struct field *fields = type->fields();
    unsigned last = fields[type->field_count - 1].tag;
    if (last > 120) return;
    arena_reset(&arena);
    fill(type, in);
    size_t n = item_put(unknown, 127, true, 9);
    n += item_put(unknown + n, last + 1, false, 77);
    n += item_put(unknown + n, 126, true, 0);
    struct text plain = record_encode(type, in, TEXT_NONE, &arena);
    struct text before = arena_print(&arena, "%*s", (int)(n + plain.bytes), "");
    memcpy((char *)(uintptr_t)before.data, unknown, n);
    memcpy((char *)(uintptr_t)before.data + n, plain.data, plain.bytes);
    CHECK(record_decode(type, before, out) == OK && is_same(type, in, out));
    if (fields[0].kind == KIND_id) field_set_number(&fields[0], out, 5);
    for (unsigned i = 0; i < 3; i++) {
        struct text after = record_encode(type, out, before, &arena);
        CHECK(after.bytes >= n && memcmp(after.data + after.bytes - n, unknown, n) == 0);
        CHECK(record_decode(type, after, in) == OK && is_same(type, in, out));
        before = after;
    }
}

/* A tag that an older release has put at the end, because it did not know it, is read by the one that does. */
static void test_tags_at_the_end(void)
{
    struct domain in = {.id = 1, .name = TEXT("example.com"), .updated_at = 9}, out;
    arena_reset(&arena);
    struct text stored = record_encode(&domain_type, &in, TEXT_NONE, &arena);
    struct text moved = arena_print(&arena, "%.*s", (int)stored.bytes, stored.data);
    size_t id_bytes = 2, name_bytes = 2 + in.name.bytes, rest = stored.bytes - id_bytes - name_bytes;
    char *to = (char *)(uintptr_t)moved.data;
    memcpy(to, stored.data, id_bytes);
    memcpy(to + id_bytes, stored.data + id_bytes + name_bytes, rest);
    memcpy(to + id_bytes + rest, stored.data + id_bytes, name_bytes);
    CHECK(record_decode(&domain_type, (struct text){to, stored.bytes}, &out) == OK);
    CHECK(is_same(&domain_type, &in, &out));
}

static void test_truncated(const struct record_type *type)
{
    static _Alignas(16) char in[RECORD_BYTES_MAX], out[RECORD_BYTES_MAX];
    arena_reset(&arena);
    fill(type, in);
    struct text stored = record_encode(type, in, TEXT_NONE, &arena);
    for (size_t bytes = 0; bytes < stored.bytes && bytes < 3000; bytes++) {
        enum err e = decode_exact(type, (struct text){stored.data, bytes}, out);
        CHECK(e == OK || e == ERR_STORE_CORRUPT);
    }
}

static void test_damaged(const struct record_type *type)
{
    static _Alignas(16) char in[RECORD_BYTES_MAX], out[RECORD_BYTES_MAX];
    for (unsigned round = 0; round < 500; round++) {
        arena_reset(&arena);
        fill(type, in);
        struct text stored = record_encode(type, in, TEXT_NONE, &arena);
        char *bytes = (char *)(uintptr_t)stored.data;
        if (stored.bytes == 0) continue;
        for (unsigned i = 0; i <= round % 4; i++) bytes[chance() % stored.bytes] = (char)chance();
        enum err e = decode_exact(type, stored, out);
        CHECK(e == OK || e == ERR_STORE_CORRUPT);
        /* Damaged bytes as the earlier form must not lead the writer astray either. */
        char *kept = malloc(stored.bytes);
        memcpy(kept, stored.data, stored.bytes);
        struct text again = record_encode(type, in, (struct text){kept, stored.bytes}, &arena);
        free(kept);
        decode_exact(type, again, out);
    }
}

static void test_corrupt(void)
{
    static const struct text bad[] = {
        TEXT_INIT("\x02"),                                         /* no number */
        TEXT_INIT("\x02\x80"),                                     /* half a number */
        TEXT_INIT("\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* a number without end */
        TEXT_INIT("\x05\x05" "abcd"),                              /* one byte short */
        TEXT_INIT("\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* 2^64 - 1 bytes */
        TEXT_INIT("\x03\x01" "a"),                                 /* bytes where a number is due */
        TEXT_INIT("\x04\x01"),                                     /* a number where bytes are due */
    };
    struct domain domain;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(decode_exact(&domain_type, bad[i], &domain) == ERR_STORE_CORRUPT);
    }
    CHECK(decode_exact(&domain_type, TEXT("\x02\x05\x05\x01" "a"), &domain) == OK && domain.id == 5);
}

/* An arena that overflows gives an empty form, not half of one. */
static void test_memory_short(void)
{
    struct domain domain = {.id = 1, .name = TEXT("example.com")};
    struct arena small;
    arena_init(&small, 64);
    CHECK(record_encode(&domain_type, &domain, TEXT_NONE, &small).bytes == 0 && arena_overflowed(&small));
    arena_free(&small);
}

static void test_tables(void)
{
    const struct record_type *type;
    unsigned indexes = 0;
    for (unsigned i = 0; (type = record_type_at(i)) != NULL; i++) {
        CHECK(record_type_find(type->name) == type);
        if (type->table != 0) CHECK(record_type_of_table(type->table) == type);
        CHECK(record_field(type, TEXT("no_such_field")) == NULL);
        CHECK(record_field_number(type, TEXT("no_such_field")) == type->field_count);
        CHECK(record_field(type, type->fields()[type->field_count - 1].name) == &type->fields()[type->field_count - 1]);
        for (unsigned j = 0; record_index_at(type, j) != NULL; j++) {
            CHECK(record_index_at(type, j)->type == type && record_index_at(type, j)->fields[0] != NULL);
            indexes++;
        }
    }
    CHECK(indexes > 10);
    CHECK(record_type_find(TEXT("no_such_type")) == NULL && record_type_of_table(0) == NULL);
    CHECK(user_by_username.kind == INDEX_UNIQUE && user_by_username.fields[1] == NULL);
    CHECK(domain_by_name.fields[1] == record_field(&domain_type, TEXT("name")));
    struct user user = {.id = 77};
    CHECK(record_id(&user_type, &user) == 77);
}

static void test_choices_and_checks(void)
{
    struct text reason = TEXT_NONE;
    CHECK_TEXT(choice_word(&dns_record_type_choice, 28), "AAAA");
    CHECK_TEXT(choice_word(&dns_record_type_choice, 0), "");
    CHECK_TEXT(choice_word(&dns_record_type_choice, (uint64_t)28 << 32), "");
    CHECK(choice_number(&dns_record_type_choice, TEXT("CAA")) == 257);
    CHECK(choice_number(&dns_record_type_choice, TEXT("caa")) == 0 && choice_number(&role_choice, TEXT_NONE) == 0);
    CHECK(check_value(CHECK_none, TEXT("anything"), &reason));
    CHECK(check_value(CHECK_zone, TEXT("good"), &reason) && !check_value(CHECK_zone, TEXT("bad"), &reason));
    CHECK_TEXT(reason, "zone");
    for (unsigned i = CHECK_none + 1; i < CHECK_COUNT; i++) CHECK(check_pattern((enum check)i)[0] != '\0');
}

int main(void)
{
    const struct record_type *type;
    records_start();
    arena_init(&arena, 4 << 20);
    for (unsigned i = 0; (type = record_type_at(i)) != NULL; i++) {
        test_round_trip(type);
        test_unknown_tags(type);
        test_truncated(type);
        test_damaged(type);
    }
    test_tags_at_the_end();
    test_corrupt();
    test_memory_short();
    test_tables();
    test_choices_and_checks();
    arena_free(&arena);
    return unit_end();
}
