/* SPDX-License-Identifier: MIT
 *
 * The calls that libplait-preload.so puts in the place of the C library's. Each
 * asks first whether it is about something of ours; what is not goes on to the C
 * library as it came.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/shim.h"

#define SHOWN __attribute__((visibility("default")))

/* ---- the beginning ----------------------------------------------------------------- */

static struct shim the;
static atomic_bool ready;

static bool take_path(const char *variable, struct sockaddr_un *out)
{
    const char *path = getenv(variable);

    if (!path || !*path || strlen(path) >= sizeof out->sun_path)
        return false;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, strlen(path) + 1);
    return true;
}

static void find(void *at, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    memcpy(at, &symbol, sizeof symbol); /* ISO C knows no cast from one to the other */
}

static void fill(struct shim *s)
{
    find(&s->real.socket, "socket");
    find(&s->real.connect, "connect");
    find(&s->real.bind, "bind");
    find(&s->real.listen, "listen");
    find(&s->real.accept4, "accept4");
    find(&s->real.getsockname, "getsockname");
    find(&s->real.getpeername, "getpeername");
    find(&s->real.setsockopt, "setsockopt");
    find(&s->real.getsockopt, "getsockopt");
    find(&s->real.sendto, "sendto");
    find(&s->real.sendmsg, "sendmsg");
    find(&s->real.ioctl, "ioctl");
    find(&s->real.epoll_ctl, "epoll_ctl");
    const char *rules = getenv(SHIM_ENV_RULES);
    s->on = take_path(SHIM_ENV_SOCKET, &s->daemon) && rules_parse(rules ? rules : "", &s->rules);
    take_path(SHIM_ENV_EXPLAIN, &s->explain);
}

const struct shim *shim(void)
{
    if (!atomic_load_explicit(&ready, memory_order_acquire)) {
        int before = errno;
        fill(&the); /* twice at most, with the same result */
        atomic_store_explicit(&ready, true, memory_order_release);
        errno = before;
    }
    return &the;
}

__attribute__((constructor)) static void begin(void)
{
    shim();
}

/* ---- descriptors ------------------------------------------------------------------- */

int channel_kind(int fd, struct sockaddr_storage *name)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    int before = errno;
    const char *path = ((const struct sockaddr_un *)(const void *)&at)->sun_path;
    enum { PATH_AT = offsetof(struct sockaddr_un, sun_path) };

    at.ss_family = 0;
    if (!shim()->on || shim()->real.getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        at.ss_family = 0;
    errno = before;
    if (name)
        *name = at;
    if (at.ss_family != AF_UNIX || len != PATH_AT + SHIM_NAME_LEN ||
        memcmp(path, SHIM_NAME_PREFIX, sizeof SHIM_NAME_PREFIX - 1) != 0)
        return 0;
    int kind = path[SHIM_NAME_KIND];
    return kind == SHIM_KIND_CONNECTION || kind == SHIM_KIND_LISTENER ? kind : 0;
}

static int option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return shim()->real.getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

bool kernel_stream(int fd)
{
    int before = errno;
    int protocol = option(fd, SO_PROTOCOL);

    errno = before;
    return shim()->on && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

/* What ask says, as a call returns it. */
static int result(int error)
{
    if (!error)
        return 0;
    errno = error;
    return -1;
}

/* ---- sockets come into being ------------------------------------------------------- */

SHOWN int socket(int domain, int type, int protocol)
{
    int before = errno, fd = shim()->real.socket(domain, type, protocol);

    /* Where the kernel has no Multipath TCP, or may not use it, plait still has. */
    if (fd < 0 && shim()->on && protocol == IPPROTO_MPTCP &&
        (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT || errno == EINVAL)) {
        errno = before;
        fd = shim()->real.socket(domain, type, IPPROTO_TCP);
    }
    return fd;
}

SHOWN int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    return shim()->on && to ? carry_connect(fd, to, len) : shim()->real.connect(fd, to, len);
}

SHOWN int listen(int fd, int backlog)
{
    return shim()->on ? carry_listen(fd, backlog) : shim()->real.listen(fd, backlog);
}

SHOWN int bind(int fd, const struct sockaddr *at, socklen_t len)
{
    int done = shim()->real.bind(fd, at, len);

    if (done == 0 || errno != EADDRINUSE || !at || len > SHIM_ADDR_MAX || !kernel_stream(fd))
        return done;
    struct ask a = {.op = SHIM_RELEASE, .fd = fd, .data = at, .len = len};
    return ask(&a) == 0 ? shim()->real.bind(fd, at, len) : result(EADDRINUSE);
}

/* ---- accept ------------------------------------------------------------------------ */

static void hand_out(const void *from, size_t from_len, struct sockaddr *addr, socklen_t *len)
{
    if (!addr || !len)
        return;
    memcpy(addr, from, from_len < *len ? from_len : *len);
    *len = (socklen_t)from_len;
}

static int accept_channel(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct shim_accepted record;
    struct iovec iov = {&record, sizeof record};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    int accepted = -1;

    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return result(EINVAL);
    ssize_t n = recvmsg(fd, &msg, flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0);
    if (n < 0)
        return errno == ECONNRESET ? result(EINVAL) : -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&accepted, CMSG_DATA(c), sizeof accepted);
    if (n != sizeof record || record.remote_len > SHIM_ADDR_MAX) /* shut down */
        return result(EINVAL);
    if (accepted < 0)
        return result(EMFILE);
    if (flags & SOCK_NONBLOCK)
        fcntl(accepted, F_SETFL, O_NONBLOCK);
    hand_out(record.remote, record.remote_len, addr, len);
    return accepted;
}

