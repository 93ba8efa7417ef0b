/* SPDX-License-Identifier: MIT
 *
 * The schedulers there are. One file each; the interface is plait/plugin.h.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "plait/plugin.h"

extern const struct plait_sched sched_arrival, sched_lowest_rtt, sched_round_robin, sched_backup,
    sched_weighted, sched_overflow, sched_blest, sched_ecf, sched_redundant;

/* By name, or "default", with options after a colon ("weighted:3,1"), or NULL: there is none,
 * or it does not understand them. The state is then as the options make it. */
const struct plait_sched *sched_find(const char *name, uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8]);
/* By index from 0, NULL past the last; the first is the default. */
const struct plait_sched *sched_at(unsigned index);

/* ---- for schedulers --------------------------------------------------------------- */

/* Smaller is better: regular paths before backup ones (RFC 8684 3.3.8), and any
 * that still make progress before stale ones. */
unsigned sched_class(const struct plait_sched_path *p);
/* The best class there is in the view; ~0: it has no paths. A scheduler keeps to
 * it: a stale or backup path never gets data just because the others are busy. */
unsigned sched_best_class(const struct plait_sched_view *view);
/* The path with the smallest RTT in the best class, if need be of those with
 * room; PLAIT_SCHED_WAIT: none. */
int sched_fastest(const struct plait_sched_view *view, bool with_room);
/* The path with the lowest order in the best class, of the oldest subflow with
 * that; PLAIT_SCHED_WAIT: none. */
int sched_first(const struct plait_sched_view *view);
/* Read a number from least to most off the front of *text, which moves behind
 * it, and behind a comma if something follows that. False: there is none. */
bool sched_number(const char **text, uint32_t least, uint32_t most, uint32_t *out);

#endif
