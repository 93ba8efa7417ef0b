/* SPDX-License-Identifier: MIT
 *
 * Both ends of threads.py, on the library as it is: a server of several threads
 * that sends back what it gets, and a client of several that opens connections,
 * one after another or so many at once, sends a few bytes, waits for them and
 * closes.
 *
 *   threads_end server THREADS ADDR PORT            until SIGTERM
 *   threads_end client THREADS ADDR PORT COUNT AT_ONCE
 *
 * In the end each thread is an object a line: its counters, the CPU time that it
 * took, and what failed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "cli/report.h"
#include "host/host.h"

enum { ASKED_BYTES = 1000, HELD_BYTES = 4096, TIME_WAIT_US = 1000, DRAIN_US = 1000000 };

struct stream {
    size_t len, sent; /* bytes held, and of those written (server) or asked (client) */
    bool shut;
    uint8_t bytes[HELD_BYTES];
};

struct run {
    bool client;
    struct plait_endpoint remote;
    uint64_t count; /* connections a thread */
    unsigned at_once;
    struct plait_listener *listeners[HOST_THREADS_MAX];
};

struct thread {
    const struct run *run;
    struct host *host;
    uint64_t opened, done, failed;
    unsigned open;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const struct thread *t, unsigned i, double wall)
{
    json_t *o =
        json_pack("{s:i s:I s:I s:f s:f s:o}", "thread", (int)i, "done", (json_int_t)t->done,
                  "failed", (json_int_t)t->failed, "cpu_seconds", seconds(CLOCK_THREAD_CPUTIME_ID),
                  "seconds", wall, "counters", report_counters(host_stack(t->host)));

    flockfile(stdout);
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
    json_decref(o);
}

/* ---- one connection ------------------------------------------------------------ */

static void stream_begin(struct thread *t, struct plait_conn *conn)
{
    struct stream *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->len = t->run->client ? ASKED_BYTES : 0;
    plait_conn_set_user(conn, s);
    t->open++;
}

static void stream_end(struct thread *t, struct plait_conn *conn, struct stream *s, bool whole)
{
    uint64_t now_us = host_now(t->host);

    t->done += whole;
    t->failed += !whole;
    t->open--;
    plait_conn_set_user(conn, NULL);
    if (whole)
        plait_conn_close(conn, now_us);
    else
        plait_conn_abort(conn, now_us);
    free(s);
}

/* Send what is held. False: the connection broke. */
static bool stream_write(struct stream *s, struct plait_conn *conn, uint64_t now_us)
{
    int64_t n = 0;

    while (s->sent < s->len && n >= 0) {
        n = plait_conn_write(conn, s->bytes + s->sent, s->len - s->sent, now_us);
        s->sent += n > 0 ? (size_t)n : 0;
    }
    return n >= 0 || n == PLAIT_E_AGAIN;
}

/* Server: all that was sent makes room for more. True: there is something new. */
static bool serve_read(struct stream *s, struct plait_conn *conn, uint64_t now_us, int64_t *n)
{
    if (s->sent < s->len)
        return false;
    s->len = s->sent = 0;
    *n = plait_conn_read(conn, s->bytes, sizeof s->bytes, now_us);
    s->len = *n > 0 ? (size_t)*n : 0;
    return *n > 0;
}

static void serve(struct thread *t, struct plait_conn *conn, struct stream *s)
{
    uint64_t now_us = host_now(t->host);
    int64_t n = PLAIT_E_AGAIN;
    bool good;

    do
        good = stream_write(s, conn, now_us);
    while (good && serve_read(s, conn, now_us, &n));
    if (!good || (n < 0 && n != PLAIT_E_AGAIN))
        stream_end(t, conn, s, false);
    else if (n == 0)
        stream_end(t, conn, s, true);
}

/* `sent` counts what came back, once all is written. */
static void ask(struct thread *t, struct plait_conn *conn, struct stream *s)
{
    uint64_t now_us = host_now(t->host);
    int64_t n = 0;

    if (!s->shut && plait_conn_poll(conn) & PLAIT_POLL_CONNECTED) {
        n = stream_write(s, conn, now_us) ? 0 : PLAIT_E_RESET;
        s->shut = s->sent == s->len;
        s->sent = s->shut ? 0 : s->sent;
    }
    while (s->shut && n >= 0 && s->sent < s->len) {
        n = plait_conn_read(conn, s->bytes, s->len - s->sent, now_us);
        s->sent += n > 0 ? (size_t)n : 0;
        n = n == 0 ? PLAIT_E_RESET : n;
    }
    if (s->shut && s->sent == s->len)
        stream_end(t, conn, s, true);
    else if ((n < 0 && n != PLAIT_E_AGAIN) || plait_conn_poll(conn) & PLAIT_POLL_ERROR)
        stream_end(t, conn, s, false);
}

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct thread *t = ctx;
    struct stream *s = plait_conn_user(conn);

    if (s && t->run->client)
        ask(t, conn, s);
    else if (s)
        serve(t, conn, s);
}

static void on_listener(void *ctx, struct plait_listener *listener)
{
    struct plait_conn *conn;

    while ((conn = plait_accept(listener)) != NULL) {
        stream_begin(ctx, conn);
        on_conn(ctx, conn);
    }
}

/* ---- a thread ------------------------------------------------------------------ */

static bool open_more(struct thread *t)
{
    struct plait_conn *conn;
    struct host_error err;

    while (t->open < t->run->at_once && t->opened < t->run->count) {
        if (host_connect(t->host, &t->run->remote, NULL, NULL, &conn, &err)) {
            fprintf(stderr, "%s\n", err.text);
            return false;
        }
        t->opened++;
        stream_begin(t, conn);
    }
    return true;
}

static int thread(void *ctx, struct host *h, unsigned i)
{
    const struct run *r = ctx;
    struct thread t = {.run = r, .host = h};
    double start = seconds(CLOCK_MONOTONIC);
    bool going = true;

    host_callbacks(h, &(struct host_callbacks){&t, on_conn, on_listener});
    while (going && !host_signal(h)) {
        going = !r->client || (open_more(&t) && t.done + t.failed < r->count);
        if (going && host_step(h, UINT64_MAX) < 0)
            return HOST_FAIL_OTHER;
    }
    say(&t, i, seconds(CLOCK_MONOTONIC) - start);
    host_drain(h, DRAIN_US);
    return HOST_OK;
}

int main(int argc, char **argv)
{
    struct run run = {.client = argc == 7 && strcmp(argv[1], "client") == 0};
    struct host_options options;
    struct host_group *g;
    struct host_error err = {0};

    if ((!run.client && argc != 5) || !addr_parse(argv[3], &run.remote.addr))
        return HOST_FAIL_USAGE;
    run.remote.port = (uint16_t)atoi(argv[4]);
    run.count = run.client ? strtoull(argv[5], NULL, 10) : 0;
    run.at_once = run.client ? (unsigned)atoi(argv[6]) : 0;
    host_options_default(&options);
    options.signals = true;
    options.engine.time_wait_us = TIME_WAIT_US; /* else a port is used once a minute */
    int failure = host_group_open(&options, (unsigned)atoi(argv[2]), &g, &err);
    if (failure) {
        fprintf(stderr, "%s\n", err.text);
        return failure;
    }
    if (!run.client)
        failure = host_group_listen(g, &run.remote, NULL, run.listeners, &err);
    if (!failure && !run.client) {
        puts("{\"listening\":true}");
        fflush(stdout);
    }
    failure = failure ? failure : host_group_run(g, thread, &run);
    host_group_close(g);
    return failure;
}
