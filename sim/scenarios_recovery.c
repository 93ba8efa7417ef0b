/* SPDX-License-Identifier: MIT
 *
 * Paths that break, and whether all of them come back by themselves: links that
 * flap, RSTs, NATs that forget, addresses that change.
 */
#include "base/addr.h"
#include "sim/box_kind.h"
#include "sim/scenario.h"

#include <stdio.h>

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define SECOND UINT64_C(1000000)

/* ---- NATs that forget ------------------------------------------------------------------- */

/* The server says something when told so. */
static struct stream *server_speaks(struct lab *lab)
{
    const struct side_config reads = {.end = END_AFTER_EOF};
    const struct side_config says = {.send_bytes = STREAM_ENDLESS, .driven = true};
    struct stream *s = lab_stream(lab, &reads, &says);
    stream_allow(&s->side[1], 1000, false);
    return s;
}

/* An hour without a word, then the server speaks: what it says must arrive at
 * once, for its path is known to a NAT that forgets after half a minute. */
static void nat_hour(struct run *r)
{
    static const char *const boxes[] = {"nat:idle=30s", "nat:idle=30s,how=reset"};
    for (unsigned i = 0; i < 2; i++) {
        struct lab lab;
        lab_init(&lab, r);
        lab_open_two(&lab, WIFI, LTE);
        sim_box(lab.sim, &lab.path[0], boxes[i]);
        sim_box(lab.sim, &lab.path[1], boxes[i]);
        struct stream *s = server_speaks(&lab);
        sim_advance(lab.sim, lab_at(&lab, 3600 * SECOND));
        struct plait_conn_info info;
        plait_conn_info(s->side[0].conn, &info);
        EXPECT_EQ(r, info.subflows, 2);
        EXPECT(r, info.subflows_total <= 6);
        run_figure(r, "subflows in an hour", "", info.subflows_total, 0);
        run_figure(r, "probes in an hour", "", (double)COUNT(lab.client, NatKeepalives), 0);
        stream_allow(&s->side[1], 1000, true);
        host_service(lab.server);
        lab_finish(&lab, 3700);
        EXPECT(r, s->side[0].last_read_us < lab_at(&lab, 3600 * SECOND + 200000));
    }
}

/* A backup that nothing moves on for ten minutes and whose path was down twice in
 * that time: that is no reason to take the NAT, which never forgets, for one that
 * does. */
static void outage_is_no_nat(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.path_manager = "make-before-break";
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = server_speaks(&lab);
    for (unsigned i = 0; i < 2; i++) {
        sim_at_path(lab.sim, lab_at(&lab, (100 + 200 * i) * SECOND), &lab.path[1], false);
        sim_at_path(lab.sim, lab_at(&lab, (130 + 200 * i) * SECOND), &lab.path[1], true);
    }
    sim_advance(lab.sim, lab_at(&lab, 3600 * SECOND));
    uint64_t probes = COUNT(lab.client, NatKeepalives);
    sim_advance(lab.sim, lab_at(&lab, 7200 * SECOND));
    EXPECT(r, COUNT(lab.client, NatKeepalives) - probes <= 2 * 8); /* every ten minutes */
    stream_allow(&s->side[1], 1000, true);
    host_service(lab.server);
    lab_finish(&lab, 7300);
}

/* ---- a hundred troubles ------------------------------------------------------------------- */

enum trouble { FLAP, RST, FORGOTTEN, MOVED, TROUBLES };

struct recovery {
    struct lab lab;
    struct stream *stream;
    struct box *nat[2];
    struct prng prng;
    unsigned moves;
};

/* As many subflows as there are paths answer, each from an address that is there. */
static bool all_back(void *ctx)
{
    struct recovery *rec = ctx;
    struct plait_subflow_info info[64];
    unsigned there[2] = {0};
    unsigned room = sizeof info / sizeof info[0];
    unsigned n = plait_conn_subflows(rec->stream->side[0].conn, info, room);
    for (unsigned i = 0; i < (n < room ? n : room); i++)
        for (unsigned path = 0; path < 2; path++)
            there[path] += info[i].established && !info[i].closed && !info[i].stale &&
                           addr_equal(&info[i].local.addr, &rec->lab.client_if[path]->local.addr);
    return there[0] && there[1];
}

