/* SPDX-License-Identifier: MIT
 *
 * Connecting to a name: all its addresses, from all of this host's that lead
 * there, in the order of candidates.h; the engine races them.
 */
#include "base/addr.h"
#include "host/candidates.h"
#include "host/fail.h"
#include "host/state.h"

struct pairs {
    struct candidate_pair list[CANDIDATE_PAIRS_MAX];
    unsigned count;
};

static void add(struct pairs *p, const struct plait_local *local, const struct plait_endpoint *to)
{
    if (p->count < CANDIDATE_PAIRS_MAX)
        p->list[p->count++] = (struct candidate_pair){{{local->addr, 0}, *to}, local->link};
}

/* One address of each interface is enough. */
static bool link_used(const struct pairs *p, unsigned from, const struct plait_local *local)
{
    for (unsigned i = from; i < p->count; i++)
        if (local->link && p->list[i].link == local->link)
            return true;
    return false;
}

static bool leads(const struct host *h, const struct plait_local *local,
                  const struct plait_addr *remote)
{
    if (local->no_subflow || local->addr.family != remote->family ||
        addr_is_link_local(&local->addr) != addr_is_link_local(remote))
        return false;
    return locals_leads(h, &local->addr, remote);
}

/* The kernel's choice first, then what else leads there. */
static void add_remote(struct host *h, struct pairs *p, const struct plait_endpoint *to)
{
    const struct locals *l = &h->locals;
    struct plait_addr preferred = {0};
    unsigned first = p->count;

    if (!locals_no_route(h, &to->addr) && locals_pick(h, &to->addr, &preferred))
        for (unsigned i = 0; i < l->count; i++)
            if (addr_equal(&l->list[i].addr, &preferred))
                add(p, &l->list[i], to);
    if (locals_have(h, &to->addr) || addr_is_loopback(&to->addr))
        return; /* ourselves */
    for (unsigned i = 0; i < l->count; i++)
        if (!link_used(p, first, &l->list[i]) && !addr_equal(&l->list[i].addr, &preferred) &&
            leads(h, &l->list[i], &to->addr))
            add(p, &l->list[i], to);
}

/* Without a race: the first address that a connection can be begun to. One of
 * a family that this host has no address of is passed over. */
static int connect_first(struct host *h, const struct plait_endpoint *remotes, unsigned count,
                         const struct plait_options *options, struct plait_conn **out,
                         struct host_error *err)
{
    int failure = HOST_FAIL_NAME;

    for (unsigned i = 0; i < count && (i == 0 || failure); i++)
        failure = host_connect(h, &remotes[i], NULL, options, out, err);
    return failure;
}

int host_connect_addrs(struct host *h, const struct plait_addr *addrs, unsigned count,
                       const struct host_target *target, const struct plait_options *options,
                       struct plait_conn **out, struct host_error *err)
{
    struct plait_endpoint remotes[HOST_NAME_ADDRS_MAX];
    struct plait_candidate candidates[PLAIT_CANDIDATES_MAX];
    struct pairs pairs = {.count = 0};

    for (unsigned i = 0; i < count; i++) {
        remotes[i] = (struct plait_endpoint){addrs[i], target->port};
        if (!target->no_race)
            add_remote(h, &pairs, &remotes[i]);
    }
    if (pairs.count < 2)
        return connect_first(h, remotes, count, options, out, err);
    count = candidates_order(pairs.list, pairs.count, candidates, PLAIT_CANDIDATES_MAX);
    return ports_connect(h, candidates, count, options, out, err);
}

int host_connect_name(struct host *h, const struct host_target *target,
                      const struct plait_options *options, struct plait_conn **out,
                      struct host_error *err)
{
    struct plait_addr addrs[HOST_NAME_ADDRS_MAX];
    unsigned count;
    int failure =
        host_resolve(target->name, target->family, addrs, HOST_NAME_ADDRS_MAX, &count, err);

    if (failure)
        return failure;
    return host_connect_addrs(h, addrs, count, target, options, out, err);
}
