/* SPDX-License-Identifier: MIT
 *
 * One's-complement sums. The sum of 16-bit words is the same in either byte
 * order but for a swap of the result, and 32-bit words may be added just as
 * well (RFC 1071 2): so the loop adds native 32-bit words into 64-bit lanes,
 * a form that compilers vectorise, and turns the bytes around once at the end.
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

uint16_t csum_partial(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t sum = 0;
    size_t words = len / 4;
    for (size_t i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, p + 4 * i, sizeof word);
        sum += word;
    }
    if (len % 4) {
        uint32_t word = 0;
        memcpy(&word, p + 4 * words, len % 4);
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
