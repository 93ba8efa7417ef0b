/* SPDX-License-Identifier: MIT
 *
 * Multipath TCP, behaviour by behaviour (RFC 8684 3.1 to 3.8): handshakes,
 * mappings, addresses, priorities, closing and falling back.
 */
#include "sim/scenario.h"
#include "wire/segment.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define KB 1000u
#define MB 1000000u

static const struct side_config after_eof = {.end = END_AFTER_EOF};

static struct stream *upload(struct lab *lab, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    return lab_stream(lab, &c, NULL);
}

/* MP_CAPABLE as the client's SYN has it, and the server's SYN/ACK in version 0. */
#define OFFERS (MPO_CAPABLE_SYN | MPO_CAPABLE_KEY)

static void open_two(struct lab *lab, struct run *r)
{
    lab_init(lab, r);
    lab_open_two(lab, WIFI, LTE);
}

/* ---- handshakes ------------------------------------------------------------------------- */

static void capable(struct run *r)
{
    struct lab lab;
    const char *spec = WIFI;
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    struct stream *s = upload(&lab, 100 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, s->side[0].multipath, 1);
    EXPECT_EQ(r, s->side[1].multipath, 1);
    EXPECT_EQ(r, s->side[1].info.version, r->version);
    EXPECT_EQ(r, SENT(lab.client, CAPABLE_SYN), r->version ? 1 : 0);
    EXPECT_EQ(r, SENT(lab.client, CAPABLE_KEY), r->version ? 0 : 1);
    EXPECT_EQ(r, SENT(lab.server, CAPABLE_KEY), 1);
    EXPECT_EQ(r, SENT(lab.client, CAPABLE_KEYS), 1);
    EXPECT_EQ(r, SENT(lab.client, CAPABLE_DATA) >= 1, r->version == 1);
    EXPECT_EQ(r, COUNT(lab.client, MPCapableSYNTX), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPCapableSYNACKRX), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPCapableSYNRX), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPCapableACKRX), 1);
    EXPECT_EQ(r, EVENTS(lab.client, CONN_ESTABLISHED), 1);
    EXPECT_EQ(r, EVENTS(lab.client, CONN_FALLBACK) + EVENTS(lab.server, CONN_FALLBACK), 0);
    EXPECT_EQ(r, lab.client->tally.plain_data, 0);
}

/* The third ACK is lost; the keys come with the first data (RFC 8684 3.1). In
 * version 0 the client's came with its SYN, and a DSS shows the rest. */
static void third_ack_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_CAPABLE_KEYS, .count = 1};
    const char *spec = WIFI;
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    rule_add(lab.path[0].there, &drop);
    struct stream *s = upload(&lab, 100 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_EQ(r, s->side[1].multipath, 1);
    EXPECT(r, s->side[1].last_read_us < lab_at(&lab, 500000));
}

/* The server speaks first; its DATA_ACK confirms the keys. */
static void server_first(struct run *r)
{
    struct lab lab;
    const struct side_config s = {.send_bytes = 5 * MB};
    open_two(&lab, r);
    struct stream *st = lab_stream(&lab, &after_eof, &s);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, st->side[0].received, 5 * MB);
    EXPECT_EQ(r, st->side[0].info.subflows_total, 2);
    run_figure(r, "share of the lesser path", "%", 100 * lab_lesser_share(&lab, false), 0);
    run_require(r, lab_lesser_share(&lab, false) > 0.2);
}

static void join(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynAckRx), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinSynRx), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinAckRx), 1);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 2);
    EXPECT_EQ(r, EVENTS(lab.server, SUBFLOW_ESTABLISHED), 2);
    EXPECT(r, COUNT(lab.server, OFOQueue) > 0);
    run_figure(r, "share of the lesser path", "%", 100 * lab_lesser_share(&lab, true), 0);
    run_require(r, lab_lesser_share(&lab, true) > 0.2);
    run_figure(r, "goodput of 30 Mbit/s", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 23);
}

static void four_paths(struct run *r)
{
    struct lab lab;
    static const char *const specs[] = {WIFI, LTE, WIFI, LTE};
    lab_init(&lab, r);
    lab_open(&lab, 4, specs);
    struct stream *s = upload(&lab, 15 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 4);
    run_figure(r, "goodput of 60 Mbit/s", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 45);
}

static void ipv6(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.ipv6 = true;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
}

