/* SPDX-License-Identifier: MIT
 *
 * Handshakes that do not go by the book: SYNs and SYN/ACKs that come twice,
 * late, old, with and without the option; third ACKs that get lost; MP_CAPABLE
 * with data split, repeated, and more than it says; both ends opening at once
 * (RFC 9293 3.5, RFC 8684 3.1, 3.7).
 */
#include "engine_trace.h"
#include "wire/checksum.h"

enum { PEER_ISS = 1000 };

static struct plait_conn_info info_of(const struct trace *t)
{
    struct plait_conn_info info;
    plait_conn_info(t->conn, &info);
    return info;
}

/* ---- server -------------------------------------------------------------------------- */

static struct trace *serving(bool checksum)
{
    struct plait_config config;
    plait_config_default(&config);
    config.checksum = checksum;
    struct trace *t = trace_new(&config);
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    return t;
}

static struct segment syn_at(uint32_t isn, bool capable)
{
    struct segment s = {.flags = TCP_SYN,
                        .seq = isn,
                        .window = 65535,
                        .tcp = {.present = OPT_MSS, .mss = 1460}};
    if (capable) {
        s.mptcp.present = MPO_CAPABLE_SYN;
        s.mptcp.capable = (struct mptcp_capable){.version = 1, .flags = MPC_HMAC};
    }
    return s;
}

/* An ACK of the SYN/ACK in t->seg, with both keys if it had ours. */
static struct segment ack_of(const struct trace *t, uint32_t isn)
{
    struct segment s = {.flags = TCP_ACK, .seq = isn + 1, .ack = t->seg.seq + 1, .window = 65535};
    trace_put_keys(t, &s);
    return s;
}

/* A SYN comes `again` with or without the option, and the client goes by the
 * first SYN/ACK or by the second. Each SYN/ACK answers its SYN, as far as the
 * first one offered anything, and the third ACK says what the client made of it. */
