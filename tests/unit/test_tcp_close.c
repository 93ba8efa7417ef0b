/* SPDX-License-Identifier: MIT
 *
 * Closing in every order, lost FINs, TIME_WAIT, aborting; and what a blind
 * attacker cannot do (RFC 5961, PAWS).
 */
#include "tcp_trace.h"

static void close_us(struct world *w)
{
    tcp_close(&w->tcp, w->now_us);
    tcp_check(&w->tcp);
}

static void test_active_close(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    close_us(&w);
    EXPECT_STATE(&w, ESTABLISHED); /* nothing happens before the FIN has left */
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
    EXPECT_STATE(&w, FIN_WAIT_1);
    EXPECT_NONE(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 1);
    assert_true(w.r.flags & TCP_R_FIN_ACKED);
    assert_int_equal(w.r.acked_bytes, 0);
    EXPECT_STATE(&w, FIN_WAIT_2);
    assert_true(next_ms(&w) == UINT64_MAX); /* half-closed for as long as the peer likes */
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 1, .len = 100);
    assert_int_equal(take(&w), 100);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 100, .ack = US + 1);
    assert_true(w.r.flags & TCP_R_FIN);
    EXPECT_STATE(&w, TIME_WAIT);
    EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 101);
    AT(&w, 50000);
    /* The FIN again: our ACK was lost. TIME_WAIT starts anew. */
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 100, .ack = US + 1);
    EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 101);
    AT(&w, 109000);
    EXPECT_STATE(&w, TIME_WAIT);
    w.flags = 0;
    AT(&w, 110000);
    EXPECT_STATE(&w, CLOSED);
    assert_true(w.flags & TCP_R_CLOSED);
    assert_int_equal(w.tcp.error, TCP_NO_ERROR);
    world_free(&w);
}

/* Only the peer's FIN begins TIME_WAIT anew: bytes that it repeats, or a FIN
 * elsewhere, are answered and keep nothing alive. */
static void test_time_wait_ends(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.sack = false;
    open_config(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 100);
    assert_int_equal(take(&w), 100);
    close_us(&w);
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US, .ack = THEM + 100);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 100, .ack = US + 1, .len = 10);
    assert_int_equal(take(&w), 10);
    EXPECT_STATE(&w, TIME_WAIT);
    EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 111);
    AT(&w, 20000);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 100, .ack = US + 1, .len = 10);
    EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 111);
    assert_int_equal(next_ms(&w), 60000);
    for (unsigned s = 30; s < 80; s += 10) {
        AT(&w, s * 1000);
        SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 1, .len = 100);
        EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 111);
        SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 50, .ack = US + 1, .len = 10);
        SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 111, .ack = US + 1, .len = 10);
        EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 111);
        assert_int_equal(next_ms(&w), 80000 - s * 1000);
    }
    AT(&w, 80000);
    EXPECT_STATE(&w, CLOSED);
    world_free(&w);
}

static void test_passive_close(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM, .ack = US, .len = 10);
    assert_true((w.r.flags & TCP_R_FIN) && (w.r.flags & TCP_R_READABLE));
    assert_int_equal(take(&w), 10);
    EXPECT_STATE(&w, CLOSE_WAIT);
    push(&w, 20);
    close_us(&w);
    /* The FIN rides on the last byte. */
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH | TCP_FIN, .seq = US, .len = 20, .ack = THEM + 11);
    EXPECT_STATE(&w, LAST_ACK);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 11, .ack = US + 20);
    EXPECT_STATE(&w, LAST_ACK);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 11, .ack = US + 21);
    assert_true((w.r.flags & TCP_R_FIN_ACKED) && (w.r.flags & TCP_R_CLOSED));
    EXPECT_STATE(&w, CLOSED);
    world_free(&w);
}

static void test_simultaneous_close(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    close_us(&w);
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM, .ack = US);
    EXPECT_STATE(&w, CLOSING);
    EXPECT(&w, ACK, .seq = US + 1, .ack = THEM + 1);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 1, .ack = US + 1);
    EXPECT_STATE(&w, TIME_WAIT);
    world_free(&w);

    /* FIN and the ACK of ours in one. */
    open_active(&w);
    close_us(&w);
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM, .ack = US + 1);
    EXPECT_STATE(&w, TIME_WAIT);
    world_free(&w);
}

