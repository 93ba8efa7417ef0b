/* SPDX-License-Identifier: MIT
 *
 * Both directions are pumps that stop when either end is not ready and are
 * started again by whichever became ready: nothing is read that there is no
 * room for, so a slow reader slows the peer down and not memory.
 */
#include "cli/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/net.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/units.h"

enum { BUFFER_BYTES = 256 * 1024 };

/* One descriptor and what is on its way through it. */
struct end {
    int fd, flags; /* flags to put back, -1: none */
    const char *name;
    bool ours;   /* close it */
    bool plain;  /* a file: always ready */
    bool greedy; /* read until it says EAGAIN */
    bool done;
    uint64_t size;  /* of a plain file */
    size_t at, len; /* bytes at .. len of buf are pending */
    uint8_t *buf;
    struct sha256_ctx sha;
};

struct transfer {
    struct host *host;
    struct plait_conn *conn;
    const struct transfer_options *o;
    struct end in, out;
    bool may_write; /* connected, or the SYN may take data along */
    bool connected, shut, peer_done, finished;
    int failure;
    uint64_t start_us, sent_bytes;
    struct meter meter; /* what we received */
    struct progress progress;
    struct report report;
};

#define AT(field) offsetof(struct transfer_options, field)
const struct option_row transfer_rows[] = {
    {0, "send", "FILE", OPTION_TEXT, AT(send), "send this file instead of standard input", NULL, 0},
    {0, "recv", "FILE", OPTION_TEXT, AT(recv),
     "write what the peer sends to this file instead of\nstandard output", NULL, 0},
    {0, "keep-open", NULL, OPTION_FLAG, AT(keep_open),
     "the end of the input does not end our stream: the peer does", NULL, 0},
    {0, "stats", NULL, OPTION_FLAG, AT(stats),
     "in the end, say what each path carried (standard error)", NULL, 0},
    {0, "json", NULL, OPTION_FLAG, AT(json),
     "the same as one line of JSON: on standard output when\n"
     "--recv is given, else on standard error",
     NULL, 0},
    {0, "sha256", NULL, OPTION_FLAG, AT(sha256), "with --stats or --json: of both streams", NULL,
     0},
    {0, "progress", NULL, OPTION_FLAG, AT(progress),
     "show progress even when standard error is no terminal", NULL, 0},
    {'q', "quiet", NULL, OPTION_FLAG, AT(quiet), "nothing but errors on standard error", NULL, 0},
    {0},
};

/* ---- descriptors ---------------------------------------------------------- */

static void end_init(struct end *e, int fd, const char *name, bool ours)
{
    struct stat st;

    *e = (struct end){.fd = fd, .flags = -1, .name = name, .ours = ours};
    e->buf = malloc(BUFFER_BYTES);
    sha256_init(&e->sha);
    if (fstat(fd, &st) != 0)
        return;
    e->plain = S_ISREG(st.st_mode);
    e->size = e->plain ? (uint64_t)st.st_size : 0;
    /* Only pipes and sockets are made non-blocking: a terminal's mode is
     * shared with every program that has it open. */
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
        e->flags = fcntl(fd, F_GETFL);
        e->greedy = fcntl(fd, F_SETFL, e->flags | O_NONBLOCK) == 0;
    }
}

static void end_free(struct end *e)
{
    free(e->buf);
    if (e->fd < 0)
        return;
    if (e->flags >= 0)
        fcntl(e->fd, F_SETFL, e->flags);
    if (e->ours)
        close(e->fd);
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);

    if (fd < 0)
        cli_error("cannot open '%s': %s", path, strerror(errno));
    return fd;
}

static bool open_ends(struct transfer *t, unsigned serial)
{
    const struct transfer_options *o = t->o;
    char path[4096];

    if (o->send) {
        int fd = open_file(o->send, O_RDONLY);
        if (fd < 0)
            return false;
        end_init(&t->in, fd, o->send, true);
    } else {
        end_init(&t->in, STDIN_FILENO, "standard input", false);
    }
    if (o->recv) {
        if (serial > 1)
            snprintf(path, sizeof path, "%s.%u", o->recv, serial);
        else
            snprintf(path, sizeof path, "%s", o->recv);
        int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
        if (fd < 0)
            return false;
        end_init(&t->out, fd, o->recv, true);
    } else {
        end_init(&t->out, STDOUT_FILENO, "standard output", false);
    }
    return true;
}

