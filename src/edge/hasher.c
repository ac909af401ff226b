#include "edge/hasher.h"

#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

enum {
    /* A stored hash names what it costs. Ours never name more; an imported one that does must not bring the
     * machine down. */
    HASH_KIB_MAX = 1 << 20,
    HASH_PASSES_MAX = 20,
    HASH_LANES_MAX = 16,
    BCRYPT_COST_MIN = 4,
    BCRYPT_COST_MAX = 14,
    BCRYPT_BYTES = 60,
    HASH_NICE = 10
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

/* ---- what is stored ------------------------------------------------------------------------------- */

/* Takes "name=digits" and the comma or $ behind it off the front; 0 when that is not what stands there. */
static uint64_t number_take(struct text *rest, struct text name, char separator)
{
    uint64_t number = 0;
    struct text value = text_cut(rest, separator);
    struct text given = text_cut(&value, '=');
    return text_equal(given, name) && text_to_u64(value, UINT32_MAX, &number) ? number : 0;
}

/* "$argon2id$v=19$m=19456,t=2,p=1$salt$hash". What it costs is read here, the rest is libsodium's to judge. */
static bool argon2_form(const char *hash, const char **why)
{
    struct text rest = text_of(hash + strlen(crypto_pwhash_argon2id_STRPREFIX));
    uint64_t version = number_take(&rest, TEXT("v"), '$');
    uint64_t kib = number_take(&rest, TEXT("m"), ',');
    uint64_t passes = number_take(&rest, TEXT("t"), ',');
    uint64_t lanes = number_take(&rest, TEXT("p"), '$');
    *why = "is not a whole Argon2id string ($argon2id$v=19$m=...,t=...,p=...$salt$hash)";
    if (version == 0 || kib == 0 || passes == 0 || lanes == 0) return false;
    if (crypto_pwhash_argon2id_str_needs_rehash(hash, 1, crypto_pwhash_argon2id_MEMLIMIT_MIN) < 0)
        return false;
    *why = "asks for more than 1 GiB of memory, 20 passes or 16 lanes";
    return kib <= HASH_KIB_MAX && passes <= HASH_PASSES_MAX && lanes <= HASH_LANES_MAX;
}

/* "$2b$12$" and 53 letters: 22 of salt, 31 of hash. */
static bool bcrypt_form(struct text hash, const char **why)
{
    uint64_t cost = 0;
    *why = "is not a whole bcrypt string ($2a$, $2b$ or $2y$, two digits of cost, $, 53 letters)";
    if (hash.bytes != BCRYPT_BYTES || memchr("aby", hash.data[2], 3) == NULL) return false;
    if (hash.data[3] != '$' || hash.data[6] != '$') return false;
    if (!text_to_u64((struct text){hash.data + 4, 2}, 99, &cost)) return false;
    for (size_t i = 7; i < hash.bytes; i++) {
        char c = ascii_lower(hash.data[i]);
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '.' && c <= '9'); /* . / and digits */
        if (!is_letter) return false;
    }
    *why = "asks for a bcrypt cost that is not from 4 to 14";
    return cost >= BCRYPT_COST_MIN && cost <= BCRYPT_COST_MAX;
}

static bool is_bcrypt(struct text hash)
{
    return text_starts(hash, TEXT("$2"));
}

bool hash_form(struct text hash, const char **why)
{
    char copy[crypto_pwhash_argon2id_STRBYTES];
    if (is_bcrypt(hash)) return bcrypt_form(hash, why);
    *why = "must be an Argon2id ($argon2id$...) or bcrypt ($2b$...) string of one line";
    if (!text_starts(hash, TEXT(crypto_pwhash_argon2id_STRPREFIX))) return false;
    if (memchr(hash.data, 0, hash.bytes) != NULL) return false;
    return text_to_zero_ended(hash, copy, sizeof copy) && argon2_form(copy, why);
}

/* ---- verifying ------------------------------------------------------------------------------------ */

static void bcrypt_verify(const char *password, size_t bytes, struct text expected,
                          struct hash_result *result)
{
    char setting[BCRYPT_BYTES + 1];
    char *ended = calloc(1, bytes + 1);
    struct crypt_data *data = calloc(1, sizeof *data); /* glibc's has 32 KiB and more */
    bool is_set = text_to_zero_ended(expected, setting, sizeof setting);
    if (ended == NULL || data == NULL || !is_set) {
        result->failed = true;
    } else if (memchr(password, 0, bytes) == NULL) { /* else bcrypt would see its beginning only */
        memcpy(ended, password, bytes);
        const char *made = crypt_r(ended, setting, data);
        result->is_match = made != NULL && strlen(made) == expected.bytes &&
                           sodium_memcmp(made, expected.data, expected.bytes) == 0;
    }
    if (ended != NULL) sodium_memzero(ended, bytes + 1);
    if (data != NULL) sodium_memzero(data, sizeof *data);
    free(ended);
    free(data);
}

