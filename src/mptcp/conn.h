/* SPDX-License-Identifier: MIT
 *
 * One connection and its subflows: the structures, and the functions by which
 * the files of mptcp/ and the stack above use each other.
 *
 * A connection is plain TCP when it has one subflow and an infinite mapping:
 * there is no second code path for it (RFC 8684 3.7). Data sequence numbers
 * (DSN, 64 bit) count the connection's bytes; subflow sequence numbers (SSN,
 * 32 bit, relative to the ISN) a subflow's.
 *
 * Who writes what: each group of fields below names its file. Connections and
 * subflows are freed by conn_finish alone, which runs once at the end of each
 * entry point of the stack.
 */
#ifndef MPTCP_CONN_H
#define MPTCP_CONN_H

#include "base/addr.h"
#include "mptcp/cookie.h"
#include "mptcp/env.h"
#include "mptcp/keys.h"
#include "mptcp/pressure.h"

enum {
    SUBFLOWS_HISTORY_MAX = 32, /* closed subflows whose numbers are kept */
    DATA_RTO_MAX_US = 60 * 1000 * 1000,
    STALE_RTO_MAX_US = 1000 * 1000, /* how often a dead path is asked whether it is back, */
    JOIN_RTO_MAX_US = 2000 * 1000,  /* and how often a SYN is repeated on one */
    PATHS_RETRY_US = 1000 * 1000    /* the path manager found no memory */
};

/* MP_TCPRST reasons (RFC 8684 7.4). */
enum rst_reason {
    RST_UNSPECIFIED = 0,
    RST_MPTCP = 1,
    RST_RESOURCES = 2,
    RST_POLICY = 3,
    RST_OUTSTANDING = 4,
    RST_PERFORMANCE = 5,
    RST_MIDDLEBOX = 6
};

/* What MP_TCPRST says. */
struct reset_told {
    uint8_t reason; /* enum rst_reason, or what the peer made up */
    bool transient;
};

/* A received mapping (RFC 8684 3.3.1), kept until its bytes have come. */
struct rx_mapping {
    struct list link; /* subflow.mappings, by ssn */
    uint64_t dsn;
    uint32_t ssn, len;
    uint16_t wire_len; /* len and, where it was on the mapping, a DATA_FIN */
    uint16_t checksum;
};

/* Received bytes with their place in the connection. */
struct recv_piece {
    struct list link;
    struct plait_chunk *chunk;
    const uint8_t *data;
    uint64_t dsn;
    uint32_t len;
};

/* Sent bytes that another subflow should carry again. */
struct dsn_range {
    struct list link;
    uint64_t dsn;
    uint32_t len;
    uint32_t from_id; /* subflow that has them now */
};

/* A chunk of the send queue. */
struct send_chunk {
    struct list link;
    struct plait_chunk *chunk;
    uint64_t dsn; /* of its first byte */
    uint32_t len; /* bytes in use */
};

/* An infinite mapping (RFC 8684 3.7): the byte at subflow sequence number `ssn`
 * is the connection's byte `dsn`, and so on without end. */
struct linear {
    uint64_t dsn;
    uint32_t ssn;
};

enum subflow_kind { SUBFLOW_INITIAL, SUBFLOW_JOIN_OUT, SUBFLOW_JOIN_IN };

/* Options that make a pure ACK a signal: no news of congestion, and at most
 * two in a row (RFC 8684 3.4.1). */
#define MPO_SIGNALS (MPO_ADD_ADDR | MPO_REMOVE_ADDR | MPO_PRIO)

/* tcp_map.kind bits. */
enum { MAP_REINJECTED = 1, MAP_DATA_FIN = 2, MAP_MOVED = 4, MAP_FIRST = 8 };

/* nat.c: is a subflow's state in a NAT still there? */
struct nat_probe {
    uint64_t due_us;     /* when to look or to ask; TIMER_NEVER: not */
    uint64_t asked_us;   /* first */
    uint32_t silence_ms; /* before that */
    uint8_t asks;        /* since then; 0: nothing is asked */
};

struct subflow {
    struct tcp tcp;
    struct plait_conn *conn;
    struct list link; /* conn->subflows */
    struct hash_node flow;
    uint32_t id;    /* in the connection, from 1 */
    unsigned order; /* of its pair of addresses: struct plait_subflow_info */
    enum subflow_kind kind;
    uint8_t local_id, remote_id;
    bool backup_local, backup_remote;
    bool quiet;    /* tcp_plan said none and nothing happened since */
    bool gone;     /* over: reaped by conn_finish */
    bool by_hand;  /* opened by the application */
    bool unwanted; /* closed by the path manager or by hand: no failure */

    /* handshake.c */
    uint32_t nonce_local, nonce_remote;
    bool joined; /* MP_JOIN complete: may carry data */
    uint64_t created_us;
    struct list half_open_link; /* JOIN_IN, not joined: env->joins_half_open */
    bool join_ack_confirmed;    /* JOIN_OUT: the peer reacted to our third ACK */
    uint8_t syn_attempts, join_ack_attempts;
    bool syn_plain; /* a client's last SYN had no MP_CAPABLE: nor has our SYN/ACK */
    /* fastopen.c: what the first SYN asked or the first SYN/ACK gives */
    enum fastopen_try fastopen;
    uint16_t fastopen_mss; /* the peer's, when the cookie came */
    uint8_t fastopen_len;
    uint8_t fastopen_cookie[FASTOPEN_COOKIE_MAX];

    uint64_t join_ack_us; /* when to repeat it; TIMER_NEVER: not */

    /* fallback.c: where the bytes that it carries last, in one run, belong */
    struct linear sent;      /* start of the run that was bound last */
    uint64_t sent_end;       /* its end */
    uint64_t recv_end;       /* behind the last mapped byte that was taken */
    uint64_t sent_before;    /* end of what was bound before that run */
    bool sent_any, recv_any; /* there is such a run */
    bool shift_known;        /* SSNs here are larger than the peer's by `shift` */
    uint32_t shift;
    bool fail_set; /* the RST that ends it carries MP_FAIL for ... */
    uint64_t fail_dsn;

