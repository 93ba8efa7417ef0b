/* SPDX-License-Identifier: MIT
 *
 * One path at a time, and another when it fails (RFC 8041 2.2 tells of phones).
 *
 * make-before-break: the others are opened at once, as backups (the B bit, RFC
 * 8684 3.3.8), so that data can move without a handshake. One that is opened
 * while no regular subflow answers is regular.
 *
 * break-before-make: nothing is opened before the only one has failed or has
 * been silent for a while; that costs a handshake and saves an idle radio's
 * energy. Then the silent one goes.
 */
#include "pm/mesh.h"
#include "pm/pm.h"

static bool regular_there(const struct mesh_plan *p)
{
    for (unsigned i = 0; i < p->v->subflow_count; i++)
        if (!p->v->subflows[i].backup && !mesh_silent(p->v, &p->v->subflows[i]))
            return true;
    for (unsigned i = 0; i < p->count; i++)
        if (p->actions[i].kind == PLAIT_PM_OPEN && !p->actions[i].backup)
            return true;
    return false;
}

static const struct mesh_rule before = {.backup = regular_there}, after = {.alone = true};

static unsigned before_decide(void *state, const struct plait_pm_view *v, enum plait_pm_event event,
                              struct plait_pm_action *actions, uint64_t *wake_us)
{
    return mesh_decide(state, &before, v, event, actions, wake_us);
}

static const char *before_why_not(void *state, const struct plait_pm_view *v,
                                  struct plait_pm_action *actions, unsigned count,
                                  const struct plait_pm_addr *local,
                                  const struct plait_pm_addr *remote)
{
    return mesh_why_not(state, &before, v, actions, count, local, remote);
}

const struct plait_pm pm_make_before_break = {
    .name = "make-before-break",
    .summary = "one path in use, the others ready as backups",
    .state_size = sizeof(struct mesh),
    .decide = before_decide,
    .why_not = before_why_not,
};

static unsigned after_decide(void *state, const struct plait_pm_view *v, enum plait_pm_event event,
                             struct plait_pm_action *actions, uint64_t *wake_us)
{
    return mesh_decide(state, &after, v, event, actions, wake_us);
}

static const char *after_why_not(void *state, const struct plait_pm_view *v,
                                 struct plait_pm_action *actions, unsigned count,
                                 const struct plait_pm_addr *local,
                                 const struct plait_pm_addr *remote)
{
    return mesh_why_not(state, &after, v, actions, count, local, remote);
}

const struct plait_pm pm_break_before_make = {
    .name = "break-before-make",
    .summary = "one path; another when it has failed",
    .state_size = sizeof(struct mesh),
    .decide = after_decide,
    .why_not = after_why_not,
};
