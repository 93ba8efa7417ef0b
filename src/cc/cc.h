/* SPDX-License-Identifier: MIT
 *
 * The congestion controls that come with plait, one file each.
 */
#ifndef CC_CC_H
#define CC_CC_H

#include "plait/plugin.h"

extern const struct plait_cc cc_cubic;
extern const struct plait_cc cc_newreno;
extern const struct plait_cc cc_lia;
extern const struct plait_cc cc_olia;
extern const struct plait_cc cc_balia;
extern const struct plait_cc cc_wvegas;
extern const struct plait_cc cc_ewtcp;
extern const struct plait_cc cc_coupled;

/* NULL: no such name. */
const struct plait_cc *cc_find(const char *name);
/* The default first; NULL past the end. */
const struct plait_cc *cc_at(unsigned index);

static inline const struct plait_cc_view *cc_self(const struct plait_cc_group *g)
{
    return &g->views[g->self];
}

static inline uint64_t cc_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t cc_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
