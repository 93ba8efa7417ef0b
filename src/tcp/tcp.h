/* SPDX-License-Identifier: MIT
 *
 * One TCP subflow without I/O: RFC 9293 states, SACK (2018, 2883, 6675),
 * RACK-TLP (8985), PRR (6937), RTO (6298), window scaling, timestamps and
 * PAWS (7323), challenge ACKs (5961), path MTU (1191, 8201, 5927).
 *
 * It does not know what a connection is. From above it gets, with every call
 * to tcp_plan, the option room that will be needed and the window to
 * advertise, and a few wants. What it tells comes back as a value
 * (struct tcp_result); it calls nobody back and never frees itself.
 *
 * Sending: the owner binds bytes with tcp_push, in the order in which they
 * take sequence numbers; tcp_plan picks exactly one thing to send; the owner
 * adds options and encodes; tcp_sent commits. Between plan and sent nothing
 * has changed, so a plan may be dropped.
 *
 * Time never runs backwards between calls (asserted). Not thread-safe.
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "base/chunk.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/seq.h"
#include "plait/plugin.h"
#include "tcp/parts.h"
#include "wire/segment.h"

/* RFC 9293 3.3.2; LISTEN is the stack's business. */
enum tcp_state {
    TCP_CLOSED,
    TCP_SYN_SENT,
    TCP_SYN_RECEIVED,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_TIME_WAIT,
    TCP_STATE_COUNT
};
const char *tcp_state_name(enum tcp_state s);

struct tcp_config {
    uint32_t rto_initial_us;        /* RFC 6298 2.1: 1 s */
    uint32_t rto_min_us;            /* 200 ms */
    uint32_t rto_max_us;            /* 120 s */
    uint32_t delack_us;             /* 40 ms */
    uint32_t time_wait_us;          /* 60 s */
    uint32_t fin_wait_2_us;         /* 60 s: orphan waits for the peer's FIN; 0: for ever */
    uint32_t keepalive_idle_us;     /* 0: off */
    uint32_t keepalive_interval_us; /* 75 s; idle time if that is less */
    uint8_t keepalive_probes;       /* 9 */
    uint8_t syn_retries;            /* 6 */
    uint8_t synack_retries;         /* 5: a half-open connection lasts a minute */
    uint8_t data_retries;           /* 15: RFC 1122 4.2.3.5 R2 */
    uint8_t initial_window;         /* segments; RFC 6928: 10 */
    uint8_t reordering;             /* duplicate ACK threshold: 3 */
    uint8_t rcv_wscale; /* offered shift, 0..14; one unit is the least window we can tell */
    bool nagle, timestamps, sack, pacing;
    bool ecn_asks, ecn_answers; /* RFC 3168: wanted; granted to a peer that wants it */
    uint16_t mss_max;           /* cap on what we send and offer; 0: none */
    uint32_t burst_max_bytes;   /* largest super-segment; 0: one segment a plan */
    uint32_t ooo_pieces_max;    /* out-of-order pieces held */
};
extern const struct tcp_config tcp_config_default;

/* What all subflows of a stack share. */
struct tcp_env {
    struct mem *mem;
    struct pool records;       /* struct tcp_record */
    struct pool pieces;        /* out-of-order pieces */
    uint64_t challenge_second; /* RFC 5961 7: ACKs this second, stack-wide */
    uint32_t challenge_count, challenge_max;
    uint32_t late_us; /* how late timers are served, on average: what a turn of the loop takes */
};
void tcp_env_init(struct tcp_env *env, struct mem *mem);
void tcp_env_free(struct tcp_env *env);

/* What the bytes of a record mean one layer up. tcp/ copies it to both parts
 * when a record is cut (a mapping may be repeated, RFC 8684 3.3.1) and never
 * looks inside. */
struct tcp_map {
    uint64_t dsn; /* of the mapping's first byte */
    uint32_t ssn; /* of the mapping's first byte, relative to the ISN */
    uint16_t len;
    uint16_t checksum;
    uint8_t kind; /* the owner's */
};

/* A run of bound bytes: one (super-)segment as it was sent. Records are kept
 * in sequence order from snd_una on, and cut where a SACK or a retransmission
 * needs it. Each holds a reference to the chunks its bytes lie in. */
