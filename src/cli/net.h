/* SPDX-License-Identifier: MIT
 *
 * The options that every networked command takes, and the host they make.
 */
#ifndef CLI_NET_H
#define CLI_NET_H

#include "cli/names.h"
#include "cli/options.h"
#include "host/host.h"

struct net_options {
    const char *driver, *pcap, *events;
    struct plugin_names plugins;
    struct option_list locals, tun, announce;
    unsigned subflows, addrs; /* --limits, stored plus one; 0: the default */
    enum plait_version version;
    enum plait_ecn ecn;
    bool no_join_initial;
    enum plait_syn_cookies syn_cookies; /* net_server_rows */
    uint16_t server_id, servers;
    bool heuristics_set;
    unsigned heuristics;                      /* enum plait_heuristic */
    uint64_t break_timeout_us;                /* 0: the default */
    uint64_t memory_bytes, conn_memory_bytes; /* 0: no limit */
    uint64_t keepalive_us;                    /* 0: off */
    uint64_t nat_keepalive_us;                /* 0: the default; UINT64_MAX: never */
    unsigned retries;                         /* 0: the default */
    unsigned threads;                         /* net_thread_rows; 0: one */
    bool busy_poll, checksum, tcp, fastopen, ipv4, ipv6, no_race, verbose;
};

/* Rows for struct net_options: everybody's, and those of servers. */
extern const struct option_row net_rows[], net_server_rows[];
/* Those of commands that can use several threads. */
extern const struct option_row net_thread_rows[];

/* What these options mean for host_open. HOST_OK, or a failure that was said. */
int net_host_options(const struct net_options *o, struct host_options *out);
/* What of them may differ from connection to connection. */
void net_conn_options(const struct net_options *o, struct plait_options *out);
/* The host these options ask for. HOST_OK, or a failure that was said. */
int net_open(const struct net_options *o, struct host **out);
/* The same, as many hosts as there are threads. */
int net_open_group(const struct net_options *o, struct host_group **out);
/* Let what was closed say its goodbyes. */
void net_drain(struct host *h, int failure);
/* Let what was closed say its goodbyes, then end the host. */
void net_close(struct host *h, int failure);
/* Which addresses a name may give: -4, -6 or both. */
enum plait_family net_family(const struct net_options *o);

/* A port's number: false when text is none (said). */
bool net_port(const char *text, uint16_t *port);

/* The exit code that stands for an engine error, said with cli_error. remote
 * may be NULL. */
int net_failure(int engine_error, const struct plait_endpoint *remote);

#endif
