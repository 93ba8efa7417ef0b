/* SPDX-License-Identifier: MIT
 *
 * A program with an epoll loop of its own: standard input goes to an echo server,
 * what comes back goes to standard output. No thread of the library's.
 *
 *   epoll ADDRESS PORT
 */
#include <arpa/inet.h>
#include <plait/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct carry {
    struct plait_socket *socket;
    char out[16384]; /* from standard input, not yet sent */
    size_t len;
    bool input_ended, told, done, failed;
};

/* The socket's readiness changed, or there is more to send: go as far as it goes. */
static void pump(void *ctx, struct plait_socket *s, unsigned poll)
{
    struct carry *c = ctx;
    char buffer[16384];
    int64_t n;

    while (c->len && (n = plait_socket_send(s, c->out, c->len)) > 0) {
        c->len -= (size_t)n;
        memmove(c->out, c->out + n, c->len);
    }
    if (c->input_ended && c->len == 0 && !c->told)
        c->told = plait_socket_shutdown(s, PLAIT_SHUT_WR) == 0;
    while ((n = plait_socket_recv(s, buffer, sizeof buffer)) > 0)
        fwrite(buffer, 1, (size_t)n, stdout);
    c->failed = poll & PLAIT_POLL_ERROR;
    c->done = (n == 0 && c->told) || c->failed;
}

static void read_input(struct carry *c)
{
    ssize_t n = c->len ? 0 : read(STDIN_FILENO, c->out, sizeof c->out);

    if (c->len)
        return; /* first what is there */
    c->len = n > 0 ? (size_t)n : 0;
    c->input_ended = n <= 0;
}

int main(int argc, char **argv)
{
    struct plait_host_options options;
    struct plait_endpoint to = {.addr.family = PLAIT_IPV4};
    struct plait_host *host;
    struct carry c = {0};
    char why[PLAIT_TEXT_MAX];
    struct epoll_event event = {.events = EPOLLIN};

    if (argc != 3 || inet_pton(AF_INET, argv[1], to.addr.bytes) != 1)
        return EXIT_FAILURE;
    to.port = (uint16_t)atoi(argv[2]);
    plait_host_options_default(&options);
    options.own_loop = true;
    if (plait_host_open(&options, &host, why) < 0 || plait_socket_open(host, &c.socket) < 0 ||
        plait_socket_connect(c.socket, &to, why) < 0) {
        fprintf(stderr, "epoll: %s\n", why);
        return EXIT_FAILURE;
    }
    plait_socket_set_int(c.socket, PLAIT_OPT_NONBLOCK, 1);
    plait_socket_callback(c.socket, pump, &c);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = plait_host_fd(host);
    epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event);
    while (!c.done) {
        if (!c.input_ended)
            read_input(&c); /* a file or a pipe; another descriptor of the loop in earnest */
        pump(&c, c.socket, 0);
        uint64_t wait_us = plait_host_wait_us(host);
        epoll_wait(loop, &event, 1, c.input_ended ? (int)(wait_us / 1000 % 60000) + 1 : 0);
        plait_host_run(host, 0);
    }
    plait_socket_close(c.socket);
    plait_host_close(host, 1000000);
    return c.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
