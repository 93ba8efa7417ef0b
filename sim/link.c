/* SPDX-License-Identifier: MIT
 *
 * The link model. Work is done late: a packet leaves the queue, and its fate
 * is drawn, when somebody next looks at the link at or after the time it was
 * serialised. Since fates are drawn in queue order, looking more or less often
 * changes nothing.
 *
 * Invariants: the queue's bytes are queued_bytes; done_ns belongs to the head
 * of the queue; `flying` is sorted by at_us, equal times in order of entry.
 */
#include "sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "wire/ip.h"

enum { RANDOM_DROP_PPM = 100000 };

struct sim_packet *sim_packet_new(uint32_t len)
{
    struct sim_packet *p = malloc(sizeof *p + len);
    if (!p)
        return NULL;
    memset(p, 0, sizeof *p);
    list_init(&p->node);
    p->len = len;
    return p;
}

void sim_packet_free(struct sim_packet *p)
{
    free(p);
}

static uint32_t ip_len(const struct sim_packet *p)
{
    return p->len - p->head_len;
}

void link_init(struct link *l, const struct link_config *config, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    if (config)
        l->config = *config;
    prng_seed(&l->prng, seed);
    l->up = true;
    list_init(&l->queue);
    list_init(&l->flying);
}

static void drop_all(struct list *packets)
{
    list_each(p, packets, struct sim_packet, node)
        sim_packet_free(p);
    list_init(packets);
}

void link_free(struct link *l)
{
    drop_all(&l->queue);
    drop_all(&l->flying);
    l->queued_bytes = 0;
    l->queued_packets = 0;
}

/* The same by a trace. */
static void serialise_by_trace(struct link *l, uint32_t need)
{
    const struct capacity *trace = l->config.trace;
    uint64_t from_us = (l->done_ns + 999) / 1000;
    if (capacity_at(trace, l->trace_us, l->trace_next) < from_us) {
        l->trace_next = capacity_after(trace, l->trace_us, from_us);
        l->trace_left = 0;
    }
    while (need > l->trace_left) {
        need -= l->trace_left;
        l->trace_left = CAPACITY_BYTES;
        l->done_ns = capacity_at(trace, l->trace_us, l->trace_next++) * 1000;
    }
    l->trace_left -= need;
    l->done_remainder = 0;
}

/* Start serialising the head of the queue at done_ns (+ remainder). */
static void serialise_head(struct link *l)
{
    if (l->config.trace) {
        serialise_by_trace(l, ip_len(list_first(&l->queue, struct sim_packet, node)));
        return;
    }
    uint64_t rate = l->config.rate_bps;
    if (!rate) {
        l->done_remainder = 0;
        return;
    }
    struct sim_packet *p = list_first(&l->queue, struct sim_packet, node);
    uint64_t work = (uint64_t)ip_len(p) * 8 * 1000000000u + l->done_remainder;
    l->done_ns += work / rate;
    l->done_remainder = work % rate;
}

static bool lost(struct link *l)
{
    const struct link_config *c = &l->config;
    if (c->good_to_bad_ppm) {
        if (prng_chance(&l->prng, l->bad ? c->bad_to_good_ppm : c->good_to_bad_ppm))
            l->bad = !l->bad;
    } else {
        l->bad = false;
    }
    uint32_t ppm = l->bad ? c->loss_bad_ppm : c->loss_ppm;
    return ppm && prng_chance(&l->prng, ppm);
}

static void fly(struct link *l, struct sim_packet *p, uint64_t at_us)
{
    p->at_us = at_us;
    struct list *before = &l->flying; /* nearly always right: later than all others */
    while (before->prev != &l->flying &&
           list_entry(before->prev, struct sim_packet, node)->at_us > at_us)
        before = before->prev;
    list_insert(before, &p->node);
}

static struct sim_packet *copy_of(const struct sim_packet *p)
{
    struct sim_packet *copy = sim_packet_new(p->len);
    if (!copy)
        return NULL;
    memcpy(copy, p, sizeof *p + p->len);
    list_init(&copy->node);
    return copy;
}

/* One packet is serialised: decide what becomes of it. */
static void transmit(struct link *l, struct sim_packet *p)
{
    const struct link_config *c = &l->config;
    if (lost(l)) {
        l->stats.dropped_loss++;
        sim_packet_free(p);
        return;
    }
    if (c->corrupt_ppm && prng_chance(&l->prng, c->corrupt_ppm)) {
        uint64_t bit = prng_below(&l->prng, (uint64_t)ip_len(p) * 8);
        p->bytes[p->head_len + bit / 8] ^= (uint8_t)(1u << bit % 8);
        l->stats.corrupted++;
    }
    uint64_t at_us = (l->done_ns + 999) / 1000 + c->delay_us;
    if (c->jitter_us)
        at_us += prng_below(&l->prng, (uint64_t)c->jitter_us + 1);
    if (at_us < l->last_us)
        at_us = l->last_us;
    if (c->duplicate_ppm && prng_chance(&l->prng, c->duplicate_ppm)) {
        struct sim_packet *copy = copy_of(p);
        if (copy) {
            l->stats.duplicated++;
            fly(l, copy, at_us);
        }
    }
    if (c->reorder_ppm && prng_chance(&l->prng, c->reorder_ppm)) {
        l->stats.reordered++;
        fly(l, p, at_us + c->reorder_delay_us);
        return;
    }
    l->last_us = at_us;
    fly(l, p, at_us);
}

