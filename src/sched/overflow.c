/* SPDX-License-Identifier: MIT
 *
 * Overflow: the paths in their order, each only when those before it are full,
 * for a second line that costs money. A path is full when its congestion window
 * is, has found its share (slow start is over), and what is queued would take
 * longer than a limit to leave on it: queued * srtt / cwnd > limit. Bytes go
 * again over another path only when nothing but that will bring them.
 *
 * Options: the limit in milliseconds, 0 to 60000; without, 50.
 */
#include "sched/sched.h"

enum { LIMIT_MS = 50, LIMIT_MS_MAX = 60000 };

struct overflow {
    uint64_t limit_us;
};

static bool overflow_init(void *state, const char *options)
{
    struct overflow *o = state;
    uint32_t ms = LIMIT_MS;
    if (options && (!sched_number(&options, 0, LIMIT_MS_MAX, &ms) || *options))
        return false;
    o->limit_us = (uint64_t)ms * 1000;
    return true;
}

static bool path_full(const struct overflow *o, const struct plait_sched_path *p, uint64_t queued)
{
    return !p->slow_start && p->in_flight_bytes + p->mss_bytes > p->cwnd_bytes &&
           queued * p->srtt_us > o->limit_us * p->cwnd_bytes;
}

static struct plait_sched_choice overflow_pick(void *state, const struct plait_sched_view *view)
{
    const struct overflow *o = state;
    struct plait_sched_choice choice = {.path = PLAIT_SCHED_WAIT};
    unsigned class = sched_best_class(view), busy = ~0u;
    if (view->reinject && !view->lost)
        return choice;
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        if (sched_class(p) == class && p->room_bytes == 0 && p->order < busy &&
            !path_full(o, p, view->queued_bytes))
            busy = p->order; /* the first that will have room soon: nothing goes behind it */
    }
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        if (sched_class(p) != class || p->room_bytes == 0 || p->order > busy)
            continue;
        if (choice.path < 0 || p->order < view->paths[choice.path].order)
            choice.path = (int)i;
    }
    return choice;
}

const struct plait_sched sched_overflow = {
    .name = "overflow",
    .summary = "the first path, the next only when it is full",
    .options = "MS (what is queued may wait for the first path; 0 to 60000)",
    .state_size = sizeof(struct overflow),
    .init = overflow_init,
    .pick = overflow_pick,
};
