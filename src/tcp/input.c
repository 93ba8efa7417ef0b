/* SPDX-License-Identifier: MIT
 *
 * SEGMENT ARRIVES (RFC 9293 3.10.7), as a row of steps: timestamps (RFC 7323
 * 5), sequence, RST, SYN, ACK, window, text, FIN. A step returns false when
 * it was the last. RFC 5961 decides what a blind attacker could have sent:
 * such segments get a challenge ACK, of which the stack gives only so many a
 * second.
 *
 * A segment all of whose text is old still has its ACK looked at: its options
 * may carry news of the connection (a DATA_ACK) however old its bytes are.
 */
#include "tcp/internal.h"

enum {
    SECOND_US = 1000 * 1000,
    OOW_ACK_EVERY_US = 500 * 1000,
    TS_RECENT_LIFE_DAYS = 24 /* RFC 7323 5.5 */
};
#define TS_RECENT_LIFE_US (TS_RECENT_LIFE_DAYS * UINT64_C(86400) * SECOND_US)

/* One segment on its way through the steps. */
struct arrival {
    const struct segment *seg;
    struct tcp_result *r;
    uint32_t prior_una;
    bool old; /* ends below what we have acknowledged */
};

/* Say where we stand: with an ACK, or, where only the SYN/ACK can, with that. A
 * client that has begun anew answers it with RST, and its next SYN finds the
 * way free (RFC 9293 3.5.1, figure 9 and 10). */
static void tell(struct tcp *t)
{
    if (t->state == TCP_SYN_RECEIVED)
        t->wants.syn = t->wants.syn || t->wants.syn_sent;
    else
        tcp_ack_now(t);
}

/* RFC 5961 7: limited for the whole stack, so that it cannot be made an
 * amplifier, nor a side channel about one connection. */
static void challenge(struct tcp *t)
{
    struct tcp_env *env = t->env;
    uint64_t second = t->now_us / SECOND_US;
    if (env->challenge_second != second) {
        env->challenge_second = second;
        env->challenge_count = 0;
    }
    if (env->challenge_count >= env->challenge_max)
        return;
    env->challenge_count++;
    t->stats.challenges++;
    tell(t);
}

/* An ACK for a segment that has no place here. Two confused ends could keep
 * telling each other so; twice a second is enough. */
static void ack_stray(struct tcp *t)
{
    if (t->receiver.oow_ack_us != 0 && t->now_us - t->receiver.oow_ack_us < OOW_ACK_EVERY_US)
        return;
    t->receiver.oow_ack_us = t->now_us;
    tell(t);
}

static void reply_reset(struct tcp *t, const struct segment *seg)
{
    if (seg->flags & TCP_RST)
        return;
    t->wants.reset = true;
    t->wants.reset_seq = seg->ack;
}

/* ---- steps ------------------------------------------------------------------- */

/* A pure ACK whose other options left no room for timestamps: both plait and
 * Linux send an IPv6 address with a port in this way. */
static bool timestamp_had_no_room(const struct segment *seg)
{
    enum { TIMESTAMP_LEN = 12 };
    return seg->payload_len == 0 && (seg->mptcp.present & MPO_ADD_ADDR) &&
           mptcp_options_len(&seg->mptcp) > TCP_OPTIONS_MAX - TIMESTAMP_LEN;
}

/* RFC 7323 5.3 R1 */
static bool step_timestamp(struct tcp *t, struct arrival *a)
{
    const struct tcp_options *o = &a->seg->tcp;
    const struct tcp_receiver *rx = &t->receiver;
    if (!t->timestamps || (a->seg->flags & TCP_RST))
        return true;
    if (!(o->present & OPT_TIMESTAMP)) { /* RFC 7323 3.2: silently */
        if (timestamp_had_no_room(a->seg))
            return true;
        t->stats.dropped_paws++;
        return false;
    }
    if (!rx->ts_recent_set || seq_geq(o->tsval, rx->ts_recent) ||
        t->now_us - rx->ts_recent_us > TS_RECENT_LIFE_US)
        return true;
    t->stats.dropped_paws++;
    if (segment_seq_len(a->seg) > 0)
        tell(t);
    return false;
}

/* DEVIATION: RFC 9293 3.10.7.4 looks at nothing in a segment that has no byte
 * in the window. Here a repetition's ACK and options count, where a repetition
 * is what lies at most one window below: what is older than that cannot be
 * one, and is dropped as the RFC says (RFC 8684 3, RFC 5961 1). */
