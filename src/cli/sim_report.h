/* SPDX-License-Identifier: MIT
 *
 * What came of a run in the simulator, for people and as a line of JSON: the
 * same for scenarios in C and in files.
 */
#ifndef CLI_SIM_REPORT_H
#define CLI_SIM_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "sim/scenario.h"

/* The figures, one a line; with `ok` false also what failed. */
void sim_report_print(const struct run *r, bool ok, FILE *out);
/* An object with everything that is known of the run; the caller's. */
json_t *sim_report_json(const char *name, const struct run *r, bool ok);
/* Write it as one line, and release it. */
void sim_report_line(json_t *object, FILE *out);

/* Open --events FILE; NULL, and said, when it cannot be. */
FILE *sim_events_open(const char *path);
/* f may be NULL. False, and said: something could not be written. */
bool sim_events_close(FILE *f, const char *path);

#endif
