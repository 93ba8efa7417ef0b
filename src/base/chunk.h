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

/* NULL is allowed. */
static inline void chunk_unref(struct plait_chunk *c)
{
    if (c && --c->refs == 0)
        c->release(c);
}

#endif
