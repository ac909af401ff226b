#include "account/bans.h"

#include <assert.h>

#include "account/account.h"
#include "account/failed_sign_in.h"
#include "core/actor.h"
#include "core/listing.h"
#include "core/log.h"

enum { BANS_MAX = 10000, SWEEP_MAX = 500 };
static const uint64_t clock_slack_ms = 60000;

/* ---- addresses ------------------------------------------------------------------------------------ */

bool ban_address(struct text t, struct ip_address *ip)
{
    struct ip_network network;
    if (!ip_network_parse(t, &network)) return false;
    *ip = ip_counted(&network.address);
    if (network.address.family == 4) return network.prefix_bits == 32;
    return network.prefix_bits == 128 || (network.prefix_bits == 64 && ip->family == 6);
}

struct text ban_text(const struct ip_address *ip, char out[BAN_TEXT_SIZE])
{
    char plain[IP_TEXT_SIZE];
    struct ip_address counted = ip_counted(ip);
    struct text t = ip_format(&counted, plain);
    memcpy(out, t.data, t.bytes);
    if (counted.family == 6) {
        memcpy(out + t.bytes, "/64", 3);
        t.bytes += 3;
    }
    out[t.bytes] = 0;
    return (struct text){out, t.bytes};
}

/* ---- in effect ------------------------------------------------------------------------------------ */

/* A ban that has an end was made before now: when the clock was set back behind its making, a wrong clock would
 * decide how long it lasts, and it is over. */
static bool is_in_effect(const struct ban *ban, uint64_t now_ms)
{
    if (ban->expires_at == 0) return true;
    return now_ms < ban->expires_at && now_ms + clock_slack_ms >= ban->created_at;
}

/* In effect or not. */
static enum err ban_stored(const struct reader *reader, const struct ip_address *ip,
                           struct ban *ban)
{
    char room[BAN_TEXT_SIZE];
    return record_find(reader, &ban_by_ip, &(struct ban){.ip = ban_text(ip, room)}, ban);
}

enum err ban_find(const struct reader *reader, const struct ip_address *ip, uint64_t now_ms,
                  struct ban *ban)
{
    enum err e = ban_stored(reader, ip, ban);
    if (e != OK) return e;
    return is_in_effect(ban, now_ms) ? OK : ERR_NOT_FOUND;
}

uint64_t ban_seconds(const struct ban *ban, uint64_t now_ms)
{
    if (ban->expires_at == 0) return 0;
    return ban->expires_at > now_ms ? (ban->expires_at - now_ms + 999) / 1000 : 1;
}

/* ---- making --------------------------------------------------------------------------------------- */

/* When there are too many, the one that would end first gives way: who has many addresses must not push out the bans
 * without an end, which somebody made by hand. */
static void make_room(struct step *s)
{
    struct walk walk;
    uint64_t id;
    if (record_count_all(&s->read, &ban_type) < BANS_MAX) return;
    walk_begin_ordered(&walk, &s->read, &ban_by_expiry, NULL);
    bool has_end = walk_next(&walk, &id);
    walk_end(&walk);
    if (!has_end) {
        walk_begin_all(&walk, &s->read, &ban_type, 0, false);
        has_end = walk_next(&walk, &id);
        walk_end(&walk);
    }
    if (has_end) ban_remove(s, id);
}

/* In the place of one that has expired, if it is still there: an address has one record. */
static void ban_make(struct step *s, const struct ip_address *ip, struct ban *ban)
{
    char room[BAN_TEXT_SIZE];
    struct ban old;
    bool has_old = ban_stored(&s->read, ip, &old) == OK;
    if (!has_old) make_room(s);
    ban->id = has_old ? old.id : step_id(s);
    ban->ip = arena_text(s->arena, ban_text(ip, room));
    ban->created_at = s->now_ms;
    ban_put(s, ban);
    failures_forget(&core_account(s->core)->failures, ban->ip);
    core_figures(s->core)->bans_made++;
    if (ip_class(ip) == IP_LOOPBACK) {
        log_line(LOG_WARNING,
                 "this machine itself is banned: is there a proxy that http.trusted_proxies lacks?",
                 LOG_TEXT("ip", ban->ip), LOG_END);
    }
}

