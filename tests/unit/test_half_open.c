/* SPDX-License-Identifier: MIT
 *
 * Handshakes that nobody finishes, and keys: how many half-open connections
 * and joins there may be (RFC 7430 2.2), who makes room, and the pool that
 * keys come from (RFC 8684 3.1).
 */
#include "mptcp_trace.h"
#include "stack/stack.h"

static struct plait_config defaults(void)
{
    struct plait_config config;
    plait_config_default(&config);
    return config;
}

/* ---- connections ------------------------------------------------------------------ */

static void syn_from(struct trace *t, uint16_t port)
{
    trace_send(t,
               (struct segment){.src = {TRACE_PEER.addr, port},
                                .flags = TCP_SYN,
                                .seq = FLOW_ISS,
                                .window = 65535,
                                .tcp = {.present = OPT_MSS, .mss = 1460}},
               NULL, 0);
}

static void ack_from(struct trace *t, uint16_t port, uint32_t ack)
{
    trace_send(t,
               (struct segment){.src = {TRACE_PEER.addr, port},
                                .flags = TCP_ACK,
                                .seq = FLOW_ISS + 1,
                                .ack = ack,
                                .window = 65535},
               NULL, 0);
}

static struct trace *without_cookies(uint32_t half_open, uint32_t half_open_stack)
{
    struct plait_config config = defaults();
    config.syn_cookies = PLAIT_SYN_COOKIES_NEVER;
    config.half_open_max = half_open;
    config.half_open_stack_max = half_open_stack;
    struct trace *t = trace_new(&config);
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    return t;
}

static uint32_t conns(const struct trace *t)
{
    struct plait_memory m;
    plait_stack_memory(t->stack, &m);
    return m.conns;
}

/* Within a second of the others the new one is met with silence; later the
 * oldest makes room, without a word to whoever it may be. */
static void the_oldest_half_open_connection_makes_room(void **state)
{
    struct trace *t = without_cookies(2, 100);
    uint32_t iss[4];
    (void)state;
    for (uint16_t i = 0; i < 2; i++) {
        syn_from(t, (uint16_t)(4000 + i));
        trace_expect(t, TCP_SYN | TCP_ACK);
        iss[i] = t->seg.seq;
        t->now += MS(10);
    }
    syn_from(t, 4002);
    trace_silent(t);
    assert_int_equal(plait_stack_counters(t->stack)->HalfOpenRefused, 1);
    t->now += MS(980); /* 1000 ms for the first, 990 for the second */
    syn_from(t, 4002);
    syn_from(t, 4003);
    assert_int_equal(plait_stack_counters(t->stack)->HalfOpenDropped, 1);
    assert_int_equal(plait_stack_counters(t->stack)->HalfOpenRefused, 2);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.dst.port, 4002);
    assert_int_equal(conns(t), 2);
    ack_from(t, 4000, iss[0] + 1); /* its place is gone */
    trace_expect(t, TCP_RST);
    ack_from(t, 4001, iss[1] + 1);
    assert_non_null(plait_accept(t->listener));
    trace_free(t);
}

static void listeners_share_the_stack_s_limit(void **state)
{
    struct trace *t = without_cookies(10, 2);
    struct plait_endpoint other = {TRACE_US.addr, 5001};
    struct plait_listener *l;
    (void)state;
    assert_int_equal(plait_listen(t->stack, &other, NULL, &l), 0);
    syn_from(t, 4000);
    syn_from(t, 4001);
    trace_send(t,
               (struct segment){
                   .src = {TRACE_PEER.addr, 4002}, .dst = other, .flags = TCP_SYN, .window = 1},
               NULL, 0);
    assert_int_equal(plait_stack_counters(t->stack)->HalfOpenRefused, 1);
    assert_int_equal(conns(t), 2);
    trace_free(t);
}

/* Nobody answers: gone after a minute, and the place is free again. */
static void a_half_open_connection_ends_by_itself(void **state)
{
    struct trace *t = without_cookies(1, 100);
    (void)state;
    syn_from(t, 4000);
    trace_expect(t, TCP_SYN | TCP_ACK);
    unsigned answers = 1;
    uint64_t end = t->now + MS(64000);
    while (plait_stack_deadline(t->stack) < end) {
        trace_timer(t);
        while (trace_next(t))
            answers++;
    }
    assert_int_equal(answers, 6);
    assert_int_equal(conns(t), 0);
    syn_from(t, 4001);
    trace_expect(t, TCP_SYN | TCP_ACK);
    trace_free(t);
}

/* However many SYNs come, no more than the limit is held. */
static void a_flood_of_syns_holds_no_more_memory(void **state)
{
    struct trace *t = without_cookies(16, 100);
    struct plait_packet_tx unused;
    (void)state;
    uint64_t most = 0;
    for (unsigned i = 0; i < 20000; i++) {
        trace_send(t,
                   (struct segment){.src = {{PLAIT_IPV4, {10, 1, (uint8_t)(i >> 8), (uint8_t)i}},
                                            (uint16_t)(1024 + i)},
                                    .flags = TCP_SYN,
                                    .window = 65535},
                   NULL, 0);
        while (plait_stack_tx(t->stack, t->now, &unused))
            ;
        t->now += MS(1);
        if (plait_stack_deadline(t->stack) <= t->now)
            plait_stack_tick(t->stack, t->now);
        if (i == 1000)
            most = t->allocated;
        assert_true(i < 1000 || t->allocated <= most);
        assert_true(conns(t) <= 16);
    }
    trace_free(t);
}

