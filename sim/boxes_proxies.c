/* SPDX-License-Identifier: MIT
 *
 * Boxes that speak in the name of an end: a proxy that acknowledges early
 * (RFC 8041 3.1; RFC 3135), and a captive portal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/seq.h"
#include "sim/box_kind.h"

/* ---- pep -------------------------------------------------------------------------------- */

enum { PEP_RESEND, PEP_FORGET };
static const char *const pep_words[] = {"resend", "forget", NULL};
enum { PEP_KEEP = 128, PEP_RTO_US = 300000, PEP_TRIES = 8 };

/* One direction's data: what is to come next, and what the receiver has not
 * acknowledged yet. */
struct pep_way {
    bool known;
    uint32_t next;   /* everything before it has come by */
    uint16_t window; /* the receiver's, as last said */
    struct sim_packet *kept[PEP_KEEP];
    uint32_t end[PEP_KEEP]; /* of each, in sequence space */
    unsigned count, tries;
    uint64_t resend_us;
};

struct pep_flow {
    struct pep_way way[2];
};

static void pep_alarm(struct box *b)
{
    uint64_t next_us = UINT64_MAX;
    for (struct pep_flow *f = NULL; (f = box_flow_next(b, f)) != NULL;) {
        for (unsigned dir = 0; dir < 2; dir++) {
            if (f->way[dir].count && f->way[dir].resend_us < next_us)
                next_us = f->way[dir].resend_us;
        }
    }
    box_alarm(b, next_us);
}

static void forget_first(struct pep_way *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sim_packet_free(w->kept[i]);
    w->count -= n;
    memmove(w->kept, w->kept + n, w->count * sizeof w->kept[0]);
    memmove(w->end, w->end + n, w->count * sizeof w->end[0]);
}

static void pep_acked(struct box *b, struct pep_way *w, const struct segment *s)
{
    unsigned n = 0;
    while (n < w->count && seq_leq(w->end[n], s->ack))
        n++;
    forget_first(w, n);
    w->window = s->window;
    if (n) {
        w->tries = 0;
        w->resend_us = box_now(b) + PEP_RTO_US;
    }
}

static void pep_tick(struct box *b)
{
    for (struct pep_flow *f = NULL; (f = box_flow_next(b, f)) != NULL;) {
        for (unsigned dir = 0; dir < 2; dir++) {
            struct pep_way *w = &f->way[dir];
            if (!w->count || w->resend_us > box_now(b))
                continue;
            if (++w->tries > PEP_TRIES) {
                forget_first(w, w->count);
                continue;
            }
            w->resend_us = box_now(b) + ((uint64_t)PEP_RTO_US << w->tries);
            box_inject(b, (enum box_dir)dir, box_clone(w->kept[0]));
        }
    }
    pep_alarm(b);
}

static void pep_end(struct box *b, void *flow)
{
    struct pep_flow *f = flow;
    (void)b;
    forget_first(&f->way[0], f->way[0].count);
    forget_first(&f->way[1], f->way[1].count);
}

static void keep(struct box *b, struct pep_way *w, const struct box_packet *bp)
{
    struct sim_packet *copy = box_clone(bp->p);
    if (!copy)
        return;
    if (!w->count)
        w->resend_us = box_now(b) + PEP_RTO_US;
    w->kept[w->count] = copy;
    w->end[w->count++] = w->next;
}

/* In order, and there is room to keep it: acknowledged here. */
static void pep_data(struct box *b, struct pep_flow *f, struct box_packet *bp)
{
    struct pep_way *w = &f->way[bp->dir];
    const struct pep_way *other = &f->way[!bp->dir];
    enum box_dir dir = bp->dir, answer = dir == BOX_THERE ? BOX_BACK : BOX_THERE;
    bool in_order = w->known && other->known && bp->s.seq == w->next;
    struct sim_packet *ack = NULL;
    if (in_order && (box_how(b) == PEP_FORGET || w->count < PEP_KEEP)) {
        w->next += bp->s.payload_len;
        if (box_how(b) == PEP_RESEND)
            keep(b, w, bp);
        ack = box_forge_packet(bp, true, other->next, w->next, TCP_ACK, w->window, NULL, 0);
        box_count(b)->acted++;
    }
    box_pass(b, bp);
    box_inject(b, answer, ack);
}

static void pep_input(struct box *b, struct box_packet *bp)
{
    struct pep_flow *f = bp->s.flags & TCP_SYN ? box_flow(b, bp) : box_flow_find(b, bp);
    if (!f) {
        box_pass(b, bp);
        return;
    }
    struct pep_way *w = &f->way[bp->dir];
    if (bp->s.flags & TCP_SYN) {
        w->known = true;
        w->next = bp->s.seq + 1;
        f->way[!bp->dir].window = bp->s.window;
    } else if (bp->s.flags & TCP_ACK) {
        pep_acked(b, &f->way[!bp->dir], &bp->s);
    }
    if (bp->match && bp->s.payload_len && !(bp->s.flags & (TCP_SYN | TCP_RST)))
        pep_data(b, f, bp);
    else
        box_pass(b, bp);
    pep_alarm(b);
}

const struct box_kind kind_pep = {
    .name = "pep",
    .summary = "acknowledges data before its receiver does; repeats it itself, or not",
    .how = pep_words,
    .flow_size = sizeof(struct pep_flow),
    .all = true,
    .input = pep_input,
    .tick = pep_tick,
    .flow_end = pep_end,
};

/* ---- portal ----------------------------------------------------------------------------- */

enum { PORTAL_ISN = 0x10000000 };

/* Everything from A is answered in B's name; nothing reaches B. */
static void portal_input(struct box *b, struct box_packet *bp)
{
    static const char page[] = "HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    const struct segment *s = &bp->s;
    uint32_t ack = s->seq + segment_seq_len(s);
    struct sim_packet *answer = NULL;
    if (bp->dir == BOX_BACK) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    if (s->flags & TCP_SYN)
        answer = box_forge_packet(bp, true, PORTAL_ISN, ack, TCP_SYN | TCP_ACK, 65535, NULL, 0);
    else if (s->payload_len)
        answer = box_forge_packet(bp, true, PORTAL_ISN + 1, ack, TCP_PSH | TCP_FIN | TCP_ACK, 65535,
                                  page, sizeof page - 1);
    else if (s->flags & TCP_FIN)
        answer = box_forge_packet(bp, true, s->ack, ack, TCP_ACK, 65535, NULL, 0);
    box_inject(b, BOX_BACK, answer);
    box_drop(b, bp);
}

const struct box_kind kind_portal = {
    .name = "portal",
    .summary = "a captive portal: answers A in B's name, with a redirection",
    .input = portal_input,
};
