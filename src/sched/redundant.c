/* SPDX-License-Identifier: MIT
 *
 * Redundant: every path carries every byte, as far as it can keep up: a path
 * with room first gets a copy of what others sent and nobody acknowledged yet,
 * and only one that has all of it gets new bytes. What is acknowledged
 * meanwhile is skipped, so the connection is as fast as the best path at any
 * time and feels no loss that the others do not share.
 *
 * With a limit, copies are made only while no more than that is queued or under
 * way: of small writes and of the ends of large ones. The rest goes as with
 * lowest-rtt, over all paths together.
 *
 * Options: the limit in KiB, 1 to 1048576.
 */
#include "sched/sched.h"

enum { LIMIT_KIB_MAX = 1 << 20 };

struct redundant {
    uint64_t limit_bytes; /* 0: none */
};

static bool redundant_init(void *state, const char *options)
{
    struct redundant *r = state;
    uint32_t kib = 0;
    if (options && (!sched_number(&options, 1, LIMIT_KIB_MAX, &kib) || *options))
        return false;
    r->limit_bytes = (uint64_t)kib * 1024;
    return true;
}

static struct plait_sched_choice redundant_pick(void *state, const struct plait_sched_view *view)
{
    const struct redundant *r = state;
    struct plait_sched_choice choice = {.path = sched_fastest(view, true)};
    uint64_t concerned = view->unacked_bytes + view->queued_bytes;
    if (view->reinject || (r->limit_bytes && concerned > r->limit_bytes))
        return choice;
    unsigned class = sched_best_class(view);
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        if (sched_class(p) != class || p->room_bytes == 0 || p->behind_bytes == 0)
            continue;
        if (!choice.copy || p->srtt_us < view->paths[choice.path].srtt_us)
            choice = (struct plait_sched_choice){.path = (int)i, .copy = true};
    }
    return choice;
}

const struct plait_sched sched_redundant = {
    .name = "redundant",
    .summary = "every byte on every path that keeps up",
    .options = "KIB (copies only while no more is queued or under way)",
    .state_size = sizeof(struct redundant),
    .copies = true,
    .init = redundant_init,
    .pick = redundant_pick,
};
