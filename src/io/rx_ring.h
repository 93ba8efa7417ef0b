/* SPDX-License-Identifier: MIT
 *
 * Buffers to receive into: IO_BATCH slots, each a chunk large enough for the
 * largest super-segment. A chunk that the engine kept is replaced by another;
 * in steady state they circulate and nothing is allocated.
 *
 * A small packet must not pin a large buffer: what is shorter than
 * RX_KEEP_MIN is offered without its chunk, and the engine copies what it
 * keeps. The same goes for everything once `chunks_max` chunks are out, so
 * memory is bounded and receiving never stops.
 */
#ifndef IO_RX_RING_H
#define IO_RX_RING_H

#include "io/driver.h"

enum {
    RX_CHUNK_BYTES = 65536 + 64, /* an IP packet is at most 65535; and a link header */
    RX_KEEP_MIN = RX_CHUNK_BYTES / 4,
    RX_CHUNKS_MAX = 1024
};

struct rx_chunk;

struct rx_ring {
    struct plait_chunk *slot[IO_BATCH]; /* the first `ready` can be received into */
    unsigned ready;
    unsigned total, chunks_max; /* chunks in existence */
    unsigned spare_count;
    struct rx_chunk *spare;
};

/* False without memory for a single slot. */
bool rx_ring_init(struct rx_ring *r, unsigned chunks_max);
/* Every chunk must be back. */
void rx_ring_free(struct rx_ring *r);
/* Make the slots that were offered ready again; returns r->ready. */
unsigned rx_ring_refill(struct rx_ring *r);
/* Describe the packet of `len` bytes received in slot i behind `skip` others. */
void rx_ring_offer(const struct rx_ring *r, unsigned i, uint32_t skip, uint32_t len,
                   struct plait_packet_rx *out);

#endif
