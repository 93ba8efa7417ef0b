/* SPDX-License-Identifier: MIT
 *
 * TCP Fast Open as traces (RFC 7413), with MPTCP (RFC 8684 appendix B) and
 * without: both ends, where the data is in both sequence spaces, and what
 * happens when it is not taken.
 */
#include "engine_trace.h"
#include "stack/stack.h"

enum { PEER_ISS = 1000, PERIOD_S = 4295 };

static const uint8_t COOKIE[6] = {1, 2, 3, 4, 5, 6};

static struct trace *with(bool fastopen, bool multipath)
{
    struct plait_config config;
    plait_config_default(&config);
    config.fastopen = fastopen;
    config.multipath = multipath;
    return trace_new(&config);
}

static const struct plait_counters *counters(const struct trace *t)
{
    return plait_stack_counters(t->stack);
}

static struct plait_conn_info info_of(const struct trace *t)
{
    struct plait_conn_info info;
    plait_conn_info(t->conn, &info);
    return info;
}

/* ---- client ------------------------------------------------------------------------ */

static void client_writes(struct trace *t, const char *text)
{
    const struct plait_endpoint from = {TRACE_US.addr, 0};
    assert_int_equal(plait_connect(t->stack, &from, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    if (text)
        assert_int_equal(plait_conn_write(t->conn, text, strlen(text), t->now), strlen(text));
    trace_expect(t, TCP_SYN);
}

/* The answer to the SYN in t->seg: acknowledges so much of its data. */
static struct segment synack(const struct trace *t, uint32_t data, bool cookie)
{
    struct segment s = {.dst = t->seg.src,
                        .flags = TCP_SYN | TCP_ACK,
                        .seq = PEER_ISS,
                        .ack = t->seg.seq + 1 + data,
                        .window = 65535,
                        .tcp = {.present = OPT_MSS, .mss = 1400}};
    if (t->seg.mptcp.present & MPO_CAPABLE_ANY) {
        s.mptcp.present = MPO_CAPABLE_KEY;
        s.mptcp.capable = (struct mptcp_capable){.version = t->seg.mptcp.capable.version,
                                                 .flags = MPC_HMAC,
                                                 .sender_key = TRACE_PEER_KEY};
    }
    if (cookie) {
        s.tcp.present |= OPT_FASTOPEN;
        s.tcp.fastopen_len = sizeof COOKIE;
        memcpy(s.tcp.fastopen, COOKIE, sizeof COOKIE);
    }
    return s;
}

/* A connection that brought a cookie, and is over. */
static void client_learns(struct trace *t)
{
    client_writes(t, NULL);
    assert_true(t->seg.tcp.present & OPT_FASTOPEN);
    assert_int_equal(t->seg.tcp.fastopen_len, 0);
    trace_send(t, synack(t, 0, true), NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_false(t->seg.tcp.present & OPT_FASTOPEN);
    plait_conn_abort(t->conn, t->now);
    trace_expect(t, TCP_RST | TCP_ACK);
}

static void client_asks_for_a_cookie_first(void **state)
{
    struct trace *t = with(true, true);
    (void)state;
    client_writes(t, "hello");
    assert_true(t->seg.tcp.present & OPT_FASTOPEN);
    assert_int_equal(t->seg.tcp.fastopen_len, 0);
    assert_int_equal(t->seg.payload_len, 0);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    trace_send(t, synack(t, 0, true), NULL, 0);
    trace_expect(t, TCP_ACK); /* the data goes with the third ACK, as ever */
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_DATA);
    assert_memory_equal(t->seg.payload, "hello", 5);
    trace_free(t);
}

static void nothing_of_it_where_it_is_off(void **state)
{
    struct trace *t = with(false, true);
    (void)state;
    assert_int_equal(plait_connect(t->stack, NULL, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    assert_int_equal(plait_conn_write(t->conn, "hello", 5, t->now), PLAIT_E_AGAIN);
    trace_expect(t, TCP_SYN);
    assert_false(t->seg.tcp.present & OPT_FASTOPEN);
    trace_free(t);
}

/* Figure 19 of RFC 8684: data on the SYN has no DSN; the next byte is IDSN + 1
 * and SSN 1. */
static void data_on_the_syn_is_outside_the_dsn_space(void **state)
{
    struct trace *t = with(true, true);
    (void)state;
    client_learns(t);
    client_writes(t, "hello");
    assert_int_equal(t->seg.tcp.fastopen_len, sizeof COOKIE);
    assert_memory_equal(t->seg.tcp.fastopen, COOKIE, sizeof COOKIE);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    assert_int_equal(t->seg.payload_len, 5);
    assert_memory_equal(t->seg.payload, "hello", 5);
    uint32_t iss = t->seg.seq;
    trace_send(t, synack(t, 5, false), NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss + 6);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    assert_int_equal(t->seg.payload_len, 0);
    assert_int_equal(info_of(t).bytes_written, 5);
    assert_int_equal(info_of(t).bytes_acked, 5);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss + 6);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_DATA);
    assert_int_equal(t->seg.mptcp.capable.data_len, 5);
    assert_memory_equal(t->seg.payload, "world", 5);
    uint64_t idsn = key_derive(1, t->seg.mptcp.capable.sender_key).idsn;
    trace_send(t,
               (struct segment){.dst = t->seg.src,
                                .flags = TCP_ACK,
                                .seq = PEER_ISS + 1,
                                .ack = iss + 11,
                                .window = 65535,
                                .mptcp = {.present = MPO_DSS,
                                          .dss = {.has_ack = true,
                                                  .data_ack = (uint32_t)(idsn + 6)}}},
               NULL, 0);
    assert_int_equal(info_of(t).bytes_acked, 10);
    assert_int_equal(plait_conn_write(t->conn, "again", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_int_equal(t->seg.mptcp.dss.ssn, 6);
    assert_int_equal(t->seg.mptcp.dss.dsn, (uint32_t)(idsn + 6));
    assert_int_equal(counters(t)->TCPFastOpenActive, 1);
    trace_free(t);
}

/* Not acknowledged, wholly or in part: ordinary data from there on. */
static void what_the_synack_leaves_out_is_sent_again(void **state)
{
    (void)state;
    for (uint32_t taken = 0; taken < 5; taken += 2) {
        struct trace *t = with(true, true);
        client_learns(t);
        client_writes(t, "hello");
        uint32_t iss = t->seg.seq;
        trace_send(t, synack(t, taken, false), NULL, 0);
        trace_expect(t, TCP_ACK);
        assert_int_equal(t->seg.seq, iss + 1 + taken);
        assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_DATA);
        assert_int_equal(t->seg.payload_len, 5 - taken);
        assert_memory_equal(t->seg.payload, &"hello"[taken], 5 - taken);
        assert_int_equal(info_of(t).bytes_written, 5);
        trace_free(t);
    }
}

/* A plain TCP peer acknowledges "hello" and "world". */
static void expect_all_acked(struct trace *t, uint32_t iss)
{
    trace_send(t,
               (struct segment){.dst = t->seg.src,
                                .flags = TCP_ACK,
                                .seq = PEER_ISS + 1,
                                .ack = iss + 11,
                                .window = 65535},
               NULL, 0);
    assert_int_equal(info_of(t).bytes_acked, 10);
}

static void without_mptcp_it_is_the_same(void **state)
{
    struct trace *t = with(true, false);
    (void)state;
    client_learns(t);
    client_writes(t, "hello");
    uint32_t iss = t->seg.seq;
    assert_int_equal(t->seg.payload_len, 5);
    trace_send(t, synack(t, 5, false), NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss + 6);
    expect_all_acked(t, iss);
    trace_free(t);
}

/* A server without MPTCP takes the data all the same. */
static void fallback_keeps_what_the_syn_brought(void **state)
{
    struct trace *t = with(true, true);
    (void)state;
    client_learns(t);
    client_writes(t, "hello");
    uint32_t iss = t->seg.seq;
    struct segment answer = synack(t, 5, false);
    answer.mptcp.present = 0;
    trace_send(t, answer, NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_PEER_NO_MPTCP);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss + 6);
    assert_memory_equal(t->seg.payload, "world", 5);
    expect_all_acked(t, iss);
    trace_free(t);
}

/* A middlebox drops SYNs with data: the next goes without data and option, and
 * so do those of the next ten minutes (RFC 7413 4.1.3.1). */
static void a_dropped_syn_is_repeated_without_data(void **state)
{
    struct trace *t = with(true, true);
    (void)state;
    client_learns(t);
    client_writes(t, "hello");
    trace_timer(t);
    trace_expect(t, TCP_SYN);
    assert_int_equal(t->seg.payload_len, 0);
    assert_false(t->seg.tcp.present & OPT_FASTOPEN);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_SYN);
    trace_send(t, synack(t, 0, false), NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_memory_equal(t->seg.payload, "hello", 5);
    assert_int_equal(counters(t)->TCPFastOpenActiveFail, 1);
    plait_conn_abort(t->conn, t->now);
    trace_expect(t, TCP_RST | TCP_ACK);
    client_writes(t, "hello");
    assert_false(t->seg.tcp.present & OPT_FASTOPEN);
    plait_conn_abort(t->conn, t->now);
    t->now += MS(600000);
    client_writes(t, "hello");
    assert_int_equal(t->seg.payload_len, 5);
    trace_free(t);
}

/* The first SYN did arrive, its SYN/ACK was late. */
static void a_late_synack_may_still_acknowledge_the_data(void **state)
{
    struct trace *t = with(true, true);
    (void)state;
    client_learns(t);
    client_writes(t, "hello");
    struct segment late = synack(t, 5, false);
    trace_timer(t);
    trace_expect(t, TCP_SYN);
    assert_int_equal(t->seg.payload_len, 0);
    trace_send(t, late, NULL, 0);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEYS);
    assert_int_equal(info_of(t).bytes_acked, 5);
    trace_free(t);
}

/* No more than the MSS that came with the cookie, less the options. */
static void the_syn_takes_one_segment(void **state)
{
    struct trace *t = with(true, true);
    char text[3001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    client_learns(t);
    client_writes(t, text);
    assert_int_equal(t->seg.payload_len, 1400 - 24 - 8);
    trace_send(t, synack(t, t->seg.payload_len, false), NULL, 0);
    uint32_t rest = 3000 - (1400 - 24 - 8);
    while (rest && trace_next(t))
        rest -= t->seg.payload_len;
    assert_true(rest < 1400); /* MP_CAPABLE with data goes alone, the rest after it */
    trace_free(t);
}

/* 12 bytes of version 0 leave room for 6 of a cookie, not for 8. */
static void a_long_cookie_has_no_room_in_version_0(void **state)
{
    (void)state;
    for (uint8_t len = 6; len <= 8; len += 2) {
        struct plait_config config;
        plait_config_default(&config);
        config.fastopen = true;
        config.version = PLAIT_VERSION_0;
        struct trace *t = trace_new(&config);
        client_writes(t, NULL);
        struct segment s = synack(t, 0, true);
        s.tcp.fastopen_len = len;
        trace_send(t, s, NULL, 0);
        trace_expect(t, TCP_ACK);
        client_writes(t, "hello");
        assert_int_equal((t->seg.tcp.present & OPT_FASTOPEN) != 0, len == 6);
        assert_int_equal(t->seg.payload_len, len == 6 ? 5 : 0);
        assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEY);
        assert_int_equal(counters(t)->FastOpenNoRoom, len == 8);
        trace_free(t);
    }
}

/* The cookie used least recently makes room. */
static void so_many_cookies_are_kept(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.fastopen = true;
    config.fastopen_cookies_max = 2;
    struct trace *t = trace_new(&config);
    (void)state;
    for (uint8_t i = 1; i <= 3; i++) {
        struct plait_endpoint to = {{PLAIT_IPV4, {10, 0, 0, (uint8_t)(10 + i)}}, 80};
        assert_int_equal(plait_connect(t->stack, NULL, &to, NULL, t->now, &t->conn), 0);
        trace_expect(t, TCP_SYN);
        struct segment s = synack(t, 0, true);
        s.src = to;
        trace_send(t, s, NULL, 0);
        trace_expect(t, TCP_ACK);
        t->now += MS(1);
    }
    for (uint8_t i = 1; i <= 3; i++) {
        struct plait_endpoint to = {{PLAIT_IPV4, {10, 0, 0, (uint8_t)(10 + i)}}, 81};
        assert_int_equal(plait_connect(t->stack, NULL, &to, NULL, t->now, &t->conn), 0);
        trace_expect(t, TCP_SYN);
        assert_int_equal(t->seg.tcp.fastopen_len, i == 1 ? 0 : sizeof COOKIE);
    }
    trace_free(t);
}

/* ---- server ------------------------------------------------------------------------ */

static struct trace *serving(bool multipath)
{
    struct trace *t = with(true, multipath);
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    return t;
}

static struct segment syn_from(uint16_t port)
{
    return (struct segment){
        .src = {TRACE_PEER.addr, port},
        .flags = TCP_SYN,
        .seq = PEER_ISS,
        .window = 65535,
        .tcp = {.present = OPT_MSS | OPT_FASTOPEN | OPT_WSCALE | OPT_SACK_OK | OPT_TIMESTAMP,
                .mss = 1460,
                .wscale = 7,
                .tsval = 5},
        .mptcp = {.present = MPO_CAPABLE_SYN, .capable = {.version = 1, .flags = MPC_HMAC}}};
}

/* The server's cookie for us: it fits beside everything else. */
static struct segment syn_with_cookie(struct trace *t, uint16_t port)
{
    struct segment syn = syn_from(99);
    trace_send(t, syn, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_true(t->seg.tcp.present & OPT_FASTOPEN);
    assert_true(t->seg.tcp.present & OPT_TIMESTAMP);
    assert_int_equal(t->seg.tcp.fastopen_len, 6);
    syn.src.port = port;
    syn.tcp.fastopen_len = 6;
    memcpy(syn.tcp.fastopen, t->seg.tcp.fastopen, 6);
    return syn;
}

static struct segment third_ack(const struct segment *syn, uint64_t our_key, uint32_t iss,
                                uint32_t data)
{
    return (struct segment){.src = syn->src,
                            .flags = TCP_ACK,
                            .seq = PEER_ISS + 1 + data,
                            .ack = iss + 1,
                            .window = 1000,
                            .tcp = {.present = OPT_TIMESTAMP, .tsval = 6},
                            .mptcp = {.present = MPO_CAPABLE_KEYS,
                                      .capable = {.version = 1,
                                                  .flags = MPC_HMAC,
                                                  .sender_key = TRACE_PEER_KEY,
                                                  .receiver_key = our_key}}};
}

/* The application reads and answers before the third ACK (RFC 7413 4.2.2). In
 * version 1 the answer has a mapping and no DATA_ACK yet. */
static void data_on_a_syn_is_answered_at_once(void **state)
{
    struct trace *t = serving(true);
    char buf[8];
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    t->conn = plait_accept(t->listener);
    assert_non_null(t->conn);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 6);
    assert_false(t->seg.tcp.present & OPT_FASTOPEN); /* the cookie is good still */
    uint64_t key = t->seg.mptcp.capable.sender_key;
    uint32_t iss = t->seg.seq;
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss + 1);
    assert_memory_equal(t->seg.payload, "world", 5);
    assert_int_equal(t->seg.mptcp.present, MPO_DSS);
    assert_true(t->seg.mptcp.dss.has_map);
    assert_false(t->seg.mptcp.dss.has_ack);
    assert_int_equal(t->seg.mptcp.dss.ssn, 1);
    struct segment ack = third_ack(&syn, key, iss, 5);
    trace_send(t, ack, NULL, 0);
    assert_true(info_of(t).multipath);
    assert_int_equal(t->stack->env.fastopen.pending, 0);
    /* The client's first byte after the SYN's is IDSN + 1, SSN 1. */
    ack.mptcp.present = MPO_CAPABLE_DATA;
    ack.mptcp.capable.data_len = 4;
    trace_send(t, ack, "more", 4);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 4);
    assert_memory_equal(buf, "more", 4);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 10);
    assert_int_equal(t->seg.mptcp.dss.data_ack, (uint32_t)(key_derive(1, TRACE_PEER_KEY).idsn + 5));
    assert_int_equal(info_of(t).bytes_received, 9);
    assert_int_equal(info_of(t).bytes_read, 9);
    assert_int_equal(counters(t)->TCPFastOpenPassive, 1);
    trace_free(t);
}

