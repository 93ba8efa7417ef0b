/* SPDX-License-Identifier: MIT
 *
 * One end of a wire: an AF_PACKET socket on an interface, which may be in
 * another network namespace (a socket stays in the one it was made in).
 * Nothing of the interface is changed but promiscuous mode, which ends with
 * the socket. PACKET_VNET_HDR lets super-segments and unfinished checksums
 * through as they are instead of losing them.
 */
#define _GNU_SOURCE
#include "cli/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { TAG_LEN = 4, MACS_LEN = 12, SOCKET_BUFFER = 32 << 20 };

struct wire_batch {
    struct mmsghdr msgs[WIRE_BATCH];
    struct iovec iovs[WIRE_BATCH][2];
    struct virtio_net_hdr vnet[WIRE_BATCH];
    struct sockaddr_ll from[WIRE_BATCH];
    _Alignas(struct cmsghdr) uint8_t control[WIRE_BATCH][128];
    /* Room in front for a VLAN tag to be put back. */
    uint8_t bytes[WIRE_BATCH][TAG_LEN + WIRE_FRAME_MAX];
};

struct wire_batch *wire_batch_new(void)
{
    return calloc(1, sizeof(struct wire_batch));
}

void wire_batch_free(struct wire_batch *batch)
{
    free(batch);
}

/* ---- opening -------------------------------------------------------------- */

/* A namespace by the name that `ip netns` gave it, by a path, or by the
 * number of a process in it. */
static int open_netns(const char *name)
{
    char path[WIRE_NAME_MAX + 32];

    if (strchr(name, '/'))
        snprintf(path, sizeof path, "%s", name);
    else if (name[strspn(name, "0123456789")] == 0)
        snprintf(path, sizeof path, "/proc/%s/ns/net", name);
    else
        snprintf(path, sizeof path, "/run/netns/%s", name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int say_not_permitted(const char *what)
{
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

    program[len > 0 ? len : 0] = 0;
    cli_error("%s needs the capability CAP_NET_RAW, and CAP_SYS_ADMIN for other namespaces: run "
              "'sudo setcap cap_net_raw,cap_sys_admin+ep %s' once, or run as root",
              what, len > 0 ? program : "plait");
    return HOST_FAIL_PERMISSION;
}

/* A raw socket in the namespace of the calling thread. */
static int open_raw(int *failure)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0)
        return fd;
    if (errno == EPERM || errno == EACCES) {
        *failure = say_not_permitted("opening a raw socket");
    } else {
        cli_error("cannot open a packet socket: %s", strerror(errno));
        *failure = HOST_FAIL_OTHER;
    }
    return -1;
}

static int open_raw_in(const char *netns, int *failure)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int target = open_netns(netns);
    int fd = -1;

    if (target < 0) {
        cli_error("there is no network namespace '%s' (%s): 'ip netns' lists them", netns,
                  strerror(errno));
        *failure = HOST_FAIL_ADDRESS;
    } else if (home < 0 || setns(target, CLONE_NEWNET) != 0) {
        *failure = say_not_permitted("entering a network namespace");
    } else {
        fd = open_raw(failure);
        if (setns(home, CLONE_NEWNET) != 0) {
            cli_error("cannot return from the namespace '%s': %s", netns, strerror(errno));
            *failure = HOST_FAIL_OTHER;
        }
    }
    if (home >= 0)
        close(home);
    if (target >= 0)
        close(target);
    return fd;
}

static bool switch_on(int fd, int option)
{
    int one = 1;

    return setsockopt(fd, SOL_PACKET, option, &one, sizeof one) == 0;
}

/* Everything the socket needs before its first frame: bound last, so that no
 * frame comes without its header. */
static bool set_up(int fd, int ifindex)
{
    struct packet_mreq all = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = ifindex};
    int one = 1, size = SOCKET_BUFFER;

    /* Without the privilege the system's own maximum has to do. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return switch_on(fd, PACKET_VNET_HDR) && switch_on(fd, PACKET_IGNORE_OUTGOING) &&
           switch_on(fd, PACKET_AUXDATA) &&
           setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) == 0 &&
           bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

int wire_port_open(struct wire_port *port, const char *name)
{
    struct ifreq request = {0};
    char netns[WIRE_NAME_MAX];
    int failure = HOST_FAIL_OTHER;
    const char *colon = strrchr(name, ':');
    const char *ifname = colon ? colon + 1 : name;

    *port = (struct wire_port){.fd = -1};
    if (strlen(name) >= WIRE_NAME_MAX || strlen(ifname) >= IFNAMSIZ || !*ifname) {
        cli_error("'%s' is no interface name: write IFNAME or NETNS:IFNAME", name);
        return HOST_FAIL_USAGE;
    }
    snprintf(port->name, sizeof port->name, "%s", name);
    snprintf(netns, sizeof netns, "%.*s", colon ? (int)(colon - name) : 0, name);
    port->fd = colon ? open_raw_in(netns, &failure) : open_raw(&failure);
    if (port->fd < 0)
        return failure;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
    if (ioctl(port->fd, SIOCGIFINDEX, &request) != 0) {
        cli_error("there is no interface '%s': 'ip link' lists them", name);
        return HOST_FAIL_ADDRESS;
    }
    if (!set_up(port->fd, request.ifr_ifindex)) {
        cli_error("cannot use the interface '%s': %s%s", name, strerror(errno),
                  errno == ENETDOWN ? "; set it up first: ip link set dev IFNAME up" : "");
        return errno == EPERM ? HOST_FAIL_PERMISSION : HOST_FAIL_OTHER;
    }
    return HOST_OK;
}

void wire_port_close(struct wire_port *port)
{
    if (port->fd >= 0)
        close(port->fd);
    port->fd = -1;
}

/* ---- receiving ------------------------------------------------------------ */

