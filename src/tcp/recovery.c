/* SPDX-License-Identifier: MIT
 *
 * What losses mean for the window: entering and leaving fast recovery,
 * proportional rate reduction (RFC 6937), the timeout (RFC 5681 3.1, RFC
 * 6298), duplicate ACKs where there is no SACK (RFC 6582), and taking an
 * episode back that was not one: by timestamps (Eifel, RFC 3522) or because
 * every retransmission was reported as a duplicate (RFC 3708).
 *
 *            lost               timeout
 *   OPEN ----------> RECOVERY ----------> LOSS
 *     ^  all of recovery.end acknowledged,  |
 *     +---------- or spurious --------------+
 */
#include "tcp/internal.h"

enum { LEAP = 4 }; /* segments (RFC 6582 4.1) */

/* Without SACK each duplicate ACK stands for one segment that has left. */
uint64_t tcp_in_flight(const struct tcp *t)
{
    uint64_t gone = t->sack ? 0 : (uint64_t)t->recovery.dupacks * tcp_mss(t);
    return t->recovery.in_flight_bytes - min_u64(gone, t->recovery.in_flight_bytes);
}

static void remember(struct tcp *t)
{
    struct tcp_recovery *rc = &t->recovery;
    rc->undo = true;
    rc->undo_stamped = false;
    rc->undo_una = t->snd_una;
    rc->undo_cwnd = t->control.cwnd_bytes;
    rc->undo_ssthresh = t->control.ssthresh_bytes;
    rc->undo_sent = rc->undo_dsacked = 0;
}

static void begin(struct tcp *t, enum tcp_recovery_state state)
{
    struct tcp_recovery *rc = &t->recovery;
    if (rc->state == TCP_RS_OPEN)
        remember(t);
    rc->state = state;
    rc->end = t->snd_nxt;
    rc->began_us = t->now_us;
    rc->prr_delivered = rc->prr_out = 0;
    rc->prr_flight = max_u64(rc->in_flight_bytes + rc->lost_bytes + rc->sacked_bytes, 1);
    rc->target_bytes = t->control.cwnd_bytes;
    rc->held_bytes = 0;
    t->wants.tlp = false; /* there is something better to send */
}

/* Fast recovery, for congestion's sake. */
static void enter_recovery(struct tcp *t, struct tcp_result *r)
{
    uint64_t before = t->control.cwnd_bytes;
    begin(t, TCP_RS_RECOVERY);
    t->stats.recoveries++;
    r->flags |= TCP_R_LOSS;
    tcp_control_signal(t, PLAIT_CC_LOSS);
    tcp_ecn_reduced(t);
    t->recovery.target_bytes = t->control.ssthresh_bytes;
    t->control.cwnd_bytes = before; /* PRR brings it down, ACK by ACK */
}

/* A loss probe repaired a loss, or the network marked a packet (RFC 3168 6.1.2):
 * the same, with nothing to send again and nothing to take back. */
void tcp_recovery_reduce(struct tcp *t, struct tcp_result *r)
{
    if (t->recovery.state != TCP_RS_OPEN)
        return;
    enter_recovery(t, r);
    t->recovery.undo = false;
}

/* Records were too large for the path. That is no sign of congestion, so the
 * window to end up with is the present one. */
void tcp_recovery_resend(struct tcp *t)
{
    if (t->recovery.state != TCP_RS_OPEN)
        return;
    begin(t, TCP_RS_RECOVERY);
    t->recovery.undo = false;
}

static void leave(struct tcp *t)
{
    if (t->recovery.state == TCP_RS_RECOVERY)
        t->control.cwnd_bytes = max_u64(t->recovery.target_bytes, tcp_mss(t));
    t->recovery.state = TCP_RS_OPEN;
    t->recovery.dupacks = 0;
    tcp_rack_recovered(t);
    tcp_control_signal(t, PLAIT_CC_RECOVERED);
}

/* The episode was a mistake: everything as it was before. */
static void undo(struct tcp *t)
{
    struct tcp_recovery *rc = &t->recovery;
    rc->undo = false;
    while (!list_empty(&rc->lost))
        tcp_record_found(t, list_last(&rc->lost, struct tcp_record, sent_link));
    rc->state = TCP_RS_OPEN;
    rc->dupacks = 0;
    t->control.cwnd_bytes = max_u64(t->control.cwnd_bytes, rc->undo_cwnd);
    t->control.ssthresh_bytes = max_u64(t->control.ssthresh_bytes, rc->undo_ssthresh);
    t->rtt.backoff = 0;
    t->stats.spurious++;
    tcp_rack_recovered(t);
    tcp_control_signal(t, PLAIT_CC_SPURIOUS);
}

