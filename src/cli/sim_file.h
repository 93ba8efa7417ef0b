/* SPDX-License-Identifier: MIT
 *
 * plait sim FILE: scenarios in Lua.
 */
#ifndef CLI_SIM_FILE_H
#define CLI_SIM_FILE_H

#include <stdbool.h>

/* The word after `plait sim` means a file: it ends in .lua, has a slash, or is
 * there. */
bool sim_file_meant(const char *word);
/* argv[0] is "sim". Returns the exit code. */
int sim_file(int argc, char **argv);
/* plait sim merge; argv[0] is "merge". */
int sim_merge(int argc, char **argv);

#endif
