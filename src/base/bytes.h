/* SPDX-License-Identifier: MIT
 *
 * Network-order loads and stores, and a writer that cannot overrun: it keeps
 * counting past its end, so that one check at the close is enough.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, (uint16_t)(v >> 16));
    put_be16(p + 2, (uint16_t)v);
}
static inline void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32(p + 4, (uint32_t)v);
}

struct writer {
    uint8_t *buf;
    size_t cap, len; /* len > cap: it did not fit, nothing past cap was touched */
};

static inline bool writer_ok(const struct writer *w)
{
    return w->len <= w->cap;
}

static inline void write_bytes(struct writer *w, const void *src, size_t n)
{
    if (w->len <= w->cap && n <= w->cap - w->len)
        memcpy(w->buf + w->len, src, n);
    w->len += n;
}
static inline void write_u8(struct writer *w, uint8_t v)
{
    write_bytes(w, &v, 1);
}
static inline void write_be16(struct writer *w, uint16_t v)
{
    uint8_t b[2];
    put_be16(b, v);
    write_bytes(w, b, sizeof b);
}
static inline void write_be32(struct writer *w, uint32_t v)
{
    uint8_t b[4];
    put_be32(b, v);
    write_bytes(w, b, sizeof b);
}
static inline void write_be64(struct writer *w, uint64_t v)
{
    uint8_t b[8];
    put_be64(b, v);
    write_bytes(w, b, sizeof b);
}

#endif
