/* SPDX-License-Identifier: MIT
 *
 * What a proxy client's host needs so that every link is used and a network's
 * connections come: rules and routes by source address for each WAN, a redirect for
 * each LAN. As a script for a shell, which is what is shown and what is run, and one that
 * takes it all back.
 */
#ifndef PROXY_WAYS_H
#define PROXY_WAYS_H

#include <net/if.h>
#include <stdio.h>

#include "host/host.h"

enum { WAYS_MAX = 16, WAYS_TABLE = 8800 }; /* routing tables and priorities from there on */

/* A WAN's address of one family. */
struct way {
    char interface[IF_NAMESIZE];
    struct plait_addr addr, gateway; /* gateway PLAIT_NONE: the link is its own */
};

struct ways {
    struct way wans[2 * WAYS_MAX];
    unsigned wan_count;
    char lans[WAYS_MAX][IF_NAMESIZE];
    unsigned lan_count;
    uint16_t port; /* where the LANs' connections are redirected to */
};

/* Adds the addresses of this interface, with the gateways of its default routes, as the
 * kernel knows them now. HOST_OK, or a failure with err filled. */
int ways_add_wan(struct ways *w, const char *interface, struct host_error *err);
int ways_add_lan(struct ways *w, const char *interface, struct host_error *err);
/* Pure. The second one may be run at any time, and again. */
void ways_print_up(const struct ways *w, FILE *out);
void ways_print_down(const struct ways *w, FILE *out);

/* Set up; a process of its own takes it all back when this one ends, whatever the
 * reason. A descriptor to give to ways_release; -1: err says what failed, and nothing
 * is left behind. */
int ways_hold(const struct ways *w, struct host_error *err);
/* Take it back now, and wait for that. */
void ways_release(int held);

#endif
