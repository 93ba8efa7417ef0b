/* SPDX-License-Identifier: MIT
 *
 * A peer with a memory, for traces behind the handshake: it knows the keys,
 * where each of its subflows stands and what came back on it. The stack under
 * test is the server. The byte at position p of the peer's stream is
 * stream_byte(p); position 0 has DSN IDSN + 1, and offset 0 of a subflow SSN 1.
 */
#ifndef MPTCP_TRACE_H
#define MPTCP_TRACE_H

#include "engine_trace.h"
#include "wire/checksum.h"

enum { FLOWS_MAX = 8, FLOW_ISS = 1000 };

struct flow {
    struct plait_endpoint at;
    uint32_t rcv_nxt; /* next sequence number of the stack's here */
    bool reset;       /* the stack sent RST, and what was on it: */
    uint32_t reset_options;
    uint8_t reset_reason;
    bool reset_transient;
};

struct peer {
    struct trace *t;
    struct plait_endpoint us;   /* the stack's address that the peer talks to */
    uint64_t our_key, our_idsn; /* the stack's */
    uint64_t idsn;              /* the peer's */
    uint8_t version;
    bool checksum;
    struct flow flows[FLOWS_MAX];
    struct mptcp_dss dss; /* the last one with a DATA_ACK */
    unsigned segments;    /* that came back in all */
    unsigned events[PLAIT_EV_COUNT];
    struct plait_event event[PLAIT_EV_COUNT]; /* the last of each */
};

static inline uint8_t stream_byte(uint64_t pos)
{
    return (uint8_t)(pos * 7 + pos / 251);
}

static inline struct plait_conn_info peer_info(const struct peer *p)
{
    struct plait_conn_info info;
    plait_conn_info(p->t->conn, &info);
    return info;
}

static inline const struct plait_counters *peer_counters(const struct peer *p)
{
    return plait_stack_counters(p->t->stack);
}

/* ---- what the stack sends ------------------------------------------------------ */

static inline struct flow *flow_by_port(struct peer *p, uint16_t port)
{
    for (unsigned i = 0; i < FLOWS_MAX; i++)
        if (p->flows[i].at.port == port)
            return &p->flows[i];
    fail_msg("a segment to port %u, where nobody is", port);
    return NULL;
}

/* Take the next segment in, if there is one; it is in p->t->seg too. */
static inline bool peer_next(struct peer *p)
{
    if (!trace_next(p->t))
        return false;
    const struct segment *s = &p->t->seg;
    struct flow *f = flow_by_port(p, s->dst.port);
    uint32_t end = s->seq + segment_seq_len(s);
    p->segments++;
    if (s->flags & TCP_RST) {
        f->reset = true;
        f->reset_options = s->mptcp.present;
        f->reset_reason = s->mptcp.present & MPO_TCPRST ? s->mptcp.tcprst.reason : 0;
        f->reset_transient = (s->mptcp.present & MPO_TCPRST) && s->mptcp.tcprst.transient;
    } else if ((s->flags & TCP_SYN) || (int32_t)(end - f->rcv_nxt) > 0) {
        f->rcv_nxt = end;
    }
    if ((s->mptcp.present & MPO_DSS) && s->mptcp.dss.has_ack)
        p->dss = s->mptcp.dss;
    return true;
}

/* The next segment has these flags (PSH left out). */
static inline const struct segment *peer_expect(struct peer *p, uint8_t flags)
{
    assert_true(peer_next(p));
    assert_int_equal(p->t->seg.flags & ~TCP_PSH, flags);
    return &p->t->seg;
}

/* Let time pass and take everything in; returns how many segments came. */
static inline unsigned peer_wait(struct peer *p, uint64_t us)
{
    struct trace *t = p->t;
    unsigned before = p->segments;
    uint64_t end = t->now + us;
    for (;;) {
        while (peer_next(p))
            ;
        uint64_t at = plait_stack_deadline(t->stack);
        if (at > end)
            break;
        t->now = at > t->now ? at : t->now;
        plait_stack_tick(t->stack, t->now);
    }
    t->now = end;
    return p->segments - before;
}

/* Long enough for a delayed ACK. */
static inline unsigned peer_settle(struct peer *p)
{
    return peer_wait(p, MS(50));
}

/* ---- what the peer sends ------------------------------------------------------- */

/* An ACK on a subflow, at an offset of the peer's bytes there. */
static inline struct segment peer_segment(const struct peer *p, unsigned flow, uint32_t offset)
{
    return (struct segment){.src = p->flows[flow].at,
                            .dst = p->us,
                            .flags = TCP_ACK,
                            .seq = FLOW_ISS + 1 + offset,
                            .ack = p->flows[flow].rcv_nxt,
                            .window = 65535};
}

