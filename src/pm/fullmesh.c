/* SPDX-License-Identifier: MIT
 *
 * Full mesh: the client opens a subflow from each of its addresses to each of
 * the peer's, within the limit. The server opens none: it announces, and
 * clients behind NAT could not be reached anyway.
 *
 * Two addresses are a pair unless it is plain that packets would have to
 * leave by another interface: the remote one is on the network of another
 * local address and not on this one's. An interface that carries a subflow of
 * one family gets none of the other: both would share its bottleneck. A pair
 * that failed is tried again after a pause that doubles from 1 s to 1 min
 * while nothing succeeds.
 */
#include "pm/pm.h"

#include "base/addr.h"

enum { RETRY_FIRST_US = 1000 * 1000, RETRY_MAX_US = 60 * 1000 * 1000 };

struct fullmesh {
    uint64_t retry_at_us; /* no attempts before */
    uint32_t pause_us;
};

static bool is_pair(const struct plait_pm_view *v, const struct plait_pm_addr *local,
                    const struct plait_pm_addr *remote)
{
    if (!local->usable || !remote->usable || local->addr.family != remote->addr.family)
        return false;
    if (addr_same_network(&local->addr, &remote->addr, local->prefix_len))
        return true;
    for (unsigned i = 0; i < v->local_count; i++)
        if (addr_same_network(&v->locals[i].addr, &remote->addr, v->locals[i].prefix_len))
            return false;
    return true;
}

static bool connected(const struct plait_pm_view *v, const struct plait_pm_addr *local,
                      const struct plait_pm_addr *remote)
{
    for (unsigned i = 0; i < v->subflow_count; i++) {
        const struct plait_pm_subflow *s = &v->subflows[i];
        if (addr_equal(&s->local.addr, &local->addr) && addr_equal(&s->remote.addr, &remote->addr))
            return true;
    }
    return false;
}

/* `used`, the local address of a subflow, shares the interface of `local` but
 * not its family. */
static bool other_family(const struct plait_pm_view *v, const struct plait_addr *used,
                         const struct plait_pm_addr *local)
{
    for (unsigned i = 0; local->link && i < v->local_count; i++)
        if (v->locals[i].link == local->link && v->locals[i].addr.family != local->addr.family &&
            addr_equal(&v->locals[i].addr, used))
            return true;
    return false;
}

/* An interface carries, or is about to carry, a subflow of the other family. */
static bool link_taken(const struct plait_pm_view *v, const struct plait_pm_action *actions,
                       unsigned action_count, const struct plait_pm_addr *local)
{
    for (unsigned i = 0; i < v->subflow_count; i++)
        if (other_family(v, &v->subflows[i].local.addr, local))
            return true;
    for (unsigned i = 0; i < action_count; i++)
        if (other_family(v, &actions[i].local.addr, local))
            return true;
    return false;
}

/* After a failure wait; anything new to try is tried at once. */
static bool backing_off(struct fullmesh *m, const struct plait_pm_view *v,
                        enum plait_pm_event event, uint64_t *wake_us)
{
    if (event == PLAIT_PM_SUBFLOW_FAILED) {
        m->pause_us = m->pause_us ? m->pause_us * 2 : RETRY_FIRST_US;
        m->pause_us = m->pause_us < RETRY_MAX_US ? m->pause_us : RETRY_MAX_US;
        m->retry_at_us = v->now_us + m->pause_us;
    } else if (event != PLAIT_PM_TIMER) {
        m->pause_us = 0;
        m->retry_at_us = 0;
    }
    if (v->now_us >= m->retry_at_us)
        return false;
    *wake_us = m->retry_at_us;
    return true;
}

static unsigned fullmesh_decide(void *state, const struct plait_pm_view *v,
                                enum plait_pm_event event, struct plait_pm_action *actions,
                                uint64_t *wake_us)
{
    unsigned n = 0, have = v->subflow_count;
    if (!v->client || backing_off(state, v, event, wake_us))
        return 0;
    for (unsigned l = 0; l < v->local_count; l++)
        for (unsigned r = 0; r < v->remote_count; r++) {
            const struct plait_pm_addr *local = &v->locals[l], *remote = &v->remotes[r];
            if (have >= v->subflow_max || n == PLAIT_PM_ACTIONS_MAX)
                return n;
            if (!is_pair(v, local, remote) || connected(v, local, remote) ||
                link_taken(v, actions, n, local))
                continue;
            actions[n++] = (struct plait_pm_action){.kind = PLAIT_PM_OPEN,
                                                    .local = *local,
                                                    .remote = {remote->addr, remote->port},
                                                    .remote_id = remote->id,
                                                    .backup = local->backup};
            have++;
        }
    return n;
}

const struct plait_pm pm_fullmesh = {
    .name = "fullmesh",
    .summary = "from each local address to each of the peer's",
    .state_size = sizeof(struct fullmesh),
    .decide = fullmesh_decide,
};
