/* SPDX-License-Identifier: MIT
 *
 * Control connections: one JSON object a line in, one a line out (control/control.h).
 * A client that does not read its answers is served no further ones; one that
 * does not read its events loses them, and is told how many.
 */
#ifndef DAEMON_CLIENTS_H
#define DAEMON_CLIENTS_H

#include <jansson.h>

#include "daemon/daemon.h"

struct clients;

/* What a request is judged by, and what it may change of its client. */
struct asker {
    struct caller caller;
    bool subscribed;  /* gets events from now on: */
    uint32_t conn_id; /* of one connection; 0: of all that it may see */
};

/* Listening at listen_fd, which it takes over. NULL: out of memory. */
struct clients *clients_new(struct daemon *d, int listen_fd);
void clients_free(struct clients *c);

/* Somebody subscribed. */
bool clients_listen(const struct clients *c);
/* An event for whoever asked for it; `owner` whose connection it is about (NULL:
 * the daemon's own, for root and the daemon's user). */
void clients_event(struct clients *c, const struct plait_event *event, const struct caller *owner);

/* May `caller` see and change what belongs to `owner`? */
bool caller_may(const struct caller *caller, const struct caller *owner);

/* requests.c: the answer to one request, which is the caller's to release. */
json_t *request_answer(struct daemon *d, struct asker *asker, const json_t *request);

/* status.c: the same for "status". */
json_t *status_answer(struct daemon *d, struct asker *asker, const json_t *request);

#endif
