/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sock/sock.h"

/* ---- readiness ----------------------------------------------------------- */

unsigned sock_poll(struct plait_socket *s)
{
    if (s->conn)
        return plait_conn_poll(s->conn);
    if (s->listener && !s->pending)
        s->pending = plait_accept(s->listener);
    return s->pending ? PLAIT_POLL_READABLE : 0;
}

static void changed(struct plait_socket *s)
{
    if (s->conn && !s->connected && plait_conn_poll(s->conn) & PLAIT_POLL_CONNECTED) {
        s->connected = true;
        sock_open_named(s);
    }
    s->host->changes++;
    pthread_cond_broadcast(&s->ready);
    pthread_cond_broadcast(&s->host->changed);
    if (s->fn)
        s->fn(s->ctx, s, sock_poll(s));
}

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct plait_socket *s = plait_conn_user(conn);
    (void)ctx;

    if (s)
        changed(s);
}

static void on_listener(void *ctx, struct plait_listener *listener)
{
    struct plait_host *h = ctx;

    for (struct list *l = h->sockets.next; l != &h->sockets; l = l->next) {
        struct plait_socket *s = list_entry(l, struct plait_socket, link);
        if (s->listener == listener) {
            changed(s);
            return;
        }
    }
}

static void on_event(void *ctx, const struct plait_event *e)
{
    struct plait_host *h = ctx;

    for (struct list *l = h->sockets.next; e->conn_id && l != &h->sockets; l = l->next) {
        struct plait_socket *s = list_entry(l, struct plait_socket, link);
        if (s->conn_id == e->conn_id) {
            s->history[s->happened++ % PLAIT_HISTORY_MAX] = *e;
            break;
        }
    }
    if (h->next.emit)
        h->next.emit(h->next.ctx, e);
}

int plait_poll(struct plait_pollfd *list, unsigned count, uint64_t timeout_us)
{
    struct plait_host *h = count ? list[0].socket->host : NULL;
    int ready = 0;

    for (unsigned i = 0; i < count; i++)
        if (list[i].socket->host != h)
            return PLAIT_E_INVALID;
    if (!h)
        return PLAIT_E_INVALID;
    sock_enter(h);
    uint64_t now_us = host_now(h->host);
    uint64_t until_us = timeout_us < UINT64_MAX - now_us ? now_us + timeout_us : UINT64_MAX;
    do {
        for (unsigned i = 0; i < count; i++) {
            list[i].revents =
                sock_poll(list[i].socket) & (list[i].events | PLAIT_POLL_ERROR | PLAIT_POLL_HANGUP);
            ready += list[i].revents != 0;
        }
    } while (!ready && sock_wait_on(h, &h->changed, until_us));
    sock_leave(h);
    return ready;
}

/* ---- sockets ------------------------------------------------------------- */

struct plait_socket *sock_new(struct plait_host *h, const struct sock_settings *set)
{
    struct plait_socket *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->host = h;
    s->set = *set;
    sock_cond_init(&s->ready);
    list_append(&h->sockets, &s->link);
    return s;
}

void sock_free(struct plait_socket *s)
{
    list_remove(&s->link);
    pthread_cond_destroy(&s->ready);
    free(s);
}

void sock_take(struct plait_socket *s, struct plait_conn *conn)
{
    struct plait_conn_info info;

    s->conn = conn;
    plait_conn_set_user(conn, s);
    plait_conn_info(conn, &info);
    s->conn_id = info.id;
    s->connected = info.established;
}

/* ---- opening and closing ------------------------------------------------- */

static int error_of(enum host_failure failure)
{
    switch (failure) {
    case HOST_OK:
        return 0;
    case HOST_FAIL_USAGE:
    case HOST_FAIL_FILE:
        return PLAIT_E_INVALID;
    case HOST_FAIL_PERMISSION:
    case HOST_FAIL_DRIVER:
        return PLAIT_E_NOT_PERMITTED;
    case HOST_FAIL_ADDRESS:
        return PLAIT_E_NO_ADDRESS;
    case HOST_FAIL_PORT:
        return PLAIT_E_IN_USE;
    case HOST_FAIL_NAME:
    case HOST_FAIL_UNREACHABLE:
        return PLAIT_E_UNREACHABLE;
    case HOST_FAIL_TRANSFER:
        return PLAIT_E_RESET;
    case HOST_FAIL_OTHER:
        break;
    }
    return PLAIT_E_NO_MEMORY;
}

