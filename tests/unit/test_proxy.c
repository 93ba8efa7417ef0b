/* SPDX-License-Identifier: MIT
 *
 * What a proxy hears and says: Convert messages byte by byte (RFC 8803 6), SOCKS
 * (RFC 1928, RFC 1929), HTTP CONNECT, destinations, and credentials.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "proxy/access.h"
#include "proxy/convert.h"
#include "proxy/front.h"
#include "proxy/http.h"
#include "proxy/outward.h"
#include "proxy/socks.h"
#include "proxy/users.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define V4(a, b, c, d) 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d
#define HEAD(words) 1, words, 0x22, 0x63

/* ---- Convert ---------------------------------------------------------------------- */

static const struct {
    const char *what;
    int length, verdict; /* verdict: of convert_decode, where length is that of the bytes */
    const uint8_t *bytes;
    size_t len;
} messages[] = {
    {"nothing", 0, 0, BYTES(1)},
    {"half a header", 0, 0, BYTES(1, 6, 0x22)},
    {"another magic number", -1, 0, BYTES(1, 6, 0x22, 0x64)},
    {"length zero", -1, 0, BYTES(1, 0, 0x22, 0x63)},
    {"nothing in it", 4, CONVERT_GOOD, BYTES(HEAD(1))},
    {"version 2", 4, CONVERT_E_UNSUPPORTED_VERSION, BYTES(2, 1, 0x22, 0x63)},
    {"version 0", 4, CONVERT_E_UNSUPPORTED_VERSION, BYTES(0, 1, 0x22, 0x63)},
    {"connect", 24, CONVERT_GOOD, BYTES(HEAD(6), 10, 5, 1, 187, V4(192, 0, 2, 1))},
    {"connect to port 0", 24, CONVERT_E_MALFORMED, BYTES(HEAD(6), 10, 5, 0, 0, V4(192, 0, 2, 1))},
    {"to loopback", 24, CONVERT_E_MALFORMED, BYTES(HEAD(6), 10, 5, 1, 187, V4(127, 0, 0, 1))},
    {"to multicast", 24, CONVERT_E_MALFORMED, BYTES(HEAD(6), 10, 5, 1, 187, V4(224, 0, 0, 1))},
    {"to all", 24, CONVERT_E_MALFORMED, BYTES(HEAD(6), 10, 5, 1, 187, V4(255, 255, 255, 255))},
    {"a short connect", 20, CONVERT_E_MALFORMED,
     BYTES(HEAD(5), 10, 4, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)},
    {"longer than the message", 8, CONVERT_E_MALFORMED, BYTES(HEAD(2), 10, 5, 1, 187)},
    {"a TLV of no length", 8, CONVERT_E_MALFORMED, BYTES(HEAD(2), 1, 0, 0, 0)},
    {"type 0", 8, CONVERT_E_UNSUPPORTED_MESSAGE, BYTES(HEAD(2), 0, 1, 0, 0)},
    {"type 99", 8, CONVERT_E_UNSUPPORTED_MESSAGE, BYTES(HEAD(2), 99, 1, 0, 0)},
    {"info", 8, CONVERT_GOOD, BYTES(HEAD(2), 1, 1, 0, 0)},
    {"info twice", 12, CONVERT_E_MALFORMED, BYTES(HEAD(3), 1, 1, 0, 0, 1, 1, 0, 0)},
    {"a long info", 12, CONVERT_E_MALFORMED, BYTES(HEAD(3), 1, 2, 0, 0, 0, 0, 0, 0)},
    {"a name", 12, CONVERT_GOOD, BYTES(HEAD(3), 224, 2, 0, 80, 'a', '.', 'b', 0)},
    {"no name", 8, CONVERT_E_MALFORMED, BYTES(HEAD(2), 224, 1, 0, 80)},
    {"a zero in the name", 12, CONVERT_E_MALFORMED, BYTES(HEAD(3), 224, 2, 0, 80, 'a', 0, 'b', 0)},
    {"padded by a word", 16, CONVERT_E_MALFORMED,
     BYTES(HEAD(4), 224, 3, 0, 80, 'a', '.', 'b', 0, 0, 0, 0, 0)},
};

static void test_messages_are_judged_as_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct convert_message m;
        int length = convert_length(messages[i].bytes, messages[i].len);
        if (length != messages[i].length)
            fail_msg("%s: length %d, not %d", messages[i].what, length, messages[i].length);
        if (length != (int)messages[i].len)
            continue;
        int verdict = convert_decode(messages[i].bytes, messages[i].len, &m);
        if (verdict != messages[i].verdict)
            fail_msg("%s: %d, not %d", messages[i].what, verdict, messages[i].verdict);
    }
}