    /* stripped.c: options that do not come */
    bool dss_seen;        /* a DSS came on it, */
    uint64_t dss_us;      /* when the last one on a mere ACK did, */
    uint32_t dss_una;     /* and what had been acknowledged by then */
    bool acked_any;       /* and one with a DATA_ACK of what was sent */
    uint8_t plain_acks;   /* ACKs of data without options since then, in a row */
    uint64_t plain_us;    /* when they have lasted too long */
    uint64_t unmapped_us; /* when unmapped data has waited too long */

    /* receive.c */
    struct list mappings; /* struct rx_mapping */
    unsigned mapping_count;
    struct list held; /* struct recv_piece: unmapped or unverified bytes; .dsn is the SSN */
    uint32_t held_bytes;
    unsigned held_count;
    uint32_t taken_ssn;            /* next SSN to take from tcp */
    struct recv_piece *place_hint; /* where its last out-of-order bytes went */

    /* output.c */
    uint64_t carried;    /* end of the last of the stream's bytes that it got */
    uint64_t drained_us; /* when the path, by its rate, will have taken all that it got */

    /* reinject.c */
    uint8_t timeouts;     /* RTOs since the last progress */
    bool stale;           /* last resort for the scheduler, */
    uint64_t stale_us;    /* since then */
    uint64_t progress_us; /* when its ACKs last moved on */
    bool suspect;         /* silent beyond measure, no progress since */
    uint64_t bytes_reinjected_from;

    /* guard.c */
    uint64_t penalised_us;            /* when last */
    uint64_t judged_us, judged_bytes; /* when last, and what it had brought until then */
    uint64_t held_us;                 /* how long the others waited for it since */
    uint64_t rest_end_us;             /* 0: it does not rest */
    uint8_t rests;                    /* of late: doublings of the next one */

    /* options_in.c */
    bool peer_told; /* the peer reset it and gave a reason */
    bool peer_lost; /* ... with MP_FAIL: it did not keep what it acknowledged */
    struct reset_told told;

    /* addresses.c: the peer withdrew its address, and it is asked whether it lives */
    uint64_t removal_since_us, removal_us; /* removal_us TIMER_NEVER: it is not */
    uint8_t removal_probes;

    struct nat_probe nat;

    /* announce.c: pure ACKs for signals alone */
    uint32_t sent_ack;      /* acknowledgment number of the last segment sent */
    uint8_t signals_in_row; /* that repeated it */
    uint64_t signal_us;     /* when the next may go; TIMER_NEVER: it may */

    /* priority.c */
    uint8_t prio_left; /* times that MP_PRIO is still to be sent, */
    uint64_t prio_us;  /* not before */

    /* options_out.c: one-shot signals waiting for room */
    bool rst_set;          /* we reset it; reset.c knows what to say */
    enum plait_reason why; /* of its end */
    bool fin_pending;      /* a DATA_FIN of its own */
};

/* Our address on its way to the peer (announce.c). */
struct announcement {
    struct plait_endpoint at; /* port 0: the connection's */
    uint8_t id;
    uint8_t attempts;
    bool pending;  /* to be sent now */
    bool echoed;   /* the peer has it */
    bool withdraw; /* REMOVE_ADDR */
    uint64_t resend_us;
};

/* The peer's address (addresses.c). */
struct remote_addr {
    struct plait_addr addr;
    uint16_t port; /* where to connect to */
    uint8_t id;
    bool has_port; /* it was told */
    bool echo_pending;
    uint32_t echo_on; /* the subflow that brought it */
};

/* On the way to plain TCP (fallback.c). */
struct fallback {
    struct subflow *sf; /* the one it is about, or NULL */

    /* We asked for it: MP_FAIL. What comes is held until the peer says how its
     * bytes are mapped. */
    enum plait_reason why; /* NONE: we did not ask */
    uint64_t fail_dsn;     /* nothing is trusted from here on */
    uint8_t fails_left;    /* MP_FAILs to be sent now */
    uint8_t fails_sent;
    bool answered;    /* the peer sent MP_FAIL too */
    uint64_t ask_us;  /* when to ask again, or to take the answer as it is */
    bool run_known;   /* the peer's mappings, since it was asked for: ... */
    uint32_t run_off; /* ... DSN - SSN of all of them, unless ... */
    bool jumped;      /* ... it went back or forth among its bytes */

    /* We fell back and it did not: it sends DATA_ACKs, and has to be told. */
    uint8_t tells_sent;
    uint64_t tell_us; /* not before then again */

    /* The peer asked. */
    bool deciding;          /* nothing new is bound until it is known how */
    bool peer_failed;       /* MP_FAIL came */
    uint64_t peer_fail_dsn; /* for this ... */
    uint8_t peer_holds;     /* ... so often with a DATA_ACK of just that */
    uint64_t decide_us;

    /* Our direction is an infinite mapping: say so until it is known. */
    bool announce, knock;  /* on data; and with segments of their own */
    bool mark;             /* these say it without options as well */
    bool tells;            /* our run tells the peer where what it holds begins */
    uint32_t announce_ssn; /* bytes from here on were sent with it */
    uint8_t knocks;
    uint64_t knock_us;
};

/* What the plug-ins keep from call to call. */
struct conn_plugins {
    uint64_t pm_state[PLAIT_PLUGIN_STATE_MAX / 8];
    uint64_t sched_state[PLAIT_PLUGIN_STATE_MAX / 8];
};

/* What plug-ins see of the subflows: room for `capacity` of them. */
struct conn_arrays {
    struct plait_cc_view *views;
    struct plait_cc_group *groups;
    struct plait_sched_path *paths; /* those that are usable, and */
    struct subflow **subflows;      /* which these are */
    unsigned capacity;
};

