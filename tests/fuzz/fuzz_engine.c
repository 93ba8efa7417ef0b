/* SPDX-License-Identifier: MIT
 *
 * Two stacks with a hostile network between them, in memory. The first byte
 * of the input chooses the configuration, each further one an operation: on
 * the packets in flight, on the applications' handles, on time and on memory.
 * Checksums are no obstacle, since packets are handed over as verified.
 *
 * Oracles: every invariant after every entry; no deadline that stays in the
 * past; once all handles are given up every connection ends; no byte is left.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "plait/plait.h"
#include "tests/fuzz/fuzz.h"
#include "wire/checksum.h"
#include "wire/offload.h"

#define MS(n) ((uint64_t)(n)*1000)

enum {
    CONNS_MAX = 4,   /* handles a side */
    FLIGHT_MAX = 32, /* packets a direction; more are lost */
    ROUNDS_MAX = 32, /* of an exchange */
    OPS_MAX = 500,
    ENDING_MAX = 3000, /* timers until everything must be over */
    PORT = 5000
};

/* The configuration byte. */
enum {
    WITH_CHECKSUM = 1,
    WITH_DSN64 = 2,
    NO_TIMESTAMPS = 4,
    SMALL_BUFFERS = 8,
    LITTLE_MEMORY = 16,
    BY_CHUNK = 32,
    WITH_BURSTS = 64,
    CLIENT_WITHOUT = 128
};

struct packet {
    uint8_t *data;
    uint32_t len;
    uint16_t gso_size;
};

struct side {
    struct plait_stack *stack;
    struct plait_listener *listener;
    struct plait_conn *conns[CONNS_MAX];
    struct packet flight[FLIGHT_MAX]; /* from here to the other side */
    unsigned in_flight;
};

struct world {
    struct side sides[2];
    const uint8_t *input;
    size_t left;
    uint8_t flags;
    uint64_t now;
    size_t allocated;
    unsigned chunks, fail_after, fail_count; /* allocations to come that fail */
};

static void require(bool truth)
{
    if (!truth)
        abort();
}

static uint8_t next_byte(struct world *w)
{
    if (w->left == 0)
        return 0;
    w->left--;
    return *w->input++;
}

static unsigned next_u16(struct world *w)
{
    unsigned high = next_byte(w);
    return high << 8 | next_byte(w);
}

/* ---- memory ----------------------------------------------------------------------- */

static void *world_alloc(void *ctx, size_t size)
{
    struct world *w = ctx;
    if (w->fail_after)
        w->fail_after--;
    else if (w->fail_count && w->fail_count--)
        return NULL;
    w->allocated += size;
    return malloc(size);
}

static void world_free(void *ctx, void *ptr, size_t size)
{
    struct world *w = ctx;
    w->allocated -= size;
    free(ptr);
}

static void chunk_done(struct plait_chunk *chunk)
{
    struct world *w = chunk->owner;
    w->chunks--;
    free(chunk->data);
    free(chunk);
}

/* ---- packets ---------------------------------------------------------------------- */

static void entered(struct world *w, struct side *s)
{
    struct plait_conn *conn;
    struct plait_listener *listener;
    (void)w;
    plait_stack_check(s->stack);
    while (plait_stack_ready(s->stack, &conn, &listener))
        ;
}

static void flight_remove(struct side *s, unsigned i)
{
    free(s->flight[i].data);
    s->in_flight--;
    memmove(&s->flight[i], &s->flight[i + 1], (s->in_flight - i) * sizeof s->flight[0]);
}

/* A copy in a block of exactly its size. */
static void flight_add(struct side *s, const uint8_t *data, size_t len, uint16_t gso_size)
{
    if (s->in_flight == FLIGHT_MAX)
        return;
    struct packet *p = &s->flight[s->in_flight++];
    *p = (struct packet){malloc(len ? len : 1), (uint32_t)len, gso_size};
    memcpy(p->data, data, len);
}

