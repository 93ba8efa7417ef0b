/* SPDX-License-Identifier: MIT
 *
 * Sizes, times and rates as people write and read them. k, M, G, T are powers
 * of 1000; Ki, Mi, Gi of 1024. Link specifications have the same numbers
 * (sim/spec.h); here a unit may also be shorter or left out.
 */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All return false, and leave *out alone, when text is anything else than one
 * number with one known unit. */
bool parse_count(const char *text, uint64_t *out);                   /* 42; no unit, no fraction */
bool parse_range(const char *text, uint64_t *first, uint64_t *last); /* 3, or 1..20 */
bool parse_size(const char *text, uint64_t *bytes);                  /* 1400, 64k, 1.5MB, 1GiB */
bool parse_seconds(const char *text, uint64_t *us);                  /* 10 is 10s; 500ms, 2m, 1h */

enum { UNIT_TEXT_MAX = 32 };

/* Three digits and a unit into buf of UNIT_TEXT_MAX bytes; return buf. */
char *format_size(uint64_t bytes, char *buf);         /* 61.4 MB */
char *format_rate(double bits_per_second, char *buf); /* 94.1 Mbit/s */
char *format_time(uint64_t us, char *buf);            /* 12.4 s, 35.0 ms, 80 us */

#endif
