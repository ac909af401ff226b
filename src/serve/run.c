/* Opens everything in order, runs the loop, closes everything in reverse. */
#include <assert.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/account.h"
#include "core/log.h"
#include "serve/home.h"
#include "serve/serve.h"
#include "web/metrics.h"

enum {
    INBOX_BYTES_MAX = 64 << 20,
    OUTBOX_BYTES_MAX = 64 << 20,
    REQUEST_BYTES_MAX = 4 << 20,
    ANSWER_BYTES_MAX = 8 << 20,
    WAITING_MAX = 8192,
    SETUP_TOKEN_BYTES = 16,
    STOP_MS = 8000 /* for requests under way, of the 10 s that a service manager gives */
};

/* ---- stopping ------------------------------------------------------------------------------------- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void core_stopped(void *context)
{
    struct serve *serve = context;
    serve_release_snapshot(serve);
    if (serve->netlink != NULL) netlink_close(serve->netlink);
    fetcher_close(serve->fetcher);
    dns_client_close(serve->dns);
    hasher_close(serve->hasher);
    outside_forget_all(serve);
    close_handle((uv_handle_t *)&serve->before_sleep);
    close_handle((uv_handle_t *)&serve->sender);
    close_handle((uv_handle_t *)&serve->wake);
    close_handle((uv_handle_t *)&serve->hurry);
    close_handle((uv_handle_t *)&serve->heartbeat);
    for (size_t i = 0; i < sizeof serve->signals / sizeof *serve->signals; i++) {
        close_handle((uv_handle_t *)&serve->signals[i]);
    }
}

static void http_closed(void *context)
{
    struct serve *serve = context;
    core_thread_stop(serve->thread, core_stopped, serve);
}

static void on_hurry(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    log_line(LOG_WARNING, "requests under way are cut off", LOG_END);
    http_close_now(serve->http);
}

static void stop(struct serve *serve)
{
    if (serve->is_stopping) return;
    serve->is_stopping = true;
    log_line(LOG_INFO, "stopping", LOG_END);
    uv_timer_stop(&serve->wake);
    if (serve->http == NULL) {
        core_thread_stop(serve->thread, core_stopped, serve);
        return;
    }
    events_end_all(serve);
    uv_timer_start(&serve->hurry, on_hurry, STOP_MS, 0);
    http_drain(serve->http, http_closed, serve);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data);
}

/* ---- starting ------------------------------------------------------------------------------------- */

static void say_where(const struct serve *serve)
{
    struct text listen = serve->config->http_listen;
    size_t at = listen.bytes;
    while (at > 0 && listen.data[at - 1] != ':') at--;
    printf("homeport %s listens on http://%.*s%u/\n", HOMEPORT_VERSION, (int)at, listen.data,
           http_port(serve->http));
    fflush(stdout);
}

static void start_listening(struct serve *serve)
{
    const struct config *c = serve->config;
    struct http_handlers handlers = {
        .context = serve,
        .body_bytes_max = serve_body_max,
        .on_request = serve_request,
        .on_refused = serve_refused,
        .on_stream_closed = events_closed,
    };
    struct http_settings settings = {
        .connections_max = (unsigned)c->http_connections_max,
        .connections_per_ip_max = (unsigned)c->http_connections_per_ip,
        .head_bytes_max = (size_t)c->http_head_max,
        .fields_max = (unsigned)c->http_fields_max,
        .head_timeout_ms = c->http_header_timeout * 1000,
        .body_timeout_ms = c->http_body_timeout * 1000,
        .idle_timeout_ms = c->http_idle_timeout * 1000,
        .write_timeout_ms = c->http_write_timeout * 1000,
        .stream_bytes_max = 256 << 10,
    };
    int error = 0;
    serve->http = http_listen(serve->loop, c->http_listen, &settings, &handlers, &error);
    if (serve->http != NULL) {
        serve->is_ready = true;
        say_where(serve);
        return;
    }
    fprintf(stderr, "homeport: cannot listen on %.*s: %s\n", TEXT_ARGS(c->http_listen),
            uv_strerror(error));
    serve->exit_code = 1;
    stop(serve);
}

