/* SPDX-License-Identifier: MIT
 *
 * The injected allocator with a budget. Everything the engine allocates goes
 * through one of these, so that what a stack holds is known and bounded.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "plait/types.h"

struct mem {
    struct plait_allocator alloc;
    size_t used_bytes, peak_bytes, limit_bytes; /* limit 0: none */
    uint64_t failures;                          /* refused by limit or by the allocator */
};

void mem_init(struct mem *m, const struct plait_allocator *alloc, size_t limit_bytes);

/* Zeroed memory or NULL. */
void *mem_alloc(struct mem *m, size_t size);
/* The same, not zeroed. */
void *mem_alloc_raw(struct mem *m, size_t size);
/* ptr may be NULL. */
void mem_free(struct mem *m, void *ptr, size_t size);

#endif
