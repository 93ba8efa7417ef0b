/* SPDX-License-Identifier: MIT */
#include "daemon/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"
#include "host/events.h"

enum {
    CLIENTS_MAX = 256,
    CLIENTS_USER_MAX = 32,        /* of one user that is not root */
    ANSWER_UNREAD_MAX = 1 << 20,  /* beyond it no further request is read */
    EVENTS_UNREAD_MAX = 256 << 10 /* beyond it events are lost */
};

struct client {
    struct list link;
    struct clients *all;
    int fd;
    struct asker asker;
    bool ending;   /* nothing more is read, and the end is told once all is written */
    uint64_t lost; /* events, since one was written */
    char line[CONTROL_LINE_MAX];
    size_t len;
    char *out; /* from out_at to out_len is to be written */
    size_t out_at, out_len, out_room;
};

struct clients {
    struct daemon *daemon;
    int listen_fd;
    struct list list;
    unsigned count;
};

static void on_client(void *ctx, int fd, unsigned events);

static void client_free(struct client *c)
{
    host_watch(daemon_host(c->all->daemon), c->fd, 0, NULL, NULL);
    close(c->fd);
    list_remove(&c->link);
    c->all->count--;
    free(c->out);
    free(c);
}

/* ---- out ----------------------------------------------------------------- */

static size_t unread(const struct client *c)
{
    return c->out_len - c->out_at;
}

static bool put(struct client *c, const char *bytes, size_t len)
{
    if (c->out_at) {
        memmove(c->out, c->out + c->out_at, unread(c));
        c->out_len -= c->out_at;
        c->out_at = 0;
    }
    if (c->out_len + len > c->out_room) {
        size_t room = 2 * (c->out_len + len);
        char *out = realloc(c->out, room);
        if (!out)
            return false;
        c->out = out;
        c->out_room = room;
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
    return true;
}

/* As much as goes now. False: the client is gone. */
static bool flush(struct client *c)
{
    while (unread(c)) {
        ssize_t n = send(c->fd, c->out + c->out_at, unread(c), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n < 0)
            break;
        c->out_at += (size_t)n;
    }
    /* Closing with something unread would take the last answer away from it. */
    if (!unread(c) && c->ending)
        shutdown(c->fd, SHUT_WR);
    unsigned in = unread(c) < ANSWER_UNREAD_MAX || c->ending ? HOST_IN : 0;
    unsigned out = unread(c) ? HOST_OUT : 0;
    return host_watch(daemon_host(c->all->daemon), c->fd, in | out, on_client, c) == 0;
}

/* Takes the answer over. */
static void answer(struct client *c, json_t *message)
{
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

    if (!text || !put(c, text, strlen(text)) || !put(c, "\n", 1))
        c->ending = true; /* without memory: better an end than half an answer */
    free(text);
    json_decref(message);
}

/* ---- in ------------------------------------------------------------------ */

static void obey(struct client *c, const char *line, size_t len)
{
    json_t *refusal, *request = control_parse(line, len, &refusal);

    if (!request) {
        answer(c, refusal);
        c->ending = true;
        return;
    }
    answer(c, request_answer(c->all->daemon, &c->asker, request));
    json_decref(request);
}

static void take_lines(struct client *c)
{
    size_t from = 0;

    while (!c->ending && unread(c) < ANSWER_UNREAD_MAX) {
        char *end = memchr(c->line + from, '\n', c->len - from);
        if (!end)
            break;
        size_t len = (size_t)(end - c->line) - from;
        if (len > 0)
            obey(c, c->line + from, len);
        from += len + 1;
    }
    c->len -= from;
    memmove(c->line, c->line + from, c->len);
    if (c->len == sizeof c->line && !memchr(c->line, '\n', c->len) && !c->ending) {
        answer(c,
               control_failed(CONTROL_BAD_REQUEST, "a line is at most %d bytes", CONTROL_LINE_MAX));
        c->ending = true;
    }
}

static void on_client(void *ctx, int fd, unsigned events)
{
    struct client *c = ctx;

    if (events & (HOST_IN | HOST_HUP) && c->len < sizeof c->line) {
        ssize_t n = read(fd, c->line + c->len, sizeof c->line - c->len);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            client_free(c);
            return;
        }
        if (n > 0)
            c->len += (size_t)n;
    }
    if (c->ending)
        c->len = 0;
    take_lines(c);
    if (!flush(c))
        client_free(c);
}

