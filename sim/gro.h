/* SPDX-License-Identifier: MIT
 *
 * Receive offload, as Linux does it: segments of one flow that follow each
 * other and whose headers agree but for sequence number, IPv4 identification,
 * lengths and checksums become one super-segment. Options must be equal byte
 * for byte, timestamps and MPTCP included, so only what a sender's
 * segmentation offload cut is put together again.
 */
#ifndef SIM_GRO_H
#define SIM_GRO_H

#include "sim/link.h"

struct gro {
    struct sim_packet *held; /* being built, with room for 64 KiB; or NULL */
    uint16_t header_len;
    uint32_t next_seq;
    uint64_t since_us; /* when the first segment came */
    uint64_t merged;   /* segments that went into another */
};

/* A packet arrived. Returns what must be delivered before it, or NULL. The
 * packet itself is kept (then *p is NULL) or left in *p, to be delivered
 * next. */
struct sim_packet *gro_add(struct gro *g, struct sim_packet **p, uint64_t now_us);
/* Take what is held, or NULL. */
struct sim_packet *gro_flush(struct gro *g);

#endif
