/* SPDX-License-Identifier: MIT
 *
 * Headers, checksums, segmentation in software and ICMP errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/offload.h"
#include "wire_gen.h"

static struct plait_endpoint at(const char *addr, uint16_t port)
{
    struct plait_endpoint e = {.port = port};
    assert_true(addr_parse(addr, &e.addr));
    return e;
}

static struct segment segment_between(const char *src, const char *dst)
{
    struct segment s;
    segment_clear(&s);
    s.src = at(src, 1000);
    s.dst = at(dst, 80);
    s.flags = TCP_ACK;
    return s;
}

static enum segment_error decode(const uint8_t *data, size_t len, struct segment *s)
{
    struct plait_packet_rx rx = {.data = data, .len = (uint32_t)len};
    return segment_decode(&rx, s);
}

/* One finished packet without payload. */
static size_t encode(const struct segment *s, uint8_t *buf, size_t size)
{
    struct plait_packet_tx tx;
    segment_encode(s, NULL, 0, 0, &tx);
    return offload_write(&tx, 0, buf, size);
}

static void fix_ipv4_checksum(uint8_t *p)
{
    put_be16(p + 10, 0);
    put_be16(p + 10, (uint16_t)~csum_partial(p, (p[0] & 15U) * 4));
}

/* ---- Checksums ---- */

/* RFC 1071, word by word. */
static uint16_t csum_slow(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void test_csum_agrees_with_the_definition(void **state)
{
    (void)state;
    static const uint8_t rfc1071[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(csum_partial(rfc1071, sizeof rfc1071), 0xddf2); /* its section 3 */
    assert_int_equal(csum_partial(NULL, 0), 0);
    struct prng rng;
    prng_seed(&rng, 1071);
    for (unsigned i = 0; i < 3000; i++) {
        size_t len = prng_below(&rng, 300), offset = prng_below(&rng, 8);
        uint8_t *buf = malloc(offset + len + 1), *p = buf + offset;
        for (size_t j = 0; j < len; j++)
            p[j] = prng_chance(&rng, 300000) ? 0xff : (uint8_t)prng_next(&rng);
        uint16_t sum = csum_partial(p, len);
        assert_int_equal(sum, csum_slow(p, len));
        size_t cut = prng_below(&rng, len + 1);
        uint16_t a = csum_partial(p, cut), b = csum_partial(p + cut, len - cut);
        /* 0 and ffff are both zero in one's complement. */
        assert_int_equal(csum_add(a, b, cut % 2) % 0xffff, sum % 0xffff);
        free(buf);
    }
}

/* Every way that this processor has, at every alignment and many lengths. */
static void test_csum_ways_agree(void **state)
{
    enum { ROUNDS = 20000, LEN_MAX = 2048, SHIFT_MAX = 64, SUPER = 65535 };
    static uint8_t bytes[SUPER + SHIFT_MAX];
    csum_fn *ways[CSUM_WAYS_MAX];
    unsigned count = csum_ways(ways);
    struct prng r;
    (void)state;
    assert_in_range(count, 1, CSUM_WAYS_MAX);
    assert_ptr_equal(ways[0], csum_partial);
    assert_ptr_equal(ways[count - 1], csum_best());
    prng_seed(&r, 4);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)prng_next(&r);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t shift = prng_below(&r, SHIFT_MAX), len = prng_below(&r, LEN_MAX);
        if (round % 1000 == 0)
            len = SUPER;
        uint16_t want = csum_slow(bytes + shift, len);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(ways[i](bytes + shift, len), want);
    }
    memset(bytes, 0xff, sizeof bytes); /* the largest sums there are */
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(ways[i](bytes, SUPER - 1), 0xffff);
}

static void test_csum_of_a_super_segment_of_ones(void **state)
{
    (void)state;
    size_t len = 65536;
    uint8_t *p = malloc(len);
    memset(p, 0xff, len);
    assert_int_equal(csum_partial(p, len), 0xffff);
    memset(p, 0, len);
    assert_int_equal(csum_partial(p, len), 0);
    free(p);
}

