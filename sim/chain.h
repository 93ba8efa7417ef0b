/* SPDX-License-Identifier: MIT
 *
 * A path's boxes, for the simulator's own files; what scenarios use is in
 * sim/sim.h.
 */
#ifndef SIM_CHAIN_H
#define SIM_CHAIN_H

#include "sim/sim.h"

/* Boxes can stand on this path from now on. */
void sim_chain(struct sim *sim, const struct path *p);
void sim_chain_free(struct sim_chain *c);
/* After every input. */
void sim_chain_rearm(struct sim_chain *c);

/* The address is this interface's, as itself or behind a NAT. */
bool iface_has(const struct iface *i, const struct plait_addr *a);

/* Into the link itself, behind all boxes. Takes p over. */
void sim_link_offer(struct sim *sim, struct sim_link *l, struct sim_packet *p);

#endif