/* What only a connection that is awake has. */
struct conn_awake {
    struct holding holding;  /* pressure.c: asleep it holds nothing */
    struct fallback falling; /* fallback.c: asleep it is not */
    struct conn_arrays arrays;
    struct conn_plugins plugins;
    struct send_chunk *bound_last; /* send.c: where new data was bound last; NULL: not known */
    uint64_t short_end;            /* output.c: end of the last segment that was not full */
    bool short_sent;               /* there was one */
};

enum conn_state {
    CONN_OPENING,     /* first subflow's handshake */
    CONN_ESTABLISHED, /* data may flow */
    CONN_CLOSED       /* over: error says how */
};

struct plait_conn {
    struct mptcp_env *env;
    struct list link, sending_link, ready_link, finished_link;
    uint32_t id;
    enum conn_state state;
    int error;             /* enum plait_error */
    bool client, detached; /* detached: the application gave the handle up */
    bool half_open;        /* stack/listen.c: only its SYN has come; counted in env */
    void *user;

    /* stack/listen.c */
    struct plait_listener *listener; /* not accepted yet */
    struct list accept_link;

    struct list subflows; /* struct subflow */
    unsigned subflow_count, subflow_total, history_count;
    uint32_t next_subflow_id;
    struct subflow *initial;             /* NULL once gone */
    struct subflow *plain;               /* plain TCP: the one that carries it; NULL once gone */
    struct plait_endpoint local, remote; /* of the first subflow */
    struct plait_subflow_info *history;  /* SUBFLOWS_HISTORY_MAX, on demand */

    struct race *race; /* race.c: first subflows that are being tried; NULL: one, or decided */

    /* handshake.c, fallback.c */
    bool multipath;            /* negotiated, or still being negotiated */
    bool checksum;             /* negotiated */
    bool confirmed;            /* a DSS passed both ways: fully established */
    bool peer_no_join_initial; /* its C flag */
    bool no_join_initial;      /* ours */
    bool key_known;            /* the peer's key */
    bool keys_again;           /* client: the third ACK with both keys is due */
    bool counted;              /* in MPCurrEstab */
    uint8_t version;           /* 0 or 1: offered; a server's is that of the SYN it answers */
    bool plain_out, plain_in;  /* this direction is an infinite mapping: `out`, `in` */
    bool in_assumed;           /* the peer did not say where `in` begins, */
    bool in_acked;             /* nor that it fell back: DATA_ACKs all the same */
    enum plait_version version_choice; /* what may be offered or answered */
    enum plait_reason destination_why; /* client: what was known of the destination decided */
    enum plait_reason fallback_why;
    uint64_t opened_us; /* client: when its first SYN was due */
    struct linear out, in;
    uint64_t local_key, remote_key;
    uint32_t local_token, remote_token;
    uint64_t local_idsn, remote_idsn;
    struct hash_node token_node;
    bool token_listed;

    /* fastopen.c */
    bool fastopen; /* wanted */
    bool early;    /* server: the application has it, the third ACK has not come */
    uint32_t fastopen_out, fastopen_in; /* bytes that went with a SYN, outside the DSNs */

    /* send.c */
    uint32_t send_buffer;               /* bytes, autotuned */
    struct list send_queue;             /* struct send_chunk, from snd_una on */
    uint64_t snd_una, snd_nxt, snd_end; /* DATA_ACKed; next to bind; written */
    uint64_t snd_edge;                  /* highest DATA_ACK + window */
    uint64_t rate_dsn, rate_us;         /* where and when the rate was last looked at */
    struct list reinject;               /* struct dsn_range */
    uint64_t data_asked_us; /* when a probe first asked for the DATA_ACK that is missing */
    uint64_t bytes_reinjected, bytes_copied;
    uint64_t data_rto_us; /* DATA_ACK overdue though every subflow was acknowledged */
    uint8_t data_rto_count;
    uint8_t data_asks; /* so many probes have asked since snd_una moved */
    bool branched;     /* a subflow was established besides the first */
    bool in_vain;      /* a subflow failed with bytes under way; none got through since */
    bool dsn64;        /* DSNs of 8 bytes: by configuration, or for the rate */
    bool nagle, write_blocked;
    bool fin_queued, fin_bound, fin_sent, fin_acked; /* DATA_FIN takes snd_end */

    /* receive.c, window.c */
    struct list recv_queue; /* struct recv_piece, in order, unread */
    struct list ooo_queue;  /* struct recv_piece, beyond rcv_nxt */
    uint64_t recv_bytes, ooo_bytes;
    unsigned ooo_count;         /* pieces in ooo_queue */
    uint32_t recv_buffer;       /* bytes, autotuned */
    uint64_t rcv_nxt, rcv_read; /* next expected; next the application reads */
    uint64_t rcv_edge;          /* right edge advertised */
    uint64_t tune_start_us, tune_read;
    uint64_t fin_dsn;          /* the peer's DATA_FIN */
    struct subflow *last_recv; /* brought data last: window updates go there */
    bool fin_received, fin_known;
    bool peer_dsn64; /* the peer uses 64-bit DSNs: answer likewise */

    /* announce.c, addresses.c, paths.c */
    bool peer_initial_removed;          /* its first address was withdrawn */
    bool opens;                         /* this end may open subflows */
    struct announcement *announcements; /* grown on demand */
    unsigned announcement_count, announcement_capacity;
    struct remote_addr *remotes; /* at most addrs_accepted_max, grown on demand */
    unsigned remote_count, remote_capacity;
    const struct plait_pm *pm;
    uint64_t pm_wake_us;
    struct conn_awake *awake; /* NULL while it sleeps */

    /* output.c */
    const struct plait_sched *sched;
    const struct plait_cc *cc;
    uint64_t pace_us; /* when a path's pacing gate opens for waiting data */
    uint32_t stalls;  /* times that new bytes waited for the peer's window, */
    bool stalled;     /* as they do now */

