/* SPDX-License-Identifier: MIT
 *
 * Addresses as text and by class, checked against RFC 5952 and, where it has
 * an opinion, the C library; names of events and reasons.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/prng.h"
#include "plait/events.h"

static struct plait_addr parsed(const char *text)
{
    struct plait_addr a;
    if (!addr_parse(text, &a))
        fail_msg("does not parse: %s", text);
    return a;
}

static void check_text(const char *in, const char *expect)
{
    struct plait_addr a = parsed(in);
    char buf[ADDR_TEXT_MAX];
    assert_string_equal(addr_format(&a, buf), expect);
}

static void test_text_is_rfc5952(void **state)
{
    (void)state;
    check_text("192.0.2.1", "192.0.2.1");
    check_text("255.255.255.255", "255.255.255.255");
    check_text("0.0.0.0", "0.0.0.0");
    check_text("::", "::");
    check_text("::1", "::1");
    check_text("1::", "1::");
    check_text("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
    check_text("2001:0db8::0001", "2001:db8::1");
    check_text("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* one zero group stays */
    check_text("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");          /* the longest run */
    check_text("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");    /* the first of two */
    check_text("0:0:0:0:0:ffff:c000:0201", "::ffff:192.0.2.1");
    check_text("::ffff:192.0.2.1", "::ffff:192.0.2.1");
    check_text("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
    check_text("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
    check_text("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    check_text("0:0:0:0:0:0:0:8", "::8");
    struct plait_addr none = {0};
    char buf[ADDR_TEXT_MAX];
    assert_string_equal(addr_format(&none, buf), "*");
}

static void test_parsing_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.256",
        "01.2.3.4",
        "1..2.3",
        "1.2.3.-4",
        "0x1.2.3.4",
        "1.2.3.4.5",
        "99999999999.1.1.1",
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "12345::",
        "g::",
        "::1%eth0",
        "[::1]",
        "1:",
        ":1",
        "1:2:3:4:5:6:7:",
        "::1.2.3",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4::",
        "::ffff:1.2.3.04",
        "fe80::1/64",
        "::1 ",
    };
    struct plait_addr a;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (addr_parse(bad[i], &a))
            fail_msg("parses: \"%s\"", bad[i]);
    assert_true(addr_parse("1:2:3:4:5:6:1.2.3.4", &a));
}

static void test_text_agrees_with_the_library(void **state)
{
    (void)state;
    static const uint16_t groups[] = {0, 0, 0, 1, 0xffff, 0xdb8};
    struct prng rng;
    prng_seed(&rng, 5952);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t b[16];
        for (unsigned j = 0; j < 16; j += 2) {
            uint16_t g = groups[prng_below(&rng, 6)];
            b[j] = (uint8_t)(g >> 8);
            b[j + 1] = (uint8_t)g;
        }
        b[0] |= 0x20; /* keep off the embedded IPv4 forms, where glibc differs */
        struct plait_addr a = addr_v6(b), back;
        char ours[ADDR_TEXT_MAX], theirs[INET6_ADDRSTRLEN];
        assert_string_equal(addr_format(&a, ours), inet_ntop(AF_INET6, b, theirs, sizeof theirs));
        assert_true(addr_parse(ours, &back));
        assert_true(addr_equal(&a, &back));
    }
}

static void test_parsing_agrees_with_the_library(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789af::::...";
    struct prng rng;
    prng_seed(&rng, 4291);
    unsigned good = 0;
    for (unsigned i = 0; i < 300000; i++) {
        char text[20];
        size_t n = 1 + prng_below(&rng, 12);
        for (size_t j = 0; j < n; j++)
            text[j] = alphabet[prng_below(&rng, sizeof alphabet - 1)];
        text[n] = '\0';
        struct plait_addr a;
        uint8_t b[16];
        bool ours = addr_parse(text, &a), v4 = inet_pton(AF_INET, text, b) == 1;
        bool theirs = v4 || inet_pton(AF_INET6, text, b) == 1;
        if (ours != theirs)
            fail_msg("\"%s\": we say %d", text, ours);
        if (ours)
            assert_memory_equal(a.bytes, b, v4 ? 4 : 16);
        good += ours;
    }
    assert_true(good > 100);
}

