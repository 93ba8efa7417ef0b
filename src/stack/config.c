/* SPDX-License-Identifier: MIT
 *
 * Defaults, plug-ins by name, and the tables of names that the public API
 * gives out.
 */
#include "stack/stack.h"

#include <errno.h>
#include <string.h>

#include "cc/cc.h"
#include "pm/pm.h"
#include "sched/sched.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

/* DEVIATION: RFC 8684 3.1 and 3.3.1 recommend DSS checksums unless no box on
 * the path changes bytes. They are off unless asked for here or by the peer, as
 * in Linux: they cost a pass over every byte, and RFC 8684 3.7's other signs
 * catch the boxes that change a stream's length. */
void plait_config_default(struct plait_config *config)
{
    *config = (struct plait_config){
        .conns_max = 1 << 20,
        .backlog_max = 1024,
        .half_open_max = 256,
        .half_open_stack_max = 4096,
        .joins_half_open_max = 32,
        .joins_half_open_stack_max = 1024,
        .subflows_max = 32,
        .subflows_wanted = 7,
        .addrs_accepted_max = 8,
        .send_buffer_bytes = 256 * KIB,
        .send_buffer_max_bytes = 16 * MIB,
        .recv_buffer_bytes = 256 * KIB,
        .recv_buffer_max_bytes = 16 * MIB,
        .burst_max_bytes = PLAIT_PAYLOAD_MAX,
        .key_pool_max = 64,
        .fastopen_pending_max = 256,
        .fastopen_cookies_max = 64,
        .multipath = true,
        .version = PLAIT_VERSION_AUTO,
        .destinations_max = 256,
        .destination_hold_us = 60 * 1000 * 1000,
        .announce = true,
        .client_opens = true,
        .joins_accepted = true,
        .nagle = true,
        .timestamps = true,
        .sack = true,
        .pacing = true,
        .capable_syn_retries = 2,
        .syn_retries = 6,
        .synack_retries = 5,
        .data_retries = 15,
        .stale_timeouts = 1,
        .rto_min_us = 200 * 1000,
        .delack_us = 40 * 1000,
        .time_wait_us = 60 * 1000 * 1000,
        .close_timeout_us = 60 * 1000 * 1000,
        .break_timeout_us = 60 * 1000 * 1000,
        .race_delay_us = 250 * 1000,
        .nat_keepalive_us = 600 * 1000 * 1000,
        .sleep_us = 5 * 1000 * 1000,
        .add_addr_timeout_us = 120 * 1000 * 1000,
        .heuristics = PLAIT_OPPORTUNISTIC | PLAIT_GUARD,
    };
}

/* ---- plug-ins by name ---------------------------------------------------------------- */

void setup_defaults(struct mptcp_env *env)
{
    env->cc = cc_at(0);
    env->sched = sched_at(0);
    env->pm = pm_at(0);
}

const struct plait_cc *setup_cc(const struct mptcp_env *env, const char *name)
{
    const struct plait_plugins *p = &env->config.plugins;
    const struct plait_cc *cc = cc_find(name);
    return cc || !p->cc ? cc : p->cc(p->ctx, name);
}

const struct plait_sched *setup_sched(const struct mptcp_env *env, const char *name,
                                      uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8])
{
    const struct plait_plugins *p = &env->config.plugins;
    const struct plait_sched *sched = sched_find(name, state);
    if (sched || !p->scheduler)
        return sched;
    memset(state, 0, PLAIT_PLUGIN_STATE_MAX);
    return p->scheduler(p->ctx, name);
}

static const struct plait_pm *setup_pm(const struct mptcp_env *env, const char *name)
{
    const struct plait_plugins *p = &env->config.plugins;
    const struct plait_pm *pm = pm_find(name);
    return pm || !p->path_manager ? pm : p->path_manager(p->ctx, name);
}

/* ---- what holds for one connection ------------------------------------------------------ */

int setup_resolve(const struct mptcp_env *env, const struct plait_options *options, bool client,
                  struct conn_setup *out)
{
    static const struct plait_options none = {0};
    const struct plait_config *config = &env->config;
    const struct plait_options *o = options ? options : &none;
    const char *cc = o->cc ? o->cc : config->cc;
    const char *sched = o->scheduler ? o->scheduler : config->scheduler;
    const char *pm = o->path_manager ? o->path_manager : config->path_manager;
    *out = (struct conn_setup){
        .client = client,
        .multipath = o->multipath == PLAIT_MULTIPATH_DEFAULT ? config->multipath
                                                             : o->multipath == PLAIT_MULTIPATH_ON,
        .version = o->version ? o->version : config->version,
        .fastopen = o->fastopen == PLAIT_FASTOPEN_DEFAULT ? config->fastopen
                                                          : o->fastopen == PLAIT_FASTOPEN_ON,
        .nagle = config->nagle && !o->no_nagle,
        .linger = o->linger,
        .linger_us = o->linger_us,
        .break_timeout_us = o->break_timeout_us ? o->break_timeout_us : config->break_timeout_us,
        .race_delay_us = o->race_delay_us ? o->race_delay_us : config->race_delay_us,
        .opens = o->opens == PLAIT_OPENS_DEFAULT
                     ? (client ? config->client_opens : config->server_opens)
                     : o->opens == PLAIT_OPENS_ON,
        .no_join_initial = config->no_join_initial || o->no_join_initial,
        .heuristics = (config->heuristics | o->heuristics_on) & ~o->heuristics_off,
        .cc = cc ? setup_cc(env, cc) : env->cc,
        .sched = env->sched,
        .pm = pm ? setup_pm(env, pm) : env->pm,
    };
    if (sched)
        out->sched = setup_sched(env, sched, out->sched_state);
    return out->cc && out->sched && out->pm ? 0 : PLAIT_E_UNKNOWN_NAME;
}

const struct plait_cc *plait_cc_find(const char *name)
{
    return cc_find(name);
}

const struct plait_cc *plait_cc_at(unsigned index)
{
    return cc_at(index);
}

const struct plait_sched *plait_sched_find(const char *name)
{
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
    return sched_find(name, state);
}

const struct plait_sched *plait_sched_at(unsigned index)
{
    return sched_at(index);
}

const struct plait_pm *plait_pm_find(const char *name)
{
    return pm_find(name);
}

const struct plait_pm *plait_pm_at(unsigned index)
{
    return pm_at(index);
}

const char *plait_error_text(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define X(id, value, err, text)                                                                    \
    case value:                                                                                    \
        return text;
        PLAIT_ERRORS(X)
#undef X
    }
    return "unknown error";
}

int plait_error_errno(int error)
{
    switch (error) {
#define X(id, value, err, text)                                                                    \
    case value:                                                                                    \
        return err;
        PLAIT_ERRORS(X)
#undef X
    }
    return 0;
}

const char *plait_counter_name(unsigned i)
{
    static const char *const names[] = {
#define X(name) #name,
        PLAIT_COUNTERS(X)
#undef X
    };
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}
