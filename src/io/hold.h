/* SPDX-License-Identifier: MIT
 *
 * Local TCP ports taken from the kernel without a firewall rule: a listening
 * socket that throws everything away, by a filter or, where that takes more
 * privilege than we have, by demanding a signature that nobody can make. The
 * kernel finds an owner for each packet, so it sends no RST, and the owner
 * never answers. The socket dies with the process, and so does the claim.
 */
#ifndef IO_HOLD_H
#define IO_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct hold {
    uint16_t port;
    uint16_t users;
    int fd; /* -1: somebody else's */
};

struct holds {
    struct hold *items;
    unsigned count, capacity;
};

/* *port 0: any, filled in. Holding a held port again adds a user. 0,
 * -EADDRINUSE when a kernel socket has it, -EACCES when it is a privileged
 * port, -EPERM when this kernel silences no socket without CAP_NET_ADMIN, or
 * another error. */
int holds_add(struct holds *h, uint16_t *port);
/* The same for a port that a socket of somebody else's takes from the kernel. */
int holds_claim(struct holds *h, uint16_t port);
/* One user less. True: nobody holds it any more. */
bool holds_remove(struct holds *h, uint16_t port);
void holds_free(struct holds *h);
/* What comes to this TCP socket is thrown away. To be done before it listens. 0;
 * -1 and errno, EPERM as above. */
int hold_silence(int fd);

#endif
