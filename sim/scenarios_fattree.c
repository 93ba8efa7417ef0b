/* SPDX-License-Identifier: MIT
 *
 * A data centre: every host sends to one other without end, each subflow over a
 * path drawn at random (Raiciu et al., SIGCOMM 2011). One path a connection hits
 * the paths of others; several find what is free.
 */
#include "sim/fattree.h"
#include "sim/scenario.h"

#define SECOND 1000000u

enum { K = 4, HOSTS = K * K * K / 4, SUBFLOWS_MAX = 8, SETTLE_S = 1, MEASURE_S = 1 };

struct centre {
    struct run *run;
    struct sim *sim;
    struct fattree tree;
    unsigned subflows;
    struct host *host[HOSTS];
    struct iface *from[HOSTS][SUBFLOWS_MAX], *to[HOSTS];
    struct stream *stream[HOSTS];
    uint64_t before[HOSTS];
};

static struct host *centre_host(struct centre *c, unsigned i)
{
    struct plait_config config;
    char text[SIM_NAME_MAX + 8];
    plait_config_default(&config);
    config.subflows_wanted = (uint16_t)(c->subflows - 1);
    config.announce = false;
    config.burst_max_bytes = 0; /* switches see packets, not trains of them */
    config.rto_min_us = 10000;
    config.scheduler = "lowest-rtt"; /* paths meet: each has to press for its share */
    snprintf(text, sizeof text, "host%u", i);
    struct host *h = sim_host(c->sim, text, &config);
    for (unsigned s = 0; s < c->subflows; s++) {
        snprintf(text, sizeof text, "10.%u.%u.1", i, s);
        c->from[i][s] = host_iface(h, text, 1500);
    }
    return h;
}

/* Host i sends to the next of a random cycle, and so has one sender of its own. */
static void permutation(struct prng *prng, unsigned to[HOSTS])
{
    unsigned order[HOSTS];
    for (unsigned i = 0; i < HOSTS; i++)
        order[i] = i;
    for (unsigned i = HOSTS - 1; i > 0; i--) {
        unsigned j = (unsigned)prng_below(prng, i + 1), other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
    for (unsigned i = 0; i < HOSTS; i++)
        to[order[i]] = order[(i + 1) % HOSTS];
}

static void connect_all(struct centre *c, struct prng *prng)
{
    unsigned to[HOSTS];
    uint64_t stop_us = c->sim->started_us + (SETTLE_S + MEASURE_S) * (uint64_t)SECOND + SECOND / 10;
    const struct side_config bulk = {.send_bytes = STREAM_ENDLESS, .stop_us = stop_us};
    const struct side_config quiet = {.end = END_AFTER_EOF};
    permutation(prng, to);
    for (unsigned i = 0; i < HOSTS; i++) {
        struct iface *at = c->from[to[i]][0];
        unsigned paths = fattree_paths(&c->tree, i, to[i]);
        for (unsigned s = 0; s < c->subflows; s++)
            fattree_route(&c->tree, i, c->from[i][s], to[i], at, (unsigned)prng_below(prng, paths));
        uint64_t start_us = c->sim->started_us + prng_below(prng, SECOND / 20);
        c->stream[i] =
            stream_new(c->sim, c->host[i], c->from[i][0], at, start_us, &bulk, &quiet, NULL, NULL);
    }
}

static void mark(struct sim *sim, void *ctx)
{
    struct centre *c = ctx;
    (void)sim;
    for (unsigned i = 0; i < HOSTS; i++)
        c->before[i] = c->stream[i]->side[1].received;
}

static void measure(struct sim *sim, void *ctx)
{
    struct centre *c = ctx;
    uint64_t sum = 0, least = UINT64_MAX;
    char what[56];
    (void)sim;
    for (unsigned i = 0; i < HOSTS; i++) {
        uint64_t bytes = c->stream[i]->side[1].received - c->before[i];
        sum += bytes;
        least = bytes < least ? bytes : least;
    }
    /* of 100 Mbit/s for each host, less what headers take of 1500 bytes */
    double all = MEASURE_S * 100e6 / 8 * 0.952;
    snprintf(what, sizeof what, "%u subflow%s, of what all links could carry", c->subflows,
             c->subflows > 1 ? "s" : "");
    run_figure(c->run, what, "%", 100 * (double)sum / (all * HOSTS), 0);
    run_figure(c->run, "  the slowest host", "%", 100 * (double)least / all, 0);
}

/* Returns the share of what all links could carry, in percent. */
static double fat_tree(struct run *r, unsigned subflows)
{
    struct lab lab;
    struct centre c = {.run = r, .subflows = subflows};
    struct prng prng;
    const struct link_config link = {.rate_bps = 100000000,
                                     .delay_us = 100,
                                     .queue_packets = 102,
                                     .random_packets = 2};
    lab_init(&lab, r);
    c.sim = lab.sim;
    c.sim->check = false; /* it is about speed too */
    prng_seed(&prng, r->seed);
    fattree_open(&c.tree, c.sim, K, &link);
    for (unsigned i = 0; i < HOSTS; i++)
        c.host[i] = centre_host(&c, i);
    connect_all(&c, &prng);
    sim_at(c.sim, lab_at(&lab, SETTLE_S * SECOND), mark, &c);
    sim_at(c.sim, lab_at(&lab, (SETTLE_S + MEASURE_S) * SECOND), measure, &c);
    lab_finish(&lab, 60);
    fattree_close(&c.tree);
    return r->figures[r->figure_count - 2].value;
}

static void e15(struct run *r)
{
    double one = fat_tree(r, 1), eight = fat_tree(r, 8);
    EXPECT(r, eight > one + 15);
    EXPECT(r, eight > 92);
}

const struct scenario scenarios_fattree[] = {
    {"e15", "a fat tree of 16 hosts, all sending: one path against several", e15},
    {NULL, NULL, NULL},
};