struct tcp_record {
    struct list link;      /* tcp.records */
    struct list sent_link; /* in flight: tcp.sent_order; lost: tcp.recovery.lost */
    uint32_t seq, len;     /* bytes; FIN and SYN are not records */
    uint64_t sent_us;      /* last transmission; 0: not sent yet */
    uint64_t first_sent_us;
    uint64_t delivered_at_send; /* tcp.recovery.delivered_bytes when sent */
    uint32_t segment_len;       /* payload of one wire segment when last sent */
    uint8_t transmissions;      /* saturates */
    bool sacked, lost, push;
    struct plait_chunk *chunk[2]; /* bytes lie at offset in [0], the rest in [1] */
    uint32_t offset;
    uint32_t since_delivery_us; /* when it was sent, since recovery.delivered_us */
    struct tcp_map map;
};

/* A run of received bytes. The chunk reference is the holder's. */
struct tcp_piece {
    struct list link;
    struct plait_chunk *chunk;
    const uint8_t *data;
    uint32_t seq, len;
};

enum tcp_error {
    TCP_NO_ERROR,
    TCP_REFUSED,     /* RST answered our SYN */
    TCP_RESET,       /* by the peer */
    TCP_TIMED_OUT,   /* SYN, data or keepalive retries used up */
    TCP_UNREACHABLE, /* ICMP hard error while connecting */
    TCP_ABORTED,     /* by us */
    TCP_NO_MEMORY
};

enum tcp_result_flag {
    TCP_R_ACCEPTABLE = 1 << 0,  /* in window and authentic enough: look at its options */
    TCP_R_ESTABLISHED = 1 << 1, /* just became ESTABLISHED */
    TCP_R_READABLE = 1 << 2,    /* tcp_next_in_order has something */
    TCP_R_FIN = 1 << 3,         /* the peer's FIN is now in order */
    TCP_R_ACKED = 1 << 4,       /* snd_una moved: acked_bytes */
    TCP_R_WINDOW = 1 << 5,      /* the peer's window grew or opened */
    TCP_R_CLOSED = 1 << 6,      /* reached CLOSED: error says why */
    TCP_R_TIMEOUT = 1 << 7,     /* RTO fired */
    TCP_R_PROBE = 1 << 8,       /* TLP fired */
    TCP_R_FIN_ACKED = 1 << 9,   /* our FIN was acknowledged */
    TCP_R_RECOVERED = 1 << 10,  /* first progress after a TIMEOUT */
    TCP_R_LOSS = 1 << 11,       /* fast recovery started */
    TCP_R_DUPLICATE = 1 << 12,  /* payload we had already (all of it) */
    TCP_R_MTU = 1 << 13,        /* the path MTU, so the MSS, changed */
    TCP_R_SYN_DATA = 1 << 14    /* the SYN/ACK acknowledged payload of our SYN: t->syn_out bytes */
};

struct tcp_result {
    uint32_t flags;
    uint32_t acked_bytes;
    enum tcp_error error;
};

enum tcp_plan_kind {
    TCP_PLAN_NONE,
    TCP_PLAN_RST,
    TCP_PLAN_SYN, /* SYN or SYN/ACK */
    TCP_PLAN_RETRANSMIT,
    TCP_PLAN_DATA,
    TCP_PLAN_FIN,   /* without payload */
    TCP_PLAN_PROBE, /* zero window or keepalive: no payload, old sequence number */
    TCP_PLAN_ACK    /* pure ACK, also a window update */
};

/* What the owner says when it asks for a plan. Lengths are padded to 4. */
struct tcp_ask {
    uint32_t window_bytes;     /* receive window to advertise from rcv_nxt on, sent as it is
                                (rounded to the scale): the owner keeps its own right edge,
                                which with several subflows is not this subflow's */
    uint8_t syn_option_len;    /* its options on SYN and SYN/ACK */
    uint8_t data_option_len;   /* on a segment with payload */
    uint8_t ack_option_len;    /* on a segment without */
    bool want_ack;             /* send an ACK now, its options need it */
    bool shared_window;        /* window_bytes counts from the DATA_ACK and already never
                              * shrinks there: send it as it is (RFC 8684 3.3.4) */
    struct plait_iov syn_data; /* payload for the first SYN (RFC 7413), as much as fits; it is
                                * bound to no record, and what the SYN/ACK does not
                                * acknowledge is the owner's to send again */
    uint16_t syn_mss;          /* the peer's MSS as it was last time; 0: not known */
};

