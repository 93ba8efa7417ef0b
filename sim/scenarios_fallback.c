/* SPDX-License-Identifier: MIT
 *
 * Falling back to plain TCP, and not having to (RFC 8684 3.7): payload that is
 * changed, options that are lost on a route that changes, on the only path, on
 * one of two, or on a backup that is found out when it is needed.
 *
 * The oracles compare every byte that is read with what was written.
 */
#include "sim/scenario.h"
#include "wire/segment.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define KB 1000u
#define SECOND 1000000u

static void open_paths(struct lab *lab, struct run *r, unsigned paths, bool checksum)
{
    static const char *const specs[] = {WIFI, LTE};
    lab_init(lab, r);
    lab->client_config.checksum = checksum;
    lab->server_config.keepalive_idle_us = 20 * SECOND;
    lab_open(lab, paths, specs);
}

/* Both ends write, and everything arrives. */
static struct stream *exchange(struct lab *lab, unsigned limit_s)
{
    const struct side_config both = {.send_bytes = 1000 * KB};
    struct stream *s = lab_stream(lab, &both, &both);
    lab_finish(lab, limit_s);
    return s;
}

static unsigned why_fallback(const struct lab *lab, enum plait_reason why)
{
    return lab->client->tally.event_why[PLAIT_EV_CONN_FALLBACK][why] +
           lab->server->tally.event_why[PLAIT_EV_CONN_FALLBACK][why];
}

static void expect_tcp(struct run *r, const struct stream *s)
{
    EXPECT_EQ(r, s->side[0].multipath, 0);
    EXPECT_EQ(r, s->side[1].multipath, 0);
}

static void expect_mptcp(struct run *r, const struct stream *s)
{
    EXPECT_EQ(r, s->side[0].multipath, 1);
    EXPECT_EQ(r, s->side[1].multipath, 1);
}

/* ---- payload that is changed ------------------------------------------------------------- */

static void changed_alone(struct run *r)
{
    struct lab lab;
    open_paths(&lab, r, 1, true);
    sim_box(lab.sim, &lab.path[0], "edit:dir=there,offset=150000");
    struct stream *s = exchange(&lab, 20);
    expect_tcp(r, s);
    EXPECT_EQ(r, WHY(lab.server, CONN_FALLBACK, CHECKSUM_FAILED), 1);
    EXPECT_EQ(r, WHY(lab.client, CONN_FALLBACK, MP_FAIL), 1);
    EXPECT_EQ(r, COUNT(lab.server, DSSCorruptionFallback), 1);
    EXPECT(r, COUNT(lab.client, InfiniteMapTx) >= 1);
    EXPECT(r, COUNT(lab.server, InfiniteMapRx) >= 1);
    EXPECT_EQ(r, COUNT(lab.server, DataCsumErr), 1);
}

static void changed_both_ways(struct run *r)
{
    struct lab lab;
    open_paths(&lab, r, 1, true);
    sim_box(lab.sim, &lab.path[0], "edit:dir=there,offset=150000");
    sim_box(lab.sim, &lab.path[0], "edit:dir=back,offset=150000");
    expect_tcp(r, exchange(&lab, 20));
    EXPECT_EQ(r, why_fallback(&lab, PLAIT_WHY_CHECKSUM_FAILED), 2);
}

/* The first MP_FAILs are lost: they are repeated. */
static void mp_fail_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_FAIL, .count = 3};
    open_paths(&lab, r, 1, true);
    sim_box(lab.sim, &lab.path[0], "edit:dir=there,offset=150000");
    rule_add(lab.path[0].back, &drop);
    expect_tcp(r, exchange(&lab, 30));
    EXPECT_EQ(r, drop.hits, 3);
}

