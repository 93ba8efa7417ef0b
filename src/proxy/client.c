/* SPDX-License-Identifier: MIT */
#include "proxy/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include "proxy/relay.h"

#define REQUEST_WAIT_US 10000000ull /* for what a program wants */
#define ANSWER_WAIT_US 30000000ull  /* for a connection */

enum { BACKLOG = 1024, ACCEPTS_AT_ONCE = 64, TRIES_MAX = 3 };

struct proxy_client {
    struct daemon *daemon;
    struct proxy_client_options o;
    struct names *names;
    struct plait_addr server[HOST_NAME_ADDRS_MAX];
    unsigned server_count;
    bool clock_known;
    int64_t clock_ahead_us; /* the server's, of host_now */
    struct list sessions;
    unsigned count;
    struct listening {
        struct proxy_client *client;
        enum front_kind kind;
        struct plait_endpoint at;
        int fd;
    } fronts[PROXY_FRONTS_MAX];
    unsigned front_count;
};

enum phase { ASKING, NAMING, OPENING, CARRYING };

/* What is needed until it is known where a connection goes, and whether it is there:
 * most of a session's memory, and for a short time. */
struct opening {
    size_t in_have;
    uint8_t in[FRONT_IN_MAX]; /* of the program: what was not dealt with yet */
    struct heard message;     /* of the server */
};

struct session {
    struct relay relay; /* first */
    struct list link;
    struct proxy_client *client;
    enum phase phase;
    struct host_timer *due;
    struct names_query *query;
    struct front front;
    unsigned tries;          /* the message was sent so often */
    struct opening *opening; /* until bytes are carried */
};

static struct host *host_of(const struct session *s)
{
    return daemon_host(s->client->daemon);
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
    char to[ENDPOINT_TEXT_MAX];

    if (!s->client->o.verbose)
        return;
    if (s->front.host[0])
        fprintf(stderr, "%s %s:%u: %s\n", front_name(s->front.kind), s->front.host,
                s->front.to.port, what);
    else
        fprintf(stderr, "%s %s: %s\n", front_name(s->front.kind), endpoint_format(&s->front.to, to),
                what);
}

static void session_free(struct session *s)
{
    names_forget(s->query);
    host_timer_free(host_of(s), s->due);
    list_remove(&s->link);
    s->client->count--;
    free(s->opening);
    free(s);
}

static void on_over(struct relay *r, const char *why)
{
    struct session *s = (struct session *)r;
    char text[128];

    snprintf(text, sizeof text, "%s; %llu bytes out, %llu back", why ? why : "ended",
             (unsigned long long)r->bytes_in, (unsigned long long)r->bytes_out);
    say(s, text);
    session_free(s);
}

static void reset(struct session *s)
{
    relay_reset(&s->relay);
    session_free(s);
}

/* ---- answering the program --------------------------------------------------------- */

/* An answer is short, and its socket's buffer is empty: it is taken whole. */
static bool send_answer(struct session *s)
{
    const struct front *f = &s->front;

    return f->answer_len == 0 ||
           send(s->relay.fd, f->answer, f->answer_len, MSG_NOSIGNAL) == (ssize_t)f->answer_len;
}

/* What was answered last is delivered, though bytes may be unread: no reset, then. */
static void part(struct session *s)
{
    char bin[4096];

    shutdown(s->relay.fd, SHUT_WR);
    while (recv(s->relay.fd, bin, sizeof bin, MSG_DONTWAIT) > 0)
        ;
    host_watch(host_of(s), s->relay.fd, 0, NULL, NULL);
    close(s->relay.fd);
    s->relay.fd = -1;
    reset(s);
}

static void refuse(struct session *s, enum front_why why, const char *text)
{
    say(s, text);
    front_refuse(&s->front, why, text);
    if (s->front.kind == FRONT_TRANSPARENT || !send_answer(s))
        reset(s);
    else
        part(s);
}

static void accepted(struct session *s)
{
    struct plait_conn *conn = s->relay.carried.conn;

    front_accept(&s->front);
    if (!send_answer(s)) {
        reset(s);
        return;
    }
    /* What the program sent without waiting: the send buffer has room for it. */
    if (s->opening->in_have && plait_conn_write(conn, s->opening->in, s->opening->in_have,
                                                now(s)) != (int64_t)s->opening->in_have) {
        reset(s);
        return;
    }
    free(s->opening);
    s->opening = NULL;
    s->phase = CARRYING;
    wait_until(s, 0);
    say(s, "connected");
    relay_run(&s->relay);
}

