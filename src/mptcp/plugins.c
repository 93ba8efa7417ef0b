/* SPDX-License-Identifier: MIT
 *
 * Which plug-ins a connection has: where they begin and end, and the default
 * that takes the place of one that failed (plait/plugin.h). Congestion controls
 * begin and end with the subflow (tcp/control.c).
 */
#include "mptcp/conn.h"

#include <string.h>

enum { STATE_BYTES = PLAIT_PLUGIN_STATE_MAX };

static void tell(struct plait_conn *c, enum plait_plugin_kind kind,
                 struct plait_plugin_trouble trouble)
{
    static const enum plait_reason why[] = {
        [PLAIT_PLUGIN_ERROR] = PLAIT_WHY_PLUGIN_ERROR,
        [PLAIT_PLUGIN_STEPS] = PLAIT_WHY_PLUGIN_STEPS,
        [PLAIT_PLUGIN_MEMORY] = PLAIT_WHY_PLUGIN_MEMORY,
        [PLAIT_PLUGIN_RESULT] = PLAIT_WHY_PLUGIN_RESULT,
    };
    c->env->counters.PluginFailed++;
    conn_event(c, NULL, PLAIT_EV_PLUGIN_FAILED, why[trouble.what], kind, trouble.line, 0, 0);
}

/* ---- scheduler ---------------------------------------------------------------------- */

static void sched_end(struct plait_conn *c)
{
    if (c->sched && c->sched->done)
        c->sched->done(c->awake->plugins.sched_state);
}

void conn_set_scheduler(struct plait_conn *c, const struct plait_sched *sched,
                        const uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8])
{
    sched_end(c);
    c->sched = sched;
    memcpy(c->awake->plugins.sched_state, state, STATE_BYTES);
    if (sched->begin)
        sched->begin(c->awake->plugins.sched_state, sched->data);
}

bool plugins_sched_failed(struct plait_conn *c)
{
    uint64_t state[STATE_BYTES / 8] = {0};
    struct plait_plugin_trouble trouble = {0};
    if (c->sched->trouble)
        trouble = c->sched->trouble(c->awake->plugins.sched_state);
    if (!trouble.what)
        return false;
    tell(c, PLAIT_PLUGIN_SCHEDULER, trouble);
    conn_set_scheduler(c, c->env->sched, state);
    return true;
}

/* ---- path manager --------------------------------------------------------------------- */

static void pm_end(struct plait_conn *c)
{
    if (c->pm && c->pm->done)
        c->pm->done(c->awake->plugins.pm_state);
}

static void set_pm(struct plait_conn *c, const struct plait_pm *pm)
{
    pm_end(c);
    c->pm = pm;
    memset(c->awake->plugins.pm_state, 0, STATE_BYTES);
    if (pm->begin)
        pm->begin(c->awake->plugins.pm_state, pm->data);
}

bool plugins_pm_failed(struct plait_conn *c)
{
    struct plait_plugin_trouble trouble = {0};
    if (c->pm->trouble)
        trouble = c->pm->trouble(c->awake->plugins.pm_state);
    if (!trouble.what)
        return false;
    tell(c, PLAIT_PLUGIN_PATH_MANAGER, trouble);
    set_pm(c, c->env->pm);
    return true;
}

/* ---- congestion control ---------------------------------------------------------------- */

void conn_set_cc(struct plait_conn *c, const struct plait_cc *cc)
{
    c->cc = cc;
    list_each(sf, &c->subflows, struct subflow, link)
        tcp_set_cc(&sf->tcp, cc);
}

void plugins_check_cc(struct plait_conn *c)
{
    struct plait_plugin_trouble trouble = {0};
    if (!c->cc->trouble)
        return;
    list_each(sf, &c->subflows, struct subflow, link)
        if (!trouble.what)
            trouble = tcp_cc_trouble(&sf->tcp);
    if (!trouble.what)
        return;
    tell(c, PLAIT_PLUGIN_CC, trouble);
    conn_set_cc(c, c->env->cc);
}

/* ---- all of them ------------------------------------------------------------------------ */

void plugins_begin(struct plait_conn *c, const struct conn_setup *setup)
{
    c->cc = setup->cc;
    conn_set_scheduler(c, setup->sched, setup->sched_state);
    set_pm(c, setup->pm);
}

void plugins_end(struct plait_conn *c)
{
    if (!c->awake)
        return;
    sched_end(c);
    pm_end(c);
}

bool plugins_may_sleep(const struct plait_conn *c)
{
    return !c->sched->done && !c->pm->done && !c->cc->done;
}