    /* guard.c */
    unsigned heuristics; /* enum plait_heuristic */
    uint32_t blocked_by; /* the subflow that the full window waits for; 0: none */
    uint64_t blocked_us; /* since then */

    /* closing.c */
    bool closing;   /* subflows are being closed */
    bool fastclose; /* aborted: the RSTs carry MP_FASTCLOSE (RFC 8684 3.5, option R) */
    bool rd_shut;   /* SHUT_RD */
    bool passive;   /* the peer ended its stream before we ended ours */
    bool linger, lingering;
    uint8_t fastclose_sent; /* fastclose.c: times */
    uint32_t linger_us, break_timeout_us;
    uint64_t linger_end_us; /* of the wait in conn_close; TIMER_NEVER: it is over */
    uint64_t fins_at_us;    /* closing passively: FINs go out now at the latest */
    uint64_t give_up_us;    /* close or no-subflow deadline */

    /* fastclose.c */
    struct subflow *fastclose_on; /* carries MP_FASTCLOSE on ACKs (option A); NULL: none */
    uint64_t fastclose_us;        /* when next */

    /* sleep.c */
    struct asleep *asleep; /* stands for the subflows; NULL: it is awake */
    uint64_t active_us;    /* when something last concerned it */
    uint32_t locals_told;  /* changes of local addresses that it has heard of */

    struct timer timer;  /* the earliest deadline of the connection and its subflows */
    unsigned poll_shown; /* readiness as last given out */
};

/* ---- conn.c: life ---------------------------------------------------------- */

struct conn_setup {
    bool client, multipath, nagle, linger, fastopen, opens, no_join_initial;
    uint32_t linger_us, break_timeout_us, race_delay_us;
    enum plait_version version;
    const struct plait_cc *cc;
    const struct plait_sched *sched;
    uint64_t sched_state[PLAIT_PLUGIN_STATE_MAX / 8]; /* as its options made it */
    const struct plait_pm *pm;
    unsigned heuristics;
};
/* A connection without subflows, not yet listed by token. NULL: no memory or
 * over the stack's limit (*error says). */
struct plait_conn *conn_new(struct mptcp_env *env, const struct conn_setup *setup, int *error);
/* Add a subflow between two endpoints, listed by 4-tuple; its tcp is CLOSED.
 * NULL: no memory, limit, or the 4-tuple exists. */
struct subflow *subflow_new(struct plait_conn *c, enum subflow_kind kind,
                            const struct plait_endpoint *local, const struct plait_endpoint *remote,
                            uint64_t now_us);
/* End a subflow without sending anything more; what it carried is reinjected. */
void subflow_drop(struct subflow *sf, enum plait_reason why);
/* The whole connection is over. Subflows that still live are reset. */
void conn_fail(struct plait_conn *c, int error, enum plait_reason why);
/* Something changed: ask every subflow for output again, and look at the
 * connection at the end of this entry. */
void conn_touch(struct plait_conn *c);
/* End of an entry point: arm timers, reap subflows, free what is over. */
void conn_finish(struct plait_conn *c, uint64_t now_us);
/* Free at once, whatever it is doing (the stack is being freed). */
void conn_free(struct plait_conn *c);
/* What a connection has only while it is awake; and in it room in the arrays that
 * plug-ins see for as many subflows as there are. */
