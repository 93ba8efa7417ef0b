/* SPDX-License-Identifier: MIT
 *
 * Racing the first subflow over interfaces and families (RFC 8305): what a
 * dead first choice costs, who wins, and that nothing of the losers stays.
 */
#include "sim/scenario.h"

#include "base/addr.h"

#define KB 1000u
#define MB 1000000u
#define DELAY_US 250000u /* between attempts, the default */

/* Links so quick that only their delays count. */
#define RTT_60 "rate=1gbit,delay=30ms"
#define RTT_60_SLOW "rate=10mbit,delay=30ms,queue=100kB"
#define RTT_30 "rate=1gbit,delay=15ms"
#define RTT_280 "rate=1gbit,delay=140ms"
#define RTT_310 "rate=1gbit,delay=155ms"
#define RTT_400 "rate=1gbit,delay=200ms"

/* The client's interfaces: two, with an address of each family. */
enum { FIRST4, SECOND4, FIRST6, SECOND6, PAIRS };

static struct iface *address(struct host *h, const char *text, uint32_t link)
{
    struct plait_local local = {.link = link, .mtu = 1500};
    if (!addr_parse(text, &local.addr))
        sim_fail(h->sim, "%s is no address", text);
    return host_iface_local(h, &local);
}

/* A server with an address of each family. A pair without a spec is dead. */
static void open_pairs(struct lab *lab, const char *const specs[PAIRS])
{
    static const char *const from[PAIRS] = {"10.0.1.1", "10.0.2.1", "fd00:1::1", "fd00:2::1"};
    struct run *r = lab->run;
    lab->client = sim_host(lab->sim, "client", &lab->client_config);
    lab->server = sim_host(lab->sim, "server", &lab->server_config);
    lab_capture(lab);
    struct iface *to4 = address(lab->server, "10.0.9.2", 1);
    struct iface *to6 = address(lab->server, "fd00:9::2", 1);
    lab->paths = PAIRS;
    for (unsigned i = 0; i < PAIRS; i++) {
        lab->client_if[i] = address(lab->client, from[i], 1 + i % 2);
        lab->server_if[i] = i < FIRST6 ? to4 : to6;
        lab->path[i] = sim_path_spec(&r->sim, lab->client_if[i], lab->server_if[i],
                                     specs[i] ? specs[i] : RTT_60);
        if (!specs[i])
            sim_path_set_up(&r->sim, &lab->path[i], false);
    }
}

static struct stream *race(struct lab *lab, const unsigned *pairs, unsigned count, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    struct stream *s = lab_stream(lab, &c, NULL);
    for (unsigned i = 0; i < count; i++)
        stream_candidate(s, lab->client_if[pairs[i]], lab->server_if[pairs[i]]);
    return s;
}
#define RACE(lab, bytes, ...)                                                                      \
    race((lab), (const unsigned[]){__VA_ARGS__},                                                   \
         sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned), (bytes))

static uint64_t connect_us(const struct lab *lab, const struct stream *s)
{
    return s->side[0].connected_us - lab->sim->started_us;
}

static bool ran_from(const struct lab *lab, const struct stream *s, unsigned pair)
{
    return addr_equal(&s->side[0].info.local.addr, &lab->client_if[pair]->local.addr);
}

/* The losers are forgotten: they are nothing that either end counts. */
static void check_losers(struct run *r, const struct lab *lab, const struct stream *s,
                         unsigned attempts)
{
    EXPECT_EQ(r, WHY(lab->client, SUBFLOW_CLOSED, RACE_LOST), attempts - 1);
    EXPECT_EQ(r, COUNT(lab->client, ActiveOpens), 1);
    EXPECT_EQ(r, COUNT(lab->client, AttemptFails), 0);
    EXPECT_EQ(r, EVENTS(lab->server, CONN_ESTABLISHED), 1);
    EXPECT(r, s->side[0].info.multipath);
}

/* ---- what is dead costs one delay --------------------------------------------------------- */

static void figure_connect(struct run *r, const struct lab *lab, const struct stream *s,
                           uint64_t rtt_us)
{
    uint64_t us = connect_us(lab, s);
    run_figure(r, "connect time", "ms", (double)us / 1e3, 0);
    run_require(r, us <= DELAY_US + rtt_us * 3 / 2);
    run_figure(r, "first byte at the server", "ms",
               (double)(s->side[1].first_read_us - lab->sim->started_us) / 1e3, 0);
}

/* The default route leads nowhere. Once it leads somewhere again, it gets a
 * subflow like any other. */
static void dead_default_route(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){NULL, RTT_60_SLOW, NULL, NULL});
    sim_link_configure(lab.sim, lab.path[FIRST4].there, &lab.path[SECOND4].there->link.config);
    iface_set_present(lab.client_if[FIRST6], false);
    iface_set_present(lab.client_if[SECOND6], false);
    struct stream *s = RACE(&lab, STREAM_ENDLESS, FIRST4, SECOND4);
    s->side[0].config.stop_us = lab_at(&lab, 10000000);
    sim_at_path(lab.sim, lab_at(&lab, 3000000), &lab.path[FIRST4], true);
    lab_finish(&lab, 60);
    figure_connect(r, &lab, s, 60000);
    EXPECT(r, ran_from(&lab, s, SECOND4));
    check_losers(r, &lab, s, 2);
    EXPECT_EQ(r, WHY(lab.client, SUBFLOW_CREATED, RACE_DELAY), 1);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_ESTABLISHED), 2);
    EXPECT(r, lab.path[FIRST4].there->link.stats.delivered_bytes > MB);
}

