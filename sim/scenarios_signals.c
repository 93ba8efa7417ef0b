/* SPDX-License-Identifier: MIT
 *
 * Signals and paths (RFC 8684 3.2, 3.3.8, 3.4, 3.6): addresses told late, with
 * ports, many at once and in vain; addresses withdrawn; priorities lost; paths
 * that break and come back; either end opening subflows; limits.
 */
#include "base/addr.h"
#include "sim/scenario.h"
#include "wire/segment.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
/* Slower ones, where it is time that passes and not bytes. */
#define SLOW_WIFI "rate=2mbit,delay=10ms,queue=30kB"
#define SLOW_LTE "rate=1mbit,delay=30ms,queue=30kB"
#define KB 1000u
#define MB 1000000u
#define SECOND UINT64_C(1000000)

static struct stream *upload(struct lab *lab, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    return lab_stream(lab, &c, NULL);
}

/* The client writes until then. */
static struct stream *upload_until(struct lab *lab, uint64_t us)
{
    const struct side_config c = {.send_bytes = STREAM_ENDLESS, .stop_us = lab_at(lab, us)};
    return lab_stream(lab, &c, NULL);
}

static struct iface *add_iface(struct host *h, const char *address, uint16_t port, bool present)
{
    struct plait_local local = {.mtu = 1500, .port = port};
    if (!addr_parse(address, &local.addr))
        sim_fail(h->sim, "%s is no address", address);
    struct iface *i = host_iface_local(h, &local);
    if (!present)
        iface_set_present(i, false);
    return i;
}

/* A client with one address, a server with one that it does not know yet. */
static void open_announcing(struct run *r, struct lab *lab, const char *address, uint16_t port)
{
    const char *spec = WIFI;
    lab_init(lab, r);
    lab_open(lab, 1, &spec);
    lab->server_if[1] = add_iface(lab->server, address, port, false);
    lab->path[1] = sim_path_spec(lab->sim, lab->client_if[0], lab->server_if[1], LTE);
    lab->paths = 2;
}

/* ---- ADD_ADDR ---------------------------------------------------------------------------- */

static void late_address(struct run *r)
{
    struct lab lab;
    open_announcing(r, &lab, "10.0.2.2", 0);
    sim_at_iface(lab.sim, lab_at(&lab, SECOND), lab.server_if[1], true);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 20);
    EXPECT(r, COUNT(lab.server, AddAddrTx) >= 1);
    EXPECT_EQ(r, COUNT(lab.client, AddAddr), 1);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT(r, lab_lesser_share(&lab, true) > 0.1);
}

/* The announced port is another one, and nobody listens there or anywhere
 * (the application took its one connection): the token alone decides (3.2). */
static void announced_port(struct run *r)
{
    struct lab lab;
    open_announcing(r, &lab, "10.0.2.2", 8443);
    sim_at_iface(lab.sim, lab_at(&lab, SECOND), lab.server_if[1], true);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, COUNT(lab.client, PortAdd), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinPortSynRx), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinPortAckRx), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinPortSynAckRx), 1);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, s->side[0].subflows[1].remote.port, 8443);
    EXPECT(r, lab_lesser_share(&lab, true) > 0.1);
}

/* An IPv6 address with a port takes the room of the timestamps. */
static void announced_port_ipv6(struct run *r)
{
    struct lab lab;
    const char *spec = WIFI;
    lab_init(&lab, r);
    lab.ipv6 = true;
    lab_open(&lab, 1, &spec);
    lab.server_if[1] = add_iface(lab.server, "fd00:2::2", 8443, true);
    lab.path[1] = sim_path_spec(lab.sim, lab.client_if[0], lab.server_if[1], LTE);
    lab.paths = 2;
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, COUNT(lab.client, PortAdd), 1);
    EXPECT_EQ(r, COUNT(lab.server, EchoAdd), 1);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
}

