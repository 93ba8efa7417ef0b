/* SPDX-License-Identifier: MIT
 *
 * The one list of events and the one list of reasons. Traces, counters,
 * tools and the simulator's oracles all read these; nothing else is logged.
 */
#ifndef PLAIT_EVENTS_H
#define PLAIT_EVENTS_H

#include "plait/types.h"

/* X(NAME, "name", names of the numeric arguments, NULL where unused) */
#define PLAIT_EVENTS(X)                                                                            \
    X(CONN_CREATED, "conn_created", "token", "peer_token", NULL, NULL)                             \
    X(CONN_ESTABLISHED, "conn_established", "token", "multipath", "version", "checksum")           \
    X(CONN_FALLBACK, "conn_fallback", NULL, NULL, NULL, NULL)                                      \
    X(CONN_SQUEEZED, "conn_squeezed", "held", "held_by_all", "send_buffer", "recv_buffer")         \
    X(CONN_RELAXED, "conn_relaxed", "held", "held_by_all", "send_buffer", "recv_buffer")           \
    X(CONN_PRUNED, "conn_pruned", "bytes", "held", "held_by_all", NULL)                            \
    X(CONN_CLOSED, "conn_closed", "bytes_received", "bytes_acked", "error", NULL)                  \
    X(SUBFLOW_CREATED, "subflow_created", "local_id", "remote_id", "backup", NULL)                 \
    X(SUBFLOW_ESTABLISHED, "subflow_established", "local_id", "remote_id", "backup", NULL)         \
    X(SUBFLOW_CLOSED, "subflow_closed", "error", "rst_reason", "transient", NULL)                  \
    X(SUBFLOW_PRIORITY, "subflow_priority", "backup", "from_peer", NULL, NULL)                     \
    X(SUBFLOW_STALE, "subflow_stale", "timeouts", NULL, NULL, NULL)                                \
    X(SUBFLOW_RECOVERED, "subflow_recovered", NULL, NULL, NULL, NULL)                              \
    X(SUBFLOW_RESTED, "subflow_rested", "cost_bytes", "gain_bytes", "rest_us", NULL)               \
    X(SUBFLOW_TRIED, "subflow_tried", "rests", NULL, NULL, NULL)                                   \
    X(JOIN_REFUSED, "join_refused", "token", NULL, NULL, NULL)                                     \
    X(DESTINATION_JUDGED, "destination_judged", "version", "seen", "hold_us", NULL)                \
    X(DESTINATION_USED, "destination_used", "version", "seen", "hold_us", NULL)                    \
    X(DESTINATION_FORGOTTEN, "destination_forgotten", "version", "seen", "hold_us", NULL)          \
    X(ADDR_LOCAL_ADDED, "addr_local_added", "id", "mtu", NULL, NULL)                               \
    X(ADDR_LOCAL_REMOVED, "addr_local_removed", "id", NULL, NULL, NULL)                            \
    X(ADDR_ANNOUNCED, "addr_announced", "id", "attempt", NULL, NULL)                               \
    X(ADDR_RECEIVED, "addr_received", "id", "port", "echo", NULL)                                  \
    X(ADDR_DROPPED, "addr_dropped", "id", NULL, NULL, NULL)                                        \
    X(ADDR_WITHDRAWN, "addr_withdrawn", "id", "from_peer", NULL, NULL)                             \
    X(REINJECTED, "reinjected", "dsn", "bytes", "from_subflow", NULL)                              \
    X(LOSS, "loss", "cwnd_bytes", "in_flight_bytes", "timeout", NULL)                              \
    X(SEGMENT_DROPPED, "segment_dropped", "error", "bytes", NULL, NULL)                            \
    X(MAPPING_DROPPED, "mapping_dropped", "dsn", "ssn", "len", NULL)                               \
    X(PLUGIN_FAILED, "plugin_failed", "kind", "line", NULL, NULL)