/* ---- the server's answer ------------------------------------------------------------- */

static void open_conn(struct session *s);

static enum front_why why_of(unsigned code)
{
    switch (code) {
    case CONVERT_E_NOT_AUTHORIZED:
    case CONVERT_E_MISSING_COOKIE:
        return FRONT_WHY_NOT_ALLOWED;
    case CONVERT_E_CONNECTION_RESET:
        return FRONT_WHY_REFUSED;
    case CONVERT_E_UNREACHABLE:
        return FRONT_WHY_UNREACHABLE;
    case CONVERT_E_NO_NAME:
        return FRONT_WHY_NO_NAME;
    case CONVERT_E_RESOURCE_EXCEEDED:
        return FRONT_WHY_BUSY;
    default:
        return FRONT_WHY_FAILED;
    }
}

static void drop_conn(struct session *s)
{
    struct plait_conn *conn = s->relay.carried.conn;

    if (!conn)
        return;
    plait_conn_set_user(conn, NULL);
    carried_remove(&s->relay.carried);
    s->relay.carried.conn = NULL;
    plait_conn_abort(conn, now(s));
}

/* RFC 8803 6.2.8: with an error the connection is reset. A cookie that was missing is
 * made; one that was refused at the first try may come from the clock of a server that
 * has begun anew since, and the clock is asked for again. */
static void on_error(struct session *s, const struct convert_message *m)
{
    struct proxy_client *c = s->client;
    uint64_t server_us;
    char text[160];

    if (m->error_code == CONVERT_E_MISSING_COOKIE && c->o.user &&
        challenge_read(&m->error_value, &server_us)) {
        c->clock_ahead_us = (int64_t)(server_us - now(s));
        c->clock_known = true;
    }
    bool stale = m->error_code == CONVERT_E_NOT_AUTHORIZED && s->tries == 1;
    if (c->o.user && s->tries < TRIES_MAX && (m->error_code == CONVERT_E_MISSING_COOKIE || stale)) {
        c->clock_known = !stale;
        drop_conn(s);
        open_conn(s);
        return;
    }
    snprintf(text, sizeof text, "the proxy server says: %s", convert_error_text(m->error_code));
    refuse(s, why_of(m->error_code), text);
}

static void on_answer(struct session *s, size_t len)
{
    struct convert_message m;

    if (convert_decode(s->opening->message.bytes, len, &m) != CONVERT_GOOD)
        refuse(s, FRONT_WHY_FAILED, "the proxy server's answer makes no sense");
    else if (m.error)
        on_error(s, &m);
    else
        accepted(s);
}

static void on_opening(struct carried *k)
{
    struct session *s = (struct session *)list_entry(k, struct relay, carried);
    int error, len = heard_read(&s->opening->message, k->conn, now(s), &error);

    if (len > 0)
        on_answer(s, (size_t)len);
    else if (len == HEARD_OTHER)
        refuse(s, FRONT_WHY_FAILED, "the proxy server speaks no Convert Protocol");
    else if (len == HEARD_ENDED)
        refuse(s, FRONT_WHY_UNREACHABLE,
               error ? plait_error_text(error) : "the proxy server went away");
}

static void on_direct(struct carried *k)
{
    struct session *s = (struct session *)list_entry(k, struct relay, carried);
    unsigned state = plait_conn_poll(k->conn);

    if (state & PLAIT_POLL_CONNECTED) {
        accepted(s);
    } else if (state & PLAIT_POLL_ERROR) {
        int error = plait_conn_error(k->conn);
        refuse(s, error == PLAIT_E_REFUSED ? FRONT_WHY_REFUSED : FRONT_WHY_UNREACHABLE,
               plait_error_text(error));
    }
}

/* ---- opening --------------------------------------------------------------------------- */

/* What the server is asked for. False: it does not fit into a message. */
static bool write_message(struct session *s, struct convert_writer *w)
{
    const struct proxy_client *c = s->client;
    uint8_t nonce[16];

    convert_begin(w);
    if (s->front.host[0])
        convert_put_name(w, s->front.host, s->front.to.port);
    else
        convert_put_connect(w, &s->front.to, NULL, 0);
    if (!c->o.user || !c->clock_known)
        return convert_end(w);
    if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce)
        return false;
    return credential_sign(c->o.user, w, now(s) + (uint64_t)c->clock_ahead_us, nonce);
}

