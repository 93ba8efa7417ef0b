/* SPDX-License-Identifier: MIT
 *
 * Memory, pools, timers, the hash table and both generators.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blocks.h"
#include "base/bytes.h"
#include "base/chunk.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/prng.h"
#include "base/seq.h"
#include "base/timers.h"

/* An allocator that knows what is out and can run dry. */
enum { GARBAGE = 0xa5 }; /* in memory that is fresh */

struct heap {
    size_t blocks, bytes;
    long left; /* allocations until it fails; negative: never */
};

static void *heap_alloc(void *ctx, size_t size)
{
    struct heap *h = ctx;
    if (h->left == 0)
        return NULL;
    if (h->left > 0)
        h->left--;
    h->blocks++;
    h->bytes += size;
    void *ptr = malloc(size);
    return ptr ? memset(ptr, GARBAGE, size) : NULL;
}

static void heap_free(void *ctx, void *ptr, size_t size)
{
    struct heap *h = ctx;
    h->blocks--;
    h->bytes -= size;
    free(ptr);
}

struct fixture {
    struct heap heap;
    struct mem mem;
};

static void fixture_init(struct fixture *f, size_t limit)
{
    f->heap = (struct heap){.left = -1};
    struct plait_allocator a = {&f->heap, heap_alloc, heap_free};
    mem_init(&f->mem, &a, limit);
}

static void fixture_done(struct fixture *f)
{
    assert_int_equal(f->mem.used_bytes, 0);
    assert_int_equal(f->heap.blocks, 0);
    assert_int_equal(f->heap.bytes, 0);
}

static void test_mem_keeps_its_budget(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 100);
    uint8_t *a = mem_alloc(&f.mem, 60);
    assert_non_null(a);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(a[i], 0);
    assert_null(mem_alloc(&f.mem, 41));
    assert_null(mem_alloc(&f.mem, SIZE_MAX));
    assert_int_equal(f.mem.failures, 2);
    uint8_t *b = mem_alloc_raw(&f.mem, 40);
    assert_non_null(b);
    assert_int_equal(f.mem.used_bytes, 100);
    mem_free(&f.mem, a, 60);
    mem_free(&f.mem, b, 40);
    mem_free(&f.mem, NULL, 7);
    assert_int_equal(f.mem.peak_bytes, 100);
    f.heap.left = 0;
    assert_null(mem_alloc(&f.mem, 1));
    assert_int_equal(f.mem.failures, 3);
    fixture_done(&f);
}

static void test_mem_survives_a_limit_lowered_below_use(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 100);
    void *a = mem_alloc(&f.mem, 80);
    f.mem.limit_bytes = 50;
    assert_null(mem_alloc(&f.mem, 1));
    mem_free(&f.mem, a, 80);
    fixture_done(&f);
}

static void test_chunk_counts_references(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 0);
    struct plait_chunk *c = chunk_new(&f.mem, 1000);
    assert_int_equal(c->size, 1000);
    memset(c->data, 0xaa, c->size);
    assert_ptr_equal(chunk_ref(c), c);
    chunk_unref(c);
    assert_int_equal(f.heap.blocks, 1);
    chunk_unref(c);
    chunk_unref(NULL);
    f.heap.left = 0;
    assert_null(chunk_new(&f.mem, 1));
    fixture_done(&f);
}

static void test_pool_reuses_and_gives_back(void **state)
{
    (void)state;
    enum { COUNT = 3000, SIZE = 100 };
    static uint8_t *object[COUNT];
    struct fixture f;
    struct pool p;
    fixture_init(&f, 0);
    pool_init(&p, &f.mem, SIZE);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            object[i] = pool_get(&p);
            assert_non_null(object[i]);
            for (unsigned j = 0; j < SIZE; j++)
                assert_int_equal(object[i][j], 0);
            memset(object[i], 0xee, SIZE);
        }
        assert_int_equal(p.used, COUNT);
        assert_int_equal(p.slab_count, (COUNT + p.per_slab - 1) / p.per_slab);
        /* Every second one first, so that no slab empties early. */
        for (unsigned i = 0; i < COUNT; i += 2)
            pool_put(&p, object[i]);
        for (unsigned i = 1; i < COUNT; i += 2)
            pool_put(&p, object[i]);
        assert_int_equal(p.slab_count, 1);
    }
    pool_free(&p);
    fixture_done(&f);
}

