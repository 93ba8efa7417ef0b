/* SPDX-License-Identifier: MIT
 *
 * plait perf: how fast a path, or several, can be. For a rate the client asks
 * on a control connection, the bytes flow on others, and the two sides tell
 * each other their results in the end. For round trips and for connections a
 * second there is nothing to agree on: the server answers each connection for
 * itself, any number of them at any time. All connections go to one port.
 *
 * Protocol. Each connection starts with the client's hello of 28 bytes:
 *   8  "plaitprf"
 *   1  version, 1
 *   1  kind: 0 control, 1 data, 2 echo, 3 exchange
 *   2  stream, from 0 (data), or size of the message (exchange)
 *   16 cookie, drawn by the client, the same on all connections of a test
 * Echo: the server sends back what comes, until the client ends its stream.
 * Exchange: the client sends one message, the server sends it back and closes.
 * The server is the one that closes so that TIME_WAIT stays with it.
 * On the control connection, both ways, messages follow: 4 bytes of length in
 * network order, then so much JSON.
 *   client: {"streams": 1, "reverse": false, "time_us": 10000000, "bytes": 0}
 *   server: {"ok": true}, or {"error": "sentence"} and the end
 *   client: opens the data connections
 *   server: {"start": true} when all of them are there
 *   both:   {"streams": [...], "cpu": {...}} when their part is done
 * The sender (the client, or the server with reverse) sends for time_us, or
 * `bytes` in all when not 0, and ends its streams; the receiver reads to
 * their ends. Nothing but the lengths of the data means anything.
 */
#ifndef CLI_PERF_H
#define CLI_PERF_H

#include <jansson.h>
#include <sys/resource.h>

#include "cli/report.h"
#include "host/host.h"

enum {
    PERF_PORT = 5201,
    PERF_STREAMS_MAX = 1024,
    PERF_COOKIE_BYTES = 16,
    PERF_HELLO_BYTES = 28,
    PERF_MESSAGE_MAX = 1 << 24,
    PERF_ECHO_MAX = 65535,      /* bytes of a message that is sent back */
    PERF_PATIENCE_US = 10000000 /* after the end of a test, or without a hello */
};

struct perf_params {
    unsigned streams;
    bool reverse;
    uint64_t time_us, bytes; /* bytes not 0: instead of the time */
};

/* ---- one connection's messages -------------------------------------------- */

enum perf_kind { PERF_CONTROL, PERF_DATA, PERF_ECHO, PERF_EXCHANGE };

struct perf_hello {
    enum perf_kind kind;
    unsigned stream; /* or size */
    uint8_t cookie[PERF_COOKIE_BYTES];
};

struct perf_channel {
    struct plait_conn *conn;
    uint8_t *in, *out; /* NULL: nothing */
    size_t in_len, in_size, out_at, out_len;
    bool ended; /* the peer's end of stream */
    int error;  /* negative: of the engine */
};

void perf_channel_free(struct perf_channel *c);
void perf_channel_send_hello(struct perf_channel *c, const struct perf_hello *hello,
                             uint64_t now_us);
/* Send these bytes, or keep a copy of what cannot be sent yet. */
void perf_channel_put(struct perf_channel *c, const void *data, size_t len, uint64_t now_us);
/* Takes the reference over. */
void perf_channel_send(struct perf_channel *c, json_t *message, uint64_t now_us);
/* Send what waits. True: nothing is left. */
bool perf_channel_flush(struct perf_channel *c, uint64_t now_us);
/* 1: here it is; 0: not yet; -1: it is none. */
int perf_channel_hello(struct perf_channel *c, struct perf_hello *hello, uint64_t now_us);
/* The next message or NULL; error or ended may be set then. */
json_t *perf_channel_receive(struct perf_channel *c, uint64_t now_us);

/* What a connection is for: the first member of what plait_conn_user gives. */
enum perf_role { PERF_ROLE_STREAM, PERF_ROLE_PEER };

/* ---- a test ----------------------------------------------------------------- */

struct perf_stream {
    enum perf_role role;
    unsigned index;
    bool sender;
    struct plait_conn *conn;   /* NULL: not yet, or over */
    struct perf_channel hello; /* the client's, until it is sent */
    bool shut, done;
    int error;
    uint64_t bytes, limit_bytes; /* written or read; 0: no limit */
    uint64_t counted_bytes;      /* at the last interval */
    struct meter meter;
    struct report report;
};

struct perf_test {
    struct host *host;
    struct perf_params params;
    bool client, json, running, stopped;
    bool zero_copy; /* in the connection's own memory, not in block */
    struct perf_stream *streams;
    unsigned bound_count, done_count; /* streams that have a connection; that are over */
    uint8_t *block;                   /* what is sent, where is read to */
    size_t block_bytes;
    uint64_t start_us, end_us;
    uint64_t interval_us, interval_start_us, interval_end_us; /* interval_us 0: none */
    struct rusage cpu_start;
    double cpu_user, cpu_system; /* percent of one processor */
    json_t *intervals;           /* in iperf3's shape */
    json_t *remote;              /* the peer's results */
};

bool perf_test_init(struct perf_test *t, struct host *h, const struct perf_params *params,
                    bool client);
/* Close what is open and free everything. */
void perf_test_free(struct perf_test *t);
void perf_test_start(struct perf_test *t);
/* Give a stream its connection. */
void perf_stream_bind(struct perf_test *t, struct perf_stream *s, struct plait_conn *conn);
/* Move what can be moved on a stream. */
void perf_stream_pump(struct perf_test *t, struct perf_stream *s);
/* Intervals, the end of the time. */
void perf_test_tick(struct perf_test *t);
/* When perf_test_tick is needed. */
uint64_t perf_test_next(const struct perf_test *t);
bool perf_test_done(const struct perf_test *t);
/* The message for the peer. */
json_t *perf_test_results(const struct perf_test *t);

/* ---- results ------------------------------------------------------------- */

void perf_print_header(const struct perf_test *t);
void perf_print_interval(const struct perf_test *t, const json_t *interval);
void perf_print_summary(const struct perf_test *t);
/* All of it as iperf3 -J says it, and what MPTCP did under "plait". */
json_t *perf_json(const struct perf_test *t, const struct plait_endpoint *remote);
/* One line of an interval in iperf3's shape. */
json_t *perf_json_sum(uint64_t from_us, uint64_t to_us, uint64_t bytes);

/* ---- the two sides -------------------------------------------------------- */

struct perf_client_options {
    const char *name;
    enum plait_family family;
    uint16_t port;
    struct perf_params params;
    uint64_t interval_us, timeout_us, block_bytes;
    bool json, no_race, zero_copy;
};
int perf_client(struct host *h, const struct perf_client_options *o);

/* Round trips: one message after another on each connection, or on a new
 * connection each. */
struct perf_trips_options {
    const char *name;
    enum plait_family family;
    uint16_t port;
    bool connections; /* a new one each */
    unsigned parallel;
    uint64_t message_bytes, time_us, timeout_us;
    bool json, no_race;
};
int perf_trips(struct host *h, const struct perf_trips_options *o);

/* The server's end of one echo or exchange. */
struct perf_echo {
    struct perf_channel channel; /* what could not be written yet waits in it */
    uint64_t left_bytes;         /* UINT64_MAX: until the end of the stream */
};
/* Send back what came. True: it is over, and may be closed. */
bool perf_echo_pump(struct perf_echo *e, uint64_t now_us);

struct perf_server_options {
    uint16_t port;
    bool one_off, json, zero_copy;
};
int perf_server(struct host *h, const struct perf_server_options *o);

#endif
