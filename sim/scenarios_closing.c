/* SPDX-License-Identifier: MIT
 *
 * The end of connections (RFC 8684 3.3.3 and 3.5, RFC 8041 3.6): which end
 * keeps TIME_WAIT, long half-closes, no subflow left, resets by both ends.
 */
#include "sim/scenario.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define KB 1000u
#define SECOND 1000000u

static const struct side_config after_eof = {.end = END_AFTER_EOF};

static void open_two(struct lab *lab, struct run *r)
{
    lab_init(lab, r);
    lab_open_two(lab, WIFI, LTE);
}

static struct plait_memory memory(const struct host *h)
{
    struct plait_memory m;
    plait_stack_memory(h->stack, &m);
    return m;
}

/* ---- who waits -------------------------------------------------------------------------- */

/* One end closes, the other does so when it has seen that: TIME_WAIT is on
 * both subflows of the first, and nothing stays at the second. */
static void late_close(struct run *r, bool client_first)
{
    struct lab lab;
    const struct side_config begins = {.send_bytes = 300 * KB};
    open_two(&lab, r);
    struct stream *s = client_first ? lab_stream(&lab, &begins, &after_eof)
                                    : lab_stream(&lab, &after_eof, &begins);
    sim_run(lab.sim, lab_at(&lab, 20 * SECOND), stream_done, s);
    sim_advance(lab.sim, lab.sim->now_us + SECOND / 2);
    const struct host *first = client_first ? lab.client : lab.server;
    const struct host *second = client_first ? lab.server : lab.client;
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, memory(first).conns_waiting, 1);
    EXPECT_EQ(r, memory(first).subflows, 2);
    EXPECT_EQ(r, memory(second).conns, 0);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, lab.client->tally.rst + lab.server->tally.rst, 0);
}

static void late_close_client(struct run *r)
{
    late_close(r, false);
}

static void late_close_server(struct run *r)
{
    late_close(r, true);
}

/* FINs, their ACKs and the ACKs of those are lost, whoever sends them. */
static void last_acks_lost(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 500 * KB};
    open_two(&lab, r);
    struct stream *s = lab_stream(&lab, &both, &both);
    sim_run(lab.sim, lab_at(&lab, 20 * SECOND), stream_done, s);
    for (unsigned i = 0; i < 2; i++) {
        sim_path_set_up(lab.sim, &lab.path[i], false);
        sim_at_path(lab.sim, lab.sim->now_us + SECOND, &lab.path[i], true);
    }
    lab_finish(&lab, 20);
    EXPECT_EQ(r, lab.client->tally.rst + lab.server->tally.rst, 0);
}

/* ---- half-closed for long ----------------------------------------------------------------- */

/* Five minutes of one response a second after the client's end of stream. The
 * second path is idle, asked now and then whether it is there, and lost. */
static void half_close_for_minutes(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.keepalive_idle_us = lab.server_config.keepalive_idle_us = 20 * SECOND;
    lab.client_config.nat_keepalive_us = 0; /* which would try to join again and again */
    lab_open_two(&lab, WIFI, LTE);
    const struct side_config server = {.requests = 300,
                                       .request_bytes = 1000,
                                       .response_bytes = 1,
                                       .interval_us = SECOND};
    const struct side_config client = {.send_bytes = 1000};
    struct stream *s = lab_stream(&lab, &client, &server);
    sim_at_path(lab.sim, lab_at(&lab, 120 * SECOND), &lab.path[1], false);
    lab_finish(&lab, 400);
    EXPECT_EQ(r, s->side[0].received, 300 * KB);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT(r, s->side[0].pause_us < 1500000);
}

/* ---- no subflow left ---------------------------------------------------------------------- */

static void addresses_at(struct lab *lab, uint64_t us, bool present)
{
    for (unsigned i = 0; i < lab->paths; i++)
        sim_at_iface(lab->sim, lab_at(lab, us), lab->client_if[i], present);
}

/* All addresses of the client go, and come back half a minute later: data and
 * the end of the stream were queued meanwhile. */
static void break_before_make(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 5000 * KB};
    open_two(&lab, r);
    struct stream *s = lab_stream(&lab, &both, &both);
    addresses_at(&lab, SECOND / 2, false);
    addresses_at(&lab, 30 * SECOND, true);
    sim_advance(lab.sim, lab_at(&lab, 29 * SECOND));
    struct plait_conn_info info;
    plait_conn_info(s->side[0].conn, &info);
    EXPECT_EQ(r, info.subflows, 0);
    EXPECT_EQ(r, EVENTS(lab.client, CONN_CLOSED) + EVENTS(lab.server, CONN_CLOSED), 0);
    lab_finish(&lab, 90);
    EXPECT_EQ(r, s->side[0].received, 5000 * KB);
    EXPECT_EQ(r, s->side[1].received, 5000 * KB);
    run_figure(r, "pause of 29.5 s without any path", "s", (double)s->side[1].pause_us / 1e6, 0);
    run_require(r, s->side[1].pause_us < 33 * SECOND);
}

static void server_opens(struct sim *sim, void *ctx)
{
    struct stream *s = ctx;
    struct plait_conn_info info;
    plait_conn_info(s->side[1].conn, &info);
    struct plait_endpoint from = {info.local.addr, 0}, to = info.remote;
    int error = plait_conn_open_subflow(s->side[1].conn, &from, &to, false, sim->now_us);
    if (error)
        sim_fail(sim, "open_subflow: %s", plait_error_text(error));
    host_service(s->side[1].host);
}

