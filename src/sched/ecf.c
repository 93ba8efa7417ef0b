/* SPDX-License-Identifier: MIT
 *
 * Earliest completion first (Lim et al., CoNEXT 2017): a slow path S is used
 * only if the queue would not be through sooner by waiting for the fast path F.
 * With k bytes queued, delta the larger of the two RTT variations, and beta
 * 1/4 while it waits, which keeps it from changing its mind each time:
 *
 *     F finishes first:  (1 + k / CWND_F) * RTT_F < (1 + beta) * (RTT_S + delta)
 *     and S would not:   k / CWND_S * RTT_S >= 2 * RTT_F + delta
 *
 * Both: wait for F. Not the first: the wait is over. Else S.
 */
#include "sched/sched.h"

struct ecf {
    bool waiting;
};

/* Both inequalities, multiplied out; beta's denominator is 4. */
static bool fast_is_first(const struct plait_sched_path *fast, const struct plait_sched_path *slow,
                          uint64_t queued, uint64_t delta_us, bool waiting)
{
    return 4 * (fast->cwnd_bytes + queued) * fast->srtt_us <
           (4 + waiting) * (slow->srtt_us + delta_us) * fast->cwnd_bytes;
}

static bool slow_is_late(const struct plait_sched_path *fast, const struct plait_sched_path *slow,
                         uint64_t queued, uint64_t delta_us)
{
    return queued * slow->srtt_us >= (2 * (uint64_t)fast->srtt_us + delta_us) * slow->cwnd_bytes;
}

static struct plait_sched_choice ecf_pick(void *state, const struct plait_sched_view *view)
{
    struct ecf *e = state;
    struct plait_sched_choice choice = {.path = sched_fastest(view, true)};
    int fastest = sched_fastest(view, false);
    if (choice.path < 0 || choice.path == fastest || view->reinject)
        return choice;
    const struct plait_sched_path *fast = &view->paths[fastest], *slow = &view->paths[choice.path];
    uint64_t delta = fast->rttvar_us > slow->rttvar_us ? fast->rttvar_us : slow->rttvar_us;
    bool first = fast_is_first(fast, slow, view->queued_bytes, delta, e->waiting);
    if (!first) {
        e->waiting = false;
    } else if (slow_is_late(fast, slow, view->queued_bytes, delta)) {
        e->waiting = true;
        choice.path = PLAIT_SCHED_WAIT;
    }
    return choice;
}

const struct plait_sched sched_ecf = {
    .name = "ecf",
    .summary = "a slower path only if the fastest would not be through sooner",
    .state_size = sizeof(struct ecf),
    .pick = ecf_pick,
};
