/* SPDX-License-Identifier: MIT
 *
 * Middleboxes. Each leaves behind a packet with right checksums, as the real
 * ones do; a packet that does not decode passes untouched.
 */
#include "sim/box.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"
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

/* ---- rules --------------------------------------------------------------------------- */

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

/* ---- sequence numbers ------------------------------------------------------------------ */

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
