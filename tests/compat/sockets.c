/* SPDX-License-Identifier: MIT
 *
 * What sockets do, said line by line: the same program runs under the kernel's
 * Multipath TCP and under plait run, and its lines are compared (rows_sockets.py).
 *
 *   sockets client HOST PORT PROTOCOL    PROTOCOL 6 or 262
 *   sockets server PORT PROTOCOL
 *   sockets peer PORT        what the client talks to: an echo that ends when told
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TCP_IS_MPTCP
enum { TCP_IS_MPTCP = 43 };
#endif

static int protocol, port;
static struct sockaddr_in host;

struct option {
    const char *name;
    int level, number;
    int values[3]; /* to set, one after the other */
};
#define ROW(level, name, ...)                                                                      \
    {                                                                                              \
#name, level, name,                                                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
static const struct option options[] = {
    ROW(SOL_SOCKET, SO_DEBUG, 0, 0, 0),
    ROW(SOL_SOCKET, SO_REUSEADDR, 1, 0, 1),
    ROW(SOL_SOCKET, SO_REUSEPORT, 1, 0, 0),
    ROW(SOL_SOCKET, SO_TYPE, 1, 1, 1),
    ROW(SOL_SOCKET, SO_DOMAIN, 2, 2, 2),
    ROW(SOL_SOCKET, SO_PROTOCOL, 6, 6, 6),
    ROW(SOL_SOCKET, SO_DONTROUTE, 1, 0, 0),
    ROW(SOL_SOCKET, SO_BROADCAST, 1, 0, 0),
    ROW(SOL_SOCKET, SO_SNDBUF, 1, 30000, 100000),
    ROW(SOL_SOCKET, SO_RCVBUF, 1, 30000, 100000),
    ROW(SOL_SOCKET, SO_KEEPALIVE, 1, 0, 1),
    ROW(SOL_SOCKET, SO_OOBINLINE, 1, 0, 0),
    ROW(SOL_SOCKET, SO_PRIORITY, 6, 3, 0),
    ROW(SOL_SOCKET, SO_RCVLOWAT, 100, 1, 1),
    ROW(SOL_SOCKET, SO_SNDLOWAT, 100, 1, 1),
    ROW(SOL_SOCKET, SO_MARK, 7, 0, 0),
    ROW(SOL_SOCKET, SO_TIMESTAMP, 1, 0, 0),
    ROW(SOL_SOCKET, SO_TIMESTAMPNS, 1, 0, 0),
    ROW(SOL_SOCKET, SO_BUSY_POLL, 0, 0, 0),
    ROW(SOL_SOCKET, SO_ACCEPTCONN, 1, 1, 1),
    ROW(SOL_SOCKET, SO_ERROR, 1, 1, 1),
    ROW(SOL_SOCKET, 9999, 1, 1, 1),
    ROW(IPPROTO_TCP, TCP_NODELAY, 1, 0, 1),
    ROW(IPPROTO_TCP, TCP_CORK, 1, 0, 0),
    ROW(IPPROTO_TCP, TCP_KEEPIDLE, 100, 0, 40000),
    ROW(IPPROTO_TCP, TCP_KEEPINTVL, 10, 0, 40000),
    ROW(IPPROTO_TCP, TCP_KEEPCNT, 4, 0, 200),
    ROW(IPPROTO_TCP, TCP_SYNCNT, 3, 0, 200),
    ROW(IPPROTO_TCP, TCP_LINGER2, 10, -1, 30),
    ROW(IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, 0, 0),
    ROW(IPPROTO_TCP, TCP_WINDOW_CLAMP, 100000, 1, 0),
    ROW(IPPROTO_TCP, TCP_QUICKACK, 1, 0, 1),
    ROW(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, -1, 0),
    ROW(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0, 0, 0),
    ROW(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000, 0, 0),
    ROW(IPPROTO_TCP, TCP_INQ, 1, 0, 2),
    ROW(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, 0, 0),
    ROW(IPPROTO_TCP, 999, 1, 1, 1),
    ROW(IPPROTO_IP, IP_TOS, 0x10, 0, 0),
    ROW(IPPROTO_IP, IP_TTL, 60, 0, 64),
    ROW(IPPROTO_IP, IP_FREEBIND, 1, 0, 0),
    ROW(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, 0, 0),
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static const char *word(int failed)
{
    static char text[64];

    if (!failed)
        return "ok";
    snprintf(text, sizeof text, "%s", strerrorname_np(errno));
    return text;
}

static void say_get(const char *state, const char *what, int fd, const struct option *o)
{
    int value = -12345;
    socklen_t len = sizeof value;
    int failed = getsockopt(fd, o->level, o->number, &value, &len);

    if (failed)
        printf("%s %s get%s: %s\n", state, o->name, what, word(failed));
    else
        printf("%s %s get%s: %d, %u bytes\n", state, o->name, what, value, len);
}

static void say_options(const char *state, int fd, int set)
{
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *o = &options[i];
        say_get(state, "", fd, o);
        for (int k = 0; set && k < 3; k++) {
            char what[32];
            printf("%s %s set %d: %s\n", state, o->name, o->values[k],
                   word(setsockopt(fd, o->level, o->number, &o->values[k], sizeof(int))));
            snprintf(what, sizeof what, " after %d", o->values[k]);
            say_get(state, what, fd, o);
        }
    }
    char cc[32] = "";
    socklen_t len = sizeof cc;
    printf("%s TCP_CONGESTION: %s", state,
           word(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, &len)));
    printf(" %s\n", cc);
    struct linger linger = {1, 5};
    printf("%s SO_LINGER set: %s\n", state,
           word(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)));
    linger = (struct linger){0, 0};
    len = sizeof linger;
    printf("%s SO_LINGER get: %s", state,
           word(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len)));
    printf(" %d %d\n", linger.l_onoff, linger.l_linger);
    char small = 1;
    printf("%s TCP_NODELAY of one byte: %s\n", state,
           word(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &small, 1)));
    printf("%s bad level: %s\n", state, word(setsockopt(fd, 12345, 1, &small, 1)));
}

