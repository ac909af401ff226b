#include "edge/fetch_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_SECONDS_MAX = 30 * 86400 }; /* nobody is asked to wait longer than a month */

static int digits(const char *text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Days from 1970-01-01 in the Gregorian calendar, for years from 1970 on. */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400, year_of_era = y - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - 719468;
}

uint64_t fetch_date_read(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char shape[] = "AAA, 00 AAA 0000 00:00:00 GMT"; /* A and 0: looked at below */
    if (strlen(text) != sizeof shape - 1) return 0;
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        bool is_fixed = shape[i] != '0' && (shape[i] != 'A');
        if (is_fixed && text[i] != shape[i]) return 0;
    }
    char month_name[4] = {text[8], text[9], text[10], '\0'};
    const char *found = strstr(months, month_name);
    if (found == NULL || (found - months) % 3 != 0) return 0;
    int month = (int)(found - months) / 3 + 1;
    int day = digits(text + 5, 2), year = digits(text + 12, 4);
    int hour = digits(text + 17, 2), minute = digits(text + 20, 2), second = digits(text + 23, 2);
    if (day < 1 || day > 31 || year < 1970 || hour < 0 || hour > 23) return 0;
    if (minute < 0 || minute > 59 || second < 0 || second > 60) return 0;
    return (uint64_t)(days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) *
           1000;
}

/* Value of a field of the final answer, the last if there are several; NULL without one. */
static const char *field_of(const struct fetch_call *call, const char *name)
{
    struct curl_header *header = NULL;
    size_t last = 0;
    if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return NULL;
    last = header->amount - 1;
    if (last > 0 &&
        curl_easy_header(call->easy, name, last, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return NULL;
    }
    return header->value;
}

static uint64_t now_ms(void)
{
    uv_timespec64_t now;
    if (uv_clock_gettime(UV_CLOCK_REALTIME, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Retry-After is a number of seconds or a date; the date is held against the server's own clock. */
static int64_t retry_after_read(const char *text, uint64_t date_ms)
{
    const uint64_t ms_max = (uint64_t)RETRY_SECONDS_MAX * 1000;
    uint64_t seconds = 0;
    if (text_to_u64(text_of(text), UINT64_MAX / 1000, &seconds)) {
        return (int64_t)(seconds * 1000 < ms_max ? seconds * 1000 : ms_max);
    }
    uint64_t at_ms = fetch_date_read(text);
    if (at_ms == 0) return -1;
    uint64_t from_ms = date_ms != 0 ? date_ms : now_ms();
    if (at_ms <= from_ms) return 0;
    return (int64_t)(at_ms - from_ms < ms_max ? at_ms - from_ms : ms_max);
}

void fetch_answer_read(struct fetch_call *call, struct http_result *result)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    result->status = (unsigned)status;
    result->body = (struct text){call->body, call->body_bytes};

    const char *date = field_of(call, "Date");
    if (date != NULL) result->date_ms = fetch_date_read(date);
    const char *after = field_of(call, "Retry-After");
    if (after != NULL) result->retry_after_ms = retry_after_read(after, result->date_ms);
    /* Alibaba Cloud's own, in milliseconds; the more exact one wins. */
    uint64_t own_ms = 0;
    const char *own = field_of(call, "x-acs-retry-after");
    if (own == NULL || !text_to_u64(text_of(own), (uint64_t)RETRY_SECONDS_MAX * 1000, &own_ms)) {
        return;
    }
    if (own_ms > 0) result->retry_after_ms = (int64_t)own_ms;
}