struct transfer *transfer_new(struct host *h, const struct transfer_options *o, unsigned serial,
                              int *failure)
{
    struct transfer *t = calloc(1, sizeof *t);

    if (!t) {
        cli_error("out of memory");
        *failure = HOST_FAIL_OTHER;
        return NULL;
    }
    t->host = h;
    t->o = o;
    t->in.fd = t->out.fd = t->in.flags = t->out.flags = -1;
    if (!open_ends(t, serial)) {
        *failure = HOST_FAIL_FILE;
    } else if (!t->in.buf || !t->out.buf) {
        cli_error("out of memory");
        *failure = HOST_FAIL_OTHER;
    } else {
        return t;
    }
    transfer_free(t);
    return NULL;
}

void transfer_free(struct transfer *t)
{
    end_free(&t->in);
    end_free(&t->out);
    free(t);
}

/* ---- the pumps ------------------------------------------------------------ */

static void fail(struct transfer *t, int failure)
{
    if (!t->failure)
        t->failure = failure;
}

static void fail_file(struct transfer *t, const char *verb, const struct end *e)
{
    if (errno != EPIPE) /* who left first knows why */
        cli_error("cannot %s %s: %s", verb, e->name, strerror(errno));
    fail(t, HOST_FAIL_FILE);
}

static void fail_conn(struct transfer *t, int64_t error)
{
    fail(t, net_failure((int)error, &t->report.conn.remote));
}

static void on_fd(void *ctx, int fd, unsigned events);

static void watch(struct transfer *t, struct end *e, unsigned events)
{
    int result = host_watch(t->host, e->fd, events, on_fd, t);

    if (result < 0 && events) {
        errno = -result;
        fail_file(t, "wait for", e);
    }
}

/* Our stream ends. */
static void end_input(struct transfer *t)
{
    t->in.done = true;
    if (!t->in.plain)
        watch(t, &t->in, 0);
    /* Nothing to say and everything to hear: an end of stream now would tell
     * the peer that nobody is interested. */
    bool silent = t->o->recv && !t->o->send && t->sent_bytes == 0;
    if (!t->shut && (t->peer_done || !(silent || t->o->keep_open))) {
        t->shut = true;
        plait_conn_shutdown(t->conn, PLAIT_SHUT_WR, host_now(t->host));
    }
}

/* Pending input to the connection. False: it has no room. */
static bool give(struct transfer *t)
{
    struct end *in = &t->in;

    while (in->at < in->len) {
        int64_t n =
            plait_conn_write(t->conn, in->buf + in->at, in->len - in->at, host_now(t->host));
        if (n == PLAIT_E_AGAIN)
            return false;
        if (n < 0) {
            fail_conn(t, n);
            return false;
        }
        if (t->o->sha256)
            sha256_update(&in->sha, (size_t)n, in->buf + in->at);
        in->at += (size_t)n;
        t->sent_bytes += (uint64_t)n;
    }
    return true;
}

/* From the input to the peer, as far as both go. `ready`: the descriptor said
 * that there is something. */
static void pump_in(struct transfer *t, bool ready)
{
    struct end *in = &t->in;

    if (!t->may_write || in->done || t->failure)
        return;
    ready = ready || in->plain || in->greedy;
    for (;;) {
        if (!give(t)) {
            if (!in->plain)
                watch(t, in, 0);
            return;
        }
        if (!ready)
            break;
        ssize_t n = read(in->fd, in->buf, BUFFER_BYTES);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) {
            if (n < 0)
                fail_file(t, "read", in);
            end_input(t);
            return;
        }
        in->at = 0;
        in->len = (size_t)n;
        ready = in->plain || in->greedy;
    }
    watch(t, in, HOST_IN);
}

/* Pending output to its descriptor. False: it has no room. */
static bool drain(struct transfer *t)
{
    struct end *out = &t->out;

    while (out->at < out->len) {
        ssize_t n = write(out->fd, out->buf + out->at, out->len - out->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0) {
            fail_file(t, "write", out);
            return false;
        }
        out->at += (size_t)n;
    }
    return true;
}

