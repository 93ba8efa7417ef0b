/* SPDX-License-Identifier: MIT
 *
 * Middleboxes. Each leaves behind a packet with right checksums, as the real
 * ones do; a packet that does not decode passes untouched.
 */
#include "sim/box.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/offload.h"
#include "wire/segment.h"

static bool decode(const struct sim_packet *p, struct segment *s)
{
    const struct plait_packet_rx rx = {.data = p->bytes, .len = p->len};
    return segment_decode(&rx, s) == SEGMENT_OK;
}

/* The TCP header; our stacks send no extension headers. */
static uint8_t *tcp_of(struct sim_packet *p)
{
    return p->bytes + (p->bytes[0] >> 4 == 4 ? 20 : 40);
}

static void fix_checksum(struct sim_packet *p, const struct segment *s)
{
    uint8_t *tcp = tcp_of(p);
    uint32_t len = p->len - (uint32_t)(tcp - p->bytes);
    put_be16(tcp + 16, 0);
    uint16_t sum = csum_pseudo(&s->src.addr, &s->dst.addr, len);
    put_be16(tcp + 16, (uint16_t)~csum_add(sum, csum_partial(tcp, len), false));
}

/* Each option of a TCP header in turn: false at the end. *at is its offset
 * from the header's start; begin with 20. */
static bool next_option(const uint8_t *tcp, unsigned *at, unsigned *len)
{
    unsigned end = (tcp[12] >> 4) * 4u;
    while (*at < end && tcp[*at] == 1)
        ++*at;
    if (*at + 1 >= end || tcp[*at] == 0)
        return false;
    *len = tcp[*at + 1];
    return *len >= 2 && *at + *len <= end;
}

/* ---- rules ------------------------------------------------------------------------------ */

static void strip(struct sim_packet *p, const struct segment *s)
{
    uint8_t *tcp = tcp_of(p);
    unsigned at = 20, len;
    for (; next_option(tcp, &at, &len); at += len) {
        if (tcp[at] == 30)
            memset(tcp + at, 1, len);
    }
    fix_checksum(p, s);
}

static bool matches(const struct rule_box *r, const struct segment *s)
{
    if (r->options && !(s->mptcp.present & r->options))
        return false;
    if ((s->flags & r->flags_mask) != r->flags)
        return false;
    return r->payload == PAYLOAD_ANY || (r->payload == PAYLOAD_SOME) == (s->payload_len > 0);
}

static bool rule_pass(struct box *box, struct sim_packet *p)
{
    struct rule_box *r = (struct rule_box *)(void *)box;
    struct segment s;
    if (!decode(p, &s) || !matches(r, &s))
        return true;
    uint32_t order = r->seen++;
    if (order < r->skip || (r->count && order >= r->skip + r->count))
        return true;
    r->hits++;
    if (r->action == RULE_STRIP)
        strip(p, &s);
    return r->action != RULE_DROP;
}

void rule_add(struct sim_link *l, struct rule_box *rule)
{
    rule->box.pass = rule_pass;
    sim_link_add_box(l, &rule->box);
}

/* ---- sequence numbers ------------------------------------------------------------------- */

static void add_be32(uint8_t *at, uint32_t delta)
{
    put_be32(at, get_be32(at) + delta);
}

static void shift_packet(struct shift_box *b, unsigned dir, struct sim_packet *p)
{
    struct segment s;
    if (!decode(p, &s))
        return;
    if ((s.flags & TCP_SYN) && !b->known[dir]) {
        b->known[dir] = true;
        b->delta[dir] = b->near[dir] - s.seq;
    }
    uint8_t *tcp = tcp_of(p);
    uint32_t back = 0 - b->delta[!dir];
    add_be32(tcp + 4, b->delta[dir]);
    if (s.flags & TCP_ACK)
        add_be32(tcp + 8, back);
    unsigned at = 20, len;
    for (; next_option(tcp, &at, &len); at += len) {
        for (unsigned i = 2; tcp[at] == 5 && i + 4 <= len; i += 4)
            add_be32(tcp + at + i, back);
    }
    fix_checksum(p, &s);
}

static bool shift_there(struct box *box, struct sim_packet *p)
{
    shift_packet((struct shift_box *)(void *)box, 0, p);
    return true;
}

static bool shift_back(struct box *box, struct sim_packet *p)
{
    shift_packet((struct shift_box *)(void *)(box - 1), 1, p);
    return true;
}

void shift_add(const struct path *p, struct shift_box *shift)
{
    shift->box[0].pass = shift_there;
    shift->box[1].pass = shift_back;
    sim_link_add_box(p->there, &shift->box[0]);
    sim_link_add_box(p->back, &shift->box[1]);
}

/* ---- a smaller MTU ---------------------------------------------------------------------- */