/* The subflow that carries it ends, the bytes go over the other. */
static void changed_of_two(struct run *r)
{
    struct lab lab;
    open_paths(&lab, r, 2, true);
    sim_box(lab.sim, &lab.path[1], "edit:dir=there,offset=50000");
    struct stream *s = exchange(&lab, 20);
    expect_mptcp(r, s);
    EXPECT_EQ(r, WHY(lab.server, SUBFLOW_CLOSED, CHECKSUM_FAILED), 1);
    EXPECT_EQ(r, COUNT(lab.server, DSSCorruptionReset), 1);
    EXPECT(r, COUNT(lab.client, MPFailRx) >= 1);
    EXPECT(r, s->side[1].pause_us < 400000);
}

/* Of two subflows the first went; the one that is left carries plain TCP. */
static void changed_on_the_last(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 3000 * KB};
    open_paths(&lab, r, 2, true);
    struct stream *s = lab_stream(&lab, &both, &both);
    sim_at_iface(lab.sim, lab_at(&lab, SECOND / 2), lab.client_if[0], false);
    sim_box(lab.sim, &lab.path[1], "edit:dir=there,offset=1200000");
    lab_finish(&lab, 60);
    expect_tcp(r, s);
    EXPECT_EQ(r, WHY(lab.server, CONN_FALLBACK, CHECKSUM_FAILED), 1);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
}

/* ---- options that are lost --------------------------------------------------------------- */

/* On a path whose queue loses nothing: a pause is the fallback's. */
static void stripped_alone(struct run *r, const char *box)
{
    static const char *const spec = "rate=20mbit,delay=10ms,queue=2MB";
    struct lab lab;
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    sim_box(lab.sim, &lab.path[0], box);
    struct stream *s = exchange(&lab, 30);
    expect_tcp(r, s);
    EXPECT_EQ(r,
              why_fallback(&lab, PLAIT_WHY_OPTIONS_STRIPPED) +
                  why_fallback(&lab, PLAIT_WHY_UNMAPPED_DATA) +
                  why_fallback(&lab, PLAIT_WHY_MP_FAIL) +
                  why_fallback(&lab, PLAIT_WHY_INFINITE_MAPPING),
              2);
    EXPECT(r, s->side[0].pause_us < 200000);
    EXPECT(r, s->side[1].pause_us < 200000);
}

static void route_strips(struct run *r)
{
    stripped_alone(r, "strip:from=200ms");
}

static void route_strips_there(struct run *r)
{
    stripped_alone(r, "strip:from=200ms,dir=there");
}

static void route_strips_back(struct run *r)
{
    stripped_alone(r, "strip:from=200ms,dir=back");
}

static void route_strips_eol(struct run *r)
{
    stripped_alone(r, "strip:from=200ms,how=eol");
}

/* Requests, a few bytes at a time: nothing fills a buffer, nothing hangs. */
static void route_strips_requests(struct run *r)
{
    struct lab lab;
    open_paths(&lab, r, 1, false);
    const struct side_config c = {.requests = 10,
                                  .request_bytes = 100,
                                  .response_bytes = 500,
                                  .interval_us = 100000};
    const struct side_config s = {.respond_to = 100, .respond_bytes = 500, .end = END_AFTER_EOF};
    sim_box(lab.sim, &lab.path[0], "strip:from=450ms");
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish(&lab, 30);
    expect_tcp(r, st);
    for (unsigned i = 0; i < 10; i++)
        EXPECT(r, st->side[0].delay_us[i] < 150000);
}

static void route_strips_of_two(struct run *r)
{
    struct lab lab;
    open_paths(&lab, r, 2, false);
    sim_box(lab.sim, &lab.path[0], "strip:from=200ms");
    struct stream *s = exchange(&lab, 30);
    expect_mptcp(r, s);
    EXPECT(r, COUNT(lab.client, DssReset) + COUNT(lab.server, DssReset) >= 1);
    EXPECT(r, s->side[1].pause_us < 400000);
}

static void join_ack_plain(struct run *r)
{
    struct lab lab;
    struct rule_box strip = {.action = RULE_STRIP, .options = MPO_JOIN_ACK};
    open_paths(&lab, r, 2, false);
    rule_add(lab.path[1].there, &strip);
    expect_mptcp(r, exchange(&lab, 30));
    EXPECT(r, COUNT(lab.server, MPJoinAckNoMPJoin) >= 1);
    EXPECT(r, WHY(lab.server, SUBFLOW_CLOSED, NO_JOIN_OPTION) >= 1);
}

