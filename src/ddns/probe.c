/* Asking echo services "what is my address?" and believing what most of them say.
 *
 * One check asks all of a source's services at once. Their answers are gathered in memory until the last is
 * in (each call has a time limit); a crash in between only means that the check is made again. An address
 * counts when more than half of the services that answered say it, and at least half of those asked: one
 * service gone does not stop us, one liar among three does not fool us. */
#include "ddns/ddns.h"

#include <assert.h>
#include <stdlib.h>

#include "core/http_call.h"

enum { SERVICES_MAX = 8, PROBES_MAX = 256, ANSWER_MAX = 1024, ERROR_MAX = 200 };

struct probe {
    uint64_t task_id; /* 0: free */
    uint64_t attempt; /* answers of an earlier, interrupted check do not count */
    unsigned asked, answered;
    struct ip_address said[SERVICES_MAX]; /* family 0: no usable answer */
    char error[ERROR_MAX];                /* the last reason for none */
};

struct probes {
    struct probe items[PROBES_MAX];
};

struct probes *probes_new(void)
{
    return calloc(1, sizeof(struct probes));
}

void probes_free(struct probes *probes)
{
    free(probes);
}

static struct probe *probe_of(struct probes *probes, uint64_t task_id, uint64_t attempt)
{
    struct probe *free_one = NULL;
    for (unsigned i = 0; i < PROBES_MAX; i++) {
        if (probes->items[i].task_id == task_id) free_one = &probes->items[i];
        if (probes->items[i].task_id == task_id && probes->items[i].attempt == attempt)
            return free_one;
    }
    for (unsigned i = 0; i < PROBES_MAX && free_one == NULL; i++) {
        if (probes->items[i].task_id == 0) free_one = &probes->items[i];
    }
    if (free_one != NULL) *free_one = (struct probe){.task_id = task_id, .attempt = attempt};
    return free_one;
}

enum err source_check_run(struct step *step, struct task *task)
{
    struct source source;
    if (source_get(&step->read, task->target_id, &source) != OK) {
        task_complete(step, task, TEXT("The source is gone"));
        return OK;
    }
    struct text urls = source.urls;
    for (unsigned part = 0; urls.data != NULL && part < SERVICES_MAX; part++) {
        emit_ask(step, &(struct outside_call){
                           .task_id = task->id,
                           .part = part,
                           .memo = {(const char *)&task->attempts, sizeof task->attempts},
                           .method = TEXT("GET"),
                           .url = text_cut(&urls, '\n'),
                           .fields = TEXT("Accept: text/plain, */*\n"),
                           .timeout_ms = step->config->net_timeout * 1000,
                           .answer_max = ANSWER_MAX,
                           .family = source.family,
                           .interface = source.interface,
                           .is_guarded = true,
                       });
    }
    return OK;
}

static unsigned line_count(struct text lines)
{
    unsigned count = 0;
    for (; lines.data != NULL && lines.bytes > 0; count++) text_cut(&lines, '\n');
    return count;
}

/* Public, or in a private network that the settings name; never loopback and the like. */
static bool is_allowed(const struct config *config, const struct ip_address *ip)
{
    if (!source_may_have(ip)) return false;
    for (unsigned i = 0; i < config->net_allow_private.count; i++) {
        if (ip_network_has(&config->net_allow_private.items[i], ip)) return true;
    }
    return ip_is_global(ip);
}

/* The nth service's scheme and host, for a sentence: paths may hold tokens. */
static struct text service_name(const struct source *source, unsigned part)
{
    struct text urls = source->urls, url = text_cut(&urls, '\n');
    for (unsigned i = 0; i < part && urls.data != NULL; i++) url = text_cut(&urls, '\n');
    size_t bytes = text_starts(url, TEXT("https://")) ? 8 : 7;
    while (bytes < url.bytes && strchr("/?#", url.data[bytes]) == NULL) bytes++;
    return (struct text){url.data, bytes < url.bytes ? bytes : url.bytes};
}

