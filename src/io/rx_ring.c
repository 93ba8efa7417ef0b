/* SPDX-License-Identifier: MIT */
#include "io/rx_ring.h"

#include <assert.h>
#include <stdlib.h>

#include "base/chunk.h"

enum { SPARES_KEPT = 2 * IO_BATCH };

struct rx_chunk {
    struct plait_chunk chunk; /* first: release gets its address */
    struct rx_chunk *next;
    _Alignas(64) uint8_t data[RX_CHUNK_BYTES];
};

static void rx_chunk_release(struct plait_chunk *chunk)
{
    struct rx_chunk *c = (struct rx_chunk *)chunk;
    struct rx_ring *r = chunk->owner;

    if (r->spare_count >= SPARES_KEPT) {
        r->total--;
        free(c);
        return;
    }
    c->next = r->spare;
    r->spare = c;
    r->spare_count++;
}

static struct plait_chunk *rx_chunk_get(struct rx_ring *r)
{
    struct rx_chunk *c = r->spare;

    if (c) {
        r->spare = c->next;
        r->spare_count--;
    } else {
        c = aligned_alloc(64, sizeof *c);
        if (!c)
            return NULL;
        r->total++;
    }
    c->chunk = (struct plait_chunk){.refs = 1,
                                    .size = RX_CHUNK_BYTES,
                                    .release = rx_chunk_release,
                                    .owner = r,
                                    .data = c->data};
    return &c->chunk;
}

bool rx_ring_init(struct rx_ring *r, unsigned chunks_max)
{
    *r = (struct rx_ring){.chunks_max = chunks_max};
    return rx_ring_refill(r) > 0;
}

void rx_ring_free(struct rx_ring *r)
{
    for (unsigned i = 0; i < r->ready; i++)
        chunk_unref(r->slot[i]);
    while (r->spare) {
        struct rx_chunk *c = r->spare;
        r->spare = c->next;
        r->total--;
        free(c);
    }
    assert(r->total == 0 && "a received chunk outlives its driver");
}

unsigned rx_ring_refill(struct rx_ring *r)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < r->ready; i++) {
        if (r->slot[i]->refs == 1)
            r->slot[kept++] = r->slot[i];
        else
            chunk_unref(r->slot[i]); /* the engine's alone now */
    }
    r->ready = kept;
    while (r->ready < IO_BATCH) {
        struct plait_chunk *c = rx_chunk_get(r);
        if (!c)
            break;
        r->slot[r->ready++] = c;
    }
    return r->ready;
}

void rx_ring_offer(const struct rx_ring *r, unsigned i, uint32_t skip, uint32_t len,
                   struct plait_packet_rx *out)
{
    bool spare = r->spare_count >= IO_BATCH || r->total < r->chunks_max;

    *out = (struct plait_packet_rx){
        .chunk = len >= RX_KEEP_MIN && spare ? r->slot[i] : NULL,
        .data = r->slot[i]->data + skip,
        .len = len,
    };
}
