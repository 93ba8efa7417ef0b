/* SPDX-License-Identifier: MIT */
#include "io/raw.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/offload.h"

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

enum { PACKET_BYTES_MAX = 65536 };

/* IPPROTO_RAW sockets receive nothing. */
static int raw_socket(int af)
{
    int fd = socket(af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    int on = 1;

    if (fd < 0)
        return -errno;
    if (af == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int raw_open(struct raw *r)
{
    *r = (struct raw){.fd4 = -1, .fd6 = -1, .buf = malloc(PACKET_BYTES_MAX)};
    if (!r->buf)
        return -ENOMEM;
    r->fd4 = raw_socket(AF_INET);
    r->fd6 = raw_socket(AF_INET6);
    if (r->fd4 < 0 && r->fd6 < 0) {
        int err = r->fd4;
        raw_close(r);
        return err;
    }
    return 0;
}

void raw_close(struct raw *r)
{
    if (r->fd4 >= 0)
        close(r->fd4);
    if (r->fd6 >= 0)
        close(r->fd6);
    free(r->buf);
    *r = (struct raw){.fd4 = -1, .fd6 = -1};
}

/* Destination and, as a control message, source address and interface. A raw
 * socket does not look into the header it is given for either. */
struct raw_target {
    union {
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } name;
    struct msghdr msg;
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
};

static void *put_control(struct raw_target *t, int level, int type, size_t len)
{
    struct cmsghdr *c;

    t->msg.msg_control = t->control.bytes;
    t->msg.msg_controllen = CMSG_SPACE(len);
    c = CMSG_FIRSTHDR(&t->msg);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    return CMSG_DATA(c);
}

static void target_set(struct raw_target *t, const struct plait_packet_tx *p, uint32_t ifindex)
{
    memset(t, 0, sizeof *t);
    t->msg.msg_name = &t->name;
    if (p->dst.family == PLAIT_IPV4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)ifindex};
        memcpy(&info.ipi_spec_dst, p->src.bytes, sizeof info.ipi_spec_dst);
        t->msg.msg_namelen = sizeof t->name.in4;
        t->name.in4.sin_family = AF_INET;
        memcpy(&t->name.in4.sin_addr, p->dst.bytes, sizeof t->name.in4.sin_addr);
        memcpy(put_control(t, IPPROTO_IP, IP_PKTINFO, sizeof info), &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = ifindex};
        memcpy(&info.ipi6_addr, p->src.bytes, sizeof info.ipi6_addr);
        t->msg.msg_namelen = sizeof t->name.in6;
        t->name.in6.sin6_family = AF_INET6;
        memcpy(&t->name.in6.sin6_addr, p->dst.bytes, sizeof t->name.in6.sin6_addr);
        memcpy(put_control(t, IPPROTO_IPV6, IPV6_PKTINFO, sizeof info), &info, sizeof info);
    }
}

unsigned raw_send(struct raw *r, const struct plait_packet_tx *p, uint32_t ifindex)
{
    unsigned count = offload_count(p), lost = 0;
    int fd = p->dst.family == PLAIT_IPV4 ? r->fd4 : r->fd6;
    struct raw_target target;
    struct iovec iov;

    target_set(&target, p, ifindex);
    target.msg.msg_iov = &iov;
    target.msg.msg_iovlen = 1;
    for (unsigned i = 0; i < count; i++) {
        iov.iov_base = r->buf;
        iov.iov_len = offload_write(p, i, r->buf, PACKET_BYTES_MAX);
        if (sendmsg(fd, &target.msg, MSG_DONTWAIT) < 0)
            lost++;
    }
    return lost;
}