static void prepare(struct wire_batch *b)
{
    for (unsigned i = 0; i < WIRE_BATCH; i++) {
        b->iovs[i][0] = (struct iovec){&b->vnet[i], sizeof b->vnet[i]};
        b->iovs[i][1] = (struct iovec){b->bytes[i] + TAG_LEN, WIRE_FRAME_MAX};
        b->msgs[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
                                             .msg_namelen = sizeof b->from[i],
                                             .msg_iov = b->iovs[i],
                                             .msg_iovlen = 2,
                                             .msg_control = b->control[i],
                                             .msg_controllen = sizeof b->control[i]};
    }
}

/* The kernel takes a VLAN tag off the frame; a wire carries it. */
static void put_tag_back(struct wire_frame *frame, const struct tpacket_auxdata *aux)
{
    bool has_tpid = (aux->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    uint16_t tag[2] = {htons(has_tpid ? aux->tp_vlan_tpid : ETH_P_8021Q), htons(aux->tp_vlan_tci)};

    memmove(frame->bytes - TAG_LEN, frame->bytes, MACS_LEN);
    frame->bytes -= TAG_LEN;
    frame->len += TAG_LEN;
    memcpy(frame->bytes + MACS_LEN, tag, sizeof tag);
    frame->vnet.csum_start = (uint16_t)(frame->vnet.csum_start + TAG_LEN);
}

static void read_control(struct msghdr *msg, int64_t mono_minus_real_ns, struct wire_frame *frame)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec ts;
            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            int64_t real_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
            frame->at_us = (uint64_t)((real_ns + mono_minus_real_ns) / 1000);
        } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
            struct tpacket_auxdata aux;
            memcpy(&aux, CMSG_DATA(c), sizeof aux);
            if (aux.tp_status & TP_STATUS_VLAN_VALID)
                put_tag_back(frame, &aux);
        }
    }
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

unsigned wire_port_receive(struct wire_port *port, struct wire_batch *b, struct wire_frame *frames)
{
    unsigned count = 0;

    prepare(b);
    int got = recvmmsg(port->fd, b->msgs, WIRE_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (got < 0) {
        if (errno == ENODEV || errno == ENXIO) {
            if (!port->gone)
                cli_error("the interface '%s' is gone", port->name);
            port->gone = true;
        }
        return 0; /* nothing there, or the interface is down for now */
    }
    int64_t mono_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t offset_ns = mono_ns - clock_ns(CLOCK_REALTIME);
    for (int i = 0; i < got; i++) {
        uint32_t len = b->msgs[i].msg_len;
        if (b->from[i].sll_pkttype == PACKET_OUTGOING)
            continue;
        port->frames_in++;
        if (len < sizeof b->vnet[i] || len > sizeof b->vnet[i] + WIRE_FRAME_MAX) {
            port->too_long++;
            continue;
        }
        frames[count] = (struct wire_frame){.at_us = (uint64_t)mono_ns / 1000,
                                            .vnet = b->vnet[i],
                                            .bytes = b->bytes[i] + TAG_LEN,
                                            .len = len - (uint32_t)sizeof b->vnet[i]};
        read_control(&b->msgs[i].msg_hdr, offset_ns, &frames[count++]);
    }
    return count;
}

/* ---- sending -------------------------------------------------------------- */

void wire_port_send(struct wire_port *port, struct sim_packet **packets, unsigned count)
{
    static const struct virtio_net_hdr plain; /* nothing left to be done by an offload */
    struct mmsghdr msgs[WIRE_BATCH] = {0};
    struct iovec iovs[WIRE_BATCH][2];

    for (unsigned i = 0; i < count; i++) {
        iovs[i][0] = (struct iovec){(void *)&plain, sizeof plain};
        iovs[i][1] = (struct iovec){packets[i]->bytes, packets[i]->len};
        msgs[i].msg_hdr.msg_iov = iovs[i];
        msgs[i].msg_hdr.msg_iovlen = 2;
    }
    for (unsigned sent = 0; sent < count;) {
        int n = sendmmsg(port->fd, msgs + sent, count - sent, MSG_DONTWAIT);
        if (n > 0) {
            port->frames_out += (unsigned)n;
            sent += (unsigned)n;
        } else {
            port->lost_out++; /* too long for this interface, down, or its queue is full */
            sent++;
        }
    }
    for (unsigned i = 0; i < count; i++)
        sim_packet_free(packets[i]);
}
