/* SPDX-License-Identifier: MIT
 *
 * Address signals, priorities, resets and limits as traces (RFC 8684 3.3.8,
 * 3.4, 3.5, 3.6).
 */
#include "mptcp_trace.h"

static const struct plait_addr NEW_ADDR = {PLAIT_IPV4, {10, 0, 9, 2}};
static const struct plait_addr OTHER_ADDR = {PLAIT_IPV4, {10, 0, 8, 2}};

/* ---- ADD_ADDR from the peer ------------------------------------------------------ */

static struct segment add_addr(const struct peer *p, uint8_t id, const struct plait_addr *addr,
                               uint16_t port)
{
    struct segment s = peer_segment(p, 0, 0);
    struct mptcp_add_addr *a = &s.mptcp.add_addr[0];
    *a = (struct mptcp_add_addr){
        .addr = *addr, .addr_id = id, .has_hmac = true, .has_port = port != 0, .port = port};
    add_addr_hmac(TRACE_PEER_KEY, p->our_key, id, addr, port, a->hmac);
    s.mptcp.present = MPO_ADD_ADDR;
    s.mptcp.add_addr_count = 1;
    return s;
}

static void expect_echo(struct peer *p, uint8_t id, const struct plait_addr *addr, uint16_t port)
{
    const struct segment *s = peer_expect(p, TCP_ACK);
    const struct mptcp_add_addr *a = &s->mptcp.add_addr[0];
    assert_true(s->mptcp.present & MPO_ADD_ADDR);
    assert_true(a->echo);
    assert_false(a->has_hmac);
    assert_int_equal(a->addr_id, id);
    assert_memory_equal(&a->addr, addr, sizeof *addr);
    assert_int_equal(a->has_port ? a->port : 0, port);
}

static void an_address_is_echoed_once(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    trace_send(p->t, add_addr(p, 5, &NEW_ADDR, 0), NULL, 0);
    expect_echo(p, 5, &NEW_ADDR, 0);
    assert_int_equal(peer_wait(p, MS(10000)), 0);
    assert_int_equal(peer_counters(p)->AddAddr, 1);
    assert_int_equal(peer_counters(p)->EchoAddTx, 1);
    peer_free(p);
}

static void a_repeated_address_is_echoed_again(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    trace_send(p->t, add_addr(p, 5, &NEW_ADDR, 0), NULL, 0);
    expect_echo(p, 5, &NEW_ADDR, 0);
    trace_send(p->t, add_addr(p, 5, &NEW_ADDR, 0), NULL, 0);
    expect_echo(p, 5, &NEW_ADDR, 0);
    trace_send(p->t, add_addr(p, 5, &NEW_ADDR, 8080), NULL, 0); /* a port may change */
    expect_echo(p, 5, &NEW_ADDR, 8080);
    trace_silent(p->t);
    peer_free(p);
}

static void an_address_with_a_wrong_hmac_is_dropped_silently(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = add_addr(p, 5, &NEW_ADDR, 8080);
    s.mptcp.add_addr[0].port = 8081;
    trace_send(p->t, s, NULL, 0);
    s = add_addr(p, 5, &NEW_ADDR, 0);
    s.mptcp.add_addr[0].hmac[7] ^= 1;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_wait(p, MS(10000)), 0);
    assert_int_equal(peer_counters(p)->AddAddr, 0);
    assert_int_equal(peer_counters(p)->AddAddrDrop, 2);
    assert_int_equal(p->event[PLAIT_EV_ADDR_DROPPED].why, PLAIT_WHY_BAD_HMAC);
    peer_free(p);
}

static void an_id_does_not_change_its_address(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    trace_send(p->t, add_addr(p, 5, &NEW_ADDR, 0), NULL, 0);
    expect_echo(p, 5, &NEW_ADDR, 0);
    trace_send(p->t, add_addr(p, 5, &OTHER_ADDR, 0), NULL, 0);
    trace_silent(p->t);
    assert_int_equal(peer_counters(p)->AddAddrDrop, 1);
    struct segment s = peer_segment(p, 0, 0); /* until it was withdrawn */
    s.mptcp = (struct mptcp_options){.present = MPO_REMOVE_ADDR,
                                     .remove_addr_count = 1,
                                     .remove_addr = {5}};
    trace_send(p->t, s, NULL, 0);
    trace_send(p->t, add_addr(p, 5, &OTHER_ADDR, 0), NULL, 0);
    expect_echo(p, 5, &OTHER_ADDR, 0);
    peer_free(p);
}

