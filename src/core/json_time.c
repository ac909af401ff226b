/* Times as JSON and people write them: RFC 3339, UTC, milliseconds. */
#include "core/json.h"

#define SECONDS_END 253402300800 /* 10000-01-01T00:00:00Z */

/* Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant's civil-from-days arithmetic). */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void digits_put(char *out, unsigned width, uint64_t value)
{
    while (width-- > 0) {
        out[width] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* The date's ten characters and the T. Most records of an answer were written on the same few days: each
 * thread remembers the last one it was asked for. */
static void date_to_text(uint64_t days, char out[11])
{
    static _Thread_local uint64_t known_days = UINT64_MAX;
    static _Thread_local char known[11];
    if (days != known_days) {
        int64_t year;
        unsigned month, day;
        date_of((int64_t)days, &year, &month, &day);
        memcpy(known, "0000-00-00T", 11);
        digits_put(known, 4, (uint64_t)year);
        digits_put(known + 5, 2, month);
        digits_put(known + 8, 2, day);
        known_days = days;
    }
    memcpy(out, known, 11);
}

void time_to_text(uint64_t ms, char out[TIME_TEXT_BYTES])
{
    if (ms >= SECONDS_END * 1000u) ms = SECONDS_END * 1000u - 1; /* only from a damaged record */
    uint32_t of_day = (uint32_t)(ms % 86400000);
    date_to_text(ms / 86400000, out);
    memcpy(out + 11, "00:00:00.000Z", TIME_TEXT_BYTES - 11);
    digits_put(out + 11, 2, of_day / 3600000);
    digits_put(out + 14, 2, of_day / 60000 % 60);
    digits_put(out + 17, 2, of_day / 1000 % 60);
    digits_put(out + 20, 3, of_day % 1000);
}

/* Takes `width` digits and then `end` (0: nothing). */
static bool digits_take(struct text *t, unsigned width, char end, uint64_t *value)
{
    if (t->bytes < width || !text_to_u64((struct text){t->data, width}, 9999, value)) return false;
    t->data += width;
    t->bytes -= width;
    if (end == 0) return true;
    if (t->bytes == 0 || t->data[0] != end) return false;
    t->data++;
    t->bytes--;
    return true;
}

static bool zone_take(struct text t, int64_t *minutes)
{
    uint64_t hour, minute;
    *minutes = 0;
    if (t.bytes == 1 && (t.data[0] == 'Z' || t.data[0] == 'z')) return true;
    if (t.bytes != 6 || (t.data[0] != '+' && t.data[0] != '-')) return false;
    int64_t sign = t.data[0] == '-' ? -1 : 1;
    t = (struct text){t.data + 1, 5};
    if (!digits_take(&t, 2, ':', &hour) || !digits_take(&t, 2, 0, &minute)) return false;
    if (hour > 23 || minute > 59) return false;
    *minutes = sign * (int64_t)(hour * 60 + minute);
    return true;
}

static bool fraction_take(struct text *t, uint64_t *ms)
{
    unsigned digits = 0;
    *ms = 0;
    if (t->bytes == 0 || t->data[0] != '.') return true;
    for (t->data++, t->bytes--; t->bytes > 0 && t->data[0] >= '0' && t->data[0] <= '9';
         t->data++, t->bytes--) {
        if (digits++ < 3) *ms = *ms * 10 + (uint64_t)(t->data[0] - '0');
    }
    for (unsigned i = digits; i < 3; i++) *ms *= 10;
    return digits > 0 && digits <= 9;
}

bool time_from_text(struct text t, uint64_t *ms)
{
    static const uint8_t days_in[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t year, month, day, hour = 0, minute = 0, second = 0, part = 0;
    int64_t zone = 0;
    if (!digits_take(&t, 4, '-', &year) || !digits_take(&t, 2, '-', &month) ||
        !digits_take(&t, 2, 0, &day))
        return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in[month - 1]) return false;
    if (month == 2 && day == 29 && !is_leap) return false;
    if (t.bytes > 0) {
        if (t.data[0] != 'T' && t.data[0] != 't' && t.data[0] != ' ') return false;
        t = (struct text){t.data + 1, t.bytes - 1};
        if (!digits_take(&t, 2, ':', &hour) || !digits_take(&t, 2, ':', &minute) ||
            !digits_take(&t, 2, 0, &second))
            return false;
        if (hour > 23 || minute > 59 || second > 60 || !fraction_take(&t, &part) ||
            !zone_take(t, &zone))
            return false;
    }
    int64_t seconds = days_of((int64_t)year, (unsigned)month, (unsigned)day) * 86400 +
                      (int64_t)(hour * 3600 + minute * 60 + second) - zone * 60;
    /* Zero is "no time"; a zone or a leap second may lead out of the last year that has four digits. */
    if (seconds <= 0 || seconds >= SECONDS_END) return false;
    *ms = (uint64_t)seconds * 1000 + part;
    return true;
}
