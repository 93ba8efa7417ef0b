/* SPDX-License-Identifier: MIT
 *
 * The congestion controls as functions: ACK records in, windows out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cc/cc.h"

enum { MSS = 1000 };

struct bench {
    const struct plait_cc *cc;
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
    struct plait_cc_view view;
    struct plait_cc_group group;
    struct plait_cc_out out;
    uint64_t now_us;
};

static void start(struct bench *b, const char *name, uint64_t cwnd, uint64_t ssthresh)
{
    memset(b, 0, sizeof *b);
    b->cc = cc_find(name);
    assert_non_null(b->cc);
    assert_true(b->cc->state_size <= sizeof b->state);
    b->view = (struct plait_cc_view){.mss_bytes = MSS, .srtt_us = 100000, .usable = true};
    b->group = (struct plait_cc_group){.views = &b->view, .count = 1};
    b->out = (struct plait_cc_out){.cwnd_bytes = cwnd, .ssthresh_bytes = ssthresh};
    b->now_us = 1000000;
    if (b->cc->init)
        b->cc->init(b->state, &b->group, &b->out);
}

static void acked(struct bench *b, uint32_t bytes, uint32_t rtt_us, bool limited)
{
    struct plait_cc_ack ack = {.now_us = b->now_us,
                               .acked_bytes = bytes,
                               .rtt_us = rtt_us,
                               .in_flight_bytes = b->out.cwnd_bytes,
                               .cwnd_limited = limited};
    b->cc->acked(b->state, &b->group, &ack, &b->out);
}

/* A whole window arrives, segment by segment, in one round trip. */
static void round_trip(struct bench *b, uint32_t rtt_us)
{
    uint64_t n = b->out.cwnd_bytes / MSS;
    for (uint64_t i = 0; i < n; i++) {
        b->now_us += rtt_us / n;
        acked(b, MSS, rtt_us, true);
    }
}

static void signal(struct bench *b, enum plait_cc_signal what)
{
    b->cc->signal(b->state, &b->group, what, b->now_us, &b->out);
}

static void test_list(void **state)
{
    (void)state;
    assert_string_equal(cc_at(0)->name, "cubic");
    assert_ptr_equal(cc_find("newreno"), &cc_newreno);
    assert_null(cc_find("no such"));
    for (unsigned i = 0; cc_at(i); i++) {
        assert_ptr_equal(cc_find(cc_at(i)->name), cc_at(i));
        assert_true(strlen(cc_at(i)->summary) > 0 && cc_at(i)->acked && cc_at(i)->signal);
    }
}

static void test_newreno(void **state)
{
    struct bench b;
    (void)state;
    start(&b, "newreno", 10 * MSS, 30 * MSS);
    acked(&b, 64000, 100000, false); /* not used: no growth */
    assert_int_equal(b.out.cwnd_bytes, 10 * MSS);
    acked(&b, 10 * MSS, 100000, true);
    assert_int_equal(b.out.cwnd_bytes, 20 * MSS);
    acked(&b, 25 * MSS, 100000, true); /* ten to the threshold, fifteen towards a segment */
    assert_int_equal(b.out.cwnd_bytes, 30 * MSS);
    acked(&b, 14 * MSS, 100000, true);
    assert_int_equal(b.out.cwnd_bytes, 30 * MSS);
    acked(&b, MSS, 100000, true);
    assert_int_equal(b.out.cwnd_bytes, 31 * MSS);
    signal(&b, PLAIT_CC_LOSS);
    assert_int_equal(b.out.ssthresh_bytes, 15500);
    assert_int_equal(b.out.cwnd_bytes, 15500);
    signal(&b, PLAIT_CC_TIMEOUT);
    assert_int_equal(b.out.ssthresh_bytes, 7750);
    assert_int_equal(b.out.cwnd_bytes, MSS);
    signal(&b, PLAIT_CC_TIMEOUT);
    assert_int_equal(b.out.ssthresh_bytes, 2 * MSS); /* never less */
    b.out.cwnd_bytes = 40 * MSS;
    signal(&b, PLAIT_CC_IDLE);
    assert_int_equal(b.out.cwnd_bytes, 10 * MSS);
    assert_int_equal(b.out.ssthresh_bytes, 30 * MSS);
}

/* RFC 9438 4.2: back at Wmax after K = cbrt(Wmax (1 - beta) / C) seconds:
 * from 700 of 1000 segments that is cbrt(300 / 0.4) = 9.09 s. */