static void peer_ended(struct transfer *t)
{
    t->peer_done = t->out.done = true;
    watch(t, &t->out, 0);
    if (t->out.ours && close(t->out.fd) != 0)
        fail_file(t, "write", &t->out);
    if (t->out.ours)
        t->out.fd = -1;
    /* Somebody at a terminal, or a file that is complete: no reason to stay.
     * A pipe may still have to say something. */
    if (t->in.done || isatty(t->in.fd) || (t->o->recv && !t->o->send) || t->o->keep_open)
        end_input(t);
}

static void pump_out(struct transfer *t)
{
    struct end *out = &t->out;

    while (!out->done && !t->failure) {
        if (!drain(t)) {
            if (!t->failure)
                watch(t, out, HOST_OUT);
            return;
        }
        int64_t n = plait_conn_read(t->conn, out->buf, BUFFER_BYTES, host_now(t->host));
        if (n == PLAIT_E_AGAIN)
            break;
        if (n < 0) {
            fail_conn(t, n);
            return;
        }
        if (n == 0) {
            peer_ended(t);
            return;
        }
        out->at = 0;
        out->len = (size_t)n;
        meter_add(&t->meter, (uint64_t)n, host_now(t->host));
        if (t->o->sha256)
            sha256_update(&out->sha, (size_t)n, out->buf);
    }
    if (!out->done)
        watch(t, out, 0);
}

static void on_fd(void *ctx, int fd, unsigned events)
{
    struct transfer *t = ctx;
    (void)events;

    if (fd == t->out.fd)
        pump_out(t);
    if (fd == t->in.fd)
        pump_in(t, true);
}

void transfer_ready(struct transfer *t, struct plait_conn *conn)
{
    if (conn != t->conn)
        return;
    unsigned poll = plait_conn_poll(conn);
    if (poll & PLAIT_POLL_CONNECTED)
        t->connected = true;
    if (poll & PLAIT_POLL_ERROR && !t->connected) {
        fail_conn(t, plait_conn_error(conn));
        return;
    }
    if (t->connected)
        pump_out(t);
    bool early = !t->connected && (poll & PLAIT_POLL_WRITABLE); /* --fastopen: for the SYN */
    t->may_write = t->connected || early;
    pump_in(t, early);
    if (plait_conn_poll(conn) & PLAIT_POLL_ERROR && !t->peer_done && !t->failure)
        fail_conn(t, plait_conn_error(conn));
    t->finished = t->shut && (plait_conn_poll(conn) & PLAIT_POLL_FINISHED) != 0;
}

/* ---- the loop ------------------------------------------------------------- */

static void show_progress(struct transfer *t)
{
    struct progress_path paths[PROGRESS_PATHS_MAX];
    struct progress_state state = {.paths = paths};
    const struct report *r = &t->report;

    report_take(&t->report, t->conn);
    bool sending = t->sent_bytes > t->meter.bytes;
    state.bytes = sending ? r->conn.bytes_acked : t->meter.bytes;
    state.goal_bytes = sending ? t->in.size : 0;
    for (unsigned i = 0; i < r->count && state.count < PROGRESS_PATHS_MAX; i++) {
        const struct plait_subflow_info *p = &r->paths[i];
        char text[REPORT_PATH_TEXT_MAX];
        struct progress_path *path = &paths[state.count++];
        snprintf(path->name, sizeof path->name, "%.*s", PROGRESS_NAME_MAX - 1,
                 report_path_text(p, text));
        path->bytes = report_path_bytes(r, i);
        path->note = p->closed ? "closed" : p->stale ? "stale" : NULL;
    }
    progress_update(&t->progress, host_now(t->host), &state);
}

static bool going_on(const struct transfer *t)
{
    return !t->failure && !(t->finished && t->out.done);
}

static void check_time(struct transfer *t)
{
    char wait[UNIT_TEXT_MAX];
    uint64_t waited_us = host_now(t->host) - t->start_us;

    if (t->connected || !t->o->timeout_us || waited_us < t->o->timeout_us)
        return;
    cli_error("no answer within %s: is the peer up, and is anything listening there?",
              format_time(t->o->timeout_us, wait));
    fail(t, HOST_FAIL_UNREACHABLE);
}

