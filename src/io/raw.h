/* SPDX-License-Identifier: MIT
 *
 * Sending whole IP packets through raw sockets: the kernel looks up the route
 * and the neighbour, and queues the packet while it asks for the latter. One
 * system call a packet and no offload, so this is for where nothing else
 * works: to the host itself, over unusual devices, and for the packet that
 * makes the kernel resolve a neighbour.
 */
#ifndef IO_RAW_H
#define IO_RAW_H

#include "plait/types.h"

struct raw {
    int fd4, fd6; /* -1: not possible here */
    uint8_t *buf; /* one packet */
};

/* 0 or a negative errno; -EPERM without CAP_NET_RAW. */
int raw_open(struct raw *r);
void raw_close(struct raw *r);
/* Send *p, cut into packets with finished checksums, by the interface ifindex
 * (0: as the kernel routes it). The number of packets that could not be sent;
 * they are lost. */
unsigned raw_send(struct raw *r, const struct plait_packet_tx *p, uint32_t ifindex);

#endif
