/* SPDX-License-Identifier: MIT
 *
 * Pairs of addresses whose subflow failed, and how long each is left alone.
 */
#include "pm/retry.h"

#include "base/seq.h"

enum {
    ATTEMPTS = 3,
    PATIENCE = 64, /* attempts, then only every SELDOM_MS */
    SELDOM_MS = 60 * 1000,
    PROVEN_MS = 30 * 1000, /* a subflow that lived so long did not fail in a row */
    LONGEST_MS = 300 * 1000
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

/* ---- memory of failures ------------------------------------------------------------- */

static struct pm_failed *recall(struct pm_retry *m, uint8_t local_id, uint8_t remote_id)
{
    for (unsigned i = 0; i < PM_RETRY_PAIRS; i++) {
        struct pm_failed *f = &m->failed[i];
        if (f->times && f->local_id == local_id && f->remote_id == remote_id)
            return f;
    }
    return NULL;
}

static bool sooner(const struct pm_failed *a, const struct pm_failed *b)
{
    return a->never == b->never ? seq_lt(a->at_ms, b->at_ms) : b->never;
}

/* A free slot, or that of the pair that may be tried first. */
static struct pm_failed *slot(struct pm_retry *m)
{
    struct pm_failed *best = &m->failed[0];
    for (unsigned i = 0; i < PM_RETRY_PAIRS; i++) {
        struct pm_failed *f = &m->failed[i];
        if (f->times == 0)
            return f;
        if (sooner(f, best))
            best = f;
    }
    if (!m->forgot || seq_lt(m->forgot_ms, best->at_ms))
        m->forgot_ms = best->at_ms;
    m->forgot = true;
    *best = (struct pm_failed){0};
    return best;
}

void pm_retry_note(struct pm_retry *m, const struct plait_pm_view *v)
{
    const struct plait_pm_subflow *s = &v->news->subflow;
    const struct pause p = pause_after(v->news);
    struct pm_failed *f = recall(m, s->local_id, s->remote_id);
    if (!f)
        f = slot(m);
    f->local_id = s->local_id;
    f->remote_id = s->remote_id;
    if (f->times && seq_gt(pm_now_ms(v), f->at_ms + PROVEN_MS))
        f->times = 0;
    f->times = (uint8_t)(f->times < UINT8_MAX ? f->times + 1 : UINT8_MAX);
    f->worked = f->worked || s->established;
    f->never = p.first_ms == 0 || (v->news->failure != PLAIT_PM_FAIL_LOCAL && s->remote_id != 0 &&
                                   !f->worked && f->times >= ATTEMPTS);
    uint32_t ms = f->times > PATIENCE && p.most_ms < SELDOM_MS ? SELDOM_MS : pause_ms(&p, f->times);
    f->at_ms = pm_now_ms(v) + (f->never ? SELDOM_MS : ms);
}

void pm_retry_news(struct pm_retry *m, const struct plait_pm_view *v, enum plait_pm_event event)
{
    bool local = event == PLAIT_PM_LOCAL_ADDED || event == PLAIT_PM_LOCAL_REMOVED;
    bool remote = event == PLAIT_PM_REMOTE_ADDED || event == PLAIT_PM_REMOTE_REMOVED;
    for (unsigned i = 0; i < PM_RETRY_PAIRS; i++) {
        struct pm_failed *f = &m->failed[i];
        if ((local && f->local_id == v->news->id) || (remote && f->remote_id == v->news->id))
            *f = (struct pm_failed){0};
    }
}

/* The pair has to wait; *wake_us learns until when. No pause is longer than
 * LONGEST_MS: what seems so is long over. */
bool pm_retry_paused(struct pm_retry *m, const struct plait_pm_view *v, uint8_t local_id,
                     uint8_t remote_id, uint64_t *wake_us)
{
    const struct pm_failed *f = recall(m, local_id, remote_id);
    if (f && f->never)
        return true;
    if (!f && !m->forgot)
        return false;
    uint32_t rest_ms = (f ? f->at_ms : m->forgot_ms) - pm_now_ms(v);
    if (rest_ms == 0 || rest_ms > LONGEST_MS)
        return false;
    uint64_t at_us = v->now_us + (uint64_t)rest_ms * 1000;
    *wake_us = at_us < *wake_us ? at_us : *wake_us;
    return true;
}

unsigned pm_retry_times(struct pm_retry *m, uint8_t local_id, uint8_t remote_id)
{
    const struct pm_failed *f = recall(m, local_id, remote_id);
    return f ? f->times : 0;
}
