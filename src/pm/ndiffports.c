/* SPDX-License-Identifier: MIT
 *
 * Several subflows between the two addresses of the first one, which differ in
 * our port alone: for networks that spread flows over parallel paths by a hash
 * (ECMP; "Improving Datacenter Performance and Robustness with Multipath TCP",
 * SIGCOMM 2011). As many as the limit says. A peer that takes no joins at its
 * first address (the C flag) gets none.
 */
#include "pm/mesh.h"
#include "pm/pm.h"

static bool first_pair(const struct mesh_plan *p, const struct plait_pm_addr *local,
                       const struct plait_pm_addr *remote)
{
    (void)p;
    return local->id == 0 && remote->id == 0;
}

static const struct mesh_rule rule = {.parallel = true,
                                      .allows = first_pair,
                                      .refusal = "not between the first two addresses"};

static unsigned ndiffports_decide(void *state, const struct plait_pm_view *v,
                                  enum plait_pm_event event, struct plait_pm_action *actions,
                                  uint64_t *wake_us)
{
    return mesh_decide(state, &rule, v, event, actions, wake_us);
}

static const char *ndiffports_why_not(void *state, const struct plait_pm_view *v,
                                      struct plait_pm_action *actions, unsigned count,
                                      const struct plait_pm_addr *local,
                                      const struct plait_pm_addr *remote)
{
    return mesh_why_not(state, &rule, v, actions, count, local, remote);
}

const struct plait_pm pm_ndiffports = {
    .name = "ndiffports",
    .summary = "several between the first subflow's addresses, by port",
    .state_size = sizeof(struct mesh),
    .decide = ndiffports_decide,
    .why_not = ndiffports_why_not,
};
