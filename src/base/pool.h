/* SPDX-License-Identifier: MIT
 *
 * Equal-sized objects from slabs of the stack's memory, with a free list: no
 * trip to the allocator in steady state. An empty slab is given back when
 * another slab's worth of objects is free, so a peak does not stay forever.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/alloc.h"
#include "base/list.h"

struct pool {
    struct mem *mem;
    uint32_t size;     /* bytes an object */
    uint32_t per_slab; /* objects a slab */
    struct list slabs; /* those with a free object first */
    uint32_t used, slab_count;
};

void pool_init(struct pool *p, struct mem *mem, uint32_t object_size);
/* Every object must be back (asserted). */
void pool_free(struct pool *p);
/* Zeroed object or NULL. */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *object);

#endif
