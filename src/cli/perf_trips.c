/* SPDX-License-Identifier: MIT
 *
 * plait perf client --ping-pong and --connections: one message after another,
 * each sent when the answer to the one before is complete, on the same
 * connection or on a new one. A trip's time is the clock's, not the loop's: a
 * turn of the loop is about as long as what is measured here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/net.h"
#include "cli/perf.h"

/* One trip under way. */
struct trip {
    struct plait_conn *conn; /* NULL: none */
    size_t written, read;    /* of the hello and the message; of the answer */
    uint64_t start_ns;
};

struct trips {
    const struct perf_trips_options *o;
    struct host *host;
    struct plait_endpoint remote, from;
    bool running, over; /* the first connection is there; no more trips begin */
    struct trip trips[PERF_STREAMS_MAX];
    unsigned open;       /* trips that have a connection */
    uint8_t *out, *in;   /* hello and message; room for what comes back */
    uint32_t *sample_ns; /* how long each trip took */
    size_t samples, sample_room;
    uint64_t start_us, end_us, deadline_us;
    int failure;
    char why[HOST_ERROR_TEXT_MAX];
};

/* ---- the end -------------------------------------------------------------- */

static void fail(struct trips *t, int failure, const char *why)
{
    if (t->failure)
        return;
    t->failure = failure;
    snprintf(t->why, sizeof t->why, "%s", why);
}

static void fail_engine(struct trips *t, int error)
{
    struct host_error err;

    host_fail_of(error, &t->remote, &err);
    fail(t, (int)err.failure, err.text);
}

