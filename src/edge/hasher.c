#include "edge/hasher.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

enum {
    /* A stored hash names the memory it wants. Ours never name more; an imported one that does
     * must not bring the machine down. */
    HASH_KIB_MAX = 1 << 20
};

struct hash_job {
    struct hash_job *next;
    struct hasher *hasher;
    uint64_t ref;
    hash_done done;
    void *context;
    uv_work_t work;
    struct hash_result result;
    struct text expected;
    size_t password_bytes;
    char *password; /* behind `expected` in `bytes` */
    char bytes[];
};

struct hasher {
    uv_loop_t *loop;
    struct hasher_settings settings;
    struct hash_job *first, *last; /* waiting */
    unsigned waiting_count, running_count;
    bool is_closing;
};

static void hash_make(const struct hasher_settings *settings, const char *password, size_t bytes,
                      struct hash_result *result)
{
    if (crypto_pwhash_argon2id_str(result->hash, password, bytes, settings->passes,
                                   settings->memory_bytes) != 0) {
        result->failed = true;
        result->hash[0] = '\0';
    }
}

/* The memory that "$argon2id$v=19$m=19456,t=2,p=1$..." asks for, in KiB; 0 when it is not of
 * that form. */
static uint64_t hash_kib(const char *hash)
{
    const char *memory = strstr(hash, "$m=");
    if (strncmp(hash, crypto_pwhash_argon2id_STRPREFIX, strlen(crypto_pwhash_argon2id_STRPREFIX)) !=
        0) {
        return 0;
    }
    if (memory == NULL) return 0;
    struct text rest = text_of(memory + strlen("$m="));
    uint64_t kib = 0;
    return text_to_u64(text_cut(&rest, ','), UINT32_MAX, &kib) ? kib : 0;
}

static void hash_verify(const struct hasher_settings *settings, const char *password, size_t bytes,
                        struct text expected, struct hash_result *result)
{
    char hash[crypto_pwhash_argon2id_STRBYTES];
    if (!text_to_zero_ended(expected, hash, sizeof hash)) return;
    uint64_t kib = hash_kib(hash);
    if (kib == 0 || kib > HASH_KIB_MAX) return;

    /* libsodium tells "wrong" and "no memory" apart by errno alone. */
    errno = 0;
    if (crypto_pwhash_argon2id_str_verify(hash, password, bytes) != 0) {
        result->failed = errno == ENOMEM;
        return;
    }
    result->is_match = true;
    if (crypto_pwhash_argon2id_str_needs_rehash(hash, settings->passes, settings->memory_bytes) ==
        0) {
        return;
    }
    hash_make(settings, password, bytes, result);
    /* No memory for the new one is no reason to turn away a right password. */
    result->is_outdated = !result->failed;
    result->failed = false;
}

static void hash_run(const struct hasher_settings *settings, const char *password, size_t bytes,
                     struct text expected, struct hash_result *result)
{
    *result = (struct hash_result){0};
    if (expected.bytes == 0) {
        hash_make(settings, password, bytes, result);
    } else {
        hash_verify(settings, password, bytes, expected, result);
    }
    assert(result->failed || result->is_match || expected.bytes > 0 || result->hash[0] != '\0');
    assert(!result->is_outdated || result->is_match);
}

void hash_now(const struct hasher_settings *settings, struct text password, struct text expected,
              struct hash_result *result)
{
    if (sodium_init() < 0) {
        *result = (struct hash_result){.failed = true};
        return;
    }
    hash_run(settings, password.bytes == 0 ? "" : password.data, password.bytes, expected, result);
}

static void job_free(struct hash_job *job)
{
    sodium_memzero(job->password, job->password_bytes);
    sodium_memzero(&job->result, sizeof job->result);
    free(job);
}

static void job_run(uv_work_t *work)
{
    struct hash_job *job = work->data;
    hash_run(&job->hasher->settings, job->password, job->password_bytes, job->expected,
             &job->result);
    sodium_memzero(job->password, job->password_bytes);
}

static void jobs_advance(struct hasher *hasher);

static void job_done(uv_work_t *work, int status)
{
    struct hash_job *job = work->data;
    struct hasher *hasher = job->hasher;
    assert(hasher->running_count > 0);
    hasher->running_count--;
    if (!hasher->is_closing) {
        if (status != 0) job->result = (struct hash_result){.failed = true};
        jobs_advance(hasher); /* first, so that the pool has work while `done` runs */
        job->done(job->context, job->ref, &job->result);
    }
    job_free(job);
    if (hasher->is_closing && hasher->running_count == 0) free(hasher);
}

static struct hash_job *job_take(struct hasher *hasher)
{
    struct hash_job *job = hasher->first;
    assert(job != NULL && hasher->waiting_count > 0);
    hasher->first = job->next;
    if (hasher->first == NULL) hasher->last = NULL;
    hasher->waiting_count--;
    return job;
}

static void jobs_advance(struct hasher *hasher)
{
    while (hasher->first != NULL && hasher->running_count < hasher->settings.running_max) {
        struct hash_job *job = job_take(hasher);
        job->work.data = job;
        int error = uv_queue_work(hasher->loop, &job->work, job_run, job_done);
        assert(error == 0); /* fails without a function to run, and never else */
        (void)error;
        hasher->running_count++;
    }
}

struct hasher *hasher_open(uv_loop_t *loop, const struct hasher_settings *settings)
{
    assert(settings->running_max > 0);
    if (sodium_init() < 0) return NULL;
    struct hasher *hasher = calloc(1, sizeof *hasher);
    if (hasher == NULL) return NULL;
    hasher->loop = loop;
    hasher->settings = *settings;
    return hasher;
}

bool hash_start(struct hasher *hasher, uint64_t ref, struct text password, struct text expected,
                hash_done done, void *context)
{
    assert(!hasher->is_closing);
    assert(done != NULL);
    bool must_wait = hasher->running_count == hasher->settings.running_max;
    if (must_wait && hasher->waiting_count >= hasher->settings.waiting_max) return false;
    struct hash_job *job = calloc(1, sizeof *job + expected.bytes + password.bytes + 1);
    if (job == NULL) return false;
    job->hasher = hasher;
    job->ref = ref;
    job->done = done;
    job->context = context;
    if (expected.bytes > 0) memcpy(job->bytes, expected.data, expected.bytes);
    job->expected = (struct text){job->bytes, expected.bytes};
    job->password = job->bytes + expected.bytes;
    job->password_bytes = password.bytes;
    if (password.bytes > 0) memcpy(job->password, password.data, password.bytes);

    if (hasher->last != NULL) {
        hasher->last->next = job;
    } else {
        hasher->first = job;
    }
    hasher->last = job;
    hasher->waiting_count++;
    jobs_advance(hasher);
    return true;
}

void hasher_close(struct hasher *hasher)
{
    if (hasher == NULL || hasher->is_closing) return;
    hasher->is_closing = true;
    while (hasher->first != NULL) job_free(job_take(hasher));
    if (hasher->running_count == 0) free(hasher);
}