int sock_fail(const struct host_error *err, char *why)
{
    _Static_assert((int)PLAIT_TEXT_MAX == (int)HOST_ERROR_TEXT_MAX, "sentences are copied whole");
    if (why)
        memcpy(why, err->text, sizeof err->text);
    return error_of(err->failure);
}

void plait_host_options_default(struct plait_host_options *options)
{
    struct host_options host;

    host_options_default(&host);
    *options = (struct plait_host_options){.config = host.engine};
}

static void translate(const struct plait_host_options *o, struct host_options *out)
{
    host_options_default(out);
    out->driver = o->driver;
    out->local_count = o->addr_count < HOST_LOCALS_MAX ? o->addr_count : HOST_LOCALS_MAX;
    memcpy(out->locals, o->addrs, out->local_count * sizeof o->addrs[0]);
    for (; out->tun.addr_count < o->tun_addr_count && out->tun.addr_count < IO_TUN_ADDRS_MAX;
         out->tun.addr_count++) {
        out->tun.addrs[out->tun.addr_count].addr = o->tun_addrs[out->tun.addr_count];
        out->tun.addrs[out->tun.addr_count].prefix_len = o->tun_prefix_len[out->tun.addr_count];
    }
    out->pcap_path = o->pcap_path;
    out->events_path = o->events_path;
    out->engine = o->config;
}

int plait_host_open(const struct plait_host_options *options, struct plait_host **out, char *why)
{
    struct plait_host_options defaults;
    struct host_options host;
    struct host_error err = {HOST_FAIL_OTHER, "out of memory"};
    struct plait_host *h = calloc(1, sizeof *h);

    if (!h)
        return sock_fail(&err, why);
    if (!options) {
        plait_host_options_default(&defaults);
        options = &defaults;
    }
    translate(options, &host);
    h->wake_fd = -1;
    h->next = host.engine.sink;
    host.engine.sink = (struct plait_event_sink){h, on_event};
    list_init(&h->sockets);
    pthread_mutex_init(&h->mutex, NULL);
    sock_cond_init(&h->changed);
    int failure = host_open(&host, &h->host, &err);
    if (!failure)
        host_callbacks(h->host, &(struct host_callbacks){h, on_conn, on_listener});
    if (failure || (!options->own_loop && sock_thread_start(h) < 0)) {
        int error = sock_fail(&err, why);
        plait_host_close(h, 0);
        return error;
    }
    *out = h;
    return 0;
}

void plait_host_close(struct plait_host *h, uint64_t linger_us)
{
    if (!h)
        return;
    if (h->threaded)
        sock_thread_stop(h);
    while (!list_empty(&h->sockets)) {
        struct plait_socket *s = list_first(&h->sockets, struct plait_socket, link);
        if (s->conn)
            plait_conn_abort(s->conn, host_now(h->host));
        if (s->pending)
            plait_conn_abort(s->pending, host_now(h->host));
        sock_free(s);
    }
    if (h->host && linger_us)
        host_drain(h->host, linger_us);
    host_close(h->host);
    if (h->wake_fd >= 0)
        close(h->wake_fd);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

/* ---- a loop of the program's own ----------------------------------------- */

int plait_host_fd(const struct plait_host *h)
{
    return h->threaded ? PLAIT_E_INVALID : host_fd(h->host);
}

uint64_t plait_host_wait_us(struct plait_host *h)
{
    if (h->threaded)
        return UINT64_MAX;
    host_refresh(h->host);
    return host_wait_us(h->host);
}

int plait_host_run(struct plait_host *h, uint64_t max_wait_us)
{
    if (h->threaded)
        return PLAIT_E_INVALID;
    return host_step(h->host, max_wait_us) == 0 ? 0 : PLAIT_E_INVALID;
}