/* Two addresses at both ends, and no path between two pairs of the four: the
 * joins that cannot work do no harm. */
static void mesh_with_holes(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.server_multihomed = true;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 2);
    EXPECT_EQ(r, COUNT(lab.server, EchoAdd), r->version);
    EXPECT(r, lab.client->no_route >= 2);
    run_figure(r, "goodput of 30 Mbit/s", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 24);
}

/* The last ACK of the join is lost and repeated until answered (3.2). */
static void join_ack_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_JOIN_ACK, .count = 2};
    struct rule_box once = {.action = RULE_DROP, .options = MPO_JOIN_SYNACK, .skip = 1};
    open_two(&lab, r);
    rule_add(lab.path[1].there, &drop);
    rule_add(lab.path[1].back, &once); /* which the client would answer */
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, drop.hits, 2);
    EXPECT(r, SENT(lab.client, JOIN_ACK) >= 3);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinAckRx), 1);
    EXPECT_EQ(r, s->side[0].info.subflows, 2);
}

/* A box eats MP_JOIN: the subflow fails, the connection does not. */
static void join_stripped(struct run *r)
{
    struct lab lab;
    struct rule_box strip = {.action = RULE_STRIP, .options = MPO_JOIN_SYNACK};
    open_two(&lab, r);
    rule_add(lab.path[1].back, &strip);
    upload(&lab, 5 * MB);
    lab_finish(&lab, 30);
    EXPECT(r, strip.hits >= 1);
    EXPECT(r, COUNT(lab.client, MPJoinSynAckNoMPJoin) >= 1);
    EXPECT(r, lab.client->tally.rst >= 1);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 1);
}

/* MP_JOIN gone from the SYN: the server sees a SYN to a port that is no
 * longer listened on, or, if it is, another connection; never this one. */
static void join_syn_stripped(struct run *r)
{
    struct lab lab;
    struct rule_box strip = {.action = RULE_STRIP, .options = MPO_JOIN_SYN};
    open_two(&lab, r);
    rule_add(lab.path[1].there, &strip);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 30);
    EXPECT(r, strip.hits >= 1);
    EXPECT_EQ(r, s->side[1].info.subflows_total, 1);
}

static void joins_refused(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.server_config.joins_accepted = false;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, s->side[1].info.subflows_total, 1);
    EXPECT_EQ(r, EVENTS(lab.server, SUBFLOW_ESTABLISHED), 1);
}

static void subflow_limit(struct run *r)
{
    struct lab lab;
    static const char *const specs[] = {WIFI, LTE, WIFI, LTE};
    lab_init(&lab, r);
    lab.server_config.subflows_max = 2;
    lab_open(&lab, 4, specs);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, s->side[1].info.subflows, 2);
    EXPECT(r, COUNT(lab.server, MPJoinRejected) >= 1);
    EXPECT_EQ(r, SENT(lab.server, TCPRST) >= 1, r->version == 1); /* says why (3.6) */
    EXPECT_EQ(r, COUNT(lab.client, MPRstRx) >= 1, r->version == 1);
}

/* ---- mappings --------------------------------------------------------------------------- */

static void checksum_at(struct run *r, bool client, bool server)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.checksum = client;
    lab.server_config.checksum = server;
    lab_open_two(&lab, WIFI, LTE);
    const struct side_config both = {.send_bytes = 3 * MB};
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[0].info.checksum, client || server);
    EXPECT_EQ(r, s->side[1].info.checksum, client || server);
    EXPECT_EQ(r, lab.client->tally.dss_checksum > 0, client || server);
    EXPECT_EQ(r, lab.server->tally.dss_checksum > 0, client || server);
    EXPECT_EQ(r, COUNT(lab.client, DataCsumErr) + COUNT(lab.server, DataCsumErr), 0);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
}

static void checksum_both(struct run *r)
{
    checksum_at(r, true, true);
}

static void checksum_client(struct run *r)
{
    checksum_at(r, true, false);
}

static void checksum_server(struct run *r)
{
    checksum_at(r, false, true);
}

static void checksum_none(struct run *r)
{
    checksum_at(r, false, false);
}

static void long_numbers(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.dsn64 = lab.client_config.data_ack64 = true;
    lab_open_two(&lab, WIFI, LTE);
    const struct side_config both = {.send_bytes = 3 * MB};
    lab_stream(&lab, &both, &both);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, lab.client->tally.dsn32, 0);
    EXPECT(r, lab.client->tally.dsn64 > 0);
    EXPECT(r, lab.server->tally.ack64 > 0); /* 64-bit numbers get 64-bit answers (3.3.2) */
}

