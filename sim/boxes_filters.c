/* SPDX-License-Identifier: MIT
 *
 * Boxes that keep packets from passing: firewalls, black holes, a hop with a
 * smaller MTU, and two that only let through what looks complete.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "sim/box_kind.h"
#include "wire/checksum.h"
#include "wire/ip.h"

/* ---- drop ------------------------------------------------------------------------------- */

static void drop_input(struct box *b, struct box_packet *bp)
{
    box_count(b)->acted++;
    box_drop(b, bp);
}

const struct box_kind kind_drop = {
    .name = "drop",
    .summary = "swallows packets",
    .input = drop_input,
};

/* ---- reset ------------------------------------------------------------------------------ */

enum { RESET_SENDER, RESET_RECEIVER, RESET_BOTH };
static const char *const reset_words[] = {"sender", "receiver", "both", NULL};

/* A RST that the end believes: as RFC 9293 3.10.7 would have it from the peer. */
static void reset_input(struct box *b, struct box_packet *bp)
{
    const struct segment *s = &bp->s;
    unsigned how = box_how(b);
    if (s->flags & TCP_RST) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    if (how != RESET_RECEIVER) {
        bool acked = s->flags & TCP_ACK;
        box_inject(b, bp->dir == BOX_THERE ? BOX_BACK : BOX_THERE,
                   box_forge_packet(bp, true, acked ? s->ack : 0, s->seq + segment_seq_len(s),
                                    acked ? TCP_RST : TCP_RST | TCP_ACK, 0, NULL, 0));
    }
    if (how != RESET_SENDER)
        box_inject(b, bp->dir,
                   box_forge_packet(bp, false, s->seq, s->ack, TCP_RST | TCP_ACK, 0, NULL, 0));
    box_drop(b, bp);
}

const struct box_kind kind_reset = {
    .name = "reset",
    .summary = "swallows packets and answers with RST, as a firewall or a server without the token",
    .how = reset_words,
    .input = reset_input,
};

/* ---- blackhole -------------------------------------------------------------------------- */

static void blackhole_input(struct box *b, struct box_packet *bp)
{
    uint64_t *passed = box_state(b);
    if (*passed >= box_value(b, BOX_BYTES, 0)) {
        box_count(b)->acted++;
        box_drop(b, bp);
        return;
    }
    if (bp->match)
        *passed += bp->s.payload_len;
    box_pass(b, bp);
}

const struct box_kind kind_blackhole = {
    .name = "blackhole",
    .summary = "swallows everything once bytes of payload have passed",
    .keys = 1u << BOX_BYTES,
    .state_size = sizeof(uint64_t),
    .all = true,
    .input = blackhole_input,
};

/* ---- mtu -------------------------------------------------------------------------------- */

enum { QUOTED = 48 }; /* of the packet: enough for IPv6 and the TCP ports and sequence number */

static void put_icmp4(uint8_t *e, const uint8_t *ip, uint16_t mtu)
{
    static const uint8_t router[4] = {10, 255, 0, 1};
    memset(e, 0, 28);
    e[0] = 0x45;
    put_be16(e + 2, 28 + QUOTED);
    e[8] = 64;
    e[9] = 1;
    memcpy(e + 12, router, 4);
    memcpy(e + 16, ip + 12, 4);
    ip4_set_checksum(e);
    e[20] = 3; /* destination unreachable: */
    e[21] = 4; /* fragmentation needed */
    put_be16(e + 26, mtu);
    memcpy(e + 28, ip, QUOTED);
    put_be16(e + 22, (uint16_t)~csum_partial(e + 20, 8 + QUOTED));
}

static void put_icmp6(uint8_t *e, const uint8_t *ip, const struct segment *s, uint16_t mtu)
{
    struct plait_addr router = s->dst.addr; /* somebody in that direction */
    router.bytes[15] = 0xfe;
    memset(e, 0, 48);
    e[0] = 0x60;
    put_be16(e + 4, 8 + QUOTED);
    e[6] = 58;
    e[7] = 64;
    memcpy(e + 8, router.bytes, 16);
    memcpy(e + 24, s->src.addr.bytes, 16);
    e[40] = 2; /* packet too big */
    put_be32(e + 44, mtu);
    memcpy(e + 48, ip, QUOTED);
    /* The pseudo-header of ICMPv6 names protocol 58, csum_pseudo's names 6. */
    uint16_t sum = csum_add(csum_pseudo(&router, &s->src.addr, 8 + QUOTED), 58 - 6, false);
    put_be16(e + 42, (uint16_t)~csum_add(sum, csum_partial(e + 40, 8 + QUOTED), false));
}