enum plait_event_type {
#define X(id, name, a, b, c, d) PLAIT_EV_##id,
    PLAIT_EVENTS(X)
#undef X
        PLAIT_EV_COUNT
};

/* X(NAME, "sentence") : why something was decided. */
#define PLAIT_REASONS(X)                                                                           \
    X(NONE, "no particular reason")                                                                \
    X(PEER_NO_MPTCP, "the SYN/ACK carried no MP_CAPABLE: the peer or a middlebox has no MPTCP")    \
    X(PEER_PLAIN_SYN, "the SYN carried no MP_CAPABLE: the client has no MPTCP")                    \
    X(PEER_VERSION, "the peer offered an MPTCP version or form that is not spoken here")           \
    X(PEER_CHECKSUM, "the peer requires DSS checksums and they are refused here")                  \
    X(SYN_DROPPED, "SYNs with MP_CAPABLE were not answered; a plain SYN was sent")                 \
    X(DESTINATION_DROPS_SYNS, "lately only plain SYNs were answered: MP_CAPABLE was left out")     \
    X(DESTINATION_NO_V1,                                                                           \
      "version 1 was lately answered without MP_CAPABLE: version 0 was offered")                   \
    X(DESTINATION_PROBE, "the verdict on the destination is old: this connection tries anew")      \
    X(DESTINATION_WORKS, "the destination answered with MP_CAPABLE")                               \
    X(DESTINATION_DECAYED, "nothing renewed the verdict on the destination for too long")          \
    X(THIRD_ACK_PLAIN, "the client's third ACK and first data carried no MP_CAPABLE")              \
    X(TOKEN_TAKEN, "the token of every key that was tried belongs to another connection")          \
    X(COOKIE_KEYS_LOST, "the SYN was answered with a cookie, and the ACK with the keys got lost")  \
    X(FIRST_DATA_PLAIN, "the first data carried no DSS")                                           \
    X(FIRST_ACK_PLAIN, "data was acknowledged on the first subflow without a DATA_ACK")            \
    X(FIRST_ACK_WRONG, "the first DATA_ACK is of nothing that was sent")                           \
    X(FIRST_KEYS_WRONG, "the keys beside the first data are not the connection's")                 \
    X(OPTIONS_STRIPPED, "data is acknowledged without DATA_ACK: options are lost on the way")      \
    X(JOIN_DATA_PLAIN, "the first data on a joined subflow carried no DSS")                        \
    X(JOIN_ACK_PLAIN, "data on a joined subflow was first acknowledged without a DATA_ACK")        \
    X(CHECKSUM_FAILED, "a DSS checksum did not match")                                             \
    X(LENGTH_CHANGED, "mappings are shifted against the data: a middlebox changed its length")     \
    X(INFINITE_MAPPING, "the peer sent an infinite mapping")                                       \
    X(MP_FAIL, "the peer sent MP_FAIL")                                                            \
    X(DISABLED, "Multipath TCP was switched off for this connection")                              \
    X(NO_TOKEN, "MP_JOIN named a token that no connection has")                                    \
    X(BAD_HMAC, "an HMAC did not match")                                                           \
    X(NO_JOIN_OPTION, "the answer to MP_JOIN carried no MP_JOIN")                                  \
    X(NOT_CONFIRMED, "the connection is not confirmed yet")                                        \
    X(LIMIT, "a limit was reached")                                                                \
    X(POLICY, "policy forbids it")                                                                 \
    X(NO_MEMORY, "memory was refused")                                                             \
    X(DUPLICATE, "it exists already")                                                              \
    X(BAD_ADDRESS, "the address cannot be used")                                                   \
    X(TIMEOUT, "no answer after all retransmissions")                                              \
    X(PEER_RESET, "the peer sent RST")                                                             \
    X(PEER_FASTCLOSE, "the peer sent MP_FASTCLOSE")                                                \
    X(PEER_REMOVED_ADDR, "the peer sent REMOVE_ADDR")                                              \
    X(LOCAL_ADDR_GONE, "the local address disappeared")                                            \
    X(LOCAL_ABORT, "closed here with data outstanding")                                            \
    X(LOCAL_CLOSE, "closed here")                                                                  \
    X(PEER_CLOSE, "closed by the peer")                                                            \
    X(UNREACHABLE, "the network reported the destination unreachable")                             \
    X(BAD_MAPPING, "a mapping contradicts an earlier one or the data it is on")                    \
    X(UNMAPPED_DATA, "data arrived that no mapping covers")                                        \
    X(SUBFLOW_TIMEOUT, "the subflow's retransmission timer expired")                               \
    X(KEEPALIVE_UNANSWERED, "nobody answers on an idle subflow")                                   \
    X(TAIL, "nothing else is left to send and this path will deliver it sooner")                   \
    X(WINDOW, "the peer's window was full and waited for these bytes")                             \
    X(SILENCE, "the subflow's acknowledgments are overdue")                                        \
    X(SUBFLOW_LOST, "the subflow ended before its data was acknowledged")                          \
    X(PEER_CLOSED_SUBFLOW, "the peer closed the subflow")                                          \
    X(PRIVATE_ADDRESS, "a private address means nothing where the peer is, as far as can be seen") \
    X(NOT_ANNOUNCED, "it answers an announcement that was not made")                               \
    X(COST, "while others waited for its bytes they could have brought more than it did")          \
    X(REST_OVER, "it rested for as long as it was to")                                             \
    X(PERFORMANCE, "the path manager found the path too slow")                                     \
    X(SIMULTANEOUS_OPEN, "both ends sent a SYN at once: MPTCP has no answer to that")              \
    X(NO_SUBFLOW, "the last subflow was lost and no other came in time")                           \
    X(RACE_DELAY, "the attempts before had not been answered within the delay")                    \
    X(RACE_LOST, "another attempt was answered first")                                             \
    X(CONN_MEMORY, "the connection holds as much as one may")                                      \
    X(STACK_MEMORY, "all connections together hold nearly as much as they may")                    \
    X(HALF_OPEN, "too many handshakes waited for their last ACK")                                  \
    X(PLUGIN_ERROR, "a plug-in ended with an error: the default took its place")                   \
    X(PLUGIN_STEPS, "a plug-in took too long: the default took its place")                         \
    X(PLUGIN_MEMORY, "a plug-in wanted too much memory: the default took its place")               \
    X(PLUGIN_RESULT, "a plug-in returned what means nothing: the default took its place")