/* Eight addresses at once, and half of the announcements are lost. */
static void many_addresses(struct run *r)
{
    enum { MANY = 8 };
    struct lab lab;
    struct iface *more[MANY];
    const char *spec = SLOW_WIFI;
    lab_init(&lab, r);
    lab.client_config.subflows_wanted = 1 + MANY;
    lab_open(&lab, 1, &spec);
    for (unsigned i = 0; i < MANY; i++) {
        char text[ADDR_TEXT_MAX];
        snprintf(text, sizeof text, "10.0.%u.2", 20 + i);
        more[i] = add_iface(lab.server, text, 0, false);
        sim_path_spec(lab.sim, lab.client_if[0], more[i], SLOW_LTE);
        sim_at_iface(lab.sim, lab_at(&lab, SECOND), more[i], true);
    }
    for (unsigned i = 0; i < MANY / 2; i++)
        sim_box(lab.sim, &lab.path[0],
                i % 2 ? "drop:option=add_addr,dir=back,after=3,count=2"
                      : "drop:option=add_addr,dir=back,count=2");
    upload_until(&lab, 10 * SECOND);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, COUNT(lab.client, AddAddr) >= MANY, true);
    EXPECT_EQ(r, COUNT(lab.server, EchoAdd), MANY);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 1 + MANY);
}

/* The server's second address is private, the first path is not: no SYN is
 * wasted on it, until the client is at home. */
static void private_address(struct run *r)
{
    struct lab lab;
    struct plait_local home = {.mtu = 1500, .prefix_len = 24};
    lab_init(&lab, r);
    lab.client = sim_host(lab.sim, "client", &lab.client_config);
    lab.server_config.announce = false;
    lab.server = sim_host(lab.sim, "server", &lab.server_config);
    lab.client_if[0] = add_iface(lab.client, "192.168.5.7", 0, true);
    lab.server_if[0] = add_iface(lab.server, "203.0.113.2", 0, true);
    lab.path[0] = sim_path_spec(lab.sim, lab.client_if[0], lab.server_if[0], SLOW_WIFI);
    lab.paths = 1;
    lab.server_if[1] = add_iface(lab.server, "10.9.8.2", 0, true);
    addr_parse("10.9.8.1", &home.addr);
    lab.client_if[1] = host_iface_local(lab.client, &home);
    iface_set_present(lab.client_if[1], false);
    sim_path_spec(lab.sim, lab.client_if[1], lab.server_if[1], SLOW_WIFI);
    upload_until(&lab, 6 * SECOND);
    sim_advance(lab.sim, lab_at(&lab, 3 * SECOND));
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 0);
    sim_at_iface(lab.sim, lab_at(&lab, 4 * SECOND), lab.client_if[1], true);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, COUNT(lab.client, AddAddr), 0);
    EXPECT_EQ(r, COUNT(lab.server, AddAddrTx), 0);
}

/* ---- REMOVE_ADDR, MP_PRIO ------------------------------------------------------------------ */

/* It has no echo: the first two are lost. */
static void removal_lost(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, WIFI, LTE);
    sim_box(lab.sim, &lab.path[0], "drop:option=remove_addr,count=2");
    sim_at_iface(lab.sim, lab_at(&lab, SECOND), lab.client_if[1], false);
    sim_at_path(lab.sim, lab_at(&lab, SECOND + 1), &lab.path[1], false);
    struct stream *s = upload_until(&lab, 6 * SECOND);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, COUNT(lab.client, RmAddrTx), 3);
    EXPECT_EQ(r, COUNT(lab.server, RmAddr), 1);
    EXPECT_EQ(r, WHY(lab.server, SUBFLOW_CLOSED, PEER_REMOVED_ADDR), 1);
    EXPECT_EQ(r, s->side[0].info.subflows, 1);
}

/* The address of the only subflow goes, another one comes a second later: the
 * peer hears of both on the new subflow. */
