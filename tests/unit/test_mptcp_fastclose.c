/* SPDX-License-Identifier: MIT
 *
 * MP_FASTCLOSE as traces (RFC 8684 3.5, RFC 6824 3.5): on ACKs until a RST
 * answers, on RSTs at once, and what the other end does with either.
 */
#include "mptcp_trace.h"

static struct peer *peer_with(uint8_t version, bool ack)
{
    struct plait_config config;
    plait_config_default(&config);
    config.fastclose_ack = ack;
    struct peer *p = peer_new_version(&config, version, false);
    peer_settle(p);
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100); /* a round trip that is measured */
    peer_settle(p);
    peer_expect_stream(p, 0, 100);
    return p;
}

/* The application gives up; nothing was sent yet. */
static void abort_here(struct peer *p)
{
    plait_conn_abort(p->t->conn, p->t->now);
}

static unsigned conns(const struct peer *p)
{
    struct plait_memory m;
    plait_stack_memory(p->t->stack, &m);
    return m.conns;
}

/* The next segment is an ACK with MP_FASTCLOSE and nothing else. */
static unsigned expect_ack(struct peer *p)
{
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->mptcp.present, MPO_FASTCLOSE);
    assert_int_equal(s->mptcp.fastclose_key, TRACE_PEER_KEY);
    assert_int_equal(s->payload_len, 0);
    return flow_by_port(p, s->dst.port) == &p->flows[0] ? 0 : 1;
}

/* And nothing but resets after it, with these options. */
static void expect_resets(struct peer *p, unsigned count, uint32_t options)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(peer_next(p));
        assert_true(p->t->seg.flags & TCP_RST);
        assert_int_equal(p->t->seg.mptcp.present, options);
    }
    trace_silent(p->t);
}

static void peer_fastclose(struct peer *p, unsigned flow, uint8_t flags, uint64_t key)
{
    struct segment s = peer_segment(p, flow, flow ? 0 : 100);
    s.flags = flags;
    s.mptcp.present = MPO_FASTCLOSE;
    s.mptcp.fastclose_key = key;
    trace_send(p->t, s, NULL, 0);
}

/* One subflow is reset, the other carries the ACK; whichever comes first. */
static unsigned expect_option_a(struct peer *p, uint32_t reset_options)
{
    unsigned acks = 0, resets = 0, on = 0;
    while (peer_next(p)) {
        const struct segment *s = &p->t->seg;
        if (s->flags & TCP_RST) {
            assert_int_equal(s->mptcp.present, reset_options);
            resets++;
        } else {
            assert_int_equal(s->mptcp.present, MPO_FASTCLOSE);
            on = flow_by_port(p, s->dst.port) == &p->flows[0] ? 0 : 1;
            acks++;
        }
    }
    assert_int_equal(acks, 1);
    assert_int_equal(resets, 1);
    return on;
}

/* ---- we abort ----------------------------------------------------------------------- */

static void resets_carry_it_by_default(void **state)
{
    struct peer *p = peer_with(1, false);
    (void)state;
    abort_here(p);
    expect_resets(p, 2, MPO_FASTCLOSE);
    assert_int_equal(conns(p), 0);
    peer_free(p);
}

static void an_ack_carries_it_where_configured(void **state)
{
    struct peer *p = peer_with(1, true);
    (void)state;
    abort_here(p);
    unsigned on = expect_option_a(p, MPO_TCPRST);
    assert_int_equal(conns(p), 1);
    peer_reset(p, on, on ? 0 : 100, false);
    assert_int_equal(conns(p), 0);
    assert_int_equal(peer_wait(p, MS(300000)), 0);
    peer_free(p);
}

/* RFC 6824 3.5 knows ACKs only, and no MP_TCPRST. */
static void an_ack_carries_it_in_version_0(void **state)
{
    struct peer *p = peer_with(0, false);
    (void)state;
    abort_here(p);
    unsigned on = expect_option_a(p, 0);
    peer_reset(p, on, on ? 0 : 100, false);
    assert_int_equal(conns(p), 0);
    peer_free(p);
}

/* The application is gone and the peer takes nothing: the end is told as an
 * abort is, on an ACK in version 0, which knows no RST with the option. */
