/* SPDX-License-Identifier: MIT
 *
 * Every option of both versions as bytes and as meaning, in both directions;
 * and what is odd on the wire: impossible lengths, second forms, reserved
 * bits, unknown subtypes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/options.h"

static unsigned from_hex(const char *hex, uint8_t *out)
{
    unsigned n = 0;
    for (; *hex; hex++) {
        unsigned value;
        if (*hex == ' ')
            continue;
        assert_int_equal(sscanf(hex, "%2x", &value), 1);
        out[n++] = (uint8_t)value;
        hex++;
    }
    return n;
}

static void to_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

/* Decode an options area through a packet, as everybody does. */
static enum segment_error decode_options(const uint8_t *options, unsigned len, struct segment *s)
{
    uint8_t p[20 + 20 + TCP_OPTIONS_MAX] = {0};
    unsigned padded = (len + 3) / 4 * 4;
    assert_true(padded <= TCP_OPTIONS_MAX);
    p[0] = 0x45;
    p[3] = (uint8_t)(40 + padded);
    p[9] = 6;
    memcpy(p + 40, options, len);
    p[32] = (uint8_t)((20 + padded) / 4 << 4);
    uint32_t sum = 0x4500U + p[3] + 6;
    put_be16(p + 10, (uint16_t)~sum);
    struct plait_packet_rx rx = {.data = p, .len = 40 + padded, .csum_ok = true};
    memset(s, 0x5a, sizeof *s);
    return segment_decode(&rx, s);
}

/* The options part of segment_format's line. */
static const char *options_text(const struct segment *s, char *buf, size_t size)
{
    segment_format(s, buf, size);
    char *start = strchr(strchr(buf, ']'), '<'), *end = strrchr(buf, '>');
    if (!start)
        return "";
    *end = '\0';
    return start + 1;
}

struct vector {
    const char *hex, *text;
};

static void check_vector(const struct vector *v, bool both_ways)
{
    uint8_t bytes[TCP_OPTIONS_MAX], out[TCP_OPTIONS_MAX];
    char text[1000], hex[100], expect[100];
    struct segment s;
    unsigned len = from_hex(v->hex, bytes);
    assert_int_equal(decode_options(bytes, len, &s), SEGMENT_OK);
    assert_string_equal(options_text(&s, text, sizeof text), v->text);
    if (!both_ways)
        return;
    struct writer w = {.buf = out, .cap = sizeof out};
    tcp_options_encode(&s.tcp, &w);
    mptcp_options_encode(&s.mptcp, &w);
    assert_true(writer_ok(&w));
    to_hex(bytes, len, expect);
    to_hex(out, w.len, hex);
    assert_string_equal(hex, expect);
    assert_int_equal(segment_options_len(&s), len);
    if (!s.tcp.present)
        assert_int_equal(mptcp_options_len(&s.mptcp), len);
}

static const struct vector tcp_vectors[] = {
    {"020405b4", "mss 1460"},
    {"0101080a 0000000a 00000014", "TS val 10 ecr 20"},
    {"01010402", "sackOK"},
    {"01030307", "wscale 7"},
    /* A Linux SYN: one word for SACK-permitted and the timestamps' head. */
    {"020405b4 0402080a 00000001 00000000 01030307", "mss 1460,sackOK,TS val 1 ecr 0,wscale 7"},
    {"020405b4 01010402 01030307", "mss 1460,sackOK,wscale 7"},
    {"0101050a 00000001 00000002", "sack 1 {1:2}"},
    {"0101080a 0000000a 00000014 01010512 00000001 00000002 00000003 00000004",
     "TS val 10 ecr 20,sack 2 {1:2}{3:4}"},
    {"01010522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008",
     "sack 4 {1:2}{3:4}{5:6}{7:8}"},
    {"22020101", "tfo cookiereq"},
    {"220a0102 03040506 07080101", "tfo cookie 0102030405060708"},
    {"22060102 03040101", "tfo cookie 01020304"},
};

