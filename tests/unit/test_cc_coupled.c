/* SPDX-License-Identifier: MIT
 *
 * The congestion controls that look at their siblings: each row is the
 * subflows of a connection and what an ACK, or a loss, makes of one window.
 * Windows w are in segments of 1000 bytes, round trips in ms. A million bytes
 * are acknowledged at once, so a growth in bytes is a million times the
 * formula with windows in segments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cc/siblings.h"

enum { MSS = 1000, PATHS_MAX = 3, MILLION = 1000000 };

/* A subflow of w segments, rtt in ms; l1 and l2 bytes between losses. */
#define PATH_L(w, rtt, l1, l2)                                                                     \
    {                                                                                              \
        .cwnd_bytes = (w)*MSS, .ssthresh_bytes = MSS, .steady_bytes = (w)*MSS, .mss_bytes = MSS,   \
        .srtt_us = (rtt)*1000, .rtt_min_us = (rtt)*1000, .usable = true, .since_loss_bytes = (l1), \
        .between_losses_bytes = (l2),                                                              \
    }
#define PATH(w, rtt) PATH_L(w, rtt, 0, 0)

struct row {
    const char *cc;
    unsigned count, self;
    struct plait_cc_view views[PATHS_MAX];
    int64_t growth; /* bytes of window for a million acknowledged */
};

static int64_t grow(const char *name, const struct plait_cc_group *g, uint32_t acked)
{
    const struct plait_cc *cc = cc_find(name);
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
    const struct plait_cc_view *v = cc_self(g);
    struct plait_cc_out out = {v->cwnd_bytes, MSS, 0};
    struct plait_cc_ack ack = {.acked_bytes = acked, .cwnd_limited = true};
    assert_non_null(cc);
    assert_true(cc->state_size <= sizeof state);
    cc->acked(state, g, &ack, &out);
    return (int64_t)out.cwnd_bytes - (int64_t)v->cwnd_bytes;
}

static void check_growth(const struct row *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct plait_cc_group g = {rows[i].views, rows[i].count, rows[i].self};
        int64_t got = grow(rows[i].cc, &g, MILLION);
        int64_t tolerance = rows[i].growth < 512 && rows[i].growth > -512 ? 1 : 20;
        if (got < rows[i].growth - tolerance || got > rows[i].growth + tolerance)
            fail_msg("%s, row %u: %lld, not %lld", rows[i].cc, i, (long long)got,
                     (long long)rows[i].growth);
    }
}
#define CHECK_GROWTH(rows) check_growth((rows), sizeof(rows) / sizeof *(rows))

/* ---- growth ----------------------------------------------------------------------------- */

/* Alone, each of them is NewReno: a segment a window, 1/10. */
static void alone_all_are_newreno(void **state)
{
    static const struct row rows[] = {
        {"lia", 1, 0, {PATH(10, 100)}, 100000},     {"olia", 1, 0, {PATH(10, 100)}, 100000},
        {"balia", 1, 0, {PATH(10, 100)}, 100000},   {"ewtcp", 1, 0, {PATH(10, 100)}, 100000},
        {"coupled", 1, 0, {PATH(10, 100)}, 100000},
    };
    (void)state;
    CHECK_GROWTH(rows);
}

/* A subflow that failed, or has no round trip yet, is not there. */
static void who_does_not_take_part(void **state)
{
    static const char *const names[] = {"lia", "olia", "balia", "ewtcp", "coupled"};
    struct plait_cc_view views[] = {PATH(10, 100), PATH(40, 10), PATH(40, 0)};
    (void)state;
    views[1].usable = false;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct plait_cc_group g = {views, 3, 0};
        assert_in_range(grow(names[i], &g, MILLION), 99980, 100000);
    }
}

