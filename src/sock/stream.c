/* SPDX-License-Identifier: MIT
 *
 * The byte stream of a socket: send, recv, shutdown, close.
 */
#include "sock/sock.h"

static uint64_t now(const struct plait_socket *s)
{
    return host_now(s->host->host);
}

static int64_t send_all(struct plait_socket *s, const char *data, size_t len)
{
    uint64_t until_us = sock_until(s, s->set.send_timeout_us);
    size_t sent = 0;

    while (sent < len) {
        int64_t n = plait_conn_write(s->conn, data + sent, len - sent, now(s));
        if (n > 0)
            sent += (size_t)n;
        else if (n != PLAIT_E_AGAIN || s->set.nonblock)
            return sent ? (int64_t)sent : n;
        else if (!sock_wait(s, until_us))
            return sent ? (int64_t)sent : PLAIT_E_TIMED_OUT;
    }
    return (int64_t)sent;
}

int64_t plait_socket_send(struct plait_socket *s, const void *data, size_t len)
{
    sock_enter(s->host);
    int64_t n = s->conn ? send_all(s, data, len) : PLAIT_E_NOT_CONNECTED;
    sock_leave(s->host);
    return n;
}

static int64_t receive(struct plait_socket *s, void *data, size_t len)
{
    uint64_t until_us = sock_until(s, s->set.recv_timeout_us);

    for (;;) {
        int64_t n = plait_conn_read(s->conn, data, len, now(s));
        if (n != PLAIT_E_AGAIN || s->set.nonblock)
            return n;
        if (!sock_wait(s, until_us))
            return PLAIT_E_TIMED_OUT;
    }
}

int64_t plait_socket_recv(struct plait_socket *s, void *data, size_t len)
{
    sock_enter(s->host);
    int64_t n = s->conn ? receive(s, data, len) : PLAIT_E_NOT_CONNECTED;
    sock_leave(s->host);
    return n;
}

int plait_socket_shutdown(struct plait_socket *s, enum plait_shut how)
{
    sock_enter(s->host);
    int error = s->conn ? plait_conn_shutdown(s->conn, how, now(s)) : PLAIT_E_NOT_CONNECTED;
    sock_leave(s->host);
    return error;
}

static int close_conn(struct plait_socket *s)
{
    int error = plait_conn_close(s->conn, now(s));

    if (error != PLAIT_E_AGAIN)
        return 0;
    uint64_t until_us = sock_until(s, s->set.linger_us);
    while (!s->set.nonblock && !(plait_conn_poll(s->conn) & PLAIT_POLL_LINGERED) &&
           sock_wait(s, until_us))
        ;
    bool told = (plait_conn_poll(s->conn) & PLAIT_POLL_FINISHED) != 0;
    plait_conn_close(s->conn, now(s)); /* what is left goes on in the background */
    return told ? 0 : PLAIT_E_TIMED_OUT;
}

int plait_socket_close(struct plait_socket *s)
{
    struct plait_host *h;
    int error = 0;

    if (!s)
        return 0;
    h = s->host;
    sock_enter(h);
    s->fn = NULL;
    if (s->conn) {
        error = close_conn(s);
    } else if (s->listener) {
        if (s->pending)
            plait_conn_abort(s->pending, now(s));
        host_unlisten(h->host, s->listener);
    }
    sock_free(s);
    sock_leave(h);
    return error;
}

static int name(struct plait_socket *s, bool local, struct plait_endpoint *out)
{
    struct plait_conn_info info;

    if (!s->conn) {
        *out = s->bound;
        return local && (s->listener || s->bound.port) ? 0 : PLAIT_E_NOT_CONNECTED;
    }
    plait_conn_info(s->conn, &info);
    *out = local ? info.local : info.remote;
    return 0;
}

int plait_socket_local(struct plait_socket *s, struct plait_endpoint *out)
{
    sock_enter(s->host);
    int error = name(s, true, out);
    sock_leave(s->host);
    return error;
}

int plait_socket_remote(struct plait_socket *s, struct plait_endpoint *out)
{
    sock_enter(s->host);
    int error = name(s, false, out);
    sock_leave(s->host);
    return error;
}

int plait_socket_callback(struct plait_socket *s, plait_socket_fn *fn, void *ctx)
{
    if (s->host->threaded)
        return PLAIT_E_INVALID;
    s->fn = fn;
    s->ctx = ctx;
    return 0;
}

struct plait_conn *plait_socket_conn(struct plait_socket *s)
{
    return s->host->threaded ? NULL : s->conn;
}