static void test_pool_in_steady_state_leaves_the_allocator_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct pool p;
    fixture_init(&f, 0);
    pool_init(&p, &f.mem, 64);
    void *held[1000];
    uint32_t boundary = p.per_slab;
    assert_true(boundary < 1000);
    for (uint32_t i = 0; i < boundary; i++)
        held[i] = pool_get(&p);
    void *extra = pool_get(&p);
    f.heap.left = 0; /* from here on an allocation would fail */
    for (unsigned i = 0; i < 100; i++) {
        pool_put(&p, extra);
        extra = pool_get(&p);
        assert_non_null(extra);
    }
    pool_put(&p, extra);
    for (uint32_t i = 0; i < boundary; i++)
        pool_put(&p, held[i]);
    pool_free(&p);
    fixture_done(&f);
}

/* Each block is replaced by a larger one, as many times as there are classes:
 * the slabs of the small ones go to the larger ones. */
static void test_blocks_of_growing_size_leave_no_holes(void **state)
{
    (void)state;
    enum {
        COUNT = 2000,
        LARGEST = BLOCK_STEP * BLOCK_CLASSES + 1,
        KEPT = BLOCK_CLASSES * 16384
    }; /* a slab of each class */
    static uint8_t *block[COUNT];
    struct fixture f;
    struct blocks b;
    fixture_init(&f, 0);
    blocks_init(&b, &f.mem);
    size_t empty = f.mem.used_bytes, bytes;
    for (unsigned i = 0; i < COUNT; i++)
        assert_non_null(block[i] = blocks_get(&b, 1));
    for (bytes = 1; bytes < LARGEST; bytes += BLOCK_STEP) {
        for (unsigned i = 0; i < COUNT; i++) {
            blocks_put(&b, block[i], bytes);
            block[i] = blocks_get(&b, bytes + BLOCK_STEP);
            assert_non_null(block[i]);
            memset(block[i], 0xee, bytes + BLOCK_STEP);
        }
        size_t rounded = bytes + 2 * BLOCK_STEP + 16; /* a cell has a header */
        assert_true(f.mem.used_bytes - empty < COUNT * rounded * 11 / 10 + KEPT);
    }
    for (unsigned i = 0; i < COUNT; i++)
        blocks_put(&b, block[i], bytes);
    blocks_free(&b);
    fixture_done(&f);
}

static void test_pool_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct pool p;
    fixture_init(&f, 0);
    f.heap.left = 0;
    pool_init(&p, &f.mem, 1);
    assert_null(pool_get(&p));
    f.heap.left = -1;
    void *big_ok = pool_get(&p);
    assert_non_null(big_ok);
    pool_put(&p, big_ok);
    pool_free(&p);
    pool_init(&p, &f.mem, 100000); /* larger than a slab: one each */
    assert_int_equal(p.per_slab, 1);
    void *a = pool_get(&p), *b = pool_get(&p);
    memset(a, 1, 100000);
    memset(b, 2, 100000);
    pool_put(&p, a);
    pool_put(&p, b);
    pool_free(&p);
    fixture_done(&f);
}

static void test_timers_fire_in_order_and_ties_as_armed(void **state)
{
    (void)state;
    struct fixture f;
    struct timers ts;
    struct timer t[6] = {0};
    fixture_init(&f, 0);
    timers_init(&ts, &f.mem);
    for (unsigned i = 0; i < 6; i++)
        assert_true(timers_reserve(&ts, &t[i]));
    assert_int_equal(timers_next(&ts), TIMER_NEVER);
    timers_set(&ts, &t[0], 50);
    timers_set(&ts, &t[1], 20);
    timers_set(&ts, &t[2], 20);
    timers_set(&ts, &t[3], 20);
    timers_set(&ts, &t[4], 10);
    timers_set(&ts, &t[5], 30);
    timers_set(&ts, &t[1], 20); /* again: now the last of the three */
    timers_set(&ts, &t[5], TIMER_NEVER);
    assert_int_equal(timers_next(&ts), 10);
    assert_null(timers_expire(&ts, 9));
    assert_ptr_equal(timers_expire(&ts, 20), &t[4]);
    assert_int_equal(t[4].at_us, TIMER_NEVER);
    assert_ptr_equal(timers_expire(&ts, 20), &t[2]);
    assert_ptr_equal(timers_expire(&ts, 20), &t[3]);
    assert_ptr_equal(timers_expire(&ts, 20), &t[1]);
    assert_null(timers_expire(&ts, 20));
    timers_forget(&ts, &t[0]);
    assert_null(timers_expire(&ts, TIMER_NEVER - 1));
    timers_forget(&ts, &t[0]); /* harmless */
    timers_free(&ts);
    fixture_done(&f);
}