struct tcp_plan {
    enum tcp_plan_kind kind;
    struct segment seg; /* complete but for the owner's options */
    struct plait_iov iov[PLAIT_IOV_MAX];
    unsigned iov_count;
    uint32_t payload_len;
    uint32_t gso_size;               /* payload bytes of one segment; 0: fits in one */
    uint32_t segment_len;            /* payload a full segment would have under this ask */
    const struct tcp_record *record; /* DATA, RETRANSMIT: where the payload is from */
};

enum tcp_timer {
    TCP_T_RTO,  /* retransmission, also SYN */
    TCP_T_LOSS, /* RACK reordering window or TLP */
    TCP_T_PERSIST,
    TCP_T_DELACK,
    TCP_T_KEEPALIVE,
    TCP_T_LINGER, /* TIME_WAIT, FIN_WAIT_2 */
    TCP_T_PACE,   /* something bound waits for the pacing gate */
    TCP_T_COUNT
};

struct tcp_stats {
    uint64_t marked;                      /* wire segments that came with CE */
    uint64_t segs_in, segs_out;           /* wire segments; a super-segment counts its parts */
    uint64_t bytes_sent;                  /* payload, retransmissions included */
    uint64_t bytes_acked, bytes_received; /* in order, each byte once */
    uint64_t bytes_retransmitted;
    uint32_t retransmits; /* records */
    uint32_t timeouts, probes, recoveries, spurious, dsacks;
    uint32_t dropped_window, dropped_paws, dropped_ack, dropped_memory;
    uint32_t challenges, ooo_pieces;
};

struct tcp {
    struct tcp_env *env;
    const struct tcp_config *config;
    struct plait_endpoint local, remote;
    enum tcp_state state;
    enum tcp_error error;

    /* RFC 9293 3.3.1 */
    uint32_t iss, irs;
    uint32_t syn_out, syn_in; /* payload of SYNs that arrived, ours and the peer's: it precedes
                               * the owner's first byte (RFC 8684 B.2) */
    bool early;               /* SYN_RECEIVED, and the SYN proved its sender (RFC 7413 4.2.2):
                               * data may be sent before the third ACK */
    uint32_t snd_una, snd_nxt, snd_wl1, snd_wl2;
    uint32_t snd_end;              /* end of what is bound: snd_nxt .. snd_end waits */
    uint32_t snd_wnd, snd_wnd_max; /* bytes, scaled */
    uint32_t rcv_nxt;
    uint32_t rcv_adv; /* furthest right edge advertised: what is acceptable */
    uint8_t snd_wscale, rcv_wscale;
    bool timestamps, sack, wscale; /* both ends agreed */

    struct list records;    /* struct tcp_record, by sequence number */
    struct list sent_order; /* those in flight (not sacked, not lost), by sent_us */
    struct tcp_stats stats;

    /* Written by tcp/ only, each part by one file (tcp/parts.h). */
    struct tcp_rtt rtt;
    struct tcp_rate rate;
    struct tcp_ecn ecn;
    struct tcp_recovery recovery;
    struct tcp_rack rack;
    struct tcp_receiver receiver;
    struct tcp_control control;     /* congestion control, pacing */
    struct tcp_wants wants;         /* what tcp_plan looks at: flags, attempts */
    uint64_t timer_us[TCP_T_COUNT]; /* UINT64_MAX: off */
    uint64_t now_us;                /* of the last entry */
};

/* Prepare *t; nothing is sent yet. mtu: of the interface, IP bytes. group and
 * the view in it that is ours are owned above and must outlive t; tcp/ writes
 * that view after every entry. */
void tcp_init(struct tcp *t, struct tcp_env *env, const struct tcp_config *config,
              const struct plait_cc *cc, const struct plait_endpoint *local,
              const struct plait_endpoint *remote, uint16_t mtu, uint64_t now_us);
/* Tell where its congestion view stands now (it may move as siblings come
 * and go). NULL detaches. */
