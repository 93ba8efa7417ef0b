/* SPDX-License-Identifier: MIT
 *
 * Handshakes under load and under fire: SYN cookies, floods of SYNs, keys from
 * the pool (RFC 4987, RFC 8684 3.1, RFC 8041 3.11).
 */
#include <stdlib.h>

#include "sim/scenario.h"
#include "wire/offload.h"
#include "wire/segment.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define KB 1000u
#define MB 1000000u

static void cookies_lab(struct lab *lab, struct run *r, enum plait_syn_cookies cookies)
{
    lab_init(lab, r);
    lab->server_config.syn_cookies = cookies;
    lab_open_two(lab, WIFI, LTE);
}

static struct stream *upload(struct lab *lab, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    return lab_stream(lab, &c, NULL);
}

/* ---- cookies ------------------------------------------------------------------------------ */

/* Nothing is missing: MPTCP, a second subflow, a window larger than 64 KiB. */
static void cookies_always(struct run *r)
{
    struct lab lab;
    cookies_lab(&lab, r, PLAIT_SYN_COOKIES_ALWAYS);
    struct stream *s = upload(&lab, 5 * MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, COUNT(lab.server, SyncookiesSent), 1);
    EXPECT_EQ(r, COUNT(lab.server, SyncookiesRecv), 1);
    EXPECT_EQ(r, COUNT(lab.server, MPCapableACKRX), 1);
    EXPECT_EQ(r, s->side[1].info.subflows_total, 2);
    run_figure(r, "goodput of 30 Mbit/s", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 24);
}

/* RFC 8041 3.11: in version 1 the keys come again with the first data. */
static void cookies_ack_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_CAPABLE_KEYS, .count = 1};
    cookies_lab(&lab, r, PLAIT_SYN_COOKIES_ALWAYS);
    rule_add(lab.path[0].there, &drop);
    struct stream *s = upload(&lab, 100 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_EQ(r, s->side[1].multipath, 1);
}

/* The server speaks first and the third ACK is lost: nobody but the client
 * knows of the connection, until its keepalive probe asks. */
static void cookies_server_first(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_CAPABLE_KEYS, .count = 1};
    const struct side_config s = {.send_bytes = 100 * KB};
    lab_init(&lab, r);
    lab.server_config.syn_cookies = PLAIT_SYN_COOKIES_ALWAYS;
    lab.client_config.keepalive_idle_us = 5 * MB;
    lab_open_two(&lab, WIFI, LTE);
    rule_add(lab.path[0].there, &drop);
    struct stream *st = lab_stream(&lab, NULL, &s);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, st->side[0].received, 100 * KB);
    EXPECT_EQ(r, st->side[1].multipath, 1);
}

/* ---- floods ------------------------------------------------------------------------------- */

enum { FLOOD_EVERY_US = 1000, FLOOD_AT_ONCE = 50, FLOOD_SYNS = 100000 };

struct flood {
    struct lab *lab;
    uint16_t port;
    unsigned sent, most_conns;
    uint64_t most_bytes; /* once the flood had its first tenth */
};

static struct plait_endpoint anywhere(struct prng *prng)
{
    uint64_t x = prng_next(prng);
    struct plait_endpoint e = {{PLAIT_IPV4,
                                {11, (uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16)}},
                               (uint16_t)(1 + (x >> 24) % 65535)};
    return e;
}

static void forge_syn(struct flood *f)
{
    struct iface *to = f->lab->server_if[0];
    struct prng *prng = &f->lab->sim->prng;
    struct segment syn;
    struct plait_packet_tx tx;
    segment_clear(&syn);
    syn.src = anywhere(prng);
    syn.dst = (struct plait_endpoint){to->local.addr, f->port};
    syn.seq = (uint32_t)prng_next(prng);
    syn.flags = TCP_SYN;
    syn.window = 65535;
    syn.tcp.present = OPT_MSS;
    syn.tcp.mss = 1460;
    syn.mptcp.present = MPO_CAPABLE_SYN;
    syn.mptcp.capable.version = 1;
    syn.mptcp.capable.flags = MPC_HMAC;
    segment_encode(&syn, NULL, 0, 0, &tx);
    struct sim_packet *p = sim_packet_new(PLAIT_HEADER_MAX);
    if (!p)
        abort();
    p->len = (uint32_t)offload_write(&tx, 0, p->bytes, PLAIT_HEADER_MAX);
    p->gso_size = 0;
    host_receive(to, p);
}