static void an_address_that_nobody_can_have_is_dropped(void **state)
{
    static const struct plait_addr bad[] = {{PLAIT_IPV4, {0}},
                                            {PLAIT_IPV4, {224, 0, 0, 1}},
                                            {PLAIT_IPV4, {169, 254, 1, 1}}};
    struct peer *p = peer_default();
    (void)state;
    for (uint8_t i = 0; i < 3; i++)
        trace_send(p->t, add_addr(p, (uint8_t)(5 + i), &bad[i], 0), NULL, 0);
    trace_silent(p->t);
    assert_int_equal(peer_counters(p)->AddAddrDrop, 3);
    assert_int_equal(p->event[PLAIT_EV_ADDR_DROPPED].why, PLAIT_WHY_BAD_ADDRESS);
    peer_free(p);
}

static void as_many_addresses_as_configured(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.addrs_accepted_max = 3;
    struct peer *p = peer_new(&config, false);
    (void)state;
    for (uint8_t i = 1; i <= 4; i++) {
        struct plait_addr addr = {PLAIT_IPV4, {10, 0, 9, i}};
        trace_send(p->t, add_addr(p, i, &addr, 0), NULL, 0);
        assert_int_equal(peer_settle(p), i <= 3);
    }
    assert_int_equal(peer_counters(p)->AddAddr, 3);
    assert_int_equal(peer_counters(p)->AddAddrDrop, 1);
    assert_int_equal(p->event[PLAIT_EV_ADDR_DROPPED].why, PLAIT_WHY_LIMIT);
    peer_free(p);
}

/* ---- our ADD_ADDR ------------------------------------------------------------------ */

static const struct plait_local SECOND = {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .mtu = 1500};

/* What the stack had to say so far is said, and nothing is in a row. */
static struct peer *peer_quiet(const struct plait_config *config)
{
    struct peer *p = peer_new(config, false);
    peer_data(p, 0, 0, 0, 100);
    peer_settle(p);
    peer_expect_stream(p, 0, 100);
    peer_wait(p, MS(2000));
    return p;
}

static struct peer *peer_quiet_default(void)
{
    struct plait_config config;
    plait_config_default(&config);
    return peer_quiet(&config);
}

/* A pure ACK on a flow that carries these options and nothing else. */
static void peer_signal(struct peer *p, unsigned flow, struct mptcp_options mptcp)
{
    struct segment s = peer_segment(p, flow, flow == 0 ? 100 : 0);
    s.mptcp = mptcp;
    trace_send(p->t, s, NULL, 0);
}

/* The retransmission timeout of the first subflow. */
static uint64_t rto_us(const struct peer *p)
{
    struct plait_subflow_info info[FLOWS_MAX];
    assert_true(plait_conn_subflows(p->t->conn, info, FLOWS_MAX) >= 1);
    return info[0].rto_us;
}

static struct mptcp_options echo_of(const struct mptcp_add_addr *a)
{
    struct mptcp_options o = {.present = MPO_ADD_ADDR, .add_addr_count = 1, .add_addr = {*a}};
    o.add_addr[0].has_hmac = false;
    o.add_addr[0].echo = true;
    return o;
}

static struct mptcp_add_addr expect_add_addr(struct peer *p, const struct plait_addr *addr,
                                             uint16_t port)
{
    const struct mptcp_add_addr a = peer_expect(p, TCP_ACK)->mptcp.add_addr[0];
    uint8_t hmac[HMAC_ADD_ADDR_LEN];
    assert_true(p->t->seg.mptcp.present & MPO_ADD_ADDR);
    assert_int_equal(p->t->seg.mptcp.add_addr_count, 1);
    assert_memory_equal(&a.addr, addr, sizeof a.addr);
    assert_int_equal(a.has_port ? a.port : 0, port);
    assert_false(a.echo);
    add_addr_hmac(p->our_key, TRACE_PEER_KEY, a.addr_id, &a.addr, port, hmac);
    assert_memory_equal(a.hmac, hmac, sizeof hmac);
    return a;
}

static void our_address_is_announced_until_echoed(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &SECOND, p->t->now), 0);
    struct mptcp_add_addr a = expect_add_addr(p, &SECOND.addr, 0);
    for (uint64_t wait = rto_us(p); wait <= 4 * rto_us(p); wait *= 2) {
        assert_int_equal(peer_wait(p, wait - 1), 0);
        assert_int_equal(peer_wait(p, 1), 1);
        assert_true(p->t->seg.mptcp.present & MPO_ADD_ADDR);
    }
    peer_signal(p, 0, echo_of(&a));
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    assert_int_equal(peer_counters(p)->EchoAdd, 1);
    assert_int_equal(peer_counters(p)->AddAddrTx, 4);
    peer_free(p);
}

