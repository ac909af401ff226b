/* Slow password hashing on libuv's pool, so that no thread of ours waits for it.
 *
 * At most `running_max` jobs run at once (each takes memory_bytes), at most `waiting_max` wait; one more is
 * turned away. Passwords are copied, and wiped as soon as the job has run.
 *
 * Made are Argon2id strings only. Verified are also those of other settings, and bcrypt's ($2a$, $2b$, $2y$;
 * the C library knows it, and looks at 72 bytes of the password), which imports bring along: with a match comes
 * an Argon2id string to be stored instead. A stored hash that hash_form() refuses matches nothing. */
#ifndef HOMEPORT_EDGE_HASHER_H
#define HOMEPORT_EDGE_HASHER_H

#include <uv.h>

#include "core/text.h"

struct hasher;

struct hasher_settings {
    unsigned running_max, waiting_max;
    unsigned passes;     /* Argon2id opslimit */
    size_t memory_bytes; /* Argon2id memlimit */
};

struct hash_result {
    bool failed;      /* out of memory: neither verified nor hashed */
    bool is_match;    /* verify: the password belongs to the hash */
    bool is_outdated; /* verify: matches, but was made otherwise; `hash` is a fresh one */
    char hash[128]; /* hash, or verify with is_outdated: Argon2id string, zero-ended; else empty */
};

typedef void (*hash_done)(void *context, uint64_t ref, const struct hash_result *result);

struct hasher *hasher_open(uv_loop_t *loop, const struct hasher_settings *settings);
/* With an empty `expected` makes a hash, else verifies the password against it (see above). Both texts are copied.
 * `done` is called once, on the loop, never from within. False: the queue is full, and nothing will be called. */
bool hash_start(struct hasher *hasher, uint64_t ref, struct text password, struct text expected,
                hash_done done, void *context);
/* Whether a stored hash is of a form that is verified, and asks for no more than 1 GiB and 20 passes (Argon2id)
 * or a cost of 4 to 14 (bcrypt): it decides how long a thread is busy. *why continues "the hash ...". */
bool hash_form(struct text hash, const char **why);
/* The same work at once on this thread: for the command line. */
void hash_now(const struct hasher_settings *settings, struct text password, struct text expected,
              struct hash_result *result);
/* No `done` is called after this; frees itself when the running jobs have ended. */
void hasher_close(struct hasher *hasher);

#endif