static bool step_sequence(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    uint32_t end = seg->seq + segment_seq_len(seg);
    if (seg->flags & TCP_RST)
        return true; /* the next step is stricter */
    uint32_t reach = max_u32(t->receiver.window_max, 0xffff);
    if (seq_gt(seg->seq, t->rcv_adv) || seq_lt(end, t->rcv_nxt - reach)) {
        t->stats.dropped_window++;
        ack_stray(t);
        return false;
    }
    a->old = seq_lt(end, t->receiver.last_ack_sent);
    return true;
}

/* RFC 5961 3.2 */
static bool step_reset(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    if (!(seg->flags & TCP_RST))
        return true;
    if (seg->seq != t->rcv_nxt) {
        if (seq_gt(seg->seq, t->rcv_nxt) && seq_lt(seg->seq, t->rcv_adv))
            challenge(t);
        else
            t->stats.dropped_window++;
        return false;
    }
    enum tcp_error error = TCP_RESET;
    bool all_but_fin = (t->state == TCP_CLOSING || t->state == TCP_LAST_ACK) &&
                       seq_geq(t->snd_una + 1, t->snd_nxt);
    if (t->state == TCP_TIME_WAIT || all_but_fin) /* nothing is missing (RFC 9293 3.10.7.4) */
        error = TCP_NO_ERROR;
    if (all_but_fin)
        a->r->flags |= TCP_R_FIN_ACKED;
    a->r->flags |= TCP_R_ACCEPTABLE;
    tcp_enter_closed(t, error, a->r);
    return false;
}

/* RFC 5961 4.2 */
static bool step_syn(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    if (!(seg->flags & TCP_SYN))
        return true;
    if (seg->seq != t->irs) {
        challenge(t);
        return false;
    }
    if (t->state == TCP_SYN_RECEIVED) {
        if (seg->flags & TCP_ACK)
            return true; /* simultaneous open: both sent SYN, then SYN/ACK */
        t->wants.syn = t->wants.syn || t->wants.syn_sent; /* our SYN/ACK was lost */
        return false;
    }
    tcp_ack_now(t); /* the SYN/ACK again: our ACK of it was lost */
    return false;
}

/* RFC 7323 4.3 */
static void take_timestamp(struct tcp *t, const struct segment *seg)
{
    struct tcp_receiver *rx = &t->receiver;
    if (!t->timestamps || !(seg->tcp.present & OPT_TIMESTAMP) ||
        seq_gt(seg->seq, rx->last_ack_sent) || seq_lt(seg->tcp.tsval, rx->ts_recent))
        return;
    rx->ts_recent = seg->tcp.tsval;
    rx->ts_recent_us = t->now_us;
}

/* RFC 5681 2, and RFC 8684 3 (signalling beside DSS is no congestion). */
static bool is_duplicate(const struct tcp *t, const struct segment *seg)
{
    return !t->sack && seg->ack == t->snd_una && seg->payload_len == 0 &&
           !(seg->flags & (TCP_SYN | TCP_FIN)) && tcp_outstanding(t) &&
           (uint32_t)seg->window << t->snd_wscale == t->snd_wnd &&
           !(seg->mptcp.present & ~(uint32_t)MPO_DSS);
}

/* Karn: no sample of what was sent more than once, nor of what may have waited
 * for that before the ACK moved on. What left later than any of it is timed. */
static void sample_rtt(struct tcp *t, struct tcp_ack_work *w)
{
    bool timely = w->has_newest && (w->acked == 0 || w->resent_us <= w->newest_us);
    if (timely) {
        w->rtt_us = (uint32_t)min_u64(t->now_us - w->newest_us, UINT32_MAX);
    } else if (w->acked > 0 && w->has_tsecr) {
        /* Some of it was sent more than once; the echo tells which (Karn). */
        uint32_t ms = tcp_ts_now(t, t->now_us) - w->tsecr;
        if (ms < 600 * 1000)
            w->rtt_us = max_u32(ms, 1) * 1000;
    }
    if (w->rtt_us == 0 && timely)
        w->rtt_us = 1;
    if (timely)
        tcp_rate_sample(t, w);
    if (w->rtt_us)
        tcp_rtt_sample(t, w->rtt_us);
    else if (w->acked > 0 && w->resent_us)
        tcp_rtt_hint(t, t->now_us - w->resent_us);
}