/* What the application has not read when the keys come keeps its place. */
static void unread_data_waits_for_the_keys(void **state)
{
    struct trace *t = serving(true);
    char buf[16];
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    t->conn = plait_accept(t->listener);
    assert_int_equal(plait_conn_read(t->conn, buf, 2, t->now), 2);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = third_ack(&syn, t->seg.mptcp.capable.sender_key, t->seg.seq, 5);
    ack.mptcp.present = MPO_CAPABLE_DATA;
    ack.mptcp.capable.data_len = 4;
    trace_send(t, ack, "more", 4);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 7);
    assert_memory_equal(buf, "llomore", 7);
    trace_free(t);
}

/* The third ACK is plain: so is the connection, and the bytes are right. */
static void a_plain_third_ack_after_early_data(void **state)
{
    struct trace *t = serving(true);
    char buf[16];
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    t->conn = plait_accept(t->listener);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = third_ack(&syn, 0, t->seg.seq, 5);
    trace_expect(t, TCP_ACK);
    ack.mptcp.present = 0;
    ack.ack += 5;
    trace_send(t, ack, "more", 4);
    assert_int_equal(info_of(t).fallback_why, PLAIT_WHY_THIRD_ACK_PLAIN);
    assert_int_equal(info_of(t).bytes_acked, 5);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 9);
    assert_memory_equal(buf, "hellomore", 9);
    assert_int_equal(plait_conn_write(t->conn, "again", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.payload_len, 5);
    trace_free(t);
}

