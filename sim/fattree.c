/* SPDX-License-Identifier: MIT
 *
 * The fat tree; see fattree.h. Links are numbered by layer (host to edge, edge to
 * aggregation, aggregation to core), then by direction, then by what is below:
 * each layer has k^3/4 of them each way.
 */
#include "sim/fattree.h"

#include <stdlib.h>

enum layer { HOST_EDGE, EDGE_AGG, AGG_CORE, LAYERS };
enum { UP, DOWN, DIRECTIONS, ROUTE_MAX = 2 * LAYERS };

unsigned fattree_hosts(const struct fattree *t)
{
    return t->k * t->k * t->k / 4;
}

void fattree_open(struct fattree *t, struct sim *sim, unsigned k, const struct link_config *link)
{
    *t = (struct fattree){.sim = sim, .k = k};
    if (k < 2 || k % 2 || k > FATTREE_K_MAX)
        abort();
    unsigned count = fattree_hosts(t) * LAYERS * DIRECTIONS;
    t->links = sim_alloc(count * sizeof(struct sim_link *));
    for (unsigned i = 0; i < count; i++)
        t->links[i] = sim_link(sim, link);
}

void fattree_close(struct fattree *t)
{
    free(t->links);
    t->links = NULL;
}

/* below: the host, edge switch and port, or aggregation switch and port. */
static struct sim_link *link_at(const struct fattree *t, enum layer layer, unsigned direction,
                                unsigned below)
{
    return t->links[(layer * DIRECTIONS + direction) * fattree_hosts(t) + below];
}

static unsigned edge_of(const struct fattree *t, unsigned host)
{
    return host / (t->k / 2);
}

static unsigned pod_of(const struct fattree *t, unsigned host)
{
    return host / (t->k * t->k / 4);
}

unsigned fattree_paths(const struct fattree *t, unsigned from, unsigned to)
{
    if (edge_of(t, from) == edge_of(t, to))
        return 1;
    return pod_of(t, from) == pod_of(t, to) ? t->k / 2 : t->k * t->k / 4;
}

/* Path p goes by the aggregation switch p mod k/2 of each pod and from there by
 * its port p / (k/2) to a core switch, which has the same port in all pods. */
static unsigned links_of(const struct fattree *t, unsigned from, unsigned to, unsigned path,
                         struct sim_link **out)
{
    unsigned half = t->k / 2, agg = path % half, core = path / half, n = 0;
    bool climbs = edge_of(t, from) != edge_of(t, to), leaves = pod_of(t, from) != pod_of(t, to);
    out[n++] = link_at(t, HOST_EDGE, UP, from);
    if (climbs)
        out[n++] = link_at(t, EDGE_AGG, UP, edge_of(t, from) * half + agg);
    if (leaves) {
        out[n++] = link_at(t, AGG_CORE, UP, (pod_of(t, from) * half + agg) * half + core);
        out[n++] = link_at(t, AGG_CORE, DOWN, (pod_of(t, to) * half + agg) * half + core);
    }
    if (climbs)
        out[n++] = link_at(t, EDGE_AGG, DOWN, edge_of(t, to) * half + agg);
    out[n++] = link_at(t, HOST_EDGE, DOWN, to);
    return n;
}

void fattree_route(struct fattree *t, unsigned from, struct iface *from_if, unsigned to,
                   struct iface *to_if, unsigned path)
{
    struct sim_link *links[ROUTE_MAX];
    unsigned n = links_of(t, from, to, path, links);
    sim_route(t->sim, from_if, to_if, links, n);
    n = links_of(t, to, from, path, links);
    sim_route(t->sim, to_if, from_if, links, n);
}
