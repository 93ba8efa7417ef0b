/* SPDX-License-Identifier: MIT
 *
 * What each scheduler is for: a small world in which its point shows.
 */
#include "sim/scenario.h"

#define KB 1000u
#define MB 1000000u

/* What a path carries besides payload that was chosen for it: handshakes, and
 * keeping up with the others' ACKs. */
enum { SILENT_BYTES = 5 * KB };

static uint64_t carried(const struct lab *lab, unsigned path)
{
    return lab->path[path].there->link.stats.delivered_bytes;
}

/* A lab of two paths whose client uses this scheduler. */
static void open_with(struct lab *lab, struct run *r, const char *scheduler, const char *first,
                      const char *second)
{
    lab_init(lab, r);
    lab->client_config.scheduler = scheduler;
    lab_open_two(lab, first, second);
}

static struct stream *upload(struct lab *lab, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    return lab_stream(lab, &c, NULL);
}

/* Requests that nobody answers: so many bytes every interval. */
static struct stream *steady(struct lab *lab, uint32_t bytes, uint32_t interval_us, uint32_t count)
{
    const struct side_config c = {.requests = count,
                                  .request_bytes = bytes,
                                  .interval_us = interval_us};
    return lab_stream(lab, &c, NULL);
}

/* Percent of a long upload that path 2 carries. */
static double second_share(struct run *r, const char *scheduler, const char *first,
                           const char *second)
{
    struct lab lab;
    open_with(&lab, r, scheduler, first, second);
    upload(&lab, 20 * MB);
    lab_finish(&lab, 120);
    double share = 100.0 * (double)carried(&lab, 1) / (double)(carried(&lab, 0) + carried(&lab, 1));
    run_figure(r, scheduler, "% path 2", share, 0);
    return share;
}

/* ---- shares ----------------------------------------------------------------------------- */

static void weighted(struct run *r)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"weighted", 50}, {"weighted:3,1", 25}, {"weighted:1,3", 75}, {"weighted:9,1", 10}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double share =
            second_share(r, rows[i].name, "rate=20mbit,delay=10ms", "rate=10mbit,delay=30ms");
        run_require(r, share > rows[i].share - 3 && share < rows[i].share + 3);
    }
}

static void round_robin(struct run *r)
{
    static const char first[] = "rate=20mbit,delay=10ms", second[] = "rate=5mbit,delay=30ms";
    double share = second_share(r, "round-robin", first, second);
    run_require(r, share > 15 && share < 25); /* as their windows allow */
    share = second_share(r, "round-robin:4", first, second);
    run_require(r, share > 15 && share < 25);
    share = second_share(r, "round-robin:1,strict", first, second);
    run_require(r, share > 47 && share < 53);
}

/* ---- one path, and another when it must be ------------------------------------------------ */

static void overflow(struct run *r)
{
    static const char first[] = "rate=8mbit,delay=10ms,queue=80ms",
                      second[] = "rate=8mbit,delay=20ms,queue=80ms";
    struct lab lab;
    open_with(&lab, r, "overflow", first, second);
    steady(&lab, 5000, 10000, 500); /* 4 Mbit/s */
    lab_finish(&lab, 60);
    EXPECT(r, carried(&lab, 1) < SILENT_BYTES);

    open_with(&lab, r, "overflow", first, second);
    steady(&lab, 12500, 10000, 1000); /* 10 Mbit/s */
    lab_finish(&lab, 60);
    EXPECT_RANGE(r, carried(&lab, 1), 2 * MB, 5 * MB); /* what does not fit */
    EXPECT(r, carried(&lab, 0) > 8 * MB);

    open_with(&lab, r, "overflow", first, second);
    struct stream *s = upload(&lab, 20 * MB);
    lab_finish(&lab, 60);
    run_figure(r, "8 + 8 Mbit/s, more than fits", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 13.5);
}

/* The active path dies at 3 s and is back at 6 s; path 2 carries meanwhile, and
 * with "stay" to the end. */
