/* SPDX-License-Identifier: MIT */
#include "host/names.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/addr.h"
#include "base/list.h"

enum { NAMES_WAIT_MS = 3000, NAMES_TRIES = 3 };

struct names {
    struct host *host;
    ares_channel channel;
    struct host_timer *timer, *now; /* of c-ares; for answers that are known at once */
    struct list answered;           /* struct names_query */
};

struct names_query {
    struct list link;
    struct names *names;
    names_answer *answer; /* NULL: forgotten */
    void *ctx;
    unsigned count;
    struct plait_addr addrs[HOST_NAME_ADDRS_MAX];
    const char *why;
};

/* ---- c-ares in the host's loop ----------------------------------------------------- */

static void arm(struct names *n)
{
    struct timeval room, *wait = ares_timeout(n->channel, NULL, &room);
    uint64_t us = wait ? (uint64_t)wait->tv_sec * 1000000 + (uint64_t)wait->tv_usec : 0;

    host_timer_set(n->host, n->timer, wait ? host_now(n->host) + us + 1000 : UINT64_MAX);
}

static void on_fd(void *ctx, int fd, unsigned events)
{
    struct names *n = ctx;

    ares_process_fd(n->channel, events & (HOST_IN | HOST_HUP) ? fd : ARES_SOCKET_BAD,
                    events & HOST_OUT ? fd : ARES_SOCKET_BAD);
    arm(n);
}

static void on_timer(void *ctx)
{
    struct names *n = ctx;

    ares_process_fd(n->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(n);
}

static void on_socket(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct names *n = ctx;

    host_watch(n->host, fd, (readable ? HOST_IN : 0u) | (writable ? HOST_OUT : 0u), on_fd, n);
}

/* ---- answers ------------------------------------------------------------------------ */

/* Told from a timer of now: c-ares may answer within the question. */
static void on_now(void *ctx)
{
    struct names *n = ctx;

    while (!list_empty(&n->answered)) {
        struct names_query *q = list_entry(n->answered.next, struct names_query, link);
        list_remove(&q->link);
        if (q->answer)
            q->answer(q->ctx, q->addrs, q->count, q->why);
        free(q);
    }
}

static void finish(struct names_query *q)
{
    list_append(&q->names->answered, &q->link);
    host_timer_set(q->names->host, q->names->now, host_now(q->names->host));
}

static bool take(const struct sockaddr *sa, struct plait_addr *out)
{
    if (sa->sa_family == AF_INET)
        *out = addr_v4((const uint8_t *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
    else if (sa->sa_family == AF_INET6)
        *out =
            addr_v6((const uint8_t *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
    else
        return false;
    return true;
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct names_query *q = ctx;
    (void)timeouts;

    if (status == ARES_EDESTRUCTION) {
        free(q);
        return;
    }
    for (struct ares_addrinfo_node *a = info ? info->nodes : NULL;
         a && q->count < HOST_NAME_ADDRS_MAX; a = a->ai_next)
        q->count += take(a->ai_addr, &q->addrs[q->count]);
    if (info)
        ares_freeaddrinfo(info);
    q->why = status == ARES_SUCCESS ? "the name has no usable address" : ares_strerror(status);
    finish(q);
}

struct names_query *names_ask(struct names *n, const char *name, enum plait_family family,
                              names_answer *answer, void *ctx)
{
    struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_STREAM};
    struct names_query *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    *q = (struct names_query){.names = n, .answer = answer, .ctx = ctx};
    if (addr_parse(name, &q->addrs[0])) {
        q->count = 1;
        finish(q);
        return q;
    }
    hints.ai_family = family == PLAIT_IPV4 ? AF_INET : family == PLAIT_IPV6 ? AF_INET6 : AF_UNSPEC;
    ares_getaddrinfo(n->channel, name, NULL, &hints, on_answer, q);
    arm(n);
    return q;
}

void names_forget(struct names_query *q)
{
    if (q)
        q->answer = NULL;
}

/* ---- beginning and end ----------------------------------------------------------------- */

struct names *names_new(struct host *h)
{
    struct names *n = calloc(1, sizeof *n);
    struct ares_options o = {.timeout = NAMES_WAIT_MS, .tries = NAMES_TRIES};

    if (!n)
        return NULL;
    n->host = h;
    list_init(&n->answered);
    o.sock_state_cb = on_socket;
    o.sock_state_cb_data = n;
    n->timer = host_timer_new(h, on_timer, n);
    n->now = host_timer_new(h, on_now, n);
    if (n->timer && n->now && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS) {
        if (ares_init_options(&n->channel, &o,
                              ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) ==
            ARES_SUCCESS)
            return n;
        ares_library_cleanup();
    }
    host_timer_free(h, n->timer);
    host_timer_free(h, n->now);
    free(n);
    return NULL;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    ares_destroy(n->channel);
    ares_library_cleanup();
    while (!list_empty(&n->answered)) {
        struct names_query *q = list_entry(n->answered.next, struct names_query, link);
        list_remove(&q->link);
        free(q);
    }
    host_timer_free(n->host, n->timer);
    host_timer_free(n->host, n->now);
    free(n);
}
