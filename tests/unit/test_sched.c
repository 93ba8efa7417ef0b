/* SPDX-License-Identifier: MIT
 *
 * Schedulers are functions of a view: each row is a view and what must come of
 * it. Where one remembers, what it chose is told back to it as the engine does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/sched.h"

enum { PATHS = 4, MSS = 1000, WAIT = PLAIT_SCHED_WAIT };

struct bench {
    const struct plait_sched *sched;
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
    struct plait_sched_path paths[PATHS];
    struct plait_sched_view view;
};

/* Paths with a full segment's size, numbered from 1, in the order given. */
static struct bench bench(const char *name, unsigned count, const struct plait_sched_path *paths)
{
    struct bench b = {.view = {.count = count, .queued_bytes = 1000000, .window_bytes = 1000000}};
    b.sched = sched_find(name, b.state);
    assert_non_null(b.sched);
    for (unsigned i = 0; i < count; i++) {
        b.paths[i] = paths[i];
        b.paths[i].subflow_id = i + 1;
        b.paths[i].order = i;
        b.paths[i].mss_bytes = MSS;
    }
    return b;
}

static struct plait_sched_choice choose(struct bench *b)
{
    b->view.paths = b->paths;
    return b->sched->pick(b->state, &b->view);
}

static int pick(struct bench *b)
{
    return choose(b).path;
}

/* Pick, and bind what was allowed, at most `most` bytes. */
static int carry(struct bench *b, uint64_t most)
{
    struct plait_sched_choice c = choose(b);
    if (c.path >= 0 && b->sched->bound)
        b->sched->bound(b->state, &b->view, (unsigned)c.path,
                        c.bytes && c.bytes < most ? c.bytes : most);
    return c.path;
}

/* ---- all of them ------------------------------------------------------------------ */

static void names_and_options(void **state)
{
    static const char *const good[] = {"default",
                                       "arrival",
                                       "lowest-rtt",
                                       "round-robin",
                                       "round-robin:1000",
                                       "round-robin:strict",
                                       "blest",
                                       "ecf",
                                       "backup",
                                       "round-robin:4,strict",
                                       "backup:stay",
                                       "weighted",
                                       "weighted:1",
                                       "weighted:255,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
                                       "overflow",
                                       "overflow:0",
                                       "overflow:60000",
                                       "redundant",
                                       "redundant:1",
                                       "redundant:1048576"};
    static const char *const bad[] = {"",
                                      "nonesuch",
                                      "lowest",
                                      "lowest-rtt:",
                                      "lowest-rtt:1",
                                      "default:1",
                                      "arrival:1",
                                      "blest:1",
                                      "ecf:1",
                                      "weighted:",
                                      "weighted:0",
                                      "weighted:256",
                                      "weighted:3,",
                                      "weighted:3;1",
                                      "weighted:-1",
                                      "weighted:,1",
                                      "round-robin:0",
                                      "backup:go",
                                      "round-robin:",
                                      "round-robin:1,",
                                      "round-robin:x",
                                      "round-robin:1001",
                                      "overflow:",
                                      "overflow:1,1",
                                      "overflow:60001",
                                      "redundant:0",
                                      "redundant:1048577",
                                      "backup:",
                                      "redundant:1k",
                                      "weighted:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
                                      "weighted:99999999999999999999"};
    uint64_t block[PLAIT_PLUGIN_STATE_MAX / 8];
    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        if (!sched_find(good[i], block))
            fail_msg("%s is not taken", good[i]);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sched_find(bad[i], block))
            fail_msg("'%s' is taken", bad[i]);
    assert_ptr_equal(sched_find("default", block), sched_at(0));
    for (unsigned i = 0; sched_at(i); i++) {
        assert_true(sched_at(i)->state_size <= PLAIT_PLUGIN_STATE_MAX);
        assert_non_null(sched_at(i)->summary);
    }
}

struct row {
    struct plait_sched_path paths[PATHS];
    unsigned count;
    int path;
};

/* What holds for each: none without room, regular paths before backups, those
 * that answer before stale ones, and the better class is waited for. */
