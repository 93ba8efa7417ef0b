/* SPDX-License-Identifier: MIT
 *
 * Between the subflow and its congestion control plug-in: what the plug-in
 * gets to see, what is taken of its answer, whether the window was really
 * used (RFC 7661: one that was not must not grow), and the pacing rate.
 */
#include "tcp/internal.h"

#define SSTHRESH_NONE ((uint64_t)1 << 40)
#define CWND_MAX ((uint64_t)1 << 30)

enum { SECOND_US = 1000 * 1000, PACE_CREDIT_US = 1000, PERCENT_START = 200, PERCENT_AFTER = 120 };
enum { WINDOW_LEAST = 2 }; /* segments */

/* Payload of a full segment without the owner's options. */
uint32_t tcp_mss(const struct tcp *t)
{
    return tcp_segment_payload(t, 0);
}

static struct plait_cc_view *own_view(struct tcp *t)
{
    return t->control.own ? t->control.own : &t->control.lone;
}

void tcp_control_view(struct tcp *t)
{
    *own_view(t) = (struct plait_cc_view){
        .cwnd_bytes = t->control.cwnd_bytes,
        .ssthresh_bytes = t->control.ssthresh_bytes,
        .in_flight_bytes = tcp_in_flight(t),
        .steady_bytes =
            t->recovery.state == TCP_RS_RECOVERY ? t->recovery.target_bytes : t->control.cwnd_bytes,
        .pacing_rate = t->control.pacing_rate,
        .since_loss_bytes = t->control.since_loss,
        .between_losses_bytes = t->control.between_losses,
        .mss_bytes = tcp_mss(t),
        .srtt_us = t->rtt.srtt_us,
        .rtt_min_us = t->rtt.min_us,
        .usable = tcp_can_send(t),
        .in_recovery = t->recovery.state != TCP_RS_OPEN,
    };
}

static const struct plait_cc_group *group(struct tcp *t, struct plait_cc_group *alone)
{
    tcp_control_view(t);
    if (t->control.group && t->control.own)
        return t->control.group;
    *alone = (struct plait_cc_group){.views = &t->control.lone, .count = 1, .self = 0};
    if (t->control.own)
        alone->views = t->control.own;
    return alone;
}

/* Where our turns come late, what made the first round trips long may have been a
 * thousand handshakes at once: one that took less than half of what they take on
 * average says that this is over. */
static uint64_t pacing_rtt(const struct tcp *t)
{
    uint64_t srtt_us = t->rtt.srtt_us;
    bool busy = t->env->late_us >= PACE_CREDIT_US;
    return busy ? max_u64(min_u64(srtt_us, 2 * (uint64_t)t->rtt.latest_us), 1) : srtt_us;
}

/* RFC 9002 7.7's factors, which are also Linux's: twice the window a round
 * trip while it doubles, a little more than it when it grows slowly. */
void tcp_control_rate(struct tcp *t)
{
    struct tcp_control *c = &t->control;
    if (!t->config->pacing || t->rtt.srtt_us == 0) {
        c->pacing_rate = 0;
    } else if (c->cc_pacing_rate) {
        c->pacing_rate = c->cc_pacing_rate;
    } else {
        uint64_t window = max_u64(c->cwnd_bytes, t->recovery.in_flight_bytes);
        uint64_t percent = c->cwnd_bytes < c->ssthresh_bytes / 2 ? PERCENT_START : PERCENT_AFTER;
        c->pacing_rate = max_u64(window * percent / 100 * SECOND_US / pacing_rtt(t), 1000);
    }
}

static struct plait_cc_out present(const struct tcp *t)
{
    return (struct plait_cc_out){
        .cwnd_bytes = t->control.cwnd_bytes,
        .ssthresh_bytes = t->control.ssthresh_bytes,
    };
}

static void apply(struct tcp *t, const struct plait_cc_out *out)
{
    struct tcp_control *c = &t->control;
    c->cwnd_bytes = min_u64(max_u64(out->cwnd_bytes, tcp_mss(t)), CWND_MAX);
    c->ssthresh_bytes = min_u64(max_u64(out->ssthresh_bytes, tcp_mss(t)), SSTHRESH_NONE);
    c->cc_pacing_rate = out->pacing_rate;
    tcp_control_rate(t);
}

struct plait_plugin_trouble tcp_cc_trouble(const struct tcp *t)
{
    static const struct plait_plugin_trouble none = {0};
    const struct tcp_control *c = &t->control;
    return c->cc->trouble ? c->cc->trouble(c->cc_state) : none;
}

/* What the plug-in made of it, unless it failed. */
static void heed(struct tcp *t, const struct plait_cc_out *out)
{
    struct plait_cc_out as_before = present(t);
    apply(t, tcp_cc_trouble(t).what ? &as_before : out);
}

void tcp_control_done(struct tcp *t)
{
    if (t->control.cc && t->control.cc->done)
        t->control.cc->done(t->control.cc_state);
    t->control.cc = NULL;
}

static void initialize(struct tcp *t, const struct plait_cc *cc)
{
    tcp_control_done(t);
    t->control.cc = cc;
    struct plait_cc_group alone;
    struct plait_cc_out out = present(t);
    assert(cc->state_size <= sizeof t->control.cc_state);
    memset(t->control.cc_state, 0, sizeof t->control.cc_state);
    if (cc->begin)
        cc->begin(t->control.cc_state, cc->data);
    if (cc->init)
        cc->init(t->control.cc_state, group(t, &alone), &out);
    heed(t, &out);
}

