/* SPDX-License-Identifier: MIT
 *
 * Path managers are functions of a view: what must come of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pm/pm.h"

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

struct table {
    struct plait_pm_addr locals[4], remotes[4];
    struct plait_pm_subflow subflows[4];
    struct plait_pm_view view;
    struct plait_pm_news news;
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    uint64_t wake_us;
};

static void table_init(struct table *m, unsigned locals, unsigned remotes, unsigned subflows)
{
    m->view = (struct plait_pm_view){.client = true,
                                     .opens = true,
                                     .news = &m->news,
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

static unsigned decide(const struct plait_pm *pm, struct table *m, enum plait_pm_event event)
{
    m->wake_us = UINT64_MAX;
    return pm->decide(m->state, &m->view, event, m->actions, &m->wake_us);
}

static unsigned table_decide(struct table *m, enum plait_pm_event event)
{
    return decide(&pm_fullmesh, m, event);
}

static void fullmesh_opens_every_missing_pair(void **state)
{
    struct table m = {.locals = {{.addr = V4(10, 0, 0, 1)},
                                 {.addr = V4(10, 0, 1, 1), .id = 1},
                                 {.addr = V6(1), .id = 2}},
                      .remotes = {{.addr = V4(192, 0, 2, 1), .port = 80},
                                  {.addr = V4(192, 0, 2, 2), .port = 8080, .id = 5}},
                      .subflows = {
                          {.local = {V4(10, 0, 0, 1), 1}, .remote = {V4(192, 0, 2, 1), 80}}}};
    (void)state;
    table_init(&m, 3, 2, 1);
    assert_int_equal(table_decide(&m, PLAIT_PM_CONFIRMED), 3); /* no IPv6 address over there */
    assert_int_equal(m.actions[0].remote.port, 8080);
    assert_int_equal(m.actions[0].remote_id, 5);
    m.view.subflow_max = 2;
    assert_int_equal(table_decide(&m, PLAIT_PM_CONFIRMED), 1);
    m.view.opens = false;
    assert_int_equal(table_decide(&m, PLAIT_PM_CONFIRMED), 0);
}

static void fullmesh_leaves_foreign_networks_alone(void **state)
{
    struct table m = {.locals = {{.addr = V4(10, 0, 0, 1), .prefix_len = 24},
                                 {.addr = V4(10, 0, 1, 1), .prefix_len = 24, .id = 1}},
                      .remotes = {{.addr = V4(10, 0, 0, 2)}, {.addr = V4(10, 0, 1, 2), .id = 1}},
                      .subflows = {
                          {.local = {V4(10, 0, 0, 1), 1}, .remote = {V4(10, 0, 0, 2), 80}}}};
    (void)state;
    table_init(&m, 2, 2, 1);
    assert_int_equal(table_decide(&m, PLAIT_PM_REMOTE_ADDED), 1);
    assert_int_equal(m.actions[0].local.id, 1);
    assert_int_equal(m.actions[0].remote_id, 1);
}

static void fullmesh_uses_one_family_an_interface(void **state)
{
    struct table m = {.locals = {{.addr = V4(10, 0, 0, 1), .link = 7},
                                 {.addr = V6(1), .link = 7, .id = 1},
                                 {.addr = V4(10, 0, 1, 1), .link = 8, .id = 2},
                                 {.addr = V6(2), .link = 8, .id = 3}},
                      .remotes = {{.addr = V4(192, 0, 2, 1)}, {.addr = V6(9), .id = 1}},
                      .subflows = {{.local = {V6(1), 1}, .remote = {V6(9), 80}}}};
    (void)state;
    table_init(&m, 4, 2, 1);
    assert_int_equal(table_decide(&m, PLAIT_PM_CONFIRMED), 1);
    assert_int_equal(m.actions[0].local.id, 2);
}

/* ---- after failures ------------------------------------------------------------------ */

static struct table mesh_pair(void)
{
    return (struct table){.locals = {{.addr = V4(10, 0, 0, 1), .id = 3}},
                          .remotes = {{.addr = V4(192, 0, 2, 1), .port = 80, .id = 4}},
                          .news = {.subflow = {.local_id = 3, .remote_id = 4, .outgoing = true}}};
}