static void classes(void **state)
{
    static const struct row rows[] = {
        {.count = 0, .path = WAIT},
        {{{.srtt_us = 10000}}, 1, WAIT},
        {{{.srtt_us = 10000, .room_bytes = MSS}}, 1, 0},
        {{{.srtt_us = 10000, .room_bytes = MSS, .backup = true}, {.srtt_us = 90000}}, 2, WAIT},
        {{{.srtt_us = 10000, .room_bytes = MSS, .backup = true}}, 1, 0},
        {{{.srtt_us = 10000, .room_bytes = MSS, .stale = true},
          {.srtt_us = 90000, .room_bytes = MSS, .backup = true}},
         2,
         1},
        {{{.srtt_us = 10000, .room_bytes = MSS, .stale = true}}, 1, 0},
    };
    (void)state;
    for (unsigned s = 0; sched_at(s); s++) {
        for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct bench b = bench(sched_at(s)->name, rows[i].count, rows[i].paths);
            if (pick(&b) != rows[i].path)
                fail_msg("%s, row %u: path %d", sched_at(s)->name, i, pick(&b));
        }
    }
}

static void lowest_rtt_takes_the_fastest_with_room(void **state)
{
    static const struct plait_sched_path paths[] = {{.srtt_us = 10000},
                                                    {.srtt_us = 30000, .room_bytes = MSS},
                                                    {.srtt_us = 20000, .room_bytes = MSS}};
    struct bench b = bench("lowest-rtt", 3, paths);
    (void)state;
    assert_int_equal(pick(&b), 2);
    b.view.count = 2;
    assert_int_equal(pick(&b), 1);
}

/* ---- turns -------------------------------------------------------------------------- */

static const struct plait_sched_path roomy[PATHS] = {
    {.srtt_us = 10000, .room_bytes = 100 * MSS, .cwnd_bytes = 100 * MSS},
    {.srtt_us = 20000, .room_bytes = 100 * MSS, .cwnd_bytes = 100 * MSS},
    {.srtt_us = 30000, .room_bytes = 100 * MSS, .cwnd_bytes = 100 * MSS}};

static void expect_turns(struct bench *b, const int *turns, unsigned count, uint64_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        int path = carry(b, bytes);
        if (path != turns[i])
            fail_msg("turn %u is of path %d, not %d", i, path, turns[i]);
    }
}

static void round_robin_takes_turns(void **state)
{
    struct bench b = bench("round-robin", 3, roomy), two = bench("round-robin:2", 3, roomy);
    (void)state;
    expect_turns(&b, (const int[]){0, 1, 2, 0, 1, 2}, 6, 990);
    expect_turns(&two, (const int[]){0, 0, 1, 1, 2, 2, 0}, 7, 1000);
    assert_int_equal(choose(&b).bytes, MSS);
    b.paths[0].room_bytes = 0; /* it is passed over, */
    expect_turns(&b, (const int[]){1, 2, 1, 2}, 4, 990);
    b.paths[0].room_bytes = MSS; /* and no more than a turn is made up for */
    expect_turns(&b, (const int[]){0, 1, 2}, 3, 990);
}

static void round_robin_strict_waits(void **state)
{
    struct bench b = bench("round-robin:strict", 2, roomy);
    (void)state;
    expect_turns(&b, (const int[]){0, 1, 0}, 3, 990);
    b.paths[1].room_bytes = 0;
    expect_turns(&b, (const int[]){WAIT, WAIT}, 2, 990);
    b.paths[1].stale = true; /* silent: there is no turn to wait for */
    expect_turns(&b, (const int[]){0, 0}, 2, 990);
    b.paths[1] = roomy[1];
    b.paths[1].subflow_id = 2;
    b.paths[1].mss_bytes = MSS;
    expect_turns(&b, (const int[]){1, 0, 1}, 3, 990);
}

/* A subflow that ends in the middle of its turn, and one that comes. */
static void round_robin_with_other_paths(void **state)
{
    struct bench b = bench("round-robin:10", 2, roomy);
    (void)state;
    expect_turns(&b, (const int[]){0, 0}, 2, 1000);
    b.paths[0].subflow_id = 7;
    b.paths[1].subflow_id = 9;
    expect_turns(&b, (const int[]){0, 0}, 2, 5000);
    expect_turns(&b, (const int[]){1}, 1, 1000);
}

