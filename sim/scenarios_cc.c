/* SPDX-License-Identifier: MIT
 *
 * Scenarios of congestion controls: what two subflows take where they meet
 * one TCP, where they are alone, and where one path loses more than the other.
 */
#include <string.h>

#include "sim/scenario.h"
#include "sim/spec.h"

#define SECOND 1000000u

/* Of virtual time: measured from, and to. */
enum { FROM_S = 10, TO_S = 45, LOSS_TO_S = 30, DISJOINT_TO_S = 20 };

/* ---- what is delivered between two times ------------------------------------------------- */

struct meter {
    const struct stream *stream;
    uint64_t bytes;
};

static void read_meter(struct sim *sim, void *ctx)
{
    struct meter *m = ctx;
    (void)sim;
    m->bytes = m->stream->side[1].received - m->bytes;
}

static void measure(struct lab *lab, struct meter *m, struct stream *s, unsigned to_s)
{
    m->stream = s;
    m->bytes = 0;
    sim_at(lab->sim, lab_at(lab, FROM_S * SECOND), read_meter, m);
    sim_at(lab->sim, lab_at(lab, to_s * SECOND), read_meter, m);
}

static double meter_mbps(const struct meter *m, unsigned to_s)
{
    return (double)m->bytes * 8 / ((to_s - FROM_S) * 1e6);
}

/* Endless data to the server, until to_s. */
static struct side_config bulk(const struct lab *lab, unsigned to_s)
{
    return (struct side_config){.send_bytes = STREAM_ENDLESS,
                                .stop_us = lab_at(lab, to_s * SECOND)};
}

static void begin(struct lab *lab, struct run *r, const char *cc)
{
    lab_init(lab, r);
    lab->client_config.scheduler = "lowest-rtt"; /* which takes all that congestion control gives */
    lab->client_config.cc = lab->server_config.cc = cc;
}

/* ---- a shared link ------------------------------------------------------------------------ */

struct shared {
    struct lab lab;
    struct host *rival; /* a TCP */
    struct iface *rival_if;
};

static struct sim_link *link_of(struct lab *lab, const char *spec)
{
    struct link_config config;
    char error[SPEC_ERROR_MAX];
    link_spec_parse(spec, &config, error);
    return sim_link(lab->sim, &config);
}

/* From an interface through its own link and the shared one, and back. */
static void attach(struct lab *lab, struct iface *from, struct sim_link *bottleneck)
{
    struct sim_link *there[] = {link_of(lab, "delay=20ms,jitter=2ms"), bottleneck};
    struct sim_link *back[] = {link_of(lab, "delay=20ms")};
    sim_route(lab->sim, from, lab->server_if[0], there, 2);
    sim_route(lab->sim, lab->server_if[0], from, back, 1);
}

static void open_shared(struct shared *w, struct run *r, const char *cc)
{
    struct lab *lab = &w->lab;
    begin(lab, r, cc);
    lab->client = sim_host(lab->sim, "client", &lab->client_config);
    lab->server = sim_host(lab->sim, "server", &lab->server_config);
    struct plait_config tcp = lab->client_config;
    tcp.multipath = false;
    tcp.cc = "newreno";
    w->rival = sim_host(lab->sim, "rival", &tcp);
    lab_capture(lab);
    lab->server_if[0] = host_iface(lab->server, "10.0.9.1", 1500);
    lab->client_if[0] = host_iface(lab->client, "10.0.1.1", 1500);
    lab->client_if[1] = host_iface(lab->client, "10.0.2.1", 1500);
    w->rival_if = host_iface(w->rival, "10.0.3.1", 1500);
    struct sim_link *bottleneck = link_of(lab, "rate=12mbit,queue=60kB");
    attach(lab, lab->client_if[0], bottleneck);
    attach(lab, lab->client_if[1], bottleneck);
    attach(lab, w->rival_if, bottleneck);
}

/* Two subflows against one TCP: what they take of a TCP's share. `change`, if
 * any, comes before it is measured. */
static double against_tcp(struct run *r, const char *cc, void (*change)(struct sim *, void *))
{
    struct shared w;
    struct meter ours, its;
    open_shared(&w, r, cc);
    struct side_config c = bulk(&w.lab, TO_S), quiet = {.end = END_AFTER_EOF};
    struct stream *mptcp = lab_stream(&w.lab, &c, NULL);
    struct stream *tcp = stream_new(w.lab.sim, w.rival, w.rival_if, w.lab.server_if[0],
                                    lab_at(&w.lab, 0), &c, &quiet, NULL, NULL);
    measure(&w.lab, &ours, mptcp, TO_S);
    measure(&w.lab, &its, tcp, TO_S);
    if (change)
        sim_at(w.lab.sim, lab_at(&w.lab, FROM_S / 2 * SECOND), change, mptcp);
    lab_finish(&w.lab, TO_S + 60);
    return (double)ours.bytes / (double)its.bytes;
}

static void shared_link(struct run *r)
{
    static const struct {
        const char *cc;
        double least, most;
    } rows[] = {
        {"newreno", 1.5, 2.5}, {"lia", 0.6, 1.4},     {"olia", 0.6, 1.4},   {"balia", 0.6, 1.4},
        {"ewtcp", 0.6, 1.4},   {"coupled", 0.6, 1.4}, {"wvegas", 0.0, 0.7},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char what[56];
        snprintf(what, sizeof what, "%s: of what one TCP gets", rows[i].cc);
        double got = against_tcp(r, rows[i].cc, NULL);
        run_figure(r, what, "", got, 0);
        run_require(r, got >= rows[i].least && got <= rows[i].most);
    }
}

/* ---- disjoint paths ----------------------------------------------------------------------- */

