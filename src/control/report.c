/* SPDX-License-Identifier: MIT */
#include "control/report.h"

#include <string.h>

#include "base/addr.h"

void report_take(struct report *r, const struct plait_conn *conn)
{
    plait_conn_info(conn, &r->conn);
    r->count = plait_conn_subflows(conn, r->paths, REPORT_PATHS_MAX);
    if (r->count > REPORT_PATHS_MAX)
        r->count = REPORT_PATHS_MAX;
}

uint64_t report_path_bytes(const struct report *r, unsigned path)
{
    bool sender = r->conn.bytes_written >= r->conn.bytes_received;

    return sender ? r->paths[path].bytes_sent : r->paths[path].bytes_received;
}

double report_share(const struct report *r, unsigned path)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < r->count; i++)
        all += report_path_bytes(r, i);
    return all ? (double)report_path_bytes(r, path) / (double)all : 0;
}

uint64_t report_retransmits(const struct report *r)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->count; i++)
        sum += r->paths[i].retransmits;
    return sum;
}

void report_numbers(json_t *object, const struct report_number *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, numbers[i].name, json_integer((json_int_t)numbers[i].value));
}

static json_t *path_json(const struct report *r, unsigned i)
{
    const struct plait_subflow_info *p = &r->paths[i];
    char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
    json_t *o =
        json_pack("{s:I s:s s:s s:i s:i s:s s:b s:b s:b s:b}", "id", (json_int_t)p->id, "local",
                  endpoint_format(&p->local, local), "remote", endpoint_format(&p->remote, remote),
                  "local_id", p->local_id, "remote_id", p->remote_id, "state", p->state, "closed",
                  p->closed, "backup", p->backup, "stale", p->stale, "ecn", p->ecn);

    json_object_set_new(o, "closed_why",
                        p->closed ? json_string(plait_reason_name(p->why)) : json_null());
    const struct report_number numbers[] = {
        {"bytes_sent", p->bytes_sent},
        {"bytes_received", p->bytes_received},
        {"bytes_retransmitted", p->bytes_retransmitted},
        {"bytes_reinjected", p->bytes_reinjected_from},
        {"retransmits", p->retransmits},
        {"timeouts", p->timeouts},
        {"probes", p->probes},
        {"recoveries", p->recoveries},
        {"spurious", p->spurious},
        {"segments_sent", p->segs_out},
        {"segments_received", p->segs_in},
        {"srtt_us", p->srtt_us},
        {"rttvar_us", p->rttvar_us},
        {"rtt_min_us", p->rtt_min_us},
        {"mss_bytes", p->mss_bytes},
        {"cwnd_bytes", p->cwnd_bytes},
        {"ssthresh_bytes", p->ssthresh_bytes},
        {"in_flight_bytes", p->in_flight_bytes},
        {"pacing_rate", p->pacing_rate},
        {"rto_us", p->rto_us},
    };
    report_numbers(o, numbers, sizeof numbers / sizeof numbers[0]);
    json_object_set_new(o, "share", json_real(report_share(r, i)));
    return o;
}

json_t *report_json(const struct report *r)
{
    const struct plait_conn_info *c = &r->conn;
    const char *why = c->multipath ? NULL : plait_reason_name(c->fallback_why);
    json_t *paths = json_array();
    const struct report_number numbers[] = {
        {"bytes_sent", c->bytes_written},
        {"bytes_acked", c->bytes_acked},
        {"bytes_received", c->bytes_received},
        {"bytes_reinjected", c->bytes_reinjected},
        {"bytes_copied", c->bytes_copied},
        {"send_queued_bytes", c->send_queued_bytes},
        {"recv_queued_bytes", c->recv_queued_bytes},
        {"subflows_total", c->subflows_total},
    };
    json_t *o = json_pack("{s:b s:s? s:s s:i s:b s:s* s:s* s:s*}", "multipath", c->multipath,
                          "fallback", why, "remembered", plait_reason_name(c->destination_why),
                          "version", c->version, "checksum", c->checksum, "scheduler", c->scheduler,
                          "path_manager", c->path_manager, "cc", c->cc);

    report_numbers(o, numbers, sizeof numbers / sizeof numbers[0]);
    for (unsigned i = 0; i < r->count; i++)
        json_array_append_new(paths, path_json(r, i));
    json_object_set_new(o, "subflows", paths);
    return o;
}

json_t *report_counters(const struct plait_stack *stack)
{
    const struct plait_counters *counters = plait_stack_counters(stack);
    const char *name;
    json_t *o = json_object();

    for (unsigned i = 0; (name = plait_counter_name(i)) != NULL; i++) {
        uint64_t value;
        memcpy(&value, (const char *)counters + i * sizeof value, sizeof value);
        json_object_set_new(o, name, json_integer((json_int_t)value));
    }
    return o;
}
