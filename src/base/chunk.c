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

void chunk_cache_init(struct chunk_cache *k, struct mem *m, uint32_t size, uint32_t spares_max)
{
    *k = (struct chunk_cache){.mem = m, .size = size, .spares_max = spares_max};
}

static void cached_release(struct plait_chunk *c)
{
    struct chunk_cache *k = c->owner;
    if (k->spares == k->spares_max) {
        mem_free(k->mem, c, sizeof *c + c->size);
        return;
    }
    c->owner = k->spare;
    k->spare = c;
    k->spares++;
}

struct plait_chunk *chunk_cache_get(struct chunk_cache *k)
{
    struct plait_chunk *c = k->spare;
    if (c) {
        k->spare = c->owner;
        k->spares--;
        c->refs = 1;
    } else {
        c = chunk_new(k->mem, k->size);
        if (!c)
            return NULL;
        c->release = cached_release;
    }
    c->owner = k;
    return c;
}

void chunk_cache_trim(struct chunk_cache *k)
{
    while (k->spare) {
        struct plait_chunk *c = k->spare;
        k->spare = c->owner;
        mem_free(k->mem, c, sizeof *c + c->size);
    }
    k->spares = 0;
}