enum plait_reason {
#define X(id, text) PLAIT_WHY_##id,
    PLAIT_REASONS(X)
#undef X
        PLAIT_WHY_COUNT
};

struct plait_event {
    uint64_t time_us;
    enum plait_event_type type;
    enum plait_reason why;
    uint32_t conn_id;    /* unique in the stack's life; 0: none */
    uint32_t subflow_id; /* unique in the connection's life, from 1; 0: none */
    struct plait_endpoint local, remote;
    uint64_t arg[4];
};

/* PLAIT_EV_PLUGIN_FAILED's argument "kind"; "line" is of the plug-in's script,
 * 0: not known. */
enum plait_plugin_kind { PLAIT_PLUGIN_CC, PLAIT_PLUGIN_SCHEDULER, PLAIT_PLUGIN_PATH_MANAGER };

/* A place to put events. It must not call into the stack. */
struct plait_event_sink {
    void *ctx;
    void (*emit)(void *ctx, const struct plait_event *event);
};

PLAIT_API const char *plait_event_name(enum plait_event_type type);
/* Name of argument i (0..3) of a type, or NULL. */
PLAIT_API const char *plait_event_arg_name(enum plait_event_type type, unsigned i);
/* A sentence, and a short word for it (the enum's name in lower case). */
PLAIT_API const char *plait_reason_text(enum plait_reason why);
PLAIT_API const char *plait_reason_name(enum plait_reason why);

#endif
