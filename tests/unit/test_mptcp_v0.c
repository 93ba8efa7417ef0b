/* SPDX-License-Identifier: MIT
 *
 * Version 0 (RFC 6824) as traces, both ends: which version is answered, the
 * handshake with keys on the SYN, joins with HMAC-SHA1, and what version 0
 * says in other words than version 1 or not at all.
 */
#include "mptcp_trace.h"

enum { PEER_ISS = 1000 };

static struct plait_config config_version(enum plait_version version)
{
    struct plait_config config;
    plait_config_default(&config);
    config.version = version;
    return config;
}

static struct plait_conn_info info_of(const struct trace *t)
{
    struct plait_conn_info info;
    plait_conn_info(t->conn, &info);
    return info;
}

/* ---- which version is answered --------------------------------------------------- */

struct offer {
    enum plait_version stack, listener;
    uint32_t form;
    uint8_t version, flags;
    int answer; /* -1: plain TCP */
};

static void check_offer(const struct offer *o)
{
    struct plait_config config = config_version(o->stack);
    struct plait_options options = {.version = o->listener};
    struct trace *t = trace_new(&config);
    assert_int_equal(plait_listen(t->stack, &TRACE_US, &options, &t->listener), 0);
    trace_send(t,
               (struct segment){.flags = TCP_SYN,
                                .seq = PEER_ISS,
                                .window = 65535,
                                .mptcp = {.present = o->form,
                                          .capable = {.version = o->version,
                                                      .flags = o->flags,
                                                      .sender_key = TRACE_PEER_KEY}}},
               NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, o->answer < 0 ? 0 : MPO_CAPABLE_KEY);
    if (o->answer >= 0) {
        assert_int_equal(t->seg.mptcp.capable.version, o->answer);
        assert_int_equal(t->seg.mptcp.capable.flags, MPC_HMAC);
    } else {
        trace_send(t,
                   (struct segment){.flags = TCP_ACK,
                                    .seq = PEER_ISS + 1,
                                    .ack = t->seg.seq + 1,
                                    .window = 65535},
                   NULL, 0);
        t->conn = plait_accept(t->listener);
        assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_PEER_VERSION);
    }
    trace_free(t);
}