/* Add a mapping of stream position pos at a subflow's offset, with a right
 * checksum where one was negotiated. */
static inline void peer_map(const struct peer *p, struct segment *s, uint64_t pos, uint32_t offset,
                            uint16_t len)
{
    struct mptcp_dss *d = &s->mptcp.dss;
    s->mptcp.present |= MPO_DSS;
    d->has_map = true;
    d->dsn = p->idsn + 1 + pos;
    d->ssn = offset + 1;
    d->data_len = len;
    d->has_checksum = p->checksum;
    if (p->checksum) {
        static uint8_t bytes[UINT16_MAX];
        for (uint16_t i = 0; i < len; i++)
            bytes[i] = stream_byte(pos + i);
        d->checksum = csum_dss(d->dsn, d->ssn, len, csum_partial(bytes, len));
    }
}

/* Send it with `len` bytes of the stream from position pos. */
static inline void peer_send(struct peer *p, struct segment s, uint64_t pos, uint32_t len)
{
    static uint8_t bytes[UINT16_MAX];
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = stream_byte(pos + i);
    trace_send(p->t, s, bytes, len);
}

/* Bytes under a mapping of their own. */
static inline void peer_data(struct peer *p, unsigned flow, uint32_t offset, uint64_t pos,
                             uint16_t len)
{
    struct segment s = peer_segment(p, flow, offset);
    peer_map(p, &s, pos, offset, len);
    peer_send(p, s, pos, len);
}

/* An ACK with the DATA_ACK of `bytes` of the stack's stream. */
static inline void peer_data_ack(struct peer *p, unsigned flow, uint32_t offset, uint64_t bytes)
{
    struct segment s = peer_segment(p, flow, offset);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = p->our_idsn + 1 + bytes};
    trace_send(p->t, s, NULL, 0);
}

/* A DATA_FIN at stream position pos, on its own. */
static inline void peer_data_fin(struct peer *p, unsigned flow, uint32_t offset, uint64_t pos)
{
    struct segment s = peer_segment(p, flow, offset);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){
        .has_map = true, .dsn = p->idsn + 1 + pos, .ssn = 0, .data_len = 1, .data_fin = true};
    trace_send(p->t, s, NULL, 0);
}

/* A FIN of the subflow, with the DATA_ACK of `bytes` of the stack's stream. */
static inline void peer_fin(struct peer *p, unsigned flow, uint32_t offset, uint64_t bytes)
{
    struct segment s = peer_segment(p, flow, offset);
    s.flags |= TCP_FIN;
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_ack = true, .data_ack = p->our_idsn + 1 + bytes};
    trace_send(p->t, s, NULL, 0);
}

/* RST on a subflow; with MP_FASTCLOSE the whole connection's. */
static inline void peer_reset(struct peer *p, unsigned flow, uint32_t offset, bool fastclose)
{
    struct segment s = peer_segment(p, flow, offset);
    s.flags |= TCP_RST;
    if (fastclose) {
        s.mptcp.present = MPO_FASTCLOSE;
        s.mptcp.fastclose_key = p->our_key;
    }
    trace_send(p->t, s, NULL, 0);
}

/* ---- what the application of the stack reads ----------------------------------- */

/* Exactly the stream's bytes from pos to pos + len can be read now. */
static inline void peer_expect_stream(struct peer *p, uint64_t pos, uint32_t len)
{
    static uint8_t bytes[1 << 20];
    int64_t n = plait_conn_read(p->t->conn, bytes, sizeof bytes, p->t->now);
    assert_int_equal(n, len ? (int64_t)len : PLAIT_E_AGAIN);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(bytes[i], stream_byte(pos + i));
    plait_stack_check(p->t->stack);
}

/* The stack has DATA_ACKed `bytes` of the stream. */
static inline void peer_expect_data_ack(const struct peer *p, uint64_t bytes)
{
    uint64_t ack = p->idsn + 1 + bytes;
    assert_int_equal(p->dss.data_ack, p->dss.ack64 ? ack : (uint32_t)ack);
}

/* ---- handshakes ------------------------------------------------------------------ */

static inline void peer_event(void *ctx, const struct plait_event *event)
{
    struct peer *p = ctx;
    p->events[event->type]++;
    p->event[event->type] = *event;
}