static uint64_t initial_window(const struct tcp *t)
{
    uint64_t mss = tcp_mss(t), n = t->config->initial_window;
    if (t->wants.syn_count > 2) /* the path lost several SYNs (RFC 5681 3.1) */
        return mss;
    return min_u64(n * mss, max_u64(2 * mss, n * 1460)); /* RFC 6928 2 */
}

void tcp_control_init(struct tcp *t, const struct plait_cc *cc)
{
    t->control.cwnd_bytes = initial_window(t);
    t->control.ssthresh_bytes = SSTHRESH_NONE;
    initialize(t, cc);
}

/* The handshake told the MSS. */
void tcp_control_start(struct tcp *t)
{
    t->control.cwnd_bytes = initial_window(t);
    initialize(t, t->control.cc);
}

void tcp_set_cc(struct tcp *t, const struct plait_cc *cc)
{
    initialize(t, cc);
}

void tcp_set_group(struct tcp *t, struct plait_cc_view *own, const struct plait_cc_group *group)
{
    t->control.own = own;
    t->control.group = group;
    tcp_control_view(t);
}

/* How much got through between losses. A loss that was none joins the two
 * stretches that it divided. */
static void count_losses(struct tcp_control *c, enum plait_cc_signal what)
{
    if (what == PLAIT_CC_LOSS || what == PLAIT_CC_TIMEOUT) {
        c->between_before = c->between_losses;
        c->between_losses = c->since_loss;
        c->since_loss = 0;
    } else if (what == PLAIT_CC_SPURIOUS) {
        c->since_loss += c->between_losses;
        c->between_losses = c->between_before;
        c->between_before = 0;
    }
}

void tcp_control_signal(struct tcp *t, enum plait_cc_signal what)
{
    struct plait_cc_group alone;
    struct plait_cc_out out = present(t);
    count_losses(&t->control, what);
    const struct plait_cc_group *g = group(t, &alone);
    t->control.cc->signal(t->control.cc_state, g, what, t->now_us, &out);
    heed(t, &out);
}

/* In slow start half full counts: the window doubles, the flight follows. */
bool tcp_window_was_full(const struct tcp *t, uint32_t prior_una)
{
    const struct tcp_control *c = &t->control;
    if (seq_lt(prior_una, c->limited_seq))
        return true;
    return c->cwnd_bytes < c->ssthresh_bytes && c->cwnd_bytes < 2 * c->flight_max;
}

void tcp_control_acked(struct tcp *t, const struct tcp_ack_work *w)
{
    struct plait_cc_group alone;
    struct plait_cc_out out = present(t);
    struct plait_cc_ack ack = {
        .now_us = t->now_us,
        .acked_bytes = (uint32_t)min_u64(w->delivered, UINT32_MAX),
        .rtt_us = w->rtt_us,
        .in_flight_bytes = w->prior_in_flight,
        .cwnd_limited = tcp_window_was_full(t, w->prior_una),
        .ecn_echo = w->ecn_echo,
    };
    const struct plait_cc_group *g = group(t, &alone);
    /* Behind this it says no more, and half the sequence space on it would read
     * as lying ahead. */
    t->control.limited_seq = seq_max(t->control.limited_seq, t->snd_una);
    t->control.cc->acked(t->control.cc_state, g, &ack, &out);
    heed(t, &out);
}

void tcp_penalise(struct tcp *t)
{
    struct tcp_control *c = &t->control;
    bool slow_start = c->cwnd_bytes < c->ssthresh_bytes;
    if (t->recovery.state != TCP_RS_OPEN)
        return;
    c->cwnd_bytes = max_u64(c->cwnd_bytes / 2, WINDOW_LEAST * tcp_mss(t));
    if (!slow_start)
        c->ssthresh_bytes = c->cwnd_bytes;
    tcp_control_rate(t);
    tcp_control_view(t);
}

/* Bytes that the congestion window has room for. */
uint64_t tcp_congestion_room(const struct tcp *t)
{
    uint64_t flight = tcp_in_flight(t);
    return t->control.cwnd_bytes > flight ? t->control.cwnd_bytes - flight : 0;
}

/* RFC 5681 4.1: after a timeout's time without sending, nobody knows what the
 * path can take now. */
bool tcp_is_idle(const struct tcp *t, uint64_t now_us)
{
    return t->control.last_send_us != 0 && !tcp_outstanding(t) &&
           now_us - t->control.last_send_us > t->rtt.rto_us;
}

/* Payload leaves now. */
void tcp_control_sent(struct tcp *t, uint32_t bytes)
{
    struct tcp_control *c = &t->control;
    uint64_t flight = tcp_in_flight(t);
    c->last_send_us = t->now_us;
    if (flight + tcp_mss(t) > c->cwnd_bytes)
        c->limited_seq = t->snd_nxt;
    if (seq_geq(t->snd_una, c->flight_end)) {
        c->flight_end = t->snd_nxt;
        c->flight_max = flight;
    }
    c->flight_max = max_u64(c->flight_max, flight);
    if (c->pacing_rate) {
        /* Whoever wakes us is late by a timer tick, or by as much as all others
         * take: that much is made up. */
        uint64_t credit_us = max_u64(PACE_CREDIT_US, (uint64_t)2 * t->env->late_us);
        uint64_t since_us = t->now_us > credit_us ? t->now_us - credit_us : 0;
        c->gate_us = max_u64(c->gate_us, since_us) + (uint64_t)bytes * SECOND_US / c->pacing_rate;
    }
}

uint64_t tcp_pace_at(const struct tcp *t)
{
    return t->control.pacing_rate ? t->control.gate_us : 0;
}
