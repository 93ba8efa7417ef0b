/* SPDX-License-Identifier: MIT
 *
 * The world: events, links, routes and scheduled actions. Hosts are in host.c,
 * applications in stream.c.
 */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "sim/chain.h"
#include "sim/spec.h"
#include "sim/stream.h"

void *sim_alloc(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

static void *world_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return sim_alloc(size);
}

static void world_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

void sim_init(struct sim *sim, uint64_t seed, uint64_t now_us)
{
    const struct plait_allocator a = {.alloc = world_alloc, .free = world_free};
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->now_us = sim->started_us = sim->trace.started_us = now_us;
    prng_seed(&sim->prng, seed);
    mem_init(&sim->mem, &a, 0);
    timers_init(&sim->timers, &sim->mem);
    list_init(&sim->hosts);
    list_init(&sim->links);
    list_init(&sim->chains);
    list_init(&sim->routes);
    list_init(&sim->streams);
    list_init(&sim->actions);
    list_init(&sim->crosses);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->failure[0])
        return;
    int n = snprintf(sim->failure, sizeof sim->failure,
                     "at %.6f s: ", (double)(sim->now_us - sim->started_us) / 1e6);
    va_list args;
    va_start(args, format);
    vsnprintf(sim->failure + n, sizeof sim->failure - (size_t)n, format, args);
    va_end(args);
}

/* ---- events ----------------------------------------------------------------------------- */

void sim_event_init(struct sim *sim, struct sim_event *e,
                    void (*fire)(struct sim *, struct sim_event *))
{
    memset(e, 0, sizeof *e);
    e->timer.at_us = TIMER_NEVER;
    e->fire = fire;
    if (!timers_reserve(&sim->timers, &e->timer))
        abort();
}

void sim_event_at(struct sim *sim, struct sim_event *e, uint64_t at_us)
{
    if (at_us < sim->now_us)
        at_us = sim->now_us;
    if (e->timer.at_us != at_us) /* keep its place among equals */
        timers_set(&sim->timers, &e->timer, at_us);
}

void sim_event_free(struct sim *sim, struct sim_event *e)
{
    timers_forget(&sim->timers, &e->timer);
}

uint64_t sim_next(const struct sim *sim)
{
    return timers_next(&sim->timers);
}

static void step(struct sim *sim)
{
    sim->now_us = timers_next(&sim->timers);
    struct timer *t = timers_expire(&sim->timers, sim->now_us);
    struct sim_event *e = list_entry(t, struct sim_event, timer);
    sim->events++;
    e->fire(sim, e);
}

void sim_advance(struct sim *sim, uint64_t until_us)
{
    while (!sim->failure[0] && sim_next(sim) <= until_us)
        step(sim);
    if (!sim->failure[0] && sim->now_us < until_us)
        sim->now_us = until_us;
}

bool sim_run(struct sim *sim, uint64_t until_us, bool (*done)(void *ctx), void *ctx)
{
    while (!done(ctx)) {
        if (sim->failure[0])
            return false;
        if (sim_next(sim) > until_us) {
            sim_advance(sim, until_us);
            return done(ctx);
        }
        step(sim);
    }
    return true;
}

/* ---- links and routes ------------------------------------------------------------------- */

static void link_rearm(struct sim *sim, struct sim_link *l)
{
    uint64_t at_us = link_next(&l->link);
    if (at_us == UINT64_MAX)
        timers_set(&sim->timers, &l->event.timer, TIMER_NEVER);
    else
        sim_event_at(sim, &l->event, at_us);
}

void sim_link_offer(struct sim *sim, struct sim_link *l, struct sim_packet *p)
{
    link_offer(&l->link, sim->now_us, p);
    link_rearm(sim, l);
}

static void link_fire(struct sim *sim, struct sim_event *e)
{
    struct sim_link *l = list_entry(e, struct sim_link, event);
    for (struct sim_packet *p; (p = link_take(&l->link, sim->now_us)) != NULL;) {
        const struct route *r = p->route;
        sim->hops++;
        if (++p->hop < r->count)
            sim_forward(sim, p);
        else if (r->to)
            host_receive(r->to, p);
        else
            sim_packet_free(p);
    }
    link_rearm(sim, l);
}

struct sim_link *sim_link(struct sim *sim, const struct link_config *config)
{
    struct sim_link *l = sim_alloc(sizeof *l);
    link_init(&l->link, config, prng_next(&sim->prng));
    l->link.trace_us = sim->started_us;
    sim_event_init(sim, &l->event, link_fire);
    list_append(&sim->links, &l->node);
    return l;
}

void sim_forward(struct sim *sim, struct sim_packet *p)
{
    struct sim_link *l = ((const struct route *)p->route)->links[p->hop];
    if (l->chain) {
        box_chain_input(&l->chain->boxes, l->dir, sim->now_us, p);
        sim_chain_rearm(l->chain);
    } else {
        sim_link_offer(sim, l, p);
    }
}

