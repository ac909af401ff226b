#include "account/account.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "account/captcha.h"
#include "account/token_keys.h"
#include "core/actor.h"

struct account *account_new(void)
{
    return calloc(1, sizeof(struct account));
}

static void setup_token_forget(struct account *self)
{
    sodium_memzero(self->setup_token, sizeof self->setup_token);
    self->setup_token_bytes = 0;
}

void account_free(struct account *self)
{
    setup_token_forget(self);
    free(self);
}

/* Sign-ins that were being hashed when the program stopped are gone with their connections. */
enum err account_start(struct account *self, struct step *s)
{
    uint8_t key[16];
    if (!self->has_failures_key) {
        step_random(s, key, sizeof key);
        failures_init(&self->failures, key);
        failures_init(&self->devices_made, key);
        failures_init(&self->names_taken, key);
        self->has_failures_key = true;
    }
    if (account_has_admin(&s->read)) setup_token_forget(self);
    captcha_sweep(s);
    return token_keys_start(s);
}

bool account_has_admin(const struct reader *reader)
{
    struct walk walk;
    uint64_t id;
    walk_begin(&walk, reader, &user_by_role, &(struct user){.role = role_super_admin}, 0, false);
    bool has_one = walk_next(&walk, &id);
    walk_end(&walk);
    return has_one;
}

void account_set_setup_token(struct account *self, struct text token, uint64_t expires_ms)
{
    assert(token.bytes > 0 && token.bytes <= sizeof self->setup_token);
    setup_token_forget(self);
    memcpy(self->setup_token, token.data, token.bytes);
    self->setup_token_bytes = token.bytes;
    self->setup_expires_ms = expires_ms;
    self->setup_wrong_count = 0;
}

bool account_try_setup_token(struct account *self, struct text token, uint64_t now_ms)
{
    struct text expected = {self->setup_token, self->setup_token_bytes};
    if (expected.bytes == 0) return false;
    if (now_ms >= self->setup_expires_ms) {
        setup_token_forget(self);
        return false;
    }
    if (secret_equal(token, expected)) return true;
    self->setup_wrong_count++;
    if (self->setup_wrong_count >= SETUP_WRONG_MAX) setup_token_forget(self);
    return false;
}

enum err account_on_key_used(struct account *self, struct step *s, const struct key_use *use)
{
    struct api_key key;
    (void)self;
    enum err e = api_key_get(&s->read, use->key_id, &key);
    if (e == ERR_NOT_FOUND) return OK;
    if (e != OK) return e;
    if (key.is_revoked || key.last_used_at >= s->now_ms) return OK;
    key.last_used_at = s->now_ms;
    api_key_put(s, &key);
    return OK;
}

static bool is_someone_else(const struct reader *reader, const struct record_index *index,
                            const struct user *like, uint64_t self_id)
{
    struct user found;
    return record_find(reader, index, like, &found) == OK && found.id != self_id;
}

struct text account_taken(const struct reader *reader, const struct user *like, uint64_t self_id)
{
    if (is_someone_else(reader, &user_by_username, like, self_id))
        return TEXT("That user name is taken");
    if (is_someone_else(reader, &user_by_email, like, self_id))
        return TEXT("Another account has that mail address");
    if (is_someone_else(reader, &user_by_phone, like, self_id))
        return TEXT("Another account has that phone number");
    return TEXT_NONE;
}

bool account_is_taken(const struct reader *reader, const struct user *like, uint64_t self_id)
{
    return account_taken(reader, like, self_id).bytes > 0;
}

enum err account_refuse_key(struct reply *reply, const struct call *call)
{
    return reply_error_saying(reply, ERR_FORBIDDEN,
                              TEXT("An API key cannot do this: sign in for it"), call->request_id);
}

void account_take_given(const struct record_type *from_type, uint64_t given, const void *from,
                        const struct record_type *to_type, void *to)
{
    const struct field *fields = from_type->fields();
    for (unsigned i = 0; i < from_type->field_count; i++) {
        if ((given & FIELD_BIT(i)) == 0) continue;
        const struct field *field = record_field(to_type, fields[i].name);
        assert(field != NULL && field->kind == fields[i].kind);
        if (field->kind >= KIND_text) {
            field_set_text(field, to, field_text(&fields[i], from));
        } else {
            field_set_number(field, to, field_number(&fields[i], from));
        }
    }
}

struct text account_text_cut(struct text t, size_t most)
{
    return utf8_front(t, most);
}
