/* SPDX-License-Identifier: MIT
 *
 * Boxes that change payload: one byte, or its length with every sequence
 * number behind it, as gateways for protocols that carry addresses in their
 * text do (FTP). What checksums in mappings are for (RFC 8684 3.3.1, 3.7).
 */
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "sim/box_kind.h"

/* Place in a direction's stream of the byte with this sequence number; the
 * first byte is 0. A flow whose SYN was not seen counts from its first packet. */
struct origin {
    bool known;
    uint32_t first;
};

static uint32_t place(struct origin *o, const struct box_packet *bp)
{
    uint32_t first = bp->s.seq + ((bp->s.flags & TCP_SYN) != 0);
    if (!o->known || bp->s.flags & TCP_SYN) {
        o->known = true;
        o->first = first;
    }
    return first - o->first;
}

/* ---- edit ------------------------------------------------------------------------------- */

enum { EDIT_ONCE, EDIT_ALWAYS };
enum { EDIT_FLIPS = 0x20 }; /* lower case becomes upper */
static const char *const edit_words[] = {"once", "always", NULL};

struct edit_flow {
    struct origin origin[2];
    bool done[2];
};

static void edit_input(struct box *b, struct box_packet *bp)
{
    struct edit_flow *f = box_flow(b, bp);
    if (!f) {
        box_pass(b, bp);
        return;
    }
    uint32_t at = place(&f->origin[bp->dir], bp), offset = (uint32_t)box_value(b, BOX_OFFSET, 0);
    bool here = seq_leq(at, offset) && offset - at < bp->s.payload_len;
    if (bp->match && here && !(f->done[bp->dir] && box_how(b) == EDIT_ONCE)) {
        f->done[bp->dir] = true;
        bp->payload[offset - at] ^= EDIT_FLIPS;
        box_count(b)->acted++;
        box_finish(bp->p);
    }
    box_pass(b, bp);
}

const struct box_kind kind_edit = {
    .name = "edit",
    .summary = "changes the byte at offset of each flow: the first time it passes, or always",
    .keys = 1u << BOX_OFFSET,
    .how = edit_words,
    .flow_size = sizeof(struct edit_flow),
    .all = true,
    .input = edit_input,
};

/* ---- alg -------------------------------------------------------------------------------- */

/* In each direction it acts on, `grow` bytes are put in before the byte at
 * `offset`, or, below zero, taken out from there on. Places are the sender's
 * before and the receiver's behind the box. */
struct alg_flow {
    struct origin origin[2];
    uint32_t seen[2]; /* the sender's place that everything has come up to, at most */
};

static const uint8_t put_in[64] = "ten thousand plus a few more characters of somebody's address";

static int32_t grow_of(const struct box *b)
{
    return (int32_t)box_value(b, BOX_GROW, 1);
}

/* The receiver's place of a sender's. */
static uint32_t onward(const struct box *b, uint32_t at)
{
    uint32_t offset = (uint32_t)box_value(b, BOX_OFFSET, 0);
    int32_t grow = grow_of(b);
    if (seq_leq(at, offset))
        return at;
    if (grow < 0 && at - offset < (uint32_t)-grow)
        return offset;
    return at + (uint32_t)grow;
}

/* And back: what the receiver has acknowledged of the sender's bytes. */
static uint32_t backward(const struct box *b, const struct alg_flow *f, unsigned dir, uint32_t at)
{
    uint32_t offset = (uint32_t)box_value(b, BOX_OFFSET, 0);
    int32_t grow = grow_of(b);
    if (grow > 0 && seq_gt(at, offset))
        return at - offset <= (uint32_t)grow ? offset : at - (uint32_t)grow;
    if (grow < 0 && seq_geq(at, offset))
        return seq_min(at + (uint32_t)-grow, seq_max(f->seen[dir], at));
    return at;
}

static void translate_acks(struct box *b, struct alg_flow *f, struct box_packet *bp)
{
    unsigned other = !bp->dir;
    uint32_t first = f->origin[other].first;
    if (!f->origin[other].known || !(box_value(b, BOX_DIR, 3) & 1u << other))
        return;
    if (bp->s.flags & TCP_ACK)
        put_be32(bp->tcp + 8, first + backward(b, f, other, bp->s.ack - first));
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        for (uint32_t i = 2; bp->options[at] == 5 && i + 4 <= len; i += 4) {
            uint8_t *edge = bp->options + at + i;
            put_be32(edge, first + backward(b, f, other, get_be32(edge) - first));
        }
    }
}

