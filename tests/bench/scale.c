/* SPDX-License-Identifier: MIT
 *
 * Many connections: two stacks in one process, packets carried from one to the
 * other in virtual time. N connections of two subflows each are opened and left
 * alone; then it is counted what one costs at each end, every one answers a
 * byte, and connections a second are compared with and without the N others.
 *
 *   scale [CONNECTIONS]     fails when an end holds more than 1610 bytes a
 *                           connection, malloc's own included, or one does not
 *                           answer; times are only printed
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "plait/plait.h"
#include "wire/offload.h"

enum {
    CONNS_A_PORT = 12000, /* there are 16384 ports to join from */
    PORT_FIRST = 1000,
    RATE_CONNS = 10000, /* opened and closed to measure the rate */
    BYTES_MAX = 1610,   /* at each end: 1,000,000 connections in 3 GiB */
    STEP_US = 50,       /* between two connections */
    SLEEP_US = 1000 * 1000
};

struct end {
    struct plait_stack *stack;
    uint64_t held_bytes; /* by malloc, its own overhead included */
    unsigned answers;
};

struct bench {
    struct end client, server;
    uint64_t now_us;
    bool closing; /* the server closes what it accepts after the first byte */
};

static void die(const char *what)
{
    fprintf(stderr, "scale: %s\n", what);
    exit(1);
}

/* ---- the two ends ----------------------------------------------------------------------- */

static size_t block_bytes(void *ptr)
{
    return malloc_usable_size(ptr) + sizeof(size_t);
}

static void *end_alloc(void *ctx, size_t size)
{
    struct end *e = ctx;
    void *ptr = malloc(size);
    if (ptr)
        e->held_bytes += block_bytes(ptr);
    return ptr;
}

static void end_release(void *ctx, void *ptr, size_t size)
{
    struct end *e = ctx;
    (void)size;
    e->held_bytes -= block_bytes(ptr);
    free(ptr);
}

static struct plait_endpoint at(uint8_t network, uint8_t host, uint16_t port)
{
    return (struct plait_endpoint){{PLAIT_IPV4, {10, 0, network, host}}, port};
}

static void end_open(struct end *e, uint8_t host, uint8_t addresses, uint32_t conns)
{
    struct plait_config c;
    plait_config_default(&c);
    c.allocator = (struct plait_allocator){e, end_alloc, end_release};
    memset(c.secret, host, sizeof c.secret);
    c.conns_max = conns;
    c.backlog_max = c.half_open_max = c.half_open_stack_max = 1 << 16;
    c.syn_cookies = PLAIT_SYN_COOKIES_NEVER;
    c.subflows_wanted = 1;
    c.announce = false;
    c.sleep_us = SLEEP_US;
    c.time_wait_us = 1000;
    if (plait_stack_new(&c, 0, &e->stack))
        die("no stack");
    for (uint8_t i = 1; i <= addresses; i++) {
        struct plait_local local = {.addr = at(i, host, 0).addr, .mtu = 1500};
        if (plait_stack_add_addr(e->stack, &local, 0))
            die("no address");
    }
}

/* ---- packets and applications ------------------------------------------------------------- */

static bool carry(struct bench *b, struct end *from, struct end *to)
{
    static uint8_t packet[70000];
    struct plait_packet_tx tx;
    if (!plait_stack_tx(from->stack, b->now_us, &tx))
        return false;
    struct plait_packet_rx rx = {.data = packet, .csum_ok = true};
    rx.len = (uint32_t)offload_write(&tx, 0, packet, sizeof packet);
    plait_stack_rx(to->stack, &rx, b->now_us);
    return true;
}

/* The server sends back what it reads; the client counts it. */
static void conn_ready(struct bench *b, struct end *e, struct plait_conn *c)
{
    uint8_t byte;
    int64_t n = plait_conn_read(c, &byte, 1, b->now_us);
    if (n == 1 && e == &b->server && plait_conn_write(c, &byte, 1, b->now_us) != 1)
        die("the server cannot answer");
    if (n == 1 && e == &b->client)
        e->answers++;
    if (n == 0 && e == &b->server)
        plait_conn_close(c, b->now_us);
}

static void end_ready(struct bench *b, struct end *e)
{
    struct plait_conn *c;
    struct plait_listener *l;
    while (plait_stack_ready(e->stack, &c, &l)) {
        while (l && plait_accept(l))
            ;
        if (c)
            conn_ready(b, e, c);
    }
}

static void end_tick(struct bench *b, struct end *e)
{
    if (plait_stack_deadline(e->stack) <= b->now_us)
        plait_stack_tick(e->stack, b->now_us);
}

