/* SPDX-License-Identifier: MIT
 *
 * Loss: RACK and its reordering window, loss probes, timeouts, the arithmetic
 * of RFC 6298 and RFC 6937, duplicate ACKs without SACK, and what turns out
 * to have been no loss.
 */
#include "tcp_trace.h"

#define ACK_IN(w, n) SEND(w, .flags = TCP_ACK, .seq = THEM, .ack = US + (n))
#define SACK_IN(w, n, l, r)                                                                        \
    SEND(w, .flags = TCP_ACK, .seq = THEM, .ack = US + (n)*1000u, .sacks = 1,                      \
         .sack = {{US + (l)*1000u, US + (r)*1000u}})
#define AGAIN(w, n)                                                                                \
    EXPECT(w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US + (n)*1000u, .len = MSS)

/* RFC 8985 6.2: three segments sacked above a hole, no reordering ever seen. */
static void test_fast_retransmit(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 3);
    EXPECT_NONE(&w);
    assert_int_equal(w.tcp.rack.timer, TCP_LT_REORDER);
    assert_int_equal(next_ms(&w), 25); /* a quarter of the round trip */
    SACK_IN(&w, 0, 1, 4);
    assert_true(w.r.flags & TCP_R_LOSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_RECOVERY);
    assert_int_equal(w.tcp.control.ssthresh_bytes, 5 * MSS);
    AGAIN(&w, 0);
    EXPECT_NONE(&w);
    AT(&w, 200);
    SACK_IN(&w, 0, 1, 10);
    assert_int_equal(w.tcp.stats.recoveries, 1); /* once a window */
    ACK_IN(&w, 10 * MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_OPEN);
    assert_int_equal(w.tcp.control.cwnd_bytes, 5 * MSS);
    world_free(&w);
}

/* What congestion controls are told of the losses: how much got through. */
static void test_bytes_between_losses(void **state)
{
    struct world w;
    const struct plait_cc_view *v = &w.tcp.control.lone;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 4);
    tcp_control_view(&w.tcp);
    assert_int_equal(v->between_losses_bytes, 3 * MSS); /* before the loss was seen */
    assert_int_equal(v->since_loss_bytes, 0);
    assert_int_equal(v->steady_bytes, 5 * MSS); /* where recovery leads */
    AGAIN(&w, 0);
    AT(&w, 105);
    ACK_IN(&w, 4 * MSS);
    tcp_control_view(&w.tcp);
    assert_int_equal(v->since_loss_bytes, MSS);
    AT(&w, 200);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 10 * MSS, .sacks = 1,
         .sack = {{US, US + MSS}});
    assert_int_equal(w.tcp.stats.spurious, 1);
    tcp_control_view(&w.tcp);
    assert_int_equal(v->since_loss_bytes, 10 * MSS); /* it was no loss */
    assert_int_equal(v->between_losses_bytes, 0);
    assert_int_equal(v->steady_bytes, w.tcp.control.cwnd_bytes);
    world_free(&w);
}

/* The reordering window lets a late original arrive; then it stays wide. */
static void test_reordering(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 4);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 2);
    AT(&w, 120);
    ACK_IN(&w, 2 * MSS);
    assert_int_equal(w.tcp.stats.recoveries, 0);
    assert_true(w.tcp.rack.reordering_seen);
    ACK_IN(&w, 4 * MSS);
    send_range(&w, 4, 10);
    AT(&w, 220);
    SACK_IN(&w, 4, 5, 10); /* five of them, yet it waits */
    assert_int_equal(w.tcp.stats.recoveries, 0);
    AT(&w, 244);
    EXPECT_NONE(&w);
    AT(&w, 246);
    assert_int_equal(w.tcp.stats.recoveries, 1);
    AGAIN(&w, 4);
    world_free(&w);
}

/* RFC 8985 3.1: a lost retransmission is found by what was sent after it. */
static void test_lost_retransmission(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    for (unsigned i = 10; i < 14; i++)
        push(&w, MSS);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 4);
    AGAIN(&w, 0);
    AT(&w, 110);
    SACK_IN(&w, 0, 1, 10);
    AT(&w, 120);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 10 * MSS, .len = MSS);
    AT(&w, 220);
    SACK_IN(&w, 0, 1, 11);
    AGAIN(&w, 0);
    assert_int_equal(w.tcp.stats.timeouts, 0);
    world_free(&w);
}

