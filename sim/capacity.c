/* SPDX-License-Identifier: MIT */
#include "sim/capacity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 10000000, MS_MAX = 1000000000 };

/* One line's number; false: it is none. *at moves behind the line. */
static bool take_line(const char **at, const char *end, uint32_t *ms)
{
    uint64_t value = 0;
    const char *p = *at;
    while (p < end && *p >= '0' && *p <= '9' && value <= MS_MAX)
        value = value * 10 + (uint64_t)(*p++ - '0');
    bool digits = p > *at && value <= MS_MAX;
    if (p < end && *p == '\r')
        p++;
    if (!digits || (p < end && *p != '\n'))
        return false;
    *at = p < end ? p + 1 : end;
    *ms = (uint32_t)value;
    return true;
}

/* What is wrong with line number `line`, or NULL. */
static const char *fault(bool good, uint32_t line, uint32_t ms, uint32_t before)
{
    if (!good)
        return "a line is one whole number of milliseconds, at most 1000000000";
    if (line > LINES_MAX)
        return "a trace has at most ten million lines";
    return ms < before ? "its time is before that of the line above" : NULL;
}

static struct capacity *fail(struct capacity *c, char *error, uint32_t line, const char *why)
{
    free(c);
    snprintf(error, CAPACITY_ERROR_MAX, "line %u: %s", line, why);
    return NULL;
}

struct capacity *capacity_parse(const char *text, size_t len, char *error)
{
    const char *at = text, *end = text + len;
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    struct capacity *c = malloc(sizeof *c + lines * sizeof c->ms[0]);
    if (!c)
        return fail(c, error, 1, "there is no memory for it");
    c->count = 0;
    while (at < end) {
        uint32_t ms = 0, before = c->count ? c->ms[c->count - 1] : 0;
        bool good = take_line(&at, end, &ms);
        const char *why = fault(good, c->count + 1, ms, before);
        if (why)
            return fail(c, error, c->count + 1, why);
        c->ms[c->count++] = ms;
    }
    if (!c->count || !c->ms[c->count - 1])
        return fail(c, error, c->count ? c->count : 1, "a trace ends with a time above 0");
    c->period_us = (uint64_t)c->ms[c->count - 1] * 1000;
    return c;
}

uint64_t capacity_at(const struct capacity *c, uint64_t start_us, uint64_t n)
{
    return start_us + n / c->count * c->period_us + (uint64_t)c->ms[n % c->count] * 1000;
}

uint64_t capacity_after(const struct capacity *c, uint64_t start_us, uint64_t at_us)
{
    if (at_us <= start_us)
        return 0;
    uint64_t rounds = (at_us - start_us) / c->period_us;
    uint64_t within_us = (at_us - start_us) % c->period_us;
    if (!within_us && rounds) { /* the last ones of the round before are at this very time */
        rounds--;
        within_us = c->period_us;
    }
    uint32_t low = 0, high = c->count - 1; /* ms[high] is the period: late enough */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uint64_t)c->ms[middle] * 1000 < within_us)
            low = middle + 1;
        else
            high = middle;
    }
    return rounds * c->count + low;
}

uint64_t capacity_rate(const struct capacity *c)
{
    return (uint64_t)c->count * CAPACITY_BYTES * 8 * 1000 / (c->period_us / 1000);
}
