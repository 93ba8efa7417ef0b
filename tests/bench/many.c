/* SPDX-License-Identifier: MIT
 *
 * Many connections that all send at once: two stacks in one process, each with
 * the turns of src/host/host.c and a clock of its own, on which a packet and a
 * byte have a price. So what is decided from times (pacing, bursts) is decided as
 * between two busy processes, and comes out the same every time; only the CPU
 * time that is printed is this machine's.
 *
 *   many [CONNECTIONS [MILLISECONDS]]   fails when a packet carries less than half
 *                                       of what it could on average, or when the
 *                                       connections share unfairly
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plait/plait.h"

enum {
    BATCH = 16, /* packets in a turn, as a driver's call moves them */
    BATCHES_IN = 64,
    BYTES_IN = 256 * 1024,
    BATCHES_OUT = 4, /* in each of */
    ROUNDS = 4,      /* times that the application is asked a turn */
    PACKET_NS = 3000,
    CALL_NS = 300, /* of the application, or a turn */
    KB_NS = 150,
    BLOCK = 256 * 1024,
    QUEUE_PACKETS = 1 << 16,
    QUEUE_BYTES = 32 << 20,
    PORT = 4711,
    WARM_NS = 100 * 1000000,
    BYTES_A_PACKET_MIN = 32768
};

struct packet {
    uint8_t *data;
    uint32_t len;
    uint16_t gso_size;
    uint64_t at_ns; /* when it is there */
};

struct end {
    struct plait_stack *stack;
    struct packet queue[QUEUE_PACKETS]; /* towards this end: a ring */
    unsigned first, count;
    uint64_t queue_bytes, dropped, packets, now_ns;
};

struct stream {
    struct plait_conn *conn;
    uint64_t bytes;
};

struct bench {
    struct end end[2]; /* the client's, which sends, and the server's */
    struct plait_listener *listener;
    struct stream *streams; /* as the server accepted them */
    unsigned conns, accepted, connected;
    struct plait_conn **senders;
    bool started;
    uint8_t *block;
};

static void die(const char *what)
{
    fprintf(stderr, "many: %s\n", what);
    exit(1);
}

static uint64_t now_us(const struct end *e)
{
    return e->now_ns / 1000;
}

/* ---- the two ends -------------------------------------------------------------------------- */

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void heap_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static struct plait_endpoint at(uint8_t host, uint16_t port)
{
    return (struct plait_endpoint){{PLAIT_IPV4, {10, 0, 0, host}}, port};
}

static void end_open(struct end *e, uint8_t host)
{
    struct plait_local local = {.addr = at(host, 0).addr, .mtu = 1500};
    struct plait_config c;
    plait_config_default(&c);
    c.allocator = (struct plait_allocator){NULL, heap_alloc, heap_free};
    memset(c.secret, host, sizeof c.secret);
    c.backlog_max = c.half_open_max = c.half_open_stack_max = 1 << 16;
    c.syn_cookies = PLAIT_SYN_COOKIES_NEVER;
    e->now_ns = 1000000000;
    if (plait_stack_new(&c, now_us(e), &e->stack) || plait_stack_add_addr(e->stack, &local, 0))
        die("no stack");
}

static void put(struct end *to, const struct plait_packet_tx *tx, uint64_t at_ns)
{
    uint32_t len = tx->header_len + tx->payload_len;
    if (to->queue_bytes + len > QUEUE_BYTES || to->count == QUEUE_PACKETS) {
        to->dropped++;
        return;
    }
    struct packet *p = &to->queue[(to->first + to->count++) % QUEUE_PACKETS];
    *p = (struct packet){malloc(len), len, tx->gso_size, at_ns};
    if (!p->data)
        die("no memory");
    memcpy(p->data, tx->header, tx->header_len);
    uint8_t *end = p->data + tx->header_len;
    for (unsigned i = 0; i < tx->iov_count; i++) {
        memcpy(end, tx->iov[i].data, tx->iov[i].len);
        end += tx->iov[i].len;
    }
    to->queue_bytes += len;
    to->packets++;
}

static bool take(struct end *e)
{
    struct packet *p = &e->queue[e->first];
    if (e->count == 0 || p->at_ns > e->now_ns)
        return false;
    struct plait_packet_rx rx = {.data = p->data,
                                 .len = p->len,
                                 .gso_size = p->gso_size,
                                 .csum_ok = true};
    plait_stack_rx(e->stack, &rx, now_us(e));
    e->now_ns += PACKET_NS + (uint64_t)p->len * KB_NS / 1000;
    e->queue_bytes -= p->len;
    free(p->data);
    e->first = (e->first + 1) % QUEUE_PACKETS;
    e->count--;
    return true;
}

/* ---- the applications ----------------------------------------------------------------------- */

static void fill(struct bench *b, struct plait_conn *c)
{
    while (plait_conn_write(c, b->block, BLOCK, now_us(&b->end[0])) > 0)
        ;
}

static void ready(struct bench *b, struct end *e, struct plait_conn *c)
{
    struct stream *s = plait_conn_user(c);
    int64_t n;
    if (e == &b->end[1]) {
        while (s && (n = plait_conn_read(c, b->block, BLOCK, now_us(e))) > 0)
            s->bytes += (uint64_t)n;
        return;
    }
    if (b->started) {
        fill(b, c);
    } else if (!s && plait_conn_poll(c) & PLAIT_POLL_CONNECTED) {
        plait_conn_set_user(c, b->streams);
        b->connected++;
    }
}

