/* SPDX-License-Identifier: MIT */
#include "io/hold.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static int attach_drop_all(int fd)
{
    struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    struct sock_fprog program = {1, code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* Demand an MD5 signature (RFC 2385) from every peer of one family: what comes
 * without is dropped before anything looks at it. */
static int demand_signature(int fd, const void *any, size_t len)
{
    struct tcp_md5sig key = {.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX,
                             .tcpm_prefixlen = 0,
                             .tcpm_keylen = TCP_MD5SIG_MAXKEYLEN};

    memcpy(&key.tcpm_addr, any, len);
    if (getrandom(key.tcpm_key, sizeof key.tcpm_key, 0) != sizeof key.tcpm_key)
        return -1;
    return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key);
}

int hold_silence(int fd)
{
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6}, mapped = any6;

    if (attach_drop_all(fd) == 0)
        return 0;
    /* Newer kernels want CAP_NET_ADMIN for a filter on a TCP socket. */
    if (errno != EPERM)
        return -1;
    int af;
    socklen_t len = sizeof af;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &af, &len) < 0)
        return -1;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    if (af == AF_INET ? demand_signature(fd, &any4, sizeof any4) == 0
                      : demand_signature(fd, &any6, sizeof any6) == 0 &&
                            demand_signature(fd, &mapped, sizeof mapped) == 0)
        return 0;
    errno = EPERM; /* what is missing is still the privilege */
    return -1;
}

/* Bound, silenced, then listening: no SYN ever meets it otherwise. */
static int hold_open(int af, uint16_t *port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
    struct sockaddr *any = af == AF_INET6 ? (struct sockaddr *)&any6 : (struct sockaddr *)&any4;
    socklen_t len = af == AF_INET6 ? sizeof any6 : sizeof any4;
    int fd = socket(af, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    int off = 0, known = *port != 0;

    if (fd < 0)
        return -errno;
    /* A port somebody asked for is free although the kernel still has old
     * connections of it in TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &known, sizeof known) < 0 ||
        (af == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) ||
        bind(fd, any, len) < 0 || hold_silence(fd) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, any, &len) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    *port = ntohs(af == AF_INET6 ? any6.sin6_port : any4.sin_port);
    return fd;
}

static struct hold *find(struct holds *h, uint16_t port)
{
    for (unsigned i = 0; i < h->count; i++)
        if (h->items[i].port == port)
            return &h->items[i];
    return NULL;
}

static bool reserve(struct holds *h)
{
    if (h->count < h->capacity)
        return true;
    unsigned capacity = h->capacity ? 2 * h->capacity : 64;
    struct hold *items = realloc(h->items, capacity * sizeof *items);
    if (!items)
        return false;
    h->items = items;
    h->capacity = capacity;
    return true;
}

int holds_claim(struct holds *h, uint16_t port)
{
    struct hold *known = find(h, port);

    if (known)
        known->users++;
    else if (reserve(h))
        h->items[h->count++] = (struct hold){.port = port, .users = 1, .fd = -1};
    else
        return -ENOMEM;
    return 0;
}

int holds_add(struct holds *h, uint16_t *port)
{
    struct hold *known = *port ? find(h, *port) : NULL;

    if (known) {
        known->users++;
        return 0;
    }
    if (!reserve(h))
        return -ENOMEM;
    int fd = hold_open(AF_INET6, port);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) /* a host without IPv6 */
        fd = hold_open(AF_INET, port);
    if (fd < 0)
        return fd;
    h->items[h->count++] = (struct hold){.port = *port, .users = 1, .fd = fd};
    return 0;
}

bool holds_remove(struct holds *h, uint16_t port)
{
    struct hold *known = find(h, port);

    if (!known || --known->users > 0)
        return false;
    if (known->fd >= 0)
        close(known->fd);
    *known = h->items[--h->count];
    return true;
}

void holds_free(struct holds *h)
{
    for (unsigned i = 0; i < h->count; i++)
        if (h->items[i].fd >= 0)
            close(h->items[i].fd);
    free(h->items);
    *h = (struct holds){0};
}
