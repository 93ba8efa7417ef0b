/* SPDX-License-Identifier: MIT
 *
 * One path: what every subflow must do by itself (RFC 9293 and its company).
 * Most run as Multipath TCP over one path, since that is how it is used; the
 * plain ones switch it off.
 */
#include "sim/scenario.h"
#include "wire/segment.h"

#define FAST "rate=100mbit,delay=5ms"
#define KB 1000u
#define MB 1000000u

static struct stream *upload(struct lab *lab, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    return lab_stream(lab, &c, NULL);
}

static void open_one(struct lab *lab, struct run *r, const char *spec)
{
    lab_init(lab, r);
    lab_open(lab, 1, &spec);
}

static void plain_tcp(struct run *r)
{
    struct lab lab;
    const char *spec = FAST;
    lab_init(&lab, r);
    lab.client_config.multipath = lab.server_config.multipath = false;
    lab_open(&lab, 1, &spec);
    const struct side_config both = {.send_bytes = 1 * MB};
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, s->side[0].received, MB);
    EXPECT_EQ(r, COUNT(lab.client, MPCapableSYNTX), 0);
    EXPECT_EQ(r, SENT(lab.client, DSS), 0);
    EXPECT_EQ(r, COUNT(lab.client, ActiveOpens), 1);
    EXPECT_EQ(r, COUNT(lab.server, PassiveOpens), 1);
    EXPECT_EQ(r, COUNT(lab.client, RetransSegs), 0);
    EXPECT_EQ(r, lab.client->tally.rst + lab.server->tally.rst, 0);
}

/* A full pipe: window scaling, the initial window, slow start and autotuned
 * buffers fill 50 Mbit/s over 100 ms, a product of 625 kB. */
static void long_fat(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=50mbit,delay=50ms,queue=100ms");
    struct stream *s = upload(&lab, 40 * MB);
    lab_finish(&lab, 60);
    run_figure(r, "50 Mbit/s, 100 ms", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 40);
    EXPECT_EQ(r, COUNT(lab.client, Timeouts), 0);
}

static void super_segments(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=1gbit,delay=1ms,queue=1MB");
    lab.server->gro_us = 100;
    upload(&lab, 20 * MB);
    lab_finish(&lab, 10);
    EXPECT(r, lab.client->tally.super_segments > 100);
    EXPECT(r, COUNT(lab.client, SegsOut) > COUNT(lab.client, PacketsOut));
    EXPECT(r, COUNT(lab.server, SegsIn) > COUNT(lab.server, PacketsIn));
    EXPECT(r, lab.server_if[0]->gro.merged > 1000);
}

static void no_super_segments(struct run *r)
{
    struct lab lab;
    const char *spec = FAST;
    lab_init(&lab, r);
    lab.client_config.burst_max_bytes = 0;
    lab_open(&lab, 1, &spec);
    upload(&lab, 2 * MB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, lab.client->tally.super_segments, 0);
}

/* One lost segment of many: SACK finds it, fast recovery mends it. */
static void one_loss(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .payload = PAYLOAD_SOME, .skip = 40, .count = 1};
    open_one(&lab, r, "rate=20mbit,delay=20ms");
    rule_add(lab.path[0].there, &drop);
    upload(&lab, 1 * MB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_RANGE(r, COUNT(lab.client, RetransSegs), 1, 2);
    EXPECT_EQ(r, COUNT(lab.client, Timeouts), 0);
}

/* A router marks from 100 kB on, in a queue of 200 kB, and each end says whether it
 * wants marks: where both do nothing is dropped and the queue stays short. Marks of
 * two round trips in a row are possible, and leave the path full. */
static void marks(struct run *r)
{
    for (unsigned both = 0; both < 2; both++) {
        struct lab lab;
        const char *spec = "rate=20mbit,delay=20ms,queue=200kB,mark=100kB";
        lab_init(&lab, r);
        lab.client_config.ecn = PLAIT_ECN_ASK;
        lab.server_config.ecn = both ? PLAIT_ECN_ANSWER : PLAIT_ECN_NEVER;
        lab_open(&lab, 1, &spec);
        struct stream *s = upload(&lab, 20 * MB);
        lab_finish(&lab, 30);
        const struct link_stats *there = &lab.path[0].there->link.stats;
        EXPECT_EQ(r, s->side[0].subflows[0].ecn, both);
        EXPECT_EQ(r, there->marked > 0, both);
        EXPECT_EQ(r, there->marked, COUNT(lab.server, InCEPkts));
        EXPECT_EQ(r, there->dropped_queue == 0, both);
        EXPECT_EQ(r, COUNT(lab.client, RetransSegs) == 0, both);
        EXPECT(r, side_mbps(&s->side[1]) > 17.5);
    }
}