static void pull(struct world *w, struct side *s)
{
    static uint8_t buf[PLAIT_HEADER_MAX + PLAIT_PAYLOAD_MAX];
    struct plait_packet_tx tx;
    while (s->in_flight < FLIGHT_MAX && plait_stack_tx(s->stack, w->now, &tx)) {
        uint16_t gso_size = tx.gso_size;
        if (w->flags & WITH_BURSTS)
            tx.gso_size = 0; /* received as one, as merged again */
        for (unsigned i = 0, n = offload_count(&tx); i < n; i++)
            flight_add(s, buf, offload_write(&tx, i, buf, sizeof buf),
                       w->flags & WITH_BURSTS ? gso_size : 0);
        entered(w, s);
    }
}

/* The lengths and the checksum of the IP header are made right again, so that
 * what was changed gets past them. */
static void ip_repair(struct packet *p)
{
    if (p->len >= 20 && p->data[0] >> 4 == 4) {
        size_t header = (size_t)(p->data[0] & 15) * 4;
        put_be16(p->data + 2, (uint16_t)p->len);
        put_be16(p->data + 10, 0);
        if (header <= p->len)
            put_be16(p->data + 10, (uint16_t)~csum_partial(p->data, header));
    } else if (p->len >= 40 && p->data[0] >> 4 == 6) {
        put_be16(p->data + 4, (uint16_t)(p->len - 40));
    }
}

static void hand_over(struct world *w, struct side *to, const struct packet *p)
{
    struct plait_packet_rx rx = {.data = p->data,
                                 .len = p->len,
                                 .gso_size = p->gso_size,
                                 .csum_ok = true};
    if (w->flags & BY_CHUNK) {
        rx.chunk = malloc(sizeof *rx.chunk);
        *rx.chunk = (struct plait_chunk){.refs = 1,
                                         .size = p->len,
                                         .release = chunk_done,
                                         .owner = w,
                                         .data = malloc(p->len + 1)};
        memcpy(rx.chunk->data, p->data, p->len);
        rx.data = rx.chunk->data;
        w->chunks++;
    }
    plait_stack_rx(to->stack, &rx, w->now);
    if (rx.chunk && --rx.chunk->refs == 0)
        chunk_done(rx.chunk);
    entered(w, to);
}

static struct side *other(struct world *w, const struct side *s)
{
    return &w->sides[s == &w->sides[0]];
}

static void deliver(struct world *w, struct side *from, unsigned i)
{
    if (i >= from->in_flight)
        return;
    struct packet p = from->flight[i];
    from->flight[i].data = NULL;
    flight_remove(from, i);
    hand_over(w, other(w, from), &p);
    free(p.data);
    pull(w, &w->sides[0]);
    pull(w, &w->sides[1]);
}

static void exchange(struct world *w)
{
    pull(w, &w->sides[0]);
    pull(w, &w->sides[1]);
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        deliver(w, &w->sides[0], 0);
        deliver(w, &w->sides[1], 0);
    }
}

/* ---- operations on the network ------------------------------------------------------ */

static void op_deliver(struct world *w, struct side *s, unsigned which)
{
    deliver(w, s, which);
}

static void op_exchange(struct world *w, struct side *s, unsigned which)
{
    (void)s, (void)which;
    exchange(w);
}

static void op_drop(struct world *w, struct side *s, unsigned which)
{
    (void)w;
    if (which < s->in_flight)
        flight_remove(s, which);
}

static void op_duplicate(struct world *w, struct side *s, unsigned which)
{
    (void)w;
    if (which < s->in_flight)
        flight_add(s, s->flight[which].data, s->flight[which].len, s->flight[which].gso_size);
}

static void op_flip(struct world *w, struct side *s, unsigned which)
{
    unsigned at = next_byte(w);
    uint8_t with = next_byte(w);
    if (which >= s->in_flight || at >= s->flight[which].len)
        return;
    s->flight[which].data[at] ^= with;
    ip_repair(&s->flight[which]);
}

