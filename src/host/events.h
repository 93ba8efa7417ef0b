/* SPDX-License-Identifier: MIT
 *
 * The engine's events as a file of JSON lines.
 */
#ifndef HOST_EVENTS_H
#define HOST_EVENTS_H

#include <stdio.h>

#include "plait/events.h"

enum { EVENT_LINE_MAX = 1024 };

/* One event as one JSON object without a newline; returns its length. Absent
 * parts are left out. */
size_t event_format(const struct plait_event *e, char line[EVENT_LINE_MAX]);

struct event_file {
    FILE *file;
    struct plait_event_sink next; /* gets every event too */
};

/* path "-": standard error. 0 or a negative errno. */
int event_file_open(struct event_file *f, const char *path, const struct plait_event_sink *next);
/* Which packet driver there is, and why: what an engine does not know. Both are words
 * of our own, without quotes. */
void event_file_driver(const struct event_file *f, uint64_t now_us, const char *name,
                       const char *why);
void event_file_close(struct event_file *f);
/* A plait_event_sink.emit with an event_file as ctx. */
void event_file_emit(void *ctx, const struct plait_event *e);

#endif
