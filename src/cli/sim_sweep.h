/* SPDX-License-Identifier: MIT
 *
 * A scenario many times: what people see of it.
 */
#ifndef CLI_SIM_SWEEP_H
#define CLI_SIM_SWEEP_H

#include "lab/sweep.h"

/* Run them, all fields but progress set. Returns the exit code. */
int sim_sweep(struct sweep *s);
/* Print a command for each run, to be run elsewhere and merged. */
int sim_sweep_tasks(struct sweep *s);

#endif
