/* SPDX-License-Identifier: MIT
 *
 * The Internet checksum (RFC 1071), once as a running sum for TCP and once
 * for DSS mappings (RFC 8684 3.3.1).
 */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include "plait/types.h"

/* One's-complement sum of `len` bytes as big-endian 16-bit words, an odd last
 * byte padded with zero, folded to 16 bits, not complemented. */
uint16_t csum_partial(const void *data, size_t len);

/* The ways to compute it that this processor has, the fastest last; the first
 * is csum_partial. Returns how many. All give the same result. */
enum { CSUM_WAYS_MAX = 3 };
typedef uint16_t csum_fn(const void *data, size_t len);
unsigned csum_ways(csum_fn *ways[CSUM_WAYS_MAX]);
csum_fn *csum_best(void);

/* The end of such a sum: add the last `len` bytes at p, which follow a multiple
 * of 4, to a sum of native 32-bit words, and bring it into the form above. */
uint16_t csum_finish(uint64_t sum, const uint8_t *p, size_t len);

/* Sum of two parts. When the bytes summed in `b` started at an odd offset of
 * the whole, say so: their sum is byte-swapped. */
uint16_t csum_add(uint16_t a, uint16_t b, bool b_at_odd_offset);

/* Folded pseudo-header sum for TCP (RFC 9293 3.1; RFC 8200 8.1). */
uint16_t csum_pseudo(const struct plait_addr *src, const struct plait_addr *dst, uint32_t tcp_len);

/* DSS checksum on the wire for a mapping whose payload sums to data_sum. */
uint16_t csum_dss(uint64_t dsn, uint32_t ssn, uint16_t data_len, uint16_t data_sum);

#endif
