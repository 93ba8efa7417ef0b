/* SPDX-License-Identifier: MIT
 *
 * A bulk transfer between two stacks, packets handed over as a driver hands
 * them: in steady state the receiver never asks for memory, the sender at most
 * once a turn, for the end of what the application could write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/chunk.h"
#include "plait/plait.h"

enum {
    BLOCK = 256 * 1024,
    BATCH = 16,
    TURN_US = 100,
    WARM_TURNS = 3000,
    COUNTED_TURNS = 3000,
    PORT = 4711,
    CHUNKS = 2048, /* what a driver has to receive into */
    PACKET_MAX = 65536
};

struct counted {
    uint64_t calls; /* for memory */
    struct plait_stack *stack;
};

struct pair {
    struct counted client, server;
    struct plait_listener *listener;
    struct plait_conn *out, *in;
    uint64_t now_us, read_bytes, sent_packets;
    uint8_t *block;
    struct plait_chunk *free_chunks[CHUNKS];
    unsigned free_count;
};

static void *counting_alloc(void *ctx, size_t size)
{
    struct counted *c = ctx;
    c->calls++;
    return malloc(size);
}

static void counting_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static void chunk_back(struct plait_chunk *chunk)
{
    struct pair *p = chunk->owner;
    p->free_chunks[p->free_count++] = chunk;
}

static void open_stack(struct counted *c, const char *addr)
{
    struct plait_config config;
    struct plait_local local = {.prefix_len = 24, .mtu = 1500};
    plait_config_default(&config);
    memset(config.secret, addr[7], sizeof config.secret);
    config.allocator = (struct plait_allocator){c, counting_alloc, counting_free};
    assert_int_equal(plait_stack_new(&config, 0, &c->stack), 0);
    assert_true(addr_parse(addr, &local.addr));
    assert_int_equal(plait_stack_add_addr(c->stack, &local, 0), 0);
}

/* What the wire does to a packet of the sender's: header and pieces in one buffer. */
static void hand_over(struct pair *p, const struct plait_packet_tx *tx, struct plait_stack *to)
{
    assert_true(p->free_count > 0);
    struct plait_chunk *chunk = p->free_chunks[--p->free_count];
    uint32_t len = tx->header_len;
    chunk->refs = 1;
    memcpy(chunk->data, tx->header, len);
    for (unsigned i = 0; i < tx->iov_count; i++) {
        memcpy(chunk->data + len, tx->iov[i].data, tx->iov[i].len);
        len += tx->iov[i].len;
    }
    bool large = len >= PACKET_MAX / 4;
    struct plait_packet_rx rx = {.chunk = large ? chunk : NULL,
                                 .data = chunk->data,
                                 .len = len,
                                 .gso_size = tx->gso_size,
                                 .csum_ok = true};
    plait_stack_rx(to, &rx, p->now_us);
    p->sent_packets++;
    chunk_unref(chunk);
}

static void move(struct pair *p, struct plait_stack *from, struct plait_stack *to)
{
    struct plait_packet_tx tx;
    for (unsigned i = 0; i < BATCH && plait_stack_tx(from, p->now_us, &tx); i++)
        hand_over(p, &tx, to);
    if (plait_stack_deadline(from) <= p->now_us)
        plait_stack_tick(from, p->now_us);
}

static void turn(struct pair *p)
{
    struct plait_conn *conn;
    struct plait_listener *listener;
    int64_t n;
    p->now_us += TURN_US;
    while (plait_conn_write(p->out, p->block, BLOCK, p->now_us) > 0)
        ;
    move(p, p->client.stack, p->server.stack);
    if (!p->in)
        p->in = plait_accept(p->listener);
    while (p->in && (n = plait_conn_read(p->in, p->block, BLOCK, p->now_us)) > 0)
        p->read_bytes += (uint64_t)n;
    move(p, p->server.stack, p->client.stack);
    while (plait_stack_ready(p->client.stack, &conn, &listener))
        ;
    while (plait_stack_ready(p->server.stack, &conn, &listener))
        ;
}

