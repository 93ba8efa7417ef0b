/* SPDX-License-Identifier: MIT
 *
 * The path managers there are. One file each; the interface is
 * plait/plugin.h.
 */
#ifndef PM_PM_H
#define PM_PM_H

#include "plait/plugin.h"

extern const struct plait_pm pm_fullmesh, pm_ndiffports, pm_laminar, pm_make_before_break,
    pm_break_before_make, pm_signal, pm_none;

/* By name, or NULL. */
const struct plait_pm *pm_find(const char *name);
/* By index from 0, NULL past the last; the first is the default. */
const struct plait_pm *pm_at(unsigned index);

#endif
