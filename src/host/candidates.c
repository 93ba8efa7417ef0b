/* SPDX-License-Identifier: MIT */
#include "host/candidates.h"

#include <assert.h>

#include "base/addr.h"

static bool same_link(const struct candidate_pair *a, const struct candidate_pair *b)
{
    if (a->link && b->link)
        return a->link == b->link;
    return addr_equal(&a->ends.local.addr, &b->ends.local.addr);
}

/* How much of a pair was tried already: an interface, a family, a server's
 * address, each as often as it was. */
static unsigned shared(const struct candidate_pair *p, const struct candidate_pair *pairs,
                       const bool *taken, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct candidate_pair *q = &pairs[i];
        if (!taken[i])
            continue;
        n += same_link(p, q);
        n += p->ends.remote.addr.family == q->ends.remote.addr.family;
        n += addr_equal(&p->ends.remote.addr, &q->ends.remote.addr);
    }
    return n;
}

unsigned candidates_order(const struct candidate_pair *pairs, unsigned count,
                          struct plait_candidate *out, unsigned max)
{
    bool taken[CANDIDATE_PAIRS_MAX] = {false};
    unsigned n = 0;
    assert(count <= CANDIDATE_PAIRS_MAX);
    for (; n < count && n < max; n++) {
        unsigned best = count, least = 0;
        for (unsigned i = 0; i < count; i++) {
            unsigned s = taken[i] ? 0 : shared(&pairs[i], pairs, taken, count);
            if (!taken[i] && (best == count || s < least)) {
                best = i;
                least = s;
            }
        }
        taken[best] = true;
        out[n] = pairs[best].ends;
    }
    return n;
}
