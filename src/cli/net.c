/* SPDX-License-Identifier: MIT */
#include "cli/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/farm.h"
#include "cli/cli.h"
#include "cli/units.h"

/* ---- rows ----------------------------------------------------------------- */

static bool set_limits(void *at, char *const *values, char *why)
{
    struct net_options *o = at;
    char copy[64];
    char *rest = copy;

    snprintf(why, OPTION_WHY_MAX, "write subflows=N,addrs=N with numbers up to 255");
    if (strlen(values[0]) >= sizeof copy)
        return false;
    memcpy(copy, values[0], strlen(values[0]) + 1);
    for (char *item; (item = strsep(&rest, ",")) != NULL;) {
        uint64_t number;
        char *value = strchr(item, '=');
        if (!value || !parse_count(value + 1, &number) || number > 255)
            return false;
        *value = 0;
        if (strcmp(item, "subflows") == 0)
            o->subflows = (unsigned)number + 1;
        else if (strcmp(item, "addrs") == 0)
            o->addrs = (unsigned)number + 1;
        else
            return false;
    }
    return true;
}

/* The index of a word among `count`, of which some may be NULL; false: it is none. */
static bool choose(const char *const *words, unsigned count, const char *word, unsigned *index)
{
    for (*index = 0; *index < count; ++*index)
        if (words[*index] && strcmp(word, words[*index]) == 0)
            return true;
    return false;
}

/* A list of names, or "none". */
static bool set_heuristics(void *at, char *const *values, char *why)
{
    static const char *const names[] = {"opportunistic", "penalise", "cap", "guard"};
    enum { COUNT = sizeof names / sizeof names[0] };
    struct net_options *o = at;
    char copy[64];
    char *rest = copy;

    snprintf(why, OPTION_WHY_MAX, "write none, or some of opportunistic,penalise,cap,guard");
    if (strlen(values[0]) >= sizeof copy)
        return false;
    memcpy(copy, values[0], strlen(values[0]) + 1);
    o->heuristics_set = true;
    o->heuristics = 0;
    for (char *item; strcmp(values[0], "none") != 0 && (item = strsep(&rest, ",")) != NULL;) {
        unsigned i;
        if (!choose(names, COUNT, item, &i))
            return false;
        o->heuristics |= 1u << i;
    }
    return true;
}

static bool set_version(void *at, char *const *values, char *why)
{
    static const char *const names[] = {
        [PLAIT_VERSION_AUTO] = "auto", [PLAIT_VERSION_1] = "1", [PLAIT_VERSION_0] = "0"};
    unsigned i;

    snprintf(why, OPTION_WHY_MAX, "write auto, 1 or 0");
    if (!choose(names, sizeof names / sizeof names[0], values[0], &i))
        return false;
    ((struct net_options *)at)->version = (enum plait_version)i;
    return true;
}

static bool set_syn_cookies(void *at, char *const *values, char *why)
{
    static const char *const names[] = {[PLAIT_SYN_COOKIES_AUTO] = "auto",
                                        [PLAIT_SYN_COOKIES_NEVER] = "never",
                                        [PLAIT_SYN_COOKIES_ALWAYS] = "always"};
    unsigned i;

    snprintf(why, OPTION_WHY_MAX, "write never, auto or always");
    if (!choose(names, sizeof names / sizeof names[0], values[0], &i))
        return false;
    ((struct net_options *)at)->syn_cookies = (enum plait_syn_cookies)i;
    return true;
}

static bool set_ecn(void *at, char *const *values, char *why)
{
    static const char *const names[] = {
        [PLAIT_ECN_ANSWER] = "answer", [PLAIT_ECN_ASK] = "ask", [PLAIT_ECN_NEVER] = "never"};
    unsigned i;

    snprintf(why, OPTION_WHY_MAX, "write ask, answer or never");
    if (!choose(names, sizeof names / sizeof names[0], values[0], &i))
        return false;
    ((struct net_options *)at)->ecn = (enum plait_ecn)i;
    return true;
}

