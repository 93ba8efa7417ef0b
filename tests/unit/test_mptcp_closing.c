/* SPDX-License-Identifier: MIT
 *
 * The end of a connection as traces: DATA_FINs, subflow FINs, who keeps
 * TIME_WAIT, no subflow left, aborts (RFC 8684 3.3.3 and 3.5, RFC 8041 3.6,
 * RFC 9293 3.6). The stack under test is the server.
 */
#include "mptcp_trace.h"

static struct plait_memory memory(const struct peer *p)
{
    struct plait_memory m;
    plait_stack_memory(p->t->stack, &m);
    return m;
}

static void end_ours(struct peer *p)
{
    assert_int_equal(plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now), 0);
}

/* Take everything in and count the FINs in it. */
static unsigned fins(struct peer *p, uint64_t us)
{
    unsigned count = 0;
    uint64_t end = p->t->now + us;
    for (;;) {
        while (peer_next(p))
            count += (p->t->seg.flags & TCP_FIN) != 0;
        uint64_t at = plait_stack_deadline(p->t->stack);
        if (at > end)
            break;
        p->t->now = at > p->t->now ? at : p->t->now;
        plait_stack_tick(p->t->stack, p->t->now);
    }
    p->t->now = end;
    return count;
}

/* Two subflows, nothing under way. */
static struct peer *two_subflows(void)
{
    struct peer *p = peer_default();
    peer_join(p, 1);
    peer_settle(p);
    return p;
}

/* ---- who sends the first FIN, and who keeps TIME_WAIT ---------------------------- */

/* We were told first: the peer's FINs come first too, and nothing stays. */
static void the_end_told_first_waits_for_the_peers_fins(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    peer_data_fin(p, 0, 0, 0);
    peer_settle(p);
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    assert_int_equal(fins(p, MS(500)), 0);
    peer_fin(p, 1, 0, 1);
    assert_int_equal(fins(p, MS(10)), 1);
    peer_fin(p, 0, 0, 1);
    assert_int_equal(fins(p, MS(10)), 1);
    peer_data_ack(p, 0, 1, 1);
    peer_data_ack(p, 1, 1, 1);
    plait_conn_close(p->t->conn, p->t->now);
    assert_int_equal(memory(p).conns, 0);
    peer_free(p);
}

/* The peer's FIN came before its DATA_ACK of ours. */
static void a_fin_that_came_before_is_answered_at_once(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data_fin(p, 0, 0, 0);
    peer_fin(p, 0, 0, 0);
    peer_settle(p);
    end_ours(p);
    assert_int_equal(fins(p, MS(50)), 0); /* the DATA_FIN first */
    peer_data_ack(p, 0, 1, 1);
    assert_int_equal(fins(p, MS(10)), 1);
    peer_data_ack(p, 0, 1, 1);
    plait_conn_close(p->t->conn, p->t->now);
    assert_int_equal(memory(p).conns, 0);
    peer_free(p);
}

static void the_wait_for_the_peers_fins_has_an_end(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    peer_data_fin(p, 0, 0, 0);
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    assert_int_equal(fins(p, MS(900)), 0);
    assert_int_equal(fins(p, MS(2500)) >= 2, 1);
    peer_free(p);
}

/* We began: TIME_WAIT is ours, on each subflow, and answers a repeated FIN. */
static void the_end_that_began_keeps_time_wait(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    peer_data_fin(p, 1, 0, 0);
    assert_int_equal(fins(p, MS(10)), 2);
    plait_conn_close(p->t->conn, p->t->now);
    peer_fin(p, 0, 0, 1);
    peer_fin(p, 1, 0, 1);
    peer_settle(p);
    assert_int_equal(memory(p).subflows, 2);
    assert_int_equal(memory(p).conns_waiting, 1);
    for (unsigned flow = 0; flow < 2; flow++) { /* our last ACK was lost */
        peer_wait(p, MS(1000));
        peer_fin(p, flow, 0, 1);
        const struct segment *ack = peer_expect(p, TCP_ACK);
        assert_int_equal(ack->ack, FLOW_ISS + 2);
        assert_int_equal(ack->dst.port, p->flows[flow].at.port);
        peer_expect_data_ack(p, 1);
    }
    peer_wait(p, MS(58000)); /* the repetitions began it anew (RFC 9293 3.10.7.4) */
    assert_int_equal(memory(p).subflows, 2);
    peer_wait(p, MS(2000));
    assert_int_equal(memory(p).conns, 0);
    peer_free(p);
}

