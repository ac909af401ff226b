#include "edge/fetch_trust.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUNDLE_BYTES_MAX = 8 << 20,
    ANCHORS_MAX = 2048,
    NAME_BYTES_MAX = 1024,
    AGE_MS_MAX = 24 * 3600 * 1000,
    AGE_MS_MAX_FAILED = 10000,
    RSA_BYTES_MIN = 256 /* 2048 bits, the least that public authorities have issued since 2014 */
};

const char *trust_find_file(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* the same, newer */
        "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
        "/etc/ssl/certs/ca-bundle.crt",                      /* NixOS */
        "/etc/ssl/cert.pem",                                 /* Alpine without the package, BSD */
        "/usr/local/share/certs/ca-root-nss.crt",
        "/opt/etc/ssl/certs/ca-certificates.crt", /* Entware on routers and NAS */
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], R_OK) == 0) return places[i];
    }
    return NULL;
}

/* The whole file, or NULL. */
static unsigned char *file_read(const char *path, size_t *file_bytes)
{
    struct stat status;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) return NULL;
    unsigned char *data = NULL;
    if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        status.st_size <= BUNDLE_BYTES_MAX) {
        *file_bytes = (size_t)status.st_size;
        data = malloc(*file_bytes);
    }
    if (data != NULL && fread(data, 1, *file_bytes, file) != *file_bytes) {
        free(data);
        data = NULL;
    }
    fclose(file);
    return data;
}

/* One certificate on its way through the PEM decoder. */
struct reader {
    struct trust *trust;
    size_t bytes_used, bytes_max;
    bool in_certificate;
    bool name_too_long;
    size_t name_bytes;
    br_x509_decoder_context decoder;
    unsigned char name[NAME_BYTES_MAX];
};

static void reader_name(void *context, const void *data, size_t bytes)
{
    struct reader *reader = context;
    if (bytes > sizeof reader->name - reader->name_bytes) {
        reader->name_too_long = true;
        return;
    }
    memcpy(reader->name + reader->name_bytes, data, bytes);
    reader->name_bytes += bytes;
}

/* The decoder must get nothing more once it has failed: unlike BearSSL's verifier it does not
 * look at its error first, runs on with a broken stack and reads anywhere (found by feeding it
 * damaged bundles). */
static void reader_push(void *context, const void *data, size_t bytes)
{
    struct reader *reader = context;
    if (!reader->in_certificate || reader->decoder.err != 0) return;
    br_x509_decoder_push(&reader->decoder, data, bytes);
}

static unsigned char *reader_keep(struct reader *reader, const unsigned char *data, size_t bytes)
{
    unsigned char *kept = reader->trust->bytes + reader->bytes_used;
    memcpy(kept, data, bytes);
    reader->bytes_used += bytes;
    return kept;
}

/* A bundle may hold certificates that this decoder cannot read; the others are still good, as
 * they are for every other program, so a bad one is left out. curl gives up on the whole bundle
 * instead. */
static void reader_add(struct reader *reader)
{
    struct trust *trust = reader->trust;
    br_x509_pkey *key = br_x509_decoder_get_pkey(&reader->decoder);
    if (key == NULL || reader->name_too_long || trust->anchor_count == ANCHORS_MAX) return;

    bool is_rsa = key->key_type == BR_KEYTYPE_RSA;
    size_t key_bytes = is_rsa ? key->key.rsa.nlen + key->key.rsa.elen : key->key.ec.qlen;
    if (reader->name_bytes + key_bytes > reader->bytes_max - reader->bytes_used) return;

    br_x509_trust_anchor *anchor = &trust->anchors[trust->anchor_count++];
    anchor->flags = br_x509_decoder_isCA(&reader->decoder) ? BR_X509_TA_CA : 0;
    anchor->dn.data = reader_keep(reader, reader->name, reader->name_bytes);
    anchor->dn.len = reader->name_bytes;
    anchor->pkey = *key;
    if (is_rsa) {
        anchor->pkey.key.rsa.n = reader_keep(reader, key->key.rsa.n, key->key.rsa.nlen);
        anchor->pkey.key.rsa.e = reader_keep(reader, key->key.rsa.e, key->key.rsa.elen);
    } else {
        anchor->pkey.key.ec.q = reader_keep(reader, key->key.ec.q, key->key.ec.qlen);
    }
}

static void pem_begin(struct reader *reader, br_pem_decoder_context *pem)
{
    br_pem_decoder_init(pem);
    br_pem_decoder_setdest(pem, reader_push, reader);
}

static void reader_event(struct reader *reader, br_pem_decoder_context *pem)
{
    switch (br_pem_decoder_event(pem)) {
    case BR_PEM_BEGIN_OBJ:
        reader->in_certificate = strcmp(br_pem_decoder_name(pem), "CERTIFICATE") == 0 ||
                                 strcmp(br_pem_decoder_name(pem), "X509 CERTIFICATE") == 0;
        reader->name_bytes = 0;
        reader->name_too_long = false;
        br_x509_decoder_init(&reader->decoder, reader_name, reader);
        return;
    case BR_PEM_END_OBJ:
        if (reader->in_certificate) reader_add(reader);
        reader->in_certificate = false;
        return;
    case BR_PEM_ERROR:
        /* Begin anew: bytes of the damaged one would else stand in front of the next. */
        reader->in_certificate = false;
        pem_begin(reader, pem);
        return;
    default: return;
    }
}