/* RFC 8985 7: the tail was lost; a probe of new data, or else the last. */
static void test_tail_probe(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 3);
    assert_int_equal(next_ms(&w), 202); /* two round trips */
    AT(&w, 202);
    assert_true(w.flags & TCP_R_PROBE);
    AGAIN(&w, 2);
    EXPECT_NONE(&w);
    assert_true(w.tcp.rack.tlp_out);
    AT(&w, 302);
    SACK_IN(&w, 0, 2, 3);
    AT(&w, 330); /* the window of a quarter round trip is over */
    assert_int_equal(w.tcp.recovery.lost_bytes, 2 * MSS);
    AGAIN(&w, 0);
    assert_int_equal(w.tcp.stats.timeouts, 0);
    world_free(&w);

    /* The probe repaired the only loss: it was one, all the same (7.4.2). */
    open_active(&w);
    send_range(&w, 0, 3);
    AT(&w, 202);
    AGAIN(&w, 2);
    push(&w, MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 3 * MSS, .len = MSS);
    AT(&w, 310);
    ACK_IN(&w, 3 * MSS);
    assert_int_equal(w.tcp.stats.recoveries, 0);
    ACK_IN(&w, 4 * MSS);
    assert_int_equal(w.tcp.stats.recoveries, 1);
    assert_int_equal(w.tcp.stats.spurious, 0);
    world_free(&w);

    /* It was not: the DSACK tells. */
    open_active(&w);
    send_range(&w, 0, 3);
    AT(&w, 202);
    AGAIN(&w, 2);
    AT(&w, 300);
    ACK_IN(&w, 3 * MSS);
    SACK_IN(&w, 3, 2, 3);
    assert_false(w.tcp.rack.tlp_out);
    assert_int_equal(w.tcp.stats.recoveries, 0);
    world_free(&w);
}

static void test_probe_with_new_data(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    push(&w, 2 * MSS);
    EXPECT_NONE(&w); /* the window is full */
    AT(&w, 202);
    EXPECT(&w, DATA, .seq = US + 10 * MSS, .len = MSS);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* Only the last segment of a super-segment is the probe. */
static void test_probe_is_one_segment(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.burst_max_bytes = 60000;
    open_config(&w);
    push(&w, 5500);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 5500, .gso = MSS);
    AT(&w, 202);
    EXPECT(&w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US + 5000, .len = 500);
    world_free(&w);
}

/* RFC 6298: SRTT 100, RTTVAR 50 after the handshake, so the timeout is
 * 100 + 4 x 50 = 300 ms; then it doubles. */
static void test_timeouts(void **state)
{
    struct world w;
    uint64_t ms = 0;
    (void)state;
    world_init(&w);
    w.config.data_retries = 4;
    w.config.sack = false; /* so that no probe comes first */
    open_config(&w);
    assert_int_equal(w.tcp.rtt.rto_us, 300000);
    send_range(&w, 0, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(next_ms(&w), 300 << i);
        ms += 300u << i;
        AT(&w, ms);
        assert_true(w.flags & TCP_R_TIMEOUT);
        assert_int_equal(w.tcp.control.cwnd_bytes, MSS);
        assert_int_equal(w.tcp.control.ssthresh_bytes, 5 * MSS); /* once */
        AGAIN(&w, 0);
        EXPECT_NONE(&w);
    }
    AT(&w, ms + 4800);
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.tcp.error, TCP_TIMED_OUT);
    world_free(&w);
}

/* Under a ceiling it asks more often, and gives up no sooner. */
static void test_timeout_ceiling(void **state)
{
    struct world w;
    uint64_t ms = 300, timeouts = 0;
    (void)state;
    world_init(&w);
    w.config.data_retries = 4;
    w.config.sack = false;
    open_config(&w);
    send_range(&w, 0, 4);
    tcp_set_rto_ceiling(&w.tcp, 600000);
    for (; ms < 9300; ms += 600) {
        w.flags = 0;
        AT(&w, ms);
        assert_true(w.flags & TCP_R_TIMEOUT);
        AGAIN(&w, 0);
        assert_int_equal(next_ms(&w), 600);
        timeouts++;
    }
    assert_int_equal(timeouts, 15);
    AT(&w, 9300);
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.tcp.error, TCP_TIMED_OUT);
    world_free(&w);
}

/* Six segments, none of them acknowledged in time; the first goes again. */
static void time_out_without_sack(struct world *w)
{
    world_init(w);
    w->config.sack = false;
    open_config(w);
    send_range(w, 0, 6);
    AT(w, 300);
    AGAIN(w, 0);
}

