/* SPDX-License-Identifier: MIT
 *
 * From the kernel's socket to a channel and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "shim/shim.h"

static int fail(int error)
{
    errno = error;
    return -1;
}

/* ---- another file under the same number -------------------------------------------- */

static void copy_option(int from, int to, int name)
{
    struct timeval value;
    socklen_t len = sizeof value;

    if (shim()->real.getsockopt(from, SOL_SOCKET, name, &value, &len) == 0)
        shim()->real.setsockopt(to, SOL_SOCKET, name, &value, len);
}

/* `fd` is `other` from now on, which is closed, with fd's own flags. */
static int swap(int fd, int other)
{
    int status = fcntl(fd, F_GETFL), flags = fcntl(fd, F_GETFD), done;

    if (status < 0 || flags < 0) {
        close(other);
        return EBADF;
    }
    fcntl(other, F_SETFL, status & ~O_ACCMODE);
    copy_option(fd, other, SO_RCVTIMEO);
    copy_option(fd, other, SO_SNDTIMEO);
    polls_detach(fd);
    do
        done = dup3(other, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    while (done < 0 && (errno == EINTR || errno == EBUSY));
    int error = done < 0 ? errno : 0;
    polls_attach(fd);
    close(other);
    return error;
}

static bool blocking(int fd)
{
    int status = fcntl(fd, F_GETFL);

    return status >= 0 && !(status & O_NONBLOCK);
}

/* ---- connect ----------------------------------------------------------------------- */

/* How long connect(2) may take is SO_SNDTIMEO. */
static int wait_connected(int fd, int line)
{
    struct timeval limit;
    socklen_t len = sizeof limit;

    if (shim()->real.getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &len) == 0)
        shim()->real.setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &limit, len);
    int error = ask_result(line);
    if (error < 0)
        error = errno == EAGAIN ? EINPROGRESS : errno;
    close(line);
    return error ? fail(error) : 0;
}

static int connect_kernel(int fd, const struct sockaddr *to, socklen_t len)
{
    struct ask a = {.op = SHIM_CONNECT, .fd = fd, .data = to, .len = len};
    bool wait = blocking(fd);

    a.flags = wait ? SHIM_WAIT : 0;
    int error = ask(&a);
    if (error)
        return fail(error);
    if (a.what != SHIM_CARRIED || a.channel < 0)
        return shim()->real.connect(fd, to, len);
    error = swap(fd, a.channel);
    if (error) {
        if (a.line >= 0)
            close(a.line);
        return fail(error);
    }
    return wait ? wait_connected(fd, a.line) : fail(EINPROGRESS);
}

/* On a channel: how the attempt goes, or a new one after one that failed. */
static int connect_again(int fd, const struct sockaddr *to, socklen_t len)
{
    struct ask a = {.op = SHIM_CONNECT, .fd = fd, .data = to, .len = len};

    a.flags = blocking(fd) ? SHIM_WAIT : 0;
    int error = ask(&a);
    if (error)
        return fail(error);
    if (a.what != SHIM_FRESH || a.channel < 0)
        return a.line >= 0 ? wait_connected(fd, a.line) : 0;
    if (a.line >= 0)
        close(a.line);
    error = swap(fd, a.channel);
    return error ? fail(error) : carry_connect(fd, to, len);
}

static int disconnect(int fd)
{
    struct ask a = {.op = SHIM_DISCONNECT, .fd = fd};
    int error = ask(&a);

    if (!error && a.channel >= 0)
        error = swap(fd, a.channel);
    return error ? fail(error) : 0;
}

int carry_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    bool internet = len >= sizeof(struct sockaddr_in) &&
                    (to->sa_family == AF_INET || to->sa_family == AF_INET6) && len <= SHIM_ADDR_MAX;
    bool none = len >= sizeof to->sa_family && to->sa_family == AF_UNSPEC;
    const char *why;

    if (!internet && !none)
        return shim()->real.connect(fd, to, len);
    int kind = channel_kind(fd, NULL);
    if (kind)
        return none ? disconnect(fd) : connect_again(fd, to, len);
    if (none || !kernel_stream(fd))
        return shim()->real.connect(fd, to, len);
    bool carried = rules_carry(&shim()->rules, to, &why);
    explain(SHIM_CONNECT, carried, to, len, why);
    return carried ? connect_kernel(fd, to, len) : shim()->real.connect(fd, to, len);
}

/* ---- listen ------------------------------------------------------------------------ */

/* An MPTCP socket becomes a TCP one that is bound like it. */
static int become_plain(int fd, int other, const struct sockaddr_storage *at)
{
    socklen_t len =
        at->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int error = swap(fd, other);

    if (!error && shim()->real.bind(fd, (const struct sockaddr *)at, len) != 0)
        error = errno;
    return error;
}

int carry_listen(int fd, int backlog)
{
    struct sockaddr_storage at;
    const char *why;
    int kind = channel_kind(fd, &at);

    if (!kind) {
        if (!kernel_stream(fd))
            return shim()->real.listen(fd, backlog);
        bool carried = rules_listen(&shim()->rules, (struct sockaddr *)&at, &why);
        explain(SHIM_LISTEN, carried, (struct sockaddr *)&at, SHIM_ADDR_MAX, why);
        if (!carried)
            return shim()->real.listen(fd, backlog);
    }
    struct ask a = {.op = SHIM_LISTEN, .fd = fd, .number = backlog};
    int error = ask(&a);
    if (error)
        return fail(error);
    if (a.what == SHIM_DIRECT)
        return shim()->real.listen(fd, backlog);
    if (a.what == SHIM_FRESH && a.channel >= 0) {
        error = become_plain(fd, a.channel, &at);
        a.flags = SHIM_MPTCP;
        if (!error)
            error = ask(&a);
    }
    if (!error && a.what == SHIM_CARRIED && a.channel >= 0)
        error = swap(fd, a.channel);
    return error ? fail(error) : 0;
}