static void standby(struct run *r, const char *scheduler, bool stays)
{
    struct lab lab;
    open_with(&lab, r, scheduler, "rate=8mbit,delay=20ms", "rate=8mbit,delay=10ms");
    struct stream *s = upload(&lab, 12 * MB);
    sim_at_path(lab.sim, lab_at(&lab, 3000000), &lab.path[0], false);
    sim_at_path(lab.sim, lab_at(&lab, 6000000), &lab.path[0], true);
    sim_advance(lab.sim, lab_at(&lab, 3000000));
    EXPECT(r, carried(&lab, 1) < SILENT_BYTES);
    sim_advance(lab.sim, lab_at(&lab, 8500000));
    uint64_t first = carried(&lab, 0), second = carried(&lab, 1);
    EXPECT(r, second > 2 * MB);
    sim_advance(lab.sim, lab_at(&lab, 9500000));
    first = carried(&lab, 0) - first;
    second = carried(&lab, 1) - second;
    lab_finish(&lab, 60);
    EXPECT(r, (stays ? second : first) > 800 * KB);
    EXPECT(r, (stays ? first : second) < SILENT_BYTES);
    run_figure(r, scheduler, "ms pause", (double)s->side[1].pause_us / 1000, 0);
    run_require(r, s->side[1].pause_us < 500000);
}

static void backup(struct run *r)
{
    standby(r, "backup", false);
    standby(r, "backup:stay", true);
}

/* ---- redundancy ------------------------------------------------------------------------------ */

enum { REQUESTS = 500, REQUESTS_ALONE = 50 };

/* 750 bytes there and back every 20 ms over paths of 15 and 25 ms. How many
 * responses take longer than the slower path does by itself, both subflows
 * being there. */
static unsigned late_responses(struct run *r, const char *scheduler, const char *loss, bool dies)
{
    struct lab lab;
    char first[64], second[64], what[56];
    const struct side_config c = {.requests = REQUESTS,
                                  .request_bytes = 750,
                                  .response_bytes = 750,
                                  .interval_us = 20000};
    const struct side_config s = {.respond_to = 750, .respond_bytes = 750, .end = END_AFTER_EOF};
    lab_init(&lab, r);
    lab.client_config.scheduler = lab.server_config.scheduler = scheduler;
    lab.client_config.nagle = lab.server_config.nagle = false;
    snprintf(first, sizeof first, "rate=10mbit,delay=15ms%s", loss);
    snprintf(second, sizeof second, "rate=10mbit,delay=25ms%s", loss);
    lab_open_two(&lab, first, second);
    struct stream *st = lab_stream(&lab, &c, &s);
    if (dies)
        sim_at_path(lab.sim, lab_at(&lab, 3000000), &lab.path[0], false);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, st->side[0].responses_seen, REQUESTS);
    unsigned late = 0;
    for (unsigned i = REQUESTS_ALONE; i < st->side[0].responses_seen; i++)
        late += st->side[0].delay_us[i] > 55000;
    snprintf(what, sizeof what, "%s, %s", scheduler, dies ? "a path dies" : "losses");
    run_figure(r, what, "late", late, 0);
    return late;
}

static void redundant(struct run *r)
{
    unsigned plain = late_responses(r, "lowest-rtt", ",loss=3%", false);
    run_require(r, late_responses(r, "redundant", ",loss=3%", false) * 3 < plain);
    run_require(r, late_responses(r, "redundant:64", ",loss=3%", false) * 3 < plain);
    EXPECT(r, late_responses(r, "lowest-rtt", "", true) > 0);
    run_require(r, late_responses(r, "redundant", "", true) == 0);
    run_require(r, late_responses(r, "redundant:64", "", true) == 0);
}

/* Of a bulk transfer all goes twice, or with a limit only the end. */
static void redundant_bulk(struct run *r)
{
    static const char path[] = "rate=10mbit,delay=10ms,queue=50ms";
    struct lab lab;
    open_with(&lab, r, "redundant", path, path);
    struct stream *s = upload(&lab, 8 * MB);
    lab_finish(&lab, 60);
    run_figure(r, "redundant", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 8.5);
    EXPECT(r, s->side[0].info.bytes_copied > 7 * MB);

    open_with(&lab, r, "redundant:64", path, path);
    s = upload(&lab, 8 * MB);
    lab_finish(&lab, 60);
    run_figure(r, "redundant:64", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 16);
    EXPECT_RANGE(r, s->side[0].info.bytes_copied, 1, 130 * KB);
}

/* ---- unequal paths, small buffers --------------------------------------------------------- */

/* Goodput in Mbit/s over WiFi and a slow line with a long queue (NSDI'12,
 * figure 4), all buffers fixed. */
static double unequal(struct run *r, const char *scheduler, uint32_t window)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.scheduler = scheduler;
    lab.client_config.heuristics = PLAIT_OPPORTUNISTIC; /* the guard makes them more alike */
    lab.client_config.send_buffer_bytes = lab.client_config.send_buffer_max_bytes = window;
    lab.server_config.recv_buffer_bytes = lab.server_config.recv_buffer_max_bytes = window;
    lab_open_two(&lab, "rate=8mbit,delay=10ms,queue=80ms", "rate=2mbit,delay=75ms,queue=2s");
    struct stream *s = upload(&lab, 20 * MB);
    lab_finish(&lab, 120);
    return side_mbps(&s->side[1]);
}

