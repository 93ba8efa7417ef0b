/* SPDX-License-Identifier: MIT
 *
 * The budgeted allocator. Invariant: used_bytes is the sum of the sizes of
 * all live blocks, never above limit_bytes when there is a limit.
 */
#include "base/alloc.h"

#include <assert.h>
#include <string.h>

void mem_init(struct mem *m, const struct plait_allocator *alloc, size_t limit_bytes)
{
    *m = (struct mem){.alloc = *alloc, .limit_bytes = limit_bytes};
}

/* Written so that neither a huge size nor a limit lowered below what is in
 * use can wrap around. */
static bool mem_within_limit(const struct mem *m, size_t size)
{
    if (!m->limit_bytes)
        return size <= SIZE_MAX - m->used_bytes;
    return m->used_bytes <= m->limit_bytes && size <= m->limit_bytes - m->used_bytes;
}

void *mem_alloc_raw(struct mem *m, size_t size)
{
    void *ptr = mem_within_limit(m, size) ? m->alloc.alloc(m->alloc.ctx, size) : NULL;
    if (!ptr) {
        m->failures++;
        return NULL;
    }
    m->used_bytes += size;
    if (m->used_bytes > m->peak_bytes)
        m->peak_bytes = m->used_bytes;
    return ptr;
}

void *mem_alloc(struct mem *m, size_t size)
{
    void *ptr = mem_alloc_raw(m, size);
    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void mem_free(struct mem *m, void *ptr, size_t size)
{
    if (!ptr)
        return;
    assert(size <= m->used_bytes);
    m->used_bytes -= size;
    m->alloc.free(m->alloc.ctx, ptr, size);
}
