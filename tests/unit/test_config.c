/* Settings are taken as the file, the environment and flags say, and a wrong one is told with its key, its
 * value and what is allowed. */
#include "core/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static struct config config;
static struct config_error error;

static bool set(const char *key, const char *value)
{
    return config_set(&config, text_of(key), text_of(value), ORIGIN_FLAG, &error);
}

static bool read_file(const char *file)
{
    return config_read(&config, text_of(file), TEXT("homeport.conf"), &error);
}

static bool error_has(const char *part)
{
    bool has = strstr(error.text, part) != NULL;
    if (!has) printf("    error \"%s\" lacks \"%s\"\n", error.text, part);
    return has;
}

static struct config_row row_of(const char *key, struct arena *arena)
{
    struct config_row row = {0};
    for (unsigned i = 0; config_row_at(&config, i, arena, &row); i++) {
        if (text_equal(row.key, text_of(key))) return row;
    }
    CHECK(false);
    return row;
}

/* Every row's default is a value that the row allows, and shows as itself. */
static void test_defaults(void)
{
    struct arena arena;
    struct config_row row;
    unsigned count = 0;
    arena_init(&arena, 1 << 20);
    config_init(&config);
    CHECK_TEXT(config.http_listen, "127.0.0.1:8080");
    CHECK(config.http_body_max == 65536 && !config.http_allow_public && config.http_docs);
    CHECK(config.http_hosts.bytes == 0 && config.net_allow_private.count == 0);
    for (; config_row_at(&config, count, &arena, &row); count++) {
        CHECK(text_equal(row.value, row.initial) && row.origin == ORIGIN_DEFAULT);
        CHECK(row.sentence.bytes > 0 && row.least <= row.most);
    }
    CHECK(count == SETTING_COUNT);
    config_free(&config);
    arena_free(&arena);
}

static void test_good_values(void)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    config_init(&config);
    CHECK(set("http.listen", "0.0.0.0:80") && set("http.listen", "[::1]:0") && set("http.listen", "[2001:db8::1]:65535"));
    CHECK(set("http.hosts", " nas.example.com ,, box , "));
    CHECK_TEXT(config.http_hosts, "nas.example.com\nbox");
    CHECK_TEXT(row_of("http.hosts", &arena).value, "nas.example.com,box");
    CHECK(set("http.trusted_proxies", "10.0.0.0/8, ::1,2001:db8::/32"));
    CHECK(config.http_trusted_proxies.count == 3);
    CHECK_TEXT(row_of("http.trusted_proxies", &arena).value, "10.0.0.0/8, ::1/128, 2001:db8::/32");
    CHECK(set("http.trusted_proxies", "") && config.http_trusted_proxies.count == 0);
    CHECK(set("http.cors_origins", "https://app.example.com,http://localhost:3000"));
    CHECK(set("ddns.cloudflare.endpoint", "http://127.0.0.1:9/client/v4"));
    CHECK(set("net.timeout", "1") && config.net_timeout == 1 && set("net.timeout", "120") && config.net_timeout == 120);
    static const char *const yes[] = {"true", "yes", "on", "1", "TRUE", "Yes"};
    static const char *const no[] = {"false", "no", "off", "0", "False", "OFF"};
    for (unsigned i = 0; i < 6; i++) {
        CHECK(set("http.docs", yes[i]) && config.http_docs);
        CHECK(set("http.docs", no[i]) && !config.http_docs);
    }
    CHECK(set("log.level", "debug") && set("log.level", "error") && set("log.level", "warning"));
    CHECK(row_of("log.level", &arena).origin == ORIGIN_FLAG);
    CHECK(row_of("log.access", &arena).origin == ORIGIN_DEFAULT);
    config_free(&config);
    arena_free(&arena);
}

