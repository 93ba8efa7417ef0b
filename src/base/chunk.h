/* SPDX-License-Identifier: MIT
 *
 * Reference-counted payload buffers (struct plait_chunk). Payload is copied
 * once on its way in and once on its way out; in between everybody holds a
 * reference to the same bytes.
 */
#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include "base/alloc.h"

/* A chunk of `size` bytes with one reference, header and data in one block
 * charged to `m`, or NULL. `m` must outlive it. */
struct plait_chunk *chunk_new(struct mem *m, uint32_t size);

static inline struct plait_chunk *chunk_ref(struct plait_chunk *c)
{
    c->refs++;
    return c;
}

/* Chunks of one size that are used again, the newest first: what was written
 * last is in the processor's cache still, and in steady state nothing is
 * allocated. At most `spares_max` wait; they count as used memory. */
struct chunk_cache {
    struct mem *mem;
    uint32_t size; /* bytes of each */
    uint32_t spares, spares_max;
    struct plait_chunk *spare; /* the next one by its `owner` */
};

void chunk_cache_init(struct chunk_cache *k, struct mem *m, uint32_t size, uint32_t spares_max);
/* With one reference, or NULL. The cache must outlive it. */
struct plait_chunk *chunk_cache_get(struct chunk_cache *k);
/* Give back all that wait. */
void chunk_cache_trim(struct chunk_cache *k);

/* NULL is allowed. */
static inline void chunk_unref(struct plait_chunk *c)
{
    if (c && --c->refs == 0)
        c->release(c);
}

#endif