/* Where the window is smaller than both paths together need, waiting for the
 * fast one is better than filling the slow one. */
static void unequal_paths(struct run *r)
{
    static const uint32_t windows[] = {100 * KB, 150 * KB, 200 * KB, 300 * KB, 400 * KB};
    for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        static const char *const schedulers[] = {"lowest-rtt", "blest", "ecf", "arrival"};
        double mbps[4];
        for (unsigned k = 0; k < 4; k++) {
            char what[56];
            mbps[k] = unequal(r, schedulers[k], windows[i]);
            snprintf(what, sizeof what, "%s, %u KB", schedulers[k], windows[i] / KB);
            run_figure(r, what, "Mbit/s", mbps[k], 0);
            if (k && windows[i] == (k == 1 ? 100 * KB : 200 * KB))
                run_require(r, mbps[k] > mbps[0]);
            if (k == 3)
                run_require(r, mbps[3] > mbps[0] && mbps[3] > mbps[1] && mbps[3] > mbps[2]);
        }
    }
}

/* ---- what is done whatever the scheduler ---------------------------------------------------- */

/* Goodput in Mbit/s with the lowest RTT first, and these heuristics. */
static double with_heuristics(struct run *r, struct lab *lab, unsigned heuristics, uint32_t window,
                              const char *second)
{
    lab_init(lab, r);
    lab->client_config.scheduler = "lowest-rtt";
    lab->client_config.heuristics = heuristics;
    lab->client_config.send_buffer_bytes = lab->client_config.send_buffer_max_bytes = window;
    lab->server_config.recv_buffer_bytes = lab->server_config.recv_buffer_max_bytes = window;
    lab_open_two(lab, "rate=8mbit,delay=10ms,queue=80ms", second);
    struct stream *s = upload(lab, 30 * MB);
    lab_finish(lab, 300);
    return side_mbps(&s->side[1]);
}

/* WiFi and 3G, 200 KB (NSDI'12, figure 4: 6.5, with M1 7.6, with M1 and M2 8.6). */
static void heuristics(struct run *r)
{
    static const char slow[] = "rate=2mbit,delay=75ms,queue=2s";
    struct lab lab;
    double none = with_heuristics(r, &lab, 0, 200 * KB, slow);
    run_figure(r, "none", "Mbit/s", none, 6.5);
    EXPECT_EQ(r, WHY(lab.client, REINJECTED, WINDOW), 0);
    double again = with_heuristics(r, &lab, PLAIT_OPPORTUNISTIC, 200 * KB, slow);
    run_figure(r, "opportunistic", "Mbit/s", again, 7.6);
    EXPECT(r, WHY(lab.client, REINJECTED, WINDOW) > 0);
    double both = with_heuristics(r, &lab, PLAIT_OPPORTUNISTIC | PLAIT_PENALISE, 200 * KB, slow);
    run_figure(r, "opportunistic, penalise", "Mbit/s", both, 8.6);
    run_require(r, both > again * 1.05 && both > none * 1.1);
    double wide = with_heuristics(r, &lab, 0, 1000 * KB, slow);
    run_figure(r, "none, 1000 KB", "Mbit/s", wide, 8.7);
    double capped = with_heuristics(r, &lab, PLAIT_CAP, 1000 * KB, slow);
    run_figure(r, "cap, 1000 KB", "Mbit/s", capped, 0);
    run_require(r, capped > wide * 1.03);
}

static void faster(struct sim *sim, void *ctx)
{
    struct path *p = ctx;
    (void)sim;
    p->there->link.config.rate_bps = 8000000;
}

/* A path of 50 kbit/s costs far more than it brings: it rests, is tried now and
 * then, and stays when it has become a good one. */