/* RFC 6356 3: alpha = w_total max(w/rtt^2) / sum(w/rtt)^2, growth alpha / w_total. */
static void lia(void **state)
{
    static const struct row rows[] = {
        /* n equal ones: alpha 1/n. (1/2) / 20 and (1/3) / 30 */
        {"lia", 2, 0, {PATH(10, 100), PATH(10, 100)}, 25000},
        {"lia", 2, 1, {PATH(10, 100), PATH(10, 100)}, 25000},
        {"lia", 3, 2, {PATH(10, 100), PATH(10, 100), PATH(10, 100)}, 11111},
        /* alpha 20 (10/400) / (10/20 + 10/150)^2 = 1.5571; / 20 = 0.077855 */
        {"lia", 2, 0, {PATH(10, 20), PATH(10, 150)}, 77855},
        {"lia", 2, 1, {PATH(10, 20), PATH(10, 150)}, 77855},
        /* (10/100) / (100/100 + 10/10)^2 = 1/40, but never more than TCP's 1/100 */
        {"lia", 2, 1, {PATH(100, 100), PATH(10, 10)}, 25000},
        {"lia", 2, 0, {PATH(100, 100), PATH(10, 10)}, 10000},
    };
    (void)state;
    CHECK_GROWTH(rows);
}

/* RFC 6356 3: one in fast recovery counts with its ssthresh. */
static void lia_with_a_sibling_in_recovery(void **state)
{
    struct plait_cc_view views[] = {PATH(10, 100), PATH(10, 100)};
    struct plait_cc_group g = {views, 2, 0};
    (void)state;
    views[1].cwnd_bytes = 3 * MSS; /* on its way to 10 */
    assert_in_range(grow("lia", &g, MILLION), 24980, 25000);
}

static void olia(void **state)
{
    static const struct row rows[] = {
        /* both best, both widest: nothing to move. 10/20^2 */
        {"olia", 2, 0, {PATH_L(10, 100, 9000, 0), PATH_L(10, 100, 9000, 0)}, 25000},
        /* the narrow one is better (40 KB between losses, not 20): 10/30^2 + 1/(2 * 10),
         * and the wide one gives: 20/30^2 - 1/(2 * 20) */
        {"olia", 2, 0, {PATH_L(10, 100, 40000, 0), PATH_L(20, 100, 5000, 20000)}, 61111},
        {"olia", 2, 1, {PATH_L(10, 100, 40000, 0), PATH_L(20, 100, 5000, 20000)}, -2778},
        {"olia", 2, 0, {PATH_L(10, 100, 5000, 40000), PATH_L(20, 100, 20000, 0)}, 61111},
        /* the same bytes between losses, half the round trip: as if four times as many.
         * (10/50^2) / (10/50 + 20/100)^2 + 1/20 = 0.025 + 0.05 */
        {"olia", 2, 0, {PATH_L(10, 50, 20000, 0), PATH_L(20, 100, 20000, 0)}, 75000},
        /* three: best, widest, and one that is neither.
         * 10/45^2 + 1/(3 * 10), 20/45^2 - 1/(3 * 20), 15/45^2 */
        {"olia",
         3,
         0,
         {PATH_L(10, 100, 40000, 0), PATH_L(20, 100, 20000, 0), PATH_L(15, 100, 20000, 0)},
         38272},
        {"olia",
         3,
         1,
         {PATH_L(10, 100, 40000, 0), PATH_L(20, 100, 20000, 0), PATH_L(15, 100, 20000, 0)},
         -6790},
        {"olia",
         3,
         2,
         {PATH_L(10, 100, 40000, 0), PATH_L(20, 100, 20000, 0), PATH_L(15, 100, 20000, 0)},
         7407},
        /* the best is the widest: its rtt makes (10/100^2) / (10/100 + 10/200)^2 */
        {"olia", 2, 0, {PATH_L(10, 100, 40000, 0), PATH_L(10, 200, 40000, 0)}, 44444},
        {"olia", 2, 1, {PATH_L(10, 100, 40000, 0), PATH_L(10, 200, 40000, 0)}, 11111},
    };
    (void)state;
    CHECK_GROWTH(rows);
}

