/* SPDX-License-Identifier: MIT
 *
 * A listener that a program uses. A connection is taken from the engine when the
 * channel has room for one more, so the engine's backlog is the program's.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "daemon/serve.h"

struct served_listener {
    struct served s;
    struct offered o;
};

static void on_channel(void *ctx, int fd, unsigned events);

static struct served_listener *listener_of(struct served *s)
{
    return list_entry(s, struct served_listener, s);
}

static void listener_free(struct served *s)
{
    struct served_listener *l = listener_of(s);

    offered_remove(&l->o);
    host_unlisten(s->serve->host, l->o.listener);
    s->hold->listening = false;
    channel_close(s);
    free(l);
}

/* ---- handing out ------------------------------------------------------------------- */

static bool send_record(struct served_listener *l, const struct served_conn *conn, int program)
{
    struct shim_accepted record = {0};
    struct iovec iov = {&record, sizeof record};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    record.remote_len = message_sockaddr(&conn->s.remote, l->s.domain, record.remote);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &program, sizeof(int));
    return sendmsg(l->s.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool has_room(const struct served_listener *l)
{
    struct pollfd p = {.fd = l->s.fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void hand_out(struct served_listener *l)
{
    struct plait_conn *conn;
    bool room;

    while ((room = has_room(l)) && (conn = plait_accept(l->o.listener)) != NULL) {
        int program;
        struct served_conn *c = conn_accepted(&l->s, conn, &l->o.owner, &program);
        if (!c)
            continue;
        bool sent = send_record(l, c, program);
        close(program);
        if (sent)
            conn_pump(c); /* it may have bytes already */
        else
            c->s.free(&c->s);
    }
    host_watch(l->s.serve->host, l->s.fd, HOST_IN | HOST_EDGE | (room ? 0 : HOST_OUT), on_channel,
               l);
}

static void on_listener(struct offered *o)
{
    hand_out(list_entry(o, struct served_listener, o));
}

/* A listener that was shut down for reading ends like one that was closed. */
static void on_channel(void *ctx, int fd, unsigned events)
{
    struct served_listener *l = ctx;
    (void)fd;

    if (events & HOST_HUP)
        listener_free(&l->s);
    else if (events & HOST_OUT)
        hand_out(l);
}

/* ---- beginning --------------------------------------------------------------------- */

static int engine_listen(struct served_listener *l, const struct kernel_socket *k, int backlog)
{
    struct serve *v = l->s.serve;
    struct plait_options options = *daemon_defaults(v->daemon);
    struct plait_listener *listener;
    struct host_error err;

    l->s.local = k->local;
    l->s.local.port = l->s.hold->port;
    /* One IPv6 socket takes both families, unless it does not want to. */
    if (addr_is_unspecified(&k->local.addr) && k->domain == AF_INET6)
        l->s.local.addr.family = k->v6only ? PLAIT_IPV6 : PLAIT_NONE;
    options_of(l->s.kernel->fd, &options);
    options.backlog = backlog > 0 ? (uint32_t)backlog : 1;
    int failure = host_listen_held(v->host, &l->s.local, &options, &listener, &err);
    if (failure)
        return failure == HOST_FAIL_PORT      ? EADDRINUSE
               : failure == HOST_FAIL_ADDRESS ? EADDRNOTAVAIL
                                              : ENOBUFS;
    l->o.ready = on_listener;
    l->o.local = l->s.local;
    offered_add(v->daemon, &l->o, listener);
    l->s.hold->listening = true;
    return 0;
}

/* Options are asked of the socket that holds the port, unless the program believes
 * in another protocol. */
static int listener_kernel(struct served_listener *l)
{
    if (l->s.protocol == IPPROTO_TCP) {
        l->s.kernel = keeper_use(l->s.hold);
        return 0;
    }
    l->s.origin = keeper_use(l->s.hold);
    return channel_kernel(&l->s) >= 0 ? 0 : errno;
}

static int begin(struct serve *v, struct request *r, const struct kernel_socket *k, int *program)
{
    struct served_listener *l = calloc(1, sizeof *l);
    const struct caller *owner = line_caller(r->line);
    uint16_t port;
    int error = l ? channel_open(&l->s, v, SHIM_KIND_LISTENER, owner->uid, program) : ENOMEM;

    if (error) {
        free(l);
        return error;
    }
    l->o.owner = *owner;
    l->s.domain = k->domain;
    l->s.protocol = k->protocol;
    l->s.free = listener_free;
    l->s.hold = keeper_new(v, r->fd, owner->uid, true, &port, &error);
    r->fd = -1;
    if (!error)
        error = listener_kernel(l);
    if (!error && !channel_fill(*program))
        error = ENOBUFS;
    if (!error)
        error = -host_watch(v->host, l->s.fd, HOST_IN | HOST_EDGE, on_channel, l);
    if (!error)
        error = engine_listen(l, k, r->head.number);
    if (!error)
        return 0;
    channel_close(&l->s);
    close(*program);
    *program = -1;
    free(l);
    return error;
}

/* The filter that holds a port is not for MPTCP sockets. */
static void plain_answer(struct request *r, const struct kernel_socket *k, struct answer *a)
{
    a->fd = socket(k->domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (a->fd < 0) {
        a->error = errno;
        return;
    }
    options_inherit(r->fd, a->fd);
    a->what = SHIM_FRESH;
}

void listener_listen(struct serve *v, struct request *r, struct answer *a)
{
    struct kernel_socket k;

    a->error = kernel_look(v, r->fd, &k);
    if (a->error == ENONET) {
        a->error = 0;
        a->what = SHIM_DIRECT;
        return;
    }
    if (!a->error && k.protocol == IPPROTO_MPTCP) {
        plain_answer(r, &k, a);
        return;
    }
    if (r->head.flags & SHIM_MPTCP)
        k.protocol = IPPROTO_MPTCP; /* as the program believes */
    if (a->error == EISCONN)
        a->error = EINVAL;
    if (!a->error)
        a->error = begin(v, r, &k, &a->fd);
    if (!a->error)
        a->what = SHIM_CARRIED;
}