/* Lost early data is sent again once the handshake is over; SYN/ACKs are
 * repeated without it (RFC 7413 4.2.2). */
static void lost_early_data_is_repeated(void **state)
{
    struct trace *t = serving(true);
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    t->conn = plait_accept(t->listener);
    char buf[8];
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_SYN | TCP_ACK);
    uint64_t key = t->seg.mptcp.capable.sender_key;
    uint32_t iss = t->seg.seq;
    trace_expect(t, TCP_ACK);
    trace_send(t, third_ack(&syn, key, iss, 5), NULL, 0); /* it has not got the data */
    unsigned again = 0;
    for (uint64_t end = t->now + MS(5000); plait_stack_deadline(t->stack) < end && !again;) {
        trace_timer(t);
        while (trace_next(t))
            again += t->seg.payload_len == 5 && t->seg.seq == iss + 1;
    }
    assert_int_equal(again, 1);
    trace_free(t);
}

static void plain_tcp_is_served_early_too(void **state)
{
    struct trace *t = serving(false);
    char buf[8];
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    t->conn = plait_accept(t->listener);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    assert_int_equal(plait_conn_shutdown(t->conn, PLAIT_SHUT_WR, t->now), 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = third_ack(&syn, 0, t->seg.seq, 5);
    ack.mptcp.present = 0;
    trace_expect(t, TCP_ACK);
    assert_memory_equal(t->seg.payload, "world", 5);
    trace_silent(t); /* the FIN waits for the handshake */
    ack.ack += 5;
    trace_send(t, ack, NULL, 0);
    trace_expect(t, TCP_FIN | TCP_ACK);
    trace_free(t);
}

/* Another's cookie, or none: the handshake goes on without the data. */
static void a_wrong_cookie_gives_a_right_one(void **state)
{
    struct trace *t = serving(true);
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000), wrong = syn;
    wrong.tcp.fastopen[5] ^= 1;
    trace_send(t, wrong, "hello", 5);
    assert_null(plait_accept(t->listener));
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 1);
    assert_memory_equal(t->seg.tcp.fastopen, syn.tcp.fastopen, 6);
    assert_int_equal(counters(t)->TCPFastOpenPassiveFail, 1);
    wrong = syn; /* right, but of another address */
    wrong.src.addr.bytes[3]++;
    trace_send(t, wrong, "hello", 5);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 1);
    assert_null(plait_accept(t->listener));
    trace_free(t);
}

