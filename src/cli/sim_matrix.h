/* SPDX-License-Identifier: MIT
 *
 * plait sim matrix, beside cmd_sim.c's commands. Returns the exit code.
 */
#ifndef CLI_SIM_MATRIX_H
#define CLI_SIM_MATRIX_H

int sim_matrix(int argc, char **argv);

#endif
