/* SPDX-License-Identifier: MIT
 *
 * Rules of RFC 8684 that hold whatever else happens: who may free what, whose
 * window counts, what is never taken back.
 */
#include "mptcp/conn.h"
#include "mptcp_trace.h"

/* ---- bytes until they are acknowledged twice ------------------------------------------ */

static void write_stream(struct peer *p, uint32_t len)
{
    uint8_t bytes[2000];
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = stream_byte(i);
    assert_int_equal(plait_conn_write(p->t->conn, bytes, len, p->t->now), len);
}

static void is_stream(const struct segment *s, uint32_t len)
{
    assert_int_equal(s->payload_len, len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(s->payload[i], stream_byte(i));
}

/* The subflow with this port acknowledges everything; no DSS. */
static void ack_plainly(struct peer *p, uint16_t port)
{
    unsigned flow = port - p->flows[0].at.port;
    trace_send(p->t, peer_segment(p, flow, 0), NULL, 0);
}

/* RFC 8684 3.3.2, 4: an ACK of a subflow is none of the connection. */
static void a_subflow_s_ack_is_no_data_ack(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    write_stream(p, 1000);
    uint16_t port = peer_expect(p, TCP_ACK)->dst.port;
    ack_plainly(p, port);
    assert_int_equal(peer_info(p).bytes_acked, 0);
    assert_int_equal(peer_info(p).send_queued_bytes, 1000);
    peer_data_ack(p, 0, 0, 1000);
    assert_int_equal(peer_info(p).bytes_acked, 1000);
    assert_int_equal(peer_info(p).send_queued_bytes, 0);
    peer_free(p);
}

/* RFC 8684 3.3.2, 3.3.6: a DATA_ACK by way of another subflow does not end the
 * first one's duty; its bytes are still there to be repeated. */
static void bytes_live_until_every_subflow_acknowledged_them(void **state)
{
    struct peer *p = peer_default();
    bool moved = false, repeated = false;
    (void)state;
    peer_join(p, 1);
    peer_wait(p, MS(1));
    write_stream(p, 1000);
    uint16_t first = peer_expect(p, TCP_ACK)->dst.port;
    while (!moved) {
        trace_timer(p->t);
        while (peer_next(p))
            moved = moved || (p->t->seg.dst.port != first && p->t->seg.payload_len);
    }
    uint16_t second = p->flows[0].at.port == first ? p->flows[1].at.port : p->flows[0].at.port;
    peer_data_ack(p, second - p->flows[0].at.port, 0, 1000);
    assert_int_equal(peer_info(p).bytes_acked, 1000);
    for (unsigned i = 0; i < 10 && !repeated; i++) {
        trace_timer(p->t);
        while (peer_next(p))
            if (p->t->seg.dst.port == first && p->t->seg.payload_len) {
                is_stream(&p->t->seg, 1000);
                repeated = true;
            }
    }
    assert_true(repeated);
    ack_plainly(p, first);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    peer_free(p);
}

/* RFC 8684 3.3.1: what is sent again has the mapping it had. */
static void a_retransmission_repeats_its_mapping(void **state)
{
    struct peer *p = peer_default();
    unsigned copies = 0;
    (void)state;
    write_stream(p, 1000);
    struct mptcp_dss first = peer_expect(p, TCP_ACK)->mptcp.dss;
    assert_int_equal(first.data_len, 1000);
    for (unsigned i = 0; i < 5; i++) {
        trace_timer(p->t);
        while (peer_next(p))
            if (p->t->seg.payload_len) {
                const struct mptcp_dss *d = &p->t->seg.mptcp.dss;
                assert_true(d->has_map && d->dsn == first.dsn && d->ssn == first.ssn &&
                            d->data_len == first.data_len);
                is_stream(&p->t->seg, 1000);
                copies++;
            }
    }
    assert_true(copies >= 3);
    peer_free(p);
}

/* ---- the width of numbers ------------------------------------------------------------- */

/* The next segment with data has a DSN of 8 bytes. */
static bool next_is_wide(struct peer *p)
{
    write_stream(p, 1000);
    bool wide = peer_expect(p, TCP_ACK)->mptcp.dss.dsn64;
    peer_data_ack(p, 0, 0, peer_info(p).bytes_written);
    return wide;
}

/* RFC 8684 3.3.1: 8 bytes where 2^32 could pass within two minutes. Most of the
 * bytes are only said to have been sent. */
static void wide_numbers_at_a_high_rate(void **state)
{
    static const struct {
        uint64_t seconds;
        bool wide;
    } rows[] = {{1, true}, {119, true}, {121, false}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = peer_default();
        assert_false(next_is_wide(p));
        p->t->conn->rate_dsn -= (1 << 29) - 2000;
        peer_wait(p, MS(1000) * rows[i].seconds);
        assert_int_equal(next_is_wide(p), rows[i].wide);
        peer_wait(p, MS(1000) * 1000);
        assert_int_equal(next_is_wide(p), rows[i].wide);
        peer_free(p);
    }
}

/* RFC 8684 3.3.2: what a DSN of 8 bytes brought is acknowledged with 8, also
 * when one of 4 came after it. */
static void a_wide_dsn_is_not_forgotten(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    s.mptcp.dss.dsn64 = true;
    peer_send(p, s, 0, 100);
    peer_data(p, 0, 100, 100, 100);
    peer_settle(p);
    peer_expect_data_ack(p, 200);
    assert_true(p->dss.ack64);
    peer_free(p);
}

/* ---- windows ----------------------------------------------------------------------- */

/* RFC 8684 3.3.2: a window is the connection's only beside a DATA_ACK. */
static void a_window_without_a_data_ack_opens_nothing(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    uint64_t edge = peer_info(p).send_window_bytes;
    write_stream(p, 1000);
    uint16_t port = peer_expect(p, TCP_ACK)->dst.port;
    ack_plainly(p, port);
    assert_int_equal(peer_info(p).send_window_bytes, edge);
    peer_data_ack(p, 0, 0, 1000); /* the same window, from 1000 bytes further on */
    assert_int_equal(peer_info(p).send_window_bytes, edge);
    assert_int_equal(peer_info(p).bytes_acked, 1000);
    peer_free(p);
}

/* RFC 8684 3.3.5, 4: of what the subflows heard the largest counts. */
static void the_largest_window_counts(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data_ack(p, 1, 0, 0);
    struct segment s = peer_segment(p, 0, 0);
    s.window = 1000;
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = p->our_idsn + 1};
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_info(p).send_window_bytes, 65535);
    peer_free(p);
}

