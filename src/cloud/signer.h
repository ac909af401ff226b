/* Signs HTTP requests for the clouds. ACS3 (Alibaba), TC3 (Tencent), SigV4 (S3) and OSS4 are one
 * scheme with other words: a canonical request, its hash in a string to sign, an HMAC of that, one
 * header line. signer_sign() walks those steps, and a row of the table in signer.c holds the words.
 * ACS3 and TC3 have a row so far; TC3 brought the columns for a time, a scope and a derived key.
 *
 * Use: encode the query with signer_query(), list the header fields to sign (names in small
 * letters, sorted by the signer), sign, send exactly what was signed and result.authorization.
 *
 * The secret is only read; nothing derived from it stays in the arena but the signature. */
#ifndef HOMEPORT_CLOUD_SIGNER_H
#define HOMEPORT_CLOUD_SIGNER_H

#include "core/arena.h"

enum { SIGNER_FIELDS_MAX = 32, SIGNER_HEX_SHA256_SIZE = 65, SIGNER_SECRET_BYTES_MAX = 256 };

enum signer_scheme { SIGNER_ACS3, SIGNER_TC3 };

/* A query parameter or a header field. */
struct signer_field {
    struct text name;
    struct text value;
};

struct signer_request {
    enum signer_scheme scheme;
    struct text method; /* "POST" */
    struct text path;   /* as it is sent: "/" */
    struct text query;  /* canonical, from signer_query() */
    const struct signer_field *headers;
    unsigned header_count; /* at most SIGNER_FIELDS_MAX */
    struct text body_hash; /* hex SHA-256 of the body, from signer_hash() */
    uint64_t time_s;     /* TC3: seconds since 1970, as the request says them; its UTC day counts */
    struct text service; /* TC3: "captcha" */
    struct text key_id;
    struct text secret; /* of a scheme with a derived key: at most SIGNER_SECRET_BYTES_MAX */
};

/* All but the last are offered for tests and for finding out why a signature was refused. */
struct signer_result {
    struct text canonical_request;
    struct text string_to_sign;
    struct text signed_names;
    struct text signature;
    struct text authorization; /* the value of the Authorization field */
};

/* Percent-encodes names and values and joins them sorted, "a=1&b=": empty values keep their "=". At
 * most SIGNER_FIELDS_MAX. */
struct text signer_query(struct arena *arena, const struct signer_field *fields,
                         unsigned field_count);

/* Small hex digits of the SHA-256 of t. */
struct text signer_hash(struct arena *arena, struct text t);

/* The result's texts are in the arena, empty when it overflowed. */
struct signer_result signer_sign(struct arena *arena, const struct signer_request *request);

#endif
