/* SPDX-License-Identifier: MIT
 *
 * Options that should be there and are not (RFC 8684 3.7): on the first data,
 * on the first acknowledgment of data, and in mid-connection, where a route
 * has changed. What then becomes of the subflow is fallback.c's.
 *
 * The sender's sign is an ACK of data that carries no option, where a peer
 * that got them would have said DATA_ACK; the receiver's is data that no
 * mapping covers. Both wait a little where it can have another cause.
 */
#include "mptcp/conn.h"

/* Two such ACKs in a row are no accident. */
enum { PLAIN_ACKS_SURE = 2 };

static void first_missing(struct subflow *sf, bool data)
{
    struct plait_conn *c = sf->conn;
    struct plait_counters *n = &c->env->counters;
    if (sf->kind == SUBFLOW_INITIAL && !c->branched) {
        n->MPCapableDataFallback += data;
        conn_fallback(sf, data ? PLAIT_WHY_FIRST_DATA_PLAIN : PLAIT_WHY_FIRST_ACK_PLAIN);
        return;
    }
    n->DssReset++;
    subflow_reset(sf, data ? PLAIT_WHY_JOIN_DATA_PLAIN : PLAIT_WHY_JOIN_ACK_PLAIN);
}

/* The peer has taken more of this subflow's bytes than it DATA_ACKed: with
 * nothing on other subflows it would have DATA_ACKed them. */
static bool ack_lacks(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    uint32_t ssn = tcp_ssn_out(&sf->tcp, sf->tcp.snd_una);
    return !sf->sent_any || dsn_gt(linear_dsn(&sf->sent, sf->sent_end, ssn), c->snd_una);
}

/* Another subflow is on its way and may be there in a moment. */
static bool joining(const struct subflow *sf)
{
    list_each(other, &sf->conn->subflows, struct subflow, link)
        if (other != sf && !other->gone && !other->joined && other->syn_attempts <= 1 &&
            other->tcp.state != TCP_CLOSED)
            return true;
    return false;
}

static void later_missing(struct subflow *sf, uint64_t now_us)
{
    if (!ack_lacks(sf))
        return;
    if (sf->plain_acks < UINT8_MAX)
        sf->plain_acks++;
    bool alone = subflow_alone(sf) && fallback_out_contiguous(sf) && !joining(sf);
    if (alone && sf->plain_acks >= PLAIN_ACKS_SURE)
        fallback_out(sf, PLAIT_WHY_OPTIONS_STRIPPED);
    else if (sf->plain_us == TIMER_NEVER)
        sf->plain_us = now_us + fallback_patience(sf);
}

/* A FIN without an option ends the only subflow there was. MPTCP says DATA_FIN
 * first and has ours acknowledged: this peer fell back, and nothing it sent
 * since then told us. */
static bool plain_fin(const struct subflow *sf, const struct segment *seg,
                      const struct tcp_result *r)
{
    const struct plait_conn *c = sf->conn;
    return (r->flags & TCP_R_FIN) && !seg->mptcp.present && !c->branched && c->multipath &&
           !c->closing && !c->awake->falling.deciding && !sf->held_bytes &&
           fallback_in_contiguous(sf) && fallback_out_contiguous(sf);
}

/* Where both streams have ended and only the DATA_ACK of our DATA_FIN is
 * missing, it was on that FIN. */
static void take_plain_fin(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (c->fin_received && c->fin_sent && c->snd_una == c->snd_nxt)
        c->fin_acked = true;
    else
        conn_fallback(sf, PLAIT_WHY_OPTIONS_STRIPPED);
}

void stripped_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                 uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    uint32_t present = seg->mptcp.present;
    bool acked = ((r->flags & TCP_R_ACKED) && r->acked_bytes) || c->data_asks;
    if (!sf->joined || (!c->multipath && c->plain_out))
        return;
    if (present & MPO_DSS) {
        sf->dss_seen = true;
        if (!seg->payload_len && seg->mptcp.dss.has_ack) { /* a proxy may have kept data */
            sf->dss_us = now_us;
            sf->dss_una = sf->tcp.snd_una;
        }
        sf->plain_acks = 0;
        sf->plain_us = TIMER_NEVER;
        return;
    }
    if ((present & MPO_CAPABLE_ANY) && (c->version >= 1 || !seg->payload_len))
        return; /* version 0 allows no data beside it (RFC 6824 3.6) */
    if (present && !seg->payload_len)
        return; /* a signal that left no room for the DSS */
    if (seg->payload_len && seq_gt(seg->seq, sf->tcp.rcv_nxt))
        return; /* a later piece: what comes before it may have the option for both */
    bool seen = sf->dss_seen || (sf->kind == SUBFLOW_INITIAL && c->confirmed);
    /* MPTCP ends with a DATA_FIN first: a FIN is news too, if there is no other. */
    bool data = seg->payload_len || ((seg->flags & TCP_FIN) && !c->branched);
    if (!seen && (data || acked))
        first_missing(sf, data);
    else if (plain_fin(sf, seg, r))
        take_plain_fin(sf);
    else if (seen && acked && !present && !c->awake->falling.deciding)
        later_missing(sf, now_us);
}

bool stripped_always(struct plait_conn *c)
{
    struct subflow *sf = c->initial;
    if (!sf || c->branched || c->confirmed || sf->dss_seen || !c->multipath)
        return false;
    first_missing(sf, false);
    return true;
}

void stripped_data(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (c->awake->falling.why || sf->tcp.state == TCP_CLOSED)
        return;
    /* The peer complained of our bytes, so options pass, and it fell back. */
    if (!c->multipath && c->awake->falling.peer_failed && fallback_in_contiguous(sf))
        fallback_in_on(sf);
    else if (sf->unmapped_us == TIMER_NEVER)
        sf->unmapped_us = c->env->now_us + fallback_patience(sf);
}

bool stripped_shift(const struct subflow *sf, const struct segment *seg)
{
    const struct mptcp_dss *d = &seg->mptcp.dss;
    uint32_t ssn = tcp_ssn_in(&sf->tcp, seg->seq), len = seg->payload_len;
    return !sf->conn->checksum && len && d->ssn != ssn && d->data_len == len + d->data_fin &&
           seq_gt(ssn + len, receive_wanted(sf));
}

void stripped_tick(struct subflow *sf, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (sf->plain_us <= now_us) {
        sf->plain_us = TIMER_NEVER;
        if (joining(sf))
            sf->plain_us = now_us + fallback_patience(sf);
        else if (!c->plain_out && subflow_alone(sf) && fallback_out_contiguous(sf))
            fallback_out(sf, PLAIT_WHY_OPTIONS_STRIPPED);
        else if (!c->plain_out && !c->awake->falling.deciding)
            fallback_broken(sf, PLAIT_WHY_OPTIONS_STRIPPED);
    }
    if (sf->unmapped_us > now_us)
        return;
    sf->unmapped_us = TIMER_NEVER;
    if (!receive_skip(sf))
        fallback_ask(sf, conn_recv_next(c), PLAIT_WHY_UNMAPPED_DATA);
}

uint64_t stripped_deadline(const struct subflow *sf)
{
    return sf->plain_us < sf->unmapped_us ? sf->plain_us : sf->unmapped_us;
}
