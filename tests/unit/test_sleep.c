/* SPDX-License-Identifier: MIT
 *
 * Idle connections sleep: what wakes them, that nothing else changes, and what
 * happens where there is no memory to wake.
 */
#include "mptcp/sleep.h"
#include "mptcp_trace.h"
#include "stack/stack.h"

static struct peer *two_subflows(void)
{
    struct plait_config config;
    plait_config_default(&config);
    config.sleep_us = MS(1000);
    struct peer *p = peer_new(&config, false);
    peer_settle(p);
    peer_data(p, 0, 0, 0, 100);
    peer_settle(p);
    peer_expect_stream(p, 0, 100);
    peer_settle(p);
    peer_join(p, 1);
    peer_settle(p);
    return p;
}

static struct plait_memory memory(const struct peer *p)
{
    struct plait_memory m;
    plait_stack_memory(p->t->stack, &m);
    return m;
}

static struct peer *asleep(void)
{
    struct peer *p = two_subflows();
    assert_int_equal(memory(p).conns_asleep, 0);
    peer_wait(p, MS(1100));
    assert_int_equal(memory(p).conns_asleep, 1);
    assert_int_equal(memory(p).subflows, 2);
    return p;
}

/* From here on every allocation is refused. */
static void memory_is_short(struct peer *p, bool is)
{
    struct mem *m = &p->t->stack->env.mem;
    m->limit_bytes = is ? m->used_bytes : 0;
}

/* The fields of two structures from `first` to before `next`. */
#define SAME(a, b, first, next)                                                                    \
    assert_memory_equal(&(a).first, &(b).first,                                                    \
                        (size_t)((const char *)&(a).next - (const char *)&(a).first))

static void it_costs_less_and_knows_the_same(void **state)
{
    struct plait_subflow_info before[2], after[2];
    (void)state;
    struct peer *p = two_subflows();
    uint64_t awake = memory(p).used_bytes;
    assert_int_equal(plait_conn_subflows(p->t->conn, before, 2), 2);
    struct plait_conn_info info = peer_info(p);
    peer_wait(p, MS(1100));
    assert_int_equal(memory(p).conns_asleep, 1);
    uint64_t slab = 16 * 1024; /* of one block or thirty; the subflows' is given back later */
    assert_true(memory(p).used_bytes < awake + slab + sizeof(struct subflow)); /* the example */
    assert_true(p->t->conn->asleep->bytes < sizeof(struct subflow) / 2);       /* for two */
    struct plait_conn_info again = peer_info(p);
    assert_int_equal(info.token, again.token);
    SAME(info, again, bytes_written, local); /* all numbers, and no padding */
    assert_int_equal(memory(p).conns_asleep, 1);
    assert_int_equal(plait_conn_subflows(p->t->conn, after, 2), 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(before[i].id, after[i].id);
        assert_string_equal(before[i].state, after[i].state);
        SAME(before[i], after[i], srtt_us, mss_bytes);
        SAME(before[i], after[i], cwnd_bytes, retransmits);
    }
    assert_int_equal(memory(p).conns_asleep, 0);
    assert_int_equal(peer_wait(p, MS(5000)), 0); /* and nothing was sent meanwhile */
    assert_int_equal(memory(p).conns_asleep, 1);
    peer_free(p);
}

static void data_on_either_subflow_wakes_it(void **state)
{
    (void)state;
    struct peer *p = asleep();
    peer_data(p, 1, 0, 100, 50);
    assert_int_equal(memory(p).conns_asleep, 0);
    peer_settle(p);
    peer_expect_stream(p, 100, 50);
    peer_expect_data_ack(p, 150);
    peer_wait(p, MS(1100));
    assert_int_equal(memory(p).conns_asleep, 1);
    peer_data(p, 0, 100, 150, 50);
    peer_settle(p);
    peer_expect_stream(p, 150, 50);
    peer_free(p);
}

