/* SPDX-License-Identifier: MIT
 *
 * The engine: Multipath TCP (RFC 8684) as a function of packets and time.
 *
 * A stack does no I/O and reads no clock. Feed it packets with
 * plait_stack_rx, pull packets with plait_stack_tx until it has none, call
 * plait_stack_tick when plait_stack_deadline has come, then look at what
 * became ready with plait_stack_ready. Time is absolute microseconds from any
 * steady clock, never going backwards. Nothing here blocks, sleeps or calls
 * back, except the event sink.
 *
 * A stack belongs to one thread at a time. Handles (listener, conn) belong to
 * the caller until it closes them; closing gives the handle up.
 */
#ifndef PLAIT_PLAIT_H
#define PLAIT_PLAIT_H

#include "plait/events.h"
#include "plait/plugin.h"
#include "plait/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct plait_stack;
struct plait_listener;
struct plait_conn;

/* ---- errors --------------------------------------------------------------- */

/* X(NAME, value, errno's name, text). Functions return 0 or a count on
 * success and one of these, negative, on failure. */
#define PLAIT_ERRORS(X)                                                                            \
    X(AGAIN, -1, EAGAIN, "not ready now: try again when the connection is ready")                  \
    X(INVALID, -2, EINVAL, "invalid argument")                                                     \
    X(NO_MEMORY, -3, ENOMEM, "out of memory or over the stack's memory limit")                     \
    X(IN_USE, -4, EADDRINUSE, "the address and port are in use")                                   \
    X(NO_ADDRESS, -5, EADDRNOTAVAIL, "no usable local address or port")                            \
    X(NOT_CONNECTED, -6, ENOTCONN, "the connection is not established")                            \
    X(SHUT_DOWN, -7, EPIPE, "this direction was shut down")                                        \
    X(REFUSED, -8, ECONNREFUSED, "the peer refused the connection")                                \
    X(RESET, -9, ECONNRESET, "the peer reset the connection")                                      \
    X(TIMED_OUT, -10, ETIMEDOUT, "the peer did not answer")                                        \
    X(UNREACHABLE, -11, EHOSTUNREACH, "the peer cannot be reached")                                \
    X(ABORTED, -12, ECONNABORTED, "the connection was aborted here")                               \
    X(LIMIT, -13, EMFILE, "a configured limit was reached")                                        \
    X(UNKNOWN_NAME, -14, ENOENT, "no plug-in has this name")                                       \
    X(NOT_MULTIPATH, -15, EOPNOTSUPP, "the connection fell back to TCP")                           \
    X(PROTOCOL, -16, EPROTO, "the peer broke the protocol")                                        \
    X(PEER_CLOSED, -17, EPIPE, "the peer closed the connection and takes nothing more")            \
    X(NOT_PERMITTED, -18, EPERM, "a capability is missing (CAP_NET_RAW, CAP_NET_ADMIN)")

enum plait_error {
#define X(id, value, err, text) PLAIT_E_##id = value,
    PLAIT_ERRORS(X)
#undef X
        PLAIT_E_LAST = -19
};
PLAIT_API const char *plait_error_text(int error);
PLAIT_API int plait_error_errno(int error);

/* ---- configuration -------------------------------------------------------- */

/* Which version of MPTCP to offer and to answer. A server answers a client in
 * the client's version if it may; a version it may not speak is answered as
 * plain TCP. Servers of version 0 alone do not understand an offer of version
 * 1 and the other way round, so a client offers one. */
enum plait_version {
    PLAIT_VERSION_DEFAULT, /* in plait_options: as the stack; in plait_config: AUTO */
    PLAIT_VERSION_AUTO,    /* offer 1; answer 0 and 1 */
    PLAIT_VERSION_1,       /* RFC 8684 only */
    PLAIT_VERSION_0        /* RFC 6824 only */
};

/* Explicit congestion notification (RFC 3168): marks instead of losses where a
 * router does that. ANSWER: where the peer asks for it, as Linux does. */
enum plait_ecn { PLAIT_ECN_ANSWER, PLAIT_ECN_ASK, PLAIT_ECN_NEVER };

/* When a server answers a SYN and forgets it (RFC 4987 3.6). What survives:
 * MSS and MPTCP; with timestamps also window scale and SACK. AUTO: while as
 * many handshakes are under way as half_open_max and its like allow. */
enum plait_syn_cookies {
    PLAIT_SYN_COOKIES_AUTO,
    PLAIT_SYN_COOKIES_NEVER, /* then the oldest half-open connection makes room */
    PLAIT_SYN_COOKIES_ALWAYS
};

