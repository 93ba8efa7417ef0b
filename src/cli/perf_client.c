/* SPDX-License-Identifier: MIT
 *
 * plait perf client.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/cli.h"
#include "cli/net.h"
#include "cli/perf.h"
#include "cli/units.h"

enum client_state {
    ASKING,  /* the control connection opens, the parameters are on their way */
    OPENING, /* accepted: the data connections open */
    RUNNING,
    WAITING, /* our part is done, the server's results are to come */
    FINISHED
};

struct client {
    const struct perf_client_options *o;
    struct host *host;
    struct plait_endpoint remote;
    enum client_state state;
    struct perf_channel control;
    struct perf_test test;
    uint8_t cookie[PERF_COOKIE_BYTES];
    bool asked;
    int failure;
    uint64_t deadline_us; /* of the present state */
    char why[HOST_ERROR_TEXT_MAX];
};

static void fail(struct client *c, int failure, const char *why)
{
    if (c->failure)
        return;
    c->failure = failure;
    snprintf(c->why, sizeof c->why, "%s", why);
}

static void fail_engine(struct client *c, int error)
{
    struct host_error err;

    host_fail_of(error, &c->remote, &err);
    fail(c, (int)err.failure, err.text);
}

/* ---- steps ---------------------------------------------------------------- */

static void ask(struct client *c)
{
    const struct perf_params *p = &c->o->params;
    struct perf_hello hello = {.kind = PERF_CONTROL};

    c->asked = true;
    memcpy(hello.cookie, c->cookie, sizeof hello.cookie);
    perf_channel_send_hello(&c->control, &hello, host_now(c->host));
    perf_channel_send(&c->control,
                      json_pack("{s:i s:b s:I s:I}", "streams", (int)p->streams, "reverse",
                                p->reverse, "time_us", (json_int_t)p->time_us, "bytes",
                                (json_int_t)p->bytes),
                      host_now(c->host));
}

/* Between which addresses the control connection runs. */
static struct plait_endpoint know_remote(struct client *c)
{
    struct plait_conn_info info;

    plait_conn_info(c->control.conn, &info);
    c->remote = info.remote;
    return (struct plait_endpoint){.addr = info.local.addr};
}

/* The hello goes out once the connection can take it: with --fastopen, on the
 * SYN. */
static void greet(struct client *c, struct perf_stream *s)
{
    struct perf_hello hello = {.kind = PERF_DATA, .stream = s->index};

    memcpy(hello.cookie, c->cookie, sizeof hello.cookie);
    if (!s->hello.out && plait_conn_poll(s->conn) & (PLAIT_POLL_CONNECTED | PLAIT_POLL_WRITABLE))
        perf_channel_send_hello(&s->hello, &hello, host_now(c->host));
}

static void open_streams(struct client *c)
{
    const struct plait_endpoint from = know_remote(c);
    struct host_error err;

    c->state = OPENING;
    c->deadline_us = host_now(c->host) + c->o->timeout_us;
    for (unsigned i = 0; i < c->test.params.streams; i++) {
        struct perf_stream *s = &c->test.streams[i];
        struct plait_conn *conn;
        if (host_connect(c->host, &c->remote, &from, NULL, &conn, &err)) {
            fail(c, (int)err.failure, err.text);
            return;
        }
        perf_stream_bind(&c->test, s, conn);
        s->hello.conn = conn;
        greet(c, s);
    }
}

static void start(struct client *c)
{
    uint64_t patience_us = c->test.params.bytes ? UINT64_MAX / 2 : c->test.params.time_us;

    c->state = RUNNING;
    c->deadline_us = host_now(c->host) + patience_us + PERF_PATIENCE_US;
    c->test.json = c->o->json;
    c->test.zero_copy = c->o->zero_copy;
    c->test.interval_us = c->o->interval_us;
    if (!c->o->json)
        perf_print_header(&c->test);
    perf_test_start(&c->test);
}

static void on_message(struct client *c, json_t *message)
{
    const char *error = json_string_value(json_object_get(message, "error"));

    if (error)
        fail(c, HOST_FAIL_UNREACHABLE, error);
    else if (c->state == ASKING && json_is_true(json_object_get(message, "ok")))
        open_streams(c);
    else if (c->state == OPENING && json_is_true(json_object_get(message, "start")))
        start(c);
    else if (c->state >= RUNNING && json_object_get(message, "streams"))
        c->test.remote = json_incref(message);
    else
        fail(c, HOST_FAIL_TRANSFER, "the server says what is not expected here: another version?");
    json_decref(message);
}

