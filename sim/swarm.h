/* SPDX-License-Identifier: MIT
 *
 * Random worlds. One number decides all of it: paths and their faults,
 * configurations at both ends, what is sent and how it ends, flapping links,
 * addresses that come and go, memory that is refused. At a known time the
 * faults stop; the oracles say what must then come.
 */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include "sim/oracle.h"

struct swarm_run {
    uint64_t seed;
    const char *pcap_path; /* NULL: none */
    FILE *events;          /* NULL: none */
    FILE *describe;        /* what the world is like, in words; NULL: not */
    /* Filled in. */
    uint64_t hash, virtual_us, sim_events;
    char failure[256];
};

/* True: nothing failed. */
bool swarm_run(struct swarm_run *r);

#endif