static int open_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, protocol);

    if (fd < 0) {
        perror("socket");
        exit(1);
    }
    return fd;
}

static int poll_now(int fd, int wait_ms)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};

    poll(&p, 1, wait_ms);
    return p.revents;
}

static int error_of(int fd)
{
    int value = -1;
    socklen_t len = sizeof value;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len);
    return value;
}

static void say_peer(const char *state, int fd)
{
    struct sockaddr_in name = {0};
    socklen_t len = sizeof name;
    int failed = getpeername(fd, (struct sockaddr *)&name, &len);

    printf("%s getpeername: %s %s\n", state, word(failed),
           !failed && name.sin_addr.s_addr == host.sin_addr.s_addr ? "host" : "");
}

/* ---- how it fails ------------------------------------------------------------------ */

static void say_refused(void)
{
    struct sockaddr_in nobody = host;
    int fd = open_socket(0);

    nobody.sin_port = htons(9);
    printf("refused connect: %s\n", word(connect(fd, (struct sockaddr *)&nobody, sizeof nobody)));
    say_peer("refused", fd);
    printf("refused, then connect elsewhere: %s\n",
           word(connect(fd, (struct sockaddr *)&host, sizeof host)));
    close(fd);
    fd = open_socket(SOCK_NONBLOCK);
    printf("refused later connect: %s\n",
           word(connect(fd, (struct sockaddr *)&nobody, sizeof nobody)));
    poll_now(fd, 5000);
    printf("refused later poll: %x\n", poll_now(fd, 5000));
    printf("refused later SO_ERROR: %d\n", error_of(fd));
    printf("refused later SO_ERROR again: %d\n", error_of(fd));
    close(fd);
}