void tcp_set_group(struct tcp *t, struct plait_cc_view *own, const struct plait_cc_group *group);
/* Replace the congestion control, keeping cwnd. */
void tcp_set_cc(struct tcp *t, const struct plait_cc *cc);
/* What went wrong in it since it began; it is not heeded from then on. */
struct plait_plugin_trouble tcp_cc_trouble(const struct tcp *t);
/* Release everything it holds. Allowed in every state. */
void tcp_free(struct tcp *t);

/* Active open: SYN_SENT; tcp_plan gives the SYN. */
void tcp_connect(struct tcp *t, uint32_t iss, uint64_t now_us);
/* Passive open with the SYN that asked for it: SYN_RECEIVED. Options of the
 * SYN are taken over. */
void tcp_accept(struct tcp *t, const struct segment *syn, uint32_t iss, uint64_t now_us);

/* After tcp_accept: the SYN's payload counts, and the answer need not wait for
 * the third ACK. TCP_R_READABLE when there is some. */
void tcp_accept_early(struct tcp *t, const struct segment *syn, uint64_t now_us,
                      struct tcp_result *r);
/* After tcp_accept, instead of sending: the SYN/ACK left before there was a
 * struct tcp, with this window, and its ACK is about to come in. */
void tcp_synack_left(struct tcp *t, uint16_t window, uint64_t now_us);
/* The MSS option that SYNs from an interface with this MTU carry. */
uint16_t tcp_mss_of(const struct tcp_config *config, bool v6, uint16_t mtu);

/* Take a segment that is for this 4-tuple. seg->chunk is set where there is
 * payload; tcp/ takes references of its own. */
void tcp_input(struct tcp *t, const struct segment *seg, uint64_t now_us, struct tcp_result *r);
/* In-order bytes that tcp_input brought, oldest first, until false. The chunk
 * reference passes to the caller. Must be drained before the next input. */
bool tcp_next_in_order(struct tcp *t, struct tcp_piece *out);
/* Behind the last byte that has come, in order or not. */
uint32_t tcp_rcv_highest(const struct tcp *t);
/* Give up the bytes that came furthest out of order: a SACK tells of them but
 * does not promise to keep them (RFC 2018 8). How many; 0: there are none. */
uint32_t tcp_prune(struct tcp *t);
/* An ICMP error quoted one of our segments (RFC 5927 checks are done here). */
void tcp_icmp(struct tcp *t, const struct icmp_error *e, uint64_t now_us, struct tcp_result *r);
/* Run what is due. Changes state only; tcp_plan sends. */
void tcp_tick(struct tcp *t, uint64_t now_us, struct tcp_result *r);
/* The earliest time at which tcp_tick or tcp_plan has something to do;
 * UINT64_MAX: never. */
uint64_t tcp_deadline(const struct tcp *t);

/* New bytes that could be bound and sent at once: congestion and peer window,
 * pacing, and nothing already waiting (bound or lost). */
uint64_t tcp_room(const struct tcp *t, uint64_t now_us);
/* When the pacing gate opens; <= now: it is open. */
uint64_t tcp_pace_at(const struct tcp *t);
/* Payload of one full segment with this many bytes of the owner's options. */
uint32_t tcp_segment_payload(const struct tcp *t, uint8_t owner_option_len);
/* Bytes worth putting in one super-segment now (a multiple of the segment
 * payload, at least one): about a millisecond's worth at the present rate. */
uint32_t tcp_burst(const struct tcp *t, uint8_t owner_option_len);

/* Bind bytes: the next sequence numbers up from snd_end. Takes references to
 * the chunks, of which chunk[1] may be NULL. False: no memory, nothing
 * changed. `push`: set PSH and do not hold it back by Nagle's algorithm. */
bool tcp_push(struct tcp *t, struct plait_chunk *const chunk[2], uint32_t offset, uint32_t len,
              const struct tcp_map *map, bool push);
/* Subflow sequence numbers count the owner's bytes, from 1: relative to the
 * ISN, but for payload of SYNs. */