static void fullmesh_tries_again_after_a_pause(void **state)
{
    struct table m = mesh_pair();
    (void)state;
    table_init(&m, 1, 1, 0);
    m.news.failure = PLAIT_PM_FAIL_TIMEOUT;
    m.news.subflow.established = true;
    for (uint64_t pause = 500000; pause <= 4000000; pause *= 2) {
        assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
        assert_int_equal(m.wake_us, m.view.now_us + pause);
        m.view.now_us = m.wake_us - 1000;
        assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 0);
        m.view.now_us += 1000;
        assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 1);
    }
    for (int i = 4; i < 64; i++) { /* a dead path is asked every four seconds for a while, */
        assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
        assert_int_equal(m.wake_us, m.view.now_us + 4000000);
        m.view.now_us = m.wake_us;
    }
    assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0); /* then seldom */
    assert_int_equal(m.wake_us, m.view.now_us + 60000000);
    m.news.id = 3;
    assert_int_equal(table_decide(&m, PLAIT_PM_LOCAL_ADDED), 1); /* news: at once */
}

struct failure_row {
    enum plait_pm_failure failure;
    bool told, transient;
    uint8_t reason;
    uint64_t pause_us; /* 0: never */
};

/* RFC 8684 3.6: whether and when to try again follows from the reason. */
static void fullmesh_pauses_by_reason(void **state)
{
    static const struct failure_row rows[] = {
        {PLAIT_PM_FAIL_TIMEOUT, false, true, 0, 500000},
        {PLAIT_PM_FAIL_UNREACHABLE, false, false, 0, 500000},
        {PLAIT_PM_FAIL_LOCAL, false, false, 0, 1000000},
        {PLAIT_PM_FAIL_RESET, false, false, 0, 500000}, /* a NAT's, perhaps */
        {PLAIT_PM_FAIL_REFUSED, false, false, 0, 500000},
        {PLAIT_PM_FAIL_RESET, true, true, 0, 500000},
        {PLAIT_PM_FAIL_RESET, true, true, 2, 500000},
        {PLAIT_PM_FAIL_RESET, true, true, 6, 500000},
        {PLAIT_PM_FAIL_RESET, true, false, 0, 15000000},
        {PLAIT_PM_FAIL_RESET, true, false, 2, 15000000},
        {PLAIT_PM_FAIL_RESET, true, false, 4, 15000000},
        {PLAIT_PM_FAIL_RESET, true, false, 5, 15000000},
        {PLAIT_PM_FAIL_REFUSED, true, false, 1, 0},
        {PLAIT_PM_FAIL_REFUSED, true, false, 3, 0},
        {PLAIT_PM_FAIL_RESET, true, false, 6, 0},
        {PLAIT_PM_FAIL_PROTOCOL, false, false, 1, 0}, /* no MPTCP on that path */
        {PLAIT_PM_FAIL_PROTOCOL, false, true, 6, 500000},
        {PLAIT_PM_FAIL_REMOVED, false, false, 0, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct table m = mesh_pair();
        table_init(&m, 1, 1, 0);
        m.news.failure = rows[i].failure;
        m.news.told = rows[i].told;
        m.news.transient = rows[i].transient;
        m.news.reset_reason = rows[i].reason;
        assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
        assert_int_equal(m.wake_us, rows[i].pause_us ? rows[i].pause_us : UINT64_MAX);
        m.view.now_us += rows[i].pause_us ? rows[i].pause_us : 3600000000;
        assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), rows[i].pause_us != 0);
        m.news.id = 4;
        assert_int_equal(table_decide(&m, PLAIT_PM_REMOTE_ADDED), 1); /* told again */
    }
}

/* More pairs fail than it remembers: none is tried too soon. */
static void fullmesh_forgets_no_pause(void **state)
{
    struct plait_pm_addr remotes[40];
    struct table m = mesh_pair();
    (void)state;
    table_init(&m, 1, 1, 0);
    for (uint8_t i = 0; i < 40; i++)
        remotes[i] =
            (struct plait_pm_addr){.addr = V4(192, 0, 2, i), .port = 80, .id = i, .usable = true};
    m.view.remotes = remotes;
    m.view.remote_count = 40;
    m.view.subflow_max = 100;
    m.news.failure = PLAIT_PM_FAIL_TIMEOUT;
    for (uint8_t i = 0; i < 40; i++) {
        m.news.subflow.remote_id = i;
        table_decide(&m, PLAIT_PM_SUBFLOW_FAILED);
    }
    assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 0);
    assert_int_equal(m.wake_us, 500000);
    m.view.now_us = 499000;
    assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 0);
    m.view.now_us = 500000;
    assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), PLAIT_PM_ACTIONS_MAX);
}