static void each_client_is_answered_in_its_version(void **state)
{
    enum { H = MPC_HMAC, V0 = MPO_CAPABLE_KEY, V1 = MPO_CAPABLE_SYN, KEYS = MPO_CAPABLE_KEYS };
    static const struct offer offers[] = {
        {PLAIT_VERSION_AUTO, 0, V0, 0, H, 0},
        {PLAIT_VERSION_AUTO, 0, V1, 1, H, 1},
        {PLAIT_VERSION_DEFAULT, 0, V0, 0, H, 0},
        {PLAIT_VERSION_AUTO, 0, V1, 2, H, 1},                 /* a later version: ours */
        {PLAIT_VERSION_AUTO, 0, V0, 0, H | MPC_NO_JOIN, 0},   /* C beside H is not an algorithm */
        {PLAIT_VERSION_AUTO, 0, V0, 1, H, -1},                /* version and length disagree */
        {PLAIT_VERSION_AUTO, 0, V1, 0, H, -1},                /* the same */
        {PLAIT_VERSION_AUTO, 0, KEYS, 0, H, -1},              /* not a SYN's form */
        {PLAIT_VERSION_AUTO, 0, V0, 0, H | MPC_EXTENDED, -1}, /* B: another form */
        {PLAIT_VERSION_AUTO, 0, V1, 1, H | MPC_EXTENDED, -1},
        {PLAIT_VERSION_AUTO, 0, V0, 0, 0x02, -1}, /* G: an algorithm nobody defined */
        {PLAIT_VERSION_AUTO, 0, V0, 0, MPC_NO_JOIN, -1},
        {PLAIT_VERSION_1, 0, V0, 0, H, -1},
        {PLAIT_VERSION_0, 0, V1, 1, H, -1},
        {PLAIT_VERSION_1, PLAIT_VERSION_0, V0, 0, H, 0}, /* a listener of its own mind */
        {PLAIT_VERSION_1, PLAIT_VERSION_AUTO, V0, 0, H, 0},
        {PLAIT_VERSION_0, PLAIT_VERSION_1, V0, 0, H, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++)
        check_offer(&offers[i]);
}

/* ---- the server -------------------------------------------------------------------- */

/* A server up to its SYN/ACK. */
static uint64_t server_synack(struct trace *t)
{
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    trace_send(t,
               (struct segment){.flags = TCP_SYN,
                                .seq = PEER_ISS,
                                .window = 65535,
                                .mptcp = {.present = MPO_CAPABLE_KEY,
                                          .capable = {.version = 0,
                                                      .flags = MPC_HMAC,
                                                      .sender_key = TRACE_PEER_KEY}}},
               NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    return t->seg.mptcp.capable.sender_key;
}

/* The segment after the SYN/ACK, in whatever dress. */
static void server_third(struct trace *t, struct mptcp_options mptcp, const char *payload)
{
    trace_send(t,
               (struct segment){.flags = TCP_ACK,
                                .seq = PEER_ISS + 1,
                                .ack = t->seg.seq + 1,
                                .window = 65535,
                                .mptcp = mptcp},
               payload, payload ? (uint32_t)strlen(payload) : 0);
    t->conn = plait_accept(t->listener);
    assert_non_null(t->conn);
}

static struct mptcp_options third_keys(uint64_t sender, uint64_t receiver)
{
    return (struct mptcp_options){.present = MPO_CAPABLE_KEYS,
                                  .capable = {.version = 0,
                                              .flags = MPC_HMAC,
                                              .sender_key = sender,
                                              .receiver_key = receiver}};
}

static void server_takes_both_keys(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    uint64_t key = server_synack(t);
    server_third(t, third_keys(TRACE_PEER_KEY, key), NULL);
    assert_true(info_of(t).multipath);
    assert_int_equal(info_of(t).version, 0);
    assert_int_equal(info_of(t).token, key_derive(0, key).token);
    assert_int_equal(info_of(t).peer_token, key_derive(0, TRACE_PEER_KEY).token);
    trace_free(t);
}

/* The client's key came with its SYN: data with a DSS shows all the third ACK
 * would have shown. */
static void server_misses_no_third_ack(void **state)
{
    struct trace *t = trace_default();
    uint64_t idsn = key_derive(0, TRACE_PEER_KEY).idsn;
    char buf[8];
    (void)state;
    server_synack(t);
    server_third(
        t,
        (struct mptcp_options){.present = MPO_DSS,
                               .dss = {.has_map = true, .dsn = idsn + 1, .ssn = 1, .data_len = 5}},
        "hello");
    assert_true(info_of(t).multipath);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "hello", 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_int_equal(t->seg.mptcp.dss.data_ack, (uint32_t)(idsn + 6));
    trace_free(t);
}

static void server_falls_back_without_both_keys(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 3; wrong++) { /* no option, each key wrong */
        struct trace *t = trace_default();
        uint64_t key = server_synack(t);
        struct mptcp_options o = third_keys(TRACE_PEER_KEY ^ (wrong == 1), key ^ (wrong == 2));
        o.present = wrong ? o.present : 0;
        server_third(t, o, NULL);
        assert_false(info_of(t).multipath);
        assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_THIRD_ACK_PLAIN);
        trace_free(t);
    }
}

/* Both keys and a mapping do not fit in one segment, so data beside the keys
 * lost its mapping on the way (RFC 6824 3.6). */
static void server_falls_back_on_data_beside_the_keys(void **state)
{
    struct trace *t = trace_default();
    char buf[8];
    (void)state;
    uint64_t key = server_synack(t);
    server_third(t, third_keys(TRACE_PEER_KEY, key), "hello");
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_FIRST_DATA_PLAIN);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "hello", 5);
    trace_free(t);
}

/* ---- the client ---------------------------------------------------------------------- */