/* RFC 6191 2: which SYN is new, and which an old duplicate. */
static void test_syn_in_time_wait(void **state)
{
    static const struct {
        bool stamps; /* of the connection that was */
        uint32_t flags, seq, tsval;
        bool new;
    } rows[] = {
        {false, TCP_SYN, THEM + 2, 0, true},       {false, TCP_SYN, THEM + 1, 0, false},
        {false, TCP_SYN, THEM - 100, 7, true},  /* stamped: none of the old ones was */
        {true, TCP_SYN, THEM - 100, 501, true}, /* more was sent than the ISN's clock ticked */
        {true, TCP_SYN, THEM + 2, 500, true},      {true, TCP_SYN, THEM + 1, 500, false},
        {true, TCP_SYN, THEM + 50000, 499, false}, {true, TCP_SYN, THEM + 2, 0, true},
        {true, TCP_SYN, THEM + 1, 0, false},       {true, TCP_SYN | TCP_ACK, THEM + 2, 501, false},
        {true, TCP_ACK, THEM + 2, 501, false},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        const bool stamps = rows[i].stamps;
        world_init(&w);
        w.config.timestamps = stamps;
        open_config(&w);
        struct segment syn = {.flags = (uint8_t)rows[i].flags, .seq = rows[i].seq};
        syn.tcp.tsval = rows[i].tsval;
        syn.tcp.present = OPT_MSS | (rows[i].tsval ? OPT_TIMESTAMP : 0);
        assert_false(tcp_time_wait_over(&w.tcp, &syn)); /* not before it is one */
        close_us(&w);
        EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
        SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM, .ack = US + 1, .tsval = stamps ? 500 : 0);
        EXPECT_STATE(&w, TIME_WAIT);
        w.config.timestamps = true; /* what we would accept now */
        assert_int_equal(tcp_time_wait_over(&w.tcp, &syn), rows[i].new);
        world_free(&w);
    }
}

/* A reset is an error while data that we sent may not have arrived, and none
 * when only our FIN is not acknowledged (RFC 9293 3.10.7.4). */
static void test_reset_while_closing(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    close_us(&w);
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM, .ack = US);
    EXPECT_STATE(&w, CLOSING);
    SEND(&w, .flags = TCP_RST, .seq = THEM + 1);
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.r.error, TCP_NO_ERROR);
    assert_true(w.r.flags & TCP_R_FIN_ACKED);
    world_free(&w);
}

static void test_reset_before_all_data(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    push(&w, 100);
    close_us(&w);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH | TCP_FIN, .seq = US, .len = 100);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM, .ack = US);
    EXPECT_STATE(&w, CLOSING);
    SEND(&w, .flags = TCP_RST, .seq = THEM + 1);
    assert_int_equal(w.r.error, TCP_RESET);
    world_free(&w);
}

static void test_lost_fin(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    close_us(&w);
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
    AT(&w, 300); /* RTO: 100 + 200 ms */
    EXPECT(&w, FIN, .flags = TCP_ACK | TCP_FIN, .seq = US);
    EXPECT_NONE(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 1);
    EXPECT_STATE(&w, FIN_WAIT_2);
    /* Nobody waits any more: not for ever. */
    tcp_orphan(&w.tcp, w.now_us);
    AT(&w, 60299);
    EXPECT_STATE(&w, FIN_WAIT_2);
    AT(&w, 60301);
    EXPECT_STATE(&w, CLOSED);
    world_free(&w);
}

/* The FIN comes before the bytes that precede it. */
static void test_early_fin(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 100, .ack = US, .len = 50);
    assert_false(w.r.flags & TCP_R_FIN);
    EXPECT(&w, ACK, .seq = US, .sacks = 1, .sack = {{THEM + 100, THEM + 150}});
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 150, .ack = US, .len = 10); /* past the end */
    assert_int_equal(w.tcp.receiver.piece_count, 1);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 100);
    assert_true(w.r.flags & TCP_R_FIN);
    assert_int_equal(take(&w), 150);
    EXPECT_STATE(&w, CLOSE_WAIT);
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 151);
    world_free(&w);
}