static void test_csum_of_a_mapping(void **state)
{
    (void)state;
    /* Key A 0102030405060708, v1: first data "hello, world". */
    uint16_t data = csum_partial("hello, world", 12);
    assert_int_equal(csum_dss(UINT64_C(0xf5a101d3d29d6f73), 1, 12, data), 0x8620);
    /* RFC 8684 3.3.1 spelled out: the pseudo-header, then the data. */
    uint8_t pseudo[16 + 12] = {0};
    put_be64(pseudo, UINT64_C(0xf5a101d3d29d6f73));
    put_be32(pseudo + 8, 1);
    put_be16(pseudo + 12, 12);
    memcpy(pseudo + 16, "hello, world", 12);
    assert_int_equal((uint16_t)~csum_slow(pseudo, sizeof pseudo), 0x8620);
}

static void test_pseudo_header(void **state)
{
    (void)state;
    struct plait_addr a = at("192.0.2.1", 0).addr, b = at("198.51.100.2", 0).addr;
    uint8_t v4[12] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0x12, 0x34};
    assert_int_equal(csum_pseudo(&a, &b, 0x1234), csum_slow(v4, sizeof v4));
    uint8_t v6[40] = {0};
    a = at("2001:db8::1", 0).addr;
    b = at("2001:db8:ffff::2", 0).addr;
    memcpy(v6, a.bytes, 16);
    memcpy(v6 + 16, b.bytes, 16);
    put_be32(v6 + 32, 0x1234);
    v6[39] = 6;
    assert_int_equal(csum_pseudo(&a, &b, 0x1234), csum_slow(v6, sizeof v6));
}

/* ---- IP headers ---- */

static void test_ipv4_header_as_written(void **state)
{
    (void)state;
    struct segment s = segment_between("192.0.2.1", "192.0.2.2");
    uint8_t p[64];
    s.ecn = 2;
    assert_int_equal(encode(&s, p, sizeof p), 40);
    assert_int_equal(p[0], 0x45);
    assert_int_equal(p[1], 2);
    assert_int_equal(get_be16(p + 2), 40);
    assert_int_equal(get_be16(p + 4), 0);
    assert_int_equal(get_be16(p + 6), 0x4000); /* DF */
    assert_int_equal(p[8], 64);
    assert_int_equal(p[9], 6);
    assert_int_equal(csum_partial(p, 20), 0xffff);
    s.ttl = 255;
    encode(&s, p, sizeof p);
    assert_int_equal(p[8], 255);
}

static void test_ipv6_header_as_written(void **state)
{
    (void)state;
    struct segment s = segment_between("2001:db8::1", "2001:db8::2");
    uint8_t p[64], q[64];
    s.ecn = 1;
    assert_int_equal(encode(&s, p, sizeof p), 60);
    assert_int_equal(p[0], 0x60);
    assert_int_equal(p[1] >> 4, 1);
    assert_int_equal(get_be16(p + 4), 20);
    assert_int_equal(p[6], 6);
    assert_int_equal(p[7], 64);
    /* The flow label belongs to the flow, not to the segment. */
    s.seq = 99;
    encode(&s, q, sizeof q);
    assert_memory_equal(p, q, 40);
    s.src.port++;
    encode(&s, q, sizeof q);
    assert_int_not_equal(get_be32(p) & 0xfffff, get_be32(q) & 0xfffff);
}