static void open_pair(struct pair *p, const struct plait_options *options)
{
    struct plait_endpoint to = {.port = PORT};
    p->block = calloc(1, BLOCK);
    for (unsigned i = 0; i < CHUNKS; i++) {
        struct plait_chunk *c = calloc(1, sizeof *c);
        *c = (struct plait_chunk){.size = PACKET_MAX,
                                  .release = chunk_back,
                                  .owner = p,
                                  .data = malloc(PACKET_MAX)};
        p->free_chunks[p->free_count++] = c;
    }
    open_stack(&p->client, "10.0.0.1");
    open_stack(&p->server, "10.0.0.2");
    assert_true(addr_parse("10.0.0.2", &to.addr));
    assert_int_equal(plait_listen(p->server.stack, &to, options, &p->listener), 0);
    assert_int_equal(plait_connect(p->client.stack, NULL, &to, options, p->now_us, &p->out), 0);
}

static void close_pair(struct pair *p)
{
    plait_stack_free(p->client.stack);
    plait_stack_free(p->server.stack);
    assert_int_equal(p->free_count, CHUNKS);
    for (unsigned i = 0; i < CHUNKS; i++) {
        free(p->free_chunks[i]->data);
        free(p->free_chunks[i]);
    }
    free(p->block);
}

static void check_steady(const struct plait_options *options)
{
    static struct pair pair; /* large */
    struct pair *p = &pair;
    struct plait_memory before, after;
    *p = (struct pair){.now_us = 1000000};
    open_pair(p, options);
    for (unsigned i = 0; i < WARM_TURNS; i++)
        turn(p);
    uint64_t read_before = p->read_bytes, packets_before = p->sent_packets;
    uint64_t client_before = p->client.calls, server_before = p->server.calls;
    plait_stack_memory(p->client.stack, &before);
    for (unsigned i = 0; i < COUNTED_TURNS; i++)
        turn(p);
    plait_stack_memory(p->client.stack, &after);
    /* It was a transfer, in super-segments. */
    assert_true(p->read_bytes - read_before > (uint64_t)COUNTED_TURNS * 100000);
    assert_true((p->read_bytes - read_before) / (p->sent_packets - packets_before) > 16384);
    uint64_t segments = (p->read_bytes - read_before) / PACKET_MAX;
    assert_true(segments > 4 * COUNTED_TURNS);
    assert_true(p->client.calls - client_before <= COUNTED_TURNS);
    assert_int_equal(p->server.calls - server_before, 0);
    assert_true(after.used_bytes <= before.used_bytes + PACKET_MAX);
    close_pair(p);
}

static void test_bulk_asks_for_little_memory(void **state)
{
    (void)state;
    check_steady(NULL);
}

static void test_bulk_over_tcp_asks_for_little_memory(void **state)
{
    const struct plait_options options = {.multipath = PLAIT_MULTIPATH_OFF};
    (void)state;
    check_steady(&options);
}

/* Spare chunks are bounded, and gone when the last connection is. */
static void test_chunks_are_used_again_newest_first(void **state)
{
    struct counted counted = {0};
    const struct plait_allocator alloc = {&counted, counting_alloc, counting_free};
    struct mem mem;
    struct chunk_cache cache;
    (void)state;
    mem_init(&mem, &alloc, 0);
    chunk_cache_init(&cache, &mem, 1024, 2);
    struct plait_chunk *a = chunk_cache_get(&cache), *b = chunk_cache_get(&cache),
                       *c = chunk_cache_get(&cache);
    assert_int_equal(counted.calls, 3);
    chunk_unref(a);
    chunk_unref(b);
    chunk_unref(c); /* one too many to keep */
    assert_int_equal(cache.spares, 2);
    assert_ptr_equal(chunk_cache_get(&cache), b);
    assert_ptr_equal(chunk_cache_get(&cache), a);
    assert_int_equal(counted.calls, 3);
    chunk_unref(a);
    chunk_unref(b);
    chunk_cache_trim(&cache);
    assert_int_equal(mem.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_asks_for_little_memory),
        cmocka_unit_test(test_bulk_over_tcp_asks_for_little_memory),
        cmocka_unit_test(test_chunks_are_used_again_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
