/* SPDX-License-Identifier: MIT */
#include "cc/siblings.h"

#define WINDOW_MAX (UINT64_C(1) << 30)
#define BYTES_MAX (UINT64_C(1) << 36)
#define RTT_MAX_US (UINT64_C(1) << 25)

bool siblings_count(const struct plait_cc_group *g, unsigned i)
{
    return i == g->self || (g->views[i].usable && g->views[i].srtt_us != 0);
}

unsigned siblings_number(const struct plait_cc_group *g)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->count; i++)
        n += siblings_count(g, i);
    return n;
}

uint64_t siblings_window(const struct plait_cc_group *g, unsigned i)
{
    return cc_max(cc_min(g->views[i].steady_bytes, WINDOW_MAX), 1);
}

static uint64_t rtt_us(const struct plait_cc_view *v)
{
    return cc_max(cc_min(v->srtt_us, RTT_MAX_US), 1);
}

uint64_t siblings_at(const struct plait_cc_group *g, unsigned i, uint64_t bytes)
{
    bytes = cc_min(bytes, BYTES_MAX);
    return i == g->self ? bytes : bytes * rtt_us(cc_self(g)) / rtt_us(&g->views[i]);
}

uint64_t siblings_total(const struct plait_cc_group *g)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < g->count; i++)
        if (siblings_count(g, i))
            total += siblings_at(g, i, siblings_window(g, i));
    return total;
}

uint64_t siblings_sum(const struct plait_cc_group *g)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < g->count; i++)
        if (siblings_count(g, i))
            sum += siblings_window(g, i);
    return sum;
}

int64_t siblings_rate(const struct plait_cc_group *g)
{
    uint64_t total = siblings_total(g), window = siblings_window(g, g->self);
    uint64_t share = (window << 32) / total; /* of the whole rate: at most 2^32 */
    uint64_t rate = share * cc_self(g)->mss_bytes / total;
    return (int64_t)cc_min(rate, UINT64_C(1) << 32);
}

uint64_t siblings_floor(const struct plait_cc_group *g)
{
    uint64_t mss = cc_self(g)->mss_bytes;
    return siblings_number(g) > 1 ? mss : 2 * mss;
}
