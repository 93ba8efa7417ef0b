/* SPDX-License-Identifier: MIT
 *
 * The driver on the host's own addresses and routes: one AF_PACKET socket on
 * all interfaces, with the virtio header, so that super-segments and
 * unfinished checksums pass both ways.
 *
 * The kernel's own TCP stays out of the way because every port in use is held
 * (io/hold.h); only packets to held ports pass the filter. What the socket
 * cannot send goes by way of the raw sockets (io/raw.h), among it one packet
 * now and then that keeps the kernel confirming a neighbour for us.
 *
 * Several threads have a driver each, whose sockets are one fanout group: a
 * program picks the socket for each packet (io/steer.h).
 *
 * All state dies with the sockets: nothing is left to clean up after SIGKILL.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/claims.h"
#include "io/driver.h"
#include "io/filter.h"
#include "io/raw.h"
#include "io/route.h"
#include "io/rx_ring.h"
#include "wire/offload.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

enum {
    SWITCH_PORTS_MAX = 256,
    TCP_CHECKSUM_OFFSET = 16,
    RECEIVE_BUFFER_BYTES = 16 << 20,
    SEND_BUFFER_BYTES = 1 << 20,
    NUDGE_US = 5 * 1000 * 1000, /* how often a neighbour is confirmed */
    LOOK_US = 1000,
    STATISTICS_US = 1000 * 1000
};

struct message {
    struct virtio_net_hdr vnet;
    struct ethhdr link; /* out only */
    struct sockaddr_ll name;
    struct iovec iov[3 + PLAIT_IOV_MAX];
};

struct packet_driver {
    struct io_driver driver; /* first */
    int fd;
    struct raw raw;
    struct claims *claims;
    unsigned thread; /* of those that share the claims */
    struct routes *routes;
    struct rx_ring ring;
    uint64_t looked_us, statistics_us; /* last time */
    struct message tx[IO_BATCH];
    struct mmsghdr tx_msgs[IO_BATCH];
    const struct plait_packet_tx *tx_packets[IO_BATCH];
    struct sock_filter filter[FILTER_MAX];
    struct message rx[IO_BATCH];
    struct mmsghdr rx_msgs[IO_BATCH];
};

/* ---- what comes in ------------------------------------------------------------- */