static void say_pending(void)
{
    struct sockaddr_in silent = host;
    int fd = open_socket(SOCK_NONBLOCK);
    char byte;

    silent.sin_addr.s_addr = htonl(ntohl(host.sin_addr.s_addr) + 90);
    printf("pending connect: %s\n", word(connect(fd, (struct sockaddr *)&silent, sizeof silent)));
    printf("pending connect again: %s\n",
           word(connect(fd, (struct sockaddr *)&silent, sizeof silent)));
    printf("pending poll: %x\n", poll_now(fd, 0));
    printf("pending SO_ERROR: %d\n", error_of(fd));
    say_peer("pending", fd);
    printf("pending send: %s\n", word(send(fd, "x", 1, MSG_NOSIGNAL) < 0));
    printf("pending recv: %s\n", word(recv(fd, &byte, 1, 0) < 0));
    printf("pending listen: %s\n", word(listen(fd, 1)));
    close(fd);
}

static void say_wrong(void)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    int fd = open_socket(0);
    char byte;

    printf("wrong family: %s\n", word(connect(fd, (struct sockaddr *)&six, sizeof six)));
    printf("wrong length: %s\n", word(connect(fd, (struct sockaddr *)&host, 4)));
    printf("unconnected send: %s\n", word(send(fd, "x", 1, MSG_NOSIGNAL) < 0));
    printf("unconnected recv: %s\n", word(recv(fd, &byte, 1, 0) < 0));
    printf("unconnected shutdown: %s\n", word(shutdown(fd, SHUT_WR)));
    printf("unconnected accept: %s\n", word(accept(fd, NULL, NULL) < 0));
    printf("unconnected getpeername: %s\n", word(getpeername(fd, (struct sockaddr *)&name, &len)));
    close(fd);
}

/* ---- how it works ---------------------------------------------------------------------- */

/* Registered with epoll before it connects, as nginx does it. */
static int say_connecting(void)
{
    int fd = open_socket(SOCK_NONBLOCK), set = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLOUT | EPOLLET, .data.u32 = 77};

    epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
    printf("connecting: %s\n", word(connect(fd, (struct sockaddr *)&host, sizeof host)));
    e.data.u32 = 0;
    while (poll_now(fd, 5000) == 0)
        ;
    int n = epoll_wait(set, &e, 1, 5000);
    printf("connected epoll: %d %x %u\n", n, e.events, e.data.u32);
    printf("connected connect: %s\n", word(connect(fd, (struct sockaddr *)&host, sizeof host)));
    printf("connected connect again: %s\n",
           word(connect(fd, (struct sockaddr *)&host, sizeof host)));
    e.events = EPOLLIN;
    printf("connected epoll mod: %s\n", word(epoll_ctl(set, EPOLL_CTL_MOD, fd, &e)));
    close(set);
    return fd;
}

static void say_bytes(int fd)
{
    char room[16] = "";
    int n = -1, outq = -1;
    ssize_t got;

    printf("connected poll: %x\n", poll_now(fd, 0));
    say_peer("connected", fd);
    fcntl(fd, F_SETFL, 0);
    printf("write: %zd\n", write(fd, "hello", 5));
    poll_now(fd, 0);
    for (got = 0; got < 5;) /* the echo may come in pieces */
        got = recv(fd, room, sizeof room, MSG_PEEK);
    printf("peek: %zd %.5s\n", got, room);
    printf("FIONREAD: %s", word(ioctl(fd, FIONREAD, &n)));
    printf(" %d\n", n);
    printf("read: %zd\n", recv(fd, room, sizeof room, MSG_DONTWAIT));
    printf("read again: %s\n", word(recv(fd, room, sizeof room, MSG_DONTWAIT) < 0));
    printf("SIOCOUTQ: %s", word(ioctl(fd, SIOCOUTQ, &outq)));
    printf(" %d\n", outq);
    printf("sendto with an address: %zd\n",
           sendto(fd, "again", 5, 0, (struct sockaddr *)&host, sizeof host));
    got = recv(fd, room, 5, MSG_WAITALL);
    printf("wait for all: %zd\n", got);
    printf("bind: %s\n", word(bind(fd, (struct sockaddr *)&host, sizeof host)));
    printf("listen: %s\n", word(listen(fd, 1)));
}

