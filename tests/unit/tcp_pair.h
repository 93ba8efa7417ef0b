/* SPDX-License-Identifier: MIT
 *
 * Two struct tcp joined by a seeded link in virtual time: every packet is
 * encoded, perhaps cut, lost, doubled or delayed, decoded and taken in. The
 * applications send a known stream, read at their own pace and close.
 */
#ifndef TESTS_TCP_PAIR_H
#define TESTS_TCP_PAIR_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "cc/cc.h"
#include "tcp/tcp.h"
#include "wire/offload.h"
#include "wire/segment.h"

enum { PAIR_FLIGHT_MAX = 4096, PAIR_HEADROOM = 128 };

struct pair_link {
    uint32_t loss_ppm, dup_ppm, reorder_ppm;
    uint32_t delay_us, jitter_us;
    uint64_t faults_end_us; /* from here on the link is perfect */
    uint32_t cut_ppm;       /* super-segments that are cut into packets on the way */
};

struct pair_packet {
    uint64_t at_us, order;
    int to;
    struct plait_chunk *chunk;
    uint32_t len;
    uint16_t gso_size;
};

struct pair_end {
    struct tcp tcp;
    struct tcp_config config;
    uint64_t total, bound; /* bytes to send, bytes bound */
    uint64_t received, unread;
    uint32_t buffer_bytes;  /* receive buffer: the window is what is free */
    uint32_t told_bytes;    /* free space when the last ACK left */
    uint32_t read_every_us; /* 0: reads at once */
    uint64_t read_at_us;
    uint8_t option_len; /* an owner's option on data segments */
    bool established, fin_seen, close_asked, closed;
    enum tcp_error error;
    uint32_t flags; /* every result flag seen */
};

struct pair {
    struct mem mem;
    struct tcp_env env;
    struct prng rng;
    struct pair_end end[2];
    struct pair_link link;
    struct pair_packet flight[PAIR_FLIGHT_MAX];
    unsigned flight_count;
    uint64_t now_us, order, packets, dropped;
    bool check;
    struct plait_allocator alloc;
    uint32_t fail_ppm; /* allocations refused inside calls of tcp/ */
    bool inside;
};

static void *pair_alloc(void *ctx, size_t size)
{
    struct pair *p = ctx;
    return p->inside && prng_chance(&p->rng, p->fail_ppm) ? NULL : malloc(size);
}
static void pair_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* Byte number i of the stream that end `who` sends. */
static inline uint8_t pair_byte(int who, uint64_t i)
{
    return (uint8_t)((i * 7 + (i >> 8) * 13 + (i >> 16) * 5 + (uint64_t)who * 101) & 0xff);
}

static inline struct plait_endpoint pair_endpoint(int who)
{
    uint8_t v4[4] = {10, 0, 0, (uint8_t)(who + 1)};
    struct plait_endpoint e = {.port = (uint16_t)(1000 + who)};
    e.addr.family = PLAIT_IPV4;
    memcpy(e.addr.bytes, v4, sizeof v4);
    return e;
}

static void pair_init(struct pair *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->alloc = (struct plait_allocator){p, pair_alloc, pair_release};
    mem_init(&p->mem, &p->alloc, 0);
    tcp_env_init(&p->env, &p->mem);
    p->env.challenge_max = 1000;
    prng_seed(&p->rng, seed);
    p->now_us = 1000000;
    p->check = true;
    p->link = (struct pair_link){.delay_us = 10000};
    for (int i = 0; i < 2; i++) {
        p->end[i].config = tcp_config_default;
        p->end[i].buffer_bytes = 256 * 1024;
    }
}

static void pair_open(struct pair *p, const struct plait_cc *cc, uint16_t mtu, uint32_t iss)
{
    struct plait_endpoint a = pair_endpoint(0), b = pair_endpoint(1);
    tcp_init(&p->end[0].tcp, &p->env, &p->end[0].config, cc, &a, &b, mtu, p->now_us);
    tcp_init(&p->end[1].tcp, &p->env, &p->end[1].config, cc, &b, &a, mtu, p->now_us);
    tcp_connect(&p->end[0].tcp, iss, p->now_us);
}

static void pair_free(struct pair *p)
{
    for (int i = 0; i < 2; i++)
        tcp_free(&p->end[i].tcp);
    for (unsigned i = 0; i < p->flight_count; i++)
        chunk_unref(p->flight[i].chunk);
    tcp_env_free(&p->env);
    assert(p->mem.used_bytes == 0);
}

static void pair_note(struct pair *p, int who, const struct tcp_result *r)
{
    struct pair_end *e = &p->end[who];
    e->flags |= r->flags;
    if (r->flags & TCP_R_ESTABLISHED)
        e->established = true;
    if (r->flags & TCP_R_FIN) {
        assert(!e->fin_seen);
        e->fin_seen = true;
    }
    if (r->flags & TCP_R_CLOSED) {
        e->closed = true;
        e->error = r->error;
    }
    if (p->check)
        tcp_check(&e->tcp);
}

/* ---- the link -------------------------------------------------------------- */