/* ---- coming -------------------------------------------------------------- */

static bool may_come(const struct clients *all, const struct caller *caller)
{
    unsigned same = 0;

    for (struct list *l = all->list.next; l != &all->list; l = l->next)
        same += list_entry(l, struct client, link)->asker.caller.uid == caller->uid;
    return all->count < CLIENTS_MAX && (caller->uid == 0 || same < CLIENTS_USER_MAX);
}

static void on_listen(void *ctx, int listen_fd, unsigned events)
{
    struct clients *all = ctx;
    struct caller caller;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)events;

    if (fd < 0)
        return;
    struct client *c = NULL;
    if (caller_of(fd, &caller) == 0 && may_come(all, &caller))
        c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->all = all;
    c->fd = fd;
    c->asker.caller = caller;
    list_append(&all->list, &c->link);
    all->count++;
    if (host_watch(daemon_host(all->daemon), fd, HOST_IN, on_client, c) != 0)
        client_free(c);
}

struct clients *clients_new(struct daemon *d, int listen_fd)
{
    struct clients *c = calloc(1, sizeof *c);

    if (!c || host_watch(daemon_host(d), listen_fd, HOST_IN, on_listen, c) != 0) {
        close(listen_fd);
        free(c);
        return NULL;
    }
    c->daemon = d;
    c->listen_fd = listen_fd;
    list_init(&c->list);
    return c;
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    while (!list_empty(&c->list))
        client_free(list_first(&c->list, struct client, link));
    host_watch(daemon_host(c->daemon), c->listen_fd, 0, NULL, NULL);
    close(c->listen_fd);
    free(c);
}

/* ---- events -------------------------------------------------------------- */

bool caller_may(const struct caller *caller, const struct caller *owner)
{
    return caller->uid == 0 || caller->uid == geteuid() || (owner && owner->uid == caller->uid);
}

bool clients_listen(const struct clients *all)
{
    for (const struct list *l = all->list.next; l != &all->list; l = l->next)
        if (list_entry(l, struct client, link)->asker.subscribed)
            return true;
    return false;
}

static void tell(struct client *c, const char *line, size_t len)
{
    char lost[96];

    if (unread(c) > EVENTS_UNREAD_MAX) {
        c->lost++;
        return;
    }
    int n = c->lost ? snprintf(lost, sizeof lost, "{\"event\":\"lost\",\"events\":%llu}\n",
                               (unsigned long long)c->lost)
                    : 0;
    c->lost = 0;
    if (!put(c, lost, (size_t)n) || !put(c, line, len))
        c->ending = true;
    /* Written in the next turn: an event comes in the middle of the engine's work. */
    host_watch(daemon_host(c->all->daemon), c->fd, HOST_IN | HOST_OUT, on_client, c);
}

void clients_event(struct clients *all, const struct plait_event *event, const struct caller *owner)
{
    char line[EVENT_LINE_MAX + 1];
    size_t len = 0;

    for (struct list *l = all->list.next; l != &all->list; l = l->next) {
        struct client *c = list_entry(l, struct client, link);
        const struct asker *asker = &c->asker;
        if (!asker->subscribed || (asker->conn_id && asker->conn_id != event->conn_id) ||
            !caller_may(&asker->caller, owner))
            continue;
        if (len == 0) {
            len = event_format(event, line);
            line[len++] = '\n';
        }
        tell(c, line, len);
    }
}
