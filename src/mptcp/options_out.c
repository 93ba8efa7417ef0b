/* SPDX-License-Identifier: MIT
 *
 * Which MPTCP options go on which segment. Three questions, one answer each:
 * how much room will a segment of this kind need (ask), what exactly goes on
 * it (out), and what is therefore done (sent). One-shot signals are cleared
 * only in sent, so a packet that was not sent loses nothing.
 *
 *   plan         options
 *   RST          MP_TCPRST, MP_FASTCLOSE when the connection is aborted
 *   SYN          MP_CAPABLE or MP_JOIN
 *   data         MP_CAPABLE with data (the client's first), else DSS
 *   FIN, PROBE   DSS with DATA_ACK
 *   ACK          MP_FAIL or the handshake ACK alone; else an address signal;
 *                MP_PRIO and the DSS with DATA_ACK and DATA_FIN where room is left
 */
#include "mptcp/conn.h"

#include "wire/checksum.h"

enum { MPC_DATA_LEN = 24, JOIN_ACK_DOUBLINGS_MAX = 6 };

static bool ack_is_64(const struct plait_conn *c)
{
    return c->peer_dsn64 || c->env->config.data_ack64;
}

/* Length of a DSS, padded to 4 (RFC 8684 3.3). */
static uint8_t dss_len(const struct plait_conn *c, bool map)
{
    unsigned len = 4 + (ack_is_64(c) ? 8 : 4);
    if (map)
        len += (c->dsn64 ? 8 : 4) + 4 + 2 + (c->checksum ? 2 : 0);
    return (uint8_t)((len + 3) & ~3u);
}

/* Before the third ACK a server of version 1 cannot know what to acknowledge. */
static bool has_data_ack(const struct plait_conn *c)
{
    return c->key_known && (!c->plain_in || c->in_acked);
}

static void dss_ack_out(const struct plait_conn *c, struct mptcp_options *o)
{
    o->present |= MPO_DSS;
    o->dss = (struct mptcp_dss){.has_ack = has_data_ack(c),
                                .ack64 = ack_is_64(c),
                                .data_ack = c->rcv_nxt};
}

static void dss_map_out(const struct plait_conn *c, const struct tcp_map *m,
                        struct mptcp_options *o)
{
    struct mptcp_dss *d = &o->dss;
    dss_ack_out(c, o);
    d->has_map = true;
    d->dsn64 = c->dsn64;
    d->dsn = m->dsn;
    d->ssn = m->ssn;
    d->data_len = m->len;
    d->has_checksum = c->checksum;
    d->checksum = m->checksum;
    d->data_fin = (m->kind & MAP_DATA_FIN) != 0;
}

/* A DATA_FIN without data is mapped on SSN 0, length 1 (RFC 8684 3.3.3). */
static void dss_fin_out(const struct plait_conn *c, struct mptcp_options *o)
{
    struct tcp_map m = {.dsn = c->snd_end, .ssn = 0, .len = 1, .kind = MAP_DATA_FIN};
    if (c->checksum)
        m.checksum = csum_dss(m.dsn, 0, 1, 0);
    dss_map_out(c, &m, o);
}

static void fastclose_out(const struct plait_conn *c, struct mptcp_options *o)
{
    o->present |= MPO_FASTCLOSE;
    o->fastclose_key = c->remote_key;
}

static void rst_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    /* Also where the peer has fallen back: MP_FAIL says that nothing has a place. */
    if (!(c->multipath || sf->fail_set) || !sf->rst_set || !c->key_known)
        return;
    if (c->fastclose) {
        fastclose_out(c, o);
        return;
    }
    if (sf->fail_set) {
        o->present |= MPO_FAIL;
        o->fail_dsn = sf->fail_dsn;
    }
    if (c->version != 0) /* RFC 6824 has no MP_TCPRST */
        reset_out(sf->why, o);
}

/* What a pure ACK carries. `room` is what the TCP options leave. */
static void ack_out(const struct subflow *sf, unsigned room, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    if (sf == c->fastclose_on) {
        fastclose_out(c, o);
        return;
    }
    if (fallback_options_out(sf, false, room, o))
        return;
    handshake_out(sf, TCP_PLAN_ACK, NULL, o);
    if (o->present || !c->key_known || (c->plain_out && !has_data_ack(c)))
        return;
    if (sf->joined && c->multipath)
        announce_out(sf, o);
    if (sf->joined && c->multipath && signal_allowed(sf) && mptcp_options_len(o) + 4 <= room)
        priority_out(sf, o);
    unsigned used = mptcp_options_len(o);
    if (sf->fin_pending && used + dss_len(c, true) <= room)
        dss_fin_out(c, o);
    else if (has_data_ack(c) && used + dss_len(c, false) <= room)
        dss_ack_out(c, o);
}

static unsigned ack_room(const struct subflow *sf)
{
    return TCP_OPTIONS_MAX - (sf->tcp.timestamps ? 12u : 0u);
}

/* An ACK that has news is sent without waiting for data to acknowledge. */
static bool ack_is_news(const struct subflow *sf, const struct mptcp_options *o, uint64_t now_us)
{
    if (o->present & MPO_FAIL)
        return sf->conn->awake->falling.fails_left != 0;
    if (o->present & MPO_SIGNALS)
        return true;
    if (o->present & MPO_JOIN_ACK)
        return sf->join_ack_us <= now_us;
    if (o->present & MPO_CAPABLE_KEYS)
        return sf->conn->keys_again;
    return (o->present & MPO_DSS) && o->dss.has_map && o->dss.data_fin;
}