/* The last segments are lost: nothing comes behind them, a probe finds out
 * (RFC 8985 7). */
static void tail_loss(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP, .payload = PAYLOAD_SOME, .skip = 7, .count = 2};
    open_one(&lab, r, "rate=20mbit,delay=20ms");
    rule_add(lab.path[0].there, &drop);
    struct stream *s = upload(&lab, 12 * KB);
    lab_finish(&lab, 10);
    EXPECT(r, drop.hits >= 1);
    EXPECT(r, COUNT(lab.client, LossProbes) >= 1);
    EXPECT_EQ(r, COUNT(lab.client, Timeouts), 0);
    EXPECT(r, s->side[1].last_read_us < lab_at(&lab, 400000));
}

static void timeout(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=20mbit,delay=20ms");
    sim_at_path(lab.sim, lab_at(&lab, 200000), &lab.path[0], false);
    sim_at_path(lab.sim, lab_at(&lab, 1700000), &lab.path[0], true);
    upload(&lab, 2 * MB);
    lab_finish(&lab, 20);
    EXPECT(r, COUNT(lab.client, Timeouts) >= 2);
}

static void reordering(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=50mbit,delay=10ms,reorder=2%/4ms");
    struct stream *s = upload(&lab, 10 * MB);
    lab_finish(&lab, 20);
    EXPECT(r, lab.path[0].there->link.stats.reordered > 50);
    EXPECT_EQ(r, COUNT(lab.client, Timeouts), 0);
    run_figure(r, "50 Mbit/s with 2 % late by 4 ms", "Mbit/s", side_mbps(&s->side[1]), 0);
}

static void random_loss(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=20mbit,delay=10ms,loss=1%,burst=0.1%/30%/50%");
    upload(&lab, 3 * MB);
    lab_finish(&lab, 60);
    EXPECT(r, COUNT(lab.client, RetransSegs) > 10);
}

static void duplication(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=20mbit,delay=10ms,dup=5%");
    upload(&lab, 2 * MB);
    lab_finish(&lab, 20);
    EXPECT(r, lab.path[0].there->link.stats.duplicated > 20);
    EXPECT_EQ(r, COUNT(lab.client, Timeouts), 0);
}

/* Flipped bits anywhere: every one is caught by a checksum and mended. */
static void corruption(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=20mbit,delay=10ms,corrupt=1%");
    upload(&lab, 2 * MB);
    lab_finish(&lab, 60);
    EXPECT(r, lab.path[0].there->link.stats.corrupted > 5);
    EXPECT(r, COUNT(lab.server, DropChecksum) > 0);
}

static void syn_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP,
                            .flags_mask = TCP_SYN,
                            .flags = TCP_SYN,
                            .count = 1};
    open_one(&lab, r, FAST);
    rule_add(lab.path[0].there, &drop);
    struct stream *s = upload(&lab, 100 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_RANGE(r, s->side[0].connected_us - lab.sim->started_us, 1000000, 1100000);
    EXPECT_EQ(r, s->side[0].multipath, 1); /* one lost SYN is no reason to fall back */
}

static void synack_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop = {.action = RULE_DROP,
                            .flags_mask = TCP_SYN,
                            .flags = TCP_SYN,
                            .count = 1};
    open_one(&lab, r, FAST);
    rule_add(lab.path[0].back, &drop);
    struct stream *s = upload(&lab, 100 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, drop.hits, 1);
    EXPECT_EQ(r, s->side[0].multipath, 1);
    EXPECT_EQ(r, s->side[1].multipath, 1);
}

/* The receiver does not read for 5 s: the window closes, probes keep asking,
 * and reading opens it again. */
static void zero_window(struct run *r)
{
    struct lab lab;
    const char *spec = FAST;
    lab_init(&lab, r);
    lab.server_config.recv_buffer_bytes = lab.server_config.recv_buffer_max_bytes = 64 * KB;
    lab_open(&lab, 1, &spec);
    const struct side_config c = {.send_bytes = 500 * KB};
    const struct side_config s = {.end = END_AFTER_EOF, .read_after_us = 5000000};
    lab_stream(&lab, &c, &s);
    lab_finish(&lab, 30);
    EXPECT(r, COUNT(lab.client, WinProbe) >= 1);
}

