/* SPDX-License-Identifier: MIT
 *
 * Limits on what connections hold; see pressure.h.
 *
 * Invariants, between entries: pressure.held_bytes is the sum of what the
 * connections hold; one that holds 2^HOLD_CLASS_MIN bytes or more is on the list
 * of its size; squeezed holds exactly those whose `squeezed` is STACK_MEMORY.
 */
#include "mptcp/pressure.h"

#include <assert.h>

#include "mptcp/conn.h"
#include "mptcp/place.h"

enum {
    TRIES_MAX = 8, /* connections asked to give up something, a call */
    LOOKS_MAX = 4  /* squeezed ones looked at, an entry */
};

void pressure_init(struct pressure *p)
{
    for (unsigned i = 0; i < HOLD_CLASSES; i++)
        list_init(&p->holders[i]);
    list_init(&p->squeezed);
}

void holding_init(struct holding *h, struct plait_conn *c)
{
    h->conn = c;
    list_init(&h->link);
    list_init(&h->squeezed_link);
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t left(uint64_t limit, uint64_t used)
{
    return used < limit ? limit - used : 0;
}

/* ---- limits ------------------------------------------------------------------- */

/* As for what waits to be sent (send.c), three quarters of the engine's memory. */
static uint64_t stack_free(const struct mptcp_env *env)
{
    const struct plait_config *config = &env->config;
    uint64_t free = UINT64_MAX;
    if (config->held_max_bytes)
        free = left(config->held_max_bytes, env->pressure.held_bytes);
    if (config->memory_max_bytes)
        free = less(free, left(config->memory_max_bytes / 4 * 3, env->mem.used_bytes));
    return free;
}

static uint64_t holds(const struct plait_conn *c)
{
    return c->awake ? c->awake->holding.bytes : 0;
}

/* What it may hold more than it does by the stack's limit: as much as would
 * still be free then. */
static uint64_t stack_room(const struct plait_conn *c)
{
    uint64_t free = stack_free(c->env);
    return free == UINT64_MAX ? free : left(free, holds(c)) / 2;
}

static uint64_t conn_room(const struct plait_conn *c, uint64_t promised)
{
    uint64_t limit = c->env->config.conn_held_max_bytes;
    return limit ? left(limit, holds(c) + promised) : UINT64_MAX;
}

static uint64_t at_least_floor(uint64_t room, uint64_t used)
{
    uint64_t floor = left(HOLD_FLOOR, used);
    return room > floor ? room : floor;
}

/* What the peer was offered and has not used counts against the connection's
 * own limit, which is thus kept. */
uint64_t pressure_send_room(const struct plait_conn *c)
{
    uint64_t promised = dsn_gt(c->rcv_edge, c->rcv_nxt) ? c->rcv_edge - c->rcv_nxt : 0;
    return at_least_floor(less(stack_room(c), conn_room(c, promised)), c->snd_end - c->snd_una);
}

uint64_t pressure_recv_room(const struct plait_conn *c)
{
    return at_least_floor(less(stack_room(c), conn_room(c, 0)), c->recv_bytes);
}

/* ---- accounts --------------------------------------------------------------------- */

static uint64_t count_held(const struct plait_conn *c)
{
    uint64_t bytes = c->snd_end - c->snd_una + c->recv_bytes + c->ooo_bytes;
    list_each(sf, &c->subflows, struct subflow, link)
        bytes += sf->held_bytes + sf->tcp.receiver.piece_bytes;
    return bytes;
}

static unsigned size_class(uint64_t bytes)
{
    unsigned log2 = 63 - (unsigned)__builtin_clzll(bytes);
    return log2 - HOLD_CLASS_MIN < HOLD_CLASSES ? log2 - HOLD_CLASS_MIN : HOLD_CLASSES - 1;
}

static void account(struct plait_conn *c, uint64_t bytes)
{
    struct holding *h = &c->awake->holding;
    struct pressure *p = &c->env->pressure;
    p->held_bytes += bytes - h->bytes;
    h->bytes = bytes;
    unsigned class = bytes >> HOLD_CLASS_MIN ? size_class(bytes) : HOLD_CLASSES;
    if (list_linked(&h->link) && class == h->size_class)
        return;
    list_remove(&h->link);
    h->size_class = class;
    if (class < HOLD_CLASSES)
        list_append(&p->holders[class], &h->link);
}

static void squeeze(struct plait_conn *c, enum plait_reason why)
{
    struct holding *h = &c->awake->holding;
    struct pressure *p = &c->env->pressure;
    enum plait_reason before = h->squeezed;
    if (before == why)
        return;
    p->squeezed_count -= before == PLAIT_WHY_STACK_MEMORY;
    list_remove(&h->squeezed_link);
    h->squeezed = why;
    if (why == PLAIT_WHY_STACK_MEMORY) {
        p->squeezed_count++;
        list_append(&p->squeezed, &h->squeezed_link);
        c->env->counters.TCPMemoryPressures++;
    }
    conn_event(c, NULL, why ? PLAIT_EV_CONN_SQUEEZED : PLAIT_EV_CONN_RELAXED, why ? why : before,
               h->bytes, p->held_bytes, c->send_buffer, c->recv_buffer);
}

/* Both directions have their floor; who holds no more is not squeezed. One is
 * when there is next to no room for more, until there is for half as much again
 * as it holds. */
static enum plait_reason squeezed_by(const struct plait_conn *c)
{
    const struct holding *h = &c->awake->holding;
    uint64_t enough = h->squeezed ? h->bytes / 2 : h->bytes / 16;
    if (h->bytes <= 2 * (uint64_t)HOLD_FLOOR)
        return PLAIT_WHY_NONE;
    if (conn_room(c, 0) <= enough)
        return PLAIT_WHY_CONN_MEMORY;
    return stack_room(c) <= enough ? PLAIT_WHY_STACK_MEMORY : PLAIT_WHY_NONE;
}

void holding_update(struct plait_conn *c)
{
    if (!c->awake)
        return;
    account(c, count_held(c));
    squeeze(c, squeezed_by(c));
}

void holding_end(struct plait_conn *c)
{
    if (!c->awake)
        return;
    account(c, 0);
    squeeze(c, PLAIT_WHY_NONE);
}

/* ---- giving up -------------------------------------------------------------------- */

/* What came out of order on a subflow, furthest ahead first. */
static uint32_t prune_subflows(struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link) {
        uint32_t bytes = tcp_prune(&sf->tcp);
        if (bytes)
            return bytes;
    }
    return 0;
}

