/* SPDX-License-Identifier: MIT
 *
 * Limits on what connections hold: what is offered and taken at the limit, what
 * is given up above it, and that what was DATA_ACKed never is.
 */
#include "mptcp_trace.h"
#include "stack/stack.h"

enum { LIMIT = 100000, PART = 25000, EACH = 40000 };

static struct peer *limited(uint64_t all, uint64_t each)
{
    struct plait_config config;
    plait_config_default(&config);
    config.held_max_bytes = all;
    config.conn_held_max_bytes = each;
    return peer_new(&config, false);
}

/* As if what the peer was offered before had been offered to many. */
static void limit_becomes(struct peer *p, uint64_t bytes)
{
    p->t->stack->env.config.held_max_bytes = bytes;
}

static uint64_t held(const struct peer *p)
{
    struct plait_memory m;
    plait_stack_memory(p->t->stack, &m);
    return m.held_bytes;
}

static void take_in(struct peer *p)
{
    while (peer_next(p))
        ;
    plait_stack_check(p->t->stack);
}

static uint64_t written(struct peer *p, size_t bytes)
{
    static const uint8_t zeroes[1 << 20];
    int64_t n = plait_conn_write(p->t->conn, zeroes, bytes, p->t->now);
    return n < 0 ? 0 : (uint64_t)n;
}

/* The bytes of the segments that leave now. */
static uint64_t leaves(struct peer *p)
{
    uint64_t bytes = 0;
    while (peer_next(p))
        bytes += p->t->seg.payload_len;
    return bytes;
}

/* One who would write for ever runs ahead of what is sent by a megabyte, one of
 * a hundred by 64 KiB, and is asked again when half of that is gone. */
static void many_writers_share_what_is_written_ahead(void **state)
{
    struct plait_config config;
    (void)state;
    plait_config_default(&config);
    config.send_buffer_bytes = 1 << 22;
    config.burst_max_bytes = 0;
    struct peer *p = peer_new(&config, false);
    uint32_t *writers = &p->t->stack->env.writer_count;
    *writers += 99; /* as if there were others */
    assert_int_equal(written(p, 1 << 20), 65536);
    assert_int_equal(*writers, 100);
    uint64_t sent = leaves(p);
    assert_in_range(sent, 1, 32767);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_WRITABLE);
    assert_int_equal(written(p, 1 << 20), sent); /* it may, all the same */
    *writers -= 99;
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_WRITABLE);
    assert_int_equal(written(p, 1 << 21), (1 << 20) - 65536);
    *writers += 3; /* four have a megabyte each */
    assert_int_equal(written(p, 1), 0);
    *writers -= 3;
    plait_stack_check(p->t->stack);
    assert_int_equal(plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now), 0);
    assert_int_equal(*writers, 0);
    peer_free(p);
}

/* Half of the share is gone: the next super-segment is asked for. */
static void a_writer_of_many_is_asked_at_half(void **state)
{
    struct plait_config config;
    uint64_t sent = 0;
    (void)state;
    plait_config_default(&config);
    config.burst_max_bytes = 0;
    struct peer *p = peer_new(&config, false);
    p->t->stack->env.writer_count += 99;
    assert_int_equal(written(p, 1 << 20), 65536);
    for (unsigned round = 0; sent < 32768; round++) {
        assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_WRITABLE);
        assert_true(round < 10);
        sent += leaves(p);
        peer_data_ack(p, 0, 0, (uint32_t)sent);
        trace_wait(p->t, 1000);
    }
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_WRITABLE);
    p->t->stack->env.writer_count -= 99;
    peer_free(p);
}

static void below_the_floor_is_no_limit(void **state)
{
    struct plait_config config;
    struct plait_stack *stack;
    (void)state;
    struct trace *t = trace_default();
    plait_config_default(&config);
    config.allocator = t->stack->env.config.allocator;
    config.conn_held_max_bytes = 32767;
    assert_int_equal(plait_stack_new(&config, 0, &stack), PLAIT_E_INVALID);
    config.conn_held_max_bytes = 32768;
    assert_int_equal(plait_stack_new(&config, 0, &stack), 0);
    plait_stack_free(stack);
    trace_free(t);
}

