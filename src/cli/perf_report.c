/* SPDX-License-Identifier: MIT
 *
 * The results of plait perf: lines for people, and the object that programs
 * reading `iperf3 -J` expect. What iperf3 has no place for (paths, shares,
 * reinjections) stands under "plait".
 */
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/addr.h"
#include "cli/perf.h"
#include "cli/units.h"

json_t *perf_json_sum(uint64_t from_us, uint64_t to_us, uint64_t bytes)
{
    double from = (double)from_us / 1e6, to = (double)to_us / 1e6;

    return json_pack("{s:f s:f s:f s:I s:f s:b}", "start", from, "end", to, "seconds", to - from,
                     "bytes", (json_int_t)bytes, "bits_per_second",
                     to > from ? (double)bytes * 8 / (to - from) : 0, "omitted", 0);
}

/* ---- numbers -------------------------------------------------------------- */

/* One side's view of one stream: ours from the stream, theirs from JSON. */
struct view {
    uint64_t bytes, us, retransmits, pause_us;
};

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

static struct view own_view(const struct perf_test *t, unsigned i)
{
    const struct perf_stream *s = &t->streams[i];

    return (struct view){.bytes = s->bytes,
                         .us = s->meter.last_us > t->start_us ? s->meter.last_us - t->start_us : 0,
                         .retransmits = report_retransmits(&s->report),
                         .pause_us = s->meter.pause_us};
}

static struct view remote_view(const struct perf_test *t, unsigned i)
{
    const json_t *s = json_array_get(json_object_get(t->remote, "streams"), i);

    return (struct view){.bytes = number(s, "bytes"),
                         .us = number(s, "us"),
                         .retransmits = number(s, "retransmits"),
                         .pause_us = number(s, "pause_us")};
}

static struct view view_of(const struct perf_test *t, unsigned i, bool sender)
{
    return t->streams[i].sender == sender ? own_view(t, i) : remote_view(t, i);
}

static struct view sum_of(const struct perf_test *t, bool sender)
{
    struct view sum = {0};

    for (unsigned i = 0; i < t->params.streams; i++) {
        struct view v = view_of(t, i, sender);
        sum.bytes += v.bytes;
        sum.retransmits += v.retransmits;
        sum.us = v.us > sum.us ? v.us : sum.us;
        sum.pause_us = v.pause_us > sum.pause_us ? v.pause_us : sum.pause_us;
    }
    return sum;
}

/* ---- for people ----------------------------------------------------------- */

static void print_line(const char *id, double from, double to, uint64_t bytes, double rate,
                       const char *tail)
{
    char size[UNIT_TEXT_MAX], speed[UNIT_TEXT_MAX];

    printf("[%3s] %6.2f-%-6.2f s  %10s  %12s  %s\n", id, from, to, format_size(bytes, size),
           format_rate(rate, speed), tail);
}

void perf_print_header(const struct perf_test *t)
{
    printf("%u stream%s, %s sends\n", t->params.streams, t->params.streams == 1 ? "" : "s",
           t->params.reverse ? "the server" : "the client");
    printf("[ ID]   interval          bytes          rate\n");
    fflush(stdout);
}

static void print_json_line(const char *id, const json_t *line)
{
    print_line(id, json_real_value(json_object_get(line, "start")),
               json_real_value(json_object_get(line, "end")), number(line, "bytes"),
               json_real_value(json_object_get(line, "bits_per_second")), "");
}

void perf_print_interval(const struct perf_test *t, const json_t *interval)
{
    const json_t *streams = json_object_get(interval, "streams");
    char id[8];

    for (unsigned i = 0; i < t->params.streams; i++) {
        snprintf(id, sizeof id, "%u", (i + 1) % 1000);
        print_json_line(id, json_array_get(streams, i));
    }
    if (t->params.streams > 1)
        print_json_line("SUM", json_object_get(interval, "sum"));
    fflush(stdout);
}

static void print_end(const char *id, const struct view *v, bool sender)
{
    char tail[80];

    if (sender)
        snprintf(tail, sizeof tail, "sent, %llu retransmissions",
                 (unsigned long long)v->retransmits);
    else
        snprintf(tail, sizeof tail, "received, longest pause %.0f ms", (double)v->pause_us / 1e3);
    print_line(id, 0, (double)v->us / 1e6, v->bytes,
               v->us ? (double)v->bytes * 8e6 / (double)v->us : 0, tail);
}

void perf_print_summary(const struct perf_test *t)
{
    char id[8];

    printf("- - - - - - - - - - - - - - - - - - - - - - - - -\n");
    for (unsigned i = 0; i < t->params.streams; i++) {
        struct view sent = view_of(t, i, true), received = view_of(t, i, false);
        snprintf(id, sizeof id, "%u", (i + 1) % 1000);
        print_end(id, &sent, true);
        print_end(id, &received, false);
    }
    if (t->params.streams > 1) {
        struct view sent = sum_of(t, true), received = sum_of(t, false);
        print_end("SUM", &sent, true);
        print_end("SUM", &received, false);
    }
    const json_t *cpu = json_object_get(t->remote, "cpu");
    printf("CPU here %.1f %% (%.1f user, %.1f system), there %.1f %%\n",
           t->cpu_user + t->cpu_system, t->cpu_user, t->cpu_system,
           json_real_value(json_object_get(cpu, "total")));
    for (unsigned i = 0; i < t->params.streams; i++)
        report_print(&t->streams[i].report, stdout);
    fflush(stdout);
}

