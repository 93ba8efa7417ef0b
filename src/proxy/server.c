/* SPDX-License-Identifier: MIT */
#include "proxy/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "host/fail.h"
#include "host/names.h"
#include "proxy/heard.h"
#include "proxy/outward.h"
#include "proxy/relay.h"

#define MESSAGE_WAIT_US 10000000ull /* for what a client wants */
#define CONNECT_WAIT_US 20000000ull /* for a destination's answer, each address */
#define GOODBYE_WAIT_US 5000000ull  /* for a client that was refused to go */

enum {
    KIND_MSS = 2,
    KIND_SCALE = 3,
    KIND_SACK_PERMITTED = 4,
    KIND_SACK = 5,
    KIND_TIMESTAMPS = 8,
    KIND_MPTCP = 30
};
static const uint8_t supported[] = {KIND_MPTCP, KIND_SACK_PERMITTED, KIND_TIMESTAMPS};

struct proxy_server {
    struct daemon *daemon;
    struct proxy_server_options o;
    struct offered offered;
    struct names *names;
    struct list sessions;
    unsigned count;
    uint64_t epoch_us; /* the clock that credentials are made with, minus host_now */
};

enum phase { READING, NAMING, CONNECTING, CARRYING, REFUSED };

struct session {
    struct relay relay; /* first */
    struct list link;
    struct proxy_server *server;
    enum phase phase;
    struct host_timer *due;
    struct names_query *query;
    struct user_account *user;
    struct plait_endpoint client, to[HOST_NAME_ADDRS_MAX];
    unsigned count, at; /* of `to` */
    bool info, extended, multipath;
    struct heard message;
    char host[CONVERT_NAME_MAX + 1];
};

static struct host *host_of(const struct session *s)
{
    return daemon_host(s->server->daemon);
}

static uint64_t now(const struct session *s)
{
    return host_now(host_of(s));
}

static void wait_until(struct session *s, uint64_t from_now_us)
{
    host_timer_set(host_of(s), s->due, from_now_us ? now(s) + from_now_us : UINT64_MAX);
}

static void say(const struct session *s, const char *what)
{
    char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];

    if (!s->server->o.verbose)
        return;
    fprintf(stderr, "%s%s%s -> %s%s%s: %s\n", s->user ? s->user->name : "", s->user ? "@" : "",
            endpoint_format(&s->client, from), s->host, s->host[0] ? " " : "",
            s->count ? endpoint_format(&s->to[s->at < s->count ? s->at : s->count - 1], to) : "?",
            what);
}

static void session_free(struct session *s)
{
    names_forget(s->query);
    if (s->user)
        s->user->conns--;
    host_timer_free(host_of(s), s->due);
    list_remove(&s->link);
    s->server->count--;
    free(s);
}

static void on_over(struct relay *r, const char *why)
{
    struct session *s = (struct session *)r;
    char text[128];

    snprintf(text, sizeof text, "%s; %llu bytes out, %llu back", why ? why : "ended",
             (unsigned long long)r->bytes_out, (unsigned long long)r->bytes_in);
    say(s, text);
    session_free(s);
}

static void reset(struct session *s)
{
    relay_reset(&s->relay);
    session_free(s);
}

/* ---- refusing ------------------------------------------------------------------ */

/* The client resets when it has read the error (RFC 8803 6.2.8); what it still
 * sends is thrown away, so that no reset of ours overtakes the error. */
static void on_refused(struct carried *c)
{
    struct session *s = (struct session *)list_entry(c, struct relay, carried);
    char bin[4096];
    int64_t n;

    while ((n = plait_conn_read(c->conn, bin, sizeof bin, now(s))) > 0)
        ;
    if (n != PLAIT_E_AGAIN)
        reset(s);
}

static bool send_message(struct session *s, struct convert_writer *w)
{
    return convert_end(w) &&
           plait_conn_write(s->relay.carried.conn, w->bytes, w->len, now(s)) == (int64_t)w->len;
}

/* Nothing more comes from us. */
static void goodbye(struct session *s)
{
    s->phase = REFUSED;
    plait_conn_shutdown(s->relay.carried.conn, PLAIT_SHUT_WR, now(s));
    s->relay.carried.ready = on_refused;
    wait_until(s, GOODBYE_WAIT_US);
}