static inline void peer_syn(struct peer *p, unsigned flow, struct mptcp_options mptcp)
{
    trace_send(p->t,
               (struct segment){.src = p->flows[flow].at,
                                .dst = p->us,
                                .flags = TCP_SYN,
                                .seq = FLOW_ISS,
                                .window = 65535,
                                .tcp = {.present = OPT_MSS, .mss = 1460},
                                .mptcp = mptcp},
               NULL, 0);
}

/* A connection on which the handshake is all that has come. */
static inline struct peer *peer_fresh(const struct plait_config *base, uint8_t version,
                                      bool checksum)
{
    struct peer *p = calloc(1, sizeof *p);
    struct plait_config config = *base;
    config.sink = (struct plait_event_sink){p, peer_event};
    config.burst_max_bytes = 0;
    p->t = trace_new(&config);
    p->us = TRACE_US;
    p->checksum = checksum;
    p->version = version;
    p->idsn = key_derive(version, TRACE_PEER_KEY).idsn;
    for (uint8_t i = 0; i < FLOWS_MAX; i++)
        p->flows[i].at = (struct plait_endpoint){{PLAIT_IPV4, {10, 0, i, 2}}, (uint16_t)(4000 + i)};
    uint8_t flags = MPC_HMAC | (checksum ? MPC_CHECKSUM : 0);
    assert_int_equal(plait_listen(p->t->stack, &TRACE_US, NULL, &p->t->listener), 0);
    peer_syn(p, 0,
             (struct mptcp_options){
                 .present = version ? MPO_CAPABLE_SYN : MPO_CAPABLE_KEY,
                 .capable = {.version = version, .flags = flags, .sender_key = TRACE_PEER_KEY}});
    p->our_key = peer_expect(p, TCP_SYN | TCP_ACK)->mptcp.capable.sender_key;
    p->our_idsn = key_derive(version, p->our_key).idsn;
    struct segment ack = peer_segment(p, 0, 0);
    ack.mptcp.present = MPO_CAPABLE_KEYS;
    ack.mptcp.capable = (struct mptcp_capable){.version = version,
                                               .flags = flags,
                                               .sender_key = TRACE_PEER_KEY,
                                               .receiver_key = p->our_key};
    trace_send(p->t, ack, NULL, 0);
    p->t->conn = plait_accept(p->t->listener);
    assert_non_null(p->t->conn);
    assert_true(peer_info(p).multipath);
    return p;
}

/* A connection whose first DSS has come; what the stack says to that waits. */
static inline struct peer *peer_new_version(const struct plait_config *base, uint8_t version,
                                            bool checksum)
{
    struct peer *p = peer_fresh(base, version, checksum);
    peer_data_ack(p, 0, 0, 0);
    assert_true(peer_info(p).multipath);
    return p;
}

static inline struct peer *peer_new(const struct plait_config *base, bool checksum)
{
    return peer_new_version(base, 1, checksum);
}

static inline struct peer *peer_default(void)
{
    struct plait_config config;
    plait_config_default(&config);
    return peer_new(&config, false);
}

static inline struct peer *peer_checksum(void)
{
    struct plait_config config;
    plait_config_default(&config);
    return peer_new(&config, true);
}

/* Bytes whose checksum does not match: as if changed on the way. */
static inline void peer_send_changed(struct peer *p, unsigned flow, uint32_t offset, uint64_t pos,
                                     uint16_t len)
{
    struct segment s = peer_segment(p, flow, offset);
    peer_map(p, &s, pos, offset, len);
    s.mptcp.dss.checksum ^= 0x0100;
    peer_send(p, s, pos, len);
}

static inline void peer_free(struct peer *p)
{
    trace_free(p->t);
    free(p);
}

/* MP_JOIN's SYN on a subflow: its number is its address ID and nonce too. */
static inline void peer_join_syn(struct peer *p, unsigned flow)
{
    peer_syn(p, flow,
             (struct mptcp_options){.present = MPO_JOIN_SYN,
                                    .join = {.addr_id = (uint8_t)flow,
                                             .token = key_derive(p->version, p->our_key).token,
                                             .nonce = flow}});
}

static inline void peer_join(struct peer *p, unsigned flow)
{
    peer_join_syn(p, flow);
    uint32_t nonce = peer_expect(p, TCP_SYN | TCP_ACK)->mptcp.join.nonce;
    struct segment ack = peer_segment(p, flow, 0);
    ack.mptcp.present = MPO_JOIN_ACK;
    join_hmac(p->version, TRACE_PEER_KEY, p->our_key, flow, nonce, ack.mptcp.join.hmac,
              HMAC_ACK_LEN);
    trace_send(p->t, ack, NULL, 0);
    peer_expect(p, TCP_ACK);
}

#endif
