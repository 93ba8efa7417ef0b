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
    uint32_t options;          /* any of these enum mptcp_option_bit; 0: whatever */
    uint8_t flags_mask, flags; /* TCP flags under the mask */
    enum { PAYLOAD_ANY, PAYLOAD_SOME, PAYLOAD_NONE } payload;
    uint32_t skip, count; /* not the first `skip`; then so many, 0: all */
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

/* A hop with a smaller MTU: what is larger is swallowed and answered with an
 * ICMP error back along the path (RFC 1191, RFC 4443 3.2). */
struct mtu_box {
    struct box box;
    struct sim *sim;
    uint16_t mtu;
    uint32_t swallowed;
};

void mtu_add(struct sim *sim, struct sim_link *l, struct mtu_box *box);

/* An attacker beside the path who sees packets and forges one more behind the
 * `skip`th with payload: the same flow, these flags, a sequence number off by
 * so much (RFC 5961). */
struct forge_box {
    struct box box;
    struct sim *sim;
    struct sim_link *link;
    uint32_t skip, seen;
    uint8_t flags;
    int32_t seq_off;
};

void forge_add(struct sim *sim, struct sim_link *l, struct forge_box *box);

#endif
