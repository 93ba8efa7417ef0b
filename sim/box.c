/* SPDX-License-Identifier: MIT
 *
 * Chains of boxes: who sees which packet, flows, alarms and counts. What the
 * boxes do is in boxes_*.c.
 */
#include "sim/box.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "sim/box_kind.h"

enum { FLOWS_MAX = 1024 };

struct box {
    struct list node;
    struct box_chain *chain;
    struct box_spec spec;
    struct box_stats stats;
    struct rule_box *rule; /* of the box made in code */
    uint64_t added_us, alarm_us, order;
    struct list flows; /* the one used last first */
    void *state;
};

struct flow {
    struct list node;
    struct plait_endpoint end[2]; /* A's and B's, as seen at A's side of the box */
    max_align_t state[];
};

/* ---- which packets ---------------------------------------------------------------------- */

static uint32_t phase_of(const struct segment *s)
{
    uint32_t phase = 0;
    if (s->flags & TCP_SYN)
        return s->flags & TCP_ACK ? PHASE_SYNACK : PHASE_SYN;
    if (s->flags & TCP_RST)
        return PHASE_RST;
    if (s->flags & TCP_FIN)
        phase |= PHASE_FIN;
    if (s->payload_len)
        phase |= PHASE_DATA;
    else if (!phase)
        phase |= PHASE_ACK;
    if (!s->payload_len && s->mptcp.present & (MPO_CAPABLE_KEYS | MPO_JOIN_ACK))
        phase |= PHASE_THIRD;
    return phase;
}

static bool has_option(const struct box_packet *bp, uint32_t options)
{
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        if (box_option_is(bp->options + at, options))
            return true;
    }
    return false;
}

/* Whether the box stands in this packet's way at all. */
static bool in_the_way(const struct box *b, const struct box_packet *bp)
{
    uint64_t age_us = box_age(b);
    uint64_t port = box_value(b, BOX_PORT, 0);
    return age_us >= box_value(b, BOX_FROM, 0) && age_us < box_value(b, BOX_UNTIL, UINT64_MAX) &&
           (!port || bp->s.src.port == port || bp->s.dst.port == port);
}

/* Its turn by after= and count=. */
static bool in_turn(struct box *b, uint64_t skip, uint64_t count)
{
    uint64_t order = b->order++;
    return order >= skip && order - skip < count;
}

static bool matches(struct box *b, const struct box_packet *bp)
{
    uint64_t dirs = box_value(b, BOX_DIR, 3), on = box_value(b, BOX_ON, 0);
    uint64_t options = box_value(b, BOX_OPTION, 0);
    if (!(dirs & 1u << bp->dir) || (on && !(on & phase_of(&bp->s))) ||
        (options && !has_option(bp, (uint32_t)options)))
        return false;
    return in_turn(b, box_value(b, BOX_AFTER, 0), box_value(b, BOX_COUNT, UINT64_MAX));
}

/* ---- rules in code ---------------------------------------------------------------------- */

static bool rule_matches(struct box *b, const struct box_packet *bp)
{
    struct rule_box *r = b->rule;
    const struct segment *s = &bp->s;
    if (!(box_value(b, BOX_DIR, 3) & 1u << bp->dir) ||
        (r->options && !(s->mptcp.present & r->options)) ||
        (s->flags & r->flags_mask) != r->flags ||
        (r->payload != PAYLOAD_ANY && (r->payload == PAYLOAD_SOME) != (s->payload_len > 0)))
        return false;
    r->seen++;
    bool turn = in_turn(b, r->skip, r->count ? r->count : UINT64_MAX);
    r->hits += turn;
    return turn;
}

static void count_input(struct box *b, struct box_packet *bp)
{
    b->stats.acted++;
    box_pass(b, bp);
}

static const struct box_kind count_kind = {.name = "count", .input = count_input};

