/* SPDX-License-Identifier: MIT
 *
 * Receiving: when an ACK leaves and what it says; out of order, twice, too
 * much; super-segments; the window.
 */
#include "tcp_trace.h"

/* One segment of the peer's, `n` thousand bytes into its stream. */
#define DATA_IN(w, n) SEND(w, .flags = TCP_ACK, .seq = THEM + (n)*1000u, .ack = US, .len = 1000)
#define K(n) (THEM + (n)*1000u)

static void test_delayed_ack(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    DATA_IN(&w, 0);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_READABLE);
    assert_int_equal(take(&w), 1000);
    EXPECT_NONE(&w);
    assert_int_equal(next_ms(&w), 40);
    DATA_IN(&w, 1); /* every second full segment */
    take(&w);
    EXPECT(&w, ACK, .seq = US, .ack = K(2));
    DATA_IN(&w, 2);
    take(&w);
    AT(&w, 39);
    EXPECT_NONE(&w);
    AT(&w, 40);
    EXPECT(&w, ACK, .seq = US, .ack = K(3));
    /* A data segment says it too. */
    DATA_IN(&w, 3);
    take(&w);
    push(&w, 5);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 5, .ack = K(4));
    AT(&w, 90);
    EXPECT_NONE(&w);
    world_free(&w);
}

static void test_quick_ack(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    w.tcp.receiver.quick = 2;
    for (unsigned i = 0; i < 2; i++) {
        DATA_IN(&w, i);
        take(&w);
        EXPECT(&w, ACK, .seq = US, .ack = K(i + 1));
    }
    DATA_IN(&w, 2);
    take(&w);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* A super-segment is one input and one ACK, at once. */
static void test_super_segment(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    uint64_t before = w.tcp.stats.segs_in;
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 20500, .gso = 1000);
    assert_int_equal(w.tcp.stats.segs_in - before, 21);
    assert_int_equal(take(&w), 20500);
    assert_int_equal(w.tcp.receiver.rcv_mss, 1000);
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 20500);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* RFC 2018 4: the block that changed last comes first. */
static void test_sack_blocks(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    DATA_IN(&w, 2);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE);
    EXPECT(&w, ACK, .seq = US, .sacks = 1, .sack = {{K(2), K(3)}});
    DATA_IN(&w, 4);
    EXPECT(&w, ACK, .seq = US, .sacks = 2, .sack = {{K(4), K(5)}, {K(2), K(3)}});
    DATA_IN(&w, 6);
    DATA_IN(&w, 8);
    DATA_IN(&w, 10);
    EXPECT(&w, ACK, .seq = US, .sacks = 4,
           .sack = {{K(10), K(11)}, {K(8), K(9)}, {K(6), K(7)}, {K(4), K(5)}});
    DATA_IN(&w, 7); /* joins two */
    EXPECT(&w, ACK, .seq = US, .sacks = 3, .sack = {{K(6), K(9)}, {K(10), K(11)}, {K(4), K(5)}});
    /* The owner's options come first; blocks take what is left. */
    w.ask.ack_option_len = 20;
    tcp_want_ack(&w.tcp);
    EXPECT(&w, ACK, .seq = US, .sacks = 2, .sack = {{K(6), K(9)}, {K(10), K(11)}});
    w.ask.ack_option_len = 32;
    tcp_want_ack(&w.tcp);
    EXPECT(&w, ACK, .seq = US);
    w.ask.ack_option_len = 0;
    /* Gaps close: an ACK at once, and everything comes in order. */
    DATA_IN(&w, 0);
    assert_int_equal(take(&w), 1000);
    EXPECT(&w, ACK, .seq = US, .ack = K(1), .sacks = 3,
           .sack = {{K(6), K(9)}, {K(10), K(11)}, {K(4), K(5)}});
    SEND(&w, .flags = TCP_ACK, .seq = K(1), .ack = US, .len = 9000);
    assert_int_equal(take(&w), 10000);
    EXPECT(&w, ACK, .seq = US, .ack = K(11));
    world_free(&w);
}

/* RFC 2883: what came twice is reported first, once. */
static void test_dsack(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    DATA_IN(&w, 0);
    take(&w);
    DATA_IN(&w, 1);
    take(&w);
    EXPECT(&w, ACK, .seq = US, .ack = K(2));
    DATA_IN(&w, 0);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_DUPLICATE);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .sacks = 1, .sack = {{K(0), K(1)}});
    EXPECT_NONE(&w);
    DATA_IN(&w, 4);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .sacks = 1, .sack = {{K(4), K(5)}});
    DATA_IN(&w, 4);
    assert_true(w.r.flags & TCP_R_DUPLICATE);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .sacks = 2, .sack = {{K(4), K(5)}, {K(4), K(5)}});
    /* Half old, half new. */
    SEND(&w, .flags = TCP_ACK, .seq = K(1), .ack = US, .len = 2000);
    assert_int_equal(take(&w), 1000);
    EXPECT(&w, ACK, .seq = US, .ack = K(3), .sacks = 2, .sack = {{K(1), K(2)}, {K(4), K(5)}});
    world_free(&w);
}

