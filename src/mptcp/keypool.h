/* SPDX-License-Identifier: MIT
 *
 * Keys prepared while there is nothing else to do: drawn, and hashed to the
 * token and IDSN of either version, so that answering a SYN costs a lookup
 * and no hashing. Raiciu et al. (NSDI 2012, section 5.2) found hashing to be
 * what a server's handshakes are made of.
 *
 * Where several servers share an address, keys are prepared whose token names
 * this one (base/farm.h), in version 1, or in 0 where that is the only one; for
 * the other version the pool is drained past what does not suit.
 *
 * The pool is a ring of at most config.key_pool_max keys, 0: none, and every
 * key is drawn when it is needed. A token is compared with those of the
 * connections when its key is taken and not when it is prepared: connections
 * made in between count too (RFC 8684 3.1).
 */
#ifndef MPTCP_KEYPOOL_H
#define MPTCP_KEYPOOL_H

#include "base/alloc.h"
#include "mptcp/keys.h"

enum { KEY_VERSIONS = 2 };

struct pooled_key {
    uint64_t key;
    struct key_derived derived[KEY_VERSIONS]; /* by version */
};

struct key_pool {
    struct pooled_key *keys; /* max of them, NULL before the first; a ring */
    uint32_t max, first, count;
};

struct mptcp_env;

void key_pool_free(struct mptcp_env *env);
/* Put this key last in the queue. Every pooled key passes here, also one that
 * a test wants to be used next. False: the pool is full or off, or memory was
 * refused. */
bool key_pool_add(struct mptcp_env *env, uint64_t key);
/* Draw and prepare at most `count` more keys; how many there were room for. */
unsigned key_pool_fill(struct mptcp_env *env, unsigned count);
/* A key whose token no connection has: the oldest pooled one, or, when none is
 * left, one drawn now. False: too many tokens in a row were taken. */
bool key_pool_take(struct mptcp_env *env, uint8_t version, uint64_t *key,
                   struct key_derived *derived);

#endif
