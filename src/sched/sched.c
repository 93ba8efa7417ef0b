/* SPDX-License-Identifier: MIT
 *
 * The table of schedulers, and what they share.
 */
#include "sched/sched.h"

#include <string.h>

static const struct plait_sched *const schedulers[] = {
    &sched_arrival,  &sched_lowest_rtt, &sched_round_robin, &sched_backup,    &sched_weighted,
    &sched_overflow, &sched_blest,      &sched_ecf,         &sched_redundant,
};

const struct plait_sched *sched_at(unsigned index)
{
    return index < sizeof schedulers / sizeof schedulers[0] ? schedulers[index] : NULL;
}

const struct plait_sched *sched_find(const char *name, uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8])
{
    if (strcmp(name, "default") == 0)
        name = sched_at(0)->name;
    size_t len = strcspn(name, ":");
    const char *options = name[len] ? name + len + 1 : NULL;
    memset(state, 0, PLAIT_PLUGIN_STATE_MAX);
    for (unsigned i = 0; sched_at(i); i++) {
        const struct plait_sched *s = sched_at(i);
        if (strncmp(s->name, name, len) != 0 || s->name[len])
            continue;
        return (s->init ? s->init(state, options) : !options) ? s : NULL;
    }
    return NULL;
}

unsigned sched_class(const struct plait_sched_path *p)
{
    return (p->stale ? 2u : 0u) + (p->backup ? 1u : 0u);
}

unsigned sched_best_class(const struct plait_sched_view *view)
{
    unsigned best = ~0u;
    for (unsigned i = 0; i < view->count; i++)
        if (sched_class(&view->paths[i]) < best)
            best = sched_class(&view->paths[i]);
    return best;
}

int sched_fastest(const struct plait_sched_view *view, bool with_room)
{
    unsigned class = sched_best_class(view);
    int best = PLAIT_SCHED_WAIT;
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = &view->paths[i];
        if (sched_class(p) != class || (with_room && p->room_bytes == 0))
            continue;
        if (best < 0 || p->srtt_us < view->paths[best].srtt_us)
            best = (int)i;
    }
    return best;
}

int sched_first(const struct plait_sched_view *view)
{
    unsigned class = sched_best_class(view);
    int best = PLAIT_SCHED_WAIT;
    for (unsigned i = 0; i < view->count; i++)
        if (sched_class(&view->paths[i]) == class &&
            (best < 0 || view->paths[i].order < view->paths[best].order))
            best = (int)i;
    return best;
}

bool sched_number(const char **text, uint32_t least, uint32_t most, uint32_t *out)
{
    const char *at = *text;
    uint64_t n = 0;
    while (*at >= '0' && *at <= '9' && n <= most)
        n = n * 10 + (uint64_t)(*at++ - '0');
    if (at == *text || n < least || n > most || (*at && *at != ',') || (*at == ',' && !at[1]))
        return false;
    *text = *at == ',' ? at + 1 : at;
    *out = (uint32_t)n;
    return true;
}
