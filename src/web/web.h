/* SPDX-License-Identifier: MIT
 *
 * A daemon by HTTP: the live page, its stream of events, /status.json and /metrics.
 *
 *   web.c      opening, the turn of the loop, what is served where
 *   guard.c    whom it answers: Host, Origin, the token
 *   stream.c   /events: a look a second and what happens in between, to viewers
 *   metrics.c  /metrics: Prometheus' text format
 *   page/      the page itself, inside the program
 *
 * libmicrohttpd reads and writes HTTP, in the daemon's one thread, from the host's loop.
 * Who can connect sees the connections of all users; with `control` who knows the token,
 * which plait status tells root and the daemon's user, ends them too.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "daemon/daemon.h"

struct web;

struct web_options {
    struct plait_endpoint at;
    bool control; /* requests that change something are taken */
};

/* "8684" (of 127.0.0.1), "localhost:8684", "ADDR:PORT". Another address than a loopback
 * one is only had by naming it. */
bool web_address(const char *text, struct plait_endpoint *out);
/* Before privileges are dropped. HOST_OK, or a failure with err filled. */
int web_open(struct daemon *d, const struct web_options *options, struct web **out,
             struct host_error *err);
/* Before daemon_close. NULL: nothing. */
void web_close(struct web *w);

#endif