/* What the engine does about unequal paths, whatever the scheduler: bits. */
enum plait_heuristic {
    /* The window is full and waits for bytes on a slower path than one with room:
     * they go again on that one (Raiciu et al., NSDI 2012, mechanism 1). */
    PLAIT_OPPORTUNISTIC = 1 << 0,
    /* The slower path's congestion window is halved besides, at most once in its
     * round trip (mechanism 2); ssthresh is not, in slow start (Paasch et al.,
     * CoNEXT 2013). */
    PLAIT_PENALISE = 1 << 1,
    /* Where the round trip is more than twice the shortest, no more is under
     * way than fits into twice that (mechanism 4). Not on the only path. */
    PLAIT_CAP = 1 << 2,
    /* A path that kept the others waiting for longer than its own bytes were worth
     * rests, for a second at first, at most for a minute. */
    PLAIT_GUARD = 1 << 3,
    PLAIT_HEURISTICS_ALL = (1 << 4) - 1
};

/* Every field has a default (plait_config_default); limits are tested at the
 * limit and one above. */
struct plait_config {
    struct plait_allocator allocator;
    uint8_t secret[32];           /* all randomness comes from it; must be secret in real use */
    struct plait_event_sink sink; /* emit NULL: none */

    uint64_t memory_max_bytes; /* what the stack allocates, all told; 0: no limit */
    /* Payload that is held, wherever its memory comes from: written and not
     * DATA_ACKed, received and not read. Of all connections together (0: half of
     * memory_max_bytes; no limit where there is none), and of each (0: as its
     * buffers allow; else at least 32 KiB). A connection may hold as much as is
     * free, so that the largest stop first; each direction of one may always
     * hold 16 KiB, even where that is over the limit. */
    uint64_t held_max_bytes, conn_held_max_bytes;
    uint32_t conns_max;           /* connections, half-open ones included */
    uint32_t backlog_max;         /* established and not yet accepted, a listener */
    uint32_t half_open_max;       /* connections that only a SYN has asked for, a listener */
    uint32_t half_open_stack_max; /* the same, all listeners together */
    enum plait_syn_cookies syn_cookies;
    uint16_t joins_half_open_max;       /* subflows that only a SYN has asked for, a connection */
    uint32_t joins_half_open_stack_max; /* the same, all connections together */
    uint16_t subflows_max;              /* a connection */
    uint16_t subflows_wanted;           /* additional subflows the path manager may open */
    uint16_t addrs_accepted_max;        /* peer's announced addresses kept, a connection */
    uint32_t send_buffer_bytes, send_buffer_max_bytes; /* initial; autotuned up to max */
    uint32_t recv_buffer_bytes, recv_buffer_max_bytes;
    uint32_t burst_max_bytes; /* payload of a super-segment; 0: one MSS a packet */

    uint32_t key_pool_max; /* keys prepared by plait_stack_idle; 0: none */

    /* One of several servers behind one address: keys are drawn until their token
     * names this one, so that a load balancer which looks at the first byte of an
     * MP_JOIN's token finds it (`plait lb rules`). server_id 1 to servers, at most
     * 256; servers 0: alone. Costs log2(servers) bits of the key's 64
     * (RFC 8684 5), and `servers` draws a key, which the key pool makes ahead. */
    uint16_t server_id, servers;
    /* The same among the stacks of one process, by the token's second byte: this
     * one is thread_id, 1 to threads, at most 256; threads 0: alone. Costs and
     * draws multiply with those of `servers`. */
    uint16_t thread_id, threads;

