/* SPDX-License-Identifier: MIT
 *
 * Opening: active, passive, simultaneous, refused, unanswered; what the SYN
 * options agree on; and the table of states.
 */
#include "tcp_trace.h"

static void test_active(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_make(&w);
    EXPECT_NONE(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT_STATE(&w, SYN_SENT);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS, .window = WINDOW);
    assert_int_equal(w.plan.seg.tcp.mss, MSS);
    assert_int_equal(w.plan.seg.tcp.present, OPT_MSS | OPT_SACK_OK | OPT_WSCALE);
    EXPECT_NONE(&w);
    AT(&w, 50);
    SEND(&w, .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = US, .options = OPT_MSS, .mss = 900);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_ESTABLISHED);
    EXPECT_STATE(&w, ESTABLISHED);
    assert_int_equal(w.tcp.rtt.srtt_us, 50000);
    assert_int_equal(tcp_segment_payload(&w.tcp, 0), 900);
    assert_int_equal(tcp_segment_payload(&w.tcp, 20), 880);
    assert_false(w.tcp.sack || w.tcp.wscale);
    EXPECT(&w, ACK, .seq = US);
    EXPECT_NONE(&w);
    /* The SYN/ACK again: our ACK was lost. */
    SEND(&w, .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = US);
    EXPECT(&w, ACK, .seq = US);
    world_free(&w);
}

static void test_options_agreed(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.config.timestamps = true;
    w.config.rcv_wscale = 7;
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    SEND(&w, .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = US, .tsval = 77, .tsecr = 0,
         .options = OPT_MSS | OPT_SACK_OK | OPT_WSCALE, .wscale = 15, .window = 1000);
    assert_true(w.tcp.sack && w.tcp.wscale && w.tcp.timestamps);
    assert_int_equal(w.tcp.snd_wscale, 14); /* RFC 7323 2.3 */
    assert_int_equal(w.tcp.snd_wnd, 1000);  /* a SYN's window is not scaled */
    w.ask.window_bytes = 128 * 1000;
    EXPECT(&w, ACK, .seq = US, .window = 1000);
    assert_int_equal(w.plan.seg.tcp.tsecr, 77);
    assert_int_equal(tcp_segment_payload(&w.tcp, 0), MSS - 12);
    world_free(&w);
}

static void test_passive(void **state)
{
    struct world w;
    struct segment syn;
    (void)state;
    world_init(&w);
    world_make(&w);
    build(&w,
          &(struct spec){
              .flags = TCP_SYN, .seq = IRS, .options = OPT_MSS | OPT_SACK_OK, .window = WINDOW},
          &syn);
    tcp_accept(&w.tcp, &syn, ISS, w.now_us);
    EXPECT_STATE(&w, SYN_RECEIVED);
    EXPECT(&w, SYN, .flags = TCP_SYN | TCP_ACK, .seq = ISS);
    assert_int_equal(w.plan.seg.tcp.present, OPT_MSS | OPT_SACK_OK); /* no scaling: not offered */
    /* The SYN again: the answer again. */
    SEND(&w, .flags = TCP_SYN, .seq = IRS);
    EXPECT(&w, SYN, .flags = TCP_SYN | TCP_ACK, .seq = ISS);
    /* An ACK of something else is answered with RST, and nothing changes. */
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US + 5);
    EXPECT(&w, RST, .flags = TCP_RST, .seq = US + 5);
    EXPECT_STATE(&w, SYN_RECEIVED);
    /* The third ACK with data. */
    SEND(&w, .flags = TCP_ACK, .seq = THEM, .ack = US, .len = 10);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_ESTABLISHED | TCP_R_READABLE);
    assert_int_equal(take(&w), 10);
    EXPECT(&w, ACK, .seq = US, .ack = THEM + 10);
    world_free(&w);
}

static void test_simultaneous(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    SEND(&w, .flags = TCP_SYN, .seq = IRS, .options = OPT_MSS);
    EXPECT_STATE(&w, SYN_RECEIVED);
    EXPECT(&w, SYN, .flags = TCP_SYN | TCP_ACK, .seq = ISS);
    SEND(&w, .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = US, .options = OPT_MSS);
    EXPECT_STATE(&w, ESTABLISHED);
    world_free(&w);
}

