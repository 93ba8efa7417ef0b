/* SPDX-License-Identifier: MIT
 *
 * Running scenarios, and what they share: the lab, figures and checks.
 */
#include "sim/scenario.h"

#include <string.h>

#include "base/addr.h"
#include "base/hash.h"

enum { MTU = 1500, RELEASE_S = 400 };

const struct scenario *const scenario_tables[] = {scenarios_tcp,       scenarios_mptcp,
                                                  scenarios_signals,   scenarios_closing,
                                                  scenarios_fallback,  scenarios_fastclose,
                                                  scenarios_race,      scenarios_versions,
                                                  scenarios_handshake, scenarios_boxes,
                                                  scenarios_managers,  scenarios_recovery,
                                                  scenarios_memory,    scenarios_fattree,
                                                  scenarios_cc,        scenarios_sched,
                                                  scenarios_figures,   NULL};

const struct scenario *const scenario_tables_v0[] = {
    scenarios_mptcp,     scenarios_signals, scenarios_managers,
    scenarios_recovery,  scenarios_closing, scenarios_fallback,
    scenarios_fastclose, scenarios_race,    NULL};

static const struct scenario *row_at(const struct scenario *const *tables, bool v0, unsigned *i)
{
    for (; *tables; tables++) {
        for (const struct scenario *s = *tables; s->name; s++) {
            if (!(v0 && s->v1_only) && (*i)-- == 0)
                return s;
        }
    }
    return NULL;
}

const struct scenario *scenario_at(unsigned i, char name[SCENARIO_NAME_MAX], uint8_t *version)
{
    const struct scenario *s = row_at(scenario_tables, false, &i);
    *version = s ? 1 : 0;
    if (!s)
        s = row_at(scenario_tables_v0, true, &i);
    if (s)
        snprintf(name, SCENARIO_NAME_MAX, "%s%s", *version ? "" : "v0/", s->name);
    return s;
}

const struct scenario *scenario_find(const char *name, uint8_t *version)
{
    const struct scenario *s;
    char other[SCENARIO_NAME_MAX];
    for (unsigned i = 0; (s = scenario_at(i, other, version)) != NULL; i++) {
        if (strcmp(other, name) == 0)
            return s;
    }
    return NULL;
}

/* ---- worlds ----------------------------------------------------------------------------- */

static void world_end(struct run *r)
{
    if (!r->worlds)
        return;
    struct pcap *pcap = NULL;
    if (!list_empty(&r->sim.hosts))
        pcap = list_first(&r->sim.hosts, struct host, node)->pcap;
    const struct hash_key key = {r->hash, r->sim.now_us};
    r->hash = siphash(&key, &r->sim.trace.hash, sizeof r->sim.trace.hash);
    r->virtual_us += r->sim.now_us - r->sim.started_us;
    r->hops += r->sim.hops;
    sim_free(&r->sim);
    if (pcap && !pcap_close(pcap))
        sim_fail(&r->sim, "the capture could not be written");
    if (!r->failure[0] && r->sim.failure[0])
        memcpy(r->failure, r->sim.failure, sizeof r->failure);
}

void run_world(struct run *r)
{
    world_end(r);
    sim_init(&r->sim, r->seed + r->worlds, 1000000);
    r->sim.check = true;
    r->sim.trace.events = r->events;
    r->worlds++;
}

void run_capture(struct run *r, struct host *h)
{
    if (!r->pcap_path || r->worlds != 1)
        return;
    h->pcap = pcap_open(r->pcap_path);
    if (!h->pcap)
        sim_fail(&r->sim, "%s cannot be written", r->pcap_path);
}

bool scenario_run(const struct scenario *s, struct run *r)
{
    r->worlds = r->figure_count = 0;
    r->hash = r->virtual_us = r->hops = 0;
    r->failure[0] = '\0';
    s->run(r);
    world_end(r);
    return !r->failure[0];
}

/* ---- the lab ---------------------------------------------------------------------------- */

void lab_init(struct lab *lab, struct run *r)
{
    memset(lab, 0, sizeof *lab);
    run_world(r);
    lab->run = r;
    lab->sim = &r->sim;
    lab->mtu = MTU;
    plait_config_default(&lab->client_config);
    plait_config_default(&lab->server_config);
    if (r->version == 0)
        lab->client_config.version = PLAIT_VERSION_0;
}