/* Overlaps in every way; each byte is delivered once. */
static void test_overlaps(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    DATA_IN(&w, 5);
    DATA_IN(&w, 3);
    SEND(&w, .flags = TCP_ACK, .seq = K(2) + 500, .ack = US, .len = 4000); /* covers both */
    assert_int_equal(w.tcp.receiver.piece_count, 1);
    SEND(&w, .flags = TCP_ACK, .seq = K(2), .ack = US, .len = 1000);
    SEND(&w, .flags = TCP_ACK, .seq = K(6), .ack = US, .len = 1000);
    assert_int_equal(w.tcp.receiver.piece_count, 3);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 2100);
    assert_int_equal(take(&w), 7000);
    assert_int_equal(w.tcp.stats.bytes_received, 7000);
    assert_int_equal(w.tcp.receiver.piece_count, 0);
    world_free(&w);
}

static void test_piece_limit(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.ooo_pieces_max = 3;
    open_config(&w);
    for (unsigned i = 1; i <= 5; i++)
        DATA_IN(&w, 2 * i);
    assert_int_equal(w.tcp.receiver.piece_count, 3);
    assert_int_equal(w.tcp.stats.dropped_memory, 2);
    world_free(&w);
}

/* Without SACK every segment out of order gives its own duplicate ACK. */
static void test_duplicate_acks(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.sack = false;
    open_config(&w);
    DATA_IN(&w, 1);
    DATA_IN(&w, 2);
    DATA_IN(&w, 3);
    for (unsigned i = 0; i < 3; i++)
        EXPECT(&w, ACK, .seq = US);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* The right edge never moves back, and moves on in useful steps. */
static void test_window(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    w.ask.window_bytes = 50000; /* the buffer shrank */
    tcp_want_ack(&w.tcp);
    EXPECT(&w, ACK, .seq = US, .window = WINDOW);
    DATA_IN(&w, 0);
    take(&w);
    DATA_IN(&w, 1);
    take(&w);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .window = WINDOW - 2000);
    w.ask.window_bytes = WINDOW - 2000 + 999; /* less than a segment more: not worth it */
    tcp_want_ack(&w.tcp);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .window = WINDOW - 2000);
    w.ask.window_bytes++;
    tcp_want_ack(&w.tcp);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .window = WINDOW - 1000);
    /* Shared by several subflows: what the owner says (RFC 8684 3.3.4). */
    w.ask.shared_window = true;
    w.ask.window_bytes = 123;
    tcp_want_ack(&w.tcp);
    EXPECT(&w, ACK, .seq = US, .ack = K(2), .window = 123);
    world_free(&w);
}

static void test_window_full(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.ask.window_bytes = 2500;
    open_config(&w);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 4000); /* more than allowed */
    assert_int_equal(take(&w), 2500);
    w.ask.window_bytes = 0;
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 2500);
    assert_int_equal(w.plan.seg.window, 0);
    /* A one-byte probe is answered, not taken; its ACK counts. */
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 2500, .ack = US, .len = 1);
    assert_true(w.r.flags & TCP_R_ACCEPTABLE);
    assert_int_equal(take(&w), 0);
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 2500);
    /* A FIN needs no room. */
    SEND(&w, .flags = TCP_ACK | TCP_FIN, .seq = THEM + 2500, .ack = US);
    assert_true(w.r.flags & TCP_R_FIN);
    world_free(&w);
}

/* A window that another subflow announced is good here too. */
static void test_accept_window(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.ask.window_bytes = 1000;
    open_config(&w);
    tcp_accept_window(&w.tcp, 3000);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 3000);
    assert_int_equal(take(&w), 3000);
    world_free(&w);
}

/* An old segment's ACK and options still count: DATA_ACKs ride on them. */
static void test_old_segment(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    push(&w, 100);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 2000, .gso = 1000);
    take(&w);
    EXPECT(&w, ACK, .seq = US + 100, .ack = K(2));
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 100, .len = 1000);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_DUPLICATE | TCP_R_ACKED);
    assert_int_equal(w.r.acked_bytes, 100);
    world_free(&w);
}

/* A repetition lies within the widest window announced; what is older than
 * that is nobody's, and neither its ACK nor its options count. */
static void test_segment_too_old(void **state)
{
    struct world w;
    (void)state;
    open_active(&w);
    push(&w, 100);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM - 0xffff - 1, .ack = US + 50, .mptcp = MPO_REMOVE_ADDR);
    assert_int_equal(w.r.flags, 0);
    EXPECT(&w, ACK, .seq = US + 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM - 0xffff, .ack = US + 50, .mptcp = MPO_REMOVE_ADDR);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_ACKED);
    assert_int_equal(w.tcp.stats.dropped_window, 1);
    world_free(&w);
}

static void test_receiver_rtt(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.timestamps = true;
    open_config(&w);
    uint32_t then = w.plan.seg.tcp.tsval;
    AT(&w, 70);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 988, .tsval = 5, .tsecr = then);
    take(&w);
    assert_int_equal(w.tcp.rtt.rcv_rtt_us, 70000);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delayed_ack),     cmocka_unit_test(test_quick_ack),
        cmocka_unit_test(test_super_segment),   cmocka_unit_test(test_sack_blocks),
        cmocka_unit_test(test_dsack),           cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_piece_limit),     cmocka_unit_test(test_duplicate_acks),
        cmocka_unit_test(test_window),          cmocka_unit_test(test_window_full),
        cmocka_unit_test(test_accept_window),   cmocka_unit_test(test_old_segment),
        cmocka_unit_test(test_segment_too_old), cmocka_unit_test(test_receiver_rtt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
