#include "account/failed_sign_in.h"

#include "account/bans.h"

enum { HOUR_MS = 3600000, KEPT_MAX = 1000, SWEEP_MAX = 500 };

void failed_sign_in_note(struct step *s, struct text ip, uint64_t user_id)
{
    struct ip_address address;
    char text[BAN_TEXT_SIZE];
    struct failed_sign_in row;
    if (!ip_parse(ip, &address)) return;
    struct failed_sign_in like = {.ip = ban_text(&address, text), .user_id = user_id};
    if (record_find(&s->read, &failed_sign_in_by_ip, &like, &row) == OK) {
        bool is_told = s->now_ms >= row.created_at && s->now_ms - row.created_at < HOUR_MS;
        if (is_told) return;
        row.created_at = s->now_ms;
        failed_sign_in_put(s, &row);
        return;
    }
    if (record_count_all(&s->read, &failed_sign_in_type) >= KEPT_MAX) return;
    like.id = step_id(s);
    like.ip = arena_text(s->arena, like.ip);
    like.created_at = s->now_ms;
    failed_sign_in_put(s, &like);
}

void failed_sign_in_sweep(struct step *s)
{
    struct walk walk;
    uint64_t id;
    unsigned count = 0;
    walk_begin_ordered(&walk, &s->read, &failed_sign_in_by_created, NULL);
    while (count < SWEEP_MAX && walk_next(&walk, &id) && walk.order + HOUR_MS <= s->now_ms) {
        failed_sign_in_remove(s, id);
        count++;
    }
    walk_end(&walk);
}
