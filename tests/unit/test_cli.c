/* SPDX-License-Identifier: MIT
 *
 * Command lines: units, option tables, guesses at misspelt words, meters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/units.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},           {"1400", 1400},     {"64k", 64000},      {"64K", 64000},
                {"1.5MB", 1500000}, {"1GiB", 1u << 30}, {"2Gi", 1ull << 31}, {"3T", 3000000000000},
                {"0.5Ki", 512}};
    static const char *const bad[] = {"", "k", "-1", "1 MB", "1e3", "0x10", "1x", "inf", "1.2.3k"};
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t bytes = 1;
        assert_true(parse_size(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t bytes = 77;
        assert_false(parse_size(bad[i], &bytes));
        assert_int_equal(bytes, 77);
    }
}

static void times(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {{"10", 10000000}, {"0.5", 500000},   {"250ms", 250000}, {"80us", 80},
                {"5s", 5000000},  {"2m", 120000000}, {"1h", 3600000000}};
    uint64_t us;
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(parse_seconds(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    assert_false(parse_seconds("5d", &us));
    assert_false(parse_seconds("", &us));
    assert_false(parse_seconds("99999999999h", &us));
}

static void counts(void **state)
{
    uint64_t n = 5;
    (void)state;

    assert_true(parse_count("0", &n));
    assert_int_equal(n, 0);
    assert_true(parse_count("65535", &n));
    assert_int_equal(n, 65535);
    assert_false(parse_count("", &n));
    assert_false(parse_count("+1", &n));
    assert_false(parse_count("1.0", &n));
    assert_false(parse_count("99999999999999999999", &n));
    assert_int_equal(n, 65535);
}

static void formats(void **state)
{
    char buf[UNIT_TEXT_MAX];
    (void)state;

    assert_string_equal(format_size(0, buf), "0 B");
    assert_string_equal(format_size(999, buf), "999 B");
    assert_string_equal(format_size(1000, buf), "1.00 kB");
    assert_string_equal(format_size(61400000, buf), "61.4 MB");
    assert_string_equal(format_size(999700, buf), "1.00 MB");
    assert_string_equal(format_rate(94.06e6, buf), "94.1 Mbit/s");
    assert_string_equal(format_rate(1.2345e9, buf), "1.23 Gbit/s");
    assert_string_equal(format_time(35000, buf), "35 ms");
    assert_string_equal(format_time(35400, buf), "35.4 ms");
    assert_string_equal(format_time(15000000, buf), "15 s");
    assert_string_equal(format_time(80, buf), "80 us");
    assert_string_equal(format_time(12400000, buf), "12.4 s");
}

static void nearest(void **state)
{
    static const char *const names[] = {"connect", "listen", "perf", "sim"};
    (void)state;

    assert_string_equal(cli_nearest("conect", names, 4), "connect");
    assert_string_equal(cli_nearest("lsiten", names, 4), "listen");
    assert_string_equal(cli_nearest("pref", names, 4), "perf");
    assert_null(cli_nearest("frobnicate", names, 4));
    assert_null(cli_nearest("x", names, 4));
}

/* ---- options -------------------------------------------------------------- */

struct values {
    bool flag;
    const char *text;
    struct option_list list;
    unsigned count;
    uint16_t port;
    uint64_t size, time;
    const char *three[3];
};

static bool set_three(void *at, char *const *given, char *why)
{
    const char **three = at;
    (void)why;

    memcpy(three, given, 3 * sizeof *three);
    return true;
}

#define AT(field) offsetof(struct values, field)
static const struct option_row rows[] = {
    {'f', "flag", NULL, OPTION_FLAG, AT(flag), "", NULL, 0},
    {'t', "text", "T", OPTION_TEXT, AT(text), "", NULL, 0},
    {0, "list", "L", OPTION_LIST, AT(list), "", NULL, 0},
    {'P', "count", "N", OPTION_COUNT, AT(count), "", NULL, 0},
    {'p', "port", "N", OPTION_PORT, AT(port), "", NULL, 0},
    {0, "size", "N", OPTION_SIZE, AT(size), "", NULL, 0},
    {0, "time", "N", OPTION_DURATION, AT(time), "", NULL, 0},
    {0, "three", "A B C", OPTION_CUSTOM, AT(three), "", set_three, 2},
    {0},
};