static bool set_server_id(void *at, char *const *values, char *why)
{
    struct net_options *o = at;
    char copy[16];
    uint64_t id, servers;

    snprintf(why, OPTION_WHY_MAX, "write K/N, this is server K of N (1 to %d)", FARM_SERVERS_MAX);
    if (strlen(values[0]) >= sizeof copy)
        return false;
    memcpy(copy, values[0], strlen(values[0]) + 1);
    char *slash = strchr(copy, '/');
    if (!slash)
        return false;
    *slash = 0;
    if (!parse_count(copy, &id) || !parse_count(slash + 1, &servers) || id < 1 || id > servers ||
        servers > FARM_SERVERS_MAX)
        return false;
    o->server_id = (uint16_t)id;
    o->servers = (uint16_t)servers;
    return true;
}

static bool set_size(uint64_t *at, const char *text, uint64_t least, const char *least_text,
                     char *why)
{
    snprintf(why, OPTION_WHY_MAX, "it takes a size from %s on, like 64k, 10MB or 1GiB", least_text);
    return parse_size(text, at) && *at >= least;
}

static bool set_nat_keepalive(void *at, char *const *values, char *why)
{
    struct net_options *o = at;

    snprintf(why, OPTION_WHY_MAX, "it takes a time from 5s on, like 30s or 10m, or never");
    if (strcmp(values[0], "never") == 0) {
        o->nat_keepalive_us = UINT64_MAX;
        return true;
    }
    return parse_seconds(values[0], &o->nat_keepalive_us) && o->nat_keepalive_us >= 5000000;
}

static bool set_memory(void *at, char *const *values, char *why)
{
    enum { LEAST = 1 << 20 };
    return set_size(&((struct net_options *)at)->memory_bytes, values[0], LEAST, "1MiB", why);
}

static bool set_conn_memory(void *at, char *const *values, char *why)
{
    enum { LEAST = 1 << 15 };
    return set_size(&((struct net_options *)at)->conn_memory_bytes, values[0], LEAST, "32KiB", why);
}

