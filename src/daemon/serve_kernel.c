/* SPDX-License-Identifier: MIT
 *
 * The kernel's sockets that programs brought. One that is bound keeps its port for
 * us as decision 3 has it: silenced, then listening. It goes on doing so for a
 * while after the last of its connections, whose goodbyes the kernel must not
 * answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/serve.h"

#ifndef SO_NETNS_COOKIE
enum { SO_NETNS_COOKIE = 71 };
#endif

enum { LOOK_AGAIN_US = 1000000, GOODBYE_MAX_US = 120000000 };

/* ---- what it is -------------------------------------------------------------------- */

static int number(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

int kernel_look(struct serve *v, int fd, struct kernel_socket *out)
{
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof name;
    uint64_t netns = 0;
    socklen_t netns_len = sizeof netns;

    *out = (struct kernel_socket){.domain = number(fd, SOL_SOCKET, SO_DOMAIN),
                                  .protocol = number(fd, SOL_SOCKET, SO_PROTOCOL)};
    if ((out->domain != AF_INET && out->domain != AF_INET6) ||
        (out->protocol != IPPROTO_TCP && out->protocol != IPPROTO_MPTCP))
        return EINVAL;
    if (v->netns && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &netns, &netns_len) == 0 &&
        netns != v->netns)
        return ENONET;
    if (getpeername(fd, (struct sockaddr *)&name, &len) == 0)
        return EISCONN;
    len = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0)
        return errno;
    out->v6only = out->domain == AF_INET6 && number(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
    return message_address(&name, len, out->domain, &out->local);
}

/* ---- closing what others own ------------------------------------------------------- */

static void *close_one(void *ctx)
{
    close((int)(intptr_t)ctx);
    return NULL;
}

void kernel_close(int fd)
{
    struct linger none = {0, 0};
    pthread_attr_t attr;
    pthread_t thread;

    if (fd < 0)
        return;
    /* A socket with SO_LINGER would let its last owner wait. */
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0 || errno != ENOTSOCK) {
        close(fd);
        return;
    }
    /* Another file system's file may take its time over it. */
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, close_one, (void *)(intptr_t)fd) != 0)
        close(fd);
    pthread_attr_destroy(&attr);
}

/* ---- keepers ----------------------------------------------------------------------- */

struct keeper *keeper_new(struct serve *v, int fd, uid_t uid, bool hold, uint16_t *port, int *error)
{
    struct keeper *k = calloc(1, sizeof *k);

    *error = k ? 0 : ENOMEM;
    if (k && hold)
        *error = -host_hold(v->host, fd, port);
    if (*error) {
        kernel_close(fd);
        free(k);
        return NULL;
    }
    *k = (struct keeper){.serve = v, .fd = fd, .users = 1, .uid = uid};
    list_init(&k->link);
    if (hold) {
        k->port = *port;
        list_append(&v->keepers, &k->link);
    }
    return k;
}

struct keeper *keeper_use(struct keeper *k)
{
    k->users++;
    return k;
}

static void keeper_give_up(struct keeper *k)
{
    if (k->port && k->fd >= 0)
        host_release(k->serve->host, k->fd, k->port);
    kernel_close(k->fd);
    k->fd = -1;
    list_remove(&k->link);
    if (k->users == 0)
        free(k);
}

void keeper_drop(struct keeper *k)
{
    struct serve *v = k ? k->serve : NULL;

    if (!k || --k->users > 0)
        return;
    if (k->port == 0 || k->fd < 0) {
        keeper_give_up(k);
        return;
    }
    k->until_us = host_now(v->host) + GOODBYE_MAX_US;
    host_timer_set(v->host, v->keepers_due, host_now(v->host) + LOOK_AGAIN_US);
}

/* No connection is left that could still send. */
static bool quiet(struct serve *v)
{
    struct plait_memory memory;

    plait_stack_memory(host_stack(v->host), &memory);
    return memory.conns == memory.conns_waiting;
}

static void keepers_look(void *ctx)
{
    struct serve *v = ctx;
    uint64_t now_us = host_now(v->host);
    bool over = quiet(v), more = false;

    list_each(k, &v->keepers, struct keeper, link) {
        if (k->users > 0)
            continue;
        if (over || k->until_us <= now_us)
            keeper_give_up(k);
        else
            more = true;
    }
    if (more)
        host_timer_set(v->host, v->keepers_due, now_us + LOOK_AGAIN_US);
}

int keeper_release(struct serve *v, const struct plait_endpoint *at, uid_t uid, int for_fd)
{
    bool reuse = number(for_fd, SOL_SOCKET, SO_REUSEADDR) == 1;
    int error = EADDRINUSE;

    list_each(k, &v->keepers, struct keeper, link) {
        /* Connections that live keep it from whoever did not ask for SO_REUSEADDR. */
        if (k->port != at->port || k->listening || (k->uid != uid && uid != 0) ||
            (k->users > 0 && !reuse))
            continue;
        keeper_give_up(k);
        error = 0;
    }
    return error;
}

bool keepers_open(struct serve *v)
{
    v->keepers_due = host_timer_new(v->host, keepers_look, v);
    return v->keepers_due != NULL;
}

void keepers_free(struct serve *v)
{
    list_each(k, &v->keepers, struct keeper, link)
        keeper_give_up(k);
    host_timer_free(v->host, v->keepers_due);
}
