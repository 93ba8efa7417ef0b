/* SPDX-License-Identifier: MIT
 *
 * Cross traffic that answers to nothing: datagrams of one size at a constant
 * rate over some links, and away. It is switched on and off.
 */
#ifndef SIM_CROSS_H
#define SIM_CROSS_H

#include "sim/sim.h"

struct cross_config {
    uint64_t rate_bps;     /* of IP bytes, more than 0 */
    uint32_t packet_bytes; /* 28 to 65535 */
};

struct cross;

/* Off at first. count: 1 to SIM_HOPS_MAX links. The world's to free. */
struct cross *cross_new(struct sim *sim, struct sim_link *const *links, unsigned count,
                        const struct cross_config *config);
/* On: the first packet goes now, or when the one before it allows. */
void cross_set_on(struct cross *c, bool on);
uint64_t cross_sent(const struct cross *c); /* packets */

#endif
