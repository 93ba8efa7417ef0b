/* SPDX-License-Identifier: MIT
 *
 * MP_CAPABLE and MP_JOIN as traces (RFC 8684 3.1, 3.2): both ends, what goes
 * wrong, and what the connection becomes.
 */
#include "engine_trace.h"

#define CAPABLE(bit, ...)                                                                          \
    {                                                                                              \
        .present = (bit), .capable = {.version = 1, .flags = MPC_HMAC, __VA_ARGS__ }               \
    }

static const uint32_t PEER_ISS = 1000;

static struct plait_conn_info info_of(const struct trace *t)
{
    struct plait_conn_info info;
    plait_conn_info(t->conn, &info);
    return info;
}

static uint64_t client_connect(struct trace *t)
{
    assert_int_equal(plait_connect(t->stack, &TRACE_US, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    return 0;
}

/* A client through its handshake; returns our key as the third ACK showed it. */
static uint64_t client_established(struct trace *t, uint32_t *our_iss)
{
    client_connect(t);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    *our_iss = t->seg.seq;
    trace_send(t,
               (struct segment){.flags = TCP_SYN | TCP_ACK,
                                .seq = PEER_ISS,
                                .ack = *our_iss + 1,
                                .window = 65535,
                                .tcp = {.present = OPT_MSS, .mss = 1460},
                                .mptcp = CAPABLE(MPO_CAPABLE_KEY, .sender_key = TRACE_PEER_KEY)},
               NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    assert_int_equal(t->seg.mptcp.capable.receiver_key, TRACE_PEER_KEY);
    return t->seg.mptcp.capable.sender_key;
}

static void client_offers_version_1(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connect(t);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    assert_int_equal(t->seg.mptcp.capable.version, 1);
    assert_int_equal(t->seg.mptcp.capable.flags, MPC_HMAC);
    trace_silent(t);
    trace_free(t);
}

static void client_sends_keys_with_first_data(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    (void)state;
    uint64_t key = client_established(t, &iss);
    assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_DATA);
    assert_int_equal(t->seg.mptcp.capable.sender_key, key);
    assert_int_equal(t->seg.mptcp.capable.data_len, 5);
    assert_int_equal(t->seg.payload_len, 5);
    /* A DATA_ACK confirms: from here on a DSS. */
    uint64_t idsn = key_derive(1, key).idsn;
    trace_send(t,
               (struct segment){.flags = TCP_ACK,
                                .seq = PEER_ISS + 1,
                                .ack = iss + 6,
                                .window = 65535,
                                .mptcp = {.present = MPO_DSS,
                                          .dss = {.has_ack = true,
                                                  .data_ack = (uint32_t)(idsn + 6)}}},
               NULL, 0);
    assert_int_equal(info_of(t).bytes_acked, 5);
    assert_int_equal(plait_conn_write(t->conn, "more", 4, t->now), 4);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_int_equal(t->seg.mptcp.dss.ssn, 6);
    assert_int_equal(t->seg.mptcp.dss.dsn, (uint32_t)(idsn + 6));
    assert_int_equal(t->seg.mptcp.dss.data_len, 4);
    assert_true(info_of(t).multipath);
    trace_free(t);
}

static void client_falls_back_without_option(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connect(t);
    trace_send(t,
               (struct segment){.flags = TCP_SYN | TCP_ACK,
                                .seq = PEER_ISS,
                                .ack = t->seg.seq + 1,
                                .window = 65535},
               NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, 0);
    assert_false(info_of(t).multipath);
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_PEER_NO_MPTCP);
    assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, 0);
    assert_memory_equal(t->seg.payload, "hello", 5);
    trace_free(t);
}

static void client_falls_back_when_data_is_acked_without_dss(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    (void)state;
    client_established(t, &iss);
    plait_conn_write(t->conn, "hello", 5, t->now);
    trace_expect(t, TCP_ACK);
    trace_send(
        t, (struct segment){.flags = TCP_ACK, .seq = PEER_ISS + 1, .ack = iss + 6, .window = 65535},
        NULL, 0);
    assert_false(info_of(t).multipath);
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_FIRST_ACK_PLAIN);
    assert_int_equal(info_of(t).bytes_acked, 5);
    trace_free(t);
}

static void client_drops_the_option_when_syns_are_lost(void **state)
{
    struct trace *t = trace_default();
    (void)state;
    client_connect(t);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    trace_timer(t);
    trace_expect(t, TCP_SYN);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    trace_timer(t);
    trace_expect(t, TCP_SYN);
    assert_int_equal(t->seg.mptcp.present, 0);
    trace_free(t);
}

/* A server up to its SYN/ACK; returns its key. */
static uint64_t server_synack(struct trace *t, uint32_t *iss)
{
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    trace_send(t,
               (struct segment){.flags = TCP_SYN,
                                .seq = PEER_ISS,
                                .window = 65535,
                                .tcp = {.present = OPT_MSS, .mss = 1460},
                                .mptcp = CAPABLE(MPO_CAPABLE_SYN, )},
               NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEY);
    assert_null(plait_accept(t->listener));
    *iss = t->seg.seq;
    return t->seg.mptcp.capable.sender_key;
}

static uint64_t server_established(struct trace *t, uint32_t *iss)
{
    uint64_t key = server_synack(t, iss);
    trace_send(t,
               (struct segment){.flags = TCP_ACK,
                                .seq = PEER_ISS + 1,
                                .ack = *iss + 1,
                                .window = 65535,
                                .mptcp = CAPABLE(MPO_CAPABLE_KEYS, .sender_key = TRACE_PEER_KEY,
                                                 .receiver_key = key)},
               NULL, 0);
    t->conn = plait_accept(t->listener);
    assert_non_null(t->conn);
    return key;
}