bool conn_new_awake(struct plait_conn *c);
bool conn_reserve_arrays(struct plait_conn *c);
void conn_free_awake(struct plait_conn *c);
/* Mark readable, writable: the stack will give the connection out. */
void conn_notify(struct plait_conn *c);
/* A subflow's tcp reached CLOSED by an error. */
void subflow_failed(struct subflow *sf, enum tcp_error error);
unsigned conn_poll(const struct plait_conn *c);
void conn_event(struct plait_conn *c, struct subflow *sf, enum plait_event_type type,
                enum plait_reason why, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
void conn_check(const struct plait_conn *c);
/* addr is the one the first subflow uses here: its address ID is 0. */
static inline bool endpoint_is_initial(const struct plait_conn *c, const struct plait_addr *addr)
{
    return addr_equal(&c->local.addr, addr);
}
static inline bool conn_is_tcp(const struct plait_conn *c)
{
    return !c->multipath;
}
/* Some subflow is established; not: the connection waits for a new one. */
bool conn_has_joined(const struct plait_conn *c);
/* One that is not gone, or NULL. The connection is awake. */
struct subflow *subflow_by_id(const struct plait_conn *c, uint32_t id);
/* A subflow that can carry data. */
bool subflow_usable(const struct subflow *sf);
/* No other subflow can. */
bool subflow_alone(const struct subflow *sf);
/* Another can, and makes progress. */
bool subflow_replaced(const struct subflow *sf);
/* The first byte that the application may still get; a DATA_FIN is none. */
static inline uint64_t conn_recv_next(const struct plait_conn *c)
{
    return c->rcv_nxt - c->fin_received;
}

/* ---- race.c ------------------------------------------------------------------- */

/* Where the connection stands before anything is tried: at its first pair.
 * What is known of that destination decides for all attempts. */
void race_first(struct plait_conn *c, const struct plait_candidate *first);
/* Start trying the pairs in order. 0, or the error of the last one when none
 * could even be started. */
int race_begin(struct plait_conn *c, const struct plait_candidate *candidates, unsigned count,
               uint32_t delay_us, uint64_t now_us);
/* sf answered first: it is the connection's first subflow. */
void race_won(struct subflow *sf);
/* An attempt ended. True: others go on, and *error and *why are not the
 * connection's; false: they are. */
bool race_goes_on(struct subflow *sf, int *error, enum plait_reason *why);
/* The network reported trouble with an attempt, not for good. */
void race_hurry(struct plait_conn *c, uint64_t now_us);
void race_tick(struct plait_conn *c, uint64_t now_us);
uint64_t race_deadline(const struct plait_conn *c);
void race_free(struct plait_conn *c);

/* ---- reset.c ------------------------------------------------------------------ */

/* Reset a subflow: RST, with the MP_TCPRST that belongs to the reason. */
void subflow_reset(struct subflow *sf, enum plait_reason why);
struct reset_told reset_says(enum plait_reason why);
/* MP_TCPRST into an option set. */
void reset_out(enum plait_reason why, struct mptcp_options *out);

/* ---- handshake.c ------------------------------------------------------------ */

/* Take a key from the pool and list its token. False: the tokens tried are taken. */
bool conn_draw_key(struct plait_conn *c);
void conn_learn_key(struct plait_conn *c, uint64_t key);
/* This is the first subflow; without MPTCP it carries everything. */
void conn_set_initial(struct plait_conn *c, struct subflow *sf);
/* Start the first subflow of a client, between the first of these pairs that
 * answers. */
int conn_open(struct plait_conn *c, const struct plait_candidate *candidates, unsigned count,
              uint32_t delay_us, uint64_t now_us);
/* Further subflows are allowed: a DSS came, or the first subflow is gone. */
bool conn_may_join(const struct plait_conn *c);
/* First subflow of a server, from the SYN; or from a cookie, with the SYN as
 * cookie_syn made it and the ACK still to be taken in. */
int conn_open_passive(struct plait_conn *c, const struct segment *syn, const struct cookie *cookie,
                      uint64_t now_us);
/* What a SYN's MP_CAPABLE comes to if the SYN is answered with a cookie. */
enum cookie_form handshake_form(struct mptcp_env *env, const struct conn_setup *setup,
                                const struct segment *syn, uint64_t now_us);
/* The window that a SYN/ACK of ours offers when there is no connection yet. */
uint16_t conn_syn_window(const struct mptcp_env *env);
/* The MTU of the interface that has this address. */
uint16_t local_mtu(const struct mptcp_env *env, const struct plait_addr *addr);
/* Client side of MP_JOIN. */
int conn_join(struct plait_conn *c, const struct plait_endpoint *local,
              const struct plait_endpoint *remote, uint8_t remote_id, bool backup, uint64_t now_us);
/* The other side: a SYN with MP_JOIN for this connection. Why it is refused;
 * NONE: it is not. HALF_OPEN is for now only, so let the SYN be repeated. */
enum plait_reason conn_join_passive(struct plait_conn *c, const struct segment *syn,
                                    uint64_t now_us);
/* Handshake options of a segment. False: the subflow ended, stop here. */
bool handshake_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                  uint64_t now_us);
/* Handshake options for a segment of this kind about to be sent; rec: what its
 * payload is from, NULL without payload. */
void handshake_out(const struct subflow *sf, enum tcp_plan_kind kind, const struct tcp_record *rec,
                   struct mptcp_options *out);
/* Data may be put on this subflow (RFC 8684 3.2: not before MP_JOIN is done). */
void subflow_established(struct subflow *sf, uint64_t now_us);
/* It is no longer an established MPTCP connection. */
void conn_uncount(struct plait_conn *c);
/* A DSS proves that the peer has both keys (RFC 8684 3.1). */
void conn_confirm(struct plait_conn *c, uint64_t now_us);

/* ---- fallback.c, stripped.c ------------------------------------------------------ */

/* The peer was asked to fall back because of what came on this subflow: until
 * it has said where its bytes belong nothing is placed. */
static inline bool fallback_asking(const struct subflow *sf)
{
    return sf->conn->awake->falling.why && sf->conn->awake->falling.sf == sf;
}
/* All that is outstanding on the way out, or in, is one run on this subflow,
 * and was never sent on it before: an infinite mapping can say where it
 * belongs even to a peer that does not hear it. */
bool fallback_out_contiguous(const struct subflow *sf);
bool fallback_in_contiguous(const struct subflow *sf);
/* Both directions become plain TCP on this subflow at once, the others end.
 * For a connection on which nothing can be anywhere else. */
void conn_fallback(struct subflow *sf, enum plait_reason why);
/* Our direction alone: the peer takes, or will take, bytes as they come. */
void fallback_out(struct subflow *sf, enum plait_reason why);
/* The peer's direction: its next byte here is the next of the stream. */
void fallback_in_on(struct subflow *sf);
/* No way out: the subflow ends with RST, reason 6. */
void fallback_broken(struct subflow *sf, enum plait_reason why);
/* What arrives from dsn on cannot be trusted or placed: ask the peer to fall
 * back (MP_FAIL) where this subflow is alone, else end it. */
void fallback_ask(struct subflow *sf, uint64_t dsn, enum plait_reason why);
/* The peer's MP_FAIL; the peer's infinite mapping; a segment that can only
 * mean that the peer fell back and its options do not get through; its FIN. */
void fallback_fail_in(struct subflow *sf, const struct segment *seg);
void fallback_infinite_in(struct subflow *sf, const struct segment *seg, uint64_t dsn);
void fallback_knock_in(struct subflow *sf);
/* A DATA_ACK where both directions are plain. */
void fallback_unheard(struct subflow *sf);
/* A probe sent now is a knock. */
bool fallback_knocks(const struct subflow *sf);
void fallback_fin_in(struct subflow *sf);
/* A mapping came that is not to be trusted; payload came; what an
 * acknowledgment says, where our direction is an infinite mapping. */
void fallback_distrusted(struct subflow *sf, const struct segment *seg);
void fallback_data_in(struct subflow *sf);
/* returns that DSN */
uint64_t fallback_acked(struct subflow *sf);
void fallback_tick(struct plait_conn *c, uint64_t now_us);
uint64_t fallback_deadline(const struct plait_conn *c);
/* [dsn, dsn + len) was bound to the subflow at ssn. */
void fallback_bound(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len);
/* MP_FAIL, and on a knock the infinite mapping, for a segment without payload
 * whose TCP options leave `room`. False: nothing of the kind is due. */