/* ---- for programs --------------------------------------------------------- */

static json_t *end_json(const struct view *v, bool sender)
{
    json_t *o = perf_json_sum(0, v->us, v->bytes);

    json_object_del(o, "omitted");
    if (sender)
        json_object_set_new(o, "retransmits", json_integer((json_int_t)v->retransmits));
    else
        json_object_set_new(o, "longest_pause_ms", json_real((double)v->pause_us / 1e3));
    json_object_set_new(o, "sender", json_boolean(sender));
    return o;
}

static json_t *streams_json(const struct perf_test *t)
{
    json_t *streams = json_array();

    for (unsigned i = 0; i < t->params.streams; i++) {
        struct view sent = view_of(t, i, true), received = view_of(t, i, false);
        json_t *sender = end_json(&sent, true), *receiver = end_json(&received, false);
        json_object_set_new(sender, "socket", json_integer((json_int_t)i + 1));
        json_object_set_new(receiver, "socket", json_integer((json_int_t)i + 1));
        json_array_append_new(streams,
                              json_pack("{s:o s:o}", "sender", sender, "receiver", receiver));
    }
    return streams;
}

static json_t *start_json(const struct perf_test *t, const struct plait_endpoint *remote)
{
    char host[ADDR_TEXT_MAX], stamp[64], system[512];
    struct utsname name;
    json_t *connected = json_array();
    time_t now = time(NULL);

    for (unsigned i = 0; i < t->params.streams; i++) {
        const struct plait_conn_info *c = &t->streams[i].report.conn;
        char local[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX];
        json_array_append_new(connected, json_pack("{s:i s:s s:i s:s s:i}", "socket", (int)i + 1,
                                                   "local_host", addr_format(&c->local.addr, local),
                                                   "local_port", c->local.port, "remote_host",
                                                   addr_format(&c->remote.addr, peer),
                                                   "remote_port", c->remote.port));
    }
    uname(&name);
    snprintf(system, sizeof system, "%s %s %s %s", name.sysname, name.nodename, name.release,
             name.machine);
    strftime(stamp, sizeof stamp, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    return json_pack("{s:o s:s s:s s:{s:s s:I} s:{s:s s:i} s:{s:s s:i s:I s:i s:f s:I s:i s:i}}",
                     "connected", connected, "version", "plait " PLAIT_VERSION, "system_info",
                     system, "timestamp", "time", stamp, "timesecs", (json_int_t)now,
                     "connecting_to", "host", addr_format(&remote->addr, host), "port",
                     remote->port, "test_start", "protocol",
                     t->streams[0].report.conn.multipath ? "MPTCP" : "TCP", "num_streams",
                     (int)t->params.streams, "blksize", (json_int_t)t->block_bytes, "omit", 0,
                     "duration", t->params.bytes ? 0.0 : (double)t->params.time_us / 1e6, "bytes",
                     (json_int_t)t->params.bytes, "blocks", 0, "reverse", t->params.reverse);
}

static json_t *connections_json(const struct perf_test *t)
{
    json_t *here = json_array(), *there = json_array();
    const json_t *streams = json_object_get(t->remote, "streams");

    for (unsigned i = 0; i < t->params.streams; i++) {
        json_t *theirs = json_object_get(json_array_get(streams, i), "connection");
        json_array_append_new(here, report_json(&t->streams[i].report));
        json_array_append(there, theirs ? theirs : json_null());
    }
    return json_pack("{s:o s:o}", "here", here, "there", there);
}

json_t *perf_json(const struct perf_test *t, const struct plait_endpoint *remote)
{
    struct view sent = sum_of(t, true), received = sum_of(t, false);
    const json_t *cpu = json_object_get(t->remote, "cpu");
    json_t *utilization =
        json_pack("{s:f s:f s:f s:f s:f s:f}", "host_total", t->cpu_user + t->cpu_system,
                  "host_user", t->cpu_user, "host_system", t->cpu_system, "remote_total",
                  json_real_value(json_object_get(cpu, "total")), "remote_user",
                  json_real_value(json_object_get(cpu, "user")), "remote_system",
                  json_real_value(json_object_get(cpu, "system")));

    return json_pack("{s:o s:O s:{s:o s:o s:o s:o} s:o}", "start", start_json(t, remote),
                     "intervals", t->intervals, "end", "streams", streams_json(t), "sum_sent",
                     end_json(&sent, true), "sum_received", end_json(&received, false),
                     "cpu_utilization_percent", utilization, "plait", connections_json(t));
}
