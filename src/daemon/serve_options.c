/* SPDX-License-Identifier: MIT
 *
 * Options of programs' sockets. What a value means, which are allowed and which
 * errors there are, the kernel says: each is set and got on a kernel socket of the
 * same kind, which nobody else uses. What has a meaning in the engine is told to it
 * besides. Options that are in no table here are not passed on: values may hold
 * pointers and descriptors, which would be ours.
 */
#include <errno.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/serve.h"

enum {
    PRIVILEGED = 1,  /* to set it, the caller must be root */
    INHERITED = 2,   /* a connection has it from its listener */
    BEFORE = 4,      /* to be set only before it connects or listens */
    MPTCP_BEFORE = 8 /* the same for MPTCP sockets */
};

struct option {
    int level, name, flags;
};

static const struct option options[] = {
    {SOL_SOCKET, SO_DEBUG, PRIVILEGED},
    {SOL_SOCKET, SO_REUSEADDR, INHERITED | MPTCP_BEFORE},
    {SOL_SOCKET, SO_REUSEPORT, INHERITED | MPTCP_BEFORE},
    {SOL_SOCKET, SO_TYPE, 0},
    {SOL_SOCKET, SO_DOMAIN, 0},
    {SOL_SOCKET, SO_PROTOCOL, 0},
    {SOL_SOCKET, SO_DONTROUTE, INHERITED},
    {SOL_SOCKET, SO_BROADCAST, INHERITED},
    {SOL_SOCKET, SO_SNDBUF, INHERITED},
    {SOL_SOCKET, SO_RCVBUF, INHERITED},
    {SOL_SOCKET, SO_SNDBUFFORCE, PRIVILEGED},
    {SOL_SOCKET, SO_RCVBUFFORCE, PRIVILEGED},
    {SOL_SOCKET, SO_KEEPALIVE, INHERITED},
    {SOL_SOCKET, SO_OOBINLINE, INHERITED},
    {SOL_SOCKET, SO_NO_CHECK, INHERITED},
    {SOL_SOCKET, SO_PRIORITY, 0},
    {SOL_SOCKET, SO_LINGER, INHERITED},
    {SOL_SOCKET, SO_BSDCOMPAT, 0},
    {SOL_SOCKET, SO_PASSCRED, 0},
    {SOL_SOCKET, SO_PASSSEC, 0},
    {SOL_SOCKET, SO_RCVLOWAT, INHERITED},
    {SOL_SOCKET, SO_SNDLOWAT, 0},
    {SOL_SOCKET, SO_RCVTIMEO, INHERITED},
    {SOL_SOCKET, SO_SNDTIMEO, INHERITED},
    {SOL_SOCKET, SO_BINDTODEVICE, PRIVILEGED},
    {SOL_SOCKET, SO_MARK, PRIVILEGED | INHERITED},
    {SOL_SOCKET, SO_TIMESTAMP, INHERITED},
    {SOL_SOCKET, SO_TIMESTAMPNS, INHERITED},
    {SOL_SOCKET, SO_TIMESTAMPING, INHERITED},
    {SOL_SOCKET, SO_RXQ_OVFL, INHERITED},
    {SOL_SOCKET, SO_PEEK_OFF, 0},
    {SOL_SOCKET, SO_BUSY_POLL, PRIVILEGED},
    {SOL_SOCKET, SO_SELECT_ERR_QUEUE, INHERITED},
    {SOL_SOCKET, SO_MAX_PACING_RATE, INHERITED},
    {SOL_SOCKET, SO_INCOMING_CPU, 0},
    {SOL_SOCKET, SO_ZEROCOPY, INHERITED},
    {SOL_SOCKET, SO_COOKIE, 0},
    {SOL_SOCKET, SO_MEMINFO, 0},
    {IPPROTO_TCP, TCP_NODELAY, INHERITED},
    {IPPROTO_TCP, TCP_MAXSEG, INHERITED},
    {IPPROTO_TCP, TCP_CORK, INHERITED},
    {IPPROTO_TCP, TCP_KEEPIDLE, INHERITED},
    {IPPROTO_TCP, TCP_KEEPINTVL, INHERITED},
    {IPPROTO_TCP, TCP_KEEPCNT, INHERITED},
    {IPPROTO_TCP, TCP_SYNCNT, INHERITED},
    {IPPROTO_TCP, TCP_LINGER2, INHERITED},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, INHERITED},
    {IPPROTO_TCP, TCP_QUICKACK, INHERITED},
    {IPPROTO_TCP, TCP_CONGESTION, INHERITED},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, INHERITED},
    {IPPROTO_TCP, TCP_THIN_DUPACK, INHERITED},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, INHERITED},
    {IPPROTO_TCP, TCP_FASTOPEN, 0},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, BEFORE},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 0},
    {IPPROTO_TCP, TCP_TIMESTAMP, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, INHERITED},
    {IPPROTO_TCP, TCP_SAVE_SYN, INHERITED},
    {IPPROTO_TCP, TCP_INQ, INHERITED},
    {IPPROTO_TCP, TCP_TX_DELAY, INHERITED},
    {IPPROTO_IP, IP_TOS, INHERITED},
    {IPPROTO_IP, IP_TTL, INHERITED},
    {IPPROTO_IP, IP_RECVTOS, INHERITED},
    {IPPROTO_IP, IP_RECVTTL, INHERITED},
    {IPPROTO_IP, IP_RECVERR, INHERITED},
    {IPPROTO_IP, IP_PKTINFO, INHERITED},
    {IPPROTO_IP, IP_MTU_DISCOVER, INHERITED},
    {IPPROTO_IP, IP_MTU, 0},
    {IPPROTO_IP, IP_FREEBIND, INHERITED | MPTCP_BEFORE},
    {IPPROTO_IP, IP_TRANSPARENT, PRIVILEGED | INHERITED | MPTCP_BEFORE},
    {IPPROTO_IP, IP_MINTTL, INHERITED},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, MPTCP_BEFORE},
    {IPPROTO_IPV6, IPV6_V6ONLY, INHERITED},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, INHERITED},
    {IPPROTO_IPV6, IPV6_TCLASS, INHERITED},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, INHERITED},
    {IPPROTO_IPV6, IPV6_MTU, 0},
    {IPPROTO_IPV6, IPV6_RECVERR, INHERITED},
    {IPPROTO_IPV6, IPV6_DONTFRAG, INHERITED},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, INHERITED},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, INHERITED},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, INHERITED},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, INHERITED},
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static const struct option *find(int level, int name)
{
    for (unsigned i = 0; i < OPTIONS; i++)
        if (options[i].level == level && options[i].name == name)
            return &options[i];
    return NULL;
}

