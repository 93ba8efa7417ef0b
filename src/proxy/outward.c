/* SPDX-License-Identifier: MIT */
#include "proxy/outward.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

enum { MPTCP = 262, IS_MPTCP = 43 }; /* IPPROTO_MPTCP, TCP_IS_MPTCP */

static socklen_t sockaddr_of(const struct plait_endpoint *e, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){0};
    if (e->addr.family == PLAIT_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(e->port);
        memcpy(&in->sin_addr, e->addr.bytes, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(e->port);
    memcpy(&in6->sin6_addr, e->addr.bytes, 16);
    return sizeof *in6;
}

int outward_begin(const struct plait_endpoint *to, bool multipath)
{
    struct sockaddr_storage sa;
    const socklen_t len = sockaddr_of(to, &sa);
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, on = 1;
    int fd = multipath ? socket(sa.ss_family, type, MPTCP) : -1;

    if (fd < 0)
        fd = socket(sa.ss_family, type, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

size_t outward_options(int fd, uint8_t out[OUTWARD_OPTIONS_MAX])
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int is_mptcp = 0;
    size_t n = 0;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    out[n++] = 2;
    out[n++] = 4;
    put_be16(out + n, (uint16_t)info.tcpi_snd_mss);
    n += 2;
    if (info.tcpi_options & TCPI_OPT_WSCALE) {
        out[n++] = 3;
        out[n++] = 3;
        out[n++] = info.tcpi_snd_wscale;
    }
    if (info.tcpi_options & TCPI_OPT_SACK) {
        out[n++] = 4;
        out[n++] = 2;
    }
    len = sizeof is_mptcp;
    if (getsockopt(fd, IPPROTO_TCP, IS_MPTCP, &is_mptcp, &len) == 0 && is_mptcp) {
        out[n++] = 30; /* MP_CAPABLE, version 1 */
        out[n++] = 4;
        out[n++] = 1;
        out[n++] = 1;
    }
    return n;
}

size_t outward_proxy_header(const struct plait_endpoint *from, const struct plait_endpoint *to,
                            uint8_t out[OUTWARD_PROXY_MAX])
{
    static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
    const bool v4 = from->addr.family == PLAIT_IPV4 && to->addr.family == PLAIT_IPV4;
    const bool v6 = from->addr.family == PLAIT_IPV6 && to->addr.family == PLAIT_IPV6;
    const size_t addr = v4 ? 4 : 16, rest = v4 || v6 ? 2 * addr + 4 : 0;
    uint8_t *p = out + 16;

    memcpy(out, signature, sizeof signature);
    out[12] = 0x21;                      /* version 2, PROXY */
    out[13] = v4 ? 0x11 : v6 ? 0x21 : 0; /* TCP over either; mixed: not told */
    put_be16(out + 14, (uint16_t)rest);
    if (rest) {
        memcpy(p, from->addr.bytes, addr);
        memcpy(p + addr, to->addr.bytes, addr);
        put_be16(p + 2 * addr, from->port);
        put_be16(p + 2 * addr + 2, to->port);
    }
    return 16 + rest;
}
