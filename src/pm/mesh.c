/* SPDX-License-Identifier: MIT
 *
 * Opening subflows between pairs of addresses, as a rule wants them.
 */
#include "pm/mesh.h"

#include "base/addr.h"

enum { SERVER_WAIT_MS = 1000, SILENT_US = 3000 * 1000 };

/* ---- pairs ---------------------------------------------------------------------------- */

static bool is_pair(const struct plait_pm_view *v, const struct plait_pm_addr *local,
                    const struct plait_pm_addr *remote)
{
    if (addr_same_network(&local->addr, &remote->addr, local->prefix_len))
        return true;
    for (unsigned i = 0; i < v->local_count; i++)
        if (addr_same_network(&v->locals[i].addr, &remote->addr, v->locals[i].prefix_len))
            return false;
    return true;
}

bool mesh_silent(const struct plait_pm_view *v, const struct plait_pm_subflow *s)
{
    return s->silent_since_us && v->now_us - s->silent_since_us >= SILENT_US;
}

/* A NAT may show the peer under another address than the one it tells: the ID
 * is the same. Another port of an address is another place to connect to. */
static bool connects(const struct plait_pm_subflow *s, const struct plait_pm_addr *local,
                     const struct plait_pm_addr *remote)
{
    bool same = addr_equal(&s->remote.addr, &remote->addr) || s->remote_id == remote->id;
    return addr_equal(&s->local.addr, &local->addr) && same &&
           (!s->outgoing || s->remote.port == remote->port);
}

/* Subflows between the two: that answer, or that are silent. */
static unsigned connected(const struct plait_pm_view *v, const struct plait_pm_addr *local,
                          const struct plait_pm_addr *remote, bool answers)
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->subflow_count; i++)
        n += connects(&v->subflows[i], local, remote) && mesh_silent(v, &v->subflows[i]) != answers;
    return n;
}

/* `used`, the local address of a subflow, shares the interface of `local` but
 * not its family. */
static bool other_family(const struct plait_pm_view *v, const struct plait_addr *used,
                         const struct plait_pm_addr *local)
{
    for (unsigned i = 0; local->link && i < v->local_count; i++)
        if (v->locals[i].link == local->link && v->locals[i].addr.family != local->addr.family &&
            addr_equal(&v->locals[i].addr, used))
            return true;
    return false;
}

/* An interface carries, or is about to carry, a subflow of the other family. */
static bool link_taken(const struct plait_pm_view *v, const struct plait_pm_action *actions,
                       unsigned action_count, const struct plait_pm_addr *local)
{
    for (unsigned i = 0; i < v->subflow_count; i++)
        if (other_family(v, &v->subflows[i].local.addr, local))
            return true;
    for (unsigned i = 0; i < action_count; i++)
        if (other_family(v, &actions[i].local.addr, local))
            return true;
    return false;
}

/* ---- decisions --------------------------------------------------------------------------- */

static bool rivals(const struct mesh_rule *rule, const struct plait_pm_subflow *a,
                   const struct plait_pm_subflow *b)
{
    if (a->subflow_id == b->subflow_id || !a->outgoing || !b->outgoing || a->by_hand)
        return false;
    return rule->alone || (!rule->parallel && endpoint_equal(&a->remote, &b->remote) &&
                           addr_equal(&a->local.addr, &b->local.addr));
}

/* One that we opened between the same places (or, if there is to be one alone,
 * anywhere) does not answer, or not yet: the one that does takes its place. */
static void close_rivals(const struct mesh_rule *rule, struct mesh_plan *p)
{
    const struct plait_pm_view *v = p->v;
    for (unsigned i = 0; i < v->subflow_count && p->count < PLAIT_PM_ACTIONS_MAX; i++) {
        const struct plait_pm_subflow *s = &v->subflows[i];
        if (!rivals(rule, s, &v->news->subflow) || (s->established && !s->silent_since_us))
            continue;
        p->actions[p->count++] = (struct plait_pm_action){.kind = PLAIT_PM_CLOSE,
                                                          .subflow_id = s->subflow_id,
                                                          .reset_reason = RST_OUTSTANDING};
    }
}

/* The subflows that count; of one that is silent for too short a time *wake_us
 * learns when it will not. */
static unsigned answering(const struct plait_pm_view *v, uint64_t *wake_us)
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->subflow_count; i++) {
        const struct plait_pm_subflow *s = &v->subflows[i];
        if (mesh_silent(v, s))
            continue;
        n++;
        if (s->silent_since_us && s->silent_since_us + SILENT_US < *wake_us)
            *wake_us = s->silent_since_us + SILENT_US;
    }
    return n;
}

struct pair {
    const struct plait_pm_addr *local, *remote;
    unsigned times; /* that it failed in a row */
};

static bool planned(const struct mesh_plan *p, const struct plait_pm_addr *local,
                    const struct plait_pm_addr *remote)
{
    const struct plait_endpoint at = {remote->addr, remote->port};
    for (unsigned i = 0; i < p->count; i++)
        if (p->actions[i].kind == PLAIT_PM_OPEN &&
            addr_equal(&p->actions[i].local.addr, &local->addr) &&
            endpoint_equal(&p->actions[i].remote, &at))
            return true;
    return false;
}

