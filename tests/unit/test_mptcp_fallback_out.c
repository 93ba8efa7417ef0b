/* SPDX-License-Identifier: MIT
 *
 * From Multipath TCP to plain TCP as traces (RFC 8684 3.7, RFC 6824 3.6), the
 * sender's part: MP_FAIL, acknowledgments without DATA_ACK, and the first
 * bytes, after which everything may still change.
 */
#include "fallback_trace.h"

/* With checksums, and small writes leave at once. */
static struct peer *peer_eager(void)
{
    struct plait_config config;
    plait_config_default(&config);
    config.nagle = false;
    return peer_new(&config, true);
}

/* ---- the sender: MP_FAIL -------------------------------------------------------------- */

static void mp_fail_is_answered_in_version_1(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    say(p, "hello");
    peer_expect(p, TCP_ACK);
    send_fail(p, 0, 0, p->our_idsn + 1);
    expect_fallback(p, PLAIT_WHY_MP_FAIL);
    const struct segment *s = peer_expect(p, TCP_ACK); /* a knock with all that is to say */
    assert_true(s->mptcp.present & MPO_FAIL);
    assert_int_equal(s->mptcp.fail_dsn, p->idsn + 1);
    expect_infinite(p, 0, 1);
    assert_int_equal(peer_counters(p)->MPFailRx, 1);
    assert_int_equal(peer_counters(p)->MPFailTx, 1);
    assert_int_equal(peer_info(p).bytes_acked, 5); /* by the subflow's ACK */
    send_plain(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    say(p, "world");
    expect_payload(p, "world");
    expect_infinite(p, 0, 1);
    trace_send(p->t, peer_segment(p, 0, 100), NULL, 0);
    say(p, "again");
    expect_payload(p, "again");
    assert_int_equal(p->t->seg.mptcp.present, 0);
    peer_free(p);
}

/* Version 0: one direction. The peer goes on mapping, and is DATA_ACKed. */
static void mp_fail_ends_one_direction_in_version_0(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    struct peer *p = peer_new_version(&config, 0, true);
    (void)state;
    say(p, "hello");
    peer_expect(p, TCP_ACK);
    send_fail(p, 0, 0, p->our_idsn + 1);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_false(s->mptcp.present & MPO_FAIL);
    expect_infinite(p, 0, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_settle(p);
    peer_expect_data_ack(p, 100);
    struct segment fin = peer_segment(p, 0, 100);
    fin.mptcp.present = MPO_DSS;
    fin.mptcp.dss = (struct mptcp_dss){.has_map = true,
                                       .dsn = p->idsn + 101,
                                       .data_len = 1,
                                       .data_fin = true,
                                       .has_checksum = true,
                                       .checksum = csum_dss(p->idsn + 101, 0, 1, 0)};
    trace_send(p->t, fin, NULL, 0);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now);
    peer_expect(p, TCP_ACK | TCP_FIN);
    peer_free(p);
}

/* A second subflow, on which a DSS has come. */
static void join_second(struct peer *p)
{
    peer_join(p, 1);
    peer_wait(p, MS(1));
    peer_data_ack(p, 1, 0, 0);
}

static void held_bytes_are_sent_again_once_the_subflow_is_quiet(void **state)
{
    struct peer *p = peer_eager();
    (void)state;
    say(p, "hello");
    expect_payload(p, "hello");
    uint32_t one = p->flows[0].rcv_nxt;
    say(p, "world");
    expect_payload(p, "world");
    p->flows[0].rcv_nxt = one; /* only the first has come, and was altered */
    send_fail_holding(p, 0, 0, 0);
    while (peer_next(p))
        assert_int_equal(p->t->seg.payload_len, 0);
    p->flows[0].rcv_nxt = one + 5;
    send_fail_holding(p, 0, 0, 0);
    expect_payload(p, "helloworld");
    expect_infinite(p, 0, 11);
    assert_int_equal(p->t->seg.seq, one + 5);
    trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 10);
    expect_fallback(p, PLAIT_WHY_MP_FAIL);
    peer_free(p);
}

