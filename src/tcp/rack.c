/* SPDX-License-Identifier: MIT
 *
 * RACK-TLP (RFC 8985): a record is lost when one sent sufficiently later was
 * delivered. Only with SACK; recovery.c counts duplicate ACKs without.
 *
 * tcp.sent_order holds what is in flight, oldest transmission first, so
 * detection looks at what it decides about and one record more. Records are
 * super-segments: a part that was acknowledged stands for its record's time.
 * The reordering timer and the loss probe share TCP_T_LOSS.
 */
#include "tcp/internal.h"

enum {
    REO_MULT_MAX = 255,
    REO_PERSIST = 16,      /* RFC 8985 6.2 step 4 */
    TIMER_SLACK_US = 2000, /* a probe should not race with the ACK it waits for */
    PTO_NO_RTT_US = 1000 * 1000
};

/* RFC 8985 6.2: was (time, end) 1 sent after 2? */
static bool sent_after(uint64_t us1, uint32_t end1, uint64_t us2, uint32_t end2)
{
    return us1 > us2 || (us1 == us2 && seq_gt(end1, end2));
}

/* Steps 2 and 3: bytes of rec, up to end_seq, were delivered. */
void tcp_rack_delivered(struct tcp *t, const struct tcp_record *rec, uint32_t end_seq,
                        struct tcp_ack_work *w)
{
    struct tcp_rack *rack = &t->rack;
    uint32_t rtt = (uint32_t)min_u64(t->now_us - rec->sent_us, UINT32_MAX);
    if (rec->transmissions > 1) {
        /* This may be the answer to an earlier transmission. Above a hole the
         * timestamp echoed is an older segment's (RFC 7323 4.3): it tells nothing. */
        bool in_order = seq_leq(end_seq, w->ack);
        if (in_order && w->has_tsecr && seq_lt(w->tsecr, tcp_ts_now(t, rec->sent_us)))
            return;
        if (rtt < t->rtt.min_us)
            return;
    }
    if (sent_after(rec->sent_us, end_seq, rack->sent_us, rack->end_seq)) {
        rack->sent_us = rec->sent_us;
        rack->end_seq = end_seq;
        rack->rtt_us = rtt;
    }
    if (seq_gt(end_seq, rack->fack))
        rack->fack = end_seq;
    else if (seq_lt(end_seq, rack->fack) && rec->transmissions == 1)
        rack->reordering_seen = true;
}

/* Step 4: widen the window by a quarter of the least RTT in each round in
 * which a DSACK told that a retransmission was needless. */
void tcp_rack_dsack_round(struct tcp *t, const struct tcp_ack_work *w)
{
    struct tcp_rack *rack = &t->rack;
    if (rack->dsack_round_set && seq_geq(t->snd_una, rack->dsack_round))
        rack->dsack_round_set = false;
    if (w->dsack && !rack->dsack_round_set) {
        rack->dsack_round_set = true;
        rack->dsack_round = t->snd_nxt;
        if (rack->reo_mult < REO_MULT_MAX)
            rack->reo_mult++;
        rack->reo_persist = REO_PERSIST;
    }
}

/* Also step 4: what was widened lasts for 16 recoveries. */
void tcp_rack_recovered(struct tcp *t)
{
    struct tcp_rack *rack = &t->rack;
    if (rack->reo_persist > 0 && --rack->reo_persist == 0)
        rack->reo_mult = 1;
}

uint64_t tcp_rack_window_us(const struct tcp *t)
{
    const struct tcp_rack *rack = &t->rack;
    if (!rack->reordering_seen) {
        uint64_t threshold = (uint64_t)t->config->reordering * tcp_mss(t);
        if (t->recovery.state != TCP_RS_OPEN || t->recovery.sacked_bytes >= threshold)
            return 0;
    }
    return min_u64((uint64_t)rack->reo_mult * t->rtt.min_us / 4, t->rtt.srtt_us);
}

