/* SPDX-License-Identifier: MIT
 *
 * What a connection does for its scheduler: copies, the order of paths,
 * another scheduler on the way, and bytes that wait for a path in vain.
 */
#include "mptcp_trace.h"

enum { BYTES = 1000, MAPS_MAX = 32 };

/* Mappings of new or repeated bytes, as the stack sends them. */
struct maps {
    struct {
        unsigned flow;
        uint64_t pos;
        uint16_t len;
    } map[MAPS_MAX];
    unsigned count;
};

static void maps_take(struct peer *p, struct maps *m)
{
    while (peer_next(p)) {
        const struct segment *s = &p->t->seg;
        if (!(s->mptcp.present & MPO_DSS) || !s->mptcp.dss.has_map)
            continue;
        assert_true(m->count < MAPS_MAX);
        m->map[m->count].flow = (unsigned)(flow_by_port(p, s->dst.port) - p->flows);
        m->map[m->count].pos = (uint32_t)s->mptcp.dss.dsn - (uint32_t)(p->our_idsn + 1);
        m->map[m->count++].len = s->mptcp.dss.data_len;
    }
}

static struct maps maps_for(struct peer *p, uint64_t us)
{
    struct maps m = {.count = 0};
    for (uint64_t end = p->t->now + us;;) {
        maps_take(p, &m);
        uint64_t at = plait_stack_deadline(p->t->stack);
        if (at > end) {
            p->t->now = end;
            return m;
        }
        p->t->now = at > p->t->now ? at : p->t->now;
        plait_stack_tick(p->t->stack, p->t->now);
    }
}

static void expect_map(const struct maps *m, unsigned i, unsigned flow, uint64_t pos, uint16_t len)
{
    assert_true(i < m->count);
    assert_int_equal(m->map[i].flow, flow);
    assert_int_equal(m->map[i].pos, pos);
    assert_int_equal(m->map[i].len, len);
}

static void say(struct peer *p, uint32_t len)
{
    static const uint8_t bytes[4 * BYTES];
    assert_int_equal(plait_conn_write(p->t->conn, bytes, len, p->t->now), len);
}

/* Two subflows. */
static struct peer *peer_with(const char *scheduler)
{
    struct plait_config config;
    plait_config_default(&config);
    config.scheduler = scheduler;
    config.nagle = false;
    struct peer *p = peer_new(&config, false);
    peer_join(p, 1);
    peer_data_ack(p, 1, 0, 0);
    peer_settle(p);
    return p;
}

/* ---- copies --------------------------------------------------------------------- */

static void redundant_bytes_go_over_every_subflow(void **state)
{
    struct peer *p = peer_with("redundant");
    (void)state;
    say(p, BYTES);
    struct maps m = maps_for(p, 0);
    assert_int_equal(m.count, 2);
    assert_int_not_equal(m.map[0].flow, m.map[1].flow);
    expect_map(&m, 0, m.map[0].flow, 0, BYTES);
    expect_map(&m, 1, m.map[1].flow, 0, BYTES);
    say(p, 10);
    m = maps_for(p, 0);
    assert_int_equal(m.count, 2);
    expect_map(&m, 1, m.map[1].flow, BYTES, 10);
    assert_int_equal(peer_info(p).bytes_copied, BYTES + 10);
    assert_int_equal(peer_info(p).bytes_reinjected, 0);
    peer_free(p);
}

/* A subflow that comes later gets what is under way; what was acknowledged
 * meanwhile is not sent again. */
static void copies_are_of_what_is_not_acknowledged(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.scheduler = "redundant";
    config.nagle = false;
    struct peer *p = peer_new(&config, false);
    (void)state;
    say(p, BYTES);
    say(p, BYTES);
    struct maps m = maps_for(p, 0);
    assert_int_equal(m.count, 2); /* one subflow: no copies */
    peer_data_ack(p, 0, 0, BYTES);
    peer_join_syn(p, 1);
    uint32_t nonce = peer_expect(p, TCP_SYN | TCP_ACK)->mptcp.join.nonce;
    struct segment ack = peer_segment(p, 1, 0);
    ack.mptcp.present = MPO_JOIN_ACK;
    join_hmac(1, TRACE_PEER_KEY, p->our_key, 1, nonce, ack.mptcp.join.hmac, HMAC_ACK_LEN);
    trace_send(p->t, ack, NULL, 0);
    m = maps_for(p, 0);
    assert_int_equal(m.count, 1);
    expect_map(&m, 0, 1, BYTES, BYTES);
    peer_free(p);
}

/* What another subflow carries as well is not sent a third time when one ends. */
static void copied_bytes_are_not_reinjected(void **state)
{
    struct peer *p = peer_with("redundant");
    (void)state;
    say(p, BYTES);
    maps_for(p, 0);
    peer_reset(p, 0, 0, false);
    struct maps m = maps_for(p, MS(1));
    assert_int_equal(m.count, 0);
    assert_int_equal(peer_info(p).bytes_reinjected, 0);
    peer_free(p);
}

/* ---- another scheduler ------------------------------------------------------------ */