    bool multipath; /* offer and accept MPTCP */
    enum plait_version version;
    /* A client whose offer of version 1 was answered without MP_CAPABLE may
     * offer version 0 on its next connection to that destination. Off: whoever
     * strips an option could choose the version (RFC 8684 5). */
    bool version_fallback;
    uint16_t destinations_max;    /* remembered; 0: none (plait_stack_destinations) */
    uint32_t destination_hold_us; /* a verdict is heeded at first; at most 32 times that */
    bool checksum;                /* require DSS checksums */
    bool announce;                /* as a server: tell the peer our further addresses */
    bool client_announces;        /* the same as a client */
    bool client_opens;            /* as a client, open subflows (as the path manager decides) */
    bool server_opens;            /* the same as a server: to the port the client came from */
    bool joins_accepted;          /* from the peer */
    bool no_join_initial;         /* ask the peer to open none to the address and port of the
                                   * first subflow (RFC 8684 3.1, C flag) */
    /* Abort with MP_FASTCLOSE on an ACK, repeated until the peer's RST comes
     * (RFC 8684 3.5 option A), instead of on RSTs at once (option R). Version 0
     * knows no other way than ACKs. */
    bool fastclose_ack;
    bool dsn64, data_ack64; /* the 8-byte forms from the start, not by need */
    /* TCP Fast Open (RFC 7413, RFC 8684 appendix B): data goes with the SYN
     * where the server gave a cookie before. A client may write as soon as
     * plait_connect returned, and what it wrote before the next plait_stack_tx
     * is on the SYN. A server gets a connection that can be read and written
     * before the handshake is over; the same SYN data may reach it twice, as
     * two connections (RFC 7413 2.1), so its application has to allow this. */
    bool fastopen;
    uint32_t fastopen_pending_max; /* a server's, of which the third ACK has not come */
    uint32_t fastopen_cookies_max; /* a client's memory, entries; 0: none */
    bool nagle, timestamps, sack, pacing;
    enum plait_ecn ecn;
    uint8_t capable_syn_retries; /* SYNs with MP_CAPABLE before a plain one */
    uint8_t syn_retries, synack_retries, data_retries;
    uint8_t stale_timeouts; /* consecutive RTOs after which a path is last resort */
    uint16_t mss_max;       /* 0: from the MTU */
    uint32_t rto_min_us, delack_us, time_wait_us;
    uint32_t close_timeout_us; /* after plait_conn_close, since anything last got through */
    uint32_t break_timeout_us; /* with no subflow left that bytes can come on, until one comes
                                * or the connection is over (RFC 8684 3.3.3) */
    uint32_t race_delay_us;    /* between the attempts of plait_connect_race (RFC 8305 5);
                                   * at least 10 ms */
    /* A subflow that is silent for so long is probed, and again every so long
     * (at most 75 s); nine probes without an answer end it (RFC 9293 3.8.4). 0: never. */
    uint32_t keepalive_idle_us;
    /* Where a connection has several subflows, those that this end opened are
     * probed after a silence that NATs and firewalls on the path are likely to
     * survive; how long that may be is learned for each local address, up to this.
     * One that does not answer becomes stale, and the path manager may open
     * another. 0: never. */
    uint32_t nat_keepalive_us;
    /* A connection on which nothing has happened for so long, and nothing is due,
     * is kept in a quarter of the memory until something does: it costs about
     * 2 us to wake. 0: never. */
    uint32_t sleep_us;
    uint32_t add_addr_timeout_us; /* an ADD_ADDR is repeated no later than that; sooner when the
                                   * round trips are known, first after one RTO */
    const char *cc, *scheduler, *path_manager; /* names; see plait_cc_find etc. */
    struct plait_plugins plugins;              /* the program's own, for names that plait has not */
    unsigned heuristics;                       /* enum plait_heuristic; other bits: INVALID */
};
PLAIT_API void plait_config_default(struct plait_config *config);

/* Plait's plug-ins by name, or NULL; by index for listings, the default first. A
 * scheduler's name may have options after a colon, as "weighted:3,1": NULL also
 * where it does not understand them. */
PLAIT_API const struct plait_cc *plait_cc_find(const char *name);
PLAIT_API const struct plait_sched *plait_sched_find(const char *name);
PLAIT_API const struct plait_pm *plait_pm_find(const char *name);
PLAIT_API const struct plait_cc *plait_cc_at(unsigned index);
PLAIT_API const struct plait_sched *plait_sched_at(unsigned index);
PLAIT_API const struct plait_pm *plait_pm_at(unsigned index);

/* ---- stack ---------------------------------------------------------------- */

/* 0, PLAIT_E_NO_MEMORY, PLAIT_E_INVALID or PLAIT_E_UNKNOWN_NAME. The
 * configuration is copied. */
PLAIT_API int plait_stack_new(const struct plait_config *config, uint64_t now_us,
                              struct plait_stack **out);
/* Frees everything, handles included, without sending. */
PLAIT_API void plait_stack_free(struct plait_stack *stack);

/* One packet in. References to p->chunk are taken where payload is kept. */
PLAIT_API void plait_stack_rx(struct plait_stack *stack, const struct plait_packet_rx *p,
                              uint64_t now_us);
/* The next packet out. False: none now. Payload pieces stay valid until the
 * next call that is not plait_stack_tx. */
PLAIT_API bool plait_stack_tx(struct plait_stack *stack, uint64_t now_us,
                              struct plait_packet_tx *p);
/* Answers to packets that belong to no connection (SYN cookies, resets) wait in a
 * short queue, and what finds it full gets none. True: it is more than half full,
 * so pull what waits before feeding many more packets. */