static void client_connect(struct trace *t, enum plait_version version)
{
    struct plait_options options = {.version = version};
    assert_int_equal(plait_connect(t->stack, NULL, &TRACE_PEER, &options, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
}

static void client_answer(struct trace *t, uint8_t version, uint8_t flags)
{
    trace_send(t,
               (struct segment){.dst = t->seg.src,
                                .flags = TCP_SYN | TCP_ACK,
                                .seq = PEER_ISS,
                                .ack = t->seg.seq + 1,
                                .window = 65535,
                                .mptcp = {.present = MPO_CAPABLE_KEY,
                                          .capable = {.version = version,
                                                      .flags = flags,
                                                      .sender_key = TRACE_PEER_KEY}}},
               NULL, 0);
}

static void client_answered(struct trace *t, uint8_t version, uint8_t flags)
{
    client_answer(t, version, flags);
    trace_expect(t, TCP_ACK);
}

static void client_puts_its_key_on_the_syn(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connect(t, PLAIT_VERSION_0);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEY);
    assert_int_equal(t->seg.mptcp.capable.version, 0);
    uint64_t key = t->seg.mptcp.capable.sender_key, idsn = key_derive(0, key).idsn;
    assert_int_equal(info_of(t).token, key_derive(0, key).token);
    client_answered(t, 0, MPC_HMAC);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    assert_int_equal(t->seg.mptcp.capable.version, 0);
    assert_int_equal(t->seg.mptcp.capable.sender_key, key);
    assert_int_equal(t->seg.mptcp.capable.receiver_key, TRACE_PEER_KEY);
    assert_int_equal(t->seg.payload_len, 0);
    assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), 5);
    trace_expect(t, TCP_ACK); /* no MP_CAPABLE with data */
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_int_equal(t->seg.mptcp.dss.dsn, (uint32_t)(idsn + 1));
    assert_int_equal(t->seg.mptcp.dss.ssn, 1);
    assert_int_equal(t->seg.mptcp.dss.data_len, 5);
    assert_int_equal(t->seg.mptcp.dss.data_ack, (uint32_t)(key_derive(0, TRACE_PEER_KEY).idsn + 1));
    assert_true(info_of(t).multipath);
    trace_free(t);
}

/* What is written as soon as it may be does not overtake the keys. */
static void client_sends_keys_before_data(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connect(t, PLAIT_VERSION_0);
    client_answer(t, 0, MPC_HMAC);
    assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    assert_int_equal(t->seg.payload_len, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_int_equal(t->seg.payload_len, 5);
    trace_free(t);
}

static void client_takes_no_other_version_for_an_answer(void **state)
{
    (void)state;
    for (uint8_t offered = 0; offered < 2; offered++) {
        struct trace *t = trace_default();
        client_connect(t, offered ? PLAIT_VERSION_AUTO : PLAIT_VERSION_0);
        client_answered(t, !offered, MPC_HMAC);
        assert_int_equal(t->seg.mptcp.present, 0);
        assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_PEER_VERSION);
        trace_free(t);
    }
}

/* The server fell back first and ended the stream with a FIN, before anything
 * had shown this end that it did: the FIN does (RFC 8684 3.7). */
static void client_takes_an_early_fin_for_the_end(void **state)
{
    (void)state;
    for (uint8_t version = 0; version < 2; version++) {
        struct trace *t = trace_default();
        char buf[8];
        client_connect(t, version ? PLAIT_VERSION_1 : PLAIT_VERSION_0);
        client_answered(t, version, MPC_HMAC);
        uint32_t next = t->seg.seq;
        struct segment s = {.dst = t->seg.src,
                            .flags = TCP_FIN | TCP_ACK,
                            .seq = PEER_ISS + 1,
                            .ack = next,
                            .window = 65535};
        trace_send(t, s, NULL, 0);
        assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_FIRST_DATA_PLAIN);
        assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 0);
        assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), 5);
        bool sent = false;
        while (trace_next(t))
            sent = sent || t->seg.payload_len == 5;
        assert_true(sent);
        s.flags = TCP_ACK;
        s.seq++;
        s.ack = next + 5;
        trace_send(t, s, NULL, 0);
        assert_int_equal(info_of(t).bytes_acked, 5);
        trace_free(t);
    }
}

/* With a second address of ours there is a join, unless the server's C bit
 * asks for none. */
