/* SPDX-License-Identifier: MIT
 *
 * Racing the first subflow as traces (RFC 8305, plait_connect_race): the stack
 * under test is the client, the servers are the test.
 */
#include "mptcp_trace.h"

#include "base/addr.h"

enum { PAIRS = 3, SERVER_ISS = 7000, SERVER_KEY = 0x21222324 };

static const struct plait_endpoint SERVERS[PAIRS] = {{{PLAIT_IPV4, {10, 0, 0, 2}}, 80},
                                                     {{PLAIT_IPV4, {10, 0, 0, 3}}, 80},
                                                     {{PLAIT_IPV4, {10, 0, 0, 4}}, 80}};

struct racing {
    struct trace *t;
    struct segment syn[PAIRS];
};

static void begin(struct racing *k, const struct plait_config *config)
{
    struct plait_candidate c[PAIRS];
    for (unsigned i = 0; i < PAIRS; i++)
        c[i] = (struct plait_candidate){.remote = SERVERS[i]};
    memset(k, 0, sizeof *k);
    k->t = trace_new(config);
    assert_int_equal(plait_connect_race(k->t->stack, c, PAIRS, NULL, k->t->now, &k->t->conn), 0);
}

static void begin_default(struct racing *k)
{
    struct plait_config config;
    plait_config_default(&config);
    begin(k, &config);
}

/* The next segment is the SYN to server i. */
static void expect_syn(struct racing *k, unsigned i)
{
    trace_expect(k->t, TCP_SYN);
    assert_true(addr_equal(&k->t->seg.dst.addr, &SERVERS[i].addr));
    k->syn[i] = k->t->seg;
}

/* Server i says this to its SYN. */
static void answer(struct racing *k, unsigned i, uint8_t flags)
{
    struct segment s = {.src = SERVERS[i],
                        .dst = k->syn[i].src,
                        .flags = flags,
                        .seq = flags & TCP_RST ? 0 : SERVER_ISS,
                        .ack = k->syn[i].seq + 1,
                        .window = 65535};
    if (flags & TCP_SYN) {
        s.mptcp.present = MPO_CAPABLE_KEY;
        s.mptcp.capable =
            (struct mptcp_capable){.version = 1, .flags = MPC_HMAC, .sender_key = SERVER_KEY};
    }
    trace_send(k->t, s, NULL, 0);
}

/* An ICMP error about the SYN to server i. */
static void unreachable(struct racing *k, unsigned i, uint8_t code)
{
    uint8_t p[56] = {0};
    p[0] = 0x45;
    put_be16(p + 2, sizeof p);
    p[8] = 64;
    p[9] = 1;
    memcpy(p + 12, SERVERS[i].addr.bytes, 4);
    memcpy(p + 16, TRACE_US.addr.bytes, 4);
    p[20] = 3; /* destination unreachable */
    p[21] = code;
    p[28] = 0x45;
    put_be16(p + 30, 40);
    p[36] = 64;
    p[37] = 6;
    memcpy(p + 40, TRACE_US.addr.bytes, 4);
    memcpy(p + 44, SERVERS[i].addr.bytes, 4);
    put_be16(p + 48, k->syn[i].src.port);
    put_be16(p + 50, SERVERS[i].port);
    put_be32(p + 52, k->syn[i].seq);
    put_be16(p + 10, (uint16_t)~csum_partial(p, 20));
    put_be16(p + 22, (uint16_t)~csum_partial(p + 20, sizeof p - 20));
    struct plait_packet_rx rx = {.data = p, .len = sizeof p};
    plait_stack_rx(k->t->stack, &rx, k->t->now);
    plait_stack_check(k->t->stack);
}

static struct plait_conn_info info_of(const struct racing *k)
{
    struct plait_conn_info info;
    plait_conn_info(k->t->conn, &info);
    return info;
}

static void expect_remote(const struct racing *k, unsigned i)
{
    struct plait_conn_info info = info_of(k);
    assert_true(addr_equal(&info.remote.addr, &SERVERS[i].addr));
}

static void one_attempt_after_the_other(void **state)
{
    struct racing k;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    trace_silent(k.t);
    assert_int_equal(plait_stack_deadline(k.t->stack), k.t->now + MS(250));
    trace_timer(k.t);
    expect_syn(&k, 1);
    trace_timer(k.t);
    expect_syn(&k, 2);
    trace_silent(k.t);
    trace_timer(k.t); /* the first one's retransmission timer: 1 s */
    expect_syn(&k, 0);
    trace_free(k.t);
}