/* At least `wanted` bytes, if it has so many that it may give up. */
static bool prune(struct plait_conn *c, uint64_t wanted, enum plait_reason why)
{
    struct plait_counters *n = &c->env->counters;
    uint64_t bytes = 0, last;
    do {
        last = place_prune(c);
        if (!last)
            last = prune_subflows(c);
        bytes += last;
    } while (last && bytes < wanted);
    if (!bytes)
        return false;
    n->PruneCalled++;
    n->OfoPruned += bytes;
    account(c, count_held(c));
    conn_event(c, NULL, PLAIT_EV_CONN_PRUNED, why, bytes, holds(c), c->env->pressure.held_bytes, 0);
    conn_touch(c);
    return true;
}

/* The largest that has something to give up; within one size in turn. */
static bool prune_largest(struct mptcp_env *env, uint64_t wanted, enum plait_reason why)
{
    unsigned tries = 0;
    for (unsigned i = HOLD_CLASSES; i-- > 0;) {
        struct list *holders = &env->pressure.holders[i];
        list_each(h, holders, struct holding, link) {
            if (tries++ == TRIES_MAX)
                return false;
            struct plait_conn *c = h->conn;
            list_remove(&h->link);
            list_append(holders, &h->link);
            if (prune(c, wanted, why))
                return true;
        }
    }
    return false;
}

bool pressure_reclaim(struct mptcp_env *env)
{
    return prune_largest(env, 1, PLAIT_WHY_NO_MEMORY);
}

static bool over(uint64_t limit, uint64_t held, uint32_t len)
{
    return limit && held + len > limit;
}

bool pressure_admit(struct subflow *sf, uint32_t len)
{
    struct plait_conn *c = sf->conn;
    struct mptcp_env *env = c->env;
    uint64_t all = env->config.held_max_bytes, own = env->config.conn_held_max_bytes;
    if (over(own, holds(c), len) && holds(c) + len > 2 * (uint64_t)HOLD_FLOOR)
        prune(c, holds(c) + len - own, PLAIT_WHY_CONN_MEMORY);
    while (over(all, env->pressure.held_bytes, len))
        if (!prune_largest(env, env->pressure.held_bytes + len - all, PLAIT_WHY_STACK_MEMORY))
            break;
    if (holds(c) + len <= 2 * (uint64_t)HOLD_FLOOR)
        return true;
    return !over(own, holds(c), len) && !over(all, env->pressure.held_bytes, len);
}

const struct segment *pressure_without_payload(struct subflow *sf, const struct segment *seg,
                                               struct segment *copy)
{
    sf->conn->env->counters.RcvPruned++;
    *copy = *seg;
    copy->payload_len = 0;
    copy->chunk = NULL;
    copy->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH); /* the one is behind it, the other about it */
    copy->mptcp.dss.has_map = copy->mptcp.dss.data_fin = false;
    tcp_want_ack(&sf->tcp);
    return copy;
}

/* ---- room again ------------------------------------------------------------------- */

static void look_at(struct plait_conn *c)
{
    struct mptcp_env *env = c->env;
    list_remove(&c->awake->holding.squeezed_link);
    list_append(&env->pressure.squeezed, &c->awake->holding.squeezed_link);
    squeeze(c, squeezed_by(c));
    if (c->awake->holding.squeezed)
        return;
    conn_window_read(c, env->now_us);
    conn_touch(c);
}

void pressure_relax(struct mptcp_env *env)
{
    struct pressure *p = &env->pressure;
    if (!p->squeezed_count) {
        p->to_look_at = 0;
        return;
    }
    uint64_t free = stack_free(env);
    if (free > p->free_bytes)
        p->to_look_at = p->squeezed_count;
    p->free_bytes = free;
    for (unsigned i = 0; i < LOOKS_MAX && p->to_look_at; i++) {
        p->to_look_at--;
        if (!list_empty(&p->squeezed))
            look_at(list_first(&p->squeezed, struct holding, squeezed_link)->conn);
    }
}

void pressure_check(const struct mptcp_env *env)
{
    uint64_t bytes = 0;
    unsigned squeezed = 0;
    list_each(c, &env->conns, struct plait_conn, link) {
        if (!c->awake)
            continue;
        const struct holding *h = &c->awake->holding;
        assert(h->bytes == count_held(c) && h->conn == c);
        assert(list_linked(&h->link) == (h->bytes >> HOLD_CLASS_MIN != 0));
        assert(list_linked(&h->squeezed_link) == (h->squeezed == PLAIT_WHY_STACK_MEMORY));
        squeezed += h->squeezed == PLAIT_WHY_STACK_MEMORY;
        bytes += h->bytes;
    }
    assert(bytes == env->pressure.held_bytes && squeezed == env->pressure.squeezed_count);
}