/* ---- shares --------------------------------------------------------------------------- */

static void weighted_shares(void **state)
{
    static const struct {
        const char *name;
        unsigned of100[3];
    } rows[] = {{"weighted:3,1", {60, 20, 20}},
                {"weighted", {33, 33, 33}},
                {"weighted:1,1,8", {10, 10, 80}}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench(rows[i].name, 3, roomy);
        unsigned got[3] = {0};
        for (unsigned n = 0; n < 10000; n++)
            got[carry(&b, 1400)]++;
        for (unsigned k = 0; k < 3; k++)
            assert_in_range(got[k], rows[i].of100[k] * 100 - 10, rows[i].of100[k] * 100 + 50);
    }
}

static void weighted_waits_for_a_busy_path(void **state)
{
    struct bench b = bench("weighted:1,1", 2, roomy);
    uint64_t ahead = 0;
    (void)state;
    b.paths[1].room_bytes = 0;
    while (carry(&b, 1000) == 0)
        ahead += 1000;
    assert_in_range(ahead, 65536, 67000); /* its lead */
    b.paths[1].room_bytes = MSS;
    for (uint64_t made_up = 0; made_up < ahead - 2000; made_up += 1000)
        assert_int_equal(carry(&b, 1000), 1);
    b.paths[1].stale = true; /* silent: it is not waited for, */
    for (unsigned n = 0; n < 1000; n++)
        assert_int_equal(carry(&b, 1000), 0);
    b.paths[1].stale = false; /* and then begins where the other is */
    unsigned got[2] = {0};
    for (unsigned n = 0; n < 100; n++)
        got[carry(&b, 1000)]++;
    assert_in_range(got[1], 45, 55);
}

/* The weights are of addresses: a new subflow between the same has its weight. */
static void weighted_goes_by_order(void **state)
{
    struct bench b = bench("weighted:9,1", 2, roomy);
    unsigned got[2] = {0};
    (void)state;
    b.paths[0].order = 1;
    b.paths[0].subflow_id = 4;
    b.paths[1].order = 0;
    b.paths[1].subflow_id = 5;
    for (unsigned n = 0; n < 1000; n++)
        got[carry(&b, 1000)]++;
    assert_in_range(got[1], 890, 910);
    b.paths[1].order = 3000; /* far beyond what is remembered */
    assert_int_not_equal(carry(&b, 1000), WAIT);
}

/* ---- one path, and another when it must be ---------------------------------------------- */

static void backup_keeps_to_the_first(void **state)
{
    struct bench b = bench("backup", 2, roomy), stay = bench("backup:stay", 2, roomy);
    (void)state;
    b.paths[0].srtt_us = 90000;
    assert_int_equal(carry(&b, MSS), 0);
    b.paths[0].room_bytes = 0;
    assert_int_equal(carry(&b, MSS), WAIT);
    b.paths[0].stale = true;
    assert_int_equal(carry(&b, MSS), 1);
    b.paths[0].stale = false;
    b.paths[0].room_bytes = MSS;
    assert_int_equal(carry(&b, MSS), 0);

    assert_int_equal(carry(&stay, MSS), 0);
    stay.paths[0].stale = true;
    assert_int_equal(carry(&stay, MSS), 1);
    stay.paths[0].stale = false;
    assert_int_equal(carry(&stay, MSS), 1);
    stay.paths[1].room_bytes = 0;
    assert_int_equal(carry(&stay, MSS), WAIT);
    stay.paths[1].stale = true;
    assert_int_equal(carry(&stay, MSS), 0);
}

/* What another path could bring sooner, and what only another can bring. */
static void backup_and_overflow_reinject_only_what_is_lost(void **state)
{
    static const char *const names[] = {"backup", "backup:stay", "overflow"};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct bench b = bench(names[i], 1, roomy + 1);
        b.view.reinject = true;
        b.view.avoid_id = 9;
        assert_int_equal(pick(&b), WAIT);
        b.view.lost = true;
        assert_int_equal(pick(&b), 0);
    }
}

struct overflow_row {
    const char *name;
    struct plait_sched_path first;
    uint64_t queued;
    int path;
};

