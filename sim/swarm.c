/* SPDX-License-Identifier: MIT
 *
 * Building a random world from a seed. Every draw comes from one generator in
 * one order, so adding a draw anywhere changes every world after it: that is
 * fine, a seed is only good for the build that printed it.
 */
#include "sim/swarm.h"

#include <stdarg.h>
#include <string.h>

#include "base/addr.h"
#include "sim/spec.h"
#include "sim/swarm_boxes.h"
#include "wire/segment.h"

enum { PATHS_MAX = 4, STREAMS_MAX = 3, SWITCHES_MAX = 2 * STREAMS_MAX, HALF_OPEN_MIN = 16 };

#define SECOND UINT64_C(1000000)
#define HEAL_US (20 * SECOND)

struct world {
    struct sim sim;
    struct prng prng, plugins;
    struct swarm_run *run;
    struct host *client, *server;
    unsigned paths;
    struct iface *client_if[PATHS_MAX], *server_if[PATHS_MAX];
    struct path path[PATHS_MAX];
    struct link_config healed[PATHS_MAX][2];
    bool ipv6, one_server_address, may_fail, fastopen;
    bool crumbs; /* windows lose their scale: a few bytes a round trip */
    uint16_t mtu;
    struct switching {
        struct side *side;
        const char *scheduler;
    } switching[SWITCHES_MAX];
    unsigned switch_count;
};

/* ---- draws ------------------------------------------------------------------------------ */

static uint64_t below(struct world *w, uint64_t n)
{
    return prng_below(&w->prng, n);
}

static uint64_t between(struct world *w, uint64_t least, uint64_t most)
{
    return least + below(w, most - least + 1);
}

static bool percent(struct world *w, unsigned p)
{
    return below(w, 100) < p;
}

/* Each doubling is as likely as the next. */
static uint64_t magnitude(struct world *w, uint64_t least, uint64_t most)
{
    unsigned doublings = 0;
    while (least << doublings < most)
        doublings++;
    unsigned n = (unsigned)below(w, doublings + 1);
    uint64_t high = least << n;
    return between(w, n ? high / 2 : least, high < most ? high : most);
}