static void announcing_ends_when_nobody_answers(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &SECOND, p->t->now), 0);
    assert_int_equal(peer_wait(p, MS(100000)), 6);
    assert_int_equal(peer_counters(p)->AddAddrTx, 6);
    assert_int_equal(peer_counters(p)->AddAddrTxDrop, 1);
    assert_int_equal(p->event[PLAIT_EV_ADDR_DROPPED].why, PLAIT_WHY_TIMEOUT);
    peer_join(p, 1); /* it may pass there */
    peer_wait(p, MS(100000));
    assert_int_equal(peer_counters(p)->AddAddrTx, 11);
    peer_free(p);
}

static void the_wait_for_an_echo_follows_the_round_trip(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    peer_expect(p, TCP_ACK);
    p->t->now += MS(20);
    peer_data_ack(p, 0, 100, 5);
    peer_settle(p);
    assert_int_equal(plait_stack_add_addr(p->t->stack, &SECOND, p->t->now), 0);
    expect_add_addr(p, &SECOND.addr, 0);
    assert_int_equal(peer_wait(p, MS(200)), 0);
    assert_int_equal(peer_wait(p, MS(50)), 1); /* RTO: 20 ms, and 200 for the deviation */
    peer_free(p);
}

/* At most two signals in a row, and none is lost (RFC 8684 3.4.1). */
static void several_addresses_at_once_are_all_told(void **state)
{
    struct peer *p = peer_quiet_default();
    bool told[6] = {false};
    (void)state;
    for (uint8_t i = 1; i <= 5; i++) {
        struct plait_local l = {.addr = {PLAIT_IPV4, {10, 0, 1, i}}, .mtu = 1500};
        assert_int_equal(plait_stack_add_addr(p->t->stack, &l, p->t->now), 0);
    }
    unsigned row = 0;
    while (peer_next(p)) {
        row++;
        peer_signal(p, 0, echo_of(&p->t->seg.mptcp.add_addr[0]));
        told[p->t->seg.mptcp.add_addr[0].addr.bytes[3]] = true;
    }
    assert_int_equal(row, 2);
    for (int round = 0; round < 2; round++) { /* the rest after a round trip each */
        uint64_t before = p->t->now;
        trace_timer(p->t);
        assert_true(p->t->now > before);
        while (peer_next(p)) {
            peer_signal(p, 0, echo_of(&p->t->seg.mptcp.add_addr[0]));
            told[p->t->seg.mptcp.add_addr[0].addr.bytes[3]] = true;
        }
    }
    for (int i = 1; i <= 5; i++)
        assert_true(told[i]);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    assert_int_equal(peer_counters(p)->AddAddrTx, 5);
    assert_int_equal(peer_counters(p)->EchoAdd, 5);
    peer_free(p);
}

static void a_port_is_announced_with_its_address(void **state)
{
    struct plait_local l = SECOND;
    struct peer *p = peer_quiet_default();
    (void)state;
    l.port = 8080;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &l, p->t->now), 0);
    struct mptcp_add_addr a = expect_add_addr(p, &SECOND.addr, 8080);
    a.port = 8081;
    peer_signal(p, 0, echo_of(&a)); /* of another port: not it */
    assert_int_equal(peer_counters(p)->EchoAdd, 0);
    assert_int_equal(peer_counters(p)->EchoAddDrop, 1);
    assert_int_equal(p->event[PLAIT_EV_ADDR_DROPPED].why, PLAIT_WHY_NOT_ANNOUNCED);
    a.port = 8080;
    peer_signal(p, 0, echo_of(&a));
    assert_int_equal(peer_counters(p)->EchoAdd, 1);
    l.port = 8082; /* the same address and ID, another port (RFC 8684 3.4.1) */
    assert_int_equal(plait_stack_add_addr(p->t->stack, &l, p->t->now), 0);
    assert_int_equal(expect_add_addr(p, &SECOND.addr, 8082).addr_id, a.addr_id);
    peer_free(p);
}

/* 30 bytes, and timestamps would be 12 more. */
static void an_ipv6_address_with_a_port_leaves_no_room_for_timestamps(void **state)
{
    struct plait_local l = {.addr = {PLAIT_IPV6, {0x20, 1, 0xd, 0xb8, [15] = 2}}, .port = 8080};
    struct peer *p = peer_quiet_default();
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &l, p->t->now), 0);
    expect_add_addr(p, &l.addr, 8080);
    assert_false(p->t->seg.tcp.present & OPT_TIMESTAMP);
    peer_free(p);
}