/* A peer that took the altered bytes complains once: they must not come twice. */
static void bytes_are_not_sent_again_to_a_peer_that_took_them(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    say(p, "hello");
    expect_payload(p, "hello");
    send_fail_holding(p, 0, 0, 0);
    peer_wait(p, MS(1000));
    assert_int_equal(peer_info(p).bytes_acked, 5);
    say(p, "world");
    expect_payload(p, "world");
    expect_infinite(p, 0, 1);
    peer_free(p);
}

static void both_directions_may_fail_at_once(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    say(p, "hello");
    expect_payload(p, "hello");
    send_fail_holding(p, 0, 200, 0);
    send_fail_holding(p, 0, 200, 0);
    expect_payload(p, "hello");
    expect_infinite(p, 0, 6);
    struct segment s = peer_segment(p, 0, 200);
    map_infinite(p, &s, 100, 200);
    peer_send(p, s, 100, 100);
    peer_expect_stream(p, 100, 100);
    expect_fallback(p, PLAIT_WHY_CHECKSUM_FAILED);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    peer_free(p);
}

/* The bytes that were lost with a subflow went behind later ones on the other:
 * no run, and an infinite mapping alone would misplace them. */
static void bytes_out_of_order_are_sent_again(void **state)
{
    struct peer *p = peer_eager();
    (void)state;
    peer_join(p, 1);
    peer_wait(p, MS(1));
    say(p, "hello");
    expect_payload(p, "hello");
    unsigned used = p->t->seg.dst.port == p->flows[1].at.port, other = !used;
    p->flows[used].rcv_nxt -= 5; /* is lost */
    struct segment prio = peer_segment(p, used, 0);
    prio.mptcp = (struct mptcp_options){.present = MPO_PRIO, .prio = {.backup = true}};
    trace_send(p->t, prio, NULL, 0);
    say(p, "world");
    await_payload(p, "world");
    assert_int_equal(p->t->seg.dst.port, p->flows[other].at.port);
    struct segment rst = peer_segment(p, used, 0);
    rst.flags = TCP_RST;
    rst.seq = FLOW_ISS + 1;
    trace_send(p->t, rst, NULL, 0);
    await_payload(p, "hello");
    assert_int_equal(p->t->seg.dst.port, p->flows[other].at.port);
    send_fail(p, other, 0, p->our_idsn + 1);
    expect_fallback(p, PLAIT_WHY_MP_FAIL);
    await_payload(p, "helloworld");
    expect_infinite(p, 0, 11);
    peer_free(p);
}

static void mp_fail_among_others_ends_the_subflow(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 1, 0, 0, 100);
    send_fail(p, 1, 100, p->our_idsn + 1);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_true(peer_info(p).multipath);
    peer_free(p);
}

/* ---- the sender: acknowledgments without DATA_ACK -------------------------------------- */

