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

static void our_address_is_announced_until_echoed(void **state)
{
    struct peer *p = peer_default();
    uint8_t hmac[HMAC_ADD_ADDR_LEN];
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &SECOND, p->t->now), 0);
    uint64_t sent_us = p->t->now;
    struct mptcp_add_addr a = peer_expect(p, TCP_ACK)->mptcp.add_addr[0];
    assert_int_equal(p->t->seg.mptcp.add_addr_count, 1);
    assert_memory_equal(&a.addr, &SECOND.addr, sizeof a.addr);
    assert_false(a.echo);
    add_addr_hmac(p->our_key, TRACE_PEER_KEY, a.addr_id, &a.addr, 0, hmac);
    assert_memory_equal(a.hmac, hmac, sizeof hmac);
    for (uint64_t wait = MS(1000); wait <= MS(4000); wait *= 2) {
        assert_int_equal(peer_wait(p, wait - 1), 0);
        assert_int_equal(peer_wait(p, 1), 1);
        assert_true(p->t->seg.mptcp.present & MPO_ADD_ADDR);
        assert_int_equal(p->t->now, sent_us + wait);
        sent_us = p->t->now;
    }
    struct segment echo = peer_segment(p, 0, 0);
    echo.mptcp.present = MPO_ADD_ADDR;
    echo.mptcp.add_addr_count = 1;
    echo.mptcp.add_addr[0] =
        (struct mptcp_add_addr){.addr = SECOND.addr, .addr_id = a.addr_id, .echo = true};
    trace_send(p->t, echo, NULL, 0);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    assert_int_equal(peer_counters(p)->EchoAdd, 1);
    assert_int_equal(peer_counters(p)->AddAddrTx, 4);
    peer_free(p);
}

static void announcing_ends_when_nobody_answers(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    assert_int_equal(plait_stack_add_addr(p->t->stack, &SECOND, p->t->now), 0);
    assert_int_equal(peer_wait(p, MS(100000)), 6);
    assert_int_equal(peer_counters(p)->AddAddrTx, 6);
    peer_free(p);
}

static void our_address_is_withdrawn(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    plait_stack_add_addr(p->t->stack, &SECOND, p->t->now);
    uint8_t id = peer_expect(p, TCP_ACK)->mptcp.add_addr[0].addr_id;
    assert_int_equal(plait_stack_remove_addr(p->t->stack, &SECOND.addr, p->t->now), 0);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_true(s->mptcp.present & MPO_REMOVE_ADDR);
    assert_int_equal(s->mptcp.remove_addr_count, 1);
    assert_int_equal(s->mptcp.remove_addr[0], id);
    assert_int_equal(peer_wait(p, MS(100000)), 0); /* and not announced again */
    peer_free(p);
}

/* ---- REMOVE_ADDR, MP_PRIO ---------------------------------------------------------- */

static void remove_addr_closes_the_subflows_of_that_id(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_join(p, 2);
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp = (struct mptcp_options){.present = MPO_REMOVE_ADDR,
                                     .remove_addr_count = 2,
                                     .remove_addr = {2, 77}};
    trace_send(p->t, s, NULL, 0);
    peer_settle(p);
    assert_true(p->flows[2].reset);
    assert_false(p->flows[0].reset || p->flows[1].reset);
    assert_int_equal(peer_info(p).subflows, 2);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_PEER_REMOVED_ADDR);
    peer_data(p, 1, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

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
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_settle(p);
    for (int backup = 1; backup >= 0; backup--) {
        assert_int_equal(plait_conn_set_backup(p->t->conn, 2, backup, p->t->now), 0);
        const struct segment *s = peer_expect(p, TCP_ACK);
        assert_int_equal(s->dst.port, p->flows[1].at.port);
        assert_true(s->mptcp.present & MPO_PRIO);
        assert_int_equal(s->mptcp.prio.backup, backup);
        assert_int_equal(is_backup(p, 2), backup);
        trace_silent(p->t);
    }
    assert_int_equal(peer_counters(p)->MPPrioTx, 2);
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
    struct peer *p = peer_new(&config, false); /* taken, so it does not count */
    (void)state;
    clients_come(p, 1, 3);
    assert_int_equal(peer_counters(p)->DropListenerFull, 1);
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
        cmocka_unit_test(our_address_is_withdrawn),
        cmocka_unit_test(remove_addr_closes_the_subflows_of_that_id),
        cmocka_unit_test(priority_from_the_peer_is_its_subflow_s),
        cmocka_unit_test(a_backup_subflow_carries_nothing_while_another_can),
        cmocka_unit_test(our_priority_is_told_on_its_subflow),
        cmocka_unit_test(fastclose_ends_the_connection),
        cmocka_unit_test(fastclose_may_come_on_a_reset),
        cmocka_unit_test(fastclose_with_another_key_means_nothing),
        cmocka_unit_test(abort_resets_every_subflow_with_fastclose),
        cmocka_unit_test(closing_with_unread_data_is_an_abort),
        cmocka_unit_test(the_reason_of_a_reset_is_told),
        cmocka_unit_test(as_many_subflows_as_configured),
        cmocka_unit_test(joins_are_refused_where_configured),
        cmocka_unit_test(as_many_connections_as_configured),
        cmocka_unit_test(as_many_in_the_backlog_as_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