static void short_numbers(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    const struct side_config both = {.send_bytes = 3 * MB};
    lab_stream(&lab, &both, &both);
    lab_finish(&lab, 20);
    EXPECT(r, lab.client->tally.dsn32 > lab.client->tally.dsn64);
    EXPECT(r, lab.server->tally.ack32 > lab.server->tally.ack64);
}

static void shift_both_paths(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    sim_box(lab.sim, &lab.path[0], "isn:near=4294880000");
    sim_box(lab.sim, &lab.path[1], "isn:near=4294890000");
    const struct side_config both = {.send_bytes = 3 * MB};
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, EVENTS(lab.client, CONN_FALLBACK), 0);
}

/* One connection-level window for all subflows: a small receive buffer, and a
 * reader that pauses (3.3.4, 3.3.5). */
static void shared_window(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.server_config.recv_buffer_bytes = lab.server_config.recv_buffer_max_bytes = 32 * KB;
    lab_open_two(&lab, WIFI, LTE);
    const struct side_config c = {.send_bytes = 1 * MB};
    const struct side_config s = {.end = END_AFTER_EOF, .read_after_us = 3000000};
    lab_stream(&lab, &c, &s);
    lab_finish(&lab, 60);
}

/* ---- the end of the stream -------------------------------------------------------------- */

static void data_fin_with_data(struct run *r)
{
    struct lab lab;
    const char *spec = WIFI;
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    upload(&lab, 200 * KB); /* written and shut down before it can all leave */
    lab_finish(&lab, 10);
    EXPECT(r, lab.client->tally.data_fin_with_data >= 1);
}

/* The client closes long after its last byte. */
static void data_fin_alone(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 1000, .end = END_AFTER_EOF};
    const struct side_config s = {.send_bytes = 500 * KB};
    open_two(&lab, r);
    lab_stream(&lab, &c, &s);
    lab_finish(&lab, 10);
    EXPECT(r, lab.client->tally.data_fin_alone >= 1);
}

/* The DATA_FIN's DATA_ACK is lost, on every path, for a while. */
static void data_fin_lost(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    const struct side_config c = {.send_bytes = 1000};
    lab_stream(&lab, &c, NULL);
    for (unsigned i = 0; i < 2; i++) {
        sim_at_path(lab.sim, lab_at(&lab, 25000), &lab.path[i], false);
        sim_at_path(lab.sim, lab_at(&lab, 2500000), &lab.path[i], true);
    }
    lab_finish(&lab, 60);
}

static void fastclose(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 5 * MB};
    const struct side_config s = {.abort_at_read = 2 * MB, .end = END_AFTER_EOF};
    open_two(&lab, r);
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish_any(&lab, 20);
    EXPECT_EQ(r, st->side[0].error, PLAIT_E_RESET);
    EXPECT(r, SENT(lab.server, FASTCLOSE) >= 1);
    EXPECT(r, COUNT(lab.server, MPFastcloseTx) >= 1);
    EXPECT(r, COUNT(lab.client, MPFastcloseRx) >= 1);
    EXPECT(r, WHY(lab.client, SUBFLOW_CLOSED, PEER_FASTCLOSE) +
                      WHY(lab.client, CONN_CLOSED, PEER_FASTCLOSE) >=
                  1);
}

/* ---- addresses -------------------------------------------------------------------------- */

/* The client has one address, the server two and says so. */
static void announce(struct run *r, struct lab *lab, struct rule_box *drop_add,
                     struct rule_box *drop_echo)
{
    lab_init(lab, r);
    lab->server_config.announce = true;
    const char *spec = WIFI;
    lab_open(lab, 1, &spec);
    lab->server_if[1] = host_iface(lab->server, "10.0.2.2", 1500);
    lab->path[1] = sim_path_spec(lab->sim, lab->client_if[0], lab->server_if[1], LTE);
    lab->paths = 2;
    if (drop_add)
        rule_add(lab->path[0].back, drop_add);
    if (drop_echo)
        rule_add(lab->path[0].there, drop_echo);
}

