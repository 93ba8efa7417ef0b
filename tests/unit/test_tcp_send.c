/* SPDX-License-Identifier: MIT
 *
 * Sending: windows of both kinds, Nagle, super-segments, records over chunk
 * borders, persist, keepalive, pacing.
 */
#include "tcp_trace.h"

#define DATA_OUT(w, at, n) EXPECT(w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + (at), .len = (n))
#define ACK_IN(w, n) SEND(w, .flags = TCP_ACK, .seq = THEM, .ack = US + (n))

/* RFC 6928: ten segments, then what ACKs make room for. */
static void test_initial_window(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    assert_int_equal(w.tcp.control.cwnd_bytes, 10 * MSS);
    assert_int_equal(tcp_room(&w.tcp, w.now_us), 10 * MSS);
    for (unsigned i = 0; i < 15; i++)
        push(&w, MSS);
    assert_int_equal(tcp_room(&w.tcp, w.now_us), 0); /* what is bound comes first */
    for (unsigned i = 0; i < 10; i++)
        DATA_OUT(&w, i * MSS, MSS);
    EXPECT_NONE(&w);
    AT(&w, 100);
    ACK_IN(&w, 2 * MSS);
    assert_int_equal(w.r.acked_bytes, 2 * MSS);
    assert_int_equal(w.tcp.control.cwnd_bytes, 12 * MSS); /* slow start */
    for (unsigned i = 10; i < 14; i++)
        DATA_OUT(&w, i * MSS, MSS);
    EXPECT_NONE(&w);
    assert_int_equal(w.tcp.rtt.latest_us, 100000);
    world_free(&w);
}

/* The bytes of a round trip over it, the best that was seen; and whether there
 * was a queue, which more of them would only have made longer. */
static void test_rate(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    for (unsigned i = 0; i < 12; i++)
        push(&w, MSS);
    for (unsigned i = 0; i < 10; i++)
        DATA_OUT(&w, i * MSS, MSS);
    AT(&w, 100);
    ACK_IN(&w, 2 * MSS);
    assert_int_equal(w.tcp.rate.best, 20000); /* 2000 bytes in 100 ms */
    assert_false(w.tcp.rate.full);
    AT(&w, 110); /* sent 10 ms after the last ACK */
    DATA_OUT(&w, 10 * MSS, MSS);
    ACK_IN(&w, 10 * MSS);
    assert_int_equal(w.tcp.rate.best, 90909); /* 10000 in 110 ms */
    assert_false(w.tcp.rate.full);
    AT(&w, 250);
    ACK_IN(&w, 11 * MSS);
    assert_int_equal(w.tcp.rate.best, 90909); /* 9000 in 150 ms, with a queue */
    assert_true(w.tcp.rate.full);
    world_free(&w);
}

/* The best grows old, but not while nothing tells what the path bears. */
static void test_rate_grows_old(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    AT(&w, 100);
    ACK_IN(&w, 10 * MSS);
    assert_int_equal(w.tcp.rate.best, 100000);
    for (unsigned i = 0; i < 40; i++) {
        push(&w, MSS);
        DATA_OUT(&w, (10 + i) * MSS, MSS);
        AT(&w, 100 * (i + 2)); /* a segment in 100 ms, */
        ACK_IN(&w, (11 + i) * MSS);
    }
    assert_int_equal(w.tcp.rate.best, 100000);
    for (unsigned i = 0; i < 20; i++) {
        push(&w, MSS);
        DATA_OUT(&w, (50 + i) * MSS, MSS);
        AT(&w, 4100 + 200 * (i + 1)); /* and now in 200: there is a queue */
        ACK_IN(&w, (51 + i) * MSS);
    }
    assert_int_equal(w.tcp.rate.best, 5000);
    assert_true(w.tcp.rate.full);
    world_free(&w);
}

/* Half of the window; the threshold stays in slow start, where it is not known
 * yet what the path bears, and in recovery nothing is changed. */
static void test_penalised(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    uint64_t ssthresh = w.tcp.control.ssthresh_bytes;
    tcp_penalise(&w.tcp);
    assert_int_equal(w.tcp.control.cwnd_bytes, 5 * MSS);
    assert_int_equal(w.tcp.control.ssthresh_bytes, ssthresh);
    w.tcp.control.ssthresh_bytes = 5 * MSS;
    w.tcp.control.cwnd_bytes = 8 * MSS;
    tcp_penalise(&w.tcp);
    assert_int_equal(w.tcp.control.cwnd_bytes, 4 * MSS);
    assert_int_equal(w.tcp.control.ssthresh_bytes, 4 * MSS);
    for (unsigned i = 0; i < 3; i++)
        tcp_penalise(&w.tcp);
    assert_int_equal(w.tcp.control.cwnd_bytes, 2 * MSS);
    w.tcp.recovery.state = TCP_RS_LOSS;
    w.tcp.control.cwnd_bytes = 8 * MSS;
    tcp_penalise(&w.tcp);
    assert_int_equal(w.tcp.control.cwnd_bytes, 8 * MSS);
    w.tcp.recovery.state = TCP_RS_OPEN;
    world_free(&w);
}