static void overflow_when_full(void **state)
{
    static const struct overflow_row rows[] = {
        /* 10000 bytes a 20 ms */
        {"overflow", {.srtt_us = 20000, .cwnd_bytes = 10000, .room_bytes = MSS}, 1000000, 0},
        {"overflow", {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 9500}, 30000, 1},
        {"overflow", {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 9500}, 25000, WAIT},
        {"overflow:0", {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 9500}, 1000, 1},
        {"overflow:60",
         {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 9500},
         30000,
         WAIT},
        {"overflow", /* it has only to be paced */
         {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 5000},
         1000000,
         WAIT},
        {"overflow",
         {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 9500, .slow_start = true},
         1000000,
         WAIT},
        {"overflow",
         {.srtt_us = 20000, .cwnd_bytes = 10000, .in_flight_bytes = 9500, .stale = true},
         1000,
         1},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench(rows[i].name, 2, roomy);
        b.paths[0] = rows[i].first;
        b.paths[0].mss_bytes = MSS;
        b.view.queued_bytes = rows[i].queued;
        if (pick(&b) != rows[i].path)
            fail_msg("row %u: path %d", i, pick(&b));
    }
}

/* The third path waits for the second. */
static void overflow_keeps_the_order(void **state)
{
    struct bench b = bench("overflow:0", 3, roomy);
    (void)state;
    b.paths[0].room_bytes = b.paths[1].room_bytes = 0;
    b.paths[0].in_flight_bytes = 100 * MSS;
    assert_int_equal(pick(&b), WAIT);
    b.paths[1].in_flight_bytes = 100 * MSS;
    assert_int_equal(pick(&b), 2);
    b.paths[1].room_bytes = MSS;
    assert_int_equal(pick(&b), 1);
}

/* ---- where bytes arrive first ---------------------------------------------------- */

/* F: 20 ms, 1000 bytes a ms, without room; S: 150 ms, 250 bytes a ms. A segment on
 * S is there after 77 ms, half of the round trip but for the 4 ms of sending it;
 * word of it comes back over F in 9.5 ms. F brings 86500 bytes meanwhile, and S's
 * own of the time are 576. */
static const struct plait_sched_path near_far[PATHS] = {{.srtt_us = 20000,
                                                         .rtt_min_us = 20000,
                                                         .rate = 1000000,
                                                         .rate_full = true,
                                                         .cwnd_bytes = 20 * MSS,
                                                         .in_flight_bytes = 20 * MSS},
                                                        {.srtt_us = 150000,
                                                         .rtt_min_us = 150000,
                                                         .rate = 250000,
                                                         .rate_full = true,
                                                         .cwnd_bytes = 40 * MSS,
                                                         .room_bytes = 40 * MSS}};