/* Good in the next period, with a new one for the one after; then no more. */
static void cookies_grow_old(void **state)
{
    (void)state;
    for (unsigned periods = 0; periods < 3; periods++) {
        struct trace *t = serving(true);
        t->now = MS(1000);
        struct segment syn = syn_with_cookie(t, 4000);
        for (unsigned i = 0; i < periods; i++) {
            t->now += MS(1000) * PERIOD_S;
            struct segment other = syn_from((uint16_t)(100 + i));
            trace_send(t, other, NULL, 0);
            while (trace_next(t))
                ;
        }
        trace_send(t, syn, "hello", 5);
        assert_int_equal(plait_accept(t->listener) != NULL, periods < 2);
        trace_expect(t, TCP_SYN | TCP_ACK);
        assert_int_equal(t->seg.ack, PEER_ISS + 1 + (periods < 2 ? 5 : 0));
        assert_int_equal((t->seg.tcp.present & OPT_FASTOPEN) != 0, periods > 0);
        trace_free(t);
    }
}

/* RFC 7413 5.1: an attacker with valid cookies gets so far and no farther. */
static void so_many_are_accepted_early(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.fastopen = true;
    config.fastopen_pending_max = 1;
    struct trace *t = trace_new(&config);
    (void)state;
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    assert_non_null(plait_accept(t->listener));
    trace_expect(t, TCP_SYN | TCP_ACK);
    uint64_t key = t->seg.mptcp.capable.sender_key;
    uint32_t iss = t->seg.seq;
    struct segment second = syn;
    second.src.port++;
    trace_send(t, second, "hello", 5);
    assert_null(plait_accept(t->listener));
    assert_int_equal(counters(t)->TCPFastOpenListenOverflow, 1);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 1);
    trace_send(t, third_ack(&syn, key, iss, 5), NULL, 0); /* makes room */
    second.src.port++;
    trace_send(t, second, "hello", 5);
    assert_non_null(plait_accept(t->listener));
    trace_free(t);
}

