/* SPDX-License-Identifier: MIT
 *
 * Subflows that only a SYN with MP_JOIN has asked for cost memory and wait for
 * an ACK that may never come (RFC 7430 2.2, MP_JOIN flooding). So there are so
 * many of them a connection, and so many in all. When there is no room the
 * oldest makes it, if its SYN/ACK has gone unanswered for a whole
 * retransmission timeout; where none is as old, the new SYN is met with
 * silence, and its sender, if there is one, repeats it a second later. An
 * honest burst of joins is thus delayed at worst, and a flood holds no place
 * for longer than a second.
 */
#include "mptcp/conn.h"

enum { BACKOFF_MAX = 16 };

bool half_open_stale(const struct subflow *sf, uint64_t now_us)
{
    return now_us - sf->created_us >= sf->tcp.config->rto_initial_us;
}

void half_open_done(struct subflow *sf)
{
    if (!list_linked(&sf->half_open_link))
        return;
    list_remove(&sf->half_open_link);
    sf->conn->env->joins_half_open_count--;
}

void half_open_join(struct subflow *sf)
{
    struct mptcp_env *env = sf->conn->env;
    list_append(&env->joins_half_open, &sf->half_open_link);
    env->joins_half_open_count++;
}

/* The oldest of this connection; *count: how many there are. */
static struct subflow *oldest_of(const struct plait_conn *c, unsigned *count)
{
    struct subflow *oldest = NULL;
    *count = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (!list_linked(&sf->half_open_link))
            continue;
        oldest = oldest ? oldest : sf; /* subflows are listed as they came */
        ++*count;
    }
    return oldest;
}

static bool make_room(struct subflow *oldest, uint64_t now_us)
{
    if (!oldest || !half_open_stale(oldest, now_us))
        return false;
    oldest->conn->env->counters.JoinHalfOpenDropped++;
    half_open_done(oldest);
    subflow_drop(oldest, PLAIT_WHY_HALF_OPEN);
    return true;
}

bool half_open_admit(struct plait_conn *c, uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    unsigned count;
    struct subflow *oldest = oldest_of(c, &count);
    bool room = count < env->config.joins_half_open_max || make_room(oldest, now_us);
    if (room && env->joins_half_open_count >= env->config.joins_half_open_stack_max)
        room = !list_empty(&env->joins_half_open) &&
               make_room(list_first(&env->joins_half_open, struct subflow, half_open_link), now_us);
    env->counters.JoinHalfOpenRefused += !room;
    return room;
}

/* ---- connections ------------------------------------------------------------------- */

/* A client that speaks MPTCP and never says its keys is past TCP's handshake,
 * where no timer is left, and not through ours. It gets as long as one that
 * never answers the SYN/ACK. */
uint64_t half_open_deadline(const struct plait_conn *c)
{
    if (c->client || !c->initial || !(c->early || c->state == CONN_OPENING))
        return TIMER_NEVER;
    const struct tcp_config *config = c->initial->tcp.config;
    unsigned doublings = config->synack_retries + 1U;
    uint64_t life = (uint64_t)config->rto_initial_us
                    << (doublings < BACKOFF_MAX ? doublings : BACKOFF_MAX);
    return c->initial->created_us + life;
}

void half_open_tick(struct plait_conn *c, uint64_t now_us)
{
    if (half_open_deadline(c) <= now_us)
        conn_fail(c, PLAIT_E_TIMED_OUT, PLAIT_WHY_HALF_OPEN);
}
