/* SPDX-License-Identifier: MIT
 *
 * Any Lua text as what a script's functions return, or as the whole script: what
 * comes of it is always something that the engine can do, or trouble.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plug/plug.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_MAX = 2048 };

static const struct plait_pm_addr addrs[] = {
    {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .port = 80, .id = 0, .usable = true},
    {.addr = {PLAIT_IPV4, {10, 0, 2, 1}}, .port = 80, .id = 2, .usable = true}};
static const struct plait_pm_subflow subflow = {.subflow_id = 1, .established = true};

static void need(bool good)
{
    if (!good)
        abort();
}

static void schedule(const struct plait_sched *s)
{
    static const struct plait_sched_path paths[] = {{.subflow_id = 1, .mss_bytes = 1400},
                                                    {.subflow_id = 2, .mss_bytes = 1400}};
    const struct plait_sched_view view = {.paths = paths, .count = 2};
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
    s->begin(state, s->data);
    for (unsigned i = 0; i < 2; i++) {
        struct plait_sched_choice c = s->pick(state, &view);
        need(c.path == PLAIT_SCHED_WAIT || (c.path >= 0 && c.path < 2));
        need(!s->trouble(state).what || c.path == PLAIT_SCHED_WAIT);
        need(!c.copy || s->copies);
        if (s->bound && c.path >= 0)
            s->bound(state, &view, (unsigned)c.path, 1400);
    }
    s->done(state);
}

static void control(const struct plait_cc *cc)
{
    static const struct plait_cc_view flow = {.cwnd_bytes = 14000, .mss_bytes = 1400};
    const struct plait_cc_group group = {.views = &flow, .count = 1};
    const struct plait_cc_ack ack = {.acked_bytes = 1400};
    struct plait_cc_out out = {.cwnd_bytes = 14000, .ssthresh_bytes = 7000};
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
    cc->begin(state, cc->data);
    cc->acked(state, &group, &ack, &out);
    cc->signal(state, &group, PLAIT_CC_LOSS, 5, &out);
    need(out.cwnd_bytes <= INT64_MAX && out.ssthresh_bytes <= INT64_MAX);
    cc->done(state);
}

static void manage(const struct plait_pm *pm)
{
    static const struct plait_pm_news news = {0};
    const struct plait_pm_view view = {.locals = addrs,
                                       .remotes = addrs,
                                       .local_count = 2,
                                       .remote_count = 2,
                                       .subflows = &subflow,
                                       .subflow_count = 1,
                                       .news = &news};
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8] = {0}, wake_us = UINT64_MAX;
    pm->begin(state, pm->data);
    unsigned n = pm->decide(state, &view, PLAIT_PM_TIMER, actions, &wake_us);
    need(n <= PLAIT_PM_ACTIONS_MAX);
    for (unsigned i = 0; i < n; i++) {
        need(actions[i].kind <= PLAIT_PM_WITHDRAW);
        need(actions[i].kind == PLAIT_PM_CLOSE || actions[i].local.usable);
        need(actions[i].kind != PLAIT_PM_OPEN || actions[i].remote.port == 80);
    }
    if (pm->why_not)
        pm->why_not(state, &view, actions, n, &addrs[0], &addrs[1]);
    pm->done(state);
}

/* As each of the three kinds. */
static void try_script(const char *text)
{
    char name[64], error[PLUG_ERROR_MAX];
    int fd = memfd_create("script", 0);
    need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(name, sizeof name, "lua:/proc/self/fd/%d,options", fd);
    struct plugs *plugs = plugs_new(NULL, NULL);
    const struct plait_plugins f = plugs_finder(plugs);
    if (plugs_load(plugs, PLAIT_PLUGIN_SCHEDULER, name, error) == PLUG_OK)
        schedule(f.scheduler(f.ctx, name));
    if (plugs_load(plugs, PLAIT_PLUGIN_CC, name, error) == PLUG_OK)
        control(f.cc(f.ctx, name));
    if (plugs_load(plugs, PLAIT_PLUGIN_PATH_MANAGER, name, error) == PLUG_OK)
        manage(f.path_manager(f.ctx, name));
    plugs_free(plugs);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *before, *behind;
    } forms[] = {{"return { copies = true, pick = function(self, v) return ", "\nend }"},
                 {"local function f(self, own, ack) return ",
                  "\nend return { acked = f, signal = f }"},
                 {"local function f(self, v, event) return ",
                  "\nend return { decide = f, why_not = f }"}};
    char text[TEXT_MAX + 1], whole[TEXT_MAX + 128];
    size_t len = size < TEXT_MAX ? size : TEXT_MAX;
    memcpy(text, data, len);
    text[len] = 0;
    try_script(text);
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(whole, sizeof whole, "%s%s%s", forms[i].before, text, forms[i].behind);
        try_script(whole);
    }
    return 0;
}
