/* SPDX-License-Identifier: MIT
 *
 * Schedulers and path managers are functions of a view: each row is a view
 * and what must come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pm/pm.h"
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

/* ---- fullmesh ---------------------------------------------------------------------- */

#define V4(a, b, c, d)                                                                             \
    {                                                                                              \
        PLAIT_IPV4,                                                                                \
        {                                                                                          \
            a, b, c, d                                                                             \
        }                                                                                          \
    }
#define V6(n)                                                                                      \
    {                                                                                              \
        PLAIT_IPV6,                                                                                \
        {                                                                                          \
            0x20, 1, 0x0d, 0xb8, n, [15] = 1                                                       \
        }                                                                                          \
    }

struct mesh {
    struct plait_pm_addr locals[4], remotes[4];
    struct plait_pm_subflow subflows[4];
    struct plait_pm_view view;
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    uint64_t wake_us;
};

static void mesh_init(struct mesh *m, unsigned locals, unsigned remotes, unsigned subflows)
{
    m->view = (struct plait_pm_view){.client = true,
                                     .confirmed = true,
                                     .locals = m->locals,
                                     .remotes = m->remotes,
                                     .subflows = m->subflows,
                                     .local_count = locals,
                                     .remote_count = remotes,
                                     .subflow_count = subflows,
                                     .subflow_max = 8};
    m->wake_us = UINT64_MAX;
    for (unsigned i = 0; i < 4; i++)
        m->locals[i].usable = m->remotes[i].usable = true;
}

static unsigned mesh_decide(struct mesh *m, enum plait_pm_event event)
{
    m->wake_us = UINT64_MAX;
    return pm_fullmesh.decide(m->state, &m->view, event, m->actions, &m->wake_us);
}

static void fullmesh_opens_every_missing_pair(void **state)
{
    struct mesh m = {.locals = {{.addr = V4(10, 0, 0, 1)},
                                {.addr = V4(10, 0, 1, 1), .id = 1},
                                {.addr = V6(1), .id = 2}},
                     .remotes = {{.addr = V4(192, 0, 2, 1), .port = 80},
                                 {.addr = V4(192, 0, 2, 2), .port = 8080, .id = 5}},
                     .subflows = {
                         {.local = {V4(10, 0, 0, 1), 1}, .remote = {V4(192, 0, 2, 1), 80}}}};
    (void)state;
    mesh_init(&m, 3, 2, 1);
    assert_int_equal(mesh_decide(&m, PLAIT_PM_CONFIRMED), 3); /* no IPv6 address over there */
    assert_int_equal(m.actions[0].remote.port, 8080);
    assert_int_equal(m.actions[0].remote_id, 5);
    m.view.subflow_max = 2;
    assert_int_equal(mesh_decide(&m, PLAIT_PM_CONFIRMED), 1);
    m.view.client = false;
    assert_int_equal(mesh_decide(&m, PLAIT_PM_CONFIRMED), 0);
}

static void fullmesh_leaves_foreign_networks_alone(void **state)
{
    struct mesh m = {.locals = {{.addr = V4(10, 0, 0, 1), .prefix_len = 24},
                                {.addr = V4(10, 0, 1, 1), .prefix_len = 24, .id = 1}},
                     .remotes = {{.addr = V4(10, 0, 0, 2)}, {.addr = V4(10, 0, 1, 2), .id = 1}},
                     .subflows = {
                         {.local = {V4(10, 0, 0, 1), 1}, .remote = {V4(10, 0, 0, 2), 80}}}};
    (void)state;
    mesh_init(&m, 2, 2, 1);
    assert_int_equal(mesh_decide(&m, PLAIT_PM_REMOTE_ADDED), 1);
    assert_int_equal(m.actions[0].local.id, 1);
    assert_int_equal(m.actions[0].remote_id, 1);
}

static void fullmesh_uses_one_family_an_interface(void **state)
{
    struct mesh m = {.locals = {{.addr = V4(10, 0, 0, 1), .link = 7},
                                {.addr = V6(1), .link = 7, .id = 1},
                                {.addr = V4(10, 0, 1, 1), .link = 8, .id = 2},
                                {.addr = V6(2), .link = 8, .id = 3}},
                     .remotes = {{.addr = V4(192, 0, 2, 1)}, {.addr = V6(9), .id = 1}},
                     .subflows = {{.local = {V6(1), 1}, .remote = {V6(9), 80}}}};
    (void)state;
    mesh_init(&m, 4, 2, 1);
    assert_int_equal(mesh_decide(&m, PLAIT_PM_CONFIRMED), 1);
    assert_int_equal(m.actions[0].local.id, 2);
}

static void fullmesh_backs_off_after_failures(void **state)
{
    struct mesh m = {.locals = {{.addr = V4(10, 0, 0, 1)}},
                     .remotes = {{.addr = V4(192, 0, 2, 1)}}};
    (void)state;
    mesh_init(&m, 1, 1, 0);
    for (uint64_t pause = 1000000; pause < 60000000; pause *= 2) {
        assert_int_equal(mesh_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
        assert_int_equal(m.wake_us, m.view.now_us + pause);
        m.view.now_us = m.wake_us;
        assert_int_equal(mesh_decide(&m, PLAIT_PM_TIMER), 1);
    }
    assert_int_equal(mesh_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
    assert_int_equal(m.wake_us, m.view.now_us + 60000000);
    assert_int_equal(mesh_decide(&m, PLAIT_PM_LOCAL_ADDED), 1); /* news: at once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_rtt_takes_the_fastest_with_room),
        cmocka_unit_test(lowest_rtt_keeps_backups_and_stale_paths_for_last),
        cmocka_unit_test(fullmesh_opens_every_missing_pair),
        cmocka_unit_test(fullmesh_leaves_foreign_networks_alone),
        cmocka_unit_test(fullmesh_uses_one_family_an_interface),
        cmocka_unit_test(fullmesh_backs_off_after_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
