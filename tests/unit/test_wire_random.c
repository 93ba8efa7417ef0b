/* SPDX-License-Identifier: MIT
 *
 * Properties of the codec over random segments and random bytes. Every buffer
 * has exactly the length it claims, on the heap, so that the sanitizer sees
 * the first byte read too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/offload.h"
#include "wire/options.h"
#include "wire_gen.h"

enum { SEGMENTS = 200000, NOISE = 60000, PAYLOAD_MAX = 64 };

/* Encode with some payload, finish the checksums: one packet on the heap. */
static uint8_t *packet_of(const struct segment *s, uint32_t payload_len, size_t *len)
{
    static uint8_t payload[PAYLOAD_MAX];
    struct plait_iov iov = {payload, payload_len};
    struct plait_packet_tx tx;
    for (unsigned i = 0; i < PAYLOAD_MAX; i++)
        payload[i] = (uint8_t)(i * 7);
    segment_encode(s, &iov, 1, 0, &tx);
    size_t size = tx.header_len + payload_len;
    uint8_t *buf = malloc(size);
    *len = offload_write(&tx, 0, buf, size);
    assert_int_equal(*len, size);
    return buf;
}

static enum segment_error decode(const uint8_t *data, size_t len, bool csum_ok, struct segment *s)
{
    struct plait_packet_rx rx = {.data = data, .len = (uint32_t)len, .csum_ok = csum_ok};
    return segment_decode(&rx, s);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct prng rng;
    struct segment in, out, a, b;
    prng_seed(&rng, 8684);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        size_t len, len2;
        gen_segment(&rng, &in);
        uint32_t payload_len = (uint32_t)prng_below(&rng, PAYLOAD_MAX + 1);
        uint8_t *packet = packet_of(&in, payload_len, &len);
        memset(&out, 0xa5, sizeof out); /* decode must not lean on what was there */
        assert_int_equal(decode(packet, len, false, &out), SEGMENT_OK);
        assert_int_equal(out.payload_len, payload_len);
        assert_ptr_equal(out.payload, packet + len - payload_len);
        assert_int_equal(segment_options_len(&out), segment_options_len(&in));
        gen_canonical(&in, &a);
        gen_canonical(&out, &b);
        assert_memory_equal(&a, &b, sizeof a);
        uint8_t *again = packet_of(&out, payload_len, &len2);
        assert_int_equal(len, len2);
        assert_memory_equal(packet, again, len);
        free(packet);
        free(again);
    }
}

static void test_every_bit_flip_of_the_checksummed_part_is_noticed(void **state)
{
    (void)state;
    struct prng rng;
    struct segment s, out;
    prng_seed(&rng, 1071);
    for (unsigned i = 0; i < 300; i++) {
        size_t len;
        gen_segment(&rng, &s);
        uint8_t *packet = packet_of(&s, 9, &len);
        size_t tcp = s.src.addr.family == PLAIT_IPV4 ? 20 : 40;
        for (size_t bit = tcp * 8; bit < len * 8; bit++) {
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(decode(packet, len, false, &out), SEGMENT_OK);
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(packet);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    struct prng rng;
    struct segment s, out;
    prng_seed(&rng, 791);
    for (unsigned i = 0; i < 2000; i++) {
        size_t len;
        gen_segment(&rng, &s);
        uint8_t *packet = packet_of(&s, 5, &len);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *part = malloc(cut ? cut : 1);
            memcpy(part, packet, cut);
            assert_int_equal(decode(part, cut, true, &out), SEGMENT_SHORT);
            free(part);
        }
        free(packet);
    }
}

/* Each option of each form, cut at each byte: alone in a header whose option
 * space ends there, and with a length field that says so. */
static void check_cut_option(const uint8_t *option, unsigned len)
{
    struct segment out;
    for (unsigned cut = 0; cut < len; cut++) {
        uint8_t *o = malloc(cut ? cut : 1);
        memcpy(o, option, cut);
        if (cut >= 2) {
            o[1] = (uint8_t)cut;
            segment_clear(&out);
            if (o[0] == TCPOPT_MPTCP)
                mptcp_option_decode(o, cut, &out.mptcp);
            else
                tcp_option_decode(o, cut, &out.tcp);
        }
        free(o);
        /* In a packet: NOPs first, so that the header ends at the cut. */
        unsigned pad = (4 - cut % 4) % 4, header = 40 + pad + cut;
        uint8_t *p = calloc(1, header);
        p[0] = 0x45;
        p[3] = (uint8_t)header;
        p[9] = 6;
        memset(p + 40, TCPOPT_NOP, pad);
        memcpy(p + 40 + pad, option, cut);
        p[32] = (uint8_t)((header - 20) / 4 << 4);
        uint32_t sum = 0;
        for (unsigned i = 0; i < 20; i += 2)
            sum += (uint32_t)(p[i] << 8 | p[i + 1]);
        sum = (sum & 0xffff) + (sum >> 16);
        p[10] = (uint8_t)(~sum >> 8);
        p[11] = (uint8_t)~sum;
        assert_int_equal(decode(p, header, true, &out), cut ? SEGMENT_BAD_OPTION : SEGMENT_OK);
        free(p);
    }
}

static void test_every_option_cut_at_every_byte(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 6824);
    for (unsigned i = 0; i < 20 * 40; i++) {
        struct segment s;
        uint8_t buf[2 * TCP_OPTIONS_MAX];
        struct writer w = {.buf = buf, .cap = sizeof buf};
        segment_clear(&s);
        if (i % 20 < 14) {
            gen_mptcp_option(&rng, &s, 1U << i % 20);
            mptcp_options_encode(&s.mptcp, &w);
        } else {
            gen_tcp_option(&rng, &s, 1U << (i % 20 - 14));
            tcp_options_encode(&s.tcp, &w);
        }
        assert_true(writer_ok(&w));
        uint8_t *o = buf;
        while (*o == TCPOPT_NOP)
            o++;
        check_cut_option(o, o[1]);
    }
}