static void an_echo_of_nothing_is_counted(void **state)
{
    struct mptcp_add_addr a = {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .addr_id = 9};
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_signal(p, 0, echo_of(&a));
    assert_int_equal(peer_counters(p)->EchoAdd, 0);
    assert_int_equal(peer_counters(p)->EchoAddDrop, 1);
    assert_int_equal(peer_settle(p), 0);
    peer_free(p);
}

/* ---- our REMOVE_ADDR ----------------------------------------------------------------- */

static void expect_remove_addr(struct peer *p, unsigned count, const uint8_t *ids)
{
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_true(s->mptcp.present & MPO_REMOVE_ADDR);
    assert_int_equal(s->mptcp.remove_addr_count, count);
    assert_memory_equal(s->mptcp.remove_addr, ids, count);
}

/* Nothing answers REMOVE_ADDR, so it is told three times. */
static void our_address_is_withdrawn(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    plait_stack_add_addr(p->t->stack, &SECOND, p->t->now);
    uint8_t id = expect_add_addr(p, &SECOND.addr, 0).addr_id;
    assert_int_equal(plait_stack_remove_addr(p->t->stack, &SECOND.addr, p->t->now), 0);
    expect_remove_addr(p, 1, &id);
    assert_int_equal(peer_wait(p, rto_us(p)), 1);
    assert_true(p->t->seg.mptcp.present & MPO_REMOVE_ADDR);
    assert_int_equal(peer_wait(p, 2 * rto_us(p)), 1);
    assert_int_equal(peer_wait(p, MS(100000)), 0); /* and not announced again */
    assert_int_equal(peer_counters(p)->RmAddrTx, 3);
    assert_int_equal(p->events[PLAIT_EV_ADDR_WITHDRAWN], 1);
    peer_free(p);
}

static void several_addresses_are_withdrawn_together(void **state)
{
    struct peer *p = peer_quiet_default();
    struct plait_local l[2] = {SECOND, SECOND};
    uint8_t ids[2];
    (void)state;
    l[1].addr.bytes[3] = 7;
    for (int i = 0; i < 2; i++) {
        plait_stack_add_addr(p->t->stack, &l[i], p->t->now);
        ids[i] = expect_add_addr(p, &l[i].addr, 0).addr_id;
        peer_signal(p, 0, echo_of(&p->t->seg.mptcp.add_addr[0]));
    }
    plait_stack_remove_addr(p->t->stack, &l[0].addr, p->t->now);
    plait_stack_remove_addr(p->t->stack, &l[1].addr, p->t->now);
    trace_silent(p->t); /* two signals in a row were sent */
    trace_timer(p->t);
    expect_remove_addr(p, 2, ids);
    peer_free(p);
}

static void what_was_not_told_is_not_withdrawn(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    plait_stack_add_addr(p->t->stack, &SECOND, p->t->now);
    plait_stack_remove_addr(p->t->stack, &SECOND.addr, p->t->now);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    assert_int_equal(peer_counters(p)->AddAddrTx + peer_counters(p)->RmAddrTx, 0);
    peer_free(p);
}

/* An ID stands for one address: another address gets another one. */
static void an_id_is_not_given_away_again_soon(void **state)
{
    struct peer *p = peer_quiet_default();
    struct plait_local other = SECOND;
    (void)state;
    other.addr.bytes[3] = 9;
    plait_stack_add_addr(p->t->stack, &SECOND, p->t->now);
    uint8_t id = expect_add_addr(p, &SECOND.addr, 0).addr_id;
    plait_stack_remove_addr(p->t->stack, &SECOND.addr, p->t->now);
    expect_remove_addr(p, 1, &id);
    peer_wait(p, MS(10000));
    plait_stack_add_addr(p->t->stack, &other, p->t->now);
    assert_int_not_equal(expect_add_addr(p, &other.addr, 0).addr_id, id);
    peer_free(p);
}