static void arrival_within_the_window(void **state)
{
    static const struct {
        uint64_t span, far_in_flight;
        int path;
        uint64_t bytes;
    } rows[] = {
        {87075, 0, WAIT, 0},                                  /* F would be kept from sending */
        {87076, 0, 1, MSS},                                   /* just not */
        {91674, 0, 1, MSS},           {91675, 0, 1, 2 * MSS}, /* the second is 4 ms later */
        {235082, 0, 1, 16 * MSS},     {235083, 0, 1, 32 * MSS},
        {1000000, 0, 1, 32 * MSS},    /* more would wait on S */
        {1000000, 40000, 1, 8 * MSS}, /* as the last of these do */
        {1000000, 47875, 1, MSS},     /* a round trip's 37500 and a quarter, and two segments */
        {1000000, 47876, WAIT, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench("arrival", 2, near_far);
        b.view.more = true;
        b.view.now_us = 1000000;
        b.view.span_bytes = rows[i].span;
        b.paths[1].in_flight_bytes = rows[i].far_in_flight;
        b.paths[1].srtt_us = 300000;
        struct plait_sched_choice c = choose(&b);
        if (c.path != rows[i].path || (c.path == 1 && c.bytes != rows[i].bytes))
            fail_msg("row %u: path %d, %llu bytes", i, c.path, (unsigned long long)c.bytes);
        b.view.reinject = true; /* late as it is */
        assert_int_equal(pick(&b), 1);
    }
}

/* What S was given of late is before the next segment: that one is later by as much, and
 * F brings so much more meanwhile. */
static void arrival_spaces_what_the_slow_path_gets(void **state)
{
    struct bench b = bench("arrival", 2, near_far);
    (void)state;
    b.view.more = true;
    b.view.span_bytes = 91500;
    assert_int_equal(pick(&b), 1);
    b.paths[1].srtt_us = 160000;
    b.paths[1].queue_us = 4000;
    assert_int_equal(pick(&b), 1);
    b.paths[1].queue_us = 4500;
    assert_int_equal(pick(&b), WAIT);
    b.paths[1].rate_full = false; /* its rate may be more: nobody knows what is before it */
    assert_int_equal(pick(&b), 1);
}

/* Every 8 seconds S's queue is let run dry: for a round trip and a half, and two
 * segments of 4 ms, it gets no more than three quarters of what makes it busy. Not where
 * its round trip is about the shortest: there is no queue. */
static void arrival_lets_queues_run_dry(void **state)
{
    static const struct {
        uint64_t now_us, far_in_flight;
        uint32_t srtt_us;
        int path;
    } rows[] = {{7999999, 40000, 300000, 1},    {8000000, 40000, 300000, WAIT},
                {8000000, 27125, 300000, 1},    {8000000, 27126, 300000, WAIT},
                {8232999, 27126, 300000, WAIT}, {8233000, 27126, 300000, 1},
                {8000000, 40000, 168751, WAIT}, {8000000, 40000, 168750, 1}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench("arrival", 2, near_far);
        b.view.more = true;
        b.view.span_bytes = 1000000;
        b.view.now_us = rows[i].now_us;
        b.paths[1].in_flight_bytes = rows[i].far_in_flight;
        b.paths[1].srtt_us = rows[i].srtt_us;
        if (pick(&b) != rows[i].path)
            fail_msg("row %u: path %d", i, pick(&b));
    }
}

/* F's own next byte is there in 11.5 ms: in the 65.5 ms until S's is, F brings
 * 65500 bytes. */
static void arrival_of_the_end(void **state)
{
    struct bench b = bench("arrival", 2, near_far);
    (void)state;
    b.view.span_bytes = 1000000;
    b.view.queued_bytes = 65500;
    assert_int_equal(pick(&b), WAIT);
    b.view.queued_bytes = 65501;
    assert_int_equal(pick(&b), 1);
    b.view.queued_bytes = 1;
    b.view.more = true; /* it is not the end */
    assert_int_equal(pick(&b), 1);
}

/* S is busy with 39500 bytes: its 37500 of a round trip, and two segments. When
 * the window has only those and a segment left, they are not for F. */
/* The near path may be dead: it was silent for its timeout before the far one spoke. */
static void arrival_answers_where_it_was_asked(void **state)
{
    static const struct {
        uint64_t near_heard_us, queued, in_flight;
        int path;
    } rows[] = {
        {1000000, 750, 0, 1},
        {1000001, 750, 0, 0},   /* just in time */
        {1000000, 16385, 0, 0}, /* worth a try */
        {1000000, 750, MSS, 0}, /* it is being tried */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench("arrival", 2, near_far);
        b.view.now_us = 2000000;
        b.view.span_bytes = 1000000;
        b.view.queued_bytes = rows[i].queued;
        b.paths[0].rto_us = 200000;
        b.paths[0].room_bytes = 10 * MSS;
        b.paths[0].in_flight_bytes = rows[i].in_flight;
        b.paths[0].heard_us = rows[i].near_heard_us;
        b.paths[1].in_flight_bytes = 0;
        b.paths[1].heard_us = 1200001;
        if (pick(&b) != rows[i].path)
            fail_msg("row %u: path %d", i, pick(&b));
    }
}

static void arrival_keeps_window_for_the_slow(void **state)
{
    struct bench b = bench("arrival", 2, near_far);
    (void)state;
    b.view.more = true;
    b.view.span_bytes = 200000;
    b.paths[0].room_bytes = MSS;
    b.view.window_bytes = 40500;
    assert_int_equal(pick(&b), 0);
    b.view.window_bytes = 40499;
    assert_int_equal(pick(&b), 1);
    b.paths[1].in_flight_bytes = 10000;
    assert_int_equal(pick(&b), 0);
    b.view.window_bytes = 30499;
    assert_int_equal(pick(&b), 1);
    b.view.span_bytes = 80000; /* S would cost more than it brings */
    assert_int_equal(pick(&b), 0);
}

/* A queue on F longer than S's way makes S the one where a byte arrives first,
 * as far as is known: a rate that was never limited tells of no queue. */
static void arrival_behind_a_queue(void **state)
{
    struct bench b = bench("arrival", 2, near_far);
    (void)state;
    b.view.more = true;
    b.view.span_bytes = 1000000;
    b.paths[0].room_bytes = MSS;
    b.paths[0].srtt_us = 100000;
    b.paths[0].in_flight_bytes = 85 * MSS; /* there in 76.5 ms */
    assert_int_equal(pick(&b), 0);
    b.paths[0].in_flight_bytes = 86 * MSS;
    assert_int_equal(pick(&b), 1);
    b.paths[0].rate_full = false;
    assert_int_equal(pick(&b), 0);
}

/* ---- waiting for the fast path ------------------------------------------------ */

/* F: 10 segments a 20 ms, without room; S: 80 ms with room: rtts = 4, and
 * X = 1000 * (10 + 1.5) * 4 = 46000. At first lambda is 1.2: 55200 must fit. */
static const struct plait_sched_path fast_slow[PATHS] = {
    {.srtt_us = 20000, .rttvar_us = 5000, .cwnd_bytes = 10 * MSS, .in_flight_bytes = 10 * MSS},
    {.srtt_us = 80000, .rttvar_us = 10000, .cwnd_bytes = 20 * MSS, .room_bytes = 5 * MSS}};

static void blest_estimates(void **state)
{
    static const struct {
        uint64_t span, slow_in_flight;
        int path;
    } rows[] = {
        {56200, 0, 1}, {56199, 0, WAIT}, {66200, 10000, 1}, {66199, 10000, WAIT}, {500, 0, WAIT}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench("blest", 2, fast_slow);
        b.view.span_bytes = rows[i].span;
        b.paths[1].in_flight_bytes = rows[i].slow_in_flight;
        if (pick(&b) != rows[i].path)
            fail_msg("row %u: path %d", i, pick(&b));
        b.paths[0].room_bytes = MSS;
        assert_int_equal(pick(&b), 0);
        b.paths[0].room_bytes = 0;
        b.view.reinject = true; /* late as it is */
        assert_int_equal(pick(&b), 1);
    }
}

/* lambda from 1.2: down to 1.0 without stalls, up to 1.3 with one each RTT_S. */
static void blest_learns(void **state)
{
    struct bench b = bench("blest", 2, fast_slow);
    (void)state;
    b.view.span_bytes = 47000;
    for (unsigned n = 0; n < 20; n++, b.view.now_us += 80000)
        assert_int_equal(pick(&b), WAIT);
    for (unsigned n = 0; n < 5; n++, b.view.now_us += 80000)
        assert_int_equal(pick(&b), 1);
    for (unsigned n = 0; n < 40; n++, b.view.now_us += 80000, b.view.stalls++)
        pick(&b);
    b.view.span_bytes = 60800; /* 46000 * 1.3 + 1000 */
    assert_int_equal(pick(&b), 1);
    b.view.span_bytes--;
    b.view.stalls++;
    b.view.now_us += 80000;
    assert_int_equal(pick(&b), WAIT);
}

/* delta is 10 ms. F is first: (1 + k / 10) * 20 < 90, k < 35; S is late:
 * k / 20 * 80 >= 50, k >= 12.5. Once it waits: (1 + k / 10) * 20 < 112.5. */
static void ecf_inequalities(void **state)
{
    static const struct {
        uint64_t queued;
        int path;
    } rows[] = {{12 * MSS, 1}, {12500, WAIT},   {35 * MSS - 1, WAIT}, {35 * MSS, WAIT},
                {46249, WAIT}, {46250, 1},      {35 * MSS, 1},        {35 * MSS - 1, WAIT},
                {12 * MSS, 1}, {35 * MSS, WAIT}};
    struct bench b = bench("ecf", 2, fast_slow);
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        b.view.queued_bytes = rows[i].queued;
        int path = pick(&b);
        if (path != rows[i].path)
            fail_msg("row %u: path %d", i, path);
    }
    b.view.reinject = true;
    assert_int_equal(pick(&b), 1);
    b.paths[0].room_bytes = MSS;
    assert_int_equal(pick(&b), 0);
}

