/* SPDX-License-Identifier: MIT
 *
 * From Multipath TCP to plain TCP as traces (RFC 8684 3.7): on which subflow,
 * from which byte on, and what is said about it.
 */
#include "mptcp_trace.h"

/* ---- the subflow that is left ---------------------------------------------------- */

/* Two subflows, both used, of which the first is then reset. */
static struct peer *peer_on_second(bool checksum)
{
    struct plait_config config;
    plait_config_default(&config);
    struct peer *p = peer_new(&config, checksum);
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_data(p, 1, 0, 100, 100);
    peer_expect_stream(p, 0, 200);
    peer_settle(p);
    struct segment rst = peer_segment(p, 0, 100);
    rst.flags = TCP_RST;
    trace_send(p->t, rst, NULL, 0);
    peer_settle(p);
    assert_int_equal(peer_info(p).subflows, 1);
    return p;
}

static void plain_tcp_on_a_joined_subflow(void **state)
{
    struct peer *p = peer_on_second(false);
    (void)state;
    struct segment s = peer_segment(p, 1, 100);
    peer_map(p, &s, 200, 100, 0);
    peer_send(p, s, 200, 50);
    assert_false(peer_info(p).multipath);
    assert_int_equal(peer_info(p).fallback_why, PLAIT_WHY_INFINITE_MAPPING);
    peer_send(p, peer_segment(p, 1, 150), 250, 50);
    peer_expect_stream(p, 200, 100);
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    peer_settle(p);
    assert_int_equal(p->flows[1].reset, false);
    trace_send(p->t, peer_segment(p, 1, 200), NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    struct segment fin = peer_segment(p, 1, 200);
    fin.flags |= TCP_FIN;
    trace_send(p->t, fin, NULL, 0);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_tcp_on_a_joined_subflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
