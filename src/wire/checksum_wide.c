/* SPDX-License-Identifier: MIT
 *
 * The same sum over wider registers, for processors that have them. Which one
 * runs is asked once (csum_ways) and kept by whoever sums a lot; nothing is
 * remembered here.
 */
#include "wire/checksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* As csum_partial's loop: 32-bit words into 64-bit lanes, two lines a round. */
#define WIDE_SUM(name, isa, width)                                                                 \
    __attribute__((target(isa))) static uint16_t name(const void *data, size_t len)                \
    {                                                                                              \
        typedef uint64_t wide __attribute__((vector_size(width)));                                 \
        const uint8_t *p = data;                                                                   \
        wide low0 = {0}, high0 = {0}, low1 = {0}, high1 = {0}, a, b;                               \
        for (; len >= 2 * sizeof a; len -= 2 * sizeof a, p += 2 * sizeof a) {                      \
            memcpy(&a, p, sizeof a);                                                               \
            memcpy(&b, p + sizeof a, sizeof b);                                                    \
            low0 += a & 0xffffffff;                                                                \
            high0 += a >> 32;                                                                      \
            low1 += b & 0xffffffff;                                                                \
            high1 += b >> 32;                                                                      \
        }                                                                                          \
        low0 += low1 + high0 + high1;                                                              \
        uint64_t sum = 0;                                                                          \
        for (unsigned i = 0; i < sizeof a / sizeof low0[0]; i++)                                   \
            sum += low0[i];                                                                        \
        return csum_finish(sum, p, len);                                                           \
    }

WIDE_SUM(csum_avx2, "avx2", 32)
WIDE_SUM(csum_avx512, "avx512f", 64)

/* The registers that the system saves and restores (XCR0). */
static uint32_t saved_registers(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

unsigned csum_ways(csum_fn *ways[CSUM_WAYS_MAX])
{
    enum { OSXSAVE = 1 << 27, AVX2 = 1 << 5, AVX512F = 1 << 16, YMM = 0x06, ZMM = 0xe6 };
    uint32_t a, b, c, d;
    unsigned n = 0;
    ways[n++] = csum_partial;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
        return n;
    uint32_t saved = saved_registers();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return n;
    if ((b & AVX2) && (saved & YMM) == YMM)
        ways[n++] = csum_avx2;
    if ((b & AVX512F) && (saved & ZMM) == ZMM)
        ways[n++] = csum_avx512;
    return n;
}

#else

unsigned csum_ways(csum_fn *ways[CSUM_WAYS_MAX])
{
    ways[0] = csum_partial;
    return 1;
}

#endif

csum_fn *csum_best(void)
{
    csum_fn *ways[CSUM_WAYS_MAX];
    return ways[csum_ways(ways) - 1];
}
