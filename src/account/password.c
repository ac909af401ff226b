#include "account/password.h"

#include "account/common_passwords.h"

#define ROW(word) TEXT_INIT(word),
static const struct text common[] = {COMMON_PASSWORDS(ROW)};
#undef ROW
enum { COMMON_COUNT = sizeof common / sizeof *common };

bool password_check(struct text password, struct text username, struct text *reason)
{
    if (utf8_count(password) < PASSWORD_CHARACTERS_MIN) {
        *reason = TEXT("must have at least 8 characters");
        return false;
    }
    if (text_equal_fold(password, username)) {
        *reason = TEXT("must differ from the user name");
        return false;
    }
    for (unsigned i = 0; i < COMMON_COUNT; i++) {
        if (!text_equal_fold(password, common[i])) continue;
        *reason = TEXT("is one of the most common passwords");
        return false;
    }
    return true;
}

struct text password_dummy(const struct config *config, struct arena *arena)
{
    /* The salt and the hash are of the right length and of nothing else: verifying is computing the hash
     * of the password given, which comes out as this one as rarely as any. */
    return arena_print(arena,
                       "$argon2id$v=19$m=%llu,t=%llu,p=1$aG9tZXBvcnQgbm9ib2R5IQ"
                       "$bm9ib2R5J3MgcGFzc3dvcmQgaGFzaGVzIHRvIHRoaXM",
                       (unsigned long long)config->auth_argon2_memory_kib,
                       (unsigned long long)config->auth_argon2_passes);
}