static void only_address_changes(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, WIFI, LTE);
    iface_set_present(lab.client_if[1], false);
    sim_at_iface(lab.sim, lab_at(&lab, SECOND), lab.client_if[0], false);
    sim_at_path(lab.sim, lab_at(&lab, SECOND + 1), &lab.path[0], false);
    sim_at_iface(lab.sim, lab_at(&lab, 2 * SECOND), lab.client_if[1], true);
    struct stream *s = upload_until(&lab, 5 * SECOND);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, COUNT(lab.server, RmAddr), 1);
    EXPECT_EQ(r, WHY(lab.server, SUBFLOW_CLOSED, PEER_REMOVED_ADDR), 1);
    EXPECT_EQ(r, s->side[1].info.subflows_total, 2);
    EXPECT(r, s->side[1].pause_us < 1500000);
}

static void set_backup(struct lab *lab, struct iface *i, bool backup)
{
    struct plait_local local = i->local;
    local.backup = backup;
    if (plait_stack_add_addr(i->host->stack, &local, lab->sim->now_us) != 0)
        sim_fail(lab->sim, "the address was not taken");
    host_service(i->host);
}

/* Bytes that reach the client on path 2 from one time to another. */
static uint64_t on_second_path(struct lab *lab, uint64_t from_us, uint64_t to_us)
{
    const struct link_stats *n = &lab->path[1].back->link.stats;
    sim_advance(lab->sim, lab_at(lab, from_us));
    uint64_t before = n->delivered_bytes;
    sim_advance(lab->sim, lab_at(lab, to_us));
    return n->delivered_bytes - before;
}

/* The client makes its second address a backup and takes that back, and each
 * time the first MP_PRIO is lost: traffic leaves the path, and comes back. */
static void priority_lost(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, WIFI, LTE);
    const struct side_config server = {.send_bytes = STREAM_ENDLESS,
                                       .stop_us = lab_at(&lab, 8 * SECOND)};
    sim_box(lab.sim, &lab.path[1], "drop:option=prio,count=1");
    sim_box(lab.sim, &lab.path[1], "drop:option=prio,after=3,count=1");
    lab_stream(&lab, NULL, &server);
    EXPECT(r, on_second_path(&lab, SECOND, 2 * SECOND) > 300 * KB);
    set_backup(&lab, lab.client_if[1], true);
    EXPECT(r, on_second_path(&lab, 3 * SECOND, 4 * SECOND) < 20 * KB);
    set_backup(&lab, lab.client_if[1], false);
    EXPECT(r, on_second_path(&lab, 5 * SECOND, 6 * SECOND) > 300 * KB);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, COUNT(lab.client, MPPrioTx), 6);
    EXPECT_EQ(r, COUNT(lab.server, MPPrioRx), 4);
}

/* ---- paths that break and come back --------------------------------------------------------- */

/* Both ends' view of how many subflows carry data now. */
static unsigned working(const struct side *s)
{
    struct plait_subflow_info info[64];
    unsigned n = s->conn ? plait_conn_subflows(s->conn, info, 64) : 0, good = 0;
    for (unsigned i = 0; i < n && i < 64; i++)
        good += info[i].established && !info[i].stale;
    return good;
}

/* Five seconds after a path is back, its subflow is. */
static void expect_back(struct run *r, struct lab *lab, const struct stream *s, uint64_t at_us,
                        unsigned want)
{
    while (lab->sim->now_us < at_us && working(&s->side[0]) < want)
        sim_advance(lab->sim, lab->sim->now_us + 10000);
    EXPECT_EQ(r, working(&s->side[0]), want);
}

static void flap_100(struct run *r)
{
    struct lab lab;
    uint64_t worst_us = 0;
    lab_init(&lab, r);
    lab_open_two(&lab, SLOW_WIFI, SLOW_LTE);
    struct stream *s = upload_until(&lab, 1100 * SECOND);
    sim_advance(lab.sim, lab_at(&lab, SECOND));
    for (unsigned i = 0; i < 100; i++) {
        uint64_t down_us = 100000 + (i * i * UINT64_C(7919)) % 9000000; /* to 9.1 s */
        sim_path_set_up(lab.sim, &lab.path[i % 2], false);
        sim_advance(lab.sim, lab.sim->now_us + down_us);
        sim_path_set_up(lab.sim, &lab.path[i % 2], true);
        uint64_t up_us = lab.sim->now_us;
        expect_back(r, &lab, s, up_us + 5 * SECOND, 2);
        worst_us = lab.sim->now_us - up_us > worst_us ? lab.sim->now_us - up_us : worst_us;
        sim_advance(lab.sim, lab.sim->now_us + 200000);
    }
    run_figure(r, "longest time until all subflows are back", "ms", (double)worst_us / 1000, 5000);
    run_require(r, worst_us < 5 * SECOND);
    lab_finish(&lab, 1200);
}