static struct plait_endpoint endpoint(const char *text)
{
    struct plait_endpoint e;

    if (!endpoint_parse(text, &e))
        fail_msg("no endpoint: %s", text);
    return e;
}

static void test_a_message_reads_as_it_was_written(void **state)
{
    const struct plait_endpoint v4 = endpoint("192.0.2.1:443"), v6 = endpoint("[2001:db8::1]:80");
    const uint8_t kinds[] = {30, 4},
                  expect[] = {HEAD(7), 10, 6, 1, 187, V4(192, 0, 2, 1), 30, 2, 4, 2};
    struct convert_writer w;
    struct convert_message m;
    struct convert_option o;
    size_t at = 0;
    (void)state;

    convert_begin(&w);
    convert_put_connect(&w, &v4, kinds, 2);
    assert_true(convert_end(&w));
    assert_int_equal(w.len, sizeof expect);
    assert_memory_equal(w.bytes, expect, sizeof expect);
    assert_int_equal(convert_decode(w.bytes, w.len, &m), CONVERT_GOOD);
    assert_true(m.connect && endpoint_equal(&m.peer, &v4));
    assert_true(convert_option_next(&m.options, &at, &o) && o.kind == 30 && o.value.len == 0);
    assert_true(convert_option_next(&m.options, &at, &o) && o.kind == 4);
    assert_false(convert_option_next(&m.options, &at, &o));
    assert_int_equal(at, m.options.len);

    convert_begin(&w);
    convert_put_connect(&w, &v6, NULL, 0);
    convert_put_info(&w);
    assert_true(convert_end(&w));
    assert_int_equal(convert_decode(w.bytes, w.len, &m), CONVERT_GOOD);
    assert_true(m.info && endpoint_equal(&m.peer, &v6) && m.options.len == 0);
}

static void test_an_error_echoes_what_fits(void **state)
{
    uint8_t value[1100];
    struct convert_writer w;
    struct convert_message m;
    (void)state;

    memset(value, 7, sizeof value);
    convert_begin(&w);
    convert_put_error(&w, CONVERT_E_MALFORMED, value, sizeof value);
    assert_true(convert_end(&w));
    assert_int_equal(w.len, CONVERT_BYTES_MAX);
    assert_int_equal(convert_decode(w.bytes, w.len, &m), CONVERT_GOOD);
    assert_int_equal(m.error_code, CONVERT_E_MALFORMED);
    assert_int_equal(m.error_value.at[m.error_value.len - 1], 7);

    convert_put_info(&w); /* no room is left: then there is no message */
    assert_false(convert_end(&w));
}

/* ---- credentials -------------------------------------------------------------------- */

static void sign(struct convert_writer *w, const struct credential *c, uint64_t at_us,
                 uint8_t nonce)
{
    const struct plait_endpoint to = endpoint("192.0.2.1:443");
    const uint8_t bytes[16] = {nonce};

    convert_begin(w);
    convert_put_connect(w, &to, NULL, 0);
    assert_true(credential_sign(c, w, at_us, bytes));
}

static enum users_verdict check(struct users *u, const struct convert_writer *w, uint64_t now_us)
{
    struct convert_message m;
    struct user_account *who;

    assert_int_equal(convert_decode(w->bytes, w->len, &m), CONVERT_GOOD);
    return users_check(u, w->bytes, w->len, &m, now_us, &who);
}

