/* SPDX-License-Identifier: MIT
 *
 * Prometheus' text format, version 0.0.4. Counters of the stack bear the names that the
 * kernel has for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/parts.h"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static json_int_t number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static void gauges(FILE *out, const json_t *status)
{
    static const struct {
        const char *name, *member, *help;
    } rows[] = {
        {"plait_connections", "connections", "Connections open now."},
        {"plait_subflows", "subflows", "Subflows open now."},
        {"plait_connections_asleep", "asleep", "Connections that are idle and packed away."},
        {"plait_memory_used_bytes", "used_bytes", "What the engine has allocated."},
        {"plait_memory_held_bytes", "held_bytes", "Payload that connections hold."},
    };
    const json_t *d = json_object_get(status, "daemon"), *m = json_object_get(d, "memory");

    head(out, "plait_uptime_seconds", "gauge", "Since the daemon began.");
    fprintf(out, "plait_uptime_seconds %.3f\n", (double)number(d, "uptime_us") / 1e6);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        head(out, rows[i].name, "gauge", rows[i].help);
        fprintf(out, "%s %lld\n", rows[i].name, (long long)number(m, rows[i].member));
    }
}

static void paths(FILE *out, const json_t *status)
{
    static const struct {
        const char *name, *type, *labels, *member, *help;
        double scale;
    } rows[] = {
        {"plait_path_bytes_total", "counter", ",direction=\"sent\"", "bytes_sent",
         "Payload by local address.", 1},
        {"plait_path_bytes_total", NULL, ",direction=\"received\"", "bytes_received", NULL, 1},
        {"plait_path_retransmitted_bytes_total", "counter", "", "bytes_retransmitted",
         "Payload sent again over the same subflow.", 1},
        {"plait_path_reinjected_bytes_total", "counter", "", "bytes_reinjected",
         "Payload of this path sent again over others.", 1},
        {"plait_path_subflows_total", "counter", "", "subflows_total", "Subflows ever.", 1},
        {"plait_path_subflows", "gauge", "", "subflows", "Subflows open now.", 1},
        {"plait_path_rtt_seconds", "gauge", "", "srtt_us",
         "The smallest smoothed round-trip time of the open subflows; 0: none.", 1e-6},
    };
    size_t at;
    const json_t *p;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].type)
            head(out, rows[i].name, rows[i].type, rows[i].help);
        json_array_foreach(json_object_get(status, "paths"), at, p)
            fprintf(out, "%s{local=\"%s\"%s} %.15g\n", rows[i].name,
                    json_string_value(json_object_get(p, "local")), rows[i].labels,
                    (double)number(p, rows[i].member) * rows[i].scale);
    }
}

static void events(FILE *out, const json_t *status)
{
    const char *event, *reason;
    json_t *counts, *count;

    head(out, "plait_events_total", "counter", "What happened, by its reason.");
    json_object_foreach(json_object_get(status, "reasons"), event, counts)
        json_object_foreach(counts, reason, count)
            fprintf(out, "plait_events_total{event=\"%s\",reason=\"%s\"} %lld\n", event, reason,
                    (long long)json_integer_value(count));
    counts = json_object_get(json_object_get(status, "reasons"), "conn_fallback");
    head(out, "plait_fallbacks_total", "counter", "Connections that became plain TCP.");
    json_object_foreach(counts, reason, count)
        fprintf(out, "plait_fallbacks_total{reason=\"%s\"} %lld\n", reason,
                (long long)json_integer_value(count));
}

static void counters(FILE *out, const json_t *status)
{
    const char *name;
    json_t *value;
    char metric[96];

    json_object_foreach(json_object_get(status, "counters"), name, value)
    {
        bool now = strcmp(name, "MPCurrEstab") == 0; /* the one that falls too */
        snprintf(metric, sizeof metric, "plait_%s%s", name, now ? "" : "_total");
        head(out, metric, now ? "gauge" : "counter", "The stack's counter of this name.");
        fprintf(out, "%s %lld\n", metric, (long long)json_integer_value(value));
    }
}

char *metrics_text(const json_t *status, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (!out)
        return NULL;
    gauges(out, status);
    paths(out, status);
    events(out, status);
    counters(out, status);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
