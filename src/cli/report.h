/* SPDX-License-Identifier: MIT
 *
 * What became of a connection, as a table for people: the same in every
 * command.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdio.h>

#include "control/report.h"

/* The longest time without a byte between the first and the last one. */
struct meter {
    uint64_t bytes, first_us, last_us, pause_us;
};
void meter_add(struct meter *m, uint64_t bytes, uint64_t now_us);
/* Bits a second from first_us, or since_us when that is not 0, to last_us. */
double meter_rate(const struct meter *m, uint64_t since_us);

/* "10.0.0.1 > 10.9.0.1" into buf of REPORT_PATH_TEXT_MAX bytes. */
enum { REPORT_PATH_TEXT_MAX = 100 };
char *report_path_text(const struct plait_subflow_info *path, char *buf);

void report_print(const struct report *r, FILE *out);

#endif