static void server_answers_with_its_key(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    (void)state;
    server_established(t, &iss);
    assert_true(info_of(t).multipath);
    assert_int_equal(info_of(t).peer_token, key_derive(1, TRACE_PEER_KEY).token);
    trace_free(t);
}

static void server_learns_keys_from_first_data(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    char buf[8];
    (void)state;
    uint64_t key = server_synack(t, &iss); /* the third ACK was lost */
    trace_send(t,
               (struct segment){.flags = TCP_ACK,
                                .seq = PEER_ISS + 1,
                                .ack = iss + 1,
                                .window = 65535,
                                .mptcp = CAPABLE(MPO_CAPABLE_DATA, .sender_key = TRACE_PEER_KEY,
                                                 .receiver_key = key, .data_len = 5)},
               "hello", 5);
    t->conn = plait_accept(t->listener);
    assert_non_null(t->conn);
    assert_true(info_of(t).multipath);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "hello", 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_int_equal(t->seg.mptcp.dss.data_ack, (uint32_t)(key_derive(1, TRACE_PEER_KEY).idsn + 6));
    trace_free(t);
}

static void server_falls_back_on_a_plain_third_ack(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    (void)state;
    server_synack(t, &iss);
    trace_send(
        t, (struct segment){.flags = TCP_ACK, .seq = PEER_ISS + 1, .ack = iss + 1, .window = 65535},
        NULL, 0);
    t->conn = plait_accept(t->listener);
    assert_non_null(t->conn);
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_THIRD_ACK_PLAIN);
    trace_free(t);
}

/* ---- MP_JOIN ---------------------------------------------------------------------- */

static const struct plait_endpoint PEER_SECOND = {{PLAIT_IPV4, {10, 0, 1, 2}}, 4000};

static struct segment join_syn(uint32_t token)
{
    return (struct segment){.src = PEER_SECOND,
                            .flags = TCP_SYN,
                            .seq = 9000,
                            .window = 65535,
                            .tcp = {.present = OPT_MSS, .mss = 1460},
                            .mptcp = {.present = MPO_JOIN_SYN,
                                      .join = {.addr_id = 3, .token = token, .nonce = 0x21222324}}};
}

static struct segment join_ack(const struct trace *t, uint64_t our_key)
{
    struct segment seg = {.src = PEER_SECOND,
                          .flags = TCP_ACK,
                          .seq = 9001,
                          .ack = t->seg.seq + 1,
                          .window = 65535,
                          .mptcp = {.present = MPO_JOIN_ACK}};
    join_hmac(1, TRACE_PEER_KEY, our_key, 0x21222324, t->seg.mptcp.join.nonce, seg.mptcp.join.hmac,
              HMAC_ACK_LEN);
    return seg;
}

static void server_accepts_a_join(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    uint8_t hmac[HMAC_SYNACK_LEN];
    (void)state;
    uint64_t key = server_established(t, &iss);
    trace_send(t, join_syn(key_derive(1, key).token), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_JOIN_SYNACK);
    join_hmac(1, key, TRACE_PEER_KEY, t->seg.mptcp.join.nonce, 0x21222324, hmac, sizeof hmac);
    assert_memory_equal(t->seg.mptcp.join.hmac, hmac, sizeof hmac);
    trace_send(t, join_ack(t, key), NULL, 0);
    trace_expect(t, TCP_ACK); /* the fourth segment */
    assert_int_equal(t->seg.dst.port, PEER_SECOND.port);
    assert_int_equal(info_of(t).subflows, 2);
    assert_int_equal(plait_stack_counters(t->stack)->MPJoinAckRx, 1);
    trace_free(t);
}

static void server_resets_a_join_with_a_wrong_hmac(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    (void)state;
    uint64_t key = server_established(t, &iss);
    trace_send(t, join_syn(key_derive(1, key).token), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = join_ack(t, key);
    ack.mptcp.join.hmac[7] ^= 1;
    trace_send(t, ack, NULL, 0);
    assert_true(trace_next(t));
    assert_true(t->seg.flags & TCP_RST);
    assert_int_equal(t->seg.mptcp.present, MPO_TCPRST);
    assert_int_equal(t->seg.mptcp.tcprst.reason, 1);
    assert_int_equal(plait_stack_counters(t->stack)->MPJoinAckHMacFailure, 1);
    assert_int_equal(info_of(t).subflows, 1);
    trace_free(t);
}

static void a_join_with_an_unknown_token_is_reset(void **state)
{
    struct trace *t = trace_default();
    uint32_t iss;
    (void)state;
    server_established(t, &iss);
    trace_send(t, join_syn(1), NULL, 0);
    assert_true(trace_next(t));
    assert_true(t->seg.flags & TCP_RST);
    assert_int_equal(t->seg.mptcp.tcprst.reason, 1);
    assert_int_equal(plait_stack_counters(t->stack)->MPJoinNoTokenFound, 1);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_offers_version_1),
        cmocka_unit_test(client_sends_keys_with_first_data),
        cmocka_unit_test(client_falls_back_without_option),
        cmocka_unit_test(client_falls_back_when_data_is_acked_without_dss),
        cmocka_unit_test(client_drops_the_option_when_syns_are_lost),
        cmocka_unit_test(server_answers_with_its_key),
        cmocka_unit_test(server_learns_keys_from_first_data),
        cmocka_unit_test(server_falls_back_on_a_plain_third_ack),
        cmocka_unit_test(server_accepts_a_join),
        cmocka_unit_test(server_resets_a_join_with_a_wrong_hmac),
        cmocka_unit_test(a_join_with_an_unknown_token_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