/* RFC 8684 3.1 to 3.7; the same bytes as in RFC 6824 where version is 0. */
static const struct vector mptcp_vectors[] = {
    {"1e040181", "mptcp capable v1 flags 81"},
    {"1e0c0081 0102030405060708", "mptcp capable v0 flags 81 key 0102030405060708"},
    {"1e0c0101 1112131415161718", "mptcp capable v1 flags 01 key 1112131415161718"},
    {"1e140101 0102030405060708 1112131415161718",
     "mptcp capable v1 flags 01 key 0102030405060708 1112131415161718"},
    {"1e140001 0102030405060708 1112131415161718",
     "mptcp capable v0 flags 01 key 0102030405060708 1112131415161718"},
    {"1e160101 0102030405060708 1112131415161718 000c 0101",
     "mptcp capable v1 flags 01 key 0102030405060708 1112131415161718 len 12"},
    {"1e180181 0102030405060708 1112131415161718 000c 8620",
     "mptcp capable v1 flags 81 key 0102030405060708 1112131415161718 len 12 csum 8620"},

    {"1e0c1005 ccad45ac 21222324", "mptcp join id 5 token ccad45ac nonce 21222324"},
    {"1e0c1105 ccad45ac 21222324", "mptcp join backup id 5 token ccad45ac nonce 21222324"},
    {"1e101007 0fce2597e55e87ef 31323334", "mptcp join id 7 hmac 0fce2597e55e87ef nonce 31323334"},
    {"1e101107 0fce2597e55e87ef 31323334",
     "mptcp join backup id 7 hmac 0fce2597e55e87ef nonce 31323334"},
    {"1e181000 e19ad4ac22d51c2f064d49662431bc8f9d6b3a29",
     "mptcp join hmac e19ad4ac22d51c2f064d49662431bc8f9d6b3a29"},

    {"1e042000", "mptcp dss"},
    {"1e082001 00000009", "mptcp dss ack4 9"},
    {"1e0c2003 0000000100000009", "mptcp dss ack 4294967305"},
    {"1e0e2004 00000007 00000001 000c 0101", "mptcp dss seq4 7 subseq 1 len 12"},
    {"1e102004 00000007 00000001 000c 8620", "mptcp dss seq4 7 subseq 1 len 12 csum 8620"},
    {"1e12200c 0000000000000007 00000001 000c 0101", "mptcp dss seq 7 subseq 1 len 12"},
    {"1e14200c 0000000000000007 00000001 000c 8620", "mptcp dss seq 7 subseq 1 len 12 csum 8620"},
    {"1e122005 00000009 00000007 00000001 000c 0101", "mptcp dss ack4 9 seq4 7 subseq 1 len 12"},
    {"1e142005 00000009 00000007 00000001 000c 8620",
     "mptcp dss ack4 9 seq4 7 subseq 1 len 12 csum 8620"},
    {"1e162007 0000000000000009 00000007 00000001 000c 0101",
     "mptcp dss ack 9 seq4 7 subseq 1 len 12"},
    {"1e182007 0000000000000009 00000007 00000001 000c 8620",
     "mptcp dss ack 9 seq4 7 subseq 1 len 12 csum 8620"},
    {"1e16200d 00000009 0000000000000007 00000001 000c 0101",
     "mptcp dss ack4 9 seq 7 subseq 1 len 12"},
    {"1e18200d 00000009 0000000000000007 00000001 000c 8620",
     "mptcp dss ack4 9 seq 7 subseq 1 len 12 csum 8620"},
    {"1e1a200f 0000000000000009 0000000000000007 00000001 000c 0101",
     "mptcp dss ack 9 seq 7 subseq 1 len 12"},
    {"1e1c200f 0000000000000009 0000000000000007 00000001 000c 8620",
     "mptcp dss ack 9 seq 7 subseq 1 len 12 csum 8620"},
    {"1e1a201f 0000000000000009 0000000000000007 00000000 0001 0101",
     "mptcp dss fin ack 9 seq 7 subseq 0 len 1"},
    {"1e1c200f 0000000000000009 0000000000000007 00000001 0000 0000",
     "mptcp dss ack 9 seq 7 subseq 1 len 0 csum 0000"}, /* infinite mapping */

    {"1e083402 c0000202", "mptcp add-addr v0 id 2 192.0.2.2"},
    {"1e0a3402 c0000202 1f90 0101", "mptcp add-addr v0 id 2 192.0.2.2 port 8080"},
    {"1e143603 20010db8000000000000000000000002", "mptcp add-addr v0 id 3 2001:db8::2"},
    {"1e163603 20010db8000000000000000000000002 1f90 0101",
     "mptcp add-addr v0 id 3 2001:db8::2 port 8080"},
    {"1e103002 c0000202 a09fadcaaab51dee", "mptcp add-addr id 2 192.0.2.2 hmac a09fadcaaab51dee"},
    {"1e123002 c0000202 1f90 0ed823c4b78f792b 0101",
     "mptcp add-addr id 2 192.0.2.2 port 8080 hmac 0ed823c4b78f792b"},
    {"1e1c3003 20010db8000000000000000000000002 f3529ef004b551a5",
     "mptcp add-addr id 3 2001:db8::2 hmac f3529ef004b551a5"},
    {"1e1e3003 20010db8000000000000000000000002 1f90 f3529ef004b551a5 0101",
     "mptcp add-addr id 3 2001:db8::2 port 8080 hmac f3529ef004b551a5"},
    {"1e083102 c0000202", "mptcp add-addr echo id 2 192.0.2.2"},
    {"1e0a3102 c0000202 1f90 0101", "mptcp add-addr echo id 2 192.0.2.2 port 8080"},
    {"1e143103 20010db8000000000000000000000002", "mptcp add-addr echo id 3 2001:db8::2"},
    {"1e163103 20010db8000000000000000000000002 1f90 0101",
     "mptcp add-addr echo id 3 2001:db8::2 port 8080"},
    {"1e083402 c0000202 1e083102 c0000203",
     "mptcp add-addr v0 id 2 192.0.2.2 add-addr echo id 2 192.0.2.3"},

    {"1e044005", "mptcp rem-addr id 5"},
    {"1e064005 06070101", "mptcp rem-addr id 5 6 7"},
    {"1e035101", "mptcp prio backup"},
    {"1e035001", "mptcp prio"},
    {"1e045102", "mptcp prio backup id 2"},
    {"1e0c6000 0000000000000007", "mptcp fail seq 7"},
    {"1e0c7000 1112131415161718", "mptcp fast-close key 1112131415161718"},
    {"1e048003", "mptcp tcprst reason 3"},
    {"1e048102", "mptcp tcprst transient reason 2"},

    {"0101080a 0000000a 00000014 1e1a200f 0000000000000009 0000000000000007 00000001 05a0 0101",
     "TS val 10 ecr 20,mptcp dss ack 9 seq 7 subseq 1 len 1440"},
    {"1e082001 00000009 1e035101", "mptcp dss ack4 9,mptcp prio backup"},
    {"1e0c2003 0000000000000009 1e044005 1e035001",
     "mptcp dss ack 9,mptcp rem-addr id 5,mptcp prio"},
    {"1e0c7000 1112131415161718 1e048000",
     "mptcp fast-close key 1112131415161718,mptcp tcprst reason 0"},
};

