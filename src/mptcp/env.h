/* SPDX-License-Identifier: MIT
 *
 * What the connections of one stack share: memory, tables, timers, the
 * host's addresses and ports, counters, and the lists by which a connection
 * tells the stack that it has something to send or that its readiness
 * changed. The stack owns it; connections reach it through conn->env.
 */
#ifndef MPTCP_ENV_H
#define MPTCP_ENV_H

#include "base/blocks.h"
#include "base/chunk.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/prng.h"
#include "base/rotating.h"
#include "base/timers.h"
#include "mptcp/destinations.h"
#include "mptcp/fastopen.h"
#include "mptcp/keypool.h"
#include "mptcp/pressure.h"
#include "plait/plait.h"
#include "tcp/tcp.h"
#include "wire/checksum.h"

enum { PORTS_MAX = 32768, LOCAL_ID_MAX = 255, SEND_CHUNK_MAX = 64 * 1024 };

/* An address of this host. */
/* What NATs before a local address are known to forget (nat.c). */
struct silence {
    uint32_t harmless_ms; /* the longest that a subflow survived */
    uint32_t fatal_ms;    /* the shortest that none did; 0: not known */
    uint32_t fatal_at_ms; /* when that was */
    uint8_t doubts;       /* harmless ones that were fatal, in a row */
};

struct local_addr {
    struct plait_local local;
    uint8_t id;       /* 1..255, the same in every connection; 0 is the initial address */
    uint32_t changed; /* env->locals_changes when it came, changed or went */
    struct silence silence;
};

struct mptcp_env {
    struct plait_config config;
    struct tcp_config tcp_config;
    struct mem mem;
    struct tcp_env tcp;
    struct timers timers;
    struct secure secure;
    struct key_pool key_pool;
    struct rotating cookie_secret; /* cookie.c */
    struct fastopen fastopen;
    struct hash_key hash_key;
    uint64_t idsn; /* for tests: where both ends' data sequence numbers begin; 0: the keys say */
    struct hash_table flows;  /* struct subflow by 4-tuple */
    struct hash_table asleep; /* struct sleeper by 4-tuple (sleep.h) */
    struct hash_table tokens; /* struct plait_conn by local token */
    struct destinations destinations;
    struct pressure pressure;
    struct subflow *sleep_like; /* sleep.c */
    struct blocks asleep_blocks;
    struct plait_counters counters;
    uint64_t now_us; /* of the present entry */
    csum_fn *csum;   /* the fastest that this processor has */

    struct local_addr *locals; /* at most LOCAL_ID_MAX: there are no more IDs */
    unsigned local_count, local_capacity;
    /* Behind them those that went while connections slept, in that order, until
     * the last of those has heard of it: that takes no memory, and no ID comes
     * again before. */
    unsigned locals_gone;
    uint32_t locals_changes; /* counted */
    uint64_t tell_us;        /* when to wake more of those who slept through one (stack/local.c) */
    uint8_t last_local_id;   /* given out last: a free one comes again as late as can be */
    uint16_t *ports;         /* given by the host for outgoing subflows, or NULL */
    unsigned port_count, port_capacity;

    struct list conns;    /* every connection that is awake, */
    struct list sleepers; /* and the others, in the order in which they fell asleep */
    struct list sending;  /* those that may have something to send */
    struct list ready;    /* those whose readiness changed */
    struct list finished; /* those to be looked at before the entry returns */
    uint32_t conn_count, asleep_count, subflow_count, next_conn_id;
    uint32_t writer_count;       /* connections that would write more than they may */
    struct list joins_half_open; /* struct subflow.half_open_link, oldest first */
    uint32_t half_open_count, joins_half_open_count;
    struct pool subflows;
    struct pool ranges;        /* struct dsn_range, struct rx_mapping, struct recv_piece */
    struct chunk_cache chunks; /* of SEND_CHUNK_MAX bytes, for what is sent */
    struct plait_chunk *small; /* where small received payload is gathered */
    uint32_t small_used;

    const struct plait_cc *cc;
    const struct plait_sched *sched;
    const struct plait_pm *pm;
};

int env_init(struct mptcp_env *env, const struct plait_config *config);
void env_free(struct mptcp_env *env);

/* Hand an event to the sink; conn may be NULL, subflow_id 0. */
struct plait_conn;
struct subflow;
void env_event(struct mptcp_env *env, struct plait_event *event);

/* The 4-tuple table. */
uint64_t flow_hash(const struct mptcp_env *env, const struct plait_endpoint *local,
                   const struct plait_endpoint *remote);
struct subflow *flow_find(const struct mptcp_env *env, const struct plait_endpoint *local,
                          const struct plait_endpoint *remote);

/* There is one, awake or asleep. */
bool flow_taken(const struct mptcp_env *env, const struct plait_endpoint *local,
                const struct plait_endpoint *remote);

/* The bytes by which a flow is hashed. */
enum { FLOW_BYTES = 38 };
void flow_bytes(const struct plait_endpoint *local, const struct plait_endpoint *remote,
                uint8_t out[FLOW_BYTES]);

/* This token names this server, where there are several behind one address, and
 * this thread of it, where there are several. */
bool token_suits(const struct mptcp_env *env, uint32_t token);
/* So many keys are drawn for one that suits before there is none: `draws` for
 * each that suits on average. */
unsigned key_draws(const struct mptcp_env *env, unsigned draws);
/* The connection with this local token, or NULL. */
struct plait_conn *token_find(const struct mptcp_env *env, uint32_t token);

const struct local_addr *local_find(const struct mptcp_env *env, const struct plait_addr *addr);
const struct local_addr *local_by_id(const struct mptcp_env *env, uint8_t id);
/* A local address to reach `remote` from when the caller named none: same
 * family, on the same network if there is one, else the first. */
const struct local_addr *local_for(const struct mptcp_env *env, const struct plait_addr *remote);

/* A free local port towards remote (RFC 6056 3.3.3), or 0. */
uint16_t port_choose(struct mptcp_env *env, const struct plait_addr *local,
                     const struct plait_endpoint *remote);

/* An initial sequence number (RFC 6528 3): keyed hash of the 4-tuple plus a
 * clock of 4 us ticks. */
uint32_t isn_choose(struct mptcp_env *env, const struct plait_endpoint *local,
                    const struct plait_endpoint *remote, uint64_t now_us);

/* A chunk that holds a copy of a few bytes; the returned reference is the
 * caller's and *data points at the copy. NULL: no memory. */
struct plait_chunk *env_gather(struct mptcp_env *env, const uint8_t *bytes, uint32_t len,
                               const uint8_t **data);

#endif
