/* SPDX-License-Identifier: MIT
 *
 * What a scenario says about a host's stack and about single connections: the
 * fields of plait_config and plait_options by their names, and beside them the
 * names that the command line has.
 */
#ifndef LAB_CONFIG_H
#define LAB_CONFIG_H

#include "lab/play.h"

/* The table at `arg` into *config, which holds defaults. */
void config_read(lua_State *L, int arg, struct plait_config *config);
void options_read(lua_State *L, int arg, const char *what, struct plait_options *options);

#endif
