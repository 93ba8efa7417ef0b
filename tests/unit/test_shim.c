/* SPDX-License-Identifier: MIT
 *
 * What stays direct, and what the daemon makes of requests and addresses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "daemon/serve.h"
#include "shim/rules.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;

    at.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    void *into = at.ss_family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr;
    assert_int_equal(inet_pton(at.ss_family, text, into), 1);
    return at;
}

static void the_first_rule_that_fits_decides(void **state)
{
    static const struct {
        const char *rules, *to;
        bool carried, listening;
    } rows[] = {
        {"", "203.0.113.5", true, true},
        {"", "2001:db8::1", true, true},
        {"", "127.0.0.1", false, false},
        {"", "127.255.0.9", false, false},
        {"", "::1", false, false},
        {"", "::ffff:127.0.0.1", false, false},
        {"", "10.1.2.3", false, true},
        {"", "172.31.0.1", false, true},
        {"", "172.32.0.1", true, true},
        {"", "192.168.7.1", false, true},
        {"", "100.127.0.1", false, true},
        {"", "100.128.0.1", true, true},
        {"", "169.254.1.1", false, true},
        {"", "fe80::1", false, true},
        {"", "fd00::1", false, true},
        {"", "0.0.0.0", false, true},
        {"", "::", false, true},
        {"+10.0.0.0/8", "10.1.2.3", true, true},
        {"-10.1.0.0/16,+10.0.0.0/8", "10.1.2.3", false, false},
        {"-10.1.0.0/16,+10.0.0.0/8", "10.2.2.3", true, true},
        {"+10.0.0.0/8,-10.1.0.0/16", "10.1.2.3", true, true},
        {"-203.0.113.5", "203.0.113.5", false, false},
        {"-203.0.113.5", "203.0.113.6", true, true},
        {"-203.0.113.0/25", "203.0.113.127", false, false},
        {"-203.0.113.0/25", "203.0.113.128", true, true},
        {"-203.0.113.5", "::ffff:203.0.113.5", false, false},
        {"-0.0.0.0/0", "2001:db8::1", true, true},
        {"-::/0", "203.0.113.5", false, false},
        {"+127.0.0.0/8", "127.0.0.1", true, true},
        {"-L", "203.0.113.5", true, false},
        {"-C", "203.0.113.5", false, true},
        {"-C,+10.0.0.0/8", "10.0.0.1", false, true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage at = address(rows[i].to);
        struct rules rules;
        const char *why = NULL;
        assert_true(rules_parse(rows[i].rules, &rules));
        bool carried = rules_carry(&rules, (struct sockaddr *)&at, &why);
        if (carried != rows[i].carried)
            fail_msg("'%s' to %s: %s", rows[i].rules, rows[i].to, why);
        assert_non_null(why);
        if (rules_listen(&rules, (struct sockaddr *)&at, &why) != rows[i].listening)
            fail_msg("'%s' at %s: %s", rows[i].rules, rows[i].to, why);
    }
}

static void rules_that_make_no_sense(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8",   "+10.0.0.0/33", "+10.0.0/8",    "+", "-",
                                        "+::/129",      "+10.0.0.0/",   "+10.0.0.0/8,", ",", "-X",
                                        "+10.0.0.0/ 8", "+10.0.0.0/-1"};
    struct rules rules;
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (rules_parse(texts[i], &rules))
            fail_msg("'%s' was taken", texts[i]);
}

static void a_unix_address_is_no_business_of_ours(void **state)
{
    struct sockaddr at = {.sa_family = AF_UNIX};
    struct rules rules = {0};
    const char *why;
    (void)state;

    assert_false(rules_carry(&rules, &at, &why));
    assert_false(rules_listen(&rules, &at, &why));
}

static void a_request_is_exactly_as_long_as_it_says(void **state)
{
    struct {
        struct shim_request head;
        char data[16];
    } sent = {{SHIM_VERSION, SHIM_SET, 0, 6, 1, 4}, "abcd"};
    struct shim_request head;
    const void *data;
    (void)state;

    assert_true(message_request(&sent, sizeof head + 4, &head, &data));
    assert_memory_equal(data, "abcd", 4);
    assert_false(message_request(&sent, sizeof head + 3, &head, &data));
    assert_false(message_request(&sent, sizeof head + 5, &head, &data));
    assert_false(message_request(&sent, sizeof head - 1, &head, &data));
    sent.head.len = 0xffffffff;
    assert_false(message_request(&sent, sizeof head + 4, &head, &data));
    sent.head = (struct shim_request){SHIM_VERSION + 1, SHIM_SET, 0, 0, 0, 0};
    assert_false(message_request(&sent, sizeof head, &head, &data));
    sent.head = (struct shim_request){SHIM_VERSION, SHIM_OP_LAST + 1, 0, 0, 0, 0};
    assert_false(message_request(&sent, sizeof head, &head, &data));
    sent.head = (struct shim_request){SHIM_VERSION, SHIM_SET, SHIM_FLAGS + 1, 0, 0, 0};
    assert_false(message_request(&sent, sizeof head, &head, &data));
}

static void addresses_there_and_back(void **state)
{
    static const struct {
        const char *text;
        int domain;
        const char *engine; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", AF_INET, "192.0.2.1"},
        {"2001:db8::1", AF_INET6, "2001:db8::1"},
        {"::ffff:192.0.2.1", AF_INET6, "192.0.2.1"}, /* one more form of IPv4 */
        {"192.0.2.1", AF_INET6, NULL},
        {"2001:db8::1", AF_INET, NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage at = address(rows[i].text), back = {0};
        struct plait_endpoint e;
        char text[ADDR_TEXT_MAX];
        socklen_t len =
            at.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        ((struct sockaddr_in *)&at)->sin_port = htons(443);
        if (!rows[i].engine) {
            assert_int_equal(message_address(&at, len, rows[i].domain, &e), EAFNOSUPPORT);
            continue;
        }
        assert_int_equal(message_address(&at, len, rows[i].domain, &e), 0);
        assert_string_equal(addr_format(&e.addr, text), rows[i].engine);
        assert_int_equal(e.port, 443);
        assert_int_equal(message_sockaddr(&e, rows[i].domain, &back), len);
        assert_memory_equal(&at, &back, len);
        assert_int_equal(message_address(&at, len < 20 ? len - 1 : 20, rows[i].domain, &e), EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_fits_decides),
        cmocka_unit_test(rules_that_make_no_sense),
        cmocka_unit_test(a_unix_address_is_no_business_of_ours),
        cmocka_unit_test(a_request_is_exactly_as_long_as_it_says),
        cmocka_unit_test(addresses_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
