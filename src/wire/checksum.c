/* SPDX-License-Identifier: MIT
 *
 * One's-complement sums. The sum of 16-bit words is the same in either byte
 * order but for a swap of the result, and 32-bit words may be added just as
 * well (RFC 1071 2): so native 32-bit words are added into 64-bit lanes, and
 * the bytes turned around once at the end.
 */
#include "wire/checksum.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"

/* Fold to 16 bits, adding the carries back in. */
static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t swap(uint16_t v)
{
    return (uint16_t)(v << 8 | v >> 8);
}

/* A sum of native words as one of big-endian words. */
static uint16_t native_to_be(uint16_t sum)
{
    uint8_t bytes[2];
    memcpy(bytes, &sum, sizeof bytes);
    return get_be16(bytes);
}

/* Two 64-bit lanes: the width that every target has, and that gcc and clang
 * both turn into good code; wider ones gcc 12 spills. Two lines a round hide
 * the latency of the sums: 25 GB/s from cache with plain SSE2. */
typedef uint64_t lanes __attribute__((vector_size(16)));
enum { LINES = 2, ROUND = LINES * sizeof(lanes) };

uint16_t csum_partial(const void *data, size_t len)
{
    const uint8_t *p = data;
    lanes low = {0}, high = {0};
    for (; len >= ROUND; len -= ROUND, p += ROUND)
        for (unsigned i = 0; i < LINES; i++) {
            lanes line;
            memcpy(&line, p + i * sizeof line, sizeof line);
            low += line & 0xffffffff;
            high += line >> 32;
        }
    return csum_finish(low[0] + low[1] + high[0] + high[1], p, len);
}

uint16_t csum_finish(uint64_t sum, const uint8_t *p, size_t len)
{
    uint32_t word;
    for (; len >= sizeof word; len -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        sum += word;
    }
    if (len) {
        word = 0;
        memcpy(&word, p, len);
        sum += word;
    }
    return native_to_be(fold(sum));
}

uint16_t csum_add(uint16_t a, uint16_t b, bool b_at_odd_offset)
{
    return fold((uint64_t)a + (b_at_odd_offset ? swap(b) : b));
}

uint16_t csum_pseudo_for(const struct plait_addr *src, const struct plait_addr *dst,
                         uint8_t protocol, uint32_t len)
{
    /* The unused bytes of an IPv4 address are zero and add nothing. */
    uint64_t sum = (uint64_t)protocol + len;
    return fold(sum + csum_partial(src->bytes, sizeof src->bytes) +
                csum_partial(dst->bytes, sizeof dst->bytes));
}

uint16_t csum_pseudo(const struct plait_addr *src, const struct plait_addr *dst, uint32_t tcp_len)
{
    return csum_pseudo_for(src, dst, IP_PROTO_TCP, tcp_len);
}

uint16_t csum_dss(uint64_t dsn, uint32_t ssn, uint16_t data_len, uint16_t data_sum)
{
    uint64_t sum = (dsn >> 32) + (dsn & 0xffffffff);
    return (uint16_t)~fold(sum + ssn + data_len + data_sum);
}
