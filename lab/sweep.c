/* SPDX-License-Identifier: MIT */
#include "lab/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/plot.h"
#include "sim/jobs.h"

enum { PATH_MAX_BYTES = 900, KEY_MAX = 4096, RUN_LIMIT_S = 3600, FILE_MAX = 4 << 20 };

/* ---- which runs ------------------------------------------------------------------------- */

static bool axis_add(struct sweep_axis *axis, const char *value, char *error)
{
    if (axis->count == SWEEP_VALUES_MAX) {
        snprintf(error, SWEEP_ERROR_MAX, "at most %d values", SWEEP_VALUES_MAX);
        return false;
    }
    for (unsigned i = 0; i < axis->count; i++) {
        if (strcmp(axis->values[i], value) == 0) {
            snprintf(error, SWEEP_ERROR_MAX, "%s=%s is there twice", axis->name, value);
            return false;
        }
    }
    axis->values[axis->count++] = value;
    return true;
}

/* "3..7"; anything else is a value like others. */
static bool is_range(const char *value, unsigned *first, unsigned *last)
{
    char rest;

    return strspn(value, "0123456789.") == strlen(value) &&
           sscanf(value, "%6u..%6u%c", first, last, &rest) == 2 && *first <= *last;
}

static bool axis_take(struct sweep_axis *axis, const char *value, char *error)
{
    unsigned first, last;

    if (!is_range(value, &first, &last))
        return axis_add(axis, value, error);
    for (unsigned i = first; i <= last; i++) {
        char *number = axis->numbers[axis->count % SWEEP_VALUES_MAX];
        snprintf(number, sizeof axis->numbers[0], "%u", i);
        if (!axis_add(axis, number, error))
            return false;
    }
    return true;
}

bool sweep_axis_parse(struct sweep_axis *axis, char *text, char *error)
{
    char *equals = strchr(text, '=');
    *axis = (struct sweep_axis){.name = text};
    if (!equals || equals == text || !equals[1]) {
        snprintf(error, SWEEP_ERROR_MAX, "write --sweep name=value,value,...");
        return false;
    }
    *equals = '\0';
    for (char *rest = equals + 1, *value; (value = strsep(&rest, ",")) != NULL;)
        if (!axis_take(axis, value, error))
            return false;
    return true;
}

uint64_t sweep_runs(const struct sweep *s)
{
    uint64_t runs = s->seed_last - s->seed_first;
    runs += runs < SWEEP_RUNS_MAX;
    for (unsigned i = 0; i < s->axis_count && runs <= SWEEP_RUNS_MAX; i++)
        runs *= s->axes[i].count;
    return runs;
}

/* Seeds change fastest, the first axis slowest. */
uint64_t sweep_settings(const struct sweep *s, uint64_t i, struct script_setting *out)
{
    uint64_t seeds = s->seed_last - s->seed_first + 1, seed = s->seed_first + i % seeds;
    i /= seeds;
    for (unsigned a = s->axis_count; a-- > 0;) {
        const struct sweep_axis *axis = &s->axes[a];
        out[a] = (struct script_setting){axis->name, axis->values[i % axis->count]};
        i /= axis->count;
    }
    return seed;
}

/* A script for run i; free() it. Its settings stand behind it. */
static struct script *script_of(const struct sweep *s, uint64_t i)
{
    unsigned count = s->setting_count + s->axis_count;
    struct script *script = sim_alloc(sizeof *script + count * sizeof(struct script_setting));
    struct script_setting *settings = (struct script_setting *)(void *)(script + 1);
    for (unsigned k = 0; k < s->setting_count; k++)
        settings[k] = s->settings[k];
    script->run.seed = sweep_settings(s, i, settings + s->setting_count);
    script->path = s->path;
    script->settings = settings;
    script->setting_count = count;
    return script;
}

/* "200,lowest-rtt,3" of a script that was described or run. */
static void key_of(const struct script *s, char key[KEY_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < s->param_count; i++)
        n += (size_t)snprintf(key + n, KEY_MAX - n, "%s,", s->params[i].value);
    snprintf(key + n, KEY_MAX - n, "%llu", (unsigned long long)s->run.seed);
}

/* ---- the folder ------------------------------------------------------------------------- */

static char *in_folder(const char *folder, const char *name, char path[PATH_MAX_BYTES])
{
    snprintf(path, PATH_MAX_BYTES, "%s/%s", folder, name);
    return path;
}

/* With those above it. */
static bool make_folder(const char *path, char *error)
{
    char part[PATH_MAX_BYTES];
    size_t len = strlen(path);
    if (len + 100 > sizeof part) {
        snprintf(error, SWEEP_ERROR_MAX, "the name of that folder is too long");
        return false;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            snprintf(error, SWEEP_ERROR_MAX, "%.300s: %s", part, strerror(errno));
            return false;
        }
        part[i] = path[i];
    }
    return true;
}

/* A file as one text; NULL: errno says why. */
static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    char *text = sim_alloc(FILE_MAX + 1);
    text[fread(text, 1, FILE_MAX, f)] = '\0';
    fclose(f);
    return text;
}