struct box *box_add_rule(struct box_chain *chain, enum box_dir dir, struct rule_box *rule,
                         uint64_t now_us)
{
    static const struct box_kind *const kinds[] = {
        [RULE_COUNT] = &count_kind, [RULE_DROP] = &kind_drop, [RULE_STRIP] = &kind_strip};
    struct box_spec spec = {.kind = kinds[rule->action], .given = 1u << BOX_DIR};
    spec.value[BOX_DIR] = 1u << dir;
    struct box *b = box_add(chain, &spec, now_us);
    if (b)
        b->rule = rule;
    return b;
}

/* ---- the chain -------------------------------------------------------------------------- */

void box_chain_init(struct box_chain *chain, uint64_t seed,
                    void (*out)(struct box_chain *chain, enum box_dir dir, struct sim_packet *p),
                    void *ctx)
{
    memset(chain, 0, sizeof *chain);
    list_init(&chain->boxes);
    prng_seed(&chain->prng, seed);
    chain->out = out;
    chain->ctx = ctx;
}

struct box *box_add(struct box_chain *chain, const struct box_spec *spec, uint64_t now_us)
{
    struct box *b = chain->count < BOXES_MAX ? calloc(1, sizeof *b) : NULL;
    if (!b)
        return NULL;
    b->chain = chain;
    b->spec = *spec;
    b->added_us = now_us;
    b->alarm_us = UINT64_MAX;
    list_init(&b->flows);
    if (spec->kind->state_size && !(b->state = calloc(1, spec->kind->state_size))) {
        free(b);
        return NULL;
    }
    list_append(&chain->boxes, &b->node);
    chain->count++;
    return b;
}

void box_remove(struct box *b, uint64_t now_us)
{
    if (now_us > b->chain->now_us)
        b->chain->now_us = now_us;
    box_flows_clear(b);
    list_remove(&b->node);
    b->chain->count--;
    free(b->state);
    free(b);
}

/* Nobody is there to take what the boxes still hold. */
static void into_nothing(struct box_chain *chain, enum box_dir dir, struct sim_packet *p)
{
    (void)chain;
    (void)dir;
    sim_packet_free(p);
}

void box_chain_free(struct box_chain *chain)
{
    chain->out = into_nothing;
    while (!list_empty(&chain->boxes))
        box_remove(list_first(&chain->boxes, struct box, node), chain->now_us);
}

struct box *box_at(const struct box_chain *chain, unsigned i)
{
    list_each(b, &chain->boxes, struct box, node) {
        if (i-- == 0)
            return b;
    }
    return NULL;
}

static void enter(struct box *b, enum box_dir dir, struct sim_packet *p)
{
    struct box_packet bp = {.dir = dir};
    const struct box_kind *kind = b->spec.kind;
    if (!box_decode(&bp, p) || !in_the_way(b, &bp)) {
        box_emit(b, dir, p);
        return;
    }
    b->stats.seen++;
    bp.match = b->rule ? rule_matches(b, &bp) : matches(b, &bp);
    if (bp.match || kind->all)
        kind->input(b, &bp);
    else
        box_emit(b, dir, p);
}

void box_chain_input(struct box_chain *chain, enum box_dir dir, uint64_t now_us,
                     struct sim_packet *p)
{
    if (now_us > chain->now_us)
        chain->now_us = now_us;
    if (list_empty(&chain->boxes))
        chain->out(chain, dir, p);
    else if (dir == BOX_THERE)
        enter(list_first(&chain->boxes, struct box, node), dir, p);
    else
        enter(list_last(&chain->boxes, struct box, node), dir, p);
}

uint64_t box_chain_next(const struct box_chain *chain)
{
    uint64_t next_us = UINT64_MAX;
    list_each(b, &chain->boxes, struct box, node) {
        if (b->alarm_us < next_us)
            next_us = b->alarm_us;
    }
    return next_us;
}

void box_chain_tick(struct box_chain *chain, uint64_t now_us)
{
    if (now_us > chain->now_us)
        chain->now_us = now_us;
    list_each(b, &chain->boxes, struct box, node) {
        if (b->alarm_us > now_us)
            continue;
        b->alarm_us = UINT64_MAX;
        if (b->spec.kind->tick)
            b->spec.kind->tick(b);
    }
}

