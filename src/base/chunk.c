/* SPDX-License-Identifier: MIT
 *
 * Chunks whose header and data are one block of a stack's memory. Drivers
 * make their own kind, with another `release`.
 */
#include "base/chunk.h"

static void chunk_release(struct plait_chunk *c)
{
    mem_free(c->owner, c, sizeof *c + c->size);
}

struct plait_chunk *chunk_new(struct mem *m, uint32_t size)
{
    struct plait_chunk *c = mem_alloc_raw(m, sizeof *c + size);
    if (!c)
        return NULL;
    *c = (struct plait_chunk){
        .refs = 1,
        .size = size,
        .release = chunk_release,
        .owner = m,
        .data = (uint8_t *)(c + 1),
    };
    return c;
}