static void the_scheduler_can_be_changed(void **state)
{
    struct peer *p = peer_with("backup");
    (void)state;
    say(p, BYTES);
    struct maps m = maps_for(p, 0);
    assert_int_equal(m.count, 1);
    expect_map(&m, 0, 0, 0, BYTES);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "backup:go", p->t->now),
                     PLAIT_E_UNKNOWN_NAME);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "nonesuch", p->t->now),
                     PLAIT_E_UNKNOWN_NAME);
    assert_string_equal(peer_info(p).scheduler, "backup");
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "redundant:8", p->t->now), 0);
    assert_string_equal(peer_info(p).scheduler, "redundant");
    m = maps_for(p, 0); /* at once, without anything to be written */
    assert_int_equal(m.count, 1);
    expect_map(&m, 0, 1, 0, BYTES);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "round-robin", p->t->now), 0);
    for (unsigned i = 0; i < 4; i++) {
        say(p, BYTES);
        struct maps turn = maps_for(p, 0);
        assert_int_equal(turn.count, 1);
        if (i)
            assert_int_not_equal(turn.map[0].flow, m.map[0].flow);
        m = turn;
    }
    peer_free(p);
}

static void a_sleeping_connection_takes_another_scheduler(void **state)
{
    struct plait_config config;
    struct plait_memory memory;
    plait_config_default(&config);
    config.sleep_us = MS(10);
    struct peer *p = peer_new(&config, false);
    (void)state;
    peer_wait(p, MS(2000));
    plait_stack_memory(p->t->stack, &memory);
    assert_int_equal(memory.conns_asleep, 1);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "weighted:3,1", p->t->now), 0);
    peer_wait(p, MS(2000));
    plait_stack_memory(p->t->stack, &memory);
    assert_int_equal(memory.conns_asleep, 1);
    assert_string_equal(peer_info(p).scheduler, "weighted");
    peer_free(p);
}

/* ---- short segments -------------------------------------------------------------------- */

/* The end of a long write does not wait for all before it to be acknowledged, which
 * another subflow may have; a short one after it waits for that end. */
static void a_tail_waits_for_a_short_segment_only(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.scheduler = "lowest-rtt";
    struct peer *p = peer_new(&config, false);
    (void)state;
    peer_join(p, 1);
    peer_data_ack(p, 1, 0, 0);
    peer_settle(p);
    say(p, 3 * BYTES);
    struct maps m = maps_for(p, 0);
    assert_true(m.count > 1);
    unsigned flow = m.map[0].flow;
    uint64_t pos = m.map[m.count - 1].pos;
    expect_map(&m, m.count - 1, flow, pos, (uint16_t)(3 * BYTES - pos));
    say(p, 10);
    say(p, 10);
    m = maps_for(p, 0);
    assert_int_equal(m.count, 0);
    peer_data_ack(p, flow, 0, 3 * BYTES);
    m = maps_for(p, 0);
    assert_int_equal(m.count, 1);
    expect_map(&m, 0, m.map[0].flow, 3 * BYTES, 20);
    peer_free(p);
}

/* ---- the order of paths -------------------------------------------------------------- */

static unsigned order_of(const struct peer *p, uint32_t id)
{
    struct plait_subflow_info info[8];
    unsigned n = plait_conn_subflows(p->t->conn, info, 8);
    for (unsigned i = 0; i < n; i++)
        if (info[i].id == id)
            return info[i].order;
    fail_msg("no subflow %u", id);
    return 0;
}

static void paths_keep_their_order(void **state)
{
    struct peer *p = peer_with("weighted");
    (void)state;
    assert_int_equal(order_of(p, 1), 0);
    assert_int_equal(order_of(p, 2), 1);
    peer_reset(p, 1, 0, false);
    peer_settle(p);
    peer_join(p, 2);
    p->flows[1] = (struct flow){.at = p->flows[1].at};
    p->flows[1].at.port = 4101; /* the address counts */
    peer_join(p, 1);
    assert_int_equal(order_of(p, 3), 2);
    assert_int_equal(order_of(p, 4), 1);
    peer_free(p);
}

/* ---- waiting in vain ------------------------------------------------------------------- */

/* Bytes on the slow active subflow are to go over the fast standby one, which
 * the scheduler refuses. The slow one then has them acknowledged and the peer
 * does not keep them: the data-level timer brings them all the same. */
static void refused_reinjections_do_not_wait_for_ever(void **state)
{
    struct peer *p = peer_with("backup");
    (void)state;
    say(p, BYTES);
    maps_for(p, MS(150));
    peer_data_ack(p, 0, 0, BYTES);
    say(p, BYTES);
    struct maps m = maps_for(p, 0);
    assert_int_equal(m.count, 1);
    expect_map(&m, 0, 0, BYTES, BYTES);
    assert_int_equal(p->events[PLAIT_EV_REINJECTED], 1);
    peer_data_ack(p, 0, 0, BYTES); /* acknowledges the segment, not its data */
    m = maps_for(p, MS(3000));
    assert_true(m.count >= 1);
    expect_map(&m, 0, 0, BYTES, BYTES);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redundant_bytes_go_over_every_subflow),
        cmocka_unit_test(copies_are_of_what_is_not_acknowledged),
        cmocka_unit_test(copied_bytes_are_not_reinjected),
        cmocka_unit_test(the_scheduler_can_be_changed),
        cmocka_unit_test(a_sleeping_connection_takes_another_scheduler),
        cmocka_unit_test(a_tail_waits_for_a_short_segment_only),
        cmocka_unit_test(paths_keep_their_order),
        cmocka_unit_test(refused_reinjections_do_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