static void test_timeout_recovery(void **state)
{
    struct world w;
    (void)state;
    time_out_without_sack(&w);
    assert_int_equal(w.tcp.recovery.lost_bytes, 5 * MSS);
    AT(&w, 400);
    w.flags = 0;
    ACK_IN(&w, MSS);
    assert_true(w.r.flags & TCP_R_RECOVERED);
    assert_int_equal(w.tcp.rtt.backoff, 0); /* as late as the second would be answered, but */
    assert_int_equal(w.tcp.rtt.latest_us, 100000);
    assert_int_equal(w.tcp.rtt.mdev_us, 50000); /* no sample (Karn) */
    AGAIN(&w, 1);
    AGAIN(&w, 2);
    EXPECT_NONE(&w);
    AT(&w, 500);
    ACK_IN(&w, 6 * MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_OPEN);
    send_range(&w, 6, 7);
    AT(&w, 600);
    ACK_IN(&w, 7 * MSS);
    assert_int_equal(w.tcp.rtt.backoff, 0);
    world_free(&w);
}

/* What was sent once waited for what was sent twice. */
static void test_no_round_trip_from_an_ack_that_waited(void **state)
{
    struct world w;
    (void)state;
    time_out_without_sack(&w);
    AT(&w, 400);
    ACK_IN(&w, 6 * MSS);
    assert_int_equal(w.tcp.rtt.srtt_us, 100000);
    assert_int_equal(w.tcp.rtt.mdev_us, 50000);
    world_free(&w);
}

/* What left later than all that was sent twice did not wait for it. */
static void test_round_trip_behind_a_repetition(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 2);
    AT(&w, 202);
    AGAIN(&w, 1); /* the probe */
    AT(&w, 250);
    send_range(&w, 2, 3);
    AT(&w, 370);
    ACK_IN(&w, 3 * MSS);
    assert_int_equal(w.tcp.rtt.latest_us, 120000);
    world_free(&w);
}

/* Nothing but repetitions gets through, so there is no sample, and yet the
 * timeout must not stay what it became: an ACK that answers the last
 * transmission by all appearance takes one doubling back. */
static void test_backoff_without_samples(void **state)
{
    struct world w;
    (void)state;
    time_out_without_sack(&w);
    AT(&w, 900);
    AGAIN(&w, 0);
    assert_int_equal(w.tcp.rtt.backoff, 2);
    AT(&w, 950);
    ACK_IN(&w, MSS); /* sooner than the least round trip: of an earlier one */
    assert_int_equal(w.tcp.rtt.backoff, 2);
    AGAIN(&w, 1);
    AGAIN(&w, 2);
    AT(&w, 1050);
    ACK_IN(&w, 2 * MSS);
    assert_int_equal(w.tcp.rtt.backoff, 1);
    AT(&w, 1260);
    ACK_IN(&w, 3 * MSS); /* later than the timeout: it may be of any */
    assert_int_equal(w.tcp.rtt.backoff, 1);
    assert_int_equal(w.tcp.rtt.mdev_us, 50000);
    world_free(&w);
}

/* RFC 8985 6.3: what was sent a moment before the timeout is not lost. */
static void test_timeout_spares_the_young(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 2);
    AT(&w, 202);
    AGAIN(&w, 1); /* the probe; the timer starts anew */
    AT(&w, 480);
    send_range(&w, 2, 3);
    AT(&w, 502);
    assert_int_equal(w.tcp.stats.timeouts, 1);
    assert_int_equal(w.tcp.recovery.lost_bytes, 2 * MSS);
    assert_int_equal(w.tcp.recovery.in_flight_bytes, MSS);
    AGAIN(&w, 0);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* RFC 6298 2.2, 2.3, with the minimum as a bound of the variance. */