/* Each wrong value is refused, told with key, value and what is allowed, and changes nothing. */
static void test_wrong_values(void)
{
    static const struct {
        const char *key, *value, *allowed;
    } wrong[] = {
        {"http.listen", "nowhere", "IP address and a port"}, {"http.listen", "", "1 to 255 bytes"},
        {"http.listen", "127.0.0.1", "port"}, {"http.listen", "127.0.0.1:65536", "port"},
        {"http.listen", "::1:80", "port"}, {"http.listen", "[::1]", "port"}, {"http.listen", ":80", "port"},
        {"http.listen", "[127.0.0.1]:80", "port"}, {"http.listen", "127.0.0.1:80 ", "port"},
        {"http.listen", "127.0.0.1:", "port"}, {"http.listen", "127.0.0.1:+1", "port"},
        {"http.allow_public", "maybe", "true or false"}, {"http.allow_public", "", "true or false"},
        {"ddns.cooldown", "-1", "from 0 to 86400 s"}, {"ddns.cooldown", "soon", "from 0 to 86400 s"},
        {"ddns.cooldown", "", "from 0 to 86400 s"}, {"ddns.cooldown", "86401", "from 0 to 86400 s"},
        {"ddns.cooldown", "1.5", "from 0"}, {"ddns.cooldown", "0x10", "from 0"}, {"ddns.cooldown", "5s", "from 0"},
        {"ddns.cooldown", "99999999999999999999999", "86400"}, {"http.body_max", "1023", "from 1024 to 1048576 bytes"},
        {"http.fields_max", "100000", "1000"}, {"net.allow_private", "10.0.0.0/33", "networks such as"},
        {"net.allow_private", "10.0.0.1/8", "networks"}, {"net.allow_private", "10.0.0.0/8 fd00::/8", "networks"},
        {"net.allow_private", "nas", "networks"}, {"http.hosts", "http://nas", "host names"},
        {"http.hosts", "nas:80", "host names"}, {"http.hosts", "a b", "host names"},
        {"http.cors_origins", "app.example.com", "origins"}, {"http.cors_origins", "https://a/b", "origins"},
        {"smtp.url", "smtp://[::1", "smtp://host:587"}, {"smtp.url", "smtp://", "smtp://host:587"},
        {"smtp.url", "smtp://[::1]:0", "smtp://host:587"}, {"smtp.url", "smtp://a:", "smtp://host:587"},
        {"http.cors_origins", "https://", "origins"}, {"ddns.alidns.endpoint", "ftp://x", "http://"},
        {"ddns.alidns.endpoint", "https://a b", "http://"}, {"log.level", "loud", "debug, info, warning or error"},
        {"log.level", "INFO", "debug"}, {"log.level", "", "1 to 16"}, {"ddns.mark", "two\nlines", "one line"},
        {"ddns.mark", "\xff", "0 to 100 bytes"}, {"ddns.mark", "\x1b[31m", "0 to 100 bytes"},
        {"http.docs_FILE", "/etc/hostname", "only texts and secrets"},
    };
    config_init(&config);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(!set(wrong[i].key, wrong[i].value));
        CHECK(error_has(wrong[i].key) && error_has(" = ") && error_has(wrong[i].allowed));
        if (strpbrk(wrong[i].value, "\n\x1b\xff") == NULL) CHECK(error_has(wrong[i].value));
        CHECK(strpbrk(error.text, "\n\x1b\xff") == NULL);
    }
    CHECK_TEXT(config.http_listen, "127.0.0.1:8080");
    CHECK_TEXT(config.ddns_mark, "managed by homeport");
    CHECK(!set("http.docs", "maybe") && config.http_docs);
    CHECK(config.ddns_cooldown == 5 && config.http_hosts.bytes == 0 && config.net_allow_private.count == 0);
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(!set("http.listen", longest) && !set("net.ca_file", longest) && !set(longest, longest));
    CHECK(error_has("is not a setting"));
    CHECK(!set("net.allow_private", longest) && !set("http.hosts", longest) && !set("net.timeout", longest));
    config_free(&config);
}

/* Every beginning of every shape of value, for every setting, with nothing behind its last byte that could be read: taken
 * or refused, and with sanitizers not read beyond. */
