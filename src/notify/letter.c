/* See notify.h for the story. What a try needs to remember travels with its call (struct letter_memo); between
 * letter_send() and the first try it waits in the task's args. */
#include "notify/letter.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#include "core/log.h"
#include "core/router.h"
#include "core/turn.h"
#include "core/url.h"
#include "notify/channel.h"
#include "notify/mime.h"
#include "notify/notify.h"

enum {
    LETTERS_WAITING_MAX = 200, /* in one lane */
    SWEEP_MAX = 20,
    MINUTES_MAX = 10080,
    PHONE_DIGITS_LEAST = 7,
    PHONE_DIGITS_MOST = 15
};
/* Lanes are ids of domains and sources elsewhere, which are Snowflakes, and 1 is the sweep. */
static const uint64_t lane_of_channel[] = {
    [letter_channel_mail] = LANE_MAIL, [letter_channel_sms] = LANE_SMS};
static const uint64_t throttled_wait_ms = 30000, throttled_wait_most_ms = 3600000;

/* Who waits, and how far the tries have come. */
struct letter_memo {
    uint64_t run; /* of the program: `exchange` means nothing to the next */
    uint64_t exchange;
    int64_t clock_offset_ms;
    uint32_t clock_repeats;
    char operation[64], request_id[132];
};

bool notify_has_mail(const struct config *config)
{
    return channel_of(config, letter_channel_mail) != NULL;
}

bool notify_has_sms(const struct config *config)
{
    return channel_of(config, letter_channel_sms) != NULL;
}

struct text notify_link(const struct config *config, struct text path, struct arena *arena)
{
    struct text base = url_base(config->notify_public_url);
    assert(path.bytes > 0 && path.data[0] == '/');
    if (base.bytes == 0) base = arena_print(arena, "http://%.*s", TEXT_ARGS(config->http_listen));
    return arena_print(arena, "%.*s%.*s", TEXT_ARGS(base), TEXT_ARGS(path));
}

/* ---- making one ----------------------------------------------------------------------------------- */

static bool is_phone_number(struct text t)
{
    if (t.bytes < 1 + PHONE_DIGITS_LEAST || t.bytes > 1 + PHONE_DIGITS_MOST || t.data[0] != '+')
        return false;
    for (size_t i = 1; i < t.bytes; i++) {
        if (t.data[i] < '0' || t.data[i] > '9') return false;
    }
    return true;
}

static bool is_sendable(const struct letter_ask *ask)
{
    struct text name, address;
    if (ask->minutes < 1 || ask->minutes > MINUTES_MAX) return false;
    if (ask->channel == letter_channel_sms) return is_phone_number(ask->to) && ask->code.bytes > 0;
    return mime_address(ask->to, &name, &address) && text_equal(address, ask->to);
}

static bool is_crowded(const struct step *step, uint64_t lane_id)
{
    struct walk walk;
    uint64_t id;
    unsigned count = 0;
    walk_begin_ordered(&walk, &step->read, &task_by_lane, &(struct task){.waiting_lane = lane_id});
    while (count < LETTERS_WAITING_MAX && walk_next(&walk, &id)) count++;
    walk_end(&walk);
    return count == LETTERS_WAITING_MAX;
}

static struct text language_of(const struct config *config, struct text wished)
{
    bool is_known = text_equal(wished, TEXT("zh")) || text_equal(wished, TEXT("en"));
    return is_known ? wished : config->notify_language;
}

/* Unguessable, with the id in front so that a log of the mail server leads here. */
static struct text new_message_id(struct step *step, uint64_t id)
{
    uint8_t chance[8];
    char hex[2 * sizeof chance + 1];
    struct text name, address = TEXT_NONE;
    mime_address(step->config->smtp_from, &name, &address);
    text_cut(&address, '@');
    step_random(step, chance, sizeof chance);
    sodium_bin2hex(hex, sizeof hex, chance, sizeof chance);
    return arena_print(step->arena, "%llu.%s@%.*s", (unsigned long long)id, hex,
                       TEXT_ARGS(address.bytes > 0 ? address : TEXT("homeport.invalid")));
}

