/* SPDX-License-Identifier: MIT
 *
 * The driver with an address of its own: a TUN device, point to point between
 * the kernel and plait, with the virtio header so that super-segments and
 * unfinished checksums pass both ways. The kernel sees plait as a host behind
 * that device; to talk beyond this host it has to be routed or translated.
 *
 * The device is not persistent: it, its addresses and its routes vanish with
 * the descriptor, after SIGKILL too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/addr.h"
#include "io/driver.h"
#include "io/netlink.h"
#include "io/rx_ring.h"
#include "wire/offload.h"

enum { TUN_MTU_DEFAULT = 1500, TCP_CHECKSUM_OFFSET = 16, PORT_DYNAMIC_FIRST = 49152 };

struct tun_driver {
    struct io_driver driver; /* first */
    int fd;
    bool offload; /* the kernel takes super-segments */
    uint16_t next_port;
    struct rx_ring ring;
    uint8_t *cut; /* one packet, where it does not */
};

static unsigned tun_receive(struct io_driver *driver, struct plait_packet_rx *out, unsigned max,
                            uint64_t now_us)
{
    struct tun_driver *d = (struct tun_driver *)driver;
    unsigned slots = rx_ring_refill(&d->ring), count = 0;

    (void)now_us;
    while (count < slots && count < max) {
        struct virtio_net_hdr vnet;
        struct iovec iov[2] = {{&vnet, sizeof vnet}, {d->ring.slot[count]->data, RX_CHUNK_BYTES}};
        ssize_t n = readv(d->fd, iov, 2);

        driver->stats.calls_in++;
        if (n < (ssize_t)sizeof vnet)
            break;
        rx_ring_offer(&d->ring, count, 0, (uint32_t)(n - (ssize_t)sizeof vnet), &out[count]);
        out[count].csum_ok =
            vnet.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
        out[count].gso_size = vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : vnet.gso_size;
        driver->stats.bytes_in += out[count].len;
        count++;
    }
    driver->stats.packets_in += count;
    return count;
}

static ssize_t write_whole(struct tun_driver *d, const struct plait_packet_tx *p)
{
    struct virtio_net_hdr vnet = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = p->csum_start,
        .csum_offset = TCP_CHECKSUM_OFFSET,
    };
    struct iovec iov[2 + PLAIT_IOV_MAX] = {{&vnet, sizeof vnet},
                                           {(void *)p->header, p->header_len}};

    if (p->gso_size && p->payload_len > p->gso_size) {
        vnet.gso_type =
            p->dst.family == PLAIT_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        vnet.gso_size = p->gso_size;
        vnet.hdr_len = p->header_len;
    }
    for (unsigned i = 0; i < p->iov_count; i++)
        iov[2 + i] = (struct iovec){(void *)p->iov[i].data, p->iov[i].len};
    return writev(d->fd, iov, 2 + p->iov_count);
}

static ssize_t write_cut(struct tun_driver *d, const struct plait_packet_tx *p)
{
    unsigned count = offload_count(p);
    ssize_t n = 0;

    for (unsigned i = 0; i < count; i++) {
        struct virtio_net_hdr vnet = {.flags = 0};
        struct iovec iov[2] = {{&vnet, sizeof vnet},
                               {d->cut, offload_write(p, i, d->cut, RX_CHUNK_BYTES)}};
        n = writev(d->fd, iov, 2);
    }
    return n;
}

static unsigned tun_send(struct io_driver *driver, const struct plait_packet_tx *packets,
                         unsigned count, uint64_t now_us)
{
    struct tun_driver *d = (struct tun_driver *)driver;

    (void)now_us;
    driver->blocked_fd = -1;
    for (unsigned i = 0; i < count; i++) {
        const struct plait_packet_tx *p = &packets[i];
        ssize_t n = d->offload ? write_whole(d, p) : write_cut(d, p);

        driver->stats.calls_out++;
        if (n < 0 && errno == EAGAIN) {
            driver->blocked_fd = d->fd;
            return i;
        }
        if (n < 0) {
            driver->stats.lost_out++;
            continue;
        }
        driver->stats.packets_out++;
        driver->stats.bytes_out += p->header_len + p->payload_len;
    }
    return count;
}

/* The addresses are ours alone: any port will do. */
static int tun_hold_ports(struct io_driver *driver, uint16_t *ports, unsigned count)
{
    struct tun_driver *d = (struct tun_driver *)driver;

    for (unsigned i = 0; i < count; i++) {
        if (ports[i])
            continue;
        ports[i] = d->next_port;
        d->next_port = d->next_port == UINT16_MAX ? PORT_DYNAMIC_FIRST : d->next_port + 1;
    }
    return 0;
}

static int tun_claim_port(struct io_driver *driver, uint16_t port)
{
    return tun_hold_ports(driver, &port, 1);
}

static void tun_release_port(struct io_driver *driver, uint16_t port)
{
    (void)driver;
    (void)port;
}

static void tun_close(struct io_driver *driver)
{
    struct tun_driver *d = (struct tun_driver *)driver;

    if (d->fd >= 0)
        close(d->fd);
    rx_ring_free(&d->ring);
    free(d->cut);
    free(d);
}

