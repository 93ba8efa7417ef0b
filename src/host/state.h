/* SPDX-License-Identifier: MIT
 *
 * What a host is made of; for the files of this folder only.
 *
 *   host.c     opening, closing, one turn of the loop
 *   locals.c   which of the host's addresses the engine has
 *   ports.c    local ports; listening and connecting
 *   addresses.c  what was said of single addresses
 *   loop.c     descriptors and timers    unsent.c  packets a driver did not take
 *   events.c   the file of events        fail.c    sentences     resolve.c  names
 *   race.c     connecting to a name      candidates.c  in which order
 *   group.c    hosts of several threads  drivers.c  which packet driver
 */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include <signal.h>

#include "host/events.h"
#include "host/host.h"
#include "host/loop.h"
#include "host/unsent.h"
#include "io/watch.h"
#include "plug/plug.h"

enum { LOCALS_KEPT_MAX = 64 };

struct locals {
    struct plait_addr only[HOST_LOCALS_MAX]; /* when only_count > 0 */
    unsigned only_count;
    struct plait_endpoint announce[HOST_LOCALS_MAX];
    unsigned announce_count;
    struct plait_local list[LOCALS_KEPT_MAX]; /* those the engine has now */
    unsigned count;
    struct host_address said[HOST_ADDRESSES_MAX]; /* addr, flags and port */
    unsigned said_count;
    struct plait_local there[LOCALS_KEPT_MAX]; /* as interfaces have them; list: as we use them */
    unsigned there_count;
    struct io_watch *watch; /* NULL: the driver brings its own addresses */
};

struct host {
    struct loop loop;
    struct plait_stack *stack;
    struct plugs *plugs;
    struct io_driver *driver;
    const char *driver_name, *driver_why;
    struct locals locals;
    struct event_file events;
    struct host_callbacks callbacks;
    uint64_t now_us;
    unsigned port_count;      /* held for outgoing subflows */
    bool packets_waiting;     /* the driver's descriptors said so */
    bool more_to_send;        /* the engine was not asked to the end */
    int signal_fd;            /* -1: not watched */
    struct host_group *group; /* of several threads; NULL: alone */
    int wake_fd;              /* -1: alone */
    int signal;               /* the last one taken */
    unsigned signal_count;
    sigset_t signals_before;
    struct unsent unsent;
    struct plait_packet_rx rx[IO_BATCH];
    struct plait_packet_tx tx[IO_BATCH];
};

/* drivers.c: the name of the driver that these options mean, and why it. */
const char *driver_choose(const struct host_options *options, const char **why);
int driver_open(const struct host_options *options, struct io_driver **out, struct host_error *err);

/* host.c: host_open with a driver that is there (NULL: not), as one of a group
 * (NULL: alone). The driver is closed on failure too. */
int host_open_on(const struct host_options *options, struct io_driver *driver,
                 struct host_group *group, struct host **out, struct host_error *err);

/* group.c: every host but `from` takes this signal; which it was. */
void group_signal(struct host_group *g, const struct host *from, int signal);
int group_signalled(struct host_group *g);

/* locals.c */
int locals_open(struct host *h, const struct host_options *options, struct host_error *err);
void locals_close(struct host *h);
bool locals_have(const struct host *h, const struct plait_addr *addr);
/* Use this address, which is there, as what was said of it wants it. */
void locals_apply(struct host *h, const struct plait_local *there);
/* The kernel knows no way to remote. */
bool locals_no_route(const struct host *h, const struct plait_addr *remote);
/* Packets from local to remote leave by the interface that local is on. */
bool locals_leads(const struct host *h, const struct plait_addr *local,
                  const struct plait_addr *remote);
/* The address to reach `remote` from. */
bool locals_pick(const struct host *h, const struct plait_addr *remote, struct plait_addr *out);

/* ports.c */
/* Hold this port. */
int ports_hold(struct host *h, uint16_t port, struct host_error *err);
/* Hold the ports that are announced. */
int ports_announced(struct host *h, struct host_error *err);
/* Hold `count` more ports for outgoing subflows. */
int ports_add(struct host *h, unsigned count, struct host_error *err);
/* Connect between one of these pairs, whose local ports are open. */
int ports_connect(struct host *h, const struct plait_candidate *candidates, unsigned count,
                  const struct plait_options *options, struct plait_conn **out,
                  struct host_error *err);

#endif
