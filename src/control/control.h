/* SPDX-License-Identifier: MIT
 *
 * The control protocol of plaitd: lines of JSON over a unix stream socket named
 * "control" in the daemon's folder (docs/control.md has every request).
 *
 *   > {"plait": 1, "do": "set", "conn": 7, "scheduler": "redundant"}
 *   < {"plait": 1, "ok": true}
 *   < {"plait": 1, "ok": false, "error": "no-connection", "text": "..."}
 *
 * "plait" is the protocol's version. Within a version requests and answers only
 * gain members: readers ignore those that they do not know. The answers come in
 * the order of the requests; after "events" lines of events follow, between
 * answers. A line is at most CONTROL_LINE_MAX bytes; what is no request ends
 * the connection after an answer that says so.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { CONTROL_VERSION = 1, CONTROL_LINE_MAX = 65536, CONTROL_PATH_MAX = 108 };

/* What answers carry under "error". */
#define CONTROL_ERRORS(X)                                                                          \
    X(BAD_REQUEST, "bad-request")     /* no JSON, no known "do", a member of the wrong kind */     \
    X(BAD_VERSION, "bad-version")     /* "plait" is none that this daemon speaks */                \
    X(NO_CONNECTION, "no-connection") /* none has this number, or it is somebody else's */         \
    X(NO_SUBFLOW, "no-subflow")                                                                    \
    X(NO_ADDRESS, "no-address")                                                                    \
    X(UNKNOWN_NAME, "unknown-name")   /* of a scheduler and the like */                            \
    X(NOT_PERMITTED, "not-permitted") /* for root and the daemon's own user */                     \
    X(FAILED, "failed")               /* "text" says how */

enum control_error {
#define X(id, name) CONTROL_##id,
    CONTROL_ERRORS(X)
#undef X
        CONTROL_ERROR_COUNT
};

/* Messages, the caller's to release; NULL without memory. `more` (may be NULL)
 * is taken over and its members are added. */
json_t *control_ok(json_t *more);
__attribute__((format(printf, 2, 3))) json_t *control_failed(enum control_error error,
                                                             const char *format, ...);

/* Parse one line: an object with a version and a "do". NULL: *answer says why
 * not, and is the caller's. */
json_t *control_parse(const char *line, size_t len, json_t **answer);

/* ---- the client's side; blocking ----------------------------------------- */

/* The folder to look in: `folder`, else $PLAIT_FOLDER, else /run/plait for
 * root, else $XDG_RUNTIME_DIR/plait if a daemon of this user is there, else
 * /run/plait. */
const char *control_folder(const char *folder, char out[CONTROL_PATH_MAX]);

struct control;
/* NULL: nobody answers there, or it is not permitted; errno says which. */
struct control *control_open(const char *folder);
void control_close(struct control *c);
/* Send a request (taken over; its version is added) and wait for the answer.
 * NULL: the daemon went away. */
json_t *control_ask(struct control *c, json_t *request);
/* The next line as it comes, after "events": until the next call. NULL: there is none any
 * more. */
const char *control_next(struct control *c);

/* For those who wait for other things too; not to be mixed with the two above.
 * Send a request (taken over; its version is added). False: the daemon went away. */
bool control_send(struct control *c, json_t *request);
/* Readable when there may be a line, */
int control_fd(const struct control *c);
/* which this returns without waiting. NULL: not yet, or the daemon went away (*gone). In a
 * line with a number above INT64_MAX, as an event's dsn, all numbers are real ones. */
json_t *control_poll(struct control *c, bool *gone);

#endif
