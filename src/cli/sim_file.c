/* SPDX-License-Identifier: MIT
 *
 * The file is read twice: first up to its first host, so that wrong names and
 * mistakes are told before anything is run; then each run in a child process.
 */
#include "cli/sim_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/sim_report.h"
#include "cli/sim_sweep.h"
#include "cli/units.h"
#include "host/host.h"
#include "lab/lab.h"
#include "sim/jobs.h"

enum { CHECK_FAILED = 1, RUN_LIMIT_S = 3600, SETTINGS_MAX = SCRIPT_PARAMS_MAX };

struct file_options {
    uint64_t seed;
    struct script_setting settings[SETTINGS_MAX];
    unsigned setting_count;
    const char *pcap, *events;
    struct plugin_names plugins;
    bool json, params, emit_tasks, seeds_given;
    const char *path;
    struct sweep sweep; /* axes and seeds of it, if there are any */
};

bool sim_file_meant(const char *word)
{
    size_t len = strlen(word);
    bool named = len > 4 && strcmp(word + len - 4, ".lua") == 0;
    return named || strchr(word, '/') || (*word && access(word, F_OK) == 0);
}

/* ---- options ---------------------------------------------------------------------------- */

static bool set_seed(void *at, char *const *values, char *why)
{
    if (parse_count(values[0], &((struct file_options *)at)->seed))
        return true;
    snprintf(why, OPTION_WHY_MAX, "a seed is a whole number");
    return false;
}

static bool set_seeds(void *at, char *const *values, char *why)
{
    struct file_options *o = at;
    struct sweep *s = &o->sweep;
    o->seeds_given = true;
    if (parse_range(values[0], &s->seed_first, &s->seed_last))
        return true;
    snprintf(why, OPTION_WHY_MAX, "write --seeds 1..10, or one number");
    return false;
}

static bool set_axis(void *at, char *const *values, char *why)
{
    struct sweep *s = &((struct file_options *)at)->sweep;
    char error[SWEEP_ERROR_MAX];
    if (s->axis_count == SWEEP_AXES_MAX)
        snprintf(error, sizeof error, "at most %d parameters may be swept", SWEEP_AXES_MAX);
    else if (sweep_axis_parse(&s->axes[s->axis_count], values[0], error))
        return ++s->axis_count > 0;
    snprintf(why, OPTION_WHY_MAX, "%.200s", error);
    return false;
}

static bool set_setting(void *at, char *const *values, char *why)
{
    struct file_options *o = at;
    char *equals = strchr(values[0], '=');
    if (!equals || equals == values[0]) {
        snprintf(why, OPTION_WHY_MAX, "write --set name=value");
        return false;
    }
    if (o->setting_count == SETTINGS_MAX) {
        snprintf(why, OPTION_WHY_MAX, "at most %d may be set", SETTINGS_MAX);
        return false;
    }
    *equals = '\0';
    o->settings[o->setting_count++] = (struct script_setting){values[0], equals + 1};
    return true;
}

static struct script *script_new(const struct file_options *o)
{
    struct script *s = sim_alloc(sizeof *s);
    s->path = o->path;
    s->settings = o->settings;
    s->setting_count = o->setting_count;
    s->run.seed = o->seed;
    s->run.pcap_path = o->pcap;
    s->cc = o->plugins.cc;
    s->scheduler = o->plugins.scheduler;
    s->path_manager = o->plugins.path_manager;
    return s;
}

/* ---- describing ------------------------------------------------------------------------- */

static int describe(struct script *s)
{
    char error[SCRIPT_ERROR_MAX];
    if (access(s->path, R_OK) != 0) {
        cli_error("%s: %s", s->path, strerror(errno));
        return HOST_FAIL_FILE;
    }
    if (script_describe(s, error))
        return HOST_OK;
    cli_error("%s", error);
    return HOST_FAIL_USAGE;
}

static void print_params(const struct script *s, FILE *out)
{
    for (unsigned i = 0; i < s->param_count; i++) {
        const struct script_param *p = &s->params[i];
        char text[SCRIPT_NAME_MAX + SCRIPT_VALUE_MAX + 32];
        snprintf(text, sizeof text, "%s = %s%s%s", p->name, p->value, p->unit[0] ? " " : "",
                 p->unit);
        fprintf(out, "     %-40s%s%s\n", text, p->help[0] ? " " : "", p->help);
    }
}

static void print_scenario(const struct script *s)
{
    printf("%s\n", s->title[0] ? s->title : s->path);
    print_params(s, stdout);
    for (unsigned i = 0; i < s->plot_count; i++)
        printf("     plot %s: %s\n", s->plots[i].name, s->plots[i].title);
}

/* ---- one run ---------------------------------------------------------------------------- */

static json_t *params_json(const struct script *s)
{
    json_t *o = json_object();
    for (unsigned i = 0; i < s->param_count; i++) {
        const struct script_param *p = &s->params[i];
        json_object_set_new(o, p->name,
                            p->number ? json_real(strtod(p->value, NULL)) : json_string(p->value));
    }
    return o;
}

static void report_json(const struct script *s, bool ok, FILE *out)
{
    json_t *o = sim_report_json(s->path, &s->run, ok);
    json_object_set_new(o, "params", params_json(s));
    sim_report_line(o, out);
}

static void report_text(const struct script *s, bool ok, FILE *out)
{
    const struct run *r = &s->run;
    fprintf(out, "%-4s %s\n", ok ? "ok" : "FAIL", s->title[0] ? s->title : s->path);
    fprintf(out, "     seed %llu: %.3f s, %016llx, %llu hops\n", (unsigned long long)r->seed,
            (double)r->virtual_us / 1e6, (unsigned long long)r->hash, (unsigned long long)r->hops);
    print_params(s, out);
    sim_report_print(r, ok, out);
}

