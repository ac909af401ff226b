/* Health: cheap, without sign-in, without secrets. A provider that is down fails none of it. */
#include <stdio.h>
#include <time.h>

#include "core/step.h"
#include "web/metrics.h"

enum { SCHEDULER_LATE_MS = 2 * 60 * 1000 };

static uint64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void write_part(struct json *json, const char *name, const char *status)
{
    json_key(json, text_of(name));
    json_open(json, '{');
    json_member(json, "status", text_of(status));
    json_close(json, '}');
}

static void write_store(struct json *json, bool is_up, uint64_t us)
{
    char ms[32];
    int bytes = snprintf(ms, sizeof ms, "%llu.%03u", (unsigned long long)(us / 1000),
                         (unsigned)(us % 1000));
    json_key(json, TEXT("store"));
    json_open(json, '{');
    json_member(json, "status", is_up ? TEXT("up") : TEXT("down"));
    json_key(json, TEXT("latency_ms"));
    json_value(json, (struct text){ms, (size_t)bytes});
    json_close(json, '}');
}

/* What is due is started in the turn that is run for it; only a core that does not come back from a turn is late. The
 * clock may have been set meanwhile: the loop notices within a minute. */
static bool scheduler_is_on_time(const struct core_figures *figures, uint64_t now_ms)
{
    return figures->wake_ms == 0 || now_ms < figures->wake_ms + SCHEDULER_LATE_MS;
}

enum err health(struct view *view, const struct call *call, struct reply *reply)
{
    struct text value;
    struct key key = key_of_meta("store");
    struct json *json = &reply->body;
    const struct metrics_sources *sources = metrics_sources();
    (void)call;
    uint64_t started_us = monotonic_us();
    bool is_up = store_get(view->read.txn, key_text(&key), &value) == OK;
    uint64_t us = monotonic_us() - started_us;
    bool takes_changes = sources != NULL && sources->core->last_commit_ok;
    bool on_time = sources != NULL && scheduler_is_on_time(sources->core, view->now_ms);
    bool is_healthy = is_up && takes_changes && on_time;
    reply->status = is_healthy ? 200 : 503;
    json_open(json, '{');
    json_member(json, "status", is_healthy ? TEXT("healthy") : TEXT("unhealthy"));
    json_key(json, TEXT("timestamp"));
    json_time(json, view->now_ms);
    json_member(json, "version", TEXT(HOMEPORT_VERSION));
    json_key(json, TEXT("components"));
    json_open(json, '{');
    write_store(json, is_up, us);
    write_part(json, "core", takes_changes ? "up" : "down");
    write_part(json, "scheduler", on_time ? "up" : "down");
    write_part(json, "providers",
               sources != NULL && sources->core->last_push_ok ? "up" : "degraded");
    json_close(json, '}');
    json_close(json, '}');
    return OK;
}

enum err livez(struct view *view, const struct call *call, struct reply *reply)
{
    (void)view;
    (void)call;
    json_raw(&reply->body, TEXT("alive\n"));
    return OK;
}

/* The listener opens only when recovery is done: whoever can ask is answered yes. */
enum err readyz(struct view *view, const struct call *call, struct reply *reply)
{
    (void)view;
    (void)call;
    json_raw(&reply->body, TEXT("ready\n"));
    return OK;
}
