/* SPDX-License-Identifier: MIT
 *
 * One local address for one remote: each is used by one subflow. Two hosts with
 * two links each get two subflows and not four, so that no bottleneck is
 * shared and none of the links is used twice.
 */
#include "base/addr.h"
#include "pm/mesh.h"
#include "pm/pm.h"

static bool neither_used(const struct mesh_plan *p, const struct plait_pm_addr *local,
                         const struct plait_pm_addr *remote)
{
    for (unsigned i = 0; i < p->v->subflow_count; i++) {
        const struct plait_pm_subflow *s = &p->v->subflows[i];
        bool uses = addr_equal(&s->local.addr, &local->addr) || s->remote_id == remote->id ||
                    addr_equal(&s->remote.addr, &remote->addr);
        if (uses && !mesh_silent(p->v, s))
            return false;
    }
    for (unsigned i = 0; i < p->count; i++) {
        const struct plait_pm_action *a = &p->actions[i];
        if (a->kind == PLAIT_PM_OPEN && (addr_equal(&a->local.addr, &local->addr) ||
                                         addr_equal(&a->remote.addr, &remote->addr)))
            return false;
    }
    return true;
}

static const struct mesh_rule rule = {.allows = neither_used,
                                      .refusal = "one of the two is in use"};

static unsigned laminar_decide(void *state, const struct plait_pm_view *v,
                               enum plait_pm_event event, struct plait_pm_action *actions,
                               uint64_t *wake_us)
{
    return mesh_decide(state, &rule, v, event, actions, wake_us);
}

static const char *laminar_why_not(void *state, const struct plait_pm_view *v,
                                   struct plait_pm_action *actions, unsigned count,
                                   const struct plait_pm_addr *local,
                                   const struct plait_pm_addr *remote)
{
    return mesh_why_not(state, &rule, v, actions, count, local, remote);
}

const struct plait_pm pm_laminar = {
    .name = "laminar",
    .summary = "one local address for one of the peer's",
    .state_size = sizeof(struct mesh),
    .decide = laminar_decide,
    .why_not = laminar_why_not,
};
