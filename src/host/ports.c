/* SPDX-License-Identifier: MIT
 *
 * Local ports: the kernel must know that they are taken before the engine
 * uses them. A pool of them is held for outgoing subflows from the start, for
 * the engine chooses a port in the middle of its work and cannot wait.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "host/fail.h"
#include "host/state.h"
#include "io/hold.h"

enum { PORTS_MORE = 32, PORTS_AT_ONCE = 512 };

static int hold(struct host *h, uint16_t *port)
{
    return h->driver->ops->hold_ports(h->driver, port, 1);
}

static void release(struct host *h, uint16_t port)
{
    h->driver->ops->release_port(h->driver, port);
}

/* Those that the engine has no memory for are given back. */
static int give(struct host *h, const uint16_t *ports, unsigned count, struct host_error *err)
{
    int error = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!error)
            error = plait_stack_add_port(h->stack, ports[i]);
        if (error)
            release(h, ports[i]);
        else
            h->port_count++;
    }
    return error ? fail_engine(err, error, NULL) : HOST_OK;
}

int ports_add(struct host *h, unsigned count, struct host_error *err)
{
    while (count > 0) {
        uint16_t ports[PORTS_AT_ONCE] = {0};
        unsigned n = count < PORTS_AT_ONCE ? count : PORTS_AT_ONCE;
        int error = h->driver->ops->hold_ports(h->driver, ports, n);
        int failure = error ? fail_port(err, 0, error) : give(h, ports, n, err);

        if (failure)
            return failure;
        count -= n;
    }
    return HOST_OK;
}

/* The pool is empty: as many again, so that a thousand connections ask ten times;
 * or as many as there are descriptors and ports for. */
static bool ports_more(struct host *h)
{
    unsigned count = h->port_count < PORTS_MORE      ? PORTS_MORE
                     : h->port_count < PORTS_AT_ONCE ? h->port_count
                                                     : PORTS_AT_ONCE;

    while (count > 0 && ports_add(h, count, NULL) != HOST_OK)
        count /= 2;
    return count > 0;
}

int ports_hold(struct host *h, uint16_t port, struct host_error *err)
{
    int error = hold(h, &port);

    return error ? fail_port(err, port, error) : HOST_OK;
}

int ports_announced(struct host *h, struct host_error *err)
{
    for (unsigned i = 0; i < h->locals.announce_count; i++) {
        uint16_t port = h->locals.announce[i].port;
        int failure = port ? ports_hold(h, port, err) : HOST_OK;
        if (failure)
            return failure;
    }
    return HOST_OK;
}

int host_listen_held(struct host *h, const struct plait_endpoint *local,
                     const struct plait_options *options, struct plait_listener **out,
                     struct host_error *err)
{
    h->now_us = loop_clock();
    if (!addr_is_unspecified(&local->addr) && !locals_have(h, &local->addr))
        return fail_address(err, &local->addr);
    int error = plait_listen(h->stack, local, options, out);
    if (error == PLAIT_E_IN_USE)
        return fail_port(err, local->port, -EADDRINUSE);
    return error ? fail_engine(err, error, NULL) : HOST_OK;
}

int host_listen(struct host *h, const struct plait_endpoint *local,
                const struct plait_options *options, struct plait_listener **out,
                struct host_error *err)
{
    struct plait_endpoint at = *local;
    int error = hold(h, &at.port);

    if (error)
        return fail_port(err, at.port, error);
    error = host_listen_held(h, &at, options, out, err);
    if (error)
        release(h, at.port);
    return error;
}

int host_hold(struct host *h, int fd, uint16_t *port)
{
    struct sockaddr_in6 name = {0}; /* the port is at the same place in both families */
    socklen_t len = sizeof name;

    if (hold_silence(fd) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &len) != 0)
        return -errno;
    *port = ntohs(name.sin6_port);
    return h->driver->ops->claim_port(h->driver, *port);
}

void host_release(struct host *h, int fd, uint16_t port)
{
    int none = 0;

    shutdown(fd, SHUT_RD);
    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    release(h, port);
}

void host_unlisten(struct host *h, struct plait_listener *listener)
{
    /* The port stays held: connections that came by it still use it. */
    plait_listener_close(listener, h->now_us);
}

static int pick_local(struct host *h, const struct plait_endpoint *remote,
                      const struct plait_endpoint *local, struct plait_endpoint *from,
                      struct host_error *err)
{
    char text[ADDR_TEXT_MAX];

    *from = local ? *local : (struct plait_endpoint){0};
    if (from->addr.family != PLAIT_NONE && !locals_have(h, &from->addr))
        return fail_address(err, &from->addr);
    if (from->addr.family == PLAIT_NONE && locals_no_route(h, &remote->addr))
        return host_fail(err, HOST_FAIL_UNREACHABLE,
                         "there is no route to %s: check the address, or 'ip route'; where only a "
                         "rule for one source address leads there, give that with --local",
                         addr_format(&remote->addr, text));
    if (from->addr.family == PLAIT_NONE && !locals_pick(h, &remote->addr, &from->addr))
        return host_fail(err, HOST_FAIL_ADDRESS, "this host has no IPv%d address to reach %s from",
                         remote->addr.family, addr_format(&remote->addr, text));
    if (from->port && h->group)
        return host_fail(err, HOST_FAIL_USAGE,
                         "with several threads, a connection cannot be given its local port");
    return HOST_OK;
}

int host_connect_held(struct host *h, const struct plait_endpoint *remote,
                      const struct plait_endpoint *local, const struct plait_options *options,
                      struct plait_conn **out, struct host_error *err)
{
    struct plait_endpoint from;

    h->now_us = loop_clock();
    int error = pick_local(h, remote, local, &from, err);
    if (error)
        return error;
    return ports_connect(h, &(struct plait_candidate){from, *remote}, 1, options, out, err);
}

int host_connect(struct host *h, const struct plait_endpoint *remote,
                 const struct plait_endpoint *local, const struct plait_options *options,
                 struct plait_conn **out, struct host_error *err)
{
    uint16_t port = local ? local->port : 0;
    int error = port ? hold(h, &port) : 0;

    if (error)
        return fail_port(err, port, error);
    error = host_connect_held(h, remote, local, options, out, err);
    if (error && port)
        release(h, port);
    return error;
}

int ports_connect(struct host *h, const struct plait_candidate *candidates, unsigned count,
                  const struct plait_options *options, struct plait_conn **out,
                  struct host_error *err)
{
    bool open = candidates[0].local.port == 0;

    h->now_us = loop_clock(); /* resolving a name takes its time */
    int error = plait_connect_race(h->stack, candidates, count, options, h->now_us, out);

    if (error == PLAIT_E_NO_ADDRESS && open && ports_more(h))
        error = plait_connect_race(h->stack, candidates, count, options, h->now_us, out);
    return error ? fail_engine(err, error, &candidates[0].remote) : HOST_OK;
}