/* The window that the peer has is never more than the connection may hold. */
static void a_connection_keeps_to_its_limit(void **state)
{
    struct peer *p = limited(0, EACH);
    uint64_t pos = 0;
    (void)state;
    for (;;) {
        struct plait_conn_info info = peer_info(p);
        uint64_t n = info.recv_window_bytes < 1000 ? info.recv_window_bytes : 1000;
        if (!n)
            break;
        peer_data(p, 0, (uint32_t)pos, pos, (uint16_t)n);
        take_in(p);
        pos += n;
    }
    assert_in_range(held(p), EACH - 2000, EACH);
    assert_int_equal(p->event[PLAIT_EV_CONN_SQUEEZED].why, PLAIT_WHY_CONN_MEMORY);
    peer_expect_data_ack(p, pos);
    assert_int_equal(written(p, 1 << 20), HOLD_FLOOR); /* so much each way, always */
    assert_int_equal(written(p, 1), 0);
    peer_expect_stream(p, 0, (uint32_t)pos);
    peer_data_ack(p, 0, (uint32_t)pos, 0);
    take_in(p);
    assert_int_equal(p->events[PLAIT_EV_CONN_RELAXED], 1);
    assert_int_equal(peer_counters(p)->RcvPruned, 0);
    peer_free(p);
}

/* The right edge of the window in the last segment, as a position in the stream. */
static uint64_t edge(struct peer *p)
{
    const struct segment *s = &p->t->seg;
    while (peer_next(p) || peer_settle(p))
        ;
    assert_true(s->mptcp.dss.has_ack);
    return (uint32_t)(s->mptcp.dss.data_ack - (uint32_t)(p->idsn + 1)) + s->window;
}

/* What was offered stays offered, whatever memory is needed for since then
 * (RFC 8684 3.3.4). */
static void an_offer_is_not_withdrawn(void **state)
{
    struct peer *p = limited(0, EACH);
    (void)state;
    peer_data(p, 0, 0, 0, 1000);
    uint64_t offered = edge(p);
    assert_int_equal(written(p, EACH / 2), HOLD_FLOOR);
    assert_true(peer_info(p).recv_window_bytes > 0);
    assert_int_equal(edge(p), offered);
    peer_data(p, 0, 1000, 1000, 1000);
    assert_int_equal(edge(p), offered);
    peer_free(p);
}

/* One that is alone may hold half: as much as is free then. */
static void a_writer_gets_as_much_as_is_free(void **state)
{
    struct peer *p = limited(LIMIT, 0);
    uint64_t all = 0, n;
    (void)state;
    while ((n = written(p, 1 << 20)) != 0)
        all += n;
    assert_in_range(all, LIMIT / 2 - 2, LIMIT / 2);
    assert_int_equal(p->event[PLAIT_EV_CONN_SQUEEZED].why, PLAIT_WHY_STACK_MEMORY);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_WRITABLE);
    assert_int_equal(peer_counters(p)->TCPMemoryPressures, 1);
    peer_free(p);
}

/* The bytes furthest ahead go; the peer has no DATA_ACK of them and sends them
 * again. */
