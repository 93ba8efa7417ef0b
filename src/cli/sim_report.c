/* SPDX-License-Identifier: MIT */
#include "cli/sim_report.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"

void sim_report_print(const struct run *r, bool ok, FILE *out)
{
    for (unsigned i = 0; i < r->figure_count; i++) {
        const struct figure *f = &r->figures[i];
        fprintf(out, "     %-54s %10.2f %-7s", f->what, f->value, f->unit);
        if (f->published > 0)
            fprintf(out, " (%.2f)", f->published);
        fputs(f->low ? "  too low\n" : "\n", out);
    }
    if (!ok)
        fprintf(out, "     %s\n", r->failure);
}

static json_t *figures_json(const struct run *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->figure_count; i++) {
        const struct figure *f = &r->figures[i];
        json_t *o =
            json_pack("{s:s, s:s, s:f}", "what", f->what, "unit", f->unit, "value", f->value);
        if (f->published > 0)
            json_object_set_new(o, "published", json_real(f->published));
        json_array_append_new(list, o);
    }
    return list;
}

json_t *sim_report_json(const char *name, const struct run *r, bool ok)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->hash);
    json_t *o = json_pack("{s:s, s:I, s:b, s:s, s:f, s:I}", "scenario", name, "seed",
                          (json_int_t)r->seed, "ok", ok, "hash", hash, "virtual_seconds",
                          (double)r->virtual_us / 1e6, "segment_hops", (json_int_t)r->hops);
    json_object_set_new(o, "figures", figures_json(r));
    if (!ok)
        json_object_set_new(o, "failure", json_string(r->failure));
    return o;
}

void sim_report_line(json_t *object, FILE *out)
{
    json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(10));
    fputc('\n', out);
    json_decref(object);
}

FILE *sim_events_open(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        cli_error("%s: %s", path, strerror(errno));
    return f;
}

bool sim_events_close(FILE *f, const char *path)
{
    if (!f || fclose(f) == 0)
        return true;
    cli_error("%s: %s", path, strerror(errno));
    return false;
}
