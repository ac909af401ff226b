/* homeport dns plan: asks the providers what they have, and says what pushes would change.
 *
 *     collect ids ► for each record, four at a time: read it ► rounds of DNS_CHECK ► compare ► a line
 *
 * Everything is read in short snapshots, so a running server is not held up. Lines come in the order of the
 * records, whichever answer comes first. Nothing is written, here or there. */
#include "cli/plan.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "cli/cli.h"
#include "core/log.h"
#include "ddns/ddns.h"
#include "ddns/dns_name.h"
#include "edge/dns_client.h"
#include "edge/fetch.h"
#include "serve/serve.h"

enum {
    INQUIRIES_MAX = 4,
    PROVIDERS_MAX = 16,
    INQUIRY_BYTES_MAX = 16 << 20,
    ROWS_BYTES_MAX = 256 << 20,
    HTTP_BYTES_MAX = 1 << 20,
    DNS_BYTES_MAX = 8 << 20,
    DETAIL_SHOWN = 240,
    PATH_BYTES = 4096
};

struct row {
    uint64_t domain_id, record_id;
    bool is_done, is_gone;
    struct text name; /* full */
    const char *type;
    struct finding finding;
};

struct plan;

struct inquiry {
    struct plan *plan;
    struct row *row; /* NULL: free */
    struct arena arena;
    const struct provider *provider;
    struct dns_job job;
    struct dns_memo memo;
    struct provider_call call;
    uv_timer_t pace;
};

struct plan {
    struct home *home;
    uv_loop_t loop;
    struct fetcher *fetcher;
    struct dns_client *dns;
    struct arena arena; /* rows' texts */
    struct row *rows;
    size_t row_count, row_room, next, printed;
    struct inquiry inquiries[INQUIRIES_MAX];
    uint64_t next_call_ms[PROVIDERS_MAX]; /* by provider, on the loop's clock */
    unsigned counts[OUTCOME_COUNT];
    char ca_file[PATH_BYTES];
};

static void start_inquiries(struct plan *plan);
static void go_on(struct inquiry *inquiry, const struct provider_answer *last);

/* ---- which records -------------------------------------------------------------------------------- */

static bool add_row(struct plan *plan, uint64_t domain_id, uint64_t record_id)
{
    if (plan->row_count == plan->row_room) {
        size_t room = plan->row_room == 0 ? 64 : plan->row_room * 2;
        struct row *rows = realloc(plan->rows, room * sizeof *rows);
        if (rows == NULL) return false;
        plan->rows = rows;
        plan->row_room = room;
    }
    plan->rows[plan->row_count++] = (struct row){.domain_id = domain_id, .record_id = record_id};
    return true;
}

static bool collect_domain(struct plan *plan, const struct reader *reader, uint64_t domain_id)
{
    struct walk walk;
    struct domain domain;
    struct dns_record record;
    uint64_t id;
    bool is_fine = true;
    if (domain_get(reader, domain_id, &domain) != OK || !domain.is_active) return true;
    walk_begin(&walk, reader, &dns_record_by_domain, &(struct dns_record){.domain_id = domain_id},
               0, false);
    while (is_fine && walk_next(&walk, &id)) {
        if (dns_record_get(reader, id, &record) == OK && record.is_active)
            is_fine = add_row(plan, domain_id, id);
    }
    walk_end(&walk);
    return is_fine;
}

static bool collect(struct plan *plan)
{
    struct walk walk;
    struct reader reader = {.txn = NULL};
    uint64_t id;
    bool is_fine = true;
    if (store_snapshot(plan->home->store, &reader.txn) != OK) return false;
    walk_begin_all(&walk, &reader, &domain_type, 0, false);
    while (is_fine && walk_next(&walk, &id)) is_fine = collect_domain(plan, &reader, id);
    walk_end(&walk);
    store_release(reader.txn);
    return is_fine;
}

/* ---- lines ---------------------------------------------------------------------------------------- */

static const struct {
    const char *mark, *sentence;
} outcomes[OUTCOME_COUNT] = {
    [OUTCOME_CREATE] = {"+ create", "to create"}, [OUTCOME_CHANGE] = {"~ change", "to change"},
    [OUTCOME_SAME] = {"= same", "in place"},      [OUTCOME_ERROR] = {"! error", "failed"},
    [OUTCOME_UNKNOWN] = {"?", "unknown"},
};

static void print_row(const struct row *row)
{
    char detail[DETAIL_SHOWN];
    bool is_long =
        row->finding.outcome == OUTCOME_ERROR; /* what to do stands at the end of an error */
    struct text shown = cli_shown(row->finding.detail, detail, sizeof detail);
    printf("%-8s  %-36.*s  %-5s  ", outcomes[row->finding.outcome].mark, TEXT_ARGS(row->name),
           row->type);
    printf("%.*s\n",
           TEXT_ARGS(is_long && text_is_clean_utf8(row->finding.detail) ? row->finding.detail
                                                                        : shown));
}

