/* SPDX-License-Identifier: MIT
 *
 * One request is one connection to the daemon, opened, used and closed: nothing
 * is kept that a fork would share or a closefrom would close.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/shim.h"

union control {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static int line_open(void)
{
    const struct shim *s = shim();
    int fd = s->real.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int failed;
    do
        failed = s->real.connect(fd, (const struct sockaddr *)&s->daemon, sizeof s->daemon);
    while (failed && errno == EINTR);
    if (!failed)
        return fd;
    close(fd);
    return -ENETDOWN;
}

static int line_send(int line, const struct ask *a)
{
    struct shim_request request = {.version = SHIM_VERSION,
                                   .op = a->op,
                                   .flags = a->flags,
                                   .level = a->level,
                                   .number = a->number,
                                   .len = (uint32_t)a->len};
    struct iovec iov[2] = {{&request, sizeof request}, {(void *)(uintptr_t)a->data, a->len}};
    union control control = {{0}};
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = a->len ? 2 : 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    ssize_t n;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &a->fd, sizeof(int));
    do
        n = shim()->real.sendmsg(line, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? (errno == EBADF ? EBADF : ENETDOWN) : 0;
}

/* The descriptor that came along, or -1. */
static int received_fd(struct msghdr *msg)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* 0, or an errno: EINTR is one of them. */
static int line_receive(int line, struct shim_answer *answer, struct ask *a)
{
    struct iovec iov[2] = {{answer, sizeof *answer}, {a->room, a->room_len}};
    union control control;
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = a->room_len ? 2 : 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(line, &msg, MSG_CMSG_CLOEXEC);

    if (n < 0)
        return errno == ECONNRESET ? ENETDOWN : errno;
    a->channel = received_fd(&msg);
    if (n < (ssize_t)sizeof *answer || answer->version != SHIM_VERSION)
        return ENETDOWN; /* it is gone, or another version */
    a->got = answer->len;
    a->what = answer->what;
    if (msg.msg_flags & MSG_CTRUNC)
        return EMFILE;
    return answer->error;
}

int ask(struct ask *a)
{
    struct shim_answer answer;
    int line = line_open();

    a->channel = a->line = -1;
    a->got = 0;
    a->what = SHIM_DONE;
    if (line < 0)
        return -line;
    int error = a->len <= SHIM_DATA_MAX ? line_send(line, a) : EINVAL;
    if (!error)
        do
            error = line_receive(line, &answer, a);
        while (error == EINTR);
    if (!error && a->flags & SHIM_WAIT && a->what != SHIM_DIRECT) {
        a->line = line;
        return 0;
    }
    close(line);
    return error;
}

int ask_result(int line)
{
    struct shim_answer answer;
    ssize_t n = recv(line, &answer, sizeof answer, 0);

    if (n < 0 && errno != ECONNRESET)
        return -1;
    return n == sizeof answer && answer.version == SHIM_VERSION ? answer.error : ENETDOWN;
}

void explain(uint8_t op, bool carried, const struct sockaddr *addr, socklen_t len, const char *why)
{
    const struct shim *s = shim();
    struct shim_note note = {.version = SHIM_VERSION, .op = op, .carried = carried};
    int before = errno;

    if (!s->explain.sun_family)
        return;
    int fd = s->real.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        note.pid = (int32_t)getpid();
        prctl(PR_GET_NAME, note.program);
        note.addr_len = len < sizeof note.addr ? (uint32_t)len : (uint32_t)sizeof note.addr;
        memcpy(note.addr, addr, note.addr_len);
        strncpy(note.why, why, sizeof note.why - 1);
        s->real.sendto(fd, &note, sizeof note, MSG_NOSIGNAL, (const struct sockaddr *)&s->explain,
                       sizeof s->explain);
        close(fd);
    }
    errno = before;
}