/* What the kernel says where it does not know the option. */
static int unknown_set(const struct served *s, int level)
{
    bool mptcp = s->protocol == IPPROTO_MPTCP && level == SOL_SOCKET;

    return level == SOL_MPTCP || mptcp ? EOPNOTSUPP : ENOPROTOOPT;
}

static int unknown_get(const struct served *s, int level)
{
    if (s->protocol == IPPROTO_MPTCP && level == IPPROTO_TCP)
        return EOPNOTSUPP;
    bool known =
        level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6;

    return known ? ENOPROTOOPT : EOPNOTSUPP;
}

/* ---- what the engine has to know --------------------------------------------------- */

static bool flag(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, level, name, &value, &len) == 0 && value != 0;
}

static void linger_of(int fd, bool *on, uint32_t *us)
{
    struct linger value = {0, 0};
    socklen_t len = sizeof value;

    getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &len);
    /* With a time, close(2) would wait for what is delivered anyway. */
    *on = value.l_onoff && value.l_linger == 0;
    *us = 0;
}

void options_of(int kernel_fd, struct plait_options *out)
{
    out->no_nagle = flag(kernel_fd, IPPROTO_TCP, TCP_NODELAY);
    linger_of(kernel_fd, &out->linger, &out->linger_us);
}

static void tell_engine(struct served *s, int level, int name)
{
    struct plait_conn *conn = s->kind == SHIM_KIND_CONNECTION ? conn_of(s)->c.conn : NULL;
    int fd = s->kernel->fd;

    if (!conn)
        return;
    if (level == IPPROTO_TCP && name == TCP_NODELAY) {
        plait_conn_set_nagle(conn, !flag(fd, level, name), host_now(s->serve->host));
    } else if (level == SOL_SOCKET && name == SO_LINGER) {
        bool on;
        uint32_t us;
        linger_of(fd, &on, &us);
        plait_conn_set_linger(conn, on, us);
    }
}

