/* core/text.c: cutting, trimming, numbers and UTF-8. */
#include "unit.h"

/* Blanks go from both ends only, down to nothing. */
static void test_trim(void)
{
    CHECK_TEXT(text_trim(TEXT(" \t\r\n a b \n")), "a b");
    CHECK_TEXT(text_trim(TEXT("a")), "a");
    CHECK_TEXT(text_trim(TEXT(" \r\n\t ")), "");
    CHECK_TEXT(text_trim(TEXT("")), "");
    CHECK_TEXT(text_trim(TEXT_NONE), "");
    CHECK_TEXT(text_trim(TEXT("\v\f")), "\v\f");
}

/* Every part comes once, empty ones too, and the loop of the contract ends. */
static void test_cut(void)
{
    struct text rest = TEXT("a,,bc,");
    CHECK_TEXT(text_cut(&rest, ','), "a");
    CHECK_TEXT(text_cut(&rest, ','), "");
    CHECK_TEXT(text_cut(&rest, ','), "bc");
    CHECK(rest.data != NULL);
    CHECK_TEXT(text_cut(&rest, ','), "");
    CHECK(rest.data == NULL && rest.bytes == 0);
    CHECK_TEXT(text_cut(&rest, ','), "");
    CHECK(rest.data == NULL);

    rest = TEXT("whole");
    CHECK_TEXT(text_cut(&rest, ','), "whole");
    CHECK(rest.data == NULL);

    rest = TEXT("");
    CHECK_TEXT(text_cut(&rest, ','), "");
    CHECK(rest.data == NULL);
}

/* Digits only and at most max, with no wrap-around at the edges of 64 bits. */
static void test_number(void)
{
    uint64_t value = 7;
    CHECK(text_to_u64(TEXT("0"), 0, &value) && value == 0);
    CHECK(text_to_u64(TEXT("00255"), 255, &value) && value == 255);
    CHECK(text_to_u64(TEXT("18446744073709551615"), UINT64_MAX, &value) && value == UINT64_MAX);
    CHECK(text_to_u64(TEXT("5"), 5, &value) && value == 5);

    value = 7;
    CHECK(!text_to_u64(TEXT("18446744073709551616"), UINT64_MAX, &value));
    CHECK(!text_to_u64(TEXT("99999999999999999999999999"), UINT64_MAX, &value));
    CHECK(!text_to_u64(TEXT("256"), 255, &value));
    CHECK(!text_to_u64(TEXT("6"), 5, &value));
    CHECK(!text_to_u64(TEXT("1"), 0, &value));
    CHECK(!text_to_u64(TEXT(""), 9, &value));
    CHECK(!text_to_u64(TEXT_NONE, 9, &value));
    CHECK(!text_to_u64(TEXT("-1"), 9, &value));
    CHECK(!text_to_u64(TEXT("+1"), 9, &value));
    CHECK(!text_to_u64(TEXT(" 1"), 9, &value));
    CHECK(!text_to_u64(TEXT("1 "), 9, &value));
    CHECK(!text_to_u64(TEXT("0x1"), 9, &value));
    CHECK(!text_to_u64(TEXT("1\0"), 9, &value));
    CHECK(value == 7);
}

/* A copy fits with its closing zero byte or is not made. */
static void test_zero_ended(void)
{
    char out[4] = "xyz";
    CHECK(text_to_zero_ended(TEXT("abc"), out, sizeof out) && strcmp(out, "abc") == 0);
    CHECK(!text_to_zero_ended(TEXT("abcd"), out, sizeof out) && out[0] == '\0');
    CHECK(text_to_zero_ended(TEXT_NONE, out, sizeof out) && out[0] == '\0');
    CHECK(!text_to_zero_ended(TEXT(""), out, 0));
}

