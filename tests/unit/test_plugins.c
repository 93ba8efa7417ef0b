/* SPDX-License-Identifier: MIT
 *
 * Schedulers are functions of a view: each row is a view and what must come of
 * it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/sched.h"

/* ---- lowest-rtt ------------------------------------------------------------------ */

static int pick(const struct plait_sched_path *paths, unsigned count)
{
    struct plait_sched_view view = {.paths = paths, .count = count};
    return sched_lowest_rtt.pick(NULL, &view).path;
}

static void lowest_rtt_takes_the_fastest_with_room(void **state)
{
    const struct plait_sched_path paths[] = {
        {.srtt_us = 10000, .room_bytes = 0},
        {.srtt_us = 30000, .room_bytes = 1000},
        {.srtt_us = 20000, .room_bytes = 1000},
    };
    (void)state;
    assert_int_equal(pick(paths, 3), 2);
    assert_int_equal(pick(paths, 2), 1);
    assert_int_equal(pick(paths, 1), PLAIT_SCHED_WAIT);
    assert_int_equal(pick(paths, 0), PLAIT_SCHED_WAIT);
}

static void lowest_rtt_keeps_backups_and_stale_paths_for_last(void **state)
{
    const struct plait_sched_path backup[] = {
        {.srtt_us = 10000, .room_bytes = 1000, .backup = true},
        {.srtt_us = 90000, .room_bytes = 0},
    };
    const struct plait_sched_path stale[] = {
        {.srtt_us = 10000, .room_bytes = 1000, .stale = true},
        {.srtt_us = 90000, .room_bytes = 1000, .backup = true},
    };
    (void)state;
    assert_int_equal(pick(backup, 2), PLAIT_SCHED_WAIT); /* the regular one is only busy */
    assert_int_equal(pick(backup, 1), 0);
    assert_int_equal(pick(stale, 2), 1);
    assert_int_equal(pick(stale, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_rtt_takes_the_fastest_with_room),
        cmocka_unit_test(lowest_rtt_keeps_backups_and_stale_paths_for_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