/* Code and link as two lines. */
static struct text seal(struct step *step, uint64_t id, const struct letter_ask *ask)
{
    uint8_t nonce[24];
    struct text both =
        arena_print(step->arena, "%.*s\n%.*s", TEXT_ARGS(ask->code), TEXT_ARGS(ask->link));
    step_random(step, nonce, sizeof nonce);
    return secrets_seal(step->secrets, nonce, id, both, step->arena);
}

static struct letter_memo memo_of(const struct step *step, const struct letter_ask *ask)
{
    struct letter_memo memo;
    memset(&memo, 0, sizeof memo); /* it is stored: no bytes of chance between its members */
    memo.run = core_notify(step->core)->run;
    if (ask->exchange == 0) return memo;
    assert(ask->route != NULL);
    memo.exchange = ask->exchange;
    bool fits = text_to_zero_ended(ask->route->operation, memo.operation, sizeof memo.operation);
    assert(fits);
    text_to_zero_ended(ask->request_id, memo.request_id, sizeof memo.request_id);
    return memo;
}

enum err letter_send(struct step *step, const struct letter_ask *ask)
{
    uint64_t lane_id = lane_of_channel[ask->channel];
    bool is_sms = ask->channel == letter_channel_sms;
    if (channel_of(step->config, ask->channel) == NULL) return is_sms ? ERR_SMS_OFF : ERR_MAIL_OFF;
    if (!is_sendable(ask)) return ERR_INVALID;
    if (is_crowded(step, lane_id)) return ERR_OVERLOADED;
    letters_sweep(step);

    struct letter letter = {
        .id = step_id(step),
        .user_id = ask->user_id,
        .channel = ask->channel,
        .template = ask->template,
        .recipient = ask->to,
        .language = language_of(step->config, ask->language),
        .state = letter_state_waiting,
        .minutes = ask->minutes,
        .expires_at = step->now_ms + ask->minutes * 60000,
        .created_at = step->now_ms,
    };
    letter.secrets = seal(step, letter.id, ask);
    if (!is_sms) letter.message_id = new_message_id(step, letter.id);
    struct letter_memo memo = memo_of(step, ask);
    /* The task is the program's, not the user's: its errors name servers and settings. */
    struct task task = {
        .kind = task_kind_letter_send,
        .target_id = letter.id,
        .lane_id = lane_id,
        .args = arena_text(step->arena, (struct text){(const char *)&memo, sizeof memo})};
    task_new(step, &task, step->now_ms);
    letter.task_id = task.id;
    letter_put(step, &letter);
    return OK;
}

/* ---- its end -------------------------------------------------------------------------------------- */

/* Tells the request that waits what came of the first try, once. */
static void tell(struct step *step, const struct letter *letter, struct letter_memo *memo,
                 enum err e)
{
    const struct route *route = route_named(text_of(memo->operation));
    bool is_ours =
        memo->exchange != 0 && memo->run == core_notify(step->core)->run && route != NULL;
    uint64_t exchange = memo->exchange;
    memo->exchange = 0;
    if (!is_ours) return;
    if (e != OK) e = letter->channel == letter_channel_sms ? ERR_SMS_DOWN : ERR_MAIL_DOWN;
    reply_later(step, exchange, route, e, NULL, NULL, text_of(memo->request_id));
}

/* The letter's part of an end; the task's is the caller's. */
static void end(struct step *step, struct letter *letter, enum letter_state state)
{
    struct core_figures *figures = core_figures(step->core);
    letter->state = state;
    letter->secrets = TEXT_NONE;
    letter->left_at = 0;
    if (state == letter_state_sent) letter->sent_at = step->now_ms;
    letter_put(step, letter);
    if (state == letter_state_sent) figures->letters_sent++;
    if (state == letter_state_failed) figures->letters_failed++;
    if (state == letter_state_unknown) figures->letters_unknown++;
}

