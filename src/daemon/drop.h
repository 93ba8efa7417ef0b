/* SPDX-License-Identifier: MIT
 *
 * What plaitd gives up once its sockets are open: every capability but those
 * that packets and ports need, and every system call that a loop of sockets has
 * no use for. What a packet or a program talks it into can then do no more.
 */
#ifndef DAEMON_DROP_H
#define DAEMON_DROP_H

#include "host/host.h"

/* Keep CAP_NET_RAW, CAP_NET_ADMIN and CAP_NET_BIND_SERVICE, where they were there
 * (a user namespace's are), and no new ones by exec. HOST_OK, or a failure with err
 * filled. */
int drop_capabilities(struct host_error *err);
/* From now on a system call that is not on the list fails with EPERM, and those that
 * start or look into other programs end this one. */
int drop_calls(struct host_error *err);

/* Both. */
int drop_privileges(struct host_error *err);

#endif
