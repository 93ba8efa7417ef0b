/* SPDX-License-Identifier: MIT
 *
 * Full mesh: an end that may open subflows (the client, unless configured
 * otherwise) opens one from each of its addresses to each of the peer's,
 * within the limit.
 */
#include "pm/mesh.h"
#include "pm/pm.h"

static const struct mesh_rule rule = {0};

static unsigned fullmesh_decide(void *state, const struct plait_pm_view *v,
                                enum plait_pm_event event, struct plait_pm_action *actions,
                                uint64_t *wake_us)
{
    return mesh_decide(state, &rule, v, event, actions, wake_us);
}

static const char *fullmesh_why_not(void *state, const struct plait_pm_view *v,
                                    struct plait_pm_action *actions, unsigned count,
                                    const struct plait_pm_addr *local,
                                    const struct plait_pm_addr *remote)
{
    return mesh_why_not(state, &rule, v, actions, count, local, remote);
}

const struct plait_pm pm_fullmesh = {
    .name = "fullmesh",
    .summary = "from each local address to each of the peer's",
    .state_size = sizeof(struct mesh),
    .decide = fullmesh_decide,
    .why_not = fullmesh_why_not,
};
