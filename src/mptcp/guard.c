/* SPDX-License-Identifier: MIT
 *
 * What unequal paths cost each other. When the peer's window is full, bytes
 * wait for those at its left edge, and so for one subflow, while others have
 * room, and so little under way that their path runs idle. That one can be
 * penalised (PLAIT_PENALISE), and how long it is waited for is held against
 * what it brought (PLAIT_GUARD): what the others could have sent in that time
 * is its cost. One that costs more than it brings rests, and is tried again
 * later.
 */
#include "mptcp/conn.h"

/* It is judged once in so many of its round trips, and in so much time; and not
 * for less than so small a part of it. */
enum { JUDGE_RTTS = 4, JUDGE_MIN_US = 1000 * 1000, JUDGE_PART = 8 };
enum { REST_MIN_US = 1000 * 1000, RESTS_MAX = 6, SECOND_US = 1000 * 1000 };
enum { CAP_LEAST = 2 }; /* segments */

/* ---- who is waited for ------------------------------------------------------------ */

/* The record that holds the window's left edge on this subflow, or NULL. */
static const struct tcp_record *edge_record(const struct plait_conn *c, const struct subflow *sf)
{
    list_each(rec, &sf->tcp.records, struct tcp_record, link) {
        uint64_t dsn;
        uint32_t len;
        if (reinject_range(c, sf, rec, &dsn, &len))
            return dsn == c->snd_una ? rec : NULL;
    }
    return NULL;
}

/* The one that has had them for the longest. */
static struct subflow *holder(const struct plait_conn *c)
{
    struct subflow *first = NULL;
    uint64_t since_us = TIMER_NEVER;
    list_each(sf, &c->subflows, struct subflow, link) {
        const struct tcp_record *rec = sf->gone ? NULL : edge_record(c, sf);
        if (rec && rec->first_sent_us && rec->first_sent_us < since_us) {
            first = sf;
            since_us = rec->first_sent_us;
        }
    }
    return first;
}

/* ---- what it costs ---------------------------------------------------------------- */

/* Another regular subflow that answers, and does not rest. */
static bool helper(const struct subflow *sf, const struct subflow *other)
{
    return other != sf && subflow_usable(other) && !other->stale && !other->suspect &&
           !other->backup_local && !other->backup_remote && !other->rest_end_us;
}

static uint64_t others_rate(const struct subflow *sf)
{
    uint64_t rate = 0;
    list_each(other, &sf->conn->subflows, struct subflow, link)
        if (helper(sf, other))
            rate += other->tcp.rate.best;
    return rate;
}

static void judge_from(struct subflow *sf, uint64_t at_us)
{
    sf->judged_us = at_us;
    sf->judged_bytes = sf->tcp.recovery.delivered_bytes;
    sf->held_us = 0;
}

static void rest(struct subflow *sf, uint64_t cost, uint64_t gain, uint64_t now_us)
{
    uint64_t us = (uint64_t)REST_MIN_US << sf->rests;
    if (sf->rests < RESTS_MAX)
        sf->rests++;
    sf->rest_end_us = now_us + us;
    conn_event(sf->conn, sf, PLAIT_EV_SUBFLOW_RESTED, PLAIT_WHY_COST, cost, gain, us, 0);
}

static uint64_t judge_interval(const struct subflow *sf)
{
    uint64_t us = JUDGE_RTTS * (uint64_t)sf->tcp.rtt.srtt_us;
    return us > JUDGE_MIN_US ? us : JUDGE_MIN_US;
}

static void judge(struct subflow *sf, uint64_t now_us)
{
    uint64_t time = now_us - sf->judged_us;
    if (time < judge_interval(sf))
        return;
    uint64_t cost = others_rate(sf) * sf->held_us / SECOND_US;
    uint64_t gain = sf->tcp.recovery.delivered_bytes - sf->judged_bytes;
    if (sf->held_us > time / JUDGE_PART && cost > gain)
        rest(sf, cost, gain, now_us);
    else if (sf->rests)
        sf->rests--;
    judge_from(sf, now_us);
}

/* It is not waited for any longer. */
static void settle(struct plait_conn *c, uint64_t now_us)
{
    struct subflow *sf = subflow_by_id(c, c->blocked_by);
    c->blocked_by = 0;
    if (!sf || sf->rest_end_us || !(c->heuristics & PLAIT_GUARD))
        return;
    if (c->blocked_us - sf->judged_us > 2 * judge_interval(sf))
        judge_from(sf, c->blocked_us);
    sf->held_us += now_us - c->blocked_us;
    judge(sf, now_us);
}

static void penalise(struct subflow *sf, uint64_t now_us)
{
    if (now_us - sf->penalised_us < sf->tcp.rtt.srtt_us)
        return;
    sf->penalised_us = now_us;
    tcp_penalise(&sf->tcp);
}

void guard_blocked(struct plait_conn *c, uint64_t now_us)
{
    if (c->subflow_count < 2 || !c->multipath || !(c->heuristics & (PLAIT_GUARD | PLAIT_PENALISE)))
        return;
    struct subflow *idler = reinject_idler(c, now_us), *sf = idler ? holder(c) : NULL;
    uint32_t id = sf && sf != idler ? sf->id : 0;
    if (id && (c->heuristics & PLAIT_PENALISE))
        penalise(sf, now_us);
    if (id == c->blocked_by)
        return;
    settle(c, now_us);
    c->blocked_by = id;
    c->blocked_us = now_us;
}

void guard_moves(struct plait_conn *c, uint64_t now_us)
{
    if (c->blocked_by)
        settle(c, now_us);
}

/* ---- what comes of it --------------------------------------------------------------- */

bool guard_rests(struct subflow *sf, uint64_t now_us)
{
    if (!sf->rest_end_us)
        return false;
    if (now_us >= sf->rest_end_us) {
        sf->rest_end_us = 0;
        conn_event(sf->conn, sf, PLAIT_EV_SUBFLOW_TRIED, PLAIT_WHY_REST_OVER, sf->rests, 0, 0, 0);
        judge_from(sf, now_us);
        return false;
    }
    list_each(other, &sf->conn->subflows, struct subflow, link)
        if (helper(sf, other))
            return true;
    return false;
}

uint64_t guard_room(const struct subflow *sf, uint64_t room)
{
    const struct tcp_rtt *rtt = &sf->tcp.rtt;
    const struct plait_cc_view *v = sf->tcp.control.own;
    if (!(sf->conn->heuristics & PLAIT_CAP) || sf->conn->subflow_count < 2 ||
        rtt->srtt_us / 2 <= rtt->min_us)
        return room;
    uint64_t most = v->cwnd_bytes * 2 * rtt->min_us / rtt->srtt_us;
    most = most > CAP_LEAST * v->mss_bytes ? most : CAP_LEAST * v->mss_bytes;
    if (v->in_flight_bytes + v->mss_bytes > most)
        return 0;
    return most - v->in_flight_bytes < room ? most - v->in_flight_bytes : room;
}
