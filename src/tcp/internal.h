/* SPDX-License-Identifier: MIT
 *
 * What the files of tcp/ call of each other. One section a file; nothing here
 * is used outside tcp/.
 */
#ifndef TCP_INTERNAL_H
#define TCP_INTERNAL_H

#include <assert.h>
#include <string.h>

#include "tcp/tcp.h"

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}
static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}
static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#define TCP_NEVER UINT64_MAX

/* state.c */
enum tcp_event { TCP_E_FIN_SENT, TCP_E_FIN_ACKED, TCP_E_FIN_RECEIVED, TCP_E_COUNT };
enum tcp_state tcp_next_state(enum tcp_state state, enum tcp_event event);
void tcp_step_state(struct tcp *t, enum tcp_event event, struct tcp_result *r);
void tcp_enter_closed(struct tcp *t, enum tcp_error error, struct tcp_result *r);
/* Every entry point begins and ends with these. */
void tcp_enter(struct tcp *t, uint64_t now_us, struct tcp_result *r);
void tcp_settle(struct tcp *t);
static inline bool tcp_synchronized(const struct tcp *t)
{
    return t->state >= TCP_ESTABLISHED;
}
/* Data, FIN or SYN sent and not acknowledged. */
static inline bool tcp_outstanding(const struct tcp *t)
{
    return t->snd_una != t->snd_nxt;
}
/* A FIN that rides on, or follows, the last bound byte. */
static inline bool tcp_fin_due(const struct tcp *t)
{
    return t->wants.fin && (!t->wants.fin_sent || t->wants.fin_lost);
}

/* open.c */
void tcp_take_syn(struct tcp *t, const struct segment *syn);
void tcp_established(struct tcp *t, struct tcp_result *r);

/* rtt.c */
void tcp_rtt_init(struct tcp *t);
void tcp_rtt_sample(struct tcp *t, uint32_t rtt_us);
/* An ACK came this long after the last transmission of what it covers, and
 * nobody knows which of several it answers. */
void tcp_rtt_hint(struct tcp *t, uint64_t us);
uint64_t tcp_rto_doubled(const struct tcp *t);
uint64_t tcp_rto_backed_off(const struct tcp *t);
void tcp_rtt_receiver(struct tcp *t, const struct segment *seg);
uint32_t tcp_ts_now(const struct tcp *t, uint64_t now_us);

/* What one ACK did, gathered on its way through the scoreboard. */
struct tcp_ack_work {
    uint32_t ack; /* the segment's */
    uint32_t prior_una;
    uint64_t prior_in_flight;
    uint64_t delivered;        /* bytes newly acknowledged or sacked */
    uint32_t acked;            /* bytes snd_una moved by, payload only */
    uint64_t newest_us;        /* latest sent_us among never retransmitted ones */
    uint64_t newest_delivered; /* recovery.delivered_bytes when that one was sent, */
    uint32_t newest_since_us;  /* and how long it had been that */
    bool has_newest;
    uint64_t resent_us; /* latest sent_us among those sent more than once; 0: none */
    uint32_t rtt_us;    /* sample; 0: none */
    bool dsack;         /* reported a duplicate */
    bool duplicate;     /* a duplicate ACK (RFC 5681 2), no SACK negotiated */
    bool fin_acked;
    bool tlp_dsack;      /* the DSACK was for the loss probe */
    uint64_t newly_lost; /* bytes marked lost while it was handled */
    bool has_tsecr;
    bool ecn_echo; /* ECE: the network marked a packet of ours */
    uint32_t tsecr;
};

/* rate.c */
/* An ACK gave a round-trip time, of the newest that it delivered. */
void tcp_rate_sample(struct tcp *t, const struct tcp_ack_work *w);

/* scoreboard.c */
struct tcp_record *tcp_record_new(struct tcp *t);
void tcp_record_free(struct tcp *t, struct tcp_record *rec);
struct tcp_record *tcp_record_next(const struct tcp *t, const struct tcp_record *rec);
/* Keep the first `len` bytes in rec; returns the rest, or NULL without memory. */
struct tcp_record *tcp_record_cut(struct tcp *t, struct tcp_record *rec, uint32_t len);
void tcp_record_sent(struct tcp *t, struct tcp_record *rec, uint64_t now_us);
void tcp_record_lost(struct tcp *t, struct tcp_record *rec);
void tcp_record_found(struct tcp *t, struct tcp_record *rec);
/* The last record that was ever sent and is not sacked, or NULL. */
struct tcp_record *tcp_last_sent(const struct tcp *t);
static inline struct tcp_record *tcp_first_lost(const struct tcp *t)
{
    return list_empty(&t->recovery.lost)
               ? NULL
               : list_first(&t->recovery.lost, struct tcp_record, sent_link);
}
void tcp_scoreboard_ack(struct tcp *t, uint32_t ack, struct tcp_ack_work *w);
void tcp_scoreboard_sack(struct tcp *t, const struct segment *seg, struct tcp_ack_work *w);
void tcp_scoreboard_forget(struct tcp *t);
void tcp_scoreboard_free(struct tcp *t);