/* RFC 7661: an unused window does not grow. */
static void test_window_not_used(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    for (unsigned i = 0; i < 20; i++) {
        push(&w, MSS);
        DATA_OUT(&w, i * MSS, MSS);
        AT(&w, 100 * (i + 1));
        ACK_IN(&w, (i + 1) * MSS);
    }
    assert_int_equal(w.tcp.control.cwnd_bytes, 10 * MSS);
    world_free(&w);
}

/* The mark of a full window follows what is acknowledged: left behind, it would
 * seem to lie ahead after 2 GB, and an unused window grow for 2 GB. */
static void test_full_window_is_forgotten(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    assert_int_equal(w.tcp.control.limited_seq, US + 10 * MSS);
    AT(&w, 100);
    ACK_IN(&w, 9 * MSS);
    ACK_IN(&w, 10 * MSS);
    for (unsigned i = 10; i < 12; i++) {
        push(&w, MSS);
        DATA_OUT(&w, i * MSS, MSS);
        AT(&w, 100 * i);
        ACK_IN(&w, (i + 1) * MSS);
        assert_int_equal(w.tcp.control.limited_seq, US + (i + 1) * MSS);
    }
    world_free(&w);
}

static void test_idle_restart(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    w.tcp.control.cwnd_bytes = 40 * MSS;
    push(&w, MSS);
    DATA_OUT(&w, 0, MSS);
    AT(&w, 100);
    ACK_IN(&w, MSS);
    AT(&w, 900);
    assert_int_equal(tcp_room(&w.tcp, w.now_us), 10 * MSS);
    push(&w, MSS);
    DATA_OUT(&w, MSS, MSS);
    assert_int_equal(w.tcp.control.cwnd_bytes, 10 * MSS);
    world_free(&w);
}

/* The peer's window: never passed, not even by a byte. */
static void test_peer_window(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .window = 2500);
    assert_int_equal(tcp_room(&w.tcp, w.now_us), 2500);
    push(&w, 4000);
    EXPECT(&w, DATA, .seq = US, .len = MSS);
    EXPECT(&w, DATA, .seq = US + MSS, .len = MSS);
    EXPECT_NONE(&w); /* 500 left: a silly window while data is out */
    AT(&w, 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 2 * MSS, .window = 3000);
    assert_true(w.r.flags & TCP_R_WINDOW);
    EXPECT(&w, DATA, .seq = US + 2 * MSS, .len = MSS);
    DATA_OUT(&w, 3 * MSS, MSS);
    /* An older segment does not set the window (RFC 9293 3.10.7.4). */
    SEND(&w, .flags = TCP_ACK, .seq = THEM - 1, .ack = US + 2 * MSS, .window = 9);
    assert_int_equal(w.tcp.snd_wnd, 3000);
    world_free(&w);
}

static void test_nagle(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    push_flagged(&w, 100, false);
    DATA_OUT(&w, 0, 100); /* nothing is out: at once */
    push_flagged(&w, 100, false);
    EXPECT_NONE(&w);
    push_flagged(&w, 2500, false); /* more follows, so the small one goes */
    EXPECT(&w, DATA, .seq = US + 100, .len = 100);
    EXPECT(&w, DATA, .seq = US + 200, .len = MSS);
    EXPECT(&w, DATA, .seq = US + 1200, .len = MSS);
    EXPECT_NONE(&w); /* the tail waits */
    ACK_IN(&w, 2200);
    DATA_OUT(&w, 2200, 500);
    push(&w, 7); /* pushed: does not wait */
    DATA_OUT(&w, 2700, 7);
    push_flagged(&w, 5, false);
    EXPECT_NONE(&w);
    tcp_close(&w.tcp, w.now_us); /* nothing more will come */
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH | TCP_FIN, .seq = US + 2707, .len = 5);
    world_free(&w);
}