static void a_synack_answers_the_last_syn(void **state)
{
    static const struct {
        bool first, again, client_insists; /* client_insists: it goes by the first SYN/ACK */
        bool multipath;
        enum plait_reason why;
    } rows[] = {
        {true, true, true, true, PLAIT_WHY_NONE},
        {true, false, true, true, PLAIT_WHY_NONE},              /* eaten from the second only */
        {true, false, false, false, PLAIT_WHY_THIRD_ACK_PLAIN}, /* the client gave MPTCP up */
        {false, true, true, false, PLAIT_WHY_PEER_PLAIN_SYN},
        {false, false, true, false, PLAIT_WHY_PEER_PLAIN_SYN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace *t = serving(false);
        trace_send(t, syn_at(PEER_ISS, rows[i].first), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        uint32_t iss = t->seg.seq;
        assert_int_equal(t->seg.mptcp.present, rows[i].first ? MPO_CAPABLE_KEY : 0);
        struct segment ack = ack_of(t, PEER_ISS);
        bool both = rows[i].first && rows[i].again;
        trace_send(t, syn_at(PEER_ISS, rows[i].again), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        assert_int_equal(t->seg.seq, iss);
        assert_int_equal(t->seg.mptcp.present, both ? MPO_CAPABLE_KEY : 0);
        if (!rows[i].client_insists)
            ack.mptcp.present = 0;
        trace_send(t, ack, NULL, 0);
        t->conn = plait_accept(t->listener);
        assert_int_equal(info_of(t).multipath, rows[i].multipath);
        assert_int_equal(info_of(t).fallback_why, rows[i].why);
        trace_free(t);
    }
}

/* RFC 9293 figure 9: an old SYN came first. The SYN/ACK tells the client, its
 * RST tells us, and the client's next SYN is served. */
static void an_old_syn_is_cleared_up(void **state)
{
    static const uint32_t news[] = {PEER_ISS + 100, PEER_ISS - 100000, PEER_ISS + 1000000000};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct trace *t = serving(false);
        trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        trace_send(t, syn_at(news[i], true), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK); /* of the old one still */
        assert_int_equal(t->seg.ack, PEER_ISS + 1);
        trace_send(t, (struct segment){.flags = TCP_RST, .seq = t->seg.ack}, NULL, 0);
        assert_int_equal(plait_stack_counters(t->stack)->AttemptFails, 1);
        trace_send(t, syn_at(news[i], true), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        assert_int_equal(t->seg.ack, news[i] + 1);
        trace_send(t, ack_of(t, news[i]), NULL, 0);
        t->conn = plait_accept(t->listener);
        assert_true(info_of(t).multipath);
        trace_free(t);
    }
}

/* With timestamps the new SYN may look older than the old one (PAWS). */
static void an_old_timestamp_does_not_hide_a_new_syn(void **state)
{
    struct trace *t = serving(false);
    (void)state;
    struct segment first = syn_at(PEER_ISS, true), next = syn_at(PEER_ISS + 5, true);
    first.tcp.present |= OPT_TIMESTAMP;
    first.tcp.tsval = 5000;
    next.tcp.present |= OPT_TIMESTAMP;
    next.tcp.tsval = 100;
    trace_send(t, first, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    trace_send(t, next, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 1);
    trace_free(t);
}

/* Once established, the same SYN again gets an ACK and changes nothing. */
static void a_syn_after_the_handshake_gets_an_ack(void **state)
{
    struct trace *t = serving(false);
    (void)state;
    trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    trace_send(t, ack_of(t, PEER_ISS), NULL, 0);
    t->conn = plait_accept(t->listener);
    trace_send(t, syn_at(PEER_ISS, false), NULL, 0);
    trace_expect(t, TCP_ACK);
    trace_send(t, syn_at(PEER_ISS + 777, false), NULL, 0);
    trace_expect(t, TCP_ACK); /* RFC 5961 4: a challenge */
    assert_true(info_of(t).multipath);
    assert_int_equal(info_of(t).subflows, 1);
    trace_free(t);
}

static void the_third_ack_may_come_twice(void **state)
{
    struct trace *t = serving(false);
    (void)state;
    trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = ack_of(t, PEER_ISS);
    for (unsigned i = 0; i < 3; i++)
        trace_send(t, ack, NULL, 0);
    t->conn = plait_accept(t->listener);
    assert_true(info_of(t).multipath);
    assert_int_equal(plait_stack_counters(t->stack)->MPCapableACKRX, 1);
    trace_free(t);
}

/* Its DSS shows that options pass, and the keys never come. TCP is established,
 * the connection is not; it does not wait for ever (nor does one of which the
 * application knows already, test_fastopen.c). */
static void keys_that_never_come_are_not_waited_for(void **state)
{
    struct trace *t = serving(false);
    struct plait_memory m;
    (void)state;
    trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = ack_of(t, PEER_ISS);
    ack.mptcp.present = MPO_DSS;
    ack.mptcp.dss = (struct mptcp_dss){.has_ack = true};
    trace_send(t, ack, NULL, 0);
    trace_silent(t);
    trace_wait(t, MS(63900));
    assert_null(plait_accept(t->listener));
    plait_stack_memory(t->stack, &m);
    assert_int_equal(m.conns, 1);
    trace_timer(t);
    trace_expect(t, TCP_RST | TCP_ACK);
    assert_int_equal(t->now, MS(65000));
    plait_stack_memory(t->stack, &m);
    assert_int_equal(m.conns, 0);
    trace_free(t);
}

/* A third ACK of another version, or without the algorithm agreed on, is none
 * (RFC 8684 3.1). */
static void the_third_ack_must_be_of_the_same_kind(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct trace *t = serving(false);
        trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        struct segment ack = ack_of(t, PEER_ISS);
        if (i == 1)
            ack.mptcp.capable.version = 0;
        if (i == 2)
            ack.mptcp.capable.flags = 0;
        trace_send(t, ack, NULL, 0);
        t->conn = plait_accept(t->listener);
        assert_int_equal(info_of(t).multipath, i == 0);
        assert_int_equal(info_of(t).fallback_why, i ? PLAIT_WHY_PEER_VERSION : PLAIT_WHY_NONE);
        trace_free(t);
    }
}

/* ---- MP_CAPABLE with data -------------------------------------------------------------- */

/* TCP segmentation offload copies the option to every piece (RFC 8684 3.1). */
static void capable_with_data_may_be_split(void **state)
{
    (void)state;
    for (unsigned checksum = 0; checksum < 2; checksum++) {
        struct trace *t = serving(checksum);
        char buf[16];
        trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        struct segment s = ack_of(t, PEER_ISS);
        uint64_t idsn = key_derive(1, TRACE_PEER_KEY).idsn;
        s.mptcp.present = MPO_CAPABLE_DATA;
        s.mptcp.capable.data_len = 10;
        s.mptcp.capable.has_checksum = checksum;
        s.mptcp.capable.checksum = csum_dss(idsn + 1, 1, 10, csum_partial("helloworld", 10));
        trace_send(t, s, "hello", 5);
        s.seq += 5;
        trace_send(t, s, "world", 5);
        t->conn = plait_accept(t->listener);
        assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 10);
        assert_memory_equal(buf, "helloworld", 10);
        assert_int_equal(plait_stack_counters(t->stack)->DataCsumErr, 0);
        trace_free(t);
    }
}

/* Sent again, coalesced with what came after: the rest waits for its own
 * mapping, which a repeated segment brings. */
static void capable_with_data_may_come_with_more(void **state)
{
    struct trace *t = serving(false);
    char buf[16];
    (void)state;
    trace_send(t, syn_at(PEER_ISS, true), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment s = ack_of(t, PEER_ISS);
    s.mptcp.present = MPO_CAPABLE_DATA;
    s.mptcp.capable.data_len = 5;
    trace_send(t, s, "helloworld", 10);
    t->conn = plait_accept(t->listener);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    trace_send(t, s, "hello", 5); /* and again */
    struct segment rest = s;
    rest.seq += 5;
    rest.mptcp.present = MPO_DSS;
    rest.mptcp.dss = (struct mptcp_dss){.has_map = true,
                                        .dsn = (uint32_t)(key_derive(1, TRACE_PEER_KEY).idsn + 6),
                                        .ssn = 6,
                                        .data_len = 5};
    trace_send(t, rest, "world", 5);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "world", 5);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), PLAIT_E_AGAIN);
    trace_free(t);
}