static void plain_acks_alone_mean_plain_tcp(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    say(p, "hello");
    peer_expect(p, TCP_ACK);
    peer_data_ack(p, 0, 0, 5);
    say(p, "world");
    peer_expect(p, TCP_ACK);
    trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
    assert_true(peer_info(p).multipath); /* it may come by itself */
    trace_timer(p->t);
    expect_fallback(p, PLAIT_WHY_OPTIONS_STRIPPED);
    assert_int_equal(peer_info(p).bytes_acked, 10);
    uint32_t next = p->flows[0].rcv_nxt;
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->seq, next - 1); /* a knock */
    assert_int_equal(s->flags, TCP_ACK | TCP_PSH);
    assert_int_equal(s->payload_len, 0);
    assert_true(s->flags & TCP_PSH);
    expect_infinite(p, 5, 6);
    send_plain(p, 0, 0, 0, 100); /* its options are lost too */
    peer_expect_stream(p, 0, 0);
    send_knock(p, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* A proxy acknowledged for the peer and lets a DSS through that it had kept:
 * the peer may be plain TCP by now, to which the same bytes would be new ones. */
static void a_resend_asks_first(void **state)
{
    struct peer *p = peer_default();
    bool probed = false;
    (void)state;
    say(p, "hello");
    peer_expect(p, TCP_ACK);
    trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
    peer_data(p, 0, 0, 0, 10);
    uint32_t next = p->flows[0].rcv_nxt;
    for (uint64_t end = p->t->now + MS(5000); !probed && p->t->now < end; trace_timer(p->t))
        while (peer_next(p)) {
            assert_int_equal(p->t->seg.payload_len, 0);
            probed = probed || p->t->seg.seq == next - 1;
        }
    assert_true(probed);
    trace_send(p->t, peer_segment(p, 0, 10), NULL, 0);
    trace_send(p->t, peer_segment(p, 0, 10), NULL, 0);
    expect_fallback(p, PLAIT_WHY_OPTIONS_STRIPPED);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    peer_free(p);
}

/* Before "world" the peer may hold "hello" once more, which only the infinite
 * mapping tells from "world": a knock's mark would say that what it holds goes on
 * where its stream ends. */
static void a_knock_behind_a_resend_is_not_marked(void **state)
{
    struct peer *p = peer_eager();
    (void)state;
    say(p, "hello");
    expect_payload(p, "hello");
    peer_data_ack(p, 0, 0, 0);
    await_payload(p, "hello");
    peer_data_ack(p, 0, 0, 5);
    say(p, "world");
    await_payload(p, "world");
    send_fail(p, 0, 0, p->our_idsn + 1 + 5);
    expect_fallback(p, PLAIT_WHY_MP_FAIL);
    uint32_t next = p->flows[0].rcv_nxt;
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->seq, next - 1);
    assert_int_equal(s->flags, TCP_ACK);
    expect_infinite(p, 5, 11);
    peer_free(p);
}

static void knocks_are_repeated_a_few_times(void **state)
{
    struct peer *p = peer_default();
    unsigned knocks = 0;
    (void)state;
    say(p, "hello");
    peer_expect(p, TCP_ACK);
    peer_data_ack(p, 0, 0, 5);
    say(p, "world");
    peer_expect(p, TCP_ACK);
    trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
    uint64_t end = p->t->now + MS(20000);
    while (p->t->now < end) {
        while (peer_next(p))
            knocks += p->t->seg.seq == p->flows[0].rcv_nxt - 1;
        if (plait_stack_deadline(p->t->stack) > end)
            break;
        trace_timer(p->t);
    }
    assert_int_equal(knocks, 5);
    peer_free(p);
}

static void a_data_ack_may_come_after_the_ack(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        say(p, "hello");
        expect_payload(p, "hello");
        trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
        peer_data_ack(p, 0, 0, 5 * i);
    }
    peer_wait(p, MS(1000));
    assert_true(peer_info(p).multipath);
    peer_free(p);
}

static void two_plain_acks_in_a_row_are_enough(void **state)
{
    struct peer *p = peer_eager();
    (void)state;
    say(p, "hello");
    expect_payload(p, "hello");
    peer_data_ack(p, 0, 0, 5);
    for (int i = 0; i < 2; i++) {
        say(p, "world");
        expect_payload(p, "world");
        assert_true(peer_info(p).multipath);
        trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
    }
    expect_fallback(p, PLAIT_WHY_OPTIONS_STRIPPED);
    peer_free(p);
}

static void plain_acks_among_others_end_the_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    join_second(p);
    say(p, "hello");
    expect_payload(p, "hello");
    unsigned used = p->t->seg.dst.port == p->flows[1].at.port;
    trace_send(p->t, peer_segment(p, used, 0), NULL, 0);
    peer_wait(p, MS(1000));
    expect_reset(p, used, MPO_FAIL | MPO_TCPRST, 6);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_OPTIONS_STRIPPED);
    assert_true(peer_info(p).multipath);
    peer_free(p);
}

static void the_first_ack_on_a_joined_subflow_must_be_a_data_ack(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment prio = peer_segment(p, 0, 0);
    prio.mptcp = (struct mptcp_options){.present = MPO_PRIO, .prio = {.backup = true}};
    trace_send(p->t, prio, NULL, 0);
    peer_wait(p, MS(1));
    say(p, "hello");
    expect_payload(p, "hello");
    assert_int_equal(p->t->seg.dst.port, p->flows[1].at.port);
    trace_send(p->t, peer_segment(p, 1, 0), NULL, 0);
    peer_settle(p);
    expect_reset(p, 1, MPO_TCPRST, 6);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_JOIN_ACK_PLAIN);
    peer_free(p);
}