static uint32_t pick(struct world *w, const uint32_t *values, unsigned count)
{
    return values[below(w, count)];
}
#define PICK(w, ...)                                                                               \
    pick((w), (const uint32_t[]){__VA_ARGS__},                                                     \
         sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* What the world is like, for who has to look at a failure. */
__attribute__((format(printf, 2, 3))) static void note(struct world *w, const char *format, ...)
{
    if (!w->run->describe)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(w->run->describe, format, args);
    va_end(args);
    fflush(w->run->describe); /* whoever reads it may be about to see a crash */
}

/* ---- links ------------------------------------------------------------------------------ */

static struct link_config random_link(struct world *w)
{
    struct link_config c = {.rate_bps = magnitude(w, 100000, 200000000),
                            .delay_us = (uint32_t)magnitude(w, 100, 300000) - 100,
                            .queue_bytes = magnitude(w, 5000, 2000000)};
    if (c.queue_bytes < 2u * w->mtu) /* else a SYN beside one large packet has no room, ever */
        c.queue_bytes = 2u * w->mtu;
    if (percent(w, 40))
        c.loss_ppm = (uint32_t)below(w, 50000);
    if (percent(w, 20)) {
        c.good_to_bad_ppm = (uint32_t)between(w, 100, 10000);
        c.bad_to_good_ppm = (uint32_t)between(w, 100000, 500000);
        c.loss_bad_ppm = (uint32_t)between(w, 200000, 1000000);
    }
    if (percent(w, 25)) {
        c.reorder_ppm = (uint32_t)below(w, 100000);
        c.reorder_delay_us = (uint32_t)magnitude(w, 100, 100000);
    }
    if (percent(w, 20))
        c.duplicate_ppm = (uint32_t)below(w, 50000);
    if (percent(w, 15))
        c.corrupt_ppm = (uint32_t)below(w, 20000);
    if (percent(w, 20))
        c.jitter_us = (uint32_t)magnitude(w, 100, 50000);
    return c;
}

static struct link_config without_faults(struct link_config c)
{
    c.loss_ppm = c.good_to_bad_ppm = c.bad_to_good_ppm = c.loss_bad_ppm = 0;
    c.reorder_ppm = c.duplicate_ppm = c.corrupt_ppm = 0;
    return c;
}

/* ---- hosts ------------------------------------------------------------------------------ */

static const char *random_cc(struct world *w)
{
    unsigned n = 0;
    while (plait_cc_at(n))
        n++;
    return plait_cc_at((unsigned)below(w, n))->name;
}

static struct plait_config random_config(struct world *w)
{
    struct plait_config c;
    plait_config_default(&c);
    c.multipath = !percent(w, 8);
    c.version = (enum plait_version)PICK(w, PLAIT_VERSION_AUTO, PLAIT_VERSION_AUTO, PLAIT_VERSION_1,
                                         PLAIT_VERSION_0, PLAIT_VERSION_0);
    c.version_fallback = percent(w, 40);
    c.fastclose_ack = percent(w, 40);
    c.checksum = percent(w, 25);
    c.dsn64 = percent(w, 20);
    c.data_ack64 = percent(w, 20);
    c.announce = percent(w, 50);
    c.client_announces = percent(w, 25);
    c.client_opens = !percent(w, 10);
    c.server_opens = percent(w, 20);
    c.no_join_initial = percent(w, 10);
    c.nagle = percent(w, 50);
    c.timestamps = !percent(w, 15);
    c.sack = !percent(w, 15);
    c.pacing = percent(w, 50);
    c.cc = random_cc(w);
    if (percent(w, 60)) {
        c.send_buffer_bytes = (uint32_t)magnitude(w, 4000, 1000000);
        c.send_buffer_max_bytes = c.send_buffer_bytes * PICK(w, 1, 1, 2, 8);
    }
    if (percent(w, 60)) {
        c.recv_buffer_bytes = (uint32_t)magnitude(w, 4000, 1000000);
        c.recv_buffer_max_bytes = c.recv_buffer_bytes * PICK(w, 1, 1, 2, 8);
    }
    if (percent(w, 40))
        c.burst_max_bytes = PICK(w, 0, 3000, 10000, 65000);
    if (percent(w, 25))
        c.mss_max = (uint16_t)PICK(w, 300, 536, 1000, 1400);
    c.subflows_wanted = (uint16_t)between(w, 0, 4);
    c.data_retries = (uint8_t)between(w, 10, 15);
    c.stale_timeouts = (uint8_t)between(w, 1, 4);
    c.keepalive_idle_us = (uint32_t)(between(w, 30, 60) * SECOND); /* a SYN cookie lasts longer */
    c.time_wait_us = (uint32_t)(between(w, 60, 120) * SECOND);
    c.delack_us = PICK(w, 5000, 40000, 200000);
    c.break_timeout_us = (uint32_t)(between(w, 40, 90) * SECOND);
    c.add_addr_timeout_us = (uint32_t)(between(w, 1, 30) * SECOND);
    c.heuristics = (unsigned)prng_below(&w->plugins, PLAIT_HEURISTICS_ALL + 1);
    c.ecn = (enum plait_ecn)prng_below(&w->plugins, PLAIT_ECN_NEVER + 1);
    if (percent(w, 8)) {
        c.memory_max_bytes = magnitude(w, 100000, 4000000);
        w->may_fail = true;
    }
    if (percent(w, 20))
        c.held_max_bytes = magnitude(w, 40000, 4000000);
    if (percent(w, 20))
        c.conn_held_max_bytes = magnitude(w, 32768, 1000000);
    return c;
}

static void random_handshakes(struct world *w, struct plait_config *c)
{
    c->syn_cookies =
        PICK(w, PLAIT_SYN_COOKIES_AUTO, PLAIT_SYN_COOKIES_NEVER, PLAIT_SYN_COOKIES_ALWAYS);
    c->key_pool_max = PICK(w, 0, 1, 64);
    c->servers = (uint16_t)PICK(w, 0, 0, 0, 2, 7, 256);
    c->server_id = (uint16_t)(c->servers ? between(w, 1, c->servers) : 0);
    c->threads = (uint16_t)PICK(w, 0, 0, 0, 2, 3);
    c->thread_id = (uint16_t)(c->threads ? between(w, 1, c->threads) : 0);
    c->sleep_us = PICK(w, 0, 1, 1000, 1000000, 5000000);
    c->half_open_max = PICK(w, 1, 2, 256);
    if (c->syn_cookies == PLAIT_SYN_COOKIES_NEVER && c->half_open_max < HALF_OPEN_MIN)
        c->half_open_max = HALF_OPEN_MIN; /* else a race's attempts push each other out */
    c->joins_half_open_max = (uint16_t)PICK(w, 1, 3, 8);
    c->fastopen = w->fastopen || percent(w, 10);
    c->fastopen_pending_max = PICK(w, 0, 1, 256);
    c->fastopen_cookies_max = PICK(w, 0, 1, 2, 64);
    note(w, "cookies %d pool %u half-open %u/%u fastopen %d pending %u kept %u\n", c->syn_cookies,
         c->key_pool_max, c->half_open_max, c->joins_half_open_max, c->fastopen,
         c->fastopen_pending_max, c->fastopen_cookies_max);
}

/* Any of them, as it is or with options. */
static const char *random_scheduler(struct world *w)
{
    static const char *const options[] = {"round-robin:4", "round-robin:2,strict", "backup:stay",
                                          "weighted:3,1",  "weighted:1,20,255",    "overflow:0",
                                          "overflow:500",  "redundant:16",         "redundant:300"};
    enum { OPTIONS = sizeof options / sizeof options[0] };
    unsigned plain = 0;
    while (plait_sched_at(plain))
        plain++;
    uint64_t n = below(w, plain + OPTIONS);
    return n < plain ? plait_sched_at((unsigned)n)->name : options[n - plain];
}

static struct host *random_host(struct world *w, const char *name)
{
    struct plait_config c = random_config(w);
    random_handshakes(w, &c);
    if (percent(w, 60))
        c.scheduler = random_scheduler(w);
    note(w, "%s: scheduler %s\n", name, c.scheduler ? c.scheduler : "default");
    note(w,
         "%s: multipath %d version %d checksum %d dsn64 %d send %u/%u recv %u/%u burst %u mss %u "
         "nagle %d "
         "ts %d sack %d pacing %d cc %s memory %llu held %llu each %llu\n",
         name, c.multipath, c.version, c.checksum, c.dsn64, c.send_buffer_bytes,
         c.send_buffer_max_bytes, c.recv_buffer_bytes, c.recv_buffer_max_bytes, c.burst_max_bytes,
         c.mss_max, c.nagle, c.timestamps, c.sack, c.pacing, c.cc,
         (unsigned long long)c.memory_max_bytes, (unsigned long long)c.held_max_bytes,
         (unsigned long long)c.conn_held_max_bytes);
    struct host *h = sim_host(&w->sim, name, &c);
    if (percent(w, 30))
        h->gro_us = (uint32_t)magnitude(w, 10, 2000);
    h->rx_borrowed = percent(w, 25);
    return h;
}

static struct iface *random_iface(struct world *w, struct host *h, unsigned path, unsigned end)
{
    char text[ADDR_TEXT_MAX];
    struct plait_local local = {.mtu = w->mtu, .backup = percent(w, 10)};
    if (percent(w, 10))
        local.port = (uint16_t)between(w, 6000, 6003);
    snprintf(text, sizeof text, w->ipv6 ? "fd00:%u::%u" : "10.0.%u.%u", path + 1, end);
    addr_parse(text, &local.addr);
    return host_iface_local(h, &local);
}

/* One box or several, most often none. */
static void random_boxes(struct world *w, unsigned path)
{
    char text[BOX_TEXT_MAX];
    for (unsigned n = percent(w, 40) ? (unsigned)between(w, 1, 3) : 0; n; n--) {
        if (swarm_box(&w->prng, HEAL_US, text))
            w->may_fail = true;
        w->crumbs |= strstr(text, "wscale") != NULL;
        sim_box(&w->sim, &w->path[path], text);
        note(w, "box on path %u: %s\n", path + 1, text);
    }
}

static void build_paths(struct world *w)
{
    w->one_server_address = percent(w, 40);
    for (unsigned i = 0; i < w->paths; i++) {
        char text[SPEC_TEXT_MAX];
        struct link_config there = random_link(w), back = there;
        if (percent(w, 30))
            back = random_link(w);
        w->client_if[i] = random_iface(w, w->client, i, 1);
        w->server_if[i] =
            w->one_server_address && i ? w->server_if[0] : random_iface(w, w->server, i, 2);
        if (there.queue_bytes && prng_below(&w->plugins, 2))
            there.mark_bytes = back.mark_bytes = there.queue_bytes / 3;
        w->path[i] = sim_path(&w->sim, w->client_if[i], w->server_if[i], &there, &back);
        w->healed[i][0] = without_faults(there);
        w->healed[i][1] = without_faults(back);
        note(w, "path %u: %s\n", i + 1, link_spec_format(&there, text));
        random_boxes(w, i);
    }
}

/* ---- faults ----------------------------------------------------------------------------- */

static void heal(struct sim *sim, void *ctx)
{
    struct world *w = ctx;
    w->client->memory.fail_ppm = w->server->memory.fail_ppm = 0;
    for (unsigned i = 0; i < w->paths; i++) {
        sim_path_set_up(sim, &w->path[i], true);
        sim_link_configure(sim, w->path[i].there, &w->healed[i][0]);
        sim_link_configure(sim, w->path[i].back, &w->healed[i][1]);
        iface_set_present(w->client_if[i], true);
        iface_set_present(w->server_if[i], true);
    }
}

static void refuse_memory(struct sim *sim, void *ctx)
{
    struct world *w = ctx;
    (void)sim;
    struct host *h = percent(w, 50) ? w->client : w->server;
    h->memory.fail_ppm = (uint32_t)magnitude(w, 1000, 300000);
}

static void plan_faults(struct world *w)
{
    uint64_t start_us = w->sim.started_us;
    for (unsigned i = 0; i < w->paths; i++) {
        for (unsigned n = percent(w, 30) ? (unsigned)between(w, 1, 4) : 0; n; n--) {
            uint64_t at_us = start_us + magnitude(w, 1000, HEAL_US);
            sim_at_path(&w->sim, at_us, &w->path[i], false);
            sim_at_path(&w->sim, at_us + magnitude(w, 1000, 10 * SECOND), &w->path[i], true);
            note(w, "flap: path %u at %llu us\n", i + 1, (unsigned long long)(at_us - start_us));
        }
        if (percent(w, 12)) {
            bool client = percent(w, 70);
            struct iface *f = client ? w->client_if[i] : w->server_if[i];
            uint64_t at_us = start_us + magnitude(w, 1000, HEAL_US);
            sim_at_iface(&w->sim, at_us, f, false);
            sim_at_iface(&w->sim, at_us + magnitude(w, 1000, 10 * SECOND), f, true);
            note(w, "address of path %u (%s) goes at %llu us\n", i + 1,
                 client ? "client" : "server", (unsigned long long)(at_us - start_us));
            w->may_fail = true;
        }
    }
    if (percent(w, 15)) {
        sim_at(&w->sim, start_us + magnitude(w, 1000, HEAL_US), refuse_memory, w);
        note(w, "memory is refused\n");
        w->may_fail = true;
    }
    sim_at(&w->sim, start_us + HEAL_US, heal, w);
}

/* ---- applications ----------------------------------------------------------------------- */

static struct side_config random_side(struct world *w)
{
    struct side_config c = {.send_bytes = magnitude(w, 10000, 500000)};
    if (percent(w, 20))
        c.send_bytes = 0;
    if (percent(w, 40))
        c.write_max = (uint32_t)magnitude(w, 1, 20000);
    if (percent(w, 40))
        c.read_max = (uint32_t)magnitude(w, 1, 20000);
    if (c.write_max && c.write_max < 100)
        c.send_bytes /= 20; /* one byte a call takes its time */
    if (w->crumbs)
        c.send_bytes /= 20;
    if (percent(w, 15))
        c.read_after_us = magnitude(w, 1000, 10 * SECOND);
    if (percent(w, 10))
        c.read_bps = magnitude(w, 50000, 10000000);
    return c;
}

/* One end has done with the connection as soon as it has written; its peer
 * must not send. */
static void random_close(struct world *w, struct side_config *c, struct plait_options *o,
                         struct side_config *peer)
{
    c->end = percent(w, 25) ? END_SHUT_BOTH : END_CLOSE;
    o->linger = c->end == END_CLOSE && percent(w, 40);
    if (o->linger && percent(w, 70))
        o->linger_us = (uint32_t)magnitude(w, 1000, 30 * SECOND);
    else if (o->linger)
        w->may_fail = true; /* it resets */
    peer->send_bytes = 0;
    peer->end = END_AFTER_EOF;
}

static void switch_scheduler(struct sim *sim, void *ctx)
{
    const struct switching *s = ctx;
    if (!s->side->conn)
        return;
    int error = plait_conn_set_scheduler(s->side->conn, s->scheduler, sim->now_us);
    if (error && error != PLAIT_E_NO_MEMORY)
        sim_fail(sim, "no scheduler %s: %s", s->scheduler, plait_error_text(error));
    host_service(s->side->host);
}

/* One end of it takes another scheduler on the way. */
static void random_switch(struct world *w, struct side *side, uint64_t start_us)
{
    struct switching *s = &w->switching[w->switch_count++];
    uint64_t at_us = start_us + magnitude(w, 1000, HEAL_US);
    *s = (struct switching){side, random_scheduler(w)};
    note(w, "scheduler of %s: %s at %llu us\n", side->host->name, s->scheduler,
         (unsigned long long)(at_us - w->sim.started_us));
    sim_at(&w->sim, at_us, switch_scheduler, s);
}

/* The client tries its paths from one of them on, each once. */
static void random_race(struct world *w, struct stream *st)
{
    unsigned first = (unsigned)below(w, w->paths);
    for (unsigned i = 0; i < w->paths; i++) {
        unsigned path = (first + i) % w->paths;
        stream_candidate(st, w->client_if[path], w->server_if[path]);
    }
    st->client_options.race_delay_us = (uint32_t)magnitude(w, 5000, SECOND);
    /* An attempt that loses has had its data delivered by then: an application that
     * wants both takes several connections, which a stream does not. */
    st->client_options.fastopen = PLAIT_FASTOPEN_OFF;
    note(w, "race: from path %u, delay %u us\n", first + 1, st->client_options.race_delay_us);
}

/* From a generator of its own: one more plug-in changes no other draw. */
static void random_plugins(struct world *w, struct plait_options *o)
{
    static const char *const managers[] = {"laminar", "make-before-break", "break-before-make"};
    if (prng_below(&w->plugins, 2))
        o->path_manager = managers[prng_below(&w->plugins, sizeof managers / sizeof *managers)];
    note(w, "path manager %s\n", o->path_manager ? o->path_manager : "default");
}

static void random_stream(struct world *w)
{
    struct side_config c = random_side(w), s = random_side(w);
    struct plait_options client = {0}, server = {0};
    random_plugins(w, &client);
    switch (below(w, 12)) {
    case 0: /* one end gives its handle up and expects nothing */
        random_close(w, &c, &client, &s);
        break;
    case 1:
        random_close(w, &s, &server, &c);
        break;
    case 2:
        c.abort_at_read = s.send_bytes ? between(w, 1, s.send_bytes) : 0;
        w->may_fail = true;
        break;
    case 3:
        s.end = END_ABORT;
        w->may_fail = true;
        break;
    case 4:
    case 5:
        c.end = END_AFTER_EOF;
        break;
    case 6:
    case 7:
        s.end = END_AFTER_EOF;
        break;
    default:
        break;
    }
    note(w, "stream: %llu bytes up, %llu down, ends %d and %d\n", (unsigned long long)c.send_bytes,
         (unsigned long long)s.send_bytes, c.end, s.end);
    uint64_t start_us = w->sim.started_us + (percent(w, 50) ? 0 : magnitude(w, 1000, 5 * SECOND));
    /* Where every address has a way to the server, the stack may choose. */
    bool any = w->one_server_address && percent(w, 50);
    struct stream *st = stream_new(&w->sim, w->client, any ? NULL : w->client_if[0],
                                   w->server_if[0], start_us, &c, &s, &client, &server);
    if (percent(w, 25))
        random_race(w, st);
    for (unsigned i = 0; i < 2; i++)
        if (percent(w, 15))
            random_switch(w, &st->side[i], start_us);
}

/* ---- the run ---------------------------------------------------------------------------- */

static void build(struct world *w)
{
    w->ipv6 = percent(w, 30);
    w->mtu = (uint16_t)(w->ipv6 ? PICK(w, 1280, 1500, 1500, 9000)
                                : PICK(w, 576, 1500, 1500, 1500, 9000));
    w->paths = (unsigned)between(w, 1, PATHS_MAX);
    w->fastopen = percent(w, 40);
    w->client = random_host(w, "client");
    w->server = random_host(w, "server");
    build_paths(w);
    for (unsigned n = (unsigned)between(w, 1, STREAMS_MAX); n; n--)
        random_stream(w);
    plan_faults(w);
}

static struct pcap *capture(struct world *w)
{
    if (!w->run->pcap_path)
        return NULL;
    struct pcap *p = pcap_open(w->run->pcap_path);
    if (!p)
        sim_fail(&w->sim, "%s cannot be written", w->run->pcap_path);
    w->client->pcap = p;
    return p;
}

bool swarm_run(struct swarm_run *r)
{
    struct world w;
    memset(&w, 0, sizeof w);
    w.run = r;
    prng_seed(&w.prng, r->seed);
    prng_seed(&w.plugins, ~r->seed);
    /* Anywhere, also where clocks of 32 bits of milliseconds or microseconds wrap. */
    uint64_t start_us = PICK(&w, 1, 1000000, UINT32_MAX - 3000000);
    if (percent(&w, 20))
        start_us = (UINT64_C(1) << 32) * 1000 - 5 * SECOND;
    sim_init(&w.sim, r->seed, start_us);
    w.sim.check = true;
    w.sim.trace.events = r->events;
    build(&w);
    struct pcap *pcap = capture(&w);
    const struct oracle o = {.deadline_us = start_us + 4000 * SECOND,
                             .release_us = 3000 * SECOND,
                             .must_succeed = !w.may_fail};
    oracle_run(&w.sim, &o);
    r->hash = w.sim.trace.hash;
    r->virtual_us = w.sim.now_us - start_us;
    r->sim_events = w.sim.events;
    sim_free(&w.sim);
    if (pcap && !pcap_close(pcap))
        sim_fail(&w.sim, "the capture could not be written");
    memcpy(r->failure, w.sim.failure, sizeof r->failure);
    return !r->failure[0];
}
