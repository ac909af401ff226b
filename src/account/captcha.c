/* The usual path:
 *
 *     user_register ► captcha_guard ─ query ─► (loop: fetch) ─► account_on_query_done ─ hash ─► as without
 *                                                                  │
 *                                                                  ├─► query once more
 *                                                                  └─► reply_later: 403 or 503
 *
 * Nothing waits in memory but a number in struct account that bounds how many are under way: the memo of the
 * query (struct captcha_wait) holds all that is needed to go on, secrets too, and lives in message arenas only.
 *
 * A ticket is sent again only when it was surely not judged the first time, and only while the request's time
 * (net.timeout over all tries) lasts. The request is always answered: each query comes back, if only as a
 * fault (serve/outside.c), and an answer whose step fails is told as a failure (core/turn.c).
 *
 * With captcha.fail_open whoever can keep homeport from the service, or writes the ticket that a page makes
 * when it could not reach it, comes through unchecked. That is what the setting means, and why each pass is
 * kept; an answer that the visitor's own words may have caused (CAPTCHA_REJECTED) never opens. */
#include "account/captcha.h"

#include <assert.h>

#include "account/captcha_answer.h"
#include "account/verify.h"
#include "cloud/cloud_json.h"
#include "cloud/signer.h"
#include "core/actor.h"
#include "core/log.h"
#include "core/outside.h"
#include "core/router.h"
#include "core/url.h"

enum {
    CAPTCHA_TYPE = 9,
    ANSWER_BYTES_MAX = 64 << 10,
    TRIES_MAX = 2,
    AGAIN_AFTER_MS = 250,
    AGAIN_LEAST_MS = 500, /* less is not worth a try */
    SWEEP_MAX = 100
};
static const uint64_t pass_kept_ms = UINT64_C(30) * 86400000;
static const uint64_t wait_slack_ms = 60000; /* turns take time too */

/* ---- when ----------------------------------------------------------------------------------------- */

bool captcha_is_on(const struct config *config)
{
    /* All four or none: config_form_is_whole(). */
    return config->captcha_secret_id.bytes > 0 && config->captcha_secret_key.bytes > 0 &&
           config->captcha_app_secret.bytes > 0 && config->captcha_app_id > 0;
}

bool captcha_is_on_for_login(struct step *s, struct text ip)
{
    struct failures *failures = &core_account(s->core)->failures;
    uint64_t window_ms = s->config->limits_login_window * 1000;
    return captcha_is_on(s->config) &&
           failures_of_ip(failures, ip, window_ms, s->now_ms) >= s->config->captcha_login_failures;
}

enum err captcha_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct captcha_state state = {.enabled = captcha_is_on(view->config)};
    (void)call;
    if (state.enabled) {
        state.app_id =
            arena_print(view->arena, "%llu", (unsigned long long)view->config->captcha_app_id);
    }
    reply_one(reply, &captcha_state_type, &state);
    return OK;
}

/* ---- how many ------------------------------------------------------------------------------------- */

/* A place among the waits, or CAPTCHA_WAITS_MAX. One whose answer never came is free after its time, also
 * when the clock has stepped back. */
static unsigned place_take(struct step *s)
{
    uint64_t *until_ms = core_account(s->core)->captcha_until_ms;
    uint64_t longest_ms = s->config->net_timeout * 1000 + wait_slack_ms;
    for (unsigned i = 0; i < CAPTCHA_WAITS_MAX; i++) {
        bool is_taken = until_ms[i] > s->now_ms && until_ms[i] <= s->now_ms + longest_ms;
        if (is_taken) continue;
        until_ms[i] = s->now_ms + longest_ms;
        return i;
    }
    return CAPTCHA_WAITS_MAX;
}

static void place_give_back(struct account *self, uint64_t place)
{
    if (place < CAPTCHA_WAITS_MAX) self->captcha_until_ms[place] = 0;
}

/* ---- asking --------------------------------------------------------------------------------------- */

static struct text body_of(const struct step *s, const struct captcha_wait *wait)
{
    const struct config *c = s->config;
    yyjson_mut_doc *doc = cloud_json_begin(s->arena);
    if (doc == NULL) return TEXT_NONE;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    cloud_json_put_number(doc, root, "CaptchaType", CAPTCHA_TYPE);
    cloud_json_put_text(doc, root, "Ticket", wait->ticket);
    cloud_json_put_text(doc, root, "UserIp", wait->ip);
    cloud_json_put_text(doc, root, "Randstr", wait->randstr);
    cloud_json_put_number(doc, root, "CaptchaAppId", c->captcha_app_id);
    cloud_json_put_text(doc, root, "AppSecretKey", c->captcha_app_secret);
    return cloud_json_end(s->arena, doc);
}

