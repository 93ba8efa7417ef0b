/* SPDX-License-Identifier: MIT
 *
 * SYN cookies as traces (RFC 4987 3.6, RFC 8684 3.1, RFC 7323): what comes
 * back out of a cookie, what does not pass for one, and that a SYN costs no
 * memory.
 */
#include "engine_trace.h"
#include "stack/stack.h"

enum { PEER_ISS = 1000, PEER_TS = 5000, LIFE_US = 2 << 26 };

static const uint8_t CAPABLE_FLAGS = MPC_HMAC;

static const struct plait_counters *counters(const struct trace *t)
{
    return plait_stack_counters(t->stack);
}

static struct trace *listening(enum plait_syn_cookies cookies)
{
    struct plait_config config;
    plait_config_default(&config);
    config.syn_cookies = cookies;
    struct trace *t = trace_new(&config);
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    return t;
}

static struct segment full_syn(void)
{
    return (struct segment){.flags = TCP_SYN,
                            .seq = PEER_ISS,
                            .window = 65535,
                            .tcp = {.present = OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_TIMESTAMP,
                                    .mss = 1460,
                                    .wscale = 7,
                                    .tsval = PEER_TS},
                            .mptcp = {.present = MPO_CAPABLE_SYN,
                                      .capable = {.version = 1, .flags = CAPABLE_FLAGS}}};
}

/* The third ACK of what is in t->seg, a SYN/ACK. */
static struct segment third_ack(const struct trace *t)
{
    struct segment ack = {.flags = TCP_ACK,
                          .seq = PEER_ISS + 1,
                          .ack = t->seg.seq + 1,
                          .window = 1000,
                          .tcp = {.present = t->seg.tcp.present & OPT_TIMESTAMP,
                                  .tsval = PEER_TS + 1,
                                  .tsecr = t->seg.tcp.tsval}};
    trace_put_keys(t, &ack);
    return ack;
}

static struct plait_conn_info accepted(struct trace *t)
{
    struct plait_conn_info info;
    t->conn = plait_accept(t->listener);
    assert_non_null(t->conn);
    plait_conn_info(t->conn, &info);
    return info;
}

/* The one subflow's tcp. */
static const struct tcp *tcp_of(const struct trace *t)
{
    return &t->conn->initial->tcp;
}

/* ---- what survives ---------------------------------------------------------------- */

static void a_cookie_brings_everything_back(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    uint64_t before = t->allocated;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.ack, PEER_ISS + 1);
    assert_int_equal(t->seg.tcp.present, OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_TIMESTAMP);
    assert_int_equal(t->seg.tcp.mss, 1460);
    assert_int_equal(t->seg.tcp.tsecr, PEER_TS);
    assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEY);
    assert_int_equal(t->allocated, before);
    uint64_t key = t->seg.mptcp.capable.sender_key;
    trace_send(t, third_ack(t), NULL, 0);
    struct plait_conn_info info = accepted(t);
    assert_true(info.multipath);
    assert_int_equal(info.token, key_derive(1, key).token);
    assert_int_equal(info.peer_token, key_derive(1, TRACE_PEER_KEY).token);
    assert_int_equal(tcp_of(t)->snd_wscale, 7);
    assert_int_equal(tcp_of(t)->snd_wnd, 1000 << 7);
    assert_true(tcp_of(t)->sack && tcp_of(t)->timestamps);
    assert_int_equal(tcp_of(t)->control.peer_mss, 1460);
    assert_int_equal(counters(t)->SyncookiesSent, 1);
    assert_int_equal(counters(t)->SyncookiesRecv, 1);
    assert_int_equal(counters(t)->MPCapableSYNRX, 1);
    assert_int_equal(counters(t)->MPCapableACKRX, 1);
    trace_free(t);
}

