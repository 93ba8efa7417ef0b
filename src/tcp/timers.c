/* SPDX-License-Identifier: MIT
 *
 * The timers of a subflow, and what each does when it is due. Sending is
 * never done here: a timer changes what tcp_plan finds.
 *
 *   RTO        something sent is unacknowledged (RFC 6298 5), SYN too
 *   LOSS       RACK's reordering window, or a tail loss probe (RFC 8985)
 *   PERSIST    only the peer's window keeps us from sending (RFC 9293 3.8.6.1)
 *   DELACK     an ACK is owed (RFC 9293 3.8.6.3)
 *   KEEPALIVE  nothing heard for long, if wanted (RFC 9293 3.8.4)
 *   LINGER     TIME_WAIT, or FIN_WAIT_2 that nobody waits for
 *   PACE       something is bound and waits for the pacing gate
 */
#include "tcp/internal.h"

static void arm(struct tcp *t, enum tcp_timer which, uint64_t in_us)
{
    t->timer_us[which] = t->now_us + in_us;
}

void tcp_timers_stop(struct tcp *t)
{
    for (int i = 0; i < TCP_T_COUNT; i++)
        t->timer_us[i] = TCP_NEVER;
    t->rack.timer = TCP_LT_NONE;
    if (t->wants.ack_delayed) /* no timer is left to remember it */
        tcp_ack_now(t);
    t->wants.ack_delayed = false;
}

void tcp_rto_arm(struct tcp *t)
{
    arm(t, TCP_T_RTO, tcp_rto_backed_off(t));
}

void tcp_linger_arm(struct tcp *t, uint32_t us)
{
    arm(t, TCP_T_LINGER, us);
}

void tcp_keepalive_arm(struct tcp *t)
{
    if (t->config->keepalive_idle_us && tcp_synchronized(t))
        arm(t, TCP_T_KEEPALIVE, t->config->keepalive_idle_us);
}

static void persist_arm(struct tcp *t)
{
    uint64_t wait = (uint64_t)t->rtt.rto_us << min_u32(t->wants.persist_backoff, 20);
    arm(t, TCP_T_PERSIST, min_u64(wait, t->config->rto_max_us));
}

/* Keep the persist timer running exactly while it has a reason to. */
void tcp_persist_update(struct tcp *t)
{
    bool wanted = tcp_synchronized(t) && !t->wants.abort && !tcp_outstanding(t) &&
                  t->state != TCP_TIME_WAIT && (t->wants.blocked || tcp_window_blocked(t));
    if (!wanted) {
        tcp_timer_off(t, TCP_T_PERSIST);
        t->wants.persist_backoff = 0;
        t->wants.override = false;
    } else if (t->timer_us[TCP_T_PERSIST] == TCP_NEVER) {
        persist_arm(t);
    }
}

/* ---- what is due ------------------------------------------------------------------- */

static void syn_timeout(struct tcp *t, struct tcp_result *r)
{
    r->flags |= TCP_R_TIMEOUT;
    bool passive = t->state == TCP_SYN_RECEIVED;
    if (t->wants.syn_count > (passive ? t->config->synack_retries : t->config->syn_retries)) {
        tcp_enter_closed(t, TCP_TIMED_OUT, r);
        return;
    }
    t->rtt.backoff++;
    t->wants.syn = true;
}

static void rto_due(struct tcp *t, struct tcp_result *r)
{
    if (!tcp_synchronized(t)) {
        syn_timeout(t, r);
        return;
    }
    if (!tcp_outstanding(t))
        return;
    r->flags |= TCP_R_TIMEOUT;
    t->stats.timeouts++;
    if (t->now_us - t->rtt.doubled_us >= tcp_rto_doubled(t)) { /* under a ceiling not every time */
        if (++t->recovery.timeouts > t->config->data_retries) {
            tcp_enter_closed(t, TCP_TIMED_OUT, r);
            return;
        }
        t->rtt.doubled_us = t->now_us;
        if (t->rtt.backoff < UINT8_MAX)
            t->rtt.backoff++;
    }
    tcp_recovery_timeout(t);
    t->wants.fin_lost = t->wants.fin_sent && !t->wants.fin_acked;
    tcp_rto_arm(t);
}

static void loss_due(struct tcp *t, struct tcp_result *r)
{
    struct tcp_ack_work w = {.prior_una = t->snd_una, .prior_in_flight = tcp_in_flight(t)};
    if (t->rack.timer == TCP_LT_PROBE)
        tcp_tlp_fire(t, r);
    else if (t->rack.timer == TCP_LT_REORDER)
        tcp_recovery_expired(t, &w, r);
}

/* A shut window is probed for as long as the peer answers; a silly one is
 * used in the end (RFC 9293 3.8.6.2.1 (4)). */
static void persist_due(struct tcp *t, struct tcp_result *r)
{
    t->wants.override = tcp_window_room(t) > 0;
    if (!t->wants.override || !t->recovery.unsent) {
        if (t->wants.persist_count++ >= t->config->data_retries) {
            tcp_enter_closed(t, TCP_TIMED_OUT, r);
            return;
        }
        t->wants.probe = true;
    }
    if (t->wants.persist_backoff < UINT8_MAX)
        t->wants.persist_backoff++;
    persist_arm(t);
}

static void delack_due(struct tcp *t, struct tcp_result *r)
{
    (void)r;
    if (t->wants.ack_delayed)
        tcp_ack_now(t);
    t->wants.ack_delayed = false;
}

static void keepalive_due(struct tcp *t, struct tcp_result *r)
{
    if (tcp_outstanding(t)) { /* the retransmission timer finds out sooner */
        tcp_keepalive_arm(t);
        return;
    }
    if (t->wants.keepalive_count++ >= t->config->keepalive_probes) {
        tcp_enter_closed(t, TCP_TIMED_OUT, r);
        return;
    }
    t->wants.probe = true;
    arm(t, TCP_T_KEEPALIVE, t->config->keepalive_interval_us);
}

static void linger_due(struct tcp *t, struct tcp_result *r)
{
    if (t->state == TCP_TIME_WAIT || t->state == TCP_FIN_WAIT_2)
        tcp_enter_closed(t, TCP_NO_ERROR, r);
}

static void pace_due(struct tcp *t, struct tcp_result *r)
{
    (void)t; /* tcp_plan sees the gate itself */
    (void)r;
}

void tcp_tick(struct tcp *t, uint64_t now_us, struct tcp_result *r)
{
    /* LOSS before RTO: a probe that is due with it goes first (RFC 8985 7.2). */
    static const struct {
        enum tcp_timer which;
        void (*due)(struct tcp *t, struct tcp_result *r);
    } timers[] = {
        {TCP_T_LOSS, loss_due},           {TCP_T_RTO, rto_due},
        {TCP_T_PERSIST, persist_due},     {TCP_T_DELACK, delack_due},
        {TCP_T_KEEPALIVE, keepalive_due}, {TCP_T_LINGER, linger_due},
        {TCP_T_PACE, pace_due},
    };
    tcp_enter(t, now_us, r);
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        if (t->timer_us[timers[i].which] > now_us)
            continue;
        tcp_timer_off(t, timers[i].which);
        timers[i].due(t, r);
    }
    tcp_settle(t);
}

uint64_t tcp_deadline(const struct tcp *t)
{
    uint64_t first = TCP_NEVER;
    for (int i = 0; i < TCP_T_COUNT; i++)
        first = min_u64(first, t->timer_us[i]);
    return first;
}
