/* SPDX-License-Identifier: MIT
 *
 * Server-sent events. A viewer that does not read misses looks first, then events, and
 * what waits for it is bounded; one that takes nothing for long is ended by its timeout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/events.h"
#include "web/parts.h"

enum { LOOK_US = 1000000, BLOCK_BYTES = 32768 };

struct viewer {
    struct list link;
    struct web *web;
    struct MHD_Connection *conn;
    bool waiting, ended;
    uint64_t lost;        /* events, since one was taken */
    char *out;            /* from `at` to `len` is to be sent */
    size_t at, len, room; /* of `out` */
};

/* An event comes in the middle of the engine's work: it is sent in the next turn. */
static void wake(struct viewer *v)
{
    struct host *h = daemon_host(v->web->daemon);

    if (!v->waiting)
        return;
    v->waiting = false;
    v->web->woken = true;
    MHD_resume_connection(v->conn);
    host_timer_set(h, v->web->http_due, host_now(h));
}

static bool put(struct viewer *v, const char *bytes, size_t len)
{
    if (v->at == v->len)
        v->at = v->len = 0;
    if (v->len + len > v->room) {
        size_t room = v->len + len + BLOCK_BYTES;
        char *out = room <= WEB_VIEWER_ROOM_MAX ? realloc(v->out, room) : NULL;
        if (!out)
            return false;
        v->out = out;
        v->room = room;
    }
    memcpy(v->out + v->len, bytes, len);
    v->len += len;
    wake(v);
    return true;
}

static ssize_t take(void *ctx, uint64_t pos, char *buf, size_t max)
{
    struct viewer *v = ctx;
    size_t n = v->len - v->at < max ? v->len - v->at : max;
    (void)pos;

    if (v->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        v->waiting = true;
        MHD_suspend_connection(v->conn);
        return 0;
    }
    memcpy(buf, v->out + v->at, n);
    v->at += n;
    return (ssize_t)n;
}

static void viewer_free(void *ctx)
{
    struct viewer *v = ctx;

    list_remove(&v->link);
    v->web->viewer_count--;
    free(v->out);
    free(v);
}

/* ---- what is said ---------------------------------------------------------- */

/* One message; NULL: no memory. */
static char *message(const char *kind, const char *data, size_t *len)
{
    size_t room = strlen(kind) + strlen(data) + 24;
    char *text = malloc(room);

    if (text)
        *len = (size_t)snprintf(text, room, "event: %s\ndata: %s\n\n", kind, data);
    return text;
}

/* Sentences for the short words of reasons. */
static bool tell_reasons(struct viewer *v)
{
    json_t *all = json_object();
    size_t len = 0;

    for (unsigned why = 0; why < PLAIT_WHY_COUNT; why++)
        json_object_set_new(all, plait_reason_name(why), json_string(plait_reason_text(why)));
    char *data = json_dumps(all, JSON_COMPACT);
    char *text = data ? message("reasons", data, &len) : NULL;
    bool told = text && put(v, text, len);
    free(text);
    free(data);
    json_decref(all);
    return told;
}

void stream_look(struct web *w)
{
    size_t len = 0;

    if (list_empty(&w->viewers))
        return;
    json_t *status = web_status(w, false, WEB_SHOWN_MAX);
    char *data = json_dumps(status, JSON_COMPACT);
    char *text = data ? message("status", data, &len) : NULL;
    list_each(v, &w->viewers, struct viewer, link) {
        if (text && v->at == v->len)
            put(v, text, len);
    }
    free(text);
    free(data);
    json_decref(status);
    host_timer_set(daemon_host(w->daemon), w->look_due, host_now(daemon_host(w->daemon)) + LOOK_US);
}

void stream_event(struct web *w, const struct plait_event *e)
{
    char line[EVENT_LINE_MAX], text[EVENT_LINE_MAX + 128];

    if (list_empty(&w->viewers))
        return;
    event_format(e, line);
    list_each(v, &w->viewers, struct viewer, link) {
        int n = v->lost ? snprintf(text, sizeof text, "event: lost\ndata: %llu\n\n",
                                   (unsigned long long)v->lost)
                        : 0;
        n += snprintf(text + n, sizeof text - (size_t)n, "event: stack\ndata: %s\n\n", line);
        bool told = v->len - v->at < WEB_VIEWER_ROOM_MAX / 4 && put(v, text, (size_t)n);
        v->lost = told ? 0 : v->lost + 1;
    }
}

/* ---- coming and going ------------------------------------------------------ */

struct MHD_Response *stream_response(struct web *w, struct MHD_Connection *conn)
{
    struct viewer *v = w->viewer_count < WEB_VIEWERS_MAX ? calloc(1, sizeof *v) : NULL;
    struct MHD_Response *r =
        v ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, take, v, viewer_free)
          : NULL;

    if (!r) {
        free(v);
        return NULL;
    }
    v->web = w;
    v->conn = conn;
    list_append(&w->viewers, &v->link);
    w->viewer_count++;
    v->ended = !tell_reasons(v);
    stream_look(w);
    return r;
}

void stream_end(struct web *w)
{
    list_each(v, &w->viewers, struct viewer, link) {
        v->ended = true;
        wake(v);
    }
}
