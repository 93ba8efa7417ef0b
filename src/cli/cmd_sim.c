/* SPDX-License-Identifier: MIT
 *
 * plait sim: scenarios and random worlds in virtual time. `list`, `run` and
 * `swarm` are commands of their own with options of their own; each job runs
 * in a child process, so a failed assertion is one failed job.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sim_file.h"
#include "cli/sim_matrix.h"
#include "cli/sim_report.h"
#include "cli/units.h"
#include "sim/jobs.h"
#include "sim/scenario.h"
#include "sim/swarm.h"

enum { CHECK_FAILED = 1, JOB_LIMIT_S = 600, SEED_LIMIT_S = 120, SHOWN_MAX = 10 };

static const char about[] =
    "Run plait's engine in virtual time over simulated paths. A run is a function of\n"
    "the scenario and the seed, byte for byte.\n"
    "\n"
    "  plait sim list                  the scenarios\n"
    "  plait sim boxes                 the middleboxes\n"
    "  plait sim run NAME...           run scenarios (all: every one)\n"
    "  plait sim swarm --seeds A..B    random worlds, one a seed, against the oracles\n"
    "  plait sim matrix                middleboxes in all places, against what must come of it\n"
    "  plait sim FILE.lua              a scenario of your own, written in Lua, once or often\n"
    "  plait sim merge                 join the tables of runs on several machines\n"
    "\n"
    "Each with --help. Exit codes: 0 everything held, 1 something did not, 2 wrong\n"
    "arguments, 10 a file cannot be written.\n";

static const char closing[] =
    "Exit codes: 0 everything held, 1 something did not, 2 wrong arguments, 10 a file\n"
    "cannot be written.\n";

static bool set_number(void *at, char *const *values, char *why)
{
    if (parse_count(values[0], at))
        return true;
    snprintf(why, OPTION_WHY_MAX, "a seed is a whole number");
    return false;
}

/* ---- list ------------------------------------------------------------------------------- */

static int list(void)
{
    const struct scenario *s;
    char name[SCENARIO_NAME_MAX];
    uint8_t version;
    for (unsigned i = 0; (s = scenario_at(i, name, &version)) != NULL; i++)
        printf("%-24s %s\n", name, s->summary);
    return HOST_OK;
}

static int boxes(void)
{
    struct box_entry e;
    for (unsigned i = 0; box_catalogue(i, &e); i++)
        printf("%-10s %s\n%-10s   %s\n", e.name, e.summary, "", e.arguments);
    fputs("\nEvery box: dir=there|back|both, on=PHASES, option=OPTIONS, port=P, after=N, count=N,\n"
          "from=TIME, until=TIME. See plait-sim(1).\n",
          stdout);
    return HOST_OK;
}

/* ---- run -------------------------------------------------------------------------------- */

struct run_options {
    uint64_t seed;
    const char *pcap, *events;
    bool json;
    char **names; /* of the jobs, from number 0 */
};

/* CPU time of this process: every scenario has one of its own. */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_one(void *ctx, uint64_t number, FILE *out)
{
    const struct run_options *o = ctx;
    const char *name = o->names[number];
    struct run *r = sim_alloc(sizeof *r);
    const struct scenario *s = scenario_find(name, &r->version);
    r->seed = o->seed;
    r->pcap_path = o->pcap;
    if (o->events && !(r->events = sim_events_open(o->events)))
        return false;
    double before_s = cpu_s();
    bool ok = scenario_run(s, r);
    double spent_s = cpu_s() - before_s;
    if (!sim_events_close(r->events, o->events))
        ok = false;
    if (o->json) {
        sim_report_line(sim_report_json(name, r, ok), out);
    } else {
        fprintf(out, "%-4s %-24s %10.3f s  %016llx %9llu hops\n", ok ? "ok" : "FAIL", name,
                (double)r->virtual_us / 1e6, (unsigned long long)r->hash,
                (unsigned long long)r->hops);
        if (spent_s > 0)
            fprintf(out, "     segment-hops a CPU second %35.0f\n", (double)r->hops / spent_s);
        sim_report_print(r, ok, out);
    }
    free(r);
    return ok;
}

static bool run_done(void *ctx, const struct job_result *result)
{
    const struct run_options *o = ctx;
    fputs(result->text, stdout);
    if (!result->ok && !o->json) {
        printf("     repeat with: plait sim run %s --seed %llu\n", o->names[result->number],
               (unsigned long long)o->seed);
    }
    fflush(stdout);
    return true;
}

