/* libFuzzer over GET /nic/update: whatever a router sends as its query, the answer is lines of the words that
 * dyndns2 and we agreed on, as many as there were names, and the turn is kept.
 *
 * One core over the store in memory, with a user, a domain, a pushed source and three dynamic records, made once. The
 * input's first byte chooses the caller's address, the rest is the query. */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/actor.h"
#include "core/log.h"
#include "core/router.h"
#include "core/turn.h"

enum { QUERY_BYTES_MAX = 8192, LINES_MAX = 21, TURNS_MAX = 4000 };

static struct store *store;
static struct core *core;
static struct config config;
static struct secrets secrets;
static struct mailbox inbox, outbox;
static uint64_t now_ms, turn_count;

/* ---- once ----------------------------------------------------------------------------------------- */

static enum err make_things(struct step *step, void *context)
{
    struct domain domain = {.id = step_id(step), .user_id = 1, .name = TEXT("example.com"), .provider = TEXT("rfc2136"),
                            .is_active = true};
    struct source source = {.id = step_id(step), .user_id = 1, .name = TEXT("line"), .kind = source_kind_pushed,
                            .family = family_ipv4};
    struct dns_record record = {.domain_id = domain.id, .user_id = 1, .ttl = 60, .is_active = true, .dynamic = true,
                                .sync_status = sync_status_paused};
    static const struct {
        struct text name;
        uint32_t type;
        bool has_source;
    } rows[] = {{TEXT_INIT("www"), dns_record_type_A, false},
                {TEXT_INIT("www"), dns_record_type_AAAA, false},
                {TEXT_INIT("@"), dns_record_type_A, true}};
    (void)context;
    user_put(step, &(struct user){.id = 1, .username = TEXT("router"), .role = role_user, .is_active = true});
    domain_put(step, &domain);
    source_put(step, &source);
    for (unsigned i = 0; i < 3; i++) {
        record.id = step_id(step);
        record.name = rows[i].name;
        record.type = rows[i].type;
        record.source_id = rows[i].has_source ? source.id : 0;
        dns_record_put(step, &record);
    }
    return OK;
}

static struct turn_input input_now(void)
{
    struct turn_input input = {.now_ms = now_ms++};
    memcpy(input.seed, &input.now_ms, sizeof input.now_ms);
    return input;
}

static void open_core(void)
{
    enum err decided;
    now_ms = 1772352551000;
    turn_count = 0;
    store = store_open_memory();
    core = core_open(store, &config, &secrets);
    assert(store != NULL && core != NULL);
    struct turn_input input = input_now();
    core_start(core, &input, &outbox);
    input = input_now();
    turn_decide(core, &input, &outbox, make_things, NULL, &decided);
    assert(decided == OK);
}

static void close_core(void)
{
    core_close(core);
    store_close(store);
}

static void start_once(void)
{
    static const uint8_t root[32] = {5};
    static bool is_started;
    if (is_started) return;
    is_started = true;
    if (sodium_init() < 0) abort();
    log_level_set((enum log_level)(LOG_ERROR + 1));
    records_start();
    router_start();
    config_init(&config);
    secrets_derive(&secrets, root);
    mailbox_init(&inbox, 4 << 20);
    mailbox_init(&outbox, 4 << 20);
    open_core();
}

/* ---- an answer ------------------------------------------------------------------------------------ */

static bool is_known_line(struct text line)
{
    static const struct text words[] = {TEXT_INIT("nohost"), TEXT_INIT("notfqdn"), TEXT_INIT("dnserr"),
                                        TEXT_INIT("numhost"), TEXT_INIT("abuse")};
    struct text rest = line;
    struct ip_address ip;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (text_equal(line, words[i])) return true;
    }
    struct text word = text_cut(&rest, ' ');
    if (!text_equal(word, TEXT("good")) && !text_equal(word, TEXT("nochg"))) return false;
    if (rest.data == NULL) return false;
    while (rest.data != NULL) {
        if (!ip_parse(text_cut(&rest, ','), &ip)) return false;
    }
    return true;
}

static void check_answer(const struct answer *answer)
{
    struct text rest = answer->body;
    unsigned count = 0;
    assert(answer->status == 200 && rest.bytes > 0 && rest.data[rest.bytes - 1] == '\n');
    rest.bytes--;
    while (rest.data != NULL) {
        struct text line = text_cut(&rest, '\n');
        if (!is_known_line(line)) printf("a strange line: %.*s\n", TEXT_ARGS(line));
        assert(is_known_line(line));
        count++;
    }
    assert(count <= LINES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const struct text addresses[] = {TEXT_INIT("203.0.113.9"), TEXT_INIT("2001:db8::9"), TEXT_INIT("127.0.0.1"),
                                            TEXT_INIT("192.168.1.2"), TEXT_INIT("")};
    unsigned answers = 0;
    start_once();
    if (count == 0 || count > QUERY_BYTES_MAX) return 0;
    struct call call = {
        .route = route_named(TEXT("nic_update")), .exchange = 1,
        .caller = {.user_id = 1, .role = role_user, .rights = UINT32_MAX},
        .ip = addresses[bytes[0] % (sizeof addresses / sizeof *addresses)], .request_id = TEXT("fuzz"),
    };
    /* A piece of its own size, so that the sanitizer sees one byte too far. */
    char *query = malloc(count);
    memcpy(query, bytes + 1, count - 1);
    call.query = (struct text){query, count - 1};
    mailbox_reset(&inbox);
    mailbox_reset(&outbox);
    bool is_added = mailbox_add_own(&inbox, MESSAGE_request, &call);
    assert(is_added);
    struct turn_input input = input_now();
    struct turn_result result = turn_run(core, &input, &inbox, &outbox);
    assert(result.commit == OK);
    for (const struct message *m = outbox.first; m != NULL; m = m->next) {
        if (m->name != MESSAGE_reply) continue;
        check_answer(m->contents);
        answers++;
    }
    assert(answers == 1);
    free(query);
    if (++turn_count < TURNS_MAX) return 0;
    close_core(); /* the audit log has grown long */
    open_core();
    return 0;
}