bool fallback_options_out(const struct subflow *sf, bool knock, unsigned room,
                          struct mptcp_options *o);
/* The infinite mapping itself. */
void fallback_infinite_out(const struct plait_conn *c, struct mptcp_options *o);
void fallback_sent(struct subflow *sf, const struct tcp_plan *plan, uint64_t now_us);
/* Nothing of all that is going on (any more). */
void fallback_forget(struct plait_conn *c);
/* How long what should come with a segment may come after it. */
uint64_t fallback_patience(const struct subflow *sf);
/* DSN of a subflow sequence number under an infinite mapping; near: a DSN
 * less than 2 GiB away. */
static inline uint64_t linear_dsn(const struct linear *m, uint64_t near, uint32_t ssn)
{
    return dsn_expand(near, (uint32_t)m->dsn + (ssn - m->ssn));
}
/* Look for options that should be there. */
void stripped_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                 uint64_t now_us);
/* Nothing that was sent at the data level is answered, and no DSS ever came on
 * the only subflow: plain TCP. False: not so. */
bool stripped_always(struct plait_conn *c);
/* Bytes wait on sf that no mapping covers. */
void stripped_data(struct subflow *sf);
/* A mapping that is shifted against the segment it came on: a middlebox
 * changed the length of the payload before it. */
bool stripped_shift(const struct subflow *sf, const struct segment *seg);
uint64_t stripped_deadline(const struct subflow *sf);
void stripped_tick(struct subflow *sf, uint64_t now_us);

/* ---- half_open.c: MP_JOIN handshakes under way ------------------------------------ */

/* Room for one more, made if need be. False: meet the SYN with silence. */
bool half_open_admit(struct plait_conn *c, uint64_t now_us);
/* It is under way; it is established or over. */
void half_open_join(struct subflow *sf);
void half_open_done(struct subflow *sf);
/* When a server gives up waiting for the keys of a new connection. */
uint64_t half_open_deadline(const struct plait_conn *c);
void half_open_tick(struct plait_conn *c, uint64_t now_us);
/* Its SYN/ACK has been without an answer for a whole timeout. */
bool half_open_stale(const struct subflow *sf, uint64_t now_us);

/* ---- input.c ------------------------------------------------------------------ */

void subflow_input(struct subflow *sf, const struct segment *seg, uint64_t now_us);
void subflow_tick(struct subflow *sf, uint64_t now_us);
void subflow_icmp(struct subflow *sf, const struct icmp_error *e, uint64_t now_us);
void conn_tick(struct plait_conn *c, uint64_t now_us);
/* What a tcp entry returned, whoever called it. */
void subflow_result(struct subflow *sf, const struct tcp_result *r);
/* It does not answer; it does again. Tells the path manager; no effect if it is so already. */
void subflow_stale(struct subflow *sf, enum plait_reason why);
void subflow_recovered(struct subflow *sf);

/* ---- options_in.c, options_out.c ------------------------------------------------ */

void conn_options_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                     uint64_t now_us);
/* Bytes of options on a segment with payload. */
uint8_t conn_data_option_len(const struct subflow *sf);
/* What a segment of each kind will carry: the lengths tcp_plan asks for. */
void conn_options_ask(const struct subflow *sf, uint64_t now_us, struct tcp_ask *ask);
void conn_options_out(const struct subflow *sf, const struct tcp_plan *plan,
                      struct mptcp_options *out);
/* The segment was sent: one-shot signals in it are done. */
void conn_options_sent(struct subflow *sf, const struct tcp_plan *plan, uint64_t now_us);

/* ---- send.c, reinject.c, output.c -------------------------------------------------- */

/* Established; or a client whose SYN takes data along. */
bool conn_may_write(const struct plait_conn *c);
/* It wanted to write more than there was room for; it does not any more. */
void conn_write_blocked(struct plait_conn *c, bool blocked);
/* There is room worth a call of the application. */
bool conn_writable(const struct plait_conn *c);
/* Bytes the application may queue now. */
uint64_t conn_send_room(const struct plait_conn *c);
int64_t conn_write(struct plait_conn *c, const void *data, size_t len);
/* Room at the end of the send queue, and that it was filled. */
int64_t conn_send_borrow(struct plait_conn *c, size_t wanted, void **room);
int conn_send_commit(struct plait_conn *c, size_t len);
/* snd_nxt moved: does the rate ask for DSNs of 8 bytes (RFC 8684 3.3.1)? */
void conn_watch_rate(struct plait_conn *c);
/* DATA_ACK up to dsn; window to dsn + window. */
void conn_acked(struct plait_conn *c, uint64_t dsn);
void conn_window(struct plait_conn *c, uint64_t edge);
/* Bind [dsn, dsn+len) to sf. Returns bytes bound (a chunk border may cut). */
uint32_t conn_bind(struct plait_conn *c, struct subflow *sf, uint64_t dsn, uint32_t len,
                   uint8_t map_kind);
void conn_tune_send_buffer(struct plait_conn *c);
/* The peer took the first `len` bytes of the queue with our SYN: what follows
 * them begins the data sequence space. */
void send_taken(struct plait_conn *c, uint32_t len);
void send_free(struct plait_conn *c);
/* All that sf still holds without DATA_ACK is to go over other subflows. */
void subflow_reinject(struct subflow *sf, enum plait_reason why);
/* Silence: a subflow whose ACKs are overdue while others are there becomes
 * suspect, and what it carries goes over them. */
uint64_t reinject_overdue_deadline(const struct plait_conn *c);
void reinject_overdue_tick(struct plait_conn *c, uint64_t now_us);
/* Nothing is left to send for the first time, and a subflow has room: let it
 * take over the last bytes of one that would deliver them more than a round
 * trip later. True: something was queued. */
bool reinject_tail(struct plait_conn *c, uint64_t now_us);
/* The peer's window is full, and what it waits for is on a slower subflow than
 * one with room: carry that again (PLAIT_OPPORTUNISTIC). */
