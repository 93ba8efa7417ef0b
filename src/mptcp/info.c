/* SPDX-License-Identifier: MIT
 *
 * What a connection and its subflows tell about themselves, and the invariant
 * sweep that tests and the simulator run after every entry.
 */
#include "mptcp/sleep.h"

#include <assert.h>

void subflow_info(const struct subflow *sf, struct plait_subflow_info *out)
{
    const struct tcp *t = &sf->tcp;
    const struct plait_cc_view *v = t->control.own ? t->control.own : &t->control.lone;
    *out = (struct plait_subflow_info){
        .id = sf->id,
        .local = t->local,
        .remote = t->remote,
        .local_id = sf->local_id,
        .remote_id = sf->remote_id,
        .order = sf->order,
        .established = sf->joined && !sf->gone && t->state >= TCP_ESTABLISHED,
        .backup = sf->backup_local || sf->backup_remote,
        .stale = sf->stale,
        .ecn = t->ecn.on,
        .client = sf->kind == SUBFLOW_JOIN_OUT || (sf->kind == SUBFLOW_INITIAL && sf->conn->client),
        .state = tcp_state_name(t->state),
        .why = sf->why,
        .srtt_us = t->rtt.srtt_us,
        .rttvar_us = t->rtt.rttvar_us,
        .rtt_min_us = t->rtt.min_us,
        .rto_us = t->rtt.rto_us,
        .mss_bytes = v->mss_bytes,
        .cwnd_bytes = v->cwnd_bytes,
        .ssthresh_bytes = v->ssthresh_bytes,
        .in_flight_bytes = v->in_flight_bytes,
        .pacing_rate = v->pacing_rate,
        .segs_in = t->stats.segs_in,
        .segs_out = t->stats.segs_out,
        .bytes_sent = t->stats.bytes_sent,
        .bytes_received = t->stats.bytes_received,
        .bytes_retransmitted = t->stats.bytes_retransmitted,
        .bytes_reinjected_from = sf->bytes_reinjected_from,
        .retransmits = t->stats.retransmits,
        .timeouts = t->stats.timeouts,
        .probes = t->stats.probes,
        .recoveries = t->stats.recoveries,
        .spurious = t->stats.spurious,
    };
}

uint64_t conn_bytes_received(const struct plait_conn *c)
{
    return c->rcv_nxt - c->remote_idsn - 1 - c->fin_received + c->fastopen_in;
}

uint64_t conn_bytes_acked(const struct plait_conn *c)
{
    return c->snd_una - c->local_idsn - 1 + c->fastopen_out;
}

void conn_info(const struct plait_conn *c, struct plait_conn_info *out)
{
    *out = (struct plait_conn_info){
        .id = c->id,
        .token = c->local_token,
        .peer_token = c->remote_token,
        .version = c->version,
        .client = c->client,
        .established = c->state == CONN_ESTABLISHED,
        .multipath = c->multipath,
        .checksum = c->checksum && c->multipath,
        .fallback_why = c->fallback_why,
        .destination_why = c->destination_why,
        .subflows = c->subflow_count,
        .subflows_total = c->subflow_total,
        .bytes_written = c->snd_end - c->local_idsn - 1 + c->fastopen_out,
        .bytes_acked = conn_bytes_acked(c),
        .bytes_received = conn_bytes_received(c),
        .bytes_read = c->rcv_read - c->remote_idsn - 1 + c->fastopen_in,
        .bytes_reinjected = c->bytes_reinjected,
        .bytes_copied = c->bytes_copied,
        .send_queued_bytes = c->snd_end - c->snd_una,
        .recv_queued_bytes = c->recv_bytes,
        .ooo_bytes = c->ooo_bytes,
        .send_buffer_bytes = c->send_buffer,
        .recv_buffer_bytes = c->recv_buffer,
        .send_window_bytes = dsn_gt(c->snd_edge, c->snd_una) ? c->snd_edge - c->snd_una : 0,
        .recv_window_bytes = conn_recv_window(c),
        .local = c->local,
        .remote = c->remote,
        .scheduler = c->sched->name,
        .path_manager = c->pm->name,
        .cc = c->cc->name,
    };
}

static void check_receive(const struct plait_conn *c)
{
    uint64_t next = c->rcv_read, bytes = 0;
    list_each(p, &c->recv_queue, struct recv_piece, link) {
        assert(p->dsn == next && p->len > 0);
        next += p->len;
        bytes += p->len;
    }
    assert(bytes == c->recv_bytes);
    assert(next + c->fin_received == c->rcv_nxt);
    bytes = 0;
    next = c->rcv_nxt;
    unsigned pieces = 0;
    list_each(q, &c->ooo_queue, struct recv_piece, link) {
        assert(dsn_gt(q->dsn, c->rcv_nxt) && dsn_geq(q->dsn, next) && q->len > 0);
        next = q->dsn + q->len;
        bytes += q->len;
        pieces++;
    }
    assert(bytes == c->ooo_bytes && pieces == c->ooo_count);
}

static void check_send(const struct plait_conn *c)
{
    assert(dsn_leq(c->snd_una, c->snd_nxt) && dsn_leq(c->snd_nxt, c->snd_end));
    uint64_t next = c->snd_end;
    for (const struct list *at = c->send_queue.prev; at != &c->send_queue; at = at->prev) {
        const struct send_chunk *s = list_entry(at, struct send_chunk, link);
        assert(s->dsn + s->len == next && s->len <= s->chunk->size);
        next = s->dsn;
    }
    assert(dsn_leq(next, c->snd_una));
    next = c->snd_una;
    list_each(r, &c->reinject, struct dsn_range, link) {
        assert(dsn_geq(r->dsn, next) && r->len > 0);
        next = r->dsn + r->len;
        assert(dsn_leq(next, c->snd_nxt));
    }
}

void conn_check(const struct plait_conn *c)
{
    unsigned count = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        uint32_t held = 0;
        unsigned pieces = 0;
        tcp_check(&sf->tcp);
        assert(sf->conn == c);
        assert(flow_find(c->env, &sf->tcp.local, &sf->tcp.remote) == sf);
        list_each(p, &sf->held, struct recv_piece, link) {
            held += p->len;
            pieces++;
        }
        assert(held == sf->held_bytes && pieces == sf->held_count);
        count++;
    }
    if (c->asleep) {
        assert(count == 0 && c->asleep->count == c->subflow_count && !c->awake);
        for (unsigned i = 0; i < c->asleep->count; i++)
            assert(c->asleep->flows[i].conn == c);
        count = c->asleep->count;
    }
    assert(count == c->subflow_count && (!c->awake || count <= c->awake->arrays.capacity));
    assert(!c->token_listed || token_find(c->env, c->local_token) == c);
    check_receive(c);
    check_send(c);
}