/* ---- what a kind may call --------------------------------------------------------------- */

const struct box_spec *box_spec(const struct box *b)
{
    return &b->spec;
}

const struct box_stats *box_stats(const struct box *b)
{
    return &b->stats;
}

void *box_state(struct box *b)
{
    return b->state;
}

uint64_t box_now(const struct box *b)
{
    return b->chain->now_us;
}

uint64_t box_age(const struct box *b)
{
    return b->chain->now_us - b->added_us;
}

const struct box_kind *box_kind_of(const struct box *b)
{
    return b->spec.kind;
}

struct prng *box_prng(struct box *b)
{
    return &b->chain->prng;
}

struct box_stats *box_count(struct box *b)
{
    return &b->stats;
}

uint64_t box_value(const struct box *b, enum box_key key, uint64_t otherwise)
{
    return b->spec.given & 1u << key ? b->spec.value[key] : otherwise;
}

unsigned box_how(const struct box *b)
{
    return (unsigned)box_value(b, BOX_HOW, 0);
}

const struct plait_addr *box_addr(const struct box *b)
{
    return b->spec.given & 1u << BOX_ADDR ? &b->spec.addr : NULL;
}

void box_pass(struct box *b, struct box_packet *bp)
{
    box_emit(b, bp->dir, bp->p);
}

void box_drop(struct box *b, struct box_packet *bp)
{
    b->stats.dropped++;
    sim_packet_free(bp->p);
}

void box_emit(struct box *b, enum box_dir dir, struct sim_packet *p)
{
    struct list *next = dir == BOX_THERE ? b->node.next : b->node.prev;
    if (!p)
        return;
    if (next == &b->chain->boxes)
        b->chain->out(b->chain, dir, p);
    else
        enter(list_entry(next, struct box, node), dir, p);
}

void box_inject(struct box *b, enum box_dir dir, struct sim_packet *p)
{
    b->stats.injected += p != NULL;
    box_emit(b, dir, p);
}

void box_alarm(struct box *b, uint64_t at_us)
{
    b->alarm_us = at_us;
}

/* ---- flows ------------------------------------------------------------------------------ */

static void flow_free(struct box *b, struct flow *f)
{
    if (b->spec.kind->flow_end)
        b->spec.kind->flow_end(b, f->state);
    list_remove(&f->node);
    b->stats.flows--;
    free(f);
}

void box_flows_clear(struct box *b)
{
    while (!list_empty(&b->flows))
        flow_free(b, list_first(&b->flows, struct flow, node));
}

void *box_flow_find(struct box *b, const struct box_packet *bp)
{
    const struct plait_endpoint *ends[2] = {&bp->s.src, &bp->s.dst};
    unsigned back = bp->dir == BOX_BACK;
    list_each(f, &b->flows, struct flow, node) {
        if (!endpoint_equal(&f->end[0], ends[back]) || !endpoint_equal(&f->end[1], ends[!back]))
            continue;
        list_remove(&f->node);
        list_prepend(&b->flows, &f->node);
        return f->state;
    }
    return NULL;
}

void *box_flow(struct box *b, const struct box_packet *bp)
{
    void *known = box_flow_find(b, bp);
    if (known)
        return known;
    struct flow *f = calloc(1, sizeof *f + b->spec.kind->flow_size);
    if (!f)
        return NULL;
    if (b->stats.flows == FLOWS_MAX) {
        b->stats.evicted++;
        flow_free(b, list_last(&b->flows, struct flow, node));
    }
    f->end[bp->dir == BOX_BACK] = bp->s.src;
    f->end[bp->dir == BOX_THERE] = bp->s.dst;
    list_prepend(&b->flows, &f->node);
    b->stats.flows++;
    return f->state;
}

void *box_flow_next(struct box *b, const void *flow)
{
    const struct list *at = &b->flows;
    if (flow)
        at = &((const struct flow *)(const void *)((const char *)flow -
                                                   offsetof(struct flow, state)))
                  ->node;
    return at->next == &b->flows ? NULL : list_entry(at->next, struct flow, node)->state;
}