/* What speaks against a subflow between the two; NULL: nothing. */
static const char *obstacle(const struct mesh_rule *rule, const struct mesh_plan *p,
                            const struct plait_pm_addr *local, const struct plait_pm_addr *remote)
{
    if (!local->usable)
        return "nothing is opened from this address";
    if (!remote->usable)
        return "the peer takes no joins there";
    if (local->addr.family != remote->addr.family)
        return "different IP versions";
    if (!is_pair(p->v, local, remote))
        return "packets to it would leave by another link";
    if (!rule->parallel && (planned(p, local, remote) || connected(p->v, local, remote, true)))
        return "there is one already";
    if (link_taken(p->v, p->actions, p->count, local))
        return "its link has a subflow of the other IP version";
    return rule->allows && !rule->allows(p, local, remote) ? rule->refusal : NULL;
}

/* Of those that may be tried now the one that failed least often, silence
 * counted as a failure, so that no hopeless pair keeps another from its turn. */
static struct pair next_pair(struct mesh *m, const struct mesh_rule *rule,
                             const struct mesh_plan *p)
{
    const struct plait_pm_view *v = p->v;
    struct pair best = {0};
    for (unsigned l = 0; l < v->local_count; l++)
        for (unsigned r = 0; r < v->remote_count; r++) {
            const struct plait_pm_addr *local = &v->locals[l], *remote = &v->remotes[r];
            if (obstacle(rule, p, local, remote) ||
                pm_retry_paused(&m->retry, v, local->id, remote->id, p->wake_us))
                continue;
            unsigned times = pm_retry_times(&m->retry, local->id, remote->id) +
                             connected(v, local, remote, false);
            if (!best.local || times < best.times)
                best = (struct pair){local, remote, times};
        }
    return best;
}

/* The server leaves it to the client to open a pair first. */
static bool waiting(struct mesh *m, const struct plait_pm_view *v, enum plait_pm_event event,
                    uint64_t *wake_us)
{
    if (event == PLAIT_PM_CONFIRMED || event == PLAIT_PM_REMOTE_ADDED ||
        event == PLAIT_PM_LOCAL_ADDED) {
        m->waits = !v->client;
        m->wait_ms = pm_now_ms(v) + SERVER_WAIT_MS;
    }
    uint32_t rest_ms = m->wait_ms - pm_now_ms(v);
    m->waits = m->waits && rest_ms != 0 && rest_ms <= SERVER_WAIT_MS;
    if (m->waits)
        *wake_us = v->now_us + (uint64_t)rest_ms * 1000;
    return m->waits;
}

static void open_pairs(struct mesh *m, const struct mesh_rule *rule, struct mesh_plan *p)
{
    unsigned wanted = rule->alone ? 1 : p->v->subflow_max;
    for (unsigned have = answering(p->v, p->wake_us);
         have < wanted && p->count < PLAIT_PM_ACTIONS_MAX; have++) {
        struct pair pair = next_pair(m, rule, p);
        if (!pair.local)
            break;
        bool backup = rule->backup ? rule->backup(p) : pair.local->backup;
        p->actions[p->count++] =
            (struct plait_pm_action){.kind = PLAIT_PM_OPEN,
                                     .local = *pair.local,
                                     .remote = {pair.remote->addr, pair.remote->port},
                                     .remote_id = pair.remote->id,
                                     .backup = backup || pair.local->backup};
    }
}

unsigned mesh_decide(struct mesh *m, const struct mesh_rule *rule, const struct plait_pm_view *v,
                     enum plait_pm_event event, struct plait_pm_action *actions, uint64_t *wake_us)
{
    struct mesh_plan p = {.v = v, .actions = actions, .wake_us = wake_us};
    if (!v->opens)
        return 0;
    if (event == PLAIT_PM_SUBFLOW_FAILED && v->news->subflow.outgoing)
        pm_retry_note(&m->retry, v);
    pm_retry_news(&m->retry, v, event);
    if (event == PLAIT_PM_SUBFLOW_ESTABLISHED || event == PLAIT_PM_SUBFLOW_RECOVERED)
        close_rivals(rule, &p);
    if (!waiting(m, v, event, wake_us))
        open_pairs(m, rule, &p);
    return p.count;
}

const char *mesh_why_not(struct mesh *m, const struct mesh_rule *rule,
                         const struct plait_pm_view *v, struct plait_pm_action *actions,
                         unsigned count, const struct plait_pm_addr *local,
                         const struct plait_pm_addr *remote)
{
    uint64_t wake_us = UINT64_MAX;
    const struct mesh_plan p = {.v = v, .actions = actions, .count = count, .wake_us = &wake_us};
    if (!v->opens)
        return "this end opens no subflows";
    const char *why = obstacle(rule, &p, local, remote);
    if (why)
        return why;
    if (pm_retry_paused(&m->retry, v, local->id, remote->id, &wake_us))
        return "it failed a short while ago";
    return rule->alone ? "one at a time" : "the limit is reached";
}
