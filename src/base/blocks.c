/* SPDX-License-Identifier: MIT
 *
 * Blocks by size class; see blocks.h.
 */
#include "base/blocks.h"

void blocks_init(struct blocks *b, struct mem *mem)
{
    b->mem = mem;
    for (uint32_t i = 0; i < BLOCK_CLASSES; i++)
        pool_init(&b->classes[i], mem, (i + 1) * BLOCK_STEP);
}

void blocks_free(struct blocks *b)
{
    for (uint32_t i = 0; i < BLOCK_CLASSES; i++)
        pool_free(&b->classes[i]);
}

/* NULL: larger than any. */
static struct pool *class_of(struct blocks *b, size_t bytes)
{
    size_t i = bytes ? (bytes - 1) / BLOCK_STEP : 0;
    return i < BLOCK_CLASSES ? &b->classes[i] : NULL;
}

void *blocks_get(struct blocks *b, size_t bytes)
{
    struct pool *p = class_of(b, bytes);
    return p ? pool_get(p) : mem_alloc(b->mem, bytes);
}

void blocks_put(struct blocks *b, void *block, size_t bytes)
{
    struct pool *p = class_of(b, bytes);
    if (p)
        pool_put(p, block);
    else
        mem_free(b->mem, block, bytes);
}
