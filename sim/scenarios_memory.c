/* SPDX-License-Identifier: MIT
 *
 * Scenarios of memory limits: some hoard, many hold little, and these do not
 * notice.
 */
#include "sim/scenario.h"

#define KB 1000u
#define MB 1000000u
#define SECOND 1000000u

enum { SMALL = 40, ASKS = 100, LIMIT = 2 * MB, SAMPLE_US = 10000 };

/* ---- what is held, over time ------------------------------------------------------------ */

struct watch {
    struct host *host;
    uint64_t held_bytes, used_bytes; /* the most that was seen */
};

static void sample(struct sim *sim, void *ctx)
{
    struct watch *w = ctx;
    struct plait_memory m;
    plait_stack_memory(w->host->stack, &m);
    w->held_bytes = m.held_bytes > w->held_bytes ? m.held_bytes : w->held_bytes;
    w->used_bytes = m.used_bytes > w->used_bytes ? m.used_bytes : w->used_bytes;
    if (!stream_all_done(sim))
        sim_at(sim, sim->now_us + SAMPLE_US, sample, w);
}

static void watch(struct lab *lab, struct watch *w, struct host *h)
{
    w->host = h;
    sim_at(lab->sim, lab_at(lab, 0), sample, w);
}

/* ---- a hoarder and many small ones ------------------------------------------------------- */

static void open_fast(struct lab *lab)
{
    const char *spec = "rate=1gbit,delay=5ms,queue=1MB";
    lab_open(lab, 1, &spec);
}

/* SMALL connections ask for 10 KB ten times a second, from one second on: when
 * all are hoarding who will. */
static void small_ones(struct lab *lab, struct stream *streams[SMALL])
{
    const struct side_config c = {.requests = ASKS,
                                  .request_bytes = 1 * KB,
                                  .response_bytes = 10 * KB,
                                  .interval_us = 100000};
    const struct side_config s = {.respond_to = 1 * KB,
                                  .respond_bytes = 10 * KB,
                                  .end = END_AFTER_EOF};
    for (unsigned i = 0; i < SMALL; i++)
        streams[i] = stream_new(lab->sim, lab->client, lab->client_if[0], lab->server_if[0],
                                lab_at(lab, SECOND + i * 1000), &c, &s, NULL, NULL);
}

/* Their slowest answer, but for the first few, which open the windows. */
static uint64_t slowest(struct stream *const streams[SMALL])
{
    uint64_t most = 0;
    for (unsigned i = 0; i < SMALL; i++)
        for (unsigned k = 3; k < ASKS; k++)
            if (streams[i]->side[0].delay_us[k] > most)
                most = streams[i]->side[0].delay_us[k];
    return most;
}

/* The same without hoarders. */
static uint64_t slowest_alone(struct run *r)
{
    struct lab lab;
    struct stream *small[SMALL];
    lab_init(&lab, r);
    open_fast(&lab);
    small_ones(&lab, small);
    lab_finish(&lab, 40);
    return slowest(small);
}

static void small_ones_kept_their_rate(struct run *r, struct stream *const streams[SMALL],
                                       uint64_t alone_us)
{
    uint64_t us = slowest(streams);
    run_figure(r, "slowest answer to the small ones", "ms", (double)us / 1000, 0);
    run_require(r, us <= alone_us * 11 / 10);
    for (unsigned i = 0; i < SMALL; i++)
        EXPECT_EQ(r, streams[i]->side[0].responses_seen, ASKS);
}

/* Its application reads nothing for twelve seconds. */
static void a_reader_hoards(struct run *r)
{
    struct lab lab;
    struct watch w = {0};
    struct stream *small[SMALL];
    uint64_t alone_us = slowest_alone(r);
    lab_init(&lab, r);
    lab.server_config.held_max_bytes = LIMIT;
    lab.server_config.recv_buffer_bytes = 16 * MB;
    open_fast(&lab);
    watch(&lab, &w, lab.server);
    const struct side_config c = {.send_bytes = 10 * MB};
    const struct side_config s = {.end = END_AFTER_EOF, .read_after_us = 12 * SECOND};
    lab_stream(&lab, &c, &s);
    small_ones(&lab, small);
    lab_finish(&lab, 40);
    small_ones_kept_their_rate(r, small, alone_us);
    run_figure(r, "held at most, of 2000 KB", "KB", (double)w.held_bytes / 1000, 0);
    EXPECT_RANGE(r, w.held_bytes, LIMIT / 3, LIMIT * 3 / 4); /* half, and the small ones */
    EXPECT(r, WHY(lab.server, CONN_SQUEEZED, STACK_MEMORY) >= 1);
    EXPECT_EQ(r, COUNT(lab.server, RcvPruned), 0);
}