static void test_beginnings(void)
{
    static const char *const shapes[] = {
        "smtp://[::1]:587", "smtps://mail.example.com:465", "https://[::1]:8080/a", "http://nas.example.com:80", "[2001:db8::1]:80",
        "127.0.0.1:8080", "10.0.0.0/8,::1/128", "nas.example.com,box", "Home Port <a@b.example>", "admin,super_admin", "directmail",
        "warning", "zh", "true", "4096", "-_.key", "*", "\n", "\r\n", "<", ">", "@", ",", "://",
    };
    struct arena arena;
    struct config_row row;
    arena_init(&arena, 1 << 20);
    for (unsigned setting = 0; setting < SETTING_COUNT; setting++) {
        unsigned told = 0, refused = 0;
        config_init(&config);
        CHECK(config_row_at(&config, setting, &arena, &row));
        for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            for (size_t bytes = 0; bytes <= strlen(shapes[i]); bytes++) {
                char *copy = malloc(bytes);
                if (bytes > 0) memcpy(copy, shapes[i], bytes);
                error.text[0] = '\0';
                if (!config_set(&config, row.key, (struct text){copy, bytes}, ORIGIN_FLAG, &error)) refused++;
                if (error.text[0] != '\0') told++;
                free(copy);
            }
        }
        CHECK(told == refused && refused > 0);
        config_free(&config);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

static void test_unknown_keys(void)
{
    config_init(&config);
    CHECK(!set("http.listn", "127.0.0.1:1"));
    CHECK_TEXT(text_of(error.text), "http.listn = 127.0.0.1:1: is not a setting; did you mean http.listen?");
    CHECK(!set("HTTP.LISTEN", "127.0.0.1:1") && error_has("did you mean http.listen"));
    CHECK(!set("http_listen", "127.0.0.1:1") && error_has("did you mean http.listen"));
    CHECK(!set("wholly.different", "1") && error_has("is not a setting") && !strstr(error.text, "did you mean"));
    CHECK(!set("", "1") && !set(".", "1") && !set("_FILE", "1") && !set("x_FILE", "/etc/hostname"));
    config_free(&config);
}

static void test_files(void)
{
    config_init(&config);
    CHECK(read_file("") && read_file("\n\n# only a comment") && read_file("  \t \r\n"));
    CHECK(read_file("# a comment\r\n\r\nddns.cooldown=11\r\n  http.listen =  0.0.0.0:81  # all of them\n"
                    "metrics.token = a#b = c\nhttp.hosts = a,b"));
    CHECK(config.ddns_cooldown == 11);
    CHECK_TEXT(config.http_listen, "0.0.0.0:81");
    CHECK_TEXT(config.metrics_token, "a#b = c");
    CHECK_TEXT(config.http_hosts, "a\nb");
    CHECK(read_file("http.hosts =\n") && config.http_hosts.bytes == 0);
    CHECK(!read_file("net.timeout = 5\n\nhttp.listen = xyz\n"));
    CHECK_TEXT(text_of(error.text), "http.listen = xyz: must be an IP address and a port, such as 127.0.0.1:8080 "
                                    "or [::1]:8080 (homeport.conf:3)");
    CHECK(!read_file("net.timeout = 5\nnonsense\n") && error_has("key = value") && error_has("(homeport.conf:2)"));
    CHECK(!read_file("= 5") && error_has("key = value"));
    CHECK(!read_file("[section]") && error_has("key = value"));
    CHECK(!read_file("net.tiemout = 5") && error_has("net.timeout") && error_has("(homeport.conf:1)"));
    config_free(&config);
}

static void test_environment(void)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    config_init(&config);
    char *good[] = {"PATH=/bin", "HOMEPORT_HTTP_LISTEN=[::]:8080", "HOMEPORT_DATA=/x", "HOMEPORT_CONFIG=/y",
                    "HOMEPORT_NET_ALLOW_PRIVATE=10.0.0.0/8", "HOMEPORTER=1", "homeport_x=1", "",
                    "HOMEPORT_DDNS_ALIDNS_ENDPOINT=http://[::1]:1", "HOMEPORT_STORE_KEY_FILE=/run/key", NULL};
    CHECK(config_read_environment(&config, good, &error));
    CHECK_TEXT(config.http_listen, "[::]:8080");
    CHECK_TEXT(config.store_key_file, "/run/key");
    CHECK(config.net_allow_private.count == 1);
    CHECK(row_of("http.listen", &arena).origin == ORIGIN_ENVIRONMENT);
    char *wrong[] = {"HOMEPORT_NET_TIMEOUT=never", NULL};
    CHECK(!config_read_environment(&config, wrong, &error));
    CHECK_TEXT(text_of(error.text), "net.timeout = never: must be a whole number from 1 to 120 s (HOMEPORT_NET_TIMEOUT)");
    char *unknown[] = {"HOMEPORT_HTTP_LISTN=1", NULL};
    CHECK(!config_read_environment(&config, unknown, &error));
    CHECK_TEXT(text_of(error.text), "HOMEPORT_HTTP_LISTN = 1: is not a setting; did you mean HOMEPORT_HTTP_LISTEN?");
    char *dotted[] = {"HOMEPORT_http.listen=1", NULL};
    CHECK(!config_read_environment(&config, dotted, &error) && error_has("is not a setting"));
    char *nothing[] = {NULL};
    CHECK(config_read_environment(&config, nothing, &error));
    config_free(&config);
    arena_free(&arena);
}