static void slow_reader(struct run *r)
{
    struct lab lab;
    const char *spec = FAST;
    lab_init(&lab, r);
    lab.server_config.recv_buffer_bytes = lab.server_config.recv_buffer_max_bytes = 64 * KB;
    lab_open(&lab, 1, &spec);
    const struct side_config c = {.send_bytes = 1 * MB};
    const struct side_config s = {.end = END_AFTER_EOF, .read_bps = 2 * MB, .read_max = 3000};
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish(&lab, 30);
    EXPECT_RANGE(r, st->side[1].last_read_us - st->side[1].connected_us, 3900000, 4500000);
}

static void half_close(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 10 * KB};
    const struct side_config s = {.send_bytes = 2 * MB, .end = END_AFTER_EOF};
    open_one(&lab, r, "rate=20mbit,delay=20ms");
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, st->side[0].received, 2 * MB); /* long after its own end of stream */
}

static void simultaneous_close(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 100 * KB};
    open_one(&lab, r, "rate=20mbit,delay=20ms");
    lab_stream(&lab, &both, &both);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, lab.client->tally.rst + lab.server->tally.rst, 0);
}

static void no_data(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 0};
    open_one(&lab, r, FAST);
    struct stream *st = lab_stream(&lab, &c, NULL);
    lab_finish(&lab, 10);
    EXPECT(r, st->side[1].eof);
}

static void refused(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, FAST);
    struct stream *s = upload(&lab, 1 * KB);
    plait_listener_close(s->listener, lab.sim->now_us);
    s->listener = NULL;
    lab_finish_any(&lab, 10);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_REFUSED);
    EXPECT_EQ(r, lab.server->tally.rst, 1);
}

static void nobody_answers(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, FAST);
    sim_path_set_up(lab.sim, &lab.path[0], false);
    struct stream *s = upload(&lab, 1 * KB);
    lab_finish_any(&lab, 300);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_TIMED_OUT);
}

/* Both ends lose the path for good: each finds out by itself. */
static void path_dies(struct run *r)
{
    struct lab lab;
    const char *spec = FAST;
    const struct side_config both = {.send_bytes = 50 * MB};
    lab_init(&lab, r);
    lab.client_config.data_retries = lab.server_config.data_retries = 5;
    lab_open(&lab, 1, &spec);
    struct stream *s = lab_stream(&lab, &both, &both);
    sim_at_path(lab.sim, lab_at(&lab, 300000), &lab.path[0], false);
    lab_finish_any(&lab, 600);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_TIMED_OUT);
    EXPECT_EQ(r, s->side[1].error, PLAIT_E_TIMED_OUT);
}

/* An idle connection whose peer is gone is found by keepalives alone. */
static void keepalive(struct run *r)
{
    struct lab lab;
    const char *spec = FAST;
    const struct side_config wait = {.send_bytes = 1, .end = END_AFTER_EOF};
    lab_init(&lab, r);
    lab.client_config.keepalive_idle_us = lab.server_config.keepalive_idle_us = 10000000;
    lab_open(&lab, 1, &spec);
    struct stream *s = lab_stream(&lab, &wait, &wait);
    sim_at_path(lab.sim, lab_at(&lab, 60000000), &lab.path[0], false);
    sim_advance(lab.sim, lab_at(&lab, 59000000));
    EXPECT(r, !s->side[0].done && !s->side[1].done);
    lab_finish_any(&lab, 3000);
    EXPECT_EQ(r, s->side[0].error, PLAIT_E_TIMED_OUT);
    EXPECT_EQ(r, s->side[1].error, PLAIT_E_TIMED_OUT);
}

/* Small writes: Nagle's algorithm puts them together, no_nagle does not. */
static void nagle(struct run *r)
{
    uint64_t packets[2];
    for (unsigned i = 0; i < 2; i++) {
        struct lab lab;
        const char *spec = FAST;
        const struct side_config c = {.requests = 200,
                                      .request_bytes = 50,
                                      .interval_us = 1000,
                                      .end = END_SHUTDOWN};
        lab_init(&lab, r);
        lab.client_config.nagle = i == 1;
        lab_open(&lab, 1, &spec);
        lab_stream(&lab, &c, NULL);
        lab_finish(&lab, 10);
        packets[i] = COUNT(lab.client, PacketsOut);
    }
    EXPECT(r, packets[0] >= 200);
    EXPECT(r, packets[1] < 100);
}

