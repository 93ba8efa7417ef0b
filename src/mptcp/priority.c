/* SPDX-License-Identifier: MIT
 *
 * MP_PRIO (RFC 8684 3.3.8): which subflows the peer should keep for when no
 * other works, and which of them it wants kept.
 *
 * Nothing acknowledges MP_PRIO, so each change is told PRIO_ATTEMPTS times, a
 * retransmission timeout apart: it says what is, not what changed, and a
 * repeat does no harm. Version 1 knows it on the subflow that it is about
 * alone; in version 0 an address ID in it means every subflow from that
 * address, and so another subflow can speak for one that is silent.
 */
#include "mptcp/conn.h"

enum { PRIO_ATTEMPTS = 3 };

void priority_set(struct subflow *sf, bool backup)
{
    sf->backup_local = backup;
    sf->prio_left = PRIO_ATTEMPTS;
    sf->prio_us = sf->conn->env->now_us;
    conn_event(sf->conn, sf, PLAIT_EV_SUBFLOW_PRIORITY, PLAIT_WHY_NONE, backup, 0, 0, 0);
    conn_touch(sf->conn);
}

static bool due(const struct subflow *sf, uint64_t now_us)
{
    return sf->prio_left && sf->prio_us <= now_us;
}

/* Whose priority sf tells now, its own or in version 0 that of one that does
 * not answer; NULL: nobody's. */
static const struct subflow *spoken_for(const struct subflow *sf, uint64_t now_us)
{
    const struct plait_conn *c = sf->conn;
    if (due(sf, now_us))
        return sf;
    if (c->version >= 1 || sf != signal_path(c, 0))
        return NULL;
    list_each(other, &c->subflows, struct subflow, link)
        if (due(other, now_us) && (other->stale || other->suspect))
            return other;
    return NULL;
}

bool priority_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct subflow *about = spoken_for(sf, sf->conn->env->now_us);
    if (!about)
        return false;
    o->present |= MPO_PRIO;
    o->prio.backup = about->backup_local;
    o->prio.has_addr_id = about != sf;
    o->prio.addr_id = about->local_id;
    return true;
}

static void told(struct subflow *sf, uint64_t wait_us, uint64_t now_us)
{
    sf->prio_left--;
    sf->prio_us = sf->prio_left ? now_us + wait_us : TIMER_NEVER;
}

void priority_sent(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    c->env->counters.MPPrioTx++;
    list_each(about, &c->subflows, struct subflow, link)
        if (o->prio.has_addr_id ? about->local_id == o->prio.addr_id && due(about, now_us)
                                : about == sf)
            told(about, sf->tcp.rtt.rto_us, now_us);
}

/* When the next repeat is due; never for one whose time has come, which only
 * waits for room. */
uint64_t priority_deadline(const struct subflow *sf)
{
    return sf->prio_left && sf->prio_us > sf->conn->env->now_us ? sf->prio_us : TIMER_NEVER;
}

static void priority_learn(struct subflow *sf, bool backup)
{
    sf->backup_remote = backup;
    conn_event(sf->conn, sf, PLAIT_EV_SUBFLOW_PRIORITY, PLAIT_WHY_NONE, backup, 1, 0, 0);
}

void priority_in(struct subflow *sf, const struct mptcp_options *o)
{
    struct plait_conn *c = sf->conn;
    bool about_id = o->prio.has_addr_id;
    c->env->counters.MPPrioRx++;
    list_each(other, &c->subflows, struct subflow, link)
        if (about_id ? other->joined && other->remote_id == o->prio.addr_id : other == sf)
            priority_learn(other, o->prio.backup);
    conn_touch(c);
}