/* Data goes both ways behind it: sequence numbers and timestamps are right. */
static void a_connection_from_a_cookie_carries_data(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    char buf[8];
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    uint32_t synack_ts = t->seg.tcp.tsval, iss = t->seg.seq;
    struct segment ack = third_ack(t);
    t->now += MS(20);
    trace_send(t, ack, NULL, 0);
    accepted(t);
    ack.mptcp.present = MPO_CAPABLE_DATA;
    ack.mptcp.capable.data_len = 5;
    trace_send(t, ack, "hello", 5);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_int_equal(plait_conn_write(t->conn, "world", 5, t->now), 5);
    trace_expect(t, TCP_ACK);
    assert_int_equal(t->seg.seq, iss + 1);
    assert_int_equal(t->seg.ack, PEER_ISS + 6);
    assert_memory_equal(t->seg.payload, "world", 5);
    assert_true(seq_geq(t->seg.tcp.tsval, synack_ts));
    assert_in_range(t->seg.tcp.tsval - synack_ts, 20, 20 + 31);
    assert_int_equal(t->seg.mptcp.dss.ssn, 1);
    trace_free(t);
}

/* The third ACK was lost; the first data has all it had (RFC 8684 3.1). */
static void a_cookie_comes_back_with_data(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    char buf[8];
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment data = third_ack(t);
    data.mptcp.present = MPO_CAPABLE_DATA;
    data.mptcp.capable.data_len = 5;
    trace_send(t, data, "hello", 5);
    assert_true(accepted(t).multipath);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    trace_free(t);
}

/* What overtakes the first data is left alone, and no RST ends it all. */
static void later_data_waits_for_the_first(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment first = third_ack(t), second = first;
    second.seq += 5;
    second.mptcp.present = MPO_DSS;
    second.mptcp.dss = (struct mptcp_dss){.has_map = true, .dsn = 6, .ssn = 6, .data_len = 5};
    trace_send(t, second, "again", 5);
    trace_silent(t);
    second.seq = PEER_ISS + 1; /* and nothing is decided without the keys */
    trace_send(t, second, "again", 5);
    trace_silent(t);
    first.mptcp.present = MPO_CAPABLE_DATA;
    first.mptcp.capable.data_len = 5;
    trace_send(t, first, "hello", 5);
    assert_true(accepted(t).multipath);
    trace_free(t);
}

/* A client that has nothing to say asks whether we are there still. */
static void a_keepalive_probe_answers_a_cookie(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment probe = third_ack(t);
    probe.seq = PEER_ISS;
    trace_send(t, probe, NULL, 0);
    assert_true(accepted(t).multipath);
    trace_free(t);
}