static void test_timers_agree_with_a_sorted_list(void **state)
{
    (void)state;
    enum { COUNT = 200, STEPS = 20000 };
    static struct timer t[COUNT];
    struct fixture f;
    struct timers ts;
    struct prng rng;
    fixture_init(&f, 0);
    timers_init(&ts, &f.mem);
    prng_seed(&rng, 7);
    memset(t, 0, sizeof t);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(timers_reserve(&ts, &t[i]));
    f.heap.left = 0; /* arming must not need memory */
    uint64_t now = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        struct timer *pick = &t[prng_below(&rng, COUNT)];
        timers_set(&ts, pick, prng_chance(&rng, 200000) ? TIMER_NEVER : now + prng_below(&rng, 50));
        now += prng_below(&rng, 3);
        for (;;) {
            struct timer *first = NULL;
            for (unsigned i = 0; i < COUNT; i++)
                if (t[i].at_us <= now &&
                    (!first || t[i].at_us < first->at_us ||
                     (t[i].at_us == first->at_us && t[i].order < first->order)))
                    first = &t[i];
            assert_ptr_equal(timers_expire(&ts, now), first);
            if (!first)
                break;
        }
    }
    for (unsigned i = 0; i < COUNT; i++)
        timers_forget(&ts, &t[i]);
    assert_int_equal(ts.count, 0);
    assert_int_equal(ts.reserved, 0);
    timers_free(&ts);
    fixture_done(&f);
}

static void test_timers_refuse_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct timers ts;
    struct timer t = {0};
    fixture_init(&f, 0);
    f.heap.left = 0;
    timers_init(&ts, &f.mem);
    assert_false(timers_reserve(&ts, &t));
    assert_false(t.reserved);
    timers_forget(&ts, &t);
    timers_free(&ts);
    fixture_done(&f);
}

