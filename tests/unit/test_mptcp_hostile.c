/* SPDX-License-Identifier: MIT
 *
 * A peer that lies, contradicts itself, stays silent or goes to extremes: what
 * it costs is bounded, what came first stands, and what a version does not know
 * is not understood by guessing.
 */
#include "base/addr.h"
#include "mptcp_trace.h"

/* ---- offers --------------------------------------------------------------------- */

/* The SYN/ACK's options that answer a SYN with this MP_CAPABLE. */
static uint32_t answer_to_syn(uint8_t version, uint8_t flags)
{
    struct trace *t = trace_default();
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    trace_send(t,
               (struct segment){.flags = TCP_SYN,
                                .seq = FLOW_ISS,
                                .window = 65535,
                                .mptcp = {.present = MPO_CAPABLE_SYN,
                                          .capable = {.version = version, .flags = flags}}},
               NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    uint32_t present = t->seg.mptcp.present;
    if (present)
        assert_int_equal(t->seg.mptcp.capable.version, 1);
    trace_free(t);
    return present;
}

/* RFC 8684 3.1: the version answered is not higher than the one offered; B
 * means a form that is not known; without an algorithm the option is invalid. */
static void offers_are_answered_by_version_and_flags(void **state)
{
    (void)state;
    assert_int_equal(answer_to_syn(1, MPC_HMAC), MPO_CAPABLE_KEY);
    assert_int_equal(answer_to_syn(2, MPC_HMAC), MPO_CAPABLE_KEY);
    assert_int_equal(answer_to_syn(1, MPC_HMAC | 0x1e), MPO_CAPABLE_KEY); /* D to G beside H */
    assert_int_equal(answer_to_syn(1, MPC_HMAC | MPC_NO_JOIN), MPO_CAPABLE_KEY);
    assert_int_equal(answer_to_syn(1, 0), 0);
    assert_int_equal(answer_to_syn(1, MPC_CHECKSUM), 0);
    assert_int_equal(answer_to_syn(1, 0x1e), 0);
    assert_int_equal(answer_to_syn(1, MPC_HMAC | MPC_EXTENDED), 0);
}

/* The client's version of the same: is it Multipath TCP after this SYN/ACK? */
static bool multipath_after_synack(uint8_t version, uint8_t flags)
{
    struct trace *t = trace_default();
    struct plait_conn_info info;
    assert_int_equal(plait_connect(t->stack, &TRACE_US, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    trace_send(t,
               (struct segment){.flags = TCP_SYN | TCP_ACK,
                                .seq = FLOW_ISS,
                                .ack = t->seg.seq + 1,
                                .window = 65535,
                                .mptcp = {.present = MPO_CAPABLE_KEY,
                                          .capable = {.version = version,
                                                      .flags = flags,
                                                      .sender_key = TRACE_PEER_KEY}}},
               NULL, 0);
    trace_expect(t, TCP_ACK);
    plait_conn_info(t->conn, &info);
    assert_int_equal(t->seg.mptcp.present, info.multipath ? MPO_CAPABLE_KEYS : 0);
    if (info.multipath)
        assert_int_equal(t->seg.mptcp.capable.flags & MPC_CHECKSUM, flags & MPC_CHECKSUM);
    trace_free(t);
    return info.multipath;
}

static void answers_are_taken_by_version_and_flags(void **state)
{
    (void)state;
    assert_true(multipath_after_synack(1, MPC_HMAC));
    assert_true(multipath_after_synack(1, MPC_HMAC | MPC_CHECKSUM));
    assert_false(multipath_after_synack(2, MPC_HMAC)); /* higher than offered */
    assert_false(multipath_after_synack(1, 0));
    assert_false(multipath_after_synack(1, MPC_HMAC | MPC_EXTENDED));
}

/* RFC 8684 3.1: the keys came, but not the option that belongs on the first data. */
static void plain_first_data_means_plain_tcp(void **state)
{
    struct trace *t = trace_default();
    struct plait_conn_info info;
    char buf[8];
    (void)state;
    assert_int_equal(plait_listen(t->stack, &TRACE_US, NULL, &t->listener), 0);
    struct segment s = {.flags = TCP_SYN,
                        .seq = FLOW_ISS,
                        .window = 65535,
                        .mptcp = {.present = MPO_CAPABLE_SYN,
                                  .capable = {.version = 1, .flags = MPC_HMAC}}};
    trace_send(t, s, NULL, 0);
    trace_expect(t, TCP_SYN | TCP_ACK);
    s.flags = TCP_ACK;
    s.seq++;
    s.ack = t->seg.seq + 1;
    s.mptcp.present = MPO_CAPABLE_KEYS;
    s.mptcp.capable.sender_key = TRACE_PEER_KEY;
    s.mptcp.capable.receiver_key = t->seg.mptcp.capable.sender_key;
    trace_send(t, s, NULL, 0);
    t->conn = plait_accept(t->listener);
    s.mptcp.present = 0;
    trace_send(t, s, "hello", 5);
    plait_conn_info(t->conn, &info);
    assert_false(info.multipath);
    assert_int_equal(info.fallback_why, PLAIT_WHY_FIRST_DATA_PLAIN);
    assert_int_equal(plait_conn_read(t->conn, buf, sizeof buf, t->now), 5);
    assert_memory_equal(buf, "hello", 5);
    trace_free(t);
}

/* ---- joins ---------------------------------------------------------------------- */

static const struct plait_local SECOND = {.addr = {PLAIT_IPV4, {10, 0, 5, 1}}, .mtu = 1500};

/* A client behind its handshake that has a second address but has seen no DSS
 * yet; *key is its key. */
static struct trace *client_unconfirmed(const struct plait_config *config, uint64_t *key)
{
    struct trace *t = trace_new(config);
    assert_int_equal(plait_connect(t->stack, &TRACE_US, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    struct segment s = {
        .flags = TCP_SYN | TCP_ACK,
        .seq = FLOW_ISS,
        .ack = t->seg.seq + 1,
        .window = 65535,
        .mptcp = {.present = MPO_CAPABLE_KEY,
                  .capable = {.version = 1, .flags = MPC_HMAC, .sender_key = TRACE_PEER_KEY}}};
    trace_send(t, s, NULL, 0);
    trace_expect(t, TCP_ACK);
    *key = t->seg.mptcp.capable.sender_key;
    assert_int_equal(plait_stack_add_addr(t->stack, &SECOND, t->now), 0);
    trace_silent(t);
    return t;
}

static void confirm(struct trace *t, uint64_t key)
{
    struct segment s = {.flags = TCP_ACK, .seq = FLOW_ISS + 1, .ack = t->seg.seq, .window = 65535};
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss.has_ack = true;
    s.mptcp.dss.data_ack = (uint32_t)(key_derive(1, key).idsn + 1);
    trace_send(t, s, NULL, 0);
}

/* A client whose MP_JOIN is under way. */
static struct trace *client_joins(const struct plait_config *config, uint64_t *key)
{
    struct trace *t = client_unconfirmed(config, key);
    confirm(t, *key);
    trace_expect(t, TCP_SYN);
    assert_int_equal(t->seg.mptcp.present, MPO_JOIN_SYN);
    return t;
}

/* Answer the SYN in t->seg, with a bit of the HMAC changed or not. */
static void answer_join(struct trace *t, uint64_t key, uint8_t change)
{
    struct segment answer = {.src = t->seg.dst,
                             .dst = t->seg.src,
                             .flags = TCP_SYN | TCP_ACK,
                             .seq = FLOW_ISS,
                             .ack = t->seg.seq + 1,
                             .window = 65535,
                             .mptcp = {.present = MPO_JOIN_SYNACK}};
    join_hmac(1, TRACE_PEER_KEY, key, 0, t->seg.mptcp.join.nonce, answer.mptcp.join.hmac,
              HMAC_SYNACK_LEN);
    answer.mptcp.join.hmac[0] ^= change;
    trace_send(t, answer, NULL, 0);
}

static struct trace *client_joining(const struct plait_config *config, uint8_t change)
{
    uint64_t key;
    struct trace *t = client_joins(config, &key);
    answer_join(t, key, change);
    return t;
}

/* RFC 8684 3.1: neither by the path manager nor by hand. */
static void no_subflow_before_a_dss(void **state)
{
    struct plait_config config;
    struct plait_endpoint local = {SECOND.addr, 0};
    uint64_t key;
    (void)state;
    plait_config_default(&config);
    config.path_manager = "none";
    struct trace *t = client_unconfirmed(&config, &key);
    assert_int_equal(plait_conn_open_subflow(t->conn, &local, &TRACE_PEER, false, t->now),
                     PLAIT_E_NOT_CONNECTED);
    trace_silent(t);
    confirm(t, key);
    assert_int_equal(plait_conn_open_subflow(t->conn, &local, &TRACE_PEER, false, t->now), 0);
    trace_expect(t, TCP_SYN);
    trace_free(t);
}

static void expect_reset(struct trace *t)
{
    assert_true(trace_next(t));
    assert_true(t->seg.flags & TCP_RST);
    assert_int_equal(t->seg.mptcp.present, MPO_TCPRST);
    assert_int_equal(t->seg.mptcp.tcprst.reason, 1);
}

static void a_join_answered_with_a_wrong_hmac_is_reset(void **state)
{
    struct plait_config config;
    (void)state;
    plait_config_default(&config);
    struct trace *t = client_joining(&config, 1);
    expect_reset(t);
    assert_int_equal(plait_stack_counters(t->stack)->MPJoinSynAckHMacFailure, 1);
    trace_free(t);
}

/* RFC 8684 3.2: the option was eaten on the way back, or on the way there, so
 * that the other end sees a new connection, perhaps one with MP_CAPABLE. */
static void a_join_answered_without_the_option_is_reset(void **state)
{
    (void)state;
    for (unsigned capable = 0; capable < 2; capable++) {
        struct plait_config config;
        uint64_t key;
        plait_config_default(&config);
        struct trace *t = client_joins(&config, &key);
        struct segment answer = {.src = t->seg.dst,
                                 .dst = t->seg.src,
                                 .flags = TCP_SYN | TCP_ACK,
                                 .seq = FLOW_ISS,
                                 .ack = t->seg.seq + 1,
                                 .window = 65535};
        if (capable) {
            answer.mptcp.present = MPO_CAPABLE_KEY;
            answer.mptcp.capable = (struct mptcp_capable){.version = 1,
                                                          .flags = MPC_HMAC,
                                                          .sender_key = TRACE_PEER_KEY + 1};
        }
        trace_send(t, answer, NULL, 0);
        expect_reset(t);
        assert_int_equal(plait_stack_counters(t->stack)->MPJoinSynAckNoMPJoin, 1);
        trace_free(t);
    }
}

/* RFC 8684 3.9.1 asks for the first subflow's ports; the local one is the
 * subflow's own (see handshake.c). */
static void a_join_goes_to_the_first_subflow_s_port_from_its_own(void **state)
{
    struct plait_config config;
    struct plait_conn_info info;
    uint64_t key;
    (void)state;
    plait_config_default(&config);
    struct trace *t = client_joins(&config, &key);
    plait_conn_info(t->conn, &info);
    assert_int_equal(t->seg.dst.port, TRACE_PEER.port);
    assert_int_not_equal(t->seg.src.port, info.local.port);
    trace_free(t);
}

static void a_join_whose_third_ack_is_plain_is_reset(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join_syn(p, 1);
    peer_expect(p, TCP_SYN | TCP_ACK);
    trace_send(p->t, peer_segment(p, 1, 0), NULL, 0);
    expect_reset(p->t);
    assert_int_equal(peer_counters(p)->MPJoinAckNoMPJoin, 1);
    peer_free(p);
}

/* The third ACK is repeated at intervals that double, up to a minute or so,
 * however often one is told to try. */
static void the_third_ack_of_a_join_is_repeated_ever_more_slowly(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.syn_retries = 200;
    struct trace *t = client_joining(&config, 0);
    uint64_t last = t->now, wait = MS(1000);
    (void)state;
    trace_expect(t, TCP_ACK);
    for (unsigned i = 0; i < 100; i++) {
        trace_timer(t);
        trace_expect(t, TCP_ACK);
        assert_int_equal(t->seg.mptcp.present, MPO_JOIN_ACK);
        assert_int_equal(t->now - last, wait);
        wait = wait < MS(64000) ? 2 * wait : wait;
        last = t->now;
    }
    trace_free(t);
}

/* ---- addresses ------------------------------------------------------------------- */

static const struct plait_addr ANNOUNCED = {PLAIT_IPV4, {10, 0, 0, 77}};

/* The peer announces it on the subflow from `from` (zero: the first); how many
 * SYNs go to that port? */
static unsigned syns_after(struct trace *t, struct segment from, uint64_t key, uint16_t port,
                           uint16_t expected)
{
    struct segment s = from;
    struct mptcp_add_addr *a = &s.mptcp.add_addr[0];
    unsigned syns = 0;
    s.mptcp.present = MPO_ADD_ADDR;
    s.mptcp.add_addr_count = 1;
    *a = (struct mptcp_add_addr){
        .addr = ANNOUNCED, .addr_id = 5, .has_hmac = true, .has_port = port != 0, .port = port};
    add_addr_hmac(TRACE_PEER_KEY, key, 5, &ANNOUNCED, port, a->hmac);
    trace_send(t, s, NULL, 0);
    while (trace_next(t))
        syns += (t->seg.flags & TCP_SYN) && t->seg.dst.port == expected &&
                addr_equal(&t->seg.dst.addr, &ANNOUNCED);
    return syns;
}

static unsigned syns_after_add_addr(struct trace *t, uint64_t key, uint32_t ack, uint16_t port,
                                    uint16_t expected)
{
    struct segment s = {.flags = TCP_ACK, .seq = FLOW_ISS + 1, .ack = ack, .window = 65535};
    return syns_after(t, s, key, port, expected);
}

/* RFC 8684 3.4.1: without a port the one of the subflow that brought the
 * address; and another port later is another place to go to. */
static void an_announced_address_is_joined_at_its_port(void **state)
{
    struct plait_config config;
    uint64_t key;
    (void)state;
    plait_config_default(&config);
    struct trace *t = client_unconfirmed(&config, &key);
    uint32_t ack = t->seg.seq;
    confirm(t, key);
    while (trace_next(t))
        ;
    assert_int_equal(syns_after_add_addr(t, key, ack, 0, TRACE_PEER.port), 2); /* from each */
    assert_int_equal(syns_after_add_addr(t, key, ack, 8080, 8080), 2);
    trace_free(t);
}

/* Also where that is not the first one's. */
static void an_announcement_means_the_port_of_its_subflow(void **state)
{
    const struct plait_endpoint local = {SECOND.addr, 0}, at = {TRACE_PEER.addr, 8080};
    struct plait_config config;
    uint64_t key;
    (void)state;
    plait_config_default(&config);
    struct trace *t = client_unconfirmed(&config, &key);
    confirm(t, key);
    while (trace_next(t))
        ;
    assert_int_equal(plait_conn_open_subflow(t->conn, &local, &at, false, t->now), 0);
    trace_expect(t, TCP_SYN);
    struct segment s = {.src = at,
                        .dst = t->seg.src,
                        .flags = TCP_ACK,
                        .seq = FLOW_ISS + 1,
                        .ack = t->seg.seq + 1,
                        .window = 65535};
    answer_join(t, key, 0);
    trace_expect(t, TCP_ACK);
    trace_send(t, s, NULL, 0); /* the fourth ACK: it is established */
    assert_int_equal(syns_after(t, s, key, 0, at.port), 2);
    trace_free(t);
}

/* RFC 8684 3.4.2: what was withdrawn is not used for new subflows. */
static void a_withdrawn_address_is_not_joined(void **state)
{
    static const struct plait_local third = {.addr = {PLAIT_IPV4, {10, 0, 2, 1}}, .mtu = 1500};
    struct plait_config config;
    uint64_t key;
    unsigned syns = 0;
    (void)state;
    plait_config_default(&config);
    struct trace *t = client_unconfirmed(&config, &key);
    uint32_t ack = t->seg.seq;
    confirm(t, key);
    assert_int_equal(syns_after_add_addr(t, key, ack, 0, TRACE_PEER.port), 2);
    struct segment s = {.flags = TCP_ACK, .seq = FLOW_ISS + 1, .ack = ack, .window = 65535};
    s.mptcp = (struct mptcp_options){.present = MPO_REMOVE_ADDR,
                                     .remove_addr_count = 1,
                                     .remove_addr = {5}};
    trace_send(t, s, NULL, 0);
    while (trace_next(t))
        ;
    assert_int_equal(plait_stack_add_addr(t->stack, &third, t->now), 0);
    while (trace_next(t))
        if ((t->seg.flags & TCP_SYN) && addr_equal(&t->seg.src.addr, &third.addr)) {
            assert_false(addr_equal(&t->seg.dst.addr, &ANNOUNCED));
            syns++;
        }
    assert_int_equal(syns, 1); /* to the first address */
    trace_free(t);
}

/* ---- signals -------------------------------------------------------------------- */

/* RFC 8684 3.6: MP_TCPRST says why a RST was sent; on anything else it says nothing. */
static void the_reason_of_a_reset_without_a_reset_means_nothing(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_TCPRST;
    s.mptcp.tcprst.reason = 5;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_counters(p)->MPRstRx, 0);
    s.flags = TCP_RST;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_counters(p)->MPRstRx, 1);
    peer_free(p);
}

/* RFC 8684 3: a signal on a segment that no window explains is not heard. */
static void signals_far_below_the_window_are_not_heard(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 0, 0);
    s.seq -= 16 << 20;
    s.mptcp.present = MPO_REMOVE_ADDR;
    s.mptcp.remove_addr_count = 1;
    s.mptcp.remove_addr[0] = 1;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_counters(p)->RmAddr, 0);
    peer_free(p);
}

/* ---- data ----------------------------------------------------------------------- */

/* RFC 8684 3.3.1: urgent data is data like the rest, at its place. */
static void urgent_data_is_delivered_in_its_place(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    s.flags |= TCP_URG;
    s.urgent = 50;
    peer_map(p, &s, 0, 0, 100);
    peer_send(p, s, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static struct peer *peer_small_buffer(void)
{
    struct plait_config config;
    plait_config_default(&config);
    config.recv_buffer_bytes = config.recv_buffer_max_bytes = 65536;
    return peer_new(&config, false);
}

enum { PIECES_MAX = 65536 / 512 + 512 };

static void as_many_mappings_as_the_window_is_worth(void **state)
{
    struct peer *p = peer_small_buffer();
    (void)state;
    for (uint32_t i = 0; i <= PIECES_MAX; i++) {
        assert_int_equal(peer_counters(p)->DropLimit, 0);
        struct segment s = peer_segment(p, 0, 0);
        peer_map(p, &s, 2 * i + 1, 2 * i + 1, 1);
        trace_send(p->t, s, NULL, 0);
    }
    assert_int_equal(peer_counters(p)->DropLimit, 1);
    assert_int_equal(p->event[PLAIT_EV_MAPPING_DROPPED].why, PLAIT_WHY_LIMIT);
    peer_free(p);
}

static void as_many_pieces_as_the_window_is_worth(void **state)
{
    struct peer *p = peer_small_buffer();
    (void)state;
    peer_join(p, 1);
    for (uint32_t i = 0; i <= PIECES_MAX; i++) {
        assert_int_equal(peer_counters(p)->DropLimit, 0);
        peer_data(p, 1, i, 2 * i + 1, 1);
        while (peer_next(p))
            ;
    }
    assert_int_equal(peer_counters(p)->DropLimit, 1);
    assert_int_equal(peer_info(p).ooo_bytes, PIECES_MAX);
    for (uint32_t i = 0; i <= PIECES_MAX; i++) { /* what was dropped comes again */
        peer_data(p, 0, 2 * i, 2 * i, 2);
        while (peer_next(p))
            ;
    }
    peer_expect_stream(p, 0, 2 * PIECES_MAX + 2);
    peer_free(p);
}

/* Bytes that no mapping covers, one at a time. */
static void as_many_held_pieces_as_the_window_is_worth(void **state)
{
    struct peer *p = peer_small_buffer();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 1, 0, 0, 1); /* so that it is not the first that is missing */
    for (uint32_t i = 0; i <= PIECES_MAX && !p->flows[1].reset; i++) {
        assert_int_equal(peer_counters(p)->DssReset, 0);
        peer_send(p, peer_segment(p, 1, i + 1), i + 1, 1);
    }
    while (peer_next(p))
        ;
    assert_int_equal(peer_counters(p)->DssReset, 1);
    assert_true(p->flows[1].reset);
    peer_free(p);
}

/* An end of the stream below bytes that have come: they came first. */
static void a_data_fin_below_data_that_came_is_ignored(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 1, 0, 1, 100);
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss =
        (struct mptcp_dss){.has_map = true, .data_fin = true, .dsn = p->idsn + 1, .data_len = 1};
    trace_send(p->t, s, NULL, 0);
    plait_stack_check(p->t->stack);
    assert_int_equal(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF, 0);
    peer_data(p, 0, 0, 0, 1);
    peer_expect_stream(p, 0, 101);
    peer_free(p);
}

/* ---- numbers nobody can guess ------------------------------------------------------ */

static uint32_t isn_to(const struct plait_endpoint *remote, uint64_t after_us)
{
    struct trace *t = trace_default();
    t->now += after_us;
    assert_int_equal(plait_connect(t->stack, &TRACE_US, remote, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    uint32_t isn = t->seg.seq;
    trace_free(t);
    return isn;
}

/* RFC 6528 3: a secret function of the 4-tuple, and a clock of 4 us. */
static void initial_sequence_numbers_follow_rfc_6528(void **state)
{
    struct plait_endpoint other = TRACE_PEER;
    other.port++;
    (void)state;
    uint32_t isn = isn_to(&TRACE_PEER, 0);
    assert_int_equal(isn_to(&TRACE_PEER, 4000), isn + 1000);
    assert_int_not_equal(isn_to(&other, 0), isn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_answered_by_version_and_flags),
        cmocka_unit_test(answers_are_taken_by_version_and_flags),
        cmocka_unit_test(plain_first_data_means_plain_tcp),
        cmocka_unit_test(no_subflow_before_a_dss),
        cmocka_unit_test(a_join_answered_with_a_wrong_hmac_is_reset),
        cmocka_unit_test(a_join_answered_without_the_option_is_reset),
        cmocka_unit_test(a_join_goes_to_the_first_subflow_s_port_from_its_own),
        cmocka_unit_test(a_join_whose_third_ack_is_plain_is_reset),
        cmocka_unit_test(the_third_ack_of_a_join_is_repeated_ever_more_slowly),
        cmocka_unit_test(an_announced_address_is_joined_at_its_port),
        cmocka_unit_test(an_announcement_means_the_port_of_its_subflow),
        cmocka_unit_test(a_withdrawn_address_is_not_joined),
        cmocka_unit_test(the_reason_of_a_reset_without_a_reset_means_nothing),
        cmocka_unit_test(signals_far_below_the_window_are_not_heard),
        cmocka_unit_test(urgent_data_is_delivered_in_its_place),
        cmocka_unit_test(as_many_mappings_as_the_window_is_worth),
        cmocka_unit_test(as_many_pieces_as_the_window_is_worth),
        cmocka_unit_test(as_many_held_pieces_as_the_window_is_worth),
        cmocka_unit_test(a_data_fin_below_data_that_came_is_ignored),
        cmocka_unit_test(initial_sequence_numbers_follow_rfc_6528),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
