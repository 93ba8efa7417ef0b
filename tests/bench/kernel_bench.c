/* SPDX-License-Identifier: MIT
 *
 * The kernel's side of the bench: what `plait perf` measures, over the
 * kernel's sockets, by one thread with one epoll at each end.
 *
 *   kernel_bench server
 *   kernel_bench ping-pong   HOST SECONDS MESSAGE
 *   kernel_bench connections HOST SECONDS MESSAGE PARALLEL
 *   kernel_bench bulk        HOST SECONDS PARALLEL
 *
 * Before the first word --tcp asks for TCP instead of MPTCP. Hellos are those
 * of src/cli/perf.h, and one kind more: a sink reads to the end of the stream
 * and answers with 8 bytes, how many came. Results are JSON in plait perf's
 * shape.
 */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum {
    PORT = 5201,
    HELLO_BYTES = 28,
    BLOCK_BYTES = 256 * 1024,
    MESSAGE_MAX = 65535,
    EVENTS_AT_ONCE = 64,
    CONNS_MAX = 4096,
    PATIENCE_S = 20
};
enum kind { KIND_ECHO = 2, KIND_EXCHANGE = 3, KIND_SINK = 4 };

/* One connection, at either end. */
struct conn {
    int fd;
    bool greeted;
    enum kind kind;
    uint64_t in, out, want; /* bytes of this message, or of the stream */
    uint64_t start_ns;
    uint8_t head[HELLO_BYTES];
};

static bool use_tcp;
static int poll_fd;
static uint8_t block[BLOCK_BYTES + HELLO_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "kernel_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int new_socket(bool blocking)
{
    int fd =
        socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), use_tcp ? 0 : IPPROTO_MPTCP);

    if (fd < 0)
        die("socket");
    return fd;
}

static void watch(struct conn *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll_ctl");
}

/* Negative: nothing for now, 0: the end, dies otherwise. */
static ssize_t take(struct conn *c, void *to, size_t size)
{
    ssize_t n = recv(c->fd, to, size, 0);

    if (n < 0 && errno != EAGAIN)
        die("recv");
    return n;
}

static ssize_t give(struct conn *c, const void *from, size_t size)
{
    ssize_t n = send(c->fd, from, size, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN)
        die("send");
    return n;
}

/* ---- server --------------------------------------------------------------- */

static void server_over(struct conn *c)
{
    close(c->fd);
    free(c);
}

/* Answers are small, and the peer reads them: they fit into the send buffer. */
static void answer(struct conn *c, const void *data, size_t size)
{
    if (give(c, data, size) != (ssize_t)size)
        die("an answer does not fit");
}

static void server_greeted(struct conn *c)
{
    ssize_t n = take(c, c->head + c->in, HELLO_BYTES - (size_t)c->in);

    if (n <= 0) {
        if (n == 0)
            server_over(c);
        return;
    }
    c->in += (uint64_t)n;
    if (c->in < HELLO_BYTES)
        return;
    c->greeted = true;
    c->kind = (enum kind)c->head[9];
    c->want = (uint64_t)c->head[10] << 8 | c->head[11];
    c->in = 0;
}

static void server_ready(struct conn *c)
{
    ssize_t n;

    if (!c->greeted) {
        server_greeted(c);
        return;
    }
    while ((n = take(c, block, BLOCK_BYTES)) > 0) {
        c->in += (uint64_t)n;
        if (c->kind != KIND_SINK)
            answer(c, block, (size_t)n);
        if (c->kind == KIND_EXCHANGE && c->in == c->want) {
            server_over(c);
            return;
        }
        if (c->kind == KIND_ECHO || n < BLOCK_BYTES)
            return; /* most likely there is no more: epoll says so if there is */
    }
    if (n < 0)
        return;
    if (c->kind == KIND_SINK)
        answer(c, &c->in, sizeof c->in);
    server_over(c);
}

static void server_accept(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        if (!c)
            die("calloc");
        c->fd = fd;
        watch(c, EPOLLIN);
    }
}

static void run_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct conn listener = {.fd = new_socket(false)};
    struct epoll_event ready[EVENTS_AT_ONCE];
    int one = 1;

    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener.fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener.fd, 4096) < 0)
        die("listen");
    watch(&listener, EPOLLIN);
    printf("listening\n");
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(poll_fd, ready, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr == &listener)
                server_accept(listener.fd);
            else
                server_ready(ready[i].data.ptr);
        }
    }
}

