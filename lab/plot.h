/* SPDX-License-Identifier: MIT
 *
 * Plots of a table through gnuplot: folder/NAME.gp holds the data and the
 * commands, and becomes NAME.svg and NAME.png.
 */
#ifndef LAB_PLOT_H
#define LAB_PLOT_H

#include "lab/lab.h"
#include "lab/table.h"

/* The median over whatever else differs between runs (seeds), one line for each
 * value of the series; or the distribution. False: error (TABLE_ERROR_MAX
 * bytes); a table without rows has no plots. */
bool plot_write(const struct script_plot *p, const struct table *t, const char *folder,
                char *error);
/* Let gnuplot draw it. False: error; NAME.gp is left for it. */
bool plot_draw(const struct script_plot *p, const char *folder, char *error);

#endif