/* libsodium tells "wrong" and "no memory" apart by errno alone. */
static void argon2_verify(const struct hasher_settings *settings, const char *password,
                          size_t bytes, struct text expected, struct hash_result *result,
                          bool *is_current)
{
    char hash[crypto_pwhash_argon2id_STRBYTES];
    if (!text_to_zero_ended(expected, hash, sizeof hash)) return;
    errno = 0;
    result->is_match = crypto_pwhash_argon2id_str_verify(hash, password, bytes) == 0;
    result->failed = !result->is_match && errno == ENOMEM;
    *is_current = crypto_pwhash_argon2id_str_needs_rehash(hash, settings->passes,
                                                          settings->memory_bytes) == 0;
}

static void hash_verify(const struct hasher_settings *settings, const char *password, size_t bytes,
                        struct text expected, struct hash_result *result)
{
    const char *why;
    bool is_current = false;
    if (!hash_form(expected, &why)) return;
    if (is_bcrypt(expected)) {
        bcrypt_verify(password, bytes, expected, result);
    } else {
        argon2_verify(settings, password, bytes, expected, result, &is_current);
    }
    if (!result->is_match || is_current) return;
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

/* ---- giving way ----------------------------------------------------------------------------------- */

/* A hash is some 20 ms of CPU at a stretch. Linux gives who waited for a CPU what it is owed, whatever its priority,
 * up to a tick (4 ms); with one CPU that is what a read waits behind a hash. So a hash runs as SCHED_IDLE, and a timer
 * makes it sleep for a moment five thousand times a second: then whoever waits runs, and is not displaced when the sleep
 * ends. Where others leave it too little that way, it goes on as an ordinary thread of low priority (which the kernel may
 * refuse to who is not root: then it stays as it is). */
enum {
    NAP_EVERY_NS = 200 * 1000,
    NAP_NS = 30 * 1000,
    TIMER_SLACK_NS = 1000,
    PATIENCE_NS = 100 * 1000 * 1000
};

#ifndef sigev_notify_thread_id /* timer_create(2) has it, older glibc has it not by this name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* One for each thread of the pool, made with its first hash and kept. */
static _Thread_local struct hash_thread {
    bool is_ready, has_timer;
    timer_t timer;
    volatile uint64_t patient_until; /* uv_hrtime(); 0: no longer patient */
} hash_thread;

/* musl leaves out sched_setscheduler(), as POSIX wants it of processes and Linux has it for threads. */
static void policy_set(int policy)
{
    struct sched_param none = {0};
    syscall(SYS_sched_setscheduler, 0, policy, &none);
}

static void timer_every(uint64_t ns)
{
    struct itimerspec every = {{0, (long)ns}, {0, (long)ns}};
    if (hash_thread.has_timer) timer_settime(hash_thread.timer, 0, &every, NULL);
}

/* Runs between any two instructions of the hash, on its thread: system calls only. */
static void on_nap(int number)
{
    int error = errno; /* libsodium tells by it why it failed */
    (void)number;
    if (hash_thread.patient_until == 0) return;
    if (uv_hrtime() < hash_thread.patient_until) {
        nanosleep(&(struct timespec){0, NAP_NS}, NULL);
    } else {
        hash_thread.patient_until = 0;
        policy_set(SCHED_OTHER);
    }
    errno = error;
}

static void hash_thread_init(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    pid_t self = (pid_t)syscall(SYS_gettid);
    event.sigev_notify_thread_id = self;
    hash_thread.is_ready = true;
    hash_thread.has_timer = timer_create(CLOCK_MONOTONIC, &event, &hash_thread.timer) == 0;
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    setpriority(PRIO_PROCESS, (id_t)self, HASH_NICE);
}

static void give_way(void)
{
    if (!hash_thread.is_ready) hash_thread_init();
    hash_thread.patient_until = uv_hrtime() + PATIENCE_NS;
    policy_set(SCHED_IDLE);
    timer_every(NAP_EVERY_NS);
}

/* The thread is libuv's, and what else it does (names of servers) should not be kept waiting as long. */
static void give_way_no_more(void)
{
    timer_every(0);
    policy_set(SCHED_OTHER);
}

/* ---- jobs ----------------------------------------------------------------------------------------- */

static void job_run(uv_work_t *work)
{
    struct hash_job *job = work->data;
    give_way();
    hash_run(&job->hasher->settings, job->password, job->password_bytes, job->expected,
             &job->result);
    give_way_no_more();
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
        if (job->result.failed) {
            log_line(LOG_ERROR, "not enough memory to hash a password (auth.argon2_memory_kib)",
                     LOG_END);
        }
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
    signal(SIGRTMIN, on_nap);
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
