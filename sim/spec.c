/* SPDX-License-Identifier: MIT
 *
 * Link specifications as text. Integers only: a number is read as millionths,
 * so 0.01% and 0.5mbit are exact.
 */
#include "sim/spec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MILLION UINT64_C(1000000)

enum { PACKETS_MAX = 1000000 };

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit rate_units[] = {
    {"bit", 1}, {"kbit", 1000}, {"mbit", MILLION}, {"gbit", 1000 * MILLION}, {NULL, 0}};
static const struct unit time_units[] = {{"us", 1}, {"ms", 1000}, {"s", MILLION}, {NULL, 0}};
static const struct unit byte_units[] = {{"B", 1},      {"kB", 1000},     {"MB", MILLION},
                                         {"KiB", 1024}, {"MiB", 1048576}, {NULL, 0}};
static const struct unit packet_units[] = {{"pkt", 1}, {NULL, 0}};
static const struct unit percent_units[] = {{"%", MILLION / 100}, {NULL, 0}};

/* "12.5ms" -> 12500 with time_units. A result that is not whole is cut off. */
static bool parse_quantity(const char *text, const struct unit *units, uint64_t *out)
{
    uint64_t millionths = 0, place = MILLION;
    unsigned digits = 0, whole = 0;
    const char *p = text;
    for (bool point = false; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        digits++;
        if (!point) {
            if (++whole > 9) /* keeps the products below within 64 bits */
                return false;
            millionths = millionths * 10 + (uint64_t)(*p - '0') * MILLION;
        } else {
            place /= 10;
            millionths += (uint64_t)(*p - '0') * place;
        }
    }
    if (!digits)
        return false;
    for (const struct unit *u = units; u->name; u++) {
        if (strcasecmp(p, u->name) == 0) {
            if (u->factor && millionths > UINT64_MAX / u->factor)
                return false;
            *out = millionths * u->factor / MILLION;
            return true;
        }
    }
    return false;
}

bool spec_rate(const char *text, uint64_t *bps)
{
    return parse_quantity(text, rate_units, bps);
}

bool spec_time(const char *text, uint64_t *us)
{
    if (strcmp(text, "0") == 0) {
        *us = 0;
        return true;
    }
    return parse_quantity(text, time_units, us);
}

bool spec_bytes(const char *text, uint64_t *bytes)
{
    return parse_quantity(text, byte_units, bytes);
}

bool spec_percent(const char *text, uint32_t *ppm)
{
    uint64_t v;
    if (strcmp(text, "0") == 0)
        v = 0;
    else if (!parse_quantity(text, percent_units, &v))
        return false;
    if (v > MILLION)
        return false;
    *ppm = (uint32_t)v;
    return true;
}

static bool delay_value(const char *value, uint32_t *out)
{
    uint64_t us;
    if (!spec_time(value, &us) || us > 3600 * MILLION)
        return false;
    *out = (uint32_t)us;
    return true;
}

/* Cut `value` at its slashes into exactly `count` parts, in place. */
static bool split(char *value, char **parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        parts[i] = value;
        value = strchr(value, '/');
        if (i + 1 < count) {
            if (!value)
                return false;
            *value++ = '\0';
        }
    }
    return value == NULL;
}

struct parse {
    struct link_config config;
    bool queue_set;
    uint64_t queue_us; /* queue given as a time; resolved at the end */
};

static bool set_rate(struct parse *s, char *v)
{
    uint64_t *bps = &s->config.rate_bps;
    return spec_rate(v, bps) && *bps > 0 && *bps <= MILLION * MILLION;
}

static bool set_delay(struct parse *s, char *v)
{
    return delay_value(v, &s->config.delay_us);
}

static bool set_jitter(struct parse *s, char *v)
{
    return delay_value(v, &s->config.jitter_us);
}

static bool set_queue(struct parse *s, char *v)
{
    uint64_t packets;
    s->queue_set = true;
    s->queue_us = s->config.queue_bytes = s->config.queue_packets = 0;
    if (parse_quantity(v, packet_units, &packets)) {
        s->config.queue_packets = (uint32_t)packets;
        return packets > 0 && packets <= PACKETS_MAX && !strchr(v, '.');
    }
    if (spec_bytes(v, &s->config.queue_bytes))
        return true;
    return spec_time(v, &s->queue_us) && s->queue_us > 0 && s->queue_us <= 3600 * MILLION;
}