/* RFC 8684 3.3.4: DATA_ACK + window never goes back, on whichever subflow. */
static void the_window_s_edge_is_never_withdrawn(void **state)
{
    enum { BUFFER = 20000, PIECE = 1000 };
    struct plait_config config;
    plait_config_default(&config);
    config.recv_buffer_bytes = config.recv_buffer_max_bytes = BUFFER;
    struct peer *p = peer_new(&config, false);
    uint64_t edge = 0, window = BUFFER;
    uint32_t sent = 0;
    (void)state;
    peer_join(p, 1);
    for (; window >= PIECE; sent += PIECE) {
        peer_data(p, sent / PIECE % 2, sent / PIECE / 2 * PIECE, sent, PIECE);
        while (peer_next(p) || peer_settle(p)) {
            const struct segment *s = &p->t->seg;
            if (!(s->mptcp.present & MPO_DSS) || !s->mptcp.dss.has_ack)
                continue;
            window = s->window;
            uint64_t at = s->mptcp.dss.data_ack - (uint32_t)(p->idsn + 1) + window;
            assert_true(at >= edge);
            edge = at;
        }
    }
    assert_int_equal(edge, BUFFER); /* nothing was read */
    peer_expect_stream(p, 0, sent);
    peer_settle(p);
    assert_int_equal(p->t->seg.window, BUFFER);
    peer_free(p);
}