PLAIT_API bool plait_stack_crowded(const struct plait_stack *stack);
/* When plait_stack_tick (and plait_stack_tx after it) is next needed;
 * UINT64_MAX: not before something happens. */
PLAIT_API uint64_t plait_stack_deadline(const struct plait_stack *stack);
PLAIT_API void plait_stack_tick(struct plait_stack *stack, uint64_t now_us);
/* Something useful while there is nothing to do: keys are prepared, a few a
 * call. True: there is more. Never needed, and it changes nothing that is sent
 * but the keys' values: who wants two runs to be the same calls it at the same
 * points of both. */
PLAIT_API bool plait_stack_idle(struct plait_stack *stack);
/* A connection or listener whose readiness changed since it was last given
 * out; false: no more. Exactly one of *conn and *listener is set. */
PLAIT_API bool plait_stack_ready(struct plait_stack *stack, struct plait_conn **conn,
                                 struct plait_listener **listener);

/* A local address of this host came or went. mtu in IP bytes. Adding one
 * that is there updates it. */
struct plait_local {
    struct plait_addr addr;
    uint32_t link;      /* addresses with the same number share an interface; 0: not known */
    uint8_t prefix_len; /* of the link's network; 0: not known */
    uint16_t mtu;
    uint16_t port;   /* announced with it: joins come there too; 0: the connection's port */
    bool backup;     /* subflows from it are backup; a change is told to peers (MP_PRIO) */
    bool no_subflow; /* reachable, but open nothing from it by ourselves */
    bool no_announce;
};
PLAIT_API int plait_stack_add_addr(struct plait_stack *stack, const struct plait_local *local,
                                   uint64_t now_us);
PLAIT_API int plait_stack_remove_addr(struct plait_stack *stack, const struct plait_addr *addr,
                                      uint64_t now_us);
/* Local ports that outgoing subflows may use. While none was given, the
 * dynamic range 49152 to 65535 (RFC 6335) is used. */
PLAIT_API int plait_stack_add_port(struct plait_stack *stack, uint16_t port);

/* X(name) : kernel MIB names where the kernel has the counter. */
/* clang-format off */
#define PLAIT_COUNTERS(X)                                                                          \
    X(SegsIn) X(SegsOut) X(PacketsIn) X(PacketsOut)                                                \
    X(DropShort) X(DropNotTcp) X(DropFragment) X(DropIpChecksum) X(DropChecksum)                   \
    X(DropBadOption) X(DropNoSocket) X(DropListenerFull) X(DropMemory) X(DropLimit)                \
    X(IcmpIn) X(OutRsts) X(ActiveOpens) X(PassiveOpens) X(AttemptFails) X(EstabResets)             \
    X(RetransSegs) X(Timeouts) X(LossProbes) X(SpuriousRtos) X(ChallengeAck) X(PawsDrop)           \
    X(MPCapableSYNRX) X(MPCapableSYNTX) X(MPCapableSYNACKRX) X(MPCapableACKRX)                     \
    X(MPCapableFallbackACK) X(MPCapableFallbackSYNACK) X(MPCapableSYNTXDrop)                       \
    X(MPCapableDataFallback) X(MPFallbackTokenInit) X(MPTCPRetrans)                                \
    X(MPJoinNoTokenFound) X(MPJoinSynRx) X(MPJoinSynAckRx) X(MPJoinSynAckHMacFailure)              \
    X(MPJoinSynAckNoMPJoin) X(MPJoinAckRx) X(MPJoinAckHMacFailure) X(MPJoinAckNoMPJoin)            \
    X(MPJoinRejected) X(MPJoinNotEstablished) X(MPJoinSynTx)                                       \
    X(DSSNotMatching) X(InfiniteMapTx) X(InfiniteMapRx) X(DSSNoMatchTCP) X(DataCsumErr)            \
    X(OFOQueue) X(DuplicateData) X(NoDSSInWindow)                                                  \
    X(AddAddr) X(AddAddrTx) X(AddAddrTxDrop) X(AddAddrDrop) X(EchoAdd) X(EchoAddTx)                \
    X(EchoAddDrop) X(PortAdd) X(MPJoinPortSynRx) X(MPJoinPortSynAckRx) X(MPJoinPortAckRx)          \
    X(MPJoinSynBackupRx) X(MPJoinSynAckBackupRx)                              \
    X(RmAddr) X(RmAddrDrop) X(RmAddrTx) X(RmAddrTxDrop)                                            \
    X(MPOptionIgnored) X(MPExperimentalRx)                                                         \
    X(RmSubflow) X(MPPrioTx) X(MPPrioRx) X(MPFailTx) X(MPFailRx) X(MPFastcloseTx)                  \
    X(MPFastcloseRx) X(MPRstTx) X(MPRstRx) X(SubflowStale) X(SubflowRecover) X(MPCurrEstab)        \
    X(NatKeepalives) X(InCEPkts)                                                                   \
    X(DssFallback) X(DssReset) X(DSSCorruptionFallback) X(DSSCorruptionReset) X(FallbackFailed)    \
    X(SimultConnectFallback) X(WinProbe)                                                           \
    X(TCPMemoryPressures) X(PruneCalled) X(OfoPruned) X(RcvPruned)                                 \
    X(TokenCollision)                                                                              \
    X(HalfOpenDropped) X(HalfOpenRefused) X(JoinHalfOpenDropped) X(JoinHalfOpenRefused)            \
    X(SyncookiesSent) X(SyncookiesRecv) X(SyncookiesFailed)                                        \
    X(TCPFastOpenActive) X(TCPFastOpenActiveFail) X(TCPFastOpenPassive) X(TCPFastOpenPassiveFail)  \
    X(TCPFastOpenListenOverflow) X(TCPFastOpenCookieReqd) X(FastOpenNoRoom) \
    X(PluginFailed)