/* An announced address that never answered may be somebody else's. */
static void fullmesh_gives_up_what_never_worked(void **state)
{
    struct table m = mesh_pair();
    (void)state;
    table_init(&m, 1, 1, 0);
    m.news.failure = PLAIT_PM_FAIL_TIMEOUT;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
        m.view.now_us = m.wake_us;
        assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 1);
    }
    assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_FAILED), 0);
    assert_int_equal(m.wake_us, UINT64_MAX);
    m.news.id = 4;
    assert_int_equal(table_decide(&m, PLAIT_PM_REMOTE_ADDED), 1); /* told again */
}

/* The client opens first. */
static void fullmesh_waits_as_a_server(void **state)
{
    struct table m = mesh_pair();
    (void)state;
    table_init(&m, 1, 1, 0);
    m.view.client = false;
    assert_int_equal(table_decide(&m, PLAIT_PM_REMOTE_ADDED), 0);
    assert_int_equal(m.wake_us, m.view.now_us + 1000000);
    m.view.now_us = m.wake_us;
    assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 1);
}

/* A hopeless pair does not keep another from its turn. */
static void fullmesh_tries_the_least_hopeless_first(void **state)
{
    struct table m = {.locals = {{.addr = V4(10, 0, 0, 1), .id = 1},
                                 {.addr = V4(10, 0, 1, 1), .id = 2}},
                      .remotes = {{.addr = V4(192, 0, 2, 1), .port = 80}},
                      .news = {.subflow = {.local_id = 1, .outgoing = true}}};
    (void)state;
    table_init(&m, 2, 1, 0);
    m.view.subflow_max = 1;
    table_decide(&m, PLAIT_PM_SUBFLOW_FAILED);
    m.view.now_us += 10000000;
    assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 1);
    assert_int_equal(m.actions[0].local.id, 2);
}

static void fullmesh_opens_beside_a_silent_subflow(void **state)
{
    struct table m = mesh_pair();
    (void)state;
    m.view.now_us = 0;
    m.subflows[0] = (struct plait_pm_subflow){.subflow_id = 1,
                                              .local_id = 3,
                                              .remote_id = 4,
                                              .local = {m.locals[0].addr, 5000},
                                              .remote = {m.remotes[0].addr, 80},
                                              .established = true,
                                              .outgoing = true,
                                              .silent_since_us = 1000000};
    table_init(&m, 1, 1, 1);
    m.view.now_us = 1000000;
    assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_STALE), 0);
    assert_int_equal(m.wake_us, 4000000);
    m.view.now_us = m.wake_us;
    assert_int_equal(table_decide(&m, PLAIT_PM_TIMER), 1);
    assert_int_equal(m.actions[0].kind, PLAIT_PM_OPEN);

    /* The new one is established: the silent one goes. */
    m.subflows[1] = m.subflows[0];
    m.subflows[1].subflow_id = 2;
    m.subflows[1].local.port = 5001;
    m.subflows[1].silent_since_us = 0;
    m.view.subflow_count = 2;
    m.news.subflow = m.subflows[1];
    assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_ESTABLISHED), 1);
    assert_int_equal(m.actions[0].kind, PLAIT_PM_CLOSE);
    assert_int_equal(m.actions[0].subflow_id, 1);
    assert_int_equal(m.actions[0].reset_reason, 4);

    /* Or the old one answers first: the attempt ends. */
    m.subflows[0].silent_since_us = 0;
    m.subflows[1].established = false;
    m.news.subflow = m.subflows[0];
    assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_RECOVERED), 1);
    assert_int_equal(m.actions[0].subflow_id, 2);
}

/* A NAT shows another address than the peer tells; another port is another
 * place to connect to. */
static void fullmesh_knows_a_peer_by_its_id(void **state)
{
    struct table m = mesh_pair();
    (void)state;
    m.subflows[0] = (struct plait_pm_subflow){.local_id = 3,
                                              .remote_id = 4,
                                              .local = {m.locals[0].addr, 5000},
                                              .remote = {V4(198, 51, 100, 1), 33000}};
    table_init(&m, 1, 1, 1);
    assert_int_equal(table_decide(&m, PLAIT_PM_REMOTE_ADDED), 0);
    m.subflows[0].outgoing = true;
    m.subflows[0].remote = (struct plait_endpoint){m.remotes[0].addr, 8080};
    assert_int_equal(table_decide(&m, PLAIT_PM_REMOTE_ADDED), 1);
}