static void test_random_bytes_are_harmless(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 793);
    char text[2000];
    unsigned understood = 0;
    for (unsigned i = 0; i < NOISE; i++) {
        struct segment s;
        struct icmp_error e;
        size_t len;
        uint8_t *packet;
        gen_segment(&rng, &s);
        packet = packet_of(&s, 3, &len);
        for (uint64_t n = prng_below(&rng, 8); n; n--)
            packet[prng_below(&rng, len)] = (uint8_t)prng_next(&rng);
        if (decode(packet, len, prng_chance(&rng, 900000), &s) == SEGMENT_OK) {
            understood++;
            segment_format(&s, text, sizeof text);
        }
        struct plait_packet_rx rx = {.data = packet, .len = (uint32_t)len, .csum_ok = true};
        icmp_decode(&rx, &e);
        free(packet);

        len = prng_below(&rng, 128);
        packet = malloc(len ? len : 1);
        for (size_t j = 0; j < len; j++)
            packet[j] = (uint8_t)prng_next(&rng);
        if (len && prng_chance(&rng, 900000))
            packet[0] = prng_chance(&rng, 500000) ? 0x45 : 0x60;
        decode(packet, len, true, &s);
        rx = (struct plait_packet_rx){.data = packet, .len = (uint32_t)len, .csum_ok = true};
        icmp_decode(&rx, &e);
        free(packet);
    }
    assert_true(understood > NOISE / 10);
}

/* What a peer may send as options, however odd: whatever of it decodes must
 * encode into something that decodes to the same. */
static void test_random_options_reach_a_fixed_point(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 30);
    unsigned kept = 0;
    for (unsigned i = 0; i < NOISE; i++) {
        struct mptcp_options m = {0};
        for (unsigned n = 0; n < 3; n++) {
            uint8_t o[TCP_OPTIONS_MAX];
            unsigned len = 3 + (unsigned)prng_below(&rng, 28);
            for (unsigned j = 2; j < len; j++)
                o[j] = (uint8_t)prng_next(&rng);
            o[0] = TCPOPT_MPTCP;
            o[1] = (uint8_t)len;
            mptcp_option_decode(o, len, &m);
        }
        uint8_t buf[3 * TCP_OPTIONS_MAX];
        struct writer w = {.buf = buf, .cap = sizeof buf};
        mptcp_options_encode(&m, &w);
        assert_true(writer_ok(&w));
        assert_int_equal(w.len, mptcp_options_len(&m));
        if (m.present & MPO_TCPRST)
            m.tcprst.flags = m.tcprst.transient; /* U, V and W are never sent */
        m.present &= ~(uint32_t)MPO_EXPERIMENTAL;
        m.unknown_count = m.malformed_count = 0;
        struct segment a = {.mptcp = m}, b = {0}, ca, cb;
        for (uint8_t *o = buf; o < buf + w.len;) {
            if (*o == TCPOPT_NOP) {
                o++;
                continue;
            }
            mptcp_option_decode(o, o[1], &b.mptcp);
            o += o[1];
        }
        gen_canonical(&a, &ca);
        gen_canonical(&b, &cb);
        assert_memory_equal(&ca, &cb, sizeof ca);
        kept += m.present != 0;
    }
    assert_true(kept > NOISE / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_bit_flip_of_the_checksummed_part_is_noticed),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_option_cut_at_every_byte),
        cmocka_unit_test(test_random_bytes_are_harmless),
        cmocka_unit_test(test_random_options_reach_a_fixed_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
