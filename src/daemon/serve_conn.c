/* SPDX-License-Identifier: MIT
 *
 * A connection that a program uses: its bytes go from the channel into the
 * engine's memory and back, each copied once.
 *
 * What the kernel then tells the program by itself:
 *
 *   not writable            the channel is full of filler, or of what waits
 *   end of stream           we shut down our side; our end stays open
 *   ECONNRESET, POLLHUP     we closed our end with something unread in it: the
 *                           filler, or the byte that is always left there (`held`);
 *                           so does the kernel, when we are killed
 *   EPIPE                   we closed it with nothing unread
 *
 * And what it tells us: the program will write no more (HOST_END); it has closed
 * the channel (the channel's name is gone), with unread bytes (our SO_ERROR) or
 * without. A program that was killed has closed everything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/addr.h"
#include "daemon/serve.h"

enum { PIECE_MAX = 65536 };

static void on_channel(void *ctx, int fd, unsigned events);

struct served_conn *conn_of(struct served *s)
{
    return list_entry(s, struct served_conn, s);
}

static uint64_t now(const struct served_conn *c)
{
    return host_now(c->s.serve->host);
}

/* ---- ends -------------------------------------------------------------------------- */

static void pump_up(struct served_conn *c, bool last);

/* The engine's connection is not ours any more. */
static struct plait_conn *give_up(struct served_conn *c)
{
    struct plait_conn *conn = c->c.conn;

    plait_conn_set_user(conn, NULL);
    carried_remove(&c->c);
    c->c.conn = NULL;
    return conn;
}

static void conn_free_served(struct served *s)
{
    struct served_conn *c = conn_of(s);

    if (c->waiter)
        line_finish(c->waiter, ENETDOWN);
    if (c->c.conn) {
        bool deliver = s->serve->closing && c->up;
        if (deliver)
            pump_up(c, false);
        struct plait_conn *conn = give_up(c);
        if (deliver)
            plait_conn_close(conn, now(c));
        else
            plait_conn_abort(conn, now(c));
    }
    channel_close(s);
    free(c);
}

static void drain(struct served_conn *c)
{
    char bin[4096];

    while (read(c->s.fd, bin, sizeof bin) > 0)
        ;
}

/* It failed: the program shall see it. */
static void conn_over(struct served_conn *c, int engine_error)
{
    struct plait_conn *conn = give_up(c);

    plait_conn_set_linger(conn, false, 0);
    plait_conn_close(conn, now(c));
    c->error = plait_error_errno(engine_error);
    if (c->waiter) {
        line_finish(c->waiter, c->error);
        c->error = 0; /* told */
    }
    if (c->gone) {
        conn_free_served(&c->s);
        return;
    }
    if (engine_error == PLAIT_E_PEER_CLOSED)
        drain(c);
    channel_remain(&c->s);
}

/* The program has closed it: with unread bytes the peer must not think that they
 * were read; otherwise what was written is delivered, by the engine alone from
 * here on. True: it is freed. */
static bool conn_closed(struct served_conn *c, bool unread)
{
    struct plait_conn *conn = c->c.conn;

    if (unread || !c->up || (plait_conn_poll(conn) & PLAIT_POLL_ERROR)) {
        conn_free_served(&c->s);
        return true;
    }
    int queued = 0;
    ioctl(c->s.fd, FIONREAD, &queued);
    if (queued > (int)c->held)
        return false; /* the engine takes the rest when it can */
    if (plait_conn_close(give_up(c), now(c)) == PLAIT_E_AGAIN)
        return false; /* never: there is no time to linger */
    conn_free_served(&c->s);
    return true;
}

/* ---- from the program -------------------------------------------------------------- */