void tcp_recovery_sent(struct tcp *t, uint32_t bytes, bool again)
{
    struct tcp_recovery *rc = &t->recovery;
    rc->prr_out += bytes;
    if (!again)
        return;
    if (!rc->undo_stamped) {
        rc->undo_stamped = true;
        rc->undo_tsval = tcp_ts_now(t, t->now_us);
    }
    rc->undo_sent += bytes;
}

void tcp_recovery_dsack(struct tcp *t, uint32_t left, uint32_t right)
{
    if (t->recovery.undo && seq_geq(left, t->recovery.undo_una))
        t->recovery.undo_dsacked += right - left;
}

static bool spurious(const struct tcp *t, const struct tcp_ack_work *w)
{
    const struct tcp_recovery *rc = &t->recovery;
    if (!rc->undo)
        return false;
    /* The original arrived: the echo is older than any retransmission. */
    if (rc->state != TCP_RS_OPEN && w->acked > 0 && w->has_tsecr && rc->undo_stamped &&
        seq_lt(w->tsecr, rc->undo_tsval))
        return true;
    /* It ended by itself: nothing was ever sent again. */
    if (rc->state != TCP_RS_OPEN && rc->undo_sent == 0 && seq_geq(t->snd_una, rc->end))
        return true;
    return w->dsack && rc->undo_sent > 0 && rc->undo_dsacked >= rc->undo_sent;
}

/* RFC 6937 3.1: the slow-start bound while ACKs advance and nothing more is
 * lost, the conservative one otherwise. */
static void prr(struct tcp *t, const struct tcp_ack_work *w)
{
    struct tcp_recovery *rc = &t->recovery;
    uint64_t pipe = tcp_in_flight(t), mss = tcp_mss(t), send = 0;
    rc->prr_delivered += w->delivered;
    if (pipe > rc->target_bytes) {
        uint64_t due = (rc->prr_delivered * rc->target_bytes + rc->prr_flight - 1) / rc->prr_flight;
        send = due > rc->prr_out ? due - rc->prr_out : 0;
    } else {
        uint64_t limit = rc->prr_delivered > rc->prr_out ? rc->prr_delivered - rc->prr_out : 0;
        if (w->acked > 0 && w->newly_lost == 0)
            limit = max_u64(limit, w->delivered) + mss;
        send = min_u64(rc->target_bytes - pipe, limit);
    }
    if (rc->prr_out == 0) /* the fast retransmission itself */
        send = max_u64(send, mss);
    t->control.cwnd_bytes = max_u64(pipe + send, mss);
}

/* ---- without SACK ------------------------------------------------------------ */

/* False: it is not under way. */
static bool head_lost(struct tcp *t, struct tcp_ack_work *w)
{
    if (list_empty(&t->records))
        return false;
    struct tcp_record *head = list_first(&t->records, struct tcp_record, link);
    if (head->transmissions == 0 || head->lost)
        return false;
    uint32_t segment = max_u32(head->segment_len, 1);
    if (head->len > segment)
        tcp_record_cut(t, head, segment);
    tcp_record_lost(t, head);
    w->newly_lost += head->len;
    return true;
}

/* RFC 6582 3.2 and 4.1: duplicates of what was sent before the last episode
 * may answer needless repetitions after a timeout. Then the ACK before them
 * leapt over what the receiver had, and there were several repetitions. */
static bool duplicates_tell(const struct tcp *t)
{
    const struct tcp_recovery *rc = &t->recovery;
    if (rc->dupacks < t->config->reordering)
        return false;
    uint32_t mss = tcp_mss(t);
    return seq_gt(t->snd_una, rc->end) || (t->control.cwnd_bytes > mss && rc->leap <= LEAP * mss);
}

