/* SPDX-License-Identifier: MIT
 *
 * Boxes that rewrite what identifies a flow or its bytes: initial sequence
 * numbers (RFC 8684 counts from the subflow's own ISN because of them), and
 * addresses and ports.
 */
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "sim/box_kind.h"

/* ---- isn -------------------------------------------------------------------------------- */

struct isn_flow {
    bool known[2];
    uint32_t delta[2]; /* added to the numbers of that direction */
};

enum { ISN_ALL, ISN_NOT_SACK };
static const char *const isn_words[] = {"all", "notsack", NULL};

static void shift_sack(struct box_packet *bp, uint32_t by)
{
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        for (uint32_t i = 2; bp->options[at] == 5 && i + 4 <= len; i += 4)
            box_add_be32(bp->options + at + i, by);
    }
}

static void learn_isn(struct box *b, struct isn_flow *f, const struct box_packet *bp)
{
    if (f->known[bp->dir])
        return;
    uint32_t random = (uint32_t)prng_next(box_prng(b));
    /* Two ends at the same number would hide a mix-up of the two directions. */
    uint32_t isn = (uint32_t)box_value(b, BOX_NEAR, random) + (bp->dir == BOX_BACK ? 20000u : 0);
    f->known[bp->dir] = true;
    f->delta[bp->dir] = isn - bp->s.seq;
}

static void isn_input(struct box *b, struct box_packet *bp)
{
    bool syn = bp->s.flags & TCP_SYN;
    struct isn_flow *f = syn ? box_flow(b, bp) : box_flow_find(b, bp);
    if (!f) { /* from before the box: nothing to translate */
        box_pass(b, bp);
        return;
    }
    if (syn)
        learn_isn(b, f, bp);
    uint32_t back = 0 - f->delta[!bp->dir];
    box_count(b)->acted++;
    box_add_be32(bp->tcp + 4, f->delta[bp->dir]);
    if (bp->s.flags & TCP_ACK)
        box_add_be32(bp->tcp + 8, back);
    if (box_how(b) == ISN_ALL)
        shift_sack(bp, back);
    box_finish(bp->p);
    box_pass(b, bp);
}

const struct box_kind kind_isn = {
    .name = "isn",
    .summary = "rewrites sequence numbers, each flow's from near on (without it: at random)",
    .keys = 1u << BOX_NEAR,
    .how = isn_words,
    .flow_size = sizeof(struct isn_flow),
    .all = true,
    .input = isn_input,
};

/* ---- nat -------------------------------------------------------------------------------- */

enum { NAT_DROP, NAT_RESET };
static const char *const nat_words[] = {"drop", "reset", NULL};
enum { NAT_PORT = 20000, NAT_PORTS = 40000 };

struct nat_state {
    uint16_t next;
    uint64_t flushed_us; /* when the table was last lost */
};

struct nat_flow {
    struct plait_endpoint inside, outside, server;
    uint64_t used_us;
};

static void put_end(uint8_t *ip, uint8_t *tcp, bool dst, const struct plait_endpoint *e)
{
    bool v4 = ip[0] >> 4 == 4;
    memcpy(ip + (v4 ? 12 : 8) + (dst ? (v4 ? 4 : 16) : 0), e->addr.bytes, v4 ? 4 : 16);
    put_be16(tcp + (dst ? 2 : 0), e->port);
}

static bool stale(const struct box *b, const struct nat_flow *f)
{
    return box_now(b) - f->used_us >= box_value(b, BOX_IDLE, UINT64_MAX);
}

/* All mappings are lost, once, when flush= says: a box that restarts. */
static void flush_when_due(struct box *b, struct nat_state *n)
{
    uint64_t at_us = box_value(b, BOX_FLUSH, UINT64_MAX);
    if (!n->flushed_us && at_us != UINT64_MAX && box_age(b) >= at_us) {
        n->flushed_us = box_now(b);
        box_flows_clear(b);
    }
}

static void nat_out(struct box *b, struct nat_state *n, struct box_packet *bp)
{
    struct nat_flow *f = box_flow(b, bp);
    if (!f) {
        box_drop(b, bp);
        return;
    }
    if (!f->used_us || stale(b, f)) { /* also for what is not a SYN: the port is another one */
        const struct plait_addr *addr = box_addr(b);
        f->inside = f->outside = bp->s.src;
        f->server = bp->s.dst;
        if (addr && addr->family == bp->s.src.addr.family)
            f->outside.addr = *addr;
        f->outside.port = (uint16_t)(NAT_PORT + n->next++ % NAT_PORTS);
    }
    f->used_us = box_now(b);
    put_end(bp->ip, bp->tcp, false, &f->outside);
    box_count(b)->acted++;
    box_finish(bp->p);
    box_pass(b, bp);
}

static struct nat_flow *inside_of(struct box *b, const struct box_packet *bp)
{
    for (struct nat_flow *f = NULL; (f = box_flow_next(b, f)) != NULL;) {
        if (endpoint_equal(&f->outside, &bp->s.dst) && endpoint_equal(&f->server, &bp->s.src))
            return stale(b, f) ? NULL : f;
    }
    return NULL;
}

static void nat_in(struct box *b, struct box_packet *bp)
{
    struct nat_flow *f = inside_of(b, bp);
    const struct segment *s = &bp->s;
    if (f) {
        f->used_us = box_now(b);
        put_end(bp->ip, bp->tcp, true, &f->inside);
        box_count(b)->acted++;
        box_finish(bp->p);
        box_pass(b, bp);
        return;
    }
    if (box_how(b) == NAT_RESET && !(s->flags & TCP_RST))
        box_inject(b, BOX_THERE,
                   box_forge_packet(bp, true, s->ack, s->seq + segment_seq_len(s),
                                    TCP_RST | TCP_ACK, 0, NULL, 0));
    box_drop(b, bp);
}

static void nat_input(struct box *b, struct box_packet *bp)
{
    struct nat_state *n = box_state(b);
    flush_when_due(b, n);
    if (bp->dir == BOX_THERE)
        nat_out(b, n, bp);
    else
        nat_in(b, bp);
}

const struct box_kind kind_nat = {
    .name = "nat",
    .summary = "gives A's flows other ports (and addr); forgets them after idle, all at flush",
    .keys = 1u << BOX_ADDR | 1u << BOX_IDLE | 1u << BOX_FLUSH,
    .how = nat_words,
    .state_size = sizeof(struct nat_state),
    .flow_size = sizeof(struct nat_flow),
    .all = true,
    .input = nat_input,
};