#define AT(field) offsetof(struct net_options, field)
const struct option_row net_rows[] = {
    {'4', "ipv4", NULL, OPTION_FLAG, AT(ipv4), "of the names' addresses, IPv4 ones only", NULL, 0},
    {'6', "ipv6", NULL, OPTION_FLAG, AT(ipv6), "of the names' addresses, IPv6 ones only", NULL, 0},
    {0, "no-race", NULL, OPTION_FLAG, AT(no_race),
     "connect to the name's first address by the route to it,\n"
     "not to the first of all its addresses that answers",
     NULL, 0},
    {'L', "local", "ADDR", OPTION_LIST, AT(locals),
     "use this one of the host's addresses (may be repeated;\ndefault: all that are up)", NULL, 0},
    {0, "driver", "NAME", OPTION_TEXT, AT(driver),
     "packet: the host's own addresses, needs CAP_NET_RAW;\n"
     "tun: a device of our own, needs CAP_NET_ADMIN;\n"
     "auto: tun with --tun, else packet, and say which (default,\nwhich says so only with -v)",
     NULL, 0},
    {0, "tun", "ADDR/LEN", OPTION_LIST, AT(tun),
     "an address of ours on the tun device (may be repeated)", NULL, 0},
    {0, "limits", "LIST", OPTION_CUSTOM, 0,
     "subflows=N: additional subflows to open;\naddrs=N: announced addresses to use", set_limits,
     0},
    {0, "announce", "ADDR[:PORT]", OPTION_LIST, AT(announce),
     "tell peers this one of our addresses and take joins at PORT\n(may be repeated; "
     "default: a server tells all it has)",
     NULL, 0},
    {0, "busy-poll", NULL, OPTION_FLAG, AT(busy_poll),
     "never sleep: answers come sooner, and a core is always busy", NULL, 0},
    {0, "no-join-initial", NULL, OPTION_FLAG, AT(no_join_initial),
     "ask peers to join at announced addresses only", NULL, 0},
    {0, "tcp", NULL, OPTION_FLAG, AT(tcp), "plain TCP, no Multipath TCP", NULL, 0},
    {0, "mptcp-version", "VERSION", OPTION_CUSTOM, 0,
     "auto: offer 1, answer each client in its version (default);\n1 (RFC 8684) or 0 (RFC 6824): "
     "that one alone",
     set_version, 0},
    {0, "checksum", NULL, OPTION_FLAG, AT(checksum), "require DSS checksums", NULL, 0},
    {0, "break-timeout", "TIME", OPTION_DURATION, AT(break_timeout_us),
     "with no path left, wait so long for one (default 60s)", NULL, 0},
    {0, "keepalive", "TIME", OPTION_DURATION, AT(keepalive_us),
     "ask a peer that is silent for so long whether it is there;\nnine times no answer ends the "
     "path (default: never)",
     NULL, 0},
    {0, "nat-keepalive", "TIME", OPTION_CUSTOM, 0,
     "where there are several paths, probe idle ones often enough\nfor NATs to remember them, at "
     "the "
     "least so often; or never\n(default 10m)",
     set_nat_keepalive, 0},
    {0, "retries", "N", OPTION_COUNT, AT(retries),
     "repeats of the same data, unanswered, that end a path\n(at most 255; default 15)", NULL, 0},
    {0, "ecn", "WHEN", OPTION_CUSTOM, 0,
     "marks instead of losses where routers do that: ask for it,\nanswer who asks (default), or "
     "never",
     set_ecn, 0},
    {0, "fastopen", NULL, OPTION_FLAG, AT(fastopen),
     "TCP Fast Open: data on the SYN where the server gave a\ncookie before; give cookies and take "
     "such data",
     NULL, 0},
    {0, "memory", "SIZE", OPTION_CUSTOM, 0,
     "hold no more than this, half of it for what is sent and\nreceived; at least 1MiB", set_memory,
     0},
    {0, "conn-memory", "SIZE", OPTION_CUSTOM, 0,
     "of what is sent and received, hold no more than this for\none connection; at least 32KiB",
     set_conn_memory, 0},
    {0, "cc", "NAME", OPTION_TEXT, AT(plugins.cc),
     "congestion control, or lua:FILE; help: list them", NULL, 0, names_list_cc},
    {0, "scheduler", "NAME", OPTION_TEXT, AT(plugins.scheduler),
     "packet scheduler, with options as in weighted:3,1, or\nlua:FILE; help: list them", NULL, 0,
     names_list_scheduler},
    {0, "heuristics", "LIST", OPTION_CUSTOM, 0,
     "what is done about unequal paths: none, or some of\nopportunistic, penalise, cap, guard "
     "(default:\nopportunistic,guard)",
     set_heuristics, 0},
    {0, "path-manager", "NAME", OPTION_TEXT, AT(plugins.path_manager),
     "path manager, or lua:FILE; help: list them", NULL, 0, names_list_path_manager},
    {0, "pcap", "FILE", OPTION_TEXT, AT(pcap), "write every packet to a capture file", NULL, 0},
    {0, "events", "FILE", OPTION_TEXT, AT(events),
     "write what happens as lines of JSON; -: standard error", NULL, 0},
    {'v', "verbose", NULL, OPTION_FLAG, AT(verbose), "say what happens on standard error", NULL, 0},
    {0},
};

const struct option_row net_server_rows[] = {
    {0, "syn-cookies", "WHEN", OPTION_CUSTOM, 0,
     "answer SYNs and forget them: never, auto (under a flood,\nthe default), always",
     set_syn_cookies, 0},
    {0, "server-id", "K/N", OPTION_CUSTOM, 0,
     "one of N servers behind one address: keys whose token names\nserver K (see plait-lb(1))",
     set_server_id, 0},
    {0},
};

const struct option_row net_thread_rows[] = {
    {0, "threads", "N", OPTION_COUNT, AT(threads),
     "use so many threads, each with a stack of its own (at most\n64, default 1; packet driver "
     "only, needs CAP_BPF)",
     NULL, 0},
    {0},
};

/* ---- the verbose sink ----------------------------------------------------- */

