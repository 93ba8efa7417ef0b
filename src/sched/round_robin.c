/* SPDX-License-Identifier: MIT
 *
 * Round-robin: each path in turn gets so many segments (Paasch et al., CSWS
 * 2014). A path whose window is full is passed over, so that the windows share
 * the bytes out ("cwnd-limited"); strict, its turn is waited for, so that every
 * path carries the same number of segments, and all are as slow as the slowest.
 *
 * Options: segments a turn, 1 (the default) to 1000; then "strict".
 */
#include "sched/sched.h"

#include <string.h>

struct round_robin {
    uint32_t turn_id;  /* whose turn it is; 0: nobody's yet */
    uint64_t left;     /* bytes of it */
    uint32_t segments; /* a turn */
    bool strict;
};

static bool round_robin_init(void *state, const char *options)
{
    struct round_robin *rr = state;
    rr->segments = 1;
    if (!options)
        return true;
    rr->strict = strcmp(options, "strict") == 0;
    if (rr->strict)
        return true;
    if (!sched_number(&options, 1, 1000, &rr->segments))
        return false;
    rr->strict = strcmp(options, "strict") == 0;
    return rr->strict || !*options;
}

/* How long paths[i] has to wait for its turn, if all before it pass: paths are
 * in the order of their numbers, and the one whose turn is over comes last. */
static unsigned turns_away(const struct round_robin *rr, const struct plait_sched_view *view,
                           unsigned i)
{
    uint32_t id = view->paths[i].subflow_id;
    if (id == rr->turn_id && rr->left >= view->paths[i].mss_bytes)
        return 0;
    return id > rr->turn_id ? i + 1 : view->count + i + 1;
}

static struct plait_sched_choice round_robin_pick(void *state, const struct plait_sched_view *view)
{
    const struct round_robin *rr = state;
    struct plait_sched_choice choice = {.path = PLAIT_SCHED_WAIT};
    unsigned class = sched_best_class(view), soonest = ~0u;
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        unsigned away = turns_away(rr, view, i);
        if (sched_class(p) != class || away >= soonest || (!rr->strict && p->room_bytes == 0))
            continue;
        soonest = away;
        choice.path = (int)i;
        choice.bytes = away ? (uint64_t)rr->segments * p->mss_bytes : rr->left;
    }
    if (choice.path >= 0 && view->paths[choice.path].room_bytes == 0)
        choice.path = PLAIT_SCHED_WAIT;
    return choice;
}

static void round_robin_bound(void *state, const struct plait_sched_view *view, unsigned path,
                              uint64_t bytes)
{
    struct round_robin *rr = state;
    const struct plait_sched_path *p = &view->paths[path];
    if (turns_away(rr, view, path)) {
        rr->turn_id = p->subflow_id;
        rr->left = (uint64_t)rr->segments * p->mss_bytes;
    }
    rr->left = rr->left > bytes ? rr->left - bytes : 0;
}

const struct plait_sched sched_round_robin = {
    .name = "round-robin",
    .summary = "each path in turn, if it has room",
    .options = "SEGMENTS (a turn), strict (wait for a path whose turn it is)",
    .state_size = sizeof(struct round_robin),
    .init = round_robin_init,
    .pick = round_robin_pick,
    .bound = round_robin_bound,
};