static void path_reset(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, SLOW_WIFI, SLOW_LTE);
    sim_box(lab.sim, &lab.path[1], "reset:how=both,on=data,after=100,count=1");
    struct stream *s = upload_until(&lab, 10 * SECOND);
    sim_advance(lab.sim, lab_at(&lab, 2 * SECOND));
    EXPECT(r, WHY(lab.client, SUBFLOW_CLOSED, PEER_RESET) >= 1);
    expect_back(r, &lab, s, lab_at(&lab, 7 * SECOND), 2);
    lab_finish(&lab, 30);
}

/* A NAT restarts: what comes from inside afterwards seems to be another flow. */
static void nat_forgets(struct run *r, const char *box)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, SLOW_WIFI, SLOW_LTE);
    sim_box(lab.sim, &lab.path[1], box);
    struct stream *s = upload_until(&lab, 12 * SECOND);
    sim_advance(lab.sim, lab_at(&lab, 2500000));
    expect_back(r, &lab, s, lab_at(&lab, 8 * SECOND), 2);
    lab_finish(&lab, 60);
    EXPECT(r, s->side[0].info.subflows_total >= 3);
}

static void nat_flush(struct run *r)
{
    nat_forgets(r, "nat:flush=2s");
}

/* The same, and resets do not come back either: only silence tells. */
static void nat_flush_silent(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, SLOW_WIFI, SLOW_LTE);
    sim_box(lab.sim, &lab.path[1], "nat:flush=2s");
    sim_box(lab.sim, &lab.path[1], "drop:on=rst,dir=back");
    struct stream *s = upload_until(&lab, 12 * SECOND);
    sim_advance(lab.sim, lab_at(&lab, 2500000));
    expect_back(r, &lab, s, lab_at(&lab, 8 * SECOND), 2);
    lab_finish(&lab, 60);
    EXPECT(r, COUNT(lab.client, SubflowStale) >= 1);
    EXPECT(r, WHY(lab.client, SUBFLOW_CLOSED, SUBFLOW_TIMEOUT) >= 1); /* the silent one */
}

/* One path only: a NAT that restarts costs a pause, not the connection. */
static void nat_flush_only_path(struct run *r)
{
    struct lab lab;
    const char *spec = SLOW_WIFI;
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    sim_box(lab.sim, &lab.path[0], "nat:flush=2s");
    sim_box(lab.sim, &lab.path[0], "drop:on=rst,dir=back");
    struct stream *s = upload_until(&lab, 12 * SECOND);
    lab_finish(&lab, 60);
    EXPECT(r, s->side[1].pause_us < 6 * SECOND);
    EXPECT_EQ(r, s->side[0].multipath, 1);
}

/* ---- the C flag ------------------------------------------------------------------------------ */

/* In the manner of a load balancer (3.1): the address that clients know takes
 * no joins, the server's own, announced, does. */
static void no_join_initial(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.server_config.no_join_initial = true;
    lab_open_two(&lab, WIFI, LTE);
    lab.server_if[1] = add_iface(lab.server, "10.0.9.2", 0, true);
    sim_path_spec(lab.sim, lab.client_if[1], lab.server_if[1], LTE);
    struct stream *s = upload(&lab, 5 * MB);
    sim_advance(lab.sim, lab_at(&lab, SECOND / 2));
    const struct plait_endpoint from = {.addr = lab.client_if[1]->local.addr};
    EXPECT_EQ(r,
              plait_conn_open_subflow(s->side[0].conn, &from, &s->remote, false, lab.sim->now_us),
              PLAIT_E_REFUSED); /* nor by hand */
    lab_finish(&lab, 30);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 2);
    EXPECT_EQ(r, lab.path[1].there->link.stats.offered, 0); /* to the first address */
}

