/* SPDX-License-Identifier: MIT
 *
 * A test as both sides run it: its streams, its clock, its intervals. The
 * data path is one buffer, written or read again and again while it is hot in
 * the cache.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/perf.h"

enum { BLOCK_BYTES = 256 * 1024 };

bool perf_test_init(struct perf_test *t, struct host *h, const struct perf_params *params,
                    bool client)
{
    *t = (struct perf_test){.host = h, .params = *params, .client = client};
    t->block_bytes = BLOCK_BYTES;
    t->block = calloc(1, BLOCK_BYTES);
    t->intervals = json_array();
    t->streams = calloc(params->streams, sizeof *t->streams);
    if (!t->block || !t->intervals || !t->streams)
        return false;
    for (unsigned i = 0; i < params->streams; i++) {
        t->streams[i].role = PERF_ROLE_STREAM;
        t->streams[i].index = i;
        t->streams[i].sender = client != params->reverse;
        if (params->bytes) /* the first ones take what does not divide */
            t->streams[i].limit_bytes =
                params->bytes / params->streams + (i < params->bytes % params->streams);
    }
    return true;
}

void perf_stream_bind(struct perf_test *t, struct perf_stream *s, struct plait_conn *conn)
{
    s->conn = conn;
    t->bound_count++;
    plait_conn_set_user(conn, s);
}

void perf_test_free(struct perf_test *t)
{
    for (unsigned i = 0; t->streams && i < t->params.streams; i++) {
        struct perf_stream *s = &t->streams[i];
        if (s->conn)
            plait_conn_abort(s->conn, host_now(t->host));
        s->conn = NULL;
        perf_channel_free(&s->hello);
    }
    free(t->block);
    free(t->streams);
    json_decref(t->intervals);
    json_decref(t->remote);
    *t = (struct perf_test){0};
}

void perf_test_start(struct perf_test *t)
{
    t->running = true;
    t->start_us = t->interval_start_us = host_now(t->host);
    t->interval_end_us = t->interval_us ? t->start_us + t->interval_us : UINT64_MAX;
    getrusage(RUSAGE_SELF, &t->cpu_start);
    for (unsigned i = 0; i < t->params.streams; i++)
        perf_stream_pump(t, &t->streams[i]);
}

static double timeval_us(const struct timeval *a, const struct timeval *b)
{
    return (double)(b->tv_sec - a->tv_sec) * 1e6 + (double)(b->tv_usec - a->tv_usec);
}

static void take_cpu(struct perf_test *t)
{
    struct rusage now;
    double wall_us = (double)(t->end_us - t->start_us);

    getrusage(RUSAGE_SELF, &now);
    if (wall_us > 0) {
        t->cpu_user = 100 * timeval_us(&t->cpu_start.ru_utime, &now.ru_utime) / wall_us;
        t->cpu_system = 100 * timeval_us(&t->cpu_start.ru_stime, &now.ru_stime) / wall_us;
    }
}

/* ---- intervals ------------------------------------------------------------ */

/* A sender's progress is what was acknowledged: a full send buffer is not. */
static uint64_t bytes_through(const struct perf_stream *s)
{
    struct plait_conn_info info;

    if (!s->sender || s->done || !s->conn)
        return s->bytes;
    plait_conn_info(s->conn, &info);
    uint64_t hello = s->hello.out_len;
    return info.bytes_acked > hello ? info.bytes_acked - hello : 0;
}

static void close_interval(struct perf_test *t, uint64_t now_us)
{
    json_t *streams = json_array();
    uint64_t from_us = t->interval_start_us - t->start_us, to_us = now_us - t->start_us, sum = 0;

    for (unsigned i = 0; i < t->params.streams; i++) {
        struct perf_stream *s = &t->streams[i];
        uint64_t bytes = bytes_through(s), fresh = bytes - s->counted_bytes;
        json_t *line = perf_json_sum(from_us, to_us, fresh);
        json_object_set_new(line, "socket", json_integer((json_int_t)i + 1));
        json_array_append_new(streams, line);
        s->counted_bytes = bytes;
        sum += fresh;
    }
    json_t *interval =
        json_pack("{s:o s:o}", "streams", streams, "sum", perf_json_sum(from_us, to_us, sum));
    json_array_append_new(t->intervals, interval);
    t->interval_start_us = now_us;
    while (t->interval_us && t->interval_end_us <= now_us)
        t->interval_end_us += t->interval_us; /* a grid: being late does not add up */
    if (!t->json)
        perf_print_interval(t, interval);
}

/* What is left of the last interval, unless it is a splinter. */
static void close_last_interval(struct perf_test *t, uint64_t now_us)
{
    if (t->interval_us && now_us > t->interval_start_us + t->interval_us / 10)
        close_interval(t, now_us);
}

/* ---- streams -------------------------------------------------------------- */

static void finish(struct perf_test *t, struct perf_stream *s, int error)
{
    uint64_t now_us = host_now(t->host);

    s->done = true;
    t->done_count++;
    s->error = error;
    report_take(&s->report, s->conn);
    if (error)
        plait_conn_abort(s->conn, now_us);
    else
        plait_conn_close(s->conn, now_us);
    s->conn = NULL;
    if (perf_test_done(t)) {
        if (!t->stopped)
            close_last_interval(t, now_us);
        t->end_us = now_us;
        take_cpu(t);
    }
}