/* One address and nothing else, of the source's family, public. */
static void note_answer(struct step *step, struct probe *probe, const struct source *source,
                        const struct outside_answer *answer)
{
    struct ip_address ip;
    struct text said = text_trim(answer->body), why = TEXT_NONE;
    struct text name = service_name(source, answer->part);
    if (answer->fault != FAULT_NONE) {
        why = answer->error;
    } else if (answer->status != 200) {
        why = arena_print(step->arena, "%.*s answered with status %u", TEXT_ARGS(name),
                          (unsigned)answer->status);
    } else if (!ip_parse(said, &ip) || ip.family != source->family) {
        why = arena_print(step->arena, "%.*s did not answer with an %s address alone",
                          TEXT_ARGS(name), source->family == family_ipv4 ? "IPv4" : "IPv6");
    } else if (!is_allowed(step->config, &ip)) {
        why = arena_print(step->arena, "%.*s answered with %.*s, which is not a public address",
                          TEXT_ARGS(name), TEXT_ARGS(said));
    }
    if (why.bytes == 0) {
        probe->said[answer->part] = ip;
    } else if (!text_to_zero_ended(
                   (struct text){why.data, why.bytes < ERROR_MAX ? why.bytes : ERROR_MAX - 1},
                   probe->error, ERROR_MAX)) {
        probe->error[0] = 0;
    }
}

/* The address most services named; family 0 when none has the votes. */
static struct ip_address elect(const struct probe *probe, unsigned *usable)
{
    struct ip_address winner = {0};
    unsigned best = 0;
    *usable = 0;
    for (unsigned i = 0; i < probe->asked; i++) {
        unsigned votes = 0;
        if (probe->said[i].family == 0) continue;
        ++*usable;
        for (unsigned j = 0; j < probe->asked; j++) {
            if (probe->said[j].family != 0 && ip_equal(&probe->said[i], &probe->said[j])) votes++;
        }
        if (votes <= best) continue;
        best = votes;
        winner = probe->said[i];
    }
    if (best * 2 <= *usable || best * 2 < probe->asked) winner.family = 0;
    return winner;
}

/* Who said what: without it nobody could tell which service to take off the list. */
static struct text disagreement(struct step *step, const struct probe *probe,
                                const struct source *source)
{
    char out[IP_TEXT_SIZE];
    struct text words = TEXT("The echo services do not agree");
    const char *separator = ":";
    for (unsigned i = 0; i < probe->asked; i++) {
        if (probe->said[i].family == 0) continue;
        words = arena_print(step->arena, "%.*s%s %.*s says %.*s", TEXT_ARGS(words), separator,
                            TEXT_ARGS(service_name(source, i)),
                            TEXT_ARGS(ip_format(&probe->said[i], out)));
        separator = ",";
    }
    return words;
}

static void conclude(struct step *step, const struct probe *probe, struct source *source,
                     struct task *task)
{
    char out[IP_TEXT_SIZE];
    unsigned usable;
    struct ip_address winner = elect(probe, &usable);
    uint64_t interval_ms = source->interval * 1000;
    if (winner.family != 0) {
        source->next_check_at = step->now_ms + interval_ms;
        task_again(step, task, source->next_check_at);
        source_saw(step, source, arena_text(step->arena, ip_format(&winner, out)), TEXT_NONE);
        return;
    }
    struct text error = usable * 2 >= probe->asked && usable > 1
                            ? disagreement(step, probe, source)
                            : arena_print(step->arena, "%u of %u echo services gave an address. %s",
                                          usable, probe->asked, probe->error);
    /* The old address stays. Trying again is for free at first, but never more often than asked for. */
    uint64_t wait = task_retry(step, task, error, -1);
    if (wait > interval_ms) task_due(step, task, step->now_ms + interval_ms);
    source->next_check_at = task->run_at;
    source_saw(step, source, TEXT_NONE, error);
}

enum err probe_answered(struct probes *probes, struct step *step, struct task *task,
                        const struct outside_answer *answer)
{
    struct source source;
    uint64_t attempt = 0;
    if (answer->memo.bytes == sizeof attempt) memcpy(&attempt, answer->memo.data, sizeof attempt);
    if (attempt != task->attempts || answer->part >= SERVICES_MAX) return OK;
    if (source_get(&step->read, task->target_id, &source) != OK) {
        task_complete(step, task, TEXT("The source is gone"));
        return OK;
    }
    struct probe *probe = probe_of(probes, task->id, attempt);
    if (probe == NULL) {
        task_retry(step, task, TEXT("Too many checks at once"), -1);
        return OK;
    }
    probe->asked = line_count(source.urls);
    note_answer(step, probe, &source, answer);
    if (++probe->answered < probe->asked) return OK;
    conclude(step, probe, &source, task);
    probe->task_id = 0;
    return OK;
}
