/* SPDX-License-Identifier: MIT
 *
 * Full mesh: an end that may open subflows (the client, unless configured
 * otherwise) opens one from each of its addresses to each of the peer's,
 * within the limit.
 *
 * Two addresses are a pair unless it is plain that packets would have to
 * leave by another interface: the remote one is on the network of another
 * local address and not on this one's. An interface that carries a subflow of
 * one family gets none of the other: both would share its bottleneck.
 *
 * A pair whose subflow failed is tried again after a pause that depends on why
 * (RFC 8684 3.6 leaves it to us whether, when and how often): see pause_after.
 * News of either address end the pause. A subflow that has been silent for a
 * while may have lost its state in a NAT: another one is opened beside it, and
 * whichever answers stays. An announced address that never answered is left
 * alone after ATTEMPTS, until it is announced again (RFC 8684 3.4.1): it may be
 * somebody else's.
 *
 * The server waits a little before it opens, so that not both ends open the
 * same pair (RFC 8684 3.9.2 recommends a random delay; the roles are enough).
 *
 * Pauses are kept for MEMORY pairs at most. When more fail the one whose pause
 * ends first is forgotten, and nothing that is not remembered is tried before
 * that: there are never more attempts than the pauses allow.
 */
#include "pm/pm.h"

#include "base/addr.h"
#include "base/seq.h"

enum {
    MEMORY = 9,
    ATTEMPTS = 3,
    SERVER_WAIT_MS = 1000,
    SILENT_US = 3000 * 1000,
    PATIENCE = 64, /* attempts, then only every SELDOM_MS */
    SELDOM_MS = 60 * 1000,
    PROVEN_MS = 30 * 1000, /* a subflow that lived so long did not fail in a row */
    LONGEST_MS = 300 * 1000,
    RST_MPTCP = 1, /* RFC 8684 7.4 */
    RST_POLICY = 3,
    RST_OUTSTANDING = 4,
    RST_MIDDLEBOX = 6
};

/* A pair that failed, and when it may be tried again (milliseconds, wrapping). */
struct failed {
    uint8_t local_id, remote_id;
    uint8_t times;   /* in a row; 0: the slot is free */
    bool never : 1;  /* only after news */
    bool worked : 1; /* it was established once */
    uint32_t at_ms;
};

struct fullmesh {
    struct failed failed[MEMORY];
    bool forgot;
    uint32_t forgot_ms; /* unknown pairs are not tried before */
    bool waits;
    uint32_t wait_ms; /* the server opens nothing before */
};

/* ---- pauses ---------------------------------------------------------------------- */

struct pause {
    uint32_t first_ms, most_ms; /* doubling; first 0: never */
};

/* Soon: the path may be back within seconds. Scarce: memory is short, and others
 * need it more. Later: somebody decided so, and might decide again. Never: it
 * would be refused again. */
static const struct pause soon = {500, 4000}, scarce = {1000, 60000}, later = {15000, LONGEST_MS},
                          never = {0, 0};

static struct pause pause_after(const struct plait_pm_news *news)
{
    switch (news->failure) {
    case PLAIT_PM_FAIL_TIMEOUT:
    case PLAIT_PM_FAIL_UNREACHABLE:
    case PLAIT_PM_FAIL_CLOSED:
        return soon;
    case PLAIT_PM_FAIL_LOCAL:
        return scarce;
    case PLAIT_PM_FAIL_REMOVED:
        return never;
    case PLAIT_PM_FAIL_RESET:
    case PLAIT_PM_FAIL_REFUSED:
        if (!news->told) /* by a NAT that lost its state, as likely as by the peer */
            return soon;
        break;
    case PLAIT_PM_FAIL_PROTOCOL:
        break;
    }
    if (news->transient)
        return soon;
    return news->reset_reason == RST_MPTCP || news->reset_reason == RST_POLICY ||
                   news->reset_reason == RST_MIDDLEBOX
               ? never
               : later;
}

static uint32_t pause_ms(const struct pause *p, unsigned times)
{
    uint32_t ms = p->first_ms;
    while (--times && ms < p->most_ms)
        ms *= 2;
    return ms < p->most_ms ? ms : p->most_ms;
}

static uint32_t now_ms(const struct plait_pm_view *v)
{
    return (uint32_t)(v->now_us / 1000);
}

/* ---- memory of failures ------------------------------------------------------------- */

static struct failed *recall(struct fullmesh *m, uint8_t local_id, uint8_t remote_id)
{
    for (unsigned i = 0; i < MEMORY; i++) {
        struct failed *f = &m->failed[i];
        if (f->times && f->local_id == local_id && f->remote_id == remote_id)
            return f;
    }
    return NULL;
}

static bool sooner(const struct failed *a, const struct failed *b)
{
    return a->never == b->never ? seq_lt(a->at_ms, b->at_ms) : b->never;
}