/* ---- the others ---------------------------------------------------------------------- */

/* Two links at either end; the first subflow runs between the first two addresses. */
static struct table two_by_two(void)
{
    struct table m = {
        .locals = {{.addr = V4(10, 0, 0, 1)}, {.addr = V4(10, 0, 1, 1), .id = 1}},
        .remotes = {{.addr = V4(192, 0, 2, 1), .port = 80},
                    {.addr = V4(192, 0, 2, 2), .port = 80, .id = 5}},
        .subflows = {{.subflow_id = 1,
                      .local = {V4(10, 0, 0, 1), 1},
                      .remote = {V4(192, 0, 2, 1), 80},
                      .established = true,
                      .outgoing = true}},
    };
    return m;
}

static void expect_open(const struct plait_pm_action *a, uint8_t local_id, uint8_t remote_id,
                        bool backup)
{
    assert_int_equal(a->kind, PLAIT_PM_OPEN);
    assert_int_equal(a->local.id, local_id);
    assert_int_equal(a->remote_id, remote_id);
    assert_int_equal(a->backup, backup);
}

static void ndiffports_opens_the_first_pair_again(void **state)
{
    struct table m = two_by_two();
    (void)state;
    table_init(&m, 2, 2, 1);
    m.view.subflow_max = 4;
    assert_int_equal(decide(&pm_ndiffports, &m, PLAIT_PM_CONFIRMED), 3);
    for (unsigned i = 0; i < 3; i++)
        expect_open(&m.actions[i], 0, 0, false);
    m.remotes[0].usable = false; /* the C flag */
    assert_int_equal(decide(&pm_ndiffports, &m, PLAIT_PM_CONFIRMED), 0);
}

static void laminar_uses_each_address_once(void **state)
{
    struct table m = two_by_two();
    (void)state;
    table_init(&m, 2, 2, 1);
    assert_int_equal(decide(&pm_laminar, &m, PLAIT_PM_CONFIRMED), 1);
    expect_open(&m.actions[0], 1, 5, false);
    m.subflows[0].silent_since_us = 1; /* its addresses are free again */
    m.view.now_us = 4000000;
    assert_int_equal(decide(&pm_laminar, &m, PLAIT_PM_TIMER), 2);
}

static void make_before_break_opens_backups(void **state)
{
    struct table m = two_by_two();
    (void)state;
    table_init(&m, 2, 1, 1);
    assert_int_equal(decide(&pm_make_before_break, &m, PLAIT_PM_CONFIRMED), 1);
    expect_open(&m.actions[0], 1, 0, true);
    m.subflows[0].backup = true; /* only a backup is left: the next one is regular */
    assert_int_equal(decide(&pm_make_before_break, &m, PLAIT_PM_CONFIRMED), 1);
    expect_open(&m.actions[0], 1, 0, false);
}

static void break_before_make_waits_for_the_break(void **state)
{
    struct table m = two_by_two();
    (void)state;
    table_init(&m, 2, 1, 1);
    assert_int_equal(decide(&pm_break_before_make, &m, PLAIT_PM_CONFIRMED), 0);
    m.view.now_us = 1000000;
    m.subflows[0].silent_since_us = 1000000;
    assert_int_equal(decide(&pm_break_before_make, &m, PLAIT_PM_SUBFLOW_STALE), 0);
    assert_int_equal(m.wake_us, 4000000); /* it may only be a pause */
    m.view.now_us = m.wake_us;
    assert_int_equal(decide(&pm_break_before_make, &m, PLAIT_PM_TIMER), 1);
    expect_open(&m.actions[0], 1, 0, false);
    /* The new one is there: the silent one goes. */
    m.subflows[1] = (struct plait_pm_subflow){.subflow_id = 2,
                                              .local_id = 1,
                                              .local = {V4(10, 0, 1, 1), 2},
                                              .remote = m.subflows[0].remote,
                                              .established = true,
                                              .outgoing = true};
    m.view.subflow_count = 2;
    m.news.subflow = m.subflows[1];
    assert_int_equal(decide(&pm_break_before_make, &m, PLAIT_PM_SUBFLOW_ESTABLISHED), 1);
    assert_int_equal(m.actions[0].kind, PLAIT_PM_CLOSE);
    assert_int_equal(m.actions[0].subflow_id, 1);
}