/* DATA_FINs cross, and so do the FINs: TIME_WAIT at both ends. */
static void crossing_ends(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    end_ours(p);
    peer_settle(p);
    peer_data_fin(p, 0, 0, 0);
    assert_int_equal(fins(p, MS(50)), 0);
    peer_fin(p, 0, 0, 1);
    peer_fin(p, 1, 0, 1);
    assert_int_equal(fins(p, MS(10)), 2);
    peer_data_ack(p, 0, 1, 1);
    peer_data_ack(p, 1, 1, 1);
    plait_conn_close(p->t->conn, p->t->now);
    assert_int_equal(memory(p).subflows, 0); /* the peer's FINs were there already */
    peer_free(p);
}

/* A SYN beyond a subflow in TIME_WAIT takes its 4-tuple over (RFC 9293 3.6.1). */
static void a_4_tuple_in_time_wait_is_used_again(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    peer_data_fin(p, 0, 0, 0);
    peer_settle(p);
    peer_fin(p, 0, 0, 1);
    peer_settle(p);
    plait_conn_close(p->t->conn, p->t->now);
    assert_int_equal(memory(p).conns_waiting, 1);
    struct segment syn = {.src = p->flows[0].at,
                          .flags = TCP_SYN,
                          .window = 65535,
                          .tcp = {.present = OPT_MSS, .mss = 1460}};
    syn.seq = FLOW_ISS - 100; /* an old duplicate */
    trace_send(p->t, syn, NULL, 0);
    assert_true(peer_next(p));
    assert_false(p->t->seg.flags & TCP_SYN);
    syn.seq = FLOW_ISS + 100000;
    trace_send(p->t, syn, NULL, 0);
    peer_expect(p, TCP_SYN | TCP_ACK);
    peer_free(p);
}

/* ---- DATA_FIN --------------------------------------------------------------------- */

static void a_repeated_data_fin_is_acknowledged_where_it_came(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    for (unsigned flow = 0; flow < 2; flow++) {
        peer_data_fin(p, flow, 0, 0);
        assert_int_equal(peer_expect(p, TCP_ACK)->dst.port, p->flows[flow].at.port);
        peer_expect_data_ack(p, 1);
    }
    peer_free(p);
}

/* Bytes are held beyond what a DATA_FIN says is the end: it cannot be true. */
static void a_data_fin_before_bytes_that_came_is_refused(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 20, 10);
    peer_data_fin(p, 0, 10, 25);
    peer_data(p, 0, 10, 0, 20);
    peer_expect_stream(p, 0, 30);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_data_fin(p, 0, 30, 30);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_free(p);
}

/* The only subflow that carried it ends: it goes on the other at once. */
static void a_data_fin_on_a_subflow_that_dies_is_sent_on_another(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    end_ours(p);
    peer_settle(p);
    peer_reset(p, 0, 0, false);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_true(s->mptcp.dss.data_fin);
    assert_int_equal(s->dst.port, p->flows[1].at.port);
    peer_data_ack(p, 1, 0, 1);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_FINISHED);
    peer_free(p);
}

/* DATA_FIN and data are acknowledged, the FINs are not: they are repeated, and
 * after the handle was given up not for ever. */
static void fins_that_nobody_answers(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    peer_data_fin(p, 0, 0, 0);
    assert_int_equal(fins(p, MS(10)), 2);
    assert_true(fins(p, MS(20000)) >= 6);
    plait_conn_close(p->t->conn, p->t->now);
    peer_wait(p, MS(59000));
    assert_int_equal(memory(p).subflows, 2);
    peer_wait(p, MS(2000));
    assert_int_equal(memory(p).conns, 0);
    assert_int_equal(p->flows[0].reset_reason, 4); /* too much outstanding data */
    peer_free(p);
}

/* Half-closed for ten minutes: the peer's data goes on, and an idle subflow
 * and a lost one do not matter. */
static void half_closed_for_minutes(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.keepalive_idle_us = MS(30000);
    struct peer *p = peer_new(&config, false);
    (void)state;
    peer_join(p, 1);
    peer_settle(p);
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    for (uint32_t minute = 0; minute < 10; minute++) {
        peer_data(p, 1, 100 * minute, 100 * minute, 100);
        peer_expect_stream(p, 100 * minute, 100);
        if (minute == 5)
            peer_reset(p, 0, 0, false);
        for (int i = 0; i < 2; i++) { /* a probe every half minute on what is idle */
            assert_true(peer_wait(p, MS(30000)) > 0);
            if (minute < 5)
                peer_data_ack(p, 0, 0, 1);
            peer_data_ack(p, 1, 100 * (minute + 1), 1);
        }
    }
    assert_int_equal(plait_conn_error(p->t->conn), 0);
    peer_data_fin(p, 1, 1000, 1000);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    assert_int_equal(fins(p, MS(10)), 1);
    peer_free(p);
}