/* A secret is shown nowhere: not in rows, not in errors, not when its key is mistyped. */
/* What Kubernetes gives a container for a service called homeport is no setting, and no reason to stop. */
static void test_kubernetes(void)
{
    static const char *const ignored[] = {
        "HOMEPORT_SERVICE_HOST=10.96.0.17",
        "HOMEPORT_SERVICE_HOST=fd00::17",
        "HOMEPORT_SERVICE_PORT=8080",
        "HOMEPORT_SERVICE_PORT_HTTP=8080",
        "HOMEPORT_SERVICE_PORT_WEB_UI=8080",
        "HOMEPORT_PORT=tcp://10.96.0.17:8080",
        "HOMEPORT_PORT=udp://10.96.0.17:3478",
        "HOMEPORT_PORT_8080_TCP=tcp://10.96.0.17:8080",
        "HOMEPORT_PORT_8080_TCP_PROTO=tcp",
        "HOMEPORT_PORT_8080_TCP_PORT=8080",
        "HOMEPORT_PORT_8080_TCP_ADDR=10.96.0.17",
        "HOMEPORT_PORT_3478_UDP=udp://10.96.0.17:3478",
        "HOMEPORT_PORT_3478_UDP_ADDR=10.96.0.17",
        "HOMEPORT_WEB_SERVICE_HOST=10.96.0.17",
        "HOMEPORT_WEB_PORT_80_TCP=tcp://10.96.0.17:80",
    };
    static const char *const refused[] = {
        "HOMEPORT_PORT=8080",
        "HOMEPORT_HTTP_PORT=8080",
        "HOMEPORT_SERVICE_HOST=example.com",
        "HOMEPORT_SERVICE_HOST=",
        "HOMEPORT_SERVICE_PORT=http",
        "HOMEPORT_SERVICE_PORT_=8080",
        "HOMEPORT_SERVICE_PORTS=8080",
        "HOMEPORT_SERVICE=10.96.0.17",
        "HOMEPORT_PORT_8080=tcp://10.96.0.17:8080",
        "HOMEPORT_PORT_HTTP_TCP=tcp://10.96.0.17:8080",
        "HOMEPORT_PORT_8080_TCP=8080",
        "HOMEPORT_PORT_8080_TCP_NAME=http",
        "HOMEPORT_PORT_8080_TCP_ADDR_X=10.96.0.17",
        "HOMEPORT_XSERVICE_HOST=10.96.0.17",
        "HOMEPORT_HOST=10.96.0.17",
    };
    char variable[100];
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        config.ignored[0] = 0;
        snprintf(variable, sizeof variable, "%s", ignored[i]);
        if (!CHECK(config_read_environment(&config, (char *[]){variable, NULL}, &error))) printf("    %s\n", ignored[i]);
        CHECK(text_equal(text_of(config.ignored), (struct text){ignored[i], strcspn(ignored[i], "=")}));
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(variable, sizeof variable, "%s", refused[i]);
        if (!CHECK(!config_read_environment(&config, (char *[]){variable, NULL}, &error))) printf("    %s\n", refused[i]);
    }
    for (unsigned i = 0; i < 1000; i++) { /* more than there is room to note */
        snprintf(variable, sizeof variable, "%s", ignored[i % 4]);
        CHECK(config_read_environment(&config, (char *[]){variable, NULL}, &error));
    }
    CHECK(strlen(config.ignored) < sizeof config.ignored);
}