/* ---- one trip -------------------------------------------------------------- */

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sample(struct trips *t, uint64_t ns)
{
    if (t->samples == t->sample_room) {
        size_t room = t->sample_room ? 2 * t->sample_room : 65536;
        uint32_t *grown = realloc(t->sample_ns, room * sizeof *grown);
        if (!grown) {
            fail(t, HOST_FAIL_OTHER, "out of memory");
            return;
        }
        t->sample_ns = grown;
        t->sample_room = room;
    }
    t->sample_ns[t->samples++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void let_go(struct trips *t, struct trip *trip)
{
    plait_conn_set_user(trip->conn, NULL);
    plait_conn_close(trip->conn, host_now(t->host));
    trip->conn = NULL;
    t->open--;
}

static void open_trip(struct trips *t, struct trip *trip)
{
    struct host_error err;
    const struct host_target target = {t->o->name, t->o->port, t->o->family, t->o->no_race};

    *trip = (struct trip){.start_ns = clock_ns()};
    int failure = t->running ? host_connect(t->host, &t->remote, &t->from, NULL, &trip->conn, &err)
                             : host_connect_name(t->host, &target, NULL, &trip->conn, &err);
    if (failure) {
        fail(t, failure, err.text);
        return;
    }
    plait_conn_set_user(trip->conn, trip);
    t->open++;
}

/* The answer is complete. */
static void trip_done(struct trips *t, struct trip *trip)
{
    uint64_t now_ns = clock_ns();

    if (!t->over)
        sample(t, now_ns - trip->start_ns);
    if (!t->o->connections && !t->over) {
        trip->written = PERF_HELLO_BYTES;
        trip->read = 0;
        trip->start_ns = now_ns;
        return;
    }
    let_go(t, trip);
    if (!t->over && !t->failure)
        open_trip(t, trip);
}

static int64_t put(struct trips *t, struct trip *trip)
{
    size_t size = PERF_HELLO_BYTES + t->o->message_bytes;
    int64_t n = plait_conn_write(trip->conn, t->out + trip->written, size - trip->written,
                                 host_now(t->host));

    if (n > 0)
        trip->written += (size_t)n;
    return n;
}

/* An exchange is over when the server has ended its stream, an echo with its
 * last byte. */
static int64_t get(struct trips *t, struct trip *trip)
{
    size_t left = t->o->message_bytes - trip->read;
    const uint8_t *sent = t->out + PERF_HELLO_BYTES + trip->read;
    int64_t n = plait_conn_read(trip->conn, t->in, left ? left : 1, host_now(t->host));

    if (n > 0 && (!left || memcmp(t->in, sent, (size_t)n) != 0))
        fail(t, HOST_FAIL_TRANSFER, "other bytes came back than were sent");
    else if (n > 0)
        trip->read += (size_t)n;
    else if (n == 0 && left)
        fail(t, HOST_FAIL_TRANSFER, "the server ended a connection before its answer");
    return n;
}

static void pump(struct trips *t, struct trip *trip)
{
    size_t size = PERF_HELLO_BYTES + t->o->message_bytes;
    int64_t n = 1;

    if (!(plait_conn_poll(trip->conn) & (PLAIT_POLL_CONNECTED | PLAIT_POLL_ERROR | PLAIT_POLL_EOF)))
        return;
    while (n > 0 && trip->conn && !t->failure) {
        n = trip->written < size ? put(t, trip) : get(t, trip);
        bool whole = trip->read == t->o->message_bytes && (!t->o->connections || n == 0);
        if (whole && !t->failure) {
            trip_done(t, trip);
            n = 1;
        }
    }
    if (n < 0 && n != PLAIT_E_AGAIN)
        fail_engine(t, (int)n);
}

/* ---- the loop ------------------------------------------------------------- */

/* The first connection has found the server: the others follow it. */
static void begin(struct trips *t)
{
    struct plait_conn_info info;

    plait_conn_info(t->trips[0].conn, &info);
    t->remote = info.remote;
    t->from = (struct plait_endpoint){.addr = info.local.addr};
    t->running = true;
    t->start_us = host_now(t->host);
    t->end_us = t->start_us + t->o->time_us;
    t->deadline_us = t->end_us + PERF_PATIENCE_US;
    for (unsigned i = 1; i < t->o->parallel && !t->failure; i++)
        open_trip(t, &t->trips[i]);
}

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct trips *t = ctx;
    struct trip *trip = plait_conn_user(conn);

    if (!trip || t->failure)
        return;
    if (!t->running && plait_conn_poll(conn) & PLAIT_POLL_CONNECTED)
        begin(t);
    pump(t, trip);
}

static void loop(struct trips *t)
{
    open_trip(t, &t->trips[0]);
    while (!t->failure && t->open) {
        uint64_t now_us = host_now(t->host);
        uint64_t until_us = t->running && !t->over ? t->end_us : t->deadline_us;
        int result = host_step(t->host, until_us > now_us ? until_us - now_us : 0);
        if (host_signal(t->host))
            fail(t, CLI_INTERRUPTED, "interrupted");
        else if (result < 0)
            fail(t, HOST_FAIL_OTHER, strerror(-result));
        if (t->running && host_now(t->host) >= t->end_us && !t->over) {
            t->over = true;
            t->end_us = host_now(t->host);
        }
        if (host_now(t->host) >= t->deadline_us)
            fail(t, HOST_FAIL_UNREACHABLE,
                 t->running ? "an answer did not come: the server is gone, or no path works"
                            : "no answer: is 'plait perf server' running there?");
    }
}

/* ---- results -------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_us(const struct trips *t, unsigned percent)
{
    return t->samples ? t->sample_ns[(t->samples - 1) * percent / 100] / 1e3 : 0;
}

static void say_results(struct trips *t)
{
    double seconds = (double)(t->end_us - t->start_us) / 1e6;
    double rate = seconds > 0 ? (double)t->samples / seconds : 0;

    if (t->samples)
        qsort(t->sample_ns, t->samples, sizeof *t->sample_ns, compare);
    if (!t->o->json) {
        printf("%zu %s of %llu byte%s each way, %u at once, %.0f a second\n"
               "time each: median %.1f us, 99 %% within %.1f us, longest %.1f us\n",
               t->samples, t->o->connections ? "connections" : "round trips",
               (unsigned long long)t->o->message_bytes, t->o->message_bytes == 1 ? "" : "s",
               t->o->parallel, rate, percentile_us(t, 50), percentile_us(t, 99),
               percentile_us(t, 100));
        return;
    }
    json_t *o =
        json_pack("{s:s s:I s:i s:f s:I s:f s:{s:f s:f s:f} s:o}", "mode",
                  t->o->connections ? "connections" : "ping-pong", "message_bytes",
                  (json_int_t)t->o->message_bytes, "parallel", (int)t->o->parallel, "seconds",
                  seconds, "trips", (json_int_t)t->samples, "per_second", rate, "latency_us",
                  "median", percentile_us(t, 50), "p99", percentile_us(t, 99), "max",
                  percentile_us(t, 100), "plait", report_counters(host_stack(t->host)));
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

static void say_failure(const struct trips *t)
{
    if (!t->o->json) {
        cli_error("%s", t->why);
        return;
    }
    json_t *o = json_pack("{s:s}", "error", t->why);
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

/* The hello that all send, and a message in which each byte has its place. */
static bool make_message(struct trips *t)
{
    struct perf_channel none = {0};
    struct perf_hello hello = {.kind = t->o->connections ? PERF_EXCHANGE : PERF_ECHO,
                               .stream = t->o->connections ? (unsigned)t->o->message_bytes : 0};

    t->in = malloc(t->o->message_bytes);
    t->out = malloc(PERF_HELLO_BYTES + t->o->message_bytes);
    if (!t->in || !t->out ||
        getrandom(hello.cookie, sizeof hello.cookie, 0) != (ssize_t)sizeof hello.cookie)
        return false;
    perf_channel_send_hello(&none, &hello, 0);
    if (none.error)
        return false;
    memcpy(t->out, none.out, PERF_HELLO_BYTES);
    perf_channel_free(&none);
    for (size_t i = 0; i < t->o->message_bytes; i++)
        t->out[PERF_HELLO_BYTES + i] = (uint8_t)(i * 31 + 7);
    return true;
}

int perf_trips(struct host *h, const struct perf_trips_options *o)
{
    static struct trips trips; /* large */
    struct trips *t = &trips;

    *t = (struct trips){.o = o, .host = h, .deadline_us = host_now(h) + o->timeout_us};
    host_callbacks(h, &(struct host_callbacks){.ctx = t, .conn = on_conn});
    if (make_message(t))
        loop(t);
    else
        fail(t, HOST_FAIL_OTHER, "out of memory");
    if (t->failure)
        say_failure(t);
    else
        say_results(t);
    for (unsigned i = 0; i < o->parallel; i++)
        if (t->trips[i].conn)
            plait_conn_abort(t->trips[i].conn, host_now(h));
    free(t->in);
    free(t->out);
    free(t->sample_ns);
    return t->failure;
}