/* The names of all scenarios; names_free frees the list. */
static char **all_names(unsigned *count)
{
    char **names = NULL, name[SCENARIO_NAME_MAX];
    uint8_t version;
    for (*count = 0; scenario_at(*count, name, &version); (*count)++) {
        char **more = realloc(names, (*count + 1) * sizeof *names);
        if (!more || !(more[*count] = strdup(name)))
            abort();
        names = more;
    }
    return names;
}

static void names_free(char **names, unsigned count)
{
    while (count)
        free(names[--count]);
    free(names);
}

static bool known(char **names, unsigned count)
{
    unsigned all_count;
    char **all = all_names(&all_count);
    uint8_t version;
    bool ok = true;
    for (unsigned i = 0; i < count && ok; i++) {
        if (scenario_find(names[i], &version))
            continue;
        const char *near = cli_nearest(names[i], (const char *const *)all, all_count);
        if (near)
            cli_error("there is no scenario '%s': did you mean '%s'?", names[i], near);
        else
            cli_error("there is no scenario '%s': plait sim list shows them", names[i]);
        ok = false;
    }
    names_free(all, all_count);
    return ok;
}

static int run_names(struct run_options *o, char **names, unsigned count)
{
    if (!known(names, count))
        return HOST_FAIL_USAGE;
    if ((o->pcap || o->events) && count > 1) {
        cli_error("--pcap and --events are for one scenario at a time");
        return HOST_FAIL_USAGE;
    }
    o->names = names;
    const struct jobs j = {
        .last = count - 1, .limit_s = JOB_LIMIT_S, .ctx = o, .run = run_one, .done = run_done};
    uint64_t failed = jobs_run(&j);
    if (failed == UINT64_MAX) {
        cli_error("cannot start a process: %s", strerror(errno));
        return HOST_FAIL_OTHER;
    }
    if (count > 1 && !o->json)
        printf("%u scenarios, %llu failed\n", count, (unsigned long long)failed);
    return failed ? CHECK_FAILED : HOST_OK;
}

static int run(int argc, char **argv)
{
    struct run_options o = {.seed = 1};
    const struct option_row rows[] = {
        {'s', "seed", "N", OPTION_CUSTOM, offsetof(struct run_options, seed),
         "another run of the same scenario (1)", .set = set_number},
        {0, "pcap", "FILE", OPTION_TEXT, offsetof(struct run_options, pcap),
         "what the client sends and receives, for tshark"},
        {0, "events", "FILE", OPTION_TEXT, offsetof(struct run_options, events),
         "every event as a line of JSON"},
        {'j', "json", NULL, OPTION_FLAG, offsetof(struct run_options, json),
         "one JSON object a scenario"},
        {0}};
    const struct usage usage = {.synopsis = "sim run [OPTIONS] NAME...",
                                .about = "Run scenarios by name; all: every one.\n",
                                .closing = closing,
                                .groups = {{"Options", rows, &o}},
                                .operands_min = 1,
                                .operands_max = -1};
    int operand;
    int parsed = options_parse(&usage, argc, argv, &operand);
    if (parsed != OPTION_GO)
        return parsed;
    if (argc - operand == 1 && strcmp(argv[operand], "all") == 0) {
        unsigned count;
        char **names = all_names(&count);
        int code = run_names(&o, names, count);
        names_free(names, count);
        return code;
    }
    return run_names(&o, argv + operand, (unsigned)(argc - operand));
}

/* ---- swarm ------------------------------------------------------------------------------ */

struct seeds {
    uint64_t first, last;
};

struct swarm_options {
    struct seeds seeds;
    const char *pcap, *events;
    unsigned jobs;
    bool hash, describe;
    unsigned shown;
};

static bool set_seeds(void *at, char *const *values, char *why)
{
    struct seeds *s = at;
    if (parse_range(values[0], &s->first, &s->last))
        return true;
    snprintf(why, OPTION_WHY_MAX, "write --seeds 1..2000, or one number");
    return false;
}