static void add_addr(struct run *r)
{
    struct lab lab;
    announce(r, &lab, NULL, NULL);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 20);
    EXPECT(r, r->version ? COUNT(lab.server, AddAddrTx) == 1 : COUNT(lab.server, AddAddrTx) > 1);
    EXPECT_EQ(r, COUNT(lab.client, AddAddr), 1);
    EXPECT_EQ(r, COUNT(lab.client, EchoAddTx), r->version); /* version 0 repeats instead */
    EXPECT_EQ(r, COUNT(lab.server, EchoAdd), r->version);
    EXPECT_EQ(r, EVENTS(lab.server, ADDR_ANNOUNCED), COUNT(lab.server, AddAddrTx));
    EXPECT(r, EVENTS(lab.client, ADDR_RECEIVED) >= 1);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, SENT(lab.server, JOIN_SYN), 0); /* servers announce, clients join */
}

static void add_addr_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_ADD_ADDR, .count = 1};
    announce(r, &lab, &drop, NULL);
    const struct side_config c = {.send_bytes = STREAM_ENDLESS, .stop_us = lab_at(&lab, 20000000)};
    struct stream *s = lab_stream(&lab, &c, NULL);
    lab_finish(&lab, 120);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT(r, COUNT(lab.server, AddAddrTx) >= 2);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
}

static void echo_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_ADD_ADDR, .count = 1};
    announce(r, &lab, NULL, &drop);
    const struct side_config c = {.send_bytes = STREAM_ENDLESS, .stop_us = lab_at(&lab, 20000000)};
    lab_stream(&lab, &c, NULL);
    lab_finish(&lab, 120);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT(r, COUNT(lab.server, AddAddrTx) >= 2);
    EXPECT_EQ(r, COUNT(lab.server, EchoAdd), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 1); /* a repeat is no second address */
}

/* An address appears while the connection runs. */
static void address_appears(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    iface_set_present(lab.client_if[1], false);
    sim_at_iface(lab.sim, lab_at(&lab, 500000), lab.client_if[1], true);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT(r, lab.client->tally.event_us[PLAIT_EV_SUBFLOW_ESTABLISHED] > lab_at(&lab, 500000));
    EXPECT(r, lab_lesser_share(&lab, true) > 0.1);
}

/* An address goes: its subflow ends, the peer is told (3.4.2). */
static void address_goes(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    sim_at_iface(lab.sim, lab_at(&lab, 1000000), lab.client_if[1], false);
    sim_at_path(lab.sim, lab_at(&lab, 1000001), &lab.path[1], false);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 30);
    EXPECT(r, COUNT(lab.client, RmAddrTx) >= 1);
    EXPECT(r, COUNT(lab.server, RmAddr) >= 1);
    EXPECT(r, SENT(lab.client, REMOVE_ADDR) >= 1);
    EXPECT_EQ(r, s->side[0].info.subflows, 1);
    EXPECT(r, s->side[1].pause_us < 1500000);
}

/* The address of the first subflow goes; the connection lives on (3.4.2). */
static void first_address_goes(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    sim_at_iface(lab.sim, lab_at(&lab, 1000000), lab.client_if[0], false);
    sim_at_path(lab.sim, lab_at(&lab, 1000001), &lab.path[0], false);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 30);
    EXPECT(r, COUNT(lab.server, RmAddr) >= 1);
    EXPECT(r, s->side[1].pause_us < 1500000);
}

/* The server's announced address goes. */
static void server_address_goes(struct run *r)
{
    struct lab lab;
    announce(r, &lab, NULL, NULL);
    sim_at_iface(lab.sim, lab_at(&lab, 1500000), lab.server_if[1], false);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 30);
    EXPECT(r, COUNT(lab.server, RmAddrTx) >= 1);
    EXPECT(r, COUNT(lab.client, RmAddr) >= 1);
    EXPECT_EQ(r, s->side[0].info.subflows, 1);
}

/* ---- priorities ------------------------------------------------------------------------- */

static void backup(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    struct plait_local local = lab.client_if[1]->local;
    local.backup = true;
    EXPECT_EQ(r, plait_stack_add_addr(lab.client->stack, &local, lab.sim->now_us), 0);
    struct stream *s = upload(&lab, 5 * MB);
    sim_advance(lab.sim, lab_at(&lab, 1000000));
    EXPECT_EQ(r, EVENTS(lab.server, SUBFLOW_ESTABLISHED), 2);
    EXPECT(r, lab_lesser_share(&lab, true) < 0.01);
    EXPECT(r, lab.path[1].there->link.stats.delivered_bytes < 5 * KB);
    sim_path_set_up(lab.sim, &lab.path[0], false); /* now it is needed */
    lab_finish(&lab, 60);
    EXPECT(r, lab.path[1].there->link.stats.delivered_bytes > 2 * MB);
    EXPECT(r, s->side[1].pause_us < 3000000);
}

