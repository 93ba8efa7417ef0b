/* SPDX-License-Identifier: MIT
 *
 * What a coupled control computes from the views of all subflows.
 *
 * The formulas of the papers are in rates x = w / rtt, and in w / rtt^2. Here
 * everything is brought to the round-trip time of the caller instead:
 *
 *   at(b, i) = b * rtt_self / rtt_i         W = sum over i of at(w_i, i)
 *
 * so that W is the window that this subflow would need to carry alone what all
 * of them carry. Then x_i / sum x = at(w_i, i) / W, and
 * (w_self / rtt_self^2) / (sum x)^2 = w_self / W^2: bytes only, and no unit of
 * time to lose digits in.
 *
 * Ranges: windows count as at most 2^30, other bytes as at most 2^36, round
 * trips as 1 us to 2^25 us (33 s), so a product is below 2^61; of at most 255
 * subflows W is below 2^63.
 */
#ifndef CC_SIBLINGS_H
#define CC_SIBLINGS_H

#include "cc/cc.h"

/* Whether subflow i takes part: usable, with a round trip measured. The caller
 * itself always does. */
bool siblings_count(const struct plait_cc_group *g, unsigned i);
/* How many take part, at least 1. */
unsigned siblings_number(const struct plait_cc_group *g);
/* w_i: 1 to 2^30. */
uint64_t siblings_window(const struct plait_cc_group *g, unsigned i);
/* at(bytes, i): below 2^61. */
uint64_t siblings_at(const struct plait_cc_group *g, unsigned i, uint64_t bytes);
/* W: 1 to 2^63, never less than the caller's window. */
uint64_t siblings_total(const struct plait_cc_group *g);
/* The sum of the windows as they are. */
uint64_t siblings_sum(const struct plait_cc_group *g);
/* mss * w_self / W^2 as a rate of growth (aimd.h): the part that OLIA and
 * BALIA have in common. */
int64_t siblings_rate(const struct plait_cc_group *g);
/* The least a loss leaves: a segment while others can carry the data, two
 * when alone (RFC 5681 3.1 (4)). */
uint64_t siblings_floor(const struct plait_cc_group *g);

#endif