static bool spill(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    bool good = fputs(text, f) >= 0;
    return fclose(f) == 0 && good;
}

/* The folder's rows are of this very scenario, or it has none yet. */
static bool folder_claim(const char *folder, const char *path, char *error)
{
    char copy[PATH_MAX_BYTES];
    bool good = make_folder(folder, error);
    char *text = good ? slurp(path) : NULL;
    if (good && !text) {
        snprintf(error, SWEEP_ERROR_MAX, "%.300s: %s", path, strerror(errno));
        good = false;
    }
    char *there = good ? slurp(in_folder(folder, "scenario.lua", copy)) : NULL;
    if (there && strcmp(there, text) != 0) {
        snprintf(error, SWEEP_ERROR_MAX,
                 "%.120s has results of another version of %.120s: name another folder, or "
                 "remove that one",
                 folder, path);
        good = false;
    }
    if (good && !there && !spill(copy, text)) {
        snprintf(error, SWEEP_ERROR_MAX, "%.300s: %s", copy, strerror(errno));
        good = false;
    }
    free(there);
    free(text);
    return good;
}

/* ---- opening ---------------------------------------------------------------------------- */

static bool describe(struct script *script, char *error)
{
    char why[SCRIPT_ERROR_MAX];
    if (script_describe(script, why))
        return true;
    snprintf(error, SWEEP_ERROR_MAX, "%.380s", why);
    return false;
}

static bool possible(const struct sweep *s, char *error)
{
    if (sweep_runs(s) > SWEEP_RUNS_MAX) {
        snprintf(error, SWEEP_ERROR_MAX, "that is more than %d runs", SWEEP_RUNS_MAX);
        return false;
    }
    for (unsigned i = 0; i < s->axis_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(s->axes[i].name, s->axes[j].name) == 0) {
                snprintf(error, SWEEP_ERROR_MAX, "%s is swept twice", s->axes[i].name);
                return false;
            }
        }
    }
    return true;
}

/* The runs without a row. Parameters and their values are known only when the
 * file was read with the run's settings. */
static bool find_pending(struct sweep *s, char *error)
{
    uint64_t runs = sweep_runs(s);
    s->pending = sim_alloc(runs * sizeof *s->pending);
    for (uint64_t i = 0; i < runs; i++) {
        struct script *script = script_of(s, i);
        char key[KEY_MAX];
        bool good = describe(script, error);
        key_of(script, key);
        if (good && !table_has(&s->table, key))
            s->pending[s->todo++] = i;
        free(script);
        if (!good)
            return false;
    }
    return true;
}

bool sweep_open(struct sweep *s, char *error)
{
    char path[PATH_MAX_BYTES];
    if (!possible(s, error))
        return false;
    s->script = script_of(s, 0);
    if (!describe(s->script, error))
        return false;
    if (s->folder &&
        (!folder_claim(s->folder, s->path, error) ||
         !table_read(&s->table, in_folder(s->folder, "results.csv", path), true, error)))
        return false;
    return find_pending(s, error);
}

void sweep_close(struct sweep *s)
{
    free(s->script);
    free(s->pending);
    table_free(&s->table);
}

/* ---- running ---------------------------------------------------------------------------- */

struct batch {
    struct sweep *sweep;
    FILE *csv; /* NULL: none is kept */
    char *error;
    bool broken;
};

/* A file of the run's own, named by its parameters. */
static char *run_file(const struct script *s, const char *folder, const char *ending,
                      char path[PATH_MAX_BYTES])
{
    size_t n = (size_t)snprintf(path, PATH_MAX_BYTES, "%.300s/", folder);
    for (unsigned i = 0; i < s->param_count; i++) {
        for (const char *p = s->params[i].value; *p && n < PATH_MAX_BYTES - 64; p++)
            path[n++] = strchr("/ :", *p) ? '_' : *p;
        path[n++] = '-';
    }
    snprintf(path + n, PATH_MAX_BYTES - n, "%llu.%s", (unsigned long long)s->run.seed, ending);
    return path;
}

static void print_header(const struct script *s, FILE *out)
{
    for (unsigned i = 0; i < s->param_count; i++)
        fprintf(out, "%s,", s->params[i].name);
    fputs("seed,hash", out);
    for (unsigned i = 0; i < s->run.figure_count; i++)
        fprintf(out, ",%s", s->run.figures[i].what);
    fputc('\n', out);
}

static void print_row(const struct script *s, FILE *out)
{
    char key[KEY_MAX];
    key_of(s, key);
    fprintf(out, "%s,%016llx", key, (unsigned long long)s->run.hash);
    for (unsigned i = 0; i < s->run.figure_count; i++)
        fprintf(out, ",%.10g", s->run.figures[i].value);
    fputc('\n', out);
}