static void test_endpoints(void **state)
{
    (void)state;
    char buf[ENDPOINT_TEXT_MAX];
    struct plait_endpoint e = {parsed("192.0.2.1"), 80}, f = e;
    assert_string_equal(endpoint_format(&e, buf), "192.0.2.1:80");
    f.port = 81;
    assert_true(endpoint_equal(&e, &e));
    assert_false(endpoint_equal(&e, &f));
    e.addr = parsed("2001:db8::1");
    assert_string_equal(endpoint_format(&e, buf), "[2001:db8::1]:80");
    static const uint8_t longest[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    e = (struct plait_endpoint){addr_v6(longest), 65535};
    assert_string_equal(endpoint_format(&e, buf),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    e = (struct plait_endpoint){{0}, 0};
    assert_string_equal(endpoint_format(&e, buf), "*:0");
}

enum { LO = 1, LINK = 2, MULTI = 4, UNSPEC = 8, PRIV = 16 };

static unsigned classes(const char *text)
{
    struct plait_addr a = parsed(text);
    return (addr_is_loopback(&a) ? LO : 0) | (addr_is_link_local(&a) ? LINK : 0) |
           (addr_is_multicast(&a) ? MULTI : 0) | (addr_is_unspecified(&a) ? UNSPEC : 0) |
           (addr_is_private(&a) ? PRIV : 0);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned classes;
    } rows[] = {
        {"127.0.0.1", LO},
        {"127.255.0.9", LO},
        {"128.0.0.1", 0},
        {"169.254.1.1", LINK},
        {"169.253.1.1", 0},
        {"224.0.0.1", MULTI},
        {"239.1.1.1", MULTI},
        {"240.0.0.1", 0},
        {"255.255.255.255", MULTI},
        {"0.0.0.0", UNSPEC},
        {"0.0.0.1", 0},
        {"10.1.2.3", PRIV},
        {"172.16.0.1", PRIV},
        {"172.31.255.1", PRIV},
        {"172.32.0.1", 0},
        {"172.15.0.1", 0},
        {"192.168.3.4", PRIV},
        {"192.169.3.4", 0},
        {"::1", LO},
        {"::", UNSPEC},
        {"::2", 0},
        {"fe80::1", LINK},
        {"febf::1", LINK},
        {"fec0::1", 0},
        {"ff02::1", MULTI},
        {"fc00::1", PRIV},
        {"fdff::1", PRIV},
        {"2001:db8::1", 0},
        {"::ffff:127.0.0.1", LO},
        {"::ffff:10.0.0.1", PRIV},
        {"::ffff:224.0.0.1", MULTI},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (classes(rows[i].text) != rows[i].classes)
            fail_msg("%s: %x, not %x", rows[i].text, classes(rows[i].text), rows[i].classes);
}

static void test_events_and_reasons_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLAIT_EV_COUNT; i++)
        assert_non_null(plait_event_name(i));
    assert_string_equal(plait_event_name(PLAIT_EV_CONN_CREATED), "conn_created");
    assert_string_equal(plait_event_arg_name(PLAIT_EV_CONN_CREATED, 1), "peer_token");
    assert_null(plait_event_arg_name(PLAIT_EV_CONN_CREATED, 3));
    assert_null(plait_event_arg_name(PLAIT_EV_CONN_CREATED, 4));
    assert_string_equal(plait_event_name(PLAIT_EV_COUNT), "unknown");
    static const char *const ids[] = {
#define X(id, text) #id,
        PLAIT_REASONS(X)
#undef X
    };
    for (unsigned i = 0; i < PLAIT_WHY_COUNT; i++) {
        assert_non_null(plait_reason_text(i));
        const char *name = plait_reason_name(i);
        assert_non_null(name);
        assert_int_equal(strlen(name), strlen(ids[i]));
        for (size_t j = 0; name[j]; j++)
            assert_int_equal(name[j], tolower((unsigned char)ids[i][j]));
    }
    assert_string_equal(plait_reason_name(PLAIT_WHY_COUNT), "unknown");
}

static void endpoints_are_read_as_written(void **state)
{
    static const struct {
        const char *text, *addr;
        uint16_t port;
    } rows[] = {{"192.0.2.1", "192.0.2.1", 0},
                {"192.0.2.1:80", "192.0.2.1", 80},
                {"2001:db8::1", "2001:db8::1", 0},
                {"[2001:db8::1]:65535", "2001:db8::1", 65535}};
    static const char *const bad[] = {"",
                                      ":80",
                                      "192.0.2.1:",
                                      "192.0.2.1:0",
                                      "192.0.2.1:65536",
                                      "192.0.2.1:99999999999",
                                      "192.0.2.1:8x",
                                      "[192.0.2.1]:80",
                                      "[2001:db8::1]",
                                      "[2001:db8::1]80",
                                      "[]:80",
                                      "host:80"};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plait_endpoint e;
        char text[ADDR_TEXT_MAX];
        assert_true(endpoint_parse(rows[i].text, &e));
        assert_string_equal(addr_format(&e.addr, text), rows[i].addr);
        assert_int_equal(e.port, rows[i].port);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct plait_endpoint e;
        assert_false(endpoint_parse(bad[i], &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_read_as_written),
        cmocka_unit_test(test_text_is_rfc5952),
        cmocka_unit_test(test_parsing_is_strict),
        cmocka_unit_test(test_text_agrees_with_the_library),
        cmocka_unit_test(test_parsing_agrees_with_the_library),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_events_and_reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
