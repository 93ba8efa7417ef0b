/* SPDX-License-Identifier: MIT
 *
 * Traces against a whole stack: hand it a segment written as a literal, take
 * the next one it sends, in virtual time. The peer is the test itself, with
 * keys of its own.
 */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "mptcp/keys.h"
#include "plait/plait.h"
#include "wire/checksum.h"
#include "wire/offload.h"
#include "wire/segment.h"

#define MS(n) ((uint64_t)(n)*1000)

static const struct plait_endpoint TRACE_US = {{PLAIT_IPV4, {10, 0, 0, 1}}, 5000};
static const struct plait_endpoint TRACE_PEER = {{PLAIT_IPV4, {10, 0, 0, 2}}, 80};
static const uint64_t TRACE_PEER_KEY = 0x1112131415161718;

struct trace {
    struct plait_stack *stack;
    struct plait_listener *listener;
    struct plait_conn *conn;
    uint64_t now;
    uint64_t allocated; /* bytes the stack holds */
    struct segment seg; /* the last one it sent */
    uint8_t packet[70000];
    uint8_t in[70000];
};

static void *trace_alloc(void *ctx, size_t size)
{
    *(uint64_t *)ctx += size;
    return malloc(size);
}

static void trace_release(void *ctx, void *ptr, size_t size)
{
    *(uint64_t *)ctx -= size;
    free(ptr);
}

static inline struct trace *trace_new(const struct plait_config *base)
{
    struct trace *t = calloc(1, sizeof *t);
    struct plait_config config = *base;
    struct plait_local local = {.addr = TRACE_US.addr, .mtu = 1500};
    config.allocator = (struct plait_allocator){&t->allocated, trace_alloc, trace_release};
    memset(config.secret, 7, sizeof config.secret);
    t->now = MS(1000);
    assert_int_equal(plait_stack_new(&config, t->now, &t->stack), 0);
    assert_int_equal(plait_stack_add_addr(t->stack, &local, t->now), 0);
    return t;
}

static inline struct trace *trace_default(void)
{
    struct plait_config config;
    plait_config_default(&config);
    return trace_new(&config);
}

static inline void trace_free(struct trace *t)
{
    plait_stack_free(t->stack);
    assert_int_equal(t->allocated, 0);
    free(t);
}

/* The third ACK of the SYN/ACK in t->seg has both keys, if that had ours. */
static inline void trace_put_keys(const struct trace *t, struct segment *ack)
{
    const struct mptcp_capable *c = &t->seg.mptcp.capable;
    if (!(t->seg.mptcp.present & MPO_CAPABLE_KEY))
        return;
    ack->mptcp.present = MPO_CAPABLE_KEYS;
    ack->mptcp.capable = (struct mptcp_capable){.version = 1,
                                                .flags = c->flags,
                                                .sender_key = TRACE_PEER_KEY,
                                                .receiver_key = c->sender_key};
}

/* The next segment the stack sends is in t->seg, or false. */
static inline bool trace_next(struct trace *t)
{
    struct plait_packet_tx tx;
    plait_stack_check(t->stack);
    if (!plait_stack_tx(t->stack, t->now, &tx))
        return false;
    struct plait_packet_rx rx = {.data = t->packet};
    rx.len = (uint32_t)offload_write(&tx, 0, t->packet, sizeof t->packet);
    assert_int_equal(segment_decode(&rx, &t->seg), SEGMENT_OK);
    plait_stack_check(t->stack);
    return true;
}

static inline void trace_silent(struct trace *t)
{
    assert_false(trace_next(t));
}

/* The next segment has exactly these TCP flags (PSH left out). */
static inline void trace_expect(struct trace *t, uint8_t flags)
{
    assert_true(trace_next(t));
    assert_int_equal(t->seg.flags & ~TCP_PSH, flags);
}

/* Let time pass; timers that fall due run. */
static inline void trace_wait(struct trace *t, uint64_t us)
{
    uint64_t end = t->now + us;
    for (uint64_t at; (at = plait_stack_deadline(t->stack)) <= end;) {
        t->now = at > t->now ? at : t->now;
        plait_stack_tick(t->stack, t->now);
        plait_stack_check(t->stack);
        struct plait_packet_tx unused;
        if (plait_stack_deadline(t->stack) <= t->now && !plait_stack_tx(t->stack, t->now, &unused))
            break;
    }
    t->now = end;
}

/* Run the next timer, however far away. */
static inline void trace_timer(struct trace *t)
{
    uint64_t at = plait_stack_deadline(t->stack);
    assert_true(at != UINT64_MAX);
    t->now = at > t->now ? at : t->now;
    plait_stack_tick(t->stack, t->now);
}

/* Hand the stack a segment. Zero src and dst mean from TRACE_PEER to the
 * address that the last segment came from. */
static inline void trace_send(struct trace *t, struct segment seg, const void *payload,
                              uint32_t len)
{
    struct plait_packet_tx tx;
    struct plait_iov iov = {payload, len};
    if (seg.src.port == 0)
        seg.src = TRACE_PEER;
    if (seg.dst.port == 0)
        seg.dst = TRACE_US;
    segment_encode(&seg, &iov, len ? 1 : 0, 0, &tx);
    struct plait_packet_rx rx = {.data = t->in};
    rx.len = (uint32_t)offload_write(&tx, 0, t->in, sizeof t->in);
    plait_stack_rx(t->stack, &rx, t->now);
    plait_stack_check(t->stack);
}

/* The same with one more option, written as bytes (a multiple of four). */
static inline void trace_send_raw_option(struct trace *t, const struct segment seg,
                                         const uint8_t *option, uint32_t len)
{
    enum { IPV4_LEN = 20, TCP_OFFSET = 12, TOTAL_LEN = 2, IP_SUM = 10 };
    struct plait_packet_tx tx;
    segment_encode(&seg, NULL, 0, 0, &tx);
    struct plait_packet_rx rx = {.data = t->in, .csum_ok = true};
    rx.len = (uint32_t)offload_write(&tx, 0, t->in, sizeof t->in) + len;
    memcpy(t->in + rx.len - len, option, len);
    t->in[IPV4_LEN + TCP_OFFSET] = (uint8_t)(t->in[IPV4_LEN + TCP_OFFSET] + (len / 4 << 4));
    put_be16(t->in + TOTAL_LEN, (uint16_t)rx.len);
    put_be16(t->in + IP_SUM, 0);
    put_be16(t->in + IP_SUM, (uint16_t)~csum_partial(t->in, IPV4_LEN));
    plait_stack_rx(t->stack, &rx, t->now);
    plait_stack_check(t->stack);
}

#endif
