/* edge/fetch_trust.c: reading bundles of certificate authorities, good ones and damaged ones. */
#include "edge/fetch_trust.h"
#include "unit.h"

#include <unistd.h>

static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBmzCCAUGgAwIBAgIUNG/tg9qZiApoMFqdoF+4YZX9djswCgYIKoZIzj0EAwIw\n"
    "IjEgMB4GA1UEAwwXaG9tZXBvcnQgdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMDUw\n"
    "NTQ1WhgPMjA1MTA3MTMwNTA1NDVaMCIxIDAeBgNVBAMMF2hvbWVwb3J0IHRlc3Qg\n"
    "YXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgg9dmROKlwCkWx7X\n"
    "I+pwn1A7E8LTb6s2nxjGs8ZlgltM9EzxbnVCYuN9euItY1ozJOv7haDozu6yc05r\n"
    "aEMJ3qNTMFEwHQYDVR0OBBYEFAhi8T/Bt2b1CcTNEfvpROontpx0MB8GA1UdIwQY\n"
    "MBaAFAhi8T/Bt2b1CcTNEfvpROontpx0MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI\n"
    "zj0EAwIDSAAwRQIhANoYCzLqjCmNXZxfCU/DtKcTduu5GEvdVPLn+5cDbs/+AiAf\n"
    "Y814BOdm8uKanGcsDZAgFJc8KDEUykZpD6I5XYq6Bw==\n"
    "-----END CERTIFICATE-----\n";
static char path[] = "/tmp/homeport-trust-XXXXXX";

/* How many authorities come out of a bundle of these bytes. */
static size_t read_count(const char *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
    struct trust *trust = trust_read(path);
    size_t count = trust == NULL ? 0 : trust->anchor_count;
    CHECK(trust == NULL || (count > 0 && trust->use_count == 1));
    trust_leave(trust);
    return count;
}

static size_t read_text(const char *before, const char *between, const char *after)
{
    char bundle[8192];
    int bytes = snprintf(bundle, sizeof bundle, "%s%s%s%s%s", before, certificate, between,
                         certificate, after);
    return read_count(bundle, (size_t)bytes);
}

/* Every certificate is found, whatever stands around it. */
static void test_bundle(void)
{
    CHECK(read_count(certificate, sizeof certificate - 1) == 1);
    CHECK(read_text("", "", "") == 2);
    CHECK(read_text("# Authorities\n\n", "Subject: CN=x\n", "the end") == 2);
    CHECK(read_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "") == 2);
}

/* An authority is kept with its name and key. */
static void test_anchor(void)
{
    CHECK(read_count(certificate, sizeof certificate - 1) == 1);
    struct trust *trust = trust_read(path);
    if (!CHECK(trust != NULL)) return;
    const br_x509_trust_anchor *anchor = &trust->anchors[0];
    CHECK((anchor->flags & BR_X509_TA_CA) != 0);
    CHECK(anchor->pkey.key_type == BR_KEYTYPE_EC && anchor->pkey.key.ec.qlen == 65);
    CHECK(anchor->dn.len > 23 &&
          memcmp(anchor->dn.data + anchor->dn.len - 23, "homeport test authority", 23) == 0);
    CHECK(trust_use(trust) == trust && trust->use_count == 2);
    trust_leave(trust);
    trust_leave(trust);
}

/* A damaged certificate is left out, and those around it are kept. */
static void test_damaged(void)
{
    CHECK(read_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "", "") == 2);
    CHECK(read_text("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "") == 2);
    CHECK(read_text("", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "") == 2);
    CHECK(read_text("", "", "-----BEGIN CERTIFICATE-----\nMIIB") == 2);
    CHECK(read_count("", 0) == 0);
    CHECK(read_count("nothing", 7) == 0);
    CHECK(read_count("\0\0\0", 3) == 0);
    unlink(path);
    CHECK(trust_read(path) == NULL);
    CHECK(trust_read("/") == NULL);
}

/* No byte of a bundle, changed or missing, leads the reader astray: BearSSL's decoder reads out
 * of bounds when it is fed on after an error. Shows under the sanitizers. */
static void test_every_byte(void)
{
    char bundle[2 * sizeof certificate];
    size_t bytes = (size_t)snprintf(bundle, sizeof bundle, "%s%s", certificate, certificate);
    for (size_t i = 0; i < sizeof certificate - 1; i++) {
        char kept = bundle[i];
        for (const char *other = "A/0-\n"; *other != '\0'; other++) {
            bundle[i] = *other;
            size_t count = read_count(bundle, bytes);
            CHECK(count == 1 || count == 2 || i > sizeof certificate - 30);
        }
        bundle[i] = kept;
        CHECK(read_count(bundle, i) <= 1);
    }
}

int main(void)
{
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    test_bundle();
    test_anchor();
    test_damaged();
    test_every_byte();
    unlink(path);
    return unit_end();
}