/* Payload, and our FIN, below seg->ack. */
static void take_ack(struct tcp *t, const struct segment *seg, struct tcp_ack_work *w,
                     struct tcp_result *r)
{
    if (seq_leq(seg->ack, t->snd_una))
        return;
    uint32_t moved = seg->ack - t->snd_una, payload = moved;
    tcp_scoreboard_ack(t, seg->ack, w);
    if (t->wants.fin_sent && seg->ack == t->snd_end + 1) {
        payload--;
        w->fin_acked = !t->wants.fin_acked;
        t->wants.fin_acked = true;
        t->wants.fin_lost = false;
    }
    t->snd_una = seg->ack;
    w->acked = moved;
    r->flags |= TCP_R_ACKED;
    r->acked_bytes = payload;
    t->stats.bytes_acked += payload;
}

static void rearm(struct tcp *t, const struct tcp_ack_work *w)
{
    if (w->acked > 0) {
        tcp_timer_off(t, TCP_T_RTO);
        if (tcp_outstanding(t))
            tcp_rto_arm(t);
    }
    if (w->acked > 0 || w->delivered > 0)
        tcp_tlp_arm(t);
    if (!tcp_outstanding(t))
        t->wants.tlp = false;
}

static void process_ack(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    struct tcp_ack_work w = {
        .ack = seg->ack,
        .prior_una = t->snd_una,
        .prior_in_flight = tcp_in_flight(t),
        .duplicate = is_duplicate(t, seg),
        .has_tsecr = t->timestamps && seq_leq(seg->tcp.tsecr, tcp_ts_now(t, t->now_us)),
        .tsecr = seg->tcp.tsecr,
        .ecn_echo = tcp_ecn_echoed(t, seg),
    };
    if (!(seg->tcp.present & OPT_TIMESTAMP))
        w.has_tsecr = false;
    take_ack(t, seg, &w, a->r);
    tcp_scoreboard_sack(t, seg, &w);
    sample_rtt(t, &w);
    tcp_rack_dsack_round(t, &w);
    tcp_recovery_ack(t, &w, a->r);
    rearm(t, &w);
    if (w.fin_acked) {
        a->r->flags |= TCP_R_FIN_ACKED;
        tcp_step_state(t, TCP_E_FIN_ACKED, a->r);
    }
}

/* Our SYN carried payload: what of it is acknowledged was taken by the peer,
 * the rest never was (RFC 7413 4.2.2). Nothing else was sent yet. */
static void take_syn_data(struct tcp *t, uint32_t ack, struct tcp_result *r)
{
    if (!t->wants.syn_data)
        return;
    t->syn_out = min_u32(ack - t->iss - 1, t->wants.syn_data);
    t->snd_una = t->snd_nxt = t->snd_end = t->iss + 1 + t->syn_out;
    t->stats.bytes_acked += t->syn_out;
    r->flags |= t->syn_out ? TCP_R_SYN_DATA : 0;
}

/* The peer is there, and where we take it to be: one that keeps acknowledging
 * less than it did never got what a proxy took for it, and probes find no end
 * if that answers them. */
static void answered(struct tcp *t)
{
    t->wants.persist_count = t->wants.keepalive_count = 0;
    tcp_keepalive_arm(t);
}

static bool step_ack(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    if (!(seg->flags & TCP_ACK))
        return false;
    if (t->state == TCP_SYN_RECEIVED) {
        if (seq_leq(seg->ack, t->snd_una) || seq_gt(seg->ack, t->snd_nxt)) {
            reply_reset(t, seg);
            t->stats.dropped_ack++;
            return false;
        }
        t->snd_una = t->iss + 1;
        take_syn_data(t, seg->ack, a->r);
        a->prior_una = t->snd_una;
        /* Only the SYN's window is not scaled. */
        unsigned shift = seg->flags & TCP_SYN ? 0 : t->snd_wscale;
        t->snd_wnd = t->snd_wnd_max = (uint32_t)seg->window << shift;
        t->snd_wl1 = seg->seq;
        t->snd_wl2 = seg->ack;
        tcp_established(t, a->r);
    }
    /* RFC 5961 5.2 */
    uint32_t reach = max_u32(t->snd_wnd_max, 0xffff);
    if (seq_gt(seg->ack, t->snd_nxt) || seq_lt(seg->ack, t->snd_una - reach)) {
        t->stats.dropped_ack++;
        challenge(t);
        return false;
    }
    a->r->flags |= TCP_R_ACCEPTABLE;
    t->receiver.heard_us = t->now_us;
    if (seq_geq(seg->ack, t->snd_una))
        answered(t);
    take_timestamp(t, seg);
    tcp_ecn_received(t, seg);
    process_ack(t, a);
    return t->state != TCP_CLOSED;
}

