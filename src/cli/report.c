/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include "base/addr.h"
#include "cli/units.h"

void meter_add(struct meter *m, uint64_t bytes, uint64_t now_us)
{
    if (m->bytes == 0)
        m->first_us = now_us;
    else if (now_us - m->last_us > m->pause_us)
        m->pause_us = now_us - m->last_us;
    m->last_us = now_us;
    m->bytes += bytes;
}

double meter_rate(const struct meter *m, uint64_t since_us)
{
    uint64_t from_us = since_us ? since_us : m->first_us;

    return m->last_us > from_us ? (double)m->bytes * 8e6 / (double)(m->last_us - from_us) : 0;
}

char *report_path_text(const struct plait_subflow_info *path, char *buf)
{
    char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];

    snprintf(buf, REPORT_PATH_TEXT_MAX, "%s > %s", addr_format(&path->local.addr, local),
             addr_format(&path->remote.addr, remote));
    return buf;
}

static const char *path_state(const struct plait_subflow_info *p)
{
    if (p->closed)
        return plait_reason_name(p->why);
    return p->stale ? "stale" : p->backup ? "backup" : p->state;
}

void report_print(const struct report *r, FILE *out)
{
    char path[REPORT_PATH_TEXT_MAX], bytes[UNIT_TEXT_MAX], rtt[UNIT_TEXT_MAX],
        reinjected[UNIT_TEXT_MAX];

    if (r->conn.multipath)
        fprintf(out, "Multipath TCP v%u%s, scheduler %s, congestion control %s\n", r->conn.version,
                r->conn.checksum ? " with checksums" : "", r->conn.scheduler, r->conn.cc);
    else
        fprintf(out, "plain TCP: %s\n", plait_reason_text(r->conn.fallback_why));
    fprintf(out, "  %-40s %10s %7s %9s %8s %10s  %s\n", "path", "bytes", "share", "rtt", "retrans",
            "reinjected", "state");
    for (unsigned i = 0; i < r->count; i++) {
        const struct plait_subflow_info *p = &r->paths[i];
        fprintf(out, "  %-40s %10s %5.1f %% %9s %8u %10s  %s\n", report_path_text(p, path),
                format_size(report_path_bytes(r, i), bytes), 100 * report_share(r, i),
                format_time(p->srtt_us, rtt), p->retransmits,
                format_size(p->bytes_reinjected_from, reinjected), path_state(p));
    }
}