static const struct io_ops tun_ops = {
    .receive = tun_receive,
    .send = tun_send,
    .hold_ports = tun_hold_ports,
    .release_port = tun_release_port,
    .claim_port = tun_claim_port,
    .close = tun_close,
};

/* ---- setting the device up -------------------------------------------------------- */

static int device_open(struct tun_driver *d, char name[IFNAMSIZ])
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    int header_len = sizeof(struct virtio_net_hdr);

    d->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (d->fd < 0)
        return -errno;
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name[0] ? name : "plait%d");
    if (ioctl(d->fd, TUNSETIFF, &request) < 0 || ioctl(d->fd, TUNSETVNETHDRSZ, &header_len) < 0)
        return -errno;
    memcpy(name, request.ifr_name, IFNAMSIZ);
    d->offload = ioctl(d->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) == 0;
    return 0;
}

/* The first address of the prefix that is not plait's: network + 1, or + 2. */
static struct plait_addr kernel_end(const struct plait_addr *own, uint8_t prefix_len)
{
    struct plait_addr a = *own;
    unsigned len = a.family == PLAIT_IPV4 ? 4 : 16;

    for (unsigned bit = prefix_len; bit < 8 * len; bit++)
        a.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    a.bytes[len - 1] |= 1;
    if (addr_equal(&a, own))
        a.bytes[len - 1] ^= 3;
    return a;
}

static int device_up(struct netlink *nl, uint32_t ifindex, uint16_t mtu)
{
    struct nlmsghdr *request = netlink_request(nl, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    info->ifi_index = (int)ifindex;
    info->ifi_flags = info->ifi_change = IFF_UP;
    mnl_attr_put_u32(request, IFLA_MTU, mtu);
    return netlink_ask(nl, request, NULL, NULL);
}

static int device_addr(struct netlink *nl, uint32_t ifindex, const struct plait_addr *addr,
                       uint8_t prefix_len)
{
    struct nlmsghdr *request = netlink_request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    *info = (struct ifaddrmsg){.ifa_family = netlink_family(addr),
                               .ifa_prefixlen = prefix_len,
                               .ifa_flags = IFA_F_NODAD,
                               .ifa_index = ifindex};
    netlink_put_addr(request, IFA_LOCAL, addr);
    netlink_put_addr(request, IFA_ADDRESS, addr);
    return netlink_ask(nl, request, NULL, NULL);
}

static int device_configure(struct tun_driver *d, const char *name,
                            const struct io_tun_config *config)
{
    struct netlink *nl = malloc(sizeof *nl);
    struct ifreq request = {.ifr_flags = 0};
    int err = nl ? netlink_open(nl) : -ENOMEM;

    if (err) {
        free(nl);
        return err;
    }
    memcpy(request.ifr_name, name, IFNAMSIZ);
    if (ioctl(mnl_socket_get_fd(nl->socket), SIOCGIFINDEX, &request) < 0)
        err = -errno;
    uint32_t ifindex = (uint32_t)request.ifr_ifindex;
    if (!err)
        err = device_up(nl, ifindex, config->mtu ? config->mtu : TUN_MTU_DEFAULT);
    for (unsigned i = 0; !err && i < config->addr_count; i++) {
        uint8_t prefix_len = config->addrs[i].prefix_len;
        struct plait_addr addr = kernel_end(&config->addrs[i].addr, prefix_len);
        err = device_addr(nl, ifindex, &addr, prefix_len);
    }
    snprintf(d->driver.describe, sizeof d->driver.describe, "tun: device %s%s", name,
             d->offload ? "" : ", without offload");
    netlink_close(nl);
    free(nl);
    return err;
}

static bool config_sane(const struct io_tun_config *c)
{
    for (unsigned i = 0; i < c->addr_count; i++) {
        unsigned bits = c->addrs[i].addr.family == PLAIT_IPV4 ? 32 : 128;
        /* Two addresses must fit into the prefix. */
        if (c->addrs[i].addr.family == PLAIT_NONE || c->addrs[i].prefix_len > bits - 2)
            return false;
    }
    return c->addr_count > 0 && c->addr_count <= IO_TUN_ADDRS_MAX;
}

int io_tun_open(const struct io_tun_config *config, struct io_driver **out)
{
    struct tun_driver *d;
    char name[IFNAMSIZ] = "";
    int err = -ENOMEM;

    _Static_assert((int)IO_TUN_NAME_MAX == IFNAMSIZ, "names fit");
    if (!config_sane(config))
        return -EINVAL;
    d = calloc(1, sizeof *d);
    if (!d)
        return err;
    d->driver.ops = &tun_ops;
    d->driver.blocked_fd = d->fd = -1;
    d->next_port = PORT_DYNAMIC_FIRST;
    memcpy(name, config->name, sizeof name - 1);
    d->cut = malloc(RX_CHUNK_BYTES);
    if (d->cut && rx_ring_init(&d->ring, RX_CHUNKS_MAX))
        err = device_open(d, name);
    if (!err)
        err = device_configure(d, name, config);
    if (err) {
        tun_close(&d->driver);
        return err;
    }
    d->driver.fds[0] = d->fd;
    d->driver.fd_count = 1;
    *out = &d->driver;
    return 0;
}
