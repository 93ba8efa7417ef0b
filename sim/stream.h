/* SPDX-License-Identifier: MIT
 *
 * Applications. A stream is one connection with an application at each end.
 * Each end writes a pattern that is a function of (seed, stream, direction,
 * offset), so the other end verifies every byte it reads; or it hands data to
 * and from callbacks.
 *
 * How much an end may write grows with time (requests at an interval) or with
 * what it read (responses); plain bulk may write everything at once.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "sim/sim.h"

/* What an end does after its last byte. */
enum stream_end {
    END_SHUTDOWN,  /* half-close; read on to the peer's end of stream; close */
    END_AFTER_EOF, /* the same, but half-close only after the peer did */
    END_CLOSE,     /* close the handle at once: the peer must send nothing more. As SO_LINGER
                    * in the options says this resets, or waits for the acknowledgment */
    END_SHUT_BOTH, /* shut both directions down, close when that is acknowledged */
    END_ABORT      /* abort at once */
};

#define STREAM_ENDLESS UINT64_MAX

struct side;

struct side_config {
    uint64_t send_bytes; /* STREAM_ENDLESS: until stop_us */
    uint64_t stop_us;    /* absolute time after which nothing is written; 0: never */
    enum stream_end end;
    uint64_t abort_at_read;       /* abort once so much was read; 0: never */
    uint32_t write_max, read_max; /* bytes a call; 0: 64 KiB */
    uint64_t read_after_us;       /* after connecting, read nothing for so long */
    uint64_t read_bps;            /* 0: as fast as it comes */

    /* Requests: request_bytes every interval_us, count of them (sets
     * send_bytes). Delay: from the write to the last byte of the response. */
    uint32_t requests, request_bytes, response_bytes, interval_us;
    /* Responses: respond_bytes for each respond_to bytes read. */
    uint32_t respond_to, respond_bytes;
    /* It writes blocks of so many bytes, and the peer's block_delays are from a
     * block's beginning to its last byte read; 0: none. A request is a block and
     * begins when it is due; other blocks begin when the one before was taken. */
    uint32_t block_bytes;
    /* It writes as much as stream_allow has said so far. */
    bool driven;
    /* Something happened: connected, read, done. Must call nothing but
     * stream_allow. */
    void (*notice)(void *notice_ctx, struct side *side);
    void *notice_ctx;

    /* Instead of the pattern. source fills at most len bytes: how many, 0 at
     * the end. drain takes what was read. */
    size_t (*source)(void *ctx, uint64_t offset, uint8_t *buf, size_t len);
    void (*drain)(void *ctx, uint64_t offset, const uint8_t *data, size_t len);
    void *ctx;
};

/* Times, one after the other. */
struct time_list {
    uint64_t *us;
    unsigned count, room;
};

struct side {
    struct stream *stream;
    struct host *host;
    struct side_config config;
    struct plait_conn *conn; /* NULL: not yet, or given up */
    struct sim_event event;  /* reading or writing may go on */
    uint64_t key;            /* of the pattern it writes */
    uint64_t sent, received;
    uint8_t *ahead;     /* the pattern up to here, made and not all written */
    uint64_t ahead_end; /* NULL: no pattern, or none yet */
    uint64_t connected_us, first_read_us, last_read_us, done_us;
    uint64_t hungry_us; /* since when writing finds no memory; 0: it does */
    uint64_t pause_us;  /* the longest time without a byte between two reads */
    bool opened, connected, source_done, shut, eof, done;
    bool lingering;                /* closed, and told to wait */
    bool aborted;                  /* here, on purpose */
    int error;                     /* negative: how it ended; 0: well */
    unsigned multipath;            /* of the connection when last seen */
    struct time_list blocks;       /* when each block began that it wrote, or is to write */
    struct time_list block_delays; /* of the peer's blocks that it has read */
    unsigned responses_seen;
    uint64_t *delay_us;          /* of each response, config.requests of them */
    uint64_t allowed;            /* config.driven: what it may write, */
    bool allowed_all;            /* and nothing will be added */
    struct plait_conn_info info; /* when the handle was given up */
    unsigned subflow_count;
    struct plait_subflow_info subflows[16];
};

struct stream {
    struct list node;
    struct sim *sim;
    uint16_t port;
    struct plait_endpoint local, remote;
    struct plait_options client_options, server_options;
    struct plait_candidate candidates[PLAIT_CANDIDATES_MAX]; /* the client races them */
    unsigned candidate_count;                                /* 0: it connects from local */
    struct plait_listener *listener;
    struct stream *first; /* whose listener it shares; NULL: it has its own */
    unsigned waiting;     /* of those that share this one's listener and of itself: not accepted */
    uint16_t client_port; /* once started */
    struct sim_event start;
    struct side side[2]; /* 0: client, 1: server */
};

/* Listen on server's interface `to` at once, connect from client's interface
 * `from` (NULL: the stack chooses) at start_us. The server listens on any
 * address, so that announced ones work. Options may be NULL. */
struct stream *stream_new(struct sim *sim, struct host *client, struct iface *from,
                          struct iface *to, uint64_t start_us, const struct side_config *c,
                          const struct side_config *s, const struct plait_options *client_options,
                          const struct plait_options *server_options);
/* Another connection to the listener of an earlier stream, with its options,
 * from the same address. Nothing on the way may rewrite ports. */
struct stream *stream_again(struct stream *first, uint64_t start_us, const struct side_config *c,
                            const struct side_config *s);
/* The client begins by racing: one more pair, in the order in which to try
 * them. Before the stream starts. */
void stream_candidate(struct stream *s, const struct iface *from, const struct iface *to);
void stream_free(struct stream *s);

/* A driven side may write so many bytes more; last: and then it ends. */
void stream_allow(struct side *side, uint64_t bytes, bool last);

/* Both ends are done; ctx: the stream. stream_all_done: every one of ctx, the
 * sim. */
bool stream_done(void *ctx);
bool stream_all_done(void *ctx);

/* From the hosts: something is ready. */
void stream_ready(struct plait_conn *conn);
void stream_accept(struct sim *sim, struct host *h, struct plait_listener *listener);

/* The pattern: len bytes from offset. */
void pattern_fill(uint64_t key, uint64_t offset, uint8_t *buf, size_t len);
bool pattern_equal(uint64_t key, uint64_t offset, const uint8_t *buf, size_t len);

#endif
