/* SPDX-License-Identifier: MIT
 *
 * Lowest RTT first: of the subflows that have room now, the one with the
 * smallest smoothed RTT. Regular subflows before backup ones (RFC 8684
 * 3.3.8), and any that still make progress before stale ones. When the best
 * class has no room it waits for it: a stale or backup path never gets data
 * just because the others are busy.
 */
#include "sched/sched.h"

/* Smaller is better. */
static unsigned path_class(const struct plait_sched_path *p)
{
    return (p->stale ? 2u : 0u) + (p->backup ? 1u : 0u);
}

static struct plait_sched_choice lowest_rtt_pick(void *state, const struct plait_sched_view *view)
{
    struct plait_sched_choice choice = {.path = PLAIT_SCHED_WAIT};
    unsigned best_class = ~0u;
    (void)state;
    for (unsigned i = 0; i < view->count; i++)
        if (path_class(&view->paths[i]) < best_class)
            best_class = path_class(&view->paths[i]);
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        if (path_class(p) != best_class || p->room_bytes == 0)
            continue;
        if (choice.path < 0 || p->srtt_us < view->paths[choice.path].srtt_us)
            choice.path = (int)i;
    }
    return choice;
}

const struct plait_sched sched_lowest_rtt = {
    .name = "lowest-rtt",
    .summary = "the path with the smallest round-trip time that has room",
    .pick = lowest_rtt_pick,
};
