/* SPDX-License-Identifier: MIT
 *
 * The beginning and the end of a struct tcp: making it, opening it actively
 * or with a SYN, what the SYN options agree on (RFC 9293 3.7.1, RFC 7323 1.3,
 * RFC 2018 2), closing, aborting, freeing.
 */
#include "tcp/internal.h"

/* DEVIATION: RFC 9293 3.4.1 keeps TIME_WAIT for twice a segment's lifetime of
 * two minutes; deployed stacks keep it for one minute, and so does this one.
 * Timestamps tell old segments apart (RFC 6191). */
/* DEVIATION: RFC 9293 3.8.3 tries a SYN for three minutes at least; seven in
 * two minutes are what other stacks send, and what users expect. */
const struct tcp_config tcp_config_default = {
    .rto_initial_us = 1000 * 1000,
    .rto_min_us = 200 * 1000,
    .rto_max_us = 120 * 1000 * 1000,
    .delack_us = 40 * 1000,
    .time_wait_us = 60 * 1000 * 1000,
    .fin_wait_2_us = 60 * 1000 * 1000,
    .keepalive_idle_us = 0,
    .keepalive_interval_us = 75 * 1000 * 1000,
    .keepalive_probes = 9,
    .syn_retries = 6,
    .synack_retries = 5,
    .data_retries = 15,
    .initial_window = 10,
    .reordering = 3,
    .rcv_wscale = 10,
    .nagle = true,
    .timestamps = true,
    .sack = true,
    .pacing = true,
    .mss_max = 0,
    .burst_max_bytes = PLAIT_PAYLOAD_MAX,
    .ooo_pieces_max = 8192,
};

enum { CHALLENGES_A_SECOND = 100, QUICK_ACK_SEGMENTS = 16, WSCALE_MAX = 14 };

void tcp_env_init(struct tcp_env *env, struct mem *mem)
{
    *env = (struct tcp_env){.mem = mem, .challenge_max = CHALLENGES_A_SECOND};
    pool_init(&env->records, mem, sizeof(struct tcp_record));
    pool_init(&env->pieces, mem, sizeof(struct tcp_piece));
}

void tcp_env_free(struct tcp_env *env)
{
    pool_free(&env->records);
    pool_free(&env->pieces);
}

void tcp_init(struct tcp *t, struct tcp_env *env, const struct tcp_config *config,
              const struct plait_cc *cc, const struct plait_endpoint *local,
              const struct plait_endpoint *remote, uint16_t mtu, uint64_t now_us)
{
    assert(config->rcv_wscale <= WSCALE_MAX && config->rto_initial_us > 0);
    assert(config->rto_min_us > 0 && config->rto_max_us >= config->rto_min_us);
    *t = (struct tcp){
        .env = env, .config = config, .local = *local, .remote = *remote, .now_us = now_us};
    list_init(&t->records);
    list_init(&t->sent_order);
    list_init(&t->recovery.lost);
    list_init(&t->receiver.pieces);
    t->receiver.quick = QUICK_ACK_SEGMENTS;
    t->receiver.heard_us = now_us;
    t->rack.reo_mult = 1;
    tcp_timers_stop(t);
    tcp_rtt_init(t);
    tcp_mtu_init(t, mtu);
    tcp_control_init(t, cc);
    tcp_settle(t);
}

void tcp_free(struct tcp *t)
{
    tcp_scoreboard_free(t);
    tcp_receiver_free(t);
    tcp_control_done(t);
    tcp_set_group(t, NULL, NULL);
    t->state = TCP_CLOSED;
    tcp_timers_stop(t);
}

static void open_common(struct tcp *t, uint32_t iss, enum tcp_state state)
{
    assert(t->state == TCP_CLOSED && t->error == TCP_NO_ERROR && !t->wants.syn_sent);
    t->iss = t->snd_una = t->snd_nxt = iss;
    t->snd_end = iss + 1;
    t->recovery.end = t->rack.fack = t->rack.end_seq = iss;
    t->control.limited_seq = t->control.flight_end = iss;
    /* One clock for all connections would tell how long the host is up
     * (RFC 7323 7.1); the secret in the ISN hides it, and as the ISN of a
     * 4-tuple grows with time (RFC 6528), so do its timestamps. */
    t->rtt.ts_offset = iss;
    t->state = state;
    t->wants.syn = true;
}

void tcp_connect(struct tcp *t, uint32_t iss, uint64_t now_us)
{
    tcp_enter(t, now_us, NULL);
    open_common(t, iss, TCP_SYN_SENT);
    t->timestamps = t->config->timestamps;
    t->sack = t->config->sack;
    t->rcv_wscale = t->config->rcv_wscale;
    tcp_settle(t);
}

void tcp_accept(struct tcp *t, const struct segment *syn, uint32_t iss, uint64_t now_us)
{
    assert(syn->flags & TCP_SYN);
    tcp_enter(t, now_us, NULL);
    open_common(t, iss, TCP_SYN_RECEIVED);
    t->timestamps = t->config->timestamps;
    t->sack = t->config->sack;
    tcp_take_syn(t, syn);
    t->stats.segs_in++;
    tcp_settle(t);
}