/* In the child. It says a header and a row, or what failed. */
static bool run_one(void *ctx, uint64_t number, FILE *out)
{
    const struct batch *b = ctx;
    const struct sweep *sweep = b->sweep;
    struct script *s = script_of(sweep, b->sweep->pending[number]);
    char pcap[PATH_MAX_BYTES], events[PATH_MAX_BYTES], error[SWEEP_ERROR_MAX];
    bool good = describe(s, error);
    if (good && sweep->pcap)
        s->run.pcap_path = run_file(s, sweep->pcap, "pcap", pcap);
    if (good && sweep->events) {
        s->run.events = fopen(run_file(s, sweep->events, "jsonl", events), "w");
        good = s->run.events != NULL;
        snprintf(error, sizeof error, "%.300s: %s", events, strerror(errno));
    }
    if (good && !script_run(s)) {
        snprintf(error, sizeof error, "%s", s->run.failure);
        good = false;
    }
    if (s->run.events && fclose(s->run.events) != 0)
        good = false;
    if (good) {
        print_header(s, out);
        print_row(s, out);
    } else {
        fprintf(out, "%s\n", error);
    }
    free(s);
    return good;
}

static bool take_row(struct batch *b, const char *text)
{
    struct table *t = &b->sweep->table;
    const char *row = strchr(text, '\n');
    bool first = !t->columns;
    if (!row || !table_header(t, text, b->error) || !table_row(t, row + 1, b->error))
        return false;
    if (b->csv && first)
        fprintf(b->csv, "%.*s\n", (int)(row - text), text);
    if (b->csv)
        fputs(row + 1, b->csv);
    return !b->csv || fflush(b->csv) == 0;
}

static bool run_done(void *ctx, const struct job_result *r)
{
    struct batch *b = ctx;
    struct sweep *s = b->sweep;
    char failure[SWEEP_ERROR_MAX + KEY_MAX];
    s->done++;
    if (r->ok) {
        b->broken = !take_row(b, r->text);
        s->progress(s->ctx, s, NULL);
        return !b->broken;
    }
    struct script *script = script_of(s, b->sweep->pending[r->number]);
    size_t n = 0;
    for (unsigned i = 0; i < script->setting_count; i++)
        n += (size_t)snprintf(failure + n, KEY_MAX - n, "%s=%s ", script->settings[i].name,
                              script->settings[i].value);
    snprintf(failure + n, sizeof failure - n, "seed %llu: %.*s",
             (unsigned long long)script->run.seed, (int)strcspn(r->text, "\n"), r->text);
    free(script);
    s->failed++;
    s->progress(s->ctx, s, failure);
    return true;
}

static bool open_csv(struct batch *b)
{
    struct sweep *s = b->sweep;
    char path[PATH_MAX_BYTES];
    if (!s->folder)
        return true;
    in_folder(s->folder, "results.csv", path);
    if (!table_write(&s->table, path, b->error)) /* without a last line that was cut off */
        return false;
    b->csv = fopen(path, "a");
    if (!b->csv)
        snprintf(b->error, SWEEP_ERROR_MAX, "%.300s: %s", path, strerror(errno));
    return b->csv != NULL;
}

static bool run_batch(struct batch *b)
{
    struct sweep *s = b->sweep;
    const struct jobs j = {.last = s->todo - 1,
                           .workers = s->workers,
                           .limit_s = RUN_LIMIT_S,
                           .ctx = b,
                           .run = run_one,
                           .done = run_done};
    if (jobs_run(&j) == UINT64_MAX) {
        snprintf(b->error, SWEEP_ERROR_MAX, "cannot start a process: %s", strerror(errno));
        return false;
    }
    return !b->broken;
}

bool sweep_run(struct sweep *s, char *error)
{
    struct batch b = {.sweep = s, .error = error};
    bool good =
        (!s->pcap || make_folder(s->pcap, error)) && (!s->events || make_folder(s->events, error));
    if (!good)
        return false;
    good = open_csv(&b);
    if (good && s->todo)
        good = run_batch(&b);
    if (b.csv && fclose(b.csv) != 0)
        good = false;
    return good;
}

/* ---- afterwards ------------------------------------------------------------------------- */

bool sweep_finish(struct sweep *s, char *error)
{
    char path[PATH_MAX_BYTES];
    table_sort(&s->table);
    if (!s->folder)
        return true;
    if (!table_write(&s->table, in_folder(s->folder, "results.csv", path), error))
        return false;
    for (unsigned i = 0; i < s->script->plot_count; i++) {
        const struct script_plot *p = &s->script->plots[i];
        if (!plot_write(p, &s->table, s->folder, error))
            return false;
        if (s->table.rows && !s->note[0])
            plot_draw(p, s->folder, s->note);
    }
    return true;
}

bool sweep_merge(struct sweep *s, char *const *parts, unsigned count, char *error)
{
    char scenario[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    for (unsigned i = 0; i < count; i++) {
        in_folder(parts[i], "scenario.lua", scenario);
        if (!folder_claim(s->folder, scenario, error) ||
            !table_read(&s->table, in_folder(parts[i], "results.csv", path), false, error))
            return false;
    }
    if (!table_read(&s->table, in_folder(s->folder, "results.csv", path), true, error))
        return false;
    s->path = in_folder(s->folder, "scenario.lua", scenario);
    s->script = script_of(s, 0);
    return describe(s->script, error) && sweep_finish(s, error);
}
