/* SPDX-License-Identifier: MIT
 *
 * The one coordinator of what comes in: a segment, a timer, an ICMP error.
 * Always in the same order: tcp, handshake options, other options, what tcp's
 * result means here, payload, FIN.
 */
#include "mptcp/sleep.h"

void subflow_stale(struct subflow *sf, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    if (sf->stale)
        return;
    sf->stale = true;
    sf->stale_us = c->env->now_us;
    c->env->counters.SubflowStale++;
    conn_event(c, sf, PLAIT_EV_SUBFLOW_STALE, why, sf->timeouts, 0, 0, 0);
    paths_subflow(sf, PLAIT_PM_SUBFLOW_STALE);
}

void subflow_recovered(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (!sf->stale)
        return;
    sf->stale = false;
    c->env->counters.SubflowRecover++;
    conn_event(c, sf, PLAIT_EV_SUBFLOW_RECOVERED, PLAIT_WHY_NONE, 0, 0, 0, 0);
    announce_again(c);
    paths_subflow(sf, PLAIT_PM_SUBFLOW_RECOVERED);
}

static void progress(struct subflow *sf)
{
    sf->timeouts = 0;
    sf->suspect = false;
    sf->progress_us = sf->conn->env->now_us;
    subflow_recovered(sf);
}

static void timed_out(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (sf->joined) /* a SYN has a ceiling of its own */
        tcp_set_rto_ceiling(&sf->tcp, subflow_replaced(sf) ? STALE_RTO_MAX_US : 0);
    c->env->counters.Timeouts++;
    if (sf->timeouts < UINT8_MAX)
        sf->timeouts++;
    const struct plait_cc_view *v = sf->tcp.control.own;
    conn_event(c, sf, PLAIT_EV_LOSS, PLAIT_WHY_SUBFLOW_TIMEOUT, v->cwnd_bytes, v->in_flight_bytes,
               1, 0);
    if (sf->timeouts >= c->env->config.stale_timeouts && sf->joined)
        subflow_stale(sf, PLAIT_WHY_SUBFLOW_TIMEOUT);
    subflow_reinject(sf, PLAIT_WHY_SUBFLOW_TIMEOUT);
}

void subflow_result(struct subflow *sf, const struct tcp_result *r)
{
    struct plait_conn *c = sf->conn;
    if (r->flags == 0)
        return;
    if (r->flags & TCP_R_ACKED)
        progress(sf);
    if (r->flags & TCP_R_TIMEOUT)
        timed_out(sf);
    if (r->flags & TCP_R_PROBE) { /* silence for two round trips: others take over */
        c->env->counters.LossProbes++;
        sf->suspect = true;
        subflow_reinject(sf, PLAIT_WHY_SUBFLOW_TIMEOUT);
    }
    if (r->flags & TCP_R_LOSS) {
        const struct plait_cc_view *v = sf->tcp.control.own;
        conn_event(c, sf, PLAIT_EV_LOSS, PLAIT_WHY_NONE, v->cwnd_bytes, v->in_flight_bytes, 0, 0);
    }
    if (r->flags & TCP_R_FIN_ACKED)
        closing_subflow_fin_acked(sf);
    if ((r->flags & TCP_R_CLOSED) && r->error != TCP_NO_ERROR && r->error != TCP_ABORTED)
        subflow_failed(sf, r->error);
}

/* What tcp counts for itself and the stack's counters show too. */
static void count_input(struct subflow *sf, const struct tcp_stats *before)
{
    struct plait_counters *n = &sf->conn->env->counters;
    const struct tcp_stats *s = &sf->tcp.stats;
    n->ChallengeAck += s->challenges - before->challenges;
    n->PawsDrop += s->dropped_paws - before->dropped_paws;
    n->SpuriousRtos += s->spurious - before->spurious;
    n->InCEPkts += s->marked - before->marked;
}

/* Mapped data that overtook the segment with the keys. Its mapping could not
 * be kept, and tcp must not acknowledge what no mapping covers: the peer will
 * send it again. */
