/* SPDX-License-Identifier: MIT
 *
 * The parts of struct tcp. Each is written by the one file named above it;
 * everybody may read. Included by tcp.h only.
 */
#ifndef TCP_PARTS_H
#define TCP_PARTS_H

#include "base/list.h"
#include "plait/plugin.h"
#include "wire/segment.h"

struct tcp_record;

/* rtt.c: smoothed round-trip time and retransmission timeout (RFC 6298). */
struct tcp_rtt {
    uint32_t srtt_us;      /* 0: no sample yet */
    uint32_t rttvar_us;    /* what the timeout is computed from */
    uint32_t mdev_us;      /* mean deviation, sample by sample */
    uint32_t mdev_max_us;  /* its largest value in this round */
    uint32_t round_end;    /* sequence number whose ACK ends the round */
    uint32_t rto_us;       /* before backoff */
    uint32_t latest_us;    /* last sample */
    uint32_t min_us;       /* over the last ten minutes at most; 0: no sample */
    uint32_t min_next_us;  /* over the present half of that window */
    uint64_t min_since_us; /* when that half began */
    uint32_t base_us;      /* the same over 20 seconds, or 80 of these: with what others let stand
                            * in the queue */
    uint32_t base_next_us;
    uint64_t base_since_us;
    uint8_t backoff;       /* doublings of the timeout (RFC 6298 5.5) */
    uint32_t ceiling_us;   /* the owner's, of the doubled timeout; 0: rto_max_us */
    uint64_t doubled_us;   /* when it last was */
    uint32_t ts_offset;    /* our TSval at time 0 */
    uint32_t rcv_rtt_us;   /* as seen by the receiver, for buffer sizing; 0: not known */
    uint32_t rcv_mark_seq; /* without timestamps: when this is received ... */
    uint64_t rcv_mark_us;  /* ... a window has passed since then */
    uint32_t rcv_tsecr;    /* last echo used */
};

/* ecn.c */
struct tcp_ecn {
    bool on;   /* both ends agreed */
    bool echo; /* a mark came, and the peer has not said CWR since */
    bool tell; /* our window was reduced: the next new data says CWR */
};

/* rate.c: what the path delivered in a round trip, at best. */
struct tcp_rate {
    uint64_t best;     /* bytes a second, of this window and the one before; 0: no sample */
    uint64_t next;     /* of this window alone */
    uint64_t since_us; /* when it began */
    bool full;         /* more would only have made a queue longer */
};

enum tcp_recovery_state {
    TCP_RS_OPEN,     /* nothing known to be lost */
    TCP_RS_RECOVERY, /* fast recovery: PRR holds the window */
    TCP_RS_LOSS      /* after a retransmission timeout: slow start */
};

/* scoreboard.c keeps the sums and the lost list, recovery.c the rest. */
struct tcp_recovery {
    enum tcp_recovery_state state;
    struct list lost;          /* struct tcp_record.sent_link, by sequence number */
    struct tcp_record *unsent; /* first record never sent, or NULL */
    struct tcp_record *hint;   /* where the last SACK block ended, or NULL */
    uint64_t in_flight_bytes;  /* sent, and neither sacked nor lost */
    uint64_t sacked_bytes, lost_bytes;
    uint64_t held_bytes;      /* delivered out of order, not yet growth of the window */
    uint64_t delivered_bytes; /* since the beginning; each byte once */
    uint64_t delivered_us;    /* when that last grew, or something was sent after nothing was */
    struct sack_block seen[SACK_BLOCKS_MAX]; /* of the last ACK that had any */
    uint8_t seen_count;
    uint32_t end;      /* snd_nxt when the episode began */
    uint64_t began_us; /* when that was */
    uint32_t dupacks;  /* without SACK: duplicate ACKs in a row, */
    uint32_t leap;     /* and by how much the ACK before them moved snd_una */
    uint32_t timeouts; /* RTOs without progress */

    /* PRR (RFC 6937) */
    uint64_t target_bytes; /* the window to end up with */
    uint64_t prr_delivered, prr_out, prr_flight;

    /* to undo an episode that was spurious */
    bool undo;           /* the figures below mean something */
    bool undo_stamped;   /* undo_tsval is set */
    uint32_t undo_una;   /* snd_una when it began */
    uint32_t undo_tsval; /* TSval of the episode's first retransmission */
    uint64_t undo_cwnd, undo_ssthresh;
    uint64_t undo_sent, undo_dsacked; /* bytes retransmitted, and found needless */
};

