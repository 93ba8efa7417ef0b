/* SPDX-License-Identifier: MIT
 *
 * Many connections: two stacks in one process, packets carried from one to the
 * other in virtual time. N connections of two subflows each are opened and left
 * alone; then it is counted what one costs at each end, every one answers a
 * byte, and what connecting and exchanging a byte cost is compared between these
 * stacks and two others that hold nothing, in turn and by the median.
 *
 *   scale [CONNECTIONS]     fails when an end holds more than 1560 bytes a
 *                           connection, malloc's own included, one does not
 *                           answer, or their memory is kept after they are
 *                           closed; times are only printed
 *   scale CONNECTIONS awake the same with connections that do not sleep, each with
 *                           a keepalive timer; bytes are only printed
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "plait/plait.h"
#include "wire/offload.h"

enum {
    CONNS_A_PORT = 12000, /* there are 16384 ports to join from */
    PORT_FIRST = 1000,
    ROUNDS = 25,       /* of either, in turn */
    ROUND_CONNS = 400, /* opened and closed a round */
    ROUND_ASKS = 2000, /* bytes exchanged a round */
    SPARE = 2 * ROUNDS * ROUND_CONNS,
    BYTES_MAX = 1560,          /* at each end: 1,000,000 connections in 3 GiB */
    BYTES_ANYWAY = 512 * 1024, /* tables, and slabs that are not full */
    TABLES_MAX = 100,          /* bytes a connection that once was */
    BLOCKS_ANYWAY = 200,
    STEP_US = 50, /* between two connections */
    SLEEP_US = 1000 * 1000,
    KEEPALIVE_US = 1800 * 1000 * 1000
};

struct end {
    struct plait_stack *stack;
    uint64_t held_bytes; /* by malloc, its own overhead included */
    uint64_t blocks;
    unsigned answers;
};

struct bench {
    struct end client, server;
    uint64_t now_us;
    uint32_t next; /* the next connection's number */
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
    if (ptr) {
        e->held_bytes += block_bytes(ptr);
        e->blocks++;
    }
    return ptr;
}

static void end_release(void *ctx, void *ptr, size_t size)
{
    struct end *e = ctx;
    (void)size;
    e->held_bytes -= block_bytes(ptr);
    e->blocks--;
    free(ptr);
}

static struct plait_endpoint at(uint8_t network, uint8_t host, uint16_t port)
{
    return (struct plait_endpoint){{PLAIT_IPV4, {10, 0, network, host}}, port};
}

static void end_open(struct end *e, uint8_t host, uint8_t addresses, uint32_t conns, bool sleeps)
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
    c.sleep_us = sleeps ? SLEEP_US : 0;
    c.keepalive_idle_us = sleeps ? 0 : KEEPALIVE_US;
    c.nat_keepalive_us = 0; /* a probe wakes who sleeps, and its timer is memory too */
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