enum err ban_may_try(struct step *s, struct text ip)
{
    struct ip_address address;
    struct ban ban;
    const struct config *config = s->config;
    struct failures *failures = &core_account(s->core)->failures;
    if (!config->limits_enabled || !ip_parse(ip, &address)) return OK;
    enum err e = ban_find(&s->read, &address, s->now_ms, &ban);
    if (e == OK) return ERR_BANNED;
    if (e != ERR_NOT_FOUND) return e;
    uint64_t count = failures_of_ip(failures, ip, config->limits_login_window * 1000, s->now_ms);
    return count > config->limits_login_failures ? ERR_TOO_MANY : OK;
}

enum err ban_note_failure(struct step *s, struct text ip, enum err usual)
{
    struct ip_address address;
    struct ban ban;
    const struct config *config = s->config;
    struct failures *failures = &core_account(s->core)->failures;
    core_figures(s->core)->sign_ins_failed++;
    if (!ip_parse(ip, &address)) return usual;
    if (!config->limits_enabled) { /* the captcha goes by the count as well */
        failures_add(failures, ip, config->limits_login_window * 1000, s->now_ms);
        return usual;
    }
    /* Several may have been under way when the ban was made. */
    bool is_stored = ban_stored(&s->read, &address, &ban) == OK;
    if (is_stored && is_in_effect(&ban, s->now_ms)) return ERR_BANNED;

    uint64_t count = failures_add(failures, ip, config->limits_login_window * 1000, s->now_ms);
    if (count <= config->limits_login_failures) {
        if (is_stored) ban_remove(s, ban.id);
        return usual;
    }
    if (config->limits_ban_time == 0 && count > config->limits_login_failures + 1)
        return ERR_TOO_MANY;
    log_line(LOG_WARNING, "too many failed sign-ins of one address", LOG_TEXT("ip", ip),
             LOG_NUMBER("failures", count), LOG_NUMBER("banned_s", config->limits_ban_time),
             LOG_END);
    if (config->limits_ban_time == 0) return ERR_TOO_MANY;
    ban_make(s, &address,
             &(struct ban){.reason = TEXT("Too many failed sign-ins"),
                           .failures = count,
                           .expires_at = s->now_ms + config->limits_ban_time * 1000});
    return ERR_BANNED;
}

void account_sweep(struct step *s)
{
    struct walk walk;
    uint64_t id;
    unsigned count = 0;
    walk_begin_ordered(&walk, &s->read, &ban_by_expiry, NULL);
    while (count < SWEEP_MAX && walk_next(&walk, &id) && walk.order <= s->now_ms) {
        ban_remove(s, id);
        count++;
    }
    walk_end(&walk);
    failed_sign_in_sweep(s);
}

/* ---- for administrators --------------------------------------------------------------------------- */

enum err ban_list(struct view *view, const struct call *call, struct reply *reply)
{
    return reply_listing(view, call, reply, &(struct listing){&ban_type, NULL, NULL, true});
}

enum err ban_show(struct view *view, const struct call *call, struct reply *reply)
{
    struct ban ban;
    enum err e = ban_get(&view->read, call->id, &ban);
    if (e != OK) return e;
    reply_one(reply, &ban_type, &ban);
    return OK;
}

enum err ban_create(struct step *s, const struct call *call, struct reply *reply)
{
    const struct ban *in = call->body;
    struct ban ban = {.reason = in->reason, .expires_at = in->expires_at};
    struct ip_address ip;
    struct ban other;
    bool is_address = ban_address(in->ip, &ip); /* see check_ban_ip() */
    assert(is_address);
    if (in->expires_at != 0 && in->expires_at <= s->now_ms) {
        return reply_error_field(reply, ERR_INVALID, TEXT("expires_at"),
                                 TEXT("must be in the future"), call->request_id);
    }
    enum err e = ban_find(&s->read, &ip, s->now_ms, &other);
    if (e == OK) {
        return reply_error_saying(reply, ERR_CONFLICT, TEXT("This address is banned already"),
                                  call->request_id);
    }
    if (e != ERR_NOT_FOUND) return e;

    ban_make(s, &ip, &ban);
    reply_one(reply, &ban_type, &ban);
    return OK;
}

/* The address starts with a clean slate. */
enum err ban_lift(struct step *s, const struct call *call, struct reply *reply)
{
    struct ban ban;
    enum err e = ban_get(&s->read, call->id, &ban);
    if (e != OK) return e;
    e = call_guard(call, &ban_type, &ban);
    if (e != OK) return e;

    failures_forget(&core_account(s->core)->failures, ban.ip);
    ban_remove(s, ban.id);
    reply_no_data(reply);
    return OK;
}
