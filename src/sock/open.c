/* SPDX-License-Identifier: MIT
 *
 * Making connections: connect, listen, accept, and what options mean for them.
 */
#include <stdio.h>
#include <string.h>

#include "sock/sock.h"

/* ---- options to the engine's --------------------------------------------- */

static const struct mode {
    const char *scheduler, *path_manager;
} modes[] = {
    [PLAIT_MODE_DEFAULT] = {NULL, NULL},
    [PLAIT_MODE_HANDOVER] = {"lowest-rtt", "make-before-break"},
    [PLAIT_MODE_INTERACTIVE] = {"lowest-rtt", "fullmesh"},
    [PLAIT_MODE_AGGREGATE] = {"arrival", "fullmesh"},
};

static const char *name_or(const char *name, const char *otherwise)
{
    return *name ? name : otherwise;
}

void sock_options(const struct plait_socket *s, struct plait_options *out)
{
    const struct sock_settings *set = &s->set;
    const struct mode *mode = &modes[set->mode];

    *out =
        (struct plait_options){.scheduler = name_or(set->scheduler, mode->scheduler),
                               .path_manager = name_or(set->path_manager, mode->path_manager),
                               .cc = name_or(set->cc, NULL),
                               .version = set->version,
                               .no_nagle = set->nodelay,
                               .linger = set->linger_us != UINT64_MAX,
                               .linger_us = (uint32_t)(set->linger_us < UINT32_MAX ? set->linger_us
                                                                                   : UINT32_MAX),
                               .break_timeout_us = (uint32_t)set->break_timeout_us};
    if (set->multipath >= 0)
        out->multipath = set->multipath ? PLAIT_MULTIPATH_ON : PLAIT_MULTIPATH_OFF;
    if (set->fastopen >= 0)
        out->fastopen = set->fastopen ? PLAIT_FASTOPEN_ON : PLAIT_FASTOPEN_OFF;
    if (set->addr_count)
        out->path_manager = "none"; /* these addresses and no others: sock_open_named */
}

/* ---- opening ------------------------------------------------------------- */

int plait_socket_open(struct plait_host *host, struct plait_socket **out)
{
    static const struct sock_settings fresh = {.linger_us = UINT64_MAX,
                                               .fastopen = -1,
                                               .multipath = -1};

    sock_enter(host);
    *out = sock_new(host, &fresh);
    sock_leave(host);
    return *out ? 0 : PLAIT_E_NO_MEMORY;
}

int plait_socket_bind(struct plait_socket *s, const struct plait_endpoint *local)
{
    int error = PLAIT_E_INVALID;

    sock_enter(s->host);
    if (!s->conn && !s->listener) {
        s->bound = *local;
        error = 0;
    }
    sock_leave(s->host);
    return error;
}

static bool begun(const struct plait_socket *s, char *why)
{
    if (!s->conn && !s->listener)
        return false;
    if (why)
        snprintf(why, PLAIT_TEXT_MAX, "the socket is connected or listening already");
    return true;
}

/* The connection is under way: wait for it where this socket waits. */
static int wait_connected(struct plait_socket *s, char *why)
{
    uint64_t until_us = sock_until(s, s->set.send_timeout_us);
    struct plait_endpoint remote;
    struct host_error err;
    int error;

    if (s->set.nonblock)
        return PLAIT_E_AGAIN;
    while (!(plait_conn_poll(s->conn) & (PLAIT_POLL_CONNECTED | PLAIT_POLL_ERROR)))
        if (!sock_wait(s, until_us))
            return PLAIT_E_TIMED_OUT;
    error = plait_conn_error(s->conn);
    if (error && why) {
        struct plait_conn_info info;
        plait_conn_info(s->conn, &info);
        remote = info.remote;
        host_fail_of(error, &remote, &err);
        sock_fail(&err, why);
    }
    return error;
}

/* What came of asking the host for a connection. */
static int begin(struct plait_socket *s, int failure, struct plait_conn *conn,
                 const struct host_error *err, char *why)
{
    if (failure)
        return sock_fail(err, why);
    sock_take(s, conn);
    return wait_connected(s, why);
}

/* Where the first subflow begins: bound, or the first of the addresses named. */
static const struct plait_endpoint *local_of(const struct plait_socket *s,
                                             struct plait_endpoint *out)
{
    *out = s->bound;
    if (out->addr.family == PLAIT_NONE && s->set.addr_count)
        out->addr = s->set.addrs[0].addr;
    return out->addr.family != PLAIT_NONE || out->port ? out : NULL;
}

int plait_socket_connect(struct plait_socket *s, const struct plait_endpoint *remote, char *why)
{
    struct plait_endpoint local;
    struct plait_options options;
    struct plait_conn *conn = NULL;
    struct host_error err;
    int error = PLAIT_E_INVALID;

    sock_enter(s->host);
    if (!begun(s, why)) {
        sock_options(s, &options);
        int failure =
            host_connect(s->host->host, remote, local_of(s, &local), &options, &conn, &err);
        error = begin(s, failure, conn, &err, why);
    }
    sock_leave(s->host);
    return error;
}

int plait_socket_connect_name(struct plait_socket *s, const char *name, uint16_t port, char *why)
{
    struct plait_addr addrs[HOST_NAME_ADDRS_MAX];
    const struct host_target target = {.name = name, .port = port};
    struct plait_endpoint local;
    struct plait_options options;
    struct plait_conn *conn = NULL;
    struct host_error err;
    unsigned count;
    int error = PLAIT_E_INVALID;

    /* Without the lock: others go on while the name is looked up. */
    if (host_resolve(name, PLAIT_NONE, addrs, HOST_NAME_ADDRS_MAX, &count, &err) != HOST_OK)
        return sock_fail(&err, why);
    if (local_of(s, &local)) /* no choice of paths is left to race */
        return plait_socket_connect(s, &(struct plait_endpoint){addrs[0], port}, why);
    sock_enter(s->host);
    if (!begun(s, why)) {
        sock_options(s, &options);
        int failure =
            host_connect_addrs(s->host->host, addrs, count, &target, &options, &conn, &err);
        error = begin(s, failure, conn, &err, why);
    }
    sock_leave(s->host);
    return error;
}

/* ---- servers ------------------------------------------------------------- */

int plait_socket_listen(struct plait_socket *s, unsigned backlog, char *why)
{
    struct plait_options options;
    struct host_error err;
    int error = PLAIT_E_INVALID;

    sock_enter(s->host);
    if (!begun(s, why)) {
        sock_options(s, &options);
        options.backlog = backlog;
        error = host_listen(s->host->host, &s->bound, &options, &s->listener, &err) == HOST_OK
                    ? 0
                    : sock_fail(&err, why);
    }
    sock_leave(s->host);
    return error;
}

static int accept_one(struct plait_socket *s, struct plait_socket **out)
{
    uint64_t until_us = sock_until(s, s->set.recv_timeout_us);

    while (!(sock_poll(s) & PLAIT_POLL_READABLE)) {
        if (s->set.nonblock)
            return PLAIT_E_AGAIN;
        if (!sock_wait(s, until_us))
            return PLAIT_E_TIMED_OUT;
    }
    struct plait_socket *fresh = sock_new(s->host, &s->set);
    if (!fresh)
        return PLAIT_E_NO_MEMORY;
    sock_take(fresh, s->pending);
    s->pending = NULL;
    *out = fresh;
    return 0;
}

int plait_socket_accept(struct plait_socket *s, struct plait_socket **out)
{
    sock_enter(s->host);
    int error = s->listener ? accept_one(s, out) : PLAIT_E_INVALID;
    sock_leave(s->host);
    return error;
}