/* Bytes of the input take the place of TCP options. */
static void op_options(struct world *w, struct side *s, unsigned which)
{
    unsigned at = next_byte(w) % 40, len = next_byte(w) % 41;
    struct packet *p = &s->flight[which];
    if (which >= s->in_flight)
        return;
    for (unsigned i = 0, base = p->data[0] >> 4 == 6 ? 60 : 40; i < len; i++) {
        uint8_t byte = next_byte(w);
        if (base + at + i < p->len)
            p->data[base + at + i] = byte;
    }
}

static void op_truncate(struct world *w, struct side *s, unsigned which)
{
    unsigned len = next_u16(w);
    if (which >= s->in_flight)
        return;
    if (len < s->flight[which].len)
        s->flight[which].len = len;
    ip_repair(&s->flight[which]);
}

static void op_inject(struct world *w, struct side *s, unsigned which)
{
    uint8_t bytes[256];
    unsigned len = next_byte(w);
    (void)which;
    for (unsigned i = 0; i < len; i++)
        bytes[i] = next_byte(w);
    flight_add(s, bytes, len, 0);
    if (len && s->in_flight)
        ip_repair(&s->flight[s->in_flight - 1]);
}

/* A router answers a packet with an ICMP error (RFC 792). */
static void op_icmp(struct world *w, struct side *s, unsigned which)
{
    uint8_t bytes[20 + 8 + 60] = {0x45, [8] = 64, [9] = 1, [12] = 10, [15] = 254};
    uint8_t type = next_byte(w), code = next_byte(w);
    unsigned mtu = next_u16(w);
    if (which >= s->in_flight || s->flight[which].len < 40 || s->flight[which].data[0] >> 4 != 4)
        return;
    const struct packet *about = &s->flight[which];
    unsigned quoted = about->len < 60 ? about->len : 60;
    struct packet p = {bytes, 28 + quoted, 0};
    memcpy(bytes + 16, about->data + 12, 4);
    bytes[20] = type;
    bytes[21] = code;
    put_be16(bytes + 26, (uint16_t)mtu);
    memcpy(bytes + 28, about->data, quoted);
    put_be16(bytes + 22, (uint16_t)~csum_partial(bytes + 20, 8 + quoted));
    ip_repair(&p);
    hand_over(w, s, &p);
}

/* ---- operations on time and memory --------------------------------------------------- */

static void tick(struct world *w, struct side *s)
{
    plait_stack_tick(s->stack, w->now);
    entered(w, s);
    pull(w, s);
}

/* What is due has been done: otherwise a loop around the stack would spin. A
 * side whose packets have no room in flight may have more to send. */
static void due_is_done(struct world *w, struct side *s)
{
    for (int i = 0; plait_stack_deadline(s->stack) <= w->now; i++) {
        require(i < 100);
        while (s->in_flight)
            flight_remove(s, 0);
        tick(w, s);
    }
}

static void pass_until(struct world *w, uint64_t when)
{
    if (when > w->now && when != UINT64_MAX)
        w->now = when;
    for (int i = 0; i < 2; i++) {
        tick(w, &w->sides[i]);
        due_is_done(w, &w->sides[i]);
    }
}

static void op_timer(struct world *w, struct side *s, unsigned which)
{
    (void)which;
    pass_until(w, plait_stack_deadline(s->stack));
}

static void op_wait(struct world *w, struct side *s, unsigned which)
{
    (void)s;
    pass_until(w, w->now + (MS(next_byte(w)) << (2 * which)));
}

static void op_fail(struct world *w, struct side *s, unsigned which)
{
    (void)s;
    w->fail_after = next_byte(w);
    w->fail_count = which + 1;
}

/* ---- operations of applications -------------------------------------------------------- */

static struct plait_addr address(const struct world *w, const struct side *s, unsigned link)
{
    uint8_t host = (uint8_t)(1 + (s - w->sides));
    if (link == 2)
        return (struct plait_addr){PLAIT_IPV6, {0xfd, [15] = host}};
    return (struct plait_addr){PLAIT_IPV4, {10, 0, (uint8_t)link, host}};
}

