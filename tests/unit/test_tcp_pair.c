/* SPDX-License-Identifier: MIT
 *
 * Two subflows against each other: a swarm of random links, options, sizes
 * and readers. Whatever happens, the streams arrive exact, both ends close
 * without an error, and all memory comes back.
 *
 * With an argument: that seed only, with a word about what it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tcp_pair.h"

enum { SEEDS = 400 };
#define SECONDS(n) ((uint64_t)(n)*1000000)

static uint32_t below(struct pair *p, uint64_t n)
{
    return (uint32_t)prng_below(&p->rng, n);
}

static void randomize_end(struct pair *p, struct pair_end *e)
{
    static const uint8_t options[] = {0, 12, 20, 28};
    static const uint32_t bursts[] = {0, 3000, 20000, PAIR_FLIGHT_MAX * 16 - 101};
    e->config.sack = prng_chance(&p->rng, 850000);
    e->config.timestamps = prng_chance(&p->rng, 800000);
    e->config.pacing = prng_chance(&p->rng, 700000);
    e->config.nagle = prng_chance(&p->rng, 500000);
    e->config.rcv_wscale = (uint8_t)below(p, 15);
    e->config.burst_max_bytes = bursts[below(p, 4)];
    e->config.time_wait_us = (uint32_t)SECONDS(600);
    e->config.mss_max = prng_chance(&p->rng, 200000) ? (uint16_t)(100 + below(p, 1000)) : 0;
    e->config.ooo_pieces_max = prng_chance(&p->rng, 100000) ? 5 : 8192;
    e->option_len = options[below(p, 4)];
    e->total = prng_chance(&p->rng, 200000) ? below(p, 100) : below(p, 400 * 1000);
    e->buffer_bytes =
        prng_chance(&p->rng, 300000) ? 500 + below(p, 10000) : 20000 + below(p, 500000);
    while (e->config.rcv_wscale > 0 && e->buffer_bytes >> e->config.rcv_wscale < 8)
        e->config.rcv_wscale--; /* the owner's duty: a window it can tell */
    e->read_every_us = prng_chance(&p->rng, 300000) ? 1 + below(p, 50000) : 0;
}

static void randomize(struct pair *p)
{
    struct pair_link *l = &p->link;
    l->delay_us = prng_chance(&p->rng, 100000) ? 0 : 1 + below(p, 100000);
    l->loss_ppm = prng_chance(&p->rng, 300000) ? 0 : below(p, 200000);
    l->dup_ppm = prng_chance(&p->rng, 600000) ? 0 : below(p, 100000);
    l->reorder_ppm = prng_chance(&p->rng, 500000) ? 0 : below(p, 400000);
    l->jitter_us = 1 + below(p, 2 * l->delay_us + 1000);
    l->cut_ppm = prng_chance(&p->rng, 300000) ? 0 : prng_chance(&p->rng, 500000) ? 1000000 : 500000;
    l->faults_end_us = p->now_us + SECONDS(20);
    p->fail_ppm = prng_chance(&p->rng, 800000) ? 0 : 500000;
    for (int i = 0; i < 2; i++)
        randomize_end(p, &p->end[i]);
}

static void run_seed(uint64_t seed, bool tell)
{
    static struct pair p;
    pair_init(&p, seed);
    randomize(&p);
    uint32_t iss =
        prng_chance(&p.rng, 500000) ? UINT32_MAX - below(&p, 200000) : (uint32_t)prng_next(&p.rng);
    unsigned controls = 0;
    while (cc_at(controls))
        controls++;
    const struct plait_cc *cc = cc_at(below(&p, controls));
    pair_open(&p, cc, 1500, iss);
    pair_run(&p, SECONDS(3600));
    if (tell)
        for (int i = 0; i < 2; i++) {
            const struct pair_end *e = &p.end[i];
            printf("seed %llu end %d: %s error %d sent %llu/%llu received %llu at %llu ms; "
                   "retransmits %u timeouts %u probes %u spurious %u dsacks %u\n",
                   (unsigned long long)seed, i, tcp_state_name(e->tcp.state), (int)e->error,
                   (unsigned long long)e->bound, (unsigned long long)e->total,
                   (unsigned long long)e->received, (unsigned long long)(p.now_us / 1000),
                   e->tcp.stats.retransmits, e->tcp.stats.timeouts, e->tcp.stats.probes,
                   e->tcp.stats.spurious, e->tcp.stats.dsacks);
        }
    for (int i = 0; i < 2; i++) {
        const struct pair_end *e = &p.end[i];
        if (!e->closed || e->error || e->received != p.end[1 - i].total || !e->fin_seen)
            fail_msg("seed %llu: end %d %s, error %d, received %llu of %llu",
                     (unsigned long long)seed, i, tcp_state_name(e->tcp.state), (int)e->error,
                     (unsigned long long)e->received, (unsigned long long)p.end[1 - i].total);
    }
    pair_free(&p);
}

static void test_swarm(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, false);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        run_seed(strtoull(argv[1], NULL, 10), true);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_swarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
