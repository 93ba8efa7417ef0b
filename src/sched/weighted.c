/* SPDX-License-Identifier: MIT
 *
 * Weighted: the paths carry bytes in given proportions, whatever they could
 * carry. Each has a debt, the bytes it got divided by its weight; the next go
 * to the path that owes least. While that has no room another may get ahead of
 * it by LEAD_BYTES / its weight, so that a loss does not stop everything; then
 * the bytes wait. Only differences count, so the least debt is taken off all,
 * which also lets a path that was away begin where the others are.
 *
 * Options: the weights, 1 to 255, in the order of the paths (struct
 * plait_sched_path.order); the others have 1, and those from the 15th on share
 * one debt.
 */
#include "sched/sched.h"

#include <assert.h>

enum { PATHS_MAX = 15, DEBT_SHIFT = 8, LEAD_BYTES = 1 << 16 };

struct weighted {
    uint32_t debt[PATHS_MAX]; /* bytes << DEBT_SHIFT over the weight */
    uint8_t weight[PATHS_MAX];
};
static_assert(sizeof(struct weighted) <= PLAIT_PLUGIN_STATE_MAX, "it fits");

static bool weighted_init(void *state, const char *options)
{
    struct weighted *w = state;
    unsigned given = 0;
    for (uint32_t n; options && *options; w->weight[given++] = (uint8_t)n)
        if (given == PATHS_MAX || !sched_number(&options, 1, UINT8_MAX, &n))
            return false;
    if (options && given == 0)
        return false;
    for (; given < PATHS_MAX; given++)
        w->weight[given] = 1;
    return true;
}

static unsigned slot(const struct plait_sched_path *p)
{
    return p->order < PATHS_MAX ? p->order : PATHS_MAX - 1;
}

static uint32_t least_debt(const struct weighted *w, const struct plait_sched_view *view)
{
    unsigned class = sched_best_class(view);
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        if (sched_class(p) == class && w->debt[slot(p)] < least)
            least = w->debt[slot(p)];
    }
    return least;
}

static struct plait_sched_choice weighted_pick(void *state, const struct plait_sched_view *view)
{
    const struct weighted *w = state;
    struct plait_sched_choice choice = {.path = PLAIT_SCHED_WAIT};
    unsigned class = sched_best_class(view);
    uint32_t least = least_debt(w, view), best = UINT32_MAX;
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        uint32_t debt = w->debt[slot(p)];
        uint32_t lead = ((uint32_t)LEAD_BYTES << DEBT_SHIFT) / w->weight[slot(p)];
        if (sched_class(p) != class || p->room_bytes == 0 || debt >= best || debt - least > lead)
            continue;
        best = debt;
        choice.path = (int)i;
    }
    return choice;
}

static void weighted_bound(void *state, const struct plait_sched_view *view, unsigned path,
                           uint64_t bytes)
{
    struct weighted *w = state;
    unsigned own = slot(&view->paths[path]);
    w->debt[own] += ((uint32_t)bytes << DEBT_SHIFT) / w->weight[own];
    uint32_t least = least_debt(w, view);
    for (unsigned i = 0; i < PATHS_MAX; i++)
        w->debt[i] = w->debt[i] > least ? w->debt[i] - least : 0;
}

const struct plait_sched sched_weighted = {
    .name = "weighted",
    .summary = "the paths in given proportions",
    .options = "WEIGHT,WEIGHT,... (1 to 255)",
    .state_size = sizeof(struct weighted),
    .init = weighted_init,
    .pick = weighted_pick,
    .bound = weighted_bound,
};