static void disjoint_paths(struct run *r)
{
    for (unsigned i = 0; plait_cc_at(i); i++) {
        struct lab lab;
        struct meter m;
        char what[56];
        begin(&lab, r, plait_cc_at(i)->name);
        lab_open_two(&lab, "rate=10mbit,delay=10ms,queue=60kB", "rate=5mbit,delay=25ms,queue=60kB");
        struct side_config c = bulk(&lab, DISJOINT_TO_S);
        measure(&lab, &m, lab_stream(&lab, &c, NULL), DISJOINT_TO_S);
        lab_finish(&lab, DISJOINT_TO_S + 60);
        double mbps = meter_mbps(&m, DISJOINT_TO_S);
        snprintf(what, sizeof what, "%s: of 14.2 Mbit/s", plait_cc_at(i)->name);
        run_figure(r, what, "Mbit/s", mbps, 14.2);
        run_require(r, mbps >= 0.8 * 14.2);
    }
}

/* ---- one path loses more ------------------------------------------------------------------ */

/* 0.1 % and 1 % of the packets lost at random: share of the better path.
 * TCP's windows are as 1/sqrt(p): 3.16 to 1, 76 %; LIA's as 1/p: 91 %. */
static double better_share(struct run *r, const char *cc)
{
    struct lab lab;
    begin(&lab, r, cc);
    lab_open_two(&lab, "rate=50mbit,delay=20ms,loss=0.1%", "rate=50mbit,delay=20ms,loss=1%");
    struct side_config c = bulk(&lab, LOSS_TO_S);
    lab_stream(&lab, &c, NULL);
    lab_finish(&lab, LOSS_TO_S + 60);
    return 1 - lab_lesser_share(&lab, true);
}

static void unequal_loss(struct run *r)
{
    static const struct {
        const char *cc;
        double least, most, expected;
    } rows[] = {
        {"newreno", 0.70, 0.88, 0.76}, {"ewtcp", 0.70, 0.88, 0.76}, {"lia", 0.84, 0.96, 0.91},
        {"balia", 0.82, 1.00, 0},      {"olia", 0.90, 1.00, 0},     {"coupled", 0.92, 1.00, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char what[56];
        double share = better_share(r, rows[i].cc);
        snprintf(what, sizeof what, "%s: share of the better path", rows[i].cc);
        run_figure(r, what, "", share, rows[i].expected);
        run_require(r, share >= rows[i].least && share <= rows[i].most);
    }
}

/* ---- delay -------------------------------------------------------------------------------- */

struct delays {
    struct stream *stream;
    double worst_ms; /* most that waits in a queue, of the smoothed round trips */
};

static void sample_delay(struct sim *sim, void *ctx)
{
    struct delays *d = ctx;
    struct plait_subflow_info info[2];
    if (sim->now_us >= sim->started_us + TO_S * SECOND || !d->stream->side[0].conn)
        return;
    unsigned n = plait_conn_subflows(d->stream->side[0].conn, info, 2);
    for (unsigned i = 0; i < n && i < 2; i++) {
        double ms = (double)(info[i].srtt_us - info[i].rtt_min_us) / 1000;
        d->worst_ms = ms > d->worst_ms ? ms : d->worst_ms;
    }
    sim_at(sim, sim->now_us + SECOND / 10, sample_delay, d);
}

/* WiFi and 3G without others: short queues, and most of both rates used. */
static void wvegas_queues(struct run *r)
{
    struct lab lab;
    struct meter m;
    struct delays d = {0};
    begin(&lab, r, "wvegas");
    lab_open_two(&lab, "rate=8mbit,delay=10ms,queue=80ms", "rate=2mbit,delay=75ms,queue=2s");
    struct side_config c = bulk(&lab, TO_S);
    d.stream = lab_stream(&lab, &c, NULL);
    measure(&lab, &m, d.stream, TO_S);
    sim_at(lab.sim, lab_at(&lab, FROM_S * SECOND), sample_delay, &d);
    lab_finish(&lab, TO_S + 60);
    double mbps = meter_mbps(&m, TO_S);
    run_figure(r, "goodput, of 9.5", "Mbit/s", mbps, 9.5);
    run_require(r, mbps >= 0.95 * 9.5);
    run_figure(r, "most that waited in a queue", "ms", d.worst_ms, 10);
    run_require(r, d.worst_ms <= 20);
}

/* ---- changed while it runs ---------------------------------------------------------------- */

static void to_lia(struct sim *sim, void *ctx)
{
    struct stream *s = ctx;
    struct plait_conn_info info;
    if (plait_conn_set_cc(s->side[0].conn, "lia", sim->now_us) != 0)
        sim_fail(sim, "it could not be changed");
    plait_conn_info(s->side[0].conn, &info);
    if (strcmp(info.cc, "lia") != 0)
        sim_fail(sim, "it is %s", info.cc);
    if (plait_conn_set_cc(s->side[0].conn, "no such", sim->now_us) != PLAIT_E_UNKNOWN_NAME)
        sim_fail(sim, "a name that nobody has was taken");
}

/* Two uncoupled subflows against one TCP become coupled. */
static void changed_live(struct run *r)
{
    double got = against_tcp(r, "newreno", to_lia);
    run_figure(r, "newreno, then lia: of what one TCP gets", "", got, 0);
    run_require(r, got >= 0.6 && got <= 1.4);
}

const struct scenario scenarios_cc[] = {
    {"cc-shared", "two subflows and one TCP on one link, by congestion control", shared_link},
    {"cc-disjoint", "two paths of their own: the sum of both", disjoint_paths},
    {"cc-loss", "one path loses ten times as much: how far is it left", unequal_loss},
    {"cc-wvegas", "WiFi and 3G by delay: short queues", wvegas_queues},
    {"cc-change", "the congestion control is changed while data flows", changed_live},
    {0},
};