/* The address of the only subflow goes: the peer hears of it on the next. */
static void the_only_subflow_s_address_is_withdrawn_later(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    plait_stack_remove_addr(p->t->stack, &TRACE_US.addr, p->t->now);
    assert_int_equal(peer_wait(p, MS(3000)), 0);
    assert_int_equal(peer_info(p).subflows, 0);
    plait_stack_add_addr(p->t->stack, &SECOND, p->t->now);
    p->us = (struct plait_endpoint){SECOND.addr, TRACE_US.port};
    peer_join(p, 1); /* its last segment has it */
    assert_true(p->t->seg.mptcp.present & MPO_REMOVE_ADDR);
    assert_int_equal(p->t->seg.mptcp.remove_addr_count, 1);
    assert_int_equal(p->t->seg.mptcp.remove_addr[0], 0);
    peer_free(p);
}

/* It is back before the peer heard that it went: there is nothing to tell, and
 * the subflow that comes over it then must not be what the peer closes. */
static void an_address_that_is_back_is_not_withdrawn(void **state)
{
    const struct plait_local first = {.addr = TRACE_US.addr, .mtu = 1500};
    struct peer *p = peer_quiet_default();
    (void)state;
    plait_stack_remove_addr(p->t->stack, &TRACE_US.addr, p->t->now);
    assert_int_equal(peer_wait(p, MS(1000)), 0);
    plait_stack_add_addr(p->t->stack, &first, p->t->now);
    peer_join(p, 1);
    peer_wait(p, MS(10000));
    assert_int_equal(peer_counters(p)->RmAddrTx, 0);
    peer_free(p);
}

/* Our own address as the peer's would send our SYNs to ourselves. */
static void an_address_of_ours_is_not_the_peer_s(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    trace_send(p->t, add_addr(p, 5, &TRACE_US.addr, 8080), NULL, 0);
    trace_silent(p->t);
    assert_int_equal(peer_counters(p)->AddAddrDrop, 1);
    assert_int_equal(p->event[PLAIT_EV_ADDR_DROPPED].why, PLAIT_WHY_BAD_ADDRESS);
    peer_free(p);
}

/* ---- REMOVE_ADDR from the peer ----------------------------------------------------------- */

static void peer_removes(struct peer *p, uint8_t id)
{
    peer_signal(p, 0,
                (struct mptcp_options){.present = MPO_REMOVE_ADDR,
                                       .remove_addr_count = 2,
                                       .remove_addr = {id, 77}});
}

/* The next segment asks on this flow whether the peer is there. */
static void expect_keepalive(struct peer *p, unsigned flow)
{
    uint32_t next = p->flows[flow].rcv_nxt;
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->dst.port, p->flows[flow].at.port);
    assert_int_equal(s->seq, next - 1);
}

/* RFC 8684 3.4.2: only a path that does not answer is closed. */
static void remove_addr_closes_what_does_not_answer(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_join(p, 1);
    peer_join(p, 2);
    peer_removes(p, 2);
    for (int i = 0; i < 3; i++) {
        expect_keepalive(p, 2);
        assert_false(p->flows[2].reset);
        trace_silent(p->t);
        trace_timer(p->t);
    }
    peer_settle(p);
    assert_true(p->flows[2].reset);
    assert_false(p->flows[0].reset || p->flows[1].reset);
    assert_int_equal(peer_info(p).subflows, 2);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_PEER_REMOVED_ADDR);
    assert_int_equal(peer_counters(p)->RmAddr, 1);
    assert_int_equal(peer_counters(p)->RmAddrDrop, 1); /* nobody has ID 77 */
    peer_free(p);
}

static void remove_addr_leaves_what_answers(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_join(p, 1);
    peer_join(p, 2);
    peer_removes(p, 2);
    for (int i = 0; i < 2; i++) {
        expect_keepalive(p, 2);
        p->t->now += MS(10);
        trace_send(p->t, peer_segment(p, 2, 0), NULL, 0);
        trace_timer(p->t);
    }
    peer_wait(p, MS(10000));
    assert_false(p->flows[2].reset);
    assert_int_equal(peer_info(p).subflows, 3);
    peer_free(p);
}

/* Both ends have finished on it: there is nobody to ask and nothing to carry. */
static void remove_addr_ends_what_is_finished_at_once(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_join(p, 1);
    peer_fin(p, 1, 0, 0);
    peer_expect(p, TCP_ACK | TCP_FIN);
    peer_settle(p);
    assert_false(p->flows[1].reset);
    peer_removes(p, 1);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_PEER_REMOVED_ADDR);
    assert_int_equal(peer_info(p).subflows, 1);
    peer_free(p);
}

