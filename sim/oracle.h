/* SPDX-License-Identifier: MIT
 *
 * What must hold of every run, whatever its topology and faults:
 *   - each byte read is the byte written there (sim/stream.c checks as it
 *     reads), and an end of stream comes after the last byte, never before;
 *   - both ends of every connection come to an end: well, or with an error;
 *   - once faults have stopped this happens within a bound, and so does the
 *     release of every connection in the stacks;
 *   - memory stays within the limit (sim/host.c checks after every entry) and
 *     all of it is given back (sim_free);
 *   - counters tell one story.
 * Whatever does not hold becomes sim->failure.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "sim/stream.h"

struct oracle {
    uint64_t deadline_us; /* absolute: all streams have ended by then */
    uint64_t release_us;  /* after that, until the stacks hold no connection */
    bool must_succeed;    /* no stream may end with an error that it did not ask for */
};

/* Run the world to its end under these rules. */
void oracle_run(struct sim *sim, const struct oracle *o);

#endif