static int filter_update(struct packet_driver *d)
{
    uint32_t switch_ports[SWITCH_PORTS_MAX];
    struct filter_config config = {.ports_of_switches = switch_ports};
    struct sock_fprog program = {.filter = d->filter};
    uint16_t *ports = claims_ports(d->claims, &config.port_count);

    if (!ports)
        return -ENOMEM;
    config.ports = ports;
    config.switch_port_count = route_switch_ports(d->routes, switch_ports, SWITCH_PORTS_MAX);
    program.len = (unsigned short)filter_build(&config, d->filter);
    free(ports);
    if (setsockopt(d->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return -errno;
    return 0;
}

/* One new filter for all of them. */
static int packet_hold_ports(struct io_driver *driver, uint16_t *ports, unsigned count)
{
    struct packet_driver *d = (struct packet_driver *)driver;
    unsigned held = 0;
    int err = 0;

    while (held < count && (err = claims_hold(d->claims, d->thread, &ports[held])) == 0)
        held++;
    if (!err)
        err = filter_update(d);
    while (err && held > 0)
        claims_release(d->claims, ports[--held]);
    return err;
}

static int packet_claim_port(struct io_driver *driver, uint16_t port)
{
    struct packet_driver *d = (struct packet_driver *)driver;
    int err = claims_claim(d->claims, port);

    if (err)
        return err;
    err = filter_update(d);
    if (err)
        claims_release(d->claims, port);
    return err;
}

static void packet_release_port(struct io_driver *driver, uint16_t port)
{
    struct packet_driver *d = (struct packet_driver *)driver;

    claims_release(d->claims, port);
    filter_update(d);
}

static void read_statistics(struct packet_driver *d, uint64_t now_us)
{
    struct tpacket_stats stats;
    socklen_t len = sizeof stats;

    if (now_us - d->statistics_us < STATISTICS_US)
        return;
    d->statistics_us = now_us;
    if (getsockopt(d->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
        d->driver.stats.dropped_in += stats.tp_drops; /* reading resets it */
}

/* See to what is not a packet: when there was none, and now and then. */
static void look_around(struct packet_driver *d, bool idle, uint64_t now_us)
{
    if (!idle && now_us - d->looked_us < LOOK_US)
        return;
    d->looked_us = now_us;
    if (routes_changed(d->routes))
        filter_update(d);
    read_statistics(d, now_us);
}

static unsigned packet_receive(struct io_driver *driver, struct plait_packet_rx *out, unsigned max,
                               uint64_t now_us)
{
    struct packet_driver *d = (struct packet_driver *)driver;
    unsigned slots = rx_ring_refill(&d->ring);
    int count;

    slots = slots < max ? slots : max;
    for (unsigned i = 0; i < slots; i++) {
        d->rx[i].iov[1].iov_base = d->ring.slot[i]->data;
        d->rx_msgs[i].msg_hdr.msg_namelen = sizeof d->rx[i].name;
    }
    count = recvmmsg(d->fd, d->rx_msgs, slots, MSG_DONTWAIT, NULL);
    driver->stats.calls_in++;
    look_around(d, count <= 0, now_us);
    if (count <= 0)
        return 0;
    for (unsigned i = 0; i < (unsigned)count; i++) {
        const struct message *m = &d->rx[i];
        uint32_t skip = filter_link_len(m->name.sll_hatype), len = d->rx_msgs[i].msg_len;

        len = len > sizeof m->vnet ? len - (uint32_t)sizeof m->vnet : 0;
        skip = skip < len ? skip : len;
        rx_ring_offer(&d->ring, i, skip, len - skip, &out[i]);
        /* Unfinished means that it never left this host; nothing to verify. */
        out[i].csum_ok =
            m->vnet.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
        out[i].gso_size = m->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : m->vnet.gso_size;
        out[i].ifindex = (uint32_t)m->name.sll_ifindex;
        driver->stats.bytes_in += len;
    }
    driver->stats.packets_in += (unsigned)count;
    return (unsigned)count;
}

/* ---- what goes out -------------------------------------------------------------- */

static void message_fill(struct packet_driver *d, unsigned i, const struct plait_packet_tx *p,
                         const struct route *route)
{
    struct message *m = &d->tx[i];
    bool ip4 = p->dst.family == PLAIT_IPV4;
    uint16_t link_len = route->way == ROUTE_ETHERNET ? ETH_HLEN : 0;

    d->tx_packets[i] = p;
    m->vnet = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = (uint16_t)(link_len + p->csum_start),
        .csum_offset = TCP_CHECKSUM_OFFSET,
    };
    if (p->gso_size && p->payload_len > p->gso_size) {
        m->vnet.gso_type = ip4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        m->vnet.gso_size = p->gso_size;
        m->vnet.hdr_len = (uint16_t)(link_len + p->header_len);
    }
    memcpy(m->link.h_dest, route->lladdr, ETH_ALEN);
    memcpy(m->link.h_source, route->device_lladdr, ETH_ALEN);
    m->link.h_proto = htons(ip4 ? ETH_P_IP : ETH_P_IPV6);
    m->name.sll_family = AF_PACKET;
    m->name.sll_protocol = m->link.h_proto;
    m->name.sll_ifindex = (int)route->ifindex;
    m->iov[1] = (struct iovec){&m->link, link_len};
    m->iov[2] = (struct iovec){(void *)p->header, p->header_len};
    for (unsigned n = 0; n < p->iov_count; n++)
        m->iov[3 + n] = (struct iovec){(void *)p->iov[n].data, p->iov[n].len};
    d->tx_msgs[i].msg_hdr.msg_iovlen = 3u + p->iov_count;
}

static void account(struct packet_driver *d, unsigned i)
{
    d->driver.stats.packets_out++;
    d->driver.stats.bytes_out += d->tx_packets[i]->header_len + d->tx_packets[i]->payload_len;
}

static void send_slowly(struct packet_driver *d, const struct plait_packet_tx *p, uint32_t ifindex)
{
    unsigned lost = raw_send(&d->raw, p, ifindex);

    d->driver.stats.slow_out += offload_count(p);
    d->driver.stats.lost_out += lost;
}

/* The first of the messages was refused. True: done with it, go on with the
 * next; false: try again later. */
static bool refused(struct packet_driver *d, unsigned i, int error)
{
    const struct plait_packet_tx *p = d->tx_packets[i];
    struct route *route;

    switch (error) {
    case EAGAIN:
        d->driver.blocked_fd = d->fd;
        return false;
    case EINTR:
        return false;
    case ENOBUFS: /* the queue of the device dropped it */
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
        d->driver.stats.lost_out++;
        return true;
    default: /* not by this device */
        route = route_find(d->routes, &p->src, &p->dst);
        route->way = ROUTE_KERNEL;
        send_slowly(d, p, route->ifindex);
        return true;
    }
}

/* Send messages 0 to count - 1; returns how many are done with. */
static unsigned messages_send(struct packet_driver *d, unsigned count)
{
    unsigned done = 0;

    while (done < count && d->driver.blocked_fd < 0) {
        int n = sendmmsg(d->fd, d->tx_msgs + done, count - done, MSG_DONTWAIT);
        d->driver.stats.calls_out++;
        if (n < 0 && refused(d, done, errno))
            done++;
        for (int i = 0; i < n; i++)
            account(d, done++);
    }
    return done;
}

/* May the packet go straight to the neighbour, or is it the kernel's turn? */
static bool goes_straight(struct route *route, uint64_t now_us)
{
    if (route->way == ROUTE_BARE)
        return true;
    if (route->way != ROUTE_ETHERNET || !route->lladdr_known)
        return false;
    if (!route->lladdr_aging || now_us - route->nudged_us < NUDGE_US)
        return true;
    route->nudged_us = now_us;
    return false;
}

static unsigned packet_send(struct io_driver *driver, const struct plait_packet_tx *packets,
                            unsigned count, uint64_t now_us)
{
    struct packet_driver *d = (struct packet_driver *)driver;
    unsigned queued = 0, taken = 0;

    driver->blocked_fd = -1;
    for (unsigned i = 0; i < count; i++) {
        const struct plait_packet_tx *p = &packets[i];
        struct route *route = route_find(d->routes, &p->src, &p->dst);
        bool straight = goes_straight(route, now_us);

        if (straight)
            message_fill(d, queued++, p, route);
        if (queued && (!straight || queued == IO_BATCH || i + 1 == count)) {
            unsigned done = messages_send(d, queued);
            taken += done;
            if (done < queued)
                return taken;
            queued = 0;
        }
        if (straight)
            continue;
        if (route->way == ROUTE_NONE)
            driver->stats.lost_out++;
        else
            send_slowly(d, p, route->ifindex);
        taken++;
    }
    return taken;
}

/* ---- life ------------------------------------------------------------------------ */

static void packet_close(struct io_driver *driver)
{
    struct packet_driver *d = (struct packet_driver *)driver;

    if (d->fd >= 0)
        close(d->fd);
    raw_close(&d->raw);
    claims_leave(d->claims);
    if (d->routes)
        routes_close(d->routes);
    free(d->routes);
    rx_ring_free(&d->ring);
    free(d);
}

static const struct io_ops packet_ops = {
    .receive = packet_receive,
    .send = packet_send,
    .hold_ports = packet_hold_ports,
    .release_port = packet_release_port,
    .claim_port = packet_claim_port,
    .close = packet_close,
};

static void set_buffer(int fd, int force, int ask, int bytes)
{
    /* Beyond the system's maximum needs CAP_NET_ADMIN; without it, the maximum. */
    if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, ask, &bytes, sizeof bytes);
}

/* Filtered while still deaf (protocol 0), then bound to everything: no packet
 * that came before the filter can be in the queue. ETH_P_ALL rather than IP,
 * because only then does the kernel accept IPv6 super-segments. */
static int socket_set_up(struct packet_driver *d)
{
    struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int on = 1, err = filter_update(d);

    if (err)
        return err;
    if (setsockopt(d->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0 ||
        setsockopt(d->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0)
        return -errno;
    set_buffer(d->fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
    set_buffer(d->fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_BYTES);
    if (bind(d->fd, (struct sockaddr *)&all, sizeof all) < 0)
        return -errno;
    return 0;
}

static void messages_prepare(struct packet_driver *d)
{
    for (unsigned i = 0; i < IO_BATCH; i++) {
        struct message *rx = &d->rx[i], *tx = &d->tx[i];
        rx->iov[0] = (struct iovec){&rx->vnet, sizeof rx->vnet};
        rx->iov[1] = (struct iovec){NULL, RX_CHUNK_BYTES};
        d->rx_msgs[i].msg_hdr =
            (struct msghdr){.msg_name = &rx->name, .msg_iov = rx->iov, .msg_iovlen = 2};
        tx->iov[0] = (struct iovec){&tx->vnet, sizeof tx->vnet};
        d->tx_msgs[i].msg_hdr = (struct msghdr){.msg_name = &tx->name,
                                                .msg_namelen = sizeof tx->name,
                                                .msg_iov = tx->iov};
    }
}

/* The claims are the driver's to leave in any case. */
static int open_one(struct claims *claims, unsigned thread, struct io_driver **out)
{
    struct packet_driver *d = calloc(1, sizeof *d);
    int err = -ENOMEM;

    if (!d) {
        claims_leave(claims);
        return err;
    }
    d->claims = claims;
    d->thread = thread;
    d->driver.ops = &packet_ops;
    d->driver.blocked_fd = d->raw.fd4 = d->raw.fd6 = -1;
    d->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0) {
        err = -errno;
        goto fail;
    }
    d->routes = malloc(sizeof *d->routes);
    if (!d->routes || !rx_ring_init(&d->ring, RX_CHUNKS_MAX))
        goto fail;
    err = routes_open(d->routes);
    if (!err)
        err = raw_open(&d->raw);
    if (!err)
        err = socket_set_up(d);
    if (err)
        goto fail;
    messages_prepare(d);
    d->driver.fds[0] = d->fd;
    d->driver.fds[1] = routes_fd(d->routes);
    d->driver.fd_count = 2;
    snprintf(d->driver.describe, sizeof d->driver.describe,
             "packet: the host's own addresses and routes, by AF_PACKET");
    *out = &d->driver;
    return 0;
fail:
    packet_close(&d->driver);
    return err;
}

int io_packet_open(struct io_driver **out)
{
    struct claims *claims;
    int err = claims_new(1, &claims);

    return err ? err : open_one(claims, 0, out);
}

/* ---- several threads --------------------------------------------------------------- */

/* Socket i of the group gets the packets for which the program says i. The first
 * has the kernel choose the group's number. */
static int fanout_join(struct io_driver *driver, const struct io_driver *first)
{
    const unsigned kind = PACKET_FANOUT_EBPF | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    struct packet_driver *d = (struct packet_driver *)driver;
    const struct packet_driver *f = (const struct packet_driver *)first;
    uint32_t group = (kind | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
    socklen_t len = sizeof group;

    if (d != f) {
        if (getsockopt(f->fd, SOL_PACKET, PACKET_FANOUT, &group, &len) < 0)
            return -errno;
        group = (group & 0xffff) | kind << 16;
    }
    if (setsockopt(d->fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) < 0)
        return -errno;
    if (d == f && setsockopt(d->fd, SOL_PACKET, PACKET_FANOUT_DATA, &d->claims->steer.program_fd,
                             sizeof d->claims->steer.program_fd) < 0)
        return -errno;
    return 0;
}

int io_packet_open_threads(unsigned count, struct io_driver **out)
{
    struct claims *claims;
    unsigned opened = 0;
    int err;

    if (count < 2 || count > STEER_THREADS_MAX)
        return -EINVAL;
    err = claims_new(count, &claims);
    if (err)
        return err;
    for (unsigned i = 0; i < count; i++) {
        if (!err)
            err = open_one(claims, i, &out[opened]);
        else
            claims_leave(claims);
        if (!err)
            err = fanout_join(out[opened++], out[0]);
    }
    for (unsigned i = 0; err && i < opened; i++)
        out[i]->ops->close(out[i]);
    return err;
}