static void pair_carry(struct pair *p, int to, const uint8_t *bytes, size_t len, uint16_t gso)
{
    bool faults = p->now_us < p->link.faults_end_us;
    int copies = 1;
    p->packets++;
    if (faults && prng_chance(&p->rng, p->link.loss_ppm)) {
        p->dropped++;
        return;
    }
    if (faults && prng_chance(&p->rng, p->link.dup_ppm))
        copies = 2;
    for (; copies > 0 && p->flight_count < PAIR_FLIGHT_MAX; copies--) {
        struct pair_packet *k = &p->flight[p->flight_count];
        *k = (struct pair_packet){.to = to, .len = (uint32_t)len, .gso_size = gso};
        k->chunk = chunk_new(&p->mem, (uint32_t)len);
        if (!k->chunk)
            return;
        memcpy(k->chunk->data, bytes, len);
        k->at_us = p->now_us + p->link.delay_us;
        if (faults && p->link.jitter_us && prng_chance(&p->rng, p->link.reorder_ppm))
            k->at_us += prng_below(&p->rng, p->link.jitter_us);
        k->order = p->order++;
        p->flight_count++;
    }
}

static void pair_transmit(struct pair *p, int from, const struct tcp_plan *plan)
{
    struct plait_packet_tx tx;
    static uint8_t buf[70000];
    segment_encode(&plan->seg, plan->iov, plan->iov_count, plan->gso_size, &tx);
    if (tx.gso_size && !prng_chance(&p->rng, p->link.cut_ppm)) {
        memcpy(buf, tx.header, tx.header_len);
        uint32_t at = tx.header_len;
        for (unsigned i = 0; i < tx.iov_count; i++) {
            memcpy(buf + at, tx.iov[i].data, tx.iov[i].len);
            at += tx.iov[i].len;
        }
        pair_carry(p, 1 - from, buf, at, tx.gso_size);
        return;
    }
    for (unsigned i = 0; i < offload_count(&tx); i++) {
        size_t len = offload_write(&tx, i, buf, sizeof buf);
        pair_carry(p, 1 - from, buf, len, 0);
    }
}

/* ---- the applications --------------------------------------------------------- */

static void pair_take(struct pair *p, int who)
{
    struct pair_end *e = &p->end[who];
    struct tcp_piece piece;
    while (tcp_next_in_order(&e->tcp, &piece)) {
        for (uint32_t i = 0; i < piece.len; i++)
            assert(piece.data[i] == pair_byte(1 - who, e->received + i));
        e->received += piece.len;
        e->unread += piece.len;
        chunk_unref(piece.chunk);
    }
    assert(e->received <= p->end[1 - who].total);
    if (e->read_every_us == 0)
        e->unread = 0;
}

static void pair_bind(struct pair *p, int who)
{
    struct pair_end *e = &p->end[who];
    while (e->bound < e->total) {
        uint64_t room = tcp_room(&e->tcp, p->now_us);
        uint64_t n = e->total - e->bound;
        uint32_t burst = tcp_burst(&e->tcp, e->option_len);
        n = n < burst ? n : burst;
        n = n < room ? n : room;
        if (n == 0)
            break;
        struct plait_chunk *c[2] = {NULL, NULL};
        uint32_t first = n > 1 && prng_chance(&p->rng, 200000)
                             ? (uint32_t)(1 + prng_below(&p->rng, n - 1))
                             : (uint32_t)n;
        c[0] = chunk_new(&p->mem, first);
        c[1] = first < n ? chunk_new(&p->mem, (uint32_t)n - first) : NULL;
        assert(c[0] && (c[1] || first == n));
        for (uint32_t i = 0; i < n; i++)
            (i < first ? c[0]->data + i : c[1]->data + (i - first))[0] =
                pair_byte(who, e->bound + i);
        struct tcp_map map = {.dsn = e->bound};
        bool last = e->bound + n == e->total;
        p->inside = true;
        bool pushed = tcp_push(&e->tcp, c, 0, (uint32_t)n, &map, last);
        p->inside = false;
        if (!pushed)
            assert(tcp_push(&e->tcp, c, 0, (uint32_t)n, &map, last));
        chunk_unref(c[0]);
        chunk_unref(c[1]);
        e->bound += n;
    }
    tcp_want_window(&e->tcp, e->bound < e->total, p->now_us);
    if (e->bound == e->total && e->established && !e->close_asked) {
        e->close_asked = true;
        tcp_close(&e->tcp, p->now_us);
    }
}