static void guard(struct run *r)
{
    static const char weak[] = "rate=50kbit,delay=75ms,queue=2s";
    struct lab lab;
    double without = with_heuristics(r, &lab, 0, 200 * KB, weak);
    run_figure(r, "lowest-rtt beside 50 kbit/s", "Mbit/s", without, 2);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_RESTED), 0);
    double with = with_heuristics(r, &lab, PLAIT_GUARD, 200 * KB, weak);
    run_figure(r, "guarded", "Mbit/s", with, 0);
    run_require(r, with > 2 * without);
    EXPECT(r, WHY(lab.client, SUBFLOW_RESTED, COST) >= 3);
    EXPECT(r, WHY(lab.client, SUBFLOW_TRIED, REST_OVER) >= 2);

    lab_init(&lab, r);
    lab.client_config.scheduler = "lowest-rtt";
    lab_open_two(&lab, "rate=8mbit,delay=10ms,queue=80ms", weak);
    upload(&lab, 60 * MB);
    sim_at(lab.sim, lab_at(&lab, 10000000), faster, &lab.path[1]);
    lab_finish(&lab, 200);
    EXPECT(r, EVENTS(lab.client, SUBFLOW_RESTED) >= 1);
    EXPECT(r, carried(&lab, 1) > 5 * MB);
}

/* ---- a slow path that loses --------------------------------------------------------------- */

/* The slow path's queue overflows in slow start, just when the response comes to its
 * end. What it lost is sent again on the fast one, which has nothing else to do; nor
 * do the last bytes, less than a segment, wait until all that is acknowledged. */
static void losing(struct run *r)
{
    const struct side_config client = {.requests = 1, .request_bytes = 300, .end = END_SHUTDOWN};
    const struct side_config server = {.respond_to = 300,
                                       .respond_bytes = 20 * MB,
                                       .end = END_AFTER_EOF};
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.recv_buffer_bytes = lab.client_config.recv_buffer_max_bytes = 8 * MB;
    lab_open_two(&lab, "rate=72mbit,delay=7ms,queue=194ms", "rate=5.4mbit,delay=149ms,queue=72ms");
    struct stream *s = lab_stream(&lab, &client, &server);
    lab_finish(&lab, 60);
    run_figure(r, "72 and 5.4 Mbit/s", "Mbit/s", side_mbps(&s->side[0]), 0);
    run_require(r, side_mbps(&s->side[0]) > 63);
    EXPECT(r, WHY(lab.server, REINJECTED, TAIL) > 5);
}

/* ---- another one on the way ---------------------------------------------------------------- */

struct tour {
    struct side *side;
    unsigned next, taken;
};

static void next_scheduler(struct sim *sim, void *ctx)
{
    struct tour *t = ctx;
    const struct plait_sched *sched = plait_sched_at(t->next++);
    struct plait_conn_info info;
    if (!t->side->conn || !sched)
        return;
    if (plait_conn_set_scheduler(t->side->conn, "nonesuch", sim->now_us) != PLAIT_E_UNKNOWN_NAME ||
        plait_conn_set_scheduler(t->side->conn, sched->name, sim->now_us) != 0)
        sim_fail(sim, "scheduler %s is not taken", sched->name);
    plait_conn_info(t->side->conn, &info);
    t->taken += info.scheduler == sched->name;
    host_service(t->side->host);
    sim_at(sim, sim->now_us + 500000, next_scheduler, t);
}

/* Every scheduler for half a second of one upload. */
static void switches(struct run *r)
{
    struct lab lab;
    struct tour tour = {0};
    lab_init(&lab, r);
    lab_open_two(&lab, "rate=20mbit,delay=10ms,loss=0.1%", "rate=10mbit,delay=30ms,loss=0.1%");
    struct stream *s = upload(&lab, 16 * MB);
    tour.side = &s->side[0];
    sim_at(lab.sim, lab_at(&lab, 500000), next_scheduler, &tour);
    lab_finish(&lab, 60);
    unsigned count = 0;
    while (plait_sched_at(count))
        count++;
    EXPECT_EQ(r, tour.taken, count);
}

const struct scenario scenarios_sched[] = {
    {"sched-weighted", "shares by weight", weighted},
    {"sched-round-robin", "turns, and strict turns", round_robin},
    {"sched-overflow", "the second path only when the first is full", overflow},
    {"sched-backup", "the second path is silent until the first dies", backup},
    {"sched-redundant", "small messages twice: loss and a dead path are not felt", redundant},
    {"sched-redundant-bulk", "a bulk transfer twice, or its end only", redundant_bulk},
    {"sched-unequal", "WiFi and 3G with small buffers: waiting for the fast path", unequal_paths},
    {"heuristics", "opportunistic, penalise, cap: what each does for the lowest RTT", heuristics},
    {"guard", "a path that costs more than it brings rests, and is tried again", guard},
    {"sched-losing", "the end of a response that a slow path has lost", losing},
    {"sched-switch", "one connection through all schedulers", switches},
    {NULL, NULL, NULL},
};