static inline uint32_t tcp_ssn_out(const struct tcp *t, uint32_t seq)
{
    return seq - t->iss - t->syn_out;
}
static inline uint32_t tcp_ssn_in(const struct tcp *t, uint32_t seq)
{
    return seq - t->irs - t->syn_in;
}
/* The one that the next tcp_push takes. */
static inline uint32_t tcp_next_ssn(const struct tcp *t)
{
    return tcp_ssn_out(t, t->snd_end);
}
/* The address of a byte range of a record. At most 2 pieces. */
unsigned tcp_record_iov(const struct tcp_record *rec, uint32_t skip, uint32_t len,
                        struct plait_iov iov[2]);

/* Let the timeout double no further than this (0: as configured). For a
 * subflow whose bytes another one carries too: its retransmissions only ask
 * whether the path is back. It is given up after the same time as without. */
void tcp_set_rto_ceiling(struct tcp *t, uint32_t ceiling_us);

/* Half of the congestion window, and of the threshold but in slow start: another
 * subflow could do more with what the peer accepts. Not in recovery. */
void tcp_penalise(struct tcp *t);

/* Wants from above. */
void tcp_want_ack(struct tcp *t);               /* acknowledge now */
void tcp_close(struct tcp *t, uint64_t now_us); /* FIN after what is bound */
/* RST, then CLOSED once it was sent; at once where the peer needs no RST
 * (SYN_SENT, TIME_WAIT). */
void tcp_abort(struct tcp *t);
/* Nobody waits for the peer's FIN any more: bound the time in FIN_WAIT_2. */
void tcp_orphan(struct tcp *t, uint64_t now_us);
/* The owner has bytes that the peer's window (of the connection or of this
 * subflow) keeps it from binding: probe it (RFC 9293 3.8.6.1) until told
 * false. What is bound and held back by the window is probed for anyway. */
void tcp_want_window(struct tcp *t, bool blocked, uint64_t now_us);
/* A segment that the peer answers with an ACK whatever it thinks of it: no
 * payload, an old sequence number (RFC 9293 3.8.4). */
void tcp_want_probe(struct tcp *t);
/* The peer may fill `window_bytes` from rcv_nxt on, although this subflow
 * never carried an ACK that says so: a window that all subflows share. */
void tcp_accept_window(struct tcp *t, uint32_t window_bytes);

/* Pick one thing to send, in this order: RST, SYN, retransmission, data, FIN,
 * probe, ACK. Returns kind != NONE. */
bool tcp_plan(const struct tcp *t, uint64_t now_us, const struct tcp_ask *ask, struct tcp_plan *p);
/* A pure ACK, whatever else waits: for an owner that sends nothing else here
 * any more. False: the connection is not open. */
bool tcp_plan_ack(const struct tcp *t, uint64_t now_us, const struct tcp_ask *ask,
                  struct tcp_plan *p);
/* The plan was encoded and handed on. */
void tcp_sent(struct tcp *t, const struct tcp_plan *p, uint64_t now_us, struct tcp_result *r);

/* The RST that answers a segment for which there is no connection
 * (RFC 9293 3.10.7.1). False: none is due. */
bool tcp_reset_reply(const struct segment *in, struct segment *out);

/* Whether this SYN may begin a new connection on a 4-tuple in TIME_WAIT
 * (RFC 6191 2): by its timestamp, which tells new from old also where the last
 * connection sent faster than the clock of initial sequence numbers ticks, or
 * by its sequence number. */
bool tcp_time_wait_over(const struct tcp *t, const struct segment *syn);

/* Abort with a message when an invariant does not hold. Debug, simulator and
 * fuzz builds call it after every entry. */
void tcp_check(const struct tcp *t);

static inline bool tcp_can_receive(const struct tcp *t)
{
    return t->state == TCP_ESTABLISHED || t->state == TCP_FIN_WAIT_1 || t->state == TCP_FIN_WAIT_2;
}
/* The peer's FIN has come, and everything before it. */
static inline bool tcp_peer_finished(const struct tcp *t)
{
    return t->state == TCP_CLOSE_WAIT || t->state == TCP_CLOSING || t->state == TCP_LAST_ACK ||
           t->state == TCP_TIME_WAIT;
}
static inline bool tcp_can_send(const struct tcp *t)
{
    return t->state == TCP_ESTABLISHED || t->state == TCP_CLOSE_WAIT ||
           (t->state == TCP_SYN_RECEIVED && t->early);
}

#endif
