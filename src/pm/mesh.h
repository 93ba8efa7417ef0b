/* SPDX-License-Identifier: MIT
 *
 * Opening subflows between pairs of addresses: what path managers that differ
 * only in which pairs they want have in common.
 *
 * Two addresses are a pair unless it is plain that packets would have to
 * leave by another interface: the remote one is on the network of another
 * local address and not on this one's. An interface that carries a subflow of
 * one family gets none of the other: both would share its bottleneck.
 *
 * A pair whose subflow failed is tried again after a pause (pm/retry.h). A
 * subflow that has been silent for a while may have lost its state in a NAT:
 * another one is opened beside it, and whichever answers stays.
 *
 * The server waits a little before it opens, so that not both ends open the
 * same pair (RFC 8684 3.9.2 recommends a random delay; the roles are enough).
 */
#ifndef PM_MESH_H
#define PM_MESH_H

#include "pm/retry.h"

/* A manager's state; zeroed: nothing was opened yet. */
struct mesh {
    struct pm_retry retry;
    bool waits;
    uint32_t wait_ms; /* the server opens nothing before */
};

/* What is decided so far. */
struct mesh_plan {
    const struct plait_pm_view *v;
    struct plait_pm_action *actions;
    unsigned count;
    uint64_t *wake_us;
};

/* Which pairs are wanted. All zero: each, once, within the limit. */
struct mesh_rule {
    bool alone;    /* one subflow at a time that answers */
    bool parallel; /* several between the same two addresses */
    /* NULL: any pair. */
    bool (*allows)(const struct mesh_plan *p, const struct plait_pm_addr *local,
                   const struct plait_pm_addr *remote);
    const char *refusal; /* of allows, for people */
    /* The next one is to be a backup even if its address is none; NULL: never. */
    bool (*backup)(const struct mesh_plan *p);
};

/* plait_pm.decide for a rule. */
unsigned mesh_decide(struct mesh *m, const struct mesh_rule *rule, const struct plait_pm_view *v,
                     enum plait_pm_event event, struct plait_pm_action *actions, uint64_t *wake_us);

/* plait_pm.why_not for a rule. */
const char *mesh_why_not(struct mesh *m, const struct mesh_rule *rule,
                         const struct plait_pm_view *v, struct plait_pm_action *actions,
                         unsigned count, const struct plait_pm_addr *local,
                         const struct plait_pm_addr *remote);

/* It has not answered for so long that another one is to be opened. */
bool mesh_silent(const struct plait_pm_view *v, const struct plait_pm_subflow *s);

#endif