static void test_cubic_curve(void **state)
{
    struct bench b;
    (void)state;
    start(&b, "cubic", 1000 * MSS, 1000 * MSS);
    signal(&b, PLAIT_CC_LOSS);
    assert_int_equal(b.out.cwnd_bytes, 700 * MSS);
    assert_int_equal(b.out.ssthresh_bytes, 700 * MSS);
    uint64_t begun = b.now_us, before = b.out.cwnd_bytes;
    while (b.now_us < begun + 4500000) {
        round_trip(&b, 100000);
        assert_true(b.out.cwnd_bytes >= before);
        before = b.out.cwnd_bytes;
    }
    /* half way: 1000 - 0.4 x 4.59^3 = 961 segments */
    assert_in_range(b.out.cwnd_bytes, 950 * MSS, 975 * MSS);
    while (b.now_us < begun + 9000000)
        round_trip(&b, 100000);
    assert_in_range(b.out.cwnd_bytes, 990 * MSS, 1005 * MSS);
    while (b.now_us < begun + 14000000)
        round_trip(&b, 100000);
    /* 0.4 x 4.9^3 = 47 more */
    assert_in_range(b.out.cwnd_bytes, 1035 * MSS, 1065 * MSS);
}

/* RFC 9438 4.3: where Reno would have more, so has CUBIC. */
static void test_cubic_is_friendly(void **state)
{
    struct bench b;
    (void)state;
    start(&b, "cubic", 20 * MSS, 20 * MSS);
    b.view.srtt_us = 10000;
    signal(&b, PLAIT_CC_LOSS);
    for (unsigned i = 0; i < 40; i++)
        round_trip(&b, 10000);
    /* 9/17 of a segment a round trip until 20 is reached again, then one: about
     * 14 + 6 + 29, while the cubic curve is hardly past 20 after 0.4 s. */
    assert_in_range(b.out.cwnd_bytes, 44 * MSS, 50 * MSS);
}

static void test_cubic_convergence_and_undo(void **state)
{
    struct bench b;
    (void)state;
    start(&b, "cubic", 100 * MSS, 100 * MSS);
    signal(&b, PLAIT_CC_LOSS);
    round_trip(&b, 100000);
    uint64_t saved_cwnd = b.out.cwnd_bytes, saved_ssthresh = b.out.ssthresh_bytes;
    struct bench undone = b;
    signal(&undone, PLAIT_CC_LOSS);
    undone.out.cwnd_bytes = saved_cwnd; /* as tcp/ restores them */
    undone.out.ssthresh_bytes = saved_ssthresh;
    signal(&undone, PLAIT_CC_SPURIOUS);
    for (unsigned i = 0; i < 20; i++) {
        round_trip(&b, 100000);
        round_trip(&undone, 100000);
    }
    assert_int_equal(b.out.cwnd_bytes, undone.out.cwnd_bytes);
    signal(&b, PLAIT_CC_TIMEOUT);
    assert_int_equal(b.out.cwnd_bytes, MSS);
}

/* RFC 9406: the queue grows, so slow start ends before anything is lost. */
static void test_hystart(void **state)
{
    struct bench b;
    (void)state;
    start(&b, "cubic", 10 * MSS, UINT64_C(1) << 40);
    for (unsigned i = 0; i < 5; i++)
        round_trip(&b, 50000);
    assert_int_equal(b.out.cwnd_bytes, 320 * MSS); /* doubling while the delay is level */
    for (unsigned i = 0; i < 12 && b.out.cwnd_bytes < b.out.ssthresh_bytes; i++)
        round_trip(&b, 50000 + 10000 * (i + 1));
    assert_true(b.out.ssthresh_bytes < 3000 * MSS);
    assert_true(b.out.cwnd_bytes >= b.out.ssthresh_bytes);
}

/* Nonsense in, no overflow out. */
static void test_extremes(void **state)
{
    (void)state;
    for (unsigned i = 0; cc_at(i); i++) {
        struct bench b;
        start(&b, cc_at(i)->name, UINT64_C(1) << 30, 2 * MSS);
        b.view.mss_bytes = 65000;
        signal(&b, PLAIT_CC_LOSS);
        b.now_us += UINT64_C(100) * 3600 * 1000000;
        for (unsigned k = 0; k < 100; k++) {
            uint64_t before = b.out.cwnd_bytes;
            b.now_us += 1000000;
            acked(&b, UINT32_MAX, 0, true);
            assert_true(b.out.cwnd_bytes >= before);
            if (b.out.cwnd_bytes > UINT64_C(1) << 30)
                b.out.cwnd_bytes = UINT64_C(1) << 30; /* tcp/ bounds it */
        }
        start(&b, cc_at(i)->name, 8, 8);
        b.view.mss_bytes = 8;
        for (unsigned k = 0; k < 100; k++)
            acked(&b, 1, 1, true);
        signal(&b, PLAIT_CC_TIMEOUT);
        assert_int_equal(b.out.cwnd_bytes, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_newreno),
        cmocka_unit_test(test_cubic_curve),
        cmocka_unit_test(test_cubic_is_friendly),
        cmocka_unit_test(test_cubic_convergence_and_undo),
        cmocka_unit_test(test_hystart),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