static void test_ipv4_oddities(void **state)
{
    (void)state;
    struct segment s = segment_between("192.0.2.1", "192.0.2.2"), out;
    uint8_t good[64], p[80];
    size_t len = encode(&s, good, sizeof good);
#define TRY(change, expect)                                                                        \
    do {                                                                                           \
        memset(p, 0, sizeof p);                                                                    \
        memcpy(p, good, len);                                                                      \
        change;                                                                                    \
        fix_ipv4_checksum(p);                                                                      \
        assert_int_equal(decode(p, len, &out), expect);                                            \
    } while (0)
    TRY((void)0, SEGMENT_OK);
    TRY(p[0] = 0x44, SEGMENT_SHORT);
    TRY(p[0] = 0x4b, SEGMENT_SHORT);
    TRY(p[0] = 0x55, SEGMENT_NOT_TCP);
    TRY(p[3] = 41, SEGMENT_SHORT);
    TRY(p[3] = 19, SEGMENT_SHORT);
    TRY(p[3] = 39, SEGMENT_SHORT);
    TRY(p[6] = 0x20, SEGMENT_FRAGMENT); /* more fragments */
    TRY(p[7] = 1, SEGMENT_FRAGMENT);    /* an offset */
    TRY(p[6] = 0x80, SEGMENT_OK);       /* RFC 3514 */
    TRY(p[9] = 17, SEGMENT_NOT_TCP);
    TRY(p[9] = 1, SEGMENT_ICMP);
    TRY(p[32] = 0x40, SEGMENT_SHORT);
    TRY(p[32] = 0x60, SEGMENT_SHORT);
    TRY(p[25] ^= 1, SEGMENT_CHECKSUM);
#undef TRY
    memcpy(p, good, len);
    p[8]++;
    assert_int_equal(decode(p, len, &out), SEGMENT_IP_CHECKSUM);
    memcpy(p, good, len);
    assert_int_equal(decode(p, len + 20, &out), SEGMENT_OK); /* Ethernet padding */
    assert_int_equal(out.payload_len, 0);
    p[25] ^= 1;
    struct plait_packet_rx rx = {
        .data = p, .len = (uint32_t)len, .csum_ok = true, .gso_size = 1400, .ifindex = 3};
    assert_int_equal(segment_decode(&rx, &out), SEGMENT_OK);
    assert_int_equal(out.gso_size, 1400);
    assert_int_equal(out.ifindex, 3);
}

/* A data offset that reaches past what the IP header says there is. */
static void test_tcp_header_longer_than_the_packet(void **state)
{
    (void)state;
    struct segment s = segment_between("192.0.2.1", "192.0.2.2"), out;
    s.tcp.present = OPT_TIMESTAMP;
    uint8_t p[64];
    size_t len = encode(&s, p, sizeof p);
    struct plait_packet_rx rx = {.data = p, .len = (uint32_t)len, .csum_ok = true};
    for (size_t total = 20; total <= len; total++) {
        put_be16(p + 2, (uint16_t)total);
        fix_ipv4_checksum(p);
        assert_int_equal(segment_decode(&rx, &out), total == len ? SEGMENT_OK : SEGMENT_SHORT);
    }
}

/* IPv4 options are skipped. */
static void test_ipv4_options(void **state)
{
    (void)state;
    struct segment s = segment_between("192.0.2.1", "192.0.2.2"), out;
    uint8_t good[64], p[80];
    size_t len = encode(&s, good, sizeof good);
    memcpy(p, good, 20);
    memset(p + 20, 1, 8);
    memcpy(p + 28, good + 20, len - 20);
    p[0] = 0x47;
    p[3] = (uint8_t)(len + 8);
    fix_ipv4_checksum(p);
    assert_int_equal(decode(p, len + 8, &out), SEGMENT_OK);
    assert_int_equal(out.dst.port, 80);
}

/* An IPv6 packet with extension headers between. */
static size_t with_extensions(const uint8_t *good, size_t len, const uint8_t *ext, size_t ext_len,
                              uint8_t first, uint8_t *out)
{
    memcpy(out, good, 40);
    out[6] = first;
    put_be16(out + 4, (uint16_t)(len - 40 + ext_len));
    memcpy(out + 40, ext, ext_len);
    memcpy(out + 40 + ext_len, good + 40, len - 40);
    return len + ext_len;
}