/* For whoever runs this homeport: what he has to put right. No recipient, no code. */
static void warn(const struct letter *letter, const char *message, struct text why)
{
    log_line(LOG_WARNING, message, LOG_ID("letter_id", letter->id),
             LOG_ID("task_id", letter->task_id),
             LOG_TEXT("channel", choice_word(&letter_channel_choice, letter->channel)),
             LOG_TEXT("error", why), LOG_END);
}

static void give_up(struct step *step, struct task *task, struct letter *letter,
                    struct letter_memo *memo, struct text why)
{
    warn(letter, "a letter is given up", why);
    end(step, letter, letter_state_failed);
    tell(step, letter, memo, ERR_MAIL_DOWN);
    task->args = TEXT_NONE;
    task_fail(step, task, why);
}

static void leave_unknown(struct step *step, struct task *task, struct letter *letter,
                          struct letter_memo *memo, struct text why)
{
    why = arena_print(step->arena,
                      "It is not known whether it was sent, so it is not sent again. %.*s",
                      TEXT_ARGS(why));
    warn(letter, "a letter may have been sent or not", why);
    end(step, letter, letter_state_unknown);
    tell(step, letter, memo, ERR_MAIL_DOWN);
    task->args = TEXT_NONE;
    task_fail(step, task, why);
}

void letter_on_cancelled(struct step *step, const struct task *task)
{
    struct letter letter;
    struct letter_memo memo;
    if (letter_get(&step->read, task->target_id, &letter) != OK ||
        letter.state != letter_state_waiting)
        return;
    bool may_have_left = letter.left_at != 0;
    end(step, &letter, may_have_left ? letter_state_unknown : letter_state_failed);
    if (task->args.bytes != sizeof memo) return;
    memcpy(&memo, task->args.data, sizeof memo);
    tell(step, &letter, &memo, ERR_MAIL_DOWN);
}

void letters_sweep(struct step *step)
{
    struct walk walk;
    struct letter letter;
    uint64_t id, keep_ms = step->config->tasks_result_ttl * 1000;
    unsigned seen = 0;
    walk_begin_all(&walk, &step->read, &letter_type, 0, false);
    while (seen++ < SWEEP_MAX && walk_next(&walk, &id)) {
        if (letter_get(&step->read, id, &letter) != OK ||
            letter.expires_at + keep_ms > step->now_ms)
            continue;
        letter_remove(step, id);
    }
    walk_end(&walk);
}

/* ---- a try ---------------------------------------------------------------------------------------- */

static bool job_of(struct step *step, const struct letter *letter, const struct letter_memo *memo,
                   struct letter_job *job)
{
    struct text both;
    *job = (struct letter_job){.config = step->config,
                               .arena = step->arena,
                               .now_ms = step->now_ms,
                               .clock_offset_ms = memo->clock_offset_ms,
                               .letter = *letter};
    step_random(step, job->nonce, sizeof job->nonce);
    if (!secrets_open(step->secrets, letter->id, letter->secrets, step->arena, &both)) return false;
    job->code = text_cut(&both, '\n');
    job->link = both;
    return true;
}

/* What the request waits for is kept in the task until it has been told: a call that is cancelled finds it there. */
static void keep_memo(struct step *step, struct task *task, const struct letter_memo *memo)
{
    task->args = arena_text(step->arena, (struct text){(const char *)memo, sizeof *memo});
}

/* What is kept there: all zero at the first try. */
static void memo_read(const struct task *task, struct letter_memo *memo)
{
    memset(memo, 0, sizeof *memo);
    if (task->args.bytes == sizeof *memo) memcpy(memo, task->args.data, sizeof *memo);
}

