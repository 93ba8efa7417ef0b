/* SPDX-License-Identifier: MIT
 *
 * The first subflow of a client, tried between several pairs of addresses
 * (RFC 8305): one attempt after the other, each some time after the last or as
 * soon as one has failed, until one is answered. That one becomes the
 * connection's first subflow; the others are dropped, and what answers them
 * late finds no subflow and is reset (stack/stray.c). A server that has seen
 * no third ACK then forgets them before its application has heard of them.
 *
 * Until it is decided c->local and c->remote are those of the first attempt,
 * and c->initial is one of those that are open, or NULL. Attempts are no
 * subflows of the connection: they are neither counted nor remembered (conn.c).
 *
 * The order is the caller's; what is known of destinations (destinations.h)
 * could sort the list in race_begin.
 */
#include "mptcp/conn.h"

#include <string.h>

enum { DELAY_MIN_US = 10 * 1000 }; /* RFC 8305 8 */

struct race {
    struct plait_candidate list[PLAIT_CANDIDATES_MAX];
    unsigned count, next; /* those before next were tried */
    uint32_t delay_us;
    uint64_t next_us; /* when to try it; TIMER_NEVER: all were tried */
    int error;        /* of an attempt that got an answer of a kind; 0: none did */
    enum plait_reason why;
};

/* Fill in what the caller left open. */
static int local_choose(struct mptcp_env *env, const struct plait_candidate *k,
                        struct plait_endpoint *local)
{
    *local = k->local;
    const struct local_addr *l = local->addr.family == PLAIT_NONE ? local_for(env, &k->remote.addr)
                                                                  : local_find(env, &local->addr);
    if (!l || l->local.addr.family != k->remote.addr.family)
        return PLAIT_E_NO_ADDRESS;
    local->addr = l->local.addr;
    if (local->port == 0)
        local->port = port_choose(env, &local->addr, &k->remote);
    if (local->port == 0)
        return PLAIT_E_NO_ADDRESS;
    return flow_taken(env, local, &k->remote) ? PLAIT_E_IN_USE : 0;
}

void race_first(struct plait_conn *c, const struct plait_candidate *first)
{
    const struct local_addr *l = local_for(c->env, &first->remote.addr);
    c->local = first->local;
    c->remote = first->remote;
    if (c->local.addr.family == PLAIT_NONE && l)
        c->local.addr = l->local.addr;
}

static void take_place(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    conn_set_initial(c, sf);
    c->local = sf->tcp.local;
    c->remote = sf->tcp.remote;
}

static int attempt(struct plait_conn *c, const struct plait_candidate *k, enum plait_reason why,
                   uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    struct plait_endpoint local;
    int error = local_choose(env, k, &local);
    if (error)
        return error;
    struct subflow *sf = subflow_new(c, SUBFLOW_INITIAL, &local, &k->remote, now_us);
    if (!sf)
        return PLAIT_E_NO_MEMORY;
    if (!c->initial)
        c->initial = sf;
    if (sf->id == 1)
        take_place(sf);
    sf->backup_local = local_find(env, &local.addr)->local.backup;
    if (sf->id == 1) /* data on a later SYN would reach the server twice */
        fastopen_choose(sf, now_us);
    tcp_connect(&sf->tcp, isn_choose(env, &local, &k->remote, now_us), now_us);
    if (sf->id == 1)
        conn_event(c, sf, PLAIT_EV_CONN_CREATED, PLAIT_WHY_NONE, c->local_token, 0, 0, 0);
    conn_event(c, sf, PLAIT_EV_SUBFLOW_CREATED, why, 0, 0, sf->backup_local, 0);
    return 0;
}

/* Try the next one that can be tried. */
static int try_next(struct plait_conn *c, enum plait_reason why, uint64_t now_us)
{
    struct race *r = c->race;
    int error = PLAIT_E_NO_ADDRESS;
    while (r->next < r->count) {
        error = attempt(c, &r->list[r->next++], why, now_us);
        if (!error)
            break;
    }
    r->next_us = r->next < r->count ? now_us + r->delay_us : TIMER_NEVER;
    return error;
}

int race_begin(struct plait_conn *c, const struct plait_candidate *candidates, unsigned count,
               uint32_t delay_us, uint64_t now_us)
{
    if (count == 1)
        return attempt(c, candidates, PLAIT_WHY_NONE, now_us);
    struct race *r = c->race = mem_alloc(&c->env->mem, sizeof *r);
    if (!r)
        return PLAIT_E_NO_MEMORY;
    *r = (struct race){.count = count, .delay_us = delay_us};
    if (r->delay_us < DELAY_MIN_US)
        r->delay_us = DELAY_MIN_US;
    memcpy(r->list, candidates, count * sizeof *candidates);
    return try_next(c, PLAIT_WHY_NONE, now_us);
}

void race_won(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    take_place(sf);
    list_each(other, &c->subflows, struct subflow, link)
        if (other != sf)
            subflow_reset(other, PLAIT_WHY_RACE_LOST);
    c->subflow_total = 1;
    race_free(c);
}

static bool others_open(const struct subflow *sf)
{
    list_each(other, &sf->conn->subflows, struct subflow, link)
        if (other != sf && !other->gone && other->tcp.state != TCP_CLOSED)
            return true;
    return false;
}

bool race_goes_on(struct subflow *sf, int *error, enum plait_reason *why)
{
    struct plait_conn *c = sf->conn;
    struct race *r = c->race;
    if (!r)
        return false;
    if (!r->error && *error != PLAIT_E_TIMED_OUT) {
        r->error = *error;
        r->why = *why;
    }
    subflow_drop(sf, *why);
    if (c->initial == sf)
        c->initial = NULL;
    if (try_next(c, *why, c->env->now_us) == 0 || others_open(sf))
        return true;
    if (r->error) {
        *error = r->error;
        *why = r->why;
    }
    return false;
}

void race_hurry(struct plait_conn *c, uint64_t now_us)
{
    if (c->race && try_next(c, PLAIT_WHY_UNREACHABLE, now_us) == 0)
        conn_touch(c);
}

void race_tick(struct plait_conn *c, uint64_t now_us)
{
    if (c->race && c->race->next_us <= now_us)
        try_next(c, PLAIT_WHY_RACE_DELAY, now_us);
}

uint64_t race_deadline(const struct plait_conn *c)
{
    return c->race ? c->race->next_us : TIMER_NEVER;
}

void race_free(struct plait_conn *c)
{
    mem_free(&c->env->mem, c->race, sizeof *c->race);
    c->race = NULL;
}