/* ---- subflow FINs without DATA_FIN ------------------------------------------------ */

/* A FIN ends its subflow; data goes on over the other, both ways. */
static void a_subflow_fin_ends_the_subflow_only(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    peer_fin(p, 1, 0, 0);
    assert_int_equal(fins(p, MS(10)), 1);
    peer_data_ack(p, 1, 1, 0);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    assert_false(plait_conn_poll(p->t->conn) & (PLAIT_POLL_EOF | PLAIT_POLL_ERROR));
    assert_int_equal(peer_info(p).subflows, 1);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_PEER_CLOSED_SUBFLOW);
    peer_free(p);
}

/* All subflows were FINed: what we still have to say goes over the last; then
 * a new one resumes the stream. */
static void all_subflows_fined_and_a_new_one_resumes(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    peer_fin(p, 1, 0, 0);
    peer_settle(p);
    peer_data_ack(p, 1, 1, 0);
    peer_fin(p, 0, 0, 0);
    peer_settle(p);
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    assert_int_equal(peer_expect(p, TCP_ACK)->payload_len, 5);
    peer_data_ack(p, 0, 1, 5);
    peer_wait(p, MS(50000));
    assert_int_equal(plait_conn_error(p->t->conn), 0);
    peer_join(p, 2);
    peer_data(p, 2, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_wait(p, MS(100000)); /* nothing hurries it any more */
    assert_int_equal(plait_conn_error(p->t->conn), 0);
    peer_free(p);
}

static void all_subflows_fined_and_nobody_comes(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.break_timeout_us = MS(7000);
    struct peer *p = peer_new(&config, false);
    (void)state;
    peer_fin(p, 0, 0, 0);
    peer_settle(p);
    peer_wait(p, MS(6900));
    assert_int_equal(plait_conn_error(p->t->conn), 0);
    peer_wait(p, MS(200));
    assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_TIMED_OUT);
    assert_true(p->flows[0].reset_options & MPO_FASTCLOSE); /* the peer is told */
    peer_free(p);
}

/* ---- break before make -------------------------------------------------------------- */

/* The only subflow was reset. */
static struct peer *broken(const struct plait_config *base)
{
    struct peer *p = peer_new(base, false);
    peer_settle(p);
    peer_reset(p, 0, 0, false);
    assert_int_equal(peer_info(p).subflows, 0);
    assert_int_equal(plait_conn_error(p->t->conn), 0);
    return p;
}

/* Data, then the end, are queued while there is no subflow. */
static void what_was_queued_meanwhile_is_delivered(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    struct peer *p = broken(&config);
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    end_ours(p);
    assert_int_equal(peer_wait(p, MS(50000)), 0);
    peer_join_syn(p, 1);
    uint32_t nonce = peer_expect(p, TCP_SYN | TCP_ACK)->mptcp.join.nonce;
    struct segment ack = peer_segment(p, 1, 0);
    ack.mptcp.present = MPO_JOIN_ACK;
    join_hmac(1, TRACE_PEER_KEY, p->our_key, 1, nonce, ack.mptcp.join.hmac, HMAC_ACK_LEN);
    trace_send(p->t, ack, NULL, 0);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->payload_len, 5);
    assert_true(s->mptcp.dss.data_fin);
    peer_data_ack(p, 1, 0, 6);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_FINISHED);
    peer_free(p);
}

/* The server opens the new subflow itself. */
static void the_other_end_resumes(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    struct peer *p = broken(&config);
    (void)state;
    struct plait_endpoint from = {TRACE_US.addr, 0};
    p->flows[1].at.port = p->flows[0].at.port + 1;
    assert_int_equal(plait_conn_open_subflow(p->t->conn, &from, &p->flows[1].at, false, p->t->now),
                     0);
    assert_int_equal(peer_expect(p, TCP_SYN)->mptcp.present, MPO_JOIN_SYN);
    peer_free(p);
}

static void nobody_resumes(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    for (int detached = 0; detached < 2; detached++) {
        config.break_timeout_us = MS(10000);
        config.close_timeout_us = MS(20000);
        struct peer *p = broken(&config);
        if (detached)
            plait_conn_close(p->t->conn, p->t->now);
        peer_wait(p, detached ? MS(19900) : MS(9900));
        assert_int_equal(memory(p).conns, 1);
        peer_wait(p, MS(200));
        if (!detached)
            assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_TIMED_OUT);
        assert_int_equal(memory(p).conns, !detached);
        assert_int_equal(p->event[PLAIT_EV_CONN_CLOSED].why, PLAIT_WHY_NO_SUBFLOW);
        peer_free(p);
    }
    (void)state;
}

