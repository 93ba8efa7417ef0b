/* SPDX-License-Identifier: MIT
 *
 * Boxes in the simulated world: a path's chain, its alarm in the world's
 * clock, and the way of packets that a box made itself.
 */
#include "sim/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "wire/ip.h"

static void chain_fire(struct sim *sim, struct sim_event *e)
{
    struct sim_chain *c = list_entry(e, struct sim_chain, event);
    box_chain_tick(&c->boxes, sim->now_us);
    sim_chain_rearm(c);
}

void sim_chain_rearm(struct sim_chain *c)
{
    uint64_t at_us = box_chain_next(&c->boxes);
    if (at_us == UINT64_MAX)
        timers_set(&c->sim->timers, &c->event.timer, TIMER_NEVER);
    else
        sim_event_at(c->sim, &c->event, at_us);
}

/* A packet that a box made knows no route yet: the one over this link to its
 * destination (its source may be a router's). */
static bool find_way(struct sim *sim, const struct sim_link *l, struct sim_packet *p)
{
    struct ip_packet ip;
    if (p->route)
        return true;
    if (ip_parse(p->bytes, p->len, &ip) != SEGMENT_OK)
        return false;
    list_each(r, &sim->routes, struct route, node) {
        if (!iface_has(r->to, &ip.dst))
            continue;
        for (uint32_t i = 0; i < r->count; i++) {
            if (r->links[i] != l)
                continue;
            p->route = r;
            p->hop = i;
            return true;
        }
    }
    return false;
}

static void chain_out(struct box_chain *boxes, enum box_dir dir, struct sim_packet *p)
{
    struct sim_chain *c = boxes->ctx;
    if (find_way(c->sim, c->link[dir], p))
        sim_link_offer(c->sim, c->link[dir], p);
    else
        sim_packet_free(p);
}

void sim_chain(struct sim *sim, const struct path *p)
{
    struct sim_chain *c = sim_alloc(sizeof *c);
    c->sim = sim;
    c->link[BOX_THERE] = p->there;
    c->link[BOX_BACK] = p->back;
    p->there->chain = p->back->chain = c;
    p->there->dir = BOX_THERE;
    p->back->dir = BOX_BACK;
    box_chain_init(&c->boxes, sim->seed, chain_out, c);
    sim_event_init(sim, &c->event, chain_fire);
    list_append(&sim->chains, &c->node);
}

void sim_chain_free(struct sim_chain *c)
{
    box_chain_free(&c->boxes);
    sim_event_free(c->sim, &c->event);
    free(c);
}

/* The interface whose packets enter this link first gets the NAT's address. */
static void set_alias(struct sim *sim, const struct sim_link *l, const struct plait_addr *addr)
{
    list_each(r, &sim->routes, struct route, node) {
        if (r->links[0] == l)
            r->from->alias = *addr;
    }
}

struct box *sim_box_spec(struct sim *sim, const struct path *p, const struct box_spec *spec)
{
    struct box *b = box_add(&p->there->chain->boxes, spec, sim->now_us);
    if (!b)
        abort();
    if (spec->addr.family)
        set_alias(sim, p->there, &spec->addr);
    return b;
}

struct box *sim_box(struct sim *sim, const struct path *p, const char *text)
{
    struct box_spec spec;
    char error[BOX_ERROR_MAX];
    if (!box_spec_parse(text, &spec, error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    return sim_box_spec(sim, p, &spec);
}

void rule_add(struct sim_link *l, struct rule_box *rule)
{
    if (!box_add_rule(&l->chain->boxes, l->dir, rule, l->chain->sim->now_us))
        abort();
}
