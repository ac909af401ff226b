#include "edge/fetch_private.h"

#include <assert.h>
#include <stdlib.h>

/* One socket that curl wants watched. Lives until libuv has closed its handle. */
struct watch {
    uv_poll_t poll;
    curl_socket_t socket;
    struct fetch_lane *lane;
};

/* Tells curl what happened. An error here leaves the multi in pieces (curl marks it dead when
 * one of our callbacks had no memory), so the lane is given up and built anew. */
static void lane_act(struct fetch_lane *lane, curl_socket_t socket, int events)
{
    int running = 0;
    if (lane->multi == NULL) return;
    if (curl_multi_socket_action(lane->multi, socket, events, &running) != CURLM_OK) {
        lane->is_broken = true;
    }
    fetcher_moved(lane->fetcher);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
    lane_act(watch->lane, watch->socket, flags);
}

static void on_timer(uv_timer_t *timer)
{
    lane_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct fetcher *fetcher = watch->lane->fetcher;
    free(watch);
    fetcher_handle_closed(fetcher);
}

static struct watch *watch_new(struct fetch_lane *lane, curl_socket_t socket)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) return NULL;
    watch->socket = socket;
    watch->lane = lane;
    if (uv_poll_init_socket(lane->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    fetcher_handle_opened(lane->fetcher);
    curl_multi_assign(lane->multi, socket, watch);
    return watch;
}

/* CURLMOPT_SOCKETFUNCTION */
static int socket_wanted(CURL *easy, curl_socket_t socket, int what, void *context, void *assigned)
{
    struct fetch_lane *lane = context;
    struct watch *watch = assigned;
    (void)easy;

    if (what == CURL_POLL_REMOVE) {
        if (watch == NULL) return 0;
        curl_multi_assign(lane->multi, socket, NULL);
        /* curl closes the socket right after this, so libuv must forget it now, not at the close
         * callback. */
        uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, watch_closed);
        return 0;
    }
    if (watch == NULL) watch = watch_new(lane, socket);
    if (watch == NULL) return -1;

    int events = 0;
    if (what != CURL_POLL_OUT) events |= UV_READABLE;
    if (what != CURL_POLL_IN) events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

/* CURLMOPT_TIMERFUNCTION. Zero means soon but not from here: a libuv timer of 0 ms runs in the
 * next round of the loop, which then does not sleep. */
static int timer_wanted(CURLM *multi, long timeout_ms, void *context)
{
    struct fetch_lane *lane = context;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&lane->timer);
    } else {
        uv_timer_start(&lane->timer, on_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

void lane_open(struct fetch_lane *lane, struct fetcher *fetcher, uv_loop_t *loop)
{
    *lane = (struct fetch_lane){.fetcher = fetcher, .loop = loop};
    uv_timer_init(loop, &lane->timer);
    lane->timer.data = lane;
    fetcher_handle_opened(fetcher);
}

static bool lane_wake(struct fetch_lane *lane)
{
    if (lane->multi != NULL) return true;
    CURLM *multi = curl_multi_init();
    if (multi == NULL) return false;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    lane->multi = multi;
    lane->is_broken = false;
    return true;
}

bool lane_add(struct fetch_lane *lane, struct fetch_call *call)
{
    assert(call->easy != NULL);
    if (lane->is_broken || !lane_wake(lane)) return false;
    return curl_multi_add_handle(lane->multi, call->easy) == CURLM_OK;
}

void lane_remove(struct fetch_lane *lane, struct fetch_call *call)
{
    assert(call->easy != NULL);
    if (lane->multi != NULL) curl_multi_remove_handle(lane->multi, call->easy);
}

struct fetch_call *lane_take_ended(struct fetch_lane *lane)
{
    int left = 0;
    if (lane->multi == NULL) return NULL;
    for (const CURLMsg *message; (message = curl_multi_info_read(lane->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        struct fetch_call *call = NULL;
        /* Read everything out of the message first: removing the handle frees it. */
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        assert(call != NULL);
        call->code = code;
        lane_remove(lane, call);
        return call;
    }
    return NULL;
}

void lane_rest(struct fetch_lane *lane)
{
    if (lane->multi == NULL) return;
    curl_multi_cleanup(lane->multi);
    lane->multi = NULL;
    lane->is_broken = false;
    uv_timer_stop(&lane->timer);
}

static void timer_closed(uv_handle_t *handle)
{
    const struct fetch_lane *lane = handle->data;
    fetcher_handle_closed(lane->fetcher);
}

void lane_close(struct fetch_lane *lane)
{
    lane_rest(lane);
    uv_close((uv_handle_t *)&lane->timer, timer_closed);
}
