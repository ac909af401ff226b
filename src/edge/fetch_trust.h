/* Whom outgoing TLS believes: the certificate authorities of a PEM bundle, read once for all
 * connections.
 *
 * Why not CURLOPT_CAINFO: curl's BearSSL back end parses the bundle anew for every connection,
 * 20 to 30 ms of the loop for the usual 145 authorities and a copy of them in each connection.
 * Here a pool job reads the bundle once into plain arrays; every connection gets a verifier of
 * its own that points into them. The bundle is read again when it is a day old, so that updates
 * of the system arrive without a restart.
 *
 * Owners. A trust is counted: one use by whoever keeps the newest, one by each call that may be
 * in a handshake. trust_read() may run on any thread; everything else belongs to the loop's
 * thread. */
#ifndef HOMEPORT_EDGE_FETCH_TRUST_H
#define HOMEPORT_EDGE_FETCH_TRUST_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct trust {
    unsigned use_count;
    size_t anchor_count;           /* 0: nothing is trusted */
    br_x509_trust_anchor *anchors; /* they point into `bytes` */
    unsigned char *bytes;
};

/* The first of the usual system places that can be read, or NULL. Static storage. */
const char *trust_find_file(void);

/* Reads a bundle; certificates that cannot be understood are left out. NULL when the file cannot
 * be read, holds no certificate or memory is short. The caller gets the first use. */
struct trust *trust_read(const char *path);
struct trust *trust_use(struct trust *trust);
void trust_leave(struct trust *trust); /* NULL is allowed */

/* Sets up one client connection before its handshake: TLS 1.2 only, modern suites, a verifier
 * that believes `trust` alone. `verifier` must live until the handshake has ended; afterwards
 * its `err` tells how it judged the chain (BR_ERR_X509_...). */
void trust_apply(const struct trust *trust, br_x509_minimal_context *verifier,
                 br_ssl_client_context *client);

/* Keeps the newest trust and reads it anew when it is due. Fields are to be read, not written. */
struct trust_keeper {
    uv_loop_t *loop;
    const char *file;    /* NULL: there is none */
    struct trust *trust; /* NULL: not read yet, or nothing to be had */
    void (*read_done)(void *context);
    void *context;
    bool is_reading; /* until read_done; the keeper must live as long */
    uint64_t due_ms;
    uv_work_t job;
    struct trust *fresh;
};

/* `file` must live as long as the keeper. */
void trust_keeper_open(struct trust_keeper *keeper, uv_loop_t *loop, const char *file,
                       void (*read_done)(void *context), void *context);
/* True when `trust` is what there is to be had. False while the bundle is being read; read_done is
 * called, on the loop, when that has ended. */
bool trust_keeper_is_ready(struct trust_keeper *keeper);
/* Not while is_reading. */
void trust_keeper_close(struct trust_keeper *keeper);

#endif
