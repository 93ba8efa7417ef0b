/* SPDX-License-Identifier: MIT
 *
 * A program's own plug-ins in a connection: found by name, begun and ended once
 * each, and replaced by plait's default when they fail.
 */
#include "mptcp_trace.h"

enum { BYTES = 1000 };

/* What the plug-ins of a test have in common. */
struct own {
    int begun, done;         /* uses */
    unsigned calls, fail_at; /* the call that fails; 0: none */
};

/* A state block. */
struct use {
    struct own *own;
    struct plait_plugin_trouble trouble;
};

static void begin(void *state, void *data)
{
    struct use *u = state;
    struct own *o = data;
    assert_null(u->own);
    u->own = o;
    o->begun++;
}

static void done(void *state)
{
    struct use *u = state;
    assert_non_null(u->own);
    u->own->done++;
    u->own = NULL;
}

static struct plait_plugin_trouble trouble(const void *state)
{
    return ((const struct use *)state)->trouble;
}

/* Counts; true: this one fails. */
static bool fails(struct use *u)
{
    assert_non_null(u->own);
    assert_int_equal(u->trouble.what, PLAIT_PLUGIN_WORKS);
    if (++u->own->calls != u->own->fail_at)
        return false;
    u->trouble = (struct plait_plugin_trouble){PLAIT_PLUGIN_STEPS, 12};
    return true;
}

static struct plait_sched_choice pick(void *state, const struct plait_sched_view *view)
{
    fails(state);
    return (struct plait_sched_choice){.path = view->count ? 0 : PLAIT_SCHED_WAIT};
}

/* One that fails opens a window without end: nobody is to heed it. */
static void acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                  struct plait_cc_out *out)
{
    struct use *u = state;
    (void)g;
    (void)ack;
    if (!u->trouble.what)
        out->cwnd_bytes = fails(u) ? UINT64_MAX : 5 * 1460;
}

static void signalled(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                      uint64_t now_us, struct plait_cc_out *out)
{
    (void)state;
    (void)g;
    (void)what;
    (void)now_us;
    (void)out;
}

/* A list too long to be one, when it fails. */
static unsigned decide(void *state, const struct plait_pm_view *view, enum plait_pm_event event,
                       struct plait_pm_action *actions, uint64_t *wake_us)
{
    (void)view;
    (void)event;
    (void)actions;
    (void)wake_us;
    fails(state);
    return 0;
}

static struct own own;
static const struct plait_sched my_sched = {.name = "mine",
                                            .data = &own,
                                            .state_size = sizeof(struct use),
                                            .begin = begin,
                                            .done = done,
                                            .trouble = trouble,
                                            .pick = pick};
static const struct plait_cc my_cc = {.name = "mine",
                                      .data = &own,
                                      .state_size = sizeof(struct use),
                                      .begin = begin,
                                      .done = done,
                                      .trouble = trouble,
                                      .acked = acked,
                                      .signal = signalled};
static const struct plait_pm my_pm = {.name = "mine",
                                      .data = &own,
                                      .state_size = sizeof(struct use),
                                      .begin = begin,
                                      .done = done,
                                      .trouble = trouble,
                                      .decide = decide};

static const struct plait_cc *find_cc(void *ctx, const char *name)
{
    assert_ptr_equal(ctx, &own);
    return strcmp(name, "my-cc") == 0 ? &my_cc : NULL;
}

static const struct plait_sched *find_sched(void *ctx, const char *name)
{
    assert_ptr_equal(ctx, &own);
    return strcmp(name, "my-scheduler") == 0 ? &my_sched : NULL;
}

static const struct plait_pm *find_pm(void *ctx, const char *name)
{
    assert_ptr_equal(ctx, &own);
    return strcmp(name, "my-manager") == 0 ? &my_pm : NULL;
}

static struct plait_config config_new(void)
{
    struct plait_config config;
    plait_config_default(&config);
    config.nagle = false;
    config.plugins = (struct plait_plugins){&own, find_cc, find_sched, find_pm};
    own = (struct own){0};
    return config;
}

static void say(struct peer *p, uint32_t len)
{
    static const uint8_t bytes[64 * BYTES];
    assert_int_equal(plait_conn_write(p->t->conn, bytes, len, p->t->now), len);
}

/* What the stack has sent so far is acknowledged. */
static void acknowledge(struct peer *p, uint64_t bytes)
{
    peer_settle(p);
    for (unsigned i = 0; i < 2; i++)
        if (p->flows[i].rcv_nxt)
            peer_data_ack(p, i, 0, bytes);
}

