/* SPDX-License-Identifier: MIT
 *
 * The list of congestion controls. The first is the default.
 */
#include "cc/cc.h"

#include <string.h>

static const struct plait_cc *const all[] = {&cc_cubic, &cc_newreno, &cc_lia,   &cc_olia,
                                             &cc_balia, &cc_wvegas,  &cc_ewtcp, &cc_coupled};

const struct plait_cc *cc_at(unsigned index)
{
    return index < sizeof all / sizeof *all ? all[index] : NULL;
}

const struct plait_cc *cc_find(const char *name)
{
    for (unsigned i = 0; cc_at(i); i++)
        if (strcmp(cc_at(i)->name, name) == 0)
            return cc_at(i);
    return NULL;
}