static bool set_random(struct parse *s, char *v)
{
    static const struct unit none[] = {{"", 1}, {NULL, 0}};
    uint64_t n;
    if (!parse_quantity(v, none, &n) || strchr(v, '.') || n > PACKETS_MAX)
        return false;
    s->config.random_packets = (uint32_t)n;
    return true;
}

static bool set_mark(struct parse *s, char *v)
{
    return spec_bytes(v, &s->config.mark_bytes) && s->config.mark_bytes > 0;
}

static bool set_loss(struct parse *s, char *v)
{
    return spec_percent(v, &s->config.loss_ppm);
}

static bool set_burst(struct parse *s, char *v)
{
    char *part[3];
    return split(v, part, 3) && spec_percent(part[0], &s->config.good_to_bad_ppm) &&
           spec_percent(part[1], &s->config.bad_to_good_ppm) &&
           spec_percent(part[2], &s->config.loss_bad_ppm) && s->config.bad_to_good_ppm > 0;
}

static bool set_reorder(struct parse *s, char *v)
{
    char *part[2];
    return split(v, part, 2) && spec_percent(part[0], &s->config.reorder_ppm) &&
           delay_value(part[1], &s->config.reorder_delay_us);
}

static bool set_dup(struct parse *s, char *v)
{
    return spec_percent(v, &s->config.duplicate_ppm);
}

static bool set_corrupt(struct parse *s, char *v)
{
    return spec_percent(v, &s->config.corrupt_ppm);
}

static const struct {
    const char *key;
    bool (*set)(struct parse *s, char *value);
    const char *form;
} keys[] = {
    {"rate", set_rate, "a number with bit, kbit, mbit or gbit, at most 1000gbit"},
    {"delay", set_delay, "a number with us, ms or s"},
    {"jitter", set_jitter, "a number with us, ms or s"},
    {"queue", set_queue, "a number with B, kB, MB, KiB, MiB or pkt, or a time such as 80ms"},
    {"random", set_random, "a whole number of packets, at most 1000000"},
    {"mark", set_mark, "a number with B, kB, MB, KiB or MiB"},
    {"loss", set_loss, "a percentage such as 0.1%"},
    {"burst", set_burst, "three percentages: into bad / out of bad / loss while bad"},
    {"reorder", set_reorder, "a percentage and a time such as 1%/5ms"},
    {"dup", set_dup, "a percentage such as 0.1%"},
    {"corrupt", set_corrupt, "a percentage such as 0.1%"},
};

static bool parse_item(struct parse *s, char *item, char *error)
{
    char *value = strchr(item, '=');
    if (!value) {
        snprintf(error, SPEC_ERROR_MAX, "\"%.40s\" in a link has no value: write key=value", item);
        return false;
    }
    *value++ = '\0';
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(item, keys[i].key) != 0)
            continue;
        char shown[41];
        snprintf(shown, sizeof shown, "%s", value);
        if (keys[i].set(s, value))
            return true;
        snprintf(error, SPEC_ERROR_MAX, "%s=%s in a link: wanted %s", keys[i].key, shown,
                 keys[i].form);
        return false;
    }
    snprintf(
        error, SPEC_ERROR_MAX,
        "a link has no \"%.20s\": there are rate, delay, jitter, queue, random, mark, loss, burst, "
        "reorder, dup and corrupt",
        item);
    return false;
}

