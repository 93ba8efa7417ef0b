/* SPDX-License-Identifier: MIT
 *
 * What packets meet between two stacks: cutting and merging, captures and
 * tallies (boxes: test_box.c). Packets are made by wire/ and read back by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "sim/stream.h"
#include "wire/offload.h"
#include "wire/segment.h"

enum { PAYLOAD = 5000, MSS = 1000 };

static uint8_t data[PAYLOAD];

static void data_segment(struct segment *s, bool ipv6)
{
    segment_clear(s);
    assert_true(addr_parse(ipv6 ? "fd00::1" : "10.0.0.1", &s->src.addr));
    assert_true(addr_parse(ipv6 ? "fd00::2" : "10.0.0.2", &s->dst.addr));
    s->src.port = 1000;
    s->dst.port = 80;
    s->seq = 0xfffff000;
    s->ack = 77;
    s->window = 500;
    s->flags = TCP_ACK;
    s->tcp.present = OPT_TIMESTAMP;
    s->tcp.tsval = 5;
    s->mptcp.present = MPO_DSS;
    s->mptcp.dss = (struct mptcp_dss){
        .has_ack = true, .has_map = true, .data_ack = 1, .dsn = 2, .ssn = 1, .data_len = PAYLOAD};
}

/* The packets that *s with `len` bytes becomes on the wire. */
static unsigned wire_packets(const struct segment *s, uint32_t len, struct sim_packet **out)
{
    struct plait_packet_tx tx;
    const struct plait_iov iov = {data, len};
    segment_encode(s, &iov, len != 0, len > MSS ? MSS : 0, &tx);
    unsigned count = offload_count(&tx);
    for (unsigned i = 0; i < count; i++) {
        out[i] = sim_packet_new(2000);
        out[i]->len = (uint32_t)offload_write(&tx, i, out[i]->bytes, 2000);
    }
    return count;
}

static void decode(const struct sim_packet *p, bool csum_ok, struct segment *s)
{
    const struct plait_packet_rx rx = {.data = p->bytes,
                                       .len = p->len,
                                       .gso_size = p->gso_size,
                                       .csum_ok = csum_ok};
    assert_int_equal(segment_decode(&rx, s), SEGMENT_OK);
}

static void setup_data(void)
{
    pattern_fill(42, 0, data, sizeof data);
}

static void merged_again(bool ipv6)
{
    struct segment s;
    struct gro g = {0};
    struct sim_packet *p[8], *whole = NULL;
    setup_data();
    data_segment(&s, ipv6);
    unsigned count = wire_packets(&s, PAYLOAD - 100, p);
    assert_int_equal(count, 5);
    for (unsigned i = 0; i < count; i++) {
        assert_null(whole);
        whole = gro_add(&g, &p[i], 10);
        assert_null(p[i]);
    }
    assert_non_null(whole); /* the short one closed it */
    assert_int_equal(whole->gso_size, MSS);
    decode(whole, true, &s);
    assert_int_equal(s.payload_len, PAYLOAD - 100);
    assert_memory_equal(s.payload, data, PAYLOAD - 100);
    assert_int_equal(s.seq, 0xfffff000);
    assert_int_equal(s.mptcp.dss.data_len, PAYLOAD);
    assert_null(gro_flush(&g));
    sim_packet_free(whole);
}

static void cut_segments_are_merged(void **state)
{
    (void)state;
    merged_again(false);
    merged_again(true);
}