static void say_event(void *ctx, const struct plait_event *e)
{
    char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
    (void)ctx;

    flockfile(stderr); /* other threads have events too */
    fprintf(stderr, "%.6f %s", (double)e->time_us / 1e6, plait_event_name(e->type));
    if (e->conn_id)
        fprintf(stderr, " conn %u", e->conn_id);
    if (e->subflow_id)
        fprintf(stderr, " subflow %u", e->subflow_id);
    if (e->local.addr.family || e->remote.addr.family)
        fprintf(stderr, " %s > %s", endpoint_format(&e->local, local),
                endpoint_format(&e->remote, remote));
    for (unsigned i = 0; i < 4 && plait_event_arg_name(e->type, i); i++)
        fprintf(stderr, " %s=%llu", plait_event_arg_name(e->type, i),
                (unsigned long long)e->arg[i]);
    if (e->why)
        fprintf(stderr, ": %s", plait_reason_text(e->why));
    fputc('\n', stderr);
    funlockfile(stderr);
}

/* ---- opening -------------------------------------------------------------- */

static int take_announced(const struct net_options *o, struct host_options *h)
{
    if (o->announce.count > HOST_LOCALS_MAX) {
        cli_error("--announce may be given at most %d times", HOST_LOCALS_MAX);
        return HOST_FAIL_USAGE;
    }
    for (unsigned i = 0; i < o->announce.count; i++)
        if (!endpoint_parse(o->announce.items[i], &h->announce[h->announce_count++])) {
            cli_error("'%s' is no address with or without a port: write --announce 192.0.2.1:443 "
                      "or [2001:db8::1]:443",
                      o->announce.items[i]);
            return HOST_FAIL_USAGE;
        }
    return HOST_OK;
}

static int take_locals(const struct net_options *o, struct host_options *h)
{
    for (unsigned i = 0; i < o->locals.count; i++) {
        if (!addr_parse(o->locals.items[i], &h->locals[h->local_count++])) {
            cli_error("'%s' is no IP address: --local takes one of this host's addresses",
                      o->locals.items[i]);
            return HOST_FAIL_USAGE;
        }
    }
    if (o->tun.count > IO_TUN_ADDRS_MAX) {
        cli_error("--tun may be given at most %d times", IO_TUN_ADDRS_MAX);
        return HOST_FAIL_USAGE;
    }
    for (unsigned i = 0; i < o->tun.count; i++) {
        char text[ADDR_TEXT_MAX + 4];
        uint64_t len = 0;
        snprintf(text, sizeof text, "%s", o->tun.items[i]);
        char *slash = strchr(text, '/');
        if (slash)
            *slash = 0;
        if (!slash || !parse_count(slash + 1, &len) || !addr_parse(text, &h->tun.addrs[i].addr) ||
            len < 1 || len > (h->tun.addrs[i].addr.family == PLAIT_IPV4 ? 31 : 127)) {
            cli_error("'%s' is no address with a prefix: write --tun 10.9.0.2/24", o->tun.items[i]);
            return HOST_FAIL_USAGE;
        }
        h->tun.addrs[i].prefix_len = (uint8_t)len;
    }
    h->tun.addr_count = o->tun.count;
    return HOST_OK;
}