/* Extreme views end in no overflow or division by zero. */
static void estimates_of_extreme_paths(void **state)
{
    static const struct plait_sched_path paths[] = {
        {.srtt_us = 0, .cwnd_bytes = 1}, {.srtt_us = UINT32_MAX, .room_bytes = 1, .cwnd_bytes = 1}};
    struct bench b = bench("blest", 2, paths), e = bench("ecf", 2, paths);
    (void)state;
    assert_int_equal(pick(&b), 1);
    b.paths[0].srtt_us = 1;
    b.view.span_bytes = UINT32_MAX;
    assert_int_equal(pick(&b), 1);
    b.paths[0].cwnd_bytes = UINT32_MAX;
    assert_int_equal(pick(&b), WAIT);
    assert_int_equal(pick(&e), WAIT);
}

/* ---- copies -------------------------------------------------------------------- */

struct copy_row {
    const char *name;
    uint64_t behind[2], room[2], queued, unacked;
    int path;
    bool copy;
};

static void redundant_copies(void **state)
{
    static const struct copy_row rows[] = {
        {"redundant", {0, 0}, {MSS, MSS}, 9000, 0, 0, false},
        {"redundant", {0, MSS}, {MSS, MSS}, 9000, MSS, 1, true}, /* copies first */
        {"redundant", {0, MSS}, {MSS, 0}, 9000, MSS, 0, false},  /* it does not keep up */
        {"redundant", {MSS, MSS}, {MSS, MSS}, 9000, MSS, 0, true},
        {"redundant", {0, MSS}, {MSS, MSS}, 0, MSS, 1, true},
        {"redundant:8", {0, MSS}, {MSS, MSS}, 6000, 2192, 1, true},
        {"redundant:8", {0, MSS}, {MSS, MSS}, 6000, 2193, 0, false},
        {"redundant:8", {0, MSS}, {0, MSS}, 6000, 2193, 1, false},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b = bench(rows[i].name, 2, roomy);
        for (unsigned k = 0; k < 2; k++) {
            b.paths[k].behind_bytes = rows[i].behind[k];
            b.paths[k].room_bytes = rows[i].room[k];
        }
        b.view.queued_bytes = rows[i].queued;
        b.view.unacked_bytes = rows[i].unacked;
        struct plait_sched_choice c = choose(&b);
        if (c.path != rows[i].path || c.copy != rows[i].copy)
            fail_msg("row %u: path %d, copy %d", i, c.path, c.copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_options),
        cmocka_unit_test(classes),
        cmocka_unit_test(lowest_rtt_takes_the_fastest_with_room),
        cmocka_unit_test(round_robin_takes_turns),
        cmocka_unit_test(round_robin_strict_waits),
        cmocka_unit_test(round_robin_with_other_paths),
        cmocka_unit_test(weighted_shares),
        cmocka_unit_test(weighted_waits_for_a_busy_path),
        cmocka_unit_test(weighted_goes_by_order),
        cmocka_unit_test(backup_keeps_to_the_first),
        cmocka_unit_test(backup_and_overflow_reinject_only_what_is_lost),
        cmocka_unit_test(overflow_when_full),
        cmocka_unit_test(overflow_keeps_the_order),
        cmocka_unit_test(arrival_within_the_window),
        cmocka_unit_test(arrival_spaces_what_the_slow_path_gets),
        cmocka_unit_test(arrival_lets_queues_run_dry),
        cmocka_unit_test(arrival_of_the_end),
        cmocka_unit_test(arrival_answers_where_it_was_asked),
        cmocka_unit_test(arrival_keeps_window_for_the_slow),
        cmocka_unit_test(arrival_behind_a_queue),
        cmocka_unit_test(blest_estimates),
        cmocka_unit_test(blest_learns),
        cmocka_unit_test(ecf_inequalities),
        cmocka_unit_test(estimates_of_extreme_paths),
        cmocka_unit_test(redundant_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