/* ---- joins ---------------------------------------------------------------------------- */

static struct peer *peer_with_limits(uint16_t joins, uint32_t joins_stack)
{
    struct plait_config config = defaults();
    config.joins_half_open_max = joins;
    config.joins_half_open_stack_max = joins_stack;
    struct peer *p = peer_new(&config, false);
    peer_settle(p);
    return p;
}

static void so_many_joins_at_a_time(void **state)
{
    struct peer *p = peer_with_limits(2, 100);
    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        peer_join_syn(p, i);
    assert_int_equal(peer_counters(p)->JoinHalfOpenRefused, 1);
    assert_int_equal(p->event[PLAIT_EV_JOIN_REFUSED].why, PLAIT_WHY_HALF_OPEN);
    peer_expect(p, TCP_SYN | TCP_ACK);
    peer_expect(p, TCP_SYN | TCP_ACK);
    trace_silent(p->t); /* no RST: the third may ask again */
    p->t->now += MS(1000);
    peer_join(p, 3);
    assert_int_equal(peer_counters(p)->JoinHalfOpenDropped, 1);
    assert_int_equal(peer_info(p).subflows, 3); /* the first, the second join, the third */
    peer_free(p);
}

static void established_joins_do_not_count(void **state)
{
    struct peer *p = peer_with_limits(1, 1);
    (void)state;
    for (unsigned i = 1; i <= 5; i++)
        peer_join(p, i);
    assert_int_equal(peer_info(p).subflows, 6);
    assert_int_equal(peer_counters(p)->JoinHalfOpenRefused, 0);
    peer_free(p);
}

static void all_connections_share_the_stack_s_limit(void **state)
{
    struct peer *p = peer_with_limits(8, 2);
    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        peer_join_syn(p, i);
    assert_int_equal(peer_counters(p)->JoinHalfOpenRefused, 1);
    p->t->now += MS(1000);
    peer_join_syn(p, 4);
    assert_int_equal(peer_counters(p)->JoinHalfOpenDropped, 1);
    peer_free(p);
}

/* One who knows the token sends joins without end: none is accepted, no more
 * memory is held, and the real peer gets through. */
static void a_flood_of_joins_gets_nowhere(void **state)
{
    struct peer *p = peer_with_limits(3, 100);
    struct trace *t = p->t;
    struct plait_packet_tx unused;
    (void)state;
    uint32_t token = key_derive(1, p->our_key).token;
    uint64_t most = 0;
    for (unsigned i = 0; i < 100000; i++) {
        trace_send(t,
                   (struct segment){
                       .src = {{PLAIT_IPV4, {10, 9, (uint8_t)(i >> 8), (uint8_t)i}},
                               (uint16_t)(1024 + i % 60000)},
                       .flags = TCP_SYN,
                       .window = 65535,
                       .mptcp = {.present = MPO_JOIN_SYN,
                                 .join = {.addr_id = (uint8_t)i, .token = token, .nonce = i}}},
                   NULL, 0);
        while (plait_stack_tx(t->stack, t->now, &unused))
            ;
        if (i % 10 == 0)
            t->now += MS(1);
        if (i == 30000)
            most = t->allocated;
        assert_true(i < 30000 || t->allocated <= most);
    }
    assert_int_equal(peer_counters(p)->MPJoinSynRx, 100000);
    assert_int_equal(peer_counters(p)->MPJoinAckRx, 0);
    assert_int_equal(p->events[PLAIT_EV_SUBFLOW_ESTABLISHED], 1);
    t->now += MS(1000);
    peer_join(p, 1);
    assert_int_equal(peer_counters(p)->MPJoinAckRx, 1);
    peer_free(p);
}

/* ---- keys ------------------------------------------------------------------------------ */

static const uint64_t CHOSEN = 0x0102030405060708;

static uint32_t connect_token(struct trace *t, uint16_t port)
{
    const struct plait_endpoint remote = {TRACE_PEER.addr, port};
    struct plait_conn_info info;
    assert_int_equal(plait_connect(t->stack, NULL, &remote, NULL, t->now, &t->conn), 0);
    plait_conn_info(t->conn, &info);
    assert_true(info.multipath);
    return info.token;
}

static void pooled_keys_are_used_in_order(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    assert_true(key_pool_add(&t->stack->env, CHOSEN));
    assert_true(key_pool_add(&t->stack->env, CHOSEN + 1));
    assert_int_equal(connect_token(t, 80), key_derive(1, CHOSEN).token);
    assert_int_equal(connect_token(t, 81), key_derive(1, CHOSEN + 1).token);
    assert_int_equal(t->stack->env.key_pool.count, 0);
    connect_token(t, 82); /* empty: drawn now */
    trace_free(t);
}