static void test_abort(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    push(&w, 10);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 10);
    tcp_abort(&w.tcp);
    EXPECT_STATE(&w, ESTABLISHED);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 10);
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, RST, .flags = TCP_RST | TCP_ACK, .seq = US + 10);
    assert_true(w.r.flags & TCP_R_CLOSED);
    assert_int_equal(w.tcp.error, TCP_ABORTED);
    EXPECT_STATE(&w, CLOSED);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* RFC 5961 3.2 */
static void test_reset(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_RST, .seq = THEM - 1);
    EXPECT_NONE(&w);
    SEND(&w, .flags = TCP_RST, .seq = THEM + WINDOW);
    EXPECT_NONE(&w);
    SEND(&w, .flags = TCP_RST, .seq = THEM + 1);
    EXPECT(&w, ACK, .seq = US);
    assert_int_equal(w.tcp.stats.challenges, 1);
    EXPECT_STATE(&w, ESTABLISHED);
    SEND(&w, .flags = TCP_RST, .seq = THEM);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_CLOSED);
    assert_int_equal(w.tcp.error, TCP_RESET);
    world_free(&w);
}

/* RFC 5961 4.2, 5.2, 7 */
static void test_challenges(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    w.env.challenge_max = 3;
    SEND(&w, .flags = TCP_SYN, .seq = THEM + 7);
    EXPECT(&w, ACK, .seq = US);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 1); /* never sent */
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, ACK, .seq = US);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US - 0x10000, .len = 5); /* far too old */
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, ACK, .seq = US);
    SEND(&w, .flags = TCP_SYN, .seq = THEM + 7);
    EXPECT_NONE(&w); /* enough for this second */
    AT(&w, 1000);
    SEND(&w, .flags = TCP_SYN, .seq = THEM + 7);
    EXPECT(&w, ACK, .seq = US);
    assert_int_equal(w.tcp.stats.challenges, 4);
    EXPECT_STATE(&w, ESTABLISHED);
    world_free(&w);
}

/* RFC 7323 5 */
static void test_paws(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.timestamps = true;
    open_config(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 10, .tsval = 500);
    assert_int_equal(take(&w), 10);
    AT(&w, 40);
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 10);
    assert_int_equal(w.plan.seg.tcp.tsecr, 500);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 10, .ack = US, .len = 10, .tsval = 499);
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 10);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 10, .ack = US, .len = 10); /* no timestamp */
    assert_int_equal(w.r.flags, 0);
    EXPECT_NONE(&w);
    assert_int_equal(w.tcp.stats.dropped_paws, 2);
    SEND(&w, .flags = TCP_RST, .seq = THEM + 10); /* RSTs need none */
    EXPECT_STATE(&w, CLOSED);
    world_free(&w);
}

/* Out of the window: said once, not as often as it is heard. */
static void test_stray(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + WINDOW + 1, .ack = US, .len = 5);
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, ACK, .seq = US);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + WINDOW + 1, .ack = US, .len = 5);
    EXPECT_NONE(&w);
    AT(&w, 500);
    SEND(&w, .flags = TCP_ACK, .seq = THEM - 1, .ack = US); /* a keepalive probe */
    assert_true(w.r.flags & TCP_R_ACCEPTABLE);
    EXPECT(&w, ACK, .seq = US);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_active_close),
        cmocka_unit_test(test_time_wait_ends),
        cmocka_unit_test(test_passive_close),
        cmocka_unit_test(test_simultaneous_close),
        cmocka_unit_test(test_syn_in_time_wait),
        cmocka_unit_test(test_reset_while_closing),
        cmocka_unit_test(test_reset_before_all_data),
        cmocka_unit_test(test_lost_fin),
        cmocka_unit_test(test_early_fin),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_paws),
        cmocka_unit_test(test_stray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
