/* SPDX-License-Identifier: MIT
 *
 * Named scenarios: a small world each, something that happens in it, and what
 * must come of it, told as checks on events, counters, packets and figures.
 *
 * A scenario builds its world in run->sim, runs it, checks, and returns;
 * scenario_run does the rest (seed, captures, hash, leak check, report).
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim/oracle.h"

enum { FIGURES_MAX = 48, LAB_PATHS_MAX = 4, SCENARIO_NAME_MAX = 48 };

/* A measured number, beside a published one where there is one. */
struct figure {
    char what[56];
    char unit[12];
    double value, published; /* published 0: none */
    bool low;                /* worse than the scenario accepts */
};

struct run {
    struct sim sim;
    uint64_t seed;
    uint8_t version;       /* of MPTCP that the lab's client offers: 1, or 0 as v0/NAME */
    const char *pcap_path; /* NULL: none */
    FILE *events;          /* NULL: none */
    unsigned worlds;       /* built so far, by scenarios that need several */
    uint64_t hash;         /* of all of them */
    uint64_t virtual_us;
    uint64_t hops; /* packets that links delivered */
    char failure[256];
    struct figure figures[FIGURES_MAX];
    unsigned figure_count;
};

struct scenario {
    const char *name, *summary;
    void (*run)(struct run *r);
    bool dirty;   /* its packets are meant to be broken: no decoder will like them */
    bool v1_only; /* about something that version 0 does not have */
};

/* The tables, one a file; each ends with a row without a name. */
extern const struct scenario scenarios_tcp[], scenarios_mptcp[], scenarios_signals[],
    scenarios_closing[], scenarios_fallback[], scenarios_fastclose[], scenarios_race[],
    scenarios_versions[], scenarios_handshake[], scenarios_boxes[], scenarios_memory[],
    scenarios_fattree[], scenarios_managers[], scenarios_recovery[], scenarios_cc[],
    scenarios_sched[], scenarios_figures[];
/* All of them, ended by NULL. */
extern const struct scenario *const scenario_tables[];
/* Those of them that are run in MPTCP's version 0 as well, under the name
 * v0/NAME: the client offers version 0, the server answers what it is offered. */
extern const struct scenario *const scenario_tables_v0[];

/* The i-th of all, v0/NAME counted as one of its own: its name, and the
 * version it runs in. NULL: there are no more. */
const struct scenario *scenario_at(unsigned i, char name[SCENARIO_NAME_MAX], uint8_t *version);
const struct scenario *scenario_find(const char *name, uint8_t *version);

/* Run it. True: every check held. r->seed, version, pcap_path and events are
 * the caller's, the rest is filled in. */
bool scenario_run(const struct scenario *s, struct run *r);

/* Begin a world in r->sim, the first or, ending the former, another one. */
void run_world(struct run *r);
/* The packets of this host are what r->pcap_path shall show, when this is the
 * run's first world: to be called for its first host. */
void run_capture(struct run *r, struct host *h);

/* ---- for scenarios ---------------------------------------------------------------------- */

/* A client with an interface for each path, joined by disjoint paths to a
 * server with one, or as many if `server_multihomed` (then half of the pairs
 * of addresses have no path between them). Interface i of the client is
 * 10.0.i.1, of the server 10.0.i.2 (i from 1), or fd00:i::1 and ::2. */
struct lab {
    struct run *run;
    struct sim *sim;
    struct plait_config client_config, server_config;
    bool ipv6, server_multihomed;
    uint16_t mtu;
    struct host *client, *server;
    unsigned paths;
    struct iface *client_if[LAB_PATHS_MAX], *server_if[LAB_PATHS_MAX];
    struct path path[LAB_PATHS_MAX];
};

/* Begin a world (ending the previous one) with the defaults in the lab, and
 * run->version for the client: the caller may change its configurations and
 * flags, then opens it. */
void lab_init(struct lab *lab, struct run *r);
void lab_open(struct lab *lab, unsigned paths, const char *const *specs);
/* What lab_open does first with its hosts, for a scenario with a lab of its
 * own making: capture, when this run is to be. */
void lab_capture(struct lab *lab);
/* lab_open with two paths. */
void lab_open_two(struct lab *lab, const char *first, const char *second);
/* A connection over the first path; sides as given, NULL: sends nothing and
 * ends after the peer. Starts at once. */
struct stream *lab_stream(struct lab *lab, const struct side_config *client,
                          const struct side_config *server);
/* Time from the world's start, as sim_at and its like want it. */
uint64_t lab_at(const struct lab *lab, uint64_t us);
/* Run to the end by the oracles; everything must succeed within limit_s. */
void lab_finish(struct lab *lab, unsigned limit_s);
/* The same, but errors are allowed. */
void lab_finish_any(struct lab *lab, unsigned limit_s);

/* Goodput in Mbit/s from connecting to the last byte read by this side. */
double side_mbps(const struct side *reader);
/* Share of the bytes delivered one way that the lesser of the first two paths
 * carried. */
double lab_lesser_share(const struct lab *lab, bool to_server);

void run_figure(struct run *r, const char *what, const char *unit, double value, double published);
/* The last figure is worse than accepted unless `holds`, which fails the run. */
void run_require(struct run *r, bool holds);

#define EXPECT(run, condition)                                                                     \
    ((condition) ? (void)0 : sim_fail(&(run)->sim, "line %d: not so: %s", __LINE__, #condition))
#define EXPECT_EQ(run, got, want) expect_eq((run), __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define EXPECT_RANGE(run, got, least, most)                                                        \
    expect_range((run), __LINE__, #got, (int64_t)(got), (int64_t)(least), (int64_t)(most))

void expect_eq(struct run *r, int line, const char *what, int64_t got, int64_t want);
void expect_range(struct run *r, int line, const char *what, int64_t got, int64_t least,
                  int64_t most);

/* A host's counters and tally, for checks: COUNT(h, MPJoinSynTx). */
#define COUNT(host, name) (plait_stack_counters((host)->stack)->name)
#define EVENTS(host, type) ((host)->tally.event[PLAIT_EV_##type])
#define WHY(host, type, why) ((host)->tally.event_why[PLAIT_EV_##type][PLAIT_WHY_##why])
#define SENT(host, form) ((host)->tally.option[__builtin_ctz(MPO_##form)])

#endif