static void test_ipv6_extension_headers(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        uint8_t bytes[24];
        size_t len;
        enum segment_error expect;
    } rows[] = {
        {0, {6, 0, 1, 4}, 8, SEGMENT_OK},                     /* hop by hop */
        {0, {60, 0, 1, 4, 0, 0, 0, 0, 6, 1}, 24, SEGMENT_OK}, /* then destination, 16 */
        {43, {6, 0, 4, 0}, 8, SEGMENT_OK},                    /* routing, at its end */
        {43, {6, 0, 4, 1}, 8, SEGMENT_NOT_TCP},               /* routing, under way */
        {44, {6, 0, 0, 0}, 8, SEGMENT_OK},                    /* atomic fragment */
        {44, {6, 0, 0, 1}, 8, SEGMENT_FRAGMENT},              /* more follow */
        {44, {6, 0, 0, 8}, 8, SEGMENT_FRAGMENT},              /* not the first */
        {50, {6, 0, 0, 0}, 8, SEGMENT_NOT_TCP},               /* ESP */
        {59, {0}, 8, SEGMENT_NOT_TCP},                        /* no next header */
        {58, {0}, 8, SEGMENT_ICMP},
        {0, {6, 200, 1, 4}, 8, SEGMENT_SHORT}, /* longer than the packet */
    };
    struct segment s = segment_between("2001:db8::1", "2001:db8::2"), out;
    uint8_t good[64], p[128];
    size_t len = encode(&s, good, sizeof good);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = with_extensions(good, len, rows[i].bytes, rows[i].len, rows[i].first, p);
        if (decode(p, n, &out) != rows[i].expect)
            fail_msg("row %zu: %s", i, segment_error_text(decode(p, n, &out)));
    }
}

static void test_errors_have_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SEGMENT_ERROR_COUNT; i++)
        assert_non_null(segment_error_text(i));
    assert_string_equal(segment_error_text(SEGMENT_ERROR_COUNT), "unknown");
}

/* ---- Encoding and cutting ---- */

static void test_encode_leaves_a_partial_checksum(void **state)
{
    (void)state;
    struct segment s = segment_between("192.0.2.1", "192.0.2.2");
    uint8_t payload[10] = "0123456789";
    struct plait_iov iov[2] = {{payload, 3}, {payload + 3, 7}};
    struct plait_packet_tx tx;
    segment_encode(&s, iov, 2, 1448, &tx);
    assert_int_equal(tx.payload_len, 10);
    assert_int_equal(tx.header_len, 40);
    assert_int_equal(tx.csum_start, 20);
    assert_int_equal(tx.gso_size, 0); /* it fits: not a super-segment */
    assert_int_equal(tx.iov_count, 2);
    assert_int_equal(get_be16(tx.header + 2), 50);
    assert_int_equal(get_be16(tx.header + 36), csum_pseudo(&s.src.addr, &s.dst.addr, 30));
    /* As the kernel finishes it: complement the sum from csum_start on. */
    uint8_t p[64];
    memcpy(p, tx.header, 40);
    memcpy(p + 40, payload, 10);
    put_be16(p + 36, (uint16_t)~csum_partial(p + 20, 30));
    struct segment out;
    assert_int_equal(decode(p, 50, &out), SEGMENT_OK);
    assert_int_equal(out.payload_len, 10);
    uint8_t q[64];
    assert_int_equal(offload_write(&tx, 0, q, sizeof q), 50);
    assert_memory_equal(p, q, 50);
}