/* clang-format on */

struct plait_counters {
#define X(name) uint64_t name;
    PLAIT_COUNTERS(X)
#undef X
};
PLAIT_API const struct plait_counters *plait_stack_counters(const struct plait_stack *stack);
/* Name of counter i in the order of the struct, or NULL past the last. */
PLAIT_API const char *plait_counter_name(unsigned i);

struct plait_memory {
    uint64_t used_bytes, peak_bytes, limit_bytes, refused;
    uint64_t held_bytes, held_limit_bytes; /* plait_config.held_max_bytes */
    uint32_t conns, subflows;
    uint32_t conns_squeezed; /* of them: held_max_bytes keeps them from holding more */
    uint32_t conns_asleep;   /* of them: idle (plait_config.sleep_us) */
    uint32_t conns_waiting;  /* of them: only TIME_WAIT is left (RFC 9293 3.6.1) */
};
PLAIT_API void plait_stack_memory(const struct plait_stack *stack, struct plait_memory *out);

/* What clients of this stack learned about a destination and heed (see
 * docs/decisions): SYNs with MP_CAPABLE that nobody answered, offers that were
 * answered without it. Never across the networks of different local addresses. */
struct plait_destination {
    struct plait_addr local; /* our network; our address where its length is not known */
    uint8_t prefix_len;      /* 0: not known */
    struct plait_endpoint remote;
    uint8_t version;        /* that was offered: 0 or 1 */
    enum plait_reason why;  /* SYN_DROPPED or PEER_NO_MPTCP */
    bool decisive, probing; /* it is heeded; one connection is trying anew */
    uint32_t seen, used;    /* connections in a row that showed it, that heeded it */
    uint64_t seen_us;       /* when last */
    uint64_t until_us;      /* from then on one connection tries anew */
};
/* Fill at most `max` entries, the one learned longest ago first; returns how
 * many there are. */
PLAIT_API unsigned plait_stack_destinations(const struct plait_stack *stack,
                                            struct plait_destination *out, unsigned max);

/* Check every invariant; aborts with a message. For tests and simulation. */
PLAIT_API void plait_stack_check(const struct plait_stack *stack);

/* ---- connections ---------------------------------------------------------- */

/* What may differ from the stack's configuration for one listener or
 * connection. Zero means: as the stack. */
struct plait_options {
    enum { PLAIT_MULTIPATH_DEFAULT, PLAIT_MULTIPATH_ON, PLAIT_MULTIPATH_OFF } multipath;
    enum { PLAIT_OPENS_DEFAULT, PLAIT_OPENS_ON, PLAIT_OPENS_OFF } opens; /* client_, server_opens */
    bool no_join_initial; /* true: the C flag, whatever the stack says */
    enum { PLAIT_FASTOPEN_DEFAULT, PLAIT_FASTOPEN_ON, PLAIT_FASTOPEN_OFF } fastopen;
    enum plait_version version;
    const char *cc, *scheduler, *path_manager;
    unsigned heuristics_on, heuristics_off; /* changes to the stack's; off prevails */
    uint32_t backlog;
    bool no_nagle;
    bool linger;               /* SO_LINGER: see "How a connection ends" */
    uint32_t linger_us;        /* with linger: how long plait_conn_close waits; 0: it resets */
    uint32_t break_timeout_us; /* plait_config.break_timeout_us for this one */
    uint32_t race_delay_us;    /* plait_config.race_delay_us for this one */
};

