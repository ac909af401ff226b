/* homeport version, homeport openapi: what this program is, without any data folder. */
#include <curl/curlver.h>
#include <llhttp.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <uv.h>
#include <yyjson.h>

#include "cli/cli.h"
#include "web/openapi.h"

/* BearSSL has no macro for it. */
static const char bearssl_version[] = "0.6";

int command_version(const struct cli *cli)
{
    (void)cli;
    printf(
        "homeport %s (libuv %s, llhttp %d.%d.%d, LMDB %d.%d.%d, libcurl %s, BearSSL %s, libsodium %s, yyjson %s)\n",
        HOMEPORT_VERSION, uv_version_string(), LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
        LLHTTP_VERSION_PATCH, MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH,
        LIBCURL_VERSION, bearssl_version, sodium_version_string(), YYJSON_VERSION_STRING);
    return 0;
}

int command_openapi(const struct cli *cli)
{
    struct json json;
    (void)cli;
    json_init(&json, OPENAPI_BYTES_MAX);
    openapi_write(&json);
    bool is_written = !json.overflowed && fwrite(json.data, 1, json.bytes, stdout) == json.bytes &&
                      fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    json_free(&json);
    return is_written ? 0 : cli_fail("the OpenAPI document could not be written");
}