/* A gap, another option, a bad checksum, a pure ACK: each ends what is held. */
static void others_are_not_merged(void **state)
{
    (void)state;
    setup_data();
    for (unsigned kind = 0; kind < 6; kind++) {
        struct segment s;
        struct gro g = {0};
        struct sim_packet *p[8], *other[8], *before;
        data_segment(&s, false);
        wire_packets(&s, PAYLOAD, p);
        assert_null(gro_add(&g, &p[0], 10));
        s.seq += kind == 0 ? 2 * MSS : MSS;
        s.tcp.tsval += kind == 1;
        s.mptcp.dss.dsn += kind == 2;
        s.window = kind == 3 ? 501 : 500;
        wire_packets(&s, kind == 4 ? 0 : MSS, other);
        if (kind == 5)
            other[0]->bytes[other[0]->len - 1] ^= 4;
        before = gro_add(&g, &other[0], 11);
        assert_non_null(before);
        assert_int_equal(before->gso_size, 0);
        decode(before, false, &s);
        assert_int_equal(s.payload_len, MSS);
        sim_packet_free(before);
        assert_int_equal(other[0] != NULL, kind >= 4); /* passes as it is */
        sim_packet_free(other[0]);
        sim_packet_free(gro_flush(&g));
        for (unsigned i = 1; i < 5; i++)
            sim_packet_free(p[i]);
    }
}

/* ---- traces ----------------------------------------------------------------------------- */

static void tallies_count_forms(void **state)
{
    struct tally t = {0};
    struct segment s;
    struct sim_packet *p[1];
    (void)state;
    data_segment(&s, false);
    s.mptcp.dss.data_fin = true;
    s.mptcp.dss.dsn64 = true;
    wire_packets(&s, 100, p);
    tally_packet(&t, p[0]);
    assert_int_equal(t.data_fin_with_data, 1);
    assert_int_equal(t.dsn64, 1);
    assert_int_equal(t.ack32, 1);
    assert_int_equal(t.plain_data, 0);
    p[0]->bytes[30] ^= 1;
    tally_packet(&t, p[0]);
    assert_int_equal(t.undecodable, 1);
    sim_packet_free(p[0]);
}

static void hashes_tell_runs_apart(void **state)
{
    struct trace a = {0}, b = {0}, c = {0};
    struct segment s;
    struct sim_packet *p[1];
    (void)state;
    data_segment(&s, false);
    wire_packets(&s, 100, p);
    trace_packet(&a, 1, 10, p[0]);
    trace_packet(&b, 1, 10, p[0]);
    assert_int_equal(a.hash, b.hash);
    trace_packet(&c, 1, 11, p[0]);
    assert_int_not_equal(a.hash, c.hash);
    p[0]->bytes[60] ^= 1;
    trace_packet(&a, 1, 12, p[0]);
    p[0]->bytes[60] ^= 1;
    trace_packet(&b, 1, 12, p[0]);
    assert_int_not_equal(a.hash, b.hash);
    sim_packet_free(p[0]);
}

static void captures_are_pcap(void **state)
{
    char name[] = "/tmp/plait-test-XXXXXX";
    uint8_t got[200];
    struct segment s;
    struct sim_packet *p[1];
    (void)state;
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    data_segment(&s, false);
    wire_packets(&s, 20, p);
    struct pcap *c = pcap_open(name);
    assert_non_null(c);
    pcap_write(c, 3000007, p[0]);
    assert_true(pcap_close(c));
    assert_int_equal(read(fd, got, sizeof got), 24 + 16 + p[0]->len);
    const uint32_t head[] = {3, 7, p[0]->len, p[0]->len};
    assert_memory_equal(got + 24, head, sizeof head);
    assert_memory_equal(got + 40, p[0]->bytes, p[0]->len);
    sim_packet_free(p[0]);
    close(fd);
    unlink(name);
}

static void patterns_can_be_read_anywhere(void **state)
{
    uint8_t whole[300], part[300];
    (void)state;
    pattern_fill(9, 1000, whole, sizeof whole);
    for (unsigned at = 0; at < 300; at += 7) {
        pattern_fill(9, 1000 + at, part, 300 - at);
        assert_memory_equal(part, whole + at, 300 - at);
        assert_true(pattern_equal(9, 1000 + at, whole + at, 300 - at));
    }
    whole[299] ^= 1;
    assert_false(pattern_equal(9, 1000, whole, 300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_segments_are_merged), cmocka_unit_test(others_are_not_merged),
        cmocka_unit_test(tallies_count_forms),     cmocka_unit_test(hashes_tell_runs_apart),
        cmocka_unit_test(captures_are_pcap),       cmocka_unit_test(patterns_can_be_read_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
