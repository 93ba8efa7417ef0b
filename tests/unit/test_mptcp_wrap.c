/* SPDX-License-Identifier: MIT
 *
 * Sequence numbers that wrap around while data flows both ways over two lossy
 * paths: the lower half of the data sequence numbers, all 64 bits of them, and
 * the subflows' own numbers with them (RFC 8684 3.3.1). No key can be found
 * that begins just before 2^64, so the numbers are given to both stacks from
 * inside; a box gives the subflows theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/scenario.h"
#include "stack/stack.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB,loss=0.5%"
#define LTE "rate=10mbit,delay=30ms,queue=100kB,loss=0.5%"

enum { BYTES = 3000000 };

static struct {
    uint64_t idsn;
    bool dsn64, checksum, subflows_too;
} now;

static void wrap(struct run *r)
{
    static const char *const near[] = {"isn:near=4294000000", "isn:near=4294900000"};
    const struct side_config both = {.send_bytes = BYTES};
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.dsn64 = lab.server_config.dsn64 = now.dsn64;
    lab.client_config.checksum = now.checksum;
    lab_open_two(&lab, WIFI, LTE);
    lab.client->stack->env.idsn = lab.server->stack->env.idsn = now.idsn;
    for (unsigned i = 0; now.subflows_too && i < 2; i++)
        sim_box(lab.sim, &lab.path[i], near[i]);
    struct stream *s = lab_stream(&lab, &both, &both);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, s->side[0].received, BYTES);
    EXPECT_EQ(r, s->side[1].received, BYTES);
    EXPECT_EQ(r, s->side[0].info.subflows_total, 2);
    EXPECT_EQ(r, s->side[1].multipath, 1);
    EXPECT(r, lab_lesser_share(&lab, true) > 0.02); /* the other one carries some of it */
    EXPECT_EQ(r, (now.dsn64 ? lab.client->tally.dsn32 : lab.client->tally.dsn64), 0);
    EXPECT_EQ(r, (now.dsn64 ? lab.server->tally.ack32 > 10 : lab.server->tally.ack64 > 0), 0);
}

static void wraps_from(uint64_t idsn)
{
    static const struct scenario scenario = {"wrap", "numbers wrap", wrap, .dirty = false};
    for (unsigned variant = 0; variant < 8; variant++) {
        struct run r = {.seed = 1 + variant, .version = 1};
        now.idsn = idsn;
        now.dsn64 = variant & 1;
        now.checksum = variant & 2;
        now.subflows_too = variant & 4;
        if (!scenario_run(&scenario, &r))
            fail_msg("from %llx, variant %u: %s", (unsigned long long)idsn, variant, r.failure);
    }
}

static void lower_half_wraps(void **state)
{
    (void)state;
    wraps_from(UINT32_MAX - 1000000);
    wraps_from(UINT64_C(0x12345678ffffffff));
}

static void all_64_bits_wrap(void **state)
{
    (void)state;
    wraps_from(UINT64_MAX - 1000000);
    wraps_from(UINT64_MAX);
}

static void sign_bits_change(void **state)
{
    (void)state;
    wraps_from(INT32_MAX - 1000000);
    wraps_from(INT64_MAX - 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_half_wraps),
        cmocka_unit_test(all_64_bits_wrap),
        cmocka_unit_test(sign_bits_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
