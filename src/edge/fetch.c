#include "edge/fetch_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* The way of a call:
 *
 *   fetch_start ─► waiting ─► running ─► ended ─► done(), freed
 *                     │  (calls_max)       ▲
 *                     └── too late, no CAs ┘
 *
 * Whatever ends a call only moves it to `ended`. Calls are reported from one place, report(),
 * with nothing of ours half done around it, so `done` may start calls and close the fetcher.
 *
 * The time limit of a call counts from fetch_start, waiting included. No timer runs while there
 * is nothing to do: 30 s after the last call the lanes give back their connections, DNS cache
 * and memory. */

struct call_list {
    struct fetch_call *first, *last;
};

struct fetcher {
    uv_loop_t *loop;
    struct fetch_settings settings; /* its texts and networks are our copies */
    struct fetch_lane lanes[2];     /* by is_guarded */
    struct call_list waiting, running, ended;
    unsigned running_count;
    uv_timer_t waiting_timer; /* the first waiting call that will be too late */
    uv_timer_t report_timer;  /* 0 ms: calls that ended at their start */
    uv_timer_t rest_timer;
    unsigned handles_open; /* libuv handles and the pool job */
    bool is_closing;

    struct trust_keeper keeper;
    struct mailer mailer;
};

static void list_put(struct call_list *list, struct fetch_call *call)
{
    call->next = NULL;
    call->previous = list->last;
    if (list->last != NULL) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
}

static void list_take(struct call_list *list, struct fetch_call *call)
{
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        assert(list->first == call);
        list->first = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    } else {
        assert(list->last == call);
        list->last = call->previous;
    }
    call->next = call->previous = NULL;
}

static void report(struct fetcher *fetcher);

static struct fetch_lane *lane_of(struct fetch_call *call)
{
    return &call->fetcher->lanes[call->call.is_guarded ? 1 : 0];
}

static uint64_t waited_ms(const struct fetch_call *call)
{
    return uv_now(call->fetcher->loop) - call->started_ms;
}

/* The reading of the certificate authorities has ended. */
static void trust_read_done(void *context)
{
    struct fetcher *fetcher = context;
    fetcher_moved(fetcher);
    fetcher_handle_closed(fetcher);
}

static bool trust_is_ready(struct fetcher *fetcher)
{
    bool was_reading = fetcher->keeper.is_reading;
    if (trust_keeper_is_ready(&fetcher->keeper)) return true;
    if (!was_reading) fetcher_handle_opened(fetcher); /* the job counts as a handle */
    return false;
}

static void call_end(struct fetch_call *call, CURLcode code)
{
    call->code = code;
    list_put(&call->fetcher->ended, call);
}

static void call_end_without_trust(struct fetch_call *call)
{
    const char *file = call->settings->ca_file;
    call->fault = FAULT_TLS;
    snprintf(call->error, sizeof call->error,
             "%s cannot be called: the certificate authorities %s%s. Install the package "
             "ca-certificates, or set net.ca_file to a PEM bundle.",
             call->origin,
             file == NULL ? "were not found on this machine" : "could not be read from ",
             file == NULL ? "" : file);
    call_end(call, CURLE_OK);
}

static void call_run(struct fetch_call *call)
{
    struct fetcher *fetcher = call->fetcher;
    uint64_t waited = waited_ms(call);
    if (waited >= call->call.timeout_ms) {
        call_end(call, CURLE_OPERATION_TIMEDOUT);
        return;
    }
    if (call->is_tls && fetcher->keeper.trust == NULL) {
        call_end_without_trust(call);
        return;
    }
    uint64_t left_ms = call->call.timeout_ms - waited;
    bool is_mail = call->call.is_mail;
    bool is_started =
        fetch_call_prepare(call, fetcher->keeper.trust, left_ms) &&
        (is_mail ? mailer_start(&fetcher->mailer, call, left_ms) : lane_add(lane_of(call), call));
    if (!is_started) {
        call_end(call, CURLE_OUT_OF_MEMORY);
        return;
    }
    fetcher->running_count++;
    if (!is_mail) list_put(&fetcher->running, call); /* mails are in the mailer's list */
}

static void on_waiting_timer(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    uint64_t next_ms = UINT64_MAX;
    for (struct fetch_call *call = fetcher->waiting.first, *next; call != NULL; call = next) {
        next = call->next;
        uint64_t waited = waited_ms(call);
        if (waited >= call->call.timeout_ms) {
            list_take(&fetcher->waiting, call);
            call_end(call, CURLE_OPERATION_TIMEDOUT);
        } else if (call->call.timeout_ms - waited < next_ms) {
            next_ms = call->call.timeout_ms - waited;
        }
    }
    if (next_ms != UINT64_MAX) uv_timer_start(timer, on_waiting_timer, next_ms, 0);
    report(fetcher);
}

