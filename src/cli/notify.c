/* homeport notify test: sends one letter with these settings, now, and prints what the server says. Works beside a
 * running server, and before there is a store. */
#include <sodium.h>
#include <stdio.h>
#include <uv.h>

#include "cli/cli.h"
#include "core/outside.h"
#include "edge/fetch.h"
#include "notify/channel.h"
#include "serve/serve.h"

enum { TRY_BYTES_MAX = 4 << 20, PATH_BYTES = 4096, SHOWN_BYTES = 1200 };

struct attempt {
    uv_loop_t loop;
    struct fetcher *fetcher;
    const struct channel *channel;
    struct letter_job job;
    struct arena arena;
    struct letter_verdict verdict;
    bool has_ended;
};

static void on_ended(void *context, uint64_t ref, const struct http_result *result)
{
    struct attempt *attempt = context;
    (void)ref;
    struct outside_answer answer = outside_http_answer(result);
    answer.error = arena_text(&attempt->arena, result->error); /* both outlive this callback */
    answer.body = arena_text(&attempt->arena, result->body);
    channel_judge(attempt->channel, &attempt->job, &answer, &attempt->verdict);
    attempt->has_ended = true;
    fetcher_close(attempt->fetcher);
}

static bool send_letter(struct attempt *attempt)
{
    struct outside_call call;
    attempt->channel->write(&attempt->job, &call);
    struct http_call http = outside_http_call(&call);
    return !arena_overflowed(&attempt->arena) &&
           fetch_start(attempt->fetcher, 0, &http, on_ended, attempt);
}

static bool run(struct attempt *attempt)
{
    static char ca_file[PATH_BYTES];
    const struct config *config = attempt->job.config;
    bool has_ca = config->net_ca_file.bytes > 0 &&
                  text_to_zero_ended(config->net_ca_file, ca_file, sizeof ca_file);
    attempt->has_ended = false;
    if (uv_loop_init(&attempt->loop) != 0) return false;
    attempt->fetcher = fetcher_open(
        &attempt->loop, &(struct fetch_settings){.ca_file = has_ca ? ca_file : NULL,
                                                 .calls_max = 1,
                                                 .user_agent = "homeport/" HOMEPORT_VERSION});
    bool is_started = attempt->fetcher != NULL && send_letter(attempt);
    if (!is_started && attempt->fetcher != NULL) fetcher_close(attempt->fetcher);
    uv_run(&attempt->loop, UV_RUN_DEFAULT);
    uv_loop_close(&attempt->loop);
    return attempt->has_ended;
}

static struct letter test_letter(const struct config *config, struct text to,
                                 enum letter_channel kind, struct arena *arena)
{
    uint32_t chance[2];
    randombytes_buf(chance, sizeof chance);
    return (struct letter){.channel = kind,
                           .template = letter_template_test,
                           .recipient = to,
                           .language = config->notify_language,
                           .minutes = 5,
                           .message_id = arena_print(arena, "test.%08x%08x@homeport.invalid",
                                                     (unsigned)chance[0], (unsigned)chance[1])};
}

static int try_out(struct attempt *attempt)
{
    char shown[SHOWN_BYTES];
    if (!run(attempt)) return cli_fail("not enough memory");
    if (attempt->verdict.class == CLASS_CLOCK && attempt->verdict.date_ms != 0 &&
        !attempt->verdict.is_unknown) {
        printf("The other side says that this machine's clock is wrong; once more with its time\n");
        attempt->job.clock_offset_ms = (int64_t)(attempt->verdict.date_ms - attempt->job.now_ms);
        randombytes_buf(attempt->job.nonce, sizeof attempt->job.nonce);
        if (!run(attempt)) return cli_fail("not enough memory");
    }
    struct text detail = cli_shown(attempt->verdict.detail, shown, sizeof shown);
    if (attempt->verdict.is_unknown)
        return cli_fail("it is not known whether the letter was sent: %.*s", TEXT_ARGS(detail));
    if (attempt->verdict.class != CLASS_OK) return cli_fail("not sent: %.*s", TEXT_ARGS(detail));
    printf("sent: %.*s took it and said: %.*s\n", TEXT_ARGS(attempt->channel->name),
           TEXT_ARGS(detail));
    return 0;
}

int command_notify_test(const struct cli *cli)
{
    struct home home;
    struct text reason, to = text_of(cli->words[0]);
    int exit_code = 1;
    bool is_phone = text_starts(to, TEXT("+"));
    enum letter_channel kind = is_phone ? letter_channel_sms : letter_channel_mail;
    if (!check_value(is_phone ? CHECK_phone : CHECK_email, to, &reason))
        return cli_fail("TO %.*s", TEXT_ARGS(reason));
    if (!home_config(&home, &cli->home)) {
        cli_fail("%s", home.why);
        home_close(&home);
        return 1;
    }
    struct attempt attempt = {.channel = channel_of(&home.config, kind)};
    arena_init(&attempt.arena, TRY_BYTES_MAX);
    attempt.job = (struct letter_job){
        .config = &home.config, .arena = &attempt.arena, .now_ms = serve_now_ms()};
    attempt.job.letter = test_letter(&home.config, to, kind, &attempt.arena);
    if (is_phone) attempt.job.code = TEXT("123456");
    randombytes_buf(attempt.job.nonce, sizeof attempt.job.nonce);
    if (attempt.channel == NULL) {
        cli_fail(
            is_phone
                ? "SMS is not set up: sms.access_key_id, sms.access_key_secret, sms.sign_name and "
                  "sms.template_code are needed"
                : "mail is not set up: smtp.url and smtp.from are needed (or those of directmail)");
    } else {
        exit_code = try_out(&attempt);
    }
    arena_free(&attempt.arena);
    home_close(&home);
    return exit_code;
}
