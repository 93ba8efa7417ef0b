/* SPDX-License-Identifier: MIT
 *
 * Commands that run until they are told to end: a daemon is opened, what it is there
 * for is opened in it, privileges are given up, systemd hears that it is ready.
 */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "control/control.h"
#include "daemon/daemon.h"
#include "web/web.h"

struct service {
    struct daemon_options daemon;
    bool no_sandbox;
    struct web_options web; /* port 0: no live page */
    void *ctx;
    /* May be NULL. Before privileges are dropped: HOST_OK, or a failure with err filled. */
    int (*open)(void *ctx, struct daemon *d, struct host_error *err);
    /* Before the daemon is closed, whether `open` was good or not; may be NULL. */
    void (*close)(void *ctx);
};
/* Until SIGTERM or SIGINT. The exit code; failures were said. */
int service_run(const struct service *s);

/* Where a service's own sockets go, which is not where a client looks first: `given`,
 * else $PLAIT_FOLDER, else `name` in /run for root, else in $XDG_RUNTIME_DIR. */
const char *service_folder(const char *given, const char *name, char out[CONTROL_PATH_MAX]);

#endif