/* ---- client ---------------------------------------------------------------------------- */

static void client_connects(struct trace *t)
{
    assert_int_equal(plait_connect(t->stack, &TRACE_US, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
}

static struct segment synack_of(uint32_t iss)
{
    return (struct segment){
        .flags = TCP_SYN | TCP_ACK,
        .seq = PEER_ISS,
        .ack = iss + 1,
        .window = 65535,
        .tcp = {.present = OPT_MSS, .mss = 1460},
        .mptcp = {.present = MPO_CAPABLE_KEY,
                  .capable = {.version = 1, .flags = MPC_HMAC, .sender_key = TRACE_PEER_KEY}}};
}

/* The third ACK is in t->seg; returns the client's initial sequence number. */
static uint32_t client_connected(struct trace *t)
{
    client_connects(t);
    uint32_t iss = t->seg.seq;
    trace_send(t, synack_of(iss), NULL, 0);
    trace_expect(t, TCP_ACK);
    return iss;
}

static struct segment from_server(uint32_t iss, uint32_t acked)
{
    return (struct segment){.flags = TCP_ACK,
                            .seq = PEER_ISS + 1,
                            .ack = iss + 1 + acked,
                            .window = 65535};
}

/* The plain SYN was sent already when the answer to the first one comes. */
static void a_late_synack_with_the_option_still_counts(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connects(t);
    uint32_t iss = t->seg.seq;
    for (unsigned i = 0; i < 2; i++) {
        trace_timer(t);
        trace_expect(t, TCP_SYN);
    }
    assert_int_equal(t->seg.mptcp.present, 0);
    trace_send(t, synack_of(iss), NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    assert_true(info_of(t).multipath);
    trace_free(t);
}

/* The third ACK got lost and the server speaks first, or would if it could:
 * it repeats the SYN/ACK, and gets the keys again each time. */
static void a_repeated_synack_gets_the_keys_again(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connects(t);
    uint32_t iss = t->seg.seq;
    trace_send(t, synack_of(iss), NULL, 0);
    for (unsigned i = 0; i < 3; i++) {
        trace_expect(t, TCP_ACK);
        assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
        assert_int_equal(t->seg.mptcp.capable.receiver_key, TRACE_PEER_KEY);
        t->now += MS(1000);
        trace_send(t, synack_of(iss), NULL, 0);
    }
    trace_free(t);
}

/* Keys and data again until they are DATA_ACKed; a DSS that acknowledges
 * nothing is taken in the meantime, and proves nothing. */
static void keys_and_data_are_repeated_until_acknowledged(void **state)
{
    struct trace *t = trace_default();
    char buf[8];
    (void)state;
    uint32_t iss = client_connected(t);
    uint64_t key = t->seg.mptcp.capable.sender_key, idsn = key_derive(1, key).idsn;
    assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_DATA);
    struct segment early = from_server(iss, 0);
    early.mptcp.present = MPO_DSS;
    early.mptcp.dss = (struct mptcp_dss){.has_map = true,
                                         .dsn = (uint32_t)(key_derive(1, TRACE_PEER_KEY).idsn + 1),
                                         .ssn = 1,
                                         .data_len = 5};
    trace_send(t, early, "world", 5);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "world", 5);
    bool again = false;
    while (!again) {
        while (trace_next(t)) {
            assert_int_equal(t->seg.mptcp.present & MPO_DSS, 0);
            again = again || t->seg.payload_len == 5;
        }
        if (!again)
            trace_timer(t);
    }
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_DATA);
    struct segment ack = from_server(iss, 5);
    ack.seq += 5;
    ack.mptcp.present = MPO_DSS;
    ack.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = (uint32_t)(idsn + 6)};
    trace_send(t, ack, NULL, 0);
    assert_int_equal(info_of(t).bytes_acked, 5);
    assert_int_equal(plait_conn_write(t->conn, "again", 5, t->now), 5);
    while (trace_next(t) && !t->seg.payload_len)
        ;
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    trace_free(t);
}

