/* SPDX-License-Identifier: MIT
 *
 * The three plug-in kinds: congestion control, packet scheduler, path
 * manager. A plug-in is a constant table of functions and a name. It gets
 * constant views and returns a value; it never sees a subflow. Those that come
 * with plait allocate nothing, read no clock and keep no state outside the
 * block they are given. All sizes are bytes, all times microseconds. Calls come
 * from the stack's own thread.
 *
 * The state block of state_size bytes, aligned for a uint64_t, is zeroed
 * before the first call. The engine may copy it elsewhere between two calls:
 * nothing may point into it.
 *
 * A plug-in that stands for something outside of its block, as one does that
 * runs somebody's script, has three functions besides, each of which may be
 * NULL:
 *
 *   begin    the first call for a connection (congestion control: a subflow),
 *            with the plug-in's own `data`
 *   done     the last one: what the block stands for is given back. Between the
 *            two the block is not forgotten; a connection with such a plug-in
 *            does not sleep (plait_config.sleep_us)
 *   trouble  asked after each other call: did it fail since begin? From the
 *            first time on plait's default of its kind is used in its stead for
 *            this connection, what the failing call decided is not heeded, and
 *            PLAIT_EV_PLUGIN_FAILED says so
 */
#ifndef PLAIT_PLUGIN_H
#define PLAIT_PLUGIN_H

#include "plait/types.h"

enum { PLAIT_PLUGIN_STATE_MAX = 96 }; /* bytes of state a plug-in may ask for */

/* What went wrong in a plug-in. */
enum plait_plugin_failure {
    PLAIT_PLUGIN_WORKS,
    PLAIT_PLUGIN_ERROR,  /* it says so itself */
    PLAIT_PLUGIN_STEPS,  /* it took too long */
    PLAIT_PLUGIN_MEMORY, /* it wanted too much memory */
    PLAIT_PLUGIN_RESULT  /* what it returned means nothing */
};

struct plait_plugin_trouble {
    enum plait_plugin_failure what;
    uint32_t line; /* of its script; 0: not known */
};

/* ---- congestion control -------------------------------------------------- */

/* What a congestion control may know of a subflow, its own or a sibling's. */
struct plait_cc_view {
    uint64_t cwnd_bytes, ssthresh_bytes, in_flight_bytes;
    /* The window to reckon with, at most 2^30: cwnd, but in fast recovery the
     * one that it will end with (RFC 6356 3). */
    uint64_t steady_bytes;
    uint64_t pacing_rate; /* bytes a second; 0: not paced */
    /* Payload acknowledged since the last LOSS or TIMEOUT (or the beginning),
     * and between the last two of them (0: there were no two). One that was
     * SPURIOUS does not count. */
    uint64_t since_loss_bytes, between_losses_bytes;
    uint32_t mss_bytes; /* payload of a full segment */
    uint32_t srtt_us;   /* 0: no sample yet */
    uint32_t rtt_min_us;
    bool usable;      /* established and not failed: counts as a sibling */
    bool in_recovery; /* fast recovery or after a timeout */
};

struct plait_cc_group {
    const struct plait_cc_view *views; /* every subflow of the connection */
    unsigned count;
    unsigned self; /* index of the caller's own */
};

/* One incoming ACK that delivered something. */
struct plait_cc_ack {
    uint64_t now_us;
    uint32_t acked_bytes;     /* newly acknowledged, cumulatively or by SACK */
    uint32_t rtt_us;          /* sample of this ACK; 0: none (Karn) */
    uint64_t in_flight_bytes; /* before this ACK */
    bool cwnd_limited;        /* the window was full: growth is warranted (RFC 7661) */
    bool ecn_echo;
};

enum plait_cc_signal {
    PLAIT_CC_LOSS,      /* recovery starts: at most once a window (RFC 5681 3.2) */
    PLAIT_CC_RECOVERED, /* recovery is over; tcp has set cwnd by PRR */
    PLAIT_CC_TIMEOUT,   /* RTO (RFC 5681 3.1 (4)) */
    PLAIT_CC_SPURIOUS,  /* the last LOSS or TIMEOUT was wrong: undo it */
    PLAIT_CC_IDLE       /* idle longer than an RTO: restart window (RFC 5681 4.1) */
};

/* In: the present values. Out: the wanted ones. */
struct plait_cc_out {
    uint64_t cwnd_bytes, ssthresh_bytes;
    uint64_t pacing_rate; /* bytes a second; 0: tcp derives it from cwnd and srtt */
};

struct plait_cc {
    const char *name, *summary;
    size_t state_size; /* <= PLAIT_PLUGIN_STATE_MAX */
    void *data;        /* for begin, like done and trouble: see above */
    void (*begin)(void *state, void *data);
    void (*done)(void *state);
    struct plait_plugin_trouble (*trouble)(const void *state);
    void (*init)(void *state, const struct plait_cc_group *g, struct plait_cc_out *out);
    void (*acked)(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                  struct plait_cc_out *out);
    void (*signal)(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                   uint64_t now_us, struct plait_cc_out *out);
};

