/* SPDX-License-Identifier: MIT
 *
 * What a daemon is made of; for the files of this folder that answer requests.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "daemon/daemon.h"
#include "daemon/folder.h"
#include "daemon/totals.h"

struct clients;

struct daemon {
    struct host *host;
    struct folder folder;
    struct clients *clients;
    struct serve *serve;
    struct plait_options defaults;
    struct plait_event_sink next, watcher;
    struct totals totals;
    const char *page, *page_token; /* NULL: there is none */
    bool (*reload)(void *ctx, struct plait_options *out);
    void *reload_ctx;
    struct list carried, offered;
    uint64_t opened_us;
    int hangup_fd;
    bool stopping;
    char names[3][64]; /* of defaults, where plait set gave them */
};

/* NULL: none has this number. */
struct carried *daemon_find(const struct daemon *d, uint32_t conn_id);

#endif
