/* SPDX-License-Identifier: MIT
 *
 * Lowest RTT first: of the subflows that have room now, the one with the
 * smallest smoothed RTT. Regular subflows before backup ones (RFC 8684
 * 3.3.8), and any that still make progress before stale ones. When the best
 * class has no room it waits for it: a stale or backup path never gets data
 * just because the others are busy.
 */
#include "sched/sched.h"

static struct plait_sched_choice lowest_rtt_pick(void *state, const struct plait_sched_view *view)
{
    (void)state;
    return (struct plait_sched_choice){.path = sched_fastest(view, true)};
}

const struct plait_sched sched_lowest_rtt = {
    .name = "lowest-rtt",
    .summary = "the path with the smallest round-trip time that has room",
    .pick = lowest_rtt_pick,
};