/* ---- aborts ---------------------------------------------------------------------------- */

static void aborts_cross(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    plait_conn_abort(p->t->conn, p->t->now);
    peer_reset(p, 0, 0, true); /* sent before ours came */
    peer_reset(p, 1, 0, true);
    peer_wait(p, MS(1000));
    assert_int_equal(memory(p).conns, 0);
    peer_free(p);
}

/* Both are closed well; an abort then leaves TIME_WAIT where it is. */
static void an_abort_behind_the_end_changes_nothing(void **state)
{
    struct peer *p = two_subflows();
    (void)state;
    end_ours(p);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    peer_data_fin(p, 1, 0, 0);
    peer_settle(p);
    peer_fin(p, 0, 0, 1);
    peer_settle(p);
    plait_conn_abort(p->t->conn, p->t->now);
    peer_settle(p);
    assert_false(p->flows[0].reset); /* TIME_WAIT */
    assert_true(p->flows[1].reset);  /* FIN_WAIT_2 */
    assert_false(p->flows[1].reset_options & MPO_FASTCLOSE);
    assert_int_equal(memory(p).subflows, 1);
    peer_free(p);
}

/* What happened before the abort, and whether the peer is told by MP_FASTCLOSE. */
static void an_abort_in_every_state(void **state)
{
    enum { DATA = 1, PEER_END = 2, OUR_END = 4, ALL = 8 };
    (void)state;
    for (unsigned is = 0; is < ALL; is++) {
        struct peer *p = two_subflows();
        if (is & DATA) {
            peer_data(p, 0, 0, 0, 10);
            plait_conn_write(p->t->conn, "hello", 5, p->t->now);
        }
        uint32_t offset = is & DATA ? 10 : 0;
        if (is & PEER_END)
            peer_data_fin(p, 0, offset, offset);
        if (is & OUR_END)
            end_ours(p);
        peer_settle(p);
        plait_conn_abort(p->t->conn, p->t->now);
        peer_settle(p);
        for (unsigned flow = 0; flow < 2; flow++)
            assert_true(p->flows[flow].reset && (p->flows[flow].reset_options & MPO_FASTCLOSE));
        assert_int_equal(memory(p).conns, 0);
        peer_free(p);
    }
}

/* Not yet connected: nobody needs to hear of it. */
static void an_abort_while_connecting(void **state)
{
    struct trace *t = trace_default();
    struct plait_memory m;
    (void)state;
    assert_int_equal(plait_connect(t->stack, NULL, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    plait_conn_abort(t->conn, t->now);
    trace_silent(t);
    plait_stack_memory(t->stack, &m);
    assert_int_equal(m.conns, 0);
    trace_free(t);
}

static void unread_bytes_make_a_close_an_abort(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        struct peer *p = peer_default();
        if (after)
            plait_conn_close(p->t->conn, p->t->now);
        peer_data(p, 0, 0, 0, 10);
        if (!after)
            plait_conn_close(p->t->conn, p->t->now);
        peer_settle(p);
        assert_true(p->flows[0].reset_options & MPO_FASTCLOSE);
        assert_int_equal(memory(p).conns, 0);
        peer_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_told_first_waits_for_the_peers_fins),
        cmocka_unit_test(a_fin_that_came_before_is_answered_at_once),
        cmocka_unit_test(the_wait_for_the_peers_fins_has_an_end),
        cmocka_unit_test(the_end_that_began_keeps_time_wait),
        cmocka_unit_test(crossing_ends),
        cmocka_unit_test(a_4_tuple_in_time_wait_is_used_again),
        cmocka_unit_test(a_repeated_data_fin_is_acknowledged_where_it_came),
        cmocka_unit_test(a_data_fin_before_bytes_that_came_is_refused),
        cmocka_unit_test(a_data_fin_on_a_subflow_that_dies_is_sent_on_another),
        cmocka_unit_test(fins_that_nobody_answers),
        cmocka_unit_test(half_closed_for_minutes),
        cmocka_unit_test(a_subflow_fin_ends_the_subflow_only),
        cmocka_unit_test(all_subflows_fined_and_a_new_one_resumes),
        cmocka_unit_test(all_subflows_fined_and_nobody_comes),
        cmocka_unit_test(what_was_queued_meanwhile_is_delivered),
        cmocka_unit_test(the_other_end_resumes),
        cmocka_unit_test(nobody_resumes),
        cmocka_unit_test(aborts_cross),
        cmocka_unit_test(an_abort_behind_the_end_changes_nothing),
        cmocka_unit_test(an_abort_in_every_state),
        cmocka_unit_test(an_abort_while_connecting),
        cmocka_unit_test(unread_bytes_make_a_close_an_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
