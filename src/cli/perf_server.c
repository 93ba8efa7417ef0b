/* SPDX-License-Identifier: MIT
 *
 * plait perf server: one test at a time, and any number of connections that
 * want their bytes back. A peer is an accepted connection; it says in its hello
 * what it is for. Peers that say nothing sensible in time are dropped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/list.h"
#include "cli/cli.h"
#include "cli/perf.h"

enum { PEERS_MAX = 2 * PERF_STREAMS_MAX };

struct peer {
    enum perf_role role;
    struct perf_echo echo; /* its channel is the peer's, whatever it came for */
    uint64_t since_us;
    unsigned place;   /* among the server's peers */
    struct list link; /* or among its echoes */
    enum { PEER_NEW, PEER_CONTROL, PEER_REFUSED, PEER_OVER, PEER_ECHO } state;
};

struct server {
    const struct perf_server_options *o;
    struct host *host;
    struct peer *peers[PEERS_MAX]; /* those that are not data connections */
    unsigned peer_count;
    struct list echoes;   /* struct peer: those that get their bytes back */
    struct peer *control; /* of the test under way, or NULL */
    bool agreed, sent_results, quit;
    uint8_t cookie[PERF_COOKIE_BYTES];
    struct perf_test test;
};

static void free_peer(struct server *s, struct peer *p)
{
    if (p->echo.channel.conn) {
        plait_conn_set_user(p->echo.channel.conn, NULL);
        plait_conn_close(p->echo.channel.conn, host_now(s->host));
    }
    list_remove(&p->link);
    perf_channel_free(&p->echo.channel);
    free(p);
}

static void end_test(struct server *s, const char *why)
{
    if (why && !s->o->json)
        printf("the test ended: %s\n", why);
    fflush(stdout);
    if (s->agreed)
        perf_test_free(&s->test);
    if (s->o->one_off && (s->sent_results || s->agreed))
        s->quit = true;
    s->agreed = s->sent_results = false;
    if (s->control)
        s->control->state = PEER_OVER;
    s->control = NULL;
}

static void refuse(struct server *s, struct peer *p, const char *why)
{
    p->state = PEER_REFUSED;
    perf_channel_send(&p->echo.channel, json_pack("{s:s}", "error", why), host_now(s->host));
}

/* ---- control -------------------------------------------------------------- */

static bool read_params(const json_t *message, struct perf_params *params)
{
    json_int_t streams = json_integer_value(json_object_get(message, "streams"));
    json_int_t time_us = json_integer_value(json_object_get(message, "time_us"));
    json_int_t bytes = json_integer_value(json_object_get(message, "bytes"));

    *params = (struct perf_params){.streams = (unsigned)streams,
                                   .reverse = json_is_true(json_object_get(message, "reverse")),
                                   .time_us = (uint64_t)time_us,
                                   .bytes = (uint64_t)bytes};
    return streams >= 1 && streams <= PERF_STREAMS_MAX && bytes >= 0 && time_us >= 0 &&
           time_us <= INT64_C(86400000000) && (bytes > 0 || time_us > 0);
}

static void agree(struct server *s, const json_t *message)
{
    struct perf_params params;

    if (!read_params(message, &params) || !perf_test_init(&s->test, s->host, &params, false)) {
        struct peer *p = s->control;
        s->control = NULL;
        refuse(s, p, "these parameters make no sense here");
        return;
    }
    s->agreed = true;
    s->test.zero_copy = s->o->zero_copy;
    s->test.json = true; /* the client prints the intervals */
    perf_channel_send(&s->control->echo.channel, json_pack("{s:b}", "ok", 1), host_now(s->host));
}

static void on_control(struct server *s)
{
    struct peer *p = s->control;
    uint64_t now_us = host_now(s->host);
    json_t *message;

    while (s->control == p && (message = perf_channel_receive(&p->echo.channel, now_us)) != NULL) {
        if (!s->agreed)
            agree(s, message);
        else if (json_object_get(message, "streams") && !s->test.remote)
            s->test.remote = json_incref(message);
        json_decref(message);
    }
    if (s->control == p && (p->echo.channel.ended || p->echo.channel.error))
        end_test(s, s->sent_results ? NULL : "the client left");
}