enum tcp_loss_timer { TCP_LT_NONE, TCP_LT_REORDER, TCP_LT_PROBE };

/* rack.c (RFC 8985; names as there). */
struct tcp_rack {
    uint64_t sent_us; /* of the delivered record that was sent last */
    uint32_t end_seq;
    uint32_t rtt_us;
    uint32_t fack; /* highest sequence number delivered */
    bool reordering_seen;
    bool dsack_round_set;
    uint32_t dsack_round;
    uint8_t reo_mult, reo_persist;
    enum tcp_loss_timer timer; /* what TCP_T_LOSS stands for */
    bool tlp_out, tlp_retransmission;
    uint32_t tlp_end_seq;
};

/* receiver.c: what arrived, and when to acknowledge it. */
struct tcp_receiver {
    struct list pieces; /* struct tcp_piece, by seq; below rcv_nxt: ready to take */
    uint32_t piece_count, piece_bytes;
    bool ready_set; /* the piece the last segment brought, in order */
    struct plait_chunk *ready_chunk;
    const uint8_t *ready_data;
    uint32_t ready_seq, ready_len;

    struct sack_block blocks[SACK_BLOCKS_MAX]; /* most recently changed first */
    uint8_t block_count;
    bool dsack_set;
    struct sack_block dsack; /* to report once (RFC 2883) */

    bool ts_recent_set;
    uint32_t ts_recent;
    uint64_t ts_recent_us;
    uint32_t last_ack_sent;
    uint32_t window_max; /* widest window announced; what is further below it is no repetition */

    bool fin_set; /* the peer's FIN was seen, in order or not */
    uint32_t fin_seq;
    uint32_t rcv_mss;       /* payload of the largest single segment seen */
    uint32_t unacked_bytes; /* received in order since our last ACK */
    uint8_t quick;          /* segments still acknowledged at once */
    uint32_t syn_window;    /* bytes our SYN offered */
    uint64_t heard_us;      /* last acceptable segment */
    uint64_t oow_ack_us;    /* last ACK for something out of the window */
};

/* control.c: the congestion control plug-in and pacing; mtu.c: path MTU. */
struct tcp_control {
    const struct plait_cc *cc;
    uint64_t cc_state[PLAIT_PLUGIN_STATE_MAX / sizeof(uint64_t)];
    struct plait_cc_view *own; /* NULL: alone */
    const struct plait_cc_group *group;
    struct plait_cc_view lone; /* stands in for both */
    uint64_t cwnd_bytes, ssthresh_bytes;
    /* Payload acknowledged since the last loss, between it and the one before,
     * and between that and the third last. */
    uint64_t since_loss, between_losses, between_before;
    uint64_t cc_pacing_rate; /* the plug-in's wish; 0: none */
    uint64_t pacing_rate;    /* bytes a second; 0: no pacing */
    uint64_t gate_us;        /* nothing paced leaves before */
    uint64_t last_send_us;   /* of data */
    uint32_t limited_seq;    /* snd_nxt when cwnd last was full */
    uint64_t flight_max;     /* largest flight in this window of data */
    uint32_t flight_end;
    uint16_t mtu, path_mtu; /* of the interface; of the path so far */
    uint16_t peer_mss;      /* its option, or the default */
    uint8_t option_len;     /* the owner's, on the last data sent */
    uint64_t mtu_raise_us;  /* when to try the interface's again */
};

/* What tcp_plan looks at. */
struct tcp_wants {
    bool syn; /* SYN or SYN/ACK is due */
    bool syn_sent;
    uint8_t syn_count; /* SYNs sent */
    uint64_t syn_us;   /* first SYN */
    uint32_t syn_data; /* payload it carried, bytes */
    bool fin, fin_sent, fin_acked, fin_lost;
    bool abort;  /* RST, then CLOSED */
    bool orphan; /* nobody above waits for the peer's FIN */
    bool reset;  /* one RST at reset_seq, without a change of state */
    uint32_t reset_seq;
    uint32_t acks;    /* pure ACKs owed at once */
    bool ack_delayed; /* an ACK is owed by TCP_T_DELACK */
    bool tlp;         /* a loss probe is due */
    bool probe;       /* a zero-window or keepalive probe is due */
    bool override;    /* send what fits in a silly window */
    bool blocked;     /* the owner has bytes that a window keeps from binding */
    uint8_t persist_count, keepalive_count; /* unanswered */
    uint8_t persist_backoff;                /* doublings while the window stays shut */
};

#endif