SHOWN int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    if (channel_kind(fd, NULL) == SHIM_KIND_LISTENER)
        return accept_channel(fd, addr, len, flags);
    return shim()->real.accept4(fd, addr, len, flags);
}

SHOWN int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return accept4(fd, addr, len, 0);
}

/* ---- names ------------------------------------------------------------------------- */

static int ask_name(uint16_t op, int fd, struct sockaddr *addr, socklen_t *len)
{
    unsigned char room[SHIM_ADDR_MAX];
    struct ask a = {.op = op, .fd = fd, .room = room, .room_len = sizeof room};
    int error = !addr || !len ? EFAULT : ask(&a);

    if (error)
        return result(error);
    hand_out(room, a.got < sizeof room ? a.got : sizeof room, addr, len);
    return 0;
}

SHOWN int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return channel_kind(fd, NULL) ? ask_name(SHIM_LOCAL, fd, addr, len)
                                  : shim()->real.getsockname(fd, addr, len);
}

SHOWN int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return channel_kind(fd, NULL) ? ask_name(SHIM_REMOTE, fd, addr, len)
                                  : shim()->real.getpeername(fd, addr, len);
}

/* ---- options ----------------------------------------------------------------------- */

/* What the channel itself has to know besides. */
static bool for_channel(int level, int name)
{
    return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

SHOWN int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (!channel_kind(fd, NULL))
        return shim()->real.setsockopt(fd, level, name, value, len);
    if (for_channel(level, name) && shim()->real.setsockopt(fd, level, name, value, len) != 0)
        return -1;
    if (!value && len)
        return result(EFAULT);
    struct ask a = {.op = SHIM_SET,
                    .fd = fd,
                    .level = level,
                    .number = name,
                    .data = value,
                    .len = len < SHIM_DATA_MAX ? len : SHIM_DATA_MAX};
    return result(ask(&a));
}

SHOWN int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (!channel_kind(fd, NULL) || for_channel(level, name))
        return shim()->real.getsockopt(fd, level, name, value, len);
    if (!value || !len)
        return result(EFAULT);
    size_t room = *len < SHIM_DATA_MAX ? *len : SHIM_DATA_MAX;
    /* Some options are asked with a question in the value. */
    struct ask a = {.op = SHIM_GET,
                    .fd = fd,
                    .level = level,
                    .number = name,
                    .data = value,
                    .len = room,
                    .room = value,
                    .room_len = room};
    int error = ask(&a);
    if (level == SOL_SOCKET && name == SO_ERROR) { /* asking takes it, from the channel too */
        int left;
        socklen_t left_len = sizeof left;
        shim()->real.getsockopt(fd, level, name, error ? value : &left, error ? len : &left_len);
        if (error == ENETDOWN)
            return 0;
    }
    if (error)
        return result(error);
    *len = (socklen_t)(a.got < room ? a.got : room);
    return 0;
}

SHOWN int ioctl(int fd, unsigned long request, ...)
{
    va_list args;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if ((request != SIOCOUTQ && request != SIOCOUTQNSD) || !channel_kind(fd, NULL))
        return shim()->real.ioctl(fd, request, arg);
    struct ask a = {
        .op = SHIM_QUEUED, .fd = fd, .number = (int)request, .room = arg, .room_len = sizeof(int)};
    return result(ask(&a));
}

/* ---- what names a destination on a stream ------------------------------------------ */

/* With MSG_FASTOPEN an unconnected socket connects first. 1: go on without address
 * and flag; 0: it is not ours; -1: failed. */
static int addressed(int fd, const struct sockaddr *to, socklen_t len, int flags)
{
    int kind = to || flags & MSG_FASTOPEN ? channel_kind(fd, NULL) : 0;
    const char *why;

    if (kind == SHIM_KIND_CONNECTION)
        return 1;
    if (!to || !(flags & MSG_FASTOPEN) || len > SHIM_ADDR_MAX || !kernel_stream(fd) ||
        !rules_carry(&shim()->rules, to, &why))
        return 0;
    if (carry_connect(fd, to, len) != 0)
        return -1;
    return channel_kind(fd, NULL) ? 1 : 0;
}

SHOWN ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
                     socklen_t len)
{
    switch (shim()->on ? addressed(fd, to, len, flags) : 0) {
    case 0:
        return shim()->real.sendto(fd, data, size, flags, to, len);
    case 1:
        return shim()->real.sendto(fd, data, size, flags & ~MSG_FASTOPEN, NULL, 0);
    default:
        return -1;
    }
}

SHOWN ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct msghdr copy;

    switch (shim()->on && msg ? addressed(fd, msg->msg_name, msg->msg_namelen, flags) : 0) {
    case 0:
        return shim()->real.sendmsg(fd, msg, flags);
    case 1:
        copy = *msg;
        copy.msg_name = NULL;
        copy.msg_namelen = 0;
        return shim()->real.sendmsg(fd, &copy, flags & ~MSG_FASTOPEN);
    default:
        return -1;
    }
}

/* ---- epoll ------------------------------------------------------------------------- */

SHOWN int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    int done = shim()->real.epoll_ctl(epoll_fd, op, fd, event);

    if (done == 0 && shim()->on)
        polls_note(epoll_fd, op, fd, event);
    return done;
}