static void test_a_credential_is_good_once_for_one_message(void **state)
{
    const uint64_t now = 1000000000000, minute = 60000000;
    struct credential bob, other;
    struct users *u = users_new();
    struct convert_writer w, changed;
    (void)state;

    assert_non_null(u);
    assert_true(credential_parse("bob:secret:with:colons", &bob));
    assert_true(credential_parse("bob:guess", &other));
    assert_true(users_add(u, &bob));
    assert_false(users_add(u, &other)); /* the name is there */

    sign(&w, &bob, now, 1);
    assert_int_equal(check(u, &w, now + minute), USERS_GOOD);
    assert_int_equal(check(u, &w, now + minute), USERS_UNKNOWN); /* heard before */
    sign(&w, &bob, now, 2);
    assert_int_equal(check(u, &w, now + minute + 1), USERS_UNKNOWN); /* too late */
    assert_int_equal(check(u, &w, now - minute - 1), USERS_UNKNOWN); /* from the future */
    for (size_t i = 0; i < w.len; i++) { /* no byte of it may be another */
        struct convert_message m;
        struct user_account *who;
        changed = w;
        changed.bytes[i] ^= 1;
        if (convert_length(changed.bytes, w.len) == (int)w.len &&
            convert_decode(changed.bytes, w.len, &m) == CONVERT_GOOD && m.cookie)
            assert_int_equal(users_check(u, changed.bytes, w.len, &m, now, &who), USERS_UNKNOWN);
    }
    assert_int_equal(check(u, &w, now), USERS_GOOD);
    sign(&w, &other, now, 3);
    assert_int_equal(check(u, &w, now), USERS_UNKNOWN);
    users_free(u);
}

/* A nonce is remembered for as long as its message is good. */
static void test_what_was_heard_is_forgotten_in_time_only(void **state)
{
    const uint64_t second = 1000000;
    struct credential bob;
    struct users *u = users_new();
    struct convert_writer w;
    (void)state;

    assert_true(credential_parse("bob:secret", &bob) && users_add(u, &bob));
    for (uint64_t now = 1000 * second; now < 2000 * second; now += 7 * second) {
        sign(&w, &bob, now + 59 * second, 1);
        assert_int_equal(check(u, &w, now), USERS_GOOD);
        for (uint64_t later = now; later < now + 118 * second; later += 13 * second)
            assert_int_equal(check(u, &w, later), USERS_UNKNOWN);
        now += 300 * second; /* the same nonce is new again */
    }
    users_free(u);
}

static void test_users_are_written_as_name_and_secret(void **state)
{
    struct credential c;
    char name[USERS_NAME_MAX + 8];
    (void)state;

    assert_false(credential_parse("bob", &c));
    assert_false(credential_parse(":secret", &c));
    assert_false(credential_parse("bob:", &c));
    memset(name, 'a', sizeof name);
    memcpy(name + USERS_NAME_MAX, ":s", 3);
    assert_true(credential_parse(name, &c));
    memcpy(name + USERS_NAME_MAX, "a:s", 4);
    assert_false(credential_parse(name, &c));
}

/* ---- SOCKS and HTTP --------------------------------------------------------------------- */

/* All at once, and then a byte at a time: the same is heard. */
static enum front_state hear(struct front *f, const void *bytes, size_t len, size_t *used)
{
    struct front slow = *f;
    enum front_state state = FRONT_MORE, whole = front_take(f, bytes, len, used);
    size_t from = 0, took = 0;

    for (size_t n = 1; n <= len && state == FRONT_MORE; n++) {
        state = front_take(&slow, (const uint8_t *)bytes + from, n - from, &took);
        from += took;
    }
    assert_int_equal(state, whole);
    if (whole == FRONT_KNOWN) {
        assert_true(endpoint_equal(&slow.to, &f->to));
        assert_string_equal(slow.host, f->host);
        assert_int_equal(from, *used);
    }
    return whole;
}

static void test_socks_hears_names_and_addresses(void **state)
{
    static const uint8_t by_name[] = {5, 1, 0, 5, 1, 0, 3, 3, 'a', '.', 'b', 0, 80, 'x'};
    static const uint8_t by_addr[] = {5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 1, 187};
    const struct plait_endpoint to = endpoint("192.0.2.1:443");
    struct front f = {.kind = FRONT_SOCKS};
    size_t used;
    (void)state;

    assert_int_equal(hear(&f, by_name, sizeof by_name, &used), FRONT_KNOWN);
    assert_string_equal(f.host, "a.b");
    assert_int_equal(f.to.port, 80);
    assert_int_equal(used, sizeof by_name - 1); /* 'x' belongs to the stream */
    f = (struct front){.kind = FRONT_SOCKS};
    assert_int_equal(hear(&f, by_addr, sizeof by_addr, &used), FRONT_KNOWN);
    assert_true(endpoint_equal(&f.to, &to) && !f.host[0]);
}

static void check_socks_refuses(const uint8_t *bytes, size_t len, int reply)
{
    struct front f = {.kind = FRONT_SOCKS};
    size_t used;

    assert_int_equal(front_take(&f, bytes, len, &used), FRONT_OVER);
    if (reply >= 0) {
        assert_true(f.answer_len >= 2);
        assert_int_equal(f.answer[f.answer_len > 10 ? 3 : 1], reply);
    } else {
        assert_int_equal(f.answer_len, 0);
    }
}

