/* SPDX-License-Identifier: MIT
 *
 * The shared part of a stack: tables, addresses, ports; see env.h.
 */
#include "mptcp/env.h"

#include <assert.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/farm.h"
#include "mptcp/sleep.h"

enum { PORT_DYNAMIC_FIRST = 49152, PORT_DYNAMIC_COUNT = 16384, GATHER_CHUNK = 64 * 1024 };

/* Chunks that wait to be used again: 8 MB, but little of a small budget. */
static uint32_t spares_max(const struct plait_config *config)
{
    enum { SPARES_MAX = 128, BUDGET_PART = 64 };
    size_t part = config->memory_max_bytes / BUDGET_PART / SEND_CHUNK_MAX;
    return !config->memory_max_bytes || part > SPARES_MAX ? SPARES_MAX : (uint32_t)part;
}

static void env_tcp_config(struct mptcp_env *env)
{
    const struct plait_config *c = &env->config;
    struct tcp_config *t = &env->tcp_config;
    *t = tcp_config_default;
    t->rto_min_us = c->rto_min_us;
    t->delack_us = c->delack_us;
    t->time_wait_us = c->time_wait_us;
    t->keepalive_idle_us = c->keepalive_idle_us;
    if (c->keepalive_idle_us && c->keepalive_idle_us < t->keepalive_interval_us)
        t->keepalive_interval_us = c->keepalive_idle_us;
    t->syn_retries = c->syn_retries;
    t->synack_retries = c->synack_retries;
    t->data_retries = c->data_retries;
    t->timestamps = c->timestamps;
    t->sack = c->sack;
    t->pacing = c->pacing;
    t->ecn_asks = c->ecn == PLAIT_ECN_ASK;
    t->ecn_answers = c->ecn != PLAIT_ECN_NEVER;
    t->nagle = false; /* decided for the connection's bytes, in output.c */
    t->mss_max = c->mss_max;
    t->burst_max_bytes = c->burst_max_bytes;
    t->rcv_wscale = 0;
    while (t->rcv_wscale < 14 && (c->recv_buffer_max_bytes >> t->rcv_wscale) > 0xffff)
        t->rcv_wscale++;
}

int env_init(struct mptcp_env *env, const struct plait_config *config)
{
    memset(env, 0, sizeof *env);
    env->config = *config;
    mem_init(&env->mem, &config->allocator, config->memory_max_bytes);
    env->csum = csum_best();
    env_tcp_config(env);
    tcp_env_init(&env->tcp, &env->mem);
    timers_init(&env->timers, &env->mem);
    secure_init(&env->secure, config->secret);
    env->hash_key.k0 = secure_u64(&env->secure);
    env->hash_key.k1 = secure_u64(&env->secure);
    list_init(&env->conns);
    list_init(&env->sleepers);
    env->tell_us = TIMER_NEVER;
    list_init(&env->sending);
    list_init(&env->ready);
    list_init(&env->finished);
    list_init(&env->joins_half_open);
    pressure_init(&env->pressure);
    if (!config->held_max_bytes)
        env->config.held_max_bytes = config->memory_max_bytes / 2;
    pool_init(&env->subflows, &env->mem, sizeof(struct subflow));
    pool_init(&env->ranges, &env->mem, sizeof(struct recv_piece));
    blocks_init(&env->asleep_blocks, &env->mem);
    chunk_cache_init(&env->chunks, &env->mem, SEND_CHUNK_MAX, spares_max(config));
    if (hash_init(&env->flows, &env->mem) && hash_init(&env->tokens, &env->mem) &&
        hash_init(&env->asleep, &env->mem) && destinations_init(env))
        return 0;
    hash_free(&env->flows);
    hash_free(&env->tokens);
    hash_free(&env->asleep);
    return PLAIT_E_NO_MEMORY;
}

void env_free(struct mptcp_env *env)
{
    list_each(c, &env->conns, struct plait_conn, link)
        conn_free(c);
    list_each(c, &env->sleepers, struct plait_conn, link)
        conn_free(c);
    assert(env->writer_count == 0);
    key_pool_free(env);
    fastopen_free(env);
    chunk_unref(env->small);
    chunk_cache_trim(&env->chunks);
    mem_free(&env->mem, env->ports, env->port_capacity * sizeof *env->ports);
    mem_free(&env->mem, env->locals, env->local_capacity * sizeof *env->locals);
    asleep_forget_like(env);
    hash_free(&env->flows);
    hash_free(&env->tokens);
    hash_free(&env->asleep);
    destinations_free(env);
    pool_free(&env->subflows);
    pool_free(&env->ranges);
    blocks_free(&env->asleep_blocks);
    tcp_env_free(&env->tcp);
    timers_free(&env->timers);
}

void env_event(struct mptcp_env *env, struct plait_event *event)
{
    if (env->config.sink.emit)
        env->config.sink.emit(env->config.sink.ctx, event);
}

static size_t endpoint_bytes(const struct plait_endpoint *e, uint8_t out[19])
{
    out[0] = e->addr.family;
    memcpy(out + 1, e->addr.bytes, 16);
    put_be16(out + 17, e->port);
    return 19;
}

void flow_bytes(const struct plait_endpoint *local, const struct plait_endpoint *remote,
                uint8_t out[FLOW_BYTES])
{
    size_t len = endpoint_bytes(local, out);
    endpoint_bytes(remote, out + len);
}