static void client_honours_the_c_bit(void **state)
{
    const struct plait_local second = {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .mtu = 1500};
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        struct trace *t = trace_default();
        assert_int_equal(plait_stack_add_addr(t->stack, &second, t->now), 0);
        client_connect(t, PLAIT_VERSION_0);
        uint64_t idsn = key_derive(0, t->seg.mptcp.capable.sender_key).idsn;
        client_answered(t, 0, (uint8_t)(MPC_HMAC | (asked ? MPC_NO_JOIN : 0)));
        trace_send(t,
                   (struct segment){.dst = t->seg.src,
                                    .flags = TCP_ACK,
                                    .seq = PEER_ISS + 1,
                                    .ack = t->seg.seq,
                                    .window = 65535,
                                    .mptcp = {.present = MPO_DSS,
                                              .dss = {.has_ack = true,
                                                      .data_ack = (uint32_t)(idsn + 1)}}},
                   NULL, 0);
        trace_wait(t, MS(10));
        if (asked) {
            trace_silent(t);
        } else {
            trace_expect(t, TCP_SYN);
            assert_int_equal(t->seg.mptcp.present, MPO_JOIN_SYN);
            assert_int_equal(t->seg.mptcp.join.token, key_derive(0, TRACE_PEER_KEY).token);
        }
        trace_free(t);
    }
}

/* ---- behind the handshake -------------------------------------------------------------- */

static struct peer *peer_v0(bool checksum)
{
    struct plait_config config = config_version(PLAIT_VERSION_AUTO);
    return peer_new_version(&config, 0, checksum);
}

static void joins_are_authenticated_with_sha1(void **state)
{
    struct peer *p = peer_v0(false);
    (void)state;
    peer_join(p, 1);
    assert_int_equal(peer_info(p).subflows, 2);
    peer_data(p, 1, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* Version 0 has no MP_TCPRST: a bare RST. */
static void a_refused_join_is_told_no_reason(void **state)
{
    struct peer *p = peer_v0(false);
    (void)state;
    peer_join_syn(p, 1);
    peer_expect(p, TCP_SYN | TCP_ACK);
    struct segment ack = peer_segment(p, 1, 0);
    ack.mptcp.present = MPO_JOIN_ACK; /* with an HMAC of zeroes */
    trace_send(p->t, ack, NULL, 0);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->flows[1].reset_options, 0);
    assert_int_equal(peer_counters(p)->MPJoinAckHMacFailure, 1);
    peer_free(p);

    struct plait_config config = config_version(PLAIT_VERSION_AUTO); /* on the SYN already */
    config.joins_accepted = false;
    p = peer_new_version(&config, 0, false);
    peer_join_syn(p, 1);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->flows[1].reset_options, 0);
    peer_free(p);
}

/* RFC 6824 3.3: a checksum nobody asked for is passed over. */
static void a_checksum_that_was_not_agreed_is_ignored(void **state)
{
    struct peer *p = peer_v0(false);
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    s.mptcp.dss.has_checksum = true;
    s.mptcp.dss.checksum = 0xbad;
    peer_send(p, s, 0, 100);
    peer_expect_stream(p, 0, 100);
    assert_true(peer_info(p).multipath);
    peer_free(p);
}

static void a_missing_checksum_ends_the_subflow(void **state)
{
    struct peer *p = peer_v0(true);
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_settle(p);
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    peer_map(p, &s, 100, 0, 100);
    s.mptcp.dss.has_checksum = false;
    peer_send(p, s, 100, 100);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->flows[1].reset_options, 0);
    assert_false(p->flows[0].reset);
    peer_free(p);
}

static void an_address_needs_no_hmac_and_gets_no_echo(void **state)
{
    struct peer *p = peer_v0(false);
    struct segment s = peer_segment(p, 0, 0);
    (void)state;
    peer_settle(p);
    s.mptcp.add_addr[0] =
        (struct mptcp_add_addr){.addr = {PLAIT_IPV4, {10, 0, 9, 2}}, .addr_id = 5};
    s.mptcp.present = MPO_ADD_ADDR;
    s.mptcp.add_addr_count = 1;
    trace_send(p->t, s, NULL, 0);
    trace_send(p->t, s, NULL, 0); /* on all subflows, one a round trip: repeats are usual */
    assert_int_equal(peer_wait(p, MS(5000)), 0);
    assert_int_equal(peer_counters(p)->AddAddr, 1);
    assert_int_equal(p->event[PLAIT_EV_ADDR_RECEIVED].arg[0], 5);
    s.mptcp.add_addr[0].addr_id = 6;
    s.mptcp.add_addr[0].has_hmac = true; /* version 1's form */
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_counters(p)->AddAddrDrop, 1);
    peer_free(p);
}