bool reinject_head(struct plait_conn *c, uint64_t now_us);
/* The usable subflow with room that answers soonest, if it has so little under
 * way that its path is not busy; or NULL. */
struct subflow *reinject_idler(const struct plait_conn *c, uint64_t now_us);
/* The part of a record's bytes that still needs a DATA_ACK. False: none. */
bool reinject_range(const struct plait_conn *c, const struct subflow *sf,
                    const struct tcp_record *rec, uint64_t *dsn, uint32_t *len);
/* The subflow that the first range of the queue was taken from is silent or
 * gone: nobody waits for it. */
bool reinject_source_silent(const struct plait_conn *c);
/* Drop from the front of the queue what the subflow that it was taken from has
 * had acknowledged meanwhile: if that was not kept, the data-level timer finds
 * it. False: nothing of the kind. */
bool reinject_delivered(struct plait_conn *c);
/* Some subflow still has bytes that its peer has not acknowledged. */
bool records_outstanding(const struct plait_conn *c);
/* Data-level retransmission timer: everything was acknowledged by the
 * subflows, but the DATA_ACK does not come. */
void reinject_arm(struct plait_conn *c, uint64_t now_us);
void reinject_tick(struct plait_conn *c, uint64_t now_us);
/* Drop what is DATA_ACKed from the front of the reinjection queue. */
void reinject_trim(struct plait_conn *c);
void reinject_free(struct plait_conn *c);
bool conn_output(struct plait_conn *c, uint64_t now_us, struct plait_packet_tx *p);
/* Where sf's congestion view is; called when the set of subflows changed. */
bool conn_regroup(struct plait_conn *c);

/* ---- plugins.c: which plug-ins a connection has ----------------------------------- */

/* The connection is awake in all of them. */
void plugins_begin(struct plait_conn *c, const struct conn_setup *setup);
void plugins_end(struct plait_conn *c);
/* They are no more than what their state blocks hold: the connection may sleep. */
bool plugins_may_sleep(const struct plait_conn *c);
/* Another scheduler, with the state that its options made. */
void conn_set_scheduler(struct plait_conn *c, const struct plait_sched *sched,
                        const uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8]);
/* On all its subflows, those to come included. */
void conn_set_cc(struct plait_conn *c, const struct plait_cc *cc);
/* The call before failed: the default is in its place, and is to be asked. */
bool plugins_sched_failed(struct plait_conn *c);
bool plugins_pm_failed(struct plait_conn *c);
/* At the end of an entry: the same for congestion controls, which have been
 * doing nothing since they failed. */
void plugins_check_cc(struct plait_conn *c);

/* ---- guard.c: what unequal paths cost each other -------------------------------- */

/* Bytes wait for the peer's window, which is full, and a path may be idle: find
 * out for whom, and penalise that one. Or: bytes were bound again. */
void guard_blocked(struct plait_conn *c, uint64_t now_us);
void guard_moves(struct plait_conn *c, uint64_t now_us);
/* It cost more than it brought, and rests, and another is there. */
bool guard_rests(struct subflow *sf, uint64_t now_us);
/* What is left of so much room for a path whose queue is long (PLAIT_CAP). */
uint64_t guard_room(const struct subflow *sf, uint64_t room);

/* ---- receive.c, window.c ---------------------------------------------------------- */

/* A DSS mapping arrived on sf (dsn already 64 bit): len bytes of data;
 * wire_len is the length field, which also counts a DATA_FIN. */
void receive_mapping(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len,
                     uint32_t wire_len, uint16_t checksum);
/* Take what tcp has in order on sf. */
void conn_receive(struct subflow *sf);
void receive_data_fin(struct plait_conn *c, uint64_t dsn);
/* First SSN whose byte has not gone to the connection. */
uint32_t receive_wanted(const struct subflow *sf);
/* The direction in became plain TCP: what is held belongs where c->in says,
 * what lies before it nowhere. */
void receive_unmapped(struct subflow *sf);
/* Mappings are not to be trusted any more. */
void receive_distrust(struct subflow *sf);
/* Bytes wait for a mapping, and later ones have theirs, so options pass: give
 * up those without, which the peer has to send again. False: not so. */
bool receive_skip(struct subflow *sf);
void receive_free_subflow(struct subflow *sf);
void receive_free(struct plait_conn *c);
int64_t conn_read(struct plait_conn *c, void *data, size_t len, uint64_t now_us);
/* The first piece that is to be read, and that so much of it was. */
int64_t conn_recv_borrow(const struct plait_conn *c, const void **data);
int conn_recv_release(struct plait_conn *c, size_t len, uint64_t now_us);
/* How many pieces, and how many mappings a subflow, are kept for a window: a
 * peer that sends single bytes may not make them cost more than a tenth of it. */
static inline unsigned receive_pieces_max(const struct plait_conn *c)
{
    return c->recv_buffer / 512 + 512;
}
/* The largest MSS of the subflows. */
uint32_t window_mss(const struct plait_conn *c);
/* Window to advertise from rcv_nxt on, bytes. */
uint32_t conn_recv_window(const struct plait_conn *c);
void conn_window_sent(struct plait_conn *c, uint32_t window);
/* The application read: grow the buffer, tell the peer when it matters. */
void conn_window_read(struct plait_conn *c, uint64_t now_us);

/* ---- addresses.c: the peer's addresses ---------------------------------------------- */

void addresses_in(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us);
/* A private address makes sense to this peer: it was reached over a private
 * one, or it or the address is on a network of ours
 * (docs/decisions/0011-private-addresses.md). */
bool address_reachable(const struct plait_conn *c, const struct plait_addr *addr);
/* The echo that is due on sf; false: none. */
bool addresses_echo_out(const struct subflow *sf, struct mptcp_options *out);
void addresses_echo_sent(struct subflow *sf, uint8_t id);
/* Did it answer since the peer withdrew its address? */
void addresses_removal_tick(struct subflow *sf, uint64_t now_us);
void addresses_free(struct plait_conn *c);

