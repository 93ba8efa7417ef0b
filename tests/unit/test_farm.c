/* SPDX-License-Identifier: MIT
 *
 * Servers behind one address: ranges of token bytes, and keys whose token names
 * the server, drawn, from the pool and behind a SYN cookie, in both versions.
 */
#include "base/farm.h"
#include "mptcp_trace.h"
#include "stack/stack.h"

enum { SERVERS = 5, SERVER = 4, THREADS = 3 };

static void ranges_divide_the_bytes(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= FARM_SERVERS_MAX; n++) {
        unsigned next = 0;
        for (unsigned k = 1; k <= n; k++) {
            assert_int_equal(farm_first(k, n), next);
            assert_true(farm_last(k, n) >= next);
            for (unsigned b = next; b <= farm_last(k, n); b++)
                assert_int_equal(farm_server((uint8_t)b, n), k);
            next = farm_last(k, n) + 1U;
        }
        assert_int_equal(next, FARM_BYTES);
    }
}

/* Thread 3 of 3, too: the first byte names the server, the second the thread. */
static struct plait_config farm(uint32_t pool, enum plait_syn_cookies cookies)
{
    struct plait_config config;
    plait_config_default(&config);
    config.server_id = SERVER;
    config.servers = SERVERS;
    config.thread_id = config.threads = THREADS;
    config.key_pool_max = pool;
    config.syn_cookies = cookies;
    config.half_open_max = config.backlog_max = 1000;
    return config;
}

static struct segment syn_from(uint16_t port, uint8_t version)
{
    return (struct segment){.src = {TRACE_PEER.addr, port},
                            .flags = TCP_SYN,
                            .seq = FLOW_ISS,
                            .window = 65535,
                            .tcp = {.present = OPT_MSS, .mss = 1460},
                            .mptcp = {.present = version ? MPO_CAPABLE_SYN : MPO_CAPABLE_KEY,
                                      .capable = {.version = version,
                                                  .flags = MPC_HMAC,
                                                  .sender_key = TRACE_PEER_KEY}}};
}

/* A hundred SYNs, of both versions in turn: every key names this server. */
static void all_keys_suit(uint32_t pool, enum plait_syn_cookies cookies)
{
    struct plait_config config = farm(pool, cookies);
    struct trace *t = trace_new(&config);
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    while (pool && plait_stack_idle(t->stack))
        ;
    for (uint16_t i = 0; i < 100; i++) {
        uint8_t version = i % 2;
        trace_send(t, syn_from((uint16_t)(4000 + i), version), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        uint32_t token = key_derive(version, t->seg.mptcp.capable.sender_key).token;
        assert_int_equal(farm_server((uint8_t)(token >> 24), SERVERS), SERVER);
        assert_int_equal(farm_server((uint8_t)(token >> 16), THREADS), THREADS);
    }
    assert_int_equal(plait_stack_counters(t->stack)->SyncookiesSent, cookies ? 100 : 0);
    trace_free(t);
}

static void keys_are_drawn_until_one_suits(void **state)
{
    (void)state;
    all_keys_suit(0, PLAIT_SYN_COOKIES_AUTO);
}

static void pooled_keys_suit(void **state)
{
    (void)state;
    all_keys_suit(64, PLAIT_SYN_COOKIES_AUTO);
}

static void keys_of_cookies_suit(void **state)
{
    (void)state;
    all_keys_suit(0, PLAIT_SYN_COOKIES_ALWAYS);
}

/* The ACK of a cookie is answered with the very key that the SYN/ACK named. */
static void a_cookie_s_key_is_found_again(void **state)
{
    struct plait_config config = farm(0, PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        memset(config.secret, (int)i, sizeof config.secret);
        struct peer *p = peer_new(&config, false);
        peer_data(p, 0, 0, 0, 100);
        peer_settle(p);
        peer_expect_stream(p, 0, 100);
        peer_settle(p);
        peer_join(p, 1);
        peer_free(p);
    }
}

static void an_id_beyond_the_farm_is_invalid(void **state)
{
    static const uint16_t wrong[][2] = {{0, 4}, {5, 4}, {1, 257}};
    struct plait_config config;
    struct plait_stack *stack;
    uint64_t allocated = 0;
    (void)state;
    plait_config_default(&config);
    config.allocator = (struct plait_allocator){&allocated, trace_alloc, trace_release};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        config.server_id = wrong[i][0];
        config.servers = wrong[i][1];
        assert_int_equal(plait_stack_new(&config, 0, &stack), PLAIT_E_INVALID);
        config.server_id = config.servers = 0;
        config.thread_id = wrong[i][0];
        config.threads = wrong[i][1];
        assert_int_equal(plait_stack_new(&config, 0, &stack), PLAIT_E_INVALID);
        config.thread_id = config.threads = 0;
    }
    config.server_id = config.servers = config.thread_id = config.threads = 256;
    assert_int_equal(plait_stack_new(&config, 0, &stack), 0);
    plait_stack_free(stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_divide_the_bytes),
        cmocka_unit_test(keys_are_drawn_until_one_suits),
        cmocka_unit_test(pooled_keys_suit),
        cmocka_unit_test(keys_of_cookies_suit),
        cmocka_unit_test(a_cookie_s_key_is_found_again),
        cmocka_unit_test(an_id_beyond_the_farm_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