uint8_t conn_data_option_len(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    if (c->plain_out && !c->awake->falling.announce)
        return has_data_ack(c) ? dss_len(c, false) : 0;
    uint8_t len = dss_len(c, true);
    bool keys = c->client && c->version >= 1 && !c->confirmed && sf == c->initial;
    return keys && len < MPC_DATA_LEN ? MPC_DATA_LEN : len;
}

static void options_none(struct mptcp_options *o)
{
    o->present = 0;
    o->add_addr_count = o->remove_addr_count = 0;
}

/* A probe, and what a FIN carries at most. */
static void probe_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    if (fallback_options_out(sf, true, ack_room(sf), o))
        return;
    handshake_out(sf, TCP_PLAN_ACK, NULL, o); /* the keys again: they may have been lost */
    if (!o->present && has_data_ack(c))
        dss_ack_out(c, o);
}

void conn_options_ask(const struct subflow *sf, uint64_t now_us, struct tcp_ask *ask)
{
    const struct plait_conn *c = sf->conn;
    struct mptcp_options o;
    *ask = (struct tcp_ask){.window_bytes = conn_recv_window(c), .shared_window = !c->plain_in};
    if (fallback_asking(sf)) /* which are in nobody's window yet */
        ask->window_bytes -=
            sf->held_bytes < ask->window_bytes ? sf->held_bytes : ask->window_bytes;
    if (sf->tcp.state == TCP_SYN_SENT || sf->tcp.state == TCP_SYN_RECEIVED) {
        options_none(&o);
        handshake_out(sf, TCP_PLAN_SYN, NULL, &o);
        ask->syn_option_len = (uint8_t)mptcp_options_len(&o);
        fastopen_ask(sf, ask);
    }
    if (c->plain_in && c->plain_out && !c->awake->falling.sf)
        return;
    ask->data_option_len = conn_data_option_len(sf);
    options_none(&o);
    ack_out(sf, ack_room(sf), &o);
    ask->want_ack = ack_is_news(sf, &o, now_us);
    ask->ack_option_len = (uint8_t)mptcp_options_len(&o);
    options_none(&o);
    probe_out(sf, &o);
    if (mptcp_options_len(&o) > ask->ack_option_len)
        ask->ack_option_len = (uint8_t)mptcp_options_len(&o);
}

static void data_out(const struct subflow *sf, const struct tcp_plan *plan, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    if (c->plain_out) {
        if (c->awake->falling.announce &&
            seq_geq(tcp_ssn_out(&sf->tcp, plan->record->seq), c->out.ssn))
            fallback_infinite_out(c, o);
        else if (has_data_ack(c))
            dss_ack_out(c, o);
        return;
    }
    handshake_out(sf, plan->kind, plan->record, o);
    if (!o->present)
        dss_map_out(c, &plan->record->map, o);
}

void conn_options_out(const struct subflow *sf, const struct tcp_plan *plan,
                      struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    options_none(o);
    switch (plan->kind) {
    case TCP_PLAN_NONE:
        return;
    case TCP_PLAN_RST:
        rst_out(sf, o);
        return;
    case TCP_PLAN_SYN:
        handshake_out(sf, plan->kind, NULL, o);
        return;
    case TCP_PLAN_RETRANSMIT:
    case TCP_PLAN_DATA:
        data_out(sf, plan, o);
        return;
    case TCP_PLAN_FIN:
        if (has_data_ack(c))
            dss_ack_out(c, o);
        return;
    case TCP_PLAN_PROBE:
        probe_out(sf, o);
        return;
    case TCP_PLAN_ACK:
        ack_out(sf, ack_room(sf), o);
        return;
    }
}

void conn_options_sent(struct subflow *sf, const struct tcp_plan *plan, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    struct plait_counters *n = &c->env->counters;
    const struct mptcp_options *o = &plan->seg.mptcp;
    if (plan->kind == TCP_PLAN_SYN) {
        if (sf->kind == SUBFLOW_INITIAL && c->client)
            *((o->present & MPO_CAPABLE_ANY) ? &n->MPCapableSYNTX : &n->MPCapableSYNTXDrop) +=
                c->multipath;
        if (sf->syn_attempts < UINT8_MAX)
            sf->syn_attempts++;
    }
    if (o->present & MPO_CAPABLE_KEYS)
        c->keys_again = false;
    if (o->present & MPO_JOIN_ACK) {
        uint64_t wait = sf->tcp.config->rto_initial_us;
        unsigned doublings = sf->join_ack_attempts < JOIN_ACK_DOUBLINGS_MAX
                                 ? sf->join_ack_attempts
                                 : JOIN_ACK_DOUBLINGS_MAX;
        sf->join_ack_us = now_us + (wait << doublings);
        sf->join_ack_attempts++;
    }
    if (o->present & MPO_PRIO)
        priority_sent(sf, o, now_us);
    fallback_sent(sf, plan, now_us);
    if (o->present & MPO_TCPRST)
        n->MPRstTx++;
    if (o->present & MPO_FASTCLOSE) {
        n->MPFastcloseTx++;
        if (plan->kind == TCP_PLAN_ACK)
            fastclose_sent(sf, now_us);
    }
    if ((o->present & MPO_DSS) && o->dss.has_map && o->dss.data_fin) {
        sf->fin_pending = false;
        c->fin_sent = true;
    }
    if (o->present & (MPO_ADD_ADDR | MPO_REMOVE_ADDR))
        announce_sent(sf, o, now_us);
    if (plan->kind != TCP_PLAN_SYN && plan->kind != TCP_PLAN_RST)
        signal_sent(sf, plan, now_us);
}