/* Cut at random, decode each part, and put the whole together again. */
static void check_cutting(struct prng *rng, const uint8_t *payload)
{
    struct segment s, part;
    struct plait_iov iov[PLAIT_IOV_MAX];
    struct plait_packet_tx tx;
    gen_segment(rng, &s);
    s.flags = (uint8_t)(TCP_ACK | (prng_next(rng) & (TCP_FIN | TCP_PSH | TCP_CWR | TCP_ECE)));
    unsigned pieces = 1 + (unsigned)prng_below(rng, PLAIT_IOV_MAX);
    uint32_t total = 0, gso = 1 + (uint32_t)prng_below(rng, 1500), got = 0;
    for (unsigned i = 0; i < pieces; i++) {
        uint32_t n = (uint32_t)prng_below(rng, 4000);
        iov[i] = (struct plait_iov){payload + total, n};
        total += n;
    }
    segment_encode(&s, iov, pieces, gso, &tx);
    unsigned count = offload_count(&tx);
    assert_int_equal(count, total ? (total + gso - 1) / gso : 1);
    for (unsigned i = 0; i < count; i++) {
        uint32_t want = i + 1 < count ? gso : total - got;
        size_t size = tx.header_len + want;
        uint8_t *p = malloc(size);
        assert_int_equal(offload_write(&tx, i, p, size), size);
        assert_int_equal(decode(p, size, &part), SEGMENT_OK);
        assert_int_equal(part.payload_len, want);
        assert_int_equal(part.seq, s.seq + got);
        uint8_t gone = (uint8_t)((i + 1 < count ? TCP_FIN | TCP_PSH : 0) | (i ? TCP_CWR : 0));
        assert_int_equal(part.flags, s.flags & ~gone);
        assert_memory_equal(part.payload, payload + got, want);
        if (s.src.addr.family == PLAIT_IPV4)
            assert_int_equal(get_be16(p + 4), i);
        struct segment a, b;
        part.seq = s.seq;
        part.flags = s.flags;
        gen_canonical(&s, &a);
        gen_canonical(&part, &b);
        assert_memory_equal(&a, &b, sizeof a);
        got += want;
        free(p);
    }
    assert_int_equal(got, total);
}

static void test_cutting_super_segments(void **state)
{
    (void)state;
    static uint8_t payload[16000];
    struct prng rng;
    prng_seed(&rng, 64);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)prng_next(&rng);
    for (unsigned i = 0; i < 3000; i++)
        check_cutting(&rng, payload);
}

static void test_largest_super_segment(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct segment s = v6 ? segment_between("2001:db8::1", "2001:db8::2")
                              : segment_between("192.0.2.1", "192.0.2.2");
        s.tcp.present = OPT_TIMESTAMP;
        s.mptcp.present = MPO_DSS;
        s.mptcp.dss = (struct mptcp_dss){
            .has_ack = true, .ack64 = true, .has_map = true, .dsn64 = true, .has_checksum = true};
        assert_int_equal(segment_options_len(&s), 40);
        uint8_t *payload = calloc(1, PLAIT_PAYLOAD_MAX), *p = malloc(65535 + 100);
        struct plait_iov iov = {payload, PLAIT_PAYLOAD_MAX};
        struct plait_packet_tx tx;
        struct segment out;
        segment_encode(&s, &iov, 1, 0, &tx);
        size_t len = offload_write(&tx, 0, p, 65535 + 100);
        assert_int_equal(decode(p, len, &out), SEGMENT_OK);
        assert_int_equal(out.payload_len, PLAIT_PAYLOAD_MAX);
        free(payload);
        free(p);
    }
}

static void test_reply_turns_around(void **state)
{
    (void)state;
    struct segment s = segment_between("192.0.2.1", "192.0.2.2"), out;
    memset(&out, 0xee, sizeof out);
    segment_reply(&out, &s);
    assert_true(endpoint_equal(&out.src, &s.dst));
    assert_true(endpoint_equal(&out.dst, &s.src));
    assert_int_equal(out.flags, 0);
    assert_int_equal(segment_options_len(&out), 0);
    segment_reply(&s, &s);
    assert_true(endpoint_equal(&s.src, &out.src));
    s.payload_len = 5;
    s.flags = TCP_SYN | TCP_FIN;
    assert_int_equal(segment_seq_len(&s), 7);
}

/* ---- ICMP ---- */

struct icmp_case {
    uint8_t type, code;
    uint32_t rest; /* the second word */
    bool understood;
    int kind;
    uint16_t mtu;
};

