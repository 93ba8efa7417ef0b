/* SPDX-License-Identifier: MIT
 *
 * The ring of prepared keys; see keypool.h.
 */
#include "mptcp/keypool.h"

#include <string.h>

#include "mptcp/env.h"

enum { KEY_DRAWS_MAX = 64 };

void key_pool_free(struct mptcp_env *env)
{
    struct key_pool *p = &env->key_pool;
    if (p->keys) /* nobody may find unused keys in freed memory */
        memset(p->keys, 0, p->max * sizeof *p->keys);
    mem_free(&env->mem, p->keys, p->max * sizeof *p->keys);
    *p = (struct key_pool){0};
}

bool key_pool_add(struct mptcp_env *env, uint64_t key)
{
    struct key_pool *p = &env->key_pool;
    if (!p->keys && env->config.key_pool_max) {
        p->keys = mem_alloc(&env->mem, env->config.key_pool_max * sizeof *p->keys);
        p->max = p->keys ? env->config.key_pool_max : 0;
    }
    if (p->count == p->max)
        return false;
    struct pooled_key *k = &p->keys[(p->first + p->count++) % p->max];
    k->key = key;
    for (uint8_t version = 0; version < KEY_VERSIONS; version++)
        k->derived[version] = key_derive(version, key);
    return true;
}

/* A key that names this server and thread in that version, as far as luck goes. */
static uint64_t draw(struct mptcp_env *env, uint8_t version)
{
    bool any = env->config.servers == 0 && env->config.threads == 0;
    uint64_t key = secure_u64(&env->secure);
    for (unsigned left = key_draws(env, KEY_DRAWS_MAX);
         !any && left && !token_suits(env, key_derive(version, key).token); left--)
        key = secure_u64(&env->secure);
    return key;
}

unsigned key_pool_fill(struct mptcp_env *env, unsigned count)
{
    struct key_pool *p = &env->key_pool;
    uint8_t version = env->config.version == PLAIT_VERSION_0 ? 0 : 1;
    unsigned done = 0;
    while (done < count && (!p->keys || p->count < p->max) && key_pool_add(env, draw(env, version)))
        done++;
    return done;
}

/* The oldest pooled key leaves the pool. False: it was empty. */
static bool pool_next(struct key_pool *p, uint8_t version, uint64_t *key,
                      struct key_derived *derived)
{
    if (p->count == 0)
        return false;
    struct pooled_key *k = &p->keys[p->first];
    *key = k->key;
    *derived = k->derived[version];
    *k = (struct pooled_key){0};
    p->first = (p->first + 1) % p->max;
    p->count--;
    return true;
}

bool key_pool_take(struct mptcp_env *env, uint8_t version, uint64_t *key,
                   struct key_derived *derived)
{
    for (unsigned tries = 0; tries < KEY_DRAWS_MAX;) {
        bool pooled = pool_next(&env->key_pool, version, key, derived);
        if (!pooled) {
            *key = draw(env, version);
            *derived = key_derive(version, *key);
        }
        bool suits = token_suits(env, derived->token);
        if (suits && !token_find(env, derived->token))
            return true;
        if (pooled && !suits)
            continue; /* prepared for the other version */
        env->counters.TokenCollision++;
        tries++;
    }
    env->counters.MPFallbackTokenInit++;
    return false;
}