/* RFC 6824 3.3.8: MP_PRIO may name an address. Version 1 took that out. */
static void a_priority_may_be_an_address_s(void **state)
{
    (void)state;
    for (uint8_t version = 0; version < 2; version++) {
        struct plait_config config = config_version(PLAIT_VERSION_AUTO);
        struct peer *p = peer_new_version(&config, version, false);
        struct plait_subflow_info flows[2];
        peer_settle(p);
        peer_join(p, 1); /* address ID 1 */
        struct segment s = peer_segment(p, 0, 0);
        s.mptcp.present = MPO_PRIO;
        s.mptcp.prio.backup = s.mptcp.prio.has_addr_id = true;
        s.mptcp.prio.addr_id = 1;
        trace_send(p->t, s, NULL, 0);
        assert_int_equal(plait_conn_subflows(p->t->conn, flows, 2), 2);
        assert_false(flows[0].backup);
        assert_int_equal(flows[1].backup, version == 0);
        assert_int_equal(peer_counters(p)->MPPrioRx, version == 0);
        peer_free(p);
    }
}

/* RFC 6824 3.4.1 recommends all subflows: they have their turns, so that order
 * is kept too. Nothing answers, and nothing is missed. */
static void our_address_is_told_on_each_subflow(void **state)
{
    static const struct plait_local second = {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .mtu = 1500};
    struct peer *p = peer_v0(false);
    unsigned told[3] = {0};
    (void)state;
    for (unsigned flow = 1; flow < 3; flow++)
        peer_join(p, flow);
    peer_settle(p);
    assert_int_equal(plait_stack_add_addr(p->t->stack, &second, p->t->now), 0);
    for (uint64_t end = p->t->now + MS(200000); p->t->now < end; p->t->now += MS(100)) {
        plait_stack_tick(p->t->stack, p->t->now);
        while (peer_next(p)) {
            const struct segment *s = &p->t->seg;
            if (!(s->mptcp.present & MPO_ADD_ADDR))
                continue;
            assert_false(s->mptcp.add_addr[0].has_hmac || s->mptcp.add_addr[0].echo);
            told[flow_by_port(p, s->dst.port) - p->flows]++;
        }
    }
    for (unsigned flow = 0; flow < 3; flow++)
        assert_int_equal(told[flow], 2);
    assert_int_equal(peer_counters(p)->AddAddrTx, 6);
    assert_int_equal(peer_counters(p)->AddAddrTxDrop, 0);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_is_answered_in_its_version),
        cmocka_unit_test(server_takes_both_keys),
        cmocka_unit_test(server_misses_no_third_ack),
        cmocka_unit_test(server_falls_back_without_both_keys),
        cmocka_unit_test(server_falls_back_on_data_beside_the_keys),
        cmocka_unit_test(client_puts_its_key_on_the_syn),
        cmocka_unit_test(client_sends_keys_before_data),
        cmocka_unit_test(client_takes_no_other_version_for_an_answer),
        cmocka_unit_test(client_takes_an_early_fin_for_the_end),
        cmocka_unit_test(client_honours_the_c_bit),
        cmocka_unit_test(joins_are_authenticated_with_sha1),
        cmocka_unit_test(a_refused_join_is_told_no_reason),
        cmocka_unit_test(a_checksum_that_was_not_agreed_is_ignored),
        cmocka_unit_test(a_missing_checksum_ends_the_subflow),
        cmocka_unit_test(a_priority_may_be_an_address_s),
        cmocka_unit_test(an_address_needs_no_hmac_and_gets_no_echo),
        cmocka_unit_test(our_address_is_told_on_each_subflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