/* An error from a router about `quote` bytes of a segment of ours. */
static size_t icmp_packet(const struct icmp_case *c, const struct segment *s, size_t quote,
                          uint8_t *p)
{
    uint8_t inner[128];
    struct segment outer = *s;
    encode(s, inner, sizeof inner);
    outer.dst.addr = s->src.addr;
    outer.src = at(s->src.addr.family == PLAIT_IPV4 ? "203.0.113.9" : "2001:db8:f::9", 0);
    outer.tcp.present = outer.mptcp.present = 0;
    encode(&outer, p, 128);
    bool v4 = s->src.addr.family == PLAIT_IPV4;
    size_t ip = v4 ? 20 : 40, len = ip + 8 + quote;
    uint8_t *m = p + ip;
    m[0] = c->type;
    m[1] = c->code;
    put_be16(m + 2, 0);
    put_be32(m + 4, c->rest);
    memcpy(m + 8, inner, quote);
    uint16_t sum = csum_partial(m, 8 + quote);
    if (v4) {
        p[9] = 1;
        put_be16(p + 2, (uint16_t)len);
        fix_ipv4_checksum(p);
    } else {
        p[6] = 58;
        put_be16(p + 4, (uint16_t)(8 + quote));
        /* The pseudo-header with protocol 58 instead of 6. */
        uint16_t pseudo = csum_pseudo(&outer.src.addr, &outer.dst.addr, (uint32_t)(8 + quote));
        sum = csum_add(csum_add(sum, pseudo, false), 58 - 6, false);
    }
    put_be16(m + 2, (uint16_t)~sum);
    return len;
}

static bool icmp(const uint8_t *p, size_t len, struct icmp_error *e)
{
    struct plait_packet_rx rx = {.data = p, .len = (uint32_t)len};
    return icmp_decode(&rx, e);
}

static void check_icmp(const struct icmp_case *rows, size_t count, const char *src, const char *dst)
{
    struct segment s = segment_between(src, dst);
    s.seq = 0x12345678;
    size_t ip = s.src.addr.family == PLAIT_IPV4 ? 20 : 40;
    for (size_t i = 0; i < count; i++) {
        uint8_t p[256];
        struct icmp_error e;
        size_t len = icmp_packet(&rows[i], &s, ip + 8, p);
        if (icmp(p, len, &e) != rows[i].understood)
            fail_msg("type %u code %u", rows[i].type, rows[i].code);
        if (!rows[i].understood)
            continue;
        assert_int_equal(e.type, rows[i].type);
        assert_int_equal(e.code, rows[i].code);
        assert_int_equal(e.kind, rows[i].kind);
        assert_int_equal(e.mtu, rows[i].mtu);
        assert_true(endpoint_equal(&e.src, &s.src));
        assert_true(endpoint_equal(&e.dst, &s.dst));
        assert_int_equal(e.seq, s.seq);
        struct segment out;
        assert_int_equal(decode(p, len, &out), SEGMENT_ICMP);
        p[ip + 8 + ip + 5] ^= 1;
        assert_false(icmp(p, len, &e)); /* the checksum */
        for (size_t quote = 0; quote <= ip + 20; quote++)
            assert_int_equal(icmp(p, icmp_packet(&rows[i], &s, quote, p), &e), quote >= ip + 8);
    }
}