static void test_secrets_stay_secret(void)
{
    struct arena arena;
    char many[400];
    arena_init(&arena, 1 << 20);
    config_init(&config);
    CHECK(row_of("metrics.token", &arena).value.bytes == 0);
    CHECK(set("metrics.token", "canary"));
    CHECK_TEXT(row_of("metrics.token", &arena).value, "***");
    memset(many, 'q', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    CHECK(!set("metrics.token", many) && strstr(error.text, "qq") == NULL && error_has("0 to 256 bytes"));
    CHECK(!set("metrics.token", "qq\n") && strstr(error.text, "qq") == NULL);
    CHECK(!set("metric.tokens", "canary") && strstr(error.text, "canary") == NULL && error_has("metrics.token"));
    CHECK(!set("some.password", "canary") && strstr(error.text, "canary") == NULL);
    CHECK(!read_file("metrics.token canary\n") && strstr(error.text, "canary") == NULL);
    config_free(&config);
    arena_free(&arena);
}

static void write_file(const char *path, const char *content, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    if (!CHECK(file != NULL)) return;
    fwrite(content, 1, bytes, file);
    fclose(file);
}

/* key_FILE and HOMEPORT_KEY_FILE take the value from a file, without its last line end. */
static void test_values_in_files(void)
{
    char path[64], line[128], name[128];
    static char many[9000];
    memset(many, 'q', sizeof many);
    snprintf(path, sizeof path, "/tmp/homeport-test-config-%d", (int)getpid());
    config_init(&config);
    write_file(path, "canary\n", 7);
    CHECK(set("metrics.token_FILE", path));
    CHECK_TEXT(config.metrics_token, "canary");
    write_file(path, "crlf\r\n", 6);
    snprintf(line, sizeof line, "metrics.token_file = %s\n", path);
    CHECK(read_file(line));
    CHECK_TEXT(config.metrics_token, "crlf");
    snprintf(name, sizeof name, "HOMEPORT_METRICS_TOKEN_FILE=%s", path);
    write_file(path, "", 0);
    CHECK(config_read_environment(&config, (char *[]){name, NULL}, &error));
    CHECK(config.metrics_token.bytes == 0);
    write_file(path, "two\nlines\n", 10);
    CHECK(!config_read_environment(&config, (char *[]){name, NULL}, &error));
    CHECK(error_has(path) && error_has("what is in that file") && strstr(error.text, "lines\n") == NULL);
    write_file(path, many, sizeof many);
    CHECK(!set("metrics.token_FILE", path) && error_has("0 to 256") && strstr(error.text, "qq") == NULL);
    write_file(path, "nowhere", 7);
    CHECK(!set("http.listen_FILE", path) && error_has("http.listen_FILE") && error_has("IP address"));
    remove(path);
    CHECK(!set("metrics.token_FILE", path) && error_has(path) && error_has("No such file"));
    CHECK(!set("metrics.token_FILE", "/") && !set("metrics.token_FILE", "") && !set("metrics.token_FILE", "/dev/zero"));
    memset(many + 8999, 0, 1);
    CHECK(!set("metrics.token_FILE", many));
    config_free(&config);
}

/* Setting again and again ends with an error, not without end. */
static void test_memory_is_bounded(void)
{
    bool is_good = true;
    config_init(&config);
    for (unsigned i = 0; i < 1000000 && is_good; i++) is_good = set("net.ca_file", "/a/path/of/some/length");
    CHECK(!is_good && error_has("memory"));
    config_free(&config);
}

int main(void)
{
    test_defaults();
    test_good_values();
    test_wrong_values();
    test_beginnings();
    test_unknown_keys();
    test_files();
    test_environment();
    test_kubernetes();
    test_secrets_stay_secret();
    test_values_in_files();
    test_memory_is_bounded();
    return unit_end();
}