/* ---- client --------------------------------------------------------------- */

static struct sockaddr_in server_at = {.sin_family = AF_INET};
static struct conn conns[CONNS_MAX];
static uint8_t message[HELLO_BYTES + MESSAGE_MAX]; /* hello first */
static size_t message_bytes;
static uint32_t *sample_ns;
static size_t samples, sample_room;
static uint64_t begun_ns, end_ns;

static void client_connect(struct conn *c, bool blocking)
{
    *c = (struct conn){.fd = new_socket(blocking), .start_ns = clock_ns()};
    if (connect(c->fd, (struct sockaddr *)&server_at, sizeof server_at) < 0 && errno != EINPROGRESS)
        die("connect");
}

static void make_message(enum kind kind, size_t bytes)
{
    memcpy(message, "plaitprf\1", 9);
    message[9] = (uint8_t)kind;
    message[10] = (uint8_t)(bytes >> 8);
    message[11] = (uint8_t)bytes;
    for (size_t i = 0; i < bytes; i++)
        message[HELLO_BYTES + i] = (uint8_t)(i * 31 + 7);
    message_bytes = bytes;
}

static void sample(uint64_t ns)
{
    if (samples == sample_room) {
        sample_room = sample_room ? 2 * sample_room : 65536;
        sample_ns = realloc(sample_ns, sample_room * sizeof *sample_ns);
        if (!sample_ns)
            die("realloc");
    }
    sample_ns[samples++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void check_bytes(const struct conn *c, size_t fresh)
{
    if (memcmp(block, message + HELLO_BYTES + c->in, fresh) != 0) {
        fprintf(stderr, "kernel_bench: other bytes came back than were sent\n");
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_us(unsigned percent)
{
    return samples ? sample_ns[(samples - 1) * percent / 100] / 1e3 : 0;
}

static void say_trips(void)
{
    double seconds = (double)(clock_ns() - begun_ns) / 1e9;

    if (samples)
        qsort(sample_ns, samples, sizeof *sample_ns, compare);
    printf("{\"trips\": %zu, \"seconds\": %.6f, \"per_second\": %.1f, \"latency_us\": "
           "{\"median\": %.3f, \"p99\": %.3f, \"max\": %.3f}}\n",
           samples, seconds, (double)samples / seconds, percentile_us(50), percentile_us(99),
           percentile_us(100));
}

static void run_ping_pong(void)
{
    struct conn *c = &conns[0];
    size_t skip = 0; /* the hello goes with the first message */

    client_connect(c, true);
    begun_ns = clock_ns();
    end_ns += begun_ns;
    for (uint64_t start_ns = begun_ns; start_ns < end_ns; skip = HELLO_BYTES) {
        answer(c, message + skip, HELLO_BYTES + message_bytes - skip);
        for (c->in = 0; c->in < message_bytes;) {
            ssize_t n = take(c, block, message_bytes - c->in);
            if (n <= 0)
                die("the server left");
            check_bytes(c, (size_t)n);
            c->in += (uint64_t)n;
        }
        uint64_t now_ns = clock_ns();
        sample(now_ns - start_ns);
        start_ns = now_ns;
    }
}

static void exchange_open(struct conn *c)
{
    client_connect(c, false);
    watch(c, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* False: the trip is over and there is no time for another. */
static bool exchange_ready(struct conn *c)
{
    size_t size = HELLO_BYTES + message_bytes;
    ssize_t n = 1;

    while (c->out < size && (n = give(c, message + c->out, size - c->out)) > 0)
        c->out += (uint64_t)n;
    if (c->out < size)
        return true;
    while ((n = take(c, block, BLOCK_BYTES)) > 0) {
        if (c->in + (uint64_t)n > message_bytes)
            die("more came back than was sent");
        check_bytes(c, (size_t)n);
        c->in += (uint64_t)n;
    }
    if (n < 0)
        return true;
    if (c->in != message_bytes)
        die("the server left");
    uint64_t now_ns = clock_ns();
    close(c->fd);
    if (now_ns >= end_ns)
        return false;
    sample(now_ns - c->start_ns);
    exchange_open(c);
    return true;
}

static void run_connections(unsigned parallel)
{
    struct epoll_event ready[EVENTS_AT_ONCE];
    unsigned open = parallel;

    begun_ns = clock_ns();
    end_ns += begun_ns;
    for (unsigned i = 0; i < parallel; i++)
        exchange_open(&conns[i]);
    while (open) {
        int count = epoll_wait(poll_fd, ready, EVENTS_AT_ONCE, PATIENCE_S * 1000);
        if (count <= 0)
            die("waiting for an answer");
        for (int i = 0; i < count; i++)
            open -= !exchange_ready(ready[i].data.ptr);
    }
}

/* ---- bulk ----------------------------------------------------------------- */

static void bulk_send(struct conn *c)
{
    ssize_t n = 1;

    while (n > 0 && clock_ns() < end_ns)
        n = give(c, block, BLOCK_BYTES);
}

/* How many bytes the server had of this connection. */
static uint64_t bulk_count(struct conn *c)
{
    uint64_t bytes = 0;

    fcntl(c->fd, F_SETFL, 0);
    shutdown(c->fd, SHUT_WR);
    if (recv(c->fd, &bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
        die("the server's count");
    return bytes;
}

static void say_bulk(unsigned parallel)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < parallel; i++)
        shutdown(conns[i].fd, SHUT_WR);
    printf("{\"end\": {\"streams\": [");
    for (unsigned i = 0; i < parallel; i++) {
        uint64_t bytes = bulk_count(&conns[i]);
        printf("%s{\"receiver\": {\"bytes\": %llu}}", i ? ", " : "", (unsigned long long)bytes);
        sum += bytes;
    }
    double seconds = (double)(clock_ns() - begun_ns) / 1e9;
    printf("], \"sum_received\": {\"bytes\": %llu, \"bits_per_second\": %.0f}}}\n",
           (unsigned long long)sum, (double)sum * 8 / seconds);
}

static void run_bulk(unsigned parallel)
{
    struct epoll_event ready[EVENTS_AT_ONCE];

    for (unsigned i = 0; i < parallel; i++) {
        client_connect(&conns[i], true);
        answer(&conns[i], message, HELLO_BYTES);
        fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
    }
    begun_ns = clock_ns();
    end_ns += begun_ns;
    for (unsigned i = 0; i < parallel; i++)
        watch(&conns[i], EPOLLOUT | EPOLLET);
    while (clock_ns() < end_ns) {
        int count = epoll_wait(poll_fd, ready, EVENTS_AT_ONCE, 10);
        for (int i = 0; i < count; i++)
            bulk_send(ready[i].data.ptr);
    }
    say_bulk(parallel);
}

/* ---- words ---------------------------------------------------------------- */

static double number(char **words, int count, int at, double most)
{
    double value = at < count ? atof(words[at]) : 0;

    if (value <= 0 || value > most) {
        fprintf(stderr, "kernel_bench: see the head of tests/bench/kernel_bench.c\n");
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--tcp") == 0) {
        use_tcp = true;
        argc--;
        argv++;
    }
    const char *what = argc > 1 ? argv[1] : "";
    poll_fd = epoll_create1(0);
    if (strcmp(what, "server") == 0) {
        run_server();
        return 0;
    }
    server_at.sin_port = htons(PORT);
    if (argc < 4 || inet_pton(AF_INET, argv[2], &server_at.sin_addr) != 1) {
        fprintf(stderr, "kernel_bench: see the head of tests/bench/kernel_bench.c\n");
        return 2;
    }
    end_ns = (uint64_t)(number(argv, argc, 3, 3600) * 1e9); /* after the start */
    if (strcmp(what, "bulk") == 0) {
        make_message(KIND_SINK, 0);
        run_bulk((unsigned)number(argv, argc, 4, CONNS_MAX));
        return 0;
    }
    bool connections = strcmp(what, "connections") == 0;
    make_message(connections ? KIND_EXCHANGE : KIND_ECHO,
                 (size_t)number(argv, argc, 4, MESSAGE_MAX));
    if (connections)
        run_connections((unsigned)number(argv, argc, 5, CONNS_MAX));
    else
        run_ping_pong();
    say_trips();
    return 0;
}