static void pair_output(struct pair *p, int who)
{
    struct pair_end *e = &p->end[who];
    struct tcp_result r;
    struct tcp_plan plan, twice;
    if (e->established && !e->closed)
        pair_bind(p, who);
    if (p->check)
        tcp_check(&e->tcp);
    for (unsigned n = 0;; n++) {
        assert(n < 10000);
        uint32_t space = e->buffer_bytes > e->unread ? (uint32_t)(e->buffer_bytes - e->unread) : 0;
        struct tcp_ask ask = {.window_bytes = space,
                              .data_option_len = e->option_len,
                              .ack_option_len = e->option_len};
        if (!tcp_plan(&e->tcp, p->now_us, &ask, &plan))
            break;
        tcp_plan(&e->tcp, p->now_us, &ask, &twice); /* a plan may be dropped */
        assert(twice.kind == plan.kind && twice.seg.seq == plan.seg.seq);
        if (e->option_len && plan.kind != TCP_PLAN_SYN) {
            plan.seg.mptcp.present = MPO_DSS;
            plan.seg.mptcp.dss = (struct mptcp_dss){.has_ack = true,
                                                    .ack64 = e->option_len != 20,
                                                    .data_ack = 1,
                                                    .has_map = e->option_len > 12,
                                                    .dsn64 = e->option_len == 28,
                                                    .dsn = 1,
                                                    .ssn = 1,
                                                    .data_len = 1,
                                                    .has_checksum = e->option_len == 28};
        }
        assert(mptcp_options_len(&plan.seg.mptcp) ==
               (plan.kind == TCP_PLAN_SYN ? 0 : e->option_len));
        assert(segment_options_len(&plan.seg) <= TCP_OPTIONS_MAX);
        pair_transmit(p, who, &plan);
        if (plan.seg.flags & TCP_ACK)
            e->told_bytes = space;
        p->inside = true;
        tcp_sent(&e->tcp, &plan, p->now_us, &r);
        p->inside = false;
        pair_note(p, who, &r);
        if (e->established && !e->closed)
            pair_bind(p, who);
    }
}

static void pair_deliver(struct pair *p, struct pair_packet *k)
{
    struct pair_end *e = &p->end[k->to];
    struct plait_packet_rx rx = {.chunk = k->chunk,
                                 .data = k->chunk->data,
                                 .len = k->len,
                                 .gso_size = k->gso_size,
                                 .csum_ok = true};
    struct segment seg;
    struct tcp_result r;
    enum segment_error err = segment_decode(&rx, &seg);
    assert(err == SEGMENT_OK);
    if (e->tcp.state == TCP_CLOSED && k->to == 1 && !e->closed) {
        if ((seg.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
            tcp_accept(&e->tcp, &seg, (uint32_t)prng_next(&p->rng), p->now_us);
        return;
    }
    p->inside = true;
    tcp_input(&e->tcp, &seg, p->now_us, &r);
    p->inside = false;
    pair_take(p, k->to);
    pair_note(p, k->to, &r);
}

static void pair_read(struct pair *p, int who)
{
    struct pair_end *e = &p->end[who];
    if (!e->read_every_us || p->now_us < e->read_at_us)
        return;
    e->read_at_us = p->now_us + e->read_every_us;
    e->unread -= prng_below(&p->rng, e->unread + 1);
    if (prng_chance(&p->rng, 300000))
        e->unread = 0;
    if (e->buffer_bytes - e->unread >= e->told_bytes + e->buffer_bytes / 2)
        tcp_want_ack(&e->tcp);
}

static int pair_first(const struct pair *p)
{
    int best = -1;
    for (unsigned i = 0; i < p->flight_count; i++)
        if (best < 0 || p->flight[i].at_us < p->flight[best].at_us ||
            (p->flight[i].at_us == p->flight[best].at_us &&
             p->flight[i].order < p->flight[best].order))
            best = (int)i;
    return best;
}

/* One instant: everything that is due, then output. False: nothing ever
 * happens again. */
static bool pair_step(struct pair *p)
{
    uint64_t next = UINT64_MAX;
    int first = pair_first(p);
    if (first >= 0)
        next = p->flight[first].at_us;
    for (int i = 0; i < 2; i++) {
        struct pair_end *e = &p->end[i];
        uint64_t d = tcp_deadline(&e->tcp), gate = tcp_pace_at(&e->tcp);
        if (e->established && !e->closed && e->bound < e->total && gate > p->now_us && gate < d)
            d = gate;
        next = d < next ? d : next;
        if (e->read_every_us && e->unread && e->read_at_us < next)
            next = e->read_at_us > p->now_us ? e->read_at_us : p->now_us;
    }
    if (next == UINT64_MAX)
        return false;
    p->now_us = next > p->now_us ? next : p->now_us;
    while ((first = pair_first(p)) >= 0 && p->flight[first].at_us <= p->now_us) {
        struct pair_packet k = p->flight[first];
        p->flight[first] = p->flight[--p->flight_count];
        pair_deliver(p, &k);
        chunk_unref(k.chunk);
    }
    for (int i = 0; i < 2; i++) {
        struct tcp_result r;
        p->inside = true;
        tcp_tick(&p->end[i].tcp, p->now_us, &r);
        p->inside = false;
        pair_note(p, i, &r);
        pair_read(p, i);
        pair_output(p, i);
    }
    return true;
}

/* Until both ends are closed, or nothing moves, or the time is up. */
static void pair_run(struct pair *p, uint64_t until_us)
{
    for (int i = 0; i < 2; i++)
        pair_output(p, i);
    while (p->now_us < until_us && !(p->end[0].closed && p->end[1].closed) && pair_step(p))
        ;
}

#endif
