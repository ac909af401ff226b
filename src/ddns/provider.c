/* The table of providers and what they share. See provider.h. */
#include "ddns/provider.h"

#include <assert.h>

#include "cloud/cloud_json.h"
#include "core/url.h"
#include "ddns/dns_name.h"

enum { SAID_BYTES_MAX = 200, SECRET_BYTES_MIN = 4, CHECK_ARENA_BYTES_MAX = 1024 * 1024 };

#define PROVIDER(name) &provider_##name,
static const struct provider *const providers[] = {
#include "providers.def"
};
#undef PROVIDER

enum { PROVIDER_COUNT = sizeof(providers) / sizeof(providers[0]) };

const struct provider *provider_at(unsigned index)
{
    return index < PROVIDER_COUNT ? providers[index] : NULL;
}

const struct provider *provider_find(struct text name)
{
    for (unsigned i = 0; i < PROVIDER_COUNT; i++) {
        if (text_equal(providers[i]->name, name)) return providers[i];
    }
    return NULL;
}

struct dns_verdict provider_verdict_of(const struct dns_job *job, const struct http_result *result)
{
    struct dns_verdict verdict = {.class = call_class_of(result),
                                  .retry_after_ms = result->retry_after_ms};
    struct text host = provider_host(job);
    if (result->fault != FAULT_NONE || result->status == 0) {
        verdict.answer = TEXT("no answer");
        verdict.detail = arena_print(job->arena, "no answer from %.*s: %.*s", TEXT_ARGS(host),
                                     TEXT_ARGS(provider_said(job, result->error)));
        return verdict;
    }

    verdict.answer = arena_print(job->arena, "HTTP %u", result->status);
    if (verdict.class == CLASS_OK) return verdict;
    const char *advice = "";
    if (verdict.class == CLASS_AUTH) advice = "; check the credentials of this domain";
    if (verdict.class == CLASS_THROTTLED) advice = "; it wants fewer calls, homeport waits";
    if (verdict.class == CLASS_GONE || verdict.class == CLASS_FATAL) {
        advice = "; check the endpoint setting and the address in the credentials";
    }
    verdict.detail =
        arena_print(job->arena, "%.*s answered HTTP %u%s", TEXT_ARGS(host), result->status, advice);
    return verdict;
}

enum provider_next provider_end_strange(const struct dns_job *job, const struct http_result *result,
                                        enum call_class class, struct dns_verdict *verdict)
{
    *verdict = provider_verdict_of(job, result);
    if (verdict->class == class) return PROVIDER_FINISHED;
    verdict->class = class;
    verdict->detail =
        arena_print(job->arena,
                    "%.*s answered HTTP %u, but not in its own format; a proxy or a sign-in "
                    "page may stand in between",
                    TEXT_ARGS(provider_host(job)), result->status);
    return PROVIDER_FINISHED;
}

struct text provider_credential(const struct dns_job *job, struct text name)
{
    yyjson_val *root = cloud_json_read(job->arena, job->credentials);
    yyjson_val *value = yyjson_obj_getn(root, name.data, name.bytes);
    return arena_text(job->arena, cloud_json_text(job->arena, value));
}

static bool text_contains(struct text t, struct text part)
{
    for (size_t i = 0; part.bytes <= t.bytes && i <= t.bytes - part.bytes; i++) {
        if (memcmp(t.data + i, part.data, part.bytes) == 0) return true;
    }
    return false;
}

/* A field that no provider calls public is a secret, and so is what stands within one. */
static bool is_public_field(struct text name)
{
    for (unsigned i = 0; i < PROVIDER_COUNT; i++) {
        for (unsigned j = 0; j < providers[i]->field_count; j++) {
            const struct provider_field *field = &providers[i]->fields[j];
            if (text_equal(field->name, name)) return !field->is_secret;
        }
    }
    return false;
}

/* Very short texts would match by chance. The callback's headers are a second level, which is the
 * last. */