static bool overtook_keys(const struct subflow *sf, const struct segment *seg)
{
    const struct plait_conn *c = sf->conn;
    return c->multipath && !c->client && !c->key_known && seg->payload_len &&
           (seg->mptcp.present & MPO_DSS) && !(seg->mptcp.present & MPO_CAPABLE_ANY);
}

/* A SYN/ACK answers the last SYN: a client that has left MP_CAPABLE out never
 * saw one with it, as something on the way may swallow it. What the connection
 * becomes the third ACK says. */
static void syn_again(struct subflow *sf, const struct segment *seg)
{
    if (sf->tcp.state == TCP_SYN_RECEIVED && (seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
        seg->seq == sf->tcp.irs)
        sf->syn_plain = !(seg->mptcp.present & MPO_CAPABLE_ANY);
}

void subflow_input(struct subflow *sf, const struct segment *seg, uint64_t now_us)
{
    struct tcp_result r = {0};
    if (sf->gone || overtook_keys(sf, seg))
        return;
    struct plait_conn *c = sf->conn;
    c->active_us = now_us;
    struct segment without;
    syn_again(sf, seg);
    if (seg->payload_len && sf->joined && !pressure_admit(sf, seg->payload_len))
        seg = pressure_without_payload(sf, seg, &without);
    struct tcp_stats before = sf->tcp.stats;
    if (c->multipath && sf->joined && dsn_gt(c->rcv_edge, c->rcv_nxt)) /* told on any subflow */
        tcp_accept_window(&sf->tcp, (uint32_t)(c->rcv_edge - c->rcv_nxt));
    tcp_input(&sf->tcp, seg, now_us, &r);
    count_input(sf, &before);
    conn_touch(sf->conn);
    if ((r.flags & TCP_R_ACCEPTABLE) && handshake_in(sf, seg, &r, now_us))
        conn_options_in(sf, seg, &r, now_us);
    subflow_result(sf, &r);
    if (r.flags & TCP_R_READABLE)
        conn_receive(sf);
    if (r.flags & TCP_R_FIN)
        closing_subflow_fin(sf, now_us);
}

void subflow_icmp(struct subflow *sf, const struct icmp_error *e, uint64_t now_us)
{
    struct tcp_result r = {0};
    if (sf->gone)
        return;
    tcp_icmp(&sf->tcp, e, now_us, &r);
    subflow_result(sf, &r);
    if (sf->tcp.state == TCP_SYN_SENT && e->kind != ICMP_TOO_BIG && e->seq == sf->tcp.iss)
        race_hurry(sf->conn, now_us);
    conn_touch(sf->conn);
}

void subflow_tick(struct subflow *sf, uint64_t now_us)
{
    struct tcp_result r = {0};
    if (sf->gone || sf == sf->conn->fastclose_on)
        return;
    if (tcp_deadline(&sf->tcp) <= now_us) {
        tcp_tick(&sf->tcp, now_us, &r);
        subflow_result(sf, &r);
    }
    stripped_tick(sf, now_us);
    signal_tick(sf, now_us);
    addresses_removal_tick(sf, now_us);
    nat_tick(sf, now_us);
    if (sf->join_ack_us <= now_us && sf->join_ack_attempts > sf->tcp.config->syn_retries)
        subflow_reset(sf, PLAIT_WHY_TIMEOUT);
}

void conn_tick(struct plait_conn *c, uint64_t now_us)
{
    if (!conn_wake(c)) {
        timers_set(&c->env->timers, &c->timer, now_us + WAKE_AGAIN_US);
        return;
    }
    conn_touch(c);
    list_each(sf, &c->subflows, struct subflow, link)
        subflow_tick(sf, now_us);
    race_tick(c, now_us);
    fallback_tick(c, now_us);
    half_open_tick(c, now_us);
    reinject_tick(c, now_us);
    reinject_overdue_tick(c, now_us);
    announce_tick(c, now_us);
    paths_tick(c, now_us);
    closing_tick(c, now_us);
    fastclose_tick(c, now_us);
}
