/* SPDX-License-Identifier: MIT */
#include "daemon/totals.h"

#include "base/addr.h"
#include "control/report.h"
#include "daemon/daemon.h"

void totals_event(struct totals *t, const struct plait_event *e)
{
    t->reasons[e->type][e->why]++;
}

static struct path_sums *path_of(struct path_table *table, const struct plait_addr *local)
{
    for (unsigned i = 0; i < table->count; i++)
        if (addr_equal(&table->rows[i].local, local))
            return &table->rows[i];
    if (table->count < TOTALS_PATHS_MAX) {
        table->rows[table->count].local = *local;
        return &table->rows[table->count++];
    }
    return &table->rows[TOTALS_PATHS_MAX];
}

static void add_subflow(struct path_table *table, const struct plait_subflow_info *s)
{
    if (s->local.addr.family == PLAIT_NONE)
        return; /* it was never tried */
    struct path_sums *p = path_of(table, &s->local.addr);
    p->bytes_sent += s->bytes_sent;
    p->bytes_received += s->bytes_received;
    p->bytes_retransmitted += s->bytes_retransmitted;
    p->bytes_reinjected += s->bytes_reinjected_from;
    p->retransmits += s->retransmits;
    p->subflows_total++;
    if (s->closed || !s->established)
        return;
    p->subflows++;
    if (s->srtt_us && (!p->srtt_us || s->srtt_us < p->srtt_us))
        p->srtt_us = s->srtt_us;
}

static void add_conn(struct path_table *table, const struct plait_conn *conn)
{
    struct report r;

    report_take(&r, conn);
    for (unsigned i = 0; i < r.count; i++)
        add_subflow(table, &r.paths[i]);
}

void totals_conn(struct totals *t, const struct plait_conn *conn)
{
    add_conn(&t->past, conn);
    for (unsigned i = 0; i <= TOTALS_PATHS_MAX; i++)
        t->past.rows[i].subflows = t->past.rows[i].srtt_us = 0;
}

static json_t *sums_json(const struct path_sums *p)
{
    char local[ADDR_TEXT_MAX];
    const struct report_number numbers[] = {
        {"subflows", p->subflows},
        {"subflows_total", p->subflows_total},
        {"bytes_sent", p->bytes_sent},
        {"bytes_received", p->bytes_received},
        {"bytes_retransmitted", p->bytes_retransmitted},
        {"bytes_reinjected", p->bytes_reinjected},
        {"retransmits", p->retransmits},
        {"srtt_us", p->srtt_us},
    };
    json_t *o = json_pack("{s:s}", "local",
                          p->local.family == PLAIT_NONE ? "other" : addr_format(&p->local, local));

    report_numbers(o, numbers, sizeof numbers / sizeof numbers[0]);
    return o;
}

json_t *totals_paths(const struct totals *t, const struct list *carried)
{
    struct path_table now = t->past;
    json_t *all = json_array();

    for (const struct list *l = carried->next; l != carried; l = l->next)
        add_conn(&now, list_entry(l, struct carried, link)->conn);
    for (unsigned i = 0; i < now.count; i++)
        json_array_append_new(all, sums_json(&now.rows[i]));
    if (now.rows[TOTALS_PATHS_MAX].subflows_total)
        json_array_append_new(all, sums_json(&now.rows[TOTALS_PATHS_MAX]));
    return all;
}

json_t *totals_reasons(const struct totals *t)
{
    json_t *all = json_object();

    for (unsigned type = 0; type < PLAIT_EV_COUNT; type++) {
        json_t *counts = json_object();
        for (unsigned why = 0; why < PLAIT_WHY_COUNT; why++)
            if (t->reasons[type][why])
                json_object_set_new(counts, plait_reason_name(why),
                                    json_integer((json_int_t)t->reasons[type][why]));
        if (json_object_size(counts))
            json_object_set(all, plait_event_name(type), counts);
        json_decref(counts);
    }
    return all;
}