/* Whether a connection could be begun with these: 0, UNKNOWN_NAME or INVALID. */
PLAIT_API int plait_options_check(const struct plait_stack *stack,
                                  const struct plait_options *options);

/* Accept connections to this endpoint (PLAIT_NONE address: any of ours; 0.0.0.0
 * or ::, any of that family, which goes before). */
PLAIT_API int plait_listen(struct plait_stack *stack, const struct plait_endpoint *local,
                           const struct plait_options *options, struct plait_listener **out);
PLAIT_API void plait_listener_close(struct plait_listener *listener, uint64_t now_us);
/* An established connection that nobody took yet, or NULL. */
PLAIT_API struct plait_conn *plait_accept(struct plait_listener *listener);

/* Open a connection. local may be NULL, or leave address or port open. The
 * handle is valid at once; PLAIT_POLL_CONNECTED or _ERROR follows. */
PLAIT_API int plait_connect(struct plait_stack *stack, const struct plait_endpoint *local,
                            const struct plait_endpoint *remote,
                            const struct plait_options *options, uint64_t now_us,
                            struct plait_conn **out);

/* A pair of addresses that a connection may begin between. As for
 * plait_connect the local address or port may be left open. */
struct plait_candidate {
    struct plait_endpoint local, remote;
};
enum { PLAIT_CANDIDATES_MAX = 16 };

/* Open one connection between the first of several pairs that answers, in the
 * manners of RFC 8305: a SYN to the first at once; one to the next after
 * race_delay_us, or as soon as one was refused or reported unreachable; each
 * repeated until its own retries are used up. The first SYN/ACK wins: its pair
 * is where the connection's first subflow runs, the other attempts are over,
 * and whoever answers one of them later gets RST before it sees a third ACK.
 * Order is the caller's. All remotes must be the same server: what none of
 * them announced is not joined later. The key is one for all attempts: it is
 * sent with the winner's third ACK in version 1, and with each SYN in version
 * 0, where it names one connection of ours and nothing at the server.
 * 0, or as plait_connect; LIMIT: more than PLAIT_CANDIDATES_MAX. Pairs that
 * have no usable local address are passed over while there is another. */
PLAIT_API int plait_connect_race(struct plait_stack *stack,
                                 const struct plait_candidate *candidates, unsigned count,
                                 const struct plait_options *options, uint64_t now_us,
                                 struct plait_conn **out);

/* Queue bytes: how many were taken (at least 1), or an error (_AGAIN: the
 * send buffer is full). */
PLAIT_API int64_t plait_conn_write(struct plait_conn *conn, const void *data, size_t len,
                                   uint64_t now_us);
/* Take received bytes: how many, 0 at the end of the stream, or an error
 * (_AGAIN: none yet). An error of the connection comes after the last byte. */
PLAIT_API int64_t plait_conn_read(struct plait_conn *conn, void *data, size_t len, uint64_t now_us);

/* ---- without a copy -------------------------------------------------------- */

/* The same two directions where the application fills and reads the
 * connection's own memory. What is lent stays the connection's; the pointer is
 * good until the next call on the same stack, whatever it is for, but
 * plait_conn_send_commit and plait_conn_recv_release for these bytes. All calls
 * come from the stack's own thread. Mixing them with write and read is allowed:
 * bytes go and come in the order of the calls.
 *
 *   void *room;
 *   int64_t n = plait_conn_send_borrow(conn, 65536, &room, now_us);
 *   if (n > 0)
 *       plait_conn_send_commit(conn, fill(room, n), now_us);
 */

/* Room for the bytes that come next: *room is where, the result how many (at
 * least 1, at most `wanted` and 64 KiB), or an error as plait_conn_write gives
 * it. What is there now means nothing, and nothing is sent of it before it is
 * committed. wanted 0: INVALID. */
PLAIT_API int64_t plait_conn_send_borrow(struct plait_conn *conn, size_t wanted, void **room,
                                         uint64_t now_us);
/* The first `len` bytes of what was lent last are written and belong to the
 * stream; the rest goes back. 0: all of it goes back, and this must be said too.
 * 0, or INVALID: nothing of that size was lent; nothing is taken then. */
PLAIT_API int plait_conn_send_commit(struct plait_conn *conn, size_t len, uint64_t now_us);
/* The received bytes that come next, as many as lie in one piece: *data is
 * where, the result how many, 0 at the end of the stream, or an error as
 * plait_conn_read gives it. They stay unread, and are lent again, until they
 * are released. */