/* What the core hands back. The first time is core_start()'s: from then on there is something to serve. */
static void deliver(void *context, const struct mailbox *outbox, const struct turn_result *result)
{
    struct serve *serve = context;
    if (!serve->is_ready && serve->http == NULL && !serve->is_stopping) {
        if (result->commit != OK) {
            fprintf(stderr, "homeport: the store cannot be used: %.*s\n",
                    TEXT_ARGS(err_info(result->commit)->sentence));
            serve->exit_code = 1;
            stop(serve);
            return;
        }
        start_listening(serve);
    }
    /* A read that is asked for after this must see what was just committed. */
    if (result->has_written) serve_release_snapshot(serve);
    for (const struct message *m = outbox->first; m != NULL; m = m->next) outside_deliver(serve, m);
    if (result->commit == OK) serve->audit_head = result->audit_head;
    if (result->has_written && serve->clients != NULL) events_committed(serve);
}

/* What the loop did since it last went to wait, less the waiting. */
static void note_busy(struct serve *serve)
{
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(serve->loop);
    if (serve->slept_at_ns != 0) {
        times_add(&serve->loop_times,
                  (now_ns - serve->slept_at_ns - (idle_ns - serve->idle_ns)) / 1000);
    }
    serve->slept_at_ns = now_ns;
    serve->idle_ns = idle_ns;
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    struct serve *serve = prepare->data;
    struct key_use use;
    serve_release_snapshot(serve);
    note_busy(serve);
    while (auth_take_used_key(serve->gate->auth, &use.key_id))
        serve_post(serve, MESSAGE_key_used, &use);
}

static void collect(void *context, struct metrics_http *http, uint64_t *store_used,
                    uint64_t *store_most)
{
    const struct serve *serve = context;
    const struct http_counts *counts = http_counts(serve->http);
    *http = (struct metrics_http){.connections_open = counts->connections_open,
                                  .streams_open = counts->streams_open,
                                  .connections_total = counts->connections_total,
                                  .connections_refused = counts->connections_refused,
                                  .timeouts_total = counts->timeouts_total,
                                  .bytes_in = counts->bytes_in,
                                  .bytes_out = counts->bytes_out,
                                  .rate_limited = serve->gate->limited_count,
                                  .ban_refused = serve->gate->ban_refused_count};
    store_lmdb_usage(serve->store, store_used, store_most);
}

static void offer_metrics(struct serve *serve)
{
    serve->metrics = (struct metrics_sources){.context = serve,
                                              .collect = collect,
                                              .core = core_figures(serve->core),
                                              .outside = &serve->outside,
                                              .turns = core_thread_times(serve->thread),
                                              .loop = &serve->loop_times,
                                              .started_ms = serve_now_ms()};
    metrics_sources_set(&serve->metrics);
}

static void start_handles(struct serve *serve)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    uv_loop_configure(serve->loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(serve->loop, &serve->before_sleep);
    serve->before_sleep.data = serve;
    uv_prepare_start(&serve->before_sleep, on_before_sleep);
    uv_idle_init(serve->loop, &serve->sender);
    serve->sender.data = serve;
    uv_timer_init(serve->loop, &serve->wake);
    uv_timer_init(serve->loop, &serve->hurry);
    uv_timer_init(serve->loop, &serve->heartbeat);
    serve->wake.data = serve->hurry.data = serve->heartbeat.data = serve;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uv_signal_init(serve->loop, &serve->signals[i]);
        serve->signals[i].data = serve;
        uv_signal_start(&serve->signals[i], on_signal, numbers[i]);
    }
}

/* While nobody is an administrator, whoever has the token becomes it. */
static void offer_setup(struct serve *serve)
{
    uint8_t chance[SETUP_TOKEN_BYTES];
    char token[SETUP_TOKEN_BYTES * 2 + 1];
    struct gate_view view;
    if (serve_snapshot(serve, &view) != OK) return;
    bool has_admin = account_has_admin(&view.read);
    serve_release_snapshot(serve);
    if (has_admin) return;
    randombytes_buf(chance, sizeof chance);
    sodium_bin2hex(token, sizeof token, chance, sizeof chance);
    account_set_setup_token(core_account(serve->core), text_of(token),
                            serve_now_ms() + serve->config->auth_setup_ttl * 1000);
    printf(
        "There is no administrator yet. Open the page below and give this token, good for %u minutes:\n"
        "setup token: %s\n"
        "setup page: http://%.*s/\n",
        (unsigned)(serve->config->auth_setup_ttl / 60), token,
        TEXT_ARGS(serve->config->http_listen));
    fflush(stdout);
}