/* ---- a backup path that strips, found out when it is needed -------------------------------- */

static struct stream *backup_strips(struct lab *lab, struct run *r)
{
    const struct side_config c = {.send_bytes = 5000 * KB};
    open_paths(lab, r, 2, false);
    struct plait_local local = lab->client_if[1]->local;
    local.backup = true;
    EXPECT_EQ(r, plait_stack_add_addr(lab->client->stack, &local, lab->sim->now_us), 0);
    sim_box(lab->sim, &lab->path[1], "strip:on=data+fin+ack");
    sim_at_path(lab->sim, lab_at(lab, SECOND), &lab->path[0], false);
    return lab_stream(lab, &c, NULL);
}

/* The active path comes back: the bytes can be placed again. */
static void backup_strips_active_returns(struct run *r)
{
    struct lab lab;
    struct stream *s = backup_strips(&lab, r);
    sim_at_path(lab.sim, lab_at(&lab, 20 * SECOND), &lab.path[0], true);
    lab_finish(&lab, 120);
    expect_mptcp(r, s);
    EXPECT_EQ(r, EVENTS(lab.server, SUBFLOW_ESTABLISHED) >= 1, 1);
}

/* It does not: both ends learn (the one that only reads by its keepalives, as
 * in TCP), and nothing wrong was read. */
static void backup_strips_active_gone(struct run *r)
{
    struct lab lab;
    struct stream *s = backup_strips(&lab, r);
    sim_at_iface(lab.sim, lab_at(&lab, 2 * SECOND), lab.client_if[0], false);
    lab_finish_any(&lab, 1200);
    EXPECT(r, s->side[0].error < 0);
    EXPECT(r, s->side[1].error < 0);
    EXPECT(r, s->side[1].received > 1000 * KB);
}

/* ---- break before make ------------------------------------------------------------------ */

/* The first subflow goes before it has carried a byte or a DSS. */
static void first_subflow_unused(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.requests = 1,
                                  .request_bytes = 1000,
                                  .response_bytes = 1000,
                                  .interval_us = SECOND};
    const struct side_config s = {.respond_to = 1000, .respond_bytes = 1000, .end = END_AFTER_EOF};
    open_paths(&lab, r, 2, false);
    sim_at_iface(lab.sim, lab_at(&lab, SECOND / 2), lab.client_if[0], false);
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish(&lab, 60);
    expect_mptcp(r, st);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 1);
}

const struct scenario scenarios_fallback[] = {
    {"changed-alone", "payload is changed on the only path: MP_FAIL, then plain TCP",
     changed_alone},
    {"changed-both-ways", "payload is changed in both directions at once", changed_both_ways},
    {"mp-fail-lost", "MP_FAIL is lost and repeated", mp_fail_lost},
    {"changed-of-two", "payload is changed on one of two paths: its subflow ends", changed_of_two},
    {"changed-on-the-last", "payload is changed on the subflow that is left of two",
     changed_on_the_last},
    {"route-strips", "the route changes to one that strips options", route_strips},
    {"route-strips-there", "the same, in one direction", route_strips_there},
    {"route-strips-back", "the same, in the other", route_strips_back},
    {"route-strips-eol", "options are overwritten by EOL from some moment on", route_strips_eol},
    {"route-strips-requests", "the same under a few bytes at a time", route_strips_requests},
    {"route-strips-of-two", "the route of one of two subflows strips", route_strips_of_two},
    {"join-ack-plain", "MP_JOIN is eaten from the last ACK of the handshake", join_ack_plain},
    {"backup-strips-returns", "a backup path strips, and the active path comes back",
     backup_strips_active_returns},
    {"backup-strips-gone", "a backup path strips, and the active path is gone",
     backup_strips_active_gone},
    {"first-subflow-unused", "the first subflow goes before it was used", first_subflow_unused},
    {NULL, NULL, NULL},
};