static void test_icmp_errors(void **state)
{
    (void)state;
    static const struct icmp_case v4[] = {
        {3, 0, 0, true, ICMP_SOFT, 0},
        {3, 1, 0, true, ICMP_SOFT, 0},
        {3, 2, 0, true, ICMP_HARD, 0},
        {3, 3, 0, true, ICMP_HARD, 0},
        {3, 4, 1400, true, ICMP_TOO_BIG, 1400},
        {3, 4, 0, true, ICMP_TOO_BIG, 0},
        {3, 5, 0, true, ICMP_SOFT, 0},
        {3, 13, 0, true, ICMP_HARD, 0},
        {3, 200, 0, true, ICMP_SOFT, 0},
        {11, 0, 0, true, ICMP_SOFT, 0},
        {12, 0, 0, true, ICMP_SOFT, 0},
        {4, 0, 0, false, 0, 0}, /* source quench */
        {0, 0, 0, false, 0, 0},
        {8, 0, 0, false, 0, 0},
        {5, 1, 0, false, 0, 0},
    };
    static const struct icmp_case v6[] = {
        {1, 0, 0, true, ICMP_SOFT, 0},          {1, 1, 0, true, ICMP_HARD, 0},
        {1, 3, 0, true, ICMP_SOFT, 0},          {1, 4, 0, true, ICMP_HARD, 0},
        {2, 0, 1280, true, ICMP_TOO_BIG, 1280}, {2, 0, 70000, true, ICMP_TOO_BIG, 65535},
        {3, 0, 0, true, ICMP_SOFT, 0},          {4, 1, 0, true, ICMP_HARD, 0},
        {4, 0, 0, true, ICMP_SOFT, 0},          {128, 0, 0, false, 0, 0},
    };
    check_icmp(v4, sizeof v4 / sizeof v4[0], "192.0.2.1", "192.0.2.2");
    check_icmp(v6, sizeof v6 / sizeof v6[0], "2001:db8::1", "2001:db8::2");
}

/* Cut within its own header, in a buffer that ends there. */
static void test_icmp_truncated(void **state)
{
    (void)state;
    const struct icmp_case unreachable = {.type = 3, .code = 1};
    struct segment s = segment_between("192.0.2.1", "192.0.2.2");
    struct icmp_error e;
    uint8_t p[256];
    for (size_t len = 0; len < icmp_packet(&unreachable, &s, 28, p); len++) {
        put_be16(p + 2, (uint16_t)len);
        fix_ipv4_checksum(p);
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, p, len);
        struct plait_packet_rx rx = {.data = exact, .len = (uint32_t)len, .csum_ok = true};
        assert_false(icmp_decode(&rx, &e));
        free(exact);
    }
}

static void test_icmp_about_others(void **state)
{
    (void)state;
    const struct icmp_case unreachable = {.type = 3, .code = 1};
    struct segment s = segment_between("192.0.2.1", "192.0.2.2");
    struct icmp_error e;
    uint8_t p[256];
    size_t len = icmp_packet(&unreachable, &s, 40, p);
    struct plait_packet_rx rx = {.data = p, .len = (uint32_t)len, .csum_ok = true};
    assert_true(icmp_decode(&rx, &e));
    p[28 + 9] = 17; /* UDP */
    assert_false(icmp_decode(&rx, &e));
    p[28 + 9] = 6;
    p[28 + 7] = 1; /* not the first fragment: no ports there */
    assert_false(icmp_decode(&rx, &e));
    p[28 + 7] = 0;
    p[28 + 6] = 0x20; /* the first of several */
    assert_true(icmp_decode(&rx, &e));
    p[28] = 0x60;
    assert_false(icmp_decode(&rx, &e));
    encode(&s, p, sizeof p);
    rx.len = 40;
    assert_false(icmp_decode(&rx, &e)); /* TCP */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csum_agrees_with_the_definition),
        cmocka_unit_test(test_csum_ways_agree),
        cmocka_unit_test(test_csum_of_a_super_segment_of_ones),
        cmocka_unit_test(test_csum_of_a_mapping),
        cmocka_unit_test(test_pseudo_header),
        cmocka_unit_test(test_ipv4_header_as_written),
        cmocka_unit_test(test_ipv6_header_as_written),
        cmocka_unit_test(test_ipv4_oddities),
        cmocka_unit_test(test_tcp_header_longer_than_the_packet),
        cmocka_unit_test(test_ipv4_options),
        cmocka_unit_test(test_ipv6_extension_headers),
        cmocka_unit_test(test_errors_have_text),
        cmocka_unit_test(test_encode_leaves_a_partial_checksum),
        cmocka_unit_test(test_cutting_super_segments),
        cmocka_unit_test(test_largest_super_segment),
        cmocka_unit_test(test_reply_turns_around),
        cmocka_unit_test(test_icmp_errors),
        cmocka_unit_test(test_icmp_truncated),
        cmocka_unit_test(test_icmp_about_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
