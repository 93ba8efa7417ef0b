/* SPDX-License-Identifier: MIT
 *
 * What the traces of both ends of a fallback have in common: signals that a
 * peer sends, and what is expected of the stack.
 */
#ifndef FALLBACK_TRACE_H
#define FALLBACK_TRACE_H

#include "mptcp_trace.h"

static inline void expect_fallback(const struct peer *p, enum plait_reason why)
{
    assert_false(peer_info(p).multipath);
    assert_int_equal(peer_info(p).fallback_why, why);
    assert_int_equal(p->events[PLAIT_EV_CONN_FALLBACK], 1);
    assert_int_equal(p->event[PLAIT_EV_CONN_FALLBACK].why, why);
}

static inline void expect_reset(const struct peer *p, unsigned flow, uint32_t options,
                                uint8_t reason)
{
    assert_true(p->flows[flow].reset);
    assert_int_equal(p->flows[flow].reset_options, options);
    assert_int_equal(p->flows[flow].reset_reason, reason);
}

/* An infinite mapping: subflow offset `offset` is stream position pos. */
static inline void map_infinite(const struct peer *p, struct segment *s, uint64_t pos,
                                uint32_t offset)
{
    peer_map(p, s, pos, offset, 0);
    s->mptcp.dss.checksum = 0;
}

/* Data under no mapping at all. */
static inline void send_plain(struct peer *p, unsigned flow, uint32_t offset, uint64_t pos,
                              uint16_t len)
{
    peer_send(p, peer_segment(p, flow, offset), pos, len);
}

static inline void send_fail(struct peer *p, unsigned flow, uint32_t offset, uint64_t dsn)
{
    struct segment s = peer_segment(p, flow, offset);
    s.mptcp = (struct mptcp_options){.present = MPO_FAIL, .fail_dsn = dsn};
    trace_send(p->t, s, NULL, 0);
}

/* MP_FAIL beside a DATA_ACK of the same, as one sends that waits. */
static inline void send_fail_holding(struct peer *p, unsigned flow, uint32_t offset, uint64_t bytes)
{
    struct segment s = peer_segment(p, flow, offset);
    uint64_t dsn = p->our_idsn + 1 + bytes;
    s.mptcp = (struct mptcp_options){.present = MPO_FAIL | MPO_DSS,
                                     .fail_dsn = dsn,
                                     .dss = {.has_ack = true, .data_ack = dsn}};
    trace_send(p->t, s, NULL, 0);
}

/* A keepalive, or a probe of the window: no payload, an old sequence number. */
static inline void send_probe(struct peer *p, unsigned flow, uint32_t offset, uint8_t flags)
{
    struct segment s = peer_segment(p, flow, offset);
    s.seq--;
    s.flags |= flags;
    trace_send(p->t, s, NULL, 0);
}

static inline void send_knock(struct peer *p, unsigned flow, uint32_t offset)
{
    send_probe(p, flow, offset, TCP_PSH);
}

static inline void say(struct peer *p, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(plait_conn_write(p->t->conn, text, len, p->t->now), len);
}

static inline void expect_payload(struct peer *p, const char *text)
{
    assert_true(peer_next(p));
    assert_int_equal(p->t->seg.payload_len, strlen(text));
    assert_memory_equal(p->t->seg.payload, text, strlen(text));
}

/* The same, but it may take a timer or an ACK before it. */
static inline void await_payload(struct peer *p, const char *text)
{
    for (int i = 0; i < 20; i++, trace_timer(p->t))
        while (peer_next(p))
            if (p->t->seg.payload_len) {
                assert_int_equal(p->t->seg.payload_len, strlen(text));
                assert_memory_equal(p->t->seg.payload, text, strlen(text));
                return;
            }
    fail_msg("no \"%s\"", text);
}

/* The segment carries the stack's infinite mapping of this stream position. */
static inline void expect_infinite(const struct peer *p, uint64_t bytes, uint32_t ssn)
{
    const struct mptcp_dss *d = &p->t->seg.mptcp.dss;
    assert_true(p->t->seg.mptcp.present & MPO_DSS);
    assert_true(d->has_map);
    assert_int_equal(d->data_len, 0);
    assert_int_equal(d->dsn, (uint32_t)(p->our_idsn + 1 + bytes));
    assert_int_equal(d->ssn, ssn);
    assert_int_equal(d->checksum, 0);
}

/* 100 right bytes, then 100 that were changed; the stack has asked twice. */
static inline struct peer *peer_changed(void)
{
    struct peer *p = peer_checksum();
    peer_data(p, 0, 0, 0, 100);
    peer_settle(p);
    peer_expect_stream(p, 0, 100);
    peer_send_changed(p, 0, 100, 100, 100);
    for (int i = 0; i < 2; i++) {
        const struct segment *s = peer_expect(p, TCP_ACK);
        assert_int_equal(s->mptcp.present, MPO_FAIL | MPO_DSS);
        assert_int_equal(s->mptcp.fail_dsn, p->idsn + 101);
        peer_expect_data_ack(p, 100);
    }
    assert_false(peer_next(p));
    assert_int_equal(peer_counters(p)->DataCsumErr, 1);
    peer_expect_stream(p, 100, 0);
    assert_true(peer_info(p).multipath); /* until the peer has answered */
    return p;
}

#endif