/* Step 5. Also called when the reordering timer fires. */
void tcp_rack_detect(struct tcp *t, struct tcp_ack_work *w)
{
    struct tcp_rack *rack = &t->rack;
    uint64_t window = tcp_rack_window_us(t), wait = 0;
    if (rack->timer == TCP_LT_REORDER) {
        rack->timer = TCP_LT_NONE;
        tcp_timer_off(t, TCP_T_LOSS);
    }
    if (!t->sack || rack->sent_us == 0)
        return;
    list_each(rec, &t->sent_order, struct tcp_record, sent_link) {
        if (rec->sent_us > rack->sent_us)
            break;
        if (!sent_after(rack->sent_us, rack->end_seq, rec->sent_us, rec->seq + rec->len))
            continue;
        uint64_t due = rec->sent_us + rack->rtt_us + window;
        if (due <= t->now_us) {
            w->newly_lost += rec->len;
            tcp_record_lost(t, rec);
        } else {
            wait = max_u64(wait, due);
        }
    }
    if (wait) {
        rack->timer = TCP_LT_REORDER;
        t->timer_us[TCP_T_LOSS] = wait;
    }
}

/* ---- tail loss probe -------------------------------------------------------- */

/* RFC 8985 7.2: after new data was sent, or snd_una moved. */
void tcp_tlp_arm(struct tcp *t)
{
    struct tcp_rack *rack = &t->rack;
    if (rack->timer == TCP_LT_REORDER)
        return;
    rack->timer = TCP_LT_NONE;
    tcp_timer_off(t, TCP_T_LOSS);
    if (!t->sack || !tcp_synchronized(t) || !tcp_outstanding(t) || rack->tlp_out || t->wants.tlp ||
        t->recovery.state != TCP_RS_OPEN || t->recovery.sacked_bytes > 0 ||
        t->recovery.lost_bytes > 0)
        return;
    uint64_t pto = PTO_NO_RTT_US;
    if (t->rtt.srtt_us) {
        pto = 2 * (uint64_t)t->rtt.srtt_us + TIMER_SLACK_US;
        /* A lone segment may wait for the peer's delayed ACK. */
        if (t->recovery.in_flight_bytes <= tcp_mss(t))
            pto += t->config->rto_min_us;
    }
    rack->timer = TCP_LT_PROBE;
    t->timer_us[TCP_T_LOSS] = min_u64(t->now_us + pto, t->timer_us[TCP_T_RTO]);
}

/* RFC 8985 7.3: have one segment sent, new if there is any, else the last. */
void tcp_tlp_fire(struct tcp *t, struct tcp_result *r)
{
    struct tcp_rack *rack = &t->rack;
    rack->timer = TCP_LT_NONE;
    tcp_timer_off(t, TCP_T_LOSS);
    if (!tcp_outstanding(t) || t->recovery.state != TCP_RS_OPEN)
        return;
    t->stats.probes++;
    r->flags |= TCP_R_PROBE;
    tcp_rto_arm(t);
    if (t->wants.fin_sent && t->snd_nxt == t->snd_end + 1) {
        t->wants.fin_lost = true; /* the FIN is the last thing sent */
        return;
    }
    t->wants.tlp = true;
    struct tcp_record *last = tcp_last_sent(t);
    uint32_t segment = last ? max_u32(last->segment_len, 1) : 0;
    if (last && last->len > segment) /* on failure all of it is the probe */
        tcp_record_cut(t, last, (last->len - 1) / segment * segment);
}

/* RFC 8985 7.4.2: did the probe repair a loss that nothing else showed? */
void tcp_tlp_acked(struct tcp *t, const struct tcp_ack_work *w, struct tcp_result *r)
{
    struct tcp_rack *rack = &t->rack;
    if (!rack->tlp_out || seq_lt(t->snd_una, rack->tlp_end_seq))
        return;
    if (!rack->tlp_retransmission || w->tlp_dsack) {
        rack->tlp_out = false;
    } else if (seq_gt(t->snd_una, rack->tlp_end_seq)) {
        /* Data sent after the probe is acknowledged, and no DSACK came. */
        rack->tlp_out = false;
        tcp_recovery_reduce(t, r);
    } else if (w->acked == 0 && w->delivered == 0) {
        rack->tlp_out = false; /* original and probe both arrived */
    }
}