static void refuse_with(struct session *s, unsigned code, const void *value, size_t len)
{
    struct convert_writer w;

    say(s, convert_error_text(code));
    if (s->server->o.to_name) { /* it sent no message, and expects none */
        reset(s);
        return;
    }
    convert_begin(&w);
    convert_put_error(&w, code, value, len);
    if (send_message(s, &w))
        goodbye(s);
    else
        reset(s);
}

static void refuse(struct session *s, unsigned code)
{
    refuse_with(s, code, "", 1);
}

/* ---- connecting ------------------------------------------------------------------ */

static void connect_next(struct session *s, int last_error);

/* The client's message is answered; from here on it is bytes. */
static void connected(struct session *s)
{
    struct convert_writer w;
    uint8_t options[OUTWARD_OPTIONS_MAX];

    s->phase = CARRYING;
    wait_until(s, 0);
    if (!s->server->o.to_name) {
        convert_begin(&w);
        if (s->info)
            convert_put_extensions(&w, supported, sizeof supported);
        if (s->extended)
            convert_put_header(&w, options, outward_options(s->relay.fd, options));
        if (!send_message(s, &w)) {
            reset(s);
            return;
        }
    }
    say(s, "connected");
    relay_run(&s->relay);
}

static bool say_who(struct session *s)
{
    uint8_t header[OUTWARD_PROXY_MAX];
    size_t len = outward_proxy_header(&s->client, &s->to[s->at], header);

    return !s->server->o.proxy_protocol ||
           send(s->relay.fd, header, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void drop_fd(struct session *s)
{
    if (s->relay.fd < 0)
        return;
    host_watch(host_of(s), s->relay.fd, 0, NULL, NULL);
    close(s->relay.fd);
    s->relay.fd = -1;
}

static void on_connecting(void *ctx, int fd, unsigned events)
{
    struct session *s = ctx;
    int error = 0;
    socklen_t len = sizeof error;

    if (!(events & (HOST_OUT | HOST_HUP)))
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (!error && say_who(s)) {
        connected(s);
        return;
    }
    drop_fd(s);
    s->at++;
    connect_next(s, error ? error : EPIPE);
}

/* RFC 8803 6.2.8 for what connect(2) said. */
static void refuse_errno(struct session *s, int error)
{
    const uint8_t net = 0, host = 1; /* codes of ICMP's destination unreachable */

    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        refuse(s, CONVERT_E_CONNECTION_RESET);
        break;
    case ENETUNREACH:
        refuse_with(s, CONVERT_E_UNREACHABLE, &net, 1);
        break;
    case EHOSTUNREACH:
    case ETIMEDOUT:
        refuse_with(s, CONVERT_E_UNREACHABLE, &host, 1);
        break;
    case EPERM:
    case EACCES:
        refuse(s, CONVERT_E_NOT_AUTHORIZED);
        break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        refuse(s, CONVERT_E_RESOURCE_EXCEEDED);
        break;
    default:
        refuse(s, CONVERT_E_NETWORK_FAILURE);
    }
}

/* To the addresses from s->at on that may be reached. */
static void connect_next(struct session *s, int last_error)
{
    const char *why;

    for (; s->at < s->count; s->at++) {
        if (!s->server->o.to_name &&
            !access_allows(&s->server->o.access, &s->to[s->at].addr, &why)) {
            say(s, why);
            last_error = last_error ? last_error : EACCES;
            continue;
        }
        int fd = outward_begin(&s->to[s->at], s->multipath);
        if (fd >= 0 && relay_set_fd(&s->relay, fd, HOST_OUT, on_connecting) == 0) {
            s->phase = CONNECTING;
            wait_until(s, CONNECT_WAIT_US);
            return;
        }
        last_error = errno;
        drop_fd(s);
    }
    refuse_errno(s, last_error);
}

static void on_name(void *ctx, const struct plait_addr *addrs, unsigned count, const char *why)
{
    struct session *s = ctx;
    uint16_t port = s->to[0].port;

    s->query = NULL;
    s->count = count;
    for (unsigned i = 0; i < count; i++)
        s->to[i] = (struct plait_endpoint){addrs[i], port};
    if (count == 0)
        say(s, why);
    if (count == 0)
        refuse(s, CONVERT_E_NO_NAME);
    else
        connect_next(s, 0);
}

static void connect_name(struct session *s, const char *name, uint16_t port)
{
    snprintf(s->host, sizeof s->host, "%s", name);
    s->phase = NAMING;
    s->to[0].port = port;
    wait_until(s, 0); /* the resolver ends by itself */
    s->query = names_ask(s->server->names, name, PLAIT_NONE, on_name, s);
    if (!s->query)
        refuse(s, CONVERT_E_RESOURCE_EXCEEDED);
}

/* ---- what a client wants ----------------------------------------------------------- */

/* False: refused. */
static bool authorize(struct session *s, size_t len, const struct convert_message *m)
{
    struct proxy_server *server = s->server;
    const uint64_t clock_us = now(s) + server->epoch_us;
    uint8_t challenge[CHALLENGE_BYTES];

    if (!server->o.users)
        return true;
    if (!m->cookie) {
        challenge_put(challenge, clock_us);
        refuse_with(s, CONVERT_E_MISSING_COOKIE, challenge, sizeof challenge);
        return false;
    }
    struct user_account *user = NULL;
    enum users_verdict v = users_check(server->o.users, s->message.bytes, len, m, clock_us, &user);
    if (v != USERS_GOOD) {
        refuse(s, v == USERS_FULL ? CONVERT_E_RESOURCE_EXCEEDED : CONVERT_E_NOT_AUTHORIZED);
        return false;
    }
    if (server->o.user_conns_max && user->conns >= server->o.user_conns_max) {
        refuse(s, CONVERT_E_RESOURCE_EXCEEDED);
        return false;
    }
    s->user = user;
    user->conns++;
    user->conns_total++;
    return true;
}

/* RFC 8803 6.2.5 and 7: the options that a client wants in the SYN. False: refused. */
static bool options_possible(struct session *s, const struct convert_span *options)
{
    struct convert_option o;
    uint8_t bad[CONVERT_BYTES_MAX];
    size_t at = 0, count = 0;

    while (convert_option_next(options, &at, &o)) {
        bool ignored = o.kind == KIND_MSS || o.kind == KIND_SCALE || o.kind == KIND_SACK;
        bool known =
            o.kind == KIND_SACK_PERMITTED || o.kind == KIND_TIMESTAMPS || o.kind == KIND_MPTCP;
        if (o.kind == KIND_MPTCP && o.value.len == 0)
            s->multipath = true;
        if (!ignored && !(known && o.value.len == 0))
            bad[count++] = o.kind;
    }
    if (at < options->len)
        refuse_with(s, CONVERT_E_MALFORMED, (uint8_t[1]){0}, 1);
    else if (count)
        refuse_with(s, CONVERT_E_UNSUPPORTED_OPTION, bad, count);
    return at == options->len && count == 0;
}

/* The message echoed as RFC 8803's figure 23 has it. */
static void refuse_echo(struct session *s, unsigned code, size_t len)
{
    uint8_t value[1 + CONVERT_BYTES_MAX] = {0};

    if (code == CONVERT_E_UNSUPPORTED_VERSION) {
        value[0] = CONVERT_VERSION;
        refuse_with(s, code, value, 1);
        return;
    }
    memcpy(value + 1, s->message.bytes, len);
    refuse_with(s, code, value, 1 + len);
}

static void answer_info(struct session *s)
{
    struct convert_writer w;

    convert_begin(&w);
    convert_put_extensions(&w, supported, sizeof supported);
    if (send_message(s, &w))
        goodbye(s);
    else
        reset(s);
}

static void on_message(struct session *s, size_t len)
{
    struct convert_message m;
    int error = convert_decode(s->message.bytes, len, &m);

    if (error != CONVERT_GOOD) {
        refuse_echo(s, (unsigned)error, len);
        return;
    }
    if (!authorize(s, len, &m) || !options_possible(s, &m.options))
        return;
    s->info = m.info;
    s->extended = m.options.len > 0;
    if (m.name) {
        s->extended = true;
        connect_name(s, m.host, m.peer.port);
    } else if (m.connect) {
        s->to[0] = m.peer;
        s->count = 1;
        connect_next(s, 0);
    } else if (m.info) {
        answer_info(s);
    } else {
        refuse_echo(s, CONVERT_E_MALFORMED, len);
    }
}

static void on_reading(struct session *s)
{
    int error, len = heard_read(&s->message, s->relay.carried.conn, now(s), &error);

    if (len > 0) {
        on_message(s, (size_t)len);
    } else if (len < 0) {
        say(s, len == HEARD_OTHER ? "it speaks no Convert Protocol"
                                  : "gone before it said what it wants");
        reset(s);
    }
}

/* The client goes while the destination is on its way. */
static void on_waiting(struct carried *c)
{
    struct session *s = (struct session *)list_entry(c, struct relay, carried);

    if (s->phase == READING)
        on_reading(s);
    else if (plait_conn_poll(c->conn) & PLAIT_POLL_ERROR)
        reset(s);
}

static void on_due(void *ctx)
{
    struct session *s = ctx;

    if (s->phase == CONNECTING) {
        drop_fd(s);
        s->at++;
        connect_next(s, ETIMEDOUT);
        return;
    }
    say(s, s->phase == READING ? "it does not say what it wants" : "it does not go");
    reset(s);
}

/* ---- the server ---------------------------------------------------------------------- */

static void session_new(struct proxy_server *server, struct plait_conn *conn)
{
    struct host *h = daemon_host(server->daemon);
    struct session *s = server->count < server->o.conns_max ? calloc(1, sizeof *s) : NULL;
    struct host_timer *due = s ? host_timer_new(h, on_due, s) : NULL;
    struct plait_conn_info info;

    if (!due) {
        free(s);
        plait_conn_abort(conn, host_now(h));
        return;
    }
    plait_conn_info(conn, &info);
    s->server = server;
    s->due = due;
    s->client = info.remote;
    s->relay = (struct relay){.daemon = server->daemon, .fd = -1, .over = on_over};
    s->relay.carried.owner = server->offered.owner;
    list_append(&server->sessions, &s->link);
    server->count++;
    relay_set_conn(&s->relay, conn, on_waiting);
    wait_until(s, MESSAGE_WAIT_US);
    if (server->o.to_name)
        connect_name(s, server->o.to_name, server->o.to_port);
    else
        on_reading(s);
}

static void on_listener(struct offered *o)
{
    struct proxy_server *server = list_entry(o, struct proxy_server, offered);
    struct plait_conn *conn;

    while ((conn = plait_accept(o->listener)) != NULL)
        session_new(server, conn);
}

int proxy_server_open(struct daemon *d, const struct proxy_server_options *options,
                      struct proxy_server **out, struct host_error *err)
{
    struct plait_options conns = *daemon_defaults(d);
    struct plait_listener *listener;
    struct proxy_server *s = calloc(1, sizeof *s);

    if (!s)
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    s->daemon = d;
    s->o = *options;
    list_init(&s->sessions);
    s->names = names_new(daemon_host(d));
    conns.fastopen = PLAIT_FASTOPEN_ON;
    int failure = s->names
                      ? host_listen(daemon_host(d), &options->listen, &conns, &listener, err)
                      : host_fail(err, HOST_FAIL_OTHER, "the resolver of names does not start");
    if (!failure && getrandom(&s->epoch_us, sizeof s->epoch_us, 0) != sizeof s->epoch_us)
        failure = host_fail(err, HOST_FAIL_OTHER, "no random numbers: %s", strerror(errno));
    if (failure) {
        names_free(s->names);
        free(s);
        return failure;
    }
    s->epoch_us >>= 2; /* room for the clock to run on */
    s->offered = (struct offered){.local = options->listen, .ready = on_listener};
    s->offered.owner = (struct caller){getuid(), getgid(), getpid(), "proxy server"};
    offered_add(d, &s->offered, listener);
    *out = s;
    return HOST_OK;
}

void proxy_server_drain(struct proxy_server *s, uint64_t max_us)
{
    host_unlisten(daemon_host(s->daemon), s->offered.listener);
    offered_remove(&s->offered);
    s->offered.listener = NULL;
    host_drain(daemon_host(s->daemon), max_us);
}

void proxy_server_close(struct proxy_server *s)
{
    if (!s)
        return;
    while (!list_empty(&s->sessions))
        reset(list_entry(s->sessions.next, struct session, link));
    names_free(s->names);
    free(s);
}
