/* SPDX-License-Identifier: MIT
 *
 * SipHash-2-4 (Aumasson and Bernstein) and the hash table.
 *
 * Invariants: a node with hash h lives in bucket h mod size of `old` as long as
 * that bucket is at or above old_moved, else in that of `now`; so all nodes
 * of one hash share one chain, and hash_next needs no table. Buckets that take
 * from old ones not moved yet are not set. A bucket's kinds hold those of all its
 * nodes. Growth starts
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

/* Bucket i: the chain of its nodes, and which of eight kinds they are of, a kind
 * being three more bits of the hash. Kinds may be set that nobody has any more. */
static size_t bucket_index(uint64_t hash, uint8_t bits)
{
    return (size_t)(hash & ((UINT64_C(1) << bits) - 1));
}

static uint8_t kind_of(uint64_t hash)
{
    return (uint8_t)(1u << (hash >> 61));
}

static size_t buckets_bytes(uint8_t bits)
{
    return (sizeof(struct hash_node *) + 1) << bits;
}

static bool buckets_alloc(struct mem *mem, struct hash_buckets *b, uint8_t bits, bool zeroed)
{
    b->bits = bits;
    b->chains =
        zeroed ? mem_alloc(mem, buckets_bytes(bits)) : mem_alloc_raw(mem, buckets_bytes(bits));
    b->kinds = b->chains ? (uint8_t *)(b->chains + ((size_t)1 << bits)) : NULL;
    return b->chains != NULL;
}

static void buckets_free(struct mem *mem, struct hash_buckets *b)
{
    mem_free(mem, b->chains, buckets_bytes(b->bits));
    *b = (struct hash_buckets){0};
}

static void bucket_clear(const struct hash_buckets *b, size_t i)
{
    b->chains[i] = NULL;
    b->kinds[i] = 0;
}

static void bucket_put(const struct hash_buckets *b, size_t i, struct hash_node *node)
{
    node->next = b->chains[i];
    b->chains[i] = node;
    b->kinds[i] |= kind_of(node->hash);
}

/* Where nodes with this hash are: the bucket's number, and of which buckets. */
static size_t hash_place(const struct hash_table *t, uint64_t hash, const struct hash_buckets **b)
{
    if (t->old.chains) {
        size_t i = bucket_index(hash, t->old.bits);
        *b = &t->old;
        if (i >= t->old_moved)
            return i;
    }
    *b = &t->now;
    return bucket_index(hash, t->now.bits);
}

bool hash_init(struct hash_table *t, struct mem *mem)
{
    *t = (struct hash_table){.mem = mem};
    return buckets_alloc(mem, &t->now, HASH_BITS_FIRST, true);
}

void hash_free(struct hash_table *t)
{
    assert(t->count == 0);
    buckets_free(t->mem, &t->now);
    buckets_free(t->mem, &t->old);
    *t = (struct hash_table){0};
}

static void hash_grow_start(struct hash_table *t)
{
    struct hash_buckets grown;
    /* Not zeroed: that would be a pause. A bucket is set when the one is moved
     * that it takes from, and not looked at before. */
    if (t->now.bits == HASH_BITS_MAX ||
        !buckets_alloc(t->mem, &grown, (uint8_t)(t->now.bits + 1), false))
        return;
    t->old = t->now;
    t->old_moved = 0;
    t->now = grown;
}

static void hash_move_bucket(struct hash_table *t)
{
    size_t from = t->old_moved++;
    struct hash_node *node = t->old.chains[from];
    bucket_clear(&t->old, from);
    bucket_clear(&t->now, from);
    bucket_clear(&t->now, from + ((size_t)1 << t->old.bits));
    while (node) {
        struct hash_node *next = node->next;
        bucket_put(&t->now, bucket_index(node->hash, t->now.bits), node);
        node = next;
    }
}

static void hash_grow_step(struct hash_table *t)
{
    size_t old_size = (size_t)1 << t->old.bits;
    for (unsigned i = 0; i < HASH_STEP && t->old_moved < old_size; i++)
        hash_move_bucket(t);
    if (t->old_moved == old_size)
        buckets_free(t->mem, &t->old);
}

void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
    const struct hash_buckets *b;
    if (t->old.chains)
        hash_grow_step(t);
    else if (t->count >> t->now.bits)
        hash_grow_start(t);
    node->hash = hash;
    size_t i = hash_place(t, hash, &b);
    bucket_put(b, i, node);
    t->count++;
}

void hash_remove(struct hash_table *t, struct hash_node *node)
{
    const struct hash_buckets *b;
    size_t i = hash_place(t, node->hash, &b);
    struct hash_node **at = &b->chains[i];
    while (*at && *at != node)
        at = &(*at)->next;
    assert(*at == node);
    *at = node->next;
    node->next = NULL;
    t->count--;
    if (!b->chains[i])
        b->kinds[i] = 0;
}

static struct hash_node *chain_find(struct hash_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

/* What is not there is mostly found out from the kinds alone: they are in the
 * processor's cache where chains of many nodes are not. Where it takes the whole
 * chain, its kinds are known again. */
struct hash_node *hash_find(const struct hash_table *t, uint64_t hash)
{
    const struct hash_buckets *b;
    size_t i = hash_place(t, hash, &b);
    if (!(b->kinds[i] & kind_of(hash)))
        return NULL;
    struct hash_node *found = chain_find(b->chains[i], hash);
    if (found)
        return found;
    b->kinds[i] = 0;
    for (const struct hash_node *n = b->chains[i]; n; n = n->next)
        b->kinds[i] |= kind_of(n->hash);
    return NULL;
}

struct hash_node *hash_next(const struct hash_node *node)
{
    return chain_find(node->next, node->hash);
}