enum { QUOTED = 48 }; /* of the packet: enough for IPv6 and the TCP ports and sequence number */

static void put_icmp4(struct sim_packet *e, const struct sim_packet *p, uint16_t mtu)
{
    static const uint8_t router[4] = {10, 255, 0, 1};
    uint8_t *b = e->bytes;
    e->len = 28 + QUOTED;
    memset(b, 0, 28);
    b[0] = 0x45;
    put_be16(b + 2, (uint16_t)e->len);
    b[8] = 64;
    b[9] = 1;
    memcpy(b + 12, router, 4);
    memcpy(b + 16, p->bytes + 12, 4);
    put_be16(b + 10, (uint16_t)~csum_partial(b, 20));
    b[20] = 3; /* destination unreachable: */
    b[21] = 4; /* fragmentation needed */
    put_be16(b + 26, mtu);
    memcpy(b + 28, p->bytes, QUOTED);
    put_be16(b + 22, (uint16_t)~csum_partial(b + 20, 8 + QUOTED));
}

static void put_icmp6(struct sim_packet *e, const struct sim_packet *p, const struct segment *s,
                      uint16_t mtu)
{
    struct plait_addr router = s->dst.addr; /* somebody in that direction */
    uint8_t *b = e->bytes;
    router.bytes[15] = 0xfe;
    e->len = 48 + QUOTED;
    memset(b, 0, 48);
    b[0] = 0x60;
    put_be16(b + 4, 8 + QUOTED);
    b[6] = 58;
    b[7] = 64;
    memcpy(b + 8, router.bytes, 16);
    memcpy(b + 24, s->src.addr.bytes, 16);
    b[40] = 2; /* packet too big */
    put_be32(b + 44, mtu);
    memcpy(b + 48, p->bytes, QUOTED);
    /* The pseudo-header of ICMPv6 names protocol 58, csum_pseudo's names 6. */
    uint16_t sum = csum_add(csum_pseudo(&router, &s->src.addr, 8 + QUOTED), 58 - 6, false);
    put_be16(b + 42, (uint16_t)~csum_add(sum, csum_partial(b + 40, 8 + QUOTED), false));
}

static bool mtu_pass(struct box *box, struct sim_packet *p)
{
    struct mtu_box *m = (struct mtu_box *)(void *)box;
    struct segment s;
    if (p->len <= m->mtu || !decode(p, &s))
        return true;
    m->swallowed++;
    const struct route *back = sim_find_route(m->sim, &s.dst.addr, &s.src.addr);
    struct sim_packet *e = back ? sim_packet_new(48 + QUOTED) : NULL;
    if (!e)
        return false;
    if (s.src.addr.family == PLAIT_IPV4)
        put_icmp4(e, p, m->mtu);
    else
        put_icmp6(e, p, &s, m->mtu);
    e->route = back;
    sim_forward(m->sim, e);
    return false;
}

void mtu_add(struct sim *sim, struct sim_link *l, struct mtu_box *box)
{
    box->sim = sim;
    box->box.pass = mtu_pass;
    sim_link_add_box(l, &box->box);
}

/* ---- forgery ---------------------------------------------------------------------------- */

static struct sim_packet *forged(const struct forge_box *f, const struct segment *s)
{
    struct segment evil;
    struct plait_packet_tx tx;
    segment_clear(&evil);
    evil.src = s->src;
    evil.dst = s->dst;
    evil.seq = s->seq + (uint32_t)f->seq_off;
    evil.ack = s->ack;
    evil.flags = f->flags;
    evil.tcp.present = s->tcp.present & OPT_TIMESTAMP; /* without, it would be dropped unseen */
    evil.tcp.tsval = s->tcp.tsval;
    evil.tcp.tsecr = s->tcp.tsecr;
    segment_encode(&evil, NULL, 0, 0, &tx);
    struct sim_packet *p = sim_packet_new(PLAIT_HEADER_MAX);
    if (p)
        p->len = (uint32_t)offload_write(&tx, 0, p->bytes, PLAIT_HEADER_MAX);
    return p;
}

static bool forge_pass(struct box *box, struct sim_packet *p)
{
    struct forge_box *f = (struct forge_box *)(void *)box;
    struct segment s;
    if (!decode(p, &s) || !s.payload_len || f->seen++ != f->skip)
        return true;
    struct sim_packet *evil = forged(f, &s);
    if (evil) {
        evil->route = p->route;
        evil->hop = p->hop;
        link_offer(&f->link->link, f->sim->now_us, evil);
    }
    return true;
}

void forge_add(struct sim *sim, struct sim_link *l, struct forge_box *box)
{
    box->sim = sim;
    box->link = l;
    box->box.pass = forge_pass;
    sim_link_add_box(l, &box->box);
}