static int parse(struct values *v, int *operand, int argc, const char *const *argv)
{
    char *copy[16];
    const struct usage usage = {.synopsis = "test",
                                .about = "",
                                .groups = {{"Options", rows, v}},
                                .operands_max = 2};

    *v = (struct values){0};
    for (int i = 0; i < argc; i++)
        copy[i] = (char *)argv[i];
    copy[argc] = NULL;
    return options_parse(&usage, argc, copy, operand);
}
#define PARSE(...)                                                                                 \
    parse(&v, &operand, (int)COUNT(((const char *[]){"test", __VA_ARGS__})),                       \
          (const char *[]){"test", __VA_ARGS__})

static void options_of_every_kind(void **state)
{
    struct values v;
    int operand;
    (void)state;

    assert_int_equal(PARSE("-f", "--text=x", "--list", "a", "--list=b", "-P3", "-p", "65535",
                           "--size", "1k", "--time", "5ms", "rest"),
                     OPTION_GO);
    assert_true(v.flag);
    assert_string_equal(v.text, "x");
    assert_int_equal(v.list.count, 2);
    assert_string_equal(v.list.items[1], "b");
    assert_int_equal(v.count, 3);
    assert_int_equal(v.port, 65535);
    assert_int_equal(v.size, 1000);
    assert_int_equal(v.time, 5000);
    assert_int_equal(operand, 13);
}

static void options_with_three_values(void **state)
{
    struct values v;
    int operand;
    (void)state;

    assert_int_equal(PARSE("--three", "a", "b", "c", "--flag", "rest"), OPTION_GO);
    assert_string_equal(v.three[0], "a");
    assert_string_equal(v.three[2], "c");
    assert_true(v.flag);
    assert_int_equal(operand, 6);
    assert_int_equal(PARSE("--three", "a", "b"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("--three=a", "b", "c"), HOST_FAIL_USAGE);
}

static void options_that_are_wrong(void **state)
{
    struct values v;
    int operand;
    (void)state;

    assert_int_equal(PARSE("--flga"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("-x"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("--text"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("--port", "0"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("--port", "65536"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("--size", "5q"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("--time", "soon"), HOST_FAIL_USAGE);
    assert_int_equal(PARSE("one", "two", "three"), HOST_FAIL_USAGE);
}

/* ---- meters --------------------------------------------------------------- */

static void meter(void **state)
{
    struct meter m = {0};
    (void)state;

    meter_add(&m, 1000, 5000000);
    meter_add(&m, 1000, 5010000);
    meter_add(&m, 1000, 5350000);
    meter_add(&m, 1000, 6000000 - 640000);
    assert_int_equal(m.bytes, 4000);
    assert_int_equal(m.pause_us, 340000);
    assert_int_equal((int)(meter_rate(&m, 0) + 0.5), 88889);
    assert_int_equal((int)meter_rate(&(struct meter){0}, 0), 0);
}

static void progress_to_a_file_is_plain(void **state)
{
    struct progress p;
    struct progress_path paths[2] = {{"one", 0, NULL}, {"two", 0, "down"}};
    struct progress_state s = {.goal_bytes = 2000000, .paths = paths, .count = 2};
    char text[512] = {0};
    FILE *out = fmemopen(text, sizeof text, "w");
    (void)state;

    progress_init(&p, out, PROGRESS_AUTO, 0);
    assert_true(progress_next(&p) == UINT64_MAX); /* not asked for */
    progress_init(&p, out, PROGRESS_ON, 0);
    assert_true(progress_next(&p) == 1000000);
    s.bytes = 1000000;
    paths[0].bytes = 750000;
    progress_update(&p, 1000000, &s);
    progress_clear(&p);
    fclose(out);
    assert_string_equal(text, "   1.0 s  1.00 MB (50 %)  8.00 Mbit/s   one 6.00 Mbit/s"
                              "   two 0 bit/s down\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(times),
        cmocka_unit_test(counts),
        cmocka_unit_test(formats),
        cmocka_unit_test(nearest),
        cmocka_unit_test(options_of_every_kind),
        cmocka_unit_test(options_with_three_values),
        cmocka_unit_test(options_that_are_wrong),
        cmocka_unit_test(meter),
        cmocka_unit_test(progress_to_a_file_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