/* Queue sizes that depend on the rate, which may come later in the text. */
static bool resolve_queue(struct parse *s, char *error)
{
    uint64_t rate = s->config.rate_bps;
    if (s->config.random_packets > s->config.queue_packets) {
        snprintf(error, SPEC_ERROR_MAX, "random= is a part of a queue in packets: queue=100pkt");
        return false;
    }
    if (s->queue_us && !rate) {
        snprintf(error, SPEC_ERROR_MAX, "a queue given as a time needs a rate");
        return false;
    }
    if (s->queue_us) {
        uint64_t us = s->queue_us; /* in two parts, or the product would overflow */
        uint64_t bytes = (rate / 8000 * us + rate % 8000 * us / 8000) / 1000;
        s->config.queue_bytes = bytes ? bytes : 1;
    } else if (!s->queue_set && rate) {
        uint64_t bytes = rate / 80;
        s->config.queue_bytes = bytes > 32000 ? bytes : 32000;
    }
    return true;
}

bool link_spec_parse(const char *text, struct link_config *out, char *error)
{
    char copy[SPEC_TEXT_MAX];
    struct parse s = {0};
    if (strlen(text) >= sizeof copy) {
        snprintf(error, SPEC_ERROR_MAX, "a link is described in at most %d characters",
                 SPEC_TEXT_MAX - 1);
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    char *rest = NULL;
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (!parse_item(&s, item, error))
            return false;
    }
    if (!resolve_queue(&s, error))
        return false;
    *out = s.config;
    return true;
}

/* ---- formatting ------------------------------------------------------------------------- */

/* The value in the largest unit that leaves it whole. */
static size_t put_quantity(char *buf, size_t size, const char *before, uint64_t v,
                           const struct unit *units)
{
    const struct unit *best = &units[0];
    for (const struct unit *u = units; u->name; u++) {
        if (v && v % u->factor == 0 && u->factor > best->factor)
            best = u;
    }
    return (size_t)snprintf(buf, size, "%s%llu%s", before, (unsigned long long)(v / best->factor),
                            best->name);
}

static size_t put_percent(char *buf, size_t size, const char *before, uint32_t ppm)
{
    int n = snprintf(buf, size, "%s%u.%04u", before, ppm / 10000, ppm % 10000);
    while (buf[n - 1] == '0')
        n--;
    if (buf[n - 1] == '.')
        n--;
    buf[n++] = '%';
    buf[n] = '\0';
    return (size_t)n;
}

char *link_spec_format(const struct link_config *c, char *buf)
{
    size_t n = 0;
    buf[0] = '\0';
#define ROOM buf + n, (size_t)SPEC_TEXT_MAX - n
    if (c->rate_bps)
        n += put_quantity(ROOM, "rate=", c->rate_bps, rate_units);
    if (c->delay_us)
        n += put_quantity(ROOM, ",delay=", c->delay_us, time_units);
    if (c->jitter_us)
        n += put_quantity(ROOM, ",jitter=", c->jitter_us, time_units);
    if (c->queue_packets)
        n += put_quantity(ROOM, ",queue=", c->queue_packets, packet_units);
    else if (c->queue_bytes || c->rate_bps)
        n += put_quantity(ROOM, ",queue=", c->queue_bytes, byte_units);
    if (c->random_packets)
        n += (size_t)snprintf(ROOM, ",random=%u", c->random_packets);
    if (c->mark_bytes)
        n += put_quantity(ROOM, ",mark=", c->mark_bytes, byte_units);
    if (c->loss_ppm)
        n += put_percent(ROOM, ",loss=", c->loss_ppm);
    if (c->good_to_bad_ppm || c->bad_to_good_ppm || c->loss_bad_ppm) {
        n += put_percent(ROOM, ",burst=", c->good_to_bad_ppm);
        n += put_percent(ROOM, "/", c->bad_to_good_ppm);
        n += put_percent(ROOM, "/", c->loss_bad_ppm);
    }
    if (c->reorder_ppm || c->reorder_delay_us) {
        n += put_percent(ROOM, ",reorder=", c->reorder_ppm);
        n += put_quantity(ROOM, "/", c->reorder_delay_us, time_units);
    }
    if (c->duplicate_ppm)
        n += put_percent(ROOM, ",dup=", c->duplicate_ppm);
    if (c->corrupt_ppm)
        n += put_percent(ROOM, ",corrupt=", c->corrupt_ppm);
#undef ROOM
    if (buf[0] == ',')
        memmove(buf, buf + 1, n);
    return buf;
}