static void flood_more(struct sim *sim, void *ctx)
{
    struct flood *f = ctx;
    struct plait_memory m;
    for (unsigned i = 0; i < FLOOD_AT_ONCE; i++)
        forge_syn(f);
    f->sent += FLOOD_AT_ONCE;
    plait_stack_memory(f->lab->server->stack, &m);
    if (m.conns > f->most_conns)
        f->most_conns = m.conns;
    if (f->sent == FLOOD_SYNS / 10)
        f->most_bytes = m.used_bytes;
    else if (f->sent > FLOOD_SYNS / 10 && !f->lab->server->tally.event[PLAIT_EV_CONN_ESTABLISHED] &&
             m.used_bytes > f->most_bytes)
        sim_fail(sim, "after %u forged SYNs the server holds %llu bytes, before %llu", f->sent,
                 (unsigned long long)m.used_bytes, (unsigned long long)f->most_bytes);
    if (f->sent < FLOOD_SYNS)
        sim_at(sim, sim->now_us + FLOOD_EVERY_US, flood_more, f);
}

/* 100,000 forged SYNs in two seconds. A real client that comes in the middle
 * of them gets a connection, Multipath TCP and all; the server spends the
 * memory of its 64 half-open connections and no more. */
static void syn_flood(struct run *r)
{
    struct lab lab;
    struct flood f = {.lab = &lab};
    const struct side_config c = {.send_bytes = 100 * KB};
    const struct side_config quiet = {.end = END_AFTER_EOF};
    lab_init(&lab, r);
    lab.server_config.half_open_max = 64;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = stream_new(lab.sim, lab.client, lab.client_if[0], lab.server_if[0],
                                  lab_at(&lab, MB), &c, &quiet, NULL, NULL);
    f.port = s->port;
    lab.sim->check = false; /* of 64 connections 100,000 times */
    sim_at(lab.sim, lab_at(&lab, 0), flood_more, &f);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, f.sent, FLOOD_SYNS);
    EXPECT_RANGE(r, f.most_conns, 64, 65);
    EXPECT_EQ(r, s->side[1].multipath, 1);
    EXPECT(r, s->side[1].connected_us < lab_at(&lab, MB + 100 * KB));
    EXPECT_EQ(r, COUNT(lab.server, SyncookiesRecv), 1);
    EXPECT(r, COUNT(lab.server, SyncookiesSent) > 10000);
    EXPECT_EQ(r, EVENTS(lab.server, CONN_ESTABLISHED), 1);
}

/* ---- fast open ---------------------------------------------------------------------------- */

/* A request of 100 bytes, a response of 1000. */
static const struct side_config request = {.send_bytes = 100};
static const struct side_config response = {.respond_to = 100, .respond_bytes = 1000};

static void fastopen_lab(struct lab *lab, struct run *r, bool multipath)
{
    lab_init(lab, r);
    lab->client_config.fastopen = lab->server_config.fastopen = true;
    lab->client_config.multipath = multipath;
    lab_open_two(lab, WIFI, LTE);
}

static struct stream *ask_at(struct lab *lab, uint64_t us)
{
    return stream_new(lab->sim, lab->client, lab->client_if[0], lab->server_if[0], lab_at(lab, us),
                      &request, &response, NULL, NULL);
}

/* From connecting to the first byte of the response. */
static int64_t waited_us(const struct lab *lab, const struct stream *s, uint64_t us)
{
    return (int64_t)(s->side[0].first_read_us - lab_at(lab, us));
}

/* The first connection brings the cookie and two round trips of 20 ms, the
 * second one needs one (RFC 7413 2); both are what they would be without. */