static void balia(void **state)
{
    static const struct row rows[] = {
        /* alpha 1: 10/20^2 */
        {"balia", 2, 0, {PATH(10, 100), PATH(10, 100)}, 25000},
        /* alpha 2: 10/30^2 * (3/2) (6/5); alpha 1: 20/30^2 */
        {"balia", 2, 0, {PATH(10, 100), PATH(20, 100)}, 20000},
        {"balia", 2, 1, {PATH(10, 100), PATH(20, 100)}, 22222},
        /* the same by round trips: (10/100^2) / (0.1 + 0.2)^2 * (3/2) (6/5) */
        {"balia", 2, 0, {PATH(10, 100), PATH(10, 50)}, 20000},
    };
    (void)state;
    CHECK_GROWTH(rows);
}

static void ewtcp_and_coupled(void **state)
{
    static const struct row rows[] = {
        /* 1/(n^2 w), whatever the others are like */
        {"ewtcp", 2, 0, {PATH(10, 100), PATH(70, 10)}, 25000},
        {"ewtcp", 3, 0, {PATH(10, 100), PATH(70, 10), PATH(1, 10)}, 11111},
        /* 1/40 on both */
        {"coupled", 2, 0, {PATH(10, 100), PATH(30, 10)}, 25000},
        {"coupled", 2, 1, {PATH(10, 100), PATH(30, 10)}, 25000},
    };
    (void)state;
    CHECK_GROWTH(rows);
}

/* ---- losses ----------------------------------------------------------------------------- */