/* Both are of one family, which the length tells: the hash of an IPv4 flow, which
 * every segment needs, is over a third of the bytes. */
uint64_t flow_hash(const struct mptcp_env *env, const struct plait_endpoint *local,
                   const struct plait_endpoint *remote)
{
    uint8_t key[FLOW_BYTES];
    size_t len = local->addr.family == PLAIT_IPV4 ? 4 : 16;
    memcpy(key, local->addr.bytes, len);
    memcpy(key + len, remote->addr.bytes, len);
    put_be16(key + 2 * len, local->port);
    put_be16(key + 2 * len + 2, remote->port);
    return siphash(&env->hash_key, key, 2 * len + 4);
}

struct subflow *flow_find(const struct mptcp_env *env, const struct plait_endpoint *local,
                          const struct plait_endpoint *remote)
{
    struct hash_node *n = hash_find(&env->flows, flow_hash(env, local, remote));
    for (; n; n = hash_next(n)) {
        struct subflow *sf = list_entry(n, struct subflow, flow);
        if (endpoint_equal(&sf->tcp.local, local) && endpoint_equal(&sf->tcp.remote, remote))
            return sf;
    }
    return NULL;
}

bool flow_taken(const struct mptcp_env *env, const struct plait_endpoint *local,
                const struct plait_endpoint *remote)
{
    return flow_find(env, local, remote) || asleep_find(env, local, remote);
}

bool token_suits(const struct mptcp_env *env, uint32_t token)
{
    const struct plait_config *c = &env->config;
    return farm_names(token, FARM_SERVER_BYTE, c->server_id, c->servers) &&
           farm_names(token, FARM_THREAD_BYTE, c->thread_id, c->threads);
}

unsigned key_draws(const struct mptcp_env *env, unsigned draws)
{
    const struct plait_config *c = &env->config;
    return draws * (c->servers ? c->servers : 1) * (c->threads ? c->threads : 1);
}

struct plait_conn *token_find(const struct mptcp_env *env, uint32_t token)
{
    struct hash_node *n = hash_find(&env->tokens, siphash(&env->hash_key, &token, sizeof token));
    for (; n; n = hash_next(n)) {
        struct plait_conn *c = list_entry(n, struct plait_conn, token_node);
        if (c->local_token == token)
            return c;
    }
    return NULL;
}

const struct local_addr *local_find(const struct mptcp_env *env, const struct plait_addr *addr)
{
    for (unsigned i = 0; i < env->local_count; i++)
        if (addr_equal(&env->locals[i].local.addr, addr))
            return &env->locals[i];
    return NULL;
}

const struct local_addr *local_by_id(const struct mptcp_env *env, uint8_t id)
{
    for (unsigned i = 0; i < env->local_count; i++)
        if (env->locals[i].id == id)
            return &env->locals[i];
    return NULL;
}

const struct local_addr *local_for(const struct mptcp_env *env, const struct plait_addr *remote)
{
    const struct local_addr *best = NULL;
    for (unsigned i = 0; i < env->local_count; i++) {
        const struct local_addr *l = &env->locals[i];
        if (l->local.addr.family != remote->family)
            continue;
        if (addr_same_network(&l->local.addr, remote, l->local.prefix_len))
            return l;
        if (!best || (best->local.backup && !l->local.backup))
            best = l;
    }
    return best;
}

static uint16_t port_candidate(const struct mptcp_env *env, uint32_t i)
{
    if (env->port_count)
        return env->ports[i % env->port_count];
    return (uint16_t)(PORT_DYNAMIC_FIRST + i % PORT_DYNAMIC_COUNT);
}

uint16_t port_choose(struct mptcp_env *env, const struct plait_addr *local,
                     const struct plait_endpoint *remote)
{
    uint32_t count = env->port_count ? env->port_count : PORT_DYNAMIC_COUNT;
    uint32_t start = secure_u32(&env->secure) % count;
    for (uint32_t i = 0; i < count; i++) {
        struct plait_endpoint own = {*local, port_candidate(env, start + i)};
        if (!flow_taken(env, &own, remote))
            return own.port;
    }
    return 0;
}

uint32_t isn_choose(struct mptcp_env *env, const struct plait_endpoint *local,
                    const struct plait_endpoint *remote, uint64_t now_us)
{
    return (uint32_t)(flow_hash(env, local, remote) >> 16) + (uint32_t)(now_us / 4);
}

/* Room for len bytes in env->small. Where memory is short an exact fit does. */
static bool gather_room(struct mptcp_env *env, uint32_t len)
{
    if (env->small && env->small->size - env->small_used >= len)
        return true;
    if (!env->small || env->small->refs > 1 || env->small->size < len) {
        chunk_unref(env->small);
        env->small = chunk_new(&env->mem, len > GATHER_CHUNK ? len : GATHER_CHUNK);
        if (!env->small)
            env->small = chunk_new(&env->mem, len);
    }
    env->small_used = 0;
    return env->small != NULL;
}

struct plait_chunk *env_gather(struct mptcp_env *env, const uint8_t *bytes, uint32_t len,
                               const uint8_t **data)
{
    if (!gather_room(env, len))
        return NULL;
    uint8_t *place = env->small->data + env->small_used;
    memcpy(place, bytes, len);
    env->small_used += len;
    *data = place;
    return chunk_ref(env->small);
}
