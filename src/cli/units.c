/* SPDX-License-Identifier: MIT
 *
 * Short and missing units are translated to those of sim/spec.c, which does
 * the arithmetic.
 */
#include "cli/units.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sim/spec.h"

/* `word` means `factor` times the unit `base`. */
struct alias {
    const char *word, *base;
    uint64_t factor;
};

static const struct alias size_aliases[] = {
    {"", "B", 1},        {"B", "B", 1},        {"k", "kB", 1},       {"kB", "kB", 1},
    {"Ki", "KiB", 1},    {"KiB", "KiB", 1},    {"M", "MB", 1},       {"MB", "MB", 1},
    {"Mi", "MiB", 1},    {"MiB", "MiB", 1},    {"G", "MB", 1000},    {"GB", "MB", 1000},
    {"Gi", "MiB", 1024}, {"GiB", "MiB", 1024}, {"T", "MB", 1000000}, {"TB", "MB", 1000000},
    {NULL, NULL, 0},
};

static const struct alias time_aliases[] = {
    {"", "s", 1},   {"us", "us", 1},  {"ms", "ms", 1},  {"s", "s", 1},
    {"m", "s", 60}, {"min", "s", 60}, {"h", "s", 3600}, {NULL, NULL, 0},
};

static bool parse_alias(const char *text, const struct alias *aliases,
                        bool (*parse)(const char *text, uint64_t *out), uint64_t *out)
{
    char canonical[40];
    size_t digits = strspn(text, "0123456789.");
    uint64_t value;

    if (digits > 24)
        return false;
    for (; aliases->word; aliases++) {
        if (strcasecmp(text + digits, aliases->word) != 0)
            continue;
        snprintf(canonical, sizeof canonical, "%.*s%s", (int)digits, text, aliases->base);
        if (!parse(canonical, &value) || value > INT64_MAX / aliases->factor)
            return false;
        *out = value * aliases->factor;
        return true;
    }
    return false;
}

bool parse_count(const char *text, uint64_t *out)
{
    uint64_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || value > INT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return true;
}

bool parse_range(const char *text, uint64_t *first, uint64_t *last)
{
    char low[32];
    uint64_t from, to;
    const char *dots = strstr(text, "..");
    size_t len = dots ? (size_t)(dots - text) : strlen(text);

    if (len >= sizeof low)
        return false;
    memcpy(low, text, len);
    low[len] = '\0';
    if (!parse_count(low, &from) || !parse_count(dots ? dots + 2 : low, &to) || from > to)
        return false;
    *first = from;
    *last = to;
    return true;
}

bool parse_size(const char *text, uint64_t *bytes)
{
    return parse_alias(text, size_aliases, spec_bytes, bytes);
}

bool parse_seconds(const char *text, uint64_t *us)
{
    return parse_alias(text, time_aliases, spec_time, us);
}

/* Three digits are what a person reads: 9.99, 99.9, 999. Bare units are whole. */
static void format_scaled(double value, const char *const *units, char *buf)
{
    bool whole = true;

    while (value >= 999.5 && units[1]) {
        value /= 1000;
        units++;
        whole = false;
    }
    int digits = whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(buf, UNIT_TEXT_MAX, "%.*f %s", digits, value, *units);
}

char *format_size(uint64_t bytes, char *buf)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", NULL};

    format_scaled((double)bytes, units, buf);
    return buf;
}

char *format_rate(double bits_per_second, char *buf)
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", NULL};

    format_scaled(bits_per_second, units, buf);
    return buf;
}

char *format_time(uint64_t us, char *buf)
{
    static const char *const units[] = {"us", "ms", "s", NULL};

    if (us >= 1000000 && us % 1000000 == 0)
        snprintf(buf, UNIT_TEXT_MAX, "%llu s", (unsigned long long)us / 1000000);
    else if (us >= 1000 && us < 1000000 && us % 1000 == 0)
        snprintf(buf, UNIT_TEXT_MAX, "%llu ms", (unsigned long long)us / 1000);
    else
        format_scaled((double)us, units, buf);
    return buf;
}
