/* SPDX-License-Identifier: MIT
 *
 * The memory of destinations as traces: what makes a verdict, who heeds it,
 * how it is found out anew, and that it is forgotten.
 */
#include "engine_trace.h"

enum { PEER_ISS = 7000 };

static const uint64_t HOLD = MS(60000);

struct world {
    struct trace *t;
    unsigned events[PLAIT_EV_COUNT];
    struct plait_event event[PLAIT_EV_COUNT]; /* the last of each */
};

static void note_event(void *ctx, const struct plait_event *event)
{
    struct world *w = ctx;
    w->events[event->type]++;
    w->event[event->type] = *event;
}

static struct world *world_new(bool version_fallback)
{
    struct world *w = calloc(1, sizeof *w);
    struct plait_config config;
    plait_config_default(&config);
    config.sink = (struct plait_event_sink){w, note_event};
    config.version_fallback = version_fallback;
    config.destination_hold_us = (uint32_t)HOLD;
    config.destinations_max = 3;
    w->t = trace_new(&config);
    return w;
}

static void world_free(struct world *w)
{
    trace_free(w->t);
    free(w);
}

static struct plait_conn_info info_of(const struct plait_conn *conn)
{
    struct plait_conn_info info;
    plait_conn_info(conn, &info);
    return info;
}

static struct plait_destination only_entry(const struct world *w)
{
    struct plait_destination d = {0};
    assert_int_equal(plait_stack_destinations(w->t->stack, &d, 1), 1);
    return d;
}

static unsigned entries(const struct world *w)
{
    return plait_stack_destinations(w->t->stack, NULL, 0);
}

/* Connect; the SYN is in t->seg. */
static struct plait_conn *open_to(struct world *w, const struct plait_endpoint *to)
{
    struct trace *t = w->t;
    struct plait_conn *conn;
    assert_int_equal(plait_connect(t->stack, NULL, to, NULL, t->now, &conn), 0);
    trace_expect(t, TCP_SYN);
    return conn;
}

static struct plait_conn *open(struct world *w)
{
    return open_to(w, &TRACE_PEER);
}

static bool offers(const struct world *w)
{
    return w->t->seg.mptcp.present & (MPO_CAPABLE_SYN | MPO_CAPABLE_KEY);
}

/* Answer the last SYN; with MP_CAPABLE of a version, or -1: without. */
static void answer(struct world *w, int version)
{
    struct trace *t = w->t;
    struct segment s = {.src = t->seg.dst,
                        .dst = t->seg.src,
                        .flags = TCP_SYN | TCP_ACK,
                        .seq = PEER_ISS,
                        .ack = t->seg.seq + 1,
                        .window = 65535};
    if (version >= 0) {
        s.mptcp.present = MPO_CAPABLE_KEY;
        s.mptcp.capable = (struct mptcp_capable){.version = (uint8_t)version,
                                                 .flags = MPC_HMAC,
                                                 .sender_key = TRACE_PEER_KEY};
    }
    trace_send(t, s, NULL, 0);
    trace_expect(t, TCP_ACK);
}

static void end(struct world *w, struct plait_conn *conn)
{
    plait_conn_abort(conn, w->t->now);
    while (trace_next(w->t))
        ;
}

/* Time passes until the next SYN leaves. */
static void next_syn(struct world *w)
{
    trace_timer(w->t);
    trace_expect(w->t, TCP_SYN);
}

/* A connection whose SYNs with MP_CAPABLE nobody answers, up to the plain one. */
static struct plait_conn *open_swallowed(struct world *w)
{
    struct plait_conn *conn = open(w);
    assert_true(offers(w));
    next_syn(w);
    assert_true(offers(w));
    next_syn(w);
    assert_false(offers(w));
    return conn;
}

static void swallowed(struct world *w)
{
    struct plait_conn *conn = open_swallowed(w);
    answer(w, -1);
    assert_int_equal(info_of(conn).fallback_why, PLAIT_WHY_SYN_DROPPED);
    end(w, conn);
    trace_wait(w->t, MS(1));
}

static void judged(struct world *w)
{
    swallowed(w);
    swallowed(w);
    assert_true(only_entry(w).decisive);
}

/* One connection that takes the verdict as it is. */
static void expect_heeded(struct world *w)
{
    struct plait_conn *conn = open(w);
    assert_false(offers(w));
    assert_int_equal(info_of(conn).destination_why, PLAIT_WHY_DESTINATION_DROPS_SYNS);
    assert_int_equal(info_of(conn).fallback_why, PLAIT_WHY_DESTINATION_DROPS_SYNS);
    end(w, conn);
}

/* ---- SYNs that are not answered --------------------------------------------------- */

