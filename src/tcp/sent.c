/* SPDX-License-Identifier: MIT
 *
 * Committing a plan: the packet has left, so sequence numbers, records,
 * states and timers move now and not before. And the RST for segments that
 * belong to no connection (RFC 9293 3.10.7.1).
 */
#include "tcp/internal.h"

static void commit_fin(struct tcp *t, struct tcp_result *r)
{
    t->wants.fin_lost = false;
    if (!t->wants.fin_sent) {
        t->wants.fin_sent = true;
        t->snd_nxt = t->snd_end + 1;
        tcp_step_state(t, TCP_E_FIN_SENT, r);
    }
    if (t->timer_us[TCP_T_RTO] == TCP_NEVER)
        tcp_rto_arm(t);
}

static void commit_syn(struct tcp *t, const struct tcp_plan *p)
{
    t->wants.syn = false;
    if (!t->wants.syn_sent) {
        t->wants.syn_sent = true;
        t->wants.syn_us = t->now_us;
        t->wants.syn_data = p->payload_len;
        t->snd_nxt = t->iss + 1 + p->payload_len;
        t->snd_end += p->payload_len;
        t->stats.bytes_sent += p->payload_len;
    }
    if (t->wants.syn_count < UINT8_MAX)
        t->wants.syn_count++;
    t->receiver.syn_window = p->seg.window;
    tcp_rto_arm(t);
}

/* The record that tcp_plan chose, found the way it found it. */
static struct tcp_record *planned_record(struct tcp *t, const struct tcp_plan *p)
{
    struct tcp_record *rec = t->recovery.unsent;
    if (p->kind == TCP_PLAN_RETRANSMIT)
        rec = tcp_first_lost(t) ? tcp_first_lost(t) : tcp_last_sent(t);
    assert(rec && rec == p->record && p->payload_len > 0 && p->payload_len <= rec->len);
    return rec;
}

static void commit_payload(struct tcp *t, const struct tcp_plan *p)
{
    struct tcp_record *rec = planned_record(t, p);
    bool again = p->kind == TCP_PLAN_RETRANSMIT, probe = t->wants.tlp;
    if (!again && tcp_is_idle(t, t->now_us))
        tcp_control_signal(t, PLAIT_CC_IDLE);
    rec->segment_len = p->segment_len;
    /* Without memory for the cut the whole record counts as sent; what did
     * not go is then lost like any other, and repaired like any other. */
    if (p->payload_len < rec->len)
        tcp_record_cut(t, rec, p->payload_len);
    tcp_record_sent(t, rec, t->now_us);
    if (!again)
        t->snd_nxt = rec->seq + rec->len;
    t->wants.override = t->wants.tlp = false;
    t->control.option_len = (uint8_t)(tcp_mss(t) - p->segment_len);
    tcp_control_sent(t, p->payload_len);
    if (probe) {
        t->rack.tlp_out = true;
        t->rack.tlp_retransmission = again;
        t->rack.tlp_end_seq = t->snd_nxt;
    } else {
        tcp_recovery_sent(t, p->payload_len, again);
    }
    t->stats.bytes_sent += p->payload_len;
    if (again) {
        t->stats.bytes_retransmitted += p->payload_len;
        t->stats.retransmits++;
    }
    /* RFC 6298 5.1; and a repaired head deserves its full time. */
    if (t->timer_us[TCP_T_RTO] == TCP_NEVER || (again && rec->seq == t->snd_una))
        tcp_rto_arm(t);
    if (!again)
        tcp_tlp_arm(t);
}

static void commit_reset(struct tcp *t, struct tcp_result *r)
{
    if (t->wants.abort)
        tcp_enter_closed(t, TCP_ABORTED, r);
    else
        t->wants.reset = false;
}

void tcp_sent(struct tcp *t, const struct tcp_plan *p, uint64_t now_us, struct tcp_result *r)
{
    tcp_enter(t, now_us, r);
    uint32_t parts = p->gso_size ? (p->payload_len + p->gso_size - 1) / p->gso_size : 1;
    t->stats.segs_out += parts;
    if ((p->seg.flags & TCP_ACK) && !(p->seg.flags & TCP_RST))
        tcp_receiver_acked(t, p);
    tcp_ecn_sent(t, &p->seg);
    switch (p->kind) {
    case TCP_PLAN_RST:
        commit_reset(t, r);
        break;
    case TCP_PLAN_SYN:
        commit_syn(t, p);
        break;
    case TCP_PLAN_RETRANSMIT:
    case TCP_PLAN_DATA:
        commit_payload(t, p);
        if (p->seg.flags & TCP_FIN)
            commit_fin(t, r);
        break;
    case TCP_PLAN_FIN:
        commit_fin(t, r);
        break;
    case TCP_PLAN_PROBE:
        t->wants.probe = false;
        break;
    case TCP_PLAN_ACK:
    case TCP_PLAN_NONE:
        break;
    }
    tcp_settle(t);
}

bool tcp_reset_reply(const struct segment *in, struct segment *out)
{
    if (in->flags & TCP_RST)
        return false;
    segment_reply(out, in);
    if (in->flags & TCP_ACK) {
        out->seq = in->ack;
        out->flags = TCP_RST;
    } else {
        out->seq = 0;
        out->ack = in->seq + segment_seq_len(in);
        out->flags = TCP_RST | TCP_ACK;
    }
    return true;
}