/* The third ACK lost its option, so the server is plain TCP, and it has nothing
 * to say: its FIN is all that tells (RFC 8684 3.7). */
static void a_fin_without_dss_tells_of_plain_tcp(void **state)
{
    struct trace *t = trace_default();
    char buf[8];
    (void)state;
    uint32_t iss = client_connected(t);
    struct segment fin = from_server(iss, 0);
    fin.flags |= TCP_FIN;
    trace_send(t, fin, NULL, 0);
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_FIRST_DATA_PLAIN);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 2);
    plait_conn_close(t->conn, t->now);
    trace_expect(t, TCP_FIN | TCP_ACK);
    trace_free(t);
}

/* A keepalive probe before anything was confirmed brings the keys too: the
 * server may never have got them. */
static void a_probe_brings_the_keys(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.keepalive_idle_us = 1000000;
    struct trace *t = trace_new(&config);
    (void)state;
    uint32_t iss = client_connected(t);
    trace_timer(t);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    trace_free(t);
}

/* ---- both at once ------------------------------------------------------------------------- */

struct end {
    struct plait_stack *stack;
    struct plait_endpoint at;
    struct plait_conn *conn;
    uint64_t allocated;
};

static void end_open(struct end *e, const struct plait_endpoint *at, uint8_t secret)
{
    struct plait_config config;
    struct plait_local local = {.addr = at->addr, .mtu = 1500};
    plait_config_default(&config);
    memset(config.secret, secret, sizeof config.secret);
    config.allocator = (struct plait_allocator){&e->allocated, trace_alloc, trace_release};
    e->at = *at;
    assert_int_equal(plait_stack_new(&config, MS(1000), &e->stack), 0);
    assert_int_equal(plait_stack_add_addr(e->stack, &local, MS(1000)), 0);
}