static bool swarm_one(void *ctx, uint64_t seed, FILE *out)
{
    const struct swarm_options *o = ctx;
    struct swarm_run r = {.seed = seed, .pcap_path = o->pcap};
    if (o->events && !(r.events = sim_events_open(o->events)))
        return false;
    if (o->describe)
        r.describe = out;
    bool ok = swarm_run(&r);
    if (!sim_events_close(r.events, o->events))
        ok = false;
    if (o->hash)
        fprintf(out, "%llu %016llx\n", (unsigned long long)seed, (unsigned long long)r.hash);
    if (!ok)
        fprintf(out, "%s\n", r.failure);
    return ok;
}

static bool swarm_done(void *ctx, const struct job_result *r)
{
    struct swarm_options *o = ctx;
    if (r->ok) {
        fputs(r->text, stdout);
        return true;
    }
    printf("FAIL seed %llu: %s", (unsigned long long)r->number, r->text);
    printf("     repeat with: plait sim swarm --describe --seeds %llu\n",
           (unsigned long long)r->number);
    fflush(stdout);
    return ++o->shown < SHOWN_MAX;
}

static int swarm_seeds(struct swarm_options *o)
{
    if ((o->pcap || o->events) && o->seeds.first != o->seeds.last) {
        cli_error("--pcap and --events are for one seed at a time");
        return HOST_FAIL_USAGE;
    }
    const struct jobs j = {.first = o->seeds.first,
                           .last = o->seeds.last,
                           .workers = o->jobs,
                           .limit_s = SEED_LIMIT_S,
                           .ctx = o,
                           .run = swarm_one,
                           .done = swarm_done};
    uint64_t failed = jobs_run(&j);
    if (failed == UINT64_MAX) {
        cli_error("cannot start a process: %s", strerror(errno));
        return HOST_FAIL_OTHER;
    }
    if (o->shown == SHOWN_MAX)
        printf("stopped after %u failures\n", o->shown);
    else
        printf("%llu seeds, %llu failed\n", (unsigned long long)(j.last - j.first + 1),
               (unsigned long long)failed);
    return failed ? CHECK_FAILED : HOST_OK;
}

static int swarm(int argc, char **argv)
{
    struct swarm_options o = {.seeds = {1, 100}};
    const struct option_row rows[] = {
        {'s', "seeds", "A..B", OPTION_CUSTOM, offsetof(struct swarm_options, seeds),
         "which worlds (1..100); one number: that one", .set = set_seeds},
        {'j', "jobs", "N", OPTION_COUNT, offsetof(struct swarm_options, jobs),
         "at a time (one a core)"},
        {0, "hash", NULL, OPTION_FLAG, offsetof(struct swarm_options, hash),
         "print each seed's trace hash"},
        {0, "describe", NULL, OPTION_FLAG, offsetof(struct swarm_options, describe),
         "print what each world is like"},
        {0, "pcap", "FILE", OPTION_TEXT, offsetof(struct swarm_options, pcap),
         "one seed: what the client sends and receives"},
        {0, "events", "FILE", OPTION_TEXT, offsetof(struct swarm_options, events),
         "one seed: every event as a line of JSON"},
        {0}};
    const struct usage usage = {
        .synopsis = "sim swarm [OPTIONS]",
        .about = "Random worlds: topology, faults, configuration and transfers from the seed.\n",
        .closing = closing,
        .groups = {{"Options", rows, &o}}};
    int operand;
    int parsed = options_parse(&usage, argc, argv, &operand);
    if (parsed != OPTION_GO)
        return parsed;
    return swarm_seeds(&o);
}

/* ---- the command ------------------------------------------------------------------------ */

int cmd_sim(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "list") == 0)
        return list();
    if (strcmp(word, "boxes") == 0)
        return boxes();
    if (strcmp(word, "run") == 0)
        return run(argc - 1, argv + 1);
    if (strcmp(word, "matrix") == 0)
        return sim_matrix(argc - 1, argv + 1);
    if (strcmp(word, "swarm") == 0)
        return swarm(argc - 1, argv + 1);
    if (strcmp(word, "merge") == 0)
        return sim_merge(argc - 1, argv + 1);
    if (sim_file_meant(word))
        return sim_file(argc, argv);
    bool help = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    fprintf(help ? stdout : stderr,
            "usage: plait sim list|boxes|run|swarm|matrix|merge|FILE.lua [OPTIONS]\n\n%s", about);
    return help ? HOST_OK : HOST_FAIL_USAGE;
}