/* One piece of the packet, from the sender's place on. */
static void emit_piece(struct box *b, const struct box_packet *bp, const uint8_t *bytes,
                       uint32_t len, uint32_t seq, bool last)
{
    struct sim_packet *p = box_build(bp, bp->options, bp->options_len, bytes, len);
    if (!p)
        return;
    uint8_t *tcp = p->bytes + (bp->tcp - bp->p->bytes);
    put_be32(tcp + 4, seq);
    if (!last)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    box_finish(p);
    box_inject(b, bp->dir, p);
}

/* Three segments at most, so that none is longer than what came: before the
 * place, what is put in, and behind it. */
static void rewrite(struct box *b, struct box_packet *bp, uint32_t first, uint32_t at)
{
    uint32_t offset = (uint32_t)box_value(b, BOX_OFFSET, 0), len = bp->s.payload_len;
    int32_t grow = grow_of(b);
    uint32_t head = seq_lt(at, offset) ? offset - at : 0;
    uint32_t gone = grow < 0 ? (uint32_t)-grow - (seq_gt(at, offset) ? at - offset : 0) : 0;
    uint32_t skip = head + gone < len ? head + gone : len;
    box_count(b)->acted++;
    if (head)
        emit_piece(b, bp, bp->payload, head, first + at, false);
    if (grow > 0)
        emit_piece(b, bp, put_in, (uint32_t)grow, first + offset, false);
    /* The last one goes also without payload: it may have a FIN, and it asks
     * for the acknowledgement of what was taken out. */
    emit_piece(b, bp, bp->payload + skip, len - skip,
               first + onward(b, at + skip) +
                   (grow > 0 && at + skip == offset ? (uint32_t)grow : 0),
               true);
    sim_packet_free(bp->p);
}

static bool touches(const struct box *b, const struct box_packet *bp, uint32_t at)
{
    uint32_t offset = (uint32_t)box_value(b, BOX_OFFSET, 0), end = at + bp->s.payload_len;
    int32_t grow = grow_of(b);
    return bp->s.payload_len && seq_gt(end, offset) &&
           (grow > 0 ? seq_leq(at, offset) : seq_lt(at, offset + (uint32_t)-grow));
}

static void alg_input(struct box *b, struct box_packet *bp)
{
    struct alg_flow *f = bp->s.flags & TCP_SYN ? box_flow(b, bp) : box_flow_find(b, bp);
    if (!f) { /* from before the box: nothing to translate */
        box_pass(b, bp);
        return;
    }
    uint32_t at = place(&f->origin[bp->dir], bp), first = f->origin[bp->dir].first;
    translate_acks(b, f, bp);
    f->seen[bp->dir] = seq_max(f->seen[bp->dir], at + bp->s.payload_len);
    bool acts = box_value(b, BOX_DIR, 3) & 1u << bp->dir && !(bp->s.flags & TCP_SYN);
    if (acts && touches(b, bp, at)) {
        rewrite(b, bp, first, at);
        return;
    }
    if (acts)
        put_be32(bp->tcp + 4, first + onward(b, at));
    box_finish(bp->p);
    box_pass(b, bp);
}

const struct box_kind kind_alg = {
    .name = "alg",
    .summary = "puts grow bytes in at offset of each flow, and mends all numbers behind",
    .keys = 1u << BOX_OFFSET | 1u << BOX_GROW,
    .flow_size = sizeof(struct alg_flow),
    .all = true,
    .input = alg_input,
};

/* ---- what becomes of a stream ----------------------------------------------------------- */

size_t box_rewrites(const struct box_spec *spec, uint8_t *bytes, size_t len)
{
    size_t offset = spec->given & 1u << BOX_OFFSET ? spec->value[BOX_OFFSET] : 0;
    int64_t grow = spec->given & 1u << BOX_GROW ? (int64_t)spec->value[BOX_GROW] : 1;
    if (offset >= len)
        return len;
    if (spec->kind == &kind_edit)
        bytes[offset] ^= EDIT_FLIPS;
    if (spec->kind != &kind_alg)
        return len;
    size_t gone = grow < 0 ? (size_t)-grow : 0, come = grow > 0 ? (size_t)grow : 0;
    if (gone > len - offset)
        gone = len - offset;
    memmove(bytes + offset + come, bytes + offset + gone, len - offset - gone);
    memcpy(bytes + offset, put_in, come);
    return len - gone + come;
}