/* A call has to wait: see to it that it does not wait longer than its limit. */
static void waiting_timer_set(struct fetcher *fetcher, const struct fetch_call *call)
{
    uv_timer_t *timer = &fetcher->waiting_timer;
    uint64_t timeout_ms = call->call.timeout_ms;
    if (uv_is_active((uv_handle_t *)timer) && uv_timer_get_due_in(timer) <= timeout_ms) return;
    uv_timer_start(timer, on_waiting_timer, timeout_ms, 0);
}

static void on_rest_timer(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    assert(fetcher->running_count == 0);
    for (size_t i = 0; i < 2; i++) lane_rest(&fetcher->lanes[i]);
}

/* Starts what may start, and sets the timers for what is left. */
static void calls_advance(struct fetcher *fetcher)
{
    while (fetcher->waiting.first != NULL && fetcher->running_count < fetcher->settings.calls_max) {
        struct fetch_call *call = fetcher->waiting.first;
        if (call->is_tls && !trust_is_ready(fetcher)) break;
        list_take(&fetcher->waiting, call);
        call_run(call);
    }
    if (fetcher->waiting.first == NULL) uv_timer_stop(&fetcher->waiting_timer);
    if (fetcher->running_count > 0) {
        uv_timer_stop(&fetcher->rest_timer);
    } else if (fetcher->lanes[0].multi != NULL || fetcher->lanes[1].multi != NULL) {
        uv_timer_start(&fetcher->rest_timer, on_rest_timer, REST_MS, 0);
    }
}

static void call_leave_running(struct fetch_call *call)
{
    struct fetcher *fetcher = call->fetcher;
    if (!call->call.is_mail) list_take(&fetcher->running, call);
    assert(fetcher->running_count > 0);
    fetcher->running_count--;
}

static void lane_gather(struct fetcher *fetcher, struct fetch_lane *lane)
{
    for (struct fetch_call *call; (call = lane_take_ended(lane)) != NULL;) {
        call_leave_running(call);
        call_end(call, call->code);
    }
    if (!lane->is_broken) return;
    for (struct fetch_call *call = fetcher->running.first, *next; call != NULL; call = next) {
        next = call->next;
        if (lane_of(call) != lane) continue;
        lane_remove(lane, call);
        call_leave_running(call);
        call_end(call, CURLE_OUT_OF_MEMORY);
    }
    lane_rest(lane);
}

static void mails_gather(struct fetcher *fetcher)
{
    for (struct fetch_call *call; (call = mailer_take_ended(&fetcher->mailer)) != NULL;) {
        call_leave_running(call);
        call_end(call, call->code);
    }
}

bool fetcher_is_closing(const struct fetcher *fetcher)
{
    return fetcher->is_closing;
}

void fetcher_moved(struct fetcher *fetcher)
{
    if (fetcher->is_closing) return;
    for (size_t i = 0; i < 2; i++) lane_gather(fetcher, &fetcher->lanes[i]);
    mails_gather(fetcher);
    calls_advance(fetcher);
    report(fetcher);
}

static void call_report(struct fetch_call *call)
{
    struct http_result result = {.fault = FAULT_NONE, .retry_after_ms = -1};
    if (call->call.is_mail) {
        mail_read_result(call, &result);
    } else if (call->fault == FAULT_NONE && call->code == CURLE_OK) {
        fetch_answer_read(call, &result);
    } else {
        fetch_explain(call, &result);
    }
    result.duration_ms = (uv_hrtime() - call->started_ns) / 1000000;
    assert(result.fault == FAULT_NONE || result.error.bytes > 0);
    call->done(call->context, call->ref, &result);
}

/* Only what has ended by now: a `done` that starts calls which end at once must not keep the
 * loop here. */
static void report(struct fetcher *fetcher)
{
    struct call_list ended = fetcher->ended;
    fetcher->ended = (struct call_list){0};
    for (struct fetch_call *call = ended.first, *next; call != NULL; call = next) {
        next = call->next;
        if (!fetcher->is_closing) call_report(call);
        fetch_call_free(call);
    }
}

static void on_report_timer(uv_timer_t *timer)
{
    report(timer->data);
}