static struct text fields_of(const struct step *s, struct text host, struct text body,
                             uint64_t time_s)
{
    const struct signer_field headers[] = {
        {TEXT("content-type"), TEXT("application/json")},
        {TEXT("host"), host},
    };
    const struct signer_request request = {
        .scheme = SIGNER_TC3,
        .method = TEXT("POST"),
        .path = TEXT("/"), /* what is signed, wherever the endpoint stands */
        .query = TEXT(""),
        .headers = headers,
        .header_count = 2,
        .body_hash = signer_hash(s->arena, body),
        .time_s = time_s,
        .service = TEXT("captcha"),
        .key_id = s->config->captcha_secret_id,
        .secret = s->config->captcha_secret_key,
    };
    struct signer_result made = signer_sign(s->arena, &request);
    return arena_print(s->arena,
                       "Content-Type: application/json\nHost: %.*s\n"
                       "X-TC-Action: DescribeCaptchaResult\nX-TC-Version: 2019-07-22\n"
                       "X-TC-Timestamp: %llu\nAuthorization: %.*s\n"
                       "Accept: application/json\nUser-Agent: homeport/" HOMEPORT_VERSION "\n",
                       TEXT_ARGS(host), (unsigned long long)time_s, TEXT_ARGS(made.authorization));
}

/* time_ms is what the service is to take for our time. */
static void send(struct step *s, struct captcha_wait *wait, uint64_t delay_ms, uint64_t time_ms)
{
    struct text endpoint = url_base(s->config->captcha_endpoint);
    struct text body = body_of(s, wait);
    wait->tries++;
    core_figures(s->core)->captcha_checks++;
    emit_query(s, &(struct outside_call){
                      .task_id = wait->exchange,
                      .memo = record_encode(&captcha_wait_type, wait, TEXT_NONE, s->arena),
                      .method = TEXT("POST"),
                      .url = arena_print(s->arena, "%.*s/", TEXT_ARGS(endpoint)),
                      .fields = fields_of(s, url_host_field(endpoint), body, time_ms / 1000),
                      .body = body,
                      .timeout_ms = wait->until - s->now_ms - delay_ms,
                      .answer_max = ANSWER_BYTES_MAX,
                      .delay_ms = delay_ms,
                  });
}

/* ---- going on ------------------------------------------------------------------------------------- */

static enum err go_on(struct step *s, const struct captcha_wait *wait)
{
    switch ((enum captcha_next)wait->next) {
    case captcha_next_hash: {
        struct hash_call hash;
        enum err e = record_decode(&hash_call_type, wait->contents, &hash);
        if (e == OK) emit_hash(s, &hash);
        return e;
    }
    case captcha_next_sms: {
        struct sms_send_input in;
        enum err e = record_decode(&sms_send_input_type, wait->contents, &in);
        return e == OK ? sms_code_send(s, &in, wait->exchange, wait->request_id) : e;
    }
    }
    return ERR_INTERNAL;
}

void captcha_sweep(struct step *s)
{
    struct walk walk;
    struct captcha_pass pass;
    uint64_t id, before = s->now_ms > pass_kept_ms ? s->now_ms - pass_kept_ms : 0;
    unsigned count = 0;
    walk_begin_all(&walk, &s->read, &captcha_pass_type, 0, false);
    while (count++ < SWEEP_MAX && walk_next(&walk, &id)) {
        if (captcha_pass_get(&s->read, id, &pass) == OK && pass.created_at >= before) break;
        captcha_pass_remove(s, id);
    }
    walk_end(&walk);
}

static enum err go_on_unchecked(struct step *s, const struct captcha_wait *wait, struct text reason)
{
    captcha_pass_put(s, &(struct captcha_pass){.id = step_id(s),
                                               .ip = wait->ip,
                                               .operation = wait->operation,
                                               .reason = account_text_cut(reason, 256),
                                               .created_at = s->now_ms});
    captcha_sweep(s);
    log_line(LOG_WARNING, "a request goes on without its captcha (captcha.fail_open)",
             LOG_TEXT("reason", reason), LOG_TEXT("ip", wait->ip),
             LOG_TEXT("operation", wait->operation), LOG_TEXT("request_id", wait->request_id),
             LOG_END);
    return go_on(s, wait);
}

