/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/serve.h"

/* Four of the largest pieces that the kernel puts into a unix socket at once: with
 * one of them, of which a byte was left, the socket still counts as writable. */
enum { BUFFER_BYTES = 212992, LISTENER_BUFFER_BYTES = 1, FILL_BYTES = 1 << 16 };

static struct list *bucket_of(struct serve *v, uint64_t cookie)
{
    return &v->buckets[cookie % SERVE_BUCKETS];
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static socklen_t name_address(const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, name, SHIM_NAME_LEN);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + SHIM_NAME_LEN);
}

/* A name that nobody has, and a mark by which the library knows the channel. */
static int give_name(int program, int kind, char *name)
{
    struct sockaddr_un at;
    uint64_t random;
    char digits[17];

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return EAGAIN;
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)random);
    memcpy(name, SHIM_NAME_PREFIX "./", SHIM_NAME_LEN - 16);
    name[SHIM_NAME_KIND] = (char)kind;
    memcpy(name + SHIM_NAME_LEN - 16, digits, 16);
    socklen_t len = name_address(name, &at);
    return bind(program, (struct sockaddr *)&at, len) == 0 ? 0 : errno;
}

int channel_open(struct served *s, struct serve *v, int kind, uid_t uid, int *program)
{
    struct user *u = user_get(v, uid);
    int type = kind == SHIM_KIND_LISTENER ? SOCK_SEQPACKET : SOCK_STREAM, pair[2];
    int buffer = kind == SHIM_KIND_LISTENER ? LISTENER_BUFFER_BYTES : BUFFER_BYTES;
    int ours = BUFFER_BYTES;

    s->fd = *program = -1;
    list_init(&s->link);
    list_init(&s->remains_link);
    if (!u)
        return ENOMEM;
    if (u->sockets >= v->user_sockets_max) {
        user_check(u);
        return ENFILE;
    }
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) {
        user_check(u);
        return errno;
    }
    int error = give_name(pair[1], kind, s->name);
    if (error) {
        user_check(u);
        close(pair[0]);
        close(pair[1]);
        return error;
    }
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &ours, sizeof ours);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    s->serve = v;
    s->user = u;
    s->kind = kind;
    s->fd = pair[0];
    s->cookie = cookie_of(pair[1]);
    u->sockets++;
    list_append(bucket_of(v, s->cookie), &s->link);
    *program = pair[1];
    return 0;
}

bool channel_fill(int program)
{
    static const char filler[FILL_BYTES];
    enum { TRIES = 4096 };
    ssize_t n = 0;

    /* Down to single bytes: the rest of a buffer may be small. */
    for (size_t piece = sizeof filler, i = 0; i < TRIES; i++) {
        n = send(program, filler, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            continue;
        if (piece == 1)
            break;
        piece = 1;
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct served *channel_find(struct serve *v, int fd)
{
    uint64_t cookie = cookie_of(fd);

    if (cookie == 0)
        return NULL;
    list_each(s, bucket_of(v, cookie), struct served, link) {
        if (s->cookie == cookie)
            return s;
    }
    return NULL;
}

bool channel_gone(const struct served *s)
{
    struct sockaddr_un at;
    socklen_t len = name_address(s->name, &at);
    int type = s->kind == SHIM_KIND_LISTENER ? SOCK_SEQPACKET : SOCK_STREAM;
    int probe = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (probe < 0)
        return false;
    bool free = bind(probe, (struct sockaddr *)&at, len) == 0;
    close(probe);
    return free;
}

static void close_end(struct served *s)
{
    if (s->fd < 0)
        return;
    host_watch(s->serve->host, s->fd, 0, NULL, NULL);
    close(s->fd);
    s->fd = -1;
}

void channel_remain(struct served *s)
{
    struct user *u = s->user;

    close_end(s);
    list_append(&u->remains, &s->remains_link);
    if (++u->remains_count <= SERVE_REMAINS_MAX)
        return;
    struct served *oldest = list_first(&u->remains, struct served, remains_link);
    oldest->free(oldest);
}

void channel_close(struct served *s)
{
    close_end(s);
    list_remove(&s->link);
    if (list_linked(&s->remains_link))
        s->user->remains_count--;
    list_remove(&s->remains_link);
    keeper_drop(s->kernel);
    keeper_drop(s->origin);
    keeper_drop(s->hold);
    s->kernel = s->origin = s->hold = NULL;
    s->user->sockets--;
    user_check(s->user);
}

int channel_kernel(struct served *s)
{
    uint16_t port;
    int error;

    if (s->kernel)
        return s->kernel->fd;
    int fd = socket(s->domain, SOCK_STREAM | SOCK_CLOEXEC, s->protocol);
    if (fd < 0 && s->protocol == IPPROTO_MPTCP) /* this kernel has none */
        fd = socket(s->domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    if (s->origin && s->origin->fd >= 0)
        options_inherit(s->origin->fd, fd);
    s->kernel = keeper_new(s->serve, fd, s->user->uid, false, &port, &error);
    errno = error;
    return s->kernel ? s->kernel->fd : -1;
}