/* ---- scheduler ------------------------------------------------------------ */

struct plait_sched_path {
    uint32_t subflow_id; /* grows: paths are in this order in the view */
    unsigned order;      /* of its pair of addresses: 0 for the first that the connection used,
                          * 1 for the next new one; a subflow between two addresses that had one
                          * before has that one's */
    uint32_t srtt_us, rttvar_us, rto_us;
    uint32_t rtt_min_us; /* of the last 20 seconds, or 80 round trips; 0: no sample yet */
    uint32_t mss_bytes;
    uint64_t rate;  /* bytes a second that it delivered in a round trip, at best of late; 0: not
                     * known */
    bool rate_full; /* and more would only have made a queue longer; else it may bear more */
    uint64_t cwnd_bytes, in_flight_bytes;
    uint32_t queue_us;   /* what was sent of late needs so long, at that rate, to get on its way */
    uint64_t room_bytes; /* may be sent at once: window, peer, pacing */
    uint64_t pacing_rate;
    uint64_t heard_us;     /* when the last segment came by it */
    uint64_t behind_bytes; /* sent over others and not acknowledged, from the end of what it
                            * carried itself: what a copy on it could be of */
    bool slow_start;       /* its window is still growing to its share (RFC 5681 3.1) */
    bool backup;           /* by either end's wish (RFC 8684 3.3.8) */
    bool stale;            /* timed out without progress since, or found to cost more than it
                            * brings: last resort */
};

struct plait_sched_view {
    uint64_t now_us;
    const struct plait_sched_path *paths; /* those that can carry data at all */
    unsigned count;
    uint64_t queued_bytes;  /* waiting to be sent for the first time */
    bool more;              /* the application has more to write than the send buffer took */
    uint64_t window_bytes;  /* the peer still accepts at connection level */
    uint64_t unacked_bytes; /* sent and not DATA_ACKed */
    uint64_t span_bytes;    /* most that unacked_bytes may grow to: the peer's window, or the
                             * send buffer at its largest */
    uint32_t stalls;        /* times that bytes waited behind a full window; wraps */
    bool reinject;          /* the bytes were sent before, on another path */
    bool lost;              /* reinject: that path is silent or gone, they wait for nothing else;
                             * not: it may still bring them, later than another could */
    uint32_t avoid_id;      /* reinject: that path, which is not in the view; 0: none */
};

enum { PLAIT_SCHED_WAIT = -1 };

struct plait_sched_choice {
    int path;       /* index into paths, or PLAIT_SCHED_WAIT */
    uint64_t bytes; /* at most so many now, at least a segment; 0: as many as fit */
    bool copy;      /* instead of new bytes, the first of its behind_bytes; not with reinject */
};

struct plait_sched {
    const char *name, *summary;
    const char *options; /* what may follow the name and a colon, for help; NULL: nothing */
    size_t state_size;
    bool copies; /* it may choose copies: it is asked when there is nothing else to send, too */
    uint32_t ahead_us; /* it need not see more queued than the paths send in so much time, so that
                        * the application is not asked for more; 0: as much as there is */
    void *data;        /* for begin, like done and trouble: see above */
    void (*begin)(void *state, void *data);
    void (*done)(void *state);
    struct plait_plugin_trouble (*trouble)(const void *state);
    /* Before begin, once for several connections: each begins with a copy of the state that
     * comes of it. options: what followed "name:", NULL without; they are gone afterwards.
     * False: not understood. May be NULL, for one without options. */
    bool (*init)(void *state, const char *options);
    struct plait_sched_choice (*pick)(void *state, const struct plait_sched_view *view);
    /* So many bytes were bound to paths[path] by what pick chose: often fewer than it allowed,
     * and after some picks none, when this is not called. May be NULL. */
    void (*bound)(void *state, const struct plait_sched_view *view, unsigned path, uint64_t bytes);
};

/* ---- path manager ---------------------------------------------------------- */

struct plait_pm_addr {
    struct plait_addr addr;
    uint16_t port;      /* remote: where it listens; 0: the connection's port */
    uint32_t link;      /* local: addresses with the same number share an interface; 0: unknown */
    uint8_t prefix_len; /* local: of the link's network; 0: not known */
    uint8_t id;
    bool backup;
    bool usable; /* local: present and up now; remote: not withdrawn, joins allowed */
};

struct plait_pm_subflow {
    uint32_t subflow_id;
    uint8_t local_id, remote_id;
    struct plait_endpoint local, remote;
    bool established, backup;
    bool outgoing;            /* opened by this end */
    bool by_hand;             /* the application wanted it: not for the path manager to close */
    uint64_t silent_since_us; /* when it last timed out first; 0: it answers */
};