PLAIT_API int64_t plait_conn_recv_borrow(struct plait_conn *conn, const void **data,
                                         uint64_t now_us);
/* The first `len` of these bytes are read. 0, or INVALID: there are not so many
 * in that piece; nothing is read then. */
PLAIT_API int plait_conn_recv_release(struct plait_conn *conn, size_t len, uint64_t now_us);

/* ---- how a connection ends ------------------------------------------------ */

/* As users of sockets know it (RFC 9293 3.6, 3.10.4 and 3.10.5, RFC 1122
 * 4.2.2.13), whatever the number of subflows. Each direction ends for itself:
 * ours with plait_conn_shutdown, the peer's with the end of its stream.
 *
 *   reading   what has arrived can be read whatever happened since; then 0
 *             where the stream has ended (the peer's end, or SHUT_RD), else
 *             the connection's error
 *   writing   SHUT_DOWN after SHUT_WR; the connection's error once there is
 *             one: RESET, or PEER_CLOSED when the peer reset the connection
 *             after the end of its own stream, because it is gone altogether
 *   close     delivers what is queued and ends our direction; but with unread
 *             bytes, or when bytes come after it, the connection is reset:
 *             the peer must not think that they were read
 *   abort     MP_FASTCLOSE, and RST on every subflow (RFC 8684 3.5); nothing
 *             once both directions have ended well
 *
 * What poll shows ("data": unread bytes; "room": in the send buffer; "acked":
 * our end of stream is; "was": as before it failed):
 *
 *                            READABLE WRITABLE CONNECTED EOF FINISHED ERROR HANGUP
 *   not yet connected            -       -         -      -      -      -      -
 *   connected                  data     room       x      -      -      -      -
 *   the peer's stream ended      x      room       x      x      -      -      -
 *   SHUT_RD                      x      room       x      x      -      -      -
 *   SHUT_WR                    data      x         x      -    acked    -      -
 *   SHUT_WR, and reading ended   x       x         x      x    acked    -      x
 *   all subflows are gone        x       x         -      x      x      -      x
 *   failed                       x       x         -     was    was     x      x
 *
 * An error that nobody asked for is told at both ends where a packet still
 * gets through, and is never mixed up with an end of stream. */

/* Which direction to end: SHUT_RD, SHUT_WR, SHUT_RDWR of shutdown(2). */
enum plait_shut { PLAIT_SHUT_RD = 1, PLAIT_SHUT_WR = 2, PLAIT_SHUT_RDWR = 3 };

/* SHUT_WR: no more writes; DATA_FIN after what is queued. Reading goes on.
 * SHUT_RD: reading ends with what has arrived. Nothing is told to the peer,
 * and what it still sends is received (and readable) within the window, as
 * Linux does it. 0, INVALID for another `how`, NOT_CONNECTED before or after
 * the connection, or the connection's error. */
PLAIT_API int plait_conn_shutdown(struct plait_conn *conn, enum plait_shut how, uint64_t now_us);
/* Give the handle up, and deliver what is queued (for at most
 * close_timeout_us without progress). With linger on and no time: abort. With
 * linger on and a time it returns AGAIN as long as something is to be waited
 * for: both directions are shut down, the handle stays the caller's, and
 * PLAIT_POLL_LINGERED says that our end of stream was acknowledged, that the
 * connection failed, or that the time is over. Closing again gives the handle
 * up in any case; what was not delivered by then still is, in the background.
 * 0: the handle is gone. */
PLAIT_API int plait_conn_close(struct plait_conn *conn, uint64_t now_us);
/* Give the handle up at once: MP_FASTCLOSE, RST on every subflow. */
PLAIT_API void plait_conn_abort(struct plait_conn *conn, uint64_t now_us);
/* Nagle's algorithm (RFC 9293 3.7.4) on or off, as TCP_NODELAY has it. */
PLAIT_API void plait_conn_set_nagle(struct plait_conn *conn, bool on, uint64_t now_us);
/* SO_LINGER after the connection was made; see plait_options. */
PLAIT_API void plait_conn_set_linger(struct plait_conn *conn, bool on, uint32_t linger_us);