/* Up to len bytes that are new; the last of them is copied and stays. */
static size_t channel_read(struct served_conn *c, unsigned char *room, size_t len)
{
    unsigned char old;
    struct iovec iov[2] = {{&old, c->held}, {room, len - 1}};
    ssize_t n = c->held + len > 1 ? readv(c->s.fd, iov, 2) : 0;
    size_t got = n > c->held ? (size_t)n - c->held : 0;

    if (n > 0)
        c->held = false;
    if (got == len - 1 && recv(c->s.fd, room + got, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
        c->held = true;
        got++;
    }
    return got;
}

/* The program writes no more, and all it wrote is in the engine. */
static void conn_finish(struct served_conn *c, int left)
{
    if (!c->finished && left == 0) {
        c->finished = true;
        plait_conn_shutdown(c->c.conn, PLAIT_SHUT_WR, now(c));
    }
}

static void pump_up(struct served_conn *c, bool last)
{
    int queued = 0, fresh = 0;

    ioctl(c->s.fd, FIONREAD, &queued);
    fresh = queued - (int)c->held;
    while (fresh > 0) {
        void *room;
        size_t wanted = fresh < PIECE_MAX ? (size_t)fresh : PIECE_MAX;
        int64_t n = plait_conn_send_borrow(c->c.conn, wanted, &room, now(c));
        if (n <= 0)
            break; /* full, or over: then reading says so */
        size_t got = channel_read(c, room, (size_t)n);
        plait_conn_send_commit(c->c.conn, got, now(c));
        if (got == 0)
            break;
        fresh -= (int)got;
    }
    if (last)
        conn_finish(c, fresh);
}

/* ---- to the program ---------------------------------------------------------------- */

static void block(struct served_conn *c, bool on)
{
    if (c->blocked == on)
        return;
    c->blocked = on;
    host_watch(c->s.serve->host, c->s.fd, HOST_IN | HOST_EDGE | (on ? HOST_OUT : 0), on_channel, c);
}

/* 0, or the error that the connection ends with. */
static int pump_down(struct served_conn *c)
{
    const void *data;
    int64_t n;

    while (!c->blocked && !c->ended) {
        n = plait_conn_recv_borrow(c->c.conn, &data, now(c));
        if (n == PLAIT_E_AGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        if (n == 0) {
            c->ended = true;
            shutdown(c->s.fd, SHUT_WR);
            return 0;
        }
        ssize_t sent = send(c->s.fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) {
            c->ended = true; /* the program reads no more: what comes stays where it is */
            plait_conn_shutdown(c->c.conn, PLAIT_SHUT_RD, now(c));
            return 0;
        }
        if (sent > 0)
            plait_conn_recv_release(c->c.conn, (size_t)sent, now(c));
        if (sent < n)
            block(c, true);
    }
    return 0;
}

/* ---- events ------------------------------------------------------------------------ */

/* All of the filler but one byte. */
static void conn_up(struct served_conn *c)
{
    char bin[PIECE_MAX];
    int queued = 0;

    c->up = c->held = true;
    ioctl(c->s.fd, FIONREAD, &queued);
    for (ssize_t n = 1; queued > 1 && n > 0; queued -= (int)n) {
        size_t piece = (size_t)queued - 1 < sizeof bin ? (size_t)queued - 1 : sizeof bin;
        n = read(c->s.fd, bin, piece);
    }
    if (c->waiter) {
        c->told = true;
        line_finish(c->waiter, 0);
    }
}

void conn_pump(struct served_conn *c)
{
    unsigned state = plait_conn_poll(c->c.conn);

    if (!c->up && (state & PLAIT_POLL_CONNECTED))
        conn_up(c);
    if (!c->up) {
        if (state & PLAIT_POLL_ERROR)
            conn_over(c, plait_conn_error(c->c.conn));
        return;
    }
    if (c->gone) { /* nobody reads what comes now */
        pump_up(c, false);
        conn_closed(c, (plait_conn_poll(c->c.conn) & PLAIT_POLL_READABLE) && !c->ended);
        return;
    }
    pump_up(c, false);
    int error = pump_down(c);
    if (!error && (plait_conn_poll(c->c.conn) & PLAIT_POLL_ERROR))
        error = plait_conn_error(c->c.conn);
    if (error && !c->blocked) /* else once the program has read what is there */
        conn_over(c, error);
}

static void on_conn(struct carried *k)
{
    conn_pump(list_entry(k, struct served_conn, c));
}

static void on_abort(struct carried *k)
{
    struct served_conn *c = list_entry(k, struct served_conn, c);
    struct plait_conn *conn = give_up(c);

    plait_conn_abort(conn, now(c));
    c->error = ECONNABORTED;
    if (c->waiter)
        line_finish(c->waiter, c->error);
    if (c->gone)
        conn_free_served(&c->s);
    else
        channel_remain(&c->s);
}

static void on_channel(void *ctx, int fd, unsigned events)
{
    struct served_conn *c = ctx;
    int error = 0;
    socklen_t len = sizeof error;

    if (!c->c.conn) { /* disconnected */
        if ((events & HOST_HUP) && channel_gone(&c->s))
            conn_free_served(&c->s);
        return;
    }
    if (events & HOST_OUT)
        block(c, false);
    if ((events & HOST_HUP) && channel_gone(&c->s)) {
        c->gone = true;
        host_watch(c->s.serve->host, fd, 0, NULL, NULL);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        bool unread = error == ECONNRESET;
        if (c->up && !unread)
            pump_up(c, false);
        unread = unread || (!c->ended && (plait_conn_poll(c->c.conn) & PLAIT_POLL_READABLE) &&
                            !(plait_conn_poll(c->c.conn) & PLAIT_POLL_EOF));
        conn_closed(c, unread);
        return;
    }
    if (!c->up)
        return; /* shut down before it is connected: looked at again then */
    if (events & (HOST_IN | HOST_END))
        pump_up(c, (events & HOST_END) != 0);
    conn_pump(c);
}

/* ---- beginnings -------------------------------------------------------------------- */

static struct served_conn *conn_new(struct serve *v, int domain, int protocol,
                                    const struct caller *owner, int *program, int *error)
{
    struct served_conn *c = calloc(1, sizeof *c);

    *error = c ? channel_open(&c->s, v, SHIM_KIND_CONNECTION, owner->uid, program) : ENOMEM;
    if (*error) {
        free(c);
        return NULL;
    }
    c->s.domain = domain;
    c->s.protocol = protocol;
    c->s.free = conn_free_served;
    c->c.owner = *owner;
    c->c.ready = on_conn;
    c->c.abort = on_abort;
    *error = -host_watch(v->host, c->s.fd, HOST_IN | HOST_EDGE, on_channel, c);
    if (!*error)
        return c;
    channel_close(&c->s);
    close(*program);
    free(c);
    return NULL;
}

/* What connect(2) says for what the host said. */
static int errno_of(int failure)
{
    switch (failure) {
    case HOST_FAIL_UNREACHABLE:
        return ENETUNREACH;
    case HOST_FAIL_ADDRESS:
        return EADDRNOTAVAIL;
    case HOST_FAIL_PORT:
        return EADDRINUSE;
    case HOST_FAIL_USAGE:
        return EINVAL;
    default:
        return ENOBUFS;
    }
}

static int engine_connect(struct served_conn *c, const struct plait_endpoint *remote,
                          struct plait_endpoint *local)
{
    struct serve *v = c->s.serve;
    struct plait_options options = *daemon_defaults(v->daemon);
    struct host_error err;
    struct plait_conn *conn;

    options_of(c->s.kernel->fd, &options);
    if (addr_is_unspecified(&local->addr))
        local->addr = (struct plait_addr){0};
    int failure = host_connect_held(v->host, remote, local, &options, &conn, &err);
    if (failure)
        return errno_of(failure);
    carried_add(v->daemon, &c->c, conn);
    return 0;
}

static int begin(struct serve *v, struct request *r, const struct kernel_socket *k,
                 const struct plait_endpoint *remote, struct served_conn **out, int *program)
{
    struct plait_endpoint local = k->local;
    int error;
    struct served_conn *c =
        conn_new(v, k->domain, k->protocol, line_caller(r->line), program, &error);

    if (!c)
        return error;
    c->s.kernel = keeper_new(v, r->fd, c->s.user->uid, local.port != 0, &local.port, &error);
    r->fd = -1;
    if (!error && !channel_fill(*program))
        error = ENOBUFS;
    if (!error)
        error = engine_connect(c, remote, &local);
    if (error) {
        conn_free_served(&c->s);
        close(*program);
        *program = -1;
        return error;
    }
    c->s.remote = *remote;
    *out = c;
    return 0;
}

static void wait_for(struct served_conn *c, struct request *r, struct answer *a)
{
    if (!(r->head.flags & SHIM_WAIT))
        return;
    c->waiter = r->line;
    r->waits_for = c;
    a->waits = true;
}

void conn_connect(struct serve *v, struct request *r, struct answer *a)
{
    struct kernel_socket k;
    struct plait_endpoint remote;
    struct served_conn *c = NULL;

    a->error = kernel_look(v, r->fd, &k);
    if (a->error == ENONET || (!a->error && k.protocol == IPPROTO_MPTCP && k.local.port)) {
        a->error = 0;
        a->what = SHIM_DIRECT;
        return;
    }
    if (!a->error)
        a->error = message_address(r->data, r->head.len, k.domain, &remote);
    if (!a->error && k.v6only && remote.addr.family == PLAIT_IPV4)
        a->error = ENETUNREACH;
    if (!a->error && remote.port == 0)
        a->error = ECONNREFUSED;
    if (!a->error)
        a->error = begin(v, r, &k, &remote, &c, &a->fd);
    if (a->error)
        return;
    a->what = SHIM_CARRIED;
    wait_for(c, r, a);
}

/* The kernel's socket goes back to the program. */
static void hand_back(struct served_conn *c, struct answer *a)
{
    int fd = channel_kernel(&c->s);

    a->fd = fd >= 0 ? dup(fd) : -1;
    if (a->fd < 0) {
        a->error = ENOBUFS;
        return;
    }
    if (c->s.kernel->port) { /* it listens for us */
        host_release(c->s.serve->host, a->fd, c->s.kernel->port);
        c->s.kernel->port = 0;
    }
    a->what = SHIM_FRESH;
}

void conn_again(struct served_conn *c, struct request *r, struct answer *a)
{
    if (c->c.conn && c->up) {
        a->error = c->told ? EISCONN : 0;
        c->told = true;
    } else if (c->c.conn && (r->head.flags & SHIM_WAIT) && !c->waiter) {
        wait_for(c, r, a);
    } else if (c->c.conn) {
        a->error = EALREADY;
    } else if (c->error) {
        a->error = c->error;
        c->error = 0;
    } else {
        hand_back(c, a);
    }
}

void conn_disconnect(struct served_conn *c, struct answer *a)
{
    hand_back(c, a);
    if (!a->error && c->c.conn)
        plait_conn_abort(give_up(c), now(c));
}

bool conn_connected(const struct served_conn *c)
{
    return c->up && c->c.conn && !(plait_conn_poll(c->c.conn) & PLAIT_POLL_HANGUP);
}

void conn_names(struct served *s)
{
    struct plait_conn_info info;

    if (s->kind != SHIM_KIND_CONNECTION || !conn_of(s)->c.conn)
        return;
    plait_conn_info(conn_of(s)->c.conn, &info);
    s->local = info.local;
}

struct served_conn *conn_accepted(struct served *listener, struct plait_conn *conn,
                                  const struct caller *owner, int *program)
{
    struct serve *v = listener->serve;
    struct plait_conn_info info;
    int error;
    struct served_conn *c =
        conn_new(v, listener->domain, listener->protocol, owner, program, &error);

    if (!c) {
        plait_conn_abort(conn, host_now(v->host));
        return NULL;
    }
    plait_conn_info(conn, &info);
    c->s.local = info.local;
    c->s.remote = info.remote;
    c->s.origin = keeper_use(listener->kernel);
    c->s.hold = keeper_use(listener->hold);
    c->up = c->told = true;
    c->held = send(*program, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    carried_add(v->daemon, &c->c, conn);
    return c;
}