/* The cookie was good and the client never comes: the application is told. */
static void an_early_connection_may_come_to_nothing(void **state)
{
    struct trace *t = serving(true);
    char buf[8];
    (void)state;
    trace_send(t, syn_with_cookie(t, 4000), "hello", 5);
    t->conn = plait_accept(t->listener);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    unsigned answers = 0;
    do {
        while (trace_next(t))
            answers += t->seg.dst.port == 4000 && (t->seg.flags & TCP_SYN);
        if (plait_stack_deadline(t->stack) == UINT64_MAX)
            break;
        trace_timer(t);
    } while (!plait_conn_error(t->conn));
    assert_int_equal(plait_conn_error(t->conn), PLAIT_E_TIMED_OUT);
    assert_int_equal(answers, 6);
    assert_int_equal(t->stack->env.fastopen.pending, 0);
    trace_free(t);
}

/* The same where TCP is through and the keys do not come. */
static void an_early_connection_does_not_wait_for_keys_for_ever(void **state)
{
    struct trace *t = serving(true);
    (void)state;
    struct segment syn = syn_with_cookie(t, 4000);
    trace_send(t, syn, "hello", 5);
    t->conn = plait_accept(t->listener);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = third_ack(&syn, 0, t->seg.seq, 5);
    ack.mptcp.present = MPO_DSS;
    ack.mptcp.dss = (struct mptcp_dss){.has_ack = true};
    trace_send(t, ack, NULL, 0);
    trace_wait(t, MS(63900));
    assert_int_equal(plait_conn_error(t->conn), 0);
    trace_wait(t, MS(200));
    assert_int_equal(plait_conn_error(t->conn), PLAIT_E_TIMED_OUT);
    assert_int_equal(t->stack->env.fastopen.pending, 0);
    trace_free(t);
}