static void on_control(struct client *c)
{
    uint64_t now_us = host_now(c->host);
    json_t *message;

    if (!c->asked && plait_conn_poll(c->control.conn) & PLAIT_POLL_CONNECTED)
        ask(c);
    perf_channel_flush(&c->control, now_us);
    while (!c->failure && !c->test.remote &&
           (message = perf_channel_receive(&c->control, now_us)) != NULL)
        on_message(c, message);
    if (plait_conn_poll(c->control.conn) & PLAIT_POLL_ERROR && !c->control.error)
        c->control.error = plait_conn_error(c->control.conn);
    if (c->test.remote)
        return;
    if (c->control.error)
        fail_engine(c, c->control.error);
    else if (c->control.ended)
        fail(c, HOST_FAIL_TRANSFER, "the server ended the control connection");
}

/* ---- the loop ------------------------------------------------------------- */

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct client *c = ctx;

    if (conn == c->control.conn) {
        on_control(c);
        return;
    }
    struct perf_stream *s = plait_conn_user(conn);
    if (!s)
        return;
    greet(c, s);
    perf_stream_pump(&c->test, s);
    if (s->error)
        fail_engine(c, s->error);
}

static void advance(struct client *c)
{
    uint64_t now_us = host_now(c->host);

    perf_test_tick(&c->test);
    if (c->state == RUNNING && perf_test_done(&c->test)) {
        c->state = WAITING;
        c->deadline_us = now_us + PERF_PATIENCE_US;
        perf_channel_send(&c->control, perf_test_results(&c->test), now_us);
    }
    if (c->state == WAITING && c->test.remote)
        c->state = FINISHED;
    if (now_us >= c->deadline_us)
        fail(c, HOST_FAIL_UNREACHABLE,
             c->state == ASKING ? "no answer: is 'plait perf server' running there?"
                                : "the test did not come to its end: the server is gone, or no "
                                  "path works any more");
}

static void loop(struct client *c)
{
    while (!c->failure && c->state != FINISHED) {
        uint64_t until_us = perf_test_next(&c->test), now_us = host_now(c->host);
        if (c->deadline_us < until_us)
            until_us = c->deadline_us;
        int result = host_step(c->host, until_us > now_us ? until_us - now_us : 0);
        if (host_signal(c->host))
            fail(c, CLI_INTERRUPTED, "interrupted");
        else if (result < 0)
            fail(c, HOST_FAIL_OTHER, strerror(-result));
        advance(c);
    }
}

static void say_failure(const struct client *c)
{
    if (!c->o->json) {
        cli_error("%s", c->why);
        return;
    }
    json_t *o = json_pack("{s:{} s:[] s:{} s:s}", "start", "intervals", "end", "error", c->why);
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

static void say_results(const struct client *c)
{
    if (!c->o->json) {
        perf_print_summary(&c->test);
        return;
    }
    json_t *o = perf_json(&c->test, &c->remote);
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

static int connect_control(struct client *c)
{
    struct host_error err;
    const struct host_target target = {c->o->name, c->o->port, c->o->family, c->o->no_race};
    int failure = host_connect_name(c->host, &target, NULL, &c->control.conn, &err);

    if (failure) {
        fail(c, failure, err.text);
        return failure;
    }
    know_remote(c);
    return HOST_OK;
}

int perf_client(struct host *h, const struct perf_client_options *o)
{
    static struct client client; /* large */
    struct client *c = &client;

    *c = (struct client){.o = o, .host = h};
    if (getrandom(c->cookie, sizeof c->cookie, 0) != (ssize_t)sizeof c->cookie ||
        !perf_test_init(&c->test, h, &o->params, true)) {
        cli_error("out of memory");
        return HOST_FAIL_OTHER;
    }
    host_callbacks(h, &(struct host_callbacks){.ctx = c, .conn = on_conn});
    c->deadline_us = host_now(h) + o->timeout_us;
    if (!connect_control(c))
        loop(c);
    if (c->failure)
        say_failure(c);
    else
        say_results(c);
    if (c->control.conn && c->failure)
        plait_conn_abort(c->control.conn, host_now(h));
    else if (c->control.conn)
        plait_conn_close(c->control.conn, host_now(h));
    c->control.conn = NULL;
    perf_channel_free(&c->control);
    perf_test_free(&c->test);
    return c->failure;
}