static void swallowed_syns_are_believed_the_second_time(void **state)
{
    struct world *w = world_new(false);
    (void)state;
    swallowed(w);
    assert_false(only_entry(w).decisive);
    assert_int_equal(w->events[PLAIT_EV_DESTINATION_JUDGED], 0);
    swallowed(w);
    assert_int_equal(w->events[PLAIT_EV_DESTINATION_JUDGED], 1);
    assert_int_equal(w->event[PLAIT_EV_DESTINATION_JUDGED].why, PLAIT_WHY_SYN_DROPPED);
    assert_memory_equal(&w->event[PLAIT_EV_DESTINATION_JUDGED].remote, &TRACE_PEER,
                        sizeof TRACE_PEER);
    expect_heeded(w);
    assert_int_equal(w->events[PLAIT_EV_DESTINATION_USED], 1);
    assert_int_equal(only_entry(w).used, 1);
    assert_int_equal(only_entry(w).seen, 2);
    world_free(w);
}

/* An outage, or a server that starts again: all connections of that time see
 * the same, and that is one sight. */
static void connections_of_one_time_count_once(void **state)
{
    struct world *w = world_new(false);
    struct plait_conn *conns[3];
    struct segment syns[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        conns[i] = open(w);
    for (unsigned round = 0; round < 2; round++) {
        trace_timer(w->t);
        for (unsigned i = 0; i < 3; i++) {
            trace_expect(w->t, TCP_SYN);
            syns[i] = w->t->seg;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        w->t->seg = syns[i];
        answer(w, -1);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(info_of(conns[i]).fallback_why, PLAIT_WHY_SYN_DROPPED);
        end(w, conns[i]);
    }
    assert_int_equal(only_entry(w).seen, 1);
    struct plait_conn *next = open(w);
    assert_true(offers(w));
    answer(w, 1);
    assert_true(info_of(next).multipath);
    assert_int_equal(info_of(next).destination_why, PLAIT_WHY_NONE);
    assert_int_equal(entries(w), 0);
    assert_int_equal(w->event[PLAIT_EV_DESTINATION_FORGOTTEN].why, PLAIT_WHY_DESTINATION_WORKS);
    world_free(w);
}

static void after_its_time_one_connection_tries_anew(void **state)
{
    struct world *w = world_new(false);
    (void)state;
    judged(w);
    trace_wait(w->t, HOLD - MS(1000));
    expect_heeded(w);
    trace_wait(w->t, MS(1000));
    struct plait_conn *probe = open(w);
    struct segment syn = w->t->seg;
    assert_true(offers(w));
    assert_int_equal(info_of(probe).destination_why, PLAIT_WHY_DESTINATION_PROBE);
    assert_true(only_entry(w).probing);
    expect_heeded(w); /* the others do not wait for it */
    w->t->seg = syn;
    answer(w, 1);
    assert_true(info_of(probe).multipath);
    assert_int_equal(entries(w), 0);
    open(w);
    assert_true(offers(w));
    world_free(w);
}

static void trying_in_vain_doubles_the_time(void **state)
{
    struct world *w = world_new(false);
    (void)state;
    judged(w);
    for (unsigned doublings = 1; doublings < 8; doublings++) {
        uint64_t hold = HOLD << (doublings < 5 ? doublings : 5);
        trace_wait(w->t, only_entry(w).until_us - w->t->now);
        swallowed(w); /* the one that tries */
        assert_int_equal(only_entry(w).until_us - only_entry(w).seen_us, hold);
        expect_heeded(w);
    }
    world_free(w);
}

static void who_tries_and_ends_leaves_it_to_the_next(void **state)
{
    struct world *w = world_new(false);
    (void)state;
    judged(w);
    trace_wait(w->t, HOLD);
    struct plait_conn *probe = open(w);
    assert_true(offers(w));
    end(w, probe);
    assert_false(only_entry(w).probing);
    open(w);
    assert_true(offers(w));
    assert_true(only_entry(w).probing);
    world_free(w);
}

static void what_nobody_renews_decays(void **state)
{
    struct world *w = world_new(false);
    (void)state;
    judged(w);
    trace_wait(w->t, 2 * HOLD + MS(1));
    struct plait_conn *conn = open(w);
    assert_true(offers(w));
    assert_int_equal(info_of(conn).destination_why, PLAIT_WHY_NONE);
    assert_int_equal(w->event[PLAIT_EV_DESTINATION_FORGOTTEN].why, PLAIT_WHY_DESTINATION_DECAYED);
    assert_int_equal(entries(w), 0);
    end(w, conn);
    swallowed(w); /* twice, but far apart, is not in a row */
    trace_wait(w->t, 2 * HOLD);
    swallowed(w);
    assert_int_equal(only_entry(w).seen, 1);
    world_free(w);
}

/* ---- whose it is ------------------------------------------------------------------- */

static void other_ports_and_networks_know_nothing_of_it(void **state)
{
    struct world *w = world_new(false);
    struct plait_endpoint other_port = TRACE_PEER;
    struct plait_local near = {.addr = TRACE_US.addr, .mtu = 1500, .prefix_len = 24};
    struct plait_local neighbour = {.addr = {PLAIT_IPV4, {10, 0, 0, 77}},
                                    .mtu = 1500,
                                    .prefix_len = 24};
    struct plait_local far = {.addr = {PLAIT_IPV4, {10, 0, 7, 1}}, .mtu = 1500, .prefix_len = 24};
    struct trace *t = w->t;
    (void)state;
    assert_int_equal(plait_stack_add_addr(t->stack, &near, t->now), 0);
    judged(w);
    other_port.port++;
    end(w, open_to(w, &other_port));
    assert_int_equal(w->events[PLAIT_EV_DESTINATION_USED], 0);
    assert_int_equal(plait_stack_remove_addr(t->stack, &near.addr, t->now), 0);
    assert_int_equal(plait_stack_add_addr(t->stack, &far, t->now), 0);
    end(w, open(w)); /* from another network */
    assert_int_equal(w->events[PLAIT_EV_DESTINATION_USED], 0);
    assert_int_equal(plait_stack_remove_addr(t->stack, &far.addr, t->now), 0);
    assert_int_equal(plait_stack_add_addr(t->stack, &neighbour, t->now), 0);
    expect_heeded(w); /* from the same, by another address */
    world_free(w);
}

static void as_many_entries_as_configured(void **state)
{
    struct world *w = world_new(true);
    struct plait_destination d[4];
    (void)state;
    for (uint16_t i = 0; i < 4; i++) {
        struct plait_endpoint to = {TRACE_PEER.addr, (uint16_t)(100 + i)};
        struct plait_conn *conn = open_to(w, &to);
        assert_int_equal(w->events[PLAIT_EV_DESTINATION_FORGOTTEN], 0);
        answer(w, -1);
        end(w, conn);
    }
    assert_int_equal(plait_stack_destinations(w->t->stack, d, 4), 3);
    assert_int_equal(d[0].remote.port, 101); /* the oldest went */
    assert_int_equal(w->event[PLAIT_EV_DESTINATION_FORGOTTEN].why, PLAIT_WHY_LIMIT);
    assert_int_equal(w->event[PLAIT_EV_DESTINATION_FORGOTTEN].remote.port, 100);
    world_free(w);
}

/* ---- versions ------------------------------------------------------------------------ */

static void version_0_is_not_tried_unless_allowed(void **state)
{
    struct world *w = world_new(false);
    (void)state;
    end(w, open(w));
    struct plait_conn *conn = open(w);
    answer(w, -1);
    end(w, conn);
    assert_int_equal(entries(w), 0);
    open(w);
    assert_int_equal(w->t->seg.mptcp.present, MPO_CAPABLE_SYN);
    world_free(w);
}

static void version_0_is_tried_next(void **state)
{
    struct world *w = world_new(true);
    (void)state;
    struct plait_conn *conn = open(w);
    answer(w, -1); /* not on this connection: it is plain TCP now */
    assert_int_equal(info_of(conn).fallback_why, PLAIT_WHY_PEER_NO_MPTCP);
    end(w, conn);
    trace_wait(w->t, MS(1));
    conn = open(w);
    assert_int_equal(w->t->seg.mptcp.present, MPO_CAPABLE_KEY);
    assert_int_equal(info_of(conn).version, 0);
    assert_int_equal(info_of(conn).destination_why, PLAIT_WHY_DESTINATION_NO_V1);
    answer(w, 0);
    assert_true(info_of(conn).multipath);
    trace_wait(w->t, HOLD);
    conn = open(w); /* version 1 has its chance again */
    assert_int_equal(w->t->seg.mptcp.present, MPO_CAPABLE_SYN);
    assert_int_equal(info_of(conn).destination_why, PLAIT_WHY_DESTINATION_PROBE);
    answer(w, 1);
    assert_int_equal(entries(w), 0);
    world_free(w);
}

static void version_0_refused_too_ends_the_trying(void **state)
{
    struct world *w = world_new(true);
    (void)state;
    for (unsigned version = 2; version-- > 0;) {
        struct plait_conn *conn = open(w);
        assert_int_equal(info_of(conn).version, version);
        answer(w, -1);
        end(w, conn);
        trace_wait(w->t, MS(1));
    }
    assert_int_equal(entries(w), 2);
    open(w);
    assert_int_equal(w->t->seg.mptcp.present, MPO_CAPABLE_SYN);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swallowed_syns_are_believed_the_second_time),
        cmocka_unit_test(connections_of_one_time_count_once),
        cmocka_unit_test(after_its_time_one_connection_tries_anew),
        cmocka_unit_test(trying_in_vain_doubles_the_time),
        cmocka_unit_test(who_tries_and_ends_leaves_it_to_the_next),
        cmocka_unit_test(what_nobody_renews_decays),
        cmocka_unit_test(other_ports_and_networks_know_nothing_of_it),
        cmocka_unit_test(as_many_entries_as_configured),
        cmocka_unit_test(version_0_is_not_tried_unless_allowed),
        cmocka_unit_test(version_0_is_tried_next),
        cmocka_unit_test(version_0_refused_too_ends_the_trying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