/* RFC 6582 3.2. */
static void count_duplicates(struct tcp *t, struct tcp_ack_work *w, struct tcp_result *r)
{
    struct tcp_recovery *rc = &t->recovery;
    uint32_t mss = tcp_mss(t);
    if (w->duplicate) {
        rc->dupacks++;
        w->delivered += mss;
        if (rc->state != TCP_RS_RECOVERY && duplicates_tell(t) && head_lost(t, w) &&
            rc->state == TCP_RS_LOSS)
            enter_recovery(t, r);
    } else if (w->acked > 0) {
        uint32_t gone = (w->acked + mss - 1) / mss;
        uint32_t counted = rc->state == TCP_RS_OPEN ? rc->dupacks : min_u32(rc->dupacks, gone - 1);
        rc->dupacks -= counted;
        rc->leap = w->acked;
        w->delivered -= min_u64(w->delivered, (uint64_t)counted * mss);
        if (rc->state == TCP_RS_RECOVERY && !list_empty(&t->records) &&
            list_first(&t->records, struct tcp_record, link)->sent_us < rc->began_us)
            head_lost(t, w); /* a partial ACK: the next hole */
    }
}

/* ---- the three occasions ------------------------------------------------------- */

static void react(struct tcp *t, struct tcp_ack_work *w, struct tcp_result *r)
{
    struct tcp_recovery *rc = &t->recovery;
    t->control.since_loss += w->delivered;
    if (rc->state == TCP_RS_OPEN && rc->lost_bytes > 0)
        enter_recovery(t, r);
    else if (w->ecn_echo && w->acked > 0)
        tcp_recovery_reduce(t, r);
    if (rc->state == TCP_RS_RECOVERY) {
        if (w->delivered > 0 || w->newly_lost > 0)
            prr(t, w);
    } else if (w->delivered > 0 || rc->held_bytes > 0) {
        /* What arrives above a hole may be the first sign of a loss: it opens
         * the window once the hole is closed, and not before. */
        rc->held_bytes += w->delivered;
        if (w->acked == 0)
            return;
        w->delivered = rc->held_bytes;
        rc->held_bytes = 0;
        tcp_control_acked(t, w);
    }
}

void tcp_recovery_ack(struct tcp *t, struct tcp_ack_work *w, struct tcp_result *r)
{
    struct tcp_recovery *rc = &t->recovery;
    if (spurious(t, w))
        undo(t);
    if (w->acked > 0) {
        if (rc->timeouts > 0)
            r->flags |= TCP_R_RECOVERED;
        rc->timeouts = 0;
    }
    if (rc->state != TCP_RS_OPEN && seq_geq(t->snd_una, rc->end))
        leave(t);
    tcp_rack_detect(t, w);
    if (!t->sack)
        count_duplicates(t, w, r);
    tcp_tlp_acked(t, w, r);
    react(t, w, r);
}

void tcp_recovery_expired(struct tcp *t, struct tcp_ack_work *w, struct tcp_result *r)
{
    tcp_rack_detect(t, w);
    if (w->newly_lost > 0)
        react(t, w, r);
}

/* The retransmission timer fired. RFC 8985 6.3: the head is lost, and what
 * was sent long enough ago; the rest has had no time to be acknowledged. */
void tcp_recovery_timeout(struct tcp *t)
{
    struct tcp_recovery *rc = &t->recovery;
    bool again = rc->state == TCP_RS_LOSS && rc->timeouts > 1;
    if (!list_empty(&t->records) && list_first(&t->records, struct tcp_record, link)->sacked)
        tcp_scoreboard_forget(t); /* the receiver reneged */
    struct tcp_record *head =
        list_empty(&t->records) ? NULL : list_first(&t->records, struct tcp_record, link);
    uint64_t wait = t->rack.rtt_us + tcp_rack_window_us(t);
    list_each(rec, &t->sent_order, struct tcp_record, sent_link) {
        if (rec == head || !t->sack || rec->sent_us + wait <= t->now_us)
            tcp_record_lost(t, rec);
    }
    rc->dupacks = 0;
    t->rack.tlp_out = false;
    t->rack.timer = TCP_LT_NONE;
    tcp_timer_off(t, TCP_T_LOSS);
    begin(t, TCP_RS_LOSS);
    if (!again)
        tcp_control_signal(t, PLAIT_CC_TIMEOUT);
    tcp_ecn_reduced(t);
    t->control.cwnd_bytes = tcp_in_flight(t) + tcp_mss(t);
}