static void accept_all(struct bench *b, struct plait_listener *l)
{
    struct plait_conn *c;
    while ((c = plait_accept(l))) {
        struct stream *s = &b->streams[b->accepted++];
        s->conn = c;
        plait_conn_set_user(c, s);
        ready(b, &b->end[1], c);
    }
}

static unsigned tell(struct bench *b, struct end *e)
{
    struct plait_conn *c;
    struct plait_listener *l;
    unsigned told = 0;
    for (; plait_stack_ready(e->stack, &c, &l); told++) {
        e->now_ns += CALL_NS;
        if (l)
            accept_all(b, l);
        else
            ready(b, e, c);
    }
    return told;
}

static void send_out(struct end *e, struct end *to)
{
    struct plait_packet_tx tx;
    for (unsigned i = 0; i < BATCH * BATCHES_OUT; i++) {
        if (!plait_stack_tx(e->stack, now_us(e), &tx))
            return;
        e->now_ns += PACKET_NS + (uint64_t)tx.payload_len * KB_NS / 1000;
        put(to, &tx, e->now_ns);
    }
}

static void turn(struct bench *b, unsigned which)
{
    struct end *e = &b->end[which], *other = &b->end[!which];
    e->now_ns += CALL_NS;
    uint64_t waiting = e->queue_bytes;
    for (unsigned i = 0; i < BATCH * BATCHES_IN && take(e); i++)
        if (i % BATCH == BATCH - 1 && waiting - e->queue_bytes > BYTES_IN)
            break;
    if (plait_stack_deadline(e->stack) <= now_us(e))
        plait_stack_tick(e->stack, now_us(e));
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned told = tell(b, e);
        send_out(e, other);
        if (!told)
            break;
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

/* The one whose clock is behind has its turn. */
static void run_until(struct bench *b, uint64_t end_ns)
{
    while (b->end[0].now_ns < end_ns || b->end[1].now_ns < end_ns)
        turn(b, b->end[1].now_ns < b->end[0].now_ns);
}

static void open_all(struct bench *b)
{
    struct plait_endpoint from = at(1, 0), to = at(2, PORT);
    if (plait_listen(b->end[1].stack, &to, NULL, &b->listener))
        die("cannot listen");
    for (unsigned i = 0; i < b->conns; i++) {
        struct plait_conn *c;
        from.port = (uint16_t)(10000 + i);
        if (plait_connect(b->end[0].stack, &from, &to, NULL, now_us(&b->end[0]), &c))
            die("cannot connect");
        b->senders[i] = c;
    }
    for (unsigned i = 0; b->connected < b->conns || b->accepted < b->conns; i++) {
        if (i == 1000)
            die("not all are connected");
        run_until(b, b->end[0].now_ns + 1000000);
    }
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What was counted until now; later, what was added since. */
struct counts {
    uint64_t *bytes; /* of each stream */
    uint64_t packets, acks, dropped;
    double cpu_s;
};

static void count(const struct bench *b, struct counts *n)
{
    for (unsigned i = 0; i < b->conns; i++)
        n->bytes[i] = b->streams[i].bytes - n->bytes[i];
    n->packets = b->end[1].packets - n->packets;
    n->acks = b->end[0].packets - n->acks;
    n->dropped = b->end[0].dropped + b->end[1].dropped - n->dropped;
    n->cpu_s = cpu_s() - n->cpu_s;
}

static int judge(const struct bench *b, const struct counts *n, uint64_t ns)
{
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < b->conns; i++) {
        sum += (double)n->bytes[i];
        squares += (double)n->bytes[i] * (double)n->bytes[i];
    }
    double jain = sum * sum / squares / b->conns, carried = sum / (double)n->packets;
    printf("%u connections: %.0f bytes a packet, %.2f back for each, %llu lost, Jain %.3f, "
           "%.2f Gbit/s on the clocks; CPU %.3f s a GB\n",
           b->conns, carried, (double)n->acks / (double)n->packets, (unsigned long long)n->dropped,
           jain, sum * 8 / (double)ns, n->cpu_s / (sum / 1e9));
    return carried < BYTES_A_PACKET_MIN || jain < 0.95;
}

static void bench_close(struct bench *b)
{
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &b->end[i];
        for (; e->count; e->count--, e->first = (e->first + 1) % QUEUE_PACKETS)
            free(e->queue[e->first].data);
        plait_stack_free(e->stack);
    }
    free(b->streams);
    free(b->senders);
    free(b->block);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct bench *b = &bench;
    struct counts n = {0};
    b->conns = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
    uint64_t ns = (argc > 2 ? (uint64_t)atoi(argv[2]) : 300) * 1000000;
    b->streams = calloc(b->conns, sizeof *b->streams);
    b->senders = calloc(b->conns, sizeof(struct plait_conn *));
    b->block = calloc(1, BLOCK);
    n.bytes = calloc(b->conns, sizeof *n.bytes);
    if (!b->streams || !b->senders || !b->block || !n.bytes)
        die("no memory");
    end_open(&b->end[0], 1);
    end_open(&b->end[1], 2);
    open_all(b);
    b->started = true;
    for (unsigned i = 0; i < b->conns; i++)
        fill(b, b->senders[i]);
    run_until(b, b->end[0].now_ns + WARM_NS);
    count(b, &n);
    run_until(b, b->end[0].now_ns + ns);
    count(b, &n);
    int unfit = judge(b, &n, ns);
    bench_close(b);
    free(n.bytes);
    return unfit;
}
