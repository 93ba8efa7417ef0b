/* SPDX-License-Identifier: MIT
 *
 * The order in which pairs of addresses are tried for a connection's first
 * subflow. Pure: what the pairs are is the caller's knowledge.
 *
 * One thing may be dead: an interface, a family, a server's address. So a pair
 * comes next that shares least with those before it: of two interfaces and two
 * families the second attempt has the other of both, and either being dead
 * costs one delay (RFC 8305 4 interleaves families for that; it knows no
 * interfaces). Where several share as little, the order given decides, which is
 * that of RFC 6724 with the kernel's preferred source first.
 */
#ifndef HOST_CANDIDATES_H
#define HOST_CANDIDATES_H

#include "plait/plait.h"

struct candidate_pair {
    struct plait_candidate ends;
    uint32_t link; /* of the local address; 0: not known, the address stands for it */
};

/* The first `max` of them in order; returns how many. count is at most
 * CANDIDATE_PAIRS_MAX. */
enum { CANDIDATE_PAIRS_MAX = 64 };
unsigned candidates_order(const struct candidate_pair *pairs, unsigned count,
                          struct plait_candidate *out, unsigned max);

#endif
