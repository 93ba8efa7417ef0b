/* SPDX-License-Identifier: MIT
 *
 * The table of path managers, and the one that does nothing.
 */
#include "pm/pm.h"

#include <string.h>

static unsigned none_decide(void *state, const struct plait_pm_view *view,
                            enum plait_pm_event event, struct plait_pm_action *actions,
                            uint64_t *wake_us)
{
    (void)state;
    (void)view;
    (void)event;
    (void)actions;
    (void)wake_us;
    return 0;
}

const struct plait_pm pm_none = {
    .name = "none",
    .summary = "opens no further subflows; accepts those of the peer",
    .decide = none_decide,
};

static const struct plait_pm *const managers[] = {
    &pm_fullmesh,          &pm_ndiffports, &pm_laminar, &pm_make_before_break,
    &pm_break_before_make, &pm_signal,     &pm_none};

const struct plait_pm *pm_at(unsigned index)
{
    return index < sizeof managers / sizeof managers[0] ? managers[index] : NULL;
}

const struct plait_pm *pm_find(const char *name)
{
    for (unsigned i = 0; pm_at(i); i++)
        if (strcmp(pm_at(i)->name, name) == 0)
            return pm_at(i);
    return NULL;
}