static void test_socks_refuses_in_its_own_words(void **state)
{
    (void)state;
    check_socks_refuses(BYTES(4, 1, 0, 80), -1); /* SOCKS 4 */
    check_socks_refuses(BYTES(5, 1, 2), 255);    /* no method in common */
    check_socks_refuses(BYTES(5, 1, 0, 5, 3, 0, 1, 192, 0, 2, 1, 1, 187),
                        SOCKS_COMMAND_UNSUPPORTED);
    check_socks_refuses(BYTES(5, 1, 0, 5, 2, 0, 1, 192, 0, 2, 1, 1, 187),
                        SOCKS_COMMAND_UNSUPPORTED);
    check_socks_refuses(BYTES(5, 1, 0, 5, 1, 0, 9, 1), SOCKS_ADDRESS_UNSUPPORTED);
    check_socks_refuses(BYTES(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 0), SOCKS_NOT_ALLOWED);
}

static void test_programs_give_their_name_and_secret(void **state)
{
    static const uint8_t right[] = {5, 2, 0, 2, 1,   3, 'b', 'o', 'b', 1, 's',
                                    5, 1, 0, 1, 192, 0, 2,   1,   0,   80};
    static const uint8_t wrong[] = {5, 1, 2, 1, 3, 'b', 'o', 'b', 1, 't'};
    static const char http[] =
        "CONNECT a.b:443 HTTP/1.1\r\nProxy-Authorization: Basic Ym9iOnM=\r\n\r\n";
    static const char none[] = "CONNECT a.b:443 HTTP/1.1\r\n\r\n";
    struct credential bob;
    struct front f = {.kind = FRONT_SOCKS, .wanted = &bob};
    size_t used;
    (void)state;

    assert_true(credential_parse("bob:s", &bob));
    assert_int_equal(hear(&f, right, sizeof right, &used), FRONT_KNOWN);
    f = (struct front){.kind = FRONT_SOCKS, .wanted = &bob};
    assert_int_equal(hear(&f, wrong, sizeof wrong, &used), FRONT_OVER);
    f = (struct front){.kind = FRONT_HTTP, .wanted = &bob};
    assert_int_equal(hear(&f, http, sizeof http - 1, &used), FRONT_KNOWN);
    f = (struct front){.kind = FRONT_HTTP, .wanted = &bob};
    assert_int_equal(hear(&f, none, sizeof none - 1, &used), FRONT_OVER);
    assert_non_null(strstr((char *)f.answer, "407"));
    assert_non_null(strstr((char *)f.answer, "Proxy-Authenticate: Basic"));
}

static const struct {
    const char *request;
    int result; /* 0: unfinished; 1: whole */
    const char *host;
    uint16_t port;
} requests[] = {
    {"CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n", 1, "a.b", 443},
    {"CONNECT a.b:443 HTTP/1.0\n\n", 1, "a.b", 443},
    {"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n", 1, "", 443},
    {"CONNECT 192.0.2.1:80 HTTP/1.1\r\n\r\n", 1, "", 80},
    {"CONNECT a.b:443 HTTP/1.1\r\nHost: a.b", 0, "", 0},
    {"CONN", 0, "", 0},
    {"GET http://a.b/ HTTP/1.1\r\n\r\n", -405, "", 0},
    {"CONNECT a.b HTTP/1.1\r\n\r\n", -400, "", 0},
    {"CONNECT a.b:0 HTTP/1.1\r\n\r\n", -400, "", 0},
    {"CONNECT a.b:65536 HTTP/1.1\r\n\r\n", -400, "", 0},
    {"CONNECT :443 HTTP/1.1\r\n\r\n", -400, "", 0},
    {"CONNECT a.b:443\r\n\r\n", -400, "", 0},
    {"CONNECT a.b:443 HTTP/2.0\r\n\r\n", -505, "", 0},
    {"CONNECT a.b:443 HTTP/1.1\r\nno colon\r\n\r\n", -400, "", 0},
    {"\x16\x03\x01\x02\n\r\n", -400, "", 0},
};

