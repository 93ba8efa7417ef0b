/* SPDX-License-Identifier: MIT
 *
 * In software what a network card's transmit offloads do: finish a partial
 * checksum, and cut a super-segment into packets.
 */
#ifndef WIRE_OFFLOAD_H
#define WIRE_OFFLOAD_H

#include "plait/types.h"

/* Number of packets that *p makes. */
unsigned offload_count(const struct plait_packet_tx *p);

/* Write packet number `index` (0 .. count-1) of *p, contiguous and with all
 * checksums final, into buf; returns its length. buf must hold header_len +
 * (gso_size ? gso_size : payload_len) bytes. As hardware does: options copied,
 * sequence number advanced, FIN and PSH only on the last, CWR only on the
 * first, IPv4 ID incremented. */
size_t offload_write(const struct plait_packet_tx *p, unsigned index, uint8_t *buf, size_t size);

#endif