bool fetch_start(struct fetcher *fetcher, uint64_t ref, const struct http_call *in, fetch_done done,
                 void *context)
{
    assert(!fetcher->is_closing);
    assert(done != NULL);
    struct fetch_call *call = fetch_call_new(in, &fetcher->settings);
    if (call == NULL) return false;
    call->fetcher = fetcher;
    call->ref = ref;
    call->done = done;
    call->context = context;
    call->started_ms = uv_now(fetcher->loop);
    call->started_ns = uv_hrtime();

    if (call->fault != FAULT_NONE) {
        call_end(call, CURLE_OK);
    } else {
        list_put(&fetcher->waiting, call);
        calls_advance(fetcher);
    }
    if (fetcher->waiting.last == call) waiting_timer_set(fetcher, call);
    if (fetcher->ended.first != NULL) uv_timer_start(&fetcher->report_timer, on_report_timer, 0, 0);
    return true;
}

static void fetcher_free(struct fetcher *fetcher)
{
    trust_keeper_close(&fetcher->keeper);
    free((char *)fetcher->settings.ca_file);
    free((char *)fetcher->settings.user_agent);
    free((struct ip_network *)fetcher->settings.allowed);
    free(fetcher);
    curl_global_cleanup();
}

static bool settings_copy(struct fetch_settings *to, const struct fetch_settings *from)
{
    const char *ca_file = from->ca_file != NULL ? from->ca_file : trust_find_file();
    size_t networks_bytes = from->allowed_count * sizeof from->allowed[0];
    struct ip_network *allowed = malloc(networks_bytes + 1);
    if (allowed != NULL && networks_bytes > 0) memcpy(allowed, from->allowed, networks_bytes);
    *to = *from;
    to->allowed = allowed;
    to->ca_file = ca_file == NULL ? NULL : strdup(ca_file);
    to->user_agent = strdup(from->user_agent);
    return allowed != NULL && to->user_agent != NULL && (ca_file == NULL || to->ca_file != NULL);
}

static void timer_open(struct fetcher *fetcher, uv_timer_t *timer)
{
    uv_timer_init(fetcher->loop, timer);
    timer->data = fetcher;
    fetcher_handle_opened(fetcher);
}

struct fetcher *fetcher_open(uv_loop_t *loop, const struct fetch_settings *settings)
{
    assert(settings->calls_max > 0);
    assert(settings->user_agent != NULL);
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher == NULL) return NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetcher);
        return NULL;
    }
    fetcher->loop = loop;
    if (!settings_copy(&fetcher->settings, settings)) {
        fetcher_free(fetcher);
        return NULL;
    }
    trust_keeper_open(&fetcher->keeper, loop, fetcher->settings.ca_file, trust_read_done, fetcher);
    if (!mailer_open(&fetcher->mailer, fetcher, loop)) {
        fetcher_free(fetcher);
        return NULL;
    }
    for (size_t i = 0; i < 2; i++) lane_open(&fetcher->lanes[i], fetcher, loop);
    timer_open(fetcher, &fetcher->waiting_timer);
    timer_open(fetcher, &fetcher->report_timer);
    timer_open(fetcher, &fetcher->rest_timer);
    uv_unref((uv_handle_t *)&fetcher->rest_timer); /* idle connections keep no loop running */
    return fetcher;
}

const char *fetcher_ca_file(const struct fetcher *fetcher)
{
    return fetcher->settings.ca_file;
}

void fetcher_handle_opened(struct fetcher *fetcher)
{
    fetcher->handles_open++;
}

void fetcher_handle_closed(struct fetcher *fetcher)
{
    assert(fetcher->handles_open > 0);
    if (--fetcher->handles_open == 0) fetcher_free(fetcher);
}

static void timer_closed(uv_handle_t *handle)
{
    fetcher_handle_closed(handle->data);
}

static void list_free(struct call_list *list)
{
    while (list->first != NULL) {
        struct fetch_call *call = list->first;
        list_take(list, call);
        fetch_call_free(call);
    }
}

void fetcher_close(struct fetcher *fetcher)
{
    if (fetcher == NULL || fetcher->is_closing) return;
    fetcher->is_closing = true;
    for (struct fetch_call *call = fetcher->running.first; call != NULL; call = call->next) {
        lane_remove(lane_of(call), call);
    }
    list_free(&fetcher->running);
    list_free(&fetcher->waiting);
    list_free(&fetcher->ended);
    for (size_t i = 0; i < 2; i++) lane_close(&fetcher->lanes[i]);
    mailer_close(&fetcher->mailer);
    uv_close((uv_handle_t *)&fetcher->waiting_timer, timer_closed);
    uv_close((uv_handle_t *)&fetcher->report_timer, timer_closed);
    uv_close((uv_handle_t *)&fetcher->rest_timer, timer_closed);
}