/* A receiver acknowledges every second full segment or less often. */
static void delayed_acks(struct run *r)
{
    struct lab lab;
    open_one(&lab, r, "rate=10mbit,delay=10ms");
    upload(&lab, 2 * MB);
    lab_finish(&lab, 10);
    EXPECT(r, COUNT(lab.server, SegsOut) < COUNT(lab.server, SegsIn) * 3 / 4);
    EXPECT(r, COUNT(lab.server, SegsOut) > COUNT(lab.server, SegsIn) / 20);
}

static void small_mtu(struct run *r)
{
    struct lab lab;
    const char *spec = "rate=10mbit,delay=10ms";
    lab_init(&lab, r);
    lab.mtu = 576;
    lab_open(&lab, 1, &spec);
    upload(&lab, 500 * KB);
    lab_finish(&lab, 10);
}

static void mss_cap(struct run *r)
{
    struct lab lab;
    const char *spec = "rate=10mbit,delay=10ms";
    lab_init(&lab, r);
    lab.server_config.mss_max = 600; /* what it offers binds the client */
    lab_open(&lab, 1, &spec);
    upload(&lab, 500 * KB);
    lab_finish(&lab, 10);
    EXPECT(r, lab.path[0].there->link.stats.offered > 500 * KB / 600);
}

/* A hop in the middle with a smaller MTU says so; segments shrink. */
static void path_mtu(struct run *r)
{
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct lab lab;
        const char *spec = "rate=10mbit,delay=10ms";
        lab_init(&lab, r);
        lab.ipv6 = ipv6;
        lab_open(&lab, 1, &spec);
        const struct box *hop = sim_box(lab.sim, &lab.path[0], "mtu:size=1400,dir=there");
        struct stream *s = upload(&lab, 500 * KB);
        lab_finish(&lab, 10);
        EXPECT_RANGE(r, box_stats(hop)->dropped, 1, 20);
        EXPECT(r, COUNT(lab.client, IcmpIn) >= 1);
        EXPECT(r, s->side[1].pause_us < 500000);
    }
}

/* Forged RSTs and SYNs inside the window, but not exact, get a challenge ACK
 * and do no harm (RFC 5961 3.2, 4.2); outside it they get nothing. */
static void forgeries(struct run *r)
{
#define ONCE "forge:dir=there,on=data,after=50,count=1,"
    static const struct {
        const char *box;
        unsigned challenges;
    } rows[] = {{ONCE "flags=rst,shift=20000", 1},
                {ONCE "flags=syn,shift=20000", 1},
                {ONCE "flags=rst,shift=-100000000", 0}};
#undef ONCE
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lab lab;
        open_one(&lab, r, "rate=20mbit,delay=10ms");
        const struct box *forge = sim_box(lab.sim, &lab.path[0], rows[i].box);
        upload(&lab, 1 * MB);
        lab_finish(&lab, 10);
        EXPECT_EQ(r, box_stats(forge)->injected, 1);
        EXPECT_EQ(r, COUNT(lab.server, ChallengeAck), rows[i].challenges);
        EXPECT_EQ(r, lab.server->tally.rst, 0);
    }
}

static void no_options(struct run *r)
{
    struct lab lab;
    const char *spec = "rate=20mbit,delay=10ms,loss=0.5%";
    lab_init(&lab, r);
    lab.client_config.sack = lab.client_config.timestamps = false;
    lab_open(&lab, 1, &spec);
    const struct side_config both = {.send_bytes = 1 * MB};
    lab_stream(&lab, &both, &both);
    lab_finish(&lab, 60);
}

/* Neither SACK nor timestamps, and a queue of a few segments: every flight
 * loses its tail, retransmissions too, and hardly anything that is acknowledged
 * was sent once. The timeout must not stay where the worst moment left it. */
static void queue_of_segments(struct run *r)
{
    struct lab lab;
    const char *spec = "rate=386kbit,queue=5kB";
    lab_init(&lab, r);
    lab.client_config.sack = lab.client_config.timestamps = false;
    lab.client_config.multipath = false;
    lab.client_config.mss_max = 536;
    lab_open(&lab, 1, &spec);
    sim_box(lab.sim, &lab.path[0], "split:dir=there");
    upload(&lab, 400 * KB);
    lab_finish(&lab, 60);
}

/* A firewall that rewrites sequence numbers, so that both wrap early. */
static void sequence_wrap(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 1 * MB};
    open_one(&lab, r, "rate=20mbit,delay=10ms,loss=0.5%");
    const struct box *shift = sim_box(lab.sim, &lab.path[0], "isn:near=4294700000");
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 60);
    EXPECT(r, box_stats(shift)->acted > 100);
    EXPECT_EQ(r, s->side[1].multipath, 1); /* relative numbers: nothing to notice */
}