/* RFC 1191 4, RFC 4443 3.2. */
static struct sim_packet *too_big(const struct box_packet *bp, uint16_t mtu)
{
    bool v4 = bp->s.src.addr.family == PLAIT_IPV4;
    struct sim_packet *e = box_forge_packet(bp, true, 0, 0, 0, 0, bp->ip, 28 + QUOTED);
    if (!e)
        return NULL;
    uint8_t *ip = e->bytes + e->head_len;
    e->len = e->head_len + (v4 ? 28u : 48u) + QUOTED;
    if (v4)
        put_icmp4(ip, bp->ip, mtu);
    else
        put_icmp6(ip, bp->ip, &bp->s, mtu);
    return e;
}

static void mtu_input(struct box *b, struct box_packet *bp)
{
    uint16_t mtu = (uint16_t)box_value(b, BOX_SIZE, 1280);
    if (bp->p->len - bp->p->head_len <= mtu) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    box_inject(b, bp->dir == BOX_THERE ? BOX_BACK : BOX_THERE, too_big(bp, mtu));
    box_drop(b, bp);
}

const struct box_kind kind_mtu = {
    .name = "mtu",
    .summary = "swallows packets larger than size and answers with an ICMP error",
    .keys = 1u << BOX_SIZE,
    .needs = 1u << BOX_SIZE,
    .input = mtu_input,
};

/* ---- nohole and unseen ------------------------------------------------------------------ */

/* How far the payload of each direction has come; nohole: without a hole. */
struct seen_flow {
    bool known[2];
    uint32_t next[2];
};

/* False: there is a hole before this packet. A flow that was there before the
 * box begins where it is. */
static bool follow(struct seen_flow *f, const struct box_packet *bp)
{
    uint32_t end = bp->s.seq + segment_seq_len(&bp->s), *next = &f->next[bp->dir];
    if (bp->s.flags & TCP_SYN || !f->known[bp->dir]) {
        f->known[bp->dir] = true;
        *next = end;
        return true;
    }
    if (seq_gt(bp->s.seq, *next))
        return false;
    *next = seq_max(*next, end);
    return true;
}

static void nohole_input(struct box *b, struct box_packet *bp)
{
    struct seen_flow *f = box_flow(b, bp);
    bool data = segment_seq_len(&bp->s) > 0 && !(bp->s.flags & TCP_RST);
    if (!f || !data || follow(f, bp) || !bp->match) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    box_drop(b, bp);
}

const struct box_kind kind_nohole = {
    .name = "nohole",
    .summary = "passes no data behind a hole in the sequence numbers",
    .flow_size = sizeof(struct seen_flow),
    .all = true,
    .input = nohole_input,
};

enum { UNSEEN_DROP, UNSEEN_CORRECT };
static const char *const unseen_words[] = {"drop", "correct", NULL};

static void unseen_input(struct box *b, struct box_packet *bp)
{
    struct seen_flow *f = box_flow(b, bp);
    const struct segment *s = &bp->s;
    if (!f || s->flags & TCP_RST) {
        box_pass(b, bp);
        return;
    }
    if (segment_seq_len(s) && !follow(f, bp))
        f->next[bp->dir] = s->seq + segment_seq_len(s); /* it lets data pass behind a hole */
    uint32_t seen = f->next[!bp->dir];
    bool beyond = s->flags & TCP_ACK && f->known[!bp->dir] && seq_gt(s->ack, seen);
    if (!beyond || !bp->match) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    if (box_how(b) == UNSEEN_DROP && !s->payload_len) {
        box_drop(b, bp);
        return;
    }
    put_be32(bp->tcp + 8, seen);
    box_finish(bp->p);
    box_pass(b, bp);
}

const struct box_kind kind_unseen = {
    .name = "unseen",
    .summary = "passes no acknowledgement of data that did not come by",
    .how = unseen_words,
    .flow_size = sizeof(struct seen_flow),
    .all = true,
    .input = unseen_input,
};

/* ---- forge ------------------------------------------------------------------------------ */

/* An attacker beside the path who sees packets and forges one more behind:
 * the same flow, these flags, a sequence number off by so much (RFC 5961). */
static void forge_input(struct box *b, struct box_packet *bp)
{
    const struct segment *s = &bp->s;
    uint32_t seq = s->seq + (uint32_t)box_value(b, BOX_SHIFT, 0);
    uint8_t flags = (uint8_t)box_value(b, BOX_FLAGS, TCP_RST);
    struct sim_packet *evil = box_forge_packet(bp, false, seq, s->ack, flags, 0, NULL, 0);
    enum box_dir dir = bp->dir;
    box_count(b)->acted++;
    box_pass(b, bp);
    box_inject(b, dir, evil);
}

const struct box_kind kind_forge = {
    .name = "forge",
    .summary = "sends one more packet behind each, with flags, shift bytes off in sequence",
    .keys = 1u << BOX_FLAGS | 1u << BOX_SHIFT,
    .input = forge_input,
};