static void test_super_segment(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.burst_max_bytes = 6500;
    open_config(&w);
    w.ask.data_option_len = 20;
    assert_int_equal(tcp_burst(&w.tcp, 20), 6 * 980);
    push(&w, 9000);
    EXPECT(&w, DATA, .seq = US, .len = 6 * 980, .gso = 980);
    assert_int_equal(w.plan.record->map.dsn, 7);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 5880, .len = 3120, .gso = 980);
    EXPECT_NONE(&w);
    assert_int_equal(w.tcp.stats.segs_out, 2 + 6 + 4);
    /* A SACK inside cuts at the borders of the segments it was sent as. */
    AT(&w, 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 980, .sacks = 1,
         .sack = {{US + 1000, US + 980 * 4 + 10}});
    assert_int_equal(w.tcp.recovery.sacked_bytes, 2 * 980);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 9000);
    assert_true(list_empty(&w.tcp.records));
    assert_int_equal(w.tcp.stats.bytes_acked, 9000);
    world_free(&w);
}

/* A record that lies in two chunks, cut anywhere, keeps its bytes. */
static void test_two_chunks(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    struct plait_chunk *c[2] = {chunk_new(&w.mem, 1500), chunk_new(&w.mem, 3000)};
    for (unsigned i = 0; i < 4500; i++)
        *(i < 1500 ? &c[0]->data[i] : &c[1]->data[i - 1500]) = (uint8_t)(i % 251);
    struct tcp_map map = {.dsn = 1};
    assert_true(tcp_push(&w.tcp, c, 200, 4000, &map, true));
    chunk_unref(c[0]);
    chunk_unref(c[1]);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(tcp_plan(&w.tcp, w.now_us, &w.ask, &w.plan));
        uint32_t at = 200 + i * MSS;
        for (unsigned k = 0; k < w.plan.iov_count; k++)
            for (unsigned j = 0; j < w.plan.iov[k].len; j++)
                assert_int_equal(w.plan.iov[k].data[j], at++ % 251);
        assert_int_equal(at, 200 + (i + 1) * MSS);
        assert_int_equal(w.plan.iov_count, i == 1 ? 2 : 1);
        tcp_sent(&w.tcp, &w.plan, w.now_us, &w.r);
        note(&w);
    }
    ACK_IN(&w, 1400); /* inside a segment: the first chunk is let go */
    assert_int_equal(c[1]->refs, 3);
    ACK_IN(&w, 4000);
    world_free(&w);
}

/* A plan may be thrown away: nothing has changed. */
static void test_plan_is_pure(void **state)
{
    struct world w;
    struct tcp before;
    (void)state;
    open_active(&w);
    push(&w, 3000);
    memcpy(&before, &w.tcp, sizeof before);
    assert_true(tcp_plan(&w.tcp, w.now_us, &w.ask, &w.plan));
    assert_memory_equal(&before, &w.tcp, sizeof before);
    world_free(&w);
}

/* RFC 9293 3.8.6.1: probes with backoff, for as long as they are answered. */
static void test_persist(void **state)
{
    struct world w;
    uint64_t ms = 0;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .window = 0);
    push(&w, 500);
    EXPECT_NONE(&w);
    for (unsigned i = 0; i < 12; i++) {
        uint64_t wait = (uint64_t)300 << i;
        wait = wait > 120000 ? 120000 : wait;
        assert_int_equal(next_ms(&w), wait);
        ms += wait;
        AT(&w, ms);
        EXPECT(&w, PROBE, .seq = US - 1);
        EXPECT_NONE(&w);
        SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .window = 0);
    }
    assert_int_equal(w.tcp.stats.timeouts, 0);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .window = 1000);
    assert_true(w.r.flags & TCP_R_WINDOW);
    DATA_OUT(&w, 0, 500);
    world_free(&w);
}

static void test_persist_unanswered(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.data_retries = 3;
    open_config(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .window = 0);
    push(&w, 500);
    AT(&w, 300 + 600 + 1200 + 2400);
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.tcp.error, TCP_TIMED_OUT);
    world_free(&w);
}

/* Nothing is bound, but the owner says that the window keeps it from that. */
static void test_want_window(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    tcp_want_window(&w.tcp, true, w.now_us);
    AT(&w, 300);
    EXPECT(&w, PROBE, .seq = US - 1);
    tcp_want_window(&w.tcp, false, w.now_us);
    assert_true(next_ms(&w) == UINT64_MAX);
    world_free(&w);
}

/* RFC 9293 3.8.6.2.1 (4): a window that stays small is used in the end. */
static void test_silly_window(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .window = 300);
    assert_int_equal(tcp_room(&w.tcp, w.now_us), 0);
    push(&w, 2000);
    EXPECT_NONE(&w);
    AT(&w, 300);
    EXPECT(&w, DATA, .seq = US, .len = 300);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* The window was taken back under what is out: the timer repeats the head. */