static void test_siphash_reference_vectors(void **state)
{
    (void)state;
    /* From the reference implementation's vectors.h: key 00..0f, input 00.. */
    const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t in[15];
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    assert_true(siphash(&key, in, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(siphash(&key, in, 8) == UINT64_C(0x93f5f5799a932462));
    assert_true(siphash(&key, in, 15) == UINT64_C(0xa129ca6149be45e5));
}

struct item {
    struct hash_node node;
    unsigned number;
    bool in;
};

static bool hash_has(const struct hash_table *t, const struct item *item, uint64_t hash)
{
    struct hash_node *n = hash_find(t, hash);
    while (n && n != &item->node)
        n = hash_next(n);
    return n != NULL;
}

/* Insert, remove and look up at random while the table grows; `spread` hash
 * values, so that with few of them there are many equal ones. */
static void hash_exercise(uint64_t spread, long allocations)
{
    enum { COUNT = 5000 };
    static struct item items[COUNT];
    struct fixture f;
    struct hash_table t;
    struct prng rng;
    fixture_init(&f, 0);
    prng_seed(&rng, spread);
    assert_true(hash_init(&t, &f.mem));
    f.heap.left = allocations;
    memset(items, 0, sizeof items);
    size_t count = 0;
    for (unsigned step = 0; step < 60000; step++) {
        struct item *item = &items[prng_below(&rng, COUNT)];
        if (!item->in) {
            hash_insert(&t, &item->node, prng_below(&rng, spread));
            count++;
        } else if (prng_chance(&rng, 300000)) {
            hash_remove(&t, &item->node);
            assert_false(hash_has(&t, item, item->node.hash));
            count--;
            item->in = false;
            continue;
        }
        item->in = true;
        assert_true(hash_has(&t, item, item->node.hash));
        assert_int_equal(t.count, count);
        for (unsigned i = 0; t.old.chains && step % 16 == 0 && i < COUNT; i++)
            if (items[i].in) /* half way through a growth all must be there */
                assert_true(hash_has(&t, &items[i], items[i].node.hash));
    }
    for (unsigned i = 0; i < COUNT; i++)
        if (items[i].in) {
            assert_true(hash_has(&t, &items[i], items[i].node.hash));
            hash_remove(&t, &items[i].node);
        }
    assert_null(hash_find(&t, 1));
    hash_free(&t);
    f.heap.left = -1;
    fixture_done(&f);
}

static void test_hash_table_at_random(void **state)
{
    (void)state;
    hash_exercise(UINT64_MAX, -1);
    hash_exercise(40, -1);
}

static void test_hash_table_grows_no_further_without_memory(void **state)
{
    (void)state;
    hash_exercise(UINT64_MAX, 2);
}

/* How many buckets were ever written. */
static size_t buckets_set(const struct hash_table *t)
{
    uint64_t fresh;
    size_t set = 0;
    memset(&fresh, GARBAGE, sizeof fresh);
    for (size_t i = 0; i < (size_t)1 << t->now.bits; i++)
        set += (uintptr_t)t->now.chains[i] != fresh;
    return set;
}

/* The insert with which growth begins, and those after it, write a few buckets
 * each, however large the table is. */
static void test_hash_growth_does_not_pause(void **state)
{
    (void)state;
    enum { COUNT = 1 << 13, STEP = 4 };
    struct fixture f;
    struct hash_table t;
    static struct item items[COUNT + 8];
    fixture_init(&f, 0);
    assert_true(hash_init(&t, &f.mem));
    const struct hash_key key = {1, 2};
    unsigned n = 0;
    for (; n < COUNT; n++)
        hash_insert(&t, &items[n].node, siphash(&key, &n, sizeof n));
    while (!t.old.chains || t.old.bits != 13) {
        assert_true(n < COUNT + 8);
        hash_insert(&t, &items[n].node, siphash(&key, &n, sizeof n));
        n++;
    }
    assert_true(buckets_set(&t) <= 1);
    size_t before = buckets_set(&t);
    hash_insert(&t, &items[n].node, siphash(&key, &n, sizeof n));
    assert_true(buckets_set(&t) - before <= 2 * STEP + 1);
    for (unsigned i = 0; i <= n; i++)
        hash_remove(&t, &items[i].node);
    hash_free(&t);
    fixture_done(&f);
}

/* A bucket of two: what neither is of the kind of is not looked for among them,
 * and one that went is forgotten when it is looked for in vain. */
static void test_hash_buckets_know_kinds(void **state)
{
    (void)state;
    const uint64_t eighth = UINT64_C(1) << 61;
    struct fixture f;
    struct hash_table t;
    struct item a = {0}, b = {0};
    fixture_init(&f, 0);
    assert_true(hash_init(&t, &f.mem));
    hash_insert(&t, &a.node, 1 + eighth);
    hash_insert(&t, &b.node, 1 + 3 * eighth);
    assert_int_equal(t.now.kinds[1], 1 << 1 | 1 << 3);
    assert_null(hash_find(&t, 1 + 2 * eighth));
    assert_int_equal(t.now.kinds[1], 1 << 1 | 1 << 3);
    hash_remove(&t, &b.node);
    assert_int_equal(t.now.kinds[1], 1 << 1 | 1 << 3);
    assert_null(hash_find(&t, 1 + 3 * eighth));
    assert_int_equal(t.now.kinds[1], 1 << 1);
    assert_ptr_equal(hash_find(&t, 1 + eighth), &a.node);
    hash_remove(&t, &a.node);
    assert_int_equal(t.now.kinds[1], 0);
    hash_free(&t);
    fixture_done(&f);
}

static void test_hash_growth_keeps_chains_short(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct fixture f;
    struct hash_table t;
    fixture_init(&f, 0);
    assert_true(hash_init(&t, &f.mem));
    struct item *items = calloc(COUNT, sizeof *items);
    const struct hash_key key = {1, 2};
    for (unsigned i = 0; i < COUNT; i++) {
        size_t moved = t.old_moved;
        struct hash_node **old = t.old.chains;
        hash_insert(&t, &items[i].node, siphash(&key, &i, sizeof i));
        assert_true(t.old.chains != old || t.old_moved - moved <= 4); /* a bounded step */
    }
    assert_true((size_t)1 << t.now.bits >= COUNT / 2);
    for (unsigned i = 0; i < COUNT; i++)
        hash_remove(&t, &items[i].node);
    hash_free(&t);
    free(items);
    fixture_done(&f);
}

static void test_prng_reference_and_bounds(void **state)
{
    (void)state;
    /* xoshiro256** from the state 1, 2, 3, 4. */
    struct prng p = {{1, 2, 3, 4}};
    assert_true(prng_next(&p) == 11520);
    assert_true(prng_next(&p) == 0);
    assert_true(prng_next(&p) == 1509978240);
    assert_true(prng_next(&p) == UINT64_C(1215971899390074240));
    prng_seed(&p, 0); /* splitmix64 of 0 */
    assert_true(p.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    unsigned seen[7] = {0}, hits = 0;
    for (unsigned i = 0; i < 70000; i++)
        seen[prng_below(&p, 7)]++;
    for (unsigned i = 0; i < 7; i++)
        assert_in_range(seen[i], 9500, 10500);
    assert_true(prng_below(&p, 1) == 0);
    /* Of three quarters of all numbers the first third must not come twice as
     * often, as it would with a plain remainder. */
    unsigned low = 0;
    for (unsigned i = 0; i < 30000; i++)
        low += prng_below(&p, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    assert_in_range(low, 9500, 10500);
    for (unsigned i = 0; i < 100000; i++) {
        hits += prng_chance(&p, 100000);
        assert_false(prng_chance(&p, 0));
        assert_true(prng_chance(&p, 1000000));
    }
    assert_in_range(hits, 9500, 10500);
}

static void test_secure_is_hmac_of_a_counter(void **state)
{
    (void)state;
    static const uint8_t expect[64] = {
        0x9f, 0x0c, 0xd9, 0xb9, 0x40, 0x97, 0xfe, 0x49, 0x29, 0x91, 0x8d, 0x2b, 0x89,
        0x42, 0xb3, 0x44, 0x39, 0x57, 0x42, 0x61, 0xa3, 0x5d, 0xc5, 0x01, 0x63, 0xf0,
        0x6c, 0x67, 0xd4, 0xe4, 0x88, 0x99, 0xc4, 0x32, 0xe0, 0x59, 0xc3, 0x78, 0xee,
        0xf7, 0xfe, 0x2f, 0x11, 0x81, 0xa4, 0x05, 0x08, 0x36, 0xf5, 0x1e, 0x08, 0x56,
        0xfd, 0x74, 0x93, 0x7b, 0xe8, 0x17, 0x84, 0xfa, 0x0e, 0xfa, 0x7a, 0x1c,
    };
    uint8_t seed[32], whole[64], pieces[64];
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = i;
    struct secure s;
    secure_init(&s, seed);
    secure_bytes(&s, whole, sizeof whole);
    assert_memory_equal(whole, expect, sizeof expect);
    secure_init(&s, seed);
    for (size_t at = 0, n = 1; at < sizeof pieces; at += n, n = n * 2 % 13)
        secure_bytes(&s, pieces + at, n < sizeof pieces - at ? n : sizeof pieces - at);
    assert_memory_equal(pieces, expect, sizeof expect);
    secure_init(&s, seed);
    assert_int_equal(secure_u32(&s), get_be32(expect));
    assert_true(secure_u64(&s) == get_be64(expect + 4));
}

static void test_sequence_numbers_wrap(void **state)
{
    (void)state;
    assert_true(seq_lt(0xffffffff, 0) && seq_gt(5, 0xfffffff0) && seq_leq(7, 7));
    assert_int_equal(seq_max(0xffffffff, 1), 1);
    assert_true(dsn_lt(UINT64_MAX, 0) && dsn_geq(3, UINT64_MAX));
    assert_true(dsn_expand(UINT64_C(0x1ffffffff), 5) == UINT64_C(0x200000005));
    assert_true(dsn_expand(UINT64_C(0x200000005), 0xffffffff) == UINT64_C(0x1ffffffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_keeps_its_budget),
        cmocka_unit_test(test_mem_survives_a_limit_lowered_below_use),
        cmocka_unit_test(test_chunk_counts_references),
        cmocka_unit_test(test_pool_reuses_and_gives_back),
        cmocka_unit_test(test_pool_in_steady_state_leaves_the_allocator_alone),
        cmocka_unit_test(test_blocks_of_growing_size_leave_no_holes),
        cmocka_unit_test(test_pool_without_memory),
        cmocka_unit_test(test_timers_fire_in_order_and_ties_as_armed),
        cmocka_unit_test(test_timers_agree_with_a_sorted_list),
        cmocka_unit_test(test_timers_refuse_without_memory),
        cmocka_unit_test(test_siphash_reference_vectors),
        cmocka_unit_test(test_hash_table_at_random),
        cmocka_unit_test(test_hash_table_grows_no_further_without_memory),
        cmocka_unit_test(test_hash_growth_does_not_pause),
        cmocka_unit_test(test_hash_buckets_know_kinds),
        cmocka_unit_test(test_hash_growth_keeps_chains_short),
        cmocka_unit_test(test_prng_reference_and_bounds),
        cmocka_unit_test(test_secure_is_hmac_of_a_counter),
        cmocka_unit_test(test_sequence_numbers_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