static struct peer *peer_unconfirmed(void)
{
    struct plait_config config;
    plait_config_default(&config);
    return peer_fresh(&config, 1, false);
}

/* A DATA_ACK of 1000 bytes, of which five were sent. */
static void a_first_data_ack_of_something_else_means_plain_tcp(void **state)
{
    struct peer *p = peer_unconfirmed();
    (void)state;
    say(p, "hello");
    expect_payload(p, "hello");
    peer_data_ack(p, 0, 0, 1000);
    expect_fallback(p, PLAIT_WHY_FIRST_ACK_WRONG);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    peer_free(p);
}

static void a_data_ack_before_anything_was_sent_means_nothing(void **state)
{
    struct peer *p = peer_unconfirmed();
    (void)state;
    peer_data_ack(p, 0, 0, 1000);
    assert_true(peer_info(p).multipath);
    assert_int_equal(peer_info(p).bytes_acked, 0);
    peer_free(p);
}

static void first_bytes_and_acks_without_options_mean_plain_tcp(void **state)
{
    struct peer *p = peer_unconfirmed();
    (void)state;
    send_plain(p, 0, 0, 0, 100);
    expect_fallback(p, PLAIT_WHY_FIRST_DATA_PLAIN);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
    p = peer_unconfirmed();
    say(p, "hello");
    expect_payload(p, "hello");
    trace_send(p->t, peer_segment(p, 0, 0), NULL, 0);
    expect_fallback(p, PLAIT_WHY_FIRST_ACK_PLAIN);
    say(p, "world"); /* says so once more, in case the peer hears it (3.7) */
    expect_payload(p, "world");
    expect_infinite(p, 0, 1);
    peer_free(p);
}

/* Only its data lost their options: it has heard of us and keeps to MPTCP, so
 * it would send again what has no DATA_ACK. It gets them, and is told. */
static void a_peer_that_did_not_fall_back_is_told_and_acknowledged(void **state)
{
    struct peer *p = peer_unconfirmed();
    (void)state;
    send_plain(p, 0, 0, 0, 100);
    expect_fallback(p, PLAIT_WHY_FIRST_DATA_PLAIN);
    peer_settle(p);
    assert_false(p->t->seg.mptcp.present); /* it may have fallen back */
    peer_data_ack(p, 0, 100, 0);
    assert_int_equal(peer_expect(p, TCP_ACK)->mptcp.present, MPO_FAIL);
    assert_int_equal(p->t->seg.mptcp.fail_dsn, p->idsn + 101);
    send_plain(p, 0, 100, 100, 100);
    peer_settle(p);
    peer_expect_data_ack(p, 200);
    peer_expect_stream(p, 0, 200);
    struct segment s = peer_segment(p, 0, 200); /* now it follows */
    map_infinite(p, &s, 0, 0);
    peer_send(p, s, 200, 100);
    peer_settle(p);
    assert_false(p->t->seg.mptcp.present);
    peer_expect_stream(p, 200, 100);
    peer_free(p);
}

