/* SPDX-License-Identifier: MIT
 *
 * A proxy server: connections of the stack in, TCP connections of the kernel's out.
 * What a client wants comes as a Convert message (RFC 8803: a Transport Converter),
 * or is the same for all (`to`). Connections are bounded in number and in the time
 * that they may take to say what they want; memory is the stack's to bound.
 */
#ifndef PROXY_SERVER_H
#define PROXY_SERVER_H

#include "daemon/daemon.h"
#include "proxy/access.h"
#include "proxy/users.h"

struct proxy_server_options {
    struct plait_endpoint listen; /* addr PLAIT_NONE: every address */
    const char *to_name;          /* everything goes there, and no message is read; NULL: no */
    uint16_t to_port;
    struct access access;
    struct users *users;     /* borrowed; NULL: everybody */
    unsigned conns_max;      /* at once */
    unsigned user_conns_max; /* of each user; 0: no limit of its own */
    bool proxy_protocol;     /* version 2, in front of what goes out */
    bool verbose;            /* a line about each connection on standard error */
};

struct proxy_server;
int proxy_server_open(struct daemon *d, const struct proxy_server_options *options,
                      struct proxy_server **out, struct host_error *err);
/* No new connections; those that are there may end by themselves for so long, or until
 * a second signal. */
void proxy_server_drain(struct proxy_server *s, uint64_t max_us);
/* Connections are reset; before daemon_close. */
void proxy_server_close(struct proxy_server *s);

#endif