static void reading_does_not_wake_it_and_writing_does(void **state)
{
    (void)state;
    struct peer *p = asleep();
    peer_expect_stream(p, 100, 0);
    assert_int_equal(memory(p).conns_asleep, 1);
    assert_int_equal(plait_conn_write(p->t->conn, "abc", 3, p->t->now), 3);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->payload_len, 3);
    peer_free(p);
}

static void another_congestion_control_wakes_it(void **state)
{
    (void)state;
    struct peer *p = asleep();
    struct plait_conn_info info;
    memory_is_short(p, true);
    assert_int_equal(plait_conn_set_cc(p->t->conn, "olia", p->t->now), PLAIT_E_NO_MEMORY);
    memory_is_short(p, false);
    assert_int_equal(plait_conn_set_cc(p->t->conn, "no such", p->t->now), PLAIT_E_UNKNOWN_NAME);
    assert_int_equal(memory(p).conns_asleep, 1);
    assert_int_equal(plait_conn_set_cc(p->t->conn, "olia", p->t->now), 0);
    assert_int_equal(memory(p).conns_asleep, 0);
    plait_conn_info(p->t->conn, &info);
    assert_string_equal(info.cc, "olia");
    peer_wait(p, MS(1100)); /* and it is kept in its sleep */
    assert_int_equal(memory(p).conns_asleep, 1);
    assert_int_equal(plait_conn_write(p->t->conn, "abc", 3, p->t->now), 3);
    list_each(sf, &p->t->conn->subflows, struct subflow, link)
        assert_string_equal(sf->tcp.control.cc->name, "olia");
    peer_free(p);
}

static void a_join_wakes_it(void **state)
{
    (void)state;
    struct peer *p = asleep();
    peer_join(p, 2);
    peer_settle(p);
    assert_int_equal(peer_info(p).subflows, 3);
    peer_free(p);
}

static void a_reset_of_one_subflow_leaves_the_other(void **state)
{
    (void)state;
    struct peer *p = asleep();
    peer_reset(p, 0, 100, false);
    peer_settle(p);
    assert_int_equal(peer_info(p).subflows, 1);
    peer_wait(p, MS(1100));
    assert_int_equal(memory(p).conns_asleep, 1);
    peer_data(p, 1, 0, 100, 50);
    peer_settle(p);
    peer_expect_stream(p, 100, 50);
    peer_free(p);
}

/* No address without its end: the connection learns of what happened to ours. */
static void an_address_that_goes_wakes_it(void **state)
{
    (void)state;
    struct peer *p = asleep();
    assert_int_equal(plait_stack_remove_addr(p->t->stack, &TRACE_US.addr, p->t->now), 0);
    assert_int_equal(peer_info(p).subflows, 0);
    peer_free(p);
}

/* Nor is it lost on one for which there is no memory to wake: it is tried again. */
static void without_memory_an_address_goes_later(void **state)
{
    (void)state;
    struct peer *p = asleep();
    memory_is_short(p, true);
    assert_int_equal(plait_stack_remove_addr(p->t->stack, &TRACE_US.addr, p->t->now), 0);
    peer_wait(p, MS(500));
    assert_int_equal(memory(p).conns_asleep, 1);
    memory_is_short(p, false);
    peer_wait(p, MS(200));
    assert_int_equal(memory(p).conns_asleep, 0);
    assert_int_equal(peer_info(p).subflows, 0);
    peer_free(p);
}

/* Whatever wakes it, what it slept through comes first. */
static void it_hears_of_addresses_before_it_acts(void **state)
{
    const struct plait_local other = {.addr = {PLAIT_IPV4, {10, 9, 9, 9}}, .mtu = 1500};
    (void)state;
    struct peer *p = asleep();
    memory_is_short(p, true);
    assert_int_equal(plait_stack_remove_addr(p->t->stack, &TRACE_US.addr, p->t->now), 0);
    memory_is_short(p, false);
    assert_int_equal(plait_conn_write(p->t->conn, "abc", 3, p->t->now), 3);
    assert_int_equal(memory(p).conns_asleep, 0);
    assert_int_equal(peer_info(p).subflows, 0);
    assert_int_equal(peer_settle(p), 0); /* nothing leaves from an address that is gone */
    assert_int_equal(plait_stack_add_addr(p->t->stack, &other, p->t->now), 0);
    peer_free(p);
}

