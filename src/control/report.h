/* SPDX-License-Identifier: MIT
 *
 * What became of a connection: a snapshot of its own and its subflows'
 * numbers, and the same as JSON, for every command and for the daemon.
 */
#ifndef CONTROL_REPORT_H
#define CONTROL_REPORT_H

#include <jansson.h>

#include "plait/plait.h"

enum { REPORT_PATHS_MAX = 32 };

struct report {
    struct plait_conn_info conn;
    struct plait_subflow_info paths[REPORT_PATHS_MAX];
    unsigned count;
};

/* Take it while the handle is still held. */
void report_take(struct report *r, const struct plait_conn *conn);
/* Payload of one path, in the direction that moved more. */
uint64_t report_path_bytes(const struct report *r, unsigned path);
/* The part of all payload that the path moved, 0 to 1. */
double report_share(const struct report *r, unsigned path);
uint64_t report_retransmits(const struct report *r);

/* Put numbers under their names into a JSON object. */
struct report_number {
    const char *name;
    uint64_t value;
};
void report_numbers(json_t *object, const struct report_number *numbers, size_t count);

/* An object; the caller's to release. */
json_t *report_json(const struct report *r);
/* The stack's counters by name: the kernel's names, to be read side by side. */
json_t *report_counters(const struct plait_stack *stack);

#endif
