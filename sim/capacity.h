/* SPDX-License-Identifier: MIT
 *
 * The capacity of a link over time, in the format of mahimahi's traces: each
 * line is a time in milliseconds, not before the one above, at which 1500 bytes
 * can leave. The last time is also the length: after it the trace begins anew.
 * What is not used at its time is lost.
 */
#ifndef SIM_CAPACITY_H
#define SIM_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CAPACITY_BYTES = 1500, CAPACITY_ERROR_MAX = 160 };

struct capacity {
    uint64_t period_us; /* more than 0 */
    uint32_t count;     /* at least 1 */
    uint32_t ms[];      /* sorted; the last one is the period */
};

/* From text; the caller's to free(). NULL: error (CAPACITY_ERROR_MAX bytes) names
 * the line and what is wrong there, without a full stop. */
struct capacity *capacity_parse(const char *text, size_t len, char *error);

/* The time of chance number n, from 0, of a trace that began at start_us. */
uint64_t capacity_at(const struct capacity *c, uint64_t start_us, uint64_t n);
/* The first chance that is not before at_us. */
uint64_t capacity_after(const struct capacity *c, uint64_t start_us, uint64_t at_us);
/* On average over the whole trace, bits a second. */
uint64_t capacity_rate(const struct capacity *c);

#endif