static void what_a_loss_leaves(void **state)
{
    static const struct {
        const char *cc;
        unsigned count, self;
        struct plait_cc_view views[PATHS_MAX];
        uint64_t left;
    } rows[] = {
        {"lia", 2, 0, {PATH(10, 100), PATH(20, 100)}, 5000},
        {"lia", 2, 0, {PATH(3, 100), PATH(20, 100)}, 2000},
        {"ewtcp", 2, 0, {PATH(10, 100), PATH(20, 100)}, 5000},
        {"olia", 2, 0, {PATH(10, 100), PATH(20, 100)}, 5000},
        {"olia", 2, 0, {PATH(1, 100), PATH(20, 100)}, 1000},
        {"olia", 1, 0, {PATH(3, 100)}, 2000},
        /* alpha 1: half; alpha 2, as 3/2: three quarters; alpha 1.25: 5/8 */
        {"balia", 2, 1, {PATH(10, 100), PATH(20, 100)}, 10000},
        {"balia", 2, 0, {PATH(10, 100), PATH(20, 100)}, 2500},
        {"balia", 2, 0, {PATH(16, 100), PATH(20, 100)}, 6000},
        {"balia", 2, 0, {PATH(1, 100), PATH(20, 100)}, 1000},
        /* half of all windows */
        {"coupled", 2, 1, {PATH(10, 100), PATH(30, 100)}, 10000},
        {"coupled", 2, 0, {PATH(10, 100), PATH(30, 100)}, 1000},
        {"wvegas", 2, 0, {PATH(10, 100), PATH(20, 100)}, 5000},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct plait_cc *cc = cc_find(rows[i].cc);
        uint64_t block[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
        struct plait_cc_group g = {rows[i].views, rows[i].count, rows[i].self};
        struct plait_cc_out out = {cc_self(&g)->cwnd_bytes, UINT64_C(1) << 40, 0};
        cc->signal(block, &g, PLAIT_CC_LOSS, 0, &out);
        if (out.ssthresh_bytes != rows[i].left || out.cwnd_bytes != rows[i].left)
            fail_msg("%s, row %u: %llu", rows[i].cc, i, (unsigned long long)out.cwnd_bytes);
        /* a timeout is each subflow's own: half of it is kept in mind */
        out.cwnd_bytes = 12 * MSS;
        cc->signal(block, &g, PLAIT_CC_TIMEOUT, 0, &out);
        assert_int_equal(out.ssthresh_bytes, 6 * MSS);
        assert_int_equal(out.cwnd_bytes, MSS);
    }
}

/* Slow start is each subflow's own, too, up to ssthresh; the rest of the ACK
 * is worth 1/4 of a segment here (10 segments at (1/2) / 20). */
static void slow_start_is_not_coupled(void **state)
{
    const struct plait_cc_view views[] = {PATH(10, 100), PATH(10, 100)};
    struct plait_cc_group g = {views, 2, 0};
    uint64_t block[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
    struct plait_cc_out out = {10 * MSS, 15 * MSS, 0};
    struct plait_cc_ack ack = {.acked_bytes = 4 * MSS, .cwnd_limited = true};
    (void)state;
    cc_lia.acked(block, &g, &ack, &out);
    assert_int_equal(out.cwnd_bytes, 14 * MSS);
    ack.acked_bytes = 11 * MSS;
    cc_lia.acked(block, &g, &ack, &out);
    assert_in_range(out.cwnd_bytes, 15 * MSS + 249, 15 * MSS + 250);
    ack.cwnd_limited = false; /* the window was not needed */
    cc_lia.acked(block, &g, &ack, &out);
    assert_in_range(out.cwnd_bytes, 15 * MSS + 249, 15 * MSS + 250);
}

/* A segment at a time it comes to the same: nothing is lost in rounding. */
static void small_acks_add_up(void **state)
{
    const struct plait_cc_view views[] = {PATH(10, 20), PATH(10, 150)};
    struct plait_cc_group g = {views, 2, 1};
    uint64_t block[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
    struct plait_cc_out out = {10 * MSS, MSS, 0};
    struct plait_cc_ack ack = {.acked_bytes = 10, .cwnd_limited = true};
    (void)state;
    for (unsigned i = 0; i < MILLION / 10; i++)
        cc_lia.acked(block, &g, &ack, &out);
    assert_in_range(out.cwnd_bytes, 10 * MSS + 77835, 10 * MSS + 77855);
}

/* ---- wvegas ----------------------------------------------------------------------------- */

struct vegas {
    uint64_t block[PLAIT_PLUGIN_STATE_MAX / 8];
    struct plait_cc_view views[2];
    struct plait_cc_group g;
    struct plait_cc_out out;
    uint64_t flight;
};

static void vegas_ack(struct vegas *v, uint32_t rtt_ms, bool limited)
{
    struct plait_cc_ack ack = {.acked_bytes = MSS,
                               .rtt_us = rtt_ms * 1000,
                               .in_flight_bytes = v->flight,
                               .cwnd_limited = limited};
    cc_wvegas.acked(v->block, &v->g, &ack, &v->out);
    v->views[0].steady_bytes = v->out.cwnd_bytes;
}

/* One of w segments and 100 ms beside one of `sibling` segments (0: alone). */
static void vegas_start(struct vegas *v, unsigned w, unsigned sibling, uint64_t ssthresh)
{
    *v = (struct vegas){.views = {PATH(w, 100), PATH(sibling, 100)}, .flight = w * MSS};
    v->g = (struct plait_cc_group){v->views, sibling ? 2 : 1, 0};
    v->out = (struct plait_cc_out){w * MSS, ssthresh, 0};
    vegas_ack(v, 100, false); /* the first round begins */
}

/* A window is acknowledged in ACKs that all saw rtt_ms. */
static uint64_t vegas_round(struct vegas *v, uint32_t rtt_ms)
{
    uint64_t n = v->flight / MSS;
    v->flight = v->out.cwnd_bytes;
    for (uint64_t i = 0; i < n; i++)
        vegas_ack(v, rtt_ms, true);
    return v->out.cwnd_bytes;
}

static void wvegas_holds_its_queue(void **state)
{
    struct vegas v;
    (void)state;
    vegas_start(&v, 20, 0, MSS);
    assert_int_equal(vegas_round(&v, 100), 21000); /* nothing waits: one more */
    assert_int_equal(vegas_round(&v, 200), 20000); /* 21 * 100/200 = 10.5 wait: one less */
    assert_int_equal(vegas_round(&v, 200), 20000); /* 10 wait, as they may */
    /* 20 * 200/300 wait: one less; the queue is twice what it was: 19 * 100/600 */
    assert_int_equal(vegas_round(&v, 300), 3166);
    assert_int_equal(vegas_round(&v, 100), 4166);
}

static void wvegas_leaves_slow_start(void **state)
{
    struct vegas v;
    (void)state;
    vegas_start(&v, 10, 0, UINT64_C(1) << 40);
    assert_int_equal(vegas_round(&v, 100), 20000);
    /* 10 more by ACKs; then 30 * 20/120 = 5 wait: 30 * 100/120 + 1 */
    assert_int_equal(vegas_round(&v, 120), 26000);
    assert_int_equal(v.out.ssthresh_bytes, 26000);
}

/* 20 * 50/150 = 6.7 wait: more than half of 10 and less than 10. */
static void wvegas_shares_what_may_wait(void **state)
{
    static const struct {
        unsigned sibling;
        uint32_t rtt_ms;
        uint64_t after;
    } rows[] = {
        {0, 150, 21000},
        {20, 150, 19000},  /* 5 may wait */
        {980, 111, 21000}, /* a fiftieth of the rate: 2 may, 20 * 11/111 = 1.98 do ... */
        {980, 112, 19000}, /* ... 2.14 do */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vegas v;
        vegas_start(&v, 20, rows[i].sibling, MSS);
        assert_int_equal(vegas_round(&v, rows[i].rtt_ms), rows[i].after);
    }
}

/* ---- ranges ----------------------------------------------------------------------------- */

/* Everything as large or small as a view can be: no growth beyond twice TCP's,
 * no window under a segment, W never less than the caller's window. */
static void nothing_overflows(void **state)
{
    enum { MANY = 255 };
    static struct plait_cc_view views[MANY];
    static const uint64_t bytes[] = {1, 1500, UINT64_C(1) << 30, UINT64_MAX};
    static const uint32_t rtts[] = {1, 100000, UINT32_MAX};
    (void)state;
    for (unsigned k = 0; k < 3 * 3 * 4 * 4; k++) {
        for (unsigned i = 0; i < MANY; i++)
            views[i] = (struct plait_cc_view){.cwnd_bytes = UINT64_C(1) << 30,
                                              .steady_bytes = bytes[k / 36],
                                              .since_loss_bytes = bytes[k / 9 % 4],
                                              .between_losses_bytes = bytes[k / 9 % 4],
                                              .mss_bytes = 65535,
                                              .srtt_us = rtts[k / 3 % 3],
                                              .usable = true};
        views[7] = (struct plait_cc_view){.cwnd_bytes = UINT64_C(1) << 30,
                                          .steady_bytes = UINT64_C(1) << 30,
                                          .mss_bytes = 65535,
                                          .srtt_us = rtts[k % 3]};
        struct plait_cc_group g = {views, MANY, 7};
        assert_true(siblings_total(&g) >= UINT64_C(1) << 30);
        for (unsigned i = 0; cc_at(i); i++) {
            int64_t got = grow(cc_at(i)->name, &g, UINT32_MAX);
            if (cc_at(i)->acked != cc_cubic.acked)
                assert_in_range(got + 262144, 0, 2 * 262144 + 65536);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_all_are_newreno),
        cmocka_unit_test(who_does_not_take_part),
        cmocka_unit_test(lia),
        cmocka_unit_test(lia_with_a_sibling_in_recovery),
        cmocka_unit_test(olia),
        cmocka_unit_test(balia),
        cmocka_unit_test(ewtcp_and_coupled),
        cmocka_unit_test(what_a_loss_leaves),
        cmocka_unit_test(slow_start_is_not_coupled),
        cmocka_unit_test(small_acks_add_up),
        cmocka_unit_test(wvegas_holds_its_queue),
        cmocka_unit_test(wvegas_leaves_slow_start),
        cmocka_unit_test(wvegas_shares_what_may_wait),
        cmocka_unit_test(nothing_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