/* With a second subflow nobody can say what the bytes are. */
static void first_bytes_without_options_beside_another_subflow(void **state)
{
    struct peer *p = peer_unconfirmed();
    (void)state;
    peer_join(p, 1);
    send_plain(p, 0, 0, 0, 100);
    peer_next(p);
    expect_reset(p, 0, MPO_TCPRST, 6);
    peer_data(p, 1, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static void first_bytes_beside_other_keys_mean_plain_tcp(void **state)
{
    struct peer *p = peer_unconfirmed();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_CAPABLE_DATA;
    s.mptcp.capable = (struct mptcp_capable){.version = 1,
                                             .flags = MPC_HMAC,
                                             .sender_key = TRACE_PEER_KEY,
                                             .receiver_key = p->our_key + 1,
                                             .data_len = 100};
    peer_send(p, s, 0, 100);
    expect_fallback(p, PLAIT_WHY_FIRST_KEYS_WRONG);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* The peer's FIN came when it still ended just the subflow. */
static void a_fin_before_the_fallback_ends_the_stream(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    struct segment fin = peer_segment(p, 0, 100);
    fin.flags |= TCP_FIN;
    fin.mptcp.present = MPO_DSS; /* without it, it would tell of the fallback itself */
    fin.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = p->our_idsn + 1};
    trace_send(p->t, fin, NULL, 0);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    struct segment s = peer_segment(p, 0, 101);
    map_infinite(p, &s, 100, 100);
    trace_send(p->t, s, NULL, 0);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_free(p);
}

/* What the peer acknowledged on a subflow that it then broke off, and did not
 * DATA_ACK, goes over the other at once. */
static void what_was_acknowledged_and_not_kept_goes_over_the_other(void **state)
{
    struct peer *p = peer_eager();
    (void)state;
    join_second(p);
    say(p, "hello");
    await_payload(p, "hello");
    unsigned used = p->t->seg.dst.port == p->flows[1].at.port;
    struct segment ack = peer_segment(p, used, 0);
    ack.mptcp.present = MPO_DSS;
    ack.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = p->our_idsn + 1};
    trace_send(p->t, ack, NULL, 0); /* came, was wrong */
    struct segment rst = peer_segment(p, used, 0);
    rst.flags = TCP_RST;
    rst.mptcp = (struct mptcp_options){.present = MPO_FAIL | MPO_TCPRST,
                                       .fail_dsn = p->our_idsn + 1,
                                       .tcprst = {.reason = 6}};
    trace_send(p->t, rst, NULL, 0);
    expect_payload(p, "hello");
    assert_int_equal(p->t->seg.dst.port, p->flows[!used].at.port);
    assert_int_equal(p->t->seg.mptcp.dss.dsn, (uint32_t)(p->our_idsn + 1));
    peer_free(p);
}

static void a_data_fin_before_the_fallback_is_followed_by_a_fin(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    say(p, "hello");
    plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now);
    assert_true(peer_expect(p, TCP_ACK)->mptcp.dss.data_fin);
    send_fail(p, 0, 0, p->our_idsn + 1);
    bool fin = false;
    while (peer_next(p))
        fin = fin || (p->t->seg.flags & TCP_FIN);
    assert_true(fin);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_fail_is_answered_in_version_1),
        cmocka_unit_test(mp_fail_ends_one_direction_in_version_0),
        cmocka_unit_test(held_bytes_are_sent_again_once_the_subflow_is_quiet),
        cmocka_unit_test(bytes_are_not_sent_again_to_a_peer_that_took_them),
        cmocka_unit_test(both_directions_may_fail_at_once),
        cmocka_unit_test(bytes_out_of_order_are_sent_again),
        cmocka_unit_test(mp_fail_among_others_ends_the_subflow),
        cmocka_unit_test(plain_acks_alone_mean_plain_tcp),
        cmocka_unit_test(a_resend_asks_first),
        cmocka_unit_test(a_knock_behind_a_resend_is_not_marked),
        cmocka_unit_test(knocks_are_repeated_a_few_times),
        cmocka_unit_test(a_data_ack_may_come_after_the_ack),
        cmocka_unit_test(two_plain_acks_in_a_row_are_enough),
        cmocka_unit_test(plain_acks_among_others_end_the_subflow),
        cmocka_unit_test(the_first_ack_on_a_joined_subflow_must_be_a_data_ack),
        cmocka_unit_test(a_first_data_ack_of_something_else_means_plain_tcp),
        cmocka_unit_test(a_data_ack_before_anything_was_sent_means_nothing),
        cmocka_unit_test(first_bytes_and_acks_without_options_mean_plain_tcp),
        cmocka_unit_test(a_peer_that_did_not_fall_back_is_told_and_acknowledged),
        cmocka_unit_test(first_bytes_without_options_beside_another_subflow),
        cmocka_unit_test(first_bytes_beside_other_keys_mean_plain_tcp),
        cmocka_unit_test(a_fin_before_the_fallback_ends_the_stream),
        cmocka_unit_test(what_was_acknowledged_and_not_kept_goes_over_the_other),
        cmocka_unit_test(a_data_fin_before_the_fallback_is_followed_by_a_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