/* Bytes that were under way when it was sent prove nothing. */
static void remove_addr_is_not_answered_by_old_data(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_join(p, 1);
    peer_removes(p, 1);
    p->t->now += MS(1);
    peer_data(p, 1, 0, 100, 50);
    peer_wait(p, MS(10000));
    assert_true(p->flows[1].reset);
    peer_expect_stream(p, 100, 50);
    peer_free(p);
}

/* ---- MP_PRIO ---------------------------------------------------------------------------- */

static bool is_backup(const struct peer *p, uint32_t id)
{
    struct plait_subflow_info info[FLOWS_MAX];
    unsigned n = plait_conn_subflows(p->t->conn, info, FLOWS_MAX);
    for (unsigned i = 0; i < n; i++)
        if (info[i].id == id)
            return info[i].backup;
    fail_msg("no subflow %u", id);
    return false;
}

static void priority_from_the_peer_is_its_subflow_s(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    for (int backup = 1; backup >= 0; backup--) {
        struct segment s = peer_segment(p, 1, 0);
        s.mptcp.present = MPO_PRIO;
        s.mptcp.prio.backup = backup;
        trace_send(p->t, s, NULL, 0);
        assert_int_equal(is_backup(p, 2), backup);
        assert_false(is_backup(p, 1));
    }
    assert_int_equal(peer_counters(p)->MPPrioRx, 2);
    peer_free(p);
}

static void a_backup_subflow_carries_nothing_while_another_can(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_settle(p);
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_PRIO;
    s.mptcp.prio.backup = true;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    assert_int_equal(peer_expect(p, TCP_ACK)->dst.port, p->flows[1].at.port);
    assert_int_equal(p->t->seg.payload_len, 5);
    peer_free(p);
}

static void our_priority_is_told_on_its_subflow(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_join(p, 1);
    peer_wait(p, MS(2000));
    for (int backup = 1; backup >= 0; backup--) {
        assert_int_equal(plait_conn_set_backup(p->t->conn, 2, backup, p->t->now), 0);
        for (int i = 0; i < 3; i++) { /* nobody acknowledges it */
            const struct segment *s = peer_expect(p, TCP_ACK);
            assert_int_equal(s->dst.port, p->flows[1].at.port);
            assert_true(s->mptcp.present & MPO_PRIO);
            assert_false(s->mptcp.prio.has_addr_id);
            assert_int_equal(s->mptcp.prio.backup, backup);
            assert_int_equal(is_backup(p, 2), backup);
            trace_silent(p->t);
            p->t->now += MS(1001);
            plait_stack_tick(p->t->stack, p->t->now);
        }
    }
    assert_int_equal(peer_counters(p)->MPPrioTx, 6);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    peer_free(p);
}

/* Version 1 took the address ID back (RFC 8684 Appendix E): whoever sees one
 * subflow could otherwise draw all data to it. */
static void priority_of_another_subflow_is_ignored(void **state)
{
    struct peer *p = peer_quiet_default();
    (void)state;
    peer_join(p, 1);
    struct mptcp_options o = {.present = MPO_PRIO,
                              .prio = {.backup = true, .has_addr_id = true, .addr_id = 1}};
    peer_signal(p, 0, o);
    assert_false(is_backup(p, 1) || is_backup(p, 2));
    assert_int_equal(peer_counters(p)->MPPrioRx, 0);
    assert_int_equal(peer_counters(p)->MPOptionIgnored, 1);
    peer_free(p);
}

/* MP_CAPABLE has no B flag. */
static void a_backup_address_s_first_subflow_is_told_by_priority(void **state)
{
    struct plait_local l = {.addr = TRACE_US.addr, .mtu = 1500, .backup = true};
    struct peer *p = peer_quiet_default();
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &l, p->t->now), 0); /* it is one now */
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_true(s->mptcp.present & MPO_PRIO);
    assert_true(s->mptcp.prio.backup);
    assert_true(is_backup(p, 1));
    peer_free(p);
}

/* ---- MP_FASTCLOSE, MP_TCPRST -------------------------------------------------------- */

static struct segment fastclose(const struct peer *p, unsigned flow, uint64_t key)
{
    struct segment s = peer_segment(p, flow, 0);
    s.mptcp.present = MPO_FASTCLOSE;
    s.mptcp.fastclose_key = key;
    return s;
}

static void fastclose_ends_the_connection(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    trace_send(p->t, fastclose(p, 1, p->our_key), NULL, 0);
    assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_RESET);
    assert_int_equal(p->event[PLAIT_EV_CONN_CLOSED].why, PLAIT_WHY_PEER_FASTCLOSE);
    assert_int_equal(peer_counters(p)->MPFastcloseRx, 1);
    peer_settle(p);
    assert_true(p->flows[0].reset && p->flows[1].reset); /* RFC 8684 3.5 */
    peer_free(p);
}