static bool repeats_members(struct arena *arena, yyjson_val *object, bool is_outer,
                            struct text message)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct text secret = cloud_json_text(arena, value);
        if (is_outer && is_public_field(cloud_json_text(arena, key))) continue;
        if (secret.bytes >= SECRET_BYTES_MIN && text_contains(message, secret)) return true;
        if (is_outer && repeats_members(arena, value, false, message)) return true;
    }
    return false;
}

struct text provider_said(const struct dns_job *job, struct text message)
{
    yyjson_val *root = cloud_json_read(job->arena, job->credentials);
    message = text_trim(message);
    if (message.bytes == 0) return TEXT("no reason given");
    if (!text_is_clean_utf8(message)) return TEXT("a message that cannot be shown");
    if (repeats_members(job->arena, root, true, message)) {
        return TEXT("a message that repeats the credentials");
    }

    message = utf8_front(message, SAID_BYTES_MAX);
    char *line = arena_alloc(job->arena, message.bytes + 1);
    if (line == NULL) return TEXT("");
    for (size_t i = 0; i < message.bytes; i++) {
        line[i] = message.data[i] == '\n' || message.data[i] == '\t' ? ' ' : message.data[i];
    }
    return (struct text){line, message.bytes};
}

struct text provider_host(const struct dns_job *job)
{
    struct text host = url_authority(job->endpoint);
    return host.bytes == 0 ? TEXT("the provider") : host;
}

struct text provider_full_name(const struct dns_job *job)
{
    char name[DNS_NAME_SIZE];
    struct text owner = job->owner.bytes == 0 ? TEXT("@") : job->owner;
    return arena_text(job->arena, dns_name_join(owner, job->zone, name));
}

struct text provider_clock_words(struct arena *arena, int64_t offset_ms)
{
    int64_t ahead_ms = offset_ms < 0 ? -offset_ms : offset_ms;
    /* The offset is their time minus ours, so a positive one means that we are late. */
    return arena_print(arena, "%lld s %s", (long long)((ahead_ms + 500) / 1000),
                       offset_ms > 0 ? "behind" : "ahead of");
}

static bool is_printable(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        if (t.data[i] <= ' ' || t.data[i] > '~') return false;
    }
    return true;
}

bool provider_check_printable(const struct provider_field *fields, unsigned field_count,
                              struct text credentials, struct text *field, struct text *reason)
{
    struct arena arena;
    arena_init(&arena, CHECK_ARENA_BYTES_MAX);
    yyjson_val *root = cloud_json_read(&arena, credentials);
    bool is_fine = true;
    for (unsigned i = 0; is_fine && i < field_count; i++) {
        if (!text_equal(fields[i].format, TEXT("text"))) continue;
        yyjson_val *value = yyjson_obj_getn(root, fields[i].name.data, fields[i].name.bytes);
        is_fine = is_printable(cloud_json_text(&arena, value));
        if (!is_fine) *field = fields[i].name;
    }
    arena_free(&arena);
    if (!is_fine) {
        *reason = TEXT("must be printable ASCII without blanks; was it pasted with a line end?");
    }
    return is_fine;
}

enum provider_next provider_end(struct dns_verdict *verdict, enum call_class class,
                                struct text detail)
{
    assert(class >= CLASS_OK && class <= CLASS_FATAL);
    verdict->class = class;
    verdict->detail = detail;
    verdict->retry_after_ms = -1;
    return PROVIDER_FINISHED;
}

enum provider_next provider_checked(const struct dns_job *job, enum provider_next next,
                                    struct dns_verdict *verdict)
{
    if (!arena_overflowed(job->arena)) return next;
    *verdict = (struct dns_verdict){
        .class = CLASS_RETRY,
        .detail = TEXT(
            "the answer needs more memory than homeport gives one job; it will be tried again"),
        .answer = TEXT("out of memory"),
        .retry_after_ms = -1,
    };
    return PROVIDER_FINISHED;
}