/* Read, but written otherwise or not at all. */
static const struct vector odd_vectors[] = {
    /* Padding anywhere, the end of options before the end. */
    {"01020405 b4000000", "mss 1460"},
    {"00020405", ""},
    {"0402080a 00000001 00000000 02040578", "mss 1400,sackOK,TS val 1 ecr 0"},
    /* Unknown kinds, impossible lengths of known ones, second ones. */
    {"fe040102 020405b4", "mss 1460,unknown 1"},
    {"020305 01 020405b4", "mss 1460,unknown 1"},
    {"22050102 0301 050901020304050607 01", "unknown 2"},
    {"020405b4 02040001", "mss 1460"},
    /* Reserved bits are not looked at. */
    {"1e083f02 c0000202", "mptcp add-addr echo id 2 192.0.2.2"},
    {"1e103402 c0000202 a09fadcaaab51dee", "mptcp add-addr id 2 192.0.2.2 hmac a09fadcaaab51dee"},
    {"1e0c2fe3 0000000100000009", "mptcp dss ack 4294967305"},
    {"1e082009 00000009", "mptcp dss ack4 9"}, /* m without M */
    {"1e0c1e05 ccad45ac 21222324", "mptcp join id 5 token ccad45ac nonce 21222324"},
    {"1e048e03", "mptcp tcprst reason 3"},
    {"1e0c6fff 0000000000000007", "mptcp fail seq 7"},
    /* Subtypes nobody assigned, and the experimental one. */
    {"1e049000 1e04e000", "mptcp unknown 2 malformed 0"},
    {"1e04f000", "mptcp experimental"},
    /* Lengths no form has; contents that contradict the length. */
    {"1e020000", "mptcp unknown 0 malformed 1"},
    {"1e050181 00000000", "mptcp unknown 0 malformed 1"},
    {"1e0d0081 0102030405060708 00000000", "mptcp unknown 0 malformed 1"},
    {"1e0e1005 ccad45ac 21222324 00000000", "mptcp unknown 0 malformed 1"},
    {"1e082000 00000009", "mptcp unknown 0 malformed 1"},
    {"1e082004 00000009", "mptcp unknown 0 malformed 1"},
    {"1e0c2001 0000000000000009", "mptcp unknown 0 malformed 1"},
    {"1e0a2001 00000009 0000 0000", "mptcp unknown 0 malformed 1"},
    {"1e083002 c0000202", "mptcp unknown 0 malformed 1"}, /* v1 without an HMAC */
    {"1e083602 c0000202", "mptcp unknown 0 malformed 1"}, /* says IPv6, is not */
    {"1e143403 20010db8000000000000000000000002", "mptcp unknown 0 malformed 1"},
    {"1e103102 c0000202 a09fadcaaab51dee", "mptcp unknown 0 malformed 1"}, /* echo with HMAC */
    {"1e093402 c0000202 01000000", "mptcp unknown 0 malformed 1"},
    {"1e034001", "mptcp unknown 0 malformed 1"},
    {"1e055102 00000000", "mptcp unknown 0 malformed 1"},
    {"1e0b6000 00000000000007 00", "mptcp unknown 0 malformed 1"},
    {"1e0d7000 1112131415161718 00000000", "mptcp unknown 0 malformed 1"},
    {"1e058003 00000000", "mptcp unknown 0 malformed 1"},
    /* The first form counts. */
    {"1e040181 1e0c0101 1112131415161718", "mptcp capable v1 flags 81,mptcp unknown 0 malformed 1"},
    {"1e082001 00000009 1e082001 00000009", "mptcp dss ack4 9,mptcp unknown 0 malformed 1"},
    {"1e035101 1e035001", "mptcp prio backup,mptcp unknown 0 malformed 1"},
    {"1e044005 1e044006", "mptcp rem-addr id 5,mptcp unknown 0 malformed 1"},
    /* More addresses than a segment of ours could hold: four are kept. */
    {"1e083101 c0000201 1e083102 c0000202 1e083103 c0000203 1e083104 c0000204 1e083105 c0000205",
     "mptcp add-addr echo id 1 192.0.2.1 add-addr echo id 2 192.0.2.2 "
     "add-addr echo id 3 192.0.2.3 add-addr echo id 4 192.0.2.4,mptcp unknown 0 malformed 1"},
};