/* ---- the C flag ------------------------------------------------------------------------ */

/* The server opens, the client does not: to the port that the client came
 * from, at the address that it announced. */
static void server_opens(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.client_opens = false;
    lab.client_config.client_announces = true;
    lab.server_config.server_opens = true;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynTx), 0);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinSynTx), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinSynRx), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPJoinAckRx), 1);
    EXPECT_EQ(r, s->side[1].subflows[1].client, 1);
    EXPECT_EQ(r, s->side[1].subflows[1].remote.port, s->side[1].info.remote.port);
    EXPECT(r, lab_lesser_share(&lab, true) > 0.1);
}

/* Neither opens: it stays one subflow. */
static void nobody_opens(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.client_opens = false;
    lab.client_config.client_announces = true;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = upload(&lab, 3 * MB);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 1);
    EXPECT_EQ(r, COUNT(lab.server, AddAddr), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinSynTx) + COUNT(lab.client, MPJoinSynTx), 0);
}

/* Both open, at the same time and between the same places. */
static void both_open(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 5 * MB};
    lab_init(&lab, r);
    lab.server_multihomed = true;
    lab.client_config.client_announces = true;
    lab.server_config.server_opens = true;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 30);
    EXPECT(r, COUNT(lab.client, MPJoinSynTx) >= 1);
    EXPECT(r, COUNT(lab.server, MPJoinSynTx) >= 1);
    EXPECT(r, s->side[0].info.subflows >= 2);
    EXPECT(r, s->side[0].received == 5 * MB && s->side[1].received == 5 * MB);
}

/* ---- limits ---------------------------------------------------------------------------- */

/* Open so many by hand on the first path; how many were opened. */
static unsigned open_more(struct lab *lab, struct stream *s, unsigned count)
{
    struct plait_endpoint from = {.addr = lab->client_if[0]->local.addr};
    const struct side *c = &s->side[0];
    unsigned opened = 0;
    for (unsigned i = 0; i < count; i++)
        opened += plait_conn_open_subflow(c->conn, &from, &s->remote, false, lab->sim->now_us) == 0;
    host_service(lab->client);
    return opened;
}

static void open_to_the_limit(struct run *r, unsigned client_max, unsigned server_max,
                              unsigned more, unsigned opened, unsigned accepted)
{
    struct lab lab;
    const char *spec = "rate=40mbit,delay=10ms,queue=1MB";
    lab_init(&lab, r);
    lab.client_config.subflows_max = (uint16_t)client_max;
    lab.server_config.subflows_max = (uint16_t)server_max;
    lab.server_config.joins_half_open_max = (uint16_t)server_max; /* all at once */
    lab_open(&lab, 1, &spec);
    struct stream *s = upload_until(&lab, 4 * SECOND);
    sim_advance(lab.sim, lab_at(&lab, SECOND));
    EXPECT_EQ(r, open_more(&lab, s, more), opened);
    sim_advance(lab.sim, lab_at(&lab, 2 * SECOND));
    struct plait_conn_info info;
    plait_conn_info(s->side[1].conn, &info);
    EXPECT_EQ(r, info.subflows, accepted);
    EXPECT_EQ(r, COUNT(lab.server, MPJoinRejected), opened + 1 - accepted);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, EVENTS(lab.server, SUBFLOW_ESTABLISHED), accepted);
}

static void subflows_32(struct run *r)
{
    struct plait_config defaults;
    plait_config_default(&defaults);
    unsigned max = defaults.subflows_max;
    EXPECT_EQ(r, max, 32);
    open_to_the_limit(r, max, max, 31, 31, 32);
    open_to_the_limit(r, max, max, 32, 31, 32); /* one more is refused here, */
    open_to_the_limit(r, 40, max, 32, 32, 32);  /* or there */
}