static void test_utf8(void)
{
    CHECK(text_is_clean_utf8(TEXT("")));
    CHECK(text_is_clean_utf8(TEXT_NONE));
    CHECK(text_is_clean_utf8(TEXT("tab\tline\nend ~")));
    CHECK(text_is_clean_utf8(TEXT("\xc2\xa0\xc3\xa9\xdf\xbf")));
    CHECK(text_is_clean_utf8(TEXT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf")));
    CHECK(text_is_clean_utf8(TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));

    CHECK(!text_is_clean_utf8((struct text){"a\0b", 3}));
    CHECK(!text_is_clean_utf8(TEXT("\r")));
    CHECK(!text_is_clean_utf8(TEXT("\x1b[0m")));
    CHECK(!text_is_clean_utf8(TEXT("\x7f")));
    CHECK(!text_is_clean_utf8(TEXT("\xc2\x80"))); /* C1 */
    CHECK(!text_is_clean_utf8(TEXT("\xc2\x9f")));
    CHECK(!text_is_clean_utf8(TEXT("\x80")));     /* a lone tail */
    CHECK(!text_is_clean_utf8(TEXT("\xc0\xaf"))); /* overlong */
    CHECK(!text_is_clean_utf8(TEXT("\xc1\xbf")));
    CHECK(!text_is_clean_utf8(TEXT("\xe0\x9f\xbf")));
    CHECK(!text_is_clean_utf8(TEXT("\xf0\x8f\xbf\xbf")));
    CHECK(!text_is_clean_utf8(TEXT("\xed\xa0\x80"))); /* surrogate */
    CHECK(!text_is_clean_utf8(TEXT("\xed\xbf\xbf")));
    CHECK(!text_is_clean_utf8(TEXT("\xf4\x90\x80\x80"))); /* beyond U+10FFFF */
    CHECK(!text_is_clean_utf8(TEXT("\xf5\x80\x80\x80")));
    CHECK(!text_is_clean_utf8(TEXT("\xff")));
    CHECK(!text_is_clean_utf8(TEXT("\xc3"))); /* cut short */
    CHECK(!text_is_clean_utf8(TEXT("\xe2\x82")));
    CHECK(!text_is_clean_utf8(TEXT("\xf0\x9f\x98")));
    CHECK(!text_is_clean_utf8(TEXT("\xe2\x82"
                                   "a")));
}

static void test_compare(void)
{
    CHECK(text_equal(TEXT_NONE, TEXT("")));
    CHECK(!text_equal(TEXT("a"), TEXT("A")));
    CHECK(text_equal_fold(TEXT("Az-9"), TEXT("aZ-9")));
    CHECK(!text_equal_fold(TEXT("[\x5d"), TEXT("{}")));
    CHECK(text_starts(TEXT("abc"), TEXT("ab")) && !text_starts(TEXT("a"), TEXT("ab")));
    CHECK(text_ends_fold(TEXT("a.TEST"), TEXT(".test")) &&
          !text_ends_fold(TEXT("test"), TEXT(".test")));
}

/* Texts of any length at any address are equal when all their bytes are, and only then. */
static void test_equal(void)
{
    char left[64], right[64];
    for (size_t bytes = 0; bytes <= 40; bytes++) {
        for (size_t i = 0; i < sizeof left; i++) left[i] = right[i] = (char)(i * 37);
        memmove(right + 3, left, bytes);
        struct text a = {left, bytes}, b = {right + 3, bytes};
        CHECK(text_equal(a, b) && mix_text(5, a) == mix_text(5, b));
        CHECK(!text_equal(a, (struct text){b.data, bytes + 1}));
        for (size_t i = 0; i < bytes; i++) {
            right[3 + i] ^= (char)0x80;
            CHECK(!text_equal(a, b) && mix_text(5, a) != mix_text(5, b));
            right[3 + i] ^= (char)0x80;
        }
    }
    CHECK(mix_text(0, TEXT("a")) != mix_text(0, TEXT("a\0")));
    CHECK(big_endian_u64("\1\2\3\4\5\6\7\xff") == 0x01020304050607ffu);
    CHECK(little_endian_u64("\1\2\3\4\5\6\7\xff") == 0xff07060504030201u);
}

/* A text is cut between characters, and never comes out longer than asked for. */
static void test_utf8_front(void)
{
    struct text t = TEXT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"); /* of 1, 2, 3 and 4 bytes */
    static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        CHECK(utf8_front(t, i).bytes == ends[i]);
    }
    CHECK(utf8_count(t) == 4 && utf8_count(TEXT_NONE) == 0 && utf8_front(TEXT_NONE, 3).bytes == 0);
    CHECK(utf8_front(TEXT("\x80\x80\x80"), 2).bytes == 0);
    for (size_t bytes = 1; t.bytes > 0; bytes++) {
        CHECK(utf8_sequence_bytes(t) == bytes);
        CHECK(utf8_sequence_bytes((struct text){t.data, bytes - 1}) == 0);
        t = (struct text){t.data + bytes, t.bytes - bytes};
    }
    CHECK(utf8_sequence_bytes(TEXT_NONE) == 0);
}

int main(void)
{
    test_trim();
    test_cut();
    test_number();
    test_zero_ended();
    test_utf8();
    test_utf8_front();
    test_compare();
    test_equal();
    return unit_end();
}