/* RFC 8684 3.3.5, between two stacks with the same configuration. */
static void the_send_buffer_is_no_smaller_than_the_receive_buffer(void **state)
{
    struct plait_config c;
    (void)state;
    plait_config_default(&c);
    assert_true(c.send_buffer_bytes >= c.recv_buffer_bytes);
    assert_true(c.send_buffer_max_bytes >= c.recv_buffer_max_bytes);
}

/* ---- plain TCP is for good ------------------------------------------------------------ */

/* RFC 8684 3.7: options that pass again change nothing. */
static void plain_tcp_never_turns_back(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_map = true, .dsn = p->idsn + 1, .ssn = 1};
    peer_send(p, s, 0, 100);
    assert_false(peer_info(p).multipath);
    peer_expect_stream(p, 0, 100);
    peer_data(p, 0, 100, 100, 100);
    peer_expect_stream(p, 100, 100);
    peer_join_syn(p, 1);
    write_stream(p, 100);
    while (peer_next(p))
        if (p->t->seg.dst.port == p->flows[0].at.port && p->t->seg.payload_len)
            assert_int_equal(p->t->seg.mptcp.present & ~(uint32_t)MPO_DSS, 0);
    assert_true(p->flows[1].reset);
    assert_false(peer_info(p).multipath);
    assert_int_equal(peer_info(p).subflows, 1);
    peer_free(p);
}

/* RFC 8684 3.7: DATA_ACKs mean nothing any more, the subflow's ACKs all. */
static void plain_tcp_hears_no_data_ack(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_map = true, .dsn = p->idsn + 1, .ssn = 1};
    peer_send(p, s, 0, 100);
    assert_false(peer_info(p).multipath);
    s = peer_segment(p, 0, 100);
    write_stream(p, 100);
    peer_settle(p);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = p->our_idsn + 101};
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 0);
    trace_send(p->t, peer_segment(p, 0, 100), NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 100);
    peer_free(p);
}

/* ---- joins -------------------------------------------------------------------------- */

/* RFC 8684 3.2: the token says which connection, not a port that listens. */
static void a_join_needs_no_listener_and_no_port(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    plait_listener_close(p->t->listener, p->t->now);
    struct segment syn = peer_segment(p, 1, 0);
    syn.dst.port = 6000;
    syn.flags = TCP_SYN;
    syn.seq = FLOW_ISS;
    syn.mptcp.present = MPO_JOIN_SYN;
    syn.mptcp.join.addr_id = 1;
    syn.mptcp.join.token = key_derive(1, p->our_key).token;
    trace_send(p->t, syn, NULL, 0);
    while (peer_next(p) && p->t->seg.dst.port != p->flows[1].at.port)
        ;
    assert_int_equal(p->t->seg.flags, TCP_SYN | TCP_ACK);
    assert_int_equal(p->t->seg.src.port, 6000);
    assert_int_equal(p->t->seg.mptcp.present, MPO_JOIN_SYNACK);
    peer_free(p);
}

/* ---- what is received --------------------------------------------------------------- */

/* RFC 8684 3.3.1: other bytes for the same place come too late, wherever they
 * come from and whether the first ones wait or are read. */
static void the_first_bytes_for_a_place_are_delivered(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 100, 100); /* waits for what comes before it */
    struct segment s = peer_segment(p, 1, 0);
    peer_map(p, &s, 0, 0, 300);
    uint8_t bytes[300];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(stream_byte(i) ^ (i >= 100 && i < 200 ? 0xff : 0));
    trace_send(p->t, s, bytes, sizeof bytes);
    peer_expect_stream(p, 0, 300);
    s = peer_segment(p, 0, 100); /* and once they have been read */
    peer_map(p, &s, 0, 100, 100);
    peer_send(p, s, 7777, 100);
    peer_expect_stream(p, 300, 0);
    peer_free(p);
}

/* RFC 8684 3.3.1: the subflow's sequence numbers are its own affair. */
static void bytes_without_a_mapping_are_acknowledged_by_the_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_send(p, peer_segment(p, 0, 100), 100, 100);
    peer_settle(p);
    assert_int_equal(p->t->seg.ack, FLOW_ISS + 1 + 200);
    peer_expect_data_ack(p, 100);
    peer_free(p);
}