static uint64_t wait_us(const struct transfer *t)
{
    uint64_t now_us = host_now(t->host), until_us = progress_next(&t->progress);

    if (!t->connected && t->o->timeout_us && t->start_us + t->o->timeout_us < until_us)
        until_us = t->start_us + t->o->timeout_us;
    return until_us == UINT64_MAX ? UINT64_MAX : until_us > now_us ? until_us - now_us : 0;
}

static void put_sha(json_t *o, const char *name, struct sha256_ctx *ctx)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    char text[2 * SHA256_DIGEST_SIZE + 1];

    sha256_digest(ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    json_object_set_new(o, name, json_string(text));
}

static void summarise(struct transfer *t)
{
    double seconds = (double)(host_now(t->host) - t->start_us) / 1e6;
    char rate[UNIT_TEXT_MAX], pause[UNIT_TEXT_MAX];
    bool sender = t->sent_bytes >= t->meter.bytes;
    double goodput = sender ? (double)t->sent_bytes * 8 / seconds : meter_rate(&t->meter, 0);
    json_t *o = report_json(&t->report);

    json_object_set_new(o, "seconds", json_real(seconds));
    json_object_set_new(o, "goodput_bps", json_real(goodput));
    json_object_set_new(o, "longest_pause_ms", json_real((double)t->meter.pause_us / 1e3));
    json_object_set_new(o, "driver", json_string(host_driver(t->host)->describe));
    json_object_set_new(o, "driver_why", json_string(host_driver_why(t->host)));
    json_object_set_new(o, "failure", json_integer(t->failure));
    json_object_set_new(o, "counters", report_counters(host_stack(t->host)));
    if (t->o->sha256) {
        put_sha(o, "sha256_sent", &t->in.sha);
        put_sha(o, "sha256_received", &t->out.sha);
    }
    FILE *out = t->o->json && t->o->recv ? stdout : stderr;
    flockfile(out); /* transfers of other threads end too */
    if (t->o->json) {
        json_dumpf(o, out, JSON_COMPACT);
        fputc('\n', out);
    } else {
        fprintf(stderr, "%s in %.1f s, %s", sender ? "sent" : "received", seconds,
                format_rate(goodput, rate));
        if (!sender)
            fprintf(stderr, ", longest pause %s", format_time(t->meter.pause_us, pause));
        fputc('\n', stderr);
        report_print(&t->report, stderr);
        if (t->o->sha256)
            fprintf(stderr, "  SHA-256 sent     %s\n  SHA-256 received %s\n",
                    json_string_value(json_object_get(o, "sha256_sent")),
                    json_string_value(json_object_get(o, "sha256_received")));
    }
    funlockfile(out);
    json_decref(o);
}

int transfer_run(struct transfer *t, struct plait_conn *conn)
{
    struct host *h = t->host;
    enum progress_mode mode = t->o->quiet      ? PROGRESS_OFF
                              : t->o->progress ? PROGRESS_ON
                                               : PROGRESS_AUTO;

    t->conn = conn;
    t->start_us = host_now(h);
    progress_init(&t->progress, stderr, mode, t->start_us);
    report_take(&t->report, conn);
    transfer_ready(t, conn);
    while (going_on(t)) {
        if (host_step(h, wait_us(t)) < 0 && !host_signal(h))
            fail(t, HOST_FAIL_OTHER);
        if (host_signal(h))
            fail(t, CLI_INTERRUPTED);
        check_time(t);
        if (host_now(h) >= progress_next(&t->progress))
            show_progress(t);
    }
    progress_clear(&t->progress);
    report_take(&t->report, conn);
    if (t->connected && (t->o->stats || t->o->json))
        summarise(t);
    watch(t, &t->in, 0);
    if (t->out.fd >= 0)
        watch(t, &t->out, 0);
    t->conn = NULL;
    if (t->failure)
        plait_conn_abort(conn, host_now(h));
    else
        plait_conn_close(conn, host_now(h));
    return t->failure;
}
