/* SPDX-License-Identifier: MIT
 *
 * Tests of one struct tcp as traces: the test is the peer. Time is virtual,
 * a segment is a struct literal, and what is not named is zero.
 *
 *   open_active(w);
 *   AT(w, 10); SEND(w, .flags = TCP_ACK, .seq = THEM, .ack = US + 1000);
 *   EXPECT(w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + 1000, .len = 500);
 *   EXPECT_NONE(w);
 *
 * Numbers: our SYN is ISS, so our first byte is US = ISS + 1; the peer's SYN
 * is IRS and its first byte THEM. Segments carry 1000 bytes, windows are not
 * scaled, there are no timestamps and no pacing unless a test wants them.
 */
#ifndef TESTS_TCP_TRACE_H
#define TESTS_TCP_TRACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cc/cc.h"
#include "tcp/internal.h"

#define ISS UINT32_C(0xfffffc00) /* so that every longer trace wraps */
#define IRS UINT32_C(0x7ffffff0)
#define US (ISS + 1)
#define THEM (IRS + 1)
enum { MSS = 1000, WINDOW = 60000 };

/* SEND and EXPECT have defaults that a test names again to change. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

struct world {
    struct mem mem;
    struct tcp_env env;
    struct tcp_config config;
    struct tcp tcp;
    struct tcp_ask ask;
    struct tcp_result r;
    struct tcp_plan plan;
    uint64_t start_us, now_us;
    uint32_t flags; /* every result flag since they were cleared */
    uint8_t fill;
};

struct spec {
    uint8_t flags;
    uint32_t seq, ack, len;
    uint16_t window, gso;
    uint32_t options; /* extra bits for tcp.present */
    uint16_t mss;
    uint8_t wscale;
    uint32_t tsval, tsecr;
    unsigned sacks;
    struct sack_block sack[SACK_BLOCKS_MAX];
    uint32_t mptcp;
    uint8_t ecn;
};

static void *trace_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}
static void trace_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static inline struct plait_endpoint trace_endpoint(uint8_t last, uint16_t port)
{
    struct plait_endpoint e = {.port = port};
    e.addr.family = PLAIT_IPV4;
    e.addr.bytes[0] = 10;
    e.addr.bytes[3] = last;
    return e;
}

static inline void world_init(struct world *w)
{
    static const struct plait_allocator alloc = {NULL, trace_alloc, trace_release};
    memset(w, 0, sizeof *w);
    mem_init(&w->mem, &alloc, 0);
    tcp_env_init(&w->env, &w->mem);
    w->config = tcp_config_default;
    w->config.timestamps = w->config.pacing = false;
    w->config.rcv_wscale = 0;
    w->config.burst_max_bytes = 0;
    w->config.mss_max = MSS;
    w->ask.window_bytes = WINDOW;
    w->start_us = w->now_us = 1000000000;
}

static inline void world_make(struct world *w)
{
    struct plait_endpoint local = trace_endpoint(1, 1000), remote = trace_endpoint(2, 80);
    tcp_init(&w->tcp, &w->env, &w->config, &cc_newreno, &local, &remote, 1500, w->now_us);
    tcp_check(&w->tcp);
}

static inline void world_free(struct world *w)
{
    tcp_free(&w->tcp);
    tcp_env_free(&w->env);
    assert_int_equal(w->mem.used_bytes, 0);
}

static inline void note(struct world *w)
{
    w->flags |= w->r.flags;
    tcp_check(&w->tcp);
}

/* Let time pass to so many milliseconds from the start; timers run when due. */
static inline void AT_us(struct world *w, uint64_t us)
{
    uint64_t to = w->start_us + us;
    assert_true(to >= w->now_us);
    while (tcp_deadline(&w->tcp) <= to) {
        uint64_t due = tcp_deadline(&w->tcp);
        w->now_us = due > w->now_us ? due : w->now_us;
        tcp_tick(&w->tcp, w->now_us, &w->r);
        note(w);
    }
    w->now_us = to;
    tcp_tick(&w->tcp, w->now_us, &w->r);
    note(w);
}
#define AT(w, ms) AT_us((w), (uint64_t)(ms)*1000)

/* Milliseconds from now to the next timer; UINT64_MAX: none. */
static inline uint64_t next_ms(const struct world *w)
{
    uint64_t d = tcp_deadline(&w->tcp);
    return d == UINT64_MAX ? d : (d - w->now_us) / 1000;
}

static inline void build(struct world *w, const struct spec *s, struct segment *seg)
{
    segment_clear(seg);
    seg->src = w->tcp.remote;
    seg->dst = w->tcp.local;
    seg->flags = s->flags;
    seg->seq = s->seq;
    seg->ack = s->ack;
    seg->window = s->window;
    seg->gso_size = s->gso;
    seg->tcp.present = s->options;
    seg->tcp.mss = s->mss ? s->mss : MSS;
    seg->tcp.wscale = s->wscale;
    seg->tcp.tsval = s->tsval;
    seg->tcp.tsecr = s->tsecr;
    seg->tcp.sack_count = (uint8_t)s->sacks;
    memcpy(seg->tcp.sack, s->sack, sizeof s->sack);
    if (s->sacks)
        seg->tcp.present |= OPT_SACK;
    if (s->tsval)
        seg->tcp.present |= OPT_TIMESTAMP;
    seg->mptcp.present = s->mptcp;
    seg->ecn = s->ecn;
}