/* ---- nat.c: idle subflows are kept known to NATs ---------------------------------------- */

/* The connection has one more subflow. */
void nat_begin(struct plait_conn *c);
void nat_tick(struct subflow *sf, uint64_t now_us);
/* `fresh` comes from an address that has silent subflows already: are they there? */
void nat_rival(const struct subflow *fresh, uint64_t now_us);
/* sf failed, for sf->why. */
void nat_failed(struct subflow *sf);

/* ---- announce.c: our addresses -------------------------------------------------------- */

/* Tell the peer of an address, or of another port of it. */
void announce_endpoint(struct plait_conn *c, uint8_t id, const struct plait_endpoint *at);
/* Take it back, if the peer heard of it: by ADD_ADDR, or in_use by a subflow. */
void announce_withdraw(struct plait_conn *c, uint8_t id, bool in_use);
/* It is in use again: no more of REMOVE_ADDR. */
void announce_used(struct plait_conn *c, uint8_t id);
/* By policy: one local address, all of them, those that nobody echoed. */
void announce_local(struct plait_conn *c, const struct local_addr *l);
void announce_all(struct plait_conn *c);
void announce_again(struct plait_conn *c);
void announce_echo_in(struct subflow *sf, const struct mptcp_add_addr *a);
/* The subflow for a signal: usable ones in turn, those that answer first; NULL: none. */
const struct subflow *signal_path(const struct plait_conn *c, unsigned turn);
/* An ACK on sf for nothing but signals would be no third in a row. */
bool signal_allowed(const struct subflow *sf);
void signal_sent(struct subflow *sf, const struct tcp_plan *plan, uint64_t now_us);
void signal_tick(struct subflow *sf, uint64_t now_us);
/* An address signal for a pure ACK on sf; false: none. */
bool announce_out(const struct subflow *sf, struct mptcp_options *out);
void announce_sent(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us);
void announce_tick(struct plait_conn *c, uint64_t now_us);
uint64_t announce_deadline(const struct plait_conn *c);
void announce_free(struct plait_conn *c);

/* ---- priority.c -------------------------------------------------------------------------- */

void priority_set(struct subflow *sf, bool backup);
bool priority_out(const struct subflow *sf, struct mptcp_options *out);
void priority_sent(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us);
uint64_t priority_deadline(const struct subflow *sf);
void priority_in(struct subflow *sf, const struct mptcp_options *o);

/* ---- paths.c: the path manager --------------------------------------------------------- */

/* Tell it what happened and do what it wants. news NULL: nothing to add. */
void paths_decide(struct plait_conn *c, enum plait_pm_event event, const struct plait_pm_news *news,
                  uint64_t now_us);
/* The same about a subflow that lives. */
void paths_subflow(struct subflow *sf, enum plait_pm_event event);
/* What it is told of a subflow that failed. */
struct plait_pm_news paths_failure(const struct subflow *sf);
void paths_tick(struct plait_conn *c, uint64_t now_us);
/* A local address came (or changed) or went; its priority changed. */
void paths_local(struct plait_conn *c, const struct local_addr *local, bool added, uint64_t now_us);
void paths_local_backup(struct plait_conn *c, const struct local_addr *local);
/* The same for all that changed while it slept. */
void paths_locals_slept(struct plait_conn *c);
/* Its ID in this connection: 0 for that of the first subflow. */
uint8_t conn_local_id(const struct plait_conn *c, const struct local_addr *l);
bool local_in_use(const struct plait_conn *c, const struct plait_addr *addr);

/* ---- closing.c ---------------------------------------------------------------------- */

int conn_shutdown(struct plait_conn *c, unsigned how);
/* The application is done with it: PLAIT_E_AGAIN while it is to wait, else the
 * handle is given up. */
int conn_close(struct plait_conn *c, uint64_t now_us);
void conn_detach(struct plait_conn *c, uint64_t now_us);
void conn_abort(struct plait_conn *c, enum plait_reason why);
/* The wait that conn_close began has found its end. */
bool closing_lingered(const struct plait_conn *c);
/* Something got through: whoever waits for the connection's end waits on. */
void closing_progress(struct plait_conn *c);
/* Repeat a DATA_FIN that was sent and not acknowledged, on every subflow. */
void closing_fin_again(struct plait_conn *c);
/* Move the closing handshake on after anything that matters to it. */
void closing_step(struct plait_conn *c, uint64_t now_us);
void closing_tick(struct plait_conn *c, uint64_t now_us);
uint64_t closing_deadline(const struct plait_conn *c);
/* The peer's FIN on a subflow, and the acknowledgment of ours. */
void closing_subflow_fin(struct subflow *sf, uint64_t now_us);
void closing_subflow_fin_acked(struct subflow *sf);

/* ---- fastclose.c --------------------------------------------------------------------- */

/* The connection is being aborted here: choose how to tell the peer. */
void fastclose_begin(struct plait_conn *c);
/* MP_FASTCLOSE came, on an ACK or a RST. */
void fastclose_in(struct subflow *sf, uint64_t key);
/* sf is the one that repeats it: is it time to? It was sent. */
bool fastclose_due(const struct subflow *sf, uint64_t now_us);
void fastclose_sent(struct subflow *sf, uint64_t now_us);
void fastclose_tick(struct plait_conn *c, uint64_t now_us);
uint64_t fastclose_deadline(const struct plait_conn *c);

/* ---- info.c --------------------------------------------------------------------------- */

/* Bytes of the two streams, those that went with a SYN included. */
uint64_t conn_bytes_received(const struct plait_conn *c);
uint64_t conn_bytes_acked(const struct plait_conn *c);
void conn_info(const struct plait_conn *c, struct plait_conn_info *out);
void subflow_info(const struct subflow *sf, struct plait_subflow_info *out);

#endif
