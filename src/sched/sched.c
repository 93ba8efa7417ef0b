/* SPDX-License-Identifier: MIT
 *
 * The table of schedulers.
 */
#include "sched/sched.h"

#include <string.h>

static const struct plait_sched *const schedulers[] = {&sched_lowest_rtt};

const struct plait_sched *sched_at(unsigned index)
{
    return index < sizeof schedulers / sizeof schedulers[0] ? schedulers[index] : NULL;
}

const struct plait_sched *sched_find(const char *name)
{
    for (unsigned i = 0; sched_at(i); i++)
        if (strcmp(sched_at(i)->name, name) == 0)
            return sched_at(i);
    return NULL;
}