/* Bring the queue up to now: everything serialised by then is flying. */
static void advance(struct link *l, uint64_t now_us)
{
    while (!list_empty(&l->queue) && l->done_ns <= now_us * 1000) {
        struct sim_packet *p = list_first(&l->queue, struct sim_packet, node);
        list_remove(&p->node);
        l->queued_bytes -= ip_len(p);
        l->queued_packets--;
        transmit(l, p);
        if (!list_empty(&l->queue))
            serialise_head(l);
    }
}

/* There is a place for a packet of so many bytes. */
static bool has_room(struct link *l, uint32_t len)
{
    const struct link_config *c = &l->config;
    if (list_empty(&l->queue))
        return true;
    if (c->queue_bytes && l->queued_bytes + len > c->queue_bytes)
        return false;
    if (!c->queue_packets)
        return true;
    if (l->queued_packets >= c->queue_packets)
        return false;
    return l->queued_packets + c->random_packets < c->queue_packets ||
           !prng_chance(&l->prng, RANDOM_DROP_PPM);
}

/* The two bits of the IP header, where they say that its ends know ECN. */
static void mark(struct link *l, struct sim_packet *p)
{
    uint8_t *ip = p->bytes + p->head_len;
    bool v4 = ip[0] >> 4 == 4;
    unsigned ecn = v4 ? ip[1] & 3 : ip[1] >> 4 & 3;
    if (ecn == ECN_NOT || ecn == ECN_CE)
        return;
    if (v4) {
        ip[1] |= ECN_CE;
        ip4_set_checksum(ip);
    } else {
        ip[1] |= ECN_CE << 4;
    }
    l->stats.marked++;
}

void link_offer(struct link *l, uint64_t now_us, struct sim_packet *p)
{
    advance(l, now_us);
    l->stats.offered++;
    l->stats.offered_bytes += ip_len(p);
    if (!l->up) {
        l->stats.dropped_down++;
        sim_packet_free(p);
        return;
    }
    bool idle = list_empty(&l->queue);
    if (!has_room(l, ip_len(p))) {
        l->stats.dropped_queue++;
        sim_packet_free(p);
        return;
    }
    if (l->config.mark_bytes && l->queued_bytes >= l->config.mark_bytes)
        mark(l, p);
    list_append(&l->queue, &p->node);
    l->queued_bytes += ip_len(p);
    l->queued_packets++;
    if (l->queued_bytes > l->stats.queue_peak_bytes)
        l->stats.queue_peak_bytes = l->queued_bytes;
    if (idle) {
        if (l->done_ns < now_us * 1000) {
            l->done_ns = now_us * 1000;
            l->done_remainder = 0;
        }
        l->trace_left = 0; /* nobody was there to use it */
        serialise_head(l);
    }
}

uint64_t link_next(const struct link *l)
{
    uint64_t next = UINT64_MAX;
    if (!list_empty(&l->flying))
        next = list_first(&l->flying, struct sim_packet, node)->at_us;
    if (!list_empty(&l->queue)) {
        uint64_t at_us = (l->done_ns + 999) / 1000 + l->config.delay_us;
        if (at_us < next)
            next = at_us;
    }
    return next;
}

struct sim_packet *link_take(struct link *l, uint64_t now_us)
{
    advance(l, now_us);
    if (list_empty(&l->flying))
        return NULL;
    struct sim_packet *p = list_first(&l->flying, struct sim_packet, node);
    if (p->at_us > now_us)
        return NULL;
    list_remove(&p->node);
    l->stats.delivered++;
    l->stats.delivered_bytes += ip_len(p);
    return p;
}

void link_set_up(struct link *l, uint64_t now_us, bool up)
{
    advance(l, now_us);
    if (l->up && !up) {
        list_each(q, &l->queue, struct sim_packet, node)
            l->stats.dropped_down++;
        list_each(f, &l->flying, struct sim_packet, node)
            l->stats.dropped_down++;
        link_free(l);
        l->done_ns = now_us * 1000;
        l->done_remainder = 0;
        l->last_us = 0;
    }
    l->up = up;
}

void link_configure(struct link *l, uint64_t now_us, const struct link_config *config)
{
    advance(l, now_us);
    l->config = *config;
    l->done_remainder = 0; /* it counted in parts of the old rate */
    l->last_us = 0;        /* a shorter path may overtake, as a new route does */
}