static void test_rtt_arithmetic(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    assert_int_equal(w.tcp.rtt.srtt_us, 100000);
    assert_int_equal(w.tcp.rtt.rttvar_us, 50000);
    tcp_rtt_sample(&w.tcp, 180000);
    assert_int_equal(w.tcp.rtt.srtt_us, 110000);
    assert_int_equal(w.tcp.rtt.mdev_us, (3 * 50000 + 80000) / 4);
    assert_int_equal(w.tcp.rtt.rto_us, 110000 + 4 * 57500);
    assert_int_equal(w.tcp.rtt.min_us, 100000);
    tcp_rtt_sample(&w.tcp, 40000);
    assert_int_equal(w.tcp.rtt.min_us, 40000);
    for (unsigned i = 0; i < 200; i++) {
        w.tcp.rtt.round_end = w.tcp.snd_una - 1; /* a round each */
        tcp_rtt_sample(&w.tcp, 40000);
    }
    assert_in_range(w.tcp.rtt.srtt_us, 40000, 40010);
    assert_in_range(w.tcp.rtt.rto_us, 240000, 240100);
    w.tcp.now_us += UINT64_C(700) * 1000000; /* a minimum is forgotten in the end */
    tcp_rtt_sample(&w.tcp, 90000);
    w.tcp.now_us += UINT64_C(301) * 1000000;
    tcp_rtt_sample(&w.tcp, 95000);
    assert_int_equal(w.tcp.rtt.min_us, 90000);
    w.tcp.rtt.backoff = 200;
    assert_int_equal(tcp_rto_backed_off(&w.tcp), w.config.rto_max_us);
    w.now_us = w.tcp.now_us;
    world_free(&w);
}

/* RFC 6937: 20 segments out, one lost, window to 10. While the pipe is above
 * it one segment leaves for two that arrive. */
static void test_prr(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    w.tcp.control.cwnd_bytes = 20 * MSS;
    send_range(&w, 0, 20);
    for (unsigned i = 20; i < 40; i++)
        push(&w, MSS);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 4);
    assert_int_equal(w.tcp.recovery.target_bytes, 10 * MSS);
    AGAIN(&w, 0);
    unsigned out = 1, next = 20;
    EXPECT_NONE(&w); /* 3000 x 10/20 = 1500 bytes: half a segment is left over */
    for (unsigned sacked = 5; sacked <= 12; sacked++) {
        SACK_IN(&w, 0, 1, sacked);
        unsigned due = (sacked - 1) / 2; /* half of what arrived */
        while (out < due) {
            EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + next * MSS, .len = MSS);
            out++, next++;
        }
        EXPECT_NONE(&w);
    }
    AT(&w, 200);
    ACK_IN(&w, 20 * MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_OPEN);
    assert_int_equal(w.tcp.control.cwnd_bytes, 10 * MSS);
    world_free(&w);
}

/* Eifel: the echo is older than the retransmission, so the original came. */
static void test_spurious_timeout(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.timestamps = true;
    open_config(&w);
    for (unsigned i = 0; i < 4; i++)
        push(&w, 988);
    uint32_t stamp = 0;
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + i * 988, .len = 988);
        stamp = w.plan.seg.tcp.tsval;
    }
    AT(&w, 202);
    EXPECT(&w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US + 3 * 988, .len = 988);
    AT(&w, 502);
    assert_int_equal(w.tcp.stats.timeouts, 1);
    EXPECT(&w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 988);
    AT(&w, 520); /* a delay of 420 ms, and nothing was lost */
    uint64_t before = w.tcp.recovery.undo_cwnd;
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 988, .tsval = 5, .tsecr = stamp);
    assert_int_equal(w.tcp.stats.spurious, 1);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_OPEN);
    assert_int_equal(w.tcp.recovery.lost_bytes, 0);
    assert_true(w.tcp.control.cwnd_bytes >= before);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* Every retransmission was reported as a duplicate. */
static void test_spurious_recovery(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 10);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 4);
    AGAIN(&w, 0);
    AT(&w, 105);
    ACK_IN(&w, 4 * MSS); /* no timestamps: could be the retransmission */
    assert_int_equal(w.tcp.recovery.state, TCP_RS_RECOVERY);
    AT(&w, 200);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 10 * MSS, .sacks = 1,
         .sack = {{US, US + MSS}});
    assert_int_equal(w.tcp.stats.spurious, 1);
    assert_int_equal(w.tcp.stats.dsacks, 1);
    assert_true(w.tcp.control.cwnd_bytes >= 10 * MSS);
    assert_int_equal(w.tcp.rack.reo_mult, 2); /* and RACK is more patient now */
    world_free(&w);
}

/* RFC 6582: three duplicates, a partial ACK, the next hole. */
static void test_without_sack(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.sack = false;
    open_config(&w);
    send_range(&w, 0, 8);
    AT(&w, 100);
    ACK_IN(&w, 0);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .mptcp = MPO_ADD_ADDR); /* does not count */
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .mptcp = MPO_DSS);
    EXPECT_NONE(&w);
    ACK_IN(&w, 0);
    assert_true(w.r.flags & TCP_R_LOSS);
    AGAIN(&w, 0);
    EXPECT_NONE(&w);
    AT(&w, 200);
    ACK_IN(&w, 3 * MSS); /* partial: segment 3 is missing too */
    assert_int_equal(w.tcp.recovery.state, TCP_RS_RECOVERY);
    AGAIN(&w, 3);
    AT(&w, 300);
    ACK_IN(&w, 8 * MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_OPEN);
    assert_int_equal(w.tcp.stats.recoveries, 1);
    world_free(&w);
}