static void op_connect(struct world *w, struct side *s, unsigned which)
{
    if (s->conns[which])
        return;
    static const enum plait_version versions[] = {PLAIT_VERSION_AUTO, PLAIT_VERSION_0,
                                                  PLAIT_VERSION_1};
    uint8_t how = next_byte(w);
    struct plait_endpoint remote = {address(w, other(w, s), how % 3), PORT};
    const struct plait_options options = {.version = versions[how / 3 % 3]};
    plait_connect(s->stack, NULL, &remote, &options, w->now, &s->conns[which]);
    entered(w, s);
    pull(w, s);
}

static void op_accept(struct world *w, struct side *s, unsigned which)
{
    (void)w;
    if (!s->conns[which] && s->listener)
        s->conns[which] = plait_accept(s->listener);
}

static void op_write(struct world *w, struct side *s, unsigned which)
{
    static const uint8_t bytes[65536];
    unsigned len = next_u16(w);
    if (!s->conns[which])
        return;
    plait_conn_write(s->conns[which], bytes, len, w->now);
    entered(w, s);
    pull(w, s);
}

static void op_read(struct world *w, struct side *s, unsigned which)
{
    static uint8_t bytes[65536];
    unsigned len = next_u16(w);
    if (!s->conns[which])
        return;
    plait_conn_read(s->conns[which], bytes, len, w->now);
    entered(w, s);
    pull(w, s);
}

static void op_shutdown(struct world *w, struct side *s, unsigned which)
{
    if (!s->conns[which])
        return;
    plait_conn_shutdown(s->conns[which], PLAIT_SHUT_WR, w->now);
    entered(w, s);
    pull(w, s);
}

static void give_up(struct world *w, struct side *s, unsigned which, bool abruptly)
{
    if (!s->conns[which])
        return;
    if (abruptly)
        plait_conn_abort(s->conns[which], w->now);
    else
        plait_conn_close(s->conns[which], w->now);
    s->conns[which] = NULL;
    entered(w, s);
    pull(w, s);
}

static void op_close(struct world *w, struct side *s, unsigned which)
{
    give_up(w, s, which, false);
}

static void op_abort(struct world *w, struct side *s, unsigned which)
{
    give_up(w, s, which, true);
}

static void op_subflow(struct world *w, struct side *s, unsigned which)
{
    struct plait_conn *c = s->conns[which];
    unsigned how = next_byte(w), id = next_byte(w) % 8;
    if (!c)
        return;
    struct plait_endpoint local = {address(w, s, how / 4 % 3), 0};
    struct plait_endpoint remote = {address(w, other(w, s), how / 4 % 3), PORT};
    if (how % 4 == 0)
        plait_conn_open_subflow(c, &local, &remote, how & 64, w->now);
    else if (how % 4 == 1)
        plait_conn_close_subflow(c, id, w->now);
    else
        plait_conn_set_backup(c, id, how & 1, w->now);
    entered(w, s);
    pull(w, s);
}

static void op_address(struct world *w, struct side *s, unsigned which)
{
    unsigned how = next_byte(w);
    struct plait_local local = {.addr = address(w, s, how % 3),
                                .prefix_len = 24,
                                .mtu = how & 64 ? 1280 : 1500,
                                .backup = how & 128};
    if (which % 2)
        plait_stack_add_addr(s->stack, &local, w->now);
    else
        plait_stack_remove_addr(s->stack, &local.addr, w->now);
    entered(w, s);
    pull(w, s);
}

static void op_unlisten(struct world *w, struct side *s, unsigned which)
{
    (void)which;
    if (s->listener)
        plait_listener_close(s->listener, w->now);
    s->listener = NULL;
    entered(w, s);
    pull(w, s);
}

static void op_look(struct world *w, struct side *s, unsigned which)
{
    struct plait_conn_info info;
    struct plait_subflow_info subflows[4];
    struct plait_memory memory;
    (void)w;
    plait_stack_memory(s->stack, &memory);
    if (!s->conns[which])
        return;
    plait_conn_info(s->conns[which], &info);
    plait_conn_subflows(s->conns[which], subflows, 4);
    plait_conn_poll(s->conns[which]);
    plait_conn_error(s->conns[which]);
}