/* ---- hellos --------------------------------------------------------------- */

static void begin_if_complete(struct server *s)
{
    if (s->test.bound_count < s->test.params.streams)
        return;
    perf_channel_send(&s->control->echo.channel, json_pack("{s:b}", "start", 1), host_now(s->host));
    if (!s->o->json) {
        perf_print_header(&s->test);
    }
    perf_test_start(&s->test);
}

/* The peer was a data connection: the stream has it from here on. */
static void bind_stream(struct server *s, struct peer *p, const struct perf_hello *hello)
{
    bool wanted = s->agreed && !s->test.running && hello->stream < s->test.params.streams &&
                  memcmp(hello->cookie, s->cookie, sizeof s->cookie) == 0 &&
                  !s->test.streams[hello->stream].conn;

    p->state = PEER_OVER;
    if (!wanted)
        return;
    perf_stream_bind(&s->test, &s->test.streams[hello->stream], p->echo.channel.conn);
    p->echo.channel.conn = NULL;
    begin_if_complete(s);
}

static void on_echo(struct server *s, struct peer *p)
{
    if (perf_echo_pump(&p->echo, host_now(s->host)))
        free_peer(s, p);
}

/* Such a peer is no longer among those that sweep looks after: it goes as soon
 * as it is done, and there may be thousands. */
static void begin_echo(struct server *s, struct peer *p, const struct perf_hello *hello)
{
    p->state = PEER_ECHO;
    p->echo.left_bytes = hello->kind == PERF_ECHO ? UINT64_MAX : hello->stream;
    unsigned i = p->place;
    s->peers[i] = s->peers[--s->peer_count];
    s->peers[i]->place = i;
    list_append(&s->echoes, &p->link);
    on_echo(s, p);
}

static void on_hello(struct server *s, struct peer *p)
{
    struct perf_hello hello;
    int got = perf_channel_hello(&p->echo.channel, &hello, host_now(s->host));

    if (got < 0) {
        p->state = PEER_OVER;
    } else if (got > 0 && hello.kind == PERF_DATA) {
        bind_stream(s, p, &hello);
    } else if (got > 0 && hello.kind >= PERF_ECHO) {
        begin_echo(s, p, &hello);
    } else if (got > 0 && s->control) {
        refuse(s, p, "the server is busy with another test: try again later");
    } else if (got > 0) {
        char from[ENDPOINT_TEXT_MAX];
        struct plait_conn_info info;
        plait_conn_info(p->echo.channel.conn, &info);
        if (!s->o->json)
            printf("test for %s: ", endpoint_format(&info.remote, from));
        p->state = PEER_CONTROL;
        s->control = p;
        memcpy(s->cookie, hello.cookie, sizeof s->cookie);
        on_control(s);
    }
}

/* ---- connections ---------------------------------------------------------- */

static void on_peer(struct server *s, struct peer *p)
{
    if (p->state == PEER_ECHO) {
        on_echo(s, p);
        return;
    }
    perf_channel_flush(&p->echo.channel, host_now(s->host));
    if (plait_conn_poll(p->echo.channel.conn) & PLAIT_POLL_ERROR && !p->echo.channel.error)
        p->echo.channel.error = plait_conn_error(p->echo.channel.conn);
    if (p->state == PEER_NEW)
        on_hello(s, p);
    else if (p == s->control)
        on_control(s);
    else if (p->state == PEER_REFUSED && perf_channel_flush(&p->echo.channel, host_now(s->host)))
        p->state = PEER_OVER;
}

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct server *s = ctx;
    void *user = plait_conn_user(conn);

    if (!user)
        return;
    if (*(enum perf_role *)user == PERF_ROLE_PEER)
        on_peer(s, user);
    else
        perf_stream_pump(&s->test, user);
}