static void check_vectors(const struct vector *v, size_t count, bool both_ways)
{
    for (size_t i = 0; i < count; i++)
        check_vector(&v[i], both_ways);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void test_tcp_options(void **state)
{
    (void)state;
    check_vectors(tcp_vectors, COUNT(tcp_vectors), true);
}

static void test_mptcp_options(void **state)
{
    (void)state;
    check_vectors(mptcp_vectors, COUNT(mptcp_vectors), true);
}

static void test_odd_options(void **state)
{
    (void)state;
    check_vectors(odd_vectors, COUNT(odd_vectors), false);
}

static void test_vectors_cover_every_form(void **state)
{
    (void)state;
    uint32_t seen = 0, seen_tcp = 0;
    uint8_t bytes[TCP_OPTIONS_MAX];
    struct segment s;
    for (size_t i = 0; i < COUNT(mptcp_vectors); i++) {
        decode_options(bytes, from_hex(mptcp_vectors[i].hex, bytes), &s);
        seen |= s.mptcp.present;
    }
    for (size_t i = 0; i < COUNT(tcp_vectors); i++) {
        decode_options(bytes, from_hex(tcp_vectors[i].hex, bytes), &s);
        seen_tcp |= s.tcp.present;
    }
    assert_int_equal(seen, MPO_EXPERIMENTAL - 1);
    assert_int_equal(seen_tcp, 2 * OPT_FASTOPEN - 1);
}

/* Which lengths of which subtype are understood, written down once more. */
static void test_lengths_of_each_subtype(void **state)
{
    (void)state;
    static const struct {
        uint8_t subtype, nibble, flags;
        uint64_t lengths;
    } rows[] = {
        {MPTCP_CAPABLE, 1, 0x81, LEN(4) | LEN(12) | LEN(20) | LEN(22) | LEN(24)},
        {MPTCP_JOIN, 0, 0, LEN(12) | LEN(16) | LEN(24)},
        {MPTCP_DSS, 0, 0x00, LEN(4)},
        {MPTCP_DSS, 0, 0x01, LEN(8)},
        {MPTCP_DSS, 0, 0x03, LEN(12)},
        {MPTCP_DSS, 0, 0x04, LEN(14) | LEN(16)},
        {MPTCP_DSS, 0, 0x0c, LEN(18) | LEN(20)},
        {MPTCP_DSS, 0, 0x05, LEN(18) | LEN(20)},
        {MPTCP_DSS, 0, 0x07, LEN(22) | LEN(24)},
        {MPTCP_DSS, 0, 0x0d, LEN(22) | LEN(24)},
        {MPTCP_DSS, 0, 0x0f, LEN(26) | LEN(28)},
        {MPTCP_ADD_ADDR, 4, 0, LEN(8) | LEN(10) | LEN(16) | LEN(18) | LEN(28) | LEN(30)},
        {MPTCP_ADD_ADDR, 6, 0, LEN(20) | LEN(22) | LEN(16) | LEN(18) | LEN(28) | LEN(30)},
        {MPTCP_ADD_ADDR, 0, 0, LEN(16) | LEN(18) | LEN(28) | LEN(30)},
        {MPTCP_ADD_ADDR, 1, 0, LEN(8) | LEN(10) | LEN(20) | LEN(22)},
        {MPTCP_REMOVE_ADDR, 0, 0, (LEN(41) - 1) & ~(LEN(4) - 1)},
        {MPTCP_PRIO, 1, 0, LEN(3) | LEN(4)},
        {MPTCP_FAIL, 0, 0, LEN(12)},
        {MPTCP_FASTCLOSE, 0, 0, LEN(12)},
        {MPTCP_TCPRST, 0, 0, LEN(4)},
        {MPTCP_EXPERIMENTAL, 0, 0, (LEN(41) - 1) & ~(LEN(3) - 1)},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned len = 2; len < 64; len++) {
            struct mptcp_options m = {0};
            uint8_t *o = calloc(1, len);
            o[0] = TCPOPT_MPTCP;
            o[1] = (uint8_t)len;
            if (len > 2)
                o[2] = (uint8_t)(rows[i].subtype << 4 | rows[i].nibble);
            if (len > 3)
                o[3] = rows[i].flags;
            mptcp_option_decode(o, len, &m);
            bool good = rows[i].lengths & LEN(len);
            if ((m.present != 0) != good || m.malformed_count != !good)
                fail_msg("subtype %u nibble %u flags %02x len %u: present %x", rows[i].subtype,
                         rows[i].nibble, rows[i].flags, len, m.present);
            free(o);
        }
}

static void test_impossible_headers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "02000000", "02010000", "1e000000", "1e010181", /* lengths 0 and 1 */
        "02050000", "1e0c0181", "fe080000",             /* past the header */
        "01010102", "0101011e",                         /* no room for a length */
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t bytes[TCP_OPTIONS_MAX];
        struct segment s;
        assert_int_equal(decode_options(bytes, from_hex(bad[i], bytes), &s), SEGMENT_BAD_OPTION);
    }
}

static void test_formatting_stops_at_the_end_of_the_buffer(void **state)
{
    (void)state;
    struct segment s;
    char whole[500], part[500];
    uint8_t bytes[TCP_OPTIONS_MAX];
    decode_options(bytes, from_hex(mptcp_vectors[6].hex, bytes), &s);
    int len = segment_format(&s, whole, sizeof whole);
    assert_int_equal(len, strlen(whole));
    for (size_t size = 0; size < (size_t)len + 2; size++) {
        char *exact = malloc(size ? size : 1);
        assert_int_equal(segment_format(&s, exact, size), len);
        snprintf(part, size ? size : 1, "%s", whole);
        if (size)
            assert_string_equal(exact, part);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_options),
        cmocka_unit_test(test_mptcp_options),
        cmocka_unit_test(test_odd_options),
        cmocka_unit_test(test_vectors_cover_every_form),
        cmocka_unit_test(test_lengths_of_each_subtype),
        cmocka_unit_test(test_impossible_headers),
        cmocka_unit_test(test_formatting_stops_at_the_end_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
