#include "web/metrics.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "core/router.h"
#include "core/step.h"

enum { ROUTES_MAX = 128, NO_ROUTE = ROUTES_MAX };

static const unsigned statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404,
                                    405, 408, 409, 412, 413, 414, 415, 417, 421,
                                    422, 429, 431, 500, 501, 503, 505, 507};
enum { STATUS_COUNT = sizeof statuses / sizeof *statuses };

static uint64_t answers[ROUTES_MAX + 1][STATUS_COUNT];
static struct times times_by_route[ROUTES_MAX + 1];
static const struct metrics_sources *current;

void metrics_sources_set(const struct metrics_sources *sources)
{
    current = sources;
}

const struct metrics_sources *metrics_sources(void)
{
    return current;
}

void metrics_answered(const struct route *route, unsigned status, uint64_t us)
{
    /* Rows of routes.def lie one behind the other. */
    size_t number = route == NULL ? (size_t)NO_ROUTE : (size_t)(route - route_at(0));
    if (number > NO_ROUTE) number = NO_ROUTE;
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        if (statuses[i] != status) continue;
        answers[number][i]++;
        break;
    }
    if (us > 0) times_add(&times_by_route[number], us);
}

/* ---- writing -------------------------------------------------------------------------------------- */

static void line(struct json *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(struct json *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (bytes > 0 && (size_t)bytes < sizeof text) json_raw(out, (struct text){text, (size_t)bytes});
}

static void head(struct json *out, const char *name, const char *type, const char *sentence)
{
    line(out, "# HELP %s %s\n# TYPE %s %s\n", name, sentence, name, type);
}

static void one(struct json *out, const char *name, const char *type, double value,
                const char *sentence)
{
    head(out, name, type, sentence);
    line(out, "%s %.17g\n", name, value);
}

/* labels: "" or `route="..",`, with the comma */
static void histogram(struct json *out, const char *name, const char *labels,
                      const struct times *times)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < TIMES_BUCKETS - 1; i++) {
        count += times->buckets[i];
        line(out, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels, (double)times_bounds_us[i] / 1e6,
             (unsigned long long)count);
    }
    line(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, (unsigned long long)times->count);
    size_t bytes = strlen(labels);
    int shown = bytes > 0 ? (int)bytes - 1 : 0; /* without the comma */
    const char *open = shown > 0 ? "{" : "", *close = shown > 0 ? "}" : "";
    line(out, "%s_sum%s%.*s%s %.17g\n", name, open, shown, labels, close,
         (double)times->sum_us / 1e6);
    line(out, "%s_count%s%.*s%s %llu\n", name, open, shown, labels, close,
         (unsigned long long)times->count);
}

static const struct route *labelled_route(unsigned number, char label[128])
{
    const struct route *route = number == NO_ROUTE ? NULL : route_at(number);
    snprintf(label, 128, "method=\"%s\",route=\"%s\",",
             route == NULL ? "any" : method_name(route->method).data,
             route == NULL ? "none" : route->path.data);
    return route;
}

static void write_requests(struct json *out)
{
    char label[128];
    head(out, "homeport_http_requests_total", "counter", "Requests answered, by route and status");
    for (unsigned i = 0; i <= NO_ROUTE; i++) {
        if (labelled_route(i, label) == NULL && i != NO_ROUTE) continue;
        for (unsigned j = 0; j < STATUS_COUNT; j++) {
            if (answers[i][j] == 0) continue;
            line(out, "homeport_http_requests_total{%sstatus=\"%u\"} %llu\n", label, statuses[j],
                 (unsigned long long)answers[i][j]);
        }
    }
    head(out, "homeport_http_request_seconds", "histogram",
         "Time from a request's last byte to its answer");
    for (unsigned i = 0; i <= NO_ROUTE; i++) {
        if (times_by_route[i].count == 0) continue;
        labelled_route(i, label);
        histogram(out, "homeport_http_request_seconds", label, &times_by_route[i]);
    }
}

static void write_process(struct json *out)
{
    unsigned long size = 0, resident = 0;
    unsigned descriptors = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
        fclose(file);
    }
    DIR *folder = opendir("/proc/self/fd");
    if (folder != NULL) {
        while (readdir(folder) != NULL) descriptors++;
        closedir(folder);
    }
    one(out, "homeport_memory_resident_bytes", "gauge",
        (double)resident * (double)sysconf(_SC_PAGESIZE), "Memory resident");
    one(out, "homeport_file_descriptors_open", "gauge", descriptors > 3 ? descriptors - 3 : 0,
        "File descriptors open");
}

static void write_records(struct json *out, const struct view *view)
{
    head(out, "homeport_records_stored", "gauge", "Records in the store, by kind");
    const struct record_type *type;
    for (unsigned i = 0; (type = record_type_at(i)) != NULL; i++) {
        if (type->table == 0 || type == &audit_entry_type) continue;
        line(out, "homeport_records_stored{kind=\"%s\"} %llu\n", type->name.data,
             (unsigned long long)record_count_all(&view->read, type));
    }
    head(out, "homeport_tasks", "gauge", "Tasks by status: pending is the depth of the queue");
    for (unsigned i = 0; i < task_status_choice.count; i++) {
        const struct option *option = &task_status_choice.options[i];
        line(out, "homeport_tasks{status=\"%s\"} %llu\n", option->word.data,
             (unsigned long long)record_count(&view->read, &task_by_status,
                                              &(struct task){.status = option->number}));
    }
}

enum err metrics(struct view *view, const struct call *call, struct reply *reply)
{
    struct metrics_http http_now = {0};
    const struct metrics_http *http = &http_now;
    uint64_t store_used = 0, store_most = 0;
    struct json *out = &reply->body;
    (void)call;
    if (current == NULL) return ERR_STOPPING;
    const struct core_figures *core = current->core;
    const struct metrics_outside *outside = current->outside;
    current->collect(current->context, &http_now, &store_used, &store_most);
    head(out, "homeport_build_info", "gauge", "The release that runs");
    line(out, "homeport_build_info{version=\"%s\"} 1\n", HOMEPORT_VERSION);
    one(out, "homeport_uptime_seconds", "gauge",
        (double)(view->now_ms - current->started_ms) / 1000, "Time since the start");
#define METRIC(name, type, source, sentence) one(out, #name, #type, (double)(source), sentence);
#include "metrics.def"
#undef METRIC
    one(out, "homeport_store_used_bytes", "gauge", (double)store_used, "Bytes of the store in use");
    one(out, "homeport_store_max_bytes", "gauge", (double)store_most,
        "Bytes that the store may grow to (store.map_mib)");
    head(out, "homeport_turn_seconds", "histogram",
         "Time of one turn of the core, its commit included");
    histogram(out, "homeport_turn_seconds", "", current->turns);
    head(out, "homeport_loop_busy_seconds", "histogram",
         "Time the loop worked between two waits: what others waited");
    histogram(out, "homeport_loop_busy_seconds", "", current->loop);
    write_records(out, view);
    write_process(out);
    write_requests(out);
    return OK;
}