enum err captcha_guard(struct step *s, const struct call *call, struct text ticket,
                       struct text randstr, enum captcha_next next, const struct record_type *type,
                       const void *contents)
{
    assert(captcha_is_on(s->config));
    if (ticket.bytes == 0 || randstr.bytes == 0) return ERR_CAPTCHA_NEEDED;
    struct captcha_wait wait = {
        .exchange = call->exchange,
        .next = next,
        .contents = record_encode(type, contents, TEXT_NONE, s->arena),
        .operation = call->route->operation,
        .ip = account_text_cut(call->ip, 64),
        .request_id = call->request_id,
        .ticket = ticket,
        .randstr = randstr,
        .until = s->now_ms + s->config->net_timeout * 1000,
    };
    /* Made by the page itself, for it could not reach the service. */
    if (text_starts(ticket, TEXT("trerror"))) {
        if (!s->config->captcha_fail_open) {
            core_figures(s->core)->captcha_refused++;
            return ERR_CAPTCHA_WRONG;
        }
        enum err e =
            go_on_unchecked(s, &wait, TEXT("the visitor's page could not reach the service"));
        return e == OK ? LATER : e;
    }
    wait.place = place_take(s);
    if (wait.place == CAPTCHA_WAITS_MAX) return ERR_OVERLOADED;
    send(s, &wait, 0, s->now_ms);
    return LATER;
}

/* ---- the answer ----------------------------------------------------------------------------------- */

static bool send_again(struct step *s, struct captcha_wait *wait, enum captcha_verdict verdict,
                       const struct outside_answer *answer)
{
    bool may = verdict == CAPTCHA_NOT_JUDGED || (verdict == CAPTCHA_CLOCK && answer->date_ms != 0);
    bool is_late = s->now_ms + AGAIN_AFTER_MS + AGAIN_LEAST_MS > wait->until;
    /* The clock has stepped back since: nobody waits longer than net.timeout for that. */
    if (wait->until > s->now_ms + s->config->net_timeout * 1000) is_late = true;
    if (!may || is_late || wait->tries >= TRIES_MAX) return false;
    if (verdict == CAPTCHA_CLOCK) {
        log_line(LOG_WARNING, "this machine's clock is off, says the captcha service",
                 LOG_NUMBER("ours_ms", s->now_ms), LOG_NUMBER("theirs_ms", answer->date_ms),
                 LOG_END);
        send(s, wait, 0, answer->date_ms);
    } else {
        send(s, wait, AGAIN_AFTER_MS, s->now_ms + AGAIN_AFTER_MS);
    }
    return true;
}

/* OK: the request goes on, and is answered by what follows. */
static enum err judge(struct step *s, const struct captcha_wait *wait,
                      const struct captcha_said *said)
{
    struct core_figures *figures = core_figures(s->core);
    switch (said->verdict) {
    case CAPTCHA_HUMAN: return go_on(s, wait);
    case CAPTCHA_NOT_HUMAN:
        figures->captcha_refused++;
        log_line(LOG_INFO, "a captcha was not passed", LOG_TEXT("reason", said->reason),
                 LOG_TEXT("ip", wait->ip), LOG_TEXT("request_id", wait->request_id), LOG_END);
        return ERR_CAPTCHA_WRONG;
    case CAPTCHA_NOT_JUDGED:
    case CAPTCHA_CLOCK:
    case CAPTCHA_NO_ANSWER:
    case CAPTCHA_SETTINGS:
    case CAPTCHA_REJECTED: break;
    }
    figures->captcha_unreachable++;
    bool is_ours = said->verdict == CAPTCHA_SETTINGS;
    log_line(is_ours ? LOG_ERROR : LOG_WARNING,
             is_ours ? "the captcha service refuses the settings captcha.*"
                     : "a captcha could not be checked",
             LOG_TEXT("reason", said->reason), LOG_TEXT("request_id", wait->request_id), LOG_END);
    bool may_open = s->config->captcha_fail_open && said->verdict != CAPTCHA_REJECTED;
    return may_open ? go_on_unchecked(s, wait, said->reason) : ERR_CAPTCHA_DOWN;
}

enum err account_on_query_done(struct account *self, struct step *s,
                               const struct outside_answer *answer)
{
    struct captcha_wait wait;
    enum err e = record_decode(&captcha_wait_type, answer->memo, &wait);
    if (e != OK) return e;
    s->ip = wait.ip;
    s->request_id = wait.request_id;
    const struct http_result result = outside_http_result(answer);
    struct captcha_said said = captcha_answer_read(s->arena, &result);
    if (send_again(s, &wait, said.verdict, answer)) return OK;
    place_give_back(self, wait.place);
    e = judge(s, &wait, &said);
    if (e != OK) {
        reply_later(s, wait.exchange, route_named(wait.operation), e, NULL, NULL, wait.request_id);
    }
    return OK;
}
