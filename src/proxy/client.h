/* SPDX-License-Identifier: MIT
 *
 * A proxy client: TCP connections of the kernel's in, from programs that speak SOCKS
 * or HTTP CONNECT or were redirected (front.h), connections of the stack out: to a
 * proxy server by the Convert Protocol (RFC 8803), or to the destination itself.
 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include "daemon/daemon.h"
#include "proxy/front.h"

enum { PROXY_FRONTS_MAX = 16 };

struct proxy_front {
    enum front_kind kind;
    struct plait_endpoint at;
};

struct proxy_client_options {
    const char *server; /* name or address; NULL: to destinations themselves */
    uint16_t server_port;
    enum plait_family family;         /* of the server's addresses; PLAIT_NONE: both */
    const struct credential *user;    /* for the server; borrowed; NULL: none */
    const struct credential *program; /* what programs have to give; NULL: nothing */
    struct proxy_front fronts[PROXY_FRONTS_MAX];
    unsigned front_count;
    unsigned conns_max; /* at once */
    bool fastopen;      /* the message goes with the SYN where the server allows it */
    bool verbose;       /* a line about each connection on standard error */
};

struct proxy_client;
/* Resolves the server's name (blocks), and listens. */
int proxy_client_open(struct daemon *d, const struct proxy_client_options *options,
                      struct proxy_client **out, struct host_error *err);
/* No new connections; those that are there may end by themselves for so long, or until
 * a second signal. */
void proxy_client_drain(struct proxy_client *c, uint64_t max_us);
/* Connections are reset; before daemon_close. */
void proxy_client_close(struct proxy_client *c);

#endif