static void the_checksum_is_settled_by_the_third_ack(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    struct segment syn = full_syn();
    (void)state;
    syn.mptcp.capable.flags |= MPC_CHECKSUM;
    trace_send(t, syn, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_true(t->seg.mptcp.capable.flags & MPC_CHECKSUM);
    trace_send(t, third_ack(t), NULL, 0);
    assert_true(accepted(t).checksum);
    trace_free(t);
}

static void the_c_flag_is_kept_in_the_cookie(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    struct segment syn = full_syn();
    (void)state;
    syn.mptcp.capable.flags |= MPC_NO_JOIN;
    trace_send(t, syn, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    trace_send(t, third_ack(t), NULL, 0);
    accepted(t);
    assert_true(t->conn->peer_no_join_initial);
    trace_free(t);
}

/* Nothing holds the window scale and SACK then, so neither is offered. */
static void without_timestamps_mss_and_mptcp_survive(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    struct segment syn = full_syn();
    (void)state;
    syn.tcp.present &= ~(uint32_t)OPT_TIMESTAMP;
    trace_send(t, syn, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.tcp.present, OPT_MSS);
    trace_send(t, third_ack(t), NULL, 0);
    assert_true(accepted(t).multipath);
    assert_int_equal(tcp_of(t)->snd_wscale, 0);
    assert_int_equal(tcp_of(t)->rcv_wscale, 0);
    assert_int_equal(tcp_of(t)->snd_wnd, 1000);
    assert_int_equal(tcp_of(t)->control.peer_mss, 1460);
    trace_free(t);
}

static void the_mss_is_rounded_down(void **state)
{
    static const struct {
        uint16_t said, kept;
    } rows[] = {{0, 64},      {64, 64},     {255, 64},    {300, 256},   {536, 536},
                {1219, 536},  {1380, 1360}, {1440, 1440}, {1459, 1440}, {1460, 1460},
                {8959, 1460}, {9000, 8960}, {65535, 8960}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
        struct segment syn = full_syn();
        syn.tcp.mss = rows[i].said;
        trace_send(t, syn, NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        trace_send(t, third_ack(t), NULL, 0);
        accepted(t);
        assert_int_equal(tcp_of(t)->control.peer_mss, rows[i].kept);
        trace_free(t);
    }
}

static void a_plain_client_gets_plain_tcp(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    struct segment syn = full_syn();
    (void)state;
    syn.mptcp.present = 0;
    trace_send(t, syn, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, 0);
    trace_send(t, third_ack(t), NULL, 0);
    assert_int_equal(accepted(t).fallback_why, PLAIT_WHY_PEER_PLAIN_SYN);
    trace_free(t);
}

static void a_stripped_third_ack_gets_plain_tcp(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = third_ack(t);
    ack.mptcp.present = 0;
    trace_send(t, ack, NULL, 0);
    assert_int_equal(accepted(t).fallback_why, PLAIT_WHY_THIRD_ACK_PLAIN);
    trace_free(t);
}

/* In version 0 the client's key is in its SYN and in the third ACK: with that
 * one it is MPTCP, without it plain TCP (RFC 8041 3.11). */
static void version_0_needs_the_third_ack(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
        struct segment syn = full_syn();
        syn.mptcp.present = MPO_CAPABLE_KEY;
        syn.mptcp.capable = (struct mptcp_capable){.version = 0,
                                                   .flags = CAPABLE_FLAGS,
                                                   .sender_key = TRACE_PEER_KEY};
        trace_send(t, syn, NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        assert_int_equal(t->seg.mptcp.present, MPO_CAPABLE_KEY);
        assert_int_equal(t->seg.mptcp.capable.version, 0);
        uint64_t key = t->seg.mptcp.capable.sender_key;
        struct segment ack = third_ack(t);
        ack.mptcp.capable.version = 0;
        if (lost) {
            ack.mptcp.present = MPO_DSS;
            ack.mptcp.dss =
                (struct mptcp_dss){.has_map = true,
                                   .dsn = (uint32_t)(key_derive(0, TRACE_PEER_KEY).idsn + 1),
                                   .ssn = 1,
                                   .data_len = 5};
        }
        trace_send(t, ack, "hello", lost ? 5 : 0);
        struct plait_conn_info info = accepted(t);
        assert_int_equal(info.multipath, !lost);
        assert_int_equal(info.fallback_why, lost ? PLAIT_WHY_COOKIE_KEYS_LOST : PLAIT_WHY_NONE);
        if (!lost) {
            assert_int_equal(info.version, 0);
            assert_int_equal(info.token, key_derive(0, key).token);
            assert_int_equal(info.peer_token, key_derive(0, TRACE_PEER_KEY).token);
        }
        trace_free(t);
    }
}

/* A connection made between SYN/ACK and ACK has the token. */
static void a_token_taken_meanwhile_means_plain_tcp(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    struct segment ack = third_ack(t);
    assert_true(key_pool_add(&t->stack->env, t->seg.mptcp.capable.sender_key));
    const struct plait_endpoint elsewhere = {TRACE_PEER.addr, 81};
    struct plait_conn *other;
    assert_int_equal(plait_connect(t->stack, NULL, &elsewhere, NULL, t->now, &other), 0);
    trace_send(t, ack, NULL, 0);
    assert_int_equal(accepted(t).fallback_why, PLAIT_WHY_TOKEN_TAKEN);
    trace_free(t);
}

/* The token was taken already when the SYN came (RFC 8684 3.1). */
static void a_token_taken_before_means_no_option(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_true(key_pool_add(&t->stack->env, t->seg.mptcp.capable.sender_key));
    const struct plait_endpoint elsewhere = {TRACE_PEER.addr, 81};
    struct plait_conn *other;
    assert_int_equal(plait_connect(t->stack, NULL, &elsewhere, NULL, t->now, &other), 0);
    trace_expect(t, TCP_SYN);
    trace_send(t, full_syn(), NULL, 0); /* the same again */
    trace_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(t->seg.mptcp.present, 0);
    trace_send(t, third_ack(t), NULL, 0);
    assert_int_equal(accepted(t).fallback_why, PLAIT_WHY_TOKEN_TAKEN);
    trace_free(t);
}

/* ---- what does not pass ------------------------------------------------------------- */

/* It makes no connection. Where it fits the cookie and begins later it may be a
 * part of one to come and is met with silence, else with RST. */
static void refused(struct trace *t, struct segment ack, bool silently)
{
    uint64_t failed = counters(t)->SyncookiesFailed;
    trace_send(t, ack, NULL, 0);
    assert_null(plait_accept(t->listener));
    assert_int_equal(counters(t)->SyncookiesFailed, failed + !silently);
    if (silently)
        trace_silent(t);
    else
        trace_expect(t, TCP_RST);
}

static void a_changed_ack_is_refused(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    const struct segment good = third_ack(t);
    struct segment bad;
    for (unsigned bit = 0; bit < 32; bit++) {
        bad = good;
        bad.ack = ((good.ack - 1) ^ UINT32_C(1) << bit) + 1;
        refused(t, bad, false);
    }
    for (unsigned bit = 0; bit < 5; bit++) { /* window scale and SACK */
        bad = good;
        bad.tcp.tsecr ^= UINT32_C(1) << bit;
        refused(t, bad, false);
    }
    bad = good;
    bad.tcp.present = 0;
    refused(t, bad, false);
    for (uint32_t ahead = 1; ahead < UINT32_C(1) << 25; ahead *= 2) {
        bad = good;
        bad.seq += ahead;
        refused(t, bad, ahead < UINT32_C(1) << 20);
    }
    bad = good;
    bad.src = (struct plait_endpoint){TRACE_PEER.addr, TRACE_PEER.port + 1};
    refused(t, bad, false);
    bad.src = (struct plait_endpoint){{PLAIT_IPV4, {10, 0, 0, 3}}, TRACE_PEER.port};
    refused(t, bad, false);
    trace_send(t, good, NULL, 0);
    assert_true(accepted(t).multipath);
    trace_free(t);
}

/* A proxy acknowledged the first segments and lost them: none of those behind
 * is the beginning, whatever the hash is. */
static void no_later_segment_opens_a_connection(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    trace_send(t, full_syn(), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    const struct segment good = third_ack(t);
    for (uint32_t ahead = 1; ahead < 50000; ahead++) {
        struct segment later = good;
        later.seq += ahead;
        refused(t, later, true);
    }
    trace_send(t, good, NULL, 0);
    assert_true(accepted(t).multipath);
    trace_free(t);
}

/* Of so many guesses none may be right: with 25 bits the expectation is
 * 0.003, and the secret of a test does not change. */
static void forged_acks_make_no_connection(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    struct prng prng;
    struct plait_packet_tx unused;
    (void)state;
    prng_seed(&prng, 1);
    trace_send(t, full_syn(), NULL, 0); /* so that ACKs are looked at */
    uint64_t before = t->allocated;
    for (unsigned i = 0; i < 100000; i++) {
        trace_send(t,
                   (struct segment){.src = {TRACE_PEER.addr, (uint16_t)(1024 + i % 60000)},
                                    .flags = TCP_ACK,
                                    .seq = (uint32_t)prng_next(&prng),
                                    .ack = (uint32_t)prng_next(&prng),
                                    .window = 1000},
                   NULL, 0);
        while (plait_stack_tx(t->stack, t->now, &unused))
            ;
    }
    assert_null(plait_accept(t->listener));
    assert_in_range(counters(t)->SyncookiesFailed, 98000, 99000); /* one in 64 is silent */
    assert_int_equal(t->allocated, before);
    trace_free(t);
}

static void a_cookie_lasts_into_the_next_period(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
        t->now = LIFE_US / 2; /* a period begins */
        trace_send(t, full_syn(), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        struct segment ack = third_ack(t);
        t->now += LIFE_US - 1 + late;
        struct segment other = full_syn(); /* new cookies are given out meanwhile */
        other.seq++;
        trace_send(t, other, NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        if (late)
            refused(t, ack, false);
        else
            trace_send(t, ack, NULL, 0);
        assert_int_equal(plait_accept(t->listener) != NULL, !late);
        trace_free(t);
    }
}

/* Where no cookie is about, an ACK is nothing but a stray. */
static void no_ack_is_looked_at_without_cookies(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_AUTO);
    (void)state;
    trace_send(t, (struct segment){.flags = TCP_ACK, .seq = 1, .ack = 2}, NULL, 0);
    trace_expect(t, TCP_RST);
    assert_int_equal(counters(t)->SyncookiesFailed, 0);
    trace_free(t);
}

/* ---- when ---------------------------------------------------------------------------- */

static struct segment syn_from(uint16_t port)
{
    struct segment syn = full_syn();
    syn.src = (struct plait_endpoint){TRACE_PEER.addr, port};
    return syn;
}

/* Only what is too much is answered with cookies, and then nobody is dropped. */
static void cookies_begin_at_the_limit(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.half_open_max = 2;
    struct trace *t = trace_new(&config);
    (void)state;
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    for (uint16_t i = 0; i < 3; i++) {
        trace_send(t, syn_from((uint16_t)(4000 + i)), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        assert_int_equal(counters(t)->SyncookiesSent, i == 2);
    }
    struct segment ack = third_ack(t);
    ack.src = syn_from(4002).src;
    trace_send(t, ack, NULL, 0);
    assert_true(accepted(t).multipath);
    trace_free(t);
}

/* A burst of SYNs: who pulls the answers when the engine says so loses none. */
static void a_crowd_is_answered_when_answers_are_pulled(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    unsigned fed = 0, answered = 0;
    (void)state;
    assert_false(plait_stack_crowded(t->stack));
    while (fed < 4 * COOKIES_MAX) {
        trace_send(t, syn_from((uint16_t)(4000 + fed++)), NULL, 0);
        while (plait_stack_crowded(t->stack)) {
            trace_expect(t, TCP_SYN | TCP_ACK);
            answered++;
        }
    }
    assert_true(answered > 3 * COOKIES_MAX);
    assert_int_equal(counters(t)->DropListenerFull, 0);
    trace_free(t);
}

/* Nobody pulls: as many as the queue holds are answered. */
static void a_crowd_that_nobody_answers_overflows(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_ALWAYS);
    (void)state;
    for (unsigned i = 0; i < COOKIES_MAX + 3; i++)
        trace_send(t, syn_from((uint16_t)(4000 + i)), NULL, 0);
    assert_true(plait_stack_crowded(t->stack));
    assert_int_equal(counters(t)->DropListenerFull, 3);
    for (unsigned i = 0; i < COOKIES_MAX; i++)
        trace_expect(t, TCP_SYN | TCP_ACK);
    trace_silent(t);
    assert_false(plait_stack_crowded(t->stack));
    trace_free(t);
}

/* Late timers are noted, smoothly, and forgotten when they are served in time. */
static void lateness_is_what_timers_wait(void **state)
{
    struct trace *t = listening(PLAIT_SYN_COOKIES_NEVER);
    const uint32_t *late_us = &t->stack->env.tcp.late_us;
    uint32_t worst;
    (void)state;
    trace_send(t, syn_from(4000), NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    for (unsigned i = 0; i < 3; i++) { /* the SYN/ACK's repeats */
        t->now = plait_stack_deadline(t->stack) + 8000;
        plait_stack_tick(t->stack, t->now);
        trace_expect(t, TCP_SYN | TCP_ACK);
    }
    worst = *late_us;
    assert_int_equal(worst, 2640); /* 8000 * (1 - (7/8)^3) */
    t->now = plait_stack_deadline(t->stack);
    plait_stack_tick(t->stack, t->now);
    assert_int_equal(*late_us, worst * 7 / 8);
    t->now = plait_stack_deadline(t->stack) + 3600ull * 1000 * 1000; /* the machine slept */
    plait_stack_tick(t->stack, t->now);
    assert_true(*late_us < 10 * 1000);
    trace_free(t);
}

/* The backlog is full: silence, and the client's data asks again later. */
static void a_full_backlog_keeps_a_cookie_waiting(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.syn_cookies = PLAIT_SYN_COOKIES_ALWAYS;
    config.backlog_max = 1;
    struct trace *t = trace_new(&config);
    struct segment acks[2];
    (void)state;
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    for (uint16_t i = 0; i < 2; i++) {
        trace_send(t, syn_from((uint16_t)(4000 + i)), NULL, 0);
        trace_expect(t, TCP_SYN | TCP_ACK);
        acks[i] = third_ack(t);
        acks[i].src = syn_from((uint16_t)(4000 + i)).src;
    }
    trace_send(t, acks[0], NULL, 0);
    trace_send(t, acks[1], NULL, 0);
    assert_int_equal(counters(t)->DropListenerFull, 1);
    trace_silent(t);
    assert_non_null(plait_accept(t->listener));
    assert_null(plait_accept(t->listener));
    acks[1].mptcp.present = MPO_CAPABLE_DATA;
    acks[1].mptcp.capable.data_len = 5;
    trace_send(t, acks[1], "hello", 5);
    assert_true(accepted(t).multipath);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_brings_everything_back),
        cmocka_unit_test(a_connection_from_a_cookie_carries_data),
        cmocka_unit_test(a_cookie_comes_back_with_data),
        cmocka_unit_test(later_data_waits_for_the_first),
        cmocka_unit_test(a_keepalive_probe_answers_a_cookie),
        cmocka_unit_test(the_checksum_is_settled_by_the_third_ack),
        cmocka_unit_test(the_c_flag_is_kept_in_the_cookie),
        cmocka_unit_test(without_timestamps_mss_and_mptcp_survive),
        cmocka_unit_test(the_mss_is_rounded_down),
        cmocka_unit_test(a_plain_client_gets_plain_tcp),
        cmocka_unit_test(a_stripped_third_ack_gets_plain_tcp),
        cmocka_unit_test(version_0_needs_the_third_ack),
        cmocka_unit_test(a_token_taken_meanwhile_means_plain_tcp),
        cmocka_unit_test(a_token_taken_before_means_no_option),
        cmocka_unit_test(a_changed_ack_is_refused),
        cmocka_unit_test(no_later_segment_opens_a_connection),
        cmocka_unit_test(forged_acks_make_no_connection),
        cmocka_unit_test(a_cookie_lasts_into_the_next_period),
        cmocka_unit_test(no_ack_is_looked_at_without_cookies),
        cmocka_unit_test(cookies_begin_at_the_limit),
        cmocka_unit_test(a_crowd_is_answered_when_answers_are_pulled),
        cmocka_unit_test(a_crowd_that_nobody_answers_overflows),
        cmocka_unit_test(lateness_is_what_timers_wait),
        cmocka_unit_test(a_full_backlog_keeps_a_cookie_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
