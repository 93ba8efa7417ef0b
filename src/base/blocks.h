/* SPDX-License-Identifier: MIT
 *
 * Small blocks of many sizes that live long and are replaced by ones a little
 * larger or smaller: a pool for each size class. A slab that has become empty
 * serves any class, where a heap would be left with holes between blocks that
 * stay, each too small for the next one.
 */
#ifndef BASE_BLOCKS_H
#define BASE_BLOCKS_H

#include "base/pool.h"

enum { BLOCK_STEP = 32, BLOCK_CLASSES = 32 }; /* up to 1024 bytes; larger ones are the heap's */

struct blocks {
    struct mem *mem;
    struct pool classes[BLOCK_CLASSES];
};

void blocks_init(struct blocks *b, struct mem *mem);
/* Every block must be back (asserted). */
void blocks_free(struct blocks *b);
/* NULL: memory was refused. */
void *blocks_get(struct blocks *b, size_t bytes);
/* bytes: as asked for. */
void blocks_put(struct blocks *b, void *block, size_t bytes);

#endif