/* Why a subflow failed. */
enum plait_pm_failure {
    PLAIT_PM_FAIL_TIMEOUT,     /* no answer */
    PLAIT_PM_FAIL_UNREACHABLE, /* the network said so */
    PLAIT_PM_FAIL_RESET,       /* RST on an established one */
    PLAIT_PM_FAIL_REFUSED,     /* RST for the SYN */
    PLAIT_PM_FAIL_CLOSED,      /* FIN from the peer, and it was the last */
    PLAIT_PM_FAIL_PROTOCOL,    /* options missing or wrong: reset here */
    PLAIT_PM_FAIL_REMOVED,     /* the peer withdrew its address */
    PLAIT_PM_FAIL_LOCAL        /* our address went, or memory is short */
};

/* What an event is about, beyond its name. */
struct plait_pm_news {
    uint8_t id;                      /* LOCAL_*, REMOTE_*: the address */
    struct plait_pm_subflow subflow; /* SUBFLOW_*: as it is, or was */
    enum plait_pm_failure failure;   /* SUBFLOW_FAILED, and the rest too: */
    bool told;                       /* the peer gave the reason (MP_TCPRST); else it is ours */
    uint8_t reset_reason;            /* RFC 8684 7.4 */
    bool transient;                  /* T: the path may work again */
};

struct plait_pm_view {
    uint64_t now_us;
    bool client;    /* we opened the connection */
    bool opens;     /* this end may open subflows */
    bool confirmed; /* fully established: joins are possible (RFC 8684 3.1) */
    const struct plait_pm_addr *locals, *remotes;
    unsigned local_count, remote_count;
    const struct plait_pm_subflow *subflows;
    unsigned subflow_count, subflow_max;
    const struct plait_pm_news *news; /* never NULL */
};

enum plait_pm_event {
    PLAIT_PM_CONFIRMED,
    PLAIT_PM_LOCAL_ADDED,
    PLAIT_PM_LOCAL_REMOVED,
    PLAIT_PM_REMOTE_ADDED,
    PLAIT_PM_REMOTE_REMOVED,
    PLAIT_PM_SUBFLOW_ESTABLISHED, /* a further one */
    PLAIT_PM_SUBFLOW_FAILED,
    PLAIT_PM_SUBFLOW_STALE,     /* it timed out */
    PLAIT_PM_SUBFLOW_RECOVERED, /* and answers again */
    PLAIT_PM_TIMER
};

struct plait_pm_action {
    enum { PLAIT_PM_OPEN, PLAIT_PM_CLOSE, PLAIT_PM_ANNOUNCE, PLAIT_PM_WITHDRAW } kind;
    struct plait_pm_addr local;   /* OPEN, ANNOUNCE, WITHDRAW */
    struct plait_endpoint remote; /* OPEN */
    uint8_t remote_id;            /* OPEN */
    uint32_t subflow_id;          /* CLOSE */
    uint8_t reset_reason;         /* CLOSE: what to tell the peer (RFC 8684 7.4); 0: policy */
    bool backup;                  /* OPEN */
};

/* What cannot be done is not: a subflow that is there, between different IP
 * versions, or from an address that is not ours; an ID that nothing has. */
enum { PLAIT_PM_ACTIONS_MAX = 16 };

struct plait_pm {
    const char *name, *summary;
    size_t state_size;
    void *data; /* for begin, like done and trouble: see above */
    void (*begin)(void *state, void *data);
    void (*done)(void *state);
    struct plait_plugin_trouble (*trouble)(const void *state);
    /* Fill at most PLAIT_PM_ACTIONS_MAX actions; return how many. *wake_us:
     * when to call again with PLAIT_PM_TIMER (UINT64_MAX: never). Called
     * again at once, with PLAIT_PM_TIMER, after a full list. */
    unsigned (*decide)(void *state, const struct plait_pm_view *view, enum plait_pm_event event,
                       struct plait_pm_action *actions, uint64_t *wake_us);
    /* For people: why the actions just decided hold no subflow between the two
     * (a few words, constant). NULL: not told. Changes nothing. */
    const char *(*why_not)(void *state, const struct plait_pm_view *view,
                           struct plait_pm_action *actions, unsigned count,
                           const struct plait_pm_addr *local, const struct plait_pm_addr *remote);
};

/* ---- a program's own plug-ins ----------------------------------------------- */

/* Where a stack looks for names that plait itself does not know. Each returns
 * NULL for one that it does not know either, and may be NULL itself. What it
 * returns lives as long as the stack. The whole name is handed over: options
 * after a colon are the finder's affair, and init is called without. */
struct plait_plugins {
    void *ctx;
    const struct plait_cc *(*cc)(void *ctx, const char *name);
    const struct plait_sched *(*scheduler)(void *ctx, const char *name);
    const struct plait_pm *(*path_manager)(void *ctx, const char *name);
};

#endif