enum plait_poll {
    PLAIT_POLL_READABLE = 1, /* read returns bytes, end of stream or an error */
    PLAIT_POLL_WRITABLE = 2, /* write takes something, or returns an error */
    PLAIT_POLL_CONNECTED = 4,
    PLAIT_POLL_EOF = 8,       /* reading ends after what is there: POLLRDHUP */
    PLAIT_POLL_FINISHED = 16, /* all we wrote, and our end of stream, is acknowledged */
    PLAIT_POLL_ERROR = 32,    /* plait_conn_error says what: POLLERR */
    PLAIT_POLL_HANGUP = 64,   /* both directions have ended: POLLHUP */
    PLAIT_POLL_LINGERED = 128 /* plait_conn_close need not wait any longer */
};
PLAIT_API unsigned plait_conn_poll(const struct plait_conn *conn);
PLAIT_API int plait_conn_error(const struct plait_conn *conn);
PLAIT_API void plait_conn_set_user(struct plait_conn *conn, void *user);
PLAIT_API void *plait_conn_user(const struct plait_conn *conn);

struct plait_conn_info {
    uint32_t id, token, peer_token;
    uint8_t version; /* of MPTCP, offered or negotiated: 0 or 1 */
    bool client, established, multipath, checksum;
    enum plait_reason fallback_why;      /* not multipath: why */
    enum plait_reason destination_why;   /* what was known of the destination decided: what */
    unsigned subflows, subflows_total;   /* now, ever */
    uint64_t bytes_written, bytes_acked; /* application bytes, once each */
    uint64_t bytes_received, bytes_read;
    uint64_t bytes_reinjected; /* sent again over another path, because they were late or lost; */
    uint64_t bytes_copied;     /* because the scheduler wanted them on several */
    uint64_t send_queued_bytes, recv_queued_bytes, ooo_bytes;
    uint32_t send_buffer_bytes, recv_buffer_bytes;
    uint64_t send_window_bytes, recv_window_bytes;
    struct plait_endpoint local, remote;       /* of the first subflow */
    const char *scheduler, *path_manager, *cc; /* without options */
};
PLAIT_API void plait_conn_info(const struct plait_conn *conn, struct plait_conn_info *out);

struct plait_subflow_info {
    uint32_t id;
    struct plait_endpoint local, remote;
    uint8_t local_id, remote_id;
    unsigned order; /* of its pair of addresses: as a scheduler sees it (plait/plugin.h) */
    bool established, closed, backup, stale, client;
    bool ecn;              /* both ends agreed to marks instead of losses (RFC 3168) */
    const char *state;     /* RFC 9293's name */
    enum plait_reason why; /* closed: the reason */
    uint32_t srtt_us, rttvar_us, rtt_min_us, rto_us, mss_bytes;
    uint64_t cwnd_bytes, ssthresh_bytes, in_flight_bytes, pacing_rate;
    uint64_t segs_in, segs_out, bytes_sent, bytes_received; /* payload on this subflow */
    uint64_t bytes_retransmitted, bytes_reinjected_from;    /* bytes moved to others */
    uint32_t retransmits, timeouts, probes, recoveries, spurious;
};
/* Fill at most `max` entries, closed subflows included (their numbers outlive
 * them); returns how many there are. */
PLAIT_API unsigned plait_conn_subflows(const struct plait_conn *conn,
                                       struct plait_subflow_info *out, unsigned max);

/* Path management by hand. open_subflow: PLAIT_E_REFUSED where the peer asked
 * for none (RFC 8684 3.1, C flag), PLAIT_E_INVALID between different IP versions. */
PLAIT_API int plait_conn_open_subflow(struct plait_conn *conn, const struct plait_endpoint *local,
                                      const struct plait_endpoint *remote, bool backup,
                                      uint64_t now_us);
PLAIT_API int plait_conn_close_subflow(struct plait_conn *conn, uint32_t subflow_id,
                                       uint64_t now_us);
PLAIT_API int plait_conn_set_backup(struct plait_conn *conn, uint32_t subflow_id, bool backup,
                                    uint64_t now_us);

/* From now on this congestion control, on every subflow, those to come
 * included. Windows and thresholds stay as they are, what the former one had
 * learned beyond them is forgotten. 0, PLAIT_E_UNKNOWN_NAME, or
 * PLAIT_E_NO_MEMORY where the connection sleeps and cannot be woken. */
PLAIT_API int plait_conn_set_cc(struct plait_conn *conn, const char *name, uint64_t now_us);

/* From now on another scheduler chooses the paths; it begins
 * anew, what is under way stays where it is. 0, PLAIT_E_UNKNOWN_NAME or, for a
 * connection that sleeps, PLAIT_E_NO_MEMORY: then nothing has changed. */
PLAIT_API int plait_conn_set_scheduler(struct plait_conn *conn, const char *name, uint64_t now_us);

#ifdef __cplusplus
}
#endif
#endif
