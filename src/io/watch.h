/* SPDX-License-Identifier: MIT
 *
 * The host's own addresses, and what becomes of them. An address is present
 * while its interface is up and has a carrier and the address itself may be
 * used: not link-local, not tentative, not deprecated. A cut cable therefore
 * shows as an address that went away.
 */
#ifndef IO_WATCH_H
#define IO_WATCH_H

#include "plait/types.h"

struct io_watch;

struct io_watch_addr {
    struct plait_addr addr;
    uint32_t ifindex;
    uint16_t mtu; /* IP bytes */
    uint8_t prefix_len;
    bool loopback;
};

/* Called with present = true for a new or changed address, false for one that
 * went. It must not close the watch. */
typedef void io_watch_fn(void *ctx, const struct io_watch_addr *addr, bool present);

/* Reads what is there now and reports it to fn before it returns. */
int io_watch_open(io_watch_fn *fn, void *ctx, struct io_watch **out);
void io_watch_close(struct io_watch *w);
int io_watch_fd(const struct io_watch *w);
/* Call when the fd is readable. */
void io_watch_run(struct io_watch *w);

#endif
