/* SPDX-License-Identifier: MIT
 *
 * What became of a connection: a snapshot of its own and its subflows'
 * numbers, as a table for people and as JSON, the same in every command.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "plait/plait.h"

enum { REPORT_PATHS_MAX = 32 };

struct report {
    struct plait_conn_info conn;
    struct plait_subflow_info paths[REPORT_PATHS_MAX];
    unsigned count;
};

/* The longest time without a byte between the first and the last one. */
struct meter {
    uint64_t bytes, first_us, last_us, pause_us;
};
void meter_add(struct meter *m, uint64_t bytes, uint64_t now_us);
/* Bits a second from first_us, or since_us when that is not 0, to last_us. */
double meter_rate(const struct meter *m, uint64_t since_us);

/* Take it while the handle is still held. */
void report_take(struct report *r, const struct plait_conn *conn);
/* Payload of one path, in the direction that moved more. */
uint64_t report_path_bytes(const struct report *r, unsigned path);
/* The part of all payload that the path moved, 0 to 1. */
double report_share(const struct report *r, unsigned path);
uint64_t report_retransmits(const struct report *r);

/* "10.0.0.1 > 10.9.0.1" into buf of REPORT_PATH_TEXT_MAX bytes. */
enum { REPORT_PATH_TEXT_MAX = 100 };
char *report_path_text(const struct plait_subflow_info *path, char *buf);

/* Put numbers under their names into a JSON object. */
struct report_number {
    const char *name;
    uint64_t value;
};
void report_numbers(json_t *object, const struct report_number *numbers, size_t count);

void report_print(const struct report *r, FILE *out);
/* An object; the caller's to release. */
json_t *report_json(const struct report *r);
/* The stack's counters by name: the kernel's names, to be read side by side. */
json_t *report_counters(const struct plait_stack *stack);

#endif