/* Everything that `from` has to say now, kept back until all of it is said. */
static unsigned say(struct end *from, struct plait_packet_rx *out, uint8_t (*bytes)[2000],
                    unsigned max)
{
    struct plait_packet_tx tx;
    unsigned n = 0;
    while (n < max && plait_stack_tx(from->stack, MS(1000), &tx)) {
        out[n] = (struct plait_packet_rx){.data = bytes[n]};
        out[n].len = (uint32_t)offload_write(&tx, 0, bytes[n], sizeof bytes[n]);
        n++;
    }
    return n;
}

/* Both say what they have, then both hear it, until nobody has anything. */
static void converse(struct end *a, struct end *b)
{
    static uint8_t bytes[2][32][2000];
    struct plait_packet_rx from_a[32], from_b[32];
    for (;;) {
        unsigned na = say(a, from_a, bytes[0], 32), nb = say(b, from_b, bytes[1], 32);
        if (na + nb == 0)
            return;
        for (unsigned i = 0; i < na; i++)
            plait_stack_rx(b->stack, &from_a[i], MS(1000));
        for (unsigned i = 0; i < nb; i++)
            plait_stack_rx(a->stack, &from_b[i], MS(1000));
        plait_stack_check(a->stack);
        plait_stack_check(b->stack);
    }
}

/* RFC 9293 figure 7. MPTCP has no answer to it; plain TCP works at both ends. */
static void both_ends_open_at_once(void **state)
{
    struct end a = {0}, b = {0};
    struct plait_conn_info info;
    char buf[8];
    (void)state;
    end_open(&a, &TRACE_US, 1);
    end_open(&b, &TRACE_PEER, 2);
    assert_int_equal(plait_connect(a.stack, &a.at, &b.at, NULL, MS(1000), &a.conn), 0);
    assert_int_equal(plait_connect(b.stack, &b.at, &a.at, NULL, MS(1000), &b.conn), 0);
    converse(&a, &b);
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = i ? &a : &b, *other = i ? &b : &a;
        plait_conn_info(e->conn, &info);
        assert_true(info.established);
        assert_false(info.multipath);
        assert_int_equal(info.fallback_why, PLAIT_WHY_SIMULTANEOUS_OPEN);
        assert_int_equal(plait_stack_counters(e->stack)->SimultConnectFallback, 1);
        assert_int_equal(plait_conn_write(e->conn, "hello", 5, MS(1000)), 5);
        converse(&a, &b);
        assert_int_equal(plait_conn_read(other->conn, buf, sizeof buf, MS(1000)), 5);
        assert_memory_equal(buf, "hello", 5);
    }
    plait_stack_free(a.stack);
    plait_stack_free(b.stack);
    assert_int_equal(a.allocated + b.allocated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_synack_answers_the_last_syn),
        cmocka_unit_test(an_old_syn_is_cleared_up),
        cmocka_unit_test(an_old_timestamp_does_not_hide_a_new_syn),
        cmocka_unit_test(a_syn_after_the_handshake_gets_an_ack),
        cmocka_unit_test(the_third_ack_may_come_twice),
        cmocka_unit_test(keys_that_never_come_are_not_waited_for),
        cmocka_unit_test(the_third_ack_must_be_of_the_same_kind),
        cmocka_unit_test(capable_with_data_may_be_split),
        cmocka_unit_test(capable_with_data_may_come_with_more),
        cmocka_unit_test(a_late_synack_with_the_option_still_counts),
        cmocka_unit_test(a_repeated_synack_gets_the_keys_again),
        cmocka_unit_test(keys_and_data_are_repeated_until_acknowledged),
        cmocka_unit_test(a_fin_without_dss_tells_of_plain_tcp),
        cmocka_unit_test(a_probe_brings_the_keys),
        cmocka_unit_test(both_ends_open_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