static struct plait_conn *open_one(struct bench *b)
{
    struct plait_conn *c;
    uint32_t index = b->next++;
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

/* Connect, a byte each way, close: CPU time of one, both ends. */
static double connecting_us(struct bench *b)
{
    double before = cpu_s();
    for (uint32_t i = 0; i < ROUND_CONNS; i++) {
        struct plait_conn *c = open_one(b);
        ask(b, c);
        plait_conn_close(c, b->now_us);
        run(b, STEP_US);
    }
    return (cpu_s() - before) * 1e6 / ROUND_CONNS;
}

/* A byte there and one back on one connection. */
static double asking_us(struct bench *b)
{
    struct plait_conn *c = open_one(b);
    double before = cpu_s();
    for (uint32_t i = 0; i < ROUND_ASKS; i++)
        ask(b, c);
    double us = (cpu_s() - before) * 1e6 / ROUND_ASKS;
    plait_conn_close(c, b->now_us);
    run(b, STEP_US);
    return us;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static void compare(const char *what, double (*cost_us)(struct bench *), struct bench *alone,
                    struct bench *among)
{
    double first[ROUNDS], second[ROUNDS], ratio[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct bench *order[2] = {i & 1 ? among : alone, i & 1 ? alone : among};
        double us[2] = {cost_us(order[0]), cost_us(order[1])};
        first[i] = us[i & 1];
        second[i] = us[!(i & 1)];
        ratio[i] = first[i] / second[i];
    }
    printf("%s: %.2f us alone, %.2f us among the others, rate %.2f of it\n", what, median(first),
           median(second), median(ratio));
}

/* Of this process, now. */
static double resident_mib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, pages = 0;
    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2)
        die("cannot read /proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static double each(const struct end *e, uint32_t conns)
{
    return (double)e->held_bytes / conns;
}

static void check_idle(const struct bench *b, uint32_t conns, bool sleep, bool bound)
{
    const struct end *ends[] = {&b->client, &b->server};
    for (unsigned i = 0; i < 2; i++) {
        struct plait_memory m;
        plait_stack_memory(ends[i]->stack, &m);
        printf("%s: %.0f bytes a connection (%.0f with malloc's), %u asleep, %u subflows\n",
               i ? "server" : "client", (double)m.used_bytes / conns, each(ends[i], conns),
               m.conns_asleep, m.subflows);
        if (m.subflows != 2 * conns || m.conns_asleep != (sleep ? conns : 0))
            die("not all have two subflows and are asleep");
        if (bound && ends[i]->held_bytes > (uint64_t)conns * BYTES_MAX + BYTES_ANYWAY)
            die("too many bytes");
    }
    printf("resident: %.0f MiB\n", resident_mib());
}

/* ports: for how many connections. */
static void bench_open(struct bench *b, uint32_t conns, uint32_t ports, bool sleep)
{
    end_open(&b->client, 1, 2, conns + SPARE, sleep);
    end_open(&b->server, 2, 1, conns + SPARE, sleep);
    for (uint32_t p = 0; p <= (ports + SPARE) / CONNS_A_PORT; p++) {
        struct plait_endpoint any = {.port = (uint16_t)(PORT_FIRST + p)};
        struct plait_listener *l;
        if (plait_listen(b->server.stack, &any, NULL, &l))
            die("cannot listen");
    }
}

static bool bench_close(struct bench *b)
{
    plait_stack_free(b->client.stack);
    plait_stack_free(b->server.stack);
    return b->client.held_bytes == 0 && b->server.held_bytes == 0;
}

/* All are closed: what they had goes back to the system but for the tables, which
 * do not shrink, and a block here and there that was kept to be used again. */
static void check_gone(struct bench *b, struct plait_conn **open, uint32_t conns)
{
    const struct end *ends[] = {&b->client, &b->server};
    for (uint32_t i = 0; i < conns; i++)
        if (plait_conn_close(open[i], b->now_us))
            die("cannot close");
    run(b, 100 * SLEEP_US);
    for (unsigned i = 0; i < 2; i++) {
        struct plait_memory m;
        plait_stack_memory(ends[i]->stack, &m);
        printf("%s, all closed: %llu bytes (%llu blocks of malloc's)\n", i ? "server" : "client",
               (unsigned long long)m.used_bytes, (unsigned long long)ends[i]->blocks);
        if (m.conns || m.subflows)
            die("a connection is left");
        if (m.used_bytes > (uint64_t)conns * TABLES_MAX + BYTES_ANYWAY)
            die("memory is kept after all are gone");
        if (ends[i]->blocks > BLOCKS_ANYWAY)
            die("blocks are kept after all are gone");
    }
}

int main(int argc, char **argv)
{
    static struct bench b, none;
    uint32_t conns = argc > 1 ? (uint32_t)atoi(argv[1]) : 2000;
    bool sleep = argc < 3;
    struct plait_conn **open = calloc(conns, sizeof(struct plait_conn *));
    if (!open)
        die("no memory");
    bench_open(&b, conns, conns, sleep);
    bench_open(&none, 0, conns, sleep);
    double start = cpu_s();
    for (uint32_t i = 0; i < conns; i++) {
        open[i] = open_one(&b);
        ask(&b, open[i]); /* only then may there be a second subflow (RFC 8684 3.1) */
    }
    run(&b, 100 * SLEEP_US);
    printf("%u connections opened in %.1f s\n", conns, cpu_s() - start);
    check_idle(&b, conns, sleep, sleep);
    compare("connecting, a byte each way, closing", connecting_us, &none, &b);
    compare("a byte each way", asking_us, &none, &b);
    run(&b, 100 * SLEEP_US);
    start = cpu_s();
    for (uint32_t i = 0; i < conns; i++)
        ask(&b, open[i]);
    printf("each answered a byte, in %.1f s\n", cpu_s() - start);
    run(&b, 100 * SLEEP_US);
    check_idle(&b, conns, sleep, false);
    check_gone(&b, open, conns);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("largest resident size: %.0f MiB\n", (double)usage.ru_maxrss / 1024);
    free(open);
    return !bench_close(&b) || !bench_close(&none);
}
