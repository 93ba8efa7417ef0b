/* SPDX-License-Identifier: MIT
 *
 * Boxes that cut the stream anew: segmentation offload on the way, proxies
 * that merge small segments, and ones whose segments do not end where the
 * sender's did ("Are TCP extensions middlebox-proof?", figure 4: a mapping
 * then comes later than the first of its bytes).
 */
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "sim/box_kind.h"
#include "wire/options.h"

/* What a new segment takes from others: header and options from `like`. */
struct cut {
    const struct box_packet *like;
    uint32_t options_len; /* of like's; fewer: the rest are left out */
    const uint8_t *options;
    uint32_t seq, ack;
    uint16_t window;
    uint8_t flags;
};

static struct sim_packet *make(const struct cut *c, const uint8_t *payload, uint32_t len)
{
    struct sim_packet *p = box_build(c->like, c->options, c->options_len, payload, len);
    if (!p)
        return NULL;
    uint8_t *tcp = p->bytes + (c->like->tcp - c->like->p->bytes);
    put_be32(tcp + 4, c->seq);
    put_be32(tcp + 8, c->ack);
    tcp[13] = c->flags;
    put_be16(tcp + 14, c->window);
    box_finish(p);
    return p;
}

static struct cut cut_like(const struct box_packet *bp)
{
    return (struct cut){.like = bp,
                        .options_len = bp->options_len,
                        .options = bp->options,
                        .seq = bp->s.seq,
                        .ack = bp->s.ack,
                        .window = bp->s.window,
                        .flags = bp->s.flags};
}

/* ---- split ------------------------------------------------------------------------------ */

enum { SPLIT_ALL, SPLIT_FIRST, SPLIT_LAST };
static const char *const split_words[] = {"all", "first", "last", NULL};

/* The options without MPTCP's. */
static uint32_t others(const struct box_packet *bp, uint8_t *kept)
{
    uint32_t n = 0;
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        if (bp->options[at] == TCPOPT_MPTCP)
            continue;
        memcpy(kept + n, bp->options + at, len);
        n += len;
    }
    return n;
}

static void split_input(struct box *b, struct box_packet *bp)
{
    uint8_t kept[TCP_OPTIONS_MAX];
    uint32_t len = bp->s.payload_len, kept_len = others(bp, kept);
    uint32_t size = (uint32_t)box_value(b, BOX_SIZE, (len + 1) / 2);
    unsigned how = box_how(b);
    if (len <= size || bp->s.flags & (TCP_SYN | TCP_URG)) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    for (uint32_t done = 0; done < len; done += size) {
        struct cut c = cut_like(bp);
        uint32_t part = len - done < size ? len - done : size;
        bool last = done + part == len;
        if ((how == SPLIT_FIRST && done) || (how == SPLIT_LAST && !last)) {
            c.options = kept;
            c.options_len = kept_len;
        }
        c.seq += done;
        if (!last)
            c.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        box_inject(b, bp->dir, make(&c, bp->payload + done, part));
    }
    sim_packet_free(bp->p);
}

const struct box_kind kind_split = {
    .name = "split",
    .summary = "cuts segments (to size; in two without), MPTCP's options on these pieces",
    .keys = 1u << BOX_SIZE,
    .how = split_words,
    .input = split_input,
};

/* ---- coalesce and resegment ------------------------------------------------------------- */

enum { JOIN_FIRST, JOIN_LAST };
static const char *const join_words[] = {"first", "last", NULL};
enum { HOLD_US = 5000, SIZE = 1400 };

struct join_flow {
    struct sim_packet *held[2]; /* by direction: the end of what has come */
    uint64_t until_us[2];
};

static void let_go(struct box *b, struct join_flow *f, enum box_dir dir)
{
    struct sim_packet *p = f->held[dir];
    f->held[dir] = NULL;
    box_emit(b, dir, p);
}

static void set_alarm(struct box *b)
{
    uint64_t next_us = UINT64_MAX;
    for (struct join_flow *f = NULL; (f = box_flow_next(b, f)) != NULL;) {
        for (unsigned dir = 0; dir < 2; dir++) {
            if (f->held[dir] && f->until_us[dir] < next_us)
                next_us = f->until_us[dir];
        }
    }
    box_alarm(b, next_us);
}

static void join_tick(struct box *b)
{
    for (struct join_flow *f = NULL; (f = box_flow_next(b, f)) != NULL;) {
        for (unsigned dir = 0; dir < 2; dir++) {
            if (f->held[dir] && f->until_us[dir] <= box_now(b))
                let_go(b, f, (enum box_dir)dir);
        }
    }
    set_alarm(b);
}

static void join_end(struct box *b, void *flow)
{
    struct join_flow *f = flow;
    let_go(b, f, BOX_THERE);
    let_go(b, f, BOX_BACK);
}

static void hold(struct box *b, struct join_flow *f, enum box_dir dir, struct sim_packet *p)
{
    f->held[dir] = p;
    f->until_us[dir] = box_now(b) + box_value(b, BOX_HOLD, HOLD_US);
}

