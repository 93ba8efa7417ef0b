/* SPDX-License-Identifier: MIT
 *
 * Which of several stacks of one process gets a packet: an eBPF program on the
 * packet sockets' fanout decides (PACKET_FANOUT_EBPF), so that a packet goes
 * straight to the thread that wants it and the threads share nothing.
 *
 *   a port that one thread holds     that thread: its outgoing subflows
 *   a port that all threads share    SYN with MP_JOIN: the thread that the token's
 *                                    second byte names (base/farm.h), and the
 *                                    program notes the 4-tuple; a 4-tuple that
 *                                    was noted: that thread; anything else: a
 *                                    keyed hash of the 4-tuple
 *   an ICMP error                    as the packet that it quotes
 *   any other port                   anybody: the sockets' filters drop it
 *
 * What was noted is forgotten when it was not used for long and there is no more
 * room (STEER_FLOWS_MAX), or when a SYN without MP_JOIN reuses the 4-tuple. All of
 * it lives in the kernel and goes with its descriptors. Needs CAP_BPF.
 */
#ifndef IO_STEER_H
#define IO_STEER_H

#include <stdint.h>

enum { STEER_THREADS_MAX = 64, STEER_FLOWS_MAX = 1 << 17 };
enum { STEER_NOBODY = 0, STEER_SHARED = 0xffff }; /* whose a port is; else thread + 1 */

struct steer {
    int ports_fd, flows_fd; /* maps */
    int program_fd;
};

/* `threads` 1 to STEER_THREADS_MAX; `seed` keys the hash. 0 or a negative errno:
 * -EPERM without CAP_BPF. */
int steer_open(struct steer *s, unsigned threads, uint32_t seed);
/* Say whose a local TCP port is from now on. 0 or a negative errno. */
int steer_port(const struct steer *s, uint16_t port, unsigned whose);
void steer_close(struct steer *s);

#endif