/* RFC 8684 3.3.3: both streams have ended, but ours is not acknowledged yet. */
static void no_subflow_is_closed_while_bytes_are_outstanding(void **state)
{
    struct peer *p = peer_default();
    unsigned fins = 0;
    (void)state;
    peer_join(p, 1);
    write_stream(p, 1000);
    plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now);
    while (peer_next(p))
        ;
    peer_data_fin(p, 0, 0, 0);
    for (unsigned i = 0; i < 5; i++) {
        while (peer_next(p))
            fins += (p->t->seg.flags & TCP_FIN) != 0;
        trace_timer(p->t);
    }
    assert_int_equal(fins, 0);
    for (unsigned flow = 0; flow < 2; flow++)
        peer_data_ack(p, flow, 0, 1001);
    while (peer_next(p))
        fins += (p->t->seg.flags & TCP_FIN) != 0;
    assert_int_equal(fins, 2);
    peer_free(p);
}

/* ---- what a path manager decides ------------------------------------------------------ */

static unsigned withdraw_second(void *state, const struct plait_pm_view *view,
                                enum plait_pm_event event, struct plait_pm_action *actions,
                                uint64_t *wake_us)
{
    (void)state, (void)wake_us;
    if (event != PLAIT_PM_LOCAL_ADDED)
        return 0;
    for (unsigned i = 0; i < view->local_count; i++)
        if (view->locals[i].id)
            actions[0] =
                (struct plait_pm_action){.kind = PLAIT_PM_WITHDRAW, .local = view->locals[i]};
    return 1;
}

/* RFC 8684 3.4.2: an address that is there may be withdrawn; both ends reset
 * what runs over it, this one since it still can. */
static void a_withdrawn_address_s_subflows_are_reset(void **state)
{
    static const struct plait_local second = {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .mtu = 1500};
    static const struct plait_pm withdraws = {.name = "test", .decide = withdraw_second};
    struct peer *p = peer_default();
    bool told = false;
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &second, p->t->now), 0);
    peer_wait(p, MS(10000)); /* announced in vain */
    const struct plait_endpoint first = p->us;
    p->us.addr = second.addr;
    peer_join(p, 1);
    peer_settle(p);
    p->us = first;
    p->t->conn->pm = &withdraws;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &second, p->t->now), 0);
    while (peer_next(p))
        told = told || (p->t->seg.mptcp.present & MPO_REMOVE_ADDR);
    assert_true(told);
    assert_true(p->flows[1].reset && !p->flows[0].reset);
    assert_int_equal(p->flows[1].reset_reason, 3);
    assert_int_equal(peer_info(p).subflows, 1);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subflow_s_ack_is_no_data_ack),
        cmocka_unit_test(bytes_live_until_every_subflow_acknowledged_them),
        cmocka_unit_test(a_retransmission_repeats_its_mapping),
        cmocka_unit_test(wide_numbers_at_a_high_rate),
        cmocka_unit_test(a_wide_dsn_is_not_forgotten),
        cmocka_unit_test(a_window_without_a_data_ack_opens_nothing),
        cmocka_unit_test(the_window_s_edge_is_never_withdrawn),
        cmocka_unit_test(the_send_buffer_is_no_smaller_than_the_receive_buffer),
        cmocka_unit_test(the_largest_window_counts),
        cmocka_unit_test(plain_tcp_never_turns_back),
        cmocka_unit_test(plain_tcp_hears_no_data_ack),
        cmocka_unit_test(a_join_needs_no_listener_and_no_port),
        cmocka_unit_test(the_first_bytes_for_a_place_are_delivered),
        cmocka_unit_test(bytes_without_a_mapping_are_acknowledged_by_the_subflow),
        cmocka_unit_test(no_subflow_is_closed_while_bytes_are_outstanding),
        cmocka_unit_test(a_withdrawn_address_s_subflows_are_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
