/* SPDX-License-Identifier: MIT
 *
 * Tells the peer our addresses and leaves it to the peer to open subflows (RFC
 * 8684 3.4.1): a server's part, here for a client too.
 */
#include "pm/pm.h"

struct signal {
    unsigned next; /* of the local addresses, while there are more than fit */
};

static unsigned tell_all(struct signal *s, const struct plait_pm_view *v,
                         struct plait_pm_action *actions)
{
    unsigned n = 0;
    for (; s->next < v->local_count && n < PLAIT_PM_ACTIONS_MAX; s->next++) {
        const struct plait_pm_addr *local = &v->locals[s->next];
        if (local->usable && local->id != 0) /* the first subflow's it knows */
            actions[n++] = (struct plait_pm_action){.kind = PLAIT_PM_ANNOUNCE, .local = *local};
    }
    return n;
}

static unsigned tell_one(const struct plait_pm_view *v, struct plait_pm_action *actions)
{
    for (unsigned i = 0; i < v->local_count; i++)
        if (v->locals[i].id == v->news->id && v->locals[i].usable && v->news->id != 0) {
            actions[0] = (struct plait_pm_action){.kind = PLAIT_PM_ANNOUNCE, .local = v->locals[i]};
            return 1;
        }
    return 0;
}

static unsigned signal_decide(void *state, const struct plait_pm_view *v, enum plait_pm_event event,
                              struct plait_pm_action *actions, uint64_t *wake_us)
{
    struct signal *s = state;
    (void)wake_us;
    if (event == PLAIT_PM_LOCAL_ADDED)
        return tell_one(v, actions);
    if (event == PLAIT_PM_CONFIRMED)
        s->next = 0;
    else if (event != PLAIT_PM_TIMER)
        return 0;
    return tell_all(s, v, actions);
}

const struct plait_pm pm_signal = {
    .name = "signal",
    .summary = "tells the peer our addresses, opens nothing",
    .state_size = sizeof(struct signal),
    .decide = signal_decide,
};