static void aborted(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 5 * MB};
    const struct side_config s = {.abort_at_read = 500 * KB, .end = END_AFTER_EOF};
    const char *spec = FAST;
    lab_init(&lab, r);
    lab.client_config.multipath = false;
    lab_open(&lab, 1, &spec);
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish_any(&lab, 10);
    EXPECT_EQ(r, st->side[0].error, PLAIT_E_RESET);
    EXPECT(r, lab.server->tally.rst >= 1);
}

/* A handle closed with unread data aborts (RFC 9293 3.10.4, RFC 2525 2.17). */
static void close_unread(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.send_bytes = 100 * KB};
    const struct side_config s = {.send_bytes = 0, .end = END_CLOSE, .read_after_us = 9000000};
    open_one(&lab, r, FAST);
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish_any(&lab, 20);
    EXPECT_EQ(r, st->side[0].error, PLAIT_E_RESET);
}

static void requests(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.requests = 100,
                                  .request_bytes = 750,
                                  .response_bytes = 750,
                                  .interval_us = 50000};
    const struct side_config s = {.respond_to = 750, .respond_bytes = 750, .end = END_AFTER_EOF};
    open_one(&lab, r, "rate=10mbit,delay=10ms");
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish(&lab, 20);
    EXPECT_EQ(r, st->side[0].responses_seen, 100);
    for (unsigned i = 0; i < 100; i++)
        EXPECT_RANGE(r, st->side[0].delay_us[i], 20000, 25000);
}

static void many_connections(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 50 * KB};
    open_one(&lab, r, "rate=100mbit,delay=5ms,queue=2MB");
    for (unsigned i = 0; i < 100; i++)
        lab_stream(&lab, &both, &both);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, COUNT(lab.server, PassiveOpens), 100);
}

const struct scenario scenarios_tcp[] = {
    {"tcp", "plain TCP both ways, Multipath TCP switched off", plain_tcp},
    {"long-fat", "slow start, scaling and autotuning fill 50 Mbit/s over 100 ms", long_fat},
    {"super-segments", "segmentation offload out, receive offload in", super_segments},
    {"no-super-segments", "one segment a packet when told so", no_super_segments},
    {"marks", "a router marks where both ends know ECN, and nothing is lost", marks},
    {"one-loss", "a lost segment is found by SACK and mended without a timeout", one_loss},
    {"tail-loss", "the last segments are lost: a probe finds out", tail_loss},
    {"timeout", "the only path is away for 1.5 s", timeout},
    {"reordering", "packets overtake each other", reordering},
    {"random-loss", "random and burst loss", random_loss},
    {"duplication", "packets arrive twice", duplication},
    {"corruption", "bits flip; checksums catch every one", corruption, .dirty = true},
    {"syn-lost", "the first SYN is lost", syn_lost},
    {"synack-lost", "the first SYN/ACK is lost", synack_lost},
    {"zero-window", "a receiver that does not read, and then does", zero_window},
    {"slow-reader", "a receiver slower than the path", slow_reader},
    {"half-close", "one direction ends long before the other", half_close},
    {"simultaneous-close", "both ends close at once", simultaneous_close},
    {"no-data", "opened and closed without a byte", no_data},
    {"refused", "nobody listens", refused},
    {"nobody-answers", "SYNs into the void", nobody_answers},
    {"path-dies", "the only path is gone for good", path_dies},
    {"keepalive", "an idle connection finds out that its peer is gone", keepalive},
    {"nagle", "small writes, put together or not", nagle},
    {"delayed-acks", "how often a receiver acknowledges", delayed_acks},
    {"small-mtu", "an MTU of 576", small_mtu},
    {"mss-cap", "a small MSS offered by the peer", mss_cap},
    {"path-mtu", "a hop with a smaller MTU says so by ICMP", path_mtu},
    {"forgeries", "forged RSTs and SYNs do no harm", forgeries},
    {"no-options", "neither SACK nor timestamps, with loss", no_options},
    {"queue-of-segments", "neither of them, and a queue that loses each flight's tail",
     queue_of_segments},
    {"sequence-wrap", "both sequence spaces wrap around, behind a rewriting firewall",
     sequence_wrap},
    {"abort", "one end aborts plain TCP in the middle", aborted},
    {"close-unread", "closing with data unread resets", close_unread},
    {"requests", "requests and responses, with their delays", requests},
    {"many", "a hundred connections share a link", many_connections},
    {NULL, NULL, NULL},
};
