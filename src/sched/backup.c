/* SPDX-License-Identifier: MIT
 *
 * Active and standby: one path carries everything, the others nothing, until it
 * is silent or gone. The active one is the first of the best class (by order of
 * the addresses), and is so again as soon as it answers; with "stay" the path
 * that took over remains the active one for as long as it works. Bytes go again
 * over another path only when nothing but that will bring them.
 *
 * Options: "stay".
 */
#include "sched/sched.h"

#include <string.h>

struct backup {
    uint32_t active_id; /* that carried something last */
    bool stay;
};

static bool backup_init(void *state, const char *options)
{
    struct backup *b = state;
    b->stay = options && strcmp(options, "stay") == 0;
    return b->stay || !options;
}

/* The one that is to carry on: PLAIT_SCHED_WAIT: none. */
static int backup_active(const struct backup *b, const struct plait_sched_view *view)
{
    unsigned class = sched_best_class(view);
    for (unsigned i = 0; b->stay && i < view->count; i++)
        if (view->paths[i].subflow_id == b->active_id && sched_class(&view->paths[i]) == class)
            return (int)i;
    return sched_first(view);
}

static struct plait_sched_choice backup_pick(void *state, const struct plait_sched_view *view)
{
    struct plait_sched_choice choice = {.path = PLAIT_SCHED_WAIT};
    if (view->reinject && !view->lost)
        return choice;
    int active = backup_active(state, view);
    if (active >= 0 && view->paths[active].room_bytes)
        choice.path = active;
    return choice;
}

static void backup_bound(void *state, const struct plait_sched_view *view, unsigned path,
                         uint64_t bytes)
{
    struct backup *b = state;
    (void)bytes;
    b->active_id = view->paths[path].subflow_id;
}

const struct plait_sched sched_backup = {
    .name = "backup",
    .summary = "one path, the others only when it is silent or gone",
    .options = "stay (with the path that took over)",
    .state_size = sizeof(struct backup),
    .init = backup_init,
    .pick = backup_pick,
    .bound = backup_bound,
};