/* rack.c */
void tcp_rack_delivered(struct tcp *t, const struct tcp_record *rec, uint32_t end_seq,
                        struct tcp_ack_work *w);
void tcp_rack_detect(struct tcp *t, struct tcp_ack_work *w);
void tcp_rack_dsack_round(struct tcp *t, const struct tcp_ack_work *w);
void tcp_rack_recovered(struct tcp *t);
uint64_t tcp_rack_window_us(const struct tcp *t);
void tcp_tlp_arm(struct tcp *t);
void tcp_tlp_fire(struct tcp *t, struct tcp_result *r);
void tcp_tlp_acked(struct tcp *t, const struct tcp_ack_work *w, struct tcp_result *r);

/* recovery.c */
uint64_t tcp_in_flight(const struct tcp *t);
void tcp_recovery_ack(struct tcp *t, struct tcp_ack_work *w, struct tcp_result *r);
void tcp_recovery_reduce(struct tcp *t, struct tcp_result *r);
void tcp_recovery_timeout(struct tcp *t);
/* Records were marked lost by time, not by an ACK. */
void tcp_recovery_expired(struct tcp *t, struct tcp_ack_work *w, struct tcp_result *r);
void tcp_recovery_sent(struct tcp *t, uint32_t bytes, bool again);
/* Records were too large for the path: send again without a reduction. */
void tcp_recovery_resend(struct tcp *t);
void tcp_recovery_dsack(struct tcp *t, uint32_t left, uint32_t right);

/* control.c */
uint32_t tcp_mss(const struct tcp *t);
void tcp_control_init(struct tcp *t, const struct plait_cc *cc);
void tcp_control_start(struct tcp *t);
void tcp_control_done(struct tcp *t);
void tcp_control_acked(struct tcp *t, const struct tcp_ack_work *w);
void tcp_control_signal(struct tcp *t, enum plait_cc_signal what);
void tcp_control_view(struct tcp *t);
void tcp_control_rate(struct tcp *t);
void tcp_control_sent(struct tcp *t, uint32_t bytes);
uint64_t tcp_congestion_room(const struct tcp *t);
/* The window was full while what an ACK from there on tells about was in flight. */
bool tcp_window_was_full(const struct tcp *t, uint32_t prior_una);
bool tcp_is_idle(const struct tcp *t, uint64_t now_us);

/* receiver.c */
void tcp_receive_text(struct tcp *t, const struct segment *seg, struct tcp_result *r);
void tcp_receive_fin(struct tcp *t, const struct segment *seg, struct tcp_result *r);
void tcp_ack_now(struct tcp *t);
void tcp_ack_later(struct tcp *t);
/* How many SACK blocks there are to tell, and the bytes they need. */
unsigned tcp_sack_count(const struct tcp *t, unsigned room);
void tcp_sack_write(const struct tcp *t, unsigned count, struct tcp_options *o);
void tcp_receiver_acked(struct tcp *t, const struct tcp_plan *p);
/* Wire segments that seg stands for. */
uint32_t tcp_parts(const struct segment *seg);
void tcp_receiver_free(struct tcp *t);

/* plan.c */
/* Bytes from snd_nxt that the peer's window has room for. */
uint32_t tcp_window_room(const struct tcp *t);
/* The peer's window is all that keeps what is bound from being sent. */
bool tcp_window_blocked(const struct tcp *t);
bool tcp_something_waits(const struct tcp *t);

/* timers.c */
void tcp_rto_arm(struct tcp *t);
void tcp_persist_update(struct tcp *t);
void tcp_keepalive_arm(struct tcp *t);
void tcp_linger_arm(struct tcp *t, uint32_t us);
void tcp_timers_stop(struct tcp *t);
static inline void tcp_timer_off(struct tcp *t, enum tcp_timer which)
{
    t->timer_us[which] = TCP_NEVER;
}

/* ecn.c */
bool tcp_ecn_asks(const struct tcp *t);
void tcp_ecn_take_syn(struct tcp *t, const struct segment *syn);
/* An acceptable segment came. */
void tcp_ecn_received(struct tcp *t, const struct segment *seg);
bool tcp_ecn_echoed(const struct tcp *t, const struct segment *seg);
void tcp_ecn_reduced(struct tcp *t);
uint8_t tcp_ecn_ack_flags(const struct tcp *t);
/* The next new data says CWR: one segment, for the bit is that segment's. */
bool tcp_ecn_tells(const struct tcp *t);
void tcp_ecn_put_data(const struct tcp *t, struct segment *seg);
void tcp_ecn_sent(struct tcp *t, const struct segment *seg);

/* mtu.c */
void tcp_mtu_init(struct tcp *t, uint16_t mtu);
void tcp_mtu_raise(struct tcp *t, struct tcp_result *r);
uint16_t tcp_mss_offer(const struct tcp *t);

#endif
