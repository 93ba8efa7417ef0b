/* SPDX-License-Identifier: MIT
 *
 * Boxes in the path: what enters a link passes them in order. A rule box
 * drops or strips the packets it is told to; a shift box rewrites sequence
 * numbers as some firewalls do (RFC 8684 relies on relative subflow sequence
 * numbers because of them), here so that they wrap around soon.
 */
#ifndef SIM_BOX_H
#define SIM_BOX_H

#include "sim/sim.h"

struct rule_box {
    struct box box;
    enum { RULE_COUNT, RULE_DROP, RULE_STRIP } action; /* STRIP: MPTCP options become NOPs */
    /* Which packets: all that are given must hold. */
    uint32_t options;                  /* any of these enum mptcp_option_bit; 0: whatever */
    uint8_t flags_mask, flags;         /* TCP flags under the mask */
    enum { PAYLOAD_ANY, PAYLOAD_SOME, PAYLOAD_NONE } payload;
    uint32_t skip, count;              /* not the first `skip`; then so many, 0: all */
    uint32_t seen, hits;
};

/* *rule is completed and put on the link; it is the caller's memory. */
void rule_add(struct sim_link *l, struct rule_box *rule);

/* Rewrites the sequence numbers of both directions of a path, each so that
 * the first SYN's becomes `near`. */
struct shift_box {
    struct box box[2];
    uint32_t near[2], delta[2];
    bool known[2];
};

void shift_add(const struct path *p, struct shift_box *shift);

#endif