/* At the limit nothing else would wake it. */
static void fullmesh_looks_again_when_a_subflow_is_silent(void **state)
{
    struct table m = two_by_two();
    (void)state;
    table_init(&m, 2, 1, 1);
    m.view.subflow_max = 1;
    m.view.now_us = m.subflows[0].silent_since_us = 1000000;
    assert_int_equal(table_decide(&m, PLAIT_PM_SUBFLOW_STALE), 0);
    assert_int_equal(m.wake_us, 4000000);
}

/* People are told what speaks against a pair, in the order of what weighs most. */
static void pairs_that_are_not_opened_have_a_reason(void **state)
{
    struct table m = two_by_two();
    struct plait_pm_action *a = m.actions;
    (void)state;
    table_init(&m, 2, 2, 1);
    unsigned n = decide(&pm_laminar, &m, PLAIT_PM_CONFIRMED);
#define WHY_NOT(pm, l, r) (pm).why_not(m.state, &m.view, a, n, &m.locals[l], &m.remotes[r])
    assert_string_equal(WHY_NOT(pm_laminar, 0, 1), "one of the two is in use");
    assert_string_equal(WHY_NOT(pm_fullmesh, 0, 0), "there is one already");
    assert_string_equal(WHY_NOT(pm_break_before_make, 0, 1), "one at a time");
    m.view.opens = false;
    assert_string_equal(WHY_NOT(pm_fullmesh, 0, 1), "this end opens no subflows");
    m.view.opens = true;
    m.remotes[1].usable = false;
    assert_string_equal(WHY_NOT(pm_fullmesh, 0, 1), "the peer takes no joins there");
#undef WHY_NOT
}

static void signal_tells_every_address_once(void **state)
{
    struct plait_pm_addr locals[40];
    struct table m = two_by_two();
    unsigned told = 0;
    (void)state;
    table_init(&m, 2, 1, 1);
    for (uint8_t i = 0; i < 40; i++)
        locals[i] = (struct plait_pm_addr){.addr = V4(192, 0, 2, i),
                                           .id = i,
                                           .usable = i != 7}; /* 0: the first subflow's */
    m.view.locals = locals;
    m.view.local_count = 40;
    unsigned n = decide(&pm_signal, &m, PLAIT_PM_CONFIRMED);
    for (;; n = decide(&pm_signal, &m, PLAIT_PM_TIMER)) {
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(m.actions[i].kind, PLAIT_PM_ANNOUNCE);
        told += n;
        if (n < PLAIT_PM_ACTIONS_MAX)
            break;
    }
    assert_int_equal(told, 38);
    assert_int_equal(decide(&pm_signal, &m, PLAIT_PM_TIMER), 0);
    m.news.id = 9;
    assert_int_equal(decide(&pm_signal, &m, PLAIT_PM_LOCAL_ADDED), 1);
    assert_int_equal(m.actions[0].local.id, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fullmesh_opens_every_missing_pair),
        cmocka_unit_test(fullmesh_leaves_foreign_networks_alone),
        cmocka_unit_test(fullmesh_uses_one_family_an_interface),
        cmocka_unit_test(fullmesh_tries_again_after_a_pause),
        cmocka_unit_test(fullmesh_pauses_by_reason),
        cmocka_unit_test(fullmesh_forgets_no_pause),
        cmocka_unit_test(fullmesh_gives_up_what_never_worked),
        cmocka_unit_test(fullmesh_waits_as_a_server),
        cmocka_unit_test(fullmesh_tries_the_least_hopeless_first),
        cmocka_unit_test(fullmesh_opens_beside_a_silent_subflow),
        cmocka_unit_test(fullmesh_knows_a_peer_by_its_id),
        cmocka_unit_test(fullmesh_looks_again_when_a_subflow_is_silent),
        cmocka_unit_test(ndiffports_opens_the_first_pair_again),
        cmocka_unit_test(laminar_uses_each_address_once),
        cmocka_unit_test(make_before_break_opens_backups),
        cmocka_unit_test(break_before_make_waits_for_the_break),
        cmocka_unit_test(pairs_that_are_not_opened_have_a_reason),
        cmocka_unit_test(signal_tells_every_address_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