/* RFC 9293 3.10.7.4, "Send Window"; never from a segment older than the last. */
static bool step_window(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    bool newer =
        seq_lt(t->snd_wl1, seg->seq) || (t->snd_wl1 == seg->seq && seq_leq(t->snd_wl2, seg->ack));
    if (!newer || seq_lt(seg->ack, t->snd_una) || (seg->flags & TCP_SYN))
        return true;
    uint32_t window = (uint32_t)seg->window << t->snd_wscale;
    if (seq_gt(seg->ack + window, a->prior_una + t->snd_wnd))
        a->r->flags |= TCP_R_WINDOW;
    t->snd_wnd = window;
    t->snd_wnd_max = max_u32(t->snd_wnd_max, window);
    t->snd_wl1 = seg->seq;
    t->snd_wl2 = seg->ack;
    return true;
}

/* The peer repeats what we have: it did not get our ACK, or it asks. */
static bool step_old(struct tcp *t, struct arrival *a)
{
    if (!a->old)
        return true;
    if (a->seg->payload_len > 0)
        tcp_receive_text(t, a->seg, a->r);
    else if (a->seg->flags & TCP_FIN)
        tcp_ack_now(t);
    else
        ack_stray(t);
    return false;
}

static bool step_text(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    if (seg->payload_len == 0)
        return true;
    if (tcp_can_receive(t) || seq_leq(seg->seq + seg->payload_len, t->rcv_nxt))
        tcp_receive_text(t, seg, a->r);
    else /* after the peer's FIN */
        tcp_ack_now(t);
    return true;
}

static bool step_fin(struct tcp *t, struct arrival *a)
{
    if (tcp_can_receive(t)) {
        tcp_receive_fin(t, a->seg, a->r);
    } else if (a->seg->flags & TCP_FIN) {
        tcp_ack_now(t);
        /* The peer's FIN again, and nothing else, begins it anew (RFC 9293 3.10.7.4). */
        if (t->state == TCP_TIME_WAIT && a->seg->seq + segment_seq_len(a->seg) == t->rcv_nxt)
            tcp_linger_arm(t, t->config->time_wait_us);
    }
    return true;
}

/* ---- SYN_SENT (RFC 9293 3.10.7.3) ------------------------------------------------ */

static bool step_syn_sent(struct tcp *t, struct arrival *a)
{
    const struct segment *seg = a->seg;
    bool ack = seg->flags & TCP_ACK;
    if (ack && (seq_leq(seg->ack, t->iss) || seq_gt(seg->ack, t->snd_nxt))) {
        reply_reset(t, seg);
        t->stats.dropped_ack++;
        return false;
    }
    if (seg->flags & TCP_RST) {
        if (ack) {
            a->r->flags |= TCP_R_ACCEPTABLE;
            tcp_enter_closed(t, TCP_REFUSED, a->r);
        }
        return false;
    }
    if (!(seg->flags & TCP_SYN))
        return false;
    tcp_take_syn(t, seg);
    a->r->flags |= TCP_R_ACCEPTABLE;
    if (!ack) {
        t->state = TCP_SYN_RECEIVED; /* simultaneous open */
        t->wants.syn = true;
        return false;
    }
    t->snd_una = seg->ack;
    take_syn_data(t, seg->ack, a->r);
    tcp_established(t, a->r);
    tcp_ack_now(t);
    return true;
}

typedef bool step(struct tcp *t, struct arrival *a);

void tcp_input(struct tcp *t, const struct segment *seg, uint64_t now_us, struct tcp_result *r)
{
    static step *const opening[] = {step_syn_sent, step_text, step_fin};
    static step *const steps[] = {step_timestamp, step_sequence, step_reset, step_syn, step_ack,
                                  step_old,       step_window,   step_text,  step_fin};
    tcp_enter(t, now_us, r);
    assert(!t->receiver.ready_set);
    t->stats.segs_in += tcp_parts(seg);
    if (t->state == TCP_CLOSED || t->wants.abort)
        return;
    tcp_mtu_raise(t, r);
    struct arrival a = {.seg = seg, .r = r, .prior_una = t->snd_una};
    bool connecting = t->state == TCP_SYN_SENT;
    step *const *list = connecting ? opening : steps;
    size_t count = connecting ? sizeof opening / sizeof *opening : sizeof steps / sizeof *steps;
    for (size_t i = 0; i < count && list[i](t, &a); i++)
        ;
    tcp_settle(t);
}