static void the_pool_serves_both_versions(void **state)
{
    struct trace *t = trace_default();
    struct key_derived d;
    uint64_t key;
    (void)state;
    for (uint8_t version = 0; version < KEY_VERSIONS; version++) {
        assert_true(key_pool_add(&t->stack->env, CHOSEN));
        assert_true(key_pool_take(&t->stack->env, version, &key, &d));
        assert_int_equal(key, CHOSEN);
        assert_int_equal(d.token, key_derive(version, CHOSEN).token);
        assert_int_equal(d.idsn, key_derive(version, CHOSEN).idsn);
    }
    trace_free(t);
}

/* RFC 8684 3.1: a key is hard to guess, whether it was prepared or not. */
static void a_key_is_the_secret_generator_s(void **state)
{
    struct trace *t = trace_default();
    struct mptcp_env *env = &t->stack->env;
    struct secure same = env->secure;
    struct key_derived derived;
    uint64_t key;
    (void)state;
    assert_true(key_pool_take(env, 1, &key, &derived));
    assert_true(key == secure_u64(&same));
    assert_int_equal(key_pool_fill(env, 1), 1);
    assert_true(key_pool_take(env, 1, &key, &derived));
    assert_true(key == secure_u64(&same));
    trace_free(t);
}

/* The token got an owner after the key was prepared. */
static void a_taken_token_is_passed_over(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(key_pool_add(&t->stack->env, CHOSEN));
    assert_true(key_pool_add(&t->stack->env, CHOSEN + 1));
    assert_int_equal(connect_token(t, 80), key_derive(1, CHOSEN).token);
    assert_int_equal(connect_token(t, 81), key_derive(1, CHOSEN + 1).token);
    assert_int_equal(plait_stack_counters(t->stack)->TokenCollision, 2);
    assert_int_equal(plait_stack_counters(t->stack)->MPFallbackTokenInit, 0);
    trace_free(t);
}

/* So many in a row are an accident that ends in plain TCP, not in a hang. */
static void too_many_taken_tokens_mean_plain_tcp(void **state)
{
    struct plait_config config = defaults();
    config.key_pool_max = 100;
    struct trace *t = trace_new(&config);
    struct plait_conn_info info;
    const struct plait_endpoint remote = {TRACE_PEER.addr, 81};
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_true(key_pool_add(&t->stack->env, CHOSEN));
    connect_token(t, 80);
    assert_int_equal(plait_connect(t->stack, NULL, &remote, NULL, t->now, &t->conn), 0);
    plait_conn_info(t->conn, &info);
    assert_false(info.multipath);
    assert_int_equal(info.fallback_why, PLAIT_WHY_TOKEN_TAKEN);
    assert_int_equal(plait_stack_counters(t->stack)->MPFallbackTokenInit, 1);
    trace_free(t);
}

static void idle_time_fills_the_pool_to_its_limit(void **state)
{
    static const uint32_t sizes[] = {0, 1, 10};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct plait_config config = defaults();
        config.key_pool_max = sizes[i];
        struct trace *t = trace_new(&config);
        unsigned calls = 1;
        while (plait_stack_idle(t->stack))
            calls++;
        assert_int_equal(t->stack->env.key_pool.count, sizes[i]);
        assert_true(calls <= sizes[i] / 4 + 1);
        assert_false(plait_stack_idle(t->stack));
        assert_false(key_pool_add(&t->stack->env, CHOSEN));
        connect_token(t, 80);
        trace_free(t);
    }
}

static void without_memory_keys_are_drawn_when_needed(void **state)
{
    struct plait_config config = defaults();
    config.key_pool_max = 100000;
    config.memory_max_bytes = 100000;
    struct trace *t = trace_new(&config);
    (void)state;
    assert_false(plait_stack_idle(t->stack));
    connect_token(t, 80);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_half_open_connection_makes_room),
        cmocka_unit_test(listeners_share_the_stack_s_limit),
        cmocka_unit_test(a_half_open_connection_ends_by_itself),
        cmocka_unit_test(a_flood_of_syns_holds_no_more_memory),
        cmocka_unit_test(so_many_joins_at_a_time),
        cmocka_unit_test(established_joins_do_not_count),
        cmocka_unit_test(all_connections_share_the_stack_s_limit),
        cmocka_unit_test(a_flood_of_joins_gets_nowhere),
        cmocka_unit_test(pooled_keys_are_used_in_order),
        cmocka_unit_test(the_pool_serves_both_versions),
        cmocka_unit_test(a_key_is_the_secret_generator_s),
        cmocka_unit_test(a_taken_token_is_passed_over),
        cmocka_unit_test(too_many_taken_tokens_mean_plain_tcp),
        cmocka_unit_test(idle_time_fills_the_pool_to_its_limit),
        cmocka_unit_test(without_memory_keys_are_drawn_when_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
