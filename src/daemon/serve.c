/* SPDX-License-Identifier: MIT
 *
 * Lines: one connection, one request, one answer. The exception is a connect that
 * waits: its second answer comes when the connection is there, or is not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/serve.h"

#ifndef SO_NETNS_COOKIE
enum { SO_NETNS_COOKIE = 71 };
#endif

enum { LINES_AT_ONCE = 64 };

struct line {
    struct list link;
    struct serve *serve;
    struct user *user;
    struct caller caller;
    int fd;
    bool known;               /* caller is filled in */
    struct served_conn *conn; /* whose second answer it waits for */
};

/* ---- users ------------------------------------------------------------------------- */

struct user *user_get(struct serve *v, uid_t uid)
{
    list_each(u, &v->users, struct user, link) {
        if (u->uid == uid)
            return u;
    }
    struct user *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->uid = uid;
    list_init(&u->remains);
    list_append(&v->users, &u->link);
    return u;
}

void user_check(struct user *u)
{
    if (u->sockets > 0 || u->lines > 0)
        return;
    list_remove(&u->link);
    free(u);
}

/* ---- lines ------------------------------------------------------------------------- */

const struct caller *line_caller(struct line *l)
{
    if (!l->known)
        caller_of(l->fd, &l->caller);
    l->known = true;
    return &l->caller;
}

static void line_close(struct line *l)
{
    if (l->conn)
        l->conn->waiter = NULL;
    host_watch(l->serve->host, l->fd, 0, NULL, NULL);
    close(l->fd);
    list_remove(&l->link);
    l->user->lines--;
    user_check(l->user);
    free(l);
}

static void line_send(struct line *l, const struct answer *a)
{
    struct shim_answer head = {.version = SHIM_VERSION,
                               .what = (uint16_t)a->what,
                               .error = a->error,
                               .len = a->len};
    struct iovec iov[2] = {{&head, sizeof head}, {(void *)(uintptr_t)a->data, a->len}};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = a->len ? 2 : 1};

    if (a->fd >= 0) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &a->fd, sizeof(int));
    }
    sendmsg(l->fd, &msg,
            MSG_DONTWAIT | MSG_NOSIGNAL); /* who does not wait for it has no use for it */
}

void line_finish(struct line *l, int error)
{
    line_send(l, &(struct answer){.error = error, .fd = -1});
    line_close(l);
}

/* ---- requests ---------------------------------------------------------------------- */

static void name_answer(struct served *s, const struct plait_endpoint *e, void *room,
                        struct answer *a)
{
    a->len = message_sockaddr(e, s->domain, room);
    a->data = room;
}

static void about_channel(struct request *r, struct served *s, struct answer *a)
{
    static struct value value; /* one thread, and gone once the answer is sent */
    bool connection = s->kind == SHIM_KIND_CONNECTION;
    int queued = 0;

    switch ((enum shim_op)r->head.op) {
    case SHIM_CONNECT:
    case SHIM_DISCONNECT:
        if (!connection)
            a->error = r->head.op == SHIM_CONNECT ? EISCONN : EOPNOTSUPP;
        else if (r->head.op == SHIM_CONNECT)
            conn_again(conn_of(s), r, a);
        else
            conn_disconnect(conn_of(s), a);
        return;
    case SHIM_LISTEN:
        a->error = connection ? EINVAL : 0;
        return;
    case SHIM_SET:
        value.len = r->head.len;
        memcpy(value.bytes, r->data, r->head.len);
        a->error = option_set(s, line_caller(r->line), r->head.level, r->head.number, &value);
        return;
    case SHIM_GET:
        value.len = r->head.len;
        memcpy(value.bytes, r->data, r->head.len);
        a->error = option_get(s, r->head.level, r->head.number, &value);
        a->data = value.bytes;
        a->len = a->error ? 0 : value.len;
        return;
    case SHIM_LOCAL:
        conn_names(s);
        name_answer(s, &s->local, value.bytes, a);
        return;
    case SHIM_REMOTE:
        if (connection && conn_connected(conn_of(s)))
            name_answer(s, &s->remote, value.bytes, a);
        else
            a->error = ENOTCONN;
        return;
    case SHIM_QUEUED:
        a->error = info_queued(s, r->head.number, &queued);
        memcpy(value.bytes, &queued, sizeof queued);
        a->data = value.bytes;
        a->len = a->error ? 0 : sizeof queued;
        return;
    case SHIM_RELEASE:
        a->error = EADDRINUSE;
        return;
    }
}