/* A free slot, or that of the pair that may be tried first. */
static struct failed *slot(struct fullmesh *m)
{
    struct failed *best = &m->failed[0];
    for (unsigned i = 0; i < MEMORY; i++) {
        struct failed *f = &m->failed[i];
        if (f->times == 0)
            return f;
        if (sooner(f, best))
            best = f;
    }
    if (!m->forgot || seq_lt(m->forgot_ms, best->at_ms))
        m->forgot_ms = best->at_ms;
    m->forgot = true;
    *best = (struct failed){0};
    return best;
}

static void remember(struct fullmesh *m, const struct plait_pm_view *v)
{
    const struct plait_pm_subflow *s = &v->news->subflow;
    const struct pause p = pause_after(v->news);
    struct failed *f = recall(m, s->local_id, s->remote_id);
    if (!f)
        f = slot(m);
    f->local_id = s->local_id;
    f->remote_id = s->remote_id;
    if (f->times && seq_gt(now_ms(v), f->at_ms + PROVEN_MS))
        f->times = 0;
    f->times = (uint8_t)(f->times < UINT8_MAX ? f->times + 1 : UINT8_MAX);
    f->worked = f->worked || s->established;
    f->never = p.first_ms == 0 || (v->news->failure != PLAIT_PM_FAIL_LOCAL && s->remote_id != 0 &&
                                   !f->worked && f->times >= ATTEMPTS);
    uint32_t ms = f->times > PATIENCE && p.most_ms < SELDOM_MS ? SELDOM_MS : pause_ms(&p, f->times);
    f->at_ms = now_ms(v) + (f->never ? SELDOM_MS : ms);
}

static void forget(struct fullmesh *m, const struct plait_pm_view *v, enum plait_pm_event event)
{
    bool local = event == PLAIT_PM_LOCAL_ADDED || event == PLAIT_PM_LOCAL_REMOVED;
    bool remote = event == PLAIT_PM_REMOTE_ADDED || event == PLAIT_PM_REMOTE_REMOVED;
    for (unsigned i = 0; i < MEMORY; i++) {
        struct failed *f = &m->failed[i];
        if ((local && f->local_id == v->news->id) || (remote && f->remote_id == v->news->id))
            *f = (struct failed){0};
    }
}

/* The pair has to wait; *wake_us learns until when. No pause is longer than
 * LONGEST_MS: what seems so is long over. */
static bool paused(struct fullmesh *m, const struct plait_pm_view *v, uint8_t local_id,
                   uint8_t remote_id, uint64_t *wake_us)
{
    const struct failed *f = recall(m, local_id, remote_id);
    if (f && f->never)
        return true;
    if (!f && !m->forgot)
        return false;
    uint32_t rest_ms = (f ? f->at_ms : m->forgot_ms) - now_ms(v);
    if (rest_ms == 0 || rest_ms > LONGEST_MS)
        return false;
    uint64_t at_us = v->now_us + (uint64_t)rest_ms * 1000;
    *wake_us = at_us < *wake_us ? at_us : *wake_us;
    return true;
}

/* ---- pairs ---------------------------------------------------------------------------- */

static bool is_pair(const struct plait_pm_view *v, const struct plait_pm_addr *local,
                    const struct plait_pm_addr *remote)
{
    if (!local->usable || !remote->usable || local->addr.family != remote->addr.family)
        return false;
    if (addr_same_network(&local->addr, &remote->addr, local->prefix_len))
        return true;
    for (unsigned i = 0; i < v->local_count; i++)
        if (addr_same_network(&v->locals[i].addr, &remote->addr, v->locals[i].prefix_len))
            return false;
    return true;
}

static bool silent(const struct plait_pm_view *v, const struct plait_pm_subflow *s)
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

static bool connected(const struct plait_pm_view *v, const struct plait_pm_addr *local,
                      const struct plait_pm_addr *remote, uint64_t *wake_us)
{
    bool found = false;
    for (unsigned i = 0; i < v->subflow_count; i++) {
        const struct plait_pm_subflow *s = &v->subflows[i];
        if (!connects(s, local, remote) || silent(v, s))
            continue;
        found = true;
        if (s->silent_since_us && s->silent_since_us + SILENT_US < *wake_us)
            *wake_us = s->silent_since_us + SILENT_US;
    }
    return found;
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

static bool rivals(const struct plait_pm_subflow *a, const struct plait_pm_subflow *b)
{
    return a->subflow_id != b->subflow_id && a->outgoing && b->outgoing && !a->by_hand &&
           endpoint_equal(&a->remote, &b->remote) && addr_equal(&a->local.addr, &b->local.addr);
}

/* One that we opened between the same places does not answer, or not yet: the
 * one that does takes its place. */
static unsigned close_rivals(const struct plait_pm_view *v, struct plait_pm_action *actions)
{
    const struct plait_pm_subflow *good = &v->news->subflow;
    unsigned n = 0;
    for (unsigned i = 0; i < v->subflow_count && n < PLAIT_PM_ACTIONS_MAX; i++) {
        const struct plait_pm_subflow *s = &v->subflows[i];
        if (!rivals(s, good) || (s->established && !s->silent_since_us))
            continue;
        actions[n++] = (struct plait_pm_action){.kind = PLAIT_PM_CLOSE,
                                                .subflow_id = s->subflow_id,
                                                .reset_reason = RST_OUTSTANDING};
    }
    return n;
}

static unsigned answering(const struct plait_pm_view *v)
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->subflow_count; i++)
        n += !silent(v, &v->subflows[i]);
    return n;
}