/* Four write to clients who do not read. */
static void writers_hoard(struct run *r)
{
    struct lab lab;
    struct watch w = {0};
    struct stream *small[SMALL];
    uint64_t alone_us = slowest_alone(r);
    lab_init(&lab, r);
    lab.server_config.memory_max_bytes = 2 * LIMIT;
    lab.server_config.send_buffer_bytes = 16 * MB;
    open_fast(&lab);
    watch(&lab, &w, lab.server);
    const struct side_config c = {.end = END_AFTER_EOF, .read_after_us = 12 * SECOND};
    const struct side_config s = {.send_bytes = 4 * MB};
    for (unsigned i = 0; i < 4; i++)
        lab_stream(&lab, &c, &s);
    small_ones(&lab, small);
    lab_finish(&lab, 60);
    small_ones_kept_their_rate(r, small, alone_us);
    run_figure(r, "held at most, of 2000 KB", "KB", (double)w.held_bytes / 1000, 0);
    EXPECT_RANGE(r, w.held_bytes, LIMIT / 2, LIMIT);
    EXPECT(r, w.used_bytes <= 2 * LIMIT);
    EXPECT(r, WHY(lab.server, CONN_SQUEEZED, STACK_MEMORY) >= 4);
    EXPECT_EQ(r, COUNT(lab.server, DropMemory), 0);
}

/* ---- limits for each ---------------------------------------------------------------------- */

static void each_has_a_limit(struct run *r)
{
    struct lab lab;
    struct watch w = {0};
    const char *spec = "rate=100mbit,delay=10ms,queue=1MB";
    lab_init(&lab, r);
    lab.server_config.conn_held_max_bytes = 100 * KB;
    lab_open(&lab, 1, &spec);
    watch(&lab, &w, lab.server);
    const struct side_config both = {.send_bytes = 5 * MB, .read_bps = 8 * MB};
    lab_stream(&lab, &both, &both);
    lab_finish(&lab, 60);
    run_figure(r, "held at most, of 100 KB", "KB", (double)w.held_bytes / 1000, 0);
    EXPECT_RANGE(r, w.held_bytes, 80 * KB, 100 * KB);
    EXPECT(r, WHY(lab.server, CONN_SQUEEZED, CONN_MEMORY) >= 1);
    EXPECT_EQ(r, EVENTS(lab.server, CONN_PRUNED), 0);
}

/* ---- above the limit ------------------------------------------------------------------------ */

/* Eight connections lose a path in full flow: what comes over the other waits
 * behind what the first one took along, and is more than all may hold. */
static void out_of_order_is_pruned(struct run *r)
{
    struct lab lab;
    struct watch w = {0};
    lab_init(&lab, r);
    lab.server_config.held_max_bytes = 400 * KB;
    lab_open_two(&lab, "rate=50mbit,delay=100ms,queue=1MB", "rate=50mbit,delay=5ms,queue=1MB");
    watch(&lab, &w, lab.server);
    const struct side_config c = {.send_bytes = 3 * MB};
    for (unsigned i = 0; i < 8; i++)
        lab_stream(&lab, &c, NULL);
    sim_at_path(lab.sim, lab_at(&lab, 1000000), &lab.path[0], false);
    sim_at_path(lab.sim, lab_at(&lab, 3000000), &lab.path[0], true);
    lab_finish(&lab, 120);
    run_figure(r, "given up and sent again", "KB", (double)COUNT(lab.server, OfoPruned) / 1000, 0);
    EXPECT(r, WHY(lab.server, CONN_PRUNED, STACK_MEMORY) >= 1);
    EXPECT(r, w.held_bytes <= 8 * 32768 + 400 * KB);
}

const struct scenario scenarios_memory[] = {
    {"memory-reader", "an application does not read, forty others do not notice", a_reader_hoards},
    {"memory-writers", "four peers do not read, forty others do not notice", writers_hoard},
    {"memory-each", "a connection keeps to its own limit, both ways at once", each_has_a_limit},
    {"memory-prune", "more out of order than all may hold: dropped, and sent again",
     out_of_order_is_pruned},
    {NULL, NULL, NULL},
};