/* The link's address is another one from now on. */
static void move(struct recovery *rec, unsigned path)
{
    struct lab *lab = &rec->lab;
    struct sim *sim = lab->sim;
    char address[32];
    snprintf(address, sizeof address, "10.0.%u.%u", path + 1, 10 + rec->moves++);
    iface_set_present(lab->client_if[path], false);
    struct iface *fresh = host_iface(lab->client, address, 1500);
    sim_route(sim, fresh, lab->server_if[0], &lab->path[path].there, 1);
    sim_route(sim, lab->server_if[0], fresh, &lab->path[path].back, 1);
    lab->client_if[path] = fresh;
}

/* Returns when the path is as good as before again. */
static void make_trouble(struct recovery *rec, enum trouble what, unsigned path)
{
    struct sim *sim = rec->lab.sim;
    switch (what) {
    case FLAP:
        sim_path_set_up(sim, &rec->lab.path[path], false);
        sim_advance(sim, sim->now_us + SECOND / 4 + prng_below(&rec->prng, 10 * SECOND));
        sim_path_set_up(sim, &rec->lab.path[path], true);
        break;
    case RST: { /* forged behind the next acknowledgement */
        struct box *forge = sim_box(sim, &rec->lab.path[path], "forge:dir=back,count=1");
        sim_advance(sim, sim->now_us + SECOND);
        box_remove(forge, sim->now_us);
        break;
    }
    case FORGOTTEN:
        box_flows_clear(rec->nat[path]);
        break;
    case MOVED:
        move(rec, path);
        break;
    case TROUBLES:
        break;
    }
}

/* Links that flap, forged RSTs, NATs that lose their tables, addresses that are
 * replaced: a hundred of them on either path in any order, while data moves on
 * both. Each time all subflows are back within five seconds. */
static void recovery_hundred(struct run *r)
{
    static const char *const names[TROUBLES] = {"flap", "RST", "NAT's table lost", "address"};
    struct recovery rec = {0};
    uint64_t worst_us[TROUBLES] = {0};
    lab_init(&rec.lab, r);
    rec.lab.client_config.scheduler = "round-robin";
    lab_open_two(&rec.lab, WIFI, LTE);
    struct sim *sim = rec.lab.sim;
    for (unsigned path = 0; path < 2; path++)
        rec.nat[path] = sim_box(sim, &rec.lab.path[path], "nat:how=reset");
    const struct side_config sends = {.send_bytes = STREAM_ENDLESS};
    const struct side_config reads = {.end = END_AFTER_EOF, .read_bps = 4000000};
    rec.stream = lab_stream(&rec.lab, &sends, &reads);
    prng_seed(&rec.prng, r->seed);
    sim_advance(sim, lab_at(&rec.lab, 2 * SECOND));
    EXPECT(r, all_back(&rec));
    for (unsigned i = 0; i < 100 && !sim->failure[0]; i++) {
        enum trouble what = (enum trouble)prng_below(&rec.prng, TROUBLES);
        make_trouble(&rec, what, (unsigned)prng_below(&rec.prng, 2));
        uint64_t since_us = sim->now_us;
        sim_advance(sim, since_us + SECOND / 2); /* what is broken is not seen at once */
        sim_run(sim, since_us + 60 * SECOND, all_back, &rec);
        EXPECT(r, all_back(&rec));
        uint64_t took_us = sim->now_us - since_us;
        worst_us[what] = took_us > worst_us[what] ? took_us : worst_us[what];
        sim_advance(sim, sim->now_us + prng_below(&rec.prng, 3 * SECOND));
    }
    for (unsigned what = 0; what < TROUBLES; what++) {
        char text[56];
        snprintf(text, sizeof text, "all subflows back, %s", names[what]);
        run_figure(r, text, "s", (double)worst_us[what] / 1e6, 0);
        run_require(r, worst_us[what] <= 5 * SECOND);
    }
    struct plait_conn_info info;
    plait_conn_info(rec.stream->side[0].conn, &info);
    EXPECT(r, info.subflows_total > 50);
    rec.stream->side[0].config.stop_us = sim->now_us;
    lab_finish(&rec.lab, 4000);
}

const struct scenario scenarios_recovery[] = {
    {"recovery-hundred", "a hundred troubles on two paths, each mended within five seconds",
     recovery_hundred},
    {"nat-hour", "an hour's silence over NATs that forget after half a minute", nat_hour},
    {"outage-is-no-nat", "paths that were down are not probed as if a NAT forgot them",
     outage_is_no_nat},
    {NULL, NULL, NULL},
};