static void expect_failure(const struct peer *p, enum plait_plugin_kind kind)
{
    const struct plait_event *e = &p->event[PLAIT_EV_PLUGIN_FAILED];
    assert_int_equal(p->events[PLAIT_EV_PLUGIN_FAILED], 1);
    assert_int_equal(e->why, PLAIT_WHY_PLUGIN_STEPS);
    assert_int_equal(e->arg[0], kind);
    assert_int_equal(e->arg[1], 12);
    assert_int_equal(peer_counters(p)->PluginFailed, 1);
}

static void names_are_found(void **state)
{
    struct plait_config config = config_new();
    (void)state;
    config.cc = "my-cc";
    config.scheduler = "my-scheduler";
    config.path_manager = "my-manager";
    struct peer *p = peer_new(&config, false);
    assert_string_equal(peer_info(p).scheduler, "mine");
    assert_string_equal(peer_info(p).cc, "mine");
    assert_string_equal(peer_info(p).path_manager, "mine");
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "others", p->t->now),
                     PLAIT_E_UNKNOWN_NAME);
    assert_int_equal(plait_conn_set_cc(p->t->conn, "cubic", p->t->now), 0);
    assert_string_equal(peer_info(p).cc, "cubic");
    peer_free(p);
    assert_int_equal(own.begun, own.done);

    struct plait_stack *stack;
    uint64_t allocated = 0;
    config = config_new();
    config.allocator = (struct plait_allocator){&allocated, trace_alloc, trace_release};
    config.path_manager = "my-scheduler"; /* of another kind */
    assert_int_equal(plait_stack_new(&config, 0, &stack), PLAIT_E_UNKNOWN_NAME);
}

static void a_scheduler_begins_and_ends_with_its_use(void **state)
{
    struct plait_config config = config_new();
    (void)state;
    config.scheduler = "my-scheduler";
    struct peer *p = peer_new(&config, false);
    assert_int_equal(own.begun, 1);
    say(p, BYTES);
    acknowledge(p, BYTES);
    assert_int_not_equal(own.calls, 0);
    assert_int_equal(own.done, 0);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "my-scheduler", p->t->now), 0);
    assert_int_equal(own.begun, 2);
    assert_int_equal(own.done, 1);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "blest", p->t->now), 0);
    assert_int_equal(own.done, 2);
    assert_int_equal(plait_conn_set_scheduler(p->t->conn, "my-scheduler", p->t->now), 0);
    peer_free(p);
    assert_int_equal(own.begun, 3);
    assert_int_equal(own.done, 3);
}

static void the_default_schedules_what_a_failing_one_does_not(void **state)
{
    struct plait_config config = config_new();
    (void)state;
    config.scheduler = "my-scheduler";
    own.fail_at = 2;
    struct peer *p = peer_new(&config, false);
    say(p, BYTES);
    acknowledge(p, BYTES);
    assert_int_equal(p->events[PLAIT_EV_PLUGIN_FAILED], 0);
    say(p, 2 * BYTES);
    peer_settle(p);
    expect_failure(p, PLAIT_PLUGIN_SCHEDULER);
    assert_string_equal(peer_info(p).scheduler, plait_sched_at(0)->name);
    assert_int_equal(own.done, 1);
    acknowledge(p, 3 * BYTES);
    assert_int_equal(peer_info(p).bytes_acked, 3 * BYTES);
    assert_int_equal(own.calls, 2);
    peer_free(p);
    assert_int_equal(own.done, 1);
}

static uint64_t cwnd(const struct peer *p, unsigned i)
{
    struct plait_subflow_info info[8];
    assert_true(plait_conn_subflows(p->t->conn, info, 8) > i);
    return info[i].cwnd_bytes;
}

static void congestion_controls_begin_and_end_with_subflows(void **state)
{
    struct plait_config config = config_new();
    (void)state;
    config.cc = "my-cc";
    struct peer *p = peer_new(&config, false);
    int one = own.begun - own.done;
    peer_join(p, 1);
    peer_data_ack(p, 1, 0, 0);
    peer_settle(p);
    assert_int_equal(own.begun - own.done, one + 1);
    say(p, BYTES);
    acknowledge(p, BYTES);
    assert_int_equal(cwnd(p, 0), 5 * 1460);
    peer_reset(p, 1, 0, false);
    assert_int_equal(own.begun - own.done, one);
    peer_free(p);
    assert_int_equal(own.begun, own.done);
}