static void fastclose_may_come_on_a_reset(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment s = fastclose(p, 1, p->our_key);
    s.flags = TCP_RST | TCP_ACK;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_RESET);
    assert_int_equal(peer_counters(p)->MPFastcloseRx, 1);
    peer_settle(p);
    assert_true(p->flows[0].reset);
    assert_false(p->flows[1].reset); /* never a reset for a reset */
    peer_free(p);
}

static void fastclose_with_another_key_means_nothing(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    trace_send(p->t, fastclose(p, 0, p->our_key ^ 1), NULL, 0);
    assert_int_equal(plait_conn_error(p->t->conn), 0);
    assert_int_equal(peer_counters(p)->MPFastcloseRx, 0);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static void abort_resets_every_subflow_with_fastclose(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    plait_conn_abort(p->t->conn, p->t->now);
    for (int i = 0; i < 2; i++) {
        assert_true(peer_next(p));
        assert_true(p->t->seg.flags & TCP_RST);
        assert_int_equal(p->t->seg.mptcp.present, MPO_FASTCLOSE);
        assert_int_equal(p->t->seg.mptcp.fastclose_key, TRACE_PEER_KEY);
    }
    assert_true(p->flows[0].reset && p->flows[1].reset);
    assert_int_equal(peer_counters(p)->MPFastcloseTx, 2);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    peer_free(p);
}

static void closing_with_unread_data_is_an_abort(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    plait_conn_close(p->t->conn, p->t->now);
    peer_settle(p);
    assert_true(p->flows[0].reset);
    assert_int_equal(p->flows[0].reset_options, MPO_FASTCLOSE);
    peer_free(p);
}

static void the_reason_of_a_reset_is_told(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    s.flags = TCP_RST | TCP_ACK;
    s.mptcp.present = MPO_TCPRST;
    s.mptcp.tcprst.reason = 4;
    s.mptcp.tcprst.transient = true;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_PEER_RESET);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].arg[1], 4);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].arg[2], 1);
    assert_int_equal(peer_counters(p)->MPRstRx, 1);
    assert_int_equal(peer_info(p).subflows, 1);
    assert_int_equal(peer_settle(p), 0);
    peer_free(p);
}

/* Unassigned subtypes and MP_EXPERIMENTAL mean nothing, and are counted. */
static void unknown_options_are_ignored(void **state)
{
    static const uint8_t experimental[] = {30, 4, 0xf0, 7}, unassigned[] = {30, 4, 0x90, 7},
                         too_long[] = {30, 5, 0x50, 1, 1, 1, 1, 1}; /* MP_PRIO */
    const struct plait_counters *n;
    struct peer *p = peer_quiet_default();
    (void)state;
    n = peer_counters(p);
    trace_send_raw_option(p->t, peer_segment(p, 0, 100), experimental, 4);
    assert_int_equal(n->MPExperimentalRx, 1);
    trace_send_raw_option(p->t, peer_segment(p, 0, 100), unassigned, 4);
    assert_int_equal(n->MPOptionIgnored, 1);
    trace_send_raw_option(p->t, peer_segment(p, 0, 100), too_long, 8);
    assert_int_equal(n->MPOptionIgnored, 2);
    assert_int_equal(n->MPPrioRx, 0);
    assert_int_equal(peer_settle(p), 0);
    peer_free(p);
}

/* ---- limits -------------------------------------------------------------------------- */

static void as_many_subflows_as_configured(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.subflows_max = 3;
    struct peer *p = peer_new(&config, false);
    (void)state;
    peer_join(p, 1);
    peer_join(p, 2);
    peer_join_syn(p, 3);
    peer_settle(p);
    assert_true(p->flows[3].reset);
    assert_int_equal(p->flows[3].reset_reason, 1); /* RFC 8684 3.2 */
    assert_int_equal(peer_counters(p)->MPJoinRejected, 1);
    assert_int_equal(p->event[PLAIT_EV_JOIN_REFUSED].why, PLAIT_WHY_LIMIT);
    assert_int_equal(peer_info(p).subflows, 3);
    peer_free(p);
}

static void joins_are_refused_where_configured(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.joins_accepted = false;
    struct peer *p = peer_new(&config, false);
    (void)state;
    peer_join_syn(p, 1);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->flows[1].reset_reason, 3);
    assert_false(p->flows[1].reset_transient);
    assert_int_equal(p->event[PLAIT_EV_JOIN_REFUSED].why, PLAIT_WHY_POLICY);
    peer_free(p);
}