static void trust_parse(struct reader *reader, const unsigned char *data, size_t bytes)
{
    br_pem_decoder_context pem;
    pem_begin(reader, &pem);
    for (size_t used = 0; used < bytes;) { /* every round takes bytes or reports an event */
        used += br_pem_decoder_push(&pem, data + used, bytes - used);
        reader_event(reader, &pem);
    }
}

/* A name and a key are parts of their certificate, whose Base64 is longer than both: so the
 * file's size is room enough for all of them. */
static struct trust *trust_allocate(size_t file_bytes)
{
    struct trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) return NULL;
    trust->use_count = 1;
    trust->bytes = malloc(file_bytes);
    trust->anchors = calloc(ANCHORS_MAX, sizeof trust->anchors[0]);
    if (trust->bytes != NULL && trust->anchors != NULL) return trust;
    trust_leave(trust);
    return NULL;
}

struct trust *trust_read(const char *path)
{
    size_t file_bytes = 0;
    unsigned char *data = file_read(path, &file_bytes);
    if (data == NULL) return NULL;
    struct trust *trust = trust_allocate(file_bytes);
    struct reader *reader = calloc(1, sizeof *reader);
    if (trust != NULL && reader != NULL) {
        reader->trust = trust;
        reader->bytes_max = file_bytes;
        trust_parse(reader, data, file_bytes);
    }
    free(reader);
    free(data);
    if (trust == NULL) return NULL;
    if (trust->anchor_count == 0) {
        trust_leave(trust);
        return NULL;
    }
    /* `bytes` keeps its place, as the anchors point into it; its pages behind the last key were
     * never touched and cost nothing. */
    void *smaller = realloc(trust->anchors, trust->anchor_count * sizeof trust->anchors[0]);
    if (smaller != NULL) trust->anchors = smaller;
    return trust;
}

struct trust *trust_use(struct trust *trust)
{
    assert(trust->use_count > 0);
    trust->use_count++;
    return trust;
}

void trust_leave(struct trust *trust)
{
    if (trust == NULL) return;
    assert(trust->use_count > 0);
    if (--trust->use_count > 0) return;
    free(trust->anchors);
    free(trust->bytes);
    free(trust);
}

/* BearSSL's full profile has everything it can do. Left out here: 3DES, fixed ECDH, CCM with
 * short tags. RSA key exchange stays at the end: old routers and NAS boxes on the home network
 * speak nothing else. */
static const uint16_t suites[] = {
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    BR_TLS_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_RSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_RSA_WITH_AES_128_CBC_SHA256,
    BR_TLS_RSA_WITH_AES_128_CBC_SHA,
};

void trust_apply(const struct trust *trust, br_x509_minimal_context *verifier,
                 br_ssl_client_context *client)
{
    br_ssl_engine_context *engine = &client->eng;
    br_x509_minimal_init(verifier, &br_sha256_vtable, trust->anchors, trust->anchor_count);
    br_x509_minimal_set_rsa(verifier, br_ssl_engine_get_rsavrfy(engine));
    br_x509_minimal_set_ecdsa(verifier, br_ssl_engine_get_ec(engine),
                              br_ssl_engine_get_ecdsa(engine));
    br_x509_minimal_set_minrsa(verifier, RSA_BYTES_MIN);
    /* No MD5 and no SHA-1: certificates signed with them can be forged. */
    br_x509_minimal_set_hash(verifier, br_sha224_ID, &br_sha224_vtable);
    br_x509_minimal_set_hash(verifier, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(verifier, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(verifier, br_sha512_ID, &br_sha512_vtable);

    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(engine, suites, sizeof suites / sizeof suites[0]);
    /* The verifier is gone once the handshake has ended, and a second one on the same connection
     * would look for it; besides, renegotiation has no honest use here. */
    br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION);
    br_ssl_engine_set_x509(engine, &verifier->vtable);
}

static void keeper_job_run(uv_work_t *job)
{
    struct trust_keeper *keeper = job->data;
    keeper->fresh = trust_read(keeper->file);
}

static void keeper_job_done(uv_work_t *job, int status)
{
    struct trust_keeper *keeper = job->data;
    bool is_read = status == 0 && keeper->fresh != NULL;
    /* A bundle that became unreadable leaves the older one in use: better a day late than no
     * calls. */
    if (is_read) {
        trust_leave(keeper->trust);
        keeper->trust = keeper->fresh;
    }
    keeper->fresh = NULL;
    keeper->is_reading = false;
    keeper->due_ms = uv_now(keeper->loop) + (is_read ? AGE_MS_MAX : AGE_MS_MAX_FAILED);
    keeper->read_done(keeper->context);
}

void trust_keeper_open(struct trust_keeper *keeper, uv_loop_t *loop, const char *file,
                       void (*read_done)(void *context), void *context)
{
    *keeper = (struct trust_keeper){
        .loop = loop, .file = file, .read_done = read_done, .context = context};
    keeper->job.data = keeper;
}

bool trust_keeper_is_ready(struct trust_keeper *keeper)
{
    if (keeper->is_reading) return false;
    if (keeper->file == NULL || uv_now(keeper->loop) < keeper->due_ms) return true;
    if (uv_queue_work(keeper->loop, &keeper->job, keeper_job_run, keeper_job_done) != 0) {
        return true;
    }
    keeper->is_reading = true;
    return false;
}

void trust_keeper_close(struct trust_keeper *keeper)
{
    assert(!keeper->is_reading);
    trust_leave(keeper->trust);
    keeper->trust = NULL;
}
