/* SPDX-License-Identifier: MIT */
#include "proxy/relay.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/pump.h"

static struct host *host_of(const struct relay *r)
{
    return daemon_host(r->daemon);
}

static uint64_t now(const struct relay *r)
{
    return host_now(host_of(r));
}

/* ---- ends -------------------------------------------------------------------- */

static struct plait_conn *give_up(struct relay *r)
{
    struct plait_conn *conn = r->carried.conn;

    if (conn) {
        plait_conn_set_user(conn, NULL);
        carried_remove(&r->carried);
        r->carried.conn = NULL;
    }
    return conn;
}

static void close_fd(struct relay *r, bool reset)
{
    const struct linger at_once = {1, 0};

    if (r->fd < 0)
        return;
    host_watch(host_of(r), r->fd, 0, NULL, NULL);
    if (reset)
        setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(r->fd);
    r->fd = -1;
}

void relay_reset(struct relay *r)
{
    struct plait_conn *conn = give_up(r);

    if (conn)
        plait_conn_abort(conn, now(r));
    close_fd(r, true);
}

void relay_part(struct relay *r)
{
    struct plait_conn *conn = give_up(r);

    if (conn)
        plait_conn_close(conn, now(r));
    close_fd(r, true);
}

static void end(struct relay *r, const char *why)
{
    void (*over)(struct relay *, const char *) = r->over;

    if (why)
        relay_reset(r);
    struct plait_conn *conn = give_up(r);
    if (conn)
        plait_conn_close(conn, now(r));
    close_fd(r, false);
    over(r, why);
}

/* ---- bytes ------------------------------------------------------------------- */

static const char *why_of(const struct pumped *p)
{
    return p->stop == PUMP_FD     ? strerror(p->error)
           : p->stop == PUMP_CONN ? plait_error_text(p->error)
                                  : NULL;
}

/* NULL, or why the relay is at its end. */
static const char *carry_in(struct relay *r)
{
    if (r->fd_ended || !r->readable)
        return NULL;
    struct pumped p = pump_in(r->carried.conn, r->fd, r->fd_ends, now(r));
    r->bytes_in += p.bytes;
    r->readable = p.stop != PUMP_EMPTY;
    if (p.stop == PUMP_END) {
        r->fd_ended = true;
        plait_conn_shutdown(r->carried.conn, PLAIT_SHUT_WR, now(r));
    }
    return why_of(&p);
}

static const char *carry_out(struct relay *r)
{
    if (r->conn_ended || !r->writable)
        return NULL;
    struct pumped p = pump_out(r->carried.conn, r->fd, now(r));
    r->bytes_out += p.bytes;
    r->writable = p.stop != PUMP_FULL;
    if (p.stop == PUMP_END) {
        r->conn_ended = true;
        shutdown(r->fd, SHUT_WR);
    }
    return why_of(&p);
}

static void carry(struct relay *r)
{
    const char *why = carry_out(r);

    if (!why)
        why = carry_in(r);
    if (!why && (plait_conn_poll(r->carried.conn) & PLAIT_POLL_ERROR) &&
        (r->conn_ended || r->writable))
        why = plait_error_text(plait_conn_error(r->carried.conn));
    if (why || (r->fd_ended && r->conn_ended))
        end(r, why);
}

static void on_conn(struct carried *c)
{
    carry(list_entry(c, struct relay, carried));
}

static void on_abort(struct carried *c)
{
    struct relay *r = list_entry(c, struct relay, carried);

    end(r, "closed by hand");
}

static void on_fd(void *ctx, int fd, unsigned events)
{
    struct relay *r = ctx;
    int error = 0;
    socklen_t len = sizeof error;

    if (events & HOST_OUT)
        r->writable = true;
    if (events & (HOST_IN | HOST_END | HOST_HUP))
        r->readable = true;
    if (events & (HOST_END | HOST_HUP))
        r->fd_ends = true;
    /* A reset that comes when there is nothing left to read. */
    if ((events & HOST_HUP) && r->fd_ended &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error) {
        end(r, strerror(error));
        return;
    }
    carry(r);
}

/* ---- beginnings -------------------------------------------------------------- */

void relay_set_conn(struct relay *r, struct plait_conn *conn, void (*ready)(struct carried *))
{
    r->carried.ready = ready;
    r->carried.abort = on_abort;
    carried_add(r->daemon, &r->carried, conn);
}

int relay_set_fd(struct relay *r, int fd, unsigned events, host_fd_fn *ready)
{
    r->fd = fd;
    return host_watch(host_of(r), fd, events | HOST_EDGE, ready, r);
}

void relay_run(struct relay *r)
{
    int error = 0;

    r->running = r->readable = r->writable = true;
    r->carried.ready = on_conn;
    error = host_watch(host_of(r), r->fd, HOST_IN | HOST_OUT | HOST_EDGE, on_fd, r);
    if (error)
        end(r, strerror(-error));
    else
        carry(r);
}