struct pair {
    const struct plait_pm_addr *local, *remote;
    unsigned times; /* that it failed in a row */
};

static bool planned(const struct plait_pm_action *actions, unsigned count,
                    const struct plait_pm_addr *local, const struct plait_pm_addr *remote)
{
    const struct plait_endpoint at = {remote->addr, remote->port};
    for (unsigned i = 0; i < count; i++)
        if (actions[i].kind == PLAIT_PM_OPEN && addr_equal(&actions[i].local.addr, &local->addr) &&
            endpoint_equal(&actions[i].remote, &at))
            return true;
    return false;
}

/* Of those that may be tried now the one that failed least often, so that no
 * hopeless pair keeps another from its turn. */
static struct pair next_pair(struct fullmesh *m, const struct plait_pm_view *v,
                             const struct plait_pm_action *actions, unsigned n, uint64_t *wake_us)
{
    struct pair best = {0};
    for (unsigned l = 0; l < v->local_count; l++)
        for (unsigned r = 0; r < v->remote_count; r++) {
            const struct plait_pm_addr *local = &v->locals[l], *remote = &v->remotes[r];
            if (!is_pair(v, local, remote) || planned(actions, n, local, remote) ||
                connected(v, local, remote, wake_us) || link_taken(v, actions, n, local) ||
                paused(m, v, local->id, remote->id, wake_us))
                continue;
            const struct failed *f = recall(m, local->id, remote->id);
            unsigned times = f ? f->times : 0;
            if (!best.local || times < best.times)
                best = (struct pair){local, remote, times};
        }
    return best;
}

/* The server leaves it to the client to open a pair first. */
static bool waiting(struct fullmesh *m, const struct plait_pm_view *v, enum plait_pm_event event,
                    uint64_t *wake_us)
{
    if (event == PLAIT_PM_CONFIRMED || event == PLAIT_PM_REMOTE_ADDED ||
        event == PLAIT_PM_LOCAL_ADDED) {
        m->waits = !v->client;
        m->wait_ms = now_ms(v) + SERVER_WAIT_MS;
    }
    uint32_t rest_ms = m->wait_ms - now_ms(v);
    m->waits = m->waits && rest_ms != 0 && rest_ms <= SERVER_WAIT_MS;
    if (m->waits)
        *wake_us = v->now_us + (uint64_t)rest_ms * 1000;
    return m->waits;
}

static unsigned open_pairs(struct fullmesh *m, const struct plait_pm_view *v,
                           struct plait_pm_action *actions, unsigned n, uint64_t *wake_us)
{
    for (unsigned have = answering(v); have < v->subflow_max && n < PLAIT_PM_ACTIONS_MAX; have++) {
        struct pair p = next_pair(m, v, actions, n, wake_us);
        if (!p.local)
            break;
        actions[n++] = (struct plait_pm_action){.kind = PLAIT_PM_OPEN,
                                                .local = *p.local,
                                                .remote = {p.remote->addr, p.remote->port},
                                                .remote_id = p.remote->id,
                                                .backup = p.local->backup};
    }
    return n;
}

static unsigned fullmesh_decide(void *state, const struct plait_pm_view *v,
                                enum plait_pm_event event, struct plait_pm_action *actions,
                                uint64_t *wake_us)
{
    struct fullmesh *m = state;
    unsigned n = 0;
    if (!v->opens)
        return 0;
    if (event == PLAIT_PM_SUBFLOW_FAILED && v->news->subflow.outgoing)
        remember(m, v);
    forget(m, v, event);
    if (event == PLAIT_PM_SUBFLOW_ESTABLISHED || event == PLAIT_PM_SUBFLOW_RECOVERED)
        n = close_rivals(v, actions);
    return waiting(m, v, event, wake_us) ? n : open_pairs(m, v, actions, n, wake_us);
}

const struct plait_pm pm_fullmesh = {
    .name = "fullmesh",
    .summary = "from each local address to each of the peer's",
    .state_size = sizeof(struct fullmesh),
    .decide = fullmesh_decide,
};