static void dead_ipv6(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){RTT_60, RTT_60, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST6, SECOND4, SECOND6, FIRST4);
    lab_finish(&lab, 30);
    figure_connect(r, &lab, s, 60000);
    EXPECT(r, ran_from(&lab, s, SECOND4));
    check_losers(r, &lab, s, 2); /* the others were never tried */
}

/* Nothing answers: an error, when every attempt's retries are used up. */
static void all_dead(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.syn_retries = 2;
    open_pairs(&lab, (const char *const[PAIRS]){NULL, NULL, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST6, SECOND4, SECOND6, FIRST4);
    lab_finish_any(&lab, 60);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_TIMED_OUT);
    EXPECT_EQ(r, EVENTS(lab.client, SUBFLOW_CREATED), 4);
    EXPECT_EQ(r, COUNT(lab.client, AttemptFails), 1);
    /* 1 + 2 + 4 s of the last attempt, begun three delays after the first. */
    EXPECT_EQ(r, s->side[0].done_us - lab.sim->started_us, 3 * DELAY_US + 7000000);
}

/* ---- refusals hurry it on ---------------------------------------------------------------- */

static void refused_first(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){RTT_60, RTT_30, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST4, SECOND4);
    s->candidates[0].remote.port = 9; /* nobody listens there */
    lab_finish(&lab, 30);
    EXPECT_RANGE(r, connect_us(&lab, s), 90000, 90100);
    EXPECT(r, ran_from(&lab, s, SECOND4));
    EXPECT_EQ(r, WHY(lab.client, SUBFLOW_CREATED, PEER_RESET), 1);
    EXPECT_EQ(r, COUNT(lab.client, AttemptFails), 0);
}

static void all_refused(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){RTT_60, RTT_30, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST4, SECOND4);
    s->candidates[0].remote.port = s->candidates[1].remote.port = 9;
    lab_finish_any(&lab, 30);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_REFUSED);
    EXPECT(r, s->side[0].done_us - lab.sim->started_us < 100000);
    EXPECT_EQ(r, COUNT(lab.client, AttemptFails), 1);
}

/* ---- more than one answers ---------------------------------------------------------------- */

/* The second overtakes; the first's SYN/ACK comes when it is decided. */
static void slow_first_answer(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){RTT_400, RTT_60, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST4, SECOND4);
    sim_advance(lab.sim, lab_at(&lab, 1000000));
    EXPECT_RANGE(r, connect_us(&lab, s), 310000, 310100);
    EXPECT(r, COUNT(lab.client, OutRsts) >= 1);
    EXPECT_EQ(r, EVENTS(lab.server, CONN_CREATED), 2);
    lab_finish(&lab, 30);
    EXPECT(r, ran_from(&lab, s, SECOND4));
    check_losers(r, &lab, s, 2);
}

/* The first answers just before the second would. */
static void first_just_in_time(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){RTT_280, RTT_60, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST4, SECOND4);
    lab_finish(&lab, 30);
    EXPECT_RANGE(r, connect_us(&lab, s), 280000, 280100);
    EXPECT(r, ran_from(&lab, s, FIRST4));
    check_losers(r, &lab, s, 2);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);  /* the loser's address joins */
    EXPECT_EQ(r, COUNT(lab.server, AttemptFails), 1); /* it was reset, and never accepted */
}

/* Both SYN/ACKs come in the same instant. */
static void both_at_once(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){RTT_310, RTT_60, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST4, SECOND4);
    lab_finish(&lab, 30);
    EXPECT_RANGE(r, connect_us(&lab, s), 310000, 310100);
    check_losers(r, &lab, s, 2);
    EXPECT_EQ(r, COUNT(lab.server, PassiveOpens), 2);
    EXPECT_EQ(r, COUNT(lab.server, AttemptFails), 1);
}

/* An address goes while it is being tried: the next one is, at once. */
static void address_goes(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    open_pairs(&lab, (const char *const[PAIRS]){NULL, RTT_60, NULL, NULL});
    struct stream *s = RACE(&lab, 100 * KB, FIRST4, SECOND4);
    sim_at_iface(lab.sim, lab_at(&lab, 50000), lab.client_if[FIRST4], false);
    lab_finish(&lab, 30);
    EXPECT_RANGE(r, connect_us(&lab, s), 110000, 110100);
    EXPECT_EQ(r, WHY(lab.client, SUBFLOW_CREATED, UNREACHABLE), 1);
}

/* The peer has no MPTCP: the winner is plain TCP. */
static void plain_server(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.server_config.multipath = false;
    open_pairs(&lab, (const char *const[PAIRS]){NULL, RTT_60, NULL, NULL});
    struct stream *s = RACE(&lab, 1 * MB, FIRST4, SECOND4);
    lab_finish(&lab, 30);
    EXPECT(r, !s->side[0].info.multipath);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 1);
}

const struct scenario scenarios_race[] = {
    {"race-dead-default", "the default route is dead: one delay and 1.5 round trips",
     dead_default_route},
    {"race-dead-ipv6", "IPv6 is dead over every interface", dead_ipv6},
    {"race-all-dead", "nothing answers any attempt", all_dead},
    {"race-refused", "the first attempt is refused: the next is made at once", refused_first},
    {"race-all-refused", "every attempt is refused", all_refused},
    {"race-slow-first", "the first answer comes when another has won", slow_first_answer},
    {"race-first-in-time", "the first answers while the second is under way", first_just_in_time},
    {"race-both-at-once", "two answers in the same instant", both_at_once},
    {"race-address-goes", "the address of an attempt disappears", address_goes},
    {"race-plain-server", "the winner is plain TCP", plain_server},
    {NULL, NULL, NULL},
};