static void fastopen(struct run *r)
{
    for (unsigned multipath = 0; multipath < 2; multipath++) {
        struct lab lab;
        fastopen_lab(&lab, r, multipath);
        struct stream *first = ask_at(&lab, 0), *second = ask_at(&lab, MB);
        lab_finish(&lab, 20);
        EXPECT_RANGE(r, waited_us(&lab, first, 0), 40000, 45000);
        EXPECT_RANGE(r, waited_us(&lab, second, MB), 20000, 25000);
        EXPECT_EQ(r, second->side[0].multipath, multipath);
        EXPECT_EQ(r, second->side[1].multipath, multipath);
        EXPECT_EQ(r, COUNT(lab.client, TCPFastOpenActive), 1);
        EXPECT_EQ(r, COUNT(lab.server, TCPFastOpenCookieReqd), 1);
        EXPECT_EQ(r, COUNT(lab.server, TCPFastOpenPassive), 1);
    }
}

/* Much data behind the SYN's, on two subflows and with checksums. */
static void fastopen_bulk(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 5 * MB}, s = {.send_bytes = 1 * MB};
    lab_init(&lab, r);
    lab.client_config.fastopen = lab.server_config.fastopen = true;
    lab.client_config.checksum = true;
    lab_open_two(&lab, WIFI, LTE);
    ask_at(&lab, 0);
    struct stream *st = stream_new(lab.sim, lab.client, lab.client_if[0], lab.server_if[0],
                                   lab_at(&lab, MB), &c, &s, NULL, NULL);
    lab_finish(&lab, 30);
    EXPECT_EQ(r, COUNT(lab.server, TCPFastOpenPassive), 1);
    EXPECT_EQ(r, COUNT(lab.server, DataCsumErr), 0);
    EXPECT_EQ(r, st->side[1].info.subflows_total, 2);
    EXPECT_EQ(r, st->side[1].info.bytes_received, 5 * MB);
    EXPECT_EQ(r, st->side[0].info.bytes_acked, 5 * MB);
}

/* SYNs with data disappear: one timeout, and no more of them for a while
 * (RFC 7413 4.1.3.1). */
static void fastopen_swallowed(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP,
                            .flags_mask = TCP_SYN | TCP_ACK,
                            .flags = TCP_SYN,
                            .payload = PAYLOAD_SOME};
    fastopen_lab(&lab, r, true);
    rule_add(lab.path[0].there, &drop);
    ask_at(&lab, 0);
    struct stream *second = ask_at(&lab, MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_EQ(r, COUNT(lab.client, TCPFastOpenActiveFail), 1);
    EXPECT_EQ(r, second->side[0].multipath, 1);
    EXPECT_RANGE(r, waited_us(&lab, second, MB), 1040000, 1045000);
}

/* The SYN/ACK is lost, and what the server said behind it is of no use to a
 * client that has not seen it: both come again. */
static void fastopen_synack_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP,
                            .flags_mask = TCP_SYN | TCP_ACK,
                            .flags = TCP_SYN | TCP_ACK,
                            .skip = 1,
                            .count = 1};
    fastopen_lab(&lab, r, true);
    rule_add(lab.path[0].back, &drop);
    ask_at(&lab, 0);
    struct stream *second = ask_at(&lab, MB);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_EQ(r, second->side[0].received, 1000);
    EXPECT_EQ(r, second->side[0].multipath, 1);
    EXPECT_EQ(r, COUNT(lab.server, TCPFastOpenPassive), 1);
}

const struct scenario scenarios_handshake[] = {
    {"cookies-always", "every SYN is answered with a cookie: nothing is missing", cookies_always},
    {"cookies-ack-lost", "the ACK of a cookie is lost: the keys come with the data",
     cookies_ack_lost},
    {"cookies-server-first", "the ACK of a cookie is lost and the client says nothing",
     cookies_server_first},
    {"fastopen", "data on the SYN saves a round trip, with MPTCP and without", fastopen},
    {"fastopen-bulk", "the stream goes on behind the SYN's data, on two subflows", fastopen_bulk},
    {"fastopen-swallowed", "SYNs with data disappear", fastopen_swallowed},
    {"fastopen-synack-lost", "the SYN/ACK of a SYN with data is lost", fastopen_synack_lost},
    {"syn-flood", "100,000 forged SYNs, and a client gets through", syn_flood},
    {NULL, NULL, NULL},
};