void sim_route(struct sim *sim, struct iface *from, struct iface *to, struct sim_link *const *links,
               unsigned count)
{
    struct route *r = sim_alloc(sizeof *r);
    if (count < 1 || count > SIM_HOPS_MAX)
        abort();
    r->from = from;
    r->to = to;
    r->count = count;
    memcpy(r->links, links, count * sizeof links[0]);
    list_append(&sim->routes, &r->node);
}

bool iface_has(const struct iface *i, const struct plait_addr *a)
{
    return addr_equal(&i->local.addr, a) || (i->alias.family && addr_equal(&i->alias, a));
}

struct route *sim_find_route(const struct sim *sim, const struct plait_addr *src,
                             const struct plait_addr *dst)
{
    list_each(r, &sim->routes, struct route, node) {
        if (iface_has(r->from, src) && iface_has(r->to, dst))
            return r;
    }
    return NULL;
}

struct path sim_path(struct sim *sim, struct iface *a, struct iface *b,
                     const struct link_config *there, const struct link_config *back)
{
    struct path p = {.there = sim_link(sim, there), .back = sim_link(sim, back ? back : there)};
    sim_chain(sim, &p);
    sim_route(sim, a, b, &p.there, 1);
    sim_route(sim, b, a, &p.back, 1);
    return p;
}

struct path sim_path_spec(struct sim *sim, struct iface *a, struct iface *b, const char *spec)
{
    struct link_config c;
    char error[SPEC_ERROR_MAX];
    if (!link_spec_parse(spec, &c, error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    return sim_path(sim, a, b, &c, NULL);
}

void sim_path_set_up(struct sim *sim, const struct path *p, bool up)
{
    link_set_up(&p->there->link, sim->now_us, up);
    link_set_up(&p->back->link, sim->now_us, up);
    link_rearm(sim, p->there);
    link_rearm(sim, p->back);
}

void sim_link_configure(struct sim *sim, struct sim_link *l, const struct link_config *config)
{
    link_configure(&l->link, sim->now_us, config);
    link_rearm(sim, l);
}

/* ---- scheduled actions ------------------------------------------------------------------ */

struct action {
    struct list node;
    struct sim_event event;
    void (*call)(struct sim *sim, void *ctx);
    void *ctx;
    struct path path;
    struct iface *iface;
    struct sim_link *link;
    struct link_config config;
    bool on;
};

static void action_free(struct sim *sim, struct action *a)
{
    sim_event_free(sim, &a->event);
    list_remove(&a->node);
    free(a);
}

static void action_fire(struct sim *sim, struct sim_event *e)
{
    struct action *a = list_entry(e, struct action, event);
    if (a->call)
        a->call(sim, a->ctx);
    if (a->path.there)
        sim_path_set_up(sim, &a->path, a->on);
    if (a->iface)
        iface_set_present(a->iface, a->on);
    if (a->link)
        sim_link_configure(sim, a->link, &a->config);
    action_free(sim, a);
}

static struct action *schedule(struct sim *sim, uint64_t at_us)
{
    struct action *a = sim_alloc(sizeof *a);
    sim_event_init(sim, &a->event, action_fire);
    sim_event_at(sim, &a->event, at_us);
    list_append(&sim->actions, &a->node);
    return a;
}

void sim_at(struct sim *sim, uint64_t at_us, void (*call)(struct sim *sim, void *ctx), void *ctx)
{
    struct action *a = schedule(sim, at_us);
    a->call = call;
    a->ctx = ctx;
}

void sim_at_path(struct sim *sim, uint64_t at_us, const struct path *p, bool up)
{
    struct action *a = schedule(sim, at_us);
    a->path = *p;
    a->on = up;
}

void sim_at_iface(struct sim *sim, uint64_t at_us, struct iface *i, bool present)
{
    struct action *a = schedule(sim, at_us);
    a->iface = i;
    a->on = present;
}

void sim_at_link(struct sim *sim, uint64_t at_us, struct sim_link *l,
                 const struct link_config *config)
{
    struct action *a = schedule(sim, at_us);
    a->link = l;
    a->config = *config;
}

void sim_free(struct sim *sim)
{
    list_each(a, &sim->actions, struct action, node)
        action_free(sim, a);
    list_each(h, &sim->hosts, struct host, node)
        host_free(h);
    list_each(s, &sim->streams, struct stream, node)
        stream_free(s);
    list_each(r, &sim->routes, struct route, node)
        free(r);
    list_each(c, &sim->chains, struct sim_chain, node)
        sim_chain_free(c);
    list_each(l, &sim->links, struct sim_link, node) {
        link_free(&l->link);
        sim_event_free(sim, &l->event);
        free(l);
    }
    list_each(x, &sim->crosses, struct sim_cross, node) {
        sim_event_free(sim, &x->event);
        free(x);
    }
    timers_free(&sim->timers);
}
