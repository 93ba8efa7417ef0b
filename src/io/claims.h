/* SPDX-License-Identifier: MIT
 *
 * The local ports of packet drivers: held from the kernel (io/hold.h) and, where
 * several threads have a driver each, told to the program that steers packets
 * (io/steer.h). The one thing that such drivers share; it is locked, and touched
 * when a port comes or goes, never for a packet.
 */
#ifndef IO_CLAIMS_H
#define IO_CLAIMS_H

#include <pthread.h>
#include <stdbool.h>

#include "io/hold.h"
#include "io/steer.h"

struct claims {
    pthread_mutex_t lock;
    struct holds holds;
    struct steer steer;
    bool steered;   /* there are several threads */
    unsigned users; /* drivers */
};

/* For the drivers of so many threads, each of which uses claims_leave in the end.
 * 0 or a negative errno: -EPERM where several need CAP_BPF. */
int claims_new(unsigned threads, struct claims **out);
void claims_leave(struct claims *c);
/* As io_ops.hold_ports, for one. Any port (*port 0) is this thread's alone, one that was
 * named is shared: whoever listens there does so in all threads. */
int claims_hold(struct claims *c, unsigned thread, uint16_t *port);
/* As io_ops.claim_port: shared by all threads. */
int claims_claim(struct claims *c, uint16_t port);
void claims_release(struct claims *c, uint16_t port);
/* All ports in order, a copy; NULL without memory. The caller frees it. */
uint16_t *claims_ports(struct claims *c, unsigned *count);

#endif