/* RFC 6582 4.1: duplicates after a timeout tell of a loss while ACKs move in
 * small steps, ... */
static void test_lost_retransmission_without_sack(void **state)
{
    struct world w;
    (void)state;
    time_out_without_sack(&w);
    AT(&w, 400);
    ACK_IN(&w, MSS);
    AGAIN(&w, 1);
    AGAIN(&w, 2);
    AT(&w, 500);
    ACK_IN(&w, MSS);
    AGAIN(&w, 3);
    ACK_IN(&w, MSS);
    AGAIN(&w, 4);
    ACK_IN(&w, MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_RECOVERY);
    AGAIN(&w, 1);
    AT(&w, 600);
    ACK_IN(&w, 2 * MSS); /* partial: 2 had been sent before */
    AGAIN(&w, 2);
    AT(&w, 700);
    ACK_IN(&w, 6 * MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_OPEN);
    assert_int_equal(w.tcp.stats.timeouts, 1);
    world_free(&w);
}

/* ... and of needless repetitions behind a leap. */
static void test_needless_repetitions_without_sack(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.sack = false;
    open_config(&w);
    send_range(&w, 0, 8);
    AT(&w, 300);
    AGAIN(&w, 0);
    AT(&w, 400);
    ACK_IN(&w, 5 * MSS);
    AGAIN(&w, 5);
    for (unsigned i = 0; i < 3; i++)
        ACK_IN(&w, 5 * MSS);
    assert_int_equal(w.tcp.recovery.state, TCP_RS_LOSS);
    assert_int_equal(w.tcp.stats.recoveries, 0);
    world_free(&w);
}

/* RFC 2018 8: what was sacked may be gone. */
static void test_reneging(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 4);
    AT(&w, 100);
    SACK_IN(&w, 0, 1, 4);
    AGAIN(&w, 0);
    AT(&w, 200);
    ACK_IN(&w, MSS); /* and yet it does not acknowledge what it had */
    assert_int_equal(w.tcp.recovery.sacked_bytes, 3 * MSS);
    EXPECT_NONE(&w);
    AT(&w, 900);
    assert_int_equal(w.tcp.stats.timeouts, 1);
    assert_int_equal(w.tcp.recovery.sacked_bytes, 0);
    AGAIN(&w, 1);
    world_free(&w);
}

/* SACK blocks that cannot be: ignored. */
static void test_bad_sacks(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    send_range(&w, 0, 4);
    SACK_IN(&w, 0, 3, 2); /* backwards */
    SACK_IN(&w, 0, 2, 9); /* never sent */
    SACK_IN(&w, 1, 4000, 4001);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + MSS, .sacks = 4,
         .sack = {{US + 1001, US + 1002}, {US + 1003, US + 1004}, {0, 1}, {US, US - 1}});
    assert_int_equal(w.tcp.recovery.sacked_bytes, 0);
    assert_int_equal(w.tcp.recovery.in_flight_bytes, 3 * MSS);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_retransmit),
        cmocka_unit_test(test_reordering),
        cmocka_unit_test(test_lost_retransmission),
        cmocka_unit_test(test_tail_probe),
        cmocka_unit_test(test_probe_with_new_data),
        cmocka_unit_test(test_probe_is_one_segment),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_timeout_ceiling),
        cmocka_unit_test(test_timeout_recovery),
        cmocka_unit_test(test_no_round_trip_from_an_ack_that_waited),
        cmocka_unit_test(test_round_trip_behind_a_repetition),
        cmocka_unit_test(test_backoff_without_samples),
        cmocka_unit_test(test_timeout_spares_the_young),
        cmocka_unit_test(test_rtt_arithmetic),
        cmocka_unit_test(test_prr),
        cmocka_unit_test(test_spurious_timeout),
        cmocka_unit_test(test_spurious_recovery),
        cmocka_unit_test(test_bytes_between_losses),
        cmocka_unit_test(test_without_sack),
        cmocka_unit_test(test_lost_retransmission_without_sack),
        cmocka_unit_test(test_needless_repetitions_without_sack),
        cmocka_unit_test(test_reneging),
        cmocka_unit_test(test_bad_sacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
