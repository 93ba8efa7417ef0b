/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share.
 */
#ifndef WEB_PARTS_H
#define WEB_PARTS_H

#include <jansson.h>
#include <microhttpd.h>

#include "base/list.h"
#include "web/web.h"

enum {
    WEB_CONNECTIONS_MAX = 32,
    WEB_VIEWERS_MAX = 16,
    WEB_BODY_MAX = 4096,
    WEB_SHOWN_MAX = 200,          /* connections in one look: the youngest */
    WEB_VIEWER_ROOM_MAX = 1 << 20 /* bytes that wait for one viewer */
};

struct web {
    struct daemon *daemon;
    struct web_options options;
    struct MHD_Daemon *http;
    int epoll_fd;
    struct host_timer *http_due, *look_due;
    struct list viewers;
    unsigned viewer_count;
    bool woken;              /* a viewer has something to take since MHD_run began */
    char url[96], token[40]; /* token "": nothing can be changed */
};

/* ---- guard.c --------------------------------------------------------------- */

/* Does a request with this Host mean us? A page of elsewhere whose name was made to
 * resolve to our address (DNS rebinding) names itself. */
bool guard_host(const struct plait_endpoint *bound, const char *host);
/* Origin, where there is one, is the page that this Host serves. */
bool guard_origin(const char *host, const char *origin);
/* In a time that does not tell how much of it is right. */
bool guard_token(const char *token, const char *given);

/* ---- stream.c -------------------------------------------------------------- */

/* A response that goes on; NULL: there are WEB_VIEWERS_MAX, or no memory. */
struct MHD_Response *stream_response(struct web *w, struct MHD_Connection *conn);
/* To everybody: an event of the stack, and how things are now. */
void stream_event(struct web *w, const struct plait_event *e);
void stream_look(struct web *w);
/* All of them end with the next turn. */
void stream_end(struct web *w);

/* ---- metrics.c ------------------------------------------------------------- */

/* The answer to "status" as text, the caller's to free; NULL: no memory. */
char *metrics_text(const json_t *status, size_t *len);

/* ---- web.c ----------------------------------------------------------------- */

/* How things are: what plait status --json tells, without what is only for who asks
 * there. */
json_t *web_status(struct web *w, bool counters, unsigned limit);

#endif