static bool connect_to(struct session *s, const struct plait_addr *addrs, unsigned count,
                       const struct host_target *target)
{
    struct plait_options options = *daemon_defaults(s->client->daemon);
    struct plait_conn *conn;
    struct host_error err;

    options.fastopen = s->client->o.fastopen ? PLAIT_FASTOPEN_ON : PLAIT_FASTOPEN_OFF;
    if (host_connect_addrs(host_of(s), addrs, count, target, &options, &conn, &err) != HOST_OK) {
        refuse(s, FRONT_WHY_UNREACHABLE, err.text);
        return false;
    }
    relay_set_conn(&s->relay, conn, s->client->o.server ? on_opening : on_direct);
    s->phase = OPENING;
    wait_until(s, ANSWER_WAIT_US);
    return true;
}

static void open_conn(struct session *s)
{
    const struct proxy_client *c = s->client;
    const struct host_target target = {.name = c->o.server, .port = c->o.server_port};
    struct convert_writer w;

    s->opening->message.have = 0;
    s->tries++;
    if (!write_message(s, &w))
        refuse(s, FRONT_WHY_FAILED, "the name is too long");
    else if (connect_to(s, c->server, c->server_count, &target) &&
             plait_conn_write(s->relay.carried.conn, w.bytes, w.len, now(s)) != (int64_t)w.len)
        refuse(s, FRONT_WHY_BUSY, "no memory for a connection");
}

static void on_name(void *ctx, const struct plait_addr *addrs, unsigned count, const char *why)
{
    struct session *s = ctx;
    const struct host_target target = {.name = s->front.host, .port = s->front.to.port};

    s->query = NULL;
    if (count == 0)
        refuse(s, FRONT_WHY_NO_NAME, why);
    else
        connect_to(s, addrs, count, &target);
}

static void go(struct session *s)
{
    const struct host_target target = {.port = s->front.to.port};

    if (s->client->o.server) {
        open_conn(s);
    } else if (s->front.host[0]) {
        s->phase = NAMING;
        wait_until(s, 0); /* the resolver ends by itself */
        s->query = names_ask(s->client->names, s->front.host, s->client->o.family, on_name, s);
        if (!s->query)
            refuse(s, FRONT_WHY_BUSY, "no memory to resolve a name");
    } else {
        connect_to(s, &s->front.to.addr, 1, &target);
    }
}

/* ---- programs ----------------------------------------------------------------------------- */

/* While the connection is opened, the program may go, or send what has to wait. */
static void on_program_waiting(struct session *s, unsigned events)
{
    if (events & HOST_HUP)
        reset(s);
}

static void on_program(void *ctx, int fd, unsigned events)
{
    struct session *s = ctx;

    if (s->phase != ASKING) {
        on_program_waiting(s, events);
        return;
    }
    for (;;) {
        ssize_t n = recv(fd, s->opening->in + s->opening->in_have,
                         sizeof s->opening->in - s->opening->in_have, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            reset(s);
            return;
        }
        s->opening->in_have += (size_t)n;
        size_t used;
        enum front_state state = front_take(&s->front, s->opening->in, s->opening->in_have, &used);
        s->opening->in_have -= used;
        memmove(s->opening->in, s->opening->in + used, s->opening->in_have);
        if (!send_answer(s) ||
            (state == FRONT_MORE && s->opening->in_have == sizeof s->opening->in)) {
            reset(s);
            return;
        }
        if (state == FRONT_MORE)
            continue;
        if (state == FRONT_KNOWN)
            go(s);
        else
            part(s);
        return;
    }
}

static void on_due(void *ctx)
{
    struct session *s = ctx;

    if (s->phase == ASKING)
        reset(s);
    else
        refuse(s, FRONT_WHY_TIMED_OUT, "no answer in time");
}

/* A connection to where it was accepted would come back to us for ever. */
static bool is_own(const struct listening *l, const struct plait_endpoint *to)
{
    return to->port == l->at.port &&
           (addr_equal(&to->addr, &l->at.addr) || addr_is_unspecified(&l->at.addr));
}