static void what_came_out_of_order_is_given_up(void **state)
{
    struct peer *p = limited(0, 0);
    (void)state;
    peer_join(p, 1);
    peer_data(p, 1, 0, 1000, PART);
    peer_data(p, 1, PART, 1000 + PART, PART);
    take_in(p);
    assert_int_equal(held(p), 2 * PART);
    limit_becomes(p, 2 * PART + 1000);
    peer_data(p, 1, 2 * PART, 1000 + 2 * PART, 1001);
    take_in(p);
    assert_int_equal(held(p), PART + 1001);
    assert_int_equal(p->event[PLAIT_EV_CONN_PRUNED].why, PLAIT_WHY_STACK_MEMORY);
    assert_int_equal(p->event[PLAIT_EV_CONN_PRUNED].arg[0], PART);
    assert_int_equal(peer_counters(p)->OfoPruned, PART);
    peer_expect_data_ack(p, 0);

    limit_becomes(p, 0);
    peer_data(p, 0, 0, 0, 1000);
    take_in(p);
    peer_expect_data_ack(p, 1000 + PART);
    peer_data(p, 0, 1000, 1000 + PART, PART);
    take_in(p);
    peer_expect_stream(p, 0, 1000 + 2 * PART + 1001);
    peer_free(p);
}

/* The same for what is out of order on a subflow: SACKed, not acknowledged. */
static void what_a_subflow_holds_is_given_up(void **state)
{
    struct peer *p = limited(0, 0);
    (void)state;
    peer_data(p, 0, 1000, 1000, PART);
    take_in(p);
    limit_becomes(p, PART);
    peer_data(p, 0, 1000 + PART, 1000 + PART, 1);
    take_in(p);
    assert_int_equal(held(p), 1);
    limit_becomes(p, 0);
    peer_data(p, 0, 0, 0, 1000);
    peer_data(p, 0, 1000, 1000, PART);
    take_in(p);
    peer_expect_stream(p, 0, 1000 + PART + 1);
    peer_free(p);
}

/* Bytes that the application has not read stay, whatever the limit: they were
 * DATA_ACKed. What comes on top is left out, its acknowledgments count. */
static void what_was_acknowledged_stays(void **state)
{
    struct peer *p = limited(0, 0);
    (void)state;
    assert_int_equal(written(p, 500), 500);
    take_in(p);
    peer_data(p, 0, 0, 0, EACH);
    take_in(p);
    limit_becomes(p, EACH + 500);
    struct segment s = peer_segment(p, 0, EACH);
    peer_map(p, &s, EACH, EACH, 1);
    s.mptcp.dss.has_ack = true;
    s.mptcp.dss.data_ack = p->our_idsn + 1 + 500;
    peer_send(p, s, EACH, 1);
    assert_int_equal(peer_expect(p, TCP_ACK)->ack, FLOW_ISS + 1 + EACH);
    peer_expect_data_ack(p, EACH);
    assert_int_equal(peer_counters(p)->RcvPruned, 1);
    assert_int_equal(peer_info(p).bytes_acked, 500);
    peer_expect_stream(p, 0, EACH);
    peer_data(p, 0, EACH, EACH, 1);
    peer_expect_stream(p, EACH, 1);
    peer_free(p);
}

/* One that holds little is taken from even above the limit. */
static void the_small_are_let_in(void **state)
{
    struct peer *p = limited(0, 0);
    (void)state;
    limit_becomes(p, 1);
    peer_data(p, 0, 0, 0, 2 * HOLD_FLOOR);
    take_in(p);
    peer_data(p, 0, 2 * HOLD_FLOOR, 2 * HOLD_FLOOR, 1);
    take_in(p);
    peer_expect_data_ack(p, 2 * HOLD_FLOOR);
    peer_expect_stream(p, 0, 2 * HOLD_FLOOR);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_writers_share_what_is_written_ahead),
        cmocka_unit_test(a_writer_of_many_is_asked_at_half),
        cmocka_unit_test(below_the_floor_is_no_limit),
        cmocka_unit_test(a_connection_keeps_to_its_limit),
        cmocka_unit_test(an_offer_is_not_withdrawn),
        cmocka_unit_test(a_writer_gets_as_much_as_is_free),
        cmocka_unit_test(what_came_out_of_order_is_given_up),
        cmocka_unit_test(what_a_subflow_holds_is_given_up),
        cmocka_unit_test(what_was_acknowledged_stays),
        cmocka_unit_test(the_small_are_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
