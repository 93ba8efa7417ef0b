/* SPDX-License-Identifier: MIT
 *
 * Where a packet from one of the host's addresses to a destination leaves,
 * and to which link address: the kernel's routes, rules and neighbours, read
 * over rtnetlink and kept until the kernel says that they changed.
 *
 * A packet leaves by the interface that owns its source address whenever that
 * interface has a route to the destination, whatever the metrics say: paths
 * are told apart by their addresses. This is what the kernel's own path
 * manager does for an endpoint with a device. Otherwise the routing rules for
 * the source address decide.
 */
#ifndef IO_ROUTE_H
#define IO_ROUTE_H

#include "base/hash.h"
#include "io/netlink.h"
#include "plait/types.h"

enum route_way {
    ROUTE_NONE,    /* the kernel has no route */
    ROUTE_KERNEL,  /* to ourselves, or over a device with headers unknown here:
                     * let the kernel send it */
    ROUTE_BARE,    /* a device without link header */
    ROUTE_ETHERNET /* needs the neighbour's address */
};

struct route {
    struct plait_addr src, dst, next_hop;
    enum route_way way;
    uint32_t ifindex;
    bool known;        /* this entry is in use */
    bool lladdr_known; /* ETHERNET: lladdr may be used */
    bool lladdr_aging; /* ETHERNET: the kernel would like it confirmed */
    uint8_t lladdr[6], device_lladdr[6];
    uint64_t nudged_us; /* when a packet last went by the kernel's way for that */
};

enum { ROUTE_SLOTS = 1024 };

struct routes {
    struct netlink ask;
    struct mnl_socket *events;
    struct hash_key key;
    struct route slots[ROUTE_SLOTS]; /* direct-mapped */
};

int routes_open(struct routes *r);
void routes_close(struct routes *r);
/* Readable: call routes_changed. */
int routes_fd(const struct routes *r);
/* Read what changed. True: links changed as well. */
bool routes_changed(struct routes *r);

/* Never NULL; valid until the next call with this struct. */
struct route *route_find(struct routes *r, const struct plait_addr *src,
                         const struct plait_addr *dst);

/* The local address that the kernel's routes prefer towards dst. 0 or a
 * negative errno (-ENETUNREACH: no route). */
int route_source(const struct plait_addr *dst, struct plait_addr *out);

/* Packets from src to dst leave by the interface that owns src. */
bool route_leads(const struct plait_addr *src, const struct plait_addr *dst);

/* Interfaces that are ports of a bridge, bond or team; returns how many, at
 * most max are filled in. */
unsigned route_switch_ports(struct routes *r, uint32_t *ifindexes, unsigned max);

#endif