enum err letter_send_run(struct step *step, struct task *task)
{
    struct letter letter;
    struct letter_memo memo;
    struct letter_job job;
    struct outside_call call;
    memo_read(task, &memo);
    if (letter_get(&step->read, task->target_id, &letter) != OK ||
        letter.state != letter_state_waiting) {
        task_complete(step, task, TEXT("The letter is gone"));
        return OK;
    }
    if (letter.left_at != 0) {
        leave_unknown(step, task, &letter, &memo,
                      TEXT("homeport was stopped while it was being sent."));
        return OK;
    }
    if (step->now_ms >= letter.expires_at) {
        give_up(step, task, &letter, &memo,
                arena_print(step->arena, "Its time is over%s%.*s",
                            task->error_message.bytes > 0 ? ". Before that: " : "",
                            TEXT_ARGS(task->error_message)));
        return OK;
    }
    const struct channel *channel = channel_of(step->config, (enum letter_channel)letter.channel);
    if (channel == NULL) {
        give_up(step, task, &letter, &memo, TEXT("The settings for it are gone"));
        return OK;
    }
    if (!job_of(step, &letter, &memo, &job)) {
        give_up(step, task, &letter, &memo,
                TEXT("It cannot be opened with this key file (store.key_file)"));
        return OK;
    }
    channel->write(&job, &call);
    call.task_id = task->id;
    letter.left_at = step->now_ms;
    letter_put(step, &letter);
    emit_post(step, &call);
    return OK;
}

/* Back-off, or what the other side wishes; never past the letter's end, when it is given up. */
static void try_again(struct step *step, struct task *task, const struct letter *letter,
                      const struct letter_verdict *verdict)
{
    uint64_t left_ms = letter->expires_at > step->now_ms ? letter->expires_at - step->now_ms : 0;
    int64_t wait_ms = verdict->retry_after_ms;
    if (verdict->class == CLASS_THROTTLED && wait_ms < 0) {
        uint64_t wait = throttled_wait_ms;
        for (uint64_t i = 0; i < task->failures && wait < throttled_wait_most_ms; i++) wait *= 2;
        wait_ms = (int64_t)wait;
    }
    uint64_t wait = task_retry(step, task, verdict->detail, wait_ms);
    if (wait > left_ms) task_due(step, task, step->now_ms + left_ms);
}

/* Our clock is wrong: the same once more, with the other side's time. */
static bool repeats_for_clock(struct step *step, struct task *task, struct letter *letter,
                              struct letter_memo *memo, const struct letter_verdict *verdict)
{
    if (verdict->class != CLASS_CLOCK || verdict->date_ms == 0 || memo->clock_repeats > 0)
        return false;
    memo->clock_repeats++;
    memo->clock_offset_ms = (int64_t)(verdict->date_ms - step->now_ms);
    keep_memo(step, task, memo);
    letter->left_at = 0;
    letter_put(step, letter);
    task_again(step, task, step->now_ms);
    return true;
}

enum err letter_answered(struct step *step, struct task *task, const struct outside_answer *answer)
{
    struct letter letter;
    struct letter_memo memo;
    struct letter_job job;
    struct letter_verdict verdict;
    const struct channel *channel = NULL;
    memo_read(task, &memo);
    if (letter_get(&step->read, task->target_id, &letter) == OK)
        channel = channel_of(step->config, (enum letter_channel)letter.channel);
    if (channel == NULL || letter.state != letter_state_waiting || letter.left_at == 0) {
        task_complete(step, task, TEXT("The letter is gone"));
        return OK;
    }
    job_of(step, &letter, &memo,
           &job); /* with another key file it does not open, and there is nothing to hide */
    channel_judge(channel, &job, answer, &verdict);
    if (verdict.is_unknown) {
        leave_unknown(step, task, &letter, &memo, verdict.detail);
        return OK;
    }
    if (repeats_for_clock(step, task, &letter, &memo, &verdict)) return OK;
    if (verdict.class == CLASS_OK) {
        end(step, &letter, letter_state_sent);
        tell(step, &letter, &memo, OK);
        task->args = TEXT_NONE;
        task_complete(step, task,
                      arena_print(step->arena, "Taken by %.*s: %.*s", TEXT_ARGS(channel->name),
                                  TEXT_ARGS(verdict.detail)));
        return OK;
    }
    if (verdict.class != CLASS_RETRY && verdict.class != CLASS_THROTTLED) {
        give_up(step, task, &letter, &memo, verdict.detail);
        return OK;
    }
    letter.left_at = 0;
    letter_put(step, &letter);
    tell(step, &letter, &memo, ERR_MAIL_DOWN);
    keep_memo(step, task, &memo);
    try_again(step, task, &letter, &verdict);
    return OK;
}
