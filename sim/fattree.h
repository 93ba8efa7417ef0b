/* SPDX-License-Identifier: MIT
 *
 * A data centre: a fat tree of switches with k ports each (Al-Fares et al.,
 * SIGCOMM 2008). k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 core
 * switches, k^3/4 hosts. A switch is its links: packets queue where they leave
 * it. Between hosts of different pods there are (k/2)^2 paths, one a core switch;
 * within a pod k/2, within an edge switch one.
 */
#ifndef SIM_FATTREE_H
#define SIM_FATTREE_H

#include "sim/sim.h"

enum { FATTREE_K_MAX = 8 };

/* The links of one direction each; opaque to others. */
struct fattree {
    struct sim *sim;
    unsigned k;
    struct sim_link **links;
};

/* All links alike. k even, at most FATTREE_K_MAX. */
void fattree_open(struct fattree *t, struct sim *sim, unsigned k, const struct link_config *link);
/* The links stay the simulator's. */
void fattree_close(struct fattree *t);
unsigned fattree_hosts(const struct fattree *t);
/* How many paths there are between two hosts. */
unsigned fattree_paths(const struct fattree *t, unsigned from, unsigned to);
/* Packets between two interfaces, which belong to these hosts, take this one of
 * the paths, there and back. */
void fattree_route(struct fattree *t, unsigned from, struct iface *from_if, unsigned to,
                   struct iface *to_if, unsigned path);

#endif
