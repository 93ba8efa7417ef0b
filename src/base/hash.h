/* SPDX-License-Identifier: MIT
 *
 * SipHash-2-4 (keyed: an attacker who chooses addresses and ports must not be
 * able to choose buckets) and an intrusive hash table with chaining. Growth is
 * incremental: each insert moves a few buckets, so no single call pauses. Among
 * many nodes that are not in the processor's cache, what is not there is looked
 * for at the cost of a byte, mostly.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/alloc.h"

struct hash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct hash_key *key, const void *data, size_t len);

struct hash_node {
    struct hash_node *next;
    uint64_t hash;
};

/* 1 << bits of them: 9 bytes each. */
struct hash_buckets {
    struct hash_node **chains; /* NULL: no buckets */
    uint8_t *kinds;            /* what a chain may hold, a bit for each eighth of the hashes */
    uint8_t bits;
};

struct hash_table {
    struct mem *mem;
    struct hash_buckets now, old; /* old: being emptied into the others */
    size_t count, old_moved;
};

/* False when memory for the first buckets is refused. */
bool hash_init(struct hash_table *t, struct mem *mem);
/* The nodes must be gone already (asserted). */
void hash_free(struct hash_table *t);
/* Never fails: when memory for growth is refused the chains get longer. */
void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash);
/* The node must be in the table. */
void hash_remove(struct hash_table *t, struct hash_node *node);
/* The first node with this hash, or NULL; hash_next continues. The caller
 * compares its own keys. */
struct hash_node *hash_find(const struct hash_table *t, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);

#endif
