/* SPDX-License-Identifier: MIT
 *
 * Sequence number arithmetic (RFC 9293 3.4, RFC 1982). 32-bit TCP and 64-bit
 * data sequence numbers are compared with these and nothing else.
 */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* A line each reads as a table. */
/* clang-format off */
static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_leq(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline bool seq_gt(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }
static inline bool seq_geq(uint32_t a, uint32_t b) { return (int32_t)(a - b) >= 0; }
static inline uint32_t seq_max(uint32_t a, uint32_t b) { return seq_gt(a, b) ? a : b; }
static inline uint32_t seq_min(uint32_t a, uint32_t b) { return seq_lt(a, b) ? a : b; }

static inline bool dsn_lt(uint64_t a, uint64_t b) { return (int64_t)(a - b) < 0; }
static inline bool dsn_leq(uint64_t a, uint64_t b) { return (int64_t)(a - b) <= 0; }
static inline bool dsn_gt(uint64_t a, uint64_t b) { return (int64_t)(a - b) > 0; }
static inline bool dsn_geq(uint64_t a, uint64_t b) { return (int64_t)(a - b) >= 0; }
static inline uint64_t dsn_max(uint64_t a, uint64_t b) { return dsn_gt(a, b) ? a : b; }
static inline uint64_t dsn_min(uint64_t a, uint64_t b) { return dsn_lt(a, b) ? a : b; }
/* clang-format on */

/* The 64-bit number closest to `near` whose low 32 bits are `low`. */
static inline uint64_t dsn_expand(uint64_t near, uint32_t low)
{
    return near + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)near);
}

#endif