static struct iface *lab_iface(struct lab *lab, struct host *h, unsigned path, unsigned end)
{
    char text[ADDR_TEXT_MAX];
    snprintf(text, sizeof text, lab->ipv6 ? "fd00:%u::%u" : "10.0.%u.%u", path + 1, end);
    return host_iface(h, text, lab->mtu);
}

void lab_capture(struct lab *lab)
{
    run_capture(lab->run, lab->client);
}

void lab_open(struct lab *lab, unsigned paths, const char *const *specs)
{
    lab->client = sim_host(lab->sim, "client", &lab->client_config);
    lab->server = sim_host(lab->sim, "server", &lab->server_config);
    lab_capture(lab);
    lab->paths = paths;
    for (unsigned i = 0; i < paths; i++) {
        lab->client_if[i] = lab_iface(lab, lab->client, i, 1);
        bool own = lab->server_multihomed || i == 0;
        lab->server_if[i] = own ? lab_iface(lab, lab->server, i, 2) : lab->server_if[0];
        lab->path[i] = sim_path_spec(lab->sim, lab->client_if[i], lab->server_if[i], specs[i]);
    }
}

void lab_open_two(struct lab *lab, const char *first, const char *second)
{
    const char *const specs[] = {first, second};
    lab_open(lab, 2, specs);
}

struct stream *lab_stream(struct lab *lab, const struct side_config *client,
                          const struct side_config *server)
{
    static const struct side_config quiet = {.end = END_AFTER_EOF};
    return stream_new(lab->sim, lab->client, lab->client_if[0], lab->server_if[0], lab->sim->now_us,
                      client ? client : &quiet, server ? server : &quiet, NULL, NULL);
}

uint64_t lab_at(const struct lab *lab, uint64_t us)
{
    return lab->sim->started_us + us;
}

static void finish(struct lab *lab, unsigned limit_s, bool must_succeed)
{
    const struct oracle o = {.deadline_us = lab_at(lab, limit_s * UINT64_C(1000000)),
                             .release_us = RELEASE_S * UINT64_C(1000000),
                             .must_succeed = must_succeed};
    oracle_run(lab->sim, &o);
}

void lab_finish(struct lab *lab, unsigned limit_s)
{
    finish(lab, limit_s, true);
}

void lab_finish_any(struct lab *lab, unsigned limit_s)
{
    finish(lab, limit_s, false);
}

/* ---- figures and checks ----------------------------------------------------------------- */

double side_mbps(const struct side *reader)
{
    uint64_t us = reader->last_read_us - reader->connected_us;
    return us ? (double)reader->received * 8 / (double)us : 0;
}

double lab_lesser_share(const struct lab *lab, bool to_server)
{
    uint64_t bytes[2];
    for (unsigned i = 0; i < 2; i++) {
        const struct path *p = &lab->path[i];
        bytes[i] = (to_server ? p->there : p->back)->link.stats.delivered_bytes;
    }
    uint64_t sum = bytes[0] + bytes[1];
    return sum ? (double)(bytes[0] < bytes[1] ? bytes[0] : bytes[1]) / (double)sum : 0;
}

void run_figure(struct run *r, const char *what, const char *unit, double value, double published)
{
    if (r->figure_count == FIGURES_MAX) {
        sim_fail(&r->sim, "more than %d figures", FIGURES_MAX);
        return;
    }
    struct figure *f = &r->figures[r->figure_count++];
    snprintf(f->what, sizeof f->what, "%s", what);
    snprintf(f->unit, sizeof f->unit, "%s", unit);
    f->value = value;
    f->published = published;
    f->low = false;
}

void run_require(struct run *r, bool holds)
{
    struct figure *f = &r->figures[r->figure_count - 1];
    f->low = !holds;
    if (!holds)
        sim_fail(&r->sim, "%s: %.3f %s is not enough", f->what, f->value, f->unit);
}

void expect_eq(struct run *r, int line, const char *what, int64_t got, int64_t want)
{
    if (got != want)
        sim_fail(&r->sim, "line %d: %s is %lld, not %lld", line, what, (long long)got,
                 (long long)want);
}

void expect_range(struct run *r, int line, const char *what, int64_t got, int64_t least,
                  int64_t most)
{
    if (got < least || got > most)
        sim_fail(&r->sim, "line %d: %s is %lld, not %lld to %lld", line, what, (long long)got,
                 (long long)least, (long long)most);
}