/* Its address goes before the third ACK comes: nobody else can take its place. */
static void an_early_connection_without_its_subflow_ends(void **state)
{
    struct trace *t = serving(true);
    (void)state;
    trace_send(t, syn_with_cookie(t, 4000), "hello", 5);
    t->conn = plait_accept(t->listener);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(plait_stack_remove_addr(t->stack, &TRACE_US.addr, t->now), 0);
    trace_wait(t, MS(60100)); /* the break timeout */
    assert_int_equal(plait_conn_error(t->conn), PLAIT_E_TIMED_OUT);
    assert_int_equal(t->stack->env.fastopen.pending, 0);
    trace_free(t);
}

static void a_server_that_does_not_want_it_ignores_it(void **state)
{
    struct trace *t = with(false, true);
    (void)state;
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    trace_send(t, syn_from(4000), "hello", 5);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 1);
    assert_false(t->seg.tcp.present & OPT_FASTOPEN);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_asks_for_a_cookie_first),
        cmocka_unit_test(nothing_of_it_where_it_is_off),
        cmocka_unit_test(data_on_the_syn_is_outside_the_dsn_space),
        cmocka_unit_test(what_the_synack_leaves_out_is_sent_again),
        cmocka_unit_test(without_mptcp_it_is_the_same),
        cmocka_unit_test(fallback_keeps_what_the_syn_brought),
        cmocka_unit_test(a_dropped_syn_is_repeated_without_data),
        cmocka_unit_test(a_late_synack_may_still_acknowledge_the_data),
        cmocka_unit_test(the_syn_takes_one_segment),
        cmocka_unit_test(a_long_cookie_has_no_room_in_version_0),
        cmocka_unit_test(so_many_cookies_are_kept),
        cmocka_unit_test(data_on_a_syn_is_answered_at_once),
        cmocka_unit_test(unread_data_waits_for_the_keys),
        cmocka_unit_test(a_plain_third_ack_after_early_data),
        cmocka_unit_test(lost_early_data_is_repeated),
        cmocka_unit_test(plain_tcp_is_served_early_too),
        cmocka_unit_test(a_wrong_cookie_gives_a_right_one),
        cmocka_unit_test(cookies_grow_old),
        cmocka_unit_test(so_many_are_accepted_early),
        cmocka_unit_test(an_early_connection_may_come_to_nothing),
        cmocka_unit_test(an_early_connection_does_not_wait_for_keys_for_ever),
        cmocka_unit_test(an_early_connection_without_its_subflow_ends),
        cmocka_unit_test(a_server_that_does_not_want_it_ignores_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