static void say_end(int fd)
{
    char room[16];

    printf("shutdown: %s\n", word(shutdown(fd, SHUT_WR)));
    printf("send after: %s\n", word(send(fd, "x", 1, MSG_NOSIGNAL) < 0));
    printf("peer's end: %zd\n", recv(fd, room, sizeof room, 0));
    printf("ended poll: %x\n", poll_now(fd, 0));
    say_peer("ended", fd);
    close(fd);
}

static void say_disconnect(void)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int fd = open_socket(0), value = 1;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value);
    printf("before disconnect: %s\n", word(connect(fd, (struct sockaddr *)&host, sizeof host)));
    printf("disconnect: %s\n", word(connect(fd, &none, sizeof none)));
    say_peer("disconnected", fd);
    printf("connect after: %s\n", word(connect(fd, (struct sockaddr *)&host, sizeof host)));
    say_get("reconnected", "", fd, &options[10]);
    close(fd);
}

static void client(void)
{
    int fd = open_socket(0);

    say_options("fresh", fd, 1);
    close(fd);
    say_wrong();
    say_refused();
    say_pending();
    fd = say_connecting();
    say_bytes(fd);
    say_options("connected", fd, 1);
    say_end(fd);
    say_disconnect();
}

/* A listener with options, and what a connection has of them. */
static void server(void)
{
    static const int inherited[][3] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},      {SOL_SOCKET, SO_PRIORITY, 4},
        {SOL_SOCKET, SO_SNDBUF, 60000},     {SOL_SOCKET, SO_RCVBUF, 60000},
        {IPPROTO_TCP, TCP_NODELAY, 1},      {IPPROTO_TCP, TCP_KEEPIDLE, 77},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 9}, {IPPROTO_IP, IP_TOS, 8}};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in name = {0};
    socklen_t len = sizeof name;
    int fd = open_socket(0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    printf("bind: %s\n", word(bind(fd, (struct sockaddr *)&at, sizeof at)));
    for (size_t i = 0; i < sizeof inherited / sizeof inherited[0]; i++)
        setsockopt(fd, inherited[i][0], inherited[i][1], &inherited[i][2], sizeof(int));
    printf("listen: %s\n", word(listen(fd, 5)));
    printf("listen again: %s\n", word(listen(fd, 8)));
    printf("listening connect: %s\n", word(connect(fd, (struct sockaddr *)&at, sizeof at)));
    printf("listening poll: %x\n", poll_now(fd, 0));
    int second = open_socket(0);
    setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    printf("second bind: %s\n", word(bind(second, (struct sockaddr *)&at, sizeof at)));
    close(second);
    say_options("listener", fd, 0);
    printf("listening getsockname: %s", word(getsockname(fd, (struct sockaddr *)&name, &len)));
    printf(" %d\n", ntohs(name.sin_port) == port);
    printf("ready\n");
    fflush(stdout);
    len = sizeof name;
    printf("listening poll, one waits: %x\n", poll_now(fd, 20000));
    int c = accept4(fd, (struct sockaddr *)&name, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    printf("accepted: %s, %u bytes, flags %x %x\n", word(c < 0), len, fcntl(c, F_GETFD),
           fcntl(c, F_GETFL));
    say_options("accepted", c, 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    printf("nobody waits: %s\n", word(accept(fd, NULL, NULL) < 0));
    close(fd);
    close(c);
    fd = open_socket(0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    printf("bind anew: %s\n", word(bind(fd, (struct sockaddr *)&at, sizeof at)));
    printf("listen anew: %s\n", word(listen(fd, 5)));
}

static void peer(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = open_socket(0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16))
        exit(1);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        char room[64];
        ssize_t n;
        int c = accept(fd, NULL, NULL);
        while ((n = read(c, room, sizeof room)) > 0)
            if (write(c, room, (size_t)n) != n)
                break;
        close(c);
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "client") == 0) {
        host =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
        inet_pton(AF_INET, argv[2], &host.sin_addr);
        protocol = atoi(argv[4]);
        client();
        return 0;
    }
    if (argc < 3)
        return 2;
    port = atoi(argv[2]);
    protocol = argc > 3 ? atoi(argv[3]) : IPPROTO_TCP;
    if (strcmp(argv[1], "server") == 0)
        server();
    else
        peer();
    return 0;
}