static void set_backup(struct sim *sim, void *ctx)
{
    struct side *s = ctx;
    int error = plait_conn_set_backup(s->conn, 2, true, sim->now_us);
    if (error)
        sim_fail(sim, "set_backup: %s", plait_error_text(error));
    host_service(s->host);
}

/* The receiver asks not to be sent data on path 2 any more (3.3.8). */
static void priority(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    struct stream *s = upload(&lab, 10 * MB);
    sim_at(lab.sim, lab_at(&lab, 1000000), set_backup, &s->side[1]);
    sim_advance(lab.sim, lab_at(&lab, 1500000));
    uint64_t before = lab.path[1].there->link.stats.offered_bytes;
    sim_advance(lab.sim, lab_at(&lab, 2500000));
    uint64_t after = lab.path[1].there->link.stats.offered_bytes;
    lab_finish(&lab, 30);
    EXPECT(r, before > 500 * KB);
    EXPECT(r, after - before < 20 * KB);
    EXPECT_EQ(r, COUNT(lab.server, MPPrioTx), 3); /* nobody acknowledges it */
    EXPECT_EQ(r, COUNT(lab.client, MPPrioRx), 3);
    EXPECT(r, EVENTS(lab.client, SUBFLOW_PRIORITY) >= 1);
}

static void close_second(struct sim *sim, void *ctx)
{
    struct side *s = ctx;
    int error = plait_conn_close_subflow(s->conn, 2, sim->now_us);
    if (error)
        sim_fail(sim, "close_subflow: %s", plait_error_text(error));
    host_service(s->host);
}

/* One subflow is closed by hand in the middle; nothing is lost. */
static void close_subflow(struct run *r)
{
    struct lab lab;
    open_two(&lab, r);
    struct stream *s = upload(&lab, 10 * MB);
    sim_at(lab.sim, lab_at(&lab, 1000000), close_second, &s->side[0]);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2); /* and it is not opened again */
    EXPECT_EQ(r, EVENTS(lab.server, SUBFLOW_CLOSED), 2);
    EXPECT(r, lab.path[1].there->link.stats.offered_bytes < 2 * MB);
    EXPECT(r, s->side[1].pause_us < 500000);
}

/* ---- falling back ----------------------------------------------------------------------- */

static void check_fallback(struct run *r, struct lab *lab, unsigned limit_s)
{
    const struct side_config both = {.send_bytes = 1 * MB};
    struct stream *s = lab_stream(lab, &both, &both);
    lab_finish(lab, limit_s);
    EXPECT_EQ(r, s->side[0].multipath, 0);
    EXPECT_EQ(r, s->side[1].multipath, 0);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 1);
    EXPECT_EQ(r, SENT(lab->client, JOIN_SYN), 0);
}

static void tcp_server(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.server_config.multipath = false;
    lab_open_two(&lab, WIFI, LTE);
    check_fallback(r, &lab, 20);
    EXPECT_EQ(r, COUNT(lab.client, MPCapableFallbackSYNACK), 1);
    EXPECT_EQ(r, WHY(lab.client, CONN_FALLBACK, PEER_NO_MPTCP), 1);
    EXPECT_EQ(r, SENT(lab.client, DSS), 0);
}

static void tcp_client(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.multipath = false;
    lab_open_two(&lab, WIFI, LTE);
    check_fallback(r, &lab, 20);
    EXPECT_EQ(r, SENT(lab.server, CAPABLE_KEY), 0);
    EXPECT_EQ(r, SENT(lab.server, DSS), 0);
}

static void syn_stripped(struct run *r)
{
    struct lab lab;
    struct rule_box strip = {.action = RULE_STRIP, .options = OFFERS};
    open_two(&lab, r);
    rule_add(lab.path[0].there, &strip);
    check_fallback(r, &lab, 20);
    EXPECT_EQ(r, WHY(lab.client, CONN_FALLBACK, PEER_NO_MPTCP), 1);
}

