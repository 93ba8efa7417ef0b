/* SPDX-License-Identifier: MIT
 *
 * The schedulers there are. One file each; the interface is plait/plugin.h.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "plait/plugin.h"

extern const struct plait_sched sched_lowest_rtt;

/* By name, or NULL. */
const struct plait_sched *sched_find(const char *name);
/* By index from 0, NULL past the last; the first is the default. */
const struct plait_sched *sched_at(unsigned index);

#endif