static void test_refused(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    SEND(&w, .flags = TCP_RST, .seq = IRS); /* without ACK: anybody could send it */
    EXPECT_STATE(&w, SYN_SENT);
    SEND(&w, .flags = TCP_ACK, .seq = IRS, .ack = US + 9); /* half-open peer */
    EXPECT(&w, RST, .flags = TCP_RST, .seq = US + 9);
    SEND(&w, .flags = TCP_RST | TCP_ACK, .seq = IRS, .ack = US);
    assert_int_equal(w.r.flags, TCP_R_ACCEPTABLE | TCP_R_CLOSED);
    assert_int_equal(w.r.error, TCP_REFUSED);
    EXPECT_STATE(&w, CLOSED);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* RFC 6298 2.1, 5.5: 1, 2, 4 ... seconds, then no more. */
static void test_syn_backoff(void **state)
{
    struct world w;
    uint64_t ms = 0;
    (void)state;
    world_init(&w);
    w.config.syn_retries = 4;
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    for (unsigned i = 0; i <= 4; i++) {
        EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
        assert_int_equal(next_ms(&w), 1000 << i);
        EXPECT_NONE(&w);
        ms += 1000u << i;
        AT(&w, ms);
        assert_true(w.flags & TCP_R_TIMEOUT);
    }
    EXPECT_STATE(&w, CLOSED);
    assert_int_equal(w.tcp.error, TCP_TIMED_OUT);
    world_free(&w);
}

/* RFC 6298 5.7, RFC 5681 3.1: a SYN sent three times leaves a small start. */
static void test_syn_lost_start(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    AT(&w, 1000);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    AT(&w, 3000);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    SEND(&w, .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = US, .options = OPT_MSS);
    assert_int_equal(w.tcp.control.cwnd_bytes, MSS);
    assert_int_equal(w.tcp.rtt.rto_us, 3000000);
    assert_int_equal(w.tcp.rtt.srtt_us, 0);
    world_free(&w);
}

static void icmp(struct world *w, int kind, uint32_t seq, uint16_t mtu)
{
    struct icmp_error e = {.kind = kind, .seq = seq, .mtu = mtu};
    tcp_icmp(&w->tcp, &e, w->now_us, &w->r);
    note(w);
}

/* RFC 5927: hard errors count while connecting, about our own SYN only. */
static void test_unreachable(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    EXPECT(&w, SYN, .flags = TCP_SYN, .seq = ISS);
    icmp(&w, ICMP_HARD, ISS + 1, 0);
    icmp(&w, ICMP_SOFT, ISS, 0);
    EXPECT_STATE(&w, SYN_SENT);
    icmp(&w, ICMP_HARD, ISS, 0);
    assert_int_equal(w.r.error, TCP_UNREACHABLE);
    EXPECT_STATE(&w, CLOSED);
    world_free(&w);

    open_active(&w);
    push(&w, 10);
    EXPECT(&w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US, .len = 10);
    icmp(&w, ICMP_HARD, US, 0);
    EXPECT_STATE(&w, ESTABLISHED);
    world_free(&w);
}

static void test_close_before_open(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    tcp_close(&w.tcp, w.now_us);
    EXPECT_STATE(&w, CLOSED);
    world_free(&w);

    world_init(&w);
    world_make(&w);
    tcp_connect(&w.tcp, ISS, w.now_us);
    tcp_abort(&w.tcp);
    EXPECT_STATE(&w, CLOSED);
    EXPECT_NONE(&w);
    world_free(&w);
}

/* RFC 9293 3.10.7.1 */
static void test_reset_reply(void **state)
{
    static const struct {
        uint8_t flags;
        uint32_t len;
        bool reply;
        uint8_t out_flags;
        uint32_t out_seq, out_ack;
    } rows[] = {
        {TCP_RST, 0, false, 0, 0, 0},
        {TCP_RST | TCP_ACK, 0, false, 0, 0, 0},
        {TCP_SYN, 0, true, TCP_RST | TCP_ACK, 0, 501},
        {TCP_FIN, 7, true, TCP_RST | TCP_ACK, 0, 508},
        {TCP_ACK, 7, true, TCP_RST, 900, 0},
        {TCP_SYN | TCP_ACK, 0, true, TCP_RST, 900, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct segment in, out;
        segment_clear(&in);
        in.src = trace_endpoint(2, 80);
        in.dst = trace_endpoint(1, 1000);
        in.flags = rows[i].flags;
        in.seq = 500;
        in.ack = 900;
        in.payload_len = rows[i].len;
        assert_int_equal(tcp_reset_reply(&in, &out), rows[i].reply);
        if (!rows[i].reply)
            continue;
        assert_int_equal(out.flags, rows[i].out_flags);
        assert_int_equal(out.seq, rows[i].out_seq);
        if (out.flags & TCP_ACK)
            assert_int_equal(out.ack, rows[i].out_ack);
        assert_int_equal(out.dst.port, 80);
    }
}

/* Every cell of the table that differs from "stay", and no other. */
static void test_states(void **state)
{
    static const struct {
        enum tcp_state from;
        enum tcp_event event;
        enum tcp_state to;
    } steps[] = {
        {TCP_ESTABLISHED, TCP_E_FIN_SENT, TCP_FIN_WAIT_1},
        {TCP_ESTABLISHED, TCP_E_FIN_RECEIVED, TCP_CLOSE_WAIT},
        {TCP_FIN_WAIT_1, TCP_E_FIN_ACKED, TCP_FIN_WAIT_2},
        {TCP_FIN_WAIT_1, TCP_E_FIN_RECEIVED, TCP_CLOSING},
        {TCP_FIN_WAIT_2, TCP_E_FIN_RECEIVED, TCP_TIME_WAIT},
        {TCP_CLOSE_WAIT, TCP_E_FIN_SENT, TCP_LAST_ACK},
        {TCP_CLOSING, TCP_E_FIN_ACKED, TCP_TIME_WAIT},
        {TCP_LAST_ACK, TCP_E_FIN_ACKED, TCP_CLOSED},
    };
    (void)state;
    for (int s = 0; s < TCP_STATE_COUNT; s++)
        for (int e = 0; e < TCP_E_COUNT; e++) {
            enum tcp_state want = (enum tcp_state)s;
            for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
                if ((int)steps[i].from == s && (int)steps[i].event == e)
                    want = steps[i].to;
            assert_int_equal(tcp_next_state((enum tcp_state)s, (enum tcp_event)e), want);
        }
    assert_string_equal(tcp_state_name(TCP_TIME_WAIT), "TIME_WAIT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_active),
        cmocka_unit_test(test_options_agreed),
        cmocka_unit_test(test_passive),
        cmocka_unit_test(test_simultaneous),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_syn_backoff),
        cmocka_unit_test(test_syn_lost_start),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_close_before_open),
        cmocka_unit_test(test_reset_reply),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