static void giving_up_says_it_too(void **state)
{
    (void)state;
    for (uint8_t version = 0; version < 2; version++) {
        struct peer *p = peer_with(version, false);
        unsigned acks = 0, resets = 0;
        assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
        assert_int_equal(plait_conn_close(p->t->conn, p->t->now), 0);
        while (conns(p) && p->t->now < MS(3600000)) {
            while (peer_next(p))
                if (p->t->seg.mptcp.present & MPO_FASTCLOSE)
                    *((p->t->seg.flags & TCP_RST) ? &resets : &acks) += 1;
            if (conns(p))
                trace_timer(p->t);
        }
        assert_int_equal(conns(p), 0);
        assert_int_equal(acks, version == 0 ? 4 : 0);
        assert_int_equal(resets, version == 0 ? 1 : 2);
        peer_free(p);
    }
}

/* One round trip timeout each, three times more, then the RST. */
static void it_is_repeated_until_it_is_given_up(void **state)
{
    struct peer *p = peer_with(1, true);
    uint64_t at[4];
    (void)state;
    abort_here(p);
    expect_option_a(p, MPO_TCPRST);
    uint64_t last = p->t->now;
    for (unsigned i = 0; i < 3; i++) {
        trace_timer(p->t);
        expect_ack(p);
        trace_silent(p->t);
        at[i] = p->t->now - last;
        last = p->t->now;
    }
    trace_timer(p->t);
    at[3] = p->t->now - last;
    expect_resets(p, 1, MPO_FASTCLOSE);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(at[i], 2 * at[i - 1]);
    assert_int_equal(conns(p), 0);
    assert_int_equal(peer_counters(p)->MPFastcloseTx, 5);
    peer_free(p);
}

/* What was on its way is not sent again, what comes is not answered. */
static void nothing_else_is_sent_meanwhile(void **state)
{
    struct peer *p = peer_with(0, false);
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "late", 4, p->t->now), 4);
    peer_expect(p, TCP_ACK);
    abort_here(p);
    unsigned on = expect_option_a(p, 0);
    peer_data(p, on, on ? 0 : 100, 100, 50);
    trace_silent(p->t);
    trace_timer(p->t);
    assert_int_equal(expect_ack(p), on);
    trace_silent(p->t);
    peer_free(p);
}

static void both_ends_at_once(void **state)
{
    struct peer *p = peer_with(1, true);
    (void)state;
    abort_here(p);
    unsigned on = expect_option_a(p, MPO_TCPRST);
    peer_fastclose(p, on, TCP_ACK, p->our_key);
    expect_resets(p, 1, MPO_TCPRST); /* a RST, not the option again */
    assert_int_equal(conns(p), 0);
    peer_free(p);
}

static void another_key_changes_nothing(void **state)
{
    struct peer *p = peer_with(1, true);
    (void)state;
    abort_here(p);
    unsigned on = expect_option_a(p, MPO_TCPRST);
    peer_fastclose(p, on, TCP_ACK, p->our_key ^ 1);
    trace_silent(p->t);
    trace_timer(p->t);
    expect_ack(p);
    peer_free(p);
}

/* ---- the peer aborts ------------------------------------------------------------------ */

static void the_answer_is_a_reset_on_every_subflow(void **state)
{
    (void)state;
    for (uint8_t version = 0; version < 2; version++) {
        struct peer *p = peer_with(version, true);
        peer_fastclose(p, 1, TCP_ACK, p->our_key);
        expect_resets(p, 2, version ? MPO_TCPRST : 0);
        assert_true(p->flows[0].reset && p->flows[1].reset);
        assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_RESET);
        assert_int_equal(p->event[PLAIT_EV_CONN_CLOSED].why, PLAIT_WHY_PEER_FASTCLOSE);
        peer_free(p);
    }
}

static void on_a_reset_the_other_subflows_are_reset(void **state)
{
    struct peer *p = peer_with(1, false);
    (void)state;
    peer_fastclose(p, 1, TCP_RST | TCP_ACK, p->our_key);
    expect_resets(p, 1, MPO_TCPRST);
    assert_true(p->flows[0].reset);
    assert_int_equal(p->event[PLAIT_EV_CONN_CLOSED].why, PLAIT_WHY_PEER_FASTCLOSE);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets_carry_it_by_default),
        cmocka_unit_test(an_ack_carries_it_where_configured),
        cmocka_unit_test(an_ack_carries_it_in_version_0),
        cmocka_unit_test(it_is_repeated_until_it_is_given_up),
        cmocka_unit_test(giving_up_says_it_too),
        cmocka_unit_test(nothing_else_is_sent_meanwhile),
        cmocka_unit_test(both_ends_at_once),
        cmocka_unit_test(another_key_changes_nothing),
        cmocka_unit_test(the_answer_is_a_reset_on_every_subflow),
        cmocka_unit_test(on_a_reset_the_other_subflows_are_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
