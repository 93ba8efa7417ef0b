/* SPDX-License-Identifier: MIT
 *
 * What the ends of a row send: a fixed stream whose byte at each offset is
 * known, so that a byte lost, doubled or moved is seen where it happens. Its
 * period is a prime. pattern.py is the same.
 */
#ifndef INTEROP_PATTERN_H
#define INTEROP_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The stream from `offset` on: *len bytes of it (at least 1). */
const uint8_t *pattern_at(uint64_t offset, size_t *len);
/* These bytes are the stream's at `offset`. */
bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t len);

#endif