/* Up to `len` bytes of what this end has to say: the block, or zeroes made where
 * they are sent from. As plait_conn_write. */
static int64_t produce(const struct perf_test *t, const struct perf_stream *s, uint64_t len,
                       uint64_t now_us)
{
    void *room;

    if (!t->zero_copy)
        return plait_conn_write(s->conn, t->block, len, now_us);
    int64_t n = plait_conn_send_borrow(s->conn, len, &room, now_us);
    if (n > 0) {
        memset(room, 0, (size_t)n);
        plait_conn_send_commit(s->conn, (size_t)n, now_us);
    }
    return n;
}

/* As plait_conn_read; nobody looks at the bytes. */
static int64_t consume(const struct perf_test *t, const struct perf_stream *s, uint64_t now_us)
{
    const void *data;

    if (!t->zero_copy)
        return plait_conn_read(s->conn, t->block, t->block_bytes, now_us);
    int64_t n = plait_conn_recv_borrow(s->conn, &data, now_us);
    if (n > 0)
        plait_conn_recv_release(s->conn, (size_t)n, now_us);
    return n;
}

static void send_blocks(struct perf_test *t, struct perf_stream *s)
{
    uint64_t now_us = host_now(t->host);

    while (!s->shut) {
        uint64_t left = s->limit_bytes ? s->limit_bytes - s->bytes : t->block_bytes;
        if (left == 0 || t->stopped) {
            s->shut = true;
            plait_conn_shutdown(s->conn, PLAIT_SHUT_WR, now_us);
            break;
        }
        int64_t n = produce(t, s, left < t->block_bytes ? left : t->block_bytes, now_us);
        if (n == PLAIT_E_AGAIN)
            break;
        if (n < 0) {
            finish(t, s, (int)n);
            return;
        }
        s->bytes += (uint64_t)n;
    }
    unsigned poll = plait_conn_poll(s->conn);
    if (poll & PLAIT_POLL_ERROR) {
        finish(t, s, plait_conn_error(s->conn));
    } else if (s->shut && poll & PLAIT_POLL_FINISHED) {
        s->meter.last_us = now_us; /* the last byte has arrived */
        finish(t, s, 0);
    }
}

static void receive_blocks(struct perf_test *t, struct perf_stream *s)
{
    uint64_t now_us = host_now(t->host);

    for (;;) {
        int64_t n = consume(t, s, now_us);
        if (n == PLAIT_E_AGAIN)
            return;
        if (n <= 0) {
            finish(t, s, (int)n);
            return;
        }
        s->bytes += (uint64_t)n;
        meter_add(&s->meter, (uint64_t)n, now_us);
    }
}

void perf_stream_pump(struct perf_test *t, struct perf_stream *s)
{
    if (!s->conn || s->done)
        return;
    if (!perf_channel_flush(&s->hello, host_now(t->host)) || !t->running) {
        if (plait_conn_poll(s->conn) & PLAIT_POLL_ERROR)
            finish(t, s, plait_conn_error(s->conn));
        return;
    }
    if (s->sender)
        send_blocks(t, s);
    else
        receive_blocks(t, s);
}

bool perf_test_done(const struct perf_test *t)
{
    return t->done_count == t->params.streams;
}

/* ---- the clock ------------------------------------------------------------ */

/* When a sender that goes by the clock stops. */
static uint64_t time_end(const struct perf_test *t)
{
    bool sender = t->client != t->params.reverse;

    return sender && !t->params.bytes && !t->stopped ? t->start_us + t->params.time_us : UINT64_MAX;
}

void perf_test_tick(struct perf_test *t)
{
    uint64_t now_us = host_now(t->host);

    if (!t->running || t->end_us)
        return;
    if (now_us >= t->interval_end_us)
        close_interval(t, now_us);
    if (now_us >= time_end(t)) {
        close_last_interval(t, now_us);
        t->interval_end_us = UINT64_MAX; /* what drains now has no interval */
        t->stopped = true;
        for (unsigned i = 0; i < t->params.streams; i++)
            perf_stream_pump(t, &t->streams[i]);
    }
}

uint64_t perf_test_next(const struct perf_test *t)
{
    if (!t->running || t->end_us)
        return UINT64_MAX;
    return t->interval_end_us < time_end(t) ? t->interval_end_us : time_end(t);
}

/* ---- for the peer --------------------------------------------------------- */

json_t *perf_test_results(const struct perf_test *t)
{
    json_t *streams = json_array();

    for (unsigned i = 0; i < t->params.streams; i++) {
        const struct perf_stream *s = &t->streams[i];
        uint64_t us = s->meter.last_us > t->start_us ? s->meter.last_us - t->start_us : 0;
        json_array_append_new(streams,
                              json_pack("{s:I s:I s:I s:I s:I s:o}", "bytes", (json_int_t)s->bytes,
                                        "us", (json_int_t)us, "retransmits",
                                        (json_int_t)report_retransmits(&s->report), "pause_us",
                                        (json_int_t)s->meter.pause_us, "error",
                                        (json_int_t)s->error, "connection",
                                        report_json(&s->report)));
    }
    return json_pack("{s:o s:{s:f s:f s:f}}", "streams", streams, "cpu", "total",
                     t->cpu_user + t->cpu_system, "user", t->cpu_user, "system", t->cpu_system);
}