static uint32_t us32(uint64_t us)
{
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void take_engine(const struct net_options *o, struct plait_config *config)
{
    config->multipath = !o->tcp;
    config->version = o->version;
    config->checksum = o->checksum;
    config->ecn = o->ecn;
    config->client_announces = o->announce.count > 0;
    config->no_join_initial = o->no_join_initial;
    config->syn_cookies = o->syn_cookies;
    config->server_id = o->server_id;
    config->servers = o->servers;
    config->fastopen = o->fastopen;
    config->memory_max_bytes = o->memory_bytes;
    config->conn_held_max_bytes = o->conn_memory_bytes;
    if (o->subflows) {
        config->subflows_wanted = (uint16_t)(o->subflows - 1);
        config->subflows_max = (uint16_t)o->subflows;
    }
    if (o->heuristics_set)
        config->heuristics = o->heuristics;
    if (o->break_timeout_us)
        config->break_timeout_us = us32(o->break_timeout_us);
    if (o->keepalive_us)
        config->keepalive_idle_us = us32(o->keepalive_us);
    if (o->nat_keepalive_us)
        config->nat_keepalive_us =
            o->nat_keepalive_us == UINT64_MAX ? 0 : us32(o->nat_keepalive_us);
    if (o->retries)
        config->data_retries = o->retries < UINT8_MAX ? (uint8_t)o->retries : UINT8_MAX;
    if (o->addrs)
        config->addrs_accepted_max = (uint16_t)(o->addrs - 1);
    config->cc = o->plugins.cc;
    config->scheduler = o->plugins.scheduler;
    config->path_manager = o->plugins.path_manager;
    if (o->verbose)
        config->sink.emit = say_event;
}

int net_host_options(const struct net_options *o, struct host_options *h)
{
    host_options_default(h);
    int failure = names_check(&o->plugins);
    if (!failure)
        failure = take_locals(o, h);
    if (!failure)
        failure = take_announced(o, h);
    if (failure)
        return failure;
    take_engine(o, &h->engine);
    h->driver = o->driver;
    h->pcap_path = o->pcap;
    h->busy_poll = o->busy_poll;
    h->events_path = o->events;
    h->signals = true;
    h->plug_told = names_say_failure;
    return HOST_OK;
}

void net_conn_options(const struct net_options *o, struct plait_options *out)
{
    *out = (struct plait_options){.cc = o->plugins.cc,
                                  .scheduler = o->plugins.scheduler,
                                  .path_manager = o->plugins.path_manager,
                                  .version = o->version};
    if (o->tcp)
        out->multipath = PLAIT_MULTIPATH_OFF;
    if (o->heuristics_set) {
        out->heuristics_on = o->heuristics;
        out->heuristics_off = PLAIT_HEURISTICS_ALL & ~o->heuristics;
    }
    if (o->break_timeout_us)
        out->break_timeout_us = us32(o->break_timeout_us);
}

/* Which driver it became, where that was left to us. */
static void say_driver(const struct net_options *o, const struct host *h)
{
    if (o->verbose || (o->driver && strcmp(o->driver, "auto") == 0))
        fprintf(stderr, "%s, because %s\n", host_driver(h)->describe, host_driver_why(h));
}

int net_open(const struct net_options *o, struct host **out)
{
    struct host_options h;
    struct host_error err;
    int failure = net_host_options(o, &h);

    if (failure)
        return failure;
    failure = host_open(&h, out, &err);
    if (failure)
        cli_error("%s", err.text);
    else
        say_driver(o, *out);
    return failure;
}

int net_open_group(const struct net_options *o, struct host_group **out)
{
    struct host_options h;
    struct host_error err;
    int failure = net_host_options(o, &h);

    if (failure)
        return failure;
    failure = host_group_open(&h, o->threads ? o->threads : 1, out, &err);
    if (failure)
        cli_error("%s", err.text);
    else
        say_driver(o, host_group_at(*out, 0));
    return failure;
}

void net_drain(struct host *h, int failure)
{
    enum { GOODBYE_US = 3000000, ABORT_US = 300000 };

    host_drain(h, failure ? ABORT_US : GOODBYE_US);
}

void net_close(struct host *h, int failure)
{
    net_drain(h, failure);
    host_close(h);
}

enum plait_family net_family(const struct net_options *o)
{
    return o->ipv4 == o->ipv6 ? PLAIT_NONE : o->ipv4 ? PLAIT_IPV4 : PLAIT_IPV6;
}

bool net_port(const char *text, uint16_t *port)
{
    uint64_t number;

    if (!parse_count(text, &number) || number < 1 || number > 65535) {
        cli_error("'%s' is no port: give a number from 1 to 65535", text);
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

int net_failure(int engine_error, const struct plait_endpoint *remote)
{
    struct host_error err;

    host_fail_of(engine_error, remote, &err);
    cli_error("%s", err.text);
    return err.failure;
}