/* Until both are silent, then on by `us`, timers on the way included. */
static void run(struct bench *b, uint64_t us)
{
    uint64_t end_us = b->now_us + us;
    for (;;) {
        end_tick(b, &b->client);
        end_tick(b, &b->server);
        bool more = carry(b, &b->client, &b->server);
        more |= carry(b, &b->server, &b->client);
        end_ready(b, &b->client);
        end_ready(b, &b->server);
        if (more)
            continue;
        uint64_t c = plait_stack_deadline(b->client.stack),
                 s = plait_stack_deadline(b->server.stack), next = c < s ? c : s;
        if (next > end_us)
            break;
        b->now_us = next > b->now_us ? next : b->now_us;
    }
    b->now_us = end_us;
}

/* ---- what is measured ----------------------------------------------------------------------- */

static struct plait_conn *open_one(struct bench *b, uint32_t index)
{
    struct plait_conn *c;
    struct plait_endpoint local = at(1, 1, (uint16_t)(20000 + index % CONNS_A_PORT)),
                          remote = at(1, 2, (uint16_t)(PORT_FIRST + index / CONNS_A_PORT));
    if (plait_connect(b->client.stack, &local, &remote, NULL, b->now_us, &c))
        die("cannot connect");
    run(b, STEP_US);
    return c;
}

static void ask(struct bench *b, struct plait_conn *c)
{
    unsigned before = b->client.answers;
    if (plait_conn_write(c, "?", 1, b->now_us) != 1)
        die("cannot write");
    run(b, STEP_US);
    if (b->client.answers != before + 1)
        die("a connection does not answer");
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Connect, a byte each way, close: connections a CPU second. */
static double rate(struct bench *b, uint32_t first)
{
    double before = cpu_s();
    for (uint32_t i = 0; i < RATE_CONNS; i++) {
        struct plait_conn *c = open_one(b, first + i);
        ask(b, c);
        plait_conn_close(c, b->now_us);
        run(b, STEP_US);
    }
    return RATE_CONNS / (cpu_s() - before);
}

static double each(const struct end *e, uint32_t conns)
{
    return (double)e->held_bytes / conns;
}

static void check_idle(const struct bench *b, uint32_t conns)
{
    const struct end *ends[] = {&b->client, &b->server};
    for (unsigned i = 0; i < 2; i++) {
        struct plait_memory m;
        plait_stack_memory(ends[i]->stack, &m);
        printf("%s: %.0f bytes a connection (%.0f with malloc's), %u asleep, %u subflows\n",
               i ? "server" : "client", (double)m.used_bytes / conns, each(ends[i], conns),
               m.conns_asleep, m.subflows);
        if (m.subflows != 2 * conns || m.conns_asleep != conns)
            die("not all have two subflows and are asleep");
        if (each(ends[i], conns) > BYTES_MAX)
            die("too many bytes");
    }
}

int main(int argc, char **argv)
{
    static struct bench b;
    uint32_t conns = argc > 1 ? (uint32_t)atoi(argv[1]) : 2000, spare = 2 * RATE_CONNS;
    struct plait_conn **open = calloc(conns, sizeof(struct plait_conn *));
    if (!open)
        die("no memory");
    end_open(&b.client, 1, 2, conns + spare);
    end_open(&b.server, 2, 1, conns + spare);
    for (uint32_t p = 0; p <= (conns + spare) / CONNS_A_PORT; p++) {
        struct plait_endpoint any = {.port = (uint16_t)(PORT_FIRST + p)};
        struct plait_listener *l;
        if (plait_listen(b.server.stack, &any, NULL, &l))
            die("cannot listen");
    }
    double alone = rate(&b, conns);
    run(&b, 100 * SLEEP_US);
    double start = cpu_s();
    for (uint32_t i = 0; i < conns; i++) {
        open[i] = open_one(&b, i);
        ask(&b, open[i]); /* only then may there be a second subflow (RFC 8684 3.1) */
    }
    run(&b, 100 * SLEEP_US);
    printf("%u connections opened in %.1f s\n", conns, cpu_s() - start);
    check_idle(&b, conns);
    double among = rate(&b, conns);
    run(&b, 100 * SLEEP_US);
    start = cpu_s();
    for (uint32_t i = 0; i < conns; i++)
        ask(&b, open[i]);
    printf("each answered a byte, in %.1f s\n", cpu_s() - start);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("connections a CPU second, both ends: %.0f with none, %.0f among %u, ratio %.2f\n",
           alone, among, conns, among / alone);
    printf("largest resident size: %.0f MiB, %.0f bytes a connection with both ends\n",
           (double)usage.ru_maxrss / 1024, (double)usage.ru_maxrss * 1024 / conns);
    plait_stack_free(b.client.stack);
    plait_stack_free(b.server.stack);
    free(open);
    return b.client.held_bytes || b.server.held_bytes;
}