/* An ID means one address for as long as somebody has not heard of its end. */
static void ids_wait_for_sleepers(void **state)
{
    (void)state;
    struct peer *p = asleep();
    struct mptcp_env *env = &p->t->stack->env;
    memory_is_short(p, true);
    struct plait_local other = {.addr = {PLAIT_IPV4, {10, 9, 9, 9}}, .mtu = 1500};
    unsigned added = 0;
    for (; added < 400; added++) {
        other.addr.bytes[3] = (uint8_t)added;
        int error = plait_stack_add_addr(p->t->stack, &other, p->t->now);
        if (error) /* the list cannot grow, or there are no more IDs */
            break;
        assert_int_equal(plait_stack_remove_addr(p->t->stack, &other.addr, p->t->now), 0);
        assert_int_equal(env->locals_gone, added + 1);
    }
    assert_true(added > 1 && added < 255);
    for (unsigned i = 1; i < env->local_count + env->locals_gone; i++)
        assert_int_equal(env->locals[i].id, i + 1); /* none twice */
    memory_is_short(p, false);
    peer_wait(p, MS(200));
    assert_int_equal(env->locals_gone, 0);
    assert_int_equal(plait_stack_add_addr(p->t->stack, &other, p->t->now), 0);
    peer_free(p);
}

/* What came is dropped like any other packet, and the peer sends it again. */
static void without_memory_it_sleeps_on(void **state)
{
    (void)state;
    struct peer *p = asleep();
    memory_is_short(p, true);
    struct segment s = peer_segment(p, 0, 100);
    trace_send(p->t, s, NULL, 0);
    trace_silent(p->t);
    assert_int_equal(peer_counters(p)->DropMemory, 1);
    assert_int_equal(memory(p).conns_asleep, 1);
    assert_int_equal(plait_conn_write(p->t->conn, "abc", 3, p->t->now), PLAIT_E_NO_MEMORY);
    assert_int_equal(plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now), PLAIT_E_NO_MEMORY);
    memory_is_short(p, false);
    peer_data(p, 0, 100, 100, 50);
    peer_settle(p);
    peer_expect_stream(p, 100, 50);
    peer_free(p);
}

/* The handle must go: the peer hears of it when it asks. */
static void without_memory_it_can_be_closed(void **state)
{
    (void)state;
    struct peer *p = asleep();
    memory_is_short(p, true);
    assert_int_equal(plait_conn_close(p->t->conn, p->t->now), 0);
    assert_int_equal(memory(p).conns, 0);
    assert_int_equal(memory(p).subflows, 0);
    memory_is_short(p, false);
    peer_data(p, 0, 100, 100, 50);
    peer_expect(p, TCP_RST);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_costs_less_and_knows_the_same),
        cmocka_unit_test(data_on_either_subflow_wakes_it),
        cmocka_unit_test(reading_does_not_wake_it_and_writing_does),
        cmocka_unit_test(another_congestion_control_wakes_it),
        cmocka_unit_test(a_join_wakes_it),
        cmocka_unit_test(a_reset_of_one_subflow_leaves_the_other),
        cmocka_unit_test(an_address_that_goes_wakes_it),
        cmocka_unit_test(without_memory_an_address_goes_later),
        cmocka_unit_test(it_hears_of_addresses_before_it_acts),
        cmocka_unit_test(ids_wait_for_sleepers),
        cmocka_unit_test(without_memory_it_sleeps_on),
        cmocka_unit_test(without_memory_it_can_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