static void session_new(struct listening *l, int fd)
{
    struct proxy_client *c = l->client;
    struct host *h = daemon_host(c->daemon);
    struct session *s = c->count < c->o.conns_max ? calloc(1, sizeof *s) : NULL;
    struct host_timer *due = s ? host_timer_new(h, on_due, s) : NULL;
    const int on = 1;

    if (due)
        s->opening = calloc(1, sizeof *s->opening);
    if (!due || !s->opening) {
        host_timer_free(h, due);
        free(s);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->client = c;
    s->due = due;
    s->front = (struct front){.kind = l->kind, .wanted = c->o.program};
    s->relay = (struct relay){.daemon = c->daemon, .fd = -1, .over = on_over};
    s->relay.carried.owner = (struct caller){getuid(), getgid(), getpid(), ""};
    snprintf(s->relay.carried.owner.program, DAEMON_PROGRAM_MAX, "proxy %s", front_name(l->kind));
    list_append(&c->sessions, &s->link);
    c->count++;
    wait_until(s, REQUEST_WAIT_US);
    bool good = relay_set_fd(&s->relay, fd, HOST_IN, on_program) == 0;
    if (l->kind == FRONT_TRANSPARENT)
        good = good && front_destination(fd, &s->front.to) && !is_own(l, &s->front.to);
    if (!good)
        reset(s);
    else if (l->kind == FRONT_TRANSPARENT)
        go(s);
}

static void on_front(void *ctx, int fd, unsigned events)
{
    struct listening *l = ctx;
    (void)events;

    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (conn < 0)
            return;
        session_new(l, conn);
    }
}

/* ---- the client --------------------------------------------------------------------------- */

static int listen_at(struct listening *l, struct host_error *err)
{
    struct sockaddr_storage sa = {0};
    bool v6 = l->at.addr.family == PLAIT_IPV6;
    struct sockaddr_in *in = (struct sockaddr_in *)&sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
    char text[ENDPOINT_TEXT_MAX];
    const int on = 1;

    if (v6) {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(l->at.port)};
        memcpy(&in6->sin6_addr, l->at.addr.bytes, 16);
    } else {
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(l->at.port)};
        memcpy(&in->sin_addr, l->at.addr.bytes, 4);
    }
    l->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good = l->fd >= 0 && setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (good && v6) /* IPv4 has a socket of its own */
        good = setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (good && l->kind == FRONT_TRANSPARENT) /* TPROXY wants it; REDIRECT does without */
        (void)!setsockopt(l->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                          v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on);
    good = good && bind(l->fd, (struct sockaddr *)&sa, v6 ? sizeof *in6 : sizeof *in) == 0 &&
           listen(l->fd, BACKLOG) == 0;
    if (good)
        good =
            (errno = -host_watch(daemon_host(l->client->daemon), l->fd, HOST_IN, on_front, l)) == 0;
    if (!good)
        return host_fail(err, errno == EADDRINUSE ? HOST_FAIL_PORT : HOST_FAIL_ADDRESS,
                         "cannot listen for %s at %s: %s", front_name(l->kind),
                         endpoint_format(&l->at, text), strerror(errno));
    return HOST_OK;
}

static int listen_all(struct proxy_client *c, struct host_error *err)
{
    for (; c->front_count < c->o.front_count; c->front_count++) {
        struct listening *l = &c->fronts[c->front_count];
        const struct proxy_front *wanted = &c->o.fronts[c->front_count];
        *l = (struct listening){c, wanted->kind, wanted->at, -1};
        int failure = listen_at(l, err);
        if (failure) {
            if (l->fd >= 0)
                close(l->fd);
            return failure;
        }
    }
    return HOST_OK;
}

int proxy_client_open(struct daemon *d, const struct proxy_client_options *options,
                      struct proxy_client **out, struct host_error *err)
{
    struct proxy_client *c = calloc(1, sizeof *c);
    int failure = HOST_OK;

    if (!c)
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    c->daemon = d;
    c->o = *options;
    list_init(&c->sessions);
    c->names = names_new(daemon_host(d));
    if (!c->names)
        failure = host_fail(err, HOST_FAIL_OTHER, "the resolver of names does not start");
    if (!failure && options->server)
        failure = host_resolve(options->server, options->family, c->server, HOST_NAME_ADDRS_MAX,
                               &c->server_count, err);
    if (!failure)
        failure = listen_all(c, err);
    if (failure) {
        proxy_client_close(c);
        return failure;
    }
    *out = c;
    return HOST_OK;
}

static void unlisten(struct proxy_client *c)
{
    for (; c->front_count > 0; c->front_count--) {
        int fd = c->fronts[c->front_count - 1].fd;
        host_watch(daemon_host(c->daemon), fd, 0, NULL, NULL);
        close(fd);
    }
}

void proxy_client_drain(struct proxy_client *c, uint64_t max_us)
{
    unlisten(c);
    host_drain(daemon_host(c->daemon), max_us);
}

void proxy_client_close(struct proxy_client *c)
{
    if (!c)
        return;
    while (!list_empty(&c->sessions))
        reset(list_entry(c->sessions.next, struct session, link));
    unlisten(c);
    names_free(c->names);
    free(c);
}