/* The client, without a path manager, waits; the server opens the subflow. */
static void resumed_by_server(struct run *r)
{
    struct lab lab;
    const char *spec = WIFI;
    const struct side_config both = {.send_bytes = 5000 * KB};
    lab_init(&lab, r);
    lab.client_config.path_manager = "none";
    lab_open(&lab, 1, &spec);
    struct stream *s = lab_stream(&lab, &both, &both);
    addresses_at(&lab, SECOND / 2, false);
    addresses_at(&lab, 10 * SECOND, true);
    sim_at(lab.sim, lab_at(&lab, 20 * SECOND), server_opens, s);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinAckRx), 1);
    EXPECT_EQ(r, s->side[1].received, 5000 * KB);
}

/* Nothing comes back: both ends say so, each after its own time. */
static void nobody_resumes(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 5000 * KB};
    lab_init(&lab, r);
    lab.client_config.break_timeout_us = 5 * SECOND;
    lab.server_config.break_timeout_us = 12 * SECOND;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = lab_stream(&lab, &both, &both);
    addresses_at(&lab, SECOND / 2, false);
    lab_finish_any(&lab, 60);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_TIMED_OUT);
    EXPECT_EQ(r, s->side[1].error, PLAIT_E_TIMED_OUT);
    EXPECT_EQ(r, WHY(lab.client, CONN_CLOSED, NO_SUBFLOW), 1);
    EXPECT_EQ(r, WHY(lab.server, CONN_CLOSED, NO_SUBFLOW), 1);
    EXPECT_EQ(r, s->side[0].done_us - lab.sim->started_us, 5 * SECOND + SECOND / 2);
    EXPECT_RANGE(r, s->side[1].done_us - lab.sim->started_us, 12 * SECOND + SECOND / 2,
                 13 * SECOND);
}

/* Both ends have written everything and closed while no subflow is left. */
static void both_close_meanwhile(struct run *r)
{
    struct lab lab;
    const struct side_config client = {.requests = 2,
                                       .request_bytes = 1000,
                                       .response_bytes = 1,
                                       .interval_us = 5 * SECOND};
    open_two(&lab, r);
    struct stream *s = lab_stream(&lab, &client, &client);
    addresses_at(&lab, 2 * SECOND, false); /* between the two writes */
    addresses_at(&lab, 30 * SECOND, true);
    lab_finish(&lab, 90);
    EXPECT_EQ(r, s->side[0].received, 2000);
    EXPECT_EQ(r, s->side[1].received, 2000);
    EXPECT(r, s->side[0].done_us > lab_at(&lab, 30 * SECOND));
}

/* ---- resets ------------------------------------------------------------------------------- */

/* Both ends abort in the same instant. */
static void abort_both(struct run *r)
{
    struct lab lab;
    struct side_config c = {.send_bytes = STREAM_ENDLESS, .end = END_ABORT};
    open_two(&lab, r);
    c.stop_us = lab_at(&lab, SECOND);
    struct stream *s = lab_stream(&lab, &c, &c);
    lab_finish_any(&lab, 20);
    EXPECT(r, s->side[0].aborted && s->side[1].aborted);
    EXPECT_EQ(r, EVENTS(lab.client, CONN_CLOSED) + EVENTS(lab.server, CONN_CLOSED), 2);
}

/* SO_LINGER without a time: what is queued is lost, and the peer knows. */
static void linger_resets(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.requests = 2,
                                  .request_bytes = 50 * KB,
                                  .response_bytes = 1,
                                  .interval_us = SECOND / 10,
                                  .end = END_CLOSE};
    open_two(&lab, r);
    struct stream *s = lab_stream(&lab, &c, &after_eof);
    s->client_options.linger = true;
    lab_finish_any(&lab, 20);
    EXPECT(r, s->side[0].aborted);
    EXPECT_EQ(r, s->side[1].error, PLAIT_E_RESET);
    EXPECT(r, s->side[1].received < 100 * KB);
    EXPECT(r, COUNT(lab.server, MPFastcloseRx) >= 1);
}

/* With a time: closing waits until the last byte is acknowledged, not longer. */
static void linger_waits(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 1000 * KB, .end = END_CLOSE};
    open_two(&lab, r);
    struct stream *s = lab_stream(&lab, &c, &after_eof);
    s->client_options.linger = true;
    s->client_options.linger_us = 30 * SECOND;
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[1].received, 1000 * KB);
    EXPECT_RANGE(r, s->side[0].done_us, s->side[1].last_read_us,
                 s->side[1].last_read_us + SECOND / 10);
}

static void shut_both(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 1000 * KB, .end = END_SHUT_BOTH};
    open_two(&lab, r);
    struct stream *s = lab_stream(&lab, &c, &after_eof);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[1].received, 1000 * KB);
}

const struct scenario scenarios_closing[] = {
    {"late-close", "the server closes first: TIME_WAIT stays with it, on every subflow",
     late_close_client},
    {"late-close-server", "the client closes first: TIME_WAIT stays with it", late_close_server},
    {"last-acks-lost", "the last FINs and ACKs are lost on both paths", last_acks_lost},
    {"half-close-minutes", "half-closed for five minutes, an idle path lost meanwhile",
     half_close_for_minutes},
    {"break-before-make", "no path for half a minute, then all goes on", break_before_make},
    {"resumed-by-server", "no path; the server opens the next subflow", resumed_by_server},
    {"nobody-resumes", "no path and none comes: an error at both ends", nobody_resumes},
    {"closed-meanwhile", "both ends close while there is no path", both_close_meanwhile},
    {"abort-both", "both ends abort at once", abort_both},
    {"linger-resets", "SO_LINGER without a time resets", linger_resets},
    {"linger-waits", "SO_LINGER with a time waits for the acknowledgment", linger_waits},
    {"shut-both", "both directions shut down by one end", shut_both},
    {NULL, NULL, NULL},
};
