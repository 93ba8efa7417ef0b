/* SPDX-License-Identifier: MIT
 *
 * Explicit congestion notification (RFC 3168 6.1): agreed on, echoed, obeyed.
 */
#include "tcp_trace.h"

enum { ASKS = TCP_SYN | TCP_ECE | TCP_CWR, AGREES = TCP_SYN | TCP_ACK | TCP_ECE };

/* ESTABLISHED after a SYN that asked; the SYN/ACK has these flags. */
static void open_asking(struct world *w, uint8_t answer)
{
    world_init(w);
    w->config.ecn_asks = w->config.ecn_answers = true;
    world_make(w);
    tcp_connect(&w->tcp, ISS, w->now_us);
    EXPECT(w, SYN, .flags = ASKS, .seq = ISS, .ack = 0);
    AT(w, 100);
    SEND(w, .flags = answer, .seq = IRS, .ack = US, .options = OPT_MSS | OPT_SACK_OK);
    EXPECT(w, ACK, .seq = US);
    w->tcp.receiver.quick = 0;
}

static void send_data(struct world *w, unsigned first, unsigned last, uint8_t flags)
{
    for (unsigned i = first; i < last; i++)
        push(w, MSS);
    for (unsigned i = first; i < last; i++) {
        EXPECT(w, DATA, .flags = TCP_ACK | TCP_PSH | flags, .seq = US + i * MSS, .len = MSS);
        assert_int_equal(w->plan.seg.ecn, ECN_ECT0);
        flags = 0; /* CWR is said once */
    }
}

/* Once a window the window is halved, and the peer told. */
static void a_mark_is_obeyed_once(void **state)
{
    struct world w;
    (void)state;
    open_asking(&w, AGREES);
    send_data(&w, 0, 10, 0);
    uint64_t before = w.tcp.control.cwnd_bytes;
    AT(&w, 200);
    SEND(&w, .flags = TCP_ACK | TCP_ECE, .seq = THEM, .ack = US + 2 * MSS);
    assert_int_equal(w.tcp.control.ssthresh_bytes, before / 2);
    SEND(&w, .flags = TCP_ACK | TCP_ECE, .seq = THEM, .ack = US + 9 * MSS);
    assert_int_equal(w.tcp.stats.recoveries, 1);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 10 * MSS);
    assert_int_equal(w.tcp.control.cwnd_bytes, before / 2);
    assert_int_equal(w.tcp.stats.retransmits, 0);
    send_data(&w, 10, 12, TCP_CWR);
    world_free(&w);
}

/* The echo goes on until CWR comes. */
static void a_mark_is_echoed_until_told(void **state)
{
    struct world w;
    (void)state;
    open_asking(&w, AGREES);
    AT(&w, 200);
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 100, .ecn = ECN_CE);
    take(&w);
    EXPECT(&w, ACK, .flags = TCP_ACK | TCP_ECE, .seq = US, .ack = THEM + 100);
    SEND(&w, .flags = TCP_ACK, .seq = THEM + 100, .ack = US, .len = 100, .ecn = ECN_ECT0);
    take(&w);
    push(&w, 10);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH | TCP_ECE, .seq = US, .ack = THEM + 200, .len = 10);
    SEND(&w, .flags = TCP_ACK | TCP_CWR, .seq = THEM + 200, .ack = US + 10, .len = 100);
    take(&w);
    push(&w, 10);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 10, .ack = THEM + 300, .len = 10);
    assert_int_equal(w.tcp.stats.marked, 1);
    world_free(&w);
}

/* What is sent again, and probes, are not ECN-capable (6.1.5, 6.1.6). */
static void retransmissions_are_not_capable(void **state)
{
    struct world w;
    (void)state;
    open_asking(&w, AGREES);
    send_data(&w, 0, 1, 0);
    AT(&w, 5000);
    tcp_tick(&w.tcp, w.now_us, &w.r);
    EXPECT(&w, RETRANSMIT, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = MSS);
    assert_int_equal(w.plan.seg.ecn, ECN_NOT);
    world_free(&w);
}

/* A box that reflects the bits of the SYN agrees to nothing (6.1.1.1). */
static void reflected_bits_agree_to_nothing(void **state)
{
    struct world w;
    (void)state;
    open_asking(&w, TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR);
    assert_false(w.tcp.ecn.on);
    push(&w, MSS);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = MSS);
    assert_int_equal(w.plan.seg.ecn, ECN_NOT);
    world_free(&w);
}

/* A SYN that is not answered may have died of its bits. */
static void a_repeated_syn_does_not_ask(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.ecn_asks = w.config.ecn_answers = true;
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT(&w, SYN, .flags = ASKS, .seq = ISS, .ack = 0);
    AT(&w, 1000);
    tcp_tick(&w.tcp, w.now_us, &w.r);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS, .ack = 0);
    world_free(&w);
}

/* The server agrees if it may, and to a SYN that asks with both bits only. */
static void the_server_agrees_if_it_may(void **state)
{
    static const struct {
        bool answers;
        uint8_t syn, synack;
    } rows[] = {
        {true, ASKS, AGREES},
        {true, TCP_SYN, TCP_SYN | TCP_ACK},
        {true, TCP_SYN | TCP_ECE, TCP_SYN | TCP_ACK},
        {false, ASKS, TCP_SYN | TCP_ACK},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        struct segment syn;
        world_init(&w);
        w.config.ecn_answers = rows[i].answers;
        world_make(&w);
        const struct spec s = {.flags = rows[i].syn, .seq = IRS, .options = OPT_MSS};
        build(&w, &s, &syn);
        tcp_accept(&w.tcp, &syn, ISS, w.now_us);
        EXPECT(&w, SYN, .flags = rows[i].synack, .seq = ISS);
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_obeyed_once),
        cmocka_unit_test(a_mark_is_echoed_until_told),
        cmocka_unit_test(retransmissions_are_not_capable),
        cmocka_unit_test(reflected_bits_agree_to_nothing),
        cmocka_unit_test(a_repeated_syn_does_not_ask),
        cmocka_unit_test(the_server_agrees_if_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
