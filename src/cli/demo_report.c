/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <string.h>

#include "cli/demo.h"
#include "cli/units.h"

static double seconds(const struct demo_result *r, uint64_t at_us)
{
    return at_us > r->start_us ? (double)(at_us - r->start_us) / 1e6 : 0;
}

static double goodput(const struct demo_result *r)
{
    double s = seconds(r, r->end_us);

    return s > 0 ? (double)r->bytes * 8 / s : 0;
}

static double share(const struct demo_result *r, unsigned i)
{
    uint64_t all = 0;

    for (unsigned k = 0; k < DEMO_PATHS; k++)
        all += r->paths[k].received_bytes;
    return all ? (double)r->paths[i].received_bytes / (double)all : 0;
}

static void print_paths(const struct demo_result *r, FILE *out)
{
    char bytes[UNIT_TEXT_MAX], rtt[UNIT_TEXT_MAX], reinjected[UNIT_TEXT_MAX];

    fprintf(out, "  path   received    share       rtt  retransmissions  reinjected elsewhere\n");
    for (unsigned i = 0; i < DEMO_PATHS; i++) {
        const struct demo_path *p = &r->paths[i];
        fprintf(out, "  %-5s %9s  %5.1f %%  %8s  %15llu  %20s\n", p->name,
                format_size(p->received_bytes, bytes), 100 * share(r, i),
                format_time(p->srtt_us, rtt), (unsigned long long)p->retransmits,
                format_size(p->reinjected_bytes, reinjected));
    }
}

void demo_print(const struct demo_result *r, FILE *out, bool colour)
{
    char size[UNIT_TEXT_MAX], rate[UNIT_TEXT_MAX], pause[UNIT_TEXT_MAX];
    const char *mark = !colour ? "" : r->intact ? "\033[32m" : "\033[31m";

    fprintf(out, "\n%s in %.1f s, %s\n\n", format_size(r->bytes, size), seconds(r, r->end_us),
            format_rate(goodput(r), rate));
    print_paths(r, out);
    fprintf(out, "\n  longest pause the receiver saw   %s\n", format_time(r->pause_us, pause));
    fprintf(out, "  reinjections                     %llu\n", (unsigned long long)r->reinjections);
    fprintf(out, "  SHA-256 sent       %s\n", r->sha_sent);
    fprintf(out, "  SHA-256 received   %s\n", r->sha_received);
    fprintf(out, "  %s%s%s\n", mark,
            r->error    ? r->error
            : r->intact ? "intact: every byte arrived, once and in order"
                        : "DAMAGED: what arrived is not what was sent",
            colour ? "\033[0m" : "");
}

static json_t *path_json(const struct demo_result *r, unsigned i)
{
    const struct demo_path *p = &r->paths[i];

    return json_pack("{s:s s:s s:I s:f s:I s:f s:I s:I s:I}", "name", p->name, "link", p->link,
                     "bytes", (json_int_t)p->received_bytes, "share", share(r, i),
                     "bytes_after_return", (json_int_t)p->after_bytes, "srtt_ms",
                     (double)p->srtt_us / 1e3, "retransmits", (json_int_t)p->retransmits,
                     "timeouts", (json_int_t)p->timeouts, "bytes_reinjected",
                     (json_int_t)p->reinjected_bytes);
}

void demo_print_json(const struct demo_result *r, FILE *out)
{
    json_t *paths = json_array();
    uint64_t retransmits = 0;

    for (unsigned i = 0; i < DEMO_PATHS; i++) {
        json_array_append_new(paths, path_json(r, i));
        retransmits += r->paths[i].retransmits;
    }
    json_t *o =
        json_pack("{s:I s:f s:f s:b s:f s:f s:f s:I s:I s:s s:s s:b s:s? s:o}", "bytes",
                  (json_int_t)r->bytes, "seconds", seconds(r, r->end_us), "goodput_bps", goodput(r),
                  "multipath", r->multipath, "cut_s", seconds(r, r->cut_us), "back_s",
                  seconds(r, r->back_us), "longest_pause_ms", (double)r->pause_us / 1e3,
                  "retransmits", (json_int_t)retransmits, "reinjections",
                  (json_int_t)r->reinjections, "sha256_sent", r->sha_sent, "sha256_received",
                  r->sha_received, "intact", r->intact, "error", r->error, "paths", paths);
    json_dumpf(o, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(o);
}