/* What is held with what came behind it: whose options, everything else that
 * is said of the end from the later one. */
static struct cut cut_of_both(const struct box *b, const struct box_packet *held,
                              const struct box_packet *bp)
{
    struct cut c = cut_like(box_how(b) == JOIN_FIRST ? held : bp);
    c.seq = held->s.seq;
    c.ack = bp->s.ack;
    c.window = bp->s.window;
    c.flags = held->s.flags | bp->s.flags;
    return c;
}

static bool joins(const struct box_packet *bp)
{
    return bp->match && bp->s.payload_len && !(bp->s.flags & (TCP_SYN | TCP_RST | TCP_URG));
}

static bool follows(const struct box_packet *held, const struct box_packet *bp)
{
    return held->s.seq + held->s.payload_len == bp->s.seq;
}

/* Whole segments only: merged while they fit. */
static void coalesce(struct box *b, struct join_flow *f, struct box_packet *bp)
{
    static uint8_t bytes[1 << 17];
    uint32_t most = (uint32_t)box_value(b, BOX_SIZE, SIZE);
    struct box_packet held = {.dir = bp->dir};
    struct sim_packet *whole = bp->p;
    if (f->held[bp->dir] && box_decode(&held, f->held[bp->dir])) {
        uint32_t first = held.s.payload_len, len = first + bp->s.payload_len;
        if (!follows(&held, bp) || len > most) {
            let_go(b, f, bp->dir);
        } else {
            struct cut c = cut_of_both(b, &held, bp);
            memcpy(bytes, held.payload, first);
            memcpy(bytes + first, bp->payload, bp->s.payload_len);
            whole = make(&c, bytes, len);
            box_count(b)->acted++;
            sim_packet_free(held.p);
            sim_packet_free(bp->p);
            f->held[bp->dir] = NULL;
        }
    }
    hold(b, f, bp->dir, whole);
    if (bp->s.flags & TCP_FIN)
        let_go(b, f, bp->dir);
}

/* Pieces of exactly `size`, from what is held and what came; the rest waits. */
static void resegment(struct box *b, struct join_flow *f, struct box_packet *bp)
{
    static uint8_t bytes[1 << 17];
    uint32_t size = (uint32_t)box_value(b, BOX_SIZE, SIZE), done = 0;
    struct box_packet held = {.dir = bp->dir};
    bool fin = bp->s.flags & TCP_FIN;
    if (f->held[bp->dir] && box_decode(&held, f->held[bp->dir])) {
        uint32_t first = held.s.payload_len;
        if (!follows(&held, bp)) {
            let_go(b, f, bp->dir);
        } else {
            struct cut c = cut_of_both(b, &held, bp);
            done = first < size ? size - first : 0;
            if (done > bp->s.payload_len)
                done = bp->s.payload_len;
            memcpy(bytes, held.payload, first);
            memcpy(bytes + first, bp->payload, done);
            if (done < bp->s.payload_len)
                c.flags &= (uint8_t)~TCP_FIN;
            f->held[bp->dir] = make(&c, bytes, first + done);
            box_count(b)->acted++;
            sim_packet_free(held.p);
            if (first + done >= size || fin)
                let_go(b, f, bp->dir);
        }
    }
    for (uint32_t len = bp->s.payload_len; done < len;) {
        struct cut c = cut_like(bp);
        uint32_t part = len - done < size ? len - done : size;
        c.seq += done;
        done += part;
        if (done < len)
            c.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        hold(b, f, bp->dir, make(&c, bp->payload + done - part, part));
        if (part == size || fin)
            let_go(b, f, bp->dir);
    }
    sim_packet_free(bp->p);
}

static void join_input(struct box *b, struct box_packet *bp)
{
    struct join_flow *f = box_flow(b, bp);
    if (!f) {
        box_pass(b, bp);
        return;
    }
    if (!joins(bp)) { /* an ACK may overtake data here as anywhere; what ends the flow may not */
        if (bp->s.flags & (TCP_SYN | TCP_RST | TCP_FIN))
            let_go(b, f, bp->dir);
        box_pass(b, bp);
    } else if (box_kind_of(b) == &kind_coalesce) {
        coalesce(b, f, bp);
    } else {
        resegment(b, f, bp);
    }
    set_alarm(b);
}

const struct box_kind kind_coalesce = {
    .name = "coalesce",
    .summary = "merges segments up to size, waiting for hold; options of this one stay",
    .keys = 1u << BOX_SIZE | 1u << BOX_HOLD,
    .how = join_words,
    .flow_size = sizeof(struct join_flow),
    .all = true,
    .input = join_input,
    .tick = join_tick,
    .flow_end = join_end,
};

const struct box_kind kind_resegment = {
    .name = "resegment",
    .summary = "cuts the stream into pieces of size, across the sender's borders",
    .keys = 1u << BOX_SIZE | 1u << BOX_HOLD,
    .how = join_words,
    .flow_size = sizeof(struct join_flow),
    .all = true,
    .input = join_input,
    .tick = join_tick,
    .flow_end = join_end,
};