/* More clients, until one more than `max` has sent its SYN. */
static void clients_come(struct peer *p, unsigned have, unsigned max)
{
    for (unsigned i = have; i <= max; i++) {
        peer_syn(p, i,
                 (struct mptcp_options){.present = MPO_CAPABLE_SYN,
                                        .capable = {.version = 1, .flags = MPC_HMAC}});
        if (i < max)
            peer_expect(p, TCP_SYN | TCP_ACK);
        else
            trace_silent(p->t);
    }
}

static void as_many_connections_as_configured(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.conns_max = 3;
    struct peer *p = peer_new(&config, false);
    struct plait_conn *conn;
    (void)state;
    clients_come(p, 1, 3);
    assert_int_equal(peer_counters(p)->DropLimit, 1);
    struct plait_endpoint remote = {{PLAIT_IPV4, {10, 0, 0, 9}}, 99};
    assert_int_equal(plait_connect(p->t->stack, NULL, &remote, NULL, p->t->now, &conn),
                     PLAIT_E_LIMIT);
    peer_free(p);
}

static void as_many_in_the_backlog_as_configured(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.backlog_max = 2;
    config.syn_cookies = PLAIT_SYN_COOKIES_NEVER;
    struct peer *p = peer_new(&config, false); /* taken, so it does not count */
    (void)state;
    clients_come(p, 1, 3);
    assert_int_equal(peer_counters(p)->HalfOpenRefused, 1);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_echoed_once),
        cmocka_unit_test(a_repeated_address_is_echoed_again),
        cmocka_unit_test(an_address_with_a_wrong_hmac_is_dropped_silently),
        cmocka_unit_test(an_id_does_not_change_its_address),
        cmocka_unit_test(an_address_that_nobody_can_have_is_dropped),
        cmocka_unit_test(as_many_addresses_as_configured),
        cmocka_unit_test(our_address_is_announced_until_echoed),
        cmocka_unit_test(announcing_ends_when_nobody_answers),
        cmocka_unit_test(the_wait_for_an_echo_follows_the_round_trip),
        cmocka_unit_test(several_addresses_at_once_are_all_told),
        cmocka_unit_test(a_port_is_announced_with_its_address),
        cmocka_unit_test(an_ipv6_address_with_a_port_leaves_no_room_for_timestamps),
        cmocka_unit_test(an_echo_of_nothing_is_counted),
        cmocka_unit_test(our_address_is_withdrawn),
        cmocka_unit_test(several_addresses_are_withdrawn_together),
        cmocka_unit_test(what_was_not_told_is_not_withdrawn),
        cmocka_unit_test(an_id_is_not_given_away_again_soon),
        cmocka_unit_test(the_only_subflow_s_address_is_withdrawn_later),
        cmocka_unit_test(an_address_that_is_back_is_not_withdrawn),
        cmocka_unit_test(an_address_of_ours_is_not_the_peer_s),
        cmocka_unit_test(remove_addr_closes_what_does_not_answer),
        cmocka_unit_test(remove_addr_leaves_what_answers),
        cmocka_unit_test(remove_addr_ends_what_is_finished_at_once),
        cmocka_unit_test(remove_addr_is_not_answered_by_old_data),
        cmocka_unit_test(priority_from_the_peer_is_its_subflow_s),
        cmocka_unit_test(a_backup_subflow_carries_nothing_while_another_can),
        cmocka_unit_test(our_priority_is_told_on_its_subflow),
        cmocka_unit_test(priority_of_another_subflow_is_ignored),
        cmocka_unit_test(a_backup_address_s_first_subflow_is_told_by_priority),
        cmocka_unit_test(fastclose_ends_the_connection),
        cmocka_unit_test(fastclose_may_come_on_a_reset),
        cmocka_unit_test(fastclose_with_another_key_means_nothing),
        cmocka_unit_test(abort_resets_every_subflow_with_fastclose),
        cmocka_unit_test(closing_with_unread_data_is_an_abort),
        cmocka_unit_test(the_reason_of_a_reset_is_told),
        cmocka_unit_test(unknown_options_are_ignored),
        cmocka_unit_test(as_many_subflows_as_configured),
        cmocka_unit_test(joins_are_refused_where_configured),
        cmocka_unit_test(as_many_connections_as_configured),
        cmocka_unit_test(as_many_in_the_backlog_as_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