static void test_http_requests(void **state)
{
    static char endless[HTTP_HEADER_MAX + 1];
    struct http_connect r;
    (void)state;

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int n = http_connect(requests[i].request, strlen(requests[i].request), &r);
        if (requests[i].result == 1 ? n != (int)strlen(requests[i].request)
                                    : n != requests[i].result)
            fail_msg("%s: %d", requests[i].request, n);
        if (n > 0) {
            assert_string_equal(r.host, requests[i].host);
            assert_int_equal(r.to.port, requests[i].port);
        }
    }
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "CONNECT a:1 HTTP/1.1\r\n", 22);
    assert_int_equal(http_connect(endless, HTTP_HEADER_MAX, &r), -431);
}

/* ---- destinations ------------------------------------------------------------------------ */

static bool allowed(const struct access *a, const char *text)
{
    struct plait_addr addr;
    const char *why;

    assert_true(addr_parse(text, &addr));
    return access_allows(a, &addr, &why) && why;
}

static void test_only_public_addresses_are_reached(void **state)
{
    static const char *const no[] = {"127.0.0.1",
                                     "10.1.2.3",
                                     "172.31.0.1",
                                     "192.168.0.1",
                                     "169.254.1.1",
                                     "100.64.0.1",
                                     "224.0.0.1",
                                     "255.255.255.255",
                                     "0.0.0.0",
                                     "::1",
                                     "::",
                                     "fe80::1",
                                     "fd00::1",
                                     "ff02::1",
                                     "::ffff:10.0.0.1",
                                     "64:ff9b::a00:1",
                                     "2002:7f00:1::",
                                     "2001:db8::1"};
    static const char *const yes[] = {"8.8.8.8", "172.32.0.1", "2606:4700::1111",
                                      "64:ff9b::808:808"};
    struct access a = {0};
    (void)state;

    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (allowed(&a, no[i]))
            fail_msg("%s is allowed", no[i]);
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (!allowed(&a, yes[i]))
            fail_msg("%s is not allowed", yes[i]);
}

static void test_the_first_network_decides(void **state)
{
    struct access a = {0};
    (void)state;

    assert_true(access_add(&a, "10.1.0.0/16", false) && access_add(&a, "10.0.0.0/8", true));
    assert_true(access_add(&a, "::/0", false) && access_add(&a, "8.8.8.8", false));
    assert_false(allowed(&a, "10.1.0.1"));
    assert_true(allowed(&a, "10.2.0.1"));
    assert_false(allowed(&a, "2606:4700::1111"));
    assert_false(allowed(&a, "8.8.8.8"));
    assert_true(allowed(&a, "8.8.4.4"));
    assert_false(access_add(&a, "10.0.0.0/33", true));
    assert_false(access_add(&a, "10.0.0.0/", true));
    assert_false(access_add(&a, "somewhere", true));
}

static void test_proxy_protocol_header(void **state)
{
    const struct plait_endpoint from = endpoint("192.0.2.1:4660"), to = endpoint("198.51.100.2:80");
    const struct plait_endpoint v6 = endpoint("[2001:db8::1]:80");
    static const uint8_t expect[] = {0x0d, 0x0a, 0x0d, 0x0a, 0,    0x0d, 0x0a, 'Q', 'U', 'I',
                                     'T',  0x0a, 0x21, 0x11, 0,    12,   192,  0,   2,   1,
                                     198,  51,   100,  2,    0x12, 0x34, 0,    80};
    uint8_t out[OUTWARD_PROXY_MAX];
    (void)state;

    assert_int_equal(outward_proxy_header(&from, &to, out), sizeof expect);
    assert_memory_equal(out, expect, sizeof expect);
    assert_int_equal(outward_proxy_header(&v6, &to, out), 16); /* of two families: not told */
    assert_int_equal(outward_proxy_header(&v6, &v6, out), 52);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_judged_as_the_rfc_says),
        cmocka_unit_test(test_a_message_reads_as_it_was_written),
        cmocka_unit_test(test_an_error_echoes_what_fits),
        cmocka_unit_test(test_a_credential_is_good_once_for_one_message),
        cmocka_unit_test(test_what_was_heard_is_forgotten_in_time_only),
        cmocka_unit_test(test_users_are_written_as_name_and_secret),
        cmocka_unit_test(test_socks_hears_names_and_addresses),
        cmocka_unit_test(test_socks_refuses_in_its_own_words),
        cmocka_unit_test(test_programs_give_their_name_and_secret),
        cmocka_unit_test(test_http_requests),
        cmocka_unit_test(test_only_public_addresses_are_reached),
        cmocka_unit_test(test_the_first_network_decides),
        cmocka_unit_test(test_proxy_protocol_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