static void on_listener(void *ctx, struct plait_listener *listener)
{
    struct server *s = ctx;
    struct plait_conn *conn;

    while ((conn = plait_accept(listener)) != NULL) {
        struct peer *p = s->peer_count < PEERS_MAX ? calloc(1, sizeof *p) : NULL;
        if (!p) {
            plait_conn_abort(conn, host_now(s->host));
            continue;
        }
        p->role = PERF_ROLE_PEER;
        p->place = s->peer_count;
        list_init(&p->link);
        p->echo.channel.conn = conn;
        p->since_us = host_now(s->host);
        plait_conn_set_user(conn, p);
        s->peers[s->peer_count++] = p;
        on_peer(s, p);
    }
}

static void drop_peer(struct server *s, unsigned i)
{
    struct peer *p = s->peers[i];

    s->peers[i] = s->peers[--s->peer_count];
    s->peers[i]->place = i;
    free_peer(s, p);
}

/* What became due; frees what is over, outside of every callback. */
static void sweep(struct server *s)
{
    uint64_t now_us = host_now(s->host);

    if (s->agreed) {
        perf_test_tick(&s->test);
        if (s->test.running && !s->sent_results && perf_test_done(&s->test)) {
            s->sent_results = true;
            perf_channel_send(&s->control->echo.channel, perf_test_results(&s->test), now_us);
        }
    }
    for (unsigned i = s->peer_count; i-- > 0;) {
        const struct peer *p = s->peers[i];
        bool silent = p->state != PEER_CONTROL && now_us > p->since_us + PERF_PATIENCE_US;
        if (p->state == PEER_OVER || silent)
            drop_peer(s, i);
    }
}

/* Prints a test's results once both sides' are there. */
static void print_results(struct server *s)
{
    struct plait_conn_info info;

    if (!s->sent_results || !s->test.remote || !s->control ||
        !perf_channel_flush(&s->control->echo.channel, host_now(s->host)))
        return;
    plait_conn_info(s->control->echo.channel.conn, &info);
    if (s->o->json) {
        json_t *o = perf_json(&s->test, &info.remote);
        json_dumpf(o, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(o);
    } else {
        perf_print_summary(&s->test);
    }
    end_test(s, NULL);
}

static int loop(struct server *s)
{
    while (!s->quit) {
        uint64_t until_us = s->agreed ? perf_test_next(&s->test) : UINT64_MAX;
        uint64_t now_us = host_now(s->host);
        uint64_t wait_us = until_us == UINT64_MAX ? 1000000
                           : until_us > now_us    ? until_us - now_us
                                                  : 0;
        int result = host_step(s->host, wait_us);
        if (host_signal(s->host))
            return CLI_INTERRUPTED;
        if (result < 0) {
            cli_error("waiting failed: %s", strerror(-result));
            return HOST_FAIL_OTHER;
        }
        sweep(s);
        print_results(s);
    }
    return HOST_OK;
}

int perf_server(struct host *h, const struct perf_server_options *o)
{
    static struct server server; /* large */
    struct server *s = &server;
    struct plait_endpoint local = {.port = o->port};
    struct plait_listener *listener;
    struct host_error err;

    *s = (struct server){.o = o, .host = h};
    list_init(&s->echoes);
    host_callbacks(h, &(struct host_callbacks){.ctx = s, .conn = on_conn, .listener = on_listener});
    int failure = host_listen(h, &local, NULL, &listener, &err);
    if (failure) {
        cli_error("%s", err.text);
        return failure;
    }
    if (!o->json)
        printf("listening on port %u, %s\n", o->port, host_driver(h)->describe);
    fflush(stdout);
    failure = loop(s);
    end_test(s, NULL);
    while (s->peer_count > 0)
        drop_peer(s, s->peer_count - 1);
    list_each(p, &s->echoes, struct peer, link)
        free_peer(s, p);
    host_unlisten(h, listener);
    return failure;
}