static void test_window_taken_back(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    push(&w, 3000);
    for (unsigned i = 0; i < 2; i++)
        EXPECT(&w, DATA, .seq = US + i * MSS, .len = MSS);
    DATA_OUT(&w, 2 * MSS, MSS);
    AT(&w, 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + MSS, .window = 0);
    AT(&w, 310); /* the probe of RFC 8985, which the window does not allow as new data */
    EXPECT(&w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US + 2 * MSS, .len = MSS);
    AT(&w, 610);
    EXPECT(&w, RETRANSMIT, .seq = US + MSS, .len = MSS);
    EXPECT_NONE(&w);
    world_free(&w);
}

static void test_keepalive(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.keepalive_idle_us = 10 * 1000 * 1000;
    w.config.keepalive_interval_us = 1000 * 1000;
    w.config.keepalive_probes = 3;
    open_config(&w);
    AT(&w, 10000);
    EXPECT(&w, PROBE, .seq = US - 1);
    ACK_IN(&w, 0);
    assert_int_equal(next_ms(&w), 10000);
    for (unsigned i = 0; i < 3; i++) {
        AT(&w, 20000 + 1000 * i);
        EXPECT(&w, PROBE, .seq = US - 1);
    }
    AT(&w, 23000);
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.tcp.error, TCP_TIMED_OUT);
    world_free(&w);
}

/* A proxy acknowledged a segment, lost it, and went away. The peer is there and
 * answers probes, always with the ACK of before: that does not count. */
static void test_keepalive_to_a_peer_that_is_behind(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.keepalive_idle_us = 10 * 1000 * 1000;
    w.config.keepalive_interval_us = 1000 * 1000;
    w.config.keepalive_probes = 3;
    open_config(&w);
    push(&w, MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = MSS);
    ACK_IN(&w, MSS);
    for (unsigned i = 0; i < 3; i++) {
        AT(&w, 10000 + 1000 * i);
        EXPECT(&w, PROBE, .seq = US + MSS - 1);
        ACK_IN(&w, 0);
    }
    AT(&w, 13000);
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.tcp.error, TCP_TIMED_OUT);
    world_free(&w);
}

/* Twice the window a round trip in slow start: 10 000 bytes in 100 ms are
 * 200 000 a second, so a burst is two segments, every 10 ms. */
static void test_pacing(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.pacing = true;
    w.config.burst_max_bytes = 60000;
    open_config(&w);
    assert_int_equal(w.tcp.control.pacing_rate, 200000);
    assert_int_equal(tcp_burst(&w.tcp, 0), 2 * MSS);
    for (unsigned i = 0; i < 4; i++)
        push(&w, 2 * MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 2 * MSS, .gso = MSS);
    assert_int_equal(tcp_pace_at(&w.tcp) - w.now_us, 9000); /* a millisecond is made up */
    EXPECT_NONE(&w);
    assert_int_equal(next_ms(&w), 9);
    assert_int_equal(tcp_room(&w.tcp, w.now_us), 0);
    AT(&w, 8);
    EXPECT_NONE(&w);
    AT(&w, 9);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 2 * MSS, .len = 2 * MSS, .gso = MSS);
    assert_int_equal(tcp_pace_at(&w.tcp) - w.now_us, 10000);
    EXPECT_NONE(&w);
    tcp_want_ack(&w.tcp); /* ACKs are not paced */
    EXPECT(&w, ACK, .seq = US + 4 * MSS);
    world_free(&w);
}

/* Where a turn comes every 20 ms, a burst is what the rate is in that time, and
 * twice as much is made up. */
static void test_pacing_in_late_turns(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.pacing = true;
    w.config.burst_max_bytes = 60000;
    open_config(&w);
    w.env.late_us = 20 * 1000;
    assert_int_equal(tcp_burst(&w.tcp, 0), 4 * MSS);
    AT(&w, 100);
    push(&w, 4 * MSS);
    push(&w, 4 * MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 4 * MSS, .gso = MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 4 * MSS, .len = 4 * MSS, .gso = MSS);
    assert_int_equal(tcp_pace_at(&w.tcp), w.now_us); /* 40 ms made up */
    world_free(&w);
}