static void print_ready(struct plan *plan)
{
    for (; plan->printed < plan->row_count && plan->rows[plan->printed].is_done; plan->printed++) {
        const struct row *row = &plan->rows[plan->printed];
        if (row->is_gone) continue;
        plan->counts[row->finding.outcome]++;
        print_row(row);
    }
    fflush(stdout);
}

static void print_summary(const struct plan *plan)
{
    printf("plan: %u to create, %u to change, %u in place, %u unknown",
           plan->counts[OUTCOME_CREATE], plan->counts[OUTCOME_CHANGE], plan->counts[OUTCOME_SAME],
           plan->counts[OUTCOME_UNKNOWN]);
    if (plan->counts[OUTCOME_ERROR] > 0) printf(", %u failed", plan->counts[OUTCOME_ERROR]);
    printf("\n");
}

/* ---- one inquiry ---------------------------------------------------------------------------------- */

static void end(struct inquiry *inquiry, enum outcome outcome, struct text detail)
{
    inquiry->row->finding = (struct finding){outcome, arena_text(&inquiry->plan->arena, detail)};
    inquiry->row->is_done = true;
    inquiry->row = NULL;
    if (inquiry->job.credentials.bytes > 0) {
        sodium_memzero((void *)(uintptr_t)inquiry->job.credentials.data,
                       inquiry->job.credentials.bytes);
    }
    arena_reset(&inquiry->arena);
}

static void on_fetched(void *context, uint64_t ref, const struct http_result *result)
{
    struct inquiry *inquiry = context;
    (void)ref;
    inquiry->memo.round++;
    go_on(inquiry, &(struct provider_answer){.http = result});
    start_inquiries(inquiry->plan);
}

static void on_dns_answered(void *context, uint64_t ref, const struct dns_result *result)
{
    struct inquiry *inquiry = context;
    (void)ref;
    inquiry->memo.round++;
    go_on(inquiry, &(struct provider_answer){.dns = result});
    start_inquiries(inquiry->plan);
}

static void on_pace(uv_timer_t *timer)
{
    struct inquiry *inquiry = timer->data;
    struct provider_call *call = &inquiry->call;
    if (call->http.answer_bytes_max == 0) call->http.answer_bytes_max = HTTP_BYTES_MAX;
    if (call->dns.answer_bytes_max == 0) call->dns.answer_bytes_max = DNS_BYTES_MAX;
    bool is_sent = call->is_dns
                       ? dns_ask(inquiry->plan->dns, 0, &call->dns, on_dns_answered, inquiry)
                       : fetch_start(inquiry->plan->fetcher, 0, &call->http, on_fetched, inquiry);
    if (is_sent) return;
    end(inquiry, OUTCOME_ERROR, TEXT("not enough memory for the call"));
    start_inquiries(inquiry->plan);
}

/* As fast as the provider likes to be asked. */
static void send_paced(struct inquiry *inquiry)
{
    unsigned index = 0;
    struct plan *plan = inquiry->plan;
    while (provider_at(index) != inquiry->provider) index++;
    assert(index < PROVIDERS_MAX);
    uv_update_time(&plan->loop);
    uint64_t now_ms = uv_now(&plan->loop);
    uint64_t at_ms = plan->next_call_ms[index] > now_ms ? plan->next_call_ms[index] : now_ms;
    unsigned per_second = inquiry->provider->calls_per_second;
    plan->next_call_ms[index] = at_ms + (per_second > 0 ? 1000 / per_second : 0);
    uv_timer_start(&inquiry->pace, on_pace, at_ms - now_ms, 0);
}

static void go_on(struct inquiry *inquiry, const struct provider_answer *last)
{
    struct dns_verdict verdict = {.retry_after_ms = -1};
    inquiry->job.now_ms = serve_now_ms();
    randombytes_buf(inquiry->job.nonce, sizeof inquiry->job.nonce);
    if (inquiry->memo.round >= PROVIDER_ROUNDS_MAX) {
        end(inquiry, OUTCOME_ERROR, TEXT("the provider's answers go round in circles"));
        return;
    }
    inquiry->call = (struct provider_call){.is_dns = false};
    if (inquiry->provider->step(&inquiry->job, &inquiry->memo, last, &inquiry->call, &verdict) ==
        PROVIDER_SEND) {
        send_paced(inquiry);
        return;
    }
    struct finding finding = plan_compare(inquiry->provider, &inquiry->job, &verdict);
    if (arena_overflowed(&inquiry->arena))
        finding = (struct finding){OUTCOME_ERROR, TEXT("the answer is too long")};
    end(inquiry, finding.outcome, finding.detail);
}

