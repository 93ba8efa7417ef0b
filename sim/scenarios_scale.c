/* SPDX-License-Identifier: MIT
 *
 * Little memory: what a stack does within a small budget, and who gives way
 * when it runs short.
 */
#include "sim/scenario.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define KB 1000u

/* ---- a small budget ------------------------------------------------------------------------ */

/* Fifty kilobytes at each end: no single block may take a budget like that
 * for itself, and neither subflow ends for want of memory. */
static void memory_small(struct run *r)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 500 * KB};
    lab_init(&lab, r);
    lab.client_config.memory_max_bytes = lab.server_config.memory_max_bytes = 50 * KB;
    lab_open_two(&lab, WIFI, LTE);
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, WHY(lab.client, SUBFLOW_CLOSED, NO_MEMORY), 0);
    EXPECT_EQ(r, WHY(lab.server, SUBFLOW_CLOSED, NO_MEMORY), 0);
    run_figure(r, "goodput of 30 Mbit/s in 50 kB", "Mbit/s", side_mbps(&s->side[1]), 0);
    run_require(r, side_mbps(&s->side[1]) > 2);
}

const struct scenario scenarios_scale[] = {
    {"memory-small", "50 kB at each end are enough for two subflows, both ways", memory_small},
    {NULL, NULL, NULL},
};