/* 100 ms was the handshake's round trip, 10 ms is that of the first data. */
static uint64_t rate_after_a_slow_handshake(uint32_t late_us)
{
    struct world w;
    world_init(&w);
    w.config.pacing = true;
    open_config(&w);
    w.env.late_us = late_us;
    AT(&w, 100);
    push(&w, MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = MSS);
    AT(&w, 110);
    ACK_IN(&w, MSS);
    uint64_t rate = w.tcp.control.pacing_rate, window = w.tcp.control.cwnd_bytes;
    assert_int_equal(w.tcp.rtt.srtt_us, 88750);
    world_free(&w);
    return rate * 1000 / window;
}

/* A host that has its hands full takes the last round trip, doubled, for what it
 * is; one that has not goes by the average. */
static void test_pacing_after_a_crowd(void **state)
{
    (void)state;
    assert_int_equal(rate_after_a_slow_handshake(0), 2 * 1000 * 1000 / 88.75);
    assert_int_equal(rate_after_a_slow_handshake(5000), 2 * 1000 * 1000 / 20);
}

/* RFC 1191, RFC 8201, RFC 5927 4.1 */
static void test_path_mtu(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    struct icmp_error e = {.kind = ICMP_TOO_BIG, .seq = US, .mtu = 800};
    push(&w, 2 * MSS);
    tcp_icmp(&w.tcp, &e, w.now_us, &w.r); /* nothing is out: cannot be true */
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, DATA, .seq = US, .len = MSS);
    DATA_OUT(&w, MSS, MSS);
    e.seq = US + 5 * MSS;
    tcp_icmp(&w.tcp, &e, w.now_us, &w.r);
    assert_int_equal(w.r.flags, 0);
    e.seq = US + MSS;
    uint64_t cwnd = w.tcp.control.cwnd_bytes;
    tcp_icmp(&w.tcp, &e, w.now_us, &w.r);
    note(&w);
    assert_int_equal(w.r.flags, TCP_R_MTU);
    EXPECT(&w, RETRANSMIT, .seq = US, .len = 760);
    EXPECT(&w, RETRANSMIT, .seq = US + 760, .len = 240);
    EXPECT(&w, RETRANSMIT, .seq = US + MSS, .len = 760);
    EXPECT(&w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US + MSS + 760, .len = 240);
    AT(&w, 100);
    ACK_IN(&w, 2 * MSS);
    assert_true(w.tcp.control.cwnd_bytes >= cwnd); /* no congestion */
    assert_int_equal(w.tcp.stats.recoveries, 0);
    e = (struct icmp_error){.kind = ICMP_TOO_BIG, .seq = US + 2 * MSS, .mtu = 100};
    push(&w, 10);
    DATA_OUT(&w, 2 * MSS, 10);
    tcp_icmp(&w.tcp, &e, w.now_us, &w.r);
    assert_int_equal(w.tcp.control.path_mtu, 552);
    AT(&w, 601 * 1000);
    push(&w, 10);
    ACK_IN(&w, 2 * MSS + 10);
    assert_true(w.r.flags & TCP_R_MTU);
    assert_int_equal(tcp_segment_payload(&w.tcp, 0), MSS);
    world_free(&w);
}

/* No memory: nothing is bound, and nothing breaks. */
static void test_no_memory(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    struct plait_chunk *c[2] = {chunk_new(&w.mem, 3000), NULL};
    struct tcp_map map = {.dsn = 1};
    w.mem.limit_bytes = w.mem.used_bytes;
    assert_false(tcp_push(&w.tcp, c, 0, 3000, &map, true));
    assert_int_equal(tcp_next_ssn(&w.tcp), 1);
    w.mem.limit_bytes = 0;
    assert_true(tcp_push(&w.tcp, c, 0, 3000, &map, true));
    chunk_unref(c[0]);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial_window),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rate_grows_old),
        cmocka_unit_test(test_penalised),
        cmocka_unit_test(test_window_not_used),
        cmocka_unit_test(test_full_window_is_forgotten),
        cmocka_unit_test(test_idle_restart),
        cmocka_unit_test(test_peer_window),
        cmocka_unit_test(test_nagle),
        cmocka_unit_test(test_super_segment),
        cmocka_unit_test(test_two_chunks),
        cmocka_unit_test(test_plan_is_pure),
        cmocka_unit_test(test_persist),
        cmocka_unit_test(test_persist_unanswered),
        cmocka_unit_test(test_want_window),
        cmocka_unit_test(test_silly_window),
        cmocka_unit_test(test_window_taken_back),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_keepalive_to_a_peer_that_is_behind),
        cmocka_unit_test(test_pacing),
        cmocka_unit_test(test_pacing_in_late_turns),
        cmocka_unit_test(test_pacing_after_a_crowd),
        cmocka_unit_test(test_path_mtu),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