/* Reads what the row names. False: there is nothing to ask, and the inquiry has ended. */
static bool read_job(struct inquiry *inquiry, struct reader *reader)
{
    struct plan *plan = inquiry->plan;
    struct domain domain;
    struct dns_record record;
    char name[DNS_NAME_SIZE];
    struct job_context context = {.read = reader,
                                  .config = &plan->home->config,
                                  .secrets = &plan->home->secrets,
                                  .arena = &inquiry->arena,
                                  .now_ms = serve_now_ms()};
    if (domain_get(reader, inquiry->row->domain_id, &domain) != OK ||
        dns_record_get(reader, inquiry->row->record_id, &record) != OK) {
        inquiry->row->is_gone = true;
        end(inquiry, OUTCOME_UNKNOWN, TEXT_NONE);
        return false;
    }
    inquiry->row->name = arena_text(&plan->arena, dns_name_join(record.name, domain.name, name));
    inquiry->row->type = dns_type_name(record.type);
    inquiry->provider = provider_find(domain.provider);
    enum outcome outcome = OUTCOME_UNKNOWN;
    struct text detail = TEXT_NONE;
    if (inquiry->provider == NULL) {
        detail = TEXT("this homeport does not know the provider");
    } else if (record.value.bytes == 0) {
        detail = TEXT("no address so far");
    } else if (!inquiry->provider->can_list) {
        detail = TEXT("provider cannot list");
    } else if (!job_prepare(&context, DNS_CHECK, &domain, &record, &inquiry->job)) {
        outcome = OUTCOME_ERROR;
        detail = TEXT(
            "the credentials cannot be opened with this key file (store.key_file); give them again");
    }
    if (detail.bytes > 0) end(inquiry, outcome, detail);
    return detail.bytes == 0;
}

static void start(struct inquiry *inquiry, struct row *row)
{
    struct reader reader = {.arena = &inquiry->arena};
    inquiry->row = row;
    inquiry->memo = (struct dns_memo){.round = 0};
    inquiry->job = (struct dns_job){.action = DNS_CHECK};
    if (store_snapshot(inquiry->plan->home->store, &reader.txn) != OK) {
        end(inquiry, OUTCOME_ERROR, TEXT("the store cannot be read"));
        return;
    }
    bool is_ready = read_job(inquiry, &reader);
    store_release(reader.txn);
    if (is_ready) go_on(inquiry, NULL);
}

/* Fills every free place. Ends when all are taken or no row is left. */
static void start_inquiries(struct plan *plan)
{
    for (unsigned i = 0; i < INQUIRIES_MAX; i++) {
        while (plan->inquiries[i].row == NULL && plan->next < plan->row_count) {
            start(&plan->inquiries[i], &plan->rows[plan->next++]);
        }
    }
    print_ready(plan);
}

/* ---- the command ---------------------------------------------------------------------------------- */

static bool open_edges(struct plan *plan)
{
    const struct config *c = &plan->home->config;
    bool has_ca = c->net_ca_file.bytes > 0 &&
                  text_to_zero_ended(c->net_ca_file, plan->ca_file, sizeof plan->ca_file);
    plan->fetcher = fetcher_open(
        &plan->loop, &(struct fetch_settings){.ca_file = has_ca ? plan->ca_file : NULL,
                                              .allowed = c->net_allow_private.items,
                                              .allowed_count = c->net_allow_private.count,
                                              .calls_max = INQUIRIES_MAX,
                                              .user_agent = "homeport/" HOMEPORT_VERSION});
    plan->dns = dns_client_open(&plan->loop);
    return plan->fetcher != NULL && plan->dns != NULL;
}

static void close_edges(struct plan *plan)
{
    if (plan->fetcher != NULL) fetcher_close(plan->fetcher);
    if (plan->dns != NULL) dns_client_close(plan->dns);
    for (unsigned i = 0; i < INQUIRIES_MAX; i++)
        uv_close((uv_handle_t *)&plan->inquiries[i].pace, NULL);
    uv_run(&plan->loop, UV_RUN_DEFAULT);
    uv_loop_close(&plan->loop);
}

/* False with a sentence when not even the asking was possible. */
static bool ask_all(struct plan *plan)
{
    if (uv_loop_init(&plan->loop) != 0)
        return !cli_fail("no event loop: too few file descriptors?");
    for (unsigned i = 0; i < INQUIRIES_MAX; i++) {
        plan->inquiries[i].plan = plan;
        arena_init(&plan->inquiries[i].arena, INQUIRY_BYTES_MAX);
        uv_timer_init(&plan->loop, &plan->inquiries[i].pace);
        plan->inquiries[i].pace.data = &plan->inquiries[i];
    }
    bool is_fine = open_edges(plan) && collect(plan);
    if (!is_fine) cli_fail("not enough memory, or the store cannot be read");
    if (is_fine) start_inquiries(plan);
    while (is_fine && plan->printed < plan->row_count) uv_run(&plan->loop, UV_RUN_ONCE);
    close_edges(plan);
    for (unsigned i = 0; i < INQUIRIES_MAX; i++) arena_free(&plan->inquiries[i].arena);
    return is_fine;
}

int command_dns_plan(const struct cli *cli)
{
    struct home home;
    int exit_code = 1;
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) return cli_fail("not enough memory");
    plan->home = &home;
    arena_init(&plan->arena, ROWS_BYTES_MAX);
    log_level_set(LOG_ERROR);
    if (cli_open(cli, &home, true) && ask_all(plan)) {
        print_summary(plan);
        exit_code = plan->counts[OUTCOME_ERROR] > 0 ? 1 : 0;
    }
    home_close(&home);
    arena_free(&plan->arena);
    free(plan->rows);
    free(plan);
    return exit_code;
}