/* The first answer wins; a later one is reset, and leaves nothing. */
static void the_first_answer_wins(void **state)
{
    struct racing k;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    trace_timer(k.t);
    expect_syn(&k, 1);
    answer(&k, 1, TCP_SYN | TCP_ACK);
    assert_true(plait_conn_poll(k.t->conn) & PLAIT_POLL_CONNECTED);
    trace_expect(k.t, TCP_ACK);
    assert_int_equal(k.t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    expect_remote(&k, 1);
    assert_int_equal(info_of(&k).subflows, 1);
    assert_int_equal(info_of(&k).subflows_total, 1);
    for (int i = 0; i < 2; i++) { /* as often as it answers */
        answer(&k, 0, TCP_SYN | TCP_ACK);
        trace_expect(k.t, TCP_RST);
        assert_int_equal(k.t->seg.seq, k.syn[0].seq + 1);
        assert_true(addr_equal(&k.t->seg.dst.addr, &SERVERS[0].addr));
    }
    trace_wait(k.t, MS(1000)); /* the third is not tried any more */
    trace_silent(k.t);
    struct plait_subflow_info subflows[4];
    assert_int_equal(plait_conn_subflows(k.t->conn, subflows, 4), 1);
    trace_free(k.t);
}

static void the_last_ones_answer_wins_after_all(void **state)
{
    struct racing k;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    trace_timer(k.t);
    expect_syn(&k, 1);
    trace_timer(k.t);
    expect_syn(&k, 2);
    answer(&k, 0, TCP_SYN | TCP_ACK);
    trace_expect(k.t, TCP_ACK);
    expect_remote(&k, 0);
    answer(&k, 1, TCP_SYN | TCP_ACK);
    trace_expect(k.t, TCP_RST);
    trace_free(k.t);
}

static void a_refusal_starts_the_next(void **state)
{
    struct racing k;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    answer(&k, 0, TCP_RST | TCP_ACK);
    expect_syn(&k, 1);
    assert_int_equal(plait_stack_deadline(k.t->stack), k.t->now + MS(250)); /* counted anew */
    unreachable(&k, 1, 3);
    expect_syn(&k, 2);
    assert_int_equal(plait_conn_poll(k.t->conn), 0);
    assert_int_equal(info_of(&k).subflows, 1);
    answer(&k, 2, TCP_RST | TCP_ACK);
    assert_int_equal(plait_conn_error(k.t->conn), PLAIT_E_REFUSED);
    assert_int_equal(plait_stack_counters(k.t->stack)->AttemptFails, 1);
    trace_free(k.t);
}

/* "Network unreachable" may pass: the attempt goes on, and so does the next. */
static void a_soft_error_starts_the_next_too(void **state)
{
    struct racing k;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    unreachable(&k, 0, 0);
    expect_syn(&k, 1);
    assert_int_equal(info_of(&k).subflows, 2);
    answer(&k, 0, TCP_SYN | TCP_ACK);
    trace_expect(k.t, TCP_ACK);
    expect_remote(&k, 0);
    trace_free(k.t);
}

/* A refusal is told rather than the silence of the others. */
static void silence_and_a_refusal(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.syn_retries = 0;
    struct racing k;
    (void)state;
    begin(&k, &config);
    expect_syn(&k, 0);
    answer(&k, 0, TCP_RST | TCP_ACK);
    expect_syn(&k, 1);
    trace_timer(k.t);
    expect_syn(&k, 2);
    trace_wait(k.t, MS(3000));
    assert_int_equal(plait_conn_error(k.t->conn), PLAIT_E_REFUSED);
    trace_free(k.t);
}

/* The ports of those that lost can be used again at once. */
static void losers_give_their_ports_back(void **state)
{
    struct racing k;
    struct plait_conn *again;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    trace_timer(k.t);
    expect_syn(&k, 1);
    answer(&k, 1, TCP_SYN | TCP_ACK);
    trace_expect(k.t, TCP_ACK);
    assert_int_equal(plait_connect(k.t->stack, &k.syn[1].src, &SERVERS[1], NULL, k.t->now, &again),
                     PLAIT_E_IN_USE);
    assert_int_equal(plait_connect(k.t->stack, &k.syn[0].src, &SERVERS[0], NULL, k.t->now, &again),
                     0);
    trace_free(k.t);
}

static void given_up_while_racing(void **state)
{
    struct racing k;
    struct plait_memory m;
    (void)state;
    begin_default(&k);
    expect_syn(&k, 0);
    trace_timer(k.t);
    expect_syn(&k, 1);
    plait_conn_close(k.t->conn, k.t->now);
    plait_stack_memory(k.t->stack, &m);
    assert_int_equal(m.conns + m.subflows, 0);
    answer(&k, 0, TCP_SYN | TCP_ACK);
    trace_expect(k.t, TCP_RST);
    trace_free(k.t);
}

static void what_cannot_be_raced(void **state)
{
    struct trace *t = trace_default();
    struct plait_candidate c[PLAIT_CANDIDATES_MAX + 1];
    static const struct plait_endpoint six = {{PLAIT_IPV6, {0xfd, [15] = 1}}, 80};
    (void)state;
    for (unsigned i = 0; i < PLAIT_CANDIDATES_MAX + 1; i++)
        c[i] = (struct plait_candidate){.remote = SERVERS[0]};
    assert_int_equal(plait_connect_race(t->stack, c, 0, NULL, t->now, &t->conn), PLAIT_E_INVALID);
    assert_int_equal(plait_connect_race(t->stack, c, PLAIT_CANDIDATES_MAX + 1, NULL, t->now,
                                        &t->conn),
                     PLAIT_E_LIMIT);
    c[1].remote.port = 0;
    assert_int_equal(plait_connect_race(t->stack, c, 2, NULL, t->now, &t->conn), PLAIT_E_INVALID);
    c[0].remote = c[1].remote = six; /* a family without an address here */
    assert_int_equal(plait_connect_race(t->stack, c, 2, NULL, t->now, &t->conn),
                     PLAIT_E_NO_ADDRESS);
    assert_null(t->conn);
    c[1].remote = SERVERS[0]; /* passed over */
    assert_int_equal(plait_connect_race(t->stack, c, 2, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_attempt_after_the_other),
        cmocka_unit_test(the_first_answer_wins),
        cmocka_unit_test(the_last_ones_answer_wins_after_all),
        cmocka_unit_test(a_refusal_starts_the_next),
        cmocka_unit_test(a_soft_error_starts_the_next_too),
        cmocka_unit_test(silence_and_a_refusal),
        cmocka_unit_test(losers_give_their_ports_back),
        cmocka_unit_test(given_up_while_racing),
        cmocka_unit_test(what_cannot_be_raced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