static void about_kernel(struct serve *v, struct request *r, struct answer *a)
{
    struct kernel_socket k;
    struct plait_endpoint at;

    switch (r->head.op) {
    case SHIM_CONNECT:
        conn_connect(v, r, a);
        return;
    case SHIM_LISTEN:
        listener_listen(v, r, a);
        return;
    case SHIM_RELEASE:
        a->error = kernel_look(v, r->fd, &k);
        if (!a->error)
            a->error = message_address(r->data, r->head.len, k.domain, &at);
        if (!a->error)
            a->error = keeper_release(v, &at, line_caller(r->line)->uid, r->fd);
        return;
    default:
        a->error = EBADF;
        return;
    }
}

static void serve_request(struct request *r)
{
    struct serve *v = r->line->serve;
    struct answer a = {.fd = -1};
    struct served *s = channel_find(v, r->fd);

    if (s)
        about_channel(r, s, &a);
    else
        about_kernel(v, r, &a);
    kernel_close(r->fd);
    line_send(r->line, &a);
    if (a.fd >= 0)
        close(a.fd);
    if (a.waits && !a.error)
        r->line->conn = r->waits_for;
    else
        line_close(r->line);
}

/* False: nothing has come yet. */
static bool line_read(struct line *l)
{
    static unsigned char room[sizeof(struct shim_request) + SHIM_DATA_MAX + 1];
    struct iovec iov = {room, sizeof room};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    struct request r = {.fd = -1, .line = l};
    ssize_t n = recvmsg(l->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&r.fd, CMSG_DATA(c), sizeof r.fd);
    if (n <= 0 || l->conn || r.fd < 0 || !message_request(room, (size_t)n, &r.head, &r.data)) {
        kernel_close(r.fd);
        line_close(l); /* it hung up, or does not know how to ask */
        return true;
    }
    serve_request(&r);
    return true;
}

static void on_line(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    line_read(ctx);
}

static void line_open(struct serve *v, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    struct line *l = calloc(1, sizeof *l);
    struct user *u = l && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0
                         ? user_get(v, cred.uid)
                         : NULL;

    if (!u || u->lines >= v->user_lines_max) {
        close(fd);
        free(l);
        return;
    }
    *l = (struct line){.serve = v, .fd = fd, .user = u};
    u->lines++;
    list_append(&v->lines, &l->link);
    if (host_watch(v->host, fd, HOST_IN, on_line, l) != 0)
        line_close(l);
}

static void on_listen(void *ctx, int fd, unsigned events)
{
    struct serve *v = ctx;
    (void)events;

    for (unsigned i = 0; i < LINES_AT_ONCE; i++) {
        int line = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (line < 0)
            return;
        line_open(v, line);
    }
}

/* ---- opening and closing ----------------------------------------------------------- */

/* As many descriptors as we may; a user gets a quarter of them for sockets, of
 * which each needs up to three here. */
static void take_limits(struct serve *v)
{
    enum { ENOUGH = 1 << 20, EACH = 3, SHARE = 4, LINES = 16 };
    struct rlimit files = {0};

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < ENOUGH ? files.rlim_max : ENOUGH;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    v->user_sockets_max = (unsigned)(files.rlim_cur / SHARE * (SHARE - 1) / EACH);
    v->user_lines_max = (unsigned)(files.rlim_cur / LINES);
}

static int serve_fail(struct host_error *err, int error)
{
    err->failure = HOST_FAIL_OTHER;
    snprintf(err->text, sizeof err->text, "programs cannot be served: %s", strerror(error));
    return err->failure;
}

int serve_open(struct daemon *d, int listen_fd, struct serve **out, struct host_error *err)
{
    struct serve *v = calloc(1, sizeof *v);
    socklen_t len = sizeof v->netns;

    *out = NULL;
    if (!v) {
        close(listen_fd);
        return serve_fail(err, ENOMEM);
    }
    *v = (struct serve){.daemon = d, .host = daemon_host(d), .listen_fd = listen_fd};
    list_init(&v->users);
    list_init(&v->lines);
    list_init(&v->keepers);
    for (unsigned i = 0; i < SERVE_BUCKETS; i++)
        list_init(&v->buckets[i]);
    getsockopt(listen_fd, SOL_SOCKET, SO_NETNS_COOKIE, &v->netns, &len);
    take_limits(v);
    int error = keepers_open(v) ? 0 : ENOMEM;
    if (!error)
        error = -host_watch(v->host, listen_fd, HOST_IN, on_listen, v);
    if (error) {
        serve_close(v);
        return serve_fail(err, error);
    }
    *out = v;
    return HOST_OK;
}

void serve_close(struct serve *v)
{
    if (!v)
        return;
    v->closing = true;
    list_each(l, &v->lines, struct line, link)
        line_close(l);
    for (unsigned i = 0; i < SERVE_BUCKETS; i++)
        list_each(s, &v->buckets[i], struct served, link)
            s->free(s);
    if (v->keepers_due)
        keepers_free(v);
    host_watch(v->host, v->listen_fd, 0, NULL, NULL);
    close(v->listen_fd);
    free(v);
}