/* The server believes in MPTCP, the client never saw its answer. */
static void synack_stripped(struct run *r)
{
    struct lab lab;
    struct rule_box strip = {.action = RULE_STRIP, .options = MPO_CAPABLE_KEY};
    open_two(&lab, r);
    rule_add(lab.path[0].back, &strip);
    check_fallback(r, &lab, 20);
    EXPECT_EQ(r, COUNT(lab.server, MPCapableFallbackACK), 1);
    EXPECT_EQ(r, WHY(lab.client, CONN_FALLBACK, PEER_NO_MPTCP), 1);
}

/* A firewall swallows SYNs with MP_CAPABLE: the client tries a plain one
 * (RFC 8684 3.1). */
static void syn_swallowed(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = OFFERS};
    open_two(&lab, r);
    rule_add(lab.path[0].there, &drop);
    check_fallback(r, &lab, 30);
    EXPECT_EQ(r, COUNT(lab.client, MPCapableSYNTXDrop), 1);
    EXPECT_EQ(r, WHY(lab.client, CONN_FALLBACK, SYN_DROPPED), 1);
}

const struct scenario scenarios_mptcp[] = {
    {"capable", "MP_CAPABLE: keys on the third ACK and on the first data", capable},
    {"third-ack-lost", "the third ACK is lost, its keys come with the data", third_ack_lost},
    {"server-first", "the server speaks first", server_first},
    {"join", "a second subflow joins and carries its share", join},
    {"four-paths", "four paths at once", four_paths},
    {"ipv6", "two paths over IPv6", ipv6},
    {"mesh-with-holes", "two addresses at both ends, half of the pairs unreachable",
     mesh_with_holes},
    {"join-ack-lost", "the last ACK of a join is repeated until answered", join_ack_lost},
    {"join-stripped", "MP_JOIN is eaten from the SYN/ACK", join_stripped},
    {"join-syn-stripped", "MP_JOIN is eaten from the SYN", join_syn_stripped},
    {"joins-refused", "the server takes no joins", joins_refused},
    {"subflow-limit", "joins over the limit are reset, saying why", subflow_limit},
    {"checksum", "DSS checksums wanted by both ends", checksum_both},
    {"checksum-client", "DSS checksums wanted by the client", checksum_client},
    {"checksum-server", "DSS checksums wanted by the server", checksum_server},
    {"checksum-none", "no DSS checksums", checksum_none},
    {"long-numbers", "8-byte sequence numbers get 8-byte acknowledgements", long_numbers},
    {"short-numbers", "4-byte numbers where they are enough", short_numbers},
    {"wrap-two-paths", "sequence numbers wrap on both subflows", shift_both_paths},
    {"shared-window", "one small window for all subflows, closed for a while", shared_window},
    {"data-fin-with-data", "DATA_FIN on the last data", data_fin_with_data},
    {"data-fin-alone", "DATA_FIN on its own", data_fin_alone},
    {"data-fin-lost", "the end of the stream is lost and repeated", data_fin_lost},
    {"fastclose", "MP_FASTCLOSE ends all subflows at once", fastclose},
    {"add-addr", "ADD_ADDR, its echo, and the join that follows", add_addr},
    {"add-addr-lost", "a lost ADD_ADDR is repeated", add_addr_lost},
    {"echo-lost", "a lost echo repeats the ADD_ADDR, once more", echo_lost, .v1_only = true},
    {"address-appears", "a new local address opens a subflow", address_appears},
    {"address-goes", "a local address goes: REMOVE_ADDR", address_goes},
    {"first-address-goes", "the first subflow's address goes", first_address_goes},
    {"server-address-goes", "the server's announced address goes", server_address_goes},
    {"backup", "a backup subflow carries nothing until it must", backup},
    {"priority", "MP_PRIO turns a subflow into a backup", priority},
    {"close-subflow", "a subflow is closed by hand", close_subflow},
    {"tcp-server", "the peer is a TCP server", tcp_server},
    {"tcp-client", "the peer is a TCP client", tcp_client},
    {"syn-stripped", "MP_CAPABLE is eaten from the SYN", syn_stripped},
    {"synack-stripped", "MP_CAPABLE is eaten from the SYN/ACK", synack_stripped},
    {"syn-swallowed", "SYNs with MP_CAPABLE disappear", syn_swallowed},
    {NULL, NULL, NULL},
};