static inline void send_spec(struct world *w, struct spec s)
{
    struct segment seg;
    struct plait_chunk *c = NULL;
    build(w, &s, &seg);
    if (s.len) {
        c = chunk_new(&w->mem, s.len);
        memset(c->data, w->fill, s.len);
        seg.chunk = c;
        seg.payload = c->data;
        seg.payload_len = s.len;
    }
    tcp_input(&w->tcp, &seg, w->now_us, &w->r);
    chunk_unref(c);
    note(w);
}
/* The peer's window is WINDOW unless the test says otherwise. */
#define SEND(w, ...) send_spec((w), (struct spec){.window = WINDOW, __VA_ARGS__})

static inline void expect_spec(struct world *w, enum tcp_plan_kind kind, struct spec s,
                               const char *file, int line)
{
    char got[256] = "nothing";
    bool any = tcp_plan(&w->tcp, w->now_us, &w->ask, &w->plan);
    const struct segment *p = &w->plan.seg;
    if (any)
        segment_format(p, got, sizeof got);
    bool same = any && w->plan.kind == kind && p->flags == s.flags && p->seq == s.seq &&
                w->plan.payload_len == s.len && w->plan.gso_size == s.gso &&
                (!(s.flags & TCP_ACK) || p->ack == s.ack) && (!s.window || p->window == s.window) &&
                (p->tcp.present & OPT_SACK ? p->tcp.sack_count : 0) == s.sacks;
    for (unsigned i = 0; same && i < s.sacks; i++)
        same = p->tcp.sack[i].left == s.sack[i].left && p->tcp.sack[i].right == s.sack[i].right;
    if (!same) {
        print_error("%s:%d: expected kind %d flags %02x seq %u (US+%d) ack %u len %u gso %u "
                    "sacks %u\n  got kind %d: %s gso %u (US+%d, THEM+%d)\n",
                    file, line, (int)kind, s.flags, s.seq, (int)(s.seq - US), s.ack, s.len, s.gso,
                    s.sacks, (int)w->plan.kind, got, w->plan.gso_size, (int)(p->seq - US),
                    (int)(p->ack - THEM));
        fail();
    }
    tcp_sent(&w->tcp, &w->plan, w->now_us, &w->r);
    note(w);
}
/* What tcp_plan gives next; it is then sent. The ACK is THEM unless named. */
#define EXPECT(w, kind, ...)                                                                       \
    expect_spec((w), TCP_PLAN_##kind, (struct spec){.flags = TCP_ACK, .ack = THEM, __VA_ARGS__},   \
                __FILE__, __LINE__)

static inline void expect_none(struct world *w, const char *file, int line)
{
    char got[256];
    if (!tcp_plan(&w->tcp, w->now_us, &w->ask, &w->plan))
        return;
    segment_format(&w->plan.seg, got, sizeof got);
    print_error("%s:%d: expected nothing, got kind %d: %s\n", file, line, (int)w->plan.kind, got);
    fail();
}
#define EXPECT_NONE(w) expect_none((w), __FILE__, __LINE__)
#define EXPECT_STATE(w, s)                                                                         \
    assert_string_equal(tcp_state_name((w)->tcp.state), tcp_state_name(TCP_##s))

static inline void push_flagged(struct world *w, uint32_t len, bool push)
{
    struct plait_chunk *c[2] = {chunk_new(&w->mem, len), NULL};
    struct tcp_map map = {.dsn = 7};
    assert_true(tcp_push(&w->tcp, c, 0, len, &map, push));
    chunk_unref(c[0]);
    tcp_check(&w->tcp);
}
static inline void push(struct world *w, uint32_t len)
{
    push_flagged(w, len, true);
}

/* Send segments first .. last-1 of the stream, a record each. */
static inline void send_range(struct world *w, unsigned first, unsigned last)
{
    for (unsigned i = first; i < last; i++)
        push(w, MSS);
    for (unsigned i = first; i < last; i++)
        EXPECT(w, DATA, .flags = TCP_ACK | TCP_PSH, .seq = US + i * MSS, .len = MSS);
}

/* Bytes delivered in order since the last call. */
static inline uint32_t take(struct world *w)
{
    struct tcp_piece piece;
    uint32_t n = 0;
    while (tcp_next_in_order(&w->tcp, &piece)) {
        n += piece.len;
        chunk_unref(piece.chunk);
    }
    tcp_check(&w->tcp);
    return n;
}

/* ESTABLISHED at AT(0) with a round trip of 100 ms, begun 100 ms before. */
static inline void open_config(struct world *w)
{
    world_make(w);
    w->now_us -= 100000;
    w->tcp.now_us = w->now_us;
    tcp_connect(&w->tcp, ISS, w->now_us);
    EXPECT(w, SYN, .flags = TCP_SYN, .seq = ISS);
    w->now_us += 100000;
    SEND(w, .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = US,
         .options = OPT_MSS | (w->config.sack ? OPT_SACK_OK : 0),
         .tsval = w->config.timestamps ? 1 : 0,
         .tsecr = w->config.timestamps ? w->plan.seg.tcp.tsval : 0);
    assert_true(w->r.flags & TCP_R_ESTABLISHED);
    EXPECT(w, ACK, .seq = US);
    EXPECT_NONE(w);
    w->tcp.receiver.quick = 0;
    w->flags = 0;
}
static inline void open_active(struct world *w)
{
    world_init(w);
    open_config(w);
}

#endif