/* An operation's byte: its number, the side (32) and a packet or handle (192). */
typedef void op_fn(struct world *w, struct side *s, unsigned which);
static op_fn *const ops[] = {
    op_exchange, op_deliver, op_drop,    op_duplicate, op_flip,     op_options,
    op_truncate, op_inject,  op_icmp,    op_timer,     op_wait,     op_fail,
    op_connect,  op_accept,  op_write,   op_read,      op_shutdown, op_close,
    op_abort,    op_subflow, op_address, op_unlisten,  op_look,
};
enum { OPS = sizeof ops / sizeof ops[0], OP_NUMBER = 31, OP_SIDE = 32 };

/* ---- a run ------------------------------------------------------------------------------ */

static void side_open(struct world *w, struct side *s)
{
    struct plait_config config;
    struct plait_endpoint any = {.port = PORT};
    unsigned flags = w->flags;
    bool client = s == &w->sides[0];
    plait_config_default(&config);
    config.allocator = (struct plait_allocator){w, world_alloc, world_free};
    memset(config.secret, client ? 1 : 2, sizeof config.secret);
    config.checksum = flags & WITH_CHECKSUM;
    config.dsn64 = config.data_ack64 = flags & WITH_DSN64;
    config.timestamps = !(flags & NO_TIMESTAMPS);
    config.version_fallback = client;
    config.fastclose_ack = client;
    config.multipath = !(client && (flags & CLIENT_WITHOUT));
    config.burst_max_bytes = flags & WITH_BURSTS ? 16384 : 0;
    config.conns_max = 16;
    if (flags & SMALL_BUFFERS) {
        config.send_buffer_bytes = config.recv_buffer_bytes = 4096;
        config.send_buffer_max_bytes = config.recv_buffer_max_bytes = 16384;
    }
    if (flags & LITTLE_MEMORY)
        config.memory_max_bytes = 200000;
    require(plait_stack_new(&config, w->now, &s->stack) == 0);
    for (unsigned link = 0; link < 3; link++) {
        struct plait_local local = {.addr = address(w, s, link),
                                    .prefix_len = 24,
                                    .mtu = 1500,
                                    .link = link + 1};
        require(plait_stack_add_addr(s->stack, &local, w->now) == 0);
    }
    require(plait_listen(s->stack, &any, NULL, &s->listener) == 0);
}

static bool over(const struct world *w)
{
    struct plait_memory a, b;
    plait_stack_memory(w->sides[0].stack, &a);
    plait_stack_memory(w->sides[1].stack, &b);
    return a.conns + b.conns == 0;
}

/* Everybody hangs up, and the network behaves: nothing may stay. */
static void ending(struct world *w)
{
    w->fail_count = 0;
    for (int i = 0; i < 2; i++) {
        for (unsigned c = 0; c < CONNS_MAX; c++)
            give_up(w, &w->sides[i], c, false);
        op_unlisten(w, &w->sides[i], 0);
    }
    for (int i = 0; !over(w); i++) {
        require(i < ENDING_MAX);
        exchange(w);
        uint64_t a = plait_stack_deadline(w->sides[0].stack);
        uint64_t b = plait_stack_deadline(w->sides[1].stack);
        pass_until(w, a < b ? a : b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.input = data, .left = size, .now = MS(1000)};
    w.flags = next_byte(&w);
    side_open(&w, &w.sides[0]);
    side_open(&w, &w.sides[1]);
    op_connect(&w, &w.sides[0], 0);
    for (int i = 0; w.left && i < OPS_MAX; i++) {
        uint8_t op = next_byte(&w);
        ops[(op & OP_NUMBER) % OPS](&w, &w.sides[(op & OP_SIDE) != 0], op >> 6);
    }
    ending(&w);
    for (int i = 0; i < 2; i++) {
        while (w.sides[i].in_flight)
            flight_remove(&w.sides[i], 0);
        plait_stack_free(w.sides[i].stack);
    }
    require(w.allocated == 0 && w.chunks == 0);
    return 0;
}
