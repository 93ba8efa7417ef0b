/* SPDX-License-Identifier: MIT
 *
 * Connection-level reassembly: mapped bytes to their place in the stream.
 */
#ifndef MPTCP_PLACE_H
#define MPTCP_PLACE_H

#include "mptcp/conn.h"

/* Place `len` bytes at dsn. Takes the chunk reference over, whatever becomes
 * of the bytes: queued, partly known already, or outside the window. */
void place(struct subflow *sf, struct plait_chunk *chunk, const uint8_t *data, uint32_t len,
           uint64_t dsn);
/* Bytes that came with the SYN: they are in front of the data sequence space.
 * The queue is empty. False: no memory. The chunk reference stays the
 * caller's. */
bool place_before(struct plait_conn *c, struct plait_chunk *chunk, const uint8_t *data,
                  uint32_t len);
/* Memory is short: give up the bytes furthest ahead of what is awaited. The
 * peer keeps them until their DATA_ACK and sends them again (RFC 8684 3.3.2).
 * How many; 0: there are none. */
uint32_t place_prune(struct plait_conn *c);

#endif
