/* SPDX-License-Identifier: MIT
 *
 * The object pool. A slab is a header and per_slab cells; a cell is a pointer
 * to its slab followed by the object. Cells never used yet are not on the
 * free list but counted off by `fresh`, so that a new slab touches no memory
 * in advance.
 *
 * Invariants: slabs with a free cell come before those without; `used` is the
 * sum of the slabs' `used`. A slab that becomes empty is given back when the
 * others still have a slab's worth of free cells, so that a pool which
 * hovers around a boundary does not visit the allocator each time.
 */
#include "base/pool.h"

#include <assert.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#endif
#ifdef POOL_ASAN
/* Let the sanitizer see the use of an object after pool_put. */
#include <sanitizer/asan_interface.h>
#define pool_poison(ptr, size) ASAN_POISON_MEMORY_REGION(ptr, size)
#define pool_unpoison(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define pool_poison(ptr, size) ((void)(ptr))
#define pool_unpoison(ptr, size) ((void)(ptr))
#endif

/* With what a heap adds, a round number: whatever it is for, a slab fits where
 * another one was. */
enum { POOL_SLAB_BYTES = 16384 - 16, POOL_ALIGN = 8 };

struct slab;

struct cell {
    struct slab *slab; /* while free: not looked at */
    struct cell *next; /* free list; the object lies here while used */
};

struct slab {
    struct list link;
    struct cell *free;
    uint32_t used, fresh; /* cells handed out; cells ever handed out */
};

static_assert(sizeof(struct slab) % POOL_ALIGN == 0, "cells must be aligned");

static size_t cell_bytes(const struct pool *p)
{
    return offsetof(struct cell, next) + p->size;
}

static size_t slab_bytes(const struct pool *p)
{
    size_t bytes = sizeof(struct slab) + p->per_slab * cell_bytes(p);
    return bytes < POOL_SLAB_BYTES ? POOL_SLAB_BYTES : bytes;
}

static struct cell *slab_cell(const struct pool *p, struct slab *s, uint32_t index)
{
    return (struct cell *)(void *)((char *)(s + 1) + index * cell_bytes(p));
}

static void *cell_object(struct cell *c)
{
    return &c->next;
}

void pool_init(struct pool *p, struct mem *mem, uint32_t object_size)
{
    uint32_t size = object_size < sizeof(void *) ? (uint32_t)sizeof(void *) : object_size;
    *p = (struct pool){.mem = mem, .size = (size + POOL_ALIGN - 1) & ~(uint32_t)(POOL_ALIGN - 1)};
    uint32_t fit = (uint32_t)((POOL_SLAB_BYTES - sizeof(struct slab)) / cell_bytes(p));
    p->per_slab = fit ? fit : 1;
    list_init(&p->slabs);
}

static void slab_release(struct pool *p, struct slab *s)
{
    list_remove(&s->link);
    p->slab_count--;
    pool_unpoison(s, slab_bytes(p));
    mem_free(p->mem, s, slab_bytes(p));
}

void pool_free(struct pool *p)
{
    assert(p->used == 0);
    list_each(s, &p->slabs, struct slab, link)
        slab_release(p, s);
}

static struct slab *slab_new(struct pool *p)
{
    struct slab *s = mem_alloc_raw(p->mem, slab_bytes(p));
    if (!s)
        return NULL;
    *s = (struct slab){0};
    pool_poison(s + 1, slab_bytes(p) - sizeof *s);
    list_prepend(&p->slabs, &s->link);
    p->slab_count++;
    return s;
}

/* A slab with a free cell, or NULL. */
static struct slab *pool_slab(struct pool *p)
{
    if (!list_empty(&p->slabs)) {
        struct slab *s = list_first(&p->slabs, struct slab, link);
        if (s->used < p->per_slab)
            return s;
    }
    return slab_new(p);
}

void *pool_get(struct pool *p)
{
    struct slab *s = pool_slab(p);
    if (!s)
        return NULL;
    bool again = s->free != NULL;
    struct cell *c = again ? s->free : slab_cell(p, s, s->fresh++);
    pool_unpoison(c, cell_bytes(p));
    if (again)
        s->free = c->next;
    c->slab = s;
    p->used++;
    if (++s->used == p->per_slab) {
        list_remove(&s->link);
        list_append(&p->slabs, &s->link);
    }
    return memset(cell_object(c), 0, p->size);
}

void pool_put(struct pool *p, void *object)
{
    struct cell *c = list_entry(object, struct cell, next);
    struct slab *s = c->slab;
    assert(s->used > 0 && p->used > 0);
    if (s->used == p->per_slab) {
        list_remove(&s->link);
        list_prepend(&p->slabs, &s->link);
    }
    c->next = s->free;
    s->free = c;
    pool_poison(c, cell_bytes(p));
    s->used--;
    p->used--;
    uint64_t free_cells = (uint64_t)p->slab_count * p->per_slab - p->used;
    if (s->used == 0 && free_cells >= 2 * (uint64_t)p->per_slab)
        slab_release(p, s);
}
