/* SPDX-License-Identifier: MIT
 *
 * What each path manager makes of the same links.
 */
#include "sim/scenario.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define SECOND UINT64_C(1000000)

/* The client writes for so long. */
static struct stream *upload_for(struct lab *lab, unsigned seconds)
{
    const struct side_config c = {.send_bytes = STREAM_ENDLESS,
                                  .stop_us = lab_at(lab, seconds * SECOND)};
    return lab_stream(lab, &c, NULL);
}

static uint64_t carried(const struct lab *lab, unsigned path)
{
    return lab->path[path].there->link.stats.delivered_bytes;
}

static void ndiffports(struct run *r)
{
    struct lab lab;
    const char *spec = WIFI;
    lab_init(&lab, r);
    lab.client_config.path_manager = "ndiffports";
    lab.client_config.subflows_wanted = 3;
    lab_open(&lab, 1, &spec);
    struct stream *s = upload_for(&lab, 4);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 4);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 4);
    for (unsigned i = 0; i < 4; i++)
        EXPECT(r, s->side[0].subflows[i].bytes_sent > 0);
}

/* Two links at either end are two subflows; full mesh makes four of them. */
static void laminar(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.path_manager = "laminar";
    lab.server_multihomed = true;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = upload_for(&lab, 4);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 1);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT(r, lab_lesser_share(&lab, true) > 0.2);
}

/* Wifi goes without a word and comes back three seconds later. */
static struct stream *handover(struct run *r, struct lab *lab, const char *manager)
{
    lab_init(lab, r);
    lab->client_config.path_manager = manager;
    lab_open_two(lab, WIFI, LTE);
    struct stream *s = upload_for(lab, 20);
    sim_advance(lab->sim, lab_at(lab, 2 * SECOND));
    return s;
}

static void make_before_break(struct run *r)
{
    struct lab lab;
    struct stream *s = handover(r, &lab, "make-before-break");
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 2);
    EXPECT(r, carried(&lab, 1) < 1000); /* a handshake and what it says */
    sim_path_set_up(lab.sim, &lab.path[0], false);
    sim_advance(lab.sim, lab_at(&lab, 5 * SECOND));
    EXPECT(r, carried(&lab, 1) > 1000000);
    sim_path_set_up(lab.sim, &lab.path[0], true);
    sim_advance(lab.sim, lab_at(&lab, 12 * SECOND));
    uint64_t before[2] = {carried(&lab, 0), carried(&lab, 1)};
    sim_advance(lab.sim, lab_at(&lab, 16 * SECOND));
    EXPECT(r, carried(&lab, 0) - before[0] > 5000000); /* back where it is wanted */
    EXPECT(r, carried(&lab, 1) - before[1] < 100000);
    lab_finish(&lab, 30);
    run_figure(r, "longest pause", "ms", (double)s->side[1].pause_us / 1e3, 0);
    run_require(r, s->side[1].pause_us < SECOND);
}

static void break_before_make(struct run *r)
{
    struct lab lab;
    struct stream *s = handover(r, &lab, "break-before-make");
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 0);
    EXPECT_EQ(r, carried(&lab, 1), 0);
    sim_path_set_up(lab.sim, &lab.path[0], false);
    sim_advance(lab.sim, lab_at(&lab, 8 * SECOND));
    EXPECT_EQ(r, COUNT(lab.client, MPJoinAckRx) + COUNT(lab.server, MPJoinAckRx), 1);
    EXPECT(r, carried(&lab, 1) > 1000000);
    struct plait_conn_info info;
    plait_conn_info(s->side[0].conn, &info);
    EXPECT_EQ(r, info.subflows, 1); /* the silent one went */
    lab_finish(&lab, 40);
    run_figure(r, "longest pause", "s", (double)s->side[1].pause_us / 1e6, 0);
    run_require(r, s->side[1].pause_us < 6 * SECOND);
}

/* Neither opens: the client tells its second address, the server joins it. */
static void signal_only(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.path_manager = "signal";
    lab.server_config.server_opens = true;
    lab_open_two(&lab, WIFI, LTE);
    upload_for(&lab, 5);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 0);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinAckRx), 1);
    EXPECT(r, lab_lesser_share(&lab, true) > 0.1);
}

const struct scenario scenarios_managers[] = {
    {"ndiffports", "four subflows between two addresses", ndiffports},
    {"laminar", "two links at either end, two subflows", laminar},
    {"make-before-break", "the second path waits as a backup, takes over, gives back",
     make_before_break},
    {"one-path-at-a-time", "the second path is opened when the first is silent", break_before_make},
    {"signal-only", "the client tells its address, the server joins it", signal_only},
    {NULL, NULL, NULL},
};