static void subflows_200(struct run *r)
{
    open_to_the_limit(r, 200, 200, 199, 199, 200);
}

static struct plait_memory memory_of(const struct host *h)
{
    struct plait_memory m;
    plait_stack_memory(h->stack, &m);
    return m;
}

/* Two hundred connections sleep when an address goes and comes back: they are
 * woken for it one after another, and each tells its peer. */
static void sleepers_hear_of_addresses(struct run *r)
{
    enum { CONNS = 200 };
    struct lab lab;
    const char *specs[] = {WIFI, LTE};
    const struct side_config c = {.requests = 2,
                                  .request_bytes = 100,
                                  .response_bytes = 100,
                                  .interval_us = 30 * SECOND};
    const struct side_config s = {.respond_to = 100, .respond_bytes = 100, .end = END_AFTER_EOF};
    lab_init(&lab, r);
    lab.client_config.sleep_us = lab.server_config.sleep_us = SECOND;
    lab_open(&lab, 2, specs);
    for (unsigned i = 0; i < CONNS; i++)
        lab_stream(&lab, &c, &s);
    sim_advance(lab.sim, lab_at(&lab, 20 * SECOND));
    EXPECT_EQ(r, memory_of(lab.client).conns_asleep, CONNS);
    EXPECT_EQ(r, memory_of(lab.client).subflows, 2 * CONNS);
    iface_set_present(lab.client_if[1], false);
    EXPECT(r, memory_of(lab.client).conns_asleep > CONNS - 50);
    sim_advance(lab.sim, lab_at(&lab, 21 * SECOND));
    EXPECT_EQ(r, memory_of(lab.client).subflows, CONNS);
    EXPECT_EQ(r, COUNT(lab.server, RmAddr), CONNS);
    sim_advance(lab.sim, lab_at(&lab, 25 * SECOND));
    EXPECT_EQ(r, memory_of(lab.client).conns_asleep, CONNS);
    iface_set_present(lab.client_if[1], true);
    EXPECT(r, memory_of(lab.client).conns_asleep > CONNS - 50);
    sim_advance(lab.sim, lab_at(&lab, 28 * SECOND));
    EXPECT_EQ(r, memory_of(lab.server).subflows, 2 * CONNS);
    lab_finish(&lab, 60);
}

const struct scenario scenarios_signals[] = {
    {"late-address", "the server's address appears later and is announced", late_address},
    {"announced-port", "an address announced with a port takes joins there", announced_port},
    {"announced-port-ipv6", "an IPv6 address with a port, where timestamps leave no room",
     announced_port_ipv6, .v1_only = true},
    {"many-addresses", "eight addresses at once, announcements lost", many_addresses,
     .v1_only = true},
    {"private-address", "no SYN is wasted on a private address", private_address},
    {"removal-lost", "REMOVE_ADDR is lost twice", removal_lost},
    {"only-address-changes", "the only address goes, another comes", only_address_changes},
    {"priority-lost", "MP_PRIO is lost; traffic leaves a path and comes back", priority_lost},
    {"flap-100", "paths go and come a hundred times, their subflows with them", flap_100},
    {"path-reset", "a subflow is reset from outside and opened again", path_reset},
    {"nat-flush", "a NAT forgets a subflow, the server resets it", nat_flush},
    {"nat-flush-silent", "a NAT forgets a subflow, nobody says so", nat_flush_silent},
    {"nat-flush-only-path", "a NAT forgets the only subflow", nat_flush_only_path},
    {"no-join-initial", "the C flag: joins to the announced address only", no_join_initial},
    {"server-opens", "the server opens subflows, the client does not", server_opens},
    {"nobody-opens", "neither end opens subflows", nobody_opens},
    {"both-open", "both ends open subflows between the same places", both_open},
    {"subflows-32", "as many subflows as allowed, and one more", subflows_32},
    {"subflows-200", "two hundred subflows", subflows_200},
    {"sleepers-hear-of-addresses", "an address goes and comes while all connections sleep",
     sleepers_hear_of_addresses},
    {NULL, NULL, NULL},
};