/* ---- the calls --------------------------------------------------------------------- */

/* A congestion control that plait has, whatever the kernel has. */
static bool set_cc(struct served *s, const struct value *v)
{
    struct served_conn *c = s->kind == SHIM_KIND_CONNECTION ? conn_of(s) : NULL;
    char name[sizeof c->cc] = "";

    if (!c || !c->c.conn || v->len >= sizeof name)
        return false;
    memcpy(name, v->bytes, v->len);
    if (plait_conn_set_cc(c->c.conn, name, host_now(s->serve->host)) != 0)
        return false;
    memcpy(c->cc, name, sizeof name);
    return true;
}

/* A socket of MPTCP that is not connected takes any number for these, one that is
 * connected does not (tcp(7)'s limits). */
static bool out_of_range(const struct served *s, int level, int name, const struct value *v)
{
    static const struct {
        int name, most;
    } limits[] = {{TCP_KEEPIDLE, 32767}, {TCP_KEEPINTVL, 32767}, {TCP_KEEPCNT, 127}};
    int number;

    if (level != IPPROTO_TCP || s->kind != SHIM_KIND_CONNECTION || v->len < sizeof number)
        return false;
    memcpy(&number, v->bytes, sizeof number);
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (name == limits[i].name)
            return number < 1 || number > limits[i].most;
    return false;
}

int option_set(struct served *s, const struct caller *who, int level, int name,
               const struct value *v)
{
    const struct option *o = find(level, name);
    int fd = o ? channel_kernel(s) : -1;

    if (!o)
        return unknown_set(s, level);
    if (fd < 0)
        return ENOBUFS;
    if (o->flags & BEFORE || (o->flags & MPTCP_BEFORE && s->protocol == IPPROTO_MPTCP))
        return EINVAL;
    if (o->flags & PRIVILEGED && who->uid != 0)
        return EPERM;
    if (level == SOL_SOCKET && name == SO_PRIORITY && who->uid != 0 && v->len >= sizeof(int)) {
        int priority;
        memcpy(&priority, v->bytes, sizeof priority);
        if (priority < 0 || priority > 6)
            return EPERM;
    }
    if (out_of_range(s, level, name, v))
        return EINVAL;
    if (level == IPPROTO_TCP && name == TCP_CONGESTION && set_cc(s, v))
        return 0;
    if (setsockopt(fd, level, name, v->bytes, v->len) != 0)
        return errno;
    tell_engine(s, level, name);
    return 0;
}

int option_get(struct served *s, int level, int name, struct value *v)
{
    socklen_t len = v->len;
    int error = 0;

    if (info_get(s, level, name, v, &error))
        return error;
    if (!find(level, name))
        return unknown_get(s, level);
    int fd = channel_kernel(s);
    if (fd < 0)
        return ENOBUFS;
    if (getsockopt(fd, level, name, v->bytes, &len) != 0)
        return errno;
    v->len = len;
    return 0;
}

void options_inherit(int from, int to)
{
    struct value v, now;

    for (unsigned i = 0; i < OPTIONS; i++) {
        const struct option *o = &options[i];
        socklen_t len = sizeof v.bytes, now_len = sizeof now.bytes;
        if (!(o->flags & INHERITED) || getsockopt(from, o->level, o->name, v.bytes, &len) != 0 ||
            getsockopt(to, o->level, o->name, now.bytes, &now_len) != 0 ||
            (len == now_len && memcmp(v.bytes, now.bytes, len) == 0))
            continue;
        /* The kernel answers with twice what was asked for. */
        if (o->level == SOL_SOCKET && (o->name == SO_SNDBUF || o->name == SO_RCVBUF)) {
            int half;
            memcpy(&half, v.bytes, sizeof half);
            half /= 2;
            memcpy(v.bytes, &half, sizeof half);
        }
        setsockopt(to, o->level, o->name, v.bytes, len);
    }
    int none = 0; /* which IP_TOS had set, and no connection inherits */
    setsockopt(to, SOL_SOCKET, SO_PRIORITY, &none, sizeof none);
}