static void the_default_controls_where_one_fails(void **state)
{
    struct plait_config config = config_new();
    (void)state;
    config.cc = "my-cc";
    own.fail_at = 2;
    struct peer *p = peer_new(&config, false);
    peer_join(p, 1);
    peer_data_ack(p, 1, 0, 0);
    peer_settle(p);
    say(p, BYTES);
    acknowledge(p, BYTES);
    assert_int_equal(cwnd(p, 0), 5 * 1460);
    say(p, BYTES);
    acknowledge(p, 2 * BYTES);
    expect_failure(p, PLAIT_PLUGIN_CC);
    assert_string_equal(peer_info(p).cc, plait_cc_at(0)->name);
    assert_true(cwnd(p, 0) < 20 * 1460);   /* what it wanted is not heeded */
    assert_int_equal(own.begun, own.done); /* on both subflows */
    peer_free(p);
    assert_int_equal(own.begun, own.done);
}

static void the_default_manages_paths_where_one_fails(void **state)
{
    struct plait_config config = config_new();
    (void)state;
    config.path_manager = "my-manager";
    own.fail_at = 2;
    struct peer *p = peer_new(&config, false);
    assert_int_equal(own.calls, 1); /* CONFIRMED */
    peer_join(p, 1);
    peer_data_ack(p, 1, 0, 0);
    peer_settle(p);
    expect_failure(p, PLAIT_PLUGIN_PATH_MANAGER);
    assert_string_equal(peer_info(p).path_manager, plait_pm_at(0)->name);
    assert_int_equal(own.done, 1);
    peer_free(p);
    assert_int_equal(own.begun, own.done);
}

/* A path manager's mistakes are not the engine's. */
static void what_cannot_be_opened_is_not(void **state)
{
    static const struct plait_endpoint v6 = {{PLAIT_IPV6, {0x20, 1, 0xd, 0xb8, [15] = 1}}, 80};
    static const struct plait_endpoint nowhere = {{PLAIT_NONE, {0}}, 80};
    struct plait_config config = config_new();
    (void)state;
    struct peer *p = peer_new(&config, false);
    struct plait_endpoint own_v6 = {.addr = {PLAIT_IPV6, {0x20, 1, 0xd, 0xb8, [15] = 2}}};
    struct plait_local local = {.addr = own_v6.addr, .mtu = 1500};
    assert_int_equal(plait_stack_add_addr(p->t->stack, &local, p->t->now), 0);
    peer_settle(p);
    struct plait_endpoint us = {.addr = p->us.addr};
    assert_int_equal(plait_conn_open_subflow(p->t->conn, &us, &v6, false, p->t->now),
                     PLAIT_E_INVALID);
    assert_int_equal(plait_conn_open_subflow(p->t->conn, &own_v6, &p->flows[0].at, false,
                                             p->t->now),
                     PLAIT_E_INVALID);
    assert_int_equal(plait_conn_open_subflow(p->t->conn, &us, &nowhere, false, p->t->now),
                     PLAIT_E_INVALID);
    assert_int_equal(peer_settle(p), 0);
    peer_free(p);
}

/* Nothing would end what stands outside of a block that is packed. */
static void connections_with_such_plugins_stay_awake(void **state)
{
    struct plait_config config = config_new();
    struct plait_memory memory;
    (void)state;
    config.sleep_us = MS(10);
    config.cc = "my-cc";
    struct peer *p = peer_new(&config, false);
    peer_wait(p, MS(2000));
    plait_stack_memory(p->t->stack, &memory);
    assert_int_equal(memory.conns_asleep, 0);
    assert_int_equal(plait_conn_set_cc(p->t->conn, "newreno", p->t->now), 0);
    peer_wait(p, MS(2000));
    plait_stack_memory(p->t->stack, &memory);
    assert_int_equal(memory.conns_asleep, 1);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(a_scheduler_begins_and_ends_with_its_use),
        cmocka_unit_test(the_default_schedules_what_a_failing_one_does_not),
        cmocka_unit_test(congestion_controls_begin_and_end_with_subflows),
        cmocka_unit_test(the_default_controls_where_one_fails),
        cmocka_unit_test(the_default_manages_paths_where_one_fails),
        cmocka_unit_test(what_cannot_be_opened_is_not),
        cmocka_unit_test(connections_with_such_plugins_stay_awake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
