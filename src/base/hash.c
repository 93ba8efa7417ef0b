/* SPDX-License-Identifier: MIT
 *
 * SipHash-2-4 (Aumasson and Bernstein) and the hash table.
 *
 * Invariants: a node with hash h lives in old[h mod old size] as long as that
 * bucket is at or above old_moved, else in buckets[h mod size]; so all nodes
 * of one hash share one chain, and hash_next needs no table. Buckets that take
 * from old ones not moved yet are not set. Growth starts
 * when there are as many nodes as buckets and is over long before the next
 * one is due: an insert moves HASH_STEP buckets, doubling takes as many
 * inserts as there were buckets.
 */
#include "base/hash.h"

#include <assert.h>

enum { HASH_BITS_FIRST = 4, HASH_BITS_MAX = 30, HASH_STEP = 4 };

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* The n <= 8 bytes at p as a little-endian number. */
static inline uint64_t sip_load(const uint8_t *p, size_t n)
{
    uint64_t m = 0;
    for (size_t i = 0; i < n; i++)
        m |= (uint64_t)p[i] << (8 * i);
    return m;
}

static inline void sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

uint64_t siphash(const struct hash_key *key, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t v[4] = {
        key->k0 ^ UINT64_C(0x736f6d6570736575),
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8)
        sip_word(v, sip_load(p, 8));
    sip_word(v, sip_load(p, left) | (uint64_t)len << 56);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static size_t bucket_index(uint64_t hash, uint8_t bits)
{
    return (size_t)(hash & ((UINT64_C(1) << bits) - 1));
}

static size_t bucket_bytes(uint8_t bits)
{
    return sizeof(struct hash_node *) << bits;
}

/* The chain that nodes with this hash are on. */
static struct hash_node **hash_chain(const struct hash_table *t, uint64_t hash)
{
    if (t->old) {
        size_t i = bucket_index(hash, t->old_bits);
        if (i >= t->old_moved)
            return &t->old[i];
    }
    return &t->buckets[bucket_index(hash, t->bits)];
}

bool hash_init(struct hash_table *t, struct mem *mem)
{
    *t = (struct hash_table){.mem = mem, .bits = HASH_BITS_FIRST};
    t->buckets = mem_alloc(mem, bucket_bytes(t->bits));
    return t->buckets != NULL;
}

void hash_free(struct hash_table *t)
{
    assert(t->count == 0);
    mem_free(t->mem, t->buckets, bucket_bytes(t->bits));
    mem_free(t->mem, t->old, bucket_bytes(t->old_bits));
    *t = (struct hash_table){0};
}

static void hash_grow_start(struct hash_table *t)
{
    uint8_t bits = (uint8_t)(t->bits + 1);
    if (bits > HASH_BITS_MAX)
        return;
    /* Not zeroed: that would be a pause. A bucket is set when the one is moved
     * that it takes from, and not looked at before. */
    struct hash_node **buckets = mem_alloc_raw(t->mem, bucket_bytes(bits));
    if (!buckets)
        return;
    t->old = t->buckets;
    t->old_bits = t->bits;
    t->old_moved = 0;
    t->buckets = buckets;
    t->bits = bits;
}

static void hash_move_bucket(struct hash_table *t)
{
    size_t from = t->old_moved++;
    struct hash_node *node = t->old[from];
    t->old[from] = NULL;
    t->buckets[from] = t->buckets[from + ((size_t)1 << t->old_bits)] = NULL;
    while (node) {
        struct hash_node *next = node->next;
        struct hash_node **chain = &t->buckets[bucket_index(node->hash, t->bits)];
        node->next = *chain;
        *chain = node;
        node = next;
    }
}

static void hash_grow_step(struct hash_table *t)
{
    size_t old_size = (size_t)1 << t->old_bits;
    for (unsigned i = 0; i < HASH_STEP && t->old_moved < old_size; i++)
        hash_move_bucket(t);
    if (t->old_moved == old_size) {
        mem_free(t->mem, t->old, bucket_bytes(t->old_bits));
        t->old = NULL;
    }
}

void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
    if (t->old)
        hash_grow_step(t);
    else if (t->count >> t->bits)
        hash_grow_start(t);
    struct hash_node **chain = hash_chain(t, hash);
    node->hash = hash;
    node->next = *chain;
    *chain = node;
    t->count++;
}

void hash_remove(struct hash_table *t, struct hash_node *node)
{
    struct hash_node **at = hash_chain(t, node->hash);
    while (*at && *at != node)
        at = &(*at)->next;
    assert(*at == node);
    *at = node->next;
    node->next = NULL;
    t->count--;
}

static struct hash_node *chain_find(struct hash_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct hash_node *hash_find(const struct hash_table *t, uint64_t hash)
{
    return chain_find(*hash_chain(t, hash), hash);
}

struct hash_node *hash_next(const struct hash_node *node)
{
    return chain_find(node->next, node->hash);
}
