#include "core/config_name.h"

#include <assert.h>

static const struct text keys[SETTING_COUNT] = {
#define CONFIG(member, key, kind, initial, least, most, unit, sentence) TEXT_INIT(key),
#include "config.def"
#undef CONFIG
};

char config_name_letter(char c)
{
    if (c == '.') return '_';
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static bool is_name_of(struct text key, struct text name, bool is_variable)
{
    if (key.bytes != name.bytes) return false;
    for (size_t i = 0; i < key.bytes; i++) {
        if ((is_variable ? config_name_letter(key.data[i]) : key.data[i]) != name.data[i]) return false;
    }
    return true;
}

enum setting config_name_find(struct text name, bool is_variable)
{
    unsigned i = 0;
    while (i < SETTING_COUNT && !is_name_of(keys[i], name, is_variable)) i++;
    return (enum setting)i;
}

/* Letters to be added, dropped or changed to come from one to the other; upper case and dots do not count. */
static unsigned distance(struct text key, struct text name)
{
    unsigned row[SETTING_KEY_BYTES_MAX + 1];
    assert(key.bytes <= SETTING_KEY_BYTES_MAX);
    for (unsigned i = 0; i <= key.bytes; i++) row[i] = i;
    for (size_t j = 0; j < name.bytes; j++) {
        unsigned corner = row[0];
        row[0]++;
        for (size_t i = 0; i < key.bytes; i++) {
            unsigned changed = corner + (config_name_letter(key.data[i]) != config_name_letter(name.data[j]));
            corner = row[i + 1];
            unsigned moved = 1 + (row[i] < corner ? row[i] : corner);
            row[i + 1] = changed < moved ? changed : moved;
        }
    }
    return row[key.bytes];
}

enum setting config_name_nearest(struct text name)
{
    unsigned nearest = SETTING_COUNT, least = 4; /* more than three slips are another word */
    for (unsigned i = 0; i < SETTING_COUNT && name.bytes <= SETTING_KEY_BYTES_MAX; i++) {
        unsigned slips = distance(keys[i], name);
        if (slips >= least || slips * 3 > name.bytes) continue;
        least = slips;
        nearest = i;
    }
    return (enum setting)nearest;
}

bool config_name_is_path(struct text name, bool is_variable)
{
    if (name.bytes <= 5) return false;
    struct text end = {name.data + name.bytes - 5, 5};
    return text_equal(end, TEXT("_FILE")) || (!is_variable && text_equal(end, TEXT("_file")));
}

bool config_name_may_be_secret(struct text name)
{
    return text_ends_fold(name, TEXT("token")) || text_ends_fold(name, TEXT("secret")) ||
           text_ends_fold(name, TEXT("password")) || text_ends_fold(name, TEXT("key"));
}