static bool run_one(void *ctx, uint64_t number, FILE *out)
{
    const struct file_options *o = ctx;
    struct script *s = script_new(o);
    (void)number;
    s->out = o->json ? NULL : out;
    if (o->events && !(s->run.events = sim_events_open(o->events)))
        return false;
    bool ok = script_run(s);
    if (!sim_events_close(s->run.events, o->events))
        ok = false;
    if (o->json)
        report_json(s, ok, out);
    else
        report_text(s, ok, out);
    free(s);
    return ok;
}

static bool run_done(void *ctx, const struct job_result *result)
{
    (void)ctx;
    fputs(result->text, stdout);
    return true;
}

static int run_file(struct file_options *o)
{
    const struct jobs j = {.limit_s = RUN_LIMIT_S, .ctx = o, .run = run_one, .done = run_done};
    uint64_t failed = jobs_run(&j);
    if (failed == UINT64_MAX) {
        cli_error("cannot start a process: %s", strerror(errno));
        return HOST_FAIL_OTHER;
    }
    return failed ? CHECK_FAILED : HOST_OK;
}

/* Many runs are meant. */
static bool is_sweep(const struct file_options *o)
{
    return o->sweep.axis_count || o->seeds_given || o->sweep.folder || o->emit_tasks;
}

static int run_sweep(struct file_options *o)
{
    struct sweep *s = &o->sweep;
    s->path = o->path;
    s->settings = o->settings;
    s->setting_count = o->setting_count;
    s->pcap = o->pcap;
    s->events = o->events;
    if (!o->seeds_given)
        s->seed_first = s->seed_last = o->seed;
    return o->emit_tasks ? sim_sweep_tasks(s) : sim_sweep(s);
}

/* ---- the command ------------------------------------------------------------------------ */

int sim_file(int argc, char **argv)
{
    static struct file_options o = {.seed = 1}; /* large */
    const struct option_row rows[] = {
        {'s', "seed", "N", OPTION_CUSTOM, 0, "another run of the same scenario (1)",
         .set = set_seed},
        {0, "set", "NAME=VALUE", OPTION_CUSTOM, 0, "a parameter of the scenario (may be repeated)",
         .set = set_setting},
        {0, "params", NULL, OPTION_FLAG, offsetof(struct file_options, params),
         "show the scenario's parameters; nothing is run"},
        {'j', "json", NULL, OPTION_FLAG, offsetof(struct file_options, json), "one JSON object"},
        {0, "cc", "NAME", OPTION_TEXT, offsetof(struct file_options, plugins.cc),
         "congestion control of hosts for which the scenario names\nnone, or lua:FILE; help: list "
         "them",
         .list = names_list_cc},
        {0, "scheduler", "NAME", OPTION_TEXT, offsetof(struct file_options, plugins.scheduler),
         "likewise their packet scheduler", .list = names_list_scheduler},
        {0, "path-manager", "NAME", OPTION_TEXT,
         offsetof(struct file_options, plugins.path_manager), "likewise their path manager",
         .list = names_list_path_manager},
        {0, "sweep", "NAME=V,V,...", OPTION_CUSTOM, 0,
         "run with each of these values (may be repeated: the product)", .set = set_axis},
        {0, "seeds", "A..B", OPTION_CUSTOM, 0, "run with each of these seeds", .set = set_seeds},
        {0, "jobs", "N", OPTION_COUNT, offsetof(struct file_options, sweep.workers),
         "runs at a time (one a core)"},
        {'o', "out", "DIR", OPTION_TEXT, offsetof(struct file_options, sweep.folder),
         "keep the table and its plots there; runs that it has are\nnot run again"},
        {0, "emit-tasks", NULL, OPTION_FLAG, offsetof(struct file_options, emit_tasks),
         "run nothing, print a command for each run (see plait sim\nmerge)"},
        {0, "pcap", "FILE", OPTION_TEXT, offsetof(struct file_options, pcap),
         "what the first host sends and receives, for tshark; with\nmany runs, a folder with a "
         "file a run"},
        {0, "events", "FILE", OPTION_TEXT, offsetof(struct file_options, events),
         "every event as a line of JSON; likewise"},
        {0}};
    const struct usage usage = {
        .synopsis = "sim FILE.lua [OPTIONS]",
        .about = "Play a scenario that is written in Lua (docs/scenarios.md).\n",
        .closing = "Exit codes: 0 everything held, 1 something did not, 2 wrong arguments or a\n"
                   "mistake in the file, 10 a file cannot be read or written.\n",
        .groups = {{"Options", rows, &o}},
        .operands_min = 1,
        .operands_max = 1};
    int operand;
    int parsed = options_parse(&usage, argc, argv, &operand);
    if (parsed != OPTION_GO)
        return parsed;
    o.path = argv[operand];
    if (o.json && is_sweep(&o)) {
        cli_error("--json is for one run: many make a table");
        return HOST_FAIL_USAGE;
    }
    const struct plugin_names *p = &o.plugins;
    if (is_sweep(&o) && (p->cc || p->scheduler || p->path_manager)) {
        cli_error("plug-ins are named for one run: in a sweep they are parameters of the scenario");
        return HOST_FAIL_USAGE;
    }
    int code = names_check(p);
    if (code != HOST_OK)
        return code;
    struct script *s = script_new(&o);
    code = describe(s);
    if (code == HOST_OK && o.params)
        print_scenario(s);
    else if (code == HOST_OK)
        code = is_sweep(&o) ? run_sweep(&o) : run_file(&o);
    free(s);
    return code;
}