/* One CPU is left to the loop, where there are two: a hash that gives way (edge/hasher.c) still costs it a little. */
static unsigned hashes_at_once(const struct config *config)
{
    unsigned wanted = (unsigned)config->auth_hash_running, others = uv_available_parallelism() - 1;
    if (wanted <= others) return wanted;
    return others > 0 ? others : 1;
}

static bool open_edges(struct serve *serve, char *ca_file, size_t ca_size)
{
    const struct config *c = serve->config;
    bool has_ca = c->net_ca_file.bytes > 0 && text_to_zero_ended(c->net_ca_file, ca_file, ca_size);
    serve->fetcher = fetcher_open(
        serve->loop, &(struct fetch_settings){.ca_file = has_ca ? ca_file : NULL,
                                              .allowed = c->net_allow_private.items,
                                              .allowed_count = c->net_allow_private.count,
                                              .calls_max = (unsigned)c->net_calls_max,
                                              .user_agent = "homeport/" HOMEPORT_VERSION});
    serve->dns = dns_client_open(serve->loop);
    serve->hasher = hasher_open(
        serve->loop,
        &(struct hasher_settings){.running_max = hashes_at_once(c),
                                  .waiting_max = (unsigned)c->auth_hash_waiting,
                                  .passes = (unsigned)c->auth_argon2_passes,
                                  .memory_bytes = (size_t)c->auth_argon2_memory_kib << 10});
    serve->core = core_open(serve->store, c, &serve->secrets);
    serve->gate = gate_new(c, &serve->secrets);
    return serve->fetcher != NULL && serve->dns != NULL && serve->hasher != NULL &&
           serve->core != NULL && serve->gate != NULL;
}

static bool start(struct serve *serve)
{
    static char ca_file[4096];
    if (!open_edges(serve, ca_file, sizeof ca_file)) return false;
    start_handles(serve);
    offer_setup(serve);
    serve->thread = core_thread_start(
        serve->loop, serve->core,
        &(struct core_thread_settings){.batch_max = (unsigned)serve->config->store_batch_max,
                                       .waiting_max = WAITING_MAX,
                                       .inbox_bytes_max = INBOX_BYTES_MAX,
                                       .outbox_bytes_max = OUTBOX_BYTES_MAX},
        deliver, serve);
    if (serve->thread == NULL) return false;
    offer_metrics(serve);
    serve->netlink = netlink_open(serve->loop, outside_interfaces, serve);
    if (serve->netlink == NULL)
        log_line(LOG_WARNING, "no netlink: interface sources will not move", LOG_END);
    return true;
}

static void finish(struct serve *serve)
{
    metrics_sources_set(NULL);
    if (serve->http != NULL) http_free(serve->http);
    core_thread_free(serve->thread);
    core_close(serve->core);
    gate_free(serve->gate);
    arena_free(&serve->arena);
    json_free(&serve->reply.body);
    free(serve->pending);
}

/* A 32-bit process cannot map what store.map_mib may ask for. */
static void tell_of_smaller_map(const struct home *home)
{
    uint64_t used, most, wanted = home->config.store_map_mib << 20;
    store_lmdb_usage(home->store, &used, &most);
    if (most >= wanted) return;
    log_line(LOG_INFO, "the store can grow to less than store.map_mib in a 32-bit process",
             LOG_NUMBER("mib", most >> 20), LOG_NUMBER("wanted_mib", wanted >> 20), LOG_END);
}

int serve_run(struct home *home)
{
    enum log_level level = LOG_INFO;
    struct serve *serve = calloc(1, sizeof *serve);
    if (serve == NULL) return 1;
    *serve = (struct serve){.loop = uv_default_loop(),
                            .config = &home->config,
                            .secrets = home->secrets,
                            .store = home->store};
    log_level_read(home->config.log_level, &level);
    log_level_set(level);
    if (home->config.ignored[0] != 0) {
        log_line(LOG_DEBUG, "variables that Kubernetes made are ignored",
                 LOG_STRING("variables", home->config.ignored), LOG_END);
    }
    tell_of_smaller_map(home);
    arena_init(&serve->arena, REQUEST_BYTES_MAX);
    json_init(&serve->reply.body, ANSWER_BYTES_MAX);
    if (!start(serve)) {
        fprintf(stderr, "homeport: not enough memory to start\n");
        return 1;
    }
    uv_run(serve->loop, UV_RUN_DEFAULT);
    finish(serve);
    uv_loop_close(serve->loop);
    int exit_code = serve->exit_code;
    sodium_memzero(&serve->secrets, sizeof serve->secrets);
    free(serve);
    return exit_code;
}