bool tcp_time_wait_over(const struct tcp *t, const struct segment *syn)
{
    bool beyond = seq_gt(syn->seq, t->rcv_nxt), stamped = syn->tcp.present & OPT_TIMESTAMP;
    if (t->state != TCP_TIME_WAIT || (syn->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    if (!stamped || !t->config->timestamps)
        return beyond;
    if (!t->timestamps)
        return true;
    uint32_t last = t->receiver.ts_recent;
    return seq_gt(syn->tcp.tsval, last) || (syn->tcp.tsval == last && beyond);
}

void tcp_accept_early(struct tcp *t, const struct segment *syn, uint64_t now_us,
                      struct tcp_result *r)
{
    assert(t->state == TCP_SYN_RECEIVED && !t->wants.syn_sent);
    tcp_enter(t, now_us, r);
    t->early = true;
    tcp_control_start(t);
    if (syn->payload_len) {
        t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + syn->payload_len);
        tcp_receive_text(t, syn, r);
    }
    t->syn_in = t->rcv_nxt - t->irs - 1; /* 0 where memory was refused */
    tcp_settle(t);
}

void tcp_synack_left(struct tcp *t, uint16_t window, uint64_t now_us)
{
    assert(t->state == TCP_SYN_RECEIVED && !t->wants.syn_sent);
    tcp_enter(t, now_us, NULL);
    t->wants.syn = false;
    t->wants.syn_sent = true; /* but not counted: nobody knows when, so it is no sample */
    t->snd_nxt = t->iss + 1;
    t->receiver.syn_window = window;
    t->rcv_adv = t->rcv_nxt + window;
    tcp_rto_arm(t);
    tcp_settle(t);
}

/* Take over what the peer's SYN or SYN/ACK says; everything both ends must
 * agree on is what both have said. */
void tcp_take_syn(struct tcp *t, const struct segment *syn)
{
    const struct tcp_options *o = &syn->tcp;
    t->irs = syn->seq;
    t->rcv_nxt = syn->seq + 1;
    t->rcv_adv = t->rcv_nxt + t->receiver.syn_window;
    t->receiver.last_ack_sent = t->rcv_nxt;
    t->receiver.heard_us = t->now_us;

    t->timestamps = t->timestamps && (o->present & OPT_TIMESTAMP);
    if (t->timestamps) {
        t->receiver.ts_recent_set = true;
        t->receiver.ts_recent = o->tsval;
        t->receiver.ts_recent_us = t->now_us;
    }
    t->sack = t->sack && (o->present & OPT_SACK_OK);
    tcp_ecn_take_syn(t, syn);
    t->wscale = o->present & OPT_WSCALE;
    if (t->wscale) {
        t->snd_wscale = (uint8_t)min_u32(o->wscale, WSCALE_MAX); /* RFC 7323 2.3 */
        t->rcv_wscale = t->config->rcv_wscale;
    } else {
        t->snd_wscale = t->rcv_wscale = 0;
    }
    /* RFC 9293 3.7.1: without the option, the least every host can take. A
     * nonsensical one would have us send a byte a segment. */
    if (o->present & OPT_MSS)
        t->control.peer_mss = (uint16_t)max_u32(o->mss, 64);

    t->snd_wnd = t->snd_wnd_max = syn->window; /* never scaled on a SYN */
    t->snd_wl1 = syn->seq;
    t->snd_wl2 = syn->flags & TCP_ACK ? syn->ack : t->iss;
}

/* Our SYN was acknowledged and the peer's is known. */
void tcp_established(struct tcp *t, struct tcp_result *r)
{
    t->state = TCP_ESTABLISHED;
    t->wants.syn = false;
    tcp_timer_off(t, TCP_T_RTO);
    if (t->wants.syn_count == 1)
        tcp_rtt_sample(t, (uint32_t)min_u64(t->now_us - t->wants.syn_us, UINT32_MAX));
    t->rtt.backoff = 0;
    t->recovery.timeouts = 0;
    if (t->wants.syn_count > 1) /* RFC 6298 5.7: no sample, since the SYN was repeated */
        t->rtt.rto_us = max_u32(t->rtt.rto_us, min_u32(3 * 1000 * 1000, t->config->rto_max_us));
    if (tcp_outstanding(t)) /* data went out before */
        tcp_rto_arm(t);
    if (!t->early)
        tcp_control_start(t);
    tcp_keepalive_arm(t);
    r->flags |= TCP_R_ESTABLISHED;
}

void tcp_close(struct tcp *t, uint64_t now_us)
{
    tcp_enter(t, now_us, NULL);
    if (t->state == TCP_CLOSED || t->wants.fin)
        return;
    if (t->state == TCP_SYN_SENT && list_empty(&t->records))
        tcp_enter_closed(t, TCP_NO_ERROR, NULL); /* RFC 9293 3.10.4 */
    else
        t->wants.fin = true;
    tcp_settle(t);
}

void tcp_abort(struct tcp *t)
{
    if (t->state == TCP_CLOSED)
        return;
    if (t->state == TCP_SYN_SENT || t->state == TCP_TIME_WAIT) {
        tcp_enter_closed(t, TCP_ABORTED, NULL);
        return;
    }
    tcp_timers_stop(t);
    t->wants.abort = true;
}

void tcp_orphan(struct tcp *t, uint64_t now_us)
{
    tcp_enter(t, now_us, NULL);
    t->wants.orphan = true;
    if (t->state == TCP_FIN_WAIT_2 && t->config->fin_wait_2_us)
        tcp_linger_arm(t, t->config->fin_wait_2_us);
}

void tcp_want_ack(struct tcp *t)
{
    if (tcp_synchronized(t))
        tcp_ack_now(t);
}

void tcp_want_probe(struct tcp *t)
{
    t->wants.probe = tcp_synchronized(t);
}

void tcp_want_window(struct tcp *t, bool blocked, uint64_t now_us)
{
    tcp_enter(t, now_us, NULL);
    t->wants.blocked = blocked;
    tcp_settle(t);
}

void tcp_accept_window(struct tcp *t, uint32_t window_bytes)
{
    if (!tcp_synchronized(t))
        return;
    t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + window_bytes);
    t->receiver.window_max = max_u32(t->receiver.window_max, window_bytes);
}
